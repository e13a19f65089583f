"""Which prompt grew out of which is followed wherever a token is taken, and can be undone."""

import pytest

from pythia_gui.ui.branching import Branching
from pythia_gui.ui.questions import Wording, tokenizer_of

SHA, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def branching(qapp):
    made = Branching()
    made.follow("a b", (1, 2), SHA)
    made.follow("a b x", (1, 2, 9), SHA, " x")
    return made


@pytest.fixture
def asked(workspace, qtbot):
    def ask(text):
        workspace.write_prompt(text)
        workspace.run()
        qtbot.waitUntil(lambda: workspace.settled)

    workspace.show_model("demo-s")
    ask("ab")
    return ask


def names(branching):
    return [(branch.number, branch.parent, branch.token_text) for branch in branching.tree.branches]


def test_a_token_taken_grows_a_branch_under_the_one_on_screen(branching):
    assert names(branching) == [(1, None, ""), (2, 1, " x")]
    assert branching.current.number == 2
    branching.follow("a b x y", (1, 2, 9, 8), SHA, " y")
    assert names(branching)[-1] == (3, 2, " y")


def test_a_known_prompt_is_found_again(branching):
    branching.follow("a b", (1, 2), SHA)
    assert branching.current.number == 1
    assert len(branching.tree.branches) == 2
    branching.follow("a b z", (1, 2, 7), SHA, " z")
    assert names(branching)[-1] == (3, 1, " z")


@pytest.mark.parametrize(
    ("ids", "sha", "taken"),
    [((1, 2, 9, 8), SHA, None), ((1, 2, 9, 8), OTHER, " y"), ((5, 6), SHA, " y")],
    ids=["typed", "another tokenizer", "of another prompt"],
)
def test_what_does_not_go_on_from_it_is_a_root(branching, ids, sha, taken):
    branching.follow("other", ids, sha, taken)
    assert branching.tree.branches[-1].parent is None


def test_everything_done_to_the_tree_is_undone_and_done_again(branching):
    branching.rename(2, "the other")
    branching.annotate(2, "why?")
    branching.remove(1)
    states = []
    while branching.undo_stack.canUndo():
        states.append(branching.tree)
        branching.undo_stack.undo()
    assert [len(tree.branches) for tree in states] == [0, 2, 2, 2, 1]
    assert states[1].get(2).note == "why?"
    assert states[2].get(2).name == "the other"
    assert states[2].get(2).note == ""
    assert branching.tree.branches == ()
    for tree in reversed(states):
        branching.undo_stack.redo()
        assert branching.tree == tree


def test_a_branch_that_is_undone_gives_way_to_the_one_it_grew_from(branching):
    branching.undo_stack.undo()
    assert branching.current.number == 1
    branching.undo_stack.undo()
    assert branching.current is None


def test_a_name_that_changes_nothing_can_not_be_undone(branching):
    steps = branching.undo_stack.count()
    branching.rename(2, "")
    assert branching.undo_stack.count() == steps


def test_taking_a_token_in_the_text_grows_a_branch(workspace, asked, qtbot):
    view = workspace._text_view()
    position = len("ab") + 3
    choice = view.tokens[position].choices[0]
    workspace.continue_from(position, choice.token_id)
    root, branch = workspace.branching.tree.branches
    assert root.text == "ab"
    before = tuple(token.token_id for token in view.tokens[:position])
    assert branch.token_ids == (*before, choice.token_id)
    assert (branch.parent, branch.position) == (root.number, position)
    assert workspace.wording.token_ids == branch.token_ids


def test_taking_a_token_in_a_column_grows_a_branch(workspace, asked, qtbot):
    workspace.show_columns(True)
    qtbot.waitUntil(lambda: workspace.settled)
    workspace.continue_column_from(0, 2, workspace._column_views()[0].tokens[2].choices[1].token_id)
    assert workspace.branching.current.parent == workspace.branching.tree.roots()[0].number


def test_the_way_back_and_forward_moves_in_the_tree_and_adds_nothing(workspace, asked, qtbot):
    workspace.continue_from(3, 70)
    branch = workspace.branching.current
    workspace.go_back()
    assert workspace.branching.current.text == "ab"
    workspace.go_forward()
    assert workspace.branching.current == branch
    assert len(workspace.branching.tree.branches) == 2


def test_another_typed_prompt_is_another_root(workspace, asked):
    asked("cd")
    assert [root.text for root in workspace.branching.tree.roots()] == ["ab", "cd"]


def test_a_branch_is_asked_again_as_exactly_its_tokens(workspace, asked, qtbot):
    root = workspace.branching.current
    workspace.continue_from(3, 70)
    wording = Wording(root.text, root.token_ids, root.tokenizer_sha256)
    assert root.tokenizer_sha256 == tokenizer_of(workspace.library, "demo-s")
    told: list[object] = []
    workspace.wording_changed.connect(told.append)
    workspace.reword(wording)
    assert told == [wording]
    assert workspace.asking(endings=False).token_ids == root.token_ids
    assert workspace.branching.current == root
    workspace.go_back()
    assert workspace.branching.current.parent == root.number


def test_the_beginning_of_a_continuation_is_remembered_for_its_own_branch(workspace, asked, qtbot):
    first = workspace.branching.current.number
    written = "".join(token.text for token in workspace._text_view().tokens if token.written)
    assert workspace.branching.begun(first) == written
    workspace.continue_from(3, 70)
    qtbot.waitUntil(lambda: workspace.settled)
    second = workspace.branching.current.number
    assert workspace.branching.begun(second) not in ("", written)
    assert workspace.branching.begun(first) == written
