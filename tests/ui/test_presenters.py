"""From results to what is shown: no number is lost, none is made up."""

from dataclasses import replace

import numpy as np
import pytest

from pythia_gui.core.events import Alternatives, Continuation, Result, Score, TargetScore
from pythia_gui.core.library import ModelEntry
from pythia_gui.core.requests import Prompt
from pythia_gui.ui import presenters as show
from pythia_gui.ui.questions import coarse_first
from tests.fakes import checkpoint

TOP = Alternatives(
    np.array([[0, 0], [5, 6]]), np.array([[np.nan, np.nan], [0.75, 0.25]], np.float32)
)
RESULT = Result(
    checkpoint(512, "pythia-70m", commit="abcdef1234567890"),
    Prompt("ab", (1, 2)),
    "cpu",
    "cpu",
    "float32",
    texts={5: " x", 6: "y"},
    score=Score(
        np.array([1, 2]),
        np.array([np.nan, -0.5], np.float32),
        np.array([0, 3]),
        np.array([np.nan, 1.5], np.float32),
        TOP,
    ),
    continuations=(
        Continuation(
            0,
            7,
            " x",
            np.array([5]),
            (" x",),
            np.array([-0.25], np.float32),
            np.array([-np.inf], np.float32),
            np.array([1]),
            np.array([0.5], np.float32),
            Alternatives(np.array([[5, 6]]), np.array([[0.75, 0.25]], np.float32)),
        ),
    ),
)
ENTRY = ModelEntry(
    key="k",
    name="pythia-70m",
    suite="Pythia",
    source="hub",
    steps=(0, 1, 512, 1_000),
    here=frozenset((0, 512, 1_000)),
    batch_tokens=2_097_152,
    context=2_048,
    known_bad={0: "bad"},
    notes={1: "note"},
    real_steps={1_000: 500},
)


def test_the_first_token_has_no_number_at_all():
    first, second, *_ = show.text_of_result("pythia-70m", RESULT, ("a", "b")).tokens
    assert (first.logprob, first.rank, first.entropy, first.choices) == (None, None, None, ())
    assert (second.logprob, second.rank, second.entropy) == (-0.5, 3, 1.5)
    assert [(c.token_id, c.text, c.prob) for c in second.choices] == [
        (5, " x", 0.75),
        (6, "y", 0.25),
    ]


def test_what_the_model_wrote_is_marked_and_follows_the_prompt():
    text = show.text_of_result("pythia-70m", RESULT, ("a", "b"))
    assert [(token.text, token.written) for token in text.tokens] == [
        ("a", False),
        ("b", False),
        (" x", True),
    ]
    assert text.tokens[2].sampler_logprob == -np.inf


def test_a_text_says_where_it_comes_from():
    text = show.text_of_result("pythia-70m", RESULT, ("a", "b"))
    weights = (RESULT.checkpoint.weights_sha256 or "")[:10]
    assert text.provenance == (
        f"pythia-70m · step 512 · commit abcdef1234 · weights {weights} · float32 on cpu"
    )
    assert (text.model, text.step, text.state) == ("pythia-70m", 512, "done")


def test_an_error_has_a_sentence_and_no_numbers():
    failed = replace(RESULT, score=None, continuations=(), error="step 512 is damaged")
    text = show.text_of_result("pythia-70m", failed, ("a", "b"))
    assert (text.state, text.message, text.tokens) == ("error", "step 512 is damaged", ())


def test_a_gap_in_a_curve_is_a_point_with_its_reason():
    good = replace(RESULT, targets=(TargetScore(" x", (5,), -0.5, 1),))
    failed = replace(good, error="not finite", targets=())
    nan = replace(good, targets=(TargetScore(" x", (5,), float("nan"), 1),))
    (curve,) = show.curves_of(ENTRY, [(" x", "target")], {1: nan, 512: good, 1_000: failed})
    assert [(p.step, p.logprob, p.left_out) for p in curve.points] == [
        (0, None, True),
        (1, None, False),
        (512, -0.5, False),
        (1_000, None, False),
    ]
    assert [p.problem for p in curve.points] == [
        "bad",
        "this step gave no number for the target",
        "",
        "not finite",
    ]
    assert curve.points[2].tokens_seen == 512 * 2_097_152


def test_the_timeline_marks_what_is_here_computed_and_noted():
    marks = show.marks_of(ENTRY, frozenset({512}))
    assert [(m.step, m.on_disk, m.computed, m.badge, m.real_step) for m in marks] == [
        (0, True, False, "bad", None),
        (1, False, False, "note", None),
        (512, True, True, "", None),
        (1_000, True, False, "", 500),
    ]


def test_nobody_invents_tokens_where_the_batch_is_unknown():
    unknown = replace(ENTRY, batch_tokens=None)
    assert show.marks_of(unknown, frozenset())[0].tokens_seen is None
    assert show.step_line(unknown, 512) == "step 512"
    assert show.step_line(ENTRY, 1_000) == "step 1,000 · 2.1 B tokens seen · really step 500"


@pytest.mark.parametrize(
    ("elapsed", "fraction", "words"),
    [
        (0.5, 0.5, ""),
        (10, 0.01, ""),
        (10, 0.5, "10 s left"),
        (10, 0.99, "1 s left"),
        (600, 0.5, "10 min left"),
        (36_000, 0.5, "10.0 h left"),
        (10, 1.0, ""),
    ],
)
def test_the_time_left_is_said_once_it_can_be_told(elapsed, fraction, words):
    assert show.time_left(elapsed, fraction) == words


def test_a_sweep_begins_with_the_log_grid_and_leaves_nothing_out():
    steps = (0, 1, 2, 512, *range(1_000, 20_001, 1_000))
    order = coarse_first(steps)
    assert order[:9] == (0, 1, 2, 512, 1_000, 2_000, 4_000, 8_000, 16_000)
    assert sorted(order) == list(steps)
    assert coarse_first(()) == ()
