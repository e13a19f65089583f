"""A row of words of which exactly one is chosen."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QToolButton, QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.widgets import plain_label, set_tool_tip


class Segments(QWidget):
    """Offers choices side by side, after a word that says what is chosen."""

    chosen = Signal(str)  # a person chose this key

    def __init__(
        self, title: str, choices: Sequence[tuple[str, str]], tips: Mapping[str, str] | None = None
    ) -> None:
        """Offer `choices`, keys with their words; `tips` explain them by key."""
        super().__init__()
        self.setAccessibleName(title)
        self._tips = dict(tips or {})
        self._group = QButtonGroup(self)
        self._buttons = {key: self._button(title, key, text) for key, text in choices}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(plain_label(title, role="muted"))
        row.addSpacing(theme.GRID)
        for button in self._buttons.values():
            row.addWidget(button)
        next(iter(self._buttons.values())).setChecked(True)
        self._group.buttonClicked.connect(self._clicked)

    @property
    def key(self) -> str:
        """The key of the choice."""
        return next(key for key, button in self._buttons.items() if button.isChecked())

    def choose(self, key: str) -> None:
        """Show another choice, without announcing it."""
        self._buttons[key].setChecked(True)

    def button(self, key: str) -> QToolButton:
        """Return the button of a choice."""
        return self._buttons[key]

    def set_available(self, key: str, reason: str = "") -> None:
        """Let a choice be chosen, or say in its tool tip why it can't be."""
        self._buttons[key].setEnabled(not reason)
        set_tool_tip(self._buttons[key], reason or self._tips.get(key, ""))

    def _button(self, title: str, key: str, text: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setCheckable(True)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setAccessibleName(f"{title}: {text}")
        button.setProperty("key", key)
        set_tool_tip(button, self._tips.get(key, ""))
        self._group.addButton(button)
        return button

    def _clicked(self, button: QAbstractButton) -> None:
        self.chosen.emit(str(button.property("key")))
