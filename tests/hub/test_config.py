"""config.json: what Pythia's say is understood, and nothing else reaches transformers."""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest
from transformers import GPTNeoXConfig

from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.neox_config import NeoxConfig
from pythia_gui.hub.config import LIMIT_BYTES, read_config
from tests.checkpoints import make_config

PYTHIA_70M = {
    "architectures": ["GPTNeoXForCausalLM"],
    "bos_token_id": 0,
    "eos_token_id": 0,
    "hidden_act": "gelu",
    "hidden_size": 512,
    "initializer_range": 0.02,
    "intermediate_size": 2048,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 2048,
    "model_type": "gpt_neox",
    "num_attention_heads": 8,
    "num_hidden_layers": 6,
    "rotary_emb_base": 10000,
    "rotary_pct": 0.25,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "transformers_version": "4.24.0",
    "use_cache": True,
    "use_parallel_residual": True,
    "vocab_size": 50304,
}


def written(folder: Path, content: object) -> Path:
    """Write a config.json: bytes and text as they are, a mapping over that of Pythia-70M."""
    file = folder / "config.json"
    if isinstance(content, dict):
        content = json.dumps(PYTHIA_70M | content)
    file.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    return file


def test_the_config_of_pythia_70m_is_understood(tmp_path):
    config, dtype, sha256 = read_config(file := written(tmp_path, {}))
    assert config == NeoxConfig(6, 512, 8, 2048, 50_304, 2_048)
    assert config.parameters == 70_426_624  # the suite's published number
    assert dtype == "float16"
    assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_config_that_transformers_5_writes_means_what_it_said(tmp_path):
    made = make_config(rotary_pct=0.5, rotary_emb_base=5_000, layer_norm_eps=1e-6)
    made.save_pretrained(tmp_path)
    config, _, _ = read_config(tmp_path / "config.json")
    assert "rotary_pct" not in json.loads((tmp_path / "config.json").read_text())
    assert (config.rotary_pct, config.rotary_base, config.layer_norm_eps) == (0.5, 5_000, 1e-6)


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_the_training_dtype_is_read_under_its_old_and_its_new_name(tmp_path, key):
    assert read_config(written(tmp_path, {"torch_dtype": None, key: "bfloat16"}))[1] == "bfloat16"


def test_whole_numbers_stand_for_real_ones_as_json_has_it(tmp_path):
    config, _, _ = read_config(written(tmp_path, {"rotary_pct": 1, "rotary_emb_base": 10_000}))
    assert config.rotary_pct == 1.0


def test_rotary_settings_of_transformers_5_go_before_the_old_ones(tmp_path):
    rope = {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5}
    file = written(tmp_path, {"rope_parameters": rope})
    config, _, _ = read_config(file)
    theirs = GPTNeoXConfig.from_pretrained(tmp_path).rope_parameters
    assert config.rotary_base == theirs["rope_theta"]
    assert config.rotary_pct == theirs["partial_rotary_factor"]


@pytest.mark.parametrize(
    "code",
    [
        {"auto_map": {"AutoModelForCausalLM": "canary.Model", "AutoConfig": "canary.Config"}},
        {"trust_remote_code": True},
        {"_attn_implementation": "canary"},
        {"quantization_config": {"quant_method": "canary"}},
        {"id2label": {"0": "x"}, "torchscript": True, "pruned_heads": {"0": [0]}},
    ],
)
def test_keys_that_name_code_or_change_the_loading_are_ignored(tmp_path, code):
    assert read_config(written(tmp_path, code))[0] == read_config(written(tmp_path, {}))[0]


