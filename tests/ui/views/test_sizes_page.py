"""The page Sizes: one question over several models on one axis."""

import csv
import io
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from pythia_gui.core.catalogue import find_model
from pythia_gui.core.library import ModelEntry
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.band_plot import Trace
from pythia_gui.ui.questions import Ending
from pythia_gui.ui.step_plot import Stroke
from pythia_gui.ui.views.sizes import (
    MOST_BY_DEFAULT,
    Sizes,
    band_of,
    seeds_of,
    strokes_of,
    usual_models,
)
from pythia_gui.ui.workspace import Workspace
from tests.small import make_small, write_byte_tokenizer
from tests.ui.conftest import STEPS
from tests.ui.views.varied import VariedEngine

FOIL: Literal["foil"] = "foil"


def entry(name, suite="Pythia", here=(0, 512)):
    return ModelEntry(
        key=name, name=name, suite=suite, source="hub", steps=here, here=frozenset(here),
        batch_tokens=1_000, context=64,
    )  # fmt: skip


@pytest.fixture
def engine():
    return VariedEngine()


@pytest.fixture
def page(qtbot, light, workspace):
    workspace.show_model("demo-s")
    workspace.write_prompt("abc")
    workspace.set_endings((Ending(" x"), Ending(" w", FOIL)))
    workspace.run()
    made = Sizes(workspace)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def look(page, qtbot):
    page.set_shown(True)
    drawn(page, qtbot)


def drawn(page, qtbot):
    def so():
        runner = page.runner
        return runner.total and runner.done == runner.total and not runner.running

    qtbot.waitUntil(lambda: bool(so()) and not page._dirty and page.workspace.settled)


def test_both_models_of_the_suite_are_drawn_at_once_each_from_its_own_request(page, qtbot, engine):
    look(page, qtbot)
    names = [trace.name for trace in page._traces]
    assert names == [
        "demo-s  ␣x", "demo-s  foil ␣w", "demo-m  ␣x", "demo-m  foil ␣w",
    ]  # fmt: skip
    asked = [request for request in engine.asked if request.slot == "Sizes"]
    assert [{at.model for at in request.checkpoints} for request in asked] == [
        {"demo-s"}, {"demo-m"},
    ]  # fmt: skip
    assert page._scales.scale == "tokens"


def test_the_curves_are_the_numbers_of_their_own_model(page, qtbot):
    look(page, qtbot)
    page._kinds.choose("rank")
    page.touch()
    qtbot.waitUntil(lambda: not page._dirty)
    for trace in page._traces:
        model, place = trace.name.split()[0], 1 if "foil" in trace.name else 0
        ranks = [page._results[model][step].targets[place].rank for step in trace.steps]
        assert trace.values.tolist() == ranks
    assert page._traces[2].steps == STEPS[::2]


def test_a_model_that_is_unchecked_is_neither_asked_nor_drawn(page, qtbot, engine):
    look(page, qtbot)
    page._chooser.actions_by_key["demo-m"].trigger()
    qtbot.waitUntil(lambda: len(page._plan.requests) == 1)
    drawn(page, qtbot)
    assert {trace.name.split()[0] for trace in page._traces} == {"demo-s"}
    assert page._chooser.text() == "Models (1 of 2)"


def test_one_ending_can_be_drawn_alone(page, qtbot):
    look(page, qtbot)
    page._endings_box.setCurrentIndex(2)
    page._endings_box.activated.emit(2)
    qtbot.waitUntil(lambda: len(page._traces) == 2)
    assert [trace.name for trace in page._traces] == ["demo-s", "demo-m"]
    assert {trace.stroke.dash for trace in page._traces} == {()}


def test_a_model_with_another_tokenizer_is_offered_disabled_with_the_reason(
    qtbot, light, demo, tmp_path, worker
):
    other = make_small(tmp_path / "other", steps=(0, 1))
    write_byte_tokenizer(other / "tokenizer.json", ("<|endoftext|>", "<|other|>"))
    for folder in (other, *other.iterdir()):
        if folder.is_dir() and (folder / "tokenizer.json").exists():
            write_byte_tokenizer(folder / "tokenizer.json", ("<|endoftext|>", "<|other|>"))
    library = LocalLibrary(demo, cache=tmp_path / "no-cache")
    key = library.add_folder(other).key
    workspace = Workspace(library, worker)
    workspace.refresh_models()
    workspace.show_model("demo-s")
    workspace.write_prompt("abc")
    workspace.set_endings((Ending(" x"),))
    workspace.run()
    page = Sizes(workspace)
    qtbot.addWidget(page)
    page.show()
    look(page, qtbot)
    action = page._chooser.actions_by_key[key]
    assert not action.isEnabled()
    assert "another tokenizer" in action.toolTip()
    assert {trace.name for trace in page._traces} == {"demo-s", "demo-m"}


