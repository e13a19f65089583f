"""The curve of one prompt of a set: its target and foil over the steps."""

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from pythia_gui.core.library import ModelEntry
from pythia_gui.core.prompt_numbers import FAILED, Floats, SetNumbers
from pythia_gui.ui.presenters import seen_at
from pythia_gui.ui.scores import ScoreKind
from pythia_gui.ui.trajectory import Labels
from pythia_gui.ui.trajectory_plot import Plot
from pythia_gui.ui.values import Curve, CurvePoint
from pythia_gui.ui.widgets import ElidedLabel, Surface, column_of, row_of

_CHOOSE = "Choose a row to see its curve; a double click opens the prompt in all views."
_FAILED = "this could not be measured"


def curves_of_row(
    entry: ModelEntry, numbers: SetNumbers, row: int, target: str, foil: str
) -> tuple[Curve, ...]:
    """Return the curves of a prompt's target and foil: the measured steps, and those that failed.

    Ranks are the target's alone: a foil's is not kept.
    """
    ranks = numbers.rank[row]
    made = [Curve(target, entry.name, "target", _points(entry, numbers, row, numbers.target))]
    if foil:
        made.append(Curve(foil, entry.name, "foil", _points(entry, numbers, row, numbers.foil)))
    return tuple(made) if ranks.any() else ()


def _points(
    entry: ModelEntry, numbers: SetNumbers, row: int, values: Floats
) -> tuple[CurvePoint, ...]:
    points = []
    for place, step in enumerate(numbers.steps):
        rank, logprob = int(numbers.rank[row, place]), float(values[row, place])
        seen = seen_at(entry, step)
        if rank == FAILED:
            points.append(CurvePoint(step, seen, None, None, _FAILED))
        elif rank and not np.isnan(logprob):
            own = rank if values is numbers.target else None
            points.append(CurvePoint(step, seen, logprob, own))
    return tuple(points)


class CurveView(QWidget):
    """Shows the curves of the chosen prompt, with its text above."""

    step_requested = Signal(int)  # a person goes to this step

    def __init__(self) -> None:
        super().__init__()
        self._curves: tuple[Curve, ...] = ()
        self._kind: ScoreKind = "probability"
        self._step = 0
        self._name = ElidedLabel(_CHOOSE, role="muted")
        self._plot = Plot()
        self._labels = Labels()
        self._labels.follow(self._plot)
        self._body = Surface()
        self._body.setLayout(row_of(self._plot, self._labels, gap=0, stretch=self._plot))
        self.setLayout(column_of(self._name, self._body, gap=0, stretch=self._body))
        self._plot.step_requested.connect(self.step_requested)
        self._body.hide()

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is drawn."""
        return self._curves

    def show_row(self, name: str, curves: tuple[Curve, ...], kind: ScoreKind) -> None:
        """Draw a prompt's curves; without any, say what to do."""
        shown = tuple(c for c in curves if kind != "rank" or c.role == "target")
        self._name.setText(name or _CHOOSE)
        self._body.setVisible(bool(shown))
        if (shown, kind) != (self._curves, self._kind):
            self._curves, self._kind = shown, kind
            self._plot.show_curves(shown, kind, "even")
            self._labels.show_curves(shown, kind, self._step)

    def select(self, step: int) -> None:
        """Mark a step."""
        self._step = step
        self._plot.select(step)
        self._labels.show_curves(self._curves, self._kind, step)
