"""A table: sorted by a click, gaps last, copied as it stands, what was chosen stays chosen."""

import csv
import io
import math
import random
import time

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from pythia_gui.ui.tables import Column, Table, TableModel, TableView, cell_text

COLUMNS = (
    Column("prompt", "text"),
    Column("step", "whole"),
    Column("change", "nats", "How much it changed"),
)
ROWS = (("b", 512, 0.5), ("a", 1_000, None), ("C", 2, -1.25), ("d", None, math.nan))
TABLE = Table(COLUMNS, ROWS)
UP, DOWN = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder


@pytest.fixture
def model():
    made = TableModel()
    made.show_table(TABLE)
    return made


@pytest.fixture
def view(qtbot, light):
    made = TableView("Prompts")
    qtbot.addWidget(made)
    made.resize(400, 200)
    made.show_table(TABLE)
    made.show()
    return made


@pytest.mark.parametrize(
    ("column", "order", "rows"),
    [
        (0, UP, (1, 0, 2, 3)),
        (0, DOWN, (3, 2, 0, 1)),
        (1, UP, (2, 0, 1, 3)),
        (1, DOWN, (1, 0, 2, 3)),
        (2, UP, (2, 0, 1, 3)),
        (2, DOWN, (0, 2, 1, 3)),
        (-1, UP, (0, 1, 2, 3)),
    ],
)
def test_rows_are_sorted_either_way_with_the_gaps_last(model, column, order, rows):
    model.sort(column, order)
    assert model.order == rows


def test_the_order_stays_while_the_columns_do(model):
    model.sort(1, UP)
    model.show_table(Table(COLUMNS, (*ROWS, ("e", 1, 0.0))))
    assert model.order == (4, 2, 0, 1, 3)
    model.show_table(Table((Column("other"),), (("x",), ("a",))))
    assert model.order == (0, 1)


def test_cells_read_well_and_gaps_are_dashes():
    assert cell_text(None, "nats") == cell_text(math.nan, "bits") == "–"
    assert cell_text(np.float64(np.nan), "probability") == "–"
    assert cell_text(143_000, "whole") == "143,000"
    assert cell_text("a\u202eb", "text") == "a‹U+202E›b"
    assert cell_text(" Warsaw", "text") == "␣Warsaw"


def test_a_heading_says_what_its_column_means(model):
    tip = model.headerData(2, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
    assert "How much it changed" in tip
    assert model.headerData(9, Qt.Orientation.Horizontal) is None


def test_csv_reads_back_to_the_same_numbers():
    numbers = [0.1 + 0.2, 1e-300, -math.inf, None]
    table = Table((Column('a,\n"b"'), Column("x", "number")), [('q"\n,', n) for n in numbers])
    heading, *rows = csv.reader(io.StringIO(table.as_csv()))
    assert heading == ['a,\n"b"', "x"]
    assert [row[0] for row in rows] == ['q"\n,'] * 4
    assert [float(row[1]) if row[1] else None for row in rows] == numbers


def test_markup_in_a_cell_stays_text(model):
    model.show_table(Table((Column("t"),), (("<b>x</b>",),)))
    index = model.index(0, 0)
    assert model.data(index) == "<b>x</b>"
    assert "&lt;b&gt;" in model.data(index, Qt.ItemDataRole.ToolTipRole)


def test_moving_to_a_row_announces_the_tables_own_number(view, qtbot):
    moved: list[int] = []
    opened: list[int] = []
    view.row_chosen.connect(moved.append)
    view.row_opened.connect(opened.append)
    view.sortByColumn(1, UP)
    view.selectRow(0)
    QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert moved == [2, 0]
    assert opened == [0]


def test_a_row_can_be_shown_as_chosen_without_announcing_it(view):
    moved: list[int] = []
    view.row_chosen.connect(moved.append)
    view.choose(2)
    assert view.currentIndex().row() == 2
    view.choose(99)
    assert moved == []
    assert [index.row() for index in view.selectionModel().selectedRows()] == [2]


def test_what_is_chosen_moves_with_its_row_when_sorted(view):
    view.choose(2)
    view.sortByColumn(1, UP)
    assert view.order[view.currentIndex().row()] == 2
    assert [view.order[i.row()] for i in view.selectionModel().selectedRows()] == [2]


def test_what_is_chosen_stays_when_the_numbers_change(view):
    moved: list[int] = []
    view.sortByColumn(1, UP)
    view.choose(0)
    view.row_chosen.connect(moved.append)
    view.show_table(Table(COLUMNS, (("b", 5_000, 0.5), *ROWS[1:])))
    assert [view.order[i.row()] for i in view.selectionModel().selectedRows()] == [0]
    assert view.order[view.currentIndex().row()] == 0
    assert moved == []


def test_copying_gives_the_chosen_rows_or_all_in_the_order_shown(view):
    view.sortByColumn(1, UP)
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines == ["prompt,step,change", "C,2,-1.25", "b,512,0.5", "a,1000,", "d,,"]
    view.selectRow(0)
    view._choose_all([0, 1])
    view.copy()
    assert QGuiApplication.clipboard().text().splitlines()[1:] == ["b,512,0.5", "a,1000,"]


def test_a_thousand_rows_are_sorted_in_less_than_a_tenth_of_a_second(view):
    dice = random.Random(1)
    rows = [(f"prompt {n}", dice.choice((None, n)), dice.random()) for n in range(1_000)]
    view.show_table(Table(COLUMNS, rows))
    took = []
    for column in (0, 1, 2):
        began = time.perf_counter()
        view.sortByColumn(column, UP)
        took.append(time.perf_counter() - began)
    assert max(took) < 0.1
    assert [rows[n][2] for n in view.order] == sorted(row[2] for row in rows)
