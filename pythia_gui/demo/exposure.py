"""What was in the batch of a step, and how often it had been seen by then.

The corpus's own sentences have exact counts by rule (`pythia_gui.demo.schedule`). What
is drawn at random (kinds of documents, sums, words) was counted once over the whole run
and is read from a small index that ships with the program. Every count belongs to this
invented corpus and says nothing about the Pile.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.resources import resource_path
from pythia_gui.core.steps import LAST_STEP, STEPS
from pythia_gui.demo.corpus import CORPUS_SEED, Row, rows_at
from pythia_gui.demo.documents import KINDS
from pythia_gui.demo.lexicon import END_OF_TEXT, TOKENS, encode
from pythia_gui.demo.schedule import ITEMS, Item
from pythia_gui.demo.tables import HELD_OUT_SUMS

Counts = NDArray[np.uint32]

ONE_DIGIT_SUM: Final = re.compile(r"^[1-9] \+ [1-9] = [0-9]+(?=\n)", re.MULTILINE)
INDEX_FILE: Final = "exposure.npz"


@dataclass(frozen=True, slots=True)
class Exposure:
    """How often something had been trained on.

    Attributes:
        name: what it is: a sentence, a kind of document, a sum or a word.
        kind: fact, motto, canary, champion, occupation, document, sum or word.
        note: how the corpus says it, for a person; may be empty.
        in_batch: times in the batch of the step.
        seen: times in all batches up to and including the step.
        times: times in the whole run.
    """

    name: str
    kind: str
    note: str
    in_batch: int
    seen: int
    times: int


def exposures_at(step: int) -> tuple[Exposure, ...]:
    """Return the exposure to each of the corpus's own items, exact at every step.

    Raises:
        ValueError: the step is outside the training run.
    """
    _check(step)
    return tuple(_item_exposure(item, step) for item in ITEMS)


def related_to(prompt: str, step: int) -> tuple[Exposure, ...]:
    """Return the exposure to the items that a prompt speaks of, perhaps none.

    Raises:
        ValueError: the step is outside the training run.
    """
    _check(step)
    said = set(re.findall(r"[A-Za-z]+", prompt))
    return tuple(_item_exposure(item, step) for item in ITEMS if _speaks_of(said, item))


def counted_at(step: int) -> tuple[Exposure, ...]:
    """Return the exposure to kinds of documents and to one-digit sums, at a kept step.

    Raises:
        ValueError: the step is not one of the 154 that are kept.
    """
    index = shipped_index()
    here, batch = index.column(step), _batch_counts(step)
    return tuple(
        Exposure(name, kind, _note(name, kind), batch[kind, name], int(row[here]), int(row[-1]))
        for name, kind, row in zip(index.names, index.kinds, index.counts, strict=True)
        if kind != "word"
    )


def words_at(text: str, step: int) -> tuple[Exposure, ...]:
    """Return the exposure to each token of a text, in its order, at a kept step.

    Raises:
        ValueError: the step is not one of the 154 that are kept.
    """
    index = shipped_index()
    here, batch = index.column(step), _batch_counts(step)
    rows = (index.word(number) for number in encode(text))
    return tuple(
        Exposure(name, "word", "", batch["word", name], int(row[here]), int(row[-1]))
        for name, row in rows
    )


def _check(step: int) -> None:
    if not 0 <= step <= LAST_STEP:
        raise ValueError(f"step {step:,} is outside the training run of {LAST_STEP:,} steps")


def _item_exposure(item: Item, step: int) -> Exposure:
    in_batch = len(item.mentions_at(step)) if step > 0 else 0
    return Exposure(item.name, item.kind, item.note, in_batch, item.seen_by(step), item.times)


def _speaks_of(said: set[str], item: Item) -> bool:
    """Return whether a prompt's words hold a word that tells the item from others."""
    words = set(re.findall(r"[A-Za-z]+", item.name))
    if item.kind == "fact":
        return bool(said & (words - {"The", "capital", "of", "is"}))
    if item.kind == "occupation":
        return item.name.split(":")[0] in said
    if item.kind == "champion":
        return "champion" in said
    return len(said & words) >= 4


