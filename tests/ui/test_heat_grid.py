"""The matrix: every cell where it belongs, read and chosen by pointer and by key."""

import statistics
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QFontMetricsF
from PySide6.QtTest import QTest

from benchmarks.map_scroll import CONTROL, LIMIT_MS, Map, frames_ms, scrub, wheel, zoom
from pythia_gui.core.steps import STEPS, log_steps
from pythia_gui.ui import theme
from pythia_gui.ui.axes import positions
from pythia_gui.ui.curve_strip import CurveStrip
from pythia_gui.ui.heat_grid import HeatGrid
from pythia_gui.ui.map_numbers import SCALES
from pythia_gui.ui.scales import colours, shades_of
from pythia_gui.ui.sheet import (
    Bands,
    Glyph,
    Group,
    Row,
    Sheet,
    bands_of,
    edges_of,
    expanded,
    stacked,
    told_apart,
)

LEFT = Qt.MouseButton.LeftButton
SCALE = SCALES["logprob"]
STEPS_12 = log_steps(STEPS)
AXES = ("even", "log2", "tokens")
ascending = st.lists(st.floats(0, 1e4), min_size=2, max_size=20, unique=True).map(sorted)


def sheet_of(values, *, axis="even", **more):
    steps = STEPS_12[: values.shape[1]]
    rows = tuple(Row(f"word {row}", str(row + 2)) for row in range(len(values)))
    return Sheet(values, rows, steps, positions(axis, steps, steps), axis, **more)


@pytest.fixture
def values():
    numbers = -np.arange(60, dtype=np.float32).reshape(4, 15) / 5
    numbers[2, 3] = np.nan
    return numbers


@pytest.fixture
def grid(qtbot, light, values):
    made = HeatGrid("Map")
    qtbot.addWidget(made)
    made.resize(800, 300)
    made.show_sheet(sheet_of(values), SCALE, SCALE.fixed)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def chosen(grid):
    cells = []
    grid.chosen.connect(lambda row, column: cells.append((row, column)))
    return cells


@pytest.fixture
def hovered(grid):
    cells = []
    grid.hovered.connect(lambda row, column: cells.append((row, column)))
    return cells


def middle(grid, row, column):
    return grid.cell_rect(row, column).center().toPoint()


def colour_at(grid, row, column):
    return grid.image().pixelColor(middle(grid, row, column) - grid.area.topLeft())


# ---------------------------------------------------------------------------------- geometry


@given(ascending)
def test_edges_lie_half_way_between_neighbours(places):
    at = np.array(places)
    edges = edges_of(at)
    assert edges[1:-1] == pytest.approx((at[1:] + at[:-1]) / 2)
    assert (at - edges[:-1])[0] == pytest.approx((edges[1:] - at)[0], abs=1e-6)
    assert (at - edges[:-1])[-1] == pytest.approx((edges[1:] - at)[-1], abs=1e-6)


def test_a_single_column_has_two_edges():
    assert edges_of(np.array([7.0])).tolist() == [6.5, 7.5]


@given(ascending, st.lists(st.floats(-10, 1_100), min_size=1, max_size=30))
def test_the_band_at_a_place_is_the_one_around_it(places, asked):
    bands = bands_of(np.array(places), 1_000.0)
    for place, found in zip(asked, bands.over(np.array(asked)).tolist(), strict=True):
        around = [n for n in range(len(bands)) if bands.starts[n] <= place < bands.ends[n]]
        assert ([found] if found >= 0 else []) == around[-1:]


def test_rows_leave_room_for_the_headings_above_them():
    bands = stacked(4, 10.0, [0, 2], 6.0)
    assert bands.starts.tolist() == [6.0, 16.0, 32.0, 42.0]
    assert bands.over(np.array([3.0, 6.0, 25.9, 28.0, 51.9, 52.0])).tolist() == [
        *(-1, 0, 1),
        *(-1, 3, -1),
    ]


def test_there_is_no_band_where_there_are_none():
    assert Bands().at(3.0) == -1


def test_cells_are_spread_over_the_pixels_that_show_them():
    ink = np.array([[1, 2, 9], [3, 4, 9], [9, 9, 9]], np.uint32)
    pixels = expanded(ink, np.array([0, -1, 1, 1]), np.array([0, 0, 1, -1]))
    assert pixels.tolist() == [[1, 1, 2, 9], [9, 9, 9, 9], [3, 3, 4, 9], [3, 3, 4, 9]]
    assert pixels.flags.c_contiguous


