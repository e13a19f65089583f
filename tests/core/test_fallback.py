"""One dtype per curve: an overflow in half precision reruns everything in float32."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pythia_gui.core.engine import Cancel
from pythia_gui.core.events import EngineEvent, Notice, Placement, Progress, Result
from pythia_gui.core.fallback import Float32Fallback
from pythia_gui.core.neox_config import NeoxConfig
from pythia_gui.core.requests import Checkpoint, Prompt, Request
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from tests.small import change_weights, make_small

SHAPE = NeoxConfig(layers=2, dim=32, heads=2, inner_dim=128, vocab_rows=272, context=96)
AT = Checkpoint("model", 1, None, "/x", SHAPE, "/x/tokenizer.json", "t", "c", "float16")
ENOUGH, TOO_LITTLE = 10**9, SHAPE.parameters * 4


class FakeEngine:
    """Overflows at some steps in half precision, and says which runs it was left in."""

    def __init__(self, overflowing: set[int], memory_bytes: int = ENOUGH) -> None:
        self.overflowing = overflowing
        self.memory_bytes = memory_bytes
        self.dtypes: list[str] = []
        self.ended: list[str] = []
        self.closed = False

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        dtype = "float16" if request.dtype == "auto" else request.dtype
        self.dtypes.append(dtype)
        try:
            yield Placement("cuda:0", "cuda", "A GPU", self.memory_bytes)
            for at in request.checkpoints:
                if cancel.is_set():
                    return
                yield Progress("computing", 0.5)
                bad = at.step in self.overflowing and dtype != "float32"
                error = f"step {at.step} of model overflows in {dtype}" if bad else None
                yield Result(
                    at, Prompt("", (0,)), "cuda:0", "cuda", dtype, error=error, non_finite=bad
                )
        finally:
            self.ended.append(dtype)

    def close(self) -> None:
        self.closed = True


def asked(dtype="auto"):
    steps = tuple(replace(AT, step=step) for step in (1, 2, 3))
    return Request("slot", steps, (Prompt("", (0,)),), dtype=dtype)


def collected(engine: Float32Fallback, request: Request) -> tuple[list[Result], list[Notice]]:
    """Return the last result of every step, and the notices."""
    events = list(engine.run(request, threading.Event()))
    last = {event.checkpoint.step: event for event in events if isinstance(event, Result)}
    return list(last.values()), [event for event in events if isinstance(event, Notice)]


def test_without_an_overflow_the_events_pass_unchanged():
    inner = FakeEngine(set())
    results, notices = collected(Float32Fallback(inner), asked())
    assert [result.dtype for result in results] == ["float16"] * 3
    assert notices == []
    assert inner.dtypes == ["float16"]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_overflow_at_any_step_computes_all_steps_in_float32(step):
    inner = FakeEngine({step})
    results, notices = collected(Float32Fallback(inner), asked())
    assert [(result.dtype, result.error) for result in results] == [("float32", None)] * 3
    assert [notice.text.count(f"step {step} of model") for notice in notices] == [1]
    assert "float16" in notices[0].text
    assert inner.ended == ["float16", "float32"]


def test_the_run_in_half_has_ended_before_the_one_in_float32_begins():
    inner = FakeEngine({1})
    events = Float32Fallback(inner).run(asked(), threading.Event())
    held = []
    for event in events:
        held.append(event)
        if isinstance(event, Notice):
            assert inner.ended == ["float16"]
    assert inner.ended == ["float16", "float32"]


def test_where_float32_does_not_fit_the_overflow_stays_a_gap():
    inner = FakeEngine({2}, TOO_LITTLE)
    results, notices = collected(Float32Fallback(inner), asked())
    assert [result.non_finite for result in results] == [False, True, False]
    assert notices == []
    assert inner.dtypes == ["float16"]


def test_where_the_reference_does_not_fit_in_float32_the_overflow_stays_a_gap():
    large = replace(AT, config=replace(SHAPE, layers=100))
    inner = FakeEngine({2}, int(SHAPE.parameters * 4 * 1.3))
    assert collected(Float32Fallback(inner), asked())[1] != []
    results, notices = collected(Float32Fallback(inner), replace(asked(), against=large))
    assert [result.non_finite for result in results] == [False, True, False]
    assert notices == []


def test_a_dtype_that_was_asked_for_falls_back_too():
    results, _ = collected(Float32Fallback(FakeEngine({3})), asked("bfloat16"))
    assert {result.dtype for result in results} == {"float32"}


def test_an_overflow_in_float32_is_not_computed_again():
    inner = FakeEngine({1})
    assert collected(Float32Fallback(inner), asked("float32"))[1] == []
    assert inner.dtypes == ["float32"]


def test_a_cancelled_run_is_not_followed_by_another():
    inner, cancel = FakeEngine({1}), threading.Event()
    events = []
    for event in Float32Fallback(inner).run(asked(), cancel):
        events.append(event)
        if isinstance(event, Notice):
            cancel.set()
    assert not any(isinstance(event, Result) for event in events)


def test_closing_closes_the_inner_engine():
    inner = FakeEngine(set())
    Float32Fallback(inner).close()
    assert inner.closed


def test_weights_beyond_float16_give_one_curve_in_float32(tmp_path):
    """The real engine: step 1's logits pass 65,504, those of the others do not."""
    root = make_small(tmp_path / "model", steps=(0, 1, 2))

    def grow(tensors):
        tensors["embed_out.weight"] = tensors["embed_out.weight"].float() * 1e5

    change_weights(root / "step1" / "model.safetensors", grow)
    library = LocalLibrary(None)
    entry = library.add_folder(root)
    prompt = library.encode(entry.key, "Hello", [" you"])
    checkpoints = tuple(library.checkpoint(entry.key, step) for step in (0, 1, 2))
    request = Request("slot", checkpoints, (prompt,), dtype="float16")
    alone = [
        event
        for event in LocalEngine().run(request, threading.Event())
        if isinstance(event, Result)
    ]
    assert [result.non_finite for result in alone] == [False, True, False]
    assert alone[1].error is not None
    assert "step 1 of model" in alone[1].error
    results, notices = collected(Float32Fallback(LocalEngine()), request)
    assert [(result.dtype, result.error) for result in results] == [("float32", None)] * 3
    assert len(notices) == 1


def test_a_reference_beyond_float16_is_named_and_everything_computed_in_float32(tmp_path):
    root = make_small(tmp_path / "model", steps=(0, 1))

    def grow(tensors):
        tensors["embed_out.weight"] = tensors["embed_out.weight"].float() * 1e5

    change_weights(root / "step1" / "model.safetensors", grow)
    library = LocalLibrary(None)
    entry = library.add_folder(root)
    asked_at, reference = (library.checkpoint(entry.key, step) for step in (0, 1))
    prompt = library.encode(entry.key, "Hello")
    request = Request("slot", (asked_at,), (prompt,), dtype="float16", against=reference)
    (result,), (notice,) = collected(Float32Fallback(LocalEngine()), request)
    assert notice.text.startswith("step 1 of model gives NaN or infinite logits in float16")
    assert (result.dtype, result.error) == ("float32", None)
    assert result.divergence is not None
