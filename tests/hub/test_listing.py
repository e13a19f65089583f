"""Branches, files and hashes, asked of a server on 127.0.0.1 by the Hub's real client."""

import dataclasses
import hashlib
import json
import logging
import socket
import threading
import time
import traceback
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from huggingface_hub import close_session, constants, get_session

from pythia_gui.core.steps import STEPS
from pythia_gui.hub import client as module
from pythia_gui.hub.client import (
    BadName,
    Cancelled,
    Dropped,
    Gated,
    HubClient,
    HubError,
    HubTrouble,
    NoFile,
    NoRepository,
    NoRevision,
    OddAnswer,
    Offline,
    Patience,
    Refused,
    Stalled,
    Throttle,
    TokenRefused,
    TokenWanted,
    TooManyRequests,
    Unreachable,
    Waiting,
)
from pythia_gui.hub.listing import BadPattern, HubListing, step_reader

REPO = "EleutherAI/pythia-70m"
CANARY = "hf_CANARYcanaryCANARYcanaryCANARYcan"
QUICK = Patience(connect_s=2, silence_s=5, tries=3, first_wait_s=0.02)


def files(label):
    return {
        "config.json": b"{}",
        "README.md": b"# A model\n",
        "model.safetensors": f"weights of {label}".encode(),
    }


def branches(*names):
    return {name: files(name) for name in names}


def asking(hub, folder, **how):
    how = {"patience": QUICK} | how
    return HubListing(HubClient(hub.endpoint, **how), folder)


def cached_files(folder):
    return [file for file in folder.rglob("*") if file.is_file()]


def trees_asked(hub):
    return hub.count("*/revision/*") + hub.count("*/tree/*")


# -- branches --------------------------------------------------------------------------------


def test_every_way_of_naming_a_step_is_read_and_the_rest_is_kept_apart(hub, listing):
    names = ("step512", "step1000-tokens4B", "global_step2000", "checkpoint-3000", "dev", "stepper")
    hub.add(REPO, branches("main", *names), tags={"step_4000": files("tag"), "v1.0": files("v1")})
    found = listing.revisions(REPO)
    assert [(one.step, one.name, one.kind) for one in found.steps] == [
        (512, "step512", "branch"),
        (1000, "step1000-tokens4B", "branch"),
        (2000, "global_step2000", "branch"),
        (3000, "checkpoint-3000", "branch"),
        (4000, "step_4000", "tag"),
    ]
    assert [one.name for one in found.others] == ["dev", "stepper", "v1.0"]
    assert found.main is not None
    assert found.main.name == "main"


def test_each_step_has_the_commit_that_its_branch_names(hub, listing):
    repo = hub.add(REPO, branches("main", "step0", "step1"))
    found = listing.revisions(REPO)
    assert {one.name: one.commit for one in found.steps} == {
        name: commit for name, commit in repo.branches.items() if name != "main"
    }
    assert found.main.commit == repo.branches["main"]


def test_a_missing_branch_is_a_hole_and_none_is_invented(hub, listing):
    there = [step for step in STEPS if step not in (2, 26_000)]
    hub.add(REPO, {f"step{step}": files(step) for step in there})
    found = listing.revisions(REPO)
    assert [one.step for one in found.steps] == there
    assert found.holes(STEPS) == (2, 26_000)
    assert found.holes(there) == ()
    assert found.main is None


def test_of_two_names_of_one_step_a_branch_comes_before_a_tag_and_the_other_is_kept(hub, listing):
    hub.add(REPO, branches("step8", "checkpoint-8"), tags={"global_step8": files("tag")})
    found = listing.revisions(REPO)
    assert [one.name for one in found.steps] == ["checkpoint-8"]
    assert [one.name for one in found.also] == ["step8", "global_step8"]


def test_a_tag_named_main_is_not_the_branch(hub, listing):
    hub.add(REPO, branches("step0"), tags={"main": files("tag")})
    found = listing.revisions(REPO)
    assert found.main is None
    assert [(one.name, one.kind) for one in found.others] == [("main", "tag")]


