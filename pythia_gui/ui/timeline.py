"""The timeline: every checkpoint of a model as a tick, and the hand that points at one."""

from bisect import bisect_left

from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from pythia_gui.core.steps import format_step, snap
from pythia_gui.ui import theme
from pythia_gui.ui.track import Track, mark_words
from pythia_gui.ui.values import StepMark
from pythia_gui.ui.widgets import IconButton, plain_label

_SPEEDS = (1, 2, 4, 8, 16)
_DEFAULT_SPEED = 4


def typed_step(text: str) -> int | None:
    """Return the step that a person typed (`4000`, `4,000`, `4k`, `step4000`), or None."""
    plain = text.strip().lower().removeprefix("step").replace(",", "").replace("_", "").strip()
    thousand = plain.endswith("k")
    try:
        number = float(plain.removesuffix("k")) * (1_000 if thousand else 1)
    except ValueError:
        return None
    if not 0 <= number < 1e12 or number != int(number):
        return None
    return int(number)


def next_played(marks: tuple[StepMark, ...], index: int, *, loop: bool) -> int | None:
    """Return the checkpoint that playback shows after `index`, or None at the end.

    Those that are neither here nor computed are passed over, unless none is.
    """
    ready = [n for n, mark in enumerate(marks) if mark.on_disk or mark.computed]
    order = ready or list(range(len(marks)))
    place = bisect_left(order, index + 1)
    if place < len(order):
        return order[place]
    return order[0] if loop and order and order[0] != index else None


