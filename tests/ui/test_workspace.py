"""The workspace: what is shown is always the answer to what is on screen."""

from typing import Any

import pytest

from pythia_gui.core.history import Run
from pythia_gui.core.requests import Sampling
from pythia_gui.ui.questions import Ending, Pin, Settings
from pythia_gui.ui.values import ShownText
from pythia_gui.ui.workspace import PRESS_RUN, STOPPED, Trajectories, Workspace


class Seen:
    """What the workspace told its views, the last of each."""

    def __init__(self, workspace: Workspace) -> None:
        self.text = ShownText("", 0)
        self.columns: tuple[ShownText, ...] = ()
        self.curves = Trajectories()
        self.notices: list[str] = []
        self.ended: list[str] = []
        self.problem = ""
        self.written = 0
        workspace.text_changed.connect(self._on_text)
        workspace.columns_changed.connect(self._on_columns)
        workspace.curves_changed.connect(self._on_curves)
        workspace.noticed.connect(self.notices.append)
        workspace.problem_changed.connect(self._on_problem)
        workspace.run_ended.connect(self.ended.append)
        workspace.tokens_written.connect(self._on_tokens)

    def _on_text(self, text):
        self.text = text

    def _on_columns(self, columns):
        self.columns = columns

    def _on_curves(self, curves):
        self.curves = curves

    def _on_problem(self, problem):
        self.problem = problem

    def _on_tokens(self, tokens):
        self.written += len(tokens)


@pytest.fixture
def seen(workspace):
    return Seen(workspace)


@pytest.fixture
def settle(qtbot, workspace):
    def wait():
        qtbot.waitUntil(lambda: workspace.settled, timeout=10_000)

    return wait


@pytest.fixture
def asked(workspace, seen, settle):
    """A question asked and answered: demo-s, at its last step."""
    workspace.show_model("demo-s")
    workspace.write_prompt("ab")
    workspace.set_settings(Settings(new_tokens=3))
    workspace.run()
    settle()
    return workspace


def joined(text):
    return "".join(token.text for token in text.tokens)


def test_a_run_shows_the_text_of_the_step_and_curves_of_the_final_tokens(asked, seen):
    assert (seen.text.state, seen.text.step, seen.text.model) == ("done", 4_000, "demo-s")
    assert joined(seen.text).startswith("ab")
    assert sum(token.written for token in seen.text.tokens) == 3
    assert seen.curves.state == "done"
    assert [curve.suggested for curve in seen.curves.curves] == [True] * 4
    assert [p.step for p in seen.curves.curves[0].points] == [0, 1, 2, 512, 1_000, 2_000, 4_000]
    assert seen.ended == ["The run is finished."]


def test_moving_the_timeline_asks_for_the_text_of_that_step(asked, seen, settle, engine):
    asked.show_step(510)
    assert asked.step == 512
    settle()
    assert (seen.text.state, seen.text.step) == ("done", 512)
    assert engine.computed[-1] == (512,)


def test_going_back_to_a_step_computes_nothing_again(asked, seen, settle, engine):
    asked.show_step(512)
    settle()
    before = len(engine.asked)
    asked.show_step(4_000)
    settle()
    assert (seen.text.state, seen.text.step) == ("done", 4_000)
    assert len(engine.asked) == before


def test_a_typed_letter_takes_the_old_answer_away_at_once(asked, seen):
    asked.write_prompt("abc")
    assert (seen.text.state, seen.text.tokens, seen.text.message) == ("empty", (), PRESS_RUN)
    assert seen.curves.curves == ()


def test_typing_the_old_prompt_again_brings_its_answer_back(asked, seen):
    asked.write_prompt("abc")
    asked.write_prompt("ab")
    assert seen.text.state == "done"
    assert len(seen.curves.curves) == 4


def test_another_sampler_empties_the_text_and_leaves_the_trajectory(asked, seen):
    asked.set_settings(Settings(new_tokens=3, sampling=Sampling(temperature=1.0, seed=4)))
    assert seen.text.state == "empty"
    assert seen.curves.state == "done"
    assert len(seen.curves.curves) == 4


def test_another_model_is_asked_the_same_question(asked, seen, settle):
    asked.show_model("demo-m")
    assert seen.text.model == "demo-m"
    assert seen.text.state in ("waiting", "empty")
    settle()
    assert (seen.text.state, seen.text.model, seen.text.step) == ("done", "demo-m", 4_000)
    assert {curve.model for curve in seen.curves.curves} == {"demo-m"}


def test_only_the_last_of_several_steps_is_waited_for(asked, seen, settle, engine):
    for step in (0, 1, 2, 512, 1_000):
        asked.show_step(step)
    settle()
    assert (seen.text.state, seen.text.step) == ("done", 1_000)
    assert (0,) not in engine.computed


