"""The composition root of the window: it builds every layer, and knows them all."""

import gc
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

import platformdirs
from PySide6.QtCore import (
    QEventLoop,
    QMessageLogContext,
    QObject,
    QSettings,
    QSocketNotifier,
    Qt,
    QTimer,
    QtMsgType,
    Signal,
    qInstallMessageHandler,
)
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QApplication

from pythia_gui import __version__
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.history import HistoryError
from pythia_gui.core.library import Library, ModelEntry
from pythia_gui.core.resources import resource_path
from pythia_gui.core.steps import log_steps
from pythia_gui.ui import theme as look
from pythia_gui.ui.history_keeper import HistoryKeeper
from pythia_gui.ui.questions import Ending
from pythia_gui.ui.window import MainWindow, kept_look
from pythia_gui.ui.workspace import Workspace
from pythia_gui.worker import Worker

NAME = "pythia-gui"
FIRST_PROMPT = "The capital of Poland is"
DEMO_MODEL = "demo-s"
SETTLE_S = 0.15
SWITCH_S = 0.001  # what the worker's thread may make the GUI thread wait; Python's own is 0.005

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Program:
    """What was put together; `close` takes it apart within two seconds."""

    library: Library
    worker: Worker
    workspace: Workspace
    window: MainWindow
    trouble: str = ""

    def close(self) -> None:
        """Stop the worker and its engine, and with it the child process."""
        self.window.close()
        self.worker.shutdown()


def assemble(window: MainWindow, *, stored: bool = True) -> Program:
    """Put the program together behind its window; nothing heavy is loaded in this process.

    What this imports is left out at the top: the window is on screen before.
    """
    from pythia_gui.batches import DemoBatches
    from pythia_gui.engine.process import ProcessEngine
    from pythia_gui.stack import open_engine, open_library
    from pythia_gui.store.database import StoreError

    sys.setswitchinterval(SWITCH_S)
    trouble = ""
    process = ProcessEngine()
    try:
        engine = open_engine(process, stored=stored)
    except (StoreError, OSError) as problem:
        log.warning("no store: %s", problem)
        trouble = f"Results are not kept: {problem}"
        engine = open_engine(process, stored=False)
    library = open_library()
    worker = Worker(engine)
    workspace = Workspace(library, worker)
    window.attach(workspace, library, DemoBatches(), open_keeper(stored=stored))
    return Program(library, worker, workspace, window, trouble)


def open_keeper(*, stored: bool = True) -> HistoryKeeper:
    """Return what notes runs in this user's file of them; where it can't, all else goes on."""
    from pythia_gui.stack import history_file
    from pythia_gui.store.history import RunHistory

    if not stored:
        return HistoryKeeper()
    try:
        return HistoryKeeper(RunHistory(history_file()))
    except HistoryError as problem:
        log.warning("no history: %s", problem)
        return HistoryKeeper(why_not=str(problem))


# ------------------------------------------------------------------------------ the window


def run(argv: Sequence[str]) -> int:
    """Open the window and return the exit status; without a display do its job without one."""
    if not has_display():
        return render_demo()
    app = _application(argv)
    _write_log()
    state = _state()
    mode, scale = kept_look(state)
    look.apply(app, mode)
    look.set_text_scale(app, scale)
    window = MainWindow(state)
    catcher = _Catcher(window)
    signals = _Signals(window.close)
    opening = _Opening(window)
    window.show()
    QTimer.singleShot(0, window, opening.begin)
    try:
        return app.exec()
    finally:
        signals.close()
        catcher.release()
        opening.end()


def has_display() -> bool:
    """Return whether a window can be shown: Qt aborts the process where it can't."""
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform and not platform.startswith(("xcb", "wayland")):
        return True
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _application(argv: Sequence[str]) -> QApplication:
    qInstallMessageHandler(_log_qt)
    app = QApplication(list(argv[:1]))
    app.setApplicationName(NAME)
    app.setApplicationDisplayName(NAME)
    app.setApplicationVersion(__version__)
    app.setDesktopFileName(NAME)
    with suppress(OSError):
        app.setWindowIcon(QIcon(str(resource_path("icons", "pythia-gui.svg"))))
    return app