def test_a_pattern_of_the_users_own_reads_other_names(hub, listing):
    hub.add(REPO, branches("main", "stage1-step1000-tokens5B", "stage2-step7-tokens5B", "step3"))
    found = listing.revisions(REPO, "stage1-step{step}-*")
    assert [(one.step, one.name) for one in found.steps] == [(1000, "stage1-step1000-tokens5B")]


@pytest.mark.parametrize(
    ("pattern", "name", "step"),
    [
        ("{step}", "0042", 42),
        ("{step}", "42x", None),
        ("a.c{step}", "abc1", None),
        ("*_{step}_*", "run/7_13_x", 13),
        ("*{step}", "run-5", 5),
        ("it({step}", "it(9", 9),
        ("{step}", "1234567890", None),
        ("{step}", "٣", None),
    ],
)
def test_a_pattern_is_plain_but_for_its_number_and_stars(pattern, name, step):
    assert step_reader(pattern)(name) == step


@pytest.mark.parametrize("pattern", ["", "step", "{step}{step}", "***{step}", "{Step}"])
def test_a_pattern_without_one_number_is_refused_before_anything_is_asked(hub, listing, pattern):
    with pytest.raises(BadPattern, match=r"write \{step\} once"):
        listing.revisions(REPO, pattern)
    assert hub.requests == []


def test_a_pattern_never_takes_long(hub, listing):
    read = step_reader("*a*{step}")
    begun = time.monotonic()
    assert read("a" * 1000) is None
    assert time.monotonic() - begun < 1


# -- files -----------------------------------------------------------------------------------


def test_files_come_with_their_sizes_and_the_hashes_of_what_is_in_lfs(hub, listing):
    repo = hub.add(REPO, branches("step512"))
    tree = listing.tree(REPO, repo.branches["step512"])
    config, weights = b"{}", b"weights of step512"
    by_path = {file.path: file for file in tree.files}
    assert list(by_path) == ["README.md", "config.json", "model.safetensors"]
    assert by_path["model.safetensors"].sha256 == hashlib.sha256(weights).hexdigest()
    assert by_path["model.safetensors"].size_bytes == len(weights)
    assert by_path["config.json"].sha256 is None
    git = hashlib.sha1(b"blob %d\0" % len(config) + config, usedforsecurity=False)
    assert by_path["config.json"].blob_id == git.hexdigest()


def test_listing_a_suite_downloads_no_file(hub, listing):
    hub.add(REPO, branches("main", *(f"step{step}" for step in STEPS)))
    found = listing.revisions(REPO)
    trees = listing.trees(REPO, found.commits)
    assert len(trees) == len(STEPS) + 1
    assert hub.weight_requests() == []
    assert len(hub.requests) == 1 + len(trees)


def test_what_is_done_is_counted(hub, listing):
    hub.add(REPO, branches("step0", "step1", "step2"))
    counts = []
    listing.trees(REPO, listing.revisions(REPO).commits, counted=lambda *n: counts.append(n))
    assert counts == [(1, 3), (2, 3), (3, 3)]


def test_a_commit_is_asked_for_once_for_ever(hub, listing, tmp_path):
    hub.add(REPO, branches("step0", "step1"))
    first = listing.trees(REPO, listing.revisions(REPO).commits)
    again = asking(hub, tmp_path / "remembered")
    assert again.trees(REPO, again.revisions(REPO).commits) == first
    assert trees_asked(hub) == 2
    assert hub.count("*/refs") == 2


def test_a_branch_that_moved_is_listed_at_its_new_commit(hub, listing):
    repo = hub.add(REPO, branches("step0", "step1"))
    before = listing.trees(REPO, listing.revisions(REPO).commits)
    repo.branches["step1"] = repo.commit("step1", files("mended"))
    after = listing.trees(REPO, listing.revisions(REPO).commits)
    assert before.keys() & after.keys() == {repo.branches["step0"]}
    (weights,) = [f for f in after[repo.branches["step1"]].files if f.sha256]
    assert weights.sha256 == hashlib.sha256(b"weights of mended").hexdigest()


