"""Detects responses that repeat a value of the webhook's own headers. Pure.

Debug pages and test servers print the request that they received, in any encoding and cut anywhere. So values
are not masked by search and replace: a response that contains any 8-character piece of a value is not stored
at all. After a false positive, the reader has to consult the receiver's own log.

This finds accidental echoes. A receiver that hides a value on purpose, for example by encrypting it,
succeeds: it has received the value.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

_PIECE = 8
# A shorter text is not a secret, and nearly every response contains it.
_SHORTEST = 4
# Nested encodings, such as JSON in JSON in a form field.
_ROUNDS = 4

# Public by nature, and often repeated: `accept: application/json`.
_PUBLIC = frozenset({"accept", "accept-language", "cache-control", "pragma", "prefer", "priority"})
# Response headers with a time, whose digits would match a short number: seconds, or an HTTP date (RFC 9110,
# 5.6.7).
_CLOCKS = frozenset({"age", "date", "expires", "last-modified"})
_TIME = re.compile(
    r"-?[0-9]{1,10}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}(?::[0-9]{2}){2} GMT"
)
_SCHEMES = frozenset({"apikey", "basic", "bearer", "digest", "token"})
# Texts that are common in responses.
_COMMON = (b"https://www.", b"http://www.", b"application/json", b"true", b"false", b"null", b"none")

# Encoders add or replace these: `+` is a space in forms, backslashes escape, long lines are wrapped, and
# UTF-16 puts a NUL after each character.
_NOT_COMPARED = bytes([*range(0x21), 0x7F, *b"+\\"])
# \x41, \u0041, \u{41}, \U00000041 and %u0041.
_ESCAPE = re.compile(r"(?:(?<!\\)\\++|%)(?:x|u00|u\{|U000000)([0-7][0-9A-Fa-f])\}?")
_CUT_ESCAPE = re.compile(r"(?:(?<!\\)\\++[uUx]?\{?[0-9A-Fa-f]*|%u?[0-9A-Fa-f]*|&#?\w*)\Z")
# A decimal character reference, without leading zeros.
_REFERENCE = re.compile(r"&#(?=[0-9])0*+([0-9]*+)")
# Eight digits exceed Unicode.
_REFERENCE_DIGITS = 8
# A word of a value, with the `=` that marks it as the name of a parameter.
_WORD = re.compile(r"""([^\s,;:="]+)(=(?=[^\s=,;]))?""")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{6,}")
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# A byte in a list of numbers, as programs print buffers.
_NUMBER = re.compile(r"\b(?:0x[0-9A-Fa-f]{1,2}|0|[1-9][0-9]{0,2})\b")
_HEX = re.compile(rb"[0-9a-f]{8,}")


def contains_header_value(headers: Mapping[str, str], response: str, *, truncated: bool) -> bool:
    """Whether `response` contains a piece of a value of `headers`, in plain text or in a common encoding. In
    a `truncated` response: also whether it ends with the first characters of a value.
    """
    secrets = _Secrets.from_headers(headers)
    if not secrets.pieces:
        return False
    decoded = _decode(response)
    if any(secrets.occur_in(view) for view in _views(response, decoded)):
        return True
    return truncated and any(
        secrets.start_at_end_of(_fold(text))
        for text in (response, decoded, _decode(_CUT_ESCAPE.sub("", response[-1024:])))
    )


def searchable_text(headers: Mapping[str, str], body: str) -> str:
    """A response for `contains_header_value`: its headers, with lowercase names, and its body. Leaves out
    headers with a time.
    """
    head = (
        f"{name}: {value}"
        for name, value in headers.items()
        if name not in _CLOCKS or not _TIME.fullmatch(value)
    )
    return "\n".join([*head, "", body])


@dataclass(slots=True)
class _Secrets:
    """The texts that a response must not contain, folded: pieces by length, and the start of each word."""

    pieces: dict[int, set[bytes]] = field(default_factory=dict)
    starts: set[bytes] = field(default_factory=set)

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> _Secrets:
        secrets = cls()
        for name, value in headers.items():
            if name.lower() not in _PUBLIC:
                for text in _texts(name, value):
                    secrets._add(text)
        return secrets

    def _add(self, text: str) -> None:
        words = [word for word, is_name in _WORD.findall(text) if not is_name]
        for part in [text, *words]:
            for form in _forms(part):
                if part is text or len(form) < _PIECE:
                    self._add_pieces(form)
                start = _fold(form)[: _PIECE - 1]
                self.starts.update(start[:length] for length in range(_SHORTEST, len(start) + 1))

    def _add_pieces(self, text: str) -> None:
        for index in range(max(len(text) - _PIECE, 0) + 1):
            piece = _fold(text[index : index + _PIECE])
            if len(piece) >= _SHORTEST and not any(piece in common for common in _COMMON):
                self.pieces.setdefault(len(piece), set()).add(piece)

    def occur_in(self, view: bytes) -> bool:
        return any(
            view[index : index + length] in pieces
            for length, pieces in self.pieces.items()
            for index in range(len(view) - length + 1)
        )

    def start_at_end_of(self, view: bytes) -> bool:
        return any(view[-length:] in self.starts for length in range(_SHORTEST, _PIECE))


def _texts(name: str, value: str) -> Iterator[str]:
    """A header's value without its scheme; for Basic, also the username and password in it."""
    scheme, _, rest = value.strip().partition(" ")
    if not rest or (name.lower() != "authorization" and scheme.lower() not in _SCHEMES):
        yield value.strip()
        return
    yield rest.strip()
    if scheme.lower() == "basic":
        yield _decode_base64(rest.encode("ascii", "ignore")).decode("utf-8", "replace")


def _forms(text: str) -> set[str]:
    """A value as sent, and decoded, in case it contains escapes itself."""
    return {text, _decode(text)}


def _views(response: str, decoded: str) -> Iterator[bytes]:
    """The response as received, and with each encoding removed; folded."""
    yield (folded := _fold(response))
    if decoded != response:
        folded = _fold(decoded)
        yield folded
    for text in _decode_base64_runs(decoded):
        yield _fold(_decode(text))
        for inner in _decode_base64_runs(text):
            yield _fold(_decode(inner))
    yield _fold(_decode("".join(chr(int(number, 0)) for number in _NUMBER.findall(decoded))))
    digits = _HEX.findall(folded.replace(b":", b""))
    for start in range(2):
        pairs = (run[start : len(run) - (len(run) - start) % 2] for run in digits)
        yield _fold(b" ".join(map(binascii.unhexlify, pairs)).decode("latin-1"))


def _decode_base64_runs(text: str) -> Iterator[str]:
    """The decoded runs of base64 in `text`, once for each possible start of their groups of four: the text
    before a value shifts its encoding.
    """
    packed = "".join(text.replace("\\", "").split()).encode("ascii", "ignore").translate(_FROM_URL_SAFE)
    runs = _BASE64.findall(packed)
    for start in range(4):
        yield b" ".join(_decode_base64(run[start:]) for run in runs).decode("latin-1")


def _decode(text: str) -> str:
    """`text` without the escapes, including nested ones, of JSON, programming languages, URLs and HTML."""
    for _ in range(_ROUNDS):
        before = text
        text = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
        text = html.unescape(_REFERENCE.sub(_shorten, unquote(text)))
        if text == before:
            break
    return text


def _shorten(reference: re.Match[str]) -> str:
    """Limit the digits of a reference: `html.unescape` raises for thousands of them."""
    return "&#" + (reference[1][:_REFERENCE_DIGITS] or "0")


def _fold(text: str) -> bytes:
    """`text` in the form that is compared: visible ASCII in lowercase."""
    return text.encode("ascii", "ignore").translate(None, _NOT_COMPARED).lower()


def _decode_base64(text: bytes) -> bytes:
    """Decode base64 with or without padding; empty if it is invalid."""
    text = text.rstrip(b"=")
    text = text[: len(text) - (len(text) % 4 == 1)]
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        return b""
