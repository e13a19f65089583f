import json

import pytest
from safetensors.numpy import load_file

from pythia_gui.core.resources import resource_path
from pythia_gui.demo.corpus import CONTEXT
from pythia_gui.demo.lexicon import VOCAB_ROWS
from pythia_gui.demo.recipe import SIZES, config_document, parameter_shapes
from pythia_gui.demo.shipping import SHIPPED_STEPS, SUMS_FILE, sums

MIB = 1 << 20


@pytest.fixture(scope="module")
def suite():
    return resource_path("demo")


def test_every_file_has_the_sum_that_is_kept_beside_it(suite):
    assert (suite / SUMS_FILE).read_text("utf-8") == sums(suite)


def test_the_suite_fits_into_forty_megabytes(suite):
    assert sum(path.stat().st_size for path in suite.rglob("*") if path.is_file()) <= 40_000_000


@pytest.mark.parametrize("size", SIZES)
def test_every_promised_step_is_there_and_no_other(suite, size):
    folders = {path.name for path in (suite / SIZES[size].name).glob("step*")}
    assert folders == {f"step{step}" for step in SHIPPED_STEPS[size]}


def test_the_small_model_has_all_154_steps_and_the_larger_one_at_least_39():
    assert len(SHIPPED_STEPS["s"]) == 154
    assert len(SHIPPED_STEPS["m"]) >= 39
    assert set(SHIPPED_STEPS["m"]) < set(SHIPPED_STEPS["s"])


@pytest.mark.parametrize("size", SIZES)
def test_the_config_is_written_as_pythias(suite, size):
    config = json.loads((suite / SIZES[size].name / "config.json").read_text("utf-8"))
    assert config == config_document(SIZES[size])
    assert config["model_type"] == "gpt_neox"
    assert config["max_position_embeddings"] == CONTEXT
    assert config["vocab_size"] == VOCAB_ROWS


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", [0, 512, 143_000])
def test_checkpoints_hold_every_parameter_in_half_precision_and_finite(suite, size, step):
    tensors = load_file(suite / SIZES[size].name / f"step{step}" / "model.safetensors")
    assert {n: t.shape for n, t in tensors.items()} == parameter_shapes(SIZES[size])
    assert {tensor.dtype.name for tensor in tensors.values()} == {"float16"}
    assert all(abs(tensor).max() < 1000 for tensor in tensors.values())


@pytest.mark.parametrize(("size", "parameters"), [("s", 59_264), ("m", 217_664)])
def test_the_models_have_the_parameters_the_docs_say(suite, size, parameters):
    folder = suite / SIZES[size].name / "step143000"
    tensors = load_file(folder / "model.safetensors")
    assert sum(tensor.size for tensor in tensors.values()) == parameters
    assert (folder / "model.safetensors").stat().st_size < MIB
