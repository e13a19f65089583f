"""Making characters visible that would otherwise hide, move or merge what stands beside them.

Text of models is data: controls, bidirectional overrides and invisible characters are shown,
never stripped, and real right-to-left text is left alone.
"""

import re
import unicodedata
from typing import Final

SPACE: Final = "\u2423"  # ␣
RETURN: Final = "\u21b5"  # ↵
_LOST_SPACES: Final = re.compile(r"^ +| +$| {2,}", re.MULTILINE)
_TAB: Final = "\u21e5"  # ⇥
_HIDDEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_JOINERS: Final = "\u200c\u200d"
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")


def is_hidden(char: str) -> bool:
    """Tell whether a character can't be seen, or changes how its neighbours are shown."""
    if char == " " or (char.isascii() and char.isprintable()):
        return False
    category = unicodedata.category(char)
    return category in _HIDDEN or category == "Zs" or char in _INVISIBLE


def mark_of(char: str) -> str:
    """Return what stands for a hidden character: `↵`, `⇥` or its number, such as `‹U+202E›`."""
    return {"\n": RETURN, "\t": _TAB}.get(char) or f"‹U+{ord(char):04X}›"


def reveal(text: str) -> str:
    """Return `text` with every hidden character spelled; plain spaces stay as they are."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        mark_of(char) if is_hidden(char) and not _joins(text, place) else char
        for place, char in enumerate(text)
    )


def with_lost_spaces(text: str) -> str:
    """Return `text`, as long as it was, with those spaces drawn that nobody would see.

    They are the ones at a line's beginning or end, and two or more in a row.
    """
    return _LOST_SPACES.sub(lambda run: SPACE * len(run[0]), text)


def reveal_token(text: str) -> str:
    """Return a token or target for a list: all that hides in it visible; `""` if empty."""
    return reveal(with_lost_spaces(text)) or '""'


def name_of(char: str) -> str:
    """Return a hidden character's name for a person: `U+202E right-to-left override`."""
    return f"U+{ord(char):04X} {unicodedata.name(char, 'control character').lower()}"


def hidden_names(text: str) -> tuple[str, ...]:
    """Return the names of the hidden characters of `text`, each once, line breaks left out."""
    found = [char for char in dict.fromkeys(text) if char != "\n" and is_hidden(char)]
    return tuple(name_of(char) for char in found if not _joins(text, text.index(char)))


def _joins(text: str, place: int) -> bool:
    """Tell whether a joiner does its work between two letters or emoji of other scripts."""
    if text[place] not in _JOINERS or not 0 < place < len(text) - 1:
        return False
    return not (text[place - 1].isascii() or text[place + 1].isascii())
