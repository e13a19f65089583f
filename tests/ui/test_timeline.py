"""The timeline: every checkpoint in its place, reached by mouse, wheel, keys, typing and play."""

from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pythia_gui.core.steps import STEPS, log_steps
from pythia_gui.ui import theme
from pythia_gui.ui.timeline import Timeline, next_played, snap_note, typed_step
from pythia_gui.ui.track import computed_runs, hover_lines, tick_height
from pythia_gui.ui.values import StepMark
from tests.ui.samples import MARKUP, OVERRIDE, dress, marks

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def timeline(qtbot, qapp):
    dress(qapp)
    made = Timeline()
    qtbot.addWidget(made)
    made.resize(1_280, made.sizeHint().height())
    made.show_steps(marks())
    made.show()
    return made


@pytest.fixture
def asked(timeline):
    steps: list[int] = []
    timeline.step_requested.connect(steps.append)
    return steps


def at(timeline, step, y=24):
    index = [mark.step for mark in marks()].index(step)
    return QPoint(round(timeline.track.x_of(index)), y)


def turn(timeline, notches):
    place = QPointF(400, 20)
    QApplication.sendEvent(
        timeline.track,
        QWheelEvent(
            place,
            timeline.track.mapToGlobal(place),
            QPoint(),
            QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        ),
    )


def test_checkpoints_are_evenly_spaced_and_six_pixels_apart_at_least(timeline):
    xs = [timeline.track.x_of(n) for n in range(154)]
    gaps = [b - a for a, b in pairwise(xs)]
    assert min(gaps) >= 6
    assert max(gaps) - min(gaps) < 1e-6
    assert xs[0] >= 0
    assert xs[-1] <= timeline.track.width()


@pytest.mark.parametrize("steps", [STEPS, log_steps(STEPS), (0, 512, 143_000), (0,)], ids=len)
@pytest.mark.parametrize("width", [960, 1_280, 1_920])
@pytest.mark.parametrize("scale", [1.0, 1.6])
def test_labels_touch_neither_each_other_nor_the_edge(qapp, timeline, steps, width, scale):
    theme.set_text_scale(qapp, scale)
    timeline.show_steps(marks(steps))
    timeline.resize(width, timeline.sizeHint().height())
    labels = timeline.track.labels
    assert labels[0].step == 0
    for row in (0, 1):
        ones = [label for label in labels if label.row == row]
        assert all(b.left - a.right >= 3 for a, b in pairwise(ones))
    assert all(label.left >= 0 and label.right <= timeline.track.width() for label in labels)


def test_a_click_goes_to_the_nearest_checkpoint(timeline, asked):
    QTest.mouseClick(timeline.track, LEFT, pos=at(timeline, 4_000) + QPoint(2, 0))
    assert asked == [4_000]
    assert timeline.step == 4_000


def test_a_drag_passes_every_checkpoint_once(timeline, asked):
    QTest.mousePress(timeline.track, LEFT, pos=at(timeline, 512))
    for step in (1_000, 1_000, 2_000, 3_000):
        QTest.mouseMove(timeline.track, at(timeline, step))
    QTest.mouseRelease(timeline.track, LEFT, pos=at(timeline, 3_000))
    QTest.mouseMove(timeline.track, at(timeline, 9_000))
    assert asked == [512, 1_000, 2_000, 3_000]


def test_a_drag_beyond_the_ends_stays_at_the_ends(timeline, asked):
    QTest.mousePress(timeline.track, LEFT, pos=at(timeline, 1_000))
    QTest.mouseMove(timeline.track, QPoint(-500, 24))
    QTest.mouseMove(timeline.track, QPoint(5_000, 24))
    QTest.mouseRelease(timeline.track, LEFT, pos=QPoint(5_000, 24))
    assert asked == [1_000, 0, 143_000]


def test_keys_move_by_one_by_ten_and_to_the_ends(timeline, asked):
    for key in ("Key_Right", "Key_Right", "Key_Left", "Key_PageUp", "Key_PageDown"):
        QTest.keyClick(timeline.track, Qt.Key[key])
    QTest.keyClick(timeline.track, Qt.Key.Key_End)
    QTest.keyClick(timeline.track, Qt.Key.Key_Right)
    QTest.keyClick(timeline.track, Qt.Key.Key_Home)
    assert asked == [1, 2, 1, 1_000, 1, 143_000, 0]


