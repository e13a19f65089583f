"""The filters are those of transformers; the draws follow the filtered distribution."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from pythia_gui.core.requests import Sampling
from pythia_gui.core.sampling import draw, filtered, log_softmax

SIZE = 40
SEEDS = st.integers(0, 2**32 - 1)


def random_logprobs(seed: int, size: int = SIZE, spread: float = 3.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=size) * spread
    return log_softmax(logits).astype(np.float32)


def warped(logprobs: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Return what transformers' own warpers leave, as log-probabilities in float64."""
    scores = torch.from_numpy(logprobs).double()[None]
    warpers = [TemperatureLogitsWarper(float(sampling.temperature))]
    if sampling.top_k:
        warpers.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p > 0:
        warpers.append(MinPLogitsWarper(sampling.min_p))
    for warper in warpers:
        scores = warper(None, scores)
    return torch.log_softmax(scores, -1)[0].numpy()


def near_an_edge(logprobs: np.ndarray, sampling: Sampling) -> bool:
    """Whether rounding decides about an id: a cumulated mass or a quotient lies on the edge."""
    probs = np.exp(filtered(logprobs, Sampling(sampling.temperature, sampling.top_k)))
    mass = np.cumsum(np.sort(probs)[::-1])
    nucleus = bool((np.abs(mass - sampling.top_p) < 1e-9).any())
    return nucleus or bool((np.abs(probs / probs.max() - sampling.min_p) < 1e-9).any())


@given(
    SEEDS,
    st.floats(0.05, 5),
    st.integers(0, SIZE + 5),
    st.floats(0.01, 1),
    st.floats(0, 1),
)
def test_the_filters_leave_what_the_warpers_of_transformers_leave(
    seed, temperature, top_k, top_p, min_p
):
    logprobs = random_logprobs(seed)
    sampling = Sampling(temperature, top_k, top_p, min_p)
    assume(not near_an_edge(logprobs, sampling))
    ours, theirs = filtered(logprobs, sampling), warped(logprobs, sampling)
    np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))
    kept = np.isfinite(ours)
    np.testing.assert_allclose(ours[kept], theirs[kept], atol=1e-9)


@given(SEEDS, st.floats(0.05, 5))
def test_what_is_left_is_renormalised(seed, temperature):
    kept = filtered(random_logprobs(seed), Sampling(temperature, top_k=5, top_p=0.9, min_p=0.01))
    assert np.exp(kept).sum() == pytest.approx(1, abs=1e-12)


def test_adding_a_constant_to_the_logprobs_changes_nothing():
    logprobs = random_logprobs(1)
    sampling = Sampling(0.8, 10, 0.9, 0.02)
    shifted = filtered(logprobs + np.float32(16), sampling)
    np.testing.assert_allclose(shifted, filtered(logprobs, sampling), atol=1e-5)


@pytest.mark.parametrize(
    "sampling", [Sampling(1, top_p=1e-9), Sampling(1, min_p=1), Sampling(1, top_k=1), Sampling(0)]
)
def test_the_narrowest_filters_leave_the_most_likely_id_alone(sampling):
    logprobs = random_logprobs(2)
    kept = filtered(logprobs, sampling)
    assert np.flatnonzero(np.isfinite(kept)).tolist() == [int(logprobs.argmax())]
    assert kept.max() == 0


@pytest.mark.parametrize("top_k", [SIZE, SIZE + 1, 10**9])
def test_a_top_k_of_every_id_or_more_filters_nothing(top_k):
    logprobs = random_logprobs(3)
    expected = filtered(logprobs, Sampling(0.7))
    np.testing.assert_array_equal(filtered(logprobs, Sampling(0.7, top_k=top_k)), expected)


@pytest.mark.parametrize("temperature", [1e-3, 1e-300, 5e-324])
def test_the_lowest_temperatures_are_greedy_and_give_no_nan(temperature):
    logprobs = random_logprobs(4)
    kept = filtered(logprobs, Sampling(temperature, top_k=3, top_p=0.5, min_p=0.1))
    assert not np.isnan(kept).any()
    assert kept.argmax() == logprobs.argmax()
    assert draw(kept, Sampling(temperature), 0, 9) == logprobs.argmax()


def test_ties_at_the_edge_of_top_k_stay_in_and_greedy_takes_the_lowest_id():
    level = np.log(np.full(4, 0.25, np.float32))
    assert np.isfinite(filtered(level, Sampling(1, top_k=2))).sum() == 4
    assert filtered(level, Sampling(0)).argmax() == 0


def test_the_draws_follow_the_filtered_distribution():
    sampling = Sampling(0.9, top_k=8, top_p=0.95, min_p=0.001, seed=11)
    kept = filtered(random_logprobs(5, size=12, spread=1.0), sampling)
    draws = [draw(kept, sampling, sample=0, position=n) for n in range(20_000)]
    inside = np.isfinite(kept)
    counts = np.bincount(draws, minlength=kept.size)
    assert counts[~inside].sum() == 0
    expected = np.exp(kept[inside]) * len(draws)
    chi_square = ((counts[inside] - expected) ** 2 / expected).sum()
    freedom = inside.sum() - 1  # the statistic's mean; its variance is twice that
    assert freedom >= 5
    assert chi_square < freedom + 4 * np.sqrt(2 * freedom)


def test_samples_of_one_place_are_independent_of_each_other():
    sampling = Sampling(1, seed=5)
    kept = log_softmax(np.log(np.array([0.5, 0.5])))
    first = np.array([draw(kept, sampling, 0, n) for n in range(4_000)])
    second = np.array([draw(kept, sampling, 1, n) for n in range(4_000)])
    assert (first == second).mean() == pytest.approx(0.5, abs=0.04)


@given(SEEDS, SEEDS, st.integers(0, 2048))
def test_two_models_with_equal_probabilities_draw_the_same_token(seed, numbers, position):
    sampling = Sampling(1, seed=seed)
    kept = filtered(random_logprobs(numbers), sampling)
    again = filtered(random_logprobs(numbers), sampling)
    assert draw(kept, sampling, 2, position) == draw(again, sampling, 2, position)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_k": -1},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_p": float("nan")},
        {"min_p": -0.1},
        {"min_p": 1.5},
        {"seed": -1},
        {"seed": 2**63},
        {"stop": ("",)},
    ],
)
def test_settings_that_no_sampler_can_follow_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        Sampling(**wrong)
