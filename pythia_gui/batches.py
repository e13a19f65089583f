"""What the miniatures were trained on, as the window shows it."""

from pythia_gui.demo.corpus import rows_at
from pythia_gui.demo.exposure import Exposure, counted_at, exposures_at, related_to, words_at
from pythia_gui.ui.values import SeenItem


class DemoBatches:
    """Generates the demo suite's corpus again, step by step; see `ui.window.Batches`."""

    def texts(self, step: int) -> tuple[str, ...]:
        """Return the rows of a step's batch; before the first step there was none."""
        return tuple(row.text for row in rows_at(step)) if step > 0 else ()

    def items(self, step: int, prompt: str) -> tuple[SeenItem, ...]:
        """Return what the corpus counts: what a prompt speaks of, its words, then all the rest."""
        exposures = (
            *related_to(prompt, step),
            *words_at(prompt, step),
            *exposures_at(step),
            *counted_at(step),
        )
        return tuple(_item(exposure) for exposure in dict.fromkeys(exposures))


def _item(seen: Exposure) -> SeenItem:
    return SeenItem(
        seen.name, seen.kind, seen.seen, seen.times, in_batch=seen.in_batch, note=seen.note
    )
