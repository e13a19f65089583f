"""How long the window's event loop is away while the engine is busy.

A timer that should fire every 2 ms is watched while the real program, in this process, answers
with its real engine in its child process: the model is swept, the timeline scrubbed, a new prompt
typed. Printed as JSON: the gaps between two turns of the loop, in milliseconds, and the processor
time that the GUI thread spent in each. Where the first is long and the second short, the thread
was ready and waited: for a core that something else had, or for Python's lock.
"""

import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QEventLoop, QSettings, Qt, QTimer
from PySide6.QtWidgets import QApplication

from pythia_gui import app as program_of
from pythia_gui.ui import theme
from pythia_gui.ui.window import MainWindow
from pythia_gui.ui.workspace import Workspace

BEAT_MS = 2
SCRUB_MS = 30
PROMPTS = ("Once upon a time", "The capital of France is", "The nurse said that")


class Heart:
    """Notes when the event loop comes round."""

    def __init__(self) -> None:
        self.beats: list[float] = []
        self.busy: list[float] = []
        self._timer = QTimer(interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        self.beats.append(time.perf_counter())
        self.busy.append(time.thread_time())

    def gaps_ms(self) -> np.ndarray:
        return np.diff(self.beats) * 1000

    def worked_ms(self) -> np.ndarray:
        return np.diff(self.busy) * 1000


def main() -> int:
    model = sys.argv[1] if len(sys.argv) > 1 else "demo-s"
    app = QApplication([])
    theme.apply(app, "light")
    with tempfile.TemporaryDirectory() as folder:
        state = QSettings(str(Path(folder) / "window.ini"), QSettings.Format.IniFormat)
        program = program_of.assemble(MainWindow(state), stored=False)
        program.window.resize(1280, 800)
        program.window.show()
        entry, _ = program.library.find(model)
        program.workspace.refresh_models()
        program_of.ask(program.workspace, program.window, entry.key, PROMPTS[0])
        _until(lambda: program.workspace.settled)  # the engine is up: from here on it is measured
        gc.collect()
        gc.freeze()  # as the program does
        heart = Heart()
        for prompt in PROMPTS[1:]:
            program_of.ask(program.workspace, program.window, entry.key, prompt)
            _scrub(program.workspace, entry.steps)
            _until(lambda: program.workspace.settled)
        gaps, worked = heart.gaps_ms(), heart.worked_ms()
        program.close()
    figures = {
        "turns": int(gaps.size),
        "median_ms": round(float(np.median(gaps)), 2),
        "p99_ms": round(float(np.percentile(gaps, 99)), 2),
        "longest_ms": round(float(gaps.max()), 2),
        "worked_p99_ms": round(float(np.percentile(worked, 99)), 2),
        "worked_longest_ms": round(float(worked.max()), 2),
    }
    print(json.dumps(figures))
    return 0


def _scrub(workspace: Workspace, steps: tuple[int, ...]) -> None:
    """Drag the timeline over every step, without waiting for answers."""
    waiting = list(steps)
    timer = QTimer(interval=SCRUB_MS)
    timer.timeout.connect(lambda: workspace.show_step(waiting.pop() if waiting else steps[0]))
    timer.start()
    _until(lambda: not waiting)
    timer.stop()


def _until(done: Callable[[], bool]) -> None:
    loop = QEventLoop()
    timer = QTimer(interval=20)
    timer.timeout.connect(lambda: loop.quit() if done() else None)
    timer.start()
    loop.exec()
    timer.stop()


if __name__ == "__main__":
    sys.exit(main())
