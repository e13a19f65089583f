"""The window: everything by keyboard, everything with a name, nothing taken for markup."""

import shutil

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QKeySequence, QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QToolButton,
    QWidget,
)

from pythia_gui.core.library import FactLine
from pythia_gui.core.requests import Request
from pythia_gui.ui import theme
from pythia_gui.ui.menus import MENUS
from pythia_gui.ui.questions import Ending
from pythia_gui.ui.shortcuts import ShortcutList
from pythia_gui.ui.window import MainWindow, kept_look
from tests.ui.looks import fill_in

CANARY = '<img src="file:///canary.png"><b>R&D</b>'


@pytest.fixture
def filled(window, workspace):
    fill_in(window, workspace)
    return window


def test_the_window_is_filled_in_after_a_run(filled, workspace):
    assert filled._text.body.text.state == "done"
    assert filled._timeline.step == workspace.step == 4_000
    assert filled.windowTitle() == "demo-s, step 4,000 – pythia-gui"
    assert filled._header._step.text() == "step 4,000 · 2.0 M tokens seen"


def test_the_arrow_keys_move_everything(filled, workspace, qtbot):
    filled._timeline.setFocus()
    qtbot.keyClick(filled._timeline.track, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: workspace.settled)
    assert workspace.step == 2_000
    assert filled._text.body.text.step == 2_000
    assert "step 2,000" in filled.windowTitle()


def test_a_click_on_the_plot_moves_the_timeline(filled, workspace):
    filled._trajectory.step_requested.emit(512)
    assert workspace.step == 512
    assert filled._timeline.step == 512


def test_run_and_stop_have_keys(filled, workspace, qtbot):
    filled.set_prompt("another")
    assert not workspace.running
    filled._menus.actions["run"].trigger()
    assert workspace.running
    filled._menus.actions["stop"].trigger()
    assert not workspace.running


def test_the_button_follows_the_run(filled, workspace, engine, qtbot):
    engine.hold(4_000)
    filled.set_prompt("another")
    filled._prompt._button.click()
    qtbot.waitUntil(lambda: filled._prompt._button.text() == "Stop")
    filled._prompt._button.click()
    qtbot.waitUntil(lambda: filled._prompt._button.text() == "Run")
    engine.release(4_000)


def test_every_action_has_a_mnemonic_and_no_two_share_a_key(window):
    keys = [key for entries in MENUS.values() for entry in entries for key in entry.keys]
    assert len(keys) == len({QKeySequence(key).toString() for key in keys})
    for entries in MENUS.values():
        for entry in entries:
            assert not entry.name or "&" in entry.text, entry
        letters = [entry.text[entry.text.index("&") + 1].lower() for entry in entries if entry.name]
        assert len(letters) == len(set(letters)), letters
    assert window._menus.actions["quit"].shortcut().toString() == "Ctrl+Q"


def test_every_button_field_and_list_has_a_name(filled):
    for page in range(3):
        filled._tabs.setCurrentIndex(page)
        QTest.qWait(20)
        for widget in filled.findChildren(QWidget):
            if not widget.isVisible():
                continue
            if isinstance(widget, QAbstractButton) and not widget.text():
                assert widget.accessibleName(), named(widget)
                assert widget.toolTip(), named(widget)
            if isinstance(widget, QComboBox | QPlainTextEdit):
                assert widget.accessibleName(), named(widget)
            if isinstance(widget, QLineEdit) and widget.objectName() != "qt_spinbox_lineedit":
                assert widget.accessibleName(), named(widget)


def named(widget):
    return f"{type(widget).__name__} in {type(widget.parent()).__name__}"


def test_no_label_takes_its_text_for_markup(filled):
    for label in filled.findChildren(QLabel):
        assert label.textFormat() == Qt.TextFormat.PlainText or not label.text(), label.text()


