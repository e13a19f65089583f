"""What a token's colour says, and how its numbers are written."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from pythia_gui.ui.values import ShownToken

Measure = Literal["probability", "rank", "surprisal"]

MEASURE_TIPS: Final = {
    "probability": "How likely the model found each token, given those before it",
    "rank": "The token's place among all that could have stood there; 1 is the likeliest",
    "surprisal": "How unexpected each token was, in bits: one bit more is half as likely",
}
MEASURES: Final[tuple[tuple[Measure, str], ...]] = (
    ("probability", "Probability"),
    ("rank", "Rank"),
    ("surprisal", "Surprisal"),
)
RANK_BUCKETS: Final = (
    (1, "1"),
    (10, "2–10"),
    (100, "11–100"),
    (1_000, "101–1,000"),
)
MOST_BITS: Final = 16.0
"""Surprisal from here on has one colour: less than one chance in 65,536."""

_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Stop:
    """A point of a legend: `value` as `theme.token_ink` takes it, and its name."""

    value: float
    text: str


def ramp_value(token: ShownToken, measure: Measure) -> float:
    """Return where a token stands from unlikely (0) to likely (1); NaN if nothing is known."""
    if measure == "rank":
        return _NAN if token.rank is None else rank_value(token.rank)
    if token.logprob is None or math.isnan(token.logprob):
        return _NAN
    if measure == "surprisal":
        return 1.0 - min(surprisal_bits(token.logprob) / MOST_BITS, 1.0)
    return math.exp(min(token.logprob, 0.0))


def rank_value(rank: int) -> float:
    """Return the place of a rank's bucket on the ramp: 1 for rank 1, 0 beyond 1,000."""
    for bucket, (last, _) in enumerate(RANK_BUCKETS):
        if rank <= last:
            return 1.0 - bucket / len(RANK_BUCKETS)
    return 0.0


def surprisal_bits(logprob: float) -> float:
    """Return the surprisal of a log-probability in nats."""
    return -logprob / math.log(2.0)


def legend(measure: Measure) -> tuple[Stop, ...]:
    """Return the points that a legend names, from unlikely to likely."""
    if measure == "rank":
        beyond = Stop(0.0, "more")
        named = [Stop(rank_value(last), text) for last, text in reversed(RANK_BUCKETS)]
        return (beyond, *named)
    if measure == "surprisal":
        return tuple(
            Stop(1.0 - bits / MOST_BITS, f"{bits:g}{'+' if bits == MOST_BITS else ''}")
            for bits in (MOST_BITS, 12.0, 8.0, 4.0, 0.0)
        )
    return tuple(Stop(percent / 100, f"{percent} %") for percent in (0, 25, 50, 75, 100))


def probability_text(prob: float) -> str:
    """Return a probability in [0, 1] for reading: `42.1 %`, `0.0213 %`, `2.1e-09`."""
    if math.isnan(prob):
        return "no probability"
    if prob >= 0.0005:
        return f"{100 * prob:.1f} %"
    if prob >= 5e-6:
        return f"{100 * prob:.4f} %"
    return f"{prob:.1e}" if prob else "0 %"


def signed(number: float, digits: int) -> str:
    """Return a number with a true minus sign, `∞` where it is infinite."""
    shown = "∞" if math.isinf(number) else f"{abs(number):.{digits}f}"
    return f"−{shown}" if number < 0 and shown.strip("0.") else shown


def facts(token: ShownToken, *, first: bool = False) -> tuple[tuple[str, str], ...]:
    """Return the numbers of a token as names and texts, in reading order.

    The `first` token of a text has no probability, which is not a probability of 0.
    """
    if token.logprob is None:
        return (("probability", "none: nothing comes before" if first else "not computed"),)
    rows = [("probability", probability_text(math.exp(token.logprob)))]
    if token.rank is not None:
        rows.append(("rank", f"{token.rank:,}"))
    rows.append(("log-probability", f"{signed(token.logprob, 3)} nats"))
    rows.append(("surprisal", f"{signed(surprisal_bits(token.logprob), 2)} bits"))
    if token.entropy is not None:
        rows.append(("entropy here", f"{signed(token.entropy, 2)} bits"))
    if token.sampler_logprob is not None and _differs(token.sampler_logprob, token.logprob):
        after = probability_text(math.exp(token.sampler_logprob))
        rows.append(("after the sampler", after))
    return tuple(rows)


def _differs(one: float, other: float) -> bool:
    return not math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-4)
