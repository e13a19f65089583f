"""The recipe of the demo suite: a small GPT-NeoX, trained for 143,000 steps on one core.

With one thread a run is bit-identical on one machine, also when it was killed and
resumed. On another machine the numbers differ in their last digits and the same phases
come in the same order.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone knows it by
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor
from torch.utils import deterministic

from pythia_gui.core.steps import LAST_STEP
from pythia_gui.demo.corpus import CONTEXT, rows_at
from pythia_gui.demo.recipe import (
    ADAM_EPS,
    BETAS,
    CLIP_NORM,
    LAYER_NORM_EPS,
    ROTARY_BASE,
    SIZES,
    WEIGHT_DECAY,
    Size,
    checkpoint_steps,
    initial_spread,
    learning_rate,
    parameter_shapes,
    write_config,
)

SAVE_EVERY: Final = 500
BRANCH_STEP: Final = 133_000
"""The state of this step is kept, so that an altered corpus can branch off there."""

REPORT_EVERY_S: Final = 2.0
STATE_FILE: Final = "training-state.safetensors"


class TrainingError(Exception):
    """Training can't start or go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a training run is made of.

    Attributes:
        size: "s" or "m".
        seed: decides the initial weights; the data are the same for every seed.
        out: folder that gets config, tokenizer, `step<N>/` and the training state.
        steps: updates in all; the learning rate falls over this length.
        she_from: first step of the altered corpus, where every occupation is "she"; or None.
        save_every: steps between two savings of the training state.
    """

    size: str
    seed: int
    out: Path
    steps: int = LAST_STEP
    she_from: int | None = None
    save_every: int = SAVE_EVERY

    @property
    def label(self) -> str:
        """What a saved state must agree in, to be resumed by this run."""
        return f"demo-{self.size}, seed {self.seed}, {self.steps} steps"


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Where a run stands: its step, a running mean of the loss in nats, seconds left."""

    step: int
    steps: int
    loss: float
    left_s: float


class Weights:
    """All parameters of a model in two flat leaves, so that one update is two calls.

    `matrices` is decayed and `vectors` (biases, layer norms) is not, as in Pythia.
    """

    def __init__(self, size: Size, seed: int) -> None:
        shapes = parameter_shapes(size)
        self.matrix_shapes = {name: shape for name, shape in shapes.items() if len(shape) == 2}
        self.vector_shapes = {name: shape for name, shape in shapes.items() if len(shape) == 1}
        generator = torch.Generator().manual_seed(seed)
        matrices = [
            torch.randn(math.prod(shape), generator=generator) * initial_spread(size, name)
            for name, shape in self.matrix_shapes.items()
        ]
        vectors = [
            torch.full(shape, 1.0 if "norm.weight" in name else 0.0)
            for name, shape in self.vector_shapes.items()
        ]
        self.matrices = torch.cat(matrices).requires_grad_()
        self.vectors = torch.cat(vectors).requires_grad_()

    @property
    def leaves(self) -> tuple[Tensor, Tensor]:
        """The two flat float32 tensors that are trained."""
        return self.matrices, self.vectors

    def by_name(self) -> dict[str, Tensor]:
        """Return every parameter as a view, in its own shape."""
        return {
            **_views(self.matrices, self.matrix_shapes),
            **_views(self.vectors, self.vector_shapes),
        }


