"""The model of the window: what is asked, what is known, and what each view shows of it.

Every view is derived from the question on screen and from answers filed under what was asked
of whom. So an answer can't stand under another question or step: it would have another name.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from PySide6.QtCore import QObject, QTimer, Signal

from pythia_gui.core.events import Result, TokenWritten
from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.history import Run
from pythia_gui.core.library import Library, ModelEntry, PromptError
from pythia_gui.core.prompt_sets import PromptSet
from pythia_gui.core.requests import Checkpoint, Prompt, Request
from pythia_gui.core.steps import format_step, snap
from pythia_gui.ui import presenters as show
from pythia_gui.ui.answers import Answers, of_one_dtype
from pythia_gui.ui.branching import Branching
from pythia_gui.ui.errands import Errands
from pythia_gui.ui.pace import Pace
from pythia_gui.ui.past_runs import endings_of, pair_of, pins_of, run_of, settings_of, wording_of
from pythia_gui.ui.questions import (
    COLUMNS,
    MOST_PINS,
    SLOTS,
    TEXT,
    TRAJECTORY,
    Ending,
    Key,
    Pin,
    Question,
    Settings,
    Wording,
    coarse_first,
    curve_key,
    curve_request,
    default_pins,
    in_order,
    reading_of,
    suggested_targets,
    swept_steps,
    text_key,
    text_request,
    tokenizer_of,
)
from pythia_gui.ui.runner import Runner
from pythia_gui.ui.values import Curve, ShownText, ShownToken, State
from pythia_gui.worker import Worker

FRAME_MS = 16
COUNT_MS = 80
PATIENCE_S = 0.12
PLOT_S = 0.08
PRESS_RUN = "Press Run to ask this question."
NOT_ASKABLE = "This can't be asked: the reason stands under the prompt."
STOPPED = "Stopped. Press Run to go on."

View = Literal["text", "tokens", "columns", "curves", "marks", "activity"]


@dataclass(frozen=True, slots=True)
class Trajectories:
    """What the plot shows."""

    curves: tuple[Curve, ...] = ()
    state: State = "empty"
    message: str = ""


@dataclass(slots=True)
class _Stream:
    """The text being written, as far as it got; `shown` tokens were handed to the view."""

    key: Key
    prompt: tuple[ShownToken, ...]
    written: list[ShownToken] = field(default_factory=list)
    shown: int = 0


class Workspace(QObject):
    """Holds the question and the answers, asks the worker, and tells the views what to show.

    A change of the question reaches the views before the call returns; what the engine says,
    and moves along the timeline, reach them once a frame.
    """

    models_changed = Signal(object)  # tuple[ModelEntry, ...]
    model_changed = Signal(object)  # ModelEntry
    step_changed = Signal(int)
    marks_changed = Signal(object)  # tuple[StepMark, ...]
    wording_changed = Signal(object)  # Wording, by another hand than the prompt field's
    history_changed = Signal(bool, bool)  # whether there is a way back, and forward
    reading_changed = Signal(object)  # Reading: how the tokenizer reads the prompt
    problem_changed = Signal(str)  # why the prompt can't be asked; empty when it can
    text_changed = Signal(object)  # ShownText
    tokens_written = Signal(object)  # tuple[ShownToken, ...], after those of the text shown
    columns_changed = Signal(object)  # tuple[ShownText, ...]
    pins_changed = Signal(object)  # tuple[Pin, ...]
    curves_changed = Signal(object)  # Trajectories
    activity_changed = Signal(object)  # Activity
    noticed = Signal(str)
    run_ended = Signal(str)  # one sentence
    asked = Signal(object)  # Run: a person asks this, and it can be asked
    question_changed = Signal()  # what `asking` gives is another
    token_selected = Signal(int)  # a position in the prompt, -1 for none
    pair_changed = Signal(object)  # tuple[Pin, Pin]: the two that are compared
    prompt_set_changed = Signal(object)  # PromptSet | None

    def __init__(self, library: Library, worker: Worker) -> None:
        super().__init__()
        self._library = library
        self._answers = Answers(library)
        self._errands = Errands(worker)
        self._worker = worker
        self.pace = Pace(worker)
        self.branching = Branching()
        self._models: dict[str, ModelEntry] = {}
        self._entry: ModelEntry | None = None
        self._step = 0
        self._wording = Wording()
        self._settings = Settings()
        self._endings: tuple[Ending, ...] = ()
        self._pins: list[Pin] = []
        self._pins_are_ours = True
        self._columns_shown = False
        self._sample = 0
        self._token = -1
        self._pair: tuple[Pin, Pin] | None = None
        self._prompt_set: PromptSet | None = None
        self._told_asking: object = None
        self._past: list[Wording] = []
        self._future: list[Wording] = []
        self._asked: Question | None = None
        self._asked_reading: Question | None = None
        self._problem = self._told_problem = ""
        self._sweep_halted = ""
        self._stream: _Stream | None = None
        self._cut_short: _Stream | None = None
        self._was_running = False
        self._moved_s = 0.0
        self._drawn_s = 0.0
        self._drawn: object = None
        self._dirty: set[View] = set()
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.setInterval(FRAME_MS)
        self._counting = QTimer(self)
        self._counting.setSingleShot(True)
        self._counting.setInterval(COUNT_MS)
        self._connect()

    def _connect(self) -> None:
        self._counting.timeout.connect(self._count)
        self._frame.timeout.connect(self._flush)
        self._errands.answered.connect(self._on_answer)
        self._errands.ended.connect(self._on_ended)
        self._errands.moved.connect(self._on_moved)
        self._errands.noticed.connect(self.noticed)
        self._errands.written.connect(self._on_token)
        self.text_changed.connect(self.branching.follow_text)

    # ------------------------------------------------------------------ what is on screen

    @property
    def entry(self) -> ModelEntry | None:
        """The model under the timeline."""
        return self._entry

    @property
    def step(self) -> int:
        """The step under the timeline."""
        return self._step

    @property
    def wording(self) -> Wording:
        """The prompt."""
        return self._wording

    @property
    def settings(self) -> Settings:
        """How the prompt is read and continued."""
        return self._settings

    @property
    def endings(self) -> tuple[Ending, ...]:
        """The targets and foils."""
        return self._endings

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The columns."""
        return tuple(self._pins)

    @property
    def running(self) -> bool:
        """Whether an answer is on its way."""
        return self._errands.under_way()

    @property
    def awaiting_text(self) -> bool:
        """Whether the text of the step under the timeline is on its way."""
        return self._errands.under_way(TEXT) or self._missing_text() is not None

    @property
    def settled(self) -> bool:
        """Whether everything that was asked is on screen."""
        return not self.running and not self._frame.isActive()

    @property
    def troubled(self) -> bool:
        """Whether something that was asked has failed."""
        return bool(self._problem or self._answers.troubles or self._sweep_halted)

    @property
    def library(self) -> Library:
        """Where models, checkpoints and tokens come from."""
        return self._library

    @property
    def models(self) -> Mapping[str, ModelEntry]:
        """Every model by its key, in the picker's order."""
        return self._models

    @property
    def token(self) -> int:
        """The position in the prompt that all views point at; -1 for none."""
        return self._token

    @property
    def pair(self) -> tuple[Pin, Pin] | None:
        """The two checkpoints that are compared: chosen, else an early and the last one."""
        if self._pair is not None and all(pin.model in self._models for pin in self._pair):
            return self._pair
        usual = default_pins(self._entry) if self._entry is not None else []
        return (usual[0], usual[-1]) if len(usual) > 1 else None

    @property
    def prompt_set(self) -> PromptSet | None:
        """The set of prompts in use, None before one was chosen."""
        return self._prompt_set

    def set_prompt_set(self, prompts: PromptSet | None) -> None:
        """Use a set of prompts."""
        if prompts != self._prompt_set:
            self._prompt_set = prompts
            self.prompt_set_changed.emit(prompts)

    def runner(self, slot: str) -> Runner:
        """Return what runs a view's own requests."""
        return Runner(self._worker, slot)

    def asking(self, model: str = "", *, endings: bool = True) -> Prompt:
        """Return the question that was asked, encoded for a model (the shown one if empty).

        With `endings` its targets are those typed, else the final step's likeliest tokens as
        soon as they are known; `asked_endings` names them.

        Raises:
            PromptError: nothing is asked, or the model can't be asked it; the sentence says why.
            CheckpointError: the model has no tokenizer on this machine.
        """
        if self._entry is None:
            raise PromptError("Choose a model on the left.")
        if self._asked_reading is None or not self._reading_is_asked():
            raise PromptError(NOT_ASKABLE if self._problem else PRESS_RUN)
        question = replace(self._asked_reading, model=model or self._entry.key)
        if not endings:
            return self._answers.prompt(question)
        if self._endings:
            return self._answers.prompt(question, self._endings)
        prompt, shown = self._answers.prompt(question), self._swept_prompt()
        own = tokenizer_of(self._library, question.model)
        if shown is None or own != tokenizer_of(self._library, self._entry.key):
            return prompt
        at = prompt.token_ids
        return replace(prompt, targets=tuple(replace(t, context_ids=at) for t in shown.targets))

    def asked_endings(self, prompt: Prompt) -> tuple[Ending, ...]:
        """Return what each target of a prompt from `asking` is called, and whether it is a foil."""
        return self._endings or tuple(Ending(target.text) for target in prompt.targets)

    def select_token(self, position: int) -> None:
        """Point all views at a token of the prompt."""
        if position != self._token:
            self._token = position
            self.token_selected.emit(position)

    def set_pair(self, one: Pin, other: Pin) -> None:
        """Compare two checkpoints."""
        if (one, other) != self._pair:
            self._pair = (one, other)
            self.pair_changed.emit(self._pair)

    def sweep(self) -> tuple[Result, ...]:
        """Return what the plot is drawn from, in step order."""
        prompt = self._swept_prompt() if self._reading_is_asked() else None
        results = self._curve_results(prompt) if prompt is not None else {}
        return tuple(results[step] for step in sorted(results))

    # ------------------------------------------------------------------ wishes

    def refresh_models(self) -> None:
        """Read again which models there are and what of them is on this machine."""
        self._models = {entry.key: entry for entry in self._library.models()}
        before = self._entry
        if before is not None:
            self._entry = self._models.get(before.key, before)
        self.models_changed.emit(tuple(self._models.values()))
        if self._entry is not None and self._entry != before:
            self.model_changed.emit(self._entry)
        self._touch("text", "columns", "curves", "marks")

    def show_model(self, key: str) -> None:
        """Turn to another model; the question that was asked is asked of it."""
        entry = self._models.get(key)
        if entry is None or entry == self._entry:
            return
        asked = self._asked is not None and self._asked == self._question()
        read = self._asked_reading is not None
        self._cancel(SLOTS)
        first = self._entry is None
        self._entry = entry
        self._step = self._step_for(entry, first=first)
        if self._pins_are_ours:
            self._pins = default_pins(entry)
            self.pins_changed.emit(self.pins)
        self.model_changed.emit(entry)
        self._tell_step(entry)
        if asked and read:
            self.run()
        else:
            self._question_changed()

    def show_step(self, step: int) -> None:
        """Move to the checkpoint nearest to `step`; everything follows."""
        if self._entry is None or not self._entry.steps:
            return
        step = snap(step, self._entry.steps)
        if step == self._step:
            return
        self._step = step
        self._moved_s = time.monotonic()
        self._drop_stream()
        self.step_changed.emit(step)
        self._touch("text", "activity")

    def show_neighbour(self, distance: int) -> None:
        """Move along the checkpoints by some places."""
        if self._entry is None or not self._entry.steps:
            return
        steps = sorted(self._entry.steps)
        place = steps.index(self._step) + distance
        self.show_step(steps[min(max(place, 0), len(steps) - 1)])

    def write_prompt(self, text: str) -> None:
        """Take the prompt as typed."""
        if text != self._wording.text:
            self._future.clear()
            self._wording = Wording(text)
            self._question_changed()
            self._tell_history()

    def set_settings(self, settings: Settings) -> None:
        """Take other settings for reading and continuing the prompt."""
        if settings != self._settings:
            self._settings = settings
            self._sample = 0
            self._question_changed()

    def set_endings(self, endings: Sequence[Ending]) -> None:
        """Take other targets and foils; a trajectory that was asked for follows at once."""
        if tuple(endings) != self._endings:
            self._endings = tuple(endings)
            self._sweep_halted = ""
            self._problem = ""
            self._cancel((TRAJECTORY,))
            self._touch("curves", "marks", "activity")
            self._flush()

    def show_sample(self, sample: int) -> None:
        """Show another of the continuations that were sampled."""
        self._sample = sample
        self._touch("text", "columns")

    def show_columns(self, shown: bool) -> None:  # noqa: FBT001 - a slot
        """Compute and show the columns while they are looked at."""
        if shown != self._columns_shown:
            self._columns_shown = shown
            self._touch("columns")
            self._flush()

    def pin(self) -> None:
        """Give the checkpoint under the timeline a column."""
        if self._entry is None:
            return
        pin = Pin(self._entry.key, self._step)
        if pin in self._pins:
            self.noticed.emit(f"{format_step(pin.step).capitalize()} has a column already.")
        elif len(self._pins) >= MOST_PINS:
            self.noticed.emit(f"{MOST_PINS} columns are the most; unpin one first.")
        else:
            self._set_pins(in_order([*self._pins, pin]))

    def unpin(self, index: int) -> None:
        """Take a column away."""
        if 0 <= index < len(self._pins):
            self._set_pins([pin for place, pin in enumerate(self._pins) if place != index])

    def run(self, *, noted: bool = True) -> None:
        """Ask the question on screen; `noted` says that a person wishes it, not the program."""
        self._cancel(SLOTS)
        self._counting.start()
        self._moved_s = 0.0
        self._drop_stream()
        self._answers.forget_troubles()
        self._sweep_halted = ""
        self._asked = self._asked_reading = None
        question = self._question()
        if question is not None:
            self._problem = self._problem_with(question)
            if not self._problem:
                self._asked, self._asked_reading = question, question.reading()
                self._follow_branch(question)
        self._touch("text", "columns", "curves", "marks", "activity")
        self._flush()
        if noted and self._asked is not None and self._entry is not None and self._entry.here:
            self.asked.emit(self._as_run(self._entry))

    def restore(self, run: Run) -> bool:
        """Put a past run on screen as it was and ask it; return whether its model is there."""
        entry = self._models.get(run.model)
        if entry is None:
            self.noticed.emit(
                f"{run.model_name} is not among the models; add its folder or repository again."
            )
            return False
        self._cancel(SLOTS)
        self._entry = entry
        self._step = snap(run.step, entry.steps) if entry.steps else run.step
        self._settings, self._endings, self._sample = settings_of(run), endings_of(run), 0
        pins = [pin for pin in pins_of(run) if pin.model in self._models]
        self._pins, self._pins_are_ours = pins or default_pins(entry), not pins
        self._pair = pair_of(run)
        self._wording = wording_of(run)
        self._future.clear()
        self._tell_all(entry)
        self.run(noted=False)
        return True

    def _tell_all(self, entry: ModelEntry) -> None:
        """Tell the views that everything is another at once."""
        self.select_token(-1)
        self.model_changed.emit(entry)
        self._tell_step(entry)
        self.wording_changed.emit(self._wording)
        self.pins_changed.emit(self.pins)
        if self.pair is not None:
            self.pair_changed.emit(self.pair)
        self._tell_history()

    def _tell_step(self, entry: ModelEntry) -> None:
        """Tell the step of another model, and first the marks among which it lies."""
        self.marks_changed.emit(show.marks_of(entry, frozenset()))
        self.step_changed.emit(self._step)

    def _as_run(self, entry: ModelEntry) -> Run:
        return run_of(
            entry,
            self._step,
            self._wording,
            self._settings,
            endings=self._endings,
            pins=() if self._pins_are_ours else self._pins,
            pair=self._pair,
        )

    def stop(self) -> None:
        """Stop everything that is being computed; what has arrived stays."""
        missing = self._missing_text()
        if missing is not None:
            self._answers.fail([missing], STOPPED)
            self._cut_short = self._stream
        self._answers.fail([key for _, key in self._missing_columns()], STOPPED)
        if self._errands.under_way(TRAJECTORY):
            self._sweep_halted = STOPPED
        self._cancel(SLOTS)
        self._touch("text", "columns", "curves", "activity")
        self._flush()

    def continue_from(self, position: int, token_id: int) -> None:
        """Take another token in the text under the timeline and go on from there."""
        self._branch(self._text_view(), position, token_id)

    def continue_column_from(self, index: int, position: int, token_id: int) -> None:
        """Take another token in the text of a column and go on from there."""
        columns = self._column_views()
        if 0 <= index < len(columns):
            self._branch(columns[index], position, token_id, self._pins[index].model)

    def reword(self, wording: Wording) -> None:
        """Ask another prompt, such as one of exact tokens; `go_back` returns to this one."""
        if wording != self._wording:
            self._past.append(self._wording)
            self._future.clear()
        self._reword(wording)

    def go_back(self) -> None:
        """Return to the prompt before a token was chosen."""
        if self._past:
            self._future.append(self._wording)
            self._reword(self._past.pop())

    def go_forward(self) -> None:
        """Take the chosen token again."""
        if self._future:
            self._past.append(self._wording)
            self._reword(self._future.pop())

    # ------------------------------------------------------------------ the question

    def _question(self) -> Question | None:
        if self._entry is None:
            return None
        return Question(self._entry.key, self._wording, self._settings)

    def _question_changed(self) -> None:
        """Take every old answer off the screen, before anything else can happen."""
        question = self._question()
        self._problem = ""
        self._moved_s = 0.0
        self._counting.start()
        if question != self._asked:
            self._cancel((TEXT, COLUMNS))
            self._drop_stream()
        if question is None or question.reading() != self._asked_reading:
            self._cancel((TRAJECTORY,))
        self._touch("text", "columns", "curves", "marks", "activity")
        self._flush()

    def _problem_with(self, question: Question) -> str:
        entry = self._entry
        if entry is not None and not entry.here:
            return ""  # the views say that nothing is here
        try:
            self._answers.prompt(question)
            self._answers.prompt(question, self._endings)
        except (PromptError, CheckpointError) as problem:
            return str(problem)
        return ""

    def _branch(self, shown: ShownText, position: int, token_id: int, model: str = "") -> None:
        key = model or (self._entry.key if self._entry else "")
        if not key or not 0 <= position < len(shown.tokens):
            return
        ids = (*(token.token_id for token in shown.tokens[:position]), token_id)
        text = "".join(self._library.token_texts(key, ids))
        self.reword(Wording(text, ids, tokenizer_of(self._library, key)))

    def _follow_branch(self, question: Question) -> None:
        """Tell the tree of branches what is asked, and which token of it was chosen."""
        if self._entry is None or not self._entry.here:
            return
        ids = self._answers.prompt(question).token_ids
        own = tokenizer_of(self._library, question.model)
        exact = question.wording.token_ids is not None
        chosen = exact and question.wording.tokenizer_sha256 == own
        taken = self._library.token_texts(question.model, ids)[-1] if chosen else None
        self.branching.follow(question.wording.text, ids, own, taken)

    def _reword(self, wording: Wording) -> None:
        self._wording = wording
        self.wording_changed.emit(wording)
        self._tell_history()
        self.run()

    def _tell_history(self) -> None:
        self.history_changed.emit(bool(self._past), bool(self._future))

    def _step_for(self, entry: ModelEntry, *, first: bool) -> int:
        steps = entry.steps or (0,)
        if first:
            return max(entry.here or steps)
        return self._step if self._step in steps else snap(self._step, entry.here or steps)

    def _set_pins(self, pins: list[Pin]) -> None:
        self._pins, self._pins_are_ours = pins, False
        self._cancel((COLUMNS,))
        self.pins_changed.emit(self.pins)
        self._touch("columns", "activity")

    # ------------------------------------------------------------------ asking the worker

    def _ask_for_what_is_missing(self) -> None:
        self._ask_for_text()
        self._ask_for_columns()
        self._ask_for_curves()

    def _ask_for_text(self) -> None:
        key = self._missing_text()
        if key is None or self._asked is None or self._entry is None:
            self._cancel((TEXT,))
        elif not self._errands.fetches(TEXT, key):
            at = self._answers.checkpoints([(Pin(self._entry.key, self._step), key)])
            prompt = self._answers.prompt(self._asked)
            self._submit(text_request(TEXT, [c for c, _ in at], prompt, self._asked.settings), at)
            self._stream = None

    def _missing_text(self) -> Key | None:
        """Return the name of the text under the timeline if it is asked for and not known."""
        key = self._key_on_screen()
        known = key is None or self._answers.get(key) or self._answers.trouble(key)
        return None if known else key

    def _ask_for_columns(self) -> None:
        missing = self._missing_columns() if self._columns_shown else []
        if not missing or self._errands.under_way(COLUMNS) or self._asked is None:
            return
        question = replace(self._asked, model=missing[0][0].model)
        prompt = self._answers.prompt(question)
        alike = self._alike(missing)
        request = text_request(COLUMNS, [c for c, _ in alike], prompt, question.settings)
        self._submit(request, alike)

    def _missing_columns(self) -> list[tuple[Pin, Key]]:
        named = ((pin, self._asked_key(pin)) for pin in self._pins)
        return self._answers.missing((pin, key) for pin, key in named if key is not None)

    def _alike(self, missing: list[tuple[Pin, Key]]) -> list[tuple[Checkpoint, Key]]:
        """Return those that share the first one's tokenizer; the others wait their turn."""
        at = self._answers.checkpoints(missing)
        return [pair for pair in at if pair[0].tokenizer_sha256 == at[0][0].tokenizer_sha256]

    def _ask_for_curves(self) -> None:
        if self._sweep_halted or not self._reading_is_asked():
            return
        prompt = None if self._errands.under_way(TRAJECTORY) else self._swept_prompt()
        keys = self._unknown_curve_keys(prompt) if prompt is not None else []
        if prompt is not None and keys:
            at = self._answers.checkpoints(keys)
            self._submit(curve_request([checkpoint for checkpoint, _ in at], prompt), at)

    def _unknown_curve_keys(self, prompt: Prompt) -> list[tuple[Pin, Key]]:
        if self._entry is None:
            return []
        model, steps = self._entry.key, self._sweep_steps()
        if not self._endings and not prompt.targets:
            steps = steps[-1:]  # the final step first: its top tokens become the targets
        named = ((Pin(model, step), curve_key(model, step, prompt)) for step in coarse_first(steps))
        return self._answers.missing(named)

    def _sweep_steps(self) -> tuple[int, ...]:
        if self._entry is None:
            return ()
        return swept_steps(self._entry) or tuple(sorted(self._entry.here))

    def _reading_is_asked(self) -> bool:
        question = self._question()
        return question is not None and question.reading() == self._asked_reading

    def _swept_prompt(self) -> Prompt | None:
        """Return the prompt with its targets: typed, else the final step's, else none as yet."""
        asked, entry = self._asked_reading, self._entry
        steps = self._sweep_steps()
        if asked is None or entry is None or not steps:
            return None
        try:
            if self._endings:
                return self._answers.prompt(asked, self._endings)
            prompt = self._answers.prompt(asked)
        except (PromptError, CheckpointError) as problem:
            self._problem = str(problem)
            return None
        final = self._answers.get(curve_key(entry.key, steps[-1], prompt))
        if final is None:
            return prompt
        targets = suggested_targets(prompt, final)
        return replace(prompt, targets=targets) if targets else prompt

    def _submit(self, request: Request, at: Sequence[tuple[Checkpoint, Key]]) -> None:
        if request.checkpoints:
            self._errands.send(request, at)

    def _cancel(self, slots: Iterable[str]) -> None:
        self._errands.cancel(slots)
        if not self._errands.under_way(TEXT):
            self._stream = None

    # ------------------------------------------------------------------ what the worker says

    def _on_moved(self) -> None:
        self._touch("activity")

    def _on_token(self, key: Key, written: TokenWritten) -> None:
        if key != self._key_on_screen() or written.sample != self._sample:
            return
        if not self._errands.fetches(TEXT, key):
            return  # it is written for a column
        if self._stream is None or self._stream.key != key:
            self._stream = _Stream(key, self._unscored(written.prompt))
            self._touch("text")
        self._stream.written.append(show.token_of(written))
        self._touch("tokens")

    def _unscored(self, prompt: Prompt) -> tuple[ShownToken, ...]:
        key = self._entry.key if self._entry else ""
        return show.unscored_prompt(prompt, self._library.token_texts(key, prompt.token_ids))

    def _on_answer(self, slot: str, key: Key, result: Result) -> None:
        self._answers.file(key, result)
        self._touch(*_views_of(slot), "marks")

    def _on_ended(self, slot: str, keys: tuple[Key, ...], why: str, failed: bool) -> None:  # noqa: FBT001
        self._answers.fail(keys, why)
        if slot == TRAJECTORY and failed:
            self._sweep_halted = why
        if slot == TEXT:
            self._stream = None
        self._touch(*_views_of(slot))

    # ------------------------------------------------------------------ what the views show

    def _touch(self, *views: View) -> None:
        """Have `views` drawn anew with the next frame."""
        self._dirty.update(views)
        if not self._frame.isActive():
            self._frame.start()

    def _flush(self) -> None:
        """Ask for what is missing, then tell each view that changed what it shows."""
        self._frame.stop()
        self._ask_for_what_is_missing()
        dirty, self._dirty = self._dirty, set()
        self._tell_problem()
        self._tell_question()
        if "text" in dirty:
            self._show_text()
        elif "tokens" in dirty:
            self._show_tokens()
        if "columns" in dirty and self._columns_shown:
            self.columns_changed.emit(self._column_views())
        if "curves" in dirty or "marks" in dirty:
            self._show_curves(dirty)
        if "activity" in dirty:
            self._show_activity()

    def _count(self) -> None:
        question = self._question()
        if question is not None and self._entry is not None:
            self.reading_changed.emit(reading_of(self._library, self._entry, question))

    def _tell_question(self) -> None:
        """Say so when `asking` would give something else."""
        entry, asked = self._entry, self._asked_reading if self._reading_is_asked() else None
        prompt = self._swept_prompt() if asked is not None else None
        here = (entry.key, entry.here) if entry is not None else None
        asking = (here, asked, self._endings, prompt, self._problem, tuple(self._models))
        if asking != self._told_asking:
            self._told_asking = asking
            self.question_changed.emit()

    def _tell_problem(self) -> None:
        if self._problem != self._told_problem:
            self._told_problem = self._problem
            self.problem_changed.emit(self._problem)

    def _show_text(self) -> None:
        view = self._text_view()
        if view.state == "waiting" and time.monotonic() - self._moved_s < PATIENCE_S:
            # the last step's text stands, under its own name, for the moment that most answers
            # take: a blank between all frames of a playback would flicker
            self._touch("text")
            return
        if self._stream is not None:
            self._stream.shown = len(self._stream.written)
        self.text_changed.emit(view)

    def _show_curves(self, dirty: set[View]) -> None:
        """Draw the plot and the timeline's marks; while a sweep runs, a dozen times a second."""
        now, drawn = time.monotonic(), (self._question(), self._endings)
        sweeping = self._errands.under_way(TRAJECTORY)
        if sweeping and drawn == self._drawn and now - self._drawn_s < PLOT_S:
            self._touch(*(dirty & {"curves", "marks"}))
            return
        self._drawn, self._drawn_s = drawn, now
        if "curves" in dirty:
            self.curves_changed.emit(self._curves_view())
        if "marks" in dirty and self._entry is not None:
            self.marks_changed.emit(show.marks_of(self._entry, self._computed()))

    def _show_tokens(self) -> None:
        stream = self._stream
        if stream is None:
            return
        new = tuple(stream.written[stream.shown :])
        stream.shown = len(stream.written)
        if new:
            self.tokens_written.emit(new)

    def _text_view(self) -> ShownText:
        entry = self._entry
        if entry is None:
            return ShownText("", 0, message="Choose a model on the left.")
        pin = Pin(entry.key, self._step)
        view = self._checkpoint_view(pin, entry)
        stream = self._stream or self._cut_short
        if stream is None or stream.key != self._key_on_screen() or view.state in ("done", "error"):
            return view
        tokens = (*stream.prompt, *stream.written)
        if self._stream is not None:
            return ShownText(entry.name, self._step, tokens, "streaming")
        cut = f"{entry.name} · {format_step(self._step)} · stopped while it was being written"
        return ShownText(entry.name, self._step, tokens, "done", provenance=cut)

    def _key_on_screen(self) -> Key | None:
        return None if self._entry is None else self._asked_key(Pin(self._entry.key, self._step))

    def _asked_key(self, pin: Pin) -> Key | None:
        """Return the name of a checkpoint's text; None where it can't be asked for."""
        entry = self._models.get(pin.model)
        if entry is None or pin.step not in entry.here:
            return None
        if self._asked is None or self._asked != self._question():
            return None
        question = replace(self._asked, model=pin.model)
        try:
            return text_key(pin.model, pin.step, self._answers.prompt(question), question.settings)
        except (PromptError, CheckpointError):
            return None

    def _column_views(self) -> tuple[ShownText, ...]:
        views = []
        for pin in self._pins:
            entry = self._models.get(pin.model)
            if entry is not None:
                views.append(self._checkpoint_view(pin, entry))
        return tuple(views)

    def _checkpoint_view(self, pin: Pin, entry: ModelEntry) -> ShownText:
        """Return what is known of a checkpoint's text for the question on screen."""
        say = ShownText(entry.name, pin.step)
        if pin.step not in entry.here:
            return replace(say, message=show.why_not_here(entry, pin.step))
        if self._asked is None or self._asked != self._question():
            return replace(say, message=NOT_ASKABLE if self._problem else PRESS_RUN)
        question = replace(self._asked, model=pin.model)
        try:
            prompt = self._answers.prompt(question)
        except (PromptError, CheckpointError) as problem:
            return replace(say, state="error", message=str(problem))
        key = text_key(pin.model, pin.step, prompt, question.settings)
        result = self._answers.get(key)
        if result is not None:
            texts = self._library.token_texts(pin.model, prompt.token_ids)
            demo = entry.source == "demo"
            return show.text_of_result(entry.name, result, texts, self._sample, miniature=demo)
        trouble = self._answers.trouble(key)
        if trouble:
            return replace(say, state="empty" if trouble == STOPPED else "error", message=trouble)
        return replace(say, state="waiting", message=f"Computing {format_step(pin.step)} ...")

    def _curves_view(self) -> Trajectories:
        entry = self._entry
        if entry is None:
            return Trajectories()
        if not entry.here:
            return Trajectories(message=f"No curves: nothing of {entry.name} is on this machine.")
        if not self._reading_is_asked():
            return Trajectories(message=NOT_ASKABLE if self._problem else PRESS_RUN)
        prompt = self._swept_prompt()
        if prompt is None or not prompt.targets:
            return self._no_curves_yet()
        asked = self._endings or [Ending(target.text) for target in prompt.targets]
        labels = [(ending.text, ending.role) for ending in asked]
        results = self._curve_results(prompt)
        curves = show.curves_of(entry, labels, results, suggested=not self._endings)
        return Trajectories(curves, *self._sweep_state(len(results)))

    def _no_curves_yet(self) -> Trajectories:
        halted = self._sweep_halted
        if halted:
            return Trajectories((), "empty" if halted == STOPPED else "error", halted)
        if self._problem:
            return Trajectories()
        if self._errands.under_way(TRAJECTORY):
            return Trajectories((), "waiting", "Looking for targets in the final step ...")
        return Trajectories((), "error", self._why_no_targets())

    def _why_no_targets(self) -> str:
        """Return why the final step gave no tokens to follow, with the way out."""
        asked, entry, steps = self._asked_reading, self._entry, self._sweep_steps()
        if asked is not None and entry is not None and steps:
            key = curve_key(entry.key, steps[-1], self._answers.prompt(asked))
            final = self._answers.get(key)
            problem = final.error if final is not None else self._answers.trouble(key)
            if problem:
                return problem
        return "The final step has no token to suggest; type a target above."

    def _curve_results(self, prompt: Prompt) -> dict[int, Result]:
        if self._entry is None:
            return {}
        model, steps = self._entry.key, self._entry.here
        found = ((step, self._answers.get(curve_key(model, step, prompt))) for step in steps)
        return of_one_dtype({step: result for step, result in found if result is not None})

    def _sweep_state(self, measured: int) -> tuple[State, str]:
        if self._errands.under_way(TRAJECTORY):
            count = f"{measured} of {len(self._sweep_steps())} steps"
            return ("streaming" if measured else "waiting"), count
        halted = self._sweep_halted
        if halted and measured:
            return "done", f"{measured} of {len(self._sweep_steps())} steps. {halted}"
        if halted:
            return ("empty" if halted == STOPPED else "error"), halted
        return "done", ""

    def _computed(self) -> frozenset[int]:
        """Return the steps of which something is on screen or a move away from it."""
        if self._entry is None or not self._reading_is_asked():
            return frozenset()
        prompt = self._swept_prompt()
        return frozenset(self._curve_results(prompt)) if prompt is not None else frozenset()

    def _drop_stream(self) -> None:
        self._stream = self._cut_short = None

    # ------------------------------------------------------------------ status

    def _show_activity(self) -> None:
        activity = self._errands.activity()
        self.activity_changed.emit(activity)
        if self._was_running and not activity.running:
            self.run_ended.emit(self._ending_sentence())
        self._was_running = activity.running

    def _ending_sentence(self) -> str:
        if STOPPED in self._answers.troubles or self._sweep_halted == STOPPED:
            return "Stopped."
        if self._answers.troubles or self._sweep_halted:
            return "The run ended with a problem."
        return "The run is finished."


def _views_of(slot: str) -> tuple[View, ...]:
    if slot == TRAJECTORY:
        return ("curves",)
    return ("columns", "text") if slot == COLUMNS else ("text", "columns")