def test_typed_targets_and_foils_become_curves_in_their_order(asked, seen, settle):
    asked.set_endings([Ending("x"), Ending("y"), Ending("z", "foil")])
    settle()
    labels = [(curve.label, curve.role, curve.suggested) for curve in seen.curves.curves]
    assert labels == [("x", "target", False), ("y", "target", False), ("z", "foil", False)]


def test_stop_keeps_what_has_arrived_and_says_so(workspace, seen, settle, engine, qtbot):
    engine.hold(4_000)
    workspace.show_model("demo-s")
    workspace.write_prompt("ab")
    workspace.run()
    qtbot.waitUntil(engine.reached(4_000).is_set)
    workspace.stop()
    assert (seen.text.state, seen.text.message) == ("empty", STOPPED)
    engine.release(4_000)
    qtbot.wait(50)
    assert seen.text.state == "empty"
    assert not workspace.running
    assert seen.ended[-1] == "Stopped."


def test_a_run_after_stop_goes_on(workspace, seen, settle, engine, qtbot):
    engine.hold(4_000)
    workspace.show_model("demo-s")
    workspace.write_prompt("ab")
    workspace.run()
    qtbot.waitUntil(engine.reached(4_000).is_set)
    workspace.stop()
    engine.release(4_000)
    workspace.run()
    settle()
    assert seen.text.state == "done"
    assert seen.curves.state == "done"


def test_a_failed_checkpoint_is_said_in_its_place(workspace, seen, settle, engine):
    engine.broken[512] = "step 512 of demo-s is damaged; fetch it again"
    workspace.show_model("demo-s")
    workspace.write_prompt("ab")
    workspace.run()
    settle()
    workspace.show_step(512)
    settle()
    assert (seen.text.state, seen.text.step) == ("error", 512)
    assert seen.text.message == engine.broken[512]
    gap = next(p for p in seen.curves.curves[0].points if p.step == 512)
    assert (gap.logprob, gap.problem) == (None, engine.broken[512])


def test_a_dead_engine_costs_one_request_and_the_next_works(workspace, seen, settle, engine):
    engine.raising[4_000] = RuntimeError("gone")
    workspace.show_model("demo-s")
    workspace.write_prompt("ab")
    workspace.run()
    settle()
    assert seen.text.state == "error"
    assert "gone" in seen.text.message
    engine.raising.clear()
    workspace.run()
    settle()
    assert seen.text.state == "done"


def test_a_prompt_that_does_not_fit_is_refused_beside_the_field(workspace, seen, settle):
    workspace.show_model("demo-s")
    workspace.write_prompt("x" * 200)
    workspace.run()
    settle()
    assert "200 tokens" in seen.problem
    assert seen.text.state == "empty"
    workspace.set_settings(Settings(new_tokens=3, cut_left=True))
    workspace.run()
    settle()
    assert seen.problem == ""
    assert seen.text.state == "done"


def test_a_model_without_checkpoints_here_says_why(workspace, seen, settle):
    workspace.show_model("pythia-70m")
    workspace.write_prompt("ab")
    workspace.run()
    settle()
    assert "Nothing of pythia-70m is on this machine" in seen.text.message
    assert "pythia-70m" in seen.curves.message


def test_the_columns_are_told_while_they_are_looked_at_and_at_once(asked, seen, settle):
    settle()
    before = seen.columns
    asked.show_columns(True)
    assert before in (None, ())
    assert [view.step for view in seen.columns] == [512, 4_000]


def test_the_columns_show_the_pinned_steps_and_models(asked, seen, settle):
    asked.show_columns(True)
    settle()
    assert [view.step for view in seen.columns] == [512, 4_000]
    asked.show_step(0)
    asked.pin()
    asked.show_model("demo-m")
    asked.pin()
    settle()
    names = [(view.model, view.step, view.state) for view in seen.columns]
    assert names == [
        ("demo-s", 0, "done"),
        ("demo-s", 512, "done"),
        ("demo-s", 4_000, "done"),
        ("demo-m", 0, "done"),
    ]


def test_a_seventh_column_is_refused_with_a_sentence(asked, seen, settle):
    for step in (0, 1, 2, 1_000, 2_000):
        asked.show_step(step)
        asked.pin()
    assert len(asked.pins) == 6
    assert seen.notices == ["6 columns are the most; unpin one first."]
    asked.unpin(0)
    assert Pin("demo-s", 0) not in asked.pins


