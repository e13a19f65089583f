"""The file of past runs: nothing acknowledged is lost, and a failure costs the history alone."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.history import HistoryError, Run
from pythia_gui.core.requests import Sampling
from pythia_gui.store import history as module
from pythia_gui.store.history import RunHistory

FULL = Run(
    model="/models/demo",
    model_name="demo-s",
    step=4_000,
    text='na\u0308 \u202e <b>x</b>\n\ud800"\x00',
    token_ids=(1, 2, 3),
    tokenizer_sha256="ab" * 32,
    new_tokens=12,
    samples=3,
    sampling=Sampling(temperature=0.7, top_k=5, top_p=0.9, seed=2**62, stop=("\n", "Ende")),
    top_k=20,
    special_tokens=True,
    cut_left=True,
    endings=((" Warsaw", "target"), ("Rome\n", "foil")),
    pins=(("/models/demo", 0), ("other", 512)),
    pair=(("/models/demo", 0), ("other", 512)),
    view="A and B",
)

WRITER = """
import sys
from pathlib import Path
from pythia_gui.core.history import Run
from pythia_gui.store.history import RunHistory
history = RunHistory(Path(sys.argv[1]))
for number in range(100_000):
    history.note(Run("key", "model", number, "x" * 2_000))
    print(number, flush=True)
