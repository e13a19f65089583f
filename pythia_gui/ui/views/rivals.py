"""Targets against foils over training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QHeaderView, QWidget

from pythia_gui.core.acquisition import Bracket
from pythia_gui.core.events import Result
from pythia_gui.core.library import ModelEntry, PromptError
from pythia_gui.core.prompt_sets import PromptEntry, PromptSet
from pythia_gui.core.requests import Prompt, Request
from pythia_gui.core.rivalry import RESAMPLES, bootstrap_band, crossings, difference, mean_over
from pythia_gui.ui.answers import of_one_dtype
from pythia_gui.ui.band_plot import DIFFERENCE, BandView, ScaleChoice, Span, Trace
from pythia_gui.ui.presenters import seen_at, why_not_here
from pythia_gui.ui.questions import Ending, coarse_first, swept_steps
from pythia_gui.ui.reveal import reveal, reveal_token
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.step_plot import Stroke
from pythia_gui.ui.tables import Cell, Column, Table, TableView
from pythia_gui.ui.theme import GRID
from pythia_gui.ui.views.halves import Halves, flowing
from pythia_gui.ui.views.page import Page, Plan
from pythia_gui.ui.workspace import Workspace

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]

MOST_PAIRS = 9  # as many as there are colours
MOST_GROUPS = 6
_SCOPES = (("prompt", "This prompt"), ("set", "The set"))
_SCOPE_TIPS = {
    "prompt": "Each target of the prompt above against each foil",
    "set": (
        "The mean over the prompt set's own targets and foils, with a 95 % confidence band: "
        f"percentile bootstrap over prompts, {RESAMPLES:,} resamples (Efron 1979)"
    ),
}
_PARTS = (("all", "All prompts"), ("groups", "Groups"))
_PART_TIPS = {"groups": "A mean and a band for each group of the set"}
_NO_SET = "No prompt set is open; open one on the page Prompts."
_ONE_GROUP = f"The set has no groups, or more than {MOST_GROUPS}."
_NEED_TWO = (
    "Rivals need two endings. Type a target and a foil beside the prompt, such as “ Warsaw” and, "
    "as its foil, “ Rome”; without a foil the targets are compared with each other."
)
_NO_PAIRS = "No prompt of this set has both a target and a foil."
_BAND_IS = "mean of target less foil, with a 95 % bootstrap band over prompts"
_LIST = (
    Column("Rivals", "text", "Whose log-probabilities are compared: the first less the second"),
    Column(
        "Crossed",
        "whole",
        "The interval in which the difference changed its sign: after the first step and by the "
        "second, both measured",
    ),
    Column("Ahead from then on", "text", "Who is likelier until the next crossing, or the end"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two endings of the prompt, by their places among its targets."""

    one: int
    other: int
    names: tuple[str, str]

    @property
    def name(self) -> str:
        """The difference, for reading."""
        return " − ".join(self.names)


@dataclass(slots=True, eq=False)
class SetMeans:
    """The differences of a set's prompts, and their mean with its band as far as known.

    `values` has shape (prompt, step), NaN where not measured; `rows` gives the places of a
    prompt; `groups` are names with the rows that belong to them.
    """

    steps: tuple[int, ...]
    rows: Mapping[Prompt, tuple[int, ...]]
    values: Numbers
    groups: tuple[tuple[str, Places], ...] = ()
    dirty: set[int] = field(default_factory=set)
    bands: list[tuple[Numbers, Numbers]] = field(default_factory=list)

    def group(self, groups: Mapping[str, Sequence[int]]) -> None:
        """Take the means over other groups of rows."""
        named = groups.items()
        self.groups = tuple((name, np.array(rows, dtype=np.intp)) for name, rows in named)
        gap = np.full(len(self.steps), np.nan)
        self.bands = [(gap.copy(), gap.copy()) for _ in self.groups]
        self.dirty = set(np.flatnonzero(np.isfinite(self.values).any(axis=0)).tolist())

    def take(self, result: Result) -> None:
        """Take a prompt's difference at a step."""
        place = self.steps.index(result.checkpoint.step)
        ahead = ahead_of(result, 0, 1)
        for row in self.rows.get(result.prompt, ()):
            self.values[row, place] = ahead
        self.dirty.add(place)

    def band(self, group: int) -> tuple[Numbers, Numbers]:
        """Return low and high of a group's mean, shape (step,)."""
        self._work_out()
        return self.bands[group]

    def _work_out(self) -> None:
        """Draw anew for the steps that have changed, which a run does step by step."""
        places = np.array(sorted(self.dirty), dtype=np.intp)
        self.dirty.clear()
        if len(places):
            for (_, rows), (low, high) in zip(self.groups, self.bands, strict=True):
                found = bootstrap_band(self.values[np.ix_(rows, places)])
                low[places], high[places] = found


