"""The map: every token at every step, as the engine said it, linked with the other views."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from pythia_gui.core.acquisition import acquisition
from pythia_gui.core.events import Alternatives, Result, Score, TargetScore
from pythia_gui.core.requests import Prompt, Request, Target
from pythia_gui.core.resources import resource_path
from pythia_gui.demo.tables import CAPITALS, LADDER
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.map_numbers import LongRows, MapNumbers, rows_of
from pythia_gui.ui.questions import Ending
from pythia_gui.ui.sheet import Glyph
from pythia_gui.ui.views.token_map import TokenMap
from tests.fakes import FakeEngine, checkpoint
from tests.ui.samples import MARKUP

LEFT = Qt.MouseButton.LeftButton
STEPS = (0, 1, 2, 512, 1_000, 2_000, 4_000)
ASKED = Prompt("abc", (5, 6, 7), (Target("x", (5, 6, 7), (9, 8)),))


# ---------------------------------------------------------------------------------- numbers


def said(step, logprobs, ranks, target=(-1.0, 1), *, dtype="float32", prompt=ASKED):
    """A result: numbers for the second and third token, and for the target."""
    top = Alternatives(np.array([[1], [2], [3]]), np.ones((3, 1), np.float32))
    score = Score(
        np.array(prompt.token_ids),
        np.array([np.nan, *logprobs], np.float32),
        np.array([0, *ranks]),
        np.zeros(3, np.float32),
        top,
    )
    end = TargetScore("x", (9, 8), *target)
    at = checkpoint(step)
    texts = {1: " one", 2: " two", 3: " three"}
    return Result(at, prompt, "cpu", "cpu", dtype, texts, score=score, targets=(end,))


@pytest.fixture
def numbers():
    return MapNumbers(ASKED, rows_of(ASKED, ("a", "b", "c"), ("foil",)), (0, 1, 2))


def test_rows_are_the_tokens_from_the_second_and_the_targets(numbers):
    assert [(row.text, row.position, row.role) for row in numbers.rows] == [
        ("b", 1, "token"),
        ("c", 2, "token"),
        ("x", -1, "foil"),
    ]


def test_a_result_fills_its_column_and_no_other(numbers):
    numbers.take(said(1, (-1.0, -2.0), (3, 40), (-3.0, 500)))
    assert numbers.logprobs[:, 1].tolist() == [-1.0, -2.0, -3.0]
    assert numbers.ranks[:, 1].tolist() == [3, 40, 500]
    assert np.isnan(numbers.logprobs[:, [0, 2]]).all()
    assert [numbers.texts[i] for i in numbers.tops[:2, 1].tolist()] == [" two", " three"]
    assert numbers.tops[2, 1] == -1


def test_measures_are_those_of_the_log_probability(numbers):
    numbers.take(said(1, (-1.0, -2.0), (3, 40), (-math.log(2.0), 1)))
    assert numbers.values("probability")[:, 1] == pytest.approx(
        [math.exp(-1), math.exp(-2), 0.5], rel=1e-6
    )
    assert numbers.values("surprisal")[2, 1] == pytest.approx(1.0)
    assert numbers.values("rank")[:, 1].tolist() == [3, 40, 1]
    assert np.isnan(numbers.values("rank")[:, 0]).all()


def test_a_change_is_told_from_a_measured_neighbour_alone(numbers):
    numbers.take(said(0, (-5.0, -5.0), (9, 9)))
    numbers.take(said(2, (-1.0, -2.0), (1, 1)))
    assert np.isnan(numbers.values("change")).all()
    numbers.take(said(1, (-3.0, -6.0), (2, 2)))
    changes = np.array([[np.nan, 2.0, 2.0], [np.nan, -1.0, 4.0]])
    assert np.array_equal(numbers.values("change")[:2], changes, equal_nan=True)
    assert numbers.values("since", pinned=0)[:2].tolist() == [[0, 2, 4], [0, -1, 3]]
    assert np.isnan(numbers.values("since", pinned=-1)).all()


def test_an_infinite_log_probability_is_no_gap_and_its_change_is_one(numbers):
    numbers.take(said(0, (-np.inf, -1.0), (90, 1)))
    numbers.take(said(1, (-np.inf, -2.0), (90, 1)))
    assert numbers.values("probability")[0, 0] == 0.0
    assert numbers.values("surprisal")[0, 0] == np.inf
    assert np.isnan(numbers.values("change")[0, 1])
    assert numbers.values("change")[1, 1] == -1.0


def test_half_precision_and_float32_never_stand_side_by_side(numbers):
    numbers.take(said(0, (-1.0, -1.0), (1, 1), dtype="float16"))
    numbers.take(said(1, (-2.0, -2.0), (1, 1)))
    assert np.isnan(numbers.logprobs[:, 0]).all()
    numbers.take(said(0, (-3.0, -3.0), (1, 1), dtype="float16"))
    assert np.isnan(numbers.logprobs[:, 0]).all()
    assert numbers.logprobs[0, 1] == -2.0


def test_an_answer_to_another_prompt_is_passed_over(numbers):
    numbers.take(said(1, (-1.0, -2.0), (3, 40), prompt=replace(ASKED, text="other")))
    assert np.isnan(numbers.logprobs).all()


def test_a_failed_step_is_a_gap_with_its_reason(numbers):
    failed = Result(checkpoint(2), ASKED, "cpu", "cpu", "float32", error="step 2 is broken")
    numbers.take(failed)
    assert np.isnan(numbers.logprobs).all()
    assert numbers.problems == {2: "step 2 is broken"}
    numbers.take(said(2, (-1.0, -1.0), (1, 1)))
    assert not numbers.problems


def test_marks_stand_at_the_first_step_of_each_kind(numbers):
    numbers.take(said(0, (-9.0, -9.0), (50, 1)))
    numbers.take(said(1, (-2.0, -9.0), (7, 11)))
    numbers.take(said(2, (-0.1, -9.0), (1, 11), (-9.0, 99)))
    marks = numbers.glyphs()
    assert Glyph(0, 1, "ring") in marks
    assert Glyph(0, 2, "dot") in marks
    assert Glyph(0, 2, "line") in marks
    assert {mark.kind for mark in marks if mark.row == 1} == {"ring", "dot"}
    assert numbers.acquired(0) == acquisition({0: 50, 1: 7, 2: 1})


def test_the_long_table_has_every_cell_once_and_traces_it(numbers):
    numbers.take(said(1, (-1.0, -2.0), (3, 40), (-3.0, 500)))
    rows = LongRows(numbers, "fake")
    assert len(rows) == len(list(rows)) == 9
    assert rows[1][:5] == (2, "b", "token", 1, -1.0)
    assert rows[7][:4] == (None, "x", "foil", 1)
    assert rows[7][6] == 500
    assert rows[1][-3:] == ("fake", checkpoint(1).weights_sha256, "float32")
    assert rows[0][5:8] == (None, None, None)
    with pytest.raises(IndexError):
        rows[9]


def test_the_demo_suite_learns_its_capitals_in_the_order_of_their_frequency(tmp_path):
    library = LocalLibrary(resource_path("demo"), cache=tmp_path)
    entry, _ = library.find("demo-s")
    capitals = CAPITALS[0::4]  # one of each rung: said LADDER times in the corpus
    asked = [
        library.encode(entry.key, f"The capital of {row.country} is", [f" {row.city}"])
        for row in capitals
    ]
    steps = tuple(sorted(entry.here))
    maps = [
        MapNumbers(
            prompt,
            rows_of(prompt, library.token_texts(entry.key, prompt.token_ids), ["target"]),
            steps,
        )
        for prompt in asked
    ]
    at = tuple(library.checkpoint(entry.key, step) for step in steps)
    request = Request("map", at, tuple(asked), score=True, next_token=False, top_k=1)
    for event in LocalEngine().run(request, threading.Event()):
        for one in maps:
            if isinstance(event, Result):
                one.take(event)
    tops = [one.acquired(len(one.rows) - 1).top1 for one in maps]
    firsts = [math.inf if top is None else top.at for top in tops]
    assert sorted(LADDER, reverse=True) == list(LADDER)
    assert firsts == sorted(firsts)
    assert firsts[:5] == sorted({*firsts[:5]})
    assert firsts[-1] == math.inf
    for one, first in zip(maps[:5], firsts, strict=False):
        assert Glyph(len(one.rows) - 1, steps.index(int(first)), "dot") in one.glyphs()


# ---------------------------------------------------------------------------------- the page


class Steps(FakeEngine):
    """Says something else at every step, as different weights do."""

    def run(self, request, cancel):
        at = (
            replace(c, weights_sha256=checkpoint(c.step).weights_sha256)
            for c in request.checkpoints
        )
        yield from super().run(replace(request, checkpoints=tuple(at)), cancel)


@pytest.fixture
def engine():
    return Steps()


@pytest.fixture
def page(qtbot, light, workspace):
    made = TokenMap(workspace)
    qtbot.addWidget(made)
    made.resize(1_000, 560)
    made.show()
    workspace.show_model("demo-s")
    workspace.write_prompt("abcd")
    workspace.set_endings((Ending("x"), Ending(MARKUP, "foil")))
    made.set_shown(True)
    return made


@pytest.fixture
def filled(qtbot, page, workspace):
    workspace.run()
    qtbot.waitUntil(lambda: page.runner.total > 0 and page.runner.done == len(STEPS))
    qtbot.waitUntil(lambda: workspace.settled and not page._frame.isActive())
    return page


def choose(page, row, column):
    at = page.grid.cell_rect(row, column).center().toPoint()
    QTest.mouseClick(page.grid.viewport(), LEFT, pos=at)


def test_before_a_question_the_page_says_what_to_do(qtbot, page):
    qtbot.waitUntil(page._message.isVisible)
    assert "Run" in page._message.text()


def test_one_token_without_a_target_is_told_to_be_too_few(qtbot, page, workspace, engine):
    engine.hold(STEPS[-1])  # whose likeliest tokens would become the targets
    workspace.set_endings(())
    workspace.write_prompt("a")
    workspace.run()
    qtbot.waitUntil(lambda: "two tokens" in page._message.text())
    assert page._message.isVisible()
    engine.release(STEPS[-1])


def test_every_cell_is_what_the_engine_said(qtbot, page, workspace):
    results: list[Result] = []
    page.runner.result_arrived.connect(results.append)
    workspace.run()
    qtbot.waitUntil(lambda: len({r.checkpoint.step for r in results}) == len(STEPS))
    qtbot.waitUntil(lambda: not page._frame.isActive())
    sheet = page.grid.sheet
    assert sheet.steps == STEPS
    assert [row.tag for row in sheet.rows] == ["2", "3", "4", "target", "foil"]
    for result in results:
        column = STEPS.index(result.checkpoint.step)
        assert result.score is not None
        expected = [*result.score.logprobs[1:], *(t.logprob for t in result.targets)]
        assert sheet.values[:, column].tolist() == pytest.approx(expected)


def test_steps_that_are_not_measured_yet_are_gaps(qtbot, page, workspace, engine):
    page.set_shown(False)
    workspace.run()
    qtbot.waitUntil(lambda: workspace.settled)
    engine.hold(512)
    page.set_shown(True)
    qtbot.waitUntil(lambda: page._numbers.sources.keys() == {0, 1, 2})
    page.redraw()
    assert np.isnan(page.grid.sheet.values[:, STEPS.index(512) :]).all()
    assert not np.isnan(page.grid.sheet.values[:, :3]).any()
    QTest.mouseMove(page.grid.viewport(), page.grid.cell_rect(0, 5).center().toPoint())
    assert "not measured yet" in page.readout()[0]
    engine.release(512)
    qtbot.waitUntil(lambda: page.runner.done == len(STEPS))


def test_a_broken_step_says_why(qtbot, page, workspace, engine):
    engine.broken[1_000] = "step 1,000 has logits that are not finite"
    workspace.run()
    qtbot.waitUntil(lambda: page.runner.total > 0 and page.runner.done == len(STEPS))
    page.redraw()
    QTest.mouseMove(page.grid.viewport(), page.grid.cell_rect(1, 4).center().toPoint())
    assert "not finite" in page.readout()[0]


def test_a_click_moves_timeline_and_token(filled, workspace):
    choose(filled, 1, 3)
    assert (workspace.token, workspace.step) == (2, 512)
    assert filled.grid.selected == (1, 3)
    choose(filled, 3, 2)
    assert (workspace.token, workspace.step) == (-1, 2)
    assert filled.grid.selected == (3, 2)


def test_the_map_follows_timeline_and_token(filled, workspace):
    workspace.show_step(1_000)
    workspace.select_token(1)
    assert filled.grid.selected == (0, 4)
    assert filled.strip.title == "b"


def test_the_cell_under_the_pointer_is_read_in_full(filled, workspace):
    QTest.mouseMove(filled.grid.viewport(), filled.grid.cell_rect(2, 3).center().toPoint())
    line, learned = filled.readout()
    logprob = float(filled._numbers.logprobs[2, 3])
    rank = int(filled._numbers.ranks[2, 3])
    assert line.startswith("token 4 d  ·  step 512")
    assert f"{100 * math.exp(logprob):.1f} %" in line
    assert f"rank {rank}" in line
    assert "nats" in line
    assert "bits" in line
    assert "first in top 10: " in learned


@pytest.mark.parametrize("key", ["logprob", "probability", "rank", "surprisal", "change", "since"])
@pytest.mark.parametrize("axis", ["even", "log2", "tokens"])
def test_every_measure_is_shown_against_every_axis(filled, qtbot, key, axis):
    filled._measures.button(key).click()
    filled._axis.button(axis).click()
    filled._range.button("fitted").click()
    qtbot.waitUntil(lambda: not filled._frame.isActive())
    expected = filled._numbers.values(key, filled._pinned_column())
    assert len({*expected[0, 1:].tolist()}) > 2
    assert np.array_equal(filled.grid.sheet.values, expected, equal_nan=True)
    assert filled.grid.sheet.axis == axis
    assert not filled.grid.grab().toImage().isNull()


def test_a_pinned_step_stays_when_the_timeline_moves(filled, workspace, qtbot):
    workspace.show_step(2)
    filled._pin_button.click()
    workspace.show_step(2_000)
    qtbot.waitUntil(lambda: not filled._frame.isActive())
    values = filled.grid.sheet.values
    assert (values[:, STEPS.index(2)] == 0).all()
    assert (values[:, STEPS.index(2_000)] != 0).any()
    assert filled._pin_button.text() == "Pinned: step 2"


def test_the_table_twin_has_every_cell_and_leads_back_to_it(filled, workspace):
    table = filled.table()
    assert len(table.rows) == 5 * len(STEPS)
    row = next(n for n, cells in enumerate(table.rows) if cells[0] == 3 and cells[3] == 1_000)
    filled.row_chosen(row)
    assert (workspace.token, workspace.step) == (2, 1_000)
    filled._copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied.count("\n") == 1 + 5 * len(STEPS)
    assert copied.startswith("position,token,role,step,log-probability,")


def test_markup_in_a_target_stays_text(filled):
    assert filled.grid.sheet.rows[-1].label == MARKUP
    choose(filled, 4, 0)
    assert MARKUP in filled.readout()[0]


def test_another_question_leaves_nothing_of_the_last_one(filled, workspace, qtbot):
    workspace.write_prompt("another")
    qtbot.waitUntil(filled._message.isVisible)
    assert not filled.grid.sheet.rows
