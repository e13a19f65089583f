"""What every plot against training has: axes, lines, a selected step, zoom, a hover bubble."""

import html
import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QLineF, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.axes import StepScale, place_of, step_labels
from pythia_gui.ui.bubble import Bubble
from pythia_gui.ui.scores import Line, ScoreKind, dashes, solid

Places = NDArray[np.float64]

DASH = (7.0, 4.5)  # pixels on and off
_ROOM_FOR_MARKERS = 9.0  # pixels between neighbours from which on each point is marked
_MARKER, _SPECIAL = 5, 8
_ZOOM = 1.25
_GAP_KEY = "   ·   × no number"
_LEFT_OUT_KEY = "   ·   ○ left out, known to be wrong"
_AIR = 24  # pixels above and below the height axis, for half a label
_LEFT_AIR, _RIGHT_AIR = 8, 22  # pixels beside the first and last point, for half a label
_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))
STEP_NAMES: dict[StepScale, str] = {
    "even": "training step, checkpoints evenly spaced",
    "log2": "training step, on a log2(1 + step) scale",
    "tokens": "tokens seen in training",
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """How a curve is drawn: the number of its colour, pixels on and off (empty is solid), width.

    A `hollow` one has open points.
    """

    color: int
    dash: tuple[float, ...] = ()
    width: float = 2.0
    hollow: bool = False


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


class _HeightAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph ships no types
    """Writes the numbers of the height axis: percents, nats or ranks."""

    kind: ScoreKind = "probability"

    def boundingRect(self) -> QRectF:
        # pyqtgraph leaves out a label that reaches beyond it, such as that of 0
        return QRectF(super().boundingRect()).adjusted(0, -_AIR, 0, _AIR)

    def tickValues(
        self, minVal: float, maxVal: float, size: float
    ) -> list[tuple[float, list[float]]]:
        if self.kind != "rank":
            levels = super().tickValues(minVal, maxVal, size)
            if not levels:
                return []
            spacing, values = levels[0]
            return [thinned(spacing, values, size / (maxVal - minVal))]
        decades = range(math.floor(-maxVal), math.ceil(-minVal) + 1)
        return [(1.0, [-float(power) for power in decades if minVal <= -power <= maxVal])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        del scale
        if self.kind == "rank":
            return [f"{10 ** round(-value):,}" for value in values]
        if self.kind == "probability":
            digits = max(0, math.ceil(-math.log10(spacing * 100) - 1e-9)) if spacing > 0 else 0
            return [f"{100 * value:.{digits}f} %" for value in values]
        digits = max(0, math.ceil(-math.log10(spacing) - 1e-9)) if spacing > 0 else 0
        return [f"{value:.{digits}f}".replace("-", "−") for value in values]


def thinned(
    spacing: float, values: Sequence[float], pixels_per_unit: float
) -> tuple[float, list[float]]:
    """Return the spacing and as many of some ticks as have room for their numbers."""
    line = QFontMetricsF(theme.small_font()).height()
    every = max(1, math.ceil(line / (spacing * pixels_per_unit)))
    return spacing, [value for value in values if round(value / spacing) % every == 0]


class Drawing(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph ships no types
    """Paints the curves in pixels: straight pieces one by one.

    Qt takes ten milliseconds for one path as wide as two pixels with 154 points in it, and a
    quarter of one for the same pieces apart.
    """

    def __init__(self) -> None:
        super().__init__()
        self.strokes: Sequence[Stroke] = ()
        self.lines: Sequence[Line] = ()
        self.rings: Sequence[int | None] = ()
        self._pieces: list[list[QLineF]] = []
        self._seen: QTransform | None = None

    def show_lines(self, strokes: Sequence[Stroke], lines: Sequence[Line]) -> None:
        """Draw these."""
        self.strokes, self.lines, self._seen = strokes, lines, None
        self.update()

    def boundingRect(self) -> QRectF:
        return QRectF(self.viewRect())

    def viewRangeChanged(self) -> None:
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, *_: object) -> None:
        view = painter.transform()
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint_under(painter, view)
        if view != self._seen:
            pairs = zip(self.strokes, self.lines, strict=True)
            self._pieces = [_pieces(stroke, line, view) for stroke, line in pairs]
            self._seen = view
        for stroke, pieces in zip(self.strokes, self._pieces, strict=True):
            painter.setPen(solid_pen(stroke))
            painter.drawLines(pieces)
        self._paint_leads(painter, view)
        self._paint_marks(painter, view)
        painter.restore()

    def paint_under(self, painter: QPainter, view: QTransform) -> None:
        """Paint what lies under the curves, in pixels."""

    def _paint_leads(self, painter: QPainter, view: QTransform) -> None:
        """Lead from each curve's last number to the edge, where its name stands."""
        edge = view.map(QPointF(self.viewRect().right(), 0.0)).x()
        for stroke, line in zip(self.strokes, self.lines, strict=True):
            spots = mapped(view, *line.marked(left_out=False))
            if spots and spots[-1].x() < edge:
                painter.setPen(QPen(series_color(stroke.color), 1))
                painter.drawLine(spots[-1], QPointF(edge, spots[-1].y()))

    def _paint_marks(self, painter: QPainter, view: QTransform) -> None:
        colors = theme.current_theme()
        foot = view.map(QPointF(0.0, self.viewRect().top())).y() - 5
        for stroke, line in zip(self.strokes, self.lines, strict=True):
            self._paint_dots(painter, stroke, mapped(view, *self.dots(line, view)))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colors.outline, 1.5))
            for spot in mapped(view, *line.marked(left_out=True)):
                painter.drawEllipse(spot, _SPECIAL / 2, _SPECIAL / 2)
        for x in _distinct(line.unmeasured() for line in self.lines):
            painter.drawEllipse(QPointF(view.map(QPointF(x, 0.0)).x(), foot), 3.5, 3.5)
        painter.setPen(QPen(colors.warning, 2))
        for x in _distinct(line.gaps() for line in self.lines):
            at = view.map(QPointF(x, 0.0)).x()
            painter.drawLine(QPointF(at - 3.5, foot - 3.5), QPointF(at + 3.5, foot + 3.5))
            painter.drawLine(QPointF(at - 3.5, foot + 3.5), QPointF(at + 3.5, foot - 3.5))
        self._paint_rings(painter, view)

    def _paint_dots(self, painter: QPainter, stroke: Stroke, spots: list[QPointF]) -> None:
        color = series_color(stroke.color)
        if not stroke.hollow:
            painter.setPen(_dot_pen(color, _MARKER))
            painter.drawPoints(spots)
            return
        painter.setBrush(theme.current_theme().surface)
        painter.setPen(QPen(color, 1.25))
        for spot in spots:
            painter.drawEllipse(spot, _MARKER / 2, _MARKER / 2)

    def _paint_rings(self, painter: QPainter, view: QTransform) -> None:
        painter.setBrush(theme.current_theme().surface)
        for stroke, line, place in zip(self.strokes, self.lines, self.rings, strict=True):
            if place is not None and math.isfinite(line.heights[place]):
                painter.setPen(QPen(series_color(stroke.color), 2))
                spot = view.map(QPointF(line.xs[place], line.heights[place]))
                painter.drawEllipse(spot, 4.5, 4.5)

    def dots(self, line: Line, view: QTransform) -> tuple[Places, Places]:
        """Return the points that are marked: all where they can be told apart.

        Where they can't, a point between two gaps is marked all the same: no line shows it.
        """
        xs, heights = line.marked(left_out=False)
        shown = xs[(xs >= self.viewRect().left()) & (xs <= self.viewRect().right())]
        width = float(np.ptp(shown)) * view.m11() if len(shown) else 0.0
        if len(shown) < 2 or width >= _ROOM_FOR_MARKERS * (len(shown) - 1):
            return xs, heights
        alone = _lonely(line)
        return line.xs[alone], line.heights[alone]


