"""Several curves against training with bands, intervals and remarks, named at their ends."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QTransform,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from pythia_gui.core.steps import format_step, format_tokens
from pythia_gui.ui import theme
from pythia_gui.ui.axes import StepScale, place_of, positions
from pythia_gui.ui.reveal import reveal
from pythia_gui.ui.scores import (
    AXIS_NAMES,
    SCORE_TIPS,
    SCORES,
    Line,
    ScoreKind,
    height_range,
    number_text,
    spread,
)
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.step_plot import (
    STEP_NAMES,
    Drawing,
    StepPlot,
    Stroke,
    mapped,
    series_color,
    stroke_pen,
)
from pythia_gui.ui.widgets import row_of, tool_tip

Numbers = NDArray[np.float64]

_SCALES: tuple[tuple[StepScale, str], ...] = (
    ("even", "Checkpoints"),
    ("log2", "log2"),
    ("tokens", "Tokens"),
)
_SCALE_TIPS = {
    "even": "Every checkpoint equally far from the next, as on the timeline",
    "log2": "log2(1 + step): each doubling equally wide, which shows the early training best",
    "tokens": "In proportion to the tokens of training text that the model had read",
}
_NO_TOKENS = "How many tokens this model had seen by each step is not known."
_SAMPLE = 22  # pixels of line before a name
_PAD = 8
_WIDEST_NAME, _NARROWEST_NAME = 240, 88
_LEAST_SPAN = 3.0  # pixels that an interval takes at least
_BAND_ALPHA, _SPAN_ALPHA = 46, 36


@dataclass(frozen=True, slots=True)
class Unit:
    """What heights are: how they are written, what the axis is called, if there is a 0 line."""

    kind: ScoreKind
    axis: str
    zero: bool = False

    def text(self, number: float) -> str:
        """Return a number for reading."""
        plus = "+" if self.zero and number > 0 else ""
        return plus + number_text(number, self.kind)

    def heights(self, numbers: ArrayLike) -> Numbers:
        """Return where numbers stand on the axis, upwards; ranks on a falling log axis."""
        given = np.asarray(numbers, dtype=np.float64)
        if self.kind != "rank":
            return np.where(np.isfinite(given), given, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(given >= 1, -np.log10(given), np.nan)


SCORE_UNITS: dict[ScoreKind, Unit] = {kind: Unit(kind, AXIS_NAMES[kind]) for kind, _ in SCORES}
DIFFERENCE = Unit("logprob", "log-probability difference (nats)", zero=True)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One curve: its measured steps (ascending) and a number for each, NaN being a gap.

    All arrays have shape (point,), or (0,) where there is no band. `tokens` are those seen by
    each step, empty where unknown. `problems` say by step why there is no number; steps in
    `left_out` are known to be wrong. `notes` are whole sentences to know before reading it.
    """

    name: str
    steps: tuple[int, ...]
    values: Numbers
    stroke: Stroke
    tokens: tuple[int, ...] = ()
    low: Numbers = field(default_factory=lambda: np.empty(0))
    high: Numbers = field(default_factory=lambda: np.empty(0))
    problems: Mapping[int, str] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()
    notes: tuple[tuple[str, str], ...] = ()  # mark and sentence

    def place_at(self, step: int) -> int | None:
        """Return where a step stands in the arrays."""
        place = bisect_left(self.steps, step)
        return place if place < len(self.steps) and self.steps[place] == step else None

    def value_at(self, step: int) -> float:
        """Return the number at a step, NaN where there is none."""
        place = self.place_at(step)
        return math.nan if place is None else float(self.values[place])

    def label(self) -> str:
        """Return the name with the marks of its notes, hidden characters spelled."""
        marks = " ".join(mark for mark, _ in self.notes)
        return f"{reveal(self.name)} {marks}".rstrip()


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of steps that something lies in; `before` None: from the first step on."""

    before: int | None
    at: int
    text: str
    color: int | None = None
    row: int | None = 0


class BandPlot(StepPlot):
    """Draws traces with their bands, and intervals as shaded spans named above the curves."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        self._traces: tuple[Trace, ...] = ()
        self._spans: tuple[Span, ...] = ()
        self._bands: list[tuple[Numbers, Numbers, Numbers, int]] = []
        self._unit = SCORE_UNITS["probability"]
        self._rows = 0
        super().__init__(name, parent)

    @property
    def traces(self) -> tuple[Trace, ...]:
        """What is drawn."""
        return self._traces

    @property
    def spans(self) -> tuple[Span, ...]:
        """The intervals that are shaded."""
        return self._spans

    @property
    def bands(self) -> Sequence[tuple[Numbers, Numbers, Numbers, int]]:
        """The bands: places, low and high ends on the axes, and the number of the colour."""
        return self._bands

    @property
    def unit(self) -> Unit:
        """What the heights are."""
        return self._unit

    def show_traces(
        self, traces: Sequence[Trace], unit: Unit, scale: StepScale, spans: Sequence[Span] = ()
    ) -> None:
        """Draw these curves and intervals."""
        self._traces, self._spans = tuple(traces), tuple(spans)
        self._unit, self._kind = unit, unit.kind
        steps = sorted({step for trace in traces for step in trace.steps})
        seen = {step: t for trace in traces for step, t in zip(trace.steps, trace.tokens)}  # noqa: B905
        if len(seen) < len(steps):
            scale = "even" if scale == "tokens" else scale
        places = positions(scale, steps, [seen.get(step, 0) for step in steps])
        place = dict(zip(steps, places.tolist(), strict=True))
        self._strokes = [trace.stroke for trace in traces]
        lines = [_line_of(trace, unit, scale, place) for trace in traces]
        self._leave_room()
        self._bands = [
            (line.xs, unit.heights(trace.low), unit.heights(trace.high), trace.stroke.color)
            for trace, line in zip(traces, lines, strict=True)
            if len(trace.low)
        ]
        self.show_lines(scale, steps, places, lines)
        self.viewport().update()

    def axis_names(self) -> tuple[str, str]:
        return self._unit.axis, STEP_NAMES[self._scale]

    def ringed(self, step: int) -> list[int | None]:
        return [trace.place_at(step) for trace in self._traces]

    def heights(self) -> tuple[float, float]:
        ends = [
            Line(xs, end, np.zeros(len(xs), dtype=np.bool_))
            for xs, low, high, _ in self._bands
            for end in (low, high)
        ]
        lines = [*self._lines, *ends]
        if not self._unit.zero:
            return height_range(lines, self._kind)
        heights = np.concatenate([line.heights for line in lines]) if lines else np.empty(0)
        finite = heights[np.isfinite(heights)]
        low, high = finite.min(initial=0.0), finite.max(initial=0.0)
        air = max((high - low) * 0.06, 0.1)
        return float(low - air), float(high + air)

    def hover_lines(self, step: int) -> tuple[str, ...]:
        """Return what is said of a step: its name, and each curve's number or problem."""
        at = ((trace, trace.place_at(step)) for trace in self._traces)
        here = [(trace, place) for trace, place in at if place is not None]
        tokens = next((trace.tokens[place] for trace, place in here if trace.tokens), None)
        seen = "" if tokens is None else f"  ·  {format_tokens(tokens)} seen"
        head = f"{format_step(step)}{seen}"
        return (head, *(self._said_of(trace, place, step) for trace, place in here))

    def _said_of(self, trace: Trace, place: int, step: int) -> str:
        value = float(trace.values[place])
        text = self._unit.text(value)
        if math.isnan(value):
            text = trace.problems.get(step, "no number")
        elif len(trace.low) and math.isfinite(trace.low[place]):
            ends = (self._unit.text(float(end[place])) for end in (trace.low, trace.high))
            text = f"{text}  ({' to '.join(ends)})"
        out = " (left out: known to be wrong)" if step in trace.left_out else ""
        return f"{reveal(trace.name)}   {text}{out}"

    # ------------------------------------------------------------------------- intervals

    def make_drawing(self) -> "_BandDrawing":
        return _BandDrawing(self)

    def head_height(self) -> float:
        return super().head_height() + getattr(self, "_rows", 0) * self._row_height()

    def _row_height(self) -> float:
        return QFontMetricsF(theme.small_font()).height() + 4

    def _leave_room(self) -> None:
        rows = max((span.row + 1 for span in self._spans if span.row is not None), default=0)
        if rows != self._rows:
            self._rows = rows
            self.getPlotItem().layout.setContentsMargins(4, self.head_height(), 0, 4)
            self.getPlotItem().layout.activate()

    def place(self, step: int) -> float:
        """Return where a step stands on the axis of steps."""
        return place_of(step, self._scale, self._steps, self._places)

    def span_ends(self, span: Span) -> tuple[float, float]:
        """Return where an interval begins and ends, in pixels of the widget, a few at least."""
        right = self.x_of(span.at)
        left = right if span.before is None else self.x_of(span.before)
        short = max(_LEAST_SPAN - (right - left), 0.0) / 2
        return left - short, right + short

    def span_boxes(self) -> list[QRectF]:
        """Return where the name of each interval in a row stands, in pixels of the widget."""
        metrics, frame, boxes = QFontMetricsF(theme.small_font()), self.frame(), []
        for span in self._spans:
            if span.row is None:
                continue
            left, right = self.span_ends(span)
            width = metrics.horizontalAdvance(span.text) + 2
            x = right + 6 if right + 6 + width <= frame.right() else left - 6 - width
            top = frame.top() - (self._rows - span.row) * self._row_height() - 2
            boxes.append(QRectF(max(x, frame.left()), top, width, self._row_height()))
        return boxes

    def drawForeground(self, painter: QPainter, rect: QRectF) -> None:
        super().drawForeground(painter, rect)
        if not self._steps:
            return
        painter.save()
        painter.setFont(theme.small_font())
        frame = self.frame()
        named = [span for span in self._spans if span.row is not None]
        for span, box in zip(named, self.span_boxes(), strict=True):
            left, right = self.span_ends(span)
            if right < frame.left() or left > frame.right():
                continue
            left, right = max(left, frame.left()), min(right, frame.right())
            middle = box.center().y()
            painter.setPen(QPen(span_color(span), 2))
            painter.drawLine(QPointF(left, middle), QPointF(right, middle))
            for x in (left, right):
                painter.drawLine(QPointF(x, middle - 4), QPointF(x, middle + 4))
            painter.setPen(theme.current_theme().text)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, span.text)
        painter.restore()


