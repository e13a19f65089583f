"""Suites and models: what there is, what of it is on this machine, and what to beware of."""

import re
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QFileDialog,
    QLineEdit,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from pythia_gui.core.library import ModelEntry
from pythia_gui.ui import theme
from pythia_gui.ui.facts import FactsPanel
from pythia_gui.ui.presenters import steps_line
from pythia_gui.ui.widgets import (
    FoldButton,
    IconButton,
    Line,
    Surface,
    plain_label,
    row_of,
    set_tool_tip,
    tool_tip,
)

_KEY = Qt.ItemDataRole.UserRole + 1
_META = Qt.ItemDataRole.UserRole + 2
_BADGE = Qt.ItemDataRole.UserRole + 3
_SEARCHED = Qt.ItemDataRole.UserRole + 4
_HERE = Qt.ItemDataRole.UserRole + 5

Index = QModelIndex | QPersistentModelIndex

_LONG_WORD = re.compile(r"[^\s/]{28}(?=[^\s/])")  # a label does not break it by itself
NOT_HERE = "no checkpoint on this machine"
HUB_NOTE = (
    "Models on the Hugging Face Hub are looked up by name in this machine's own cache. "
    "Downloading is not part of this version."
)


class Picker(Surface):
    """Chooses a model by name or from its suite, and shows what is known of it."""

    model_chosen = Signal(str)  # a model's key
    folder_chosen = Signal(Path)  # a folder of checkpoints to add
    name_entered = Signal(str)  # a Hub repository to look up

    def __init__(self) -> None:
        super().__init__("window")
        self._entries: dict[str, ModelEntry] = {}
        self._items: dict[str, QStandardItem] = {}
        self._dialog: QFileDialog | None = None
        self._build()
        self._lay_out()
        self._connect()

    def _build(self) -> None:
        self._model = QStandardItemModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._model)
        self._proxy.setFilterRole(_SEARCHED)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._proxy.setRecursiveFilteringEnabled(True)
        self._search = QLineEdit()
        self._search.setPlaceholderText("Find a model")
        self._search.setAccessibleName("Find a model")
        self._search.setClearButtonEnabled(True)
        set_tool_tip(self._search, "Current and old names (19m, 125m, ...) both find a model")
        self._tree = _Tree()
        self._tree.setModel(self._proxy)
        self._message = plain_label(role="muted", size=0.92, wrap=True)
        self._message.hide()
        self._add_folder = QPushButton("Add &folder...")
        set_tool_tip(
            self._add_folder,
            "Add a folder that holds checkpoints by step: step512/, checkpoint-500/, or a cache "
            "of one folder per step",
        )
        self._add_hub = QPushButton("Add from &Hub...")
        set_tool_tip(self._add_hub, HUB_NOTE)
        self._hub = _HubRow()
        self._about = FoldButton("About this model")
        self._facts = FactsPanel()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addLayout(row_of(self._search, margins=(16, 0, 16, 0)))
        column.addWidget(self._tree, 3)
        column.addLayout(row_of(self._message, margins=(16, 0, 16, 0)))
        column.addLayout(row_of(self._hub, margins=(16, 0, 16, 0)))
        column.addLayout(row_of(self._add_folder, self._add_hub, margins=(16, 0, 16, 0)))
        column.addWidget(Line())
        column.addLayout(row_of(self._about, None, margins=(12, 0, 16, 0)))
        column.addWidget(self._facts, 2)
        self._hub.hide()
        self._about.setChecked(True)

    def _connect(self) -> None:
        self._about.toggled.connect(self._facts.setVisible)
        self._add_folder.clicked.connect(self.ask_for_folder)
        self._add_hub.clicked.connect(self.ask_for_name)
        self._hub.entered.connect(self.name_entered)
        self._hub.given_up.connect(self._give_up)
        self._search.textChanged.connect(self._find)
        self._search.returnPressed.connect(self._choose_first)
        self._tree.selectionModel().currentChanged.connect(self._on_current)
        theme.events.theme_changed.connect(self._tree.doItemsLayout)

    # ------------------------------------------------------------------ what is shown

    def show_models(self, entries: Iterable[ModelEntry]) -> None:
        """Show these models by suite; what was open stays open."""
        current = self.current_key()
        self._entries = {entry.key: entry for entry in entries}
        self._items.clear()
        self._tree.selectionModel().blockSignals(True)  # noqa: FBT003 - Qt's spelling
        self._model.clear()
        for suite in dict.fromkeys(entry.suite for entry in self._entries.values()):
            self._model.appendRow(self._suite_item(suite))
        self._tree.selectionModel().blockSignals(False)  # noqa: FBT003
        self._open_suites()
        if current:
            self.select(current)

    def select(self, key: str) -> None:
        """Mark a model as the chosen one, without announcing it."""
        item = self._items.get(key)
        if item is None:
            return
        index = self._proxy.mapFromSource(item.index())
        selection = self._tree.selectionModel()
        selection.blockSignals(True)  # noqa: FBT003
        self._tree.setCurrentIndex(index)
        selection.blockSignals(False)  # noqa: FBT003
        self._tree.scrollTo(index)
        self._tree.viewport().update()
        self._show_facts(key)

    def current_key(self) -> str:
        """Return the key of the chosen model, or nothing."""
        return str(self._tree.currentIndex().data(_KEY) or "")

    def say(self, text: str, *, error: bool = False) -> None:
        """Show a sentence under the list: what became of a search, a folder or a name."""
        self._message.setText(_LONG_WORD.sub("\\g<0>\n", text))
        self._message.set_role("error" if error else "muted")
        self._message.setVisible(bool(text))
        if not error:
            self._hub.hide()

    def focus_search(self) -> None:
        """Put the cursor into the search field."""
        self._search.setFocus()
        self._search.selectAll()

    def ask_for_folder(self) -> None:
        """Let the user choose a folder; nothing waits for the answer."""
        self._dialog = QFileDialog(self, "Add a folder of checkpoints")
        self._dialog.setFileMode(QFileDialog.FileMode.Directory)
        self._dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._dialog.fileSelected.connect(self._on_folder)
        self._dialog.open()

    def ask_for_name(self) -> None:
        """Let the user type a Hub repository's name."""
        self.say(HUB_NOTE)
        self._hub.ask()

    # ------------------------------------------------------------------ inside

    def _suite_item(self, suite: str) -> QStandardItem:
        heading = QStandardItem(suite)
        heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
        for entry in self._entries.values():
            if entry.suite == suite:
                item = _model_item(entry)
                self._items[entry.key] = item
                heading.appendRow(item)
        return heading

    def _open_suites(self) -> None:
        for row in range(self._proxy.rowCount()):
            index = self._proxy.index(row, 0)
            searching = bool(self._search.text().strip())
            has_some = any(
                index.model().index(child, 0, index).data(_HERE)
                for child in range(self._proxy.rowCount(index))
            )
            self._tree.setExpanded(index, searching or has_some or index.data() == "Pythia")

    def _find(self, text: str) -> None:
        self._proxy.setFilterFixedString(text.strip())
        self._open_suites()
        found = self._first_match()
        if text.strip() and found is None:
            self.say("No model has this name. A folder of checkpoints can be added below.")
        else:
            self.say(self._renamed(text.strip().casefold()))

    def _renamed(self, text: str) -> str:
        """Return what a model is called now if `text` is exactly a name it once had."""
        if not text:
            return ""
        for entry in self._entries.values():
            for old in entry.old_names:
                if text in (old.casefold(), old.casefold().removeprefix("pythia-")):
                    return f"{old} is called {entry.name} since January 2023."
        return ""

    def _first_match(self) -> QModelIndex | None:
        for row in range(self._proxy.rowCount()):
            suite = self._proxy.index(row, 0)
            if self._proxy.rowCount(suite):
                return self._proxy.index(0, 0, suite)
        return None

    def _choose_first(self) -> None:
        found = self._first_match()
        if found is not None and self._search.text().strip():
            self._tree.setCurrentIndex(found)
            self._tree.setFocus()

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        key = str(current.data(_KEY) or "")
        if key:
            self._show_facts(key)
            self.model_chosen.emit(key)

    def _show_facts(self, key: str) -> None:
        entry = self._entries.get(key)
        self._facts.show_model(entry)
        self._about.set_text(f"About {entry.name}" if entry else "About this model")

    def _give_up(self) -> None:
        self.say("")

    def _on_folder(self, folder: str) -> None:
        self.folder_chosen.emit(Path(folder))


