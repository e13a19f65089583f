"""The page Learned: a row for each token and target, its curve, and the quick search."""

import csv
import io

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pythia_gui.core.acquisition import acquisition
from pythia_gui.ui.questions import Ending
from pythia_gui.ui.runner import STOPPED
from pythia_gui.ui.views.learned import MOST_FAILURES, Learned
from tests.ui.conftest import STEPS
from tests.ui.samples import OVERRIDE
from tests.ui.views.varied import VariedEngine

ENDINGS = (Ending(" x"), Ending("yz"), Ending(" w", "foil"))


@pytest.fixture
def engine():
    return VariedEngine()


@pytest.fixture
def page(qtbot, light, workspace):
    workspace.show_model("demo-s")
    workspace.write_prompt("abc")
    workspace.set_endings(ENDINGS)
    workspace.run()
    made = Learned(workspace)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


@pytest.fixture
def shown(page, qtbot):
    page.set_shown(True)
    qtbot.waitUntil(lambda: page.runner.done == len(STEPS) and not page.runner.running)
    qtbot.waitUntil(lambda: not page._dirty and page.workspace.settled)
    return page


def told(page):
    """Wait until what came is drawn."""
    return not page.runner.running and not page._dirty


def search(page, qtbot):
    page._mode.button("quick").click()
    qtbot.waitUntil(lambda: page.quick and bool(page._results) and page._looking is None)
    qtbot.waitUntil(lambda: told(page))


def cells(page, row):
    model = page._list.model()
    return [model.index(row, column).data() for column in range(model.columnCount())]


def test_there_is_a_row_for_each_ending_and_each_token_that_something_comes_before(shown):
    rows = [(row.text, row.role, row.position) for row, _ in shown.acquired]
    assert rows == [
        (" x", "target", -1),
        ("yz", "target", -1),
        (" w", "foil", -1),
        ("b", "prompt", 1),
        ("c", "prompt", 2),
    ]


def test_the_intervals_are_those_of_the_ranks_that_the_engine_gave(shown):
    found = dict(shown.acquired)
    for row, one in found.items():
        ranks = {
            step: result.targets[row.target].rank
            if row.target >= 0
            else int(result.score.ranks[row.position])
            for step, result in shown._results.items()
        }
        assert set(ranks) == set(STEPS)
        assert one == acquisition(ranks)


def test_the_request_is_the_one_that_the_map_asks(shown, engine):
    asked = next(r for r in engine.asked if r.slot == "Learned")
    assert asked.score
    assert asked.background
    assert [target.text for target in asked.prompts[0].targets] == [" x", "yz", " w"]
    assert sorted(at.step for at in asked.checkpoints) == list(STEPS)


def test_interval_columns_sort_by_the_step_by_which_it_was_so(shown):
    for column, name in ((2, "top10"), (3, "top1"), (4, "stays")):
        shown._list.sortByColumn(column, Qt.SortOrder.AscendingOrder)
        brackets = [getattr(shown.acquired[row][1], name) for row in shown._list.order]
        known = [bracket.at for bracket in brackets if bracket is not None]
        assert known == sorted(known)
        assert None not in brackets[: len(known)]


def test_every_column_says_what_it_means(shown):
    model = shown._list.model()
    for column in range(model.columnCount()):
        tip = model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
        assert tip


def test_choosing_a_row_selects_its_token_everywhere_and_draws_its_curve(shown, qtbot):
    shown._list.selectRow(4)
    assert shown.workspace.token == 2
    qtbot.waitUntil(lambda: told(shown))
    (trace,) = shown._curve.plot.traces
    assert trace.name == "c"
    assert trace.steps == STEPS


def test_a_token_selected_elsewhere_is_chosen_here(shown, qtbot):
    shown.workspace.select_token(1)
    qtbot.waitUntil(lambda: told(shown))
    assert shown._curve.plot.traces[0].name == "b"
    (index,) = shown._list.selectionModel().selectedRows()
    assert shown._list.order[index.row()] == 3


def test_the_intervals_of_the_row_are_shaded_and_named_on_its_curve(shown):
    found = shown.acquired[0][1]
    spans = {(span.before, span.at) for span in shown._curve.plot.spans}
    told_of = [bracket for bracket in (found.top10, found.top1, found.stays) if bracket]
    assert spans == {(bracket.before, bracket.at) for bracket in told_of}
    names = " ".join(span.text for span in shown._curve.plot.spans)
    assert "first top 10" in names


def test_the_curve_follows_and_asks_for_the_step(shown):
    shown.workspace.show_step(512)
    (_, number), *_ = shown._curve.labels.texts()
    (trace,) = shown._curve.plot.traces
    assert number == shown._curve.plot.unit.text(trace.value_at(512))
    shown._curve.step_requested.emit(2)
    assert shown.workspace.step == 2


