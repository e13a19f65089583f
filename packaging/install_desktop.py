"""Put the program, with its icon, into an application menu: `make install-desktop`.

The one argument is a data directory, such as /usr/share; without it, the user's own is taken.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from pythia_gui.core.resources import resource_path

APPLICATION_ID = "io.github.pythia_gui.PythiaGui"
ICON_SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
_HERE = Path(__file__).resolve().parent


def render_icon(svg: Path, size: int) -> QImage:
    """Return `svg` as a square picture of `size` pixels on a clear ground."""
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(svg)).render(painter)
    painter.end()
    return image


def install_icons(theme: Path) -> None:
    """Write the application's icon into a `hicolor` folder, in every usual size and as it is."""
    svg = resource_path("icons", "pythia-gui.svg")
    for size in ICON_SIZES:
        folder = theme / f"{size}x{size}" / "apps"
        folder.mkdir(parents=True, exist_ok=True)
        render_icon(svg, size).save(str(folder / f"{APPLICATION_ID}.png"))
    scalable = theme / "scalable" / "apps"
    scalable.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(svg, scalable / f"{APPLICATION_ID}.svg")


def quoted(argument: str) -> str:
    """Return `argument` as the desktop entry specification quotes one in `Exec`."""
    escaped = "".join(
        "\\" + character if character in '"`$\\' else character for character in argument
    )
    return '"' + escaped.replace("\\", "\\\\").replace("%", "%%") + '"'


def desktop_entry(command: Path) -> str:
    """Return the desktop entry that starts `command`, given by its full path."""
    text = (_HERE / f"{APPLICATION_ID}.desktop").read_text()
    return text.replace("Exec=pythia-gui\n", f"Exec={quoted(str(command))}\n")


def install(data: Path, command: Path) -> None:
    """Write desktop entry, store metadata and icons under `data`."""
    for folder in ("applications", "metainfo"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    entry = data / "applications" / f"{APPLICATION_ID}.desktop"
    entry.write_text(desktop_entry(command))
    shutil.copy(_HERE / f"{APPLICATION_ID}.metainfo.xml", data / "metainfo")
    install_icons(data / "icons" / "hicolor")


def main() -> None:
    default = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    data = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    install(data, Path(sys.executable).parent / "pythia-gui")
    if update := shutil.which("update-desktop-database"):
        subprocess.run([update, str(data / "applications")], check=False)
    print(f"Pythia GUI is in the application menu; its files are in {data}")


if __name__ == "__main__":
    main()
