"""Colour scales: they rise evenly, differ with any colour vision, and say what they mean."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QColor, QFontMetricsF

from pythia_gui.ui import theme
from pythia_gui.ui.map_numbers import SCALES
from pythia_gui.ui.scales import (
    GAP,
    SHADES,
    ColourBar,
    Scale,
    colours,
    places_of,
    round_numbers,
    shades_of,
    ticks_of,
)
from tests.ui.test_theme import deuteranope, lab, linear, normal, protanope

RANK = SCALES["rank"]
CHANGE = SCALES["change"]
LOGPROB = SCALES["logprob"]
DARKNESS = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
VISIONS = (normal, protanope, deuteranope)
numbers = st.floats(-1e6, 1e6, allow_nan=False)


def seen_as(palette, dark, vision, shades):
    table = colours(palette, dark=dark)
    return [lab(vision(linear(QColor.fromRgba(int(table[shade]))))) for shade in shades]


@DARKNESS
def test_the_sequential_palette_grows_lighter_at_every_step(dark):
    for vision in VISIONS:
        lightness = [colour[0] for colour in seen_as("sequential", dark, vision, range(SHADES))]
        assert all(a <= b + 0.35 for a, b in pairwise(lightness)), vision.__name__
        coarse = lightness[::8]
        assert all(a < b for a, b in pairwise(coarse)), vision.__name__


@DARKNESS
def test_an_eighth_of_the_sequential_palette_can_be_seen_with_any_colour_vision(dark):
    for vision in VISIONS:
        tones = seen_as("sequential", dark, vision, range(0, SHADES, 31))
        assert min(math.dist(a, b) for a, b in pairwise(tones)) > 5, vision.__name__


@DARKNESS
def test_both_arms_of_the_diverging_palette_leave_the_ground_steadily(dark):
    for vision in VISIONS:
        tones = seen_as("diverging", dark, vision, range(SHADES))
        away = [math.dist(tone, tones[SHADES // 2]) for tone in tones]
        assert all(a > b for a, b in pairwise(away[: SHADES // 2 : 8])), vision.__name__
        assert all(a < b for a, b in pairwise(away[SHADES // 2 :: 8])), vision.__name__


@DARKNESS
def test_growing_and_falling_are_told_apart_with_any_colour_vision(dark):
    for vision in VISIONS:
        for off in (32, 64, 127):
            fall, rise = seen_as("diverging", dark, vision, (127 - off, 128 + off))
            assert math.dist(fall, rise) > 20, (vision.__name__, off)


@DARKNESS
def test_the_lowest_colour_is_no_gap(dark):
    surface = (theme.DARK if dark else theme.LIGHT).surface
    for vision in VISIONS:
        (lowest,) = seen_as("sequential", dark, vision, (0,))
        assert math.dist(lowest, lab(vision(linear(surface)))) > 20
    table = colours("sequential", dark=dark)
    assert table[GAP] == 0
    assert (table[:SHADES] >> 24 == 255).all()


def test_what_is_no_number_is_a_gap_and_what_is_beyond_the_range_has_its_end():
    values = np.array([np.nan, -np.inf, -99.0, -12.0, -6.0, 0.0, 3.0], np.float32)
    shades = shades_of(LOGPROB, values, LOGPROB.fixed).tolist()
    assert shades == [GAP, 0, 0, 0, SHADES // 2, SHADES - 1, SHADES - 1]


def test_a_rank_of_1_has_the_colour_of_the_likeliest_and_decades_are_as_wide():
    ranks = np.array([1.0, 10.0, 100.0, 1_000.0, 10_000.0])
    assert places_of(RANK, ranks, RANK.fixed) == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert shades_of(RANK, ranks, RANK.fixed).tolist() == [255, 192, 128, 64, 0]


def test_the_fitted_range_of_a_change_is_symmetric():
    assert CHANGE.fitted(np.array([[np.nan, -1.5], [4.0, 0.0]])) == (-4.0, 4.0)


def test_a_fitted_range_is_what_is_there():
    values = np.array([-7.0, np.nan, -0.5, -np.inf], np.float32)
    assert LOGPROB.fitted(values) == (-7.0, -0.5)
    assert SCALES["probability"].fitted(np.array([0.2, 0.4])) == (0.0, 0.4)
    assert RANK.fitted(np.array([3.0, 400.0])) == (1.0, 400.0)


@pytest.mark.parametrize("scale", SCALES.values(), ids=lambda scale: scale.name)
def test_nothing_and_one_number_have_a_range_too(scale):
    assert scale.fitted(np.array([np.nan])) == scale.fixed
    one = np.array([max(scale.low, 1.0)])
    low, high = scale.fitted(one)
    assert low < high
    assert not np.isnan(places_of(scale, one, (low, high))).any()


@given(numbers, st.floats(1e-3, 1e6), st.integers(2, 12))
def test_round_numbers_lie_within_and_are_few(low, span, most):
    found = round_numbers(low, low + span, most)
    assert found == sorted(found)
    assert len(found) <= most
    assert all(low - 1e-3 * span <= number <= low + span * 1.001 for number in found)


@pytest.mark.parametrize("scale", SCALES.values(), ids=lambda scale: scale.name)
def test_the_ticks_of_the_fixed_range_are_at_the_numbers_they_name(scale):
    ticks = ticks_of(scale, scale.fixed)
    assert 3 <= len(ticks) <= 7
    for tick in ticks:
        number = float(tick.text.replace("−", "-").replace(",", "").replace(" %", "e-2"))
        assert number == pytest.approx(tick.value)
        (place,) = places_of(scale, np.array([tick.value]), scale.fixed)
        assert tick.place == pytest.approx(place)


def test_numbers_are_written_in_the_unit_of_their_scale():
    assert LOGPROB.text_of(-1.25) == "−1.250"
    assert RANK.text_of(12_345.0) == "12,345"
    assert SCALES["probability"].text_of(0.421) == "42.1 %"
    assert LOGPROB.text_of(math.nan) == "–"
    assert LOGPROB.title == "log-probability (nats)"


@pytest.mark.parametrize("limits", [(-12.0, 0.0), (-0.00123, 0.0), (-9.87, -1.23)])
def test_the_labels_of_the_legend_stand_apart(qtbot, light, limits):
    bar = ColourBar()
    qtbot.addWidget(bar)
    bar.show_scale(LOGPROB, limits)
    metrics = QFontMetricsF(theme.small_font())
    ends = [
        (
            208 * tick.place - metrics.horizontalAdvance(tick.text) / 2,
            208 * tick.place + metrics.horizontalAdvance(tick.text) / 2,
        )
        for tick in bar.ticks
    ]
    assert len(ends) >= 2
    assert all(after[0] > before[1] for before, after in pairwise(ends))


def test_the_legend_says_its_unit_and_its_range_to_a_screen_reader(qtbot, light):
    bar = ColourBar()
    qtbot.addWidget(bar)
    bar.show_scale(LOGPROB, LOGPROB.fixed)
    assert bar.accessibleName().startswith(
        "Colours: log-probability (nats) from −12.000 to 0.000; hatched"
    )


def test_the_legend_takes_the_colours_of_the_theme(qtbot, qapp, light):
    bar = ColourBar()
    qtbot.addWidget(bar)
    bar.show_scale(Scale("x", "", 0.0, 1.0, "bits"), (0.0, 1.0))
    bar.resize(bar.sizeHint())
    before = bar.grab().toImage()
    theme.apply(qapp, "dark")
    assert bar.grab().toImage() != before
