"""The probability or the rank of each token of a text, under A and under B."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QLineF, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QTransform,
    QWheelEvent,
)

from pythia_gui.ui import theme
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.views.pair_data import Comparison
from pythia_gui.ui.views.pair_plot import Range, StillPlot, round_distance
from pythia_gui.ui.views.pair_scales import Values, side_color

Height = Literal["probability", "rank"]

_MARKER = 5.0
_FADED_MARKER = 2.5
_ROOM_FOR_MARKERS = 4.0  # pixels between neighbours from which on each point is marked
_LONGEST_LABEL = 10  # characters of a token under the axis
_ROOM_FOR_SMOOTH = 2.0  # pixels between neighbours from which lines are smooth
_ZOOM = 1.25
_FEWEST_SHOWN = 4  # positions


class _Curves(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph ships no types
    """Paints the numbers of A and of B along the text: lines between neighbours, and points.

    What is painted is kept while it stays the same, so that a line may move over it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heights: tuple[Values, Values] = (np.array([]), np.array([]))
        self.inside: NDArray[np.bool_] | None = None
        self.setCacheMode(pg.GraphicsObject.CacheMode.DeviceCoordinateCache)

    def boundingRect(self) -> QRectF:
        return QRectF(self.viewRect())

    def viewRangeChanged(self) -> None:
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, *_: object) -> None:
        view = painter.transform()
        crowded = view.m11() < _ROOM_FOR_MARKERS
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, view.m11() > _ROOM_FOR_SMOOTH)
        for letter, heights in zip("AB", self.heights, strict=True):
            self._paint_line(painter, view, letter, heights)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for letter, heights in zip("AB", self.heights, strict=True):
            self._paint_points(painter, view, letter, heights, crowded=crowded)
        painter.restore()

    def _paint_line(
        self, painter: QPainter, view: QTransform, letter: str, heights: Values
    ) -> None:
        x, y = _pixels(view, heights)
        joined = np.isfinite(y[:-1]) & np.isfinite(y[1:])
        pieces = np.stack([x[:-1], y[:-1], x[1:], y[1:]], axis=1)[joined]
        color = side_color(letter)
        color.setAlphaF(0.4 if self.inside is not None else 1.0)
        painter.setPen(QPen(color, 1.5 if view.m11() > _ROOM_FOR_SMOOTH else 1.0))
        painter.drawLines([QLineF(*piece) for piece in pieces.tolist()])

    def _paint_points(
        self,
        painter: QPainter,
        view: QTransform,
        letter: str,
        heights: Values,
        *,
        crowded: bool,
    ) -> None:
        x, y = _pixels(view, heights)
        spots, shown = np.stack([x, y], 1), np.isfinite(y)
        pen = QPen(side_color(letter), _MARKER)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        for spot in spots[self._marked(shown, crowded=crowded)].tolist():
            painter.drawPoint(QPointF(*spot))
        if self.inside is not None and not crowded:
            pen.setWidthF(_FADED_MARKER)
            painter.setPen(pen)
            for spot in spots[shown & ~self.inside].tolist():
                painter.drawPoint(QPointF(*spot))

    def _marked(self, shown: NDArray[np.bool_], *, crowded: bool) -> NDArray[np.bool_]:
        """Return which points have a mark: all that are shown and inside, where there is room."""
        if self.inside is not None:
            return np.asarray(shown & self.inside)
        return _alone(shown) if crowded else shown


class _Rings(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph ships no types
    """Paints a ring around the points of the chosen token."""

    def __init__(self, curves: _Curves) -> None:
        super().__init__()
        self.current = -1
        self._curves = curves

    def boundingRect(self) -> QRectF:
        return QRectF(self.viewRect())

    def viewRangeChanged(self) -> None:
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, *_: object) -> None:
        view = painter.transform()
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(theme.current_theme().surface)
        for letter, heights in zip("AB", self._curves.heights, strict=True):
            if 0 <= self.current < len(heights) and math.isfinite(heights[self.current]):
                painter.setPen(QPen(side_color(letter), 2))
                spot = QPointF(self.current, float(heights[self.current]))
                painter.drawEllipse(view.map(spot), 4.0, 4.0)
        painter.restore()


def _pixels(view: QTransform, heights: Values) -> tuple[Values, Values]:
    x = np.arange(len(heights)) * view.m11() + view.dx()
    return x.astype(np.float64), heights * view.m22() + view.dy()


