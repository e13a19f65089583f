"""What the model cards warn of, one line beside the text, with the whole behind it."""

from PySide6.QtWidgets import QVBoxLayout

from pythia_gui.core.catalogue import CAUTIONS
from pythia_gui.core.library import ModelEntry
from pythia_gui.ui.widgets import FoldButton, Surface, plain_label, row_of

BASE = (
    "Base model, English only: it follows no instructions and may say offensive or false things. "
    "Not for deployment or public use; read before you show it."
)
MINIATURE = (
    "Miniature trained on invented text: nothing it says is evidence. The order in which it "
    "learns resembles Pythia's; the dates do not."
)


class Caution(Surface):
    """One line that says what kind of text this is; it folds out into all cautions."""

    def __init__(self) -> None:
        super().__init__()
        self._line = plain_label(BASE, role="muted", size=0.92, wrap=True)
        self._why = FoldButton("Why", "Show or hide all that the model cards warn of")
        self._all = plain_label("\n".join(CAUTIONS), role="text", size=0.92, wrap=True)
        self._all.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 12, 2)
        column.setSpacing(4)
        column.addLayout(row_of(self._line, self._why, stretch=self._line))
        column.addWidget(self._all)
        self._why.toggled.connect(self._all.setVisible)

    def show_model(self, entry: ModelEntry) -> None:
        """Speak of this model."""
        self._line.setText(MINIATURE if entry.source == "demo" else BASE)

    def unfold(self) -> None:
        """Show all cautions."""
        self._why.setChecked(True)
        self._why.setFocus()
