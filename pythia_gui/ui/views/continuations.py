"""What pinned steps write with the same noise, side by side, and how that changes in training."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from PySide6.QtCore import QRegularExpression, Qt
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QWidget,
)

from pythia_gui.core.branches import Branch
from pythia_gui.core.events import Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import ModelEntry, PromptError
from pythia_gui.core.requests import Checkpoint, Continue, Prompt, Request
from pythia_gui.core.steps import format_step, log_steps
from pythia_gui.ui import theme
from pythia_gui.ui.branch_tree import BranchTree
from pythia_gui.ui.presenters import why_not_here
from pythia_gui.ui.questions import (
    Key,
    Pin,
    Wording,
    coarse_first,
    files_of,
    swept_steps,
    tokenizer_of,
)
from pythia_gui.ui.reveal import reveal
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.tables import Table
from pythia_gui.ui.values import ShownText
from pythia_gui.ui.views.continuation_columns import ContinuationColumns, Head, change_key
from pythia_gui.ui.views.continuation_plot import MeasurePlot
from pythia_gui.ui.views.continuation_texts import (
    Written,
    cell_line,
    head_line,
    panels_of,
    samples_of,
    shared_start,
    table_of,
)
from pythia_gui.ui.views.page import Page, Plan
from pythia_gui.ui.widgets import (
    IconButton,
    Surface,
    column_of,
    plain_label,
    row_of,
    set_tool_tip,
)
from pythia_gui.ui.workspace import Workspace

MOST_SAMPLES = 16
MOST_NEW_TOKENS = 512
MOST_KEPT = 2_000
NO_PINS = (
    "No step is pinned. Go to a step with the timeline and pin it with Ctrl+D: two to six steps "
    "stand here side by side, each continuing the prompt with the same noise."
)
GREEDY = "greedy: one sample; raise the temperature to draw more"
WHY_ONE = "Greedy takes the most likely token each time: every sample would be the same"
_LARGEST_SEED = 2**63 - 1
_TREE_WIDTH = theme.GRID * 33


class Continuations(Page):
    """What pinned steps write, side by side."""

    name = "Continuations"

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._results: dict[Key, Result] = {}
        self._asked: Continue | None = None
        self._columns: tuple[Written, ...] = ()
        self._swept: tuple[int, ...] = ()
        self._view_of = Segments(
            "Show",
            (("texts", "Texts"), ("log", "Log steps"), ("all", "All steps")),
            {
                "texts": "What each pinned step writes",
                "log": "How varied, repetitive and surprising texts are at steps 0, 1, 2, 4, ...",
                "all": "The same for every step on this machine",
            },
        )
        self._set_up_tools()

    # ------------------------------------------------------------------------- parts

    def build(self) -> QWidget:
        self._texts = ContinuationColumns()
        self._plot = MeasurePlot()
        self._key = change_key()
        self._stack = QStackedWidget()
        self._stack.addWidget(self._texts)
        self._stack.addWidget(self._plot)
        self._tree = BranchTree(self.workspace.branching)
        split = QSplitter(Qt.Orientation.Horizontal)
        left = Surface()
        column = column_of(self._stack, gap=0, stretch=self._stack)
        column.addLayout(row_of(self._key, None, self._branches, margins=(8, 4, 12, 0)))
        left.setLayout(column)
        split.addWidget(left)
        split.addWidget(self._tree)
        split.setStretchFactor(0, 1)
        split.setSizes([1_000, _TREE_WIDTH])
        split.setCollapsible(0, False)  # noqa: FBT003
        self._tree.setVisible(self._branches.isChecked())
        self._connect_view()
        return split

    def _connect_view(self) -> None:
        self._branches.toggled.connect(self._tree.setVisible)
        self._plot.step_requested.connect(self.workspace.show_step)
        self._texts.choice_requested.connect(self._on_choice)
        self._texts.step_requested.connect(self._on_column)
        self._texts.unpin_requested.connect(self._on_unpin)
        self._tree.branch_chosen.connect(self._on_branch)
        self.workspace.step_changed.connect(self._on_step)
        self._plot.select(self.workspace.step)

    def _set_up_tools(self) -> None:
        settings = self.workspace.settings
        self._samples = _whole(1, MOST_SAMPLES, "Continuations per step")
        self._temperature = QDoubleSpinBox()
        self._temperature.setRange(0.0, 10.0)
        self._temperature.setSingleStep(0.1)
        self._temperature.setDecimals(2)
        self._temperature.lineEdit().setTextMargins(4, 0, 0, 0)
        self._temperature.setKeyboardTracking(False)
        set_tool_tip(self._temperature, "0 is greedy; 1 is the model's own odds")
        self._seed = QLineEdit()
        self._seed.setValidator(QRegularExpressionValidator(QRegularExpression("[0-9]{1,19}")))
        set_tool_tip(self._seed, "The same seed meets the same noise at every step")
        self._new_tokens = _whole(1, MOST_NEW_TOKENS, "Tokens that each continuation adds")
        self._branches = QToolButton()
        self._branches.setText("Branches")
        self._branches.setCheckable(True)
        self._branches.setChecked(True)
        self._branches.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        set_tool_tip(self._branches, "Show the tree of prompts made by taking other tokens")
        self._pin = IconButton("pin", "Pin this step", "Give this step a column (Ctrl+D)")
        self._samples.setValue(min(settings.samples, MOST_SAMPLES))
        self._temperature.setValue(settings.sampling.temperature)
        self._seed.setText(str(settings.sampling.seed))
        self._new_tokens.setValue(max(settings.new_tokens, 1))
        self.tools.addWidget(self._view_of)
        for name, field in (
            ("Samples", self._samples),
            ("Temperature", self._temperature),
            ("Seed", self._seed),
            ("Tokens", self._new_tokens),
        ):
            self.tools.addLayout(_labelled(name, field))
        self.tools.addWidget(self._pin)
        self._connect_tools()
        self._fit_tools()
        self._show_tools()

    def _fit_tools(self) -> None:
        """Make the fields as wide as their numbers: the row holds many."""
        digit = self.fontMetrics().horizontalAdvance("0")
        for field, digits in (
            (self._samples, 2),
            (self._temperature, 5),
            (self._seed, 7),
            (self._new_tokens, 3),
        ):
            field.setFixedWidth(digits * digit + theme.GRID * (3 if field is self._seed else 5))

    def _connect_tools(self) -> None:
        self._view_of.chosen.connect(self._on_tools)
        self._new_tokens.valueChanged.connect(self._on_tools)
        self._pin.clicked.connect(self.workspace.pin)
        self._samples.valueChanged.connect(self._on_tools)
        self._seed.editingFinished.connect(self._on_tools)
        self._temperature.valueChanged.connect(self._on_tools)
        self.workspace.pins_changed.connect(self._on_pins)
        theme.events.theme_changed.connect(self._fit_tools)

    def _show_tools(self) -> None:
        greedy = self._temperature.value() == 0
        self._samples.setEnabled(not greedy)
        set_tool_tip(self._samples, WHY_ONE if greedy else "Continuations per step")
        self._pin.setVisible(not self._training)

    @property
    def _training(self) -> bool:
        return self._view_of.key != "texts"

    # ------------------------------------------------------------------------- asking

    def plan(self) -> Plan:
        """Ask the pinned checkpoints, or those of the shown model over training."""
        wanted = self._asked = self._wanted()
        self.workspace.asking(endings=False)
        if self._training:
            return self._training_plan(wanted)
        pins = [pin for pin in self.workspace.pins if pin.model in self.workspace.models]
        if not pins:
            return Plan(message=NO_PINS)
        found = [(pin.model, self._checkpoint(pin)) for pin in pins if not self._obstacle(pin)]
        remark = GREEDY if wanted.sampling.greedy else ""
        return Plan(self._requests(found, wanted), remark)

    def _training_plan(self, wanted: Continue) -> Plan:
        entry = self.workspace.entry
        steps = self._steps()
        if entry is None or not steps:
            return Plan(
                message="Nothing of this model is on this machine: there is nothing to ask."
            )
        obstacle = self._obstacle(Pin(entry.key, steps[-1]))
        if obstacle:
            return Plan(message=obstacle)
        found = [
            (entry.key, self._checkpoint(Pin(entry.key, step))) for step in coarse_first(steps)
        ]
        return Plan(self._requests(found, wanted), GREEDY if wanted.sampling.greedy else "")

    def _steps(self) -> tuple[int, ...]:
        entry = self.workspace.entry
        if entry is None:
            return ()
        steps = swept_steps(entry) or tuple(sorted(entry.here))
        return log_steps(steps) if steps and self._view_of.key == "log" else steps

    def _wanted(self) -> Continue:
        temperature = self._temperature.value()
        seed = min(int(self._seed.text() or 0), _LARGEST_SEED)
        drawn = replace(self.workspace.settings.sampling, temperature=temperature, seed=seed)
        samples = 1 if drawn.greedy else self._samples.value()
        return Continue(self._new_tokens.value(), samples, drawn)

    def _requests(
        self, found: Sequence[tuple[str, Checkpoint]], wanted: Continue
    ) -> tuple[Request, ...]:
        """Return one request per model, in the order given."""
        return tuple(
            Request(
                self.runner.slot,
                tuple(checkpoint for _, checkpoint in group),
                (self._prompt(model),),
                next_token=False,
                continuation=wanted,
                top_k=self.workspace.settings.top_k,
                background=True,
            )
            for model, group in groupby(found, key=_model_of)
        )

    def _prompt(self, model: str) -> Prompt:
        return self.workspace.asking(model, endings=False)

    def _checkpoint(self, pin: Pin) -> Checkpoint:
        return self.workspace.library.checkpoint(pin.model, pin.step)

    def _obstacle(self, pin: Pin) -> str:
        """Return why a checkpoint can't be asked, empty if it can."""
        entry, wanted = self.workspace.models[pin.model], self._wanted()
        if pin.step not in entry.here:
            return why_not_here(entry, pin.step)
        try:
            prompt = self._prompt(pin.model)
            self._checkpoint(pin)
        except (PromptError, CheckpointError) as problem:
            return str(problem)
        return _too_long(entry, prompt, wanted.max_new_tokens)

    # ------------------------------------------------------------------------- answers

    def take(self, result: Result) -> None:
        """File an answer under what was asked."""
        if self._asked is None:
            return
        self._results[self._key_of(result.checkpoint, result.prompt)] = result
        while len(self._results) > MOST_KEPT:
            del self._results[next(iter(self._results))]

    def _key_of(self, checkpoint: Checkpoint, prompt: Prompt) -> Key:
        return (*files_of(checkpoint), prompt.token_ids, self._asked)

    def _written(self, pin: Pin) -> Written:
        entry = self.workspace.models[pin.model]
        obstacle = self._obstacle(pin)
        if obstacle:
            return Written(pin.model, entry.name, pin.step, message=obstacle)
        result = self._results.get(self._key_of(self._checkpoint(pin), self._prompt(pin.model)))
        waiting = self.runner.running
        message = f"Computing {format_step(pin.step)} ..." if waiting else "Not measured yet."
        return Written(pin.model, entry.name, pin.step, result, message, waiting)

    def redraw(self) -> None:
        """Draw the columns or the trajectories."""
        self._stack.setCurrentIndex(1 if self._training else 0)
        self._key.setVisible(not self._training)
        if self._training:
            self._draw_training()
        else:
            self._draw_texts()

    def _draw_texts(self) -> None:
        models = self.workspace.models
        pins = [pin for pin in self.workspace.pins if pin.model in models]
        columns = self._columns = tuple(self._written(pin) for pin in pins)
        many = self._asked.samples if self._asked is not None else 1
        texts = samples_of(columns, many)
        names = [_sample_name(self._asked, sample, texts[sample]) for sample in range(many)]
        lines = [[cell_line(column, sample) for column in columns] for sample in range(many)]
        self._texts.show_columns([self._head(column) for column in columns], names, texts, lines)

    def _head(self, column: Written) -> Head:
        return Head(column.name, column.step, head_line(column), self._is_here(column))

    def _is_here(self, column: Written) -> bool:
        entry = self.workspace.entry
        own = entry is not None and entry.key == column.model
        return own and column.step == self.workspace.step

    def _draw_training(self) -> None:
        entry = self.workspace.entry
        if entry is None:
            return
        steps = self._steps()
        self._columns = tuple(self._written(Pin(entry.key, step)) for step in steps)
        known = {one.step: one.result for one in self._columns if one.result is not None}
        self._plot.show_panels(panels_of(entry, steps, known))

    def table(self) -> Table:
        """Return a row per checkpoint and sample."""
        return table_of(self._columns, self._asked.samples if self._asked is not None else 0)

    def row_chosen(self, row: int) -> None:
        """Go to the checkpoint of a row."""
        samples = self._asked.samples if self._asked is not None else 1
        if 0 <= row // samples < len(self._columns):
            self._go_to(self._columns[row // samples])

    # ------------------------------------------------------------------------- wishes

    def _on_tools(self) -> None:
        self._show_tools()
        self.refresh()
        self.touch()

    def _on_pins(self) -> None:
        self.refresh()

    def _on_step(self, step: int) -> None:
        self._plot.select(step)
        if not self._training:
            self._texts.show_here([self._is_here(column) for column in self._columns])

    def _on_column(self, column: int) -> None:
        self._go_to(self._columns[column])

    def _on_unpin(self, column: int) -> None:
        shown = self._columns[column]
        self.workspace.unpin(self.workspace.pins.index(Pin(shown.model, shown.step)))

    def _go_to(self, column: Written) -> None:
        self.workspace.show_model(column.model)
        self.workspace.show_step(column.step)

    def _on_choice(self, column: int, sample: int, position: int, token_id: int) -> None:
        """Take another token in what a column wrote, and ask all steps to go on from there."""
        shown = self._columns[column]
        if shown.result is None:
            return
        found = [one for one in shown.result.continuations if one.sample == sample]
        written = found[0].token_ids.tolist() if found else []
        if position < len(written):
            ids = (*shown.result.prompt.token_ids, *written[:position], token_id)
            library = self.workspace.library
            text = "".join(library.token_texts(shown.model, ids))
            self.workspace.reword(Wording(text, ids, tokenizer_of(library, shown.model)))

    def _on_branch(self, branch: Branch) -> None:
        here = self.workspace.branching.current
        if here is None or here.number != branch.number:
            self.workspace.reword(Wording(branch.text, branch.token_ids, branch.tokenizer_sha256))


def _model_of(found: tuple[str, Checkpoint]) -> str:
    return found[0]


def _too_long(entry: ModelEntry, prompt: Prompt, new_tokens: int) -> str:
    room = entry.context - len(prompt.token_ids)
    if new_tokens <= room:
        return ""
    if room < 1:
        return (
            f"The prompt fills the context of {entry.name} ({entry.context:,} tokens); shorten it."
        )
    return (
        f"{entry.name} has room for {room:,} new tokens after this prompt (context "
        f"{entry.context:,}); ask for at most so many."
    )


def _sample_name(asked: Continue | None, sample: int, texts: Sequence[ShownText]) -> str:
    greedy = asked is None or asked.sampling.greedy
    name = "Greedy, the likeliest token each time"
    parts = [name] if greedy else [f"Sample {sample + 1}", "same noise in every column"]
    start = shared_start(texts)
    return " · ".join([*parts, *([f"all begin “{reveal(start)}”"] if start else [])])


def _labelled(name: str, field: QWidget) -> QHBoxLayout:
    label = plain_label(name, role="muted")
    label.setBuddy(field)
    field.setAccessibleName(name)
    return row_of(label, field)


def _whole(low: int, high: int, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setKeyboardTracking(False)
    set_tool_tip(box, tip)
    return box
