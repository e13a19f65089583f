"""The real program under a real display: typed at, dragged, closed and robbed of its engine."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.e2e.desktop import alive, wait_until

pytestmark = pytest.mark.timeout(300)

FROM_BOTTOM = 90  # the timeline's rail is this many pixels above the window's lower edge
START_CPU_S = 1.0
END_S = 2.0


def ask(program, prompt):
    """Type a prompt over the old one and run it."""
    program.press("ctrl+l", "ctrl+a")
    program.type(prompt)
    program.press("ctrl+Return")


def closes_well(program):
    """Press Ctrl+Q; assert that the program ends in time, without an error or a process left."""
    children = program.children()
    asked = time.monotonic()
    program.press("ctrl+q")
    assert program.process.wait(20) == 0
    took = time.monotonic() - asked
    assert alive(children) == set()
    return took


def test_the_window_is_up_within_a_second_of_work_and_answers_by_itself(program):
    assert program.processor_s() < START_CPU_S
    assert program.wait_for_results(more_than=100) > 150
    assert "step 143,000" in program.title
    assert closes_well(program) < END_S


def test_a_typed_prompt_is_run_and_the_timeline_dragged_through_it(program, display):
    first = program.wait_for_results(more_than=0)
    before = display.picture()
    ask(program, "Once upon a time")
    second = program.wait_for_results(more_than=first)
    width, height = program.size
    rail = height - FROM_BOTTOM
    assert np.any(display.picture()[: rail - 40] != before[: rail - 40])
    program.drag((width - 22, rail), (width // 4, rail))
    wait_until(lambda: "step 143,000" not in program.title, "another step in the title")
    program.wait_for_results(more_than=second)
    stopped_at = program.title
    program.press("ctrl+bracketright")
    wait_until(lambda: program.title != stopped_at, "the next checkpoint")
    assert closes_well(program) < END_S


def test_the_window_closes_during_a_run(program):
    program.wait_for_results(more_than=0)
    for prompt in ("The cow says", "Ben and Tom"):
        ask(program, prompt)
    time.sleep(random.Random(1).random() / 4)  # somewhere in the sweep
    assert closes_well(program) < END_S


def test_the_window_closes_before_the_engine_has_started(program):
    wait_until(lambda: bool(program.children()), "the engine's process")
    assert closes_well(program) < END_S


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_window_cleanly(program, number):
    program.wait_for_results(more_than=0)
    children = program.children()
    program.process.send_signal(number)
    assert program.process.wait(10) == 0
    assert alive(children) == set()


def test_a_killed_engine_costs_one_answer_and_never_the_window(program):
    first = program.wait_for_results(more_than=0)
    ask(program, "The champion is")
    time.sleep(0.1)
    program.kill_engine()
    ask(program, "The baker lost")
    program.wait_for_results(more_than=first)
    assert program.process.poll() is None
    assert closes_well(program) < END_S


def test_without_a_display_the_results_are_printed_and_the_picture_is_written(tmp_path, repository):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    environment |= {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    environment["PYTHONPATH"] = str(repository)
    done = subprocess.run(
        [sys.executable, "-m", "pythia_gui"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    picture = tmp_path / "pythia-gui.png"
    assert str(picture) in done.stdout
    assert "The capital of Poland is" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
