"""Which published checkpoints are what their name says, told from the hashes of their files.

The Hub gives the SHA-256 of every file that it keeps in LFS, so two steps with the same weights
are found without a byte of them. What is found is compared with the dated list of reports
(`core.defects`).

A finding is *bad* where the checkpoint can't be what its name says, and a *note* where there is
something to know. The last step of training and `main` are the same model by design.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

from pythia_gui.core import catalogue
from pythia_gui.core.defects import Defect, defects_of
from pythia_gui.core.fingerprint import INDEXED, SINGLE, combined_sha256
from pythia_gui.core.steps import format_step
from pythia_gui.hub.listing import HubFile, Revision, Revisions, Tree

K = TypeVar("K")
Verdict = Literal["own weights", "weights of another step", "mixed", "no weights", "incomplete"]
Severity = Literal["fine", "note", "bad"]

_SHARD = re.compile(r"(model|pytorch_model)-([0-9]{5})-of-([0-9]{5})\.(safetensors|bin)")
_STEPS_NAMED = 6
_FROZEN_FROM = 3
_VERDICTS: Mapping[str, Verdict] = {
    "weights of another step": "weights of another step",
    "hybrid of two steps": "mixed",
}
_EQUAL_BY_REPORT = ("identical by design", "reported equal")

NEVER_EXISTED = "this checkpoint mixes steps and never existed in training."
FIRST_STEPS = (
    "Steps 0 and 1 have the same weights, as in every Pythia model, where the learning rate of the "
    "first step was 0: this is no fault."
)


@dataclass(frozen=True, slots=True)
class WeightSet:
    """The weights of a commit in one form: a single file, or shards in order.

    `name` is that of the file, or of the index that lists the shards; `lacking` are the files
    that should be there and are not.
    """

    name: str
    files: tuple[HubFile, ...]
    lacking: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What is equal for equal weights in the same form."""
        return tuple(identity(file) for file in self.files)

    @property
    def sha256(self) -> str | None:
        """The one fingerprint of `core.fingerprint`; None where git keeps the weights itself."""
        named = [(file.path, file.sha256) for file in self.files if file.sha256 is not None]
        return combined_sha256(named) if named and len(named) == len(self.files) else None


@dataclass(frozen=True, slots=True)
class FileFinding:
    """One weight file, and which other steps hold the same; `steps` ascend."""

    path: str
    size_bytes: int
    sha256: str | None
    steps: tuple[int, ...]
    in_main: bool