def test_a_checkpoint_that_fails_is_a_gap_in_the_curve_and_not_in_the_table(page, qtbot, engine):
    engine.broken[512] = "the file is cut short"
    page.set_shown(True)
    qtbot.waitUntil(lambda: page.runner.done == len(STEPS) and told(page))
    (trace,) = page._curve.plot.traces
    assert trace.problems == {512: "the file is cut short"}
    assert page.acquired[0][1].measured == len(STEPS) - 1


def test_the_table_twin_has_bare_steps_and_gaps(shown):
    rows = list(csv.DictReader(io.StringIO(shown.table().as_csv())))
    assert [row["Token"] for row in rows] == [" x", "yz", " w", "b", "c"]
    for row, (_, found) in zip(rows, shown.acquired, strict=True):
        at = str(found.top1.at) if found.top1 is not None else ""
        assert row["First top 1 by"] == at
        assert row["Steps"] == str(len(STEPS))


def test_hidden_characters_of_a_prompt_are_spelled(page, qtbot):
    page.workspace.write_prompt(f"a{OVERRIDE}")
    page.workspace.run()
    page.set_shown(True)
    qtbot.waitUntil(lambda: page.runner.done == len(STEPS) and told(page))
    shown = "".join(cells(page, row)[0] for row in range(page._list.model().rowCount()))
    assert not any(char in shown for char in "\u202e\u202c")


def test_without_a_question_the_page_says_what_to_do(qtbot, light, workspace):
    workspace.show_model("demo-s")
    page = Learned(workspace)
    qtbot.addWidget(page)
    page.show()
    page.set_shown(True)
    qtbot.waitUntil(lambda: page._plan is not None)
    assert page._plan is not None
    assert "Run" in page._plan.message


# ------------------------------------------------------------------------- the quick search


def test_the_search_asks_one_checkpoint_at_a_time_the_last_one_first(page, qtbot, engine):
    page._mode.choose("quick")
    page.set_shown(True)
    qtbot.waitUntil(lambda: bool(page._results) and page._looking is None and told(page))
    asked = [r for r in engine.asked if r.slot == "Learned"]
    assert all(len(request.checkpoints) == 1 for request in asked)
    assert asked[0].checkpoints[0].step == STEPS[-1]
    steps = [request.checkpoints[0].step for request in asked]
    assert len(set(steps)) == len(steps)


def test_the_search_says_what_it_assumes_and_what_it_found_for_each_target(shown, qtbot):
    search(shown, qtbot)
    story = shown.story()
    assert "assumes that what is known once (rank 1) stays known" in story
    assert "␣x: " in story
    assert "yz: " in story
    assert "␣w: " not in story
    assert f"{len(shown._results)} of {len(STEPS)} checkpoints looked at" in story


def test_only_what_was_looked_at_is_drawn(shown, qtbot):
    search(shown, qtbot)
    (trace,) = shown._curve.plot.traces
    assert trace.steps == tuple(sorted(shown._results))
    assert shown._curve.plot.marked_points() == len(trace.steps)


def test_a_search_goes_on_without_a_checkpoint_that_fails_and_says_so(page, qtbot, engine):
    engine.broken[STEPS[-1]] = "the file is cut short"
    page._mode.choose("quick")
    page.set_shown(True)
    qtbot.waitUntil(lambda: bool(page._results) and page._looking is None and told(page))
    assert STEPS[-2] in page._results
    assert f"Left out, step {STEPS[-1]:,}: the file is cut short" in page.story()


def test_a_search_gives_up_when_one_checkpoint_after_the_other_fails(page, qtbot, engine):
    engine.broken.update(dict.fromkeys(STEPS, "no memory is left"))
    page._mode.choose("quick")
    page.set_shown(True)
    qtbot.waitUntil(lambda: page._failures == MOST_FAILURES and told(page))
    asked = [r for r in engine.asked if r.slot == "Learned"]
    assert len(asked) == MOST_FAILURES
    assert "given up" in page._says.whole_text()
    assert page._measure.isVisible()


def test_a_search_stops_when_it_is_told_to_and_goes_on_with_measure(page, qtbot, engine):
    last = STEPS[-1]
    engine.hold(last)
    page._mode.choose("quick")
    page.set_shown(True)
    qtbot.waitUntil(lambda: page._looking == last and page._stop.isVisible())
    assert f"Looking at step {last:,}." in page.story()
    QTest.mouseClick(page._stop, Qt.MouseButton.LeftButton)
    engine.release(last)
    qtbot.waitUntil(lambda: told(page) and STOPPED in page._says.whole_text())
    QApplication.processEvents()
    assert not page._failed
    QTest.mouseClick(page._measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: last in page._results and told(page))


def test_another_question_ends_the_search_for_the_old_one(page, qtbot, engine):
    engine.hold(STEPS[-1])
    page._mode.choose("quick")
    page.set_shown(True)
    qtbot.waitUntil(lambda: page._looking is not None)
    page.workspace.write_prompt("abd")
    qtbot.waitUntil(lambda: not (page.runner.running or page._looking))
    engine.release(STEPS[-1])
    assert page._results == {}
