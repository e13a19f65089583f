"""The page Rivals: differences, crossings, and the mean of a set with its band."""

import csv
import io
from typing import Literal

import numpy as np
import pytest

from pythia_gui.core.acquisition import Bracket
from pythia_gui.core.prompt_sets import PromptEntry, PromptSet
from pythia_gui.core.rivalry import bootstrap_band, crossings
from pythia_gui.ui.band_plot import Trace
from pythia_gui.ui.questions import Ending
from pythia_gui.ui.step_plot import Stroke
from pythia_gui.ui.views.rivals import MOST_PAIRS, Rivals, crossed, pairs_of
from tests.ui.conftest import STEPS
from tests.ui.views.varied import VariedEngine

FOIL: Literal["foil"] = "foil"


@pytest.fixture
def engine():
    return VariedEngine()


@pytest.fixture
def page(qtbot, light, workspace):
    workspace.show_model("demo-s")
    workspace.write_prompt("abc")
    made = Rivals(workspace)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def ask(page, qtbot, *endings):
    page.workspace.set_endings(endings)
    page.workspace.run()
    page.set_shown(True)
    drawn(page, qtbot)


def drawn(page, qtbot):
    def so():
        done = page.runner.total and page.runner.done == page.runner.total
        return bool(done or (page._plan and page._plan.message)) and not page._dirty

    qtbot.waitUntil(lambda: so() and not page.runner.running and page.workspace.settled)


def some_set(count=6, groups=("one", "other")):
    return PromptSet(
        "some",
        tuple(
            PromptEntry(f"ab{n}", f" t{n}", f" f{n}", groups[n % len(groups)]) for n in range(count)
        ),
    )


def ahead(result):
    target, foil = result.targets
    return target.logprob - foil.logprob


def test_each_target_meets_each_foil():
    endings = [Ending(" a"), Ending(" b"), Ending(" x", FOIL), Ending(" y", FOIL)]
    names = [pair.name for pair in pairs_of(endings)]
    assert names == ["␣a − ␣x", "␣a − ␣y", "␣b − ␣x", "␣b − ␣y"]


def test_without_a_foil_the_targets_meet_each_other():
    names = [pair.name for pair in pairs_of([Ending(" a"), Ending(" b"), Ending(" c")])]
    assert names == ["␣a − ␣b", "␣a − ␣c", "␣b − ␣c"]


def test_one_ending_alone_is_no_rivalry_and_the_page_says_what_is_needed(page, qtbot):
    ask(page, qtbot, Ending(" a"))
    assert "Type a target and a foil" in page._plan.message


def test_the_differences_are_target_less_foil_at_every_step(page, qtbot):
    ask(page, qtbot, Ending(" a"), Ending(" x", FOIL))
    (trace,) = page._traces
    assert trace.steps == STEPS
    expected = [ahead(page._results[step]) for step in STEPS]
    np.testing.assert_allclose(trace.values, expected)
    assert page._plot.plot.unit.zero


def test_crossings_are_listed_with_their_interval_and_marked_on_the_plot(page, qtbot):
    ask(page, qtbot, Ending(" a"), Ending(" x", FOIL), Ending(" y", FOIL))
    expected = [at for trace in page._traces for at in crossings(trace.steps, trace.values)]
    assert [at for _, at, _ in page._crossed if at is not None] == expected
    assert [(span.before, span.at) for span in page._plot.plot.spans] == [
        (at.before, at.at) for at in expected
    ]


def test_a_crossing_says_who_is_ahead_from_then_on():
    trace = Trace("a − b", (0, 1, 2, 4), np.array([-1.0, 2.0, np.nan, -3.0]), Stroke(0))
    rows = crossed([trace], [("a", "b")])
    assert rows == [("a − b", Bracket(0, 1), "a"), ("a − b", Bracket(1, 4), "b")]


def test_a_curve_without_a_crossing_says_who_is_ahead_throughout():
    trace = Trace("a − b", (0, 1), np.array([-1.0, -2.0]), Stroke(0))
    assert crossed([trace], [("a", "b")]) == [("a − b", None, "b throughout")]


def test_choosing_a_crossing_goes_to_its_step(page, qtbot):
    ask(page, qtbot, *(Ending(f" {n}", FOIL if n else "target") for n in range(4)))
    rows = [n for n, (_, at, _) in enumerate(page._crossed) if at is not None]
    page._list.row_chosen.emit(rows[0])
    assert page.workspace.step == page._crossed[rows[0]][1].at


