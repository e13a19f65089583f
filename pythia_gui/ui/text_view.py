"""The text of the step under the timeline, with its legend and where it comes from."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from pythia_gui.ui.legend import Legend
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.token_measures import MEASURE_TIPS, MEASURES, Measure
from pythia_gui.ui.token_text import TokenText, message_of
from pythia_gui.ui.values import ShownText, ShownToken
from pythia_gui.ui.widgets import (
    ElidedLabel,
    IconButton,
    Surface,
    column_of,
    plain_label,
    row_of,
)


class TextView(QWidget):
    """Shows one text: prompt and continuation, each token in the colour of its measure."""

    choice_requested = Signal(int, int)  # continue from this position with this token id
    measure_changed = Signal(str)  # a person chose what the colours say

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._body = TokenText()
        self._notice = plain_label(role="muted", wrap=True)
        self._colours = Segments("Colour", MEASURES, MEASURE_TIPS)
        self._legend = Legend()
        self._provenance = ElidedLabel(role="muted", size=0.88)
        self._copy = IconButton(
            "copy", "Copy text", "Copy the text with its model and step (Ctrl+C)"
        )
        self._lay_out()
        self._connect()
        self._show_notice(ShownText("", 0))

    @property
    def body(self) -> TokenText:
        """The painted text."""
        return self._body

    def show_text(self, text: ShownText) -> None:
        """Show a text in its state; no earlier one stays under a new step."""
        self._body.show_text(text)
        self._show_notice(text)

    def append_token(self, token: ShownToken) -> None:
        """Show one more token at the end of the text that is being written."""
        self._body.append_token(token)
        self._show_notice(self._body.text)

    def set_measure(self, measure: Measure) -> None:
        """Colour the tokens by another measure, without announcing it."""
        self._colours.choose(measure)
        self._legend.set_measure(measure)
        self._body.set_measure(measure)

    def _measure_chosen(self, key: str) -> None:
        for measure, _ in MEASURES:
            if measure == key:
                self.set_measure(measure)
                self.measure_changed.emit(measure)

    def _show_notice(self, text: ShownText) -> None:
        """Say above the text what state it is in, where there is a text to stand above."""
        said = bool(text.tokens) and text.state in ("waiting", "error")
        self._notice.setVisible(said)
        self._notice.set_role("error" if text.state == "error" else "muted")
        self._notice.setText(message_of(text) if said else "")
        self._provenance.setText(text.provenance)
        self._copy.setEnabled(bool(text.tokens))

    def _lay_out(self) -> None:
        row = row_of(self._colours, None, self._legend, self._copy, gap=8)
        foot = column_of(margins=(12, 6, 12, 6), gap=2)
        foot.addLayout(row)
        foot.addWidget(self._provenance)
        surface = Surface()
        surface.setLayout(column_of(self._notice, self._body, gap=0))
        self._notice.setContentsMargins(12, 8, 12, 0)
        column = column_of(surface, margins=(0, 0, 0, 0), gap=0)
        column.setStretch(0, 1)
        column.addLayout(foot)
        self.setLayout(column)
        self.setFocusProxy(self._body)

    def _connect(self) -> None:
        self._body.choice_requested.connect(self.choice_requested)
        self._colours.chosen.connect(self._measure_chosen)
        self._copy.clicked.connect(self._body.copy)
