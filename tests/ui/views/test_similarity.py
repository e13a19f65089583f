"""The similarity of steps: the mean over prompts, read, chosen and compared by pairs."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from scipy.spatial.distance import jensenshannon  # type: ignore[import-untyped]  # ships none

from pythia_gui.core.events import Result
from pythia_gui.core.prompt_sets import PromptEntry, PromptSet
from pythia_gui.core.requests import Request
from pythia_gui.core.resources import resource_path
from pythia_gui.core.steps import STEPS as PYTHIA_STEPS
from pythia_gui.core.steps import log_steps
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.likeness import Likeness, PairRows
from pythia_gui.ui.questions import Pin
from pythia_gui.ui.views.similarity import Similarity
from pythia_gui.ui.workspace import Workspace
from tests.fakes import FakeEngine, checkpoint, prompt

LEFT = Qt.MouseButton.LeftButton
STEPS = (0, 1, 2, 512, 1_000, 2_000, 4_000)
ONE, OTHER = prompt("ab"), prompt("cd")


def said(step, similarity, asked=ONE, **changes):
    made = Result(
        checkpoint(step),
        asked,
        "cpu",
        "cpu",
        "float32",
        similarity=np.array(similarity, np.float32),
    )
    return replace(made, **changes)


@pytest.fixture
def likeness():
    return Likeness((0, 1, 2), 2)


# ---------------------------------------------------------------------------------- numbers


def test_the_mean_is_over_prompts_and_symmetric(likeness):
    for result in (said(0, []), said(1, [0.25]), said(2, [0.5, 0.125])):
        likeness.take(result)
    likeness.take(said(1, [0.75], OTHER))
    assert likeness.means().tolist() == [[0, 0.5, 0.5], [0.5, 0, 0.125], [0.5, 0.125, 0]]
    assert [likeness.counted(0, 1), likeness.counted(2, 0)] == [2, 1]
    assert likeness.to_step_before()[1:].tolist() == [0.5, 0.125]
    assert np.isnan(likeness.to_step_before()[0])


def test_what_comes_twice_counts_once(likeness):
    for _ in range(2):
        likeness.take(said(1, [0.25]))
    assert likeness.means()[0, 1] == 0.25
    assert likeness.counted(0, 1) == 1


def test_a_failed_step_is_a_gap_in_row_and_column(likeness):
    likeness.take(said(0, []))
    likeness.take(replace(said(1, []), error="step 1 is broken", similarity=None))
    likeness.take(said(2, [0.5, np.nan]))
    means = likeness.means()
    assert np.isnan(means[1]).all()
    assert np.isnan(means[:, 1]).all()
    assert means[0, 2] == means[2, 0] == 0.5
    assert likeness.problems == {1: "step 1 is broken"}


def test_steps_with_the_same_weights_are_known(likeness):
    twin = replace(checkpoint(1), weights_sha256=checkpoint(0).weights_sha256)
    likeness.take(said(0, []))
    likeness.take(said(1, [0.0], checkpoint=twin))
    likeness.take(said(2, [0.5, 0.5]))
    assert likeness.twin_of(0, 1)
    assert not likeness.twin_of(0, 2)
    assert not likeness.twin_of(1, 1)


def test_the_table_has_each_pair_once(likeness):
    for result in (said(0, []), said(1, [0.25]), said(2, [0.5, 0.125])):
        likeness.take(result)
    rows = PairRows(likeness, "fake")
    assert [row[:4] for row in rows] == [(1, 0, 0.25, 1), (2, 0, 0.5, 1), (2, 1, 0.125, 1)]
    assert rows[1][4:] == (
        "fake",
        checkpoint(2).weights_sha256,
        checkpoint(0).weights_sha256,
        "float32",
    )


def test_the_engine_s_numbers_give_the_mean_divergence_of_whole_distributions(library):
    at = tuple(library.checkpoint("demo-s", step) for step in STEPS[:4])
    prompts = tuple(library.encode("demo-s", text) for text in ("abc", "hello", "The"))
    request = Request("similarity", at, prompts, top_k=1000, similarity=True)
    likeness, found = Likeness(STEPS[:4], 3), {}
    for event in LocalEngine().run(request, threading.Event()):
        if isinstance(event, Result):
            likeness.take(event)
            found[event.checkpoint.step, event.prompt] = distribution(event)
    means = likeness.means()
    for row, column in ((1, 0), (3, 1), (0, 3)):
        apart = [
            jensenshannon(found[STEPS[row], one], found[STEPS[column], one], base=2) ** 2
            for one in prompts
        ]
        assert means[row, column] == pytest.approx(np.mean(apart), abs=1e-5)
    assert means.max() > 1e-4


def distribution(result):
    """Return the probability of every id that the tokenizer has, by id."""
    top = result.next_token.top
    probs = np.zeros(int(top.ids.max()) + 1)
    probs[top.ids[0]] = top.probs[0]
    return probs


# ---------------------------------------------------------------------------------- the page


class Steps(FakeEngine):
    """Says something else at every step, as different weights do."""

    def run(self, request, cancel):
        at = [
            replace(c, weights_sha256=checkpoint(c.step).weights_sha256)
            for c in request.checkpoints
        ]
        yield from super().run(replace(request, checkpoints=tuple(at)), cancel)


@pytest.fixture
def engine():
    return Steps()


@pytest.fixture
def page(qtbot, light, workspace):
    made = Similarity(workspace)
    qtbot.addWidget(made)
    made.resize(1_000, 560)
    made.show()
    workspace.show_model("demo-s")
    workspace.write_prompt("abcd")
    workspace.run()
    qtbot.waitUntil(lambda: workspace.settled)
    return made


@pytest.fixture
def filled(qtbot, page):
    page.set_shown(True)
    settle(qtbot, page, len(STEPS))
    return page


def settle(qtbot, page, answers):
    qtbot.waitUntil(lambda: page.runner.total == page.runner.done == answers)
    qtbot.waitUntil(lambda: not page._frame.isActive())


def test_the_matrix_is_what_the_engine_said(qtbot, page):
    results = {}
    page.runner.result_arrived.connect(lambda r: results.update({r.checkpoint.step: r}))
    page.set_shown(True)
    settle(qtbot, page, len(STEPS))
    sheet = page.grid.sheet
    assert sheet.steps == STEPS
    for row, step in enumerate(STEPS):
        assert sheet.values[row, :row] == pytest.approx(results[step].similarity)
        assert sheet.values[:row, row] == pytest.approx(results[step].similarity)
        assert sheet.values[row, row] == 0
    before = [results[step].similarity[-1] for step in STEPS[1:]]
    assert page.strip._values[1:] == pytest.approx(before)


def test_the_steps_are_asked_in_ascending_order(filled, engine):
    asked = [request for request in engine.asked if request.similarity]
    assert [at.step for at in asked[-1].checkpoints] == list(STEPS)


def test_log_spaced_steps_leave_out_what_is_between(qtbot, light, worker, tmp_path):
    library = LocalLibrary(resource_path("demo"), cache=tmp_path)
    workspace = Workspace(library, worker)
    workspace.refresh_models()
    workspace.show_model("demo-s")
    workspace.write_prompt("The")
    workspace.run()
    page = Similarity(workspace)
    qtbot.addWidget(page)
    steps = {}
    for choice in ("all", "log"):
        page._steps.choose(choice)
        (request,) = page.plan().requests
        steps[choice] = [at.step for at in request.checkpoints]
    assert steps["all"] == list(PYTHIA_STEPS)
    assert steps["log"] == list(log_steps(PYTHIA_STEPS))
    workspace.stop()


def test_a_click_goes_to_the_column_s_step(filled, workspace):
    at = filled.grid.cell_rect(5, 3).center().toPoint()
    QTest.mouseClick(filled.grid.viewport(), LEFT, pos=at)
    assert workspace.step == 512
    assert filled.grid.selected == (5, 3)


def test_shift_and_a_click_compare_both_steps(filled, workspace, qtbot):
    at = filled.grid.cell_rect(5, 3).center().toPoint()
    with qtbot.waitSignal(workspace.pair_changed):
        QTest.mouseClick(filled.grid.viewport(), LEFT, Qt.KeyboardModifier.ShiftModifier, at)
    assert workspace.pair == (Pin("demo-s", 2_000), Pin("demo-s", 512))
    qtbot.waitUntil(lambda: not filled._frame.isActive())
    assert [(g.row, g.column) for g in filled.grid.sheet.glyphs] == [(5, 3)]


def test_the_button_compares_the_chosen_cell(filled, workspace):
    assert not filled._compare.isEnabled()
    at = filled.grid.cell_rect(1, 6).center().toPoint()
    QTest.mouseClick(filled.grid.viewport(), LEFT, pos=at)
    filled._compare.click()
    assert workspace.pair == (Pin("demo-s", 1), Pin("demo-s", 4_000))


def test_the_pair_under_the_pointer_is_read(filled):
    QTest.mouseMove(filled.grid.viewport(), filled.grid.cell_rect(4, 2).center().toPoint())
    mean = float(filled.grid.sheet.values[4, 2])
    assert filled.readout()[0] == (f"step 1,000 and step 2  ·  {mean:.4f} bits  ·  for this prompt")
    QTest.mouseMove(filled.grid.viewport(), filled.grid.cell_rect(4, 4).center().toPoint())
    assert filled.readout()[0] == "step 1,000  ·  the same step"


def test_a_set_of_prompts_is_averaged(filled, qtbot):
    filled.use_prompts(("ab", "cd", "ef"))
    settle(qtbot, filled, 3 * len(STEPS))
    assert filled._likeness.counted(5, 2) == 3
    QTest.mouseMove(filled.grid.viewport(), filled.grid.cell_rect(5, 2).center().toPoint())
    assert "mean over 3 of 3 prompts" in filled.readout()[0]


def test_the_set_of_the_prompts_page_is_offered_once_there_is_one(filled, workspace, qtbot):
    assert not filled._which.button("set").isEnabled()
    entries = tuple(PromptEntry(text) for text in ("ab", "cd", "ab"))
    workspace.set_prompt_set(PromptSet("two", entries))
    filled._which.button("set").click()
    settle(qtbot, filled, 2 * len(STEPS))
    assert filled._likeness.prompts == 2
    workspace.set_prompt_set(None)
    qtbot.waitUntil(lambda: filled._which.key == "screen" and filled._likeness.prompts == 1)
    assert not filled._which.button("set").isEnabled()


def test_prompts_that_are_too_long_are_counted_and_left_out(filled, qtbot):
    filled.use_prompts(("ab", "x" * 500))
    qtbot.waitUntil(lambda: "1 prompt left out" in filled._plan.remark)
    settle(qtbot, filled, len(STEPS))
    assert "1 prompt left out" in filled._says.whole_text()


def test_a_step_with_a_note_bears_a_flag_and_says_it(filled, workspace):
    bad = {512: "the published weights are those of step 1,000"}
    filled._entry = replace(workspace.entry, known_bad=bad)
    filled.redraw()
    assert filled.grid.sheet.flagged == {STEPS.index(512)}
    QTest.mouseMove(filled.grid.viewport(), filled.grid.cell_rect(6, 3).center().toPoint())
    assert filled.readout()[1] == f"step 512: {bad[512]}"


def test_the_table_twin_can_be_copied_and_leads_back(filled, workspace):
    filled._copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied.count("\n") == 1 + len(STEPS) * (len(STEPS) - 1) // 2
    filled.row_chosen(2)
    assert workspace.step == STEPS[1]
    assert filled.grid.selected == (2, 1)


@pytest.mark.parametrize("axis", ["even", "log2", "tokens"])
def test_rows_stand_as_the_columns_do(filled, qtbot, axis):
    filled._axis.button(axis).click()
    qtbot.waitUntil(lambda: not filled._frame.isActive())
    grid = filled.grid
    widths = np.array([grid.cell_rect(0, n).width() for n in range(len(STEPS))])
    heights = np.array([grid.cell_rect(n, 0).height() for n in range(len(STEPS))])
    assert heights / heights.sum() == pytest.approx(widths / widths.sum())


def test_before_a_question_the_page_says_what_to_do(page, workspace, qtbot):
    workspace.write_prompt("another")
    page.set_shown(True)
    qtbot.waitUntil(lambda: "Run" in page._message.text())
    assert page._message.isVisible()
