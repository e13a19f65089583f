"""The line at the top: which model, which step, what is being computed, and where."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QProgressBar, QVBoxLayout

from pythia_gui.core.library import ModelEntry
from pythia_gui.ui import theme
from pythia_gui.ui.errands import Activity
from pythia_gui.ui.presenters import MINIATURE, step_line
from pythia_gui.ui.widgets import ElidedLabel, Surface, plain_label, row_of

_PARTS = 1_000


class Header(Surface):
    """Answers at a first look: model, step, and whether the program is busy."""

    def __init__(self) -> None:
        super().__init__("window")
        self._entry: ModelEntry | None = None
        self._model = ElidedLabel("No model", size=1.2)
        self._step = plain_label()
        self._kind = plain_label(role="muted")
        self._activity = plain_label()
        self._activity.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._place = plain_label("idle", role="muted")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, _PARTS)
        self._bar.setFixedHeight(3)
        self._bar.setAccessibleName("Progress")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = row_of(
            self._model,
            self._step,
            self._kind,
            None,
            self._activity,
            self._place,
            margins=(16, 6, 16, 5),
            gap=16,
        )
        column.addLayout(row)
        column.addWidget(self._bar)
        self.show_activity(Activity())
        self._embolden()
        theme.events.theme_changed.connect(self._embolden)

    def show_model(self, entry: ModelEntry) -> None:
        """Name the model."""
        self._entry = entry
        self._model.setText(entry.name)
        self._kind.setText(MINIATURE if entry.source == "demo" else "")

    def show_step(self, step: int) -> None:
        """Say where the timeline stands."""
        self._step.setText(step_line(self._entry, step) if self._entry is not None else "")

    def show_activity(self, activity: Activity) -> None:
        """Say what is being computed, and where."""
        said = " · ".join(part for part in (activity.text, activity.left) if part)
        self._activity.setText(said if activity.running else "")
        place = [activity.place] if activity.place else []
        self._place.setText(" · ".join(place if activity.running else [*place, "idle"]))
        if activity.running and activity.fraction is None:
            self._bar.setRange(0, 0)
        else:
            self._bar.setRange(0, _PARTS)
            self._bar.setValue(round((activity.fraction or 0) * _PARTS))
        self._bar.setProperty("idle", not activity.running)
        retain = self._bar.sizePolicy()
        retain.setRetainSizeWhenHidden(True)
        self._bar.setSizePolicy(retain)
        self._bar.setVisible(activity.running)

    def _embolden(self) -> None:
        font = QFont(theme.ui_font(1.2, bold=True))
        self._model.setFont(font)
