"""Every view on the real demo suite, in both palettes and two sizes: nothing is cut or covered."""

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QRect
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QGraphicsScene, QGraphicsView, QLabel, QTableWidget, QWidget

from pythia_gui.core.fallback import Float32Fallback
from pythia_gui.core.prompt_sets import BUNDLES, bundled_set
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.store.cached import CachedEngine
from pythia_gui.store.database import Database
from pythia_gui.ui import theme
from pythia_gui.ui.questions import Ending
from tests.ui.looks import faint_texts, misfits, overlaps

SIZES = ((1_280, 800), (1_920, 1_080))
TABS = ("Map", "Learned", "Rivals", "A and B", "Sizes", "Prompts", "Continuations", "Similarity")
PROMPT = "The capital of Poland is"
ENDINGS = (Ending(" Warsaw"), Ending(" Rome", "foil"))
LONGEST_MS = 60_000


@pytest.fixture
def pictures(tmp_path):
    """Where pictures are written: PYTHIA_GUI_PICTURES, to look at them, or nowhere to stay."""
    folder = Path(os.environ.get("PYTHIA_GUI_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What was computed for one picture is there for the next."""
    with Database(tmp_path_factory.mktemp("results") / "results.sqlite") as database:
        yield database


@pytest.fixture
def library(repository, tmp_path):
    return LocalLibrary(repository / "resources" / "demo", cache=tmp_path / "no-hub-cache")


@pytest.fixture
def engine(results):
    return Float32Fallback(CachedEngine(LocalEngine(), results))


@pytest.fixture
def asked(window, workspace, qtbot):
    workspace.refresh_models()
    workspace.show_model("demo-s")
    window.set_prompt(PROMPT)
    window.set_endings(ENDINGS)
    workspace.run()
    qtbot.waitUntil(lambda: workspace.settled, timeout=LONGEST_MS)
    return window


def look_at(window, workspace, qtbot, name):
    """Open a view, let it measure what it offers to, and wait until it stands still."""
    place = next(n for n in range(window._tabs.count()) if window._tabs.tabText(n) == name)
    window._tabs.setCurrentIndex(place)
    view = window._views_by_tab[place]

    def still():
        return workspace.settled and not (
            view._due.isActive() or view.runner.running or view._frame.isActive()
        )

    qtbot.waitUntil(still, timeout=LONGEST_MS)
    if view._measure.isVisible():
        view.measure()
        qtbot.waitUntil(still, timeout=LONGEST_MS)
    QTest.qWait(150)
    return view


def faults(window, file):
    """Return what is wrong with the window as it stands, which is kept as a picture."""
    window.grab().save(str(file))
    return [*misfits(window), *overlaps(window), *faint_texts(window)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_nothing_is_cut_or_covered(qapp, asked, workspace, qtbot, pictures, *, mode, size):
    theme.apply(qapp, mode)
    asked.resize(*size)
    workspace.set_prompt_set(bundled_set(BUNDLES[0]))
    found = {}
    for name in TABS:
        view = look_at(asked, workspace, qtbot, name)
        file = f"{name.replace(' ', '-').lower()}-{mode}-{size[0]}x{size[1]}.png"
        found[name] = faults(asked, pictures / file)
        view._as_table.click()
        QTest.qWait(50)
        found[f"{name} as a table"] = faults(asked, pictures / f"table-{file}")
        assert view._table.model().rowCount() > 0, name
        view._as_table.click()
    assert {name: some for name, some in found.items() if some} == {}


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_an_empty_view_says_what_to_do_and_nothing_is_cut(
    qapp, window, workspace, qtbot, pictures, *, mode, size
):
    theme.apply(qapp, mode)
    window.resize(*size)
    for name in TABS:
        view = look_at(window, workspace, qtbot, name)
        file = f"empty-{name.replace(' ', '-').lower()}-{mode}-{size[0]}x{size[1]}.png"
        window.grab().save(str(pictures / file))
        assert misfits(window) == [], name
        assert overlaps(window) == [], name
        said = [label.text() for label in view.findChildren(QLabel) if label.isVisible()]
        assert any(text.strip().endswith(".") for text in said), name


def test_covered_texts_are_seen(qtbot, light):
    page = QWidget()
    qtbot.addWidget(page)
    one, other, apart = QLabel("one", page), QLabel("other", page), QLabel("apart", page)
    one.setGeometry(QRect(0, 0, 60, 20))
    other.setGeometry(QRect(40, 5, 60, 20))
    apart.setGeometry(QRect(0, 60, 60, 20))
    scene = QGraphicsScene()
    view = QGraphicsView(scene, page)
    view.setGeometry(QRect(150, 0, 200, 100))
    for text, x in (("near", 0), ("by", 8), ("far", 120)):
        scene.addSimpleText(text).setPos(x, 0)
    page.resize(400, 200)
    page.show()
    QTest.qWait(20)
    found = overlaps(page)
    assert [sorted(pair.split("'")[1::2]) for pair in found] == [["one", "other"], ["by", "near"]]


def test_headings_that_are_cut_are_seen(qtbot, light):
    table = QTableWidget(1, 2)
    qtbot.addWidget(table)
    table.setHorizontalHeaderLabels(["a very long heading indeed", "x"])
    table.setColumnWidth(0, 40)
    table.show()
    QTest.qWait(20)
    assert [problem.split("'")[1] for problem in misfits(table)] == ["a very long heading indeed"]
