"""What is known: answers by what was asked of whom, and why others will not come."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pythia_gui.core.events import Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import Library
from pythia_gui.core.requests import Checkpoint, Prompt
from pythia_gui.ui.questions import Ending, Key, Pin, Question, encoded

MOST_ANSWERS = 6_000
MOST_PROMPTS = 32

Asked = tuple[Pin, Key]
"""A checkpoint, and the name of what is asked of it."""


class Answers:
    """Answers under their names, the troubles of those that failed, and encoded prompts."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._results: OrderedDict[Key, Result] = OrderedDict()
        self._prompts: OrderedDict[object, Prompt] = OrderedDict()
        self._troubles: dict[Key, str] = {}

    def file(self, key: Key, result: Result) -> None:
        """Keep an answer; a later one of the same name replaces it, and the oldest go."""
        self._results[key] = result
        self._results.move_to_end(key)
        _forget_oldest(self._results, MOST_ANSWERS)

    def get(self, key: Key) -> Result | None:
        """Return an answer, if there is one."""
        return self._results.get(key)

    def trouble(self, key: Key) -> str:
        """Return why an answer will not come by itself, empty if it may."""
        return self._troubles.get(key, "")

    def fail(self, keys: Iterable[Key], why: str) -> None:
        """Remember why those that have not come will not."""
        self._troubles |= {key: why for key in keys if key not in self._results}

    def forget_troubles(self) -> None:
        """Let everything be asked again."""
        self._troubles.clear()

    @property
    def troubles(self) -> frozenset[str]:
        """All that went wrong."""
        return frozenset(self._troubles.values())

    def missing(self, asked: Iterable[Asked]) -> list[Asked]:
        """Return what has neither come nor failed."""
        return [
            (pin, key)
            for pin, key in asked
            if key not in self._results and key not in self._troubles
        ]

    def prompt(self, question: Question, endings: Sequence[Ending] = ()) -> Prompt:
        """Return an encoded prompt; the last few are remembered.

        Raises:
            PromptError: it can't be encoded, or is too long for the model's context.
            CheckpointError: the model has no tokenizer on this machine.
        """
        wanted = (question.reading(), question.settings.new_tokens, tuple(endings))
        prompt = self._prompts.get(wanted)
        if prompt is None:
            prompt = encoded(self._library, question, endings)
            self._prompts[wanted] = prompt
            _forget_oldest(self._prompts, MOST_PROMPTS)
        return prompt

    def checkpoints(self, asked: Iterable[Asked]) -> list[tuple[Checkpoint, Key]]:
        """Return the checkpoints that can be read; those that can't are failed."""
        found = []
        for pin, key in asked:
            try:
                found.append((self._library.checkpoint(pin.model, pin.step), key))
            except (CheckpointError, OSError) as problem:
                self.fail([key], str(problem))
        return found


def of_one_dtype(results: Mapping[int, Result]) -> dict[int, Result]:
    """Return the results of one curve, those in float32 alone once there are any.

    Half precision that overflows is computed again in float32, step by step; until that is
    through, or if it is stopped, no curve may join numbers of both.
    """
    wide = {step: result for step, result in results.items() if result.dtype == "float32"}
    return wide or dict(results)


def _forget_oldest(remembered: OrderedDict[Any, Any], most: int) -> None:
    while len(remembered) > most:
        remembered.popitem(last=False)
