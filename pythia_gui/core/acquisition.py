"""When something was learned, told from the measured steps alone.

A token counts as known at a step where its rank is 1. Nothing is smoothed or interpolated:
whatever happened between two measured steps is said as the interval between them.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

Kind = Literal["never", "from the start", "learned", "U-shaped", "transient", "comes and goes"]


@dataclass(frozen=True, slots=True)
class Bracket:
    """Something happened after step `before` and no later than step `at`, both measured.

    `before` is None where it was so at the first measured step already.
    """

    before: int | None
    at: int


@dataclass(frozen=True, slots=True)
class Acquisition:
    """When a token was learned; None where it never was.

    `top10` and `top1` say when its rank was first at most 10 and first 1, `stays` from when on
    it was 1 at every measured step to the last. `measured` counts the steps.
    """

    top10: Bracket | None
    top1: Bracket | None
    stays: Bracket | None
    kind: Kind
    measured: int


def acquisition(ranks: Mapping[int, int]) -> Acquisition:
    """Return when a token was learned, from its rank (1 is best) at each measured step."""
    steps = sorted(ranks)
    known = [ranks[step] == 1 for step in steps]
    return Acquisition(
        top10=first_where(steps, [ranks[step] <= 10 for step in steps]),
        top1=first_where(steps, known),
        stays=stays_from(steps, known),
        kind=kind_of(known),
        measured=len(steps),
    )


def first_where(steps: Sequence[int], holds: Sequence[bool]) -> Bracket | None:
    """Return the interval in which something first held; `steps` ascend."""
    place = next((number for number, yes in enumerate(holds) if yes), None)
    return None if place is None else _bracket(steps, place)


def stays_from(steps: Sequence[int], holds: Sequence[bool]) -> Bracket | None:
    """Return the interval from which on something held to the last step; `steps` ascend."""
    if not holds or not holds[-1]:
        return None
    place = len(holds)
    while place and holds[place - 1]:
        place -= 1
    return _bracket(steps, place)


def kind_of(holds: Sequence[bool]) -> Kind:
    """Return the kind of a curve that holds or not at each measured step.

    "learned" comes once and stays; "U-shaped" is lost once and comes back to stay; "transient"
    comes once and is gone at the end; what changes more often "comes and goes".
    """
    runs = [yes for yes, _ in groupby(holds)]
    times = sum(runs)
    if not times:
        return "never"
    if len(runs) == 1:
        return "from the start"
    if times == 1:
        return "learned" if runs[-1] else "transient"
    return "U-shaped" if times == 2 and runs[-1] else "comes and goes"


def _bracket(steps: Sequence[int], place: int) -> Bracket:
    return Bracket(steps[place - 1] if place else None, steps[place])


@dataclass(frozen=True, slots=True)
class Found:
    """What a search by bisection found.

    It rests on the assumption that what is known once stays known. `contradictions` are
    measured steps at which that does not hold, so that the search may have missed another
    interval. `bracket` is None where the last step does not know it.
    """

    bracket: Bracket | None
    known: Mapping[int, bool]
    contradictions: tuple[int, ...]


def search(steps: Sequence[int]) -> Generator[int, bool, Found]:
    """Find quickly when something was learned: yield a step, be sent whether it is known there.

    Asks the last and the first step, halves between them, then looks at the neighbours of what
    it found: about 2 + log2(len(steps)) + 2 of them. `steps` ascend, at least one.
    """
    known: dict[int, bool] = {}

    def ask(place: int) -> Generator[int, bool, bool]:
        step = steps[place]
        if step not in known:
            known[step] = yield step
        return known[step]

    low, high = 0, len(steps) - 1
    if not (yield from ask(high)):
        return Found(None, known, tuple(step for step in sorted(known) if known[step]))
    if (yield from ask(low)):
        high = low
    while high - low > 1:
        middle = (low + high) // 2
        if (yield from ask(middle)):
            high = middle
        else:
            low = middle
    for near in (high - 2, high + 1):
        if 0 <= near < len(steps):
            yield from ask(near)
    bracket = _bracket(steps, high)
    wrong = (step for step, yes in sorted(known.items()) if yes != (step >= bracket.at))
    return Found(bracket, known, tuple(wrong))


def search_all(steps: Sequence[int], known_at: Callable[[int], bool]) -> Found:
    """Run `search` to its end with a function that knows."""
    looking = search(steps)
    try:
        step = next(looking)
        while True:
            step = looking.send(known_at(step))
    except StopIteration as end:
        found: Found = end.value
        return found


def next_look(steps: Sequence[int], known: Mapping[int, bool]) -> int | Found:
    """Return the step that `search` looks at next after all that is known, or what it found.

    `known` may hold steps that the search did not ask for; they count as contradictions too.
    """
    looking = search(steps)
    try:
        step = next(looking)
        while step in known:
            step = looking.send(known[step])
    except StopIteration as end:
        found: Found = end.value
        at = found.bracket.at if found.bracket is not None else max(steps) + 1
        wrong = (step for step, yes in sorted(known.items()) if yes != (step >= at))
        return replace(found, known=dict(known), contradictions=tuple(wrong))
    return step