def test_the_wheel_moves_one_checkpoint_a_notch(timeline, asked):
    turn(timeline, -1)
    turn(timeline, -2)
    turn(timeline, 1)
    assert asked == [1, 4, 2]


def test_select_shows_a_step_and_announces_nothing(timeline, asked):
    timeline.select(64_000)
    assert timeline.step == 64_000
    assert timeline.track.value() == STEPS.index(64_000)
    assert asked == []


def test_other_checkpoints_leave_the_hand_where_it_was_or_next_to_it(timeline, asked):
    timeline.select(64_000)
    timeline.show_steps(marks((0, 512, 60_000, 143_000)))
    assert timeline.step == 60_000
    assert asked == []


@pytest.mark.parametrize(
    ("typed", "step", "note"),
    [
        ("4000", 4_000, ""),
        ("4,000", 4_000, ""),
        ("143k", 143_000, ""),
        ("step512", 512, ""),
        ("600", 512, "step 600 is not a checkpoint: showing step 512"),
        ("999999", 143_000, "step 999,999 is not a checkpoint: showing step 143,000"),
    ],
)
def test_a_typed_step_is_gone_to_or_snapped_with_a_word(timeline, asked, typed, step, note):
    QTest.keyClicks(timeline._field, typed)
    QTest.keyClick(timeline._field, Qt.Key.Key_Return)
    assert asked == [step]
    assert timeline._note.text() == note
    assert timeline._field.text() == ""


@pytest.mark.parametrize("typed", ["soon", "-5", "4.5", "1e99", "nan", "inf", "x"])
def test_what_is_no_step_is_refused_in_words(timeline, asked, typed):
    QTest.keyClicks(timeline._field, typed)
    QTest.keyClick(timeline._field, Qt.Key.Key_Return)
    assert asked == []
    assert "Type a step as a whole number" in timeline._note.text()


def test_the_word_on_snapping_goes_with_the_next_move(timeline):
    QTest.keyClicks(timeline._field, "600")
    QTest.keyClick(timeline._field, Qt.Key.Key_Return)
    timeline.select(512)
    assert timeline._note.text() == snap_note(600, 512)
    QTest.keyClick(timeline.track, Qt.Key.Key_Right)
    assert timeline._note.text() == ""


def test_the_readout_says_step_tokens_and_the_real_step(timeline):
    timeline.show_steps(marks(real={1_000: 500}, badges={1_000: "a note"}))
    timeline.select(1_000)
    assert timeline._where.text() == "step 1,000"
    assert "2.1 B tokens seen" in timeline._seen.text()
    assert "optimiser step 500" in timeline._seen.text()
    assert timeline._note.text() == "a note"


def test_unknown_tokens_are_left_out(timeline):
    timeline.show_steps((StepMark(0, None, on_disk=True), StepMark(5, None, on_disk=True)))
    timeline.select(5)
    assert timeline._where.text() == "step 5"
    assert timeline._seen.text() == ""


def test_without_checkpoints_nothing_can_be_pressed(timeline, asked):
    timeline.show_steps(())
    for key in (Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_Space):
        QTest.keyClick(timeline.track, key)
    QTest.mouseClick(timeline.track, LEFT, pos=QPoint(300, 24))
    assert asked == []
    assert not timeline.playing
    assert "Choose a model" in timeline._seen.text()
    assert not timeline._play.isEnabled()
    timeline.grab()


def test_hovering_says_step_tokens_place_and_badge(timeline):
    timeline.show_steps(marks(badges={4_000: f"bad {MARKUP} {OVERRIDE}"}, here=(0, 512)))
    QTest.mouseMove(timeline.track, at(timeline, 4_000))
    lines = timeline.track.bubble.lines
    assert lines[0] == "step 4,000  ·  8.4 B tokens seen"
    assert lines[1] == "not on this machine"
    assert MARKUP in lines[2]
    assert timeline.track.bubble.isVisible()


def test_the_bubble_stays_in_the_window(timeline):
    for step in (0, 143_000):
        QTest.mouseMove(timeline.track, at(timeline, step))
        assert timeline.rect().contains(timeline.track.bubble.geometry()), step


