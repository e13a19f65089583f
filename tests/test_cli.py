"""The command line, as a person or a script calls it."""

import csv
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pythia_gui.cli import main
from pythia_gui.core import catalogue
from pythia_gui.core.resources import resource_path
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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--device", "toaster"], r"'toaster' is not a device"),
        (["--out", "/"], r"it is a folder"),
        (["--out", ""], r"it is a folder"),
        (["--out", "/no/such/folder/answer.json"], r"there is no folder /no/such/folder"),
    ],
)
def test_what_can_be_refused_is_refused_before_anything_is_computed(capsys, words, expected):
    err = refusal(capsys, "sweep", "--prompt", PROMPT, "--steps", "0", *words)
    assert re.search(expected, err)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["sweep", "--dtype", "int8"],
        ["sweep", "--seed", "x"],
        ["swep"],
        ["--nonsense"],
        ["render", "--out", "w.png", "--size", "99999x99999"],
        ["render", "--out", "w.png", "--size", "10x10"],
        ["render", "--out", "w.png", "--scale", "0"],
        ["render", "--out", "w.png", "--scale", "nan"],
        ["render", "--out", "w.png", "--step", "3"],
        ["render", "--out", "/"],
    ],
)
def test_every_wrong_call_is_told_in_one_line(capsys, words):
    try:
        status = main(words)
    except SystemExit as end:
        status = int(str(end.code))
    assert status == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_output_that_is_a_device_or_a_link_is_never_replaced(tmp_path):
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target.json"
    os.mkfifo(pipe)
    link.symlink_to(target)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        call("sweep", "--steps", "0", "--prompt", PROMPT, "--out", str(pipe))
        assert json.loads(reader.communicate(timeout=60)[0])["schema"] == 1
    call("sweep", "--steps", "0", "--prompt", PROMPT, "--out", str(link))
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert json.loads(target.read_text("utf-8"))["schema"] == 1


def test_a_reader_that_has_gone_and_a_full_disk_get_no_traceback():
    words = [sys.executable, "-m", "pythia_gui", "models", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(timeout=60) == 141
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "pythia-gui: standard output can't be used: No space left on device\n"


def test_standard_error_that_is_closed_leaves_the_document_whole():
    words = f"{sys.executable} -m pythia_gui sweep --steps 0 --prompt Tom --no-cache 2>&-"
    done = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["results"][0]["error"] is None


def copied_demo(root: Path, *steps: int) -> Path:
    """Copy checkpoints of the demo suite to `root`, config and tokenizer in each; return it."""
    demo = resource_path("demo") / "demo-s"
    for step in steps:
        shutil.copytree(demo / f"step{step}", root / f"step{step}")
        for name in ("config.json", "tokenizer.json"):
            shutil.copy(demo / name, root / f"step{step}")
    return root


def test_of_a_hub_model_only_the_cached_steps_are_there(tmp_path):
    home = tmp_path / "models--EleutherAI--pythia-70m"
    copied_demo(home / "snapshots", 512, 1000)
    (home / "refs").mkdir()
    for step, commit in ((512, "a" * 40), (1000, "b" * 40)):
        (home / "snapshots" / f"step{step}").rename(home / "snapshots" / commit)
        (home / "refs" / f"step{step}").write_text(commit)
    here = {**os.environ, "HF_HUB_CACHE": str(tmp_path)}
    words = ["sweep", "--model", "pythia-70m", "--prompt", PROMPT, "--no-cache", "--steps"]
    done = call(*words, "log", env=here)
    assert [result["step"] for result in json.loads(done.stdout)["results"]] == [512, 1000]
    assert "only the 2 of 154 checkpoints of pythia-70m" in done.stderr
    refused = call(*words, "4000", env=here)
    assert refused.returncode == 2
    assert "the nearest is step 1000" in refused.stderr


def test_a_damaged_config_fails_its_own_checkpoint_alone(tmp_path):
    folder = copied_demo(tmp_path / "three", 0, 1, 2)
    (folder / "step1" / "config.json").write_text("{")
    words = ["sweep", "--model", str(folder), "--steps", "all", "--prompt", PROMPT]
    done = call(*words)
    assert done.returncode == 1
    errors = [result["error"] for result in json.loads(done.stdout)["results"]]
    assert [error is None for error in errors] == [True, False, True]
    assert "config.json" in errors[1]
    assert json.loads(done.stdout)["results"][1]["dtype"] is None


def test_a_folder_whose_name_is_no_text_is_swept_and_stored(tmp_path):
    folder = copied_demo(tmp_path / "one", 0)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    folder.rename(odd)
    for _ in range(2):
        document = sweep("--model", str(odd), "--steps", "0", "--prompt", PROMPT)
        assert document["model"] == "\udcff\udcfe"


def test_another_programs_file_of_results_is_left_alone_and_the_answer_still_comes(tmp_path):
    place = tmp_path / "pythia-gui" / "results.sqlite"
    place.parent.mkdir()
    with closing(sqlite3.connect(place)) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.commit()
    here = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    done = call("sweep", "--steps", "0", "--prompt", PROMPT, env=here)
    assert done.returncode == 0
    assert "another program" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_place_for_results_that_is_no_folder_costs_only_the_store(tmp_path):
    (tmp_path / "file").touch()
    here = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "file")}
    done = call("sweep", "--steps", "0", "--prompt", PROMPT, env=here)
    assert done.returncode == 0
    assert re.fullmatch(r"pythia-gui: Results can't be kept on disk.*\n", done.stderr)


def test_what_a_prompt_loses_is_said(capsys):
    words = ["sweep", "--steps", "0", "--prompt", "Tom " * 300 + "\N{SNOWMAN}", "--cut-left"]
    assert main([*words, "--no-cache"]) == 0
    err = capsys.readouterr().err
    assert "were cut off on the left" in err
    assert "has no token for \N{SNOWMAN}" in err


def test_the_csv_has_every_token_of_a_continuation():
    words = ["--steps", "143000", "--prompt", PROMPT, "--max-new-tokens", "4"]
    written = sweep(*words)["results"][0]["continuations"][0]
    done = call("sweep", *words, "--format", "csv")
    rows = [
        r for r in csv.DictReader(io.StringIO(done.stdout)) if r["part"] == "continuation token"
    ]
    assert [int(row["token_id"]) for row in rows] == written["token_ids"]
    assert [float(row["logprob"]) for row in rows] == written["logprobs"]
