"""The prompt: what is typed and pasted is what is asked."""

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QTextOption
from PySide6.QtWidgets import QApplication, QCheckBox, QPushButton

from pythia_gui.core.requests import Sampling
from pythia_gui.ui.endings import EndingsField
from pythia_gui.ui.prompt_panel import PASTE_LIMIT_BYTES, PromptPanel, fit_to_paste
from pythia_gui.ui.questions import Ending, Reading, Settings
from pythia_gui.ui.sampling_row import PRESETS, WHY_GREEDY, SamplingRow, preset_name, summary


@pytest.fixture
def panel(qtbot, light):
    made = PromptPanel()
    qtbot.addWidget(made)
    made.resize(1_000, 160)
    made.show()
    return made


def paste(panel, text):
    data = QMimeData()
    data.setText(text)
    panel._edit.insertFromMimeData(data)


def test_what_is_typed_is_announced(panel, qtbot):
    with qtbot.waitSignal(panel.text_edited) as edited:
        qtbot.keyClicks(panel._edit, "a")
    assert edited.args == ["a"]


def test_a_text_that_is_set_is_not_announced_and_can_be_undone(panel, qtbot):
    qtbot.keyClicks(panel._edit, "mine")
    with qtbot.assertNotEmitted(panel.text_edited):
        panel.set_text("theirs")
    assert panel.text() == "theirs"
    panel._edit.undo()
    assert panel.text() == "mine"


@pytest.mark.parametrize(
    "text", ["a\u00a0b", "tab\there", "\u2028", "nul \x00", "e\u0301", "\u202eabc", "emoji 🤗 x"]
)
def test_every_character_comes_back_as_it_was_set(panel, text):
    panel.set_text(text)
    assert panel.text() == text


def test_characters_that_do_not_show_are_named_beside_the_field(panel):
    panel.set_text("a\u202eb")
    assert "U+202E right-to-left override" in panel._remarks.text()
    panel.set_text("ab")
    assert panel._remarks.isHidden()