def test_a_tick_says_by_its_height_what_there_is():
    heights = [
        tick_height(StepMark(1, 1, on_disk=False)),
        tick_height(StepMark(1, 1, on_disk=True)),
        tick_height(StepMark(1, 1, on_disk=True, computed=True)),
    ]
    assert heights == sorted(set(heights))


def test_the_rail_fills_where_results_are():
    assert computed_runs(marks((0, 1, 2, 4, 8), computed=(0, 1, 8))) == [(0, 1), (4, 4)]
    assert computed_runs(marks((0, 1))) == []


def test_ticks_rail_and_hand_are_painted(timeline):
    timeline.show_steps(marks(here=range(600), computed=(2, 4)))
    timeline.select(512)
    picture = timeline.track.grab().toImage()
    colors = theme.current_theme()

    def inked(step, color):
        x = at(timeline, step).x()
        column = [picture.pixelColor(x + dx, y) for dx in (-1, 0) for y in range(14, 40)]
        return sum(QColor(pixel).rgb() == color.rgb() for pixel in column)

    assert inked(2, colors.text) > inked(64, colors.outline) > inked(9_000, colors.outline) > 0
    assert inked(512, colors.accent) > 20


# ------------------------------------------------------------------------------------ play


def test_playback_asks_for_one_checkpoint_after_the_other(qtbot, timeline, asked):
    timeline._speed.setCurrentIndex(timeline._speed.count() - 1)
    with qtbot.waitSignal(timeline.playing_changed, check_params_cb=lambda playing: playing):
        QTest.keyClick(timeline.track, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: len(asked) >= 3)
    QTest.mouseClick(timeline._play, LEFT)
    assert asked[:3] == [1, 2, 4]
    assert not timeline.playing


def test_playback_waits_while_it_is_held(qtbot, timeline, asked):
    timeline._speed.setCurrentIndex(timeline._speed.count() - 1)
    timeline.hold(True)
    timeline.play()
    qtbot.waitUntil(lambda: timeline._due)
    assert asked == []
    timeline.hold(False)
    assert asked == [1]
    timeline.pause()


def test_playback_ends_at_the_last_step(qtbot, timeline, asked):
    timeline._speed.setCurrentIndex(timeline._speed.count() - 1)
    timeline.select(142_000)
    timeline.play()
    qtbot.waitUntil(lambda: not timeline.playing)
    assert asked == [143_000]


def test_playing_from_the_end_begins_at_the_start(timeline, asked):
    timeline.select(143_000)
    timeline.play()
    assert asked == [0]
    timeline.pause()


def test_playback_goes_round_where_it_is_asked_to():
    shown = marks((0, 1, 2))
    assert next_played(shown, 2, loop=False) is None
    assert next_played(shown, 2, loop=True) == 0


def test_playback_passes_over_what_is_not_here():
    shown = marks((0, 1, 2, 4), here=(0, 4))
    assert next_played(shown, 0, loop=False) == 3
    assert next_played(marks((0, 1), here=()), 0, loop=False) == 1


def test_a_single_checkpoint_does_not_play(timeline):
    timeline.show_steps(marks((0,)))
    timeline.toggle_play()
    assert not timeline.playing


# ------------------------------------------------------------------------------------ words


def test_it_has_a_name_and_a_value_for_those_who_listen(timeline):
    timeline.select(4_000)
    assert timeline.track.accessibleName() == "Training step"
    assert timeline.track.accessibleDescription() == "step 4,000, 8.4 B tokens seen"
    for button in (timeline._play, timeline._to_first, timeline._loop):
        assert button.accessibleName()
        assert button.toolTip()


def test_hover_lines_leave_out_what_is_not_there():
    assert hover_lines(StepMark(0, None, on_disk=True)) == ("step 0", "on this machine", "")


def test_typed_steps_are_read():
    assert typed_step(" 1,000 ") == 1_000
    assert typed_step("1.5k") == 1_500
    assert typed_step("") is None


def test_it_looks_right_in_the_dark_too(qapp, timeline):
    theme.apply(qapp, "dark")
    picture = timeline.grab().toImage()
    assert picture.pixelColor(2, 2).lightness() < 60
