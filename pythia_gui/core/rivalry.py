"""One ending against another: who is ahead, where that changes, and how sure a mean is."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pythia_gui.core.acquisition import Bracket

Numbers = NDArray[np.float64]

RESAMPLES = 2_000
LEVEL = 0.95


def difference(target: ArrayLike, foil: ArrayLike) -> Numbers:
    """Return how far a target is ahead of a foil, in nats; NaN where either is not finite.

    Both are log-probabilities in nats, of one shape.
    """
    one, other = np.asarray(target, dtype=np.float64), np.asarray(foil, dtype=np.float64)
    known = np.isfinite(one) & np.isfinite(other)
    ahead = np.full(one.shape, np.nan)
    np.subtract(one, other, out=ahead, where=known)
    return ahead


def crossings(steps: Sequence[int], values: ArrayLike) -> tuple[Bracket, ...]:
    """Return the intervals in which values change their sign.

    `values` (shape (step,), NaN where not measured) belong to `steps` (ascending). An interval
    runs from the last step with the old sign to the first with the new one, both measured: a
    0 or a gap between them makes it wider.
    """
    signs = np.sign(np.asarray(values, dtype=np.float64))
    sided = [(step, sign) for step, sign in zip(steps, signs.tolist(), strict=True) if abs(sign)]
    known = [(step, sign) for step, sign in sided if sign == sign]  # noqa: PLR0124 - not NaN
    return tuple(Bracket(a, b) for (a, was), (b, now) in pairwise(known) if was != now)


def mean_over(values: ArrayLike) -> tuple[Numbers, NDArray[np.int64]]:
    """Return the mean of each step over the prompts measured there, and how many they are.

    `values` has shape (prompt, step), NaN where not measured; both answers have shape (step,),
    the mean being NaN where there is no prompt.
    """
    known, filled = _filled(values)
    count = known.sum(axis=0)
    return _ratio(filled.sum(axis=0), count.astype(np.float64)), count


def bootstrap_band(
    values: ArrayLike, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> tuple[Numbers, Numbers]:
    """Return the ends of the percentile bootstrap interval of each step's mean over prompts.

    The prompts are drawn with replacement, the same for all steps, so that a band speaks of
    whole curves (Efron 1979, https://doi.org/10.1214/aos/1176344552). A step's mean is taken
    over the prompts measured there alone, and a draw without any of them is left out.

    Args:
        values: shape (prompt, step), NaN where not measured.
        resamples: how often the prompts are drawn.
        level: how much of the means lies within.
        seed: of the draws; the same seed gives the same band.

    Returns:
        Lower and upper ends, shape (step,); NaN where fewer than two prompts are measured.
    """
    known, filled = _filled(values)
    draws = _draws(len(filled), resamples, seed)
    means = _ratio(draws @ filled, draws @ known.astype(np.float64))  # (resample, step)
    ends = np.full((2, filled.shape[1]), np.nan)
    told = known.sum(axis=0) > 1
    if told.any():
        share = (1 - level) / 2
        ends[:, told] = np.nanquantile(means[:, told], [share, 1 - share], axis=0)
    return ends[0], ends[1]


@lru_cache(maxsize=4)
def _draws(prompts: int, resamples: int, seed: int) -> Numbers:
    """Return how often each prompt is in each draw, shape (resample, prompt)."""
    if not prompts:
        return np.zeros((resamples, 0))
    chosen = np.random.default_rng(seed).integers(0, prompts, (resamples, prompts))
    chosen += np.arange(resamples)[:, None] * prompts
    counts = np.bincount(chosen.ravel(), minlength=resamples * prompts)
    drawn: Numbers = counts.reshape(resamples, prompts).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def _filled(values: ArrayLike) -> tuple[NDArray[np.bool_], Numbers]:
    given = np.asarray(values, dtype=np.float64)
    known = np.isfinite(given)
    return known, np.where(known, given, 0.0)


def _ratio(sums: Numbers, counts: Numbers) -> Numbers:
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means
