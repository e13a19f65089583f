"""From what an engine said to what the views show."""

import math
from collections.abc import Mapping, Sequence

from pythia_gui.core.events import (
    Alternatives,
    Continuation,
    Floats,
    Placement,
    Result,
    Score,
    TargetScore,
    TokenWritten,
)
from pythia_gui.core.library import ModelEntry
from pythia_gui.core.requests import Prompt
from pythia_gui.core.steps import format_step, format_tokens, tokens_seen
from pythia_gui.ui.values import (
    Choice,
    Curve,
    CurvePoint,
    ShownText,
    ShownToken,
    StepMark,
)

Texts = Mapping[int, str]
MINIATURE = "miniature on invented text"


# ---------------------------------------------------------------------------------- texts


def text_of_result(
    name: str,
    result: Result,
    prompt_texts: Sequence[str],
    sample: int = 0,
    *,
    miniature: bool = False,
) -> ShownText:
    """Return what one checkpoint made of a prompt: its tokens scored, and one continuation.

    `prompt_texts` are the prompt's tokens as they read in their places. A `miniature` is called
    what it is wherever its text goes.
    """
    step = result.checkpoint.step
    if result.error is not None:
        return ShownText(name, step, state="error", message=result.error)
    tokens = [
        *_prompt_tokens(result.prompt, prompt_texts, result.score, result.texts),
        *_written_tokens(_continuation(result, sample), result.texts),
    ]
    line = " · ".join([provenance(name, result), *([MINIATURE] if miniature else [])])
    return ShownText(name, step, tuple(tokens), "done", provenance=line)


def unscored_prompt(prompt: Prompt, texts: Sequence[str]) -> tuple[ShownToken, ...]:
    """Return a prompt's tokens without numbers, to stand before a text that is being written."""
    return tuple(_prompt_tokens(prompt, texts, None, {}))


def token_of(written: TokenWritten) -> ShownToken:
    """Return one more token of a text that is being written."""
    return ShownToken(
        written.token_id,
        written.text,
        float(written.logprob),
        int(written.rank),
        float(written.entropy),
        sampler_logprob=float(written.sampler_logprob),
        choices=_choices(written.top, 0, written.texts),
        written=True,
    )


def _continuation(result: Result, sample: int) -> Continuation | None:
    found = (one for one in result.continuations if one.sample == sample)
    return next(found, None)


def _prompt_tokens(
    prompt: Prompt, texts: Sequence[str], score: Score | None, names: Texts
) -> list[ShownToken]:
    tokens = []
    for place, (token_id, text) in enumerate(zip(prompt.token_ids, texts, strict=True)):
        if score is None or place == 0:
            tokens.append(ShownToken(token_id, text, None, None, None))
            continue
        tokens.append(
            ShownToken(
                token_id,
                text,
                _number(score.logprobs, place),
                int(score.ranks[place]),
                _number(score.entropies, place),
                choices=_choices(score.top, place, names),
            )
        )
    return tokens


def _written_tokens(continuation: Continuation | None, names: Texts) -> list[ShownToken]:
    if continuation is None:
        return []
    return [
        ShownToken(
            int(continuation.token_ids[place]),
            text,
            _number(continuation.logprobs, place),
            int(continuation.ranks[place]),
            _number(continuation.entropies, place),
            sampler_logprob=_number(continuation.sampler_logprobs, place),
            choices=_choices(continuation.top, place, names),
            written=True,
        )
        for place, text in enumerate(continuation.token_texts)
    ]


def _number(values: Floats, place: int) -> float | None:
    """Return a number that can be shown; minus infinity is one, NaN is none."""
    value = float(values[place])
    return None if math.isnan(value) else value


def _choices(top: Alternatives, place: int, names: Texts) -> tuple[Choice, ...]:
    rows = zip(top.ids[place], top.probs[place], strict=True)
    return tuple(
        Choice(int(token_id), names.get(int(token_id), ""), float(prob))
        for token_id, prob in rows
        if not math.isnan(prob)
    )


def provenance(name: str, result: Result) -> str:
    """Return one line that traces a result: model, step, commit or weights, dtype, device."""
    at = result.checkpoint
    parts = [name, format_step(at.step)]
    if at.commit:
        parts.append(f"commit {at.commit[:10]}")
    if at.weights_sha256:
        parts.append(f"weights {at.weights_sha256[:10]}")
    parts.append(f"{result.dtype} on {result.device}")
    return " · ".join(parts)


