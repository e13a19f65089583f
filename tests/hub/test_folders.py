"""Checkpoints by step, in the layouts that people have, and in the Hub's cache."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.hub.folders import (
    StepPlace,
    beside_or_inside,
    main_in_hub_cache,
    step_of_name,
    steps_in,
    steps_in_hub_cache,
)

REPO = "EleutherAI/pythia-70m"
COMMITS = ("a" * 40, "b" * 40, "c" * 40)


def weights(folder: Path, name: str = "model.safetensors") -> Path:
    """Make a folder look like a checkpoint's; no weights are read here."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    return folder


def cached(cache: Path, revisions: dict[str, str], repo: str = REPO) -> Path:
    """Write a Hub cache as huggingface_hub does: refs, snapshots of links, blobs."""
    home = cache / f"models--{repo.replace('/', '--')}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "blobs").mkdir(exist_ok=True)
    for revision, commit in revisions.items():
        ref = home / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit)
        snapshot = home / "snapshots" / commit
        snapshot.mkdir(parents=True, exist_ok=True)
        blob = home / "blobs" / f"blob-of-{commit}"
        blob.write_bytes(b"weights")
        link = snapshot / "model.safetensors"
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(blob, snapshot))
    return home


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("step0", 0),
        ("step512", 512),
        ("step_512", 512),
        ("step-512", 512),
        ("step143000", 143_000),
        ("step1000-tokens4B", 1000),
        ("step500-tokens2.1B", 500),
        ("checkpoint-500", 500),
        ("global_step1000", 1000),
        ("main", None),
        ("step", None),
        ("steps12", None),
        ("step12a", None),
        ("step-", None),
        ("step1.5", None),
        ("checkpoint500", None),
        ("xstep1", None),
        ("step1\n", None),
        ("step1/../../x", None),
        ("step1234567890", None),
        ("step٣", None),
        ("", None),
    ],
)
def test_a_name_states_a_step_or_none(name, step):
    assert step_of_name(name) == step


@given(st.integers(0, 10**9 - 1))
def test_every_step_is_read_from_its_name(step):
    assert step_of_name(f"step{step}") == step


@pytest.mark.parametrize("pattern", ["step{}", "checkpoint-{}", "global_step{}", "step{}-tokens4B"])
def test_steps_are_found_by_the_names_of_their_folders(tmp_path, pattern):
    for step in (1000, 0, 512):
        weights(tmp_path / pattern.format(step))
    found = steps_in(tmp_path)
    assert [*found] == [0, 512, 1000]
    assert found[512] == StepPlace(tmp_path / pattern.format(512))


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    ],
)
def test_weights_are_found_in_each_of_their_forms(tmp_path, name):
    weights(tmp_path / "step7", name)
    assert [*steps_in(tmp_path)] == [7]


def test_what_is_no_checkpoint_is_passed_over(tmp_path):
    weights(tmp_path / "step1")
    (tmp_path / "step2").mkdir()  # no weights
    (tmp_path / "step3").touch()  # no folder
    weights(tmp_path / "step4", "optimizer.pt")
    weights(tmp_path / "runs")
    (tmp_path / "step5").symlink_to(tmp_path / "nowhere")
    (tmp_path / "step6" / "model.safetensors").mkdir(parents=True)
    assert [*steps_in(tmp_path)] == [1]


def test_a_linked_checkpoint_is_one(tmp_path):
    weights(tmp_path / "elsewhere" / "x")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "step8").symlink_to(tmp_path / "elsewhere" / "x")
    assert [*steps_in(tmp_path / "run")] == [8]


@pytest.mark.parametrize("twice", ["step_5", "step05", "checkpoint-5", "global_step5"])
def test_two_folders_of_one_step_are_refused_by_number(tmp_path, twice):
    weights(tmp_path / "step5")
    weights(tmp_path / twice)
    with pytest.raises(CheckpointError, match="has step 5 twice"):
        steps_in(tmp_path)


def test_a_folder_without_checkpoints_says_what_was_looked_for(tmp_path):
    with pytest.raises(CheckpointError, match="step512 or checkpoint-500"):
        steps_in(tmp_path)


@pytest.mark.parametrize("name", ["missing", "file", "x" * 300, "a\0b", "missing/step1"])
def test_what_is_no_folder_is_refused_in_a_sentence(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"is not a folder|can't be read"):
        steps_in(tmp_path / name)


