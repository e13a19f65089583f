"""The filled-in window in both palettes and several sizes: nothing is cut, all can be read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from pythia_gui.ui import theme
from tests.ui.looks import LEAST_CONTRAST, faint_texts, fill_in, misfits

SIZES = ((1_280, 800), (1_920, 1_080))


@pytest.fixture
def pictures(tmp_path):
    """Where pictures are written: PYTHIA_GUI_PICTURES, to look at them, or nowhere to stay."""
    folder = Path(os.environ.get("PYTHIA_GUI_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_no_text_is_cut_and_all_can_be_read(qapp, window, workspace, pictures, *, mode, size):
    theme.apply(qapp, mode)
    window.resize(*size)
    fill_in(window, workspace)
    window.grab().save(str(pictures / f"{mode}-{size[0]}x{size[1]}.png"))
    assert misfits(window) == []
    assert faint_texts(window) == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_page_fits_at_the_usual_size(qapp, window, workspace, pictures, mode):
    theme.apply(qapp, mode)
    fill_in(window, workspace)
    for page in (1, 2, 0):
        window._tabs.setCurrentIndex(page)
        QTest.qWait(200)
        window.grab().save(str(pictures / f"{mode}-page{page}.png"))
        assert misfits(window) == []
    window._prompt.unfold()
    QTest.qWait(50)
    window.grab().save(str(pictures / f"{mode}-sampling.png"))
    assert misfits(window) == []
    assert faint_texts(window) == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_nothing_is_cut_at_twice_the_scale(demo, repository, pictures, mode):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.ui.looks", str(demo), mode, "1280", "800"),
            str(pictures / f"{mode}-scale2.png"),
        ],
        env=os.environ | {"QT_SCALE_FACTOR": "2", "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"misfits": [], "faint": []}


@pytest.mark.parametrize("scale", [1.25, 1.5])
def test_larger_text_still_fits(qapp, window, workspace, pictures, scale):
    theme.set_text_scale(qapp, scale)
    window.resize(1_920, 1_080)
    fill_in(window, workspace)
    window.grab().save(str(pictures / f"text-{scale}.png"))
    assert misfits(window) == []


def test_the_looks_are_looked_at(qtbot, light):
    page = QWidget()
    qtbot.addWidget(page)
    label, button, faint = (
        QLabel("wide " * 9, page),
        QPushButton("wide", page),
        QLabel("pale", page),
    )
    label.setFixedWidth(50)
    button.setFixedWidth(20)
    faint.setStyleSheet("color: #bbbbbb; background: #ffffff")
    for place, widget in enumerate((label, button, faint)):
        widget.move(0, 40 * place)
    page.resize(400, 200)
    page.show()
    assert [problem.split()[0] for problem in misfits(page)] == ["QLabel", "QPushButton"]
    assert "'pale'" in [problem.split()[1] for problem in faint_texts(page)]


@pytest.mark.parametrize("colors", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_every_ink_of_the_palettes_reads_on_every_ground(colors):
    for ground in (colors.window, colors.surface, colors.raised):
        for ink in ("text", "muted", "accent", "good", "warning", "error"):
            assert theme.contrast(getattr(colors, ink), ground) >= LEAST_CONTRAST, ink
        assert theme.contrast(colors.outline, ground) >= 3
    assert theme.contrast(colors.selection_text, colors.selection) >= LEAST_CONTRAST
    assert theme.contrast(colors.on_accent, colors.accent) >= LEAST_CONTRAST
    for curve in colors.series:
        assert theme.contrast(curve, colors.surface) >= 3
