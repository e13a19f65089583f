"""The engine that computes in this process."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import Tensor
from transformers import DynamicCache

from pythia_gui.core.engine import Cancel
from pythia_gui.core.events import (
    Continuation,
    Divergence,
    EngineEvent,
    Failure,
    Floats,
    NextToken,
    Placement,
    Progress,
    Result,
    Score,
    TargetScore,
    TokenWritten,
)
from pythia_gui.core.fingerprint import (
    CheckpointError,
    FileIdentity,
    file_sha256,
    identity_of,
    weight_files,
    weights_sha256,
)
from pythia_gui.core.precision import Dtype, computed_dtype, fits
from pythia_gui.core.requests import Checkpoint, Prompt, Request, Target
from pythia_gui.core.steps import shown
from pythia_gui.engine.beside import Earlier, Reference, Refusal
from pythia_gui.engine.decode import Orders, Written, write
from pythia_gui.engine.measure import (
    Columns,
    NonFiniteLogits,
    finite,
    logits_in_chunks,
    next_token,
    score_chunk,
    score_of,
    token_scores,
)
from pythia_gui.engine.skeleton import Skeleton
from pythia_gui.hub.tokenizer import Tokenizer

# Below this size one thread is faster than two: the work is smaller than waking a thread.
SMALL_PARAMETERS = 5_000_000
LOADING_FAILS = (CheckpointError, MemoryError, RuntimeError, OSError)

transformers.utils.logging.disable_progress_bar()


class Cancelled(Exception):
    """The run is to end here."""


class LocalEngine:
    """Answers requests with torch in this process, one checkpoint after the other.

    It keeps one skeleton, the last architecture's; `close` gives it back.
    """

    def __init__(self) -> None:
        """Start with nothing loaded."""
        self._skeleton: Skeleton | None = None
        self._tokenizers: dict[str, Tokenizer] = {}
        self._sha256: dict[FileIdentity, str] = {}
        self._threads = torch.get_num_threads()

    def close(self) -> None:
        """Give the model's memory back."""
        self._skeleton = None

    def run(self, request: Request, cancel: Cancel) -> Iterator[EngineEvent]:
        """Yield what the checkpoints say; see `pythia_gui.core.engine.Engine`."""
        try:
            place = placement(request.device)
        except ValueError as problem:
            yield Failure(str(problem))
            return
        yield place
        with ExitStack() as kept:
            try:
                run = self._begun(request, place, cancel, kept)
                if request.against is not None and request.checkpoints:
                    yield from self._refer(request.against, run)
                for number in range(len(request.checkpoints)):
                    yield from self._ask(number, run)
            except CheckpointError as problem:
                yield Failure(str(problem))
            except Cancelled:
                return

    def _begun(self, request: Request, place: Placement, cancel: Cancel, kept: ExitStack) -> "_Run":
        """Return the run of a request; what it holds on disk is given back with `kept`.

        Raises:
            CheckpointError: the request needs more scratch space than there is.
        """
        reference, earlier = None, None
        asked = request.checkpoints
        if asked and request.prompts and (request.against is not None or request.similarity):
            ids = self._tokenizer(asked[0]).size
            if request.against is not None:
                reference = Reference(request.prompts, ids)
                kept.callback(reference.close)
            if request.similarity:
                earlier = Earlier(len(asked), len(request.prompts), ids)
                kept.callback(earlier.close)
        dtype = computed_dtype(request, place)
        return _Run(request, place, dtype, cancel, reference, earlier)

    def _refer(self, checkpoint: Checkpoint, run: "_Run") -> Iterator[EngineEvent]:
        """Keep the reference's distributions, or the reason why there are none."""
        if run.reference is None:
            return
        yield Progress(f"{_name(checkpoint)}: reading", 0.0)
        refusals = run.reference.refusals
        try:
            checkpoint = self._load(checkpoint, run)
        except LOADING_FAILS as problem:
            self._skeleton = None
            reason = Refusal(_sentence(problem, checkpoint))
            refusals |= dict.fromkeys(range(len(run.request.prompts)), reason)
            return
        run.reference.sha256 = checkpoint.weights_sha256 or ""
        yield Progress(f"{_name(checkpoint)}: computing", 0.0)
        for number in range(len(run.request.prompts)):
            run.keep_going()
            refusal = self._kept(number, checkpoint, run)
            if refusal is not None:
                refusals[number] = refusal

    @torch.inference_mode()
    def _kept(self, number: int, checkpoint: Checkpoint, run: "_Run") -> Refusal | None:
        """Keep the loaded reference's distributions of one prompt; return why not, if so."""
        assert self._skeleton is not None
        assert run.reference is not None
        prompt = replace(run.request.prompts[number], targets=())
        request = replace(run.request, continuation=None)
        try:
            tokenizer = self._tokenizer(checkpoint)
            refuse_misfit(prompt, request, checkpoint, tokenizer)
            answer = _Answer(self._skeleton, tokenizer, number, run)
            for span, logits in answer.predictions():
                run.reference.keep(number, span, logits)
        except NonFiniteLogits:
            return Refusal(_non_finite(checkpoint, run.dtype), non_finite=True)
        except (CheckpointError, MemoryError, RuntimeError) as problem:
            return Refusal(_sentence(problem, checkpoint))
        return None

    def _ask(self, number: int, run: "_Run") -> Iterator[EngineEvent]:
        checkpoint = run.request.checkpoints[number]
        share = number / len(run.request.checkpoints)
        refusals = run.refusals()
        if None in refusals:
            yield Progress(f"{_name(checkpoint)}: reading", share)
            try:
                checkpoint = self._load(checkpoint, run)
            except LOADING_FAILS as problem:
                self._skeleton = None
                refusals = [Refusal(_sentence(problem, checkpoint))] * len(refusals)
            else:
                yield Progress(f"{_name(checkpoint)}: computing", share)
        for place, refusal in enumerate(refusals):
            run.keep_going()
            if refusal is not None:
                yield run.refused(checkpoint, run.request.prompts[place], refusal)
            else:
                yield from self._measure((number, checkpoint), place, run)

    def _load(self, checkpoint: Checkpoint, run: "_Run") -> Checkpoint:
        """Put the checkpoint's weights into the skeleton; return it with its fingerprint."""
        if checkpoint.folder is None:
            raise CheckpointError(
                f"{_name(checkpoint)} is not on this machine; fetch it or pick another step"
            )
        if not fits(checkpoint, run.dtype, run.place):
            raise MemoryError
        run.keep_going()
        folder = Path(checkpoint.folder)
        sha256 = checkpoint.weights_sha256 or weights_sha256(
            folder, lambda file: self._file_sha256(file, run.keep_going)
        )
        skeleton = self._skeleton_for(checkpoint, run)
        small = checkpoint.config.parameters < SMALL_PARAMETERS
        torch.set_num_threads(1 if small else self._threads)
        skeleton.load(weight_files(folder), sha256, run.keep_going)
        return replace(checkpoint, weights_sha256=sha256)

    def _skeleton_for(self, checkpoint: Checkpoint, run: "_Run") -> Skeleton:
        dtype, device = getattr(torch, run.dtype), torch.device(run.place.device)
        held = self._skeleton
        asked = (checkpoint.config, dtype, device)
        if held is None or (held.config, held.dtype, held.device) != asked:
            self._skeleton = None  # its memory is free before the next is built
            held = self._skeleton = Skeleton(checkpoint.config, dtype, device)
        return held

    def _file_sha256(self, file: Path, keep_going: Callable[[], None]) -> str:
        identity = identity_of(file)
        if identity not in self._sha256:
            self._sha256[identity] = file_sha256(file, keep_going)
        return self._sha256[identity]

    def _tokenizer(self, checkpoint: Checkpoint) -> Tokenizer:
        sha256 = checkpoint.tokenizer_sha256
        if sha256 not in self._tokenizers:
            found = Tokenizer(Path(checkpoint.tokenizer_file))
            if found.sha256 != sha256:
                raise CheckpointError(
                    f"{checkpoint.tokenizer_file} has changed since the prompt was encoded; "
                    "add its folder again"
                )
            self._tokenizers[sha256] = found
        return self._tokenizers[sha256]

    @torch.inference_mode()
    def _measure(
        self, asked: tuple[int, Checkpoint], number: int, run: "_Run"
    ) -> Iterator[EngineEvent]:
        """Yield what a checkpoint, with its number, says about the prompt of a number."""
        assert self._skeleton is not None
        place, checkpoint = asked
        prompt = run.request.prompts[number]
        try:
            tokenizer = self._tokenizer(checkpoint)
            refuse_misfit(prompt, run.request, checkpoint, tokenizer)
            answer = _Answer(self._skeleton, tokenizer, number, run)
            yield from answer.measure(checkpoint, place)
        except NonFiniteLogits:
            refusal = Refusal(_non_finite(checkpoint, run.dtype), non_finite=True)
            yield run.refused(checkpoint, prompt, refusal)
        except (CheckpointError, MemoryError, RuntimeError) as problem:
            yield run.refused(checkpoint, prompt, Refusal(_sentence(problem, checkpoint)))
        else:
            yield Result(
                checkpoint=checkpoint,
                prompt=prompt,
                device=run.place.device,
                device_class=run.place.device_class,
                dtype=run.dtype,
                texts=answer.texts(),
                score=answer.score,
                next_token=answer.next_token,
                targets=answer.targets,
                continuations=answer.continuations,
                divergence=answer.divergence,
                similarity=answer.similarity,
            )