def test_the_table_twin_is_in_long_form(page, qtbot):
    look(page, qtbot)
    rows = list(csv.DictReader(io.StringIO(page.table().as_csv())))
    assert len(rows) == 2 * (len(STEPS) + len(STEPS[::2]))
    first = rows[0]
    assert (first["Model"], first["Ending"], first["Role"]) == ("demo-s", " x", "target")
    probability, logprob = float(first["Probability"]), float(first["Log-probability"])
    assert probability == pytest.approx(np.exp(logprob))


def test_a_failed_checkpoint_is_a_gap_of_its_model_alone(page, qtbot, engine):
    engine.broken[512] = "the file is cut short"
    look(page, qtbot)
    assert all(np.isnan(trace.value_at(512)) for trace in page._traces if 512 in trace.steps)
    assert page._traces[0].problems == {512: "the file is cut short"}


def test_the_usual_models_are_the_shown_one_and_others_of_its_suite():
    shown = entry("pythia-1b")
    others = [entry(f"pythia-{n}") for n in range(10)]
    usual = usual_models(shown, [*others, shown, entry("demo-s", "Demo suite")])
    assert len(usual) == MOST_BY_DEFAULT
    assert shown.key in usual
    assert "demo-s" not in usual


def test_a_twin_on_the_deduplicated_pile_shares_the_colour_and_is_thin_and_open():
    models = [entry("pythia-70m"), entry("pythia-70m-deduped"), entry("pythia-1b-deduped")]
    stroke = strokes_of(models)
    standard, twin, alone = (stroke(model, 0) for model in models)
    assert standard.color == twin.color != alone.color
    assert (standard.hollow, twin.hollow, alone.hollow) == (False, True, False)
    assert twin.width < standard.width


def test_the_endings_of_one_model_differ_in_their_dashes():
    model = entry("pythia-70m")
    stroke = strokes_of([model])
    assert len({stroke(model, place).dash for place in range(5)}) == 5


def test_seeds_are_gathered_under_the_model_that_they_repeat():
    names = ("pythia-160m", "pythia-160m-seed1", "pythia-160m-seed2", "pythia-70m-seed1")
    groups = seeds_of([entry(name) for name in names])
    assert {base: [e.name for e in found] for base, found in groups.items()} == {
        "pythia-160m": ["pythia-160m-seed1", "pythia-160m-seed2"],
        "pythia-70m": ["pythia-70m-seed1"],
    }


def test_a_band_of_seeds_is_their_mean_and_range_at_the_steps_that_all_have():
    one = Trace("a", (0, 1, 4), np.array([0.1, 0.2, 0.3]), Stroke(2), (0, 10, 40))
    other = Trace("b", (0, 2, 4), np.array([0.3, 0.4, 0.9]), Stroke(3), (0, 20, 40))
    band = band_of("pythia-160m", [one, other])
    assert band.name == "pythia-160m, mean of 2 seeds"
    assert (band.steps, band.tokens) == ((0, 4), (0, 40))
    np.testing.assert_allclose(band.values, [0.2, 0.6])
    np.testing.assert_allclose(band.low, [0.1, 0.3])
    np.testing.assert_allclose(band.high, [0.3, 0.9])
    assert band.stroke == one.stroke


def test_a_step_that_failed_in_one_seed_is_in_no_band():
    one = Trace("a", (0, 1), np.array([0.1, np.nan]), Stroke(0))
    other = Trace("b", (0, 1), np.array([0.3, 0.4]), Stroke(1))
    assert band_of("m", [one, other]).steps == (0,)


def test_what_changes_the_reading_of_a_model_stands_at_its_curve(page, qtbot):
    look(page, qtbot)
    shown = page._models
    facts = next(e for e in page.workspace.models.values() if e.name == "pythia-1b").facts
    page._models = (replace(shown[0], facts=facts), shown[1])
    page.touch()
    qtbot.waitUntil(lambda: not page._dirty)
    labels = dict(page._plot.labels.texts())
    assert "demo-s  ␣x ¹" in labels
    assert "demo-m  ␣x" in labels
    assert page._notes.text().startswith("¹ Mixed precision with bfloat16.")
    assert not page._notes_room.isHidden()
    assert find_model("pythia-1b").model.training_dtype == "bfloat16"
