"""What a sweep says of every token of a text: the numbers of a map, its marks and its table."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.acquisition import Acquisition, Bracket, acquisition
from pythia_gui.core.events import Result
from pythia_gui.core.requests import Checkpoint, Prompt
from pythia_gui.ui.scales import Floats, Scale
from pythia_gui.ui.sheet import Glyph, GlyphKind
from pythia_gui.ui.tables import Cell, Column
from pythia_gui.ui.token_measures import MOST_BITS, surprisal_bits

MapMeasure = Literal["logprob", "probability", "rank", "surprisal", "change", "since"]

SCALES: Mapping[MapMeasure, Scale] = {
    "logprob": Scale("log-probability", "nats", -12.0, 0.0, "nats"),
    "probability": Scale("probability", "", 0.0, 1.0, "probability", anchored=True),
    "rank": Scale(
        "rank", "1 is first", 1.0, 10_000.0, "rank", log=True, falling=True, anchored=True
    ),
    "surprisal": Scale("surprisal", "bits", 0.0, MOST_BITS, "bits", falling=True, anchored=True),
    "change": Scale("change since the step before", "nats", -4.0, 4.0, "nats", "diverging"),
    "since": Scale("change since the pinned step", "nats", -8.0, 8.0, "nats", "diverging"),
}

TABLE_COLUMNS = (
    Column("position", "whole", "The token's place in the prompt, from 1; none for a target"),
    Column("token"),
    Column("role"),
    Column("step", "whole"),
    Column("log-probability", "nats", "In nats"),
    Column("probability", "probability"),
    Column("rank", "whole", "1 is the model's first choice; of a target, its first token's"),
    Column("surprisal", "bits", "In bits"),
    Column("model"),
    Column("weights"),
    Column("dtype"),
)


@dataclass(frozen=True, slots=True)
class MapRow:
    """A token of the prompt at `position` (from 0), or a target or foil after it (-1)."""

    text: str
    position: int
    role: Literal["token", "target", "foil"] = "token"


@dataclass(slots=True)
class MapNumbers:
    """The numbers of all tokens and targets at the steps of one model, as far as measured.

    Arrays have the shape (row, column): `logprobs` in nats, NaN where there is none; `ranks`
    from 1, 0 where there is none; `tops` the id of the likeliest token there, -1 if unknown.
    """

    prompt: Prompt
    rows: tuple[MapRow, ...]
    steps: tuple[int, ...]
    texts: dict[int, str] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)
    sources: dict[int, tuple[Checkpoint, str]] = field(default_factory=dict)
    logprobs: NDArray[np.float32] = field(init=False)
    ranks: NDArray[np.int64] = field(init=False)
    tops: NDArray[np.int64] = field(init=False)
    _columns: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with gaps alone."""
        self._columns = {step: column for column, step in enumerate(self.steps)}
        self._forget()

    def _forget(self) -> None:
        shape = (len(self.rows), len(self.steps))
        self.logprobs = np.full(shape, np.nan, dtype=np.float32)
        self.ranks = np.zeros(shape, dtype=np.int64)
        self.tops = np.full(shape, -1, dtype=np.int64)

    def take(self, result: Result) -> None:
        """Take a checkpoint's answer in; another's and another prompt's is passed over.

        Numbers of half precision and of float32 never stand side by side: once there is one
        of float32 the others go.
        """
        step = result.checkpoint.step
        if result.prompt != self.prompt or step not in self._columns:
            return
        if result.error is not None:
            self.problems[step] = result.error
            return
        dtypes = {dtype for _, dtype in self.sources.values()}
        if result.dtype == "float32" and dtypes - {"float32"}:
            self._forget()
            self.sources.clear()
        elif result.dtype != "float32" and "float32" in dtypes:
            return
        self.problems.pop(step, None)
        self.sources[step] = (result.checkpoint, result.dtype)
        self._fill(self._columns[step], result)

    def _fill(self, column: int, result: Result) -> None:
        count = sum(row.role == "token" for row in self.rows)
        score = result.score
        if score is not None and count:
            self.logprobs[:count, column] = score.logprobs[1 : count + 1]
            self.ranks[:count, column] = score.ranks[1 : count + 1]
            if score.top.ids.shape[1]:
                self.tops[:count, column] = score.top.ids[1 : count + 1, 0]
                self._name(self.tops[:count, column], result.texts)
        for row, target in enumerate(result.targets[: len(self.rows) - count], start=count):
            self.logprobs[row, column] = target.logprob
            self.ranks[row, column] = target.rank

    def _name(self, ids: NDArray[np.int64], texts: Mapping[int, str]) -> None:
        for token_id in ids.tolist():
            if token_id in texts:
                self.texts[token_id] = texts[token_id]

    def values(self, measure: MapMeasure, pinned: int = -1) -> Floats:
        """Return the numbers of a measure, shape (row, column), float32 or float64, NaN gaps.

        A change is the difference of log-probabilities in nats; `pinned` is a column.
        """
        if measure == "logprob":
            return self.logprobs
        if measure == "probability":
            return np.exp(self.logprobs)
        if measure == "surprisal":
            return self.logprobs / np.float32(-math.log(2.0))
        if measure == "rank":
            return np.where(self.ranks > 0, self.ranks, np.nan).astype(np.float64)
        changes = np.full_like(self.logprobs, np.nan)
        with np.errstate(invalid="ignore"):
            if measure == "change":
                changes[:, 1:] = self.logprobs[:, 1:] - self.logprobs[:, :-1]
            elif 0 <= pinned < len(self.steps):
                changes[:] = self.logprobs - self.logprobs[:, pinned : pinned + 1]
        return changes

    def acquired(self, row: int) -> Acquisition:
        """Return when a row's token was learned, from the steps measured so far."""
        ranks = self.ranks[row]
        return acquisition({self.steps[at]: int(ranks[at]) for at in np.flatnonzero(ranks)})

    def glyphs(self) -> tuple[Glyph, ...]:
        """Return the marks of every row: first in the top 10, first on top, stays from."""
        marks: list[Glyph] = []
        for row in np.flatnonzero((self.ranks > 0).any(axis=1)).tolist():
            found = self.acquired(row)
            kinds: tuple[tuple[Bracket | None, GlyphKind], ...] = (
                (found.top10, "ring"),
                (found.top1, "dot"),
                (found.stays, "line"),
            )
            marks += [Glyph(row, self._columns[at.at], kind) for at, kind in kinds if at]
        return tuple(marks)


