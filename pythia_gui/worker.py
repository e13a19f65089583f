"""The worker: a background thread that drives one engine and hands its events to the GUI thread."""

import gc
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from pythia_gui.core.engine import Engine
from pythia_gui.core.events import (
    EngineEvent,
    Failure,
    Notice,
    Placement,
    Progress,
    Result,
    TokenWritten,
)
from pythia_gui.core.requests import Request

COLLECT_MS = 200
TURN_S = 0.008  # of the GUI thread's time, before its event loop gets its turn
ENGINE_PATIENCE_S = 0.8
CLOSED_PATIENCE_S = 0.5

log = logging.getLogger(__name__)


class _Collector(QObject):
    """Collects garbage on the GUI thread, and keeps Python from doing it on any other.

    Python collects on whichever thread happens to allocate. On a worker's thread that destroys
    forgotten widgets while the GUI thread may hold one of Qt's locks: both then wait for ever,
    one for the lock and one for the interpreter's.
    """

    _living = 0
    _was_enabled = True

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        if not _Collector._living:
            _Collector._was_enabled = gc.isenabled()
        _Collector._living += 1
        gc.disable()
        self._timer = QTimer(self, interval=COLLECT_MS)
        self._timer.timeout.connect(self._collect)
        self._timer.start()

    def end(self) -> None:
        """Give the collector back to Python once nobody else needs it here."""
        self._timer.stop()
        _Collector._living -= 1
        if not _Collector._living and _Collector._was_enabled:
            gc.enable()

    @Slot()
    def _collect(self) -> None:
        """Collect the oldest generation that is due, by Python's own thresholds."""
        counts, limits = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if counts[generation] > limits[generation]:
                gc.collect(generation)
                return


@dataclass(eq=False)
class _Job:
    """A request on its way.

    `cancel` ends its present run. `superseded`, `stopped` (the person's wish) and `done` (it
    ended by itself, or failed) are final;
    `paused` means that it is taken up again.
    """

    request: Request
    cancel: threading.Event = field(default_factory=threading.Event)
    superseded: bool = False
    stopped: bool = False
    paused: bool = False
    done: bool = False


@dataclass(frozen=True, slots=True)
class _Finished:
    """The last that is heard of a request."""


_Delivery = tuple[_Job, EngineEvent | _Finished]


