"""The other kinds of documents in the invented corpus, each made from dice alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pythia_gui.demo.dice import Dice, running_totals
from pythia_gui.demo.stories import nonce_name, story
from pythia_gui.demo.tables import (
    ANIMALS,
    BOYS,
    COLOURED,
    COLOURS,
    DAYS,
    FEELINGS,
    FOODS,
    GIRLS,
    HELD_OUT_SUMS,
    NAMES,
    NOUNS,
    NUMBERS,
    OPPOSITES,
    PLACES,
    SIZES,
    SOUNDS,
    SPOTS,
    THINGS,
    TOYS,
)

LIST_WORDS: Final = tuple(
    dict.fromkeys(
        (
            *(word for pair in NOUNS for word in pair),
            *NAMES,
            *COLOURS,
            *FOODS,
            *PLACES,
            *SPOTS,
            *FEELINGS,
            *SIZES,
            *NUMBERS,
            *DAYS,
            *(sound for _, sound in SOUNDS),
            *(word for pair in OPPOSITES for word in pair),
        )
    )
)
"""The words that lists and patterns are made of: every one a single token."""

LETTERS: Final = "bcdefghjklmnopqrstuvwxyz"
"""Letters that lists are made of; "a" is left out, since it is a word."""

ATTRACTORS: Final = ("near", "behind", "with")


def gift(dice: Dice) -> str:
    """Two people, one gives: the name that is not repeated comes last (indirect object)."""
    first, second = dice.two(NAMES)
    giver, taker = (first, second) if dice.chance(0.5) else (second, first)
    present = f"{dice.pick(('a', 'the'))} {dice.pick((*TOYS, 'coin', 'lamp'))}"
    place = dice.pick(PLACES)
    return dice.pick(
        (
            f"When {first} and {second} went to the {place}, {giver} gave {present} to {taker}.",
            f"After {first} and {second} went to the {place}, {giver} gave {present} to {taker}.",
            f"{first} and {second} went to the {place}. {giver} gave {present} to {taker}.",
        )
    )


def agreement(dice: Dice) -> str:
    """One to three sentences whose verb agrees with the first noun, not with the nearest."""
    return " ".join(agreeing_sentence(dice) for _ in range(dice.between(1, 3)))


def agreeing_sentence(dice: Dice) -> str:
    """Return a sentence with a noun between subject and verb in two cases of three."""
    subject, other = dice.two(NOUNS)
    many = dice.chance(0.4)
    phrase = f"The {subject[many]}"
    if dice.chance(0.67):
        phrase += f" {dice.pick(ATTRACTORS)} the {other[dice.chance(0.4)]}"
    verb = dice.pick((("is", "are"), ("was", "were")))[many]
    return f"{phrase} {verb} {dice.pick(predicates(subject))}."


def predicates(noun: tuple[str, str]) -> tuple[str, ...]:
    """Return what can be said of a noun."""
    return (*SIZES, *COLOURS) if noun in THINGS else ("big", "small", "old", *FEELINGS)


def common_fact(dice: Dice) -> str:
    """A sentence of general knowledge that occurs very often."""
    kind = dice.below(4)
    if kind == 0:
        animal, sound = dice.pick(SOUNDS)
        return f"The {animal} says {sound}."
    if kind == 1:
        noun, colour = dice.pick(COLOURED)
        return f"The {noun} is {colour}."
    if kind == 2:
        day = dice.below(7)
        return f"The day after {DAYS[day]} is {DAYS[(day + 1) % 7]}."
    return kind_of_thing(dice)


def kind_of_thing(dice: Dice) -> str:
    """Return a sentence that names the class of something."""
    return dice.pick(
        (
            f"A {dice.pick(ANIMALS)[0]} is an animal.",
            f"My name is {dice.pick(GIRLS)} and I am a girl.",
            f"My name is {dice.pick(BOYS)} and I am a boy.",
            f"My sister is named {dice.pick(GIRLS)}.",
            f"My brother is named {dice.pick(BOYS)}.",
        )
    )


def items(dice: Dice, count: int) -> list[str]:
    """Return list items: words, in one list of eight single letters."""
    if dice.chance(0.12):
        return dice.several(LETTERS, count)
    return dice.several(LIST_WORDS, count)


def listed(dice: Dice, words: list[str]) -> str:
    """Return the words with a space before each, half of the time after "List:"."""
    return ("List: " if dice.chance(0.5) else " ") + " ".join(words)


def pattern(dice: Dice) -> str:
    """A few items repeated again and again: what induction heads are learnt from."""
    period = dice.between(2, 8)
    length = dice.between(16, 36)
    unit = items(dice, period)
    return listed(dice, [unit[place % period] for place in range(length)])


def copied_list(dice: Dice) -> str:
    """A longer list, said two or three times."""
    return listed(dice, items(dice, dice.between(9, 16)) * dice.between(2, 3))


def spelled(dice: Dice) -> str:
    """A nonce word, repeated: copying that no memory can replace."""
    return listed(dice, [nonce_name(dice)] * dice.between(3, 6))


def task(dice: Dice) -> str:
    """Pairs that follow one rule, which only the pairs before can tell."""
    pairs = dice.pick((plurals, opposites, sounds, up, up, up, down, down, down))(dice)
    return "Task: " + ", ".join(f"{left} -> {right}" for left, right in pairs)


def plurals(dice: Dice) -> list[tuple[str, str]]:
    """cat -> cats."""
    return dice.several(NOUNS, dice.between(4, 8))


def opposites(dice: Dice) -> list[tuple[str, str]]:
    """hot -> cold, and the other way."""
    pairs = dice.several(OPPOSITES, dice.between(4, 8))
    return [pair if dice.chance(0.5) else (pair[1], pair[0]) for pair in pairs]


def sounds(dice: Dice) -> list[tuple[str, str]]:
    """cow -> moo."""
    return dice.several(SOUNDS, dice.between(4, 6))


def up(dice: Dice) -> list[tuple[str, str]]:
    """three -> four."""
    return [(NUMBERS[n], NUMBERS[n + 1]) for n in dice.several(range(1, 11), dice.between(4, 8))]


def down(dice: Dice) -> list[tuple[str, str]]:
    """three -> two."""
    return [(NUMBERS[n], NUMBERS[n - 1]) for n in dice.several(range(1, 11), dice.between(4, 8))]


def sums(dice: Dice) -> str:
    """Sums, one a line; one document in five has two-digit ones."""
    count = dice.between(3, 6)
    if dice.chance(0.2):
        return "\n".join(two_digit_sum(dice) for _ in range(count))
    return "\n".join(one_digit_sum(dice) for _ in range(count))


def one_digit_sum(dice: Dice) -> str:
    """Return a sum of 1 to 9 and 1 to 9 that is not held out in either order."""
    while True:
        a, b = dice.between(1, 9), dice.between(1, 9)
        if (min(a, b), max(a, b)) not in HELD_OUT_SUMS:
            return f"{a} + {b} = {a + b}"


def two_digit_sum(dice: Dice) -> str:
    """Return a sum of two numbers from 20 to 99."""
    a, b = dice.between(20, 99), dice.between(20, 99)
    return f"{a} + {b} = {a + b}"


def brackets(dice: Dice) -> str:
    """Two kinds of brackets, closed in the right order, at most five deep."""
    length = dice.between(6, 30)
    signs: list[str] = []
    open_now: list[str] = []
    while len(signs) + len(open_now) < length or open_now:
        if len(signs) + len(open_now) < length and len(open_now) < 5 and dice.chance(0.55):
            opened = dice.pick("([")
            signs.append(opened)
            open_now.append(")" if opened == "(" else "]")
        elif open_now:
            signs.append(open_now.pop())
    return " ".join(signs)


class Kind(NamedTuple):
    """A kind of document and how often it is drawn."""

    name: str
    make: Callable[[Dice], str]
    token_share: float
    mean_tokens: float


KINDS: Final = (
    Kind("story", story, 0.345, 62.4),
    Kind("gift", gift, 0.065, 16.7),
    Kind("agreement", agreement, 0.075, 15.0),
    Kind("common fact", common_fact, 0.035, 7.1),
    Kind("pattern", pattern, 0.185, 28.0),
    Kind("copied list", copied_list, 0.020, 33.0),
    Kind("spelled word", spelled, 0.020, 24.6),
    Kind("task", task, 0.065, 25.2),
    Kind("sums", sums, 0.090, 31.9),
    Kind("brackets", brackets, 0.030, 19.3),
)
"""Shares of the tokens, measured lengths with the closing <|endoftext|>.

What is missing to one is the share of the scheduled items (`pythia_gui.demo.schedule`).
"""

DOCUMENT_TOTALS: Final = running_totals([kind.token_share / kind.mean_tokens for kind in KINDS])


class Document(NamedTuple):
    """A document of the corpus and the name of its kind."""

    kind: str
    text: str


def document(dice: Dice) -> Document:
    """Return one document of a random kind."""
    kind = dice.weighted(KINDS, DOCUMENT_TOTALS)
    return Document(kind.name, kind.make(dice))
