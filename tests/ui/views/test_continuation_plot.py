"""The plot of measures: points where measured, lines between neighbours alone, labelled axes."""

import math

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from pythia_gui.ui.views.continuation_plot import Measured, MeasurePlot, Panel, Panels, ticks

LEFT = Qt.MouseButton.LeftButton
STEPS = (0, 1, 512, 1_000)
GAP = (0.5, math.nan, 0.25, 0.75)


@pytest.fixture
def plot(qtbot, light):
    made = MeasurePlot()
    qtbot.addWidget(made)
    made.resize(640, 400)
    whole = Measured("distinct-1", (0.9, 0.8, 0.7, 0.6))
    made.show_panels(
        Panels(
            STEPS,
            (0, 2_097_152, None, None),
            ("", "the weights hold NaN", "", ""),
            (
                Panel("share", (whole, Measured("distinct-2", GAP)), (0.0, 1.0)),
                Panel("bits per token", (Measured("surprisal", (9.0, math.nan, 3.0, 2.0)),)),
            ),
        )
    )
    made.show()
    return made


def test_a_line_joins_measured_neighbours_and_breaks_at_a_gap(plot):
    first, second = plot.shown.panels[0].lines
    assert plot.joined(first) == [(0, 1), (1, 2), (2, 3)]
    assert plot.joined(second) == [(2, 3)]


def test_a_click_asks_for_the_nearest_step(plot):
    heard: list[int] = []
    plot.step_requested.connect(heard.append)
    QTest.mouseClick(plot, LEFT, pos=QPoint(round(plot.x_of(512)) + 9, 100))
    QTest.mouseClick(plot, LEFT, pos=QPoint(round(plot.x_of(0)) - 5, 300))
    assert heard == [512, 0]


def test_the_arrow_keys_ask_for_the_neighbours(plot):
    heard: list[int] = []
    plot.step_requested.connect(heard.append)
    plot.select(512)
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End):
        QTest.keyClick(plot, key)
    assert heard == [1, 1_000, 0, 1_000]


def test_the_pointer_reads_every_number_of_a_step_or_why_there_is_none(plot):
    assert plot.lines_of(512) == (
        "step 512", "distinct-1   0.70", "distinct-2   0.25", "surprisal   3.00"
    )  # fmt: skip
    assert plot.lines_of(1)[0].startswith("step 1  ·  2.1 M")
    plot.show_panels(Panels((1,), (None,), ("the weights hold NaN",), plot.shown.panels[1:0]))
    assert plot.lines_of(1) == ("step 1", "the weights hold NaN")


def test_a_measured_point_is_drawn_where_its_number_is(plot):
    image = plot.grab().toImage()
    frames = plot.frames()
    color = image.pixelColor(round(plot.x_of(512)), round(frames[1].y(3.0)))
    blank = image.pixelColor(round(plot.x_of(1)), round(frames[1].y(6.0)))
    assert color.name() == "#0072b2"
    assert blank.name() == "#ffffff"


def test_panels_stand_below_one_another_inside_the_widget(plot):
    one, other = plot.frames()
    assert 0 < one.rect.top() < one.rect.bottom() < other.rect.top()
    assert other.rect.bottom() < plot.height() - 20
    assert one.rect.right() < plot.width()


def test_an_axis_begins_at_zero_and_ends_beyond_the_largest_value():
    low, high = Panel("bits", (Measured("x", (1.0, math.nan, 4.0)),)).range()
    assert low == 0
    assert 4 < high < 5
    assert Panel("share", (Measured("x", (0.0,)),), least=0.25).range() == (0.0, 0.25)
    assert Panel("bits", (Measured("x", (math.nan,)),)).range() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("high", "expected"),
    [(1.0, [0, 0.25, 0.5, 0.75, 1]), (9.4, [0, 2.5, 5, 7.5]), (0.25, [0, 0.1, 0.2])],
)
def test_ticks_are_round(high, expected):
    assert ticks(0.0, high, 4) == expected


def test_nothing_to_show_is_drawn_as_nothing(qtbot, light):
    made = MeasurePlot()
    qtbot.addWidget(made)
    made.show()
    assert made.nearest(10) is None
    QTest.mouseClick(made, LEFT)
    assert made.grab().toImage().pixelColor(5, 5).alpha() == 255