def test_two_endpoints_do_not_mix_what_they_say(hub, listing, tmp_path):
    hub.add(REPO, branches("step0"))
    found = listing.revisions(REPO)
    for endpoint, known in (
        (hub.endpoint, found),
        (f"{hub.endpoint}/", found),
        (f"{hub.endpoint}/mirror", None),
        ("http://127.0.0.1:9", None),
    ):
        other = HubListing(HubClient(endpoint, offline=True), tmp_path / "remembered")
        assert other.remembered(REPO) == known


# -- what is remembered ----------------------------------------------------------------------


def flipped(data):
    told = json.loads(data)
    told["content"]["files"][0]["size_bytes"] += 1
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"\0" * len(data),
        lambda data: b"[" * 100_000,
        lambda data: b'"text"',
        lambda data: data.replace(b'"schema": 1', b'"schema": 2'),
        flipped,
    ],
    ids=["empty", "half", "zeros", "nested", "other JSON", "other version", "one number"],
)
def test_a_damaged_memory_is_ignored_and_written_again(hub, listing, tmp_path, damage):
    repo = hub.add(REPO, branches("step0"))
    commit = repo.branches["step0"]
    tree = listing.tree(REPO, commit)
    (file,) = [f for f in cached_files(tmp_path) if commit in f.name]
    sound = file.read_bytes()
    file.write_bytes(damage(sound))
    assert file.read_bytes() != sound
    assert asking(hub, tmp_path / "remembered").tree(REPO, commit) == tree
    assert trees_asked(hub) == 2
    assert file.read_bytes() == sound


def test_the_memory_of_another_commit_is_not_believed(hub, listing, tmp_path):
    repo = hub.add(REPO, branches("step0", "step1"))
    zero, one = repo.branches["step0"], repo.branches["step1"]
    trees = listing.trees(REPO, (zero, one))
    by_commit = {f.stem: f for f in cached_files(tmp_path)}
    by_commit[one].write_bytes(by_commit[zero].read_bytes())
    assert listing.tree(REPO, one) == trees[one]
    assert trees_asked(hub) == 3


def test_damaged_branches_are_asked_for_again(hub, listing, tmp_path):
    hub.add(REPO, branches("step0"))
    listing.revisions(REPO)
    (file,) = cached_files(tmp_path)
    file.write_bytes(b"{")
    assert listing.remembered(REPO) is None
    assert listing.revisions(REPO).steps == listing.remembered(REPO).steps


def test_a_folder_that_cannot_be_written_costs_only_requests(hub, tmp_path):
    repo = hub.add(REPO, branches("step0"))
    (tmp_path / "taken").write_text("a file where the folder should be")
    listing = asking(hub, tmp_path / "taken")
    commit = repo.branches["step0"]
    assert listing.tree(REPO, commit) == listing.tree(REPO, commit)
    assert trees_asked(hub) == 2


def test_nothing_half_written_is_left(hub, listing, tmp_path):
    hub.add(REPO, branches("main", "step0"))
    listing.trees(REPO, listing.revisions(REPO).commits)
    assert {file.suffix for file in cached_files(tmp_path)} == {".json"}
    assert len(cached_files(tmp_path)) == 3


# -- offline ---------------------------------------------------------------------------------


def test_offline_says_at_once_what_was_listed_and_asks_nobody(hub, listing, tmp_path):
    hub.add(REPO, branches("main", "step0"))
    found = listing.revisions(REPO)
    trees = listing.trees(REPO, found.commits)
    asked = len(hub.requests)
    hub.break_("stall")
    offline = asking(hub, tmp_path / "remembered", offline=True)
    begun = time.monotonic()
    assert offline.revisions(REPO) == found
    assert offline.trees(REPO, found.commits) == trees
    assert time.monotonic() - begun < 0.5
    assert len(hub.requests) == asked


def test_offline_says_of_what_was_never_listed_that_it_is_not_known(hub, tmp_path):
    repo = hub.add(REPO, branches("step0"))
    offline = asking(hub, tmp_path, offline=True)
    with pytest.raises(Offline, match=f"switched off.*{REPO}"):
        offline.revisions(REPO)
    with pytest.raises(Offline):
        offline.tree(REPO, repo.branches["step0"])
    assert hub.requests == []


