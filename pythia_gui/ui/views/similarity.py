"""How alike the steps are."""

import math
from collections.abc import Sequence

from PySide6.QtWidgets import QPushButton, QWidget

from pythia_gui.core.events import Result
from pythia_gui.core.library import ModelEntry, PromptError
from pythia_gui.core.requests import Prompt, Request
from pythia_gui.core.steps import format_step, log_steps, tick_label
from pythia_gui.ui.axes import StepScale, positions
from pythia_gui.ui.curve_strip import CurveStrip, MatrixAndCurve, flow_of
from pythia_gui.ui.heat_grid import HeatGrid
from pythia_gui.ui.likeness import JS, TABLE_COLUMNS, Likeness, PairRows
from pythia_gui.ui.marks import MarkKey, MarkKind
from pythia_gui.ui.presenters import seen_at, why_not_here
from pythia_gui.ui.questions import Pin
from pythia_gui.ui.scales import ColourBar, Floats
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.sheet import Glyph, Row, Sheet
from pythia_gui.ui.step_notes import note_of, noted_columns
from pythia_gui.ui.tables import Table
from pythia_gui.ui.token_measures import signed
from pythia_gui.ui.views.page import Page, Plan
from pythia_gui.ui.views.token_map import AXES, AXIS_TIPS, NO_TOKENS, RANGE_TIPS, RANGES
from pythia_gui.ui.widgets import (
    ElidedLabel,
    set_tool_tip,
)
from pythia_gui.ui.workspace import Workspace

_STEPS = (("all", "All"), ("log", "Log-spaced"))
_STEP_TIPS = {
    "all": "Every step of the model on this machine",
    "log": "The powers of two and the last step: a tenth of the checkpoints",
}
_PROMPTS = (("screen", "The one asked"), ("set", "The set"))
_PROMPT_TIPS = {
    "screen": "The next-token distributions after the prompt above",
    "set": "The mean over the prompts that are loaded on the Prompts page",
}
_MARKS: tuple[tuple[MarkKind, str], ...] = (
    ("pair", "A against B"),
    ("flag", "has a note"),
)
_NO_SET = "Load a set of prompts on the Prompts page first."
_ONE_STEP = "Two steps are needed to compare; only one of this model is on this machine."
_HINT = "Point at a cell to compare two steps; click to go to one, Shift+click to compare both."


