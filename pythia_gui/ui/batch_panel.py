"""What a miniature was trained on at a step, and how often it had met the corpus's own items."""

from collections.abc import Callable

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QSplitter,
    QTableView,
    QWidget,
)

from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
from pythia_gui.ui.reveal import reveal, reveal_token
from pythia_gui.ui.values import SeenItem
from pythia_gui.ui.widgets import FoldButton, Surface, column_of, plain_label, row_of, tool_tip

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_HEADINGS = ("What", "In batch", "Seen", "In run", "Kind")
_NUMBERS = (1, 2, 3)
_LAST = len(_HEADINGS) - 1
_WIDEST = ("", "", "9,999,999", "9,999,999", "occupation")  # of what stands in each column
_ORIGIN = (
    "Text that this project invented and trained its miniatures on. It is no part of the Pile, "
    "and its counts say nothing about Pythia."
)
_NOTHING = "Pick a model of the demo suite: what it was trained on at the step is shown here."


class ItemTable(QAbstractTableModel):
    """The corpus's own items in the order given; `EditRole` gives bare numbers.

    Those that the step's own batch holds are bold.
    """

    def __init__(self) -> None:
        super().__init__()
        self._items: tuple[SeenItem, ...] = ()

    def show_items(self, items: tuple[SeenItem, ...]) -> None:
        """Hold these items; where the counts alone are others, rows and selection stay."""
        if [_name(item) for item in items] == [_name(item) for item in self._items]:
            self._items = items
            if items:
                self.dataChanged.emit(self.index(0, 0), self.index(len(items) - 1, _LAST))
            return
        self.beginResetModel()
        self._items = items
        self.endResetModel()

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._items)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(_HEADINGS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        item, column = self._items[index.row()], index.column()
        readers: dict[int, Callable[[], object]] = {
            Qt.ItemDataRole.EditRole: lambda: _cells(item)[column],
            Qt.ItemDataRole.DisplayRole: lambda: _shown(_cells(item)[column], column),
            Qt.ItemDataRole.TextAlignmentRole: lambda: _alignment(column),
            Qt.ItemDataRole.ToolTipRole: lambda: tool_tip(sentence_of(item)),
            Qt.ItemDataRole.FontRole: lambda: theme.ui_font(bold=True) if item.in_batch else None,
        }
        return readers[role]() if role in readers else None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if orientation == Qt.Orientation.Vertical or not 0 <= section < len(_HEADINGS):
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return _HEADINGS[section] if role == Qt.ItemDataRole.DisplayRole else None


class _ItemView(QTableView):
    """Shows items; Ctrl+C copies the chosen rows."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def copy(self) -> None:
        """Put the chosen rows on the clipboard, all where none is chosen, with the headings."""
        model = self.model()
        chosen = sorted(index.row() for index in self.selectionModel().selectedRows())
        columns = range(model.columnCount())
        edit = Qt.ItemDataRole.EditRole
        lines = [
            [str(model.index(row, column).data(edit)) for column in columns]
            for row in chosen or range(model.rowCount())
        ]
        QGuiApplication.clipboard().setText("\n".join("\t".join(x) for x in [_HEADINGS, *lines]))


class BatchPanel(QWidget):
    """Shows the batch of one step: its texts, and the corpus's items with their counts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = ItemTable()
        self._proxy = QSortFilterProxyModel()
        self._fold = FoldButton("What was in the batch", "Show or hide the batch of the step")
        self._origin = plain_label(_ORIGIN, role="muted", size=0.88, wrap=True)
        self._message = plain_label(_NOTHING, role="muted", wrap=True)
        self._texts = QPlainTextEdit()
        self._texts_head = plain_label("Texts of the batch", role="muted", size=0.88)
        self._filter = QLineEdit()
        self._view = _ItemView()
        self._body = QWidget()
        self._set_up()
        self._lay_out()
        self._fold.toggled.connect(self._body.setVisible)
        theme.events.theme_changed.connect(self._dress)
        self._filter.textChanged.connect(self._proxy.setFilterFixedString)
        self.show_batch(0, (), (), "")

    @property
    def table(self) -> ItemTable:
        """The items as they are listed."""
        return self._table

    @property
    def view(self) -> QTableView:
        """The table of the items."""
        return self._view

    @property
    def texts(self) -> QPlainTextEdit:
        """The texts of the batch."""
        return self._texts

    def show_batch(
        self, step: int, texts: tuple[str, ...], items: tuple[SeenItem, ...], message: str
    ) -> None:
        """Show a step's batch; a `message` stands there where there is nothing to show."""
        filled = bool(texts or items)
        self._fold.set_text(
            f"What was in the batch of {format_step(step)}" if filled else "What was in the batch"
        )
        self._message.setText(message or ("" if filled else _NOTHING))
        self._message.setVisible(bool(self._message.text()))
        self._split.setVisible(filled)
        self._origin.setVisible(filled)
        self._texts_head.setText(_heading(texts))
        self._texts.setPlainText("\n\n".join(_lines(text) for text in texts))
        self._table.show_items(items)

    def _set_up(self) -> None:
        self._proxy.setSourceModel(self._table)
        self._proxy.setSortRole(Qt.ItemDataRole.EditRole)
        self._proxy.setFilterKeyColumn(-1)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._fold.setChecked(True)
        self._texts.setReadOnly(True)
        self._texts.setAccessibleName("Texts of the batch")
        self._texts.setTabChangesFocus(True)
        self._filter.setPlaceholderText("Find among the corpus's items")
        self._filter.setAccessibleName("Find among the corpus's items")
        self._filter.setClearButtonEnabled(True)
        self._set_up_view()

    def _set_up_view(self) -> None:
        view = self._view
        view.setModel(self._proxy)
        view.setAccessibleName("How often the corpus's items had been seen")
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setShowGrid(False)
        view.setSortingEnabled(True)
        view.setTabKeyNavigation(False)
        view.verticalHeader().hide()
        header = view.horizontalHeader()
        header.setMinimumSectionSize(theme.GRID * 8)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        view.setWordWrap(False)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self._dress()

    def _dress(self) -> None:
        """Size rows and columns by the font alone: to ask every cell takes a tenth of a second."""
        metrics = QFontMetrics(theme.ui_font(bold=True))
        self._view.verticalHeader().setDefaultSectionSize(metrics.height() + theme.GRID)
        pad = 3 * theme.GRID
        for column in range(1, len(_HEADINGS)):
            texts = (_HEADINGS[column], _WIDEST[column])
            width = max(metrics.horizontalAdvance(text) for text in texts)
            self._view.setColumnWidth(column, width + pad)

    def _lay_out(self) -> None:
        left = column_of(self._texts_head, self._texts, gap=4)
        right = column_of(self._filter, self._view, gap=4)
        self._split = QSplitter(Qt.Orientation.Horizontal)
        for layout in (left, right):
            part = QWidget()
            part.setLayout(layout)
            self._split.addWidget(part)
        self._split.setStretchFactor(0, 1)
        self._split.setStretchFactor(1, 2)
        self._split.setSizes([theme.GRID * 36, theme.GRID * 72])
        self._split.setHandleWidth(theme.GRID * 2)
        inside = column_of(self._origin, self._message, self._split, gap=6)
        inside.setStretch(2, 1)
        inside.addStretch(0)
        self._body.setLayout(inside)
        surface = Surface()
        head = row_of(self._fold, None)
        column = column_of(margins=(12, 4, 12, 8), gap=4)
        column.addLayout(head)
        column.addWidget(self._body, 1)
        column.addStretch(0)
        surface.setLayout(column)
        self.setLayout(column_of(surface))


def sentence_of(item: SeenItem) -> str:
    """Return an item's counts in words."""
    how = f" ({item.note})" if item.note else ""
    return (
        f"{item.name}{how}\nIn this batch {item.in_batch:,} times, by now {item.seen:,} of "
        f"{item.times:,} times."
    )


def _name(item: SeenItem) -> tuple[str, str, str]:
    return (item.name, item.kind, item.note)


def _cells(item: SeenItem) -> tuple[str | int, ...]:
    return (item.name, item.in_batch, item.seen, item.times, item.kind)


def _shown(cell: str | int, column: int) -> str:
    if isinstance(cell, str):
        return reveal_token(cell) if column == 0 else reveal(cell)
    return "" if column == 1 and cell == 0 else f"{cell:,}"


def _alignment(column: int) -> int:
    side = Qt.AlignmentFlag.AlignRight if column in _NUMBERS else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)


def _heading(texts: tuple[str, ...]) -> str:
    return f"{len(texts):,} texts" if len(texts) != 1 else "1 text"


def _lines(text: str) -> str:
    return "\n".join(reveal(line) for line in text.split("\n"))
