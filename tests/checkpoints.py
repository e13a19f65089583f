"""Checkpoints for tests: real GPT-NeoX models with random weights, in every form on disk."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

SHAPES = {
    "tiny": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    "70m": {"hidden_size": 512, "num_hidden_layers": 6, "num_attention_heads": 8},
    "160m": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
}
FORMS = ("safetensors", "sharded safetensors", "bin", "sharded bin")


def make_config(shape: str = "tiny", **changes: object) -> GPTNeoXConfig:
    """Return a Pythia-like config of one of `SHAPES`, with the true vocabulary and context."""
    sizes = SHAPES[shape]
    written = {
        "vocab_size": 50_304,
        "intermediate_size": 4 * sizes["hidden_size"],
        "max_position_embeddings": 2_048,
        "rotary_pct": 0.25,
        "rotary_emb_base": 10_000,
        "use_parallel_residual": True,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "initializer_range": 0.1,
    }
    return GPTNeoXConfig(**(written | sizes | changes))


def make_model(config: GPTNeoXConfig, seed: int) -> GPTNeoXForCausalLM:
    """Return a model whose weights, biases and norms are all random, so that each one matters."""
    generator = torch.Generator().manual_seed(seed)
    model = GPTNeoXForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(0.05 * noise + (1 if parameter.ndim == 1 else 0))
    return model


def write_weights(
    model: GPTNeoXForCausalLM,
    folder: Path,
    form: str = "safetensors",
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write the weights under Pythia's own names in one of `FORMS`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name.replace("lm_head.", "embed_out."): value.detach().to(dtype).contiguous()
        for name, value in model.state_dict().items()
    }
    kind = "bin" if form.endswith("bin") else "safetensors"
    stem = "pytorch_model" if kind == "bin" else "model"
    if not form.startswith("sharded"):
        _write(tensors, folder / f"{stem}.{kind}")
        return
    names = sorted(tensors)
    halves = (names[: len(names) // 2], names[len(names) // 2 :])
    weight_map: dict[str, str] = {}
    for number, half in enumerate(halves, 1):
        file = f"{stem}-{number:05}-of-00002.{kind}"
        _write({name: tensors[name] for name in half}, folder / file)
        weight_map |= dict.fromkeys(half, file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / f"{stem}.{kind}.index.json").write_text(json.dumps(index))


def _write(tensors: dict[str, torch.Tensor], file: Path) -> None:
    if file.suffix == ".bin":
        torch.save(tensors, file)
    else:
        save_file(tensors, file, metadata={"format": "pt"})


def make_checkpoints(
    root: Path,
    tokenizer: Path,
    *,
    steps: tuple[int, ...] = (0, 1, 512),
    shape: str = "tiny",
    form: str = "safetensors",
    **changes: object,
) -> Path:
    """Write a folder `root` of checkpoints by step, each with other weights; return it."""
    config = make_config(shape, **changes)
    root.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(root)
    shutil.copyfile(tokenizer, root / "tokenizer.json")
    for step in steps:
        write_weights(make_model(config, seed=step), root / f"step{step}", form)
    return root
