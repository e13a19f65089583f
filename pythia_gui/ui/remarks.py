"""What must be known of a model before its curve is compared with another's."""

from collections.abc import Iterable, Sequence

from pythia_gui.core.defects import Defect, defects_of
from pythia_gui.core.library import ModelEntry

_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_MOST_NAMED = 4


def remarks_of(entry: ModelEntry) -> tuple[str, ...]:
    """Return the sentences that concern a model's curve, the gravest first.

    They tell of steps left out, steps that repeat other weights, steps named by tokens, another
    initialisation, another precision, and runs that the paper counts among its outliers.
    """
    reported = (_reported(entry, defect) for defect in defects_of(entry.name))
    facts = (fact.text for fact in entry.facts if _concerns(fact.label, fact.text))
    return tuple(dict.fromkeys([*filter(None, reported), *_other_bad(entry), *facts]))


def _concerns(label: str, text: str) -> bool:
    return (label == "Precision" and "bfloat16" in text) or (label == "Seed" and "outliers" in text)


def _reported(entry: ModelEntry, defect: Defect) -> str:
    """Return what a report says of the steps that are here, empty where it concerns none."""
    if not defect.steps or defect.kind == "other initialisation":
        return defect.reason
    here = sorted(entry.here.intersection(defect.steps))
    if not here or (defect.severity == "note" and len(defect.steps) > len(here)):
        return ""
    if defect.reason.startswith("Steps "):  # it names them itself
        return defect.reason
    left_out = "left out: " if defect.severity == "known bad" else ""
    return f"{_named(here)} {left_out}{defect.reason}"


def _other_bad(entry: ModelEntry) -> Iterable[str]:
    """Yield the reasons for steps left out that no report names."""
    bad = entry.known_bad or {}
    reported = {step for defect in defects_of(entry.name) for step in defect.steps}
    for reason in dict.fromkeys(bad.values()):
        steps = [step for step, why in bad.items() if why == reason and step not in reported]
        if here := sorted(entry.here.intersection(steps)):
            yield f"{_named(here)} left out: {reason}"


def _named(steps: Sequence[int]) -> str:
    if len(steps) > _MOST_NAMED:
        return f"{len(steps)} steps from {steps[0]:,} to {steps[-1]:,}:"
    return f"Step {steps[0]:,}:" if len(steps) == 1 else f"Steps {', '.join(map(_comma, steps))}:"


def _comma(step: int) -> str:
    return f"{step:,}"


def raised(number: int) -> str:
    """Return a number as a raised mark, such as `¹²`."""
    return "".join(_RAISED[int(digit)] for digit in str(number))
