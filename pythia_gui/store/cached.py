"""CachedEngine: never compute twice."""

import json
import logging
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import cast

import numpy as np

from pythia_gui.core.engine import Cancel, Engine
from pythia_gui.core.events import (
    Continuation,
    Divergence,
    EngineEvent,
    Failure,
    Floats,
    NextToken,
    Notice,
    Placement,
    Progress,
    Result,
    Score,
    TargetScore,
    TokenWritten,
)
from pythia_gui.core.keys import line_sha256
from pythia_gui.core.precision import Dtype, computed_dtype
from pythia_gui.core.requests import Checkpoint, Prompt, Request
from pythia_gui.store import payload, plan
from pythia_gui.store.database import Database, Row, StoreError
from pythia_gui.store.fingerprints import Cancelled, Fingerprints, Weights, weights_in

HASHED_BEFORE_BYTES = 128 << 20  # more than this is asked first and fingerprinted afterwards
READ_AT_ONCE = 32  # checkpoints
SAVE_AGAIN_S = 2.0  # a file that just failed is left alone for so long

log = logging.getLogger(__name__)


class CachedEngine:
    """Answers from the database what was computed before, and asks `inner` only for the rest.

    Results come in the request's order, so a stored one waits for a computed one before it,
    but never for anything else: a request that is stored in full does not touch `inner` at all.
    `Float32Fallback` belongs outside of this engine, whoever fetches files inside. The database
    stays open when the engine closes.
    """

    def __init__(self, inner: Engine, database: Database) -> None:
        self._inner = inner
        self._memory = _Memory(database)

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        """Yield what the checkpoints of `request` say, stored answers among them."""
        yield from self._memory.news()
        try:
            yield from _Run(self._inner, self._memory, request, cancel).events()
        except Cancelled:
            return

    def close(self) -> None:
        """Close the inner engine."""
        self._inner.close()


