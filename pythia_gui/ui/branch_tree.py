"""The tree of branches as an outline: go back to one, name it, note why, take it away."""

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSignalBlocker,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QAction,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from pythia_gui.core.branches import MOST_NAME, MOST_NOTE, Branch, path
from pythia_gui.ui import theme
from pythia_gui.ui.branching import Branching
from pythia_gui.ui.reveal import reveal, reveal_token
from pythia_gui.ui.widgets import (
    IconButton,
    Line,
    Surface,
    column_of,
    plain_label,
    row_of,
    set_tool_tip,
    tool_tip,
)

Index = QModelIndex | QPersistentModelIndex

NUMBER = int(Qt.ItemDataRole.UserRole)
GOES_ON, NOTE, ON_SCREEN, NAME = NUMBER + 1, NUMBER + 2, NUMBER + 3, NUMBER + 4

_HOW = (
    "Ask a prompt: it stands here as a root. Click a word of a text and take another one in its "
    "place: each grows a branch, and a click on a branch goes back to it."
)
_PAD = 4
_MIDDLE = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class BranchTree(Surface):
    """Shows what a `Branching` holds, and changes it as a person wishes."""

    branch_chosen = Signal(object)  # Branch: go back to this prompt

    def __init__(self, branching: Branching) -> None:
        super().__init__()
        self._branching = branching
        self._folded: set[int] = set()
        self._rows = QStandardItemModel()
        self._view = _Outline()
        self._names = _BranchDelegate()
        self._undo = IconButton("undo", "Undo", "Undo the last change of the tree (Ctrl+Z)")
        self._redo = IconButton("redo", "Redo", "Make the change again (Ctrl+Shift+Z)")
        self._rename = IconButton("text", "Rename", "Name this branch (F2)")
        self._remove = IconButton("remove", "Remove", "Remove this branch and its own (Delete)")
        self._note = QLineEdit()
        self._hint = plain_label(_HOW, role="muted", size=0.88, wrap=True)
        self._lay_out()
        self._connect()
        self._show_tree()

    @property
    def view(self) -> QTreeView:
        """The outline itself."""
        return self._view

    def selected(self) -> Branch | None:
        """Return the branch that names, notes and Delete are for."""
        number = self._view.currentIndex().data(NUMBER)
        tree = self._branching.tree
        return tree.get(number) if tree.has(number) else None

    def rename(self) -> None:
        """Edit the name of the selected branch in its place."""
        index = self._view.currentIndex()
        if index.isValid():
            self._view.edit(index)

    def annotate(self) -> None:
        """Edit the note of the selected branch."""
        if self.selected() is not None:
            self._note.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self._note.selectAll()

    def remove(self) -> None:
        """Remove the selected branch and all that grew out of it."""
        branch = self.selected()
        if branch is not None:
            self._branching.remove(branch.number)

    def _lay_out(self) -> None:
        self._view.setModel(self._rows)
        self._view.setItemDelegate(self._names)
        self._note.setMaxLength(MOST_NOTE)
        self._note.setPlaceholderText("Note on this branch")
        self._note.setAccessibleName("Note on this branch")
        set_tool_tip(self._note, "Why this branch is here (Shift+F2); Return keeps it")
        buttons = row_of(self._undo, self._redo, self._rename, self._remove, gap=0)
        head = row_of(plain_label("Branches"), None, margins=(12, 4, 4, 4))
        head.addLayout(buttons)
        foot = column_of(self._note, margins=(12, 8, 4, 0))
        whole = column_of(gap=0)
        whole.addLayout(head)
        whole.addWidget(Line())
        whole.addWidget(self._view, 1)
        whole.addWidget(self._hint)
        whole.addLayout(foot)
        self._hint.setContentsMargins(12, 8, 4, 0)
        self.setLayout(whole)

    def _connect(self) -> None:
        stack = self._branching.undo_stack
        self._branching.tree_changed.connect(self._show_tree)
        self._branching.current_changed.connect(self._show_tree)
        self._branching.begun_changed.connect(self._show_tree)
        self._names.renamed.connect(self._on_renamed, Qt.ConnectionType.QueuedConnection)
        self._note.editingFinished.connect(self._on_note)
        self._redo.clicked.connect(stack.redo)
        self._remove.clicked.connect(self.remove)
        self._rename.clicked.connect(self.rename)
        self._undo.clicked.connect(stack.undo)
        self._view.clicked.connect(self._on_chosen)
        self._view.collapsed.connect(self._on_folded)
        self._view.expanded.connect(self._on_unfolded)
        self._view.opened.connect(self._on_chosen)
        self._view.remove_requested.connect(self.remove)
        self._view.selectionModel().currentChanged.connect(self._show_selected)
        stack.canRedoChanged.connect(self._redo.setEnabled)
        stack.canUndoChanged.connect(self._undo.setEnabled)
        stack.redoTextChanged.connect(self._on_redo_text)
        stack.undoTextChanged.connect(self._on_undo_text)
        theme.events.theme_changed.connect(self._view.scheduleDelayedItemsLayout)
        for keys, wish in (
            (QKeySequence(QKeySequence.StandardKey.Undo), stack.undo),
            (QKeySequence(QKeySequence.StandardKey.Redo), stack.redo),
            (QKeySequence("Shift+F2"), self.annotate),
        ):
            action = QAction(self._view)
            action.setShortcut(keys)
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(wish)
            self._view.addAction(action)
        self._redo.setEnabled(stack.canRedo())
        self._undo.setEnabled(stack.canUndo())
        self._on_redo_text(stack.redoText())
        self._on_undo_text(stack.undoText())

    def _show_tree(self) -> None:
        """Show the tree anew, unfolded as it was, the branch on screen selected."""
        tree, here = self._branching.tree, self._branching.current
        with QSignalBlocker(self._view), QSignalBlocker(self._view.selectionModel()):
            self._rows.clear()
            items: dict[int | None, QStandardItem] = {None: self._rows.invisibleRootItem()}
            for branch in tree.branches:
                begun = self._branching.begun(branch.number)
                on_screen = here is not None and here.number == branch.number
                item = items[branch.number] = _item_of(branch, begun, on_screen=on_screen)
                items[branch.parent].appendRow(item)
            for number, item in items.items():
                if number is not None:
                    self._view.setExpanded(item.index(), number not in self._folded)
        self._view.setVisible(bool(tree.branches))
        self._hint.setVisible(len(tree.branches) < 2)
        if here is not None:
            seen = [one.number for one in path(tree, here.number)]
            folded = (number for number in seen if number in self._folded)
            self._view.setCurrentIndex(items[next(folded, here.number)].index())
        self._show_selected()

    def _show_selected(self) -> None:
        branch = self.selected()
        for widget in (self._note, self._rename, self._remove):
            widget.setEnabled(branch is not None)
        self._note.setText(branch.note if branch is not None else "")

    def _on_redo_text(self, text: str) -> None:
        set_tool_tip(self._redo, f"Redo: {text} (Ctrl+Shift+Z)" if text else "Nothing to redo")

    def _on_undo_text(self, text: str) -> None:
        set_tool_tip(self._undo, f"Undo: {text} (Ctrl+Z)" if text else "Nothing to undo")

    def _on_chosen(self, index: QModelIndex) -> None:
        number = index.data(NUMBER)
        if self._branching.tree.has(number):
            self.branch_chosen.emit(self._branching.tree.get(number))

    def _on_renamed(self, number: int, name: str) -> None:
        if self._branching.tree.has(number):
            self._branching.rename(number, name)

    def _on_note(self) -> None:
        branch = self.selected()
        if branch is not None:
            self._branching.annotate(branch.number, self._note.text())

    def _on_folded(self, index: QModelIndex) -> None:
        self._folded.add(index.data(NUMBER))

    def _on_unfolded(self, index: QModelIndex) -> None:
        self._folded.discard(index.data(NUMBER))


