"""A coloured text: laid out fast, read as it is, asked by mouse and keys."""

import math
import time
from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMainWindow

from pythia_gui.ui import theme
from pythia_gui.ui.token_layout import paragraphs_of, shown_texts
from pythia_gui.ui.token_measures import (
    MEASURES,
    facts,
    legend,
    probability_text,
    ramp_value,
    surprisal_bits,
)
from pythia_gui.ui.token_text import TokenText
from pythia_gui.ui.values import Choice, ShownText, ShownToken
from tests.ui.samples import MARKUP, OVERRIDE, dress, text, token

LEFT = Qt.MouseButton.LeftButton
SLACK = 4  # of processor time, for slow machines; the limit itself stands beside it
SENTENCE = ["The", " capital", " of", " France", " is", " Paris", ".", "\n", "It", " is", " big"]


@pytest.fixture
def window(qtbot, qapp):
    dress(qapp)
    made = QMainWindow()
    qtbot.addWidget(made)
    made.resize(760, 620)
    return made


@pytest.fixture
def body(window):
    made = TokenText()
    window.setCentralWidget(made)
    window.show()
    made.show_text(text(SENTENCE, prompt=5))
    return made


@pytest.fixture
def chosen(body):
    found = []
    body.choice_requested.connect(lambda *choice: found.append(choice))
    return found


def shown(body):
    """The characters that are laid out, line breaks of paragraphs left out."""
    body.ensure_laid_out()
    return "".join(paragraph.text for paragraph in body._paragraphs).replace("\u200b", "")


def centre(body, position):
    return next(rect.center() for token_at, rect in body.token_rects() if token_at == position)


# -------------------------------------------------------------------------------- the text


def test_tokens_flow_as_text(body):
    assert shown(body) == "The capital of France is Paris.↵It is big"
    rects = dict(body.token_rects())
    assert rects[1].left() >= rects[0].right()
    assert rects[8].top() > rects[7].top()


def test_every_token_is_under_the_point_where_it_is_painted(body):
    for position, rect in body.token_rects():
        assert body.token_at(rect.center()) == position
    assert body.token_at(QPoint(3, 3)) == -1
    assert body.token_at(QPoint(300, 500)) == -1


@pytest.mark.parametrize("word", [MARKUP, "<s>hi</s>", "R&D", "<|endoftext|>", "<0xF0>"])
def test_markup_stays_literal(body, word):
    body.show_text(text(["a", f" {word}"]))
    assert shown(body) == f"a {word}"
    assert body.plain_text() == f"a {word}"


