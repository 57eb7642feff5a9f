"""Reading the body of a provider's answer by its content: pure.

RFC 6749 asks for JSON in UTF-8. Servers also send forms, text/plain, other charsets, byte order marks, XML
and JSONP, often without naming them in Content-Type. An answer that holds a token must not be lost because of
that: the code is spent, and a refresh token may be used up.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, unquote_plus

from patchbay.api_model import MASK

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Charsets that a body may be declared in; Python also knows transforms and slow codecs by name.
_CHARSETS = re.compile(
    r"iso8859-\d+|cp125\d|cp932|cp949|koi8-[ru]|mac-roman|shift_jis|euc_(jp|kr)|gb2312|gbk|gb18030|big5"
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_FORM = re.compile(r"[\w.%\[\]-]{1,100}=[^&<>{}]*(&[\w.%\[\]-]{1,100}=[^&<>{}]*)*&?")
_JSONP = re.compile(r"[A-Za-z_$][\w.$]{0,100}\(\s*(\{.*\})\s*\)\s*;?", re.DOTALL)
_LEAF = re.compile(r"<([A-Za-z_][\w.-]{0,100})>([^<&]*)</\1>")
# With a digit in it, it could be a token.
_RUN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
_MAX_FIELDS = 200
_MAX_NUMBER = 64
_MAX_WORDS = 300


def parse(content: bytes, content_type: str | None = None) -> Any:
    """The content of a body: a JSON value, or a mapping of texts for a form, flat XML or a few plain words
    (`message`, with possible tokens masked). An empty body is an empty mapping; an HTML page or an unreadable
    body is None.
    """
    text = _decoded(content, content_type)
    return None if text is None else _read(text.strip().strip("\x00\ufeff").strip())


def _read(text: str) -> Any:
    if not text:
        return {}
    jsonp = _JSONP.fullmatch(text)
    try:
        # Not strict: a line break within a description must not cost the token.
        value = json.loads(jsonp[1] if jsonp else text, strict=False, parse_int=_int)
    except (ValueError, RecursionError):
        return _without_json(text)
    if isinstance(value, str):  # JSON within a JSON string
        return value if value == text else _read(value.strip())
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
        return value[0]
    return value


def _without_json(text: str) -> Any:
    if _FORM.fullmatch(text):
        return _form(text)
    if text.startswith("<"):
        is_page = "<html" in text.lower() or "<!doctype html" in text.lower()
        return None if is_page else dict(_LEAF.findall(text)[:_MAX_FIELDS]) or None
    is_words = len(text) <= _MAX_WORDS and not set("{}[]<>") & set(text)
    return {"message": without_tokens(text)} if is_words else None


def without_tokens(text: str) -> str:
    """`text` with a mask for everything in it that could be a token."""
    return _RUN.sub(lambda run: MASK if any(char.isdigit() for char in run[0]) else run[0], text)


def _form(text: str) -> dict[str, str]:
    found = {}
    for pair in text.rstrip("&").split("&")[:_MAX_FIELDS]:
        name, _, value = pair.partition("=")
        name = unquote_plus(name)
        # No token has a space; a plus sign in one was left unencoded.
        found[name] = unquote(value) if name.endswith("token") else unquote_plus(value)
    return found


def _decoded(content: bytes, content_type: str | None) -> str | None:
    """As UTF-8 if possible, whatever is declared (RFC 8259, 8.1). A token is ASCII in all these charsets."""
    for mark, charset in _BOMS:
        if content.startswith(mark):
            return _decode(content[len(mark) :], charset)
    if b"\x00" in content[:4]:
        return _decode(content, json.detect_encoding(content))
    text = _decode(content, "utf-8")
    return (
        text
        if text is not None
        else _decode(content, _declared(content_type)) or content.decode("cp1252", "replace")
    )


def _declared(content_type: str | None) -> str:
    match = _CHARSET.search(content_type or "")
    try:
        name = codecs.lookup(match[1]).name if match else ""
    except LookupError:
        name = ""
    return name if _CHARSETS.fullmatch(name) else "cp1252"


def _decode(content: bytes, charset: str) -> str | None:
    try:
        return content.decode(charset)
    except UnicodeDecodeError:
        return None


def _int(digits: str) -> int | float:
    """A number of any length; Python refuses to read very long ones, and with them the whole answer."""
    return int(digits) if len(digits) <= _MAX_NUMBER else math.inf
