"""What a trajectory shows of its points: the number, its place on the axis, its text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pythia_gui.ui.token_measures import probability_text, signed
from pythia_gui.ui.values import Curve, CurvePoint

ScoreKind = Literal["probability", "logprob", "rank"]

SCORES: tuple[tuple[ScoreKind, str], ...] = (
    ("probability", "Probability"),
    ("logprob", "Log-probability"),
    ("rank", "Rank"),
)
SCORE_TIPS = {
    "probability": "How likely the model finds the target as the next thing after the prompt",
    "logprob": "The natural logarithm of the probability: tells very small ones apart",
    "rank": "1 is the model's first choice; 2 means that one token was likelier, and so on",
}
AXIS_NAMES: dict[ScoreKind, str] = {
    "probability": "probability",
    "logprob": "log-probability (nats)",
    "rank": "rank (1 is first)",
}


def number_of(point: CurvePoint, kind: ScoreKind) -> float:
    """Return the number of a point: in [0, 1], in nats, or from 1; NaN where there is none."""
    if kind == "rank":
        return math.nan if point.rank is None else float(point.rank)
    if point.logprob is None or not math.isfinite(point.logprob):
        return math.nan
    return math.exp(point.logprob) if kind == "probability" else point.logprob


def height_of(number: float, kind: ScoreKind) -> float:
    """Return where a number stands on its axis, upwards; ranks stand on a falling log axis."""
    return -math.log10(number) if kind == "rank" and number >= 1 else number


def number_text(number: float, kind: ScoreKind) -> str:
    """Return a number for reading, `–` where there is none."""
    if math.isnan(number):
        return "–"
    if kind == "probability":
        return probability_text(number)
    return f"{number:,.0f}" if kind == "rank" else signed(number, 3)


def problem_of(point: CurvePoint, kind: ScoreKind) -> str:
    """Return why a point has no number, empty where it has one."""
    if not math.isnan(number_of(point, kind)):
        return ""
    if point.problem:
        return point.problem
    return "the number is too small to be told from 0" if point.logprob is not None else "no number"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A curve ready to be drawn; all arrays have shape (point,).

    `heights` are NaN at gaps. Points in `left_out` are drawn grey and no line goes through them.
    """

    xs: NDArray[np.float64]
    heights: NDArray[np.float64]
    left_out: NDArray[np.bool_]

    def drawn(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the points that the line joins, gaps as NaN."""
        return self.xs[~self.left_out], self.heights[~self.left_out]

    def marked(self, *, left_out: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the points with a number, those that are left out or the others."""
        chosen = np.isfinite(self.heights) & (self.left_out == left_out)
        return self.xs[chosen], self.heights[chosen]

    def gaps(self) -> NDArray[np.float64]:
        """Return where a number was asked for and there is none."""
        return self.xs[~np.isfinite(self.heights) & ~self.left_out]

    def unmeasured(self) -> NDArray[np.float64]:
        """Return where a checkpoint was left out and has no number."""
        return self.xs[~np.isfinite(self.heights) & self.left_out]


def line_of(curve: Curve, kind: ScoreKind, place: dict[int, float]) -> Line:
    """Return a curve as it is drawn; `place` gives the x of every step."""
    return Line(
        np.array([place[point.step] for point in curve.points], dtype=np.float64),
        _heights(curve, kind),
        np.array([point.left_out for point in curve.points], dtype=np.bool_),
    )


def _heights(curve: Curve, kind: ScoreKind) -> NDArray[np.float64]:
    """Return `height_of` each number of a curve."""
    if kind == "rank":
        ranks = [1.0 / point.rank if point.rank else math.nan for point in curve.points]
        heights = np.array(ranks, dtype=np.float64)
        np.log10(heights, out=heights)
        return heights
    known = [math.nan if point.logprob is None else point.logprob for point in curve.points]
    heights = np.array(known, dtype=np.float64)
    heights[~np.isfinite(heights)] = math.nan
    if kind == "probability":
        np.exp(heights, out=heights)
    return heights


def dashes(
    xs: NDArray[np.float64], ys: NDArray[np.float64], on: float, off: float
) -> NDArray[np.float64]:
    """Return a polyline cut into dashes, in the units of its points.

    Returns:
        float64, shape (piece, 4): x and y where each straight piece begins and ends. Pieces
        that touch a NaN are left out, and the pattern begins anew after it.
    """
    pieces = []
    for part in np.split(np.arange(len(xs)), np.flatnonzero(~np.isfinite(ys))):
        known = part[np.isfinite(ys[part])]
        if len(known) > 1:
            pieces.append(_dashed(xs[known], ys[known], on, off))
    return np.concatenate(pieces) if pieces else np.empty((0, 4))


def _dashed(
    xs: NDArray[np.float64], ys: NDArray[np.float64], on: float, off: float
) -> NDArray[np.float64]:
    lengths = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(xs), np.diff(ys)))))
    starts = np.arange(0.0, lengths[-1], on + off)
    cuts = np.unique(np.concatenate((lengths, starts, starts + on)))
    cuts = cuts[cuts <= lengths[-1]]
    inked = (cuts[:-1] + cuts[1:]) / 2 % (on + off) < on
    x, y = np.interp(cuts, lengths, xs), np.interp(cuts, lengths, ys)
    pieces: NDArray[np.float64] = np.column_stack((x[:-1], y[:-1], x[1:], y[1:]))[inked]
    return pieces


