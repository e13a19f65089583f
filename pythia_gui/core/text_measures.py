"""How varied, how repetitive and how surprising written text is, as numbers.

All count tokens, not words: numbers of models with different tokenizers can't be compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pythia_gui.core.events import Continuation

NGRAMS = (1, 2, 3)
"""The lengths for which distinct-n is given."""

REPETITION_N = 4
"""The length of the n-grams whose repetition is counted."""

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class TextMeasures:
    """What some continuations of one checkpoint are like; NaN where there is nothing to count.

    `distinct` holds distinct-1, -2 and -3 and `repetition` rep-4, all in [0, 1]; `surprisal`
    is in bits per token, of `tokens` tokens in all.
    """

    distinct: tuple[float, float, float]
    repetition: float
    surprisal: float
    tokens: int


def distinct_n(samples: Sequence[Tokens], n: int) -> float:
    """Return the share of n-grams that are distinct, over all samples together.

    The number of different n-grams over the number of n-grams, after Li et al. 2016, "A
    Diversity-Promoting Objective Function for Neural Conversation Models", who divide by the
    number of tokens instead; for n = 1 it is the same. No n-gram reaches from one sample into
    the next.

    Returns:
        A number in (0, 1], 1 where no n-gram comes twice; NaN where no sample has `n` tokens.
    """
    grams = list(chain.from_iterable(_ngrams(tokens, n) for tokens in samples))
    return len(set(grams)) / len(grams) if grams else math.nan


def repetition_rate(tokens: Tokens, n: int = REPETITION_N) -> float:
    """Return the share of the n-grams of one continuation that repeat earlier ones of it.

    seq-rep-n of Welleck et al. 2020, "Neural Text Generation with Unlikelihood Training":
    1 - (number of different n-grams) / (number of n-grams).

    Returns:
        A number in [0, 1), 0 where no n-gram comes twice; NaN for fewer than `n` tokens.
    """
    return 1.0 - distinct_n([tokens], n)


def mean_repetition(samples: Sequence[Tokens], n: int = REPETITION_N) -> float:
    """Return the mean of `repetition_rate` over the samples that have it, NaN if none has."""
    rates = [rate for tokens in samples if not math.isnan(rate := repetition_rate(tokens, n))]
    return sum(rates) / len(rates) if rates else math.nan


def mean_surprisal(samples: Sequence[Sequence[float]]) -> float:
    """Return the mean surprisal in bits per token, each token of each sample counting once.

    `samples` are log-probabilities in nats under the model that wrote the text. For text drawn
    at temperature 1 without filters its expectation is the model's entropy per token. NaN where
    there is no token, infinite where one was impossible.
    """
    every = [float(logprob) for logprobs in samples for logprob in logprobs]
    return -math.fsum(every) / (len(every) * math.log(2.0)) + 0.0 if every else math.nan


def measures_of(continuations: Sequence[Continuation]) -> TextMeasures:
    """Return the measures of what one checkpoint wrote after one prompt."""
    samples = [one.token_ids.tolist() for one in continuations]
    first, second, third = (distinct_n(samples, n) for n in NGRAMS)
    return TextMeasures(
        (first, second, third),
        mean_repetition(samples),
        mean_surprisal([one.logprobs.tolist() for one in continuations]),
        sum(map(len, samples)),
    )


def _ngrams(tokens: Tokens, n: int) -> list[tuple[int, ...]]:
    if n < 1:
        raise ValueError("an n-gram has at least one token")
    return [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]
