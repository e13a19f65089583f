import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pythia_gui.core.events import (
    Alternatives,
    Continuation,
    Divergence,
    NextToken,
    Score,
    TargetScore,
)
from pythia_gui.store.payload import DamagedPayload, decode, encode, name_of
from tests.fakes import exact

LENGTHS = st.integers(0, 5)
INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=32)
DOUBLES = st.floats()
TEXTS = st.text(st.characters(codec=None), max_size=5)  # lone surrogates included


def ints(shape):
    return arrays(np.int64, shape, elements=INTS)


def floats(shape):
    return arrays(np.float32, shape, elements=FLOATS)


@st.composite
def alternatives(draw, length):
    shape = (length, draw(LENGTHS))
    return Alternatives(draw(ints(shape)), draw(floats(shape)))


@st.composite
def scores(draw):
    n = draw(LENGTHS)
    return Score(
        draw(ints(n)), draw(floats(n)), draw(ints(n)), draw(floats(n)), draw(alternatives(n))
    )


@st.composite
def continuations(draw):
    n = draw(LENGTHS)
    return Continuation(
        sample=draw(st.integers(0, 63)),
        seed=draw(st.integers(0, 2**63 - 1)),
        text=draw(TEXTS),
        token_ids=draw(ints(n)),
        token_texts=tuple(draw(st.lists(TEXTS, min_size=n, max_size=n))),
        logprobs=draw(floats(n)),
        sampler_logprobs=draw(floats(n)),
        ranks=draw(ints(n)),
        entropies=draw(floats(n)),
        top=draw(alternatives(n)),
    )


@st.composite
def divergences(draw):
    n = draw(LENGTHS)
    reference = draw(st.text("0123456789abcdef", max_size=64))
    return Divergence(reference, draw(floats(n)), draw(floats(n)), draw(floats(n)))


NEXT = st.builds(NextToken, alternatives(1), DOUBLES, DOUBLES)
TARGETS = st.builds(TargetScore, TEXTS, st.lists(INTS).map(tuple), DOUBLES, INTS)
SIMILARITIES = LENGTHS.flatmap(floats)
PARTS = scores() | continuations() | NEXT | TARGETS | divergences() | SIMILARITIES


@given(PARTS)
def test_what_is_stored_comes_back_to_the_last_bit(part):
    assert exact(decode(name_of(part), encode(part))) == exact(part)


@given(PARTS, st.data())
def test_damage_is_noticed(part, data):
    stored = bytearray(encode(part))
    at = data.draw(st.integers(0, len(stored) - 1))
    stored[at] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(DamagedPayload):
        assert exact(decode(name_of(part), bytes(stored))) == exact(part)  # a bit that says nothing


@given(PARTS, st.integers(0, 400))
def test_a_torn_payload_is_damaged(part, length):
    stored = encode(part)
    if length < len(stored):
        with pytest.raises(DamagedPayload):
            decode(name_of(part), stored[:length])


@given(st.binary(max_size=200))
def test_what_was_never_a_part_is_damaged(noise):
    for payload in (noise, zlib.compress(noise)):
        with pytest.raises(DamagedPayload):
            decode("score", payload)


def test_a_part_under_another_name_is_damaged():
    with pytest.raises(DamagedPayload):
        decode("score", encode(TargetScore("a", (1,), -1.0, 1)))


def test_a_table_is_no_line_of_similarities():
    with pytest.raises(DamagedPayload):
        decode("similarity", encode(np.zeros((2, 3), np.float32)))


def test_the_store_takes_few_bytes():
    ids = np.arange(640).reshape(64, 10)
    top = Alternatives(ids.astype(np.int64), np.random.default_rng(0).random((64, 10), np.float32))
    column = np.zeros(64, np.float32)
    part = Score(ids[:, 0], column, ids[:, 0], column, top)
    assert len(encode(part)) < 5000
