import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pythia_gui.core.events import Failure, Notice, Placement, Progress, Result
from pythia_gui.core.requests import Continue
from pythia_gui.engine.process import ProcessEngine
from tests.engine.real import real_request
from tests.fakes import CPU, FakeEngine, asking

CHILDREN = "tests.engine.children"
KILLED = "The engine was killed (SIGKILL), perhaps because memory ran out; run again to restart it."
SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)


@contextmanager
def engine_of(name, module=CHILDREN):
    engine = ProcessEngine(f"{module}:{name}")
    try:
        yield engine
    finally:
        engine.close()


def run(engine, *steps, cancel=None, **changes):
    return list(engine.run(asking(*steps, **changes), cancel or threading.Event()))


def steps_of(events):
    return [event.checkpoint.step for event in events if isinstance(event, Result)]


def gone(pid, within_s=5.0):
    """Wait until a process, not necessarily a child, is gone; return whether it is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within_s)[0])
    finally:
        os.close(handle)


def pid_of(engine):
    """Return the process id of the engine's child."""
    pid = engine.child_pid
    assert pid is not None
    return pid


def works(engine):
    events = run(engine, 0, 1)
    return steps_of(events) == [0, 1] and not any(isinstance(e, Failure) for e in events)


def timed(call):
    start = time.monotonic()
    call()
    return time.monotonic() - start


# -- a run -----------------------------------------------------------------------------------


def test_it_says_what_the_engine_in_the_child_says():
    with engine_of("FakeEngine", "tests.fakes") as engine:
        events = run(engine, 0, 512, score=True)
    assert CPU in events
    assert steps_of(events) == [0, 512]
    fresh = list(FakeEngine().run(asking(0, 512, score=True), threading.Event()))
    assert repr(events[-1]) == repr(fresh[-1])


def test_a_class_names_itself():
    engine = ProcessEngine(FakeEngine)
    try:
        assert works(engine)
    finally:
        engine.close()


def test_starting_does_not_wait_and_the_first_run_finds_it():
    with engine_of("FakeEngine", "tests.fakes") as engine:
        assert timed(engine.start) < 0.2
        started = engine.child_pid
        assert works(engine)
        assert engine.child_pid == started


def test_one_child_answers_many_requests():
    with engine_of("FakeEngine", "tests.fakes") as engine:
        assert works(engine)
        pid = engine.child_pid
        assert all(works(engine) for _ in range(20))
        assert engine.child_pid == pid


def test_a_child_that_starts_slowly_is_said_to():
    cancel = threading.Event()
    with engine_of("NeverMade") as engine:
        events = engine.run(asking(0), cancel)
        assert next(events) == Progress("Starting the engine", 0.0)
        cancel.set()
        assert list(events) == []


# -- death -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (10, KILLED),
        (11, "The engine crashed (SIGSEGV); run again to restart it."),
        (12, "The engine crashed (SIGABRT); run again to restart it."),
        (13, "The engine ended by itself (exit code 3); run again to restart it."),
        (14, "The engine ended by itself (exit code 4); run again to restart it."),
        (15, "The engine failed: ValueError: two lines; run again to restart it."),
        (16, "The engine failed: MemoryError; run again to restart it."),
    ],
)
def test_a_death_is_one_failure_that_says_how_and_the_next_run_works(step, sentence):
    with engine_of("Dying") as engine:
        events = run(engine, 0, step, 1)
        assert steps_of(events) == [0]
        assert [e for e in events if isinstance(e, Failure)] == [Failure(sentence)]
        assert events[-1] == Failure(sentence)
        assert works(engine)


def test_an_engine_that_cannot_be_made_says_why_each_time():
    with engine_of("Unmade") as engine:
        for _ in range(2):
            (failure,) = [e for e in run(engine, 0) if isinstance(e, Failure)]
            assert failure.text == (
                "The engine can't start: RuntimeError: no driver; run again to restart it."
            )