class Worker(QObject):
    """Runs requests one after the other on a thread of its own.

    Lives on the GUI thread, and is called and emits there only. A request supersedes the
    waiting or running one of its own slot; a background request gives way to the others and
    goes on after them, repeating results that a store makes cheap. Events of a superseded
    request are dropped here and only here.
    """

    placed = Signal(object)  # Placement: where the engine computes
    progressed = Signal(object, object)  # Request, Progress
    noticed = Signal(object, str)  # Request, a sentence; the request goes on
    token_written = Signal(object, object)  # Request, TokenWritten
    result_arrived = Signal(object, object)  # Request, Result
    failed = Signal(object, str)  # Request, a sentence; `finished` follows
    finished = Signal(object)  # Request: done, failed or stopped, but not superseded
    busy_changed = Signal(bool)  # whether any request waits or runs

    _arrived = Signal()  # from the worker's thread: there is something to deliver

    def __init__(self, engine: Engine, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._collector = _Collector(self)
        self._ended = False
        self._slots: dict[str, _Job] = {}  # the GUI thread's: what was asked and not finished
        self._said_busy = False
        self._guard = threading.Condition()  # guards the four below
        self._waiting: list[_Job] = []
        self._running: _Job | None = None
        self._closing = False
        self._deliveries: deque[_Delivery] = deque()
        self._next_turn = QTimer(self, singleShot=True, interval=0)
        self._next_turn.timeout.connect(self._deliver)
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether any request waits or runs."""
        return bool(self._slots)

    # -- on the GUI thread --------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """Run `request` as soon as it may, instead of the one of its slot."""
        job = _Job(request)
        with self._guard:
            if self._closing:
                return
            if (old := self._slots.get(request.slot)) is not None:
                old.superseded = True
                self._end(old)
            self._slots[request.slot] = job
            self._waiting.append(job)
            self._pause_background(job)
            self._guard.notify()
        self._tell_busy()

    def cancel(self, slot: str) -> None:
        """Stop the request of `slot`, if there is one; `finished` follows."""
        if (job := self._slots.get(slot)) is None:
            return
        with self._guard:
            job.stopped = True
            was_waiting = self._end(job)
        if was_waiting:
            self._hand_over(job, _Finished())

    def cancel_all(self) -> None:
        """Stop every request; `finished` follows for each."""
        for slot in list(self._slots):
            self.cancel(slot)

    def shutdown(self) -> None:
        """Stop everything and close the engine, within two seconds; nothing is emitted after."""
        with self._guard:
            self._closing = True
            self._waiting.clear()
            self._deliveries.clear()
            if self._running is not None:
                self._running.cancel.set()
            self._guard.notify()
        self._next_turn.stop()
        self._thread.join(ENGINE_PATIENCE_S)
        self._engine.close()
        self._thread.join(CLOSED_PATIENCE_S)
        self._slots.clear()
        if not self._ended:
            self._ended = True
            self._collector.end()

    def _end(self, job: _Job) -> bool:
        """Cancel a job; return whether it was still waiting, so that no run will report it."""
        job.cancel.set()
        if job in self._waiting:
            self._waiting.remove(job)
            return True
        return False

    def _pause_background(self, newcomer: _Job) -> None:
        running = self._running
        if running is not None and running.request.background and not newcomer.request.background:
            running.paused = True
            running.cancel.set()

    @Slot()
    def _deliver(self) -> None:
        """Emit what has arrived, for a short while; the rest at the event loop's next turn."""
        until = time.monotonic() + TURN_S
        self._next_turn.start()  # also for the event loop of a dialog that a receiver opens
        while time.monotonic() < until:
            with self._guard:
                if not self._deliveries:
                    self._next_turn.stop()
                    return
                job, event = self._deliveries.popleft()
            if not job.superseded:
                self._emit(job, event)

    def _emit(self, job: _Job, event: EngineEvent | _Finished) -> None:
        request = job.request
        match event:
            case Result():
                self.result_arrived.emit(request, event)
            case TokenWritten():
                self.token_written.emit(request, event)
            case Progress():
                self.progressed.emit(request, event)
            case Placement():
                self.placed.emit(event)
            case Notice(text):
                self.noticed.emit(request, text)
            case Failure(text):
                self.failed.emit(request, text)
            case _Finished():
                self._finish(job)

    def _finish(self, job: _Job) -> None:
        if self._slots.get(job.request.slot) is job:
            del self._slots[job.request.slot]
        self.finished.emit(job.request)
        self._tell_busy()

    def _tell_busy(self) -> None:
        busy = self.busy
        if busy != self._said_busy and not self._closing:
            self._said_busy = busy
            self.busy_changed.emit(busy)

    # -- on the worker's thread ---------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            self._run(job)
            if not self._taken_up_again(job):
                self._hand_over(job, _Finished())

    def _next_job(self) -> _Job | None:
        """Wait for a job, background ones last; None once the worker closes."""
        with self._guard:
            self._guard.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            job = min(self._waiting, key=lambda waiting: waiting.request.background)
            self._waiting.remove(job)
            self._running = job
            if job.paused:
                job.paused = False
                job.cancel.clear()
            return job

    def _taken_up_again(self, job: _Job) -> bool:
        """Let a job that gave way wait for its next run; return whether it did."""
        with self._guard:
            self._running = None
            again = job.paused and not (job.stopped or job.superseded or job.done)
            if again:
                self._waiting.insert(0, job)
            return again

    def _run(self, job: _Job) -> None:
        """Hand over every event of one run; a bug in the engine becomes a failure."""
        try:
            for event in self._engine.run(job.request, job.cancel):
                job.done |= isinstance(event, Failure)
                self._hand_over(job, event)
                if job.superseded or self._closing:
                    break
        except Exception as problem:
            log.exception("the engine raised")
            job.done = True
            text = " ".join(f"{type(problem).__name__}: {problem}".split())
            self._hand_over(job, Failure(f"The engine failed: {text[:300]}"))
        job.done |= not job.cancel.is_set()

    def _hand_over(self, job: _Job, event: EngineEvent | _Finished) -> None:
        """Queue something for the GUI thread, and wake it for the first."""
        with self._guard:
            if self._closing:
                return
            first = not self._deliveries
            self._deliveries.append((job, event))
        if first:
            self._arrived.emit()
