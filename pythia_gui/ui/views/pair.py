"""Two checkpoints on one text."""

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QComboBox, QSplitter, QWidget

from pythia_gui.core.events import Result
from pythia_gui.core.library import ModelEntry, PromptError
from pythia_gui.core.requests import Checkpoint, Continue, Prompt, Request
from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
from pythia_gui.ui.bubble import Bubble
from pythia_gui.ui.pair_chooser import PairChooser
from pythia_gui.ui.presenters import why_not_here
from pythia_gui.ui.questions import Pin
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.tables import Table
from pythia_gui.ui.token_text import Ink, TokenText
from pythia_gui.ui.values import ShownText, ShownToken
from pythia_gui.ui.views.page import Page, Plan
from pythia_gui.ui.views.pair_cards import Cards
from pythia_gui.ui.views.pair_data import (
    MEASURES,
    NAMES,
    TIPS,
    Comparison,
    PairMeasure,
    compared,
    pair_table,
    value_text,
)
from pythia_gui.ui.views.pair_histogram import Histogram
from pythia_gui.ui.views.pair_legend import PairLegend
from pythia_gui.ui.views.pair_lines import PositionPlot
from pythia_gui.ui.views.pair_plot import Range
from pythia_gui.ui.views.pair_scales import PairScale, faded_ink, scale_of
from pythia_gui.ui.views.pair_summary import PairSummary, origin_line
from pythia_gui.ui.widgets import Surface, column_of, plain_label, row_of, set_tool_tip, tool_tip
from pythia_gui.ui.workspace import Workspace

TOP_K = 10
_CHOOSE = "Choose two checkpoints that are on this machine, A and B, in the row above."
_SAME = "A and B are one checkpoint: choose another step or model for one of them."
_SHORT = "The prompt is one token and nothing comes before it: type at least one word more."
_ROUNDING = 1e-9
_ROOM_FOR_TWO = 1_400  # pixels from which two columns of cards leave enough for the text

_TEXTS = ("The prompt", "The prompt and what A writes", "The prompt and what B writes")

Inside = NDArray[np.bool_]
Written = tuple[Pin, tuple[int, ...], int]
"""Names a continuation: who wrote it, after which tokens, and how many were asked for."""


