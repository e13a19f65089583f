"""The engine in this process: what it refuses, what it keeps, how it ends."""

import json
import math
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pythia_gui.core.events import (
    EngineEvent,
    Failure,
    Placement,
    Progress,
    Result,
    TokenWritten,
)
from pythia_gui.core.requests import Checkpoint, Continue, Prompt, Request, Sampling, Target
from pythia_gui.engine.local import LocalEngine, _sentence, placement
from pythia_gui.hub.library import LocalLibrary
from tests.engine.reference import load_plainly, score
from tests.small import CONTEXT, SIZE, change_weights, make_small, write_byte_tokenizer

REPOSITORY = Path(__file__).parents[2]
LONG = 400


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_small(tmp_path_factory.mktemp("local") / "model", steps=(0, 1, 512))


@pytest.fixture(scope="module")
def library() -> LocalLibrary:
    return LocalLibrary(None)


@pytest.fixture(scope="module")
def at(root: Path, library: LocalLibrary) -> Checkpoint:
    return library.checkpoint(library.add_folder(root).key, 1)


@pytest.fixture(scope="module")
def prompt(root: Path, library: LocalLibrary) -> Prompt:
    return library.encode(library.add_folder(root).key, "Hello there", [" you", "!"])


class Never:
    """Nobody loses interest."""

    def is_set(self) -> bool:
        return False


def results(request, engine=None):
    events = (engine or LocalEngine()).run(request, Never())
    return [event for event in events if isinstance(event, Result)]


def only(request, engine=None):
    (result,) = results(request, engine)
    return result


def refusal(request):
    """Return the one sentence of a request that must give no number."""
    result = only(request)
    assert result.error is not None
    assert result.error.isprintable()
    assert (result.score, result.next_token, result.targets, result.continuations) == (
        None,
        None,
        (),
        (),
    )
    assert not result.non_finite
    return result.error


def asked(at, prompt, **more):
    return Request("slot", (at,), (prompt,), **more)


# ------------------------------------------------------------------------------------ the order


def test_the_placement_comes_first_and_results_in_the_order_of_the_request(root, library):
    key = library.add_folder(root).key
    steps = (512, 0, 1)
    checkpoints = tuple(library.checkpoint(key, step) for step in steps)
    prompts = tuple(library.encode(key, text) for text in ("b", "a"))
    events = list(LocalEngine().run(Request("slot", checkpoints, prompts), Never()))
    assert isinstance(events[0], Placement)
    order = [(e.checkpoint.step, e.prompt.text) for e in events if isinstance(e, Result)]
    assert order == [(step, text) for step in steps for text in ("b", "a")]
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert {0 <= fraction <= 1 for fraction in fractions} == {True}


def test_a_request_without_checkpoints_asks_for_the_placement_alone(prompt):
    events = list(LocalEngine().run(Request("slot", (), (prompt,), device="cpu"), Never()))
    assert [type(event) for event in events] == [Placement]
    assert all(event.memory_bytes > 1 << 28 for event in events if isinstance(event, Placement))


def test_a_request_without_prompts_gives_no_result(at):
    assert results(Request("slot", (at,), ())) == []


def test_one_damaged_checkpoint_leaves_the_others_their_results(root, library, prompt):
    key = library.add_folder(root).key
    good = [library.checkpoint(key, step) for step in (0, 1, 512)]
    good[1] = replace(good[1], folder=str(root / "nowhere"))
    found = results(Request("slot", tuple(good), (prompt, replace(prompt, text="again"))))
    assert [result.error is None for result in found] == [True] * 2 + [False] * 2 + [True] * 2


def test_results_name_the_weights_that_they_are_of(root, at, prompt):
    printed = subprocess.run(
        ["sha256sum", root / "step1" / "model.safetensors"],
        capture_output=True,
        text=True,
        check=True,
    )
    result = only(asked(at, prompt))
    assert result.checkpoint == replace(at, weights_sha256=printed.stdout.split()[0])
    assert (result.device, result.device_class, result.dtype) == ("cpu", "cpu", "float32")


def test_the_texts_of_all_tokens_that_a_result_names_are_there(at, prompt):
    result = only(asked(at, prompt, score=True, continuation=Continue(5), top_k=7))
    named = {*prompt.token_ids, *result.score.top.ids.ravel(), *result.next_token.top.ids.ravel()}
    named |= {i for target in result.targets for i in target.token_ids}
    named |= {*result.continuations[0].token_ids, *result.continuations[0].top.ids.ravel()}
    assert named <= {*result.texts}


# -------------------------------------------------------------------------------------- numbers


