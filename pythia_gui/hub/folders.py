"""Folders that keep checkpoints by step, in the layouts that people have."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pythia_gui.core.fingerprint import CheckpointError, has_weights, read_limited

# stepN (Pythia, OLMo's stepN-tokensMB), checkpoint-N (the Trainer), global_stepN (GPT-NeoX).
STEP_NAME = re.compile(
    r"(?:global_)?step[_-]?(\d{1,9})(?:-tokens[\w.]*)?|checkpoint-(\d{1,9})", re.ASCII
)
REF_LIMIT_BYTES = 1 << 20
TRAINER_STATE_LIMIT_BYTES = 64 << 20
ENTRIES_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class StepPlace:
    """Where the files of one step lie; revision and commit are the Hub's, None elsewhere."""

    folder: Path
    revision: str | None = None
    commit: str | None = None


def step_of_name(name: str) -> int | None:
    """Return the step that a folder's or revision's name states, or None."""
    found = STEP_NAME.fullmatch(name)
    return int(found[1] or found[2]) if found else None


def steps_in(folder: Path) -> dict[int, StepPlace]:
    """Return the checkpoints that `folder` keeps, by ascending step.

    Known layouts: `step512/`, the Trainer's `checkpoint-500/`, `global_step1000/`, each with
    weights inside; the model card's `cache_dir="./<model>/step<N>"`, where a Hub cache lies
    in each step's folder; and a single checkpoint whose own name or trainer_state.json says
    its step. Final weights that the Trainer leaves above its checkpoints join them where
    their step is known.

    Raises:
        CheckpointError: the folder is missing, has none, or has two of one step.
    """
    try:
        return _steps_in(folder)
    except OSError as problem:
        raise CheckpointError(f"{folder} can't be read: {problem.strerror}") from problem


def _steps_in(folder: Path) -> dict[int, StepPlace]:
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder")
    found: dict[int, StepPlace] = {}
    for step, place in _checkpoints_below(folder):
        if step in found:
            raise CheckpointError(f"{folder} has step {step} twice; move one of them away")
        found[step] = place
    if has_weights(folder):
        own = _own_step(folder)
        if own is not None:
            found.setdefault(own, StepPlace(folder))
        elif not found:
            raise CheckpointError(
                f"{folder} is one checkpoint and nothing says its step; name the folder step<N>"
            )
    if not found:
        raise CheckpointError(
            f"{folder} has no checkpoints: folders named step512 or checkpoint-500 with "
            "model.safetensors or pytorch_model.bin inside were looked for"
        )
    return dict(sorted(found.items()))


def beside_or_inside(place: Path, name: str) -> Path | None:
    """Return the file `name` in a checkpoint's folder or beside it, or None."""
    for folder in (place, place.parent):
        if (folder / name).is_file():
            return folder / name
    return None


def _checkpoints_below(folder: Path) -> Iterator[tuple[int, StepPlace]]:
    for number, child in enumerate(sorted(folder.iterdir())):
        if number == ENTRIES_AT_MOST:
            raise CheckpointError(f"{folder} has more than {ENTRIES_AT_MOST:,} entries")
        step = step_of_name(child.name)
        if step is None or not child.is_dir():
            continue
        if has_weights(child):
            yield step, StepPlace(child)
        elif place := _in_hub_cache(child, step):
            yield step, place


def _in_hub_cache(step_folder: Path, step: int) -> StepPlace | None:
    """Return this step's snapshot in a Hub cache inside its folder, if there is one.

    It is the one that a ref of the step names; where none does, the only one with weights.
    """
    places = [place for home in sorted(step_folder.glob("models--*")) for place in _places(home)]
    own = [place for place in places if place.revision and step_of_name(place.revision) == step]
    found = own or places
    if len({place.folder for place in found}) > 1:
        raise CheckpointError(
            f"{step_folder} holds several snapshots and none is called step{step}; keep one"
        )
    return found[0] if found else None


def _own_step(folder: Path) -> int | None:
    step = step_of_name(folder.name)
    return _trainer_step(folder / "trainer_state.json") if step is None else step


def _trainer_step(file: Path) -> int | None:
    try:
        step = json.loads(read_limited(file, TRAINER_STATE_LIMIT_BYTES))["global_step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return step if type(step) is int and 0 <= step < 10**9 else None


def steps_in_hub_cache(cache: Path, repo: str) -> dict[int, StepPlace]:
    """Return the steps of a repository whose weights are in a Hub cache, by ascending step.

    The cache's refs name the commit of each branch
    (https://huggingface.co/docs/huggingface_hub/guides/manage-cache); a ref without a
    snapshot, which a broken download leaves, is passed over.
    """
    found = {}
    for place in _places(_home(cache, repo)):
        step = step_of_name(place.revision or "")
        if step is not None:
            found[step] = place
    return dict(sorted(found.items()))


def main_in_hub_cache(cache: Path, repo: str) -> StepPlace | None:
    """Return the `main` snapshot of a repository if its weights are in the cache."""
    home = _home(cache, repo)
    snapshot = _snapshot(home, home / "refs" / "main")
    return StepPlace(snapshot, "main", snapshot.name) if snapshot else None


def _home(cache: Path, repo: str) -> Path:
    return cache / f"models--{repo.replace('/', '--')}"


def _places(home: Path) -> Iterator[StepPlace]:
    """Yield the snapshots with weights of a cached repository, for every ref that names one.

    A snapshot that no ref names, which loading by commit leaves, has no revision.
    """
    named = {ref.name: _snapshot(home, ref) for ref in sorted((home / "refs").glob("*"))}
    for revision, snapshot in named.items():
        if snapshot is not None:
            yield StepPlace(snapshot, revision, snapshot.name)
    for snapshot in sorted((home / "snapshots").glob("*")):
        if snapshot not in named.values() and has_weights(snapshot):
            yield StepPlace(snapshot, None, snapshot.name)


def _snapshot(home: Path, ref: Path) -> Path | None:
    try:
        commit = read_limited(ref, REF_LIMIT_BYTES).decode("ascii").strip()
    except ValueError:
        return None
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        return None
    snapshot = home / "snapshots" / commit
    return snapshot if has_weights(snapshot) else None
