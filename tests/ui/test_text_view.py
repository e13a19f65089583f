"""The text with its legend, its state and where it comes from."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pythia_gui.ui.text_view import TextView
from pythia_gui.ui.token_measures import MEASURES
from pythia_gui.ui.values import ShownText
from tests.ui.samples import MARKUP, dress, text, token

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def view(qtbot, qapp):
    dress(qapp)
    made = TextView()
    qtbot.addWidget(made)
    made.resize(900, 500)
    made.show()
    return made


def test_the_provenance_stands_under_the_text(view):
    view.show_text(text(["a", " b"], model=MARKUP))
    named = f"{MARKUP} · step 512 · weights 0123456789 · float32 on cpu"
    assert view._provenance.whole_text() == named


@pytest.mark.parametrize("key", [key for key, _ in MEASURES])
def test_a_measure_is_chosen_for_text_and_legend(view, key):
    heard: list[object] = []
    view.measure_changed.connect(heard.append)
    QTest.mouseClick(view._colours.button(key), LEFT)
    assert heard == [key]
    assert view.body._measure == key
    assert view._legend._measure == key


def test_set_measure_announces_nothing(view):
    heard: list[object] = []
    view.measure_changed.connect(heard.append)
    view.set_measure("rank")
    assert heard == []
    assert view._colours.key == "rank"


@pytest.mark.parametrize("state", ["waiting", "error"])
def test_a_state_is_said_above_a_text_that_is_there(view, state):
    view.show_text(text(["a", " b"], state=state, message="why"))
    assert view._notice.isVisible()
    assert view._notice.text() == "why"
    view.show_text(text(["a", " b"]))
    assert not view._notice.isVisible()


def test_tokens_are_appended_to_the_text(view):
    view.show_text(text(["a"], state="streaming"))
    view.append_token(token(1, " b", written=True))
    assert view.body.plain_text() == "a b"
    assert view.body.text.state == "streaming"


def test_the_text_is_copied_as_plain_text(view):
    view.show_text(text(["a", f" {MARKUP}"]))
    QTest.mouseClick(view._copy, LEFT)
    assert QGuiApplication.clipboard().text() == (
        f"a {MARKUP}\n\n[demo-s · step 512 · weights 0123456789 · float32 on cpu]"
    )
    assert QGuiApplication.clipboard().mimeData().formats() == ["text/plain"]


def test_there_is_nothing_to_copy_without_a_text(view):
    view.show_text(ShownText("m", 1, state="waiting"))
    assert not view._copy.isEnabled()


def test_choices_are_passed_on(view):
    heard: list[object] = []
    view.choice_requested.connect(lambda *choice: heard.append(choice))
    view.show_text(text(["a", " b"]))
    QTest.keyClick(view.body, Qt.Key.Key_End)
    QTest.keyClick(view.body, Qt.Key.Key_Down)
    QTest.keyClick(view.body, Qt.Key.Key_Return)
    assert heard == [(1, 1)]


@pytest.mark.parametrize("measure", [key for key, _ in MEASURES])
def test_the_legend_is_not_clipped(view, measure):
    view.set_measure(measure)
    QApplication.processEvents()
    legend = view._legend
    assert legend.width() >= legend.sizeHint().width()
    assert legend._laid_out(None) <= legend.width()
    assert legend.accessibleName().startswith("Colours, from")
