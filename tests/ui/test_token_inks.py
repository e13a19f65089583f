"""A text whose colours, and the tokens it points at, are its owner's business."""

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMainWindow

from pythia_gui.ui.token_text import TokenText
from tests.ui.samples import dress, text

LEFT = Qt.MouseButton.LeftButton
WORDS = ["The", " capital", " of", " France", " is", " Paris"]
RED, WHITE = QColor("#aa0000"), QColor("#ffffff")


@pytest.fixture
def window(qtbot, qapp):
    dress(qapp)
    made = QMainWindow()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def body(window):
    made = TokenText(cards=False)
    window.setCentralWidget(made)
    window.resize(700, 300)
    window.show()
    made.show_text(text(WORDS))
    return made


def centre(body, position):
    return next(rect.center() for token, rect in body.token_rects() if token == position)


def seen(signal):
    found: list[object] = []
    signal.connect(found.append)
    return found


def looks(body):
    body.ensure_laid_out()
    return [background for background, _ in body._looks]


def test_tokens_wear_the_inks_they_are_given_and_the_measure_again_without_them(body):
    own = looks(body)
    body.set_inks([(None, WHITE), *[(RED, WHITE)] * 5])
    assert looks(body) == [None, *[RED] * 5]
    body.set_inks(None)
    assert looks(body) == own


def test_a_click_and_a_key_announce_the_token(body):
    clicked, chosen = seen(body.token_clicked), seen(body.token_chosen)
    QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, 3))
    QTest.keyClick(body, Qt.Key.Key_Right)
    assert (clicked, chosen) == ([3], [4])
    assert body.current == 4


def test_a_token_shown_as_current_is_not_announced(body):
    chosen = seen(body.token_chosen)
    body.show_current(2)
    assert body.current == 2
    body.show_current(99)
    assert body.current == -1
    assert chosen == []


def test_the_pointer_announces_each_token_once_and_where_it_leaves(body):
    pointed = seen(body.token_pointed)
    for position in (1, 1, 4):
        QTest.mouseMove(body.viewport(), centre(body, position) + QPoint(position, 0))
    QApplication.sendEvent(body.viewport(), QEvent(QEvent.Type.Leave))
    assert pointed == [1, 4, -1]


def test_without_cards_no_card_opens(body):
    QTest.mouseClick(body.viewport(), LEFT, pos=centre(body, 3))
    QTest.keyClick(body, Qt.Key.Key_Right)
    assert not body.card.isVisible()


def test_the_height_of_the_whole_text_grows_with_its_lines(body):
    one_line = body.content_height()
    body.show_text(text(WORDS * 30))
    assert body.content_height() > 3 * one_line
