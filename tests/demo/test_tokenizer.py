import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.resources import resource_path
from pythia_gui.demo.corpus import CONTEXT, batch_texts, texts_at
from pythia_gui.demo.lexicon import (
    CHARACTERS,
    END_OF_TEXT,
    TOKENS,
    UNKNOWN_ID,
    VOCAB_ROWS,
    WORDS,
    decode,
    encode,
    tokenizer_config,
    tokenizer_document,
)
from pythia_gui.hub.tokenizer import Tokenizer

MODELS = ("demo-s", "demo-m")
FROZEN_SHA256 = "48e4b514d4830986d8b26ced690cd3b30d69d214f6cb5c3839b7a96224500b7d"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(resource_path("demo", "demo-s", "tokenizer.json"))


@pytest.mark.parametrize("model", MODELS)
def test_the_tokenizer_is_frozen(model):
    content = resource_path("demo", model, "tokenizer.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == FROZEN_SHA256


@pytest.mark.parametrize("model", MODELS)
def test_the_shipped_tokenizer_is_the_one_the_lexicon_writes(model):
    folder = resource_path("demo", model)
    assert json.loads((folder / "tokenizer.json").read_text("utf-8")) == tokenizer_document()
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    assert config == tokenizer_config(CONTEXT)
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_the_corpus_encodes_alike_with_and_without_the_tokenizers_library(tokenizer):
    for step in (1, 777, 21_000, 143_000):
        for text in texts_at(step):
            assert list(tokenizer.encode(text)) == encode(text)
            assert decode(encode(text)) == text


@given(st.text(alphabet=sorted({*"".join(TOKENS[3:]), "\n"})) | st.sampled_from(WORDS))
def test_any_ascii_text_encodes_alike_with_and_without_the_tokenizers_library(text):
    tokenizer = Tokenizer(resource_path("demo", "demo-s", "tokenizer.json"))
    ids = tokenizer.encode(text)
    assert list(ids) == encode(text)
    assert decode(list(ids)) == text


def test_special_tokens_come_first_as_in_gpt_neox(tokenizer):
    assert TOKENS[:3] == (END_OF_TEXT, "<|padding|>", "<|unk|>")
    assert tokenizer.end_of_text == 0


def test_the_matrices_have_more_rows_than_the_tokenizer_has_tokens(tokenizer):
    assert tokenizer.size == len(TOKENS) == len(set(TOKENS)) < VOCAB_ROWS


def test_a_word_outside_the_lexicon_falls_into_characters(tokenizer):
    assert [TOKENS[number] for number in tokenizer.encode(" zebra")] == list(" zebra")
    assert set(CHARACTERS) <= set(TOKENS)


def test_a_character_outside_ascii_falls_into_the_unknown_token(tokenizer):
    ids = tokenizer.encode("caf\u00e9")
    assert [TOKENS[number] for number in ids[:3]] == list("caf")
    assert set(ids[3:]) == {UNKNOWN_ID}


def test_every_word_of_the_lexicon_is_one_token(tokenizer):
    for word in WORDS:
        assert len(tokenizer.encode(word)) == 1, word


def test_rows_are_shown_with_their_marks_between_documents():
    assert any(END_OF_TEXT in row for row in batch_texts(5))
