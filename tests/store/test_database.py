import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from pythia_gui.core.fingerprint import FileIdentity
from pythia_gui.store import database as module
from pythia_gui.store.database import Database, Row, StoreError, StoreRefused

WRITER = """
import sys
from pathlib import Path
from pythia_gui.store.database import Database, Row
with Database(Path(sys.argv[1])) as database:
    for number in range(int(sys.argv[3]), int(sys.argv[3]) + int(sys.argv[4])):
        database.save([Row(f"{sys.argv[2]}{number}", "score", bytes(5000))], "t", {number: "x"})
        print(number, flush=True)
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "results.sqlite3"


@pytest.fixture
def database(file):
    with Database(file) as opened:
        yield opened


def rows(*names, payload=b"payload"):
    return [Row(name, "score", payload) for name in names]


def writer(file, name, count, first=0):
    """Start a process that writes results one by one and prints the number of each."""
    command = [sys.executable, "-c", WRITER, str(file), name, str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def integrity(file):
    with sqlite3.connect(file) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return verdict


def aside(file):
    return [f for f in file.parent.iterdir() if ".damaged-" in f.name and f.name[-1].isdigit()]


# -- what it keeps ---------------------------------------------------------------------------


def test_saved_results_are_there_after_reopening(file):
    with Database(file) as first:
        first.save(rows("a", "b"), "tokenizer", {1: "one", 2: "\ud800\x00"})
    with Database(file) as second:
        assert second.notice == ""
        assert second.present(["a", "b", "c"]) == {"a", "b"}
        assert second.payloads(["a", "c"]) == {"a": b"payload"}
        assert second.texts("tokenizer", [1, 2, 3]) == {1: "one", 2: "\ud800\x00"}
        assert second.texts("another", [1]) == {}


def test_more_keys_than_one_query_takes(database):
    names = [str(number) for number in range(1700)]
    database.save(rows(*names))
    assert database.present(names) == set(names)
    assert len(database.payloads(names)) == 1700


def test_a_later_result_replaces_an_earlier_one(database):
    database.save(rows("a"))
    database.save(rows("a", payload=b"new"))
    assert database.payloads(["a"]) == {"a": b"new"}


def test_forgotten_results_are_gone(database):
    database.save(rows("a", "b"))
    database.forget(["a"])
    assert database.present(["a", "b"]) == {"b"}


def test_a_fingerprint_holds_for_one_state_of_a_file(database):
    before = FileIdentity("/a", 1, 2, 3)
    after = FileIdentity("/a", 1, 5, 3)
    database.remember_fingerprint(before, "sha")
    assert database.fingerprints([before, after]) == {before: "sha"}
    database.remember_fingerprint(after, "other")
    assert database.fingerprints([before, after]) == {after: "other"}


def test_remembered_values(database):
    assert database.meta("place") is None
    database.set_meta("place", "here")
    database.set_meta("place", "there")
    assert database.meta("place") == "there"


def test_the_file_says_whose_it_is_and_of_what_version(file, database):
    with sqlite3.connect(file) as other:
        assert other.execute("PRAGMA application_id").fetchone() == (module.APPLICATION_ID,)
        assert other.execute("PRAGMA user_version").fetchone() == (len(module.MIGRATIONS),)
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


def test_every_thread_has_its_own_connection(database):
    def save(name):
        for number in range(50):
            database.save(rows(f"{name}{number}"))

    threads = [threading.Thread(target=save, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(database.present([f"{n}{i}" for n in "abcd" for i in range(50)])) == 200


def test_a_closed_database_says_so(file):
    database = Database(file)
    database.close()
    database.close()
    with pytest.raises(StoreError, match="closed"):
        database.present(["a"])


# -- whose file it is ------------------------------------------------------------------------


def test_a_newer_versions_file_is_refused_and_left_alone(file):
    Database(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(StoreRefused, match="newer pythia-gui"):
        Database(file)
    assert file.read_bytes() == before


def test_another_programs_file_is_refused_and_left_alone(file):
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE photographs (name)")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(StoreRefused, match="another program"):
        Database(file)
    assert file.read_bytes() == before


def test_an_interrupted_first_start_leaves_an_empty_file_that_works(file):
    file.touch()
    with Database(file) as database:
        database.save(rows("a"))
        assert database.notice == ""


# -- damage ----------------------------------------------------------------------------------


def filled(file, count=200):
    with Database(file) as database:
        database.save(rows(*map(str, range(count)), payload=bytes(3000)), "t", {1: "x"})


def damaged_header(data):
    return b"not a database" + data[14:]


def damaged_schema(data):
    return data[:100] + bytes(200) + data[300:]


def damaged_pages(data):
    return data[:4096] + os.urandom(40_000) + data[44_096:]


def truncated(data):
    return data[: len(data) // 2]


def zeroed(data):
    return bytes(len(data))


@pytest.mark.parametrize(
    "damage", [damaged_header, damaged_schema, damaged_pages, truncated, zeroed]
)
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(file, damage):
    filled(file)
    file.write_bytes(damage(file.read_bytes()))
    kept = file.read_bytes()
    with Database(file) as database:
        assert "damaged" in database.notice
        database.save(rows("a"))
    assert [f.read_bytes() for f in aside(file)] == [kept]
    with Database(file) as again:
        assert again.notice == ""
        assert again.present(["a"]) == {"a"}


def test_damage_met_in_a_big_file_is_looked_into_at_the_next_start(file, monkeypatch):
    monkeypatch.setattr(module, "CHECKED_BYTES", 0)
    filled(file)
    data = file.read_bytes()
    file.write_bytes(data[:100_000] + b"\xff" * 400_000 + data[500_000:])
    with Database(file) as database:
        assert database.notice == ""
        with pytest.raises(StoreError, match="damaged"):
            database.payloads(map(str, range(200)))
    with Database(file) as database:
        assert "damaged" in database.notice


def test_a_lost_log_costs_at_most_what_was_in_it(file):
    filled(file)
    process = writer(file, "b", 40)
    assert process.stdout is not None
    for _ in range(10):
        process.stdout.readline()
    process.kill()
    process.communicate()
    Path(f"{file}-wal").unlink()
    with Database(file) as database:
        assert len(database.present(map(str, range(200)))) == 200
    assert integrity(file) == "ok"


def test_opening_a_big_file_is_quick(file, benchmark_s):
    with Database(file) as database:
        for part in range(20):
            names = (f"{part} {number}" for number in range(100))
            database.save(rows(*names, payload=os.urandom(20_000)))
    assert file.stat().st_size > 40_000_000
    assert benchmark_s(lambda: Database(file).close()) < 0.05


@pytest.fixture
def benchmark_s():
    """Return the least of five times that a call takes, in seconds."""

    def best(call):
        spent = []
        for _ in range(5):
            start = time.perf_counter()
            call()
            spent.append(time.perf_counter() - start)
        return min(spent)

    return best


# -- faults of the place ---------------------------------------------------------------------


def test_without_a_place_results_are_kept_in_memory(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with Database(blocked / "results.sqlite3") as database:
        assert "last until the program ends" in database.notice
        database.save(rows("a"))
        seen = []
        thread = threading.Thread(target=lambda: seen.append(database.present(["a"])))
        thread.start()
        thread.join()
        assert seen == [{"a"}]


def test_a_file_that_another_holds_is_an_error_and_works_later(file, database, monkeypatch):
    other = sqlite3.connect(file)
    database.save(rows("a"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds"):
        database.save(rows("b"))
    assert database.present(["a", "b"]) == {"a"}
    other.rollback()
    other.close()
    database.save(rows("b"))
    assert database.present(["a", "b"]) == {"a", "b"}


SMALL_DISK = """
import os, subprocess, sys
from pathlib import Path
from pythia_gui.store.database import Database, Row, StoreError
place = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=True)
database = Database(place / "results.sqlite3")
kept = []
try:
    for number in range(1000):
        database.save([Row(str(number), "score", os.urandom(20_000))])
        kept.append(str(number))