def test_an_engine_that_is_not_there_says_so():
    with engine_of("Nobody", "tests.nowhere") as engine:
        assert "No module named 'tests.nowhere'" in run(engine, 0)[-1].text


@pytest.mark.parametrize("step", [10, 11, 12, 13])
def test_what_is_no_event_ends_the_run_and_runs_nothing(step):
    with engine_of("Nonsense") as engine:
        events = run(engine, 0, step, 1)
        assert events[-1] == Failure(
            "The engine sent something unreadable; run again to restart it."
        )
        assert [e for e in run(engine, 0) if isinstance(e, Notice)] == [Notice("sense")]


def test_a_death_while_starting_is_a_failure():
    with engine_of("NeverMade") as engine:
        events = engine.run(asking(0), threading.Event())
        next(events)
        os.kill(engine.child_pid, signal.SIGKILL)
        assert "SIGKILL" in list(events)[-1].text


def test_a_death_between_runs_is_nobodys_failure():
    with engine_of("FakeEngine", "tests.fakes") as engine:
        assert works(engine)
        pid = engine.child_pid
        os.kill(pid, signal.SIGKILL)
        assert gone(pid)
        assert works(engine)
        assert engine.child_pid != pid


def test_a_death_in_the_middle_of_a_message_is_a_failure():
    with engine_of("Big") as engine:
        events = engine.run(asking(0, 10, 1), threading.Event())
        assert any(event == Notice("big from here") for event in events)
        os.kill(engine.child_pid, signal.SIGKILL)  # the pipe holds far less than the message
        (failure,) = list(events)
        assert "SIGKILL" in failure.text
        assert works(engine)


def test_big_messages_arrive_whole():
    with engine_of("Big") as engine:
        sizes = [len(e.text) for e in run(engine, 10) if isinstance(e, Notice)]
    assert sizes == [13, 64 << 20]


def test_a_killed_child_is_noticed_at_once():
    spent = []
    with engine_of("Patient") as engine:
        for _ in range(5):
            events = engine.run(asking(10), threading.Event())
            while not isinstance(next(events), Placement):
                pass
            start = time.monotonic()
            os.kill(engine.child_pid, signal.SIGKILL)
            assert isinstance(next(events), Failure)
            spent.append(time.monotonic() - start)
            assert list(events) == []
    assert max(spent) < 0.5


def survives(kills, seed):
    """Kill a talking child at random moments, its start included; ask it again after each."""
    dice = random.Random(seed)
    with engine_of("Talking") as talking, engine_of("FakeEngine", "tests.fakes") as engine:
        del engine
        for number in range(kills):
            sent = SIGNALS[number % 3]
            timer = threading.Timer(dice.uniform(0, 0.6), kill_child, (talking, sent))
            timer.start()
            events = run(talking, 0)
            timer.join()
            failures = [e for e in events if isinstance(e, Failure)]
            assert len(failures) == 1
            assert events[-1] is failures[0]
            assert sent.name in failures[0].text


def kill_child(engine, sent):
    """Send a signal to the child as soon as there is one."""
    deadline = time.monotonic() + 5
    while (pid := engine.child_pid) is None and time.monotonic() < deadline:
        pass
    os.kill(pid, sent)


def test_it_survives_kills_at_random_moments():
    survives(6, seed=2)


@pytest.mark.soak
def test_it_survives_fifty_kills_at_random_moments():
    survives(50, seed=3)


def test_the_real_engine_survives_a_kill(random_checkpoints):
    """Kill it in the midst of a sweep; the next sweep is whole."""
    request = replace(real_request(random_checkpoints), continuation=Continue(20))
    engine = ProcessEngine()
    events = engine.run(request, threading.Event())
    assert any(isinstance(event, Result) for event in events)
    os.kill(pid_of(engine), signal.SIGKILL)
    (failure,) = list(events)[-1:]
    assert failure == Failure(KILLED)
    assert steps_of(engine.run(request, threading.Event())) == [0, 0, 1, 1, 512, 512]
    engine.close()


