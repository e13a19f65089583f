"""The eight measures of two scores: by hand, and by their laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.events import Alternatives, Score
from pythia_gui.core.measures import Measures, measures

NONE = math.nan


def score(token_ids, probs, ranks, tops) -> Score:
    """Return a score whose tokens have these probabilities, and these ids on top."""
    with np.errstate(divide="ignore"):
        logprobs = np.log(np.array(probs, np.float32))
    top = np.array(tops, np.int64)
    listed = Alternatives(top, np.zeros(top.shape, np.float32))
    return Score(np.array(token_ids), logprobs, np.array(ranks), logprobs, listed)


A = score((7, 8, 9), (NONE, 0.5, 0.25), (0, 1, 400), [[0] * 3, [8, 1, 2], [1, 2, 3]])
B = score((7, 8, 9), (NONE, 0.125, 0.75), (0, 3, 20), [[0] * 3, [1, 2, 8], [4, 5, 3]])


def test_a_worked_example():
    found = measures(A, B)
    np.testing.assert_allclose(found.prob_a, [NONE, 0.5, 0.25])
    np.testing.assert_allclose(found.prob_b, [NONE, 0.125, 0.75])
    np.testing.assert_allclose(found.prob_difference, [NONE, -0.375, 0.5])
    assert found.rank_a.tolist() == [0, 1, 400]
    assert found.rank_b.tolist() == [0, 3, 20]
    assert found.rank_difference.tolist() == [0, 2, -380]
    assert found.clamped_rank_difference.tolist() == [0, 2, -30]
    assert found.top10_overlap.tolist() == [0, 3, 1]


def test_two_moves_beyond_rank_50_are_no_difference():
    far = score((1, 2), (NONE, 0.1), (0, 50_000), [[0], [5]])
    near = score((1, 2), (NONE, 0.1), (0, 51), [[0], [5]])
    assert measures(near, far).rank_difference.tolist() == [0, 49_949]
    assert measures(near, far).clamped_rank_difference.tolist() == [0, 0]


def test_only_the_ten_most_likely_of_each_are_compared():
    twenty = list(range(20))
    a = score((1, 2), (NONE, 0.1), (0, 1), [twenty, twenty])
    b = score((1, 2), (NONE, 0.1), (0, 1), [twenty, twenty[5:] + twenty[:5]])
    assert measures(a, b).top10_overlap.tolist() == [0, 5]


def test_a_text_of_one_token_has_no_numbers():
    alone = score((1,), (NONE,), (0,), [[0, 0]])
    found = measures(alone, alone)
    assert np.isnan(found.prob_difference).all()
    assert found.top10_overlap.tolist() == [0]


def test_scores_of_different_texts_are_refused():
    other = score((7, 8, 10), (NONE, 0.5, 0.25), (0, 1, 2), [[0], [1], [2]])
    with pytest.raises(ValueError, match="different texts"):
        measures(A, other)


@st.composite
def scores(draw, count=2):
    length, width = draw(st.integers(1, 6)), draw(st.integers(1, 15))
    ids = draw(st.lists(st.integers(0, 99), min_size=length, max_size=length))
    return [draw(one_score(ids, width)) for _ in range(count)]


@st.composite
def one_score(draw, ids, width):
    rest = len(ids) - 1
    probs = draw(st.lists(st.floats(0, 1, width=32), min_size=rest, max_size=rest))
    ranks = draw(st.lists(st.integers(1, 50_304), min_size=rest, max_size=rest))
    order = st.permutations(range(20)).map(lambda row: list(row)[:width])
    tops = draw(st.lists(order, min_size=rest, max_size=rest))
    return score(ids, [NONE, *probs], [0, *ranks], [[0] * width, *tops])


def differences(found: Measures) -> list[np.ndarray]:
    return [found.prob_difference, found.rank_difference, found.clamped_rank_difference]


@given(scores())
def test_the_other_way_round_every_difference_changes_its_sign(pair):
    there, back = measures(*pair), measures(*reversed(pair))
    for one, other in zip(differences(there), differences(back), strict=True):
        np.testing.assert_array_equal(one, -other)
    np.testing.assert_array_equal(there.top10_overlap, back.top10_overlap)
    np.testing.assert_array_equal(there.prob_a, back.prob_b)


@given(scores(count=1))
def test_a_score_does_not_differ_from_itself(one):
    found = measures(*one, *one)
    assert not any(np.nan_to_num(difference).any() for difference in differences(found))
    width = min(10, one[0].top.ids.shape[1])
    assert found.top10_overlap[1:].tolist() == [width] * (len(one[0].token_ids) - 1)


@given(scores())
def test_a_clamped_difference_lies_between_nothing_and_the_true_one(pair):
    found = measures(*pair)
    clamped, true = found.clamped_rank_difference, found.rank_difference
    assert (np.abs(clamped) <= np.minimum(np.abs(true), 49)).all()
    assert (clamped * true >= 0).all()


@given(scores())
def test_of_the_first_token_nothing_is_known(pair):
    found = measures(*pair)
    assert np.isnan([found.prob_a[0], found.prob_b[0], found.prob_difference[0]]).all()
    ranks = (found.rank_a, found.rank_b, found.rank_difference, found.clamped_rank_difference)
    assert [column[0] for column in ranks] == [0] * 4
    assert found.top10_overlap[0] == 0