except StoreError as problem:
    print(problem)
assert 20 < len(kept) < 200, len(kept)
assert database.present(map(str, range(1000))) == set(kept)
subprocess.run(["mount", "-o", "remount,size=9m", str(place)], check=True)
database.save([Row("later", "score", b"x")])
assert database.present(["later"]) == {"later"}
database.close()
Database(place / "results.sqlite3").close()
"""


def own_mounts(script, *arguments):
    """Run a script where it may mount file systems that nobody else sees."""
    allowed = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False)
    if allowed.returncode:
        pytest.skip(f"unshare is not permitted here: {allowed.stderr.decode().strip()}")
    command = ["unshare", "-Urm", sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_full_disk_keeps_what_was_acknowledged_and_recovers(tmp_path):
    run = own_mounts(SMALL_DISK, str(tmp_path))
    assert (run.returncode, run.stdout) == (0, "the disk is full\n"), run.stderr


READ_ONLY = """
import subprocess, sys
from pathlib import Path
from pythia_gui.store.database import Database, Row
place = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=True)
Database(place / "results.sqlite3").close()
subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
for name in ("results.sqlite3", "new.sqlite3"):
    with Database(place / name) as database:
        print(database.notice)
        database.save([Row("a", "score", b"x")])
        assert database.present(["a"]) == {"a"}