def test_a_text_of_one_token_has_a_score_without_a_number(at, library, root):
    lone = library.encode(library.add_folder(root).key, "x")
    found = only(asked(at, lone, score=True, top_k=3)).score
    assert found.token_ids.tolist() == list(lone.token_ids)
    assert math.isnan(found.logprobs[0])
    assert found.ranks.tolist() == [0]
    assert found.top.ids.shape == found.top.probs.shape == (1, 3)
    assert np.isnan(found.top.probs).all()


@pytest.fixture(scope="module")
def long_root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("long") / "long"
    return make_small(folder, steps=(1,), max_position_embeddings=LONG)


@pytest.mark.parametrize("length", [2, 128, 129, 130, 256, 257, 300])
def test_a_text_scored_in_chunks_equals_one_scored_at_once(long_root, library, length):
    key = library.add_folder(long_root).key
    ids = tuple(int(i) for i in np.random.default_rng(length).integers(0, SIZE, length))
    result = only(
        asked(library.checkpoint(key, 1), library.prompt_of_ids(key, ids), score=True, top_k=4)
    )
    plain = score(load_plainly(long_root, long_root / "step1"), ids)
    expected = [plain.logprob(position) for position in range(1, length)]
    np.testing.assert_allclose(result.score.logprobs[1:], expected, atol=1e-4)
    best = torch.topk(plain.logprobs[:-1, :SIZE].exp(), 4).values
    np.testing.assert_allclose(result.score.top.probs[1:], best, atol=1e-5)
    assert result.score.token_ids.tolist() == list(ids)
    for column in (result.score.ranks, result.score.entropies, result.score.top.ids):
        assert len(column) == length


@pytest.mark.parametrize("top_k", [0, 1, SIZE, SIZE + 1, 1000])
def test_no_more_alternatives_are_listed_than_the_tokenizer_has(at, prompt, top_k):
    result = only(asked(at, prompt, score=True, top_k=top_k))
    width = min(top_k, SIZE)
    assert result.next_token.top.ids.shape == (1, width)
    assert result.score.top.ids.shape == (len(prompt.token_ids), width)
    assert {*result.next_token.top.ids.ravel().tolist()} <= {*range(SIZE)}
    if width == SIZE:
        total = result.next_token.top.probs.sum() + result.next_token.padding_mass
        assert total == pytest.approx(1, abs=1e-5)


def test_scoring_before_and_after_a_continuation_changes_nothing(at, prompt):
    engine = LocalEngine()
    hot = Continue(10, 2, Sampling(1.2, seed=3))
    first = only(asked(at, prompt, continuation=hot), engine)
    scored = only(asked(at, prompt, score=True), engine)
    second = only(asked(at, prompt, continuation=hot, score=True), engine)
    again = only(asked(at, prompt, score=True), engine)
    for one, two in zip(first.continuations, second.continuations, strict=True):
        assert one.token_ids.tolist() == two.token_ids.tolist()
        np.testing.assert_array_equal(one.logprobs, two.logprobs)
    for other in (second, again):
        np.testing.assert_allclose(scored.score.logprobs, other.score.logprobs, atol=1e-6)
        assert scored.targets == other.targets


def test_the_same_request_gives_the_same_bits(at, prompt):
    one, two = (only(asked(at, prompt, score=True)) for _ in range(2))
    np.testing.assert_array_equal(one.score.logprobs, two.score.logprobs)
    assert one.targets == two.targets
    assert one.next_token.entropy == two.next_token.entropy


def test_a_target_scores_the_same_alone_and_among_others(at, prompt):
    together = only(asked(at, prompt)).targets
    for n, target in enumerate(prompt.targets):
        alone = only(asked(at, replace(prompt, targets=(target,)))).targets
        assert alone[0].logprob == pytest.approx(together[n].logprob, abs=1e-5)
        assert alone[0].rank == together[n].rank


def test_parts_that_were_not_asked_for_are_empty(at, prompt):
    bare = only(asked(at, replace(prompt, targets=()), next_token=False))
    assert (bare.error, bare.score, bare.next_token) == (None, None, None)
    assert (bare.targets, bare.continuations) == ((), ())


# -------------------------------------------------------------------------------------- refusals


def test_a_checkpoint_that_is_not_here_is_refused_with_the_way_out(at, prompt):
    sentence = refusal(asked(replace(at, folder=None), prompt))
    assert sentence == "step 1 of model is not on this machine; fetch it or pick another step"


def test_a_folder_that_is_gone_is_refused(at, prompt, tmp_path):
    assert "has no weights" in refusal(asked(replace(at, folder=str(tmp_path / "gone")), prompt))


