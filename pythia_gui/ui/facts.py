"""What is known of the chosen model, with links to where it is said."""

from urllib.parse import urlsplit

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QGridLayout, QScrollArea, QVBoxLayout, QWidget

from pythia_gui.core.library import FactLine, ModelEntry
from pythia_gui.ui.widgets import LinkLabel, plain_label

_OUR_HOSTS = frozenset({"arxiv.org", "github.com", "huggingface.co", "pile.eleuther.ai"})


def may_open(source: str) -> bool:
    """Return whether a link is one that this program itself knows, fit for the browser."""
    try:
        parts = urlsplit(source)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.hostname in _OUR_HOSTS and "@" not in parts.netloc


class FactsPanel(QScrollArea):
    """A model's facts, one under the other; the links open in the user's browser."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Facts about the model")
        self._facts: tuple[FactLine, ...] | None = None

    def show_model(self, entry: ModelEntry | None) -> None:
        """Show the facts of a model, or nothing."""
        facts = entry.facts if entry is not None else ()
        if facts == self._facts:
            return
        self._facts = facts
        page = QWidget()
        page.setLayout(_column(facts))
        self.setWidget(page)


def _column(facts: tuple[FactLine, ...]) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setContentsMargins(16, 4, 12, 16)
    column.setSpacing(0)
    said = ""
    for fact in facts:
        column.addLayout(_fact(fact, linked=fact.source != said))
        said = fact.source
    column.addStretch(1)
    return column


def _fact(fact: FactLine, *, linked: bool) -> QGridLayout:
    """Return a fact; its source is linked unless the fact above has the same one."""
    block = QGridLayout()
    block.setContentsMargins(0, 4, 0, 4)
    block.setVerticalSpacing(0)
    label = plain_label(fact.label, role="muted", size=0.88)
    text = plain_label(fact.text, wrap=True)
    text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    block.addWidget(label, 0, 0)
    block.addWidget(text, 1, 0, 1, 2)
    if linked and may_open(fact.source):
        block.addWidget(_link(fact), 0, 1, Qt.AlignmentFlag.AlignRight)
    return block


class _SourceLink(LinkLabel):
    """Opens the page where a fact is said."""

    def __init__(self, fact: FactLine) -> None:
        super().__init__("source", f"Open {fact.source} in your browser")
        self.setAccessibleName(f"Source of {fact.label}")
        self._url = QUrl(fact.source)
        self.clicked.connect(self._open)

    def _open(self) -> None:
        QDesktopServices.openUrl(self._url)


def _link(fact: FactLine) -> LinkLabel:
    return _SourceLink(fact)