def test_the_clients_own_switch_is_heeded_while_the_program_runs(hub, listing, monkeypatch):
    hub.add(REPO, branches("step0"))
    found = listing.revisions(REPO)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert listing.client.offline
    assert listing.revisions(REPO) == found
    assert len(hub.requests) == 1


# -- what goes wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((401, "RepoNotFound"), NoRepository, "check the name"),
        ((401, ""), TokenWanted, "allow it in the settings"),
        ((403, "GatedRepo"), Gated, "accept its terms"),
        ((403, ""), Refused, "ask its owner"),
        ((404, "RepoNotFound"), NoRepository, "check the name"),
        ((404, ""), NoRepository, "check the name"),
        ((404, "RevisionNotFound"), NoRevision, "list its branches again"),
        ((404, "EntryNotFound"), NoFile, "list its files again"),
        ((410, ""), NoRepository, "check the name"),
        ((418, ""), OddAnswer, "418"),
        ((429, ""), TooManyRequests, "too many requests"),
        ((500, ""), HubTrouble, "trouble \\(500\\)"),
        ((504, ""), HubTrouble, "trouble \\(504\\)"),
    ],
)
def test_every_refusal_has_its_own_error_and_way_out(hub, listing, answer, error, words):
    status, code = answer
    hub.add(REPO, branches("step0"))
    hub.break_("status", "*/refs", status=status, headers={"X-Error-Code": code} if code else {})
    with pytest.raises(HubError, match=words) as raised:
        listing.revisions(REPO)
    assert type(raised.value) is error
    assert "\n" not in str(raised.value)


def test_what_does_not_exist_is_said_to_be_missing(hub, listing):
    hub.add(REPO, branches("step0"))
    with pytest.raises(NoRepository, match="EleutherAI/pythia-71m"):
        listing.revisions("EleutherAI/pythia-71m")
    with pytest.raises(NoRevision):
        listing.tree(REPO, "0" * 40)


@pytest.mark.parametrize(
    ("kind", "how", "error"),
    [
        ("drop", {}, Dropped),
        ("drop", {"after_bytes": 40}, Dropped),
        ("long length", {}, Dropped),
        ("short length", {}, OddAnswer),
        ("garbage", {}, OddAnswer),
        ("redirect", {"location": "http://127.0.0.2:9/refs"}, OddAnswer),
        ("redirect", {"location": f"/api/models/{REPO}/refs"}, OddAnswer),
    ],
)
def test_a_broken_line_or_answer_is_told_from_a_refusal(hub, listing, kind, how, error):
    hub.add(REPO, branches("step0"))
    hub.break_(kind, "*/refs", **how)
    with pytest.raises(HubError) as raised:
        listing.revisions(REPO)
    assert type(raised.value) is error


@pytest.mark.parametrize("after_bytes", [0, 30])
def test_silence_is_noticed(hub, tmp_path, after_bytes):
    hub.add(REPO, branches("step0"))
    hub.break_("stall", "*/refs", after_bytes=after_bytes)
    listing = asking(hub, tmp_path, patience=Patience(silence_s=0.2))
    begun = time.monotonic()
    with pytest.raises(Stalled, match="said nothing"):
        listing.revisions(REPO)
    assert 0.2 <= time.monotonic() - begun < 1.5


def test_an_answer_that_trickles_for_ever_is_given_up(hub, tmp_path):
    hub.add(REPO, branches("step0"))
    hub.break_("slow", "*/refs", rate=20)
    with pytest.raises(Stalled):
        asking(hub, tmp_path, patience=Patience(answer_s=0.3)).revisions(REPO)


def test_a_closed_port_is_noticed_at_once_and_not_asked_again(hub, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="check the connection") as raised:
            HubListing(HubClient(nobody), tmp_path).revisions(REPO)
    assert time.monotonic() - begun < 2
    assert type(raised.value) is Unreachable


