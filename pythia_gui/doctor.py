"""What `pythia-gui doctor` says: versions, device, places, display, what is missing."""

import ctypes.util
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from pythia_gui import __version__
from pythia_gui.core.resources import resource_path
from pythia_gui.engine.local import placement
from pythia_gui.hub.library import HUB_CACHE
from pythia_gui.stack import open_library, results_file

PACKAGES = (
    *("torch", "transformers", "huggingface_hub", "tokenizers", "safetensors", "numpy"),
    *("PySide6-Essentials", "pyqtgraph", "pydantic", "platformdirs"),
)
# Debian names, as in packaging/debian-packages.txt, by the library each brings.
SYSTEM_LIBRARIES = {
    "EGL": "libegl1",
    "GL": "libgl1",
    "xkbcommon": "libxkbcommon0",
    "dbus-1": "libdbus-1-3",
    "fontconfig": "libfontconfig1",
    "xcb-cursor": "libxcb-cursor0",
    "xkbcommon-x11": "libxkbcommon-x11-0",
}


def report_health() -> int:
    """Print the report; return 0, or 1 where the program can't work as it is."""
    missing = [name for name in PACKAGES if _version(name) is None]
    for label, text in _lines():
        print(f"{label:<22} {text}")
    if missing:
        print(f"missing: {', '.join(missing)}; run make install")
    return int(bool(missing))


def _lines() -> Iterator[tuple[str, str]]:
    yield "pythia-gui", __version__
    yield "Python", f"{platform.python_version()} on {platform.platform()}"
    for name in PACKAGES:
        yield name, _version(name) or "missing"
    place = placement("auto")
    yield "device", f"{place.device} ({place.name}, {place.memory_bytes / 2**30:.0f} GiB)"
    yield "display", _display()
    yield "system libraries", _system_libraries()
    yield "demo suite", _demo_suite()
    yield "results", _file(results_file())
    yield "Hub cache", _folder(HUB_CACHE)
    yield "models on this machine", _models_here()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _display() -> str:
    if sys.platform != "linux":
        return "the system's"
    found = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    return found or "none: sweep and render work, the window needs one"


def _system_libraries() -> str:
    if sys.platform != "linux":
        return "come with the system"
    lacking = [deb for name, deb in SYSTEM_LIBRARIES.items() if not ctypes.util.find_library(name)]
    return f"missing: {' '.join(lacking)}" if lacking else "all there"


def _demo_suite() -> str:
    steps = {f.name: len(list(f.glob("step*"))) for f in resource_path("demo").glob("demo-*")}
    return ", ".join(f"{name} ({count} steps)" for name, count in sorted(steps.items())) or "none"


def _file(file: Path) -> str:
    size = f"{file.stat().st_size / 2**20:.1f} MiB" if file.is_file() else "none yet"
    return f"{file} ({size})"


def _folder(folder: Path) -> str:
    at = next(place for place in (folder, *folder.parents) if place.exists())
    free = f"{shutil.disk_usage(at).free / 2**30:.0f} GiB free"
    return f"{folder} ({free}{'' if folder.is_dir() else ', not there yet'})"


def _models_here() -> str:
    here = [f"{m.name} ({len(m.here)} steps)" for m in open_library().models() if m.here]
    return ", ".join(here) or "none"