def solid(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the straight pieces of a polyline, as `dashes` does."""
    pieces = np.column_stack((xs[:-1], ys[:-1], xs[1:], ys[1:]))
    return pieces[np.isfinite(pieces).all(axis=1)]


def height_range(lines: Sequence[Line], kind: ScoreKind) -> tuple[float, float]:
    """Return the ends of the axis: all points, with air above and below them."""
    heights = np.concatenate([line.heights for line in lines]) if lines else np.array([])
    finite = heights[np.isfinite(heights)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if kind == "probability":
        high = min(max(float(high) * 1.08, 1e-9), 1.04)
        return -0.01 * high, high  # just below 0, whose tick would be lost to rounding
    air = max((0.0 - low) * 0.06, 0.05)
    return float(low - air), float(air if high > -air else high + air)


def spread(wanted: Sequence[float], height: float, top: float, bottom: float) -> list[float]:
    """Return the centres nearest to `wanted` at which labels of `height` don't overlap.

    `wanted` may be in any order; the order from top to bottom stays. Where there is not room
    for all between `top` and `bottom` the last ones stick out below.
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    groups: list[tuple[float, int]] = []  # the mean of what is wanted, and how many
    for place in order:
        groups.append((min(max(wanted[place], top), bottom), 1))
        while len(groups) > 1 and _overlap(groups[-2], groups[-1], height, top, bottom):
            (one, many), (other, more) = groups[-2:]
            groups[-2:] = [((one * many + other * more) / (many + more), many + more)]
    centres: list[float] = []
    for mean, many in groups:
        first = _first(mean, many, height, top, bottom)
        centres.extend(first + number * height for number in range(many))
    placed = dict(zip(order, centres, strict=True))
    return [placed[place] for place in range(len(wanted))]


def _first(mean: float, many: int, height: float, top: float, bottom: float) -> float:
    """Return the centre of the first label of a group, kept between `top` and `bottom`."""
    room = (many - 1) * height
    lowest = max(bottom - height / 2 - room, top + height / 2)
    return min(max(mean - room / 2, top + height / 2), lowest)


def _overlap(
    above: tuple[float, int], below: tuple[float, int], height: float, top: float, bottom: float
) -> bool:
    end = _first(*above, height, top, bottom) + above[1] * height
    return _first(*below, height, top, bottom) < end - 1e-9


def table_steps(curves: Sequence[Curve]) -> list[int]:
    """Return every step of the curves, ascending."""
    return sorted({point.step for curve in curves for point in curve.points})
