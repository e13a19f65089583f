import gc
import logging
import os
import random
import threading
import time
import weakref
from dataclasses import replace
from itertools import pairwise

import pytest
from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, QTimer

from pythia_gui.core.events import Failure, Notice, Placement
from pythia_gui.core.requests import Continue, Request
from pythia_gui.engine.process import ProcessEngine
from pythia_gui.store.cached import CachedEngine
from pythia_gui.store.database import Database
from pythia_gui.worker import Worker
from tests.fakes import CPU, FakeEngine, asking, prompt

SIGNALS = (
    "progressed",
    "noticed",
    "token_written",
    "result_arrived",
    "failed",
    "finished",
    "busy_changed",
    "placed",
)


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def worker(qapp, engine):
    made = Worker(engine)
    yield made
    made.shutdown()


class Seen:
    """Everything that a worker says, in order."""

    def __init__(self, worker):
        self.all = []
        self.threads = set()
        for name in SIGNALS:
            getattr(worker, name).connect(self._listener(name))

    def _listener(self, name):
        def listen(*values):
            self.all.append((name, *values))
            self.threads.add(threading.get_ident())

        return listen

    def of(self, name):
        return [said[1:] for said in self.all if said[0] == name]

    @property
    def steps(self):
        return [result.checkpoint.step for _, result in self.of("result_arrived")]

    @property
    def finished(self):
        return [request.slot for (request,) in self.of("finished")]


@pytest.fixture
def seen(worker):
    return Seen(worker)


def idle(qtbot, worker):
    """Wait until nothing waits or runs."""
    qtbot.waitUntil(lambda: not worker.busy, timeout=10_000)


def run(qtbot, worker, *requests):
    for request in requests:
        worker.submit(request)
    idle(qtbot, worker)


def reached(qtbot, engine, step):
    qtbot.waitUntil(lambda: engine.reached(step).is_set(), timeout=5000)


# -- one request ------------------------------------------------------------------------------


def test_a_request_is_told_from_placement_to_end(qtbot, worker, seen):
    request = asking(0, 512, continuation=Continue(2))
    run(qtbot, worker, request)
    assert seen.of("placed") == [(CPU,)]
    assert seen.steps == [0, 512]
    assert len(seen.of("token_written")) == 4
    assert len(seen.of("progressed")) == 2
    assert all(said[1] is request for said in seen.all if said[0] not in ("busy_changed", "placed"))
    assert [said[0] for said in seen.all[-2:]] == ["finished", "busy_changed"]
    assert seen.of("busy_changed") == [(True,), (False,)]


def test_everything_is_said_on_the_gui_thread(qtbot, worker, seen):
    run(qtbot, worker, asking(0))
    assert seen.threads == {threading.get_ident()}


def test_nothing_is_said_before_the_caller_is_done(qtbot, worker, seen, engine):
    worker.submit(asking(0))
    assert engine.reached(0).wait(5)
    assert [said[0] for said in seen.all] == ["busy_changed"]
    idle(qtbot, worker)


class Raising(FakeEngine):
    """A fake with a bug."""

    def run(self, request, cancel):
        yield self.place
        secret = "in a frame"  # noqa: F841 - must not reach the log
        raise KeyError("a\nbug")


def test_a_bug_is_a_failure_and_a_log_entry_without_values(qtbot, qapp, caplog):
    worker = Worker(Raising())
    seen = Seen(worker)
    with caplog.at_level(logging.ERROR):
        run(qtbot, worker, asking(0))
        run(qtbot, worker, asking(1))
    worker.shutdown()
    assert [text for _, text in seen.of("failed")] == ["The engine failed: KeyError: 'a\\nbug'"] * 2
    assert seen.finished == ["text", "text"]
    assert "raise KeyError" in caplog.text
    assert "in a frame" not in caplog.text.replace('secret = "in a frame"', "")


class Refusing(FakeEngine):
    """A fake whose runs fail."""

    def run(self, request, cancel):
        yield Notice("a remark")
        yield Failure("The engine is out.")


def test_a_failure_is_told_and_then_the_end(qtbot, qapp):
    worker = Worker(Refusing())
    seen = Seen(worker)
    run(qtbot, worker, asking(0))
    worker.shutdown()
    names = [said[0] for said in seen.all]
    assert names == ["busy_changed", "noticed", "failed", "finished", "busy_changed"]


# -- slots ------------------------------------------------------------------------------------


def test_a_new_request_silences_the_old_one(qtbot, worker, engine, seen):
    engine.hold(512)
    worker.submit(asking(0, 512))
    reached(qtbot, engine, 512)
    qtbot.waitUntil(lambda: seen.steps == [0])
    worker.submit(new := asking(1000))
    engine.release(512)
    idle(qtbot, worker)
    assert seen.steps == [0, 1000]
    assert seen.of("finished") == [(new,)]


