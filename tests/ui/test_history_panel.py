"""Past runs in the window: noted, found, shown again without computing, deleted, had back."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTextEdit

from pythia_gui.core.history import HistoryError, Run
from pythia_gui.core.requests import Sampling
from pythia_gui.store.cached import CachedEngine
from pythia_gui.store.database import Database
from pythia_gui.store.history import RunHistory
from pythia_gui.ui import theme
from pythia_gui.ui.history_keeper import (
    NO_STAR,
    NOT_KEPT,
    NOTHING_FOUND,
    NOTHING_YET,
    Found,
    HistoryKeeper,
)
from pythia_gui.ui.history_panel import star_rect
from pythia_gui.ui.past_runs import (
    about,
    endings_of,
    in_full,
    pair_of,
    pins_of,
    settings_of,
    title_of,
    when_text,
    wording_of,
)
from pythia_gui.ui.questions import Ending, Pin, Settings
from pythia_gui.ui.window import MainWindow
from pythia_gui.ui.workspace import Workspace
from pythia_gui.worker import Worker
from tests.fakes import FakeEngine
from tests.ui.looks import faint_texts, misfits

MARKUP = '<img src="file:///canary.png"><b>R&D</b>'


@pytest.fixture
def history(tmp_path):
    opened = RunHistory(tmp_path / "history.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def fake():
    return FakeEngine()


@pytest.fixture
def engine(fake, tmp_path):
    """The fake behind the real store of results."""
    with Database(tmp_path / "results.sqlite") as database:
        yield CachedEngine(fake, database)


@pytest.fixture
def window(light, workspace, library, state, history):
    made = MainWindow(state)
    made.attach(workspace, library, keeper=HistoryKeeper(history))
    made.resize(1_280, 800)
    made.show()
    workspace.show_model("demo-s")
    yield made
    made.close()
    made.deleteLater()
    QApplication.processEvents()


@pytest.fixture
def ask(window, workspace, qtbot):
    def asked(text):
        window.set_prompt(text)
        window._menus.actions["run"].trigger()
        qtbot.waitUntil(lambda: workspace.settled, timeout=10_000)

    return asked


@pytest.fixture
def panel(window):
    window._menus.actions["history"].trigger()
    return window._history


def listed(panel):
    return [run.text for run in panel._runs.runs]


def click(panel, row):
    index = panel._runs.model().index(row, 0)
    place = panel._runs.visualRect(index).topLeft() + QPoint(30, 10)
    QTest.mouseClick(panel._runs.viewport(), Qt.MouseButton.LeftButton, pos=place)


# -- what is noted ---------------------------------------------------------------------------


def test_every_run_is_listed_the_newest_first(ask, panel):
    assert panel._message.text() == NOTHING_YET
    ask("ab")
    ask("cd")
    ask("cd")
    assert listed(panel) == ["cd", "ab"]
    (newest, _) = panel._runs.runs
    assert (newest.model_name, newest.step, newest.view) == ("demo-s", 4_000, "Text")


def test_what_can_not_be_asked_is_no_run(ask, panel):
    ask("x" * 5_000)
    assert listed(panel) == []


def test_what_the_program_asks_by_itself_is_no_run(window, workspace, panel, qtbot):
    window.set_prompt("ab")
    workspace.run(noted=False)
    qtbot.waitUntil(lambda: workspace.settled)
    assert listed(panel) == []


def test_the_same_question_to_another_model_is_a_run_of_its_own(ask, panel, workspace):
    ask("ab")
    workspace.show_model("demo-m")
    assert [run.model_name for run in panel._runs.runs] == ["demo-m", "demo-s"]


# -- what is shown again ---------------------------------------------------------------------


def test_a_click_shows_a_run_again_without_computing_anything(
    window, workspace, ask, panel, *, fake, qtbot
):
    workspace.show_step(512)
    window.set_endings([Ending("x"), Ending("y", "foil")])
    workspace.set_pair(Pin("demo-s", 0), Pin("demo-s", 512))
    workspace.set_settings(Settings(new_tokens=3, sampling=Sampling(temperature=1.0, seed=5)))
    ask("first")
    first = window._text.body.text
    curves = window._trajectory._curves
    workspace.show_model("demo-m")
    workspace.set_settings(Settings(new_tokens=2))
    window.set_endings([])
    workspace.set_pair(Pin("demo-m", 0), Pin("demo-m", 2))
    window._menus.actions["view_columns"].trigger()
    ask("second")
    qtbot.waitUntil(lambda: workspace.settled)
    computed = list(fake.computed)
    assert listed(panel) == ["second", "first", "first"]  # of demo-m, of demo-m, of demo-s
    click(panel, 2)
    qtbot.waitUntil(lambda: workspace.settled and window._text.body.text.state == "done")
    assert fake.computed == computed
    assert window._text.body.text.tokens == first.tokens
    assert (workspace.entry.name, workspace.step) == ("demo-s", 512)
    assert workspace.settings == Settings(new_tokens=3, sampling=Sampling(temperature=1.0, seed=5))
    assert workspace.endings == (Ending("x"), Ending("y", "foil"))
    assert workspace.pair == (Pin("demo-s", 0), Pin("demo-s", 512))
    assert window._tabs.tabText(window._tabs.currentIndex()) == "Text"
    assert window._prompt.text() == "first"
    assert window._prompt._targets.texts() == ("x",)
    assert window._prompt._foils.texts() == ("y",)
    assert "3 new tokens" in window._prompt._fold.accessibleName()
    assert window._timeline.step == 512
    assert [c.label for c in window._trajectory._curves] == [c.label for c in curves]


@pytest.fixture
def later(engine, library):
    """The workspace of another session on the same store."""
    worker = Worker(engine)
    yield Workspace(library, worker)
    worker.shutdown()


def test_a_run_is_shown_again_in_the_next_session(
    window, ask, history, fake, later, *, library, state, qtbot
):
    window.set_endings([Ending("x")])
    ask("first")
    computed = list(fake.computed)
    other = MainWindow(state)
    other.attach(later, library, keeper=HistoryKeeper(history))
    later.refresh_models()
    other.show()
    other._menus.actions["history"].trigger()
    click(other._history, 0)
    qtbot.waitUntil(lambda: later.settled and other._text.body.text.state == "done")
    assert fake.computed == computed
    assert other._prompt.text() == "first"
    assert other._text.body.text.tokens == window._text.body.text.tokens
    points = [
        [point.logprob for point in one._trajectory._curves[0].points] for one in (window, other)
    ]
    assert points[0] == points[1]
    other.close()


def test_exact_tokens_are_kept(window, workspace, ask, panel, qtbot):
    ask("ab")
    token = window._text.body.text.tokens[0].token_id
    window._text.choice_requested.emit(1, token)
    qtbot.waitUntil(lambda: workspace.settled)
    wording = workspace.wording
    assert wording.token_ids is not None
    ask("another")
    click(panel, 1)
    assert workspace.wording == wording


def test_columns_that_a_person_pinned_come_back_and_others_follow_the_model(
    window, workspace, ask, panel
):
    ask("the usual columns")
    usual = workspace.pins
    workspace.show_step(2)
    workspace.pin()
    pinned = workspace.pins
    ask("pinned")
    workspace.unpin(0)
    click(panel, 1)
    assert workspace.pins == usual
    click(panel, 0)
    assert workspace.pins == pinned


def test_showing_a_run_again_is_no_new_run(ask, panel):
    ask("ab")
    ask("cd")
    click(panel, 1)
    click(panel, 0)
    assert listed(panel) == ["cd", "ab"]


def test_a_run_of_a_model_that_is_gone_says_so(window, workspace, ask, panel, history):
    history.note(Run("/gone", "my-model", 0, "ab"))
    ask("cd")
    click(panel, 1)
    assert "my-model is not among the models" in window._banner.text()
    assert workspace.wording.text == "cd"
    assert window._prompt.text() == "cd"


def test_a_view_that_was_looked_at_is_opened_again(window, ask, panel, qtbot):
    window._menus.actions["view_batch"].trigger()
    ask("ab")
    window._menus.actions["view_text"].trigger()
    ask("cd")
    click(panel, 1)
    assert window._tabs.tabText(window._tabs.currentIndex()) == "Batch"


# -- keys ------------------------------------------------------------------------------------


def test_the_panel_opens_and_closes_by_keys_and_the_models_come_back(window, ask, qtbot):
    ask("ab")
    window._prompt.focus_prompt()
    QTest.keyClick(window._prompt._edit, Qt.Key.Key_H, Qt.KeyboardModifier.ControlModifier)
    assert window._history.isVisible()
    assert not window._picker.isVisible()
    runs = window._history._runs
    assert runs.hasFocus()
    QTest.keyClick(runs, Qt.Key.Key_Escape)
    assert not window._history.isVisible()
    assert window._picker.isVisible()
    assert window._prompt._edit.hasFocus()


def test_esc_closes_the_panel_and_does_not_stop_the_run(window, workspace, ask, panel, fake):
    ask("ab")
    fake.hold(4_000)
    window.set_prompt("cd")
    workspace.run()
    assert window._menus.actions["stop"].isEnabled()
    panel._search.setFocus()
    QTest.keyClick(panel._search, Qt.Key.Key_Escape)
    assert not panel.isVisible()
    assert workspace.running
    fake.release(4_000)


def test_return_shows_space_marks_and_delete_forgets(window, workspace, ask, panel, history):
    for text in ("ab", "cd", "ef"):
        ask(text)
    panel._runs.setFocus()
    panel._runs.setCurrentIndex(panel._runs.model().index(0, 0))
    QTest.keyClick(panel._runs, Qt.Key.Key_Down)
    QTest.keyClick(panel._runs, Qt.Key.Key_Return)
    assert workspace.wording.text == "cd"
    QTest.keyClick(panel._runs, Qt.Key.Key_Space)
    assert [run.starred for run in history.runs()] == [False, True, False]
    assert panel._runs.currentIndex().row() == 1
    QTest.keyClick(panel._runs, Qt.Key.Key_Space)
    assert [run.starred for run in history.runs()] == [False, False, False]
    QTest.keyClick(panel._runs, Qt.Key.Key_Delete)
    assert listed(panel) == ["ef", "ab"]
    assert panel._runs.currentIndex().row() == 1
    assert panel._undo_text.text() == "Deleted."
    QTest.keyClick(panel._runs, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert listed(panel) == ["ef", "cd", "ab"]
    assert not panel._undo_line.isVisible()


def test_several_runs_are_deleted_at_once_and_had_back(ask, panel):
    for text in ("ab", "cd", "ef"):
        ask(text)
    panel._runs.selectAll()
    QTest.keyClick(panel._runs, Qt.Key.Key_Delete)
    assert listed(panel) == []
    assert panel._undo_text.text() == "3 deleted."
    QTest.mouseClick(panel._undo, Qt.MouseButton.LeftButton)
    assert listed(panel) == ["ef", "cd", "ab"]


def test_a_click_on_the_star_marks_and_shows_nothing(workspace, ask, panel, history):
    ask("ab")
    ask("cd")
    row = panel._runs.visualRect(panel._runs.model().index(1, 0))
    viewport = panel._runs.viewport()
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=star_rect(row).center())
    assert [run.starred for run in history.runs()] == [False, True]
    assert workspace.wording.text == "cd"
    QTest.mouseClick(panel._only_starred, Qt.MouseButton.LeftButton)
    assert listed(panel) == ["ab"]


def test_a_search_finds_and_an_empty_list_says_why(ask, panel):
    ask("Once upon")
    ask("a time")
    panel._search.setText("ONCE")
    assert listed(panel) == ["Once upon"]
    panel._search.setText("never")
    assert listed(panel) == []
    assert panel._message.isVisible()
    assert panel._message.text() == NOTHING_FOUND
    panel._search.clear()
    panel._only_starred.click()
    assert panel._message.text() == NO_STAR


# -- faults ----------------------------------------------------------------------------------


def test_without_a_history_everything_else_works(light, workspace, library, state, qtbot):
    window = MainWindow(state)
    window.attach(workspace, library, keeper=HistoryKeeper(why_not="Runs are not kept: no place."))
    window.show()
    workspace.show_model("demo-s")
    window.set_prompt("ab")
    window._menus.actions["run"].trigger()
    qtbot.waitUntil(lambda: workspace.settled)
    window._menus.actions["history"].trigger()
    assert window._history._message.text() == "Runs are not kept: no place."
    assert window._text.body.text.state == "done"
    window.close()


def test_a_full_disk_is_said_once_and_the_run_goes_on(window, ask, panel, history):
    (pages,) = history._db.execute("PRAGMA page_count").fetchone()
    history._db.execute(f"PRAGMA max_page_count={pages}")
    said: list[str] = []
    window._keeper.failed.connect(said.append)
    for number in range(60):
        window._keeper.note(Run("demo-s", "demo-s", 0, f"{number} " + "x" * 500))
    ask("ab")
    assert said == ["Runs are not kept in the history: the disk is full."]
    assert window._banner.text() == said[0]
    assert window._text.body.text.state == "done"


def test_a_keeper_without_a_history_says_so(qapp):
    keeper = HistoryKeeper()
    found: list[Found] = []
    keeper.found.connect(found.append)
    keeper.watch(True)
    keeper.note(Run("k", "m", 0, "ab"))
    keeper.star(1, True)
    keeper.delete([1])
    keeper.undo()
    assert {one.remark for one in found} == {NOT_KEPT}


def test_runs_that_can_not_be_read_are_an_empty_list_with_the_reason(qapp, history):
    keeper = HistoryKeeper(history)
    found: list[Found] = []
    keeper.found.connect(found.append)
    history.close()
    keeper.watch(True)
    assert found[-1].runs == ()
    assert found[-1].remark.startswith("Runs are not kept in the history")
    with pytest.raises(HistoryError):
        history.runs()


# -- how it looks ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("size", [(1_280, 800), (1_024, 700)])
def test_nothing_is_cut_and_all_can_be_read(qapp, window, ask, panel, *, mode, size):
    theme.apply(qapp, mode)
    window.resize(*size)
    ask("ab")
    ask("a longer prompt that has to be cut somewhere")
    panel._runs.setCurrentIndex(panel._runs.model().index(0, 0))
    QTest.keyClick(panel._runs, Qt.Key.Key_Delete)
    QTest.qWait(50)
    assert misfits(panel) == []
    assert faint_texts(panel) == []


def test_markup_stays_text(window, ask, panel, monkeypatch):
    loaded = []
    monkeypatch.setattr(QTextDocument, "loadResource", lambda *a: loaded.append(a))
    ask(MARKUP)
    index = panel._runs.model().index(0, 0)
    assert index.data() == MARKUP
    assert "&lt;img" in index.data(Qt.ItemDataRole.ToolTipRole)
    QTest.qWait(30)
    assert loaded == []
    assert not panel.findChildren(QTextEdit)


ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 3, 10, 9, 30, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("2026-03-10T05:05:00.000+00:00", "07:05"),
        ("2026-03-09T22:30:00.000+00:00", "00:30"),
        ("2026-03-09T21:30:00.000+00:00", "yesterday"),
        ("2026-03-01T12:00:00.000+00:00", "1 Mar"),
        ("2025-12-31T12:00:00.000+00:00", "31 Dec 2025"),
        ("2025-12-31T23:00:00.000+00:00", "1 Jan"),
    ],
)
def test_times_are_told_as_here(when, words):
    assert when_text(when, NOW) == words


def test_a_run_in_words():
    run = Run(
        model="k",
        model_name="demo\u202es",
        step=1_000,
        text="a\nb \u202ex",
        new_tokens=40,
        endings=((" Warsaw", "target"), ("Rome", "foil"), ("Oslo", "foil")),
        view="Map",
        when="2026-03-10T05:05:00.000+00:00",
    )
    assert title_of(run) == "a↵b ‹U+202E›x"
    said = about(run)
    assert said.startswith("demo‹U+202E›s · step 1,000 · 1 target, 2 foils")
    assert said.endswith("greedy, 40 new tokens · Map")
    whole = in_full(run, NOW)
    assert "Targets: ␣Warsaw" in whole
    assert "Foils: Rome, Oslo" in whole
    assert "07:05" in whole
    assert title_of(replace(run, text="")) != ""


def test_a_run_gives_back_what_it_was_made_from():
    run = Run(
        model="k",
        model_name="demo-s",
        step=1,
        text="ab",
        token_ids=(1, 2),
        tokenizer_sha256="t",
        new_tokens=2,
        endings=(("x", "foil"),),
        pins=(("k", 1),),
        pair=(("k", 0), ("k", 1)),
    )
    assert wording_of(run).token_ids == (1, 2)
    assert settings_of(run) == Settings(new_tokens=2)
    assert endings_of(run) == (Ending("x", "foil"),)
    assert pins_of(run) == (Pin("k", 1),)
    assert pair_of(run) == (Pin("k", 0), Pin("k", 1))
    assert pair_of(replace(run, pair=None)) is None
