"""Models found by name, repository or folder, and prompts that fit them."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pythia_gui.core import catalogue
from pythia_gui.core.defects import known_bad
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import PromptError
from pythia_gui.core.steps import LAST_STEP, TOKENS_PER_STEP
from pythia_gui.hub.library import LocalLibrary
from tests.checkpoints import make_checkpoints
from tests.small import CONTEXT, ROWS, make_small

COMMITS = ("a" * 40, "b" * 40)


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return make_small(tmp_path_factory.mktemp("small") / "my-run", steps=(0, 512))


@pytest.fixture
def folder(original, tmp_path) -> Path:
    """A folder of small checkpoints that a test may spoil."""
    return Path(shutil.copytree(original, tmp_path / "my-run"))


@pytest.fixture
def library(tmp_path) -> LocalLibrary:
    return LocalLibrary(None, tmp_path / "cache")


@pytest.fixture(scope="module")
def wide(tmp_path_factory, neox_tokenizer_file) -> tuple[LocalLibrary, str]:
    """A library with a model of Pythia's own tokenizer and context, and the model's key."""
    root = tmp_path_factory.mktemp("wide") / "wide"
    make_checkpoints(root, neox_tokenizer_file, steps=(1,))
    library = LocalLibrary(None, root.parent / "cache")
    return library, library.add_folder(root).key


def in_cache(cache: Path, repo: str, original: Path, revisions: dict[str, str]) -> Path:
    """Put a small checkpoint into a Hub cache under each revision."""
    home = cache / f"models--{repo.replace('/', '--')}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    for revision, commit in revisions.items():
        (home / "refs" / revision).write_text(commit)
        snapshot = home / "snapshots" / commit
        shutil.copytree(original / "step512", snapshot)
        for name in ("config.json", "tokenizer.json"):
            shutil.copyfile(original / name, snapshot / name)
    return home


# -------------------------------------------------------------------------------------- finding


@pytest.mark.parametrize("name", ["pythia-70m", "EleutherAI/pythia-70m"])
def test_a_model_is_found_with_and_without_its_owner(library, name):
    entry, notice = library.find(name)
    assert (entry.key, entry.repo, notice) == ("pythia-70m", "EleutherAI/pythia-70m", "")


def test_a_model_is_found_by_its_name_before_2023_with_a_notice_of_the_current_one(library):
    entry, notice = library.find("pythia-1.3b")
    assert entry.key == "pythia-1.4b"
    assert "pythia-1.4b" in notice
    assert "pythia-1.3b" in entry.old_names


def test_every_model_of_the_catalogue_is_there_and_can_be_found(library):
    keys = [entry.key for entry in library.models()]
    assert keys == [model.name for model in catalogue.MODELS]
    assert [library.find(key)[0].key for key in keys] == keys


def test_the_catalogue_is_listed_without_reading_a_file_in_half_a_second(tmp_path):
    start = time.process_time()
    LocalLibrary(None, tmp_path).models()
    assert time.process_time() - start < 0.5


def test_a_folder_is_found_by_its_path_and_is_one_model_however_often(library, folder):
    entry, notice = library.find(str(folder))
    assert (entry.name, entry.source, entry.steps, notice) == ("my-run", "folder", (0, 512), "")
    assert library.find(str(folder))[0] == entry
    assert library.find(entry.key)[0] == entry
    assert [known.key for known in library.models()].count(entry.key) == 1


@pytest.mark.parametrize("name", ["my-run", "./my-run", "../{parent}/my-run", "my-run/"])
def test_a_folder_is_found_by_a_relative_path(library, folder, monkeypatch, name):
    monkeypatch.chdir(folder.parent)
    entry, _ = library.find(name.format(parent=folder.parent.name))
    assert entry.steps == (0, 512)


def test_a_folder_named_like_a_repository_is_found_when_no_such_repository_is_here(
    library, folder, monkeypatch
):
    monkeypatch.chdir(folder.parent.parent)
    name = f"{folder.parent.name}/my-run"
    assert library.find(name)[0].source == "folder"


def test_a_model_of_the_catalogue_goes_before_a_folder_of_its_name(
    library, folder, monkeypatch, tmp_path
):
    folder.rename(tmp_path / "pythia-70m")
    monkeypatch.chdir(tmp_path)
    assert library.find("pythia-70m")[0].source == "hub"
    assert library.find("./pythia-70m")[0].source == "folder"


def test_a_checkpoint_alone_is_named_by_the_folder_that_holds_it(library, folder):
    entry = library.add_folder(folder / "step512")
    assert (entry.name, entry.steps) == ("my-run", (512,))


def test_a_folder_named_like_a_pythia_model_knows_its_tokens_and_its_defects(
    library, folder, tmp_path
):
    folder.rename(tmp_path / "pythia-2.8b")
    entry = library.add_folder(tmp_path / "pythia-2.8b")
    assert entry.known_bad == known_bad("pythia-2.8b") != {}
    assert library.checkpoint(entry.key, 512).tokens_seen == 512 * TOKENS_PER_STEP


def test_a_folder_of_another_name_does_not_pretend_to_know_its_tokens(library, folder):
    entry = library.add_folder(folder)
    assert entry.batch_tokens is None
    assert library.checkpoint(entry.key, 512).tokens_seen is None


@pytest.mark.parametrize(
    "name",
    [
        "no-such-model",
        "",
        " ",
        "/no/such/folder",
        "~no-such-user/x",
        "../../../etc",
        "/" + "x" * 300,
        "/a\0b",
        "a\0b",
        "\ud800",
        "/\ud800",
        "x" * 10_000,
        "owner/no-such-repo",
        "EleutherAI/no-such-repo",
        "owner/..",
        "a/b/c",
        "..",
        "C:\\models",
        "<b>bold</b>",
        "\u202eevil\n",
    ],
)
def test_a_name_that_nothing_has_is_refused_in_a_short_sentence(library, name):
    with pytest.raises(CheckpointError) as caught:
        library.find(name)
    sentence = str(caught.value)
    assert len(sentence) < 700
    assert sentence.isprintable()


def test_a_folder_that_is_no_checkpoint_is_refused_and_not_listed(library, tmp_path):
    before = library.models()
    with pytest.raises(CheckpointError, match="has no checkpoints"):
        library.add_folder(tmp_path)
    assert library.models() == before


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_refused_by_the_files_name(library, folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=rf"lacks {name}"):
        library.add_folder(folder)


def test_a_folder_of_another_kind_of_model_is_refused(library, folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))
    with pytest.raises(CheckpointError, match="only GPT-NeoX"):
        library.add_folder(folder)


def test_a_damaged_tokenizer_is_refused_when_the_folder_is_added(library, folder):
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not a usable"):
        library.add_folder(folder)


def test_code_that_comes_with_a_checkpoint_is_never_imported(tmp_path, original):
    """auto_map names a module that lies in the folder and would leave a mark."""
    folder = Path(shutil.copytree(original, tmp_path / "run"))
    mark = tmp_path / "mark"
    canary = f"from pathlib import Path; Path({str(mark)!r}).touch()\nclass Model: pass\n"
    for place in (folder, folder / "step512"):
        for name in ("canary.py", "modeling_gpt_neox.py", "torch.py", "transformers.py"):
            (place / name).write_text(canary)
    config = json.loads((folder / "config.json").read_text())
    config |= {"auto_map": {"AutoModelForCausalLM": "canary.Model"}, "trust_remote_code": True}
    config |= {"architectures": ["canary.Model"]}
    (folder / "config.json").write_text(json.dumps(config))
    script = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from pythia_gui.core.events import Result\n"
        "from pythia_gui.core.requests import Request\n"
        "from pythia_gui.engine.local import LocalEngine\n"
        "from pythia_gui.hub.library import LocalLibrary\n"
        "library = LocalLibrary(None)\n"
        "key = library.add_folder(Path(sys.argv[1])).key\n"
        "asked = Request('s', (library.checkpoint(key, 512),), (library.encode(key, 'a'),))\n"
        "events = [*LocalEngine().run(asked, threading.Event())]\n"
        "assert [e.error for e in events if isinstance(e, Result)] == [None], events\n"
        "assert 'canary' not in sys.modules\n"
    )
    repository = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-P", "-c", script, folder],
        cwd=folder,
        env={"PYTHONPATH": str(repository), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=True,
        timeout=100,
    )
    assert not mark.exists()


# -------------------------------------------------------------------------------- the Hub's cache


def test_a_model_of_the_catalogue_whose_steps_are_cached_says_so(tmp_path, original):
    revisions = dict(zip(("step512", "main"), COMMITS, strict=True))
    in_cache(tmp_path, "EleutherAI/pythia-70m", original, revisions)
    library = LocalLibrary(None, tmp_path)
    entry, _ = library.find("pythia-70m")
    assert entry.here == {512, LAST_STEP}
    found = library.checkpoint(entry.key, 512)
    assert (found.revision, found.commit) == ("step512", COMMITS[0])
    assert found.tokens_seen == 512 * TOKENS_PER_STEP
    last = library.checkpoint(entry.key, LAST_STEP)
    assert (last.revision, last.commit) == ("main", COMMITS[1])
    assert library.checkpoint(entry.key, 1000).folder is None


def test_a_model_of_which_nothing_is_here_is_refused_with_the_way_out(library):
    for ask in (
        lambda: library.checkpoint("pythia-70m", 512),
        lambda: library.encode("pythia-70m", "Hello"),
        lambda: library.token_texts("pythia-70m", (1, 2)),
    ):
        with pytest.raises(CheckpointError, match=r"no checkpoint of pythia-70m .* add a folder"):
            ask()


def test_a_step_that_a_model_never_had_is_refused(library, folder):
    entry = library.add_folder(folder)
    with pytest.raises(CheckpointError, match="my-run has no step 7"):
        library.checkpoint(entry.key, 7)
    with pytest.raises(CheckpointError, match="is not a model of the picker"):
        library.checkpoint("nothing", 7)


def test_a_repository_is_found_in_the_cache_and_one_that_is_not_there_is_refused(
    tmp_path, original
):
    in_cache(tmp_path, "someone/a-model", original, {"step512": COMMITS[0]})
    library = LocalLibrary(None, tmp_path)
    entry, _ = library.find("someone/a-model")
    assert (entry.key, entry.source, entry.repo) == ("someone/a-model", "hub", "someone/a-model")
    assert library.checkpoint(entry.key, 512).commit == COMMITS[0]
    with pytest.raises(CheckpointError, match="no step of someone/else is in the local Hub cache"):
        library.find("someone/else")


def test_a_repository_of_eleutherai_outside_the_catalogue_is_found_in_the_cache(tmp_path, original):
    repo = "EleutherAI/pythia-160m-something-new"
    in_cache(tmp_path, repo, original, {"step512": COMMITS[0]})
    assert LocalLibrary(None, tmp_path).find(repo)[0].repo == repo


def test_someone_elses_repository_of_a_pythia_name_is_not_taken_for_pythia(tmp_path, original):
    in_cache(tmp_path, "someone/pythia-2.8b", original, {"step512": COMMITS[0]})
    entry, _ = LocalLibrary(None, tmp_path).find("someone/pythia-2.8b")
    assert entry.repo == "someone/pythia-2.8b"
    assert not entry.known_bad


@pytest.mark.parametrize(
    "name", ["a/b/c", "../x", "/etc/passwd", "a", "", "a/", "/b", "a b/c", "a/b\n", "a/" + "x" * 97]
)
def test_what_is_no_repositorys_name_is_refused(library, name):
    with pytest.raises(CheckpointError, match="not a Hub repository's name"):
        library.add_repo(name)


def test_the_demo_suite_comes_first_and_damaged_parts_of_it_are_passed_over(tmp_path, original):
    demo = tmp_path / "demo"
    shutil.copytree(original, demo / "demo-s")
    (demo / "demo-x.sha256").touch()
    (demo / "demo-empty").mkdir()
    shutil.copytree(original, demo / "demo-damaged")
    (demo / "demo-damaged" / "config.json").write_text("{")
    library = LocalLibrary(demo, tmp_path / "cache")
    assert [entry.key for entry in library.models()][:2] == ["demo-s", catalogue.MODELS[0].name]
    assert library.find("demo-s")[0].source == "demo"


# -------------------------------------------------------------------------------------- prompts


def words(count: int) -> str:
    """Return a text of exactly `count` tokens of Pythia's tokenizer."""
    return "the" + " the" * (count - 1)


