"""The marks on a matrix, readable on any colour, and the key that says what they mean."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from pythia_gui.ui import theme
from pythia_gui.ui.sheet import GlyphKind

MarkKind = GlyphKind | Literal["flag"]
_MIDDLE = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


def paint_glyph(painter: QPainter, at: QPointF, kind: GlyphKind, size: float) -> None:
    """Paint a ring, a dot or the lozenge of a pair, readable on any colour."""
    ratio = painter.device().devicePixelRatio()
    stamp = _stamp(kind, round(size), theme.current_theme().name, ratio)
    half = stamp.deviceIndependentSize() / 2
    painter.drawPixmap(at - QPointF(half.width(), half.height()), stamp)


@lru_cache(maxsize=128)
def _stamp(kind: GlyphKind, size: int, name: str, ratio: float) -> QPixmap:
    """Return a mark to be put wherever it is needed: drawn anew each would take its time."""
    colors = theme.DARK if name == "dark" else theme.LIGHT
    side = size + 5
    stamp = QPixmap(QSize(side, side) * ratio)
    stamp.setDevicePixelRatio(ratio)
    stamp.fill(Qt.GlobalColor.transparent)
    painter = QPainter(stamp)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _draw(painter, QPointF(side / 2, side / 2), kind, size / 2, colors)
    painter.end()
    return stamp


def _draw(
    painter: QPainter, at: QPointF, kind: GlyphKind, radius: float, colors: theme.Theme
) -> None:
    if kind == "dot":
        painter.setPen(QPen(colors.surface, 1))
        painter.setBrush(colors.text)
        painter.drawEllipse(at, radius * 0.65, radius * 0.65)
        return
    for pen in (QPen(colors.surface, 3.5), QPen(colors.text, 1.5)):
        painter.setPen(pen)
        if kind == "ring":
            painter.drawEllipse(at, radius, radius)
        else:
            turned = ((0, -radius), (radius, 0), (0, radius), (-radius, 0))
            painter.drawPolygon(QPolygonF([at + QPointF(x, y) for x, y in turned]))


def paint_stays(painter: QPainter, start: QPointF, end: float) -> None:
    """Paint the line along the foot of a row that says from where on something stays."""
    colors, left, foot = theme.current_theme(), round(start.x()), round(start.y())
    width = max(round(end) - left, 2)
    painter.fillRect(left - 1, foot - 1, width + 1, 3, colors.surface)
    painter.fillRect(left - 1, foot - 4, 4, 6, colors.surface)
    painter.fillRect(left, foot, width, 1, colors.text)
    painter.fillRect(left, foot - 3, 2, 4, colors.text)


def paint_flag(painter: QPainter, top: QPointF) -> None:
    """Paint the triangle of a step on which there is something to say; `top` is its tip."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.current_theme().warning)
    corners = (top, top + QPointF(4, 7), top + QPointF(-4, 7))
    painter.drawPolygon(QPolygonF(corners))


class MarkKey(QWidget):
    """Says what the marks on a matrix mean."""

    def __init__(self, words: Sequence[tuple[MarkKind, str]]) -> None:
        super().__init__()
        self._words = tuple(words)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(
            "Marks: " + ", ".join(f"{mark} {word}" for mark, word in self._words)
        )
        theme.events.theme_changed.connect(self._changed)

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(theme.small_font())
        width = sum(metrics.horizontalAdvance(word) + 38 for _, word in self._words)
        return QSize(math.ceil(width), math.ceil(metrics.height()) + 8)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter, metrics = QPainter(self), QFontMetricsF(theme.small_font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.small_font())
        x, middle = 0.0, self.height() / 2
        for mark, word in self._words:
            if mark == "line":
                paint_stays(painter, QPointF(x, middle + 2), x + 16)
            elif mark == "flag":
                paint_flag(painter, QPointF(x + 8, middle - 4))
            else:
                paint_glyph(painter, QPointF(x + 8, middle), mark, 9)
            painter.setPen(theme.current_theme().muted)
            width = metrics.horizontalAdvance(word)
            box = QRectF(x + 20, 0, width + 2, self.height())
            painter.drawText(box, _MIDDLE, word)
            x += 38 + width

    def _changed(self) -> None:
        self.updateGeometry()
        self.update()
