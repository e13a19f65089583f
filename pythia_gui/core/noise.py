"""The noise of sampling: the same at every checkpoint, so that only weights differ."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def gumbel_noise(seed: int, sample: int, position: int, size: int) -> Doubles:
    """Return `size` standard Gumbel draws, one per tokenizer id, float64.

    They come from Philox4x64-10 (Salmon et al., 2011), a counter-based generator: the key is
    (seed, sample), the counter starts at (0, position, 0, 0), and the 53 high bits of each
    64-bit word give a uniform number in (0, 1). They depend on nothing else, so a token at
    `position` (counted from the start of the text) meets the same noise at every step.
    """
    counter = np.array([0, position, 0, 0], dtype=np.uint64)
    key = np.array([seed, sample], dtype=np.uint64)
    words = np.random.Philox(counter=counter, key=key).random_raw(size)
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return np.asarray(-np.log(-np.log(uniform)))
