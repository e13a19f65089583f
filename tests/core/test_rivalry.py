"""One ending against another: differences, crossings, and a mean with its bootstrap band."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from pythia_gui.core.acquisition import Bracket
from pythia_gui.core.rivalry import bootstrap_band, crossings, difference, mean_over

NAN, INF = math.nan, math.inf
FINITE = st.floats(-50, 50, allow_nan=False, width=32)
MEASURED = st.lists(st.one_of(FINITE, st.just(NAN)), max_size=30)


def grid(seed, prompts, steps, *, gaps=0.0):
    dice = np.random.default_rng(seed)
    values = dice.normal(size=(prompts, steps)) * 2 + np.linspace(-1, 3, steps)
    values[dice.random(values.shape) < gaps] = NAN
    return values


def test_a_difference_is_target_less_foil_and_a_gap_where_either_is_none():
    found = difference([-1.0, -2.0, NAN, -1.0, -INF], [-3.0, -0.5, -1.0, NAN, -INF])
    np.testing.assert_array_equal(found, [2.0, -1.5, NAN, NAN, NAN])


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1))
def test_a_difference_changes_its_sign_when_the_roles_change(pairs):
    one, other = np.array(pairs).T
    np.testing.assert_array_equal(difference(one, other), -difference(other, one))


def test_a_crossing_lies_between_the_two_steps_that_show_it():
    assert crossings([0, 1, 2, 4, 8], [-1, -2, 3, 1, -1]) == (Bracket(1, 2), Bracket(4, 8))


def test_a_zero_or_a_gap_makes_the_interval_of_a_crossing_wider():
    assert crossings([0, 1, 2, 4], [-1, 0, NAN, 2]) == (Bracket(0, 4),)


def test_touching_zero_and_a_gap_alone_are_no_crossing():
    assert crossings([0, 1, 2, 4, 8], [1, 0, 2, NAN, 1]) == ()
    assert crossings([], []) == crossings([5], [1.0]) == crossings([0, 1], [0, 0]) == ()


@given(MEASURED)
def test_crossings_lead_from_the_first_sign_to_the_last(values):
    steps = [2 * place for place in range(len(values))]
    found = crossings(steps, values)
    signs = [math.copysign(1, value) for value in values if abs(value) > 0]
    expected = signs[0] * (-1) ** len(found) if signs else 0
    assert (signs[-1] if signs else 0) == expected


@given(MEASURED)
def test_every_crossing_is_an_interval_whose_ends_have_opposite_signs(values):
    steps = list(range(len(values)))
    found = crossings(steps, values)
    for one in found:
        assert one.before is not None
        assert np.sign(values[one.before]) == -np.sign(values[one.at]) != 0
        assert not any(v for v in values[one.before + 1 : one.at] if not math.isnan(v))


def test_a_mean_is_taken_over_the_prompts_measured_at_the_step():
    mean, count = mean_over([[1.0, NAN, NAN], [3.0, 5.0, NAN]])
    np.testing.assert_array_equal(mean, [2.0, 5.0, NAN])
    assert count.tolist() == [2, 1, 0]


@pytest.mark.parametrize("prompts", [5, 40])
def test_the_band_is_scipys_percentile_bootstrap(prompts):
    values = grid(1, prompts, 6)
    low, high = bootstrap_band(values)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        axis=0,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(7),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert (abs(low - theirs.low) < 0.08 * width).all()
    assert (abs(high - theirs.high) < 0.08 * width).all()


def test_a_band_with_gaps_is_the_band_of_the_prompts_that_are_there():
    values = grid(2, 60, 1)
    values[20:] = NAN
    low, high = bootstrap_band(values)
    own_low, own_high = bootstrap_band(values[:20])
    width = own_high - own_low
    # how many of the twenty a draw holds varies, which widens the band a little
    assert abs(low - own_low) < 0.2 * width
    assert abs(high - own_high) < 0.2 * width


def test_the_same_prompts_always_have_the_same_band_and_another_seed_another():
    values = grid(3, 12, 4)
    np.testing.assert_array_equal(bootstrap_band(values), bootstrap_band(values))
    assert (np.array(bootstrap_band(values)) != np.array(bootstrap_band(values, seed=1))).any()


def test_a_band_does_not_depend_on_the_other_steps():
    values = grid(4, 15, 7, gaps=0.2)
    whole = np.array(bootstrap_band(values))
    np.testing.assert_allclose(np.array(bootstrap_band(values[:, 2:5])), whole[:, 2:5])


def test_fewer_than_two_prompts_have_no_band():
    low, high = bootstrap_band([[1.0, NAN, 2.0], [NAN, NAN, 3.0]])
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, True, False]
    assert np.isnan(bootstrap_band(np.empty((0, 3)))).all()
    assert bootstrap_band(np.empty((4, 0)))[0].shape == (0,)


@given(st.integers(0, 1_000), st.integers(2, 12), st.floats(0, 0.6))
def test_a_band_lies_within_the_prompts_values_and_is_widened_by_a_higher_level(seed, n, gaps):
    values = grid(seed, n, 3, gaps=gaps)
    low, high = bootstrap_band(values, resamples=200)
    wide_low, wide_high = bootstrap_band(values, resamples=200, level=0.99)
    for step in np.flatnonzero(np.isfinite(low)):
        column = values[np.isfinite(values[:, step]), step]
        assert column.min() - 1e-9 <= wide_low[step] <= low[step] <= high[step]
        assert high[step] <= wide_high[step] <= column.max() + 1e-9


@given(st.integers(0, 1_000), st.floats(-5, 5))
def test_a_band_moves_with_its_values(seed, by):
    values = grid(seed, 8, 3, gaps=0.2)
    moved = np.array(bootstrap_band(values + by, resamples=200))
    np.testing.assert_allclose(moved, np.array(bootstrap_band(values, resamples=200)) + by)


def test_a_thousand_prompts_at_all_steps_take_a_moment():
    values = grid(5, 1_000, 154)
    start = time.process_time()
    bootstrap_band(values)
    assert time.process_time() - start < 4.0