@pytest.mark.parametrize(
    "change",
    [
        {"branches": None},
        {"branches": [{"name": "step0", "ref": "refs/heads/step0", "targetCommit": "../../x"}]},
        {"branches": [{"name": "", "ref": "refs/heads/", "targetCommit": "a" * 40}]},
        {"branches": [{"name": "s" * 2000, "ref": "r", "targetCommit": "a" * 40}]},
        {"branches": [{"name": 3, "ref": "r", "targetCommit": "a" * 40}]},
        {"branches": [{"name": "step0"}]},
    ],
)
def test_branches_that_make_no_sense_are_refused_and_not_remembered(hub, listing, tmp_path, change):
    told = {"branches": [], "tags": [], "converts": []} | change
    hub.break_("replace", "*/refs", body=json.dumps(told).encode())
    with pytest.raises(OddAnswer, match="can't be understood"):
        listing.revisions(REPO)
    assert cached_files(tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        {"sha": "b" * 40},
        {"sha": None},
        {"siblings": [{"rfilename": "../../x", "size": 1, "blobId": "c" * 40}]},
        {"siblings": [{"rfilename": "/etc/x", "size": 1, "blobId": "c" * 40}]},
        {"siblings": [{"rfilename": "x", "size": -1, "blobId": "c" * 40}]},
        {"siblings": [{"rfilename": "x", "size": "1", "blobId": "c" * 40}]},
        {"siblings": [{"rfilename": "x", "size": 1, "blobId": "c"}]},
        {"siblings": [{"rfilename": "x", "size": 1, "blobId": "c" * 40}] * 2},
        {"siblings": [{"rfilename": "x"}]},
        {
            "siblings": [
                {"rfilename": "x.bin", "size": 1, "blobId": "c" * 40}
                | {"lfs": {"sha256": "not a hash", "size": 1, "pointerSize": 1}}
            ]
        },
    ],
)
def test_files_that_make_no_sense_are_refused_and_not_remembered(hub, listing, tmp_path, change):
    told = {"id": REPO, "sha": "a" * 40, "siblings": []} | change
    hub.break_("replace", "*/revision/*", body=json.dumps(told).encode())
    with pytest.raises(OddAnswer, match="can't be understood"):
        listing.tree(REPO, "a" * 40)
    assert cached_files(tmp_path) == []


@pytest.mark.parametrize("repo", ["", "a/b/c", "../x", "a/..", "a b/c", "x\n/y", "https://x/y"])
def test_what_cannot_be_a_repository_is_never_asked_for(hub, listing, repo):
    with pytest.raises(BadName, match="write owner/name"):
        listing.revisions(repo)
    with pytest.raises(BadName):
        listing.tree(repo, "a" * 40)
    assert hub.requests == []


@pytest.mark.parametrize("commit", ["main", "A" * 40, "../" + "a" * 37, "a" * 40 + "\n"])
def test_only_a_commit_is_looked_up(hub, listing, commit):
    with pytest.raises(OddAnswer, match="not a commit"):
        listing.tree(REPO, commit)
    assert hub.requests == []


@pytest.mark.parametrize("endpoint", ["huggingface.co", "ftp://x", "https://", "http://x:port"])
def test_what_is_no_endpoint_is_refused(endpoint):
    with pytest.raises(BadName, match="write https://"):
        HubClient(endpoint)


# -- waiting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "1"}, {"RateLimit": '"api";r=0;t=1', "Retry-After": "60"}],
    ids=["Retry-After", "RateLimit"],
)
def test_a_rate_limit_is_waited_out_with_a_countdown(hub, listing, headers):
    hub.add(REPO, branches("step0"))
    hub.break_("status", "*/refs", status=429, headers=headers, times=1)
    waits: list[Waiting] = []
    begun = time.monotonic()
    assert [one.step for one in listing.revisions(REPO, notify=waits.append).steps] == [0]
    assert 1 <= time.monotonic() - begun < 3
    assert waits[0] == Waiting("rate limit", 1)
    assert waits[0].sentence == "The Hub asks to wait: next request in 1 s"
    assert hub.count("*/refs") == 2


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_trouble_of_the_hub_is_waited_out(hub, listing, status):
    hub.add(REPO, branches("step0"))
    hub.break_("status", "*/refs", status=status, times=2)
    waits: list[Waiting] = []
    assert len(listing.revisions(REPO, notify=waits.append).steps) == 1
    assert hub.count("*/refs") == 3
    assert [wait.reason for wait in waits] == ["hub trouble"] * 2