def test_a_file_that_cannot_be_opened_is_refused_as_the_system_says(at, prompt, tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "loop.safetensors"}}'
    )
    (tmp_path / "loop.safetensors").symlink_to(tmp_path / "loop.safetensors")
    assert "loop.safetensors" in refusal(asked(replace(at, folder=str(tmp_path)), prompt))


def test_a_checkpoint_larger_than_the_memory_is_refused(at, prompt):
    shape = replace(at.config, layers=128, dim=16_384, inner_dim=65_536)
    assert "does not fit in memory" in refusal(asked(replace(at, config=shape), prompt))


@pytest.mark.parametrize(("tokens", "new"), [(CONTEXT + 1, 0), (CONTEXT, 1), (1, CONTEXT)])
def test_more_tokens_than_the_context_holds_are_refused_with_the_count(at, tokens, new):
    prompt = Prompt("", (5,) * tokens)
    what = Continue(new) if new else None
    sentence = refusal(asked(at, prompt, continuation=what))
    assert f"come to {tokens + new} tokens" in sentence
    assert f"at most {CONTEXT}" in sentence


def test_as_many_tokens_as_the_context_holds_are_answered(at):
    assert only(asked(at, Prompt("", (5,) * CONTEXT), score=True)).error is None
    assert only(asked(at, Prompt("", (5,)), continuation=Continue(CONTEXT - 1))).error is None


def test_a_target_beyond_the_context_is_refused(at):
    target = Target("x", (5,) * CONTEXT, (6,))
    assert "come to" in refusal(asked(at, Prompt("", (5,), (target,))))


@pytest.mark.parametrize("token_id", [SIZE, SIZE + 13, SIZE + 14, 10**9, -1])
def test_token_ids_that_the_tokenizer_lacks_are_refused(at, token_id):
    """On a GPU one beyond the matrix would end the process."""
    for odd in (
        Prompt("", (5, token_id)),
        Prompt("", (5,), (Target("x", (token_id,), (5,)),)),
        Prompt("", (5,), (Target("x", (5,), (token_id,)),)),
    ):
        assert f"{token_id:,} is no token" in refusal(asked(at, odd))


@pytest.mark.parametrize(
    "prompt", [Prompt("", ()), Prompt("", (5,), (Target("x", (), (5,)),))], ids=["text", "context"]
)
def test_no_tokens_at_all_are_refused(at, prompt):
    assert "no token" in refusal(asked(at, prompt))


def test_a_tokenizer_with_more_tokens_than_the_matrix_has_rows_is_refused(tmp_path, library):
    root = make_small(tmp_path / "model", steps=(1,), vocab_size=SIZE - 1)
    key = library.add_folder(root).key
    request = asked(library.checkpoint(key, 1), library.encode(key, "a"))
    assert "257 vocabulary rows, fewer than its tokenizer's 258" in refusal(request)


def test_a_tokenizer_that_changed_since_the_prompt_was_encoded_is_refused(tmp_path, library):
    root = make_small(tmp_path / "model", steps=(1,))
    key = library.add_folder(root).key
    request = asked(library.checkpoint(key, 1), library.encode(key, "a"))
    write_byte_tokenizer(root / "tokenizer.json", specials=("<|endoftext|>", "<|other|>"))
    assert "has changed" in refusal(request)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cuda:x", "cuda:-1", "mps", "", "cpu:0"])
def test_a_device_that_is_not_there_fails_the_request_in_a_sentence(at, prompt, device):
    events = list(LocalEngine().run(asked(at, prompt, device=device), Never()))
    assert [type(event) for event in events] == [Failure]
    assert all("use" in event.text for event in events if isinstance(event, Failure))


def test_the_device_auto_is_a_device_that_is_there():
    found = placement("auto")
    assert found.device_class == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_dtype_that_was_asked_for_is_computed_in_and_said(at, prompt, dtype):
    result = only(asked(at, prompt, dtype=dtype, score=True))
    assert (result.error, result.dtype) == (None, dtype)
    wide = only(asked(at, prompt, score=True))
    np.testing.assert_allclose(result.score.logprobs, wide.score.logprobs, atol=0.3)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (MemoryError(), "does not fit in memory"),
        (torch.OutOfMemoryError("CUDA out of memory\nmore"), "does not fit in memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate"), "does not fit"),
        (OSError(5, "Input/output error"), "can't be read: Input/output error"),
        (OSError("odd"), "can't be read: odd"),
        (RuntimeError(""), "failed: RuntimeError"),
        (RuntimeError("first\nsecond"), "failed: first"),
        (RuntimeError("\x1b[31m\ud800" + "x" * 1000), "failed: "),
    ],
)
def test_whatever_fails_becomes_one_short_printable_sentence(at, problem, said):
    sentence = _sentence(problem, at)
    assert sentence.startswith("step 1 of model ")
    assert said in sentence
    assert sentence.isprintable()
    assert len(sentence) < 300


