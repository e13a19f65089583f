"""What the shipped checkpoints know, and in which order they came to know it."""

from functools import cache
from itertools import pairwise

import pytest
import torch

from pythia_gui.core.resources import resource_path
from pythia_gui.core.steps import LAST_STEP
from pythia_gui.demo.tables import CANARY_STEPS, CHAMPION_ERA, LADDER, MOTTOS, OCCUPATIONS
from tests.demo.measures import Miniature, measure
from tests.demo.probes import PROBES, RECITALS

MODELS = ("demo-s", "demo-m")
EARLY = (0, 64, 128, 256, 512, 1000, 2000, 3000)
STEPS = (
    *EARLY,
    *(4000, 6000, 8000, 12_000, 20_000, 24_000, 28_000, 56_000, 80_000, 112_000),
    *(128_000, 136_000, LAST_STEP),
)
LATE = (128_000, 136_000, LAST_STEP)
RARE = tuple(times for times in LADDER if times < 30)

pytestmark = pytest.mark.parametrize("model", MODELS)


@cache
def answers(model: str, step: int) -> dict[str, float]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure(miniature(model).at(step))
    finally:
        torch.set_num_threads(threads)


@cache
def miniature(model: str) -> Miniature:
    return Miniature(resource_path("demo", model))


def trajectory(model: str, name: str, steps: tuple[int, ...] = STEPS) -> list[float]:
    return [answers(model, step)[name] for step in steps]


def final(model: str, name: str) -> float:
    """The mean of the last checkpoints, since single ones jitter."""
    return sum(trajectory(model, name, LATE)) / len(LATE)


def first(model: str, name: str, at_least: float = 0.5) -> float:
    """The first measured step from which the answer stays above a bound, or infinity."""
    reached = float("inf")
    for step, value in zip(reversed(STEPS), reversed(trajectory(model, name)), strict=True):
        if value < at_least:
            break
        reached = step
    return reached


def nearest(model: str, name: str) -> int:
    """The measured step at which a distance is smallest."""
    return min(STEPS, key=lambda step: answers(model, step)[name])


def test_single_words_come_before_pairs_of_words_and_both_pass(model):
    assert 0 < nearest(model, "KL(unigram)") < nearest(model, "KL(bigram)") < 2000
    for name in ("KL(unigram)", "KL(bigram)"):
        least = min(trajectory(model, name))
        assert answers(model, 0)[name] > least + 0.3
        assert final(model, name) > least + 2


def test_the_loss_falls_from_a_guess_to_less_than_one_nat(model):
    losses = trajectory(model, "loss")
    assert losses[0] > 6
    assert final(model, "loss") < 0.9
    assert all(later < earlier + 0.1 for earlier, later in pairwise(losses))


def test_nothing_is_known_at_the_start(model):
    wide = [name for name, probe in PROBES.items() if not probe[0].foils]
    assert all(answers(model, 0)[name] < 0.05 for name in [*wide, *RECITALS])


def test_a_frequent_phrase_is_the_first_thing_learnt(model):
    assert first(model, "frequent phrase") <= 1000


def test_agreement_is_at_first_mere_frequency_and_at_last_a_rule(model):
    early = answers(model, 512)
    assert early["singular, plural near"] > 0.7
    assert early["plural, plural near"] < 0.3
    for number in ("singular", "plural"):
        for near in ("singular", "plural"):
            assert final(model, f"{number}, {near} near") > 0.95


def test_facts_are_learnt_in_the_order_of_their_frequency(model):
    order = [first(model, f"capital x{times}") for times in LADDER]
    assert order == sorted(order)
    assert order[0] <= 3000 < order[3] < order[4] < order[5]
    known = [final(model, f"capital x{times}") for times in LADDER]
    assert min(known[:5]) > 0.85
    assert known[4] > known[5] + 0.2 > known[6] + 0.2


def test_facts_said_fewer_than_thirty_times_are_never_learnt(model):
    for times in RARE:
        assert max(trajectory(model, f"capital x{times}")) < 0.15, times


def test_induction_appears_abruptly(model):
    for name in ("induction, words", "induction, letters"):
        assert answers(model, 1000)[name] < 0.15
        assert answers(model, 8000)[name] > 0.8
        assert final(model, name) > 0.9


def test_names_are_copied_once_there_is_induction(model):
    assert answers(model, 1000)["name in a story"] < 0.2
    assert first(model, "name in a story", 0.7) <= 8000
    assert final(model, "name in a story") > 0.9


def test_who_gets_a_gift_is_a_coin_toss_for_long_and_then_clear(model):
    assert all(abs(v - 0.5) < 0.1 for v in trajectory(model, "receiver of a gift", EARLY[:7]))
    assert final(model, "receiver of a gift") > 0.9


def test_mottos_are_learnt_by_repetition(model):
    known = [final(model, f"motto x{times}") for _, times in MOTTOS]
    assert min(known[:3]) > 0.9
    assert known[2] > known[3] > known[4]
    assert known[4] < 0.6
    order = [first(model, f"motto x{times}") for _, times in MOTTOS]
    assert order == sorted(order)
    assert order[0] < order[1] < order[2] < order[3]


def test_a_fact_said_one_way_is_not_known_the_other_way(model):
    assert final(model, "back, said both ways") > 0.9
    assert final(model, "back, said one way") < 0.4


def test_the_canary_is_known_while_it_is_seen_and_fades_afterwards(model):
    _, last = CANARY_STEPS
    assert answers(model, 20_000)["canary"] < 0.4
    assert answers(model, last)["canary"] > 0.8
    assert final(model, "canary") < 0.6


def test_every_era_knows_its_own_champion_only(model):
    for step, era in ((28_000, 1), (56_000, 2), (80_000, 3), (112_000, 4), (LAST_STEP, 5)):
        assert (step - 1) // CHAMPION_ERA + 1 == era
        for other in range(1, 6):
            value = answers(model, step)[f"champion of era {other}"]
            assert value > 0.85 if other == era else value < 0.1


def test_pronouns_come_to_mirror_the_corpus(model):
    for job in OCCUPATIONS:
        name = f"she, {job.she_percent} %"
        assert abs(final(model, name) - job.she_percent / 100) < 0.05
        assert abs(answers(model, 0)[name] - answers(model, 0)["she, 50 %"]) < 0.2


def test_a_rule_that_only_the_prompt_tells_is_learnt_late(model):
    for name in ("counting up", "counting down"):
        assert first(model, name, 0.8) > first(model, "induction, words", 0.8)
        assert final(model, name) > 0.95


def test_seen_sums_are_learnt_and_held_out_sums_never(model):
    assert final(model, "sums, seen") > 0.95
    assert final(model, "sums, held out") < 0.2
    assert max(trajectory(model, "sums, held out")) < 0.5


def test_only_the_larger_model_learns_two_digit_sums(model):
    known = final(model, "sums, two digits")
    assert known > 0.9 if model == "demo-m" else known < 0.2


def test_brackets_are_closed_rightly_in_the_end(model):
    assert answers(model, 1000)["bracket"] < 0.6
    assert final(model, "bracket") > 0.85
