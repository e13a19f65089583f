"""Damaged, hostile and incomplete weights: one sentence each, nothing run, nothing guessed."""

import contextlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pythia_gui.core.events import Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.requests import Request
from pythia_gui.engine.files import BLOCK_BYTES, HEADER_LIMIT_BYTES, read_tensors
from pythia_gui.engine.local import LocalEngine
from pythia_gui.engine.skeleton import Skeleton
from pythia_gui.hub.config import read_config
from pythia_gui.hub.library import LocalLibrary
from tests.checkpoints import make_config, make_model
from tests.small import change_weights, make_small

REPOSITORY = Path(__file__).parents[2]


def go() -> None:
    """Keep going."""


def everything(_name: str) -> bool:
    return True


def read(file: Path) -> dict[str, torch.Tensor]:
    """Read every tensor of one file; the values are copied before the next is read."""
    return {name: value.clone() for name, value in read_tensors([file], everything, go)}


def packed(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a safetensors file of a header (bytes as they are) and data."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(start, end, shape=None, dtype="F32"):
    shape = [(end - start) // 4] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def refused(file: Path) -> str:
    """Read a file that must be refused; return the sentence."""
    with pytest.raises(CheckpointError) as caught:
        read(file)
    sentence = str(caught.value)
    assert str(file) in sentence
    assert sentence.isprintable()
    return sentence


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return make_small(tmp_path_factory.mktemp("original") / "model", steps=(1,))


@pytest.fixture
def good(tmp_path: Path, original: Path) -> Path:
    file = tmp_path / "model.safetensors"
    file.write_bytes((original / "step1" / "model.safetensors").read_bytes())
    return file


# ---------------------------------------------------------------------------- as the library reads


def test_every_tensor_equals_what_the_safetensors_library_reads(good):
    ours, theirs = read(good), load_file(good)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool]
)
def test_tensors_of_other_dtypes_shapes_and_no_elements_are_read_alike(tmp_path, dtype):
    tensors = {
        "matrix": torch.arange(6).reshape(2, 3).to(dtype),
        "number": torch.tensor(1).to(dtype),
        "empty": torch.zeros(0, 5).to(dtype),
    }
    save_file(tensors, tmp_path / "x.safetensors")
    found = read(tmp_path / "x.safetensors")
    assert all(torch.equal(found[name], value) for name, value in tensors.items())
    assert [found[name].dtype for name in tensors] == [dtype] * 3


