"""What is wrong with the looks of a window: text that doesn't fit, ink that doesn't show.

Run as a program it builds the filled-in window at another scale, writes its picture and prints
what is wrong with it: `python -m tests.ui.looks DEMO THEME WIDTH HEIGHT PICTURE`.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QSettings, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QGraphicsItem,
    QGraphicsSimpleTextItem,
    QGraphicsTextItem,
    QGraphicsView,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTabBar,
    QToolButton,
    QWidget,
)

from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui import theme
from pythia_gui.ui.widgets import ElidedLabel
from pythia_gui.ui.window import MainWindow
from pythia_gui.ui.workspace import Workspace
from pythia_gui.worker import Worker
from tests.fakes import FakeEngine

LEAST_CONTRAST = 4.5
ROUNDING = 1  # pixels
TOUCHING = 3  # pixels of room that every line of text has above and below its letters


def misfits(window: QWidget) -> list[str]:
    """Return the texts that are cut or elided, with the widgets that cut them."""
    found = []
    for widget in seen(window):
        for text, needed, there in demands(widget):
            if text and needed > there + ROUNDING:
                found.append(f"{type(widget).__name__} {text!r} needs {needed}, has {there}")
    return found


def seen(window: QWidget) -> Iterator[QWidget]:
    """Yield the widgets of a window that are on screen."""
    for widget in window.findChildren(QWidget):
        inner = widget.viewport() if isinstance(widget, QAbstractScrollArea) else widget
        if widget.isVisible() and not inner.visibleRegion().isEmpty():
            yield widget


def demands(widget: QWidget) -> Iterator[tuple[str, int, int]]:
    """Yield a widget's texts with the pixels they need and have, across and down."""
    if isinstance(widget, ElidedLabel):
        yield widget.whole_text(), widget.sizeHint().width(), widget.width()
    elif isinstance(widget, QLabel):
        yield from label_demands(widget)
    elif isinstance(widget, QTabBar):
        yield from tab_demands(widget)
    elif isinstance(widget, QHeaderView):
        yield from header_demands(widget)
    elif isinstance(widget, QComboBox):
        width = widget.fontMetrics().horizontalAdvance(widget.currentText())
        yield widget.currentText(), width + 24, widget.width()
    elif isinstance(widget, QAbstractSpinBox):
        width = widget.fontMetrics().horizontalAdvance(widget.text())
        yield widget.text(), width + 22, widget.width()
    elif isinstance(widget, QLineEdit):
        text = widget.text() or widget.placeholderText()
        if not isinstance(widget.parent(), QAbstractSpinBox):
            yield text, widget.fontMetrics().horizontalAdvance(text) + 12, widget.width()
    elif isinstance(widget, QAbstractButton):
        yield from button_demands(widget)


def label_demands(label: QLabel) -> Iterator[tuple[str, int, int]]:
    text = label.text()
    if label.wordWrap():
        yield text, label.heightForWidth(label.width()), label.height()
    else:
        yield text, label.sizeHint().width(), label.width()
        yield text, label.fontMetrics().height(), label.height()


def tab_demands(tabs: QTabBar) -> Iterator[tuple[str, int, int]]:
    for place in range(tabs.count()):
        text = tabs.tabText(place)
        width = tabs.fontMetrics().horizontalAdvance(text)
        yield text, width, tabs.tabRect(place).width()
        yield text, tabs.tabRect(place).right(), tabs.width()


def header_demands(header: QHeaderView) -> Iterator[tuple[str, int, int]]:
    model = header.model()
    if header.orientation() != Qt.Orientation.Horizontal or model is None:
        return
    for place in range(header.count()):
        text = str(model.headerData(place, Qt.Orientation.Horizontal) or "")
        if text and not header.isSectionHidden(place):
            width = header.fontMetrics().horizontalAdvance(text)
            yield text, width, header.sectionSize(place)


def button_demands(button: QAbstractButton) -> Iterator[tuple[str, int, int]]:
    text = button.text().replace("&", "")
    if isinstance(button, QToolButton) and not text:
        return
    yield text, button.minimumSizeHint().width(), button.width()
    yield text, button.fontMetrics().height(), button.height()