def elided(text, mode, room):
    short = {
        Qt.TextElideMode.ElideMiddle: f"{text[:2]}…{text[-2:]}",
        Qt.TextElideMode.ElideLeft: f"…{text[-4:]}",
        Qt.TextElideMode.ElideRight: f"{text[:4]}…",
    }
    return text if len(text) <= room else short[mode]


def test_long_names_that_differ_in_the_middle_are_still_told_apart():
    names = ("inconsequential", "inferential", "word")
    assert len({*told_apart(names, 5, elided)}) == 3
    assert told_apart(("abcdXXyz", "abceYYyz"), 5, elided) == ("…XXyz", "…YYyz")
    assert told_apart(("same", "same"), 9, elided) == ("same", "same")


# ---------------------------------------------------------------------------------- colours


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_cell_has_the_colour_of_its_number(grid, qapp, values, axis, mode):
    theme.apply(qapp, mode)
    grid.show_sheet(sheet_of(values, axis=axis), SCALE, SCALE.fixed)
    table = colours("sequential", dark=mode == "dark")
    shades = shades_of(SCALE, values, SCALE.fixed)
    seen = 0
    for row, column in np.ndindex(values.shape):
        if grid.cell_rect(row, column).width() >= 3:
            assert colour_at(grid, row, column).rgba() == table[shades[row, column]]
            seen += 1
    assert seen > 20


def test_a_gap_is_hatched_and_no_low_number(grid):
    assert colour_at(grid, 2, 3).alpha() == 0
    drawn = grid.grab().toImage()
    box = grid.cell_rect(2, 3).adjusted(3, 3, -3, -3).toRect()
    inks = {
        drawn.pixelColor(x, y).name()
        for x in range(box.left(), box.right())
        for y in range(box.top(), box.bottom())
    }
    assert theme.LIGHT.surface.name() in inks
    assert len(inks) > 1
    lowest = QColor.fromRgba(int(colours("sequential", dark=False)[0])).name()
    assert lowest not in inks


def test_zoom_and_scroll_stay_when_numbers_arrive(grid, values):
    grid.zoom_by(1.5)
    grid.horizontalScrollBar().setValue(120)
    grid.show_sheet(sheet_of(values - 1), SCALE, SCALE.fixed)
    assert grid.horizontalScrollBar().value() == 120
    grid.show_sheet(sheet_of(values[:, :9]), SCALE, SCALE.fixed)
    assert grid.horizontalScrollBar().maximum() == 0


# ---------------------------------------------------------------------------------- pointer


@pytest.mark.parametrize("axis", AXES[:2])
def test_the_pointer_reads_the_cell_under_it(grid, hovered, values, axis):
    grid.show_sheet(sheet_of(values, axis=axis), SCALE, SCALE.fixed)
    for cell in ((0, 0), (3, 14), (2, 7)):
        QTest.mouseMove(grid.viewport(), middle(grid, *cell))
    assert hovered[-3:] == [(0, 0), (3, 14), (2, 7)]
    assert grid.accessibleDescription() == f"4 word 2, step 64: {SCALE.text_of(-7.4)} nats"


def test_beside_the_cells_nothing_is_read(grid, hovered):
    QTest.mouseMove(grid.viewport(), middle(grid, 1, 1))
    QTest.mouseMove(grid.viewport(), QPoint(3, 3))
    assert hovered == [(1, 1), (-1, -1)]


def test_a_gap_says_that_it_has_no_number(grid):
    QTest.mouseMove(grid.viewport(), middle(grid, 2, 3))
    assert grid.accessibleDescription() == "4 word 2, step 4: no number"


def test_a_click_chooses_the_cell(grid, chosen):
    QTest.mouseClick(grid.viewport(), LEFT, pos=middle(grid, 3, 5))
    assert chosen == [(3, 5)]


def test_a_drag_scrubs_along_the_row_it_began_in(grid, chosen):
    grid.chosen.connect(grid.select)
    view = grid.viewport()
    QTest.mousePress(view, LEFT, pos=middle(grid, 1, 4))
    for cell in ((2, 5), (0, 6)):
        QTest.mouseMove(view, middle(grid, *cell))
    QTest.mouseMove(view, QPoint(grid.width() - 1, 0))
    QTest.mouseRelease(view, LEFT, pos=middle(grid, 1, 6))
    QTest.mouseMove(view, middle(grid, 1, 2))
    assert chosen == [(1, 4), (1, 5), (1, 6), (1, 14)]


