import hashlib
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pythia_gui.core.events import Failure, Notice, Placement, Progress, Result, TokenWritten
from pythia_gui.core.fallback import Float32Fallback
from pythia_gui.core.requests import Continue, Request, Sampling
from pythia_gui.core.steps import STEPS
from pythia_gui.store import cached as module
from pythia_gui.store.cached import CachedEngine
from pythia_gui.store.database import Database
from tests.fakes import CPU, GPU, FakeEngine, asking, checkpoint, exact, prompt, text_of

ALL_PARTS: dict[str, Any] = {
    "score": True,
    "next_token": True,
    "continuation": Continue(4, samples=2),
}


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


def run(engine, request, cancel=None):
    return list(engine.run(request, cancel or threading.Event()))


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def results(engine, request):
    return of(Result, run(engine, request))


def without_texts(answers):
    """Return results in a form that can be compared to the last bit, labels of the way aside."""
    return [exact(replace(result, texts={}, from_store=False)) for result in answers]


def named(result):
    """Return the texts that a result needs, as the fake engine gives them."""
    return {i: text_of(i) for i in result.texts}


# -- never twice -----------------------------------------------------------------------------


def test_a_second_run_computes_nothing_and_says_the_same(engine, inner):
    request = asking(0, 512, 1000, prompts=(prompt("ab", "c", "de"), prompt("xyz")), **ALL_PARTS)
    first, second = results(engine, request), results(engine, request)
    assert inner.computed == [(0, 512, 1000)]
    assert not any(result.from_store for result in first)
    assert all(result.from_store for result in second)
    assert without_texts(first) == without_texts(second)
    for result in second:
        assert result.texts == named(result)
        ids = {*result.prompt.token_ids, *result.score.top.ids.ravel().tolist()}
        assert ids <= result.texts.keys()


def test_results_survive_a_restart_and_need_no_engine(engine, inner, tmp_path, database):
    request = asking(0, 512, **ALL_PARTS)
    first = results(engine, request)
    other = FakeEngine()
    with Database(tmp_path / "results.sqlite3") as reopened:
        events = run(CachedEngine(other, reopened), request)
    assert events[0] == CPU
    assert without_texts(of(Result, events)) == without_texts(first)
    assert other.asked == []


def test_only_missing_checkpoints_are_asked_and_the_order_is_kept(engine, inner):
    results(engine, asking(1, 4, 16))
    second = results(engine, asking(0, 1, 2, 4, 8, 16, 32))
    assert [result.checkpoint.step for result in second] == [0, 1, 2, 4, 8, 16, 32]
    assert [result.from_store for result in second] == [False, True] * 3 + [False]
    assert inner.computed == [(1, 4, 16), (0, 2, 8, 32)]


def test_only_missing_prompts_are_asked(engine, inner):
    results(engine, asking(0, 1, prompts=(prompt("a"), prompt("c"))))
    second = results(engine, asking(0, 1, prompts=(prompt("a"), prompt("b"), prompt("c"))))
    assert [(r.checkpoint.step, r.prompt.text) for r in second] == [
        (step, text) for step in (0, 1) for text in "abc"
    ]
    assert [p.text for p in inner.asked[-1].prompts] == ["b"]


def test_only_missing_parts_are_asked(engine, inner):
    results(engine, asking(0, 1))
    whole = results(engine, asking(0, 1, **ALL_PARTS))
    asked = inner.asked[-1]
    assert (asked.score, asked.next_token, asked.continuation) == (True, False, Continue(4, 2))
    assert all(len(r.continuations) == 2 and r.score and r.next_token for r in whole)
    fresh = results(FakeEngine(), asking(0, 1, **ALL_PARTS))
    assert without_texts(whole) == without_texts(fresh)


def test_only_missing_targets_are_asked_and_come_in_the_order_typed(engine, inner):
    results(engine, asking(0, prompts=(prompt("ab", "c", "e"),)))
    (second,) = results(engine, asking(0, prompts=(prompt("ab", "e", "d", "c"),)))
    assert [target.text for target in second.targets] == ["e", "d", "c"]
    assert second.prompt == prompt("ab", "e", "d", "c")
    assert [target.text for target in inner.asked[-1].prompts[0].targets] == ["d"]
    assert not inner.asked[-1].next_token


