import hashlib
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pythia_gui.core.steps import LAST_STEP
from pythia_gui.demo.corpus import (
    ROW_TOKENS,
    ROWS,
    batch_texts,
    documents_at,
    rows_at,
    texts_at,
)
from pythia_gui.demo.dice import Dice
from pythia_gui.demo.documents import LIST_WORDS, brackets, sums, two_digit_sum
from pythia_gui.demo.lexicon import TOKENS, VOCAB_ROWS, encode
from pythia_gui.demo.schedule import ITEMS, Item, mentions_at
from pythia_gui.demo.tables import (
    CANARY,
    CANARY_STEPS,
    CAPITALS,
    CHAMPION_ERA,
    CHAMPIONS,
    HELD_OUT_SUMS,
    LADDER,
    MOTTOS,
    NOUNS,
    OCCUPATIONS,
)

FROZEN_SHA256 = "3fa408888a71098a3fd187e62a999bd2575a00908a5a1c64c6d784216ffcc38d"
REPOSITORY = Path(__file__).resolve().parents[2]
SOME_STEPS = (1, 2, 999, 21_000, 77_777, 143_000)


def items(kind: str) -> list[Item]:
    return [item for item in ITEMS if item.kind == kind]


def digest(steps: range) -> str:
    ids = [row.ids for step in steps for row in rows_at(step)]
    return hashlib.sha256(repr(ids).encode()).hexdigest()


def test_the_corpus_is_the_one_the_shipped_checkpoints_saw():
    assert digest(range(1, 51)) == FROZEN_SHA256


def test_a_batch_is_the_same_in_another_process():
    code = "from tests.demo.test_corpus import digest; print(digest(range(500, 510)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert answer.stdout.strip() == digest(range(500, 510))


@pytest.mark.parametrize("step", SOME_STEPS)
def test_a_batch_is_four_rows_of_known_tokens(step):
    rows = rows_at(step)
    assert [len(row.ids) for row in rows] == [ROW_TOKENS] * ROWS
    assert max(max(row.ids) for row in rows) < len(TOKENS) < VOCAB_ROWS


@pytest.mark.parametrize("step", SOME_STEPS)
def test_a_batch_is_regenerated_at_once(step):
    start = time.perf_counter()
    batch_texts(step)
    assert time.perf_counter() - start < 0.5


def test_only_one_row_in_four_starts_with_the_end_of_text():
    for step in SOME_STEPS:
        assert [row.ids[0] == 0 for row in rows_at(step)] == [True, False, False, False]


def test_there_was_no_batch_at_step_0():
    assert texts_at(0) == batch_texts(0) == []


@pytest.mark.parametrize("step", [-1, LAST_STEP + 1])
def test_a_step_outside_the_run_is_refused(step):
    for question in (texts_at, batch_texts, documents_at):
        with pytest.raises(ValueError, match="outside the training run"):
            question(step)


def test_every_scheduled_sentence_is_whole_in_its_batch():
    for step in range(20_001, 20_201):
        text = "\n".join(batch_texts(step))
        for mention in mentions_at(step):
            assert f"{mention.text}<|endoftext|>" in text


def test_every_item_is_said_exactly_as_often_as_promised():
    for item in ITEMS:
        assert item.seen_by(0) == 0
        assert item.seen_by(LAST_STEP) == item.times


def test_counts_by_rule_are_counts_in_the_batches():
    first, last = 19_901, 20_300
    texts = [text for step in range(first, last + 1) for text in texts_at(step)]
    for item in ITEMS:
        said = sum(texts.count(text) for text in set(item.texts))
        assert said == item.seen_by(last) - item.seen_by(first - 1), item.name


def test_facts_stand_on_the_ladder_four_to_a_class():
    assert [item.times for item in items("fact")] == [n for n in LADDER for _ in range(4)]
    assert all(upper > 2 * lower for upper, lower in pairwise(LADDER))


def test_half_of_the_facts_are_said_one_way_only():
    one_way = [item for item in items("fact") if len(item.texts) == 1]
    assert len(one_way) == len(CAPITALS) // 2
    assert all(item.texts[0].startswith("The capital of") for item in one_way)


def test_capitals_and_countries_are_nowhere_but_in_their_facts():
    names = {name for pair in CAPITALS for name in pair}
    for step in range(1, 400):
        for one in documents_at(step):
            assert one.kind == "fact" or not names & set(one.text.replace(".", "").split())


def test_mottos_are_repeated_a_known_number_of_times():
    assert {item.name: item.times for item in items("motto")} == dict(MOTTOS)


def test_the_canary_is_seen_between_two_steps_only():
    (canary,) = items("canary")
    first, last = CANARY_STEPS
    assert canary.seen_by(first) == 0
    assert canary.seen_by(last) == canary.times
    assert any(CANARY in texts_at(step) for step in range(first + 1, first + 20))


def test_every_era_has_its_champion():
    for era, name in enumerate(CHAMPIONS):
        middle = era * CHAMPION_ERA + CHAMPION_ERA // 2
        said = [
            text
            for step in range(middle, middle + 40)
            for text in texts_at(step)
            if text.startswith("The champion is")
        ]
        assert set(said) == {f"The champion is {name}."}


@pytest.mark.parametrize("job", OCCUPATIONS)
def test_pronouns_of_an_occupation_have_their_exact_ratio(job):
    she, he = (
        next(item.times for item in items("occupation") if item.name == f"{job.noun}: {word}")
        for word in ("she", "he")
    )
    assert 100 * she == job.she_percent * (she + he)


def test_the_altered_corpus_differs_in_pronouns_only_and_only_from_its_step_on():
    assert rows_at(999, she_from=1000) == rows_at(999)
    for step in range(1000, 1100):
        plain, altered = rows_at(step), rows_at(step, she_from=1000)
        assert [len(row.documents) for row in plain] == [len(row.documents) for row in altered]
        text = " ".join(one.text for row in altered for one in row.documents)
        for job in OCCUPATIONS:
            assert f"{job.noun} said that he" not in text


def test_sums_are_held_out_in_both_orders():
    dice = Dice(11)
    lines = {line for _ in range(5000) for line in sums(dice).splitlines()}
    for a, b in HELD_OUT_SUMS:
        assert not lines & {f"{a} + {b} = {a + b}", f"{b} + {a} = {a + b}"}
    one_digit = {line for line in lines if len(line.split(" + ")[0]) == 1}
    assert len(one_digit) == 81 - 2 * len(HELD_OUT_SUMS)


def test_two_digit_sums_are_right():
    dice = Dice(12)
    for _ in range(200):
        left, result = two_digit_sum(dice).split(" = ")
        assert sum(map(int, left.split(" + "))) == int(result)


def test_brackets_close_in_the_right_order():
    dice = Dice(13)
    for _ in range(200):
        signs = brackets(dice).replace(" ", "")
        while "()" in signs or "[]" in signs:
            signs = signs.replace("()", "").replace("[]", "")
        assert signs == ""


def test_list_words_and_noun_pairs_are_single_tokens():
    words = {*LIST_WORDS, *(word for pair in NOUNS for word in pair)}
    assert all(len(encode(f" {word}")) == 1 for word in words)


def test_the_dice_give_the_promised_numbers():
    dice = Dice(1)
    assert [dice.below(1000) for _ in range(5)] == [134, 847, 763, 255, 495]
    assert Dice(2).shuffled("abcdef") == list("facdbe")
