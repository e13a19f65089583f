"""What is kept of comparisons: by both weights, and by all that came earlier."""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pythia_gui.core.events import Progress, Result
from pythia_gui.core.requests import Continue
from pythia_gui.store import cached as module
from pythia_gui.store.cached import CachedEngine
from pythia_gui.store.database import Database
from tests.fakes import GPU, FakeEngine, asking, checkpoint, exact, prompt

REFERENCE = checkpoint(999, "other")
LINE: dict[str, Any] = {"similarity": True, "prompts": (prompt("ab"), prompt("cd"))}


@pytest.fixture
def database(tmp_path):
    with Database(tmp_path / "results.sqlite3") as opened:
        yield opened


@pytest.fixture
def inner():
    return FakeEngine()


@pytest.fixture
def engine(inner, database):
    return CachedEngine(inner, database)


def results(engine, request):
    events = engine.run(request, threading.Event())
    return [event for event in events if isinstance(event, Result)]


def plain(answers):
    """Return results in a form that is equal only to what is equal to the last bit."""
    return [exact(replace(result, texts={}, from_store=False)) for result in answers]


def on_disk(step, folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(content)
    return checkpoint(step, folder=str(folder), weights_sha256=None)


# -- against a reference -----------------------------------------------------------------------


def test_a_divergence_is_computed_once_and_comes_back_to_the_last_bit(engine, inner):
    request = asking(0, 1, against=REFERENCE, score=True)
    first, second = results(engine, request), results(engine, request)
    assert inner.computed == [(0, 1)]
    assert all(result.from_store for result in second)
    assert plain(first) == plain(second)
    assert all(result.divergence is not None for result in second)


def test_another_reference_is_another_entry_and_only_the_divergence_is_asked(engine, inner):
    request = asking(0, against=REFERENCE, score=True)
    results(engine, request)
    other = replace(request, against=checkpoint(5, "other"))
    (second,) = results(engine, other)
    asked = inner.asked[-1]
    assert (asked.score, asked.next_token, asked.against) == (False, False, other.against)
    assert plain([second]) == plain(results(FakeEngine(), other))


def test_a_score_without_the_divergence_does_not_ask_for_the_reference(engine, inner):
    results(engine, asking(0, against=REFERENCE))
    results(engine, asking(0, score=True))
    assert inner.asked[-1].against is None


def test_the_reference_under_another_name_is_the_same(engine, tmp_path):
    here = on_disk(7, tmp_path / "a", b"reference")
    there = on_disk(8, tmp_path / "b", b"reference")
    results(engine, asking(0, against=here))
    assert results(engine, asking(0, against=there))[0].from_store


def test_other_weights_of_the_reference_are_another_entry(engine, tmp_path):
    results(engine, asking(0, against=on_disk(7, tmp_path, b"reference")))
    changed = on_disk(7, tmp_path, b"trained a little longer")
    assert not results(engine, asking(0, against=changed))[0].from_store


def test_a_reference_that_changes_while_it_is_read_is_not_stored(engine, tmp_path):
    request = asking(0, against=on_disk(7, tmp_path, b"reference"))
    for event in engine.run(request, threading.Event()):
        if isinstance(event, Progress) and not event.text.startswith("Checking"):
            on_disk(7, tmp_path, b"others!!!")
    on_disk(7, tmp_path, b"reference")
    assert not results(engine, request)[0].from_store


class Hashing(FakeEngine):
    """A fake that takes the reference's fingerprint itself, as the real engine does."""

    def run(self, request, cancel):
        against = request.against
        if against is not None and against.weights_sha256 is None:
            known = replace(against, weights_sha256="f" * 64)
            request = replace(request, against=known)
        yield from super().run(request, cancel)


def test_a_big_reference_is_stored_by_the_fingerprint_that_the_engine_took(
    database, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "HASHED_BEFORE_BYTES", 3)
    engine = CachedEngine(Hashing(), database)
    request = asking(0, 1, against=on_disk(7, tmp_path, b"reference"))
    assert [r.from_store for r in results(engine, request)] == [False, False]
    assert [r.from_store for r in results(engine, request)] == [True, True]


def test_a_reference_that_is_gone_costs_only_what_is_not_stored(engine):
    results(engine, asking(0, against=REFERENCE))
    gone = replace(REFERENCE, folder=None)
    first, second = results(engine, asking(0, 1, against=gone))
    assert first.from_store
    assert first.divergence is not None
    assert "fetch it" in str(second.error)


# -- similarity --------------------------------------------------------------------------------


def test_a_similarity_is_computed_once_and_comes_back_to_the_last_bit(engine, inner):
    request = asking(0, 1, 2, **LINE)
    first, second = results(engine, request), results(engine, request)
    assert inner.computed == [(0, 1, 2)]
    assert all(result.from_store for result in second)
    assert plain(first) == plain(second)
    assert [len(result.similarity) for result in second] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("known", [(0, 1), (0, 2), (2,), (1, 2, 3), (3, 2, 1, 0)])
def test_where_one_is_missing_all_are_asked_in_order_and_no_row_is_wrong(engine, inner, known):
    results(engine, asking(*known, **LINE))
    request = asking(0, 1, 2, 3, **LINE)
    found = results(engine, request)
    assert inner.asked[-1].similarity
    assert inner.computed[-1] == (0, 1, 2, 3)
    assert plain(found) == plain(results(FakeEngine(), request))


def test_only_the_prompts_that_lack_it_are_asked(engine, inner):
    results(engine, asking(0, 1, **LINE))
    more = (*LINE["prompts"], prompt("ef"))
    request = asking(0, 1, similarity=True, prompts=more)
    found = results(engine, request)
    assert [asked.text for asked in inner.asked[-1].prompts] == ["ef"]
    assert plain(found) == plain(results(FakeEngine(), request))


def test_parts_that_are_stored_of_some_checkpoints_do_not_split_the_line(engine, inner):
    for step in (0, 2, 4, 6):
        results(engine, asking(step, continuation=Continue(3), **LINE | {"similarity": False}))
    request = asking(*range(8), continuation=Continue(3), **LINE)
    before = len(inner.computed)
    assert plain(results(engine, request)) == plain(results(FakeEngine(), request))
    assert len(inner.computed) == before + 1


def test_a_failure_leaves_a_gap_that_is_not_kept(engine, inner):
    inner.broken[1] = "step 1 is broken"
    found = results(engine, asking(0, 1, 2, 3, **LINE))
    assert [np.isnan(r.similarity).tolist() for r in found if r.similarity is not None] == [
        *([], []),
        *([False, True], [False, True]),
        *([False, True, False], [False, True, False]),
    ]
    inner.broken.clear()
    results(engine, asking(0, 1, **LINE))
    again = results(engine, asking(0, 1, 2, 3, **LINE))
    assert not any(np.isnan(result.similarity).any() for result in again)


def test_a_damaged_similarity_is_computed_again_with_all_before_it(engine, inner, database):
    request = asking(0, 1, 2, 3, **LINE)
    first = results(engine, request)
    rows = database._connection().execute("SELECT rowid FROM results WHERE part = 'similarity'")
    last = max(row for (row,) in rows)
    database._connection().execute("UPDATE results SET payload = x'00' WHERE rowid = ?", (last,))
    found = {(r.checkpoint.step, r.prompt): r for r in results(engine, request)}
    assert inner.computed[-1] == (0, 1, 2, 3)
    assert plain(found.values()) == plain(first)


def test_a_line_whose_weights_changed_while_they_were_read_is_not_kept(database, tmp_path):
    """Step 1's file is another when its turn comes, and the old one again at the end."""
    engine = CachedEngine(FakeEngine(), database)
    steps = [on_disk(n, tmp_path / str(n), b"weights %d" % n) for n in range(3)]
    request = asking(checkpoints=tuple(steps), **LINE)
    for event in engine.run(request, threading.Event()):
        if isinstance(event, Progress) and event.text == "step 1":
            on_disk(1, tmp_path / "1", b"others")
    on_disk(1, tmp_path / "1", b"weights 1")
    results(engine, replace(request, checkpoints=tuple(steps[:2])))
    *_, last = results(engine, request)
    assert not last.from_store


def test_a_new_device_begins_the_line_again(engine, database):
    results(engine, asking(0, 1, **LINE))
    request = asking(0, 1, 2, **LINE)
    moved = results(CachedEngine(FakeEngine(GPU), database), request)
    last = {(r.checkpoint.step, r.prompt): r for r in moved}
    assert plain(last.values()) == plain(results(FakeEngine(GPU), request))


def test_what_is_stored_is_not_asked_again_beside_a_comparison(engine, inner):
    results(engine, asking(0, 1, score=True))
    again = results(engine, asking(0, 1, score=True, against=REFERENCE, similarity=True))
    assert not inner.asked[-1].score
    assert not inner.asked[-1].next_token
    assert all(r.score and r.divergence and r.similarity is not None for r in again)
