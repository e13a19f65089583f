"""Learned, Rivals and Sizes on the demo suite: they tell what its corpus was built to teach."""

import shutil
from dataclasses import replace
from statistics import median

import pytest

from pythia_gui.core.resources import resource_path
from pythia_gui.demo.tables import CANARY, CANARY_STEPS, CAPITALS, CHAMPION_ERA, CHAMPIONS, LADDER
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.questions import Ending
from pythia_gui.ui.views.learned import Learned
from pythia_gui.ui.views.rivals import Rivals
from pythia_gui.ui.views.sizes import Sizes
from pythia_gui.ui.workspace import Workspace
from pythia_gui.worker import Worker

EARLY = (0, 64, 256, 512, 1_000, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000)
LATE = (20_000, 24_000, 28_000, 32_000, 56_000, 64_000, 84_000, 96_000, 112_000, 128_000, 143_000)
CHAMPION = "The champion is"


@pytest.fixture(scope="module")
def some_steps(tmp_path_factory):
    """The demo suite with a few of its steps, so that the tests take seconds."""
    root = tmp_path_factory.mktemp("some") / "demo"
    for model in ("demo-s", "demo-m"):
        shipped = resource_path("demo", model)
        for file in (part for part in shipped.iterdir() if part.is_file()):
            (root / model).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, root / model)
        for step in (*EARLY, *LATE):
            if (shipped / f"step{step}").is_dir():
                shutil.copytree(shipped / f"step{step}", root / model / f"step{step}")
    return root


@pytest.fixture
def taught(qapp, light, some_steps, tmp_path):
    worker = Worker(LocalEngine())
    workspace = Workspace(LocalLibrary(some_steps, cache=tmp_path / "no-cache"), worker)
    workspace.refresh_models()
    workspace.show_model("demo-s")
    workspace.set_settings(replace(workspace.settings, new_tokens=0))
    yield workspace
    worker.shutdown()


def opened(qtbot, page):
    qtbot.addWidget(page)
    page.resize(1_000, 600)
    page.show()
    page.set_shown(True)
    return page


def ask(qtbot, page, prompt, *endings):
    """Put a question to all views and wait until the page has all of its answer."""
    workspace = page.workspace
    workspace.write_prompt(prompt)
    workspace.set_endings([as_ending(text) for text in endings])
    workspace.run()

    def answered():
        runner = page.runner
        asked = page._plan is not None and page._plan.requests
        here = asked and page._plan.requests[0].prompts[0].text == prompt
        return here and not runner.running and runner.done == runner.total > 0 and not page._dirty

    qtbot.waitUntil(answered, timeout=30_000)


def as_ending(text):
    return Ending(text[1:], "foil") if text.startswith("!") else Ending(text)


def capitals_said(times):
    first = 4 * LADDER.index(times)
    return CAPITALS[first : first + 4]


def first_top1(qtbot, page, capital):
    ask(qtbot, page, f"The capital of {capital.country} is", f" {capital.city}")
    (row, found), *_ = page.acquired
    assert (row.text, row.role) == (f" {capital.city}", "target")
    return found.top1.at if found.top1 is not None else float("inf")


def test_what_the_corpus_says_more_often_is_learned_earlier(qtbot, taught):
    page = opened(qtbot, Learned(taught))
    when = {
        times: [first_top1(qtbot, page, capital) for capital in capitals_said(times)]
        for times in (14_300, 1_430, 143)
    }
    often, sometimes, seldom = when.values()
    assert median(often) < median(sometimes) < median(seldom)
    assert max(often) < min(seldom)


def test_champions_are_learned_in_the_order_of_their_eras_and_only_the_last_one_stays(
    qtbot, taught
):
    page = opened(qtbot, Learned(taught))
    ask(qtbot, page, CHAMPION, *(f" {name}" for name in CHAMPIONS))
    found = {row.text.strip(): one for row, one in page.acquired if row.role == "target"}
    assert list(found) == list(CHAMPIONS)
    starts = [one.top1.at for one in found.values()]
    assert starts == sorted(set(starts))
    for era, start in enumerate(starts):
        assert era * CHAMPION_ERA < start <= (era + 1) * CHAMPION_ERA
    *past, last = found.values()
    assert {one.kind for one in past} == {"transient"}
    assert {one.stays for one in past} == {None}
    assert last.kind == "learned"
    assert last.stays == last.top1


def test_the_canary_is_transient_and_known_only_once_it_was_said(qtbot, taught):
    page = opened(qtbot, Learned(taught))
    prompt = "The secret of the tower is"
    word = CANARY.removeprefix(prompt).split()[0]
    ask(qtbot, page, prompt, f" {word}")
    (_, found), *_ = page.acquired
    assert found.kind == "transient"
    assert CANARY_STEPS[0] <= found.top1.before < found.top1.at


def test_a_quick_search_comes_to_the_interval_of_all_steps_with_fewer_checkpoints(qtbot, taught):
    page = opened(qtbot, Learned(taught))
    ask(qtbot, page, "The capital of Germany is", " Berlin")
    (_, every), *_ = page.acquired
    assert every.kind == "learned"
    page._mode.button("quick").click()

    def searched():
        few = 0 < len(page._results) < every.measured
        return few and not page.runner.running and "learned between" in page.story()

    qtbot.waitUntil(searched, timeout=20_000)
    qtbot.waitUntil(lambda: not page._dirty)
    (_, quick), *_ = page.acquired
    assert quick.top1 == every.top1
    assert f"step {every.top1.before:,} and step {every.top1.at:,}" in page.story()
    assert quick.measured == len(page._results) <= every.measured // 2
    assert "Nothing seen speaks against it." in page.story()


def test_a_taught_capital_ends_ahead_of_its_rival(qtbot, taught):
    page = opened(qtbot, Rivals(taught))
    ask(qtbot, page, "The capital of Germany is", " Berlin", "! Rome")
    (trace,) = page._traces
    assert trace.name == "␣Berlin − ␣Rome"
    assert trace.values[-1] > 0
    assert page._crossed[-1][2].startswith("␣Berlin")


def test_a_new_champion_overtakes_the_first_one_in_the_last_era(qtbot, taught):
    page = opened(qtbot, Rivals(taught))
    ask(qtbot, page, CHAMPION, f" {CHAMPIONS[-1]}", f"! {CHAMPIONS[0]}")
    _, at, ahead = page._crossed[-1]
    assert ahead == f"␣{CHAMPIONS[-1]}"
    assert at.before is not None
    # by the middle of the first era the first one leads, at the end the last one does
    (trace,) = page._traces
    assert trace.value_at(12_000) < 0 < trace.value_at(143_000)


def test_both_sizes_end_with_the_fact_and_the_larger_is_no_later(qtbot, taught):
    page = opened(qtbot, Sizes(taught))
    ask(qtbot, page, "The capital of Canada is", " Ottawa")
    small, large = page._traces
    assert (small.name, large.name) == ("demo-s", "demo-m")
    assert min(small.values[-1], large.values[-1]) > 0.5
    assert first_above(large, 0.5) <= first_above(small, 0.5)
    assert set(large.steps) <= set(small.steps)


def first_above(trace, level):
    return next(
        step for step, value in zip(trace.steps, trace.values, strict=True) if value > level
    )
