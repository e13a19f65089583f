"""Tokens laid out as flowing text: paragraphs, lines, and where each token stands."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFont, QTextCharFormat, QTextLayout, QTextLine, QTextOption

from pythia_gui.ui.reveal import reveal, with_lost_spaces

LEADING = 1.45
"""Distance of lines, in heights of the font."""

_PARTS = re.compile(r"[^\n]*\n|[^\n]+")
_BREAK = "\u200b"  # lets a line end here, and can't be seen
_LONGEST_WORD = 32  # characters; Qt takes seconds to wrap a word of a hundred thousand
_LONGEST_TOKEN = 400  # characters; tokenizers of language models know none near it
_EMPTY = "\u22ef"  # stands for a token whose character is not complete yet
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff]")

FormatOf = Callable[[int], QTextCharFormat]
"""Gives the format of a token by its number: one object for one look."""


class Fragment(NamedTuple):
    """The part of a token in one paragraph; `start` and `end` count UTF-16 units in it."""

    token: int
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Paragraph:
    """One paragraph, laid out; `top` in pixels from the top of the text.

    `line_tops` (pixels from the paragraph's top) and `line_starts` (UTF-16 units) find a line
    without asking Qt for each.
    """

    text: str
    fragments: list[Fragment]
    layout: QTextLayout
    either_way: bool  # whether some of it runs from right to left
    top: float = 0.0
    height: float = 0.0
    line_tops: list[float] = field(default_factory=list)
    line_starts: list[int] = field(default_factory=list)
    rects: dict[int, list[tuple[int, QRectF]]] = field(default_factory=dict)

    def move_to(self, top: float) -> None:
        """Stand `top` pixels from the top of the text."""
        if top != self.top:
            self.top = top
            self.rects.clear()

    def lines_between(self, top: float, bottom: float) -> range:
        """Return the numbers of the lines that reach into a stretch of the text's height."""
        first = bisect_right(self.line_tops, top - self.top) - 1
        return range(max(first, 0), bisect_right(self.line_tops, bottom - self.top))

    def lines_of(self, fragment: Fragment) -> range:
        """Return the numbers of the lines that a part of a token stands on."""
        first = bisect_right(self.line_starts, fragment.start) - 1
        return range(max(first, 0), bisect_right(self.line_starts, max(fragment.end - 1, 0)))

    def token_rects(self, number: int) -> list[tuple[int, QRectF]]:
        """Return the tokens of one line and where they stand, relative to the text's top."""
        if number not in self.rects:
            self.rects[number] = list(self._measured(self.layout.lineAt(number)))
        return self.rects[number]

    def _measured(self, line: QTextLine) -> Iterator[tuple[int, QRectF]]:
        begin, end = line.textStart(), line.textStart() + line.textLength()
        first = bisect_right(self.fragments, begin, key=lambda part: part.end)
        last = bisect_left(self.fragments, end, key=lambda part: part.start)
        spans_of = _spans_either_way if self.either_way else _spans
        for part in self.fragments[first:last]:
            start, stop = max(part.start, begin), min(part.end, end)
            hanging = stop == end < part.end and not _visible(self.text, start, stop)
            for left, right in spans_of(line, start, stop) if start < stop and not hanging else ():
                top = self.top + line.y()
                yield part.token, QRectF(left, top, right - left, line.height())


def _visible(text: str, first: int, last: int) -> bool:
    """Tell whether a stretch (in UTF-16 units) holds more than blanks at a line's end."""
    if text.isascii():
        return bool(text[first:last].strip(" " + _BREAK))
    units = text.encode("utf-16-le")[2 * first : 2 * last]
    return bool(units.decode("utf-16-le", "replace").strip(" " + _BREAK))


def _spans(line: QTextLine, first: int, last: int) -> list[tuple[float, float]]:
    return [(_x(line, first), _x(line, last))]


def _spans_either_way(line: QTextLine, first: int, last: int) -> list[tuple[float, float]]:
    """Return the stretches of characters that may run from right to left.

    A word and the space before it may stand apart where the direction changes.
    """
    leading, trailing = QTextLine.Edge.Leading, QTextLine.Edge.Trailing
    cells = sorted(
        tuple(sorted((_x(line, place, leading), _x(line, place, trailing))))
        for place in range(first, last)
    )
    spans: list[tuple[float, float]] = []
    for left, right in cells:
        if spans and left <= spans[-1][1] + 0.5:
            spans[-1] = (spans[-1][0], max(right, spans[-1][1]))
        elif right > left:
            spans.append((left, right))
    return spans


def _x(line: QTextLine, place: int, edge: QTextLine.Edge = QTextLine.Edge.Leading) -> float:
    found: object = line.cursorToX(place, edge)  # PySide 6.11 gives (x, place)
    x = found[0] if isinstance(found, tuple) else found
    assert isinstance(x, float)
    return x


def units(text: str) -> int:
    """Return the length of `text` as Qt counts it, in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def shown_texts(texts: Sequence[str]) -> list[str]:
    """Return the texts of tokens with those spaces drawn that nobody would see in the flow."""
    whole = with_lost_spaces("".join(texts))
    shown, start = [], 0
    for text in texts:
        shown.append(whole[start : start + len(text)])
        start += len(text)
    return shown


def paragraphs_of(texts: Sequence[str]) -> list[tuple[str, list[Fragment]]]:
    """Return the paragraphs that tokens make, with the part of each token in each of them.

    A line break is drawn at the end of its paragraph. Words beyond any reading are given
    places to break at, since Qt's time to wrap one grows with the square of its length.
    """
    made: list[tuple[str, list[Fragment]]] = []
    pieces: list[str] = []
    fragments: list[Fragment] = []
    place = unbroken = 0
    for token, text in enumerate(shown_texts(texts)):
        for part in _parts(text):
            shown, length = part.text, part.length
            if unbroken + part.word > _LONGEST_WORD:
                shown, unbroken = _broken(shown, unbroken)
                length = units(shown)
            else:
                unbroken = part.tail if part.spaced else unbroken + part.tail
            pieces.append(shown)
            fragments.append(Fragment(token, place, place := place + length))
            if part.ends_line:
                made.append(("".join(pieces), fragments))
                pieces, fragments, place, unbroken = [], [], 0, 0
    return [*made, ("".join(pieces), fragments)]


class _Part(NamedTuple):
    """A token's text on one line, as it is shown.

    `length` in UTF-16 units; `word` is the longest word and `tail` the last one, in
    characters; `spaced` says whether there is a space at all.
    """

    text: str
    length: int
    word: int
    tail: int
    spaced: bool
    ends_line: bool


@lru_cache(maxsize=8192)
def _parts(text: str) -> tuple[_Part, ...]:
    """Return the lines of a token; the same tokens come again and again."""
    return tuple(_part(part) for part in _PARTS.findall(_shortened(text)) or [_EMPTY])


def _part(raw: str) -> _Part:
    text = reveal(raw)
    words = text.split(" ")
    longest = max(len(word) for word in words)
    return _Part(text, units(text), longest, len(words[-1]), len(words) > 1, raw.endswith("\n"))


def _shortened(text: str) -> str:
    """Return a token's text, its middle left out and counted where it is absurdly long."""
    if len(text) <= _LONGEST_TOKEN:
        return text
    half = _LONGEST_TOKEN // 2
    return f"{text[:half]}‹{len(text) - 2 * half:,} characters more›{text[-half:]}"


def _broken(text: str, unbroken: int) -> tuple[str, int]:
    """Return `text` with places to break at, and how many characters follow the last one."""
    broken, run = [], unbroken
    for char in text:
        run = 0 if char == " " else run + 1
        broken.append(char)
        if run >= _LONGEST_WORD:
            broken.append(_BREAK)
            run = 0
    return "".join(broken), run


def laid_out(
    text: str, fragments: list[Fragment], font: QFont, width: float, format_of: FormatOf
) -> Paragraph:
    """Return a paragraph wrapped at `width` pixels, words broken only where they must."""
    layout = QTextLayout(text, font)
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout.setTextOption(option)
    layout.setCacheEnabled(True)
    layout.setFormats(_format_ranges(text, fragments, format_of))
    paragraph = Paragraph(text, fragments, layout, _RIGHT_TO_LEFT.search(text) is not None)
    layout.beginLayout()
    line = layout.createLine()
    while line.isValid():
        line.setLineWidth(width)
        line.setPosition(QPointF(0.0, paragraph.height))
        paragraph.line_tops.append(paragraph.height)
        paragraph.line_starts.append(line.textStart())
        paragraph.height += line.height() * LEADING
        line = layout.createLine()
    layout.endLayout()
    return paragraph


def _format_ranges(
    text: str, fragments: list[Fragment], format_of: FormatOf
) -> list[QTextLayout.FormatRange]:
    """Return the formats of a paragraph, neighbours of one format joined.

    A token's leading space is not underlined: what is marked is the word.
    """
    ranges: list[QTextLayout.FormatRange] = []
    last: QTextCharFormat | None = None
    plain = text.isascii()
    for fragment in fragments:
        look = format_of(fragment.token)
        lined = plain and look.fontUnderline() and text[fragment.start] == " "
        start = fragment.start + lined
        if look is last and not lined:
            ranges[-1].length += fragment.end - fragment.start
        else:
            found = QTextLayout.FormatRange()
            found.start, found.length = start, fragment.end - start
            found.format = look
            ranges.append(found)
        last = look
    return ranges
