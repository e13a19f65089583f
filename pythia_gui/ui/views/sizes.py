"""The same question over several models."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QScrollArea, QWidget

from pythia_gui.core.events import Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import ModelEntry, PromptError
from pythia_gui.core.requests import Request
from pythia_gui.ui.answers import of_one_dtype
from pythia_gui.ui.band_plot import SCORE_UNITS, BandView, ScaleChoice, ScoreChoice, Trace
from pythia_gui.ui.presenters import seen_at
from pythia_gui.ui.questions import (
    Ending,
    Key,
    coarse_first,
    files_of,
    swept_steps,
    tokenizer_of,
)
from pythia_gui.ui.remarks import raised, remarks_of
from pythia_gui.ui.reveal import reveal, reveal_token
from pythia_gui.ui.scores import ScoreKind
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.step_plot import Stroke
from pythia_gui.ui.tables import Cell, Column, Table
from pythia_gui.ui.views.halves import flowing
from pythia_gui.ui.views.model_chooser import Choice, ModelChooser
from pythia_gui.ui.views.page import Page, Plan
from pythia_gui.ui.widgets import column_of, plain_label, set_tool_tip
from pythia_gui.ui.workspace import Workspace

MOST_BY_DEFAULT = 6
MOST_CURVES_BY_DEFAULT = 6
ALL_ENDINGS = "All endings"
OTHER_TOKENIZER = (
    "has another tokenizer than {}: the same text is other tokens, so that its probabilities "
    "can't be compared"
)
DASHES: tuple[tuple[float, ...], ...] = ((), (8.0, 4.0), (2.5, 3.0), (14.0, 4.0), (5.0, 8.0))
_SEEDED = re.compile(r"(?P<base>.+)-seed[0-9]+")
_SEED_CHOICES = (("curves", "Curves"), ("band", "Band"))
_SEED_TIPS = {
    "curves": "One curve for each seed",
    "band": (
        "The mean of a model's seeds, and the band from the lowest to the highest of them, at "
        "the steps that all of them have"
    ),
}
_DEDUPED = "Thin, with open points: trained on the deduplicated Pile."
_COLUMNS = (
    Column("Model"),
    Column("Ending"),
    Column("Role"),
    Column("Step", "whole"),
    Column("Tokens seen", "whole"),
    Column("Probability", "probability"),
    Column("Log-probability", "nats", "In nats, summed over the ending's tokens"),
    Column("Rank", "whole", "Of the ending's first token"),
)


@dataclass(frozen=True, slots=True)
class Curved:
    """A model's curve: one of its endings, by its place among them."""

    entry: ModelEntry
    place: int
    ending: Ending


