"""What every test stands on: a headless Qt, a home of its own, no network.

The environment is set here, before any test imports Qt, torch or huggingface_hub, and is
inherited by the processes that tests start.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_HOME = Path(tempfile.mkdtemp(prefix="pythia-gui-tests-"))
_REPOSITORY = Path(__file__).resolve().parent.parent
_TOKENIZER = "gpt-neox-20b-tokenizer.json"


def _own_environment(home: Path) -> dict[str, str]:
    """Return the variables that keep tests away from the user's files, screen and network."""
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    return {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(runtime),
        "HF_HOME": str(home / "huggingface"),
        "HF_HUB_CACHE": str(home / "huggingface" / "hub"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "DISABLE_SAFETENSORS_CONVERSION": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "QT_SCALE_FACTOR": "1",
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
    }


os.environ.update(_own_environment(_HOME))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))
for _name in ("HF_TOKEN", "HF_ENDPOINT", "PYTHONPATH"):
    os.environ.pop(_name, None)

settings.register_profile(
    "default",
    deadline=None,  # the machine is shared with whatever else runs on it
    derandomize=True,  # the same examples everywhere
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return _REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of files that tests read and the repository does not hold."""
    given = os.environ.get("PYTHIA_GUI_SHARED_DATA")
    folder = Path(given) if given else _REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no ../shared/data beside the checkout, nor PYTHIA_GUI_SHARED_DATA: {folder}")
    return folder


@pytest.fixture(scope="session")
def neox_tokenizer_file(shared_data: Path) -> Path:
    """The tokenizer of all Pythia models."""
    file = shared_data / _TOKENIZER
    if not file.is_file():
        pytest.skip(f"no {_TOKENIZER} in {shared_data}")
    return file
