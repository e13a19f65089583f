"""Two checkpoints on one text, token by token.

The eight measures are those of H. Strobelt, B. Hoover, A. Satyanarayan, S. Gehrmann, LMdiff: A
Visual Diff Tool to Compare Language Models, EMNLP 2021 (https://arxiv.org/abs/2111.01582), with
ranks from 1 in place of 0, and the number of likely tokens in common in place of those apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.events import Ints, Score

CLAMP = 50
TOP = 10


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """The eight measures of a text under A and B; all arrays have shape (position,).

    Entry i speaks of the distributions that predicted token i, so of entry 0 nothing is known:
    its probabilities are NaN, its ranks and overlap 0. Probabilities (float64) lie in [0, 1],
    ranks (int64) start at 1. Differences are B minus A: a positive `prob_difference` says that
    B thought the token more likely, a positive `rank_difference` that B thought less of it.
    `clamped_rank_difference` takes ranks beyond 50 for 50, so that moves far down the list do
    not drown the others. `top10_overlap` counts the tokens that are among the ten most likely
    of both, or of as many as both scores list.
    """

    prob_a: NDArray[np.float64]
    prob_b: NDArray[np.float64]
    rank_a: Ints
    rank_b: Ints
    prob_difference: NDArray[np.float64]
    rank_difference: Ints
    clamped_rank_difference: Ints
    top10_overlap: Ints


def measures(a: Score, b: Score) -> Measures:
    """Return how the text was predicted by A and by B, and the differences B minus A.

    Raises:
        ValueError: the scores are not of the same tokens.
    """
    if not np.array_equal(a.token_ids, b.token_ids):
        raise ValueError("the two scores are of different texts")
    prob_a, prob_b = (np.exp(score.logprobs.astype(np.float64)) for score in (a, b))
    clamped_a, clamped_b = np.minimum(a.ranks, CLAMP), np.minimum(b.ranks, CLAMP)
    return Measures(
        prob_a=prob_a,
        prob_b=prob_b,
        rank_a=a.ranks,
        rank_b=b.ranks,
        prob_difference=prob_b - prob_a,
        rank_difference=b.ranks - a.ranks,
        clamped_rank_difference=clamped_b - clamped_a,
        top10_overlap=_overlap(a, b),
    )


def _overlap(a: Score, b: Score) -> Ints:
    """Return at each position how many of the most likely tokens both have, shape (position,)."""
    most = min(TOP, a.top.ids.shape[1], b.top.ids.shape[1])
    pairs = zip(a.top.ids[:, :most].tolist(), b.top.ids[:, :most].tolist(), strict=True)
    counts = np.array([len({*left} & {*right}) for left, right in pairs], np.int64)
    counts[:1] = 0
    return counts
