"""The numbers of a set of prompts at one model's steps, and what their curves say.

Sixteen bytes a prompt and step are kept, whatever an engine says besides. Every function here
speaks of all prompts at once; a measurement that is missing is NaN, rank 0 or token -1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.acquisition import Kind
from pythia_gui.core.events import Result

Floats = NDArray[np.float32]
Whole = NDArray[np.int32]
Truth = NDArray[np.bool_]

KINDS: Final[tuple[Kind, ...]] = (
    "never",
    "from the start",
    "learned",
    "U-shaped",
    "transient",
    "comes and goes",
)
NOT_MEASURED: Final = -1
FAILED: Final = -1


class SetNumbers:
    """What one model says about each prompt at each step; all arrays have shape (prompt, step).

    `target` and `foil` are log-probabilities in nats (float32, NaN where not measured), `rank`
    is the target's from 1 (int32; 0 where not measured, -1 where that failed), `likeliest` the
    id of the likeliest next token (int32, -1 where not measured). `problems` has a sentence for a
    prompt that the model can't be asked, or that failed at every step asked so far.
    """

    def __init__(self, prompts: int, steps: Sequence[int]) -> None:
        """Begin with nothing measured; `steps` ascend."""
        self.steps = tuple(steps)
        self._place = {step: place for place, step in enumerate(self.steps)}
        shape = (prompts, len(self.steps))
        self.target = np.full(shape, np.nan, np.float32)
        self.foil = np.full(shape, np.nan, np.float32)
        self.rank = np.zeros(shape, np.int32)
        self.likeliest = np.full(shape, -1, np.int32)
        self.problems: dict[int, str] = {}

    def place(self, step: int) -> int | None:
        """Return the column of a step, None if it is not asked."""
        return self._place.get(step)

    def take(self, row: int, result: Result) -> None:
        """Take what a checkpoint says about a prompt: its first target, then its foil."""
        place = self.place(result.checkpoint.step)
        if place is None:
            return
        if result.error is not None:
            self.rank[row, place] = FAILED
            if not (self.rank[row] > 0).any():
                self.problems[row] = result.error
            return
        if result.next_token is not None and result.next_token.top.ids.size:
            self.likeliest[row, place] = result.next_token.top.ids[0, 0]
        if result.targets:
            self.target[row, place] = result.targets[0].logprob
            self.rank[row, place] = result.targets[0].rank
            self.problems.pop(row, None)
        if len(result.targets) > 1:
            self.foil[row, place] = result.targets[1].logprob

    def at(self, step: int) -> "AtStep":
        """Return what is known of a step; nothing but gaps where it is not asked."""
        place = self.place(step)
        if place is None:
            return SetNumbers(len(self.rank), (step,)).at(step)
        here = np.s_[:, place]
        return AtStep(self.target[here], self.foil[here], self.rank[here], self.likeliest[here])


@dataclass(frozen=True, slots=True, eq=False)
class AtStep:
    """One step's numbers of `SetNumbers`; all arrays have shape (prompt,)."""

    target: Floats
    foil: Floats
    rank: Whole
    likeliest: Whole


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """When each prompt's target was learned to stay, see `core.acquisition`; shape (prompt,).

    `after` and `by` (int32) are the last measured step before and the first one at which the
    rank is 1 and stays so; -1 where there is none. `kind` (int8) is a place in `KINDS`, -1
    where nothing is measured.
    """

    after: Whole
    by: Whole
    kind: NDArray[np.int8]


