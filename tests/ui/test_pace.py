"""What a run will cost is told from what others took."""

import math
import time

import pytest

from pythia_gui.core.requests import Continue, Request
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.pace import Pace, at_size, kind_of, size_of
from pythia_gui.worker import Worker
from tests.fakes import FakeEngine, asking, prompt


@pytest.fixture
def pace(worker):
    return Pace(worker)


def run(qtbot, worker, request):
    with qtbot.waitSignal(worker.finished, timeout=60_000):
        worker.submit(request)


def test_nothing_is_known_before_two_checkpoints_were_computed(qtbot, pace, worker):
    request = asking(0, 1, 2)
    assert pace.cost([request]).seconds is None
    run(qtbot, worker, asking(0))
    assert pace.cost([request]).seconds is None
    run(qtbot, worker, asking(0, 1))
    assert pace.cost([request]).seconds is not None


def test_answers_from_the_store_and_errors_say_nothing(qtbot, worker, pace, engine):
    engine.broken = {0: "broken", 1: "broken", 2: "broken"}
    run(qtbot, worker, asking(0, 1, 2))
    assert pace.cost([asking(0, 1, 2)]).seconds is None


def test_checkpoints_and_prompts_are_counted(pace):
    cost = pace.cost([asking(0, 1), asking(1, 2, prompts=(prompt("a"), prompt("b")))])
    assert (cost.checkpoints, cost.prompts) == (3, 2)
    assert cost.memory_bytes == 4 * asking(0).checkpoints[0].config.parameters


def test_a_small_run_of_unknown_length_begins_by_itself_and_a_large_one_waits(pace):
    few = asking(0, 1)
    many = asking(*range(30), prompts=tuple(prompt(str(n)) for n in range(1_000)))
    assert pace.cost([few]).short
    assert not pace.cost([many]).short


def test_reading_more_takes_longer_in_proportion_to_what_was_measured():
    known = {10: 1.0, 110: 2.0}
    assert at_size(known, 10) == 1.0
    assert at_size(known, 110) == 2.0
    assert math.isclose(at_size(known, 60), 1.5)
    assert math.isclose(at_size(known, 210), 3.0)
    assert at_size(known, 5) == 1.0


def test_one_measurement_is_taken_half_for_loading():
    assert at_size({10: 1.0}, 10) == 1.0
    assert math.isclose(at_size({10: 1.0}, 30), 2.0)


def test_a_longer_text_that_took_less_is_not_thought_to_make_time():
    assert at_size({10: 2.0, 20: 1.0}, 100) == 1.0


def test_writing_is_counted_apart_from_reading():
    read, write = asking(0), asking(0, continuation=Continue(40, samples=2))
    assert kind_of(read) != kind_of(write)
    assert size_of(write) > size_of(read) + 40


def test_targets_of_several_tokens_are_read_again():
    plain, long = asking(0, prompts=(prompt("ab", "x"),)), asking(0, prompts=(prompt("ab", "xyz"),))
    assert size_of(long) == size_of(plain) + 5


class Slow(FakeEngine):
    """Takes its time over every checkpoint."""

    def _wait(self, step, cancel):
        time.sleep(0.02)  # what is measured here is time
        super()._wait(step, cancel)


def test_the_pace_follows_the_engine(qtbot, qapp):
    worker = Worker(Slow())
    pace = Pace(worker)
    run(qtbot, worker, asking(*range(12)))
    seconds = pace.cost([asking(*range(100))]).seconds
    worker.shutdown()
    assert seconds is not None
    assert 2.0 <= seconds < 6.0


def test_the_estimate_is_near_what_the_demo_takes(qtbot, qapp, repository, tmp_path):
    library = LocalLibrary(repository / "resources" / "demo", cache=tmp_path)
    entry = library.models()[0]
    asked = library.encode(entry.key, "The capital of Poland is", [" Warsaw", " Rome"])
    at = tuple(library.checkpoint(entry.key, step) for step in sorted(entry.here)[::3])
    worker = Worker(LocalEngine())
    pace = Pace(worker)
    run(qtbot, worker, Request("view", at[:3], (asked,)))  # the engine is up
    run(qtbot, worker, Request("view", at[3:], (asked,)))
    foretold = pace.cost([Request("view", at, (asked,))]).seconds
    began = time.monotonic()
    run(qtbot, worker, Request("view", at, (asked,)))
    took = time.monotonic() - began
    worker.shutdown()
    assert foretold is not None
    assert foretold / 3 < took < foretold * 3
