"""The models that the program knows, and how a prompt is put to them.

The window reaches folders, the Hub's cache and tokenizers through this protocol alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pythia_gui.core.requests import Checkpoint, Prompt


class PromptError(ValueError):
    """A prompt or target can't be used; the text is one sentence with the way out."""


@dataclass(frozen=True, slots=True)
class FactLine:
    """One line of a facts panel; `source` is a link or empty."""

    label: str
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of the picker.

    `key` names it uniquely and is what the other calls take; `name` is what is shown. `steps`
    are all steps it is said to have, `here` those whose weights are on this machine.
    `known_bad` gives the reason why a step is left out of "all steps"; `notes` are remarks on
    single steps that are no faults. `real_steps` maps token-equivalent step names to the
    optimiser steps really taken, where they differ. `batch_tokens` is None where unknown.
    """

    key: str
    name: str
    suite: str
    source: Literal["demo", "hub", "folder"]
    steps: tuple[int, ...]
    here: frozenset[int]
    batch_tokens: int | None
    context: int
    facts: tuple[FactLine, ...] = ()
    known_bad: Mapping[int, str] | None = None
    notes: Mapping[int, str] | None = None
    real_steps: Mapping[int, int] | None = None
    old_names: tuple[str, ...] = ()
    repo: str | None = None
    place: str = ""


class Library(Protocol):
    """What is there to be asked, on this machine or by name."""

    def models(self) -> tuple[ModelEntry, ...]:
        """Return every model, in the order of the picker: demo, Pythia, folders."""
        ...

    def look_again(self) -> None:
        """Look again which checkpoints are on this machine."""
        ...

    def find(self, name: str) -> tuple[ModelEntry, str]:
        """Return the model of a key, current or old name, repository or folder, and a notice.

        The notice is a sentence (an old name's current one) or empty.

        Raises:
            CheckpointError: there is no such model.
        """
        ...

    def add_folder(self, folder: Path) -> ModelEntry:
        """Add a folder of checkpoints, or a single checkpoint, and return its model.

        Raises:
            CheckpointError: nothing in it is a GPT-NeoX checkpoint with a tokenizer.
        """
        ...

    def checkpoint(self, key: str, step: int) -> Checkpoint:
        """Return the checkpoint of a model at a step; its `folder` is None if it is not here.

        Raises:
            CheckpointError: the model has no such step, or its config can't be read.
        """
        ...

    def encode(
        self,
        key: str,
        text: str,
        targets: Sequence[str] = (),
        *,
        special_tokens: bool = False,
        new_tokens: int = 0,
        cut_left: bool = False,
    ) -> Prompt:
        """Encode a prompt and its targets with the model's tokenizer.

        Raises:
            PromptError: text that can't be encoded, or too many tokens for the context
                together with `new_tokens` (unless `cut_left`).
        """
        ...

    def prompt_of_ids(self, key: str, token_ids: Sequence[int]) -> Prompt:
        """Return the prompt that consists of exactly these tokens."""
        ...

    def token_texts(self, key: str, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return how each token reads in its place; joined they give the text."""
        ...

    def unknown_characters(self, key: str, text: str) -> str:
        """Return the characters of `text` that the model's tokenizer has no token for."""
        ...