def test_a_tensor_of_more_than_one_block_is_read_whole(tmp_path):
    large = torch.randn(BLOCK_BYTES // 4 + 5)
    save_file({"large": large}, tmp_path / "x.safetensors")
    calls = []
    ((_, value),) = (
        (name, value.clone())
        for name, value in read_tensors(
            [tmp_path / "x.safetensors"], everything, lambda: calls.append(1)
        )
    )
    assert torch.equal(value, large)
    assert len(calls) >= 2


def test_an_empty_tensor_between_others_is_no_hole(tmp_path):
    file = tmp_path / "x.safetensors"
    header = {"b": entry(0, 4), "a": entry(4, 4), "c": entry(4, 8), "d": entry(0, 0)}
    file.write_bytes(packed(header, bytes(8)))
    assert {*load_file(file)} == {*read(file)} == {"a", "b", "c", "d"}


# --------------------------------------------------------------------------------------- damage


def header_end(file: Path) -> int:
    return 8 + int.from_bytes(file.read_bytes()[:8], "little")


@pytest.mark.parametrize("place", ["0", "7", "8", "half of the header", "the header", "one short"])
def test_a_file_that_was_cut_short_is_refused(good, place):
    end = header_end(good)
    at = {
        "half of the header": end // 2,
        "the header": end,
        "one short": good.stat().st_size - 1,
    }
    os.truncate(good, at[place] if place in at else int(place))
    assert "damaged" in refused(good)


def test_a_file_with_a_byte_too_many_is_refused(good):
    with good.open("ab") as stream:
        stream.write(b"\0")
    assert "don't cover the file" in refused(good)


def test_a_file_of_zeros_is_refused(good):
    good.write_bytes(bytes(good.stat().st_size))
    assert "impossible length" in refused(good)


def test_every_flipped_byte_of_the_header_is_refused_or_changes_a_name(good):
    """No flip may crash, hang or read past the file."""
    whole = bytearray(good.read_bytes())
    names = {*load_file(good)}
    for place in range(0, header_end(good), 7):
        spoiled = bytearray(whole)
        spoiled[place] ^= 0x15
        good.write_bytes(spoiled)
        try:
            found = read(good)
        except CheckpointError:
            continue
        assert len(found) <= len(names) + 1


BAD_HEADERS = {
    "tensors that overlap": packed({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)),
    "the same bytes twice": packed({"a": entry(0, 8), "b": entry(0, 8)}, bytes(8)),
    "a hole": packed({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12)),
    "a hole at the start": packed({"a": entry(4, 8)}, bytes(8)),
    "an end before its start": packed({"a": entry(8, 4, [0])}, bytes(8)),
    "negative offsets": packed({"a": entry(-4, 0, [1])}, bytes(4)),
    "more than the file": packed({"a": entry(0, 1 << 40)}, bytes(8)),
    "an overflow of 64 bits": packed({"a": entry(0, 4, [2**32, 2**32 + 1])}, bytes(4)),
    "a product that overflows to fit": packed({"a": entry(0, 4, [2**63, 2, 1])}, bytes(4)),
    "a shape of millions of sizes": packed({"a": entry(0, 4, [10**9] * 1_000_000)}, bytes(4)),
    "a negative size": packed({"a": entry(0, 4, [-1, -1])}, bytes(4)),
    "a real size": packed({"a": entry(0, 4, [1.0])}, bytes(4)),
    "a size of truth": packed({"a": entry(0, 4, [True])}, bytes(4)),
    "a shape as text": packed({"a": entry(0, 4) | {"shape": "1"}}, bytes(4)),
    "a shape as an object": packed({"a": entry(0, 4) | {"shape": {}}}, bytes(4)),
    "an unknown dtype": packed({"a": entry(0, 4, dtype="F128")}, bytes(4)),
    "a dtype of another kind": packed({"a": entry(0, 4) | {"dtype": ["F32"]}}, bytes(4)),
    "three offsets": packed({"a": entry(0, 4) | {"data_offsets": [0, 4, 4]}}, bytes(4)),
    "no offsets": packed({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)),
    "a tensor that is a number": packed({"a": 7}, bytes(4)),
    "a list": packed([1, 2]),
    "null": packed(b"null"),
    "deep nesting": packed(b"[" * 1_000_000),
    "deep objects": packed(b'{"a":' * 200_000),
    "bad UTF-8": packed(b'{"\xff\xfe": 1}'),
    "a lone surrogate in UTF-8": packed(
        b'{"\xed\xa0\x80":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)
    ),
    "UTF-16": packed(json.dumps({"a": entry(0, 4)}).encode("utf-16"), bytes(4)),
    "a tensor named twice": packed(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        bytes(8),
    ),
    "a number of 5,000 digits": packed(
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', bytes(4)
    ),
    "a length of 2 to the 63": packed({}, length=2**63),
    "a length beyond the file": packed({}, length=100),
    "an empty header": packed(b""),
}


@pytest.mark.parametrize("fault", BAD_HEADERS)
def test_a_header_that_lies_is_refused_within_a_second(tmp_path, fault):
    file = tmp_path / "model.safetensors"
    file.write_bytes(BAD_HEADERS[fault])
    start = time.process_time()
    assert "damaged" in refused(file)
    assert time.process_time() - start < 1


def test_a_header_of_80_megabytes_is_refused_at_once_in_little_memory(tmp_path):
    """1.2 million empty tensors: parsing them would take 20 seconds and a gigabyte."""
    item = b'"tensor-%07d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    raw = b"{" + b",".join(item % number for number in range(1_200_000)) + b"}"
    assert len(raw) > 4 * HEADER_LIMIT_BYTES
    file = tmp_path / "model.safetensors"
    file.write_bytes(packed(raw))
    del raw
    script = """
        import resource, sys, time
        from pathlib import Path
        from pythia_gui.core.fingerprint import CheckpointError
        from pythia_gui.engine.files import read_tensors
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + (64 << 20),) * 2)
        start = time.process_time()
        try:
            list(read_tensors([Path(sys.argv[1])], lambda name: True, lambda: None))
        except CheckpointError as problem:
            assert "impossible length" in str(problem), problem
        else:
            raise SystemExit("it was read")
        assert time.process_time() - start < 2
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), file],
        cwd=REPOSITORY,
        check=True,
        timeout=100,
    )


def test_a_file_that_shrinks_while_it_is_read_gives_a_sentence(good):
    """With mmap this is SIGBUS: the process would be gone."""
    size = good.stat().st_size
    reads = iter(range(size))

    def shrink_at_the_third_read() -> None:
        if next(reads) == 2:
            os.truncate(good, header_end(good) + 100)

    with pytest.raises(CheckpointError, match="cut short while it was read"):
        list(read_tensors([good], everything, shrink_at_the_third_read))


def test_a_file_that_vanished_or_is_a_folder_fails_as_the_system_says(tmp_path):
    for file in (tmp_path / "gone.safetensors", tmp_path):
        with pytest.raises(OSError, match=r"No such file|directory"):
            read(file)


# ------------------------------------------------------------------------------ hostile pickles


class Payload:
    """Calls something when it is unpickled."""

    def __init__(self, call, *arguments) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


def torch_zip(file: Path, pickled: bytes) -> None:
    """Write pickled bytes in the envelope that torch.save writes, stored as they are."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


def payloads(mark: Path) -> dict[str, object]:
    command = f"touch {mark}"
    return {
        "os.system": Payload(os.system, command),
        "builtins.exec": Payload(exec, f"open({str(mark)!r}, 'w').close()"),
        "builtins.eval": Payload(eval, f"open({str(mark)!r}, 'w')"),
        "subprocess": Payload(subprocess.check_call, ["touch", str(mark)]),
        "open": Payload(open, str(mark), "w"),
        "inside a state": {"gpt_neox.embed_in.weight": Payload(os.system, command)},
        "beside tensors": {"a": torch.zeros(2), "b": Payload(os.system, command)},
        "torch.load of another": Payload(torch.load, str(mark.with_name("nested.bin"))),
        "torch.hub": Payload(torch.hub.load, str(mark.parent), "canary"),
    }


PAYLOADS = sorted(payloads(Path("mark")))


@pytest.mark.parametrize("form", ["raw", "zip", "torch.save", "legacy torch.save"])
@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_hostile_pickle_is_not_run_and_gives_one_sentence(tmp_path, name, form, protocol):
    mark = tmp_path / "mark"
    value = payloads(mark)[name]
    with (tmp_path / "nested.bin").open("wb") as stream:
        pickle.dump(Payload(os.system, f"touch {mark}"), stream)
    (tmp_path / "hubconf.py").write_text(f"open({str(mark)!r}, 'w').close()")
    file = tmp_path / "pytorch_model.bin"
    if form == "raw":
        file.write_bytes(pickle.dumps(value, protocol))
    elif form == "zip":
        torch_zip(file, pickle.dumps(value, protocol))
    else:
        zipped = form == "torch.save"
        torch.save(value, file, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    sentence = refused(file)
    assert "holds more than tensors" in sentence
    assert not mark.exists()


def test_a_zip_inside_a_zip_is_not_opened(tmp_path):
    mark = tmp_path / "mark"
    inner = tmp_path / "inner.bin"
    torch_zip(inner, pickle.dumps(Payload(os.system, f"touch {mark}")))
    file = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(inner, "archive/data.pkl")
        archive.write(inner, "archive/version")
    refused(file)
    assert not mark.exists()


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    """torch.save never compresses; what does may unpack to any size."""
    plain = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, plain)
    file = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(file, "w") as archive:
        for name in source.namelist():
            content = source.read(name) if "/data/" not in name else bytes(64 << 20)
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    assert file.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match="holds more than tensors") as caught:
        read(file)
    assert "compressed" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"PK\x03\x04",
        b"PK\x03\x04" + b"\0" * 100,
        b"\x80\x02",
        b"\x80\x02.",
        b"\x80\x02K\x01.",
        b"(lp0\n.",
        b"not a pickle",
        b"\x80\x02}q\x00(X\x01\x00\x00\x00aK\x01u.",
        b"\x80\x02X\xff\xff\xff\xffa.",
        b"\x80\x02h\x07.",
        b"\x80\x02R.",
        b"\x80\x02)R.",
        b"\x80\x02Q.",
        bytes(range(256)) * 16,
    ],
)
def test_what_is_no_checkpoint_at_all_gives_a_sentence(tmp_path, content):
    file = tmp_path / "pytorch_model.bin"
    file.write_bytes(content)
    refused(file)


