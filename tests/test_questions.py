"""`compare` and `learned` on the command line, as a person or a script calls them."""

import csv
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pythia_gui.cli import main
from pythia_gui.demo.schedule import ITEMS
from tests.checkpoints import make_checkpoints
from tests.small import make_small

TEXT = "The capital of Poland is Warsaw."
MEASURES = {
    *("prob_a", "prob_b", "rank_a", "rank_b", "prob_difference", "rank_difference"),
    *("clamped_rank_difference", "top10_overlap", "logprob_a", "logprob_b", "entropy_a"),
    *("entropy_b", "kl_a_b", "kl_b_a", "js"),
}
OFTEN = 20  # times as often: the corpus then leaves no doubt of the order


def call(*words: str, status: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "pythia_gui", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def refusal(capsys, *words: str) -> str:
    """Return the one sentence that a wrong call gets."""
    try:
        status = main(words)
    except SystemExit as end:
        status = int(str(end.code))
    assert status == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return str(err)


# ------------------------------------------------------------------------------------- compare


@pytest.fixture(scope="module")
def compared() -> Any:
    return call("compare", "--a", "demo-s@512", "--b", "demo-m@143000", "--text", TEXT)


def test_a_comparison_says_what_was_compared_and_where_from(compared):
    assert set(compared) == {
        *("schema", "version", "text", "token_ids", "a", "b", "tokens", "mean")
    }
    for side, model, step in (("a", "demo-s", 512), ("b", "demo-m", 143_000)):
        said = compared[side]
        assert (said["model"], said["step"]) == (model, step)
        assert re.fullmatch("[0-9a-f]{64}", said["weights_sha256"])
        assert (said["dtype"], said["error"]) == ("float32", None)
        assert said["device"]
        assert "commit" in said
    assert len(compared["tokens"]) == len(compared["token_ids"])
    assert compared["text"] == TEXT


def test_every_token_has_every_measure_but_the_first(compared):
    first, *rest = compared["tokens"]
    assert set(first) == {"id", "text", "top_a", "top_b", *MEASURES}
    assert {first[name] for name in MEASURES} == {None}
    for token in rest:
        assert all(math.isfinite(token[name]) for name in MEASURES)
        assert len(token["top_a"]) == len(token["top_b"]) == 10
    assert "".join(token["text"] for token in compared["tokens"]) == TEXT


def test_the_measures_follow_from_the_probabilities_ranks_and_lists(compared):
    for token in compared["tokens"][1:]:
        assert token["prob_a"] == pytest.approx(math.exp(token["logprob_a"]))
        assert token["prob_difference"] == pytest.approx(token["prob_b"] - token["prob_a"])
        assert token["rank_difference"] == token["rank_b"] - token["rank_a"]
        clamped = min(token["rank_b"], 50) - min(token["rank_a"], 50)
        assert token["clamped_rank_difference"] == clamped
        likely = [{entry["id"] for entry in token[side]} for side in ("top_a", "top_b")]
        assert token["top10_overlap"] == len(likely[0] & likely[1])
        assert 0 < token["js"] <= (token["kl_a_b"] + token["kl_b_a"]) / 4  # Lin 1991, theorem 1


def test_the_mean_is_over_every_token_but_the_first(compared):
    assert set(compared["mean"]) == MEASURES
    rest = compared["tokens"][1:]
    for name, mean in compared["mean"].items():
        assert mean == pytest.approx(sum(token[name] for token in rest) / len(rest))


def test_a_comparison_says_what_two_sweeps_say(compared):
    for side, model, step in (("a", "demo-s", "512"), ("b", "demo-m", "143000")):
        words = ("sweep", "--model", model, "--steps", step, "--prompt", TEXT, "--score")
        (result,) = call(*words)["results"]
        for token, scored in zip(compared["tokens"][1:], result["score"][1:], strict=True):
            assert token[f"logprob_{side}"] == scored["logprob"]
            assert token[f"rank_{side}"] == scored["rank"]
            assert token[f"entropy_{side}"] == scored["entropy"]
            assert token[f"top_{side}"] == scored["top"]
        assert compared[side]["weights_sha256"] == result["weights_sha256"]


def test_the_same_comparison_again_comes_from_the_store_and_is_equal(compared):
    words = ("compare", "--a", "demo-s@512", "--b", "demo-m@143000", "--text", TEXT)
    assert call(*words) == compared


def test_a_checkpoint_does_not_differ_from_itself():
    found = call("compare", "--a", "demo-s@512", "--b", "demo-s@512", "--text", TEXT)["mean"]
    names = {name for name in MEASURES if name.endswith("difference")} | {"kl_a_b", "kl_b_a", "js"}
    assert {found[name] for name in names} == {0}
    assert found["top10_overlap"] == 10


def test_two_folders_of_one_name_are_two_models(tmp_path, neox_tokenizer_file):
    for place, steps in (("one", (7,)), ("two", (7,))):
        make_checkpoints(tmp_path / place / "run", neox_tokenizer_file, steps=steps)
    changed = tmp_path / "two" / "run" / "step7"
    other = make_checkpoints(tmp_path / "other", neox_tokenizer_file, steps=(8,)) / "step8"
    (other / "model.safetensors").replace(changed / "model.safetensors")
    names = [f"{tmp_path / place / 'run'}@7" for place in ("one", "two")]
    found = call("compare", "--a", names[0], "--b", names[1], "--text", "Once upon a time")
    assert found["a"]["weights_sha256"] != found["b"]["weights_sha256"]
    assert found["mean"]["js"] > 0


def test_a_damaged_side_is_told_and_leaves_no_numbers(tmp_path, neox_tokenizer_file):
    root = make_checkpoints(tmp_path / "some", neox_tokenizer_file, steps=(0, 1))
    damaged = root / "step1" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    found = call(
        *("compare", "--a", f"{root}@0", "--b", f"{root}@1", "--text", "Once upon"), status=1
    )
    assert found["a"]["error"] is None
    assert "fetch it again" in found["b"]["error"]
    assert (found["tokens"], found["mean"]) == ([], None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--a", "demo-s"], r"--a demo-s is not MODEL@STEP"),
        (["--b", "@512"], r"--b @512 is not MODEL@STEP"),
        (["--b", "demo-s@latest"], r"is not MODEL@STEP"),
        (["--b", "demo-s@600"], r"nearest is step 512"),
        (["--a", "nobody@1"], r"no model called nobody"),
        (["--text", "The"], r"one token predicts nothing"),
        (["--text", ""], r"one token predicts nothing"),
        (["--text", "The " * 300], r"do not fit|tokens"),
        (["--device", "toaster"], r"'toaster' is not a device"),
        (["--dtype", "int8"], r"int8"),
        (["--out", "/"], r"it is a folder"),
    ],
)
def test_a_wrong_comparison_gets_one_sentence_and_exit_status_2(capsys, words, expected):
    usual = ["--a", "demo-s@512", "--b", "demo-s@1000", "--text", TEXT]
    assert re.search(expected, refusal(capsys, "compare", *usual, *words))


