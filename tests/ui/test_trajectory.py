"""The trajectory: every measured point is drawn, named, clickable, and in the table."""

import math
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QWheelEvent
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QToolButton

from pythia_gui.core.steps import STEPS, log_steps
from pythia_gui.ui import theme
from pythia_gui.ui.scores import AXIS_NAMES, SCORES, number_of, number_text
from pythia_gui.ui.trajectory import Trajectory
from pythia_gui.ui.trajectory_plot import pen_of, series_color, thinned
from pythia_gui.ui.trajectory_table import CurveTable
from tests.ui.samples import MARKUP, OVERRIDE, curve, dress

LEFT = Qt.MouseButton.LeftButton
LOG = log_steps(STEPS)
KINDS = [kind for kind, _ in SCORES]
SCALES = ["even", "log2", "tokens"]
SLACK = 4  # of processor time, for slow machines; the limit itself stands beside it


def rising(label=" Paris", top=0.9, steps=LOG, **more):
    probs = [top / (1 + math.exp(6 - 12 * n / len(steps))) for n in range(len(steps))]
    return curve(label, probs, steps=steps, **more)


@pytest.fixture
def trajectory(qtbot, qapp):
    dress(qapp)
    made = Trajectory()
    qtbot.addWidget(made)
    made.resize(900, 360)
    made.show_curves((rising(), rising(" London", 0.3, role="foil")), "done", "")
    made.show()
    QApplication.processEvents()
    return made


@pytest.fixture
def asked(trajectory):
    steps: list[int] = []
    trajectory.step_requested.connect(steps.append)
    return steps


def at(trajectory, step):
    plot = trajectory.plot
    return QPoint(round(plot.x_of(step)), round(plot.frame().center().y()))


# --------------------------------------------------------------------------------- drawing


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_measured_point_is_drawn_step_0_included(trajectory, scale, kind):
    trajectory.set_kind(kind)
    trajectory.set_scale(scale)
    plot = trajectory.plot
    assert plot.drawn_points() == 2 * len(LOG)
    frame = plot.frame()
    for step in LOG:
        assert frame.left() <= plot.x_of(step) <= frame.right()
    assert plot.x_of(0) >= frame.left() + 4
    for line in plot.lines:
        for height in line.heights:
            assert frame.top() <= plot.y_of(height) <= frame.bottom() + 1


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_point_of_step_0_is_painted(qapp, trajectory, mode):
    dress(qapp, mode)
    trajectory.set_scale("log2")
    trajectory.select(512)
    trajectory.show_curves((rising(),), "done", "")
    QApplication.processEvents()
    plot = trajectory.plot
    picture = plot.grab().toImage()
    x, y = round(plot.x_of(0)), round(plot.y_of(plot.lines[0].heights[0]))
    around = {
        picture.pixelColor(x + dx, y + dy).rgb() for dx in range(-3, 4) for dy in range(-3, 4)
    }
    assert series_color(0).rgb() in around


def test_lines_are_straight_between_measured_points_and_open_at_gaps(trajectory):
    trajectory.show_curves((curve(" a", [0.1, 0.4, None, 0.2, 0.8]),), "done", "")
    (line,) = trajectory.plot.lines
    assert line.gaps().tolist() == [2.0]
    trajectory.grab()
    pieces = trajectory.plot._drawing._pieces[0]
    assert len(pieces) == 2


def test_points_are_marked_where_they_can_be_told_apart(trajectory):
    assert trajectory.plot.marked_points() == 2 * len(LOG)
    trajectory.show_curves((rising(steps=STEPS),), "done", "")
    assert trajectory.plot.marked_points() == 0
    turn(trajectory, 12, at(trajectory, 70_000))
    assert trajectory.plot.marked_points() == len(STEPS)


def test_a_point_between_two_gaps_is_marked_all_the_same(trajectory):
    probs = [0.5 if number == 40 else None for number in range(154)]
    trajectory.show_curves((curve(" a", probs, steps=STEPS),), "done", "")
    assert trajectory.plot.marked_points() == 1


def test_foils_are_dashed_and_targets_solid():
    assert pen_of(rising(), 0).style() == Qt.PenStyle.SolidLine
    assert pen_of(rising(role="foil"), 0).style() == Qt.PenStyle.CustomDashLine


