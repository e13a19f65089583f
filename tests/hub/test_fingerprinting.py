"""Planted duplicates are found from the hashes that a Hub on 127.0.0.1 gives, and nothing else is.

No weight file is ever asked for.
"""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.defects import defects_of
from pythia_gui.core.fingerprint import CheckpointError, weight_files, weights_sha256
from pythia_gui.core.steps import EARLY_STEPS, LAST_STEP, STEPS
from pythia_gui.hub.fingerprinting import find, published, weight_sets
from pythia_gui.hub.listing import HubFile, Revision, Revisions, Tree

OTHER = "somebody/other-model"
SINGLE = "model.safetensors"
BIN = "pytorch_model.bin"
BIN_INDEX = "pytorch_model.bin.index.json"


def single(label, name=SINGLE):
    return {"config.json": b"{}", name: f"weights {label}".encode()}


def sharded(*labels):
    of = len(labels)
    shards = {
        f"pytorch_model-{n:05}-of-{of:05}.bin": f"shard {label}".encode()
        for n, label in enumerate(labels, start=1)
    }
    return {"config.json": b"{}", BIN_INDEX: b"{}"} | shards


def suite(main, steps):
    """Return branches: `main` and `stepN` for each step of a mapping, None for no branch."""
    named = {f"step{step}": files for step, files in steps.items() if files is not None}
    return ({"main": main} if main is not None else {}) | named


@pytest.fixture
def found(hub, listing):
    """Lists a repository with these branches and finds; checks that no weights were asked for."""

    def run(main, steps, repo=OTHER):
        hub.add(repo, suite(main, steps))
        revisions = listing.revisions(repo)
        findings = find(revisions, listing.trees(repo, revisions.commits))
        assert hub.weight_requests() == []
        return findings

    return run


def odd(findings):
    """Return verdict and severity of each step that isn't fine."""
    return {f.step: (f.verdict, f.severity) for f in findings.steps if f.severity != "fine"}


def reasons(findings, step):
    (finding,) = [f for f in findings.steps if f.step == step]
    return finding.reasons


# -- planted duplicates ----------------------------------------------------------------------


def test_planted_duplicates_are_reported_exactly(found):
    """A whole step equal to main, one shard equal, step 0 = step 1; the other nine are fine."""
    steps = {step: sharded(f"a{step}", f"b{step}", f"c{step}") for step in EARLY_STEPS}
    steps |= {1_000: sharded("a", "b", "c"), LAST_STEP: sharded("a", "b", "c")}
    steps[1] = steps[0]
    steps[64] = sharded("a64", "b", "c64")
    findings = found(sharded("a", "b", "c"), steps, "EleutherAI/pythia-14m")
    assert odd(findings) == {
        0: ("own weights", "note"),
        1: ("own weights", "note"),
        64: ("mixed", "bad"),
        1_000: ("weights of another step", "bad"),
    }
    assert "learning rate of the first step was 0: this is no fault" in reasons(findings, 0)[0]
    (mixed,) = reasons(findings, 64)
    assert mixed == (
        "Shard 2 of 3 is that of the final model; the other 2 are its own: this checkpoint "
        "mixes steps and never existed in training."
    )
    assert "the same, bit for bit, as main's" in reasons(findings, 1_000)[0]
    assert list(findings.bad()) == [64, 1_000]


def test_each_file_says_who_else_holds_it(found):
    steps = {1: sharded("x", "y"), 2: sharded("z", "y"), 3: sharded("p", "q")}
    findings = found(sharded("p", "q"), steps)
    by_step = {f.step: f for f in findings.steps}
    assert [file.steps for file in by_step[1].files] == [(), (2,)]
    assert [file.steps for file in by_step[2].files] == [(), (1,)]
    assert [file.in_main for file in by_step[3].files] == [True, True]
    assert [file.sha256 for file in by_step[1].files] == [
        hashlib.sha256(b"shard x").hexdigest(),
        hashlib.sha256(b"shard y").hexdigest(),
    ]


