"""What is known to be wrong with published checkpoints: dated data with its sources.

Every entry was reported in public and is dated by its report; whether the Hub has changed since
is for a check of the weights' hashes to say. A *known bad* checkpoint isn't what its name says, or
isn't there at all: it is left out of "all steps" unless asked for. A *note* is something to
know before comparing, and never a fault of the checkpoint.
"""

from dataclasses import dataclass
from typing import Literal

from pythia_gui.core.steps import EARLY_STEPS, LAST_STEP

Severity = Literal["known bad", "note"]
Kind = Literal[
    "weights of another step",
    "hybrid of two steps",
    "missing weights",
    "identical by design",
    "reported equal",
    "differs from main",
    "replaced upstream",
    "not from its own start",
    "renamed steps",
    "other initialisation",
    "training data",
]

_ISSUES = "https://github.com/EleutherAI/pythia/issues"
_README = "https://github.com/EleutherAI/pythia#using-pythia"
_HUB = "https://huggingface.co/EleutherAI"


@dataclass(frozen=True, slots=True)
class Defect:
    """One report about one model.

    Attributes:
        model: the model's name without its owner, as in `pythia-2.8b`.
        steps: the steps concerned, ascending; empty where it concerns the model as a whole.
        reason: one sentence, fit for a badge's tool tip.
        source: where it was reported.
        dated: ISO date of the report, or of the release that brought it about.
    """

    model: str
    steps: tuple[int, ...]
    kind: Kind
    severity: Severity
    reason: str
    source: str
    dated: str


# The lists of issue 205, by the SHA-256 of each branch's model.safetensors.
_SAME_AS_MAIN_2_8B = (
    *EARLY_STEPS,
    *range(1_000, 53_001, 1_000),
    *(55_000, 60_000, 65_000, 70_000, 80_000, 90_000),
    *(100_000, 103_000, 110_000, 120_000, 130_000, 140_000),
)
_SAME_AS_LAST_2_8B = (
    *(54_000, 56_000, 57_000, 58_000, 59_000),
    *(61_000, 62_000, 63_000, 64_000),
)

_DEFECTS_2_8B = (
    Defect(
        "pythia-2.8b",
        _SAME_AS_MAIN_2_8B,
        "weights of another step",
        "known bad",
        "This branch serves the final model: its file is the same, bit for bit, as main's.",
        f"{_ISSUES}/205",
        "2026-08-14",
    ),
    Defect(
        "pythia-2.8b",
        _SAME_AS_LAST_2_8B,
        "weights of another step",
        "known bad",
        "This branch serves the weights of the end of training: its file is the same, bit for bit, "
        "as that of step 143,000.",
        f"{_ISSUES}/205",
        "2026-08-14",
    ),
    Defect(
        "pythia-2.8b",
        (LAST_STEP,),
        "differs from main",
        "note",
        "These are weights of the end of training, but the file differs from main's outside the "
        "embeddings, where other models have the same file under both names.",
        f"{_ISSUES}/205",
        "2026-08-14",
    ),
)

_DEFECTS_12B = (
    Defect(
        "pythia-12b",
        (50_000, 58_000),
        "hybrid of two steps",
        "known bad",
        "The first shard (input embeddings and early layers) is the final model's, so this "
        "checkpoint mixes two steps and never existed in training.",
        f"{_ISSUES}/206",
        "2026-08-14",
    ),
    Defect(
        "pythia-12b-deduped",
        (32_000,),
        "replaced upstream",
        "note",
        "This branch once held weights that did as well as the last step's and was uploaded again "
        "in June 2023: a copy from before then is wrong.",
        f"{_ISSUES}/108",
        "2023-06-06",
    ),
)


def _missing(model: str, step: int) -> Defect:
    reason = "The branch of this step was reported to hold no weights."
    return Defect(
        model, (step,), "missing weights", "known bad", reason, f"{_ISSUES}/202", "2026-07-17"
    )


_MISSING = (
    _missing("pythia-410m-seed2", 111_000),
    _missing("pythia-410m-seed6", 88_000),
    _missing("pythia-410m-seed9", 40_000),
)

_EIGHT_SIZES = ("70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b")
_SIXTEEN = tuple(f"pythia-{size}{data}" for size in _EIGHT_SIZES for data in ("", "-deduped"))
_RESEEDED_SIZES = ("14m", "31m", "70m", "160m", "410m")
_SEEDED = tuple(f"pythia-{size}-seed{seed}" for size in _RESEEDED_SIZES for seed in range(1, 10))


