"""A run of the history: what makes two of them the same question."""

from dataclasses import replace

import pytest

from pythia_gui.core.history import Run
from pythia_gui.core.requests import Sampling

RUN = Run("key", "demo-s", 512, "ab", new_tokens=3, endings=((" x", "target"),))


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"step": 0},
        {"text": "abc"},
        {"token_ids": (1, 2)},
        {"new_tokens": 4},
        {"samples": 2},
        {"sampling": Sampling(temperature=1.0)},
        {"top_k": 5},
        {"special_tokens": True},
        {"cut_left": True},
        {"endings": ((" x", "foil"),)},
    ],
)
def test_what_is_asked_makes_another_question(change):
    assert replace(RUN, **change).question() != RUN.question()


@pytest.mark.parametrize(
    "change",
    [
        {"pins": (("key", 0),)},
        {"pair": (("key", 0), ("key", 512))},
        {"view": "Map"},
        {"when": "2026-01-01T00:00:00+00:00"},
        {"starred": True},
        {"id": 7},
    ],
)
def test_where_and_when_a_person_looked_makes_none(change):
    assert replace(RUN, **change).question() == RUN.question()