class Sizes(Page):
    """One question over several models, on one axis of tokens seen or steps."""

    name = "Sizes"

    def __init__(self, workspace: Workspace) -> None:
        self._models: tuple[ModelEntry, ...] = ()
        self._endings: tuple[Ending, ...] = ()
        self._who: dict[Key, str] = {}
        self._results: dict[str, dict[int, Result]] = {}
        self._picked: dict[str, frozenset[str]] = {}
        self._tokenizers: dict[tuple[str, frozenset[int]], str] = {}
        self._traces: tuple[Trace, ...] = ()
        super().__init__(workspace)
        self._chooser = ModelChooser()
        self._endings_box = QComboBox()
        self._seeds = Segments("Seeds", _SEED_CHOICES, _SEED_TIPS)
        self._kinds, self._scales = ScoreChoice(), ScaleChoice()
        self._endings_box.setAccessibleName("Ending")
        self._endings_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        set_tool_tip(self._endings_box, "Which target or foil is drawn")
        asked = (self._chooser, self._endings_box, self._seeds, self._kinds, self._scales)
        self.tools.addWidget(flowing(*asked), 1)
        self._seeds.hide()
        self._scales.choose("tokens")
        self._chooser.chosen.connect(self._on_models)
        self._endings_box.activated.connect(self.touch)
        for row in (self._seeds, self._kinds, self._scales):
            row.chosen.connect(self.touch)
        workspace.models_changed.connect(self._on_known_models)

    # -- the page -----------------------------------------------------------------------------

    def build(self) -> QWidget:
        self._plot = BandView("Curves of several models")
        self._notes = plain_label(role="muted", size=0.88, wrap=True)
        self._notes.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._notes_room = QScrollArea()
        self._notes_room.setWidget(self._notes)
        self._notes_room.setWidgetResizable(True)
        self._notes_room.viewport().setAutoFillBackground(False)
        self._notes.setAutoFillBackground(False)
        self._notes_room.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._plot.step_requested.connect(self.workspace.show_step)
        self.workspace.step_changed.connect(self._plot.select)
        self._plot.select(self.workspace.step)
        whole = QWidget()
        whole.setLayout(column_of(self._plot, self._notes_room, gap=4, stretch=self._plot))
        return whole

    def plan(self) -> Plan:
        prompt, shown = self.workspace.asking(), self.workspace.entry
        assert shown is not None
        self._endings = self.workspace.asked_endings(prompt)[: len(prompt.targets)]
        self._offer_models(shown)
        if not prompt.targets:
            return Plan(message="The curves begin as soon as the final step has named its targets.")
        requests, models, left_out = [], [], []
        self._who = {}
        for entry in self._chosen(shown):
            try:
                requests.append(self._request(entry))
                models.append(entry)
            except (PromptError, CheckpointError) as problem:
                left_out.append(f"{entry.name} is left out: {problem}")
        self._models, self._dirty = tuple(models), True
        if not models:
            return Plan(message=" ".join(left_out) or "Choose a model in the list above.")
        self._offer_endings()
        several = any(len(target.token_ids) > 1 for target in prompt.targets)
        summed = "whole endings: log-probabilities summed over their tokens" if several else ""
        return Plan(tuple(requests), " · ".join(filter(None, (*left_out, summed))))

    def clear(self) -> None:
        self._results, self._traces = {}, ()

    def take(self, result: Result) -> None:
        key = self._who.get(files_of(result.checkpoint))
        if key is not None:
            self._results.setdefault(key, {})[result.checkpoint.step] = result

    def redraw(self) -> None:
        known = all(entry.batch_tokens is not None for entry in self._models)
        self._scales.set_tokens_known(known)
        several = any(seeds for seeds in seeds_of(self._models).values() if len(seeds) > 1)
        self._seeds.setVisible(several)
        self._traces, notes = self._drawn()
        kind = self._kinds.kind
        self._plot.show_traces(self._traces, SCORE_UNITS[kind], self._scales.scale)
        self._show_notes(notes)

    def table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for entry in self._models:
            for step, result in sorted(self._kept(entry.key).items()):
                for ending, score in zip(self._endings, result.targets, strict=False):
                    prob = float(np.exp(score.logprob))
                    at = (step, seen_at(entry, step), prob, score.logprob, score.rank)
                    rows.append((entry.name, ending.text, ending.role, *at))
        return Table(_COLUMNS, rows)

    # -- what is asked --------------------------------------------------------------------------

    def _request(self, entry: ModelEntry) -> Request:
        prompt = self.workspace.asking(entry.key)
        steps = coarse_first(swept_steps(entry) or entry.here)
        at = tuple(self.workspace.library.checkpoint(entry.key, step) for step in steps)
        self._who |= {files_of(checkpoint): entry.key for checkpoint in at}
        return Request(self.runner.slot, at, (prompt,), background=True)

    def _offer_models(self, shown: ModelEntry) -> None:
        here = [entry for entry in self.workspace.models.values() if entry.here]
        choices = [Choice(entry, self._why_not(entry, shown)) for entry in here]
        allowed = frozenset(choice.entry.key for choice in choices if not choice.reason)
        usual = usual_models(shown, [c.entry for c in choices if not c.reason])
        keys = self._picked.get(shown.suite, usual) & allowed
        self._chooser.show_choices(choices, keys or usual)

    def _why_not(self, entry: ModelEntry, shown: ModelEntry) -> str:
        try:
            if self._tokenizer(entry) != self._tokenizer(shown):
                return f"{entry.name} {OTHER_TOKENIZER.format(shown.name)}."
        except CheckpointError as problem:
            return str(problem)
        return ""

    def _tokenizer(self, entry: ModelEntry) -> str:
        known = (entry.key, entry.here)
        if known not in self._tokenizers:
            self._tokenizers[known] = tokenizer_of(self.workspace.library, entry.key)
        return self._tokenizers[known]

    def _chosen(self, shown: ModelEntry) -> list[ModelEntry]:
        models, keys = self.workspace.models, self._chooser.keys
        return [entry for entry in models.values() if entry.key in keys] or [shown]

    def _offer_endings(self) -> None:
        names = [ALL_ENDINGS, *(_ending_name(ending) for ending in self._endings)]
        if names != [
            self._endings_box.itemText(place) for place in range(self._endings_box.count())
        ]:
            self._endings_box.clear()
            self._endings_box.addItems(names)
            few = len(self._endings) * len(self._models) <= MOST_CURVES_BY_DEFAULT
            self._endings_box.setCurrentIndex(0 if few else 1)
        self._endings_box.setVisible(len(self._endings) > 1)

    def _on_models(self, keys: frozenset[str]) -> None:
        shown = self.workspace.entry
        if shown is not None:
            self._picked[shown.suite] = keys
            self.refresh()

    def _on_known_models(self) -> None:
        if self._shown:
            self.refresh()

    # -- what is drawn --------------------------------------------------------------------------

    def _kept(self, key: str) -> dict[int, Result]:
        found = self._results.get(key, {})
        return of_one_dtype({step: r for step, r in found.items() if r.error is None})

    def _drawn(self) -> tuple[tuple[Trace, ...], tuple[str, ...]]:
        """Return the curves, and the notes that they refer to by number."""
        said = {entry.key: remarks_of(entry) for entry in self._models}
        every = dict.fromkeys(text for texts in said.values() for text in texts)
        number = {text: raised(place) for place, text in enumerate(every, start=1)}
        marks = {key: tuple((number[t], t) for t in texts) for key, texts in said.items()}
        strokes = strokes_of(self._models)
        place = self._endings_box.currentIndex() - 1
        shown = range(len(self._endings)) if place < 0 else [place]
        curves = [
            self._trace(Curved(entry, p, self._endings[p]), strokes, marks, len(shown) > 1)
            for entry in self._models
            for p in shown
        ]
        if self._seeds.key == "band":
            curves = self._banded(curves)
        notes = tuple(f"{mark} {text}" for text, mark in number.items())
        return tuple(trace for _, trace in curves if trace.steps), notes

    def _trace(
        self,
        curve: Curved,
        strokes: Callable[[ModelEntry, int], Stroke],
        marks: Mapping[str, tuple[tuple[str, str], ...]],
        several: bool,  # noqa: FBT001
    ) -> tuple[Curved, Trace]:
        entry, kept = curve.entry, self._kept(curve.entry.key)
        found = self._results.get(entry.key, {})
        problems = {s: r.error for s, r in found.items() if r.error is not None}
        steps = tuple(sorted({*kept, *problems}))
        seen = tuple(t for step in steps if (t := seen_at(entry, step)) is not None)
        values = [_number(kept.get(step), curve.place, self._kinds.kind) for step in steps]
        ending = f"  {_ending_name(curve.ending)}" if several else ""
        trace = Trace(
            f"{reveal(entry.name)}{ending}",
            steps,
            np.array(values, dtype=np.float64),
            strokes(entry, curve.place if several else 0),
            tokens=seen if len(seen) == len(steps) else (),
            problems=problems,
            notes=marks[entry.key],
        )
        return curve, trace

    def _banded(self, curves: Sequence[tuple[Curved, Trace]]) -> list[tuple[Curved, Trace]]:
        """Return the curves with those of the seeds of one model drawn together."""
        groups: dict[tuple[str, int], list[tuple[Curved, Trace]]] = {}
        for curve, trace in curves:
            found = _SEEDED.fullmatch(curve.entry.name)
            name = found["base"] if found else curve.entry.key
            groups.setdefault((name, curve.place), []).append((curve, trace))
        return [
            (group[0][0], band_of(name, [trace for _, trace in group]))
            if len(group) > 1
            else group[0]
            for (name, _), group in groups.items()
        ]

    def _show_notes(self, notes: Sequence[str]) -> None:
        thin = any(trace.stroke.hollow for trace in self._traces)
        lines = [*([_DEDUPED] if thin else []), *notes]
        self._notes.setText("\n".join(lines))
        self._notes_room.setVisible(bool(lines))
        rows = min(len(lines), 5)
        self._notes_room.setFixedHeight(rows * (self._notes.fontMetrics().height() + 2) + 4)


