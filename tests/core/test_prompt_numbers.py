"""The numbers of a set of prompts: what was learned, lost and found again, all at once."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.acquisition import acquisition
from pythia_gui.core.prompt_numbers import (
    FAILED,
    KINDS,
    SetNumbers,
    dip,
    learned,
    lost,
    over_foil,
)

_ranks = st.integers(1, 6).flatmap(
    lambda columns: st.lists(
        st.lists(st.integers(FAILED, 3), min_size=columns, max_size=columns), min_size=1, max_size=6
    )
)


@given(_ranks)
def test_each_prompt_is_learned_when_the_rule_for_a_single_curve_says_so(
    ranks: list[list[int]],
) -> None:
    steps = [2**place for place in range(len(ranks[0]))]
    found = learned(np.array(ranks, np.int32), steps)
    for row, own in enumerate(ranks):
        measured = {step: rank for step, rank in zip(steps, own, strict=True) if rank > 0}
        if not measured:
            assert (found.kind[row], found.after[row], found.by[row]) == (-1, -1, -1)
            continue
        one = acquisition(measured)
        assert KINDS[found.kind[row]] == one.kind
        stays = one.stays
        assert found.by[row] == (-1 if stays is None else stays.at)
        before = None if stays is None else stays.before
        assert found.after[row] == (-1 if before is None else before)


def test_without_steps_or_prompts_nothing_is_learned() -> None:
    assert learned(np.zeros((2, 0), np.int32), ()).kind.tolist() == [-1, -1]
    assert learned(np.zeros((0, 3), np.int32), (1, 2, 3)).by.tolist() == []


@pytest.mark.parametrize(
    ("curve", "deep", "gone"),
    [
        ([0.1, 0.5, 0.9], 0.0, 0.0),  # a rise
        ([0.9, 0.5, 0.1], 0.0, 0.8),  # a fall
        ([0.8, 0.2, 0.6], 0.4, 0.2),  # a valley as deep as its lower side
        ([0.1, 0.9, 0.3, 0.5, 0.2], 0.2, 0.7),
        ([0.8, math.nan, 0.2, math.nan, 0.6], 0.4, 0.2),  # gaps are passed over
        ([math.nan, 0.4, math.nan], 0.0, 0.0),
        ([math.nan, math.nan, math.nan], math.nan, math.nan),
    ],
)
def test_valleys_and_losses_are_as_deep_as_by_hand(
    curve: list[float], deep: float, gone: float
) -> None:
    probs = np.array([curve], np.float32)
    assert dip(probs)[0] == pytest.approx(deep, abs=1e-6, nan_ok=True)
    assert lost(probs)[0] == pytest.approx(gone, abs=1e-6, nan_ok=True)


def test_the_foil_is_compared_at_the_last_step_that_has_both() -> None:
    numbers = SetNumbers(2, (0, 1, 2))
    numbers.target[0] = [-3.0, -1.0, -0.5]
    numbers.foil[0] = [-1.0, -2.0, np.nan]
    assert over_foil(numbers)[0] == 1.0
    assert math.isnan(over_foil(numbers)[1])


def test_a_step_that_is_not_asked_has_nothing_but_gaps() -> None:
    at = SetNumbers(2, (0, 1)).at(512)
    assert np.isnan(at.target).all()
    assert at.rank.tolist() == [0, 0]
    assert at.likeliest.tolist() == [-1, -1]