class _HubRow(QWidget):
    """A field for a repository's name, folded away until it is wanted."""

    entered = Signal(str)
    given_up = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._field = QLineEdit()
        self._field.setPlaceholderText("owner/name")
        self._field.setAccessibleName("Name of a Hub repository")
        self._field.setMaxLength(200)
        self._add = QPushButton("&Add")
        self._close = IconButton("close", "Add nothing from the Hub")
        self.setLayout(row_of(self._field, self._add, self._close))
        self._field.returnPressed.connect(self._enter)
        self._add.clicked.connect(self._enter)
        self._close.clicked.connect(self.given_up)

    def ask(self) -> None:
        """Show the field, ready to type in."""
        self.show()
        self._field.setFocus()
        self._field.selectAll()

    def _enter(self) -> None:
        if self._field.text().strip():
            self.entered.emit(self._field.text().strip())


def _model_item(entry: ModelEntry) -> QStandardItem:
    item = QStandardItem(entry.name)
    item.setEditable(False)
    item.setData(entry.key, _KEY)
    item.setData(steps_line(entry), _META)
    item.setData(bool(entry.here), _HERE)
    item.setData(" ".join((entry.name, entry.repo or "", *entry.old_names)), _SEARCHED)
    badge = badge_text(entry)
    item.setData(badge, _BADGE)
    lines = (entry.repo or entry.place, "" if entry.here else NOT_HERE.capitalize(), badge)
    item.setToolTip(tool_tip("\n".join(line for line in lines if line)))
    item.setData(
        f"{entry.name}, {steps_line(entry) or NOT_HERE}{', has known defects' if badge else ''}",
        Qt.ItemDataRole.AccessibleTextRole,
    )
    return item


