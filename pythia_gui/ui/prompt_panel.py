"""The prompt, its targets and foils, the sampler's settings, and the button that asks."""

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QMimeData, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QTextOption
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
)

from pythia_gui.ui import theme
from pythia_gui.ui.endings import EndingsField
from pythia_gui.ui.questions import Ending, Reading, Settings
from pythia_gui.ui.reveal import hidden_names, reveal_token
from pythia_gui.ui.sampling_row import SamplingRow, summary
from pythia_gui.ui.widgets import FoldButton, Surface, plain_label, row_of, set_tool_tip

PASTE_LIMIT_BYTES = 200_000
LONG_LINE = 20_000
_LINES_SHOWN = 2
EMPTY = "Type the beginning of a text. An empty prompt starts from <|endoftext|> alone."


class PromptPanel(Surface):
    """Where a question is put: announces it, and says beside it why it can't be asked."""

    text_edited = Signal(str)
    endings_changed = Signal(object)  # tuple[Ending, ...]
    settings_changed = Signal(object)  # Settings
    run_requested = Signal()
    stop_requested = Signal()
    back_requested = Signal()  # to the prompt before a token was chosen

    def __init__(self) -> None:
        super().__init__()
        self._settings = Settings()
        self._reading = Reading()
        self._problem = self._notice = ""
        self._running = False
        self._why_not = ""
        self._build()
        self._lay_out()
        self._connect()
        self._show_button()
        self._show_remarks()

    def _build(self) -> None:
        self._edit = PromptEdit()
        self._label = plain_label("Prompt", role="muted")
        self._label.setBuddy(self._edit)
        self._button = QPushButton()
        self._button.setProperty("primary", True)  # noqa: FBT003 - a dynamic property
        self._count = plain_label(role="muted", size=0.92)
        self._count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._remarks = plain_label(role="warning", size=0.92, wrap=True)
        self._cut = QCheckBox()
        self._back = QPushButton("Undo the chosen token")
        set_tool_tip(self._back, "Return to the prompt before a token was chosen (Alt+Left)")
        self._targets = EndingsField(
            "target",
            "A possible ending to follow through training, taken as typed: most words need a "
            "space before them. Without one, the final step's top tokens are followed.",
        )
        self._foils = EndingsField(
            "foil", "An ending to compare with, drawn apart from the targets; taken as typed."
        )
        self._fold = FoldButton(summary(self._settings), "Show or hide the sampler's settings")
        self._sampling = SamplingRow()
        self._sampling.hide()
        for widget in (self._remarks, self._cut, self._back):
            widget.hide()

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(8)
        top = Qt.AlignmentFlag.AlignTop
        side = QVBoxLayout()
        side.setSpacing(4)
        side.addWidget(self._button)
        side.addWidget(self._count)
        side.addStretch(1)
        grid.addWidget(self._label, 0, 0, top)
        grid.addWidget(self._edit, 0, 1)
        grid.addLayout(side, 0, 2)
        self._targets_label = plain_label("Targets", role="muted")
        foils_label = plain_label("Foils", role="muted")
        for label in (self._label, self._targets_label, foils_label):
            label.setContentsMargins(0, 5, 0, 0)
        endings = row_of()
        for part, stretch in ((self._targets, 3), (foils_label, 0), (self._foils, 2)):
            endings.addWidget(part, stretch, top)
        endings.addWidget(self._fold, 0, top)
        grid.addWidget(self._targets_label, 1, 0, top)
        grid.addLayout(endings, 1, 1, 1, 2)
        grid.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 8)
        column.setSpacing(8)
        column.addLayout(grid)
        column.addWidget(self._remarks)
        column.addLayout(row_of(self._cut, self._back, None))
        column.addWidget(self._sampling)

    def _connect(self) -> None:
        self._back.clicked.connect(self.back_requested)
        self._button.clicked.connect(self._on_button)
        self._cut.toggled.connect(self._on_cut)
        self._edit.edited.connect(self._on_edited)
        self._edit.noticed.connect(self._on_notice)
        self._fold.toggled.connect(self._sampling.setVisible)
        self._foils.changed.connect(self._on_endings)
        self._sampling.settings_changed.connect(self._on_settings)
        self._targets.changed.connect(self._on_endings)
        theme.events.theme_changed.connect(self._show_button)

    # ------------------------------------------------------------------ what is shown

    def set_text(self, text: str) -> None:
        """Show another prompt, without announcing it; the field can undo it."""
        self._edit.set_text(text)
        self._after_text(text)

    def text(self) -> str:
        """Return the prompt as typed."""
        return self._edit.text()

    def set_endings(self, endings: Sequence[Ending]) -> None:
        """Show other targets and foils, without announcing it."""
        self._targets.set_texts([one.text for one in endings if one.role == "target"])
        self._foils.set_texts([one.text for one in endings if one.role == "foil"])

    def show_settings(self, settings: Settings) -> None:
        """Show other settings, without announcing it."""
        self._settings = settings
        with QSignalBlocker(self._cut):
            self._cut.setChecked(settings.cut_left)
        self._sampling.show_settings(settings)
        self._fold.set_text(summary(settings))
        self._show_count()

    def show_running(self, running: bool) -> None:  # noqa: FBT001 - a slot
        """Let the button run or stop."""
        if running != self._running:
            self._running = running
            self._show_button()

    def show_obstacle(self, why_not: str) -> None:
        """Say on the button why nothing can be asked of this model; empty when it can."""
        self._why_not = why_not
        self._show_button()

    def show_problem(self, problem: str) -> None:
        """Say beside the field why the prompt can't be asked; empty when it can."""
        self._problem = problem
        self._edit.set_invalid(bool(problem))
        self._show_remarks()

    def show_reading(self, reading: Reading) -> None:
        """Show how many tokens the prompt has, and what the tokenizer can't read."""
        self._reading = reading
        self._show_count()
        self._show_remarks()

    def show_history(self, back: bool, forward: bool) -> None:  # noqa: FBT001 - a slot
        """Offer the way back to the prompt before a token was chosen."""
        del forward
        self._back.setVisible(back)

    def unfold(self) -> None:
        """Show or hide the sampler's settings."""
        self._fold.toggle()

    def focus_prompt(self) -> None:
        """Put the cursor into the prompt."""
        self._edit.setFocus()

    # ------------------------------------------------------------------ inside

    def take_typed(self) -> None:
        """Add what stands in the fields of targets and foils as if Return had been pressed."""
        self._targets.take_typed()
        self._foils.take_typed()

    def _on_button(self) -> None:
        (self.stop_requested if self._running else self.run_requested).emit()

    def _on_edited(self, text: str) -> None:
        self._after_text(text)
        self.text_edited.emit(text)

    def _after_text(self, text: str) -> None:
        self._notice = ""
        self._targets.set_prompt(text)
        self._foils.set_prompt(text)
        self._show_remarks()

    def _on_notice(self, notice: str) -> None:
        self._notice = notice
        self._show_remarks()

    def _on_endings(self) -> None:
        targets = [Ending(text, "target") for text in self._targets.texts()]
        foils = [Ending(text, "foil") for text in self._foils.texts()]
        self.endings_changed.emit((*targets, *foils))

    def _on_settings(self, settings: Settings) -> None:
        self._settings = replace(settings, cut_left=self._settings.cut_left)
        self._fold.set_text(summary(settings))
        self._show_count()
        self.settings_changed.emit(self._settings)

    def _on_cut(self, cut: bool) -> None:  # noqa: FBT001 - a slot
        self._settings = replace(self._settings, cut_left=cut)
        self.settings_changed.emit(self._settings)

    def _show_button(self) -> None:
        name = "Stop" if self._running else "Run"
        self._button.setText(name)
        self._button.setAccessibleName(name)
        self._button.setIcon(theme.icon(name.lower(), theme.current_theme().on_accent))
        key, what = ("Esc", "Stop computing") if self._running else ("Ctrl+Return", "Ask the model")
        set_tool_tip(self._button, self._why_not or f"{what} ({key})")
        self._button.setEnabled(self._running or not self._why_not)

    def _show_count(self) -> None:
        reading = self._reading
        if reading.tokens is None:
            self._count.setText("")
            self._cut.setVisible(self._settings.cut_left)
            return
        over = reading.over(self._settings.new_tokens)
        least = "over " if reading.at_least else ""
        new = f" + {self._settings.new_tokens:,} new" if over else ""
        self._count.setText(f"{least}{reading.tokens:,}{new} / {reading.context:,} tokens")
        self._count.set_role("error" if over and not self._settings.cut_left else "muted")
        self._cut.setVisible(0 < over < reading.tokens or self._settings.cut_left)
        dropped = f"the first {over:,} tokens" if over and not reading.at_least else "the beginning"
        self._cut.setText(f"Cut on the left: leave out {dropped}")

    def _show_remarks(self) -> None:
        remarks = [self._problem, self._notice]
        names = hidden_names(self._edit.text())
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            remarks.append(
                f"The prompt has characters that don't show: {', '.join(names[:3])}{more}."
            )
        if self._reading.unknown:
            seen = " ".join(reveal_token(char) for char in self._reading.unknown[:12])
            remarks.append(
                f"The model's tokenizer has no token for {seen} and reads each as unknown."
            )
        said = "\n".join(remark for remark in remarks if remark)
        self._remarks.setText(said)
        self._remarks.set_role("error" if self._problem else "warning")
        self._remarks.setVisible(bool(said))


