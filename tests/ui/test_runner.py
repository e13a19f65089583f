"""What a view asks for: counted once, stopped at will, never mixed with what came before."""

import time
from dataclasses import replace

import pytest

from pythia_gui.core.events import Result
from pythia_gui.ui.runner import MISSING, STOPPED, Runner
from tests.fakes import asking, checkpoint, prompt

SLOT = "view"


def ask(*steps, **changes):
    return asking(*steps, slot=SLOT, background=True, **changes)


@pytest.fixture
def runner(worker):
    return Runner(worker, SLOT)


@pytest.fixture
def seen(runner):
    steps = []
    runner.result_arrived.connect(lambda result: steps.append(result.checkpoint.step))
    return steps


@pytest.fixture
def endings(runner):
    said: list[str] = []
    runner.ended.connect(said.append)
    return said


def test_requests_run_one_after_the_other_and_all_answers_are_counted(
    qtbot, runner, seen, endings, engine
):
    runner.start([ask(0, 1), ask(512)])
    assert runner.running
    assert (runner.done, runner.total) == (0, 3)
    qtbot.waitUntil(lambda: bool(endings))
    assert not runner.running
    assert (runner.done, runner.total) == (3, 3)
    assert seen == [0, 1, 512]
    assert endings == [""]
    assert engine.computed == [(0, 1), (512,)]


def test_a_prompt_or_checkpoint_named_twice_counts_once(qtbot, runner, endings):
    runner.start([ask(0, 0, 1, prompts=(prompt("a"), prompt("b"), prompt("a")))])
    assert runner.total == 4
    qtbot.waitUntil(lambda: bool(endings))
    assert runner.done == 4
    assert endings == [""]


def test_the_same_prompt_with_other_targets_is_another_question(qtbot, runner, endings):
    runner.start([ask(0, prompts=(prompt("a", "x"), prompt("a", "y")))])
    qtbot.waitUntil(lambda: bool(endings))
    assert (runner.done, runner.total) == (2, 2)


def test_the_same_answer_to_two_requests_counts_for_both(qtbot, runner, endings):
    runner.start([ask(0, 1), ask(0, 1, score=True)])
    qtbot.waitUntil(lambda: bool(endings))
    assert (runner.done, runner.total, endings) == (4, 4, [""])


def test_a_run_that_gives_way_to_a_text_and_goes_on_counts_nothing_twice(
    qtbot, runner, seen, *, endings, engine, worker
):
    engine.hold(2)
    runner.start([ask(0, 1, 2, 512)])
    qtbot.waitUntil(lambda: seen == [0, 1])
    worker.submit(asking(4_000, slot="text"))
    qtbot.waitUntil(lambda: (4_000,) in engine.computed)
    engine.release(2)
    qtbot.waitUntil(lambda: bool(endings))
    assert seen == [0, 1, 0, 1, 2, 512]
    assert (runner.done, runner.total, endings) == (4, 4, [""])


def test_stop_keeps_what_came_and_hears_no_more(qtbot, runner, seen, *, endings, engine, worker):
    engine.hold(1)
    runner.start([ask(0, 1), ask(512)])
    qtbot.waitUntil(lambda: seen == [0])
    runner.stop()
    assert not runner.running
    assert endings == [STOPPED]
    engine.release(1)
    qtbot.waitUntil(lambda: not worker.busy)
    assert seen == [0]
    assert (runner.done, runner.total) == (1, 3)
    assert engine.computed == [(0, 1)]
    runner.stop()
    assert endings == [STOPPED]


def test_answers_of_an_earlier_start_are_never_heard(qtbot, runner, seen, endings, engine):
    engine.hold(1)
    runner.start([ask(0, 1, 2)])
    qtbot.waitUntil(lambda: seen == [0])
    runner.start([ask(512, 1_000)])
    engine.release(1)
    qtbot.waitUntil(lambda: bool(endings))
    assert seen == [0, 512, 1_000]
    assert (runner.done, runner.total) == (2, 2)


def test_the_same_request_can_be_started_again_at_once(qtbot, runner, endings):
    request = ask(0, 1)
    runner.start([request])
    runner.start([request])
    qtbot.waitUntil(lambda: bool(endings))
    assert (runner.done, runner.total, endings) == (2, 2, [""])


def test_an_answer_with_an_error_has_come(qtbot, runner, endings, engine):
    engine.broken[1] = "step 1 is damaged"
    errors = []
    runner.result_arrived.connect(lambda result: errors.append(result.error))
    runner.start([ask(0, 1)])
    qtbot.waitUntil(lambda: bool(endings))
    assert errors == [None, "step 1 is damaged"]
    assert (runner.done, endings) == (2, [""])


def test_a_failure_ends_the_run_with_its_reason(qtbot, runner, endings, engine):
    engine.raising[1] = RuntimeError("out of luck")
    runner.start([ask(0, 1), ask(512)])
    qtbot.waitUntil(lambda: bool(endings))
    assert "out of luck" in endings[0]
    assert (runner.done, runner.total) == (1, 3)
    assert engine.computed == [(0, 1)]


def test_answers_that_do_not_come_are_missed(qtbot, runner, endings, engine):
    run = engine.run

    def forgetful(request, cancel):
        for event in run(request, cancel):
            if not (isinstance(event, Result) and event.checkpoint.step == 1):
                yield event

    engine.run = forgetful
    runner.start([ask(0, 1)])
    qtbot.waitUntil(lambda: bool(endings))
    assert endings == [MISSING]
    assert runner.done == 1


def test_a_reset_forgets_what_was_counted(qtbot, runner, endings):
    runner.start([ask(0, 1)])
    qtbot.waitUntil(lambda: bool(endings))
    runner.reset()
    assert (runner.done, runner.total, runner.running) == (0, 0, False)


def test_what_is_asked_of_other_slots_is_not_heard(qtbot, runner, seen, worker):
    with qtbot.waitSignal(worker.finished):
        worker.submit(asking(0, slot="text"))
    assert seen == []


def test_a_flood_of_answers_is_told_of_once_a_frame(qtbot, runner, endings):
    told = []
    runner.changed.connect(lambda: told.append(runner.done))
    prompts = tuple(prompt(f"prompt {number}") for number in range(1_000))
    began = time.monotonic()
    runner.start([ask(*range(4), prompts=prompts)])
    qtbot.waitUntil(lambda: bool(endings), timeout=30_000)
    frames = (time.monotonic() - began) / 0.033
    assert runner.done == 4_000
    assert told[-1] == 4_000
    assert len(told) <= frames + 3


def test_counting_an_answer_takes_next_to_nothing(runner):
    long = tuple(range(500))
    base = prompt("a", *"bcdefgh")
    prompts = [
        replace(base, text=str(n), token_ids=(n, *long), targets=base.targets) for n in range(100)
    ]
    request = ask(*range(10), prompts=tuple(prompts))
    runner._now = request
    from pythia_gui.ui.runner import _Owed

    runner._owed = _Owed(request)
    results = [
        Result(checkpoint(step), replace(one), "cpu", "cpu", "float32")
        for step in range(10)
        for one in prompts
    ]
    began = time.thread_time()
    for result in results:
        runner._on_result(request, result)
    took = time.thread_time() - began
    runner._frame.stop()
    assert runner.done == 1_000
    assert took < 0.15  # 30,000 answers in less than 5 s of the GUI thread's time, in all
