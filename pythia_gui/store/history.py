"""The file of past runs: SQLite in WAL mode, one row a run, the oldest go.

It is a file of its own beside the results, so that neither can take the other along. It is
used from one thread.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pythia_gui.core.history import HistoryError, Run
from pythia_gui.core.requests import Sampling

APPLICATION_ID = 0x50597468  # "PYth"
VERSION = 1
BUSY_TIMEOUT_S = 0.2
MOST_RUNS = 10_000  # those with a star not counted
MOST_BYTES = 64 << 20
MOST_SEARCHED = 20_000  # characters of a prompt
CHECKED_BYTES = 8 << 20  # a full check of more than this would delay the start
GO_AT_ONCE = 100  # runs, where the file has grown too large

_TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, asked TEXT NOT NULL, starred INTEGER NOT NULL,
    question TEXT NOT NULL, place TEXT NOT NULL, searched TEXT NOT NULL
);
CREATE INDEX by_time ON runs (asked, id);
CREATE INDEX by_star ON runs (starred, asked, id)
"""
_NEWEST = "ORDER BY asked DESC, id DESC"
_COLUMNS = "id, asked, starred, question, place"
_PLACE = ("pins", "pair", "view")  # where the person looked, which makes no other question
_REASONS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "its file can't be written",
    "SQLITE_BUSY": "another program holds its file",
    "SQLITE_LOCKED": "another program holds its file",
    "SQLITE_CANTOPEN": "its file can't be opened",
    "SQLITE_IOERR": "the disk reports an error",
    "SQLITE_CORRUPT": "its file is damaged",
    "SQLITE_NOTADB": "its file is damaged",
}

log = logging.getLogger(__name__)


class RunHistory:
    """Keeps runs in a file; see `pythia_gui.core.history.History`."""

    def __init__(self, file: Path, *, most_runs: int = MOST_RUNS) -> None:
        """Open `file`, or make it; a damaged one is moved aside, and `notice` says so.

        Raises:
            HistoryError: it can't be had, is another program's or a newer version's.
        """
        self.file = file
        self.notice = ""
        self._most = most_runs
        with _failing_plainly():
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._db = _opened(file)
            except sqlite3.DatabaseError as problem:
                if not _is_damage(problem):
                    raise
                self.notice = _move_aside(file)
                self._db = _opened(file)

    def runs(self, search: str = "", *, most: int = 1_000, starred: bool = False) -> Sequence[Run]:
        """Return runs, newest first: those with all words of `search`, whatever their case."""
        words = _searchable(search).split()
        wanted = ["starred = 1"] * starred + ["instr(searched, ?) > 0"] * len(words)
        where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
        query = f"SELECT {_COLUMNS} FROM runs {where} {_NEWEST} LIMIT ?"  # noqa: S608 - our words
        with _failing_plainly():
            rows = self._db.execute(query, [*words, most]).fetchall()
        return tuple(run for row in rows if (run := _run_of(row)) is not None)

    def count(self) -> int:
        """Return how many runs are kept."""
        with _failing_plainly():
            (number,) = self._db.execute("SELECT count(*) FROM runs").fetchone()
        return int(number)

    def note(self, run: Run) -> Run:
        """Keep a run that begins now, and return it; the oldest may go."""
        asked = datetime.now(UTC).isoformat(timespec="milliseconds")
        question, place = _documents(run)
        with _failing_plainly(), self._writing() as db:
            newest = db.execute(f"SELECT {_COLUMNS} FROM runs {_NEWEST} LIMIT 1").fetchone()  # noqa: S608
            if newest is not None and newest[3] == question:
                number, starred = int(newest[0]), bool(newest[2])
                values = (max(asked, newest[1]), place, _searched(run), number)
                db.execute("UPDATE runs SET asked=?, place=?, searched=? WHERE id=?", values)
            else:
                number, starred = self._insert(replace(run, id=0, starred=False, when=asked)), False
                self._let_the_oldest_go(number)
        return replace(run, id=number, when=asked, starred=starred)

    def star(self, run_id: int, *, on: bool) -> None:
        """Mark a run, so that it never goes by itself, or take the mark away."""
        with _failing_plainly(), self._writing() as db:
            db.execute("UPDATE runs SET starred = ? WHERE id = ?", (int(on), run_id))

    def delete(self, run_ids: Iterable[int]) -> Sequence[Run]:
        """Forget some runs, and return them."""
        gone = []
        query = f"SELECT {_COLUMNS} FROM runs WHERE id = ?"  # noqa: S608
        with _failing_plainly(), self._writing() as db:
            for number in run_ids:
                row = db.execute(query, (number,)).fetchone()
                db.execute("DELETE FROM runs WHERE id = ?", (number,))
                gone += [row] if row is not None else []
        return tuple(run for row in gone if (run := _run_of(row)) is not None)

    def put_back(self, runs: Iterable[Run]) -> None:
        """Keep deleted runs again, as they were."""
        with _failing_plainly(), self._writing():
            for run in runs:
                self._insert(run)

    def close(self) -> None:
        """Close the file; it may be called twice."""
        with suppress(sqlite3.Error):
            self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside one transaction: all of it is kept, or none."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has rolled it back already
                self._db.execute("ROLLBACK")
            raise

    def _insert(self, run: Run) -> int:
        values = (run.id or None, run.when, int(run.starred), *_documents(run), _searched(run))
        done = self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)", values)
        return int(done.lastrowid or 0)

    def _let_the_oldest_go(self, spared: int) -> None:
        plain = f"SELECT id FROM runs WHERE starred = 0 AND id <> {spared:d} ORDER BY asked"  # noqa: S608
        newest = f"{plain} DESC, id DESC LIMIT -1 OFFSET ? - 1"
        self._db.execute(f"DELETE FROM runs WHERE id IN ({newest})", (self._most,))  # noqa: S608
        if self._size_bytes() > MOST_BYTES:
            oldest = f"{plain}, id LIMIT ?"
            self._db.execute(f"DELETE FROM runs WHERE id IN ({oldest})", (GO_AT_ONCE,))  # noqa: S608

    def _size_bytes(self) -> int:
        pages, free, size = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size


