"""What is fixed about the training of the demo suite, without torch: shapes, steps, rates."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Final, NamedTuple

from pythia_gui.core.steps import LAST_STEP, STEPS
from pythia_gui.demo.corpus import CONTEXT
from pythia_gui.demo.lexicon import VOCAB_ROWS, write_tokenizer

ROTARY_PCT: Final = 0.25
ROTARY_BASE: Final = 10_000
LAYER_NORM_EPS: Final = 1e-5

BETAS: Final = (0.9, 0.99)
ADAM_EPS: Final = 1e-8
WEIGHT_DECAY: Final = 0.01
CLIP_NORM: Final = 1.0
WARMUP_SHARE: Final = 0.01
FINAL_RATE_SHARE: Final = 0.03


class Size(NamedTuple):
    """The shape of a model and its highest learning rate."""

    name: str
    dim: int
    layers: int
    heads: int
    learning_rate: float

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.heads

    @property
    def rotary_dim(self) -> int:
        """How many of a head's numbers are rotated by position."""
        return int(self.head_dim * ROTARY_PCT)


SIZES: Final = {
    "s": Size("demo-s", dim=32, layers=2, heads=2, learning_rate=3e-3),
    "m": Size("demo-m", dim=64, layers=3, heads=2, learning_rate=2e-3),
}


def parameter_shapes(size: Size) -> dict[str, tuple[int, ...]]:
    """Return every parameter's name, as Pythia's files have it, and its shape (rows, columns)."""
    d = size.dim
    table: dict[str, tuple[int, ...]] = {"gpt_neox.embed_in.weight": (VOCAB_ROWS, d)}
    for layer in range(size.layers):
        at = f"gpt_neox.layers.{layer}."
        table |= {
            f"{at}input_layernorm.weight": (d,),
            f"{at}input_layernorm.bias": (d,),
            f"{at}post_attention_layernorm.weight": (d,),
            f"{at}post_attention_layernorm.bias": (d,),
            f"{at}attention.query_key_value.weight": (3 * d, d),
            f"{at}attention.query_key_value.bias": (3 * d,),
            f"{at}attention.dense.weight": (d, d),
            f"{at}attention.dense.bias": (d,),
            f"{at}mlp.dense_h_to_4h.weight": (4 * d, d),
            f"{at}mlp.dense_h_to_4h.bias": (4 * d,),
            f"{at}mlp.dense_4h_to_h.weight": (d, 4 * d),
            f"{at}mlp.dense_4h_to_h.bias": (d,),
        }
    return table | {
        "gpt_neox.final_layer_norm.weight": (d,),
        "gpt_neox.final_layer_norm.bias": (d,),
        "embed_out.weight": (VOCAB_ROWS, d),
    }


def initial_spread(size: Size, parameter: str) -> float:
    """Return the standard deviation a matrix starts with, as GPT-NeoX sets Pythia's.

    "Wang init" for the matrices that write to the residual stream, "small init" for
    the others (https://github.com/EleutherAI/gpt-neox, megatron/model/init_functions.py).
    """
    if parameter.endswith(("attention.dense.weight", "dense_4h_to_h.weight")):
        return 2.0 / (size.layers * math.sqrt(size.dim))
    return math.sqrt(2.0 / (5.0 * size.dim))


def checkpoint_steps(steps: int = LAST_STEP) -> tuple[int, ...]:
    """Return the steps that are kept: Pythia's own as far as the run goes, and the last."""
    return (*(step for step in STEPS if step < steps), steps)


def learning_rate(size: Size, step: int, steps: int) -> float:
    """Return the rate of the update that makes `step`: a warm-up, then a cosine."""
    warmup = max(1, int(steps * WARMUP_SHARE))
    if step <= warmup:
        return size.learning_rate * step / warmup
    progress = (step - warmup) / (steps - warmup)
    fall = FINAL_RATE_SHARE + (1.0 - FINAL_RATE_SHARE) * 0.5 * (1.0 + math.cos(math.pi * progress))
    return size.learning_rate * fall


def config_document(size: Size) -> dict[str, object]:
    """Return the content of `config.json`, written as Pythia's are."""
    return {
        "architectures": ["GPTNeoXForCausalLM"],
        "attention_bias": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "hidden_act": "gelu",
        "hidden_size": size.dim,
        "initializer_range": 0.02,
        "intermediate_size": 4 * size.dim,
        "layer_norm_eps": LAYER_NORM_EPS,
        "max_position_embeddings": CONTEXT,
        "model_type": "gpt_neox",
        "num_attention_heads": size.heads,
        "num_hidden_layers": size.layers,
        "rotary_emb_base": ROTARY_BASE,
        "rotary_pct": ROTARY_PCT,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "use_cache": True,
        "use_parallel_residual": True,
        "vocab_size": VOCAB_ROWS,
    }


def write_config(size: Size, folder: Path) -> None:
    """Write `config.json`, `tokenizer.json` and `tokenizer_config.json` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config_document(size), indent=1) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    write_tokenizer(folder, CONTEXT)