def _log_qt(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
    """Write what Qt says to the log; its remarks are for those who mend the program."""
    grave = kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg)
    logging.getLogger("pythia_gui.qt").log(logging.ERROR if grave else logging.INFO, "%s", text)


def _state() -> QSettings:
    folder = Path(platformdirs.user_config_dir(NAME, appauthor=False))
    return QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)


class _Opening(QObject):
    """What happens once the window is on screen: the program behind it, and a first question."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._program: Program | None = None

    def begin(self) -> None:
        """Fill the window in, with the demo suite where there is one."""
        self._program = program = assemble(self._window)
        program.workspace.refresh_models()
        first = first_model(program.library.models())
        if first is not None:
            ask(program.workspace, program.window, first.key, FIRST_PROMPT)
        if program.trouble:
            program.window.say(program.trouble, "warning")
        gc.collect()
        gc.freeze()  # what is here stays: the collector need not go through it in mid-drag

    def end(self) -> None:
        """Take the program apart, if it came to be."""
        if self._program is not None:
            self._program.close()


def first_model(models: Sequence[ModelEntry]) -> ModelEntry | None:
    """Return the model to open with: the demo suite's, else the first that is here."""
    here = [entry for entry in models if entry.here]
    demo = [entry for entry in here if entry.name == DEMO_MODEL]
    return next(iter((*demo, *here)), None)


def ask(workspace: Workspace, window: MainWindow, key: str, prompt: str) -> None:
    """Put a prompt to a model as if it had been typed."""
    workspace.show_model(key)
    window.set_prompt(prompt)
    workspace.run(noted=False)


