"""The window: places the panels and connects them to the workspace, and decides nothing."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from PySide6.QtCore import QByteArray, QSettings, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QCloseEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QMainWindow,
    QMessageBox,
    QPushButton,
    QSpinBox,
    QSplitter,
    QStackedWidget,
    QTabBar,
    QWidget,
)

from pythia_gui import __version__
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.history import Run
from pythia_gui.core.library import Library, ModelEntry
from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
from pythia_gui.ui.batch_panel import BatchPanel
from pythia_gui.ui.caution import Caution
from pythia_gui.ui.columns import Columns
from pythia_gui.ui.errands import Activity
from pythia_gui.ui.header import Header
from pythia_gui.ui.history_keeper import HistoryKeeper
from pythia_gui.ui.history_panel import HistoryPanel
from pythia_gui.ui.menus import Menus
from pythia_gui.ui.past_runs import endings_of, settings_of
from pythia_gui.ui.picker import Picker
from pythia_gui.ui.presenters import why_not_here
from pythia_gui.ui.prompt_panel import PromptPanel
from pythia_gui.ui.questions import Ending, Settings, Wording
from pythia_gui.ui.shortcuts import ShortcutList
from pythia_gui.ui.text_view import TextView
from pythia_gui.ui.timeline import Timeline
from pythia_gui.ui.trajectory import Trajectory
from pythia_gui.ui.values import SeenItem, ShownText, ShownToken
from pythia_gui.ui.widgets import Banner, Line, Surface, column_of, row_of, set_tool_tip
from pythia_gui.ui.workspace import Trajectories, Workspace

if TYPE_CHECKING:
    from pythia_gui.ui.views.page import Page

_STATE = "v1"
_TEXT_STEP = 1.1
_PICKER_WIDTH, _HISTORY_WIDTH = 264, 320
_VIEWS = "pythia_gui.ui.views"
_PAGES = (  # name, module, class; a module is loaded when its page is first looked at
    ("Map", "token_map", "TokenMap"),
    ("Learned", "learned", "Learned"),
    ("Rivals", "rivals", "Rivals"),
    ("A and B", "pair", "PairPage"),
    ("Sizes", "sizes", "Sizes"),
    ("Prompts", "prompt_sets", "PromptSets"),
    ("Continuations", "continuations", "Continuations"),
    ("Similarity", "similarity", "Similarity"),
)
_TABS = ("Text", "Side by side", "Batch", *(name for name, _, _ in _PAGES))
_BY_ACTION = {  # the menu's action and the tab it opens
    "view_text": "Text",
    "view_columns": "Side by side",
    "view_batch": "Batch",
    "view_map": "Map",
    "view_learned": "Learned",
    "view_rivals": "Rivals",
    "view_pair": "A and B",
    "view_sizes": "Sizes",
    "view_prompts": "Prompts",
    "view_continuations": "Continuations",
    "view_similarity": "Similarity",
}
_TEXTS_HEIGHT, _TRAJECTORY_HEIGHT = 270, 250


class Batches(Protocol):
    """What the demo suite's models were trained on."""

    def texts(self, step: int) -> tuple[str, ...]:
        """Return the texts of a step's batch."""
        ...

    def items(self, step: int, prompt: str) -> tuple[SeenItem, ...]:
        """Return how often things had been seen by a step, what a prompt speaks of first."""
        ...