@pytest.mark.parametrize("count", [1, 2047, 2048])
def test_a_prompt_up_to_the_context_is_taken_whole(wide, count):
    library, key = wide
    prompt = library.encode(key, words(count))
    assert (len(prompt.token_ids), prompt.cut, prompt.from_start) == (count, 0, False)


@pytest.mark.parametrize("count", [2049, 3000])
def test_a_prompt_beyond_the_context_is_refused_with_the_count(wide, count):
    library, key = wide
    with pytest.raises(PromptError, match=rf"^{count:,} tokens .* the 2,048 of wide"):
        library.encode(key, words(count))


@pytest.mark.parametrize(("count", "new", "fits"), [(2047, 1, True), (2048, 1, False)])
def test_prompt_and_new_tokens_share_the_context(wide, count, new, fits):
    library, key = wide
    if fits:
        assert len(library.encode(key, words(count), new_tokens=new).token_ids) == count
        return
    with pytest.raises(PromptError, match="and 1 new"):
        library.encode(key, words(count), new_tokens=new)


@pytest.mark.parametrize("new", [0, 1, 100, 2047])
def test_a_prompt_that_is_cut_keeps_its_right_end(wide, new):
    library, key = wide
    text = "start " + words(3000) + " end"
    whole = library.encode(key, text, new_tokens=0, cut_left=True)
    cut = library.encode(key, text, new_tokens=new, cut_left=True)
    assert len(cut.token_ids) == 2048 - new
    assert cut.cut == 3002 - (2048 - new)
    assert cut.token_ids == whole.token_ids[-len(cut.token_ids) :]
    assert cut.text == text


