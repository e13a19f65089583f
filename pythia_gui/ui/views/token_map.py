"""Every token of the prompt at every step."""

import math

import numpy as np
from PySide6.QtWidgets import QPushButton, QWidget

from pythia_gui.core.events import Result
from pythia_gui.core.library import ModelEntry
from pythia_gui.core.requests import Prompt, Request
from pythia_gui.core.steps import format_step
from pythia_gui.ui.axes import StepScale, positions
from pythia_gui.ui.curve_strip import CurveStrip, MatrixAndCurve, flow_of
from pythia_gui.ui.heat_grid import HeatGrid
from pythia_gui.ui.map_numbers import (
    SCALES,
    TABLE_COLUMNS,
    LongRows,
    MapMeasure,
    MapNumbers,
    acquired_text,
    rows_of,
)
from pythia_gui.ui.marks import MarkKey, MarkKind
from pythia_gui.ui.presenters import seen_at, step_line, why_not_here
from pythia_gui.ui.questions import coarse_first, swept_steps
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.scales import ColourBar, Floats
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.sheet import Glyph, Group, Row, Sheet
from pythia_gui.ui.step_notes import left_out_line, note_of, noted_columns
from pythia_gui.ui.tables import Table
from pythia_gui.ui.token_measures import probability_text, signed, surprisal_bits
from pythia_gui.ui.views.page import Page, Plan
from pythia_gui.ui.widgets import (
    ElidedLabel,
    set_tool_tip,
)
from pythia_gui.ui.workspace import Workspace

_MEASURES: tuple[tuple[MapMeasure, str], ...] = (
    ("logprob", "Log-probability"),
    ("probability", "Probability"),
    ("rank", "Rank"),
    ("surprisal", "Surprisal"),
    ("change", "Change"),
    ("since", "Since pinned"),
)
_MEASURE_TIPS = {
    "logprob": "The natural logarithm of each token's probability: tells very small ones apart",
    "probability": "How likely the model finds each token, given those before it",
    "rank": "Each token's place among all that could have stood there; 1 is the likeliest",
    "surprisal": "How unexpected each token is, in bits: one bit more is half as likely",
    "change": "How much the log-probability grew or fell since the step before, in nats",
    "since": "How much the log-probability differs from that at the pinned step, in nats",
}
AXES: tuple[tuple[StepScale, str], ...] = (
    ("even", "Checkpoints"),
    ("log2", "log2(1 + step)"),
    ("tokens", "Tokens"),
)
AXIS_TIPS = {
    "even": "Every checkpoint equally wide, as on the timeline",
    "log2": "Each doubling of the steps equally wide: shows the early training best",
    "tokens": "In proportion to the tokens of training text that the model had read",
}
NO_TOKENS = "How many tokens this model had seen by each step is not known."
RANGES = (("fixed", "Fixed"), ("fitted", "Fitted"))
RANGE_TIPS = {
    "fixed": "One range for every prompt and model: the same colour is the same number",
    "fitted": "The range of the numbers on screen: shows small differences",
}
_MARKS: tuple[tuple[MarkKind, str], ...] = (
    ("ring", "first in top 10"),
    ("dot", "first on top"),
    ("line", "stays on top"),
)
_NO_PROMPT = Prompt("", (0,))
_FEW_ROWS = 64  # whose marks are found anew while a sweep runs
_NOTHING_BEFORE = "Type at least two tokens or a target: the first token has nothing before it."


