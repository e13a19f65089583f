"""What a person asks in the window, as values, and the requests that follow from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pythia_gui.core.events import Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import Library, ModelEntry, PromptError
from pythia_gui.core.requests import Checkpoint, Continue, Prompt, Request, Sampling, Target
from pythia_gui.core.steps import log_steps

TEXT, COLUMNS, TRAJECTORY = "text", "columns", "trajectory"
SLOTS = (TEXT, COLUMNS, TRAJECTORY)
SUGGESTED = 4
MOST_PINS = 6
MOST_COUNTED = 40_000

Key = tuple[object, ...]
"""Names an answer: what was asked, of which model, at which step."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A prompt as typed, or as exact tokens where somebody chose one of them.

    `token_ids` hold for the tokenizer named by its hash alone; any other reads the text.
    """

    text: str = ""
    token_ids: tuple[int, ...] | None = None
    tokenizer_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a prompt is read and continued; `top_k` is how many alternatives are listed."""

    new_tokens: int = 40
    samples: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    top_k: int = 10
    special_tokens: bool = False
    cut_left: bool = False

    def continuation(self) -> Continue | None:
        """Return what is asked of the sampler; greedy samples would all be the same."""
        if self.new_tokens < 1:
            return None
        samples = 1 if self.sampling.greedy else self.samples
        return Continue(self.new_tokens, samples, self.sampling)


@dataclass(frozen=True, slots=True)
class Question:
    """What decides the text of a checkpoint, but for the step."""

    model: str
    wording: Wording
    settings: Settings

    def reading(self) -> "Question":
        """Return what decides the prompt's tokens alone: all that a trajectory hangs on."""
        kept = self.settings
        room = kept.new_tokens if kept.cut_left else 0
        plain = Settings(room, special_tokens=kept.special_tokens, cut_left=kept.cut_left)
        return Question(self.model, self.wording, plain)


@dataclass(frozen=True, slots=True)
class Ending:
    """A target or a foil, as typed."""

    text: str
    role: Literal["target", "foil"] = "target"


@dataclass(frozen=True, slots=True)
class Pin:
    """A checkpoint in a column of its own."""

    model: str
    step: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How a tokenizer reads the prompt; `tokens` None where it can't be told.

    `at_least` says that the count stopped there. `unknown` are characters without a token.
    """

    tokens: int | None = None
    context: int = 0
    at_least: bool = False
    unknown: str = ""

    def over(self, new_tokens: int) -> int:
        """Return how many tokens are too many, with room for the new ones."""
        return max((self.tokens or 0) + new_tokens - self.context, 0) if self.context else 0


def reading_of(library: Library, entry: ModelEntry, question: Question) -> Reading:
    """Return how a model reads a prompt; of a very long one only as much as can matter."""
    wording, special = question.wording, question.settings.special_tokens
    if wording.token_ids is not None and _same_tokenizer(library, question):
        return Reading(len(wording.token_ids), entry.context)
    text = wording.text[:MOST_COUNTED]
    try:
        prompt = library.encode(entry.key, text, special_tokens=special, cut_left=True)
        unknown = library.unknown_characters(entry.key, text)
    except (PromptError, CheckpointError):
        return Reading()
    count = len(prompt.token_ids) + prompt.cut
    return Reading(count, entry.context, len(text) < len(wording.text), unknown)


def encoded(library: Library, question: Question, endings: Sequence[Ending] = ()) -> Prompt:
    """Return the prompt of a question in its model's tokens, targets and foils with it.

    Raises:
        PromptError: it can't be encoded, or is too long for the model's context.
    """
    wording, kept = question.wording, question.settings
    texts = [ending.text for ending in endings]
    exact = wording.token_ids
    if exact is None or not _same_tokenizer(library, question):
        return library.encode(
            question.model,
            wording.text,
            texts,
            special_tokens=kept.special_tokens,
            new_tokens=kept.new_tokens,
            cut_left=kept.cut_left,
        )
    prompt = library.prompt_of_ids(question.model, exact)
    if not texts:
        return prompt
    read = library.encode(question.model, wording.text, texts, cut_left=True)
    return replace(prompt, targets=tuple(replace(t, context_ids=exact) for t in read.targets))


def _same_tokenizer(library: Library, question: Question) -> bool:
    return question.wording.tokenizer_sha256 == tokenizer_of(library, question.model)


def tokenizer_of(library: Library, key: str) -> str:
    """Return the hash of a model's tokenizer, empty where it has none on this machine."""
    entry, _ = library.find(key)
    step = max(entry.here or entry.steps, default=None)
    try:
        return "" if step is None else library.checkpoint(key, step).tokenizer_sha256
    except CheckpointError:
        return ""


