"""Which words differ between texts that stand side by side."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from pythia_gui.ui.values import ShownText, ShownToken

_WORD = re.compile(r"\w+|[^\w\s]|\n", re.UNICODE)

Spans = list[tuple[int, int]]
"""The characters of each word, end excluded."""


def differing_words(columns: Sequence[Sequence[str]]) -> tuple[tuple[bool, ...], ...]:
    """Return for each token of each column whether it belongs to a word that differs.

    A word differs where at least one other column has not the same word in the same place of
    the longest run of words that the two share. All tokens of such a word are marked; the
    space between words belongs to none.
    """
    texts = ["".join(column) for column in columns]
    spans = [[match.span() for match in _WORD.finditer(text)] for text in texts]
    words = [[text[a:b] for a, b in found] for text, found in zip(texts, spans, strict=True)]
    differing = [[False] * len(found) for found in words]
    for one in range(len(words)):
        for other in range(one + 1, len(words)):
            _mark(words[one], words[other], differing[one], differing[other])
    return tuple(
        _tokens_of(column, found, marks)
        for column, found, marks in zip(columns, spans, differing, strict=True)
    )


def with_differences(texts: Sequence[ShownText]) -> tuple[ShownText, ...]:
    """Return `texts` with `differs` set on the tokens of words that differ between them.

    Texts without tokens are left out of the comparison. While one is still being written, the
    others are compared only as far as the shortest goes: what it has not said yet is no
    difference.
    """
    compared = [place for place, text in enumerate(texts) if text.tokens]
    limit = _comparable_length([texts[place] for place in compared])
    columns = [[token.text for token in texts[place].tokens[:limit]] for place in compared]
    marked = list(texts)
    for place, marks in zip(compared, differing_words(columns), strict=True):
        marked[place] = _marked(texts[place], marks)
    return tuple(marked)


def with_changes(texts: Sequence[ShownText]) -> tuple[ShownText, ...]:
    """Return `texts` with `differs` set on the words that their left neighbour has not.

    The first is compared with the second. Texts without tokens are passed over.
    """
    compared = [place for place, text in enumerate(texts) if text.tokens]
    columns = [[token.text for token in texts[place].tokens] for place in compared]
    marked = list(texts)
    for number, place in enumerate(compared):
        other = columns[number - 1] if number else columns[min(1, len(columns) - 1)]
        marked[place] = _marked(texts[place], differing_words([other, columns[number]])[1])
    return tuple(marked)


def _comparable_length(texts: Sequence[ShownText]) -> int | None:
    if any(text.state in ("waiting", "streaming") for text in texts):
        return min(len(text.tokens) for text in texts)
    return None


def _marked(text: ShownText, marks: Sequence[bool]) -> ShownText:
    padded = (*marks, *(False for _ in text.tokens[len(marks) :]))
    if all(token.differs == mark for token, mark in zip(text.tokens, padded, strict=True)):
        return text
    tokens = (
        token if token.differs == mark else _with_mark(token, mark)
        for token, mark in zip(text.tokens, padded, strict=True)
    )
    return replace(text, tokens=tuple(tokens))


def _with_mark(token: ShownToken, mark: bool) -> ShownToken:  # noqa: FBT001
    """Return a token marked or not; `replace` takes five times as long, for each of thousands."""
    return ShownToken(
        token.token_id,
        token.text,
        token.logprob,
        token.rank,
        token.entropy,
        token.sampler_logprob,
        token.choices,
        token.written,
        mark,
    )


def _mark(one: list[str], other: list[str], marks: list[bool], other_marks: list[bool]) -> None:
    """Mark the words of two columns that the other doesn't share."""
    start = _shared_start(one, other)
    pairs = _aligned(one[start:], other[start:])
    shared = {start + a for a, _ in pairs}
    other_shared = {start + b for _, b in pairs}
    for place in range(start, len(one)):
        marks[place] |= place not in shared
    for place in range(start, len(other)):
        other_marks[place] |= place not in other_shared


def _shared_start(one: list[str], other: list[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _aligned(one: list[str], other: list[str]) -> list[tuple[int, int]]:
    """Return the places of a longest common subsequence, last first.

    Bit-parallel (Hyyrö 2004): one Python integer holds a row of the table, so that even two
    texts of 2,048 equal words take milliseconds, where difflib takes seconds.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(one)) - 1
    row, rows = full, []
    for word in other:
        matched = row & places.get(word, 0)
        row = (row + matched | row - matched) & full
        rows.append(row)
    return _traced(rows, len(one))


def _traced(rows: list[int], columns: int) -> list[tuple[int, int]]:
    """Return the matches that the rows of the bit-parallel table stand for, last first."""
    pairs = []
    row, column = len(rows), columns
    while row and column:
        bit = 1 << column - 1
        if rows[row - 1] & bit:
            column -= 1
        elif row > 1 and not rows[row - 2] & bit:
            row -= 1
        else:
            row, column = row - 1, column - 1
            pairs.append((column, row))
    return pairs


def _tokens_of(column: Sequence[str], spans: Spans, differing: Sequence[bool]) -> tuple[bool, ...]:
    """Return for each token whether a word that differs reaches into it."""
    ends = list(accumulate(map(len, column)))
    marks = [False] * len(column)
    token = 0
    for (start, end), differs in zip(spans, differing, strict=True):
        while ends[token] <= start:
            token += 1
        if differs:
            _mark_tokens(marks, ends, token, end)
    return tuple(marks)


def _mark_tokens(marks: list[bool], ends: list[int], token: int, end: int) -> None:
    start = ends[token - 1] if token else 0
    while token < len(ends) and start < end:
        marks[token] = marks[token] or ends[token] > start
        start, token = ends[token], token + 1
