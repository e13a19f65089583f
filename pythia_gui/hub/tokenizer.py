"""Text to token ids and back; the only place that imports `tokenizers`."""

import codecs
import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import tokenizers

from pythia_gui.core.fingerprint import CheckpointError, read_limited
from pythia_gui.core.library import PromptError
from pythia_gui.core.requests import Target
from pythia_gui.core.steps import shown

LIMIT_BYTES = 64 << 20
END_OF_TEXT = "<|endoftext|>"


class Tokenizer:
    """A checkpoint's tokenizer, read from its tokenizer.json.

    transformers' AutoTokenizer is not used: it brings torch, and where tokenizer_config.json
    leaves room it silently builds another tokenizer.
    """

    def __init__(self, file: Path) -> None:
        """Read `file`.

        Raises:
            CheckpointError: it is missing, too large or damaged.
        """
        data = read_limited(file, LIMIT_BYTES)
        try:
            self._inner = tokenizers.Tokenizer.from_str(data.decode("utf-8"))
        except Exception as problem:  # tokenizers raises plain Exception for a damaged file
            raise CheckpointError(f"{file} is not a usable tokenizer.json") from problem
        self._inner.no_truncation()
        self._inner.no_padding()
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.size = 1 + max(self._inner.get_vocab(with_added_tokens=True).values(), default=-1)
        self.end_of_text = self._inner.token_to_id(END_OF_TEXT)
        self._added = {i: t.content for i, t in self._inner.get_added_tokens_decoder().items()}
        self._unknown = self._inner.token_to_id("<|unk|>")
        parts = (self._inner.decoder, self._inner.pre_tokenizer)
        self._characters_are_bytes = any("ByteLevel" in repr(part) for part in parts)

    def encode(self, text: str, *, special_tokens: bool = False) -> tuple[int, ...]:
        """Return the token ids of `text`; nothing is added to it.

        Special-token strings such as `<|endoftext|>` are plain text unless `special_tokens`.

        Raises:
            PromptError: the text holds lone surrogates, which no encoding has.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as problem:
            raise PromptError(
                f"character {problem.start + 1} is half of a character (a lone surrogate) and "
                "can't be encoded; type it again"
            ) from problem
        self._inner.encode_special_tokens = not special_tokens
        return tuple(self._inner.encode(text, add_special_tokens=False).ids)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of `token_ids`; bytes that form no character become U+FFFD."""
        return b"".join(map(self.token_bytes, token_ids)).decode("utf-8", "replace")

    def token_bytes(self, token_id: int) -> bytes:
        """Return the UTF-8 bytes a token stands for; none for an id the tokenizer lacks."""
        if token_id in self._added:
            return self._added[token_id].encode()
        token = self._inner.id_to_token(token_id)
        if token is None:
            return b""
        table = _byte_of_character()
        if self._characters_are_bytes and all(character in table for character in token):
            return bytes(table[character] for character in token)
        return bytes(token.encode())

    def token_text(self, token_id: int) -> str:
        """Return how one token reads by itself; what is no whole character, as `<0xNN>`."""
        data = self.token_bytes(token_id)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return "".join(f"<0x{byte:02X}>" for byte in data)

    def pieces(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return how each token reads in its place; joined they are `decode(token_ids)`."""
        stream = TextStream(self)
        texts = [stream.add(token_id) for token_id in token_ids]
        if texts:
            texts[-1] += stream.end()
        return tuple(texts)

    def unknown_characters(self, text: str) -> str:
        """Return the distinct characters of `text` that this tokenizer has no token for."""
        if self._unknown is None or self._unknown not in self.encode(text):
            return ""
        distinct = dict.fromkeys(text)
        return "".join(c for c in distinct if self._unknown in self.encode(c))

    def encode_target(self, prompt: str, text: str, *, special_tokens: bool = False) -> Target:
        """Encode `text` as an ending of `prompt`.

        As lm-evaluation-harness's `_encode_pair` does: the prompt's trailing spaces move to
        the target, both are encoded as one text, and what follows the prompt's own tokens is
        the target; where the two merge at their border, the prompt's own tokens stay before it.
        An empty prompt starts from `<|endoftext|>`.

        Raises:
            PromptError: the target is empty, merges wholly into the prompt, or can't be encoded.
        """
        if not text:
            raise PromptError("a target must not be empty")
        bare = prompt.rstrip()
        ending = prompt[len(bare) :] + text
        whole = self.encode(bare + ending, special_tokens=special_tokens)
        context = self.encode(bare, special_tokens=special_tokens)
        token_ids = whole[len(context) :]
        if not token_ids:
            raise PromptError(
                f"the target '{shown(text)}' has no token of its own after this prompt"
            )
        return Target(text, context or self.start_ids(), token_ids)

    def start_ids(self) -> tuple[int, ...]:
        """Return the ids of the explicit start of an empty prompt."""
        if self.end_of_text is None:
            raise PromptError("the prompt is empty and this tokenizer has no <|endoftext|>")
        return (self.end_of_text,)


class TextStream:
    """Turns tokens into text as they come, holding back bytes until a character is whole."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Start with no text."""
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token_id: int) -> str:
        """Return the text that can be shown with this token; empty while half a character."""
        return self._decoder.decode(self._tokenizer.token_bytes(token_id))

    def end(self) -> str:
        """Return U+FFFD for bytes that never became a character, else nothing."""
        return self._decoder.decode(b"", final=True)


@lru_cache(maxsize=1)
def _byte_of_character() -> dict[str, int]:
    """Return GPT-2's reversible table of the characters that stand for bytes.

    Printable bytes stand for themselves, the others for U+0100 and up, in order (Radford et
    al. 2019, encoder.py).
    """
    return dict(_characters_and_bytes())


def _characters_and_bytes() -> Iterator[tuple[str, int]]:
    spare = 0x100
    for byte in range(256):
        if 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xAC or 0xAE <= byte <= 0xFF:
            yield chr(byte), byte
        else:
            yield chr(spare), byte
            spare += 1
