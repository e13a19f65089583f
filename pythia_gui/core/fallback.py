"""One dtype per curve: what half precision can't compute is computed again in float32."""

from collections.abc import Generator, Iterator
from dataclasses import replace

from pythia_gui.core.engine import Cancel, Engine
from pythia_gui.core.events import EngineEvent, Notice, Placement, Result
from pythia_gui.core.precision import fits, loaded
from pythia_gui.core.requests import Request


class Float32Fallback:
    """Passes requests on to `inner`; reruns one in float32 when half precision overflows.

    The rerun is the whole request, so that no curve mixes dtypes: whoever collects results
    must let a later one replace an earlier one of the same checkpoint and prompt. Where
    float32 does not fit, the failed checkpoints stay marked gaps.
    """

    def __init__(self, inner: Engine) -> None:
        self._inner = inner

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        """Yield the events of `inner`, and of a second run in float32 if one is needed."""
        notice = yield from self._until_overflow(request, cancel)
        if notice is not None:  # the first run has ended by now: it let go of its generator
            yield notice
            yield from self._inner.run(replace(request, dtype="float32"), cancel)

    def _until_overflow(
        self, request: Request, cancel: Cancel
    ) -> Generator[EngineEvent, None, Notice | None]:
        """Yield the events of `inner` up to a curable overflow; return what to say of it."""
        place: Placement | None = None
        for event in self._inner.run(request, cancel):
            if isinstance(event, Placement):
                place = event
            if isinstance(event, Result) and self._curable(event, request, place):
                return Notice(f"{event.error}: all steps are computed again in float32")
            yield event
        return None

    def close(self) -> None:
        """Close the inner engine."""
        self._inner.close()

    @staticmethod
    def _curable(result: Result, request: Request, place: Placement | None) -> bool:
        if not result.non_finite or result.dtype == "float32" or place is None:
            return False
        return all(fits(checkpoint, "float32", place) for checkpoint in loaded(request))
