"""How the program is put together below the window: the library, the store, the engines.

The window and the command line share it; it knows every layer but Qt.
"""

from pathlib import Path

import platformdirs

from pythia_gui.core.engine import Engine
from pythia_gui.core.fallback import Float32Fallback
from pythia_gui.core.resources import resource_path
from pythia_gui.engine.process import ProcessEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.store.cached import CachedEngine
from pythia_gui.store.database import Database

NAME = "pythia-gui"


def open_library() -> LocalLibrary:
    """Return the library of the demo suite, the catalogue and the local Hub cache."""
    return LocalLibrary(resource_path("demo"))


def results_file() -> Path:
    """Return where computed results are kept, for this user."""
    return Path(platformdirs.user_data_dir(NAME, appauthor=False)) / "results.sqlite"


def history_file() -> Path:
    """Return where past runs are kept, for this user."""
    return results_file().with_name("history.sqlite")


def open_engine(process: ProcessEngine, *, stored: bool = True) -> Engine:
    """Return the engines around `process`: results from the store, float32 where half fails.

    Raises:
        StoreError: the file of results can't be opened; the text is one sentence.
    """
    engine: Engine = process
    if stored:
        engine = CachedEngine(process, Database(results_file()))
    return Float32Fallback(engine)
