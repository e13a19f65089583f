"""The noise of sampling: the same at every checkpoint, so that only weights differ."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def gumbel_noise(seed: int, sample: int, position: int, size: int) -> Doubles:
    """Return `size` standard Gumbel draws, one per tokenizer id, float64.

    They come from Philox4x64-10 (Salmon et al., 2011), a counter-based generator: the key is
    (seed, sample), and the block of four words with counter (n, position, 0, 0) gives the
    draws of ids 4n - 4 to 4n - 1, n from 1 (numpy counts before it draws). They depend on
    nothing else, so a token at `position` (counted from the start of the text) meets the same
    noise at every step.
    """
    counter = np.array([0, position, 0, 0], dtype=np.uint64)
    key = np.array([seed, sample], dtype=np.uint64)
    words = np.random.Philox(counter=counter, key=key).random_raw(size)
    return np.asarray(-np.log(-np.log(open_unit(words))))


def open_unit(words: NDArray[np.uint64]) -> Doubles:
    """Return a number strictly between 0 and 1 for each 64-bit word: its 52 high bits and a half.

    With 53 bits the last of them would round to 1, and its draw would be infinite.
    """
    return np.asarray(((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)
