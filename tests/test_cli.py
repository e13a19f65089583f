"""The command line, as a person or a script calls it."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pythia_gui.cli import main
from pythia_gui.core import catalogue
from tests.checkpoints import make_checkpoints

RESULT_KEYS = {
    *("step", "tokens_seen", "revision", "commit", "weights_sha256", "dtype", "prompt"),
    *("token_ids", "padding_mass", "score", "next", "targets", "continuations", "error"),
}
DOCUMENT_KEYS = {"schema", "version", "model", "device", "dtype", "left_out", "results"}
PROMPT = "Once upon a time"


def call(*words: str, **kwargs) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pythia_gui", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
        **kwargs,
    )


def sweep(*words: str, status: int = 0) -> Any:
    done = call("sweep", *words)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def refusal(capsys, *words: str) -> str:
    """Return the one sentence that a wrong call gets."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return str(err)


@pytest.fixture(scope="module")
def document() -> Any:
    """A sweep with every part switched on."""
    return sweep(
        *(
            "--model",
            "demo-s",
            "--steps",
            "143000,0,512",
            "--prompt",
            PROMPT,
            "--prompt",
            "2 + 3 =",
        ),
        *("--target", " boy", "--target", " 5", "--score", "--top-k", "4", "--max-new-tokens", "5"),
        *("--samples", "2", "--temperature", "0.8", "--seed", "7"),
    )


def test_the_document_has_every_key_and_its_results_are_in_step_then_prompt_order(document):
    assert set(document) == DOCUMENT_KEYS
    assert (document["schema"], document["model"], document["dtype"]) == (1, "demo-s", "float32")
    asked = [(step, prompt) for step in (0, 512, 143_000) for prompt in (PROMPT, "2 + 3 =")]
    assert [(r["step"], r["prompt"]) for r in document["results"]] == asked
    assert all(set(result) == RESULT_KEYS for result in document["results"])


def test_the_parts_have_the_sizes_that_were_asked_for(document):
    for result in document["results"]:
        assert result["error"] is None
        assert len(result["score"]) == len(result["token_ids"])
        assert result["score"][0]["logprob"] is None
        assert result["score"][0]["rank"] is None
        assert all(len(token["top"]) == 4 for token in result["score"][1:])
        assert len(result["next"]) == 4
        assert [target["text"] for target in result["targets"]] == [" boy", " 5"]
        assert [text["sample"] for text in result["continuations"]] == [0, 1]
        for text in result["continuations"]:
            assert 1 <= len(text["token_ids"]) <= 5
            assert len(text["logprobs"]) == len(text["sampler_logprobs"]) == len(text["token_ids"])


def test_the_same_sweep_again_comes_from_the_store_and_is_equal(document):
    again = sweep(
        *(
            "--model",
            "demo-s",
            "--steps",
            "0,512,143000",
            "--prompt",
            PROMPT,
            "--prompt",
            "2 + 3 =",
        ),
        *("--target", " boy", "--target", " 5", "--score", "--top-k", "4", "--max-new-tokens", "5"),
        *("--samples", "2", "--temperature", "0.8", "--seed", "7"),
    )
    assert again == document


def test_what_was_not_asked_for_is_null_or_empty():
    result = sweep("--steps", "512", "--prompt", PROMPT, "--top-k", "0", "--no-cache")["results"][0]
    assert result["padding_mass"] is None
    assert [result[key] for key in ("score", "next", "targets", "continuations")] == [[]] * 4


def test_a_failed_checkpoint_is_told_and_the_others_are_still_written(
    tmp_path, neox_tokenizer_file
):
    root = make_checkpoints(tmp_path / "some", neox_tokenizer_file, steps=(0, 1, 2))
    damaged = root / "step1" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    found = sweep("--model", str(root), "--steps", "all", "--prompt", PROMPT, status=1)
    errors = {result["step"]: result["error"] for result in found["results"]}
    assert errors[0] is None
    assert errors[2] is None
    assert "fetch it again" in errors[1]


def test_the_csv_holds_the_same_numbers_as_the_json():
    words = ("sweep", "--steps", "0,512", "--prompt", PROMPT, "--target", " boy", "--top-k", "3")
    rows = list(csv.DictReader(io.StringIO(call(*words, "--format", "csv").stdout)))
    results = json.loads(call(*words).stdout)["results"]
    targets = [float(row["logprob"]) for row in rows if row["part"] == "target"]
    assert targets == [result["targets"][0]["logprob"] for result in results]
    assert sum(row["part"] == "next" for row in rows) == 6