def test_markup_in_every_entry_stays_text(filled, workspace, qtbot, monkeypatch):
    loaded = []
    monkeypatch.setattr(QTextDocument, "loadResource", lambda *a: loaded.append(a))
    filled.set_prompt(CANARY)
    workspace.run()
    filled._prompt.findChildren(QLineEdit)[0].setText(CANARY)
    filled.say(CANARY)
    filled._picker.say(CANARY)
    filled._picker._facts.show_model(
        type(workspace.entry)(
            "k", CANARY, "s", "folder", (0,), frozenset(), None, 1, (FactLine(CANARY, CANARY),)
        )
    )
    qtbot.waitUntil(lambda: workspace.settled, timeout=10_000)
    QTest.qWait(50)
    assert loaded == []
    assert filled._banner.text() == CANARY
    assert not filled.findChildren(QTextEdit)


def test_f6_walks_through_the_panes(filled):
    filled._prompt.focus_prompt()
    seen = []
    for _ in range(5):
        filled._menus.actions["next_pane"].trigger()
        seen.append(QApplication.focusWidget())
    assert len({id(widget) for widget in seen}) >= 4


def test_the_list_of_keys_names_every_one(filled):
    filled._menus.actions["keys"].trigger()
    page = filled.findChild(ShortcutList)
    texts = {label.text() for label in page.findChildren(QLabel)}
    assert {"Run", "Ctrl+Return", "On the timeline", "Ctrl+?"} <= texts
    page.close()


def test_text_grows_and_shrinks_by_keys(filled):
    before = filled._header._step.font().pointSizeF()
    filled._menus.actions["larger"].trigger()
    assert filled._header._step.font().pointSizeF() > before
    filled._menus.actions["normal"].trigger()
    assert filled._header._step.font().pointSizeF() == pytest.approx(before)


def test_colours_are_chosen_in_the_menu_and_kept(filled, state, qapp):
    filled._menus.themes["dark"].trigger()
    assert theme.current_theme().dark
    filled.close()
    assert kept_look(state) == ("dark", 1.0)


def test_the_look_survives_a_damaged_file(tmp_path, light):
    file = tmp_path / "window.ini"
    file.write_bytes(b"[v1]\ntheme=\x00\xff\ntext_scale=huge\ngeometry=@ByteArray(x)\nmodels=9\n")
    state = QSettings(str(file), QSettings.Format.IniFormat)
    assert kept_look(state) == ("system", 1.0)
    window = MainWindow(state)
    window.close()


def test_panels_can_be_put_away(filled):
    for name, part in (("models", filled._picker), ("trajectory", filled._lower)):
        filled._menus.actions[name].trigger()
        assert part.isHidden()
        filled._menus.actions[name].trigger()
        assert not part.isHidden()


def test_a_folder_without_checkpoints_is_refused_where_it_was_added(filled, tmp_path):
    filled._picker.folder_chosen.emit(tmp_path)
    assert filled._picker._message.text()
    assert filled._picker._message._role == "error"


def test_a_folder_of_checkpoints_becomes_a_model(filled, workspace, demo, tmp_path, qtbot):
    folder = tmp_path / "mine"
    folder.symlink_to(demo / "demo-m")
    filled._picker.folder_chosen.emit(folder)
    assert workspace.entry.name == "mine"
    qtbot.waitUntil(lambda: workspace.settled, timeout=10_000)
    assert filled._text.body.text.model == "mine"


def test_an_unknown_repository_is_refused_with_a_sentence(filled):
    filled._picker.name_entered.emit("someone/unknown")
    assert "someone/unknown" in filled._picker._message.text()


def test_choosing_an_alternative_goes_on_from_there_and_back(filled, workspace, qtbot):
    token = filled._text.body.text.tokens[1].token_id
    filled._text.choice_requested.emit(3, token)
    qtbot.waitUntil(lambda: workspace.settled, timeout=10_000)
    assert filled._prompt.text() == workspace.wording.text
    assert filled._prompt._back.isVisible()
    filled._menus.actions["back"].trigger()
    assert filled._prompt.text() == "The capital of France is"