def test_a_bin_file_cut_anywhere_gives_a_sentence(tmp_path):
    file = tmp_path / "pytorch_model.bin"
    torch.save({f"tensor{number}": torch.randn(3) for number in range(3)}, file)
    whole = file.read_bytes()
    for end in range(0, len(whole), 41):
        file.write_bytes(whole[:end])
        refused(file)


def test_a_legacy_bin_file_spoiled_anywhere_gives_a_sentence_or_tensors(tmp_path):
    file = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.randn(3)}, file, _use_new_zipfile_serialization=False)
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x2A]) + whole[place + 1 :])
        with contextlib.suppress(CheckpointError):
            read(file)


def test_reading_a_bin_file_can_be_stopped_between_tensors(tmp_path):
    file = tmp_path / "pytorch_model.bin"
    torch.save({name: torch.zeros(1) for name in "abcd"}, file)
    calls = iter(range(9))
    names: list[str] = []

    def stop_at_the_third() -> None:
        if next(calls) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        names.extend(name for name, _ in read_tensors([file], everything, stop_at_the_third))
    assert names == ["a", "b"]


# ------------------------------------------------------------------- what the architecture asks for


def small_skeleton(root: Path) -> Skeleton:
    library = LocalLibrary(None)
    at = library.checkpoint(library.add_folder(root).key, 1)
    return Skeleton(at.config, torch.float32, torch.device("cpu"))