class MainWindow(QMainWindow):
    """One window: picker, prompt, texts, trajectory, and the timeline under all of it."""

    closed = Signal()

    def __init__(self, state: QSettings) -> None:
        """Place the panels, which takes no model, no engine and little time; then `attach`."""
        super().__init__()
        self._state = state
        self._activity = Activity()
        self.setWindowTitle("pythia-gui")
        self._build()
        self._lay_out()
        self._menus = Menus(self)
        self._connect_look()
        self._restore()
        self._prompt.focus_prompt()

    def attach(
        self,
        workspace: Workspace,
        library: Library,
        batches: Batches | None = None,
        keeper: HistoryKeeper | None = None,
    ) -> None:
        """Show what a workspace says, and tell it what is wished for."""
        self._workspace, self._library, self._batches = workspace, library, batches
        self._keeper = keeper or HistoryKeeper()
        self._connect_views()
        self._connect_wishes()
        self._connect_history()
        self._connect_actions()
        self._trajectory.prepare()

    # ------------------------------------------------------------------ parts

    def _build(self) -> None:
        self._header = Header()
        self._banner = Banner()
        self._picker = Picker()
        self._history = HistoryPanel()
        self._history.hide()
        self._prompt = PromptPanel()
        self._tabs = QTabBar()
        self._tabs.setDrawBase(False)
        self._tabs.setExpanding(False)
        self._tabs.setAccessibleName("Views of the text")
        self._pages = QStackedWidget()
        self._text = TextView()
        self._columns = Columns()
        self._trajectory = Trajectory()
        self._caution = Caution()
        self._timeline = Timeline()
        self._pin = QPushButton("Pin this step")
        set_tool_tip(self._pin, "Give this step a column in Side by side (Ctrl+D)")
        self._sample = QSpinBox()
        self._sample.setMinimum(1)
        self._sample.setPrefix("Sample ")
        self._sample.setAccessibleName("Which sample is shown")
        self._sample.hide()
        self._batch = BatchPanel()
        self._views_by_tab: dict[int, Page | None] = {}
        own = (self._text, self._columns, self._batch)
        for name, page in zip(_TABS[: len(own)], own, strict=True):
            self._add_page(name, page)
        for name in _TABS[len(own) :]:
            self._views_by_tab[self._tabs.count()] = None
            self._add_page(name, QWidget())

    def _add_page(self, name: str, page: QWidget) -> None:
        self._tabs.addTab(name)
        self._pages.addWidget(page)

    def _lay_out(self) -> None:
        texts = Surface()
        tools = row_of(self._tabs, None, self._sample, self._pin, margins=(4, 0, 16, 0))
        column = column_of(gap=0)
        column.addLayout(tools)
        column.addWidget(self._pages, 1)
        column.addWidget(self._caution)
        texts.setLayout(column)
        self._views = QSplitter(Qt.Orientation.Vertical)
        self._views.addWidget(texts)
        self._lower = _ruled(self._trajectory)
        self._views.addWidget(self._lower)
        self._views.setStretchFactor(0, 1)
        self._views.setStretchFactor(1, 1)
        self._views.setSizes([_TEXTS_HEIGHT, _TRAJECTORY_HEIGHT])
        self._views.setChildrenCollapsible(False)
        centre = Surface()
        parts = (self._prompt, Line(), self._views)
        centre.setLayout(column_of(*parts, gap=0, stretch=self._views))
        self._body = QSplitter(Qt.Orientation.Horizontal)
        self._body.setHandleWidth(1)
        self._body.addWidget(self._picker)
        self._body.addWidget(self._history)
        self._body.addWidget(centre)
        self._body.setStretchFactor(2, 1)
        self._body.setSizes([_PICKER_WIDTH, _HISTORY_WIDTH, 1_016])
        self._body.setChildrenCollapsible(False)
        page = Surface("window")
        rows = (self._header, self._banner, self._body, Line(), self._timeline)
        page.setLayout(column_of(*rows, gap=0, stretch=self._body))
        self.setCentralWidget(page)

    # ------------------------------------------------------------------ connections

    def _connect_views(self) -> None:
        shown = self._workspace
        shown.activity_changed.connect(self._on_activity)
        shown.columns_changed.connect(self._columns.show_columns)
        shown.curves_changed.connect(self._on_curves)
        shown.history_changed.connect(self._on_history)
        shown.marks_changed.connect(self._timeline.show_steps)
        shown.model_changed.connect(self._on_model)
        shown.models_changed.connect(self._picker.show_models)
        shown.noticed.connect(self._on_notice)
        shown.problem_changed.connect(self._prompt.show_problem)
        shown.reading_changed.connect(self._prompt.show_reading)
        shown.run_ended.connect(self._announce)
        shown.step_changed.connect(self._on_step)
        shown.text_changed.connect(self._on_text)
        shown.tokens_written.connect(self._on_tokens)
        shown.wording_changed.connect(self._on_wording)

    def _connect_wishes(self) -> None:
        asked = self._workspace
        self._columns.choice_requested.connect(asked.continue_column_from)
        self._columns.unpin_requested.connect(asked.unpin)
        self._picker.folder_chosen.connect(self._add_folder)
        self._picker.model_chosen.connect(asked.show_model)
        self._picker.name_entered.connect(self._add_repo)
        self._pin.clicked.connect(asked.pin)
        self._prompt.back_requested.connect(asked.go_back)
        self._prompt.endings_changed.connect(asked.set_endings)
        self._prompt.run_requested.connect(self._run)
        self._prompt.settings_changed.connect(self._on_settings)
        self._prompt.stop_requested.connect(self._stop)
        self._prompt.text_edited.connect(asked.write_prompt)
        self._sample.valueChanged.connect(self._on_sample)
        self._tabs.currentChanged.connect(self._on_tab)
        self._text.choice_requested.connect(asked.continue_from)
        self._timeline.step_requested.connect(asked.show_step)
        self._trajectory.step_requested.connect(asked.show_step)
        self._trajectory.targets_requested.connect(self._keep_targets)

    def _connect_history(self) -> None:
        panel, keeper = self._history, self._keeper
        keeper.deleted.connect(panel.show_deleted)
        keeper.failed.connect(self._on_history_failed)
        keeper.found.connect(panel.show_found)
        panel.closed.connect(self._close_history)
        panel.deletion_wished.connect(keeper.delete)
        panel.run_chosen.connect(self._restore_run)
        panel.searched.connect(keeper.search)
        panel.star_wished.connect(keeper.star)
        panel.undo_wished.connect(keeper.undo)
        self._workspace.asked.connect(self._on_asked)

    def _connect_actions(self) -> None:
        self._connect_each(
            {
                "add_folder": self._ask_for_folder,
                "add_hub": self._ask_for_repo,
                "back": self._workspace.go_back,
                "forward": self._workspace.go_forward,
                "next": self._next_checkpoint,
                "pin": self._workspace.pin,
                "play": self._timeline.toggle_play,
                "previous": self._previous_checkpoint,
                "refresh": self._look_again,
                "run": self._run,
                "history": self._toggle_history,
                "next_view": self._next_view,
                "previous_view": self._previous_view,
                "stop": self._stop,
            }
        )
        for action in _BY_ACTION:
            self._menus.actions[action].triggered.connect(self._on_view_action)

    def _connect_look(self) -> None:
        self._connect_each(
            {
                "about": self._show_about,
                "cautions": self._caution.unfold,
                "find": self._find_model,
                "keys": self._show_keys,
                "larger": self._enlarge,
                "next_pane": self._next_pane,
                "normal": self._reset_text_size,
                "picture": self._ask_for_picture,
                "prompt": self._prompt.focus_prompt,
                "quit": self.close,
                "sampling": self._prompt.unfold,
                "smaller": self._shrink,
            }
        )
        actions = self._menus.actions
        actions["full_screen"].toggled.connect(self._show_full_screen)
        actions["models"].toggled.connect(self._show_models)
        actions["trajectory"].toggled.connect(self._show_trajectory)
        for action in self._menus.themes.values():
            action.triggered.connect(self._on_theme)
        actions["back"].setEnabled(False)
        actions["forward"].setEnabled(False)

    def _connect_each(self, wishes: dict[str, Callable[[], object]]) -> None:
        for name, wish in wishes.items():
            self._menus.actions[name].triggered.connect(wish)

    # ------------------------------------------------------------------ what is shown

    def _on_activity(self, activity: Activity) -> None:
        self._activity = activity
        if not activity.running and (other := self._running_view()) is not None:
            activity = replace(other, place=activity.place)
        self._header.show_activity(activity)
        self._prompt.show_running(self._activity.running)
        self._menus.actions["stop"].setEnabled(activity.running)
        self._timeline.hold(self._workspace.awaiting_text)

    def _on_curves(self, shown: Trajectories) -> None:
        self._trajectory.show_curves(shown.curves, shown.state, shown.message)

    def _on_history(self, back: bool, forward: bool) -> None:  # noqa: FBT001 - a slot
        self._prompt.show_history(back, forward)
        self._menus.actions["back"].setEnabled(back)
        self._menus.actions["forward"].setEnabled(forward)

    def _on_model(self, entry: ModelEntry) -> None:
        self._picker.select(entry.key)
        self._header.show_model(entry)
        self._caution.show_model(entry)
        self._prompt.show_obstacle("" if entry.here else why_not_here(entry, entry.steps[0]))

    def _on_step(self, step: int) -> None:
        self._timeline.select(step)
        self._trajectory.select(step)
        self._header.show_step(step)
        self._name_window(step)
        self._timeline.hold(self._workspace.awaiting_text)
        self._show_batch()

    def _name_window(self, step: int) -> None:
        entry = self._workspace.entry
        if entry is not None:
            name = entry.name.replace("[*]", "[**]")  # Qt's mark for unsaved changes
            self.setWindowTitle(f"{name}, {format_step(step)} \u2013 pythia-gui")

    def _on_text(self, text: ShownText) -> None:
        self._text.show_text(text)
        self._timeline.hold(text.state in ("waiting", "streaming"))

    def _on_tokens(self, tokens: tuple[ShownToken, ...]) -> None:
        for token in tokens:
            self._text.append_token(token)

    def _on_wording(self, wording: Wording) -> None:
        self._prompt.set_text(wording.text)
        self._show_batch()

    def _on_notice(self, notice: str) -> None:
        self._banner.say(notice)

    def set_prompt(self, text: str) -> None:
        """Put a prompt into the field as if it had been typed."""
        self._prompt.set_text(text)
        self._workspace.write_prompt(text)

    def set_endings(self, endings: Sequence[Ending]) -> None:
        """Put targets and foils into their fields as if they had been typed."""
        self._prompt.set_endings(endings)
        self._workspace.set_endings(endings)

    def _keep_targets(self, texts: tuple[str, ...]) -> None:
        self.set_endings([Ending(text) for text in texts])

    def say(self, text: str, kind: str = "error") -> None:
        """Show a sentence under the header; it blocks nothing."""
        self._banner.say(text, kind)

    def _announce(self, sentence: str) -> None:
        """Tell assistive technology what a glance at the window tells others."""
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self._text, sentence))

    # ------------------------------------------------------------------ wishes

    def _on_settings(self, settings: Settings) -> None:
        many = not settings.sampling.greedy and settings.samples > 1
        self._sample.setMaximum(max(settings.samples, 1))
        self._sample.setSuffix(f" of {settings.samples}")
        self._sample.setValue(1)
        self._sample.setVisible(many)
        self._workspace.set_settings(settings)

    def _on_sample(self, number: int) -> None:
        self._workspace.show_sample(number - 1)

    def _on_tab(self, index: int) -> None:
        view = self._view_at(index)
        self._pages.setCurrentIndex(index)
        for other in self._views_by_tab.values():
            if other is not None:
                other.set_shown(other is view)
        self._pin.setVisible(view is None)
        self._caution.setVisible(view is None)
        self._lower.setVisible(view is None and self._menus.actions["trajectory"].isChecked())
        self._workspace.show_columns(self._pages.currentWidget() is self._columns)
        self._show_batch()

    def _view_at(self, index: int) -> "Page | None":
        """Return the comparing view of a tab, made when it is first looked at."""
        if index not in self._views_by_tab:
            return None
        made = self._views_by_tab[index]
        if made is None:
            _, module, name = _PAGES[index - min(self._views_by_tab)]
            kind = getattr(importlib.import_module(f"{_VIEWS}.{module}"), name)
            made = self._views_by_tab[index] = cast("Page", kind(self._workspace))
            place = self._pages.widget(index)
            if place is not None:
                self._pages.removeWidget(place)
                place.deleteLater()
            self._pages.insertWidget(index, made)
            made.follow(self._tabs)
            made.prompt_chosen.connect(self._open_prompt)
            made.activity_changed.connect(self._on_view_activity)
            made.noticed.connect(self._on_notice)
        return made

    def _open_prompt(self, text: str, endings: tuple[Ending, ...]) -> None:
        self.set_prompt(text)
        self.set_endings(endings)
        self._workspace.run()

    def _on_view_activity(self) -> None:
        self._on_activity(self._activity)

    def _running_view(self) -> Activity | None:
        """Return what a comparing view computes, the one looked at first."""
        made = [view for view in self._views_by_tab.values() if view is not None]
        active = [view.runner.activity() for view in made if view.runner.running]
        return active[0] if active else None

    def _stop(self) -> None:
        self._workspace.stop()
        for view in self._views_by_tab.values():
            if view is not None:
                view.stop()

    def _show_batch(self) -> None:
        """Show what the model met at this step, while it is looked at."""
        entry, step = self._workspace.entry, self._workspace.step
        if self._pages.currentWidget() is not self._batch:
            return
        if self._batches is None or entry is None or entry.source != "demo":
            self._batch.show_batch(0, (), (), "")
            return
        try:
            items = self._batches.items(step, self._workspace.wording.text)
            self._batch.show_batch(step, self._batches.texts(step), items, "")
        except (ValueError, OSError) as problem:
            self._batch.show_batch(step, (), (), str(problem))

    def _add_folder(self, folder: Path) -> None:
        try:
            entry = self._library.add_folder(folder)
        except (CheckpointError, OSError) as problem:
            self._picker.say(str(problem), error=True)
            return
        self._picker.say(f"{entry.name} was added.")
        self._workspace.refresh_models()
        self._workspace.show_model(entry.key)

    def _add_repo(self, name: str) -> None:
        try:
            entry, notice = self._library.find(name)
        except (CheckpointError, OSError) as problem:
            self._picker.say(str(problem), error=True)
            return
        self._picker.say(notice)
        self._workspace.refresh_models()
        self._workspace.show_model(entry.key)

    # ------------------------------------------------------------------ actions

    def _run(self) -> None:
        """Ask the question as it stands on screen, targets still being typed included."""
        self._prompt.take_typed()
        self._workspace.run()

    def _on_view_action(self) -> None:
        action = self.sender()
        names = (name for name in _BY_ACTION if self._menus.actions[name] is action)
        self._show_tab(_BY_ACTION[next(names)])

    def _show_tab(self, name: str) -> None:
        if name in _TABS:
            self._tabs.setCurrentIndex(_TABS.index(name))

    def _next_view(self) -> None:
        self._tabs.setCurrentIndex((self._tabs.currentIndex() + 1) % self._tabs.count())

    def _previous_view(self) -> None:
        self._tabs.setCurrentIndex((self._tabs.currentIndex() - 1) % self._tabs.count())

    def _look_again(self) -> None:
        self._library.look_again()
        self._workspace.refresh_models()

    def _show_picker(self) -> None:
        self._history.hide()
        self._keeper.watch(False)  # noqa: FBT003 - a slot
        self._menus.actions["models"].setChecked(True)
        self._picker.show()

    def _find_model(self) -> None:
        self._show_picker()
        self._picker.focus_search()

    def _ask_for_folder(self) -> None:
        self._show_picker()
        self._picker.ask_for_folder()

    def _ask_for_repo(self) -> None:
        self._show_picker()
        self._picker.ask_for_name()

    def _show_models(self, shown: bool) -> None:  # noqa: FBT001 - a slot
        self._history.hide()
        self._picker.setVisible(shown)

    # ------------------------------------------------------------------ past runs

    def _toggle_history(self) -> None:
        if self._history.isVisible():
            self._close_history()
            return
        self._picker.hide()
        self._history.show()
        self._keeper.watch(True)  # noqa: FBT003 - a slot
        self._history.focus_runs()

    def _close_history(self) -> None:
        self._keeper.watch(False)  # noqa: FBT003 - a slot
        self._show_models(self._menus.actions["models"].isChecked())
        self._prompt.focus_prompt()

    def _on_asked(self, run: Run) -> None:
        self._keeper.note(replace(run, view=_TABS[self._tabs.currentIndex()]))

    def _on_history_failed(self, why: str) -> None:
        self.say(why, "warning")

    def _restore_run(self, run: Run) -> None:
        """Show a past run as it was: what the store holds of it is not computed again."""
        self._workspace.show_columns(False)  # noqa: FBT003 - until it is known whether they are seen
        if self._workspace.restore(run):
            self._prompt.set_endings(endings_of(run))
            self._prompt.show_settings(settings_of(run))
            self._on_settings(settings_of(run))
            self._show_tab(run.view)
        self._workspace.show_columns(self._pages.currentWidget() is self._columns)

    def _next_checkpoint(self) -> None:
        self._workspace.show_neighbour(1)

    def _previous_checkpoint(self) -> None:
        self._workspace.show_neighbour(-1)

    def _next_pane(self) -> None:
        side = (self._picker, self._history)
        panes = (*side, self._prompt, self._pages, self._trajectory, self._timeline)
        focused = QApplication.focusWidget()
        inside = [n for n, pane in enumerate(panes) if focused and pane.isAncestorOf(focused)]
        start = inside[0] + 1 if inside else 0
        for place in range(len(panes)):
            pane = panes[(start + place) % len(panes)]
            if pane.isVisible() and _focus_first(pane):
                return

    def _show_trajectory(self, shown: bool) -> None:  # noqa: FBT001 - a slot
        self._lower.setVisible(shown and self._tabs.currentIndex() not in self._views_by_tab)

    def _show_full_screen(self, full: bool) -> None:  # noqa: FBT001 - a slot
        (self.showFullScreen if full else self.showNormal)()

    def _show_keys(self) -> None:
        ShortcutList(self, self._menus.keys()).show()

    def _show_about(self) -> None:
        box = QMessageBox(self)
        box.setWindowTitle("About pythia-gui")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(
            f"pythia-gui {__version__}\n\nWatch a language model learn: prompts and trajectories "
            "across the training checkpoints of EleutherAI's Pythia suite.\n\nApache-2.0. Not "
            "affiliated with EleutherAI."
        )
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def _on_theme(self) -> None:
        for name, action in self._menus.themes.items():
            if action.isChecked():
                self._dress(name)

    def _dress(self, mode: str) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply(app, theme.as_mode(mode))
            self._menus.themes[mode].setChecked(True)

    def _enlarge(self) -> None:
        self._scale_text(theme.text_scale() * _TEXT_STEP)

    def _shrink(self) -> None:
        self._scale_text(theme.text_scale() / _TEXT_STEP)

    def _reset_text_size(self) -> None:
        self._scale_text(1.0)

    def _scale_text(self, scale: float) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.set_text_scale(app, scale)

    def _ask_for_picture(self) -> None:
        dialog = QFileDialog(self, "Save a picture of the window")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter("PNG (*.png)")
        dialog.setDefaultSuffix("png")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._save_picture)
        dialog.open()

    def _save_picture(self, file: str) -> None:
        if not self.grab().save(file, "PNG"):
            self.say(f"{file} could not be written; choose another place.")

    # ------------------------------------------------------------------ between two starts

    def _restore(self) -> None:
        read = self._state.value
        mode = str(read(f"{_STATE}/theme", theme.current_mode()))
        self._menus.themes.get(mode, self._menus.themes["system"]).setChecked(True)
        self._menus.actions["models"].setChecked(_truth(read(f"{_STATE}/models", "true")))
        self._menus.actions["trajectory"].setChecked(_truth(read(f"{_STATE}/trajectory", "true")))
        for name, part in (("columns", self._body), ("views", self._views)):
            kept = read(f"{_STATE}/{name}")
            if isinstance(kept, QByteArray):
                part.restoreState(kept)
        geometry = read(f"{_STATE}/geometry")
        if not (isinstance(geometry, QByteArray) and self.restoreGeometry(geometry)):
            self.resize(1_280, 800)

    def _remember(self) -> None:
        write = self._state.setValue
        write(f"{_STATE}/theme", theme.current_mode())
        write(f"{_STATE}/text_scale", theme.text_scale())
        write(f"{_STATE}/models", self._menus.actions["models"].isChecked())
        write(f"{_STATE}/trajectory", self._menus.actions["trajectory"].isChecked())
        write(f"{_STATE}/columns", self._body.saveState())
        write(f"{_STATE}/views", self._views.saveState())
        write(f"{_STATE}/geometry", self.saveGeometry())
        self._state.sync()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember how the window looks, and say that it is closed."""
        self._timeline.pause()
        self._remember()
        super().closeEvent(event)
        self.closed.emit()


def kept_look(state: QSettings) -> tuple[theme.Mode, float]:
    """Return the palette and the text size of the last time."""
    mode = theme.as_mode(state.value(f"{_STATE}/theme"))
    try:
        scale = float(str(state.value(f"{_STATE}/text_scale", 1.0)))
    except ValueError:
        scale = 1.0
    return mode, scale


def _truth(kept: object) -> bool:
    return str(kept).lower() == "true"


def _ruled(view: QWidget) -> QWidget:
    ruled = Surface()
    ruled.setLayout(column_of(Line(), view, gap=0, stretch=view))
    return ruled


def _focus_first(pane: QWidget) -> bool:
    """Put the focus into a pane: on itself, or on the first of its parts that takes it."""
    reason = Qt.FocusReason.OtherFocusReason
    proxy = pane.focusProxy()
    if proxy is not None or pane.focusPolicy() != Qt.FocusPolicy.NoFocus:
        (proxy or pane).setFocus(reason)
        return True
    for part in pane.findChildren(QWidget):
        if part.isVisible() and part.isEnabled() and part.focusPolicy() & Qt.FocusPolicy.TabFocus:
            part.setFocus(reason)
            return True
    return False
