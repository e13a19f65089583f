"""Distinct-n, repetition and surprisal are what their definitions say, counted by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.events import Alternatives, Continuation
from pythia_gui.core.text_measures import (
    distinct_n,
    mean_repetition,
    mean_surprisal,
    measures_of,
    repetition_rate,
)

TOKENS = st.lists(st.integers(0, 4), max_size=24)
SAMPLES = st.lists(TOKENS, max_size=5)
LENGTHS = st.integers(1, 5)


def continuation(ids, logprobs, sample=0):
    count = len(ids)
    numbers = np.array(logprobs, np.float32)
    return Continuation(
        sample=sample,
        seed=0,
        text="x" * count,
        token_ids=np.array(ids, np.int64),
        token_texts=("x",) * count,
        logprobs=numbers,
        sampler_logprobs=numbers,
        ranks=np.ones(count, np.int64),
        entropies=np.zeros(count, np.float32),
        top=Alternatives(np.zeros((count, 1), np.int64), np.ones((count, 1), np.float32)),
    )


def test_distinct_n_of_two_samples_counts_their_ngrams_together():
    """a b a b | a b c: 7 tokens of 3 kinds; ab ba ab ab bc: 3 kinds of 5; aba bab abc: 3 of 3."""
    samples = [[1, 2, 1, 2], [1, 2, 3]]
    assert distinct_n(samples, 1) == 3 / 7
    assert distinct_n(samples, 2) == 3 / 5
    assert distinct_n(samples, 3) == 1.0


def test_no_ngram_reaches_from_one_sample_into_the_next():
    assert distinct_n([[1, 2], [1, 2]], 2) == 1 / 2
    assert math.isnan(distinct_n([[1], [2]], 2))


def test_the_repetition_of_a_loop_is_what_welleck_counts():
    """abcabcabc has six 4-grams, of which abca, bcab and cabc are different."""
    assert repetition_rate([1, 2, 3] * 3) == 1 / 2
    assert repetition_rate([1, 2, 3, 4, 5]) == 0.0
    assert repetition_rate([7] * 11) == pytest.approx(7 / 8)


def test_a_text_shorter_than_an_ngram_has_no_repetition_and_does_not_count_in_the_mean():
    assert math.isnan(repetition_rate([1, 2, 3]))
    assert mean_repetition([[1, 2, 3], [1, 2, 3] * 3, [1, 2, 3, 4]]) == 1 / 4
    assert math.isnan(mean_repetition([[1, 2, 3]]))


def test_surprisal_is_in_bits_and_each_token_counts_once():
    """Three tokens of one chance in 2 and one of one in 32: (1 + 1 + 1 + 5) / 4 bits."""
    halves, rare = -math.log(2), -math.log(32)
    assert mean_surprisal([[halves, halves], [halves, rare]]) == pytest.approx(2.0)
    assert mean_surprisal([[halves] * 3, [rare]]) == pytest.approx(2.0)
    assert mean_surprisal([[0.0]]) == 0.0
    assert math.isnan(mean_surprisal([[], []]))
    assert math.isinf(mean_surprisal([[halves, -math.inf]]))


def test_the_measures_of_continuations_are_those_of_their_tokens():
    nats = -math.log(2)
    two = (
        continuation([1, 2, 1, 2], [nats] * 4),
        continuation([1, 2, 3], [3 * nats] * 3, sample=1),
    )
    found = measures_of(two)
    assert found.distinct == (3 / 7, 3 / 5, 1.0)
    assert found.repetition == 0.0
    assert found.surprisal == pytest.approx(13 / 7)
    assert found.tokens == 7


def test_an_ngram_has_at_least_one_token():
    with pytest.raises(ValueError, match="at least one token"):
        distinct_n([[1, 2]], 0)


@given(SAMPLES, LENGTHS)
def test_distinct_n_is_a_share_that_the_order_of_samples_does_not_change(samples, n):
    share = distinct_n(samples, n)
    if any(len(tokens) >= n for tokens in samples):
        assert 0 < share <= 1
        assert distinct_n(samples[::-1], n) == share
    else:
        assert math.isnan(share)


@given(SAMPLES, LENGTHS)
def test_a_sample_said_twice_halves_distinct_n(samples, n):
    share = distinct_n(samples, n)
    if not math.isnan(share):
        assert distinct_n([*samples, *samples], n) == pytest.approx(share / 2)


@given(TOKENS, LENGTHS)
def test_repetition_is_what_distinct_n_of_one_text_lacks(tokens, n):
    rate = repetition_rate(tokens, n)
    if len(tokens) < n:
        assert math.isnan(rate)
    else:
        assert 0 <= rate < 1
        assert rate == pytest.approx(1 - distinct_n([tokens], n))


@given(st.lists(st.lists(st.floats(-30, 0), min_size=1, max_size=6), min_size=1, max_size=4))
def test_surprisal_lies_between_the_least_and_the_most_surprising_token(samples):
    every = [-logprob / math.log(2) for logprobs in samples for logprob in logprobs]
    found = mean_surprisal(samples)
    assert min(every) - 1e-9 <= found <= max(every) + 1e-9
    assert found == pytest.approx(np.mean(every), abs=1e-9)
