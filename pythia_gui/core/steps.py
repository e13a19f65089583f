"""The step schedule of Pythia, and how a user's words choose steps from it.

A step is one optimiser step of training; a checkpoint is a model at a step. Pythia keeps 154 of
them: 0, then the powers of two to 512, then every thousandth to 143,000
(https://github.com/EleutherAI/pythia#models).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EARLY_STEPS: tuple[int, ...] = (0, *(2**power for power in range(10)))
"""Step 0 and the ten powers of two from 1 to 512."""

LAST_STEP = 143_000

STEPS: tuple[int, ...] = (*EARLY_STEPS, *range(1_000, LAST_STEP + 1, 1_000))
"""The 154 steps of a Pythia model, ascending."""

TOKENS_PER_STEP = 2_097_152
"""Tokens in one batch: 1,024 sequences of 2,048 tokens."""

_LOG_GRID = frozenset((*EARLY_STEPS, *(1_000 * 2**power for power in range(8))))
_STEP_NUMBER = re.compile(r"[0-9]+")
_STEP_RANGE = re.compile(r"([0-9]+)-([0-9]+)(?::([0-9]+))?")
_BRANCH = re.compile(r"step(0|[1-9][0-9]{0,6})")
_SAFE_REVISION = re.compile(r"main|step[0-9]{1,7}|refs/pr/[0-9]+|[0-9a-f]{40}")
_MOST_DIGITS = 7
_TOKEN_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


class StepError(ValueError):
    """A choice of steps that can't be followed, told in one sentence."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A checkpoint that a choice of steps passed over, and why."""

    step: int
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The steps that a choice stands for, and those it passed over; both ascending."""

    steps: tuple[int, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """What one comma-separated part of a choice picks.

    A `named` step was written out by the user, so it is kept even where it is known to be bad.
    """

    steps: frozenset[int]
    named: bool


def shown(text: str, limit: int = 40) -> str:
    """Return `text` fit for a one-line sentence: cut to `limit`, invisible characters spelled."""
    cut = text if len(text) <= limit else text[:limit] + "..."
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in cut
    )


def tokens_seen(step: int, batch_tokens: int = TOKENS_PER_STEP) -> int:
    """Return how many training tokens a model has read after `step` steps."""
    return step * batch_tokens


def branch_of(step: int) -> str:
    """Return the Hub's name for the branch that keeps `step`, such as `step1000`."""
    return f"step{step}"


def step_of_branch(branch: str) -> int | None:
    """Return the step that a branch named like `step1000` keeps, or None for any other name."""
    match = _BRANCH.fullmatch(branch)
    return int(match[1]) if match else None


def step_of_revision(revision: str, last_step: int = LAST_STEP) -> int | None:
    """Return the step of a revision by its name, or None where the name doesn't tell.

    `main` is the last step of training. Commits and pull requests have no step of their own.
    """
    return last_step if revision == "main" else step_of_branch(revision)


def is_safe_revision(text: str) -> bool:
    """Tell whether `text` may be used in a URL or a path: main, stepN, refs/pr/N or a commit."""
    return _SAFE_REVISION.fullmatch(text) is not None


def log_steps(available: Iterable[int]) -> tuple[int, ...]:
    """Return those of `available` that are about evenly spaced on a log axis, ascending.

    They are 0, 1, 2, 4, ..., 512, 1000, 2000, 4000, ..., 128000, and the last one there is.
    """
    steps = sorted(set(available))
    return tuple(step for step in steps if step in _LOG_GRID or step == steps[-1])


def snap(step: float, available: Iterable[int]) -> int:
    """Return the step of `available` nearest to `step`; of two as near, the lower.

    Raises:
        StepError: `available` is empty.
    """
    steps = sorted(set(available))
    if not steps:
        raise StepError("there is no checkpoint to choose from")
    return min(steps, key=lambda candidate: abs(candidate - step))


def select_steps(
    spec: str,
    available: Sequence[int],
    known_bad: Mapping[int, str],
    *,
    include_known_bad: bool,
    model: str = "this model",
) -> Selection:
    """Return the steps that `spec` chooses from `available`.

    Args:
        spec: parts separated by commas: `all`, `log` (see `log_steps`), a step, a range such as
            `1000-20000` (all there are in it, ends included) or one with a stride, such as
            `1000-20000:1000` (those of the grid that are there).
        available: the steps that have a checkpoint, in any order.
        known_bad: why a step's published checkpoint isn't what its name says.
        include_known_bad: keep these too; a step that is written out is kept in any case.
        model: what to call the model in an error.

    Raises:
        StepError: `spec` can't be read, names a step that isn't there, or chooses nothing.
    """
    steps = frozenset(available)
    choices = [_read_part(part, steps, model) for part in _parts(spec, model)]
    named = frozenset[int]().union(*(choice.steps for choice in choices if choice.named))
    chosen = frozenset[int]().union(*(choice.steps for choice in choices))
    bad = frozenset() if include_known_bad else (chosen & known_bad.keys()) - named
    if not chosen - bad:
        raise StepError(
            f"every checkpoint of {model} in {shown(spec)} is known to be bad; "
            "include the known-bad ones or name the steps you want"
        )
    left_out = tuple(LeftOut(step, known_bad[step]) for step in sorted(bad))
    return Selection(tuple(sorted(chosen - bad)), left_out)


