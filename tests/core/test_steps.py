import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pythia_gui.core.steps import (
    LAST_STEP,
    STEPS,
    TOKENS_PER_STEP,
    LeftOut,
    Selection,
    StepError,
    branch_of,
    even_positions,
    format_step,
    format_tokens,
    is_safe_revision,
    log2_positions,
    log_steps,
    select_steps,
    shown,
    snap,
    step_of_branch,
    step_of_revision,
    tick_label,
    token_positions,
    tokens_seen,
)

BAD = {0: "It serves the final model.", 2_000: "It serves the final model."}


def select(spec, available=STEPS, known_bad=None, *, include_known_bad=False):
    return select_steps(
        spec, available, known_bad or {}, include_known_bad=include_known_bad, model="demo-s"
    )


def chosen(spec, available=STEPS):
    return select(spec, available).steps


def complaint(spec, available=STEPS, known_bad=None):
    with pytest.raises(StepError) as caught:
        select(spec, available, known_bad)
    return str(caught.value)


def test_there_are_154_steps_and_the_last_has_seen_299_892_736_000_tokens():
    assert len(STEPS) == 154
    assert STEPS[:13] == (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000, 2_000)
    assert STEPS[-1] == LAST_STEP == 143_000
    assert list(STEPS) == sorted(set(STEPS))
    assert tokens_seen(LAST_STEP) == 299_892_736_000


def test_tokens_seen_follow_the_batch():
    assert tokens_seen(0) == 0
    assert tokens_seen(1) == TOKENS_PER_STEP == 2_097_152
    assert tokens_seen(3, batch_tokens=10) == 30


@pytest.mark.parametrize("step", STEPS)
def test_a_branch_name_leads_back_to_its_step(step):
    assert step_of_branch(branch_of(step)) == step


@pytest.mark.parametrize(
    "name",
    ["", "main", "step", "step-1", "step01", "Step1", "step1 ", "step1\n", "step12345678", "step١"],
)
def test_a_name_that_is_no_branch_of_a_step_has_none(name):
    assert step_of_branch(name) is None


def test_main_is_the_last_step_and_a_commit_has_no_step():
    assert step_of_revision("main") == 143_000
    assert step_of_revision("main", last_step=7) == 7
    assert step_of_revision("step512") == 512
    assert step_of_revision("a" * 40) is None


@pytest.mark.parametrize(
    "text", ["main", "step0", "step143000", "refs/pr/1", "0123456789abcdef" * 2 + "01234567"]
)
def test_a_revision_of_a_known_form_is_safe(text):
    assert is_safe_revision(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "main\n",
        "../main",
        "step",
        "step12345678",
        "step١",
        "refs/pr/",
        "refs/pr/١",
        "refs/heads/x",
        "A" * 40,
        "a" * 39,
        "main/../..",
        "step1?x=1",
    ],
)
def test_any_other_revision_is_not_safe(text):
    assert not is_safe_revision(text)


