"""Engines that misbehave, to be run in a child process; light to import."""

import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pythia_gui.core.engine import Cancel
from pythia_gui.core.events import EngineEvent, Notice, Result
from pythia_gui.core.requests import Request
from tests.fakes import FakeEngine

FOREVER = threading.Event()


class Talking(FakeEngine):
    """Talks until cancelled."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        yield self.place
        while not cancel.is_set():
            yield Notice("word " * 100)


class Patient(FakeEngine):
    """Waits for a cancel after the placement, and answers steps below 10 at once."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        if all(checkpoint.step < 10 for checkpoint in request.checkpoints):
            yield from super().run(request, cancel)
            return
        yield self.place
        while not cancel.is_set():
            FOREVER.wait(0.005)


class Deaf(FakeEngine):
    """Answers steps below 10; at others it waits for ever and never looks at cancel."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        yield from super().run(request, cancel)
        if any(checkpoint.step >= 10 for checkpoint in request.checkpoints):
            _say_deaf()
            FOREVER.wait()


class Hogging(FakeEngine):
    """Answers steps below 10; at others it never lets another thread run."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        yield from super().run(request, cancel)
        if any(checkpoint.step >= 10 for checkpoint in request.checkpoints):
            _say_deaf()
            re.match(r"(a+)+$", "a" * 60 + "b")


def _say_deaf() -> None:
    """Open a FIFO that the test waits on: from here on nothing is heard."""
    Path(os.environ["PYTHIA_TEST_DEAF"]).write_text("deaf")


class Big(FakeEngine):
    """Sends messages of 64 MB."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        for event in super().run(request, cancel):
            if isinstance(event, Result) and event.checkpoint.step >= 10:
                yield Notice("big from here")
                yield Notice("x" * (64 << 20))
            yield event


class Dying(FakeEngine):
    """Ends itself at certain steps, each in a way of its own."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        for event in super().run(request, cancel):
            if isinstance(event, Result):
                _die(event.checkpoint.step)
            yield event


def _die(step: int) -> None:
    match step:
        case 10:
            os.kill(os.getpid(), signal.SIGKILL)
        case 11:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 12:
            os.abort()
        case 13:
            os._exit(3)
        case 14:
            sys.exit(4)
        case 15:
            raise ValueError("two\nlines")
        case 16:
            raise MemoryError


class Nonsense(FakeEngine):
    """Sends what is no event."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[Any]:
        yield self.place
        for checkpoint in request.checkpoints:
            yield {10: "text", 11: os.getpid, 12: ValueError("x"), 13: np.float64(1)}.get(
                checkpoint.step, Notice("sense")
            )


class Unmade(FakeEngine):
    """Can't be made."""

    def __init__(self) -> None:
        raise RuntimeError("no driver")


class SlowlyMade(FakeEngine):
    """Is ready once somebody writes into a FIFO."""

    def __init__(self) -> None:
        Path(os.environ["PYTHIA_TEST_GO"]).read_text()
        super().__init__()


class NeverMade(FakeEngine):
    """Is never ready."""

    def __init__(self) -> None:
        FOREVER.wait()


class Chatty(FakeEngine):
    """Prints where it must not."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        print("chatter", flush=True)
        os.write(1, b"raw chatter\n")
        yield from super().run(request, cancel)


class Curious(FakeEngine):
    """Tells what it has inherited."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        yield self.place
        links = {fd.name: _link(fd) for fd in Path("/proc/self/fd").iterdir()}
        yield Notice("\n".join(f"{fd}={link}" for fd, link in links.items() if link))


def _link(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:
        return ""