def test_hidden_characters_are_shown_and_copied_as_they_are(body):
    body.show_text(text(["a", f" {OVERRIDE}", "\x00", "\t"]))
    assert shown(body) == "a ‹U+202E›evil‹U+202C›‹U+0000›⇥"
    QTest.keyClick(body, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().startswith(f"a {OVERRIDE}\x00\t\n\n[")


def test_a_lone_surrogate_reaches_neither_screen_nor_clipboard(body):
    body.show_text(text(["a", "\ud800"]))
    assert shown(body) == "a‹U+D800›"
    body.copy()
    assert QGuiApplication.clipboard().text().startswith("a?\n\n[demo-s · step 512")


def test_a_text_still_being_written_is_copied_with_its_model_and_step(body):
    body.show_text(ShownText("<b>&x", 1_000, text(["a"]).tokens, "streaming"))
    body.copy()
    assert QGuiApplication.clipboard().text() == "a\n\n[<b>&x · step 1,000]"


def test_spaces_are_shown_where_nobody_would_see_them():
    assert shown_texts([" a", "  b", " c", " ", "\n", " ", "d "]) == [
        "␣a",
        "␣␣b",
        " c",
        "␣",
        "\n",
        "␣",
        "d␣",
    ]


def test_a_token_of_several_lines_is_found_on_each(body):
    body.show_text(text(["a", "\n\n", "b"]))
    assert [position for position, _ in body.token_rects()] == [0, 1, 1, 2]


def test_a_token_without_text_can_be_asked_too(body):
    body.show_text(text(["a", "", " 😀"]))
    assert body.token_at(centre(body, 1)) == 1


def test_right_to_left_words_stand_in_their_order(body):
    body.show_text(text(["say", " مرحبا", " بالعالم", " ok"]))
    rects: dict[int, list[QRect]] = {}
    for position, rect in body.token_rects():
        rects.setdefault(position, []).append(rect)
        assert body.token_at(rect.center()) == position
    space, first = sorted(rects[1], key=lambda rect: rect.left())
    (second,) = (rect for rect in rects[2] if rect.width() > first.width() / 2)
    assert space.right() <= second.left() < first.left() < rects[3][0].left()


# ------------------------------------------------------------------------------------ speed


def seconds(action):
    start = time.thread_time()
    action()
    return time.thread_time() - start


def fastest(action, times=3):
    return min(seconds(action) for _ in range(times))


def long_text(words):
    many = tuple(Choice(n, f" word{n}", 0.1) for n in range(10))
    tokens = tuple(
        replace(token(n, words[n % len(words)], prob=(n % 97 + 1) / 100), choices=many)
        for n in range(2_048)
    )
    return ShownText("demo-s", 4, tokens, "done")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_two_thousand_tokens_are_laid_out_at_once(qapp, body, mode):
    dress(qapp, mode)
    whole = long_text([" word", " of", " the", ",", " tokens"])

    def lay_out():
        body.show_text(ShownText("", 0))
        body.show_text(whole)
        body.ensure_laid_out()

    assert fastest(lay_out) < 0.05 * SLACK
    body.verticalScrollBar().setValue(900)
    assert fastest(lambda: body.viewport().repaint()) < 0.016 * SLACK


@pytest.mark.parametrize(
    "word", ["x" * 30, "\u0645" * 5, "你好", " ", "\n", "-"], ids=["x", "rtl", "cjk", " ", "n", "-"]
)
def test_unbroken_text_of_any_kind_does_not_freeze(body, word):
    whole = long_text([word])

    def lay_out_and_paint():
        body.show_text(ShownText("", 0))
        body.show_text(whole)
        body.viewport().repaint()

    assert fastest(lay_out_and_paint, 2) < 0.2 * SLACK


def test_one_absurd_token_does_not_freeze(body):
    huge = text(["a", "x" * 1_000_000])
    assert seconds(lambda: (body.show_text(huge), body.viewport().repaint())) < 0.2 * SLACK
    assert "999,600 characters more" in shown(body)
    assert len(body.plain_text()) == 1_000_001


def test_a_token_more_lays_out_its_own_paragraph_alone(body):
    body.show_text(text(["a"] + [" word", "\n"] * 50, state="streaming"))
    body.ensure_laid_out()
    before = list(body._paragraphs)
    body.append_token(token(101, " more", written=True))
    body.ensure_laid_out()
    assert body._paragraphs[:-1] == before[:-1]
    assert shown(body).endswith("␣more")


def test_paragraphs_hold_every_token_once():
    made = paragraphs_of(["a", "\n", "b c", "", "\nd"])
    assert [paragraph for paragraph, _ in made] == ["a↵", "b c⋯↵", "d"]
    assert [[part.token for part in parts] for _, parts in made] == [[0, 1], [2, 3, 4], [4]]


# ---------------------------------------------------------------------------------- the card


def test_hovering_shows_the_card_of_the_token(qtbot, body):
    QTest.mouseMove(body.viewport(), QPoint(400, 550))
    QTest.mouseMove(body.viewport(), centre(body, 5))
    qtbot.waitUntil(body.card.isVisible)
    assert body.card.token.text == " Paris"
    assert not body.card.geometry().intersects(
        dict(body.token_rects())[5].translated(body.mapTo(body.window(), QPoint(0, 0)))
    )


def test_leaving_the_text_closes_the_card(qtbot, body):
    QTest.mouseMove(body.viewport(), centre(body, 5))
    QTest.mouseMove(body.viewport(), centre(body, 3))  # a test before may have left it at 5
    qtbot.waitUntil(body.card.isVisible)
    QTest.mouseMove(body.viewport(), QPoint(400, 550))
    qtbot.waitUntil(lambda: not body.card.isVisible())


def test_arrow_keys_walk_through_the_tokens(body):
    for key in ("Key_Right", "Key_Right", "Key_Left"):
        QTest.keyClick(body, Qt.Key[key])
    assert body.current == 0
    QTest.keyClick(body, Qt.Key.Key_End)
    assert body.current == len(SENTENCE) - 1
    assert body.card.isVisible()
    QTest.keyClick(body, Qt.Key.Key_Right)
    assert body.current == len(SENTENCE) - 1


def test_a_click_on_an_alternative_asks_to_continue_with_it(body, chosen):
    QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, 5))
    QTest.mouseClick(body.card, LEFT, pos=body.card.choice_rect(1).center())
    assert chosen == [(5, 900)]
    assert not body.card.isVisible()


