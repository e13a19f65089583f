"""Pinned tokens: what A and what B would have put in their place, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget

from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
from pythia_gui.ui.pair_chooser import StrongLabel
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.token_measures import probability_text
from pythia_gui.ui.values import Choice
from pythia_gui.ui.views.pair_data import Comparison, Side
from pythia_gui.ui.views.pair_scales import side_color
from pythia_gui.ui.widgets import (
    FlowLayout,
    IconButton,
    Surface,
    column_of,
    plain_label,
    row_of,
)

MOST_CARDS = 6
_LINES = 11  # of every card: ten tokens, and the one that stands there
_WIDTH = 288  # pixels at a text scale of 1
_BAR = 0.16  # how much of the ground a bar of probability takes of its colour
_LINE = 1.35
_HOW_TO_PIN = "Click a token, or press Space, to pin its card."
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


@dataclass(frozen=True, slots=True)
class TopList:
    """What one checkpoint found likeliest in a place; `title` tells it from the other."""

    letter: str
    title: str
    lines: tuple["ListedToken", ...]


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A line of a list: the rank it has there, the token, its probability in [0, 1]."""

    rank: int
    text: str
    prob: float
    actual: bool


def lists_of(shown: Comparison, position: int) -> tuple[TopList, TopList]:
    """Return the lists of A and of B for a token."""
    one_model = shown.a.entry.key == shown.b.entry.key
    a, b = (
        TopList(side.letter, _title(side, one_model=one_model), listed(shown, side, position))
        for side in (shown.a, shown.b)
    )
    return a, b


def _title(side: Side, *, one_model: bool) -> str:
    step = side.result.checkpoint.step
    name = format_step(step) if one_model else f"{side.entry.name} · {step:,}"
    return f"{side.letter} · {name}"


def listed(shown: Comparison, side: Side, position: int) -> tuple[ListedToken, ...]:
    """Return what one checkpoint found likeliest, the token that stands there last if not among.

    Lines are ordered by probability; the actual token's rank counts every row of the output
    matrix, as everywhere. Before the first token nothing is listed.
    """
    if position == 0:
        return ()
    actual = shown.token_ids[position]
    choices = side.choices(position)
    rows = [_line(choice, number + 1, actual) for number, choice in enumerate(choices)]
    if not choices or any(row.actual for row in rows):
        return tuple(rows)
    a = side.letter == "A"
    prob = float(shown.values["prob_a" if a else "prob_b"][position])
    rank = int(shown.values["rank_a" if a else "rank_b"][position])
    return (*rows, ListedToken(rank, shown.texts[position], prob, actual=True))


def _line(choice: Choice, rank: int, actual: int) -> ListedToken:
    return ListedToken(rank, choice.text, choice.prob, choice.token_id == actual)