def test_a_prompt_that_fits_is_not_cut(wide):
    library, key = wide
    assert library.encode(key, words(2048), cut_left=True).cut == 0


@pytest.mark.parametrize("new", [2048, 5000])
def test_more_new_tokens_than_the_context_holds_are_refused_even_where_it_may_be_cut(wide, new):
    library, key = wide
    with pytest.raises(PromptError, match="ask for fewer"):
        library.encode(key, "Hello", new_tokens=new, cut_left=True)


def test_targets_count_and_their_contexts_are_cut_with_the_prompt(wide):
    library, key = wide
    text = words(2048)
    with pytest.raises(PromptError, match="2,048 tokens of prompt"):
        library.encode(key, text, [" a", " one two three"])
    prompt = library.encode(key, text, [" a", " one two three"], cut_left=True)
    assert len(prompt.token_ids) == 2045
    assert prompt.cut == 3
    for target in prompt.targets:
        assert target.context_ids == prompt.token_ids
        assert len(target.context_ids) + len(target.token_ids) <= 2048


@pytest.mark.parametrize("new", [0, 500])
@pytest.mark.parametrize(("count", "spaces"), [(1500, 1), (1500, 7_000), (1, 15_000), (3, 15_000)])
def test_a_prompt_that_ends_in_spaces_leaves_its_target_a_context_that_fits(
    wide, count, spaces, new
):
    library, key = wide
    bare = library.encode(key, words(count)).token_ids
    prompt = library.encode(key, words(count) + "\n" * spaces, ["x"], new_tokens=new, cut_left=True)
    (target,) = prompt.targets
    assert 1 <= len(prompt.token_ids) <= 2048 - new
    assert target.context_ids == bare[-len(target.context_ids) :] != ()
    assert len(target.context_ids) + len(target.token_ids) <= 2048