class _BandDrawing(Drawing):
    """Paints bands, intervals and the line of 0 under the curves."""

    def __init__(self, plot: BandPlot) -> None:
        super().__init__()
        self._plot = plot

    def paint_under(self, painter: QPainter, view: QTransform) -> None:
        area = view.mapRect(QRectF(self.viewRect()))
        self._paint_spans(painter, view, area)
        if self._plot.unit.zero:
            y = view.map(QPointF(0.0, 0.0)).y()
            painter.setPen(QPen(theme.current_theme().outline, 1.5))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setPen(Qt.PenStyle.NoPen)
        for xs, low, high, color in self._plot.bands:
            painter.setBrush(_faint(series_color(color), _BAND_ALPHA))
            for shape in _areas(view, xs, low, high):
                painter.drawPolygon(shape)

    def _paint_spans(self, painter: QPainter, view: QTransform, area: QRectF) -> None:
        plot = self._plot
        painter.setPen(Qt.PenStyle.NoPen)
        for span in plot.spans:
            at = view.map(QPointF(plot.place(span.at), 0.0)).x()
            before = span.at if span.before is None else span.before
            start = view.map(QPointF(plot.place(before), 0.0)).x()
            short = max(_LEAST_SPAN - (at - start), 0.0) / 2
            painter.setBrush(_faint(span_color(span), _SPAN_ALPHA))
            sides = start - short, at - start + 2 * short
            painter.drawRect(QRectF(sides[0], area.top(), sides[1], area.height()))


