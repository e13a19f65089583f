"""Results as one JSON document; a sweep's also as CSV and as a table for reading.

The JSON's schemas are docs/sweep-schema.md, docs/compare-schema.md and docs/learned-schema.md.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pythia_gui import __version__
from pythia_gui.core.acquisition import Acquisition, Bracket
from pythia_gui.core.events import (
    Alternatives,
    Continuation,
    Divergence,
    Result,
    Score,
    TargetScore,
)
from pythia_gui.core.library import ModelEntry
from pythia_gui.core.measures import measures
from pythia_gui.core.prompt_sets import PromptEntry
from pythia_gui.core.requests import Checkpoint, Prompt
from pythia_gui.core.steps import LeftOut, shown

SCHEMA = 1
Json = dict[str, Any]
CSV_COLUMNS = (
    *("model", "step", "tokens_seen", "revision", "commit", "weights_sha256", "device", "dtype"),
    *("prompt", "part", "index", "position", "token_id", "text", "prob", "logprob"),
    *("sampler_logprob", "rank", "entropy", "error"),
)


def sweep_document(
    model: ModelEntry, results: Sequence[Result], left_out: Sequence[LeftOut]
) -> Json:
    """Return the whole document; the results come in the order given."""
    computed = [result for result in results if result.error is None] or list(results)
    return {
        "schema": SCHEMA,
        "version": __version__,
        "model": model.name,
        "device": _decided(computed[0].device) if computed else None,
        "dtype": _decided(computed[0].dtype) if computed else None,
        "left_out": [{"step": left.step, "reason": left.reason} for left in left_out],
        "results": [_result(result) for result in results],
    }


def _result(result: Result) -> Json:
    at = result.checkpoint
    following = result.next_token
    return {
        "step": at.step,
        "tokens_seen": at.tokens_seen,
        "revision": at.revision,
        "commit": at.commit,
        "weights_sha256": at.weights_sha256,
        "dtype": _decided(result.dtype),
        "prompt": result.prompt.text,
        "token_ids": list(result.prompt.token_ids),
        "padding_mass": following.padding_mass if following else None,
        "score": _score(result.score, result.texts) if result.score else [],
        "next": _top(following.top, 0, result.texts) if following else [],
        "targets": [_target(target) for target in result.targets],
        "continuations": [_continuation(text) for text in result.continuations],
        "error": result.error,
    }


def _decided(choice: str) -> str | None:
    """Return a device or dtype, or None where nothing was computed that decided it."""
    return None if choice == "auto" else choice


def _score(score: Score, texts: Mapping[int, str]) -> list[Json]:
    return [
        {
            "id": int(token_id),
            "text": texts[int(token_id)],
            "logprob": _number(score.logprobs[n]),
            "rank": int(score.ranks[n]) or None,
            "entropy": _number(score.entropies[n]),
            "top": _top(score.top, n, texts),
        }
        for n, token_id in enumerate(score.token_ids)
    ]


def _top(top: Alternatives, position: int, texts: Mapping[int, str]) -> list[Json]:
    pairs = zip(top.ids[position].tolist(), top.probs[position].tolist(), strict=True)
    return [{"id": i, "text": texts[i], "prob": prob} for i, prob in pairs if not math.isnan(prob)]


def _target(target: TargetScore) -> Json:
    return {
        "text": target.text,
        "token_ids": list(target.token_ids),
        "logprob": target.logprob,
        "rank": target.rank,
    }


def _continuation(written: Continuation) -> Json:
    return {
        "sample": written.sample,
        "seed": written.seed,
        "text": written.text,
        "token_ids": written.token_ids.tolist(),
        "logprobs": written.logprobs.tolist(),
        "sampler_logprobs": written.sampler_logprobs.tolist(),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


# -- two checkpoints ---------------------------------------------------------------------------


def compare_document(a: Result, b: Result) -> Json:
    """Return the document of two checkpoints on one text; both scored, `b` held against `a`."""
    columns = _columns(a, b) if a.error is None and b.error is None else {}
    means = {name: np.mean(c[1:], dtype=np.float64).item() for name, c in columns.items()}
    return {
        "schema": SCHEMA,
        "version": __version__,
        "text": a.prompt.text,
        "token_ids": list(a.prompt.token_ids),
        "a": _answered(a),
        "b": _answered(b),
        "tokens": _compared(a, b, columns) if columns else [],
        "mean": means or None,
    }


def _answered(result: Result) -> Json:
    """Return which checkpoint answered, and how it was computed."""
    device = _decided(result.device) if result.error is None else None
    dtype = _decided(result.dtype) if result.error is None else None
    named = {"model": result.checkpoint.model, **_provenance(result.checkpoint)}
    return {**named, "device": device, "dtype": dtype, "error": result.error}


def _provenance(at: Checkpoint) -> Json:
    return {
        "step": at.step,
        "tokens_seen": at.tokens_seen,
        "revision": at.revision,
        "commit": at.commit,
        "weights_sha256": at.weights_sha256,
    }


def _columns(a: Result, b: Result) -> dict[str, "np.ndarray"]:
    """Return every measure by its name; of entry 0 of each nothing is known."""
    score_a, score_b, apart = _complete(a, b)
    found = measures(score_a, score_b)
    return {
        "prob_a": found.prob_a,
        "prob_b": found.prob_b,
        "rank_a": found.rank_a,
        "rank_b": found.rank_b,
        "prob_difference": found.prob_difference,
        "rank_difference": found.rank_difference,
        "clamped_rank_difference": found.clamped_rank_difference,
        "top10_overlap": found.top10_overlap,
        "logprob_a": score_a.logprobs,
        "logprob_b": score_b.logprobs,
        "entropy_a": score_a.entropies,
        "entropy_b": score_b.entropies,
        "kl_a_b": apart.forward,
        "kl_b_a": apart.backward,
        "js": apart.js,
    }


def _complete(a: Result, b: Result) -> tuple[Score, Score, Divergence]:
    if a.score is None or b.score is None or b.divergence is None:
        raise ValueError("a comparison needs two scores and a divergence")
    return a.score, b.score, b.divergence


def _compared(a: Result, b: Result, columns: Mapping[str, "np.ndarray"]) -> list[Json]:
    score_a, score_b, _ = _complete(a, b)
    return [
        {"id": token_id, "text": a.texts[token_id]}
        | {name: column[n].item() if n else None for name, column in columns.items()}
        | {"top_a": _top(score_a.top, n, a.texts), "top_b": _top(score_b.top, n, b.texts)}
        for n, token_id in enumerate(a.prompt.token_ids)
    ]


# -- when prompts were learned -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LearnedAnswer:
    """What was asked, what the measured steps tell (None without any), and all results."""

    asked: PromptEntry
    prompt: Prompt
    told: Acquisition | None
    results: Sequence[Result]


def failure_of(at: Checkpoint, why: str) -> Json:
    """Return what is said of a checkpoint that failed."""
    return {"step": at.step, "error": why}


def learned_document(
    model: ModelEntry,
    answers: Sequence[LearnedAnswer],
    left_out: Sequence[LeftOut],
    unread: Sequence[Json],
) -> Json:
    """Return the document of when prompts were learned; `unread` are failed checkpoints."""
    results = [result for answer in answers for result in answer.results]
    computed = [result for result in results if result.error is None] or results
    checkpoints = {result.checkpoint.step: result.checkpoint for result in computed}
    return {
        "schema": SCHEMA,
        "version": __version__,
        "model": model.name,
        "device": _decided(computed[0].device) if computed else None,
        "dtype": _decided(computed[0].dtype) if computed else None,
        "checkpoints": [_provenance(checkpoints[step]) for step in sorted(checkpoints)],
        "left_out": [{"step": left.step, "reason": left.reason} for left in left_out],
        "unread": list(unread),
        "results": [_learned(answer) for answer in answers],
    }


def _learned(answer: LearnedAnswer) -> Json:
    asked, told = answer.asked, answer.told
    by_step = sorted(answer.results, key=_step_of)
    measured = [result for result in by_step if result.error is None]
    failed = [result for result in by_step if result.error is not None]
    return {
        "prompt": asked.prompt,
        "target": asked.target,
        "foil": asked.foil or None,
        "group": asked.group or None,
        "source": asked.source or None,
        "line": asked.line or None,
        "token_ids": list(answer.prompt.token_ids),
        "target_ids": list(answer.prompt.targets[0].token_ids),
        "top10": _interval(told.top10) if told else None,
        "top1": _interval(told.top1) if told else None,
        "stays": _interval(told.stays) if told else None,
        "kind": told.kind if told else None,
        "steps": [result.checkpoint.step for result in measured],
        "ranks": [result.targets[0].rank for result in measured],
        "logprobs": [result.targets[0].logprob for result in measured],
        "errors": [failure_of(result.checkpoint, result.error or "") for result in failed],
    }


def _step_of(result: Result) -> int:
    return result.checkpoint.step


def _interval(bracket: Bracket | None) -> list[int | None] | None:
    return None if bracket is None else [bracket.before, bracket.at]


# -- ways to write -----------------------------------------------------------------------------


def as_json(document: Json) -> str:
    """Return the document as JSON text that any reader takes: no NaN, every character kept."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def as_csv(document: Json) -> str:
    """Return the document as CSV, one line per number-bearing token, target or failure.

    A text that a spreadsheet would run as a formula starts with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for result in document["results"]:
        head = {key: result[key] for key in CSV_COLUMNS if key in result}
        head |= {"model": document["model"], "device": document["device"]}
        for row in _rows(result):
            writer.writerow({key: _safe_cell(value) for key, value in (head | row).items()})
    return out.getvalue()


def _rows(result: Json) -> Iterator[Json]:
    if result["error"] is not None:
        yield {"part": "error"}
    for position, token in enumerate(result["score"]):
        plain = {key: token[key] for key in ("text", "logprob", "rank", "entropy")}
        yield {"part": "score", "position": position, "token_id": token["id"]} | plain
    for index, token in enumerate(result["next"]):
        yield {"part": "next", "index": index, "token_id": token["id"]} | {
            key: token[key] for key in ("text", "prob")
        }
    for index, target in enumerate(result["targets"]):
        yield {"part": "target", "index": index} | {
            key: target[key] for key in ("text", "logprob", "rank")
        }
    for text in result["continuations"]:
        yield {"part": "continuation", "index": text["sample"], "text": text["text"]}
        yield from _written_tokens(text)


def _written_tokens(text: Json) -> Iterator[Json]:
    columns = zip(text["token_ids"], text["logprobs"], text["sampler_logprobs"], strict=True)
    for position, (token_id, logprob, sampler_logprob) in enumerate(columns):
        yield {"part": "continuation token", "index": text["sample"], "position": position} | {
            "token_id": token_id,
            "logprob": logprob,
            "sampler_logprob": sampler_logprob,
        }


def _safe_cell(value: object) -> object:
    risky = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if risky else value


def as_table(document: Json, limit: int = 200) -> str:
    """Return the results as lines for a terminal: step, likely next tokens, targets, text.

    Control and other invisible characters are spelled out.
    """
    lines = [f"{document['model']}, {document['device']} {document['dtype']}"]
    prompt = None
    for result in document["results"][:limit]:
        if result["prompt"] != prompt:
            prompt = result["prompt"]
            lines += ["", f"prompt: {shown(prompt, 80)}"]
        lines.append(_line(result))
    return "\n".join(lines) + "\n"


def _line(result: Json) -> str:
    if result["error"] is not None:
        return f"{result['step']:>9,}  {shown(result['error'], 200)}"
    parts = [f"{result['step']:>9,}"]
    parts += [f"{shown(t['text'], 12)} {math.exp(t['logprob']):6.1%}" for t in result["targets"]]
    likely = result["next"][:3]
    parts.append("next: " + "  ".join(f"{shown(t['text'], 12)} {t['prob']:.0%}" for t in likely))
    parts += [shown(text["text"], 48) for text in result["continuations"][:1]]
    return "  ".join(parts)
