"""What was in a batch, and how often the corpus's own items had been seen."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester, QTest

from pythia_gui.ui.batch_panel import BatchPanel, ItemTable
from pythia_gui.ui.values import SeenItem
from tests.ui.samples import MARKUP, dress

PARIS = SeenItem("The capital of France is Paris.", "fact", 400, 14_300)
CAIRO = SeenItem("The capital of Egypt is Cairo.", "fact", 40, 1_430, 1, "said one way only")


@pytest.fixture
def panel(qtbot, qapp):
    dress(qapp)
    made = BatchPanel()
    qtbot.addWidget(made)
    made.resize(900, 420)
    made.show()
    return made


def cells(panel, role=Qt.ItemDataRole.DisplayRole):
    model = panel.view.model()
    return [
        [model.index(row, column).data(role) for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def test_the_items_stand_in_the_order_given_with_their_counts(panel):
    panel.show_batch(4_000, ("Once upon a time",), (PARIS, CAIRO), "")
    assert cells(panel) == [
        ["The capital of France is Paris.", "", "400", "14,300", "fact"],
        ["The capital of Egypt is Cairo.", "1", "40", "1,430", "fact"],
    ]


def test_the_items_of_the_batch_are_bold_and_can_be_sorted_first(panel):
    panel.show_batch(4_000, ("Once upon a time",), (PARIS, CAIRO), "")
    fonts = [panel.table.index(row, 0).data(Qt.ItemDataRole.FontRole) for row in range(2)]
    assert fonts[0] is None
    assert fonts[1].bold() or fonts[1].weight() > 400
    panel.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert cells(panel)[0][0] == CAIRO.name


def test_another_step_keeps_the_chosen_row_where_the_items_are_the_same(panel):
    panel.show_batch(4_000, ("Once",), (PARIS, CAIRO), "")
    panel.view.selectRow(1)
    panel.show_batch(5_000, ("Once",), (PARIS, replace(CAIRO, seen=50)), "")
    assert [index.row() for index in panel.view.selectionModel().selectedRows()] == [1]
    assert cells(panel)[1][2] == "50"


def test_it_says_that_the_text_is_invented(panel):
    panel.show_batch(4_000, ("Once",), (PARIS,), "")
    assert panel._origin.isVisible()
    assert "invented" in panel._origin.text()
    assert "step 4,000" in panel._fold.text()


def test_the_texts_are_shown_as_they_are(panel):
    panel.show_batch(1, (MARKUP, "a\u202eb"), (), "")
    assert panel.texts.toPlainText() == f"{MARKUP}\n\na‹U+202E›b"
    assert panel._texts_head.text() == "2 texts"


def test_without_a_batch_it_says_why(panel):
    panel.show_batch(0, (), (), "Step 0 is before the first batch.")
    assert panel._message.text() == "Step 0 is before the first batch."
    assert not panel.texts.isVisible()
    panel.show_batch(0, (), (), "")
    assert "demo suite" in panel._message.text()


def test_it_folds(panel):
    panel.show_batch(1, ("a",), (PARIS,), "")
    QTest.mouseClick(panel._fold, Qt.MouseButton.LeftButton)
    assert not panel.texts.isVisible()
    QTest.mouseClick(panel._fold, Qt.MouseButton.LeftButton)
    assert panel.texts.isVisible()


def test_items_are_found_by_a_word(panel):
    panel.show_batch(1, (), (PARIS, CAIRO), "")
    QTest.keyClicks(panel._filter, "france")
    assert [row[0] for row in cells(panel)] == [PARIS.name]


def test_rows_are_copied_with_bare_numbers(panel):
    panel.show_batch(1, (), (PARIS,), "")
    QTest.keyClick(panel.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().split("\n")[1] == (
        "The capital of France is Paris.\t0\t400\t14300\tfact"
    )


def test_a_tool_tip_says_how_an_item_is_said_as_plain_text(panel):
    item = SeenItem(MARKUP, "motto", 1, 3, note="word for word")
    panel.show_batch(1, (), (item,), "")
    tip = panel.table.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "&lt;b&gt;x" in tip
    assert "word for word" in tip


def test_the_table_is_a_sound_model():
    table = ItemTable()
    QAbstractItemModelTester(table, QAbstractItemModelTester.FailureReportingMode.Fatal)
    table.show_items((PARIS, CAIRO))
    table.show_items(())
