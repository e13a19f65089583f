import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pythia_gui.core.catalogue import (
    CAUTIONS,
    MODELS,
    RESERVED_NAMES,
    Architecture,
    UnknownModel,
    as_json,
    facts,
    find_model,
    former_name,
    search_models,
)
from pythia_gui.core.steps import STEPS

# Name, total, non-embedding, layers, dim, heads, learning rate, equivalents: the suite's table.
TABLE = [
    ("70m", 70_426_624, 18_915_328, 6, 512, 8, 1.0e-3, ()),
    ("160m", 162_322_944, 85_056_000, 12, 768, 12, 6.0e-4, ("GPT-Neo 125M", "OPT-125M")),
    ("410m", 405_334_016, 302_311_424, 24, 1024, 16, 3.0e-4, ("OPT-350M",)),
    ("1b", 1_011_781_632, 805_736_448, 16, 2048, 8, 3.0e-4, ()),
    ("1.4b", 1_414_647_808, 1_208_602_624, 24, 2048, 16, 2.0e-4, ("GPT-Neo 1.3B", "OPT-1.3B")),
    ("2.8b", 2_775_208_960, 2_517_652_480, 32, 2560, 32, 1.6e-4, ("GPT-Neo 2.7B", "OPT-2.7B")),
    ("6.9b", 6_857_302_016, 6_444_163_072, 32, 4096, 32, 1.2e-4, ("OPT-6.7B",)),
    ("12b", 11_846_072_320, 11_327_027_200, 36, 5120, 40, 1.2e-4, ()),
]
FORMER = [
    ("19m", "70m"),
    ("125m", "160m"),
    ("350m", "410m"),
    ("800m", "1b"),
    ("1.3b", "1.4b"),
    ("2.7b", "2.8b"),
    ("6.7b", "6.9b"),
    ("13b", "12b"),
]
NAMES = [model.name for model in MODELS]


def model(name):
    return find_model(name).model


@pytest.mark.parametrize("ending", ["", "-deduped", "-v0", "-deduped-v0"])
@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_a_model_equals_the_suites_table(row, ending):
    size, total, non_embedding, layers, dim, heads, learning_rate, equivalents = row
    found = model(f"pythia-{size}{ending}")
    shape = found.architecture
    assert shape.total_parameters == total
    assert shape.non_embedding_parameters == non_embedding
    assert (shape.layers, shape.dim, shape.heads) == (layers, dim, heads)
    assert found.learning_rate == learning_rate
    assert found.equivalents == equivalents


# The cards of the two: https://huggingface.co/EleutherAI/pythia-14m
@pytest.mark.parametrize(
    ("size", "non_embedding", "shape"),
    [
        ("14m", 1_189_888, Architecture(6, 128, 4, 50_304)),
        ("31m", 4_739_072, Architecture(6, 256, 8, 50_304)),
    ],
)
def test_the_two_youngest_sizes_equal_their_cards(size, non_embedding, shape):
    found = model(f"pythia-{size}")
    assert found.architecture == shape
    assert shape.non_embedding_parameters == non_embedding
    assert found.learning_rate == 1.0e-3


