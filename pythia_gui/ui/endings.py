"""A field for short texts that are taken as typed: targets, foils, stop strings."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QToolButton, QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.widgets import FlowLayout, set_tool_tip, without_mnemonic

MOST = 8
_LONGEST = 200
_LONGEST_SHOWN = 24


class EndingsField(QWidget):
    """Holds a few texts as chips; Return adds what was typed, a click on a chip removes it."""

    changed = Signal(object)  # tuple[str, ...]

    def __init__(
        self, what: str, hint: str, *, offer_space: bool = True, escapes: bool = False
    ) -> None:
        r"""Hold texts of a kind: `what` names one of them, `hint` says what it is for.

        `offer_space` offers to add the space that most words begin with; `escapes` reads
        `\n` and `\t` as the characters that can't be typed here.
        """
        super().__init__()
        self._what, self._offer_space, self._escapes = what, offer_space, escapes
        self._prompt_ends_open = True
        self._texts: list[str] = []
        self._chips: list[_Chip] = []
        self._field = _Field()
        self._field.setPlaceholderText(f"Add a {what}")
        self._field.setAccessibleName(f"Add a {what}")
        set_tool_tip(self._field, hint)
        self._offer = QToolButton()
        self._offer.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._offer.hide()
        self._flow = FlowLayout(gap=4)
        self._flow.addWidget(self._field)
        self._flow.addWidget(self._offer)
        self.setLayout(self._flow)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._connect()
        self._dress()

    def _connect(self) -> None:
        self._field.returnPressed.connect(self._add_typed)
        self._field.erase_requested.connect(self._remove_last)
        self._field.textChanged.connect(self._show_offer)
        self._offer.clicked.connect(self._add_with_space)
        theme.events.theme_changed.connect(self._dress)

    def texts(self) -> tuple[str, ...]:
        """Return the texts, as typed."""
        return tuple(self._texts)

    def set_texts(self, texts: Sequence[str]) -> None:
        """Hold other texts, without announcing it."""
        self._texts = list(dict.fromkeys(text for text in texts if text))[:MOST]
        self._show_chips()

    def set_prompt(self, prompt: str) -> None:
        """Know how the prompt ends: after a space, no further one is offered."""
        self._prompt_ends_open = bool(prompt) and not prompt[-1].isspace()
        self._show_offer(self._field.text())

    # ------------------------------------------------------------------ inside

    def take_typed(self) -> None:
        """Add what was typed and not yet entered."""
        self._add_typed()

    def _add_typed(self) -> None:
        self._add(self._read(self._field.text()))

    def _add_with_space(self) -> None:
        self._add(" " + self._read(self._field.text()))
        self._field.setFocus()

    def _add(self, text: str) -> None:
        if not text or text in self._texts or len(self._texts) >= MOST:
            return
        self._field.clear()
        self._texts.append(text)
        self._show_chips()
        self.changed.emit(self.texts())

    def _read(self, text: str) -> str:
        return text.replace("\\n", "\n").replace("\\t", "\t") if self._escapes else text

    def _remove_last(self) -> None:
        if self._texts:
            self._remove(self._texts[-1])

    def _remove(self, text: str) -> None:
        if text in self._texts:
            self._texts.remove(text)
            self._show_chips()
            self._field.setFocus()
            self.changed.emit(self.texts())

    def _show_chips(self) -> None:
        full = len(self._texts) >= MOST
        self._field.setEnabled(not full)
        self._field.setPlaceholderText(f"{MOST} at most" if full else f"Add a {self._what}")
        for chip in self._chips:
            self._flow.removeWidget(chip)
            chip.deleteLater()
        self._flow.removeWidget(self._field)
        self._flow.removeWidget(self._offer)
        self._chips = [_Chip(text, self._what) for text in self._texts]
        for chip in self._chips:
            chip.removed.connect(self._remove)
            self._flow.addWidget(chip)
            chip.show()
        self._flow.addWidget(self._field)
        self._flow.addWidget(self._offer)
        self._field.setVisible(len(self._texts) < MOST)
        self.updateGeometry()

    def _show_offer(self, text: str) -> None:
        wanted = self._offer_space and self._prompt_ends_open and bool(text)
        wanted = wanted and not text[:1].isspace()
        if wanted:
            shown = reveal_token(f" {text}")[:_LONGEST_SHOWN]
            self._offer.setText(without_mnemonic(f"as {shown}"))
            self._offer.setAccessibleName(f"Add with a space before it: {text}")
            set_tool_tip(
                self._offer,
                f"Most words follow a space, and the space belongs to the {self._what}: "
                f'add "{text}" with a space before it',
            )
        self._offer.setVisible(wanted)
        self.updateGeometry()

    def _dress(self) -> None:
        wide = self.fontMetrics().horizontalAdvance(f"Add a {self._what} mm") + 16
        self._field.setFixedWidth(wide)


class _Field(QLineEdit):
    """A line to type in; Backspace at its start takes the last chip back."""

    erase_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setMaxLength(_LONGEST)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Turn Backspace in an empty field into a wish."""
        if event.key() == Qt.Key.Key_Backspace and not self.text():
            self.erase_requested.emit()
        else:
            super().keyPressEvent(event)


class _Chip(QToolButton):
    """One text, spaces visible; a click removes it."""

    removed = Signal(str)

    def __init__(self, text: str, what: str) -> None:
        super().__init__()
        self._text = text
        shown = reveal_token(text)
        if len(shown) > _LONGEST_SHOWN:
            shown = f"{shown[: _LONGEST_SHOWN - 1]}…"
        self.setText(without_mnemonic(shown))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the cross stands at the end
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"Remove the {what} {shown}")
        set_tool_tip(self, f'Remove the {what} "{reveal_token(text)}"')
        self.clicked.connect(self._remove)
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    def _remove(self) -> None:
        self.removed.emit(self._text)

    def _dress(self) -> None:
        colors = theme.current_theme()
        self.setIcon(theme.icon("close", colors.muted))
        self.setStyleSheet(
            f"QToolButton {{ background: {colors.raised.name()}; color: {colors.text.name()};"
            f" border: 1px solid {colors.line.name()}; border-radius: 4px; padding: 2px 4px; }}"
            f"QToolButton:hover {{ border: 1px solid {colors.outline.name()}; }}"
            f"QToolButton:focus {{ border: 1px solid {colors.accent.name()}; }}"
        )