"""


def test_on_a_read_only_disk_results_are_kept_in_memory(tmp_path):
    run = own_mounts(READ_ONLY, str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("can't be kept on disk") == 2


FILE_LIMIT = """
import os, resource, signal, sys
from pathlib import Path
from pythia_gui.store.database import Database, Row, StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
database = Database(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
kept = []
try:
    for number in range(100):
        database.save([Row(str(number), "score", os.urandom(20_000))])
        kept.append(str(number))
except StoreError as problem:
    print(problem)
assert kept
assert database.present(map(str, range(100))) == set(kept)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
database.save([Row("later", "score", b"x")])
"""


def test_a_failed_write_keeps_what_was_acknowledged(file):
    command = [sys.executable, "-c", FILE_LIMIT, str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() in ("the disk is full", "the disk reports an error")
    assert integrity(file) == "ok"


# -- several programs ------------------------------------------------------------------------


def test_two_programs_write_at_once(file):
    both = [writer(file, name, 100) for name in "ab"]
    for process in both:
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, len(out.split())) == (0, 100)
    with Database(file) as database:
        assert len(database.present(f"{name}{n}" for name in "ab" for n in range(100))) == 200


def test_many_programs_start_at_once_on_a_new_file(file):
    many = [writer(file, name, 1) for name in "abcdef"]
    assert [process.communicate(timeout=60)[0] for process in many] == ["0\n"] * 6
    with Database(file) as database:
        assert len(database.present(f"{name}0" for name in "abcdef")) == 6


def killed_while_writing(file, round_number):
    """Kill a writer in the midst of its work; return the keys that it had acknowledged."""
    name = f"round {round_number}: "
    process = writer(file, name, 100_000)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(1 + 7 * round_number % 23)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.communicate()[0].split()
    return [name + number for number in acknowledged if number]


def survives_kills(file, count):
    acknowledged = []
    for round_number in range(count):
        acknowledged += killed_while_writing(file, round_number)
        with Database(file) as database:
            assert database.notice == ""
            assert database.present(acknowledged) == set(acknowledged)
    assert integrity(file) == "ok"


def test_what_was_acknowledged_survives_kills(file):
    survives_kills(file, 5)


@pytest.mark.soak
def test_what_was_acknowledged_survives_fifty_kills(file):
    survives_kills(file, 50)