@pytest.mark.parametrize("name", ["pythia-14m", "pythia-70m", "pythia-6.9b", "pythia-12b"])
def test_the_parameters_are_those_that_transformers_builds(name):
    import torch  # heavy, and only this test needs it
    import transformers

    shape = model(name).architecture
    config = transformers.GPTNeoXConfig(
        vocab_size=shape.vocab_rows,
        hidden_size=shape.dim,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.dim,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        built = transformers.GPTNeoXForCausalLM(config)
    embeddings = (built.get_input_embeddings().weight, built.get_output_embeddings().weight)
    total = sum(parameter.numel() for parameter in built.parameters())
    assert shape.total_parameters == total
    assert shape.non_embedding_parameters == total - sum(map(torch.numel, embeddings))


def test_the_catalogue_holds_every_model_once():
    assert len(MODELS) == 18 + 45 + 16
    assert len(set(NAMES)) == len(NAMES)
    assert len({one.label for one in MODELS}) == len(MODELS)
    assert {one.repo for one in MODELS} == {f"EleutherAI/{name}" for name in NAMES}


def test_the_suites_hold_what_was_published():
    sizes = ["14m", "31m", *(row[0] for row in TABLE)]
    pythia = {f"pythia-{size}" for size in sizes}
    pythia |= {f"pythia-{row[0]}-deduped" for row in TABLE}
    seeds = {f"pythia-{size}-seed{seed}" for size in sizes[:5] for seed in range(1, 10)}
    v0 = {f"pythia-{row[0]}{data}-v0" for row in TABLE for data in ("", "-deduped")}
    expected = {"Pythia": pythia, "PolyPythias": seeds, "Pythia v0": v0}
    assert {
        suite: {one.name for one in MODELS if one.suite == suite} for suite in expected
    } == expected


def test_the_current_release_comes_first_from_small_to_large():
    totals = [one.architecture.total_parameters for one in MODELS if one.suite == "Pythia"]
    assert totals == sorted(totals)
    assert [one.suite for one in MODELS[:18]] == ["Pythia"] * 18


@pytest.mark.parametrize(("size", "rows"), [("70m", 50_304), ("2.8b", 50_304), ("6.9b", 50_432)])
def test_the_output_rows_depend_on_the_size(size, rows):
    assert model(size).architecture.vocab_rows == rows
    assert model("12b").architecture.vocab_rows == 50_688


def test_only_pythia_1b_was_trained_in_bfloat16():
    assert [one.name for one in MODELS if one.training_dtype == "bfloat16"] == ["pythia-1b"]


def test_the_current_release_has_154_steps_and_v0_the_143_from_1000_on():
    for one in MODELS:
        expected = STEPS[11:] if one.suite == "Pythia v0" else STEPS
        assert one.steps == expected
    assert len(STEPS[11:]) == 143
    assert STEPS[11] == 1_000


def test_a_v0_model_with_a_doubled_batch_shows_its_real_step():
    found = model("pythia-1.4b-deduped-v0")
    assert found.real_step(1_000) == 500
    assert found.real_step(143_000) == 71_500
    assert found.tokens_seen(143_000) == 299_892_736_000


@pytest.mark.parametrize("name", ["pythia-1.4b", "pythia-70m-v0", "pythia-1b-v0", "pythia-12b-v0"])
def test_any_other_model_has_the_real_step_that_it_is_named_for(name):
    assert model(name).real_step(4_000) == 4_000


def test_the_data_follow_the_name():
    assert model("410m").data == "the Pile"
    assert model("410m-deduped-v0").data == "the deduplicated Pile"
    assert model("31m-seed4").data == "the Pile"


def test_a_seed_belongs_to_polypythias_alone():
    for one in MODELS:
        assert (one.seed is not None) == (one.suite == "PolyPythias")
    assert model("160m-seed7").seed == 7


@pytest.mark.parametrize(
    "name",
    [
        "pythia-410m-deduped",
        "EleutherAI/pythia-410m-deduped",
        "eleutherai/PYTHIA-410M-Deduped",
        "410m-deduped",
        "  pythia-410m-deduped\n",
    ],
)
def test_a_model_is_found_with_or_without_owner_prefix_and_capitals(name):
    found = find_model(name)
    assert found.model.name == "pythia-410m-deduped"
    assert found.notice is None


@pytest.mark.parametrize("name", NAMES)
def test_every_model_is_found_by_its_name(name):
    assert find_model(name).model.name == name


@pytest.mark.parametrize("ending", ["", "-deduped"])
@pytest.mark.parametrize(("old", "new"), FORMER)
def test_a_name_from_before_2023_finds_its_model_and_says_the_current_name(old, new, ending):
    current = f"pythia-{new}{ending}"
    for asked in (f"pythia-{old}{ending}", f"{old.upper()}{ending}"):
        found = find_model(asked)
        assert found.model.name == current
        assert found.notice is not None
        assert f"pythia-{old}{ending} has been called {current} since January 2023" in found.notice
    assert former_name(find_model(current).model) == f"pythia-{old}{ending}"


def test_a_younger_model_has_no_former_name():
    assert former_name(model("14m")) is None
    assert former_name(model("70m-v0")) is None
    assert former_name(model("70m-seed1")) is None


def test_an_unknown_name_is_refused_with_those_near_it():
    with pytest.raises(UnknownModel) as caught:
        find_model("pythia-71m")
    assert str(caught.value).startswith(
        "the catalogue has no model called pythia-71m; near it: pythia-70m"
    )


@pytest.mark.parametrize(
    "name", ["", "gpt2", "somebody/pythia-70m", "EleutherAI/EleutherAI/pythia-70m", "١٤m"]
)
def test_a_name_of_no_model_is_refused(name):
    with pytest.raises(UnknownModel):
        find_model(name)


@pytest.mark.parametrize("name", RESERVED_NAMES)
def test_the_demo_models_are_not_taken_for_models_of_the_suite(name):
    with pytest.raises(UnknownModel, match="demo suite"):
        find_model(name)


@settings(deadline=None)
@given(st.text())
def test_any_name_is_found_or_refused_in_one_short_sentence(name):
    try:
        assert find_model(name).model in MODELS
    except UnknownModel as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 600


def test_a_very_long_name_is_refused_at_once():
    with pytest.raises(UnknownModel, match="has no model called"):
        find_model("pythia-" * 200_000)


def test_search_finds_current_and_former_names():
    assert {one.name for one in search_models("410M dedup")} == {
        "pythia-410m-deduped",
        "pythia-410m-deduped-v0",
    }
    assert [one.name for one in search_models("19m")] == ["pythia-70m", "pythia-70m-deduped"]
    assert {one.suite for one in search_models("PolyPythias")} == {"PolyPythias"}


def test_an_empty_search_finds_all_and_a_strange_one_nothing():
    assert search_models(" ") == MODELS
    assert search_models("[") == ()


@pytest.mark.parametrize("name", NAMES)
def test_the_facts_of_a_model_are_sentences_with_sources(name):
    found = facts(model(name))
    for fact in found:
        assert fact.source_url.startswith("https://")
        assert fact.label
        assert fact.text.endswith(".") or fact.label == "Hugging Face"
        assert "  " not in fact.text
    labels = {fact.label for fact in found}
    assert {"Parameters", "Data", "Tokenizer", "Licence", "Paper", "Biases", "Cautions"} <= labels


def told(name, label):
    return " ".join(fact.text for fact in facts(model(name)) if fact.label == label)


def test_the_facts_give_the_numbers_of_the_model():
    assert told("70m", "Parameters") == "70,426,624 parameters, 18,915,328 without the embeddings."
    assert "143,000 steps of 2,097,152 tokens, 299,892,736,000 tokens" in told("70m", "Training")
    assert told("70m", "Learning rate").startswith("1.0e-3 ")
    assert told("70m", "Licence") == "Apache-2.0."


def test_the_facts_say_how_often_the_data_were_read():
    assert "the Pile, just under one epoch" in told("1b", "Data")
    assert "the deduplicated Pile, about one and a half epochs" in told("1b-deduped", "Data")


def test_the_facts_say_how_v0_differs():
    assert "batches of 4M tokens" in told("160m-v0", "Release")
    assert "71,500 steps of 4,194,304 tokens" in told("160m-v0", "Training")
    assert "step 1,000 is real step 500" in told("160m-v0", "Note")
    assert "falling to zero" in told("12b-v0", "Learning rate")
    assert "falling to a tenth" in told("12b", "Learning rate")


def test_the_facts_of_a_seed_say_what_the_seed_changes():
    assert "sets the order of the data" in told("14m-seed2", "Data")
    assert "outliers" in told("410m-seed3", "Seed")
    assert "outliers" not in told("410m-seed2", "Seed")


def test_the_facts_say_where_the_first_weights_differ():
    assert told("6.9b-deduped", "Initialisation")
    assert not told("2.8b", "Initialisation")


def test_the_facts_say_which_data_a_young_model_was_trained_on():
    assert "pythia-14m-deduped" in told("14m", "Note")
    assert "deduplicated Pile" in told("31m", "Note")


def test_the_cautions_cover_what_the_model_card_warns_of():
    text = " ".join(CAUTIONS).casefold()
    for word in ("base models", "instructions", "english", "deployment", "offensive", "person"):
        assert word in text


def test_a_model_survives_json_with_the_keys_that_scripts_rely_on():
    keys = {
        *("name", "repo", "total_parameters", "non_embedding_parameters", "layers", "dim"),
        *("heads", "vocab_rows", "learning_rate", "training_dtype", "steps", "suite"),
        *("batch_tokens", "data", "seed", "equivalents", "known_defects"),
    }
    for one in MODELS:
        read = json.loads(json.dumps(as_json(one), allow_nan=False))
        assert read == as_json(one)
        assert read["steps"] == list(one.steps)
        assert read.keys() >= keys


def test_the_json_of_a_model_lists_its_known_defects():
    defects = as_json(model("pythia-12b"))["known_defects"]
    assert isinstance(defects, list)
    assert defects[0]["steps"] == [50_000, 58_000]
    assert defects[0]["severity"] == "known bad"
    assert defects[0]["source"].endswith("/issues/206")
