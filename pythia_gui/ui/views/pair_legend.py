"""What the colours of a compared text mean: one chip per point of the scale."""

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.views.pair_scales import PairScale, ScaleStop

_PAD, _GAP, _SPACE = 5.0, 2.0, 6.0
_MIDDLE = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class PairLegend(QWidget):
    """The scale of the chosen measure, each point painted as a token there is."""

    def __init__(self) -> None:
        super().__init__()
        self._scale: PairScale | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.events.theme_changed.connect(self._changed)

    def show_scale(self, scale: PairScale) -> None:
        """Explain another scale."""
        if scale != self._scale:
            self._scale = scale
            points = ", ".join(stop.text for stop in scale.stops)
            self.setAccessibleName(f"Colours, from {scale.ends[0]} to {scale.ends[1]}: {points}")
            self._changed()

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
        scale = self._scale
        if scale is None:
            return 0.0
        x = self._word(painter, 0.0, scale.ends[0]) + _SPACE
        for stop in scale.stops:
            x = self._chip(painter, x, scale, stop) + _GAP
        return self._word(painter, x + _SPACE - _GAP, scale.ends[1])

    def _word(self, painter: QPainter | None, x: float, word: str) -> float:
        width = QFontMetricsF(theme.small_font()).horizontalAdvance(word)
        if painter is not None:
            painter.setPen(theme.current_theme().muted)
            painter.drawText(QRectF(x, 0, width + 2, self.height()), _MIDDLE, word)
        return x + width

    def _chip(self, painter: QPainter | None, x: float, scale: PairScale, stop: ScaleStop) -> float:
        width = QFontMetricsF(theme.small_font()).horizontalAdvance(stop.text) + 2 * _PAD
        if painter is not None:
            background, ink = scale.ink(stop.value)
            box = QRectF(x, 2, width, self.height() - 4)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(background or theme.current_theme().surface)
            painter.drawRoundedRect(box, 2.5, 2.5)
            painter.setPen(ink)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, stop.text)
        return x + width

    def _changed(self) -> None:
        self.updateGeometry()
        self.update()
