"""What every call of the command line shares: checkpoints, answers, and where they are written."""

import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

from pythia_gui.core.engine import Engine
from pythia_gui.core.events import EngineEvent, Failure, Notice, Progress, Result
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import Library, ModelEntry
from pythia_gui.core.requests import Checkpoint, Prompt, Request
from pythia_gui.core.steps import Selection, select_steps, shown, tokens_seen

DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,4})?")
INTERRUPTED = 130
Asked = tuple[str | None, str, int, Prompt]
"""A folder, a model, a step and a prompt: folders of one name are different models."""


class WrongCall(Exception):
    """The call can't be carried out as written; the text is one sentence."""


def refuse_odd_device(device: str) -> None:
    """Refuse what names no device.

    Raises:
        WrongCall: the name is none of auto, cpu, cuda and cuda:n.
    """
    if not DEVICE.fullmatch(device):
        raise WrongCall(f"'{shown(device)}' is not a device; use auto, cpu, cuda or cuda:n")


def say(sentence: str) -> None:
    """Print a sentence for the person, apart from the answer."""
    print(f"pythia-gui: {sentence}", file=sys.stderr)


def remark(library: Library, entry: ModelEntry, prompts: Sequence[Prompt]) -> None:
    """Say what the numbers can't: which checkpoints are not here, what of a prompt was lost."""
    if entry.source == "hub" and entry.here and len(entry.here) < len(entry.steps):
        say(
            f"only the {len(entry.here)} of {len(entry.steps)} checkpoints of {entry.name} that "
            "are in the local Hub cache are looked at; nothing is downloaded yet"
        )
    for number, prompt in enumerate(prompts, 1):
        if prompt.cut:
            say(f"prompt {number}: {prompt.cut:,} of its tokens were cut off on the left")
        if unknown := library.unknown_characters(entry.key, prompt.text):
            say(f"prompt {number}: {entry.name} has no token for {shown(unknown)}")


def available(entry: ModelEntry, spec: str, *, include_known_bad: bool) -> Selection:
    """Return the steps asked for; of a model on the Hub, those in the local cache are there.

    Raises:
        StepError: one of them is not.
    """
    partly = bool(entry.here) and len(entry.here) < len(entry.steps)
    return select_steps(
        spec,
        tuple(entry.here) if partly else entry.steps,
        entry.known_bad or {},
        include_known_bad=include_known_bad,
        model=f"{entry.name} on this machine" if partly else entry.name,
    )


def checkpoints_at(
    library: Library, entry: ModelEntry, steps: Sequence[int]
) -> tuple[tuple[Checkpoint, ...], list[tuple[Checkpoint, str]]]:
    """Return the checkpoints, and apart those whose config or tokenizer is damaged, with why.

    Raises:
        CheckpointError: all of them are.
    """
    good: list[Checkpoint] = []
    bad: list[tuple[int, CheckpointError]] = []
    for step in steps:
        try:
            good.append(library.checkpoint(entry.key, step))
        except CheckpointError as problem:
            bad.append((step, problem))
    if not good:
        raise bad[0][1]
    for step, why in bad:
        say(with_step(str(why), step))
    return tuple(good), [(_nameplate(good[0], entry, step), str(why)) for step, why in bad]


def _nameplate(like: Checkpoint, entry: ModelEntry, step: int) -> Checkpoint:
    """Return what can be said of a checkpoint that can't be read: its model and step."""
    seen = None if entry.batch_tokens is None else tokens_seen(step, entry.batch_tokens)
    plain = replace(like, step=step, tokens_seen=seen, folder=None, weights_sha256=None)
    return replace(plain, revision=None, commit=None)


def request_of(**parts: object) -> Request:
    """Return the request of these parts, or refuse them in its words.

    Raises:
        WrongCall: they don't go together.
    """
    try:
        return Request(**parts)  # type: ignore[arg-type]  # the names are those of Request
    except ValueError as problem:
        raise WrongCall(str(problem)) from problem


