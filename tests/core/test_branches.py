"""The tree of branches changes by pure functions, hangs together, and survives JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.branches import (
    MOST_ROOTS,
    BranchError,
    Tree,
    annotated,
    from_json,
    grows,
    path,
    renamed,
    subtree,
    to_json,
    with_branch,
    with_root,
    without,
)

SHA = "ab" * 32


@pytest.fixture
def grown():
    """1 the prompt; 2 took 9 after it; 3 took 8 in what follows 2; 4 took 7 in the prompt."""
    tree = with_root(Tree(), "a b", (1, 2), SHA)
    tree = with_branch(tree, 1, "a b i", (1, 2, 9), " i")
    tree = with_branch(tree, 2, "a b i x h", (1, 2, 9, 5, 8), " h")
    return with_branch(tree, 1, "a g", (1, 7), " g")


@st.composite
def trees(draw):
    tree = with_root(Tree(), draw(st.text()), (1, 2), SHA)
    texts = st.text(max_size=8)
    for kind in draw(st.lists(st.sampled_from("rbnax"), max_size=24)):
        numbers = [branch.number for branch in tree.branches]
        if kind == "r" or not numbers:
            ids = tuple(draw(st.lists(st.integers(0, 9), max_size=3)))
            tree = with_root(tree, draw(texts), ids, SHA)
            continue
        number = draw(st.sampled_from(numbers))
        above = tree.get(number).token_ids
        if kind == "b":
            ids = (*above[: draw(st.integers(0, len(above)))], draw(st.integers(0, 9)))
            tree = with_branch(tree, number, draw(texts), ids, draw(texts))
        else:
            change = {"n": renamed, "a": annotated}.get(kind)
            tree = change(tree, number, draw(texts)) if change else without(tree, number)
    return tree


def numbers(branches):
    return [branch.number for branch in branches]


def test_a_branch_knows_its_place_and_the_token_taken(grown):
    third = grown.get(3)
    assert (third.parent, third.position, third.token_id) == (2, 4, 8)
    assert third.tokenizer_sha256 == SHA
    assert numbers(grown.children(1)) == [2, 4]
    assert numbers(path(grown, 3)) == [1, 2, 3]
    assert numbers(subtree(grown, 2)) == [2, 3]


def test_removing_a_branch_takes_what_grew_out_of_it_and_nothing_else(grown):
    assert numbers(without(grown, 2).branches) == [1, 4]
    assert numbers(grown.branches) == [1, 2, 3, 4]


def test_a_number_is_never_used_again(grown):
    again = with_branch(without(grown, 4), 1, "a f", (1, 6), " f")
    assert numbers(again.branches) == [1, 2, 3, 5]


def test_names_and_notes_change_one_branch_alone(grown):
    changed = annotated(renamed(grown, 2, "  the other  "), 2, "why?")
    assert (changed.get(2).name, changed.get(2).note) == ("the other", "why?")
    others = [branch for branch in changed.branches if branch.number != 2]
    assert others == [branch for branch in grown.branches if branch.number != 2]


def test_a_prompt_that_shares_nothing_with_a_branch_does_not_grow_from_it(grown):
    assert not grows(grown.get(2), (1, 3, 4))
    assert not grows(grown.get(2), ())
    with pytest.raises(BranchError, match="does not go on"):
        with_branch(grown, 2, "", (1, 3, 4), "")


@pytest.mark.parametrize("change", [without, subtree, path])
def test_what_is_not_there_is_refused(grown, change):
    with pytest.raises(BranchError, match="no branch 77"):
        change(grown, 77)


def test_of_too_many_prompts_the_oldest_go_with_their_branches():
    tree = with_branch(with_root(Tree(), "old", (1,), SHA), 1, "old x", (1, 2), " x")
    for number in range(MOST_ROOTS):
        tree = with_root(tree, f"prompt {number}", (number, 50), SHA)
    assert len(tree.roots()) == MOST_ROOTS
    assert numbers(tree.branches)[0] == 3


def test_the_oldest_branch_of_the_same_tokens_and_tokenizer_is_found(grown):
    assert grown.find((1, 7), SHA).number == 4
    assert grown.find((1, 7), "cd" * 32) is None
    assert grown.find((7,), SHA) is None


@given(trees())
def test_json_gives_the_same_tree_back(tree):
    assert from_json(to_json(tree)) == tree


@given(trees())
def test_every_branch_hangs_on_an_older_one_and_grows_from_it(tree):
    for branch in tree.branches:
        assert branch.number <= tree.made
        if branch.parent is not None:
            above = tree.get(branch.parent)
            assert above.number < branch.number
            assert grows(above, branch.token_ids)
            assert path(tree, branch.number)[-2] == above


@given(trees(), st.data())
def test_removing_leaves_neither_a_branch_nor_its_own(tree, data):
    if tree.branches:
        number = data.draw(st.sampled_from(numbers(tree.branches)))
        gone = set(numbers(subtree(tree, number)))
        left = numbers(without(tree, number).branches)
        assert left == [one for one in numbers(tree.branches) if one not in gone]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tree: tree.update(format=9),
        lambda tree: tree.update(made=1),
        lambda tree: tree["branches"][1].update(parent=44),
        lambda tree: tree["branches"][1].update(number=1),
        lambda tree: tree["branches"][1].update(token_ids=["x"]),
        lambda tree: tree["branches"][1].update(name=3),
        lambda tree: tree["branches"][1].update(position=True),
        lambda tree: tree["branches"][1].update(extra=1),
        lambda tree: tree["branches"].append(5),
    ],
)
def test_a_damaged_tree_is_refused(grown, spoil):
    read = json.loads(to_json(grown))
    spoil(read)
    with pytest.raises(BranchError):
        from_json(json.dumps(read))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 1}'])
def test_what_is_no_tree_is_refused(text):
    with pytest.raises(BranchError):
        from_json(text)