def badge_text(entry: ModelEntry) -> str:
    """Return why a model wears a badge: which of its checkpoints are known to be bad."""
    bad = entry.known_bad or {}
    if not bad:
        return ""
    reasons = "\n".join(dict.fromkeys(bad.values()))
    many = f"{len(bad)} checkpoints are" if len(bad) > 1 else "One checkpoint is"
    return f"{many} known to be bad and left out of sweeps.\n{reasons}"


class _Tree(QTreeView):
    """The list: a heading per suite, a line per model."""

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setIndentation(12)
        self.setRootIsDecorated(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QTreeView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName("Models")
        self.setItemDelegate(_Delegate(self))
        self.setSizeAdjustPolicy(QTreeView.SizeAdjustPolicy.AdjustIgnored)


class _Delegate(QStyledItemDelegate):
    """Paints a model's name, and at the right how much of it is here, with its badge."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the room of one line."""
        del option, index
        return QSize(120, QFontMetrics(theme.ui_font()).height() + theme.GRID)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one line."""
        colors = theme.current_theme()
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        focused = bool(option.state & QStyle.StateFlag.State_HasFocus)
        rect: QRect = option.rect
        painter.save()
        if chosen:
            painter.fillRect(rect, colors.selection)
        if focused:
            painter.setPen(colors.accent)
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        inner = rect.adjusted(4, 0, -16, 0)
        if index.data(_KEY) is None:
            self._paint_heading(painter, inner, index)
        else:
            self._paint_model(painter, inner, index, chosen=chosen)
        painter.restore()

    def _paint_heading(self, painter: QPainter, rect: QRect, index: Index) -> None:
        painter.setFont(theme.ui_font(0.92, bold=True))
        painter.setPen(theme.current_theme().muted)
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, str(index.data()))

    def _paint_model(self, painter: QPainter, rect: QRect, index: Index, *, chosen: bool) -> None:
        colors = theme.current_theme()
        meta = str(index.data(_META))
        small = theme.small_font()
        width = QFontMetrics(small).horizontalAdvance(meta)
        painter.setFont(small)
        painter.setPen(colors.selection_text if chosen else colors.muted)
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, meta)
        right = width + theme.GRID
        if index.data(_BADGE):
            side = 16
            place = QRect(rect.right() - right - side, rect.center().y() - 7, side, side)
            theme.icon("warning", colors.warning).paint(painter, place)
            right += side + theme.GRID
        name_font = theme.ui_font()
        painter.setFont(name_font)
        here = bool(index.data(_HERE))
        ink = colors.selection_text if chosen else colors.text if here else colors.muted
        painter.setPen(ink)
        room = rect.width() - right
        name = QFontMetrics(name_font).elidedText(
            str(index.data()), Qt.TextElideMode.ElideMiddle, room
        )
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, name)