class TopLists(QWidget):
    """Two lists of tokens side by side, a bar behind each probability, the actual one marked."""

    def __init__(self) -> None:
        super().__init__()
        self._lists: tuple[TopList, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.events.theme_changed.connect(self._changed)

    @property
    def lists(self) -> tuple[TopList, ...]:
        """What is shown."""
        return self._lists

    def show_lists(self, lists: Sequence[TopList]) -> None:
        """Show the lines of A and of B."""
        self._lists = tuple(lists)
        self.setAccessibleName("; ".join(_words(found) for found in lists))
        self._changed()

    def sizeHint(self) -> QSize:
        rows = 1 + max([_LINES, *(len(found.lines) for found in self._lists)])
        return QSize(round(_WIDTH * theme.text_scale()), round((rows + 0.1) * self._line_height()))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.small_font())
        width = (self.width() - 8) / 2
        for number, found in enumerate(self._lists):
            box = QRectF(number * (width + 8), 0, width, self._line_height())
            self._paint_title(painter, box, found)
            for row in found.lines:
                box.translate(0, self._line_height())
                self._paint_line(painter, box, found.letter, row)

    def _paint_title(self, painter: QPainter, box: QRectF, found: TopList) -> None:
        metrics = QFontMetricsF(theme.small_font())
        line = box.adjusted(0, box.height() - 2, 0, -1)
        painter.fillRect(line, side_color(found.letter))
        painter.setPen(theme.current_theme().muted)
        title = metrics.elidedText(found.title, Qt.TextElideMode.ElideMiddle, box.width())
        painter.drawText(box.adjusted(0, 0, 0, -2), _LEFT, title)

    def _paint_line(self, painter: QPainter, box: QRectF, letter: str, row: ListedToken) -> None:
        colors, metrics = theme.current_theme(), QFontMetricsF(theme.small_font())
        bar = side_color(letter)
        bar.setAlphaF(_BAR)
        inside = box.adjusted(0, 1, 0, -1)
        long = QRectF(inside.left(), inside.top(), inside.width() * row.prob, inside.height())
        painter.fillRect(long, bar)
        if row.actual:
            painter.setPen(QPen(colors.text, 1.25))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(inside.adjusted(0.5, 0, -0.5, 0), 2.5, 2.5)
        prob = probability_text(row.prob)
        rank = f"{row.rank:,}"
        at = metrics.horizontalAdvance(rank if row.rank > 99 else "00") + 4
        room = box.width() - at - metrics.horizontalAdvance(prob) - 16
        name = metrics.elidedText(reveal_token(row.text), Qt.TextElideMode.ElideRight, room)
        painter.setPen(colors.muted)
        painter.drawText(QRectF(box.left(), box.top(), at, box.height()), _RIGHT, rank)
        painter.drawText(box.adjusted(0, 0, -4, 0), _RIGHT, prob)
        painter.setPen(colors.text)
        painter.drawText(box.adjusted(at + 6, 0, 0, 0), _LEFT, name)

    def _line_height(self) -> float:
        return QFontMetricsF(theme.small_font()).height() * _LINE

    def _changed(self) -> None:
        self.updateGeometry()
        self.update()


def _words(found: TopList) -> str:
    said = ", ".join(
        f"{row.rank} {reveal_token(row.text)} {probability_text(row.prob)}"
        f"{' (stands here)' if row.actual else ''}"
        for row in found.lines
    )
    return f"{found.letter}: {said or 'nothing comes before'}"


class TokenPairCard(Surface):
    """One token under A and B; the pin keeps the card, the cross takes it away."""

    closed = Signal(object)  # self
    pin_wanted = Signal(object)  # self

    def __init__(self) -> None:
        super().__init__("raised")
        self.position = -1
        self._title = StrongLabel()
        self._place = plain_label(role="muted", size=0.88)
        self._pin = IconButton("pin", "Pin this card")
        self._close = IconButton("close", "Remove this card")
        self._lists = TopLists()
        self._first = plain_label("Nothing comes before the first token.", role="muted", wrap=True)
        top = row_of(self._title, self._place, None, self._pin, self._close, gap=4)
        column = column_of(gap=2, margins=(8, 4, 8, 8))
        column.addLayout(top)
        column.addWidget(self._lists)
        column.addWidget(self._first)
        self.setLayout(column)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._pin.clicked.connect(self._on_pin)
        self._close.clicked.connect(self._on_close)

    @property
    def lists(self) -> TopLists:
        """What A and what B put in the token's place."""
        return self._lists

    def show_token(self, shown: Comparison, position: int, *, pinned: bool) -> None:
        """Show a token; one that is not pinned offers to be."""
        self.position = position
        name = reveal_token(shown.texts[position])
        self._title.setText(name if len(name) <= 24 else f"{name[:23]}…")
        self._place.setText(f"token {position + 1:,}")
        self._pin.setVisible(not pinned)
        self._close.setVisible(pinned)
        self._first.setVisible(position == 0)
        self._lists.setVisible(position > 0)
        self._lists.show_lists(lists_of(shown, position))
        self.setAccessibleName(f"Token {position + 1}, {name}")

    def _on_pin(self) -> None:
        self.pin_wanted.emit(self)

    def _on_close(self) -> None:
        self.closed.emit(self)


