"""What an engine says while it answers a request: plain values and numpy arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.requests import Checkpoint, Prompt

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the engine computes.

    `device_class` is "cpu" or the accelerator's kind ("cuda"); numbers of one class are
    comparable. `memory_bytes` is the device's whole memory.
    """

    device: str
    device_class: str
    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done and how far the request is, from 0 to 1."""

    text: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the person who asked; the request goes on."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Alternatives:
    """The most likely tokens at each of some positions, best first.

    `ids` (int64) and `probs` (float32, over all rows of the output matrix) have shape
    (position, k); only ids that the tokenizer has are listed. A position without a
    distribution (the first of a text) has probability NaN throughout.
    """

    ids: Ints
    probs: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """How a text's tokens were predicted; all arrays have shape (position,).

    Entry i speaks of the distribution that predicted token i from those before it, so entry 0
    is NaN (rank 0): nothing came before. `logprobs` in nats, `entropies` in bits, `ranks`
    start at 1, all over every row of the output matrix.
    """

    token_ids: Ints
    logprobs: Floats
    ranks: Ints
    entropies: Floats
    top: Alternatives


@dataclass(frozen=True, slots=True, eq=False)
class NextToken:
    """The distribution after a prompt: `top` has one position.

    `padding_mass` is the probability on rows past the tokenizer's length, which mean no token;
    `entropy` in bits.
    """

    top: Alternatives
    entropy: float
    padding_mass: float


@dataclass(frozen=True, slots=True)
class TargetScore:
    """A target's log-probability (nats, summed over its tokens) and its first token's rank."""

    text: str
    token_ids: tuple[int, ...]
    logprob: float
    rank: int


@dataclass(frozen=True, slots=True, eq=False)
class Continuation:
    """A text that a checkpoint wrote; all arrays have shape (token,).

    `logprobs` (nats) are the model's own, `sampler_logprobs` those after the sampler's
    filters; `ranks` and `entropies` (bits) are the model's. `token_texts` joined give `text`.
    """

    sample: int
    seed: int
    text: str
    token_ids: Ints
    token_texts: tuple[str, ...]
    logprobs: Floats
    sampler_logprobs: Floats
    ranks: Ints
    entropies: Floats
    top: Alternatives


@dataclass(frozen=True, slots=True, eq=False)
class Divergence:
    """How far a checkpoint's distributions are from a reference's; float32, shape (position,).

    In bits, over the tokenizer's ids alone, each distribution renormalised to them. Entry i
    speaks of the distributions that predicted token i, so entry 0 is NaN. `forward` is
    KL(reference || this), `backward` KL(this || reference), `js` the Jensen-Shannon divergence,
    at most 1. `reference` is the SHA-256 of the reference's weights.
    """

    reference: str
    forward: Floats
    backward: Floats
    js: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TokenWritten:
    """One more token of a continuation that is being written.

    `text` is what can be shown by now: empty while a character is incomplete.
    """

    checkpoint: Checkpoint
    prompt: Prompt
    sample: int
    token_id: int
    text: str
    logprob: float
    sampler_logprob: float
    rank: int
    entropy: float
    top: Alternatives
    texts: Mapping[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What one checkpoint says about one prompt; parts that were not asked for are empty.

    `similarity` (float32) holds the Jensen-Shannon divergence, in bits, between this
    checkpoint's distribution after the prompt and that of every earlier checkpoint of the
    request, in the request's order; NaN for one that failed.

    `texts` gives the text of every token id that the result names. With an `error` (one
    sentence) there are no numbers. `non_finite` marks the error that a wider dtype may cure.
    """

    checkpoint: Checkpoint
    prompt: Prompt
    device: str
    device_class: str
    dtype: str
    texts: Mapping[int, str] = field(default_factory=dict)
    score: Score | None = None
    next_token: NextToken | None = None
    targets: tuple[TargetScore, ...] = ()
    continuations: tuple[Continuation, ...] = ()
    divergence: Divergence | None = None
    similarity: Floats | None = None
    error: str | None = None
    non_finite: bool = False
    from_store: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """The whole request failed, in one sentence; nothing follows."""

    text: str


EngineEvent = Placement | Progress | Notice | TokenWritten | Result | Failure