def test_shift_and_a_click_pair_row_and_column(grid, chosen, qtbot):
    with qtbot.waitSignal(grid.paired) as paired:
        QTest.mouseClick(
            grid.viewport(), LEFT, Qt.KeyboardModifier.ShiftModifier, middle(grid, 2, 9)
        )
    assert paired.args == [2, 9]
    assert not chosen


def test_the_wheel_with_control_looks_closer_at_the_cell_under_it(grid, qapp):
    at = grid.cell_rect(2, 9).center()
    event = wheel(at, 240, CONTROL)
    qapp.sendEvent(grid.viewport(), event)
    assert grid.cell_at(at) == (2, 9)
    assert grid.cell_rect(2, 9).width() > 1.5 * grid.area.width() / 15
    grid.zoom_out()
    assert grid.horizontalScrollBar().maximum() == 0


# ---------------------------------------------------------------------------------- keys


def test_arrow_keys_move_a_cursor_and_return_chooses(grid, hovered, chosen):
    grid.select(1, 2)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_End):
        QTest.keyClick(grid, key)
    assert hovered == [(1, 3), (2, 3), (2, 2), (2, 14)]
    assert not chosen
    QTest.keyClick(grid, Qt.Key.Key_Return)
    assert chosen == [(2, 14)]
    assert grid.accessibleDescription().startswith("4 word 2, ")


def test_the_cursor_stays_within_and_is_scrolled_into_view(grid):
    grid.zoom_by(8.0)
    grid.select(0, 0)
    QTest.keyClick(grid, Qt.Key.Key_Up)
    assert grid.cell == (0, 0)
    QTest.keyClick(grid, Qt.Key.Key_End)
    assert grid.cell == (0, 14)
    assert grid.area.contains(middle(grid, 0, 14))


def test_plus_minus_and_0_zoom(grid):
    width = grid.cell_rect(0, 0).width()
    QTest.keyClick(grid, Qt.Key.Key_Plus)
    assert grid.cell_rect(0, 0).width() == pytest.approx(1.25 * width)
    QTest.keyClick(grid, Qt.Key.Key_Minus)
    assert grid.cell_rect(0, 0).width() == pytest.approx(width)
    QTest.keyClick(grid, Qt.Key.Key_Plus)
    QTest.keyClick(grid, Qt.Key.Key_0)
    assert grid.cell_rect(0, 0).width() == pytest.approx(width)


# ---------------------------------------------------------------------------------- names


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("width", [420, 800, 1600])
def test_the_labels_below_stand_apart_and_within(grid, values, axis, width):
    grid.resize(width, 300)
    grid.show_sheet(sheet_of(values, axis=axis), SCALE, SCALE.fixed)
    labels = sorted(grid._axis_labels(QFontMetricsF(theme.small_font())))
    assert len(labels) >= 2
    ends = [(x - wide / 2, x + wide / 2) for x, wide, _ in labels]
    assert all(b[0] > a[1] for a, b in pairwise(ends))
    assert ends[-1][1] <= grid.viewport().width() + 1


@pytest.mark.parametrize("rows", [3, 40, 300])
def test_the_names_of_rows_do_not_overlap_and_the_selected_one_has_its_own(grid, rows):
    grid.show_sheet(sheet_of(np.zeros((rows, 8), np.float32)), SCALE, SCALE.fixed)
    QTest.keyClick(grid, Qt.Key.Key_Minus)
    grid.select(min(rows - 1, 7), 0)
    line = QFontMetricsF(theme.small_font()).height()
    bands = grid._rows
    middles = (bands.starts + bands.ends) / 2 - grid._shift_y() + grid.area.top()
    named = sorted(grid._named_rows(middles, line))
    assert grid.selected[0] in named
    assert all(middles[b] - middles[a] >= line - 1 for a, b in pairwise(named))


