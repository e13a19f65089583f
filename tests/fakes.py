"""An engine behind the protocol that knows its answers at once, and values to ask it with."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from pythia_gui.core.engine import Cancel
from pythia_gui.core.events import (
    Alternatives,
    Continuation,
    Divergence,
    EngineEvent,
    Floats,
    NextToken,
    Placement,
    Progress,
    Result,
    Score,
    TargetScore,
    TokenWritten,
)
from pythia_gui.core.neox_config import NeoxConfig
from pythia_gui.core.precision import computed_dtype
from pythia_gui.core.requests import Checkpoint, Continue, Prompt, Request, Target

CPU = Placement("cpu", "cpu", "CPU", 8 << 30)
GPU = Placement("cuda:0", "cuda", "A GPU", 80 << 30)
SHAPE = NeoxConfig(layers=2, dim=8, heads=2, inner_dim=32, vocab_rows=128, context=64)
TOKENIZER = hashlib.sha256(b"tokenizer").hexdigest()
CONFIG = hashlib.sha256(b"config").hexdigest()


def checkpoint(step: int, model: str = "fake", **changes: Any) -> Checkpoint:
    """Return a checkpoint whose weights are known by model and step."""
    made = Checkpoint(
        model=model,
        step=step,
        tokens_seen=step * 2_097_152,
        folder=f"/nowhere/{model}/step{step}",
        config=SHAPE,
        tokenizer_file="/nowhere/tokenizer.json",
        tokenizer_sha256=TOKENIZER,
        config_sha256=CONFIG,
        weights_sha256=hashlib.sha256(f"{model} {step}".encode()).hexdigest(),
    )
    return replace(made, **changes)


def prompt(text: str = "ab", *targets: str) -> Prompt:
    """Return a prompt whose tokens are its characters."""
    ids = tuple(ord(character) % 128 for character in text)
    return Prompt(text, ids, tuple(Target(t, ids, tuple(ord(c) % 128 for c in t)) for t in targets))


def asking(*steps: int, slot: str = "text", **changes: Any) -> Request:
    """Return a request that asks these steps of the fake model for the next token."""
    made = Request(slot, tuple(checkpoint(step) for step in steps), (prompt(),), top_k=3)
    return replace(made, **changes)


def exact(value: Any) -> Any:
    """Return a value in a form that is equal only to what is equal to the last bit, NaN too."""
    if is_dataclass(value):
        return type(value), *(exact(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, tuple):
        return tuple(map(exact, value))
    return repr(value)


class FakeEngine:
    """Answers from a hash of what it is asked; a step can be held, broken or made to raise."""

    def __init__(self, place: Placement = CPU) -> None:
        self.place = place
        self.asked: list[Request] = []
        self.broken: dict[int, str] = {}
        self.raising: dict[int, Exception] = {}
        self.open = 0
        self.closed = False
        self._failed: set[int] = set()
        self._gates: dict[int, threading.Event] = {}
        self._reached: dict[int, threading.Event] = {}

    def hold(self, step: int) -> None:
        """Let the engine wait before it answers this step."""
        self._gates[step] = threading.Event()

    def release(self, step: int) -> None:
        """Let it go on."""
        self._gates[step].set()

    def reached(self, step: int) -> threading.Event:
        """The event that is set once the engine has come to this step."""
        return self._reached.setdefault(step, threading.Event())

    @property
    def computed(self) -> list[tuple[int, ...]]:
        """The steps of every request that had any."""
        asked = (tuple(c.step for c in request.checkpoints) for request in self.asked)
        return [steps for steps in asked if steps]

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        """Yield placement, progress, tokens and results."""
        self.asked.append(request)
        self.open += 1
        try:
            yield self.place
            self._failed = set()
            for number, at in enumerate(request.checkpoints):
                yield Progress(f"step {at.step:,}", number / len(request.checkpoints))
                self._wait(at.step, cancel)
                for asked in request.prompts:
                    if cancel.is_set():
                        return
                    yield from self._answer(request, number, asked)
        finally:
            self.open -= 1

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True

    def _wait(self, step: int, cancel: Cancel) -> None:
        self.reached(step).set()
        gate = self._gates.get(step)
        while gate is not None and not gate.wait(0.005) and not cancel.is_set():
            pass
        if step in self.raising:
            raise self.raising[step]

    def _answer(self, request: Request, number: int, asked: Prompt) -> Iterator[EngineEvent]:
        at = request.checkpoints[number]
        place, dtype = self.place, computed_dtype(request, self.place)
        base = Result(at, asked, place.device, place.device_class, dtype)
        if (problem := self._problem(at) or self._problem(request.against)) is not None:
            self._failed.add(number)
            yield replace(base, error=problem)
            return
        answer = _measured(base, request)
        if request.similarity:
            answer = replace(answer, similarity=self._similarity(request, number, answer))
        yield from _streamed(answer)
        yield answer

    def _problem(self, at: Checkpoint | None) -> str | None:
        if at is not None and at.folder is None:
            return f"step {at.step:,} is not on this machine; fetch it"
        return self.broken.get(at.step) if at is not None else None

    def _similarity(self, request: Request, number: int, answer: Result) -> Floats:
        """Return numbers that depend on the pair alone, 0 for equal weights, NaN for failures."""
        own = request.checkpoints[number]
        ids = answer.prompt.token_ids
        bits = [_apart(own, other, ids, answer.dtype) for other in request.checkpoints[:number]]
        missing = [n in self._failed for n in range(number)]
        return np.where(missing, np.nan, bits).astype(np.float32)


def _dice(*key: object) -> np.random.Generator:
    digest = hashlib.sha256(repr(key).encode()).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest[:8], "big")))


def _apart(one: Checkpoint, other: Checkpoint, ids: tuple[int, ...], dtype: str) -> float:
    pair = sorted((str(one.weights_sha256), str(other.weights_sha256)))
    return 0.0 if pair[0] == pair[1] else float(_dice(pair, ids, dtype).random())


def _divergence(base: Result, reference: Checkpoint) -> Divergence:
    """Return numbers that depend on both weights, 0 for the reference itself."""
    own, other = base.checkpoint.weights_sha256, reference.weights_sha256
    count = len(base.prompt.token_ids)
    dice = _dice(own, other, base.device_class, base.dtype, base.prompt.token_ids)
    columns = dice.random((3, count), np.float32) * np.float32(own != other)
    columns[:, 0] = np.nan
    return Divergence(str(other), *columns)


def _measured(base: Result, request: Request) -> Result:
    weights = (base.checkpoint.weights_sha256, base.device_class, base.dtype)
    ids, top_k = base.prompt.token_ids, request.top_k
    what = request.continuation
    answer = replace(
        base,
        score=_score(_dice(weights, ids, "score"), ids, top_k) if request.score else None,
        next_token=_next(_dice(weights, ids, "next"), top_k) if request.next_token else None,
        targets=tuple(_target(_dice(weights, t.token_ids), t) for t in base.prompt.targets),
        continuations=tuple(
            _continuation(weights, ids, what, sample, top_k)
            for sample in range(what.samples if what else 0)
            if what is not None
        ),
        divergence=_divergence(base, request.against) if request.against is not None else None,
    )
    return replace(answer, texts={i: text_of(i) for i in range(128)})


def text_of(token_id: int) -> str:
    """Return the character that a token is."""
    return chr(token_id)


def _alternatives(dice: np.random.Generator, positions: int, top_k: int) -> Alternatives:
    ids = dice.integers(33, 127, (positions, top_k))
    return Alternatives(ids, -np.sort(-dice.random((positions, top_k), np.float32)))


def _score(dice: np.random.Generator, ids: tuple[int, ...], top_k: int) -> Score:
    count = len(ids)
    numbers = [dice.random(count, np.float32) for _ in range(2)]
    ranks = dice.integers(1, 100, count)
    numbers[0][0] = numbers[1][0] = np.nan
    ranks[0] = 0
    top = _alternatives(dice, count, top_k)
    return Score(np.array(ids, np.int64), -numbers[0], ranks, numbers[1], top)


def _next(dice: np.random.Generator, top_k: int) -> NextToken:
    return NextToken(_alternatives(dice, 1, top_k), float(dice.random()), float(dice.random()))


def _target(dice: np.random.Generator, target: Target) -> TargetScore:
    return TargetScore(
        target.text, target.token_ids, -float(dice.random()), int(dice.integers(1, 9))
    )


def _continuation(
    weights: object, ids: tuple[int, ...], what: Continue, sample: int, top_k: int
) -> Continuation:
    drawn = () if what.sampling.greedy else (what.sampling, sample)
    dice = _dice(weights, ids, what.max_new_tokens, drawn)
    count = what.max_new_tokens
    own = dice.integers(33, 127, count)
    texts = tuple(text_of(int(i)) for i in own)
    return Continuation(
        sample=sample,
        seed=what.sampling.seed,
        text="".join(texts),
        token_ids=own,
        token_texts=texts,
        logprobs=-dice.random(count, np.float32),
        sampler_logprobs=-dice.random(count, np.float32),
        ranks=dice.integers(1, 9, count),
        entropies=dice.random(count, np.float32),
        top=_alternatives(dice, count, top_k),
    )


def _streamed(answer: Result) -> Iterator[TokenWritten]:
    for part in answer.continuations:
        for at, token_id in enumerate(part.token_ids.tolist()):
            top = Alternatives(part.top.ids[at : at + 1], part.top.probs[at : at + 1])
            yield TokenWritten(
                checkpoint=answer.checkpoint,
                prompt=answer.prompt,
                sample=part.sample,
                token_id=token_id,
                text=part.token_texts[at],
                logprob=float(part.logprobs[at]),
                sampler_logprob=float(part.sampler_logprobs[at]),
                rank=int(part.ranks[at]),
                entropy=float(part.entropies[at]),
                top=top,
                texts=answer.texts,
            )
