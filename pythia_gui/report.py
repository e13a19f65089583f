"""A sweep's results as one JSON document, as CSV and as a table for reading.

The JSON's schema is docs/sweep-schema.md.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pythia_gui import __version__
from pythia_gui.core.events import Alternatives, Continuation, Result, Score, TargetScore
from pythia_gui.core.library import ModelEntry
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
