"""Sets of prompts: what a file of them says, line by line, and the sets that ship.

Three forms are read, all of them UTF-8 text: `.txt` has one prompt a line; `.csv` has a line
with the names of its columns first; `.jsonl` has one JSON object a line. The columns, or keys,
are those of `COLUMNS` in any order, and only `prompt` is required. Spaces are kept as they
stand: a target that is a word of its own begins with one.

    PromptSetError(ValueError)   a file that gives no set, or in which something is wrong
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from pythia_gui.core.resources import resource_path

Form = Literal["txt", "csv", "jsonl"]

COLUMNS: Final = ("prompt", "target", "foil", "group", "source")
FORMS: Final[tuple[Form, ...]] = ("txt", "csv", "jsonl")
MOST_ENTRIES: Final = 100_000
MOST_BYTES: Final = 50_000_000
MOST_CHARACTERS: Final = 40_000
"""Of one field; a context of 2,048 tokens is filled by far less."""
MOST_PROBLEMS: Final = 200

_DELIMITERS: Final = (",", ";", "\t")
_RAW_BYTE: Final = re.compile("[\udc80-\udcff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_KINDS: Final = {bool: "true or false", int: "a number", float: "a number", list: "a list"}


class PromptSetError(ValueError):
    """A set can't be read; the text names the file, the line where there is one, the reason."""


