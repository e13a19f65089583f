"""Two checkpoints on one text, as values: the measures by name, means, remarks and a table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pythia_gui.core.events import Alternatives, Result
from pythia_gui.core.library import ModelEntry
from pythia_gui.core.measures import measures
from pythia_gui.core.steps import format_step
from pythia_gui.ui.tables import Cell, CellKind, Column, Table
from pythia_gui.ui.token_measures import probability_text, signed
from pythia_gui.ui.values import Choice

Values = NDArray[np.float64]

PairMeasure = Literal[
    "prob_difference",
    "prob_a",
    "prob_b",
    "rank_difference",
    "clamped_rank_difference",
    "rank_a",
    "rank_b",
    "top10_overlap",
    "kl_ab",
    "kl_ba",
    "js",
]
Kind = Literal["probability", "rank", "whole", "bits"]

CLAMPED: Final = 49
"""The largest clamped rank difference: between ranks 1 and 50."""

_TIPS_AND_NAMES: Final[tuple[tuple[PairMeasure, str, Kind, str], ...]] = (
    (
        "prob_difference",
        "Probability, B − A",
        "probability",
        "How much likelier B found the token than A",
    ),
    ("prob_a", "Probability, A", "probability", "How likely A found the token"),
    ("prob_b", "Probability, B", "probability", "How likely B found the token"),
    (
        "rank_difference",
        "Rank, B − A",
        "rank",
        "Places between B's rank of the token and A's; above 0, B thought less of it",
    ),
    (
        "clamped_rank_difference",
        "Rank to 50, B − A",
        "rank",
        "The difference of ranks with all beyond 50 taken for 50: moves far down don't count",
    ),
    ("rank_a", "Rank, A", "rank", "The token's place in A's list; 1 is the likeliest"),
    ("rank_b", "Rank, B", "rank", "The token's place in B's list; 1 is the likeliest"),
    ("top10_overlap", "Top 10 shared", "whole", "How many of A's ten likeliest B's ten hold"),
    (
        "kl_ab",
        "KL(A‖B)",
        "bits",
        "Bits lost by expecting B's distribution where A's holds; over the tokenizer's tokens",
    ),
    (
        "kl_ba",
        "KL(B‖A)",
        "bits",
        "Bits lost by expecting A's distribution where B's holds; over the tokenizer's tokens",
    ),
    (
        "js",
        "Jensen-Shannon",
        "bits",
        "How far apart the two distributions are: from 0 to 1 bit, the same both ways",
    ),
)
NAMES: Final = {key: name for key, name, _, _ in _TIPS_AND_NAMES}
KINDS: Final = {key: kind for key, _, kind, _ in _TIPS_AND_NAMES}
TIPS: Final = {key: tip for key, _, _, tip in _TIPS_AND_NAMES}
MEASURES: Final = tuple(NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two: its letter, model, and what it said of the text."""

    letter: Literal["A", "B"]
    entry: ModelEntry
    result: Result

    def choices(self, position: int) -> tuple[Choice, ...]:
        """Return the tokens that it found likeliest at a position, best first."""
        score = self.result.score
        return () if score is None else choices_at(score.top, position, self.result.texts)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A text under A and B: its tokens as they read, and each measure at each position.

    A measure has shape (position,), NaN where it is not known: at the first token always.
    `written` is how many tokens at the end were written by a model and not typed.
    """

    texts: tuple[str, ...]
    token_ids: tuple[int, ...]
    a: Side
    b: Side
    values: Mapping[PairMeasure, Values]
    written: int = 0

    @property
    def length(self) -> int:
        """How many tokens the text has."""
        return len(self.token_ids)

    def logprob(self, side: Side, position: int) -> float:
        """Return the log-probability (nats) of a token, NaN for the first."""
        score = side.result.score
        return math.nan if score is None else float(score.logprobs[position])


@dataclass(frozen=True, slots=True)
class Summary:
    """Means over the predicted tokens: nats, bits, and the share in [0, 1] of equal first choices.

    `same` of `positions` predicted tokens have one first choice in both.
    """

    logprob_a: float
    logprob_b: float
    kl_ab: float
    kl_ba: float
    js: float
    same: int
    positions: int


def compared(
    texts: Sequence[str],
    entry_a: ModelEntry,
    entry_b: ModelEntry,
    a: Result,
    b: Result,
    *,
    written: int = 0,
) -> Comparison:
    """Return the comparison of two answers that both have scores."""
    return Comparison(
        tuple(texts),
        a.prompt.token_ids,
        Side("A", entry_a, a),
        Side("B", entry_b, b),
        values_of(a, b),
        written,
    )


def values_of(a: Result, b: Result) -> dict[PairMeasure, Values]:
    """Return each measure of a text; the divergences are those of B from its reference A.

    Raises:
        ValueError: one has no scores, or they are of different texts.
    """
    if a.score is None or b.score is None:
        raise ValueError("both checkpoints need scores to be compared")
    eight = measures(a.score, b.score)
    blank = np.full(len(eight.prob_a), np.nan)
    apart = b.divergence
    return {
        "prob_difference": eight.prob_difference,
        "prob_a": eight.prob_a,
        "prob_b": eight.prob_b,
        "rank_difference": _known(eight.rank_difference),
        "clamped_rank_difference": _known(eight.clamped_rank_difference),
        "rank_a": _known(eight.rank_a),
        "rank_b": _known(eight.rank_b),
        "top10_overlap": _known(eight.top10_overlap),
        "kl_ab": blank if apart is None else apart.forward.astype(np.float64),
        "kl_ba": blank if apart is None else apart.backward.astype(np.float64),
        "js": blank if apart is None else apart.js.astype(np.float64),
    }


def _known(counts: NDArray[np.int64]) -> Values:
    """Return counts with a gap at the first token, of which nothing is known."""
    values = counts.astype(np.float64)
    values[:1] = np.nan
    return values


def choices_at(top: Alternatives, position: int, texts: Mapping[int, str]) -> tuple[Choice, ...]:
    """Return the alternatives of a position, those without a probability left out."""
    rows = zip(top.ids[position].tolist(), top.probs[position].tolist(), strict=True)
    return tuple(Choice(i, texts.get(i, ""), prob) for i, prob in rows if not math.isnan(prob))


def summary(shown: Comparison) -> Summary:
    """Return the means over the predicted tokens."""
    scores = [side.result.score for side in (shown.a, shown.b)]
    assert scores[0] is not None
    assert scores[1] is not None
    firsts = [score.top.ids[1:, 0] for score in scores if score is not None and score.top.ids.size]
    return Summary(
        logprob_a=_mean(scores[0].logprobs),
        logprob_b=_mean(scores[1].logprobs),
        kl_ab=_mean(shown.values["kl_ab"]),
        kl_ba=_mean(shown.values["kl_ba"]),
        js=_mean(shown.values["js"]),
        same=int((firsts[0] == firsts[1]).sum()) if len(firsts) == 2 else 0,
        positions=shown.length - 1,
    )


def _mean(values: NDArray[np.floating]) -> float:
    known = values[~np.isnan(values)].astype(np.float64)
    return float(known.mean()) if len(known) else math.nan


@dataclass(frozen=True, slots=True)
class SummaryWords:
    """A summary in words, short enough to stand in two lines."""

    logprob_a: str
    logprob_b: str
    apart: str
    agreement: str


def in_words(found: Summary) -> SummaryWords:
    """Return the means in words with their units."""
    both = [_number(value, 2) for value in (found.kl_ab, found.kl_ba)]
    share = f" ({100 * found.same / found.positions:.0f} %)" if found.positions else ""
    return SummaryWords(
        f"mean log-probability {_number(found.logprob_a, 3)} nats",
        f"mean log-probability {_number(found.logprob_b, 3)} nats",
        f"mean KL(A‖B) {both[0]}, KL(B‖A) {both[1]}, JS {_number(found.js, 3)} bits",
        f"same first choice at {found.same:,} of {found.positions:,} tokens{share}",
    )


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else signed(value, digits)


def value_text(value: float, measure: PairMeasure) -> str:
    """Return a number of a measure for reading, `–` where there is none."""
    if math.isnan(value):
        return "–"
    kind, difference = KINDS[measure], measure.endswith("difference")
    if kind == "probability":
        return difference_text(value) if difference else probability_text(value)
    if kind == "bits":
        return f"{signed(value, 3)} bits"
    if kind == "whole":
        return f"{value:.0f} of 10"
    sign = "+" if value > 0 and difference else "−" if value < 0 else ""
    return f"{sign}{abs(value):,.0f}"


def difference_text(difference: float) -> str:
    """Return a difference of probabilities in percentage points, with its sign."""
    sign = "+" if difference > 0 else "−" if difference < 0 else ""
    return f"{sign}{100 * abs(difference):.{1 if abs(difference) >= 0.0005 else 4}f} pp"


# ---------------------------------------------------------------------------------- remarks


_TELLING = ("Initialisation", "Precision", "Data", "Seed", "Note")


def remarks(a: Side, b: Side) -> tuple[str, ...]:
    """Return what changes the reading of a comparison, each in one sentence."""
    said: list[str] = []
    if a.result.dtype != b.result.dtype:
        said.append(
            f"A was computed in {a.result.dtype}, B in {b.result.dtype}: allow for rounding."
        )
    if a.result.device_class != b.result.device_class:
        said.append("A and B were computed on different devices: allow for rounding.")
    for side in (a, b):
        said.extend(_step_remarks(side))
    if a.entry.key != b.entry.key:
        said.extend(_model_remarks(a, b))
    return tuple(dict.fromkeys(said))


def _step_remarks(side: Side) -> list[str]:
    entry, step = side.entry, side.result.checkpoint.step
    real = (entry.real_steps or {}).get(step)
    notes = [(entry.known_bad or {}).get(step), (entry.notes or {}).get(step)]
    said = [f"{side.letter}, {format_step(step)}: {note}" for note in notes if note]
    if real is not None and real != step:
        said.append(f"{side.letter}: {format_step(step)} is really step {real:,} of that training.")
    return said


def _model_remarks(a: Side, b: Side) -> list[str]:
    """Return those facts about two models that differ and change what a comparison means."""
    known = [{fact.label: fact.text for fact in side.entry.facts} for side in (a, b)]
    return [
        f"{side.letter}: {own[label]}"
        for label in _TELLING
        if known[0].get(label) != known[1].get(label)
        for side, own in zip((a, b), known, strict=True)
        if label in own
    ]


def origin_parts(side: Side) -> tuple[str, ...]:
    """Return what traces one side: commit or weights, dtype and device."""
    at, result = side.result.checkpoint, side.result
    commit = f"commit {at.commit[:10]}" if at.commit else ""
    weights = f"weights {at.weights_sha256[:10]}" if at.weights_sha256 else ""
    return tuple(filter(None, (commit, weights, f"{result.dtype} on {result.device}")))


# ---------------------------------------------------------------------------------- table


_ORIGIN = ("model", "step", "commit", "weights", "dtype", "device")
_WHOLE = ("rank_a", "rank_b", "rank_difference", "clamped_rank_difference", "top10_overlap")


def pair_table(shown: Comparison) -> Table:
    """Return one row per token: its log-probabilities, every measure, and both origins."""
    own = [*_origin_cells(shown.a), *_origin_cells(shown.b)]
    return Table(_columns(), [_row(shown, place, own) for place in range(shown.length)])


def _row(shown: Comparison, place: int, origins: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the cells of a token."""
    return (
        place + 1,
        shown.texts[place],
        _cell(shown.logprob(shown.a, place)),
        _cell(shown.logprob(shown.b, place)),
        *(_measure_cell(shown, measure, place) for measure in MEASURES),
        *origins,
    )


