"""The chooser of the two checkpoints that are compared, in one row."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QCompleter, QSizePolicy, QWidget

from pythia_gui.core.library import ModelEntry
from pythia_gui.core.steps import format_step, snap
from pythia_gui.ui import theme
from pythia_gui.ui.presenters import why_not_here
from pythia_gui.ui.questions import Pin
from pythia_gui.ui.widgets import IconButton, PlainLabel, row_of, set_tool_tip, tool_tip
from pythia_gui.ui.workspace import Workspace

_KEY = Qt.ItemDataRole.UserRole


class PairChooser(QWidget):
    """Names A and B, and takes others: by model, by step, or the step under the timeline."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.a = SideChooser("A")
        self.b = SideChooser("B")
        self._swap = IconButton("swap", "Swap A and B")
        row = row_of(self.a, self._swap, self.b, gap=12)
        row.setStretch(0, 1)
        row.setStretch(2, 1)
        self.setLayout(row)
        self.setAccessibleName("The two checkpoints that are compared")
        self._connect()
        self._show_pair()

    @property
    def pair(self) -> tuple[Pin, Pin] | None:
        """The two that are named, None while one of them is not chosen."""
        one, other = self.a.pin, self.b.pin
        return (one, other) if one is not None and other is not None else None

    def swap(self) -> None:
        """Call A what was B."""
        pair = self.pair
        if pair is not None:
            self._workspace.set_pair(pair[1], pair[0])

    def _connect(self) -> None:
        said = self._workspace
        self.a.chosen.connect(self._take)
        self.a.shown_wanted.connect(self._take_shown_as_a)
        self.b.chosen.connect(self._take)
        self.b.shown_wanted.connect(self._take_shown_as_b)
        self._swap.clicked.connect(self.swap)
        said.model_changed.connect(self._show_pair)
        said.models_changed.connect(self._show_pair)
        said.pair_changed.connect(self._show_pair)
        said.question_changed.connect(self._show_pair)
        said.step_changed.connect(self._show_shown)

    def _take(self) -> None:
        pair = self.pair
        if pair is not None:
            self._workspace.set_pair(*pair)

    def _take_shown_as_a(self) -> None:
        self._take_shown(self.a)

    def _take_shown_as_b(self) -> None:
        self._take_shown(self.b)

    def _take_shown(self, side: "SideChooser") -> None:
        entry = self._workspace.entry
        if entry is not None:
            side.show_pin(Pin(entry.key, self._workspace.step), self._models())
            self._take()

    def _models(self) -> tuple[ModelEntry, ...]:
        return tuple(self._workspace.models.values())

    def _show_pair(self, *_: object) -> None:
        pair = self._workspace.pair
        for side, pin in zip((self.a, self.b), pair or (self.a.pin, self.b.pin), strict=True):
            side.show_pin(pin, self._models())
        self._swap.setEnabled(self.pair is not None)
        self._show_shown()

    def _show_shown(self, *_: object) -> None:
        """Say what the buttons would take, or why they can't."""
        entry, step = self._workspace.entry, self._workspace.step
        for side in (self.a, self.b):
            side.offer(entry, step)


class StrongLabel(PlainLabel):
    """A plain label in bold, whatever the theme and the text size become."""

    def _dress(self) -> None:
        super()._dress()
        self.setFont(theme.ui_font(bold=True))


class SideChooser(QWidget):
    """Chooses one of the two: a model, and one of its steps that are on this machine."""

    chosen = Signal()  # a person chose another checkpoint: `pin`
    shown_wanted = Signal()  # a person wants the step under the timeline

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._models: tuple[ModelEntry, ...] = ()
        self._entry: ModelEntry | None = None
        self._pin: Pin | None = None
        self.model = QComboBox()
        self.step = StepField(f"Step of {name}")
        self.shown = IconButton("here", f"Use the step shown as {name}")
        self._letter = StrongLabel(name)
        self._letter.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.model.setAccessibleName(f"Model of {name}")
        self.model.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.model.setMinimumContentsLength(8)
        self.model.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.model.setMaximumWidth(theme.GRID * 30)
        parts = (self._letter, self.model, self.step, self.shown)
        row = row_of(*parts, gap=4, stretch=self.model)
        row.addStretch(0)
        self.setLayout(row)
        self.model.activated.connect(self._on_model)
        self.step.chosen.connect(self._on_step)
        self.shown.clicked.connect(self.shown_wanted)

    @property
    def pin(self) -> Pin | None:
        """The checkpoint that is named, None before one is chosen."""
        return self._pin

    def show_pin(self, pin: Pin | None, models: Sequence[ModelEntry]) -> None:
        """Name a checkpoint, without announcing it."""
        if tuple(models) != self._models:
            self._models = tuple(models)
            self._fill_models()
        self._pin = pin
        self._entry = next((m for m in models if pin is not None and m.key == pin.model), None)
        with QSignalBlocker(self.model):
            self.model.setCurrentIndex(-1 if pin is None else self.model.findData(pin.model, _KEY))
        set_tool_tip(self.model, self._entry.name if self._entry is not None else "")
        self.step.show_steps(self._entry, None if pin is None else pin.step)

    def offer(self, entry: ModelEntry | None, step: int) -> None:
        """Say what the button takes: the step of a model under the timeline."""
        here = entry is not None and step in entry.here
        self.shown.setEnabled(here)
        if entry is None:
            why = "Choose a model on the left first."
        else:
            what = f"Use the step shown, {format_step(step)} of {entry.name}, as {self._name}"
            why = what if here else why_not_here(entry, step)
        self.shown.set_name(f"Use the step shown as {self._name}", why)

    def _fill_models(self) -> None:
        items = QStandardItemModel(self)
        for entry in self._models:
            step = min(entry.steps, default=0)
            why = "" if entry.here else why_not_here(entry, step)
            items.appendRow(_item(entry.name, entry.key, why))
        with QSignalBlocker(self.model):
            self.model.setModel(items)

    def _on_model(self, row: int) -> None:
        entry = self._models[row]
        if not entry.here:
            return
        wanted = self._pin.step if self._pin is not None else max(entry.here)
        self._take(Pin(entry.key, snap(wanted, entry.here)))

    def _on_step(self, step: int) -> None:
        if self._pin is not None:
            self._take(Pin(self._pin.model, step))

    def _take(self, pin: Pin) -> None:
        if pin != self._pin:
            self.show_pin(pin, self._models)
            self.chosen.emit()


