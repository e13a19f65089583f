"""Scratch space on disk for distributions that are wanted again later: bounded, without a name."""

import errno
import os
import tempfile
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.fingerprint import CheckpointError

SCRATCH_BYTES = 2 << 30
FLOAT_BYTES = 4


def refuse_too_much(rows: int, width: int, advice: str) -> None:
    """Refuse a table of `rows` by `width` float32 that is larger than scratch space may be.

    Raises:
        CheckpointError: it is; `advice` says what to reduce.
    """
    needed = rows * width * FLOAT_BYTES
    if needed > SCRATCH_BYTES:
        raise CheckpointError(
            f"this comparison would need {needed / 2**30:,.1f} GiB of scratch space, more than "
            f"the {SCRATCH_BYTES / 2**30:,.0f} GiB that it may take; {advice}"
        )


class Scratch:
    """A table of float32 rows in a temporary file.

    The file has no name from the start (or loses it at once), so it is gone when this process
    is, however that ends. Rows that were never written read as zeros.
    """

    def __init__(self, width: int) -> None:
        """Make an empty table of rows that are `width` wide.

        Raises:
            CheckpointError: there is no place for temporary files.
        """
        self._row_bytes = width * FLOAT_BYTES
        self._width = width
        try:
            self._file = tempfile.TemporaryFile(prefix="pythia-gui-", buffering=0)  # noqa: SIM115
        except OSError as problem:
            raise _refused(problem) from problem

    def write(self, at: int, rows: NDArray[np.float32]) -> None:
        """Write `rows`, shape (row, width), from row number `at` on.

        Raises:
            CheckpointError: the disk is full or fails.
        """
        rest = memoryview(np.ascontiguousarray(rows, np.float32).tobytes())
        place = at * self._row_bytes
        try:
            while rest:
                count = os.pwrite(self._file.fileno(), rest, place)
                rest, place = rest[count:], place + count
        except OSError as problem:
            raise _refused(problem) from problem

    def read(self, at: int, count: int) -> NDArray[np.float32]:
        """Return `count` rows from row number `at` on, shape (count, width).

        Raises:
            CheckpointError: the disk fails.
        """
        rows = np.zeros((count, self._width), np.float32)
        rest, place = memoryview(rows.data).cast("B"), at * self._row_bytes
        try:
            while rest:
                got = os.preadv(self._file.fileno(), [rest], place)
                if got == 0:
                    break
                rest, place = rest[got:], place + got
        except OSError as problem:
            raise _refused(problem) from problem
        return rows

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the table itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the disk space back."""
        self.close()


def _refused(problem: OSError) -> CheckpointError:
    where = tempfile.gettempdir() if tempfile.tempdir else "the folder for temporary files"
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return CheckpointError(
            f"the disk is full: comparing needs scratch space in {where}; free some, or compare "
            "fewer prompts"
        )
    reason = problem.strerror or str(problem)
    return CheckpointError(f"scratch space in {where} can't be used: {reason}")
