"""Credentials that people paste: client secrets, API keys, passwords, header values.

Copying often adds a blank, a line break or an invisible character, and a provider then refuses the
credential without saying why. Patchbay refuses it at once, by one rule for all fields. It never repairs a
value: only its owner knows which characters belong to it.
"""

from __future__ import annotations

import re
import unicodedata

from patchbay.schema import MASK

MAX_LENGTH = 4096

# Controls, formats (zero-width characters, the byte order mark, tags), lone surrogates, line and paragraph
# separators; of the spaces only U+0020 is visible as such.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
# Invisible too, though their categories say letter, mark or symbol.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def check(text: str, *, lines: bool = False) -> None:
    """Raises ValueError when a credential is empty or too long, is a mask, or came with blanks or invisible
    characters; the message does not repeat it. With `lines` it may have several lines, as a private key has.
    """
    if text == MASK:
        raise ValueError("is a mask; send the value itself, or leave it out")
    if not text or len(text) > MAX_LENGTH:
        raise ValueError(f"must be a text of 1 to {MAX_LENGTH:,} characters")
    if text != text.strip():
        raise ValueError("begins or ends with a blank or a line break; remove it")
    for character in text:
        if character == " " or (lines and character in "\r\n"):
            continue
        if unicodedata.category(character) in _INVISIBLE or _BLANK.match(character):
            raise ValueError(f"contains an invisible character, U+{ord(character):04X}; remove it")
