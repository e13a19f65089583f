"""Which models and steps a set of prompts is put to."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton

from pythia_gui.core.library import ModelEntry
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.widgets import set_tool_tip, without_mnemonic

GRIDS = (("log", "Log-spaced"), ("all", "All"), ("pair", "A and B"))
GRID_TIPS = {
    "log": "0, 1, 2, 4, ..., 512, 1,000, 2,000, 4,000, ... and the last, and A and B",
    "all": "Every checkpoint on this machine that is not known to be bad",
    "pair": "A and B alone: the change between them, and no curves",
}


def grid_segments() -> Segments:
    """Return the choice of steps."""
    return Segments("Steps", GRIDS, GRID_TIPS)


class ModelsButton(QPushButton):
    """A menu of the models that share a tokenizer; the shown one is always asked."""

    chosen = Signal()  # `keys` are others

    def __init__(self) -> None:
        super().__init__("Models")
        self._list = QMenu(self)
        self._list.setToolTipsVisible(True)
        self._list.triggered.connect(self._on_triggered)
        self._offered: tuple[str, ...] = ()
        self._actions: dict[str, QAction] = {}
        self._shown = ""
        self._more: set[str] = set()
        self.setMenu(self._list)

    @property
    def keys(self) -> tuple[str, ...]:
        """The models that are asked, the shown one first."""
        others = [key for key in self._offered if key in self._more and key != self._shown]
        return (self._shown, *others) if self._shown else ()

    def offer(self, shown: str, models: Sequence[ModelEntry]) -> None:
        """Offer these models; a choice stays while it is among them."""
        keys = tuple(entry.key for entry in models)
        if (shown, keys) != (self._shown, self._offered):
            self._shown, self._offered = shown, keys
            self._fill(models)
        self._dress()

    def choose(self, keys: Sequence[str]) -> None:
        """Ask these besides the shown one, as if a person had chosen them."""
        self._more = set(keys)
        self._dress()
        self.chosen.emit()

    def _fill(self, models: Sequence[ModelEntry]) -> None:
        self._list.clear()
        self._actions = {}
        for entry in models:
            action = self._list.addAction(without_mnemonic(entry.name))
            action.setCheckable(True)
            action.setData(entry.key)
            action.setEnabled(entry.key != self._shown)
            self._actions[entry.key] = action

    def _dress(self) -> None:
        for key, action in self._actions.items():
            action.setChecked(key in self.keys)
        count = len(self.keys)
        self.setText("Models" if count < 2 else f"{count} models")
        alone = len(self._offered) < 2
        self.setEnabled(not alone)
        why = "No other model on this machine has the same tokenizer" if alone else ""
        set_tool_tip(self, why or "Ask other models with the same tokenizer as well")

    def _on_triggered(self, action: QAction) -> None:
        key = str(action.data())
        self._more ^= {key}
        self._dress()
        self.chosen.emit()