def test_twelve_curves_of_all_checkpoints_are_redrawn_at_once(trajectory):
    many = tuple(rising(f" w{n}", 0.9 / (n + 1), STEPS, role="foil") for n in range(12))
    trajectory.show_curves(many, "done", "")
    QApplication.processEvents()
    plot = trajectory.plot

    def fastest(action):
        times = []
        for _ in range(5):
            start = time.thread_time()
            action()
            times.append(time.thread_time() - start)
        return min(times)

    assert fastest(lambda: trajectory.show_curves(many, "streaming", "")) < 0.01 * SLACK
    assert fastest(lambda: plot.viewport().repaint()) < 0.01 * SLACK
    assert fastest(lambda: trajectory.select(512)) < 0.01 * SLACK


# ---------------------------------------------------------------------------------- labels


def test_each_curve_is_named_at_its_end_with_its_number(trajectory):
    trajectory.select(LOG[-1])
    (first, _), (second, value) = trajectory.labels.texts()
    assert (first, second) == ("␣Paris", "␣London")
    point = rising(" London", 0.3).points[-1]
    assert value == number_text(number_of(point, "probability"), "probability")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2, 6, 12])
def test_labels_of_equal_curves_do_not_overlap(trajectory, kind, count):
    trajectory.set_kind(kind)
    trajectory.show_curves(tuple(rising(f" w{n}") for n in range(count)), "done", "")
    rects = sorted(trajectory.labels.rects(), key=lambda rect: rect.top())
    assert len(rects) == count
    assert all(not a.intersects(b) for a, b in pairwise(rects))
    assert all(rect.bottom() <= trajectory.labels.height() for rect in rects)


def test_a_step_that_was_not_measured_has_no_number(trajectory):
    trajectory.select(3_000)
    assert [value for _, value in trajectory.labels.texts()] == ["–", "–"]
    left, right = trajectory.plot.x_of(2_000), trajectory.plot.x_of(4_000)
    assert left < trajectory.plot.x_of(3_000) < right


def test_models_are_named_where_there_are_several(trajectory):
    trajectory.show_curves((rising(), rising(model="demo-m")), "done", "")
    assert [name for name, _ in trajectory.labels.texts()] == ["␣Paris · demo-s", "␣Paris · demo-m"]


def test_markup_and_hidden_characters_stay_literal(trajectory):
    trajectory.show_curves((rising(MARKUP), rising(OVERRIDE)), "done", MARKUP)
    names = [name for name, _ in trajectory.labels.texts()]
    assert names == [MARKUP, "‹U+202E›evil‹U+202C›"]
    assert trajectory._notice.text() == MARKUP
    headings = [trajectory.table.headerData(n, Qt.Orientation.Horizontal) for n in range(2, 4)]
    assert headings == names


# ---------------------------------------------------------------------------------- wishes


@pytest.mark.parametrize("scale", SCALES)
def test_a_click_asks_for_the_step_under_it(trajectory, asked, scale):
    trajectory.set_scale(scale)
    for step in (128_000, 32_000):
        QTest.mouseClick(trajectory.plot.viewport(), LEFT, pos=at(trajectory, step))
    assert asked == [128_000, 32_000]


def test_a_drag_asks_for_each_step_on_the_way(trajectory, asked):
    view = trajectory.plot.viewport()
    trajectory.step_requested.connect(trajectory.select)
    QTest.mousePress(view, LEFT, pos=at(trajectory, 512))
    for step in (1_000, 2_000):
        QTest.mouseMove(view, at(trajectory, step))
    QTest.mouseRelease(view, LEFT, pos=at(trajectory, 2_000))
    assert asked == [512, 1_000, 2_000]


def test_arrow_keys_ask_for_the_neighbours(trajectory, asked):
    trajectory.step_requested.connect(trajectory.select)
    trajectory.select(1_000)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_End):
        QTest.keyClick(trajectory.plot, key)
    assert asked == [2_000, 1_000, 512, 143_000]


def test_select_announces_nothing(trajectory, asked):
    trajectory.select(512)
    assert asked == []


def test_hovering_tells_step_tokens_and_every_curves_number(trajectory):
    QTest.mouseMove(trajectory.plot.viewport(), at(trajectory, 4_000))
    lines = trajectory.plot.bubble.lines
    assert lines[0] == "step 4,000  ·  8.4 B tokens seen"
    assert lines[1].startswith("␣Paris   ")
    assert len(lines) == 3


def test_hovering_a_gap_tells_why(trajectory):
    shape = curve(" a", [0.1, None, 0.3], left_out=(2,))
    trajectory.show_curves((shape,), "done", "")
    assert trajectory.plot.hover_lines(1)[1] == "␣a   the logits were not finite"
    assert "left out" in trajectory.plot.hover_lines(2)[1]


