"""The one function that finds what ships with the program."""

from pathlib import Path

import pytest

from pythia_gui.core import resources
from pythia_gui.core.resources import resource_path


def test_a_checkout_serves_its_own_resources_folder():
    assert resource_path("icons").is_dir()
    assert resource_path("icons", "run.svg").is_file()


def test_the_path_is_absolute_whatever_the_working_directory(tmp_path, monkeypatch):
    before = resource_path("icons")
    monkeypatch.chdir(tmp_path)
    assert resource_path("icons") == before
    assert before.is_absolute()


def test_an_installed_wheel_is_preferred_to_a_folder_beside_it(tmp_path, monkeypatch):
    installed = tmp_path / "pythia_gui" / "_resources"
    installed.mkdir(parents=True)
    monkeypatch.setattr(resources, "_INSTALLED", installed)
    assert resource_path("icons", "run.svg") == installed / "icons" / "run.svg"


def test_a_file_that_is_not_there_yet_still_has_a_path():
    assert not resource_path("demo", "no-such-model").exists()


@pytest.mark.parametrize("parts", [("..", "README.md"), ("icons", "..", ".."), ("/etc/passwd",)])
def test_a_path_out_of_the_resources_is_refused(parts):
    with pytest.raises(ValueError, match="does not name a file"):
        resource_path(*parts)


def test_missing_resources_are_named_with_a_way_out(monkeypatch):
    nowhere = Path("/nonexistent")
    monkeypatch.setattr(resources, "_INSTALLED", nowhere)
    monkeypatch.setattr(resources, "_CHECKOUT", nowhere)
    with pytest.raises(FileNotFoundError, match="install pythia-gui again"):
        resource_path("icons")
