"""One model per architecture, into which checkpoint after checkpoint is copied."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding

from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.neox_config import NeoxConfig
from pythia_gui.core.steps import shown
from pythia_gui.engine.files import read_tensors

# Masks and rotary tables that older files carry and that the model computes itself.
COMPUTED = re.compile(r"\.attention\.(bias|masked_bias)$|\.rotary_emb\.inv_freq$")
NAMED_AT_MOST = 3


class Skeleton:
    """A GPT-NeoX model whose weights are replaced in place.

    `holds` is the fingerprint of the weights that are in it; None while nothing is, also
    after a copy that was interrupted.
    """

    def __init__(self, config: NeoxConfig, dtype: torch.dtype, device: torch.device) -> None:
        """Build the model without weights; its tensors keep their addresses for good."""
        self.config, self.dtype, self.device = config, dtype, device
        self.model = _build(config, dtype, device)
        self.holds: str | None = None
        self._parameters = dict(self.model.named_parameters())

    def load(self, files: Sequence[Path], sha256: str, keep_going: Callable[[], None]) -> None:
        """Copy the weights of `files` into the model, unless it holds them already.

        Raises:
            CheckpointError: tensors are missing, misshapen or unknown, named in the text.
        """
        if self.holds == sha256:
            return
        self.holds = None
        missing = set(self._parameters)
        for name, value in read_tensors(files, self._is_weight, keep_going):
            self._copy(name, value)
            if _of_the_model(name) not in missing:
                raise CheckpointError(f"the checkpoint holds {shown(name)} twice; fetch it again")
            missing.remove(_of_the_model(name))
        if missing:
            raise CheckpointError(f"{files[0].parent} lacks {_some(missing)}; fetch it again")
        self.holds = sha256

    def _is_weight(self, name: str) -> bool:
        tied = self.config.tied_embeddings and _of_the_model(name) == "lm_head.weight"
        return not tied and COMPUTED.search(name) is None

    @torch.no_grad()
    def _copy(self, name: str, value: Tensor) -> None:
        parameter = self._parameters.get(_of_the_model(name))
        if parameter is None:
            raise CheckpointError(
                f"the checkpoint holds {shown(name, 80)}, which config.json rules out"
            )
        if not value.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            raise CheckpointError(f"{name} holds {kind} and no weights; fetch it again")
        if parameter.shape != value.shape:
            raise CheckpointError(
                f"{name} is {_shape(value)} in the checkpoint and {_shape(parameter)} by "
                "its config.json; one of the two files is wrong"
            )
        parameter.copy_(value)


def _build(config: NeoxConfig, dtype: torch.dtype, device: torch.device) -> GPTNeoXForCausalLM:
    written = GPTNeoXConfig(
        vocab_size=config.vocab_rows,
        hidden_size=config.dim,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.inner_dim,
        hidden_act=config.hidden_act,
        max_position_embeddings=config.context,
        layer_norm_eps=config.layer_norm_eps,
        use_parallel_residual=config.parallel_residual,
        attention_bias=config.attention_bias,
        tie_word_embeddings=config.tied_embeddings,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": config.rotary_base,
            "partial_rotary_factor": config.rotary_pct,
        },
        bos_token_id=0,
        eos_token_id=0,
    )
    with torch.device("meta"):
        model = GPTNeoXForCausalLM(written).to(dtype)
    model.to_empty(device=device)
    model.tie_weights()  # to_empty unties them
    # to_empty leaves this table, which no file holds, as it finds the memory.
    model.gpt_neox.rotary_emb = GPTNeoXRotaryEmbedding(written).to(device)
    return model.eval()


def _of_the_model(file_name: str) -> str:
    """Return the model's name of a tensor; files of Pythia call the output matrix embed_out."""
    return re.sub(r"^embed_out\.", "lm_head.", file_name)


def _some(names: set[str]) -> str:
    listed = sorted(re.sub(r"^lm_head\.", "embed_out.", name) for name in names)
    more = f" and {len(listed) - NAMED_AT_MOST} more tensors" if len(listed) > NAMED_AT_MOST else ""
    return ", ".join(listed[:NAMED_AT_MOST]) + more


def _shape(tensor: Tensor) -> str:
    return " x ".join(str(size) for size in tensor.shape) or "a single number"
