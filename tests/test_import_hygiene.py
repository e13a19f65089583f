"""What importing the program may load, and what the Qt under it must survive."""

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "accelerate", "pandas", "scipy")

SHOW_LOADED = """
import importlib, pkgutil, sys
for name in sys.argv[1].split(","):
    module = importlib.import_module(name)
    for part in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        importlib.import_module(part.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def python(*arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False
    )


def loaded_by(*modules: str) -> set[str]:
    """Return the top-level names in `sys.modules` after a fresh process imported `modules`."""
    run = python("-X", "dev", "-W", "error", "-c", SHOW_LOADED, ",".join(modules))
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def top_level_imports(*files: Path) -> set[str]:
    """Return the first names of all absolute imports in `files`, those in functions included."""
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_importing_the_window_loads_no_torch():
    loaded = loaded_by("pythia_gui.app", "pythia_gui.ui", "pythia_gui.worker")
    assert "PySide6" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("layer", ["cli", "store", "hub"])
def test_importing_a_layer_without_window_or_engine_loads_neither_qt_nor_torch(layer):
    assert loaded_by(f"pythia_gui.{layer}").isdisjoint({*HEAVY, "PySide6", "pyqtgraph"})


def test_core_is_the_standard_library_and_numpy(repository):
    imported = top_level_imports(*repository.glob("pythia_gui/core/**/*.py"))
    assert imported - set(sys.stdlib_module_names) <= {"numpy", "pythia_gui"}


def test_every_package_that_is_imported_is_declared(repository):
    imported = top_level_imports(*repository.glob("pythia_gui/**/*.py"))
    foreign = imported - set(sys.stdlib_module_names) - {"pythia_gui", "shiboken6"}
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    declared = " ".join(project["dependencies"]).lower().replace("_", "-")
    homes = packages_distributions()
    missing = [
        name
        for name in sorted(foreign)
        if not any(home.lower().replace("_", "-") in declared for home in homes.get(name, [name]))
    ]
    assert missing == []


def test_qt_survives_twenty_thousand_calls():
    """PySide6 6.12.0 on Python 3.11 loses a reference to None a call and aborts after 5,000."""
    run = python(
        "-c",
        "from PySide6.QtWidgets import QApplication, QSlider\n"
        "app = QApplication([])\n"
        "slider = QSlider()\n"
        "for value in range(20_000):\n"
        "    slider.setValue(value % 100)\n"
        "print('alive')",
    )
    assert (run.returncode, run.stdout) == (0, "alive\n"), run.stderr