class StepField(QComboBox):
    """A step of one model, picked from the list or typed; those not on this machine say why."""

    chosen = Signal(int)  # a person chose this step, which is on this machine

    def __init__(self, name: str) -> None:
        super().__init__()
        self._entry: ModelEntry | None = None
        self._step: int | None = None
        self.setAccessibleName(name)
        self.setEditable(True)
        field = self.lineEdit()
        assert field is not None  # an editable box has one
        self._field = field
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setMinimumContentsLength(6)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMaxVisibleItems(16)
        self.activated.connect(self._on_row)
        self._field.textEdited.connect(self._on_edited)
        self._field.editingFinished.connect(self._on_typed)

    def show_steps(self, entry: ModelEntry | None, step: int | None) -> None:
        """Offer a model's steps, one of them chosen, without announcing it."""
        with QSignalBlocker(self):
            if entry != self._entry:
                self._entry = entry
                self._fill()
            self._step = step
            self.setEnabled(entry is not None)
            self._show_step()

    def why_not(self, typed: str) -> str:
        """Return why a typed text is no step that can be compared, empty where it is one."""
        entry, step = self._entry, _number(typed)
        if entry is None or not typed.strip():
            return "Type a step."
        if step is None:
            return "A step is a whole number, such as 4,000."
        if step not in entry.steps:
            near = snap(step, entry.here or entry.steps)
            return f"{entry.name} has no step {step:,}; {near:,} is the nearest on this machine."
        return "" if step in entry.here else why_not_here(entry, step)

    def _fill(self) -> None:
        items = QStandardItemModel(self)
        entry = self._entry
        for step in sorted(entry.steps) if entry is not None else ():
            assert entry is not None
            why = "" if step in entry.here else why_not_here(entry, step)
            remark = (entry.known_bad or {}).get(step, "") or (entry.notes or {}).get(step, "")
            items.appendRow(_item(f"{step:,}", step, why, remark))
        self.setModel(items)
        matches = QCompleter(items, self)
        matches.setFilterMode(Qt.MatchFlag.MatchContains)
        matches.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.setCompleter(matches)

    def _show_step(self) -> None:
        step = self._step
        self.setCurrentIndex(-1 if step is None else self.findData(step, _KEY))
        self.setEditText("" if step is None else f"{step:,}")
        self._complain("")

    def _complain(self, why: str) -> None:
        field = self._field
        set_tool_tip(self, why or "The step: pick it from the list, or type it")
        field.setProperty("invalid", bool(why))
        palette = self.palette()
        colors = theme.current_theme()
        palette.setColor(field.foregroundRole(), colors.error if why else colors.text)
        field.setPalette(palette)

    def _on_row(self, row: int) -> None:
        self._choose(f"{self.itemData(row, _KEY)}")

    def _on_edited(self, typed: str) -> None:
        self._complain(self.why_not(typed) if typed.strip() else "")

    def _on_typed(self) -> None:
        self._choose(self._field.text())

    def _choose(self, typed: str) -> None:
        """Take a step; one that can't be compared stays in red with its reason."""
        why = self.why_not(typed)
        step = _number(typed)
        if why or step is None:
            self._complain(why)
        elif step != self._step:
            self._step = step
            self._show_step()
            self.chosen.emit(step)
        else:
            self._show_step()


def _item(text: str, key: object, why_not: str, remark: str = "") -> QStandardItem:
    item = QStandardItem(text)
    item.setData(key, _KEY)
    item.setEnabled(not why_not)
    item.setToolTip(tool_tip(why_not or remark))
    return item


def _number(typed: str) -> int | None:
    """Return the step that a text names: `4000`, `4,000`, `step 4 000`."""
    digits = "".join(typed.casefold().replace("step", "").replace(",", "").split())
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
