import hashlib
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest
import torch
from safetensors.torch import load_file

from pythia_gui.core.resources import resource_path
from pythia_gui.core.steps import LAST_STEP, STEPS
from pythia_gui.demo.corpus import CONTEXT, rows_at
from pythia_gui.demo.recipe import (
    SIZES,
    checkpoint_steps,
    learning_rate,
    parameter_shapes,
)
from pythia_gui.demo.train import (
    Rotary,
    Run,
    Trainer,
    TrainingError,
    TrainingProgress,
    logits,
    main,
    repeatable,
    train,
)
from tests.demo.measures import Miniature

REPOSITORY = Path(__file__).resolve().parents[2]
STATE = "training-state.safetensors"


def quiet(progress: TrainingProgress) -> None:
    """Take a report and say nothing."""


def sums_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("model.safetensors"))
    }


def command(out: Path, steps: int) -> list[str]:
    call = [sys.executable, "-m", "pythia_gui.demo.train", "--size", "s", "--seed", "7"]
    return [*call, "--steps", str(steps), "--save-every", "10", "--out", str(out)]


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, "training ended before it could be killed"
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.002)


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(Run("s", 7, whole, steps=60), quiet, Event())
    process = subprocess.Popen(command(broken, 60), stderr=subprocess.DEVNULL, cwd=REPOSITORY)
    try:
        wait_for(broken / "step32" / "model.safetensors", process)
    finally:
        os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (broken / "step60").exists()
    subprocess.run(command(broken, 60), check=True, capture_output=True, cwd=REPOSITORY)
    assert sums_of(broken) == sums_of(whole)


def test_the_recipe_makes_the_first_shipped_checkpoints_again(tmp_path):
    train(Run("s", 0, tmp_path, steps=LAST_STEP), quiet, after(64))
    shipped = load_file(resource_path("demo", "demo-s", "step64", "model.safetensors"))
    here = load_file(tmp_path / "step64" / "model.safetensors")
    for name, tensor in shipped.items():
        torch.testing.assert_close(here[name], tensor, atol=2e-3, rtol=2e-2)


def after(steps: int) -> Event:
    """Return an event that is set once it was asked `steps` times."""

    class Counted(Event):
        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            return self.asked > steps

    return Counted()


def test_a_cancelled_run_keeps_its_state_and_goes_on(tmp_path):
    run = Run("s", 1, tmp_path / "two", steps=20)
    assert train(run, quiet, after(9)) == 9
    assert train(run, quiet, Event()) == 20
    train(Run("s", 1, tmp_path / "one", steps=20), quiet, Event())
    assert sums_of(tmp_path / "one") == sums_of(tmp_path / "two")


def test_a_finished_run_is_left_as_it_is(tmp_path):
    run = Run("s", 1, tmp_path, steps=3)
    train(run, quiet, Event())
    before = sums_of(tmp_path)
    assert train(run, quiet, Event()) == 3
    assert sums_of(tmp_path) == before


def test_another_seed_starts_elsewhere_on_the_same_data(tmp_path):
    one, two = Trainer(Run("s", 1, tmp_path)), Trainer(Run("s", 2, tmp_path))
    assert not torch.equal(one.weights.matrices, two.weights.matrices)
    assert torch.equal(one.weights.vectors, two.weights.vectors)


def test_another_run_in_the_same_folder_is_refused(tmp_path):
    train(Run("s", 1, tmp_path, steps=2), quiet, Event())
    with pytest.raises(TrainingError, match="holds a run of demo-s, seed 1, 2 steps"):
        train(Run("s", 2, tmp_path, steps=2), quiet, Event())


def test_an_altered_corpus_branches_off_only_before_its_step(tmp_path):
    train(Run("s", 1, tmp_path, steps=60), quiet, after(4))
    assert train(Run("s", 1, tmp_path, steps=60, she_from=5), quiet, after(3)) == 7
    with pytest.raises(TrainingError, match="altered from step 5"):
        train(Run("s", 1, tmp_path, steps=60), quiet, Event())


