"""A plot that only its owner moves, in the window's colours."""

import html
import math

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QMouseEvent

from pythia_gui.ui import theme

Range = tuple[float, float]


class _StillBox(pg.ViewBox):  # type: ignore[misc]  # pyqtgraph ships no types
    """A view that only its owner moves."""

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=False, y=False)
        self.setDefaultPadding(0.0)

    def wheelEvent(self, ev: QEvent, axis: int | None = None) -> None:
        del axis
        ev.ignore()

    def mouseDragEvent(self, ev: QEvent, axis: int | None = None) -> None:
        del axis
        ev.ignore()


class _WideAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph ships no types
    """An axis whose first and last labels may reach beyond it."""

    def boundingRect(self) -> QRectF:
        return QRectF(super().boundingRect()).adjusted(-24, -12, 24, 12)


class StillPlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph ships no types
    """A plot in the window's colours that moves only by its own rules."""

    def __init__(self, name: str) -> None:
        axes = {side: _WideAxis(orientation=side) for side in ("left", "bottom")}
        super().__init__(viewBox=_StillBox(), axisItems=axes, background=None)
        self._box = self.getPlotItem().getViewBox()
        self.getPlotItem().hideButtons()
        self.setMenuEnabled(False)
        self.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setAccessibleName(name)
        self.setMinimumSize(160, 72)

    def place_of(self, x: float) -> float:
        """Return the place on the axis under a pixel of the widget."""
        return float(self._box.mapSceneToView(QPointF(x, 0.0)).x())

    def x_of(self, place: float) -> float:
        """Return the pixel of the widget at which a place of the axis stands."""
        return float(self._box.mapViewToScene(QPointF(place, 0.0)).x())

    def frame(self) -> QRectF:
        """Return where the numbers are drawn, in pixels of the widget."""
        return QRectF(self._box.sceneBoundingRect())

    def focusInEvent(self, ev: QFocusEvent) -> None:
        self._box.setBorder(pg.mkPen(theme.current_theme().accent))
        super().focusInEvent(ev)

    def focusOutEvent(self, ev: QFocusEvent) -> None:
        self._box.setBorder(None)
        super().focusOutEvent(ev)

    def mouseReleaseEvent(self, ev: QMouseEvent) -> None:
        ev.accept()

    def _name_axis(self, side: str, name: str) -> None:
        axis = self.getAxis(side)
        axis.setLabel(html.escape(name))
        axis.resizeEvent()  # pyqtgraph centres a label when the axis is resized, not when it is set

    def _dress_axes(self, *, labelled: bool = True, widest: str = "10,000") -> None:
        colors, metrics = theme.current_theme(), QFontMetricsF(theme.small_font())
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.enableAutoSIPrefix(False)  # noqa: FBT003 - pyqtgraph's own signature
            axis.setPen(pg.mkPen(colors.line))
            axis.setTextPen(colors.muted)
            axis.setStyle(tickLength=-4 if side == "left" else 4, tickTextOffset=4)
            axis.setTickFont(theme.small_font())
            axis.setStyle(hideOverlappingLabels=False)  # they are placed with care
            axis.label.setFont(theme.small_font())
        self.getAxis("left").setGrid(255)
        self.getAxis("left").setZValue(-10)
        self.getAxis("left").setWidth(metrics.horizontalAdvance(widest) + metrics.height() + 14)
        self.getAxis("bottom").setHeight((2 if labelled else 1) * metrics.height() + 12)
        self.getPlotItem().layout.setContentsMargins(0, metrics.height() / 2, 20, 0)
        self.setBackground(colors.surface)


def round_distance(needed: float, pixels: float) -> int:
    """Return the round number of positions that are at least `needed` pixels apart."""
    least = needed / pixels
    power = 10 ** max(math.floor(math.log10(max(least, 1.0))), 0)
    return int(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least))
