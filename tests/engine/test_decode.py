"""Continuations: the same request writes the same tokens, and only tokens that exist."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pythia_gui.core.events import Continuation, Result, TokenWritten
from pythia_gui.core.noise import gumbel_noise
from pythia_gui.core.requests import Continue, Prompt, Request, Sampling
from pythia_gui.core.sampling import filtered
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.hub.tokenizer import Tokenizer
from tests.engine.reference import load_plainly
from tests.small import ROWS, SIZE, SPECIALS, change_weights, make_small

HOT = Sampling(temperature=1.5, seed=7)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_small(tmp_path_factory.mktemp("decode") / "model", steps=(0, 1))


class Asker:
    """Puts continuations to the checkpoints of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.library = LocalLibrary(None)
        self.key = self.library.add_folder(root).key
        self.engine = LocalEngine()

    def events(self, what, text="Hello", step=1, **more):
        prompt = more.pop("prompt", None) or self.library.encode(self.key, text)
        at = self.library.checkpoint(self.key, step)
        request = Request("slot", (at,), (prompt,), continuation=what, **more)
        events = list(self.engine.run(request, threading.Event()))
        (result,) = [event for event in events if isinstance(event, Result)]
        assert result.error is None, result.error
        return events

    def write(self, sampling, tokens=12, samples=1, **more):
        return self.events(Continue(tokens, samples, sampling), **more)[-1].continuations


@pytest.fixture(scope="module")
def ask(root) -> Asker:
    return Asker(root)


def ids_of(texts: Sequence[Continuation]) -> list[list[int]]:
    return [text.token_ids.tolist() for text in texts]


def test_the_same_request_writes_the_same_tokens_twice(ask, root):
    first = ids_of(ask.write(HOT, samples=3))
    assert ids_of(ask.write(HOT, samples=3)) == first
    assert ids_of(Asker(root).write(HOT, samples=3)) == first


def test_two_samples_of_one_seed_differ_and_so_do_two_seeds(ask):
    one, two = ids_of(ask.write(HOT, samples=2))
    assert one != two
    assert ids_of(ask.write(replace(HOT, seed=8))) != [one]


def test_a_sample_is_the_same_however_many_are_written_with_it(ask):
    many = ids_of(ask.write(HOT, samples=5))
    for samples in (1, 2, 4):
        assert ids_of(ask.write(HOT, samples=samples)) == many[:samples]


def test_greedy_samples_are_equal_and_computed_once(ask):
    events = ask.events(Continue(6, 3, Sampling()))
    texts = events[-1].continuations
    assert [text.sample for text in texts] == [0, 1, 2]
    assert ids_of(texts) == [ids_of(texts)[0]] * 3
    assert len([event for event in events if isinstance(event, TokenWritten)]) == 6


def test_each_token_is_the_argmax_of_filtered_logprobs_and_the_noise_of_its_place(ask, root):
    """By plain transformers, one full forward pass per token."""
    sampling = Sampling(temperature=0.9, top_k=50, top_p=0.95, min_p=0.001, seed=3)
    model = load_plainly(root, root / "step1")
    prompt = ask.library.encode(ask.key, "Once")
    texts = ask.write(sampling, tokens=8, samples=2, prompt=prompt)
    for text in texts:
        written = list(prompt.token_ids)
        for place, token_id in enumerate(text.token_ids.tolist()):
            with torch.inference_mode():
                logits = model(torch.tensor([written])).logits[0, -1]
            logprobs = torch.log_softmax(logits, -1).numpy()
            after = filtered(logprobs[:SIZE], sampling)
            marks = after + gumbel_noise(sampling.seed, text.sample, len(written), SIZE)
            best, second = np.sort(marks)[[-1, -2]]
            assert token_id == marks.argmax() or best - second < 1e-4
            assert text.logprobs[place] == pytest.approx(logprobs[token_id], abs=1e-4)
            assert text.sampler_logprobs[place] == pytest.approx(after[token_id], abs=1e-4)
            written.append(token_id)


def level(value: float):
    """Return a change of weights after which every token is as likely as any other."""
    return lambda tensors: tensors["embed_out.weight"].fill_(value)