def test_what_was_reported_of_2_8b_is_found_and_nothing_else(found):
    same_as_main, same_as_last, differs = defects_of("pythia-2.8b")
    label = dict.fromkeys(same_as_main.steps, "A")
    label |= dict.fromkeys((*same_as_last.steps, LAST_STEP), "B")
    steps = {step: single(label.get(step, step)) for step in STEPS}
    findings = found(single("A"), steps, "EleutherAI/pythia-2.8b")
    bad = {*same_as_main.steps, *same_as_last.steps}
    assert odd(findings) == dict.fromkeys(sorted(bad), ("weights of another step", "bad")) | {
        LAST_STEP: ("own weights", "note")
    }
    assert "as those of step 143,000" in reasons(findings, 54_000)[0]
    assert "differ from main's" in reasons(findings, LAST_STEP)[0]
    assert [c.found for c in findings.comparisons] == [
        same_as_main.steps,
        same_as_last.steps,
        differs.steps,
    ]
    assert not any(c.not_found or c.unknown for c in findings.comparisons)


def test_the_hybrids_of_12b_are_found(found):
    steps = {step: sharded(f"a{step}", f"b{step}", f"c{step}") for step in STEPS}
    for step in (50_000, 58_000):
        steps[step] = sharded(f"a{LAST_STEP}", f"b{step}", f"c{step}")
    findings = found(steps[LAST_STEP], steps, "EleutherAI/pythia-12b")
    assert odd(findings) == dict.fromkeys((50_000, 58_000), ("mixed", "bad"))
    hybrid = findings.comparisons[0]
    assert (hybrid.defect.kind, hybrid.found) == ("hybrid of two steps", (50_000, 58_000))
    assert {f.step for f in findings.steps if f.reported} >= {50_000, 58_000}


def test_main_of_another_split_is_told_from_the_last_step(found):
    """Where main's shards are cut otherwise, the last step stands for the final model."""
    steps = {1: sharded("x", "l2"), LAST_STEP: sharded("l1", "l2")}
    findings = found(sharded("m1", "m2", "m3"), steps, "EleutherAI/pythia-12b")
    assert "final model" in reasons(findings, 1)[0]


def test_a_shard_of_main_is_the_final_models_where_the_last_step_is_not_listed(found):
    steps = {1: sharded("x", "b"), 2: sharded("y", "z")}
    findings = found(sharded("a", "b"), steps, "EleutherAI/pythia-12b")
    assert odd(findings) == {1: ("mixed", "bad")}
    assert "final model" in reasons(findings, 1)[0]


# -- the first steps -------------------------------------------------------------------------


def test_equal_first_steps_are_a_note_in_any_model(found):
    findings = found(single(9), {0: single("a"), 1: single("a"), 2: single(2), 9: single(9)})
    assert odd(findings) == dict.fromkeys((0, 1), ("own weights", "note"))
    assert "this is no fault" in reasons(findings, 1)[0]
    assert findings.bad() == {}


def test_step_two_is_a_note_only_where_that_was_reported(found):
    steps = {0: single("a"), 1: single("a"), 2: single("a"), LAST_STEP: single("z")}
    pythia = found(single("z"), steps, "EleutherAI/pythia-70m")
    assert odd(pythia) == dict.fromkeys((0, 1, 2), ("own weights", "note"))
    assert "as was reported" in reasons(pythia, 2)[0]
    other = found(single("z"), steps)
    assert odd(other) == dict.fromkeys((0, 1, 2), ("weights of another step", "bad"))


def test_a_report_of_equal_steps_that_hashes_deny_is_said_to_be_denied(found):
    steps = {0: single("a"), 1: single("a"), 2: single("c"), LAST_STEP: single("z")}
    findings = found(single("z"), steps, "EleutherAI/pythia-70m")
    by_kind = {c.defect.kind: c for c in findings.comparisons}
    assert by_kind["identical by design"].found == (0, 1)
    assert by_kind["reported equal"].not_found == (0, 2)