def answers_to(request: Request, *, stored: bool) -> list[Result]:
    """Return the results in the request's order."""
    from pythia_gui.engine.process import ProcessEngine
    from pythia_gui.stack import open_engine
    from pythia_gui.store.database import StoreError

    try:
        engine = open_engine(ProcessEngine(), stored=stored)
    except StoreError as problem:
        say(f"results are not kept: {problem}")
        engine = open_engine(ProcessEngine(), stored=False)
    cancel = threading.Event()
    previous = signal.signal(signal.SIGINT, _Interrupt(cancel))
    try:
        collected, failure = _collect(engine, request, cancel)
    finally:
        signal.signal(signal.SIGINT, previous)
        engine.close()
    if cancel.is_set():
        print("pythia-gui: interrupted; nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    return [
        collected.get(_asked(at, prompt)) or unanswered(request, at, prompt, failure)
        for at in request.checkpoints
        for prompt in request.prompts
    ]


def _asked(at: Checkpoint, prompt: Prompt) -> Asked:
    return at.folder, at.model, at.step, prompt


class _Interrupt:
    """Turns Ctrl-C into a request to stop; a second one stops at once."""

    def __init__(self, cancel: threading.Event) -> None:
        self._cancel = cancel

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if self._cancel.is_set():
            raise KeyboardInterrupt
        self._cancel.set()


def _collect(
    engine: Engine, request: Request, cancel: threading.Event
) -> tuple[dict[Asked, Result], str]:
    collected: dict[Asked, Result] = {}
    failure = ""
    for event in engine.run(request, cancel):
        _tell(event)
        if isinstance(event, Result):
            collected[_asked(event.checkpoint, event.prompt)] = event
        elif isinstance(event, Failure):
            failure = event.text
    return collected, failure


def _tell(event: EngineEvent) -> None:
    if isinstance(event, Progress) and sys.stderr.isatty():
        print(f"\r\033[K{event.fraction:4.0%} {event.text}", end="", file=sys.stderr, flush=True)
    elif isinstance(event, Notice | Failure):
        say(event.text)
    elif isinstance(event, Result) and event.error is not None:
        say(with_step(event.error, event.checkpoint.step))


def with_step(sentence: str, step: int) -> str:
    """Return a sentence that names the step."""
    named = re.search(rf"step ?({step}|{step:,})\b", sentence)
    return sentence if named else f"step {step:,}: {sentence}"


def unanswered(request: Request, at: Checkpoint, prompt: Prompt, failure: str) -> Result:
    """Return the result of a checkpoint that was asked and never answered."""
    sentence = failure or f"step {at.step:,} of {at.model} was not computed"
    return Result(at, prompt, request.device, "", request.dtype, error=sentence)


def refuse_unwritable(out: Path | None) -> None:
    """Refuse, before anything is computed, a place that can't take the answer.

    Raises:
        WrongCall: it is a folder, lies in none, or may not be written.
    """
    if out is None:
        if sys.stdout is None:
            raise WrongCall("standard output is closed; name a file with --out")
        return
    if out.is_dir():
        raise WrongCall(f"{out} can't be written: it is a folder; name a file")
    if not out.parent.is_dir():
        raise WrongCall(f"{out} can't be written: there is no folder {out.parent}")
    if not os.access(out if out.exists() else out.parent, os.W_OK):
        raise WrongCall(f"{out} can't be written: you may not write there")


def write(text: str, out: Path | None) -> None:
    """Write UTF-8, whatever the terminal's encoding; half characters in a path are escaped."""
    data = text.encode("utf-8", "backslashreplace")
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        if out.exists() and not out.is_file():  # a device or a pipe is never replaced
            out.write_bytes(data)
        else:
            _replace(out.resolve(), data)  # what a link points to, not the link
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise WrongCall(f"{out} can't be written: {problem.strerror}") from problem


def _replace(out: Path, data: bytes) -> None:
    part = out.with_name(f".{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(out)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
