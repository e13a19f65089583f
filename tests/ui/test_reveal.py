"""Hidden characters are shown, and nothing else is touched."""

import pytest

from pythia_gui.ui.reveal import hidden_names, reveal, reveal_token


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, with spaces", "plain text, with spaces"),
        ("a\nb\tc", "a↵b⇥c"),
        ("\x00\x1b[31m\x7f\x85", "‹U+0000›‹U+001B›[31m‹U+007F›‹U+0085›"),
        ("\u202eevil\u202c\u2066\u2069\u200f", "‹U+202E›evil‹U+202C›‹U+2066›‹U+2069›‹U+200F›"),
        ("\u200b\ufeff\u00ad\u2028\u00a0", "‹U+200B›‹U+FEFF›‹U+00AD›‹U+2028›‹U+00A0›"),
        ("\ud800", "‹U+D800›"),
        ("<b>x</b>&amp;", "<b>x</b>&amp;"),
        ("\ufffd", "\ufffd"),
    ],
)
def test_hidden_characters_are_spelled(text, shown):
    assert reveal(text) == shown


@pytest.mark.parametrize(
    "text", ["مرحبا بالعالم", "שלום", "你好", "naïve", "👩\u200d🚀", "می\u200cخواهم"]
)
def test_real_writing_is_left_alone(text):
    assert reveal(text) == text


def test_a_joiner_with_nothing_to_join_is_shown():
    assert reveal("a\u200db") == "a‹U+200D›b"
    assert reveal("\u200d") == "‹U+200D›"


def test_a_token_in_a_list_shows_its_spaces():
    assert reveal_token("  Paris\n") == "␣␣Paris↵"
    assert reveal_token(" New York ") == "␣New York␣"
    assert reveal_token("") == '""'


def test_hidden_characters_have_names():
    assert hidden_names("a\u202eb\u202e\n") == ("U+202E right-to-left override",)
    assert hidden_names("plain") == ()