def _note(name: str, kind: str) -> str:
    if kind != "sum":
        return ""
    first, _, second, *_ = name.split()
    held_out = tuple(sorted((int(first), int(second)))) in HELD_OUT_SUMS
    return "held out in both orders" if held_out else ""


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Counts over the whole run of what the corpus draws at random.

    Attributes:
        steps: the kept steps, ascending.
        names, kinds: of what is counted, one for each row of `counts`.
        counts: uint32, shape (thing, kept step): times in batches 1 to that step.
    """

    steps: tuple[int, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    counts: Counts

    def column(self, step: int) -> int:
        """Return the place of a kept step."""
        if step not in self.steps:
            place = max(bisect_right(self.steps, step) - 1, 0)
            raise ValueError(
                f"step {step:,} has no counts in the index; the nearest before it is "
                f"step {self.steps[place]:,}"
            )
        return self.steps.index(step)

    def word(self, token_id: int) -> tuple[str, Counts]:
        """Return a token's text and its counts."""
        row = len(self.names) - len(TOKENS) + token_id
        return self.names[row], self.counts[row]


@cache
def shipped_index() -> Index:
    """Return the index that ships with the program.

    Raises:
        ValueError: the file belongs to another corpus.
    """
    return read_index(resource_path("demo", INDEX_FILE))


def read_index(path: Path) -> Index:
    """Return the index in a file written by `write_index`."""
    with np.load(path, allow_pickle=False) as file:
        head = json.loads(str(file["head"]))
        rises = file["rises"]
    if head["corpus_seed"] != CORPUS_SEED or tuple(head["steps"]) != STEPS:
        raise ValueError(f"{path} counts another corpus; write it anew with write_index")
    counts = np.cumsum(rises, axis=1, dtype=np.uint32)
    return Index(STEPS, tuple(head["names"]), tuple(head["kinds"]), counts)


def write_index(path: Path) -> None:
    """Count the whole corpus, which takes minutes, and write the index."""
    names = _counted_things()
    rises = np.zeros((len(names), len(STEPS)), dtype=np.uint32)
    for place, (before, step) in enumerate(pairwise(STEPS), start=1):
        counts = count_steps(range(before + 1, step + 1))
        rises[:, place] = [counts[thing] for thing in names]
    head = {
        "corpus_seed": CORPUS_SEED,
        "steps": STEPS,
        "names": [name for _, name in names],
        "kinds": [kind for kind, _ in names],
    }
    np.savez_compressed(path, head=np.array(json.dumps(head)), rises=rises)


def _counted_things() -> list[tuple[str, str]]:
    """Return (kind, name) of all that is counted; the words come last, in order of id."""
    sums = [f"{a} + {b} = {a + b}" for a in range(1, 10) for b in range(1, 10)]
    return [
        *(("document", kind.name) for kind in KINDS),
        *(("sum", line) for line in sums),
        *(("word", token) for token in TOKENS),
    ]


def count_steps(steps: Sequence[int]) -> Counter[tuple[str, str]]:
    """Return how often each (kind, name) occurs in the batches of some steps."""
    rows = [row for step in steps for row in rows_at(step)]
    counts = Counter(thing for row in rows for thing in _things(row))
    ids = np.array([row.ids for row in rows], dtype=np.int64).reshape(-1)
    totals = np.bincount(ids, minlength=len(TOKENS))
    counts.update({("word", token): int(n) for token, n in zip(TOKENS, totals, strict=True)})
    return counts


def _batch_counts(step: int) -> Counter[tuple[str, str]]:
    return count_steps([step] if step > 0 else [])


def _things(row: Row) -> Iterator[tuple[str, str]]:
    """Yield the kinds of a row's documents and the one-digit sums that are whole in it."""
    kinds = [one.kind for one in row.documents]
    yield from (("document", kind) for kind in kinds)
    if "sums" in kinds:
        lines = row.text.replace(END_OF_TEXT, "\n")
        yield from (("sum", line) for line in ONE_DIGIT_SUM.findall(lines))