def test_a_dropped_connection_is_taken_up_again(hub, listing):
    hub.add(REPO, branches("step0"))
    hub.break_("drop", "*/refs", after_bytes=10, times=2)
    assert len(listing.revisions(REPO).steps) == 1
    assert hub.count("*/refs") == 3


def test_waiting_has_an_end(hub, listing):
    hub.break_("status", "*/refs", status=503)
    with pytest.raises(HubTrouble):
        listing.revisions(REPO)
    assert hub.count("*/refs") == QUICK.tries


def test_nobody_is_made_to_wait_for_hours(hub, listing):
    hub.break_("status", "*/refs", status=429, headers={"Retry-After": "7200"})
    begun = time.monotonic()
    with pytest.raises(TooManyRequests, match="in 7,200 s"):
        listing.revisions(REPO)
    assert time.monotonic() - begun < 1
    assert hub.count("*/refs") == 1


@pytest.mark.parametrize("text", ["soon", "-5", "9" * 400, "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_an_odd_or_past_time_to_wait_is_no_reason_to_fail(hub, listing, text):
    hub.add(REPO, branches("step0"))
    hub.break_("status", "*/refs", status=429, headers={"Retry-After": text}, times=1)
    assert len(listing.revisions(REPO).steps) == 1


def test_no_window_of_time_sees_more_requests_than_the_limit(hub, tmp_path):
    hub.add(REPO, branches(*(f"step{2**n}" for n in range(9))))
    listing = asking(hub, tmp_path, throttle=Throttle(limit=4, window_s=0.5))
    waits: list[Waiting] = []
    found = listing.revisions(REPO, notify=waits.append)
    listing.trees(REPO, found.commits, notify=waits.append)
    times = [request.at for request in hub.requests]
    assert len(times) == 10
    assert all(late - early > 0.45 for early, late in zip(times, times[4:], strict=False))
    assert {wait.reason for wait in waits} == {"own limit"}


def test_the_limit_is_under_that_of_the_anonymous():
    throttle = Throttle()
    for _ in range(450):
        assert throttle.wait_s() == 0
        throttle.count()
    assert 299 < throttle.wait_s() <= 300


def test_the_hubs_own_count_of_what_is_left_is_heeded_before_it_refuses(hub, listing):
    hub.add(REPO, branches("step0"))
    hub.headers["RateLimit"] = '"api";r=0;t=1'
    found = listing.revisions(REPO)
    waits: list[Waiting] = []
    listing.trees(REPO, found.commits, notify=waits.append)
    assert waits[0] == Waiting("own limit", 1)
    first, second = (request.at for request in hub.requests)
    assert second - first > 0.9


# -- cancelling ------------------------------------------------------------------------------


@contextmanager
def cancelled_after(seconds):
    """Give a cancel that is set after `seconds`; fail if the block outlives it by a second."""
    cancel = threading.Event()
    timer = threading.Timer(seconds, cancel.set)
    begun = time.monotonic()
    timer.start()
    try:
        yield cancel
    finally:
        timer.cancel()
        timer.join()
    assert cancel.is_set()
    assert time.monotonic() - begun < seconds + 1


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("stall", {}),
        ("stall", {"after_bytes": 20}),
        ("slow", {"rate": 10}),
        ("status", {"status": 429, "headers": {"Retry-After": "60"}}),
        ("status", {"status": 503, "headers": {"Retry-After": "60"}}),
    ],
    ids=["silence", "silence in the middle", "trickle", "rate limit", "trouble"],
)
def test_whatever_it_waits_for_it_is_cancelled_within_a_second(hub, listing, kind, how):
    hub.add(REPO, branches("step0"))
    hub.break_(kind, "*/refs", **how)
    with cancelled_after(0.2) as cancel, pytest.raises(Cancelled):
        listing.revisions(REPO, cancel=cancel)


def test_its_own_pause_is_cancelled_within_a_second(hub, tmp_path):
    hub.add(REPO, branches("step0", "step1"))
    listing = asking(hub, tmp_path, throttle=Throttle(limit=2, window_s=60))
    found = listing.revisions(REPO)
    with cancelled_after(0.2) as cancel, pytest.raises(Cancelled):
        listing.trees(REPO, found.commits, cancel)
    assert len(hub.requests) == 2


