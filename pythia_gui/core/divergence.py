"""How far one distribution over tokens is from another, in bits.

    Kullback-Leibler   KL(p || q) = sum p log2(p / q)
                       S. Kullback, R. Leibler, On information and sufficiency, 1951
    Jensen-Shannon     JS(p, q) = KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2
                       J. Lin, Divergence measures based on the Shannon entropy, 1991

Distributions come as natural log-probabilities or logits, shape (..., row), and are renormalised
over their first `ids` rows: the others mean no token. All sums are float64.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Reals = NDArray[Any]

LARGEST_LOG_RATIO = 700.0
"""exp of more overflows float64; the smaller of two such probabilities counts for nothing."""


def renormalised(logs: Reals, ids: int | None = None) -> Doubles:
    """Return natural log-probabilities (float64) that add up to 1 over the first `ids` rows.

    Args:
        logs: log-probabilities or logits, shape (..., row); -inf is a probability of 0.
        ids: how many rows mean a token; all, if None.

    Raises:
        ValueError: there is no row, or all of a distribution's probabilities are 0.
    """
    kept = np.asarray(logs, np.float64)[..., :ids]
    if kept.shape[-1] == 0:
        raise ValueError("a distribution needs at least one row")
    largest = kept.max(-1, keepdims=True, initial=-np.inf)
    if np.isneginf(largest).any():
        raise ValueError("a distribution needs a probability that is not 0")
    shifted = kept - largest
    normal: Doubles = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return normal


def kl_bits(p: Reals, q: Reals, ids: int | None = None) -> Doubles:
    """Return KL(p || q) in bits, shape (...); infinite where `q` rules out what `p` does not.

    Never less than 0: p log(p / q) - p + q is positive row by row, and the last two add up to
    nothing.
    """
    log_p, log_q = renormalised(p, ids), renormalised(q, ids)
    with np.errstate(invalid="ignore"):  # both are 0: counts for nothing
        weighted = np.where(np.isneginf(log_p), 0.0, np.exp(log_p) * (log_p - log_q))
    rows = weighted - np.exp(log_p) + np.exp(log_q)
    bits: Doubles = np.maximum(rows.sum(-1), 0) / math.log(2)
    return bits


def js_bits(p: Reals, q: Reals, ids: int | None = None) -> Doubles:
    """Return the Jensen-Shannon divergence of `p` and `q` in bits, from 0 to 1, shape (...)."""
    log_p, log_q = renormalised(p, ids), renormalised(q, ids)
    rows = _towards_middle(log_p, log_q) + _towards_middle(log_q, log_p)
    bits: Doubles = np.clip(rows.sum(-1) / (2 * math.log(2)), 0, 1)
    return bits


def _towards_middle(log_p: Doubles, log_q: Doubles) -> Doubles:
    """Return p log(p / m), with log(m / p) = log1p((q / p - 1) / 2): exact where p is near q."""
    with np.errstate(invalid="ignore"):  # both are 0: counts for nothing
        ratio = np.minimum(log_q - log_p, LARGEST_LOG_RATIO)
        weighted = -np.exp(log_p) * np.log1p(np.expm1(ratio) / 2)
    return np.where(np.isneginf(log_p), 0.0, weighted)