# ---------------------------------------------------------------------------------- curves


def curves_of(
    entry: ModelEntry,
    labels: Sequence[tuple[str, str]],
    results: Mapping[int, Result],
    *,
    suggested: bool = False,
) -> tuple[Curve, ...]:
    """Return one curve per target, of the steps measured so far and those left out.

    `labels` are the targets' texts with their roles, in the order of the results' targets.
    """
    return tuple(
        Curve(
            label,
            entry.name,
            "foil" if role == "foil" else "target",
            _points(entry, results, place),
            suggested,
        )
        for place, (label, role) in enumerate(labels)
    )


def _points(entry: ModelEntry, results: Mapping[int, Result], place: int) -> tuple[CurvePoint, ...]:
    bad = {step: why for step, why in (entry.known_bad or {}).items() if step in entry.steps}
    points = []
    for step in sorted({*results, *bad} if results else ()):
        seen = seen_at(entry, step)
        if step in results:
            points.append(_point(step, seen, results[step], place))
        else:
            points.append(CurvePoint(step, seen, None, None, bad[step], left_out=True))
    return tuple(points)


def _point(step: int, seen: int | None, result: Result, place: int) -> CurvePoint:
    if result.error is not None:
        return CurvePoint(step, seen, None, None, result.error)
    score = _target_at(result, place)
    if score is None or math.isnan(score.logprob):
        return CurvePoint(step, seen, None, None, "this step gave no number for the target")
    return CurvePoint(step, seen, float(score.logprob), int(score.rank))


def _target_at(result: Result, place: int) -> TargetScore | None:
    return result.targets[place] if place < len(result.targets) else None


# ---------------------------------------------------------------------------------- steps


def seen_at(entry: ModelEntry, step: int) -> int | None:
    """Return the tokens that a model has read by `step`, None where nobody knows."""
    return None if entry.batch_tokens is None else tokens_seen(step, entry.batch_tokens)


def marks_of(entry: ModelEntry, computed: frozenset[int]) -> tuple[StepMark, ...]:
    """Return the timeline's marks, ascending by step."""
    bad, notes, real = entry.known_bad or {}, entry.notes or {}, entry.real_steps or {}
    return tuple(
        StepMark(
            step,
            seen_at(entry, step),
            on_disk=step in entry.here,
            computed=step in computed,
            badge=bad.get(step) or notes.get(step) or "",
            real_step=real.get(step),
        )
        for step in sorted(entry.steps)
    )


def step_line(entry: ModelEntry, step: int) -> str:
    """Return where the timeline stands: `step 4,000 · 8.4 B tokens seen`."""
    line = format_step(step)
    seen = seen_at(entry, step)
    if seen is not None:
        line = f"{line} · {format_tokens(seen)} seen"
    real = (entry.real_steps or {}).get(step)
    return line if real is None or real == step else f"{line} · really step {real:,}"


def steps_line(entry: ModelEntry) -> str:
    """Return how much of a model is on this machine in two words, nothing where none is."""
    if not entry.here:
        return ""
    if len(entry.here) == len(entry.steps):
        return f"{len(entry.steps)} steps" if len(entry.steps) != 1 else "1 step"
    return f"{len(entry.here)} here"


def why_not_here(entry: ModelEntry, step: int) -> str:
    """Return why a step can't be computed, with the way out."""
    if entry.here:
        return (
            f"{format_step(step).capitalize()} of {entry.name} is not on this machine. Pick a step "
            "that the timeline marks as here, or add a folder that has it."
        )
    return (
        f"Nothing of {entry.name} is on this machine. Add a folder of its checkpoints, or fetch "
        "them into the Hugging Face cache and press F5."
    )


# ---------------------------------------------------------------------------------- status


def placement_line(placement: Placement | None, dtype: str) -> str:
    """Return where numbers are computed: `CPU float32`."""
    if placement is None:
        return ""
    device = placement.device_class.upper()
    return f"{device} {dtype}" if dtype else device


def time_left(elapsed_s: float, fraction: float) -> str:
    """Return the time that a job still needs at its pace, empty while that can't be told."""
    if elapsed_s < 1 or not 0.02 <= fraction < 1:
        return ""
    left_s = elapsed_s * (1 - fraction) / fraction
    if left_s < 1.5:
        return "1 s left"
    if left_s < 90:
        return f"{left_s:.0f} s left"
    return f"{left_s / 60:.0f} min left" if left_s < 5400 else f"{left_s / 3600:.1f} h left"