def test_a_folder_of_too_many_entries_is_refused(tmp_path):
    for number in range(10_001):
        (tmp_path / f"file{number}").touch()
    with pytest.raises(CheckpointError, match="more than 10,000"):
        steps_in(tmp_path)


# ---------------------------------------------------------------------- one checkpoint alone


def test_one_checkpoint_alone_has_the_step_of_its_folders_name(tmp_path):
    folder = weights(tmp_path / "step512")
    assert steps_in(folder) == {512: StepPlace(folder)}


def test_one_checkpoint_alone_has_the_step_that_the_trainer_wrote(tmp_path):
    folder = weights(tmp_path / "final")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 1234}))
    assert [*steps_in(folder)] == [1234]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"global_step": "5"}',
        '{"global_step": -1}',
        '{"global_step": true}',
        '{"global_step": 1.5}',
        '{"global_step": 10000000000}',
        "[" * 100_000,
    ],
)
def test_a_checkpoint_whose_step_nothing_says_is_refused_with_the_way_out(tmp_path, content):
    folder = weights(tmp_path / "final")
    (folder / "trainer_state.json").write_text(content)
    with pytest.raises(CheckpointError, match="name the folder step<N>"):
        steps_in(folder)


def test_a_pipe_in_place_of_the_trainers_state_is_not_waited_for(tmp_path):
    folder = weights(tmp_path / "final")
    os.mkfifo(folder / "trainer_state.json")
    with pytest.raises(CheckpointError, match="name the folder"):
        steps_in(folder)


def test_final_weights_above_the_trainers_checkpoints_do_not_hide_them(tmp_path):
    run = weights(tmp_path / "output")
    for step in (500, 1000):
        weights(run / f"checkpoint-{step}")
    assert [*steps_in(run)] == [500, 1000]


def test_final_weights_whose_step_is_known_join_the_trainers_checkpoints(tmp_path):
    run = weights(tmp_path / "output")
    for step in (500, 1000):
        weights(run / f"checkpoint-{step}")
    (run / "trainer_state.json").write_text(json.dumps({"global_step": 1200}))
    assert steps_in(run)[1200].folder == run
    (run / "trainer_state.json").write_text(json.dumps({"global_step": 1000}))
    assert [*steps_in(run)] == [500, 1000]
    assert steps_in(run)[1000].folder == run / "checkpoint-1000"


# ------------------------------------------------------------- the model card's cache per step


def test_the_model_cards_layout_of_a_cache_in_each_steps_folder_is_read(tmp_path):
    """`cache_dir="./pythia-70m-deduped/step3000"`, as the model card's quickstart has it."""
    run = tmp_path / "pythia-70m-deduped"
    for step, commit in zip((3000, 4000), COMMITS, strict=False):
        cached(run / f"step{step}", {f"step{step}": commit}, "EleutherAI/pythia-70m-deduped")
    found = steps_in(run)
    assert [*found] == [3000, 4000]
    assert (found[3000].revision, found[3000].commit) == ("step3000", COMMITS[0])
    assert found[3000].folder.name == COMMITS[0]


@pytest.mark.parametrize("commits", [COMMITS[:2], COMMITS[1::-1]])
def test_of_several_snapshots_in_a_steps_folder_its_own_revision_is_taken(tmp_path, commits):
    main, own = commits
    cached(tmp_path / "step3000", {"main": main, "step3000": own})
    assert steps_in(tmp_path)[3000].commit == own


def test_the_only_snapshot_in_a_steps_folder_is_named_by_the_revision_that_it_is(tmp_path):
    cached(tmp_path / "step1", {"main": COMMITS[0]})
    home = cached(tmp_path / "step2", {"main": COMMITS[1]})
    (home / "refs" / "main").unlink()  # loaded by its commit
    found = steps_in(tmp_path)
    assert [(found[step].revision, found[step].commit) for step in (1, 2)] == [
        ("main", COMMITS[0]),
        (None, COMMITS[1]),
    ]


def test_snapshots_in_a_steps_folder_that_cannot_be_told_apart_are_refused(tmp_path):
    cached(tmp_path / "step3000", {"main": COMMITS[0], "step143000": COMMITS[1]})
    with pytest.raises(CheckpointError, match=r"step3000 .*several"):
        steps_in(tmp_path)