def span_color(span: Span) -> QColor:
    """Return the colour of an interval: its curve's, else that of the axis."""
    muted = theme.current_theme().muted
    return muted if span.color is None else series_color(span.color)


def _faint(color: QColor, alpha: int) -> QColor:
    made = QColor(color)
    made.setAlpha(alpha)
    return made


def _areas(view: QTransform, xs: Numbers, low: Numbers, high: Numbers) -> list[QPolygonF]:
    """Return the shapes between low and high, broken where either is a gap."""
    known = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
    cuts = [place + 1 for place, (a, b) in enumerate(pairwise(known.tolist())) if b - a > 1]
    shapes = []
    for part in np.split(known, cuts):
        ahead, back = mapped(view, xs[part], high[part]), mapped(view, xs[part], low[part])
        shapes.append(QPolygonF([*ahead, *reversed(back)]))
    return shapes


def _line_of(trace: Trace, unit: Unit, scale: StepScale, place: Mapping[int, float]) -> Line:
    xs = trace.tokens if scale == "tokens" else [place[step] for step in trace.steps]
    out = np.array([step in trace.left_out for step in trace.steps], dtype=np.bool_)
    return Line(np.array(xs, dtype=np.float64), unit.heights(trace.values), out)


class TraceLabels(QWidget):
    """Names the curves at their right ends, with each one's number at the selected step."""

    def __init__(self, plot: BandPlot) -> None:
        super().__init__()
        self._plot = plot
        self._step = 0
        self._width = 0
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        plot.view_changed.connect(self.update)
        theme.events.theme_changed.connect(self._fit)

    def show_step(self, step: int) -> None:
        """Give the numbers of another step."""
        self._step = step
        self._fit()

    def texts(self) -> list[tuple[str, str]]:
        """Return each curve's name and its number at the selected step."""
        unit, step = self._plot.unit, self._step
        return [(trace.label(), unit.text(trace.value_at(step))) for trace in self._plot.traces]

    def rects(self) -> list[QRectF]:
        """Return where each curve's label stands."""
        frame, height = self._plot.frame(), self._row_height()
        centres = spread(self._ends(), height, frame.top(), frame.bottom())
        return [QRectF(_PAD, y - height / 2, self.width() - 2 * _PAD, height) for y in centres]

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(theme.ui_font())
        texts = self.texts()
        name = max((metrics.horizontalAdvance(name) for name, _ in texts), default=0.0)
        widest = {"probability": "100.0 %", "logprob": "−10.000", "rank": "50,000"}
        number = metrics.horizontalAdvance(widest[self._plot.unit.kind])
        number = max([number, *(metrics.horizontalAdvance(text) for _, text in texts)])
        width = _PAD + _SAMPLE + 6 + min(max(name, _NARROWEST_NAME), _WIDEST_NAME) + 16 + number
        return QSize(round(width + _PAD), 104)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), tool_tip(self.tip_at(event.pos().y())), self)
            return True
        return super().event(event)

    def tip_at(self, y: float) -> str:
        """Return the whole name and the notes of the curve that is named at a height."""
        for trace, rect in zip(self._plot.traces, self.rects(), strict=True):
            if rect.top() <= y <= rect.bottom():
                return "\n".join([trace.label(), *(f"{m} {text}" for m, text in trace.notes)])
        return ""

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        if not self._plot.traces:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.small_font())
        painter.setPen(theme.current_theme().muted)
        head = QRect(_PAD, 0, self.width() - 2 * _PAD, round(self._row_height()))
        painter.drawText(head, int(_RIGHT | _MIDDLE), f"at {format_step(self._step)}")
        rows = zip(self._plot.traces, self.rects(), self._ends(), self.texts(), strict=True)
        for trace, rect, end, (name, value) in rows:
            self._paint_label(painter, trace.stroke, rect, end)
            self._paint_texts(painter, rect, name, value)

    def _paint_label(self, painter: QPainter, stroke: Stroke, rect: QRectF, end: float) -> None:
        middle = rect.center().y()
        painter.setPen(QPen(series_color(stroke.color), 1))
        painter.drawLine(QPointF(0, end), QPointF(_PAD, middle))
        painter.setPen(stroke_pen(stroke))
        painter.drawLine(QPointF(_PAD, middle), QPointF(_PAD + _SAMPLE, middle))
        if stroke.hollow:
            painter.setPen(QPen(series_color(stroke.color), 1.25))
            painter.setBrush(theme.current_theme().surface)
            painter.drawEllipse(QPointF(_PAD + _SAMPLE / 2, middle), 3, 3)

    def _paint_texts(self, painter: QPainter, rect: QRectF, name: str, value: str) -> None:
        metrics = QFontMetricsF(theme.ui_font())
        painter.setFont(theme.ui_font())
        painter.setPen(theme.current_theme().text)
        painter.drawText(rect, int(_RIGHT | _MIDDLE), value)
        left = rect.left() + _SAMPLE + 6
        room = rect.right() - metrics.horizontalAdvance(value) - 8 - left
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room)
        box = QRectF(left, rect.top(), room, rect.height())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignLeft | _MIDDLE), shown)

    def _ends(self) -> list[float]:
        """Return the heights of the curves' last numbers, in pixels."""
        ends = []
        for line in self._plot.lines:
            _, heights = line.marked(left_out=False)
            foot = self._plot.frame().bottom()
            ends.append(self._plot.y_of(float(heights[-1])) if len(heights) else foot)
        return ends

    def _row_height(self) -> float:
        return QFontMetricsF(theme.ui_font()).height() + 2

    def _fit(self) -> None:
        width = self.sizeHint().width()
        if width != self._width:
            self._width = width
            self.updateGeometry()
        self.update()


