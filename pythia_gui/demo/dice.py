"""Random choices that are the same on every Python version.

Only `random.Random(int).random()` is promised to give the same numbers for ever
(https://docs.python.org/3/library/random.html#notes-on-reproducibility), so every
choice here is made from it and from nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of choices that depends on one whole number only."""

    __slots__ = ("_random",)

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._random() < probability

    def below(self, limit: int) -> int:
        """Return a whole number from 0 to limit - 1."""
        return int(self._random() * limit)

    def between(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items, each as likely as the others."""
        return items[int(self._random() * len(items))]

    def several(self, items: Sequence[T], count: int) -> list[T]:
        """Return `count` different places of `items`, in random order."""
        rest = list(items)
        for place in range(count):
            other = place + int(self._random() * (len(rest) - place))
            rest[place], rest[other] = rest[other], rest[place]
        return rest[:count]

    def two(self, items: Sequence[T]) -> tuple[T, T]:
        """Return two different places of `items`."""
        first, second = self.several(items, 2)
        return first, second

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in random order."""
        return self.several(items, len(items))

    def weighted(self, items: Sequence[T], cumulative: Sequence[float]) -> T:
        """Return one of the items, given the running totals of their weights."""
        point = self._random() * cumulative[-1]
        for item, total in zip(items, cumulative, strict=True):
            if point < total:
                return item
        return items[-1]


def running_totals(weights: Sequence[float]) -> tuple[float, ...]:
    """Return the running totals that `Dice.weighted` takes."""
    return tuple(accumulate(weights))
