"""The built wheel, in a fresh environment and away from the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from pythia_gui import __version__

ROOT = Path(__file__).resolve().parents[2]


def run(*command, cwd, timeout_s=110):
    """Run `command` outside the checkout; nothing but the fresh environment is on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this checkout without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    run(*build, cwd=ROOT)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def fresh(wheel, tmp_path_factory):
    """A new environment that holds the wheel, and borrows what the wheel depends on.

    The dependencies come from the environment of the tests by a path entry. Such an entry does not
    read the .pth files there, so the checkout's editable install stays out of sight.
    """
    folder = tmp_path_factory.mktemp("fresh") / "environment"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (site_packages,) = folder.glob("lib/python3*/site-packages")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps")
    run(*pip, wheel, cwd=folder)
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_carries_the_package_and_its_resources_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.partition("/")[0] for name in names}
    assert folders == {"pythia_gui", f"pythia_gui-{__version__}.dist-info"}
    shipped = {
        path.relative_to(ROOT / "resources").as_posix()
        for path in (ROOT / "resources").rglob("*")
        if path.is_file()
    }
    prefix = "pythia_gui/_resources/"
    carried = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    assert carried == shipped
    assert not [name for name in names if "__pycache__" in name]


def test_the_installed_program_and_its_resources_come_from_the_fresh_environment(fresh, tmp_path):
    show = (
        "import json, pythia_gui\n"
        "from pythia_gui.core.resources import resource_path\n"
        "print(json.dumps([pythia_gui.__file__, str(resource_path('icons', 'run.svg'))]))"
    )
    package, icon = map(Path, json.loads(run(fresh / "bin/python", "-c", show, cwd=tmp_path)))
    assert package.is_relative_to(fresh)
    assert icon.is_relative_to(fresh)
    assert icon.is_file()


def test_the_installed_program_sweeps_the_demo_suite(fresh, tmp_path):
    prompt = "The "
    sweep = ("sweep", "--model", "demo-s", "--steps", "0,512,143000", "--prompt", prompt)
    document = json.loads(run(fresh / "bin/pythia-gui", *sweep, "--no-cache", cwd=tmp_path))
    assert document["version"] == __version__
    assert [result["step"] for result in document["results"]] == [0, 512, 143000]
    assert [result["error"] for result in document["results"]] == [None] * 3
    assert all(result["next"] for result in document["results"])