def test_two_steps_meet_the_same_noise(ask, tmp_path):
    """Weights that say nothing leave the choice to the noise alone, at every step."""
    silent = make_small(tmp_path / "silent", steps=(0, 1))
    for step, bias in ((0, 0.5), (1, 2.0)):
        file = silent / f"step{step}" / "model.safetensors"
        change_weights(file, level(bias))
    asker = Asker(silent)
    assert ids_of(asker.write(HOT, step=0)) == ids_of(asker.write(HOT, step=1))


def loudest_padding(tensors) -> None:
    """Give every row past the tokenizer's length the largest logit by far."""
    tensors["gpt_neox.final_layer_norm.weight"].zero_()
    tensors["gpt_neox.final_layer_norm.bias"].fill_(1.0)
    tensors["embed_out.weight"].zero_()
    tensors["embed_out.weight"][SIZE:] = 1.0


@pytest.mark.parametrize("sampling", [Sampling(), HOT, Sampling(50.0, seed=1)])
def test_rows_that_mean_no_token_are_never_written_however_likely(tmp_path, sampling):
    root = make_small(tmp_path / "loud", steps=(1,))
    change_weights(root / "step1" / "model.safetensors", loudest_padding)
    result = Asker(root).events(Continue(12, 4, sampling))[-1]
    assert result.next_token.padding_mass > 0.999
    assert (result.next_token.top.ids < SIZE).all()
    for text in result.continuations:
        assert (text.token_ids < SIZE).all()
        assert (text.top.ids < SIZE).all()
        assert (text.logprobs < -10).all()  # over all rows, the padding included
        assert (text.ranks > ROWS - SIZE).all()
        assert np.isfinite(text.sampler_logprobs).all()


def always(token_ids: Sequence[int]):
    """Return a change of weights after which one id follows from the place alone.

    The last layer norm's bias is the same everywhere, so that one id is always the likeliest.
    """

    def change(tensors) -> None:
        tensors["gpt_neox.final_layer_norm.weight"].zero_()
        tensors["gpt_neox.final_layer_norm.bias"].fill_(1.0)
        tensors["embed_out.weight"].zero_()
        for token_id in token_ids:
            tensors["embed_out.weight"][token_id] = 1.0

    return change


def writer_of(folder: Path, *texts: str) -> Asker:
    """Return an asker of a model that writes only the given one-byte tokens or specials."""
    root = make_small(folder / "fixed", steps=(1,))
    tokenizer = Tokenizer(root / "tokenizer.json")
    wanted = [tokenizer.encode(text, special_tokens=True)[0] for text in texts]
    change_weights(root / "step1" / "model.safetensors", always(wanted))
    return Asker(root)


def test_a_text_ends_at_the_end_of_text_token(tmp_path):
    asker = writer_of(tmp_path, SPECIALS[0])
    events = asker.events(Continue(10, 2, HOT))
    assert ids_of(events[-1].continuations) == [[0], [0]]
    assert events[-1].continuations[0].text == SPECIALS[0]


def test_samples_end_each_at_its_own_place(tmp_path):
    asker = writer_of(tmp_path, SPECIALS[0], "a")
    texts = asker.write(Sampling(1.0, seed=4), tokens=40, samples=8)
    lengths = {text.token_ids.size for text in texts}
    assert len(lengths) > 2
    for text in texts:
        assert SPECIALS[0] not in text.text[: -len(SPECIALS[0])]
        assert text.token_ids[-1] == 0
        assert text.token_ids.size == text.logprobs.size == text.ranks.size == len(text.token_texts)


@pytest.mark.parametrize(("stop", "written"), [("aaa", "aaa"), ("a", "a"), ("b", "a" * 10)])
def test_a_text_ends_once_a_stop_string_is_complete(tmp_path, stop, written):
    asker = writer_of(tmp_path, "a")
    (text,) = asker.write(Sampling(stop=("never", stop)), tokens=10)
    assert text.text == written