def test_a_chosen_token_continues_from_there_and_can_be_undone(asked, seen, settle):
    tokens = seen.text.tokens
    asked.continue_from(3, tokens[1].token_id)
    settle()
    expected = [*(token.token_id for token in tokens[:3]), tokens[1].token_id]
    assert [token.token_id for token in seen.text.tokens[:4]] == expected
    assert [token.written for token in seen.text.tokens] == [False] * 4 + [True] * 3
    asked.go_back()
    settle()
    assert asked.wording.text == "ab"
    assert seen.text.tokens == tokens
    asked.go_forward()
    assert asked.wording.token_ids is not None


def test_samples_are_shown_one_at_a_time(asked, seen, settle):
    drawn = Sampling(temperature=1.0)
    asked.set_settings(Settings(new_tokens=3, samples=2, sampling=drawn))
    asked.run()
    settle()
    first = joined(seen.text)
    asked.show_sample(1)
    settle()
    assert joined(seen.text) != first


def test_tokens_reach_the_view_while_the_text_is_written(workspace, seen, settle):
    workspace.show_model("demo-s")
    workspace.write_prompt("ab")
    workspace.set_settings(Settings(new_tokens=30))
    workspace.run()
    settle()
    assert seen.text.state == "done"
    assert sum(token.written for token in seen.text.tokens) == 30


def test_the_prompt_is_counted_while_it_is_typed(workspace, qtbot):
    workspace.show_model("demo-s")
    with qtbot.waitSignal(workspace.reading_changed) as counted:
        workspace.write_prompt("hello")
    reading = counted.args[0]
    assert (reading.tokens, reading.context) == (5, 96)
    assert reading.over(92) == 1


def test_the_marks_of_another_model_come_before_its_step(asked, settle):
    told: list[Any] = []
    asked.marks_changed.connect(lambda marks: told.append({mark.step for mark in marks}))
    asked.step_changed.connect(told.append)
    asked.show_step(2_000)
    settle()
    told.clear()
    asked.show_model("demo-m")
    step = next(one for one in told if isinstance(one, int))
    assert step in told[told.index(step) - 1] == set(asked.entry.steps)


def test_a_question_that_can_be_asked_is_announced_once_a_run(workspace, settle):
    runs: list[Any] = []
    workspace.asked.connect(runs.append)
    workspace.run()
    workspace.show_model("demo-s")
    workspace.write_prompt("x" * 5_000)
    workspace.run()
    assert runs == []
    workspace.write_prompt("ab")
    workspace.set_endings([Ending("x"), Ending("y", "foil")])
    workspace.run()
    workspace.run(noted=False)
    settle()
    workspace.show_step(512)
    workspace.show_model("demo-m")
    settle()
    assert [(run.model_name, run.text, run.endings) for run in runs] == [
        ("demo-s", "ab", (("x", "target"), ("y", "foil"))),
        ("demo-m", "ab", (("x", "target"), ("y", "foil"))),
    ]


def test_a_restored_run_stands_on_screen_as_it_was(asked, seen, settle):
    runs: list[Any] = []
    asked.asked.connect(runs.append)
    asked.show_step(512)
    asked.pin()
    asked.set_pair(Pin("demo-s", 0), Pin("demo-s", 512))
    asked.run()
    settle()
    before = (asked.entry, asked.step, asked.wording, asked.settings, asked.pins, asked.pair)
    shown = seen.text
    asked.show_model("demo-m")
    asked.write_prompt("other")
    asked.set_settings(Settings(new_tokens=1))
    asked.set_pair(Pin("demo-m", 0), Pin("demo-m", 2))
    asked.unpin(0)
    asked.run()
    settle()
    noted = len(runs)
    assert asked.restore(runs[0])
    settle()
    now = (asked.entry, asked.step, asked.wording, asked.settings, asked.pins, asked.pair)
    assert now == before
    assert seen.text.tokens == shown.tokens
    assert len(runs) == noted


def test_a_run_of_an_unknown_model_changes_nothing(asked, seen, settle):
    before = (asked.entry, asked.step, asked.wording)
    assert not asked.restore(Run("gone", "gone-410m", 0, "x"))
    assert (asked.entry, asked.step, asked.wording) == before
    assert "gone-410m" in seen.notices[-1]


def test_exact_tokens_turn_to_text_for_a_model_that_is_not_here(asked, seen, settle, qtbot):
    asked.continue_from(1, seen.text.tokens[0].token_id)
    settle()
    assert asked.wording.token_ids is not None
    readings: list[Any] = []
    asked.reading_changed.connect(readings.append)
    asked.show_model("pythia-70m")
    qtbot.waitUntil(lambda: bool(readings))
    assert readings[-1].tokens is None
    assert "pythia-70m" in seen.text.message