# ---------------------------------------------------------------------------- one skeleton, reused


def test_models_of_two_shapes_take_turns_and_each_gives_its_own_numbers(tmp_path, library):
    engine = LocalEngine()
    requests = []
    for name, width in (("narrow", 32), ("wide", 48)):
        root = make_small(tmp_path / name, steps=(1, 2), hidden_size=width)
        key = library.add_folder(root).key
        requests += [
            asked(library.checkpoint(key, step), library.encode(key, "Hi there"), score=True)
            for step in (1, 2)
        ]
    alone = [only(request).score.logprobs for request in requests]
    for turn in (0, 2, 1, 3, 0, 0, 3, 2):
        np.testing.assert_array_equal(only(requests[turn], engine).score.logprobs, alone[turn])


def test_weights_that_are_held_already_are_not_read_again(tmp_path, library):
    root = make_small(tmp_path / "model", steps=(1,))
    key = library.add_folder(root).key
    request = asked(library.checkpoint(key, 1), library.encode(key, "Hi"), score=True)
    engine = LocalEngine()
    first = only(request, engine)
    at = first.checkpoint
    assert at.weights_sha256 is not None
    file = root / "step1" / "model.safetensors"
    file.write_bytes(b"spoiled")  # whoever reads it now is refused
    known = replace(request, checkpoints=(at,))
    np.testing.assert_array_equal(only(known, engine).score.logprobs, first.score.logprobs)
    assert only(known, LocalEngine()).error is not None


def test_weights_that_changed_on_disk_are_read_again(tmp_path, library):
    root = make_small(tmp_path / "model", steps=(1,))
    key = library.add_folder(root).key
    request = asked(library.checkpoint(key, 1), library.encode(key, "Hi"), score=True)
    engine = LocalEngine()
    before = only(request, engine)
    change_weights(
        root / "step1" / "model.safetensors", lambda tensors: tensors["embed_out.weight"].mul_(2)
    )
    after = only(request, engine)
    assert after.checkpoint.weights_sha256 != before.checkpoint.weights_sha256
    assert not np.array_equal(after.score.logprobs, before.score.logprobs, equal_nan=True)


def test_after_a_refused_checkpoint_the_next_is_answered_as_ever(at, prompt, tmp_path, root):
    engine = LocalEngine()
    expected = only(asked(at, prompt, score=True)).score.logprobs
    spoiled = tmp_path / "spoiled"
    spoiled.mkdir()
    whole = (root / "step0" / "model.safetensors").read_bytes()
    (spoiled / "model.safetensors").write_bytes(whole)
    change_weights(spoiled / "model.safetensors", lambda t: t.pop("embed_out.weight"))
    for _ in range(2):
        assert only(asked(replace(at, folder=str(spoiled)), prompt), engine).error is not None
        result = only(asked(at, prompt, score=True), engine)
        np.testing.assert_array_equal(result.score.logprobs, expected)


def test_a_closed_engine_answers_again_and_may_be_closed_twice(at, prompt):
    engine = LocalEngine()
    before = only(asked(at, prompt), engine)
    engine.close()
    engine.close()
    assert only(asked(at, prompt), engine).targets == before.targets


# ---------------------------------------------------------------------------------------- cancel


class CancelAtCall:
    """Loses interest when it is asked for the n-th time, and remembers when that was."""

    def __init__(self, call: int) -> None:
        self.left = call
        self.since: float | None = None

    def is_set(self) -> bool:
        self.left -= 1
        if self.left <= 0 and self.since is None:
            self.since = time.perf_counter()
        return self.since is not None


def sweep(root: Path, library: LocalLibrary) -> Request:
    key = library.add_folder(root).key
    return Request(
        "slot",
        tuple(library.checkpoint(key, step) for step in (0, 1, 512)),
        (library.encode(key, "Hello", [" you"]),),
        score=True,
        continuation=Continue(20, 2, Sampling(1.0)),
    )


def cancelled_at(request: Request, call: int) -> tuple[list[EngineEvent], CancelAtCall]:
    cancel = CancelAtCall(call)
    return list(LocalEngine().run(request, cancel)), cancel


