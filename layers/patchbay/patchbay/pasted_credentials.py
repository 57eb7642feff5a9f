"""Credentials that people paste: client secrets, API keys, passwords, header values.

Copying often adds a space, a line break or an invisible character, and a provider then rejects the credential
without saying why. Patchbay rejects it immediately, by the same rule for all fields. It never repairs a
value: only its owner knows which characters belong to it.
"""

from __future__ import annotations

import re

from pydantic import JsonValue

from patchbay.api_model import MASK
from patchbay.invisible import INVISIBLE

MAX_LENGTH = 4096
# The part of `check` that JSON Schema can express in every dialect of regular expressions. Only `check` knows
# all invisible characters.
SCHEMA: dict[str, JsonValue] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_LENGTH,
    "pattern": r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$",
    "not": {"const": MASK},
}

_LINE_END = re.compile(r"\r?\n\Z")


def check(text: str, *, multiline: bool = False) -> None:
    """Raises ValueError for a credential that is empty or too long, is a mask, has spaces or line breaks
    around it, or contains invisible characters. The message does not repeat the credential. With `multiline`,
    it may have several lines, like a private key or a JSON key file. These may contain tabs and end with one
    line break.
    """
    if text == MASK:
        raise ValueError("is a masked value; send the actual value, or omit it")
    if not text or len(text) > MAX_LENGTH:
        raise ValueError(f"must have 1 to {MAX_LENGTH:,} characters")
    has_lines = multiline and len(text.splitlines()) > 1
    body = _LINE_END.sub("", text) if has_lines else text
    if body != body.strip():
        raise ValueError("starts or ends with a space or a line break; remove it")
    for match in INVISIBLE.finditer(text):
        if not has_lines or match[0] not in "\t\r\n":
            raise ValueError(f"contains an invisible character, U+{ord(match[0]):04X}; remove it")
