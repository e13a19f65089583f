"""ProcessEngine: an engine in a supervised child process, which may die without harm.

The child is a fresh interpreter (never a fork) that inherits one end of a socket pair and
standard error, and nothing else. It is not started with `multiprocessing`, whose resource
tracker is one more process to outlive a kill, whose children import the parent's main module
again, and whose locks stay taken when a child is killed.
"""

import io
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, get_args

from pythia_gui.core.engine import Cancel, Engine
from pythia_gui.core.events import EngineEvent, Failure, Progress
from pythia_gui.core.requests import Request
from pythia_gui.engine.child import HEADER, framed

LOCAL_ENGINE = "pythia_gui.engine.local:LocalEngine"
PATIENCE_S = 1.0  # for an answer to a cancel
START_PATIENCE_S = 60.0  # torch can take that long to load from a cold, slow disk
CLOSING_S = 0.4
TICK_S = 0.02
SILENT_START_S = 0.3
BLOCK_BYTES = 1 << 18

_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from pythia_gui.engine.child import serve; "
    "serve(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])"
)
_NUMPY = frozenset({"_reconstruct", "_frombuffer", "dtype", "ndarray", "scalar"})
_EVENTS = get_args(EngineEvent)
_ADVICE = "run again to restart it."


class Died(Exception):
    """The child is gone, or speaks nonsense; the text is one sentence that says how."""