class PairPage(Page):
    """Two checkpoints on one text."""

    name = "A and B"

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._coloured: PairMeasure = MEASURES[0]
        self._pair: tuple[Pin, Pin] | None = None
        self._answers: dict[tuple[str, int], Result] = {}
        self._comparison: Comparison | None = None
        self._scale: PairScale | None = None
        self._inside: Inside | None = None
        self._current = -1
        self._text_ids: tuple[int, ...] = ()
        self._arranged = False
        self._resized = False
        self._typed = 0
        self._asked: Prompt | None = None
        self._writer: int | None = None
        self._writing: Written | None = None
        self._written: dict[Written, tuple[int, ...]] = {}
        self.chooser = PairChooser(workspace)
        self.tools.addWidget(self.chooser)
        workspace.pair_changed.connect(self.refresh)
        workspace.token_selected.connect(self._on_selected)
        theme.events.theme_changed.connect(self._recolour)

    # -- what the page asks ---------------------------------------------------------------------

    def plan(self) -> Plan:
        self._asked, self._typed = None, 0
        pair = self._pair = self.workspace.pair
        if pair is None:
            return Plan(message=_CHOOSE)
        if pair[0] == pair[1]:
            return Plan(message=_SAME)
        entries = [self.workspace.models[pin.model] for pin in pair]
        for pin, entry in zip(pair, entries, strict=True):
            if pin.step not in entry.here:
                return Plan(message=why_not_here(entry, pin.step))
        prompt = self.workspace.asking(pair[0].model, endings=False)
        at = [self.workspace.library.checkpoint(pin.model, pin.step) for pin in pair]
        _refuse(prompt, entries, at)
        return self._plan_of(prompt, at)

    def _plan_of(self, typed: Prompt, at: Sequence[Checkpoint]) -> Plan:
        """Return the plan for a prompt; what is written after it must be known first."""
        pair, self._typed = self._pair, len(typed.token_ids)
        room = min(checkpoint.config.context for checkpoint in at) - self._typed
        wanted = min(self.workspace.settings.new_tokens, room)
        if self._writer is None or pair is None or wanted < 1:
            _refuse_short(typed)
            self._asked = typed
            return Plan((self._measuring(at, typed),))
        written = self._written.get((pair[self._writer], typed.token_ids, wanted))
        if written is None:
            self._writing = (pair[self._writer], typed.token_ids, wanted)
            return Plan((self._asking_to_write(at[self._writer], typed, wanted),))
        ids = (*typed.token_ids, *written)
        self._asked = self.workspace.library.prompt_of_ids(pair[0].model, ids)
        _refuse_short(self._asked)
        return Plan((self._measuring(at, self._asked),))

    def _asking_to_write(self, at: Checkpoint, prompt: Prompt, new_tokens: int) -> Request:
        what, slot = Continue(new_tokens), self.runner.slot
        return Request(slot, (at,), (prompt,), next_token=False, continuation=what, top_k=0)

    def _measuring(self, at: Sequence[Checkpoint], prompt: Prompt) -> Request:
        return Request(
            self.runner.slot,
            tuple(at),
            (prompt,),
            score=True,
            next_token=True,
            top_k=TOP_K,
            against=at[0],
        )

    def clear(self) -> None:
        self._answers.clear()
        self._comparison = None
        self._inside = None
        self._summary.clear()
        self._empty_view()

    def take(self, result: Result) -> None:
        if self._asked is None:
            self._take_written(result)
            return
        self._answers[result.checkpoint.model, result.checkpoint.step] = result

    def _take_written(self, result: Result) -> None:
        """Keep what a checkpoint wrote, and go on to measure it."""
        if result.error is not None or not result.continuations:
            self._say_problem(result.error or "Nothing was written.")
        elif self._writing is not None:
            self._written[self._writing] = tuple(result.continuations[0].token_ids.tolist())
            self.refresh()

    # -- what the page shows --------------------------------------------------------------------

    def build(self) -> QWidget:
        self._summary = PairSummary()
        self._colours = _measure_box()
        self._source = _source_box()
        self._legend = PairLegend()
        self._text = TokenText(cards=False)
        self._text.setMinimumHeight(theme.GRID * 8)
        self._probs = PositionPlot("probability", tokens_named=False)
        self._ranks = PositionPlot("rank", tokens_named=True)
        self._histogram = Histogram()
        self._cards = Cards()
        self._chosen_words = plain_label(role="muted", size=0.92)
        self._connect_parts()
        view = self._laid_out()
        self._bubble = Bubble(view)
        return view

    def redraw(self) -> None:
        if self._resized and self._comparison is not None:
            self._resized = False
            self._share_room()
        found = self._found()
        if found is None:
            if self._comparison is None and self._asked is not None:
                self._say_state()
            return
        before, self._comparison = self._comparison, found
        if before is None or not _same_answers(before, found):
            self._show_comparison(found)

    def table(self) -> Table:
        return Table() if self._comparison is None else pair_table(self._comparison)

    def row_chosen(self, row: int) -> None:
        self._go_to(row)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._resized = True
        self.touch()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self._current >= 0:
            self._toggle_pin(self._current)
        else:
            super().keyPressEvent(event)

    def _found(self) -> Comparison | None:
        """Return the comparison of what has come, None while something is missing."""
        if self._pair is None:
            return None
        results = [self._answers.get((pin.model, pin.step)) for pin in self._pair]
        entries = [self.workspace.models[pin.model] for pin in self._pair]
        for letter, entry, result in zip("AB", entries, results, strict=True):
            self._say_of(letter, entry, result)
        a, b = results
        if a is None or b is None or a.score is None or b.score is None:
            return None
        texts = self.workspace.library.token_texts(entries[0].key, a.prompt.token_ids)
        written = len(a.prompt.token_ids) - self._typed
        return compared(texts, entries[0], entries[1], a, b, written=written)

    def _say_of(self, letter: str, entry: ModelEntry, result: Result | None) -> None:
        """Say why there are no numbers of a side yet, or that there never will be."""
        if result is not None and result.error is not None:
            self._summary.show_side(letter, f"{entry.name}: {result.error}", "error")
            self._say_problem(result.error)
        elif result is None and self.runner.running:
            self._summary.show_side(letter, f"{entry.name}: computing …")

    def _show_comparison(self, shown: Comparison) -> None:
        same = self._text_ids == shown.token_ids
        self._text_ids = shown.token_ids
        self._summary.show_comparison(shown)
        self._text.show_text(_shown_text(shown))
        self._probs.show_comparison(shown)
        self._ranks.show_comparison(shown)
        self._cards.show_comparison(shown, same_text=same)
        self._show_measure()
        known = 0 <= self.workspace.token < shown.length
        self._show_current(self.workspace.token if known else most_apart(shown))
        if not same:
            self._share_room()

    def _share_room(self) -> None:
        """Give the text the height that it needs, and the cards two columns where there is room.

        What a person has arranged by hand stays.
        """
        if self._arranged:
            return
        width = sum(self._sides.sizes())
        cards = self._cards.width_of(2 if width > _ROOM_FOR_TWO * theme.text_scale() else 1)
        self._sides.setSizes([width - cards, cards])
        height = sum(self._left.sizes())
        text = min(max(self._text.content_height(), theme.GRID * 8), height * 2 // 5)
        self._left.setSizes([text, (height - text) * 9 // 20, (height - text) * 11 // 20])

    def _on_arranged(self) -> None:
        self._arranged = True

    def _empty_view(self) -> None:
        self._say_state()
        self._cards.show_comparison(None, same_text=True)
        self._probs.show_nothing()
        self._ranks.show_nothing()
        self._histogram.show_nothing()
        self._bubble.hide()

    def _say_state(self) -> None:
        """Say in the text's place why there is none as yet."""
        if self.runner.running:
            self._text.show_text(ShownText("", 0, state="waiting", message="Computing …"))
        elif not any(result.error for result in self._answers.values()):
            self._text.show_text(ShownText("", 0, message="Press Measure to compare A and B."))

    def _say_problem(self, why: str) -> None:
        self._text.show_text(ShownText("", 0, state="error", message=why))

    # -- the measure ----------------------------------------------------------------------------

    def _on_source(self, row: int) -> None:
        """Compare on another text: the prompt, or with it what A (row 1) or B (row 2) writes."""
        self._writer = None if row == 0 else row - 1
        self.refresh()

    def _on_measure(self, row: int) -> None:
        self._coloured = cast("PairMeasure", self._colours.itemData(row))
        set_tool_tip(self._colours, TIPS[self._coloured])
        self._show_measure()

    def _show_measure(self) -> None:
        shown = self._comparison
        if shown is None:
            return
        values = shown.values[self._coloured]
        self._scale = scale_of(self._coloured, values)
        self._legend.show_scale(self._scale)
        self._histogram.show_values(values, self._scale)
        self._on_range(self._histogram.chosen)
        self._mark_value()

    def _on_range(self, chosen: Range | None) -> None:
        """Let the tokens fade whose value lies outside of a range."""
        shown, scale = self._comparison, self._scale
        if shown is None or scale is None:
            return
        values = shown.values[self._coloured]
        self._inside = None if chosen is None else inside(scale, values, chosen)
        self._probs.show_inside(self._inside)
        self._ranks.show_inside(self._inside)
        self._chosen_words.setText(self._range_words(shown))
        self._recolour()

    def _range_words(self, shown: Comparison) -> str:
        if self._inside is None:
            return "Drag over values to find their tokens"
        count = int(self._inside.sum())
        return f"{count:,} of {shown.length - 1:,} {self._histogram.words()}"

    def _recolour(self) -> None:
        shown, scale = self._comparison, self._scale
        if shown is not None and scale is not None:
            self._text.set_inks(inks(scale, shown.values[self._coloured], self._inside))

    def _mark_value(self) -> None:
        shown, place = self._comparison, self._current
        known = shown is not None and 0 <= place < shown.length
        value = float(shown.values[self._coloured][place]) if shown and known else math.nan
        self._histogram.mark(value)

    # -- the token ------------------------------------------------------------------------------

    def _on_clicked(self, position: int) -> None:
        self._cards.pin_if_room(position)
        self._go_to(position)

    def _go_to(self, position: int) -> None:
        """Go to a token of the text, and if it is one of the prompt's, with it all views."""
        self.workspace.select_token(position if position < self._typed else -1)
        self._show_current(position)

    def _on_selected(self, position: int) -> None:
        if self._comparison is not None:
            self._show_current(position)

    def _show_current(self, position: int) -> None:
        shown = self._comparison
        if shown is None or not position < shown.length:
            position = -1
        self._current = position
        self._text.show_current(position)
        self._probs.show_current(position)
        self._ranks.show_current(position)
        self._cards.show_current(position)
        self._mark_value()
        if shown is not None and position >= 0:
            self._text.setAccessibleDescription(", ".join(token_lines(shown, position)))

    def _toggle_pin(self, position: int) -> None:
        if position in self._cards.pinned:
            self._cards.unpin(position)
        else:
            self._cards.pin(position)

    def _point_in_text(self, position: int) -> None:
        places = [rect for token, rect in self._text.token_rects() if token == position]
        self._point_at(position, self._text.viewport(), places[0] if places else QRect())

    def _point_in_probs(self, position: int) -> None:
        self._point_at(position, self._probs, self._probs.spot_of(position), beside=True)

    def _point_in_ranks(self, position: int) -> None:
        self._point_at(position, self._ranks, self._ranks.spot_of(position), beside=True)

    def _point_at(
        self, position: int, where: QWidget, place: QRect, *, beside: bool = False
    ) -> None:
        """Mark the token under the pointer in every part, and say its numbers near it."""
        shown = self._comparison
        for part in (self._text, self._probs, self._ranks):
            part.show_pointed(position)
        if shown is None or not 0 <= position < shown.length or place.isNull():
            self._bubble.hide()
            self._mark_value()
            return
        self._histogram.mark(float(shown.values[self._coloured][position]))
        corner = where.mapTo(self._bubble_owner, place.topLeft())
        lines = token_lines(shown, position)
        self._bubble.show_above(QRect(corner, place.size()), *lines)
        if beside:
            self._move_beside(where.mapTo(self.window(), place.topLeft()))

    def _move_beside(self, line: QPoint) -> None:
        """Put what is said beside a line in a plot, on the side that has more room."""
        width, away = self._bubble.width(), 2 * theme.GRID
        middle = self._left.mapTo(self.window(), self._left.rect().center())
        right = line.x() < middle.x()
        self._bubble.move(line.x() + (away if right else -away - width), line.y() + theme.GRID)

    # -- parts ----------------------------------------------------------------------------------

    def _connect_parts(self) -> None:
        self._cards.refused.connect(self.noticed)
        self._colours.activated.connect(self._on_measure)
        self._source.activated.connect(self._on_source)
        self._histogram.range_changed.connect(self._on_range)
        self._probs.token_chosen.connect(self._go_to)
        self._probs.token_pointed.connect(self._point_in_probs)
        self._probs.view_changed.connect(self._look_at)
        self._ranks.token_chosen.connect(self._go_to)
        self._ranks.token_pointed.connect(self._point_in_ranks)
        self._ranks.view_changed.connect(self._look_at)
        self._text.token_chosen.connect(self._go_to)
        self._text.token_clicked.connect(self._on_clicked)
        self._text.token_pointed.connect(self._point_in_text)

    def _look_at(self, view: Range | None) -> None:
        """Show some positions in both plots."""
        self._probs.show_view(view)
        self._ranks.show_view(view)

    def _laid_out(self) -> QWidget:
        left = self._left = _stacked(self._text, self._probs, self._ranks)
        left.setSizes([110, 120, 140])
        spread = Surface()
        spread.setLayout(
            column_of(self._histogram, self._chosen_words, gap=4, stretch=self._histogram)
        )
        right = _stacked(spread, self._cards)
        right.setSizes([150, 240])
        sides = self._sides = QSplitter(Qt.Orientation.Horizontal)
        sides.addWidget(left)
        sides.addWidget(right)
        sides.setStretchFactor(0, 1)
        sides.setStretchFactor(1, 1)
        sides.setSizes([640, 324])
        sides.setChildrenCollapsible(False)
        for arranged in (left, right, sides):
            arranged.splitterMoved.connect(self._on_arranged)
        view = self._bubble_owner = Surface()
        column = column_of(self._summary, gap=4)
        colours = row_of(gap=16)
        colours.addLayout(row_of(plain_label("Colour", role="muted"), self._colours, gap=8))
        colours.addWidget(self._legend)
        colours.addStretch(1)
        colours.addLayout(row_of(plain_label("Text", role="muted"), self._source, gap=8))
        column.addLayout(colours)
        column.addWidget(sides, 1)
        view.setLayout(column)
        return view


def _refuse(prompt: Prompt, entries: Sequence[ModelEntry], at: Sequence[Checkpoint]) -> None:
    """Refuse what can't be compared.

    Raises:
        PromptError: different tokenizers, or a prompt too long for one of the two.
    """
    names = " and ".join(entry.name for entry in entries)
    if at[0].tokenizer_sha256 != at[1].tokenizer_sha256:
        raise PromptError(
            f"{names} have different tokenizers, so that their tokens can't be compared: choose "
            "two models of one suite."
        )
    room = min(checkpoint.config.context for checkpoint in at)
    if len(prompt.token_ids) > room:
        raise PromptError(f"The prompt is longer than the {room:,} tokens that {names} can read.")


def _refuse_short(prompt: Prompt) -> None:
    if len(prompt.token_ids) < 2:
        raise PromptError(_SHORT)


def inside(scale: PairScale, values: NDArray[np.float64], chosen: Range) -> Inside:
    """Return which values lie in a range, both ends with it; shape (position,)."""
    places = scale.place(values)
    low, high = scale.place(np.array(chosen))
    with np.errstate(invalid="ignore"):
        return np.asarray((places >= low - _ROUNDING) & (places <= high + _ROUNDING))


def inks(scale: PairScale, values: NDArray[np.float64], shown: Inside | None) -> list[Ink]:
    """Return how each token is painted: by its value, faded where it is not `shown`."""
    return [
        scale.ink(value) if shown is None or shown[place] else faded_ink()
        for place, value in enumerate(values.tolist())
    ]


def most_apart(shown: Comparison) -> int:
    """Return the position where the two distributions are farthest apart, -1 if nobody knows."""
    apart = shown.values["js"]
    known = np.flatnonzero(~np.isnan(apart))
    return int(known[np.argmax(apart[known])]) if len(known) else -1


def token_lines(shown: Comparison, position: int) -> tuple[str, ...]:
    """Return a token and its measures, a few to a line."""
    name = reveal_token(shown.texts[position])
    if position == 0:
        return name, "nothing comes before the first token"
    said = {key: value_text(float(shown.values[key][position]), key) for key in MEASURES}
    return (
        name,
        f"probability   A {said['prob_a']}   B {said['prob_b']}   ({said['prob_difference']})",
        f"rank   A {said['rank_a']}   B {said['rank_b']}   ({said['rank_difference']})",
        f"top 10 shared   {said['top10_overlap']}",
        f"KL(A‖B) {said['kl_ab']}   KL(B‖A) {said['kl_ba']}",
        f"Jensen-Shannon {said['js']}",
    )


def _same_answers(one: Comparison, other: Comparison) -> bool:
    return one.a.result is other.a.result and one.b.result is other.b.result


def _shown_text(shown: Comparison) -> ShownText:
    first = shown.length - shown.written
    tokens = tuple(
        ShownToken(token_id, text, None, None, None, written=place >= first)
        for place, (token_id, text) in enumerate(zip(shown.token_ids, shown.texts, strict=True))
    )
    names = (f"{side.letter}: {origin_line(side)}" for side in (shown.a, shown.b))
    step = shown.b.result.checkpoint.step
    model = f"{shown.a.entry.name} {format_step(shown.a.result.checkpoint.step)}"
    return ShownText(model, step, tokens, "done", provenance="; ".join(names))


def _measure_box() -> QComboBox:
    box = QComboBox()
    box.setAccessibleName("What the colours say")
    for row, measure in enumerate(MEASURES):
        box.addItem(NAMES[measure], measure)
        box.setItemData(row, tool_tip(TIPS[measure]), Qt.ItemDataRole.ToolTipRole)
    box.setMaxVisibleItems(len(MEASURES))
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    set_tool_tip(box, TIPS[MEASURES[0]])
    return box


def _source_box() -> QComboBox:
    box = QComboBox()
    box.setAccessibleName("The text that A and B are compared on")
    box.addItems(list(_TEXTS))
    set_tool_tip(box, "A continuation is greedy and as long as the sampling settings say")
    return box


def _stacked(*parts: QWidget) -> QSplitter:
    stack = QSplitter(Qt.Orientation.Vertical)
    for part in parts:
        stack.addWidget(part)
    stack.setChildrenCollapsible(False)
    return stack
