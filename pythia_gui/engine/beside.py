"""What a checkpoint is held against: a reference's distributions, or those of earlier ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from pythia_gui.core.events import Divergence, Floats
from pythia_gui.core.requests import Prompt
from pythia_gui.engine.distance import js_bits, kl_bits, known_logprobs
from pythia_gui.engine.measure import CHUNK_POSITIONS
from pythia_gui.engine.scratch import Scratch, refuse_too_much


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is nothing to be held against; `non_finite` where a wider dtype may cure it."""

    text: str
    non_finite: bool = False


class Reference:
    """The reference's distributions at every position of every prompt, over `ids` ids.

    `refusals` holds, by the prompt's number, why there are none.
    """

    def __init__(self, prompts: Sequence[Prompt], ids: int) -> None:
        """Make room for them.

        Raises:
            CheckpointError: that would take too much scratch space, or there is none.
        """
        lengths = [len(prompt.token_ids) - 1 for prompt in prompts]
        self._starts = [0, *accumulate(lengths)]
        refuse_too_much(self._starts[-1], ids, "compare fewer prompts or shorter ones")
        self._ids = ids
        self._scratch = Scratch(ids)
        self.sha256 = ""
        self.refusals: dict[int, Refusal] = {}

    def keep(self, prompt: int, span: slice, logits: Tensor) -> None:
        """Keep the distributions at some positions; `logits` float32, shape (position, rows)."""
        rows = known_logprobs(logits, self._ids).cpu().numpy()
        self._scratch.write(self._starts[prompt] + span.start, rows)

    def apart(self, prompt: int, span: slice, logits: Tensor) -> Tensor:
        """Return how far other distributions at some positions are from the reference's.

        Args:
            prompt: its number.
            span: which positions.
            logits: of the other, float32, shape (position, rows).

        Returns:
            Bits, float32, shape (3, position): KL(reference || other), KL(other || reference)
            and the Jensen-Shannon divergence.
        """
        kept = self._scratch.read(self._starts[prompt] + span.start, span.stop - span.start)
        reference = torch.from_numpy(kept).to(logits.device)
        other = known_logprobs(logits, self._ids)
        both = (kl_bits(reference, other), kl_bits(other, reference), js_bits(reference, other))
        return torch.stack(both)

    def divergence(self, parts: Sequence[Tensor]) -> Divergence:
        """Return the divergences of a whole prompt from what `apart` gave, in order."""
        first = np.full((3, 1), np.nan, np.float32)
        columns = np.concatenate([first, *(part.cpu().numpy() for part in parts)], axis=1)
        forward, backward, js = (np.ascontiguousarray(column) for column in columns)
        return Divergence(self.sha256, forward, backward, js)

    def close(self) -> None:
        """Give the scratch space back."""
        self._scratch.close()


class Earlier:
    """The distributions after each prompt of the checkpoints that came before."""

    def __init__(self, checkpoints: int, prompts: int, ids: int) -> None:
        """Make room for them.

        Raises:
            CheckpointError: that would take too much scratch space, or there is none.
        """
        refuse_too_much(checkpoints * prompts, ids, "compare fewer checkpoints or fewer prompts")
        self._ids = ids
        self._scratch = Scratch(ids)
        self._there = np.zeros((prompts, checkpoints), bool)

    def apart(
        self, checkpoint: int, prompt: int, logits: Tensor, keep_going: Callable[[], None]
    ) -> Floats:
        """Return how far a distribution is from those of earlier checkpoints, and keep it.

        Args:
            checkpoint: its number in the request, counted from 0.
            prompt: the prompt's.
            logits: after the prompt, float32, shape (1, rows).
            keep_going: called between chunks; it may raise to stop.

        Returns:
            The Jensen-Shannon divergence in bits from every earlier one, float32, shape
            (checkpoint,); NaN for one that was never kept.
        """
        own = known_logprobs(logits, self._ids)
        row = prompt * self._there.shape[1]
        bits = np.full(checkpoint, np.nan, np.float32)
        for start in range(0, checkpoint, CHUNK_POSITIONS):
            keep_going()
            stop = min(start + CHUNK_POSITIONS, checkpoint)
            kept = torch.from_numpy(self._scratch.read(row + start, stop - start))
            bits[start:stop] = js_bits(kept.to(own.device), own).cpu().numpy()
        bits[~self._there[prompt, :checkpoint]] = np.nan
        self._scratch.write(row + checkpoint, own.cpu().numpy())
        self._there[prompt, checkpoint] = True
        return bits

    def close(self) -> None:
        """Give the scratch space back."""
        self._scratch.close()