class Rivals(Page):
    """Targets against foils: log-probability differences over training, and their crossings."""

    name = "Rivals"

    def __init__(self, workspace: Workspace) -> None:
        self._entry: ModelEntry | None = None
        self._pairs: tuple[Pair, ...] = ()
        self._results: dict[int, Result] = {}
        self._means: SetMeans | None = None
        self._asked_set: tuple[object, tuple[Prompt, ...], tuple[PromptEntry, ...]] | None = None
        self._traces: tuple[Trace, ...] = ()
        self._crossed: list[tuple[str, Bracket | None, str]] = []
        super().__init__(workspace)
        self._scope = Segments("Of", _SCOPES, _SCOPE_TIPS)
        self._parts = Segments("by", _PARTS, _PART_TIPS)
        self._scales = ScaleChoice()
        self.tools.addWidget(flowing(self._scope, self._parts, self._scales), 1)
        self._scope.chosen.connect(self.refresh)
        self._parts.chosen.connect(self._regroup)
        self._scales.chosen.connect(self.touch)
        workspace.prompt_set_changed.connect(self._on_set)
        self._on_set()

    # -- the page -----------------------------------------------------------------------------

    def build(self) -> QWidget:
        self._plot = BandView("Differences between rivals")
        self._list = TableView("Crossings")
        self._plot.step_requested.connect(self.workspace.show_step)
        self._list.row_chosen.connect(self._on_crossing)
        self.workspace.step_changed.connect(self._plot.select)
        self._plot.select(self.workspace.step)
        return Halves(self._plot, self._list, beside=(5, 2), above=(5, 3))

    def plan(self) -> Plan:
        self._parts.setVisible(self._scope.key == "set")
        entry = self.workspace.entry
        if self._scope.key == "set" and entry is not None:
            prompts, remark = self._set_prompts(entry)
        else:
            prompts, remark = self._own_prompt()
            entry = self.workspace.entry
        assert entry is not None
        steps = swept_steps(entry) or tuple(sorted(entry.here))
        if not steps:
            return Plan(message=why_not_here(entry, self.workspace.step))
        self._entry, self._dirty = entry, True
        at = tuple(self.workspace.library.checkpoint(entry.key, s) for s in coarse_first(steps))
        return Plan((Request(self.runner.slot, at, prompts, background=True),), remark)

    def clear(self) -> None:
        self._results, self._traces, self._crossed, self._means = {}, (), [], None
        if self._scope.key == "set" and self._asked_set is not None and self._entry is not None:
            _, prompts, _ = self._asked_set
            steps = swept_steps(self._entry) or tuple(sorted(self._entry.here))
            self._means = means_for(steps, prompts)
            self._regroup()

    def take(self, result: Result) -> None:
        if self._means is not None:
            self._means.take(result)
        else:
            self._results[result.checkpoint.step] = result

    def redraw(self) -> None:
        entry = self._entry
        if entry is None:
            return
        self._scales.set_tokens_known(entry.batch_tokens is not None)
        self._traces = self._set_traces(entry) if self._means else self._pair_traces(entry)
        names = [pair.names for pair in self._pairs] if not self._means else []
        self._crossed = crossed(self._traces, names)
        spans = [
            Span(at.before, at.at, "", trace.stroke.color, None)
            for trace in self._traces
            for at in crossings(trace.steps, trace.values)
        ]
        self._plot.show_traces(self._traces, DIFFERENCE, self._scales.scale, spans)
        self._list.show_table(Table(_LIST, self._crossed))
        self._fit_columns()

    def table(self) -> Table:
        columns = [Column("Step", "whole"), Column("Tokens seen", "whole")]
        for trace in self._traces:
            columns.append(Column(trace.name, "nats", "In nats: above 0 the first is likelier"))
            if len(trace.low):
                columns += [Column(f"{trace.name}, {end}", "nats") for end in ("2.5 %", "97.5 %")]
        steps = sorted({step for trace in self._traces for step in trace.steps})
        return Table(tuple(columns), [self._table_row(step) for step in steps])

    def row_chosen(self, row: int) -> None:
        steps = sorted({step for trace in self._traces for step in trace.steps})
        if 0 <= row < len(steps):
            self.workspace.show_step(steps[row])

    # -- what is asked --------------------------------------------------------------------------

    def _own_prompt(self) -> tuple[tuple[Prompt, ...], str]:
        prompt = self.workspace.asking()
        endings = self.workspace.asked_endings(prompt)[: len(prompt.targets)]
        every = pairs_of(endings)
        self._pairs = tuple(every[:MOST_PAIRS])
        if not every:
            raise PromptError(_NEED_TWO)
        remarks = ["above 0 the first is likelier"]
        if len(every) > MOST_PAIRS:
            remarks.append(f"the first {MOST_PAIRS} of {len(every)} pairs")
        if not any(ending.role == "foil" for ending in endings):
            remarks.append("no foil is given: the targets against each other")
        if any(len(target.token_ids) > 1 for target in prompt.targets):
            remarks.append("whole endings: log-probabilities summed over their tokens")
        return (prompt,), " · ".join(remarks)

    def _set_prompts(self, entry: ModelEntry) -> tuple[tuple[Prompt, ...], str]:
        prompts = self.workspace.prompt_set
        if prompts is None:
            raise PromptError(_NO_SET)
        special = self.workspace.settings.special_tokens
        asked = (prompts, entry.key, special)
        if self._asked_set is None or self._asked_set[0] != asked:
            self._asked_set = (asked, *self._encoded(prompts, entry, special))
        _, encoded, entries = self._asked_set
        grouped = 2 <= len(groups_of(entries)) <= MOST_GROUPS
        self._parts.set_available("groups", "" if grouped else _ONE_GROUP)
        if not grouped:
            self._parts.choose("all")
        if not encoded:
            raise PromptError(_NO_PAIRS)
        left = len(prompts.entries) - len(encoded)
        few = "1 prompt" if left == 1 else f"{left:,} prompts"
        remark = f"{few} without target and foil, or too long, left out" if left else ""
        summed = any(len(target.token_ids) > 1 for prompt in encoded for target in prompt.targets)
        whole = "whole endings: log-probabilities summed over their tokens" if summed else ""
        unique = tuple(dict.fromkeys(encoded))
        return unique, " · ".join(filter(None, (_BAND_IS, remark, whole)))

    def _encoded(
        self,
        prompts: PromptSet,
        entry: ModelEntry,
        special: bool,  # noqa: FBT001
    ) -> tuple[tuple[Prompt, ...], tuple[PromptEntry, ...]]:
        found, entries = [], []
        for one in prompts.entries:
            if one.target and one.foil:
                try:
                    endings = (one.target, one.foil)
                    library = self.workspace.library
                    prompt = library.encode(entry.key, one.prompt, endings, special_tokens=special)
                except PromptError:
                    continue
                found.append(prompt)
                entries.append(one)
        return tuple(found), tuple(entries)

    def _regroup(self) -> None:
        """Take the means over the groups of the set, or over all of it."""
        if self._means is None or self._asked_set is None:
            return
        entries = self._asked_set[2]
        whole = {"": range(len(entries))}
        self._means.group(groups_of(entries) if self._parts.key == "groups" else whole)
        self.touch()

    def _on_set(self) -> None:
        self._scope.set_available("set", "" if self.workspace.prompt_set is not None else _NO_SET)
        if self.workspace.prompt_set is None:
            self._scope.choose("prompt")
        self._parts.setVisible(self._scope.key == "set")
        self.refresh()

    # -- what is drawn --------------------------------------------------------------------------

    def _pair_traces(self, entry: ModelEntry) -> tuple[Trace, ...]:
        kept = of_one_dtype({s: r for s, r in self._results.items() if r.error is None})
        problems = {s: r.error or "" for s, r in self._results.items() if r.error is not None}
        steps = tuple(sorted({*kept, *problems}))
        gap = np.nan
        return tuple(
            Trace(
                pair.name,
                steps,
                np.array(
                    [ahead_of(kept[s], pair.one, pair.other) if s in kept else gap for s in steps],
                    dtype=np.float64,
                ),
                Stroke(number),
                tokens=_tokens(entry, steps),
                problems=problems,
            )
            for number, pair in enumerate(self._pairs)
            if steps
        )

    def _set_traces(self, entry: ModelEntry) -> tuple[Trace, ...]:
        means = self._means
        assert means is not None
        measured = np.flatnonzero(np.isfinite(means.values).any(axis=0))
        steps = tuple(means.steps[place] for place in measured.tolist())
        traces = []
        for number, (name, rows) in enumerate(means.groups):
            mean, count = mean_over(means.values[np.ix_(rows, measured)])
            low, high = (end[measured] for end in means.band(number))
            most = int(count.max(initial=0))
            label = f"{name or 'mean'}, n = {most:,}"
            traces.append(
                Trace(label, steps, mean, Stroke(number), _tokens(entry, steps), low, high)
            )
        return tuple(traces) if steps else ()

    def _table_row(self, step: int) -> tuple[Cell, ...]:
        seen = seen_at(self._entry, step) if self._entry is not None else None
        cells: list[Cell] = [step, seen]
        for trace in self._traces:
            place = trace.place_at(step)
            parts = (trace.values, trace.low, trace.high) if len(trace.low) else (trace.values,)
            cells += [None if place is None else float(part[place]) for part in parts]
        return tuple(cells)

    def _fit_columns(self) -> None:
        header = self._list.horizontalHeader()
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        longest = max((name for name, _, _ in self._crossed), key=len, default="")
        for column, widest in ((0, longest), (1, "100,000 – 143,000")):
            width = self._list.fontMetrics().horizontalAdvance(widest) + 3 * GRID
            self._list.setColumnWidth(column, max(width, header.sectionSizeHint(column)))

    def _on_crossing(self, row: int) -> None:
        if 0 <= row < len(self._crossed) and (at := self._crossed[row][1]) is not None:
            self.workspace.show_step(at.at)


