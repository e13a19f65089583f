"""The outline of branches: what it shows, and what keys and clicks do to it."""

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QModelIndex, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from pythia_gui.core.branches import Branch
from pythia_gui.ui.branch_tree import GOES_ON, NOTE, ON_SCREEN, BranchTree
from pythia_gui.ui.branching import Branching
from pythia_gui.ui.values import ShownText
from tests.ui.samples import MARKUP, OVERRIDE, text

SHA = "ab" * 32
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def branching(qapp):
    made = Branching()
    made.follow("a  b", (1, 2), SHA)
    made.follow("a  b x", (1, 2, 9), SHA, " x")
    made.follow("a  b x y", (1, 2, 9, 8), SHA, " y")
    return made


@pytest.fixture
def outline(qtbot, light, branching):
    made = BranchTree(branching)
    qtbot.addWidget(made)
    made.resize(280, 400)
    made.show()
    made.activateWindow()
    made.view.setFocus()
    qtbot.waitUntil(made.view.hasFocus)
    return made


def rows(outline, parent=None):
    """Each row's label and those under it."""
    model = outline.view.model()
    parent = QModelIndex() if parent is None else parent
    found = [model.index(row, 0, parent) for row in range(model.rowCount(parent))]
    return [(index.data(), rows(outline, index)) for index in found]


def index_of(outline, number):
    model = outline.view.model()
    return model.match(
        model.index(0, 0), int(Qt.ItemDataRole.UserRole), number, 1,
        Qt.MatchFlag.MatchExactly | Qt.MatchFlag.MatchRecursive,
    )[0]  # fmt: skip


def type_name(outline, name):
    QTest.keyClick(outline.view, Qt.Key.Key_F2)
    field = outline.view.viewport().findChild(QLineEdit)
    field.setText(name)
    QTest.keyClick(field, Qt.Key.Key_Return)
    for _ in range(3):  # the editor gives its text away, then closes
        QApplication.processEvents()


def test_branches_stand_under_the_one_they_grew_from_with_the_token_taken(outline):
    assert rows(outline) == [("a b", [("␣x", [("␣y", [])])])]


def test_the_branch_on_screen_is_selected_and_marked(outline, branching):
    assert outline.selected().number == 3
    branching.follow("a  b", (1, 2), SHA)
    assert outline.selected().number == 1
    assert [index_of(outline, n).data(ON_SCREEN) for n in (1, 2, 3)] == [True, False, False]


def test_what_the_model_goes_on_with_stands_beside_it(outline, branching):
    branching.follow_text(text(["a", " b", " then", "\n", " it"]))
    assert index_of(outline, 3).data(GOES_ON) == "then↵ it"
    branching.follow_text(ShownText("demo-s", 5, state="waiting"))
    assert index_of(outline, 3).data(GOES_ON) == "then↵ it"


def test_a_click_or_return_goes_back_to_a_branch(outline):
    chosen: list[Branch] = []
    outline.branch_chosen.connect(chosen.append)
    place = outline.view.visualRect(index_of(outline, 2)).center()
    QTest.mouseClick(outline.view.viewport(), LEFT, pos=place)
    QTest.keyClick(outline.view, Qt.Key.Key_Up)
    QTest.keyClick(outline.view, Qt.Key.Key_Return)
    assert [branch.number for branch in chosen] == [2, 1]


def test_f2_names_a_branch_and_undo_takes_the_name_back(outline, branching):
    type_name(outline, "the other")
    assert branching.tree.get(3).name == "the other"
    assert rows(outline) == [("a b", [("␣x", [("the other", [])])])]
    QTest.mouseClick(outline._undo, LEFT)
    assert branching.tree.get(3).name == ""
    QTest.mouseClick(outline._redo, LEFT)
    assert branching.tree.get(3).name == "the other"


def test_a_note_is_kept_with_its_branch_and_shown_under_it(outline, branching):
    outline.annotate()
    QTest.keyClicks(outline._note, "why so late?")
    QTest.keyClick(outline._note, Qt.Key.Key_Return)
    assert branching.tree.get(3).note == "why so late?"
    assert index_of(outline, 3).data(NOTE) == "why so late?"
    outline.view.setCurrentIndex(index_of(outline, 2))
    assert outline._note.text() == ""


def test_delete_removes_a_branch_and_its_own_and_undo_brings_them_back(outline, branching):
    outline.view.setCurrentIndex(index_of(outline, 2))
    QTest.keyClick(outline.view, Qt.Key.Key_Delete)
    assert rows(outline) == [("a b", [])]
    assert outline.selected().number == 1
    QTest.keyClick(outline.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert rows(outline) == [("a b", [("␣x", [("␣y", [])])])]


def test_a_folded_branch_stays_folded_when_another_grows(outline, branching):
    outline.view.collapse(index_of(outline, 2))
    branching.follow("c", (5,), SHA)
    assert not outline.view.isExpanded(index_of(outline, 2))
    assert outline.view.isExpanded(index_of(outline, 1))


def test_without_branches_it_says_how_one_grows(qtbot, light):
    made = BranchTree(Branching())
    qtbot.addWidget(made)
    made.show()
    assert made._hint.isVisible()
    assert not made._note.isEnabled()
    assert not made._undo.isEnabled()


def test_names_and_tokens_are_data(outline, branching):
    branching.follow("a  b" + MARKUP, (1, 2, 77), SHA)
    label = rows(outline)[-1][0]
    assert label == f"a b{MARKUP}"
    branching.follow("a  b x y z", (1, 2, 77, 4), SHA, OVERRIDE)
    shown = index_of(outline, branching.current.number)
    assert shown.data() == "‹U+202E›evil‹U+202C›"
    type_name(outline, MARKUP)
    assert "<b>" not in index_of(outline, branching.current.number).data(
        Qt.ItemDataRole.ToolTipRole
    )


def test_it_goes_before_its_branching_without_a_word(qtbot, light, branching):
    made = BranchTree(branching)
    made.show()
    made.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    branching.rename(1, "still here")
    assert branching.undo_stack.canUndo()
