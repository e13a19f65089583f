"""Steps have a place on every axis, and their labels never touch."""

from itertools import pairwise

import numpy as np
import pytest

from pythia_gui.core.steps import STEPS, TOKENS_PER_STEP, log_steps
from pythia_gui.ui.axes import place_of, positions, step_labels

TOKENS = [step * TOKENS_PER_STEP for step in STEPS]
SCHEDULES = [STEPS, log_steps(STEPS), (0, 512, 143_000), (0,), (), tuple(range(500, 50_001, 500))]


def even(steps, width):
    return [20 + n * (width - 40) / max(len(steps) - 1, 1) for n in range(len(steps))]


def width_of(text):
    return 6.5 * len(text)


@pytest.mark.parametrize("scale", ["even", "log2", "tokens"])
def test_every_step_has_a_place_of_its_own_in_order(scale):
    places = positions(scale, STEPS, TOKENS)
    assert len(places) == 154
    assert places[0] == 0.0
    assert np.all(np.diff(places) > 0)
    assert np.all(np.isfinite(places))


@pytest.mark.parametrize("scale", ["even", "log2", "tokens"])
def test_a_step_between_two_checkpoints_stands_between_them(scale):
    places = positions(scale, STEPS, TOKENS)
    below, above = places[STEPS.index(512)], places[STEPS.index(1_000)]
    assert below < place_of(600, scale, STEPS, places) < above
    assert place_of(512, scale, STEPS, places) == pytest.approx(below)


@pytest.mark.parametrize("steps", SCHEDULES, ids=len)
@pytest.mark.parametrize("width", [300, 960, 1_280, 1_920])
@pytest.mark.parametrize("rows", [1, 2])
def test_labels_never_touch(steps, width, rows):
    labels = step_labels(steps, even(steps, width), width_of, rows=rows, gap=4)
    for row in range(rows):
        ones = [label for label in labels if label.row == row]
        assert all(b.left - a.right >= 4 for a, b in pairwise(ones))


@pytest.mark.parametrize("steps", [steps for steps in SCHEDULES if steps], ids=len)
def test_the_ends_are_always_labelled(steps):
    labels = step_labels(steps, even(steps, 960), width_of)
    assert {steps[0], steps[-1]} <= {label.step for label in labels}


def test_powers_of_two_and_round_thousands_are_labelled():
    found = step_labels(STEPS, even(STEPS, 1_240), width_of, rows=2, gap=4)
    labels = {label.step for label in found}
    assert {0, 1, 2, 4, 8, 16, 32, 512, 1_000} <= labels
    assert {10_000 * n for n in range(1, 14)} <= labels


def test_every_checkpoint_is_labelled_where_there_are_few():
    steps = log_steps(STEPS)
    labels = step_labels(steps, even(steps, 1_280), width_of)
    assert [label.step for label in labels] == list(steps)


def test_a_doubling_axis_labels_doubling_thousands():
    places = positions("log2", STEPS, TOKENS) * 60
    labels = {label.step for label in step_labels(STEPS, places.tolist(), width_of, doubling=True)}
    assert {0, 1, 512, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000} <= labels