class Similarity(Page):
    """How alike the steps are: the mean divergence of their next-token distributions."""

    name = "Similarity"

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._entry: ModelEntry | None = None
        self._likeness = Likeness((), 0)
        self._texts: tuple[str, ...] = ()
        self._last_cell: tuple[int, int] | None = None
        self._which = Segments("Prompts", _PROMPTS, _PROMPT_TIPS)
        self._steps = Segments("Steps", _STEPS, _STEP_TIPS)
        self._axis = Segments("against", AXES, AXIS_TIPS)
        self._range = Segments("range", RANGES, RANGE_TIPS)
        self._range.choose("fitted")
        self._compare = QPushButton("Compare both")
        tools = (self._which, self._steps, self._range, self._compare)
        self.tools.addWidget(flow_of(*tools), 1)

    def use_prompts(self, texts: Sequence[str]) -> None:
        """Take the mean over these prompts, the one on screen where there are none."""
        self._texts = tuple(texts)
        self._which.choose("set" if self._texts else "screen")
        self.refresh()

    def build(self) -> QWidget:
        self._grid = HeatGrid("Similarity of steps", readable=False)
        self._strip = CurveStrip(self._grid, "Divergence of each step from the one before")
        self._bar = ColourBar()
        self._reading, self._remark = ElidedLabel(), ElidedLabel(role="muted")
        self._strip.set_corner(MarkKey(_MARKS))
        self._follow()
        tools, below = (self._axis, self._bar), (self._reading, self._remark)
        return MatrixAndCurve(tools, self._grid, self._strip, *below)

    def plan(self) -> Plan:
        self._offer_set()
        asked, entry = self.workspace.asking(endings=False), self.workspace.entry
        assert entry is not None
        steps = sorted(entry.here)
        if not steps:
            return Plan(message=why_not_here(entry, self.workspace.step))
        if len(steps) < 2:
            return Plan(message=_ONE_STEP)
        if self._steps.key == "log":
            steps = list(log_steps(steps))
        prompts, remark = self._prompts(entry, asked)
        at = tuple(self.workspace.library.checkpoint(entry.key, step) for step in steps)
        request = Request(
            self.runner.slot,
            at,
            prompts,
            next_token=True,
            top_k=1,
            background=True,
            similarity=True,
        )
        return Plan((request,), remark=remark)

    def clear(self) -> None:
        plan, self._entry = self._plan, self.workspace.entry
        request = plan.requests[0] if plan is not None and plan.requests else None
        steps = [at.step for at in request.checkpoints] if request else []
        self._likeness = Likeness(steps, len(request.prompts) if request else 0)
        self._last_cell = None
        known = all(tokens is not None for tokens in self._tokens_seen())
        self._axis.set_available("tokens", "" if known else NO_TOKENS)
        if not known and self._axis.key == "tokens":
            self._axis.choose("even")
        self.redraw()

    def take(self, result: Result) -> None:
        self._likeness.take(result)

    def redraw(self) -> None:
        means = self._likeness.means()
        limits = JS.fixed if self._range.key == "fixed" else JS.fitted(means)
        self._grid.show_sheet(self._sheet(means), JS, limits)
        self._bar.show_scale(JS, limits)
        before = self._likeness.to_step_before()
        self._strip.show_curve("From the step before", before, JS, JS.fitted(before))
        self._select()

    def table(self) -> Table:
        return Table(TABLE_COLUMNS, PairRows(self._likeness, self._model_name()))

    def row_chosen(self, row: int) -> None:
        self._choose(*PairRows(self._likeness, "").pair(row))

    # -- what is asked and shown --------------------------------------------------------------

    @property
    def grid(self) -> HeatGrid:
        """The matrix itself."""
        return self._grid

    @property
    def strip(self) -> CurveStrip:
        """The curve of divergences from the step before."""
        return self._strip

    def readout(self) -> tuple[str, str]:
        """Return what is said of the two steps that are read, and the remarks on them."""
        return self._reading.whole_text(), self._remark.whole_text()

    def _offer_set(self) -> None:
        there = bool(self._set_texts())
        self._which.set_available("set", "" if there else _NO_SET)
        if not there:
            self._which.choose("screen")

    def _set_texts(self) -> tuple[str, ...]:
        loaded = self.workspace.prompt_set
        if self._texts or loaded is None:
            return self._texts
        return tuple(dict.fromkeys(entry.prompt for entry in loaded.entries))

    def _prompts(self, entry: ModelEntry, asked: Prompt) -> tuple[tuple[Prompt, ...], str]:
        """Return the prompts to be asked, and a remark on those that can't be.

        Raises:
            PromptError: none of a set can be asked.
        """
        if self._which.key == "screen":
            return (asked,), ""
        made, why = [], ""
        texts = self._set_texts()
        for text in texts:
            try:
                made.append(self.workspace.library.encode(entry.key, text))
            except PromptError as problem:
                why = str(problem)
        if not made:
            raise PromptError(why)
        left_out = len(texts) - len(made)
        count = "1 prompt" if left_out == 1 else f"{left_out:,} prompts"
        return tuple(made), f"{count} left out: {why}" if left_out else ""

    def _sheet(self, means: Floats) -> Sheet:
        steps = self._likeness.steps
        tokens = [tokens or 0 for tokens in self._tokens_seen()]
        return Sheet(
            means,
            tuple(Row(tick_label(step)) for step in steps),
            steps,
            positions(self._axis_key, steps, tokens),
            self._axis_key,
            glyphs=self._pair_glyph(),
            flagged=noted_columns(self._entry, steps),
            square=True,
        )

    @property
    def _axis_key(self) -> StepScale:
        return next(key for key, _ in AXES if key == self._axis.key)

    def _pair_glyph(self) -> tuple[Glyph, ...]:
        """Return the mark of the two steps that the window compares, if both are here."""
        pair, steps = self.workspace.pair, self._likeness.steps
        if pair is None or self._entry is None:
            return ()
        if any(pin.model != self._entry.key or pin.step not in steps for pin in pair):
            return ()
        return (Glyph(steps.index(pair[0].step), steps.index(pair[1].step), "pair"),)

    def _tokens_seen(self) -> list[int | None]:
        entry = self._entry
        return [seen_at(entry, step) if entry else None for step in self._likeness.steps]

    def _model_name(self) -> str:
        return self._entry.name if self._entry is not None else ""

    # -- selection ----------------------------------------------------------------------------

    def _choose(self, row: int, column: int) -> None:
        """Go to the column's step, and remember both for the comparison."""
        self._last_cell = (row, column)
        self._name_compare()
        self.workspace.show_step(self._likeness.steps[column])
        self._select()

    def _choose_column(self, column: int) -> None:
        self._choose(max(column - 1, 0), column)

    def _pair(self, row: int, column: int) -> None:
        """Compare the two steps of a cell everywhere."""
        if self._entry is None or row == column:
            return
        self._last_cell = (row, column)
        steps, key = self._likeness.steps, self._entry.key
        self.workspace.set_pair(Pin(key, steps[row]), Pin(key, steps[column]))
        one, other = format_step(steps[row]), format_step(steps[column])
        self.noticed.emit(f"A is {one} and B {other} of {self._entry.name}.")
        self._select()

    def _compare_last(self) -> None:
        if self._last_cell is not None:
            self._pair(*self._last_cell)

    def _name_compare(self) -> None:
        cell = self._last_cell
        self._compare.setEnabled(cell is not None and cell[0] != cell[1])
        tip = "Choose a cell of two different steps first"
        if cell is not None and cell[0] != cell[1]:
            steps = self._likeness.steps
            names = format_step(steps[cell[0]]), format_step(steps[cell[1]])
            tip = f"Take {names[0]} as A and {names[1]} as B in the other views"
        set_tool_tip(self._compare, tip)

    def _on_set(self, _prompts: object) -> None:
        """Offer the set; where it is in use, ask it."""
        if self._which.key == "set":
            self.refresh()
        else:
            self._offer_set()

    def _on_pair(self, _pair: object) -> None:
        self.touch()

    def _select(self) -> None:
        steps, step = self._likeness.steps, self.workspace.step
        column = steps.index(step) if step in steps else -1
        row = self._last_cell[0] if self._last_cell is not None else -1
        self._grid.select(row, column)
        self._strip.select(column)
        self._name_compare()
        self._read()

    # -- reading ------------------------------------------------------------------------------

    def _read(self) -> None:
        row, column = self._grid.cell
        count = len(self._likeness.steps)
        if not 0 <= column < count:
            self._reading.setText(_HINT)
            self._remark.setText("")
            self._bar.mark(math.nan)
            return
        if not 0 <= row < count:
            row = max(column - 1, 0)
        self._reading.setText("  ·  ".join(self._pair_parts(row, column)))
        self._remark.setText("  ·  ".join(self._remarks(row, column)))
        self._bar.mark(float(self._grid.sheet.values[row, column]))

    def _pair_parts(self, row: int, column: int) -> list[str]:
        known = self._likeness
        steps = [format_step(known.steps[at]) for at in (row, column)]
        if row == column:
            return [steps[0], "the same step"]
        mean = float(self._grid.sheet.values[row, column])
        if math.isnan(mean):
            problems = [known.problems.get(known.steps[at], "") for at in (row, column)]
            return [*steps, next(filter(None, problems), "not measured yet")]
        counted, total = known.counted(row, column), known.prompts
        over = f"mean over {counted:,} of {total:,} prompts" if total > 1 else "for this prompt"
        return [f"{steps[0]} and {steps[1]}", f"{signed(mean, 4)} bits", over]

    def _remarks(self, row: int, column: int) -> list[str]:
        known, found = self._likeness, []
        if known.twin_of(row, column):
            found.append("both have the same weights")
        for at in dict.fromkeys((row, column)):
            note = note_of(self._entry, known.steps[at])
            if note:
                found.append(f"{format_step(known.steps[at])}: {note}")
        return found

    # -- putting together ---------------------------------------------------------------------

    def _follow(self) -> None:
        self._which.chosen.connect(self.refresh)
        self._steps.chosen.connect(self.refresh)
        self._axis.chosen.connect(self.touch)
        self._range.chosen.connect(self.touch)
        self._compare.clicked.connect(self._compare_last)
        self._grid.hovered.connect(self._read)
        self._grid.chosen.connect(self._choose)
        self._grid.paired.connect(self._pair)
        self._strip.chosen.connect(self._choose_column)
        self.workspace.step_changed.connect(self._select)
        self.workspace.pair_changed.connect(self._on_pair)
        self.workspace.prompt_set_changed.connect(self._on_set)
