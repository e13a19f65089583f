"""Who A and B are, where their numbers are from, and what they come to in the mean."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
from pythia_gui.ui.views.pair_data import Comparison, Side, in_words, origin_parts, remarks, summary
from pythia_gui.ui.views.pair_scales import side_color
from pythia_gui.ui.widgets import ElidedLabel, FoldButton, PlainLabel, plain_label


class Swatch(QWidget):
    """The letter of a side in its colour, with the point that its line has."""

    def __init__(self, letter: str) -> None:
        super().__init__()
        self._letter = letter
        self.setAccessibleName(f"Colour of {letter}")
        theme.events.theme_changed.connect(self.update)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(16 + metrics.horizontalAdvance("M"), metrics.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.height(), 10)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(side_color(self._letter))
        painter.drawEllipse(0, (self.height() - side) // 2, side, side)
        painter.setPen(theme.current_theme().text)
        painter.setFont(theme.ui_font(bold=True))
        box = self.rect().adjusted(side + 4, 0, 4, 0)
        painter.drawText(
            box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._letter
        )


class PairSummary(QWidget):
    """Two lines for A and B, and what changes the reading of their comparison."""

    def __init__(self) -> None:
        super().__init__()
        self._origins = {letter: ElidedLabel(role="muted", size=0.92) for letter in "AB"}
        self._means = {letter: plain_label(size=0.92) for letter in "AB"}
        self._apart = plain_label(size=0.92)
        self._agreement = plain_label(size=0.92)
        self._caveats = FoldButton("", "Show or hide what changes the reading")
        self._all = plain_label(role="muted", size=0.92, wrap=True)
        self._lay_out()
        self._caveats.toggled.connect(self._all.setVisible)

    @property
    def words(self) -> tuple[str, ...]:
        """All that is said, line by line."""
        labels: list[PlainLabel] = [
            *self._origins.values(),
            *self._means.values(),
            self._apart,
            self._agreement,
            self._all,
        ]
        shown = (w.whole_text() if isinstance(w, ElidedLabel) else w.text() for w in labels)
        return tuple(text for text in shown if text)

    def show_comparison(self, shown: Comparison) -> None:
        """Say who the two are and what they come to."""
        said = in_words(summary(shown))
        for side, mean in ((shown.a, said.logprob_a), (shown.b, said.logprob_b)):
            self.show_side(side.letter, origin_line(side))
            self._means[side.letter].setText(mean)
        self._apart.setText(said.apart)
        self._agreement.setText(said.agreement)
        self._show_caveats(remarks(shown.a, shown.b))

    def show_side(self, letter: str, text: str, role: str = "muted") -> None:
        """Say something of A or of B alone, its means being unknown."""
        self._origins[letter].setText(text)
        self._origins[letter].set_role(role)

    def clear(self) -> None:
        """Say nothing."""
        for label in (*self._origins.values(), *self._means.values()):
            label.setText("")
        self._apart.setText("")
        self._agreement.setText("")
        self._show_caveats(())

    def _show_caveats(self, said: tuple[str, ...]) -> None:
        self._caveats.setVisible(bool(said))
        self._caveats.set_text(
            said[0] if len(said) == 1 else f"{len(said)} remarks: {said[0]}" if said else ""
        )
        self._all.setText("\n".join(said))
        self._all.setVisible(bool(said) and self._caveats.isChecked())

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        for row, letter in enumerate("AB"):
            grid.addWidget(Swatch(letter), row, 0)
            grid.addWidget(self._origins[letter], row, 1)
            grid.addWidget(self._means[letter], row, 2)
        grid.addWidget(self._apart, 0, 3)
        grid.addWidget(self._agreement, 1, 3)
        grid.addWidget(self._caveats, 2, 0, 1, 4)
        grid.addWidget(self._all, 3, 0, 1, 4)
        grid.setColumnStretch(4, 1)
        self._caveats.hide()
        self._all.hide()


def origin_line(side: Side) -> str:
    """Return who a side is and where its numbers are from, in one line."""
    step = format_step(side.result.checkpoint.step)
    return " · ".join((side.entry.name, step, *origin_parts(side)))
