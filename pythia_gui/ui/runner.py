"""A view's requests on their way: one after the other in a slot of its own."""

from collections.abc import Sequence
from time import monotonic

from PySide6.QtCore import QObject, QTimer, Signal

from pythia_gui.core.events import Progress, Result
from pythia_gui.core.requests import Prompt, Request
from pythia_gui.ui.errands import Activity
from pythia_gui.ui.presenters import time_left
from pythia_gui.ui.questions import Key, files_of
from pythia_gui.worker import Worker

STOPPED = "Stopped; what has arrived stays."
MISSING = "Some answers did not come; measure again."
FRAME_MS = 33


class _Owed:
    """What the answers of one request are counted by: each checkpoint and prompt once."""

    def __init__(self, request: Request) -> None:
        self._checkpoints: dict[Key, int] = {}
        self._prompts: dict[Prompt, int] = {}
        for checkpoint in request.checkpoints:
            self._checkpoints.setdefault(files_of(checkpoint), len(self._checkpoints))
        for prompt in request.prompts:
            self._prompts.setdefault(prompt, len(self._prompts))
        self._come: set[int] = set()

    def tick_off(self, result: Result) -> bool:
        """Count an answer; return whether it is the first of its checkpoint and prompt."""
        checkpoint = self._checkpoints.get(files_of(result.checkpoint))
        prompt = self._prompts.get(result.prompt)
        if checkpoint is None or prompt is None:
            return False
        before = len(self._come)
        self._come.add(checkpoint * len(self._prompts) + prompt)
        return len(self._come) > before


def _answers_of(requests: Sequence[Request]) -> int:
    """Return how many answers requests will have; many of them may share their prompts."""
    prompts = {id(request.prompts): request.prompts for request in requests}
    counts = {key: len(set(asked)) for key, asked in prompts.items()}
    return sum(
        len({files_of(checkpoint) for checkpoint in request.checkpoints})
        * counts[id(request.prompts)]
        for request in requests
    )


class Runner(QObject):
    """Runs a view's requests; starting others supersedes those under way.

    A background request that gave way begins again, so that results may come twice: the later
    one replaces the earlier, and both count as one.
    """

    result_arrived = Signal(object)  # Result, of the requests under way
    noticed = Signal(str)
    changed = Signal()  # `running`, `done`, `text` are others; at most once a frame
    ended = Signal(str)  # empty where everything came, else why not, in one sentence

    def __init__(self, worker: Worker, slot: str) -> None:
        super().__init__()
        self.slot = slot
        self.total = 0
        self.done = 0
        self.text = ""
        self._worker = worker
        self._waiting: list[Request] = []
        self._now: Request | None = None
        self._owed: _Owed | None = None
        self._since_s = 0.0
        self._why = ""
        self._frame = QTimer(self, singleShot=True, interval=FRAME_MS)
        self._frame.timeout.connect(self.changed)
        worker.result_arrived.connect(self._on_result)
        worker.progressed.connect(self._on_progress)
        worker.noticed.connect(self._on_notice)
        worker.failed.connect(self._on_failed)
        worker.finished.connect(self._on_finished)

    @property
    def running(self) -> bool:
        """Whether a request is on its way."""
        return self._now is not None

    @property
    def left(self) -> str:
        """How long it will take, in words; empty while it can't be told."""
        share = self.done / self.total if self.total else 0.0
        return time_left(monotonic() - self._since_s, share) if self.running else ""

    def activity(self) -> Activity:
        """Return what is being computed, for the header."""
        if not self.running:
            return Activity()
        fraction = self.done / self.total if self.total > 1 else None
        return Activity(True, self.text or "Starting", fraction, self.left)  # noqa: FBT003

    def start(self, requests: Sequence[Request]) -> None:
        """Run these instead of what is under way; their slot is this runner's."""
        self._drop()
        self._waiting = [request for request in requests if request.checkpoints]
        self.total, self.done = _answers_of(self._waiting), 0
        self._why, self._since_s = "", monotonic()
        self._next()

    def stop(self) -> None:
        """Ask no further; `ended` follows if something was under way."""
        if self._drop():
            self._tell()
            self.ended.emit(STOPPED)

    def reset(self) -> None:
        """Ask no further, and forget what came: another plan begins."""
        self.stop()
        self.total = self.done = 0

    def _drop(self) -> bool:
        was, self._now, self._owed = self._now, None, None
        self._waiting = []
        if was is not None:
            self._worker.cancel(self.slot)
        return was is not None

    def _next(self) -> None:
        if self._waiting:
            self._now = self._waiting.pop(0)
            self._owed = _Owed(self._now)
            self.text = "Starting"
            self._worker.submit(self._now)
            self._tell()
            return
        was, self._now, self._owed = self._now, None, None
        self._tell()
        if was is not None:
            missing = MISSING if self.done < self.total else ""
            self.ended.emit(self._why or missing)

    def _tell(self) -> None:
        """Say at once that something begins or ends."""
        self._frame.stop()
        self.changed.emit()

    def _tell_soon(self) -> None:
        if not self._frame.isActive():
            self._frame.start()

    def _on_result(self, request: Request, result: Result) -> None:
        if request is not self._now or self._owed is None:
            return
        self.done += self._owed.tick_off(result)
        self.result_arrived.emit(result)
        self._tell_soon()

    def _on_progress(self, request: Request, progress: Progress) -> None:
        if request is self._now:
            self.text = progress.text
            self._tell_soon()

    def _on_notice(self, request: Request, text: str) -> None:
        if request is self._now:
            self.noticed.emit(text)

    def _on_failed(self, request: Request, why: str) -> None:
        if request is self._now:
            self._why = why
            self._waiting = []

    def _on_finished(self, request: Request) -> None:
        if request is self._now:
            self._next()