def load_changed(original: Path, good: Path, change) -> str:
    """Load a checkpoint with changed tensors, which must be refused; return the sentence."""
    change_weights(good, change)
    skeleton = small_skeleton(original)
    with pytest.raises(CheckpointError) as caught:
        skeleton.load([good], "changed", go)
    assert skeleton.holds is None
    return str(caught.value)


QKV = "gpt_neox.layers.0.attention.query_key_value.weight"


@pytest.mark.parametrize(
    "name", ["embed_out.weight", "gpt_neox.embed_in.weight", "gpt_neox.final_layer_norm.bias", QKV]
)
def test_a_missing_tensor_is_refused_by_name(original, good, name):
    sentence = load_changed(original, good, lambda tensors: tensors.pop(name))
    assert f"lacks {name};" in sentence


def test_many_missing_tensors_are_counted(original, good):
    def keep_one(tensors):
        for name in [*tensors][1:]:
            del tensors[name]

    count = len(load_file(good)) - 1
    assert f"and {count - 3} more tensors" in load_changed(original, good, keep_one)


@pytest.mark.parametrize("shape", [(32, 96), (96, 31), (96, 32, 1), (96 * 32,), (0,)])
def test_a_misshapen_tensor_is_refused_by_name_and_shapes(original, good, shape):
    sentence = load_changed(
        original, good, lambda tensors: tensors.update({QKV: torch.zeros(shape)})
    )
    assert QKV in sentence
    assert " x ".join(map(str, shape)) in sentence
    assert "96 x 32 by its config.json" in sentence


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool])
def test_integers_in_place_of_weights_are_refused_by_name_and_kind(original, good, dtype):
    sentence = load_changed(
        original, good, lambda tensors: tensors.update({QKV: tensors[QKV].to(dtype)})
    )
    assert QKV in sentence
    assert str(dtype).removeprefix("torch.") in sentence


def test_a_tensor_that_the_config_rules_out_is_refused_by_name(original, good):
    extra = {"gpt_neox.layers.2.attention.dense.weight": torch.zeros(32, 32)}
    sentence = load_changed(original, good, lambda tensors: tensors.update(extra))
    assert "gpt_neox.layers.2.attention.dense.weight" in sentence


@pytest.mark.parametrize("name", ["\u202eevil", "a\nb\x1b[31m", "<b>x</b>" * 100, ""])
def test_an_odd_name_of_a_tensor_is_spelled_out_and_cut(original, good, name):
    sentence = load_changed(original, good, lambda tensors: tensors.update({name: torch.zeros(1)}))
    assert sentence.isprintable()
    assert len(sentence) < 300


