"""The models of the Pythia suite: names, shapes, training, and what a reader should know.

The bundled demo suite isn't described here: its facts come from its own folder. Its names are
reserved, so that no alias can ever take them.
"""

import dataclasses
import difflib
from dataclasses import dataclass
from typing import Literal

from pythia_gui.core.defects import defects_of
from pythia_gui.core.steps import STEPS, TOKENS_PER_STEP, shown, tokens_seen

OWNER = "EleutherAI"
RESERVED_NAMES: tuple[str, ...] = ("demo-s", "demo-m")
"""Names of the demo suite's models, described by their folders."""

TOKENIZER_LENGTH = 50_277
"""Tokens that Pythia's tokenizer has; the rows of the output matrix beyond them are padding."""

Suite = Literal["Pythia", "PolyPythias", "Pythia v0", "Demo suite", "Folders"]
DtypeName = Literal["float32", "float16", "bfloat16"]

THE_PILE = "the Pile"
DEDUPLICATED_PILE = "the deduplicated Pile"

_HUB = "https://huggingface.co"
_GITHUB = "https://github.com/EleutherAI/pythia"
_PAPER = "https://arxiv.org/abs/2304.01373"
_POLY_PAPER = "https://arxiv.org/abs/2503.09543"

_V0_STEPS = STEPS[STEPS.index(1_000) :]
_V0_BATCH_TOKENS = 2 * TOKENS_PER_STEP
_OUTLIERS = ("pythia-410m-seed3", "pythia-410m-seed4")

CAUTIONS: tuple[str, ...] = (
    "These are base models: they continue text and were not tuned to follow instructions.",
    "They were trained on English text and are not suited to other languages.",
    "They are for research, not for deployment and not for use that faces people.",
    "They may say offensive or false things, whatever the prompt.",
    "A person should read what they write before others see it.",
)
"""What the model cards warn of, in our words; shown where a person meets generated text."""


class UnknownModel(ValueError):
    """A name that no model of the catalogue has, told in one sentence."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of a GPT-NeoX model as Pythia uses it.

    Input and output embeddings are two matrices of (vocab_rows, dim) without biases. A layer has,
    with d for dim: two layer norms (2 x 2d), query, key and value together (3d^2 + 3d), the
    attention's output (d^2 + d), and a feed-forward of width 4d (4d^2 + 4d up, 4d^2 + d down):
    12d^2 + 13d. A last layer norm adds 2d. Rotary positions have no parameters.
    """

    layers: int
    dim: int
    heads: int
    vocab_rows: int

    @property
    def non_embedding_parameters(self) -> int:
        """Parameters outside the two embedding matrices."""
        per_layer = 12 * self.dim**2 + 13 * self.dim
        return self.layers * per_layer + 2 * self.dim

    @property
    def total_parameters(self) -> int:
        """All parameters, both embedding matrices included."""
        return self.non_embedding_parameters + 2 * self.vocab_rows * self.dim


@dataclass(frozen=True, slots=True)
class Model:
    """One size and data variant, as published.

    Attributes:
        name: the name without owner, such as `pythia-410m-deduped`.
        repo: the Hub repository, `owner/name`; empty for a model that isn't on the Hub.
        label: the name for reading, such as `Pythia 410M deduped`.
        size: as in the name, such as `410M`.
        learning_rate: the highest of the schedule.
        batch_tokens: tokens from one step to the next as steps are *named*.
        real_batch_tokens: tokens in a real optimiser step; twice that for some v0 models.
        training_dtype: the lower precision of mixed-precision training.
        data: what it was trained on, to follow "trained on".
        seed: 1 to 9 for PolyPythias; None for the original runs (which used 1234).
        equivalents: other suites' models of about the same shape.
        steps: the steps that were published, ascending.
    """

    name: str
    repo: str
    suite: Suite
    label: str
    size: str
    architecture: Architecture
    learning_rate: float
    training_dtype: DtypeName
    data: str
    steps: tuple[int, ...] = STEPS
    seed: int | None = None
    equivalents: tuple[str, ...] = ()
    batch_tokens: int = TOKENS_PER_STEP
    real_batch_tokens: int = TOKENS_PER_STEP
    context_tokens: int = 2_048

    @property
    def url(self) -> str:
        """The model's page on the Hub."""
        return f"{_HUB}/{self.repo}"

    def tokens_seen(self, step: int) -> int:
        """Return the training tokens read by the checkpoint named `step`."""
        return tokens_seen(step, self.batch_tokens)

    def real_step(self, step: int) -> int:
        """Return the optimiser step behind the checkpoint named `step`.

        Only v0 models with a batch of 4M tokens differ: their `step1000` is real step 500
        (https://github.com/EleutherAI/pythia#quickstart).
        """
        return self.tokens_seen(step) // self.real_batch_tokens


