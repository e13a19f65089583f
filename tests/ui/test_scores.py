"""The numbers of a trajectory: their heights, gaps, texts and labels."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.ui.scores import (
    SCORES,
    dashes,
    height_of,
    height_range,
    line_of,
    number_of,
    number_text,
    problem_of,
    solid,
    spread,
)
from pythia_gui.ui.values import Curve, CurvePoint
from tests.ui.samples import curve

KINDS = [kind for kind, _ in SCORES]


def line(shape, kind="probability"):
    return line_of(shape, kind, {point.step: float(n) for n, point in enumerate(shape.points)})


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_has_every_point_at_its_height(kind):
    shape = curve(" a", [0.001, 0.02, 0.3, 1.0])
    expected = [height_of(number_of(point, kind), kind) for point in shape.points]
    assert line(shape, kind).heights == pytest.approx(expected)


def test_rank_one_stands_on_top():
    assert height_of(1, "rank") == 0
    assert height_of(1, "rank") > height_of(10, "rank") > height_of(50_000, "rank")


@pytest.mark.parametrize("kind", KINDS)
def test_gaps_and_left_out_points_are_told_apart(kind):
    shape = curve(" a", [0.1, None, 0.3, None, 0.5], left_out=(2, 4))
    shown = line(shape, kind)
    assert shown.gaps().tolist() == [1.0]
    assert shown.unmeasured().tolist() == [3.0]
    assert shown.marked(left_out=True)[0].tolist() == [2.0]
    assert shown.marked(left_out=False)[0].tolist() == [0.0, 4.0]


@pytest.mark.parametrize("logprob", [-math.inf, math.inf, math.nan])
def test_a_number_that_is_none_is_a_gap(logprob):
    point = CurvePoint(0, 0, logprob, 5)
    assert math.isnan(number_of(point, "logprob"))
    assert math.isnan(number_of(point, "probability"))
    assert problem_of(point, "logprob")
    assert np.isnan(line(Curve("a", "m", "target", (point,)), "probability").heights).all()
    assert number_of(point, "rank") == 5


def test_numbers_are_written_in_their_units():
    assert number_text(0.421, "probability") == "42.1 %"
    assert number_text(-1.5, "logprob") == "−1.500"
    assert number_text(12_345, "rank") == "12,345"
    assert number_text(math.nan, "rank") == "–"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("probs", [[0.1, 0.9], [None], [1.0], [1e-30, 1e-29], []])
def test_the_axis_holds_all_points_with_air(kind, probs):
    shown = [line(curve(" a", probs), kind)] if probs else []
    low, high = height_range(shown, kind)
    assert low < high
    for one in shown:
        finite = one.heights[np.isfinite(one.heights)]
        assert ((low <= finite) & (finite <= high)).all()


# ------------------------------------------------------------------------------ labels


@given(
    st.lists(st.floats(-500, 900), max_size=12),
    st.sampled_from([(0.0, 400.0), (20.0, 240.0)]),
)
def test_labels_never_overlap_and_keep_their_order(wanted, room):
    top, bottom = room
    placed = spread(wanted, 18, top, bottom)
    ordered = [placed[n] for n in sorted(range(len(wanted)), key=lambda n: wanted[n])]
    assert all(b - a >= 18 - 1e-6 for a, b in pairwise(ordered))
    if len(wanted) * 18 <= bottom - top:
        assert all(top + 9 - 1e-6 <= y <= bottom - 9 + 1e-6 for y in placed)


def test_labels_with_room_stand_where_they_belong():
    assert spread([300, 100, 200], 18, 0, 400) == [300, 100, 200]


def test_labels_share_the_room_around_what_they_want():
    assert spread([200, 200], 20, 0, 400) == [190, 210]


# ------------------------------------------------------------------------------ strokes


def test_solid_pieces_leave_gaps_open():
    pieces = solid(np.array([0.0, 1, 2, 3, 4]), np.array([0.0, 1, math.nan, 3, 4]))
    assert pieces.tolist() == [[0, 0, 1, 1], [3, 3, 4, 4]]


def test_dashes_cover_their_share_of_a_line():
    pieces = dashes(np.array([0.0, 40, 100]), np.array([0.0, 0, 0]), 6, 4)
    assert float((pieces[:, 2] - pieces[:, 0]).sum()) == pytest.approx(60)
    assert pieces[0].tolist() == [0, 0, 6, 0]


def test_dashes_leave_gaps_open():
    pieces = dashes(np.array([0.0, 10, 20, 30, 40]), np.array([0, 0, math.nan, 0, 0.0]), 6, 4)
    assert not ((pieces[:, 0] < 20) & (pieces[:, 2] > 20)).any()
    assert dashes(np.array([1.0]), np.array([1.0]), 6, 4).shape == (0, 4)
    assert dashes(np.array([1.0, 1.0]), np.array([2.0, 2.0]), 6, 4).shape == (0, 4)
