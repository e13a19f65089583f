"""Curves with bands, intervals and remarks: drawn as measured, named without overlap."""

import math
from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTransform
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pythia_gui.core.steps import STEPS, TOKENS_PER_STEP, log_steps
from pythia_gui.ui import theme
from pythia_gui.ui.band_plot import (
    DIFFERENCE,
    SCORE_UNITS,
    BandView,
    ScaleChoice,
    Span,
    Trace,
    _areas,
)
from pythia_gui.ui.step_plot import Stroke, series_color
from tests.ui.samples import MARKUP, OVERRIDE, dress

LOG = log_steps(STEPS)
PROBABILITY = SCORE_UNITS["probability"]


def trace(name="a", values=None, *, steps=LOG, number=0, **more):
    given = np.linspace(0.1, 0.9, len(steps)) if values is None else values
    tokens = tuple(step * TOKENS_PER_STEP for step in steps)
    numbers = np.asarray(given, np.float64)
    more.setdefault("stroke", Stroke(number))
    return Trace(name, tuple(steps), numbers, tokens=tokens, **more)


@pytest.fixture
def view(qtbot, qapp):
    dress(qapp)
    made = BandView("Test")
    qtbot.addWidget(made)
    made.resize(900, 360)
    made.show_traces([trace(), trace("b", number=1)], PROBABILITY, "even")
    made.show()
    QApplication.processEvents()
    return made


@pytest.mark.parametrize("scale", ["even", "log2", "tokens"])
@pytest.mark.parametrize("kind", list(SCORE_UNITS))
def test_every_measured_point_is_drawn_within_the_frame(view, kind, scale):
    values = {"rank": np.arange(1, len(LOG) + 1), "logprob": -np.arange(len(LOG))}
    view.show_traces([trace(values=values.get(kind))], SCORE_UNITS[kind], scale)
    plot, frame = view.plot, view.plot.frame()
    assert plot.drawn_points() == len(LOG)
    for step, height in zip(LOG, plot.lines[0].heights, strict=True):
        assert frame.left() <= plot.x_of(step) <= frame.right()
        assert frame.top() <= plot.y_of(height) <= frame.bottom() + 1


def test_differences_have_their_zero_on_the_axis_and_both_signs_in_the_frame(view):
    for values in ([-3.0, -1.0], [2.0, 5.0], [-2.0, 4.0]):
        view.show_traces([trace(steps=(0, 1), values=values)], DIFFERENCE, "even")
        frame = view.plot.frame()
        for height in (0.0, *values):
            assert frame.top() <= view.plot.y_of(height) <= frame.bottom()
    assert view.labels.texts()[0][1] == "−2.000"
    view.select(1)
    assert view.labels.texts()[0][1] == "+4.000"


def test_a_band_is_painted_in_its_curves_colour_between_low_and_high(view):
    values = np.full(len(LOG), 0.5)
    banded = trace(values=values, low=values - 0.3, high=values + 0.3)
    view.show_traces([banded], PROBABILITY, "even")
    view.select(0)
    QApplication.processEvents()
    picture, plot = view.plot.grab().toImage(), view.plot
    x = round((plot.x_of(LOG[5]) + plot.x_of(LOG[6])) / 2)
    within = picture.pixelColor(x, round(plot.y_of(0.73)))
    outside = picture.pixelColor(x, round(plot.y_of(0.83)))
    surface, blue = theme.current_theme().surface, series_color(0)
    assert outside.rgb() == surface.rgb()
    assert within.rgb() != surface.rgb()
    assert abs(within.red() - blue.red()) < abs(surface.red() - blue.red())


def test_a_band_is_broken_where_it_is_not_known(view):
    xs = np.arange(6.0)
    low = np.array([0, 0, math.nan, 0, 0, 0.0])
    shapes = _areas(QTransform(), xs, low, low + 1)
    assert [shape.size() for shape in shapes] == [4, 6]


def test_a_gap_breaks_the_line(view):
    view.show_traces(
        [trace(steps=(0, 1, 2, 4), values=[0.1, math.nan, 0.3, 0.5])], PROBABILITY, "even"
    )
    view.grab()
    assert len(view.plot._drawing._pieces[0]) == 1
    assert "× no number" in view.plot._named[1]