REFUSED = {
    "another model_type": {"model_type": "llama"},
    "a model_type of another kind": {"model_type": ["gpt_neox"]},
    "a million layers": {"num_hidden_layers": 1_000_000},
    "no layers": {"num_hidden_layers": 0},
    "negative layers": {"num_hidden_layers": -1},
    "layers as text": {"num_hidden_layers": "6"},
    "layers as a real number": {"num_hidden_layers": 6.5},
    "layers as truth": {"num_hidden_layers": True},
    "no dimension": {"hidden_size": 0},
    "dimension as text": {"hidden_size": "512"},
    "a huge dimension": {"hidden_size": 1 << 40},
    "heads that do not divide": {"num_attention_heads": 7},
    "no heads": {"num_attention_heads": 0},
    "a huge vocabulary": {"vocab_size": 10**9},
    "a vocabulary of one": {"vocab_size": 1},
    "a nested vocabulary": {"vocab_size": [50_304]},
    "no feed-forward": {"intermediate_size": 0},
    "a context of nothing": {"max_position_embeddings": 0},
    "a huge context": {"max_position_embeddings": 10**12},
    "no rotation": {"rotary_pct": 0},
    "too much rotation": {"rotary_pct": 1.5},
    "a null base": {"rotary_emb_base": None},
    "a negative base": {"rotary_emb_base": -10_000},
    "an unknown activation": {"hidden_act": "exec"},
    "a negative epsilon": {"layer_norm_eps": -1e-5},
    "an epsilon as text": {"layer_norm_eps": "1e-5"},
    "a dtype of eight bits": {"torch_dtype": "float8_e4m3fn"},
    "rope_scaling": {"rope_scaling": {"type": "linear", "factor": 2.0}},
    "another rope": {"rope_parameters": {"rope_type": "linear", "factor": 2.0}},
    "another rope, the old way": {"rope_parameters": {"type": "linear", "factor": 2.0}},
    "a rope that is a list": {"rope_parameters": [1]},
    "a rope as text": {"rope_parameters": {"rope_theta": "10000"}},
    "residuals as text": {"use_parallel_residual": "yes"},
    "nothing": "",
    "an empty object": "{}",
    "null": "null",
    "a list": "[]",
    "a text": '"gpt_neox"',
    "half an object": '{"model_type": "gpt_neox"',
    "deep nesting": "[" * 500_000,
    "deep objects": '{"a":' * 150_000,
    "an integer of 5,000 digits": '{"num_hidden_layers": ' + "9" * 5_000 + "}",
    "not a number": json.dumps(PYTHIA_70M | {"layer_norm_eps": float("nan")}),
    "infinity": json.dumps(PYTHIA_70M | {"rotary_emb_base": float("inf")}),
    "UTF-16": json.dumps(PYTHIA_70M).encode("utf-16"),
    "UTF-32": json.dumps(PYTHIA_70M).encode("utf-32"),
    "bad UTF-8": b'{"model_type": "\xff\xfe"}',
    "zeros": bytes(4096),
    "noise": bytes(range(256)) * 64,
    "more than 1 MiB": json.dumps(PYTHIA_70M | {"comment": "x" * LIMIT_BYTES}),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_config_that_no_neox_model_has_is_refused_within_a_second(tmp_path, fault):
    file = written(tmp_path, REFUSED[fault])
    start = time.process_time()
    with pytest.raises(CheckpointError) as caught:
        read_config(file)
    assert time.process_time() - start < 1
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(file)) + 200


@pytest.mark.parametrize("key", ["num_hidden_layers", "hidden_size", "vocab_size", "model_type"])
def test_a_config_that_lacks_a_size_is_refused(tmp_path, key):
    content = {name: value for name, value in PYTHIA_70M.items() if name != key}
    with pytest.raises(CheckpointError):
        read_config(written(tmp_path, json.dumps(content)))


def test_the_refusal_names_the_field_and_speaks_plainly(tmp_path):
    with pytest.raises(CheckpointError, match="num_hidden_layers: "):
        read_config(written(tmp_path, {"num_hidden_layers": 1_000_000}))
    with pytest.raises(CheckpointError, match=r"used: num_attention_heads must divide"):
        read_config(written(tmp_path, {"num_attention_heads": 7}))
    with pytest.raises(CheckpointError, match="only GPT-NeoX models"):
        read_config(written(tmp_path, {"model_type": "llama"}))


def test_a_missing_config_a_folder_and_a_huge_file_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="can't be read"):
        read_config(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match="can't be read"):
        read_config(tmp_path)
    with (tmp_path / "huge.json").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(CheckpointError, match="larger than 1 MiB"):
        read_config(tmp_path / "huge.json")


def test_a_pipe_in_place_of_a_config_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match="not a file"):
        read_config(tmp_path / "config.json")