def _pieces(stroke: Stroke, line: Line, view: QTransform) -> list[QLineF]:
    xs, heights = line.drawn()
    x, y = xs * view.m11() + view.dx(), heights * view.m22() + view.dy()
    found = dashes(x, y, *stroke.dash) if stroke.dash else solid(x, y)
    return [QLineF(*piece) for piece in found.tolist()]


def mapped(view: QTransform, xs: Places, heights: Places) -> list[QPointF]:
    """Return points of the plot in pixels."""
    x, y = xs * view.m11() + view.dx(), heights * view.m22() + view.dy()
    return [QPointF(*spot) for spot in zip(x.tolist(), y.tolist(), strict=True)]


def _dot_pen(color: QColor, size: float) -> QPen:
    pen = QPen(color, size)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    return pen


class StepPlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph ships no types
    """Draws lines against training; only measured points, and every one of them.

    A click or drag asks for the nearest measured step, the arrow keys for its neighbours, the
    wheel looks closer at the steps under the pointer, and a double click shows all of them.
    A subclass says what its axes are called, how high they reach, and what a step's bubble says.
    """

    step_requested = Signal(int)  # a person goes to this step
    view_changed = Signal()  # the curves moved on screen

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        self._height_axis = _HeightAxis(orientation="left")
        super().__init__(
            parent, viewBox=_StillBox(), axisItems={"left": self._height_axis}, background=None
        )
        self._kind: ScoreKind = "probability"
        self._scale: StepScale = "even"
        self._steps: list[int] = []
        self._places: Places = np.array([])
        self._lines: list[Line] = []
        self._strokes: list[Stroke] = []
        self._step = 0
        self._hovered: int | None = None
        self._zoom: tuple[float, float] | None = None
        self._named = ("", "")
        self._bubble = Bubble(self)
        self._build(name)
        theme.events.theme_changed.connect(self._dress)

    # ----------------------------------------------------------- what a subclass says

    def axis_names(self) -> tuple[str, str]:
        """Return what the axis of heights and that of steps are called."""
        raise NotImplementedError

    def heights(self) -> tuple[float, float]:
        """Return the ends of the axis of heights."""
        raise NotImplementedError

    def hover_lines(self, step: int) -> tuple[str, ...]:
        """Return what is said of a step."""
        raise NotImplementedError

    def ringed(self, step: int) -> list[int | None]:
        """Return the place in each line of its point at a step, None where it has none."""
        raise NotImplementedError

    def make_drawing(self) -> Drawing:
        """Return what paints the lines."""
        return Drawing()

    # ----------------------------------------------------------- for its owner

    @property
    def bubble(self) -> Bubble:
        """What is said of the step under the pointer."""
        return self._bubble

    @property
    def lines(self) -> tuple[Line, ...]:
        """The curves as they are drawn."""
        return tuple(self._lines)

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """How they are drawn."""
        return tuple(self._strokes)

    def show_lines(
        self, scale: StepScale, steps: list[int], places: Places, lines: list[Line]
    ) -> None:
        """Draw lines, in `_strokes`; `steps` ascend, and `places` are theirs on the axis."""
        rescaled, old = scale != self._scale, self._steps
        self._scale, self._steps, self._places, self._lines = scale, steps, places, lines
        if rescaled or (old and steps and old[-1] != steps[-1]):
            self._zoom = None
        self._redraw()

    def select(self, step: int) -> None:
        """Draw the line of the selected step there."""
        self._step = step
        self._show_step()
        self.viewport().update()

    def x_of(self, step: int) -> float:
        """Return where a step stands, in pixels of the widget."""
        if not self._steps:
            return 0.0
        return self.pixel_of(place_of(step, self._scale, self._steps, self._places))

    def pixel_of(self, place: float) -> float:
        """Return where a place of the axis of steps stands, in pixels of the widget."""
        return float(self.mapFromScene(self._box.mapViewToScene(QPointF(place, 0.0))).x())

    def y_of(self, height: float) -> float:
        """Return where a height of the axis stands, in pixels of the widget."""
        return float(self._box.mapViewToScene(QPointF(0.0, height)).y())

    def frame(self) -> QRectF:
        """Return where the curves are drawn, in pixels of the widget."""
        return QRectF(self._box.sceneBoundingRect())

    def drawn_points(self) -> int:
        """Return how many measured points the curves show."""
        return sum(int(np.isfinite(line.heights).sum()) for line in self._lines)

    def marked_points(self) -> int:
        """Return how many points have a mark of their own."""
        view = QTransform.fromScale(self._box.width() / self._box.viewRect().width(), 1.0)
        return sum(len(self._drawing.dots(line, view)[0]) for line in self._lines)

    def nearest(self, x: float) -> int | None:
        """Return the measured step nearest to a pixel of the widget."""
        if not self._steps:
            return None
        place = self._box.mapSceneToView(QPointF(x, 0.0)).x()
        return self._steps[int(np.argmin(np.abs(self._places - place)))]

    # ------------------------------------------------------------------------- events

    def mousePressEvent(self, ev: QMouseEvent) -> None:
        if ev.button() == Qt.MouseButton.LeftButton:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._ask_for(ev.position().x())
        ev.accept()

    def mouseMoveEvent(self, ev: QMouseEvent) -> None:
        if ev.buttons() & Qt.MouseButton.LeftButton:
            self._ask_for(ev.position().x())
        self._hover(ev.position())
        ev.accept()

    def mouseReleaseEvent(self, ev: QMouseEvent) -> None:
        ev.accept()

    def mouseDoubleClickEvent(self, ev: QMouseEvent) -> None:
        self._zoom = None
        self._frame_view()
        ev.accept()

    def focusInEvent(self, ev: QFocusEvent) -> None:
        self._box.setBorder(pg.mkPen(theme.current_theme().accent))
        super().focusInEvent(ev)

    def focusOutEvent(self, ev: QFocusEvent) -> None:
        self._box.setBorder(None)
        super().focusOutEvent(ev)

    def leaveEvent(self, ev: QEvent) -> None:
        self._hovered = None
        self._hover_line.hide()
        self._bubble.hide()
        super().leaveEvent(ev)

    def wheelEvent(self, ev: QWheelEvent) -> None:
        if not self._steps:
            ev.ignore()
            return
        turned = ev.angleDelta()
        if ev.modifiers() & Qt.KeyboardModifier.ShiftModifier or turned.x():
            self._pan((turned.x() or turned.y()) / 120)
        else:
            self._zoom_at(ev.position().x(), _ZOOM ** (turned.y() / 120))
        ev.accept()

    def keyPressEvent(self, ev: QKeyEvent) -> None:
        place = bisect_left(self._steps, self._step)
        here = place < len(self._steps) and self._steps[place] == self._step
        targets = {
            Qt.Key.Key_Left: place - 1,
            Qt.Key.Key_Right: place + 1 if here else place,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: len(self._steps) - 1,
        }
        target = targets.get(Qt.Key(ev.key()))
        if target is None:
            ev.ignore()
        elif 0 <= target < len(self._steps):
            self.step_requested.emit(self._steps[target])

    def _ask_for(self, x: float) -> None:
        step = self.nearest(x)
        if step is not None and step != self._step:
            self.step_requested.emit(step)

    def _hover(self, at: QPointF) -> None:
        step = self.nearest(at.x()) if self.frame().contains(at) else None
        if step is None:
            self._hover_line.hide()
            self._bubble.hide()
            return
        self._hovered = step
        self._hover_line.setPos(self._places[self._steps.index(step)])
        self._hover_line.show()
        x = round(self.x_of(step))
        self._bubble.show_above(QRect(x, round(at.y()) - 8, 1, 16), *self.hover_lines(step))

    # ------------------------------------------------------------------------- drawing

    def resizeEvent(self, ev: QEvent) -> None:
        super().resizeEvent(ev)
        if hasattr(self, "_drawing"):  # pyqtgraph resizes while it is being built
            self._frame_view()

    def _build(self, name: str) -> None:
        self._box = self.getPlotItem().getViewBox()
        self.getPlotItem().hideButtons()
        self.setMenuEnabled(False)
        self.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(name)
        self._drawing = self.make_drawing()
        self._step_line = pg.InfiniteLine(angle=90, movable=False)
        self._hover_line = pg.InfiniteLine(angle=90, movable=False)
        for item in (self._hover_line, self._step_line, self._drawing):
            self.addItem(item, ignoreBounds=True)
        self._drawing.setZValue(10)
        self._hover_line.hide()
        self._dress_axes()

    def _dress(self) -> None:
        self._named = ("", "")
        self._dress_axes()
        self._redraw()

    def _dress_axes(self) -> None:
        colors = theme.current_theme()
        metrics = QFontMetricsF(theme.small_font())
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.enableAutoSIPrefix(False)  # noqa: FBT003
            axis.setPen(pg.mkPen(colors.line))
            axis.setTextPen(colors.muted)
            axis.setStyle(tickLength=-4 if side == "left" else 4, tickTextOffset=5)
            axis.setTickFont(theme.small_font())
            axis.setStyle(hideOverlappingLabels=False)  # they are placed with care
            axis.label.setFont(theme.small_font())
        self.getAxis("left").setGrid(255)
        self.getAxis("left").setZValue(-10)  # under the curves
        self.getAxis("left").setWidth(metrics.horizontalAdvance("100,000") + 34)
        self.getAxis("bottom").setHeight(2 * metrics.height() + 14)
        self.getPlotItem().layout.setContentsMargins(4, self.head_height(), 0, 4)
        self.setBackground(colors.surface)
        self._step_line.setPen(pg.mkPen(colors.accent, width=2))
        self._hover_line.setPen(pg.mkPen(colors.muted, width=1))

    def head_height(self) -> float:
        """Return the room above the curves, in pixels."""
        return QFontMetricsF(theme.small_font()).height() + 6

    def _redraw(self) -> None:
        self._height_axis.kind = self._kind
        self._height_axis.picture = None
        self._name_axes()
        self._drawing.show_lines(self._strokes, self._lines)
        self._frame_view()

    def _name_axes(self) -> None:
        left, bottom = self.axis_names()
        names = (left, bottom + _key_of(self._lines))
        if names != self._named:  # a label is laid out as HTML each time
            self._named = names
            self._height_axis.setLabel(html.escape(names[0]))
            self.getAxis("bottom").setLabel(html.escape(names[1]))
            for side in ("left", "bottom"):
                self.getAxis(side).resizeEvent()  # centres the label, which setLabel does not

    def _show_step(self) -> None:
        self._drawing.rings = self.ringed(self._step)
        self._drawing.update()
        self._step_line.setVisible(bool(self._steps))
        if self._steps:
            place = place_of(self._step, self._scale, self._steps, self._places)
            self._step_line.setPos(place)

    # ------------------------------------------------------------------------- the view

    def _whole(self) -> tuple[float, float]:
        if not self._steps:
            return 0.0, 1.0
        left, right = float(self._places[0]), float(self._places[-1])
        if right <= left:
            return left - 0.5, right + 0.5
        width = max(self._box.width() - _LEFT_AIR - _RIGHT_AIR, 1.0)
        pixel = (right - left) / width
        return left - _LEFT_AIR * pixel, right + _RIGHT_AIR * pixel

    def _frame_view(self) -> None:
        left, right = self._zoom or self._whole()
        self._box.setRange(xRange=(left, right), yRange=self.heights(), padding=0.0, update=True)
        self._show_view()

    def _show_view(self) -> None:
        self._show_step()
        self._label_steps()
        self.view_changed.emit()

    def _zoom_at(self, x: float, factor: float) -> None:
        left, right = self._zoom or self._whole()
        whole = self._whole()
        middle = self._box.mapSceneToView(QPointF(x, 0.0)).x()
        least = (whole[1] - whole[0]) / max(len(self._steps), 2)
        if (right - left) / factor < 2 * least:
            return
        left, right = middle - (middle - left) / factor, middle + (right - middle) / factor
        left, right = max(left, whole[0]), min(right, whole[1])
        self._zoom = None if (left, right) == whole else (left, right)
        self._frame_view()

    def _pan(self, notches: float) -> None:
        if self._zoom is None:
            return
        (left, right), whole = self._zoom, self._whole()
        by = -notches * (right - left) * 0.15
        by = min(max(by, whole[0] - left), whole[1] - right)
        self._zoom = (left + by, right + by)
        self._frame_view()

    def _label_steps(self) -> None:
        axis = self.getAxis("bottom")
        (left, right), _ = self._box.viewRange()
        if self._scale == "tokens":
            axis.setTicks([_token_ticks(left, right)])
            return
        shown = [
            (step, place)
            for step, place in zip(self._steps, self._places.tolist(), strict=True)
            if left <= place <= right
        ]
        width = max(self._box.width(), 1.0)
        labels = step_labels(
            [step for step, _ in shown],
            [(place - left) / (right - left) * width for _, place in shown],
            QFontMetricsF(theme.small_font()).horizontalAdvance,
            gap=6.0,
            doubling=self._scale == "log2",
        )
        place = dict(shown)
        axis.setTicks([[(place[label.step], label.text) for label in labels]])


