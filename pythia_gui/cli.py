"""The command line: everything that needs no display, for scripts and for plain terminals."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from pythia_gui import __version__, questions
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
    unanswered,
    write,
)
from pythia_gui.core import catalogue
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import ModelEntry, PromptError
from pythia_gui.core.requests import Continue, Sampling
from pythia_gui.core.steps import Selection, StepError

PROMPTS_FILE_LIMIT_BYTES = 64 << 20
PICTURE_SIDE = (320, 8192)  # pixels
WRONG_CALL = 2
READER_GONE = 141  # as a shell reports a program that SIGPIPE ended


class _Parser(argparse.ArgumentParser):
    """Answers a wrong call with one sentence in place of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where help is, and end."""
        self.exit(WRONG_CALL, f"pythia-gui: {message}; {self.prog} --help lists what there is\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status: 0, 1 for a failure, 2 for a wrong call."""
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stderr is None:  # closed; print would turn to standard output
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - it lasts as long as the process
    try:
        status = _carried_out(words)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _give_up_standard_output()
        return READER_GONE
    except (WrongCall, StepError, PromptError, CheckpointError) as problem:
        say(str(problem))
        return WRONG_CALL
    except OSError as problem:
        _give_up_standard_output()
        place = problem.filename or "standard output"
        say(f"{place} can't be used: {problem.strerror or problem}")
        return WRONG_CALL
    return status


def _carried_out(words: list[str]) -> int:
    if words[:1] == ["train-demo"]:
        from pythia_gui.demo.train import main as train_demo

        return train_demo(words[1:])
    args = _parser().parse_args(words)
    return int(args.run(args))