def test_prompts_that_differ_in_stored_targets_alone_are_not_mixed_up(engine):
    results(engine, asking(0, prompts=(prompt("ab", "c"), prompt("ab", "d"))))
    request = asking(0, prompts=(prompt("ab", "c"), prompt("ab", "d")), continuation=Continue(3))
    events = run(engine, request)
    assert [r.prompt for r in of(Result, events)] == list(request.prompts)
    assert [e.prompt for e in of(TokenWritten, events)] == [
        p for p in request.prompts for _ in range(3)
    ]
    assert [r.targets[0].text for r in of(Result, events)] == ["c", "d"]


def test_tokens_pass_through_as_they_are_written(engine):
    results(engine, asking(0, prompts=(prompt("ab", "c"),)))
    request = asking(0, prompts=(prompt("ab", "c"),), continuation=Continue(3))
    tokens = of(TokenWritten, run(engine, request))
    assert [token.prompt for token in tokens] == [prompt("ab", "c")] * 3
    assert of(TokenWritten, run(engine, request)) == []


def test_many_changing_needs_make_few_requests(engine, inner):
    for step in range(0, 40, 2):
        results(engine, asking(step))
    before = len(inner.computed)
    whole = results(engine, asking(*range(40), score=True))
    assert [r.checkpoint.step for r in whole] == list(range(40))
    assert all(r.score and r.next_token for r in whole)
    assert len(inner.computed) - before == 1


def test_a_greedy_continuation_is_one_for_every_seed_and_sample(engine, inner):
    results(engine, asking(0, continuation=Continue(4, sampling=Sampling(seed=1))))
    again = asking(0, continuation=Continue(4, samples=2, sampling=Sampling(seed=7)))
    (second,) = results(engine, again)
    assert second.from_store
    assert [(c.sample, c.seed) for c in second.continuations] == [(0, 7), (1, 7)]


def test_another_seed_is_another_sampled_continuation(engine, inner):
    def drawn(seed, samples=1):
        sampling = Sampling(temperature=1.0, seed=seed)
        return asking(0, continuation=Continue(4, samples=samples, sampling=sampling))

    results(engine, drawn(1, samples=2))
    assert results(engine, drawn(1))[0].from_store
    assert not results(engine, drawn(2))[0].from_store
    assert not results(engine, drawn(1, samples=3))[0].from_store


def test_more_alternatives_are_asked_anew(engine):
    results(engine, asking(0, top_k=3))
    (second,) = results(engine, asking(0, top_k=5))
    assert second.next_token.top.ids.shape == (1, 5)


def test_a_request_for_nothing_is_answered_with_nothing(engine, inner):
    (result,) = results(engine, asking(0, next_token=False))
    assert result.next_token is None
    assert inner.computed == []


# -- what a result is known by ----------------------------------------------------------------


