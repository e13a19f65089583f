"""A set of prompts over a grid of models and steps."""

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QComboBox, QLineEdit, QSplitter, QWidget

from pythia_gui.core.events import Result
from pythia_gui.core.library import ModelEntry, PromptError
from pythia_gui.core.prompt_sets import PromptSet
from pythia_gui.core.requests import Request
from pythia_gui.ui import theme
from pythia_gui.ui.pair_chooser import PairChooser
from pythia_gui.ui.presenters import why_not_here
from pythia_gui.ui.questions import Ending
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.scores import SCORE_TIPS, SCORES, ScoreKind
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.tables import Table, TableView
from pythia_gui.ui.views.page import Page, Plan
from pythia_gui.ui.views.prompt_set_asked import (
    Asking,
    Grid,
    Index,
    Reader,
    grid_steps,
    in_turn,
    relatives,
    with_suggestions,
)
from pythia_gui.ui.views.prompt_set_curve import CurveView, curves_of_row
from pythia_gui.ui.views.prompt_set_grid import ModelsButton, grid_segments
from pythia_gui.ui.views.prompt_set_rows import (
    ORDERS,
    ModelPart,
    Sheet,
    is_descending,
    table_of,
    whole_table,
    widths_of,
)
from pythia_gui.ui.views.prompt_set_sources import Sources
from pythia_gui.ui.widgets import column_of, row_of, set_tool_tip

if TYPE_CHECKING:
    from pythia_gui.ui.workspace import Workspace

READING_S = 0.03
ROWS_SHARE = 62  # percent of the height, once a curve is shown below
WIDTH_AIR = 24  # pixels in a cell beside its text
EMPTY = (
    "Ask many prompts at once: open a file (.txt with a prompt on each line, .csv or .jsonl with "
    "targets and foils), paste some, or take a bundled set. The table then tells which were "
    "learned when, which were forgotten, and which changed most between A and B."
)
NO_PAIR = "Choose A and B, or other steps."
ALL_GROUPS = "All groups"


