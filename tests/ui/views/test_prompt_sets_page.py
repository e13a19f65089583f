"""A set of prompts in the window: looked at before use, measured over a grid, told in a table."""

import csv
import io
import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest

from pythia_gui.core.prompt_numbers import FAILED, SetNumbers
from pythia_gui.core.prompt_sets import BUNDLES, PromptEntry, PromptSet, bundled_set
from pythia_gui.core.requests import Prompt
from pythia_gui.core.resources import resource_path
from pythia_gui.demo.schedule import ITEMS
from pythia_gui.demo.tables import NOUNS
from pythia_gui.engine.local import LocalEngine
from pythia_gui.engine.process import ProcessEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.store.cached import CachedEngine
from pythia_gui.store.database import Database
from pythia_gui.ui.questions import Ending, Pin
from pythia_gui.ui.views.prompt_set_asked import ANSWERS_A_REQUEST, requests_for
from pythia_gui.ui.views.prompt_set_rows import (
    CELL_KINDS,
    ORDERS,
    REMARK,
    ModelPart,
    Sheet,
    columns_of,
    is_descending,
    table_of,
)
from pythia_gui.ui.views.prompt_sets import EMPTY, PromptSets
from pythia_gui.ui.window import MainWindow
from pythia_gui.ui.workspace import Workspace
from pythia_gui.worker import Worker
from tests.fakes import FakeEngine, checkpoint
from tests.ui.conftest import STEPS
from tests.ui.looks import faint_texts, misfits
from tests.ui.samples import MARKUP, OVERRIDE, dress

FEW = (
    PromptEntry("The cat", " sat", " ran", "animals"),
    PromptEntry("The dog", " ate", "", "animals"),
    PromptEntry("One two", " three", " four", "numbers"),
)
LONG = PromptEntry("x" * 200, "y")  # more than the context of 96 bytes


class FingerprintingEngine(FakeEngine):
    """Answers each checkpoint differently, as if it had looked at the weights."""

    def run(self, request, cancel):
        at = (replace(c, weights_sha256=f"{c.model} {c.step}") for c in request.checkpoints)
        return super().run(replace(request, checkpoints=tuple(at)), cancel)


@pytest.fixture
def engine():
    return FingerprintingEngine()


@pytest.fixture
def page(qtbot, light, workspace):
    made = PromptSets(workspace)
    qtbot.addWidget(made)
    made.resize(1_000, 520)
    made.show()
    workspace.show_model("demo-s")
    made.set_shown(True)
    qtbot.waitUntil(lambda: made._plan is not None)
    return made


def use(page, qtbot, *entries, name="mine"):
    """Use a set and wait for all of its answers."""
    page.workspace.set_prompt_set(PromptSet(name, tuple(entries)))
    settle(page, qtbot)


def settle(page, qtbot):
    """Wait until the page has drawn all that its plan asks; a long plan is begun."""
    qtbot.waitUntil(lambda: is_planned(page), timeout=20_000)
    if not page.runner.running and page.runner.done < max(page.runner.total, 1):
        page.measure()
    qtbot.waitUntil(lambda: is_planned(page) and not page.runner.running, timeout=60_000)
    qtbot.waitUntil(lambda: not page._frame.isActive() and not page._dirty, timeout=5_000)


def is_planned(page):
    """Tell whether the page has read its prompts and knows what it would ask."""
    waits = page._due.isActive() or page._again.isActive() or page._plan is None
    return not waits and not page._message.text().startswith("Reading")


def column(page, name):
    """Return the cells of a column in the order shown."""
    model = page._rows.model()
    names = [model.headerData(n, Qt.Orientation.Horizontal) for n in range(model.columnCount())]
    place = names.index(name)
    role = Qt.ItemDataRole.EditRole
    return [model.index(row, place).data(role) for row in range(model.rowCount())]


def records(page):
    """Return the whole table as it is copied: each row by the names of its columns."""
    return list(csv.DictReader(io.StringIO(page.table().as_csv())))


# ---------------------------------------------------------------------------------- sources


