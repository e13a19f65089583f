"""Samples under one another, checkpoints beside one another, what they wrote in the cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
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
    set_tool_tip,
)

_NARROWEST = theme.GRID * 25
_MOST_LINES = 14
_LEAST_LINES = 1
_LEADING = 1.45


@dataclass(frozen=True, slots=True)
class Head:
    """What stands over a column: checkpoint, its measures, whether the timeline stands there."""

    model: str
    step: int
    numbers: str = ""
    here: bool = False


class Writing(TokenText):
    """A continuation: quiet where its neighbour says the same, inked where it does not."""

    def wanted_height(self) -> int:
        """Return the height of the whole text at its width, within bounds."""
        self.ensure_laid_out()
        line = QFontMetricsF(theme.text_font()).height() * _LEADING
        least, most = _LEAST_LINES * line + 24, _MOST_LINES * line + 24
        return round(min(max(self._height + 24, least), most))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.GRID * 12, theme.GRID * 4)

    def _find_looks(self) -> None:
        colors = theme.current_theme()
        for token in self._text.tokens[len(self._looks) :]:
            ink = colors.text if token.differs else colors.muted
            ground = colors.selection if token.differs else None
            self._looks.append((ground, self._format(ink, differs=False)))

    def _gutter(self) -> int:
        return 0

    def _paint_gutter(self, painter: QPainter) -> None:
        del painter  # all of it is written


class _ColumnHead(QWidget):
    """The step over a column; a click goes there."""

    chosen = Signal(object)  # self
    unpin_requested = Signal(object)  # self

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumWidth(_NARROWEST)
        self._step = QToolButton()
        self._step.setAutoRaise(True)
        self._step.setCheckable(True)
        self._step.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._unpin = IconButton("unpin", "Unpin this step")
        self._model = ElidedLabel(role="muted", size=0.88)
        self._numbers = ElidedLabel(role="muted", size=0.88)
        names = row_of(self._step, self._model, self._unpin, gap=8, stretch=self._model)
        whole = column_of(gap=0, margins=(12, 4, 4, 4))
        whole.addLayout(names)
        whole.addLayout(row_of(self._numbers, margins=(6, 0, 0, 0)))
        self.setLayout(whole)
        self._step.clicked.connect(self._choose)
        self._unpin.clicked.connect(self._ask_to_unpin)

    def show_head(self, head: Head) -> None:
        """Show another checkpoint."""
        name = f"{format_step(head.step)} of {head.model}"
        self._step.setText(format_step(head.step))
        self.show_here(here=head.here)
        self._step.setAccessibleName(f"Go to {name}")
        self._step.setToolTip("Move the timeline to this step")
        self._unpin.set_name(f"Unpin {name}")
        self._model.setText(head.model)
        self._numbers.setText(head.numbers)

    def show_here(self, *, here: bool) -> None:
        """Say whether the timeline stands here."""
        self._step.setChecked(here)

    def _choose(self) -> None:
        self._step.setChecked(not self._step.isChecked())  # the workspace says where it stands
        self.chosen.emit(self)

    def _ask_to_unpin(self) -> None:
        self.unpin_requested.emit(self)


class _Cell(QWidget):
    """A continuation and its numbers."""

    choice_requested = Signal(object, int, int)  # self, position in what is written, token id

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumWidth(_NARROWEST)
        self.body = Writing()
        self._line = plain_label(role="muted", size=0.88, wrap=True)
        whole = column_of(gap=0)
        whole.addWidget(self.body)
        whole.addLayout(row_of(self._line, margins=(18, 0, 8, 4)))
        whole.addStretch(1)
        self.setLayout(whole)
        self.body.choice_requested.connect(self._choose)
        theme.events.theme_changed.connect(self.fit)

    def show_text(self, text: ShownText, line: str) -> None:
        """Show another continuation."""
        self.body.show_text(text)
        self._line.setText(line)
        self.fit()

    def fit(self) -> None:
        """Be as high as the text."""
        self.body.setFixedHeight(self.body.wanted_height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self.fit()

    def _choose(self, position: int, token_id: int) -> None:
        self.choice_requested.emit(self, position, token_id)


class ContinuationColumns(QWidget):
    """A head per checkpoint; under it a row of cells per sample, all scrolled together."""

    choice_requested = Signal(int, int, int, int)  # column, sample, position written, token id
    step_requested = Signal(int)  # column
    unpin_requested = Signal(int)  # column

    def __init__(self) -> None:
        super().__init__()
        self._heads: list[_ColumnHead] = []
        self._cells: list[list[_Cell]] = []  # by sample, then column
        self._bands: list[QWidget] = []
        self._names: list[ElidedLabel] = []
        self._top = QHBoxLayout()
        self._grid = QGridLayout()
        self._rows = QScrollArea()
        self._wide = Surface()
        self._sideways = _Sideways()
        self._lay_out()

    @property
    def cells(self) -> tuple[tuple[Writing, ...], ...]:
        """The texts, by sample and then by column."""
        return tuple(tuple(cell.body for cell in row) for row in self._cells)

    def show_columns(
        self,
        heads: Sequence[Head],
        names: Sequence[str],
        texts: Sequence[Sequence[ShownText]],
        lines: Sequence[Sequence[str]],
    ) -> None:
        """Show heads by column, and for each of the samples of `names` its texts and numbers."""
        if (len(heads), len(names)) != (len(self._heads), len(self._cells)):
            self._build(len(heads), len(names))
        for widget, head in zip(self._heads, heads, strict=True):
            widget.show_head(head)
        for label, name in zip(self._names, names, strict=True):
            label.setText(name)
        for row, row_texts, row_lines in zip(self._cells, texts, lines, strict=True):
            for cell, text, line in zip(row, row_texts, row_lines, strict=True):
                cell.show_text(text, line)

    def show_here(self, here: Sequence[bool]) -> None:
        """Mark the columns where the timeline stands."""
        for widget, marked in zip(self._heads, here, strict=True):
            widget.show_here(here=marked)

    def _lay_out(self) -> None:
        self._top.setContentsMargins(0, 0, 0, 0)
        self._top.setSpacing(0)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(0)
        inside = Surface()
        stack = column_of(gap=0)
        stack.addLayout(self._grid)
        stack.addStretch(1)
        inside.setLayout(stack)
        self._rows.setWidget(inside)
        self._rows.setWidgetResizable(True)
        self._rows.setFrameShape(QScrollArea.Shape.NoFrame)
        self._rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._rows.viewport().installEventFilter(self)
        column = column_of(gap=0)
        column.addLayout(self._top)
        column.addWidget(Line())
        column.addWidget(self._rows, 1)
        self._wide.setLayout(column)
        self._sideways.setWidget(self._wide)
        whole = column_of(self._sideways, gap=0)
        self.setLayout(whole)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Keep the heads over their columns when the scroll bar takes some of the width."""
        if event.type() == QEvent.Type.Resize and watched is self._rows.viewport():
            taken = self._rows.width() - self._rows.viewport().width()
            self._top.setContentsMargins(0, 0, max(taken, 0), 0)
        return super().eventFilter(watched, event)  # type: ignore[arg-type]

    def _build(self, columns: int, samples: int) -> None:
        for widget in (*self._heads, *self._bands, *(c for row in self._cells for c in row)):
            widget.hide()
            widget.setParent(None)
            widget.deleteLater()
        while self._top.count():
            self._top.takeAt(0)
        self._heads = [self._head() for _ in range(columns)]
        self._bands, self._names, self._cells = [], [], []
        for sample in range(samples):
            self._add_row(sample, columns)
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)
        for column in range(columns, self._grid.columnCount()):
            self._grid.setColumnStretch(column, 0)
        self._wide.setMinimumWidth(columns * _NARROWEST + theme.GRID * 2)

    def _head(self) -> _ColumnHead:
        head = _ColumnHead()
        head.chosen.connect(self._on_head)
        head.unpin_requested.connect(self._on_unpin)
        self._top.addWidget(head, 1)
        return head

    def _add_row(self, sample: int, columns: int) -> None:
        band = Surface("raised")
        name = ElidedLabel(role="muted", size=0.88)
        band.setLayout(row_of(name, margins=(18, 2, 12, 2), stretch=name))
        self._bands.append(band)
        self._names.append(name)
        self._grid.addWidget(band, 2 * sample, 0, 1, columns)
        row = []
        for column in range(columns):
            cell = _Cell()
            cell.choice_requested.connect(self._on_choice)
            self._grid.addWidget(cell, 2 * sample + 1, column)
            row.append(cell)
        self._cells.append(row)

    def _on_head(self, head: _ColumnHead) -> None:
        self.step_requested.emit(self._heads.index(head))

    def _on_unpin(self, head: _ColumnHead) -> None:
        self.unpin_requested.emit(self._heads.index(head))

    def _on_choice(self, cell: _Cell, position: int, token_id: int) -> None:
        for sample, row in enumerate(self._cells):
            if cell in row:
                self.choice_requested.emit(row.index(cell), sample, position, token_id)
                return


class _Sideways(QScrollArea):
    """Scrolls sideways alone, and keeps its widget above the scroll bar."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def viewportEvent(self, event: QEvent) -> bool:
        inside = self.widget()
        if isinstance(event, QResizeEvent) and inside is not None:
            inside.setMaximumHeight(event.size().height())
        return super().viewportEvent(event)


def change_key() -> QWidget:
    """Return the legend: what is inked and what is quiet."""
    return _Key()


class _Key(QWidget):
    """A word as it is drawn where it differs, and one where it does not."""

    def __init__(self) -> None:
        super().__init__()
        self._new = plain_label("not in the column to the left", size=0.88)
        self._same = plain_label("the same there", role="muted", size=0.88)
        self._new.setAutoFillBackground(True)
        self._new.setContentsMargins(6, 1, 6, 1)
        set_tool_tip(
            self, "Each column is compared with its left neighbour, the first with the next"
        )
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setLayout(row_of(self._new, self._same, gap=12))
        self._dress()
        theme.events.theme_changed.connect(self._dress)

    def _dress(self) -> None:
        palette = self._new.palette()
        palette.setColor(self._new.backgroundRole(), theme.current_theme().selection)
        self._new.setPalette(palette)
