"""A request to real checkpoints; light to import."""

from pathlib import Path

from pythia_gui.core.requests import Request
from pythia_gui.hub.library import LocalLibrary

STEPS = (0, 1, 512)
TEXTS = ("Once there was", "two and")


def real_request(folder: Path) -> Request:
    """Return a request that asks two prompts of every checkpoint in `folder`."""
    library = LocalLibrary(None)
    key = library.add_folder(folder).key
    return Request(
        slot="text",
        checkpoints=tuple(library.checkpoint(key, step) for step in STEPS),
        prompts=tuple(library.encode(key, text, [" a", " was a"]) for text in TEXTS),
    )
