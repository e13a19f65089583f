"""With the real engine busy, the window's event loop is never away for long."""

import gc
import time

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtTest import QTest

from pythia_gui.core.fallback import Float32Fallback
from pythia_gui.engine.process import ProcessEngine
from pythia_gui.ui.questions import Ending

LONGEST_S = 0.2


class Pulse:
    """The longest that the GUI thread has worked between two beats of a timer.

    Its processor time is taken, not the wall's: other programs on the machine are not its doing.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._last_s = time.thread_time()
        self._timer = QTimer(interval=5)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.thread_time()
        self.longest_s = max(self.longest_s, now - self._last_s)
        self._last_s = now

    def stop(self) -> float:
        self._timer.stop()
        return self.longest_s


@pytest.fixture
def engine():
    made = Float32Fallback(ProcessEngine())
    yield made
    made.close()


@pytest.fixture
def busy(window, workspace, qtbot):
    """The window after its first answer, which loads what is loaded once."""
    window.show()
    workspace.show_model("demo-s")
    window.set_prompt("ab")
    workspace.run()
    qtbot.waitUntil(lambda: workspace.settled, timeout=60_000)
    gc.collect()
    gc.freeze()  # as the program does; what other tests loaded would be gone through as well
    yield window
    gc.unfreeze()


def test_runs_drags_and_pages_never_hold_the_window_up(busy, workspace, qtbot):
    pulse = Pulse()
    for prompt in ("The capital", "of France is", "x" * 50):
        busy.set_prompt(prompt)
        workspace.run()
        for step in (0, 1, 2, 512, 1_000, 2_000, 4_000):
            workspace.show_step(step)
            QTest.qWait(10)
        qtbot.waitUntil(lambda: workspace.settled, timeout=30_000)
    for page in (1, 2, 0):
        busy._tabs.setCurrentIndex(page)
        QTest.qWait(100)
    busy.set_endings([Ending("x"), Ending(" y")])
    workspace.show_model("demo-m")
    qtbot.waitUntil(lambda: workspace.settled, timeout=30_000)
    assert pulse.stop() < LONGEST_S


def test_a_pasted_book_does_not_hold_the_window_up(busy, workspace, qtbot):
    from PySide6.QtCore import QMimeData

    book = QMimeData()
    book.setText("word " * 60_000)
    pulse = Pulse()
    busy._prompt._edit.insertFromMimeData(book)
    QTest.qWait(300)
    line = QMimeData()
    line.setText("x" * 190_000)
    busy.set_prompt("")
    busy._prompt._edit.insertFromMimeData(line)
    QTest.qWait(300)
    assert pulse.stop() < LONGEST_S