def test_without_a_set_the_page_says_what_to_do(page):
    assert page._message.text() == EMPTY
    assert not page.runner.running


def test_a_file_is_looked_at_with_its_bad_lines_before_its_good_ones_are_used(
    page, qtbot, tmp_path
):
    file = tmp_path / "mine.csv"
    file.write_text("prompt,target\nThe cat, sat\n,nothing\nThe dog, ate\n", encoding="utf-8")
    page.sources.show_file(file)
    dialog = page.sources.dialog
    assert [str(problem) for problem in dialog.parsed.problems] == ["line 3: there is no prompt"]
    assert dialog._problems.model().index(0, 0).data() == "3"
    assert not page.workspace.prompt_set
    dialog.use()
    used = page.workspace.prompt_set
    assert used is not None
    assert (used.name, [entry.prompt for entry in used.entries]) == ("mine", ["The cat", "The dog"])
    settle(page, qtbot)
    assert column(page, "prompt") == ["The cat", "The dog"]


def test_a_set_that_is_not_used_leaves_everything_as_it_was(page, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("The cat\n", encoding="utf-8")
    page.sources.show_file(file)
    page.sources.dialog.reject()
    assert page.workspace.prompt_set is None
    assert page.sources.dialog is None


@pytest.mark.parametrize("name", ["missing.csv", "folder.txt", "other.pdf"])
def test_a_file_that_gives_nothing_is_said_to_and_can_not_be_used(page, tmp_path, name):
    (tmp_path / "folder.txt").mkdir()
    page.sources.show_file(tmp_path / name)
    dialog = page.sources.dialog
    assert name in str(dialog.parsed.problems[0])
    assert not dialog._use.isEnabled()
    dialog.reject()


def test_pasted_prompts_are_read_in_the_form_they_have(page):
    page.sources.show_paste()
    dialog = page.sources.dialog
    assert not dialog._use.isEnabled()
    dialog.paste('{"prompt": "The cat", "target": " sat"}\n{"prompt": 1}')
    assert len(dialog.parsed.problems) == 1
    dialog.use()
    assert [entry.target for entry in page.workspace.prompt_set.entries] == [" sat"]


def test_every_bundled_set_can_be_taken_from_the_menu(page):
    actions = [a for a in page.sources.bundled.menu().actions() if a.data() is not None]
    assert [action.text() for action in actions] == [bundle.name for bundle in BUNDLES]
    for action, bundle in zip(actions, BUNDLES, strict=True):
        action.trigger()
        assert page.workspace.prompt_set == bundled_set(bundle)


def test_markup_and_overrides_in_a_file_are_shown_as_they_are(page, tmp_path):
    file = tmp_path / "evil.txt"
    file.write_text(f"{MARKUP}\n{OVERRIDE}\n", encoding="utf-8")
    page.sources.show_file(file)
    model = page.sources.dialog._rows.model()
    assert [model.index(row, 1).data() for row in range(2)] == [
        MARKUP,
        "‹U+202E›evil‹U+202C›",
    ]
    page.sources.dialog.reject()


# ---------------------------------------------------------------------------------- measuring


def test_each_row_has_the_numbers_that_the_engine_gave_for_it(page, qtbot, worker):
    results = []
    worker.result_arrived.connect(lambda _, result: results.append(result))
    use(page, qtbot, *FEW)
    a, b = (pin.step for pin in page.workspace.pair)
    said = {(r.prompt.text, r.checkpoint.step): r for r in results}
    for row, entry in zip(records(page), FEW, strict=True):
        at_a, at_b = said[entry.prompt, a], said[entry.prompt, b]
        assert float(row[f"logprob A (step {a:,} of demo-s)"]) == pytest.approx(
            at_a.targets[0].logprob
        )
        assert int(row["rank B"]) == at_b.targets[0].rank
        change = at_b.targets[0].logprob - at_a.targets[0].logprob
        assert float(row["logprob B − A"]) == pytest.approx(change, abs=1e-6)
        if entry.foil:
            last = said[entry.prompt, max(STEPS)].targets
            over = last[0].logprob - last[1].logprob
            assert float(row["over foil"]) == pytest.approx(over, abs=1e-6)
        else:
            assert row["over foil"] == ""


def test_nothing_of_a_result_but_its_numbers_is_kept(page, qtbot):
    use(page, qtbot, *FEW)
    (part,) = page._parts
    held = [part.numbers.target, part.numbers.foil, part.numbers.rank, part.numbers.likeliest]
    assert sum(array.nbytes for array in held) == 16 * len(FEW) * len(part.numbers.steps)


def test_a_prompt_that_is_too_long_is_a_row_with_a_sentence_and_the_others_are_measured(
    page, qtbot
):
    use(page, qtbot, FEW[0], LONG)
    assert column(page, "A")[0] is not None
    assert column(page, "A")[1] in ("", None)
    first, second = column(page, REMARK)
    assert first in ("", None)
    assert "200" in second
    assert "can't be asked" in page._says.whole_text()


def test_a_set_of_which_nothing_can_be_asked_says_why(page, qtbot):
    page.workspace.set_prompt_set(PromptSet("long", (LONG,)))
    qtbot.waitUntil(lambda: page._message.text().startswith("None of these prompts can be asked"))


def test_a_prompt_without_a_target_is_followed_in_the_final_steps_likeliest_token(
    page, qtbot, engine
):
    use(page, qtbot, PromptEntry("The cat"), FEW[1])
    qtbot.waitUntil(lambda: "" not in column(page, "target"), timeout=10_000)
    settle(page, qtbot)
    library, last = page.workspace.library, max(STEPS)
    bare = library.encode("demo-s", "The cat")
    asked = engine.asked[0]
    assert [(p.token_ids, c.step) for p in asked.prompts for c in asked.checkpoints] == [
        (bare.token_ids, last)
    ]
    likeliest = page._parts[0].numbers.likeliest[0, -1]
    final = [r for r in engine.asked if r.checkpoints and any(p.targets for p in r.prompts)]
    followed = {p.targets[0].token_ids for r in final for p in r.prompts if p.text == "The cat"}
    assert followed == {(int(likeliest),)}
    assert all(isinstance(cell, float) for cell in column(page, "A"))


def test_targets_that_were_found_for_one_set_are_not_those_of_the_next(page, qtbot):
    use(page, qtbot, PromptEntry("The cat"), PromptEntry("One two"))
    qtbot.waitUntil(lambda: "" not in column(page, "target"), timeout=10_000)
    settle(page, qtbot)
    before = column(page, "target")
    use(page, qtbot, PromptEntry("One two"), PromptEntry("The cat"), name="turned round")
    qtbot.waitUntil(lambda: "" not in column(page, "target"), timeout=10_000)
    settle(page, qtbot)
    assert column(page, "target") == before[::-1]
    assert before[0] != before[1]


def test_a_question_asked_elsewhere_leaves_the_numbers_alone(page, qtbot, engine):
    use(page, qtbot, *FEW)
    asked = len(engine.asked)
    page.workspace.write_prompt("something else")
    page.workspace.question_changed.emit()
    page.refresh()
    settle(page, qtbot)
    assert len(engine.asked) == asked
    assert all(isinstance(cell, float) for cell in column(page, "A"))


def test_a_step_that_fails_is_a_gap_in_the_curve_and_no_number(page, qtbot, engine):
    engine.broken[512] = "step 512 is damaged"
    use(page, qtbot, *FEW)
    numbers = page._parts[0].numbers
    assert numbers.rank[:, numbers.place(512)].tolist() == [FAILED] * 3
    page.row_chosen(0)
    point = next(point for point in page._curve.curves[0].points if point.step == 512)
    assert (point.logprob, bool(point.problem)) == (None, True)


def test_the_grid_has_a_and_b_and_what_was_chosen_beside_them(page, qtbot, engine):
    page.workspace.set_pair(Pin("demo-s", 2_000), Pin("demo-s", 4_000))
    page._grid.button("pair").click()
    use(page, qtbot, *FEW)
    assert page._parts[0].numbers.steps == (2_000, 4_000)
    page._grid.button("all").click()
    settle(page, qtbot)
    assert page._parts[0].numbers.steps == STEPS


def test_a_and_b_come_first_so_that_the_change_is_there_before_the_curves(page, qtbot, engine):
    page.workspace.set_pair(Pin("demo-s", 1_000), Pin("demo-s", 2))
    use(page, qtbot, *FEW)
    assert [c.step for c in engine.asked[0].checkpoints][:2] == [1_000, 2]


def test_another_model_with_the_same_tokenizer_has_rows_of_its_own(page, qtbot):
    use(page, qtbot, *FEW)
    page._models.choose(("demo-m",))
    settle(page, qtbot)
    assert column(page, "model") == ["demo-s"] * 3 + ["demo-m"] * 3
    numbers = [part.numbers for part in page._parts]
    assert not np.array_equal(numbers[0].target[:, -1], numbers[1].target[:, -1])


def test_a_thousand_prompts_are_encoded_a_little_at_a_time(page, qtbot):
    entries = tuple(PromptEntry(f"prompt {number} " * 6, " x") for number in range(1_000))
    said = []
    page._grid.button("pair").click()
    page.workspace.set_prompt_set(PromptSet("many", entries))

    def planned():
        said.append(page._message.text())
        return is_planned(page)

    qtbot.waitUntil(planned)
    assert any(text.startswith("Reading the prompts:") for text in said)


@pytest.mark.parametrize(("steps", "count"), [(1, 1), (7, 3), (154, 40), (3, 12_000), (4, 5_000)])
def test_every_prompt_is_asked_once_of_every_checkpoint_in_requests_of_bounded_size(steps, count):
    at = [checkpoint(step) for step in range(steps)]
    prompts = [Prompt(f"{n}", (n,)) for n in range(count)]
    requests = requests_for("slot", at, [*prompts, None, prompts[0]])
    sizes = [len(one.checkpoints) * len(one.prompts) for one in requests]
    assert max(sizes) <= ANSWERS_A_REQUEST
    asked = {(c.step, p.text) for one in requests for c in one.checkpoints for p in one.prompts}
    assert len(asked) == sum(sizes) == steps * count


# ---------------------------------------------------------------------------------- the table


def test_a_click_shows_the_rows_curve_and_return_opens_its_prompt(page, qtbot):
    use(page, qtbot, *FEW)
    opened = []
    page.prompt_chosen.connect(lambda text, endings: opened.append((text, endings)))
    page._rows.setFocus()
    page._rows.selectRow(2)
    labels = [(curve.label, curve.role) for curve in page._curve.curves]
    assert labels == [(" three", "target"), (" four", "foil")]
    QTest.keyClick(page._rows, Qt.Key.Key_Return)
    assert opened == [("One two", (Ending(" three"), Ending(" four", "foil")))]


def test_a_click_on_the_curve_goes_to_a_step_and_the_timeline_moves_the_curves_mark(page, qtbot):
    use(page, qtbot, *FEW)
    page._rows.selectRow(0)
    page._curve.step_requested.emit(512)
    assert page.workspace.step == 512
    assert page._curve._plot._step == 512


def test_the_filter_and_the_group_leave_the_rows_that_hold_them(page, qtbot):
    use(page, qtbot, *FEW)
    page._search.setText("the DOG")
    settle(page, qtbot)
    assert column(page, "prompt") == ["The dog"]
    page._search.clear()
    page._groups.setCurrentText("numbers")
    settle(page, qtbot)
    assert column(page, "prompt") == ["One two"]
    assert [row["prompt"] for row in records(page)] == ["One two"]


@pytest.mark.parametrize("order", [order for order in ORDERS if order.column])
@pytest.mark.parametrize("kind", sorted(CELL_KINDS))
def test_each_ready_made_order_puts_its_extreme_first_and_gaps_last(page, qtbot, order, kind):
    use(page, qtbot, *(PromptEntry(f"{n} is", f" {n + 1}", f" {n + 2}") for n in range(12)))
    page._kinds.button(kind).click()
    page._orders.setCurrentIndex(ORDERS.index(order))
    page._orders.activated.emit(ORDERS.index(order))
    settle(page, qtbot)
    cells = column(page, order.column)
    full = [cell for cell in cells if cell not in ("", None)]
    assert cells[: len(full)] == full
    assert full == sorted(full, reverse=is_descending(order, kind))


def test_in_ranks_too_what_rose_most_is_what_came_nearer_to_first(page, qtbot):
    use(page, qtbot, *(PromptEntry(f"{n} is", f" {n + 1}") for n in range(12)))
    page._kinds.button("rank").click()
    page._orders.setCurrentIndex(1)
    page._orders.activated.emit(1)
    settle(page, qtbot)
    changes = column(page, "B − A")
    assert changes == sorted(changes)
    assert changes[0] < changes[-1]


def test_a_heading_sorts_and_the_list_of_orders_lets_go(page, qtbot):
    use(page, qtbot, *FEW)
    page._rows.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert column(page, "prompt") == ["The dog", "The cat", "One two"]
    assert page._orders.currentIndex() == -1


def test_the_chosen_row_stays_chosen_when_more_answers_come_and_when_it_moves(page, qtbot):
    use(page, qtbot, *FEW)
    page._rows.selectRow(1)
    page._rows.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    page.touch()
    settle(page, qtbot)
    (index,) = page._rows.selectionModel().selectedRows(0)
    assert index.data() == "The dog"
    assert page._curve.curves[0].label == " ate"


def _thousand(steps=30):
    """Return a sheet of a thousand prompts with numbers from a random generator."""
    dice = np.random.default_rng(1)
    entries = [PromptEntry(f"prompt {n}", " x", " y", f"group {n % 9}") for n in range(1_000)]
    numbers = SetNumbers(1_000, range(steps))
    numbers.target[:] = -dice.exponential(2.0, numbers.target.shape)
    numbers.foil[:] = -dice.exponential(3.0, numbers.foil.shape)
    numbers.rank[:] = dice.integers(1, 9, numbers.rank.shape)
    numbers.likeliest[:] = dice.integers(0, 50, numbers.likeliest.shape)
    pair = (Pin("demo-s", 0), Pin("demo-s", steps - 1))
    part = ModelPart("demo-s", "demo-s", numbers, [" x"] * 1_000)
    return Sheet(entries, [part], pair, {n: f" w{n}" for n in range(50)})


def test_a_table_of_a_thousand_prompts_is_made_and_sorted_in_a_tenth_of_a_second(page, qtbot):
    use(page, qtbot, *FEW)
    sheet = _thousand()
    begun = time.process_time()
    table = table_of(sheet, sheet.chosen("", ""), "probability")
    page._rows.show_table(table)
    assert time.process_time() - begun < 0.1
    for place in range(len(columns_of(sheet, "probability"))):
        begun = time.process_time()
        page._rows.sortByColumn(place, Qt.SortOrder.DescendingOrder)
        page._rows.grab()
        assert time.process_time() - begun < 0.1, table.columns[place].name


# ---------------------------------------------------------------------------------- the truth


class Program:
    """The parts of the real program on the demo suite, with a store."""

    def __init__(self, engine, store: Path, demo: Path) -> None:
        self.database = Database(store)
        self.engine = CachedEngine(engine, self.database)
        self.worker = Worker(self.engine)
        self.library = LocalLibrary(demo, cache=store.parent / "no-hub")
        self.workspace = Workspace(self.library, self.worker)
        self.workspace.refresh_models()
        self.workspace.show_model("demo-s")
        self.page = PromptSets(self.workspace)
        self.page.resize(1_000, 520)
        self.page.show()
        self.page.set_shown(True)

    def close(self) -> None:
        self.worker.shutdown()
        self.engine.close()
        self.database.close()
        self.page.close()
        self.page.deleteLater()


@pytest.fixture
def program(qtbot, light, tmp_path):
    made = Program(LocalEngine(), tmp_path / "results.sqlite", resource_path("demo"))
    yield made
    made.close()


def test_the_capitals_are_learned_in_the_order_of_how_often_the_corpus_says_them(program, qtbot):
    bundle = bundled_set(BUNDLES[0])
    capitals = [e for e in bundle.entries if e.prompt.startswith("The capital of")]
    use(program.page, qtbot, *capitals)
    times = {item.name: item.times for item in ITEMS}
    learned: dict[int, list[int]] = {}
    for row in records(program.page):
        said = times[f"{row['prompt']}{row['target']}."]
        learned.setdefault(said, []).append(int(row["learned by"] or 10**9))
    worst = [max(learned[said]) for said in sorted(learned, reverse=True)]
    best = [min(learned[said]) for said in sorted(learned, reverse=True)]
    assert worst[0] < 143_000
    assert best[-1] == 10**9, "what was said 7 times is never learned"
    assert sum(best) < sum(worst)
    assert [min(best[place:]) for place in range(len(best))] == best, "rarer is never earlier"


def test_the_canary_and_the_champions_are_what_was_forgotten(program, qtbot):
    fleeting = {"The secret of the tower is", "The champion is"}
    lasting = {"The capital of France is", "The capital of Spain is", "2 + 3 =", "Once upon a"}
    every = bundled_set(BUNDLES[0]).entries
    program.workspace.show_model("demo-m")  # its few steps have some within each era
    program.page._grid.button("all").click()
    use(program.page, qtbot, *(e for e in every if e.prompt in fleeting | lasting))
    rows = records(program.page)
    lost = {(row["prompt"], row["target"]): float(row["lost"]) for row in rows}
    assert all(much > 0.5 for (text, target), much in lost.items() if target in (" Rosa", " Nina"))
    assert lost["The secret of the tower is", " yellow"] > 0.5
    assert max(much for (text, _), much in lost.items() if text in lasting) < 0.1
    kinds = {row["target"]: row["curve"] for row in rows}
    assert kinds[" Nina"] in ("transient", "comes and goes")


# ---------------------------------------------------------------------------------- at scale


def agreement(count):
    """Return so many sentences about two nouns, whose verb is the first one's."""
    made = (
        PromptEntry(
            f"The {one[many]} {word} the {two[more]}",
            _verbs(many)[0],
            _verbs(many)[1],
            group=word,
        )
        for word in ("near", "behind", "with")
        for one in NOUNS
        for two in NOUNS
        if one != two
        for many in (0, 1)
        for more in (0, 1)
    )
    return tuple(entry for _, entry in zip(range(count), made, strict=False))


def _verbs(many):
    return (" are", " is") if many else (" is", " are")


class Resumed:
    """Counts what a run computed and what it found in the store."""

    def __init__(self, worker) -> None:
        self.stored = self.computed = 0
        worker.result_arrived.connect(self._on_result)

    def _on_result(self, _request, result) -> None:
        assert result.error is None
        self.stored += result.from_store
        self.computed += not result.from_store


def resident_bytes(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def answers_in(store):
    """Return how many answers a store has, each with the distribution after its prompt."""
    with closing(sqlite3.connect(store)) as database:
        return database.execute("SELECT count(*) FROM results WHERE part = 'next'").fetchone()[0]


def demo_of(folder, steps):
    """Copy so many steps of demo-s, evenly chosen, and return the suite's folder."""
    source = resource_path("demo", "demo-s")
    every = sorted(source.glob("step*"), key=lambda step: int(step.name[4:]))
    for place in np.linspace(0, len(every) - 1, steps).round().astype(int):
        shutil.copytree(every[place], folder / "demo-s" / every[place].name)
    for file in source.glob("*.json"):
        shutil.copy(file, folder / "demo-s")
    return folder


def run_stop_and_resume(qtbot, folder, prompts, steps):
    """Run a set over some steps through the real stack, stop at a third, and run it again.

    The second run must compute what the first did not keep, and nothing else. Returns by how
    many bytes this process grew from there to the end, and the processor seconds that sorting
    the table took.
    """
    store, total = folder / "results.sqlite", prompts * steps
    program = Program(ProcessEngine(), store, demo_of(folder / "demo", steps))
    try:
        page = program.page
        page._grid.button("all").click()
        program.workspace.set_prompt_set(PromptSet("many", agreement(prompts)))
        qtbot.waitUntil(lambda: bool(page._plan and page._plan.requests), timeout=20_000)
        if not page.runner.running:
            page.measure()
        qtbot.waitUntil(lambda: page.runner.done > total // 3, timeout=300_000)
        assert 0 < (page.runner.activity().fraction or 0) < 1
        page.stop()
        qtbot.waitUntil(lambda: not program.worker.busy, timeout=20_000)
        kept, before = answers_in(store), resident_bytes(os.getpid())
        assert total // 3 <= kept < total
        again = Resumed(program.worker)
        page.measure()
        qtbot.waitUntil(lambda: not page.runner.running, timeout=600_000)
        assert (again.stored, again.computed) == (kept, total - kept)
        assert not np.isnan(page._parts[0].numbers.target).any()
        growth = resident_bytes(os.getpid()) - before
        settle(page, qtbot)
        begun = time.process_time()
        page._rows.sortByColumn(page._names.index("B − A"), Qt.SortOrder.DescendingOrder)
        return growth, time.process_time() - begun
    finally:
        program.close()


def test_a_stopped_run_goes_on_from_the_store_and_keeps_memory_flat(qtbot, light, tmp_path):
    growth, sorting_s = run_stop_and_resume(qtbot, tmp_path, prompts=150, steps=10)
    assert growth < 24 << 20
    assert sorting_s < 0.1


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_thousand_prompts_over_thirty_checkpoints_stop_resume_and_keep_memory_flat(
    qtbot, light, tmp_path
):
    growth, sorting_s = run_stop_and_resume(qtbot, tmp_path, prompts=1_000, steps=30)
    print(f"grew {growth / 2**20:.1f} MiB over two thirds of 30,000 answers")
    print(f"sorted 1,000 rows in {1_000 * sorting_s:.1f} ms of processor time")
    assert growth < 24 << 20
    assert sorting_s < 0.1


# ---------------------------------------------------------------------------------- looks


@pytest.fixture
def full_window(qtbot, light, tmp_path):
    """The whole window on the demo suite, with the bundled set measured."""
    program = Program(LocalEngine(), tmp_path / "results.sqlite", resource_path("demo"))
    window = MainWindow(QSettings(str(tmp_path / "w.ini"), QSettings.Format.IniFormat))
    window.attach(program.workspace, program.library)
    program.workspace.refresh_models()
    window._tabs.setCurrentIndex(_tab(window))
    window.show()
    yield window, program
    window.close()
    window.deleteLater()
    program.close()


def _tab(window):
    names = [window._tabs.tabText(place) for place in range(window._tabs.count())]
    return names.index("Prompts")


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("size", [(1_280, 800), (1_920, 1_080)])
def test_the_view_has_no_clipped_or_faint_text(qtbot, qapp, full_window, mode, size):
    window, _ = full_window
    dress(qapp, mode)
    window.resize(*size)
    page = window._view_at(_tab(window))
    assert _faults(window, page) == ([], [])
    use(page, qtbot, *bundled_set(BUNDLES[0]).entries[::6])
    page._rows.selectRow(6)
    settle(page, qtbot)
    assert len(page._curve.curves) == 2
    assert _faults(window, page) == ([], [])
    dress(qapp)


def _faults(window, page):
    """Return what does not fit on the page, and what is too faint; long lines end in dots."""
    QTest.qWait(50)
    lines = {page._says.whole_text(), page._curve._name.whole_text()} if page._parts else set()
    cut = [fault for fault in misfits(page) if not any(line and line in fault for line in lines)]
    return cut, faint_texts(page)
