"""Small widgets that the panels share; every text they show is plain text."""

import html

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pythia_gui.ui import theme
from pythia_gui.ui.reveal import reveal


def plain_label(
    text: str = "", *, role: str = "text", size: float = 1.0, wrap: bool = False
) -> "PlainLabel":
    """Return a label that shows `text` as it is; `role` names a colour of the theme."""
    return PlainLabel(text, role=role, size=size, wrap=wrap)


class PlainLabel(QLabel):
    """A label for data: never HTML, hidden characters spelled, coloured by the theme."""

    def __init__(
        self, text: str = "", *, role: str = "text", size: float = 1.0, wrap: bool = False
    ) -> None:
        super().__init__()
        self._role, self._size = role, size
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(wrap)
        self.setText(text)
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    def setText(self, text: str) -> None:
        """Show `text` with hidden characters spelled; line breaks break lines."""
        super().setText("\n".join(reveal(line) for line in text.split("\n")))

    def set_role(self, role: str) -> None:
        """Take another colour of the theme."""
        if role != self._role:
            self._role = role
            self._dress()

    def _dress(self) -> None:
        palette = self.palette()
        palette.setColor(self.foregroundRole(), getattr(theme.current_theme(), self._role))
        self.setPalette(palette)
        self.setFont(theme.ui_font(self._size))


