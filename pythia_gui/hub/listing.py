"""Which steps a repository on the Hub has, and which files with which hashes each of them holds.

Nothing of a checkpoint is downloaded. What a commit holds never changes, so it is asked for once
and kept for ever; which commits the branches name is asked for each time, and remembered for when
the network is away.
"""

import dataclasses
import datetime as dt
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from huggingface_hub import HfApi
from pydantic import Field, TypeAdapter

from pythia_gui.core.engine import Cancel
from pythia_gui.core.fingerprint import read_limited
from pythia_gui.core.steps import shown
from pythia_gui.hub.client import (
    NEVER,
    Cancelled,
    HubClient,
    HubError,
    Notify,
    OddAnswer,
    check_repo,
    ignore,
)
from pythia_gui.hub.folders import step_of_name

log = logging.getLogger(__name__)

SCHEMA = 1
CACHE_LIMIT_BYTES = 64 << 20
REFS_AT_MOST = 20_000
FILES_AT_MOST = 20_000
NAME_LIMIT = 1_024
STARS_AT_MOST = 2  # each more multiplies the time that a hostile name can take
_COMMIT = re.compile(r"[0-9a-f]{40}")

Name = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)]
GitHash = Annotated[str, Field(pattern=r"\A[0-9a-f]{40}\z")]
Sha256 = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
StepReader = Callable[[str], int | None]
Counted = Callable[[int, int], None]


def tell_nobody(_done: int, _of: int) -> None:
    """Count for nobody."""


