"""config.json, checked before anything is built from it."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pythia_gui.core.fingerprint import CheckpointError, read_limited
from pythia_gui.core.neox_config import NeoxConfig
from pythia_gui.core.steps import shown

LIMIT_BYTES = 1 << 20
TrainingDtype = Literal["float32", "float16", "bfloat16"]
Fraction = Annotated[float, Field(gt=0, le=1)]


class RopeParameters(BaseModel):
    """How transformers 5 writes the rotary settings; one that is not known here is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rope_type: Literal["default"] = "default"
    rope_theta: float | None = Field(default=None, gt=1, le=1e9)
    partial_rotary_factor: Fraction | None = None


class NeoxFile(BaseModel):
    """What is taken from a config.json; everything else in it is ignored, code above all."""

    model_config = ConfigDict(extra="ignore", strict=True)

    model_type: Literal["gpt_neox"]
    num_hidden_layers: int = Field(ge=1, le=128)
    hidden_size: int = Field(ge=1, le=16_384)
    num_attention_heads: int = Field(ge=1, le=256)
    intermediate_size: int = Field(ge=1, le=131_072)
    vocab_size: int = Field(ge=2, le=1_000_000)
    max_position_embeddings: int = Field(ge=2, le=1_048_576)
    rotary_pct: Fraction = 0.25
    rotary_emb_base: float | int = Field(default=10_000, gt=1, le=1e9)
    rope_parameters: RopeParameters = RopeParameters()
    rope_scaling: None = None
    layer_norm_eps: float = Field(default=1e-5, gt=0, le=1)
    hidden_act: Literal["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu"] = (
        "gelu"
    )
    use_parallel_residual: bool = True
    attention_bias: bool = True
    tie_word_embeddings: bool = False
    torch_dtype: TrainingDtype | None = None
    dtype: TrainingDtype | None = None

    @model_validator(mode="after")
    def _heads_divide_the_dimension(self) -> "NeoxFile":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError("num_attention_heads must divide hidden_size")
        return self


def read_config(file: Path) -> tuple[NeoxConfig, TrainingDtype, str]:
    """Return a checkpoint's configuration, its training dtype and the file's SHA-256.

    Raises:
        CheckpointError: the file is missing, too large, damaged, of another kind of model, or
            names sizes that no GPT-NeoX model has.
    """
    data = read_limited(file, LIMIT_BYTES)
    try:
        found = NeoxFile.model_validate(_json_object(data))
    except ValidationError as problem:
        raise CheckpointError(f"{file} can't be used: {_first(problem)}") from problem
    except (ValueError, RecursionError) as problem:
        raise CheckpointError(f"{file} is not a usable config.json: {problem}") from problem
    return _config(found), _dtype(found), hashlib.sha256(data).hexdigest()


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as problem:
        raise ValueError("it is damaged JSON") from problem
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def _first(problem: ValidationError) -> str:
    error = problem.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in error["loc"])
    if place == "model_type":
        return "only GPT-NeoX models (model_type gpt_neox) are supported"
    message = error["msg"].removeprefix("Value error, ")
    return f"{shown(place)}: {message}" if place else message


def _dtype(found: NeoxFile) -> TrainingDtype:
    return found.dtype or found.torch_dtype or "float16"


def _config(found: NeoxFile) -> NeoxConfig:
    rope = found.rope_parameters
    return NeoxConfig(
        layers=found.num_hidden_layers,
        dim=found.hidden_size,
        heads=found.num_attention_heads,
        inner_dim=found.intermediate_size,
        vocab_rows=found.vocab_size,
        context=found.max_position_embeddings,
        rotary_pct=rope.partial_rotary_factor or found.rotary_pct,
        rotary_base=float(rope.rope_theta or found.rotary_emb_base),
        layer_norm_eps=found.layer_norm_eps,
        hidden_act=found.hidden_act,
        parallel_residual=found.use_parallel_residual,
        attention_bias=found.attention_bias,
        tied_embeddings=found.tie_word_embeddings,
    )
