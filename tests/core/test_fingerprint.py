"""Which files are a checkpoint's weights, and one fingerprint for all of them."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from pythia_gui.core.fingerprint import (
    CheckpointError,
    combined_sha256,
    file_sha256,
    has_weights,
    identity_of,
    weight_files,
    weights_sha256,
)

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def write_index(folder: Path, content: object, name: str = "model.safetensors.index.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def sharded(folder: Path) -> Path:
    for number, name in enumerate(SHARDS):
        (folder / name).write_bytes(os.urandom(1 + 3_000_000 * number))
    write_index(folder, {"weight_map": {"a": SHARDS[1], "b": SHARDS[0], "c": SHARDS[1]}})
    return folder


def test_one_file_has_the_fingerprint_that_sha256sum_prints(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(os.urandom(2_500_000))
    printed = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True)
    assert weights_sha256(tmp_path) == printed.stdout.split()[0]


def test_shards_have_the_fingerprint_of_the_sorted_lines_of_sha256sum(tmp_path):
    sharded(tmp_path)
    command = "sha256sum model-*.safetensors | LC_ALL=C sort | sha256sum"
    printed = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert weights_sha256(tmp_path) == printed.stdout.split()[0]


def test_the_fingerprint_of_shards_does_not_depend_on_the_order_they_are_given_in():
    named = [("b", "1" * 64), ("a", "2" * 64)]
    assert combined_sha256(named) == combined_sha256(named[::-1])


def test_swapping_the_contents_of_two_shards_changes_the_fingerprint(tmp_path):
    before = weights_sha256(sharded(tmp_path))
    first, second = (tmp_path / name for name in SHARDS)
    spare = first.rename(tmp_path / "spare")
    second.rename(first)
    spare.rename(second)
    assert weights_sha256(tmp_path) != before


def test_the_fingerprint_is_taken_file_by_file_through_the_given_function(tmp_path):
    sharded(tmp_path)
    asked = []

    def take(file: Path) -> str:
        asked.append(file.name)
        return file_sha256(file)

    assert weights_sha256(tmp_path, take) == weights_sha256(tmp_path)
    assert asked == [*SHARDS]


def test_taking_a_fingerprint_can_be_stopped_between_blocks(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(bytes(3 << 20))

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        file_sha256(file, stop)


def test_safetensors_come_before_bin_and_one_file_before_shards(tmp_path):
    sharded(tmp_path)
    write_index(tmp_path, {"weight_map": {"a": "x.bin"}}, "pytorch_model.bin.index.json")
    (tmp_path / "x.bin").touch()
    (tmp_path / "pytorch_model.bin").touch()
    (tmp_path / "model.safetensors").touch()
    found = []
    for name in (
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    ):
        found.append([file.name for file in weight_files(tmp_path)])
        (tmp_path / name).unlink()
    assert found == [["model.safetensors"], [*SHARDS], ["pytorch_model.bin"], ["x.bin"]]
    assert not has_weights(tmp_path)


def test_a_folder_without_weights_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="has no weights"):
        weight_files(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../out.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", "", "x/", "../../x"],
)
def test_an_index_that_names_a_file_outside_its_folder_is_refused(tmp_path, name):
    (tmp_path / "out.safetensors").touch()
    folder = tmp_path / "step1"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "b.safetensors").touch()
    write_index(folder, {"weight_map": {"a": name}})
    with pytest.raises(CheckpointError, match=r"index\.json is damaged"):
        weight_files(folder)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"weight_map": {}}',
        '{"weight_map": []}',
        '{"weight_map": {"a": 1}}',
        '{"weight_map": {"a": null, "b": "x"}}',
        '{"weight_map": {"a": ["x"]}}',
        "[" * 100_000,
        '{"weight_map": {"a": ' + "9" * 5_000 + "}}",
    ],
)
def test_a_damaged_index_is_refused_in_a_sentence(tmp_path, content):
    write_index(tmp_path, content)
    with pytest.raises(CheckpointError, match="damaged; fetch it again"):
        weight_files(tmp_path)


def test_an_index_that_is_not_utf_8_is_refused_in_a_sentence(tmp_path):
    write_index(tmp_path, "").write_bytes('{"weight_map": {"a": "b"}}'.encode("utf-16"))
    with pytest.raises(CheckpointError, match="damaged"):
        weight_files(tmp_path)


def test_an_index_of_absurd_size_is_refused_without_reading_it(tmp_path):
    with write_index(tmp_path, "").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(CheckpointError, match="damaged"):
        weight_files(tmp_path)


@pytest.mark.parametrize("name", ["gone.safetensors", "a\0b", "x" * 300, "\ud800"])
def test_a_shard_that_is_not_there_is_named(tmp_path, name):
    write_index(tmp_path, {"weight_map": {"a": name}})
    with pytest.raises(CheckpointError, match="lacks") as caught:
        weight_files(tmp_path)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < len(str(tmp_path)) + 100


def test_the_identity_of_a_linked_file_is_that_of_what_it_leads_to(tmp_path):
    blob = tmp_path / "blob"
    blob.write_bytes(b"weights")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert identity_of(link) == identity_of(blob)
    assert file_sha256(link) == hashlib.sha256(b"weights").hexdigest()


def test_a_file_that_was_replaced_has_another_identity(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"first")
    before = identity_of(file)
    other = tmp_path / "other"
    other.write_bytes(b"other")
    os.utime(other, ns=(before.mtime_ns, before.mtime_ns))
    other.rename(file)
    assert identity_of(file) != before