def write_weights(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(content)
    return str(folder)


def on_disk(step, folder, model="fake"):
    return checkpoint(step, model, folder=folder, weights_sha256=None)


def test_the_same_weights_under_two_names_are_one_entry(engine, inner, tmp_path):
    here = on_disk(7, write_weights(tmp_path / "a" / "step7", b"weights"), "one")
    there = on_disk(1000, write_weights(tmp_path / "b", b"weights"), "two")
    results(engine, asking(checkpoints=(here,)))
    (second,) = results(engine, asking(checkpoints=(there,)))
    assert inner.computed == [(7,)]
    assert second.from_store
    assert (second.checkpoint.model, second.checkpoint.step) == ("two", 1000)
    assert second.checkpoint.weights_sha256 == hashlib.sha256(b"weights").hexdigest()


def test_other_weights_under_the_same_name_are_another_entry(engine, inner, tmp_path):
    here = on_disk(7, write_weights(tmp_path, b"weights"))
    results(engine, asking(checkpoints=(here,)))
    write_weights(tmp_path, b"trained a little longer")
    (second,) = results(engine, asking(checkpoints=(here,)))
    assert not second.from_store


def test_a_fingerprint_is_taken_once(engine, inner, tmp_path, database, monkeypatch):
    here = on_disk(7, write_weights(tmp_path, b"weights"))
    results(engine, asking(checkpoints=(here,)))

    def refuse(*_):
        raise AssertionError("read again")

    monkeypatch.setattr("pythia_gui.store.fingerprints.file_sha256", refuse)
    assert results(CachedEngine(inner, database), asking(checkpoints=(here,)))[0].from_store


def test_shards_have_one_fingerprint(engine, inner, tmp_path):
    index = '{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}'
    (tmp_path / "model.safetensors.index.json").write_text(index)
    for name in "12":
        (tmp_path / f"{name}.safetensors").write_text(name)
    request = asking(checkpoints=(on_disk(7, str(tmp_path)),))
    results(engine, request)
    assert results(engine, request)[0].from_store
    (tmp_path / "2.safetensors").write_text("changed")
    assert not results(engine, request)[0].from_store


class Reader(FakeEngine):
    """A fake that takes the fingerprint itself, as the real engine does."""

    def run(self, request, cancel):
        for event in super().run(request, cancel):
            if isinstance(event, Result) and event.checkpoint.weights_sha256 is None:
                file = Path(event.checkpoint.folder or "") / "model.safetensors"
                sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
                yield replace(event, checkpoint=replace(event.checkpoint, weights_sha256=sha256))
            else:
                yield event


def test_big_weights_are_asked_at_once_and_stored_by_the_engines_fingerprint(
    database, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "HASHED_BEFORE_BYTES", 10)
    engine = CachedEngine(reader := Reader(), database)
    steps = [on_disk(n, write_weights(tmp_path / str(n), b"weights " * (n + 1))) for n in range(3)]
    request = asking(checkpoints=tuple(steps))
    first, second = results(engine, request), results(engine, request)
    assert [c.weights_sha256 for r in reader.asked[1:] for c in r.checkpoints][1:] == [None, None]
    assert all(r.from_store for r in second)
    assert [r.checkpoint for r in first] == [r.checkpoint for r in second]


def test_weights_that_change_during_the_run_are_not_stored(database, tmp_path):
    inner = FakeEngine()
    engine = CachedEngine(inner, database)
    request = asking(checkpoints=(on_disk(7, write_weights(tmp_path, b"weights")),))
    for event in engine.run(request, threading.Event()):
        if isinstance(event, Progress):
            write_weights(tmp_path, b"others!!")
    write_weights(tmp_path, b"weights")
    assert not results(engine, request)[0].from_store


def test_a_checkpoint_that_is_not_here_is_answered_if_it_ever_was(engine, inner):
    results(engine, asking(0))
    gone = (checkpoint(0, folder=None), checkpoint(1, folder=None))
    first, second = results(engine, asking(checkpoints=gone))
    assert first.from_store
    assert "not on this machine" in second.error
    unknown = checkpoint(0, folder=None, weights_sha256=None)
    assert "not on this machine" in results(engine, asking(checkpoints=(unknown,)))[0].error


def test_errors_are_not_stored(engine, inner):
    inner.broken[1] = "step 1 is broken"
    assert [r.error for r in results(engine, asking(0, 1, 2))] == [None, "step 1 is broken", None]
    inner.broken.clear()
    assert [r.from_store for r in results(engine, asking(0, 1, 2))] == [True, False, True]


# -- where it is computed ---------------------------------------------------------------------


def test_the_placement_comes_first(engine):
    events = run(engine, asking(0))
    assert events[0] == CPU
    assert of(Placement, events) == [CPU]


def test_a_request_without_checkpoints_asks_for_the_placement(engine, inner):
    assert run(engine, asking()) == [CPU]
    assert run(engine, asking()) == [CPU]


def test_a_new_device_is_noticed_and_everything_computed_for_it(engine, inner, database):
    results(engine, asking(0, 1))
    moved = CachedEngine(FakeEngine(GPU), database)
    events = run(moved, asking(0, 1, 2))
    assert of(Placement, events) == [CPU, GPU]
    last = {r.checkpoint.step: r for r in of(Result, events)}
    assert [last[step].device_class for step in (0, 1, 2)] == ["cuda"] * 3
    after = results(CachedEngine(FakeEngine(GPU), database), asking(0, 1, 2))
    assert {(r.device_class, r.from_store) for r in after} == {("cuda", True)}


def test_each_device_setting_has_its_own_placement(engine, inner, database):
    results(engine, asking(0, device="cpu"))
    other = FakeEngine(GPU)
    (result,) = results(CachedEngine(other, database), asking(0, device="cuda"))
    assert result.device_class == "cuda"
    assert not result.from_store


def test_the_rest_of_a_curve_keeps_the_dtype_of_the_whole(database):
    inner = FakeEngine(replace(GPU, memory_bytes=8 * checkpoint(0).config.parameters))
    engine = CachedEngine(inner, database)
    big = checkpoint(1, config=replace(checkpoint(1).config, layers=40))
    first = results(engine, asking(checkpoints=(checkpoint(0), big)))
    assert [r.dtype for r in first] == ["float16", "float16"]
    (alone,) = results(engine, asking(0))
    assert alone.dtype == "float32"
    third = results(engine, asking(checkpoints=(checkpoint(0), big, checkpoint(2))))
    assert [r.dtype for r in third] == ["float16"] * 3
    assert inner.asked[-1].dtype == "float16"


def test_results_in_another_dtype_are_other_results(engine):
    results(engine, asking(0, dtype="float16"))
    assert not results(engine, asking(0, dtype="float32"))[0].from_store
    assert results(engine, asking(0, dtype="float16"))[0].from_store


def test_the_fallback_stands_outside(engine, inner):
    assert [r.error for r in results(Float32Fallback(engine), asking(0, 1))] == [None, None]


# -- faults ------------------------------------------------------------------------------------


def test_a_damaged_result_is_computed_again(engine, inner, database):
    request = asking(*range(10), **ALL_PARTS)
    first = results(engine, request)
    connection = database._connection()
    connection.execute(
        "UPDATE results SET payload = x'00' WHERE rowid IN (SELECT rowid FROM results LIMIT 3)"
    )
    second = results(engine, request)
    assert [r.checkpoint.step for r in second] == list(range(10))
    assert without_texts(first) == without_texts(second)
    assert 1 <= sum(not r.from_store for r in second) < 10
    assert all(r.from_store for r in results(engine, request))


def test_a_result_whose_words_are_lost_is_computed_again(engine, inner, database):
    results(engine, asking(0, 1))
    database._connection().execute("DELETE FROM token_texts")
    again = CachedEngine(inner, database)
    first, second = results(again, asking(0, 1))
    assert not first.from_store
    assert second.from_store  # the words are the tokenizer's, not the step's
    assert second.texts == named(second)


def test_results_that_cannot_be_saved_are_delivered_with_one_notice(engine, database):
    database._connection().execute("DROP TABLE results")
    events = run(engine, asking(0, 1, 2))
    assert [r.checkpoint.step for r in of(Result, events)] == [0, 1, 2]
    (notice,) = of(Notice, events)
    assert "can't be saved" in notice.text
    assert of(Notice, run(engine, asking(0, 1, 2))) == []


def test_a_locked_file_costs_no_answer(engine, database, tmp_path):
    results(engine, asking(0))
    other = sqlite3.connect(tmp_path / "results.sqlite3")
    other.execute("BEGIN IMMEDIATE")
    events = run(engine, asking(0, 1, 2, 3))
    other.rollback()
    other.close()
    assert [r.checkpoint.step for r in of(Result, events)] == [0, 1, 2, 3]
    (notice,) = of(Notice, events)
    assert notice.text.startswith("Results can't be saved (another program holds the file)")


def test_what_happened_to_the_file_is_said_once(tmp_path, inner):
    (tmp_path / "results.sqlite3").write_bytes(b"damaged" * 1000)
    with Database(tmp_path / "results.sqlite3") as database:
        engine = CachedEngine(inner, database)
        assert "damaged" in of(Notice, run(engine, asking(0)))[0].text
        assert of(Notice, run(engine, asking(0))) == []


class Failing(FakeEngine):
    """A fake whose very nature fails at a step."""

    def run(self, request, cancel):
        for event in super().run(request, cancel):
            if isinstance(event, Result) and event.checkpoint.step == 2:
                yield Failure("The engine was killed.")
                return
            yield event


def test_a_failure_ends_the_run_and_what_came_before_is_kept(database):
    engine = CachedEngine(Failing(), database)
    events = run(engine, asking(0, 1, 2, 3))
    assert [r.checkpoint.step for r in of(Result, events)] == [0, 1]
    assert events[-1] == Failure("The engine was killed.")
    assert [r.from_store for r in results(engine, asking(0, 1))] == [True, True]


# -- cancel and time ---------------------------------------------------------------------------


def test_cancel_ends_the_inner_run_too(engine, inner):
    cancel = threading.Event()
    inner.hold(1)
    events = engine.run(asking(0, 1, 2), cancel)
    for event in events:
        if isinstance(event, Result):
            cancel.set()
    assert inner.open == 0
    assert [r.from_store for r in results(engine, asking(0))] == [True]


def test_closing_early_closes_the_inner_run(engine, inner):
    events = engine.run(asking(0, 1, 2), threading.Event())
    next(e for e in events if isinstance(e, Result))
    events.close()
    assert inner.open == 0


def test_a_cancelled_run_of_stored_results_ends(engine):
    results(engine, asking(0, 1))
    cancel = threading.Event()
    cancel.set()
    assert of(Result, run(engine, asking(0, 1), cancel)) == []


def test_progress_speaks_of_the_whole_request(engine):
    results(engine, asking(*range(5)))
    fractions = [e.fraction for e in of(Progress, run(engine, asking(*range(10))))]
    assert fractions == sorted(fractions)
    assert fractions[0] == pytest.approx(0.5)
    assert fractions[-1] < 1


def test_stored_results_before_a_missing_one_do_not_wait_for_it(engine, inner):
    results(engine, asking(0, 1))
    inner.hold(2)
    events = engine.run(asking(0, 1, 2), threading.Event())
    assert [next(events) for _ in range(3)][1].checkpoint.step == 0
    inner.release(2)
    assert len(of(Result, list(events))) == 1


def sweep(tmp_path):
    checkpoints = [
        on_disk(step, write_weights(tmp_path / f"step{step}", str(step).encode() * 1000))
        for step in STEPS
    ]
    return Request("sweep", tuple(checkpoints), (prompt("a prompt of some words", "c"),), top_k=10)


def timed(engine, request):
    """Return the processor time of a run, which other work on the machine does not lengthen."""
    start = time.process_time()
    found = results(engine, request)
    return time.process_time() - start, found


def test_a_stored_sweep_of_the_whole_training_takes_a_tenth_of_a_second(inner, database, tmp_path):
    request = sweep(tmp_path)
    results(CachedEngine(inner, database), request)
    runs = [timed(CachedEngine(FakeEngine(), database), request) for _ in range(3)]
    for _, found in runs:
        assert [result.checkpoint.step for result in found] == list(STEPS)
        assert all(result.from_store for result in found)
    assert min(spent_s for spent_s, _ in runs) < 0.1


def test_a_result_is_what_was_computed(engine):
    request = asking(3, **ALL_PARTS)
    results(engine, request)
    (stored,) = results(engine, request)
    (fresh,) = results(FakeEngine(), request)
    assert np.isnan(stored.score.logprobs[0])
    assert without_texts([stored]) == without_texts([fresh])
