"""Pinned steps side by side: the same prompt and seed, the words that differ marked."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QStackedLayout, QWidget

from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
from pythia_gui.ui.differences import with_differences
from pythia_gui.ui.legend import Legend
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.token_measures import MEASURE_TIPS, MEASURES, Measure
from pythia_gui.ui.token_text import TokenText
from pythia_gui.ui.values import ShownText
from pythia_gui.ui.widgets import (
    ElidedLabel,
    IconButton,
    Line,
    Surface,
    column_of,
    plain_label,
    row_of,
)

MOST_COLUMNS = 6
_NARROWEST = 240  # pixels: below, a column holds too few words to be read
_BESIDE_EXPANDED = 200
_EXPANDED = 520
_STATES = {
    "empty": "not asked yet",
    "waiting": "waiting",
    "streaming": "writing",
    "done": "",
    "error": "failed",
}
_HOW_TO_PIN = (
    "Nothing is pinned yet.\n\n"
    "Go to a step with the timeline and press Pin: two to six steps, of one model or several, "
    "stand here side by side with the same prompt and seed. The words that differ are bold and "
    "underlined."
)
_ONE_MORE = "Pin at least one more step to compare this one with."


class Column(Surface):
    """One pinned text under the name of its step and model."""

    choice_requested = Signal(object, int, int)  # self, position, token id
    unpin_requested = Signal(object)  # self
    expand_requested = Signal(object)  # self: be wide, or as wide as the others again
    scrolled = Signal(object)  # self

    def __init__(self) -> None:
        super().__init__()
        self.body = TokenText()
        self._step = plain_label(size=1.1)
        self._state = plain_label(role="muted", size=0.88)
        self._model = ElidedLabel(role="muted", size=0.88)
        self._provenance = plain_label(role="muted", size=0.88, wrap=True)
        self._expand = IconButton("expand", "Widen this column", checkable=True)
        self._unpin = IconButton("unpin", "Unpin this step")
        self._lay_out()
        self._connect()

    def show_text(self, text: ShownText) -> None:
        """Show a text with its differences already marked."""
        name = f"{format_step(text.step)} of {text.model}"
        self._step.setText(format_step(text.step))
        self._state.setText(_STATES[text.state])
        self._state.set_role("error" if text.state == "error" else "muted")
        self._model.setText(text.model)
        self._provenance.setText(_without_name(text))
        self._unpin.set_name(f"Unpin {name}")
        self.setAccessibleName(name)
        self.body.show_text(text)

    def show_expanded(self, *, expanded: bool, other: bool) -> None:
        """Be wide, or make room for the `other` one that is."""
        name = "Make this column as wide as the others" if expanded else "Widen this column"
        self._expand.setChecked(expanded)
        self._expand.set_name(name)
        self._expand.set_icon("collapse" if expanded else "expand")
        self.setMinimumWidth(_EXPANDED if expanded else _BESIDE_EXPANDED if other else _NARROWEST)

    def _lay_out(self) -> None:
        column = column_of(gap=0)
        names = column_of(margins=(12, 4, 4, 6), gap=0)
        names.addLayout(row_of(self._step, None, self._expand, self._unpin, gap=4))
        names.addLayout(row_of(self._model, self._state, margins=(0, 0, 8, 0), gap=8))
        column.addLayout(names)
        column.addWidget(Line())
        column.addWidget(self.body, 1)
        foot = column_of(self._provenance, margins=(12, 2, 12, 6))
        column.addLayout(foot)
        self.setLayout(column)
        self.setFocusProxy(self.body)

    def _connect(self) -> None:
        self.body.choice_requested.connect(self._choose)
        self.body.verticalScrollBar().valueChanged.connect(self._scroll)
        self._expand.clicked.connect(self._ask_to_expand)
        self._unpin.clicked.connect(self._ask_to_unpin)

    def _choose(self, position: int, token_id: int) -> None:
        self.choice_requested.emit(self, position, token_id)

    def _scroll(self) -> None:
        self.scrolled.emit(self)

    def _ask_to_expand(self) -> None:
        self.expand_requested.emit(self)

    def _ask_to_unpin(self) -> None:
        self.unpin_requested.emit(self)


class _SidewaysArea(QScrollArea):
    """Scrolls sideways alone, and keeps its widget above the scroll bar."""

    def viewportEvent(self, event: QEvent) -> bool:
        inside = self.widget()
        if isinstance(event, QResizeEvent) and inside is not None:
            # else Qt leaves the widget as high as before the scroll bar came
            inside.setMaximumHeight(event.size().height())
        return super().viewportEvent(event)


class Columns(QWidget):
    """Shows up to six texts side by side, and marks in each the words that differ."""

    unpin_requested = Signal(int)  # take the column of this number away
    choice_requested = Signal(int, int, int)  # in this column, continue from there with this id
    measure_changed = Signal(str)  # a person chose what the colours say

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: list[Column] = []
        self._lines: list[Line] = []
        self._expanded: Column | None = None
        self._measure: Measure = "probability"
        self._scrolling = False
        self._colours = Segments("Colour", MEASURES, MEASURE_TIPS)
        self._legend = Legend(differences=True)
        self._hint = plain_label(role="muted", wrap=True)
        self._area = _SidewaysArea()
        self._row = QHBoxLayout()
        self._pages = QStackedLayout()
        self._lay_out()
        self._colours.chosen.connect(self._measure_chosen)
        self.show_columns(())

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, left to right."""
        return tuple(self._columns)

    @property
    def expanded(self) -> int | None:
        """The number of the wide column, or None."""
        return self._columns.index(self._expanded) if self._expanded else None

    def show_columns(self, texts: tuple[ShownText, ...]) -> None:
        """Show these texts, left to right; an empty tuple explains how to pin."""
        shown = with_differences(texts[:MOST_COLUMNS])
        while len(self._columns) < len(shown):
            self._add_column()
        while len(self._columns) > len(shown):
            self._drop_column()
        for column, text in zip(self._columns, shown, strict=True):
            column.show_text(text)
        self._hint.setText(_ONE_MORE if len(shown) == 1 else "")
        self._hint.setVisible(len(shown) == 1)
        self._pages.setCurrentIndex(1 if shown else 0)
        self._share_width()

    def set_measure(self, measure: Measure) -> None:
        """Colour the tokens by another measure, without announcing it."""
        self._measure = measure
        self._colours.choose(measure)
        self._legend.set_measure(measure)
        for column in self._columns:
            column.body.set_measure(measure)

    def expand(self, number: int | None) -> None:
        """Make one column wide, or with None all the same."""
        self._expanded = None if number is None else self._columns[number]
        self._share_width()

    # ------------------------------------------------------------------------- behaviour

    def _add_column(self) -> None:
        if self._columns:
            line = Line(vertical=True)
            self._lines.append(line)
            self._row.addWidget(line)
        column = Column()
        column.body.set_measure(self._measure)
        self._columns.append(column)
        self._row.addWidget(column, 1)
        column.unpin_requested.connect(self._unpin)
        column.choice_requested.connect(self._choose)
        column.expand_requested.connect(self._expand_asked)
        column.scrolled.connect(self._scroll_others)

    def _drop_column(self) -> None:
        column = self._columns.pop()
        if column is self._expanded:
            self._expanded = None
        for widget in (column, self._lines.pop() if self._lines else None):
            if widget is not None:
                self._row.removeWidget(widget)
                widget.hide()
                widget.deleteLater()

    def _unpin(self, column: Column) -> None:
        self.unpin_requested.emit(self._columns.index(column))

    def _choose(self, column: Column, position: int, token_id: int) -> None:
        self.choice_requested.emit(self._columns.index(column), position, token_id)

    def _expand_asked(self, column: Column) -> None:
        self._expanded = None if column is self._expanded else column
        self._share_width()

    def _share_width(self) -> None:
        for column in self._columns:
            expanded = column is self._expanded
            column.show_expanded(expanded=expanded, other=self._expanded is not None)
            self._row.setStretchFactor(column, 4 if expanded else 1)
        # the area scrolls sideways alone: its height must hold a column and the scroll bar
        lowest = max((column.minimumSizeHint().height() for column in self._columns), default=0)
        bar = self._area.horizontalScrollBar().sizeHint().height()
        self._area.setMinimumHeight(lowest + bar)

    def _scroll_others(self, moved: Column) -> None:
        """Scroll all columns with the one that moved."""
        if self._scrolling:
            return
        self._scrolling = True
        place = moved.body.verticalScrollBar().value()
        for column in self._columns:
            if column is not moved:
                column.body.verticalScrollBar().setValue(place)
        self._scrolling = False

    def _measure_chosen(self, key: str) -> None:
        for measure, _ in MEASURES:
            if measure == key:
                self.set_measure(measure)
                self.measure_changed.emit(measure)

    def _lay_out(self) -> None:
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        inside = QWidget()
        inside.setLayout(self._row)
        self._area.setWidget(inside)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QScrollArea.Shape.NoFrame)
        self._area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        foot = row_of(self._colours, None, self._legend, margins=(12, 6, 12, 6), gap=16)
        filled = QWidget()
        column = column_of(self._area, gap=0)
        column.setStretch(0, 1)
        column.addWidget(self._hint)
        column.addLayout(foot)
        self._hint.setContentsMargins(12, 6, 12, 0)
        filled.setLayout(column)
        self._pages.addWidget(_explanation())
        self._pages.addWidget(filled)
        self._pages.setContentsMargins(0, 0, 0, 0)
        self.setLayout(self._pages)


def _without_name(text: ShownText) -> str:
    """Return a text's provenance without the model and step that stand above it."""
    named = (text.model, format_step(text.step))
    return " · ".join(part for part in text.provenance.split(" · ") if part not in named)


def _explanation() -> Surface:
    page = Surface()
    words = plain_label(_HOW_TO_PIN, role="muted", size=1.05, wrap=True)
    words.setAlignment(Qt.AlignmentFlag.AlignCenter)
    words.setMaximumWidth(theme.GRID * 66)
    middle = row_of(words, margins=(24, 16, 24, 16))
    middle.setAlignment(words, Qt.AlignmentFlag.AlignCenter)
    page.setLayout(middle)
    return page