def test_what_an_old_request_had_ready_is_not_said_after_the_new_one_is_asked(
    qtbot, worker, engine, seen
):
    worker.submit(asking(0))
    assert engine.reached(0).wait(5)
    worker.submit(asking(1))
    idle(qtbot, worker)
    assert seen.steps == [1]
    assert seen.finished == ["text"]


def test_a_waiting_request_is_superseded_too(qtbot, worker, engine, seen):
    engine.hold(0)
    worker.submit(asking(0, slot="columns"))
    for step in (1, 2, 3):
        worker.submit(asking(step))
    engine.release(0)
    idle(qtbot, worker)
    assert seen.steps == [0, 3]
    assert engine.computed == [(0,), (3,)]
    assert seen.finished == ["columns", "text"]


def test_other_slots_wait_their_turn(qtbot, worker, seen):
    run(qtbot, worker, asking(0, slot="a"), asking(1, slot="b"), asking(2, slot="c"))
    assert seen.steps == [0, 1, 2]
    assert seen.finished == ["a", "b", "c"]


def test_many_requests_in_a_row_leave_the_last(qtbot, worker, seen, engine):
    for step in range(200):
        worker.submit(asking(step))
    idle(qtbot, worker)
    assert seen.steps[-1] == 199
    assert seen.finished == ["text"]
    assert seen.of("busy_changed") == [(True,), (False,)]


# -- cancel -----------------------------------------------------------------------------------


def test_a_stopped_request_is_finished(qtbot, worker, engine, seen):
    engine.hold(1)
    worker.submit(asking(0, 1, 2))
    reached(qtbot, engine, 1)
    worker.cancel("text")
    worker.cancel("text")
    idle(qtbot, worker)
    assert seen.steps == [0]
    assert seen.finished == ["text"]
    assert engine.open == 0


def test_a_waiting_request_can_be_stopped(qtbot, worker, engine, seen):
    engine.hold(0)
    worker.submit(asking(0, slot="a"))
    worker.submit(asking(1, slot="b"))
    worker.cancel("b")
    worker.cancel("b")
    qtbot.waitUntil(lambda: seen.finished == ["b"])
    engine.release(0)
    idle(qtbot, worker)
    assert seen.finished == ["b", "a"]
    assert engine.computed == [(0,)]


def test_stopping_all_finishes_all(qtbot, worker, engine, seen):
    engine.hold(0)
    for slot in "abc":
        worker.submit(asking(0, slot=slot))
    worker.cancel_all()
    idle(qtbot, worker)
    assert sorted(seen.finished) == ["a", "b", "c"]
    assert seen.of("busy_changed") == [(True,), (False,)]


def test_stopping_nothing_does_nothing(qtbot, worker, seen):
    worker.cancel("text")
    worker.cancel_all()
    assert seen.all == []


def test_a_new_request_after_a_stop_is_answered(qtbot, worker, engine, seen):
    engine.hold(0)
    worker.submit(asking(0))
    reached(qtbot, engine, 0)
    worker.cancel("text")
    worker.submit(asking(1))
    idle(qtbot, worker)
    assert seen.steps == [1]
    assert seen.finished == ["text"]


# -- background -------------------------------------------------------------------------------


def test_a_background_request_gives_way_and_goes_on(qtbot, worker, engine, seen):
    engine.hold(1)
    worker.submit(asking(0, 1, 2, slot="trajectory", background=True))
    reached(qtbot, engine, 1)
    worker.submit(asking(7))
    qtbot.waitUntil(lambda: 7 in seen.steps)
    engine.release(1)
    idle(qtbot, worker)
    assert seen.steps == [0, 7, 0, 1, 2]
    assert seen.finished == ["text", "trajectory"]
    assert seen.of("busy_changed") == [(True,), (False,)]


def test_a_background_request_waits_for_the_others(qtbot, worker, engine, seen):
    engine.hold(0)
    worker.submit(asking(0, slot="a"))
    worker.submit(asking(1, slot="sweep", background=True))
    worker.submit(asking(2, slot="b"))
    engine.release(0)
    idle(qtbot, worker)
    assert seen.steps == [0, 2, 1]


def test_a_background_request_does_not_interrupt_another(qtbot, worker, engine, seen):
    engine.hold(0)
    worker.submit(asking(0, slot="a", background=True))
    reached(qtbot, engine, 0)
    worker.submit(asking(1, slot="b", background=True))
    engine.release(0)
    idle(qtbot, worker)
    assert engine.computed == [(0,), (1,)]


