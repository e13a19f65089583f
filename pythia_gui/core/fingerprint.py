"""Which files hold a checkpoint's weights, and what they are, whatever they are called."""

import hashlib
import json
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pythia_gui.core.steps import shown

BLOCK_BYTES = 1 << 20
SENTENCE_LIMIT = 600
INDEX_LIMIT_BYTES = 16 << 20
SINGLE = ("model.safetensors", "pytorch_model.bin")
INDEXED = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
ORDER = (SINGLE[0], INDEXED[0], SINGLE[1], INDEXED[1])


class CheckpointError(ValueError):
    """A checkpoint can't be used; the text is one sentence that says why, and the way out.

    Names of files and tensors are in it: what they hold of invisible characters is spelled out.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(shown(sentence, SENTENCE_LIMIT))


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells one state of a file from another without reading it."""

    path: str
    size: int
    mtime_ns: int
    inode: int


def identity_of(file: Path) -> FileIdentity:
    """Return the identity of the file that `file` leads to (the Hub's cache holds links)."""
    real = file.resolve()
    found = real.stat()
    return FileIdentity(str(real), found.st_size, found.st_mtime_ns, found.st_ino)


def read_limited(file: Path, limit_bytes: int) -> bytes:
    """Return the content of a file that is no larger than `limit_bytes`.

    Raises:
        CheckpointError: it is missing, larger, no file (a pipe is never waited for), or can't
            be read.
    """
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise CheckpointError(f"{file} can't be read: it is not a file")
        if found.st_size > limit_bytes:
            raise CheckpointError(f"{file} is larger than {limit_bytes >> 20} MiB and was not read")
        return file.read_bytes()
    except OSError as problem:
        raise CheckpointError(f"{file} can't be read: {problem.strerror}") from problem


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the files that hold the weights in `folder`, in the order they are named.

    safetensors come before .bin, one file before shards; shards are those that the index
    names, in sorted order.

    Raises:
        CheckpointError: there are none, or the index is damaged or names a file elsewhere.
    """
    for name in ORDER:
        file = folder / name
        if file.is_file():
            return (file,) if name in SINGLE else _shards(file)
    raise CheckpointError(f"{folder} has no weights (model.safetensors or pytorch_model.bin)")


def has_weights(folder: Path) -> bool:
    """Whether `folder` holds weights in one of the forms that can be read."""
    return any(_is_file(folder / name) for name in ORDER)


def _shards(index: Path) -> tuple[Path, ...]:
    try:
        if index.stat().st_size > INDEX_LIMIT_BYTES:
            raise ValueError("too large")
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        if not names or any(Path(name).name != name or name in ("", "..") for name in names):
            raise ValueError("names a file outside its folder")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise CheckpointError(f"{index} is damaged; fetch it again") from problem
    for name in names:
        if not _is_file(index.parent / name):
            raise CheckpointError(f"{index.parent} lacks {shown(name)}; fetch it again")
    return tuple(index.parent / name for name in names)


def _is_file(place: Path) -> bool:
    """Whether a file is there; no name is too odd to ask."""
    try:
        return place.is_file()
    except (OSError, ValueError):
        return False


def file_sha256(file: Path, keep_going: Callable[[], None] = lambda: None) -> str:
    """Return the file's SHA-256 as hexadecimal; `keep_going` may raise between blocks."""
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            keep_going()
    return digest.hexdigest()


def combined_sha256(named: list[tuple[str, str]]) -> str:
    """Return one fingerprint of weights in several files.

    One file's is its own; that of shards is the SHA-256 of the sorted lines
    `<sha256>  <name>`, each ended by a line feed, as `sha256sum` prints them.
    """
    if len(named) == 1:
        return named[0][1]
    lines = sorted(f"{sha256}  {name}\n" for name, sha256 in named)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def weights_sha256(folder: Path, take: Callable[[Path], str] = file_sha256) -> str:
    """Return the fingerprint of the weights in `folder`.

    `take` gives one file's SHA-256; a store passes one that remembers by `FileIdentity`.
    """
    return combined_sha256([(file.name, take(file)) for file in weight_files(folder)])
