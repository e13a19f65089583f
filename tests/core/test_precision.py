"""One dtype for every checkpoint of a request, and never more than fits."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.events import Placement
from pythia_gui.core.neox_config import NeoxConfig
from pythia_gui.core.precision import computed_dtype, fits, loaded
from pythia_gui.core.requests import Checkpoint, Request
from tests.checkpoints import make_config, make_model

SHAPE = NeoxConfig(layers=2, dim=32, heads=2, inner_dim=128, vocab_rows=272, context=96)
AT = Checkpoint("model", 1, None, "/x", SHAPE, "/x/tokenizer.json", "t", "c", "float16")


def gpu(memory_bytes: int) -> Placement:
    return Placement("cuda:0", "cuda", "A GPU", memory_bytes)


def asked(*trained, dtype="auto"):
    checkpoints = tuple(replace(AT, training_dtype=name) for name in trained)
    return Request("slot", checkpoints, (), dtype=dtype)


@pytest.mark.parametrize("changes", [{}, {"attention_bias": False}, {"tie_word_embeddings": True}])
def test_the_number_of_parameters_is_that_of_the_real_model(changes):
    model = make_model(make_config(vocab_size=272, **changes), seed=0)
    shape = replace(
        SHAPE,
        attention_bias=changes.get("attention_bias", True),
        tied_embeddings=changes.get("tie_word_embeddings", False),
    )
    assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("dtype", "width"), [("float32", 4), ("float16", 2), ("bfloat16", 2)])
def test_weights_fit_where_a_fifth_is_to_spare(dtype, width):
    needed = SHAPE.parameters * width * 12 // 10
    assert fits(AT, dtype, gpu(needed + 1))
    assert not fits(AT, dtype, gpu(needed - 1))


@given(st.integers(0, 10**9))
def test_what_fits_in_float32_fits_in_half(memory):
    assert fits(AT, "float16", gpu(memory)) or not fits(AT, "float32", gpu(memory))


def test_a_cpu_computes_in_float32_however_small_its_memory():
    place = Placement("cpu", "cpu", "CPU", 1)
    assert computed_dtype(asked("float16", "bfloat16"), place) == "float32"


def test_a_gpu_computes_in_float32_where_every_model_fits():
    assert computed_dtype(asked("float16", "bfloat16"), gpu(10**9)) == "float32"


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        (("float16",), "float16"),
        (("bfloat16",), "bfloat16"),
        (("float16", "bfloat16"), "bfloat16"),
        (("float32", "float16"), "float16"),
    ],
)
def test_a_gpu_too_small_for_float32_computes_all_in_one_training_dtype(trained, expected):
    assert computed_dtype(asked(*trained), gpu(1)) == expected


def test_one_model_too_large_puts_the_whole_request_in_half():
    large = replace(AT, config=replace(SHAPE, layers=100))
    memory = int(SHAPE.parameters * 4 * 1.3)
    both = replace(asked("float16"), checkpoints=(AT, large))
    assert computed_dtype(asked("float16"), gpu(memory)) == "float32"
    assert computed_dtype(both, gpu(memory)) == "float16"


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_dtype_that_was_asked_for_is_taken(dtype):
    assert computed_dtype(asked("float16", dtype=dtype), gpu(1)) == dtype
    assert computed_dtype(asked(dtype=dtype), Placement("cpu", "cpu", "CPU", 1)) == dtype


def test_a_request_without_checkpoints_has_a_dtype_too():
    assert computed_dtype(asked(), gpu(10**9)) == "float32"


def test_a_reference_too_large_puts_the_whole_request_in_half():
    large = replace(AT, config=replace(SHAPE, layers=100), training_dtype="bfloat16")
    memory = int(SHAPE.parameters * 4 * 1.3)
    request = replace(asked("float16"), against=large)
    assert loaded(request) == (large, AT)
    assert computed_dtype(request, gpu(memory)) == "bfloat16"
    assert computed_dtype(replace(request, against=AT), gpu(memory)) == "float32"