class _EventUnpickler(pickle.Unpickler):
    """Reads events: plain values of `core` and numpy's arrays, and nothing that could act."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as pickle has it
        package = module.partition(".")[0]
        if module.startswith("pythia_gui.core.") or (package == "numpy" and name in _NUMPY):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an event")


class _Child:
    """One child process and the pipe to it; for one thread at a time, except for `kill`."""

    def __init__(self, factory: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _spawn(factory, theirs.fileno())
            except BaseException:
                ours.close()
                raise
        self._pipe = ours
        self._pipe.settimeout(TICK_S)
        self._unread = bytearray()
        self.ready = False
        self._born = time.monotonic()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def age_s(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._born

    @property
    def starting(self) -> bool:
        """Whether it is not ready yet, and may be given more time."""
        return not self.ready and self.age_s < START_PATIENCE_S

    def send(self, message: tuple[Any, ...], cancel: Cancel) -> None:
        """Send a message, unless the person loses interest while the child does not read.

        Raises:
            Died: it can't be sent, or not whole.
        """
        rest = memoryview(framed(message))
        while rest:
            try:
                rest = rest[self._pipe.send(rest) :]
            except TimeoutError:
                if cancel.is_set():
                    raise Died(self.obituary()) from None
            except OSError:
                raise Died(self.obituary()) from None

    def receive(self) -> tuple[Any, ...] | None:
        """Return the next message, or None if none is complete within a tick.

        Raises:
            Died: the child is gone, or what it sent is no message.
        """
        message = self._complete()
        if message is not None:
            return message
        try:
            block = self._pipe.recv(BLOCK_BYTES)
        except TimeoutError:
            if self.alive:
                return None
            block = b""
        except OSError:
            block = b""
        if not block:
            raise Died(self.obituary())
        self._unread += block
        return self._complete()

    def _complete(self) -> tuple[Any, ...] | None:
        if len(self._unread) < HEADER.size:
            return None
        (length,) = HEADER.unpack_from(self._unread)
        end = HEADER.size + length
        if len(self._unread) < end:
            return None
        data = bytes(self._unread[HEADER.size : end])
        del self._unread[:end]
        try:
            message = _EventUnpickler(io.BytesIO(data)).load()
        except Exception as problem:  # damaged pickles raise all there is
            raise Died(f"The engine sent something unreadable; {_ADVICE}") from problem
        if not isinstance(message, tuple):
            raise Died(f"The engine sent something unreadable; {_ADVICE}")
        return message

    def obituary(self) -> str:
        """Return how the child died, in one sentence, once its end has come."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_S)
        return _how_it_died(self._process.returncode)

    def kill(self) -> None:
        """End the process; any thread may ask for it."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSING_S)

    def discard(self) -> None:
        """End the process and close the pipe."""
        self.kill()
        self._pipe.close()


def _spawn(factory: str, pipe_fd: int) -> "subprocess.Popen[bytes]":
    arguments = (json.dumps(sys.path), str(pipe_fd), str(os.getpid()), factory)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _BOOTSTRAP, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=_standard_error(),  # standard output is the command line's JSON
        pass_fds=(pipe_fd,),
        start_new_session=True,  # Ctrl-C in the terminal is the parent's
    )


def _standard_error() -> int:
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


def _how_it_died(returncode: int | None) -> str:
    if returncode is None:
        return f"The engine stopped answering; {_ADVICE}"
    if returncode == -signal.SIGKILL:
        return f"The engine was killed (SIGKILL), perhaps because memory ran out; {_ADVICE}"
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        return f"The engine crashed ({name}); {_ADVICE}"
    return f"The engine ended by itself (exit code {returncode}); {_ADVICE}"


class ProcessEngine:
    """Runs the engine that `make` makes in a child process.

    `make` is "module:attribute" of something that returns an engine without arguments, or such
    a thing itself if it can be imported under its name. Runs come from one thread at a time;
    `start`, `close` and `child_pid` may be used from any. Where the child dies, the run ends
    with a `Failure`, and the next one starts another child.
    """

    def __init__(self, make: str | Callable[[], Engine] = LOCAL_ENGINE) -> None:
        self._factory = make if isinstance(make, str) else f"{make.__module__}:{make.__qualname__}"
        self._lock = threading.Lock()  # guards the child's coming and going
        self._running = threading.Lock()
        self._child: _Child | None = None
        self._closed = False
        self._number = 0  # of the last run begun
        self._ended = 0  # of the last run that the child has ended

    @property
    def child_pid(self) -> int | None:
        """The process id of the child, if there is one."""
        with self._lock:
            return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Start the child now, so that the first request need not wait for it; don't wait.

        On Linux the child dies with the thread that started it: call this from one that lasts.
        """
        with suppress(OSError):
            self._living_child()

    def close(self) -> None:
        """End the child; a run that is under way just ends. It may be called twice."""
        with self._lock:
            self._closed = True
            child = self._child
        if child is None:
            return
        child.kill()
        if self._running.acquire(timeout=CLOSING_S):  # else the run closes the pipe
            self._drop(child)
            self._running.release()

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        """Yield what the child's engine says; see `pythia_gui.core.engine.Engine`."""
        while not self._running.acquire(timeout=TICK_S):  # an older run has not let go yet
            if cancel.is_set():
                return
        try:
            yield from self._attempts(request, cancel)
        except OSError as problem:
            yield Failure(f"The engine can't be started: {problem.strerror or problem}.")
        finally:
            self._running.release()

    # -- the child's life ---------------------------------------------------------------------

    def _living_child(self) -> _Child | None:
        """Return the child, a new one if the last has died; None once the engine is closed."""
        with self._lock:
            if self._child is not None and not self._child.alive:
                self._child.discard()
                self._child = None
            if self._child is None and not self._closed:
                self._child = _Child(self._factory)
            return self._child

    def _drop(self, child: _Child) -> None:
        with self._lock:
            child.discard()
            if self._child is child:
                self._child = None

    # -- one run ------------------------------------------------------------------------------

    def _attempts(self, request: Request, cancel: Cancel) -> Generator[EngineEvent, None, None]:
        """Run the request; again, if an idle child died before it could say a word of it."""
        for last in (False, True):
            child = self._living_child()
            if child is None:
                yield Failure("The engine is closed.")
                return
            idle = child.ready and not last
            death = yield from self._supervised(child, request, cancel, silently=idle)
            if not death:
                return

    def _supervised(
        self, child: _Child, request: Request, cancel: Cancel, *, silently: bool
    ) -> Generator[EngineEvent, None, bool]:
        """Yield the run's events; return whether the child died without a word, `silently`."""
        self._number += 1
        number, spoke, died = self._number, False, False
        try:
            child.send(("run", number, request), cancel)
            for event in self._events(child, number, cancel):
                spoke = True
                yield event
        except Died as death:
            died = True
            self._drop(child)
            if self._closed or cancel.is_set():
                return False
            if silently and not spoke:
                return True
            yield Failure(str(death))
        finally:
            if not died and self._ended != number:
                self._settle(child, number)
        return False

    def _events(self, child: _Child, number: int, cancel: Cancel) -> Iterator[EngineEvent]:
        """Yield the run's events until its end or a cancel."""
        told = False
        while not cancel.is_set():
            match child.receive():
                case None:
                    if not told and not child.ready and child.age_s > SILENT_START_S:
                        told = True
                        yield Progress("Starting the engine", 0.0)
                case ("event", int(of), event) if of == number and isinstance(event, _EVENTS):
                    yield event
                case message:
                    if _ends(child, message, number):
                        self._ended = number
                        return

    def _settle(self, child: _Child, number: int) -> None:
        """Cancel a run and wait for its end; replace a child that does not answer.

        One that is still starting can't answer, and would never be ready if every cancel
        replaced it: only one that takes far too long is.
        """
        deadline = time.monotonic() + PATIENCE_S
        try:
            child.send(("cancel", number), _Deadline(deadline))
            while time.monotonic() < deadline:
                message = child.receive()
                if message is None and child.starting:
                    return  # it will find the run cancelled, and its words are dropped by number
                if message is not None and _ends(child, message, number):
                    return
        except Died:
            pass
        self._drop(child)
        if not self._closed:
            self.start()


class _Deadline:
    """A cancel that comes by itself at a time of the monotonic clock."""

    def __init__(self, at: float) -> None:
        self._at = at

    def is_set(self) -> bool:
        """Whether the time has come."""
        return time.monotonic() >= self._at


def _ends(child: _Child, message: tuple[Any, ...], number: int) -> bool:
    """Return whether `message` ends the run; take note of the others.

    Raises:
        Died: the child's engine broke, or the message is none that a child sends.
    """
    match message:
        case ("ready",):
            child.ready = True
        case ("end", int(of)):
            return of == number
        case ("broken", str(sentence)):
            what = "failed" if child.ready else "can't start"
            raise Died(f"The engine {what}: {sentence}; {_ADVICE}")
        case ("event", int(), event) if isinstance(event, _EVENTS):
            pass  # of a run that nobody waits for any longer
        case _:
            raise Died(f"The engine sent something unreadable; {_ADVICE}")
    return False