@dataclass(frozen=True, slots=True)
class StepFinding:
    """What the hashes say about one step.

    Attributes:
        verdict: on the form of the weights that is loaded, safetensors before .bin.
        reasons: sentences, the gravest first; none for a step that is fine.
        same_as: the other steps with the same weights, ascending.
        files: of the form that is loaded, in order.
        weights_sha256: its fingerprint as in results; None without weights or hashes.
        reported: what the dated list says of this step.
    """

    step: int
    revision: str
    commit: str
    verdict: Verdict
    severity: Severity
    reasons: tuple[str, ...]
    same_as: tuple[int, ...]
    same_as_main: bool
    files: tuple[FileFinding, ...]
    weights_sha256: str | None
    reported: tuple[Defect, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A report of the dated list, and for which of its steps the hashes bear it out.

    `unknown` are the steps that aren't listed, or of which hashes can't tell.
    """

    defect: Defect
    found: tuple[int, ...]
    not_found: tuple[int, ...]
    unknown: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What the hashes say about a repository; `remarks` concern it as a whole."""

    repo: str
    steps: tuple[StepFinding, ...]
    main_commit: str | None
    main_sha256: str | None
    remarks: tuple[str, ...]
    comparisons: tuple[Comparison, ...]

    def bad(self) -> dict[int, str]:
        """Return the steps to leave out of a sweep with the reason for each, ascending.

        They are those found bad, and those reported bad for which the hashes can't tell. A
        report that the hashes no longer bear out has been acted on upstream.
        """
        reported = {
            step: comparison.defect.reason
            for comparison in self.comparisons
            if comparison.defect.severity == "known bad"
            for step in comparison.unknown
        }
        found = {one.step: one.reasons[0] for one in self.steps if one.severity == "bad"}
        return dict(sorted((reported | found).items()))


@dataclass(frozen=True, slots=True)
class _Holders:
    """Who holds a file, or all files of a form: steps, and whether main does."""

    steps: frozenset[int] = frozenset()
    in_main: bool = False


@dataclass(frozen=True, slots=True)
class _Suite:
    """The weights of all steps and of main, and who shares what.

    `final` is the step that main is the same model as, or None where nothing tells.
    """

    repo: str
    sets: Mapping[int, tuple[WeightSet, ...]]
    main: tuple[WeightSet, ...]
    files: Mapping[str, _Holders]
    paths: Mapping[str, _Holders]
    keys: Mapping[tuple[str, ...], _Holders]
    final: int | None
    equal_by_report: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is to be said of one form of a step's weights."""

    verdict: Verdict
    severity: Severity = "fine"
    reason: str = ""


def identity(file: HubFile) -> str:
    """Return what is equal for files of equal content: the SHA-256, or git's hash without LFS."""
    return file.sha256 or f"git:{file.blob_id}"


def published(repo: str) -> catalogue.Model | None:
    """Return the catalogue's model that is kept in `repo`, or None."""
    with suppress(catalogue.UnknownModel):
        model = catalogue.find_model(repo).model
        return model if model.repo.casefold() == repo.casefold() else None
    return None


def weight_sets(tree: Tree) -> tuple[WeightSet, ...]:
    """Return the weights of a commit in every form there is, that which is loaded first.

    What is whole comes before what lacks files; then safetensors come before .bin and a single
    file before shards, as in `core.fingerprint.weight_files`. Shards are told by their names,
    since the index is not fetched.
    """
    files = {file.path: file for file in tree.files}
    found = []
    for single, index in zip(SINGLE, INDEXED, strict=True):
        if single in files:
            found.append(WeightSet(single, (files[single],)))
        if (sharded := _sharded(files, single, index)) is not None:
            found.append(sharded)
    return tuple(sorted(found, key=_lacks))


def _lacks(weights: WeightSet) -> bool:
    return bool(weights.lacking)


def _sharded(files: Mapping[str, HubFile], single: str, index: str) -> WeightSet | None:
    """Return the shards that `index` lists; of two splits, the one with more of them there."""
    stem, _, suffix = single.rpartition(".")
    shards = [match for path in files if (match := _SHARD.fullmatch(path))]
    splits = Counter(match[3] for match in shards if (match[1], match[4]) == (stem, suffix))
    if not splits:
        return WeightSet(index, (), ("its shards",)) if index in files else None
    of = max(sorted(splits), key=lambda split: splits[split])
    wanted = [f"{stem}-{number:05}-of-{of}.{suffix}" for number in range(1, int(of) + 1)]
    there = tuple(files[name] for name in wanted if name in files)
    return WeightSet(index, there, tuple(n for n in (index, *wanted) if n not in files))


def find(revisions: Revisions, trees: Mapping[str, Tree]) -> Findings:
    """Return what the hashes in `trees` (by commit) say about the steps of `revisions`.

    A step whose tree isn't given is left out.
    """
    suite = _suite(revisions, trees)
    listed = [revision for revision in revisions.steps if revision.step in suite.sets]
    steps = tuple(_finding(suite, revision) for revision in listed)
    reports = defects_of(revisions.repo)
    return Findings(
        repo=revisions.repo,
        steps=steps,
        main_commit=revisions.main.commit if revisions.main else None,
        main_sha256=suite.main[0].sha256 if suite.main else None,
        remarks=tuple(_remarks(suite, revisions)),
        comparisons=tuple(_compared(suite, steps, defect) for defect in reports),
    )


# -- who shares what -------------------------------------------------------------------------


def _suite(revisions: Revisions, trees: Mapping[str, Tree]) -> _Suite:
    sets = {
        revision.step: weight_sets(trees[revision.commit])
        for revision in revisions.steps
        if revision.step is not None and revision.commit in trees
    }
    at_main = revisions.main and trees.get(revisions.main.commit)
    main = weight_sets(at_main) if at_main else ()
    keys = _holders({step: _keys(one) for step, one in sets.items()}, _keys(main))
    return _Suite(
        repo=revisions.repo,
        sets=sets,
        main=main,
        files=_holders({step: _identities(one) for step, one in sets.items()}, _identities(main)),
        paths=_holders({step: _paths(one) for step, one in sets.items()}, _paths(main)),
        keys=keys,
        final=_final(revisions.repo, sets, _keys(main), keys),
        equal_by_report=_equal_by_report(revisions.repo),
    )


def _holders(of_steps: Mapping[int, Iterable[K]], of_main: Iterable[K]) -> dict[K, _Holders]:
    steps = defaultdict(set)
    for step, held in of_steps.items():
        for key in held:
            steps[key].add(step)
    in_main = set(of_main)
    return {key: _Holders(frozenset(steps[key]), key in in_main) for key in {*steps, *in_main}}


def _keys(sets: Iterable[WeightSet]) -> list[tuple[str, ...]]:
    return [weights.key for weights in sets if weights.files and not weights.lacking]


def _identities(sets: Iterable[WeightSet]) -> list[str]:
    return [identity(file) for weights in sets for file in weights.files]


def _paths(sets: Iterable[WeightSet]) -> list[str]:
    return [file.path for weights in sets for file in weights.files]


def _final(
    repo: str,
    sets: Mapping[int, tuple[WeightSet, ...]],
    main: Iterable[tuple[str, ...]],
    keys: Mapping[tuple[str, ...], _Holders],
) -> int | None:
    """Return the step that main is the same model as.

    The catalogue tells; else it is the last step or the only one with main's weights.
    """
    model = published(repo)
    if model is not None:
        return model.steps[-1]
    same = {step for key in main for step in keys[key].steps}
    last = max(sets, default=None)
    if last in same:
        return last
    return next(iter(same)) if len(same) == 1 else None


def _equal_by_report(repo: str) -> frozenset[int]:
    """Return the first steps, 0 and 1 and what the dated list says to equal them."""
    reported = [d.steps for d in defects_of(repo) if d.kind in _EQUAL_BY_REPORT]
    return frozenset({0, 1}).union(*reported)


# -- what that means for a step --------------------------------------------------------------


def _finding(suite: _Suite, revision: Revision) -> StepFinding:
    assert revision.step is not None
    step, sets = revision.step, suite.sets[revision.step]
    judged = [_judged(suite, step, weights) for weights in sets]
    empty = _Judged("no weights", "bad", f"This {revision.kind} holds no weights.")
    loaded = judged[0] if judged else empty
    reasons = [loaded.reason, *_other_forms(sets, judged)]
    severity = loaded.severity
    if severity == "fine" and any(reasons):
        severity = "note"
    key = sets[0].key if sets else ()
    same = suite.keys.get(key, _Holders())
    return StepFinding(
        step=step,
        revision=revision.name,
        commit=revision.commit,
        verdict=loaded.verdict,
        severity=severity,
        reasons=tuple(reason for reason in reasons if reason),
        same_as=tuple(sorted(same.steps - {step})),
        same_as_main=same.in_main,
        files=tuple(_file(suite, step, file) for file in (sets[0].files if sets else ())),
        weights_sha256=sets[0].sha256 if sets and not sets[0].lacking else None,
        reported=defects_of(suite.repo, step),
    )


def _file(suite: _Suite, step: int, file: HubFile) -> FileFinding:
    holders = suite.files[identity(file)]
    steps = tuple(sorted(holders.steps - {step}))
    return FileFinding(file.path, file.size_bytes, file.sha256, steps, holders.in_main)


def _judged(suite: _Suite, step: int, weights: WeightSet) -> _Judged:
    if weights.lacking:
        first, *more = weights.lacking
        others = f" and {len(more)} more" if more else ""
        reason = f"The weights of this step are not whole: {first}{others} is not there."
        return _Judged("incomplete", "bad", reason)
    holders = suite.keys[weights.key]
    if step == suite.final:
        return _judged_final(suite, weights, holders)
    if holders.in_main:
        return _Judged(
            "weights of another step",
            "bad",
            "This step serves the final model: its weights are the same, bit for bit, as main's.",
        )
    if holders.steps - {step}:
        return _judged_twin(suite, step, holders.steps)
    return _judged_shards(suite, step, weights)


def _judged_final(suite: _Suite, weights: WeightSet, holders: _Holders) -> _Judged:
    """The last step may share with anybody; it is they who are wrong."""
    comparable = any(other.name == weights.name for other in suite.main if not other.lacking)
    if holders.in_main or not comparable:
        return _Judged("own weights")
    reason = "These are the weights of the end of training, but the files differ from main's."
    return _Judged("own weights", "note", reason)


def _judged_twin(suite: _Suite, step: int, twins: frozenset[int]) -> _Judged:
    others = twins - {step}
    if suite.final in others:
        return _Judged(
            "weights of another step",
            "bad",
            "This step serves the weights of the end of training: they are the same, bit for bit, "
            f"as those of {format_step(suite.final)}.",
        )
    if twins <= suite.equal_by_report:
        return _Judged("own weights", "note", _said_of_first_steps(suite.repo, twins))
    return _Judged(
        "weights of another step",
        "bad",
        f"The weights are the same, bit for bit, as those of {_named(others)}: at most one of "
        "these is what its name says.",
    )


def _said_of_first_steps(repo: str, twins: frozenset[int]) -> str:
    """Return what was reported of these equal steps."""
    reports = [d for d in defects_of(repo) if d.kind in _EQUAL_BY_REPORT]
    by_design = [d.reason for d in reports if d.kind == "identical by design"]
    if twins <= {0, 1}:
        return by_design[0] if by_design else FIRST_STEPS
    return f"{_named(twins).capitalize()} have the same weights, as was reported: this is no fault."


def _judged_shards(suite: _Suite, step: int, weights: WeightSet) -> _Judged:
    """Judge weights that nobody holds as a whole: single files of them may be another's."""
    borrowed = [file for file in weights.files if _is_borrowed(suite, step, file)]
    if not borrowed:
        return _Judged("own weights")
    own = len(weights.files) - len(borrowed)
    what = " and ".join(_origins(suite, step, weights, borrowed))
    rest = {0: "", 1: "; the other one is its own"}.get(own, f"; the other {own} are its own")
    if all(_is_final(suite, suite.files[identity(file)]) for file in borrowed):
        return _Judged("mixed", "bad", f"{what}{rest}: {NEVER_EXISTED}")
    return _Judged("mixed", "bad", f"{what}{rest}: at most one of them is what its name says.")


def _is_borrowed(suite: _Suite, step: int, file: HubFile) -> bool:
    """Whether somebody else holds a file too; what all steps share was not trained."""
    holders = suite.files[identity(file)]
    return not _is_frozen(suite, file) and (holders.in_main or bool(holders.steps - {step}))


def _is_frozen(suite: _Suite, file: HubFile) -> bool:
    """Whether a file is the same in every step that has one of its name."""
    peers = suite.paths[file.path].steps
    return len(peers) >= _FROZEN_FROM and suite.files[identity(file)].steps >= peers


def _is_final(suite: _Suite, holders: _Holders) -> bool:
    return holders.in_main or suite.final in holders.steps


def _origins(
    suite: _Suite, step: int, weights: WeightSet, borrowed: Iterable[HubFile]
) -> Iterator[str]:
    """Yield `shard 1 of 3 is the final model's`, one phrase for all shards from one place."""
    places = defaultdict(list)
    for file in borrowed:
        holders = suite.files[identity(file)]
        final = _is_final(suite, holders)
        places["the final model" if final else _named(holders.steps - {step})].append(file)
    for number, (place, files) in enumerate(places.items()):
        shards = ", ".join(str(1 + weights.files.index(file)) for file in files)
        noun = "shard" if len(files) == 1 else "shards"
        verb = "is that" if len(files) == 1 else "are those"
        noun = noun if number else noun.capitalize()
        yield f"{noun} {shards} of {len(weights.files)} {verb} of {place}"


def _named(steps: Iterable[int]) -> str:
    first, *more = sorted(steps)
    if not more:
        return format_step(first)
    shown = [f"{step:,}" for step in (first, *more)[:_STEPS_NAMED]]
    if len(more) >= _STEPS_NAMED:
        return f"steps {', '.join(shown)} and {len(more) + 1 - _STEPS_NAMED} more"
    return f"steps {', '.join(shown[:-1])} and {shown[-1]}"


def _other_forms(sets: Sequence[WeightSet], judged: Sequence[_Judged]) -> Iterator[str]:
    """Yield what to know of the forms that are not loaded: a way out, or a trap."""
    for weights, other in zip(sets[1:], judged[1:], strict=True):
        if judged[0].severity == "bad" and other.severity != "bad":
            yield f"Its {weights.name} is its own: in that form this step may be what it says."
        elif judged[0].severity != "bad" and other.severity == "bad":
            yield f"Its {weights.name}, which is not used, is not what it says: {other.reason}"


# -- what that means for the whole -----------------------------------------------------------


def _remarks(suite: _Suite, revisions: Revisions) -> Iterator[str]:
    forms = {weights.name for sets in suite.sets.values() for weights in sets}
    if revisions.main is None:
        yield "There is no branch named main, so no step could be compared with it."
    elif not suite.main:
        yield "The branch main holds no weights, so no step could be compared with it."
    elif not {weights.name for weights in suite.main} & forms:
        names = " and ".join(weights.name for weights in suite.main)
        yield f"The branch main keeps its weights in another form ({names}) than the steps do."
    elif suite.final is not None and suite.final != max({*suite.sets, suite.final}):
        yield f"The branch main is {format_step(suite.final)}, which is not the last there is."
    files = {identity(f): f for sets in suite.sets.values() for w in sets for f in w.files}
    for file in files.values():
        if _is_frozen(suite, file):
            yield f"{file.path} is the same in every step."
    if any(file.sha256 is None for file in files.values()):
        yield "Some weights are kept in git itself; they are compared by git's hash."


# -- what the dated list says ----------------------------------------------------------------


def _compared(suite: _Suite, steps: Iterable[StepFinding], defect: Defect) -> Comparison:
    by_step = {finding.step: finding for finding in steps}
    told = {step: _bears_out(suite, by_step, defect, step) for step in defect.steps}
    return Comparison(
        defect=defect,
        found=tuple(step for step, out in told.items() if out),
        not_found=tuple(step for step, out in told.items() if out is False),
        unknown=tuple(step for step, out in told.items() if out is None),
    )


def _bears_out(
    suite: _Suite, by_step: Mapping[int, StepFinding], defect: Defect, step: int
) -> bool | None:
    """Whether the hashes show what was reported of a step; None where they can't tell."""
    finding = by_step.get(step)
    if finding is None:
        return None
    if defect.kind in _EQUAL_BY_REPORT:
        others = {*defect.steps} - {step}
        return others <= {*finding.same_as} if others <= by_step.keys() else None
    if defect.kind == "missing weights":
        return finding.verdict in ("no weights", "incomplete")
    if defect.kind == "differs from main":
        return not finding.same_as_main if suite.main else None
    return _shows(suite, finding, _VERDICTS[defect.kind]) if defect.kind in _VERDICTS else None


def _shows(suite: _Suite, finding: StepFinding, verdict: Verdict) -> bool | None:
    if finding.verdict == verdict:
        return True
    return False if _comparable(suite, finding.step) else None


def _comparable(suite: _Suite, step: int) -> bool:
    """Whether the final model is there in a form in which a step's weights are, too."""
    final = suite.sets.get(suite.final, ()) if suite.final is not None else ()
    names = {weights.name for weights in (*suite.main, *final) if not weights.lacking}
    return any(weights.name in names for weights in suite.sets[step] if not weights.lacking)
