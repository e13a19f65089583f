"""When each token and target was learned."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtWidgets import QHeaderView, QWidget

from pythia_gui.core.acquisition import Acquisition, Found, acquisition, next_look
from pythia_gui.core.events import Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import ModelEntry
from pythia_gui.core.requests import Checkpoint, Prompt, Request
from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
from pythia_gui.ui.answers import of_one_dtype
from pythia_gui.ui.band_plot import (
    SCORE_UNITS,
    BandView,
    ScaleChoice,
    ScoreChoice,
)
from pythia_gui.ui.presenters import why_not_here
from pythia_gui.ui.questions import coarse_first, swept_steps
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.runner import STOPPED
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.tables import Column, Table, TableView
from pythia_gui.ui.views.halves import Halves, flowing
from pythia_gui.ui.views.learnable import (
    COLUMNS,
    TWIN,
    Learnable,
    ranks_of,
    row_cells,
    spans_of,
    told,
    trace_of,
    twin_cells,
)
from pythia_gui.ui.views.page import Page, Plan
from pythia_gui.ui.widgets import column_of, plain_label
from pythia_gui.ui.workspace import Workspace

MOST_FAILURES = 3
GAVE_UP = "given up: one checkpoint after the other failed"
ASSUMED = "This assumes that what is known once (rank 1) stays known."
_MODES = (("all", "Every step"), ("quick", "Find it quickly"))
_MODE_TIPS = {
    "all": "Ask every checkpoint that is on this machine",
    "quick": (
        "Search for the step at which the targets were learned by halving: looks at about ten "
        "checkpoints, one after the other, and at the neighbours of what it finds. "
        f"{ASSUMED} What it meets against that, it says."
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is about: the rows of its table, in its model, at these steps."""

    entry: ModelEntry
    prompt: Prompt
    rows: tuple[Learnable, ...]
    steps: tuple[int, ...]