def overlaps(window: QWidget) -> list[str]:
    """Return the pairs of texts that lie on one another: of widgets, and of plots' labels."""
    places = [*texts_of_widgets(window), *texts_of_plots(window)]
    found = []
    for (one, there, owner), (other, here, another) in combinations(places, 2):
        nested = owner.isAncestorOf(another) or another.isAncestorOf(owner)
        common = there.intersected(here)
        wide = common.width() > ROUNDING and common.height() > TOUCHING
        if wide and (owner is another or not nested) and owner.window() is another.window():
            found.append(f"{one!r} and {other!r} share {common.width()} x {common.height()}")
    return found


Placed = tuple[str, QRect, QWidget]


def texts_of_widgets(window: QWidget) -> Iterator[Placed]:
    for widget in seen(window):
        if isinstance(widget, QLabel | QAbstractButton) and widget.text().strip():
            visible = widget.visibleRegion().boundingRect()
            yield widget.text(), visible.translated(widget.mapTo(window, QPoint(0, 0))), widget


def texts_of_plots(window: QWidget) -> Iterator[Placed]:
    """Yield what is written in graphics scenes, as far as it is on screen."""
    for view in seen(window):
        if isinstance(view, QGraphicsView) and view.scene() is not None:
            whole = view.viewport().visibleRegion().boundingRect()
            for item in view.scene().items():
                text = written_in(item)
                shape = view.mapFromScene(item.sceneBoundingRect()).boundingRect() & whole
                if text.strip() and item.isVisible() and item.opacity() > 0 and not shape.isEmpty():
                    yield text, shape.translated(view.viewport().mapTo(window, QPoint(0, 0))), view


def written_in(item: QGraphicsItem) -> str:
    if isinstance(item, QGraphicsTextItem):
        return item.toPlainText()
    return item.text() if isinstance(item, QGraphicsSimpleTextItem) else ""


def faint_texts(window: QWidget) -> list[str]:
    """Return the labels and buttons whose ink, as painted, is too faint on what it stands on."""
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    ratio = image.devicePixelRatio()
    pixels = pixels_of(image)
    found = []
    for widget in seen(window):
        if isinstance(widget, QLabel | QAbstractButton) and widget.text().strip():
            place = QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
            if not widget.visibleRegion().contains(widget.rect()):
                continue
            best = painted_contrast(cut(pixels, place, ratio))
            if best < LEAST_CONTRAST:
                found.append(f"{type(widget).__name__} {widget.text()!r} has {best:.2f}")
    return found


def pixels_of(image: QImage) -> NDArray[np.uint8]:
    """Return an RGB888 image as an array of shape (height, width, 3)."""
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)


def cut(pixels: NDArray[np.uint8], place: QRect, ratio: float) -> NDArray[np.uint8]:
    left, top = round(place.left() * ratio), round(place.top() * ratio)
    right, bottom = round((place.right() + 1) * ratio), round((place.bottom() + 1) * ratio)
    return pixels[max(top, 0) : bottom, max(left, 0) : right]


def painted_contrast(part: NDArray[np.uint8]) -> float:
    """Return the contrast between a region's commonest colour and the ink that differs most."""
    counts = Counter(map(tuple, part.reshape(-1, 3).tolist()))
    ground = QColor(*counts.most_common(1)[0][0])
    return max((theme.contrast(QColor(*ink), ground) for ink in counts), default=1.0)


def fill_in(window: MainWindow, workspace: Workspace) -> None:
    """Ask a question and wait for all of its answer."""
    workspace.refresh_models()
    workspace.show_model("demo-s")
    window.set_prompt("The capital of France is")
    workspace.run()
    for _ in range(500):
        QTest.qWait(20)
        if workspace.settled:
            break
    QTest.qWait(100)


def main(demo: str, mode: str, width: str, height: str, picture: str) -> None:
    """Print as JSON what is wrong with the window, and write its picture."""
    app = QApplication([])
    theme.apply(app, theme.as_mode(mode))
    worker = Worker(FakeEngine())
    with tempfile.TemporaryDirectory() as folder:
        library = LocalLibrary(Path(demo), cache=Path(folder) / "cache")
        workspace = Workspace(library, worker)
        window = MainWindow(QSettings(f"{folder}/window.ini", QSettings.Format.IniFormat))
        window.attach(workspace, library)
        window.resize(int(width), int(height))
        window.show()
        fill_in(window, workspace)
        window.grab().save(picture)
        print(json.dumps({"misfits": misfits(window), "faint": faint_texts(window)}))
        window.close()
        worker.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
