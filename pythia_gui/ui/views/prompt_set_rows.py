"""The table of a set of prompts: what each column says, and the orders worth looking at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pythia_gui.core.acquisition import Bracket
from pythia_gui.core.prompt_numbers import (
    KINDS,
    AtStep,
    Floats,
    Learned,
    SetNumbers,
    Whole,
    dip,
    learned,
    lost,
    over_foil,
)
from pythia_gui.core.prompt_sets import PromptEntry
from pythia_gui.ui.questions import Pin
from pythia_gui.ui.scores import ScoreKind
from pythia_gui.ui.tables import Cell, CellKind, Column, Table

Cells = Sequence[Cell]
CELL_KINDS: Final[dict[ScoreKind, CellKind]] = {
    "probability": "probability",
    "logprob": "nats",
    "rank": "whole",
}
REMARK: Final = "remark"


@dataclass(frozen=True, slots=True, eq=False)
class ModelPart:
    """One model's numbers of a set; `targets` are what was scored, prompt by prompt."""

    key: str
    name: str
    numbers: SetNumbers
    targets: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """All that is known of a set: the prompts, each model's part, and the pair A and B.

    `texts` gives the text of a token's id.
    """

    entries: Sequence[PromptEntry]
    parts: Sequence[ModelPart]
    pair: tuple[Pin, Pin] | None
    texts: Mapping[int, str]

    def where(self, row: int) -> tuple[ModelPart, int]:
        """Return the model and the prompt's number of a row: all of one model, then the next."""
        model, entry = divmod(row, len(self.entries))
        return self.parts[model], entry

    def chosen(self, words: str, group: str) -> list[int]:
        """Return the rows whose texts hold all the words, of a group (all if empty)."""
        wanted = words.casefold().split()
        rows = [
            number
            for number, entry in enumerate(self.entries)
            if (not group or entry.group == group) and _holds(entry, wanted)
        ]
        count = len(self.entries)
        return [model * count + row for model in range(len(self.parts)) for row in rows]