def _alone(shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which points have no neighbour that a line could join them to."""
    before = np.concatenate(([False], shown[:-1]))
    after = np.concatenate((shown[1:], [False]))
    return np.asarray(shown & ~before & ~after)


class PositionPlot(StillPlot):
    """The probability or the rank of each token, under A and under B, along the text.

    A click or the arrow keys go to a token, the wheel looks closer, a double click shows all.
    """

    token_chosen = Signal(int)
    token_pointed = Signal(int)
    view_changed = Signal(object)  # the range of positions on screen, or None for all

    def __init__(self, height: Height, *, tokens_named: bool) -> None:
        super().__init__(f"{height.capitalize()} of each token under A and B")
        self._height: Height = height
        self._tokens_named = tokens_named
        self._texts: tuple[str, ...] = ()
        self._view: Range | None = None
        self._pointed = -1
        self._curves = _Curves()
        self._line = pg.InfiniteLine(angle=90, movable=False)
        self._hover_line = pg.InfiniteLine(angle=90, movable=False)
        self._rings = _Rings(self._curves)
        for item in (self._hover_line, self._line, self._curves, self._rings):
            self.addItem(item, ignoreBounds=True)
        self._curves.setZValue(10)
        self._rings.setZValue(11)
        self._line.hide()
        self._hover_line.hide()
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    @property
    def heights(self) -> tuple[Values, Values]:
        """Where the points of A and B stand: probabilities, or minus log10 of ranks."""
        return self._curves.heights

    def show_comparison(self, shown: Comparison) -> None:
        """Draw another comparison, all of it."""
        if self._height == "rank":
            a, b = (-np.log10(shown.values[key]) for key in ("rank_a", "rank_b"))
        else:
            a, b = shown.values["prob_a"], shown.values["prob_b"]
        if shown.texts != self._texts:
            self._view = None
        self._texts = shown.texts
        self._curves.heights = (a, b)
        self._curves.update()
        self._frame_view()

    def show_nothing(self) -> None:
        """Draw nothing."""
        self._curves.heights = (np.array([]), np.array([]))
        self._rings.current = -1
        self._curves.inside = None
        self._texts = ()
        self._line.hide()
        self._hover_line.hide()
        self._curves.update()
        self._frame_view()

    def show_inside(self, inside: NDArray[np.bool_] | None) -> None:
        """Let the tokens outside of a range fade; None fades none."""
        self._curves.inside = inside
        self._curves.update()

    def show_current(self, position: int) -> None:
        """Mark the chosen token."""
        self._rings.current = position
        self._rings.update()
        self._line.setVisible(0 <= position < len(self._texts))
        self._line.setPos(position)

    def show_pointed(self, position: int) -> None:
        """Mark the token that is pointed at anywhere."""
        self._hover_line.setVisible(0 <= position < len(self._texts))
        self._hover_line.setPos(position)

    def spot_of(self, position: int) -> QRect:
        """Return where a token stands, in pixels of the widget."""
        frame = self.frame()
        return QRect(round(self.x_of(position)), round(frame.top()), 1, round(frame.height()))

    def show_view(self, view: Range | None) -> None:
        """Show some positions, None for all."""
        self._view = view
        self._frame_view()

    # ------------------------------------------------------------------------- events

    def mousePressEvent(self, ev: QMouseEvent) -> None:
        if ev.button() == Qt.MouseButton.LeftButton:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            position = self._position_at(ev.position())
            if position >= 0:
                self.token_chosen.emit(position)
        ev.accept()

    def mouseMoveEvent(self, ev: QMouseEvent) -> None:
        self._point_at(self._position_at(ev.position()))
        ev.accept()

    def mouseDoubleClickEvent(self, ev: QMouseEvent) -> None:
        self.view_changed.emit(None)
        ev.accept()

    def leaveEvent(self, ev: QEvent) -> None:
        self._point_at(-1)
        super().leaveEvent(ev)

    def wheelEvent(self, ev: QWheelEvent) -> None:
        whole = self._whole()
        left, right = self._view or whole
        turned = ev.angleDelta()
        if ev.modifiers() & Qt.KeyboardModifier.ShiftModifier or turned.x():
            by = -(turned.x() or turned.y()) / 120 * (right - left) * 0.15
            by = min(max(by, whole[0] - left), whole[1] - right)
            view = (left + by, right + by)
        else:
            view = _zoomed((left, right), whole, self.place_of(ev.position().x()), turned.y())
        self.view_changed.emit(None if view == whole else view)
        ev.accept()

    def keyPressEvent(self, ev: QKeyEvent) -> None:
        last = len(self._texts) - 1
        targets = {
            Qt.Key.Key_Left: max(self._rings.current - 1, 0),
            Qt.Key.Key_Right: min(self._rings.current + 1, last),
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        target = targets.get(Qt.Key(ev.key()))
        if target is None or last < 0:
            ev.ignore()
        else:
            self.token_chosen.emit(target)

    def resizeEvent(self, ev: QEvent) -> None:
        super().resizeEvent(ev)
        if hasattr(self, "_curves"):  # pyqtgraph resizes while it is being built
            self._frame_view()

    def _position_at(self, at: QPointF) -> int:
        if not self._texts or not self.frame().adjusted(-6, 0, 6, 0).contains(at):
            return -1
        return int(min(max(round(self.place_of(at.x())), 0), len(self._texts) - 1))

    def _point_at(self, position: int) -> None:
        if position != self._pointed:
            self._pointed = position
            self.token_pointed.emit(position)

    # ------------------------------------------------------------------------- drawing

    @property
    def current(self) -> int:
        """The chosen token, -1 for none."""
        return self._rings.current

    def _dress(self) -> None:
        self._dress_axes(labelled=self._tokens_named)
        self._curves.update()
        colors = theme.current_theme()
        self._line.setPen(pg.mkPen(colors.accent, width=1.5))
        self._hover_line.setPen(pg.mkPen(colors.muted, width=1))
        name = "rank (log)" if self._height == "rank" else "probability"
        self._name_axis("left", name)
        if self._tokens_named:
            self._name_axis("bottom", "tokens of the text")
        self._frame_view()

    def _whole(self) -> Range:
        last = max(len(self._texts) - 1, 1)
        air = max(last * 0.02, 0.3)
        return -air, last + air

    def _frame_view(self) -> None:
        low, high = self._height_range()
        self._box.setRange(
            xRange=self._view or self._whole(), yRange=(low, high), padding=0.0, update=True
        )
        self._label_heights(low)
        self._label_positions()

    def _height_range(self) -> Range:
        if self._height == "probability":
            return -0.04, 1.04
        found = np.concatenate(self._curves.heights)
        found = found[np.isfinite(found)]
        deepest = min(float(found.min()), -1.0) if len(found) else -1.0
        return deepest * 1.05, -0.05 * deepest

    def _label_heights(self, low: float) -> None:
        if self._height == "probability":
            few = self.frame().height() < 5 * QFontMetricsF(theme.small_font()).height()
            shares = (0.0, 0.5, 1.0) if few else (0.0, 0.25, 0.5, 0.75, 1.0)
            self.getAxis("left").setTicks([[(share, f"{100 * share:.0f} %") for share in shares]])
            return
        powers = range(math.floor(-low) + 1)
        self.getAxis("left").setTicks([[(-float(power), f"{10**power:,}") for power in powers]])

    def _label_positions(self) -> None:
        """Name the tokens under the axis where all have room, else number some of them."""
        axis = self.getAxis("bottom")
        left, right = self._view or self._whole()
        shown = range(max(math.ceil(left), 0), min(math.floor(right), len(self._texts) - 1) + 1)
        width = max(self.frame().width(), 1.0)
        pixels = width / max(right - left, 1e-9)
        names = [_short(self._texts[place]) for place in shown]
        widest = QFontMetricsF(theme.small_font()).horizontalAdvance
        if not self._tokens_named:
            axis.setTicks([[(place, "") for place in shown] if pixels > 12 else []])
        elif _room_for(names, widest, pixels):
            axis.setTicks([list(zip(shown, names, strict=True))])
        else:
            every = round_distance(widest("0,000") + 12, pixels)
            places = [place for place in shown if place == 0 or (place + 1) % every == 0]
            axis.setTicks([[(place, f"{place + 1:,}") for place in places]])


def _short(text: str) -> str:
    shown = reveal_token(text.removeprefix(" ") or text)
    return shown if len(shown) <= _LONGEST_LABEL else f"{shown[: _LONGEST_LABEL - 1]}…"


def _room_for(names: Sequence[str], width_of: Callable[[str], float], pixels: float) -> bool:
    """Tell whether labels `pixels` apart don't touch."""
    halves = [width_of(name) / 2 for name in names]
    return all(one + other + 6 <= pixels for one, other in pairwise(halves))


def _zoomed(view: Range, whole: Range, middle: float, turned: float) -> Range:
    """Return a range looked at closer or from farther away, `middle` staying where it is."""
    factor = _ZOOM ** (turned / 120)
    left, right = view
    if (right - left) / factor < _FEWEST_SHOWN:
        return view
    left, right = middle - (middle - left) / factor, middle + (right - middle) / factor
    return max(left, whole[0]), min(right, whole[1])