def test_first_steps_that_serve_the_final_model_are_bad(found):
    steps = {0: single("z"), 1: single("z"), 512: single("b"), LAST_STEP: single("z")}
    findings = found(single("z"), steps, "EleutherAI/pythia-70m")
    assert odd(findings) == dict.fromkeys((0, 1), ("weights of another step", "bad"))


# -- twins without an owner ------------------------------------------------------------------


def test_of_two_equal_steps_neither_is_believed(found):
    steps = {5: single("a"), 6: single("a"), 7: single("c"), 9: single("z")}
    findings = found(single("z"), steps)
    assert odd(findings) == dict.fromkeys((5, 6), ("weights of another step", "bad"))
    assert "of step 6: at most one" in reasons(findings, 5)[0]
    assert findings.steps[0].same_as == (6,)


def test_steps_that_share_a_shard_with_each_other_alone_are_not_believed(found):
    steps = {5: sharded("a", "b"), 6: sharded("a", "c"), 7: sharded("d", "e")}
    findings = found(None, steps)
    assert odd(findings) == dict.fromkeys((5, 6), ("mixed", "bad"))
    (reason,) = reasons(findings, 5)
    assert reason == (
        "Shard 1 of 2 is that of step 6; the other one is its own: at most one of them is what "
        "its name says."
    )


def test_many_twins_are_named_in_a_sentence_of_bounded_length(found):
    steps = {step: single("a") for step in range(10, 40)} | {50: single("z")}
    findings = found(single("z"), steps)
    assert len(reasons(findings, 10)[0]) < 200
    assert "and 23 more" in reasons(findings, 10)[0]


def test_a_shard_that_every_step_has_was_not_trained_and_is_no_fault(found):
    steps = {step: sharded("frozen", f"b{step}") for step in (1, 2, 3, 4)}
    steps[3] = single("c3")  # in another form, it has no say about shards
    findings = found(steps[4], steps)
    assert odd(findings) == {}
    assert findings.remarks == ("pytorch_model-00001-of-00002.bin is the same in every step.",)


# -- main ------------------------------------------------------------------------------------


def test_the_last_step_is_main_by_design(found):
    findings = found(single(3), {step: single(step) for step in (1, 2, 3)})
    assert odd(findings) == {}
    assert findings.remarks == ()
    assert findings.steps[-1].same_as_main
    assert findings.main_sha256 == hashlib.sha256(b"weights 3").hexdigest()


def test_a_model_whose_main_is_an_earlier_step_is_believed_and_told(found):
    findings = found(single(2), {step: single(step) for step in (1, 2, 3)})
    assert odd(findings) == {}
    assert findings.remarks == ("The branch main is step 2, which is not the last there is.",)


def test_of_a_pythia_model_an_earlier_step_is_never_main(found):
    steps = {1_000: single("z"), 2_000: single("b"), LAST_STEP: single("c")}
    findings = found(single("z"), steps, "EleutherAI/pythia-410m")
    assert odd(findings) == {
        1_000: ("weights of another step", "bad"),
        LAST_STEP: ("own weights", "note"),
    }


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (None, "no branch named main"),
        ({".gitattributes": b""}, "main holds no weights"),
        (single("z", BIN), "another form (pytorch_model.bin)"),
    ],
)
def test_what_main_cannot_be_compared_with_is_said(found, main, words):
    findings = found(main, {1: single("a"), 2: single("b")})
    (remark,) = findings.remarks
    assert words in remark
    assert odd(findings) == {}


# -- no weights ------------------------------------------------------------------------------


def test_a_branch_without_weights_is_bad(found):
    findings = found(single(2), {1: {"config.json": b"{}"}, 2: single(2)})
    assert odd(findings) == {1: ("no weights", "bad")}
    assert findings.steps[0].weights_sha256 is None


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("pytorch_model-00002-of-00003.bin", "pytorch_model-00002-of-00003.bin is not there"),
        (BIN_INDEX, f"{BIN_INDEX} is not there"),
    ],
)
def test_shards_without_their_fellows_or_index_are_incomplete(found, lost, words):
    files = sharded("a", "b", "c")
    del files[lost]
    findings = found(sharded("x", "y", "z"), {1: files, 2: sharded("x", "y", "z")})
    assert odd(findings) == {1: ("incomplete", "bad")}
    assert words in reasons(findings, 1)[0]


