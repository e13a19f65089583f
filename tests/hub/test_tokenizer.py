"""Text and tokens: what goes in comes out, whole characters only, and endings as the harness."""

import json
import time
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pythia_gui.core.fingerprint import CheckpointError
from pythia_gui.core.library import PromptError
from pythia_gui.demo.lexicon import write_tokenizer
from pythia_gui.hub.tokenizer import TextStream, Tokenizer
from tests.small import SIZE, SPECIALS, write_byte_tokenizer

NORMAL = st.text(st.characters(exclude_categories=["Cs"]))
SAMPLES = (
    "Hello, world! It's 5 o'clock, isn't it ?",
    "🤗 👩‍👩‍👧‍👦 🇪🇺 é",
    "你好，世界 こんにちは 안녕하세요",
    "zero\u200bwidth \u202eright-to-left\u202c \ufeff",
    "tabs\tand\r\nlines\x00\x1b[31m\u2028",
    "def f(x):\n        return x\n" + " " * 30 + "end",
    "a\u00a0b \ufdd0 \U0010ffff",
)


@pytest.fixture(scope="module")
def neox(neox_tokenizer_file) -> Tokenizer:
    return Tokenizer(neox_tokenizer_file)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Tokenizer:
    return Tokenizer(write_byte_tokenizer(tmp_path_factory.mktemp("bytes") / "tokenizer.json"))


