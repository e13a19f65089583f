"""When something was learned: intervals and kinds from measured steps alone, and the search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.acquisition import (
    Acquisition,
    Bracket,
    Found,
    acquisition,
    first_where,
    kind_of,
    next_look,
    search_all,
    stays_from,
)
from pythia_gui.core.steps import STEPS

RANKS = st.dictionaries(st.integers(0, 143_000), st.sampled_from([1, 2, 10, 11, 300]), max_size=40)
HOLDS = st.lists(st.booleans(), max_size=30)
SOME_STEPS = st.lists(st.integers(0, 143_000), min_size=1, max_size=80, unique=True).map(sorted)


# ----------------------------------------------------------------------------- by hand


def test_a_token_learned_once_has_three_intervals():
    ranks = {0: 300, 512: 40, 1_000: 7, 2_000: 2, 4_000: 1, 8_000: 1}
    assert acquisition(ranks) == Acquisition(
        Bracket(512, 1_000), Bracket(2_000, 4_000), Bracket(2_000, 4_000), "learned", 6
    )


def test_a_token_lost_and_learned_again_is_u_shaped_and_stays_from_its_return():
    found = acquisition({0: 50, 1: 1, 2: 3, 4: 1, 8: 1})
    assert (found.top1, found.stays, found.kind) == (Bracket(0, 1), Bracket(2, 4), "U-shaped")


def test_a_token_that_is_gone_at_the_end_is_transient_and_does_not_stay():
    found = acquisition({0: 50, 1: 1, 2: 1, 4: 3})
    assert (found.top1, found.stays, found.kind) == (Bracket(0, 1), None, "transient")


def test_a_token_known_at_the_first_step_has_intervals_without_a_beginning():
    assert acquisition({64: 1, 128: 1}) == Acquisition(
        Bracket(None, 64), Bracket(None, 64), Bracket(None, 64), "from the start", 2
    )


def test_a_token_in_the_top_ten_that_is_never_first_is_never_learned():
    assert acquisition({0: 30, 1: 10}) == Acquisition(Bracket(0, 1), None, None, "never", 2)


def test_nothing_measured_is_nothing_known():
    assert acquisition({}) == Acquisition(None, None, None, "never", 0)


@pytest.mark.parametrize(
    ("holds", "kind"),
    [
        ("0000", "never"),
        ("1111", "from the start"),
        ("0011", "learned"),
        ("0110", "transient"),
        ("1100", "transient"),
        ("0101", "U-shaped"),
        ("1011", "U-shaped"),
        ("01010", "comes and goes"),
        ("010101", "comes and goes"),
        ("10010", "comes and goes"),
        ("", "never"),
    ],
)
def test_the_kind_of_a_curve_tells_how_often_it_came_and_whether_it_stayed(holds, kind):
    assert kind_of([letter == "1" for letter in holds]) == kind


# -------------------------------------------------------------------------- in general


@given(RANKS)
def test_intervals_end_where_the_thing_holds_and_begin_at_the_step_before(ranks):
    steps = sorted(ranks)
    found = acquisition(ranks)
    after = dict(zip([None, *steps], steps, strict=False))
    for bracket, limit in ((found.top10, 10), (found.top1, 1), (found.stays, 1)):
        if bracket is not None:
            assert ranks[bracket.at] <= limit
            assert after[bracket.before] == bracket.at
            assert bracket.before is None or ranks[bracket.before] > limit


@given(RANKS)
def test_the_top_ten_comes_no_later_than_the_top_and_that_no_later_than_staying(ranks):
    found = acquisition(ranks)
    if found.stays is not None:
        assert found.top1 is not None
        assert found.top1.at <= found.stays.at
        assert all(rank == 1 for step, rank in ranks.items() if step >= found.stays.at)
    if found.top1 is not None:
        assert found.top10 is not None
        assert found.top10.at <= found.top1.at
        assert all(rank > 1 for step, rank in ranks.items() if step < found.top1.at)


@given(HOLDS)
def test_what_is_learned_for_good_is_just_what_holds_at_the_end(holds):
    for_good = kind_of(holds) in ("learned", "U-shaped", "from the start")
    steps = range(len(holds))
    assert (stays_from(steps, holds) is not None) == bool(holds and holds[-1])
    if kind_of(holds) != "comes and goes":
        assert for_good == bool(holds and holds[-1])


@given(HOLDS)
def test_a_step_curve_is_first_and_stays_at_the_same_interval(holds):
    steps = range(len(holds))
    same = first_where(steps, holds) == stays_from(steps, holds)
    assert same == (kind_of(holds) in ("never", "learned", "from the start"))


@given(RANKS, st.integers(0, 143_000))
def test_measuring_another_step_never_makes_the_first_interval_later(ranks, step):
    before, after = acquisition(ranks), acquisition({step: 11} | ranks)
    for old, new in ((before.top10, after.top10), (before.top1, after.top1)):
        assert (old is None) == (new is None)
        assert old is None or new is None or new.at == old.at


# -------------------------------------------------------------------------- the search


@given(SOME_STEPS, st.integers(0, 143_001))
def test_the_search_finds_what_measuring_every_step_finds_where_it_stays_known(steps, learned):
    found = search_all(steps, lambda step: step >= learned)
    assert found.bracket == first_where(steps, [step >= learned for step in steps])
    assert found.contradictions == ()


def test_the_search_looks_at_a_dozen_of_154_checkpoints():
    looks = [len(search_all(STEPS, learned.__le__).known) for learned in STEPS]
    assert max(looks) <= 12


@given(SOME_STEPS, st.integers(0, 143_000))
def test_the_search_has_looked_at_the_neighbours_of_what_it_found(steps, learned):
    found = search_all(steps, lambda step: step >= learned)
    if found.bracket is not None:
        place = steps.index(found.bracket.at)
        assert set(steps[max(place - 2, 0) : place + 2]) <= set(found.known)


def test_a_search_that_meets_a_loss_beside_its_find_says_so():
    known = {0: False, 1: False, 2: True, 4: False, 8: True, 16: True}
    found = search_all(sorted(known), known.__getitem__)
    assert found.bracket == Bracket(1, 2)
    assert found.contradictions == (4,)


def test_what_is_not_known_at_the_end_is_not_searched_for():
    found = search_all([0, 1, 2, 4], lambda step: step == 2)
    assert found == Found(None, {4: False}, ())


@given(SOME_STEPS, st.integers(0, 143_001), st.data())
def test_looking_one_step_at_a_time_comes_to_what_the_search_comes_to(steps, learned, data):
    known = {}
    extra = data.draw(st.sets(st.sampled_from(steps), max_size=3))
    known.update({step: step >= learned for step in extra})
    look = next_look(steps, known)
    while not isinstance(look, Found):
        assert look not in known
        known[look] = look >= learned
        look = next_look(steps, known)
    assert look.bracket == search_all(steps, lambda step: step >= learned).bracket
    assert look.known == known
    assert look.contradictions == ()


def test_a_step_measured_for_another_reason_can_contradict_a_search():
    steps = list(range(20))
    known = {3: True}
    look = next_look(steps, known)
    while not isinstance(look, Found):
        known[look] = look >= 12
        look = next_look(steps, known)
    assert look.bracket == Bracket(11, 12)
    assert look.contradictions == (3,)


def test_a_search_that_found_nothing_is_contradicted_by_a_step_where_it_was_known():
    look = next_look([0, 1, 2, 4], {2: True, 4: False})
    assert isinstance(look, Found)
    assert (look.bracket, look.contradictions) == (None, (2,))
