"""What can be asked of a checkpoint: frozen values that say everything the answer needs.

A request carries token ids, not only text, so that an answer can be looked up or computed
without asking anyone what the text meant. `pythia_gui.hub.tokenizer` builds encoded prompts.
"""

from dataclasses import dataclass, field
from typing import Literal

from pythia_gui.core.neox_config import NeoxConfig

RequestDtype = Literal["auto", "float32", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model at a training step, and where its files are.

    `folder` is the absolute path of the folder with the weights, or None when they are not on
    this machine. `tokenizer_file` is an absolute path. `tokens_seen` is None where the batch
    size is unknown. `commit` is the Hub's commit sha, None for a folder. `weights_sha256` is
    None until somebody has taken it.
    """

    model: str
    step: int
    tokens_seen: int | None
    folder: str | None
    config: NeoxConfig
    tokenizer_file: str
    tokenizer_sha256: str
    config_sha256: str
    training_dtype: Literal["float32", "float16", "bfloat16"] = "float16"
    repo: str | None = None
    revision: str | None = None
    commit: str | None = None
    weights_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A possible ending of a prompt, encoded together with it as lm-evaluation-harness does.

    `context_ids` are the tokens before the target (the prompt less its trailing spaces, which
    belong to the target); `token_ids` are the target's own, at least one.
    """

    text: str
    context_ids: tuple[int, ...]
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text as typed, its token ids (never empty) and the targets asked of it.

    `from_start` says that the typed text was empty and the ids are an explicit
    `<|endoftext|>`; `cut` counts tokens cut off on the left at the user's wish.
    """

    text: str
    token_ids: tuple[int, ...]
    targets: tuple[Target, ...] = ()
    from_start: bool = False
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a continuation's tokens are drawn; temperature 0 is greedy and ignores the rest.

    `top_k` 0, `top_p` 1 and `min_p` 0 switch a filter off. The filters are applied in the
    order temperature, top-k, top-p, min-p.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings that no sampler can follow, in one sentence."""
        if not 0 <= self.temperature <= 100:
            raise ValueError("temperature must lie between 0 (greedy) and 100")
        if self.top_k < 0:
            raise ValueError("top-k must be 0 (off) or more")
        if not 0 < self.top_p <= 1:
            raise ValueError("top-p must be more than 0 and at most 1")
        if not 0 <= self.min_p <= 1:
            raise ValueError("min-p must lie between 0 and 1")
        if not 0 <= self.seed < 2**63:
            raise ValueError("the seed must be a whole number from 0 to 2^63 - 1")
        if any(not text for text in self.stop):
            raise ValueError("a stop string must not be empty")

    @property
    def greedy(self) -> bool:
        """Whether each token is simply the most likely one."""
        return self.temperature == 0


@dataclass(frozen=True, slots=True)
class Continue:
    """`samples` continuations of up to `max_new_tokens` tokens each."""

    max_new_tokens: int
    samples: int = 1
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        """Refuse a continuation without tokens or samples."""
        if self.max_new_tokens < 1:
            raise ValueError("a continuation needs at least one new token")
        if not 1 <= self.samples <= 64:
            raise ValueError("the number of samples must lie between 1 and 64")


@dataclass(frozen=True, slots=True)
class Request:
    """One question put to every checkpoint, for every prompt, with parts switched on.

    All checkpoints share one tokenizer, the one that encoded the prompts. `score` asks for
    every position of each prompt; `next_token` for the distribution after it; targets ride on
    the prompts; `continuation` asks for text. `top_k` is how many alternatives are listed.
    `against` is a reference: every result says how far its distributions at every position are
    from those of that checkpoint. `similarity` asks how far each checkpoint's distribution
    after each prompt is from those of all earlier checkpoints of this request.
    `slot` names the place that waits for the answer: a new request supersedes the one of its
    own slot alone. A `background` request gives way to the others.
    """

    slot: str
    checkpoints: tuple[Checkpoint, ...]
    prompts: tuple[Prompt, ...]
    score: bool = False
    next_token: bool = True
    continuation: Continue | None = None
    top_k: int = 10
    device: str = "auto"
    dtype: RequestDtype = "auto"
    background: bool = False
    against: Checkpoint | None = None
    similarity: bool = False

    def __post_init__(self) -> None:
        """Refuse a mixture of tokenizers and a senseless number of alternatives."""
        everyone = (*self.checkpoints, *([self.against] if self.against is not None else []))
        if len({checkpoint.tokenizer_sha256 for checkpoint in everyone}) > 1:
            raise ValueError("these models have different tokenizers and can't share a request")
        if not 0 <= self.top_k <= 1000:
            raise ValueError("the number of alternatives must lie between 0 and 1000")