def test_samples_are_leafed_through(filled, workspace, qtbot):
    assert not filled._sample.isVisible()
    filled._prompt._sampling._temperature.setValue(1.0)
    filled._prompt._sampling._samples.setValue(3)
    filled._menus.actions["run"].trigger()
    qtbot.waitUntil(lambda: workspace.settled, timeout=10_000)
    assert filled._sample.isVisible()
    first = filled._text.body.text.tokens
    filled._sample.setValue(2)
    qtbot.waitUntil(lambda: filled._text.body.text.tokens != first)


def test_every_icon_that_is_named_is_there(filled, repository):
    for button in filled.findChildren(QToolButton):
        if button.isVisible() and not button.text():
            assert not button.icon().isNull(), button.accessibleName()


def test_the_window_fits_a_screen_of_1024_by_700_whatever_is_set(filled, workspace):
    filled._prompt.unfold()
    row = filled._prompt._sampling
    row._temperature.setValue(1.23)
    row._samples.setValue(64)
    row._seed.setText("9" * 19)
    row._on_edited()
    filled.resize(1_024, 700)
    QTest.qWait(20)
    assert filled.width() <= 1_024
    assert filled.height() <= 700


def test_a_target_that_was_typed_and_not_entered_is_taken_by_run(filled, workspace, qtbot):
    filled._prompt._targets._field.setText(" b")
    filled._menus.actions["run"].trigger()
    assert [ending.text for ending in workspace.endings] == [" b"]
    qtbot.waitUntil(lambda: workspace.settled)


def test_the_tab_key_goes_from_the_table_button_to_the_plot(filled):
    plot = filled._trajectory.plot
    assert filled._trajectory._table_button.nextInFocusChain() is plot


