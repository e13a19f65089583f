"""The composition root: what it opens with, and what it survives."""

import logging
import sys
import threading
from dataclasses import replace

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtGui import QImage

from pythia_gui import app, stack
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import ModelEntry
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui import theme
from pythia_gui.ui.window import MainWindow

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support propagateSizeHints")

ENTRY = ModelEntry("a", "a", "s", "folder", (0,), frozenset((0,)), None, 96)


@pytest.fixture
def window(qapp, tmp_path):
    theme.apply(qapp, "light")
    made = MainWindow(QSettings(str(tmp_path / "w.ini"), QSettings.Format.IniFormat))
    yield made
    made.close()


def test_the_demo_suite_is_opened_first_else_what_is_here():
    demo = replace(ENTRY, key="demo-s", name="demo-s")
    away = replace(ENTRY, key="away", here=frozenset())
    assert app.first_model((ENTRY, away, demo)) == demo
    assert app.first_model((away, ENTRY)) == ENTRY
    assert app.first_model((away,)) is None


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"QT_QPA_PLATFORM": "offscreen"}, True),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"QT_QPA_PLATFORM": "xcb"}, False),
        ({"QT_QPA_PLATFORM": "xcb", "DISPLAY": ":0"}, True),
        ({}, False),
    ],
)
def test_a_display_is_looked_for_before_qt_would_abort(monkeypatch, environment, shown):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert app.has_display() == shown


def test_what_nobody_caught_is_logged_and_said_without_stopping(window, qtbot, monkeypatch, caplog):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    catcher = app._Catcher(window)
    window.show()
    with caplog.at_level(logging.ERROR, "pythia_gui"):
        try:
            raise RuntimeError("<b>broken</b>")
        except RuntimeError as problem:
            sys.excepthook(type(problem), problem, problem.__traceback__)
    qtbot.waitUntil(lambda: "RuntimeError: <b>broken</b>" in window._banner.text())
    assert "broken" in caplog.text
    catcher.release()


@pytest.fixture
def small_suite(tmp_path, monkeypatch):
    from tests.small import make_small

    make_small(tmp_path / "demo" / "demo-s", steps=(0, 1, 512))
    monkeypatch.setattr(
        stack, "open_library", lambda: LocalLibrary(tmp_path / "demo", cache=tmp_path / "none")
    )
    return tmp_path


def test_a_picture_shows_the_finished_window(small_suite, qapp):
    out = small_suite / "window.png"
    status = app.render(out, prompt="ab", size=(1_280, 800), stored=False, theme="dark")
    assert status == 0
    image = QImage(str(out))
    assert (image.width(), image.height()) == (1_280, 800)
    assert theme.current_theme().dark
    theme.apply(qapp, "light")


def test_a_picture_that_can_not_be_written_is_one_sentence(small_suite, qapp):
    with pytest.raises(CheckpointError, match="can't be written"):
        app.render(small_suite / "no" / "folder" / "x.png", prompt="ab", stored=False)


def test_an_unknown_model_is_one_sentence(small_suite, qapp):
    with pytest.raises(CheckpointError, match="llama"):
        app.render(small_suite / "x.png", model="llama", stored=False)
