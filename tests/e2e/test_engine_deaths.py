"""The real program's engine dies at random moments; the window stays, the next run is right.

The program runs under a real display; what its next run computed is read from its own store and
compared with an engine of our own.
"""

import os
import random
import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from pythia_gui.core.engine import Cancel
from pythia_gui.core.events import EngineEvent, Result
from pythia_gui.core.requests import Request
from pythia_gui.core.resources import resource_path
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.store.cached import CachedEngine
from pythia_gui.store.database import Database
from tests.e2e.desktop import Program, wait_until

DEATHS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
WORDS = ("cat", "red", "seven", "boat", "cow", "king", "cake", "town", "kite", "lamp")
STEPS = 154

pytestmark = pytest.mark.timeout(1800)


class Nothing:
    """An engine that has no answer: what is stored must do."""

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        return iter(())

    def close(self) -> None:
        pass


def sweep_of(prompt: str) -> Request:
    """Return the question that the window's trajectory asks."""
    library = LocalLibrary(resource_path("demo"))
    entry, _ = library.find("demo-s")
    return Request(
        slot="check",
        checkpoints=tuple(library.checkpoint(entry.key, step) for step in entry.steps),
        prompts=(library.encode(entry.key, prompt),),
    )


def stored(program: Program, request: Request) -> list[Result]:
    """Return what the program's store answers, in full or not at all."""
    database = Database(program.home / "data" / "pythia-gui" / "results.sqlite")
    try:
        events = CachedEngine(Nothing(), database).run(request, threading.Event())
        return [event for event in events if isinstance(event, Result)]
    finally:
        database.close()


def ask(program: Program, prompt: str) -> None:
    program.press("ctrl+l", "ctrl+a")
    program.type(prompt)
    program.press("ctrl+Return")


def kill_somewhere(program: Program, dice: random.Random, number: int) -> None:
    """Kill the engine once its run has brought a random share of its results."""
    enough = program.results() + dice.randint(0, STEPS)
    wait_until(lambda: program.results() >= enough, "a run to be well under way")
    for child in program.children():
        os.kill(child, DEATHS[number % len(DEATHS)])


def wait_for_whole_run(program: Program, request: Request, number: int) -> None:
    def whole() -> bool:
        return len(stored(program, request)) == STEPS

    try:
        wait_until(whole, f"the run after death {number}", every_s=0.25)
    except AssertionError:
        program.display.save(program.home / "screen.png")
        raise


def survives(program: Program, deaths: int, seed: int) -> None:
    """Assert the whole, `deaths` times: kill mid-run, run again, compare every number."""
    dice = random.Random(seed)
    program.wait_for_results(more_than=STEPS)
    ours = LocalEngine()
    for number in range(deaths):
        prompt = f"the {dice.choice(WORDS)} and the {dice.choice(WORDS)} {number}"
        request = sweep_of(prompt)
        ask(program, prompt)
        kill_somewhere(program, dice, number)
        assert program.process.poll() is None
        program.press("ctrl+Return")
        expected = [e for e in ours.run(request, threading.Event()) if isinstance(e, Result)]
        wait_for_whole_run(program, request, number)
        assert_equal(stored(program, request), expected)
    assert "demo-s" in program.title
    program.press("ctrl+q")
    assert program.process.wait(20) == 0


def assert_equal(found: list[Result], expected: list[Result]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.next_token is not None
        assert other.next_token is not None
        assert one.checkpoint.step == other.checkpoint.step
        np.testing.assert_array_equal(one.next_token.top.ids, other.next_token.top.ids)
        np.testing.assert_allclose(one.next_token.top.probs, other.next_token.top.probs, atol=1e-5)


def test_five_deaths_of_the_engine_cost_a_run_each_and_never_the_window(program):
    survives(program, 5, seed=5)


@pytest.mark.soak
def test_fifty_deaths_of_the_engine_cost_a_run_each_and_never_the_window(program):
    survives(program, 50, seed=50)
