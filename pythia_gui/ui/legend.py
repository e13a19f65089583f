"""What the colours and marks of a coloured text mean."""

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.token_measures import Measure, Stop, legend

_CHIP_PAD = 5.0
_GAP = 2.0
_SPACE = 16.0
_ENDS: dict[Measure, tuple[str, str]] = {
    "probability": ("unlikely", "likely"),
    "rank": ("far down", "first choice"),
    "surprisal": ("bits: surprising", "expected"),
}


class Legend(QWidget):
    """One chip per point of the scale, painted exactly as a token there would be."""

    def __init__(self, *, differences: bool = False) -> None:
        super().__init__()
        self._measure: Measure = "probability"
        self._differences = differences
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._describe()
        theme.events.theme_changed.connect(self._changed)

    def set_measure(self, measure: Measure) -> None:
        """Explain another measure."""
        self._measure = measure
        self._describe()
        self._changed()

    def stops(self) -> tuple[Stop, ...]:
        """Return the points of the scale, from unlikely to likely."""
        return legend(self._measure)

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(theme.small_font())
        return QSize(round(self._laid_out(None)) + 1, round(metrics.height()) + 8)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.FontChange:
            self._changed()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.small_font())
        self._laid_out(painter)

    def _laid_out(self, painter: QPainter | None) -> float:
        """Paint the legend if there is a painter; return its width either way."""
        before, after = _ENDS[self._measure]
        x = self._word(painter, 0.0, before) + 6.0
        for stop in self.stops():
            x = self._chip(painter, x, stop) + _GAP
        x = self._word(painter, x + 4.0, after) + _SPACE
        if self._differences:
            return self._word(painter, x, "word that differs", strong=True)
        self._flag(painter, x)
        return self._word(painter, x + 12.0, "written from here")

    def _word(
        self, painter: QPainter | None, x: float, word: str, *, strong: bool = False
    ) -> float:
        font = theme.small_font()
        font.setBold(strong)
        font.setUnderline(strong)
        width = QFontMetricsF(font).horizontalAdvance(word)
        if painter is not None:
            colors = theme.current_theme()
            painter.setFont(font)
            painter.setPen(colors.text if strong else colors.muted)
            painter.drawText(QRectF(x, 0, width + 2, self.height()), _MIDDLE, word)
        return x + width

    def _chip(self, painter: QPainter | None, x: float, stop: Stop) -> float:
        width = QFontMetricsF(theme.small_font()).horizontalAdvance(stop.text) + 2 * _CHIP_PAD
        if painter is not None:
            background, ink = theme.token_ink(stop.value)
            box = QRectF(x, 2, width, self.height() - 4)
            painter.setFont(theme.small_font())
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(background)
            painter.drawRoundedRect(box, 2.5, 2.5)
            painter.setPen(ink)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, stop.text)
        return x + width

    def _flag(self, painter: QPainter | None, x: float) -> None:
        if painter is None:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.current_theme().accent)
        paint_flag(painter, x + 1, 4.0, self.height() - 8.0)

    def _describe(self) -> None:
        before, after = _ENDS[self._measure]
        points = ", ".join(stop.text for stop in self.stops())
        self.setAccessibleName(f"Colours, from {before} to {after}: {points}")

    def _changed(self) -> None:
        self.updateGeometry()
        self.update()


_MIDDLE = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


def paint_flag(painter: QPainter, x: float, top: float, height: float) -> None:
    """Paint the mark from which on a model wrote, in the painter's brush."""
    painter.drawRect(QRectF(x - 0.75, top, 1.5, height))
    painter.drawPolygon(
        QPolygonF([QPointF(x, top - 1), QPointF(x + 6, top + 2), QPointF(x, top + 5)])
    )
