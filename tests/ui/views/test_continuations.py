"""The page of continuations, with the real engine on the demo suite."""

import csv
import io
import math
import shutil

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pythia_gui.core.resources import resource_path
from pythia_gui.core.text_measures import measures_of
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.views.continuation_texts import shared_start
from pythia_gui.ui.views.continuations import GREEDY, NO_PINS, Continuations
from pythia_gui.ui.workspace import Workspace
from pythia_gui.worker import Worker
from tests.ui.samples import text

LEFT = Qt.MouseButton.LeftButton
PROMPT = "One day a dog"


class Opened:
    """A page on a workspace whose engine is real."""

    def __init__(self, qtbot, library, worker):
        self._qtbot = qtbot
        self.workspace = Workspace(library, worker)
        self.workspace.refresh_models()
        self.workspace.show_model(self.workspace.library.models()[0].key)
        self.ask(PROMPT)
        self.page = Continuations(self.workspace)
        qtbot.addWidget(self.page)
        self.page._new_tokens.setValue(8)
        self.page.resize(980, 460)
        self.page.show()
        self.page.set_shown(True)

    def ask(self, prompt):
        self.workspace.write_prompt(prompt)
        self.workspace.run()
        self._qtbot.waitUntil(lambda: self.workspace.settled, timeout=30_000)

    def draw(self, samples, temperature=1.0):
        self.page._temperature.setValue(temperature)
        self.page._samples.setValue(samples)

    def come(self, answers):
        """Wait until so many answers are drawn."""
        runner = self.page.runner
        self._qtbot.waitUntil(
            lambda: (
                not self.page._due.isActive()
                and not runner.running
                and runner.done == answers
                and not self.page._dirty
            ),
            timeout=30_000,
        )

    def show(self, key, answers):
        QTest.mouseClick(self.page._view_of.button(key), LEFT)
        QApplication.processEvents()
        self.page.measure()
        self.come(answers)

    @property
    def texts(self):
        """What stands in the cells, by sample and column."""
        return [[cell.plain_text() for cell in row] for row in self.page._texts.cells]

    def results(self):
        return list(self.page._results.values())


@pytest.fixture
def real(light, tmp_path):
    made = Worker(LocalEngine())
    yield made
    made.shutdown()


@pytest.fixture
def opened(qtbot, real, tmp_path):
    made = Opened(qtbot, LocalLibrary(resource_path("demo"), cache=tmp_path), real)
    made.come(3)
    return made


@pytest.fixture
def twins(qtbot, real, tmp_path):
    """Two steps of identical weights between two others."""
    demo = resource_path("demo") / "demo-s"
    model = tmp_path / "demo" / "demo-t"
    for step, source in ((0, 0), (1, 64_000), (2, 64_000), (4, 143_000)):
        shutil.copytree(demo / f"step{source}", model / f"step{step}")
    for file in demo.glob("*.json"):
        shutil.copy(file, model)
    library = LocalLibrary(None, cache=tmp_path)
    library.add_folder(model)
    for entry in [entry for entry in library.models() if not entry.here]:
        del library._models[entry.key]
    return Opened(qtbot, library, real)


def test_the_same_weights_write_the_same_with_the_same_noise_and_other_samples_differ(twins):
    for step in (0, 1, 2, 4):
        twins.workspace.show_step(step)
        twins.workspace.pin()
    twins.draw(4)
    twins.come(len(twins.workspace.pins))
    assert [pin.step for pin in twins.workspace.pins] == [0, 1, 2, 4]
    for sample in twins.texts:
        assert sample[1] == sample[2]
        assert sample[0] != sample[1]
    assert len({row[1] for row in twins.texts}) > 1
    marks = [[token.differs for token in cell.text.tokens] for cell in twins.page._texts.cells[0]]
    assert not any(marks[2])
    assert any(marks[1])


def test_a_cell_per_sample_and_pinned_step_shows_what_was_written_without_the_prompt(opened):
    opened.draw(3)
    opened.come(3)
    by_step = {result.checkpoint.step: result for result in opened.results()
               if len(result.continuations) == 3}  # fmt: skip
    steps = [pin.step for pin in opened.workspace.pins]
    for sample, row in enumerate(opened.texts):
        assert row == [by_step[step].continuations[sample].text for step in steps]
    names = [label.whole_text() for label in opened.page._texts._names]
    assert [name.split(" · ")[:2] for name in names] == [
        [f"Sample {n}", "same noise in every column"] for n in (1, 2, 3)
    ]


def test_greedy_is_one_sample_and_says_so(opened):
    assert opened.page._samples.isEnabled() is False
    assert len(opened.texts) == 1
    assert GREEDY in opened.page._says.whole_text()
    opened.draw(2, temperature=0.5)
    assert opened.page._samples.isEnabled()


def test_the_tools_begin_with_the_settings_of_the_prompt(opened):
    kept = opened.workspace.settings
    made = Continuations(opened.workspace)
    assert made._new_tokens.value() == kept.new_tokens
    assert made._seed.text() == str(kept.sampling.seed)
    assert made._temperature.value() == kept.sampling.temperature
    made.deleteLater()


def test_another_seed_draws_other_texts_and_the_first_gives_the_first_again(opened):
    opened.draw(2)
    opened.come(3)
    first = opened.texts
    for seed in ("5", "0"):
        opened.page._seed.setText(seed)
        opened.page._seed.editingFinished.emit()
        QApplication.processEvents()
        opened.come(3)
        assert (opened.texts == first) == (seed == "0")