class PromptEdit(QPlainTextEdit):
    """A plain text field that gives back exactly the characters it was given."""

    edited = Signal(str)
    noticed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._quiet = False
        self.setTabChangesFocus(True)
        self.setAccessibleName("Prompt")
        self.setPlaceholderText(EMPTY)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.textChanged.connect(self._on_changed)
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    def text(self) -> str:
        """Return the text; unlike `toPlainText` it keeps no-break spaces and the like."""
        return self.document().toRawText().replace("\u2029", "\n")

    def set_text(self, text: str) -> None:
        """Replace the text as one step that can be undone, without announcing it."""
        if text == self.text():
            return
        self._quiet = True
        cursor = self.textCursor()
        cursor.beginEditBlock()
        cursor.select(cursor.SelectionType.Document)
        cursor.insertText(text)
        cursor.endEditBlock()
        self.setTextCursor(cursor)
        self._quiet = False
        self._wrap_sensibly(text)

    def set_invalid(self, invalid: bool) -> None:  # noqa: FBT001 - a plain setter
        """Wear the colour of an error, or not."""
        if self.property("invalid") != invalid:
            self.setProperty("invalid", invalid)
            self.style().unpolish(self)
            self.style().polish(self)

    def sizeHint(self) -> QSize:
        """Return the room of a few lines."""
        return QSize(200, self._height())

    def minimumSizeHint(self) -> QSize:
        """Return the same room: the field has one height."""
        return QSize(100, self._height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Break the line with Shift+Return as with Return, not by a line separator."""
        shift = Qt.KeyboardModifier.ShiftModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and event.modifiers() == shift:
            self.insertPlainText("\n")
        else:
            super().keyPressEvent(event)

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Paste text up to a limit, and say so where something had to change."""
        text = source.text()
        taken, notice = fit_to_paste(text, len(self.text()))
        self._wrap_sensibly(taken)  # before it is laid out: an unbroken line would take minutes
        self.insertPlainText(taken)
        if notice:
            self.noticed.emit(notice)

    def _on_changed(self) -> None:
        if not self._quiet:
            text = self.text()
            self._wrap_sensibly(text)
            self.edited.emit(text)

    def _wrap_sensibly(self, text: str) -> None:
        long = len(text) > LONG_LINE and max(map(len, text.split("\n")), default=0) > LONG_LINE
        mode = QTextOption.WrapMode
        wanted = mode.NoWrap if long else mode.WrapAtWordBoundaryOrAnywhere
        if self.wordWrapMode() != wanted:
            self.setWordWrapMode(wanted)
            # else the scroll bar comes and goes while the panel makes room for a remark, and Qt
            # lays the long line out each time that the width changes
            policy = Qt.ScrollBarPolicy
            bar = policy.ScrollBarAlwaysOn if long else policy.ScrollBarAsNeeded
            self.setVerticalScrollBarPolicy(bar)

    def _height(self) -> int:
        lines = QFontMetrics(self.font()).lineSpacing() * _LINES_SHOWN
        frame = 2 * round(self.document().documentMargin()) + 10
        return lines + frame

    def _dress(self) -> None:
        self.setFont(theme.text_font())
        self.updateGeometry()


def fit_to_paste(text: str, already: int) -> tuple[str, str]:
    """Return what of a pasted text is taken, and a notice where that is not all of it as it was."""
    notices = []
    room = max(PASTE_LIMIT_BYTES - already, 0)
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    for separator in ("\u2029", "\ufdd0", "\ufdd1"):
        plain = plain.replace(separator, "\n")
    if plain != text:
        notices.append("Carriage returns and separators were read as line breaks.")
    readable = plain.encode("utf-8", "replace").decode("utf-8")
    if readable != plain:
        notices.append("Halves of characters became question marks.")
    raw = readable.encode()
    if len(raw) > room:
        notices.append(
            f"The pasted text has {len(raw):,} bytes; the prompt takes {PASTE_LIMIT_BYTES:,} in "
            "all, so its end was left out."
        )
        readable = raw[:room].decode("utf-8", "ignore")
    return readable, " ".join(notices)
