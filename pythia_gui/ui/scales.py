"""Colour scales of matrices: a number's colour, its place on the legend, and how it is written.

The sequential palette runs from blue through grey to yellow, as cividis does (Nuñez, Anderton
and Renslow 2018, doi:10.1371/journal.pone.0199239) and as the ink of tokens does: blue is
unlikely, yellow is likely. The diverging one runs from blue through the ground to orange.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.token_measures import probability_text, signed

Palette = Literal["sequential", "diverging"]
NumberKind = Literal["probability", "rank", "nats", "bits"]
Limits = tuple[float, float]
Floats = NDArray[np.float32] | NDArray[np.float64]

SHADES: Final = 256
GAP: Final = SHADES
"""The shade of what is no number: it is transparent."""

_STOPS: Final[dict[tuple[Palette, bool], tuple[str, ...]]] = {
    ("sequential", False): (
        *("#14306b", "#40568a", "#6b7794", "#97988f"),
        *("#c2b877", "#e8d867", "#fbf0b0"),
    ),
    ("sequential", True): (
        *("#2b4c9b", "#4c659c", "#717f9a", "#969a8f"),
        *("#bcb478", "#e0cd62", "#fbeb8a"),
    ),
    ("diverging", False): (
        *("#0b4a8f", "#3f7fbf", "#93bce0", "#f1f0ee"),
        *("#f2b87f", "#d17a26", "#8f3c00"),
    ),
    ("diverging", True): (
        *("#9ad4ff", "#5a97cd", "#3d6388", "#33383d"),
        *("#85532b", "#cc8038", "#ffb870"),
    ),
}
_DIGITS: Final = {"nats": 3, "bits": 3}
_BAR, _BAR_WIDTH, _TICK = 10, 208, 3
_TILE, _TILES = 6, 16  # pixels between two lines, and how many of them in a tile


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers become colours.

    `low` and `high` are the fixed range, in the numbers' own unit; beyond it the colour stays
    that of the end. On a `log` scale both are above 0. `falling` gives the small numbers the
    palette's upper end (a rank of 1 is the likeliest). A fitted range begins at `low` where it
    is `anchored`; that of a diverging palette is symmetric about 0.
    """

    name: str
    unit: str
    low: float
    high: float
    kind: NumberKind
    palette: Palette = "sequential"
    log: bool = False
    falling: bool = False
    anchored: bool = False

    @property
    def title(self) -> str:
        """The name with its unit, as it stands at a legend or an axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def fixed(self) -> Limits:
        """The fixed range."""
        return self.low, self.high

    def text_of(self, number: float) -> str:
        """Return a number for reading, `–` where there is none."""
        if math.isnan(number):
            return "–"
        if self.kind == "probability":
            return probability_text(number)
        return f"{number:,.0f}" if self.kind == "rank" else signed(number, _DIGITS[self.kind])

    def fitted(self, values: Floats) -> Limits:
        """Return the range of what is there; the fixed one where nothing is."""
        known = values[np.isfinite(values)]
        if not known.size:
            return self.fixed
        low, high = float(known.min()), float(known.max())
        if self.palette == "diverging":
            most = max(abs(low), abs(high), 1e-3)
            return -most, most
        if self.anchored:
            low = self.low
        if self.log:
            return (low, max(high, 10 * low))
        return (low, high) if high - low > 1e-6 else (low, low + 1e-3)


@dataclass(frozen=True, slots=True)
class Tick:
    """A number that a legend or an axis names; `place` runs from 0 (low) to 1 (high)."""

    value: float
    place: float
    text: str


def places_of(scale: Scale, values: Floats, limits: Limits) -> NDArray[np.float64]:
    """Return where numbers stand between the limits, 0 to 1; of the same shape, NaN kept."""
    low, high = limits
    numbers = np.asarray(values, dtype=np.float64)
    if scale.log:
        with np.errstate(divide="ignore", invalid="ignore"):
            numbers = np.log(numbers)
        low, high = math.log(low), math.log(high)
    shares: NDArray[np.float64] = (np.clip(numbers, low, high) - low) / (high - low)
    return shares


def shades_of(scale: Scale, values: Floats, limits: Limits) -> NDArray[np.uint16]:
    """Return the shade of each number, 0 to 255 up the palette, `GAP` for NaN; same shape."""
    places = places_of(scale, values, limits)
    gaps = np.isnan(places)
    places[gaps] = 0.0
    up = 1.0 - places if scale.falling else places
    shades = np.minimum((up * SHADES).astype(np.uint16), SHADES - 1)
    shades[gaps] = GAP
    return shades.astype(np.uint16)


@lru_cache(maxsize=8)
def colours(palette: Palette, *, dark: bool) -> NDArray[np.uint32]:
    """Return a palette as 0xAARRGGBB, shape (257,): opaque shades, then the transparent gap."""
    stops = [QColor(name).getRgb()[:3] for name in _STOPS[palette, dark]]  # type: ignore[index]
    at = np.linspace(0, len(stops) - 1, SHADES)
    red, green, blue = (
        np.rint(np.interp(at, np.arange(len(stops)), part)).astype(np.uint32)
        for part in np.array(stops, dtype=np.float64).T
    )
    opaque = np.uint32(0xFF000000) | (red << 16) | (green << 8) | blue
    table = np.append(opaque, np.uint32(0)).astype(np.uint32)
    table.setflags(write=False)
    return table


def current_colours(palette: Palette) -> NDArray[np.uint32]:
    """Return `colours` of the palette that the window wears now."""
    return colours(palette, dark=theme.current_theme().dark)


def ticks_of(scale: Scale, limits: Limits, most: int = 6) -> tuple[Tick, ...]:
    """Return round numbers between the limits, ascending, at most about `most` of them."""
    values = _decades(*limits) if scale.log else round_numbers(*limits, most)
    spacing = values[1] - values[0] if len(values) > 1 else 1.0
    spots = places_of(scale, np.array(values, dtype=np.float64), limits)
    return tuple(
        Tick(value, float(spot), _tick_text(scale, value, spacing))
        for value, spot in zip(values, spots, strict=True)
    )


def round_numbers(low: float, high: float, most: int) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten from low to high, at most `most`."""
    span = max(high - low, 1e-12)
    power = 10.0 ** math.floor(math.log10(span / max(most, 1)))
    wanted = span / max(most - 1, 1)
    distance = next(f * power for f in (1, 2, 5, 10, 20, 50) if f * power >= wanted * (1 - 1e-9))
    first, last = math.ceil(low / distance - 1e-6), math.floor(high / distance + 1e-6)
    return [number * distance for number in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Return the powers of ten between, with their double and fivefold where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if high / low < 300 else (1,)
    values = [factor * 10.0**power for power in powers for factor in factors]
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def _tick_text(scale: Scale, value: float, spacing: float) -> str:
    if scale.kind == "rank":
        return f"{value:,.0f}"
    percent = 100.0 if scale.kind == "probability" else 1.0
    digits = max(0, math.ceil(-math.log10(spacing * percent) - 1e-9))
    return f"{signed(value * percent, digits)}{' %' if percent > 1 else ''}"


# --------------------------------------------------------------------------------- gaps


@lru_cache(maxsize=4)
def _hatch(name: str, ratio: float) -> QPixmap:
    colors = theme.DARK if name == "dark" else theme.LIGHT
    side = _TILE * _TILES
    tile = QPixmap(QSize(side, side) * ratio)
    tile.setDevicePixelRatio(ratio)
    tile.fill(colors.surface)
    painter = QPainter(tile)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    ink = QColor(colors.outline)
    ink.setAlphaF(0.45)
    painter.setPen(QPen(ink, 1))
    for shift in range(-side, side + 1, _TILE):
        painter.drawLine(QPointF(shift, side), QPointF(shift + side, 0))
    painter.end()
    return tile


def paint_gap(painter: QPainter, place: QRectF) -> None:
    """Paint the ground of what has no number: hatched."""
    ratio = painter.device().devicePixelRatio()
    painter.drawTiledPixmap(place, _hatch(theme.current_theme().name, ratio))


# --------------------------------------------------------------------------------- legend


class ColourBar(QWidget):
    """The legend of a scale: its colours with labelled numbers and unit, and what a gap is."""

    def __init__(self, gap: str = "no number") -> None:
        super().__init__()
        self._gap = gap
        self._scale = Scale("", "", 0.0, 1.0, "bits")
        self._limits: Limits = (0.0, 1.0)
        self._marked = math.nan
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.events.theme_changed.connect(self._changed)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """The numbers that have a label, as many as have room for one."""
        metrics = QFontMetricsF(theme.small_font())
        found: tuple[Tick, ...] = ()
        for most in (6, 5, 4, 3, 2):
            found = ticks_of(self._scale, self._limits, most)
            if _fit([(t.place * _BAR_WIDTH, metrics.horizontalAdvance(t.text)) for t in found]):
                return found
        return found[:1]

    def show_scale(self, scale: Scale, limits: Limits) -> None:
        """Explain these colours over this range."""
        if (scale, limits) == (self._scale, self._limits):
            return
        renamed = scale.title != self._scale.title
        self._scale, self._limits = scale, limits
        low, high = (scale.text_of(limit) for limit in limits)
        self.setAccessibleName(f"Colours: {scale.title} from {low} to {high}; hatched: {self._gap}")
        if renamed:
            self.updateGeometry()
        self.update()

    def mark(self, number: float) -> None:
        """Point at a number on the bar; NaN at none."""
        if number != self._marked and not (math.isnan(number) and math.isnan(self._marked)):
            self._marked = number
            self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(theme.small_font())
        name, gap = (metrics.horizontalAdvance(text) for text in (self._scale.title, self._gap))
        width = name + 24 + _BAR_WIDTH + 32 + 14 + 6 + gap
        return QSize(math.ceil(width) + 4, math.ceil(_BAR + _TICK + metrics.height()) + 6)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        colors, metrics = theme.current_theme(), QFontMetricsF(theme.small_font())
        painter = QPainter(self)
        painter.setFont(theme.small_font())
        painter.setPen(colors.muted)
        foot = 4 + (_BAR + metrics.ascent() - metrics.descent()) / 2
        painter.drawText(QPointF(0, foot), self._scale.title)
        left = metrics.horizontalAdvance(self._scale.title) + 24
        self._paint_bar(painter, QRectF(left, 4, _BAR_WIDTH, _BAR))
        box = QRectF(left + _BAR_WIDTH + 32, 4, 14, _BAR)
        paint_gap(painter, box)
        painter.setPen(colors.outline)
        painter.drawRect(box)
        painter.setPen(colors.muted)
        painter.drawText(QPointF(box.right() + 6, foot), self._gap)

    def _paint_bar(self, painter: QPainter, bar: QRectF) -> None:
        colors, metrics = theme.current_theme(), QFontMetricsF(theme.small_font())
        table = current_colours(self._scale.palette)[:SHADES]
        row = np.ascontiguousarray(table[::-1] if self._scale.falling else table)
        painter.drawImage(bar, QImage(row.data, SHADES, 1, QImage.Format.Format_RGB32))
        painter.setPen(colors.outline)
        painter.drawRect(bar)
        for tick in self.ticks:
            x = bar.left() + tick.place * bar.width()
            painter.setPen(colors.outline)
            painter.drawLine(QPointF(x, bar.bottom()), QPointF(x, bar.bottom() + _TICK))
            painter.setPen(colors.muted)
            width = metrics.horizontalAdvance(tick.text)
            top = bar.bottom() + _TICK
            painter.drawText(QPointF(x - width / 2, top + metrics.ascent()), tick.text)
        if not math.isnan(self._marked):
            place = places_of(self._scale, np.array([self._marked]), self._limits)[0]
            x = bar.left() + place * bar.width()
            painter.fillRect(QRectF(x - 2.5, bar.top() - 3, 5, _BAR + 6), colors.surface)
            painter.fillRect(QRectF(x - 1, bar.top() - 3, 2, _BAR + 6), colors.text)

    def _changed(self) -> None:
        self.updateGeometry()
        self.update()


def _fit(labels: Sequence[tuple[float, float]]) -> bool:
    """Tell whether labels, given by their middles and widths, stand apart."""
    ends = [(x - width / 2, x + width / 2) for x, width in labels]
    return all(b[0] - a[1] >= 6 for a, b in pairwise(ends))
