"""Between the window and the history: notes runs, finds them again, and says what fails."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from pythia_gui.core.history import History, HistoryError, Run

NOT_KEPT = "Runs are not kept in this session."
NOTHING_YET = "Nothing has been asked yet. Press Run, and the question is kept here."
NOTHING_FOUND = "No run has all of these words."
NO_STAR = "No run has a star. Click the star of a run, or press Space on it."
MOST = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found; `remark` is a sentence about what the list lacks, or empty."""

    runs: tuple[Run, ...] = ()
    remark: str = ""


class HistoryKeeper(QObject):
    """Owns the history for the window; without one, or where it fails, all else goes on."""

    found = Signal(object)  # Found
    deleted = Signal(int)  # how many runs can be had back; 0 for none
    failed = Signal(str)  # one sentence, said once

    def __init__(self, history: History | None = None, why_not: str = "") -> None:
        super().__init__()
        self._history = history
        self._why_not = why_not or NOT_KEPT
        self._search, self._starred = "", False
        self._watched = False
        self._gone: Sequence[Run] = ()
        self._said: set[str] = set()

    def watch(self, watched: bool) -> None:  # noqa: FBT001 - a slot
        """Say what there is while somebody looks."""
        self._watched = watched
        self._tell()

    def note(self, run: Run) -> None:
        """Keep a run that begins."""
        if self._history is not None:
            try:
                self._history.note(run)
            except HistoryError as problem:
                self._fail(problem)
            self._tell()

    def search(self, words: str, starred: bool) -> None:  # noqa: FBT001 - a slot
        """Look for runs with these words, and only for those with a star if so wished."""
        self._search, self._starred = words, starred
        self._tell()

    def star(self, run_id: int, on: bool) -> None:  # noqa: FBT001 - a slot
        """Mark a run, or take the mark away."""
        if self._history is not None:
            try:
                self._history.star(run_id, on=on)
            except HistoryError as problem:
                self._fail(problem)
            self._tell()

    def delete(self, run_ids: Sequence[int]) -> None:
        """Forget runs; they can be had back until others are deleted."""
        if self._history is not None and run_ids:
            try:
                self._gone = self._history.delete(run_ids)
            except HistoryError as problem:
                self._fail(problem)
            self.deleted.emit(len(self._gone))
            self._tell()

    def undo(self) -> None:
        """Have back what was deleted last."""
        if self._history is not None and self._gone:
            try:
                self._history.put_back(self._gone)
            except HistoryError as problem:
                self._fail(problem)
                return
            self._gone = ()
            self.deleted.emit(0)
            self._tell()

    def _tell(self) -> None:
        if self._watched:
            self.found.emit(self._look())

    def _look(self) -> Found:
        if self._history is None:
            return Found(remark=self._why_not)
        try:
            runs = tuple(self._history.runs(self._search, most=MOST, starred=self._starred))
        except HistoryError as problem:
            return Found(remark=str(problem))
        if len(runs) == MOST:
            return Found(runs, f"These are the newest {MOST:,}; a search finds older ones.")
        return Found(runs, "" if runs else self._why_empty())

    def _why_empty(self) -> str:
        if self._search.strip():
            return NOTHING_FOUND
        return NO_STAR if self._starred else NOTHING_YET

    def _fail(self, problem: HistoryError) -> None:
        if str(problem) not in self._said:
            self._said.add(str(problem))
            self.failed.emit(str(problem))
