"""What was asked before: a run as a value, and where runs are kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from pythia_gui.core.requests import Sampling

Role = Literal["target", "foil"]
Place = tuple[str, int]
"""A checkpoint: its model's key, and the step."""


class HistoryError(Exception):
    """Runs can't be read or kept; the text is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Run:
    """One question as it was asked, with all that is needed to put it on screen again.

    `when` is a time in ISO 8601, in UTC. `model` is the library's key, `model_name` what was
    shown. `token_ids` are the prompt's exact tokens where somebody chose one of them; they hold
    for the tokenizer of that hash alone. `endings` are targets and foils as typed; `pins` the
    columns, `pair` the two checkpoints compared, `view` the view looked at. `id` is 0 until the
    run is kept.
    """

    model: str
    model_name: str
    step: int
    text: str
    token_ids: tuple[int, ...] | None = None
    tokenizer_sha256: str = ""
    new_tokens: int = 0
    samples: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    top_k: int = 10
    special_tokens: bool = False
    cut_left: bool = False
    endings: tuple[tuple[str, Role], ...] = ()
    pins: tuple[Place, ...] = ()
    pair: tuple[Place, Place] | None = None
    view: str = ""
    when: str = ""
    starred: bool = False
    id: int = 0

    def question(self) -> "Run":
        """Return what is the same in two runs that ask the same of the same checkpoint."""
        return replace(self, pins=(), pair=None, view="", when="", starred=False, id=0)


class History(Protocol):
    """The runs of this session and those before. Every method may raise `HistoryError`."""

    def runs(self, search: str = "", *, most: int = 1_000, starred: bool = False) -> Sequence[Run]:
        """Return runs, newest first: those with all words of `search`, whatever their case.

        Prompt, model, targets, foils and view are searched.
        """
        ...

    def note(self, run: Run) -> Run:
        """Keep a run that begins now, and return it; the oldest may go.

        The question of the newest run asked once more is no new run: it moves to now.
        """
        ...

    def star(self, run_id: int, *, on: bool) -> None:
        """Mark a run, so that it never goes by itself, or take the mark away."""
        ...

    def delete(self, run_ids: Iterable[int]) -> Sequence[Run]:
        """Forget some runs, and return them."""
        ...

    def put_back(self, runs: Iterable[Run]) -> None:
        """Keep deleted runs again, as they were."""
        ...
