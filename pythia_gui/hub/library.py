"""The models on this machine and in the catalogue, and their tokenizers.

Nothing is fetched: Hub names work from the local Hub cache alone.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from huggingface_hub.constants import HF_HUB_CACHE

from pythia_gui.core import catalogue
from pythia_gui.core.defects import defects_of, known_bad
from pythia_gui.core.fingerprint import CheckpointError, identity_of
from pythia_gui.core.library import FactLine, ModelEntry, PromptError
from pythia_gui.core.neox_config import NeoxConfig
from pythia_gui.core.requests import Checkpoint, Prompt, Target
from pythia_gui.core.steps import LAST_STEP, shown, tokens_seen
from pythia_gui.hub.config import TrainingDtype, read_config
from pythia_gui.hub.folders import (
    StepPlace,
    beside_or_inside,
    main_in_hub_cache,
    steps_in,
    steps_in_hub_cache,
)
from pythia_gui.hub.tokenizer import Tokenizer

log = logging.getLogger(__name__)

HUB_CACHE = Path(HF_HUB_CACHE)
DEMO_SUITE = "Demo suite"
DEMO_BATCH_TOKENS = 512
REPO_NAME = re.compile(r"(?!.*\.\.)\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)
DEMO_FACTS = (
    FactLine(
        "What it is",
        "A miniature of exactly the Pythia architecture, trained by this project on text that "
        "it invents. The order in which it learns resembles Pythia's; the dates do not.",
    ),
    FactLine(
        "Data",
        "Invented stories, facts and exercises in about 500 words. Names and numbers are part "
        "of the experiment: nothing it says is evidence about the world.",
    ),
)


_DEMO_ORIGIN = (
    FactLine(
        "Training",
        f"{LAST_STEP:,} steps of {DEMO_BATCH_TOKENS} tokens, "
        f"{LAST_STEP * DEMO_BATCH_TOKENS:,} tokens in all; both sizes saw the same data in the "
        "same order. Kept in float16, used in float32.",
    ),
    FactLine(
        "Tokenizer",
        "A fixed list of words; other words fall into characters, and what is left "
        "is read as unknown.",
    ),
    FactLine("Cautions", " ".join(catalogue.CAUTIONS)),
    FactLine("Licence", "Apache-2.0, as this program."),
)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model's entry and where its checkpoints on this machine lie."""

    entry: ModelEntry
    places: Mapping[int, StepPlace]