@dataclass(frozen=True, slots=True)
class _Run:
    """One request under way: where and in what dtype it is computed, and whether to go on.

    `reference` and `earlier` hold what the checkpoints are compared with, where that is asked.
    """

    request: Request
    place: Placement
    dtype: Dtype
    cancel: Cancel
    reference: Reference | None = None
    earlier: Earlier | None = None

    def keep_going(self) -> None:
        """Raise `Cancelled` once the person has lost interest."""
        if self.cancel.is_set():
            raise Cancelled

    def refusals(self) -> list[Refusal | None]:
        """Return, prompt by prompt, why the reference says nothing about it, if so."""
        found = self.reference.refusals if self.reference is not None else {}
        return [found.get(number) for number in range(len(self.request.prompts))]

    def refused(self, checkpoint: Checkpoint, prompt: Prompt, refusal: Refusal) -> Result:
        """Return the result that only says why there is none."""
        return Result(
            checkpoint=checkpoint,
            prompt=prompt,
            device=self.place.device,
            device_class=self.place.device_class,
            dtype=self.dtype,
            error=refusal.text,
            non_finite=refusal.non_finite,
        )


class _Answer:
    """What one loaded checkpoint says about one prompt, part after part."""

    def __init__(self, skeleton: Skeleton, tokenizer: Tokenizer, number: int, run: _Run) -> None:
        self._model = skeleton.model
        self._device = skeleton.device
        self._tokenizer = tokenizer
        self._number = number
        self._prompt = run.request.prompts[number]
        self._request = run.request
        self._run = run
        self._ids = min(tokenizer.size, skeleton.config.vocab_rows)
        self.score: Score | None = None
        self.next_token: NextToken | None = None
        self.targets: tuple[TargetScore, ...] = ()
        self.continuations: tuple[Continuation, ...] = ()
        self.divergence: Divergence | None = None
        self.similarity: Floats | None = None

    def measure(self, checkpoint: Checkpoint, place: int) -> Iterator[TokenWritten]:
        """Fill the parts that the request asks for, yielding tokens as they are written.

        `place` is the checkpoint's number in the request.
        """
        request, prompt, keep_going = self._request, self._prompt, self._run.keep_going
        writes = request.continuation is not None
        cache = DynamicCache(config=self._model.config) if writes else None
        ids = self._tensor(prompt.token_ids)
        hidden = self._hidden(ids, cache)
        logits = finite(self._model.lm_head(hidden[-1:]))
        if request.score or self._run.reference is not None:
            self._every_position(hidden, ids)
        if request.next_token:
            self.next_token = next_token(logits, request.top_k, self._ids)
        targets = []
        for target in prompt.targets:
            keep_going()
            targets.append(self._target(target, logits))
        self.targets = tuple(targets)
        if cache is not None:
            yield from self._write(checkpoint, logits, cache, keep_going)
        if self._run.earlier is not None:  # last: only what succeeds is compared with later ones
            self.similarity = self._run.earlier.apart(place, self._number, logits, keep_going)

    def predictions(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield the logits that predict the prompt's tokens from the second on, by chunks."""
        hidden = self._hidden(self._tensor(self._prompt.token_ids))
        for span, logits in logits_in_chunks(hidden[:-1], self._model.lm_head):
            yield span, logits
            self._run.keep_going()

    def _every_position(self, hidden: Tensor, ids: Tensor) -> None:
        """Fill the parts that need the logits at every position, as far as they are asked for."""
        request, reference = self._request, self._run.reference
        scored: list[Columns] = []
        apart: list[Tensor] = []
        for span, logits in logits_in_chunks(hidden[:-1], self._model.lm_head):
            self._run.keep_going()
            if request.score:
                scored.append(score_chunk(logits, ids[1:][span], request.top_k, self._ids))
            if reference is not None:
                apart.append(reference.apart(self._number, span, logits))
        if request.score:
            width = min(request.top_k, self._ids)
            self.score = score_of(self._prompt.token_ids, scored, width)
        if reference is not None:
            self.divergence = reference.divergence(apart)

    def _tensor(self, token_ids: tuple[int, ...]) -> Tensor:
        return torch.tensor(token_ids, dtype=torch.int64, device=self._device)

    def _hidden(self, ids: Tensor, cache: DynamicCache | None = None) -> Tensor:
        """Return the last hidden states, shape (position, dim)."""
        base = self._model.gpt_neox
        out = base(ids[None], past_key_values=cache, use_cache=cache is not None)
        hidden: Tensor = out.last_hidden_state[0]
        return hidden

    def _target(self, target: Target, after_prompt: Tensor) -> TargetScore:
        if target.context_ids == self._prompt.token_ids and len(target.token_ids) == 1:
            logits = after_prompt
        else:
            hidden = self._hidden(self._tensor(target.context_ids + target.token_ids[:-1]))
            logits = finite(self._model.lm_head(hidden[len(target.context_ids) - 1 :]))
        logprobs, ranks = token_scores(logits, self._tensor(target.token_ids))
        return TargetScore(
            text=target.text,
            token_ids=target.token_ids,
            logprob=float(logprobs.double().sum()),
            rank=int(ranks[0]),
        )

    def _write(
        self,
        checkpoint: Checkpoint,
        logits: Tensor,
        cache: DynamicCache,
        keep_going: Callable[[], None],
    ) -> Iterator[TokenWritten]:
        assert self._request.continuation is not None
        orders = Orders(self._request.continuation, self._tokenizer, self._request.top_k)
        for piece in write(self._model, cache, logits, orders, keep_going):
            if isinstance(piece, Written):
                yield self._token(checkpoint, piece)
            else:
                self.continuations = piece

    def _token(self, checkpoint: Checkpoint, token: Written) -> TokenWritten:
        named = {token.token_id, *token.top.ids.ravel().tolist()}
        return TokenWritten(
            checkpoint=checkpoint,
            prompt=self._prompt,
            sample=token.sample,
            token_id=token.token_id,
            text=token.text,
            logprob=token.logprob,
            sampler_logprob=token.sampler_logprob,
            rank=token.rank,
            entropy=token.entropy,
            top=token.top,
            texts={token_id: self._tokenizer.token_text(token_id) for token_id in named},
        )

    def texts(self) -> dict[int, str]:
        """Return the text of every token id that the parts name."""
        arrays = [np.array(self._prompt.token_ids)]
        arrays += [np.array(target.token_ids) for target in self.targets]
        if self.score is not None:
            arrays.append(self.score.top.ids.ravel())
        if self.next_token is not None:
            arrays.append(self.next_token.top.ids.ravel())
        for written in self.continuations:
            arrays += [written.token_ids, written.top.ids.ravel()]
        named = np.unique(np.concatenate(arrays)).tolist()
        return {token_id: self._tokenizer.token_text(token_id) for token_id in named}


def placement(device: str) -> Placement:
    """Return where a request's `device` ("auto", "cpu", "cuda", "cuda:1") computes.

    Raises:
        ValueError: there is no such device here; the text says what there is.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Placement("cpu", "cpu", "CPU", memory)
    kind, _, index = device.partition(":")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind != "cuda" or not (index or "0").isascii() or not (index or "0").isdigit():
        raise ValueError(f"{device!r} is not a device; use auto, cpu, cuda or cuda:n")
    if int(index or 0) >= count:
        there = f"{count} CUDA devices" if count else "no CUDA device that torch can use"
        raise ValueError(f"{device} is not there: this machine has {there}; use cpu or auto")
    found = torch.cuda.get_device_properties(int(index or 0))
    return Placement(f"cuda:{int(index or 0)}", "cuda", found.name, found.total_memory)


def refuse_misfit(
    prompt: Prompt, request: Request, checkpoint: Checkpoint, tokenizer: Tokenizer
) -> None:
    """Refuse what the checkpoint can't be asked.

    Raises:
        CheckpointError: prompt, longest target and continuation exceed the context together,
            hold what is no token, or the tokenizer does not belong to the model.
    """
    config = checkpoint.config
    if tokenizer.size > config.vocab_rows:
        raise CheckpointError(
            f"{_name(checkpoint)} has {config.vocab_rows:,} vocabulary rows, fewer than its "
            f"tokenizer's {tokenizer.size:,} tokens; one of the two files is wrong"
        )
    _refuse_no_tokens(prompt, tokenizer)
    new = request.continuation.max_new_tokens if request.continuation else 0
    longest = max((len(t.context_ids) + len(t.token_ids) for t in prompt.targets), default=0)
    needed = max(len(prompt.token_ids) + new, longest)
    if needed > config.context:
        raise CheckpointError(
            f"prompt and new tokens come to {needed:,} tokens and {checkpoint.model} reads at "
            f"most {config.context:,}; shorten the prompt or ask for fewer"
        )


def _refuse_no_tokens(prompt: Prompt, tokenizer: Tokenizer) -> None:
    texts = [prompt.token_ids]
    texts += [ids for t in prompt.targets for ids in (t.context_ids, t.token_ids)]
    if not all(texts):
        raise CheckpointError("there is no token to start from; type a prompt")
    for token_id in {token_id for ids in texts for token_id in ids}:
        if not 0 <= token_id < tokenizer.size:
            raise CheckpointError(f"{token_id:,} is no token of this model's tokenizer")


def _name(checkpoint: Checkpoint) -> str:
    return f"step {checkpoint.step:,} of {checkpoint.model}"


def _non_finite(checkpoint: Checkpoint, dtype: str) -> str:
    return f"{_name(checkpoint)} gives NaN or infinite logits in {dtype}"


def _sentence(problem: Exception, checkpoint: Checkpoint) -> str:
    """Return one sentence for a failed checkpoint; the exception itself keeps tensors alive."""
    if isinstance(problem, CheckpointError):
        return str(problem)
    out_of_memory = isinstance(problem, MemoryError | torch.OutOfMemoryError)
    if out_of_memory or "DefaultCPUAllocator" in str(problem):
        return f"{_name(checkpoint)} does not fit in memory; pick a smaller model or a half dtype"
    if isinstance(problem, OSError):
        return f"{_name(checkpoint)} can't be read: {problem.strerror or problem}"
    said = (str(problem).splitlines() or [type(problem).__name__])[0]
    return f"{_name(checkpoint)} failed: {shown(said, 200)}"
