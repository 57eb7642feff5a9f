"""Characters that copying adds to a credential are rejected."""

from __future__ import annotations

import unicodedata

import pytest

from patchbay import pasted_credentials
from patchbay.api_model import MASK, check_plain_text

VALID = [
    *("s", "s3cr3t", "Bearer 5f2c 91d0", "pass:wörd ☃", "ключ", "/+=\\\"'%", "x" * 4096),
    *("🎈", MASK + "*", MASK[1:]),
]
# From clipboards, spreadsheets, editors, chats and files.
ADDED_BY_COPYING = {
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


@pytest.mark.parametrize("text", VALID, ids=range(len(VALID)))
def test_credential_as_issued_is_accepted(text: str) -> None:
    pasted_credentials.check(text)


@pytest.mark.parametrize("added", ADDED_BY_COPYING.values(), ids=ADDED_BY_COPYING)
def test_added_characters_are_rejected_without_repeating_the_credential(added: str) -> None:
    for text in (f"s3cr3t{added}", f"{added}s3cr3t", added):
        for multiline in (False, True):
            with pytest.raises(ValueError, match=r"starts or ends with|invisible character") as raised:
                pasted_credentials.check(text, multiline=multiline)
            assert "s3cr3t" not in str(raised.value)
    if added != " ":
        with pytest.raises(ValueError, match="invisible character"):
            pasted_credentials.check(f"s3c{added}r3t")


@pytest.mark.parametrize("text", ["", "x" * 4097, MASK])
def test_empty_long_or_masked_value_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"1 to 4,096 characters|is a mask"):
        pasted_credentials.check(text)


PEM = "-----BEGIN PRIVATE KEY-----\r\nMIIE\n-----END PRIVATE KEY-----"
FILES = [PEM, f"{PEM}\n", f"{PEM}\r\n", '{\n\t"a": "b",\n\t"c": "d"\n}\n']


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
def test_key_file_is_accepted_only_as_multiline(text: str) -> None:
    pasted_credentials.check(text, multiline=True)
    with pytest.raises(ValueError, match=r"U\+000|line break"):
        pasted_credentials.check(text)


@pytest.mark.parametrize(
    "wrong", [f"{PEM}\n\n", f"{PEM} \n", f"\n{PEM}", f"{PEM}\r", f"{PEM}\n\t", f"{PEM}\n\ufeff"]
)
def test_key_file_ends_with_at_most_one_line_break(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"starts or ends with|invisible character"):
        pasted_credentials.check(wrong, multiline=True)


# Unicode format characters that have a glyph or shape their neighbors.
VISIBLE_FORMATS = {*map(chr, [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD])} | {
    *map(chr, range(0x13430, 0x13440))
}


def test_names_and_credentials_reject_same_invisible_characters() -> None:
    for character in map(chr, range(0x110000)):
        if (
            unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
            and character not in VISIBLE_FORMATS
        ):
            for check in (check_plain_text, pasted_credentials.check):
                with pytest.raises(ValueError, match="invisible"):
                    check(f"a{character}b")
