"""Divergences of distributions that lie on a device; see `pythia_gui.core.divergence`."""

import math

import torch
from torch import Tensor

LARGEST_LOG_RATIO = 80.0
"""exp of more overflows float32; the smaller of two such probabilities counts for nothing."""


def known_logprobs(logits: Tensor, ids: int) -> Tensor:
    """Return natural log-probabilities over the first `ids` rows alone.

    Args:
        logits: float32, finite, shape (position, rows).
        ids: the tokenizer's length; later rows mean no token.

    Returns:
        float32, shape (position, ids).
    """
    return torch.log_softmax(logits[:, :ids], -1)


def kl_bits(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p || q) in bits: float32, shape (position,); never less than 0.

    Both are normalised log-probabilities, float32, shape (position, ids). The terms - p + q add
    up to nothing, and take the rounding of both norms with them.
    """
    p, q = log_p.exp(), log_q.exp()
    rows = p * (log_p - log_q) - p + q
    return (rows.sum(-1, dtype=torch.float64).clamp(min=0) / math.log(2)).float()


def js_bits(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence in bits, from 0 to 1: float32, shape (position,).

    Both are normalised log-probabilities, float32, shape (position, ids).
    """
    rows = _towards_middle(log_p, log_q) + _towards_middle(log_q, log_p)
    bits = rows.sum(-1, dtype=torch.float64) / (2 * math.log(2))
    return bits.clamp(0, 1).float()


def _towards_middle(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return p log(p / m), with log(m / p) = log1p((q / p - 1) / 2): exact where p is near q."""
    ratio = (log_q - log_p).clamp(max=LARGEST_LOG_RATIO)
    return -log_p.exp() * torch.log1p(torch.expm1(ratio) / 2)
