"""A set of prompts before it is used: what was read of a file or a paste, and what was not."""

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QDialog, QPlainTextEdit, QPushButton, QWidget

from pythia_gui.core.prompt_sets import Parsed, PromptSet, form_of, parse
from pythia_gui.ui import theme
from pythia_gui.ui.tables import Column, Table, TableView
from pythia_gui.ui.widgets import column_of, plain_label, row_of

MOST_SHOWN = 200
TYPING_MS = 150
PASTED = "Pasted prompts"
_HINT = (
    "One prompt a line; or CSV with a first line such as prompt,target,foil,group,source; "
    "or one JSON object a line."
)
_SUGGESTED = "the final step's likeliest token is followed"


class PromptSetDialog(QDialog):
    """Shows the good rows and the bad lines of a set; the good ones can be used.

    Without something parsed it has a field to paste prompts into.
    """

    chosen = Signal(object)  # PromptSet: use this one

    def __init__(self, parent: QWidget, name: str = PASTED, parsed: Parsed | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Prompts: {name}" if parsed is not None else "Paste prompts")
        self._name = name
        self._parsed = parsed or Parsed()
        self._text = QPlainTextEdit()
        self._summary = plain_label(wrap=True)
        self._rows = TableView("The prompts that can be used")
        self._wrong = plain_label(role="warning", wrap=True)
        self._problems = TableView("The lines that can't be used")
        self._use = QPushButton()
        self._cancel = QPushButton("Cancel")
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MS)
        self._lay_out(pastes=parsed is None)
        self._typing.timeout.connect(self._read)
        self._text.textChanged.connect(self._typing.start)
        self._use.clicked.connect(self._on_use)
        self._cancel.clicked.connect(self.reject)
        self._show()

    @property
    def parsed(self) -> Parsed:
        """What is shown."""
        return self._parsed

    def paste(self, text: str) -> None:
        """Put a text into the field, as if it had been typed, and read it."""
        self._text.setPlainText(text)
        self._read()

    def use(self) -> None:
        """Use the good rows, if there are any."""
        self._use.click()

    def _lay_out(self, *, pastes: bool) -> None:
        self._text.setPlaceholderText(_HINT)
        self._text.setAccessibleName("Prompts")
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setTabChangesFocus(True)
        self._text.setVisible(pastes)
        for table in (self._rows, self._problems):
            table.horizontalHeader().setStretchLastSection(True)
        self._use.setDefault(True)
        self._use.setProperty("primary", True)  # noqa: FBT003 - Qt's property
        buttons = row_of(None, self._cancel, self._use)
        whole = column_of(self._text, self._summary, self._rows, self._wrong, self._problems)
        whole.setContentsMargins(16, 16, 16, 16)
        whole.setStretchFactor(self._text, 2)
        whole.setStretchFactor(self._rows, 3)
        whole.setStretchFactor(self._problems, 2)
        whole.addLayout(buttons)
        self.setLayout(whole)
        self.resize(theme.GRID * 96, theme.GRID * 68)

    def _read(self) -> None:
        text = self._text.toPlainText()
        self._parsed = parse(text, form_of(text))
        self._show()

    def _show(self) -> None:
        parsed = self._parsed
        good, bad = len(parsed.entries), len(parsed.problems) + parsed.unlisted
        self._summary.setText(_summary(parsed))
        self._wrong.setText(_wrong(parsed))
        self._wrong.setVisible(bad > 0)
        self._problems.setVisible(bad > 0)
        self._rows.setVisible(good > 0)
        self._rows.show_table(_rows_of(parsed))
        self._problems.show_table(_problems_of(parsed))
        self._use.setEnabled(good > 0)
        self._use.setText(f"Use {_count(good, 'prompt')}" if good else "Use")

    def _on_use(self) -> None:
        self.chosen.emit(PromptSet(self._name, self._parsed.entries))
        self.accept()


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _summary(parsed: Parsed) -> str:
    good = len(parsed.entries)
    if not good:
        return " ".join(filter(None, ("There is no prompt to use.", parsed.remark)))
    targets = sum(bool(entry.target) for entry in parsed.entries)
    foils = sum(bool(entry.foil) for entry in parsed.entries)
    parts = [_count(good, "prompt"), f"{targets:,} with a target", f"{foils:,} with a foil"]
    if not targets:
        parts = [f"{_count(good, 'prompt')} without a target, so {_SUGGESTED}"]
    shown = f" The first {MOST_SHOWN} are shown." if good > MOST_SHOWN else ""
    return f"{', '.join(parts)}.{shown} {parsed.remark}".strip()


def _wrong(parsed: Parsed) -> str:
    bad = len(parsed.problems) + parsed.unlisted
    more = f" The first {len(parsed.problems)} are listed." if parsed.unlisted else ""
    lines = "1 line can't be used and is" if bad == 1 else f"{bad:,} lines can't be used and are"
    return f"{lines} left out:{more}"


def _rows_of(parsed: Parsed) -> Table:
    shown = parsed.entries[:MOST_SHOWN]
    names = ["prompt", "target", "foil", "group", "source"]
    used = [n for n in names if n == "prompt" or any(getattr(entry, n) for entry in shown)]
    columns = (Column("line", "whole"), *(Column(name) for name in used))
    rows = [(entry.line, *(getattr(entry, name) for name in used)) for entry in shown]
    return Table(columns, rows)


def _problems_of(parsed: Parsed) -> Table:
    columns = (Column("line", "whole"), Column("reason"))
    return Table(columns, [(one.line or None, one.reason) for one in parsed.problems])
