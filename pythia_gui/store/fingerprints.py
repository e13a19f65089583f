"""The SHA-256 of weights, taken once and remembered by the identity of the files."""

import hashlib
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pythia_gui.core.engine import Cancel
from pythia_gui.core.fingerprint import (
    CheckpointError,
    FileIdentity,
    combined_sha256,
    file_sha256,
    identity_of,
    weight_files,
)
from pythia_gui.store.database import Database, StoreError

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Nobody waits for the fingerprint any longer."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The files of a checkpoint's weights, as they are now."""

    folder: str
    names: tuple[str, ...]
    files: tuple[FileIdentity, ...]

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size for file in self.files)

    @property
    def identity(self) -> FileIdentity:
        """One identity for all files: the only one's own, or one that changes with any."""
        if len(self.files) == 1:
            return self.files[0]
        mixed = hashlib.sha256(repr((self.names, self.files)).encode()).digest()
        newest_ns = max(file.mtime_ns for file in self.files)
        return FileIdentity(
            self.folder, self.size_bytes, newest_ns, int.from_bytes(mixed[:7], "big")
        )


def weights_in(folder: str) -> Weights | None:
    """Return the weights in `folder`, or None where there are none that can be read."""
    try:
        files = weight_files(Path(folder))
        names = tuple(file.name for file in files)
        return Weights(folder, names, tuple(identity_of(file) for file in files))
    except (CheckpointError, OSError):
        return None


class Fingerprints:
    """Takes fingerprints of weights, and knows those it took before."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[FileIdentity, str] = {}

    def recall(self, many: Iterable[Weights]) -> None:
        """Look up in the database, at once, what is known of these weights."""
        wanted = {weights.identity for weights in many} - self._known.keys()
        with suppress(StoreError):
            self._known |= self._database.fingerprints(list(wanted))

    def known(self, weights: Weights) -> str | None:
        """Return the fingerprint if it was taken or recalled before."""
        return self._known.get(weights.identity)

    def take(self, weights: Weights, cancel: Cancel) -> str | None:
        """Read the files and return their fingerprint; None if they can't be read or change.

        Raises:
            Cancelled: `cancel` was set meanwhile.
        """

        def keep_going() -> None:
            if cancel.is_set():
                raise Cancelled

        try:
            taken = [file_sha256(Path(file.path), keep_going) for file in weights.files]
        except OSError:
            return None
        if weights_in(weights.folder) != weights:
            return None
        sha256 = combined_sha256(list(zip(weights.names, taken, strict=True)))
        self.remember(weights, sha256)
        return sha256

    def remember(self, weights: Weights, sha256: str) -> None:
        """Know from now on that these weights have this fingerprint."""
        if self._known.get(weights.identity) == sha256:
            return
        self._known[weights.identity] = sha256
        try:
            self._database.remember_fingerprint(weights.identity, sha256)
        except StoreError as problem:
            log.info("the fingerprint of %s is not kept: %s", weights.folder, problem)
