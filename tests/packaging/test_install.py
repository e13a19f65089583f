"""`packaging/install.sh` against stand-ins for dpkg, apt and Python that write down their calls."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL_TOOLS = ("bash", "cat", "dirname", "env", "flock", "grep", "mkdir", "sha256sum", "xargs")


class Machine:
    """A copy of what the script reads, and a PATH with nothing but what a test put there."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "a checkout"
        self.bin = folder / "bin"
        self.calls_file = folder / "calls"
        for made in (self.checkout / "packaging", self.bin):
            made.mkdir(parents=True)
        for name in ("pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.checkout)
        for name in ("install.sh", "debian-packages.txt", "debian-packages-test.txt"):
            shutil.copy(ROOT / "packaging" / name, self.checkout / "packaging")
        for name in REAL_TOOLS:
            (self.bin / name).symlink_to(shutil.which(name) or name)

    def add(self, place: str | Path, script: str) -> None:
        """Put a command there that writes down how it was called and then runs `script`."""
        file = self.bin / place
        file.parent.mkdir(parents=True, exist_ok=True)
        note = f'printf "%s\\n" "$(basename_of "$0") $*" >> "{self.calls_file}"'
        file.write_text(f'#!/bin/bash\nbasename_of() {{ echo "${{1##*/}}"; }}\n{note}\n{script}\n')
        file.chmod(0o755)

    def add_dpkg(self, *installed: str) -> None:
        answer = " ".join(f"installed:{name}" for name in installed)
        self.add("dpkg-query", f"echo '{answer} '; exit 1")

    def add_environment(self) -> None:
        self.add(self.checkout / ".venv/bin/python", "exit 0")

    def install(self, kind: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
        self.calls_file.write_text("")
        return subprocess.run(
            [self.checkout / "packaging" / "install.sh", kind],
            env={"PATH": str(self.bin), **environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def calls(self, of: str) -> list[str]:
        lines = self.calls_file.read_text().splitlines()
        return [line.removeprefix(of + " ") for line in lines if line.startswith(of + " ")]


def packages(*lists: str) -> list[str]:
    lines = "\n".join((ROOT / "packaging" / name).read_text() for name in lists).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_package_lists_name_each_package_once():
    named = packages("debian-packages.txt", "debian-packages-test.txt")
    assert len(named) == len(set(named))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name) for name in named)


def test_torch_comes_first_and_all_under_the_constraints(machine):
    machine.add_environment()
    assert machine.install("test").returncode == 0
    installs = [
        call.partition(" install ")[2] for call in machine.calls("python") if "-m pip" in call
    ]
    assert installs == [
        "-c constraints.txt torch",
        "-c constraints.txt hatchling",
        "-c constraints.txt --no-build-isolation -e .[test]",
    ]


def test_a_second_call_starts_no_python_at_all(machine):
    machine.add_environment()
    machine.install("test")
    for kind in ("test", "run"):
        assert machine.install(kind).returncode == 0
        assert machine.calls("python") == []


def test_an_environment_for_running_does_not_pass_for_one_for_testing(machine):
    machine.add_environment()
    machine.install("run")
    machine.install("test")
    assert any(call.endswith("-e .[test]") for call in machine.calls("python"))


@pytest.mark.parametrize(
    "changed", ["pyproject.toml", "constraints.txt", "packaging/debian-packages.txt"]
)
def test_what_changed_is_installed_again(machine, changed):
    machine.add_environment()
    machine.install()
    with (machine.checkout / changed).open("a") as file:
        file.write("# changed\n")
    machine.install()
    assert machine.calls("python")


def test_a_failed_installation_is_tried_again(machine):
    machine.add(machine.checkout / ".venv/bin/python", '[[ "$*" != *"-e ."* ]]')
    assert machine.install().returncode != 0
    machine.add_environment()
    assert machine.install().returncode == 0
    assert any(call.endswith("-e .") for call in machine.calls("python"))


def test_missing_packages_are_named_in_one_sentence_where_apt_may_not_be_used(machine):
    machine.add_environment()
    machine.add_dpkg("libegl1", "libglib2.0-0t64")
    run = machine.install()
    assert run.returncode == 0, "the libraries may be there by another way"
    (sentence,) = (line for line in run.stderr.splitlines() if "apt-get install" in line)
    named = sentence.partition("apt-get install ")[2].split()
    absent = {"python3-venv", "libegl1", "libglib2.0-0"}
    assert named == [name for name in packages("debian-packages.txt") if name not in absent]


def test_nothing_is_said_where_all_packages_are_there(machine):
    machine.add_environment()
    machine.add_dpkg(*packages("debian-packages.txt", "debian-packages-test.txt"))
    assert "apt-get" not in machine.install("test").stderr


def test_apt_is_given_what_is_missing_and_its_lists_are_fetched_when_it_fails(machine):
    machine.add_environment()
    machine.add_dpkg(*(name for name in packages("debian-packages.txt") if name != "libegl1"))
    machine.add("sudo", 'shift; exec "$@"')
    machine.add("apt-get", f'[[ "$*" == *update* ]] || grep -q "update" "{machine.calls_file}"')
    run = machine.install()
    assert run.returncode == 0
    asked = [
        "update" if "update" in call else call.split()[-1] for call in machine.calls("apt-get")
    ]
    assert asked == ["libegl1", "update", "libegl1"]
    assert "sudo apt-get" not in run.stderr


def test_a_second_call_names_what_is_missing_and_does_not_wait_for_apt(machine):
    machine.add_environment()
    machine.add_dpkg()
    machine.add("sudo", 'shift; exec "$@"')
    machine.add("apt-get", "exit 1")
    assert machine.install().returncode == 0
    assert machine.calls("apt-get")
    again = machine.install()
    assert (again.returncode, machine.calls("apt-get")) == (0, [])
    assert "sudo apt-get install" in again.stderr


def test_without_a_fitting_python_the_way_out_is_named(machine):
    machine.add("python3", "exit 1")
    run = machine.install(PYTHON="python3")
    assert run.returncode == 1
    assert "install python3 and python3-venv" in run.stderr


def test_the_users_own_active_environment_is_left_alone(machine, tmp_path):
    mine = tmp_path / "mine"
    machine.add(mine / "bin/python", "exit 0")
    machine.add_environment()
    machine.install(VIRTUAL_ENV=str(mine), PYTHONPATH=str(mine))
    assert sorted(mine.rglob("*")) == [mine / "bin", mine / "bin/python"]
    assert machine.calls("python")
