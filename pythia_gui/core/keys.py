"""The keys of stored results: what was computed, never what it was called."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pythia_gui.core.requests import Checkpoint, Continue, Prompt, Target

MEASURE_VERSION = 1


def canonical_sha256(value: Mapping[str, Any]) -> str:
    """Return the SHA-256 of `value` as canonical JSON (sorted keys, no spaces, UTF-8)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _base(checkpoint: Checkpoint, dtype: str, device_class: str) -> dict[str, Any]:
    if checkpoint.weights_sha256 is None:
        raise ValueError("a result has no key before its weights' SHA-256 is known")
    return {
        "weights": checkpoint.weights_sha256,
        "config": checkpoint.config_sha256,
        "tokenizer": checkpoint.tokenizer_sha256,
        "dtype": dtype,
        "device": device_class,
        "version": MEASURE_VERSION,
    }


def score_key(at: Checkpoint, dtype: str, device_class: str, prompt: Prompt, top_k: int) -> str:
    """Return the key of the scores of every position of `prompt`."""
    part = {"part": "score", "ids": prompt.token_ids, "top_k": top_k}
    return canonical_sha256(_base(at, dtype, device_class) | part)


def next_key(at: Checkpoint, dtype: str, device_class: str, prompt: Prompt, top_k: int) -> str:
    """Return the key of the distribution after `prompt`."""
    part = {"part": "next", "ids": prompt.token_ids, "top_k": top_k}
    return canonical_sha256(_base(at, dtype, device_class) | part)


def target_key(at: Checkpoint, dtype: str, device_class: str, target: Target) -> str:
    """Return the key of the score of one target after its own context."""
    part = {"part": "target", "ids": target.context_ids, "target": target.token_ids}
    return canonical_sha256(_base(at, dtype, device_class) | part)


def continuation_key(  # noqa: PLR0917 - a key names all that it depends on
    at: Checkpoint,
    dtype: str,
    device_class: str,
    prompt: Prompt,
    what: Continue,
    sample: int,
    top_k: int,
) -> str:
    """Return the key of one sampled continuation of `prompt`."""
    drawn = what.sampling
    settings: dict[str, Any] = {"temperature": 0, "stop": drawn.stop}
    if not drawn.greedy:
        settings = {
            "temperature": float(drawn.temperature),
            "top_k": drawn.top_k,
            "top_p": float(drawn.top_p),
            "min_p": float(drawn.min_p),
            "seed": drawn.seed,
            "sample": sample,
            "stop": drawn.stop,
        }
    part = {
        "part": "continuation",
        "ids": prompt.token_ids,
        "max_new_tokens": what.max_new_tokens,
        "sampling": settings,
        "top_k": top_k,
    }
    return canonical_sha256(_base(at, dtype, device_class) | part)


def divergence_key(
    at: Checkpoint, dtype: str, device_class: str, prompt: Prompt, reference: Checkpoint
) -> str:
    """Return the key of how far `at` is from `reference` at every position of `prompt`."""
    part = {"part": "divergence", "ids": prompt.token_ids, "against": _content(reference)}
    return canonical_sha256(_base(at, dtype, device_class) | part)


def similarity_key(
    at: Checkpoint, dtype: str, device_class: str, prompt: Prompt, earlier: str
) -> str:
    """Return the key of how far `at` is, after `prompt`, from each checkpoint before it.

    `earlier` is the `line_sha256` of those checkpoints.
    """
    part = {"part": "similarity", "ids": prompt.token_ids, "earlier": earlier}
    return canonical_sha256(_base(at, dtype, device_class) | part)


def line_sha256(checkpoints: Sequence[Checkpoint]) -> str:
    """Return the SHA-256 of what a line of checkpoints holds, in this order.

    Raises:
        ValueError: the weights of one of them are not known.
    """
    return canonical_sha256({"line": [_content(checkpoint) for checkpoint in checkpoints]})


def _content(checkpoint: Checkpoint) -> list[str]:
    if checkpoint.weights_sha256 is None:
        raise ValueError("a result has no key before its weights' SHA-256 is known")
    return [checkpoint.weights_sha256, checkpoint.config_sha256]