def test_an_index_alone_is_incomplete_and_equals_no_other(found):
    alone = {BIN_INDEX: b"{}"}
    findings = found(single(2), {0: alone, 1: alone, 2: single(2)})
    assert odd(findings) == dict.fromkeys((0, 1), ("incomplete", "bad"))
    assert [finding.same_as for finding in findings.steps] == [(), (), ()]


def test_a_reported_hole_is_known_whether_the_branch_is_there_or_not(found):
    repo = "EleutherAI/pythia-410m-seed9"
    empty = found(single("z"), {40_000: {}, LAST_STEP: single("z")}, repo)
    assert empty.comparisons[0].found == (40_000,)
    absent = found(single("z"), {LAST_STEP: single("z")}, repo)
    assert absent.comparisons[0].unknown == (40_000,)
    mended = found(single("z"), {40_000: single("m"), LAST_STEP: single("z")}, repo)
    assert mended.comparisons[0].not_found == (40_000,)
    assert [list(findings.bad()) for findings in (empty, absent, mended)] == [
        [40_000],
        [40_000],
        [],
    ]


# -- forms -----------------------------------------------------------------------------------


def test_a_form_that_is_the_steps_own_is_named_as_a_way_out(found):
    both = single("z") | single("own", BIN)
    findings = found(single("z"), {1: both, 2: single(2), 9: single("z")})
    assert findings.steps[0].verdict == "weights of another step"
    assert reasons(findings, 1)[1] == (
        "Its pytorch_model.bin is its own: in that form this step may be what it says."
    )


def test_a_bad_form_that_is_not_loaded_is_a_note(found):
    main = single("z") | single("zz", BIN)
    findings = found(main, {1: single(1) | single("zz", BIN), 9: main})
    assert odd(findings) == {1: ("own weights", "note")}
    assert reasons(findings, 1)[0].startswith("Its pytorch_model.bin, which is not used, is not")


def test_weights_that_git_keeps_are_compared_by_its_own_hash():
    findings = find(*made({0: "a", 5: "b", 6: "b", 9: "z"}, main="z", lfs=False))
    assert odd(findings) == dict.fromkeys((5, 6), ("weights of another step", "bad"))
    assert findings.steps[0].weights_sha256 is None
    assert any("git's hash" in remark for remark in findings.remarks)


NAMES = (
    SINGLE,
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    BIN,
    BIN_INDEX,
    "pytorch_model-00001-of-00002.bin",
    "pytorch_model-00002-of-00002.bin",
)
INDEXES = {
    name: f'{{"weight_map": {{"a": "{stem}-00001-of-00002.{suffix}", '
    f'"b": "{stem}-00002-of-00002.{suffix}"}}}}'.encode()
    for name, stem, suffix in (
        ("model.safetensors.index.json", "model", "safetensors"),
        (BIN_INDEX, "pytorch_model", "bin"),
    )
}


def test_the_form_that_is_judged_is_the_one_that_would_be_loaded(hub, listing, tmp_path):
    """For every combination of files that can be loaded: the same files, the same fingerprint."""
    loadable = 0
    for number, there in enumerate(itertools.product((False, True), repeat=len(NAMES))):
        contents = {
            name: INDEXES.get(name, f"content of {name}".encode())
            for name, is_there in zip(NAMES, there, strict=True)
            if is_there
        }
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, data in contents.items():
            (folder / name).write_bytes(data)
        try:
            wanted = tuple(file.name for file in weight_files(folder))
        except CheckpointError:
            continue
        loadable += 1
        tree = tree_of({name: data.decode() for name, data in contents.items()})
        assert tuple(file.path for file in weight_sets(tree)[0].files) == wanted
        assert weight_sets(tree)[0].sha256 == weights_sha256(folder)
    assert loadable > 150