class Cards(QScrollArea):
    """The card of the token that was chosen, then those that are pinned, in the text's order."""

    pinned_changed = Signal(object)  # tuple[int, ...]: the positions that are pinned
    refused = Signal(str)  # why a card was not pinned

    def __init__(self) -> None:
        super().__init__()
        self._comparison: Comparison | None = None
        self._pinned: list[int] = []
        self._current = -1
        self._cards: list[TokenPairCard] = []
        self._hint = plain_label(_HOW_TO_PIN, role="muted", size=0.92, wrap=True)
        self._heads = Surface()
        self._inside = Surface()
        self._flow = FlowLayout(theme.GRID)
        whole = column_of(self._hint, gap=4, margins=(0, 0, 4, 0))
        whole.addLayout(self._flow)
        whole.addStretch(1)
        self._inside.setLayout(whole)
        self.setWidget(self._inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Pinned tokens")
        self.setMinimumWidth(self.width_of(1))

    def width_of(self, columns: int) -> int:
        """Return the pixels that some columns of cards take, the scroll bar with them."""
        card = round(_WIDTH * theme.text_scale()) + 2 * theme.GRID
        return columns * card + (columns - 1) * theme.GRID + 2 * theme.GRID

    @property
    def cards(self) -> tuple[TokenPairCard, ...]:
        """The cards on show, the pinned ones first."""
        return tuple(card for card in self._cards if not card.isHidden())

    @property
    def pinned(self) -> tuple[int, ...]:
        """The positions that are pinned, in the order of the text."""
        return tuple(sorted(self._pinned))

    def show_comparison(self, shown: Comparison | None, *, same_text: bool) -> None:
        """Show the cards for another comparison; another text's pins are forgotten."""
        self._comparison = shown
        if not same_text:
            self._pinned.clear()
            self._current = -1
        self._show_cards()

    def show_current(self, position: int) -> None:
        """Show the card of a token until another one is chosen."""
        self._current = position
        self._show_cards()

    def pin(self, position: int) -> None:
        """Keep the card of a token; one more than fit is refused with a sentence."""
        if position in self._pinned or position < 0:
            return
        if len(self._pinned) >= MOST_CARDS:
            self.refused.emit(f"{MOST_CARDS} cards are the most; remove one first.")
            return
        self._pinned.append(position)
        self._changed()

    def pin_if_room(self, position: int) -> None:
        """Keep the card of a token while fewer than the most are pinned."""
        if len(self._pinned) < MOST_CARDS:
            self.pin(position)

    def unpin(self, position: int) -> None:
        """Take a card away."""
        if position in self._pinned:
            self._pinned.remove(position)
            if position == self._current:
                self._current = -1
            self._changed()

    def _changed(self) -> None:
        self._show_cards()
        self.pinned_changed.emit(self.pinned)

    def _show_cards(self) -> None:
        shown = self._comparison
        places = list(self.pinned)
        if self._current >= 0 and self._current not in places:
            places.insert(0, self._current)
        if shown is None:
            places = []
        places = [place for place in places if shown is not None and place < shown.length]
        while len(self._cards) < len(places):
            self._add_card()
        for card, place in zip(self._cards, places, strict=False):
            assert shown is not None
            card.show_token(shown, place, pinned=place in self._pinned)
        for number, card in enumerate(self._cards):
            card.setVisible(number < len(places))
        self._hint.setVisible(not self._pinned)
        self._flow.invalidate()
        self._inside.updateGeometry()

    def _add_card(self) -> None:
        card = TokenPairCard()
        card.closed.connect(self._on_closed)
        card.pin_wanted.connect(self._on_pin_wanted)
        self._cards.append(card)
        self._flow.addWidget(card)

    def _on_closed(self, card: TokenPairCard) -> None:
        self.unpin(card.position)

    def _on_pin_wanted(self, card: TokenPairCard) -> None:
        self.pin(card.position)