def test_enter_on_an_alternative_asks_to_continue_with_it(body, chosen):
    QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, 5))
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up):
        QTest.keyClick(body, key)
    QTest.keyClick(body, Qt.Key.Key_Return)
    assert chosen == [(5, 900)]


def test_enter_without_an_alternative_asks_for_nothing(body, chosen):
    QTest.keyClick(body, Qt.Key.Key_Right)
    QTest.keyClick(body, Qt.Key.Key_Return)
    assert chosen == []


def test_the_alternatives_shown_belong_to_the_token(body):
    for position in (2, 6, 3):
        QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, position))
        assert body.card.token is body.text.tokens[position]
        assert body.card.token.choices[0].token_id == position


def test_escape_closes_the_card_and_then_belongs_to_the_window(body):
    QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, 5))
    kept = key_event(QEvent.Type.ShortcutOverride, Qt.Key.Key_Escape)
    QApplication.sendEvent(body, kept)
    assert kept.isAccepted()
    QTest.keyClick(body, Qt.Key.Key_Escape)
    assert not body.card.isVisible()
    free = key_event(QEvent.Type.ShortcutOverride, Qt.Key.Key_Escape)
    QApplication.sendEvent(body, free)
    assert not free.isAccepted()


def key_event(kind, key):
    event = QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier)
    event.ignore()
    return event


def test_scrolling_closes_the_card(body):
    body.show_text(long_text([" word"]))
    body.ensure_laid_out()
    QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, 5))
    body.verticalScrollBar().setValue(200)
    assert not body.card.isVisible()


def test_a_thousand_alternatives_scroll_within_the_card(body, chosen):
    many = tuple(Choice(n, f" w{n}", 0.001) for n in range(1_000))
    body.show_text(ShownText("m", 1, (token(0, "a"), replace(token(1, " b"), choices=many))))
    QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, 1))
    assert body.card.height() < body.window().height()
    for _ in range(30):
        QTest.keyClick(body, Qt.Key.Key_Down)
    QTest.keyClick(body, Qt.Key.Key_Return)
    assert chosen == [(1, 29)]


def test_another_step_closes_the_card_and_forgets_the_place(body):
    QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, 5))
    body.show_text(text(SENTENCE, step=1_000))
    assert not body.card.isVisible()
    assert body.current == -1


def test_the_card_stays_inside_the_window(body):
    for position, _ in body.token_rects():
        QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, position))
        assert body.window().rect().contains(body.card.geometry())


# -------------------------------------------------------------------------------- numbers


def test_the_first_token_has_no_probability_and_that_is_not_zero():
    assert facts(token(0, "a"), first=True) == (("probability", "none: nothing comes before"),)
    assert math.isnan(ramp_value(token(0, "a"), "probability"))


def test_numbers_that_were_not_computed_are_called_so():
    unscored = ShownToken(3, " a", None, None, None)
    assert facts(unscored) == (("probability", "not computed"),)


def test_facts_hold_probability_rank_logprob_surprisal_and_entropy():
    known = dict(facts(token(1, " a", prob=0.25)))
    assert known["probability"] == "25.0 %"
    assert known["log-probability"] == "−1.386 nats"
    assert known["surprisal"] == "2.00 bits"
    assert known["rank"] == "2"
    assert known["entropy here"] == "3.50 bits"
    assert "after the sampler" not in known


def test_the_samplers_probability_is_told_where_it_differs():
    one = token(1, " a", prob=0.25)
    assert dict(facts(replace(one, sampler_logprob=0.0)))["after the sampler"] == "100.0 %"
    assert "after the sampler" not in dict(facts(replace(one, sampler_logprob=one.logprob)))


def test_numbers_beyond_floats_are_written():
    endless = ShownToken(1, "a", -math.inf, 50_000, 0.0)
    assert dict(facts(endless))["log-probability"] == "−∞ nats"
    assert dict(facts(endless))["probability"] == "0 %"
    assert dict(facts(ShownToken(1, "a", 0.0, 1, 0.0)))["surprisal"] == "0.00 bits"


@pytest.mark.parametrize(
    ("prob", "shown"), [(1.0, "100.0 %"), (0.421, "42.1 %"), (2e-4, "0.0200 %"), (2e-9, "2.0e-09")]
)
def test_probabilities_are_written_short(prob, shown):
    assert probability_text(prob) == shown


