"""The shape of a GPT-NeoX model: what of config.json changes the numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NeoxConfig:
    """A validated GPT-NeoX configuration (`pythia_gui.hub.config` reads one from a file).

    `context` is the number of positions; `vocab_rows` the rows of both embedding matrices;
    `rotary_pct` the share of each head's dimensions that rotate.
    """

    layers: int
    dim: int
    heads: int
    inner_dim: int
    vocab_rows: int
    context: int
    rotary_pct: float = 0.25
    rotary_base: float = 10_000.0
    layer_norm_eps: float = 1e-5
    hidden_act: str = "gelu"
    parallel_residual: bool = True
    attention_bias: bool = True
    tied_embeddings: bool = False

    @property
    def parameters(self) -> int:
        """Return the exact number of parameters, embeddings included.

        A layer has the query-key-value and output projections (4 dim^2), the two of the
        feed-forward block (2 dim x inner), their biases and two layer norms; a last layer
        norm and two embedding matrices (one if tied) stand outside.
        """
        attention = 4 * self.dim**2 + (4 * self.dim if self.attention_bias else 0)
        feed_forward = 2 * self.dim * self.inner_dim + self.inner_dim + self.dim
        layer = attention + feed_forward + 4 * self.dim
        embeddings = (1 if self.tied_embeddings else 2) * self.vocab_rows * self.dim
        return self.layers * layer + 2 * self.dim + embeddings