class LocalLibrary:
    """The demo suite, the catalogue and the folders that were added; see `core.library`."""

    def __init__(self, demo: Path | None, cache: Path = HUB_CACHE) -> None:
        """Look the demo suite up in `demo` and the catalogue's checkpoints in `cache`."""
        self._cache, self._demo = cache, demo
        self._models: dict[str, KnownModel] = {}
        self._look()

    def _look(self) -> None:
        for folder in sorted(self._demo.glob("demo-*"), reverse=True) if self._demo else ():
            if any(folder.glob("step*")):
                self._add_demo(folder)
        for model in catalogue.MODELS:
            self._add(_catalogue_model(model, self._cache))

    def look_again(self) -> None:
        """Look again which checkpoints are on this machine; what is gone keeps its last entry."""
        self._look()
        for entry in self.models():
            with suppress(CheckpointError, OSError):
                if entry.source == "folder":
                    self.add_folder(Path(entry.key))
                elif entry.suite == "Hub" and entry.repo:
                    self.add_repo(entry.repo)

    def _add_demo(self, folder: Path) -> None:
        try:
            self._add(_demo_model(folder))
        except CheckpointError:  # the program starts without it rather than not at all
            log.exception("a model of the demo suite is damaged")

    def _add(self, known: KnownModel) -> ModelEntry:
        self._models[known.entry.key] = known
        return known.entry

    def models(self) -> tuple[ModelEntry, ...]:
        """Return every model, in the order of the picker."""
        return tuple(known.entry for known in self._models.values())

    def find(self, name: str) -> tuple[ModelEntry, str]:
        """Return the model that `name` means, and a sentence about it or nothing."""
        if name in self._models:
            return self._models[name].entry, ""
        if _is_path(name):
            return self.add_folder(Path(name)), ""
        try:
            found = catalogue.find_model(name)
        except catalogue.UnknownModel as problem:
            return self._unknown(name, problem), ""
        return self._models[found.model.name].entry, found.notice or ""

    def _unknown(self, name: str, problem: ValueError) -> ModelEntry:
        is_repo = REPO_NAME.fullmatch(name) is not None
        if is_repo and steps_in_hub_cache(self._cache, name):
            return self.add_repo(name)
        if _is_folder(name):
            return self.add_folder(Path(name))
        if is_repo and not name.startswith(f"{catalogue.OWNER}/"):
            return self.add_repo(name)  # it says what is missing
        raise CheckpointError(str(problem)) from problem

    def add_repo(self, repo: str) -> ModelEntry:
        """Add a Hub repository whose steps are in the local Hub cache.

        Raises:
            CheckpointError: the name is none, or nothing of it is in the cache.
        """
        if not REPO_NAME.fullmatch(repo):
            raise CheckpointError(f"{shown(repo)} is not a Hub repository's name (owner/name)")
        places = steps_in_hub_cache(self._cache, repo)
        if not places:
            raise CheckpointError(
                f"no step of {repo} is in the local Hub cache, and nothing is downloaded yet; "
                "fetch a step with the Hub's own tools or add a folder"
            )
        entry = _folder_entry(repo, repo, places)
        return self._add(KnownModel(replace(entry, source="hub", suite="Hub", repo=repo), places))

    def add_folder(self, folder: Path) -> ModelEntry:
        """Add a folder of checkpoints and return its model."""
        folder = _absolute(folder)
        places = steps_in(folder)
        name = (
            folder.parent.name if len(places) == 1 and folder in _folders(places) else folder.name
        )
        known = KnownModel(_folder_entry(str(folder), name or str(folder), places), places)
        self._tokenizer(known)  # a folder whose tokenizer is damaged is refused at once
        return self._add(known)

    def checkpoint(self, key: str, step: int) -> Checkpoint:
        """Return the checkpoint of a model at a step; its folder is None if it is not here."""
        known = self._known(key)
        if step not in known.entry.steps:
            raise CheckpointError(f"{known.entry.name} has no step {step:,}")
        place = known.places.get(step)
        files = _files(known.entry.name, place or self._some_place(known))
        batch = known.entry.batch_tokens
        return Checkpoint(
            model=known.entry.name,
            step=step,
            tokens_seen=None if batch is None else tokens_seen(step, batch),
            folder=str(place.folder) if place else None,
            config=files.config,
            tokenizer_file=str(files.tokenizer_file),
            tokenizer_sha256=_tokenizer(files.tokenizer_file).sha256,
            config_sha256=files.config_sha256,
            training_dtype=files.training_dtype,
            repo=known.entry.repo,
            revision=place.revision if place else None,
            commit=place.commit if place else None,
        )

    def encode(
        self,
        key: str,
        text: str,
        targets: Sequence[str] = (),
        *,
        special_tokens: bool = False,
        new_tokens: int = 0,
        cut_left: bool = False,
    ) -> Prompt:
        """Encode a prompt and its targets with the model's tokenizer."""
        known = self._known(key)
        tokenizer = self._tokenizer(known)
        typed = tokenizer.encode(text, special_tokens=special_tokens)
        ids = typed or tokenizer.start_ids()
        asked = tuple(
            tokenizer.encode_target(text, target, special_tokens=special_tokens)
            for target in targets
        )
        _refuse_endless(asked, new_tokens, known.entry)
        totals = [len(t.context_ids) + len(t.token_ids) for t in asked]
        over = max([len(ids) + new_tokens, *totals]) - known.entry.context
        if over <= 0:
            return Prompt(text, ids, asked, from_start=not typed)
        if not cut_left:
            raise PromptError(_too_long(len(ids), new_tokens, asked, known.entry))
        cut = tuple(replace(t, context_ids=_right_of(t.context_ids, over)) for t in asked)
        kept = _right_of(ids, over)
        return Prompt(text, kept, cut, cut=len(ids) - len(kept))

    def prompt_of_ids(self, key: str, token_ids: Sequence[int]) -> Prompt:
        """Return the prompt that consists of exactly these tokens."""
        if not token_ids:
            return self.encode(key, "")
        text = self._tokenizer(self._known(key)).decode(token_ids)
        return Prompt(text, tuple(token_ids))

    def token_texts(self, key: str, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return how each token reads in its place; joined they give the text."""
        return self._tokenizer(self._known(key)).pieces(token_ids)

    def unknown_characters(self, key: str, text: str) -> str:
        """Return the characters of `text` that the model's tokenizer has no token for."""
        return self._tokenizer(self._known(key)).unknown_characters(text)

    def _known(self, key: str) -> KnownModel:
        if key not in self._models:
            raise CheckpointError(f"{shown(key)} is not a model of the picker")
        return self._models[key]

    def _some_place(self, known: KnownModel) -> StepPlace:
        if known.places:
            return known.places[max(known.places)]
        raise CheckpointError(
            f"no checkpoint of {known.entry.name} is on this machine; fetch one with the Hub's "
            "own tools, add a folder, or pick a model of the demo suite"
        )

    def _tokenizer(self, known: KnownModel) -> Tokenizer:
        return _tokenizer(_files(known.entry.name, self._some_place(known)).tokenizer_file)


@dataclass(frozen=True, slots=True)
class _Files:
    """What stands beside a checkpoint's weights."""

    config: NeoxConfig
    training_dtype: TrainingDtype
    config_sha256: str
    tokenizer_file: Path


def _files(name: str, place: StepPlace) -> _Files:
    config_file = beside_or_inside(place.folder, "config.json")
    tokenizer_file = beside_or_inside(place.folder, "tokenizer.json")
    for file, wanted in ((config_file, "config.json"), (tokenizer_file, "tokenizer.json")):
        if file is None:
            raise CheckpointError(f"{name} lacks {wanted}, in {place.folder} and beside it")
    assert config_file is not None
    assert tokenizer_file is not None
    config, dtype, sha256 = _config(config_file)
    return _Files(config, dtype, sha256, tokenizer_file)


def _config(file: Path) -> tuple[NeoxConfig, TrainingDtype, str]:
    return _read_config(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _read_config(file: Path, _mtime_ns: int) -> tuple[NeoxConfig, TrainingDtype, str]:
    return read_config(file)


def _tokenizer(file: Path) -> Tokenizer:
    found = file.stat()
    return _read_tokenizer(_real_path(file, found.st_ino), found.st_mtime_ns)


@lru_cache(maxsize=512)
def _real_path(file: Path, _inode: int) -> str:
    """Return the file that `file` leads to; a sweep asks for the same one at every step."""
    return identity_of(file).path


@lru_cache(maxsize=16)
def _read_tokenizer(path: str, _mtime_ns: int) -> Tokenizer:
    return Tokenizer(Path(path))


def _is_path(name: str) -> bool:
    return name.startswith(("/", "./", "../", "~", ".")) or "\\" in name


def _is_folder(name: str) -> bool:
    try:
        return bool(name) and Path(name).is_dir()
    except (OSError, ValueError):  # a name longer than any folder's
        return False


def _absolute(folder: Path) -> Path:
    try:
        folder = folder.expanduser()
        return folder.resolve() if ".." in folder.parts else folder.absolute()
    except (OSError, RuntimeError, ValueError) as problem:  # no such user, no such name
        raise CheckpointError(f"{folder} is not a folder") from problem


def _folders(places: Mapping[int, StepPlace]) -> set[Path]:
    return {place.folder for place in places.values()}


def _right_of(token_ids: tuple[int, ...], over: int) -> tuple[int, ...]:
    """Return `token_ids` less `over` on the left, but never nothing."""
    return token_ids[min(over, len(token_ids) - 1) :]


def _refuse_endless(targets: Sequence[Target], new_tokens: int, entry: ModelEntry) -> None:
    """Refuse what no cut of the prompt makes room for: one token of it must stay."""
    longest = max((len(target.token_ids) for target in targets), default=0)
    fit = f"into the {entry.context:,} of {entry.name} after any prompt"
    if new_tokens >= entry.context:
        raise PromptError(f"{new_tokens:,} new tokens do not fit {fit}; ask for fewer")
    if longest >= entry.context:
        raise PromptError(
            f"a target of {longest:,} tokens, the prompt's last spaces included, does not fit "
            f"{fit}; shorten it"
        )


def _too_long(count: int, new_tokens: int, targets: Sequence[Target], entry: ModelEntry) -> str:
    longest = max((len(target.token_ids) for target in targets), default=0)
    asked = f" and {new_tokens:,} new ones" if new_tokens else ""
    if longest > new_tokens:
        asked = f" and a target of {longest:,}"
    return (
        f"{count:,} tokens of prompt{asked} do not fit into the {entry.context:,} of "
        f"{entry.name}; shorten the prompt or let it be cut on the left"
    )


def _folder_entry(key: str, name: str, places: Mapping[int, StepPlace]) -> ModelEntry:
    """Return the entry of a folder; a catalogue model's name tells its batch and defects."""
    first = next(iter(places.values()))
    files = _files(name, first)
    like = _catalogue_namesake(name)
    return ModelEntry(
        key=key,
        name=name,
        suite="Folders",
        source="folder",
        steps=tuple(places),
        here=frozenset(places),
        batch_tokens=like.batch_tokens if like else None,
        context=files.config.context,
        facts=(*_shape_facts(files), FactLine("Folder", str(first.folder.parent))),
        known_bad=known_bad(like.name) if like else {},
        notes=_notes(like.name) if like else {},
        real_steps=_real_steps(like) if like else {},
        place=key,
    )


def _catalogue_namesake(name: str) -> catalogue.Model | None:
    try:
        return catalogue.find_model(name).model
    except catalogue.UnknownModel:
        return None


def _demo_model(folder: Path) -> KnownModel:
    places = steps_in(folder)
    entry = _folder_entry(folder.name, folder.name, places)
    files = _files(folder.name, next(iter(places.values())))
    return KnownModel(
        replace(
            entry,
            suite=DEMO_SUITE,
            source="demo",
            batch_tokens=DEMO_BATCH_TOKENS,
            facts=(*DEMO_FACTS, *_shape_facts(files), *_DEMO_ORIGIN),
            place="",
        ),
        places,
    )


def _shape_facts(files: _Files) -> tuple[FactLine, ...]:
    shape = files.config
    return (
        FactLine("Parameters", f"{shape.parameters:,}"),
        FactLine("Layers", f"{shape.layers} of dimension {shape.dim}, {shape.heads} heads each"),
        FactLine("Vocabulary rows", f"{shape.vocab_rows:,}"),
        FactLine("Context", f"{shape.context:,} tokens"),
    )


def _catalogue_model(model: catalogue.Model, cache: Path) -> KnownModel:
    places = steps_in_hub_cache(cache, model.repo)
    main = main_in_hub_cache(cache, model.repo)
    if main and LAST_STEP not in places:
        places = {**places, LAST_STEP: main}
    return KnownModel(_catalogue_entry(model, places), places)


def _catalogue_entry(model: catalogue.Model, places: Mapping[int, StepPlace]) -> ModelEntry:
    former = catalogue.former_name(model)
    return ModelEntry(
        key=model.name,
        name=model.name,
        suite=model.suite,
        source="hub",
        steps=tuple(sorted({*model.steps, *places})),
        here=frozenset(places),
        batch_tokens=model.batch_tokens,
        context=model.context_tokens,
        facts=tuple(FactLine(f.label, f.text, f.source_url) for f in catalogue.facts(model)),
        known_bad=known_bad(model.name),
        notes=_notes(model.name),
        real_steps=_real_steps(model),
        old_names=(former,) if former else (),
        repo=model.repo,
    )


def _notes(name: str) -> dict[int, str]:
    bad = known_bad(name)
    return {
        step: defect.reason
        for defect in defects_of(name)
        for step in defect.steps
        if step not in bad
    }


def _real_steps(model: catalogue.Model) -> dict[int, int]:
    return {step: model.real_step(step) for step in model.steps if model.real_step(step) != step}
