"""What every engine keeps to, the fake as the real one."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pythia_gui.core.engine import Engine
from pythia_gui.core.events import Failure, Notice, Placement, Progress, Result, TokenWritten
from pythia_gui.core.fallback import Float32Fallback
from pythia_gui.core.requests import Continue, Request, Sampling
from pythia_gui.engine.process import ProcessEngine
from pythia_gui.store.cached import CachedEngine
from pythia_gui.store.database import Database
from tests.engine.real import STEPS, TEXTS, real_request
from tests.fakes import FakeEngine, checkpoint, exact, prompt


def local() -> Engine:
    from pythia_gui.engine.local import LocalEngine

    return LocalEngine()


Makers = dict[str, Callable[[Database], Engine]]

ENGINES: Makers = {
    "fake": lambda store: FakeEngine(),
    "process of fake": lambda store: ProcessEngine(FakeEngine),
    "cached fake": lambda store: CachedEngine(FakeEngine(), store),
    "cached process of fake": lambda store: CachedEngine(ProcessEngine(FakeEngine), store),
}
REAL_ENGINES = ("local", "process of local", "all of it")


@pytest.fixture(scope="module")
def engines() -> Iterator[Makers]:
    """All engines by name; the real ones share one child, whose start takes seconds."""
    child = ProcessEngine()
    yield ENGINES | {
        "local": lambda store: local(),
        "process of local": lambda store: Kept(child),
        "all of it": lambda store: Float32Fallback(CachedEngine(Kept(child), store)),
    }
    child.close()


class Kept:
    """An engine that stays open when it is closed."""

    def __init__(self, inner: Engine) -> None:
        self.run = inner.run

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Case:
    """An engine and a request that it can answer."""

    engine: Engine
    request: Request

    def asking(self, **changes: Any) -> Request:
        return replace(self.request, **changes)

    def run(self, **changes: Any) -> list[Any]:
        return list(self.engine.run(self.asking(**changes), threading.Event()))


def fake_request() -> Request:
    prompts = tuple(prompt(text, " a", " was a") for text in TEXTS)
    return Request("text", tuple(checkpoint(step) for step in STEPS), prompts)


@pytest.fixture(scope="module", params=[*ENGINES, *REAL_ENGINES])
def case(request, engines, tmp_path_factory) -> Iterator[Case]:
    with Database(tmp_path_factory.mktemp("store") / "results.sqlite3") as store:
        engine = engines[request.param](store)
        real = request.param in REAL_ENGINES
        folder = request.getfixturevalue("random_checkpoints") if real else None
        asked = real_request(folder) if folder else fake_request()
        yield Case(engine, replace(asked, score=True, continuation=Continue(6), top_k=4))
        engine.close()
        engine.close()


def of(kind: type, events: list[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_the_placement_comes_before_tokens_and_results(case):
    events = [event for event in case.run() if not isinstance(event, Progress)]
    assert isinstance(events[0], Placement)
    assert of(Placement, events) == [events[0]]
    assert of(Failure, events) == []


def test_there_is_one_result_for_each_checkpoint_and_prompt_in_order(case):
    results = of(Result, case.run())
    assert [(r.checkpoint.step, r.prompt) for r in results] == [
        (step, asked) for step in STEPS for asked in case.request.prompts
    ]
    assert [r.error for r in results] == [None] * 6


def test_every_part_that_is_asked_is_there(case):
    for result in of(Result, case.run()):
        assert result.score.token_ids.tolist() == list(result.prompt.token_ids)
        assert result.next_token.top.ids.shape == (1, 4)
        assert [t.text for t in result.targets] == [t.text for t in result.prompt.targets]
        (written,) = result.continuations
        assert 1 <= len(written.token_ids) <= 6
        assert "".join(written.token_texts) == written.text
        assert result.checkpoint.weights_sha256


def test_no_part_is_there_that_is_not_asked(case):
    bare = tuple(replace(asked, targets=()) for asked in case.request.prompts)
    for result in of(
        Result, case.run(score=False, next_token=False, continuation=None, prompts=bare)
    ):
        parts = (result.score, result.next_token, result.targets, result.continuations)
        assert parts == (None, None, (), ())


def test_every_token_that_a_result_names_has_a_text(case):
    for result in of(Result, case.run()):
        named = {*result.score.token_ids.tolist(), *result.score.top.ids.ravel().tolist()}
        named |= set(result.next_token.top.ids.ravel().tolist())
        for part in result.continuations:
            named |= {*part.token_ids.tolist(), *part.top.ids.ravel().tolist()}
        for target in result.targets:
            named |= set(target.token_ids)
        assert named <= result.texts.keys()


def test_the_same_question_has_the_same_answer(case):
    first, second = (
        [exact(replace(r, texts={}, from_store=False)) for r in of(Result, case.run())]
        for _ in range(2)
    )
    assert first == second


def test_tokens_are_those_of_the_result_that_follows(case):
    sampling = Sampling(temperature=1.0, seed=7)
    events = case.run(continuation=Continue(5, samples=2, sampling=sampling))
    written: dict[int, list[int]] = {}
    for event in events:
        if isinstance(event, TokenWritten):
            written.setdefault(event.sample, []).append(event.token_id)
            assert event.token_id in event.texts
        elif isinstance(event, Result):
            assert written == {c.sample: c.token_ids.tolist() for c in event.continuations}
            assert {c.seed for c in event.continuations} == {sampling.seed}
            written = {}


def test_a_request_without_checkpoints_brings_the_placement_alone(case):
    events = case.run(checkpoints=())
    assert [type(e) for e in events if not isinstance(e, Progress)] == [Placement]


def test_a_checkpoint_that_is_not_here_is_an_error_and_the_others_are_answered(case):
    first, second, third = case.request.checkpoints
    gone = replace(second, folder=None, weights_sha256=None)
    results = of(Result, case.run(checkpoints=(first, gone, third)))
    assert [r.error is None for r in results] == [True, True, False, False, True, True]
    assert all("step 1" in r.error for r in results[2:4])


def test_a_cancelled_run_just_ends(case):
    cancel = threading.Event()
    cancel.set()
    events = list(case.engine.run(case.asking(top_k=2), cancel))
    assert of(Result, events) == of(Failure, events) == []


def test_a_cancel_during_the_run_ends_it_early(case):
    cancel = threading.Event()
    seen = []
    for event in case.engine.run(case.asking(top_k=3), cancel):
        seen.append(event)
        if isinstance(event, Result):
            cancel.set()
    assert 1 <= len(of(Result, seen)) < 6
    assert of(Failure, seen) == of(Notice, seen) == []


def test_a_run_that_is_left_early_does_not_disturb_the_next(case):
    events = iter(case.engine.run(case.asking(top_k=5), threading.Event()))
    assert any(isinstance(event, Result) for event in events)
    del events
    assert len(of(Result, case.run(top_k=5))) == 6


def test_every_engine_on_the_same_weights_says_the_same(random_checkpoints, engines, tmp_path):
    asked = replace(real_request(random_checkpoints), score=True, continuation=Continue(6))
    with Database(tmp_path / "results.sqlite3") as store:
        made = [engines[name](store) for name in REAL_ENGINES]
        said = [of(Result, list(e.run(asked, threading.Event()))) for e in [*made, made[-1]]]
    assert all(result.from_store for result in said[-1])
    plain = [[exact(replace(r, texts={}, from_store=False)) for r in results] for results in said]
    assert plain[0] == plain[1] == plain[2] == plain[3]
