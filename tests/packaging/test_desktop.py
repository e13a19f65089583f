"""Desktop entry, store metadata and icons."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from pythia_gui import __version__

APPLICATION_ID = "io.github.pythia_gui.PythiaGui"
ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
ICONS = sorted((ROOT / "resources" / "icons").glob("*.svg"))
INTERFACE_ICONS = [icon for icon in ICONS if icon.stem != "pythia-gui"]


def tool(name):
    found = shutil.which(name)
    assert found, f"{name} is missing; `make install-test` installs it or names its package"
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A data directory with the program installed, by the script that users run."""
    data = tmp_path_factory.mktemp("data dir")
    script = PACKAGING / "install_desktop.py"
    subprocess.run([sys.executable, script, data], check=True, capture_output=True, timeout=60)
    return data


@pytest.mark.parametrize("place", ["source", "installed"])
def test_the_desktop_entry_is_valid(place, installed):
    folder = PACKAGING if place == "source" else installed / "applications"
    run = subprocess.run(
        [tool("desktop-file-validate"), folder / f"{APPLICATION_ID}.desktop"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_the_installed_entry_starts_this_environments_program(installed):
    entry = configparser.RawConfigParser()
    entry.read(installed / "applications" / f"{APPLICATION_ID}.desktop")
    assert entry["Desktop Entry"]["Exec"] == f'"{Path(sys.executable).parent / "pythia-gui"}"'


def test_the_store_metadata_is_valid_and_names_this_version(installed):
    file = installed / "metainfo" / f"{APPLICATION_ID}.metainfo.xml"
    run = subprocess.run(
        [tool("appstreamcli"), "validate", "--no-net", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    release = ET.parse(file).find("releases/release")
    assert release is not None
    assert release.get("version") == __version__


@pytest.mark.parametrize("size", [16, 32, 64, 256])
def test_the_application_icon_is_drawn_at_every_size(size, installed):
    apps = installed / "icons" / "hicolor" / f"{size}x{size}" / "apps"
    image = QImage(str(apps / f"{APPLICATION_ID}.png"))
    assert (image.width(), image.height()) == (size, size)
    assert image.pixelColor(0, 0).alpha() == 0, "the corners are clear"
    colours = {image.pixel(x, y) for x in range(size) for y in range(size)}
    assert len(colours) > 40


@pytest.mark.parametrize("icon", INTERFACE_ICONS, ids=lambda icon: icon.stem)
def test_interface_icons_are_one_family_that_a_palette_can_recolour(icon):
    text = icon.read_text()
    assert QSvgRenderer(str(icon)).isValid()
    assert 'viewBox="0 0 24 24"' in text
    assert 'stroke-width="1.75"' in text
    assert set(re.findall(r'(?:stroke|fill)="(#?\w+)"', text)) <= {"#000", "none"}


@pytest.mark.parametrize("icon", INTERFACE_ICONS, ids=lambda icon: icon.stem)
def test_interface_icons_are_drawn_and_stay_inside_their_grid(icon):
    renderer = QSvgRenderer(str(icon))
    renderer.setViewBox(QRectF(-4, -4, 32, 32))
    image = QImage(128, 128, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    inked = [(x, y) for x in range(128) for y in range(128) if image.pixelColor(x, y).alpha()]
    assert inked
    assert all(16 <= x < 112 and 16 <= y < 112 for x, y in inked)
