"""From a checkpoint's log-probabilities to the next token."""

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.events import Floats
from pythia_gui.core.noise import gumbel_noise
from pythia_gui.core.requests import Sampling

Doubles = NDArray[np.float64]


def log_softmax(logits: Doubles) -> Doubles:
    """Return the logarithm of the softmax over the last axis, float64; -inf stays -inf."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def filtered(logprobs: Floats, sampling: Sampling) -> Doubles:
    """Return the sampler's log-probabilities: `logprobs` after its filters, renormalised.

    Args:
        logprobs: the tokenizer's ids alone, shape (ids,), nats; any constant may be added.
        sampling: temperature, top-k, top-p and min-p are applied in that order, each to what
            the one before left. Ties at the edge of top-k stay in.

    Returns:
        float64, shape (ids,); -inf where a filter took the id out. Greedy sampling leaves the
        most likely id (the lowest of equals) with log-probability 0.
    """
    if sampling.greedy:
        return _only(int(np.argmax(logprobs)), logprobs.size)
    kept = log_softmax(_cooled(logprobs.astype(np.float64), sampling.temperature))
    if 0 < sampling.top_k < kept.size:
        edge = np.partition(kept, -sampling.top_k)[-sampling.top_k]
        kept = _without(kept, kept < edge)
    if sampling.top_p < 1:
        kept = _without(kept, _outside_nucleus(kept, sampling.top_p))
    if sampling.min_p > 0:
        kept = _without(kept, kept < kept.max() + np.log(sampling.min_p))
    return kept


def draw(filtered_logprobs: Doubles, sampling: Sampling, sample: int, position: int) -> int:
    """Return the id that Gumbel-max picks: argmax of log-probability plus noise.

    `position` is the new token's place in the whole text, the prompt included.
    """
    if sampling.greedy:
        return int(np.argmax(filtered_logprobs))
    noise = gumbel_noise(sampling.seed, sample, position, filtered_logprobs.size)
    return int(np.argmax(filtered_logprobs + noise))


def _cooled(logprobs: Doubles, temperature: float) -> Doubles:
    """Return `logprobs` over the temperature, shifted to a maximum of 0.

    Shifted first: at the lowest temperatures every quotient but 0 is beyond float64.
    """
    with np.errstate(over="ignore"):
        return np.asarray((logprobs - logprobs.max()) / temperature)


def _only(winner: int, size: int) -> Doubles:
    alone = np.full(size, -np.inf)
    alone[winner] = 0.0
    return alone


def _without(logprobs: Doubles, out: NDArray[np.bool_]) -> Doubles:
    return log_softmax(np.where(out, -np.inf, logprobs))


def _outside_nucleus(logprobs: Doubles, top_p: float) -> NDArray[np.bool_]:
    """Mark ids outside the smallest set of most likely ids whose mass reaches `top_p`.

    Holtzman et al. 2020 (arXiv:1904.09751); the most likely id is never marked.
    """
    order = np.argsort(-logprobs, kind="stable")
    mass_before = np.concatenate([[0.0], np.cumsum(np.exp(logprobs[order]))[:-1]])
    outside = np.zeros(logprobs.size, dtype=bool)
    outside[order[mass_before >= top_p]] = True
    return outside