# ------------------------------------------------------------------------------ the Hub's cache


def test_the_steps_of_a_repository_are_the_refs_whose_snapshots_have_weights(tmp_path):
    revisions = {"step1000": COMMITS[0], "step0": COMMITS[1], "main": COMMITS[2]}
    home = cached(tmp_path, revisions)
    found = steps_in_hub_cache(tmp_path, REPO)
    assert [*found] == [0, 1000]
    place = home / "snapshots" / COMMITS[0]
    assert found[1000] == StepPlace(place, "step1000", COMMITS[0])
    main = StepPlace(home / "snapshots" / COMMITS[2], "main", COMMITS[2])
    assert main_in_hub_cache(tmp_path, REPO) == main


def test_two_steps_may_share_one_commit(tmp_path):
    cached(tmp_path, {"step0": COMMITS[0], "step1": COMMITS[0]})
    found = steps_in_hub_cache(tmp_path, REPO)
    assert found[0].folder == found[1].folder
    assert (found[0].revision, found[1].revision) == ("step0", "step1")


def test_a_repository_that_is_not_in_the_cache_has_no_steps(tmp_path):
    assert steps_in_hub_cache(tmp_path, REPO) == {}
    assert steps_in_hub_cache(tmp_path / "missing", REPO) == {}
    assert main_in_hub_cache(tmp_path, REPO) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"main", b"A" * 40, b"a" * 39, b"a" * 41, b"../../../outside", b"\xff" * 40, b"\0" * 40],
)
def test_a_broken_ref_is_passed_over(tmp_path, content):
    home = cached(tmp_path / "cache", {"step1": COMMITS[0], "step2": COMMITS[1]})
    (home / "refs" / "step2").write_bytes(content)
    weights(tmp_path / "outside")
    weights(home / "outside")
    assert [*steps_in_hub_cache(tmp_path / "cache", REPO)] == [1]


def test_a_ref_that_ends_in_a_line_feed_is_read(tmp_path):
    cached(tmp_path, {"step1": COMMITS[0]})
    (tmp_path / "models--EleutherAI--pythia-70m" / "refs" / "step1").write_text(f"{COMMITS[0]}\n")
    assert [*steps_in_hub_cache(tmp_path, REPO)] == [1]


def test_a_ref_that_is_a_pipe_or_a_folder_is_passed_over(tmp_path):
    home = cached(tmp_path, {"step1": COMMITS[0], "refs/pr/1": COMMITS[1]})
    os.mkfifo(home / "refs" / "step2")
    (home / "refs" / "step3").mkdir()
    assert [*steps_in_hub_cache(tmp_path, REPO)] == [1]


def test_a_snapshot_whose_download_broke_off_is_passed_over(tmp_path):
    home = cached(tmp_path, {"step1": COMMITS[0], "step2": COMMITS[1], "step3": COMMITS[2]})
    (home / "blobs" / f"blob-of-{COMMITS[1]}").unlink()  # a link to nothing
    (home / "snapshots" / COMMITS[2] / "model.safetensors").unlink()
    assert [*steps_in_hub_cache(tmp_path, REPO)] == [1]


def test_the_cache_that_huggingface_hub_itself_lists_is_read_alike(tmp_path):
    from huggingface_hub import scan_cache_dir

    cached(tmp_path, dict(zip(("step0", "step8", "main"), COMMITS, strict=True)))
    (repo,) = scan_cache_dir(tmp_path).repos
    theirs = {ref: found.snapshot_path for ref, found in repo.refs.items()}
    ours = [*steps_in_hub_cache(tmp_path, REPO).values(), main_in_hub_cache(tmp_path, REPO)]
    assert {place.revision: place.folder.resolve() for place in ours if place} == theirs


# --------------------------------------------------------------------------------------- config


def test_a_file_is_looked_for_inside_a_checkpoint_and_then_beside_it(tmp_path):
    step = weights(tmp_path / "step1")
    assert beside_or_inside(step, "config.json") is None
    (tmp_path / "config.json").touch()
    assert beside_or_inside(step, "config.json") == tmp_path / "config.json"
    (step / "config.json").touch()
    assert beside_or_inside(step, "config.json") == step / "config.json"
