"""A tree of prompts: each grew out of another where somebody took a different token."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

MOST_ROOTS = 20
MOST_NAME, MOST_NOTE = 120, 2_000
_FORMAT = 1


class BranchError(ValueError):
    """A tree can't be changed or read so, told in one sentence."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A prompt in the tree: exactly `token_ids`, as the tokenizer of `tokenizer_sha256` has them.

    A root (`parent` None) is a prompt as typed: its `position` is -1 and `token_id` None.
    Another one is what stood in its parent's place up to `position` (counted from the start of
    the text), and there the token `token_id`, which reads `token_text`. `number` counts the
    branches in the order of their making, from 1, and is never used again.
    """

    number: int
    parent: int | None
    text: str
    token_ids: tuple[int, ...]
    tokenizer_sha256: str = ""
    position: int = -1
    token_id: int | None = None
    token_text: str = ""
    name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """Branches in the order of their making, so that a parent stands before its children."""

    branches: tuple[Branch, ...] = ()
    made: int = 0

    def get(self, number: int) -> Branch:
        """Return a branch.

        Raises:
            BranchError: there is none of this number.
        """
        found = next((one for one in self.branches if one.number == number), None)
        if found is None:
            raise BranchError(f"there is no branch {number} (any more)")
        return found

    def has(self, number: int | None) -> bool:
        """Tell whether there is a branch of this number."""
        return any(one.number == number for one in self.branches)

    def roots(self) -> tuple[Branch, ...]:
        """Return the prompts as typed, oldest first."""
        return tuple(one for one in self.branches if one.parent is None)

    def children(self, number: int) -> tuple[Branch, ...]:
        """Return what grew out of a branch, oldest first."""
        return tuple(one for one in self.branches if one.parent == number)

    def find(self, token_ids: tuple[int, ...], tokenizer_sha256: str) -> Branch | None:
        """Return the oldest branch that stands for exactly these tokens, or None."""
        wanted = (token_ids, tokenizer_sha256)
        found = (b for b in self.branches if (b.token_ids, b.tokenizer_sha256) == wanted)
        return next(found, None)


def with_root(tree: Tree, text: str, token_ids: tuple[int, ...], tokenizer_sha256: str) -> Tree:
    """Return a tree with a prompt more; of more than `MOST_ROOTS` the oldest goes, with its all."""
    root = Branch(tree.made + 1, None, text, token_ids, tokenizer_sha256)
    grown = Tree((*tree.branches, root), root.number)
    for old in grown.roots()[:-MOST_ROOTS]:
        grown = without(grown, old.number)
    return grown


def with_branch(tree: Tree, parent: int, text: str, ids: tuple[int, ...], token_text: str) -> Tree:
    """Return a tree in which the last of `ids` was taken in the text of `parent`.

    Raises:
        BranchError: there is no such parent, or the token was not taken in its text.
    """
    above = tree.get(parent)
    if not grows(above, ids):
        raise BranchError("this prompt does not go on from that branch")
    made = Branch(
        tree.made + 1,
        parent,
        text,
        ids,
        above.tokenizer_sha256,
        position=len(ids) - 1,
        token_id=ids[-1],
        token_text=token_text,
    )
    return Tree((*tree.branches, made), made.number)


def grows(parent: Branch, token_ids: tuple[int, ...]) -> bool:
    """Tell whether the last of some tokens was taken in a branch's prompt or in what followed it.

    So all before it are the prompt's, as far as both go.
    """
    before = token_ids[:-1]
    shared = min(len(before), len(parent.token_ids))
    return bool(token_ids) and before[:shared] == parent.token_ids[:shared]


def renamed(tree: Tree, number: int, name: str) -> Tree:
    """Return a tree in which a branch has another name; an empty one is none."""
    return _changed(tree, replace(tree.get(number), name=name.strip()[:MOST_NAME]))


def annotated(tree: Tree, number: int, note: str) -> Tree:
    """Return a tree in which a branch has another note."""
    return _changed(tree, replace(tree.get(number), note=note.strip()[:MOST_NOTE]))


def without(tree: Tree, number: int) -> Tree:
    """Return a tree without a branch and all that grew out of it."""
    gone = {one.number for one in subtree(tree, number)}
    return replace(tree, branches=tuple(one for one in tree.branches if one.number not in gone))


def subtree(tree: Tree, number: int) -> tuple[Branch, ...]:
    """Return a branch and all that grew out of it, oldest first."""
    found = {tree.get(number).number}
    for one in tree.branches:  # parents stand before their children
        if one.parent in found:
            found.add(one.number)
    return tuple(one for one in tree.branches if one.number in found)


def path(tree: Tree, number: int) -> tuple[Branch, ...]:
    """Return the branches from the root to this one, both included."""
    found = [tree.get(number)]
    while found[0].parent is not None:
        found.insert(0, tree.get(found[0].parent))
    return tuple(found)


def _changed(tree: Tree, branch: Branch) -> Tree:
    kept = (branch if one.number == branch.number else one for one in tree.branches)
    return replace(tree, branches=tuple(kept))


def to_json(tree: Tree) -> str:
    """Return a tree as JSON."""
    rows = [asdict(branch) for branch in tree.branches]
    return json.dumps({"format": _FORMAT, "made": tree.made, "branches": rows})


def from_json(text: str) -> Tree:
    """Return the tree that `to_json` wrote.

    Raises:
        BranchError: it is none, or its branches don't hang together.
    """
    try:
        read = json.loads(text)
        if read["format"] != _FORMAT:
            raise BranchError(f"branches of format {read['format']!r} can't be read")
        branches = tuple(_branch_of(row) for row in read["branches"])
        tree = Tree(branches, _whole(read["made"]))
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        if isinstance(problem, BranchError):
            raise
        raise BranchError("this is no tree of branches") from problem
    _check(tree)
    return tree


def _branch_of(row: dict[str, Any]) -> Branch:
    texts = {field: row[field] for field in ("text", "tokenizer_sha256", "token_text")}
    texts |= {field: row[field] for field in ("name", "note")}
    if set(row) != {field.name for field in fields(Branch)} or not _all_texts(texts.values()):
        raise BranchError("a branch has other fields than it should")
    return Branch(
        number=_whole(row["number"]),
        parent=None if row["parent"] is None else _whole(row["parent"]),
        token_ids=tuple(_whole(one) for one in row["token_ids"]),
        position=_whole(row["position"]),
        token_id=None if row["token_id"] is None else _whole(row["token_id"]),
        **texts,
    )


def _all_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BranchError("a branch has a number that is none")
    return value


def _check(tree: Tree) -> None:
    before: set[int] = set()
    for branch in tree.branches:
        if branch.number > tree.made or branch.number <= max(before, default=0):
            raise BranchError(f"branch {branch.number} is not numbered in order")
        if branch.parent is not None and branch.parent not in before:
            raise BranchError(f"branch {branch.number} has no parent")
        before.add(branch.number)