def _first_step(model: str) -> Defect:
    return Defect(
        model,
        (0, 1),
        "identical by design",
        "note",
        "Steps 0 and 1 have the same weights in every Pythia model, since the learning rate of the "
        "first step was 0: this is no fault.",
        "https://github.com/EleutherAI/gpt-neox/issues/1373",
        "2026-02-14",
    )


def _second_step(model: str) -> Defect:
    return Defect(
        model,
        (0, 2),
        "reported equal",
        "note",
        "Steps 0 and 2 were reported to have the same weights in every model of the suite; nobody "
        "has confirmed it.",
        f"{_ISSUES}/198",
        "2026-05-18",
    )


# In pythia-2.8b these branches serve the final model, so there is nothing to say of them here.
_EARLY = tuple(model for model in _SIXTEEN if model != "pythia-2.8b")
_FIRST_STEPS = (
    *(_first_step(model) for model in ("pythia-14m", "pythia-31m", *_EARLY, *_SEEDED)),
    *(_second_step(model) for model in _EARLY),
)


def _other_initialisation(model: str) -> Defect:
    return Defect(
        model,
        (0,),
        "other initialisation",
        "note",
        "The 6.9B and 12B models were initialised in another way than the smaller ones, so step 0 "
        "doesn't compare across these sizes.",
        f"{_ISSUES}/135",
        "2023-11-17",
    )


_OTHER_INITIALISATION = tuple(
    _other_initialisation(f"pythia-{size}{data}")
    for size in ("6.9b", "12b")
    for data in ("", "-deduped")
)


def _renamed_steps(model: str) -> Defect:
    return Defect(
        model,
        (),
        "renamed steps",
        "note",
        "Trained with a batch of 4M tokens for 71,500 steps: the names of its steps count tokens, "
        "so that step 1,000 is real step 500.",
        _README,
        "2023-04-03",
    )


_RENAMED_STEPS = tuple(
    _renamed_steps(f"pythia-{size}{data}-v0")
    for size in ("160m", "410m", "1.4b")
    for data in ("", "-deduped")
)

_TRAINING_DATA = (
    Defect(
        "pythia-14m",
        (),
        "training data",
        "note",
        "Until 27 February 2026 this repository held a model trained on the deduplicated Pile, now "
        "named pythia-14m-deduped: a copy from before then has other weights.",
        f"{_HUB}/pythia-14m",
        "2026-02-27",
    ),
    Defect(
        "pythia-31m",
        (),
        "training data",
        "note",
        "The project's README lists this model as trained on the Pile; its configuration file and "
        "its card say the deduplicated Pile.",
        "https://github.com/EleutherAI/pythia/blob/main/models/31M/pythia-31m.yml",
        "2024-07-09",
    ),
)


def _not_from_its_start(model: str) -> Defect:
    return Defect(
        model,
        (0,),
        "not from its own start",
        "note",
        "The later checkpoints of this model don't descend from this one: from step 1 on they "
        "start from the initialisation that the data-seed models share.",
        f"{_ISSUES}/203",
        "2026-07-21",
    )


# Not in the catalogue, but a user may open them by their Hub name.
_WEIGHT_SEEDS = tuple(_not_from_its_start(f"pythia-160m-weight-seed{seed}") for seed in (1, 2))

DEFECTS: tuple[Defect, ...] = (
    *_DEFECTS_2_8B,
    *_DEFECTS_12B,
    *_MISSING,
    *_FIRST_STEPS,
    *_OTHER_INITIALISATION,
    *_RENAMED_STEPS,
    *_TRAINING_DATA,
    *_WEIGHT_SEEDS,
)
"""Every report, the gravest first."""


def defects_of(model: str, step: int | None = None) -> tuple[Defect, ...]:
    """Return what is known about a model, or about one of its checkpoints.

    Args:
        model: a model's name; the owner may stand before it, and case doesn't matter.
        step: where given, only what concerns this step by number, known bad before notes.
    """
    name = model.casefold().removeprefix("eleutherai/")
    of_model = (defect for defect in DEFECTS if defect.model == name)
    return tuple(defect for defect in of_model if step is None or step in defect.steps)


def known_bad(model: str) -> dict[int, str]:
    """Return the known-bad steps of a model with the reason for each, by ascending step."""
    reasons = {
        step: defect.reason
        for defect in defects_of(model)
        if defect.severity == "known bad"
        for step in defect.steps
    }
    return dict(sorted(reasons.items()))