def learned(rank: Whole, steps: Sequence[int]) -> Learned:
    """Return when each target was learned: what `core.acquisition.acquisition` says, all at once.

    Args:
        rank: int32, shape (prompt, step); 0 or less where not measured.
        steps: ascending, one for each column.
    """
    prompts, columns = rank.shape
    none = np.full(prompts, NOT_MEASURED, np.int32)
    if not columns:
        return Learned(none, none.copy(), none.astype(np.int8))
    measured, known = rank > 0, rank == 1
    filled = _filled(known, measured)
    runs = 1 + (filled[:, 1:] != filled[:, :-1]).sum(axis=1)
    times = filled[:, 0] + (filled[:, 1:] & ~filled[:, :-1]).sum(axis=1)
    kind = _kinds(runs, times, filled[:, -1])
    anything = measured.any(axis=1)
    before = _last_where(measured & ~known)
    places = np.arange(columns)
    later = measured & (places > before[:, None])
    first = np.where(later.any(axis=1), later.argmax(axis=1), NOT_MEASURED)
    stays = anything & filled[:, -1]
    at = np.array([*steps, NOT_MEASURED], np.int32)  # the last stands for "none"
    return Learned(
        after=at[np.where(stays, before, NOT_MEASURED)],
        by=at[np.where(stays, first, NOT_MEASURED)],
        kind=np.where(anything, kind, NOT_MEASURED).astype(np.int8),
    )


def _filled(known: Truth, measured: Truth) -> Truth:
    """Return `known` with each gap like the measured step before it, or else the first one."""
    columns = known.shape[1]
    places = np.where(measured, np.arange(columns), -1)
    before = np.maximum.accumulate(places, axis=1)
    source = np.where(before >= 0, before, measured.argmax(axis=1)[:, None])
    return np.take_along_axis(known, source, axis=1)


def _last_where(holds: Truth) -> NDArray[np.int64]:
    """Return the last column where something holds in each row, -1 where it never does."""
    last = holds.shape[1] - 1 - holds[:, ::-1].argmax(axis=1)
    return np.where(holds.any(axis=1), last, -1)


def _kinds(runs: NDArray[np.int64], times: NDArray[np.int64], at_end: Truth) -> NDArray[np.int64]:
    """Return the place in `KINDS` of each curve, see `core.acquisition.kind_of`."""
    conditions = (
        (times == 0, "never"),
        (runs == 1, "from the start"),
        ((times == 1) & at_end, "learned"),
        (times == 1, "transient"),
        ((times == 2) & at_end, "U-shaped"),
    )
    chosen = np.select(
        [holds for holds, _ in conditions],
        [KINDS.index(kind) for _, kind in conditions],
        KINDS.index("comes and goes"),
    )
    return np.asarray(chosen, np.int64)


def lost(probs: Floats) -> Floats:
    """Return how far each curve ends below its highest point; NaN where nothing is measured.

    Args:
        probs: probabilities, shape (prompt, step), NaN at gaps.
    """
    high = _highest(probs, axis=1)
    return np.where(np.isneginf(high), np.nan, high - _last(probs)).astype(np.float32)


def dip(probs: Floats) -> Floats:
    """Return how deep each curve's deepest valley is: a U has one, a rise or a fall has none.

    The depth of a point is how far it lies below the lower of the highest points before and
    after it. NaN where fewer than one step is measured.
    """
    solid = np.where(np.isnan(probs), -np.inf, probs)
    before = np.maximum.accumulate(solid, axis=1)
    after = np.maximum.accumulate(solid[:, ::-1], axis=1)[:, ::-1]
    depth = np.minimum(before, after) - probs
    deepest = _highest(depth, axis=1)
    return np.where(np.isneginf(deepest), np.nan, deepest).astype(np.float32)


def _highest(values: Floats, axis: int) -> Floats:
    """Return the largest measured value, minus infinity where there is none."""
    solid = np.where(np.isnan(values), -np.inf, values)
    return np.asarray(solid.max(axis=axis, initial=-np.inf), np.float32)


def _last(values: Floats) -> Floats:
    """Return each row's last measured value, NaN where there is none."""
    if not values.shape[1]:
        return np.full(len(values), np.nan, np.float32)
    place = _last_where(~np.isnan(values))
    found = np.take_along_axis(values, np.maximum(place, 0)[:, None], axis=1)[:, 0]
    return np.asarray(found, np.float32)


def over_foil(numbers: SetNumbers) -> Floats:
    """Return target minus foil in nats at each prompt's last measured step; shape (prompt,)."""
    return _last(numbers.target - numbers.foil)
