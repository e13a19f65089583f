import datetime as dt

import pytest

from pythia_gui.core.catalogue import MODELS, find_model
from pythia_gui.core.defects import DEFECTS, defects_of, known_bad
from pythia_gui.core.steps import STEPS

WEIGHT_SEEDS = {"pythia-160m-weight-seed1", "pythia-160m-weight-seed2"}
GENUINE_2_8B = set(range(66_000, 142_001, 1_000)) - {
    *(70_000, 80_000, 90_000, 100_000, 103_000),
    *(110_000, 120_000, 130_000, 140_000),
}


def steps_of(model, source):
    return [
        step
        for defect in defects_of(model)
        if defect.source.endswith(source)
        for step in defect.steps
    ]


def test_86_branches_of_2_8b_are_listed_and_the_other_68_are_genuine():
    listed = steps_of("pythia-2.8b", "/205")
    assert len(listed) == len(set(listed)) == 76 + 10
    assert set(STEPS) - set(listed) == GENUINE_2_8B
    assert len(GENUINE_2_8B) == 68


def test_76_branches_of_2_8b_are_main_and_nine_are_step_143000():
    same_as_main, same_as_last, _ = defects_of("pythia-2.8b")
    assert len(same_as_main.steps) == 76
    assert same_as_last.steps == (
        *(54_000, 56_000, 57_000, 58_000, 59_000),
        *(61_000, 62_000, 63_000, 64_000),
    )


def test_the_last_step_of_2_8b_is_noted_but_not_called_bad():
    (note,) = defects_of("pythia-2.8b", 143_000)
    assert note.severity == "note"
    assert 143_000 not in known_bad("pythia-2.8b")
    assert len(known_bad("pythia-2.8b")) == 85


def test_the_deduplicated_2_8b_has_no_known_bad_step():
    assert known_bad("pythia-2.8b-deduped") == {}


def test_two_steps_of_12b_are_hybrids():
    assert list(known_bad("pythia-12b")) == [50_000, 58_000]
    assert "never existed" in known_bad("pythia-12b")[50_000]


@pytest.mark.parametrize(
    ("model", "step"),
    [
        ("pythia-410m-seed2", 111_000),
        ("pythia-410m-seed6", 88_000),
        ("pythia-410m-seed9", 40_000),
    ],
)
def test_three_seeds_lack_the_weights_of_a_step(model, step):
    assert list(known_bad(model)) == [step]
    (defect,) = defects_of(model, step)
    assert defect.kind == "missing weights"


@pytest.mark.parametrize("model", ["pythia-70m", "pythia-12b-deduped", "pythia-14m-seed1"])
def test_equal_weights_of_steps_0_and_1_are_a_note_and_no_fault(model):
    (first,) = (one for one in defects_of(model, 1) if one.kind == "identical by design")
    assert first.steps == (0, 1)
    assert first.severity == "note"
    assert known_bad(model).keys().isdisjoint({0, 1})


def test_a_step_that_was_uploaded_again_is_a_note():
    (defect,) = defects_of("pythia-12b-deduped", 32_000)
    assert (defect.kind, defect.severity) == ("replaced upstream", "note")


def test_only_the_models_with_a_doubled_batch_have_renamed_steps():
    noted = {defect.model for defect in DEFECTS if defect.kind == "renamed steps"}
    doubled = {model.name for model in MODELS if model.real_batch_tokens != model.batch_tokens}
    assert noted == doubled
    assert len(noted) == 6


def test_what_concerns_a_whole_model_is_not_said_of_each_step():
    (note,) = defects_of("pythia-1.4b-v0")
    assert note.steps == ()
    assert defects_of("pythia-1.4b-v0", 1_000) == ()


def test_the_owner_and_capitals_do_not_matter():
    assert defects_of("EleutherAI/Pythia-2.8B") == defects_of("pythia-2.8b") != ()


@pytest.mark.parametrize("model", ["", "demo-s", "somebody/pythia-2.8b", "pythia-2.8"])
def test_another_model_has_no_defects(model):
    assert defects_of(model) == ()
    assert known_bad(model) == {}


def test_every_report_is_about_a_model_and_steps_that_were_published():
    for defect in DEFECTS:
        steps = STEPS if defect.model in WEIGHT_SEEDS else find_model(defect.model).model.steps
        assert set(defect.steps) <= set(steps)
        assert list(defect.steps) == sorted(set(defect.steps))


def test_every_report_is_one_sentence_with_a_source_and_a_date():
    for defect in DEFECTS:
        assert defect.reason[0].isupper()
        assert defect.reason.endswith(".")
        assert ". " not in defect.reason
        assert defect.source.startswith(("https://github.com/", "https://huggingface.co/"))
        day = dt.date.fromisoformat(defect.dated)
        assert dt.date(2023, 1, 1) <= day <= dt.date(2026, 11, 23)


def test_no_step_of_a_model_is_called_bad_twice():
    for model in {defect.model for defect in DEFECTS}:
        bad = [defect.steps for defect in defects_of(model) if defect.severity == "known bad"]
        assert sum(map(len, bad)) == len(known_bad(model))


def test_known_bad_steps_come_in_order():
    assert list(known_bad("pythia-2.8b")) == sorted(known_bad("pythia-2.8b"))
