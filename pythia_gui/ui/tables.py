"""A sortable table of numbers, the twin of every view, and what can be copied from it."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from pythia_gui.core.acquisition import Bracket
from pythia_gui.ui import theme
from pythia_gui.ui.reveal import reveal, with_lost_spaces
from pythia_gui.ui.token_measures import probability_text, signed
from pythia_gui.ui.widgets import tool_tip

Cell = str | int | float | Bracket | None
CellKind = Literal["text", "whole", "probability", "points", "nats", "bits", "number"]
Index = QModelIndex | QPersistentModelIndex

_NOWHERE = QModelIndex()
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_MOST_TEXT = 200
_DIGITS: dict[CellKind, int] = {"nats": 3, "bits": 2, "number": 3}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, what its cells are, and what it means."""

    name: str
    kind: CellKind = "text"
    tip: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of cells; None is a gap. Numbers are bare: probabilities in [0, 1].

    An interval of steps sorts by the step by which the thing had happened.
    """

    columns: tuple[Column, ...] = ()
    rows: Sequence[tuple[Cell, ...]] = ()

    def as_csv(self, rows: Sequence[int] | None = None) -> str:
        """Return rows (all if None) as CSV with headings; gaps are empty."""
        out = io.StringIO()
        write = csv.writer(out, lineterminator="\n")
        write.writerow([column.name for column in self.columns])
        chosen = range(len(self.rows)) if rows is None else rows
        write.writerows([_bare(cell) for cell in self.rows[row]] for row in chosen)
        return out.getvalue()


def _is_gap(cell: Cell) -> bool:
    return cell is None or (not isinstance(cell, str | Bracket) and math.isnan(cell))


def _bare(cell: Cell) -> Cell:
    if isinstance(cell, Bracket):
        return bracket_text(cell)
    return "" if _is_gap(cell) else cell


def cell_text(cell: Cell, kind: CellKind) -> str:
    """Return a cell for reading; a gap is an en dash."""
    if cell is None or _is_gap(cell):
        return "–"
    if isinstance(cell, str):
        return reveal(with_lost_spaces(cell[:_MOST_TEXT]))
    if isinstance(cell, Bracket):
        return bracket_text(cell)
    return _number_text(float(cell), kind)


def _number_text(number: float, kind: CellKind) -> str:
    if kind == "whole":
        return f"{number:,.0f}"
    if kind == "probability":
        return probability_text(number)
    if kind == "points":  # a difference of two probabilities, in percentage points
        return f"{'+' if number > 0 else ''}{signed(100 * number, 1)} pp"
    return signed(number, _DIGITS.get(kind, 3))


def bracket_text(bracket: Bracket) -> str:
    """Return an interval for reading: `512 – 1,000` is after the first and by the second."""
    at = f"{bracket.at:,}"
    return f"by {at}" if bracket.before is None else f"{bracket.before:,} – {at}"


class TableModel(QAbstractTableModel):
    """Shows a `Table` in the order that a person sorts it into; gaps come last."""

    def __init__(self) -> None:
        super().__init__()
        self._table = Table()
        self._order: list[int] = []
        self._sorted: tuple[int, Qt.SortOrder] | None = None

    @property
    def table(self) -> Table:
        """What is shown."""
        return self._table

    @property
    def order(self) -> tuple[int, ...]:
        """The table's row behind each row shown."""
        return tuple(self._order)

    def show_table(self, table: Table) -> None:
        """Show other rows, sorted as before where the columns are the same."""
        self.beginResetModel()
        same = [c.name for c in table.columns] == [c.name for c in self._table.columns]
        self._table = table
        if not same:
            self._sorted = None
        self._order = self._sorted_rows()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column, stably; -1 is the order in which the rows were given."""
        self.layoutAboutToBeChanged.emit()
        kept = self.persistentIndexList()
        behind = [self._order[index.row()] for index in kept]
        self._sorted = (column, order) if column >= 0 else None
        self._order = self._sorted_rows()
        place = {row: shown for shown, row in enumerate(self._order)}
        moved = zip(kept, behind, strict=True)
        now = [self.index(place[row], index.column()) for index, row in moved]
        self.changePersistentIndexList(kept, now)
        self.layoutChanged.emit()

    def _sorted_rows(self) -> list[int]:
        rows = self._table.rows
        if self._sorted is None or self._sorted[0] >= len(self._table.columns):
            return list(range(len(rows)))
        column, order = self._sorted
        gaps = [n for n in range(len(rows)) if _is_gap(rows[n][column])]
        missing = set(gaps)
        full = [n for n in range(len(rows)) if n not in missing]
        descending = order == Qt.SortOrder.DescendingOrder
        return sorted(full, key=lambda n: _key(rows[n][column]), reverse=descending) + gaps

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._table.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        column = self._table.columns[index.column()]
        cell = self._table.rows[self._order[index.row()]][index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(cell, column.kind)
        if role == Qt.ItemDataRole.EditRole:
            return _bare(cell)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if column.kind == "text" else _RIGHT
        if role == Qt.ItemDataRole.ToolTipRole and isinstance(cell, str):
            return tool_tip(reveal(cell[:2_000]))
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal or section >= len(self._table.columns):
            return None
        column = self._table.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return tool_tip(column.tip) or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if column.kind == "text" else _RIGHT
        return None


def _key(cell: Cell) -> tuple[int, float, str]:
    if isinstance(cell, Bracket):
        return 0, float(cell.at), ""
    return (1, 0.0, cell.casefold()) if isinstance(cell, str) else (0, float(cell or 0), "")


class TableView(QTableView):
    """Shows a `Table`: a click on a heading sorts, Ctrl+C copies the chosen rows as CSV."""

    row_chosen = Signal(int)  # the table's own number of the row that a person moved to
    row_opened = Signal(int)  # a double click or Return

    def __init__(self, name: str) -> None:
        super().__init__()
        self._rows = TableModel()
        self._quiet = False
        self.setModel(self._rows)
        self.setAccessibleName(name)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setSortingEnabled(True)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.horizontalHeader().setSortIndicatorClearable(True)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setResizeContentsPrecision(0)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.horizontalHeader().setMinimumSectionSize(theme.GRID * 7)
        self.verticalHeader().hide()
        self.selectionModel().currentRowChanged.connect(self._on_row)
        self.activated.connect(self._on_activated)

    def show_table(self, table: Table) -> None:
        """Show other rows; what is chosen and the columns' widths stay while they are the same."""
        names = [column.name for column in self._rows.table.columns]
        same = names == [column.name for column in table.columns]
        chosen = self._chosen_rows() if same else []
        scrolled = self.verticalScrollBar().value()
        self._rows.show_table(table)
        if not same:
            self.resizeColumnsToContents()
        self._choose_all([row for row in chosen if row < len(table.rows)])
        self.verticalScrollBar().setValue(scrolled if same else 0)

    @property
    def order(self) -> tuple[int, ...]:
        """The table's row behind each row shown."""
        return self._rows.order

    def choose(self, row: int) -> None:
        """Show a row of the table as the current one, without announcing it."""
        if row in self._rows.order:
            self._choose_all([row])
            self.scrollTo(self.currentIndex())

    def _chosen_rows(self) -> list[int]:
        """Return the table's numbers of the rows chosen, the current one last."""
        current = self.currentIndex()
        rows = [index.row() for index in self.selectionModel().selectedRows()]
        rows.sort(key=current.row().__eq__)
        return [self._rows.order[row] for row in rows]

    def _choose_all(self, rows: Sequence[int]) -> None:
        place = {row: shown for shown, row in enumerate(self._rows.order)} if rows else {}
        chosen = QItemSelection()
        for row in rows:
            index = self._rows.index(place[row], 0)
            chosen.select(index, index)
        self._quiet = True
        select = QItemSelectionModel.SelectionFlag
        self.selectionModel().select(chosen, select.ClearAndSelect | select.Rows)
        if rows:
            index = self._rows.index(place[rows[-1]], 0)
            self.selectionModel().setCurrentIndex(index, select.NoUpdate)
        self._quiet = False

    def as_csv(self) -> str:
        """Return the chosen rows as CSV in the order shown, all where fewer than two are."""
        chosen = sorted(index.row() for index in self.selectionModel().selectedRows())
        shown = chosen if len(chosen) > 1 else range(self._rows.rowCount())
        return self._rows.table.as_csv([self._rows.order[row] for row in shown])

    def copy(self) -> None:
        """Put the chosen rows on the clipboard, all where fewer than two are chosen."""
        QGuiApplication.clipboard().setText(self.as_csv())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def _on_row(self, now: QModelIndex, _before: QModelIndex) -> None:
        if now.isValid() and not self._quiet:
            self.row_chosen.emit(self._rows.order[now.row()])

    def _on_activated(self, index: QModelIndex) -> None:
        self.row_opened.emit(self._rows.order[index.row()])
