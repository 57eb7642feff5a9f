"""Parses the body of a provider's response according to its content: bytes → value. Pure.

RFC 6749 requires JSON in UTF-8. Servers also send forms, text/plain, other charsets, byte order marks, XML,
and JSONP, often without naming them in Content-Type. A response that holds a token must not be lost because
of that: the code is spent, and a refresh token may be used up.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Mapping
from urllib.parse import unquote, unquote_plus

from patchbay.api_model import MASK

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, because it starts with UTF-16's mark
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The accepted charset declarations. Python's codec registry also has transforms and slow codecs.
_CHARSETS = re.compile(
    r"iso8859-\d+|cp125\d|cp932|cp949|koi8-[ru]|mac-roman|shift_jis|euc_(jp|kr)|gb2312|gbk|gb18030|big5"
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_FORM = re.compile(r"[\w.%\[\]-]{1,100}=[^&<>{}]*(&[\w.%\[\]-]{1,100}=[^&<>{}]*)*&?")
_JSONP = re.compile(r"[A-Za-z_$][\w.$]{0,100}\(\s*(\{.*\})\s*\)\s*;?", re.DOTALL)
_XML_LEAF = re.compile(r"<([A-Za-z_][\w.-]{0,100})>([^<&]*)</\1>")
# A match with a digit could be a token.
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
_MAX_FIELDS = 200
_MAX_DIGITS = 64
_MAX_MESSAGE = 300


def parse(content: bytes, content_type: str | None = None) -> object:
    """Parse a body: a JSON value, or a mapping of strings for a form, flat XML, or a short plain text
    (`message`, with possible tokens masked). An empty body is an empty mapping. An HTML page or an unreadable
    body is None.
    """
    text = _decode_body(content, content_type)
    return None if text is None else _parse_text(text.strip().strip("\x00\ufeff").strip())


def _parse_text(text: str) -> object:
    if not text:
        return {}
    jsonp = _JSONP.fullmatch(text)
    try:
        # Not strict, so that a line break in a description does not lose the token.
        value: object = json.loads(jsonp[1] if jsonp else text, strict=False, parse_int=_parse_int)
    except (ValueError, RecursionError):
        return _parse_non_json(text)
    if isinstance(value, str):  # JSON in a JSON string
        return value if value == text else _parse_text(value.strip())
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
        return value[0]
    return value


def _parse_non_json(text: str) -> dict[str, str] | None:
    if _FORM.fullmatch(text):
        return _parse_form(text)
    if text.startswith("<"):
        is_html = "<html" in text.lower() or "<!doctype html" in text.lower()
        return None if is_html else dict(_XML_LEAF.findall(text)[:_MAX_FIELDS]) or None
    is_message = len(text) <= _MAX_MESSAGE and not set("{}[]<>") & set(text)
    return {"message": mask_tokens(text)} if is_message else None


def mask_tokens(text: str) -> str:
    """`text` with everything that could be a token masked."""
    return _TOKEN_LIKE.sub(lambda match: MASK if any(char.isdigit() for char in match[0]) else match[0], text)


def _parse_form(text: str) -> dict[str, str]:
    fields = {}
    for pair in text.rstrip("&").split("&")[:_MAX_FIELDS]:
        name, _, value = pair.partition("=")
        name = unquote_plus(name)
        # A token has no spaces, so a plus sign in a token is literal.
        fields[name] = unquote(value) if name.endswith("token") else unquote_plus(value)
    return fields


def _decode_body(content: bytes, content_type: str | None) -> str | None:
    """Decode as UTF-8 if possible, whatever charset is declared (RFC 8259, 8.1). A token is ASCII in all
    charsets.
    """
    for bom, charset in _BOMS:
        if content.startswith(bom):
            return _decode(content[len(bom) :], charset)
    if b"\x00" in content[:4]:
        return _decode(content, json.detect_encoding(content))
    text = _decode(content, "utf-8")
    if text is not None:
        return text
    return _decode(content, _declared_charset(content_type)) or content.decode("cp1252", "replace")


def _declared_charset(content_type: str | None) -> str:
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


def _parse_int(digits: str) -> int | float:
    """A number of any length. Python rejects very long integers, and with them the whole response."""
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf
