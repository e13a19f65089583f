"""What every comparing view has in common: a plan, its run, a table twin, an empty state."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLayout,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QWidget,
)

from pythia_gui.core.events import Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import ModelEntry, PromptError
from pythia_gui.core.precision import BYTES
from pythia_gui.core.requests import Checkpoint, Request
from pythia_gui.ui.pace import Cost
from pythia_gui.ui.questions import Ending
from pythia_gui.ui.runner import Runner
from pythia_gui.ui.tables import Table, TableView
from pythia_gui.ui.widgets import (
    ElidedLabel,
    IconButton,
    Surface,
    column_of,
    plain_label,
    row_of,
)
from pythia_gui.ui.workspace import Workspace

FRAME_MS = 33
LONGEST_FRAME_MS = 1_000
REST = 4  # drawing takes one part of the GUI thread's time in so many more while answers come
MESSAGE_WIDTH = 480
GIB = 1 << 30
GB = 10**9


@dataclass(frozen=True, slots=True)
class Plan:
    """What a view would ask, and a remark on what it leaves out.

    With a `message` nothing can be asked: one sentence says why and what to do.
    """

    requests: tuple[Request, ...] = ()
    remark: str = ""
    message: str = ""


class Page(Surface):
    """A view with its tools above it, built when it is first looked at.

    A subclass says what it asks (`plan`), takes the answers (`take`), draws them (`redraw`) and
    tabulates them (`table`). It is asked for a plan when the question on screen changes; a plan
    that is not the last one's clears the view. A short run begins by itself, a long one when
    the person has seen what it costs.
    """

    prompt_chosen = Signal(str, object)  # a text and its tuple of Ending: open it everywhere
    activity_changed = Signal()
    noticed = Signal(str)

    name = ""
    empty = "Press Run to ask this question."

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        self.runner: Runner = workspace.runner(type(self).__name__)
        self._plan: Plan | None = None
        self._before: QWidget | None = None
        self._ending = ""
        self._shown = False
        self._dirty = False
        self._pause_ms = FRAME_MS
        self._due = QTimer(self, singleShot=True, interval=0)
        self._frame = QTimer(self, singleShot=True, interval=FRAME_MS)
        self._lay_out()
        self._connect()

    # -- what a subclass says -----------------------------------------------------------------

    def build(self) -> QWidget:
        """Return the view itself; called once, before the first plan."""
        raise NotImplementedError

    def plan(self) -> Plan:
        """Return what is to be asked for the question on screen.

        A `PromptError` or `CheckpointError` that it raises becomes the plan's message.
        """
        raise NotImplementedError

    def clear(self) -> None:
        """Forget the answers: another plan begins."""

    def take(self, result: Result) -> None:
        """Take an answer; it may be the second for its checkpoint and prompt."""

    def redraw(self) -> None:
        """Draw what is known; at most once a frame."""

    def table(self) -> Table:
        """Return the view as a table."""
        return Table()

    def row_chosen(self, row: int) -> None:
        """Follow a row of the table twin."""

    # -- what the window says -----------------------------------------------------------------

    def set_shown(self, shown: bool) -> None:  # noqa: FBT001 - a slot
        """Ask and draw while the page is looked at."""
        self._shown = shown
        if shown:
            self._due.start()

    def stop(self) -> None:
        """Stop what is being computed."""
        self.runner.stop()

    def follow(self, before: QWidget) -> None:
        """Have the Tab key come here from another widget of the window."""
        self._before = before

    # -- for the subclass ---------------------------------------------------------------------

    def refresh(self) -> None:
        """Plan anew with the event loop's next turn: what the view asks may have changed."""
        self._due.start()

    def touch(self) -> None:
        """Draw anew with the next frame."""
        self._dirty = True
        self._draw_in(FRAME_MS)

    def measure(self) -> None:
        """Run the plan."""
        if self._plan is not None and self._plan.requests:
            self._ending = ""
            self.runner.start(self._plan.requests)

    @property
    def tools(self) -> QHBoxLayout:
        """The row above the view, for the subclass's own tools."""
        return self._tools

    def open_prompt(self, text: str, endings: Sequence[Ending] = ()) -> None:
        """Put a prompt into all views."""
        self.prompt_chosen.emit(text, tuple(endings))

    # -- the page itself ----------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._tools = QHBoxLayout()
        self._tools.setSpacing(16)
        self._table = TableView(f"Table of {self.name}")
        self._as_table = IconButton(
            "table", "Table", "Show the same numbers as a table", checkable=True
        )
        self._copy = IconButton("copy", "Copy as CSV", "Copy the numbers of this view as CSV")
        self._measure = QPushButton("Measure")
        self._stop = QPushButton("Stop")
        self._says = ElidedLabel(role="muted")
        self._message = plain_label("", role="muted", wrap=True)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._message.setMinimumWidth(MESSAGE_WIDTH)
        self._pages = QStackedWidget()
        self._nothing = Surface()
        self._nothing.setLayout(row_of(None, self._message, None, margins=(24, 24, 24, 24)))
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(self._table)
        top = QHBoxLayout()
        top.setSpacing(16)
        top.addLayout(self._tools)
        top.addStretch(1)
        top.addLayout(row_of(self._as_table, self._copy, gap=0))
        bar = row_of(self._says, self._measure, self._stop, stretch=self._says)
        bar.setSpacing(8)
        whole = column_of(gap=4, margins=(12, 4, 12, 8))
        whole.addLayout(top)
        whole.addLayout(bar)
        whole.addWidget(self._pages, 1)
        self.setLayout(whole)
        self._stop.hide()
        self._measure.hide()

    def _connect(self) -> None:
        self._due.timeout.connect(self._replan)
        self._frame.timeout.connect(self._draw)
        self._measure.clicked.connect(self.measure)
        self._stop.clicked.connect(self.stop)
        self._as_table.toggled.connect(self._on_as_table)
        self._copy.clicked.connect(self._copy_csv)
        self._table.row_chosen.connect(self.row_chosen)
        self.runner.result_arrived.connect(self._on_result)
        self.runner.changed.connect(self._on_changed)
        self.runner.ended.connect(self._on_ended)
        self.runner.noticed.connect(self.noticed)
        self.workspace.question_changed.connect(self._on_question)

    def _on_question(self) -> None:
        if self._shown or self._plan is not None:
            self._due.start()

    def _replan(self) -> None:
        """Plan, and begin what is short; a page that is not looked at only stops."""
        if self._shown and self._pages.count() == 2:
            self._view = self.build()
            self._pages.addWidget(self._view)
            self._take_turn()
        plan = self._planned()
        if self._plan is not None and plan == self._plan:
            self._draw()
            return
        self.runner.reset()
        self._plan = plan if self._shown else None
        self._ending = ""
        if self._pages.count() > 2:
            self.clear()
        self._dirty = True
        if self._shown:
            if plan.requests and not plan.message and self._cost().short:
                self.measure()
            self._draw()

    def _take_turn(self) -> None:
        """Give the Tab key the order of the layout: what is made late stands last else."""
        last = self._before
        for part in in_layout_order(self):
            takes = part.focusPolicy() & Qt.FocusPolicy.TabFocus and part.focusProxy() is None
            if takes and last is not None:
                QWidget.setTabOrder(last, part)
                last = part

    def _planned(self) -> Plan:
        try:
            return self.plan()
        except (PromptError, CheckpointError) as problem:
            return Plan(message=str(problem) or self.empty)

    def _cost(self) -> Cost:
        return self.workspace.pace.cost(self._plan.requests if self._plan else ())

    def _on_result(self, result: Result) -> None:
        self.take(result)
        self._dirty = True
        self._draw_in(self._pause_ms)

    def _on_changed(self) -> None:
        self.activity_changed.emit()
        self._draw_in(self._pause_ms)

    def _on_ended(self, why: str) -> None:
        self._ending = why
        self.touch()

    def _on_as_table(self) -> None:
        self._show_table()
        self._show_pages()

    def _draw_in(self, wait_ms: int) -> None:
        """Draw after a while, or sooner if that is due already."""
        waits = self._frame.isActive() and self._frame.remainingTime() <= wait_ms
        if self._shown and not waits:
            self._frame.start(wait_ms)

    def _draw(self) -> None:
        """Draw; what takes long to draw is drawn the less often while answers come."""
        if not self._shown or self._pages.count() < 3:
            return
        begun_s = monotonic()
        self._say()
        self._show_pages()
        if self._dirty:
            self._dirty = False
            self.redraw()
            self._show_table()
        took_ms = round(1_000 * (monotonic() - begun_s))
        self._pause_ms = min(max(FRAME_MS, REST * took_ms), LONGEST_FRAME_MS)

    def _show_table(self) -> None:
        if self._as_table.isChecked() and self._pages.count() > 2:
            self._table.show_table(self.table())

    def _show_pages(self) -> None:
        message = self._plan.message if self._plan is not None else ""
        self._message.setText(message)
        for tool in (self._as_table, self._copy):
            tool.setVisible(not message)
        if message or self._pages.count() < 3:
            self._pages.setCurrentWidget(self._nothing)
        else:
            self._pages.setCurrentWidget(self._table if self._as_table.isChecked() else self._view)

    def _say(self) -> None:
        """Say what the run is or would be, in one line."""
        plan, running = self._plan, self.runner.running
        come = self.runner.total > 0 and self.runner.done == self.runner.total
        asks = plan is not None and bool(plan.requests) and not plan.message
        self._stop.setVisible(running)
        self._measure.setVisible(asks and not running and not come)
        self._says.setText(self._line(plan, come=come) if plan is not None else "")

    def _line(self, plan: Plan, *, come: bool) -> str:
        if plan.message:
            return ""
        done, total = self.runner.done, self.runner.total
        if self.runner.running:
            parts = [f"{done:,} of {total:,} answers", self.runner.left, plan.remark]
        elif come:
            parts = [f"{done:,} answers" if done > 1 else "1 answer", plan.remark, self._ending]
        else:
            some = f"{done:,} of {total:,} answers" if done else ""
            cost = cost_line(self._cost(), self._absent()) if plan.requests else ""
            parts = [some, self._ending, cost, plan.remark]
        return " · ".join(filter(None, parts))

    def _absent(self) -> "Absent":
        requests = self._plan.requests if self._plan is not None else ()
        at = [checkpoint for request in requests for checkpoint in request.checkpoints]
        return absent_of(at, self.workspace.models.values())

    def _copy_csv(self) -> None:
        QGuiApplication.clipboard().setText(self.table().as_csv())


def in_layout_order(part: QWidget | QLayout | None) -> Iterator[QWidget]:
    """Yield a widget and all that is laid out in it, as it is read."""
    parts: Iterable[QWidget | QLayout | None] = ()
    if isinstance(part, QLayout):
        items = (part.itemAt(place) for place in range(part.count()))
        parts = [item.widget() or item.layout() for item in items if item is not None]
    elif part is not None:
        yield part
        parts = [part.layout()]
        if isinstance(part, QSplitter):
            parts = [part.widget(place) for place in range(part.count())]
        elif isinstance(part, QScrollArea):
            parts = [part.widget()]
    for inner in parts:
        yield from in_layout_order(inner)


@dataclass(frozen=True, slots=True)
class Absent:
    """What would have to be downloaded to ask every checkpoint of some models."""

    checkpoints: int = 0
    size_bytes: int = 0


def absent_of(at: Sequence[Checkpoint], entries: Iterable[ModelEntry]) -> Absent:
    """Return how many more checkpoints the models of `at` have that are not on this machine.

    Known-bad ones are left out, as they are by sweeps. The size is that of the weights in the
    dtype they were trained in.
    """
    models = {checkpoint.model: checkpoint for checkpoint in at}
    count = size = 0
    for entry in entries:
        one = models.pop(entry.name, None)
        if one is not None:
            missing = len(set(entry.steps) - entry.here - set(entry.known_bad or ()))
            count += missing
            size += missing * one.config.parameters * BYTES[one.training_dtype]
    return Absent(count, size)


def cost_line(cost: Cost, absent: Absent = Absent()) -> str:
    """Return what a run costs, in words: checkpoints, those to download, time and memory."""
    parts = [f"{cost.checkpoints:,} checkpoints" if cost.checkpoints != 1 else "1 checkpoint"]
    parts[0] += " on this machine"
    if absent.checkpoints:
        gigabytes = f"{absent.size_bytes / GB:,.1f} GB"
        parts.append(f"{absent.checkpoints:,} more would have to be downloaded, {gigabytes}")
    if cost.prompts > 1:
        parts.append(f"{cost.prompts:,} prompts")
    parts.append(
        "time not known before the first"
        if cost.seconds is None
        else f"at most {duration(cost.seconds)}"
    )
    parts.append(f"{cost.memory_bytes / GIB:.1f} GiB of memory")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Return a length of time in the unit that fits it."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"