@pytest.fixture(scope="module", params=["neox", "plain"])
def tokenizer(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("demo")
    write_tokenizer(folder, context=64)
    return Tokenizer(folder / "tokenizer.json")


def streamed(tokenizer: Tokenizer, token_ids: tuple[int, ...]) -> list[str]:
    stream = TextStream(tokenizer)
    return [*(stream.add(token_id) for token_id in token_ids), stream.end()]


# ------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize("text", SAMPLES)
def test_a_text_comes_back_from_its_tokens(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(text=NORMAL)
def test_any_text_comes_back_from_its_bytes(plain, text):
    assert plain.decode(plain.encode(text)) == text


@given(text=NORMAL)
def test_any_text_comes_back_from_pythias_tokens_in_its_composed_form(neox, text):
    """Pythia's tokenizer composes characters (NFC) before anything else."""
    import unicodedata

    assert neox.decode(neox.encode(text)) == unicodedata.normalize("NFC", text)


def test_a_decomposed_character_is_composed_as_in_training(neox):
    assert neox.encode("cafe\u0301") == neox.encode("caf\u00e9")
    assert neox.decode(neox.encode("cafe\u0301")) == "caf\u00e9"


@given(ids=st.lists(st.integers(0, 50_276), max_size=30))
def test_decoding_equals_that_of_the_tokenizers_library(neox, neox_tokenizer_file, ids):
    expected = neox._inner.decode(ids, skip_special_tokens=False)
    assert neox.decode(ids) == expected


@pytest.mark.parametrize("text", SAMPLES)
def test_encoding_equals_that_of_transformers(neox, neox_tokenizer_file, text):
    from transformers import PreTrainedTokenizerFast

    theirs = PreTrainedTokenizerFast(tokenizer_file=str(neox_tokenizer_file))
    assert list(neox.encode(text)) == theirs.encode(text)


def test_the_length_is_that_of_pythias_tokenizer(neox, plain):
    assert neox.size == 50_277
    assert plain.size == SIZE


def test_tokens_of_two_to_twenty_four_spaces_are_tokens_like_others(neox):
    for token_id in range(50_254, 50_277):
        count = 24 - (token_id - 50_254)
        assert neox.token_text(token_id) == " " * count
        assert neox.decode((token_id, token_id)) == " " * (2 * count)


@pytest.mark.parametrize("token_id", [50_277, 50_303, 10**6])
def test_an_id_past_the_length_stands_for_nothing(neox, token_id):
    assert neox.token_bytes(token_id) == b""
    assert neox.token_text(token_id) == ""
    assert neox.decode((token_id,)) == ""


def test_a_million_characters_are_encoded_within_three_seconds(neox):
    for text in ("x" * 1_000_000, "word " * 200_000, " " * 1_000_000):
        start = time.process_time()
        ids = neox.encode(text)
        assert time.process_time() - start < 3
        assert neox.decode(ids) == text


# ----------------------------------------------------------------------------- special tokens


@pytest.mark.parametrize("special", SPECIALS)
def test_the_name_of_a_special_token_is_plain_text(tokenizer, special):
    text = f"a{special}b"
    ids = tokenizer.encode(text)
    assert not {0, 1} & {*ids}
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize(("token_id", "special"), [*enumerate(SPECIALS)])
def test_the_name_of_a_special_token_is_one_when_switched_on(tokenizer, token_id, special):
    on = tokenizer.encode(f"a{special}b", special_tokens=True)
    assert on[1] == token_id
    assert len(on) == 3
    assert tokenizer.decode(on) == f"a{special}b"
    assert tokenizer.encode(f"a{special}b") != on  # the switch does not stick


def test_a_tokenizer_says_which_token_ends_a_text(tokenizer):
    assert tokenizer.end_of_text == 0
    assert tokenizer.start_ids() == (0,)


def test_an_empty_prompt_without_an_end_of_text_token_is_refused(tmp_path):
    bare = Tokenizer(write_byte_tokenizer(tmp_path / "tokenizer.json", specials=("<pad>",)))
    assert bare.end_of_text is None
    with pytest.raises(PromptError, match="the prompt is empty"):
        bare.start_ids()
    with pytest.raises(PromptError, match="the prompt is empty"):
        bare.encode_target("", " a")


@pytest.mark.parametrize("text", ["\ud800", "abc\udfff", "\ude00\ud83d", "a\udcffb"])
def test_half_a_character_is_refused_in_a_sentence(tokenizer, text):
    place = next(n for n, c in enumerate(text) if "\ud800" <= c <= "\udfff") + 1
    with pytest.raises(PromptError, match=f"character {place} is half of a character"):
        tokenizer.encode(text)


# ------------------------------------------------------------------------------ as they come


@given(text=NORMAL)
def test_the_streamed_text_is_the_decoded_text_byte_by_byte(plain, text):
    assert "".join(streamed(plain, plain.encode(text))) == text


@given(ids=st.lists(st.integers(0, 50_276), max_size=40))
def test_the_streamed_text_is_the_decoded_text_of_any_tokens(neox, ids):
    assert "".join(streamed(neox, tuple(ids))) == neox.decode(ids)


@given(ids=st.lists(st.integers(0, SIZE - 1), max_size=12))
def test_the_streamed_text_is_the_decoded_text_of_any_bytes(plain, ids):
    assert "".join(streamed(plain, tuple(ids))) == plain.decode(ids)


@pytest.mark.parametrize("text", SAMPLES)
def test_a_stream_that_ends_anywhere_gives_what_decoding_gives(tokenizer, text):
    ids = tokenizer.encode(text)
    for end in range(len(ids) + 1):
        assert "".join(streamed(tokenizer, ids[:end])) == tokenizer.decode(ids[:end])


@given(text=NORMAL)
def test_a_stream_never_shows_half_a_character(plain, text):
    shown = ""
    stream = TextStream(plain)
    for token_id in plain.encode(text):
        shown += stream.add(token_id)
        assert text.startswith(shown)


def test_an_emoji_of_several_tokens_appears_with_its_last(neox):
    ids = neox.encode("🤗")
    assert len(ids) > 1
    assert streamed(neox, ids) == [*[""] * (len(ids) - 1), "🤗", ""]


def test_a_stream_that_ends_within_a_character_says_so(neox):
    ids = neox.encode("🤗")[:-1]
    assert streamed(neox, ids)[-1] == "\ufffd"
    assert neox.pieces(ids)[-1] == "\ufffd"


@given(ids=st.lists(st.integers(0, SIZE - 1), max_size=12))
def test_the_pieces_of_a_text_join_to_the_text(plain, ids):
    assert len(plain.pieces(ids)) == len(ids)
    assert "".join(plain.pieces(ids)) == plain.decode(ids)


def test_a_token_that_is_no_whole_character_reads_as_its_bytes(neox):
    ids = neox.encode("🤗")
    spelled = "".join(neox.token_text(token_id) for token_id in ids)
    assert spelled == "".join(f"<0x{byte:02X}>" for byte in "🤗".encode())


@pytest.mark.parametrize("text", ["\u200b", "\u202e", "\u00ad"])
def test_an_invisible_character_reads_as_itself_and_not_as_the_letters_of_its_bytes(neox, text):
    """Byte-level tokenizers write U+200B as `âĢĭ`."""
    assert neox.decode(neox.encode(text)) == text


# ------------------------------------------------------------------------ unknown characters


def test_characters_outside_the_demo_lexicon_are_named_once_in_their_order(demo):
    assert demo.unknown_characters("The ñandú café ñ 🤗 naïve") == "ñúé🤗ï"


def test_the_demo_lexicon_knows_all_of_ascii_and_pythia_knows_everything(demo, neox):
    printable = "".join(map(chr, range(32, 127))) + "\n"
    assert demo.unknown_characters(printable) == ""
    assert neox.unknown_characters("ñandú 🤗 \x00") == ""


# ------------------------------------------------------------------------------------ targets


@lru_cache(maxsize=1)
def harness(tokenizer_file):
    """Return lm-evaluation-harness's own model class, its tokenizer set to split specials."""
    from lm_eval.api.model import TemplateLM
    from tokenizers import Tokenizer as Rust

    rust = Rust.from_file(str(tokenizer_file))
    rust.encode_special_tokens = True

    class Harness(TemplateLM):  # type: ignore[misc]  # it ships no types
        eot_token_id = 0

        def __init__(self) -> None:
            """Take no model."""

        def tok_encode(self, string, add_special_tokens=None, **kwargs) -> list[int]:
            return rust.encode(string, add_special_tokens=False).ids

        def _loglikelihood_tokens(self, requests, **kwargs):
            raise NotImplementedError

        def loglikelihood_rolling(self, requests, disable_tqdm=False):
            raise NotImplementedError

        def generate_until(self, requests, disable_tqdm=False):
            raise NotImplementedError

    return Harness()


PAIRS = (
    ("The capital of France is", " Paris"),
    ("The capital of France is ", "Paris"),
    ("The capital of France is   ", " Paris"),
    ("A line\n\n", "Another"),
    ("tab\t", "x"),
    ("hello wor", "lds apart"),
    ("Token", "izations of"),
    ("an emoji 🤗", "🤗"),
    ("half the run of spaces" + " " * 7, " " * 5 + "x"),
    ("nbsp\u00a0", "x"),
    ("<|endoftext|>", "<|padding|> x"),
    ("你", "好"),
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the harness's own imports
@pytest.mark.parametrize(("prompt", "text"), PAIRS)
def test_a_target_is_encoded_as_lm_evaluation_harness_does(neox, neox_tokenizer_file, prompt, text):
    context, continuation = harness(neox_tokenizer_file)._encode_pair(prompt, text)
    target = neox.encode_target(prompt, text)
    assert (list(target.context_ids), list(target.token_ids)) == (context, continuation)
    assert target.text == text


WORDS = st.text("aeiourst \n.,'", max_size=12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the harness's own imports
@given(prompt=WORDS, text=WORDS)
def test_any_target_is_encoded_as_lm_evaluation_harness_does(
    neox, neox_tokenizer_file, prompt, text
):
    if not prompt.strip() or not text:
        return  # the harness has its own rule for an empty context, tested below
    context, continuation = harness(neox_tokenizer_file)._encode_pair(prompt, text)
    if not continuation:
        with pytest.raises(PromptError, match="no token of its own"):
            neox.encode_target(prompt, text)
        return
    target = neox.encode_target(prompt, text)
    assert (list(target.context_ids), list(target.token_ids)) == (context, continuation)


@pytest.mark.parametrize(("prompt", "ending"), [("", "Once"), ("  ", "  Once"), ("\n", "\nOnce")])
def test_a_target_of_an_empty_prompt_starts_from_the_end_of_a_text(neox, prompt, ending):
    target = neox.encode_target(prompt, "Once")
    assert target.context_ids == (0,)
    assert target.token_ids == neox.encode(ending)


def test_an_empty_target_is_refused(neox):
    with pytest.raises(PromptError, match="must not be empty"):
        neox.encode_target("The", "")


def test_a_target_that_merges_into_the_prompt_is_refused_in_a_short_line(neox):
    with pytest.raises(PromptError, match="no token of its own") as caught:
        neox.encode_target("hello wor", "ld")
    assert str(caught.value).isprintable()


def test_special_tokens_of_a_target_are_plain_text_unless_switched_on(neox):
    assert 0 not in neox.encode_target("a", "<|endoftext|>").token_ids
    assert neox.encode_target("a", "<|endoftext|>", special_tokens=True).token_ids == (0,)


# ------------------------------------------------------------------------------ damaged files


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"null",
        b"[" * 1_000_000,
        b"\xff\xfe",
        bytes(1000),
        '{"model": {"type": "BPE"}}'.encode("utf-16"),
        b'{"version": "1.0", "model": {"type": "Canary"}}',
    ],
)
def test_a_damaged_tokenizer_is_refused_in_a_sentence(tmp_path, content):
    file = tmp_path / "tokenizer.json"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is not a usable") as caught:
        Tokenizer(file)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_absurd_size_is_refused_unread(tmp_path):
    with (tmp_path / "tokenizer.json").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(CheckpointError, match="64 MiB"):
        Tokenizer(tmp_path / "tokenizer.json")


def test_a_missing_tokenizer_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="can't be read"):
        Tokenizer(tmp_path / "tokenizer.json")


def test_truncation_and_padding_of_the_file_are_switched_off(tmp_path):
    file = write_byte_tokenizer(tmp_path / "tokenizer.json")
    content = json.loads(file.read_text())
    content["truncation"] = {
        "direction": "Right",
        "max_length": 3,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    content["padding"] = {
        "strategy": {"Fixed": 8},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 1,
        "pad_type_id": 0,
        "pad_token": "<|padding|>",
    }
    file.write_text(json.dumps(content))
    assert len(Tokenizer(file).encode("abcde")) == 5


def test_the_length_reaches_to_the_highest_id_where_ids_have_gaps(tmp_path):
    file = write_byte_tokenizer(tmp_path / "tokenizer.json")
    content = json.loads(file.read_text())
    vocab = content["model"]["vocab"]
    moved = vocab["z"]
    vocab["z"] = 400
    file.write_text(json.dumps(content))
    gappy = Tokenizer(file)
    assert gappy.encode("z") == (400,)
    assert gappy.size == 401
    assert gappy.token_text(moved) == ""


def test_a_tokenizer_of_whole_words_is_not_read_as_bytes(tmp_path):
    """Without a byte-level decoder, `é` is the letter and not the byte E9."""
    from tokenizers import Tokenizer as Rust
    from tokenizers import models, pre_tokenizers

    words = Rust(models.WordLevel({"é": 0, "Ġ": 1, "le": 2, "?": 3}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer(tmp_path / "tokenizer.json")
    assert [tokenizer.token_text(n) for n in range(3)] == ["é", "Ġ", "le"]
