"""The table beside the plot: a row for each step, a column for each curve."""

from collections.abc import Callable

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from pythia_gui.core.steps import format_tokens
from pythia_gui.ui import theme
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.scores import ScoreKind, number_of, number_text, problem_of, table_steps
from pythia_gui.ui.values import Curve, CurvePoint
from pythia_gui.ui.widgets import tool_tip

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_FIXED = ("Step", "Tokens seen")


class CurveTable(QAbstractTableModel):
    """The curves' numbers; `EditRole` gives them bare, for other programs."""

    def __init__(self) -> None:
        super().__init__()
        self._curves: tuple[Curve, ...] = ()
        self._kind: ScoreKind = "probability"
        self._steps: list[int] = []
        self._points: list[dict[int, CurvePoint]] = []
        self._tokens: dict[int, int | None] = {}

    def show_curves(self, curves: tuple[Curve, ...], kind: ScoreKind) -> None:
        """Hold these curves in these units."""
        self.beginResetModel()
        self._curves, self._kind = curves, kind
        self._steps = table_steps(curves)
        self._points = [{point.step: point for point in curve.points} for curve in curves]
        self._tokens = {p.step: p.tokens_seen for curve in curves for p in curve.points}
        self.endResetModel()

    @property
    def steps(self) -> tuple[int, ...]:
        """The step of each row."""
        return tuple(self._steps)

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._steps)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() or not self._curves else len(_FIXED) + len(self._curves)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        readers: dict[int, Callable[[int, int], object]] = {
            Qt.ItemDataRole.DisplayRole: self._text,
            Qt.ItemDataRole.EditRole: self._bare,
            Qt.ItemDataRole.TextAlignmentRole: lambda *_: _RIGHT,
            Qt.ItemDataRole.ToolTipRole: lambda *cell: tool_tip(self._note(*cell)) or None,
            Qt.ItemDataRole.ForegroundRole: self._ink,
        }
        return readers[role](index.row(), index.column()) if role in readers else None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if orientation == Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT
        if role != Qt.ItemDataRole.DisplayRole or section < 0:
            return None
        if section < len(_FIXED):
            return _FIXED[section]
        place = section - len(_FIXED)
        return self._heading(self._curves[place]) if place < len(self._curves) else None

    def as_text(self, rows: list[int] | None = None) -> str:
        """Return rows (all if None) as lines of numbers apart by tabs, with the headings.

        Those name what the numbers are and the model they come from.
        """
        columns = range(self.columnCount())
        heading = [*_FIXED, *(self._full_heading(curve) for curve in self._curves)]
        chosen = range(self.rowCount()) if rows is None else rows
        lines = [[str(self._bare(row, column)) for column in columns] for row in chosen]
        return "\n".join("\t".join(line) for line in [heading, *lines])

    def _full_heading(self, curve: Curve) -> str:
        return f"{reveal_token(curve.label)} ({curve.role}, {self._kind}, {curve.model})"

    def _heading(self, curve: Curve) -> str:
        name = reveal_token(curve.label)
        several = len({one.model for one in self._curves}) > 1
        return f"{name} ({curve.model})" if several else name

    def _point(self, row: int, column: int) -> CurvePoint | None:
        return self._points[column - len(_FIXED)].get(self._steps[row])

    def _text(self, row: int, column: int) -> str:
        step = self._steps[row]
        if column == 0:
            return f"{step:,}"
        if column == 1:
            tokens = self._tokens[step]
            return "–" if tokens is None else format_tokens(tokens).removesuffix(" tokens")
        point = self._point(row, column)
        return "" if point is None else number_text(number_of(point, self._kind), self._kind)

    def _bare(self, row: int, column: int) -> int | float | str:
        step = self._steps[row]
        if column == 0:
            return step
        if column == 1:
            tokens = self._tokens[step]
            return "" if tokens is None else tokens
        point = self._point(row, column)
        number = float("nan") if point is None else number_of(point, self._kind)
        if number != number:  # NaN  # noqa: PLR0124
            return ""
        return int(number) if self._kind == "rank" else number

    def _note(self, row: int, column: int) -> str:
        point = self._point(row, column) if column >= len(_FIXED) else None
        return "" if point is None else point.problem or problem_of(point, self._kind)

    def _ink(self, row: int, column: int) -> QColor | None:
        point = self._point(row, column) if column >= len(_FIXED) else None
        left_out = point is not None and point.left_out
        return theme.current_theme().muted if left_out else None


class CurveTableView(QTableView):
    """Shows a `CurveTable`; Ctrl+C copies the chosen rows with their headings."""

    def __init__(self, model: CurveTable) -> None:
        super().__init__()
        self._table = model
        self.setModel(model)
        self.setAccessibleName("Table of the trajectory")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setResizeContentsPrecision(0)  # what is in sight, not every row
        self.horizontalHeader().setMinimumSectionSize(theme.GRID * 11)
        self.horizontalHeader().setHighlightSections(False)

    def copy(self) -> None:
        """Put the chosen rows on the clipboard, all where none is chosen."""
        chosen = sorted(index.row() for index in self.selectionModel().selectedRows())
        QGuiApplication.clipboard().setText(self._table.as_text(chosen or None))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)
