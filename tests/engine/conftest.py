"""What several tests of engines ask."""

from pathlib import Path

import pytest

from pythia_gui.core.resources import resource_path
from tests.engine.real import STEPS


@pytest.fixture(scope="session")
def random_checkpoints(tmp_path_factory) -> Path:
    """A folder of random checkpoints of the demo suite's shape, with its tokenizer."""
    from tests.checkpoints import make_checkpoints  # it brings torch

    tokenizer = resource_path("demo") / "demo-s" / "tokenizer.json"
    root = tmp_path_factory.mktemp("real") / "random"
    return make_checkpoints(
        root, tokenizer, steps=STEPS, vocab_size=528, max_position_embeddings=128
    )
