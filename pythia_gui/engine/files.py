"""Weights from disk: safetensors and .bin files, checked before a tensor is believed.

safetensors are read by plain positioned reads into one reused buffer, never through mmap: a
file that shrinks while it is mapped kills the process.
"""

import json
import math
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pythia_gui.core.fingerprint import CheckpointError

HEADER_LIMIT_BYTES = 16 << 20
BLOCK_BYTES = 16 << 20
DIMENSIONS_AT_MOST = 8
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
# What torch.load raises on a file that is damaged or hostile, found by spoiling every byte.
UNPICKLING_FAILS = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    struct.error,
)
KeepGoing = Callable[[], None]
Wanted = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """A tensor in a safetensors file: where its bytes lie and how they are to be read."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    size_bytes: int


def read_tensors(
    files: Sequence[Path], wanted: Wanted, keep_going: KeepGoing
) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and value of every wanted tensor of a checkpoint's files.

    A tensor lives only until the next is asked for: its memory is used again. `keep_going`
    is called between reads and may raise to stop.

    Raises:
        CheckpointError: a file is damaged, cut short, or holds more than tensors.
    """
    for file in files:
        if file.suffix == ".bin":
            yield from _read_pickled(file, wanted, keep_going)
        else:
            yield from _read_safetensors(file, wanted, keep_going)


def _read_safetensors(
    file: Path, wanted: Wanted, keep_going: KeepGoing
) -> Iterator[tuple[str, Tensor]]:
    with file.open("rb", buffering=0) as stream:
        places = [place for place in read_header(file, stream.fileno()) if wanted(place.name)]
        largest = max((place.size_bytes for place in places), default=0)
        buffer = torch.empty(largest, dtype=torch.uint8)
        for place in places:
            _fill(stream.fileno(), memoryview(buffer.numpy().data), place, file, keep_going)
            yield place.name, buffer[: place.size_bytes].view(place.dtype).reshape(place.shape)


def _fill(
    descriptor: int, into: memoryview, place: TensorPlace, file: Path, keep_going: KeepGoing
) -> None:
    done = 0
    while done < place.size_bytes:
        keep_going()
        end = min(done + BLOCK_BYTES, place.size_bytes)
        count = os.preadv(descriptor, [into[done:end]], place.start + done)
        if count == 0:
            raise CheckpointError(f"{file} was cut short while it was read; fetch it again")
        done += count


def read_header(file: Path, descriptor: int) -> list[TensorPlace]:
    """Return where the tensors of an open safetensors file lie, in the order of the file.

    Raises:
        CheckpointError: the header is damaged, too large, or its tensors don't cover the
            file exactly (https://huggingface.co/docs/safetensors, Format).
    """
    try:
        size = os.fstat(descriptor).st_size
        length = int.from_bytes(os.pread(descriptor, 8, 0), "little")
        if size < 8 or not 2 <= length <= min(size - 8, HEADER_LIMIT_BYTES):
            raise ValueError("its header has an impossible length")
        text = os.pread(descriptor, length, 8).decode("utf-8")
        header = json.loads(text, object_pairs_hook=_without_doubles)
        places = [_place(name, entry, 8 + length) for name, entry in _tensors(header)]
        places.sort(key=lambda place: (place.start, place.size_bytes))
        _check_cover(places, 8 + length, size)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise CheckpointError(
            f"{file} is damaged ({_reason(problem)}); fetch it again"
        ) from problem
    return places


def _reason(problem: Exception) -> str:
    plain = type(problem) is ValueError
    return str(problem) if plain else "its header can't be read"


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header names a tensor twice")
    return found


def _tensors(header: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, entry) for name, entry in header.items() if name != "__metadata__")


def _place(name: str, entry: dict[str, Any], base: int) -> TensorPlace:
    dtype = DTYPES.get(entry["dtype"])
    shape, (start, end) = entry["shape"], entry["data_offsets"]
    if dtype is None or type(shape) is not list or len(shape) > DIMENSIONS_AT_MOST:
        raise ValueError("its header names an impossible tensor")
    if not all(type(n) is int and n >= 0 for n in (*shape, start, end)):
        raise ValueError("its header names an impossible tensor")
    if end - start != math.prod(shape) * dtype.itemsize:
        raise ValueError("a tensor's size does not fit its shape")
    return TensorPlace(name, dtype, tuple(shape), base + start, end - start)


def _check_cover(places: list[TensorPlace], start: int, end: int) -> None:
    for place in places:
        if place.start != start:
            raise ValueError("its tensors overlap or leave holes")
        start += place.size_bytes
    if start != end:
        raise ValueError("its tensors don't cover the file")


def _read_pickled(
    file: Path, wanted: Wanted, keep_going: KeepGoing
) -> Iterator[tuple[str, Tensor]]:
    held = _unpickled(file)
    if not isinstance(held, dict):
        raise CheckpointError(f"{file} does not hold a checkpoint's tensors by name")
    for name, value in held.items():
        keep_going()
        if isinstance(name, str) and isinstance(value, Tensor) and wanted(name):
            yield name, value


def _unpickled(file: Path) -> object:
    """Return what a .bin file holds; only tensors and plain containers are ever built."""
    try:
        _refuse_compressed(file)
        with warnings.catch_warnings(action="ignore"):  # torch remarks on unusual pickles
            return torch.load(file, map_location="cpu", weights_only=True, mmap=False)
    except UNPICKLING_FAILS as why:
        if "DefaultCPUAllocator" in str(why):
            raise MemoryError from why
        raise CheckpointError(
            f"{file} is damaged or holds more than tensors and was not opened; fetch it again"
        ) from why


def _refuse_compressed(file: Path) -> None:
    """Refuse an archive that would unpack to more than its size; torch.save never compresses."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ValueError("it is compressed")