@dataclass(frozen=True, slots=True)
class Found:
    """A model, and what to tell a user who asked for it by a name it no longer has."""

    model: Model
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the facts panel: a label, plain sentences, and where they come from."""

    label: str
    text: str
    source_url: str


@dataclass(frozen=True, slots=True)
class _Size:
    """A row of the README's table, with the name it had before January 2023."""

    label: str
    architecture: Architecture
    learning_rate: float
    equivalents: tuple[str, ...] = ()
    former: str | None = None

    @property
    def stem(self) -> str:
        return f"pythia-{self.label.lower()}"


_SIZES = (
    _Size("14M", Architecture(6, 128, 4, 50_304), 1.0e-3),
    _Size("31M", Architecture(6, 256, 8, 50_304), 1.0e-3),
    _Size("70M", Architecture(6, 512, 8, 50_304), 1.0e-3, (), "19M"),
    _Size("160M", Architecture(12, 768, 12, 50_304), 6.0e-4, ("GPT-Neo 125M", "OPT-125M"), "125M"),
    _Size("410M", Architecture(24, 1024, 16, 50_304), 3.0e-4, ("OPT-350M",), "350M"),
    _Size("1B", Architecture(16, 2048, 8, 50_304), 3.0e-4, (), "800M"),
    _Size("1.4B", Architecture(24, 2048, 16, 50_304), 2.0e-4, ("GPT-Neo 1.3B", "OPT-1.3B"), "1.3B"),
    _Size("2.8B", Architecture(32, 2560, 32, 50_304), 1.6e-4, ("GPT-Neo 2.7B", "OPT-2.7B"), "2.7B"),
    _Size("6.9B", Architecture(32, 4096, 32, 50_432), 1.2e-4, ("OPT-6.7B",), "6.7B"),
    _Size("12B", Architecture(36, 5120, 40, 50_688), 1.2e-4, (), "13B"),
)
_TRAINED_TWICE = tuple(size for size in _SIZES if size.former is not None)
_RESEEDED = tuple(size for size in _SIZES if size.label in ("14M", "31M", "70M", "160M", "410M"))


def _original(size: _Size) -> Model:
    """Return the standard variant of `size` in the current release."""
    return Model(
        name=size.stem,
        repo=f"{OWNER}/{size.stem}",
        suite="Pythia",
        label=f"Pythia {size.label}",
        size=size.label,
        architecture=size.architecture,
        learning_rate=size.learning_rate,
        training_dtype="bfloat16" if size.label == "1B" else "float16",
        data=DEDUPLICATED_PILE if size.label == "31M" else THE_PILE,
        equivalents=size.equivalents,
    )


def _named(model: Model, ending: str, words: str) -> Model:
    name = model.name + ending
    return dataclasses.replace(
        model, name=name, repo=f"{OWNER}/{name}", label=f"{model.label} {words}"
    )


def _deduped(size: _Size) -> Model:
    # float16 for 1B as well: https://github.com/EleutherAI/pythia/issues/171
    model = _named(_original(size), "-deduped", "deduped")
    return dataclasses.replace(model, training_dtype="float16", data=DEDUPLICATED_PILE)