def test_no_text_stands_under_another_prompt(opened):
    opened.draw(1)
    opened.come(3)
    opened.workspace.write_prompt("The king")
    QApplication.processEvents()
    assert opened.page._pages.currentWidget() is opened.page._nothing
    opened.ask("The king")
    opened.come(3)
    assert {result.prompt.text for result in opened.results()} == {PROMPT, "The king"}
    steps = [pin.step for pin in opened.workspace.pins]
    latest = {
        r.checkpoint.step: r.continuations[0].text
        for r in opened.results()
        if r.prompt.text == "The king"
    }
    assert opened.texts == [[latest[step] for step in steps]]


def test_a_pin_adds_a_column_and_unpinning_takes_it_away(opened):
    opened.workspace.show_step(0)
    opened.workspace.pin()
    opened.come(4)
    assert opened.page._texts._heads[0]._step.text() == "step 0"
    QTest.mouseClick(opened.page._texts._heads[0]._unpin, LEFT)
    opened.come(3)
    assert 0 not in [pin.step for pin in opened.workspace.pins]


def test_models_are_asked_in_a_request_each(opened):
    first, other = opened.workspace.library.models()[:2]
    for entry, step in ((other, 1), (first, 2)):
        opened.workspace.show_model(entry.key)
        opened.workspace.show_step(step)
        opened.workspace.pin()
    requests = opened.page.plan().requests
    assert [{at.model for at in request.checkpoints} for request in requests] == [
        {other.name},
        {first.name},
    ]
    opened.come(len(opened.workspace.pins))
    assert all(all(row) for row in opened.texts)


def test_without_pins_it_says_how_to_pin(opened):
    for _ in opened.workspace.pins:
        opened.workspace.unpin(0)
    QApplication.processEvents()
    assert opened.page._message.text() == NO_PINS


def test_more_tokens_than_the_context_holds_are_refused_in_each_column(opened):
    opened.page._new_tokens.setValue(128)
    QApplication.processEvents()
    assert opened.page.plan().requests == ()
    cell = opened.page._texts.cells[0][0]
    assert "has room for 124 new tokens" in cell.text.message


def test_a_click_on_a_column_or_a_table_row_moves_the_timeline(opened):
    QTest.mouseClick(opened.page._texts._heads[1]._step, LEFT)
    assert opened.workspace.step == opened.workspace.pins[1].step
    assert [h._step.isChecked() for h in opened.page._texts._heads] == [False, True, False]
    opened.page.row_chosen(0)
    assert opened.workspace.step == opened.workspace.pins[0].step


def test_the_table_has_a_row_per_sample_and_step_with_the_measures(opened):
    opened.draw(2)
    opened.come(3)
    read = list(csv.DictReader(io.StringIO(opened.page.table().as_csv())))
    assert [(row["Step"], row["Sample"]) for row in read] == [
        (str(pin.step), str(sample)) for pin in opened.workspace.pins for sample in (1, 2)
    ]
    drawn = {r.checkpoint.step: r for r in opened.results() if len(r.continuations) == 2}
    for row in read:
        result = drawn[int(row["Step"])]
        one = result.continuations[int(row["Sample"]) - 1]
        bits = -sum(one.logprobs.tolist()) / len(one.logprobs) / math.log(2)
        assert float(row["Surprisal (bits/token)"]) == pytest.approx(bits)
        assert float(row["distinct-2"]) == measures_of(result.continuations).distinct[1]
        assert row["Text"] == one.text
        assert "float32" in row["Provenance"]


def test_over_training_each_step_has_the_measures_of_its_texts(opened):
    opened.draw(2)
    opened.come(3)
    opened.show("log", 20)
    shown = opened.page._plot.shown
    assert shown.steps[:4] == (0, 1, 2, 4)
    assert shown.steps[-1] == 143_000
    distinct, _, surprisal = shown.panels
    assert [line.name for line in distinct.lines] == ["distinct-1", "distinct-2", "distinct-3"]
    for result in opened.results():
        if len(result.continuations) == 2 and result.checkpoint.step in shown.steps:
            place = shown.steps.index(result.checkpoint.step)
            measured = measures_of(result.continuations)
            assert tuple(line.values[place] for line in distinct.lines) == measured.distinct
            assert surprisal.lines[0].values[place] == measured.surprisal
    # the untrained model spreads over about 500 words, the trained one knows how stories go
    assert surprisal.lines[0].values[0] > 8
    assert surprisal.lines[0].values[-1] < 4


def test_a_click_in_the_plot_moves_the_timeline(opened):
    opened.show("log", 20)
    opened.page._plot.step_requested.emit(512)
    assert opened.workspace.step == 512


def test_another_token_in_a_cell_grows_a_branch_and_all_columns_go_on_from_it(opened):
    cell = opened.page._texts.cells[0][2]
    taken = next(
        c for c in cell.text.tokens[1].choices if c.token_id != cell.text.tokens[1].token_id
    )
    root = opened.workspace.branching.current
    cell.choice_requested.emit(1, taken.token_id)
    branch = opened.workspace.branching.current
    first = cell.text.tokens[0].token_id
    assert branch.token_ids == (*root.token_ids, first, taken.token_id)
    assert branch.parent == root.number
    opened.come(3)
    assert {r.prompt.token_ids for r in opened.results()[-3:]} == {branch.token_ids}
    opened.page._tree.branch_chosen.emit(root)
    assert opened.workspace.asking(endings=False).token_ids == root.token_ids


def test_the_branches_can_be_folded_away(opened):
    assert opened.page._tree.isVisible()
    QTest.mouseClick(opened.page._branches, LEFT)
    assert not opened.page._tree.isVisible()


def test_the_words_that_all_columns_begin_with_are_said_once():
    one = text([" the", " cat", " sat"])
    other = text([" the", " ca", "r"])
    assert shared_start([one, other]) == "the"
    assert shared_start([one, one]) == "the cat sat"
    assert shared_start([one]) == ""
    assert shared_start([one, text([" a"])]) == ""
