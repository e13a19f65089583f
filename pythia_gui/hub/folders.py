"""Folders that keep checkpoints by step, in the layouts that people have."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pythia_gui.core.fingerprint import CheckpointError, has_weights

# stepN (Pythia, OLMo's stepN-tokensMB), checkpoint-N (the Trainer), global_stepN (GPT-NeoX).
STEP_NAME = re.compile(r"(?:global_)?step[_-]?(\d{1,9})(?:-tokens[\w.]*)?|checkpoint-(\d{1,9})")
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
    its step.

    Raises:
        CheckpointError: the folder is missing, has none, or has two of one step.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder")
    if has_weights(folder):
        return {_own_step(folder): StepPlace(folder)}
    found: dict[int, StepPlace] = {}
    for step, place in _checkpoints_below(folder):
        if step in found:
            raise CheckpointError(f"{folder} has step {step} twice; move one of them away")
        found[step] = place
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
        elif place := _in_hub_cache(child):
            yield step, place


def _in_hub_cache(step_folder: Path) -> StepPlace | None:
    """Return the one snapshot with weights of a Hub cache inside a step's folder, if any."""
    for snapshot in sorted(step_folder.glob("models--*/snapshots/*")):
        if has_weights(snapshot):
            return StepPlace(snapshot, step_folder.name, snapshot.name)
    return None


def _own_step(folder: Path) -> int:
    step = step_of_name(folder.name)
    if step is None:
        step = _trainer_step(folder / "trainer_state.json")
    if step is None:
        raise CheckpointError(
            f"{folder} is one checkpoint and nothing says its step; name the folder step<N>"
        )
    return step


def _trainer_step(file: Path) -> int | None:
    try:
        step = json.loads(file.read_bytes())["global_step"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return step if type(step) is int and 0 <= step < 10**9 else None


def steps_in_hub_cache(cache: Path, repo: str) -> dict[int, StepPlace]:
    """Return the steps of a repository whose weights are in a Hub cache, by ascending step.

    The cache's refs name the commit of each branch
    (https://huggingface.co/docs/huggingface_hub/guides/manage-cache); a ref without a
    snapshot, which a broken download leaves, is passed over.
    """
    home = _home(cache, repo)
    found = {}
    for ref in sorted((home / "refs").glob("*")):
        step = step_of_name(ref.name)
        snapshot = _snapshot(home, ref)
        if step is not None and snapshot is not None:
            found[step] = StepPlace(snapshot, ref.name, snapshot.name)
    return dict(sorted(found.items()))


def main_in_hub_cache(cache: Path, repo: str) -> StepPlace | None:
    """Return the `main` snapshot of a repository if its weights are in the cache."""
    home = _home(cache, repo)
    snapshot = _snapshot(home, home / "refs" / "main")
    return StepPlace(snapshot, "main", snapshot.name) if snapshot else None


def _home(cache: Path, repo: str) -> Path:
    return cache / f"models--{repo.replace('/', '--')}"


def _snapshot(home: Path, ref: Path) -> Path | None:
    try:
        commit = ref.read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        return None
    snapshot = home / "snapshots" / commit
    return snapshot if has_weights(snapshot) else None