def test_a_comparison_without_its_sides_says_which_are_missing(capsys):
    assert "--b" in refusal(capsys, "compare", "--a", "demo-s@1", "--text", TEXT)


def test_different_tokenizers_are_refused(capsys, tmp_path):
    root = make_small(tmp_path / "model", steps=(0,))
    err = refusal(capsys, "compare", "--a", "demo-s@1", "--b", f"{root}@0", "--text", TEXT)
    assert "different tokenizers" in err


def test_a_comparison_goes_into_a_file(tmp_path, capsys):
    out = tmp_path / "compared.json"
    words = ["compare", "--a", "demo-s@512", "--b", "demo-s@1000", "--text", TEXT]
    assert main([*words, "--out", str(out)]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(out.read_text("utf-8"))["mean"]["js"] > 0


# ------------------------------------------------------------------------------------- learned


STEPS = "0,512,1000-20000:1000,143000"


@pytest.fixture(scope="module")
def facts(tmp_path_factory) -> Path:
    """A file of all capitals, the number of their mentions as the group."""
    file: Path = tmp_path_factory.mktemp("facts") / "facts.csv"
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("prompt", "target", "group"))
        for item in ITEMS:
            if item.kind == "fact":
                prompt, _, city = item.name.removesuffix(".").rpartition(" ")
                rows.writerow((prompt, f" {city}", item.times))
    return file


@pytest.fixture(scope="module")
def learned(facts) -> Any:
    return call("learned", "--model", "demo-s", "--steps", STEPS, "--prompts-file", str(facts))


def test_what_the_corpus_says_often_is_learned_before_what_it_says_rarely(learned):
    """The corpus says its capitals from 14,300 times down to 7, evenly over the training."""
    found = [(int(result["group"]), result["top1"]) for result in learned["results"]]
    assert len({times for times, _ in found}) == 8
    pairs = [(one, other) for one in found for other in found if one[0] >= OFTEN * other[0]]
    assert len(pairs) > 200
    for (_, often), (_, rarely) in pairs:
        latest = often[1] if often is not None else math.inf
        earliest = rarely[0] if rarely is not None else math.inf
        assert latest <= earliest


def test_what_the_corpus_says_a_thousand_times_is_learned_and_seven_times_never(learned):
    for result in learned["results"]:
        if int(result["group"]) >= 1000:
            assert result["stays"] is not None
        if int(result["group"]) <= 7:
            assert result["top10"] is None
            assert result["kind"] == "never"