def test_intervals_are_named_above_the_curves_and_do_not_overlap(view):
    spans = [Span(None, 0, "first", row=0), Span(512, 1_000, "second", row=1)]
    spans.append(Span(128_000, 143_000, "third, a long name that has no room on the right", row=2))
    view.show_traces([trace()], PROBABILITY, "even", spans)
    QApplication.processEvents()
    boxes, frame = view.plot.span_boxes(), view.plot.frame()
    assert all(not a.intersects(b) for a, b in pairwise(boxes))
    assert all(box.top() >= 0 and box.bottom() <= frame.top() + 2 for box in boxes)
    assert all(frame.left() <= box.left() and box.right() <= frame.right() for box in boxes)


def test_an_interval_reaches_from_its_step_before_to_its_step_at_and_can_be_seen(view):
    spans = [Span(512, 1_000, "", row=None), Span(None, 4_000, "", row=None)]
    view.show_traces([trace()], PROBABILITY, "even", spans)
    left, right = view.plot.span_ends(spans[0])
    assert (left, right) == (view.plot.x_of(512), view.plot.x_of(1_000))
    left, right = view.plot.span_ends(spans[1])
    assert right - left >= 3
    assert (left + right) / 2 == pytest.approx(view.plot.x_of(4_000))


@pytest.mark.parametrize("count", [1, 4, 12])
def test_names_of_equal_curves_do_not_overlap(view, count):
    view.show_traces([trace(f"c{n}", number=n) for n in range(count)], PROBABILITY, "even")
    QApplication.processEvents()
    rects = sorted(view.labels.rects(), key=lambda rect: rect.top())
    assert len(rects) == count
    assert all(not a.intersects(b) for a, b in pairwise(rects))


def test_a_note_stands_at_its_curve_as_a_mark_and_in_full_in_the_tool_tip(view):
    noted = trace("pythia-1b", notes=(("¹", "Mixed precision with bfloat16."),))
    view.show_traces([noted], PROBABILITY, "even")
    QApplication.processEvents()
    assert view.labels.texts()[0][0] == "pythia-1b ¹"
    middle = view.labels.rects()[0].center().y()
    assert view.labels.tip_at(middle) == "pythia-1b ¹\n¹ Mixed precision with bfloat16."
    assert view.labels.tip_at(view.labels.rects()[0].bottom() + 40) == ""


def test_hidden_characters_of_a_name_are_spelled_and_markup_is_text(view):
    view.show_traces([trace(MARKUP), trace(OVERRIDE, number=1)], PROBABILITY, "even")
    names = [name for name, _ in view.labels.texts()]
    assert names == [MARKUP, "‹U+202E›evil‹U+202C›"]
    view.select(512)
    assert any(line.startswith(MARKUP) for line in view.plot.hover_lines(512))


def test_the_bubble_says_the_number_its_band_and_why_there_is_none(view):
    values = np.array([0.5, math.nan])
    given = trace(steps=(0, 1), values=values, low=values - 0.1, high=values + 0.1)
    broken = Trace(
        given.name, given.steps, given.values, given.stroke, given.tokens, given.low, given.high,
        problems={1: "the logits were not finite"},
    )  # fmt: skip
    view.show_traces([broken], PROBABILITY, "even")
    assert view.plot.hover_lines(0)[1] == "a   50.0 %  (40.0 % to 60.0 %)"
    assert view.plot.hover_lines(1)[1] == "a   the logits were not finite"


def test_a_click_asks_for_the_nearest_step(qtbot, view):
    asked: list[int] = []
    view.step_requested.connect(asked.append)
    at = QPoint(round(view.plot.x_of(1_000)) + 1, round(view.plot.frame().center().y()))
    QTest.mouseClick(view.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert asked == [1_000]


def test_models_with_other_steps_share_one_axis_of_tokens(view):
    coarse = trace("coarse", steps=LOG[::3], number=1)
    view.show_traces([trace(), coarse], PROBABILITY, "tokens")
    fine, other = view.plot.lines
    assert set(other.xs) <= set(fine.xs)
    assert fine.xs[-1] == LOG[-1] * TOKENS_PER_STEP


def test_tokens_can_not_be_chosen_where_they_are_not_known(qtbot, qapp):
    dress(qapp)
    choice = ScaleChoice()
    qtbot.addWidget(choice)
    choice.choose("tokens")
    choice.set_tokens_known(False)
    assert choice.scale == "even"
    assert not choice.button("tokens").isEnabled()
    choice.set_tokens_known(True)
    assert choice.button("tokens").isEnabled()


def test_the_view_follows_the_theme(qapp, view):
    dress(qapp, "dark")
    picture = view.grab().toImage()
    dress(qapp)
    assert picture.pixelColor(2, 2).lightness() < 90