class PromptSets(Page):
    """Asks many prompts at many steps, and shows which changed, when, and which were lost."""

    name = "Prompts"

    def __init__(self, workspace: "Workspace") -> None:
        super().__init__(workspace)
        self._reader: Reader | None = None
        self._read_for: object = None
        self._asking: Asking | None = None
        self._asked_for: object = None
        self._index: Index | None = None
        self._parts: list[ModelPart] = []
        self._texts: dict[int, str] = {}
        self._suggested: dict[int, tuple[int, str]] = {}
        self._suggested_for: object = None
        self._suggests = False  # whether targets are looked for
        self._requests: tuple[Request, ...] = ()
        self._goes_on = False
        self._ids: list[int] = []
        self._names: list[str] = []
        self._room = -1
        self._sorts = False
        self._chosen = -1
        self._again = QTimer(self, singleShot=True, interval=0)
        self._build_tools()
        self._connect_tools()

    @property
    def sources(self) -> Sources:
        """Where sets come from."""
        return self._sources

    def _build_tools(self) -> None:
        self._sources = Sources(self)
        self._models = ModelsButton()
        self._grid = grid_segments()
        files = row_of(self._sources.open, self._sources.bundled, self._sources.paste)
        self.tools.addLayout(files)
        self.tools.addWidget(self._models)
        self.tools.addWidget(self._grid)

    def _connect_tools(self) -> None:
        said = self.workspace
        self._again.timeout.connect(self.refresh)
        self._due.timeout.connect(self._go_on)
        self._grid.chosen.connect(self.refresh)
        self._models.chosen.connect(self.refresh)
        self._sources.chosen.connect(said.set_prompt_set)
        self._sources.failed.connect(self.noticed)
        self.runner.ended.connect(self._on_run_ended)
        said.pair_changed.connect(self._on_pair)
        said.prompt_set_changed.connect(self._on_set)
        said.step_changed.connect(self._on_step)

    # -- the view -----------------------------------------------------------------------------

    def build(self) -> QWidget:
        """Return the table with its filters above and the chosen row's curve below."""
        self._pair = PairChooser(self.workspace)
        self._kinds = Segments("Show", SCORES, SCORE_TIPS)
        self._search = QLineEdit()
        self._search.setPlaceholderText("Filter")
        self._search.setAccessibleName("Filter prompts")
        self._search.setClearButtonEnabled(True)
        self._search.setMaximumWidth(theme.GRID * 28)
        self._groups = QComboBox()
        self._groups.setAccessibleName("Group")
        self._groups.setMaximumWidth(theme.GRID * 28)
        self._orders = QComboBox()
        self._orders.setAccessibleName("Order")
        self._orders.setPlaceholderText("By a column")
        self._orders.addItems([order.name for order in ORDERS])
        set_tool_tip(self._orders, "The order of the rows; a click on a heading sorts as well")
        self._rows = TableView("Prompts")
        self._curve = CurveView()
        self._curve.select(self.workspace.step)
        self._connect_view()
        self._fit_rows()
        above = row_of(self._search, self._groups, self._orders, None, self._kinds)
        self._halves = QSplitter(Qt.Orientation.Vertical)
        self._halves.addWidget(self._rows)
        self._halves.addWidget(self._curve)
        self._halves.setChildrenCollapsible(False)
        self._halves.setStretchFactor(0, 1)
        self._halved = False
        whole = column_of(self._pair)
        whole.addLayout(above)
        whole.addWidget(self._halves, 1)
        view = QWidget()
        view.setLayout(whole)
        return view

    def _connect_view(self) -> None:
        self._search.textChanged.connect(self._on_filter)
        self._groups.currentIndexChanged.connect(self._on_filter)
        self._orders.activated.connect(self._on_order)
        self._kinds.chosen.connect(self._on_kind)
        self._rows.row_chosen.connect(self.row_chosen)
        self._rows.row_opened.connect(self._on_opened)
        self._rows.horizontalHeader().sortIndicatorChanged.connect(self._on_sorted)
        self._curve.step_requested.connect(self.workspace.show_step)
        theme.events.theme_changed.connect(self._fit_rows)

    # -- what is asked ------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Return the set over the grid, or the search for targets where some are missing."""
        entry, prompts = self._subject()
        self._models.offer(entry.key, self._relatives(entry))
        reader = self._reader_for(prompts)
        if not reader.go_on(READING_S):
            self._again.start()
            return Plan(message=f"Reading the prompts: {reader.done:,} of {reader.total:,}")
        self._forget_suggestions(prompts, reader)
        asking = self._asked_of(prompts, reader)
        if not any(asking.steps):
            return Plan(message=NO_PAIR)
        remark = self._remark(prompts, asking)
        if self._suggests:
            sought = asking.suggesting(self.runner.slot)
            self._suggests = bool(sought)
            if sought:
                return Plan(sought, f"{remark} · targets are looked for first")
        return Plan(self._requests, remark) if self._requests else Plan(message=_nothing(asking))

    def _forget_suggestions(self, prompts: PromptSet, reader: Reader) -> None:
        """Look for targets anew where the set, the shown model or its last step is another."""
        shown = reader.models[0].entry
        steps = grid_steps(shown, cast("Grid", self._grid.key), self.workspace.pair)
        looked_for = (prompts, shown.key, steps[-1:])
        if looked_for != self._suggested_for:
            self._suggested, self._suggested_for, self._suggests = {}, looked_for, True

    def _subject(self) -> tuple[ModelEntry, PromptSet]:
        entry, prompts = self.workspace.entry, self.workspace.prompt_set
        if entry is None:
            raise PromptError("Choose a model on the left.")
        if prompts is None or not prompts.entries:
            raise PromptError(EMPTY)
        if not entry.here:
            raise PromptError(why_not_here(entry, min(entry.steps, default=0)))
        return entry, prompts

    def _relatives(self, entry: ModelEntry) -> list[ModelEntry]:
        everyone = tuple(self.workspace.models.values())
        return relatives(self.workspace.library, entry, everyone)

    def _reader_for(self, prompts: PromptSet) -> Reader:
        """Return what reads the set for the models chosen, begun once for each choice."""
        known = self.workspace.models
        models = [known[key] for key in self._models.keys]
        wanted = (prompts, models)
        if self._reader is None or wanted != self._read_for:
            self._reader = Reader(self.workspace.library, prompts.entries, models)
            self._read_for = wanted
        return self._reader

    def _asked_of(self, prompts: PromptSet, reader: Reader) -> Asking:
        """Return what is put to whom, made anew where that has changed."""
        grid, pair = cast("Grid", self._grid.key), self.workspace.pair
        made_for = (reader, grid, pair, dict(self._suggested))
        if self._asking is None or made_for != self._asked_for:
            self._asking, self._asked_for = self._put_together(prompts, reader, grid), made_for
            self._requests = self._asking.requests(self.runner.slot)
        return self._asking

    def _put_together(self, prompts: PromptSet, reader: Reader, grid: Grid) -> Asking:
        pair = self.workspace.pair
        steps = [grid_steps(model.entry, grid, pair) for model in reader.models]
        first = [pin.step for pin in pair or ()]
        find = self.workspace.library.checkpoint
        return Asking(
            entries=prompts.entries,
            models=reader.models,
            prompts=[with_suggestions(model.prompts, self._suggested) for model in reader.models],
            steps=steps,
            checkpoints=[
                tuple(find(model.entry.key, step) for step in in_turn(own, first))
                for model, own in zip(reader.models, steps, strict=True)
            ],
        )

    def _remark(self, prompts: PromptSet, asking: Asking) -> str:
        failing = len({row for model in asking.models for row in model.problems})
        parts = [prompts.name]
        if failing:
            parts.append(f"{failing:,} can't be asked: the last column says why")
        return " · ".join(parts)

    def clear(self) -> None:
        """Begin with nothing measured."""
        self._index = None
        self._parts = []
        asking = self._asking
        if asking is not None and self._plan is not None and not self._plan.message:
            self._index = Index(asking)
            self._parts = [
                ModelPart(model.entry.key, model.entry.name, numbers, self._targets(asking))
                for model, numbers in zip(asking.models, asking.numbers(), strict=True)
            ]
            self._list_groups()

    def _targets(self, asking: Asking) -> list[str]:
        return [
            entry.target or self._suggested.get(row, (0, ""))[1]
            for row, entry in enumerate(asking.entries)
        ]

    # -- what comes ---------------------------------------------------------------------------

    def take(self, result: Result) -> None:
        """Keep a target's numbers, or the likeliest token where targets are looked for."""
        if self._index is None:
            return
        number, rows = self._index.find(result)
        for row in rows:
            self._parts[number].numbers.take(row, result)
        following = result.next_token
        if following is None or not following.top.ids.size:
            return
        token = int(following.top.ids[0, 0])
        self._texts[token] = text = result.texts.get(token, "")
        if self._suggests and text:
            self._suggested.update(dict.fromkeys(rows, (token, text)))

    def _on_run_ended(self, why: str) -> None:
        """Go on with the whole grid once the targets are found."""
        if self._suggests and not why and self.runner.total:
            self._suggests, self._goes_on = False, True
            self.refresh()

    def _go_on(self) -> None:
        if self._goes_on and not self.runner.running:
            self._goes_on = False
            self.measure()

    # -- what is shown ------------------------------------------------------------------------

    def sheet(self) -> Sheet:
        """Return all that is known."""
        asking = self._asking
        entries = asking.entries if asking is not None and self._parts else ()
        return Sheet(entries, self._parts, self.workspace.pair, self._texts)

    def redraw(self) -> None:
        """Show the rows in their order, and the chosen one's curve."""
        sheet = self.sheet()
        self._ids = sheet.chosen(self._search.text(), self._group())
        table = table_of(sheet, self._ids, self._kind())
        names = [column.name for column in table.columns]
        self._rows.show_table(table)
        room = self._rows.viewport().width()
        if (names, room) != (self._names, self._room):
            fresh, self._names, self._room = names != self._names, names, room
            self._set_widths(table)
            if fresh:
                self._on_order()
        if self._chosen in self._ids:
            self._rows.choose(self._ids.index(self._chosen))
        self._show_curve(sheet)

    def table(self) -> Table:
        """Return the rows shown with all their numbers."""
        return whole_table(self.sheet(), self._ids)

    def row_chosen(self, row: int) -> None:
        """Show the curve of a row."""
        if 0 <= row < len(self._ids):
            self._chosen = self._ids[row]
            self._show_curve(self.sheet())

    def _show_curve(self, sheet: Sheet) -> None:
        if self._chosen not in self._ids or self._asking is None:
            self._curve.show_row("", (), self._kind())
            return
        part, row = sheet.where(self._chosen)
        entry = sheet.entries[row]
        model = self.workspace.models[part.key]
        curves = curves_of_row(model, part.numbers, row, part.targets[row], entry.foil)
        problem = part.numbers.problems.get(row, "")
        name = f"{reveal_token(entry.prompt)} · {part.name}" + (f" · {problem}" if problem else "")
        self._curve.show_row(name, curves, self._kind())
        if curves and not self._halved:
            self._halved = True
            self._halves.setSizes([ROWS_SHARE, 100 - ROWS_SHARE])

    def _on_opened(self, row: int) -> None:
        part, number = self.sheet().where(self._ids[row])
        entry = self.sheet().entries[number]
        target = part.targets[number]
        endings = [Ending(target)] if target else []
        if entry.foil:
            endings.append(Ending(entry.foil, "foil"))
        self.open_prompt(entry.prompt, endings)

    def _kind(self) -> ScoreKind:
        return cast("ScoreKind", self._kinds.key)

    def _group(self) -> str:
        return self._groups.currentText() if self._groups.currentIndex() > 0 else ""

    def _list_groups(self) -> None:
        entries = self._asking.entries if self._asking is not None else ()
        groups = list(dict.fromkeys(entry.group for entry in entries if entry.group))
        listed = [self._groups.itemText(place) for place in range(1, self._groups.count())]
        if listed != groups or not self._groups.count():
            with QSignalBlocker(self._groups):
                self._groups.clear()
                self._groups.addItems([ALL_GROUPS, *groups])
        self._groups.setVisible(bool(groups))

    def _set_widths(self, table: Table) -> None:
        letter = self._rows.fontMetrics().averageCharWidth()
        room = (self._room - WIDTH_AIR * len(table.columns)) // letter
        for place, letters in enumerate(widths_of(table.columns, room)):
            self._rows.setColumnWidth(place, letter * letters + WIDTH_AIR)

    def _fit_rows(self) -> None:
        """Rows are as high as their text needs."""
        height = self._rows.fontMetrics().height() + theme.GRID
        self._rows.verticalHeader().setDefaultSectionSize(height)
        self._room = -1
        self.touch()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.touch()

    # -- what a person does -------------------------------------------------------------------

    def _on_set(self) -> None:
        """Begin anew, also where the same prompts come under other groups."""
        self._plan = None
        self._chosen = -1
        self.refresh()

    def _on_pair(self) -> None:
        self.refresh()
        self.touch()

    def _on_step(self, step: int) -> None:
        if self._parts:
            self._curve.select(step)

    def _on_filter(self) -> None:
        self.touch()

    def _on_kind(self) -> None:
        self.touch()
        self._on_order()

    def _on_order(self) -> None:
        """Sort as chosen from the list."""
        if self._orders.currentIndex() < 0:
            return
        order = ORDERS[self._orders.currentIndex()]
        place = self._names.index(order.column) if order.column in self._names else -1
        falling = is_descending(order, self._kind())
        way = Qt.SortOrder.DescendingOrder if falling else Qt.SortOrder.AscendingOrder
        self._sorts = True
        self._rows.sortByColumn(place, way)
        self._sorts = False
        self._rows.scrollToTop()

    def _on_sorted(self) -> None:
        """Say that the order is a heading's."""
        if not self._sorts:
            self._orders.setCurrentIndex(-1)


def _nothing(asking: Asking) -> str:
    """Return why not one of the prompts can be asked."""
    problems = [problem for model in asking.models for problem in model.problems.values()]
    return f"None of these prompts can be asked. {problems[0]}" if problems else EMPTY
