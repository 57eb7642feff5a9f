"""Credentials that people paste: client secrets, API keys, passwords, header values.

Copying often adds a blank, a line break or an invisible character, and a provider then refuses the
credential without saying why. Patchbay refuses it at once, by one rule for all fields. It never repairs a
value: only its owner knows which characters belong to it.
"""

from __future__ import annotations

import re

from patchbay.api_model import MASK
from patchbay.invisible import UNSEEN

MAX_LENGTH = 4096

_LINE_END = re.compile(r"\r?\n\Z")


def check(text: str, *, lines: bool = False) -> None:
    """Raises ValueError when a credential is empty or too long, is a mask, or came with blanks or invisible
    characters; the message does not repeat it. With `lines` it may have several lines, as a private key or a
    JSON key file has: these may hold tabs, and end with one line break.
    """
    if text == MASK:
        raise ValueError("is a mask; send the value itself, or leave it out")
    if not text or len(text) > MAX_LENGTH:
        raise ValueError(f"must be a text of 1 to {MAX_LENGTH:,} characters")
    several = lines and len(text.splitlines()) > 1
    body = _LINE_END.sub("", text) if several else text
    if body != body.strip():
        raise ValueError("begins or ends with a blank or a line break; remove it")
    for found in UNSEEN.finditer(text):
        if not several or found[0] not in "\t\r\n":
            raise ValueError(f"contains an invisible character, U+{ord(found[0]):04X}; remove it")