def usual_models(shown: ModelEntry, allowed: Sequence[ModelEntry]) -> frozenset[str]:
    """Return the models that are drawn unless a person chose others: the shown one's suite."""
    others = [e for e in allowed if e.suite == shown.suite and e.key != shown.key]
    return frozenset(entry.key for entry in [shown, *others][:MOST_BY_DEFAULT])


def family(name: str) -> str:
    """Return the name that a model shares with its twin on the deduplicated Pile."""
    return name.replace("-deduped", "")


def strokes_of(models: Sequence[ModelEntry]) -> Callable[[ModelEntry, int], Stroke]:
    """Return how a model's curve of an ending is drawn: colour by model, dashes by ending.

    A model and its twin on the deduplicated Pile share a colour; the twin is thin and open.
    """
    families = list(dict.fromkeys(family(entry.name) for entry in models))

    def stroke(entry: ModelEntry, place: int) -> Stroke:
        deduped = family(entry.name) != entry.name and "-deduped" in entry.name
        twin = deduped and any(e.name == family(entry.name) for e in models)
        dash = DASHES[place % len(DASHES)]
        return Stroke(families.index(family(entry.name)), dash, 1.25 if twin else 2.0, hollow=twin)

    return stroke


def seeds_of(models: Sequence[ModelEntry]) -> dict[str, list[ModelEntry]]:
    """Return the runs with seeds of their own, by the model that they repeat."""
    groups: dict[str, list[ModelEntry]] = {}
    for entry in models:
        if found := _SEEDED.fullmatch(entry.name):
            groups.setdefault(found["base"], []).append(entry)
    return groups


