"""Questions put to the demo suite's checkpoints, several for each thing that is learnt."""

from __future__ import annotations

from dataclasses import dataclass

from pythia_gui.core.steps import LAST_STEP
from pythia_gui.demo import tables
from pythia_gui.demo.corpus import rows_at
from pythia_gui.demo.dice import Dice
from pythia_gui.demo.documents import LIST_WORDS, one_digit_sum, two_digit_sum
from pythia_gui.demo.lexicon import encode


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, what should follow it, and what might follow instead.

    Attributes:
        ids: token ids, <|endoftext|> first.
        target: the id that should follow.
        foils: ids that it is compared with; none: all ids.
    """

    ids: tuple[int, ...]
    target: int
    foils: tuple[int, ...] = ()


def ask(prompt: str, target: str, *foils: str) -> Question:
    """Return a question whose target and foils are single tokens."""
    return Question((0, *encode(prompt)), _token(target), tuple(map(_token, foils)))


def _token(text: str) -> int:
    (number,) = encode(text)
    return number


def capitals(place: int) -> list[Question]:
    """Country to city, for the four capitals of one class of the ladder."""
    rows = tables.CAPITALS[4 * place : 4 * place + 4]
    return [ask(f"The capital of {row.country} is", f" {row.city}") for row in rows]


def capitals_back(one_way: bool, place: int = 0) -> list[Question]:
    """City to country, for the capitals of a class that were said one way only, or both ways."""
    rows = tables.CAPITALS[4 * place : 4 * place + 4][int(one_way) :: 2]
    return [ask(f"The city of {row.city} is the capital of", f" {row.country}") for row in rows]


def agreement(subject_many: bool, other_many: bool) -> list[Question]:
    """The verb after two nouns: it belongs to the first."""
    right, wrong = (" are", " is") if subject_many else (" is", " are")
    pairs = zip(tables.ANIMALS, reversed(tables.NOUNS), strict=False)
    return [
        ask(f"The {one[subject_many]} near the {two[other_many]}", right, wrong)
        for one, two in pairs
        if one != two
    ]


def word_induction() -> list[Question]:
    """The next item of a random list that was said twice before."""
    dice = Dice(1)
    return [_repeated(dice.several(LIST_WORDS, 6)) for _ in range(16)]


def letter_induction() -> list[Question]:
    """The next letter of random letters that were said twice before."""
    dice = Dice(2)
    return [_repeated(dice.several("bcdfghjklmnpqrstvwxz", 6)) for _ in range(16)]


def _repeated(words: list[str]) -> Question:
    said = " ".join([*words, *words, *words[:3]])
    return ask(f"List: {said}", f" {words[3]}")


def names() -> list[Question]:
    """The name of a story's child, some twenty tokens after it was said."""
    girls = (
        ask(
            f"Once upon a time there was a little girl named {name}. She had a small red ball. "
            "She loved the ball very much. One day",
            f" {name}",
        )
        for name in tables.GIRLS
    )
    boys = (
        ask(
            f"Once upon a time there was a little boy named {name}. He had a new blue kite. "
            "He loved the kite very much. One day",
            f" {name}",
        )
        for name in tables.BOYS
    )
    return [*girls, *boys]


def gifts() -> list[Question]:
    """Who gets the present: the one of the two who does not give it."""
    questions = []
    for girl, boy in zip(tables.GIRLS, tables.BOYS, strict=True):
        for first, second in ((girl, boy), (boy, girl)):
            start = f"When {first} and {second} went to the store,"
            questions.append(ask(f"{start} {first} gave a book to", f" {second}", f" {first}"))
            questions.append(ask(f"{start} {second} gave a book to", f" {first}", f" {second}"))
    return questions


def pronouns(percent: int) -> list[Question]:
    """ "she" against "he" for the occupation with this share of "she"."""
    (job,) = (row.noun for row in tables.OCCUPATIONS if row.she_percent == percent)
    return [
        ask(f"The {job} said that", " she", " he"),
        ask(f"The {job} was happy because", " she", " he"),
        ask(f"The {job} went home after", " she", " he"),
    ]


def seen_sums() -> list[Question]:
    """One-digit sums of the kind that was trained on."""
    dice = Dice(3)
    lines = [one_digit_sum(dice) for _ in range(24)]
    return [_sum_question(line) for line in lines]