class BadPattern(HubError):
    """A pattern of branch names that can't be read."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A branch or tag and the commit it named when it was listed; `step` is None if unread."""

    name: Name
    kind: Literal["branch", "tag"]
    commit: GitHash
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Revisions:
    """The branches and tags of a repository.

    Attributes:
        steps: one revision a step, ascending; where several names state one step, a branch before
            a tag, then in the order of their names.
        also: the further names of those steps.
        others: what states no step, `main` left out.
        asked_at: when the Hub said so, in UTC, to the second (ISO 8601).
    """

    repo: str
    host: str
    asked_at: str
    steps: tuple[Revision, ...]
    main: Revision | None
    also: tuple[Revision, ...]
    others: tuple[Revision, ...]

    def holes(self, expected: Iterable[int]) -> tuple[int, ...]:
        """Return the steps of `expected` that no revision states, ascending."""
        return tuple(sorted(set(expected) - {revision.step for revision in self.steps}))

    @property
    def commits(self) -> tuple[str, ...]:
        """The commits of all steps and of main, each once."""
        everything = (*self.steps, *((self.main,) if self.main else ()))
        return tuple(dict.fromkeys(revision.commit for revision in everything))


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a commit; `sha256` is None for one that is kept in git itself, not in LFS."""

    path: Name
    size_bytes: Annotated[int, Field(ge=0)]
    blob_id: GitHash
    sha256: Sha256 | None


@dataclass(frozen=True, slots=True)
class Tree:
    """What a commit holds, by ascending path."""

    commit: GitHash
    files: Annotated[tuple[HubFile, ...], Field(max_length=FILES_AT_MOST)]


@dataclass(frozen=True, slots=True)
class _Refs:
    """The answer about branches and tags, as it is remembered."""

    asked_at: str
    revisions: Annotated[tuple[Revision, ...], Field(max_length=REFS_AT_MOST)]


_REFS = TypeAdapter(_Refs)
_TREE = TypeAdapter(Tree)


def step_reader(pattern: str | None = None) -> StepReader:
    """Return what reads a step from the name of a branch or tag.

    Without a pattern these are read: `stepN`, `stepN-tokensMB`, `global_stepN`, `checkpoint-N`.
    A pattern such as `stage1-step{step}-*` has `{step}` where the number stands and `*` for
    anything.

    Raises:
        BadPattern: `{step}` doesn't stand in it exactly once, or there are too many `*`.
    """
    if pattern is None:
        return step_of_name
    before, number, after = pattern.partition("{step}")
    if not number or "{step}" in after or pattern.count("*") > STARS_AT_MOST:
        raise BadPattern(
            f"{shown(pattern)} is not a pattern of branches; write {{step}} once for the number, "
            f"and * for anything, at most {STARS_AT_MOST} times: stage1-step{{step}}-*"
        )
    named = re.compile(f"{_globbed(before)}([0-9]{{1,9}}){_globbed(after)}", re.DOTALL)

    def read(name: str) -> int | None:
        found = named.fullmatch(name)
        return int(found[1]) if found else None

    return read


def _globbed(text: str) -> str:
    return ".*".join(re.escape(part) for part in text.split("*"))


class HubListing:
    """Lists repositories through a `HubClient`, and remembers in a folder of its own."""

    def __init__(self, client: HubClient, folder: Path) -> None:
        """Remember in `folder`; where it can't be written, everything is asked for again."""
        self.client = client
        self._folder = folder

    def revisions(
        self,
        repo: str,
        pattern: str | None = None,
        cancel: Cancel = NEVER,
        notify: Notify = ignore,
    ) -> Revisions:
        """Return the branches and tags of `repo`, as they are now; offline, as they were.

        Raises:
            HubError: the Hub can't or won't say, or offline, it never said.
            Cancelled: soon after `cancel` is set.
        """
        read = step_reader(pattern)
        check_repo(repo)
        refs = self._remembered_refs(repo) if self.client.offline else None
        if refs is None:
            refs = self._asked_refs(repo, cancel, notify)
        return self._sorted(repo, refs, read)

    def remembered(self, repo: str, pattern: str | None = None) -> Revisions | None:
        """Return the branches and tags as they were last listed, without asking; None if never."""
        read = step_reader(pattern)
        check_repo(repo)
        refs = self._remembered_refs(repo)
        return None if refs is None else self._sorted(repo, refs, read)

    def tree(self, repo: str, commit: str, cancel: Cancel = NEVER, notify: Notify = ignore) -> Tree:
        """Return the files of a commit with their sizes and hashes.

        Raises:
            HubError: the Hub can't or won't say, or offline, it never said.
            Cancelled: soon after `cancel` is set.
        """
        check_repo(repo)
        _check_commit(commit)
        return self._remembered_tree(repo, commit) or self._asked_tree(repo, commit, cancel, notify)

    def trees(
        self,
        repo: str,
        commits: Iterable[str],
        cancel: Cancel = NEVER,
        notify: Notify = ignore,
        counted: Counted = tell_nobody,
    ) -> dict[str, Tree]:
        """Return the files of several commits, by commit, one request for each that is new.

        `counted` is told after each how many are done, of how many. What was listed stays
        remembered if it ends early. It raises as `tree` does.
        """
        wanted = tuple(dict.fromkeys(commits))
        trees = {}
        for done, commit in enumerate(wanted, start=1):
            if cancel.is_set():
                raise Cancelled
            trees[commit] = self.tree(repo, commit, cancel, notify)
            counted(done, len(wanted))
        return trees

    # -- asking ----------------------------------------------------------------------------

    def _asked_refs(self, repo: str, cancel: Cancel, notify: Notify) -> _Refs:
        def ask(api: HfApi) -> _Refs:
            refs = api.list_repo_refs(repo)
            named = [("branch", ref) for ref in refs.branches] + [("tag", ref) for ref in refs.tags]
            revisions = [{"name": r.name, "kind": k, "commit": r.target_commit} for k, r in named]
            return _refs({"asked_at": _now(), "revisions": revisions})

        refs = self.client.call(repo, ask, cancel, notify)
        self._remember(self._refs_file(repo), dataclasses.asdict(refs))
        return refs

    def _asked_tree(self, repo: str, commit: str, cancel: Cancel, notify: Notify) -> Tree:
        def ask(api: HfApi) -> Tree:
            # list_repo_tree says the same, but sleeps up to 23 s in its own retries.
            info = api.model_info(repo, revision=commit, files_metadata=True)
            files = [
                {"path": file.rfilename, "size_bytes": file.size, "blob_id": file.blob_id}
                | {"sha256": file.lfs.sha256 if file.lfs else None}
                for file in info.siblings or ()
            ]
            return _tree({"commit": info.sha, "files": files}, commit)

        tree = self.client.call(repo, ask, cancel, notify)
        self._remember(self._tree_file(repo, commit), dataclasses.asdict(tree))
        return tree

    def _sorted(self, repo: str, refs: _Refs, read: StepReader) -> Revisions:
        branches = (revision for revision in refs.revisions if revision.kind == "branch")
        main = next((branch for branch in branches if branch.name == "main"), None)
        rest = sorted(
            (dataclasses.replace(r, step=read(r.name)) for r in refs.revisions if r != main),
            key=_by_step,
        )
        stated = [revision for revision in rest if revision.step is not None]
        first = {revision.step: revision for revision in reversed(stated)}
        chosen = set(first.values())
        return Revisions(
            repo=repo,
            host=self.client.host,
            asked_at=refs.asked_at,
            steps=tuple(revision for revision in stated if revision in chosen),
            main=main,
            also=tuple(revision for revision in stated if revision not in chosen),
            others=tuple(revision for revision in rest if revision.step is None),
        )

    # -- remembering -----------------------------------------------------------------------

    def _home(self, repo: str) -> Path:
        # An endpoint's path tells mirrors on one host apart, and a name of it would have slashes.
        endpoint = hashlib.sha256(self.client.endpoint.encode()).hexdigest()[:8]
        host = self.client.host.replace(":", "-")
        return self._folder / f"{host}-{endpoint}" / repo.replace("/", "--")

    def _refs_file(self, repo: str) -> Path:
        return self._home(repo) / "refs.json"

    def _tree_file(self, repo: str, commit: str) -> Path:
        return self._home(repo) / "trees" / f"{commit}.json"

    def _remembered_refs(self, repo: str) -> _Refs | None:
        try:
            return _refs(_read(self._refs_file(repo)))
        except ValueError:
            return None

    def _remembered_tree(self, repo: str, commit: str) -> Tree | None:
        try:
            return _tree(_read(self._tree_file(repo, commit)), commit)
        except ValueError:
            return None

    def _remember(self, file: Path, content: Mapping[str, Any]) -> None:
        try:
            _write(file, content)
        except OSError as problem:
            log.info("what the Hub said is not kept in %s: %s", file, problem.strerror)


