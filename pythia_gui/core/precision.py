"""Which dtype a checkpoint is computed in."""

from typing import Literal

from pythia_gui.core.events import Placement
from pythia_gui.core.requests import Checkpoint, Request

Dtype = Literal["float32", "float16", "bfloat16"]
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
HEADROOM = 1.2


def fits(checkpoint: Checkpoint, dtype: Dtype, place: Placement) -> bool:
    """Whether the weights in `dtype`, with a fifth to spare, fit in the device's memory."""
    return checkpoint.config.parameters * BYTES[dtype] * HEADROOM <= place.memory_bytes


def loaded(request: Request) -> tuple[Checkpoint, ...]:
    """Return every checkpoint that `request` loads: the reference first, if there is one."""
    return (*([request.against] if request.against is not None else []), *request.checkpoints)


def computed_dtype(request: Request, place: Placement) -> Dtype:
    """Return the one dtype that every checkpoint of `request` is computed in, the reference too.

    float32 on a CPU, and on a GPU where every model fits in it; else the training dtype
    (bfloat16 if any of the models was trained in it).
    """
    if request.dtype != "auto":
        return request.dtype
    if place.device_class == "cpu" or all(fits(c, "float32", place) for c in loaded(request)):
        return "float32"
    trained = {checkpoint.training_dtype for checkpoint in loaded(request)}
    return "bfloat16" if "bfloat16" in trained else "float16"