def test_log_steps_double_and_end_with_the_last():
    assert log_steps(STEPS) == (
        *(0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
        *(1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000),
        143_000,
    )


def test_log_steps_take_only_what_is_there():
    assert log_steps([9_000, 3, 512, 3_000]) == (512, 9_000)
    assert log_steps([]) == ()


def test_all_is_every_available_step_in_order():
    assert chosen("all", (512, 0, 1, 512)) == (0, 1, 512)


def test_log_is_the_log_spaced_steps():
    assert chosen("log") == log_steps(STEPS)


def test_a_list_is_sorted_and_named_once():
    assert chosen("143000, 0,512,0") == (0, 512, 143_000)


def test_a_range_holds_all_there_are_between_its_ends():
    assert chosen("256-2000") == (256, 512, 1_000, 2_000)


def test_a_range_with_a_stride_starts_at_its_start_and_holds_its_end():
    assert chosen("1000-20000:1000") == tuple(range(1_000, 20_001, 1_000))
    assert chosen("1000-6000:2000") == (1_000, 3_000, 5_000)


def test_a_range_with_a_stride_takes_those_of_its_grid_that_are_there():
    assert chosen("0-3000:500") == (0, 1_000, 2_000, 3_000)


def test_parts_mix():
    assert chosen("1,1000-2000,log", (0, 1, 3, 1_500, 1_700, 9_000)) == (0, 1, 1_500, 1_700, 9_000)


@pytest.mark.parametrize("spec", ["all", "log", "0-2000", "0-2000:1000"])
def test_known_bad_steps_are_left_out_with_their_reason(spec):
    selection = select(spec, known_bad=BAD)
    assert selection.left_out == tuple(LeftOut(step, reason) for step, reason in BAD.items())
    assert not set(selection.steps) & set(BAD)


def test_known_bad_steps_stay_when_asked_for():
    assert select("all", known_bad=BAD, include_known_bad=True) == Selection(STEPS, ())


def test_a_step_written_out_stays_even_if_it_is_known_bad():
    assert select("0,2000", known_bad=BAD) == Selection((0, 2_000), ())
    mixed = select("0-2000,0", known_bad=BAD)
    assert 0 in mixed.steps
    assert mixed.left_out == (LeftOut(2_000, BAD[2_000]),)


def test_a_known_bad_step_that_is_not_there_is_not_left_out():
    assert select("all", (1, 512), known_bad=BAD) == Selection((1, 512), ())


def test_a_choice_of_known_bad_steps_alone_says_the_way_out():
    assert complaint("0-2000:2000", known_bad=BAD) == (
        "every checkpoint of demo-s in 0-2000:2000 is known to be bad; "
        "include the known-bad ones or name the steps you want"
    )


def test_a_step_that_is_not_there_names_the_nearest():
    assert complaint("600") == "step 600 is not a checkpoint of demo-s; the nearest is step 512"
    assert complaint("0,999999").endswith("the nearest is step 143000")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "no step of demo-s is chosen"),
        (" , ,", "no step of demo-s is chosen"),
        ("0,,512", "has a comma with no step beside it"),
        ("0,", "has a comma with no step beside it"),
        ("5-1", "the range 5-1 runs backwards; write 1-5"),
        ("0-5:0", "has a stride of 0"),
        ("1e9", "1e9 is not a choice of steps"),
        ("-1", "-1 is not a choice of steps"),
        ("1--5", "is not a choice of steps"),
        ("1-5:", "is not a choice of steps"),
        ("512.0", "is not a choice of steps"),
        ("ALL", "is not a choice of steps"),
        ("all,all", "says all more than once"),
        ("log,0,log", "says log more than once"),
        ("5٣", "is not a choice of steps"),
        ("５１２", "is not a choice of steps"),
        ("²", "is not a choice of steps"),
        ("1_000", "is not a choice of steps"),
        ("513-999", "demo-s has no checkpoint in 513-999; the nearest to its start is step 512"),
        ("3-500:100", "demo-s has no checkpoint in 3-500:100"),
        ("12345678", "is beyond any step"),
        ("0-12345678", "is beyond any step"),
        ("0-9:" + "9" * 5_000, "is beyond any step"),
        ("0\n1", r"0\n1 is not a choice of steps"),
        ("\u202e", r"\u202e is not a choice of steps"),
        ("\ud800", r"\ud800 is not a choice of steps"),
    ],
)
def test_an_odd_choice_is_refused_in_one_sentence(spec, words):
    message = complaint(spec)
    assert words in message
    assert message.isprintable()
    assert len(message) < 200


def test_a_number_of_5000_digits_is_refused_and_shown_short():
    assert complaint("7" * 5_000) == (
        f"{'7' * 40}... is beyond any step; a step has 7 digits at most"
    )


def test_leading_zeros_do_not_matter():
    assert chosen("0" * 5_000 + "512") == (512,)


@pytest.mark.parametrize("spec", ["all", "log", "0", "0-5"])
def test_a_model_without_checkpoints_says_so(spec):
    assert complaint(spec, ()) == "demo-s has no checkpoint to choose from"


specs = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="0123456789-:,alog \n٣", max_size=30),
    st.lists(
        st.one_of(
            st.sampled_from(["all", "log", ""]),
            st.integers(-5, 200_000).map(str),
            st.tuples(st.integers(0, 9_000), st.integers(0, 9_000)).map("{0[0]}-{0[1]}".format),
            st.tuples(st.integers(0, 99), st.integers(0, 9_000), st.integers(0, 2_000)).map(
                "{0[0]}-{0[1]}:{0[2]}".format
            ),
        ),
        max_size=4,
    ).map(",".join),
)


