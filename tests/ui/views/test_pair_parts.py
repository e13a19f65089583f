"""The parts of the comparison: plots along the text, the histogram's brush, pinned cards."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from pythia_gui.core.events import Result
from pythia_gui.core.library import ModelEntry
from pythia_gui.ui.views.pair import inks, inside
from pythia_gui.ui.views.pair_cards import MOST_CARDS, Cards
from pythia_gui.ui.views.pair_data import compared
from pythia_gui.ui.views.pair_histogram import Histogram
from pythia_gui.ui.views.pair_lines import PositionPlot
from pythia_gui.ui.views.pair_scales import faded_ink, scale_of
from pythia_gui.ui.widgets import column_of
from tests.fakes import FakeEngine, asking, prompt
from tests.ui.looks import misfits
from tests.ui.samples import MARKUP, OVERRIDE

ENTRY = ModelEntry("m", "m", "S", "folder", (0, 512), frozenset((0, 512)), None, 64)
LEFT = Qt.MouseButton.LeftButton
TEXT = "the quick brown fox"
NAN = math.nan


def comparison(text=TEXT, texts=None):
    """What the fake engine says of a text at two steps."""
    request = asking(0, 512, prompts=(prompt(text),), score=True, top_k=10)
    request = replace(request, against=request.checkpoints[0])
    events = FakeEngine().run(request, threading.Event())
    a, b = [event for event in events if isinstance(event, Result)]
    return compared(tuple(texts or text), ENTRY, ENTRY, a, b)


@pytest.fixture
def window(qtbot, light):
    """A window for a part: pyqtgraph's plots are not made to be closed alone."""
    made = QWidget()
    made.setLayout(column_of())
    made.show()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def plot(window):
    return placed(PositionPlot("probability", tokens_named=True), window, 700, 180)


@pytest.fixture
def histogram(window):
    made = placed(Histogram(), window, 360, 180)
    values = np.array([NAN, -0.9, -0.1, 0.0, 0.1, 0.8, 0.9])
    made.show_values(values, scale_of("prob_difference", values))
    return made


@pytest.fixture
def cards(window):
    made = placed(Cards(), window, 360, 500)
    made.show_comparison(comparison(), same_text=False)
    return made


def placed(part, window, width, height):
    """Show a part in a window of a size."""
    window.layout().addWidget(part)
    window.resize(width, height)
    QApplication.processEvents()
    return part


def seen(signal):
    found: list[object] = []
    signal.connect(found.append)
    return found


def at(plot, place):
    return QPoint(round(plot.x_of(place)), round(plot.frame().center().y()))


# ---------------------------------------------------------------------------- along the text


def test_the_plot_draws_both_and_leaves_a_gap_at_the_first_token(plot):
    shown = comparison()
    plot.show_comparison(shown)
    a, b = plot.heights
    assert np.isnan([a[0], b[0]]).all()
    assert a[1:].tolist() == shown.values["prob_a"][1:].tolist()
    assert b[1:].tolist() == shown.values["prob_b"][1:].tolist()


def test_ranks_stand_on_a_log_axis_with_the_first_on_top(window):
    plot = placed(PositionPlot("rank", tokens_named=True), window, 700, 180)
    shown = comparison()
    plot.show_comparison(shown)
    ranks = shown.values["rank_a"][1:]
    assert plot.heights[0][1:] == pytest.approx(-np.log10(ranks))
    low, high = plot._box.viewRange()[1]
    assert low < -math.log10(ranks.max()) <= 0 < high


def test_a_click_chooses_the_token_under_it(plot):
    plot.show_comparison(comparison())
    chosen = seen(plot.token_chosen)
    QTest.mouseClick(plot.viewport(), LEFT, pos=at(plot, 7))
    assert chosen == [7]


def test_moving_over_the_plot_points_at_tokens_and_leaving_at_none(plot):
    plot.show_comparison(comparison())
    pointed = seen(plot.token_pointed)
    QTest.mouseMove(plot.viewport(), at(plot, 3))
    QTest.mouseMove(plot.viewport(), at(plot, 9))
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    assert pointed[-3:] == [3, 9, -1]


