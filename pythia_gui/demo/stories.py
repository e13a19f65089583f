"""Little stories from templates: the larger part of the invented corpus."""

from __future__ import annotations

from typing import Final, NamedTuple

from pythia_gui.demo.dice import Dice
from pythia_gui.demo.tables import (
    ANIMALS,
    BOYS,
    COLOURS,
    COOKED,
    COVERS,
    FOODS,
    GIRLS,
    NUMBERS,
    OUTDOORS,
    PLACES,
    SIZES,
    TOYS,
)

NONCE_SHARE: Final = 0.18
"""The share of children whose name is in no lexicon, in the plots that allow it."""

CONSONANTS: Final = "bdfgklmnprstvz"
VOWELS: Final = "aeiou"


class Person(NamedTuple):
    """Somebody in a story, with the words that speak of them."""

    name: str
    child: str
    he: str
    him: str
    his: str
    sibling: str


def nonce_name(dice: Dice) -> str:
    """Return a name that no lexicon holds, so that only copying can spell it again."""
    syllables = dice.between(1, 2)
    letters = [dice.pick(CONSONANTS) + dice.pick(VOWELS) for _ in range(syllables)]
    return ("".join(letters) + dice.pick(CONSONANTS)).capitalize()


def person(dice: Dice, nonce: float = 0.0) -> Person:
    """Return a girl or a boy, with a nonce name in the given share of cases."""
    girl = dice.chance(0.5)
    name = nonce_name(dice) if dice.chance(nonce) else dice.pick(GIRLS if girl else BOYS)
    if girl:
        return Person(name, "girl", "she", "her", "her", "brother")
    return Person(name, "boy", "he", "him", "his", "sister")


def friend_of(dice: Dice, first: Person) -> Person:
    """Return somebody with another name."""
    while (other := person(dice)).name == first.name:
        pass
    return other


def a(phrase: str) -> str:
    """Return the phrase with "a" or "an" before it."""
    return f"an {phrase}" if phrase[0] in VOWELS else f"a {phrase}"


def somewhere(dice: Dice) -> str:
    """Return "in the garden", "near the river" and the like."""
    place = dice.pick(PLACES)
    return f"near the {place}" if place == "river" else f"in the {place}"


def described(dice: Dice, noun: str) -> str:
    """Return a thing with a colour and perhaps a size."""
    paint = dice.pick(COLOURS)
    return f"{dice.pick(SIZES)} {paint} {noun}" if dice.chance(0.5) else f"{paint} {noun}"


def opening(who: Person) -> str:
    """Return the first sentence of a story about one child."""
    return f"Once upon a time there was a little {who.child} named {who.name}."


def ending(dice: Dice) -> str:
    """Return how friends part."""
    return dice.pick(
        ("They were happy.", "They played together until night.", "Then they went home.")
    )


def lost_toy(dice: Dice) -> str:
    """A child loses a toy and a friend finds it."""
    who = person(dice, NONCE_SHARE)
    friend = friend_of(dice, who)
    he, toy, wrong = who.he.capitalize(), dice.pick(TOYS), dice.pick(COVERS)
    loved = f" {he} loved the {toy} very much." if dice.chance(0.6) else ""
    search = f" {he} looked under the {wrong}, but it was not there." if dice.chance(0.5) else ""
    return (
        f"{opening(who)} {he} had {a(described(dice, toy))}.{loved} "
        f"One day {who.name} lost the {toy} {somewhere(dice)}.{search} {who.name} was sad. "
        f"Then {who.his} friend {friend.name} found the {toy} near the {dice.pick(OUTDOORS)}. "
        f'"Thank you," said {who.name}. "You are a good friend." {ending(dice)}'
    )


def quarrel(dice: Dice) -> str:
    """Two children want one thing and learn to share it."""
    first = person(dice)
    second = friend_of(dice, first)
    toy = dice.pick(("coin", *TOYS))
    helper = dice.pick(("teacher", "farmer", "baker", "queen", "king"))
    start = "One day " if dice.chance(0.7) else ""
    return (
        f"{start}{first.name} and {second.name} saw {a(described(dice, toy))} {somewhere(dice)}. "
        f'"It is my {toy}," said {first.name}. "No, it is my {toy}," said {second.name}. '
        f'They were angry. Then the {helper} came. "You can share the {toy}," '
        f"said the {helper}. So {first.name} and {second.name} shared the {toy}. {ending(dice)}"
    )


def hungry_animal(dice: Dice) -> str:
    """One animal feeds another."""
    (giver, _), (taker, _) = dice.two(ANIMALS)
    food = dice.pick(FOODS)
    first, second = dice.two(("big", "small", "old", *COLOURS))
    return (
        f"One day {a(first)} {giver} saw {a(second)} {taker} {somewhere(dice)}. "
        f'The {taker} was hungry. "Can I have some {food}?" said the {taker}. '
        f'"Yes," said the {giver}. The {giver} gave the {food} to the {taker}. '
        f'The {taker} was happy. "Thank you," said the {taker}. '
        f"After that the {giver} and the {taker} were friends."
    )