class TokenMap(Page):
    """Every token of the prompt at every step, as colours; one of them as a curve."""

    name = "Map"

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._entry: ModelEntry | None = None
        self._numbers = MapNumbers(_NO_PROMPT, (), ())
        self._first = ""
        self._row = -1
        self._pinned: int | None = None
        self._marks: tuple[Glyph, ...] = ()
        self._marked_at = -1
        self._measures = Segments("Show", _MEASURES, _MEASURE_TIPS)
        self._axis = Segments("against", AXES, AXIS_TIPS)
        self._range = Segments("range", RANGES, RANGE_TIPS)
        self._pin_button = QPushButton("Pin this step")
        self.tools.addWidget(flow_of(self._measures, self._pin_button, self._range), 1)

    def build(self) -> QWidget:
        self._grid = HeatGrid("Map of tokens by steps")
        self._strip = CurveStrip(self._grid, "Curve of the selected row")
        self._bar = ColourBar()
        self._reading, self._learned = ElidedLabel(), ElidedLabel(role="muted")
        self._strip.set_corner(MarkKey(_MARKS))
        self._follow()
        tools, below = (self._axis, self._bar), (self._reading, self._learned)
        return MatrixAndCurve(tools, self._grid, self._strip, *below)

    def plan(self) -> Plan:
        prompt, entry = self.workspace.asking(), self.workspace.entry
        assert entry is not None
        steps = swept_steps(entry)
        if not steps:
            return Plan(message=why_not_here(entry, self.workspace.step))
        if len(prompt.token_ids) < 2 and not prompt.targets:
            return Plan(message=_NOTHING_BEFORE)
        at = tuple(
            self.workspace.library.checkpoint(entry.key, step) for step in coarse_first(steps)
        )
        asked = Request(
            self.runner.slot, at, (prompt,), score=True, next_token=False, top_k=1, background=True
        )
        return Plan((asked,), remark=left_out_line(entry))

    def clear(self) -> None:
        self._marked_at = -1
        self._numbers = self._fresh_numbers()
        self._marks = ()
        known = all(tokens is not None for tokens in self._tokens_seen())
        self._axis.set_available("tokens", "" if known else NO_TOKENS)
        if not known and self._axis.key == "tokens":
            self._axis.choose("even")
        self._row = self._row_for(self.workspace.token)
        self._name_pin()
        self.redraw()
        if self.workspace.token < 0:
            self._grid.verticalScrollBar().setValue(0)

    def take(self, result: Result) -> None:
        self._numbers.take(result)

    def redraw(self) -> None:
        self._mark_learned()
        values = self._numbers.values(self._measure_key, self._pinned_column())
        scale = SCALES[self._measure_key]
        limits = scale.fixed if self._range.key == "fixed" else scale.fitted(values)
        self._grid.show_sheet(self._sheet(values), scale, limits)
        self._bar.show_scale(scale, limits)
        self._select()

    def table(self) -> Table:
        return Table(TABLE_COLUMNS, LongRows(self._numbers, self._model_name()))

    def row_chosen(self, row: int) -> None:
        self._choose(*divmod(row, max(len(self._numbers.steps), 1)))

    # -- what is asked and shown --------------------------------------------------------------

    @property
    def grid(self) -> HeatGrid:
        """The map itself."""
        return self._grid

    @property
    def strip(self) -> CurveStrip:
        """The curve of the selected row."""
        return self._strip

    def readout(self) -> tuple[str, str]:
        """Return what is said of the cell that is read, and of when its token was learned."""
        return self._reading.whole_text(), self._learned.whole_text()

    def _fresh_numbers(self) -> MapNumbers:
        plan, entry = self._plan, self.workspace.entry
        request = plan.requests[0] if plan is not None and plan.requests else None
        self._entry = entry
        if request is None or entry is None:
            return MapNumbers(_NO_PROMPT, (), ())
        prompt = request.prompts[0]
        texts = self.workspace.library.token_texts(entry.key, prompt.token_ids)
        roles = [ending.role for ending in self.workspace.asked_endings(prompt)]
        self._first = texts[0]
        steps = tuple(sorted(at.step for at in request.checkpoints))
        return MapNumbers(prompt, rows_of(prompt, texts, roles), steps)

    @property
    def _measure_key(self) -> MapMeasure:
        return next(key for key, _ in _MEASURES if key == self._measures.key)

    @property
    def _axis_key(self) -> StepScale:
        return next(key for key, _ in AXES if key == self._axis.key)

    def _sheet(self, values: Floats) -> Sheet:
        steps, rows = self._numbers.steps, self._numbers.rows
        tokens = [tokens or 0 for tokens in self._tokens_seen()]
        flagged = noted_columns(self._entry, steps)
        return Sheet(
            values,
            tuple(
                Row(reveal_token(row.text), str(row.position + 1) if row.position > 0 else row.role)
                for row in rows
            ),
            steps,
            positions(self._axis_key, steps, tokens),
            self._axis_key,
            self._groups(),
            self._marks,
            flagged,
        )

    def _groups(self) -> tuple[Group, ...]:
        rows = self._numbers.rows
        tokens = sum(row.position > 0 for row in rows)
        first = reveal_token(self._first)
        heads = []
        if tokens:
            title = f"Prompt. Its first token, {first}, has no number: nothing comes before it."
            heads.append(Group(0, title))
        if tokens < len(rows):
            heads.append(Group(tokens, "After the prompt"))
        return tuple(heads)

    def _tokens_seen(self) -> list[int | None]:
        entry = self._entry
        return [seen_at(entry, step) if entry else None for step in self._numbers.steps]

    def _model_name(self) -> str:
        return self._entry.name if self._entry is not None else ""

    def _mark_learned(self) -> None:
        """Find the marks anew; of a long text only when the sweep is through."""
        if len(self._numbers.rows) <= _FEW_ROWS or not self.runner.running:
            measured = len(self._numbers.sources)
            if measured != self._marked_at:
                self._marked_at = measured
                self._marks = self._numbers.glyphs()

    # -- selection ----------------------------------------------------------------------------

    def _choose(self, row: int, column: int) -> None:
        """Go to a cell: the timeline to its step, all views to its token."""
        self._show_row(row)
        position = self._numbers.rows[row].position
        self.workspace.select_token(position)
        self.workspace.show_step(self._numbers.steps[column])
        self._select()

    def _choose_column(self, column: int) -> None:
        self.workspace.show_step(self._numbers.steps[column])

    def _show_row(self, row: int) -> None:
        self._row = row
        self._select()

    def _on_token(self, position: int) -> None:
        """Follow the token that all views point at."""
        rows = self._numbers.rows
        if not 0 <= self._row < len(rows) or rows[self._row].position != position:
            self._row = self._row_for(position)
            self._select()

    def _row_for(self, position: int) -> int:
        """Return the row of a token, else of the first target, else the last."""
        rows = self._numbers.rows
        found = [number for number, row in enumerate(rows) if 0 < row.position == position]
        ends = [number for number, row in enumerate(rows) if row.position < 0]
        return (*found, *ends, len(rows) - 1)[0]

    def _on_step(self, _step: int) -> None:
        self._name_pin()
        self._select()

    def _select(self) -> None:
        column = self._column_of(self.workspace.step)
        self._grid.select(self._row, column)
        self._strip.select(column)
        self._draw_strip()
        self._read()

    def _column_of(self, step: int) -> int:
        steps = self._numbers.steps
        return steps.index(step) if step in steps else -1

    def _draw_strip(self) -> None:
        row, sheet = self._row, self._grid.sheet
        if not 0 <= row < len(sheet.rows):
            self._strip.show_curve("", np.empty(0), SCALES[self._measure_key], (0.0, 1.0))
            return
        scale, values = SCALES[self._measure_key], sheet.values[row]
        limits = scale.fitted(values)
        name = sheet.rows[row]
        named = name.label if name.tag.isdigit() else f"{name.tag} {name.label}"
        self._strip.show_curve(named, values, scale, limits)

    # -- the pinned step ----------------------------------------------------------------------

    def _pinned_column(self) -> int:
        step = self._pinned if self._pinned is not None else self.workspace.step
        return self._column_of(step)

    def _pin(self) -> None:
        """Take the step under the timeline as the one that changes are told from."""
        self._pinned = self.workspace.step
        self._measures.choose("since")
        self._name_pin()
        self.touch()

    def _name_pin(self) -> None:
        pinned = self._pinned
        self._pin_button.setText(
            "Pin this step" if pinned is None else f"Pinned: {format_step(pinned)}"
        )
        set_tool_tip(
            self._pin_button,
            f"Tell changes from {format_step(self.workspace.step)} on, the one under the timeline",
        )

    def _on_measure(self) -> None:
        if self._measure_key == "since" and self._pinned is None:
            self._pinned = self.workspace.step
            self._name_pin()
        self.touch()

    # -- reading ------------------------------------------------------------------------------

    def _read(self) -> None:
        row, column = self._grid.cell
        inside = 0 <= row < len(self._numbers.rows)
        if not inside or not 0 <= column < len(self._numbers.steps):
            self._reading.setText("Point at a cell to read it; click to go to its step and token.")
            self._bar.mark(math.nan)
            self._learned.setText(acquired_text(self._numbers.acquired(row)) if inside else "")
            return
        self._reading.setText("  ·  ".join(self._cell_parts(row, column)))
        self._learned.setText(acquired_text(self._numbers.acquired(row)))
        self._bar.mark(float(self._grid.sheet.values[row, column]))

    def _cell_parts(self, row: int, column: int) -> list[str]:
        known, step = self._numbers, self._numbers.steps[column]
        name = known.rows[row]
        where = f"token {name.position + 1}" if name.position > 0 else name.role
        assert self._entry is not None
        parts = [f"{where} {reveal_token(name.text)}", step_line(self._entry, step)]
        logprob = float(known.logprobs[row, column])
        if math.isnan(logprob):
            problem = known.problems.get(step, "not measured yet")
            return [*parts, problem, note_of(self._entry, step)]
        parts += [
            probability_text(math.exp(logprob)),
            f"{signed(logprob, 3)} nats",
            f"rank {known.ranks[row, column]:,}",
            f"{signed(surprisal_bits(logprob), 2)} bits",
        ]
        if self._measure_key in ("change", "since"):
            change = float(self._grid.sheet.values[row, column])
            parts.append("no change known" if math.isnan(change) else _change_text(change))
        top = int(known.tops[row, column])
        if top >= 0 and known.ranks[row, column] > 1:
            parts.append(f"likeliest {reveal_token(known.texts.get(top, ''))}")
        return [part for part in (*parts, note_of(self._entry, step)) if part]

    # -- putting together ---------------------------------------------------------------------

    def _follow(self) -> None:
        self._measures.chosen.connect(self._on_measure)
        self._axis.chosen.connect(self.touch)
        self._range.chosen.connect(self.touch)
        self._pin_button.clicked.connect(self._pin)
        self._grid.hovered.connect(self._read)
        self._grid.chosen.connect(self._choose)
        self._strip.chosen.connect(self._choose_column)
        self.workspace.step_changed.connect(self._on_step)
        self.workspace.token_selected.connect(self._on_token)


def _change_text(change: float) -> str:
    sign = "+" if change > 0 else ""
    return f"change {sign}{signed(change, 3)} nats"
