"""Two answers side by side: measures by name, means, remarks, the table."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pythia_gui.core.events import Alternatives, Divergence, Result, Score
from pythia_gui.core.library import FactLine, ModelEntry
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.views.pair_data import (
    MEASURES,
    NAMES,
    TIPS,
    PairMeasure,
    Side,
    compared,
    difference_text,
    in_words,
    pair_table,
    remarks,
    summary,
    value_text,
    values_of,
)
from tests.fakes import checkpoint, prompt

ENTRY = ModelEntry("m", "m", "S", "folder", (0, 512), frozenset((0, 512)), None, 64)


def answer(step, probs, ranks, first, **changes):
    """What a checkpoint says of "abc": probabilities, ranks and first choices of its tokens."""
    count = len(probs)
    listed = np.array([[choice, choice + 1] for choice in first], np.int64)
    top = Alternatives(listed, np.tile(np.array([0.5, 0.25], np.float32), (count, 1)))
    logprobs = np.log(np.array(probs, np.float32))
    numbers = np.zeros(count, np.float32)
    score = Score(np.arange(97, 97 + count), logprobs, np.array(ranks), numbers, top)
    at = checkpoint(step, "m")
    made = Result(at, prompt("abc"), "cpu", "cpu", "float32", {97: "a", 98: "b"}, score)
    return replace(made, **changes)


def bits(*values):
    return np.array([math.nan, *values], np.float32)


def a(**changes):
    return answer(0, [math.nan, 0.5, 0.25], [0, 1, 70], (0, 5, 9), **changes)


def b(**changes):
    apart = Divergence("0", bits(1.0, 3.0), bits(2.0, 5.0), bits(0.25, 0.75))
    known = {"divergence": apart} | changes
    return answer(512, [math.nan, 0.25, 0.5], [0, 3, 1], (0, 5, 7), **known)


def shown(one=None, other=None, entry_a=ENTRY, entry_b=ENTRY, **changes):
    return compared(("a", "b", " c"), entry_a, entry_b, one or a(), other or b(), **changes)


def test_every_measure_is_the_second_answer_against_the_first():
    found = values_of(a(), b())
    expected: dict[PairMeasure, tuple[float, float]] = {
        "prob_difference": (-0.25, 0.25),
        "prob_a": (0.5, 0.25),
        "prob_b": (0.25, 0.5),
        "rank_difference": (2, -69),
        "clamped_rank_difference": (2, -49),
        "rank_a": (1, 70),
        "rank_b": (3, 1),
        "top10_overlap": (2, 0),
        "kl_ab": (1.0, 3.0),
        "kl_ba": (2.0, 5.0),
        "js": (0.25, 0.75),
    }
    assert set(found) == set(MEASURES) == set(expected)
    for measure, values in expected.items():
        assert found[measure][1:] == pytest.approx(values)


def test_of_the_first_token_nothing_is_known():
    assert all(math.isnan(values[0]) for values in values_of(a(), b()).values())


def test_without_a_divergence_its_measures_are_gaps_and_the_others_are_not():
    found = values_of(a(), b(divergence=None))
    assert np.isnan(found["kl_ab"]).all()
    assert np.isnan(found["js"]).all()
    assert not np.isnan(found["rank_difference"][1:]).any()


def test_answers_without_scores_are_refused():
    with pytest.raises(ValueError, match="need scores"):
        values_of(a(score=None), b())


def test_the_summary_is_the_mean_over_the_predicted_tokens():
    found = summary(shown())
    half_and_quarter = (math.log(0.5) + math.log(0.25)) / 2
    assert found.logprob_a == pytest.approx(half_and_quarter)
    assert found.logprob_b == pytest.approx(half_and_quarter)
    assert (found.kl_ab, found.kl_ba, found.js) == pytest.approx((2.0, 3.5, 0.5))
    assert (found.same, found.positions) == (1, 2)


def test_the_summary_in_words_has_units_and_true_minus_signs():
    said = in_words(summary(shown()))
    assert said.logprob_a == "mean log-probability −1.040 nats"
    assert said.apart == "mean KL(A‖B) 2.00, KL(B‖A) 3.50, JS 0.500 bits"
    assert said.agreement == "same first choice at 1 of 2 tokens (50 %)"


@pytest.mark.parametrize(
    ("value", "measure", "text"),
    [
        (0.25, "prob_difference", "+25.0 pp"),
        (-0.25, "prob_difference", "−25.0 pp"),
        (0.25, "prob_a", "25.0 %"),
        (-69.0, "rank_difference", "−69"),
        (1200.0, "rank_difference", "+1,200"),
        (1200.0, "rank_b", "1,200"),
        (3.0, "top10_overlap", "3 of 10"),
        (1.5, "kl_ab", "1.500 bits"),
        (math.nan, "js", "–"),
    ],
)
def test_numbers_read_with_sign_and_unit(value, measure, text):
    assert value_text(value, measure) == text


def test_a_small_difference_keeps_its_digits():
    assert difference_text(0.00012) == "+0.0120 pp"


def test_every_measure_has_a_name_and_says_what_it_means():
    assert len(set(NAMES.values())) == len(MEASURES) == 11
    assert all(TIPS[measure] for measure in MEASURES)


def test_the_table_has_a_row_per_token_with_every_measure_and_both_origins():
    made = pair_table(shown())
    rows = [dict(zip([c.name for c in made.columns], row, strict=True)) for row in made.rows]
    assert [row["Token"] for row in rows] == ["a", "b", " c"]
    assert [row["No."] for row in rows] == [1, 2, 3]
    assert [row["Rank to 50, B − A"] for row in rows] == [None, 2, -49]
    assert [row["KL(B‖A) (bits)"] for row in rows] == [None, 2.0, 5.0]
    for letter, step in (("A", 0), ("B", 512)):
        own = {row[f"{letter} {part}"] for row in rows for part in ("model", "dtype", "device")}
        assert own == {"m", "float32", "cpu"}
        assert {row[f"{letter} step"] for row in rows} == {step}
        weights = checkpoint(step, "m").weights_sha256
        assert {row[f"{letter} weights"] for row in rows} == {weights}


def test_the_csv_gives_ranks_as_whole_numbers_and_gaps_as_nothing():
    lines = pair_table(shown()).as_csv().splitlines()
    assert lines[1].startswith("1,a,,,,,,,,,,,,,,m,0,")
    assert ",70,1," in lines[3]


def test_other_dtypes_and_devices_are_remarked():
    said = remarks_of(a(dtype="bfloat16"), b(device_class="cuda"))
    assert said == (
        "A was computed in bfloat16, B in float32: allow for rounding.",
        "A and B were computed on different devices: allow for rounding.",
    )
    assert remarks_of(a(), b()) == ()


def remarks_of(one, other, entry_a=ENTRY, entry_b=ENTRY):
    return remarks(Side("A", entry_a, one), Side("B", entry_b, other))


def test_what_is_known_of_a_step_is_said_of_its_side():
    entry = replace(ENTRY, notes={512: "the weights of step 256"}, real_steps={512: 256})
    assert remarks_of(a(), b(), entry, entry) == (
        "B, step 512: the weights of step 256",
        "B: step 512 is really step 256 of that training.",
    )


def test_of_two_models_the_facts_that_differ_are_said():
    facts = (FactLine("Data", "the Pile."), FactLine("Layers", "6"))
    other = replace(ENTRY, key="n", facts=(FactLine("Data", "the Pile, deduplicated."),))
    said = remarks_of(a(), b(), replace(ENTRY, facts=facts), other)
    assert said == ("A: the Pile.", "B: the Pile, deduplicated.")


def test_the_other_initialisation_of_the_largest_sizes_is_said(tmp_path):
    library = LocalLibrary(None, cache=tmp_path)
    small, _ = library.find("pythia-70m")
    large, _ = library.find("pythia-12b")
    said = remarks_of(b(), b(), small, large)
    assert len([text for text in said if text.startswith("B: ") and "initialised" in text]) == 1
    assert remarks_of(b(), b(), large, large) == ()
