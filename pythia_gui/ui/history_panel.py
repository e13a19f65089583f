"""The list of past runs: found by words, shown again by a click, marked, deleted, had back."""

from datetime import datetime

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QLineEdit,
    QListView,
    QPushButton,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from pythia_gui.core.history import Run
from pythia_gui.ui import theme
from pythia_gui.ui.history_keeper import Found
from pythia_gui.ui.past_runs import about, in_full, title_of, when_text
from pythia_gui.ui.widgets import (
    IconButton,
    Line,
    Surface,
    column_of,
    plain_label,
    row_of,
    set_tool_tip,
    tool_tip,
)

Index = QModelIndex | QPersistentModelIndex

RUN = Qt.ItemDataRole.UserRole + 1
LEAST_WIDTH = 240
STAR_SIDE = 16
EDGE = 16
_STAR = ((0, -10), (3, -4), (10, -3), (5, 2), (6, 9), (0, 6), (-6, 9), (-5, 2), (-10, -3), (-3, -4))
_NOWHERE = QModelIndex()


class HistoryPanel(Surface):
    """Past runs, newest first; it announces what a person wishes, and keeps nothing itself."""

    run_chosen = Signal(object)  # Run: show it again
    searched = Signal(str, bool)  # words, and whether only runs with a star
    star_wished = Signal(int, bool)  # a run's id, on or off
    deletion_wished = Signal(object)  # tuple[int, ...]: ids
    undo_wished = Signal()
    closed = Signal()

    def __init__(self) -> None:
        super().__init__("window")
        self._build()
        self._lay_out()
        self._connect()

    def _build(self) -> None:
        self._title = plain_label("History", size=1.1)
        self._close = IconButton("close", "Close the history", "Close the history (Esc)")
        self._search = QLineEdit()
        self._search.setPlaceholderText("Find a run")
        self._search.setAccessibleName("Find a run")
        self._search.setClearButtonEnabled(True)
        set_tool_tip(self._search, "Words of the prompt, its targets, the model or the view")
        self._only_starred = IconButton(
            "star", "Only runs with a star", "Show only runs with a star", checkable=True
        )
        self._undo_text = plain_label()
        self._undo = QPushButton("&Undo")
        self._undo_line = Surface("raised")
        undo = row_of(self._undo_text, self._undo, margins=(16, 4, 16, 4), stretch=self._undo_text)
        self._undo_line.setLayout(undo)
        self._undo_line.hide()
        self._runs = RunList()
        self._message = plain_label(role="muted", wrap=True)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._remark = plain_label(role="muted", size=0.92, wrap=True)
        self._keys = plain_label(
            "Click or Return shows it again, Space marks it, Delete forgets it.",
            role="muted",
            size=0.92,
            wrap=True,
        )
        self._pages = QStackedWidget()

    def _lay_out(self) -> None:
        self._nothing = Surface("window")
        self._nothing.setLayout(column_of(None, self._message, None, margins=(24, 8, 24, 8)))
        self._pages.addWidget(self._runs)
        self._pages.addWidget(self._nothing)
        column = column_of(margins=(0, 8, 0, 8))
        column.addLayout(row_of(self._title, None, self._close, margins=(16, 0, 8, 0)))
        find = row_of(self._search, self._only_starred, margins=(16, 0, 8, 0), stretch=self._search)
        column.addLayout(find)
        column.addWidget(self._undo_line)
        column.addWidget(self._pages, 1)
        column.addWidget(Line())
        for label in (self._remark, self._keys):
            column.addLayout(row_of(label, margins=(16, 0, 16, 0)))
        self._remark.hide()
        self.setLayout(column)
        self.setMinimumWidth(LEAST_WIDTH)

    def _connect(self) -> None:
        self._close.clicked.connect(self.closed)
        self._only_starred.toggled.connect(self._on_search)
        self._runs.chosen.connect(self.run_chosen)
        self._runs.deletion_wished.connect(self.deletion_wished)
        self._runs.star_wished.connect(self.star_wished)
        self._runs.undo_wished.connect(self.undo_wished)
        self._search.returnPressed.connect(self._choose_first)
        self._search.textChanged.connect(self._on_search)
        self._undo.clicked.connect(self.undo_wished)

    def show_found(self, found: Found) -> None:
        """Show these runs, or why there are none."""
        self._runs.show_runs(found.runs)
        self._message.setText(found.remark)
        self._remark.setText(found.remark)
        self._remark.setVisible(bool(found.runs and found.remark))
        self._keys.setVisible(bool(found.runs))
        self._pages.setCurrentWidget(self._runs if found.runs else self._nothing)

    def show_deleted(self, count: int) -> None:
        """Offer the way back after so many runs were deleted; none takes the offer away."""
        self._undo_text.setText("Deleted." if count == 1 else f"{count:,} deleted.")
        self._undo_line.setVisible(count > 0)

    def focus_runs(self) -> None:
        """Put the focus where it can be used: on the list, or into the search."""
        listed = self._runs.model().rowCount() > 0
        (self._runs if listed else self._search).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def event(self, event: QEvent) -> bool:
        """Take the Esc key before the window's Stop does."""
        taken = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if taken and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close with Esc; from the search go down into the list."""
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        elif event.key() == Qt.Key.Key_Down and self._search.hasFocus():
            self._choose_first()
        else:
            super().keyPressEvent(event)

    def _choose_first(self) -> None:
        if self._runs.model().rowCount():
            self._runs.setCurrentIndex(self._runs.model().index(0, 0))
            self._runs.setFocus()

    def _on_search(self) -> None:
        self.searched.emit(self._search.text(), self._only_starred.isChecked())


class _Runs(QAbstractListModel):
    """The runs as rows."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: tuple[Run, ...] = ()

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.runs)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        run, now = self.runs[index.row()], datetime.now().astimezone()
        if role == RUN:
            return run
        if role == Qt.ItemDataRole.DisplayRole:
            return title_of(run)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tool_tip(in_full(run, now))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            star = "Starred. " if run.starred else ""
            return f"{star}{title_of(run)}. {about(run)}. {when_text(run.when, now)}"
        return None

    def show(self, runs: tuple[Run, ...]) -> None:
        self.beginResetModel()
        self.runs = runs
        self.endResetModel()