def turn(trajectory, notches, place):
    view = trajectory.plot.viewport()
    QApplication.sendEvent(
        view,
        QWheelEvent(
            QPointF(place),
            view.mapToGlobal(QPointF(place)),
            QPoint(),
            QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        ),
    )


def test_the_wheel_looks_closer_and_a_double_click_shows_all_again(trajectory):
    plot = trajectory.plot
    whole = plot.x_of(143_000) - plot.x_of(0)
    turn(trajectory, 3, at(trajectory, 512))
    assert plot.x_of(143_000) - plot.x_of(0) > 1.5 * whole
    QTest.mouseDClick(plot.viewport(), LEFT, pos=at(trajectory, 512))
    assert plot.x_of(143_000) - plot.x_of(0) == pytest.approx(whole)


def test_the_plot_has_no_menu(trajectory):
    assert not trajectory.plot.getPlotItem().menuEnabled()
    assert not trajectory.plot.getPlotItem().getViewBox().menuEnabled()


# --------------------------------------------------------------------------------- the axes


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("width", [420, 900, 1_600])
def test_axis_labels_do_not_touch(trajectory, scale, width):
    trajectory.resize(width, 360)
    trajectory.show_curves((rising(steps=STEPS),), "done", "")
    trajectory.set_scale(scale)
    trajectory.grab()
    axis = trajectory.plot.getAxis("bottom")
    metrics = trajectory.fontMetrics()
    box = trajectory.plot._box
    spots = [
        (box.mapViewToScene(QPointF(place, 0)).x(), metrics.horizontalAdvance(text))
        for place, text in axis._tickLevels[0]
    ]
    spots.sort()
    assert len(spots) >= 3
    assert all(b - a >= (wide + wider) / 2 * 0.85 for (a, wide), (b, wider) in pairwise(spots))


