"""The trajectory: the score of targets and foils against training, as a plot and as a table."""

from bisect import bisect_left
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedLayout, QToolButton, QWidget

from pythia_gui.core.steps import format_step
from pythia_gui.ui import theme
from pythia_gui.ui.axes import StepScale
from pythia_gui.ui.reveal import reveal_token
from pythia_gui.ui.scores import SCORE_TIPS, SCORES, ScoreKind, number_of, number_text, spread
from pythia_gui.ui.segments import Segments
from pythia_gui.ui.trajectory_table import CurveTable, CurveTableView
from pythia_gui.ui.values import Curve, State
from pythia_gui.ui.widgets import LinkLabel, Surface, column_of, plain_label, row_of

if TYPE_CHECKING:
    from pythia_gui.ui.trajectory_plot import Plot

_SCALES: tuple[tuple[StepScale, str], ...] = (
    ("even", "Checkpoints"),
    ("log2", "log2(1 + step)"),
    ("tokens", "Tokens"),
)
_SCALE_TIPS = {
    "even": "Every checkpoint equally far from the next, as on the timeline",
    "log2": "Each doubling of the steps equally wide: shows the early training best",
    "tokens": "In proportion to the tokens of training text that the model had read",
}
_NO_TOKENS = "How many tokens this model had seen by each step is not known."
_SUGGESTED = "No target is given: these are the most likely next tokens of the final step."
_SAMPLE = 18  # pixels of line before a label
_PAD = 8
_WIDEST_LABEL = 168


class Labels(QWidget):
    """Names the curves at their right ends, with each one's number at the selected step."""

    def __init__(self) -> None:
        super().__init__()
        self._curves: tuple[Curve, ...] = ()
        self._kind: ScoreKind = "probability"
        self._step = 0
        self._texts: list[tuple[str, str]] = []
        self._plot: Plot | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def follow(self, plot: "Plot") -> None:
        """Stand beside the curves of a plot."""
        self._plot = plot
        plot.view_changed.connect(self.update)

    def show_curves(self, curves: tuple[Curve, ...], kind: ScoreKind, step: int) -> None:
        """Name these curves."""
        before = [name for name, _ in self._texts], self._kind
        self._curves, self._kind, self._step = curves, kind, step
        self._texts = [(self._name(curve), self._number(curve)) for curve in curves]
        if before != ([name for name, _ in self._texts], kind):
            self.updateGeometry()  # lays out the plot as well, so not for each point of a sweep
        self.update()

    def rects(self) -> list[QRectF]:
        """Return where each curve's label stands."""
        if self._plot is None:
            return []
        frame, height = self._plot.frame(), self._row_height()
        centres = spread(self._ends(), height, frame.top(), frame.bottom())
        return [QRectF(_PAD, y - height / 2, self.width() - 2 * _PAD, height) for y in centres]

    def texts(self) -> list[tuple[str, str]]:
        """Return each curve's name and its number at the selected step."""
        return self._texts

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(theme.ui_font())
        bold = QFontMetricsF(theme.ui_font(bold=True))
        names = max((metrics.horizontalAdvance(name) for name, _ in self.texts()), default=0.0)
        widest = {"probability": "100.0 %", "logprob": "−10.000", "rank": "50,000"}[self._kind]
        number = bold.horizontalAdvance(widest)
        width = _PAD + _SAMPLE + 6 + min(names, _WIDEST_LABEL) + 16 + number + _PAD
        least = bold.horizontalAdvance(format_step(143_000)) + 2 * _PAD
        return QSize(round(max(width, least)), 104)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        if self._plot is None or not self._curves:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_head(painter)
        for number, (rect, end) in enumerate(zip(self.rects(), self._ends(), strict=True)):
            self._paint_label(painter, number, rect, end)

    def _paint_head(self, painter: QPainter) -> None:
        painter.setFont(theme.small_font())
        painter.setPen(theme.current_theme().muted)
        box = QRect(_PAD, 0, self.width() - 2 * _PAD, round(self._row_height()))
        painter.drawText(
            box,
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
            f"at {format_step(self._step)}",
        )

    def _paint_label(self, painter: QPainter, number: int, rect: QRectF, end: float) -> None:
        from pythia_gui.ui.trajectory_plot import pen_of, series_color

        colors, curve = theme.current_theme(), self._curves[number]
        middle, (name, value) = rect.center().y(), self.texts()[number]
        painter.setPen(QPen(series_color(number), 1))
        painter.drawLine(QPointF(0, end), QPointF(_PAD, middle))
        painter.setPen(pen_of(curve, number))
        painter.drawLine(QPointF(_PAD, middle), QPointF(_PAD + _SAMPLE, middle))
        painter.setFont(theme.ui_font())
        painter.setPen(colors.text)
        flags = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rect, Qt.AlignmentFlag.AlignRight | flags, value)
        metrics = QFontMetricsF(theme.ui_font())
        left = rect.left() + _SAMPLE + 6
        room = rect.right() - metrics.horizontalAdvance(value) - 8 - left
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(
            QRectF(left, rect.top(), room, rect.height()),
            Qt.AlignmentFlag.AlignLeft | flags,
            shown,
        )

    def _ends(self) -> list[float]:
        """Return the heights of the curves' last numbers, in pixels."""
        assert self._plot is not None
        ends = []
        for line in self._plot.lines:
            _, heights = line.marked(left_out=False)
            ends.append(
                self._plot.y_of(float(heights[-1])) if len(heights) else self._plot.frame().bottom()
            )
        return ends

    def _name(self, curve: Curve) -> str:
        name = reveal_token(curve.label)
        several = len({one.model for one in self._curves}) > 1
        return f"{name} · {curve.model}" if several else name

    def _number(self, curve: Curve) -> str:
        place = bisect_left(curve.points, self._step, key=lambda point: point.step)
        if place == len(curve.points) or curve.points[place].step != self._step:
            return "–"
        return number_text(number_of(curve.points[place], self._kind), self._kind)

    def _row_height(self) -> float:
        return QFontMetricsF(theme.ui_font()).height() + 2