class Timeline(QWidget):
    """The step of everything on screen: shows it, moves it, plays it.

    It announces a wish for every step a person goes to, and for each one that playback
    reaches; `select` shows where the window stands and announces nothing.
    """

    step_requested = Signal(int)  # a person, or playback, goes to this step
    playing_changed = Signal(bool)  # playback has begun or ended

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._marks: tuple[StepMark, ...] = ()
        self._step = 0
        self._wanted: int | None = None  # what was typed, while it explains where the hand is
        self._held = False
        self._due = False
        self._build()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._play_on)
        self._connect()
        self._show_readout()
        self._dress()

    @property
    def step(self) -> int:
        """The step that the hand points at."""
        return self._step

    @property
    def playing(self) -> bool:
        """Whether playback runs, be it on hold."""
        return self._timer.isActive()

    @property
    def track(self) -> Track:
        """The painted scale."""
        return self._track

    def show_steps(self, marks: tuple[StepMark, ...]) -> None:
        """Show these checkpoints, ascending by step; the hand stays, or goes to the nearest."""
        if marks == self._marks and marks:
            return
        same = [mark.step for mark in marks] == [mark.step for mark in self._marks]
        self._marks = marks
        self._track.blockSignals(True)  # noqa: FBT003 - Qt's spelling
        self._track.show_marks(marks)
        self._track.blockSignals(False)  # noqa: FBT003
        self._wanted = self._wanted if same else None
        self.select(self._step)

    def select(self, step: int) -> None:
        """Point at a step, or at the nearest checkpoint, without announcing it."""
        found = snap(step, [mark.step for mark in self._marks]) if self._marks else step
        if found != self._step:
            self._wanted = None
        self._step = found
        self._track.setValue(self._index())
        self._show_readout()

    def hold(self, held: bool) -> None:  # noqa: FBT001 - mirrors Qt's setters
        """Let playback wait until what it shows has arrived."""
        self._held = held
        if not held and self._due and self.playing:
            self._play_on()

    def play(self) -> None:
        """Play from here; from the start where the end is reached."""
        if self.playing or len(self._marks) < 2:
            return
        self._due = False
        self._timer.start(round(1000 / self._speed.currentData()))
        self._show_playing()
        if next_played(self._marks, self._index(), loop=False) is None:
            self._go(next_played(self._marks, -1, loop=False) or 0)

    def pause(self) -> None:
        """Stop playback where it is."""
        if self.playing:
            self._timer.stop()
            self._show_playing()

    def toggle_play(self) -> None:
        """Play or pause."""
        (self.pause if self.playing else self.play)()

    # ------------------------------------------------------------------------- behaviour

    def _play_on(self) -> None:
        self._due = self._held
        if self._held:
            return
        following = next_played(self._marks, self._index(), loop=self._loop.isChecked())
        if following is None:
            self.pause()
        else:
            self._go(following)

    def _go(self, index: int) -> None:
        self._track.setValue(index)
        if self.playing:
            self._timer.start()  # what was reached by hand stays as long as what was played

    def _track_moved(self, index: int) -> None:
        if not self._marks or self._marks[index].step == self._step:
            return
        self._step = self._marks[index].step
        self._wanted = None
        self._show_readout()
        self.step_requested.emit(self._step)

    def _step_typed(self) -> None:
        text = self._field.text()
        wanted = typed_step(text)
        self._field.clear()
        if wanted is None:
            if text.strip():
                self._note.setText("Type a step as a whole number, such as 4000 or 4k.")
            return
        steps = [mark.step for mark in self._marks]
        self._go(steps.index(snap(wanted, steps)))
        self._wanted = wanted
        self._show_readout()

    def _speed_chosen(self) -> None:
        self._timer.setInterval(round(1000 / self._speed.currentData()))

    def _index(self) -> int:
        steps = [mark.step for mark in self._marks]
        return min(bisect_left(steps, self._step), max(len(steps) - 1, 0))

    def _first(self) -> None:
        self._go(0)

    def _last(self) -> None:
        self._go(len(self._marks) - 1)

    def _back(self) -> None:
        self._go(self._index() - 1)

    def _forward(self) -> None:
        self._go(self._index() + 1)

    # ------------------------------------------------------------------------- looks

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._dress()
        super().changeEvent(event)

    def _show_readout(self) -> None:
        self._enable()
        if not self._marks:
            self._where.setText("No checkpoints")
            self._seen.setText("Choose a model to see its training steps here.")
            self._note.clear()
            return
        mark = self._marks[self._index()]
        self._where.setText(format_step(mark.step))
        self._seen.setText("  ·  ".join(mark_words(mark)[1:]))
        wanted = mark.step if self._wanted is None else self._wanted
        self._note.setText(snap_note(wanted, mark.step) or mark.badge)

    def _enable(self) -> None:
        index, last = self._index(), len(self._marks) - 1
        for button in (self._to_first, self._to_previous):
            button.setEnabled(index > 0)
        for button in (self._to_last, self._to_next):
            button.setEnabled(index < last)
        for widget in (self._play, self._speed, self._loop):
            widget.setEnabled(last > 0)
        self._field.setEnabled(bool(self._marks))

    def _show_playing(self) -> None:
        playing = self.playing
        name = "Pause" if playing else "Play through training"
        self._play.set_icon("pause" if playing else "run")
        self._play.set_name(name, f"{name} (Space)")
        self.playing_changed.emit(playing)

    def _dress(self) -> None:
        self._where.setFont(theme.ui_font(1.25, bold=True))
        self._note.setMinimumHeight(2 * self._note.fontMetrics().lineSpacing())

    def _build(self) -> None:
        self._track = Track()
        self._to_first = IconButton("skip-start", "First checkpoint", "First checkpoint (Home)")
        self._to_previous = IconButton("step-back", "Previous checkpoint", "Previous (Left)")
        self._play = IconButton("run", "Play through training")
        self._to_next = IconButton("step-forward", "Next checkpoint", "Next (Right)")
        self._to_last = IconButton("skip-end", "Last checkpoint", "Last checkpoint (End)")
        self._loop = IconButton(
            "repeat", "Repeat", "Start again when playback has reached the end", checkable=True
        )
        self._where = plain_label(size=1.25)
        self._seen = plain_label(role="muted")
        self._note = plain_label(role="warning", size=0.88, wrap=True)
        self._field, self._speed = QLineEdit(), QComboBox()
        self._name_fields()
        self._lay_out()
        self.setFocusProxy(self._track)

    def _name_fields(self) -> None:
        self._note.setWordWrap(True)
        self._note.setAccessibleName("Note on this step")
        self._field.setAccessibleName("Go to step")
        self._field.setToolTip("Type an exact step, such as 4000 or 4k, and press Return")
        self._field.setMaxLength(16)
        self._field.setFixedWidth(88)
        self._speed.setAccessibleName("Playback speed, checkpoints per second")
        self._speed.setToolTip("Playback speed: checkpoints per second")
        for speed in _SPEEDS:
            self._speed.addItem(f"{speed} per s", speed)
        self._speed.setCurrentIndex(_SPEEDS.index(_DEFAULT_SPEED))

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(theme.GRID * 2, 0, theme.GRID * 2, 0)
        row.setSpacing(theme.GRID // 2)
        for button in (
            self._to_first,
            self._to_previous,
            self._play,
            self._to_next,
            self._to_last,
        ):
            row.addWidget(button)
        row.addSpacing(theme.GRID)
        row.addWidget(self._where)
        row.addSpacing(theme.GRID)
        row.addWidget(self._seen)
        row.addSpacing(theme.GRID)
        row.addWidget(self._note, 1)
        row.addSpacing(theme.GRID)
        row.addWidget(plain_label("Go to step", role="muted"))
        row.addWidget(self._field)
        row.addSpacing(theme.GRID)
        row.addWidget(plain_label("Speed", role="muted"))
        row.addWidget(self._speed)
        row.addWidget(self._loop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.GRID // 2, 0, theme.GRID // 2)
        column.setSpacing(theme.GRID // 2)
        column.addWidget(self._track)
        column.addLayout(row)

    def _connect(self) -> None:
        self._track.valueChanged.connect(self._track_moved)
        self._track.toggled_play.connect(self.toggle_play)
        self._to_first.clicked.connect(self._first)
        self._to_previous.clicked.connect(self._back)
        self._play.clicked.connect(self.toggle_play)
        self._to_next.clicked.connect(self._forward)
        self._to_last.clicked.connect(self._last)
        self._field.returnPressed.connect(self._step_typed)
        self._speed.currentIndexChanged.connect(self._speed_chosen)
        theme.events.theme_changed.connect(self._dress)


def snap_note(wanted: int, found: int) -> str:
    """Return where the timeline stands when a step was asked for that has no checkpoint."""
    if wanted == found:
        return ""
    return f"{format_step(wanted)} is not a checkpoint: showing {format_step(found)}"