# ------------------------------------------------------------------------------ rows


def _documents(run: Run) -> tuple[str, str]:
    """Return a run's question and place as JSON, equal text for equal values."""
    place = {name: getattr(run, name) for name in _PLACE}
    question = asdict(run.question())
    for name in (*_PLACE, "when", "starred", "id"):
        del question[name]
    return json.dumps(question, sort_keys=True), json.dumps(place, sort_keys=True)


def _run_of(row: Sequence[Any]) -> Run | None:
    """Return the run of a row, None where it is not one of ours."""
    number, asked, starred, question, place = row
    try:
        values = {**json.loads(question), **json.loads(place)}
        values["sampling"] = Sampling(**_with_tuples(values["sampling"]))
        kept = Run(**_with_tuples(values), when=asked, starred=bool(starred), id=number)
        datetime.fromisoformat(kept.when)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        log.warning("run %s can't be read: %s", number, problem)
        return None
    return kept


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuple_of(value) for name, value in values.items()}


def _tuple_of(value: Any) -> Any:  # noqa: ANN401 - whatever JSON held
    return tuple(map(_tuple_of, value)) if isinstance(value, list) else value


def _searched(run: Run) -> str:
    parts = (run.text[:MOST_SEARCHED], run.model_name, *(text for text, _ in run.endings), run.view)
    return _searchable("\n".join(parts))


def _searchable(text: str) -> str:
    """Return text in a form in which words are found whatever their case."""
    return text.replace("\0", " ").casefold().encode("utf-8", "replace").decode()


# ------------------------------------------------------------------------------ the file


def _opened(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        _prepare(db, file)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, file: Path) -> None:
    """Refuse another's file, else bring it to this version and see that it is whole."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or tables):
        raise HistoryError(f"Runs are not kept: {file} is another program's database.")
    if version > VERSION:
        raise HistoryError(
            f"Runs are not kept: {file} was written by a newer pythia-gui; update this one."
        )
    db.execute("PRAGMA synchronous=NORMAL")
    if version < VERSION:
        _make_tables(db)
    if file.stat().st_size <= CHECKED_BYTES:
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"{_DAMAGED}: {verdict}")


def _make_tables(db: sqlite3.Connection) -> None:
    """Make the tables; of two programs that start at once, one does it."""
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        for statement in _TABLES.split(";") if version < VERSION else ():
            db.execute(statement)
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


_DAMAGED = "damaged"


def _is_damage(problem: Exception) -> bool:
    name = getattr(problem, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or _DAMAGED in str(problem)


def _move_aside(file: Path) -> str:
    """Move a damaged file away and return the sentence that says so."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (file.with_name(f"{file.name}.damaged-{stamp}{n or ''}") for n in range(1_000))
    aside = next(name for name in names if not name.exists())
    file.rename(aside)
    for ending in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{file}{ending}").rename(f"{aside}{ending}")
    log.warning("damaged file of past runs moved to %s", aside)
    return f"The file of past runs was damaged: it was moved to {aside.name}, a new one begins."


@contextmanager
def _failing_plainly() -> Iterator[None]:
    """Turn what SQLite and the disk complain of into one sentence."""
    try:
        yield
    except (sqlite3.Error, OSError) as problem:
        name = "_".join((getattr(problem, "sqlite_errorname", "") or "").split("_")[:2])
        reason = _REASONS.get(name) or getattr(problem, "strerror", "") or str(problem)
        raise HistoryError(f"Runs are not kept in the history: {reason}.") from problem
