"""Colours and axes of the measures: legible, signed, and the same way round everywhere."""

import math

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from pythia_gui.ui import theme
from pythia_gui.ui.token_measures import rank_value
from pythia_gui.ui.views.pair_data import MEASURES
from pythia_gui.ui.views.pair_legend import PairLegend
from pythia_gui.ui.views.pair_scales import faded_ink, scale_of, side_color
from tests.ui.samples import dress

VALUES = np.array([math.nan, 0.0, 1.0, 3.0, 7.5, 900.0])
DIFFERENCES = ("prob_difference", "rank_difference", "clamped_rank_difference")


@pytest.fixture(params=["light", "dark"], autouse=True)
def palette(qapp: QApplication, request):
    dress(qapp, request.param)
    return theme.current_theme()


def scales():
    return [scale_of(measure, VALUES) for measure in MEASURES]


def distance(one, other):
    """How far apart two colours are, in steps of their channels."""
    return sum(abs(x - y) for x, y in zip(one.getRgb(), other.getRgb(), strict=True))


@pytest.mark.parametrize("measure", MEASURES)
def test_every_token_can_be_read_on_its_colour(measure, palette):
    scale = scale_of(measure, VALUES)
    for value in np.linspace(scale.low, scale.high, 41):
        background, ink = scale.ink(float(value))
        assert background is not None
        assert theme.contrast(ink, background) >= 4.5, value


@pytest.mark.parametrize("measure", MEASURES)
def test_what_has_no_number_has_no_colour(measure, palette):
    assert scale_of(measure, VALUES).ink(math.nan) == (None, palette.text)


@pytest.mark.parametrize("measure", DIFFERENCES)
def test_a_difference_wears_the_colour_of_the_checkpoint_that_thought_more_of_the_token(
    measure, palette
):
    scale = scale_of(measure, VALUES)
    likelier_under_b = 0.9 if measure == "prob_difference" else -40.0
    for_b, for_a = scale.ink(likelier_under_b)[0], scale.ink(-likelier_under_b)[0]
    assert distance(for_b, side_color("B")) < distance(for_b, side_color("A"))
    assert distance(for_a, side_color("A")) < distance(for_a, side_color("B"))
    assert scale.ink(0.0)[0] == palette.surface


@pytest.mark.parametrize("measure", DIFFERENCES)
def test_a_larger_difference_is_farther_from_the_ground(measure, palette):
    scale = scale_of(measure, VALUES)
    sizes = np.linspace(0.0, scale.high, 12)
    depths = [distance(scale.ink(float(size))[0], palette.surface) for size in sizes]
    assert depths == sorted(depths)
    assert depths[-1] > depths[1] > 0


def test_probability_and_rank_look_as_in_every_other_text():
    assert scale_of("prob_a", VALUES).ink(0.3) == theme.token_ink(0.3)
    assert scale_of("rank_b", VALUES).ink(7.0) == theme.token_ink(rank_value(7))


@pytest.mark.parametrize("measure", MEASURES)
def test_a_place_on_the_axis_leads_back_to_its_value(measure):
    scale = scale_of(measure, VALUES)
    values = np.linspace(scale.low, scale.high, 17)
    back = [scale.value(place) for place in scale.place(values).tolist()]
    assert back == pytest.approx(values.tolist(), abs=1e-9)


def test_scales_without_a_natural_end_reach_to_the_largest_value():
    assert scale_of("rank_difference", VALUES).high == 1_000.0
    assert scale_of("rank_a", VALUES).high == 1_000.0
    assert scale_of("kl_ab", np.array([math.nan, 0.3, 7.5])).high == 10.0
    assert scale_of("kl_ba", np.array([math.nan, 0.0])).high == pytest.approx(0.1)
    assert scale_of("js", np.array([math.nan, 0.2])).high == 1.0


@pytest.mark.parametrize("measure", MEASURES)
def test_the_legend_names_points_of_the_scale_with_both_ends_in_words(qtbot, measure):
    scale = scale_of(measure, VALUES)
    legend = PairLegend()
    qtbot.addWidget(legend)
    legend.show_scale(scale)
    assert all(text in legend.accessibleName() for text in scale.ends)
    stops = [stop.value for stop in scale.stops]
    assert stops == sorted(stops)
    assert len({stop.text for stop in scale.stops}) == len(stops)
    assert legend.sizeHint().width() > 200


def test_a_faded_token_has_no_colour_and_can_still_be_read(palette):
    background, ink = faded_ink()
    assert background is None
    assert theme.contrast(ink, palette.surface) >= 4.5


def test_changing_a_side_colour_leaves_the_theme_alone():
    side_color("A").setAlphaF(0.1)
    assert side_color("A").alphaF() == 1.0
