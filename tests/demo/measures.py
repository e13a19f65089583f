"""What a checkpoint of the demo suite answers, taken with transformers' own model class."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from pythia_gui.core.steps import LAST_STEP
from pythia_gui.demo.corpus import rows_at
from pythia_gui.demo.lexicon import VOCAB_ROWS
from tests.demo.probes import PROBES, RECITALS, Question, held_out_rows

Floats = NDArray[np.float32]


class Miniature:
    """A model of the suite, whose weights are those of one step at a time."""

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.folder = folder
        self.model = GPTNeoXForCausalLM(GPTNeoXConfig(**config)).float().eval()
        self.step = -1

    @property
    def steps(self) -> list[int]:
        """The steps in the folder, in order."""
        return sorted(int(path.name[4:]) for path in self.folder.glob("step*"))

    def at(self, step: int) -> Miniature:
        """Take the weights of a step."""
        if step != self.step:
            tensors = load_file(self.folder / f"step{step}" / "model.safetensors")
            tensors["lm_head.weight"] = tensors.pop("embed_out.weight")
            self.model.load_state_dict({name: t.float() for name, t in tensors.items()})
            self.step = step
        return self

    @torch.inference_mode()
    def log_probabilities(self, ids: Sequence[Sequence[int]]) -> Floats:
        """Return log-probabilities in nats, shape (row, position, vocabulary)."""
        logs: Floats = self.model(torch.tensor(ids)).logits.log_softmax(-1).numpy()
        return logs

    def answers(self, questions: Sequence[Question]) -> Floats:
        """Return log-probabilities after each prompt, shape (question, vocabulary)."""
        longest = max(len(question.ids) for question in questions)
        padded = [(*q.ids, *[0] * (longest - len(q.ids))) for q in questions]
        ends = [len(question.ids) - 1 for question in questions]
        return self.log_probabilities(padded)[range(len(questions)), ends]


def target_share(question: Question, logs: Floats) -> float:
    """Return the target's probability, among the foils where there are any."""
    shares = np.exp(logs)
    rivals = shares[list(question.foils)].sum() + shares[question.target]
    return float(shares[question.target] / (rivals if question.foils else 1.0))


def target_first(question: Question, logs: Floats) -> float:
    """Return 1 where the target is the most likely token, else 0."""
    return float(logs.argmax() == question.target)


def measure(model: Miniature) -> dict[str, float]:
    """Return the mean answer to every probe and recital, and the distances of `distances`."""
    asked = [(name, one, target_share) for name, probe in PROBES.items() for one in probe]
    asked += [(name, one, target_first) for name, probe in RECITALS.items() for one in probe]
    asked.sort(key=lambda row: len(row[1].ids))
    answers: dict[str, list[float]] = {}
    for start in range(0, len(asked), 64):
        part = asked[start : start + 64]
        logs = model.answers([question for _, question, _ in part])
        for (name, question, score), row in zip(part, logs, strict=True):
            answers.setdefault(name, []).append(score(question, row))
    loss, unigram, bigram = distances(model)
    means = {name: float(np.mean(values)) for name, values in answers.items()}
    return {"loss": loss, "KL(unigram)": unigram, "KL(bigram)": bigram, **means}


@cache
def frequencies() -> tuple[Floats, Floats]:
    """Return the corpus's unigram (vocabulary,) and bigram (vocabulary, vocabulary) shares."""
    pairs = np.zeros((VOCAB_ROWS, VOCAB_ROWS), dtype=np.float32)
    for step in range(LAST_STEP + 100, LAST_STEP + 900):
        for row in rows_at(step):
            np.add.at(pairs, (row.ids[:-1], row.ids[1:]), 1.0)
    single = pairs.sum(0)
    return single / single.sum(), pairs / np.maximum(pairs.sum(1, keepdims=True), 1.0)


def distances(model: Miniature) -> tuple[float, float, float]:
    """Return loss, KL(unigram || model) and KL(bigram || model): means on unseen text, in nats."""
    rows = np.array(held_out_rows())
    logs = model.log_probabilities(rows[:, :-1].tolist())
    loss = -np.take_along_axis(logs, rows[:, 1:, None], -1).mean()
    single, pairs = frequencies()
    before = pairs[rows[:, :-1]]
    return float(loss), _divergence(single, logs), _divergence(before, logs)


def _divergence(shares: Floats, logs: Floats) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(shares > 0, shares * (np.log(shares) - logs), 0.0)
    return float(terms.sum(-1).mean())
