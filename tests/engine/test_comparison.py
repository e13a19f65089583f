"""Checkpoints held against a reference and against each other, by the engine in this process."""

import errno
import os
import tempfile
import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pythia_gui.core.divergence import js_bits, kl_bits
from pythia_gui.core.events import Failure, Floats, Progress, Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.requests import Continue, Prompt, Request
from pythia_gui.core.resources import resource_path
from pythia_gui.engine import distance, scratch
from pythia_gui.engine.local import LocalEngine
from pythia_gui.engine.process import ProcessEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.hub.tokenizer import Tokenizer
from tests.by_scipy import scipy_js, scipy_kl
from tests.checkpoints import make_checkpoints
from tests.engine.reference import load_plainly, score
from tests.fakes import exact
from tests.small import CONTEXT, ROWS, SIZE, change_weights, make_small, write_byte_tokenizer

LONG = "The quick brown fox jumps over the lazy dog, then sleeps."


@dataclass(frozen=True)
class Suite:
    """A folder of checkpoints, and the requests that they are asked."""

    folder: Path
    library: LocalLibrary
    key: str

    def at(self, step: int):
        return self.library.checkpoint(self.key, step)

    def prompt(self, text: str, *targets: str) -> Prompt:
        return self.library.encode(self.key, text, targets)

    def asked(self, *steps: int, texts=(LONG,), **changes) -> Request:
        checkpoints = tuple(map(self.at, steps))
        prompts = tuple(map(self.prompt, texts))
        return replace(Request("compare", checkpoints, prompts, next_token=False), **changes)

    def logits(self, step: int, token_ids) -> np.ndarray:
        """Return plain transformers' logits over the tokenizer's ids, float64."""
        model = load_plainly(self.folder, self.folder / f"step{step}")
        return score(model, tuple(token_ids)).logits.double().numpy()


def suite_of(folder: Path) -> Suite:
    library = LocalLibrary(None)
    return Suite(folder, library, library.add_folder(folder).key)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Suite:
    return suite_of(make_small(tmp_path_factory.mktemp("compared") / "small", steps=(0, 1, 2, 3)))


@pytest.fixture(scope="module")
def demo() -> Suite:
    return suite_of(resource_path("demo") / "demo-s")


def events_of(request, engine=None, cancel=None):
    return list((engine or LocalEngine()).run(request, cancel or threading.Event()))


def results(request, engine=None) -> list[Result]:
    return [event for event in events_of(request, engine) if isinstance(event, Result)]


def numbers(result: Result):
    """Return forward, backward and Jensen-Shannon divergence, without the first position."""
    found = result.divergence
    assert found is not None
    assert np.isnan([found.forward[0], found.backward[0], found.js[0]]).all()
    return found.forward[1:], found.backward[1:], found.js[1:]


def similarity(result: Result) -> Floats:
    assert result.similarity is not None
    return result.similarity


def assert_near(found, expected):
    """Float32 against float64: a ten-thousandth, or a millionth of a bit."""
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------------ the true numbers


@pytest.mark.parametrize("name", ["small", "demo"])
def test_divergences_equal_scipys_from_the_full_logits_of_plain_transformers(request, name):
    suite = request.getfixturevalue(name)
    a, b = {"small": (0, 2), "demo": (512, 143_000)}[name]
    text = {"small": LONG, "demo": "The capital of Poland is Warsaw. Once upon a time"}[name]
    asked = suite.asked(b, texts=(text,), against=suite.at(a))
    (result,) = results(asked)
    ids = Tokenizer(Path(result.checkpoint.tokenizer_file)).size
    rows = [suite.logits(step, result.prompt.token_ids)[:-1, :ids] for step in (a, b)]
    forward, backward, js = numbers(result)
    assert_near(forward, scipy_kl(*rows))
    assert_near(backward, scipy_kl(*reversed(rows)))
    assert_near(js, scipy_js(*rows))
    assert_near(forward, kl_bits(rows[0], rows[1]))
    assert_near(js, js_bits(rows[0], rows[1]))
    assert forward.min() > 1e-3  # the two do differ


