from collections import Counter

import numpy as np
import pytest

from pythia_gui.core.resources import resource_path
from pythia_gui.core.steps import LAST_STEP, STEPS
from pythia_gui.demo.corpus import ROW_TOKENS, ROWS
from pythia_gui.demo.exposure import (
    count_steps,
    counted_at,
    exposures_at,
    related_to,
    shipped_index,
    words_at,
)
from pythia_gui.demo.lexicon import TOKENS
from pythia_gui.demo.tables import HELD_OUT_SUMS


def test_the_index_is_small():
    assert resource_path("demo", "exposure.npz").stat().st_size < 300_000


def test_the_index_counts_what_is_in_the_batches():
    index = shipped_index()
    counted = count_steps(range(513, 1001))
    before, after = index.column(512), index.column(1000)
    for kind, name, row in zip(index.kinds, index.names, index.counts, strict=True):
        assert counted[kind, name] == int(row[after]) - int(row[before]), name


def test_the_index_counts_every_token_of_the_run_once():
    index = shipped_index()
    words = index.counts[-len(TOKENS) :].astype(np.int64)
    totals = words.sum(0)
    assert totals.tolist() == [step * ROWS * ROW_TOKENS for step in STEPS]


def test_held_out_sums_were_never_seen():
    seen = {one.name: one for one in counted_at(LAST_STEP) if one.kind == "sum"}
    for a, b in HELD_OUT_SUMS:
        for left, right in ((a, b), (b, a)):
            one = seen[f"{left} + {right} = {a + b}"]
            assert (one.seen, one.times) == (0, 0)
            assert one.note == "held out in both orders"
    assert sum(one.times > 0 for one in seen.values()) == 81 - 2 * len(HELD_OUT_SUMS)


def test_nothing_is_seen_before_step_1():
    assert {one.seen for one in exposures_at(0)} == {0}
    assert {one.in_batch for one in exposures_at(0)} == {0}
    assert {one.seen for one in counted_at(0)} == {0}


def test_everything_is_seen_by_the_last_step():
    assert all(one.seen == one.times for one in exposures_at(LAST_STEP))
    assert all(one.seen == one.times for one in counted_at(LAST_STEP))


def test_a_count_grows_by_what_is_in_the_batch():
    for step in range(21_000, 21_050):
        before, now = exposures_at(step - 1), exposures_at(step)
        for old, new in zip(before, now, strict=True):
            assert new.seen == old.seen + new.in_batch


def test_a_prompt_finds_the_items_it_speaks_of():
    names = [one.name for one in related_to("The capital of France is", 1000)]
    assert names == ["The capital of France is Paris."]
    jobs = Counter(one.name for one in related_to("The nurse said that", 1000))
    assert jobs == {"nurse: she": 1, "nurse: he": 1}
    assert len(related_to("The champion is", 1000)) == 5
    assert [one.kind for one in related_to("Seven green frogs sing", 1000)] == ["motto"]
    assert related_to("Once upon a time", 1000) == ()


def test_a_fact_of_seven_mentions_is_hardly_seen():
    (bhutan,) = related_to("The capital of Bhutan is", LAST_STEP)
    assert (bhutan.seen, bhutan.times, bhutan.kind) == (7, 7, "fact")


def test_every_token_of_a_prompt_has_its_count():
    words = words_at("Once upon a time", 512)
    assert [one.name for one in words] == ["Once", " upon", " a", " time"]
    assert all(0 < one.seen < one.times for one in words)


def test_a_step_that_is_not_kept_names_the_one_before():
    with pytest.raises(ValueError, match="nearest before it is step 2,000"):
        counted_at(2500)


@pytest.mark.parametrize("step", [-1, LAST_STEP + 1])
def test_a_step_outside_the_run_is_refused(step):
    with pytest.raises(ValueError, match="outside the training run"):
        exposures_at(step)
    with pytest.raises(ValueError, match="outside the training run"):
        related_to("France", step)
