"""Every action of the window, in the menu bar, with its keys."""

from dataclasses import dataclass

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from pythia_gui.ui.shortcuts import Keys


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a menu; `keys` are alternatives, the first is shown."""

    name: str
    text: str
    keys: tuple[str, ...] = ()
    checkable: bool = False


LINE = Entry("", "")

MENUS: dict[str, tuple[Entry, ...]] = {
    "&File": (
        Entry("add_folder", "Add &folder...", ("Ctrl+O",)),
        Entry("add_hub", "Add from &Hub...", ("Ctrl+Shift+O",)),
        Entry("refresh", "&Look for models again", ("F5",)),
        LINE,
        Entry("picture", "Save a &picture of the window...", ("Ctrl+Shift+S",)),
        LINE,
        Entry("quit", "&Quit", ("Ctrl+Q",)),
    ),
    "&Edit": (
        Entry("prompt", "&Prompt", ("Ctrl+L",)),
        Entry("find", "&Find a model", ("Ctrl+F",)),
        Entry("sampling", "&Sampling settings", ("Ctrl+,",)),
        LINE,
        Entry("back", "&Undo the chosen token", ("Alt+Left",)),
        Entry("forward", "&Choose the token again", ("Alt+Right",)),
    ),
    "&Run": (
        Entry("run", "&Run", ("Ctrl+Return", "Ctrl+Enter")),
        Entry("stop", "&Stop", ("Esc",)),
        LINE,
        Entry("previous", "&Previous checkpoint", ("Ctrl+[",)),
        Entry("next", "&Next checkpoint", ("Ctrl+]",)),
        Entry("play", "P&lay through training", ("Ctrl+P",)),
        LINE,
        Entry("pin", "P&in this step", ("Ctrl+D",)),
        LINE,
        Entry("history", "&History...", ("Ctrl+H",)),
    ),
    "&View": (
        Entry("view_text", "&Text", ("Ctrl+1",)),
        Entry("view_columns", "&Side by side", ("Ctrl+2",)),
        Entry("view_batch", "&Batch", ("Ctrl+B",)),
        Entry("view_map", "&Map", ("Ctrl+3",)),
        Entry("view_learned", "L&earned", ("Ctrl+4",)),
        Entry("view_rivals", "R&ivals", ("Ctrl+5",)),
        Entry("view_pair", "A an&d B", ("Ctrl+6",)),
        Entry("view_sizes", "Si&zes", ("Ctrl+7",)),
        Entry("view_prompts", "&Prompts", ("Ctrl+8",)),
        Entry("view_continuations", "C&ontinuations", ("Ctrl+9",)),
        Entry("view_similarity", "Similarit&y", ("Ctrl+M",)),
        Entry("next_view", "Ne&xt view", ("Ctrl+Tab", "Ctrl+PgDown")),
        Entry("previous_view", "Pre&vious view", ("Ctrl+Shift+Tab", "Ctrl+PgUp")),
        LINE,
        Entry("models", "Mode&ls", ("F9",), checkable=True),
        Entry("trajectory", "T&rajectory", ("F8",), checkable=True),
        Entry("next_pane", "&Next pane", ("F6",)),
        LINE,
        Entry("larger", "Lar&ger text", ("Ctrl++", "Ctrl+=")),
        Entry("smaller", "Sm&aller text", ("Ctrl+-",)),
        Entry("normal", "Text as it &was", ("Ctrl+0",)),
        Entry("full_screen", "&Full screen", ("F11",), checkable=True),
        LINE,
    ),
    "&Help": (
        Entry("keys", "&Keyboard shortcuts", ("Ctrl+?", "Ctrl+/")),
        Entry("cautions", "What to &beware of", ("F1",)),
        Entry("about", "&About pythia-gui"),
    ),
}

THEMES = (("system", "As the &system"), ("light", "&Light"), ("dark", "&Dark"))


class Menus:
    """The actions by name; whoever makes the menus connects them."""

    def __init__(self, window: QMainWindow) -> None:
        self.actions: dict[str, QAction] = {}
        self.themes: dict[str, QAction] = {}
        self._titles: dict[str, QMenu] = {}
        for title, entries in MENUS.items():
            menu = window.menuBar().addMenu(title)
            self._titles[title] = menu
            for entry in entries:
                self._add(window, menu, entry)
        self._add_themes(window, self._titles["&View"])

    def _add(self, window: QMainWindow, menu: QMenu, entry: Entry) -> None:
        if not entry.name:
            menu.addSeparator()
            return
        action = QAction(entry.text, window)
        action.setShortcuts([QKeySequence(key) for key in entry.keys])
        action.setCheckable(entry.checkable)
        action.setStatusTip("")
        menu.addAction(action)
        self.actions[entry.name] = action

    def _add_themes(self, window: QMainWindow, menu: QMenu) -> None:
        themes = menu.addMenu("&Colours")
        group = QActionGroup(window)
        for name, text in THEMES:
            action = QAction(text, window)
            action.setCheckable(True)
            action.setData(name)
            group.addAction(action)
            themes.addAction(action)
            self.themes[name] = action

    def keys(self) -> Keys:
        """Return all actions that have keys, by menu."""
        found: dict[str, list[tuple[str, str]]] = {}
        for title, entries in MENUS.items():
            named = [(plain(entry.text), entry.keys[0]) for entry in entries if entry.keys]
            if named:
                found[plain(title)] = named
        return found


def plain(text: str) -> str:
    """Return a menu's text without mnemonic and dots."""
    return text.replace("&", "").removesuffix("...")