def test_rows_that_mean_no_token_count_for_nothing(tmp_path):
    """The same weights, but for the rows past the tokenizer's: nothing is apart."""
    root = make_small(tmp_path / "model", steps=(0,))
    other = make_small(tmp_path / "other", steps=(0,))

    def grow(tensors):
        tensors["embed_out.weight"][SIZE:] *= 50

    assert SIZE < ROWS
    change_weights(other / "step0" / "model.safetensors", grow)
    one, two = suite_of(root), suite_of(other)
    (result,) = results(replace(one.asked(0), against=two.at(0), score=True))
    (there,) = results(two.asked(0, score=True))
    assert result.score is not None
    assert there.score is not None
    assert np.abs(result.score.logprobs - there.score.logprobs)[1:].max() > 0.1
    assert max(column.max() for column in numbers(result)) < 1e-6


def test_a_checkpoint_is_not_apart_from_itself(small):
    found = results(small.asked(0, 1, against=small.at(1)))
    assert max(column.max() for column in numbers(found[1])) == 0
    assert min(column.min() for column in numbers(found[0])) > 0
    assert {r.divergence.reference for r in found if r.divergence is not None} == {
        found[1].checkpoint.weights_sha256
    }


def test_every_prompt_is_held_against_its_own_reference(small):
    texts = (LONG, "a", "Others are shorter.")
    together = results(small.asked(0, texts=texts, against=small.at(1)))
    for text, result in zip(texts, together, strict=True):
        (alone,) = results(small.asked(0, texts=(text,), against=small.at(1)))
        for one, other in zip(numbers(result), numbers(alone), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_other_way_round_the_divergences_change_places(small):
    (there,) = results(small.asked(0, against=small.at(1)))
    (back,) = results(small.asked(1, against=small.at(0)))
    forward, backward, js = numbers(there)
    for one, other in zip((backward, forward, js), numbers(back), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-7)


def test_models_of_other_sizes_are_compared(tmp_path, small):
    wide = suite_of(make_small(tmp_path / "wide", steps=(7,), hidden_size=48, vocab_size=ROWS + 30))
    (result,) = results(replace(small.asked(0), against=wide.at(7)))
    ids = result.prompt.token_ids
    rows = [suite.logits(step, ids)[:-1, :SIZE] for suite, step in ((wide, 7), (small, 0))]
    assert_near(numbers(result)[0], kl_bits(rows[0], rows[1]))


def test_similarities_equal_a_direct_computation_from_full_logits(small):
    texts = (LONG, "a")
    found = results(small.asked(2, 0, 3, texts=texts, similarity=True))
    for place, text in enumerate(texts):
        mine = found[place::2]
        last = [small.logits(step, small.prompt(text).token_ids)[-1, :SIZE] for step in (2, 0, 3)]
        for number, result in enumerate(mine):
            expected = [js_bits(earlier, last[number]) for earlier in last[:number]]
            assert_near(similarity(result), np.array(expected))
            assert similarity(result).shape == (number,)
            assert similarity(result).dtype == np.float32


def test_equal_weights_are_not_apart_however_far_their_steps(tmp_path):
    root = make_small(tmp_path / "model", steps=(0, 1))
    weights = root / "step0" / "model.safetensors"
    (root / "step1" / "model.safetensors").write_bytes(weights.read_bytes())
    found = results(suite_of(root).asked(0, 1, similarity=True))
    assert similarity(found[1]).tolist() == [0]


def test_chunks_give_the_same_numbers_as_one_piece(small, monkeypatch):
    request = small.asked(0, 1, 2, 3, against=small.at(1), score=True, similarity=True)
    whole = results(request)
    monkeypatch.setattr("pythia_gui.engine.measure.CHUNK_POSITIONS", 5)
    monkeypatch.setattr("pythia_gui.engine.beside.CHUNK_POSITIONS", 2)
    for one, other in zip(whole, results(request), strict=True):
        for a, b in zip(numbers(one), numbers(other), strict=True):
            assert_near(a, b)
        assert_near(similarity(one), similarity(other))
        assert one.score is not None
        assert other.score is not None
        np.testing.assert_allclose(one.score.logprobs, other.score.logprobs, atol=1e-5)


def test_other_parts_do_not_change_beside_a_comparison(small):
    asked = {"score": True, "next_token": True, "continuation": Continue(4)}
    targets = (small.prompt(LONG, " you", "!"),)
    alone = results(small.asked(0, 1, prompts=targets, **asked))
    beside = results(
        small.asked(0, 1, prompts=targets, against=small.at(2), similarity=True, **asked)
    )
    for one, other in zip(alone, beside, strict=True):
        assert exact(one) == exact(replace(other, divergence=None, similarity=None))


def test_a_prompt_of_one_token_has_no_divergence_and_a_similarity(small):
    (_, result) = results(small.asked(0, 1, texts=("a",), against=small.at(0), similarity=True))
    assert [len(column) for column in numbers(result)] == [0] * 3
    assert similarity(result).shape == (1,)


def test_two_far_distributions_in_float32_stay_finite():
    """Log-probabilities down to -200, whose exponential float32 does not have."""
    rows = np.random.default_rng(0).normal(0, 60, (20, 50)).astype(np.float32)
    log_p = distance.known_logprobs(torch.from_numpy(rows), 50)
    log_q = distance.known_logprobs(torch.from_numpy(rows[:, ::-1].copy()), 50)
    p, q = log_p.numpy(), log_q.numpy()
    np.testing.assert_allclose(distance.kl_bits(log_p, log_q), kl_bits(p, q), rtol=1e-4)
    np.testing.assert_allclose(distance.js_bits(log_p, log_q), js_bits(p, q), rtol=1e-4)


# ----------------------------------------------------------------------------------- refusals


def test_a_reference_that_is_not_here_is_named_in_every_result(small):
    gone = replace(small.at(3), folder=None)
    found = results(small.asked(0, 1, texts=("a b", "c d"), against=gone))
    assert len(found) == 4
    assert {result.error for result in found} == {
        "step 3 of small is not on this machine; fetch it or pick another step"
    }


def test_a_damaged_reference_is_told_in_a_sentence(small, tmp_path):
    root = make_small(tmp_path / "model", steps=(5,))
    damaged = root / "step5" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (result,) = results(small.asked(0, against=suite_of(root).at(5)))
    assert "fetch it again" in str(result.error)
    assert result.divergence is None


def test_a_reference_with_fewer_rows_than_tokens_is_refused(small, tmp_path):
    root = make_small(tmp_path / "model", steps=(5,), vocab_size=SIZE - 1)
    (result,) = results(small.asked(0, against=suite_of(root).at(5)))
    assert f"has {SIZE - 1:,} vocabulary rows" in str(result.error)


def test_a_text_that_is_too_long_for_the_reference_alone_is_refused(small, tmp_path):
    root = make_small(tmp_path / "model", steps=(5,), max_position_embeddings=8)
    long, short = results(
        small.asked(0, texts=(LONG, "short"), against=suite_of(root).at(5), similarity=True)
    )
    assert "reads at most 8" in str(long.error)
    assert short.error is None
    assert len(LONG) < CONTEXT


def test_a_reference_need_not_hold_the_continuation(small, tmp_path):
    root = make_small(tmp_path / "model", steps=(5,), max_position_embeddings=8)
    asked = small.asked(0, texts=("short",), continuation=Continue(20))
    (result,) = results(replace(asked, against=suite_of(root).at(5)))
    assert result.error is None


def test_another_tokenizer_is_refused_before_anything_is_loaded(small, tmp_path):
    other = write_byte_tokenizer(tmp_path / "tokenizer.json", ("<|endoftext|>", "<|other|>"))
    root = make_checkpoints(tmp_path / "model", other, steps=(5,), vocab_size=ROWS)
    with pytest.raises(ValueError, match="different tokenizers"):
        small.asked(0, against=suite_of(root).at(5))


def test_a_reference_that_overflows_in_half_may_be_cured_by_a_wider_dtype(small, tmp_path):
    root = make_small(tmp_path / "model", steps=(5,))

    def grow(tensors):
        tensors["embed_out.weight"] = tensors["embed_out.weight"].float() * 1e5

    change_weights(root / "step5" / "model.safetensors", grow)
    against = suite_of(root).at(5)
    (result,) = results(small.asked(0, against=against, dtype="float16"))
    assert result.non_finite
    assert result.error == "step 5 of model gives NaN or infinite logits in float16"
    (cured,) = results(small.asked(0, against=against, dtype="float32"))
    assert cured.error is None


def test_a_failed_checkpoint_is_a_gap_in_the_similarities_of_later_ones(small):
    request = small.asked(0, 1, 2, 3, similarity=True)
    broken = replace(request.checkpoints[1], folder="/nowhere")
    checkpoints = (request.checkpoints[0], broken, *request.checkpoints[2:])
    found = results(replace(request, checkpoints=checkpoints))
    assert found[1].error is not None
    assert [np.isnan(similarity(found[n])).tolist() for n in (0, 2, 3)] == [
        [],
        [False, True],
        [False, True, False],
    ]


# -------------------------------------------------------------------------------- scratch space


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch) -> Path:
    """A folder of its own for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def held(folder: Path) -> list[str]:
    """Return the files of a folder that this process holds open, named or not."""
    links = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return [place for link in links if (place := str(link.readlink())).startswith(str(folder))]


def readable(folder: Path) -> list[str]:
    try:
        return held(folder)
    except FileNotFoundError:  # a descriptor of another thread came and went
        return readable(folder)


def test_the_scratch_has_no_name_while_it_lasts_and_is_gone_afterwards(small, temporary):
    seen = []
    request = small.asked(0, 1, against=small.at(2), similarity=True)
    for event in LocalEngine().run(request, threading.Event()):
        if isinstance(event, Result):
            seen.append(len(readable(temporary)))
        assert list(temporary.iterdir()) == []
    assert seen == [2, 2]
    assert readable(temporary) == []


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
def test_a_cancelled_comparison_gives_its_scratch_back(small, temporary, after):
    cancel = threading.Event()
    request = small.asked(0, 1, against=small.at(2), similarity=True)
    found = []
    for number, event in enumerate(LocalEngine().run(request, cancel)):
        found.append(event)
        if number == after:
            cancel.set()
    assert sum(isinstance(event, Result) for event in found) < 2
    assert readable(temporary) == []


def test_a_run_that_nobody_reads_on_gives_its_scratch_back(small, temporary):
    events = LocalEngine().run(small.asked(0, 1, against=small.at(2)), threading.Event())
    assert isinstance(events, Generator)
    next(event for event in events if isinstance(event, Result))
    assert len(readable(temporary)) == 1
    events.close()
    assert readable(temporary) == []


@pytest.mark.parametrize(
    ("similarity", "advice"),
    [(False, "fewer prompts or shorter ones"), (True, "fewer checkpoints")],
)
def test_more_scratch_than_it_may_take_is_refused_at_once(small, monkeypatch, similarity, advice):
    monkeypatch.setattr(scratch, "SCRATCH_BYTES", SIZE * 4)
    against = None if similarity else small.at(1)
    events = events_of(small.asked(0, 1, against=against, similarity=similarity))
    assert [type(event) for event in events[1:]] == [Failure]
    assert advice in events[1].text
    assert not any(isinstance(event, Progress) for event in events)


def test_no_more_than_the_bound_is_ever_taken():
    scratch.refuse_too_much(scratch.SCRATCH_BYTES // 4, 1, "")
    with pytest.raises(CheckpointError, match="more than the 2 GiB"):
        scratch.refuse_too_much(scratch.SCRATCH_BYTES // 4 + 1, 1, "")


@pytest.mark.parametrize(
    "fault", [(errno.ENOSPC, "the disk is full"), (errno.EIO, "can't be used")]
)
@pytest.mark.parametrize("similarity", [False, True])
def test_a_disk_that_fails_is_told_in_a_sentence(small, monkeypatch, temporary, fault, similarity):
    number, expected = fault

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", fail)
    against = None if similarity else small.at(2)
    found = results(small.asked(0, 1, against=against, similarity=similarity))
    assert len(found) == 2
    for result in found:
        assert expected in str(result.error)
        assert str(temporary) in str(result.error)
    assert readable(temporary) == []


def test_without_a_place_for_temporary_files_the_request_fails_in_a_sentence(small, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    (_, failure) = events_of(small.asked(0, against=small.at(1)))
    assert isinstance(failure, Failure)
    assert "scratch space" in failure.text


def test_a_table_gives_back_what_was_written_in_any_order():
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    with scratch.Scratch(3) as table:
        table.write(5, rows[2:])
        table.write(1, rows[:2])
        np.testing.assert_array_equal(table.read(1, 2), rows[:2])
        np.testing.assert_array_equal(table.read(5, 2), rows[2:])
        np.testing.assert_array_equal(table.read(3, 2), np.zeros((2, 3)))
        assert table.read(6, 3)[1:].tolist() == [[0, 0, 0], [0, 0, 0]]


# ---------------------------------------------------------------------------- through a process


def test_what_the_process_says_is_what_the_engine_says(small):
    request = small.asked(0, 1, against=small.at(2), similarity=True, score=True)
    engine = ProcessEngine()
    try:
        there = results(request, engine)
    finally:
        engine.close()
    assert [exact(result) for result in there] == [exact(result) for result in results(request)]
