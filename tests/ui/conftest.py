"""What the tests of the window stand on: small real checkpoints, and the parts put together."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.window import MainWindow
from pythia_gui.ui.workspace import Workspace
from pythia_gui.worker import Worker
from tests.fakes import FakeEngine
from tests.ui.samples import dress

STEPS = (0, 1, 2, 512, 1_000, 2_000, 4_000)
OFFSCREEN_REMARK = "This plugin does not support propagateSizeHints"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take no offence at the offscreen plugin, which remarks on every window with a size."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.qt_log_ignore(OFFSCREEN_REMARK))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like `resources/demo`: two models of random weights with a tokenizer of bytes."""
    from tests.small import make_small  # torch: only for those who need checkpoints

    root = tmp_path_factory.mktemp("suite") / "demo"
    make_small(root / "demo-s", steps=STEPS)
    make_small(root / "demo-m", steps=STEPS[::2], hidden_size=48)
    return root


@pytest.fixture
def library(demo: Path, tmp_path: Path) -> LocalLibrary:
    return LocalLibrary(demo, cache=tmp_path / "no-hub-cache")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def worker(qapp: QApplication, engine: FakeEngine) -> Iterator[Worker]:
    made = Worker(engine)
    yield made
    made.shutdown()
    assert not [t for t in threading.enumerate() if t.name == "worker" and t.is_alive()]


@pytest.fixture
def workspace(library: LocalLibrary, worker: Worker) -> Workspace:
    made = Workspace(library, worker)
    made.refresh_models()
    return made


@pytest.fixture
def light(qapp: QApplication) -> None:
    """The light palette at its normal text size, whatever the test before left."""
    dress(qapp)


@pytest.fixture
def state(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def window(
    light: None, workspace: Workspace, library: LocalLibrary, state: QSettings
) -> Iterator[MainWindow]:
    made = MainWindow(state)
    made.attach(workspace, library)
    made.show()
    yield made
    made.close()
    made.deleteLater()
    QApplication.processEvents()
