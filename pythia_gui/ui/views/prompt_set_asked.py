"""A set of prompts in a model's tokens, and the requests that measure it over a grid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final, Literal

from pythia_gui.core.events import Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import Library, ModelEntry, PromptError
from pythia_gui.core.prompt_numbers import SetNumbers
from pythia_gui.core.prompt_sets import PromptEntry
from pythia_gui.core.requests import Checkpoint, Prompt, Request, Target
from pythia_gui.core.steps import log_steps
from pythia_gui.ui.questions import Pin, coarse_first, swept_steps, tokenizer_of

Grid = Literal["log", "all", "pair"]

TOP_K: Final = 10
"""As many as a trajectory asks for, so that a prompt opened elsewhere is found in the store."""
ANSWERS_A_REQUEST: Final = 5_000
"""A request that gave way begins again, and the store is asked about all of it beforehand."""


@dataclass(slots=True)
class AskedModel:
    """A set in one model's tokens, as far as it was read.

    `prompts` has None for an entry that the model can't be asked; `problems` says why.
    """

    entry: ModelEntry
    prompts: list[Prompt | None] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)


class Reader:
    """Reads a set in the tokens of some models, a little at a time."""

    def __init__(
        self, library: Library, entries: Sequence[PromptEntry], models: Sequence[ModelEntry]
    ) -> None:
        self._library = library
        self._entries = entries
        self.models = tuple(AskedModel(entry) for entry in models)
        self._rest = self._read()

    @property
    def done(self) -> int:
        """How many prompts were read, of `total`."""
        return sum(len(model.prompts) for model in self.models)

    @property
    def total(self) -> int:
        """How many there are to read."""
        return len(self._entries) * len(self.models)

    def go_on(self, budget_s: float) -> bool:
        """Read for a while; return whether everything is read."""
        until = monotonic() + budget_s
        for _ in self._rest:
            if monotonic() > until:
                return self.done == self.total
        return True

    def _read(self) -> Iterator[None]:
        for model in self.models:
            for row, entry in enumerate(self._entries):
                model.prompts.append(self._encoded(model, row, entry))
                yield

    def _encoded(self, model: AskedModel, row: int, entry: PromptEntry) -> Prompt | None:
        endings = [text for text in (entry.target, entry.foil) if text]
        try:
            return self._library.encode(model.entry.key, entry.prompt, endings)
        except (PromptError, CheckpointError) as problem:
            model.problems[row] = str(problem)
            return None


def with_suggestions(
    prompts: Sequence[Prompt | None], ids: Mapping[int, tuple[int, str]]
) -> list[Prompt | None]:
    """Return the prompts, those without a target with the suggested one (id and text by row)."""
    made = list(prompts)
    for row, (token_id, text) in ids.items():
        prompt = made[row]
        if prompt is not None and not prompt.targets:
            made[row] = replace(prompt, targets=(Target(text, prompt.token_ids, (token_id,)),))
    return made


def relatives(
    library: Library, shown: ModelEntry, models: Sequence[ModelEntry]
) -> list[ModelEntry]:
    """Return the models that a prompt set can be put to beside the shown one: same tokenizer."""
    own = _tokenizer(library, shown)
    return [
        entry
        for entry in models
        if entry.here and (entry.key == shown.key or (own and _tokenizer(library, entry) == own))
    ]


def _tokenizer(library: Library, entry: ModelEntry) -> str:
    try:
        return tokenizer_of(library, entry.key)
    except CheckpointError:
        return ""


def grid_steps(entry: ModelEntry, grid: Grid, pair: tuple[Pin, Pin] | None) -> tuple[int, ...]:
    """Return the steps of a model that are asked, ascending: those of the grid, A and B."""
    usual = swept_steps(entry) or tuple(sorted(entry.here))
    chosen = {"log": log_steps(usual) if usual else (), "all": usual, "pair": ()}[grid]
    return tuple(sorted({*chosen, *_paired(entry, pair)}))


def _paired(entry: ModelEntry, pair: tuple[Pin, Pin] | None) -> tuple[int, ...]:
    """Return the steps of A and B that this model is to be asked at.

    A pair of one model stands for the same two steps of every other.
    """
    if pair is None:
        return ()
    mixed = pair[0].model != pair[1].model
    return tuple(
        pin.step for pin in pair if pin.step in entry.here and (not mixed or pin.model == entry.key)
    )


def in_turn(steps: Sequence[int], first: Sequence[int]) -> tuple[int, ...]:
    """Return steps in the order to ask them: A and B, then so that curves take shape."""
    begin = [step for step in dict.fromkeys(first) if step in steps]
    return (*begin, *coarse_first([step for step in steps if step not in begin]))


def requests_for(
    slot: str, checkpoints: Sequence[Checkpoint], prompts: Sequence[Prompt | None]
) -> list[Request]:
    """Return the requests for all prompts at some checkpoints, none of them very large.

    Their prompts are split only where one checkpoint's alone would be too many.
    """
    asked = tuple(dict.fromkeys(prompt for prompt in prompts if prompt is not None))
    if not asked:
        return []
    parts = [asked[n : n + ANSWERS_A_REQUEST] for n in range(0, len(asked), ANSWERS_A_REQUEST)]
    some = max(ANSWERS_A_REQUEST // len(asked), 1)
    return [
        Request(slot, tuple(checkpoints[start : start + some]), part, top_k=TOP_K, background=True)
        for start in range(0, len(checkpoints), some)
        for part in parts
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """What is put to whom: each model's prompts (None: can't be asked), steps and checkpoints.

    `prompts[m]` has one for each entry, `steps[m]` ascends, `checkpoints[m]` is in the order to
    ask them.
    """

    entries: Sequence[PromptEntry]
    models: Sequence[AskedModel]
    prompts: Sequence[Sequence[Prompt | None]]
    steps: Sequence[tuple[int, ...]]
    checkpoints: Sequence[tuple[Checkpoint, ...]]

    def requests(self, slot: str) -> tuple[Request, ...]:
        """Return the requests for all of it."""
        pairs = zip(self.checkpoints, self.prompts, strict=True)
        return tuple(one for at, asked in pairs for one in requests_for(slot, at, asked))

    def suggesting(self, slot: str) -> tuple[Request, ...]:
        """Return the requests that look for targets: of the shown model's last step alone."""
        last = max(self.checkpoints[0], key=lambda at: at.step, default=None)
        open_ones = [p for p in self.prompts[0] if p is not None and not p.targets]
        return tuple(requests_for(slot, [last], open_ones)) if last is not None else ()

    def numbers(self) -> list[SetNumbers]:
        """Return where each model's numbers are to be kept, with what can't be asked of it."""
        made = [SetNumbers(len(self.entries), steps) for steps in self.steps]
        for numbers, model in zip(made, self.models, strict=True):
            numbers.problems.update(model.problems)
        return made


class Index:
    """Finds the model and the rows that a result belongs to."""

    def __init__(self, asking: Asking) -> None:
        self._models = {
            (at.model, at.folder): number
            for number, checkpoints in enumerate(asking.checkpoints)
            for at in checkpoints
        }
        self._rows = [rows_by_prompt(prompts) for prompts in asking.prompts]

    def find(self, result: Result) -> tuple[int, tuple[int, ...]]:
        """Return the model's number and the rows; no rows where nobody asked this."""
        number = self._models.get((result.checkpoint.model, result.checkpoint.folder))
        return (0, ()) if number is None else (number, self._rows[number].get(result.prompt, ()))


def rows_by_prompt(prompts: Sequence[Prompt | None]) -> dict[Prompt, tuple[int, ...]]:
    """Return the rows that each prompt's answer belongs to."""
    rows: dict[Prompt, tuple[int, ...]] = {}
    for row, prompt in enumerate(prompts):
        if prompt is not None:
            rows[prompt] = (*rows.get(prompt, ()), row)
    return rows
