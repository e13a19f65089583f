"""What is known of one token: its numbers, and the tokens that could have stood there."""

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFont,
    QFontMetrics,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.bubble import placed
from pythia_gui.ui.reveal import hidden_names, reveal_token
from pythia_gui.ui.token_measures import facts, probability_text
from pythia_gui.ui.values import Choice, ShownToken

_WIDTH = 24  # in heights of the font
_BAR = 6.5
_PAD = 12
_MOST_ROWS = 12
_ELIDE = Qt.TextElideMode.ElideMiddle


class TokenCard(QWidget):
    """A card beside a token, inside the window.

    A click on an alternative announces the wish to continue from there with it; so does
    `accept_current` for the one that the keyboard has reached.
    """

    chosen = Signal(int)  # a person wants this token id in the place of the one shown
    entered = Signal()  # the pointer came in
    left = Signal()  # the pointer went away

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self._token: ShownToken | None = None
        self._is_first = False
        self._current = -1
        self._hovered = -1
        self._first = 0
        self.setMouseTracking(True)
        self.setAccessibleName("Token")
        self.hide()

    @property
    def token(self) -> ShownToken | None:
        """The token that the card speaks of."""
        return self._token

    @property
    def current_choice(self) -> Choice | None:
        """The alternative that the keyboard has reached."""
        choices = self._choices()
        return choices[self._current] if 0 <= self._current < len(choices) else None

    def show_token(self, token: ShownToken, place: QRect, *, first: bool = False) -> None:
        """Show a token beside its rectangle in the owner, below it where there is room.

        Nothing predicted the `first` token of a text.
        """
        window = self._owner.window()
        if self.parentWidget() is not window:
            self.setParent(window)
        if token is not self._token:
            self._current = self._hovered = -1
            self._first = 0
        self._token, self._is_first = token, first
        self.resize(self._size())
        there = QRect(self._owner.mapTo(window, place.topLeft()), place.size())
        self.move(beside(self.size(), there, window.size()))
        self.show()
        self.raise_()
        self.update()

    def move_current(self, by: int) -> bool:
        """Go to another alternative; tell whether there is one. Above the first is none."""
        choices = self._choices()
        target = min(self._current + by, len(choices) - 1)
        if not choices or self._current + by < -1:
            return False
        self._current = target
        if target >= 0:
            self._first = min(max(self._first, target - _MOST_ROWS + 1), target)
        self.update()
        return True

    def accept_current(self) -> bool:
        """Announce the alternative that the keyboard has reached; tell whether there is one."""
        choice = self.current_choice
        if choice is None:
            return False
        self.chosen.emit(choice.token_id)
        return True

    def choice_rect(self, number: int) -> QRect:
        """Return where an alternative is drawn; empty if it is scrolled away."""
        row = number - self._first
        if not 0 <= row < min(_MOST_ROWS, len(self._choices()) - self._first):
            return QRect()
        top = self._list_top() + row * self._row_height()
        return QRect(_PAD // 2, top, self.width() - _PAD, self._row_height())

    # ------------------------------------------------------------------------- events

    def enterEvent(self, event: QEnterEvent) -> None:
        self.entered.emit()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = -1
        self.update()
        self.left.emit()
        super().leaveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hovered = self._choice_at(event.position().toPoint())
        over = self._hovered >= 0
        self.setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # the text below must not take the click

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        number = self._choice_at(event.position().toPoint())
        if number >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(self._choices()[number].token_id)
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        most = max(len(self._choices()) - _MOST_ROWS, 0)
        step = -1 if event.angleDelta().y() > 0 else 1
        self._first = min(max(self._first + step, 0), most)
        self.update()
        event.accept()

    # ------------------------------------------------------------------------- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        if self._token is None:
            return
        colors = theme.current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.outline, 1))
        painter.setBrush(colors.raised)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        top = self._paint_title(painter)
        top = self._paint_facts(painter, top)
        self._paint_choices(painter, top)

    def _paint_title(self, painter: QPainter) -> int:
        assert self._token is not None
        colors = theme.current_theme()
        metrics = QFontMetrics(_title_font())
        number = f"id {self._token.token_id}"
        small = QFontMetrics(theme.small_font())
        room = self.width() - 2 * _PAD - small.horizontalAdvance(number) - _PAD
        box = QRect(_PAD, _PAD, self.width() - 2 * _PAD, metrics.height())
        painter.setFont(_title_font())
        painter.setPen(colors.text)
        shown = metrics.elidedText(reveal_token(self._token.text), _ELIDE, room)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft, shown)
        painter.setFont(theme.small_font())
        painter.setPen(colors.muted)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, number)
        return box.bottom() + 1 + 4

    def _paint_facts(self, painter: QPainter, top: int) -> int:
        colors = theme.current_theme()
        height = QFontMetrics(theme.ui_font()).height()
        painter.setFont(theme.ui_font())
        for name, value in self._facts():
            box = QRect(_PAD, top, self.width() - 2 * _PAD, height)
            painter.setPen(colors.muted)
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft, name)
            painter.setPen(colors.text)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight, value)
            top += height
        return top

    def _paint_choices(self, painter: QPainter, top: int) -> None:
        colors = theme.current_theme()
        top += 8
        painter.fillRect(QRect(_PAD, top, self.width() - 2 * _PAD, 1), colors.line)
        choices = self._choices()
        for number in range(self._first, min(self._first + _MOST_ROWS, len(choices))):
            self._paint_choice(painter, number, choices[number])
        foot = QRect(
            _PAD,
            self.height() - _PAD - QFontMetrics(theme.small_font()).height(),
            self.width() - 2 * _PAD,
            QFontMetrics(theme.small_font()).height(),
        )
        painter.setFont(theme.small_font())
        painter.setPen(colors.muted)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, self._foot())

    def _paint_choice(self, painter: QPainter, number: int, choice: Choice) -> None:
        assert self._token is not None
        colors = theme.current_theme()
        box = self.choice_rect(number)
        ink = colors.text
        if number in (self._current, self._hovered):
            painter.setPen(
                QPen(colors.accent, 1.5) if number == self._current else Qt.PenStyle.NoPen
            )
            painter.setBrush(colors.selection)
            painter.drawRoundedRect(QRectF(box).adjusted(1, 1, -1, -1), 3, 3)
            ink = colors.selection_text
        taken = choice.token_id == self._token.token_id
        self._paint_choice_text(painter, box, number, choice, ink, bold=taken)
        self._paint_bar(painter, box, choice.prob, colors.text if taken else colors.outline)

    def _paint_choice_text(
        self,
        painter: QPainter,
        box: QRect,
        number: int,
        choice: Choice,
        ink: QColor,
        *,
        bold: bool,
    ) -> None:
        font = theme.ui_font(bold=bold)
        metrics = QFontMetrics(font)
        ordinal, number_width = f"{number + 1}", metrics.horizontalAdvance("000")
        middle = Qt.AlignmentFlag.AlignVCenter
        inner = box.adjusted(_PAD // 2, 0, -_PAD // 2, 0)
        painter.setFont(font)
        painter.setPen(theme.current_theme().muted)
        painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | middle, ordinal)
        painter.setPen(ink)
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | middle, probability_text(choice.prob))
        room = inner.width() - number_width - _bar_width() - _number_width() - 16
        text = metrics.elidedText(reveal_token(choice.text), _ELIDE, room)
        painter.drawText(
            inner.adjusted(number_width, 0, 0, 0), Qt.AlignmentFlag.AlignLeft | middle, text
        )

    def _paint_bar(self, painter: QPainter, box: QRect, prob: float, ink: QColor) -> None:
        right, width = box.right() - _PAD // 2 - _number_width(), _bar_width()
        trough = QRectF(right - width, box.center().y() - 2, width, 5)
        painter.fillRect(trough, theme.current_theme().line)
        filled = max(width * min(max(prob, 0.0), 1.0), 1.0)
        painter.fillRect(QRectF(trough.left(), trough.top(), filled, 5), ink)

    # ------------------------------------------------------------------------- measures

    def _choices(self) -> tuple[Choice, ...]:
        return self._token.choices if self._token is not None else ()

    def _facts(self) -> tuple[tuple[str, str], ...]:
        assert self._token is not None
        names = hidden_names(self._token.text)
        numbers = facts(self._token, first=self._is_first)
        return (*numbers, *(("contains", name) for name in names[:3]))

    def _foot(self) -> str:
        choices = self._choices()
        if not choices:
            if self._is_first:
                return "The first token of a text is given, not predicted."
            return "No alternatives were computed here."
        if len(choices) > _MOST_ROWS:
            last = min(self._first + _MOST_ROWS, len(choices))
            return f"{self._first + 1}–{last} of {len(choices)}. Click: continue with it"
        return "Click, or ↓ and Enter: continue with it"

    def _row_height(self) -> int:
        return QFontMetrics(theme.ui_font()).height() + 6

    def _list_top(self) -> int:
        title = QFontMetrics(_title_font()).height()
        numbers = len(self._facts()) * QFontMetrics(theme.ui_font()).height()
        return _PAD + title + 4 + numbers + 8 + 5

    def _size(self) -> QSize:
        rows = min(len(self._choices()), _MOST_ROWS)
        small = QFontMetrics(theme.small_font())
        foot = small.height() + 6 + _PAD
        width = max(round(_WIDTH * _em()), small.horizontalAdvance(self._foot()) + 2 * _PAD)
        return QSize(width, self._list_top() + rows * self._row_height() + foot)

    def _choice_at(self, at: QPoint) -> int:
        for number in range(self._first, len(self._choices())):
            if self.choice_rect(number).contains(at):
                return number
        return -1


def _em() -> float:
    return QFontMetricsF(theme.ui_font()).height()


def _bar_width() -> int:
    return round(_BAR * _em())


def _number_width() -> int:
    """Return the room for a probability and the air before it."""
    return QFontMetrics(theme.ui_font(bold=True)).horizontalAdvance("100.0 %") + 14


def _title_font() -> QFont:
    return theme.ui_font(1.2, bold=True)


def beside(size: QSize, place: QRect, room: QSize) -> QPoint:
    """Return where a card stands below `place`, or above it where it would not fit."""
    below = place.bottom() + 3
    if below + size.height() <= room.height() - 2:
        left = min(max(place.left() - 8, 2), max(room.width() - size.width() - 2, 2))
        return QPoint(left, below)
    above = placed(size, place, room)
    left = min(max(place.left() - 8, 2), max(room.width() - size.width() - 2, 2))
    return QPoint(left, max(min(above.y(), room.height() - size.height() - 2), 2))