class _Catcher(QObject):
    """Writes what nobody caught to the log, and says so in the window."""

    _caught = Signal(str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window = window
        self._caught.connect(self._say, Qt.ConnectionType.QueuedConnection)
        sys.excepthook = self._on_main
        threading.excepthook = self._on_thread

    def release(self) -> None:
        """Give the hooks back."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__

    def _on_main(
        self, kind: type[BaseException], problem: BaseException, trace: TracebackType | None
    ) -> None:
        log.error("uncaught", exc_info=(kind, problem, trace))
        if issubclass(kind, Exception):
            self._caught.emit(f"{kind.__name__}: {problem}")

    def _on_thread(self, hooked: threading.ExceptHookArgs) -> None:
        if hooked.exc_value is not None:
            self._on_main(hooked.exc_type, hooked.exc_value, hooked.exc_traceback)

    def _say(self, problem: str) -> None:
        self._window.say(
            f"A fault in the program: {problem[:200]}. It went on; the details are in "
            f"{log_file()}. Save what matters and start again if something looks wrong."
        )


class _Signals:
    """Turns SIGTERM and SIGINT into a wish to close, on the GUI thread."""

    def __init__(self, close: Callable[[], object]) -> None:
        self._near, self._far = socket.socketpair()
        for end in (self._near, self._far):
            end.setblocking(False)  # noqa: FBT003 - Python's spelling
        self._notifier = QSocketNotifier(self._near.fileno(), QSocketNotifier.Type.Read)
        self._notifier.activated.connect(self._read)
        self._close = close
        self._before = {
            number: signal.signal(number, _ignore) for number in (signal.SIGTERM, signal.SIGINT)
        }
        self._wakeup = signal.set_wakeup_fd(self._far.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Give the signals back."""
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._notifier.setEnabled(False)
        self._near.close()
        self._far.close()

    def _read(self) -> None:
        with suppress(BlockingIOError):
            self._near.recv(64)
        self._close()


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing: the signal's number went to the wake-up socket."""


def log_file() -> Path:
    """Return where this user's log is written."""
    return Path(platformdirs.user_log_dir(NAME, appauthor=False)) / "pythia-gui.log"


def _write_log() -> None:
    file = log_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(
            file, maxBytes=1_000_000, backupCount=1, encoding="utf-8", delay=True
        )
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("pythia_gui").addHandler(handler)


# ------------------------------------------------------------------------------ pictures


def render(  # noqa: PLR0913 - a picture names all that is on it
    out: Path,
    *,
    model: str = DEMO_MODEL,
    prompt: str | None = None,
    targets: Sequence[str] = (),
    step: int | None = None,
    theme: look.Mode = "light",
    size: tuple[int, int] = (1280, 800),
    scale: float = 1.0,
    stored: bool = True,
) -> int:
    """Write the filled-in window as a PNG; return 0, or 1 where an answer failed.

    Raises:
        CheckpointError: there is no such model.
    """
    picture = Picture(model, FIRST_PROMPT if prompt is None else prompt, tuple(targets), step)
    return _rendered(out, picture, theme, size, scale, stored=stored)[0]


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture of the window shows."""

    model: str = DEMO_MODEL
    prompt: str = FIRST_PROMPT
    targets: tuple[str, ...] = ()
    step: int | None = None


def _rendered(
    out: Path,
    picture: Picture,
    mode: look.Mode,
    size: tuple[int, int],
    scale: float,
    *,
    stored: bool,
) -> tuple[int, str]:
    """Return the exit status and the table of results; needs no display."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        os.environ["QT_SCALE_FACTOR"] = str(scale)
        app = _application([NAME])
    look.apply(app, mode)
    with tempfile.TemporaryDirectory() as folder:
        state = QSettings(str(Path(folder) / "window.ini"), QSettings.Format.IniFormat)
        program = assemble(MainWindow(state), stored=stored)
        try:
            _fill_in(program, picture, size)
            _save(program.window.grab(), out)
            workspace = program.workspace
            return int(workspace.troubled), _table(workspace)
        finally:
            program.close()


def _fill_in(program: Program, picture: Picture, size: tuple[int, int]) -> None:
    """Ask the question of a picture, and wait until everything it shows has arrived."""
    workspace, window = program.workspace, program.window
    entry, _ = program.library.find(picture.model)
    workspace.refresh_models()
    window.resize(*size)
    window.show()
    if picture.targets:
        window.set_endings([Ending(text) for text in picture.targets])
    ask(workspace, window, entry.key, picture.prompt)
    if picture.step is not None:
        workspace.show_step(picture.step)
    _wait_until(lambda: workspace.settled)
    _wait_until(_After(SETTLE_S).over)


def _wait_until(done: Callable[[], bool]) -> None:
    loop = QEventLoop()
    timer = QTimer(interval=20)
    timer.timeout.connect(loop.quit)
    timer.start()
    while not done():
        loop.exec()
    timer.stop()


class _After:
    """A moment for the last frame to be painted."""

    def __init__(self, wait_s: float) -> None:
        self._until_s = time.monotonic() + wait_s

    def over(self) -> bool:
        """Return whether the moment is over."""
        return time.monotonic() >= self._until_s


def _save(picture: QPixmap, out: Path) -> None:
    """Write a PNG whole or not at all.

    Raises:
        CheckpointError: it can't be written there.
    """
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        if not picture.save(str(part), "PNG"):
            raise OSError("the folder does not exist or can't be written to")
        part.replace(out)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise CheckpointError(f"{out} can't be written: {problem}") from problem


def _table(workspace: Workspace) -> str:
    """Return the sweep as lines for a terminal, at steps about evenly spaced on a log axis."""
    from pythia_gui.report import as_table, sweep_document

    entry = workspace.entry
    results = {result.checkpoint.step: result for result in workspace.sweep()}
    if entry is None or not results:
        return ""
    shown = [results[step] for step in log_steps(results)]
    return as_table(sweep_document(entry, shown, ()))


def render_demo() -> int:
    """Do the window's first job without a display: print its numbers, and write its picture."""
    out = Path.cwd() / "pythia-gui.png"
    if not os.access(out.parent, os.W_OK):
        out = Path(tempfile.gettempdir()) / out.name
    sys.stderr.write("There is no display, so this is what the window would show.\n\n")
    status, table = _rendered(out, Picture(), "light", (1280, 800), 1.0, stored=True)
    sys.stdout.write(f"{table}\nThe picture of the window is {out}\n")
    return status