_RIGHT, _MIDDLE = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignVCenter


class BandView(QWidget):
    """A plot of traces with their names beside it."""

    step_requested = Signal(int)  # a person goes to this step

    def __init__(self, name: str) -> None:
        super().__init__()
        self._step = 0
        self.plot = BandPlot(name)
        self.labels = TraceLabels(self.plot)
        self.setLayout(row_of(self.plot, self.labels, gap=0, stretch=self.plot))
        self.plot.step_requested.connect(self.step_requested)

    def show_traces(
        self, traces: Sequence[Trace], unit: Unit, scale: StepScale, spans: Sequence[Span] = ()
    ) -> None:
        """Draw these curves and intervals."""
        self.plot.show_traces(traces, unit, scale, spans)
        self.labels.show_step(self._step)

    def select(self, step: int) -> None:
        """Mark the selected step, without announcing it."""
        self._step = step
        self.plot.select(step)
        self.labels.show_step(step)


class ScoreChoice(Segments):
    """Chooses what a curve shows."""

    def __init__(self) -> None:
        super().__init__("Show", SCORES, SCORE_TIPS)

    @property
    def kind(self) -> ScoreKind:
        """What is chosen."""
        return next(kind for kind, _ in SCORES if kind == self.key)


class ScaleChoice(Segments):
    """Chooses the axis of steps."""

    def __init__(self) -> None:
        super().__init__("against", _SCALES, _SCALE_TIPS)

    @property
    def scale(self) -> StepScale:
        """What is chosen."""
        return next(scale for scale, _ in _SCALES if scale == self.key)

    def set_tokens_known(self, known: bool) -> None:  # noqa: FBT001 - mirrors Qt's setters
        """Offer tokens only where they are known."""
        self.set_available("tokens", "" if known else _NO_TOKENS)
        if not known and self.key == "tokens":
            self.choose("even")
