"""Measures of the text that a model writes, against training: one panel under the other."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from pythia_gui.core.steps import format_step, format_tokens
from pythia_gui.ui import theme
from pythia_gui.ui.axes import place_of, positions, step_labels
from pythia_gui.ui.bubble import Bubble
from pythia_gui.ui.scores import spread

STEP_AXIS = "training step, the steps asked evenly spaced"
_MARKER, _SMALLEST = 6.0, 3.0
_GAP = 14.0  # pixels between panels, beside the height of a title
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """One number's trajectory: a value for each step of the plot, NaN where there is none."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share an axis: its `title` with the unit, and its ends where they are fixed.

    Else it runs from 0 to beyond the largest value, and at `least` to this.
    """

    title: str
    lines: tuple[Measured, ...]
    ends: tuple[float, float] | None = None
    least: float = 0.0
    digits: int = 2

    def range(self) -> tuple[float, float]:
        """Return the ends of the axis: all values, from 0."""
        if self.ends is not None:
            return self.ends
        known = [value for line in self.lines for value in line.values if math.isfinite(value)]
        return 0.0, max(max(known, default=0.0) * 1.08, self.least) or 1.0


@dataclass(frozen=True, slots=True)
class Panels:
    """What the plot shows: steps (ascending), tokens seen at them, what went wrong there."""

    steps: tuple[int, ...] = ()
    tokens: tuple[int | None, ...] = ()
    problems: tuple[str, ...] = ()
    panels: tuple[Panel, ...] = ()


@dataclass(frozen=True, slots=True)
class _Frame:
    """A panel's place in pixels, and its axis."""

    rect: QRectF
    low: float
    high: float

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.rect.bottom() - share * self.rect.height()


