"""The requests on their way: what each owes, how far it is, and what comes of it."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Signal

from pythia_gui.core.events import Placement, Progress, Result, TokenWritten
from pythia_gui.core.requests import Checkpoint, Request
from pythia_gui.ui.presenters import placement_line, time_left
from pythia_gui.ui.questions import SLOTS, TRAJECTORY, Key, files_of, keys_by_files
from pythia_gui.worker import Worker

NO_ANSWER = "No answer came for this step; press Run to ask again."


@dataclass(frozen=True, slots=True)
class Activity:
    """What is being computed: one line, how far it is (None: can't be told), time left."""

    running: bool = False
    text: str = ""
    fraction: float | None = None
    left: str = ""
    place: str = ""


@dataclass(slots=True)
class _Errand:
    """A request on its way; `owed` names the answers still to come."""

    request: Request
    keys: dict[Key, Key]
    owed: set[Key]
    since_s: float = field(default_factory=time.monotonic)
    progress: Progress | None = None


class Errands(QObject):
    """Gives requests to the worker, and files under which name each answer comes.

    At most one request of a slot is on its way. What is heard of any other is not passed on.
    """

    answered = Signal(str, object, object)  # slot, Key, Result
    written = Signal(object, object)  # Key, TokenWritten
    ended = Signal(str, object, str, bool)  # slot, keys that won't come, why; if it failed
    noticed = Signal(str)
    moved = Signal()  # what `activity` says is another

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker
        self._errands: dict[str, _Errand] = {}
        self._placement: Placement | None = None
        self._dtype = ""
        worker.failed.connect(self._on_failed)
        worker.finished.connect(self._on_finished)
        worker.noticed.connect(self._on_noticed)
        worker.placed.connect(self._on_placed)
        worker.progressed.connect(self._on_progressed)
        worker.result_arrived.connect(self._on_result)
        worker.token_written.connect(self._on_token)

    def under_way(self, slot: str = "") -> bool:
        """Return whether a request of a slot, or of any, is on its way."""
        return slot in self._errands if slot else bool(self._errands)

    def fetches(self, slot: str, key: Key) -> bool:
        """Return whether the request of a slot brings an answer, or has brought it."""
        return slot in self._errands and key in self._errands[slot].keys.values()

    def send(self, request: Request, at: Sequence[tuple[Checkpoint, Key]]) -> None:
        """Give a request to the worker; `at` are its checkpoints with their answers' names."""
        keys = keys_by_files(request.checkpoints, [key for _, key in at])
        self._errands[request.slot] = _Errand(request, dict(keys), set(keys.values()))
        self._worker.submit(request)
        self.moved.emit()

    def cancel(self, slots: Iterable[str]) -> None:
        """Wait no longer for the requests of some slots."""
        for slot in slots:
            if self._errands.pop(slot, None) is not None:
                self._worker.cancel(slot)
                self.moved.emit()

    def activity(self) -> Activity:
        """Return what is being computed, the most urgent of it."""
        place = placement_line(self._placement, self._dtype)
        errand = next((self._errands[slot] for slot in SLOTS if slot in self._errands), None)
        if errand is None:
            return Activity(place=place)
        many = len(errand.keys)
        if errand.request.slot == TRAJECTORY and many > 1:
            fraction = 1 - len(errand.owed) / many
            left = time_left(time.monotonic() - errand.since_s, fraction)
            return Activity(True, f"Sweeping {many} steps", fraction, left, place)  # noqa: FBT003
        said = errand.progress.text if errand.progress is not None else "Starting"
        return Activity(running=True, text=said, place=place)

    # ------------------------------------------------------------------ what the worker says

    def _of(self, request: Request) -> _Errand | None:
        errand = self._errands.get(request.slot)
        return errand if errand is not None and errand.request == request else None

    def _on_placed(self, placement: Placement) -> None:
        self._placement = placement
        self.moved.emit()

    def _on_progressed(self, request: Request, progress: Progress) -> None:
        errand = self._of(request)
        if errand is not None:
            errand.progress = progress
            self.moved.emit()

    def _on_noticed(self, request: Request, text: str) -> None:
        if self._of(request) is not None:
            self.noticed.emit(text)

    def _on_token(self, request: Request, written: TokenWritten) -> None:
        errand = self._of(request)
        key = errand.keys.get(files_of(written.checkpoint)) if errand is not None else None
        if key is not None:
            self.written.emit(key, written)

    def _on_result(self, request: Request, result: Result) -> None:
        errand = self._of(request)
        key = errand.keys.get(files_of(result.checkpoint)) if errand is not None else None
        if errand is not None and key is not None:
            errand.owed.discard(key)
            self._dtype = result.dtype
            self.answered.emit(request.slot, key, result)

    def _on_failed(self, request: Request, why: str) -> None:
        self._close(request, why, failed=True)

    def _on_finished(self, request: Request) -> None:
        self._close(request, NO_ANSWER, failed=False)

    def _close(self, request: Request, why: str, *, failed: bool) -> None:
        errand = self._of(request)
        if errand is not None:
            del self._errands[request.slot]
            self.ended.emit(request.slot, tuple(errand.owed), why, failed)
            self.moved.emit()