# -- cancel ----------------------------------------------------------------------------------


def test_a_cancel_is_cooperative_first():
    cancel = threading.Event()
    with engine_of("Patient") as engine:
        events = engine.run(asking(10), cancel)
        while not isinstance(next(events), Placement):
            pass
        pid = engine.child_pid
        cancel.set()
        assert timed(lambda: list(events)) < 0.2
        assert works(engine)
        assert engine.child_pid == pid


def test_a_cancel_before_the_start_ends_the_run():
    cancel = threading.Event()
    cancel.set()
    with engine_of("FakeEngine", "tests.fakes") as engine:
        assert steps_of(run(engine, 0, 1, cancel=cancel)) == []
        assert works(engine)


@pytest.fixture
def deaf(tmp_path, monkeypatch):
    """A FIFO whose reading returns once an engine in a child has become deaf."""
    os.mkfifo(tmp_path / "deaf")
    monkeypatch.setenv("PYTHIA_TEST_DEAF", str(tmp_path / "deaf"))
    return tmp_path / "deaf"


@pytest.mark.parametrize("name", ["Deaf", "Hogging"])
def test_an_engine_that_never_looks_at_cancel_is_replaced(name, deaf):
    cancel = threading.Event()
    spent = []
    with engine_of(name) as engine:
        thread = threading.Thread(target=lambda: run(engine, 10, cancel=cancel))
        thread.start()
        assert deaf.read_text() == "deaf"
        pid = engine.child_pid
        cancel.set()
        spent.append(timed(thread.join))
        assert gone(pid)
        assert works(engine)
        assert engine.child_pid != pid
    assert 0.9 < spent[0] < 1.3


def test_a_cancel_while_the_child_starts_lets_it_start(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "go")
    monkeypatch.setenv("PYTHIA_TEST_GO", str(tmp_path / "go"))
    with engine_of("SlowlyMade") as engine:
        engine.start()
        pid = engine.child_pid
        for _ in range(3):
            cancel = threading.Event()
            events = engine.run(asking(0), cancel)
            next(events)
            cancel.set()
            assert timed(lambda events=events: list(events)) < 0.2
        (tmp_path / "go").write_text("go")
        assert works(engine)
        assert engine.child_pid == pid


def test_a_stopped_child_is_replaced_even_in_the_middle_of_a_message():
    cancel = threading.Event()
    with engine_of("Big") as engine:
        events = engine.run(asking(10), cancel)
        assert any(event == Notice("big from here") for event in events)
        os.kill(engine.child_pid, signal.SIGSTOP)
        cancel.set()
        assert timed(lambda: list(events)) < 1.4
        assert works(engine)


def test_a_run_that_is_left_early_does_not_disturb_the_next():
    with engine_of("Talking") as talking:
        for _ in range(5):
            events = talking.run(asking(0), threading.Event())
            assert any(isinstance(event, Notice) for event in events)
            events.close()
        pid = talking.child_pid
        events = talking.run(asking(0), threading.Event())
        assert isinstance(next(events), Placement)
        events.close()
        assert talking.child_pid == pid


# -- the end ---------------------------------------------------------------------------------


def test_closing_leaves_no_process_and_can_be_repeated():
    engine = ProcessEngine(f"{CHILDREN}:FakeEngine")
    assert works(engine)
    pid = engine.child_pid
    assert timed(engine.close) < 0.5
    engine.close()
    assert gone(pid, 0)
    assert engine.child_pid is None
    assert run(engine, 0) == [Failure("The engine is closed.")]


def test_closing_before_anything_was_asked():
    engine = ProcessEngine(f"{CHILDREN}:FakeEngine")
    engine.close()