def _give_up_standard_output() -> None:
    """Point standard output nowhere: what is left in it would fail again at the exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="pythia-gui", description="Watch a language model learn.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"pythia-gui {__version__}")
    parser.set_defaults(run=_window)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_models(commands.add_parser("models", help="the catalogue"))
    _add_sweep(commands.add_parser("sweep", help="one question put to many checkpoints"))
    questions.add_compare(commands.add_parser("compare", help="two checkpoints on one text"))
    questions.add_learned(commands.add_parser("learned", help="when prompts were learned"))
    _add_render(commands.add_parser("render", help="the filled-in window as a picture"))
    doctor = commands.add_parser("doctor", help="versions, device, cache, what is missing")
    doctor.set_defaults(run=_doctor)
    commands.add_parser("train-demo", help="train a miniature of the demo suite", add_help=False)
    return parser


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="a JSON list instead of a table")
    parser.set_defaults(run=_models)


def _add_question(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="demo-s", help="a catalogue name, owner/name on the Hub, or a folder"
    )
    parser.add_argument(
        "--target", action="append", default=[], help="a possible ending, as typed; repeats"
    )
    questions.add_keeping(parser)


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    _add_question(parser)
    questions.add_computing(parser)
    parser.add_argument(
        "--steps", default="log", help="all, log, 0,512,143000 or 1000-20000:1000; mixtures too"
    )
    parser.add_argument("--include-known-bad", action="store_true")
    parser.add_argument("--prompt", action="append", default=[], help="as typed; repeats")
    parser.add_argument("--prompts-file", type=Path, help="a text file with one prompt a line")
    parser.add_argument("--score", action="store_true", help="score every token of the prompts")
    parser.add_argument("--top-k", type=int, default=10, help="how many alternatives are listed")
    parser.add_argument("--max-new-tokens", type=int, default=0)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy")
    parser.add_argument("--sample-top-k", type=int, default=0, help="0 is off")
    parser.add_argument("--top-p", type=float, default=1.0, help="1 is off")
    parser.add_argument("--min-p", type=float, default=0.0, help="0 is off")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stop", action="append", default=[], help="ends a text; repeats")
    parser.add_argument(
        "--special-tokens", action="store_true", help="read <|endoftext|> in a prompt as one token"
    )
    parser.add_argument("--cut-left", action="store_true", help="cut prompts that are too long")
    parser.add_argument("--format", choices=("json", "csv"), default="json")
    parser.add_argument("--out", type=Path, help="a file; standard output if not given")
    parser.set_defaults(run=_sweep)


def _add_render(parser: argparse.ArgumentParser) -> None:
    _add_question(parser)
    parser.add_argument("--prompt")
    parser.add_argument("--step", type=int, help="the step under the timeline")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--size", default="1280x800", help="WIDTHxHEIGHT in pixels")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--out", type=Path, required=True, help="the PNG file")
    parser.set_defaults(run=_render)


def _window(_args: argparse.Namespace) -> int:
    from pythia_gui import app

    return app.run(sys.argv)


def _models(args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps([catalogue.as_json(model) for model in catalogue.MODELS], indent=1))
        return 0
    print(
        f"{'model':<24} {'parameters':>15} {'layers':>6} {'dim':>5} {'heads':>5} {'steps':>5}  data"
    )
    for model in catalogue.MODELS:
        shape = model.architecture
        print(
            f"{model.name:<24} {shape.total_parameters:>15,} {shape.layers:>6} {shape.dim:>5} "
            f"{shape.heads:>5} {len(model.steps):>5}  {model.data}"
        )
    return 0


def _sweep(args: argparse.Namespace) -> int:
    from pythia_gui import report
    from pythia_gui.stack import open_library

    logging.getLogger("pythia_gui").addHandler(logging.NullHandler())  # notices say it in words
    refuse_unwritable(args.out)
    refuse_odd_device(args.device)
    library = open_library()
    entry, notice = library.find(args.model)
    if notice:
        say(notice)
    chosen = _chosen_steps(entry, args)
    what = _continuation(args)
    prompts = tuple(
        library.encode(
            entry.key,
            text,
            args.target,
            special_tokens=args.special_tokens,
            new_tokens=args.max_new_tokens,
            cut_left=args.cut_left,
        )
        for text in _prompts(args)
    )
    remark(library, entry, prompts)
    checkpoints, refused = checkpoints_at(library, entry, chosen.steps)
    request = request_of(
        slot="sweep",
        checkpoints=checkpoints,
        prompts=prompts,
        score=args.score,
        next_token=args.top_k > 0,
        continuation=what,
        top_k=args.top_k,
        device=args.device,
        dtype=args.dtype,
    )
    answers = answers_to(request, stored=not args.no_cache)
    unread = [unanswered(request, at, prompt, why) for at, why in refused for prompt in prompts]
    results = sorted((*answers, *unread), key=lambda result: result.checkpoint.step)
    document = report.sweep_document(entry, results, chosen.left_out)
    text = report.as_json(document) if args.format == "json" else report.as_csv(document)
    write(text, args.out)
    return int(any(result.error is not None for result in results))


def _chosen_steps(entry: ModelEntry, args: argparse.Namespace) -> Selection:
    return available(entry, args.steps, include_known_bad=args.include_known_bad)


def _prompts(args: argparse.Namespace) -> list[str]:
    prompts: list[str] = list(args.prompt)
    if args.prompts_file is not None:
        prompts += _prompt_lines(args.prompts_file)
    if not prompts:
        raise WrongCall("there is no prompt; give one with --prompt or --prompts-file")
    return prompts


def _prompt_lines(file: Path) -> list[str]:
    try:
        if file.stat().st_size > PROMPTS_FILE_LIMIT_BYTES:
            raise WrongCall(f"{file} is larger than 64 MiB; split it")
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise WrongCall(f"{file} can't be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        raise WrongCall(f"{file}, line {line}, is not UTF-8 text; save it as UTF-8") from problem
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip()]


def _continuation(args: argparse.Namespace) -> Continue | None:
    try:
        sampling = Sampling(
            temperature=args.temperature,
            top_k=args.sample_top_k,
            top_p=args.top_p,
            min_p=args.min_p,
            seed=args.seed,
            stop=tuple(args.stop),
        )
        if args.max_new_tokens == 0:
            return None
        return Continue(args.max_new_tokens, args.samples, sampling)
    except ValueError as problem:
        raise WrongCall(str(problem)) from problem


def _render(args: argparse.Namespace) -> int:
    from pythia_gui import app

    refuse_unwritable(args.out)
    size = _picture_size(args.size, args.scale)
    if args.step is not None:
        _refuse_missing_step(args.model, args.step)
    status = app.render(
        args.out,
        model=args.model,
        prompt=args.prompt,
        targets=tuple(args.target),
        step=args.step,
        theme=args.theme,
        size=size,
        scale=args.scale,
        stored=not args.no_cache,
    )
    if status:
        say(f"not every answer came; the picture {args.out} says why")
    return status


def _picture_size(text: str, scale: float) -> tuple[int, int]:
    """Return width and height in pixels, within what a picture's memory and Qt bear."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and len(text) <= 11):
        raise WrongCall("--size must be WIDTHxHEIGHT, such as 1280x800")
    size = int(width), int(height)
    if not all(PICTURE_SIDE[0] <= side <= PICTURE_SIDE[1] for side in size):
        raise WrongCall(
            "the sides of a picture must lie between {:,} and {:,}".format(*PICTURE_SIDE)
        )
    if not 0.5 <= scale <= 4:
        raise WrongCall("--scale must lie between 0.5 and 4")
    return size


def _refuse_missing_step(model: str, step: int) -> None:
    """Refuse a step that isn't there, naming the nearest, as `sweep` does."""
    from pythia_gui.stack import open_library

    entry, _ = open_library().find(model)
    available(entry, str(step), include_known_bad=True)


def _doctor(_args: argparse.Namespace) -> int:
    from pythia_gui.doctor import report_health

    return report_health()


def run() -> NoReturn:
    """Start the program and end the process with its status."""
    sys.exit(main())


if __name__ == "__main__":
    run()