def test_a_request_that_gave_way_can_be_stopped(qtbot, worker, engine, seen):
    engine.hold(1)
    engine.hold(7)
    worker.submit(asking(1, slot="sweep", background=True))
    reached(qtbot, engine, 1)
    worker.submit(asking(7))
    reached(qtbot, engine, 7)
    worker.cancel("sweep")
    qtbot.waitUntil(lambda: seen.finished == ["sweep"])
    engine.release(7)
    idle(qtbot, worker)
    assert seen.steps == [7]


def test_a_request_that_gave_way_can_be_superseded(qtbot, worker, engine, seen):
    engine.hold(1)
    engine.hold(7)
    worker.submit(asking(1, slot="sweep", background=True))
    reached(qtbot, engine, 1)
    worker.submit(asking(7))
    reached(qtbot, engine, 7)
    worker.submit(asking(2, slot="sweep", background=True))
    engine.release(7)
    idle(qtbot, worker)
    assert seen.steps == [7, 2]
    assert seen.finished == ["text", "sweep"]


def test_a_paused_sweep_asks_the_store_for_what_it_had(qtbot, qapp, tmp_path):
    inner = FakeEngine()
    with Database(tmp_path / "results.sqlite3") as database:
        worker = Worker(CachedEngine(inner, database))
        seen = Seen(worker)
        inner.hold(2)
        worker.submit(asking(0, 1, 2, 3, slot="sweep", background=True))
        reached(qtbot, inner, 2)
        worker.submit(asking(9))
        qtbot.waitUntil(lambda: 9 in seen.steps)
        inner.release(2)
        idle(qtbot, worker)
        worker.shutdown()
    assert inner.computed == [(0, 1, 2, 3), (9,), (2, 3)]
    assert seen.steps == [0, 1, 9, 0, 1, 2, 3]


def test_five_hundred_random_actions_never_show_an_old_answer(qtbot, qapp, tmp_path):
    """Ask, ask again, stop and wait at random; each answer is to the slot's latest question."""
    dice = random.Random(7)
    latest: dict[str, Request] = {}
    wrong = []
    with Database(tmp_path / "results.sqlite3") as database:
        worker = Worker(CachedEngine(ProcessEngine(FakeEngine), database))
        seen = Seen(worker)

        def check(request, answer):
            asked = {checkpoint.step for checkpoint in request.checkpoints}
            if latest[request.slot] is not request or answer.checkpoint.step not in asked:
                wrong.append((request, answer))

        worker.result_arrived.connect(check)
        worker.token_written.connect(check)
        worker.finished.connect(lambda request: check(request, Asked(request)))
        for _ in range(500):
            slot = dice.choice(["text", "columns", "trajectory"])
            match dice.choice(["ask", "ask", "ask", "stop", "stop all", "wait"]):
                case "ask":
                    latest[slot] = random_request(dice, slot)
                    worker.submit(latest[slot])
                case "stop":
                    worker.cancel(slot)
                case "stop all":
                    worker.cancel_all()
                case "wait":
                    before = len(seen.all)
                    qtbot.waitUntil(lambda n=before: len(seen.all) > n or not worker.busy)
        idle(qtbot, worker)
        worker.shutdown()
    assert wrong == []
    assert len(seen.steps) > 100
    assert seen.of("failed") == []
    ended = [request for (request,) in seen.of("finished")]
    assert len(ended) == len({id(request) for request in ended})
    assert {id(request) for request in latest.values()} <= {id(request) for request in ended}


class Asked:
    """Stands for an answer where only the question is looked at."""

    def __init__(self, request):
        self.checkpoint = request.checkpoints[0]


def random_request(dice, slot):
    steps = dice.sample(range(40), dice.randint(1, 12))
    written = Continue(dice.randint(1, 4)) if dice.random() < 0.5 else None
    return asking(*steps, slot=slot, continuation=written, background=slot == "trajectory")


# -- the event loop ---------------------------------------------------------------------------


class Flood(FakeEngine):
    """A fake that says more than a window can show."""

    def run(self, request, cancel):
        for number in range(20_000):
            yield Notice(str(number))


def test_a_flood_leaves_the_event_loop_its_turns(qtbot, qapp):
    worker = Worker(Flood())
    turns = []
    heartbeat = QTimer(interval=0)
    heartbeat.timeout.connect(lambda: turns.append(time.monotonic()))
    said = []
    worker.noticed.connect(lambda request, text: said.append(text))
    worker.noticed.connect(lambda request, text: sum(range(300)))
    heartbeat.start()
    run(qtbot, worker, asking(0))
    heartbeat.stop()
    worker.shutdown()
    away = max(b - a for a, b in pairwise(turns))
    assert said == [str(number) for number in range(20_000)]
    assert len(turns) > 5
    assert away < 0.2