def series_color(number: int) -> QColor:
    """Return the colour of a curve by its number."""
    series = theme.current_theme().series
    return series[number % len(series)]


def solid_pen(stroke: Stroke) -> QPen:
    """Return the pen for the pieces of a curve; dashes are cut before it draws."""
    pen = QPen(series_color(stroke.color), stroke.width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap if stroke.dash else Qt.PenCapStyle.RoundCap)
    return pen


def stroke_pen(stroke: Stroke) -> QPen:
    """Return the pen that draws a curve's sample, dashes and all."""
    pen = solid_pen(stroke)
    if stroke.dash:
        pen.setDashPattern([length / pen.widthF() for length in stroke.dash])
    return pen


def _key_of(lines: Sequence[Line]) -> str:
    """Return what the marks at the foot mean, where there are any."""
    gaps = any(len(line.gaps()) for line in lines)
    out = any(line.left_out.any() for line in lines)
    return f"{_GAP_KEY if gaps else ''}{_LEFT_OUT_KEY if out else ''}"


def _lonely(line: Line) -> NDArray[np.bool_]:
    """Return which points have no neighbour that a line could join them to."""
    drawn = np.isfinite(line.heights) & ~line.left_out
    kept = np.flatnonzero(~line.left_out)
    alone = np.zeros(len(line.xs), dtype=np.bool_)
    finite = drawn[kept]
    before = np.concatenate(([False], finite[:-1]))
    after = np.concatenate((finite[1:], [False]))
    alone[kept] = finite & ~before & ~after
    return alone


def _distinct(parts: Iterable[Places]) -> Places:
    found = list(parts)
    return np.unique(np.concatenate(found)) if found else np.array([])


def _token_ticks(left: float, right: float) -> list[tuple[float, str]]:
    """Return round numbers of tokens about a tenth of the axis apart."""
    span = max(right - left, 1.0)
    power = 10.0 ** math.floor(math.log10(span / 6))
    distance = next(f * power for f in (1, 2, 5, 10) if f * power >= span / 9)
    scale, unit = next(((s, u) for s, u in _UNITS if right >= s), (1, ""))
    first = max(math.ceil(left / distance), 0)
    ticks = [number * distance for number in range(first, math.floor(right / distance) + 1)]
    return [(tick, "0" if tick == 0 else f"{tick / scale:g} {unit}".strip()) for tick in ticks]
