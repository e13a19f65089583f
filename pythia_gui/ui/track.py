"""The painted scale of the timeline: a tick for each checkpoint, and the hand."""

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QWidget

from pythia_gui.core.steps import format_step, format_tokens, tick_label
from pythia_gui.ui import theme
from pythia_gui.ui.axes import StepLabel, step_labels
from pythia_gui.ui.bubble import Bubble
from pythia_gui.ui.values import StepMark

_LEAST_MARGIN = 20  # beyond the first and last tick
_HEAD = 14  # above the ticks: badges and the hand's grip
_TICK_COMPUTED, _TICK_HERE, _TICK_ABSENT = 26, 16, 5
_RAIL = 4
_LABEL_GAP = 4
_PAGE = 10
_NOTCH = 120  # eighths of a degree


class Track(QAbstractSlider):
    """The painted scale; its value is the number of a checkpoint, counted from 0.

    A slider to Qt, so that keys and screen readers know it. A tick's height says what there is:
    short, a checkpoint that is elsewhere; half, on this machine; full, computed. The rail below
    fills where results are, as a film's does where it is loaded; a triangle warns.
    """

    toggled_play = Signal()  # the space bar

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._marks: tuple[StepMark, ...] = ()
        self._labels: tuple[StepLabel, ...] = ()
        self._margin: float = _LEAST_MARGIN
        self._hovered: int | None = None
        self._wheel = 0
        self._bubble = Bubble(self)
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setPageStep(_PAGE)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Training step")
        self.valueChanged.connect(self._describe)
        theme.events.theme_changed.connect(self._look_changed)

    def show_marks(self, marks: tuple[StepMark, ...]) -> None:
        """Show these checkpoints, ascending by step."""
        self._marks = marks
        self._hovered = None
        self._bubble.hide()
        self.setRange(0, max(len(marks) - 1, 0))
        self._place_labels()
        self._describe()
        self.update()

    @property
    def labels(self) -> tuple[StepLabel, ...]:
        """The labels of the scale, in pixels of the widget."""
        return self._labels

    @property
    def bubble(self) -> Bubble:
        """What is said of the checkpoint under the pointer."""
        return self._bubble

    def x_of(self, index: int) -> float:
        """Return where a checkpoint stands."""
        if len(self._marks) < 2:
            return self.width() / 2
        return self._margin + index * self._pitch()

    def index_at(self, x: float) -> int:
        """Return the checkpoint nearest to a place."""
        if len(self._marks) < 2:
            return 0
        return min(max(round((x - self._margin) / self._pitch()), 0), len(self._marks) - 1)

    def sizeHint(self) -> QSize:
        least = 6 * max(len(self._marks) - 1, 1) + 2 * self._margin
        return QSize(round(least), self._height())

    def minimumSizeHint(self) -> QSize:
        return QSize(240, self._height())

    # ------------------------------------------------------------------------- events

    def _look_changed(self) -> None:
        self._place_labels()
        self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_labels()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self.toggled_play.emit()
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta()
        self._wheel += turned.y() or -turned.x()
        notches = int(self._wheel / _NOTCH)
        self._wheel -= notches * _NOTCH
        self.setValue(self.value() - notches)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._marks:
            self.setSliderDown(True)
            self.setValue(self.index_at(event.position().x()))
            self._hover(event.position())
            event.accept()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setValue(self.index_at(event.position().x()))
        self._hover(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(False)

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self._bubble.hide()
        self.update()
        super().leaveEvent(event)

    def _hover(self, at: QPointF) -> None:
        if not self._marks:
            return
        self._hovered = self.index_at(at.x())
        mark = self._marks[self._hovered]
        x = round(self.x_of(self._hovered))
        self._bubble.show_above(QRect(x, 0, 1, _HEAD), *hover_lines(mark))
        self.update()

    def _describe(self) -> None:
        if self._marks:
            mark = self._marks[self.value()]
            self.setAccessibleDescription(", ".join(mark_words(mark)))
        self.update()

    # ------------------------------------------------------------------------- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        self._paint_rail(painter)
        if self._marks:
            self._paint_labels(painter)
            self._paint_key(painter)
            self._paint_ticks(painter)
            self._paint_hovered(painter)
            self._paint_hand(painter)
            self._paint_badges(painter)

    def _paint_rail(self, painter: QPainter) -> None:
        colors = theme.current_theme()
        top = _HEAD + _TICK_COMPUTED + 2
        half = min(self._pitch() / 2, 6.0)
        left, right = (self._margin - 6.0, self.width() - self._margin + 6.0)
        painter.fillRect(QRectF(left, top, right - left, _RAIL), colors.line)
        for first, last in computed_runs(self._marks):
            begin, end = self.x_of(first) - half, self.x_of(last) + half
            painter.fillRect(QRectF(begin, top, end - begin, _RAIL), _faint(colors.accent))

    def _paint_ticks(self, painter: QPainter) -> None:
        colors = theme.current_theme()
        foot = _HEAD + _TICK_COMPUTED
        groups: dict[int, list[QRectF]] = {height: [] for height, _ in _inks(colors)}
        for index, mark in enumerate(self._marks):
            height = tick_height(mark)
            x = self._crisp(self.x_of(index) - 1)
            groups[height].append(QRectF(x, foot - height, 2, height))
        painter.setPen(Qt.PenStyle.NoPen)
        for height, ink in _inks(colors):
            painter.setBrush(ink)
            painter.drawRects(groups[height])

    def _paint_badges(self, painter: QPainter) -> None:
        for index, mark in enumerate(self._marks):
            if mark.badge and index != self.value():
                self._paint_badge(painter, self.x_of(index), 3)

    def _paint_badge(self, painter: QPainter, x: float, top: float) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.current_theme().warning)
        painter.drawPolygon(
            QPolygonF([QPointF(x, top), QPointF(x + 4, top + 7), QPointF(x - 4, top + 7)])
        )
        painter.restore()

    def _paint_hovered(self, painter: QPainter) -> None:
        if self._hovered is None or self._hovered == self.value():
            return
        x = self._crisp(self.x_of(self._hovered) - 0.5)
        painter.fillRect(
            QRectF(x, _HEAD - 4, 1, _TICK_COMPUTED + _RAIL + 8), theme.current_theme().muted
        )

    def _paint_hand(self, painter: QPainter) -> None:
        colors = theme.current_theme()
        x = self._crisp(self.x_of(self.value()) - 1) + 1
        foot = _HEAD + _TICK_COMPUTED + _RAIL + 6
        painter.fillRect(QRectF(x - 1, 8, 2, foot - 8), colors.accent)
        grip = QPolygonF(
            [
                QPointF(x - 6, 0.5),
                QPointF(x + 6, 0.5),
                QPointF(x + 6, 7),
                QPointF(x, 13.5),
                QPointF(x - 6, 7),
            ]
        )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.text if self.hasFocus() else colors.accent, 1.5))
        painter.setBrush(colors.accent)
        painter.drawPolygon(grip)

    def _paint_labels(self, painter: QPainter) -> None:
        colors = theme.current_theme()
        painter.setFont(theme.small_font())
        metrics = QFontMetricsF(theme.small_font())
        top = _HEAD + _TICK_COMPUTED + _RAIL + 2
        for label in self._labels:
            x = self._crisp(label.x - 0.5)
            row_top = top + 5 + label.row * metrics.height()
            painter.fillRect(QRectF(x, top, 1, row_top - top - 1), _faint(colors.outline))
            painter.setPen(colors.muted)
            painter.drawText(QPointF(label.left, row_top + metrics.ascent()), label.text)

    def _paint_key(self, painter: QPainter) -> None:
        """Say what the heights mean, right-aligned in the labels' second row."""
        colors = theme.current_theme()
        metrics = QFontMetricsF(theme.small_font())
        foot = self._height() - 1 - metrics.descent()
        right = self.width() - self._margin + 6.0
        for height, ink, text in reversed(_key(colors)):
            left = right - metrics.horizontalAdvance(text)
            if left - 16 < self._early_end():
                return
            painter.setPen(colors.muted)
            painter.drawText(QPointF(left, foot), text)
            if height:
                x = self._crisp(left - 8)
                painter.fillRect(QRectF(x, foot - height, 2, height), ink)
            else:
                self._paint_badge(painter, left - 9, foot - 8)
            right = left - 26

    def _early_end(self) -> float:
        return max((label.right for label in self._labels if label.row), default=0.0)

    def _crisp(self, x: float) -> float:
        ratio = self.devicePixelRatioF()
        return round(x * ratio) / ratio

    def _pitch(self) -> float:
        return (self.width() - 2 * self._margin) / max(len(self._marks) - 1, 1)

    def _height(self) -> int:
        rows = 2 * QFontMetricsF(theme.small_font()).height()
        return round(_HEAD + _TICK_COMPUTED + _RAIL + 2 + 5 + rows + 1)

    def _place_labels(self) -> None:
        metrics = QFontMetricsF(theme.small_font())
        last = tick_label(self._marks[-1].step) if self._marks else ""
        self._margin = max(_LEAST_MARGIN, metrics.horizontalAdvance(last) / 2 + 2)
        self._labels = step_labels(
            [mark.step for mark in self._marks],
            [self.x_of(index) for index in range(len(self._marks))],
            metrics.horizontalAdvance,
            rows=2,
            gap=_LABEL_GAP,
        )
        self.update()


