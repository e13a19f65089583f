"""How long a frame of the map takes: 512 tokens over 154 steps, scrubbed, scrolled and zoomed.

Each frame is one event of a person (a pointer's move, a drag to the next column, a turn of the
wheel) and the painting that follows, through Qt's own event queue, offscreen at 1600 x 900.
Printed as JSON, per gesture: median, 99th percentile and longest, in milliseconds. 60 frames a
second leave 16.7. `worked` is the processor time of the same gesture, made once more: where it
is far below the 99th percentile, the thread waited for a core that something else had.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from pythia_gui.core.steps import STEPS
from pythia_gui.ui import theme
from pythia_gui.ui.axes import positions
from pythia_gui.ui.curve_strip import CurveStrip
from pythia_gui.ui.heat_grid import HeatGrid
from pythia_gui.ui.map_numbers import SCALES
from pythia_gui.ui.sheet import Glyph, GlyphKind, Row, Sheet

ROWS = 512
FRAMES = 300
KINDS: tuple[GlyphKind, ...] = ("ring", "dot", "line")
LIMIT_MS = 1000 / 60
NO_BUTTON, LEFT = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NO_KEY = Qt.KeyboardModifier.NoModifier


def sheet(rows: int = ROWS) -> Sheet:
    """A text of random numbers with gaps, and three marks on every row."""
    dice = np.random.default_rng(7)
    values = -dice.exponential(3.0, (rows, len(STEPS))).astype(np.float32)
    values[dice.random(values.shape) < 0.05] = np.nan
    marks = tuple(
        Glyph(row, int(column), kind)
        for row in range(rows)
        for column, kind in zip(dice.integers(0, 154, 3), KINDS, strict=True)
    )
    names = tuple(Row(f"␣word{row}", str(row + 2)) for row in range(rows))
    return Sheet(values, names, STEPS, positions("even", STEPS, STEPS), glyphs=marks)


class Map(QWidget):
    """The map with its strip, following itself as the page does."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = HeatGrid("map")
        self.strip = CurveStrip(self.grid, "curve")
        whole = QVBoxLayout(self)
        whole.addWidget(self.grid, 3)
        whole.addWidget(self.strip, 1)
        scale = SCALES["logprob"]
        self.grid.show_sheet(sheet(), scale, scale.fixed)
        self.grid.chosen.connect(self._choose)

    def _choose(self, row: int, column: int) -> None:
        scale, values = SCALES["logprob"], self.grid.sheet.values[row]
        self.grid.select(row, column)
        self.strip.show_curve("row", values, scale, scale.fitted(values))
        self.strip.select(column)


def moves(shown: Map) -> Iterator[QEvent]:
    area = shown.grid.area
    for frame in range(FRAMES):
        at = QPointF(
            area.left() + 11 * frame % area.width(), area.top() + 2 * frame % area.height()
        )
        yield mouse(QEvent.Type.MouseMove, at, NO_BUTTON)


def scrub(shown: Map) -> Iterator[QEvent]:
    area = shown.grid.area
    yield mouse(QEvent.Type.MouseButtonPress, QPointF(area.center()), LEFT)
    for frame in range(FRAMES):
        at = QPointF(area.left() + 9 * frame % area.width(), area.center().y())
        yield mouse(QEvent.Type.MouseMove, at, LEFT)
    yield mouse(QEvent.Type.MouseButtonRelease, QPointF(area.center()), LEFT)


def scroll(shown: Map) -> Iterator[QEvent]:
    for frame in range(FRAMES):
        yield wheel(QPointF(shown.grid.area.center()), -120 if frame % 200 < 100 else 120, NO_KEY)


def zoom(shown: Map) -> Iterator[QEvent]:
    for frame in range(FRAMES):
        yield wheel(QPointF(shown.grid.area.center()), 60 if frame % 40 < 20 else -60, CONTROL)


def pan(shown: Map) -> Iterator[QEvent]:
    shown.grid.zoom_by(3.0)
    for frame in range(FRAMES):
        yield wheel(QPointF(shown.grid.area.center()), -40 if frame % 100 < 50 else 40, SHIFT)


def mouse(kind: QEvent.Type, at: QPointF, button: Qt.MouseButton) -> QMouseEvent:
    held = button if kind != QEvent.Type.MouseButtonRelease else NO_BUTTON
    pressed = button if kind != QEvent.Type.MouseMove else NO_BUTTON
    return QMouseEvent(kind, at, at, pressed, held, NO_KEY)


def wheel(at: QPointF, angle: int, held: Qt.KeyboardModifier) -> QWheelEvent:
    phase = Qt.ScrollPhase.NoScrollPhase
    return QWheelEvent(at, at, QPoint(), QPoint(0, angle), NO_BUTTON, held, phase, False)  # noqa: FBT003


def frames_ms(
    app: QApplication,
    shown: Map,
    events: Iterable[QEvent],
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Return how long each event and its painting took, in milliseconds of a clock."""
    taken = []
    for event in events:
        begun = clock()
        app.sendEvent(shown.grid.viewport(), event)
        app.processEvents()
        taken.append(1000 * (clock() - begun))
    return taken


def main() -> int:
    app = QApplication([])
    theme.apply(app, "light")
    shown = Map()
    shown.resize(1600, 900)
    shown.show()
    app.processEvents()
    worst = 0.0
    for gesture in (moves, scrub, scroll, zoom, pan):
        worked = frames_ms(app, shown, gesture(shown), time.thread_time)
        shown.grid.zoom_out()
        taken = frames_ms(app, shown, gesture(shown))
        figures = {
            "gesture": gesture.__name__,
            "frames": len(taken),
            "median_ms": round(float(np.median(taken)), 2),
            "p99_ms": round(float(np.percentile(taken, 99)), 2),
            "longest_ms": round(max(taken), 2),
            "worked_p99_ms": round(float(np.percentile(worked, 99)), 2),
        }
        worst = max(worst, float(np.percentile(worked, 99)))
        print(json.dumps(figures))
        shown.grid.zoom_out()
    return int(worst > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
