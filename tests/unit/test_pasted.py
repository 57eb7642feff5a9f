"""What copying adds to a credential is refused, by the same rule in every field that takes one."""

from __future__ import annotations

import unicodedata

import pytest

from patchbay import pasted
from patchbay.api_model import MASK, plain

GOOD = [
    *("s", "s3cr3t", "Bearer 5f2c 91d0", "pass:wörd ☃", "ключ", "/+=\\\"'%", "x" * 4096),
    *("🎈", MASK + "*", MASK[1:]),
]
# From clipboards, spreadsheets, editors, chats and files.
ADDED = {
    "a blank": " ",
    "a tab": "\t",
    "a line feed": "\n",
    "a carriage return": "\r\n",
    "a no-break space": "\u00a0",
    "a thin space": "\u2009",
    "an ideographic space": "\u3000",
    "a next line": "\u0085",
    "a line separator": "\u2028",
    "a NUL": "\x00",
    "an escape": "\x1b",
    "a delete": "\x7f",
    "a byte order mark": "\ufeff",
    "a zero-width space": "\u200b",
    "a zero-width joiner": "\u200d",
    "a soft hyphen": "\u00ad",
    "a word joiner": "\u2060",
    "a direction mark": "\u200e",
    "an override of the direction": "\u202e",
    "a tag": "\U000e0041",
    "a variation selector": "\ufe0f",
    "a Hangul filler": "\u3164",
    "a Braille blank": "\u2800",
    "a lone surrogate": "\ud800",
}


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_a_credential_as_it_was_issued_is_taken(text: str) -> None:
    pasted.check(text)


@pytest.mark.parametrize("added", ADDED.values(), ids=ADDED)
def test_what_copying_adds_is_refused_and_the_credential_not_repeated(added: str) -> None:
    for text in (f"s3cr3t{added}", f"{added}s3cr3t", added):
        for lines in (False, True):
            with pytest.raises(ValueError, match=r"begins or ends with|invisible character") as no:
                pasted.check(text, lines=lines)
            assert "s3cr3t" not in str(no.value)
    if added != " ":
        with pytest.raises(ValueError, match="invisible character"):
            pasted.check(f"s3c{added}r3t")


@pytest.mark.parametrize("text", ["", "x" * 4097, MASK])
def test_what_is_no_credential_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a text|is a mask"):
        pasted.check(text)


PEM = "-----BEGIN PRIVATE KEY-----\r\nMIIE\n-----END PRIVATE KEY-----"
FILES = [PEM, f"{PEM}\n", f"{PEM}\r\n", '{\n\t"a": "b",\n\t"c": "d"\n}\n']


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
def test_a_key_file_may_have_lines_where_that_is_said(text: str) -> None:
    pasted.check(text, lines=True)
    with pytest.raises(ValueError, match=r"U\+000|line break"):
        pasted.check(text)


@pytest.mark.parametrize(
    "wrong", [f"{PEM}\n\n", f"{PEM} \n", f"\n{PEM}", f"{PEM}\r", f"{PEM}\n\t", f"{PEM}\n\ufeff"]
)
def test_a_key_file_ends_with_one_line_break_at_most(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"begins or ends with|invisible character"):
        pasted.check(wrong, lines=True)


# These have a glyph, or shape those of their neighbors, though Unicode counts them among the formats.
SEEN = {*map(chr, [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD])} | {
    *map(chr, range(0x13430, 0x13440))
}


def test_names_and_credentials_refuse_the_same_invisible_characters() -> None:
    for character in map(chr, range(0x110000)):
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in SEEN:
            for check in (plain, pasted.check):
                with pytest.raises(ValueError, match="invisible"):
                    check(f"a{character}b")