def closes_during_a_run(engine, begun):
    """Close an engine while it runs, once `begun` returns; its process must be gone."""
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(engine.run(asking(10), threading.Event())))
    thread.start()
    begun()
    pid = engine.child_pid
    assert timed(engine.close) < 1
    thread.join(5)
    assert not thread.is_alive()
    assert gone(pid, 0)
    assert not any(isinstance(event, Failure) for event in seen)


@pytest.mark.parametrize("name", ["Deaf", "Hogging"])
def test_closing_during_a_run_ends_it_at_once(name, deaf):
    closes_during_a_run(ProcessEngine(f"{CHILDREN}:{name}"), deaf.read_text)


@pytest.mark.parametrize("name", ["Talking", "NeverMade"])
def test_closing_during_a_start_ends_it_at_once(name):
    engine = ProcessEngine(f"{CHILDREN}:{name}")
    engine.start()
    closes_during_a_run(engine, lambda: None)


PARENT = """
import sys, threading
from pythia_gui.engine.process import ProcessEngine
from tests.fakes import asking
engine = ProcessEngine(sys.argv[1])
engine.start()
print(engine.child_pid, flush=True)
for event in engine.run(asking(10), threading.Event()):
    print(type(event).__name__, flush=True)
"""


def parent_of(name):
    command = [sys.executable, "-c", PARENT, f"{CHILDREN}:{name}"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_goes_with_its_parent(how):
    parent = parent_of("Talking")
    pid = int(parent.stdout.readline())
    assert "Notice\n" in iter(parent.stdout.readline, "")
    parent.send_signal(how)
    parent.communicate()
    assert gone(pid)


def test_a_child_that_never_lets_go_goes_with_its_parent(deaf):
    parent = parent_of("Hogging")
    pid = int(parent.stdout.readline())
    assert deaf.read_text() == "deaf"
    parent.kill()
    parent.communicate()
    assert gone(pid)


def test_a_ctrl_c_is_not_the_childs():
    with engine_of("Patient") as engine:
        cancel = threading.Event()
        events = engine.run(asking(10), cancel)
        while not isinstance(next(events), Placement):
            pass
        pid = engine.child_pid
        assert os.getsid(pid) != os.getsid(0)
        os.kill(pid, signal.SIGINT)
        cancel.set()
        assert list(events) == []
        assert works(engine)
        assert engine.child_pid == pid


# -- what it shares with the child -----------------------------------------------------------


def test_the_child_inherits_nothing_but_its_pipe_and_standard_error():
    with socket.create_server(("127.0.0.1", 0)) as server, engine_of("Curious") as engine:
        server.set_inheritable(True)
        (notice,) = [e for e in run(engine, 0) if isinstance(e, Notice)]
    links = dict(pair.split("=", 1) for pair in notice.text.splitlines())
    assert links.pop("0") == "/dev/null"
    assert links.pop("1") == links.pop("2")
    assert [link.split(":")[0] for link in links.values()] == ["socket"]


STANDARD_OUTPUT = """
import sys, threading
from pythia_gui.engine.process import ProcessEngine
from tests.fakes import asking
engine = ProcessEngine("tests.engine.children:Chatty")
list(engine.run(asking(0), threading.Event()))
engine.close()
heavy = {"torch", "transformers", "multiprocessing"} & {n.partition(".")[0] for n in sys.modules}
assert not heavy, heavy
print("{}")
"""


def test_what_the_child_prints_is_kept_out_of_standard_output_and_no_torch_is_loaded():
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", STANDARD_OUTPUT]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout == "{}\n", run.stderr
    assert run.stderr.splitlines() == ["chatter", "raw chatter"]


def test_a_child_outlives_the_thread_that_asked_or_is_made_anew():
    with engine_of("FakeEngine", "tests.fakes") as engine:
        thread = threading.Thread(target=works, args=(engine,))
        thread.start()
        thread.join()
        assert works(engine)