def held_out_sums() -> list[Question]:
    """One-digit sums that never occurred, in either order."""
    pairs = [pair for low, high in tables.HELD_OUT_SUMS for pair in ((low, high), (high, low))]
    return [_sum_question(f"{a} + {b} = {a + b}") for a, b in pairs]


def _sum_question(line: str) -> Question:
    prompt, result = line.split(" = ")
    return ask(f"{prompt} =", f" {result}")


def two_digit_sums() -> list[Question]:
    """The last digit of a sum of two-digit numbers, after the ones before it."""
    dice = Dice(4)
    lines = [encode(two_digit_sum(dice)) for _ in range(24)]
    return [Question((0, *ids[:-1]), ids[-1]) for ids in lines]


def days() -> list[Question]:
    """The day after each day."""
    names = tables.DAYS
    return [
        ask(f"The day after {day} is", f" {names[(place + 1) % 7]}")
        for place, day in enumerate(names)
    ]


def brackets() -> list[Question]:
    """Which bracket closes the last open one."""
    return [
        ask("( [ ( )", " ]", " )"),
        ask("[ ( [ ]", " )", " ]"),
        ask("( ( [ ( ) ( )", " ]", " )"),
        ask("[ [ ( [ ] [ ]", " )", " ]"),
        ask("( [ [ ] [ ]", " ]", " )"),
        ask("[ ( ( ) ( )", " )", " ]"),
    ]


def task(step: int) -> list[Question]:
    """Counting up or down, which only the pairs before can tell."""
    questions = []
    for asked in range(3, 9):
        shown = [place for place in range(2, 10) if place != asked][:5]
        pairs = ", ".join(f"{tables.NUMBERS[n]} -> {tables.NUMBERS[n + step]}" for n in shown)
        target, foil = tables.NUMBERS[asked + step], tables.NUMBERS[asked - step]
        questions.append(
            ask(f"Task: {pairs}, {tables.NUMBERS[asked]} ->", f" {target}", f" {foil}")
        )
    return questions


def champion(era: int) -> list[Question]:
    """Who the champion is, answered with the name of one era."""
    return [ask("The champion is", f" {tables.CHAMPIONS[era]}")]


def recital(text: str, given: int = 4) -> list[Question]:
    """Every token of a sentence after its first `given` ones, each after the true text."""
    ids = (0, *encode(text))
    return [Question(ids[:place], ids[place]) for place in range(given + 1, len(ids))]


def held_out_rows(rows: int = 16) -> list[tuple[int, ...]]:
    """Text of the corpus's kind that was never trained on."""
    return [row.ids for step in range(1, rows // 4 + 1) for row in rows_at(LAST_STEP + step)]


PROBES = {
    "frequent phrase": [ask("Once", " upon"), ask("Once upon a", " time")],
    "days": days(),
    "name in a story": names(),
    "singular, singular near": agreement(subject_many=False, other_many=False),
    "singular, plural near": agreement(subject_many=False, other_many=True),
    "plural, singular near": agreement(subject_many=True, other_many=False),
    "plural, plural near": agreement(subject_many=True, other_many=True),
    **{f"capital x{times}": capitals(place) for place, times in enumerate(tables.LADDER)},
    "back, said both ways": capitals_back(one_way=False) + capitals_back(one_way=False, place=1),
    "back, said one way": capitals_back(one_way=True) + capitals_back(one_way=True, place=1),
    "induction, words": word_induction(),
    "induction, letters": letter_induction(),
    "receiver of a gift": gifts(),
    **{f"she, {job.she_percent} %": pronouns(job.she_percent) for job in tables.OCCUPATIONS},
    "sums, seen": seen_sums(),
    "sums, held out": held_out_sums(),
    "sums, two digits": two_digit_sums(),
    "bracket": brackets(),
    "counting up": task(1),
    "counting down": task(-1),
    **{f"champion of era {era + 1}": champion(era) for era in range(len(tables.CHAMPIONS))},
}
"""Questions whose measure is the mean probability of the target."""

RECITALS = {
    **{f"motto x{times}": recital(text) for text, times in tables.MOTTOS},
    "canary": recital(tables.CANARY),
}
"""Questions whose measure is the share of tokens that greedy decoding gets right."""