def test_looking_again_finds_the_steps_that_came_since(filled, workspace, demo, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(demo / "demo-s", folder)
    shutil.move(folder / "step512", tmp_path / "step512")
    filled._add_folder(folder)
    assert 512 not in workspace.entry.here
    shutil.move(tmp_path / "step512", folder / "step512")
    filled._menus.actions["refresh"].trigger()
    assert 512 in workspace.entry.here


def test_suggested_targets_are_kept_by_a_click(filled, workspace, qtbot):
    labels = tuple(name for name, _ in filled._trajectory.labels.texts())
    assert not workspace.endings
    qtbot.mouseClick(filled._trajectory._keep, Qt.MouseButton.LeftButton)
    assert len(workspace.endings) == len(labels) > 0
    qtbot.waitUntil(lambda: workspace.settled)
    assert tuple(name for name, _ in filled._trajectory.labels.texts()) == labels
    assert not filled._trajectory._keep.isVisible()


# -- the comparing views ----------------------------------------------------------------------


def tab_names(window):
    return [window._tabs.tabText(place) for place in range(window._tabs.count())]


def shown_tab(window):
    return window._tabs.tabText(window._tabs.currentIndex())


def settled_view(window, qtbot):
    """Return the comparing view on screen, once nothing is on its way."""
    view = window._views_by_tab[window._tabs.currentIndex()]
    qtbot.waitUntil(lambda: not view._due.isActive() and not view.runner.running, timeout=20_000)
    return view


def test_every_view_has_a_line_in_the_menu_and_a_key(filled):
    names = []
    for entry in MENUS["&View"]:
        if entry.name.startswith("view_"):
            filled._menus.actions[entry.name].trigger()
            assert shown_tab(filled) == entry.text.replace("&", "")
            assert entry.keys
            names.append(shown_tab(filled))
    assert sorted(names) == sorted(tab_names(filled))


def test_ctrl_tab_and_ctrl_page_down_go_through_the_views(filled, qtbot):
    names, field = tab_names(filled), filled._prompt._edit
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    field.setFocus()
    seen = []
    for key in (Qt.Key.Key_Tab, Qt.Key.Key_PageDown):
        qtbot.keyClick(field, key, control)
        seen.append(shown_tab(filled))
    for key, held in ((Qt.Key.Key_PageUp, control), (Qt.Key.Key_Backtab, control | shift)):
        qtbot.keyClick(field, key, held)
        seen.append(shown_tab(filled))
    assert seen == [names[1], names[2], names[1], names[0]]
    filled._menus.actions["previous_view"].trigger()
    assert shown_tab(filled) == names[-1]
    filled._menus.actions["next_view"].trigger()
    assert shown_tab(filled) == names[0]


def test_a_view_is_made_when_it_is_first_looked_at(window):
    assert set(window._views_by_tab.values()) == {None}
    window._menus.actions["view_map"].trigger()
    made = [place for place, view in window._views_by_tab.items() if view is not None]
    assert [tab_names(window)[place] for place in made] == ["Map"]


def test_a_comparing_view_has_the_room_of_the_trajectory(filled):
    filled._menus.actions["view_map"].trigger()
    assert filled._lower.isHidden()
    assert filled._pin.isHidden()
    filled._menus.actions["view_text"].trigger()
    assert not filled._lower.isHidden()
    filled._menus.actions["trajectory"].trigger()
    filled._menus.actions["view_map"].trigger()
    filled._menus.actions["view_text"].trigger()
    assert filled._lower.isHidden()
    filled._menus.actions["trajectory"].trigger()


def test_an_empty_window_says_in_every_view_what_to_do(window, qtbot):
    for place in window._views_by_tab:
        window._tabs.setCurrentIndex(place)
        view = settled_view(window, qtbot)
        qtbot.waitUntil(lambda view=view: view._pages.count() > 2)
        said = [
            label.text()
            for label in view.findChildren(QLabel)
            if label.isVisible() and label.text().rstrip().endswith(".")
        ]
        assert said, shown_tab(window)


def test_f6_skips_what_is_not_shown_and_never_stops(filled, qtbot):
    filled._menus.actions["view_map"].trigger()
    settled_view(filled, qtbot)
    panes = (filled._picker, filled._prompt, filled._pages, filled._timeline)
    seen = []
    for _ in range(8):
        filled._menus.actions["next_pane"].trigger()
        focused = QApplication.focusWidget()
        seen.append(next(n for n, pane in enumerate(panes) if pane.isAncestorOf(focused)))
    assert seen[:4] != seen[1:5]
    assert set(seen) == {0, 1, 2, 3}
    assert seen[:4] == seen[4:]


def test_the_tab_key_goes_from_the_tabs_into_the_view_and_on_to_the_timeline(filled, qtbot):
    filled._menus.actions["view_map"].trigger()
    view = settled_view(filled, qtbot)
    widget, inside, after = filled._tabs, 0, None
    for _ in range(200):
        widget = widget.nextInFocusChain()
        takes = widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if takes and view.isAncestorOf(widget):
            inside += 1
        elif takes and not isinstance(widget.parent(), type(filled._tabs)):
            after = widget
            break
    assert inside >= 2
    assert filled._timeline.isAncestorOf(after)


def test_esc_stops_what_a_view_measures(filled, workspace, engine, qtbot):
    filled._menus.actions["view_similarity"].trigger()
    view = settled_view(filled, qtbot)
    engine.hold(2)
    steps = tuple(workspace.library.checkpoint("demo-s", step) for step in (0, 2, 512))
    view.runner.start([Request(view.runner.slot, steps, (workspace.asking(),), background=True)])
    qtbot.waitUntil(filled._menus.actions["stop"].isEnabled)
    assert filled._prompt._button.text() == "Run"  # a new question need not wait for it
    assert filled._header._bar.isVisible()
    filled._menus.actions["stop"].trigger()
    assert not view.runner.running
    qtbot.waitUntil(lambda: not filled._menus.actions["stop"].isEnabled())
    engine.release(2)


def test_a_prompt_chosen_in_a_view_is_asked_everywhere(filled, workspace, qtbot):
    filled._menus.actions["view_prompts"].trigger()
    view = settled_view(filled, qtbot)
    view.open_prompt("another", (Ending("x"), Ending("y", "foil")))
    qtbot.waitUntil(lambda: workspace.settled)
    assert filled._prompt.text() == "another"
    assert workspace.endings == (Ending("x"), Ending("y", "foil"))
    assert filled._text.body.text.state == "done"