class MeasurePlot(QWidget):
    """Draws panels over one axis of steps: every measured point, lines between neighbours alone.

    A click or the arrow keys ask for a step.
    """

    step_requested = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._shown = Panels()
        self._step = 0
        self._bubble = Bubble(self)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Measures of the continuations over training")
        theme.events.theme_changed.connect(self.update)

    @property
    def shown(self) -> Panels:
        """What is drawn."""
        return self._shown

    @property
    def bubble(self) -> Bubble:
        """What is said of the step under the pointer."""
        return self._bubble

    def show_panels(self, shown: Panels) -> None:
        """Draw these."""
        self._shown = shown
        self.update()

    def select(self, step: int) -> None:
        """Mark the selected step."""
        self._step = step
        self.update()

    def joined(self, line: Measured) -> list[tuple[int, int]]:
        """Return the places of the neighbours that a line joins: both measured, none between."""
        known = [math.isfinite(value) for value in line.values]
        return [(a, b) for a, b in pairwise(range(len(known))) if known[a] and known[b]]

    def x_of(self, step: int) -> float:
        """Return where a step stands, in pixels."""
        steps, plot = self._shown.steps, self._plot_rect()
        if len(steps) < 2:
            return plot.center().x()
        places = positions("even", steps, [0] * len(steps))
        place = place_of(step, "even", steps, places)
        return plot.left() + place / (len(steps) - 1) * plot.width()

    def nearest(self, x: float) -> int | None:
        """Return the step of the plot nearest to a pixel."""
        return min(self._shown.steps, key=lambda step: abs(self.x_of(step) - x), default=None)

    def sizeHint(self) -> QSize:
        return QSize(theme.GRID * 80, theme.GRID * 50)

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.GRID * 40, theme.GRID * 32)

    # ------------------------------------------------------------------------- events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        step = self.nearest(event.position().x())
        if event.button() == Qt.MouseButton.LeftButton and step is not None:
            self.step_requested.emit(step)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        step = self.nearest(event.position().x())
        if step is None or not self._plot_rect().contains(event.position()):
            self._bubble.hide()
            return
        place = QRect(round(self.x_of(step)), round(event.position().y()) - 8, 1, 16)
        self._bubble.show_above(place, *self.lines_of(step))

    def leaveEvent(self, event: QEvent) -> None:
        self._bubble.hide()
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.update()
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = self._shown.steps
        place = bisect_left(steps, self._step)
        here = place < len(steps) and steps[place] == self._step
        targets = {
            Qt.Key.Key_Left: place - 1,
            Qt.Key.Key_Right: place + 1 if here else place,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: len(steps) - 1,
        }
        target = targets.get(Qt.Key(event.key()))
        if target is None:
            event.ignore()
        elif 0 <= target < len(steps):
            self.step_requested.emit(steps[target])

    def lines_of(self, step: int) -> tuple[str, ...]:
        """Return what is said of a step: its name, then each number or why there is none."""
        place = self._shown.steps.index(step)
        seen = self._shown.tokens[place]
        title = format_step(step) + ("" if seen is None else f"  ·  {format_tokens(seen)} seen")
        numbers = [
            f"{line.name}   {line.values[place]:.{panel.digits}f}"
            for panel in self._shown.panels
            for line in panel.lines
            if math.isfinite(line.values[place])
        ]
        return (title, *(numbers or [self._shown.problems[place] or "not measured"]))

    # ------------------------------------------------------------------------- drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.current_theme().surface)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.small_font())
        if not self._shown.steps:
            return
        frames = self.frames()
        self._paint_step(painter)
        for panel, frame in zip(self._shown.panels, frames, strict=True):
            self._paint_axis(painter, panel, frame)
            self._paint_lines(painter, panel, frame)
        self._paint_steps(painter)
        if self.hasFocus():
            painter.setPen(QPen(theme.current_theme().accent, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def frames(self) -> list[_Frame]:
        """Return where each panel stands, top to bottom."""
        whole, line = self._plot_rect(), self._line_height()
        many = max(len(self._shown.panels), 1)
        height = max((whole.height() - many * (line + 4) - (many - 1) * _GAP) / many, 8.0)
        made, top = [], whole.top()
        for panel in self._shown.panels:
            rect = QRectF(whole.left(), top + line + 4, whole.width(), height)
            made.append(_Frame(rect, *panel.range()))
            top = rect.bottom() + _GAP
        return made

    def _plot_rect(self) -> QRectF:
        metrics, line = QFontMetricsF(theme.small_font()), self._line_height()
        names = [line.name for panel in self._shown.panels for line in panel.lines]
        right = max((metrics.horizontalAdvance(name) for name in names), default=0.0) + 24
        left = metrics.horizontalAdvance("00.00") + 20
        return QRectF(self.rect()).adjusted(left, 4, -right, -2 * line - 16)

    def _line_height(self) -> float:
        return QFontMetricsF(theme.small_font()).height()

    def _paint_axis(self, painter: QPainter, panel: Panel, frame: _Frame) -> None:
        colors, line = theme.current_theme(), self._line_height()
        title = QRectF(frame.rect.left(), frame.rect.top() - line - 4, frame.rect.width(), line)
        painter.setPen(colors.muted)
        painter.drawText(title, _LEFT, panel.title)
        room = max(int(frame.rect.height() // (line * 1.6)), 1)
        for value in ticks(frame.low, frame.high, min(room, _TICKS)):
            y = frame.y(value)
            painter.setPen(QPen(colors.line, 1))
            painter.drawLine(QPointF(frame.rect.left(), y), QPointF(frame.rect.right(), y))
            painter.setPen(colors.muted)
            place = QRectF(0, y - line / 2, frame.rect.left() - 10, line)
            painter.drawText(place, _RIGHT, f"{value:g}")

    def _paint_lines(self, painter: QPainter, panel: Panel, frame: _Frame) -> None:
        xs = [self.x_of(step) for step in self._shown.steps]
        ends: list[tuple[int, float]] = []
        for number, line in enumerate(panel.lines):
            spots = [
                QPointF(x, frame.y(value)) if math.isfinite(value) else None
                for x, value in zip(xs, line.values, strict=True)
            ]
            painter.setPen(QPen(series(number), 2.0))
            for a, b in self.joined(line):
                one, other = spots[a], spots[b]
                if one is not None and other is not None:
                    painter.drawLine(one, other)
            self._paint_marks(painter, spots, series(number))
            known = [spot for spot in spots if spot is not None]
            if known:
                ends.append((number, known[-1].y()))
        self._paint_names(painter, panel, frame, ends)

    def _paint_marks(
        self, painter: QPainter, spots: Sequence[QPointF | None], color: QColor
    ) -> None:
        surface, size = theme.current_theme().surface, self._marker_size(len(spots))
        for step, spot in zip(self._shown.steps, spots, strict=True):
            if spot is None:
                continue
            here = step == self._step
            painter.setPen(QPen(color, 2) if here else Qt.PenStyle.NoPen)
            painter.setBrush(surface if here else color)
            radius = 4.5 if here else size / 2
            painter.drawEllipse(spot, radius, radius)

    def _marker_size(self, many: int) -> float:
        """Return how wide a marker is: less than the distance of two."""
        return min(max(self._plot_rect().width() / max(many, 1) * 0.9, _SMALLEST), _MARKER)

    def _paint_names(
        self, painter: QPainter, panel: Panel, frame: _Frame, ends: Sequence[tuple[int, float]]
    ) -> None:
        line = self._line_height()
        wanted = [y for _, y in ends]
        centres = spread(wanted, line, frame.rect.top() - line / 2, frame.rect.bottom() + line / 2)
        for (number, _), y in zip(ends, centres, strict=True):
            left = frame.rect.right() + 14
            place = QRectF(left, y - line / 2, self.width() - left, line)
            painter.setPen(series(number))
            painter.drawText(place, _LEFT, panel.lines[number].name)

    def _paint_step(self, painter: QPainter) -> None:
        plot, steps = self._plot_rect(), self._shown.steps
        if steps[0] <= self._step <= steps[-1]:
            x = self.x_of(self._step)
            painter.setPen(QPen(theme.current_theme().accent, 1.5))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def _paint_steps(self, painter: QPainter) -> None:
        colors, plot, line = theme.current_theme(), self._plot_rect(), self._line_height()
        metrics = QFontMetricsF(theme.small_font())
        xs = [self.x_of(step) for step in self._shown.steps]
        painter.setPen(QPen(colors.warning, 2))
        for x, problem in zip(xs, self._shown.problems, strict=True):
            if problem:
                painter.drawLine(
                    QPointF(x - 3, plot.bottom() - 3), QPointF(x + 3, plot.bottom() + 3)
                )
                painter.drawLine(
                    QPointF(x - 3, plot.bottom() + 3), QPointF(x + 3, plot.bottom() - 3)
                )
        painter.setPen(colors.muted)
        for label in step_labels(self._shown.steps, xs, metrics.horizontalAdvance):
            place = QRectF(label.left - 1, plot.bottom() + 6, label.width + 2, line)
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), label.text)
        foot = QRectF(plot.left(), plot.bottom() + line + 10, plot.width(), line)
        key = "   ·   × failed" if any(self._shown.problems) else ""
        painter.drawText(foot, int(Qt.AlignmentFlag.AlignCenter), STEP_AXIS + key)


_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def series(number: int) -> QColor:
    """Return the colour of a line by its number."""
    colors = theme.current_theme().series
    return colors[number % len(colors)]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers from `low` to `high`, at most about `most` distances of them."""
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / most))
    distance = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= span / most - 1e-12)
    first, last = math.ceil(low / distance - 1e-9), math.floor(high / distance + 1e-9)
    return [float(np.round(n * distance, 10)) for n in range(first, last + 1)]