def _v0(model: Model) -> Model:
    """Return the first release of `model`; batches from the cards of the v0 models."""
    doubled = model.size in ("160M", "410M", "1.4B")
    return dataclasses.replace(
        _named(model, "-v0", "v0"),
        suite="Pythia v0",
        steps=_V0_STEPS,
        training_dtype="float16",
        real_batch_tokens=_V0_BATCH_TOKENS if doubled else TOKENS_PER_STEP,
    )


def _reseeded(size: _Size, seed: int) -> Model:
    model = _named(_original(size), f"-seed{seed}", f"seed {seed}")
    return dataclasses.replace(model, suite="PolyPythias", seed=seed, data=THE_PILE)


def _current_release() -> tuple[Model, ...]:
    youngest = tuple(_original(size) for size in _SIZES if size.former is None)
    variants = (variant(size) for size in _TRAINED_TWICE for variant in (_original, _deduped))
    return (*youngest, *variants)


_PYTHIA = _current_release()

MODELS: tuple[Model, ...] = (
    *_PYTHIA,
    *(_reseeded(size, seed) for size in _RESEEDED for seed in range(1, 10)),
    *(_v0(model) for size in _TRAINED_TWICE for model in (_original(size), _deduped(size))),
)
"""Every model of the suite: the current release by size, then PolyPythias, then v0."""

_BY_NAME = {model.name: model for model in MODELS}


def _former_names() -> dict[str, str]:
    """Return the names used before January 2023, with those that replaced them."""
    names: dict[str, str] = {}
    for size in _TRAINED_TWICE:
        former = f"pythia-{size.former}".lower()
        for ending in ("", "-deduped"):
            names[former + ending] = size.stem + ending
    return names


_FORMER = _former_names()


def find_model(name: str) -> Found:
    """Return the model called `name`, with a notice where the name is one of before January 2023.

    The owner, the prefix `pythia-` and capitals may be there or not.

    Raises:
        UnknownModel: no model has this name; the message names those nearest to it.
    """
    asked = name.strip().casefold().removeprefix(f"{OWNER}/".casefold())
    if asked in RESERVED_NAMES:
        raise UnknownModel(f"{asked} belongs to the demo suite and is opened from its folder")
    for full in (asked, f"pythia-{asked}"):
        if full in _BY_NAME:
            return Found(_BY_NAME[full])
        if full in _FORMER:
            return Found(_BY_NAME[_FORMER[full]], _renamed(full))
    raise UnknownModel(_unknown(name, asked))


def _renamed(former: str) -> str:
    current = _FORMER[former]
    return (
        f"{former} has been called {current} since January 2023; "
        f"the weights of the first release are kept as {current}-v0."
    )


def _unknown(name: str, asked: str) -> str:
    if not asked:
        return "no model is named; pythia-70m is one of the catalogue"
    start = asked[:60]
    guess = f"pythia-{start}" if start[0].isdigit() else start
    near = difflib.get_close_matches(guess, (*_BY_NAME, *RESERVED_NAMES), cutoff=0.7)
    hint = f"near it: {', '.join(near)}" if near else "pythia-70m is one that it has"
    return f"the catalogue has no model called {shown(name.strip())}; {hint}"


def former_name(model: Model) -> str | None:
    """Return what `model` was called before January 2023, or None where it is younger."""
    return next((old for old, current in _FORMER.items() if current == model.name), None)


def search_models(text: str) -> tuple[Model, ...]:
    """Return the models whose current or former name holds every word of `text`.

    Capitals don't matter; an empty text finds all. The order is the catalogue's.
    """
    words = text.casefold().split()
    return tuple(model for model in MODELS if all(word in _searched(model) for word in words))


def _searched(model: Model) -> str:
    names = (model.repo, model.label, former_name(model) or "", model.suite)
    return " ".join(names).casefold()


