"""A few lines of plain text beside the pointer, inside the window."""

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from pythia_gui.ui import theme

_PADDING = theme.GRID
_WIDEST = 360
_AWAY = 6  # pixels between the bubble and what it speaks of


class Bubble(QWidget):
    """Says what lies under the pointer; it lives in the window, so no platform can misplace it.

    The first line is the title. All text is drawn as it is: nothing is markup.
    """

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self._lines: tuple[str, ...] = ()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    @property
    def lines(self) -> tuple[str, ...]:
        """What is shown."""
        return self._lines

    def show_above(self, place: QRect, *lines: str) -> None:
        """Show `lines` above a rectangle of the owner, or below where there is no room above."""
        window = self._owner.window()
        if self.parentWidget() is not window:
            self.setParent(window)
        self._lines = tuple(line for line in lines if line)
        self.resize(self._size())
        self.move(placed(self.size(), _in_window(self._owner, place), window.size()))
        self.show()
        self.raise_()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        colors = theme.current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.outline, 1))
        painter.setBrush(colors.raised)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        top = float(_PADDING)
        for number, line in enumerate(self._lines):
            painter.setFont(theme.ui_font(bold=number == 0))
            painter.setPen(colors.text if number == 0 else colors.muted)
            box = self._box(number, line)
            painter.drawText(QRectF(_PADDING, top, box.width(), box.height()), _FLAGS, line)
            top += box.height()

    def _size(self) -> QSize:
        boxes = [self._box(number, line) for number, line in enumerate(self._lines)]
        width = max((box.width() for box in boxes), default=0)
        return QSize(width + 2 * _PADDING, sum(box.height() for box in boxes) + 2 * _PADDING)

    def _box(self, number: int, line: str) -> QSize:
        metrics = QFontMetrics(theme.ui_font(bold=number == 0))
        return metrics.boundingRect(QRect(0, 0, _WIDEST, 2000), _FLAGS, line).size() + QSize(1, 1)


_FLAGS = int(Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)


def _in_window(owner: QWidget, place: QRect) -> QRect:
    return QRect(owner.mapTo(owner.window(), place.topLeft()), place.size())


def placed(size: QSize, place: QRect, room: QSize) -> QPoint:
    """Return where a box of `size` stands beside `place` without covering it, within `room`."""
    left = min(max(place.center().x() - size.width() // 2, 2), room.width() - size.width() - 2)
    above = place.top() - size.height() - _AWAY
    top = above if above >= 2 else place.bottom() + _AWAY
    return QPoint(max(left, 2), top)
