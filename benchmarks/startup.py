"""How long from the start of the program to its window, and to its first answer.

Runs the real program on a display in memory (Xvfb, found by xdotool), warm, several times, and
prints the medians as JSON, in seconds. Before the first counted run it is started once.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.e2e.desktop import Display, Program, wait_until

RUNS = 5


def main() -> int:
    repository = Path(__file__).resolve().parent.parent
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        display = Display(Path(folder) / "display")
        measured = [
            _measured(display, Path(folder) / str(run), repository) for run in range(RUNS + 1)
        ]
        display.close()
    windows, answers = zip(*measured[1:], strict=True)
    figures = {
        "window_s": round(statistics.median(windows), 2),
        "window_spread_s": [round(min(windows), 2), round(max(windows), 2)],
        "first_answer_s": round(statistics.median(answers), 2),
        "first_answer_spread_s": [round(min(answers), 2), round(max(answers), 2)],
    }
    print(json.dumps(figures))
    return 0


def _measured(display: Display, home: Path, repository: Path) -> tuple[float, float]:
    home.mkdir()
    started = time.perf_counter()
    program = Program.start(display, home, repository)
    window_s = time.perf_counter() - started
    wait_until(lambda: program.results() > 0, "the first answer")
    answer_s = time.perf_counter() - started
    program.press("ctrl+q")
    program.process.wait(20)
    program.end()
    return window_s, answer_s


if __name__ == "__main__":
    sys.exit(main())