def test_marks_and_headings_are_drawn_where_they_belong(grid, values):
    plain = grid.grab().toImage()
    marks = tuple(Glyph(1, 6, kind) for kind in ("ring", "dot", "line"))
    sheet = sheet_of(values, glyphs=marks, groups=(Group(0, "Prompt"), Group(3, "After")))
    grid.show_sheet(sheet, SCALE, SCALE.fixed)
    assert grid.cell_rect(3, 0).top() - grid.cell_rect(2, 0).bottom() > 10
    drawn = grid.grab().toImage()
    assert drawn != plain
    text = theme.LIGHT.text
    at = middle(grid, 1, 6)
    assert drawn.pixelColor(at) == text
    foot, x = round(grid.cell_rect(1, 10).bottom()) - 4, middle(grid, 1, 10).x()
    assert min(drawn.pixelColor(x, foot + n).lightness() for n in range(3)) < 60


def test_an_empty_matrix_is_drawn_and_takes_keys(grid, chosen):
    grid.show_sheet(Sheet.empty(), SCALE, SCALE.fixed)
    QTest.keyClick(grid, Qt.Key.Key_Right)
    QTest.keyClick(grid, Qt.Key.Key_Return)
    QTest.keyClick(grid, Qt.Key.Key_Plus)
    grid.grab()
    assert grid.cell_at(QPointF(50, 50)) == (-1, -1)
    assert not chosen


# ---------------------------------------------------------------------------------- the strip


@pytest.fixture
def strip(qtbot, grid):
    made = CurveStrip(grid, "curve")
    qtbot.addWidget(made)
    made.resize(800, 120)
    made.show()
    return made


def test_the_curve_joins_measured_neighbours_alone_and_marks_every_number(strip, grid, values):
    numbers = values[0].copy()
    numbers[[2, 4, 9]] = np.nan
    strip.show_curve("row", numbers, SCALE, SCALE.fixed)
    spots = strip.spots()
    assert np.isfinite(spots[:, 1]).sum() == 12
    joined = {(round(a), round(b)) for a, b in strip.pieces()[:, [0, 2]].tolist()}
    xs = [round(x) for x in grid.xs()]
    whole = [n for n in range(14) if not {n, n + 1} & {2, 4, 9}]
    assert joined == {(xs[n], xs[n + 1]) for n in whole}
    image = strip.grab().toImage()
    alone = spots[3]
    assert image.pixelColor(round(alone[0]), round(alone[1])) == theme.LIGHT.series[0]


def test_the_curve_stands_over_the_columns_of_the_matrix(strip, grid, values):
    grid.zoom_by(2.5)
    strip.show_curve("row", values[0], SCALE, SCALE.fixed)
    for column in range(15):
        assert strip.spots()[column, 0] == pytest.approx(grid.cell_rect(0, column).center().x())


def test_a_rank_of_1_stands_on_top_and_a_probability_of_1_too(strip, grid):
    numbers = np.array([1.0] * 14 + [50.0])
    strip.show_curve("row", numbers, SCALES["rank"], (1.0, 50.0))
    assert strip.spots()[0, 1] == pytest.approx(strip.frame().top())
    assert strip.spots()[14, 1] == pytest.approx(strip.frame().bottom())
    strip.show_curve("row", numbers / 50, SCALES["probability"], (0.0, 1.0))
    assert strip.spots()[14, 1] == pytest.approx(strip.frame().top())


def test_a_click_on_the_curve_asks_for_its_column(strip, grid, qtbot):
    with qtbot.waitSignal(strip.chosen) as asked:
        QTest.mouseClick(strip, LEFT, pos=QPoint(middle(grid, 0, 6).x(), 60))
    assert asked.args == [6]


@pytest.mark.parametrize("height", [90, 200, 700])
def test_the_curve_has_labelled_heights_at_every_size(strip, values, height):
    strip.resize(800, height)
    strip.show_curve("row", values[0], SCALE, (-6.3, -0.018))
    line = QFontMetricsF(theme.small_font()).height()
    ticks = strip._ticks(strip.frame().height() / (2 * line))
    ys = sorted(strip._y(tick.place, strip.frame()) for tick in ticks)
    assert len(ticks) >= 2
    assert all(b - a >= line * 0.9 for a, b in pairwise(ys))


# ---------------------------------------------------------------------------------- speed


@pytest.mark.parametrize("gesture", [scrub, zoom])
def test_512_tokens_over_154_steps_leave_time_at_60_frames_a_second(qtbot, qapp, light, gesture):
    shown = Map()
    qtbot.addWidget(shown)
    shown.resize(1_600, 900)
    shown.show()
    qtbot.waitExposed(shown)
    taken = frames_ms(qapp, shown, list(gesture(shown))[:80], time.thread_time)
    assert statistics.median(taken) < LIMIT_MS
