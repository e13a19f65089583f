"""What of a request is stored already, and what little has to be asked for the rest."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from pythia_gui.core import keys
from pythia_gui.core.precision import Dtype
from pythia_gui.core.requests import Checkpoint, Prompt, Request

MOST_GROUPS = 4


@dataclass(frozen=True, slots=True)
class PartKeys:
    """The keys of all that a request asks one checkpoint about one prompt."""

    score: str | None = None
    next_token: str | None = None
    targets: tuple[str, ...] = ()
    continuations: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        """Yield every key."""
        yield from (key for key in (self.score, self.next_token) if key is not None)
        yield from self.targets
        yield from self.continuations


@dataclass(frozen=True, slots=True)
class Missing:
    """What has to be computed about one prompt: nothing, if it is false."""

    score: bool = False
    next_token: bool = False
    targets: tuple[int, ...] = ()
    continuation: bool = False

    def __bool__(self) -> bool:
        """Whether anything is missing."""
        return bool(self.score or self.next_token or self.targets or self.continuation)

    def __or__(self, other: "Missing") -> "Missing":
        """Return what is missing in either."""
        return Missing(
            self.score or other.score,
            self.next_token or other.next_token,
            tuple(sorted({*self.targets, *other.targets})),
            self.continuation or other.continuation,
        )


Need = tuple[Missing, ...]
"""What one checkpoint has to be asked, prompt by prompt."""


@dataclass(frozen=True, slots=True)
class Group:
    """Checkpoints, by their number in the request, that are asked the same in one request."""

    checkpoints: tuple[int, ...]
    need: Need

    @property
    def prompts(self) -> tuple[int, ...]:
        """The numbers of the prompts that something is asked about."""
        return tuple(number for number, missing in enumerate(self.need) if missing)


def part_keys(
    request: Request, at: Checkpoint, prompt: Prompt, place: tuple[Dtype, str]
) -> PartKeys:
    """Return the keys of what `request` asks checkpoint `at`, whose fingerprint is known.

    `place` is the dtype and the class of the device.
    """
    top_k, what = request.top_k, request.continuation
    samples = range(what.samples) if what is not None else range(0)
    return PartKeys(
        score=keys.score_key(at, *place, prompt, top_k) if request.score else None,
        next_token=keys.next_key(at, *place, prompt, top_k) if request.next_token else None,
        targets=tuple(keys.target_key(at, *place, target) for target in prompt.targets),
        continuations=tuple(
            keys.continuation_key(at, *place, prompt, what, sample, top_k)
            for sample in samples
            if what is not None
        ),
    )


def everything(request: Request) -> Need:
    """Return the need of a checkpoint of which nothing is known."""
    return tuple(
        Missing(
            request.score,
            request.next_token,
            tuple(range(len(prompt.targets))),
            request.continuation is not None,
        )
        for prompt in request.prompts
    )


def missing_of(part: PartKeys, present: Collection[str]) -> Missing:
    """Return what of `part` is not `present`; of several samples all, if one is missing."""
    return Missing(
        score=part.score is not None and part.score not in present,
        next_token=part.next_token is not None and part.next_token not in present,
        targets=tuple(n for n, key in enumerate(part.targets) if key not in present),
        continuation=any(key not in present for key in part.continuations),
    )


def groups(needs: Sequence[Need]) -> list[Group]:
    """Return the few requests that cover `needs`, each for a run of checkpoints in order.

    Where needs change from one checkpoint to the next too often, all are asked what any needs:
    a little is computed twice, and the engine is not started a hundred times.
    """
    wanting = [number for number, need in enumerate(needs) if any(need)]
    runs: list[Group] = []
    for number in wanting:
        if runs and runs[-1].need == needs[number]:
            runs[-1] = replace(runs[-1], checkpoints=(*runs[-1].checkpoints, number))
        else:
            runs.append(Group((number,), needs[number]))
    if len(runs) <= MOST_GROUPS:
        return runs
    together = needs[wanting[0]]
    for number in wanting:
        together = tuple(a | b for a, b in zip(together, needs[number], strict=True))
    return [Group(tuple(wanting), together)]


def request_for(
    group: Group, request: Request, checkpoints: Sequence[Checkpoint], dtype: Dtype
) -> Request:
    """Return the request that asks what `group` needs, in the dtype of the whole curve."""
    all_missing = Missing()
    for missing in group.need:
        all_missing |= missing
    return replace(
        request,
        checkpoints=tuple(checkpoints[number] for number in group.checkpoints),
        prompts=_prompts_for(group, request),
        score=all_missing.score,
        next_token=all_missing.next_token,
        continuation=request.continuation if all_missing.continuation else None,
        dtype=dtype,
    )


def _prompts_for(group: Group, request: Request) -> tuple[Prompt, ...]:
    """Return the prompts with the missing targets, or with all if two would become one."""
    whole = tuple(request.prompts[number] for number in group.prompts)
    lean = tuple(
        replace(prompt, targets=tuple(prompt.targets[n] for n in group.need[number].targets))
        for number, prompt in zip(group.prompts, whole, strict=True)
    )
    return lean if len(set(lean)) == len(set(whole)) else whole