def pairs_of(endings: Sequence[Ending]) -> list[Pair]:
    """Return each target with each foil; without a foil, the targets with each other."""
    names = [reveal_token(ending.text) for ending in endings]
    targets = [place for place, ending in enumerate(endings) if ending.role == "target"]
    foils = [place for place, ending in enumerate(endings) if ending.role == "foil"]
    places = [(a, b) for a in targets for b in foils] if foils else list(combinations(targets, 2))
    return [Pair(a, b, (names[a], names[b])) for a, b in places]


def ahead_of(result: Result, one: int, other: int) -> float:
    """Return how far one ending is ahead of another, in nats, NaN where that isn't known."""
    if result.error is not None or max(one, other) >= len(result.targets):
        return float("nan")
    scores = result.targets
    return float(difference(scores[one].logprob, scores[other].logprob))


def groups_of(entries: Sequence[PromptEntry]) -> dict[str, list[int]]:
    """Return the groups of some entries with their places, in the order of the set."""
    groups: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        groups.setdefault(entry.group or "no group", []).append(place)
    return groups


def means_for(steps: tuple[int, ...], prompts: Sequence[Prompt]) -> SetMeans:
    """Return means of nothing yet, in no groups."""
    rows: dict[Prompt, tuple[int, ...]] = {}
    for row, prompt in enumerate(prompts):
        rows[prompt] = (*rows.get(prompt, ()), row)
    return SetMeans(steps, rows, np.full((len(prompts), len(steps)), np.nan))


def crossed(
    traces: Sequence[Trace], names: Sequence[tuple[str, str]]
) -> list[tuple[str, Bracket | None, str]]:
    """Return each crossing of each curve and who is ahead from then on.

    A curve without a crossing has one row that says who is ahead throughout.
    """
    rows: list[tuple[str, Bracket | None, str]] = []
    for number, trace in enumerate(traces):
        who = names[number] if names else ("target", "foil")
        found = crossings(trace.steps, trace.values)
        title = reveal(trace.name)
        rows += [(title, at, who[int(trace.value_at(at.at) < 0)]) for at in found]
        sided = trace.values[np.isfinite(trace.values) & (trace.values != 0)]
        if not found and len(sided):
            rows.append((title, None, f"{who[int(sided[0] < 0)]} throughout"))
    return rows


def _tokens(entry: ModelEntry, steps: Sequence[int]) -> tuple[int, ...]:
    seen = [tokens for step in steps if (tokens := seen_at(entry, step)) is not None]
    return tuple(seen) if len(seen) == len(steps) else ()
