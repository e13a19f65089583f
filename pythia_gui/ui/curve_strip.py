"""A row of a matrix as a curve, under the matrix and over the same columns."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.heat_grid import HeatGrid
from pythia_gui.ui.scales import Floats, Limits, Scale, Tick, places_of, ticks_of
from pythia_gui.ui.widgets import FlowLayout, Surface, column_of, row_of

_PAD = 8
_ROOM_FOR_BOTH = 21  # lines of text
_AIR = 6  # pixels above and below the curve


class MatrixAndCurve(Surface):
    """A matrix with its tools above, its curve and readouts below.

    Where there is no room for both the curve gives way.
    """

    def __init__(
        self, tools: Sequence[QWidget], grid: HeatGrid, strip: "CurveStrip", *below: QWidget
    ) -> None:
        super().__init__()
        self._strip = strip
        whole = column_of(flow_of(*tools), grid, strip, *below, gap=4)
        whole.setStretchFactor(grid, 4)
        whole.setStretchFactor(strip, 1)
        self.setLayout(whole)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        line = QFontMetricsF(theme.small_font()).height()
        self._strip.setVisible(self.height() >= _ROOM_FOR_BOTH * line)


def flow_of(*parts: QWidget) -> QWidget:
    """Return a row of widgets that goes on in the next line where there is no room."""
    whole = QWidget()
    flow = FlowLayout(theme.GRID * 2)
    for part in parts:
        flow.addWidget(part)
    whole.setLayout(flow)
    return whole


class CurveStrip(QWidget):
    """Draws measured points and joins neighbours alone; a click or drag chooses a column."""

    chosen = Signal(int)  # a person goes to this column
    hovered = Signal(int)  # the column under the pointer, -1 for none

    def __init__(self, grid: HeatGrid, name: str) -> None:
        """Make a strip that stands below `grid`, its left edge on that of the grid."""
        super().__init__()
        self._grid = grid
        self._title = ""
        self._values: Floats = np.empty(0, np.float32)
        self._scale = Scale("", "", 0.0, 1.0, "bits")
        self._limits: Limits = (0.0, 1.0)
        self._column = -1
        self._corner: QWidget | None = None
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        grid.view_changed.connect(self.update)
        theme.events.theme_changed.connect(self._changed)

    @property
    def title(self) -> str:
        """What stands above the curve."""
        return self._title

    def set_corner(self, widget: QWidget) -> None:
        """Show a widget at the right of the title."""
        row = row_of(None, widget, margins=(0, 0, 4, 0))
        self.setLayout(column_of(gap=0))
        whole = self.layout()
        assert isinstance(whole, QVBoxLayout)
        whole.addLayout(row)
        whole.addStretch(1)
        self._corner = widget

    def show_curve(self, title: str, values: Floats, scale: Scale, limits: Limits) -> None:
        """Draw numbers of shape (column,), NaN being a gap."""
        self._title, self._values, self._scale, self._limits = title, values, scale, limits
        self.setAccessibleDescription(f"{title}: {scale.title}")
        self.update()

    def select(self, column: int) -> None:
        """Draw the line of the selected column, -1 for none."""
        if column != self._column:
            self._column = column
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(400, round(QFontMetricsF(theme.small_font()).height() * 8))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, round(QFontMetricsF(theme.small_font()).height() * 3))

    def frame(self) -> QRectF:
        """Return where the curve is drawn."""
        area, head = self._grid.area, QFontMetricsF(theme.small_font()).height() + 6
        height = max(self.height() - head - 2 * _AIR - 2, 1.0)
        return QRectF(area.left(), head + _AIR, area.width(), height)

    def spots(self) -> NDArray[np.float64]:
        """Return where each column's number stands, shape (column, 2); y is NaN at a gap."""
        frame = self.frame()
        shares = places_of(self._scale, self._values, self._limits)
        xs = self._grid.xs()
        ys = [self._y(share, frame) for share in shares.tolist()]
        count = min(len(xs), len(ys))
        return np.column_stack((xs[:count], ys[:count]))

    def pieces(self) -> NDArray[np.float64]:
        """Return the straight pieces between measured neighbours, shape (piece, 4)."""
        spots = self.spots()
        both = np.column_stack((spots[:-1], spots[1:]))
        return both[np.isfinite(both).all(axis=1)]

    def _y(self, share: float, frame: QRectF) -> float:
        falls = self._scale.kind == "rank"  # the first rank stands on top
        return frame.top() + (share if falls else 1.0 - share) * frame.height()

    # -- events -------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._go(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event)
        self.hovered.emit(self._grid.column_at(event.position().x()))

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(-1)
        super().leaveEvent(event)

    def _go(self, event: QMouseEvent) -> None:
        column = self._grid.column_at(event.position().x())
        if column not in (-1, self._column):
            self.chosen.emit(column)

    # -- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        colors, metrics = theme.current_theme(), QFontMetricsF(theme.small_font())
        painter = QPainter(self)
        painter.setFont(theme.small_font())
        painter.setPen(colors.text)
        corner = self._corner.sizeHint().width() + 2 * _PAD if self._corner is not None else 0
        box = QRectF(_PAD, 0, self.width() - 2 * _PAD - corner, metrics.height() + 6)
        side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        whole = f"{self._title}  ·  {self._scale.title}" if self._title else ""
        cut = metrics.elidedText(whole, Qt.TextElideMode.ElideMiddle, box.width())
        painter.drawText(box, int(side), cut)
        if not len(self._values):
            return
        self._paint_ground(painter, self.frame())
        painter.setClipRect(self.frame().adjusted(-4, -_AIR, 4, _AIR))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_curve(painter)

    def _paint_ground(self, painter: QPainter, frame: QRectF) -> None:
        colors, metrics = theme.current_theme(), QFontMetricsF(theme.small_font())
        for tick in self._ticks(frame.height() / (2 * metrics.height())):
            y = round(self._y(tick.place, frame))
            painter.fillRect(QRectF(frame.left(), y, frame.width(), 1), colors.line)
            painter.setPen(colors.muted)
            box = QRectF(0, y - metrics.height() / 2, frame.left() - 6, metrics.height())
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, int(side), tick.text)

    def _ticks(self, room: float) -> tuple[Tick, ...]:
        """Return the labelled numbers, about `room` of them."""
        for most in range(min(max(int(room), 2), 8), 9):
            ticks = ticks_of(self._scale, self._limits, most)
            if len(ticks) > 1:
                return ticks[:: max(math.ceil(len(ticks) / max(2 * room, 2.0)), 1)]
        return ()

    def _paint_curve(self, painter: QPainter) -> None:
        colors = theme.current_theme()
        if 0 <= self._column < len(self._grid.sheet.places):
            x = self._grid.x_of(float(self._grid.sheet.places[self._column]))
            painter.fillRect(QRectF(x - 1, 0, 2, self.height()), colors.accent)
        spots = self.spots()
        painter.setPen(QPen(colors.series[0], 1.5))
        painter.drawLines([QLineF(*piece) for piece in self.pieces().tolist()])
        known = spots[np.isfinite(spots).all(axis=1)].tolist()
        pen = QPen(colors.series[0], 4.0 if self._spacing() >= 5 else 2.5)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawPoints([QPointF(*spot) for spot in known])
        if 0 <= self._column < len(spots) and math.isfinite(spots[self._column, 1]):
            painter.setPen(QPen(colors.series[0], 2))
            painter.setBrush(colors.surface)
            painter.drawEllipse(QPointF(*spots[self._column].tolist()), 4.0, 4.0)

    def _spacing(self) -> float:
        """Return the mean distance of the columns, in pixels."""
        places = self._grid.sheet.places
        if len(places) < 2:
            return math.inf
        whole = self._grid.x_of(float(places[-1])) - self._grid.x_of(float(places[0]))
        return whole / (len(places) - 1)

    def _changed(self) -> None:
        self.updateGeometry()
        self.update()
