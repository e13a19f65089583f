"""How long checkpoints take here, as measured, and what a run of many will cost."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from PySide6.QtCore import QObject

from pythia_gui.core.events import Result
from pythia_gui.core.precision import BYTES
from pythia_gui.core.requests import Checkpoint, Prompt, Request
from pythia_gui.worker import Worker

LONGEST_GAP_S = 600.0
SHORT_S = 10.0
SMALL_PARAMETERS = 50_000_000
SMALL_ANSWERS = 1_000
TRUSTED = 4  # checkpoints whose mean counts as much as what was known before
WRITTEN = 20  # a token that is written takes about as long as so many that are read
FIXED_SHARE = 0.5  # of a checkpoint's time, what its length is taken not to change
MOST_SIZES = 32

Kind = tuple[bool, bool]
"""Whether a request writes text, and whether it looks at every position."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What requests cost: checkpoints and prompts, seconds (None: not measured yet), bytes.

    `seconds` is for computing everything; what is stored already takes less. `memory_bytes` is
    the largest checkpoint's weights in float32.
    """

    checkpoints: int
    prompts: int
    seconds: float | None
    memory_bytes: int
    small: bool

    @property
    def short(self) -> bool:
        """Whether nobody need be asked before it begins."""
        return self.small if self.seconds is None else self.seconds <= SHORT_S


@dataclass(slots=True)
class _Stretch:
    """Checkpoints of one model that were computed one after the other for one request."""

    request: Request
    model: str
    step: int
    before_s: float | None
    first_s: float
    last_s: float
    count: int = 1

    def goes_on_with(self, request: Request, model: str, now_s: float) -> bool:
        same = self.request is request and self.model == model
        return same and now_s - self.last_s < LONGEST_GAP_S

    def seconds(self) -> float:
        """Return a checkpoint's time: this stretch's mean, the more the longer it is."""
        mean = (self.last_s - self.first_s) / (self.count - 1)
        trust = 1.0 if self.before_s is None else self.count / (self.count + TRUSTED)
        return trust * mean + (1 - trust) * (self.before_s or 0.0)


class Pace(QObject):
    """Watches how long each model's checkpoints take, over all that the worker does."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._seconds: dict[tuple[str, Kind], dict[int, float]] = {}
        self._stretch: _Stretch | None = None
        self._sized: tuple[Request, int] | None = None
        worker.result_arrived.connect(self._on_result)

    def seconds(self, model: str, request: Request) -> float | None:
        """Return how long one checkpoint of a model takes a request, None where none is known."""
        kind = kind_of(request)
        known = self._seconds.get((model, kind)) or self._seconds.get(
            (model, (kind[0], not kind[1]))
        )
        return at_size(known, self._size(request)) if known else None

    def cost(self, requests: Sequence[Request]) -> Cost:
        """Return what requests cost at the pace measured so far."""
        at = [checkpoint for request in requests for checkpoint in request.checkpoints]
        answers = sum(len(request.checkpoints) * len(request.prompts) for request in requests)
        few = answers <= SMALL_ANSWERS
        return Cost(
            checkpoints=len({(one.model, one.step, one.folder) for one in at}),
            prompts=max((len(request.prompts) for request in requests), default=0),
            seconds=self._all_seconds(requests),
            memory_bytes=max((weights_bytes(checkpoint) for checkpoint in at), default=0),
            small=few and all(one.config.parameters < SMALL_PARAMETERS for one in at),
        )

    def _all_seconds(self, requests: Sequence[Request]) -> float | None:
        whole = 0.0
        for request in requests:
            models = [checkpoint.model for checkpoint in request.checkpoints]
            for model in dict.fromkeys(models):
                each = self.seconds(model, request)
                if each is None:
                    return None
                whole += each * models.count(model)
        return whole

    def _on_result(self, request: Request, result: Result) -> None:
        """Measure from one checkpoint's first result to the next one's, computed both."""
        now_s, step, model = monotonic(), result.checkpoint.step, result.checkpoint.model
        stretch = self._stretch
        if result.from_store or result.error is not None:
            self._stretch = None
        elif stretch is None or not stretch.goes_on_with(request, model, now_s):
            before = self._of(request, model).get(self._size(request))
            self._stretch = _Stretch(request, model, step, before, now_s, now_s)
        elif stretch.step != step:
            stretch.step, stretch.last_s = step, now_s
            stretch.count += 1
            known = self._of(request, model)
            known.pop(self._size(request), None)
            known[self._size(request)] = stretch.seconds()
            if len(known) > MOST_SIZES:
                del known[next(iter(known))]

    def _of(self, request: Request, model: str) -> dict[int, float]:
        return self._seconds.setdefault((model, kind_of(request)), {})

    def _size(self, request: Request) -> int:
        """Return a request's size; that of the last one is remembered."""
        if self._sized is None or self._sized[0] is not request:
            self._sized = (request, size_of(request))
        return self._sized[1]


def kind_of(request: Request) -> Kind:
    """Return what kind of work a request is."""
    return request.continuation is not None, request.score or request.against is not None


def size_of(request: Request) -> int:
    """Return how many tokens a checkpoint reads for a request, written ones counted as more."""
    what = request.continuation
    written = what.max_new_tokens * what.samples if what is not None else 0
    return sum(_read_for(prompt) + WRITTEN * written for prompt in request.prompts)


def _read_for(prompt: Prompt) -> int:
    long = (target for target in prompt.targets if len(target.token_ids) > 1)
    again = sum(len(target.context_ids) + len(target.token_ids) for target in long)
    return len(prompt.token_ids) + again


def at_size(known: Mapping[int, float], size: int) -> float:
    """Return a checkpoint's time for a size, from the times of others (at least one).

    Between two that are known it lies on the line that joins them; below the smallest it is the
    smallest's, and above the largest it goes on along the line through both ends.
    """
    sizes = sorted(known)
    place = bisect_left(sizes, size)
    if place < len(sizes) and (place == 0 or sizes[place] == size):
        return known[sizes[place]]
    low, high = (sizes[0], sizes[-1]) if place == len(sizes) else (sizes[place - 1], sizes[place])
    if low == high:
        return known[low] * (FIXED_SHARE + (1 - FIXED_SHARE) * size / max(low, 1))
    slope = (known[high] - known[low]) / (high - low)
    start = high if place == len(sizes) else low
    return known[start] + max(slope, 0.0) * (size - start)


def weights_bytes(checkpoint: Checkpoint) -> int:
    """Return the memory that a checkpoint's weights take in float32."""
    return checkpoint.config.parameters * BYTES["float32"]