def test_a_dialog_opened_by_a_receiver_does_not_stop_the_rest(qtbot, worker, seen):
    loop = QEventLoop()

    def open_dialog(request, result):
        if result.checkpoint.step == 0:
            worker.finished.connect(loop.quit)
            loop.exec()

    worker.result_arrived.connect(open_dialog)
    run(qtbot, worker, asking(0, 1, 2))
    assert seen.steps == [0, 1, 2]


def test_a_receiver_may_ask_at_once_for_more(qtbot, worker, seen):
    def ask_more(request):
        if request.checkpoints[0].step < 3:
            worker.submit(asking(request.checkpoints[0].step + 1))

    worker.finished.connect(ask_more)
    run(qtbot, worker, asking(0))
    assert seen.steps == [0, 1, 2, 3]
    assert seen.of("busy_changed") == [(True,), (False,)]


# -- the end ----------------------------------------------------------------------------------


def test_shutting_down_during_a_run_is_quick_and_silent(qtbot, qapp):
    engine = FakeEngine()
    worker = Worker(engine)
    seen = Seen(worker)
    engine.hold(0)
    worker.submit(asking(0))
    reached(qtbot, engine, 0)
    said = len(seen.all)
    start = time.monotonic()
    worker.shutdown()
    worker.shutdown()
    assert time.monotonic() - start < 1
    assert engine.closed
    assert engine.open == 0
    QCoreApplication.processEvents()
    worker.submit(asking(1))
    QCoreApplication.processEvents()
    assert len(seen.all) == said


def test_a_receiver_may_shut_the_worker_down(qtbot, qapp):
    worker = Worker(FakeEngine())
    seen = Seen(worker)
    worker.result_arrived.connect(lambda request, result: worker.shutdown())
    worker.submit(asking(0, 1, 2))
    qtbot.waitUntil(lambda: bool(seen.steps))
    QCoreApplication.processEvents()
    assert seen.steps == [0]


@pytest.mark.parametrize("name", ["Patient", "Hogging"])
def test_shutting_down_ends_a_child_that_does_not_listen(qtbot, qapp, name, tmp_path, monkeypatch):

    os.mkfifo(tmp_path / "deaf")
    monkeypatch.setenv("PYTHIA_TEST_DEAF", str(tmp_path / "deaf"))
    engine = ProcessEngine(f"tests.engine.children:{name}")
    worker = Worker(engine)
    placed: list[Placement] = []
    worker.placed.connect(placed.append)
    worker.submit(asking(10))
    qtbot.waitUntil(lambda: bool(placed), timeout=10_000)
    if name == "Hogging":
        (tmp_path / "deaf").read_text()
    pid = engine.child_pid
    assert pid is not None
    start = time.monotonic()
    worker.shutdown()
    assert time.monotonic() - start < 2
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_death_of_the_engine_is_a_failure_and_the_next_request_works(qtbot, qapp):
    worker = Worker(ProcessEngine("tests.engine.children:Dying"))
    seen = Seen(worker)
    run(qtbot, worker, asking(0, 10))
    run(qtbot, worker, asking(1))
    worker.shutdown()
    assert seen.steps == [0, 1]
    assert ["SIGKILL" in text for _, text in seen.of("failed")] == [True]
    assert isinstance(seen.of("placed")[0][0], Placement)


def test_requests_are_told_apart_by_identity(qtbot, worker, seen):
    """Equal requests in two slots each have their own events."""
    first, second = asking(0, slot="a"), replace(asking(0, slot="b"), prompts=(prompt(),))
    run(qtbot, worker, first, second)
    assert [request.slot for request, _ in seen.of("result_arrived")] == ["a", "b"]


class Litters(FakeEngine):
    """Makes so many objects on the worker's thread that Python would collect garbage there."""

    def run(self, request, cancel):
        self.kept = [[number] for number in range(50 * gc.get_threshold()[0])]
        yield from super().run(request, cancel)


def test_garbage_of_the_window_is_collected_on_the_gui_thread_alone(qapp, qtbot):
    worker = Worker(Litters())
    where = []
    garbage = QObject()
    garbage.__dict__["itself"] = garbage
    weakref.finalize(garbage, lambda: where.append(threading.get_ident()))
    del garbage
    try:
        with qtbot.waitSignal(worker.finished):
            worker.submit(asking(0))
        qtbot.waitUntil(lambda: bool(where), timeout=20_000)
    finally:
        worker.shutdown()
    assert where == [threading.get_ident()]


def test_python_collects_by_itself_again_when_the_last_worker_is_gone(qapp):
    one, other = Worker(FakeEngine()), Worker(FakeEngine())
    one.shutdown()
    assert not gc.isenabled()
    other.shutdown()
    assert gc.isenabled()
