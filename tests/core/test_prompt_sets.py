"""Sets of prompts: what is read of a file, what is refused with its line, what ships."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core import prompt_sets
from pythia_gui.core.prompt_sets import (
    BUNDLES,
    COLUMNS,
    FORMS,
    Form,
    Parsed,
    PromptEntry,
    PromptSetError,
    bundled_set,
    form_of,
    parse,
    parse_file,
    read_prompt_set,
)
from pythia_gui.core.resources import resource_path
from pythia_gui.demo import lexicon
from pythia_gui.demo.schedule import ITEMS
from pythia_gui.hub.tokenizer import Tokenizer

NAMES = {name for bundle in BUNDLES for name in bundle.files}
OPENING = "([{</\"'“"

_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_prompt = _text.filter(str.strip)


@st.composite
def entries(draw: st.DrawFn) -> list[PromptEntry]:
    """Return questions, none of them twice, that a set may hold."""
    rows = draw(st.lists(st.tuples(_prompt, _text, _text, _text, _text), max_size=8))
    made = [PromptEntry(p, t, f if t and f != t else "", g, s) for p, t, f, g, s in rows]
    return list({(e.prompt, e.target, e.foil): e for e in made}.values())


def said(parsed: Parsed) -> list[PromptEntry]:
    return [PromptEntry(e.prompt, e.target, e.foil, e.group, e.source) for e in parsed.entries]


def problems(data: bytes | str, form: Form) -> list[str]:
    return [str(problem) for problem in parse(data, form).problems]


# ---------------------------------------------------------------------------------- forms


@given(entries(), st.permutations(COLUMNS))
def test_csv_gives_back_what_was_written_in_any_order_of_columns(
    rows: list[PromptEntry], columns: list[str]
) -> None:
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(columns)
    write.writerows([getattr(entry, name) for name in columns] for entry in rows)
    # csv writes "\r\n" after a row and keeps a lone "\r" inside of a quoted cell
    parsed = parse(out.getvalue().encode(), "csv")
    assert (said(parsed), parsed.problems) == (rows, ())


@given(entries())
def test_jsonl_gives_back_what_was_written(rows: list[PromptEntry]) -> None:
    lines = (json.dumps({name: getattr(entry, name) for name in COLUMNS}) for entry in rows)
    parsed = parse("\n".join(lines).encode(), "jsonl")
    assert (said(parsed), parsed.problems) == (rows, ())


@given(st.lists(_prompt.filter(lambda text: not set(text) & set("\r\n")), unique=True))
def test_txt_gives_one_prompt_a_line_with_its_spaces_and_number(prompts: list[str]) -> None:
    parsed = parse("\r\n\r\n".join(prompts).encode(), "txt")
    assert [e.prompt for e in parsed.entries] == [
        p.removeprefix("\ufeff") if not n else p for n, p in enumerate(prompts)
    ]
    assert [e.line for e in parsed.entries] == [2 * n + 1 for n in range(len(prompts))]


@given(st.binary(max_size=300), st.sampled_from(FORMS))
def test_no_bytes_whatever_make_reading_fail_and_what_is_read_is_clean(
    data: bytes, form: Form
) -> None:
    parsed = parse(data, form)
    lines = [problem.line for problem in parsed.problems]
    assert all(0 <= line <= 301 for line in lines)
    for entry in parsed.entries:
        assert entry.prompt.strip()
        assert "\0" not in entry.prompt
        entry.prompt.encode()  # no half characters


@pytest.mark.parametrize("form", FORMS)
def test_a_byte_order_mark_and_line_breaks_of_another_system_are_no_part_of_a_prompt(
    form: Form,
) -> None:
    lines = {"txt": ["a", "b"], "csv": ["prompt", "a", "b"], "jsonl": ['{"prompt":"a"}'] * 1}
    data = b"\xef\xbb\xbf" + "\r\n".join([*lines[form], ""]).encode()
    parsed = parse(data, form)
    assert not parsed.problems
    assert parsed.entries[0].prompt == "a"


def test_a_cell_may_hold_line_breaks_and_the_line_numbers_stay_true() -> None:
    parsed = parse('prompt,target\n"one\ntwo",x\nthree,y,z\n', "csv")
    assert parsed.entries[0] == PromptEntry("one\ntwo", "x", line=2)
    assert [problem.line for problem in parsed.problems] == [4]


def test_semicolons_and_tabs_separate_columns_as_well() -> None:
    for mark in ";\t":
        parsed = parse(f"target{mark}prompt\n x{mark}a, b\n", "csv")
        assert said(parsed) == [PromptEntry("a, b", " x")]


def test_columns_that_are_not_read_are_named_in_a_remark() -> None:
    assert parse("prompt,note,Target\na,b, c\n", "csv").remark == "Not read: note."
    assert parse('{"prompt": "a", "id": 1}\n{"prompt": "b", "why": 2}', "jsonl").remark == (
        "Not read: id, why."
    )


# ---------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("data", "form", "line", "word"),
    [
        (b"ok\n\xff\xfe\n", "txt", 2, "UTF-8"),
        (b"ok\na\0b\n", "txt", 2, "NUL"),
        (b"ok\n\nok\n", "txt", 3, "same as line 1"),
        (b"a" * 40_001, "txt", 1, "40,000 characters"),
        ("\ufeffok".encode("utf-16"), "txt", 0, "UTF-16"),
        (b"name,target\na,b\n", "csv", 1, '"prompt"'),
        (b"prompt,target,Target\n", "csv", 1, "two columns"),
        (b"prompt,target\na,b\n,c\n", "csv", 3, "no prompt"),
        (b"prompt,target\na,b,c\n", "csv", 2, "3 cells under 2"),
        (b'prompt\n"never closed\n', "csv", 2, "CSV"),
        (b"prompt,foil\na,b\n", "csv", 2, "no target"),
        (b"prompt,target,foil\na,b,b\n", "csv", 2, "the same"),
        (b"prompt,target\ncaf\xe9,b\n", "csv", 2, "UTF-8"),
        (b'{"prompt": "a"}\nprompt\n', "jsonl", 2, "JSON"),
        (b'["a"]\n', "jsonl", 1, "braces"),
        (b'{"prompt": 3}\n', "jsonl", 1, "a number"),
        (b'{"prompt": "a", "target": ["b"]}\n', "jsonl", 1, "target is a list"),
        (b'{"target": "b"}\n', "jsonl", 1, "no prompt"),
        (b'{"prompt": "\\ud800"}\n', "jsonl", 1, "surrogate"),
        (b'{"prompt": "\xff"}\n', "jsonl", 1, "UTF-8"),
        (b"[" * 50_000 + b"\n", "jsonl", 1, "JSON"),
        (b'{"prompt": ' + b"9" * 9_000 + b"}\n", "jsonl", 1, "JSON"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_reason(
    data: bytes, form: Form, line: int, word: str
) -> None:
    (problem,) = parse(data, form).problems
    assert problem.line == line
    assert word in problem.reason


def test_every_bad_line_is_found_and_the_good_ones_between_them_are_kept() -> None:
    lines = [json.dumps({"prompt": f"p{n}"}) if n % 2 else '{"prompt": 1}' for n in range(20)]
    parsed = parse("\n".join(lines), "jsonl")
    assert [problem.line for problem in parsed.problems] == list(range(1, 21, 2))
    assert [entry.line for entry in parsed.entries] == list(range(2, 21, 2))


def test_problems_beyond_the_first_are_counted_and_not_listed() -> None:
    parsed = parse(b"\0\n" * (prompt_sets.MOST_PROBLEMS + 7), "txt")
    assert (len(parsed.problems), parsed.unlisted) == (prompt_sets.MOST_PROBLEMS, 7)


def test_a_set_ends_at_its_limit_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_sets, "MOST_ENTRIES", 3)
    parsed = parse("a\nb\nc\nd\ne\n", "txt")
    assert [entry.prompt for entry in parsed.entries] == ["a", "b", "c"]
    assert [str(problem) for problem in parsed.problems] == [
        "line 4: more than 3 prompts; what follows is left out"
    ]


# ---------------------------------------------------------------------------------- files


def test_a_file_with_a_fault_is_refused_with_its_name_line_and_reason(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("prompt,target\na,b\n,c\na,b\n", encoding="utf-8")
    with pytest.raises(PromptSetError, match=r"mine.csv: line 3: there is no prompt \(and 1 more"):
        read_prompt_set(file)


def test_a_good_file_is_a_set_named_like_it(tmp_path: Path) -> None:
    file = tmp_path / "Mine.TXT"
    file.write_text("The capital of\n\n spaces stay \n", encoding="utf-8")
    found = read_prompt_set(file)
    assert found.name == "Mine"
    assert [(e.prompt, e.line) for e in found.entries] == [
        ("The capital of", 1),
        (" spaces stay ", 3),
    ]


@pytest.mark.parametrize("name", ["no.txt", "folder.csv", "empty.txt", "other.json", "none"])
def test_what_is_no_set_at_all_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "empty.txt").write_text("\n \n", encoding="utf-8")
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PromptSetError, match=name):
        read_prompt_set(tmp_path / name)


def test_a_file_that_is_too_large_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_sets, "MOST_BYTES", 2_000_000)
    file = tmp_path / "huge.txt"
    with file.open("wb") as sparse:
        sparse.truncate(10**13)
    with pytest.raises(PromptSetError, match="more than 2 MB"):
        parse_file(file)


def test_a_hundred_thousand_prompts_are_read_whole() -> None:
    lines = "\n".join(f"prompt number {number}" for number in range(100_000))
    parsed = parse(lines, "txt")
    assert (len(parsed.entries), parsed.problems) == (100_000, ())


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", "txt"),
        ("Hello, dear prompt", "txt"),
        ("prompt\nwhat comes after", "txt"),
        ("\n\ntarget,prompt\n", "csv"),
        ('  {"prompt": "a"}', "jsonl"),
    ],
)
def test_the_form_of_a_pasted_text_is_told_from_its_first_line(text: str, form: str) -> None:
    assert form_of(text) == form


# ---------------------------------------------------------------------------------- shipped


def test_every_file_that_ships_is_in_a_bundle_and_every_bundle_can_be_read() -> None:
    assert {file.stem for file in resource_path("prompts").glob("*")} == NAMES
    assert {file.suffix for file in resource_path("prompts").glob("*")} == {".jsonl"}
    for bundle in BUNDLES:
        assert bundled_set(bundle).name == bundle.name


def test_the_sets_for_pythia_have_sixty_to_a_hundred_prompts_without_a_question_twice() -> None:
    everything = bundled_set(next(b for b in BUNDLES if len(b.files) > 1)).entries
    assert 60 <= len(everything) <= 100
    asked = [(entry.prompt, entry.target) for entry in everything]
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_targets_and_foils_begin_with_a_space_where_a_word_follows(name: str) -> None:
    for entry in read_prompt_set(resource_path("prompts", f"{name}.jsonl")).entries:
        assert entry.prompt == entry.prompt.rstrip(" "), "the space belongs to the target"
        assert entry.target
        assert 0 < len(entry.group) <= 23, "it is read in a narrow column"
        for ending in filter(None, (entry.target, entry.foil)):
            if ending.lstrip()[0].isalnum() and entry.prompt[-1] not in OPENING:
                assert ending.startswith(" "), (entry.prompt, ending)


@pytest.mark.parametrize("name", sorted(NAMES - {"demo"}))
def test_endings_for_pythia_begin_with_tokens_of_their_own_that_differ(
    name: str, neox_tokenizer_file: Path
) -> None:
    tokenizer = Tokenizer(neox_tokenizer_file)
    for entry in read_prompt_set(resource_path("prompts", f"{name}.jsonl")).entries:
        ids, firsts = list(tokenizer.encode(entry.prompt)), []
        for ending in filter(None, (entry.target, entry.foil)):
            whole = list(tokenizer.encode(entry.prompt + ending))
            assert whole[: len(ids)] == ids, (entry, "merges into the prompt")
            firsts.append(whole[len(ids)])
        assert len(set(firsts)) == len(firsts), (entry, "target and foil begin alike")


def test_the_demo_set_has_only_words_that_the_demo_suite_has_a_token_for() -> None:
    for entry in bundled_set(BUNDLES[0]).entries:
        for text in filter(None, (entry.target, entry.foil)):
            assert len(lexicon.encode(text)) == 1, (entry.prompt, text)
        ids = lexicon.encode(entry.prompt)
        assert lexicon.UNKNOWN_ID not in ids
        # a word outside of the lexicon falls into letters
        assert len(ids) <= len(lexicon.PIECES.findall(entry.prompt)), entry.prompt


def test_the_demo_set_says_how_often_the_corpus_said_its_facts() -> None:
    times = {item.name: item.times for item in ITEMS}
    capitals = [e for e in bundled_set(BUNDLES[0]).entries if e.group.startswith("capital,")]
    assert len(capitals) == 16
    for entry in capitals:
        assert entry.group == f"capital, {times[f'{entry.prompt}{entry.target}.']:,} times"
    mottos = [e for e in bundled_set(BUNDLES[0]).entries if e.group.startswith("motto")]
    for entry in mottos:
        (said_so,) = [t for n, t in times.items() if n.startswith(f"{entry.prompt}{entry.target}")]
        assert entry.group == f"motto, {said_so:,} times"
