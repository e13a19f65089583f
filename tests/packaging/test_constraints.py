"""The exact versions that an installation gets."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
PINS: dict[str, str] = {
    canonicalize_name(name): version for name, _, version in (s.partition("==") for s in LINES)
}
BUILD_TOOLS = {"pip"}


def closure(*requirements: str) -> set[str]:
    """Return the names of all packages that `requirements` bring with them here."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if name in found and extras == {""}:
            continue
        found.add(name)
        for text in distribution(name).requires or []:
            child = Requirement(text)
            if not child.marker or any(child.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(Requirement(text.partition(";")[0]))
    return found


def project_requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["test"]]


def test_every_package_that_an_installation_brings_is_pinned():
    assert closure(*project_requirements()) - set(PINS) - BUILD_TOOLS == set()


def test_every_pin_is_an_exact_public_version_of_some_package():
    """No build suffix, address or path: any index or folder with that version serves it."""
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in LINES)
    assert len(PINS) == len(LINES)


def test_the_pins_fit_what_the_project_asks_for():
    for text in project_requirements():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            pin = PINS[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(Version(pin)), text


def test_torch_and_qt_are_the_versions_that_were_checked():
    assert PINS["torch"] == "2.13.0"
    assert PINS["pyside6-essentials"] == PINS["shiboken6"] == "6.11.3"
