"""Five hundred random actions on the real engine: what a pane names is what it shows."""

import random
import threading
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pythia_gui.core.events import Result
from pythia_gui.core.fallback import Float32Fallback
from pythia_gui.core.history import Run
from pythia_gui.core.requests import Sampling
from pythia_gui.engine.process import ProcessEngine
from pythia_gui.ui.columns import Columns
from pythia_gui.ui.questions import Ending, Question, Settings, Wording, encoded, text_request
from pythia_gui.ui.values import ShownText
from pythia_gui.ui.window import MainWindow
from pythia_gui.ui.workspace import Trajectories, Workspace
from tests.fakes import FakeEngine

ACTIONS = 500
PROMPTS = ("ab", "The cat", "", "zz top", "R&D <b>x</b>", "na\u0308 \u202e!")
SETTINGS = (
    Settings(new_tokens=4),
    Settings(new_tokens=9, sampling=Sampling(temperature=1.0, seed=3)),
    Settings(new_tokens=0),
)
ENDINGS = ((), (Ending("x"),), (Ending("q"),), (Ending(" y"), Ending("z", "foil")))


class Watch:
    """Every text that a pane was given, with the question that was on screen."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.settled = 0
        self.shown: dict[tuple[object, ...], tuple[Question, ShownText]] = {}
        self.curves: list[tuple[Question, Trajectories]] = []
        workspace.text_changed.connect(self._on_text)
        workspace.columns_changed.connect(self._on_columns)
        workspace.curves_changed.connect(self._on_curves)

    def question(self, model: str = "") -> Question:
        entry = self._workspace.entry
        key = model or (entry.key if entry else "")
        return Question(key, self._workspace.wording, self._workspace.settings)

    def _on_text(self, text: ShownText) -> None:
        self._note(text)

    def _on_columns(self, columns: tuple[ShownText, ...]) -> None:
        for text in columns:
            self._note(text)

    def _on_curves(self, curves: Trajectories) -> None:
        if curves.curves:
            self.curves.append((self.question(), curves))

    def _note(self, text: ShownText) -> None:
        if text.state == "done" and text.tokens:
            question = self.question(text.model)
            self.shown[question, text.step, id(text)] = (question, text)


@pytest.fixture
def engine():
    made = Float32Fallback(ProcessEngine())
    yield made
    made.close()


@pytest.fixture
def columns(window):
    return window.findChild(Columns)


class Person:
    """Somebody with no patience at all."""

    def __init__(self, window: MainWindow, workspace: Workspace, seed: int) -> None:
        self._window, self._workspace = window, workspace
        self._dice = random.Random(seed)
        self._does: tuple[Callable[[], object], ...] = (
            *(self._run, self._run, self._run, self._drag, self._drag, self._drag, self._type),
            *(self._stop, self._pin, self._unpin, self._model, self._settings, self._endings),
            *(self._tab, self._tab, self._view, self._measure, self._choose, self._back),
            self._restore,
        )
        self._runs: list[Run] = []
        workspace.asked.connect(self._runs.append)

    def act(self) -> str:
        action = self._dice.choice(self._does)
        action()
        QTest.qWait(self._dice.choice((0, 0, 2, 10, 40, 120)))
        return action.__name__

    def _run(self) -> None:
        self._workspace.run()

    def _stop(self) -> None:
        self._workspace.stop()

    def _drag(self) -> None:
        for _ in range(self._dice.randint(1, 5)):
            self._workspace.show_step(self._dice.randint(0, 4_500))

    def _type(self) -> None:
        self._window.set_prompt(self._dice.choice(PROMPTS))

    def _pin(self) -> None:
        self._workspace.pin()

    def _unpin(self) -> None:
        self._workspace.unpin(self._dice.randint(0, 3))

    def _model(self) -> None:
        self._workspace.show_model(self._dice.choice(("demo-s", "demo-m", "pythia-70m")))

    def _settings(self) -> None:
        self._workspace.set_settings(self._dice.choice(SETTINGS))

    def _endings(self) -> None:
        self._window.set_endings(self._dice.choice(ENDINGS))

    def _tab(self) -> None:
        self._window._tabs.setCurrentIndex(self._dice.randint(0, 1))

    def _view(self) -> None:
        self._window._tabs.setCurrentIndex(self._dice.randrange(self._window._tabs.count()))

    def _measure(self) -> None:
        view = self._window._views_by_tab.get(self._window._tabs.currentIndex())
        if view is not None:
            view.measure()

    def _restore(self) -> None:
        if self._runs:
            self._window._restore_run(self._dice.choice(self._runs))

    def _choose(self) -> None:
        shown = self._window._text.body.text
        if shown.state == "done" and len(shown.tokens) > 2:
            self._workspace.continue_from(2, shown.tokens[1].token_id)

    def _back(self) -> None:
        self._workspace.go_back()


def check_panes(window: MainWindow, workspace: Workspace, watch: Watch, columns: Columns) -> None:
    """Assert what must hold between any two events."""
    entry = workspace.entry
    if entry is None:
        return
    text = window._text.body.text
    assert window._timeline.step == workspace.step
    if text.tokens and text.state == "done":
        assert text.model == entry.name
        assert is_of(text, workspace.wording)
        written = sum(token.written for token in text.tokens)
        assert written <= workspace.settings.new_tokens
    if workspace.settled:
        watch.settled += 1
        assert text.step == workspace.step
        pinned = [pin.step for pin in workspace.pins]
        seen = window._tabs.currentIndex() == 1  # out of sight, the columns are left alone
        assert not seen or [column.body.text.step for column in columns._columns] == pinned
    for curve in window._trajectory._curves:
        assert curve.model == entry.name
    for column in columns._columns if window._tabs.currentIndex() == 1 else ():
        shown = column.body.text
        if shown.tokens and shown.state == "done":
            assert is_of(shown, workspace.wording)


def is_of(text: ShownText, wording: Wording) -> bool:
    """Return whether a text begins with the prompt on screen."""
    prompt = [token for token in text.tokens if not token.written]
    if wording.token_ids is not None:
        return tuple(token.token_id for token in prompt) == wording.token_ids
    return "".join(token.text for token in prompt) == (wording.text or "<|endoftext|>")


def test_five_hundred_random_actions_never_show_an_answer_under_another_name(
    qtbot, window, workspace, library, columns
):
    watch = Watch(workspace)
    workspace.show_model("demo-s")
    workspace.run()
    qtbot.waitUntil(lambda: workspace.settled, timeout=60_000)  # the engine is up
    person = Person(window, workspace, seed=20_261_123)
    for number in range(ACTIONS):
        done = person.act()
        try:
            check_panes(window, workspace, watch, columns)
        except AssertionError as problem:
            raise AssertionError(f"after action {number}, {done}") from problem
    workspace.show_model("demo-s")
    workspace.run()
    qtbot.waitUntil(lambda: workspace.settled, timeout=60_000)
    assert watch.settled > 50
    assert len(watch.shown) > 50
    assert len(watch.curves) > 20
    compare_with_fresh_answers(watch, library)
    compare_curves(watch, library)


def fresh(request: object) -> list[Result]:
    """Return the results of an engine of its own."""
    from pythia_gui.engine.local import LocalEngine

    engine = LocalEngine()
    events = list(engine.run(request, threading.Event()))  # type: ignore[arg-type]
    engine.close()
    return [event for event in events if isinstance(event, Result)]


def compare_with_fresh_answers(watch: Watch, library: object) -> None:
    """Ask an engine of our own every question that a pane had answered, and compare."""
    asked: dict[tuple[Question, int], Result] = {}
    for question, text in watch.shown.values():
        if (question, text.step) not in asked:
            prompt = encoded(library, question)  # type: ignore[arg-type]
            at = library.checkpoint(question.model, text.step)  # type: ignore[attr-defined]
            request = text_request("check", [at], prompt, question.settings)
            asked[question, text.step] = fresh(request)[0]
        if "stopped" not in text.provenance:
            assert_same(text, asked[question, text.step])


def assert_same(text: ShownText, result: Result) -> None:
    score = result.score
    assert score is not None
    ids = [int(token_id) for token_id in score.token_ids]
    numbers = [None, *map(float, score.logprobs[1:])]
    for continuation in result.continuations[:1]:
        ids += [int(token_id) for token_id in continuation.token_ids]
        numbers += list(map(float, continuation.logprobs))
    assert [token.token_id for token in text.tokens] == ids
    shown = [token.logprob for token in text.tokens]
    assert shown[0] is None
    np.testing.assert_allclose(np.array(shown[1:], float), np.array(numbers[1:], float), atol=1e-4)


def compare_curves(watch: Watch, library: object) -> None:
    """Check the plots point by point, those of typed targets; each question's fullest."""
    typed = {
        (q.reading(), tuple(curve.label for curve in c.curves)): (q, c)
        for q, c in sorted(watch.curves, key=lambda seen: len(seen[1].curves[0].points))
        if not c.curves[0].suggested
    }
    assert len(typed) > 5
    for question, shown in typed.values():
        endings = [Ending(curve.label, curve.role) for curve in shown.curves]
        prompt = encoded(library, question.reading(), endings)  # type: ignore[arg-type]
        steps = [point.step for point in shown.curves[0].points]
        at = [library.checkpoint(question.model, step) for step in steps]  # type: ignore[attr-defined]
        results = fresh(text_request("check", at, prompt, question.reading().settings))
        for place, curve in enumerate(shown.curves):
            expected = [result.targets[place].logprob for result in results]
            drawn = [point.logprob for point in curve.points]
            np.testing.assert_allclose(np.array(drawn, float), np.array(expected, float), atol=1e-4)


def test_nothing_is_left_to_wait_for_after_everything_was_stopped(qtbot, window, workspace):
    workspace.show_model("demo-s")
    workspace.write_prompt("ab")
    workspace.run()
    workspace.stop()
    qtbot.waitUntil(lambda: workspace.settled, timeout=10_000)
    QApplication.processEvents()
    assert not workspace.running


def test_the_fake_and_the_real_engine_are_closed_alike(engine):
    fake = FakeEngine()
    for one in (engine, fake):
        one.close()
        one.close()