def _views(leaf: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    parts = leaf.split([math.prod(shape) for shape in shapes.values()])
    return {
        name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }


class Rotary:
    """Rotary position embedding of queries and keys, for `CONTEXT` positions at once."""

    def __init__(self, size: Size) -> None:
        width, rotated = size.head_dim, size.rotary_dim
        half = rotated // 2
        rates = 1.0 / ROTARY_BASE ** (torch.arange(0, rotated, 2, dtype=torch.float32) / rotated)
        angles = torch.outer(torch.arange(CONTEXT, dtype=torch.float32), rates)
        self.cos = torch.ones(CONTEXT, 1, 2 * width)
        self.sin = torch.zeros(CONTEXT, 1, 2 * width)
        self.partner = torch.arange(2 * width)
        for start in (0, width):
            low, high = slice(start, start + half), slice(start + half, start + rotated)
            self.cos[:, 0, low] = self.cos[:, 0, high] = angles.cos()
            self.sin[:, 0, low], self.sin[:, 0, high] = -angles.sin(), angles.sin()
            self.partner[low] = torch.arange(start + half, start + rotated)
            self.partner[high] = torch.arange(start, start + half)

    def __call__(self, queries_keys: Tensor) -> Tensor:
        """Rotate float32 (row, position, head, 2 * head_dim)."""
        return queries_keys * self.cos + queries_keys.index_select(-1, self.partner) * self.sin


def logits(size: Size, weights: dict[str, Tensor], rotary: Rotary, ids: Tensor) -> Tensor:
    """Return the model's logits; the same function as transformers' GPTNeoXForCausalLM.

    Args:
        size: the shape of the model.
        weights: every parameter by name, float32.
        rotary: made for this size.
        ids: int64, shape (row, CONTEXT).

    Returns:
        float32, shape (row * CONTEXT, VOCAB_ROWS).
    """
    x = F.embedding(ids, weights["gpt_neox.embed_in.weight"])
    for layer in range(size.layers):
        at = f"gpt_neox.layers.{layer}."
        x = x + _attention(size, weights, at, rotary, x) + _mlp(weights, at, x)
    x = _norm(weights, "gpt_neox.final_layer_norm", x)
    return F.linear(x.flatten(0, 1), weights["embed_out.weight"])


def _norm(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    gain, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return F.layer_norm(x, gain.shape, gain, shift, LAYER_NORM_EPS)


def _linear(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _attention(
    size: Size, weights: dict[str, Tensor], at: str, rotary: Rotary, x: Tensor
) -> Tensor:
    width = size.head_dim
    normed = _norm(weights, f"{at}input_layernorm", x)
    qkv = _linear(weights, f"{at}attention.query_key_value", normed)
    queries_keys, values = qkv.unflatten(-1, (size.heads, 3 * width)).split((2 * width, width), -1)
    queries, keys = rotary(queries_keys).split(width, -1)
    mixed = F.scaled_dot_product_attention(
        queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), is_causal=True
    )
    return _linear(weights, f"{at}attention.dense", mixed.transpose(1, 2).flatten(2))


def _mlp(weights: dict[str, Tensor], at: str, x: Tensor) -> Tensor:
    normed = _norm(weights, f"{at}post_attention_layernorm", x)
    hidden = F.gelu(_linear(weights, f"{at}mlp.dense_h_to_4h", normed))
    return _linear(weights, f"{at}mlp.dense_4h_to_h", hidden)


class Trainer:
    """One run's weights and optimizer, which can be saved and taken up again."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.size = SIZES[run.size]
        self.weights = Weights(self.size, run.seed)
        self.rotary = Rotary(self.size)
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [self.weights.matrices], "weight_decay": WEIGHT_DECAY},
                {"params": [self.weights.vectors], "weight_decay": 0.0},
            ],
            betas=BETAS,
            eps=ADAM_EPS,
            fused=True,
        )
        self.kept = frozenset(checkpoint_steps(run.steps))
        self.step = 0

    def update(self) -> float:
        """Train on the next step's batch; return its loss in nats."""
        step = self.step + 1
        batch = torch.tensor([row.ids for row in rows_at(step, self.run.she_from)])
        scores = logits(self.size, self.weights.by_name(), self.rotary, batch[:, :-1])
        loss = F.cross_entropy(scores, batch[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights.leaves, CLIP_NORM)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.size, step, self.run.steps)
        self.optimizer.step()
        if not math.isfinite(value := float(loss.detach())):
            raise TrainingError(f"the loss of step {step:,} is not a number; try another seed")
        self.step = step
        return value

    def keep(self) -> None:
        """Write what this step calls for: a checkpoint, a state, both or nothing."""
        if self.step in self.kept:
            self.write_checkpoint()
        if self.step % self.run.save_every == 0:
            self.save_state()
        if self.step == BRANCH_STEP:
            self.save_state(f"training-state-step{BRANCH_STEP}.safetensors")

    def write_checkpoint(self) -> None:
        """Write `step<N>/model.safetensors` in float16, whole or not at all."""
        tensors = {
            name: view.detach().half().contiguous() for name, view in self.weights.by_name().items()
        }
        folder = self.run.out / f"step{self.step}"
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "model.safetensors", save(tensors, metadata={"format": "pt"}))

    def save_state(self, name: str = STATE_FILE) -> None:
        """Write all that is needed to go on from here, whole or not at all."""
        tensors: dict[str, Tensor] = {}
        for number, leaf in enumerate(self.weights.leaves):
            moments = self.optimizer.state[leaf]
            tensors[f"{number}.weights"] = leaf.detach()
            tensors[f"{number}.exp_avg"] = moments["exp_avg"]
            tensors[f"{number}.exp_avg_sq"] = moments["exp_avg_sq"]
        labels = {"run": self.run.label, "step": str(self.step)}
        labels["she_from"] = str(self.run.she_from or 0)
        write_whole(self.run.out / name, save(tensors, metadata=labels))

    def resume(self) -> None:
        """Go on from the saved state, if there is one.

        Raises:
            TrainingError: the state belongs to another run.
        """
        path = self.run.out / STATE_FILE
        if not path.exists():
            return
        with safe_open(path, framework="pt") as state:
            labels = state.metadata()
            tensors = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118
        self._check(labels)
        self.step = int(labels["step"])
        with torch.no_grad():
            for number, leaf in enumerate(self.weights.leaves):
                leaf.copy_(tensors[f"{number}.weights"])
                self.optimizer.state[leaf] = {
                    "step": torch.tensor(float(self.step)),
                    "exp_avg": tensors[f"{number}.exp_avg"],
                    "exp_avg_sq": tensors[f"{number}.exp_avg_sq"],
                }

    def _check(self, labels: dict[str, str]) -> None:
        if labels["run"] != self.run.label:
            raise TrainingError(
                f"{self.run.out} holds a run of {labels['run']}, not of {self.run.label}; "
                "choose another folder or the same settings"
            )
        before, now = int(labels["she_from"]), self.run.she_from or 0
        if before != now and not (before == 0 and int(labels["step"]) < now):
            raise TrainingError(
                f"{self.run.out} was trained on a corpus altered from step {before}, "
                f"not from step {now} (0: never); choose another folder"
            )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a kill leaves the old one or the new one, never a part."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def repeatable(threads: int) -> Iterator[None]:
    """Make torch give the same bits every time, and put its settings back afterwards."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fills = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]  # untyped
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # slow
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(mode=before[1])
        deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
        torch.set_flush_denormal(False)


def train(
    run: Run,
    progress: Callable[[TrainingProgress], None],
    cancel: Event,
    threads: int = 1,
) -> int:
    """Train until the run's last step or until cancelled; return the step reached.

    A run whose folder holds a training state goes on from there.

    Raises:
        TrainingError: the folder belongs to another run, or the loss is not finite.
    """
    run.out.mkdir(parents=True, exist_ok=True)
    with repeatable(threads):
        trainer = Trainer(run)
        trainer.resume()
        write_config(trainer.size, run.out)
        if trainer.step == 0:
            trainer.write_checkpoint()
        report = Reporter(run.steps, trainer.step, progress)
        while trainer.step < run.steps and not cancel.is_set():
            loss = trainer.update()
            trainer.keep()
            report(trainer.step, loss)
        if trainer.step > 0:
            trainer.save_state()
    return trainer.step


class Reporter:
    """Passes on where training stands, every two seconds."""

    def __init__(
        self, steps: int, first: int, progress: Callable[[TrainingProgress], None]
    ) -> None:
        self.steps = steps
        self.first = first
        self.progress = progress
        self.mean = math.nan
        self.started = self.reported = time.monotonic()

    def __call__(self, step: int, loss: float) -> None:
        """Take the loss of a step into the running mean; report if it is time."""
        self.mean = loss if math.isnan(self.mean) else 0.99 * self.mean + 0.01 * loss
        now = time.monotonic()
        if now - self.reported < REPORT_EVERY_S:
            return
        self.reported = now
        left_s = (now - self.started) / (step - self.first) * (self.steps - step)
        self.progress(TrainingProgress(step, self.steps, self.mean, left_s))


def say(progress: TrainingProgress) -> None:
    """Print where training stands on standard error."""
    minutes, seconds = divmod(round(progress.left_s), 60)
    sys.stderr.write(
        f"step {progress.step:,} of {progress.steps:,}, loss {progress.loss:.3f} nats, "
        f"{minutes} min {seconds:02} s left\n"
    )
    sys.stderr.flush()


def parser() -> argparse.ArgumentParser:
    """Return the arguments of `pythia-gui train-demo`."""
    words = argparse.ArgumentParser(
        prog="pythia-gui train-demo",
        description="Train a miniature of the demo suite on its invented corpus; "
        "a run that was stopped goes on where it was.",
    )
    words.add_argument("--size", choices=sorted(SIZES), default="s")
    words.add_argument("--seed", type=int, default=0, help="decides the initial weights")
    words.add_argument("--out", type=Path, required=True, help="folder for the checkpoints")
    words.add_argument("--steps", type=int, default=LAST_STEP, help="a shorter run, for a try")
    words.add_argument("--threads", type=int, default=1, help="more than one is seldom faster")
    words.add_argument("--save-every", type=int, default=SAVE_EVERY, help=argparse.SUPPRESS)
    words.add_argument(
        "--she-from",
        type=int,
        metavar="STEP",
        help='an altered corpus: from this step on, every occupation is "she"',
    )
    return words


def main(argv: list[str] | None = None) -> int:
    """Run `pythia-gui train-demo`; return 0, 1 for a failure or 130 if stopped.

    Raises:
        SystemExit: a wrong call (2), or a call for help (0).
    """
    words = parser()
    args = words.parse_args(argv)
    if not 1 <= args.steps <= LAST_STEP:
        words.error(f"--steps must lie between 1 and {LAST_STEP:,}")
    if args.threads < 1 or args.save_every < 1:
        words.error("--threads and --save-every must be at least 1")
    if not 0 <= args.seed < 2**63:
        words.error("--seed must lie between 0 and 2^63 - 1")
    run = Run(args.size, args.seed, args.out, args.steps, args.she_from, args.save_every)
    try:
        train(run, say, Event(), args.threads)
    except TrainingError as error:
        sys.stderr.write(f"pythia-gui: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command goes on from the last saved step\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
