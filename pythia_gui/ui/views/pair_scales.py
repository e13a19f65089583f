"""The colours and axes of the measures that compare two checkpoints."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from pythia_gui.ui import theme
from pythia_gui.ui.token_measures import RANK_BUCKETS, rank_value
from pythia_gui.ui.token_text import Ink
from pythia_gui.ui.views.pair_data import CLAMPED, KINDS, PairMeasure

Values = NDArray[np.float64]
Shape = Literal["linear", "log", "signed log"]
Paint = Literal["likely", "amount", "sides"]

_DEEPEST_SIDE = 0.72  # how much of a side's colour its farthest difference has
_DEEPEST_AMOUNT = 0.62  # deeper, neither dark nor light letters could be read on it
_LEAST_AMOUNT = 1e-9


@dataclass(frozen=True, slots=True)
class ScaleStop:
    """A value that a legend or an axis names."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class PairScale:
    """Where the values of a measure stand, from `low` to `high`, and how they are painted.

    `likely` paints from unlikely to likely as every other text is, `amount` from nothing to
    much in one hue, `sides` in the colour of the checkpoint that thought more of the token.
    """

    measure: PairMeasure
    low: float
    high: float
    shape: Shape
    paint: Paint
    stops: tuple[ScaleStop, ...]
    ends: tuple[str, str]

    def place(self, values: Values) -> Values:
        """Return where values stand on an axis of this shape, upwards without bounds."""
        if self.shape == "log":
            return np.asarray(np.log10(np.maximum(values, 1.0)))
        if self.shape == "signed log":
            return np.asarray(np.sign(values) * np.log10(1.0 + np.abs(values)))
        return np.asarray(values, np.float64)

    def value(self, place: float) -> float:
        """Return the value that stands at a place of the axis."""
        if self.shape == "log":
            return float(10.0**place)
        if self.shape == "signed log":
            return math.copysign(10.0 ** abs(place) - 1.0, place)
        return place

    def ink(self, value: float) -> Ink:
        """Return the background and letters of a token with this value; NaN has no background."""
        if math.isnan(value):
            return None, theme.current_theme().text
        if self.paint == "likely":
            return theme.token_ink(self._likely(value))
        if self.paint == "sides":
            return self._side_ink(value)
        return _tinted(theme.current_theme().series[3], _DEEPEST_AMOUNT * self._share(value))

    def _likely(self, value: float) -> float:
        if KINDS[self.measure] == "rank":
            return rank_value(round(value))
        return value / self.high

    def _share(self, value: float) -> float:
        ends = self.place(np.array([self.low, self.high, value]))
        return float((ends[2] - ends[0]) / max(ends[1] - ends[0], _LEAST_AMOUNT))

    def _side_ink(self, value: float) -> Ink:
        """Return the colour of A or B, deeper the more it thought of the token."""
        share = abs(float(self.place(np.array([value]))[0]))
        share /= max(float(self.place(np.array([self.high]))[0]), _LEAST_AMOUNT)
        for_b = (value < 0) == (KINDS[self.measure] == "rank")
        return _tinted(side_color("B" if for_b else "A"), _DEEPEST_SIDE * min(share, 1.0))


def scale_of(measure: PairMeasure, values: Values) -> PairScale:
    """Return the scale of a measure; where it has no natural end it reaches to the values'."""
    if measure in _FIXED:
        return _FIXED[measure]
    if measure in ("rank_a", "rank_b"):
        return _ranks(measure, values)
    return _rank_difference(values) if measure == "rank_difference" else _bits(measure, values)


_RANKS_FAVOUR = ("places: B ranks it higher", "A ranks it higher")


def _ranks(measure: PairMeasure, values: Values) -> PairScale:
    stops = tuple(ScaleStop(float(last), text) for last, text in (*RANK_BUCKETS, (1_001, "more")))
    high = max(10.0 ** math.ceil(math.log10(_most(values))), 10.0)
    return PairScale(measure, 1.0, high, "log", "likely", stops, ("first choice", "far down"))