def test_the_intervals_are_neighbours_among_the_measured_steps_and_follow_from_the_ranks(learned):
    for result in learned["results"]:
        steps, ranks = result["steps"], result["ranks"]
        assert steps == [0, 512, *range(1000, 20_001, 1000), 143_000]
        for name, limit in (("top10", 10), ("top1", 1)):
            place = next((n for n, rank in enumerate(ranks) if rank <= limit), None)
            before = steps[place - 1] if place else None
            assert result[name] == (None if place is None else [before, steps[place]])
        if result["stays"] is not None:
            start = steps.index(result["stays"][1])
            assert set(ranks[start:]) == {1}
            assert start == 0 or ranks[start - 1] > 1
        else:
            assert ranks[-1] > 1


def test_the_ranks_are_those_of_a_sweep(learned):
    result = learned["results"][12]
    words = ("--steps", STEPS, "--prompt", result["prompt"], "--target", result["target"])
    swept = call("sweep", *words)["results"]
    assert result["ranks"] == [one["targets"][0]["rank"] for one in swept]
    assert result["logprobs"] == [one["targets"][0]["logprob"] for one in swept]
    known = [(one["step"], one["weights_sha256"]) for one in swept]
    assert [(at["step"], at["weights_sha256"]) for at in learned["checkpoints"]] == known


def test_one_prompt_needs_no_file():
    words = ("--steps", "0,512,143000", "--prompt", "The capital of France is")
    (result,) = call("learned", *words, "--target", " Paris")["results"]
    assert result["line"] is None
    assert result["stays"] == [512, 143_000]
    assert result["kind"] == "learned"


@pytest.mark.parametrize("form", ["txt", "jsonl"])
def test_other_forms_of_a_file_say_the_same(tmp_path, form):
    file = tmp_path / f"prompts.{form}"
    prompt = "The capital of France is"
    line = {"txt": prompt, "jsonl": json.dumps({"prompt": prompt, "target": " Paris"})}[form]
    file.write_text(f"\n{line}\n")
    words = ("--steps", "0,143000", "--prompts-file", str(file), "--target", " Paris")
    (result,) = call("learned", *words)["results"]
    assert (result["prompt"], result["target"], result["line"]) == (prompt, " Paris", 2)
    assert result["top1"] == [0, 143_000]


def test_a_failed_checkpoint_is_a_gap_and_never_filled_in(tmp_path, neox_tokenizer_file):
    root = make_checkpoints(tmp_path / "some", neox_tokenizer_file, steps=(0, 1, 2))
    damaged = root / "step1" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    words = ("--model", str(root), "--steps", "all", "--prompt", "Once", "--target", " upon")
    (result,) = call("learned", *words, status=1)["results"]
    assert result["steps"] == [0, 2]
    assert [failed["step"] for failed in result["errors"]] == [1]


def test_where_nothing_was_measured_nothing_is_said(tmp_path, neox_tokenizer_file):
    root = make_checkpoints(tmp_path / "some", neox_tokenizer_file, steps=(1,))
    os.truncate(root / "step1" / "model.safetensors", 100)
    words = ("--model", str(root), "--steps", "all", "--prompt", "Once", "--target", " upon")
    (result,) = call("learned", *words, status=1)["results"]
    assert [result[name] for name in ("top10", "top1", "stays", "kind")] == [None] * 4
    assert result["steps"] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], r"no prompt.*--prompts-file"),
        (["--prompt", "Once"], r"there is no target"),
        (["--prompt", "Once", "--target", "x", "--steps", "600"], r"nearest is step 512"),
        (["--prompt", "Once", "--target", "x", "--model", "nobody"], r"no model called"),
        (["--prompt", "Once", "--target", "x", "--device", "toaster"], r"not a device"),
        (["--prompts-file", "/no/such/file.csv"], r"file.csv can't be read"),
        (["--prompts-file", "/no/such/file.docx"], r"neither .txt, .csv nor .jsonl"),
    ],
)
def test_a_wrong_question_gets_one_sentence_and_exit_status_2(capsys, words, expected):
    assert re.search(expected, refusal(capsys, "learned", *words))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("prompt,target\nOnce, upon\nTwice,", r"line 3: there is no target"),
        ("prompt,target\nOnce,\xff", r"line 2.*UTF-8"),
        ("text,target\nOnce, upon", r'no column is called "prompt"'),
        ("prompt,target\nOnce, upon\n" + "The " * 300 + ", end", r"line 3"),
    ],
)
def test_a_wrong_line_of_a_file_is_named(capsys, tmp_path, lines, expected):
    file = tmp_path / "prompts.csv"
    file.write_bytes(lines.encode("latin-1"))
    assert re.search(expected, refusal(capsys, "learned", "--prompts-file", str(file)))