def facts(model: Model) -> tuple[Fact, ...]:
    """Return what the facts panel says about a model of this catalogue, in reading order."""
    return (
        *_shape_facts(model),
        *_training_facts(model),
        *_release_facts(model),
        *_note_facts(model),
        *_caution_facts(model),
        *_source_facts(model),
    )


def _shape_facts(model: Model) -> tuple[Fact, ...]:
    shape = model.architecture
    size = (
        f"{shape.total_parameters:,} parameters, "
        f"{shape.non_embedding_parameters:,} without the embeddings."
    )
    layers = f"{shape.layers} layers of dimension {shape.dim:,} with {shape.heads} heads each."
    rows = (
        f"The GPT-NeoX-20B tokenizer, {TOKENIZER_LENGTH:,} tokens, the same for every model; the "
        f"output has {shape.vocab_rows:,} rows, the rest of them padding."
    )
    context = f"{model.context_tokens:,} tokens."
    return (
        Fact("Parameters", size, model.url),
        Fact("Shape", layers, _GITHUB),
        Fact("Context", context, _GITHUB),
        Fact("Tokenizer", rows, f"{_GITHUB}/issues/68"),
        *_equivalents_fact(model),
    )


def _equivalents_fact(model: Model) -> tuple[Fact, ...]:
    if not model.equivalents:
        return ()
    return (Fact("Equivalent", f"{' and '.join(model.equivalents)}.", model.url),)


def _training_facts(model: Model) -> tuple[Fact, ...]:
    return (
        Fact("Data", f"Trained on {model.data}, {_epochs(model)}. {_order(model)}", _GITHUB),
        Fact("Training", _schedule(model), _GITHUB),
        Fact("Learning rate", _learning_rate(model), _GITHUB),
        Fact("Precision", _precision(model), _GITHUB),
        *_seed_fact(model),
        *_initialisation_fact(model),
    )


def _epochs(model: Model) -> str:
    deduplicated = model.data == DEDUPLICATED_PILE
    return "about one and a half epochs" if deduplicated else "just under one epoch"


def _order(model: Model) -> str:
    if model.seed is not None:
        return "The seed sets the order of the data as well as the first weights."
    return "All sizes saw the same data in the same order."


def _schedule(model: Model) -> str:
    last = model.steps[-1]
    real = model.real_step(last)
    saved = f"{len(model.steps)} checkpoints were kept."
    length = f"{real:,} steps of {model.real_batch_tokens:,} tokens"
    return f"{length}, {model.tokens_seen(last):,} tokens in all. {saved}"


def _learning_rate(model: Model) -> str:
    to_zero = model.suite == "Pythia v0" and model.size in ("6.9B", "12B")
    end = "to zero" if to_zero else "to a tenth of it"
    highest = f"{model.learning_rate:.1e}".replace("e-0", "e-")
    return f"{highest} at its highest, falling {end}."


def _precision(model: Model) -> str:
    text = f"Mixed precision with {model.training_dtype}."
    if model.training_dtype == "bfloat16":
        return f"{text} In float16 its loss rose late in training and did not recover."
    return text


def _seed_fact(model: Model) -> tuple[Fact, ...]:
    if model.seed is None:
        return (Fact("Seed", "1234, the default of GPT-NeoX.", f"{_GITHUB}#multiple-random-seeds"),)
    text = f"{model.seed}. Only the seed differs from the original run, which used 1234."
    if model.name in _OUTLIERS:
        text += " The paper counts this run among its outliers."
    return (Fact("Seed", text, _POLY_PAPER),)


def _initialisation_fact(model: Model) -> tuple[Fact, ...]:
    if model.suite != "Pythia" or model.size not in ("6.9B", "12B"):
        return ()
    text = (
        "6.9B and 12B were initialised in another way than the smaller sizes, so step 0 doesn't "
        "compare with theirs."
    )
    return (Fact("Initialisation", text, f"{_GITHUB}/issues/135"),)


