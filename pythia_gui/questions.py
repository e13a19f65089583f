"""Two questions of the command line: how two checkpoints differ, and when prompts were learned."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pythia_gui.calls import (
    WrongCall,
    answers_to,
    available,
    checkpoints_at,
    refuse_odd_device,
    refuse_unwritable,
    remark,
    request_of,
    say,
    write,
)
from pythia_gui.core.acquisition import Acquisition, acquisition
from pythia_gui.core.events import Result
from pythia_gui.core.library import Library, ModelEntry, PromptError
from pythia_gui.core.measures import TOP
from pythia_gui.core.prompt_sets import PromptEntry, PromptSetError, read_prompt_set
from pythia_gui.core.requests import Checkpoint, Prompt
from pythia_gui.core.steps import shown

Named = tuple[ModelEntry, Checkpoint]


def add_keeping(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is stored and fetched."""
    parser.add_argument("--no-cache", action="store_true", help="compute all, store nothing")
    parser.add_argument("--offline", action="store_true", help="use no network at all")


def add_computing(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where and in what a question is computed."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:n")
    parser.add_argument(
        "--dtype", default="auto", choices=("auto", "float32", "float16", "bfloat16")
    )


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Add what `compare` takes."""
    for name in ("--a", "--b"):
        parser.add_argument(
            name, required=True, metavar="MODEL@STEP", help="a model as --model takes it, a step"
        )
    parser.add_argument("--text", required=True, help="as typed; at least two tokens")
    parser.add_argument(
        "--special-tokens", action="store_true", help="read <|endoftext|> in the text as one token"
    )
    add_computing(parser)
    add_keeping(parser)
    parser.add_argument("--out", type=Path, help="a file; standard output if not given")
    parser.set_defaults(run=_compare)


def add_learned(parser: argparse.ArgumentParser) -> None:
    """Add what `learned` takes."""
    parser.add_argument(
        "--model", default="demo-s", help="a catalogue name, owner/name on the Hub, or a folder"
    )
    parser.add_argument(
        "--steps", default="log", help="all, log, 0,512,143000 or 1000-20000:1000; mixtures too"
    )
    parser.add_argument("--include-known-bad", action="store_true")
    parser.add_argument("--prompt", help="as typed")
    parser.add_argument(
        "--target", default="", help="what is to follow; also for lines of a file that name none"
    )
    parser.add_argument("--prompts-file", type=Path, help="a .txt, .csv or .jsonl file")
    add_computing(parser)
    add_keeping(parser)
    parser.add_argument("--out", type=Path, help="a file; standard output if not given")
    parser.set_defaults(run=_learned)


# -- two checkpoints ---------------------------------------------------------------------------


def _compare(args: argparse.Namespace) -> int:
    from pythia_gui import report
    from pythia_gui.stack import open_library

    _refuse_early(args)
    library = open_library()
    (entry, a), (other, b) = (_named(library, name, getattr(args, name)) for name in "ab")
    prompt = library.encode(entry.key, args.text, special_tokens=args.special_tokens)
    if len(prompt.token_ids) < 2:
        raise WrongCall("a text of one token predicts nothing; give a longer one with --text")
    remark(library, entry, (prompt,))
    if other.key != entry.key:
        remark(library, other, ())
    request = request_of(
        slot="compare",
        checkpoints=(a, b),
        prompts=(prompt,),
        score=True,
        next_token=False,
        top_k=TOP,
        against=a,
        device=args.device,
        dtype=args.dtype,
    )
    results = answers_to(request, stored=not args.no_cache)
    write(report.as_json(report.compare_document(*results)), args.out)
    return int(any(result.error is not None for result in results))


def _refuse_early(args: argparse.Namespace) -> None:
    """Refuse what needs no model to be refused."""
    logging.getLogger("pythia_gui").addHandler(logging.NullHandler())  # notices say it in words
    refuse_unwritable(args.out)
    refuse_odd_device(args.device)


def _named(library: Library, option: str, text: str) -> Named:
    """Return the model and the checkpoint that MODEL@STEP names.

    Raises:
        WrongCall: it is written in another way.
        CheckpointError: there is no such model.
        StepError: the model has no such step.
    """
    model, _, step = text.rpartition("@")
    if not (model and step.isascii() and step.isdecimal()):
        raise WrongCall(f"--{option} {shown(text, 80)} is not MODEL@STEP, such as demo-s@512")
    entry, notice = library.find(model)
    if notice:
        say(notice)
    (found,) = available(entry, step, include_known_bad=True).steps
    return entry, library.checkpoint(entry.key, found)


# -- when it was learned -----------------------------------------------------------------------


def _learned(args: argparse.Namespace) -> int:
    from pythia_gui import report
    from pythia_gui.stack import open_library

    _refuse_early(args)
    entries = _entries(args)
    library = open_library()
    entry, notice = library.find(args.model)
    if notice:
        say(notice)
    chosen = available(entry, args.steps, include_known_bad=args.include_known_bad)
    prompts = [_encoded(library, entry, asked, args.prompts_file) for asked in entries]
    remark(library, entry, prompts)
    checkpoints, refused = checkpoints_at(library, entry, chosen.steps)
    request = request_of(
        slot="learned",
        checkpoints=checkpoints,
        prompts=tuple(dict.fromkeys(prompts)),
        next_token=False,
        device=args.device,
        dtype=args.dtype,
    )
    results = answers_to(request, stored=not args.no_cache)
    by_prompt = _by_prompt(results)
    answers = [
        report.LearnedAnswer(asked, prompt, _told(by_prompt[prompt]), by_prompt[prompt])
        for asked, prompt in zip(entries, prompts, strict=True)
    ]
    unread = [report.failure_of(at, why) for at, why in refused]
    document = report.learned_document(entry, answers, chosen.left_out, unread)
    write(report.as_json(document), args.out)
    return int(any(result.error is not None for result in results))


def _entries(args: argparse.Namespace) -> list[PromptEntry]:
    """Return what is asked, every entry with its target.

    Raises:
        WrongCall: nothing is, or a target is missing.
    """
    entries: list[PromptEntry] = []
    if args.prompt is not None:
        entries.append(PromptEntry(args.prompt))
    if args.prompts_file is not None:
        try:
            entries += read_prompt_set(args.prompts_file).entries
        except PromptSetError as problem:
            raise WrongCall(str(problem)) from problem
    if not entries:
        raise WrongCall("there is no prompt; give one with --prompt or --prompts-file")
    entries = [replace(entry, target=entry.target or args.target) for entry in entries]
    for entry in entries:
        if not entry.target:
            where = f"{args.prompts_file}, line {entry.line}: " if entry.line else ""
            raise WrongCall(f"{where}there is no target; name what is to follow with --target")
    return entries


def _encoded(library: Library, entry: ModelEntry, asked: PromptEntry, file: Path | None) -> Prompt:
    try:
        return library.encode(entry.key, asked.prompt, [asked.target])
    except PromptError as problem:
        if not asked.line:
            raise
        raise WrongCall(f"{file}, line {asked.line}: {problem}") from problem


def _by_prompt(results: Sequence[Result]) -> Mapping[Prompt, list[Result]]:
    found: dict[Prompt, list[Result]] = {}
    for result in results:
        found.setdefault(result.prompt, []).append(result)
    return found


def _told(results: Sequence[Result]) -> Acquisition | None:
    """Return when a prompt's target was learned, None where no step was measured."""
    measured = [result for result in results if result.error is None]
    ranks = {result.checkpoint.step: result.targets[0].rank for result in measured}
    return acquisition(ranks) if ranks else None