def _parts(spec: str, model: str) -> list[str]:
    parts = [part.strip() for part in spec.split(",")]
    if not any(parts):
        raise StepError(
            f"no step of {model} is chosen; write all, log, 0,512,143000 or 1000-20000:1000"
        )
    if "" in parts:
        raise StepError(f"{shown(spec)} has a comma with no step beside it")
    for keyword in ("all", "log"):
        if parts.count(keyword) > 1:
            raise StepError(f"{shown(spec)} says {keyword} more than once; once is enough")
    return parts


def _read_part(part: str, available: frozenset[int], model: str) -> _Choice:
    if not available:
        raise StepError(f"{model} has no checkpoint to choose from")
    if part == "all":
        return _Choice(available, named=False)
    if part == "log":
        return _Choice(frozenset(log_steps(available)), named=False)
    if _STEP_NUMBER.fullmatch(part):
        return _Choice(frozenset({_existing(part, available, model)}), named=True)
    if match := _STEP_RANGE.fullmatch(part):
        return _Choice(_in_range(part, match, available, model), named=False)
    raise StepError(
        f"{shown(part)} is not a choice of steps; write all, log, a step such as 512, "
        "or a range such as 1000-20000:1000"
    )


def _existing(part: str, available: frozenset[int], model: str) -> int:
    step = _number(part)
    if step not in available:
        raise StepError(
            f"step {step} is not a checkpoint of {model}; "
            f"the nearest is step {snap(step, available)}"
        )
    return step


def _in_range(
    part: str, match: re.Match[str], available: frozenset[int], model: str
) -> frozenset[int]:
    first, last = _number(match[1]), _number(match[2])
    stride = 1 if match[3] is None else _number(match[3])
    if first > last:
        raise StepError(f"the range {part} runs backwards; write {last}-{first}")
    if stride == 0:
        raise StepError(f"the range {part} has a stride of 0, which never gets on")
    inside = (step for step in available if first <= step <= last)
    steps = frozenset(step for step in inside if (step - first) % stride == 0)
    if not steps:
        raise StepError(
            f"{model} has no checkpoint in {part}; "
            f"the nearest to its start is step {snap(first, available)}"
        )
    return steps


def _number(digits: str) -> int:
    # Bounded before int(): Python refuses over 4,300 digits with an error of its own.
    if len(digits.lstrip("0")) > _MOST_DIGITS:
        raise StepError(
            f"{shown(digits)} is beyond any step; a step has {_MOST_DIGITS} digits at most"
        )
    return int(digits.lstrip("0") or "0")


def even_positions(steps: Sequence[int]) -> NDArray[np.float64]:
    """Return the places 0, 1, 2, ... that give every step of `steps` the same room."""
    return np.arange(len(steps), dtype=np.float64)


def log2_positions(steps: Sequence[int]) -> NDArray[np.float64]:
    """Return log2(1 + step) for each step, so that step 0 has its place on the axis too."""
    return np.log2(1.0 + np.asarray(steps, dtype=np.float64))


def token_positions(
    steps: Sequence[int], batch_tokens: int = TOKENS_PER_STEP
) -> NDArray[np.float64]:
    """Return the tokens seen at each step."""
    return np.asarray(steps, dtype=np.float64) * batch_tokens


def format_step(step: int) -> str:
    """Return a step for reading: `step 4,000`."""
    return f"step {step:,}"


def format_tokens(tokens: int) -> str:
    """Return a number of tokens for reading, to one decimal: `8.4 B tokens`, `512 tokens`."""
    # The units change where rounding would show 1,000.0 of the smaller one.
    for scale, unit in _TOKEN_UNITS:
        if tokens >= 0.99995 * scale and tokens >= 1_000:
            return f"{tokens / scale:,.1f} {unit} tokens"
    return f"{tokens} token" if tokens == 1 else f"{tokens} tokens"


def tick_label(step: int) -> str:
    """Return a step in as few characters as an axis needs: `512`, `1k`, `143k`, `1.5k`."""
    if step >= 1_000 and step % 100 == 0:
        return f"{step / 1_000:g}k" if step < 1_000_000 else f"{step / 1_000_000:g}M"
    return f"{step:,}"
