"""The noise is Philox4x64-10, turned into Gumbel draws, and depends on seed and place alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.noise import gumbel_noise, open_unit

MASK = 2**64 - 1
SEEDS = st.integers(0, 2**63 - 1)


def philox_4x64_10(counter: list[int], key: list[int]) -> list[int]:
    """Return four words, as the paper's Figure 2 and Random123's philox.h have it."""
    x, k = list(counter), list(key)
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * x[0], 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * x[2], 2**64)
        x = [high1 ^ x[1] ^ k[0], low1, high0 ^ x[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return x


def gumbel_of(word: int) -> float:
    """Return the Gumbel draw of a word's 52 high bits."""
    uniform = ((word >> 12) + 0.5) / 2**52
    return -math.log(-math.log(uniform))


def test_the_textbook_generator_gives_the_published_known_answers():
    """Random123's kat_vectors, philox4x64 with 10 rounds."""
    zeros = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    ones = [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0]
    assert philox_4x64_10([0] * 4, [0] * 2) == zeros
    assert philox_4x64_10([MASK] * 4, [MASK] * 2) == ones


@given(SEEDS, st.integers(0, 63), st.integers(0, 1 << 20), st.integers(1, 11))
def test_the_noise_equals_that_of_a_textbook_philox(seed, sample, position, size):
    blocks = range(1, -(-size // 4) + 1)
    words = [w for n in blocks for w in philox_4x64_10([n, position, 0, 0], [seed, sample])]
    expected = [gumbel_of(word) for word in words[:size]]
    np.testing.assert_allclose(gumbel_noise(seed, sample, position, size), expected, rtol=1e-12)


@given(SEEDS, st.integers(0, 63), st.integers(0, 4096), st.integers(1, 300))
def test_a_token_meets_the_same_noise_however_many_there_are(seed, sample, position, size):
    whole = gumbel_noise(seed, sample, position, 300)
    np.testing.assert_array_equal(gumbel_noise(seed, sample, position, size), whole[:size])


@pytest.mark.parametrize(("seed", "sample", "position"), [(8, 0, 5), (7, 1, 5), (7, 0, 6)])
def test_seed_sample_and_position_each_give_other_noise(seed, sample, position):
    other = gumbel_noise(seed, sample, position, 50_277)
    assert not np.intersect1d(gumbel_noise(7, 0, 5, 50_277), other).size


def test_no_word_of_the_generator_gives_an_infinite_draw():
    uniform = open_unit(np.array([0, 1, 2**64 - 1], np.uint64))
    assert ((uniform > 0) & (uniform < 1)).all()
    assert np.isfinite(np.log(-np.log(uniform))).all()


def test_the_draws_have_the_mean_and_the_variance_of_a_gumbel_distribution():
    draws = np.concatenate([gumbel_noise(3, 0, position, 50_000) for position in range(20)])
    assert draws.mean() == pytest.approx(np.euler_gamma, abs=0.005)
    assert draws.var() == pytest.approx(np.pi**2 / 6, abs=0.02)
