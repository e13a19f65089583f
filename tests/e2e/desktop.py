"""A display without a screen, and a hand at its keyboard and mouse."""

import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

SCREEN = (1_440, 900)
TOOLS = ("Xvfb", "xdotool")  # packaging/debian-packages-test.txt; `make install-test` brings them
PATIENCE_S = 60.0


def missing_tools() -> list[str]:
    """Return which of the tools that drive a display are not installed."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def wait_until(done: Callable[[], bool], what: str, every_s: float = 0.02) -> None:
    """Wait for something that happens in another process, looking `every_s` seconds."""
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until, f"waited {PATIENCE_S:.0f} s in vain for {what}"
        time.sleep(every_s)


class Display:
    """An X server in memory; its picture lies in a file."""

    def __init__(self, folder: Path) -> None:
        lacking = missing_tools()
        assert not lacking, f"not installed: {', '.join(lacking)}; run make install-test"
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        read, write = os.pipe()
        width, height = SCREEN
        screen = f"{width}x{height}x24"
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", screen, "-fbdir", str(folder)],
            pass_fds=(write,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as numbers:
            self.name = f":{int(numbers.readline())}"

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(10)

    def picture(self) -> NDArray[np.uint8]:
        """Return what is on the screen: uint8, shape (height, width, 3), red first."""
        raw = (self._folder / "Xvfb_screen0").read_bytes()
        head = struct.unpack(">25I", raw[:100])  # the header of an X window dump
        size, width, height, line, colors = head[0], head[4], head[5], head[12], head[19]
        start = size + 12 * colors
        rows = np.frombuffer(raw, np.uint8, line * height, start).reshape(height, line)
        pixels = rows[:, : 4 * width].reshape(height, width, 4)
        return pixels[:, :, 2::-1].copy()

    def save(self, file: Path) -> None:
        """Write what is on the screen as a PNG, for whoever looks into a failure."""
        pixels = self.picture()
        height, width, _ = pixels.shape
        QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).save(
            str(file)
        )

    def do(self, *words: str) -> str:
        """Let xdotool do something; return what it says."""
        done = subprocess.run(
            ["xdotool", *words],
            env=os.environ | {"DISPLAY": self.name},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        return done.stdout.strip()


@dataclass
class Program:
    """The real program in a process of its own, with a home of its own."""

    display: Display
    home: Path
    process: subprocess.Popen[bytes]
    window: str = ""

    @classmethod
    def start(cls, display: Display, home: Path, repository: Path) -> "Program":
        """Start it as a user does, and wait for its window."""
        places = {
            "HOME": home,
            "XDG_DATA_HOME": home / "data",
            "XDG_CONFIG_HOME": home / "config",
            "XDG_CACHE_HOME": home / "cache",
            "XDG_STATE_HOME": home / "state",
        }
        environment = os.environ | {name: str(place) for name, place in places.items()}
        environment |= {"DISPLAY": display.name, "QT_QPA_PLATFORM": "xcb"}
        for name in ("WAYLAND_DISPLAY", "QT_QPA_PLATFORMTHEME"):
            environment.pop(name, None)
        with said_file(home).open("w") as said:  # a pipe would fill up: crashes write a lot
            process = subprocess.Popen(
                [sys.executable, "-X", "dev", "-m", "pythia_gui"],
                cwd=repository,
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        program = cls(display, home, process)
        program.window = program._find()
        display.do("windowfocus", "--sync", program.window)
        return program

    def _find(self) -> str:
        """Return the window's number once it is on screen."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            assert self.process.poll() is None, said_file(self.home).read_text()
            found = subprocess.run(
                ["xdotool", "search", "--onlyvisible", "--name", "pythia-gui"],
                env=os.environ | {"DISPLAY": self.display.name},
                capture_output=True,
                text=True,
                check=False,
            )
            if found.stdout.strip():
                return found.stdout.split()[0]
            time.sleep(0.02)
        raise AssertionError("no window came")

    @property
    def title(self) -> str:
        return self.display.do("getwindowname", self.window)

    @property
    def size(self) -> tuple[int, int]:
        lines = self.display.do("getwindowgeometry", "--shell", self.window).splitlines()
        values = dict(line.split("=") for line in lines)
        return int(values["WIDTH"]), int(values["HEIGHT"])

    def press(self, *keys: str) -> None:
        self.display.do("key", *keys)

    def type(self, text: str) -> None:
        self.display.do("type", "--delay", "12", text)

    def drag(self, start: tuple[int, int], end: tuple[int, int], moves: int = 12) -> None:
        """Press the mouse at one place of the window, move to another, and let go."""
        move = ("mousemove", "--sync", "--window", self.window)
        self.display.do(*move, str(start[0]), str(start[1]), "mousedown", "1")
        for number in range(1, moves + 1):
            share = number / moves
            x = round(start[0] + share * (end[0] - start[0]))
            y = round(start[1] + share * (end[1] - start[1]))
            self.display.do("mousemove", "--window", self.window, str(x), str(y))
        self.display.do("mouseup", "1")

    def results(self) -> int:
        """Return how many results its store holds."""
        file = self.home / "data" / "pythia-gui" / "results.sqlite"
        if not file.exists():
            return 0
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10) as database:
            try:
                return int(database.execute("SELECT count(*) FROM results").fetchone()[0])
            except sqlite3.OperationalError:
                return 0

    def wait_for_results(self, more_than: int) -> int:
        """Wait until the store has grown and grows no more; return its size."""
        wait_until(lambda: self.results() > more_than, f"more than {more_than} results")
        seen, since = self.results(), time.monotonic()
        while time.monotonic() - since < 1.5:
            time.sleep(0.1)
            if self.results() != seen:
                seen, since = self.results(), time.monotonic()
        return seen

    def processor_s(self) -> float:
        """Return the processor time that the program itself has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def children(self) -> set[int]:
        """Return the processes that it has started, and theirs."""
        return descendants(self.process.pid)

    def kill_engine(self) -> None:
        for child in self.children():
            os.kill(child, signal.SIGKILL)

    def end(self) -> str:
        """Make sure that it is gone; return what it said."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        return said_file(self.home).read_text()


def said_file(home: Path) -> Path:
    """Return the file that takes what the program writes to its standard output and error."""
    return home / "said.txt"


def descendants(parent: int) -> set[int]:
    """Return the children of a process and their children, those that still run."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found: set[int] = set()
    grew = True
    while grew:
        more = {pid for pid, above in parents.items() if above in found | {parent}} - found
        found |= more
        grew = bool(more)
    return found


def alive(pids: set[int]) -> set[int]:
    """Return those of some processes that still run."""
    running = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            running.add(pid)
    return running
