"""Log-likelihoods of targets equal lm-evaluation-harness's own."""

import threading

import pytest

from pythia_gui.core.events import Result
from pythia_gui.core.requests import Request
from pythia_gui.core.resources import resource_path
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from tests.engine.reference import load_plainly

PAIRS = (
    ("The capital of France is", " Paris"),
    ("The capital of France is", " Paris."),
    ("The capital of France is ", "Paris"),
    ("Once upon a time there was a little", " boy named Ben"),
    ("2 + 3 =", " 5"),
    ("", "Once upon a time"),
    ("Xyzzy", " quux"),
)
STEPS = (0, 1000, 143_000)


@pytest.mark.filterwarnings("ignore")  # the harness's own imports warn about each other
@pytest.mark.parametrize("step", STEPS)
def test_log_likelihoods_equal_those_of_lm_evaluation_harness(step):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from transformers import PreTrainedTokenizerFast

    folder = resource_path("demo", "demo-s")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        eos_token="<|endoftext|>",
        bos_token="<|endoftext|>",
    )
    judge = HFLM(
        pretrained=load_plainly(folder, folder / f"step{step}"),
        tokenizer=tokenizer,
        device="cpu",
        batch_size=1,
        add_bos_token=False,
    )
    asked = [Instance("loglikelihood", {}, pair, n) for n, pair in enumerate(PAIRS)]
    expected = [logprob for logprob, _ in judge.loglikelihood(asked, disable_tqdm=True)]
    assert _ours(step) == pytest.approx(expected, abs=1e-4)


def _ours(step: int) -> list[float]:
    library = LocalLibrary(resource_path("demo"))
    request = Request(
        slot="harness",
        checkpoints=(library.checkpoint("demo-s", step),),
        prompts=tuple(library.encode("demo-s", prompt, [target]) for prompt, target in PAIRS),
    )
    events = LocalEngine().run(request, threading.Event())
    return [event.targets[0].logprob for event in events if isinstance(event, Result)]
