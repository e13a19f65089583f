"""A fake engine that answers differently at every step, as checkpoints with hashes do."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from pythia_gui.core.engine import Cancel
from pythia_gui.core.events import EngineEvent
from pythia_gui.core.requests import Checkpoint, Request
from tests.fakes import FakeEngine


class VariedEngine(FakeEngine):
    """Gives every checkpoint the hash of its model and step, from which the answers follow."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        named = tuple(with_hash(checkpoint) for checkpoint in request.checkpoints)
        yield from super().run(replace(request, checkpoints=named), cancel)


def with_hash(checkpoint: Checkpoint) -> Checkpoint:
    name = f"{checkpoint.model} {checkpoint.step}"
    return replace(checkpoint, weights_sha256=hashlib.sha256(name.encode()).hexdigest())