def label_of(branch: Branch) -> str:
    """Return what a branch is called: its name, the token taken, or the prompt of a root."""
    if branch.name:
        return reveal(branch.name)
    if branch.parent is not None:
        return reveal_token(branch.token_text)
    return reveal(" ".join(branch.text.split())) or "the start of a text"


def _item_of(branch: Branch, begun: str, *, on_screen: bool) -> QStandardItem:
    item = QStandardItem(label_of(branch))
    item.setData(branch.number, NUMBER)
    item.setData(reveal(begun.strip(" ")), GOES_ON)
    item.setData(reveal(" ".join(branch.note.split())), NOTE)
    item.setData(on_screen, ON_SCREEN)
    item.setData(branch.name, NAME)
    item.setToolTip(tool_tip(_tip_of(branch, begun)))
    return item


def _tip_of(branch: Branch, begun: str) -> str:
    taken = f"token {branch.position + 1:,}: {reveal_token(branch.token_text)}"
    lines = (
        branch.text + begun,
        taken if branch.parent is not None else "a prompt as it was asked",
        branch.note,
    )
    return "\n".join(filter(None, lines))


class _Outline(QTreeView):
    """The tree view, with Return and Delete."""

    opened = Signal(QModelIndex)
    remove_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderHidden(True)
        self.setAccessibleName("Branches")
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setExpandsOnDoubleClick(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setIndentation(theme.GRID * 2)
        self.setMinimumSize(theme.GRID * 16, theme.GRID * 8)
        self.setFrameShape(QTreeView.Shape.NoFrame)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.state() == QAbstractItemView.State.EditingState:
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit(self.currentIndex())
        elif event.key() == Qt.Key.Key_Delete:
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.FontChange:
            self.scheduleDelayedItemsLayout()
        super().changeEvent(event)


class _BranchDelegate(QStyledItemDelegate):
    """Paints a branch: its name, what the model goes on with, and the note under both."""

    renamed = Signal(int, str)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        del option
        height = QFontMetrics(theme.ui_font()).height() + 2 * _PAD
        if index.data(NOTE):
            height += QFontMetrics(theme.small_font()).height()
        return QSize(theme.GRID * 12, height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colors, rect = theme.current_theme(), option.rect
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        if chosen:
            painter.fillRect(rect, colors.selection)
        if index.data(ON_SCREEN):
            side = QRect(rect.left(), rect.top() + 3, 2, rect.height() - 6)
            painter.fillRect(side, colors.accent)
        line = rect.adjusted(_PAD + 4, _PAD, -_PAD, 0)
        line.setHeight(QFontMetrics(theme.ui_font()).height())
        below = rect.adjusted(_PAD + 4, 0, -_PAD, -_PAD)
        below.setTop(line.bottom() + 1)
        painter.setPen(colors.selection_text if chosen else colors.text)
        line.setLeft(line.left() + self._paint_name(painter, line, index) + theme.GRID)
        painter.setPen(colors.selection_text if chosen else colors.muted)
        _draw_elided(painter, line, str(index.data(GOES_ON) or ""), theme.ui_font())
        _draw_elided(painter, below, str(index.data(NOTE) or ""), theme.small_font())
        painter.restore()

    def _paint_name(self, painter: QPainter, line: QRect, index: Index) -> int:
        """Paint a branch's name; return how wide it is."""
        font = theme.ui_font(bold=bool(index.data(ON_SCREEN)))
        metrics, most = QFontMetrics(font), line.width()
        if index.data(GOES_ON):
            most = most * 3 // 5
        shown = metrics.elidedText(str(index.data()), Qt.TextElideMode.ElideRight, most)
        painter.setFont(font)
        painter.drawText(line, _MIDDLE, shown)
        return metrics.horizontalAdvance(shown)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        del option
        field = QLineEdit(parent)
        field.setMaxLength(MOST_NAME)
        field.setPlaceholderText(str(index.data()))
        field.setAccessibleName("Name of the branch")
        return field

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        if isinstance(editor, QLineEdit):
            editor.setText(str(index.data(NAME) or ""))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        del model
        if isinstance(editor, QLineEdit):
            self.renamed.emit(int(index.data(NUMBER)), editor.text())

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        del index
        editor.setGeometry(option.rect)


def _draw_elided(painter: QPainter, rect: QRect, text: str, font: QFont) -> None:
    painter.setFont(font)
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    if rect.width() > theme.GRID * 2:
        painter.drawText(rect, _MIDDLE, shown)