def test_shift_return_breaks_the_line_like_return(panel, qtbot):
    panel.set_text("")
    qtbot.keyClicks(panel._edit, "a")
    qtbot.keyClick(panel._edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(panel._edit, "b")
    assert panel.text() == "a\nb"


def test_a_paste_is_cut_at_the_limit_with_a_notice(panel):
    paste(panel, "word " * 60_000)
    assert len(panel.text().encode()) == PASTE_LIMIT_BYTES
    assert "300,000 bytes" in panel._remarks.text()


def test_a_remark_beside_an_endless_line_leaves_the_line_as_wide_as_it_was(panel):
    paste(panel, "word " * 20_000)
    wide = panel._edit.viewport().width()
    seen = []
    panel._edit.updateRequest.connect(lambda *_: seen.append(panel._edit.viewport().width()))
    panel.show_problem("too long\n" * 3)
    QApplication.processEvents()
    assert set(seen) <= {wide}


def test_an_endless_line_is_pasted_without_wrapping_it(panel, qtbot):
    paste(panel, "x" * 150_000)
    assert panel._edit.wordWrapMode() == QTextOption.WrapMode.NoWrap
    panel.set_text("short")
    assert panel._edit.wordWrapMode() != QTextOption.WrapMode.NoWrap


@pytest.mark.parametrize(
    ("text", "taken", "notice"),
    [
        ("plain", "plain", ""),
        ("a\r\nb\rc", "a\nb\nc", "Carriage returns and separators were read as line breaks."),
        ("a\u2029b", "a\nb", "Carriage returns and separators were read as line breaks."),
        ("half \ud83e", "half ?", "Halves of characters became question marks."),
    ],
)
def test_a_paste_says_what_it_changes(text, taken, notice):
    assert fit_to_paste(text, 0) == (taken, notice)


def test_a_paste_is_never_cut_inside_a_character():
    taken, _ = fit_to_paste("é" * 10, PASTE_LIMIT_BYTES - 5)
    assert taken == "éé"


def test_the_button_runs_and_stops(panel, qtbot):
    with qtbot.waitSignal(panel.run_requested):
        panel._button.click()
    panel.show_running(True)
    assert panel._button.text() == "Stop"
    with qtbot.waitSignal(panel.stop_requested):
        panel._button.click()


def test_the_button_says_why_nothing_can_be_asked(panel):
    panel.show_obstacle("Nothing of pythia-70m is on this machine.")
    assert not panel._button.isEnabled()
    assert "Nothing of pythia-70m" in panel._button.toolTip()
    panel.show_obstacle("")
    assert panel._button.isEnabled()


def test_the_count_stands_beside_the_field_and_warns(panel):
    panel.show_settings(Settings(new_tokens=40))
    panel.show_reading(Reading(60, 96))
    assert panel._count.text() == "60 + 40 new / 96 tokens"
    cut = panel._cut
    assert cut.isVisible()
    assert "the first 4 tokens" in cut.text()
    panel.show_reading(Reading(5, 96))
    assert panel._count.text() == "5 / 96 tokens"
    assert not cut.isVisible()


def test_no_cut_is_offered_where_none_makes_room(panel):
    panel.show_settings(Settings(new_tokens=2_048))
    panel.show_reading(Reading(5, 96))
    assert not panel._cut.isVisible()


def test_no_cut_is_offered_for_a_model_that_cannot_read_the_prompt(panel):
    panel.show_reading(Reading(500, 96))
    panel.show_reading(Reading())
    assert not panel._cut.isVisible()


def test_remarks_stand_one_under_the_other(panel):
    panel.show_problem("too long")
    panel.show_reading(Reading(5, 96, unknown="ж"))
    assert panel._remarks.text().startswith("too long\n")


def test_the_eighth_target_is_the_last_and_the_field_says_so(panel):
    panel.set_endings([Ending(f" {n}") for n in range(8)])
    field = panel._targets._field
    assert not field.isEnabled()
    assert field.placeholderText() == "8 at most"
    panel.set_endings([])
    assert field.isEnabled()


def test_what_greedy_makes_idle_says_why(panel):
    row = panel._sampling
    assert WHY_GREEDY[:20] in row._top_k.toolTip()
    row.show_settings(Settings(sampling=Sampling(temperature=1.0)))
    assert WHY_GREEDY[:20] not in row._top_k.toolTip()


def test_cutting_on_the_left_is_a_setting(panel, qtbot):
    panel.show_reading(Reading(500, 96))
    with qtbot.waitSignal(panel.settings_changed) as changed:
        panel.findChild(QCheckBox).click()
    assert changed.args[0].cut_left


def test_characters_without_a_token_are_named(panel):
    panel.show_reading(Reading(5, 96, unknown="ж"))
    assert "no token for ж" in panel._remarks.text()


def test_a_problem_stands_beside_the_field_in_the_colour_of_errors(panel):
    panel.show_problem("200 tokens do not fit")
    assert "200 tokens" in panel._remarks.text()
    assert panel._edit.property("invalid") is True
    panel.show_problem("")
    assert panel._edit.property("invalid") is False


# ---------------------------------------------------------------------- targets and foils


@pytest.fixture
def field(qtbot, light):
    made = EndingsField("target", "what it is for")
    qtbot.addWidget(made)
    made.resize(600, 40)
    made.show()
    return made


def type_into(field, qtbot, text):
    qtbot.keyClicks(field._field, text)


def test_return_adds_a_target_as_typed(field, qtbot):
    type_into(field, qtbot, " New York, NY")
    with qtbot.waitSignal(field.changed) as changed:
        qtbot.keyClick(field._field, Qt.Key.Key_Return)
    assert changed.args[0] == (" New York, NY",)


def test_a_leading_space_is_offered_where_the_prompt_ends_in_a_letter(field, qtbot):
    field.set_prompt("The capital of France is")
    type_into(field, qtbot, "Paris")
    assert field._offer.isVisible()
    assert field._offer.text() == "as ␣Paris"
    field._offer.click()
    assert field.texts() == (" Paris",)


@pytest.mark.parametrize(("prompt", "typed"), [("is ", "Paris"), ("is", " Paris"), ("", "Paris")])
def test_no_space_is_offered_where_none_is_missing(field, qtbot, prompt, typed):
    field.set_prompt(prompt)
    type_into(field, qtbot, typed)
    assert not field._offer.isVisible()


def test_a_chip_shows_its_spaces_and_a_click_removes_it(field, qtbot):
    field.set_texts([" Paris", "R&D"])
    chips = field._chips
    assert [chip.text() for chip in chips] == ["␣Paris", "R&&D"]
    with qtbot.waitSignal(field.changed) as changed:
        chips[0].click()
    assert changed.args[0] == ("R&D",)


def test_backspace_in_the_empty_field_removes_the_last(field, qtbot):
    field.set_texts(["a", "b"])
    qtbot.keyClick(field._field, Qt.Key.Key_Backspace)
    assert field.texts() == ("a",)


def test_the_same_target_is_not_added_twice(field, qtbot):
    for _ in range(2):
        type_into(field, qtbot, "x")
        qtbot.keyClick(field._field, Qt.Key.Key_Return)
    assert field.texts() == ("x",)


def test_targets_and_foils_are_announced_together(panel, qtbot):
    panel.set_endings([Ending("a"), Ending("b", "foil")])
    with qtbot.waitSignal(panel.endings_changed) as changed:
        panel._foils._add("c")
    assert changed.args[0] == (Ending("a"), Ending("b", "foil"), Ending("c", "foil"))


# ---------------------------------------------------------------------- the sampler


@pytest.fixture
def row(qtbot, light):
    made = SamplingRow()
    qtbot.addWidget(made)
    made.show()
    return made


def test_a_preset_sets_the_sampler_and_keeps_the_seed(row, qtbot):
    row.show_settings(Settings(sampling=Sampling(temperature=1.0, seed=7)))
    row._preset.setCurrentText("Nucleus 0.9")
    with qtbot.waitSignal(row.settings_changed) as changed:
        row._preset.activated.emit(0)
    assert changed.args[0].sampling == Sampling(temperature=1.0, top_p=0.9, seed=7)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_known_by_its_settings(preset):
    drawn = Sampling(preset.temperature, preset.top_k, preset.top_p, preset.min_p, seed=3)
    assert preset_name(drawn) == preset.name


def test_settings_of_no_preset_are_custom(row):
    row.show_settings(Settings(sampling=Sampling(temperature=0.33)))
    assert row._preset.currentText() == "Custom"


def test_the_largest_seed_can_be_typed(row, qtbot):
    row.show_settings(Settings(sampling=Sampling(temperature=1.0)))
    row._seed.clear()
    with qtbot.waitSignal(row.settings_changed):
        qtbot.keyClicks(row._seed, "9")
    row._seed.setText("9999999999999999999")
    row._on_edited()
    assert row._settings.sampling.seed == 2**63 - 1


def test_greedy_needs_no_seed(row):
    row.show_settings(Settings())
    assert not row._seed.isEnabled()
    row.show_settings(Settings(sampling=Sampling(temperature=0.5)))
    assert row._seed.isEnabled()


def test_a_stop_string_can_be_a_line_break(row, qtbot):
    with qtbot.waitSignal(row.settings_changed) as changed:
        qtbot.keyClicks(row._stop._field, "\\n")
        qtbot.keyClick(row._stop._field, Qt.Key.Key_Return)
    assert changed.args[0].sampling.stop == ("\n",)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(), "Sampling: greedy, 40 new tokens"),
        (Settings(new_tokens=0), "Sampling: no new tokens"),
        (
            Settings(sampling=Sampling(temperature=0.7, seed=3), samples=2),
            "Sampling: temperature 0.7, 40 new tokens, seed 3, 2 samples",
        ),
        (
            Settings(1, sampling=Sampling(temperature=0.33)),
            "Sampling: custom, temperature 0.33, 1 new token, seed 0",
        ),
    ],
)
def test_the_folded_line_says_what_is_set(settings, words):
    assert summary(settings) == words


def test_every_field_has_a_name(row, panel):
    for field in (row._temperature, row._top_k, row._seed, row._stop, row._preset):
        assert field.accessibleName()
    for button in panel.findChildren(QPushButton):
        assert button.accessibleName() or button.text()
    QApplication.processEvents()
