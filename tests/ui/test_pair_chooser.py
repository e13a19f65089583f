"""The chooser of A and B: two models and two steps, or the step that is shown."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from pythia_gui.ui.pair_chooser import PairChooser
from pythia_gui.ui.questions import Pin
from pythia_gui.ui.widgets import tool_tip
from tests.ui.conftest import STEPS
from tests.ui.looks import misfits

S, M = "demo-s", "demo-m"


@pytest.fixture
def chooser(qtbot, light, workspace):
    workspace.show_model(S)
    made = PairChooser(workspace)
    qtbot.addWidget(made)
    made.resize(640, 40)
    made.show()
    return made


@pytest.fixture
def changes(workspace):
    found: list[object] = []
    workspace.pair_changed.connect(found.append)
    return found


def pick(field, step):
    """Choose a step from the list, as a click on it does."""
    row = field.findText(f"{step:,}")
    field.setCurrentIndex(row)
    field.activated.emit(row)


def type_step(field, text):
    field.lineEdit().selectAll()
    QTest.keyClicks(field.lineEdit(), text)
    QTest.keyClick(field.lineEdit(), Qt.Key.Key_Return)


def tip(widget):
    return widget.toolTip().removeprefix("<qt>").removesuffix("</qt>")


def item_of(box, text):
    return box.model().item(box.findText(text))


def test_it_names_the_pair_that_nobody_chose_yet(chooser, workspace):
    assert chooser.pair == workspace.pair == (Pin(S, 512), Pin(S, 4_000))
    assert (chooser.a.model.currentText(), chooser.a.step.currentText()) == (S, "512")
    assert (chooser.b.model.currentText(), chooser.b.step.currentText()) == (S, "4,000")


def test_a_step_from_the_list_changes_one_side_alone(chooser, workspace, changes):
    pick(chooser.a.step, 1)
    assert changes == [(Pin(S, 1), Pin(S, 4_000))]
    pick(chooser.b.step, 2_000)
    assert workspace.pair == (Pin(S, 1), Pin(S, 2_000))


@pytest.mark.qt_log_ignore("This plugin does not support")  # of the list of steps that match
@pytest.mark.parametrize("typed", ["1000", "1,000", "step 1 000"])
def test_a_step_can_be_typed(chooser, workspace, typed):
    type_step(chooser.a.step, typed)
    assert workspace.pair == (Pin(S, 1_000), Pin(S, 4_000))
    assert chooser.a.step.currentText() == "1,000"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("700", "demo-s has no step 700; 512 is the nearest on this machine."),
        ("soon", "A step is a whole number, such as 4,000."),
    ],
)
def test_a_step_that_is_none_stays_with_its_reason_and_changes_nothing(
    chooser, changes, typed, why
):
    type_step(chooser.a.step, typed)
    assert changes == []
    assert chooser.a.step.currentText() == typed
    assert tip(chooser.a.step) == why
    pick(chooser.a.step, 2)
    assert tip(chooser.a.step) != why


def test_only_checkpoints_on_this_machine_can_be_chosen_and_the_others_say_why(
    chooser, workspace, library
):
    away = next(entry for entry in library.models() if not entry.here)
    item = item_of(chooser.a.model, away.name)
    assert not item.isEnabled()
    assert item.toolTip() == tool_tip(
        f"Nothing of {away.name} is on this machine. Add a folder of its checkpoints, or fetch "
        "them into the Hugging Face cache and press F5."
    )
    assert item_of(chooser.a.model, M).isEnabled()
    assert [chooser.a.step.itemText(n) for n in range(chooser.a.step.count())] == [
        f"{step:,}" for step in STEPS
    ]


def test_another_model_keeps_the_step_or_takes_the_nearest_that_it_has(chooser, workspace):
    pick(chooser.a.step, 512)
    row = chooser.a.model.findText(M)
    chooser.a.model.activated.emit(row)
    assert workspace.pair == (Pin(M, 1_000), Pin(S, 4_000))  # of 0, 2, 1,000 and 4,000


def test_swapping_calls_a_what_was_b(chooser, workspace):
    QTest.mouseClick(chooser._swap, Qt.MouseButton.LeftButton)
    assert workspace.pair == (Pin(S, 4_000), Pin(S, 512))
    assert chooser.pair == workspace.pair


def test_the_step_shown_becomes_a_or_b_at_a_click(chooser, workspace):
    workspace.show_step(1_000)
    QTest.mouseClick(chooser.a.shown, Qt.MouseButton.LeftButton)
    workspace.show_model(M)
    workspace.show_step(0)
    QTest.mouseClick(chooser.b.shown, Qt.MouseButton.LeftButton)
    assert workspace.pair == (Pin(S, 1_000), Pin(M, 0))
    assert tip(chooser.b.shown) == "Use the step shown, step 0 of demo-m, as B"


def test_the_step_shown_is_not_offered_where_it_is_not_on_this_machine(chooser, workspace, library):
    away = next(entry for entry in library.models() if not entry.here)
    workspace.show_model(away.key)
    assert not chooser.a.shown.isEnabled()
    assert tip(chooser.a.shown).startswith(f"Nothing of {away.name} is on this machine.")


def test_it_follows_a_pair_that_was_chosen_elsewhere(chooser, workspace, changes):
    workspace.set_pair(Pin(M, 0), Pin(M, 1_000))
    assert chooser.pair == (Pin(M, 0), Pin(M, 1_000))
    assert chooser.a.model.currentText() == M
    assert len(changes) == 1


def test_it_follows_the_model_while_nobody_has_chosen(chooser, workspace):
    workspace.show_model(M)
    assert chooser.pair == workspace.pair
    assert {pin.model for pin in chooser.pair} == {M}


def test_everything_fits_into_640_pixels(chooser, qtbot):
    qtbot.waitExposed(chooser)
    assert chooser.minimumSizeHint().width() <= 640
    assert misfits(chooser) == []


def test_without_models_there_is_no_pair_and_nothing_to_swap(qtbot, light, workspace):
    empty = PairChooser(workspace)
    qtbot.addWidget(empty)
    assert empty.pair is None
    assert not empty._swap.isEnabled()
    assert not empty.a.step.isEnabled()
    assert tip(empty.a.shown) == "Choose a model on the left first."