def test_a_connection_that_never_comes_about_is_cancelled_within_a_second(monkeypatch, hub):
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # fills its queue, so that the next ones wait for ever
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        client = HubClient(f"http://127.0.0.1:{deaf.getsockname()[1]}", patience=QUICK)
        with cancelled_after(0.2) as cancel, pytest.raises(Cancelled):
            client.call(REPO, lambda api: api.list_repo_refs(REPO), cancel)


def test_who_has_lost_interest_before_is_not_asked_for(hub, listing):
    hub.add(REPO, branches("step0"))
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        listing.revisions(REPO, cancel=cancel)
    assert hub.requests == []


def test_what_was_listed_before_a_cancel_stays_remembered(hub, listing):
    repo = hub.add(REPO, branches(*(f"step{step}" for step in range(5))))
    cancel = threading.Event()

    def counted(done, of):
        if done == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        listing.trees(REPO, repo.branches.values(), cancel, counted=counted)
    assert trees_asked(hub) == 3
    listing.trees(REPO, repo.branches.values())
    assert trees_asked(hub) == 5


def test_a_call_that_was_left_alone_asks_nothing_more(hub, tmp_path):
    repo = hub.add(REPO, branches("step0"))
    hub.break_("stall", "*/refs")
    client = HubClient(hub.endpoint, patience=QUICK)
    ended = threading.Event()

    def ask(api):
        try:
            try:
                api.list_repo_refs(REPO)
            finally:
                api.model_info(REPO, revision=repo.branches["step0"])
        finally:
            ended.set()

    with cancelled_after(0.2) as cancel, pytest.raises(Cancelled):
        client.call(REPO, ask, cancel)
    hub.mend()
    assert ended.wait(5)
    assert hub.count("*/revision/*") == 0


# -- the token -------------------------------------------------------------------------------


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", CANARY)
    return CANARY


def test_no_token_goes_to_an_endpoint_that_is_not_the_public_hub(hub, listing, token):
    hub.add(REPO, branches("main", "step0"))
    listing.trees(REPO, listing.revisions(REPO).commits)
    assert len(hub.requests) == 3
    assert all(token not in str(request) for request in hub.requests)
    assert not listing.client.sends_token


@pytest.mark.parametrize(
    ("endpoint", "sends"),
    [
        ("https://huggingface.co", True),
        ("https://huggingface.co/", True),
        ("http://huggingface.co", False),
        ("https://huggingface.co.example", False),
        ("https://huggingface.co@example.org", False),
        ("https://huggingface.co:8443", False),
        ("https://hub.example", False),
    ],
)
def test_only_the_public_hub_gets_the_token(endpoint, sends):
    assert HubClient(endpoint).sends_token is sends


def test_an_endpoint_that_the_user_allows_gets_the_token(hub, tmp_path, token):
    hub.add(REPO, branches("step0"), token=token)
    listing = asking(hub, tmp_path, token_endpoints=frozenset({hub.endpoint}))
    listing.trees(REPO, listing.revisions(REPO).commits)
    assert [request.authorization for request in hub.requests] == [f"Bearer {token}"] * 2


def test_a_private_repository_is_hidden_without_its_token(hub, listing, token):
    hub.add(REPO, branches("step0"), token=token)
    with pytest.raises(NoRepository):
        listing.revisions(REPO)


def test_a_token_that_the_hub_does_not_know_is_said_to_be_refused(hub, tmp_path, token):
    hub.add(REPO, branches("step0"), token="hf_another")
    listing = asking(hub, tmp_path, token_endpoints=frozenset({hub.endpoint}))
    with pytest.raises(TokenRefused, match="hf auth login"):
        listing.revisions(REPO)


def test_an_answer_cannot_lead_the_token_to_another_host(hub, tmp_path, token):
    hub.add(REPO, branches("step0"), token=token)
    elsewhere = hub.address("cdn")
    hub.break_("redirect", "*/refs", location=f"{elsewhere}/refs")
    listing = asking(hub, tmp_path, token_endpoints=frozenset({hub.endpoint}))
    with pytest.raises(OddAnswer, match="another host"):
        listing.revisions(REPO)
    assert [request.origin for request in hub.requests] == ["hub"]