def rows_of(prompt: Prompt, texts: Sequence[str], roles: Sequence[str]) -> tuple[MapRow, ...]:
    """Return the rows of a map: the prompt's tokens from the second on, targets and foils.

    `texts` are the prompt's tokens as they read in their places.
    """
    tokens = [MapRow(text, place) for place, text in enumerate(texts) if place]
    ends = [
        MapRow(target.text, -1, "foil" if role == "foil" else "target")
        for target, role in zip(prompt.targets, roles, strict=True)
    ]
    return (*tokens, *ends)


def bracket_text(bracket: Bracket | None) -> str:
    """Return an interval between two measured steps for reading: `256–512`."""
    if bracket is None:
        return "never"
    if bracket.before is None:
        return f"at {bracket.at:,} already"
    return f"{bracket.before:,}–{bracket.at:,}"


def acquired_text(found: Acquisition) -> str:
    """Return in one line when a token was learned, the intervals between measured steps."""
    if not found.measured:
        return ""
    parts = (
        f"first in top 10: {bracket_text(found.top10)}",
        f"first on top: {bracket_text(found.top1)}",
        f"stays from: {bracket_text(found.stays)}",
        f"{found.kind}, by {found.measured:,} steps",
    )
    return "  ·  ".join(parts)


class LongRows(Sequence[tuple[Cell, ...]]):
    """The cells of a map one below the other, each made when it is looked at."""

    def __init__(self, numbers: MapNumbers, model: str) -> None:
        self._numbers = numbers
        self._model = model

    def __len__(self) -> int:
        return len(self._numbers.rows) * len(self._numbers.steps)

    @overload
    def __getitem__(self, place: int) -> tuple[Cell, ...]: ...

    @overload
    def __getitem__(self, place: slice) -> list[tuple[Cell, ...]]: ...

    def __getitem__(self, place: int | slice) -> tuple[Cell, ...] | list[tuple[Cell, ...]]:
        if isinstance(place, slice):
            return [self._row(at) for at in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self._row(place % len(self))

    def __iter__(self) -> Iterator[tuple[Cell, ...]]:
        return map(self._row, range(len(self)))

    def _row(self, place: int) -> tuple[Cell, ...]:
        known = self._numbers
        row, column = divmod(place, len(known.steps))
        name, step = known.rows[row], known.steps[column]
        logprob = float(known.logprobs[row, column])
        source = known.sources.get(step)
        return (
            name.position + 1 if name.position >= 0 else None,
            name.text,
            name.role,
            step,
            logprob,
            math.exp(logprob) if not math.isnan(logprob) else None,
            int(known.ranks[row, column]) or None,
            surprisal_bits(logprob) if not math.isnan(logprob) else None,
            self._model,
            source[0].weights_sha256 if source else None,
            source[1] if source else None,
        )
