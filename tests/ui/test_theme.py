"""The palettes: chosen by hand or by the system, the same everywhere, and readable."""

import math

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette

from pythia_gui.ui import theme
from pythia_gui.ui.theme import DARK, LIGHT, contrast, token_ink


def test_a_chosen_palette_is_what_the_application_wears(qapp, light):
    theme.apply(qapp, "dark")
    assert theme.current_theme() is DARK
    assert qapp.palette().color(QPalette.ColorRole.Window) == DARK.window
    theme.apply(qapp, "light")
    assert qapp.palette().color(QPalette.ColorRole.Base) == LIGHT.surface


def test_the_system_palette_follows_what_the_platform_reports(qapp, light):
    theme.apply(qapp, "system")
    dark = qapp.styleHints().colorScheme() == Qt.ColorScheme.Dark
    assert theme.current_theme().dark == dark
    assert theme.current_mode() == "system"


def test_a_change_is_announced_after_it_has_happened(qapp, qtbot, light):
    with qtbot.waitSignal(theme.events.theme_changed):
        theme.apply(qapp, "dark")
    assert theme.current_theme().dark


def test_text_grows_within_bounds_and_keeps_its_proportions(qapp, light):
    usual = theme.ui_font().pointSizeF()
    assert theme.set_text_scale(qapp, 2.0) == 2.0
    assert theme.ui_font().pointSizeF() == pytest.approx(2 * usual)
    assert theme.set_text_scale(qapp, 99.0) == 2.5
    assert theme.set_text_scale(qapp, 0.01) == 0.75
    theme.set_text_scale(qapp, 1.0)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_ink_of_a_token_can_be_read_at_every_value(qapp, light, mode):
    theme.apply(qapp, mode)
    assert min(contrast(*token_ink(value / 100)) for value in range(101)) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_likelier_a_token_the_less_it_stands_out(qapp, light, mode):
    theme.apply(qapp, mode)
    grounds = [token_ink(value / 20)[0] for value in range(21)]
    standing_out = [contrast(ground, theme.current_theme().surface) for ground in grounds]
    assert standing_out == sorted(standing_out, reverse=True)
    assert standing_out[0] > 1.5 * standing_out[-1]


def test_a_value_that_is_none_gets_the_surface(qapp, light):
    assert token_ink(math.nan) == (LIGHT.surface, LIGHT.text)
    assert token_ink(-1) == token_ink(0)
    assert token_ink(2) == token_ink(1)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_curves_differ_with_any_colour_vision(colors):
    for seen in (normal, protanope, deuteranope):
        inks = [lab(seen(linear(color))) for color in colors.series]
        assert nearest(inks[:6]) > 25, seen.__name__
        assert nearest(inks[:8]) > 15, seen.__name__


def nearest(inks):
    """Return the least distance of any two (CIELAB, where 2.3 is just noticeable)."""
    return min(math.dist(a, b) for n, a in enumerate(inks) for b in inks[n + 1 :])


def linear(color):
    parts = (color.redF(), color.greenF(), color.blueF())
    return tuple(p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)


def normal(rgb):
    return rgb


def protanope(rgb):
    """Machado, Oliveira and Fernandes 2009, severity 1."""
    return mixed(rgb, ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)))


def deuteranope(rgb):
    return mixed(rgb, ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)))


def lab(rgb):
    """CIELAB of linear sRGB, white point D65."""
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    whites = (0.9505, 1.0, 1.089)
    xyz = [part / white for part, white in zip(mixed(rgb, rows), whites, strict=True)]
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return (116 * y - 16, 500 * (x - y), 200 * (y - z))


def mixed(parts, rows):
    clipped = [min(max(part, 0.0), 1.0) for part in parts]
    return tuple(sum(a * b for a, b in zip(row, clipped, strict=True)) for row in rows)


def test_an_icon_takes_the_colour_of_the_theme(qapp, light):
    for colors in (LIGHT, DARK):
        theme.apply(qapp, colors.name)
        image = theme.icon("stop").pixmap(16).toImage()
        assert image.pixelColor(8, 8) == colors.text


def test_an_icon_that_is_not_there_is_named(qapp):
    with pytest.raises(FileNotFoundError, match="no-such-icon"):
        theme.icon("no-such-icon")