def test_a_session_made_anew_in_the_middle_of_a_call_is_guarded_as_well(hub, listing, token):
    hub.add(REPO, branches("step0"))
    hub.break_("redirect", "*/refs", location=f"{hub.address('cdn')}/refs")

    def ask(api):
        close_session()
        return api.list_repo_refs(REPO)

    with pytest.raises(OddAnswer, match="another host"):
        listing.client.call(REPO, ask)
    assert [request.origin for request in hub.requests] == ["hub"]


def test_a_session_that_another_thread_closed_is_replaced(hub, listing):
    hub.add(REPO, branches("step0"))
    sessions: list[Any] = []

    def ask(api):
        if not sessions:
            sessions.append(get_session())
            sessions[0].close()
        elif get_session() is sessions[0]:
            close_session()
        return api.list_repo_refs(REPO)

    assert len(listing.client.call(REPO, ask).branches) == 1


FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status", {"status": 401}),
    ("status", {"status": 403}),
    ("status", {"status": 429}),
    ("status", {"status": 500}),
    ("garbage", {}),
    ("drop", {}),
    ("redirect", {"location": "http://127.0.0.2:9/"}),
)


def test_the_token_is_in_no_log_error_or_file_whatever_fails(hub, tmp_path, token, caplog):
    hub.add(REPO, branches("main", "step0"), token=token)
    listing = asking(hub, tmp_path, token_endpoints=frozenset({hub.endpoint}))
    told = []
    with caplog.at_level(logging.DEBUG), all_at_debug():
        listing.trees(REPO, listing.revisions(REPO).commits)
        for kind, how in FAULTS:
            hub.break_(kind, "*/refs", **how)
            with pytest.raises(HubError) as raised:
                listing.revisions(REPO)
            told.append("".join(traceback.format_exception(raised.value)))
            hub.mend()
    said = "\n".join([caplog.text, *told, *map(repr, (listing.client, listing))])
    written = b"".join(file.read_bytes() for file in cached_files(tmp_path))
    assert any(request.authorization for request in hub.requests)
    assert "/refs" in caplog.text
    assert CANARY not in said
    assert CANARY.encode() not in written


@contextmanager
def all_at_debug():
    """Let the loggers of the HTTP client and of the Hub's say all they have, to the root."""
    before = {}
    for name in ("httpx2", "httpcore2", "huggingface_hub"):
        logger = logging.getLogger(name)
        before[name] = (logger.level, logger.propagate)
        logger.setLevel(logging.DEBUG)
        logger.propagate = True
    try:
        yield
    finally:
        for name, (level, propagate) in before.items():
            logging.getLogger(name).setLevel(level)
            logging.getLogger(name).propagate = propagate


def test_nobody_is_told_about_this_machine(hub, listing, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    hub.add(REPO, branches("step0"))
    listing.revisions(REPO)
    assert [request.path for request in hub.requests] == [f"/api/models/{REPO}/refs"]
    assert "torch" not in hub.requests[0].headers["user-agent"]
    assert hub.requests[0].headers["user-agent"].startswith("pythia-gui/")


def test_credentials_in_an_endpoint_are_not_shown():
    client = HubClient("https://reader:secret@hub.example:8443", offline=True)
    assert client.host == "hub.example:8443"
    with pytest.raises(Offline) as raised:
        client.call(REPO, lambda api: api.list_repo_refs(REPO))
    assert "secret" not in str(raised.value)


# -- the public face -------------------------------------------------------------------------


def test_every_error_is_a_hub_error_with_a_sentence_of_its_own():
    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, HubError)
    ]
    assert len(kinds) == 17
    drawn = module.__doc__
    assert [kind.__name__ for kind in kinds if kind.__name__ not in drawn] == []


def test_what_is_listed_is_frozen(hub, listing):
    repo = hub.add(REPO, branches("step0"))
    tree = listing.tree(REPO, repo.branches["step0"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        tree.commit = "x"
