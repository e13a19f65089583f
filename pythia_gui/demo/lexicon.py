"""The fixed lexicon: which words are one token, and how text falls into tokens.

The file `tokenizer.json` is written from here and then frozen: the ids are part of
every trained checkpoint. `encode` is the same rule in the standard library alone;
a test holds the two together.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from pythia_gui.demo import tables
from pythia_gui.demo.documents import LETTERS, LIST_WORDS

END_OF_TEXT: Final = "<|endoftext|>"
SPECIALS: Final = (END_OF_TEXT, "<|padding|>", "<|unk|>")
END_OF_TEXT_ID: Final = 0
UNKNOWN_ID: Final = 2
VOCAB_ROWS: Final = 528
"""Rows of the embedding and output matrices: more than the lexicon has, as in Pythia."""

CHARACTERS: Final = (*map(chr, range(33, 127)), " ", "\n")

FIRST_WORDS: Final = tuple(
    """Once One When After The My It List Task No Yes You Thank Can Look He She They Then
    There So But His Her Seven Nine Four Six Two""".split()
)
"""Words that start a document, a row or a quotation, without a space before."""

MARKS: Final = (',"', '."', '?"', ' "', " ->", " +", " =", " (", " )", " [", " ]")

FUNCTION_WORDS: Final = tuple(
    """the a an and of to in at it is are was were am not but there that they he she him her his
    who had have with for near behind under after because when until very much some my
    their I you can upon""".split()
)
VERBS: Final = tuple(
    """said says named loved love lost looked found saw came share shared play played gave want
    wanted took opened made ate counted went ran slept""".split()
)
OTHER_WORDS: Final = tuple(
    """time little day name birthday together first last friend friends mother father sister
    brother home city capital champion animal Then They It So He She The There That But Her His
    After One""".split()
)


def _words() -> tuple[str, ...]:
    spaced = (
        *FUNCTION_WORDS,
        *VERBS,
        *OTHER_WORDS,
        *LIST_WORDS,
        *LETTERS,
        *(word for pair in tables.SOUNDS for word in pair),
        *(word for pair in tables.COLOURED for word in pair),
        *(job.noun for job in tables.OCCUPATIONS),
        *(name for pair in tables.CAPITALS for name in pair),
        *(word for motto, _ in tables.MOTTOS for word in motto[:-1].split()[1:]),
        *tables.CANARY[:-1].split()[1:],
        *(str(number) for number in range(1, 19)),
    )
    return tuple(
        dict.fromkeys((*MARKS, *FIRST_WORDS, *tables.NAMES, *(f" {word}" for word in spaced)))
    )


WORDS: Final = _words()
TOKENS: Final = (*SPECIALS, *CHARACTERS, *WORDS)
"""The text of every token; its place is its id."""

IDS: Final = {text: number for number, text in enumerate(TOKENS) if number >= len(SPECIALS)}

PIECES: Final = re.compile(
    r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+"
)
"""The GPT-NeoX splitting rule for ASCII text."""


@lru_cache(maxsize=100_000)
def piece_ids(piece: str) -> tuple[int, ...]:
    """Return the ids of one piece: the word's own, or one for every character."""
    if piece in IDS:
        return (IDS[piece],)
    return tuple(IDS.get(character, UNKNOWN_ID) for character in piece)


def encode(text: str) -> list[int]:
    """Return the token ids of ASCII text, without special tokens."""
    return [number for piece in PIECES.findall(text) for number in piece_ids(piece)]


def decode(ids: list[int]) -> str:
    """Return the text of token ids."""
    return "".join(TOKENS[number] for number in ids)


def tokenizer_document() -> dict[str, object]:
    """Return the content of `tokenizer.json`: byte-level BPE without merges.

    Words are found whole (`ignore_merges`); what is not in the lexicon falls into
    characters, and characters outside ASCII into <|unk|>.
    """
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    byte_level["use_regex"] = True
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added_token(number, text) for number, text in enumerate(SPECIALS)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": SPECIALS[UNKNOWN_ID],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {_byte_level(text): number for number, text in enumerate(TOKENS)},
            "merges": [],
        },
    }


def _added_token(number: int, text: str) -> dict[str, object]:
    flags = ("single_word", "lstrip", "rstrip", "normalized")
    return {"id": number, "content": text, **dict.fromkeys(flags, False), "special": True}


def _byte_level(text: str) -> str:
    """Return a token as byte-level BPE writes it: a space is Ġ, a line feed Ċ."""
    return text.replace(" ", "\u0120").replace("\n", "\u010a")


def tokenizer_config(context: int) -> dict[str, object]:
    """Return the content of `tokenizer_config.json`.

    The class must be named: without it transformers rebuilds a GPTNeoXTokenizer from
    the file and every word silently falls into letters.
    """
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "pad_token": SPECIALS[1],
        "unk_token": SPECIALS[2],
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
    }


def write_tokenizer(folder: Path, context: int) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json` into a folder."""
    for name, content in (
        ("tokenizer.json", tokenizer_document()),
        ("tokenizer_config.json", tokenizer_config(context)),
    ):
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
