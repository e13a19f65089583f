"""Between a run of the history and what stands on screen, and how a run reads in a list."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pythia_gui.core.history import Place, Run
from pythia_gui.core.library import ModelEntry
from pythia_gui.core.steps import format_step
from pythia_gui.ui.questions import Ending, Pin, Settings, Wording
from pythia_gui.ui.reveal import reveal, reveal_token
from pythia_gui.ui.sampling_row import summary

EMPTY_PROMPT = "(no text: the model begins by itself)"
MOST_SHOWN = 2_000
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # whatever the locale is


def run_of(
    entry: ModelEntry,
    step: int,
    wording: Wording,
    settings: Settings,
    *,
    endings: Sequence[Ending] = (),
    pins: Sequence[Pin] = (),
    pair: tuple[Pin, Pin] | None = None,
) -> Run:
    """Return the question on screen as a run."""
    return Run(
        model=entry.key,
        model_name=entry.name,
        step=step,
        text=wording.text,
        token_ids=wording.token_ids,
        tokenizer_sha256=wording.tokenizer_sha256,
        new_tokens=settings.new_tokens,
        samples=settings.samples,
        sampling=settings.sampling,
        top_k=settings.top_k,
        special_tokens=settings.special_tokens,
        cut_left=settings.cut_left,
        endings=tuple((ending.text, ending.role) for ending in endings),
        pins=tuple(_place(pin) for pin in pins),
        pair=(_place(pair[0]), _place(pair[1])) if pair is not None else None,
    )


def _place(pin: Pin) -> Place:
    return (pin.model, pin.step)


def wording_of(run: Run) -> Wording:
    """Return a run's prompt."""
    return Wording(run.text, run.token_ids, run.tokenizer_sha256)


def settings_of(run: Run) -> Settings:
    """Return how a run's prompt was read and continued."""
    return Settings(
        new_tokens=run.new_tokens,
        samples=run.samples,
        sampling=run.sampling,
        top_k=run.top_k,
        special_tokens=run.special_tokens,
        cut_left=run.cut_left,
    )


def endings_of(run: Run) -> tuple[Ending, ...]:
    """Return a run's targets and foils."""
    return tuple(Ending(text, role) for text, role in run.endings)


def pins_of(run: Run) -> tuple[Pin, ...]:
    """Return a run's columns."""
    return tuple(Pin(model, step) for model, step in run.pins)


def pair_of(run: Run) -> tuple[Pin, Pin] | None:
    """Return the two checkpoints that a run compared."""
    return (Pin(*run.pair[0]), Pin(*run.pair[1])) if run.pair is not None else None


# ------------------------------------------------------------------------------ in words


def title_of(run: Run) -> str:
    """Return a run's prompt in one line."""
    return reveal(run.text[:MOST_SHOWN]) or EMPTY_PROMPT


def about(run: Run) -> str:
    """Return in one line of whom a run was asked, and how."""
    parts = (
        reveal(run.model_name),
        format_step(run.step),
        _endings_count(run),
        _settings_text(run),
        run.view,
    )
    return " · ".join(part for part in parts if part)


def in_full(run: Run, now: datetime) -> str:
    """Return all there is to say about a run, line by line, for a tool tip."""
    lines = [run.text[:MOST_SHOWN] or EMPTY_PROMPT, about(run), when_text(run.when, now)]
    for role, name in (("target", "Targets"), ("foil", "Foils")):
        texts = [reveal_token(text) for text, kind in run.endings if kind == role]
        lines += [f"{name}: {', '.join(texts)}"] if texts else []
    return "\n".join(lines)


def _endings_count(run: Run) -> str:
    roles = [role for _, role in run.endings]
    counts = ((roles.count("target"), "target"), (roles.count("foil"), "foil"))
    return ", ".join(f"{n} {name}{'s' if n > 1 else ''}" for n, name in counts if n)


def _settings_text(run: Run) -> str:
    said = summary(settings_of(run))
    return said.partition(": ")[2] or said


def when_text(when: str, now: datetime) -> str:
    """Return a time (ISO 8601, UTC) in a few letters, as here; `now` knows its zone."""
    at = datetime.fromisoformat(when).astimezone(now.tzinfo)
    if at.date() == now.date():
        return f"{at:%H:%M}"
    if at.date() == (now - timedelta(days=1)).date():
        return "yesterday"
    return f"{at.day} {MONTHS[at.month - 1]}{'' if at.year == now.year else f' {at.year}'}"
