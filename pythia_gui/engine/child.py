"""The child's side of ProcessEngine: one engine, one pipe, and no life after the parent.

Frames on the pipe are a length (uint32, big-endian) and a pickle. To the child come
`("run", number, request)` and `("cancel", number)`; from it `("ready",)`, `("event", number,
event)`, `("end", number)` and `("broken", sentence)`, after which it exits.
"""

import ctypes
import faulthandler
import importlib
import logging
import os
import pickle
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

from pythia_gui.core.engine import Engine
from pythia_gui.core.requests import Request

PR_SET_PDEATHSIG = 1
BROKEN_EXIT = 70  # EX_SOFTWARE
OOM_SCORE = 500
HEADER = struct.Struct(">I")

log = logging.getLogger(__name__)


def framed(message: tuple[Any, ...]) -> bytes:
    """Return a message as it travels."""
    data = pickle.dumps(message, protocol=5)
    return HEADER.pack(len(data)) + data


class Orders:
    """What the parent wants, read by a thread of its own so that a cancel is always heard."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self.cancelled = 0
        self.runs: SimpleQueue[tuple[int, Request]] = SimpleQueue()
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def _read(self) -> None:
        """Sort what comes until the parent is gone; then so is this process."""
        with suppress(OSError), self._pipe.makefile("rb") as stream:
            while header := stream.read(HEADER.size):
                data = stream.read(*HEADER.unpack(header))
                match pickle.loads(data):  # noqa: S301 - the parent's, over a private pair
                    case "run", int(number), Request() as request:
                        self.runs.put((number, request))
                    case "cancel", int(number):
                        self.cancelled = max(self.cancelled, number)
        os._exit(0)


class RunCancel:
    """Whether the parent has cancelled a run; runs are numbered upwards."""

    def __init__(self, orders: Orders, number: int) -> None:
        self._orders = orders
        self._number = number

    def is_set(self) -> bool:
        """Whether to stop."""
        return self._orders.cancelled >= self._number


def serve(pipe_fd: int, parent: int, factory: str) -> None:
    """Make the engine that `factory` ("module:attribute") names, and run what is asked of it."""
    _depend_on(parent)
    pipe = socket.socket(fileno=pipe_fd)
    orders = Orders(pipe)
    try:
        engine = _made(factory)
        pipe.sendall(framed(("ready",)))
        while True:
            _run(engine, pipe, orders, *orders.runs.get())
    except ConnectionError:
        os._exit(0)  # nobody listens any longer
    except Exception as problem:  # noqa: BLE001 - a bug becomes a sentence; none crosses as itself
        _break(pipe, problem)


def _depend_on(parent: int) -> None:
    """Die with the parent, leave Ctrl-C to it, and be the first that a full memory takes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, ValueError, RuntimeError):  # there may be no standard error
        faulthandler.enable()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    if os.getppid() != parent:  # it died before it could be watched
        os._exit(0)


def _made(factory: str) -> Engine:
    module, _, attribute = factory.partition(":")
    made: Any = importlib.import_module(module)
    for name in attribute.split("."):
        made = getattr(made, name)
    return cast("Engine", made())


def _run(
    engine: Engine, pipe: socket.socket, orders: Orders, number: int, request: Request
) -> None:
    """Send every event of one run, then its end."""
    cancel = RunCancel(orders, number)
    for event in engine.run(request, cancel):
        pipe.sendall(framed(("event", number, event)))
        if cancel.is_set():
            break
    pipe.sendall(framed(("end", number)))


def _break(pipe: socket.socket, problem: Exception) -> None:
    """Say in words what went wrong and exit: after a bug nothing here can be relied on."""
    log.error("the engine failed", exc_info=problem)
    text = " ".join(str(problem).split())[:300]
    sentence = f"{type(problem).__name__}: {text}" if text else type(problem).__name__
    with suppress(OSError):
        pipe.sendall(framed(("broken", sentence)))
    logging.shutdown()
    os._exit(BROKEN_EXIT)
