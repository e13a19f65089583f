"""What all comparing views have in common: a plan, its run, a table twin, an empty state."""

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from pythia_gui.core.library import ModelEntry, PromptError
from pythia_gui.core.requests import Request
from pythia_gui.ui import theme
from pythia_gui.ui.runner import STOPPED
from pythia_gui.ui.tables import Column, Table
from pythia_gui.ui.views.page import Absent, Page, Plan, absent_of, cost_line, duration
from tests.fakes import checkpoint, prompt


class Sample(Page):
    """Asks some steps for one prompt, and keeps what came of it."""

    name = "Sample"

    def __init__(self, workspace):
        self.model = "fake"
        self.steps = (0, 1, 2)
        self.prompts = (prompt("ab", "x"),)
        self.refusal = ""
        self.remark = ""
        self.results = []
        self.drawn = 0
        self.slow_s = 0.0
        self.built_before_planned = False
        self.canvas = None
        super().__init__(workspace)

    def build(self):
        self.canvas = QWidget()
        return self.canvas

    def plan(self):
        self.built_before_planned = self.canvas is not None
        if self.refusal:
            raise PromptError(self.refusal)
        at = tuple(checkpoint(step, self.model) for step in self.steps)
        return Plan((Request(self.runner.slot, at, self.prompts, background=True),), self.remark)

    def clear(self):
        self.results = []

    def take(self, result):
        self.results.append((result.checkpoint.step, result.prompt.text, result.error))

    def redraw(self):
        self.drawn += 1
        time.sleep(self.slow_s)  # a view that takes long to draw

    def table(self):
        columns = (Column("step", "whole"), Column("prompt"))
        return Table(columns, [(step, text) for step, text, _ in self.results])


@pytest.fixture
def page(qtbot, light, workspace):
    made = Sample(workspace)
    qtbot.addWidget(made)
    made.resize(900, 500)
    made.show()
    return made


@pytest.fixture
def shown(page, qtbot):
    page.set_shown(True)
    qtbot.waitUntil(lambda: len(page.results) == 3 and not page.runner.running)
    qtbot.waitUntil(lambda: page._says.whole_text() == "3 answers")
    return page


def steps_of(page):
    return [step for step, _, _ in page.results]


def test_a_short_run_begins_by_itself_when_the_page_is_looked_at(page, qtbot, engine):
    qtbot.wait(30)
    assert engine.asked == []
    page.set_shown(True)
    qtbot.waitUntil(lambda: steps_of(page) == [0, 1, 2])
    assert page.built_before_planned
    qtbot.waitUntil(lambda: page._says.whole_text() == "3 answers")
    assert not page._measure.isVisible()
    assert not page._stop.isVisible()
    assert page.drawn >= 1


def test_a_long_run_says_what_it_costs_and_waits_for_measure(page, qtbot, engine):
    page.prompts = tuple(prompt(f"number {n}") for n in range(1_000))
    page.set_shown(True)
    qtbot.waitUntil(page._measure.isVisible)
    assert engine.asked == []
    said = page._says.whole_text()
    assert "3 checkpoints on this machine · 1,000 prompts · time not known" in said
    qtbot.mouseClick(page._measure, Qt.MouseButton.LeftButton)
    assert page.runner.running
    qtbot.waitUntil(lambda: len(page.results) == 3_000, timeout=30_000)
    qtbot.waitUntil(lambda: "3,000 answers" in page._says.whole_text())


def test_a_long_plan_after_a_finished_run_waits_as_well(shown, qtbot):
    shown.model = "one that nobody has timed"
    shown.prompts = tuple(prompt(f"number {n}") for n in range(1_000))
    shown.refresh()
    qtbot.waitUntil(shown._measure.isVisible)
    assert shown.results == []
    assert "1,000 prompts" in shown._says.whole_text()


def test_stop_keeps_what_came_and_measure_goes_on(page, qtbot, engine):
    engine.hold(1)
    page.set_shown(True)
    qtbot.waitUntil(lambda: steps_of(page) == [0])
    qtbot.waitUntil(page._stop.isVisible)
    qtbot.mouseClick(page._stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: STOPPED in page._says.whole_text())
    assert page._says.whole_text().startswith("1 of 3 answers")
    assert steps_of(page) == [0]
    engine.release(1)
    qtbot.mouseClick(page._measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: set(steps_of(page)) == {0, 1, 2})
    qtbot.waitUntil(lambda: page._says.whole_text() == "3 answers")


def test_answers_to_an_old_plan_never_come_into_a_new_one(page, qtbot, engine):
    engine.hold(1)
    page.set_shown(True)
    qtbot.waitUntil(lambda: steps_of(page) == [0])
    page.prompts = (prompt("another"),)
    page.refresh()
    qtbot.waitUntil(lambda: page.results == [(0, "another", None)])
    engine.release(1)
    qtbot.waitUntil(lambda: len(page.results) == 3)
    assert {text for _, text, _ in page.results} == {"another"}


def test_the_same_plan_again_asks_nothing(shown, qtbot, engine):
    asked = len(engine.asked)
    shown.refresh()
    qtbot.wait(60)
    assert len(engine.asked) == asked
    assert steps_of(shown) == [0, 1, 2]


def test_an_error_reaches_the_view_as_an_answer(page, qtbot, engine):
    engine.broken[1] = "step 1 is damaged"
    page.set_shown(True)
    qtbot.waitUntil(lambda: len(page.results) == 3)
    assert (1, "ab", "step 1 is damaged") in page.results
    qtbot.waitUntil(lambda: page._says.whole_text() == "3 answers")