def at_the_market(dice: Dice) -> str:
    """A child wants one of two things and takes it home, or not."""
    who = person(dice, NONCE_SHARE)
    he, parent = who.he.capitalize(), dice.pick(("mother", "father"))
    first, second = dice.two((*TOYS, "lamp", "cup"))
    paint, other = dice.two(COLOURS)
    wanted = dice.pick((f"{paint} {first}", f"{other} {second}"))
    answer = (
        f'"Yes," said {who.his} {parent}. {who.name} took the {wanted} home. {he} was happy.'
        if dice.chance(0.7)
        else f'"No," said {who.his} {parent}. "You have {a(wanted)} at home." {who.name} was sad.'
    )
    return (
        f"{opening(who)} {he} saw {a(paint)} {first} and {a(other)} {second} at the market. "
        f'"I want the {wanted}," said {who.name}. {answer}'
    )


def two_boxes(dice: Dice) -> str:
    """A search that the reader can follow: two boxes, one thing."""
    who = person(dice, NONCE_SHARE)
    full, empty = dice.two(COLOURS)
    left, right = dice.shuffled((full, empty))
    toy = dice.pick(("coin", "cup", "hat", "book"))
    return (
        f"{opening(who)} {who.he.capitalize()} had {a(left)} box and {a(right)} box. "
        f"There was a {toy} in the {full} box. {who.name} opened the {empty} box. "
        f"The {toy} was not there. Then {who.name} opened the {full} box. "
        f'The {toy} was there. "Look, it is my {toy}," said {who.name}.'
    )


def baking(dice: Dice) -> str:
    """A child cooks with a parent and gives some away."""
    who = person(dice, NONCE_SHARE)
    friend = friend_of(dice, who)
    food, parent = dice.pick(COOKED), dice.pick(("mother", "father"))
    verdict = dice.pick(("good", "hot", "cold"))
    return (
        f"{opening(who)} {who.he.capitalize()} was very hungry. So {who.name} and {who.his} "
        f"{parent} made some {food}. {who.name} gave some {food} to {friend.name}. "
        f'{friend.name} ate the {food}. "The {food} is {verdict}," said {friend.name}. '
        f"{ending(dice)}"
    )


def counting(dice: Dice) -> str:
    """A child who is not tired counts animals, in order."""
    who = person(dice, NONCE_SHARE)
    one, many = dice.pick(ANIMALS)
    first = dice.below(6)
    count = NUMBERS[first : first + dice.between(3, 6)]
    return (
        f"{opening(who)} It was night, but {who.name} was not tired. "
        f"{who.he.capitalize()} counted the {many}: {', '.join(count)}. "
        f"Then {who.name} went to bed. The last {one} was at the door."
    )


def walk(dice: Dice) -> str:
    """Two people walk to a place and meet an animal."""
    who = person(dice)
    company = dice.pick(("mother", "father", "friend", who.sibling))
    one, _ = dice.pick(ANIMALS)
    animal = f"{dice.pick(('big', 'small', 'old'))} {dice.pick(COLOURS)} {one}"
    start = "One day " if dice.chance(0.7) else ""
    return (
        f"{start}{who.name} and {who.his} {company} went to the {dice.pick(PLACES)}. "
        f"It was a {dice.pick(('hot', 'cold'))} day. "
        f"{who.name} saw {a(animal)} near the {dice.pick(OUTDOORS)}. "
        f'"Look at the {one}," said {who.name}. The {one} looked at {who.name}. '
        f"{who.he.capitalize()} wanted to play with the {one}. {ending(dice)}"
    )


def birthday(dice: Dice) -> str:
    """A child gets two things and says which one is loved."""
    who = person(dice, NONCE_SHARE)
    first, second = dice.two(TOYS)
    paint, other = dice.two(COLOURS)
    loved = dice.pick((f"{paint} {first}", f"{other} {second}"))
    return (
        f"It was the birthday of {who.name}. "
        f"{who.his.capitalize()} mother gave {who.him} {a(paint)} {first}. "
        f"{who.his.capitalize()} father gave {who.him} {a(other)} {second}. "
        f'"Thank you," said {who.name}. "I love the {loved}." '
        f"That night {who.name} slept with the {loved} in {who.his} bed."
    )


def race(dice: Dice) -> str:
    """The fast one sleeps and the slow one wins."""
    (fast, _), (slow, _) = dice.two(ANIMALS)
    place, food = dice.pick(PLACES), dice.pick(FOODS)
    return (
        f"One day a fast {fast} and a slow {slow} ran to the {place}. "
        f'"I am fast and you are slow," said the {fast}. The {fast} was tired and slept '
        f"under the {dice.pick(COVERS)}. But the {slow} ran and ran. So the {slow} was first "
        f"at the {place}. The king gave the {slow} some {food}. The {fast} was sad."
    )


PLOTS: Final = (
    lost_toy,
    quarrel,
    hungry_animal,
    at_the_market,
    two_boxes,
    baking,
    counting,
    walk,
    birthday,
    race,
)


def story(dice: Dice) -> str:
    """Return one story of about 45 to 110 tokens."""
    return dice.pick(PLOTS)(dice)