def _faint(color: QColor) -> QColor:
    faint = QColor(color)
    faint.setAlphaF(0.6)
    return faint


def _inks(colors: theme.Theme) -> tuple[tuple[int, QColor], ...]:
    return (
        (_TICK_ABSENT, colors.outline),
        (_TICK_HERE, colors.outline),
        (_TICK_COMPUTED, colors.text),
    )


def _key(colors: theme.Theme) -> tuple[tuple[int, QColor, str], ...]:
    return (
        (10, colors.text, "computed"),
        (7, colors.outline, "on this machine"),
        (3, colors.outline, "not on this machine"),
        (0, colors.warning, "has a note"),
    )


def tick_height(mark: StepMark) -> int:
    """Return the height that says whether a checkpoint is elsewhere, here or computed."""
    if mark.computed:
        return _TICK_COMPUTED
    return _TICK_HERE if mark.on_disk else _TICK_ABSENT


def computed_runs(marks: tuple[StepMark, ...]) -> list[tuple[int, int]]:
    """Return the first and last number of each run of computed checkpoints."""
    runs: list[tuple[int, int]] = []
    for index, mark in enumerate(marks):
        if not mark.computed:
            continue
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def hover_lines(mark: StepMark) -> tuple[str, ...]:
    """Return what is to be said of one checkpoint, the most important line first."""
    place = "on this machine" if mark.on_disk else "not on this machine"
    return (
        "  ·  ".join(mark_words(mark)),
        f"{place}, computed" if mark.computed else place,
        mark.badge,
    )


def mark_words(mark: StepMark) -> tuple[str, ...]:
    """Return a checkpoint's step, the tokens seen by then, and the optimiser step if another.

    What is not known is left out.
    """
    words = [format_step(mark.step)]
    if mark.tokens_seen is not None:
        words.append(f"{format_tokens(mark.tokens_seen)} seen")
    if mark.real_step is not None and mark.real_step != mark.step:
        words.append(f"optimiser step {mark.real_step:,}")
    return tuple(words)