def test_a_hostile_number_of_shards_costs_no_time():
    names = {f"model-00001-of-{n:05}.safetensors": "x" for n in range(90_000, 99_999)}
    (weights,) = weight_sets(tree_of(names))
    assert weights.lacking


# -- any pattern of duplicates ---------------------------------------------------------------


def tree_of(contents, commit="0" * 40, *, lfs=True):
    """Return the tree of a commit that holds these texts, without a server."""
    files = []
    for path, text in sorted(contents.items()):
        data = text.encode()
        sha256 = hashlib.sha256(data).hexdigest() if lfs else None
        blob = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        files.append(HubFile(path, len(data), blob, sha256))
    return Tree(commit, tuple(files))


def made(labels, *, main, lfs=True):
    """Return revisions and trees of single-file steps with these labels, without a server."""
    steps = tuple(Revision(f"step{s}", "branch", f"{s:040x}", s) for s in sorted(labels))
    at_main = Revision("main", "branch", "f" * 40)
    trees = {one.commit: tree_of({SINGLE: labels[one.step]}, one.commit, lfs=lfs) for one in steps}
    trees[at_main.commit] = tree_of({SINGLE: main}, at_main.commit, lfs=lfs)
    where = ("hub.example", "2026-11-23T00:00:00+00:00")
    return Revisions(OTHER, *where, steps, at_main, (), ()), trees


@given(st.lists(st.sampled_from("abcdz"), min_size=1, max_size=8))
def test_a_step_is_bad_exactly_where_it_shares_with_another_or_with_main(labels):
    """Steps from 10 on, the last of which is main: sharing is a fault, and only that."""
    by_step = dict(enumerate(labels, start=10)) | {100: "z"}
    findings = find(*made(by_step, main="z"))
    shared = {
        step
        for step, label in by_step.items()
        if step != 100 and list(by_step.values()).count(label) > 1
    }
    assert findings.bad().keys() == shared
    assert {f.step: set(f.same_as) for f in findings.steps} == {
        step: {other for other in by_step if other != step and by_step[other] == label}
        for step, label in by_step.items()
    }


# -- reports that were acted on --------------------------------------------------------------


def test_a_report_that_was_acted_on_upstream_no_longer_leaves_a_step_out(found):
    steps = {step: single(step) for step in STEPS}
    findings = found(steps[LAST_STEP], steps, "EleutherAI/pythia-2.8b")
    assert findings.bad() == {}
    assert len(findings.comparisons[0].not_found) == 76


def test_a_report_that_hashes_cannot_judge_still_leaves_a_step_out(found):
    """Step 50,000 of 12b alone, with a main of another form: nothing to compare with."""
    findings = found(single("z"), {50_000: sharded("a", "b", "c")}, "EleutherAI/pythia-12b")
    assert findings.comparisons[0].unknown == (50_000, 58_000)
    assert list(findings.bad()) == [50_000, 58_000]
    assert odd(findings) == {}


def test_a_repository_is_known_however_its_name_is_written(found):
    steps = {1_000: single("z"), LAST_STEP: single("b")}
    findings = found(single("z"), steps, "eleutherai/Pythia-2.8B")
    assert findings.comparisons[0].found == (1_000,)
    assert findings.bad().keys() >= {1_000}
    assert reasons(findings, LAST_STEP) != ()


@pytest.mark.parametrize(
    ("repo", "name"),
    [
        ("EleutherAI/pythia-70m", "pythia-70m"),
        ("eleutherai/PYTHIA-70M", "pythia-70m"),
        ("pythia-70m", None),
        ("somebody/pythia-70m", None),
        ("EleutherAI/pythia-125m", None),  # an old name, of what is kept elsewhere now
    ],
)
def test_only_the_suites_own_repositories_are_published_models(repo, name):
    model = published(repo)
    assert (model and model.name) == name


def test_a_namesake_of_another_owner_has_no_reports(found):
    findings = found(single("z"), {1: single(1), 2: single("z")}, "somebody/pythia-2.8b")
    assert findings.comparisons == ()