class RunList(QListView):
    """The list itself: two lines a run, a star at its right."""

    chosen = Signal(object)  # Run
    star_wished = Signal(int, bool)
    deletion_wished = Signal(object)  # tuple[int, ...]
    undo_wished = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._rows = _Runs()
        self.setModel(self._rows)
        self.setItemDelegate(_Delegate(self))
        self.setAccessibleName("Past runs")
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.clicked.connect(self._on_clicked)
        theme.events.theme_changed.connect(self.doItemsLayout)

    @property
    def runs(self) -> tuple[Run, ...]:
        """What is listed."""
        return self._rows.runs

    def show_runs(self, runs: tuple[Run, ...]) -> None:
        """List other runs; those that were chosen stay so, and where they went the place does."""
        place, scrolled = self.currentIndex().row(), self.verticalScrollBar().value()
        kept = {run.id for run in self._chosen_runs()}
        current = self.runs[place].id if 0 <= place < len(self.runs) else 0
        self._rows.show(runs)
        rows = {run.id: row for row, run in enumerate(runs)}
        now = rows.get(current, min(max(place, 0), len(runs) - 1))
        if now >= 0 and place >= 0:
            self._choose([rows[one] for one in kept if one in rows] or [now], now)
        self.verticalScrollBar().setValue(scrolled)

    def _choose(self, rows: list[int], current: int) -> None:
        chosen = QItemSelection()
        for row in rows:
            chosen.select(self._rows.index(row, 0), self._rows.index(row, 0))
        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(self._rows.index(current, 0), flag.NoUpdate)
        self.selectionModel().select(chosen, flag.ClearAndSelect)

    def _chosen_runs(self) -> list[Run]:
        return [self.runs[index.row()] for index in self.selectionModel().selectedIndexes()]

    def _current_run(self) -> Run | None:
        index = self.currentIndex()
        return self.runs[index.row()] if index.isValid() else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return shows a run again, Space marks it, Delete forgets those chosen."""
        run = self._current_run()
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undo_wished.emit()
        elif event.key() == Qt.Key.Key_Delete:
            self.deletion_wished.emit(tuple(one.id for one in self._chosen_runs()))
        elif run is None:
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.chosen.emit(run)
        elif event.key() == Qt.Key.Key_Space:
            self.star_wished.emit(run.id, not run.starred)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Leave what is chosen alone when a star is clicked."""
        if self._starred_at(event.position().toPoint()) is None:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Mark a run by a click on its star."""
        run = self._starred_at(event.position().toPoint())
        if run is None:
            super().mouseReleaseEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self.star_wished.emit(run.id, not run.starred)

    def _starred_at(self, place: QPoint) -> Run | None:
        """Return the run whose star lies at a place."""
        index = self.indexAt(place)
        if index.isValid() and star_rect(self.visualRect(index)).adjusted(-6, -6, 6, 6).contains(
            place
        ):
            return self.runs[index.row()]
        return None

    def _on_clicked(self, index: QModelIndex) -> None:
        held = QApplication.keyboardModifiers()
        many = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        if not held & many:
            self.chosen.emit(self.runs[index.row()])


def star_rect(row: QRect) -> QRect:
    """Return where the star of a row is painted."""
    return QRect(row.right() - EDGE - STAR_SIDE, row.top() + 6, STAR_SIDE, STAR_SIDE)


class _Delegate(QStyledItemDelegate):
    """Paints a run: its prompt, and under it of whom, when and how it was asked."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the room of two lines."""
        del option, index
        lines = (QFontMetrics(font).height() for font in (theme.ui_font(), theme.small_font()))
        return QSize(LEAST_WIDTH // 2, sum(lines) + 12)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one run."""
        colors, run = theme.current_theme(), index.data(RUN)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        pointed = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        if chosen:
            painter.fillRect(option.rect, colors.selection)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(colors.accent)
            painter.drawRect(option.rect.adjusted(0, 0, -1, -1))
        ink = colors.selection_text if chosen else colors.text
        soft = colors.selection_text if chosen else colors.muted
        _write(painter, option.rect, run, (ink, soft))
        if run.starred or chosen or pointed:
            _draw_star(painter, star_rect(option.rect), soft, filled=run.starred)
        painter.restore()


def _write(painter: QPainter, row: QRect, run: Run, inks: tuple[QColor, QColor]) -> None:
    room = row.adjusted(EDGE, 6, -EDGE, -6)
    title, small = theme.ui_font(), theme.small_font()
    height = QFontMetrics(title).height()
    first = QRect(room.left(), room.top(), room.width() - STAR_SIDE - theme.GRID, height)
    second = QRect(room.left(), room.top() + height, room.width(), QFontMetrics(small).height())
    painter.setFont(title)
    painter.setPen(inks[0])
    _write_line(painter, first, title_of(run))
    painter.setFont(small)
    painter.setPen(inks[1])
    when = when_text(run.when, datetime.now().astimezone())
    painter.drawText(second, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, when)
    taken = QFontMetrics(small).horizontalAdvance(when) + theme.GRID
    _write_line(painter, second.adjusted(0, 0, -taken, 0), about(run))


def _write_line(painter: QPainter, place: QRect, text: str) -> None:
    """Write a line, cut at its right where there is no room for it."""
    right = Qt.TextElideMode.ElideRight
    shown = painter.fontMetrics().elidedText(text, right, place.width())
    painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


def _draw_star(painter: QPainter, place: QRect, ink: QColor, *, filled: bool) -> None:
    """Draw a star, filled where a run has one: told apart by shape, not by colour."""
    middle, scale = QRect(place).center(), STAR_SIDE / 22
    points = (QPointF(middle.x() + x * scale, middle.y() + y * scale) for x, y in _STAR)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(ink, 1.2))
    painter.setBrush(ink if filled else Qt.BrushStyle.NoBrush)
    painter.drawPolygon(QPolygonF(list(points)))
