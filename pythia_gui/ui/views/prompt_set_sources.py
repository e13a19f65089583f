"""Where a set of prompts comes from: a file, the clipboard, or the program itself."""

from itertools import groupby
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from pythia_gui.core.prompt_sets import (
    BUNDLES,
    Parsed,
    Problem,
    PromptSetError,
    bundled_set,
    parse_file,
)
from pythia_gui.ui.views.prompt_set_preview import PromptSetDialog
from pythia_gui.ui.widgets import set_tool_tip, without_mnemonic


class Sources(QObject):
    """The three buttons, and what follows from them."""

    chosen = Signal(object)  # PromptSet: use this one
    failed = Signal(str)  # one sentence

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._over = parent
        self.open = QPushButton("Open file...")
        self.bundled = QPushButton("Bundled")
        self.paste = QPushButton("Paste...")
        self.dialog: PromptSetDialog | None = None
        set_tool_tip(self.open, "Prompts from a .txt, .csv or .jsonl file, looked at before use")
        set_tool_tip(self.bundled, "Sets of prompts that come with the program")
        set_tool_tip(self.paste, "Type prompts or paste them from the clipboard")
        self.bundled.setMenu(self._menu())
        self.open.clicked.connect(self._ask_for_file)
        self.paste.clicked.connect(self.show_paste)

    def show_file(self, file: str | Path) -> None:
        """Show what a file says before it is used."""
        path = Path(file)
        try:
            parsed = parse_file(path)
        except PromptSetError as problem:
            parsed = Parsed(problems=(Problem(0, str(problem)),))
        self._show(PromptSetDialog(self._over, path.stem, parsed))

    def show_paste(self) -> None:
        """Show a field to paste prompts into."""
        self._show(PromptSetDialog(self._over))

    def take_bundle(self, number: int) -> None:
        """Use a set that ships."""
        try:
            self.chosen.emit(bundled_set(BUNDLES[number]))
        except PromptSetError as problem:
            self.failed.emit(str(problem))

    def _show(self, dialog: PromptSetDialog) -> None:
        self.dialog = dialog
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.chosen.connect(self.chosen)
        dialog.finished.connect(self._forget)
        dialog.open()

    def _forget(self) -> None:
        self.dialog = None

    def _ask_for_file(self) -> None:
        dialog = QFileDialog(self._over, "Open a set of prompts")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilter("Prompts (*.txt *.csv *.jsonl)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.show_file)
        dialog.open()

    def _menu(self) -> QMenu:
        menu = QMenu(self.bundled)
        numbered = enumerate(BUNDLES)
        for suite, some in groupby(numbered, key=_suite):
            menu.addSection(suite)
            for number, bundle in some:
                action = menu.addAction(without_mnemonic(bundle.name))
                action.setData(number)
        menu.triggered.connect(self._on_triggered)
        return menu

    def _on_triggered(self, action: QAction) -> None:
        self.take_bundle(int(action.data()))


def _suite(numbered: tuple[int, object]) -> str:
    return BUNDLES[numbered[0]].suite
