"""What is said of a model before its curve is compared with another's."""

from dataclasses import replace

import pytest

from pythia_gui.core.catalogue import find_model
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.remarks import raised, remarks_of


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    library = LocalLibrary(None, cache=tmp_path_factory.mktemp("none"))

    def with_steps_here(name):
        found, _ = library.find(name)
        return replace(found, here=frozenset(find_model(name).model.steps))

    return with_steps_here


def test_another_initialisation_is_told_of_the_large_models_alone(entry):
    for name in ("pythia-6.9b", "pythia-12b-deduped"):
        assert any("initialised in another way" in text for text in remarks_of(entry(name)))
    assert not any("initialised" in text for text in remarks_of(entry("pythia-410m")))


def test_bfloat16_is_told_of_the_model_that_was_trained_in_it(entry):
    assert any("bfloat16" in text for text in remarks_of(entry("pythia-1b")))
    assert not any("bfloat16" in text for text in remarks_of(entry("pythia-1.4b")))


def test_step_names_that_count_tokens_are_told_of_the_first_release(entry):
    assert any("step 1,000 is real step 500" in t for t in remarks_of(entry("pythia-410m-v0")))


def test_steps_that_repeat_other_weights_are_counted_and_explained(entry):
    (gravest, *_) = remarks_of(entry("pythia-2.8b"))
    assert "left out: This branch serves the final model" in gravest
    assert gravest.split()[1] == "steps"


def test_what_concerns_steps_that_are_not_here_is_not_said(entry):
    late = replace(entry("pythia-12b"), here=frozenset({4_000, 143_000}))
    assert not any("hybrid" in text or "50,000" in text for text in remarks_of(late))
    whole = remarks_of(entry("pythia-12b"))
    assert any(text.startswith("Steps 50,000, 58,000: left out:") for text in whole)


def test_no_remark_is_said_twice(entry):
    for name in ("pythia-6.9b", "pythia-2.8b", "pythia-14m", "pythia-410m-seed3"):
        said = remarks_of(entry(name))
        assert len(set(said)) == len(said)


def test_a_run_among_the_papers_outliers_is_called_so(entry):
    assert any("outliers" in text for text in remarks_of(entry("pythia-410m-seed3")))


def test_marks_are_raised_digits():
    assert [raised(number) for number in (1, 9, 12)] == ["¹", "⁹", "¹²"]
