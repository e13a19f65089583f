"""What the views show: frozen values, made by the window's presenters, known to every view."""

from dataclasses import dataclass
from typing import Literal

State = Literal["empty", "waiting", "streaming", "done", "error"]


@dataclass(frozen=True, slots=True)
class StepMark:
    """One checkpoint on the timeline.

    `real_step` is the optimiser step really taken where the name is token-equivalent;
    `tokens_seen` is None where the batch size is unknown.
    """

    step: int
    tokens_seen: int | None
    on_disk: bool
    computed: bool = False
    badge: str = ""
    real_step: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One token that could have stood in a place; `prob` in [0, 1]."""

    token_id: int
    text: str
    prob: float


@dataclass(frozen=True, slots=True)
class ShownToken:
    """One token of a text and how it was predicted; None where nothing came before it.

    `logprob` in nats, `entropy` in bits, `rank` from 1. `written` marks tokens that the model
    wrote, as opposed to the prompt's. `differs` marks the words that differ between columns.
    """

    token_id: int
    text: str
    logprob: float | None
    rank: int | None
    entropy: float | None
    sampler_logprob: float | None = None
    choices: tuple[Choice, ...] = ()
    written: bool = False
    differs: bool = False


@dataclass(frozen=True, slots=True)
class ShownText:
    """The text of one checkpoint: prompt and continuation.

    `step` and `model` name the checkpoint whose numbers these are; `provenance` is one line
    (model, step, commit or weights hash, dtype, device). `message` is what to say in the
    states waiting and error.
    """

    model: str
    step: int
    tokens: tuple[ShownToken, ...] = ()
    state: State = "empty"
    message: str = ""
    provenance: str = ""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A target's score at one measured step; `None` numbers are a marked gap with a `problem`."""

    step: int
    tokens_seen: int | None
    logprob: float | None
    rank: int | None
    problem: str = ""
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """The trajectory of one target or foil; only measured steps, in ascending order.

    `suggested` marks curves offered by the program (the final step's top tokens).
    """

    label: str
    model: str
    role: Literal["target", "foil"]
    points: tuple[CurvePoint, ...]
    suggested: bool = False


@dataclass(frozen=True, slots=True)
class SeenItem:
    """Something that the demo suite's corpus says, and how often by a step.

    `in_batch` times in the step's own batch, `seen` in all batches up to it, `times` in the
    whole run. `kind` (fact, motto, ...) and `note` (how it is said) are words for a person.
    """

    name: str
    kind: str
    seen: int
    times: int
    in_batch: int = 0
    note: str = ""
