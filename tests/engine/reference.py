"""The same numbers by other means: plain transformers, one forward pass, textbook formulas."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import GenerationConfig, GPTNeoXConfig, GPTNeoXForCausalLM


def load_plainly(config_folder: Path, step_folder: Path) -> GPTNeoXForCausalLM:
    """Load a checkpoint with `from_pretrained` in float32, its config from beside it."""
    config = GPTNeoXConfig.from_pretrained(config_folder)
    model, report = GPTNeoXForCausalLM.from_pretrained(
        step_folder,
        config=config,
        dtype=torch.float32,
        generation_config=GenerationConfig(bos_token_id=0, eos_token_id=0),
        output_loading_info=True,
    )
    assert not any(report.values()), report
    return model.eval()


@dataclass(frozen=True)
class Reference:
    """What a text's tokens score; row i of each is the distribution after token i."""

    token_ids: tuple[int, ...]
    logits: Tensor
    logprobs: Tensor

    def logprob(self, position: int) -> float:
        return float(self.logprobs[position - 1, self.token_ids[position]])

    def ranks(self, position: int, tolerance: float = 1e-4) -> tuple[int, int]:
        """Return the lowest and the highest rank that logits within `tolerance` allow."""
        row = self.logits[position - 1]
        own = row[self.token_ids[position]]
        surely = 1 + int((row > own + tolerance).sum())
        perhaps = 1 + int((row > own - tolerance).sum()) - 1
        return surely, max(surely, perhaps)

    def entropy(self, position: int) -> float:
        row = self.logprobs[position - 1].double()
        return float(-(row.exp() * row).sum() / math.log(2))


@torch.inference_mode()
def score(model: GPTNeoXForCausalLM, token_ids: tuple[int, ...]) -> Reference:
    logits = model(torch.tensor([token_ids])).logits[0]
    return Reference(token_ids, logits, torch.log_softmax(logits, -1))


@torch.inference_mode()
def greedy(model: GPTNeoXForCausalLM, token_ids: tuple[int, ...], new_tokens: int) -> list[int]:
    """Return what `generate` writes; it may choose rows that mean no token."""
    ids = torch.tensor([token_ids])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new_tokens,
        do_sample=False,
        pad_token_id=0,
        eos_token_id=0,
    )
    return [int(token_id) for token_id in out[0, ids.shape[1] :]]