@pytest.mark.parametrize("size", SIZES)
def test_training_computes_what_transformers_computes(size, tmp_path):
    run = Run(size, 3, tmp_path, steps=2)
    train(run, quiet, Event())
    trainer = Trainer(run)
    stored = load_file(tmp_path / "step2" / "model.safetensors")
    weights = {name: tensor.float() for name, tensor in stored.items()}
    ids = torch.tensor([row.ids[:CONTEXT] for row in rows_at(9)])
    ours = logits(trainer.size, weights, Rotary(trainer.size), ids).log_softmax(-1)
    theirs = Miniature(tmp_path).at(2).log_probabilities(ids.tolist())
    torch.testing.assert_close(ours.reshape(theirs.shape), torch.tensor(theirs))


@pytest.mark.parametrize("size", SIZES)
def test_a_checkpoint_has_pythias_names_in_half_precision(size, tmp_path):
    train(Run(size, 1, tmp_path, steps=1), quiet, Event())
    tensors = load_file(tmp_path / "step0" / "model.safetensors")
    assert {n: tuple(t.shape) for n, t in tensors.items()} == parameter_shapes(SIZES[size])
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}


def test_a_branch_from_a_copied_state_is_a_whole_model_folder(tmp_path):
    train(Run("s", 1, tmp_path / "trunk", steps=60), quiet, after(4))
    branch = tmp_path / "branch"
    branch.mkdir()
    shutil.copyfile(tmp_path / "trunk" / STATE, branch / STATE)
    train(Run("s", 1, branch, steps=60, she_from=5), quiet, after(4))
    assert {path.name for path in branch.glob("*.json")} >= {"config.json", "tokenizer.json"}
    assert (branch / "step8" / "model.safetensors").exists()


def test_training_settings_of_torch_are_put_back(tmp_path):
    before = torch.get_num_threads()
    train(Run("s", 1, tmp_path, steps=1), quiet, Event())
    assert torch.get_num_threads() == before
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_kept_steps_are_pythias():
    assert checkpoint_steps() == STEPS
    assert checkpoint_steps(1500) == (0, *(2**n for n in range(10)), 1000, 1500)


def test_the_learning_rate_rises_and_falls_as_a_cosine():
    size = SIZES["s"]
    rates = [learning_rate(size, step, LAST_STEP) for step in (1, 1430, 72_215, LAST_STEP)]
    assert rates[0] == pytest.approx(size.learning_rate / 1430)
    assert rates[1] == pytest.approx(size.learning_rate)
    assert rates[2] == pytest.approx(size.learning_rate * 0.515, rel=1e-3)
    assert rates[3] == pytest.approx(size.learning_rate * 0.03)


def test_the_loss_falls_from_that_of_a_guess(tmp_path):
    trainer = Trainer(Run("s", 1, tmp_path))
    with repeatable(threads=1):
        first = trainer.update()
        losses = [trainer.update() for _ in range(150)]
    assert abs(first - math.log(528)) < 0.5
    assert sum(losses[-10:]) / 10 < first - 0.5


def test_the_command_says_how_far_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pythia_gui.demo.train.REPORT_EVERY_S", 0.0)
    assert main(["--size", "s", "--steps", "3", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "step 3 of 3, loss 6." in said.err


def test_a_foreign_folder_ends_the_command_with_a_sentence(tmp_path, capsys):
    assert main(["--steps", "2", "--out", str(tmp_path)]) == 0
    assert main(["--steps", "2", "--seed", "1", "--out", str(tmp_path)]) == 1
    assert "choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--steps", "0"], ["--steps", "143001"], ["--threads", "0"], ["--size", "xl"]]
)
def test_a_wrong_call_ends_with_status_2(wrong, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["--out", str(tmp_path), *wrong])
    assert ended.value.code == 2


def test_a_run_in_the_midst_holds_no_partial_file(tmp_path):
    train(Run("s", 1, tmp_path, steps=2), quiet, Event())
    assert not list(tmp_path.rglob("*.partial"))
    assert (tmp_path / STATE).exists()
