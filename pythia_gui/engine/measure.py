"""From a model's logits to numbers: scores, ranks, entropies, alternatives."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from pythia_gui.core.events import Alternatives, NextToken, Score

CHUNK_POSITIONS = 128


class NonFiniteLogits(ArithmeticError):
    """The logits hold NaN or infinity, as pythia-70m's can in float16."""


def finite(logits: Tensor) -> Tensor:
    """Return `logits` in float32.

    Raises:
        NonFiniteLogits: one of them is NaN or infinite.
    """
    wide = logits.float()
    if not bool(torch.isfinite(wide).all()):
        raise NonFiniteLogits
    return wide


def alternatives(logits: Tensor, log_total: Tensor, top_k: int, ids: int) -> Alternatives:
    """Return the `top_k` most likely of the first `ids` rows.

    Args:
        logits: float32, shape (position, rows).
        log_total: logsumexp over all rows, shape (position, 1).
        top_k: how many are wanted; fewer where there are fewer.
        ids: the tokenizer's length; later rows mean no token.
    """
    values, found = torch.topk(logits[:, :ids], min(top_k, ids), dim=-1)
    return Alternatives(
        ids=found.cpu().numpy().astype(np.int64), probs=(values - log_total).exp().cpu().numpy()
    )


def entropy_bits(logits: Tensor, log_total: Tensor) -> Tensor:
    """Return the entropy over all rows in bits, shape (position,)."""
    logprobs = logits - log_total
    return -(logprobs.exp() * logprobs).sum(-1) / math.log(2)


def next_token(logits: Tensor, top_k: int, ids: int) -> NextToken:
    """Return the distribution that `logits` (float32, shape (1, rows)) mean."""
    log_total = logits.logsumexp(-1, keepdim=True)
    padding = (logits[:, ids:] - log_total).exp().sum()
    return NextToken(
        top=alternatives(logits, log_total, top_k, ids),
        entropy=float(entropy_bits(logits, log_total)[0]),
        padding_mass=float(padding),
    )


def token_scores(logits: Tensor, token_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return each token's log-probability (nats, over all rows) and rank.

    The rank is 1 plus the rows with a strictly larger logit.

    Args:
        logits: float32, shape (position, rows).
        token_ids: int64, shape (position,).
    """
    own = logits.gather(-1, token_ids[:, None])
    logprobs = own - logits.logsumexp(-1, keepdim=True)
    return logprobs[:, 0], 1 + (logits > own).sum(-1)


def logits_in_chunks(
    hidden: Tensor, head: Callable[[Tensor], Tensor]
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the logits at some positions at a time, and which those are.

    2,048 positions by 50,304 rows would fill 400 MB.

    Args:
        hidden: the last hidden states, shape (position, dim); there may be none.
        head: the output matrix.

    Raises:
        NonFiniteLogits: one of the logits is NaN or infinite.
    """
    for start in range(0, len(hidden), CHUNK_POSITIONS):
        span = slice(start, min(start + CHUNK_POSITIONS, len(hidden)))
        yield span, finite(head(hidden[span]))


Columns = tuple["np.ndarray", "np.ndarray", "np.ndarray", "np.ndarray", "np.ndarray"]


def score_chunk(logits: Tensor, token_ids: Tensor, top_k: int, ids: int) -> Columns:
    """Return how some tokens were predicted: the arrays of a `Score` without its token ids.

    Args:
        logits: that predicted them, float32, shape (position, rows).
        token_ids: int64, shape (position,), on the device of `logits`.
        top_k: how many alternatives are listed for each position.
        ids: the tokenizer's length.
    """
    log_total = logits.logsumexp(-1, keepdim=True)
    logprobs, ranks = token_scores(logits, token_ids)
    top = alternatives(logits, log_total, top_k, ids)
    entropies = entropy_bits(logits, log_total)
    return (
        logprobs.cpu().numpy(),
        ranks.cpu().numpy().astype(np.int64),
        entropies.cpu().numpy(),
        top.ids,
        top.probs,
    )


def score_of(token_ids: Sequence[int], chunks: Sequence[Columns], width: int) -> Score:
    """Return the score of a whole text from its chunks, in order.

    Args:
        token_ids: of the text, at least one.
        chunks: of all tokens but the first, which nothing predicted.
        width: how many alternatives each position lists.
    """
    empty = (np.full(1, np.nan, np.float32), np.zeros(1, np.int64), np.full(1, np.nan, np.float32))
    first = (*empty, np.zeros((1, width), np.int64), np.full((1, width), np.nan, np.float32))
    columns = [np.concatenate(parts) for parts in zip(first, *chunks, strict=True)]
    logprobs, ranks, entropies, top_ids, top_probs = columns
    return Score(
        token_ids=np.array(token_ids, np.int64),
        logprobs=logprobs,
        ranks=ranks,
        entropies=entropies,
        top=Alternatives(top_ids, top_probs),
    )
