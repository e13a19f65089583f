"""The display and the program that the end-to-end tests share."""

import pytest

from tests.e2e.desktop import Display, Program


@pytest.fixture(scope="session")
def display(tmp_path_factory):
    made = Display(tmp_path_factory.mktemp("display"))
    yield made
    made.close()


@pytest.fixture
def program(display, tmp_path, repository):
    made = Program.start(display, tmp_path, repository)
    yield made
    said = made.end()
    assert "Traceback" not in said, said
    assert "Warning" not in said, said