def _rank_difference(values: Values) -> PairScale:
    powers = max(math.ceil(math.log10(_most(values))), 1)
    shown = [power for power in range(1, powers + 1) if (powers - power) % max(powers // 2, 1) == 0]
    sizes = [10.0**power for power in shown]
    stops = [*(-size for size in reversed(sizes)), 0.0, *sizes]
    far = 10.0**powers
    named = tuple(ScaleStop(x, _signed(x)) for x in stops)
    return PairScale("rank_difference", -far, far, "signed log", "sides", named, _RANKS_FAVOUR)


def _bits(measure: PairMeasure, values: Values) -> PairScale:
    high = 1.0 if measure == "js" else _round_up(_most(values, least=0.1))
    stops = tuple(ScaleStop(high * n / 4, f"{high * n / 4:.3g}") for n in range(5))
    return PairScale(measure, 0.0, high, "linear", "amount", stops, ("the same", "bits apart"))


def _most(values: Values, least: float = 1.0) -> float:
    """Return the largest size among values that are numbers, at least `least`."""
    finite = np.abs(values[np.isfinite(values)])
    return max(float(finite.max()), least) if len(finite) else least


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 5, 10, 20, ... that is no smaller."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 5, 10) if power * step >= value * (1 - 1e-9))


def _signed(value: float) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{abs(value):,.0f}"


def _fixed_scales() -> dict[PairMeasure, PairScale]:
    """Return the scales of the measures that have natural ends."""
    percents = tuple(ScaleStop(n / 4, f"{25 * n} %") for n in range(5))
    points = tuple(ScaleStop(x, f"{_signed(100 * x)} pp") for x in (-1.0, -0.5, 0.0, 0.5, 1.0))
    counts = tuple(ScaleStop(float(n), f"{n}") for n in (0, 2, 4, 6, 8, 10))
    far = float(CLAMPED)
    moves = tuple(ScaleStop(x, _signed(x)) for x in (-far, -25.0, 0.0, 25.0, far))
    likely, likelier = ("unlikely", "likely"), ("A finds it likelier", "B finds it likelier")
    return {
        "prob_difference": PairScale(
            "prob_difference", -1.0, 1.0, "linear", "sides", points, likelier
        ),
        "prob_a": PairScale("prob_a", 0.0, 1.0, "linear", "likely", percents, likely),
        "prob_b": PairScale("prob_b", 0.0, 1.0, "linear", "likely", percents, likely),
        "clamped_rank_difference": PairScale(
            "clamped_rank_difference", -far, far, "linear", "sides", moves, _RANKS_FAVOUR
        ),
        "top10_overlap": PairScale(
            "top10_overlap", 0.0, 10.0, "linear", "likely", counts, ("none shared", "all ten")
        ),
    }


def _tinted(color: QColor, share: float) -> Ink:
    """Return the surface tinted by a share in [0, 1] of a colour, and the ink that reads on it."""
    return _tint(theme.current_theme().name, color.rgb(), round(min(max(share, 0.0), 1.0) * 255))


@lru_cache(maxsize=4096)
def _tint(name: str, rgb: int, share: int) -> Ink:
    colors = theme.DARK if name == "dark" else theme.LIGHT
    surface, color = colors.surface, QColor(rgb)
    ends = (
        (surface.red(), color.red()),
        (surface.green(), color.green()),
        (surface.blue(), color.blue()),
    )
    background = QColor(*(round(low + (high - low) * share / 255) for low, high in ends))
    inks = (colors.text, colors.ramp_dark_ink, colors.ramp_light_ink)
    readable = [ink for ink in inks if theme.contrast(ink, background) >= 4.5]
    best = max(inks, key=lambda ink: theme.contrast(ink, background))
    return background, readable[0] if readable else best


def faded_ink() -> Ink:
    """Return how a token looks that lies outside the range of interest."""
    return None, theme.current_theme().muted


def side_color(letter: str) -> QColor:
    """Return the colour of A or B, everywhere the same: a copy that may be changed."""
    return QColor(theme.current_theme().series[0 if letter == "A" else 1])


_FIXED = _fixed_scales()