def test_a_formula_in_a_prompt_is_no_formula_in_the_csv():
    done = call("sweep", "--steps", "0", "--prompt", "=1+1", "--top-k", "1", "--format", "csv")
    assert [row["prompt"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["'=1+1"]


def test_prompts_come_from_a_file_one_a_line(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_bytes("\ufeffOnce\r\n\r\nThe cow\n".encode())
    found = sweep("--steps", "0", "--prompts-file", str(file))
    assert [result["prompt"] for result in found["results"]] == ["Once", "The cow"]


def test_an_output_file_is_written_whole_and_nothing_else_is_left(tmp_path):
    out = tmp_path / "results.json"
    assert call("sweep", "--steps", "0", "--prompt", PROMPT, "--out", str(out)).returncode == 0
    assert json.loads(out.read_text("utf-8"))["results"]
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_an_empty_prompt_starts_from_an_explicit_end_of_text():
    result = sweep("--steps", "0", "--prompt", "", "--score")["results"][0]
    assert result["token_ids"] == [0]
    assert result["score"][0]["text"] == "<|endoftext|>"


def test_known_bad_steps_are_left_out_with_their_reason_unless_asked_for(
    tmp_path, neox_tokenizer_file
):
    root = make_checkpoints(
        tmp_path / "pythia-12b", neox_tokenizer_file, steps=(49_000, 50_000, 51_000)
    )
    words = ("--model", str(root), "--prompt", PROMPT, "--steps")
    ordinary = sweep(*words, "all")
    assert [result["step"] for result in ordinary["results"]] == [49_000, 51_000]
    assert [left["step"] for left in ordinary["left_out"]] == [50_000]
    assert ordinary["left_out"][0]["reason"]
    asked = sweep(*words, "all", "--include-known-bad")
    assert [result["step"] for result in asked["results"]] == [49_000, 50_000, 51_000]
    assert [result["step"] for result in sweep(*words, "50000")["results"]] == [50_000]


def test_an_interrupted_sweep_ends_with_130_and_leaves_no_process(tmp_path):
    out = tmp_path / "never.json"
    words = [sys.executable, "-m", "pythia_gui", "sweep", "--steps", "all", "--prompt", PROMPT]
    words += ["--max-new-tokens", "100", "--no-cache", "--out", str(out)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        while not children.read_text():
            assert running.poll() is None
        born = [int(pid) for pid in children.read_text().split()]
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=60) == 130
    assert not out.exists()
    assert not [pid for pid in born if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--steps", "600"], r"nearest is step 512"),
        (["--steps", "ten"], r"ten"),
        (["--model", "pythia-9000"], r"no model called pythia-9000"),
        (["--model", "/no/such/folder"], r"is not a folder"),
        (["--model", "pythia-70m"], r"no checkpoint of pythia-70m is on this machine"),
        (["--model", "someone/something"], r"no step of someone/something is in the local Hub"),
        (["--model", "../../etc"], r"has no checkpoints|is not a folder"),
        (["--temperature", "-1"], r"temperature"),
        (["--temperature", "nan"], r"temperature"),
        (["--top-p", "0"], r"top-p"),
        (["--min-p", "2"], r"min-p"),
        (["--seed", "-1"], r"seed"),
        (["--top-k", "-1"], r"alternatives"),
        (["--max-new-tokens", "-1"], r"new token"),
        (["--max-new-tokens", "5", "--samples", "0"], r"samples"),
        (["--max-new-tokens", "100000"], r"do not fit"),
        (["--target", ""], r"target must not be empty"),
        (["--prompt", "\udce9"], r"lone surrogate"),
        (["--prompts-file", "/no/such/file"], r"can't be read"),
    ],
)
def test_a_wrong_call_gets_one_sentence_and_exit_status_2(capsys, words, expected):
    prompt = [] if "--prompt" in words else ["--prompt", PROMPT]
    err = refusal(capsys, "sweep", *prompt, "--steps", "0", *words)
    assert re.search(expected, err)
    assert err.count("\n") == 1


def test_a_sweep_without_a_prompt_says_how_to_give_one(capsys):
    assert "--prompt" in refusal(capsys, "sweep", "--steps", "0")


def test_a_prompts_file_that_is_no_text_is_refused_by_line(capsys, tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_bytes(b"fine\n\xff\xfe\n")
    assert "line 2" in refusal(capsys, "sweep", "--prompts-file", str(file))


def test_a_device_that_is_not_there_is_told_in_a_sentence():
    done = call("sweep", "--steps", "0", "--prompt", PROMPT, "--device", "cuda:31", "--no-cache")
    assert done.returncode == 1
    assert "cuda:31 is not there" in json.loads(done.stdout)["results"][0]["error"]


def test_an_old_name_finds_its_model_and_says_the_current_one(capsys):
    err = refusal(capsys, "sweep", "--model", "pythia-125m", "--prompt", PROMPT, "--steps", "0")
    assert "pythia-160m" in err


def test_models_as_json_is_a_list_with_the_catalogue(capsys):
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [model["name"] for model in listed] == [model.name for model in catalogue.MODELS]
    wanted = {
        *("name", "repo", "total_parameters", "non_embedding_parameters", "layers", "dim"),
        *("heads", "vocab_rows", "learning_rate", "training_dtype", "steps"),
    }
    assert all(wanted <= set(model) for model in listed)


def test_doctor_names_versions_device_and_places(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("torch", "PySide6", "device", "Hub cache", "results"))
