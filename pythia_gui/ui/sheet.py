"""What a matrix against training shows, as values, and where its rows and columns lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt

from pythia_gui.ui.axes import StepScale
from pythia_gui.ui.scales import Floats

GlyphKind = Literal["ring", "dot", "line", "pair"]


@dataclass(frozen=True, slots=True)
class Row:
    """The name of a row, ready to be shown, and a short word before it (a number, a role)."""

    label: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A heading above the row where a group begins."""

    first: int
    title: str


@dataclass(frozen=True, slots=True)
class Glyph:
    """A mark on a cell; a "line" runs along the foot of its row from the cell to the end."""

    row: int
    column: int
    kind: GlyphKind


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A matrix with the names of its rows and the steps of its columns.

    `values` has the shape (row, column), NaN being a gap. `places` (float64, ascending, shape
    (column,)) is where the steps stand on the axis. With `square` the rows are the same steps
    and stand as the columns do. `flagged` columns bear a warning triangle.
    """

    values: Floats
    rows: tuple[Row, ...]
    steps: tuple[int, ...]
    places: NDArray[np.float64]
    axis: StepScale = "even"
    groups: tuple[Group, ...] = ()
    glyphs: tuple[Glyph, ...] = ()
    flagged: frozenset[int] = frozenset()
    square: bool = False

    @classmethod
    def empty(cls) -> "Sheet":
        """A matrix without rows and columns."""
        return cls(np.empty((0, 0), np.float32), (), (), np.empty(0))


def edges_of(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of columns half-way between neighbours, shape (column + 1,).

    The first and the last column reach as far outwards as inwards.
    """
    if len(places) < 2:
        return np.concatenate((places - 0.5, places + 0.5))
    middles = (places[:-1] + places[1:]) / 2
    first, last = 2 * places[0] - middles[0], 2 * places[-1] - middles[-1]
    return np.concatenate(([first], middles, [last]))


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Where rows or columns lie, in pixels of the whole; both arrays ascend, shape (band,)."""

    starts: NDArray[np.float64] = field(default_factory=partial(np.empty, 0))
    ends: NDArray[np.float64] = field(default_factory=partial(np.empty, 0))

    def over(self, places: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the band at each place, -1 where there is none."""
        if not len(self.starts):
            return np.full(len(places), -1, dtype=np.intp)
        found = np.searchsorted(self.starts, places, side="right") - 1
        return np.where((found >= 0) & (places < self.ends[found]), found, -1)

    def at(self, place: float) -> int:
        """Return the band at a place, -1 where there is none."""
        return int(self.over(np.array([place]))[0])

    def nearest(self, place: float) -> int:
        """Return the band at or nearest to a place; there is at least one."""
        return min(max(int(np.searchsorted(self.starts, place, "right")) - 1, 0), len(self) - 1)

    def __len__(self) -> int:
        return len(self.starts)


def bands_of(edges: NDArray[np.float64], length: float) -> Bands:
    """Return bands between edges, stretched to a length in pixels."""
    if len(edges) < 2:
        return Bands()
    pixels = (edges - edges[0]) / (edges[-1] - edges[0]) * length
    return Bands(pixels[:-1], pixels[1:])


def stacked(count: int, height: float, heads: Sequence[int], head_height: float) -> Bands:
    """Return rows of one height below each other, with room above the rows named in `heads`."""
    shift = np.zeros(count)
    for first in heads:
        shift[first:] += head_height
    starts = np.arange(count) * height + shift
    return Bands(starts, starts + height)


def told_apart(
    labels: Sequence[str], room: float, elided: Callable[[str, Qt.TextElideMode, float], str]
) -> tuple[str, ...]:
    """Return labels cut to `room`, so that those which differ still do where they can.

    They are cut in the middle; those that would read the same are cut at their beginning or
    end instead, whichever tells them apart.
    """
    modes = (
        Qt.TextElideMode.ElideMiddle,
        Qt.TextElideMode.ElideLeft,
        Qt.TextElideMode.ElideRight,
    )
    cut = {mode: {text: elided(text, mode, room) for text in set(labels)} for mode in modes}
    alike: dict[str, list[str]] = {}
    for text, short in cut[modes[0]].items():
        alike.setdefault(short, []).append(text)
    best = {short: _telling(texts, modes, cut) for short, texts in alike.items()}
    return tuple(cut[best[cut[modes[0]][text]]][text] for text in labels)


def _telling(
    texts: Sequence[str],
    modes: Sequence[Qt.TextElideMode],
    cut: dict[Qt.TextElideMode, dict[str, str]],
) -> Qt.TextElideMode:
    return max(modes, key=lambda mode: len({cut[mode][text] for text in texts}))


def expanded(
    ink: NDArray[np.uint32], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.uint32]:
    """Return the colour of every pixel: each cell over the pixels that show it.

    Args:
        ink: the colour of each cell, shape (row + 1, column + 1); the last ones are the ground.
        rows: the row that each line of pixels shows, ascending but for -1, the ground.
        columns: the column that each pixel of a line shows, likewise.

    Returns:
        C-contiguous, shape (line, pixel).
    """
    known = rows[rows >= 0]
    first, last = (int(known.min()), int(known.max())) if known.size else (0, -1)
    lines = np.take(ink[first : last + 1], columns, axis=1)
    ground = np.full((1, len(columns)), ink[-1, -1], dtype=np.uint32)
    lines = np.concatenate((lines, ground))
    return np.take(lines, np.where(rows < 0, -1, rows - first), axis=0)
