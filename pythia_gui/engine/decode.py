"""Writing continuations: prefill is done, tokens come one by one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache, GPTNeoXForCausalLM

from pythia_gui.core.events import Alternatives, Continuation
from pythia_gui.core.requests import Continue
from pythia_gui.core.sampling import draw, filtered
from pythia_gui.engine.measure import alternatives, entropy_bits, finite, token_scores
from pythia_gui.hub.tokenizer import TextStream, Tokenizer


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """One more token of one sample, and what the model thought in that place."""

    sample: int
    token_id: int
    text: str
    logprob: float
    sampler_logprob: float
    rank: int
    entropy: float
    top: Alternatives


@dataclass(slots=True)
class Draft:
    """A sample while it is being written."""

    stream: TextStream
    tokens: list[Written] = field(default_factory=list)
    text: str = ""
    ended: bool = False

    def add(self, token: Written, end_of_text: int | None, stop: tuple[str, ...]) -> None:
        """Take a token; the sample ends at `<|endoftext|>` or once a stop string is complete."""
        self.tokens.append(token)
        self.text += token.text
        self.ended = token.token_id == end_of_text or any(text in self.text for text in stop)


@dataclass(frozen=True, slots=True)
class Orders:
    """How a continuation is written: how much, how drawn, what is listed beside it.

    `tokenizer`'s ids alone can be drawn; `top_k` alternatives are listed for each token.
    """

    what: Continue
    tokenizer: Tokenizer
    top_k: int


@torch.inference_mode()
def write(
    model: GPTNeoXForCausalLM,
    cache: DynamicCache,
    logits: Tensor,
    orders: Orders,
    keep_going: Callable[[], None],
) -> Iterator[Written | tuple[Continuation, ...]]:
    """Yield every token as it is written, and last all continuations, by sample.

    Args:
        model: holds the weights.
        cache: the prompt's keys and values, batch 1; it is used up.
        logits: after the prompt, shape (1, rows).
        orders: what to write. Greedy samples are equal and computed once.
        keep_going: called between tokens; it may raise to stop.

    Raises:
        NonFiniteLogits: a logit is NaN or infinite; nothing is drawn from it.
    """
    what = orders.what
    start = cache.get_seq_length()
    rows = 1 if what.sampling.greedy else what.samples
    drafts = [Draft(TextStream(orders.tokenizer)) for _ in range(rows)]
    logits = logits.expand(rows, -1)
    if rows > 1:
        cache.batch_repeat_interleave(rows)
    for position in range(start, start + what.max_new_tokens):
        keep_going()
        tokens = _next_tokens(finite(logits), orders, position, drafts)
        for draft, token in zip(drafts, tokens, strict=True):
            if not draft.ended:
                draft.add(token, orders.tokenizer.end_of_text, what.sampling.stop)
                yield token
        if all(draft.ended for draft in drafts) or position + 1 == start + what.max_new_tokens:
            break
        ids = torch.tensor([[token.token_id] for token in tokens], device=logits.device)
        logits = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
    yield _continuations(drafts, orders)


def _next_tokens(
    logits: Tensor, orders: Orders, position: int, drafts: list[Draft]
) -> list[Written]:
    """Draw the next token of every sample from `logits`, float32, shape (sample, rows)."""
    sampling = orders.what.sampling
    ids = min(orders.tokenizer.size, logits.shape[-1])
    log_total = logits.logsumexp(-1, keepdim=True)
    known = (logits[:, :ids] - log_total).cpu().numpy()
    after = [filtered(row, sampling) for row in known]
    drawn = [draw(row, sampling, sample, position) for sample, row in enumerate(after)]
    logprobs, ranks = token_scores(logits, torch.tensor(drawn, device=logits.device))
    entropies = entropy_bits(logits, log_total)
    top = alternatives(logits, log_total, orders.top_k, ids)
    return [
        Written(
            sample=n,
            token_id=token_id,
            text="" if drafts[n].ended else drafts[n].stream.add(token_id),
            logprob=float(logprobs[n]),
            sampler_logprob=float(after[n][token_id]),
            rank=int(ranks[n]),
            entropy=float(entropies[n]),
            top=Alternatives(top.ids[n : n + 1], top.probs[n : n + 1]),
        )
        for n, token_id in enumerate(drawn)
    ]


def _continuations(drafts: list[Draft], orders: Orders) -> tuple[Continuation, ...]:
    greedy = orders.what.sampling.greedy
    return tuple(
        _continuation(drafts[0 if greedy else sample].tokens, sample, orders)
        for sample in range(orders.what.samples)
    )


def _continuation(tokens: list[Written], sample: int, orders: Orders) -> Continuation:
    token_ids = [token.token_id for token in tokens]
    return Continuation(
        sample=sample,
        seed=orders.what.sampling.seed,
        text=orders.tokenizer.decode(token_ids),
        token_ids=np.array(token_ids, np.int64),
        token_texts=orders.tokenizer.pieces(token_ids),
        logprobs=np.array([token.logprob for token in tokens], np.float32),
        sampler_logprobs=np.array([token.sampler_logprob for token in tokens], np.float32),
        ranks=np.array([token.rank for token in tokens], np.int64),
        entropies=np.array([token.entropy for token in tokens], np.float32),
        top=Alternatives(
            ids=np.concatenate([token.top.ids for token in tokens]),
            probs=np.concatenate([token.top.probs for token in tokens]),
        ),
    )
