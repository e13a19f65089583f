"""A key names what was computed: every parameter changes it, no label does."""

import hashlib
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.keys import (
    canonical_sha256,
    continuation_key,
    divergence_key,
    line_sha256,
    next_key,
    score_key,
    similarity_key,
    target_key,
)
from pythia_gui.core.neox_config import NeoxConfig
from pythia_gui.core.requests import Checkpoint, Continue, Prompt, Sampling, Target

AT = Checkpoint(
    model="pythia-70m",
    step=512,
    tokens_seen=1,
    folder="/somewhere",
    config=NeoxConfig(2, 32, 2, 128, 272, 96),
    tokenizer_file="/somewhere/tokenizer.json",
    tokenizer_sha256="t" * 64,
    config_sha256="c" * 64,
    weights_sha256="w" * 64,
)
REFERENCE, EARLIER = replace(AT, weights_sha256="r" * 64), replace(AT, weights_sha256="e" * 64)
LABELS: dict[str, Any] = {
    "model": "another",
    "step": 7,
    "tokens_seen": None,
    "folder": None,
    "tokenizer_file": "/elsewhere/tokenizer.json",
    "training_dtype": "bfloat16",
    "repo": "owner/name",
    "revision": "step512",
    "commit": "0" * 40,
    "config": NeoxConfig(3, 32, 2, 128, 272, 96),
}
CONTENTS: tuple[Any, ...] = ("weights_sha256", "config_sha256", "tokenizer_sha256")
PROMPT = Prompt("text", (5, 6, 7), (Target(" end", (5, 6), (8, 9)),))
SAMPLED = Sampling(temperature=0.7, top_k=40, top_p=0.9, min_p=0.05, seed=3, stop=("\n",))
CONTINUE = Continue(16, samples=2, sampling=SAMPLED)


def all_keys(
    at=AT, prompt=PROMPT, *, dtype="float32", device="cpu", what=CONTINUE, sample=1, top_k=10
):
    """Return the key of every part, with the given parameters instead of the usual ones."""
    line = line_sha256((REFERENCE, EARLIER))
    return [
        score_key(at, dtype, device, prompt, top_k),
        next_key(at, dtype, device, prompt, top_k),
        target_key(at, dtype, device, prompt.targets[0]),
        continuation_key(at, dtype, device, prompt, what, sample, top_k),
        divergence_key(at, dtype, device, prompt, REFERENCE),
        similarity_key(at, dtype, device, prompt, line),
    ]


def continued(at=AT, prompt=PROMPT, sample=1, **sampling):
    what = replace(CONTINUE, sampling=replace(SAMPLED, **sampling))
    return continuation_key(at, "float32", "cpu", prompt, what, sample, 10)


def test_every_field_of_a_checkpoint_is_either_a_label_or_content():
    assert {*LABELS, *CONTENTS} == {field.name for field in fields(Checkpoint)}


@pytest.mark.parametrize("label", LABELS)
def test_a_label_never_changes_a_key(label):
    assert all_keys(replace(AT, **{label: LABELS[label]})) == all_keys()


@pytest.mark.parametrize("content", CONTENTS)
def test_other_content_changes_every_key(content):
    other: dict[str, Any] = {content: "0" * 64}
    changed = all_keys(replace(AT, **other))
    assert not {*changed} & {*all_keys()}


@pytest.mark.parametrize("changed", [{"dtype": "float16"}, {"device": "cuda"}])
def test_dtype_and_device_class_change_every_key(changed):
    assert not {*all_keys(**changed)} & {*all_keys()}


def test_the_key_of_a_score_is_the_sha256_of_this_text():
    """Answers that people have stored are found under this text and no other."""
    text = (
        f'{{"config":"{"c" * 64}","device":"cpu","dtype":"float32","ids":[5,6,7],"part":"score",'
        f'"tokenizer":"{"t" * 64}","top_k":10,"version":1,"weights":"{"w" * 64}"}}'
    )
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert score_key(AT, "float32", "cpu", PROMPT, 10) == expected


def test_the_parts_of_one_question_have_different_keys():
    assert len({*all_keys()}) == len(all_keys())


def test_the_number_of_alternatives_changes_the_keys_of_the_parts_that_list_them():
    before, after = all_keys(), all_keys(top_k=11)
    equal = [a == b for a, b in zip(before, after, strict=True)]
    assert equal == [False, False, True, False, True, True]


