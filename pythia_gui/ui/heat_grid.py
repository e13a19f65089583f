"""A matrix of numbers against training: rows of anything, columns of steps, colour for number."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QScrollBar

from pythia_gui.core.steps import format_step, format_tokens
from pythia_gui.ui import theme
from pythia_gui.ui.axes import StepScale, step_labels
from pythia_gui.ui.marks import paint_flag, paint_glyph, paint_stays
from pythia_gui.ui.scales import (
    Limits,
    Scale,
    current_colours,
    paint_gap,
    round_numbers,
    shades_of,
)
from pythia_gui.ui.sheet import (
    Bands,
    Glyph,
    Sheet,
    bands_of,
    edges_of,
    expanded,
    stacked,
    told_apart,
)

AXIS_NAMES: Final[dict[StepScale, str]] = {
    "even": "training step, checkpoints evenly spaced",
    "log2": "training step, on a log2(1 + step) scale",
    "tokens": "tokens seen in training",
}
_ZOOM = 1.25
_NOTCH = 120  # eighths of a degree
_LABEL_GAP = 6.0
_PAD = 8
_WIDEST_LABEL = 176
_LEAST_GUTTER = 72
_FLAGS = 10  # pixels above the cells, for the triangles of steps that are known to be odd
_APART = 8.0  # pixels of a row from which on a line stands between two
_LARGEST_ROW = 56.0
_NARROWEST = 96.0  # pixels that the narrowest column can be zoomed to
_MOST_ZOOM = 100_000.0
_NO_CELL = (-1, -1)


class HeatGrid(QAbstractScrollArea):
    """Draws a matrix; a pointer or a cell cursor reads it, a click or Return chooses a cell.

    The wheel scrolls rows, with Shift columns, with Ctrl it zooms. Dragging along a row chooses
    each column on the way. The arrow keys move the cell cursor; +, - and 0 zoom.
    """

    hovered = Signal(int, int)  # the row and column read; -1, -1 for none
    chosen = Signal(int, int)  # a person goes to this row and column
    paired = Signal(int, int)  # the same with Shift: a person compares row and column
    view_changed = Signal()  # the columns moved on screen

    def __init__(self, name: str, *, readable: bool = True) -> None:
        """Make a matrix called `name`; with `readable` rows are at first as high as text."""
        super().__init__()
        self._readable = readable
        self._sheet = Sheet.empty()
        self._scale = Scale("", "", 0.0, 1.0, "bits")
        self._limits: Limits = (0.0, 1.0)
        self._shades: NDArray[np.uint16] = np.empty((0, 0), np.uint16)
        self._edges: NDArray[np.float64] = np.empty(0)
        self._columns, self._rows = Bands(), Bands()
        self._area = QRect()
        self._free_height = 1
        self._gutter = self._tags = 0.0
        self._labels: tuple[str, ...] = ()
        self._zoom, self._row_height = 1.0, 0.0
        self._selected = self._cursor = self._hover = _NO_CELL
        self._dragged: int | None = None
        self._gaps = False
        self._axis: list[tuple[float, float, str]] | None = None
        self._glyphs_by_row: dict[int, list[Glyph]] = {}
        self._wheel = 0
        self._ink: NDArray[np.uint32] | None = None
        self._pixels: NDArray[np.uint32] | None = None
        self._image: tuple[object, QImage] | None = None
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(name)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.horizontalScrollBar().valueChanged.connect(self._moved)
        self.verticalScrollBar().valueChanged.connect(self._moved)
        theme.events.theme_changed.connect(self._dress)

    # -- what is shown ------------------------------------------------------------------------

    @property
    def sheet(self) -> Sheet:
        """What is shown."""
        return self._sheet

    @property
    def selected(self) -> tuple[int, int]:
        """The row and the column that are outlined, -1 for none."""
        return self._selected

    @property
    def cell(self) -> tuple[int, int]:
        """The cell that is read now: under the pointer, else under the cursor, else selected."""
        if self._hover != _NO_CELL:
            return self._hover
        return self._cursor if self._cursor != _NO_CELL else self._selected

    @property
    def area(self) -> QRect:
        """Where the cells are, in pixels of the viewport."""
        return QRect(self._area)

    def show_sheet(self, sheet: Sheet, scale: Scale, limits: Limits) -> None:
        """Show another matrix; zoom and scroll stay while its shape does."""
        old = self._sheet
        reshaped = (len(old.rows), old.steps, old.axis) != (
            len(sheet.rows),
            sheet.steps,
            sheet.axis,
        )
        rows_changed = old.rows != sheet.rows or old.groups != sheet.groups
        self._sheet, self._scale, self._limits = sheet, scale, limits
        self._shades = shades_of(scale, sheet.values, limits)
        self._gaps = bool(np.isnan(sheet.values).any())
        self._glyphs_by_row = by_row(sheet.glyphs)
        self._ink = self._image = None
        if reshaped:
            self._zoom, self._row_height = 1.0, 0.0
            self._cursor = self._hover = _NO_CELL
        if reshaped or rows_changed or bool(old.flagged) != bool(sheet.flagged):
            self._edges = edges_of(sheet.places)
            self._name_rows()
            self._lay_out()
        self.viewport().update()

    def select(self, row: int, column: int) -> None:
        """Outline a row and a column, -1 for none, without announcing it."""
        if (row, column) != self._selected:
            moved = row != self._selected[0]
            self._selected = (row, column)
            self._cursor = _NO_CELL
            if moved and self._dragged is None:
                self._reveal_row(row)
            self._describe()
            self.viewport().update()

    def cell_text(self, row: int, column: int) -> str:
        """Return what a screen reader says of a cell."""
        if not (0 <= row < len(self._sheet.rows) and 0 <= column < len(self._sheet.steps)):
            return ""
        value = float(self._sheet.values[row, column])
        unit = f" {self._scale.unit}" if self._scale.kind in ("nats", "bits") else ""
        number = "no number" if math.isnan(value) else f"{self._scale.text_of(value)}{unit}"
        name = self._sheet.rows[row]
        step = format_step(self._sheet.steps[column])
        return f"{' '.join(filter(None, (name.tag, name.label)))}, {step}: {number}"

    # -- geometry -----------------------------------------------------------------------------

    def x_of(self, place: float) -> float:
        """Return where a place of the axis stands, in pixels of the viewport."""
        if len(self._edges) < 2 or not len(self._columns):
            return float(self._area.left())
        share = (place - self._edges[0]) / (self._edges[-1] - self._edges[0])
        return float(self._area.left() - self._shift_x() + share * self._columns.ends[-1])

    def xs(self) -> list[float]:
        """Return where every column's place stands, in pixels of the viewport."""
        if not len(self._columns):
            return []
        pixel = self._columns.ends[-1] / (self._edges[-1] - self._edges[0])
        left = self._area.left() - self._shift_x()
        found: list[float] = (left + (self._sheet.places - self._edges[0]) * pixel).tolist()
        return found

    def column_at(self, x: float) -> int:
        """Return the column nearest to a pixel of the viewport, -1 where there is none."""
        if not len(self._columns):
            return -1
        return self._columns.nearest(x - self._area.left() + self._shift_x())

    def cell_at(self, at: QPointF) -> tuple[int, int]:
        """Return the row and column at a point of the viewport, -1, -1 where there is none."""
        if not QRectF(self._area).contains(at):
            return _NO_CELL
        row = self._rows.at(at.y() - self._area.top() + self._shift_y())
        column = self._columns.at(at.x() - self._area.left() + self._shift_x())
        return _NO_CELL if row < 0 or column < 0 else (row, column)

    def cell_rect(self, row: int, column: int) -> QRectF:
        """Return where a cell stands, in pixels of the viewport, cut or not."""
        left = self._area.left() - self._shift_x() + self._columns.starts[column]
        top = self._area.top() - self._shift_y() + self._rows.starts[row]
        width = self._columns.ends[column] - self._columns.starts[column]
        return QRectF(left, top, width, self._rows.ends[row] - self._rows.starts[row])

    def full_height(self) -> int:
        """Return the height at which readable rows show all of themselves."""
        metrics = QFontMetricsF(theme.small_font())
        rows = len(self._sheet.rows) * self._most_row() + len(self._sheet.groups) * self._head()
        return math.ceil(rows + _FLAGS + _axis_height(metrics)) + 4

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Look closer at a point (the middle if None), or from further away below 1."""
        if not len(self._columns) or not len(self._rows):
            return
        point = QPointF(self._area.center()) if at is None else at
        across = (point.x() - self._area.left() + self._shift_x()) / self._columns.ends[-1]
        down = (point.y() - self._area.top() + self._shift_y()) / self._rows.ends[-1]
        self._zoom = min(max(self._zoom * factor, 1.0), self._most_zoom())
        least, now = self._least_row(), self._now_row()
        self._row_height = min(max(now * factor, least), max(_LARGEST_ROW, least))
        self._lay_out()
        self.horizontalScrollBar().setValue(
            round(across * self._columns.ends[-1] - point.x() + self._area.left())
        )
        self.verticalScrollBar().setValue(
            round(down * self._rows.ends[-1] - point.y() + self._area.top())
        )

    def zoom_out(self) -> None:
        """Show all columns, and rows at their first height."""
        self._zoom, self._row_height = 1.0, 0.0
        self._lay_out()

    def _shift_x(self) -> int:
        return self.horizontalScrollBar().value()

    def _shift_y(self) -> int:
        return self.verticalScrollBar().value()

    def _most_zoom(self) -> float:
        if len(self._edges) < 2 or self._area.width() <= 0:
            return 1.0
        narrowest = float(np.diff(self._edges).min() / (self._edges[-1] - self._edges[0]))
        return min(max(_NARROWEST / (narrowest * self._area.width()), 1.0), _MOST_ZOOM)

    def _head(self) -> float:
        return QFontMetricsF(theme.small_font()).height() + 6.0

    def _room(self) -> float:
        heads = 0.0 if self._sheet.square else len(self._sheet.groups) * self._head()
        return max(self._free_height - heads, 1.0)

    def _least_row(self) -> float:
        """Return the height at which all rows are seen at once."""
        return min(self._room() / max(len(self._sheet.rows), 1), self._most_row())

    def _most_row(self) -> float:
        return 1.8 * QFontMetricsF(theme.ui_font()).height()

    def _now_row(self) -> float:
        if self._row_height:
            return self._row_height
        fitting = self._room() / max(len(self._sheet.rows), 1)
        if not self._readable:
            return fitting
        text = QFontMetricsF(theme.small_font()).height() + 2.0
        return min(max(fitting, text), self._most_row())

    def _name_rows(self) -> None:
        """Cut the rows' names to the room that they get beside the cells."""
        metrics = QFontMetricsF(theme.small_font())
        tags = [metrics.horizontalAdvance(tag) for tag in {row.tag for row in self._sheet.rows}]
        names = {row.label for row in self._sheet.rows}
        widest = max((metrics.horizontalAdvance(name) for name in names), default=0.0)
        room = min(widest + 1, _WIDEST_LABEL * theme.text_scale())
        self._labels = told_apart([row.label for row in self._sheet.rows], room, metrics.elidedText)
        self._tags = max(tags, default=0.0)
        needed = _PAD + self._tags + (_PAD if self._tags else 0) + room + _PAD
        self._gutter = max(needed, _LEAST_GUTTER * theme.text_scale())

    def _lay_out(self) -> None:
        """Place rows and columns, and set the scroll bars to what doesn't fit."""
        metrics, view = QFontMetricsF(theme.small_font()), self.viewport().rect()
        top = _FLAGS if self._sheet.flagged or self._sheet.square else 2
        left, foot = math.ceil(self._gutter), math.ceil(_axis_height(metrics))
        margin = math.ceil(metrics.horizontalAdvance("143k") / 2) + 2
        width, height = view.width() - left - margin, view.height() - top - foot
        self._free_height = max(height, 1)
        self._area = QRect(left, top, max(width, 1), self._free_height)
        self._columns = bands_of(self._edges, self._area.width() * self._zoom)
        self._rows = self._place_rows()
        if len(self._rows):
            self._area.setHeight(min(self._free_height, math.ceil(self._rows.ends[-1] - 0.01)))
        _set_range(self.horizontalScrollBar(), self._columns, self._area.width())
        _set_range(self.verticalScrollBar(), self._rows, self._area.height())
        self._image = None
        if self._readable:
            self.setMaximumHeight(self.full_height())
        self._moved()

    def _place_rows(self) -> Bands:
        count, height = len(self._sheet.rows), self._now_row()
        if not count:
            return Bands()
        if self._sheet.square:
            return bands_of(self._edges, count * height)
        heads = [group.first for group in self._sheet.groups]
        return stacked(count, height, heads, self._head())

    def _reveal_row(self, row: int) -> None:
        if 0 <= row < len(self._rows):
            _scroll_to(
                self.verticalScrollBar(), self._rows.starts[row], self._rows.ends[row], self._head()
            )

    def _reveal_column(self, column: int) -> None:
        if 0 <= column < len(self._columns):
            bands = self._columns
            _scroll_to(self.horizontalScrollBar(), bands.starts[column], bands.ends[column], 24.0)

    def _moved(self) -> None:
        self._axis = None
        self.view_changed.emit()
        self.viewport().update()

    def _dress(self) -> None:
        self._ink = None
        self._name_rows()
        self._lay_out()

    # -- events -------------------------------------------------------------------------------

    def minimumSizeHint(self) -> QSize:
        line = QFontMetricsF(theme.small_font()).height()
        return QSize(240, round(_FLAGS + 8 * line))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        del dx, dy  # everything is painted anew

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton or cell == _NO_CELL:
            return
        self._cursor = _NO_CELL
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.paired.emit(*cell)
            return
        self._dragged = cell[0]
        self.chosen.emit(*cell)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged is not None:
            column = self.column_at(event.position().x())
            if column != self._selected[1]:
                self.chosen.emit(self._dragged, column)
            self._read((self._dragged, column))
        else:
            self._read(self.cell_at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragged = None

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave and self._dragged is None:
            self._read(_NO_CELL)
        return super().viewportEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned, held = event.angleDelta(), event.modifiers()
        if held & Qt.KeyboardModifier.ControlModifier:
            self.zoom_by(_ZOOM ** (turned.y() / _NOTCH), event.position())
        else:
            sideways = held & Qt.KeyboardModifier.ShiftModifier
            across, down = (turned.x() or turned.y(), 0) if sideways else (turned.x(), turned.y())
            _turn(self.horizontalScrollBar(), across)
            _turn(self.verticalScrollBar(), down)
        self._read(self.cell_at(event.position()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in _MOVES:
            self._move_cursor(*_MOVES[key])
        elif key in _ENTERS and self.cell != _NO_CELL and min(self.cell) >= 0:
            shifted = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            (self.paired if shifted else self.chosen).emit(*self.cell)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom_by(_ZOOM)
        elif key == Qt.Key.Key_Minus:
            self.zoom_by(1 / _ZOOM)
        elif key == Qt.Key.Key_0:
            self.zoom_out()
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def _move_cursor(self, down: int, across: int) -> None:
        rows, columns = len(self._sheet.rows), len(self._sheet.steps)
        if not rows or not columns:
            return
        row, column = self._cursor if self._cursor != _NO_CELL else self._selected
        if (row, column) == _NO_CELL:
            down = across = 0
        row = min(max(max(row, 0) + down, 0), rows - 1)
        column = min(max(max(column, 0) + across, 0), columns - 1)
        self._cursor, self._hover = (row, column), _NO_CELL
        self._reveal_row(row)
        self._reveal_column(column)
        self._describe()
        self.hovered.emit(row, column)
        self.viewport().update()

    def _read(self, cell: tuple[int, int]) -> None:
        if cell != self._hover:
            self._hover = cell
            self._describe()
            self.hovered.emit(*cell)
            self.viewport().update()

    def _describe(self) -> None:
        self.setAccessibleDescription(self.cell_text(*self.cell))
        if self.hasFocus():
            kind = QAccessible.Event.DescriptionChanged
            QAccessible.updateAccessibility(QAccessibleEvent(self, kind))

    # -- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), theme.current_theme().surface)
        if not len(self._rows) or not len(self._columns):
            return
        self._paint_cells(painter)
        painter.setFont(theme.small_font())
        self._paint_heads(painter)
        painter.save()
        painter.setClipRect(self._area.adjusted(-1, -1, 1, 1))
        self._paint_selection(painter)
        painter.setClipRect(self._area.adjusted(-5, -5, 5, 5))
        self._paint_glyphs(painter)
        painter.restore()
        self._paint_names(painter)
        self._paint_axis(painter)
        self._paint_flags(painter)

    def _paint_cells(self, painter: QPainter) -> None:
        if self._gaps:
            paint_gap(painter, QRectF(self._area))
        painter.drawImage(self._area.topLeft(), self.image())

    def image(self) -> QImage:
        """Return the cells that are in view, in device pixels; gaps are transparent."""
        ratio = self.devicePixelRatioF()
        size = (round(self._area.width() * ratio), round(self._area.height() * ratio))
        key = (size, self._shift_x(), self._shift_y(), ratio)
        if self._image is not None and self._ink is not None and self._image[0] == key:
            return self._image[1]
        xs = (np.arange(size[0], dtype=np.float64) + 0.5) / ratio + self._shift_x()
        ys = (np.arange(size[1], dtype=np.float64) + 0.5) / ratio + self._shift_y()
        self._pixels = expanded(self._cell_ink(), self._rows_over(ys), self._columns.over(xs))
        kind = QImage.Format.Format_ARGB32_Premultiplied
        made = QImage(self._pixels.data, size[0], size[1], 4 * size[0], kind)
        made.setDevicePixelRatio(ratio)
        self._image = (key, made)
        return made

    def _rows_over(self, ys: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the row at each pixel, -1 between rows that are high enough to be parted."""
        rows = self._rows.over(ys)
        if not self._sheet.square and self._now_row() >= _APART:
            rows[ys >= self._rows.ends[rows] - 1.0] = -1
        return rows

    def _cell_ink(self) -> NDArray[np.uint32]:
        """Return the colour of every cell, a further row and column in that of the surface."""
        if self._ink is None:
            rows, columns = self._shades.shape
            ground = theme.current_theme().surface.rgb()
            self._ink = np.full((rows + 1, columns + 1), ground, dtype=np.uint32)
            np.take(current_colours(self._scale.palette), self._shades, out=self._ink[:-1, :-1])
        return self._ink

    def _paint_heads(self, painter: QPainter) -> None:
        painter.setPen(theme.current_theme().muted)
        metrics = QFontMetricsF(theme.small_font())
        for group in self._sheet.groups:
            if self._sheet.square or group.first >= len(self._rows):
                continue
            top = self._area.top() - self._shift_y() + self._rows.starts[group.first] - self._head()
            box = QRectF(_PAD, top, self.viewport().width() - 2 * _PAD, self._head())
            if box.top() >= self._area.top() - 1 and box.bottom() <= self._area.bottom() + 1:
                right = Qt.TextElideMode.ElideRight
                text = metrics.elidedText(group.title, right, box.width())
                painter.drawText(box, _LEFT, text)

    def _paint_names(self, painter: QPainter) -> None:
        colors, metrics = theme.current_theme(), QFontMetricsF(theme.small_font())
        middles = (self._rows.starts + self._rows.ends) / 2 - self._shift_y() + self._area.top()
        for row in self._named_rows(middles, metrics.height()):
            box = QRectF(0, middles[row] - metrics.height() / 2, self._gutter, metrics.height())
            if row == self._selected[0]:
                painter.fillRect(box.adjusted(_PAD / 2, 0, -_PAD / 2, 0), colors.selection)
            name = self._sheet.rows[row]
            painter.setPen(colors.selection_text if row == self._selected[0] else colors.muted)
            painter.drawText(QRectF(_PAD, box.top(), self._tags, box.height()), _RIGHT, name.tag)
            painter.setPen(colors.selection_text if row == self._selected[0] else colors.text)
            left = _PAD + self._tags + (_PAD if self._tags else 0)
            room = QRectF(left, box.top(), self._gutter - left - _PAD, box.height())
            side = _RIGHT if self._sheet.square else _LEFT
            painter.drawText(room, side, self._labels[row])

    def _named_rows(self, middles: NDArray[np.float64], line: float) -> list[int]:
        """Return the rows in view whose names have room, the selected one first among them."""
        air = line / 2 + 1 if self._sheet.square else 3.0
        inside = (middles - line / 2 >= self._area.top() - air) & (
            middles + line / 2 <= self._area.bottom() + air
        )
        seen = np.flatnonzero(inside).tolist()
        if self._sheet.square:
            steps = [self._sheet.steps[row] for row in seen]
            ys = [float(middles[row]) for row in seen]
            doubling = self._sheet.axis == "log2"
            labels = step_labels(steps, ys, partial(_same, line), gap=0, doubling=doubling)
            wanted = {label.step for label in labels}
            seen = [row for row, step in zip(seen, steps, strict=True) if step in wanted]
        chosen = self._selected[0]
        named = [chosen] if 0 <= chosen < len(middles) and inside[chosen] else []
        first = list(named)
        for row in seen:
            others = (*first, *named[-1:])
            if all(abs(middles[row] - middles[other]) >= line - 1 for other in others):
                named.append(row)
        return named

    def _paint_axis(self, painter: QPainter) -> None:
        colors, metrics = theme.current_theme(), QFontMetricsF(theme.small_font())
        foot = self._area.bottom() + 1
        if self._axis is None:
            self._axis = self._axis_labels(metrics)
        for x, width, text in self._axis:
            painter.fillRect(QRectF(round(x), foot + 1, 1, 4), colors.outline)
            painter.setPen(colors.muted)
            box = QRectF(x - width / 2 - 1, foot + 6, width + 2, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        box = QRectF(
            self._area.left(), foot + 6 + metrics.height(), self._area.width(), metrics.height()
        )
        painter.setPen(colors.muted)
        name = AXIS_NAMES[self._sheet.axis]
        title = f"{name}; the rows likewise" if self._sheet.square else name
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, title)

    def _axis_labels(self, metrics: QFontMetricsF) -> list[tuple[float, float, str]]:
        """Return the middle, width and text of each label below the cells that is in view."""
        left, right = self._area.left(), self._area.right() + 1
        if self._sheet.axis == "tokens":
            return self._token_labels(metrics)
        shown = [
            (step, x)
            for step, x in zip(self._sheet.steps, self.xs(), strict=True)
            if left <= x <= right
        ]
        labels = step_labels(
            [step for step, _ in shown],
            [x for _, x in shown],
            metrics.horizontalAdvance,
            gap=_LABEL_GAP,
            doubling=self._sheet.axis == "log2",
        )
        return [
            (label.x, label.width, label.text)
            for label in labels
            if label.right <= self.viewport().width() + 1
        ]

    def _glyphs(self, row: int) -> Sequence[Glyph]:
        return self._glyphs_by_row.get(row, ())

    def _token_labels(self, metrics: QFontMetricsF) -> list[tuple[float, float, str]]:
        span = self._edges[-1] - self._edges[0]
        whole = float(self._columns.ends[-1])
        low = self._edges[0] + self._shift_x() / whole * span
        high = low + self._area.width() / whole * span
        labels = []
        for value in round_numbers(max(low, 0.0), high, max(self._area.width() // 110, 2)):
            text = format_tokens(round(value)).removesuffix(" tokens") if value else "0"
            labels.append((self.x_of(value), metrics.horizontalAdvance(text), text))
        inside = self.viewport().width()
        return [label for label in labels if label[0] + label[1] / 2 <= inside]

    def _paint_flags(self, painter: QPainter) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for column in self._sheet.flagged:
            x = self.x_of(float(self._sheet.places[column]))
            if self._area.left() <= x <= self._area.right() + 1:
                paint_flag(painter, QPointF(x, 1))
        painter.restore()

    def _paint_selection(self, painter: QPainter) -> None:
        colors, area = theme.current_theme(), QRectF(self._area)
        row, column = self._selected
        if 0 <= row < len(self._rows):
            box = self.cell_rect(row, 0)
            outline = QRectF(area.left(), box.top(), area.width(), box.height())
            _outline(painter, outline, colors.accent, colors.surface)
        if 0 <= column < len(self._columns):
            box = wide_enough(self.cell_rect(0, column), 4.0)
            outline = QRectF(box.left(), area.top(), box.width(), area.height())
            _outline(painter, outline, colors.accent, colors.surface)
        read = self.cell if self._hover != _NO_CELL or self.hasFocus() else _NO_CELL
        if min(read) >= 0 and read[0] < len(self._rows) and read[1] < len(self._columns):
            _outline(painter, wide_enough(self.cell_rect(*read), 4.0), colors.text, colors.surface)
        if self.hasFocus():
            painter.setPen(QPen(colors.accent, 1))
            painter.drawRect(area.adjusted(-1, -1, 0, 0))

    def _paint_glyphs(self, painter: QPainter) -> None:
        if not self._sheet.glyphs or (self._now_row() < 6 and not self._sheet.square):
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        size = min(self._now_row() - 3.0, 9.0) if not self._sheet.square else 9.0
        top = self._shift_y()
        first, last = self._rows.nearest(top), self._rows.nearest(top + self._area.height())
        for glyph in (glyph for row in range(first, last + 1) for glyph in self._glyphs(row)):
            box = self.cell_rect(glyph.row, glyph.column)
            if glyph.kind == "line":
                end = self.cell_rect(glyph.row, len(self._columns) - 1).right()
                paint_stays(painter, QPointF(box.left(), box.bottom() - 3.0), end)
            else:
                paint_glyph(painter, box.center(), glyph.kind, size)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)


_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_FAR = 1_000_000
_MOVES: Final = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Home: (0, -_FAR),
    Qt.Key.Key_End: (0, _FAR),
    Qt.Key.Key_PageUp: (-10, 0),
    Qt.Key.Key_PageDown: (10, 0),
}
_ENTERS: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


def by_row(glyphs: Sequence[Glyph]) -> dict[int, list[Glyph]]:
    """Return the marks of each row."""
    found: dict[int, list[Glyph]] = {}
    for glyph in glyphs:
        found.setdefault(glyph.row, []).append(glyph)
    return found


def wide_enough(box: QRectF, least: float) -> QRectF:
    """Return a rectangle that is at least so wide, about the same middle."""
    missing = max(least - box.width(), 0.0) / 2
    return box.adjusted(-missing, 0, missing, 0)


def _outline(painter: QPainter, box: QRectF, ink: QColor, ground: QColor) -> None:
    """Draw a frame in two tones, so that it shows on every colour."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(ground, 1))
    painter.drawRect(box.adjusted(-1.5, -1.5, 0.5, 0.5))
    painter.setPen(QPen(ink, 2))
    painter.drawRect(box.adjusted(0, 0, -1, -1))


def _axis_height(metrics: QFontMetricsF) -> float:
    return 2 * metrics.height() + 10


def _same(width: float, _text: str) -> float:
    return width


def _set_range(bar: QScrollBar, bands: Bands, room: int) -> None:
    whole = float(bands.ends[-1]) if len(bands) else 0.0
    bar.setRange(0, max(math.ceil(whole - room - 0.01), 0))
    bar.setPageStep(room)
    bar.setSingleStep(24)


def _scroll_to(bar: QScrollBar, start: float, end: float, air: float) -> None:
    """Scroll as little as shows a band with some air beside it."""
    value, page = bar.value(), bar.pageStep()
    if start - air < value:
        bar.setValue(math.floor(start - air))
    elif end + air > value + page:
        bar.setValue(math.ceil(end + air - page))


def _turn(bar: QScrollBar, angle: int) -> None:
    bar.setValue(bar.value() - round(angle / _NOTCH * 3 * 24))