@dataclass(frozen=True, slots=True)
class PromptEntry:
    """A prompt, and what is asked of it; `line` is where it stands in its file, from 1.

    An empty `target` or `foil` is none. `group` and `source` are a person's own words.
    """

    prompt: str
    target: str = ""
    foil: str = ""
    group: str = ""
    source: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class PromptSet:
    """Prompts under a name, in the order of their file, no question twice."""

    name: str
    entries: tuple[PromptEntry, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line gives no prompt; `line` counts from 1 and is 0 where it is the whole file."""

    line: int
    reason: str

    def __str__(self) -> str:
        """Return the line and the reason."""
        return f"line {self.line:,}: {self.reason}" if self.line else self.reason


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text of prompts says: the good rows, the first bad ones, and a remark.

    `unlisted` counts the bad rows beyond the first `MOST_PROBLEMS`. The `remark` names columns
    that are not read; it may be empty.
    """

    entries: tuple[PromptEntry, ...] = ()
    problems: tuple[Problem, ...] = ()
    unlisted: int = 0
    remark: str = ""


# ---------------------------------------------------------------------------------- files


def read_prompt_set(path: Path) -> PromptSet:
    """Return the prompts of a .txt, .csv or .jsonl file.

    Raises:
        PromptSetError: it can't be read, holds no prompt, or one of its lines is wrong.
    """
    parsed = parse_file(path)
    if parsed.problems:
        first, more = parsed.problems[0], len(parsed.problems) - 1 + parsed.unlisted
        others = f" (and {more:,} more)" if more else ""
        raise PromptSetError(f"{path.name}: {first}{others}")
    if not parsed.entries:
        raise PromptSetError(f"{path.name} holds no prompt")
    return PromptSet(path.stem, parsed.entries)


def parse_file(path: Path) -> Parsed:
    """Return what a .txt, .csv or .jsonl file says, good lines and bad.

    Raises:
        PromptSetError: it can't be read at all, is too large, or has another suffix.
    """
    suffix = path.suffix.lower().lstrip(".")
    form = next((form for form in FORMS if form == suffix), None)
    if form is None:
        raise PromptSetError(f"{path.name} is neither .txt, .csv nor .jsonl")
    if path.exists() and not path.is_file():
        raise PromptSetError(f"{path.name} is no file")
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as problem:
        raise PromptSetError(f"{path.name} can't be read: {problem.strerror}") from problem
    if len(data) > MOST_BYTES:
        raise PromptSetError(f"{path.name} has more than {MOST_BYTES // 1_000_000} MB; split it")
    return parse(data, form)


def parse(data: bytes | str, form: Form) -> Parsed:
    """Return what a text of prompts says; nothing that is wrong in it is an error here."""
    if isinstance(data, bytes):
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return Parsed(problems=(Problem(0, "this is UTF-16; save the file as UTF-8"),))
        data = data.decode("utf-8", "surrogateescape")
    text = data.removeprefix("\ufeff")
    taken = _Taken()
    {"txt": _take_txt, "csv": _take_csv, "jsonl": _take_jsonl}[form](text, taken)
    return taken.parsed()


def form_of(text: str) -> Form:
    """Return which form a text without a file's name most likely has."""
    first = next((line for line in _lines(text[:MOST_CHARACTERS]) if line.strip()), "")
    if first.lstrip().startswith("{"):
        return "jsonl"
    names = _header(first)[0] if first else []
    return "csv" if "prompt" in names and len(names) > 1 else "txt"


# ---------------------------------------------------------------------------------- rows


class _Full(Exception):
    """There are more prompts than a set can have."""


class _Taken:
    """What was read so far."""

    def __init__(self) -> None:
        self.remark = ""
        self._entries: list[PromptEntry] = []
        self._problems: list[Problem] = []
        self._unlisted = 0
        self._lines: dict[tuple[str, str, str], int] = {}

    def parsed(self) -> Parsed:
        """Return all of it."""
        return Parsed(tuple(self._entries), tuple(self._problems), self._unlisted, self.remark)

    def refuse(self, line: int, reason: str) -> None:
        """Note that a line is wrong."""
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(Problem(line, reason))
        else:
            self._unlisted += 1

    def take(self, line: int, row: Mapping[str, str]) -> None:
        """Take a row, or note what is wrong with it.

        Raises:
            _Full: it would be one too many.
        """
        if reason := _fault(row):
            self.refuse(line, reason)
            return
        entry = PromptEntry(**{name: row.get(name, "") for name in COLUMNS}, line=line)
        question = (entry.prompt, entry.target, entry.foil)
        if (earlier := self._lines.get(question)) is not None:
            self.refuse(line, f"asks the same as line {earlier:,}")
            return
        if len(self._entries) == MOST_ENTRIES:
            self.refuse(line, f"more than {MOST_ENTRIES:,} prompts; what follows is left out")
            raise _Full
        self._lines[question] = line
        self._entries.append(entry)


def _fault(row: Mapping[str, str]) -> str:
    """Return what is wrong with a row of texts, empty where nothing is."""
    for name, text in row.items():
        if fault := _text_fault(text):
            return f"the {name} {fault}"
    if not row.get("prompt", "").strip():
        return "there is no prompt"
    target, foil = row.get("target", ""), row.get("foil", "")
    if foil and not target:
        return "there is a foil and no target"
    return "target and foil are the same" if foil and foil == target else ""


def _text_fault(text: str) -> str:
    if _RAW_BYTE.search(text):
        return "is not UTF-8"
    if _SURROGATE.search(text):
        return "holds half a character (a lone surrogate)"
    if "\0" in text:
        return "holds a NUL character"
    return f"has more than {MOST_CHARACTERS:,} characters" if len(text) > MOST_CHARACTERS else ""


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, without the line breaks of any system."""
    return (line.removesuffix("\n") for line in io.StringIO(text, newline=None))


def _take_txt(text: str, taken: _Taken) -> None:
    try:
        for number, line in enumerate(_lines(text), 1):
            if line.strip():
                taken.take(number, {"prompt": line})
    except _Full:
        return


# ---------------------------------------------------------------------------------- csv


def _take_csv(text: str, taken: _Taken) -> None:
    source = io.StringIO(text, newline="")
    line, first = next(((n, row) for n, row in enumerate(source, 1) if row.strip()), (0, ""))
    names, delimiter = _header(first)
    if not line or not _usable(names, line, taken):
        return
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    try:
        for number, cells in _records(reader, line, taken):
            _take_record(number, names, cells, taken)
    except _Full:
        return


def _header(line: str) -> tuple[list[str], str]:
    """Return the names of the columns and what stands between them."""
    found: list[tuple[list[str], str]] = []
    for delimiter in _DELIMITERS:
        try:
            cells = next(csv.reader([line.strip()], delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        found.append(([cell.strip().casefold() for cell in cells], delimiter))
    named = (one for one in found if "prompt" in one[0])
    return next(named, found[0] if found else ([], ","))


def _usable(names: Sequence[str], line: int, taken: _Taken) -> bool:
    if "prompt" not in names:
        expected = ", ".join(COLUMNS)
        taken.refuse(line, f'no column is called "prompt"; the first line names them: {expected}')
        return False
    twice = sorted({name for name in names if name in COLUMNS and names.count(name) > 1})
    if twice:
        taken.refuse(line, f"two columns are called {twice[0]}")
        return False
    taken.remark = _not_read(names)
    return True


def _not_read(names: Iterable[str]) -> str:
    unknown = [name for name in dict.fromkeys(names) if name and name not in COLUMNS]
    if not unknown:
        return ""
    named = ", ".join(name[:40] for name in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    return f"Not read: {named}."


def _records(
    reader: "Iterator[list[str]]", before: int, taken: _Taken
) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line that it begins in; `before` lines were read already."""
    while True:
        first = before + reader.line_num + 1  # type: ignore[attr-defined]  # of csv's reader
        try:
            yield first, next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            taken.refuse(first, f"this is no CSV ({problem})")


def _take_record(number: int, names: Sequence[str], cells: list[str], taken: _Taken) -> None:
    if not any(cell.strip() for cell in cells):
        return
    if len(cells) > len(names):
        reason = f"{len(cells)} cells under {len(names)} columns; quote a cell that has a comma"
        taken.refuse(number, reason)
        return
    pairs = zip(names, cells, strict=False)
    taken.take(number, {name: cell for name, cell in pairs if name in COLUMNS})


# ---------------------------------------------------------------------------------- jsonl


def _take_jsonl(text: str, taken: _Taken) -> None:
    unknown: dict[str, None] = {}
    try:
        for number, line in enumerate(_lines(text), 1):
            if line.strip():
                _take_object(number, line, taken, unknown)
    except _Full:
        pass
    taken.remark = _not_read(unknown)


def _take_object(number: int, line: str, taken: _Taken, unknown: dict[str, None]) -> None:
    if _RAW_BYTE.search(line):
        taken.refuse(number, "the line is not UTF-8")
        return
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as problem:
        reason = getattr(problem, "msg", "too much of it")
        taken.refuse(number, f"this is no JSON object ({reason})")
        return
    if not isinstance(said, dict):
        taken.refuse(number, "this is no JSON object in braces")
        return
    unknown.update(dict.fromkeys(islice((key for key in said if key not in COLUMNS), 20)))
    row = {name: said[name] for name in COLUMNS if said.get(name) is not None}
    wrong = next((name for name, value in row.items() if not isinstance(value, str)), None)
    if wrong is not None:
        kind = _KINDS.get(type(row[wrong]), "an object")
        taken.refuse(number, f"the {wrong} is {kind}, not a text")
        return
    taken.take(number, row)


# ---------------------------------------------------------------------------------- shipped


@dataclass(frozen=True, slots=True)
class Bundle:
    """A set that ships: its name, the suite that it is for, and its files' names."""

    name: str
    suite: str
    files: tuple[str, ...]


_FOR_PYTHIA: Final = (
    ("Capitals and facts", "pythia-facts"),
    ("Agreement and pronouns", "pythia-agreement"),
    ("Copying and induction", "pythia-copying"),
    ("Small arithmetic", "pythia-arithmetic"),
    ("Brackets and quotes", "pythia-brackets"),
)
BUNDLES: Final = (
    Bundle("What the demo suite learns", "Demo suite", ("demo",)),
    *(Bundle(name, "Pythia", (file,)) for name, file in _FOR_PYTHIA),
    Bundle("All of the five", "Pythia", tuple(file for _, file in _FOR_PYTHIA)),
)


def bundled_set(bundle: Bundle) -> PromptSet:
    """Return a set that ships with the program.

    Raises:
        PromptSetError: its file is gone or was changed into something else.
    """
    try:
        files = [resource_path("prompts", f"{name}.jsonl") for name in bundle.files]
    except FileNotFoundError as problem:
        raise PromptSetError(str(problem)) from problem
    sets = [read_prompt_set(file) for file in files]
    return PromptSet(bundle.name, tuple(entry for one in sets for entry in one.entries))
