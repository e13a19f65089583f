"""Where steps stand on an axis, and which of them can be labelled without overlap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.steps import even_positions, log2_positions, tick_label

StepScale = Literal["even", "log2", "tokens"]

_GRIDS: tuple[int, ...] = tuple(
    factor * 10**power for power in range(6, 1, -1) for factor in (5, 2, 1)
)
_EARLY = (1_000, 2_000, 5_000)
_AIR = 8.0  # pixels between labels where each checkpoint has one


@dataclass(frozen=True, slots=True)
class StepLabel:
    """A step with its name on an axis; `x` is the label's centre, `row` 0 is nearest the axis."""

    step: int
    text: str
    x: float
    width: float
    row: int = 0

    @property
    def left(self) -> float:
        """Where the text begins."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Where the text ends."""
        return self.x + self.width / 2


def positions(scale: StepScale, steps: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float64]:
    """Return the place of each step on an axis; step 0 has one on all of them."""
    if scale == "even":
        return even_positions(steps)
    if scale == "log2":
        return log2_positions(steps)
    return np.asarray(tokens, dtype=np.float64)


def place_of(
    step: int, scale: StepScale, steps: Sequence[int], places: NDArray[np.float64]
) -> float:
    """Return the place of a step that may lie between two of `steps` (ascending, not empty).

    Where there is no formula it stands in proportion between its neighbours.
    """
    if scale == "log2":
        return float(log2_positions([step])[0])
    return float(np.interp(step, np.asarray(steps, dtype=np.float64), places))


def step_labels(
    steps: Sequence[int],
    xs: Sequence[float],
    width_of: Callable[[str], float],
    *,
    rows: int = 1,
    gap: float = 6.0,
    doubling: bool = False,
) -> tuple[StepLabel, ...]:
    """Return the labels that fit: the ends, the powers of two, then the finest round grid.

    On an axis of `doubling` distances the round thousands are 1k, 2k, 4k, ... instead.

    `xs` (pixels, ascending) belong to `steps` (ascending). A grid is chosen as a whole, so that
    the labels read like a ruler's; an early one that finds no room in the first row may stand
    in a further one.
    """
    made = [
        StepLabel(step, tick_label(step), float(x), width_of(tick_label(step)))
        for step, x in zip(steps, xs, strict=True)
    ]
    placed: list[StepLabel] = []
    for label in _by_importance(made, doubling=doubling):
        _place(label, placed, rows if label.step <= _EARLY[-1] else 1, gap)
    return tuple(sorted(placed, key=lambda label: (label.x, label.row)))


def _by_importance(labels: Sequence[StepLabel], *, doubling: bool) -> list[StepLabel]:
    """Return the labels worth showing, the most important first."""
    powers = [label for label in labels if 0 < label.step < 1_000 and _is_power(label.step)]
    if doubling:
        grown = [x for x in labels if x.step % 1_000 == 0 and _is_power(x.step // 1_000)]
        return [*labels[:1], *labels[-1:], *powers, *(x for x in grown if x.step), *labels]
    grid = _finest_grid(labels)
    turn = powers[-1:]  # where the schedule turns from doubling to even distances
    round_ones = [label for label in labels if label.step and label.step % grid == 0]
    early = [label for label in labels if label.step in _EARLY]
    every = list(labels) if _all_fit(labels) else []
    return [*labels[:1], *labels[-1:], *turn, *powers, *every, *round_ones, *early]


def _all_fit(labels: Sequence[StepLabel]) -> bool:
    return all(b.left - a.right >= _AIR for a, b in pairwise(labels))


def _is_power(step: int) -> bool:
    return step & (step - 1) == 0


def _finest_grid(labels: Sequence[StepLabel]) -> int:
    """Return the smallest round distance whose labels have a label's width of air between."""
    finest: int = _GRIDS[0]
    for grid in _GRIDS:
        row = [label for label in labels if label.step and label.step % grid == 0]
        air = min((b.left - a.right for a, b in pairwise(row)), default=np.inf)
        if row and air < max(label.width for label in row):
            break
        finest = grid
    return finest


def _place(label: StepLabel, placed: list[StepLabel], rows: int, gap: float) -> None:
    """Add a label in the first row where it touches no other; forget it where there is none."""
    if any(label.step == other.step for other in placed):
        return
    for row in range(rows):
        neighbours = (other for other in placed if other.row == row)
        if all(_apart(label, other) >= gap for other in neighbours):
            placed.append(replace(label, row=row))
            return


def _apart(one: StepLabel, other: StepLabel) -> float:
    return max(one.left - other.right, other.left - one.right)