def _release_facts(model: Model) -> tuple[Fact, ...]:
    release = Fact("Release", _release(model), f"{_GITHUB}#changelog")
    former = former_name(model)
    if former is None:
        return (release,)
    return (Fact("Former name", f"{former}, until January 2023.", release.source_url), release)


def _release(model: Model) -> str:
    if model.suite == "Pythia v0":
        return (
            "v0, the first release, kept for comparison. In it 160M, 410M and 1.4B had batches of "
            "4M tokens, the learning rate of 6.9B and 12B fell to zero instead of a tenth, every "
            "model was trained in float16 and without Flash Attention, and no step before 1,000 "
            "was kept."
        )
    if model.suite == "PolyPythias":
        return "PolyPythias: nine more runs of each of the five smallest sizes, in 2025."
    if former_name(model) is None:
        return "Added in 2023, after the eight sizes of the suite."
    return f"The current one, of April 2023; the first is kept as {model.name}-v0."


def _note_facts(model: Model) -> tuple[Fact, ...]:
    notes = (defect for defect in defects_of(model.name) if not defect.steps)
    return tuple(Fact("Note", note.reason, note.source) for note in notes)


def _caution_facts(model: Model) -> tuple[Fact, ...]:
    pile = (
        "The Pile holds profanity and text that is lewd or otherwise offensive, and its authors "
        "document biases of gender, religion and race in it: expect them in what the model writes."
    )
    gender = (
        "The Pythia paper measured gender bias, and lowered it by training the end of the run on "
        "text with feminine pronouns in the place of masculine ones."
    )
    return (
        Fact("Biases", pile, "https://arxiv.org/abs/2101.00027"),
        Fact("Gender bias", gender, _PAPER),
        Fact("Cautions", " ".join(CAUTIONS), model.url),
    )


def _source_facts(model: Model) -> tuple[Fact, ...]:
    page = Fact("Hugging Face", model.repo, model.url)
    licence = Fact("Licence", "Apache-2.0.", f"{_GITHUB}#license")
    code = Fact("Code", "EleutherAI/pythia on GitHub.", _GITHUB)
    return (licence, page, code, *_papers(model))


def _papers(model: Model) -> tuple[Fact, ...]:
    pythia = Fact(
        "Paper",
        "Pythia: A Suite for Analyzing Large Language Models Across Training and Scaling (2023).",
        _PAPER,
    )
    if model.suite != "PolyPythias":
        return (pythia,)
    poly = Fact(
        "Paper",
        "PolyPythias: Stability and Outliers across Fifty Language Model Pre-Training Runs (2025).",
        _POLY_PAPER,
    )
    return (poly, pythia)


def as_json(model: Model) -> dict[str, object]:
    """Return a model as the `models --json` command writes it, of plain JSON values."""
    shape = model.architecture
    return {
        "name": model.name,
        "repo": model.repo,
        "suite": model.suite,
        "label": model.label,
        "size": model.size,
        "total_parameters": shape.total_parameters,
        "non_embedding_parameters": shape.non_embedding_parameters,
        "layers": shape.layers,
        "dim": shape.dim,
        "heads": shape.heads,
        "vocab_rows": shape.vocab_rows,
        "context_tokens": model.context_tokens,
        "learning_rate": model.learning_rate,
        "batch_tokens": model.batch_tokens,
        "real_batch_tokens": model.real_batch_tokens,
        "training_dtype": model.training_dtype,
        "data": model.data,
        "seed": model.seed,
        "equivalents": list(model.equivalents),
        "former_name": former_name(model),
        "steps": list(model.steps),
        "known_defects": _defects_as_json(model),
    }


def _defects_as_json(model: Model) -> list[dict[str, object]]:
    return [
        {**dataclasses.asdict(defect), "steps": list(defect.steps)}
        for defect in defects_of(model.name)
    ]
