"""From what checkpoints wrote to what the page shows of it: cells, panels and table rows."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile

from pythia_gui.core.events import Continuation, Result
from pythia_gui.core.library import ModelEntry
from pythia_gui.core.steps import format_step
from pythia_gui.core.text_measures import TextMeasures, measures_of
from pythia_gui.ui.differences import with_changes
from pythia_gui.ui.presenters import provenance, seen_at, text_of_result
from pythia_gui.ui.tables import Cell, Column, Table
from pythia_gui.ui.token_measures import signed
from pythia_gui.ui.values import ShownText, State
from pythia_gui.ui.views.continuation_plot import Measured, Panel, Panels

DISTINCT_TIP = (
    "Different n-grams of tokens over all n-grams, in all samples of the checkpoint together; 1: "
    "none comes twice"
)
REPETITION_TIP = (
    "The share of 4-grams of tokens that repeat an earlier one of the same continuation (rep-4)"
)
SURPRISAL_TIP = "How unlikely the model found each token of what was written, in bits, in the mean"
COLUMNS = (
    Column("Sample", "whole"),
    Column("Model"),
    Column("Step", "whole"),
    Column("Text"),
    Column("Tokens", "whole"),
    Column("Surprisal (bits/token)", "bits", SURPRISAL_TIP),
    Column("Repetition (rep-4)", "number", REPETITION_TIP),
    Column("distinct-1", "number", f"{DISTINCT_TIP} (n = 1)"),
    Column("distinct-2", "number", f"{DISTINCT_TIP} (n = 2)"),
    Column("distinct-3", "number", f"{DISTINCT_TIP} (n = 3)"),
    Column("Provenance"),
)
_LAST_WORD = re.compile(r"\w+$")


@dataclass(frozen=True, slots=True)
class Written:
    """One checkpoint of the page: its result, or why there is none and whether it may come."""

    model: str
    name: str
    step: int
    result: Result | None = None
    message: str = ""
    waiting: bool = False

    def measures(self) -> TextMeasures | None:
        """Return the measures of all its samples, None where nothing is known."""
        if self.result is None or self.result.error is not None:
            return None
        return _counted(self.result.continuations)


@lru_cache(maxsize=4_096)
def _counted(continuations: tuple[Continuation, ...]) -> TextMeasures:
    """Return `measures_of`, counted once: continuations are equal to themselves alone."""
    return measures_of(continuations)


def samples_of(columns: Sequence[Written], samples: int) -> tuple[tuple[ShownText, ...], ...]:
    """Return for each sample the text of each column, the words of none to its left marked.

    Tokens of the prompt are left out: all texts are what was written.
    """
    return tuple(
        with_changes([_cell(column, sample) for column in columns]) for sample in range(samples)
    )


def _cell(column: Written, sample: int) -> ShownText:
    result = column.result
    if result is None:
        state: State = "waiting" if column.waiting else "empty"
        return ShownText(column.name, column.step, (), state, column.message)
    return _written_text(column.name, result, sample)


@lru_cache(maxsize=512)
def _written_text(name: str, result: Result, sample: int) -> ShownText:
    """Return a continuation without its prompt, made once: results are equal to themselves."""
    blank = [""] * len(result.prompt.token_ids)
    text = text_of_result(name, result, blank, sample)
    tokens = tuple(token for token in text.tokens if token.written)
    if text.state == "done" and not tokens:
        return ShownText(name, text.step, (), "empty", "Nothing was written.")
    return replace(text, tokens=tokens)


def shared_start(texts: Sequence[ShownText]) -> str:
    """Return the whole words with which all texts begin; empty for fewer than two texts."""
    whole = ["".join(token.text for token in text.tokens) for text in texts if text.tokens]
    if len(whole) < 2:
        return ""
    alike = takewhile(_all_same, zip(*whole, strict=False))
    start = "".join(chars[0] for chars in alike)
    if all(len(text) == len(start) or not text[len(start)].isalnum() for text in whole):
        return start.strip()
    return _LAST_WORD.sub("", start).strip()


def _all_same(chars: tuple[str, ...]) -> bool:
    return len(set(chars)) == 1


def cell_line(column: Written, sample: int) -> str:
    """Return the numbers of one continuation in a line; a repetition where there is one."""
    measures = _measures(column, sample)
    if measures is None:
        return ""
    many = f"{measures.tokens} tokens" if measures.tokens != 1 else "1 token"
    parts = [f"{signed(measures.surprisal, 2)} bits/token", many]
    if measures.repetition > 0:
        parts.append(f"rep-4 {measures.repetition:.2f}")
    return " · ".join(parts)


def head_line(column: Written) -> str:
    """Return the numbers of all samples of a checkpoint in a line."""
    measures = column.measures()
    if measures is None or not measures.tokens:
        return ""
    second = measures.distinct[1]
    parts = [f"{signed(measures.surprisal, 2)} bits/token"]
    if not math.isnan(second):
        parts.append(f"distinct-2 {second:.2f}")
    return " · ".join(parts)


def _measures(column: Written, sample: int) -> TextMeasures | None:
    result = column.result
    if result is None or result.error is not None:
        return None
    own = tuple(one for one in result.continuations if one.sample == sample)
    return _counted(own) if own and len(own[0].token_ids) else None


# ---------------------------------------------------------------------------------- training


def panels_of(entry: ModelEntry, steps: Sequence[int], results: Mapping[int, Result]) -> Panels:
    """Return the trajectories of the measures over `steps` (ascending), gaps where none is."""
    known = {
        step: _counted(result.continuations)
        for step, result in results.items()
        if result.error is None
    }
    nothing = TextMeasures((math.nan, math.nan, math.nan), math.nan, math.nan, 0)
    rows = [known.get(step, nothing) for step in steps]
    problems = tuple(results[step].error or "" if step in results else "" for step in steps)
    distinct = tuple(
        Measured(f"distinct-{n}", tuple(row.distinct[n - 1] for row in rows)) for n in (1, 2, 3)
    )
    repeated = Measured("rep-4", tuple(row.repetition for row in rows))
    surprisal = Measured("surprisal", tuple(row.surprisal for row in rows))
    return Panels(
        tuple(steps),
        tuple(seen_at(entry, step) for step in steps),
        problems,
        (
            Panel("distinct n-grams, share of all n-grams", distinct, (0.0, 1.0)),
            Panel("repetition, share of repeated 4-grams in a text", (repeated,), least=0.25),
            Panel("mean surprisal, bits per token", (surprisal,)),
        ),
    )


# ---------------------------------------------------------------------------------- table


def table_of(columns: Sequence[Written], samples: int) -> Table:
    """Return a row per sample and checkpoint; distinct-n is that of all its samples."""
    rows = [_row(column, sample) for column in columns for sample in range(samples)]
    return Table(COLUMNS, rows)


def _row(column: Written, sample: int) -> tuple[Cell, ...]:
    head: tuple[Cell, ...] = (sample + 1, column.name, column.step)
    own, every = _measures(column, sample), column.measures()
    result = column.result
    if own is None or every is None or result is None:
        why = result.error if result is not None and result.error else column.message
        return (*head, why or format_step(column.step), *(None for _ in range(6)), None)
    text = next(one.text for one in result.continuations if one.sample == sample)
    numbers: tuple[Cell, ...] = (own.tokens, own.surprisal, own.repetition, *every.distinct)
    return (*head, text, *numbers, provenance(column.name, result))