def test_arrow_keys_walk_along_the_text_and_stop_at_its_ends(plot):
    plot.show_comparison(comparison("abc"))
    chosen = seen(plot.token_chosen)
    for current, key in ((0, "Left"), (0, "Right"), (2, "Right"), (1, "Home"), (1, "End")):
        plot.show_current(current)
        QTest.keyClick(plot, getattr(Qt.Key, f"Key_{key}"))
    assert chosen == [0, 1, 2, 0, 2]


def test_the_wheel_asks_to_look_closer_and_back_to_all(plot):
    plot.show_comparison(comparison())
    views = seen(plot.view_changed)
    whole = plot._box.viewRange()[0]
    turn(plot, at(plot, 9), 240)
    plot.show_view(views[-1])
    left, right = plot._box.viewRange()[0]
    assert right - left < whole[1] - whole[0]
    assert left < 9 < right
    turn(plot, at(plot, 9), -1_200)
    assert views[-1] is None


def turn(plot, where, notches):
    point = QPointF(where)
    event = QWheelEvent(
        point,
        point,
        QPoint(),
        QPoint(0, notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    plot.wheelEvent(event)


def labels(plot):
    return [text for level in plot.getAxis("bottom")._tickLevels for _, text in level]


def test_tokens_are_named_where_all_have_room_and_numbered_else(plot):
    plot.show_comparison(comparison("abcd", ("The", " quick", "\n", OVERRIDE)))
    assert labels(plot) == ["The", "quick", "↵", "‹U+202E›e…"]
    plot.show_comparison(comparison("ab" * 30, [" extraordinary"] * 60))
    assert labels(plot) == ["1", "5", *(str(n) for n in range(10, 61, 5))]


# ------------------------------------------------------------------------------ the histogram


def test_the_bars_count_every_token_that_has_a_number(histogram):
    assert histogram.counts.sum() == 6
    high = histogram.edges[:-1] >= 0.75
    assert histogram.counts[high].sum() == 2


def drag(histogram, start, end):
    QTest.mousePress(histogram.viewport(), LEFT, pos=at(histogram, start))
    move(histogram, at(histogram, end))
    QTest.mouseRelease(histogram.viewport(), LEFT, pos=at(histogram, end))


def move(plot, where):
    point = QPointF(where)
    event = QMouseEvent(
        QEvent.Type.MouseMove, point, point, LEFT, LEFT, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(plot.viewport(), event)


def test_dragging_chooses_a_range_and_a_double_click_all_again(histogram):
    ranges = seen(histogram.range_changed)
    drag(histogram, 0.5, 0.85)
    assert ranges[-1] == pytest.approx((0.5, 0.85), abs=0.01)
    low, high = (f"+{100 * end:.1f} pp" for end in ranges[-1])
    assert histogram.words() == f"tokens from {low} to {high}"
    QTest.mouseDClick(histogram.viewport(), LEFT, pos=at(histogram, 0))
    assert ranges[-1] is None
    assert histogram.words() == "all tokens"


def test_keys_move_and_widen_the_range_by_bars_and_escape_chooses_all(histogram):
    ranges = seen(histogram.range_changed)
    QTest.keyClick(histogram, Qt.Key.Key_Right)
    first = ranges[-1]
    assert first[0] <= -0.9 <= first[1]
    QTest.keyClick(histogram, Qt.Key.Key_Right)
    assert ranges[-1][0] == pytest.approx(first[1])
    QTest.keyClick(histogram, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert ranges[-1] == pytest.approx((first[0], 2 * first[1] - first[0]))
    QTest.keyClick(histogram, Qt.Key.Key_Escape)
    assert ranges[-1] is None


def test_another_measure_chooses_all_again(histogram):
    histogram.choose((0.0, 0.5))
    ranges = seen(histogram.range_changed)
    values = np.array([NAN, 1.0, 2.0])
    histogram.show_values(values, scale_of("kl_ab", values))
    assert ranges == [None]
    assert histogram.chosen is None


def test_whole_counts_have_a_bar_each(histogram):
    values = np.array([NAN, 0.0, 3.0, 3.0, 10.0])
    histogram.show_values(values, scale_of("top10_overlap", values))
    assert histogram.counts.tolist() == [1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1]


def test_a_range_holds_its_ends_and_never_a_gap():
    values = np.array([NAN, -3.0, 1.0, 40.0, 41.0])
    scale = scale_of("rank_difference", values)
    assert inside(scale, values, (-3.0, 40.0)).tolist() == [False, True, True, True, False]


def test_what_lies_outside_of_the_range_fades_and_the_rest_keeps_its_colour(light):
    values = np.array([NAN, 0.2, 0.9])
    scale = scale_of("prob_a", values)
    shown = inside(scale, values, (0.5, 1.0))
    assert inks(scale, values, shown) == [faded_ink(), faded_ink(), scale.ink(0.9)]
    assert inks(scale, values, None)[1] == scale.ink(0.2)


# --------------------------------------------------------------------------------- the cards


def positions(cards):
    return [card.position for card in cards.cards]


def test_the_chosen_token_has_a_card_until_another_is_chosen(cards):
    cards.show_current(4)
    assert positions(cards) == [4]
    cards.show_current(6)
    assert positions(cards) == [6]
    assert cards.pinned == ()


def test_pinned_cards_stay_in_the_order_of_the_text(cards):
    for position in (6, 2):
        cards.pin(position)
    cards.show_current(9)
    assert positions(cards) == [9, 2, 6]
    cards.show_current(2)
    assert positions(cards) == [2, 6]


def test_a_card_is_pinned_and_removed_by_its_own_buttons(cards):
    cards.show_current(4)
    QTest.mouseClick(cards.cards[0]._pin, LEFT)
    assert cards.pinned == (4,)
    cards.show_current(5)
    QTest.mouseClick(cards.cards[1]._close, LEFT)
    assert cards.pinned == ()
    assert positions(cards) == [5]


def test_one_card_too_many_is_refused_in_a_sentence(cards):
    said = seen(cards.refused)
    for position in range(1, MOST_CARDS + 2):
        cards.pin(position)
    assert len(cards.pinned) == MOST_CARDS
    assert said == ["6 cards are the most; remove one first."]
    cards.pin_if_room(MOST_CARDS + 2)
    assert len(said) == 1


def test_both_lists_stand_side_by_side_with_the_actual_token_marked(cards):
    shown = comparison()
    cards.show_comparison(shown, same_text=True)
    cards.pin(3)
    for number, (side, key) in enumerate(((shown.a, "a"), (shown.b, "b"))):
        found = cards.cards[0].lists.lists[number]
        score = side.result.score
        assert found.letter == key.upper()
        assert [line.prob for line in found.lines[:10]] == score.top.probs[3].tolist()
        assert [line.rank for line in found.lines[:10]] == list(range(1, 11))
        actual = [line for line in found.lines if line.actual]
        assert actual
        if len(found.lines) == 11:
            assert actual[-1].rank == score.ranks[3]
            assert actual[-1].prob == shown.values[f"prob_{key}"][3]


def test_the_first_token_says_that_nothing_comes_before(cards):
    cards.show_current(0)
    card = cards.cards[0]
    assert card._first.isVisible()
    assert not card.lists.isVisible()


def test_another_text_forgets_the_pins_and_the_same_one_keeps_them(cards):
    cards.pin(3)
    cards.show_comparison(comparison(), same_text=True)
    assert cards.pinned == (3,)
    cards.show_comparison(comparison("abc"), same_text=False)
    assert cards.pinned == ()


def test_tokens_that_look_like_markup_or_hide_are_shown_as_they_are(cards):
    cards.show_comparison(comparison("abc", ("a", MARKUP, OVERRIDE)), same_text=False)
    cards.pin(1)
    cards.pin(2)
    titles = [card._title.text() for card in cards.cards]
    assert titles[0] == f"{MARKUP[:23]}…"
    assert titles[1] == "‹U+202E›evil‹U+202C›"
    assert misfits(cards) == []