def taking_turns(first: int, second: int):
    """Return a change of weights after which either of two ids follows the other."""

    def change(tensors) -> None:
        for name, value in tensors.items():
            if ".layers." in name or "embed" in name:
                value.zero_()
        tensors["gpt_neox.final_layer_norm.weight"].fill_(1.0)
        tensors["gpt_neox.final_layer_norm.bias"].zero_()
        for place, (seen, next_one) in enumerate(((first, second), (second, first))):
            tensors["gpt_neox.embed_in.weight"][seen, place] = 1.0
            tensors["embed_out.weight"][next_one, place] = 1.0

    return change


def test_a_stop_string_of_characters_of_several_tokens_is_found(tmp_path):
    """The two bytes of é come as two tokens, one after the other."""
    root = make_small(tmp_path / "turns", steps=(1,))
    ids = Tokenizer(root / "tokenizer.json").encode("é")
    change_weights(root / "step1" / "model.safetensors", taking_turns(*ids))
    asker = Asker(root)
    (text,) = asker.write(Sampling(stop=("éé",)), tokens=9, text="é")
    assert text.text == "éé"
    assert text.token_ids.tolist() == [*ids, *ids]
    (half,) = asker.write(Sampling(), tokens=3, text="é")
    assert half.text == "é\ufffd"


def test_the_streamed_tokens_are_those_of_the_result_in_their_order(ask):
    events = ask.events(Continue(20, 3, HOT), top_k=4)
    result = events[-1]
    for text in result.continuations:
        tokens = [e for e in events if isinstance(e, TokenWritten) and e.sample == text.sample]
        assert [token.token_id for token in tokens] == text.token_ids.tolist()
        shown = "".join(token.text for token in tokens)
        assert text.text.startswith(shown)
        assert {*text.text[len(shown) :]} <= {"\ufffd"}
        assert "".join(text.token_texts) == text.text
        for n, token in enumerate(tokens):
            assert token.rank == text.ranks[n] >= 1
            assert token.logprob == pytest.approx(float(text.logprobs[n]), abs=1e-6)
            assert token.entropy == pytest.approx(float(text.entropies[n]), abs=1e-5)
            assert token.top.ids.tolist() == [text.top.ids[n].tolist()]
            assert {*token.texts} == {token.token_id, *token.top.ids.ravel().tolist()}


def test_a_text_that_ends_within_a_character_ends_in_a_replacement_mark(tmp_path):
    asker = writer_of(tmp_path, "é")  # its first byte alone, again and again
    events = asker.events(Continue(3, 1, Sampling()))
    (text,) = events[-1].continuations
    assert text.text == "\ufffd" * 3
    assert {token.texts[token.token_id] for token in events if isinstance(token, TokenWritten)} == {
        "<0xC3>"
    }


@pytest.mark.parametrize("top_k", [0, 1, 1000])
def test_as_many_alternatives_are_listed_as_were_asked_for_and_are_there(ask, top_k):
    (text,) = ask.write(HOT, tokens=3, top_k=top_k)
    assert text.top.ids.shape == text.top.probs.shape == (3, min(top_k, SIZE))


def test_the_number_of_listed_alternatives_does_not_change_what_is_written(ask):
    assert ids_of(ask.write(HOT, top_k=0)) == ids_of(ask.write(HOT, top_k=50))


def test_scores_asked_for_beside_do_not_change_what_is_written(ask):
    plain = ids_of(ask.write(HOT, samples=2))
    prompt = ask.library.encode(ask.key, "Hello", [" you", " me and you"])
    assert ids_of(ask.write(HOT, samples=2, score=True, prompt=prompt)) == plain
    assert ids_of(ask.write(HOT, samples=2, next_token=False)) == plain


def test_a_text_written_to_the_last_place_of_the_context_equals_a_longer_ones_start(ask):
    whole = ids_of(ask.write(HOT, tokens=91))[0]
    assert ids_of(ask.write(HOT, tokens=7))[0] == whole[:7]


def test_a_text_from_a_text_already_written_goes_on_as_it_would_have(ask):
    """A click on a token continues from there: the noise knows the place alone."""
    prompt = ask.library.encode(ask.key, "Hello")
    whole = ids_of(ask.write(HOT, tokens=12))[0]
    longer = Prompt("", prompt.token_ids + tuple(whole[:5]))
    assert ids_of(ask.write(HOT, tokens=7, prompt=longer))[0] == whole[5:]
