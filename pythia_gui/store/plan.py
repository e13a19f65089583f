"""What of a request is stored already, and what little has to be asked for the rest."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from pythia_gui.core import keys
from pythia_gui.core.precision import Dtype
from pythia_gui.core.requests import Checkpoint, Prompt, Request

MOST_GROUPS = 4


@dataclass(frozen=True, slots=True)
class PartKeys:
    """The keys of all that a request asks one checkpoint about one prompt.

    `divergence` and `similarity` are None also where the weights of the checkpoints that they
    depend on are not known yet.
    """

    score: str | None = None
    next_token: str | None = None
    targets: tuple[str, ...] = ()
    continuations: tuple[str, ...] = ()
    divergence: str | None = None
    similarity: str | None = None

    def __iter__(self) -> Iterator[str]:
        """Yield every key."""
        single = (self.score, self.next_token, self.divergence, self.similarity)
        yield from (key for key in single if key is not None)
        yield from self.targets
        yield from self.continuations


@dataclass(frozen=True, slots=True)
class Missing:
    """What has to be computed about one prompt: nothing, if it is false."""

    score: bool = False
    next_token: bool = False
    targets: tuple[int, ...] = ()
    continuation: bool = False
    divergence: bool = False
    similarity: bool = False

    def __bool__(self) -> bool:
        """Whether anything is missing."""
        return self != Missing()

    def __or__(self, other: "Missing") -> "Missing":
        """Return what is missing in either."""
        return Missing(
            score=self.score or other.score,
            next_token=self.next_token or other.next_token,
            targets=tuple(sorted({*self.targets, *other.targets})),
            continuation=self.continuation or other.continuation,
            divergence=self.divergence or other.divergence,
            similarity=self.similarity or other.similarity,
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
    request: Request, at: Checkpoint, prompt: Prompt, place: tuple[Dtype, str], line: str | None
) -> PartKeys:
    """Return the keys of what `request` asks checkpoint `at`, whose fingerprint is known.

    `place` is the dtype and the class of the device; `line` is the `line_sha256` of the
    request's checkpoints before this one, None where one of them is not known.
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
        divergence=_divergence_key(request, at, prompt, place),
        similarity=_similarity_key(request, at, prompt, place, line),
    )


def _divergence_key(
    request: Request, at: Checkpoint, prompt: Prompt, place: tuple[Dtype, str]
) -> str | None:
    if request.against is None or request.against.weights_sha256 is None:
        return None
    return keys.divergence_key(at, *place, prompt, request.against)


def _similarity_key(
    request: Request, at: Checkpoint, prompt: Prompt, place: tuple[Dtype, str], line: str | None
) -> str | None:
    if not request.similarity or line is None:
        return None
    return keys.similarity_key(at, *place, prompt, line)


def everything(request: Request) -> Need:
    """Return the need of a checkpoint of which nothing is known."""
    return tuple(
        Missing(
            score=request.score,
            next_token=request.next_token,
            targets=tuple(range(len(prompt.targets))),
            continuation=request.continuation is not None,
            divergence=request.against is not None,
            similarity=request.similarity,
        )
        for prompt in request.prompts
    )


def missing_of(request: Request, part: PartKeys, present: Collection[str]) -> Missing:
    """Return what of `part` is not `present`; of several samples all, if one is missing."""
    return Missing(
        score=part.score is not None and part.score not in present,
        next_token=part.next_token is not None and part.next_token not in present,
        targets=tuple(n for n, key in enumerate(part.targets) if key not in present),
        continuation=any(key not in present for key in part.continuations),
        divergence=request.against is not None and part.divergence not in present,
        similarity=request.similarity and part.similarity not in present,
    )


def in_line(needs: Sequence[Need]) -> list[Need]:
    """Return the needs with similarity asked of all checkpoints wherever one lacks it.

    It speaks of all earlier checkpoints, so the engine has to see every one of them, in order.
    """
    if not needs:
        return []
    lacking = [any(missing.similarity for missing in column) for column in zip(*needs, strict=True)]
    return [
        tuple(
            replace(missing, similarity=True) if lacks else missing
            for missing, lacks in zip(need, lacking, strict=True)
        )
        for need in needs
    ]


def groups(needs: Sequence[Need]) -> list[Group]:
    """Return the few requests that cover `needs`, each for a run of checkpoints in order.

    Where needs change from one checkpoint to the next too often, all are asked what any needs:
    a little is computed twice, and the engine is not started a hundred times. So they are where
    similarity is missing, which one request has to find.
    """
    wanting = [number for number, need in enumerate(needs) if any(need)]
    runs: list[Group] = []
    for number in wanting:
        if runs and runs[-1].need == needs[number]:
            runs[-1] = replace(runs[-1], checkpoints=(*runs[-1].checkpoints, number))
        else:
            runs.append(Group((number,), needs[number]))
    linked = any(missing.similarity for need in needs for missing in need)
    if len(runs) <= (1 if linked else MOST_GROUPS):
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
        against=request.against if all_missing.divergence else None,
        similarity=all_missing.similarity,
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