def test_a_target_that_no_cut_makes_room_for_is_refused(wide):
    library, key = wide
    with pytest.raises(PromptError, match="a target of 2,048 tokens"):
        library.encode(key, "The", [" the" * 2048], cut_left=True)
    assert library.encode(key, "The", [" the" * 2047], cut_left=True).cut == 0


def test_spaces_that_a_target_takes_over_do_not_count_twice(wide):
    library, key = wide
    prompt = library.encode(key, "the" + "\n" * 10_000, ["x"])
    assert prompt.cut == 0
    assert len(prompt.token_ids) > 1024
    assert len(prompt.targets[0].token_ids) > 1024


def test_the_empty_prompt_starts_from_an_explicit_end_of_text(wide):
    library, key = wide
    prompt = library.encode(key, "", [" a"])
    assert (prompt.text, prompt.token_ids, prompt.from_start) == ("", (0,), True)
    assert prompt.targets[0].context_ids == (0,)


def test_a_prompt_that_a_tokenizer_makes_nothing_of_starts_like_the_empty_one(library, folder):
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    content["normalizer"] = {"type": "Strip", "strip_left": True, "strip_right": True}
    file.write_text(json.dumps(content))
    prompt = library.encode(library.add_folder(folder).key, "  ")
    assert (prompt.text, prompt.token_ids, prompt.from_start) == ("  ", (0,), True)


