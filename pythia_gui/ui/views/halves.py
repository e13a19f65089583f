"""How the views use their width: halves beside or above each other, tools that wrap."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.widgets import FlowLayout

_WIDE = 1_080  # pixels


class Halves(QWidget):
    """Shares its room between a first and a second widget, in proportions that say how much."""

    def __init__(
        self, first: QWidget, second: QWidget, *, beside: tuple[int, int], above: tuple[int, int]
    ) -> None:
        super().__init__()
        self._shares = {Qt.Orientation.Horizontal: beside, Qt.Orientation.Vertical: above}
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(theme.GRID)
        self._splitter.addWidget(first)
        self._splitter.addWidget(second)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._splitter)
        self._share()

    @property
    def orientation(self) -> Qt.Orientation:
        """Which way the room is shared."""
        return self._splitter.orientation()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = event.size().width() >= _WIDE
        wanted = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if wanted != self.orientation or event.oldSize() == QSize(-1, -1):
            self._splitter.setOrientation(wanted)
            self._share()

    def _share(self) -> None:
        shares = self._shares[self.orientation]
        across = self.orientation == Qt.Orientation.Horizontal
        room = self.width() if across else self.height()
        self._splitter.setSizes([room * share // sum(shares) for share in shares])
        for place, share in enumerate(shares):
            self._splitter.setStretchFactor(place, share)


def flowing(*parts: QWidget) -> QWidget:
    """Return tools in a row that goes on in the next line where the width ends."""
    row = QWidget()
    layout = FlowLayout(2 * theme.GRID)
    for part in parts:
        layout.addWidget(part)
    row.setLayout(layout)
    policy = row.sizePolicy()
    policy.setHorizontalPolicy(policy.Policy.Preferred)
    policy.setHeightForWidth(True)
    row.setSizePolicy(policy)
    return row
