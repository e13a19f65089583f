"""The report of a check: JSON for programs, text for people, no weights for anybody."""

import json
import threading

import pytest

from pythia_gui.checks import as_text, check_report
from pythia_gui.core.defects import defects_of
from pythia_gui.core.steps import LAST_STEP, STEPS
from pythia_gui.hub.client import Cancelled, HubClient, Offline
from pythia_gui.hub.listing import HubListing
from tests.hub_server import HubServer, allow_network

REPO = "EleutherAI/pythia-2.8b"
HOLE = 77_000


def weights(label):
    return {"config.json": b"{}", "model.safetensors": f"weights {label}".encode()}


@pytest.fixture
def hub(monkeypatch):
    """A Hub with pythia-2.8b as it was reported, and one branch missing."""
    allow_network(monkeypatch)
    same_as_main, same_as_last, _ = defects_of(REPO)
    label = dict.fromkeys(same_as_main.steps, "main")
    label |= dict.fromkeys((*same_as_last.steps, LAST_STEP), "last")
    with HubServer() as server:
        steps = {f"step{s}": weights(label.get(s, s)) for s in STEPS if s != HOLE}
        server.add(REPO, {"main": weights("main"), "dev": weights("dev")} | steps)
        yield server


@pytest.fixture
def listing(hub, tmp_path):
    return HubListing(HubClient(hub.endpoint), tmp_path)


def test_the_report_is_json_and_says_all_that_was_planted(hub, listing):
    report = check_report(listing, REPO)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["counts"] == {"fine": 153 - 86, "note": 1, "bad": 85}
    assert report["holes"] == [HOLE]
    assert report["others"] == ["dev"]
    assert [left["step"] for left in report["left_out"]] == [
        step["step"] for step in report["steps"] if step["severity"] == "bad"
    ]
    first = report["steps"][0]
    assert first["verdict"] == "weights of another step"
    assert first["same_as_main"]
    assert first["weights_sha256"] == report["main"]["weights_sha256"]
    assert first["reported"][0]["source"].endswith("/205")
    assert first["reported"][0]["dated"] == "2026-08-14"


def test_the_check_asks_for_no_weights_and_a_second_one_only_for_the_branches(hub, listing):
    report = check_report(listing, REPO)
    asked = len(hub.requests)
    again = check_report(listing, REPO)
    assert {**again, "asked_at": None} == {**report, "asked_at": None}
    assert hub.weight_requests() == []
    assert len(hub.requests) == asked + 1


def test_offline_the_last_check_is_said_again(hub, listing, tmp_path):
    report = check_report(listing, REPO)
    offline = HubListing(HubClient(hub.endpoint, offline=True), tmp_path)
    assert check_report(offline, REPO) == report
    with pytest.raises(Offline):
        check_report(offline, "EleutherAI/pythia-12b")


def test_progress_is_told_and_a_cancel_heeded(hub, listing):
    cancel, counts = threading.Event(), []

    def counted(done, of):
        counts.append((done, of))
        if done == 5:
            cancel.set()

    with pytest.raises(Cancelled):
        check_report(listing, REPO, cancel=cancel, counted=counted)
    assert counts == [(done, 154) for done in range(1, 6)]


def test_the_text_says_what_is_the_same_of_many_steps_once(hub, listing):
    text = as_text(check_report(listing, REPO))
    assert text.startswith(f"{REPO} on 127.0.0.1:")
    assert "153 steps, 67 fine, 1 with a note, 85 bad" in text
    assert "no branch for step 77,000" in text
    assert "bad   steps 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1,000 and 64 more: " in text
    assert "reported 2026-08-14" in text
    assert len(text.splitlines()) == 8


def test_names_from_the_hub_are_shown_without_control_characters(hub, listing):
    hub.add("somebody/odd", {"step1": weights(1), "step2": {"pytorch_model.bin.index.json": b""}})
    text = as_text(check_report(listing, "somebody/odd"))
    assert all(line.isprintable() for line in text.splitlines())


def test_another_models_steps_have_no_holes(hub, listing):
    hub.add("somebody/odd", {"run-7": weights(7), "run-9": weights(9)})
    report = check_report(listing, "somebody/odd", "run-{step}")
    assert [step["step"] for step in report["steps"]] == [7, 9]
    assert report["holes"] == []
    assert report["main"] is None
