"""The picker: suites and models, found by current and old names, with what to beware of."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices, QFontMetrics
from PySide6.QtWidgets import QLabel

from pythia_gui.core.library import FactLine, ModelEntry
from pythia_gui.ui import theme
from pythia_gui.ui.facts import FactsPanel, may_open
from pythia_gui.ui.picker import Picker, badge_text
from pythia_gui.ui.widgets import LinkLabel

ENTRY = ModelEntry(
    key="demo-s",
    name="demo-s",
    suite="Demo suite",
    source="demo",
    steps=(0, 1, 512),
    here=frozenset((0, 1, 512)),
    batch_tokens=512,
    context=96,
)
REMOTE = replace(
    ENTRY,
    key="pythia-70m",
    name="pythia-70m",
    suite="Pythia",
    source="hub",
    here=frozenset(),
    old_names=("pythia-19m",),
    repo="EleutherAI/pythia-70m",
)
SOME = replace(
    REMOTE,
    key="pythia-2.8b",
    name="pythia-2.8b",
    here=frozenset((512,)),
    old_names=(),
    repo="EleutherAI/pythia-2.8b",
    known_bad={0: "serves the final model", 1: "serves the final model"},
)


@pytest.fixture
def picker(qtbot, light):
    made = Picker()
    qtbot.addWidget(made)
    made.resize(264, 700)
    made.show()
    made.show_models((ENTRY, REMOTE, SOME))
    return made


def rows(picker):
    """Return the names that are listed, by suite."""
    model = picker._proxy
    found = {}
    for row in range(model.rowCount()):
        suite = model.index(row, 0)
        names = [model.index(child, 0, suite).data() for child in range(model.rowCount(suite))]
        found[suite.data()] = names
    return found


def test_models_stand_under_their_suites_in_the_librarys_order(picker):
    assert rows(picker) == {"Demo suite": ["demo-s"], "Pythia": ["pythia-70m", "pythia-2.8b"]}


def test_a_model_says_how_much_of_it_is_here(picker):
    spoken = [
        picker._items[key].data(Qt.ItemDataRole.AccessibleTextRole)
        for key in ("demo-s", "pythia-70m", "pythia-2.8b")
    ]
    assert spoken == [
        "demo-s, 3 steps",
        "pythia-70m, no checkpoint on this machine",
        "pythia-2.8b, 1 here, has known defects",
    ]


def test_a_badge_says_its_reason():
    assert badge_text(SOME) == (
        "2 checkpoints are known to be bad and left out of sweeps.\nserves the final model"
    )
    assert badge_text(ENTRY) == ""


@pytest.mark.parametrize("text", ["70m", "pythia-70m", "19m", "PYTHIA-19M", "EleutherAI/pythia-70"])
def test_a_model_is_found_by_its_names(picker, qtbot, text):
    qtbot.keyClicks(picker._search, text)
    assert rows(picker) == {"Pythia": ["pythia-70m"]}


def test_an_old_name_is_answered_with_the_current_one(picker, qtbot):
    qtbot.keyClicks(picker._search, "19m")
    assert picker._message.text() == "pythia-19m is called pythia-70m since January 2023."


def test_a_name_that_no_model_has_is_said(picker, qtbot):
    qtbot.keyClicks(picker._search, "llama")
    assert "No model has this name" in picker._message.text()


def test_return_chooses_the_first_that_was_found(picker, qtbot):
    qtbot.keyClicks(picker._search, "2.8")
    with qtbot.waitSignal(picker.model_chosen) as chosen:
        qtbot.keyClick(picker._search, Qt.Key.Key_Return)
    assert chosen.args == ["pythia-2.8b"]


def test_the_arrow_keys_choose_a_model(picker, qtbot):
    picker.select("pythia-70m")
    with qtbot.waitSignal(picker.model_chosen) as chosen:
        qtbot.keyClick(picker._tree, Qt.Key.Key_Down)
    assert chosen.args == ["pythia-2.8b"]


def test_selecting_from_outside_announces_nothing(picker, qtbot):
    with qtbot.assertNotEmitted(picker.model_chosen):
        picker.select("pythia-2.8b")
        picker.show_models((ENTRY, REMOTE, SOME))
    assert picker.current_key() == "pythia-2.8b"


def test_a_repository_is_typed_by_name(picker, qtbot):
    picker.ask_for_name()
    assert "own cache" in picker._message.text()
    qtbot.keyClicks(picker._hub._field, "someone/model")
    with qtbot.waitSignal(picker.name_entered) as entered:
        qtbot.keyClick(picker._hub._field, Qt.Key.Key_Return)
    assert entered.args == ["someone/model"]


def test_a_chosen_folder_is_announced(picker, qtbot):
    picker.ask_for_folder()
    with qtbot.waitSignal(picker.folder_chosen) as chosen:
        picker._dialog.fileSelected.emit("/somewhere/demo")
    assert chosen.args == [Path("/somewhere/demo")]
    picker._dialog.close()


def test_every_name_of_the_catalogue_fits_the_list(picker, library):
    metrics = QFontMetrics(theme.ui_font())
    tree = picker._tree
    picker.show_models(library.models())
    room = 264 - 2 * tree.indentation() - 4 - 16 - 10
    for entry in library.models():
        badge = 24 if entry.known_bad else 0
        assert metrics.horizontalAdvance(entry.name) <= room - badge - 8, entry.name


# ---------------------------------------------------------------------- facts


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ("https://arxiv.org/abs/2304.01373", True),
        ("https://huggingface.co/EleutherAI/pythia-70m", True),
        ("http://arxiv.org/abs/2304.01373", False),
        ("https://arxiv.org.evil.example/abs", False),
        ("https://user@arxiv.org/abs", False),
        ("file:///etc/passwd", False),
        ("javascript:alert(1)", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_links_that_the_program_knows_can_be_opened(source, allowed):
    assert may_open(source) == allowed


def test_facts_are_plain_text_with_links_beside_them(qtbot, light, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    panel = FactsPanel()
    qtbot.addWidget(panel)
    facts = (
        FactLine("Paper", "<b>R&D</b>", "https://arxiv.org/abs/2304.01373"),
        FactLine("Data", "the Pile", "https://evil.example/"),
    )
    panel.show_model(replace(ENTRY, facts=facts))
    assert "<b>R&D</b>" in [label.text() for label in panel.findChildren(QLabel)]
    links = panel.findChildren(LinkLabel)
    assert [link.accessibleName() for link in links] == ["Source of Paper"]
    links[0].click()
    assert opened == ["https://arxiv.org/abs/2304.01373"]


def test_a_message_of_one_endless_word_does_not_widen_the_picker(picker):
    before = picker.minimumSizeHint().width()
    picker.say(f"there is no model called {'a' * 60}; pick another", error=True)
    assert picker.minimumSizeHint().width() == before


def test_the_field_for_a_hub_name_can_be_put_away(picker):
    picker.ask_for_name()
    assert picker._hub.isVisible()
    picker._hub._close.click()
    assert not picker._hub.isVisible()
    assert not picker._message.isVisible()