class Learned(Page):
    """When each token and target was learned, from measured steps alone."""

    name = "Learned"

    def __init__(self, workspace: Workspace) -> None:
        self._asked: Asked | None = None
        self._results: dict[int, Result] = {}
        self._failed: dict[int, str] = {}
        self._failures = 0
        self._looking: int | None = None
        self._row = 0
        self._found: tuple[Acquisition, ...] = ()
        self._stale, self._fitted = True, False
        super().__init__(workspace)
        self._mode = Segments("Measure", _MODES, _MODE_TIPS)
        self._kinds = ScoreChoice()
        self._scales = ScaleChoice()
        self.tools.addWidget(flowing(self._mode, self._kinds, self._scales), 1)
        self._mode.chosen.connect(self.refresh)
        self._kinds.chosen.connect(self.touch)
        self._scales.chosen.connect(self.touch)
        self.runner.ended.connect(self._on_looked)

    # -- the page -----------------------------------------------------------------------------

    def build(self) -> QWidget:
        self._list = TableView("When each token was learned")
        self._curve = BandView("Curve of the chosen token")
        self._story = plain_label(role="muted", wrap=True)
        beneath = QWidget()
        beneath.setLayout(column_of(self._story, self._curve, gap=0, stretch=self._curve))
        self._list.row_chosen.connect(self._on_row)
        theme.events.theme_changed.connect(self._on_theme)
        self._curve.step_requested.connect(self.workspace.show_step)
        self.workspace.step_changed.connect(self._curve.select)
        self.workspace.token_selected.connect(self._on_token)
        self._curve.select(self.workspace.step)
        return Halves(self._list, beneath, beside=(1, 1), above=(2, 3))

    def plan(self) -> Plan:
        prompt, entry = self.workspace.asking(), self.workspace.entry
        assert entry is not None
        steps = swept_steps(entry) or tuple(sorted(entry.here))
        if not steps:
            return Plan(message=why_not_here(entry, self.workspace.step))
        self._asked = Asked(entry, prompt, self._rows_of(entry, prompt), steps)
        self._stale = self._dirty = True
        order = steps[-1:] if self.quick else coarse_first(steps)
        checkpoints = self._checkpoints(order)
        several = any(len(target.token_ids) > 1 for target in prompt.targets)
        remark = "rank and interval of a longer target are its first token's" if several else ""
        return Plan((self._request(checkpoints),), remark)

    def clear(self) -> None:
        self._results, self._failed, self._found = {}, {}, ()
        self._looking, self._failures, self._row = None, 0, 0
        self._stale = True

    def take(self, result: Result) -> None:
        step = result.checkpoint.step
        self._stale = True
        if result.error is None:
            self._results[step] = result
            self._failed.pop(step, None)
        else:
            self._failed[step] = result.error

    def measure(self) -> None:
        if self.quick:
            self._failures, self._failed = 0, {}
            self._look()
        else:
            super().measure()

    def redraw(self) -> None:
        asked = self._asked
        if asked is None:
            return
        if self._stale:
            self._stale = False
            self._tabulate(asked)
        self._draw_curve(asked)
        self._story.setVisible(self.quick)
        self._story.setText(self.story() if self.quick else "")

    def table(self) -> Table:
        asked = self._asked
        if asked is None:
            return Table()
        tips = {column.name: column.tip for column in COLUMNS}
        columns = tuple(
            Column(
                name, "text" if name in {"Token", "Role", "Kind"} else "whole", tips.get(name, "")
            )
            for name in TWIN
        )
        pairs = zip(asked.rows, self._acquired(asked), strict=True)
        return Table(columns, [twin_cells(row, found) for row, found in pairs])

    def row_chosen(self, row: int) -> None:
        self._on_row(row)

    # -- what was measured ---------------------------------------------------------------------

    @property
    def quick(self) -> bool:
        """Whether it is searched for instead of measured at every step."""
        return self._mode.key == "quick"

    @property
    def acquired(self) -> tuple[tuple[Learnable, Acquisition], ...]:
        """When each row was learned, as the table shows it."""
        rows = self._asked.rows if self._asked is not None else ()
        return tuple(zip(rows, self._found, strict=False))

    def _rows_of(self, entry: ModelEntry, prompt: Prompt) -> tuple[Learnable, ...]:
        endings = self.workspace.asked_endings(prompt)[: len(prompt.targets)]
        after = (Learnable(e.text, e.role, target=place) for place, e in enumerate(endings))
        texts = self.workspace.library.token_texts(entry.key, prompt.token_ids)
        within = (Learnable(t, "prompt", position=place) for place, t in enumerate(texts) if place)
        return (*after, *within)

    def _checkpoints(self, steps: Sequence[int]) -> tuple[Checkpoint, ...]:
        asked, found = self._asked, []
        for step in steps:
            try:
                assert asked is not None
                found.append(self.workspace.library.checkpoint(asked.entry.key, step))
            except (CheckpointError, OSError) as problem:
                self._failed[step] = str(problem)
        return tuple(found)

    def _request(self, checkpoints: tuple[Checkpoint, ...]) -> Request:
        assert self._asked is not None
        prompts = (self._asked.prompt,)
        return Request(self.runner.slot, checkpoints, prompts, score=True, background=True)

    def _acquired(self, asked: Asked) -> tuple[Acquisition, ...]:
        results = of_one_dtype(self._results)
        return tuple(acquisition(ranks_of(row, results)) for row in asked.rows)

    def _tabulate(self, asked: Asked) -> None:
        self._found = self._acquired(asked)
        rows = [row_cells(row, found) for row, found in self.acquired]
        self._list.show_table(Table(COLUMNS, rows))
        if not self._fitted:
            self._fitted = True
            self._fit_columns()
        self._list.choose(self._row)

    def _fit_columns(self) -> None:
        """Give each column the room of the longest that it may come to hold."""
        header = self._list.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        widths = (*(None, "prompt"), *(3 * ["100,000 – 143,000"]), "comes and goes", "Steps")
        for column, widest in enumerate(widths):
            if widest is not None:
                width = self._list.fontMetrics().horizontalAdvance(widest) + 3 * theme.GRID
                self._list.setColumnWidth(column, max(width, header.sectionSizeHint(column)))

    def _draw_curve(self, asked: Asked) -> None:
        if not self._row < len(asked.rows):
            return
        row = asked.rows[self._row]
        kind = self._kinds.kind
        self._scales.set_tokens_known(asked.entry.batch_tokens is not None)
        trace = trace_of(asked.entry, row, of_one_dtype(self._results), self._failed, kind)
        found = self._found[self._row] if self._row < len(self._found) else None
        scale, spans = self._scales.scale, spans_of(found, trace.steps)
        self._curve.show_traces([trace] if trace.steps else [], SCORE_UNITS[kind], scale, spans)

    # -- the search ----------------------------------------------------------------------------

    def story(self) -> str:
        """Return what the search looks at, assumes and found, in sentences."""
        asked = self._asked
        if asked is None:
            return ""
        if not self._sought(asked):
            return "There is no target to search for; type one beside the prompt."
        seen = len(self._results)
        at = f"Looking at {format_step(self._looking)}. " if self._looking is not None else ""
        parts = [f"{at}{seen:,} of {len(asked.steps):,} checkpoints looked at. {ASSUMED}"]
        for row in self._sought(asked):
            look = self._next(asked, row)
            if isinstance(look, Found):
                parts.append(f"{reveal_token(row.text)}: {told(look, asked.steps)}")
        failed = (f"{format_step(step)}: {why}" for step, why in sorted(self._failed.items()))
        return "\n".join([*parts, *(f"Left out, {line}" for line in failed)])

    def _sought(self, asked: Asked) -> list[Learnable]:
        chosen = asked.rows[self._row : self._row + 1]
        targets = [row for row in asked.rows if row.role == "target"]
        return list(dict.fromkeys([*targets, *chosen]))

    def _next(self, asked: Asked, row: Learnable) -> int | Found | None:
        """Return the step that the search for a row looks at next, or what it found."""
        steps = [step for step in asked.steps if step not in self._failed]
        if not steps:
            return None
        ranks = ranks_of(row, of_one_dtype(self._results))
        return next_look(steps, {step: rank == 1 for step, rank in ranks.items()})

    def _look(self) -> None:
        """Ask one more checkpoint, if the search needs it."""
        asked, self._looking = self._asked, None
        if asked is None:
            return
        while self._failures < MOST_FAILURES:
            looks = (self._next(asked, row) for row in self._sought(asked))
            step = next((look for look in looks if isinstance(look, int)), None)
            if step is None:
                break
            checkpoints = self._checkpoints([step])
            if checkpoints:
                self._looking = step
                self.runner.start([self._request(checkpoints)])
                break
        self.touch()

    def _on_looked(self, why: str) -> None:
        step, self._looking = self._looking, None
        if step is None or why == STOPPED:
            return
        if step in self._results:
            self._failures = 0
        else:
            self._failures += 1
            self._failed.setdefault(step, why or "no answer came")
        self._look()

    def _say(self) -> None:
        super()._say()
        if self.quick and self._asked is not None and self._stop.isHidden():
            looks = [self._next(self._asked, row) for row in self._sought(self._asked)]
            over = all(isinstance(look, Found) for look in looks)
            self._measure.setVisible(bool(self._plan and self._plan.requests) and not over)

    def _line(self, plan: Plan, *, come: bool) -> str:
        if not self.quick or plan.message or self._asked is None:
            return super()._line(plan, come=come)
        looked = f"{len(self._results):,} of {len(self._asked.steps):,} checkpoints looked at"
        gave_up = GAVE_UP if self._failures >= MOST_FAILURES else self._ending
        ending = "" if self.runner.running else gave_up
        return " · ".join(filter(None, (looked, ending, plan.remark)))

    # -- what a person does --------------------------------------------------------------------

    def _on_theme(self) -> None:
        self._stale, self._fitted = True, False
        self.touch()

    def _on_row(self, row: int) -> None:
        asked = self._asked
        if asked is None or not 0 <= row < len(asked.rows) or row == self._row:
            return
        self._row = row
        self.workspace.select_token(asked.rows[row].position)
        self.touch()

    def _on_token(self, position: int) -> None:
        rows = self._asked.rows if self._asked is not None else ()
        place = next((n for n, row in enumerate(rows) if row.position == position >= 0), None)
        if place is not None and place != self._row:
            self._row = place
            self._list.choose(place)
            self.touch()
