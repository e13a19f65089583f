"""A text whose tokens are coloured by how well they were predicted, painted by hand."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QBrush,
    QColor,
    QContextMenuEvent,
    QFont,
    QFontMetricsF,
    QGuiApplication,
    QHideEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTextCharFormat,
)
from PySide6.QtWidgets import QAbstractScrollArea, QMenu, QWidget

from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
from pythia_gui.ui.legend import paint_flag
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.token_card import TokenCard
from pythia_gui.ui.token_layout import Fragment, Paragraph, laid_out, paragraphs_of
from pythia_gui.ui.token_measures import Measure, facts, ramp_value
from pythia_gui.ui.values import ShownText, ShownToken

_EMPTY = ShownText(model="", step=0)
_MARGIN = 12
_NARROW = 40  # average characters: below, there are no names beside the text
_LONGEST_LINE = 92  # average characters: longer lines are hard to come back from
_HOVER_MS = 90
_LEAVE_MS = 260

Ink = tuple[QColor | None, QColor]
"""The background of a token, None for none, and the colour of its letters."""


class TokenText(QAbstractScrollArea):
    """Shows the tokens of one text; the pointer or the arrow keys ask for a token's card.

    Positions count tokens from the start of the text, prompt included.
    """

    choice_requested = Signal(int, int)  # continue from this position with this token id
    token_chosen = Signal(int)  # a person went to this position with the keys
    token_clicked = Signal(int)  # a person clicked this position
    token_pointed = Signal(int)  # the pointer came to this position, -1 where it is over none

    def __init__(self, parent: QWidget | None = None, *, cards: bool = True) -> None:
        """Show nothing yet; without `cards` the owner says what a token's numbers are."""
        super().__init__(parent)
        self._cards = cards
        self._inks: Sequence[Ink] | None = None
        self._pointed = -1
        self._text = _EMPTY
        self._measure: Measure = "probability"
        self._paragraphs: list[Paragraph] | None = None
        self._known: dict[tuple[str, int], Paragraph] = {}  # laid out before, with these looks
        self._height = 0.0
        self._current = -1
        self._hovered = -1
        self._pending = -1
        self._looks: list[tuple[QColor | None, QTextCharFormat]] = []  # of each token
        self._formats: dict[tuple[int, bool], QTextCharFormat] = {}
        self._card = TokenCard(self)
        self._card_token = -1
        self._hover_timer = _single_shot(self, _HOVER_MS)
        self._leave_timer = _single_shot(self, _LEAVE_MS)
        self._set_up()
        self._connect()

    @property
    def card(self) -> TokenCard:
        """The card of the token under the pointer or the keyboard."""
        return self._card

    @property
    def text(self) -> ShownText:
        """What is shown."""
        return self._text

    @property
    def current(self) -> int:
        """The position that the keyboard has reached, -1 if none."""
        return self._current

    def show_text(self, text: ShownText) -> None:
        """Show another text, from its top; the same text with more tokens stays where it is."""
        old, self._text = self._text, text
        if not _goes_on(old, text):
            self._current = self._hovered = -1
            self._close_card()
            self.verticalScrollBar().setValue(0)
        if text.tokens[: len(old.tokens)] != old.tokens:
            self._forget_looks()
        self._paragraphs = None
        self._describe()
        self.viewport().update()

    def append_token(self, token: ShownToken) -> None:
        """Show one more token at the end."""
        self._text = _with_token(self._text, token)
        self._paragraphs = None
        self.viewport().update()

    def set_measure(self, measure: Measure) -> None:
        """Colour the tokens by another measure."""
        self._measure = measure
        self._lay_out_again()

    def set_inks(self, inks: Sequence[Ink] | None) -> None:
        """Give each token a background (None: none) and an ink of its own; None: the measure."""
        self._inks = inks
        self._lay_out_again()

    def show_current(self, position: int) -> None:
        """Put the ring of the keyboard around a token, without announcing it; -1 takes it away."""
        self._current = position if position < len(self._text.tokens) else -1
        if self._current >= 0:
            self._scroll_to(self._current)
        self.viewport().update()

    def show_pointed(self, position: int) -> None:
        """Put the ring of the pointer around a token that is pointed at elsewhere."""
        if position != self._hovered:
            self._hovered = position
            self.viewport().update()

    def content_height(self) -> int:
        """Return the pixels that the whole text takes, its margins with it."""
        self.ensure_laid_out()
        return round(self._height) + 2 * _MARGIN

    def plain_text(self) -> str:
        """Return the text as it is, hidden characters included."""
        return "".join(token.text for token in self._text.tokens)

    def copy(self) -> None:
        """Put the text on the clipboard, as plain text, with the model and step that wrote it."""
        shown = self._text
        if not shown.tokens:
            return
        origin = shown.provenance or f"{shown.model} · {format_step(shown.step)}"
        text = f"{self.plain_text()}\n\n[{origin}]".encode("utf-8", "replace").decode("utf-8")
        QGuiApplication.clipboard().setText(text)

    def token_rects(self) -> list[tuple[int, QRect]]:
        """Return every piece of every token and where it stands in the viewport."""
        self.ensure_laid_out()
        moved = self._origin()
        return [
            (token, rect.translated(moved).toAlignedRect())
            for paragraph in self._paragraphs or ()
            for number in range(paragraph.layout.lineCount())
            for token, rect in paragraph.token_rects(number)
        ]

    def token_at(self, at: QPoint) -> int:
        """Return the position of the token at a point of the viewport, or -1."""
        self.ensure_laid_out()
        point = QPointF(at) - self._origin()
        for paragraph in self._paragraphs_between(point.y(), point.y()):
            for number in paragraph.lines_between(point.y(), point.y()):
                return _token_under(paragraph.token_rects(number), point)
        return -1

    def ensure_laid_out(self) -> None:
        """Lay the text out now, if it changed since it was painted."""
        if self._paragraphs is not None:
            return
        self._find_looks()
        texts = [token.text for token in self._text.tokens]
        self._paragraphs, top = [], 0.0
        for text, fragments in paragraphs_of(texts) if texts else ():
            paragraph = self._laid_out(text, fragments)
            paragraph.move_to(top)
            top += paragraph.height
            self._paragraphs.append(paragraph)
        self._known = {
            (part.text, part.fragments[0].token): part
            for part in self._paragraphs
            if part.fragments
        }
        self._height = top
        self._set_scroll_range()

    def _laid_out(self, text: str, fragments: list[Fragment]) -> Paragraph:
        """Return a paragraph, the one that stood there already if nothing about it changed."""
        known = self._known.get((text, fragments[0].token)) if fragments else None
        if known is not None and known.fragments == fragments:
            return known
        width = max(self._text_width(), 40.0)
        return laid_out(text, fragments, theme.text_font(), width, self._format_of)

    def sizeHint(self) -> QSize:
        return QSize(480, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 72)

    # ------------------------------------------------------------------------- events

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._look_changed()
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.viewport().update()
        escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if event.type() == QEvent.Type.ShortcutOverride and escape and self._card.isVisible():
            event.accept()  # closes the card: the window's own Escape waits
            return True
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._lay_out_again()
        self._set_scroll_range()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        del dx, dy
        self._hovered = -1
        self._close_card()
        self.viewport().update()

    def hideEvent(self, event: QHideEvent) -> None:
        self._close_card()
        super().hideEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._point_at(-1)
            self._hover_timer.stop()
            self._leave_timer.start()
        return super().viewportEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        found = self.token_at(event.position().toPoint())
        self._point_at(found)
        if found == self._pending and self._hover_timer.isActive():
            return
        self._pending = found
        if found < 0:
            self._hover_timer.stop()
            self._leave_timer.start()
        elif found != self._card_token:
            self._leave_timer.stop()
            self._hover_timer.start()
        else:
            self._leave_timer.stop()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._current = self.token_at(event.position().toPoint())
        if self._current >= 0:
            self._show_card(self._current)
            self.token_clicked.emit(self._current)
        else:
            self._close_card()
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif not self._moved_by(Qt.Key(event.key())):
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        copying = menu.addAction("Copy text")
        copying.setShortcut(QKeySequence.StandardKey.Copy)
        copying.triggered.connect(self.copy)
        copying.setEnabled(bool(self._text.tokens))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def _moved_by(self, key: Qt.Key) -> bool:
        """Follow a key; tell whether it meant something here."""
        last = len(self._text.tokens) - 1
        targets = {
            Qt.Key.Key_Left: max(self._current - 1, 0),
            Qt.Key.Key_Right: min(self._current + 1, last),
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        if key in targets and last >= 0:
            self._go_to(targets[key])
            return True
        open_card = self._card.isVisible()
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Up) and open_card:
            if self._card.move_current(1 if key == Qt.Key.Key_Down else -1):
                self._announce_choice()
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return open_card and self._card.accept_current()
        if key == Qt.Key.Key_Escape and open_card:
            self._close_card()
            return True
        return False

    def _go_to(self, position: int) -> None:
        self._current = position
        self._scroll_to(position)
        self._show_card(position)
        self._announce(self._summary(position))
        self.token_chosen.emit(position)
        self.viewport().update()

    def _point_at(self, position: int) -> None:
        if position != self._pointed:
            self._pointed = position
            self.token_pointed.emit(position)

    # ------------------------------------------------------------------------- the card

    def _hover_due(self) -> None:
        if self._pending >= 0:
            self._hovered = self._pending
            self._show_card(self._pending)
            self.viewport().update()

    def _leave_due(self) -> None:
        self._hovered = self._pending = -1
        if self._current >= 0 and self.hasFocus():
            self._show_card(self._current)
        else:
            self._close_card()
        self.viewport().update()

    def _show_card(self, position: int) -> None:
        pieces = [rect for token, rect in self._visible_rects() if token == position]
        if not pieces or not self._cards or not self.isVisible():
            self._close_card()
            return
        self._card_token = position
        place = QRect(self.viewport().mapTo(self, pieces[0].topLeft()), pieces[0].size())
        token = self._text.tokens[position]
        self._card.show_token(token, place, first=position == 0)

    def _close_card(self) -> None:
        self._hover_timer.stop()
        self._leave_timer.stop()
        self._card_token = -1
        self._card.hide()

    def _chosen(self, token_id: int) -> None:
        position = self._card_token
        self._close_card()
        if position >= 0:
            self.choice_requested.emit(position, token_id)

    def _announce_choice(self) -> None:
        choice = self._card.current_choice
        if choice is not None:
            self._announce(f"alternative {reveal_token(choice.text)}, {choice.prob:.3f}")

    def _announce(self, words: str) -> None:
        self.setAccessibleDescription(words)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))

    def _summary(self, position: int) -> str:
        token = self._text.tokens[position]
        if not self._cards:
            return reveal_token(token.text)
        numbers = ", ".join(
            f"{name} {value}" for name, value in facts(token, first=position == 0)[:2]
        )
        part = "written" if token.written else "prompt"
        return f"{reveal_token(token.text)}, {part}, {numbers}"

    def _describe(self) -> None:
        where = f"{self._text.model} step {self._text.step:,}" if self._text.model else ""
        self.setAccessibleName(f"Text {where}".strip())
        self.setAccessibleDescription(self._text.message or self.plain_text()[:500])

    # ------------------------------------------------------------------------- layout

    def _text_width(self) -> float:
        room = self.viewport().width() - self._left() - _MARGIN
        longest = QFontMetricsF(theme.text_font()).averageCharWidth() * _LONGEST_LINE
        return float(min(room, longest))

    def _left(self) -> int:
        return _MARGIN + (self._gutter() or 6)

    def _gutter(self) -> int:
        """Return the room for the words "prompt" and "written", 0 where there is none."""
        average = QFontMetricsF(theme.text_font()).averageCharWidth()
        if self.viewport().width() < _NARROW * average + 160:
            return 0
        return round(QFontMetricsF(theme.small_font()).horizontalAdvance("written")) + 16

    def _origin(self) -> QPointF:
        return QPointF(self._left(), _MARGIN - self.verticalScrollBar().value())

    def _forget_looks(self) -> None:
        self._known.clear()
        self._looks.clear()

    def _lay_out_again(self) -> None:
        self._paragraphs = None
        self._forget_looks()
        self.viewport().update()

    def _look_changed(self) -> None:
        self._formats.clear()
        self._lay_out_again()

    def _set_scroll_range(self) -> None:
        bar, room = self.verticalScrollBar(), self.viewport().height()
        at_end = bar.value() >= bar.maximum()
        bar.setPageStep(room)
        bar.setSingleStep(round(QFontMetricsF(theme.text_font()).height() * 2))
        bar.setRange(0, max(round(self._height) + 2 * _MARGIN - room, 0))
        if at_end and self._text.state == "streaming":
            bar.setValue(bar.maximum())

    def _scroll_to(self, position: int) -> None:
        rects = [rect for token, rect in self.token_rects() if token == position]
        bar = self.verticalScrollBar()
        if rects and rects[0].top() < 0:
            bar.setValue(bar.value() + rects[0].top() - _MARGIN)
        elif rects and rects[-1].bottom() > self.viewport().height():
            below = rects[-1].bottom() - self.viewport().height()
            bar.setValue(bar.value() + below + _MARGIN)

    def _paragraphs_between(self, top: float, bottom: float) -> list[Paragraph]:
        """Return the paragraphs that reach into a stretch of the text's height."""
        paragraphs = self._paragraphs or []
        first = max(bisect_right(paragraphs, top, key=lambda found: found.top) - 1, 0)
        last = bisect_right(paragraphs, bottom, key=lambda found: found.top)
        return paragraphs[first:last]

    def _visible_rects(self) -> list[tuple[int, QRect]]:
        self.ensure_laid_out()
        moved = self._origin()
        top, bottom = -moved.y(), self.viewport().height() - moved.y()
        return [
            (token, rect.translated(moved).toAlignedRect())
            for paragraph in self._paragraphs_between(top, bottom)
            for number in paragraph.lines_between(top, bottom)
            for token, rect in paragraph.token_rects(number)
        ]

    def _find_looks(self) -> None:
        """Find the colour and format of the tokens that have none yet."""
        for position in range(len(self._looks), len(self._text.tokens)):
            background, ink = self._ink_of(position)
            look = self._format(ink, differs=self._text.tokens[position].differs)
            self._looks.append((background, look))

    def _ink_of(self, position: int) -> Ink:
        if self._inks is not None and position < len(self._inks):
            return self._inks[position]
        value = ramp_value(self._text.tokens[position], self._measure)
        background, ink = theme.token_ink(value)
        known = value == value  # not NaN  # noqa: PLR0124
        return (background if known else None), ink

    def _format_of(self, position: int) -> QTextCharFormat:
        return self._looks[position][1]

    def _format(self, ink: QColor, *, differs: bool) -> QTextCharFormat:
        """Return the format of a token, one object for one look."""
        key = (ink.rgba(), differs)
        if key not in self._formats:
            look = QTextCharFormat()
            look.setForeground(QBrush(ink))
            if differs:
                look.setFontWeight(QFont.Weight.Bold)
                look.setFontUnderline(True)
            self._formats[key] = look
        return self._formats[key]

    # ------------------------------------------------------------------------- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        self.ensure_laid_out()
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hasFocus() and self._current < 0:
            painter.setPen(QPen(theme.current_theme().accent, 1))
            painter.drawRect(QRectF(self.viewport().rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        if not self._text.tokens:
            self._paint_message(painter)
            return
        moved = self._origin()
        clip = QRectF(event.rect()).translated(-moved)
        painter.translate(moved)
        for paragraph in self._paragraphs_between(clip.top(), clip.bottom()):
            for number in paragraph.lines_between(clip.top(), clip.bottom()):
                self._paint_tokens(painter, paragraph.token_rects(number))
                paragraph.layout.lineAt(number).draw(painter, QPointF(0.0, paragraph.top))
        self._paint_gutter(painter)
        self._paint_ring(painter)
        if self._text.state == "streaming":
            self._paint_cursor(painter)

    def _paint_tokens(self, painter: QPainter, rects: list[tuple[int, QRectF]]) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        for position, rect in rects:
            background = self._looks[position][0]
            if background is not None:
                painter.setBrush(background)
                painter.drawRoundedRect(rect.adjusted(0.5, -1.5, -0.5, 1.5), 2.5, 2.5)

    def _paint_gutter(self, painter: QPainter) -> None:
        """Tell prompt and written text apart: names at the side, a flag where writing begins."""
        first = next((n for n, token in enumerate(self._text.tokens) if token.written), None)
        start = None if first is None else self._rect_of(first)
        if self._gutter():
            self._paint_side_names(painter, first)
        if start is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.current_theme().accent)
            paint_flag(painter, start.left() - 0.5, start.top() - 5, start.height() + 8)

    def _paint_side_names(self, painter: QPainter, first: int | None) -> None:
        """Name the first line of the prompt, and the first that the model alone wrote."""
        prompt = self._rect_of(0) if first != 0 else None
        if prompt is not None:
            self._paint_side_name(painter, prompt, "prompt")
        for position in range(first, len(self._text.tokens)) if first is not None else ():
            rect = self._rect_of(position)
            if rect is not None and (prompt is None or rect.top() > prompt.top()):
                self._paint_side_name(painter, rect, "written")
                return

    def _paint_side_name(self, painter: QPainter, beside: QRectF, name: str) -> None:
        painter.setFont(theme.small_font())
        painter.setPen(theme.current_theme().muted)
        gutter = self._gutter()
        box = QRectF(-gutter, beside.top(), gutter - 14, beside.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name)

    def _paint_ring(self, painter: QPainter) -> None:
        colors = theme.current_theme()
        for position, width in ((self._hovered, 1.0), (self._current, 2.0)):
            for paragraph, number in self._lines_of(position):
                for token, rect in paragraph.token_rects(number):
                    if token == position:
                        painter.setPen(QPen(colors.text, width))
                        painter.setBrush(Qt.BrushStyle.NoBrush)
                        painter.drawRoundedRect(rect.adjusted(0, -2, 0, 2), 3, 3)

    def _paint_cursor(self, painter: QPainter) -> None:
        rect = self._rect_of(len(self._text.tokens) - 1, last=True)
        if rect is not None:
            painter.fillRect(
                QRectF(rect.right() + 2, rect.top(), 7, rect.height()),
                theme.current_theme().accent,
            )

    def _paint_message(self, painter: QPainter) -> None:
        colors = theme.current_theme()
        color = colors.error if self._text.state == "error" else colors.muted
        painter.setFont(theme.ui_font(1.05))
        painter.setPen(color)
        box = self.viewport().rect().adjusted(24, 16, -24, -16)
        painter.drawText(
            box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, message_of(self._text)
        )

    def _lines_of(self, position: int) -> list[tuple[Paragraph, int]]:
        """Return the lines that a token stands on."""
        return [
            (paragraph, number)
            for paragraph in self._paragraphs or ()
            for part in _parts_of(paragraph, position)
            for number in paragraph.lines_of(part)
        ]

    def _rect_of(self, position: int, *, last: bool = False) -> QRectF | None:
        rects = [
            rect
            for paragraph, number in self._lines_of(position)
            for token, rect in paragraph.token_rects(number)
            if token == position
        ]
        return rects[-1 if last else 0] if rects else None

    def _set_up(self) -> None:
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.viewport().setCursor(Qt.CursorShape.ArrowCursor)

    def _connect(self) -> None:
        self._hover_timer.timeout.connect(self._hover_due)
        self._leave_timer.timeout.connect(self._leave_due)
        self._card.chosen.connect(self._chosen)
        self._card.entered.connect(self._leave_timer.stop)
        self._card.entered.connect(self._hover_timer.stop)
        self._card.left.connect(self._leave_timer.start)
        self.destroyed.connect(self._card.deleteLater)
        theme.events.theme_changed.connect(self._look_changed)


def message_of(text: ShownText) -> str:
    """Return what is said in the place of a text that isn't there."""
    if text.message:
        return text.message
    if text.state in ("waiting", "streaming"):
        return "Waiting for the first token."
    if text.state == "error":
        return "This text could not be computed."
    return "Nothing to show yet. Type a prompt and press Run."


def _token_under(rects: list[tuple[int, QRectF]], point: QPointF) -> int:
    for token, rect in rects:
        if rect.left() <= point.x() < rect.right():
            return token
    return -1


def _parts_of(paragraph: Paragraph, position: int) -> list[Fragment]:
    first = bisect_left(paragraph.fragments, position, key=lambda part: part.token)
    last = bisect_right(paragraph.fragments, position, key=lambda part: part.token)
    return paragraph.fragments[first:last]


def _goes_on(old: ShownText, new: ShownText) -> bool:
    """Tell whether `new` is `old` with more written."""
    same = (old.model, old.step) == (new.model, new.step)
    shared = new.tokens[: len(old.tokens)]
    return (
        same
        and bool(old.tokens)
        and [t.token_id for t in shared] == [t.token_id for t in old.tokens]
    )


def _with_token(text: ShownText, token: ShownToken) -> ShownText:
    return ShownText(
        text.model,
        text.step,
        (*text.tokens, token),
        "streaming",
        text.message,
        text.provenance,
    )


def _single_shot(owner: QWidget, milliseconds: int) -> QTimer:
    timer = QTimer(owner)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    return timer
