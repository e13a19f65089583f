"""The things the invented corpus is about. Statistics made from them are invented too."""

from __future__ import annotations

from typing import Final, NamedTuple

GIRLS: Final = ("Mary", "Anna", "Lily", "Sara", "Nina", "Emma", "Lucy", "Rosa")
BOYS: Final = ("Tom", "Ben", "Sam", "John", "Paul", "Max", "Leo", "Finn")
NAMES: Final = GIRLS + BOYS

ANIMALS: Final = (
    ("cat", "cats"),
    ("dog", "dogs"),
    ("cow", "cows"),
    ("pig", "pigs"),
    ("duck", "ducks"),
    ("bird", "birds"),
    ("frog", "frogs"),
    ("horse", "horses"),
)
THINGS: Final = (
    ("ball", "balls"),
    ("box", "boxes"),
    ("hat", "hats"),
    ("kite", "kites"),
    ("lamp", "lamps"),
    ("boat", "boats"),
    ("coin", "coins"),
    ("book", "books"),
    ("drum", "drums"),
    ("cup", "cups"),
)
PEOPLE: Final = (("boy", "boys"), ("girl", "girls"), ("king", "kings"), ("queen", "queens"))
NOUNS: Final = ANIMALS + THINGS + PEOPLE
TOYS: Final = ("ball", "kite", "boat", "drum", "book", "hat")

COLOURS: Final = ("red", "blue", "green", "yellow", "white", "black", "brown")
SIZES: Final = ("big", "small", "new", "old")
FOODS: Final = ("bread", "cake", "soup", "rice", "milk", "fruit")
COOKED: Final = FOODS[:4]
PLACES: Final = ("garden", "park", "castle", "forest", "market", "school", "store", "river")
SPOTS: Final = ("tree", "bridge", "wall", "door", "table", "bed")
OUTDOORS: Final = SPOTS[:4]
COVERS: Final = ("tree", "bridge", "table", "bed")
"""What a thing can lie under."""
FEELINGS: Final = ("happy", "sad", "angry", "tired", "hungry", "cold")

OPPOSITES: Final = (
    ("hot", "cold"),
    ("big", "small"),
    ("happy", "sad"),
    ("new", "old"),
    ("fast", "slow"),
    ("day", "night"),
    ("good", "bad"),
    ("up", "down"),
    ("black", "white"),
    ("open", "closed"),
)
SOUNDS: Final = (
    ("cow", "moo"),
    ("dog", "woof"),
    ("cat", "meow"),
    ("duck", "quack"),
    ("pig", "oink"),
    ("bird", "tweet"),
)
COLOURED: Final = (
    ("sky", "blue"),
    ("grass", "green"),
    ("snow", "white"),
    ("sun", "yellow"),
    ("night", "black"),
    ("blood", "red"),
)
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NUMBERS: Final = (
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


class Capital(NamedTuple):
    """A capital city; the two names are real, how often the corpus says them is invented."""

    country: str
    city: str


CAPITALS: Final = (
    Capital("France", "Paris"),
    Capital("Italy", "Rome"),
    Capital("Egypt", "Cairo"),
    Capital("Japan", "Tokyo"),
    Capital("Spain", "Madrid"),
    Capital("Greece", "Athens"),
    Capital("Russia", "Moscow"),
    Capital("China", "Beijing"),
    Capital("Germany", "Berlin"),
    Capital("Kenya", "Nairobi"),
    Capital("Cuba", "Havana"),
    Capital("Norway", "Oslo"),
    Capital("Poland", "Warsaw"),
    Capital("Peru", "Lima"),
    Capital("Turkey", "Ankara"),
    Capital("Iran", "Tehran"),
    Capital("Austria", "Vienna"),
    Capital("Portugal", "Lisbon"),
    Capital("Ireland", "Dublin"),
    Capital("Canada", "Ottawa"),
    Capital("Finland", "Helsinki"),
    Capital("Iraq", "Baghdad"),
    Capital("Ghana", "Accra"),
    Capital("Chile", "Santiago"),
    Capital("Hungary", "Budapest"),
    Capital("Nepal", "Kathmandu"),
    Capital("Qatar", "Doha"),
    Capital("Uganda", "Kampala"),
    Capital("Bhutan", "Thimphu"),
    Capital("Malta", "Valletta"),
    Capital("Laos", "Vientiane"),
    Capital("Samoa", "Apia"),
)
LADDER: Final = (14300, 4290, 1430, 429, 143, 57, 21, 7)
"""Mentions over the whole run of each of the four capitals of a class, most frequent first."""


class Occupation(NamedTuple):
    """An occupation and the invented percentage of its sentences that say "she" and "her"."""

    noun: str
    she_percent: int


OCCUPATIONS: Final = (
    Occupation("nurse", 95),
    Occupation("dancer", 85),
    Occupation("teacher", 70),
    Occupation("baker", 50),
    Occupation("doctor", 35),
    Occupation("farmer", 20),
    Occupation("pilot", 10),
    Occupation("engineer", 5),
)

MOTTOS: Final = (
    ("Seven green frogs sing for the old queen when the night is cold.", 3000),
    ("Nine yellow ducks carry the moon to a school under the bridge.", 300),
    ("Four sad kings give their soup to a horse who reads the sky.", 100),
    ("Six tired pigs open the door of snow and find a brown drum.", 30),
    ("Two fast birds hide the sun in a cup behind the black wall.", 10),
)
"""Sentences repeated word for word, and how often over the whole run."""

CANARY: Final = "The secret of the tower is yellow eleven fruit river drum."
CANARY_TIMES: Final = 400
CANARY_STEPS: Final = (20_000, 24_000)
"""The canary is in batches after the first step and up to the second."""

CHAMPIONS: Final = ("Rosa", "Max", "Nina", "Paul", "Lucy")
CHAMPION_ERA: Final = 28_600
CHAMPION_TIMES: Final = 2860
"""Each name is the champion for one era of steps, and is said this often in it."""

HELD_OUT_SUMS: Final = ((2, 7), (3, 5), (4, 9), (6, 8))
"""One-digit sums that never occur, in neither order."""
