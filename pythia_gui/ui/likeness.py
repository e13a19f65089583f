"""How alike the steps of a model are: mean divergences as they come in, and their table."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.events import Result
from pythia_gui.core.requests import Checkpoint, Prompt
from pythia_gui.ui.scales import Scale
from pythia_gui.ui.tables import Cell, Column

JS = Scale("Jensen-Shannon divergence", "bits", 0.0, 1.0, "bits", falling=True, anchored=True)
TABLE_COLUMNS = (
    Column("step", "whole"),
    Column("other step", "whole"),
    Column("mean JS", "number", "Mean Jensen-Shannon divergence in bits, from 0 (alike) to 1"),
    Column("prompts", "whole", "How many prompts the mean is over"),
    Column("model"),
    Column("weights"),
    Column("other weights"),
    Column("dtype"),
)


class Likeness:
    """The mean divergences between all steps of a request, as far as they have come.

    `steps` ascend, as the request's checkpoints do. Sums and counts have the shape
    (step, step); only what lies below the diagonal is filled.
    """

    def __init__(self, steps: Sequence[int], prompts: int) -> None:
        self.steps = tuple(steps)
        self.prompts = prompts
        self.problems: dict[int, str] = {}
        self.sources: dict[int, tuple[Checkpoint, str]] = {}
        count = len(self.steps)
        self._sums = np.zeros((count, count))
        self._counts = np.zeros((count, count), dtype=np.int64)
        self._places = {step: place for place, step in enumerate(self.steps)}
        self._come: set[tuple[int, Prompt]] = set()

    def take(self, result: Result) -> None:
        """Add a checkpoint's divergences for one prompt; what comes twice counts once."""
        step = result.checkpoint.step
        place = self._places.get(step)
        if place is None:
            return
        if result.error is not None or result.similarity is None:
            self.problems[step] = result.error or "this step gave no numbers"
            return
        if (step, result.prompt) in self._come or len(result.similarity) != place:
            return
        self._come.add((step, result.prompt))
        self.problems.pop(step, None)
        self.sources[step] = (result.checkpoint, result.dtype)
        known = np.isfinite(result.similarity)
        self._sums[place, :place][known] += result.similarity[known]
        self._counts[place, :place] += known

    def means(self) -> NDArray[np.float64]:
        """Return the mean divergence of each two steps in bits, symmetric, NaN where unknown.

        A step that was measured has 0 to itself.
        """
        means = np.full(self._sums.shape, np.nan)
        np.divide(self._sums, self._counts, out=means, where=self._counts > 0)
        means = np.where(np.isnan(means), means.T, means)
        for step in self.sources:
            means[self._places[step], self._places[step]] = 0.0
        return means

    def counted(self, one: int, other: int) -> int:
        """Return how many prompts the mean of two columns is over."""
        return int(self._counts[max(one, other), min(one, other)])

    def to_step_before(self) -> NDArray[np.float64]:
        """Return each step's mean divergence from the one before it, NaN for the first."""
        found = np.full(len(self.steps), np.nan)
        found[1:] = np.diagonal(self.means(), -1)
        return found

    def twin_of(self, place: int, other: int) -> bool:
        """Tell whether two different steps are known to have the same weights."""
        hashes = [
            self.sources[self.steps[at]][0].weights_sha256
            for at in (place, other)
            if self.steps[at] in self.sources
        ]
        return place != other and len(hashes) == 2 and hashes[0] is not None and len({*hashes}) == 1


class PairRows(Sequence[tuple[Cell, ...]]):
    """Each two steps once, the later one first, each row made when it is looked at."""

    def __init__(self, likeness: Likeness, model: str) -> None:
        self._likeness = likeness
        self._means = likeness.means()
        self._model = model
        later, earlier = np.tril_indices(len(likeness.steps), -1)
        self._pairs = list(zip(later.tolist(), earlier.tolist(), strict=True))

    def pair(self, row: int) -> tuple[int, int]:
        """Return the columns of a row's two steps, the later one first."""
        return self._pairs[row]

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, place: int) -> tuple[Cell, ...]: ...

    @overload
    def __getitem__(self, place: slice) -> list[tuple[Cell, ...]]: ...

    def __getitem__(self, place: int | slice) -> tuple[Cell, ...] | list[tuple[Cell, ...]]:
        if isinstance(place, slice):
            return [self._row(*pair) for pair in self._pairs[place]]
        return self._row(*self._pairs[place])

    def __iter__(self) -> Iterator[tuple[Cell, ...]]:
        return (self._row(*pair) for pair in self._pairs)

    def _row(self, later: int, earlier: int) -> tuple[Cell, ...]:
        steps = self._likeness.steps[later], self._likeness.steps[earlier]
        sources = [self._likeness.sources.get(step) for step in steps]
        return (
            *steps,
            float(self._means[later, earlier]),
            self._likeness.counted(later, earlier),
            self._model,
            *(source[0].weights_sha256 if source else None for source in sources),
            sources[0][1] if sources[0] else None,
        )
