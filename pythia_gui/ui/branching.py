"""Follows which prompts grew out of which, with a way back for everything done to the tree."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from pythia_gui.core.branches import (
    Branch,
    Tree,
    annotated,
    grows,
    path,
    renamed,
    with_branch,
    with_root,
    without,
)
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.values import ShownText

_UNDO_LIMIT = 200
_PREVIEW = 160  # characters


class Branching(QObject):
    """Holds the tree of branches and which of them is on screen.

    `follow` is told every prompt that is asked: a known one is found again, one that goes on
    from the branch on screen grows out of it, and any other is a new root.
    """

    tree_changed = Signal()
    current_changed = Signal()
    begun_changed = Signal()  # what some branch's continuation begins with is known

    def __init__(self) -> None:
        super().__init__()
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(_UNDO_LIMIT)
        self._tree = Tree()
        self._current: int | None = None
        self._begun: dict[int, str] = {}

    @property
    def tree(self) -> Tree:
        """All branches."""
        return self._tree

    @property
    def current(self) -> Branch | None:
        """The branch on screen."""
        return self._tree.get(self._current) if self._current is not None else None

    def begun(self, number: int) -> str:
        """Return what the continuation of a branch began with when it was last on screen."""
        return self._begun.get(number, "")

    def follow(
        self, text: str, token_ids: tuple[int, ...], tokenizer_sha256: str, taken: str | None = None
    ) -> None:
        """Take note of the prompt that is asked; `taken` is its last token where one was chosen."""
        known = self._tree.find(token_ids, tokenizer_sha256)
        if known is None:
            before, here = self._tree, self.current
            same = here is not None and here.tokenizer_sha256 == tokenizer_sha256
            if here is not None and same and taken is not None and grows(here, token_ids):
                grown = with_branch(before, here.number, text, token_ids, taken)
                name = f"take {reveal_token(taken)}"
            else:
                grown, name = with_root(before, text, token_ids, tokenizer_sha256), "ask a prompt"
            self.undo_stack.push(_Change(self, name, before, grown))
            known = grown.branches[-1]
        self._go_to(known.number)

    def follow_text(self, text: ShownText) -> None:
        """Take note of what the text on screen goes on with."""
        written = "".join(token.text for token in text.tokens if token.written)[:_PREVIEW]
        here = self._current
        if text.state != "done" or here is None or self._begun.get(here, "") == written:
            return
        self._begun[here] = written
        self.begun_changed.emit()

    def rename(self, number: int, name: str) -> None:
        """Give a branch another name."""
        self._change(f"name {reveal_token(name)}", renamed(self._tree, number, name))

    def annotate(self, number: int, note: str) -> None:
        """Give a branch another note."""
        self._change("note", annotated(self._tree, number, note))

    def remove(self, number: int) -> None:
        """Take away a branch and all that grew out of it."""
        self._change("remove a branch", without(self._tree, number))

    def show_tree(self, tree: Tree) -> None:
        """Show a tree as it was or will be; the branch on screen gives way to one it came from."""
        before, self._tree = self._tree, tree
        if self._current is None or tree.has(self._current):
            self.tree_changed.emit()
            return
        left = [one.number for one in path(before, self._current) if tree.has(one.number)]
        self._current = left[-1] if left else None
        self.tree_changed.emit()
        self.current_changed.emit()

    def _change(self, name: str, tree: Tree) -> None:
        if tree != self._tree:
            self.undo_stack.push(_Change(self, name, self._tree, tree))

    def _go_to(self, number: int | None) -> None:
        if number != self._current:
            self._current = number
            self.current_changed.emit()


class _Change(QUndoCommand):
    """One tree in place of another."""

    def __init__(self, owner: Branching, name: str, before: Tree, after: Tree) -> None:
        super().__init__(name)
        self._owner, self._before, self._after = owner, before, after

    def redo(self) -> None:
        self._owner.show_tree(self._after)

    def undo(self) -> None:
        self._owner.show_tree(self._before)