def test_ranks_count_downwards_from_1_on_a_log_axis(trajectory):
    trajectory.set_kind("rank")
    axis = trajectory.plot.getAxis("left")
    assert axis.tickStrings([0.0, -1.0, -3.0], 1, 1) == ["1", "10", "1,000"]
    plot = trajectory.plot
    assert plot.y_of(0.0) < plot.y_of(-1.0) < plot.y_of(-2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_both_axes_say_what_and_in_which_unit(trajectory, kind):
    trajectory.set_kind(kind)
    trajectory.set_scale("tokens")
    assert trajectory.plot.getAxis("left").labelText
    assert "tokens" in trajectory.plot.getAxis("bottom").labelText


def test_marks_at_the_foot_are_explained_where_there_are_any(trajectory):
    axis = trajectory.plot.getAxis("bottom")
    assert "×" not in axis.labelText
    trajectory.show_curves((curve(" a", [0.1, None, 0.3, 0.4], left_out=(2,)),), "done", "")
    assert "× no number" in axis.labelText
    assert "○ left out" in axis.labelText


def test_tokens_can_only_be_chosen_where_they_are_known(trajectory):
    from dataclasses import replace

    trajectory.set_scale("tokens")
    shape = rising()
    unknown = replace(shape, points=tuple(replace(p, tokens_seen=None) for p in shape.points))
    trajectory.show_curves((unknown,), "done", "")
    assert not trajectory._scales.button("tokens").isEnabled()
    assert trajectory._scale == "even"
    assert trajectory.plot.hover_lines(512)[0] == "step 512"
    assert trajectory.table.index(0, 1).data() == "–"


# --------------------------------------------------------------------------------- the table


def test_the_table_is_a_sound_model():
    table = CurveTable()
    QAbstractItemModelTester(table, QAbstractItemModelTester.FailureReportingMode.Fatal)
    table.show_curves((rising(), curve(" b", [0.1, None])), "rank")
    table.show_curves((), "rank")
    table.show_curves((rising(),), "logprob")


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_equals_the_curves(trajectory, kind):
    trajectory.set_kind(kind)
    shapes = (rising(), curve(" b", [0.5, None, 0.25]))
    trajectory.show_curves(shapes, "done", "")
    table, edit = trajectory.table, Qt.ItemDataRole.EditRole
    assert table.rowCount() == len(LOG)
    assert table.columnCount() == 4
    for column, shape in enumerate(shapes, start=2):
        points = {point.step: point for point in shape.points}
        for row, step in enumerate(LOG):
            bare = table.index(row, column).data(edit)
            number = number_of(points[step], kind) if step in points else math.nan
            assert bare == "" if math.isnan(number) else bare == pytest.approx(number)
            assert table.index(row, 0).data(edit) == step


def test_the_table_button_shows_the_table_and_back(trajectory):
    QTest.mouseClick(trajectory._table_button, LEFT)
    assert trajectory.view.isVisible()
    QTest.mouseClick(trajectory._table_button, LEFT)
    assert not trajectory.view.isVisible()
    assert trajectory._table_button.text() == "Table"


def test_the_table_follows_the_curves_and_the_step_once_it_is_looked_at(trajectory, qtbot):
    trajectory.show_curves((rising(" a"),), "streaming", "")
    before = trajectory._table.rowCount()
    trajectory.select(LOG[-1])
    trajectory.show_table(True)
    assert before == 0
    assert trajectory._table.rowCount() == len(LOG)
    row = trajectory.view.visualRect(trajectory.table.index(len(LOG) - 1, 0))
    qtbot.waitUntil(lambda: trajectory.view.viewport().rect().intersects(row))


def test_rows_are_copied_with_their_headings(trajectory):
    trajectory.show_curves((rising(" a"), rising(" b")), "done", "")
    trajectory.show_table(True)
    trajectory.view.selectRow(0)
    QTest.keyClick(trajectory.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    heading, row = QGuiApplication.clipboard().text().split("\n")
    what = "(target, probability, demo-s)"
    assert heading == f"Step\tTokens seen\t␣a {what}\t␣b {what}"
    assert row.split("\t")[:2] == ["0", "0"]
    assert float(row.split("\t")[2]) == pytest.approx(math.exp(rising().points[0].logprob))


def test_a_row_of_the_table_asks_for_its_step(trajectory, asked):
    trajectory.show_table(True)
    trajectory.view.setFocus()
    trajectory.view.setCurrentIndex(trajectory.table.index(0, 0))
    QTest.keyClick(trajectory.view, Qt.Key.Key_Down)
    assert asked[-1] == 1


# -------------------------------------------------------------------------------- states


@pytest.mark.parametrize("state", ["empty", "waiting", "streaming", "done", "error"])
def test_without_curves_it_says_why_in_words(trajectory, state):
    trajectory.show_curves((), state, "")
    assert len(trajectory._message.text()) > 20
    assert trajectory._message.isVisible()
    trajectory.show_curves((), state, f"because {MARKUP}")
    assert trajectory._message.text() == f"because {MARKUP}"


def test_progress_is_said_above_the_curves(trajectory):
    trajectory.show_curves((rising(),), "streaming", "22 of 154 checkpoints, 12 s left")
    assert trajectory._notice.isVisible()
    assert trajectory.plot.isVisible()


def test_curves_without_points_wait_in_words(trajectory):
    trajectory.show_curves((curve(" a", []),), "waiting", "")
    assert trajectory._message.isVisible()


def test_one_point_alone_is_drawn(trajectory):
    trajectory.show_curves((curve(" a", [0.5]),), "streaming", "")
    trajectory.grab()
    assert trajectory.plot.drawn_points() == 1
    assert trajectory.plot.marked_points() == 1


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_colours_follow_the_theme(qapp, trajectory, mode):
    dress(qapp, mode)
    QApplication.processEvents()
    picture = trajectory.plot.grab().toImage()
    assert picture.pixelColor(3, 3) == theme.current_theme().surface


def test_curves_that_nobody_asked_for_say_what_they_are(trajectory):
    trajectory.show_curves((replace(rising(), suggested=True),), "done", "")
    assert trajectory._notice.isVisible()
    assert "most likely next tokens of the final step" in trajectory._notice.text()
    trajectory.show_curves((rising(),), "done", "")
    assert not trajectory._notice.isVisible()


def test_the_name_of_the_upright_axis_fits_beside_a_low_plot(trajectory):
    assert max(map(len, AXIS_NAMES.values())) <= len("log-probability (nats)")


def test_every_choice_of_measure_and_axis_is_explained(trajectory):
    for choices in (trajectory._kinds, trajectory._scales):
        for button in choices.findChildren(QToolButton):
            assert button.toolTip()


def test_the_numbers_of_a_low_plot_do_not_overlap(qapp):
    dress(qapp)
    fifths = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert thinned(0.2, fifths, 300.0) == (0.2, fifths)
    assert thinned(0.2, fifths, 40.0) == (0.2, [0.0, 0.4, 0.8])