class _Memory:
    """What outlives a request: the database, and what was read from it or learned since."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.fingerprints = Fingerprints(database)
        self._texts: dict[str, dict[int, str]] = {}
        self._places: dict[str, Placement] = {}
        self._news = [database.notice] if database.notice else []
        self._warned = False
        self._save_again = 0.0

    def news(self) -> Iterator[Notice]:
        """Yield once what there is to say about the database."""
        while self._news:
            yield Notice(self._news.pop(0))

    def place(self, device: str) -> Placement | None:
        """Return where the engine computes for this device setting, or did when last run."""
        if device not in self._places:
            with suppress(StoreError, ValueError, TypeError):
                if known := self.database.meta(f"placement:{device}"):
                    self._places[device] = Placement(**json.loads(known))
        return self._places.get(device)

    def placed(self, device: str, place: Placement) -> None:
        """Remember where the engine computes for this device setting."""
        if self._places.get(device) != place:
            self._places[device] = place
            with suppress(StoreError):
                self.database.set_meta(f"placement:{device}", json.dumps(asdict(place)))

    def present(self, keys: Sequence[str]) -> set[str]:
        """Return which keys are stored; none, if the database can't be read."""
        try:
            return self.database.present(keys)
        except StoreError as problem:
            log.warning("stored results can't be read: %s", problem)
            return set()

    def payloads(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return what is stored under these keys, as far as it can be read."""
        try:
            return self.database.payloads(keys)
        except StoreError as problem:
            log.warning("stored results can't be read: %s", problem)
            return {}

    def has_texts(self, tokenizer_sha256: str, ids: set[int]) -> bool:
        """Whether the texts of all these tokens are known."""
        known = self._texts.setdefault(tokenizer_sha256, {})
        if unread := ids - known.keys():
            with suppress(StoreError):
                known |= self.database.texts(tokenizer_sha256, unread)
        return ids <= known.keys()

    def texts(self, tokenizer_sha256: str, ids: set[int]) -> dict[int, str]:
        """Return the texts of these tokens, as far as they are known."""
        self.has_texts(tokenizer_sha256, ids)
        known = self._texts[tokenizer_sha256]
        return {i: known[i] for i in ids if i in known}

    def save(self, rows: list[Row], tokenizer_sha256: str, texts: Mapping[int, str]) -> str:
        """Keep results; return a sentence where that fails for the first time."""
        if not rows or time.monotonic() < self._save_again:
            return ""
        known = self._texts.setdefault(tokenizer_sha256, {})
        fresh = {i: text for i, text in texts.items() if i not in known}
        try:
            self.database.save(rows, tokenizer_sha256, fresh)
        except StoreError as problem:
            return self._not_saved(problem)
        known |= fresh
        self._warned = False
        return ""

    def _not_saved(self, problem: StoreError) -> str:
        self._save_again = time.monotonic() + SAVE_AGAIN_S
        if self._warned:
            return ""
        self._warned = True
        log.warning("results can't be saved: %s", problem)
        return f"Results can't be saved ({problem}): they will have to be computed again."


Keys = tuple[plan.PartKeys, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Stored:
    """A stored part and the ids of the tokens that it names."""

    part: payload.Part
    ids: set[int]


Stored = Mapping[str, _Stored]
Events = Generator[EngineEvent, None, None]


class _Moved(Exception):
    """What the pass stood on has changed: start another at a checkpoint, for a placement."""

    def __init__(self, place: Placement, start: int) -> None:
        super().__init__()
        self.place = place
        self.start = start


class _Ended(Exception):
    """The inner engine has nothing more to say: cancelled, or failed."""


class _Run:
    """One request on its way."""

    def __init__(self, inner: Engine, memory: _Memory, request: Request, cancel: Cancel) -> None:
        self.inner = inner
        self.memory = memory
        self.request = request
        self.cancel = cancel
        self.checkpoints = list(request.checkpoints)
        self.weights: list[Weights | None] = [None] * len(self.checkpoints)
        self.reference_weights: Weights | None = None
        self.spoilt = False  # weights changed while they were read
        self._lines: dict[int, str] = {}
        self.damaged: set[str] = set()

    def events(self) -> Events:
        place = self.memory.place(self.request.device) if self.checkpoints else None
        if place is None:
            place = yield from self._ask_place()
        else:
            yield place
        if place is None or not self.checkpoints:
            return
        yield from self._identify()
        start = 0
        while True:
            try:
                yield from _Pass(self, place, start).events()
            except _Moved as moved:
                place, start = moved.place, moved.start
            except _Ended:
                return
            else:
                return

    def _ask_place(self) -> Generator[EngineEvent, None, Placement | None]:
        """Pass on what a request without checkpoints brings; return the placement, if it does."""
        place = None
        for event in self.inner.run(replace(self.request, checkpoints=()), self.cancel):
            if isinstance(event, Placement):
                place = event
                self.memory.placed(self.request.device, place)
            yield event
        return place

    def _identify(self) -> Events:
        """Learn what the checkpoints' weights are, unless that would take long."""
        self.weights = [_unidentified(checkpoint) for checkpoint in self.checkpoints]
        against = self.request.against
        self.reference_weights = _unidentified(against) if against is not None else None
        everyone = (*self.weights, self.reference_weights)
        self.memory.fingerprints.recall([weights for weights in everyone if weights is not None])
        spent_bytes = 0
        if against is not None and self.reference_weights is not None:
            against, spent_bytes = yield from self._known(against, self.reference_weights, 0)
            self.request = replace(self.request, against=against)
        for number, weights in enumerate(self.weights):
            if weights is not None:
                at = self.checkpoints[number]
                self.checkpoints[number], spent_bytes = yield from self._known(
                    at, weights, spent_bytes
                )

    def _known(
        self, at: Checkpoint, weights: Weights, spent_bytes: int
    ) -> Generator[EngineEvent, None, tuple[Checkpoint, int]]:
        """Return a checkpoint with its fingerprint, if that is near, and the bytes read so far."""
        sha256 = self.memory.fingerprints.known(weights)
        if sha256 is None and spent_bytes + weights.size_bytes <= HASHED_BEFORE_BYTES:
            spent_bytes += weights.size_bytes
            yield Progress(f"Checking {_name(at)}", 0.0)
            sha256 = self.memory.fingerprints.take(weights, self.cancel)
        return replace(at, weights_sha256=sha256), spent_bytes

    def line(self, number: int) -> str | None:
        """Return what names the checkpoints before this one, if that matters and is known."""
        earlier = self.checkpoints[:number]
        if not self.request.similarity or self.spoilt:
            return None
        if number not in self._lines:
            if any(checkpoint.weights_sha256 is None for checkpoint in earlier):
                return None
            self._lines[number] = line_sha256(earlier)
        return self._lines[number]

    def learned(self, number: int, answer: Result) -> None:
        """Know from now on the fingerprints that an answer brings."""
        if (weights := self.weights[number]) is not None and answer.checkpoint.weights_sha256:
            self.memory.fingerprints.remember(weights, answer.checkpoint.weights_sha256)
        self.checkpoints[number] = answer.checkpoint
        found, against = answer.divergence, self.request.against
        if found is None or against is None or not found.reference:
            return
        if self.reference_weights is not None:
            self.memory.fingerprints.remember(self.reference_weights, found.reference)
        self.request = replace(
            self.request, against=replace(against, weights_sha256=found.reference)
        )


class _Pass:
    """One walk through a request's checkpoints, from `start` on, for one placement.

    Raises:
        _Moved: another walk is needed, since the engine computes elsewhere than it last did,
            or a stored result turned out damaged.
        _Ended: nothing more will come.
    """

    def __init__(self, run: _Run, place: Placement, start: int) -> None:
        self.run = run
        self.request = run.request  # as it was identified when the walk began
        self.place = place
        self.start = start
        self.dtype: Dtype = computed_dtype(run.request, place)
        self.checkpoints = run.checkpoints[start:]
        self.keys = [self._keys_of(number) for number in range(start, len(run.checkpoints))]
        wanted = [key for row in self.keys for part in row for key in part]
        self.present = run.memory.present(wanted) - run.damaged
        self.needs = plan.in_line([self._need_of(row) for row in self.keys])
        self._read: dict[str, bytes] = {}

    def _keys_of(self, number: int) -> Keys:
        """Return the keys prompt by prompt; none, while the weights are unknown."""
        at, line = self.run.checkpoints[number], self.run.line(number)
        if at.weights_sha256 is None:
            return ()
        place = (self.dtype, self.place.device_class)
        return tuple(plan.part_keys(self.request, at, p, place, line) for p in self.request.prompts)

    def _need_of(self, row: Keys) -> plan.Need:
        if not row:
            return plan.everything(self.request)
        return tuple(plan.missing_of(self.request, part, self.present) for part in row)

    def events(self) -> Events:
        """Yield every result in order, asking the inner engine where the first is missing."""
        groups = {group.checkpoints[0]: group for group in plan.groups(self.needs)}
        asked: _Asked | None = None
        try:
            for number, need in enumerate(self.needs):
                if self.run.cancel.is_set():
                    raise _Ended
                stored = self._stored_parts(number)
                if any(need) and number in groups:
                    if asked is not None:
                        yield from asked.rest()
                    asked = _Asked(self, groups[number])
                for at in range(len(self.request.prompts)):
                    if asked is not None and asked.has(number, at):
                        yield from self._computed(number, at, asked, stored)
                    else:
                        yield self._from_store(number, at, stored)
            if asked is not None:
                yield from asked.rest()
        finally:
            if asked is not None:
                asked.close()

    # -- stored parts -------------------------------------------------------------------------

    def _stored_parts(self, number: int) -> Stored:
        """Return the stored parts of one checkpoint by key.

        Raises:
            _Moved: one of them is damaged; the next walk computes it again.
        """
        if number % READ_AT_ONCE == 0:
            rows = self.keys[number : number + READ_AT_ONCE]
            wanted = (key for row in rows for part in row for key in part)
            self._read = self.run.memory.payloads([key for key in wanted if key in self.present])
        parts: dict[str, _Stored] = {}
        for name, key in (pair for part in self.keys[number] for pair in _named(part)):
            if key in self.present and key not in parts:
                try:
                    part = payload.decode(name, self._read[key])
                    parts[key] = _Stored(part, _named_ids(part))
                except (KeyError, payload.DamagedPayload) as problem:
                    log.warning("a stored %s can't be used: %r", name, problem)
                    raise self._without([key], number) from None
        ids = set().union(*(stored.ids for stored in parts.values()))
        if not self.run.memory.has_texts(self.checkpoints[number].tokenizer_sha256, ids):
            raise self._without(parts, number)
        return parts

    def _without(self, keys: Iterable[str], number: int) -> _Moved:
        """Return the move to a walk from this checkpoint on that does not count on `keys`.

        Where checkpoints are compared with all before them, the walk begins again.
        """
        self.run.damaged.update(keys)
        return _Moved(self.place, 0 if self.request.similarity else self.start + number)

    def _from_store(self, number: int, at: int, stored: Stored) -> Result:
        checkpoint, prompt = self.checkpoints[number], self.request.prompts[at]
        keys = self.keys[number][at] if self.keys[number] else plan.PartKeys()
        parts = [stored[key] for key in keys if key in stored]
        return Result(
            checkpoint=checkpoint,
            prompt=prompt,
            device=self.place.device,
            device_class=self.place.device_class,
            dtype=self.dtype,
            texts=self._texts(number, prompt, parts),
            score=cast("Score | None", _part(stored, keys.score)),
            next_token=cast("NextToken | None", _part(stored, keys.next_token)),
            targets=self._targets(prompt, keys, stored),
            continuations=self._continuations(keys, stored),
            divergence=cast("Divergence | None", _part(stored, keys.divergence)),
            similarity=cast("Floats | None", _part(stored, keys.similarity)),
            from_store=True,
        )

    def _texts(self, number: int, prompt: Prompt, parts: Sequence[_Stored]) -> dict[int, str]:
        """Return the texts of all named tokens, and of the prompt's as far as they are known."""
        ids = set(prompt.token_ids).union(*(stored.ids for stored in parts))
        return self.run.memory.texts(self.checkpoints[number].tokenizer_sha256, ids)

    def _targets(
        self, prompt: Prompt, keys: plan.PartKeys, stored: Stored
    ) -> tuple[TargetScore, ...]:
        """Return the stored targets, under the texts by which they are asked for now."""
        found = (
            (target.text, cast("TargetScore | None", _part(stored, key)))
            for target, key in zip(prompt.targets, keys.targets, strict=False)
        )
        return tuple(replace(part, text=text) for text, part in found if part is not None)

    def _continuations(self, keys: plan.PartKeys, stored: Stored) -> tuple[Continuation, ...]:
        """Return the stored continuations; a greedy one is the same for every sample and seed."""
        assert self.request.continuation is not None or not keys.continuations
        what = self.request.continuation
        found = enumerate(cast("Continuation | None", _part(stored, k)) for k in keys.continuations)
        return tuple(
            replace(part, sample=sample, seed=what.sampling.seed)
            for sample, part in found
            if part is not None and what is not None
        )

    # -- computed parts -----------------------------------------------------------------------

    def _computed(self, number: int, at: int, asked: "_Asked", stored: Stored) -> Events:
        """Yield what the inner engine says, up to its next result; keep and complete that."""
        answer = yield from asked.result()
        prompt = self.request.prompts[at]
        if answer.error is not None:
            yield replace(answer, prompt=prompt)
            return
        if not self._as_asked(number):
            self.run.spoilt = True
            log.warning("%s changed while it was read; not stored", _name(answer.checkpoint))
        elif notice := self._save(number, at, answer):
            yield Notice(notice)
        old = self._from_store(number, at, stored)
        yield replace(
            answer,
            prompt=prompt,
            texts={**old.texts, **answer.texts},
            score=answer.score or old.score,
            next_token=answer.next_token or old.next_token,
            targets=_in_order(prompt, (*old.targets, *answer.targets)),
            continuations=answer.continuations or old.continuations,
            divergence=answer.divergence or old.divergence,
            similarity=old.similarity if answer.similarity is None else answer.similarity,
        )

    def _as_asked(self, number: int) -> bool:
        """Whether the files are still those whose fingerprint the answer goes by."""
        own, reference = self.run.weights[self.start + number], self.run.reference_weights
        return _unchanged(own) and _unchanged(reference)

    def _save(self, number: int, at: int, answer: Result) -> str:
        """Keep the parts of an answer; return a sentence if they can't be kept."""
        labelled = answer.checkpoint
        if labelled.weights_sha256 is None:
            return ""
        self.run.learned(self.start + number, answer)
        place = (cast("Dtype", answer.dtype), answer.device_class)
        asked, line = self.request.prompts[at], self.run.line(self.start + number)
        whole = plan.part_keys(self.run.request, labelled, asked, place, line)
        rows = [
            Row(key, payload.name_of(part), payload.encode(part))
            for key, part in _keyed(whole, asked, answer)
        ]
        return self.run.memory.save(rows, labelled.tokenizer_sha256, answer.texts)


class _Asked:
    """The inner engine at work on one group."""

    def __init__(self, walk: _Pass, group: plan.Group) -> None:
        self._walk = walk
        self._numbers = frozenset(group.checkpoints)
        self._prompts = frozenset(group.prompts)
        self._last = max(group.checkpoints)
        self._first = min(group.checkpoints)
        self._request = plan.request_for(group, walk.request, walk.checkpoints, walk.dtype)
        originals = (walk.request.prompts[number] for number in group.prompts)
        self._original = dict(zip(self._request.prompts, originals, strict=True))
        self._events = walk.run.inner.run(self._request, walk.run.cancel)

    def has(self, number: int, at: int) -> bool:
        """Whether this prompt is asked of this checkpoint here."""
        return number in self._numbers and at in self._prompts

    def result(self) -> Generator[EngineEvent, None, Result]:
        """Yield events up to the next result and return that."""
        for event in self._events:
            if isinstance(event, Result):
                return event
            yield from self._passed_on(event)
        raise _Ended

    def rest(self) -> Events:
        """Yield what comes after the last result."""
        for event in self._events:
            if not isinstance(event, Result):
                yield from self._passed_on(event)

    def _passed_on(self, event: EngineEvent) -> Events:
        match event:
            case Placement():
                yield from self._placed(event)
            case Progress(text, fraction):
                yield Progress(text, self._share(fraction))
            case TokenWritten(prompt=prompt):
                yield replace(event, prompt=self._original.get(prompt, prompt))
            case Failure():
                yield event
                raise _Ended
            case _:
                yield event

    def _placed(self, real: Placement) -> Events:
        """Go on where the engine computes as it did; else begin again with its real placement."""
        walk = self._walk
        walk.run.memory.placed(walk.request.device, real)
        if real == walk.place:
            return
        yield real
        same_dtype = computed_dtype(walk.request, real) == walk.dtype
        if real.device_class != walk.place.device_class or not same_dtype:
            raise _Moved(real, 0)
        walk.place = real

    def _share(self, fraction: float) -> float:
        """Return how far the whole request is when this part is at `fraction`."""
        spanned = self._last + 1 - self._first
        done = self._walk.start + self._first + fraction * spanned
        return done / len(self._walk.run.checkpoints)

    def close(self) -> None:
        """End the inner run, if it has not ended by itself."""
        if isinstance(self._events, Generator):
            self._events.close()


def _unidentified(checkpoint: Checkpoint) -> Weights | None:
    """Return the weights of a checkpoint whose fingerprint nobody has taken, if it is here."""
    if checkpoint.folder is None or checkpoint.weights_sha256 is not None:
        return None
    return weights_in(checkpoint.folder)


def _unchanged(weights: Weights | None) -> bool:
    return weights is None or weights_in(weights.folder) == weights


def _name(checkpoint: Checkpoint) -> str:
    return f"step {checkpoint.step:,} of {checkpoint.model}"


def _named(part: plan.PartKeys) -> Iterator[tuple[payload.PartName, str]]:
    """Yield every key of `part` with the name of what is stored under it."""
    if part.score is not None:
        yield "score", part.score
    if part.next_token is not None:
        yield "next", part.next_token
    yield from (("target", key) for key in part.targets)
    yield from (("continuation", key) for key in part.continuations)
    if part.divergence is not None:
        yield "divergence", part.divergence
    if part.similarity is not None:
        yield "similarity", part.similarity


def _part(stored: Stored, key: str | None) -> payload.Part | None:
    found = stored.get(key) if key is not None else None
    return found.part if found is not None else None


def _named_ids(part: payload.Part) -> set[int]:
    """Return the ids of all tokens that a part names."""
    match part:
        case TargetScore(token_ids=ids):
            return set(ids)
        case NextToken(top=top):
            return set(top.ids.ravel().tolist())
        case Score(token_ids=own, top=top) | Continuation(token_ids=own, top=top):
            return {*own.tolist(), *top.ids.ravel().tolist()}
        case Divergence() | np.ndarray():
            return set()


def _keyed(
    keys: plan.PartKeys, prompt: Prompt, answer: Result
) -> Iterator[tuple[str, payload.Part]]:
    """Yield every part that an answer brings with its key."""
    if keys.score is not None and answer.score is not None:
        yield keys.score, answer.score
    if keys.next_token is not None and answer.next_token is not None:
        yield keys.next_token, answer.next_token
    if keys.divergence is not None and answer.divergence is not None:
        yield keys.divergence, answer.divergence
    compared = answer.similarity
    if keys.similarity is not None and compared is not None and not np.isnan(compared).any():
        yield keys.similarity, compared
    by_target = {
        (t.context_ids, t.token_ids): k for t, k in zip(prompt.targets, keys.targets, strict=True)
    }
    for target, part in zip(answer.prompt.targets, answer.targets, strict=True):
        yield by_target[target.context_ids, target.token_ids], part
    if len(answer.continuations) == len(keys.continuations):
        yield from zip(keys.continuations, answer.continuations, strict=True)


def _in_order(prompt: Prompt, parts: Sequence[TargetScore]) -> tuple[TargetScore, ...]:
    """Return the parts in the order of the prompt's targets."""
    by_target = {(part.text, part.token_ids): part for part in parts}
    asked = ((target.text, target.token_ids) for target in prompt.targets)
    return tuple(by_target[target] for target in asked if target in by_target)
