"""Divergences as scipy has them, in bits, of distributions given by logits, shape (..., row)."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon  # type: ignore[import-untyped]  # ships none
from scipy.special import rel_entr, softmax  # type: ignore[import-untyped]  # ships none

Doubles = NDArray[np.float64]


def scipy_kl(p: Doubles, q: Doubles) -> Doubles:
    """Return KL(p || q), shape (...)."""
    terms: Doubles = rel_entr(softmax(p, -1), softmax(q, -1))
    bits: Doubles = terms.sum(-1) / np.log(2)
    return bits


def scipy_js(p: Doubles, q: Doubles) -> Doubles:
    """Return the Jensen-Shannon divergence, shape (...)."""
    with np.errstate(invalid="ignore"):  # it takes the root of what rounding made negative
        distance = jensenshannon(softmax(p, -1), softmax(q, -1), base=2, axis=-1)
    bits: Doubles = np.nan_to_num(distance) ** 2
    return bits
