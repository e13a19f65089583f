"""Every number equals what plain transformers computes."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPTNeoXForCausalLM

from pythia_gui.core.events import Result
from pythia_gui.core.requests import Continue, Request
from pythia_gui.core.resources import resource_path
from pythia_gui.engine.files import read_tensors
from pythia_gui.engine.local import LocalEngine
from pythia_gui.engine.skeleton import Skeleton
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.hub.tokenizer import Tokenizer
from tests.checkpoints import FORMS, make_checkpoints
from tests.engine.reference import Reference, greedy, load_plainly, score

TEXTS = (
    "Once upon a time there was a little boy named Ben.",
    "The capital of France is Paris. The capital of",
    "2 + 3 = 5. 3 + 2 =",
)
NEATS = 1e-4


@dataclass(frozen=True)
class Case:
    """A folder of checkpoints and the steps that are compared."""

    folder: Path
    steps: tuple[int, ...]


@pytest.fixture(scope="module", params=["demo-s", "demo-m", "tiny", "70m", "160m"])
def case(request, tmp_path_factory) -> Case:
    if request.param.startswith("demo"):
        return Case(resource_path("demo") / request.param, (0, 512, 143_000))
    tokenizer = request.getfixturevalue("neox_tokenizer_file")
    steps = (0, 1000) if request.param == "tiny" else (1000,)
    root = tmp_path_factory.mktemp(request.param) / request.param
    return Case(make_checkpoints(root, tokenizer, steps=steps, shape=request.param), steps)


@pytest.fixture(scope="module")
def answers(case) -> dict[tuple[int, str], Result]:
    """What the engine says of every text at every step, asked in one request."""
    library = LocalLibrary(None)
    entry = library.add_folder(case.folder)
    request = Request(
        slot="truth",
        checkpoints=tuple(library.checkpoint(entry.key, step) for step in case.steps),
        prompts=tuple(library.encode(entry.key, text, [" Paris", " a b c"]) for text in TEXTS),
        score=True,
        continuation=Continue(16),
        top_k=7,
    )
    events = LocalEngine().run(request, threading.Event())
    results = [event for event in events if isinstance(event, Result)]
    assert [result.error for result in results] == [None] * len(results)
    return {(result.checkpoint.step, result.prompt.text): result for result in results}


@pytest.fixture(scope="module")
def plain(case) -> dict[int, GPTNeoXForCausalLM]:
    return {step: load_plainly(case.folder, case.folder / f"step{step}") for step in case.steps}


@pytest.fixture(scope="module")
def pairs(answers, plain) -> list[tuple[Result, Reference]]:
    return [
        (result, score(plain[step], result.prompt.token_ids))
        for (step, _), result in answers.items()
    ]


def tokenizer_size(result: Result) -> int:
    return size_of(result.checkpoint.tokenizer_file)


@lru_cache
def size_of(tokenizer_file: str) -> int:
    return Tokenizer(Path(tokenizer_file)).size


def test_every_log_probability_equals_that_of_plain_transformers(pairs):
    for result, reference in pairs:
        assert np.isnan(result.score.logprobs[0])
        expected = [reference.logprob(n) for n in range(1, len(reference.token_ids))]
        np.testing.assert_allclose(result.score.logprobs[1:], expected, atol=NEATS, rtol=0)


def test_every_rank_equals_that_of_plain_transformers(pairs):
    for result, reference in pairs:
        assert result.score.ranks[0] == 0
        for position in range(1, len(reference.token_ids)):
            low, high = reference.ranks(position)
            assert low <= result.score.ranks[position] <= high


def test_every_entropy_equals_that_of_plain_transformers(pairs):
    for result, reference in pairs:
        expected = [reference.entropy(n) for n in range(1, len(reference.token_ids))]
        np.testing.assert_allclose(result.score.entropies[1:], expected, atol=NEATS * 4, rtol=0)


def test_the_alternatives_of_a_token_are_those_that_stood_in_its_place(pairs):
    for result, reference in pairs:
        for position in range(1, len(reference.token_ids)):
            probs = reference.logprobs[position - 1].exp()
            best = result.score.top.probs[position]
            listed = probs[torch.from_numpy(result.score.top.ids[position])]
            np.testing.assert_allclose(best, listed, atol=NEATS)
            ids = tokenizer_size(result)
            np.testing.assert_allclose(best, torch.topk(probs[:ids], 7).values, atol=NEATS)


def test_the_next_token_and_the_padding_mass_equal_those_of_plain_transformers(pairs):
    for result, reference in pairs:
        probs = reference.logprobs[-1].exp()
        listed = probs[torch.from_numpy(result.next_token.top.ids[0])]
        np.testing.assert_allclose(result.next_token.top.probs[0], listed, atol=NEATS)
        rows = tokenizer_size(result)
        assert result.next_token.padding_mass == pytest.approx(float(probs[rows:].sum()), abs=NEATS)
        assert (result.next_token.top.ids < rows).all()


def test_targets_equal_a_forward_pass_over_prompt_and_target_together(answers, plain):
    for (step, _), result in answers.items():
        for asked, found in zip(result.prompt.targets, result.targets, strict=True):
            reference = score(plain[step], asked.context_ids + asked.token_ids)
            places = range(len(asked.context_ids), len(reference.token_ids))
            expected = sum(reference.logprob(position) for position in places)
            assert found.logprob == pytest.approx(expected, abs=NEATS * len(places))
            low, high = reference.ranks(len(asked.context_ids))
            assert low <= found.rank <= high


def test_greedy_tokens_equal_those_of_generate(answers, plain):
    for (step, _), result in answers.items():
        ours = result.continuations[0].token_ids.tolist()
        theirs = greedy(plain[step], result.prompt.token_ids, 16)
        if ours != theirs:
            assert_near_tie(plain[step], result, ours, theirs)


def assert_near_tie(model, result: Result, ours: list[int], theirs: list[int]) -> None:
    """Accept a difference only where two logits lie within 1e-4, or a row means no token."""
    place = next(n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
    reference = score(model, result.prompt.token_ids + tuple(ours[:place]))
    row = reference.logits[-1]
    means_no_token = theirs[place] >= tokenizer_size(result)
    assert means_no_token or abs(row[ours[place]] - row[theirs[place]]) < NEATS


def test_continuations_carry_the_scores_that_scoring_gives(answers, plain):
    for (step, _), result in answers.items():
        written = result.continuations[0]
        whole = result.prompt.token_ids + tuple(written.token_ids.tolist())
        reference = score(plain[step], whole)
        start = len(result.prompt.token_ids)
        expected = [reference.logprob(n) for n in range(start, len(whole))]
        np.testing.assert_allclose(written.logprobs, expected, atol=NEATS, rtol=0)
        assert "".join(written.token_texts) == written.text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_in_place_loading_is_bit_equal_to_a_fresh_load(tmp_path, neox_tokenizer_file, form, dtype):
    root = make_checkpoints(tmp_path / "swap", neox_tokenizer_file, steps=(1, 2), form=form)
    library = LocalLibrary(None)
    entry = library.add_folder(root)
    checkpoint = library.checkpoint(entry.key, 1)
    wide = getattr(torch, dtype)
    swapped = Skeleton(checkpoint.config, wide, torch.device("cpu"))
    places = {name: value.data_ptr() for name, value in swapped.model.named_parameters()}
    for step in (1, 2):
        files = [
            f for f in (root / f"step{step}").iterdir() if f.suffix in (".bin", ".safetensors")
        ]
        swapped.load(sorted(files), f"weights of step {step}", lambda: None)
    fresh = load_plainly(root, root / "step2").to(wide)
    expected = dict(fresh.named_parameters())
    for name, value in swapped.model.named_parameters():
        assert torch.equal(value, expected[name]), name
        assert value.data_ptr() == places[name]
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        assert torch.equal(swapped.model(ids).logits, fresh.eval()(ids).logits)


def test_an_interrupted_copy_leaves_the_skeleton_unloaded(tmp_path, neox_tokenizer_file):
    root = make_checkpoints(tmp_path / "cut", neox_tokenizer_file, steps=(1, 2))
    library = LocalLibrary(None)
    config = library.checkpoint(library.add_folder(root).key, 1).config
    skeleton = Skeleton(config, torch.float32, torch.device("cpu"))
    skeleton.load([root / "step1" / "model.safetensors"], "first", lambda: None)
    calls = iter(range(5))

    def stop_at_the_fifth_read() -> None:
        if next(calls) == 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        skeleton.load([root / "step2" / "model.safetensors"], "second", stop_at_the_fifth_read)
    assert skeleton.holds is None
    skeleton.load([root / "step1" / "model.safetensors"], "first", lambda: None)
    expected = dict(load_plainly(root, root / "step1").named_parameters())
    assert all(torch.equal(v, expected[n]) for n, v in skeleton.model.named_parameters())


def test_tensors_that_are_not_wanted_are_not_read(tmp_path, neox_tokenizer_file):
    root = make_checkpoints(tmp_path / "some", neox_tokenizer_file, steps=(1,))
    files = [root / "step1" / "model.safetensors"]
    read = [name for name, _ in read_tensors(files, lambda name: "norm" in name, lambda: None)]
    assert read
    assert all("norm" in name for name in read)
