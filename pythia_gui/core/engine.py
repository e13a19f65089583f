"""The protocol that every engine speaks, and what composes engines."""

from collections.abc import Iterator
from typing import Protocol

from pythia_gui.core.events import EngineEvent
from pythia_gui.core.requests import Request


class Cancel(Protocol):
    """Anything that can say whether the person has lost interest; `threading.Event` fits."""

    def is_set(self) -> bool:
        """Whether to stop."""
        ...


class Engine(Protocol):
    """Answers requests, one at a time.

    `run` yields one `Result` per checkpoint and prompt, in the request's order (checkpoints
    outside, prompts inside), with other events between them, and ends. A cancelled run just
    ends early. A run whose very nature fails ends with a `Failure`; it raises only on a bug.
    The first event of an engine that computes is its `Placement`. A request without
    checkpoints asks for the placement alone.
    """

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        """Yield what the checkpoints of `request` say, until done or cancelled."""
        ...

    def close(self) -> None:
        """Give back what the engine holds; it may be called twice."""
        ...