def test_a_tensor_under_its_old_and_its_new_name_is_refused(original, good):
    def double(tensors):
        tensors["lm_head.weight"] = tensors["embed_out.weight"] + 1

    assert "twice" in load_changed(original, good, double)


def test_a_tensor_in_two_shards_is_refused(original, good):
    skeleton = small_skeleton(original)
    with pytest.raises(CheckpointError, match="twice"):
        skeleton.load([good, good], "doubled", go)


def test_masks_and_tables_of_older_files_are_passed_over(original, good):
    def add(tensors):
        tensors["gpt_neox.layers.0.attention.bias"] = torch.ones(1, 1, 96, 96, dtype=torch.bool)
        tensors["gpt_neox.layers.0.attention.masked_bias"] = torch.tensor(-1e9)
        tensors["gpt_neox.layers.1.attention.rotary_emb.inv_freq"] = torch.full((2,), float("nan"))

    plain, legacy = small_skeleton(original), small_skeleton(original)
    plain.load([good], "plain", go)
    change_weights(good, add)
    legacy.load([good], "legacy", go)
    ids = torch.tensor([[3, 4, 5]])
    with torch.inference_mode():
        assert torch.equal(plain.model(ids).logits, legacy.model(ids).logits)


def test_tied_embeddings_are_one_matrix_after_loading(tmp_path):
    config = make_config(vocab_size=272, tie_word_embeddings=True)
    model = make_model(config, seed=5).eval()
    config.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = {name: value.detach() for name, value in model.named_parameters()}
    shape, _, _ = read_config(tmp_path / "config.json")
    ids = torch.tensor([[3, 4, 5]])
    for name in (None, "embed_out.weight", "lm_head.weight"):  # as a file may have it
        written = (
            {**tensors, name: tensors["gpt_neox.embed_in.weight"].clone()} if name else tensors
        )
        save_file(written, file, metadata={"format": "pt"})
        skeleton = Skeleton(shape, torch.float32, torch.device("cpu"))
        skeleton.load([file], f"as {name}", go)
        with torch.inference_mode():
            assert torch.equal(skeleton.model(ids).logits, model(ids).logits)


def answered(root: Path) -> list[Result]:
    library = LocalLibrary(None)
    key = library.add_folder(root).key
    request = Request(
        "slot", (library.checkpoint(key, 1),), (library.encode(key, "Hi", [" a"]),), score=True
    )
    events = LocalEngine().run(request, threading.Event())
    return [event for event in events if isinstance(event, Result)]


@pytest.mark.parametrize("spoil", ["cut", "pickle", "missing", "gone"])
def test_the_engine_answers_a_damaged_checkpoint_with_one_sentence(tmp_path, original, spoil):
    root = tmp_path / "model"
    root.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (root / name).write_bytes((original / name).read_bytes())
    file = root / "step1" / "model.safetensors"
    file.parent.mkdir()
    file.write_bytes((original / "step1" / "model.safetensors").read_bytes())
    if spoil == "cut":
        os.truncate(file, 1000)
    elif spoil == "pickle":
        file.unlink()
        torch.save(
            Payload(os.system, f"touch {tmp_path / 'mark'}"), file.with_name("pytorch_model.bin")
        )
    elif spoil == "missing":
        change_weights(file, lambda tensors: tensors.pop(QKV))
    library = LocalLibrary(None)
    key = library.add_folder(root).key
    request = Request("slot", (library.checkpoint(key, 1),), (library.encode(key, "Hi"),))
    if spoil == "gone":
        file.unlink()
    results = [
        event
        for event in LocalEngine().run(request, threading.Event())
        if isinstance(event, Result)
    ]
    assert len(results) == 1
    assert results[0].error is not None
    assert results[0].error.isprintable()
    assert (results[0].score, results[0].next_token, results[0].texts) == (None, None, {})
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("where", ["gpt_neox.embed_in.weight", "gpt_neox.final_layer_norm.weight"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_give_an_error_and_no_number(tmp_path, where, value):
    root = make_small(tmp_path / "model", steps=(1,))
    file = root / "step1" / "model.safetensors"
    change_weights(file, lambda tensors: tensors[where].fill_(value))
    (result,) = answered(root)
    assert result.non_finite
    assert result.error == "step 1 of model gives NaN or infinite logits in float32"
    assert (result.score, result.next_token, result.targets) == (None, None, ())
