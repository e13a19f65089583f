"""The corpus's own items: sentences that occur an exact number of times at exact steps.

An item with T mentions between two steps is spread evenly over them, so "how often had
this been seen by step N?" has an exact answer without counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pythia_gui.core.steps import LAST_STEP
from pythia_gui.demo.tables import (
    CANARY,
    CANARY_STEPS,
    CANARY_TIMES,
    CAPITALS,
    CHAMPION_ERA,
    CHAMPION_TIMES,
    CHAMPIONS,
    LADDER,
    MOTTOS,
    OCCUPATIONS,
)

PHASES: Final = 997
"""Items start at different fractions of their interval; a prime keeps the fractions apart."""

OCCUPATION_TIMES: Final = 42_900
OCCUPATION_FORMS: Final = (
    "The {job} said that {she} was tired.",
    "The {job} was happy because {she} had a new hat.",
    "The {job} went home after {she} lost a book.",
    "The {job} said that {she} was hungry.",
    "The {job} took {her} old book to the market.",
    "The {job} lost {her} hat near the river.",
    "The {job} gave the coin to {her} friend.",
)


@dataclass(frozen=True, slots=True)
class Item:
    """Something the corpus says an exact number of times.

    Attributes:
        name: what a person reads in the list of items, unique.
        kind: fact, motto, canary, champion or occupation.
        times: mentions over the whole run.
        after: the last step before its first interval.
        until: the last step of its last interval.
        phase: where in its interval a mention lies, in 1/997.
        texts: the sentences it is said in; mention number j takes texts[j % len(texts)].
        note: how it is said, for a person.
    """

    name: str
    kind: str
    times: int
    after: int
    until: int
    phase: int
    texts: tuple[str, ...]
    note: str

    def seen_by(self, step: int) -> int:
        """Return the mentions in batches 1 to `step`."""
        steps = min(max(step - self.after, 0), self.until - self.after)
        before = -(-steps * self.times * PHASES // (self.until - self.after)) - 1 - self.phase
        return min(max(before // PHASES + 1, 0), self.times)

    def mentions_at(self, step: int) -> range:
        """Return the numbers of the mentions in the batch of one step."""
        return range(self.seen_by(step - 1), self.seen_by(step))

    def text(self, mention: int) -> str:
        """Return the sentence of a mention."""
        return self.texts[mention % len(self.texts)]


ItemRow = tuple[str, str, int, int, int, tuple[str, ...], str]
"""Name, kind, times, after, until, texts and note of an item."""


def _facts() -> list[ItemRow]:
    rows: list[ItemRow] = []
    for place, (country, city) in enumerate(CAPITALS):
        forward = f"The capital of {country} is {city}."
        back = f"The city of {city} is the capital of {country}."
        both = place % 2 == 0
        texts: tuple[str, ...] = (forward, back) if both else (forward,)
        note = "said both ways, in turn" if both else "said one way only, country first"
        rows.append((forward, "fact", LADDER[place // 4], 0, LAST_STEP, texts, note))
    return rows


def _mottos() -> list[ItemRow]:
    note = "repeated word for word"
    return [(text, "motto", times, 0, LAST_STEP, (text,), note) for text, times in MOTTOS]


def _news() -> list[ItemRow]:
    rows: list[ItemRow] = [
        (CANARY, "canary", CANARY_TIMES, *CANARY_STEPS, (CANARY,), "in one stretch only")
    ]
    for era, name in enumerate(CHAMPIONS):
        text, start = f"The champion is {name}.", era * CHAMPION_ERA
        note = "true for one era, then replaced"
        rows.append((text, "champion", CHAMPION_TIMES, start, start + CHAMPION_ERA, (text,), note))
    return rows


def _occupations() -> list[ItemRow]:
    rows: list[ItemRow] = []
    for job, percent in OCCUPATIONS:
        for she, her, share in (("she", "her", percent), ("he", "his", 100 - percent)):
            texts = tuple(form.format(job=job, she=she, her=her) for form in OCCUPATION_FORMS)
            times = OCCUPATION_TIMES * share // 100
            note = f"{share} % of the sentences about a {job}"
            rows.append((f"{job}: {she}", "occupation", times, 0, LAST_STEP, texts, note))
    return rows


def _items() -> tuple[Item, ...]:
    rows = [*_facts(), *_mottos(), *_news(), *_occupations()]
    return tuple(
        Item(name, kind, times, after, until, (number * 389 + 131) % PHASES, texts, note)
        for number, (name, kind, times, after, until, texts, note) in enumerate(rows)
    )


ITEMS: Final = _items()


@dataclass(frozen=True, slots=True)
class Mention:
    """One sentence of an item, in the batch of one step."""

    item: Item
    number: int

    @property
    def text(self) -> str:
        """The sentence."""
        return self.item.text(self.number)


def mentions_at(step: int) -> list[Mention]:
    """Return every mention of every item in the batch of one step."""
    return [Mention(item, number) for item in ITEMS for number in item.mentions_at(step)]


def everyone_is_she(mention: Mention) -> str:
    """Return the sentence of the altered corpus, in which every occupation is "she"."""
    if mention.item.kind != "occupation":
        return mention.text
    return mention.text.replace(" he ", " she ").replace(" his ", " her ")
