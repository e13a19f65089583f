"""The plot of a trajectory, on pyqtgraph; imported when the first plot is needed."""

from bisect import bisect_left

from PySide6.QtGui import QPen
from PySide6.QtWidgets import QWidget

from pythia_gui.core.steps import format_step, format_tokens
from pythia_gui.ui.axes import StepScale, positions
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.scores import (
    AXIS_NAMES,
    ScoreKind,
    height_range,
    line_of,
    number_of,
    number_text,
    problem_of,
    table_steps,
)
from pythia_gui.ui.step_plot import (
    DASH,
    STEP_NAMES,
    StepPlot,
    Stroke,
    series_color,
    stroke_pen,
    thinned,
)
from pythia_gui.ui.values import Curve, CurvePoint

__all__ = ["Plot", "pen_of", "point_at", "series_color", "thinned"]


class Plot(StepPlot):
    """Draws targets and foils against training."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._curves: tuple[Curve, ...] = ()
        self._tokens: dict[int, int | None] = {}
        super().__init__("Trajectory", parent)

    def show_curves(self, curves: tuple[Curve, ...], kind: ScoreKind, scale: StepScale) -> None:
        """Draw these curves in these units."""
        self._curves, self._kind = curves, kind
        self._tokens = {point.step: point.tokens_seen for curve in curves for point in curve.points}
        steps = table_steps(curves)
        places = positions(scale, steps, [self._tokens[step] or 0 for step in steps])
        place = dict(zip(steps, places.tolist(), strict=True))
        self._strokes = [stroke_of(curve, number) for number, curve in enumerate(curves)]
        lines = [line_of(curve, kind, place) for curve in curves]
        self.show_lines(scale, steps, places, lines)

    def axis_names(self) -> tuple[str, str]:
        return AXIS_NAMES[self._kind], STEP_NAMES[self._scale]

    def heights(self) -> tuple[float, float]:
        return height_range(self._lines, self._kind)

    def ringed(self, step: int) -> list[int | None]:
        return [_place_at(curve, step) for curve in self._curves]

    def hover_lines(self, step: int) -> tuple[str, ...]:
        """Return what is said of a step: its name, and each curve's number or problem."""
        tokens = self._tokens[step]
        seen = "" if tokens is None else f"  ·  {format_tokens(tokens)} seen"
        return (
            f"{format_step(step)}{seen}",
            *(line for curve in self._curves for line in self._curve_lines(curve, step)),
        )

    def _curve_lines(self, curve: Curve, step: int) -> tuple[str, ...]:
        point = point_at(curve, step)
        if point is None:
            return ()
        problem = problem_of(point, self._kind)
        text = problem or number_text(number_of(point, self._kind), self._kind)
        left_out = " (left out: known to be wrong)" if point.left_out and not problem else ""
        return (f"{reveal_token(curve.label)}   {text}{left_out}",)


def point_at(curve: Curve, step: int) -> CurvePoint | None:
    """Return the point of a curve at a step, or None."""
    place = _place_at(curve, step)
    return None if place is None else curve.points[place]


def _place_at(curve: Curve, step: int) -> int | None:
    place = bisect_left(curve.points, step, key=lambda point: point.step)
    found = place < len(curve.points) and curve.points[place].step == step
    return place if found else None


def stroke_of(curve: Curve, number: int) -> Stroke:
    """Return how a curve is drawn: targets solid, foils dashed."""
    return Stroke(number, DASH, 1.75) if curve.role == "foil" else Stroke(number)


def pen_of(curve: Curve, number: int) -> QPen:
    """Return the pen that draws a curve's sample."""
    return stroke_pen(stroke_of(curve, number))
