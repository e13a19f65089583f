"""Divergences against hand-worked examples, against scipy, and against their own laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pythia_gui.core.divergence import Doubles, js_bits, kl_bits, renormalised
from tests.by_scipy import scipy_js, scipy_kl

ROWS = st.integers(1, 40)
LOGITS = st.floats(-60, 60, width=32)


@st.composite
def pairs(draw):
    """Two tables of logits of one shape."""
    shape = (draw(st.integers(0, 4)), draw(ROWS))
    return draw(arrays(np.float32, shape, elements=LOGITS)), draw(
        arrays(np.float32, shape, elements=LOGITS)
    )


def logs(*probabilities: float) -> Doubles:
    with np.errstate(divide="ignore"):
        return np.log(np.array(probabilities, np.float64))


# ------------------------------------------------------------------------------- worked by hand


def test_a_fair_coin_is_a_quarter_of_a_bit_and_more_from_one_that_falls_three_times_in_four():
    fair, biased = logs(0.5, 0.5), logs(0.75, 0.25)
    assert kl_bits(fair, biased) == pytest.approx(1 - math.log2(3) / 2)  # 1/2 lg 2/3 + 1/2 lg 2
    assert kl_bits(biased, fair) == pytest.approx(0.75 * math.log2(1.5) - 0.25)


def test_what_the_other_rules_out_is_infinitely_far():
    assert kl_bits(logs(0.5, 0.5), logs(1, 0)) == math.inf
    assert kl_bits(logs(1, 0), logs(0.5, 0.5)) == pytest.approx(1)


def test_distributions_without_anything_in_common_are_one_bit_apart():
    assert js_bits(logs(1, 0), logs(0, 1)) == pytest.approx(1)
    assert js_bits(logs(0.5, 0.5, 0, 0), logs(0, 0, 0.25, 0.75)) == pytest.approx(1)


def test_a_certain_coin_and_a_fair_one_are_as_far_as_their_middle_says():
    half = 0.5 * math.log2(4 / 3) + 0.5 * (0.5 * math.log2(2 / 3) + 0.5)
    assert js_bits(logs(1, 0), logs(0.5, 0.5)) == pytest.approx(half)


def test_rows_past_the_ids_count_for_nothing():
    p, q = logs(0.25, 0.25, 0.5), logs(0.6, 0.2, 0.2)
    assert kl_bits(p, q, ids=2) == pytest.approx(kl_bits(logs(0.5, 0.5), logs(0.75, 0.25)))
    assert js_bits(p, q, ids=2) == pytest.approx(js_bits(logs(0.5, 0.5), logs(0.75, 0.25)))


def test_distributions_that_hardly_differ_keep_their_tiny_divergence():
    """To second order KL is sum (dp)^2 / 2p nats, and JS a quarter of it."""
    small = 1e-7
    p, q = logs(0.5, 0.5), logs(0.5 + small, 0.5 - small)
    nats = 2 * small**2
    assert kl_bits(p, q) == pytest.approx(nats / math.log(2), rel=1e-2)
    assert js_bits(p, q) == pytest.approx(nats / 4 / math.log(2), rel=1e-2)


def test_distributions_too_far_apart_for_an_exponential_are_still_told():
    p, q = np.array([0.0, -2000.0]), np.array([-2000.0, 0.0])
    assert kl_bits(p, q) == pytest.approx(2000 / math.log(2))
    assert js_bits(p, q) == pytest.approx(1)


@pytest.mark.parametrize("wrong", [np.zeros((2, 0)), logs(0, 0)])
def test_what_is_no_distribution_is_refused(wrong):
    with pytest.raises(ValueError, match="distribution needs"):
        kl_bits(wrong, wrong)


# ---------------------------------------------------------------------------------------- laws


@given(pairs(), st.integers(1, 40))
def test_both_agree_with_scipy(pair, ids):
    p, q = (table.astype(np.float64) for table in pair)
    kept = p[..., :ids], q[..., :ids]
    np.testing.assert_allclose(kl_bits(p, q, ids), scipy_kl(*kept), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(js_bits(p, q, ids), scipy_js(*kept), rtol=1e-6, atol=1e-9)


@given(pairs())
def test_divergences_are_never_negative_and_jensen_shannon_is_at_most_one_bit(pair):
    assert (kl_bits(*pair) >= 0).all()
    assert ((js_bits(*pair) >= 0) & (js_bits(*pair) <= 1)).all()


@given(pairs())
def test_jensen_shannon_is_the_same_both_ways(pair):
    p, q = pair
    np.testing.assert_allclose(js_bits(p, q), js_bits(q, p), rtol=1e-12)


@given(pairs())
def test_nothing_is_apart_from_itself(pair):
    p, _ = pair
    assert not kl_bits(p, p).any()
    assert not js_bits(p, p).any()


@given(pairs(), st.floats(-50, 50))
def test_logits_may_be_shifted(pair, shift):
    p, q = pair
    moved = p.astype(np.float64) + shift
    np.testing.assert_allclose(kl_bits(moved, q), kl_bits(p, q), rtol=1e-9, atol=1e-9)


@given(pairs())
def test_the_root_of_jensen_shannon_keeps_the_triangle_inequality(pair):
    p, q = pair
    middle = (p.astype(np.float64) + q) / 2
    there, back = np.sqrt(js_bits(p, middle)), np.sqrt(js_bits(middle, q))
    assert (np.sqrt(js_bits(p, q)) <= there + back + 1e-7).all()


@given(pairs())
def test_renormalised_probabilities_add_up_to_one(pair):
    p, _ = pair
    np.testing.assert_allclose(np.exp(renormalised(p)).sum(-1), 1)