class ElidedLabel(PlainLabel):
    """A plain label for names of any length: cut in the middle, whole in its tool tip."""

    def __init__(self, text: str = "", *, role: str = "text", size: float = 1.0) -> None:
        self._whole = text
        super().__init__(text, role=role, size=size)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        """Show as much of `text` as fits."""
        self._whole = reveal(text)
        self.setAccessibleName(self._whole)
        set_tool_tip(self, self._whole)
        self._elide()
        self.updateGeometry()

    def whole_text(self) -> str:
        """Return the text before it was cut."""
        return self._whole

    def sizeHint(self) -> QSize:
        """Return the room that the whole text takes."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._whole) + 2, metrics.height())

    def minimumSizeHint(self) -> QSize:
        """Return the room for a few letters."""
        metrics = self.fontMetrics()
        wide = min(metrics.horizontalAdvance("m" * 6), self.sizeHint().width())
        return QSize(wide, metrics.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the text anew."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        middle = Qt.TextElideMode.ElideMiddle
        shown = self.fontMetrics().elidedText(self._whole, middle, max(self.width(), 1))
        QLabel.setText(self, shown if self.width() > 1 else self._whole)


def set_tool_tip(widget: QWidget, text: str) -> None:
    """Give a widget a tool tip that shows `text` as it is, wrapped."""
    widget.setToolTip(tool_tip(text))


def tool_tip(text: str) -> str:
    """Return `text` as a tool tip that shows it as it is, wrapped; empty stays empty."""
    if not text:
        return ""
    lines = (html.escape(reveal(line)) for line in text.split("\n"))
    return f"<qt>{'<br>'.join(lines)}</qt>"


def without_mnemonic(text: str) -> str:
    """Return `text` for a menu, tab or button, its ampersands not taken for mnemonics."""
    return reveal(text).replace("&", "&&")


class IconButton(QToolButton):
    """A button with an icon alone: it has a name, and a tool tip that says more."""

    def __init__(self, icon: str, name: str, tip: str = "", *, checkable: bool = False) -> None:
        super().__init__()
        self._icon = icon
        self.setCheckable(checkable)
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.set_name(name, tip)
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    def set_name(self, name: str, tip: str = "") -> None:
        """Name the button for assistive technology and in its tool tip."""
        self.setAccessibleName(name)
        set_tool_tip(self, tip or name)

    def set_icon(self, icon: str) -> None:
        """Show another icon."""
        if icon != self._icon:
            self._icon = icon
            self._dress()

    def _dress(self) -> None:
        side = max(16, round(self.fontMetrics().height() * 1.1))
        self.setIcon(theme.icon(self._icon))
        self.setIconSize(QSize(side, side))


class LinkLabel(QPushButton):
    """A plain text that looks and works like a link; what it opens is its owner's business."""

    def __init__(self, text: str, tip: str) -> None:
        super().__init__(without_mnemonic(text))
        self.setFlat(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(text)
        self.setAccessibleDescription(tip)
        set_tool_tip(self, tip)
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    def _dress(self) -> None:
        self.setFont(theme.small_font())
        colors = theme.current_theme()
        accent, text = colors.accent.name(), colors.text.name()
        self.setStyleSheet(
            f"QPushButton {{ border: 1px solid transparent; background: transparent; padding: 0;"
            f" color: {accent}; text-align: left; }}"
            f"QPushButton:hover {{ color: {text}; }}"
            f"QPushButton:focus {{ border: 1px solid {accent}; }}"
        )


class FoldButton(QToolButton):
    """A line of text with a chevron that folds something out; checked means open."""

    def __init__(self, text: str, tip: str = "") -> None:
        super().__init__()
        self._whole = ""
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setCheckable(True)
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.set_text(text)
        if tip:
            set_tool_tip(self, tip)
        self.toggled.connect(self._dress)
        theme.events.theme_changed.connect(self._dress)
        self._dress()

    def set_text(self, text: str) -> None:
        """Show another text, cut at its end where there is no room for it."""
        self._whole = text
        self.setAccessibleName(text)
        self.setText(without_mnemonic(text))
        if self.isVisible():
            self._elide()
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Return the room of the whole text."""
        metrics, hint = self.fontMetrics(), super().sizeHint()
        shown = metrics.size(Qt.TextFlag.TextShowMnemonic, self.text()).width()
        return hint + QSize(metrics.horizontalAdvance(reveal(self._whole)) - shown, 0)

    def minimumSizeHint(self) -> QSize:
        """Return the room of the first words."""
        hint, few = self.sizeHint(), self.fontMetrics().horizontalAdvance("m" * 14)
        return QSize(min(hint.width(), few), hint.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the text anew."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        metrics, whole = self.fontMetrics(), reveal(self._whole)
        missing = self.sizeHint().width() - self.width()
        room = metrics.horizontalAdvance(whole) - max(missing, 0)
        shown = metrics.elidedText(whole, Qt.TextElideMode.ElideRight, room)
        self.setText((shown if missing > 0 else whole).replace("&", "&&"))

    def _dress(self) -> None:
        muted = theme.current_theme().muted
        name = "chevron-down" if self.isChecked() else "chevron-right"
        self.setIcon(theme.icon(name, muted))
        # an open fold is no pressed button: the style's colour for "checked" is taken back
        self.setStyleSheet(
            f"QToolButton, QToolButton:checked {{ background: transparent;"
            f" color: {theme.current_theme().text.name()}; padding: 3px 6px 3px 0; }}"
        )


class Line(QFrame):
    """A hairline between two regions."""

    def __init__(self, *, vertical: bool = False) -> None:
        super().__init__()
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)
        self.setAutoFillBackground(True)
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    def _dress(self) -> None:
        palette = self.palette()
        palette.setColor(self.backgroundRole(), theme.current_theme().line)
        self.setPalette(palette)


class Surface(QWidget):
    """A region that data stands on."""

    def __init__(self, role: str = "surface") -> None:
        super().__init__()
        self._role = role
        self.setAutoFillBackground(True)
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    def _dress(self) -> None:
        palette = self.palette()
        palette.setColor(self.backgroundRole(), getattr(theme.current_theme(), self._role))
        self.setPalette(palette)


class Banner(Surface):
    """A sentence that stays until it is dealt with, and blocks nothing."""

    action_requested = Signal()  # the way out was chosen
    dismissed = Signal()

    def __init__(self) -> None:
        super().__init__("raised")
        self._text = plain_label(wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._mark = QLabel()
        self._action = QPushButton()
        self._close = IconButton("close", "Dismiss this message")
        self._kind = "info"
        parts = (self._mark, self._text, self._action, self._close)
        self.setLayout(row_of(*parts, margins=(16, 4, 8, 4), stretch=self._text))
        self._action.clicked.connect(self.action_requested)
        self._close.clicked.connect(self._dismiss)
        theme.events.theme_changed.connect(self._show_mark)
        self.hide()

    def say(self, text: str, kind: str = "info", action: str = "") -> None:
        """Show a sentence; `kind` is info, warning or error; `action` names a way out."""
        self._kind = kind
        self._text.setText(text)
        self._action.setText(without_mnemonic(action))
        self._action.setVisible(bool(action))
        self.setAccessibleName(text)
        self._show_mark()
        self.show()

    def text(self) -> str:
        """Return the sentence on show, empty when there is none."""
        return "" if self.isHidden() else self._text.text()

    def _dismiss(self) -> None:
        self.hide()
        self.dismissed.emit()

    def _show_mark(self) -> None:
        colors = theme.current_theme()
        color = {"warning": colors.warning, "error": colors.error}.get(self._kind, colors.muted)
        name = "info" if self._kind == "info" else "warning"
        self._mark.setPixmap(theme.icon(name, color).pixmap(16))


def row_of(
    *parts: QWidget | None,
    margins: tuple[int, int, int, int] = (0, 0, 0, 0),
    gap: int = 8,
    stretch: QWidget | None = None,
) -> QHBoxLayout:
    """Return a row of widgets; None stands for empty room, `stretch` is the one that grows."""
    row = QHBoxLayout()
    _fill(row, parts, margins, gap)
    if stretch is not None:
        row.setStretchFactor(stretch, 1)
    return row


def column_of(
    *parts: QWidget | None,
    margins: tuple[int, int, int, int] = (0, 0, 0, 0),
    gap: int = 8,
    stretch: QWidget | None = None,
) -> QVBoxLayout:
    """Return a column of widgets; None stands for empty room, `stretch` is the one that grows."""
    column = QVBoxLayout()
    _fill(column, parts, margins, gap)
    if stretch is not None:
        column.setStretchFactor(stretch, 1)
    return column


def _fill(
    box: QBoxLayout,
    parts: tuple[QWidget | None, ...],
    margins: tuple[int, int, int, int],
    gap: int,
) -> None:
    box.setContentsMargins(*margins)
    box.setSpacing(gap)
    for part in parts:
        if part is None:
            box.addStretch(1)
        else:
            box.addWidget(part)


class FlowLayout(QLayout):
    """Lays widgets out like words: from left to right, then on the next line."""

    def __init__(self, gap: int = 8) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._gap = gap
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        """Take an item in at the end."""
        self._items.append(item)

    def count(self) -> int:
        """Return how many items there are."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return an item, or None."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Take an item out."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows from the width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height that the lines take."""
        return self._place(QRect(0, 0, width, 0), move=False)

    def sizeHint(self) -> QSize:
        """Return the room of all items in one line."""
        hints = [item.sizeHint() for item in self._items]
        wide = sum(hint.width() for hint in hints) + self._gap * max(len(hints) - 1, 0)
        return QSize(wide, max((hint.height() for hint in hints), default=0))

    def minimumSize(self) -> QSize:
        """Return the room of the largest item."""
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        return size

    def setGeometry(self, rect: QRect) -> None:
        """Place the items."""
        super().setGeometry(rect)
        self._place(rect, move=True)

    def _place(self, rect: QRect, *, move: bool) -> int:
        """Return the height of all lines; the items of one stand on its middle."""
        y = rect.y()
        for line in self._lines(rect.width()):
            x, height = rect.x(), max(item.sizeHint().height() for item in line)
            for item in line:
                hint = item.sizeHint()
                if move:
                    down = (height - hint.height()) // 2
                    item.setGeometry(QRect(QPoint(x, y + down), hint))
                x += hint.width() + self._gap
            y += height + self._gap // 2
        return max(y - self._gap // 2 - rect.y(), 0)

    def _lines(self, width: int) -> list[list[QLayoutItem]]:
        lines: list[list[QLayoutItem]] = []
        room = 0
        for item in self._items:
            widget = item.widget()
            if widget is not None and widget.isHidden():
                continue
            needed = item.sizeHint().width()
            if not lines or needed > room:
                lines.append([])
                room = width
            lines[-1].append(item)
            room -= needed + self._gap
        return lines