def _holds(entry: PromptEntry, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    parts = (entry.prompt, entry.target, entry.foil, entry.group, entry.source)
    text = "\n".join(parts).casefold()
    return all(word in text for word in wanted)


# ---------------------------------------------------------------------------------- columns


@dataclass(frozen=True, slots=True)
class Order:
    """A ready-made order of the rows: by the column of this name, largest first or not."""

    name: str
    column: str
    descending: bool = True
    tip: str = ""


ORDERS: Final = (
    Order("As in the file", ""),
    Order("Rose most from A to B", "B − A"),
    Order("Fell most from A to B", "B − A", descending=False),
    Order("Learned late", "learned"),
    Order("Forgotten", "lost"),
    Order("U-shaped", "dip"),
    Order("Foil wins", "over foil", descending=False),
)


def is_descending(order: Order, kind: ScoreKind) -> bool:
    """Return whether the largest come first: what rises has the smaller rank."""
    return order.descending != (kind == "rank" and order.column == "B − A")


def columns_of(sheet: Sheet, kind: ScoreKind) -> tuple[Column, ...]:
    """Return the columns of the view, A and B in the units of `kind`."""
    cell = CELL_KINDS[kind]
    a, b = (f"At {_named(pin)}" for pin in sheet.pair) if sheet.pair else ("At A", "At B")
    optional = {
        "group": any(entry.group for entry in sheet.entries),
        "model": len(sheet.parts) > 1,
        "over foil": any(entry.foil for entry in sheet.entries),
        REMARK: any(part.numbers.problems for part in sheet.parts),
    }
    every = (
        Column("prompt"),
        Column("target", tip="What should follow; without one the final step's likeliest token"),
        Column("model"),
        Column("group"),
        Column("A", cell, a),
        Column("B", cell, b),
        Column("B − A", cell if kind != "probability" else "points", _change_tip(kind)),
        Column("learned", "whole", _LEARNED_TIP),
        Column("curve", tip=_KIND_TIP),
        Column("over foil", "nats", "Target minus foil at the last measured step, in nats"),
        Column("lost", "number", "Probability at its best minus at the last measured step"),
        Column("dip", "number", "Depth of the deepest valley between two higher steps"),
        Column("likeliest at B", tip="The token that the model finds likeliest at B"),
        Column(REMARK, tip="Why a prompt could not be asked"),
    )
    return tuple(column for column in every if optional.get(column.name, True))


_LEARNED_TIP = (
    "The last measured step before it was learned to stay, and the first from which on its rank "
    "is 1 at every measured step"
)
_KIND_TIP = (
    "Known means rank 1. learned: once, to stay. U-shaped: lost once and learned again. "
    "transient: known once and lost. comes and goes: more often than that. never: at no step."
)


def _change_tip(kind: ScoreKind) -> str:
    unit = {"probability": "probability", "logprob": "log-probability (nats)", "rank": "ranks"}
    return f"The change from A to B in {unit[kind]}"


def _named(pin: Pin) -> str:
    return f"step {pin.step:,} of {pin.model}"


def table_of(sheet: Sheet, rows: Sequence[int], kind: ScoreKind) -> Table:
    """Return these rows of the view, A and B in the units of `kind`."""
    columns = columns_of(sheet, kind)
    cells = _Cells(sheet, kind)
    made = [cells.column(column.name) for column in columns]
    every = list(zip(*made, strict=True)) if sheet.entries and sheet.parts else []
    return Table(columns, [every[row] for row in rows])


def whole_table(sheet: Sheet, rows: Sequence[int]) -> Table:
    """Return these rows with everything that is known of A and B, bare, for a CSV."""
    pins = sheet.pair
    a, b = (f"({_named(pin)})" for pin in pins) if pins else ("(A)", "(B)")
    named: list[tuple[Column, str, ScoreKind]] = [
        (Column("prompt"), "prompt", "logprob"),
        (Column("target"), "target", "logprob"),
        (Column("foil"), "foil", "logprob"),
        (Column("group"), "group", "logprob"),
        (Column("source"), "source", "logprob"),
        (Column("model"), "model", "logprob"),
        (Column(f"logprob A {a}", "nats"), "A", "logprob"),
        (Column(f"logprob B {b}", "nats"), "B", "logprob"),
        (Column("logprob B − A", "nats"), "B − A", "logprob"),
        (Column("probability A", "probability"), "A", "probability"),
        (Column("probability B", "probability"), "B", "probability"),
        (Column("rank A", "whole"), "A", "rank"),
        (Column("rank B", "whole"), "B", "rank"),
        (Column("not yet at", "whole"), "not yet at", "logprob"),
        (Column("learned by", "whole"), "learned by", "logprob"),
        (Column("curve"), "curve", "logprob"),
        (Column("over foil", "nats"), "over foil", "logprob"),
        (Column("lost", "number"), "lost", "logprob"),
        (Column("dip", "number"), "dip", "logprob"),
        (Column("likeliest at B"), "likeliest at B", "logprob"),
        (Column(REMARK), REMARK, "logprob"),
    ]
    by_kind = {kind: _Cells(sheet, kind) for kind in CELL_KINDS}
    made = [by_kind[kind].column(name) for _, name, kind in named]
    every = list(zip(*made, strict=True)) if sheet.entries and sheet.parts else []
    return Table(tuple(column for column, _, _ in named), [every[row] for row in rows])


class _Cells:
    """Makes the cells of one column of all models after each other."""

    def __init__(self, sheet: Sheet, kind: ScoreKind) -> None:
        self._sheet = sheet
        self._kind = kind
        self._learned: dict[str, Learned] = {}
        self._make: dict[str, Callable[[ModelPart], Cells]] = {
            "prompt": self._prompts,
            "target": lambda part: part.targets,
            "foil": self._foils,
            "group": self._groups,
            "source": self._sources,
            "model": lambda part: [part.name] * len(self._sheet.entries),
            "A": lambda part: numbers_of(self._at(part, 0), self._kind),
            "B": lambda part: numbers_of(self._at(part, 1), self._kind),
            "B − A": self._changes,
            "not yet at": lambda part: _whole(self._of(part).after),
            "learned by": lambda part: _whole(self._of(part).by),
            "learned": lambda part: _brackets(self._of(part)),
            "curve": self._curves,
            "over foil": lambda part: _bare(over_foil(part.numbers)),
            "lost": lambda part: _bare(lost(np.exp(part.numbers.target))),
            "dip": lambda part: _bare(dip(np.exp(part.numbers.target))),
            "likeliest at B": self._likeliest,
            REMARK: self._remarks,
        }

    def column(self, name: str) -> list[Cell]:
        """Return the cells of a column, model after model."""
        return [cell for part in self._sheet.parts for cell in self._make[name](part)]

    def _prompts(self, _: ModelPart) -> Cells:
        return [entry.prompt for entry in self._sheet.entries]

    def _foils(self, _: ModelPart) -> Cells:
        return [entry.foil for entry in self._sheet.entries]

    def _groups(self, _: ModelPart) -> Cells:
        return [entry.group for entry in self._sheet.entries]

    def _sources(self, _: ModelPart) -> Cells:
        return [entry.source for entry in self._sheet.entries]

    def _at(self, part: ModelPart, side: int) -> AtStep:
        """Return the numbers at A or B: of the part's own model where the pair is of one."""
        pair = self._sheet.pair
        if pair is None:
            return part.numbers.at(-1)
        pin = pair[side]
        if pair[0].model != pair[1].model:
            part = next((one for one in self._sheet.parts if one.key == pin.model), part)
        return part.numbers.at(pin.step)

    def _changes(self, part: ModelPart) -> Cells:
        a, b = (_measured(self._at(part, side), self._kind) for side in (0, 1))
        return _bare(b - a)

    def _of(self, part: ModelPart) -> Learned:
        if part.key not in self._learned:
            self._learned[part.key] = learned(part.numbers.rank, part.numbers.steps)
        return self._learned[part.key]

    def _curves(self, part: ModelPart) -> Cells:
        kinds = self._of(part).kind.tolist()
        return [KINDS[kind] if kind >= 0 else None for kind in kinds]

    def _likeliest(self, part: ModelPart) -> Cells:
        texts, ids = self._sheet.texts, self._at(part, 1).likeliest.tolist()
        return [texts.get(token) if token >= 0 else None for token in ids]

    def _remarks(self, part: ModelPart) -> Cells:
        problems = part.numbers.problems
        return [problems.get(row) for row in range(len(self._sheet.entries))]


def _measured(at: AtStep, kind: ScoreKind) -> Floats:
    """Return a step's numbers in the units of `kind`, NaN at gaps."""
    if kind == "rank":
        return np.where(at.rank > 0, at.rank, np.nan).astype(np.float32)
    return np.exp(at.target) if kind == "probability" else at.target


def numbers_of(at: AtStep, kind: ScoreKind) -> Cells:
    """Return a step's numbers in the units of `kind` as cells."""
    if kind == "rank":
        return [rank if rank > 0 else None for rank in at.rank.tolist()]
    return _bare(_measured(at, kind))


def _bare(values: Floats) -> Cells:
    """Return numbers as cells; gaps stay NaN, which a table takes for one."""
    cells: list[Cell] = values.tolist()
    return cells


def _whole(steps: Whole) -> Cells:
    return [step if step >= 0 else None for step in steps.tolist()]


_LETTERS: Final = {
    "prompt": 26,
    "target": 10,
    "model": 12,
    "group": 20,
    "A": 8,
    "B": 8,
    "B − A": 11,
    "learned": 16,
    "lost": 8,
    "dip": 8,
    "curve": 14,
    "likeliest at B": 13,
    REMARK: 60,
}
_MOST_PROMPT: Final = 80


def widths_of(columns: Sequence[Column], room: int) -> list[int]:
    """Return how many letters each column takes; of more `room` the prompt has what is left."""
    widths = [_LETTERS.get(column.name, 10) for column in columns]
    if widths:
        widths[0] = min(max(widths[0], widths[0] + room - sum(widths)), _MOST_PROMPT)
    return widths


def _brackets(known: Learned) -> Cells:
    """Return the intervals in which prompts were learned to stay."""
    pairs = zip(known.after.tolist(), known.by.tolist(), strict=True)
    return [Bracket(a if a >= 0 else None, by) if by >= 0 else None for a, by in pairs]
