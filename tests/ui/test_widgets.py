"""The small widgets: text is text, and every button has a name."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from pythia_gui.ui.widgets import (
    Banner,
    ElidedLabel,
    FlowLayout,
    FoldButton,
    IconButton,
    LinkLabel,
    plain_label,
    tool_tip,
    without_mnemonic,
)

NASTY = '<img src="file:///nowhere.png"><b>R&D</b> &amp; <|endoftext|>'


def test_a_label_shows_markup_as_it_is(qtbot):
    label = plain_label(NASTY)
    qtbot.addWidget(label)
    assert label.text() == NASTY
    assert label.textFormat() == Qt.TextFormat.PlainText


def test_a_label_spells_characters_that_hide(qtbot):
    label = plain_label("a\u202eb\u0000")
    qtbot.addWidget(label)
    assert label.text() == "a‹U+202E›b‹U+0000›"


def test_a_tool_tip_shows_markup_as_it_is():
    tip = tool_tip("<b>R&D</b>\nsecond line")
    assert tip == "<qt>&lt;b&gt;R&amp;D&lt;/b&gt;<br>second line</qt>"
    assert tool_tip("") == ""


def test_an_ampersand_is_no_mnemonic():
    assert without_mnemonic("R&D") == "R&&D"


def test_a_long_name_is_cut_in_the_middle_and_whole_in_its_tool_tip(qtbot):
    label = ElidedLabel("a-very-long-name-of-a-folder-of-checkpoints")
    qtbot.addWidget(label)
    label.resize(100, 20)
    label.show()
    assert "…" in label.text()
    assert label.whole_text() in label.toolTip()
    label.resize(1_000, 20)
    assert label.text() == label.whole_text()


def test_an_icon_button_has_a_name_and_a_tool_tip(qtbot, light):
    button = IconButton("pin", "Pin", "Pin this step (Ctrl+D)")
    qtbot.addWidget(button)
    assert button.accessibleName() == "Pin"
    assert "Ctrl+D" in button.toolTip()
    assert not button.icon().isNull()


def test_a_fold_button_works_by_keyboard(qtbot, light):
    button = FoldButton("Sampling")
    qtbot.addWidget(button)
    button.show()
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert button.isChecked()


def test_a_link_is_a_button_with_plain_text(qtbot, light):
    link = LinkLabel("R&D", "Open it")
    qtbot.addWidget(link)
    assert link.text() == "R&&D"
    assert link.accessibleName() == "R&D"


def test_a_banner_stays_until_it_is_dismissed(qtbot, light):
    page = QWidget()
    qtbot.addWidget(page)
    banner = Banner()
    banner.setParent(page)
    page.show()
    banner.say(NASTY, "error", "Try again")
    assert banner.text() == NASTY
    with qtbot.waitSignal(banner.action_requested):
        banner.findChildren(QPushButton)[0].click()
    with qtbot.waitSignal(banner.dismissed):
        banner.findChildren(IconButton)[0].click()
    assert banner.text() == ""


@pytest.mark.parametrize(("width", "lines"), [(1_000, 1), (150, 2), (60, 4)])
def test_a_flow_breaks_where_a_line_is_full(qtbot, width, lines):
    page = QWidget()
    qtbot.addWidget(page)
    flow = FlowLayout(gap=10)
    page.setLayout(flow)
    for _ in range(4):
        part = QLabel()
        part.setFixedSize(60, 20)
        flow.addWidget(part)
    assert flow.heightForWidth(width) == lines * 20 + (lines - 1) * 5


def test_a_fold_is_cut_where_there_is_no_room_and_named_whole(qtbot, light):
    fold = FoldButton("Sampling: custom, temperature 1.2, 2000 new tokens, seed 7, 64 samples")
    qtbot.addWidget(fold)
    assert fold.minimumSizeHint().width() < 200 < fold.sizeHint().width()
    fold.resize(200, 30)
    fold.show()
    assert fold.text().endswith("…")
    assert "64 samples" in fold.accessibleName()
    fold.resize(fold.sizeHint())
    assert fold.text().endswith("64 samples")
