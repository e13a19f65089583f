"""A button with a list of models to check, those that can't be chosen with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QMenu, QPushButton, QWidget

from pythia_gui.core.library import ModelEntry
from pythia_gui.ui.widgets import set_tool_tip, tool_tip, without_mnemonic


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that may be chosen, or the `reason` why it can't be."""

    entry: ModelEntry
    reason: str = ""


class _StayingMenu(QMenu):
    """A menu that stays open while things are checked."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._checked(self.actionAt(event.position().toPoint())):
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        pressed = event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if not (pressed and self._checked(self.activeAction())):
            super().keyPressEvent(event)

    def _checked(self, action: QAction | None) -> bool:
        if action is None or not action.isCheckable():
            return False
        if action.isEnabled():
            action.trigger()
        return True


class ModelChooser(QPushButton):
    """Offers models under their suites; the button says how many are chosen."""

    chosen = Signal(object)  # frozenset of keys, by a person's hand

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choices: tuple[Choice, ...] = ()
        self._actions: dict[str, QAction] = {}
        self._menu = _StayingMenu(self)
        self._menu.setToolTipsVisible(True)
        self.setMenu(self._menu)
        set_tool_tip(self, "Choose the models whose curves are drawn: all that are on this machine")
        self.show_choices((), frozenset())

    @property
    def keys(self) -> frozenset[str]:
        """The models that are checked."""
        return frozenset(key for key, action in self._actions.items() if action.isChecked())

    @property
    def actions_by_key(self) -> Mapping[str, QAction]:
        """What is offered for each model."""
        return self._actions

    def show_choices(self, choices: Sequence[Choice], keys: frozenset[str]) -> None:
        """Offer these models, some of them checked."""
        if tuple(choices) != self._choices:
            self._choices = tuple(choices)
            self._fill()
        for key, action in self._actions.items():
            action.setChecked(key in keys)
        self._count()

    def _fill(self) -> None:
        self._menu.clear()
        self._actions = {}
        suite = None
        for choice in self._choices:
            if choice.entry.suite != suite:
                suite = choice.entry.suite
                heading = self._menu.addAction(without_mnemonic(suite))
                heading.setEnabled(False)
            action = self._menu.addAction(without_mnemonic(choice.entry.name))
            action.setCheckable(True)
            action.setEnabled(not choice.reason)
            action.setToolTip(tool_tip(choice.reason or _said_of(choice.entry)))
            action.triggered.connect(self._on_triggered)
            self._actions[choice.entry.key] = action

    def _on_triggered(self) -> None:
        self._count()
        self.chosen.emit(self.keys)

    def _count(self) -> None:
        text = f"Models ({len(self.keys)} of {len(self._actions)})"
        self.setText(text)
        self.setAccessibleName(text)


def _said_of(entry: ModelEntry) -> str:
    count = len(entry.here)
    return f"{count:,} checkpoints are on this machine" if count != 1 else "1 checkpoint is here"