@settings(deadline=None)
@given(
    spec=specs,
    available=st.one_of(st.just(list(STEPS)), st.lists(st.integers(0, 9_000), max_size=20)),
    bad=st.sets(st.integers(0, 9_000), max_size=20),
    include=st.booleans(),
)
def test_any_choice_is_refused_or_gives_available_steps_in_order(spec, available, bad, include):
    known_bad = dict.fromkeys(bad, "It is bad.")
    try:
        selection = select(spec, available, known_bad, include_known_bad=include)
    except StepError as error:
        message = str(error)
        assert message.isprintable()
        return
    left_out = [entry.step for entry in selection.left_out]
    assert list(selection.steps) == sorted(set(selection.steps))
    assert left_out == sorted(set(left_out))
    assert selection.steps
    assert set(selection.steps) | set(left_out) <= set(available)
    assert not set(selection.steps) & set(left_out)
    assert set(left_out) <= (set() if include else bad)


@settings(deadline=None)
@given(spec=st.sampled_from(["all", "log"]), available=st.sets(st.integers(0, 9_000), min_size=1))
def test_what_is_kept_and_left_out_together_is_what_was_chosen(spec, available):
    everything = select(spec, available).steps
    known_bad = dict.fromkeys(everything[1:], "It is bad.")
    selection = select(spec, available, known_bad)
    assert {*selection.steps, *(entry.step for entry in selection.left_out)} == set(everything)


def test_snapping_takes_the_nearest_and_of_two_the_lower():
    assert snap(600, STEPS) == 512
    assert snap(1_500, STEPS) == 1_000
    assert snap(1_501, STEPS) == 2_000
    assert snap(-3, STEPS) == 0
    assert snap(10**9, STEPS) == 143_000
    assert snap(2.6, (4, 1)) == 4


def test_snapping_to_nothing_is_refused():
    with pytest.raises(StepError, match="there is no checkpoint"):
        snap(5, ())


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.lists(st.integers(0, 200_000), min_size=1))
def test_no_step_is_nearer_than_the_one_snapped_to(wanted, available):
    nearest = snap(wanted, available)
    assert nearest in available
    assert abs(nearest - wanted) == min(abs(step - wanted) for step in available)


def test_axes_give_every_step_its_place():
    assert even_positions((0, 1, 512)).tolist() == [0.0, 1.0, 2.0]
    assert log2_positions((0, 1, 3, 143_000)).tolist() == [0.0, 1.0, 2.0, math.log2(143_001)]
    assert token_positions((0, 1_000)).tolist() == [0.0, 2_097_152_000.0]
    assert token_positions((2,), batch_tokens=8).tolist() == [16.0]
    assert even_positions(()).tolist() == log2_positions(()).tolist() == []


def test_a_step_is_written_with_its_thousands():
    assert format_step(4_000) == "step 4,000"
    assert format_step(0) == "step 0"


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (0, "0 tokens"),
        (1, "1 token"),
        (999, "999 tokens"),
        (1_000, "1.0 K tokens"),
        (999_949, "999.9 K tokens"),
        (999_950, "1.0 M tokens"),
        (2_097_152, "2.1 M tokens"),
        (2_097_152_000, "2.1 B tokens"),
        (8_388_608_000, "8.4 B tokens"),
        (299_892_736_000, "299.9 B tokens"),
        (1_500_000_000_000, "1.5 T tokens"),
    ],
)
def test_tokens_are_written_to_one_decimal_of_their_unit(tokens, text):
    assert format_tokens(tokens) == text


@pytest.mark.parametrize(
    ("step", "label"),
    [
        (0, "0"),
        (512, "512"),
        (1_000, "1k"),
        (1_500, "1.5k"),
        (1_024, "1,024"),
        (143_000, "143k"),
        (1_000_000, "1M"),
    ],
)
def test_a_tick_is_labelled_in_few_characters(step, label):
    assert tick_label(step) == label


def test_text_is_shown_short_and_without_invisible_characters():
    assert shown("step 512") == "step 512"
    assert shown("\x1b[1m\u200b") == r"\x1b[1m\u200b"
    assert shown("ab" * 40, limit=4) == "abab..."