def _read(file: Path) -> object:
    """Return the content of a remembered answer.

    Raises:
        ValueError: it is missing, damaged, or of another version.
    """
    try:
        whole = json.loads(read_limited(file, CACHE_LIMIT_BYTES))
        content: object = whole["content"]
        sound = whole["schema"] == SCHEMA and whole["sha256"] == _digest(content)
    except (KeyError, TypeError, RecursionError) as problem:
        raise ValueError("damaged") from problem
    if not sound:
        raise ValueError("damaged")
    return content


def _write(file: Path, content: Mapping[str, Any]) -> None:
    """Write an answer in one move, so that no reader ever sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = {"schema": SCHEMA, "sha256": _digest(content), "content": content}
    being_written = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        being_written.write_text(json.dumps(whole), "ascii")
        being_written.replace(file)
    except OSError:
        with suppress(OSError):
            being_written.unlink()
        raise


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _by_step(revision: Revision) -> tuple[int, str, str]:
    return (-1 if revision.step is None else revision.step, revision.kind, revision.name)


def _path_of(file: HubFile) -> str:
    return file.path


def _check_commit(commit: str) -> None:
    if not _COMMIT.fullmatch(commit):
        raise OddAnswer(f"{shown(commit)} is not a commit")


def _refs(told: object) -> _Refs:
    """Return what the Hub or a remembered answer says of branches and tags.

    Raises:
        ValueError: it is not as the protocol has it.
    """
    return _REFS.validate_json(json.dumps(told), strict=True)


def _tree(told: object, commit: str) -> Tree:
    """Return what the Hub or a remembered answer says of the files of `commit`, by path.

    Raises:
        ValueError: it is not as the protocol has it, or tells of another commit.
    """
    tree = _TREE.validate_json(json.dumps(told), strict=True)
    parts = {part for file in tree.files for part in file.path.split("/")}
    if tree.commit != commit or parts & {"", ".", ".."}:
        raise ValueError("another commit's, or with paths that lead elsewhere")
    if len({file.path for file in tree.files}) != len(tree.files):
        raise ValueError("one path twice")
    return Tree(commit, tuple(sorted(tree.files, key=_path_of)))