def band_of(name: str, traces: Sequence[Trace]) -> Trace:
    """Return the mean of some curves with the band from the lowest to the highest of them.

    Only steps that all of them have count: a mean over now more and now fewer would jump.
    """
    common = sorted(set(traces[0].steps).intersection(*(trace.steps for trace in traces[1:])))
    rows = np.array([[trace.value_at(step) for step in common] for trace in traces])
    whole = np.isfinite(rows).all(axis=0)
    steps = tuple(step for step, kept in zip(common, whole.tolist(), strict=True) if kept)
    rows = rows[:, whole]
    first = traces[0]
    places = [place for step in steps if (place := first.place_at(step)) is not None]
    empty = np.empty(0)
    return Trace(
        f"{reveal(name)}, mean of {len(traces)} seeds",
        steps,
        rows.mean(axis=0) if steps else empty,
        first.stroke,
        tokens=tuple(first.tokens[place] for place in places) if first.tokens else (),
        low=rows.min(axis=0) if steps else empty,
        high=rows.max(axis=0) if steps else empty,
        notes=tuple(dict.fromkeys(note for trace in traces for note in trace.notes)),
    )


def _number(result: Result | None, place: int, kind: ScoreKind) -> float:
    if result is None or place >= len(result.targets):
        return float("nan")
    score = result.targets[place]
    if kind == "rank":
        return float(score.rank)
    return float(np.exp(score.logprob)) if kind == "probability" else float(score.logprob)


def _ending_name(ending: Ending) -> str:
    foil = "foil " if ending.role == "foil" else ""
    return f"{foil}{reveal_token(ending.text)}"
