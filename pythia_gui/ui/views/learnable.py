"""What may be learned, as rows, curves and sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pythia_gui.core.acquisition import Acquisition, Bracket, Found
from pythia_gui.core.events import Result
from pythia_gui.core.library import ModelEntry
from pythia_gui.core.steps import format_step
from pythia_gui.ui.band_plot import Span, Trace
from pythia_gui.ui.presenters import seen_at
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.scores import ScoreKind
from pythia_gui.ui.step_plot import DASH, Stroke
from pythia_gui.ui.tables import Cell, Column, bracket_text

_INTERVAL = (
    "After the first step and by the second, both measured and neighbours among those measured. "
    '"by" stands where it was so at the first measured step already.'
)
_KINDS = (
    "never: not once the first choice\n"
    "learned: became the first choice once and stayed\n"
    "U-shaped: was lost once and came back to stay\n"
    "transient: came once and is gone at the end\n"
    "comes and goes: changed more often\n"
    "from the start: the first choice at every measured step"
)
COLUMNS = (
    Column("Token", "text", "A token of the prompt, or a target or foil after it"),
    Column("Role", "text", "Whether it stands in the prompt or is asked for after it"),
    Column("First top 10", "whole", f"When its rank was first 10 or better. {_INTERVAL}"),
    Column("First top 1", "whole", f"When it was first the model's first choice. {_INTERVAL}"),
    Column("Stays", "whole", f"From when on it was the first choice to the end. {_INTERVAL}"),
    Column("Kind", "text", _KINDS),
    Column("Steps", "whole", "At how many steps it was measured: all that this row rests on"),
)
TWIN = (
    *("Token", "Role", "Position"),
    *("First top 10 after", "First top 10 by", "First top 1 after", "First top 1 by"),
    *("Stays after", "Stays by", "Kind", "Steps"),
)


@dataclass(frozen=True, slots=True)
class Learnable:
    """Something that may be learned: a token of the prompt or an ending (`target`, from 0).

    `position` is the token's place in the prompt, -1 for an ending.
    """

    text: str
    role: str
    position: int = -1
    target: int = -1


def ranks_of(row: Learnable, results: Mapping[int, Result]) -> dict[int, int]:
    """Return the rank of a row at each step that has one."""
    found: dict[int, int] = {}
    for step, result in results.items():
        rank = numbers_of(row, result)[1]
        if rank:
            found[step] = rank
    return found


def numbers_of(row: Learnable, result: Result) -> tuple[float, int]:
    """Return the log-probability (nats) and the rank of a row, NaN and 0 where there is none."""
    if row.target >= 0:
        known = row.target < len(result.targets)
        score = result.targets[row.target] if known else None
        return (float(score.logprob), int(score.rank)) if score is not None else (np.nan, 0)
    if result.score is None or row.position >= len(result.score.ranks):
        return np.nan, 0
    place = row.position
    return float(result.score.logprobs[place]), int(result.score.ranks[place])


def trace_of(
    entry: ModelEntry,
    row: Learnable,
    results: Mapping[int, Result],
    failed: Mapping[int, str],
    kind: ScoreKind,
) -> Trace:
    """Return the curve of a row: a gap with its problem where a step failed."""
    steps = tuple(sorted({*results, *failed}))
    found = [numbers_of(row, results[step]) if step in results else (np.nan, 0) for step in steps]
    values = np.array([rank or np.nan if kind == "rank" else lp for lp, rank in found], np.float64)
    seen = [tokens for step in steps if (tokens := seen_at(entry, step)) is not None]
    return Trace(
        name=reveal_token(row.text),
        steps=steps,
        values=np.exp(values) if kind == "probability" else values,
        stroke=Stroke(0, DASH) if row.role == "foil" else Stroke(0),
        tokens=tuple(seen) if len(seen) == len(steps) else (),
        problems=failed,
    )


def spans_of(found: Acquisition | None, steps: Sequence[int]) -> list[Span]:
    """Return the three intervals; those that are one are named together."""
    named: dict[Bracket, list[str]] = {}
    if found is not None and found.measured:
        parts = (("first top 10", found.top10), ("first top 1", found.top1), ("stays", found.stays))
        for name, bracket in parts:
            if bracket is not None and bracket.at in steps:
                named.setdefault(bracket, []).append(name)
    return [
        Span(at.before, at.at, f"{', '.join(names)}: {bracket_text(at)}", row=row)
        for row, (at, names) in enumerate(named.items())
    ]


def row_cells(row: Learnable, found: Acquisition) -> tuple[Cell, ...]:
    """Return a row of the list."""
    intervals = (found.top10, found.top1, found.stays)
    return (reveal_token(row.text), row.role, *intervals, _kind(found), found.measured)


def _kind(found: Acquisition) -> str | None:
    """Return the kind of a curve; one step alone has none."""
    return found.kind if found.measured > 1 else None


def twin_cells(row: Learnable, found: Acquisition) -> tuple[Cell, ...]:
    """Return a row of the table twin: bare steps."""
    ends: list[Cell] = []
    for bracket in (found.top10, found.top1, found.stays):
        ends += [bracket.before, bracket.at] if bracket is not None else [None, None]
    position = row.position if row.position >= 0 else None
    return (row.text, row.role, position, *ends, _kind(found), found.measured)


def told(found: Found, steps: Sequence[int]) -> str:
    """Return what a search found, in one sentence or two."""
    odd = ", ".join(f"{step:,}" for step in found.contradictions)
    if found.bracket is None:
        text = f"not known at {format_step(steps[-1])}, the last: nothing to search for."
        came = f"It was known at step {odd}." if odd else "What came and went would be missed."
        return f"{text} {came} Measure every step to see."
    if found.bracket.before is None:
        text = f"known by {format_step(found.bracket.at)} already, the first."
    else:
        between = f"step {found.bracket.before:,} and step {found.bracket.at:,}"
        text = f"learned between {between}; the neighbours were looked at too."
    if odd:
        return f"{text} Against the assumption: step {odd}. Measure every step to see."
    return f"{text} Nothing seen speaks against it."