def text_key(model: str, step: int, prompt: Prompt, settings: Settings) -> Key:
    """Return the name of the text of a checkpoint."""
    return ("text", model, step, prompt.token_ids, settings.continuation(), settings.top_k)


def curve_key(model: str, step: int, prompt: Prompt) -> Key:
    """Return the name of a checkpoint's scores of a prompt's targets."""
    return ("curve", model, step, prompt.token_ids, prompt.targets)


def text_request(
    slot: str, checkpoints: Sequence[Checkpoint], prompt: Prompt, settings: Settings
) -> Request:
    """Return the request for the text of some checkpoints: scores, alternatives, continuation."""
    return Request(
        slot,
        tuple(checkpoints),
        (prompt,),
        score=True,
        next_token=True,
        continuation=settings.continuation(),
        top_k=settings.top_k,
    )


def curve_request(checkpoints: Sequence[Checkpoint], prompt: Prompt) -> Request:
    """Return the request for a prompt's next token and targets at many checkpoints."""
    return Request(TRAJECTORY, tuple(checkpoints), (prompt,), next_token=True, background=True)


def swept_steps(entry: ModelEntry) -> tuple[int, ...]:
    """Return the steps of a sweep over all that is here, the known-bad ones left out."""
    bad = entry.known_bad or {}
    return tuple(sorted(entry.here - bad.keys()))


def coarse_first(steps: Iterable[int]) -> tuple[int, ...]:
    """Return `steps` so that a curve takes shape at once: the log grid, then what is between."""
    every = sorted(steps)
    grid = log_steps(every) if every else ()
    first = set(grid)
    between = [step for step in every if step not in first]
    return (*grid, *between[::4], *between[2::4], *between[1::4], *between[3::4])


def suggested_targets(prompt: Prompt, final: Result) -> tuple[Target, ...]:
    """Return the final step's most likely next tokens as targets, exactly these tokens."""
    if final.next_token is None:
        return ()
    ids = (int(token_id) for token_id in final.next_token.top.ids[0])
    named = ((token_id, final.texts.get(token_id, "")) for token_id in ids)
    targets = (Target(text, prompt.token_ids, (token_id,)) for token_id, text in named if text)
    return tuple(targets)[:SUGGESTED]


def default_pins(entry: ModelEntry, wanted: Sequence[int] = (512, 4_000, 143_000)) -> list[Pin]:
    """Return a few steps far apart to begin a comparison with."""
    steps = swept_steps(entry) or tuple(sorted(entry.here))
    if not steps:
        return []
    last = steps[-1]
    near = (min(steps, key=lambda step: abs(step - goal)) for goal in (*wanted[:-1], last))
    return [Pin(entry.key, step) for step in dict.fromkeys(near)]


def in_order(pins: Sequence[Pin]) -> list[Pin]:
    """Return pins model by model, each model's steps ascending."""
    models = list(dict.fromkeys(pin.model for pin in pins))
    return sorted(pins, key=lambda pin: (models.index(pin.model), pin.step))


def files_of(checkpoint: Checkpoint) -> Key:
    """Return what tells the checkpoints of a request apart, whoever adds a fingerprint."""
    return (checkpoint.model, checkpoint.step, checkpoint.folder)


def keys_by_files(checkpoints: Sequence[Checkpoint], keys: Sequence[Key]) -> Mapping[Key, Key]:
    """Return which answer each checkpoint of a request gives."""
    pairs = zip(checkpoints, keys, strict=True)
    return {files_of(checkpoint): key for checkpoint, key in pairs}