def _columns() -> tuple[Column, ...]:
    nats = "Natural logarithm of the token's probability"
    origins = [
        Column(f"{letter} {part}", "whole" if part == "step" else "text")
        for letter in "AB"
        for part in _ORIGIN
    ]
    return (
        Column("No.", "whole", "The token's place in the text, from 1"),
        Column("Token"),
        Column("Log-probability, A (nats)", "nats", f"{nats} under A"),
        Column("Log-probability, B (nats)", "nats", f"{nats} under B"),
        *(_column(measure) for measure in MEASURES),
        *origins,
    )


def _column(measure: PairMeasure) -> Column:
    unit = " (bits)" if KINDS[measure] == "bits" else ""
    return Column(f"{NAMES[measure]}{unit}", _cell_kind(measure), TIPS[measure])


def _cell_kind(measure: PairMeasure) -> CellKind:
    if measure in _WHOLE:
        return "whole"
    if measure == "prob_difference":
        return "number"
    return "probability" if KINDS[measure] == "probability" else "bits"


def _measure_cell(shown: Comparison, measure: PairMeasure, place: int) -> Cell:
    cell = _cell(shown.values[measure][place])
    return int(cell) if cell is not None and measure in _WHOLE else cell


def _cell(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _origin_cells(side: Side) -> tuple[Cell, ...]:
    at, result = side.result.checkpoint, side.result
    commit, weights = at.commit or "", at.weights_sha256 or ""
    return (side.entry.name, at.step, commit, weights, result.dtype, result.device)
