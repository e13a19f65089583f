"""Words that differ between texts are found, whole, whatever the tokens' borders are."""

import time

from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.ui.differences import differing_words, with_changes, with_differences
from pythia_gui.ui.values import ShownText
from tests.ui.samples import text


def marked(columns):
    """The text of the marked tokens of each column."""
    return [
        "".join(token for token, differs in zip(column, marks, strict=True) if differs)
        for column, marks in zip(columns, differing_words(columns), strict=True)
    ]


def test_equal_texts_differ_nowhere():
    column = ["The", " cat", " sat", "."]
    assert marked([column, column, column]) == ["", "", ""]


def test_the_words_that_differ_are_marked_in_each():
    assert marked([["The", " cat", " sat"], ["The", " dog", " sat"]]) == [" cat", " dog"]


def test_all_tokens_of_a_word_are_marked():
    assert marked([["The", " Ber", "lin", "."], ["The", " Bern", "."]]) == [" Berlin", " Bern"]


def test_the_same_word_cut_into_other_tokens_is_the_same():
    assert marked([["Par", "is"], ["Paris"]]) == ["", ""]


def test_an_inserted_word_is_marked_where_it_is():
    assert marked([["a", " b", " c"], ["a", " x", " b", " c"]]) == ["", " x"]


def test_a_word_is_marked_if_one_of_several_columns_lacks_it():
    assert marked([["a", " b"], ["a", " b"], ["a", " c"]]) == [" b", " b", " c"]


def test_one_column_or_none_has_no_differences():
    assert differing_words([]) == ()
    assert marked([["a", " b"]]) == [""]
    assert marked([[], ["a"]]) == ["", "a"]


def test_six_columns_of_one_repeated_word_take_no_time():
    same, other = [" the"] * 2_048, [" the", " of"] * 1_024
    start = time.perf_counter()
    differing_words([same, other] * 3)
    assert time.perf_counter() - start < 2


words = st.lists(st.sampled_from(["a", " b", " cc", " d", ".", " ", "e\n"]), max_size=12)


@given(words, words)
def test_what_is_not_marked_reads_the_same_in_both(one, other):
    first, second = differing_words([one, other])

    def kept(column, marks):
        plain = "".join(" " if mark else token for token, mark in zip(column, marks, strict=True))
        return plain.split()

    assert len(first) == len(one)
    assert len(second) == len(other)
    together = "".join(kept(one, first)), "".join(kept(other, second))
    assert together[0] == together[1]


def test_a_text_that_is_being_written_is_compared_as_far_as_it_goes():
    full = text(["The", " cat", " sat", " down"])
    growing = text(["The", " cat"], state="streaming")
    compared = with_differences((full, growing))
    assert not any(token.differs for shown in compared for token in shown.tokens)


def test_texts_that_are_not_there_are_left_out_of_the_comparison():
    full = text(["The", " cat"])
    other = text(["The", " dog"])
    missing = ShownText("demo-s", 4, state="error", message="no weights")
    compared = with_differences((full, missing, other))
    assert compared[1] == missing
    assert [token.differs for token in compared[0].tokens] == [False, True]


def test_marking_twice_changes_nothing():
    once = with_differences((text(["a", " b"]), text(["a", " c"])))
    assert with_differences(once) == once


def changed(columns):
    """The text of the marked tokens of each column, compared with its left neighbour."""
    return [
        "".join(token.text for token in shown.tokens if token.differs)
        for shown in with_changes([text(column) for column in columns])
    ]


def test_each_column_is_compared_with_its_left_neighbour_and_the_first_with_the_next():
    columns = [["The", " cat", " sat"], ["The", " dog", " sat"], ["The", " dog", " ran"]]
    assert changed(columns) == [" cat", " dog", " ran"]
    assert changed([["The", " cat"]]) == [""]


def test_a_column_without_a_text_is_passed_over():
    empty = ShownText("demo-s", 1, state="waiting")
    marked = with_changes([text(["The", " cat"]), empty, text(["The", " dog"])])
    assert marked[1] is empty
    assert [token.differs for token in marked[2].tokens] == [False, True]


@given(st.lists(words, min_size=1, max_size=4))
def test_a_column_that_says_what_its_neighbour_says_has_no_mark(columns):
    doubled = [column for column in columns for _ in range(2)]
    assert all(said == "" for said in changed(doubled)[1::2])