def test_a_run_can_be_cancelled_wherever_it_asks_and_then_just_ends(root, library):
    request = sweep(root, library)
    whole, cancel = cancelled_at(request, 10**9)
    calls = 10**9 - cancel.left
    assert calls > 3 * (25 + 20)  # between tensors and between tokens, at every checkpoint
    whole_results = len([event for event in whole if isinstance(event, Result)])
    for call in range(1, calls, 7):
        events, _ = cancelled_at(request, call)
        found = [event for event in events if isinstance(event, Result)]
        assert not any(isinstance(event, Failure) for event in events)
        assert len(found) < whole_results or call > calls - 7
        assert all(result.error is None for result in found)


def test_a_run_cancelled_from_the_start_reads_nothing(root, library):
    events, _ = cancelled_at(sweep(root, library), 1)
    assert [type(event) for event in events] == [Placement, Progress]


def until(events: Iterator[EngineEvent], kind: type, cancel: threading.Event) -> float:
    """Cancel at the first event of a kind; return how long the run goes on, in seconds."""
    for event in events:
        if isinstance(event, kind):
            cancel.set()
            break
    start = time.process_time()
    rest = list(events)
    assert len(rest) <= 1  # what was on its way
    return time.process_time() - start


def test_a_run_ends_within_a_tenth_of_a_second_between_two_tokens(long_root, library):
    key = library.add_folder(long_root).key
    request = asked(
        library.checkpoint(key, 1), library.encode(key, "Hi"), continuation=Continue(LONG - 2)
    )
    cancel = threading.Event()
    assert until(LocalEngine().run(request, cancel), TokenWritten, cancel) < 0.1


def test_a_run_ends_within_a_tenth_of_a_second_after_a_result(root, library):
    request, cancel = sweep(root, library), threading.Event()
    events = LocalEngine().run(replace(request, continuation=None), cancel)
    assert until(events, Result, cancel) < 0.1


def test_the_engine_answers_rightly_after_a_run_that_was_cancelled_anywhere(root, library, prompt):
    request = sweep(root, library)
    engine = LocalEngine()
    plain = replace(request, continuation=None)
    expected = [result.score.logprobs for result in results(plain)]
    for call in (3, 8, 17, 30, 45):
        list(engine.run(request, CancelAtCall(call)))
        found = [result.score.logprobs for result in results(plain, engine)]
        for one, two in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, two)


def test_a_run_that_is_abandoned_leaves_the_engine_usable(root, library, at, prompt):
    engine = LocalEngine()
    for event in engine.run(sweep(root, library), Never()):
        if isinstance(event, TokenWritten):
            break
    assert only(asked(at, prompt), engine).targets == only(asked(at, prompt)).targets


# ---------------------------------------------------------------------------------------- memory


def test_a_model_for_which_memory_runs_out_gives_a_sentence_and_the_next_one_works(root, tmp_path):
    """RLIMIT_AS leaves room for the small model and not for one of 1.2 billion parameters."""
    large = tmp_path / "large"
    (large / "step1").mkdir(parents=True)
    config = json.loads((root / "config.json").read_text())
    sizes = {"hidden_size": 2048, "num_hidden_layers": 24, "intermediate_size": 8192}
    (large / "config.json").write_text(json.dumps(config | sizes))
    (large / "tokenizer.json").write_bytes((root / "tokenizer.json").read_bytes())
    (large / "step1" / "model.safetensors").write_bytes(
        (root / "step1" / "model.safetensors").read_bytes()
    )
    script = """
        import resource, sys, threading
        from pathlib import Path
        from pythia_gui.core.events import Result
        from pythia_gui.core.requests import Continue, Request
        from pythia_gui.engine.local import LocalEngine
        from pythia_gui.hub.library import LocalLibrary
        library, engine = LocalLibrary(None), LocalEngine()
        def ask(folder):
            key = library.add_folder(Path(folder)).key
            request = Request(
                "slot", (library.checkpoint(key, 1),), (library.encode(key, "Hi"),),
                score=True, continuation=Continue(3),
            )
            events = engine.run(request, threading.Event())
            (result,) = [event for event in events if isinstance(event, Result)]
            return result
        before = ask(sys.argv[1])
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + (400 << 20),) * 2)
        for _ in range(2):
            refused = ask(sys.argv[2])
            assert refused.error is not None and "does not fit in memory" in refused.error, refused
            after = ask(sys.argv[1])
            assert after.error is None, after.error
            assert after.continuations[0].text == before.continuations[0].text
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), root, large],
        cwd=REPOSITORY,
        check=True,
        timeout=100,
    )