def test_a_failure_is_said_and_can_be_measured_again(page, qtbot, engine):
    engine.raising[1] = RuntimeError("out of luck")
    page.set_shown(True)
    qtbot.waitUntil(lambda: "out of luck" in page._says.whole_text())
    engine.raising.clear()
    qtbot.mouseClick(page._measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page._says.whole_text() == "3 answers")


def test_a_page_that_can_ask_nothing_says_what_to_do(page, qtbot):
    page.refusal = "Choose a model on the left."
    page.set_shown(True)
    qtbot.waitUntil(lambda: page._message.text() == "Choose a model on the left.")
    assert page._message.isVisible()
    assert page._says.whole_text() == ""
    middle = page._message.mapTo(page, page._message.rect().center())
    assert abs(middle.x() - page.width() // 2) < 8
    for button in (page._measure, page._stop, page._as_table, page._copy):
        assert not button.isVisible()
    page.refusal = ""
    page.refresh()
    qtbot.waitUntil(lambda: page.canvas is not None and page.canvas.isVisible())
    assert page._as_table.isVisible()


def test_a_page_that_is_not_looked_at_asks_nothing_new(shown, qtbot, engine):
    asked = len(engine.asked)
    shown.set_shown(False)
    shown.prompts = (prompt("another"),)
    shown._on_question()
    qtbot.wait(60)
    assert len(engine.asked) == asked
    assert shown.results == []
    shown.set_shown(True)
    qtbot.waitUntil(lambda: [text for _, text, _ in shown.results] == ["another"] * 3)


def test_a_run_goes_on_while_another_page_is_looked_at(page, qtbot, engine):
    engine.hold(1)
    page.set_shown(True)
    qtbot.waitUntil(lambda: steps_of(page) == [0])
    page.set_shown(False)
    drawn = page.drawn
    engine.release(1)
    qtbot.waitUntil(lambda: steps_of(page) == [0, 1, 2])
    assert page.drawn == drawn
    page.set_shown(True)
    qtbot.waitUntil(lambda: page.drawn > drawn)


def test_the_table_twin_holds_the_same_numbers_in_both_palettes(shown, qtbot, qapp):
    qtbot.mouseClick(shown._as_table, Qt.MouseButton.LeftButton)
    for mode in ("dark", "light"):
        theme.apply(qapp, mode)
        assert shown._table.isVisible()
        assert not shown.canvas.isVisible()
        assert shown._table.as_csv() == "step,prompt\n0,ab\n1,ab\n2,ab\n"
        ground = theme.current_theme().surface
        image = shown._table.grab().toImage()
        assert image.pixelColor(image.width() - 4, image.height() - 4) == ground
    qtbot.mouseClick(shown._as_table, Qt.MouseButton.LeftButton)
    assert shown.canvas.isVisible()


def test_the_numbers_are_copied_as_csv(shown, qtbot):
    qtbot.mouseClick(shown._copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "step,prompt\n0,ab\n1,ab\n2,ab\n"


def test_a_view_that_is_slow_to_draw_is_drawn_less_often(page, qtbot):
    page.slow_s = 0.05
    page.steps = tuple(range(1_000))
    began = time.monotonic()
    page.set_shown(True)
    qtbot.waitUntil(lambda: len(page.results) == 1_000, timeout=30_000)
    qtbot.waitUntil(lambda: page._says.whole_text() == "1,000 answers")
    assert page.drawn * 0.05 < 0.4 * (time.monotonic() - began) + 0.15


def test_a_thousand_prompts_at_thirty_steps_leave_the_window_free(page, qtbot):
    page.prompts = tuple(prompt(f"number {n}", "x", "y") for n in range(1_000))
    page.steps = tuple(range(30))
    page.set_shown(True)
    qtbot.waitUntil(page._measure.isVisible)
    page.measure()
    began, busy = time.monotonic(), time.thread_time()
    qtbot.waitUntil(lambda: page.runner.done == 30_000, timeout=90_000)
    busy = time.thread_time() - busy
    assert busy < 30  # seconds, with all that the worker hands over
    assert page.drawn < (time.monotonic() - began) / 0.033 + 3


ENTRY = ModelEntry(
    key="k",
    name="fake",
    suite="s",
    source="hub",
    steps=(0, 1, 2, 512, 1_000),
    here=frozenset((0, 1)),
    batch_tokens=1,
    context=64,
    known_bad={512: "broken"},
)


def test_what_would_have_to_be_downloaded_is_said(workspace):
    at = [checkpoint(0), checkpoint(1), checkpoint(1)]
    absent = absent_of(at, [ENTRY])
    assert absent.checkpoints == 2
    assert absent.size_bytes == 2 * 2 * at[0].config.parameters
    assert absent_of([checkpoint(0, model="other")], [ENTRY]) == Absent()
    cost = workspace.pace.cost([Request("s", tuple(at), (prompt(),))])
    line = cost_line(cost, Absent(2, 28_000_000_000))
    assert line.startswith("2 checkpoints on this machine · 2 more would have to be downloaded")
    assert "28.0 GB" in line


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (120, "2 min"), (7_200, "2.0 h")]
)
def test_a_length_of_time_has_the_unit_that_fits(seconds, words):
    assert duration(seconds) == words
