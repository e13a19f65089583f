"""The list of keys, one page that is read while the window is used."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from pythia_gui.ui.widgets import plain_label

Keys = Mapping[str, Sequence[tuple[str, str]]]
"""By where they work: what is done, and with which keys."""

PLACES: Keys = {
    "On the timeline": (
        ("Previous or next checkpoint", "Left, Right"),
        ("Ten checkpoints on", "Page Up, Page Down"),
        ("First or last checkpoint", "Home, End"),
        ("Play or pause", "Space"),
    ),
    "In the text": (
        ("From token to token", "Left, Right, Up, Down"),
        ("Choose an alternative", "Return"),
        ("Copy it with its model and step", "Ctrl+C"),
    ),
    "In the prompt": (
        ("A new line", "Return"),
        ("Ask the model", "Ctrl+Return"),
        ("Leave the field", "Tab"),
    ),
}


class ShortcutList(QDialog):
    """All keys by where they work; it blocks nothing."""

    def __init__(self, parent: QWidget, everywhere: Keys) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(24, 16, 24, 24)
        grid.setHorizontalSpacing(48)
        grid.setVerticalSpacing(4)
        for place, keys in {**everywhere, **PLACES}.items():
            _add(grid, place, keys)
        grid.setRowStretch(grid.rowCount(), 1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll)
        self.resize(page.sizeHint().width() + 32, min(page.sizeHint().height() + 8, 640))


def _add(grid: QGridLayout, place: str, keys: Sequence[tuple[str, str]]) -> None:
    row = grid.rowCount()
    heading = plain_label(place, role="muted")
    heading.setContentsMargins(0, 12, 0, 0)
    grid.addWidget(heading, row, 0, 1, 2)
    for number, (what, key) in enumerate(keys, row + 1):
        grid.addWidget(plain_label(what), number, 0)
        grid.addWidget(plain_label(key), number, 1)
