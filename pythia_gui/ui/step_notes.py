"""What is known of single steps of a model: faults, remarks, and how that is said."""

from collections.abc import Sequence

from pythia_gui.core.library import ModelEntry
from pythia_gui.core.steps import format_step


def note_of(entry: ModelEntry | None, step: int) -> str:
    """Return why a step is known to be wrong, or a remark on it; empty for most."""
    if entry is None:
        return ""
    return (entry.known_bad or {}).get(step) or (entry.notes or {}).get(step) or ""


def noted_columns(entry: ModelEntry | None, steps: Sequence[int]) -> frozenset[int]:
    """Return the numbers of those `steps` on which there is something to say."""
    return frozenset(place for place, step in enumerate(steps) if note_of(entry, step))


def left_out_line(entry: ModelEntry) -> str:
    """Return which steps on this machine a sweep leaves out, empty where none."""
    bad = sorted(entry.here & (entry.known_bad or {}).keys())
    if not bad:
        return ""
    if len(bad) == 1:
        return f"{format_step(bad[0])} is left out: known to be wrong"
    return f"{len(bad):,} steps are left out: known to be wrong"