def test_more_pairs_than_colours_are_cut_and_the_page_says_so(page, qtbot):
    ask(page, qtbot, *(Ending(f" {n}") for n in range(5)))
    assert len(page._traces) == MOST_PAIRS
    assert f"the first {MOST_PAIRS} of 10 pairs" in page._plan.remark


def test_endings_of_several_tokens_are_summed_and_the_page_says_so(page, qtbot):
    ask(page, qtbot, Ending("ab"), Ending("c", FOIL))
    assert "summed over their tokens" in page._plan.remark


def test_a_failed_checkpoint_is_a_gap_with_its_reason(page, qtbot, engine):
    engine.broken[512] = "the file is cut short"
    ask(page, qtbot, Ending(" a"), Ending(" x", FOIL))
    assert np.isnan(page._traces[0].value_at(512))
    assert page._plot.plot.hover_lines(512)[1].endswith("the file is cut short")


def test_the_table_twin_has_a_column_for_each_pair(page, qtbot):
    ask(page, qtbot, Ending(" a"), Ending(" x", FOIL), Ending(" y", FOIL))
    rows = list(csv.DictReader(io.StringIO(page.table().as_csv())))
    assert [int(row["Step"]) for row in rows] == list(STEPS)
    numbers = [float(row["␣a − ␣y"]) for row in rows]
    np.testing.assert_allclose(numbers, page._traces[1].values)


# ----------------------------------------------------------------------------------- the set


def open_set(page, qtbot, prompts):
    page.workspace.set_endings((Ending(" a"), Ending(" x", FOIL)))
    page.workspace.run()
    page.workspace.set_prompt_set(prompts)
    page.set_shown(True)
    page._scope.button("set").click()
    said = "No prompt"
    qtbot.waitUntil(lambda: bool(page._means or (page._plan and said in page._plan.message)))
    drawn(page, qtbot)


def test_the_set_can_be_chosen_once_there_is_one(page):
    assert not page._scope.button("set").isEnabled()
    page.workspace.set_prompt_set(some_set())
    assert page._scope.button("set").isEnabled()
    page.workspace.set_prompt_set(None)
    assert page._scope.key == "prompt"
    assert not page._scope.button("set").isEnabled()


def test_the_mean_of_a_set_has_the_bootstrap_band_of_its_prompts(page, qtbot):
    open_set(page, qtbot, some_set())
    (trace,) = page._traces
    values = page._means.values
    assert values.shape == (6, len(STEPS))
    assert np.isfinite(values).all()
    np.testing.assert_allclose(trace.values, values.mean(axis=0))
    low, high = bootstrap_band(values)
    np.testing.assert_allclose(trace.low, low)
    np.testing.assert_allclose(trace.high, high)
    assert trace.name == "mean, n = 6"
    assert "95 % bootstrap band over prompts" in page._plan.remark


def test_groups_of_a_set_have_a_mean_and_a_band_each_without_asking_again(page, qtbot, engine):
    open_set(page, qtbot, some_set())
    asked = len(engine.asked)
    page._parts.button("groups").click()
    qtbot.waitUntil(lambda: len(page._traces) == 2)
    assert [trace.name for trace in page._traces] == ["one, n = 3", "other, n = 3"]
    low, _ = bootstrap_band(page._means.values[1::2])
    np.testing.assert_allclose(page._traces[1].low, low)
    assert len(engine.asked) == asked


def test_prompts_without_a_pair_are_left_out_and_counted(page, qtbot):
    lame = PromptEntry("ab", " t", "", "one")
    open_set(page, qtbot, PromptSet("some", (*some_set(3).entries, lame)))
    assert page._means.values.shape[0] == 3
    assert "1 prompt" in page._plan.remark


def test_a_set_without_pairs_says_so(page, qtbot):
    open_set(page, qtbot, PromptSet("some", (PromptEntry("ab", " t"),)))
    assert page._plan.message == "No prompt of this set has both a target and a foil."


def test_a_prompt_that_stands_twice_in_a_set_counts_twice(page, qtbot):
    once = some_set(2)
    open_set(page, qtbot, PromptSet("some", (*once.entries, once.entries[0])))
    assert page._means.values.shape[0] == 3
    np.testing.assert_array_equal(page._means.values[0], page._means.values[2])
    assert len(page._plan.requests[0].prompts) == 2
