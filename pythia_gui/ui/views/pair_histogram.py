"""How many tokens have which value of a measure, and a range of values chosen by hand."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPen

from pythia_gui.ui import theme
from pythia_gui.ui.views.pair_data import NAMES, PairMeasure, value_text
from pythia_gui.ui.views.pair_plot import Range, StillPlot, round_distance
from pythia_gui.ui.views.pair_scales import PairScale, Values

_MOST_BINS = 40


class Histogram(StillPlot):
    """How many tokens have which value of a measure; dragging chooses a range of values.

    The arrow keys move the range by a bar, with Shift they widen it; Escape or a double click
    chooses all again.
    """

    range_changed = Signal(object)  # the lowest and highest value chosen, or None for all

    def __init__(self) -> None:
        super().__init__("Histogram of the measure")
        self._scale: PairScale | None = None
        self._measure: PairMeasure = "prob_difference"
        self._edges: Values = np.array([0.0, 1.0])
        self._counts: NDArray[np.int64] = np.array([0])
        self._chosen: Range | None = None
        self._from: float | None = None
        self._bars = _Bars()
        self._region = pg.LinearRegionItem(movable=False)
        self._mark = pg.InfiniteLine(angle=90, movable=False)
        for item in (self._region, self._bars, self._mark):
            self.addItem(item, ignoreBounds=True)
        self._bars.setZValue(10)
        self._region.hide()
        self._mark.hide()
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many tokens each bar stands for."""
        return self._counts

    @property
    def edges(self) -> Values:
        """The values between which the bars stand, one more than there are bars."""
        scale = self._scale
        return self._edges if scale is None else np.array([scale.value(x) for x in self._edges])

    @property
    def chosen(self) -> Range | None:
        """The range of values that was chosen, None for all."""
        return self._chosen

    def show_values(self, values: Values, scale: PairScale) -> None:
        """Count other values; the range is chosen anew where the measure is another."""
        if scale != self._scale:
            self._scale, self._measure = scale, scale.measure
            self._choose(None)
        ends = scale.place(np.array([scale.low, scale.high]))
        self._edges = _edges(scale, float(ends[0]), float(ends[1]))
        known = scale.place(values[~np.isnan(values)])
        clipped = np.clip(known, self._edges[0], self._edges[-1])
        self._counts = np.histogram(clipped, self._edges)[0]
        self._draw()

    def show_nothing(self) -> None:
        """Count nothing."""
        self._counts = np.zeros_like(self._counts)
        self._mark.hide()
        self._draw()

    def mark(self, value: float) -> None:
        """Point at a value; NaN at none."""
        scale = self._scale
        self._mark.setVisible(scale is not None and not math.isnan(value))
        if scale is not None and not math.isnan(value):
            self._mark.setPos(float(scale.place(np.array([value]))[0]))

    def choose(self, chosen: Range | None) -> None:
        """Choose a range of values, as if a person had dragged over it."""
        self._choose(chosen)

    # ------------------------------------------------------------------------- events

    def mousePressEvent(self, ev: QMouseEvent) -> None:
        if ev.button() == Qt.MouseButton.LeftButton:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._from = self.place_of(ev.position().x())
        ev.accept()

    def mouseMoveEvent(self, ev: QMouseEvent) -> None:
        if ev.buttons() & Qt.MouseButton.LeftButton and self._from is not None:
            self._choose_between(self._from, self.place_of(ev.position().x()))
        ev.accept()

    def mouseReleaseEvent(self, ev: QMouseEvent) -> None:
        self._from = None
        ev.accept()

    def mouseDoubleClickEvent(self, ev: QMouseEvent) -> None:
        self._choose(None)
        ev.accept()

    def event(self, ev: QEvent) -> bool:
        escape = isinstance(ev, QKeyEvent) and ev.key() == Qt.Key.Key_Escape
        if ev.type() == QEvent.Type.ShortcutOverride and escape and self._chosen is not None:
            ev.accept()  # the range goes first, the window's own Escape waits
            return True
        return bool(super().event(ev))

    def keyPressEvent(self, ev: QKeyEvent) -> None:
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        key = Qt.Key(ev.key())
        if key == Qt.Key.Key_Escape and self._chosen is not None:
            self._choose(None)
        elif key in moves:
            wider = bool(ev.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._choose_bars(*self._moved(moves[key], wider=wider))
        else:
            ev.ignore()

    def _moved(self, by: int, *, wider: bool) -> tuple[int, int]:
        """Return the first and last bar of the range after a key."""
        last = len(self._counts) - 1
        if self._chosen is None:
            filled = np.flatnonzero(self._counts)
            place = int(filled[0] if by > 0 else filled[-1]) if len(filled) else 0
            return place, place
        assert self._scale is not None
        ends = self._scale.place(np.array(self._chosen))
        middles = (self._edges[:-1] + self._edges[1:]) / 2
        inside = np.flatnonzero((middles >= ends[0]) & (middles <= ends[1]))
        first, final = (int(inside[0]), int(inside[-1])) if len(inside) else (0, 0)
        if wider:
            return (max(first - 1, 0), final) if by < 0 else (first, min(final + 1, last))
        by = max(-first, min(by, last - final))
        return first + by, final + by

    def _choose_bars(self, first: int, last: int) -> None:
        self._choose_between(float(self._edges[first]), float(self._edges[last + 1]))

    def _choose_between(self, one: float, other: float) -> None:
        if self._scale is None or one == other:
            return
        low, high = sorted((one, other))
        low, high = max(low, float(self._edges[0])), min(high, float(self._edges[-1]))
        if low < high:
            self._choose((self._scale.value(low), self._scale.value(high)))

    def _choose(self, chosen: Range | None) -> None:
        if chosen == self._chosen:
            return
        self._chosen = chosen
        self._show_chosen()
        self.range_changed.emit(chosen)

    # ------------------------------------------------------------------------- drawing

    def resizeEvent(self, ev: QEvent) -> None:
        super().resizeEvent(ev)
        if hasattr(self, "_bars"):  # pyqtgraph resizes while it is being built
            self._label()

    def _dress(self) -> None:
        self._dress_axes(widest="1,000")
        colors = theme.current_theme()
        self._name_axis("left", "tokens")
        self._mark.setPen(pg.mkPen(colors.accent, width=1.5))
        self._region.setBrush(pg.mkBrush(colors.selection))
        for line in self._region.lines:
            line.setPen(pg.mkPen(colors.accent))
        self._draw()

    def _draw(self) -> None:
        scale = self._scale
        if scale is None:
            return
        self._bars.show_bars(self._edges, self._counts, scale)
        most = max(int(self._counts.max(initial=0)), 1)
        self._box.setRange(
            xRange=(self._edges[0], self._edges[-1]), yRange=(0, most * 1.06), padding=0.02
        )
        self._name_axis("bottom", _axis_name(self._measure))
        self._show_chosen()
        self._label()

    def _show_chosen(self) -> None:
        self._region.setVisible(self._chosen is not None)
        if self._chosen is not None and self._scale is not None:
            self._region.setRegion(self._scale.place(np.array(self._chosen)).tolist())
        self._bars.chosen = None if self._chosen is None else tuple(self._region.getRegion())
        self._bars.update()
        self.setAccessibleDescription(self.words())

    def words(self) -> str:
        """Return what is chosen, for reading."""
        if self._chosen is None:
            return "all tokens"
        low, high = (value_text(value, self._measure) for value in self._chosen)
        return f"tokens from {low} to {high}"

    def _label(self) -> None:
        if self._scale is None:
            return
        most = max(int(self._counts.max(initial=0)), 1)
        metrics = QFontMetricsF(theme.small_font())
        every = round_distance(metrics.height() + 4, max(self.frame().height() / most, 1e-6))
        heights = range(0, most + 1, every)
        self.getAxis("left").setTicks([[(height, f"{height:,}") for height in heights]])
        stops = [stop for stop in self._scale.stops if stop.value <= self._scale.high]
        places = self._scale.place(np.array([stop.value for stop in stops])).tolist()
        names = [_axis_number(self._measure, stop.value, stop.text) for stop in stops]
        spots = [
            (self.x_of(place), metrics.horizontalAdvance(n))
            for place, n in zip(places, names, strict=True)
        ]
        ticks = list(zip(places, names, strict=True))
        self.getAxis("bottom").setTicks([_fitting(ticks, spots)])


class _Bars(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph ships no types
    """Paints the bars in the colours that the tokens have."""

    def __init__(self) -> None:
        super().__init__()
        self.chosen: Range | None = None
        self._edges: Values = np.array([0.0, 1.0])
        self._counts: NDArray[np.int64] = np.array([0])
        self._scale: PairScale | None = None

    def show_bars(self, edges: Values, counts: NDArray[np.int64], scale: PairScale) -> None:
        """Paint these."""
        self._edges, self._counts, self._scale = edges, counts, scale
        self.update()

    def boundingRect(self) -> QRectF:
        return QRectF(self.viewRect())

    def viewRangeChanged(self) -> None:
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, *_: object) -> None:
        scale = self._scale
        if scale is None:
            return
        view, colors = painter.transform(), theme.current_theme()
        painter.save()
        painter.resetTransform()
        for left, right, count in zip(self._edges, self._edges[1:], self._counts, strict=False):
            if not count:
                continue
            box = view.mapRect(QRectF(left, 0, right - left, int(count))).adjusted(0.5, 0, -0.5, 0)
            middle = (left + right) / 2
            out = self.chosen is not None and not self.chosen[0] <= middle <= self.chosen[1]
            background = scale.ink(scale.value(middle))[0] or colors.raised
            painter.setPen(QPen(colors.outline, 1))
            painter.setBrush(colors.surface if out else background)
            painter.drawRect(box)
        painter.restore()


def _edges(scale: PairScale, low: float, high: float) -> Values:
    """Return the edges of the bars on the axis; counts of tokens have a bar each."""
    if scale.measure == "top10_overlap":
        return np.arange(-0.5, 11.0)
    if scale.measure == "clamped_rank_difference":
        return np.linspace(low - 0.5, high + 0.5, 34)
    return np.linspace(low, high, _MOST_BINS + 1)


def _axis_name(measure: PairMeasure) -> str:
    units = {
        "prob_difference": "pp",
        "rank_difference": "places, log scale",
        "clamped_rank_difference": "places",
        "rank_a": "log scale",
        "rank_b": "log scale",
        "top10_overlap": "of 10",
        "kl_ab": "bits",
        "kl_ba": "bits",
        "js": "bits",
    }
    unit = units.get(measure, "")
    return f"{NAMES[measure]} ({unit})" if unit else NAMES[measure]


def _axis_number(measure: PairMeasure, value: float, text: str) -> str:
    if measure in ("rank_a", "rank_b"):
        return f"{value:,.0f}"
    return text.removesuffix(" pp")


def _fitting(
    ticks: Sequence[tuple[float, str]], spots: Sequence[tuple[float, float]]
) -> list[tuple[float, str]]:
    """Return all ticks, or every second where their names would touch."""
    close = any(b[0] - a[0] < (a[1] + b[1]) / 2 + 6 for a, b in pairwise(spots))
    return list(ticks[::2] if close else ticks)