def test_the_words_of_a_prompt_are_a_label_and_its_tokens_are_not():
    assert all_keys(prompt=replace(PROMPT, text="other", cut=3, from_start=True)) == all_keys()
    before, after = all_keys(), all_keys(prompt=replace(PROMPT, token_ids=(5, 6, 8)))
    equal = [a == b for a, b in zip(before, after, strict=True)]
    assert equal == [False, False, True, False, False, False]


def test_context_and_tokens_of_a_target_change_its_key_and_its_words_do_not():
    def key(**changed):
        return target_key(AT, "float32", "cpu", replace(PROMPT.targets[0], **changed))

    assert key(text="other") == key()
    assert len({key(), key(context_ids=(5,)), key(token_ids=(8,))}) == 3


def test_a_token_moved_from_the_target_to_its_context_changes_the_key():
    moved = Target(" end", (5, 6, 8), (9,))
    assert target_key(AT, "float32", "cpu", moved) != target_key(
        AT, "float32", "cpu", PROMPT.targets[0]
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"temperature": 0.8},
        {"top_k": 41},
        {"top_p": 0.91},
        {"min_p": 0.06},
        {"seed": 4},
        {"stop": ("\n\n",)},
        {"stop": ()},
        {"sample": 0},
    ],
)
def test_every_setting_of_the_sampler_changes_the_key_of_a_sampled_text(changed):
    assert continued(**changed) != continued()


def test_the_length_of_a_continuation_changes_its_key_and_the_number_of_samples_does_not():
    assert all_keys(what=replace(CONTINUE, max_new_tokens=17))[3] != all_keys()[3]
    assert all_keys(what=replace(CONTINUE, samples=9))[3] == all_keys()[3]


def test_a_greedy_text_has_one_key_whatever_the_settings_that_it_ignores():
    greedy = {"temperature": 0}
    ignored = {"top_k": 2, "top_p": 0.5, "min_p": 0.5, "seed": 99, "sample": 5}
    assert continued(**greedy) == continued(**greedy, **ignored)
    assert continued(**greedy) != continued(**greedy, stop=())


def test_a_whole_number_and_the_same_real_number_give_one_key():
    assert continued(temperature=1, top_p=1, min_p=0) == continued(
        temperature=1.0, top_p=1.0, min_p=0.0
    )


def test_weights_of_unknown_content_have_no_key():
    with pytest.raises(ValueError, match="SHA-256"):
        all_keys(replace(AT, weights_sha256=None))


IDS = st.lists(st.integers(0, 60_000), min_size=1, max_size=6).map(tuple)


@given(IDS, IDS)
def test_two_prompts_share_keys_exactly_when_they_share_tokens(first, second):
    ours = [all_keys(prompt=replace(PROMPT, token_ids=ids)) for ids in (first, second)]
    assert (ours[0] == ours[1]) == (first == second)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES))
def test_the_order_in_which_a_mapping_was_filled_does_not_matter(value):
    assert canonical_sha256(value) == canonical_sha256(dict(reversed(value.items())))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_lacks_is_refused(number):
    with pytest.raises(ValueError, match="JSON"):
        canonical_sha256({"number": number})


def apart(reference):
    return divergence_key(AT, "float32", "cpu", PROMPT, reference)


@pytest.mark.parametrize("label", LABELS)
def test_a_label_of_the_reference_never_changes_the_key_of_a_divergence(label):
    assert apart(replace(REFERENCE, **{label: LABELS[label]})) == apart(REFERENCE)


@pytest.mark.parametrize("content", ["weights_sha256", "config_sha256"])
def test_another_reference_changes_the_key_of_a_divergence(content):
    other: dict[str, Any] = {content: "0" * 64}
    assert apart(replace(REFERENCE, **other)) != apart(REFERENCE)


def test_the_reference_and_the_checkpoint_are_not_interchangeable():
    assert apart(REFERENCE) != divergence_key(REFERENCE, "float32", "cpu", PROMPT, AT)


def test_which_checkpoints_came_earlier_and_in_what_order_changes_the_line():
    lines = [(), (REFERENCE,), (EARLIER,), (REFERENCE, EARLIER), (EARLIER, REFERENCE)]
    assert len({line_sha256(line) for line in lines}) == len(lines)
    assert line_sha256((replace(EARLIER, model="x", step=3),)) == line_sha256((EARLIER,))


def test_what_depends_on_weights_that_nobody_has_hashed_has_no_key():
    unknown = replace(REFERENCE, weights_sha256=None)
    with pytest.raises(ValueError, match="no key before"):
        apart(unknown)
    with pytest.raises(ValueError, match="no key before"):
        line_sha256((EARLIER, unknown))
