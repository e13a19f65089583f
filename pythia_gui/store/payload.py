"""The parts of a result as bytes: a JSON header and raw little-endian arrays, compressed.

Layout before compression: the header's length (uint32, little-endian), the header (UTF-8 JSON
with the part's name, its plain values, and dtype and shape of every array), then the arrays one
after the other. zlib's checksum tells damage; there is no pickle, so nothing can be run.
"""

import json
import math
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.events import (
    Alternatives,
    Continuation,
    Divergence,
    Floats,
    NextToken,
    Score,
    TargetScore,
)

Part = Score | NextToken | TargetScore | Continuation | Divergence | Floats
PartName = Literal["score", "next", "target", "continuation", "divergence", "similarity"]
Values = dict[str, Any]
Arrays = Sequence[NDArray[Any]]

INT32_LIMIT = 2**31


class DamagedPayload(ValueError):
    """Stored bytes are not the part that they are said to be."""


def name_of(part: Part) -> PartName:
    """Return what a part is called in the store and in its key."""
    match part:
        case Score():
            return "score"
        case NextToken():
            return "next"
        case TargetScore():
            return "target"
        case Continuation():
            return "continuation"
        case Divergence():
            return "divergence"
        case np.ndarray():
            return "similarity"


def encode(part: Part) -> bytes:
    """Return `part` as compressed bytes that `decode` gives back equal to the last bit."""
    values, arrays = _taken_apart(part)
    lean = [_lean(array) for array in arrays]
    described = [[array.dtype.str, array.shape] for array in lean]
    header = json.dumps({"part": name_of(part), "values": values, "arrays": described}).encode()
    body = b"".join(array.tobytes() for array in lean)
    return zlib.compress(struct.pack("<I", len(header)) + header + body, 1)


def decode(name: PartName, payload: bytes) -> Part:
    """Return the part in `payload`.

    Raises:
        DamagedPayload: the bytes are damaged, or another part's.
    """
    try:
        data = zlib.decompress(payload)
        (length,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + length])
        if header["part"] != name:
            raise DamagedPayload(f"{header['part']} where {name} should be")
        return _put_together(name, header["values"], _arrays(header["arrays"], data, 4 + length))
    except (zlib.error, struct.error, ValueError, KeyError, TypeError, OverflowError) as problem:
        raise DamagedPayload(str(problem)) from problem


def _lean(array: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers as int32 where they fit, fractions as float32, little-endian."""
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, "<f4").reshape(array.shape)
    fits = not array.size or -INT32_LIMIT <= array.min() <= array.max() < INT32_LIMIT
    return np.ascontiguousarray(array, "<i4" if fits else "<i8").reshape(array.shape)


def _arrays(described: list[tuple[str, list[int]]], data: bytes, start: int) -> list[NDArray[Any]]:
    arrays = []
    for dtype, shape in described:
        raw = np.frombuffer(data, dtype, math.prod(shape), start).reshape(shape)
        arrays.append(raw.astype(np.float32 if raw.dtype.kind == "f" else np.int64))
        start += raw.nbytes
    if start != len(data):
        raise DamagedPayload(f"{len(data) - start} bytes too many")
    return arrays


def _taken_apart(part: Part) -> tuple[Values, Arrays]:
    match part:
        case Score(ids, logprobs, ranks, entropies, top):
            return {}, (ids, logprobs, ranks, entropies, top.ids, top.probs)
        case NextToken(top, entropy, padding_mass):
            values = {"entropy": float(entropy), "padding_mass": float(padding_mass)}
            return values, (top.ids, top.probs)
        case TargetScore(text, token_ids, logprob, rank):
            own = [int(i) for i in token_ids]
            return {"text": text, "ids": own, "logprob": float(logprob), "rank": int(rank)}, ()
        case Continuation():
            return _continuation_apart(part)
        case Divergence(reference, forward, backward, js):
            return {"reference": reference}, (forward, backward, js)
        case np.ndarray():
            return {}, (part,)


def _continuation_apart(part: Continuation) -> tuple[Values, Arrays]:
    values = {
        "sample": part.sample,
        "seed": part.seed,
        "text": part.text,
        "token_texts": part.token_texts,
    }
    numbers = (part.token_ids, part.logprobs, part.sampler_logprobs, part.ranks, part.entropies)
    return values, (*numbers, part.top.ids, part.top.probs)


def _put_together(name: PartName, values: Values, arrays: list[NDArray[Any]]) -> Part:
    match name:
        case "score":
            ids, logprobs, ranks, entropies, *top = arrays
            _same_length(ids, logprobs, ranks, entropies, *top)
            return Score(ids, logprobs, ranks, entropies, _alternatives(*top))
        case "next":
            return NextToken(_alternatives(*arrays), values["entropy"], values["padding_mass"])
        case "target":
            own = tuple(values["ids"])
            return TargetScore(values["text"], own, values["logprob"], values["rank"])
        case "continuation":
            return _continuation(values, arrays)
        case "divergence":
            forward, backward, js = arrays
            _same_length(forward, backward, js)
            return Divergence(values["reference"], forward, backward, js)
        case "similarity":
            (similarity,) = arrays
            return _fractions(similarity)


def _continuation(values: Values, arrays: list[NDArray[Any]]) -> Continuation:
    ids, logprobs, sampler_logprobs, ranks, entropies, *top = arrays
    _same_length(*arrays, values["token_texts"])
    return Continuation(
        sample=values["sample"],
        seed=values["seed"],
        text=values["text"],
        token_ids=ids,
        token_texts=tuple(values["token_texts"]),
        logprobs=logprobs,
        sampler_logprobs=sampler_logprobs,
        ranks=ranks,
        entropies=entropies,
        top=_alternatives(*top),
    )


def _alternatives(ids: NDArray[Any], probs: NDArray[Any]) -> Alternatives:
    if ids.ndim != 2 or ids.shape != probs.shape:
        raise DamagedPayload(f"alternatives of shapes {ids.shape} and {probs.shape}")
    return Alternatives(ids, probs)


def _fractions(array: NDArray[Any]) -> Floats:
    if array.ndim != 1 or array.dtype != np.float32:
        raise DamagedPayload(f"{array.ndim} dimensions of {array.dtype}")
    return array


def _same_length(*columns: Sequence[Any] | NDArray[Any]) -> None:
    if len({len(column) for column in columns}) != 1:
        raise DamagedPayload("columns of different lengths")