"""


def asking(text="ab", **changes):
    return replace(Run("key", "demo-s", 512, text), **changes)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "history.sqlite"


@pytest.fixture
def history(file):
    opened = RunHistory(file)
    yield opened
    opened.close()


def texts(history, *args, **more):
    return [run.text for run in history.runs(*args, **more)]


# -- what it keeps ---------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was_after_reopening(file, history):
    noted = history.note(FULL)
    history.close()
    again = RunHistory(file)
    (kept,) = again.runs()
    again.close()
    assert kept == noted
    assert replace(kept, id=0, when="") == FULL
    asked = datetime.fromisoformat(kept.when)
    assert asked.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - asked) < timedelta(minutes=1)


@given(text=st.text(st.characters(), max_size=40), endings=st.lists(st.text(), max_size=3))
def test_whatever_was_typed_comes_back(tmp_path_factory, text, endings):
    history = RunHistory(tmp_path_factory.mktemp("runs") / "history.sqlite")
    run = asking(text, endings=tuple((ending, "target") for ending in endings))
    noted = history.note(run)
    assert history.runs() == (noted,)
    assert noted.question() == run.question()
    history.close()


def test_the_newest_comes_first_and_no_more_than_wanted(history):
    for text in "abc":
        history.note(asking(text))
    assert texts(history) == ["c", "b", "a"]
    assert texts(history, most=2) == ["c", "b"]


def test_the_same_question_twice_in_a_row_is_one_run_whose_time_moves(history):
    first = history.note(asking("a", view="Text"))
    history.star(first.id, on=True)
    second = history.note(asking("a", view="Map", pins=(("key", 0),)))
    (kept,) = history.runs()
    assert kept == second
    assert (kept.id, kept.starred, kept.view, kept.pins) == (first.id, True, "Map", (("key", 0),))
    assert kept.when >= first.when


def test_the_same_question_after_another_is_a_new_run(history):
    for text in ("a", "b", "a"):
        history.note(asking(text))
    history.note(asking("a", step=0))
    assert [(run.text, run.step) for run in history.runs()] == [
        ("a", 0),
        ("a", 512),
        ("b", 512),
        ("a", 512),
    ]


def test_a_clock_that_was_set_back_hides_no_run(history, monkeypatch):
    class Yesterday(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(days=1)

    first = history.note(asking("a"))
    monkeypatch.setattr(module, "datetime", Yesterday)
    again = history.note(asking("a"))
    assert history.runs()[0].when == first.when
    assert again.id == first.id


# -- finding ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("poland", ["The capital of Poland is"]),
        ("CAPITAL the", ["The capital of France is", "The capital of Poland is"]),
        ("capital once", []),
        ("warsaw", ["The capital of Poland is"]),
        ("demo-m", ["100 % of _ x"]),
        ("%", ["100 % of _ x"]),
        ("_", ["100 % of _ x"]),
        ("STRASSE", ["Die Straße"]),
        (
            "",
            ["Die Straße", "100 % of _ x", "The capital of France is", "The capital of Poland is"],
        ),
    ],
)
def test_runs_are_found_by_all_their_words_whatever_the_case(history, words, found):
    history.note(asking("The capital of Poland is", endings=((" Warsaw", "target"),)))
    history.note(asking("The capital of France is"))
    history.note(asking("100 % of _ x", model_name="demo-m"))
    history.note(asking("Die Straße"))
    assert texts(history, words) == found


def test_runs_with_a_star_are_found_apart(history):
    runs = [history.note(asking(text)) for text in "abc"]
    history.star(runs[1].id, on=True)
    assert texts(history, starred=True) == ["b"]
    assert texts(history, "a", starred=True) == []
    history.star(runs[1].id, on=False)
    assert texts(history, starred=True) == []


# -- forgetting ------------------------------------------------------------------------------


def test_deleted_runs_can_be_put_back_where_they_were(history):
    runs = [history.note(asking(text)) for text in "abcd"]
    history.star(runs[1].id, on=True)
    before = history.runs()
    gone = history.delete([runs[0].id, runs[1].id, 999])
    assert texts(history) == ["d", "c"]
    history.put_back(gone)
    assert history.runs() == before


def test_the_oldest_go_and_those_with_a_star_stay(file):
    history = RunHistory(file, most_runs=5)
    first = history.note(asking("first"))
    history.star(first.id, on=True)
    for number in range(12):
        history.note(asking(str(number)))
    assert texts(history) == ["11", "10", "9", "8", "7", "first"]
    history.close()


def test_very_long_prompts_do_not_fill_the_disk(history, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1_000_000)
    monkeypatch.setattr(module, "GO_AT_ONCE", 10)
    for number in range(60):
        history.note(asking(f"{number} " + "x" * 50_000))
    assert history._size_bytes() < 2_000_000
    assert texts(history)[0].startswith("59 ")


def test_ten_thousand_runs_are_kept_and_searched_at_once(file, benchmark_s):
    history, begin = RunHistory(file), datetime(2026, 1, 1, tzinfo=UTC)
    with history._writing():
        for number in range(10_000):
            when = (begin + timedelta(seconds=number)).isoformat(timespec="milliseconds")
            run = asking(f"prompt number {number}", when=when)
            history._insert(run)
    assert history.count() == 10_000
    assert benchmark_s(lambda: history.runs("number 4321")) < 0.1
    assert benchmark_s(lambda: history.note(asking("one more"))) < 0.1
    assert len(history.runs()) == 1_000
    history.close()


@pytest.fixture
def benchmark_s():
    """Return the least of three times that a call takes, in seconds."""
    import time

    def best(call):
        spent = []
        for _ in range(3):
            start = time.perf_counter()
            call()
            spent.append(time.perf_counter() - start)
        return min(spent)

    return best


# -- faults ----------------------------------------------------------------------------------


def test_a_killed_program_loses_no_run_that_was_noted(file):
    command = [sys.executable, "-c", WRITER, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(200)]
        os.kill(writer.pid, signal.SIGKILL)
        seen += [int(line) for line in writer.stdout.read().splitlines()]
    history = RunHistory(file)
    kept = {run.step for run in history.runs(most=100_000)}
    history.close()
    assert history.notice == ""
    assert set(seen) <= kept


def test_two_programs_note_into_one_file(file, history):
    other = RunHistory(file)
    history.note(asking("a"))
    other.note(asking("b"))
    history.note(asking("c"))
    assert texts(history) == texts(other) == ["c", "b", "a"]
    other.close()


def test_a_full_disk_is_one_sentence_and_what_was_kept_can_be_read(history):
    history.note(asking("a"))
    (pages,) = history._db.execute("PRAGMA page_count").fetchone()
    history._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(HistoryError, match=r"^Runs are not kept in the history: the disk is full"):
        history.note(asking("x" * 100_000))
    assert texts(history) == ["a"]
    history._db.execute("PRAGMA max_page_count=100000")
    history.note(asking("b"))
    assert texts(history) == ["b", "a"]


def test_a_file_that_cant_be_written_is_one_sentence(history):
    run = history.note(asking("a"))
    history._db.execute("PRAGMA query_only=ON")
    for change in (
        lambda: history.note(asking("b")),
        lambda: history.star(run.id, on=True),
        lambda: history.delete([run.id]),
    ):
        with pytest.raises(HistoryError, match="its file can't be written"):
            change()
    assert texts(history) == ["a"]


def test_a_file_that_another_program_holds_is_one_sentence_and_works_later(file, history):
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HistoryError, match="another program holds its file"):
        history.note(asking("a"))
    other.execute("ROLLBACK")
    other.close()
    history.note(asking("b"))
    assert texts(history) == ["b"]


def test_without_a_place_there_is_no_history(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(HistoryError, match="Runs are not kept"):
        RunHistory(tmp_path / "file" / "history.sqlite")


def test_another_programs_file_is_refused_and_left_alone(file):
    file.parent.mkdir()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(HistoryError, match="another program's database"):
        RunHistory(file)
    assert file.read_bytes() == before


def test_a_newer_versions_file_is_refused_and_left_alone(file, history):
    history.close()
    with sqlite3.connect(file) as newer:
        newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(HistoryError, match="newer pythia-gui"):
        RunHistory(file)


@pytest.mark.parametrize("damage", [b"no database at all, but long enough " * 40, bytes(700)])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(file, damage):
    file.parent.mkdir()
    file.write_bytes(damage)
    history = RunHistory(file)
    assert "was damaged" in history.notice
    history.note(asking("a"))
    assert texts(history) == ["a"]
    history.close()
    (aside,) = [other for other in file.parent.iterdir() if ".damaged-" in other.name]
    assert aside.read_bytes() == damage


def test_a_file_damaged_in_the_middle_is_noticed(file, history):
    for number in range(200):
        history.note(asking(f"{number} " + "x" * 500))
    history.close()
    raw = bytearray(file.read_bytes())
    for place in range(4_096, len(raw), 8_192):
        raw[place : place + 64] = b"\xff" * 64
    file.write_bytes(raw)
    again = RunHistory(file)
    assert "was damaged" in again.notice
    assert again.runs() == ()
    again.close()


def test_a_row_that_cant_be_read_is_left_out(history):
    history.note(asking("a"))
    run = history.note(asking("b"))
    for bad in ("{", "[]", '{"model": 1, "sampling": {"temperature": -1}}'):
        history._db.execute("UPDATE runs SET question = ? WHERE id = ?", (bad, run.id))
        assert texts(history) == ["a"]
    history._db.execute("UPDATE runs SET asked = 'never'")
    assert texts(history) == []
