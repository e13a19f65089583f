"""The file of results: SQLite in WAL mode, one connection a thread, migrations from version 1.

    StoreError            what was asked of the file failed; the text is one reason
        StoreRefused      the file is another program's, or a newer version's

A damaged file is moved aside and a new one begun; where no file can be had at all (read-only
place, full disk) results are kept in memory. Either way `Database.notice` says so.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pythia_gui.core.fingerprint import FileIdentity

APPLICATION_ID = 0x50597448  # "PYtH"
BUSY_TIMEOUT_S = 1.0
CHECKED_BYTES = 16 << 20  # a full check of more than this would delay the start
KEYS_A_QUERY = 500

_VERSION_1 = """
CREATE TABLE results (
    key TEXT PRIMARY KEY, part TEXT NOT NULL, payload BLOB NOT NULL, created REAL NOT NULL
);
CREATE TABLE token_texts (
    tokenizer_sha256 TEXT, id INTEGER, text BLOB NOT NULL, PRIMARY KEY (tokenizer_sha256, id)
) WITHOUT ROWID;
CREATE TABLE fingerprints (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
"""
MIGRATIONS = (_VERSION_1,)  # the n-th brings a file from version n to n + 1; none is ever changed

_REASONS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the file can't be written",
    "SQLITE_BUSY": "another program holds the file",
    "SQLITE_LOCKED": "another program holds the file",
    "SQLITE_CANTOPEN": "the file can't be opened",
    "SQLITE_IOERR": "the disk reports an error",
    "SQLITE_CORRUPT": "the file is damaged",
    "SQLITE_NOTADB": "the file is damaged",
}

log = logging.getLogger(__name__)


class StoreError(Exception):
    """What was asked of the file of results failed; the text is the reason in a few words."""


class StoreRefused(StoreError):
    """The file is not ours to use; the text is one sentence with the way out."""


class _Damaged(Exception):
    """The file can't be used as it is, and nobody else's work is in it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One stored part of a result."""

    key: str
    part: str
    payload: bytes


def _reason(problem: Exception) -> str:
    name = getattr(problem, "sqlite_errorname", "") or ""
    plain = "_".join(name.split("_")[:2])  # SQLITE_IOERR_WRITE is an SQLITE_IOERR
    return _REASONS.get(plain) or getattr(problem, "strerror", "") or str(problem)


def _storable(path: str) -> str:
    """Return a path that SQLite takes: bytes that are no UTF-8 are spelled out."""
    return path.encode("utf-8", "backslashreplace").decode()


def _is_damage(problem: BaseException) -> bool:
    name = getattr(problem, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


class Database:
    """Results, token texts, fingerprints of files and a few remembered values.

    Every method may be called from any thread and raises `StoreError` when the file fails.
    """

    def __init__(self, file: Path) -> None:
        """Open `file`, or make it.

        Raises:
            StoreRefused: it belongs to another program, or to a newer version of this one.
        """
        self.file: Path | None = file
        self.notice = ""
        self._target = str(file)
        self._lock = threading.Lock()
        self._connections: dict[int, sqlite3.Connection] = {}
        self._closed = False
        try:
            self._open(file)
        except (sqlite3.Error, OSError) as problem:
            self._keep_in_memory(_reason(problem))

    # -- opening ------------------------------------------------------------------------------

    def _open(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._prepare()
        except _Damaged:
            self._move_aside(file)
            self._prepare()

    def _prepare(self) -> None:
        try:
            connection = self._connection()
            _refuse_strangers(connection, self._target)
            _migrate(connection)
            if self.file is not None:
                _check(connection, self.file, thorough=self._doubt.exists())
                self._doubt.unlink(missing_ok=True)
        except sqlite3.DatabaseError as problem:
            self._drop_connections()
            if _is_damage(problem):
                raise _Damaged from problem
            raise
        except (_Damaged, StoreRefused):
            self._drop_connections()
            raise

    @property
    def _doubt(self) -> Path:
        """A mark beside the file: damage was met, so the next start checks all of it."""
        return Path(f"{self._target}.check")

    def _move_aside(self, file: Path) -> None:
        aside = _free_name(file)
        file.rename(aside)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{file}{ending}").rename(f"{aside}{ending}")
        self._doubt.unlink(missing_ok=True)
        self.notice = (
            f"The file of stored results was damaged: it was moved to {aside.name}, "
            "and results are computed again."
        )
        log.warning("damaged file of results moved to %s", aside)

    def _keep_in_memory(self, reason: str) -> None:
        log.warning("results are kept in memory: %s: %s", self._target, reason)
        self._drop_connections()
        self.file = None
        self._target = f"file:pythia-gui-{id(self)}?mode=memory&cache=shared"
        self.notice = f"Results can't be kept on disk ({reason}): they last until the program ends."
        self._prepare()

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        thread = threading.get_ident()
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed")
            if thread not in self._connections:
                self._connections[thread] = _connect(self._target, in_memory=self.file is None)
            return self._connections[thread]

    def _drop_connections(self) -> None:
        with self._lock:
            for connection in self._connections.values():
                with suppress(sqlite3.Error):
                    connection.close()
            self._connections.clear()

    # -- use ----------------------------------------------------------------------------------

    @contextmanager
    def _failing_plainly(self) -> Iterator[sqlite3.Connection]:
        """Give this thread's connection and turn SQLite's errors into `StoreError`."""
        try:
            yield self._connection()
        except (sqlite3.Error, OSError) as problem:
            if _is_damage(problem) and self.file is not None:
                with suppress(OSError):
                    self._doubt.touch()
            raise StoreError(_reason(problem)) from problem

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside one transaction: all of it is kept, or none."""
        with self._failing_plainly() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled it back already
                    connection.execute("ROLLBACK")
                raise

    def present(self, keys: Iterable[str]) -> set[str]:
        """Return those of `keys` that have a result."""
        found = self._select("SELECT key FROM results WHERE key IN", list(keys))
        return {key for (key,) in found}

    def payloads(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the payloads of those of `keys` that have a result."""
        return dict(self._select("SELECT key, payload FROM results WHERE key IN", list(keys)))

    def save(
        self,
        rows: Iterable[Row],
        tokenizer_sha256: str = "",
        texts: Mapping[int, str] | None = None,
    ) -> None:
        """Keep results and the texts of the tokens they name, all or nothing."""
        now = time.time()
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)",
                [(row.key, row.part, row.payload, now) for row in rows],
            )
            connection.executemany(
                "INSERT OR IGNORE INTO token_texts VALUES (?, ?, ?)",
                [(tokenizer_sha256, int(i), _packed(text)) for i, text in (texts or {}).items()],
            )

    def forget(self, keys: Iterable[str]) -> None:
        """Drop results."""
        with self._writing() as connection:
            connection.executemany("DELETE FROM results WHERE key = ?", [(key,) for key in keys])

    def texts(self, tokenizer_sha256: str, ids: Iterable[int]) -> dict[int, str]:
        """Return the known texts of a tokenizer's tokens."""
        query = "SELECT id, text FROM token_texts WHERE tokenizer_sha256 = ? AND id IN"
        found = self._select(query, [int(i) for i in ids], tokenizer_sha256)
        return {number: _unpacked(text) for number, text in found}

    def fingerprints(self, identities: Sequence[FileIdentity]) -> dict[FileIdentity, str]:
        """Return the remembered SHA-256 of files that have not changed since."""
        query = "SELECT path, size, mtime_ns, inode, sha256 FROM fingerprints WHERE path IN"
        paths = {_storable(identity.path): identity.path for identity in identities}
        rows = self._select(query, list(paths))
        known = {FileIdentity(paths[row[0]], *row[1:4]): row[4] for row in rows}
        return {identity: known[identity] for identity in identities if identity in known}

    def remember_fingerprint(self, identity: FileIdentity, sha256: str) -> None:
        """Remember the SHA-256 of a file in this state."""
        values = (
            _storable(identity.path),
            identity.size,
            identity.mtime_ns,
            identity.inode,
            sha256,
        )
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO fingerprints VALUES (?, ?, ?, ?, ?)", values)

    def meta(self, name: str) -> str | None:
        """Return a remembered value."""
        found = self._select("SELECT value FROM meta WHERE name IN", [name])
        return str(found[0][0]) if found else None

    def set_meta(self, name: str, value: str) -> None:
        """Remember a value under a name."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _select(self, query: str, wanted: Sequence[Any], *first: str) -> list[tuple[Any, ...]]:
        """Return the rows of `query IN (wanted)`, asked in pieces that SQLite takes."""
        found: list[tuple[Any, ...]] = []
        with self._failing_plainly() as connection:
            for start in range(0, len(wanted), KEYS_A_QUERY):
                some = wanted[start : start + KEYS_A_QUERY]
                marks = ",".join("?" * len(some))
                found += connection.execute(f"{query} ({marks})", [*first, *some]).fetchall()
        return found

    # -- closing ------------------------------------------------------------------------------

    def close(self) -> None:
        """Close every thread's connection; it may be called twice."""
        with self._lock:
            self._closed = True
        self._drop_connections()

    def __enter__(self) -> Self:
        """Return the database itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def _connect(target: str, *, in_memory: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        target,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions are begun by hand
        check_same_thread=False,  # `close` closes those of other threads
        uri=in_memory,
    )
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _refuse_strangers(connection: sqlite3.Connection, file: str) -> None:
    application = _pragma(connection, "application_id")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or tables):
        raise StoreRefused(f"{file} is another program's database; choose another place.")
    if _pragma(connection, "user_version") > len(MIGRATIONS):
        raise StoreRefused(
            f"{file} was written by a newer pythia-gui; update this one, or choose another place."
        )


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to this version; of two programs that start at once, one does it."""
    connection.execute("PRAGMA journal_mode=WAL")
    if _pragma(connection, "user_version") == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in MIGRATIONS[_pragma(connection, "user_version") :]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check(connection: sqlite3.Connection, file: Path, *, thorough: bool) -> None:
    """Raise `_Damaged` if the file is; a big one is only looked at where that costs nothing."""
    for table in ("results", "token_texts", "fingerprints", "meta"):
        connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608 - our names
    if thorough or file.stat().st_size <= CHECKED_BYTES:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            log.warning("%s: %s", file, verdict)
            raise _Damaged


def _free_name(file: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (file.with_name(f"{file.name}.damaged-{stamp}{n or ''}") for n in range(1000))
    return next(name for name in names if not name.exists())


def _packed(text: str) -> bytes:
    """Return the text as bytes, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def _unpacked(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