class Trajectory(QWidget):
    """Shows curves over training; a click on the plot or a row of the table asks for a step.

    pyqtgraph takes a third of a second to import: the plot is made after the first paint, when
    the window stands, or at the latest when the first curves come.
    """

    targets_requested = Signal(object)  # tuple[str, ...]: follow these texts from now on
    step_requested = Signal(int)  # a person goes to this step

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves: tuple[Curve, ...] = ()
        self._shown: tuple[tuple[Curve, ...], State, str] | None = None
        self._step = 0
        self._plot: Plot | None = None
        self._kinds = Segments("Show", SCORES, SCORE_TIPS)
        self._scales = Segments("against", _SCALES, _SCALE_TIPS)
        self._table_button = QToolButton()
        self._notice = plain_label(role="muted", size=0.88, wrap=True)
        self._keep = LinkLabel(
            "Keep these as targets", "Put these tokens into the field of targets"
        )
        self._message = plain_label(role="muted", size=1.05, wrap=True)
        self._labels = Labels()
        self._table = CurveTable()
        self._table_is_behind = False
        self._view = CurveTableView(self._table)
        self._plot_row = QHBoxLayout()
        self._pages = QStackedLayout()
        self._lay_out()
        self._connect()
        self.show_curves((), "empty", "")

    @property
    def plot(self) -> "Plot":
        """The plot, made if need be."""
        self.prepare()
        assert self._plot is not None
        return self._plot

    @property
    def labels(self) -> Labels:
        """The names at the right."""
        return self._labels

    @property
    def table(self) -> CurveTable:
        """The numbers behind the plot."""
        self._fill_table()
        return self._table

    @property
    def view(self) -> CurveTableView:
        """The table as it is shown."""
        return self._view

    def prepare(self) -> None:
        """Make the plot now, if it isn't made yet."""
        if self._plot is not None:
            return
        from pythia_gui.ui.trajectory_plot import Plot

        self._plot = Plot()
        self._plot.step_requested.connect(self.step_requested)
        self._plot_row.insertWidget(0, self._plot, 1)
        QWidget.setTabOrder(self._table_button, self._plot)
        self._labels.follow(self._plot)
        self._plot.select(self._step)

    def show_curves(self, curves: tuple[Curve, ...], state: State, message: str) -> None:
        """Show curves, or say in words why there are none; a message stands above curves."""
        if (curves, state, message) == self._shown:
            return
        self._shown = curves, state, message
        self._curves = curves
        measured = any(curve.points for curve in curves)
        color = "error" if state == "error" else "muted"
        suggested = measured and all(curve.suggested for curve in curves)
        notice = " ".join(part for part in (message, _SUGGESTED if suggested else "") if part)
        self._notice.setVisible(measured and bool(notice))
        self._keep.setVisible(suggested)
        self._notice.set_role(color)
        self._notice.setText(notice if measured else "")
        self._message.set_role(color)
        self._message.setText(message or _words_for(state))
        unknown = any(p.tokens_seen is None for curve in curves for p in curve.points)
        self._scales.set_available("tokens", _NO_TOKENS if unknown else "")
        if unknown and self._scales.key == "tokens":
            self._scales.choose("even")
        self._show_page()
        if measured:
            self._draw()

    def select(self, step: int) -> None:
        """Mark the selected step, without announcing it."""
        self._step = step
        if self._plot is not None:
            self._plot.select(step)
        self._labels.show_curves(self._curves, self._kind, step)
        self._scroll_table()

    def set_kind(self, kind: ScoreKind) -> None:
        """Show another score."""
        self._kinds.choose(kind)
        self._draw()

    def set_scale(self, scale: StepScale) -> None:
        """Show it against another axis."""
        self._scales.choose(scale)
        self._draw()

    def show_table(self, shown: bool) -> None:  # noqa: FBT001 - mirrors Qt's setters
        """Show the table in the place of the plot."""
        self._table_button.setChecked(shown)
        self._show_page()

    @property
    def _kind(self) -> ScoreKind:
        return next(kind for kind, _ in SCORES if kind == self._kinds.key)

    @property
    def _scale(self) -> StepScale:
        return next(scale for scale, _ in _SCALES if scale == self._scales.key)

    def _draw(self) -> None:
        if not any(curve.points for curve in self._curves):
            return
        self._labels.show_curves(self._curves, self._kind, self._step)
        self.plot.show_curves(self._curves, self._kind, self._scale)
        self._table_is_behind = True
        if self._table_button.isChecked():
            self._fill_table()

    def _fill_table(self) -> None:
        """Fill the table, which a sweep would otherwise do a dozen times a second for nobody."""
        if self._table_is_behind:
            self._table_is_behind = False
            self._table.show_curves(self._curves, self._kind)

    def _scroll_table(self) -> None:
        """Bring the selected step's row into view; unseen, that would lay out every row."""
        if self._table_button.isChecked() and self._step in self._table.steps:
            self._view.scrollTo(self._table.index(self._table.steps.index(self._step), 0))

    def _show_page(self) -> None:
        measured = any(curve.points for curve in self._curves)
        table = self._table_button.isChecked()
        if table:
            self._fill_table()
        self._pages.setCurrentIndex(0 if not measured else 2 if table else 1)
        self._scroll_table()
        self._table_button.setEnabled(measured)
        self._scales.setEnabled(not table)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._plot is None:
            QTimer.singleShot(0, self, self.prepare)

    def _row_chosen(self, current: QModelIndex) -> None:
        if current.isValid() and self._view.hasFocus():
            self.step_requested.emit(self._table.steps[current.row()])

    def _ask_to_keep(self) -> None:
        self.targets_requested.emit(tuple(curve.label for curve in self._curves))

    def _dress(self) -> None:
        self._table_button.setIcon(theme.icon("table"))

    def _lay_out(self) -> None:
        self._table_button.setText("Table")
        self._table_button.setToolTip("Show the numbers of the plot as a table")
        self._table_button.setCheckable(True)
        self._table_button.setAutoRaise(True)
        self._table_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._table_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._plot_row.setContentsMargins(4, 4, 0, 0)
        self._plot_row.setSpacing(0)
        self._plot_row.addWidget(self._labels)
        plotting = Surface()
        plotting.setLayout(self._plot_row)
        for page in (self._message_page(), plotting, self._view):
            self._pages.addWidget(page)
        head = row_of(
            self._kinds, self._scales, None, self._table_button, margins=(12, 4, 12, 4), gap=8
        )
        column = column_of(gap=0)
        column.addLayout(head)
        column.addLayout(row_of(self._notice, self._keep, stretch=self._notice, gap=0))
        column.addLayout(self._pages, 1)
        self._notice.setContentsMargins(12, 0, 12, 4)
        self._keep.setContentsMargins(0, 0, 12, 4)
        self.setLayout(column)
        self._dress()

    def _message_page(self) -> Surface:
        page = Surface()
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        page.setLayout(row_of(self._message, margins=(24, 16, 24, 16)))
        return page

    def _connect(self) -> None:
        self._kinds.chosen.connect(self._draw)
        self._scales.chosen.connect(self._draw)
        self._keep.clicked.connect(self._ask_to_keep)
        self._table_button.toggled.connect(self._show_page)
        self._view.selectionModel().currentRowChanged.connect(self._row_chosen)
        theme.events.theme_changed.connect(self._dress)


def _words_for(state: State) -> str:
    if state in ("waiting", "streaming"):
        return "Waiting for the first checkpoint."
    if state == "error":
        return "The trajectory could not be computed."
    if state == "done":
        return "No checkpoint gave a number."
    return (
        'No trajectory yet.\n\nType a target, such as " Paris", and press Run: its probability '
        "at every checkpoint appears here. Without a target, the last step's top tokens are shown."
    )