def test_special_tokens_are_plain_text_unless_switched_on(wide):
    library, key = wide
    assert 0 not in library.encode(key, "<|endoftext|>").token_ids
    assert library.encode(key, "<|endoftext|>", special_tokens=True).token_ids == (0,)


def test_half_a_character_in_prompt_or_target_is_refused(wide):
    library, key = wide
    for text, targets in (("\ud800", []), ("a", ["\udfff"])):
        with pytest.raises(PromptError, match="lone surrogate"):
            library.encode(key, text, targets)


def test_a_prompt_of_token_ids_has_exactly_these(wide):
    library, key = wide
    ids = library.encode(key, "The 🤗 end").token_ids
    assert library.prompt_of_ids(key, ids).token_ids == ids
    assert library.prompt_of_ids(key, ids).text == "The 🤗 end"
    assert library.prompt_of_ids(key, list(ids)[:3]).token_ids == ids[:3]


def test_a_prompt_of_no_token_ids_is_the_empty_prompt(wide):
    library, key = wide
    assert library.prompt_of_ids(key, ()) == library.encode(key, "")


def test_the_texts_of_tokens_join_to_the_text(wide):
    library, key = wide
    text = "The 🤗 end\u200b"
    ids = library.encode(key, text).token_ids
    assert "".join(library.token_texts(key, ids)) == text
    assert library.unknown_characters(key, text) == ""


def test_a_million_characters_are_encoded_and_refused_within_three_seconds(wide):
    library, key = wide
    start = time.process_time()
    with pytest.raises(PromptError, match="tokens of prompt"):
        library.encode(key, "lorem ipsum " * 83_334, [" x"])
    assert time.process_time() - start < 3


# ------------------------------------------------------------------------------------ what is read


def test_a_checkpoint_says_everything_that_its_files_say(library, folder):
    found = library.checkpoint(library.add_folder(folder).key, 512)
    assert found.folder == str(folder / "step512")
    assert (found.config.vocab_rows, found.config.context) == (ROWS, CONTEXT)
    assert (found.repo, found.revision, found.commit) == (None, None, None)
    printed = subprocess.run(
        ["sha256sum", folder / "config.json", folder / "tokenizer.json"],
        capture_output=True,
        text=True,
        check=True,
    )
    sums = [line.split()[0] for line in printed.stdout.splitlines()]
    assert [found.config_sha256, found.tokenizer_sha256] == sums


def test_a_config_and_a_tokenizer_that_change_on_disk_are_read_again(library, folder):
    key = library.add_folder(folder).key
    before = library.checkpoint(key, 512)
    for name in ("config.json", "tokenizer.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content, indent=7))
    after = library.checkpoint(key, 512)
    assert after.config_sha256 != before.config_sha256
    assert after.tokenizer_sha256 != before.tokenizer_sha256


def test_a_folder_that_vanished_is_refused_in_a_sentence(library, folder):
    key = library.add_folder(folder).key
    shutil.rmtree(folder)
    with pytest.raises(CheckpointError, match=r"lacks config\.json"):
        library.checkpoint(key, 512)


def test_the_config_inside_a_step_goes_before_the_one_beside_it(library, folder):
    config = json.loads((folder / "config.json").read_text())
    inside = folder / "step512" / "config.json"
    inside.write_text(json.dumps(config | {"rotary_pct": 0.5}))
    key = library.add_folder(folder).key
    assert library.checkpoint(key, 512).config_sha256 != library.checkpoint(key, 0).config_sha256


def test_what_came_since_is_found_when_looked_for_again(tmp_path, original, folder):
    cache = tmp_path / "cache"
    library = LocalLibrary(None, cache)
    added = library.add_folder(folder)
    shutil.copytree(folder / "step512", folder / "step1000")
    in_cache(cache, "EleutherAI/pythia-14m", original, {"step512": COMMITS[0]})
    library.look_again()
    assert library.find(added.key)[0].here == {0, 512, 1_000}
    assert library.find("pythia-14m")[0].here == {512}


def test_a_folder_that_went_stays_listed_when_looked_for_again(library, folder):
    added = library.add_folder(folder)
    shutil.rmtree(folder)
    library.look_again()
    assert library.find(added.key)[0] == added
