"""What is known of a curve while it is being computed again."""

import threading
from dataclasses import replace

from pythia_gui.core.events import Result
from pythia_gui.ui.answers import of_one_dtype
from tests.fakes import FakeEngine, asking


def results(dtype: str, *steps: int) -> dict[int, Result]:
    events = FakeEngine().run(asking(*steps), threading.Event())
    found = [event for event in events if isinstance(event, Result)]
    return {result.checkpoint.step: replace(result, dtype=dtype) for result in found}


def test_a_curve_that_is_computed_again_in_float32_never_joins_both_dtypes():
    half, again = results("float16", 0, 1, 2, 4), results("float32", 0, 1)
    assert of_one_dtype(half) == half
    assert of_one_dtype(half | again) == again
    assert of_one_dtype({}) == {}
