"""Pinned texts side by side: named, compared, scrolled together."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pythia_gui.ui.columns import Columns
from pythia_gui.ui.values import ShownText
from tests.ui.samples import MARKUP, dress, text

LEFT = Qt.MouseButton.LeftButton
FRANCE = ["The", " capital", " is", " Paris", "."]
BERLIN = ["The", " capital", " is", " Berlin", "."]


@pytest.fixture
def columns(qtbot, qapp):
    dress(qapp)
    made = Columns()
    qtbot.addWidget(made)
    made.resize(980, 420)
    made.show()
    return made


def several(count):
    words = [FRANCE if number % 2 else BERLIN for number in range(count)]
    return tuple(text(some, step=2**number) for number, some in enumerate(words))


def test_without_columns_it_says_how_to_pin(columns):
    columns.show_columns(())
    assert columns.columns == ()
    assert "press Pin" in columns._pages.currentWidget().findChild(type(columns._hint)).text()


def test_one_column_asks_for_another(columns):
    columns.show_columns(several(1))
    assert columns._hint.isVisible()
    columns.show_columns(several(2))
    assert not columns._hint.isVisible()


def test_each_column_names_its_model_step_and_state(columns):
    columns.show_columns((text(FRANCE, step=4_000), text(BERLIN, step=512, state="streaming")))
    first, second = columns.columns
    assert first._step.text() == "step 4,000"
    assert first._model.whole_text() == "demo-s"
    assert second._state.text() == "writing"
    assert first._provenance.text() == "weights 0123456789 · float32 on cpu"


def test_the_words_that_differ_are_marked(columns):
    columns.show_columns((text(FRANCE), text(BERLIN)))
    for column in columns.columns:
        assert [token.differs for token in column.body.text.tokens] == [0, 0, 0, 1, 0]


def test_more_than_six_are_cut(columns):
    columns.show_columns(several(8))
    assert len(columns.columns) == 6


def test_columns_come_and_go(columns):
    for count in (3, 6, 2, 0, 4):
        columns.show_columns(several(count))
        assert len(columns.columns) == count
        assert [column.body.text.step for column in columns.columns] == [
            2**number for number in range(count)
        ]
        QApplication.processEvents()


def test_unpin_says_which(columns):
    heard: list[object] = []
    columns.unpin_requested.connect(heard.append)
    columns.show_columns(several(3))
    QTest.mouseClick(columns.columns[1]._unpin, LEFT)
    assert heard == [1]
    assert len(columns.columns) == 3


def test_a_choice_says_in_which_column(columns):
    heard: list[object] = []
    columns.choice_requested.connect(lambda *choice: heard.append(choice))
    columns.show_columns(several(3))
    body = columns.columns[2].body
    for key in (Qt.Key.Key_End, Qt.Key.Key_Down, Qt.Key.Key_Return):
        QTest.keyClick(body, key)
    assert heard == [(2, 4, 4)]


def test_one_column_can_be_widened_and_narrowed_again(columns):
    columns.show_columns(several(3))
    QApplication.processEvents()
    QTest.mouseClick(columns.columns[0]._expand, LEFT)
    QApplication.processEvents()
    assert columns.expanded == 0
    widths = [column.width() for column in columns.columns]
    assert widths[0] > 2 * widths[1]
    QTest.mouseClick(columns.columns[0]._expand, LEFT)
    QApplication.processEvents()
    assert columns.expanded is None
    widths = [column.width() for column in columns.columns]
    assert max(widths) - min(widths) <= 2


def test_dropping_the_wide_column_forgets_it(columns):
    columns.show_columns(several(3))
    columns.expand(2)
    columns.show_columns(several(2))
    assert columns.expanded is None


def test_columns_keep_a_readable_width_and_scroll_sideways(columns):
    columns.show_columns(several(6))
    for _ in range(3):  # the scroll bar comes when the columns are laid out
        QApplication.processEvents()
    assert all(column.width() >= 240 for column in columns.columns)
    assert columns._area.horizontalScrollBar().maximum() > 0
    bottom = columns._area.viewport().height()
    assert all(column.height() <= bottom for column in columns.columns)


def test_columns_scroll_together(columns):
    long = [word for line in range(200) for word in (" word", "\n")]
    columns.show_columns((text(long, step=1), text(long, step=2), text(long[:4], step=4)))
    QApplication.processEvents()
    bars = [column.body.verticalScrollBar() for column in columns.columns]
    bars[0].setValue(300)
    assert bars[1].value() == 300
    bars[1].setValue(120)
    assert bars[0].value() == 120
    assert bars[2].value() == 0


def test_the_measure_is_one_for_all_columns_also_later_ones(columns):
    heard: list[object] = []
    columns.measure_changed.connect(heard.append)
    columns.show_columns(several(2))
    QTest.mouseClick(columns._colours.button("rank"), LEFT)
    columns.show_columns(several(3))
    assert heard == ["rank"]
    assert {column.body._measure for column in columns.columns} == {"rank"}


def test_columns_say_their_state_instead_of_an_older_text(columns):
    columns.show_columns(several(2))
    waiting = ShownText("demo-s", 9, state="waiting", message="Reading step 9")
    columns.show_columns((several(1)[0], waiting))
    assert columns.columns[1].body.plain_text() == ""
    assert columns.columns[1]._step.text() == "step 9"


def test_markup_in_names_stays_literal(columns):
    columns.show_columns((text(FRANCE, model=MARKUP), text(BERLIN, model="R&D")))
    assert columns.columns[0]._model.whole_text() == MARKUP
    assert columns.columns[0].accessibleName() == f"step 512 of {MARKUP}"