def test_surprisal_is_in_bits():
    assert surprisal_bits(math.log(0.125)) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("rank", "value"), [(1, 1.0), (2, 0.75), (10, 0.75), (11, 0.5), (100, 0.5), (101, 0.25),
                        (1_000, 0.25), (1_001, 0.0), (50_000, 0.0)]
)  # fmt: skip
def test_ranks_are_coloured_by_bucket(rank, value):
    assert ramp_value(replace(token(1, "a"), rank=rank), "rank") == value


@pytest.mark.parametrize("measure", [measure for measure, _ in MEASURES])
def test_likelier_is_never_further_down_the_ramp(measure):
    values = [
        ramp_value(ShownToken(1, "a", math.log(p), max(1, round(1 / p)), 1.0), measure)
        for p in (1e-9, 1e-5, 0.001, 0.02, 0.3, 1.0)
    ]
    assert values == sorted(values)
    assert 0 <= values[0] < values[-1] <= 1


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_colour_of_the_ramp_can_be_read(qapp, mode):
    dress(qapp, mode)
    for value in range(256):
        background, ink = theme.token_ink(value / 255)
        assert theme.contrast(ink, background) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("measure", [measure for measure, _ in MEASURES])
def test_a_token_is_painted_in_its_colour_and_the_legend_in_the_same(qapp, body, mode, measure):
    dress(qapp, mode)
    body.set_measure(measure)
    picture = body.grab().toImage()
    rect = dict(body.token_rects())[1]
    value = ramp_value(body.text.tokens[1], measure)
    expected = theme.token_ink(value)[0]
    painted = {
        picture.pixelColor(x, rect.top() + 1).rgb() for x in range(rect.left() + 4, rect.right())
    }
    assert expected.rgb() in painted
    assert value in {stop.value for stop in legend(measure)} or measure == "surprisal"


def test_a_token_without_a_number_is_not_coloured(body):
    picture = body.grab().toImage()
    rect = dict(body.token_rects())[0]
    assert picture.pixelColor(rect.left() + 2, rect.top()) == theme.current_theme().surface


def test_words_that_differ_are_bold_and_underlined(body):
    first, second = token(0, "a"), replace(token(1, " b"), differs=True)
    body.show_text(ShownText("m", 1, (first, second)))
    body.ensure_laid_out()
    look = body._format_of(1)
    assert look.fontUnderline()
    assert look.fontWeight() > body._format_of(0).fontWeight()


# ---------------------------------------------------------------------------------- states


@pytest.mark.parametrize("state", ["empty", "waiting", "error", "streaming"])
def test_a_text_that_is_not_there_is_explained(body, state):
    body.show_text(ShownText("m", 4, (), state, f"why {MARKUP}"))
    assert body.accessibleDescription() == f"why {MARKUP}"
    blank = body.grab().toImage()
    body.show_text(ShownText("m", 4, (), state, ""))
    assert body.grab().toImage() != blank


def test_nothing_of_an_earlier_step_stays_under_a_new_one(body):
    body.show_text(ShownText("demo-s", 1_000, state="waiting", message="Reading step 1,000"))
    assert body.plain_text() == ""
    assert body.token_rects() == []


def test_a_text_that_grows_keeps_its_place(body):
    grown = text([*SENTENCE, " and", " more"], prompt=5)
    QTest.keyClick(body, Qt.Key.Key_End)
    body.show_text(grown)
    assert body.current == len(SENTENCE) - 1


def test_the_view_follows_what_is_being_written(body):
    body.show_text(text(["a"], state="streaming"))
    for number in range(1, 400):
        body.append_token(token(number, "\n", written=True))
        body.ensure_laid_out()
    bar = body.verticalScrollBar()
    assert bar.value() == bar.maximum() > 0


def test_moving_by_key_scrolls_to_the_token(body):
    body.show_text(long_text([" word"]))
    QTest.keyClick(body, Qt.Key.Key_End)
    assert body.verticalScrollBar().value() > 0
    last = [rect for position, rect in body.token_rects() if position == 2_047]
    assert body.viewport().rect().contains(last[0])


def test_the_card_goes_with_its_text(qtbot, window, body):
    QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, 5))
    card = body.card
    with qtbot.waitSignal(card.destroyed):
        window.takeCentralWidget().deleteLater()


def test_a_screen_reader_hears_the_token(body):
    QTest.keyClick(body, Qt.Key.Key_Home)
    QTest.keyClick(body, Qt.Key.Key_Right)
    assert body.accessibleDescription() == "␣capital, prompt, probability 50.0 %, rank 2"
