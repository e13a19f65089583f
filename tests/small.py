"""Small checkpoints: every byte is a token, the vocabulary has a few rows that mean none."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tests.checkpoints import make_checkpoints

SPECIALS = ("<|endoftext|>", "<|padding|>")
SIZE = len(SPECIALS) + 256
ROWS = SIZE + 14
CONTEXT = 96
Change = Callable[[dict[str, torch.Tensor]], object]


def write_byte_tokenizer(file: Path, specials: Sequence[str] = SPECIALS) -> Path:
    """Write a byte-level tokenizer without merges: specials first, then the 256 bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {text: number for number, text in enumerate((*specials, *alphabet))}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(text, normalized=False) for text in specials])
    file.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(file))
    return file


def make_small(
    root: Path,
    *,
    steps: tuple[int, ...] = (0, 1, 512),
    form: str = "safetensors",
    **changes: Any,
) -> Path:
    """Write a folder of small checkpoints by step; return it."""
    tokenizer = write_byte_tokenizer(root.parent / f"{root.name}-tokenizer.json")
    sizes: dict[str, Any] = {"vocab_size": ROWS, "max_position_embeddings": CONTEXT}
    return make_checkpoints(root, tokenizer, steps=steps, form=form, **(sizes | changes))


def change_weights(file: Path, change: Change) -> None:
    """Write a safetensors file again with its tensors changed."""
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})
