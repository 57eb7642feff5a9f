"""Whether a receiver's answer repeats a header value that its webhook sends: pure.

Debug pages and test servers print the request they received, in any encoding and cut anywhere. So nothing is
searched and replaced: an answer that contains any 8-character piece of a value is not stored at all. A false
alarm costs the reader a look into the receiver's own log.

This finds accidental echoes. A receiver that hides a value on purpose, say by encrypting it, succeeds: the
value was sent to it.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

_PIECE = 8
# A shorter text is not a secret, and nearly every answer contains it.
_SHORTEST = 4
# Nested encodings, such as JSON in JSON in a form field.
_ROUNDS = 4

# Public by their meaning, and often repeated: `accept: application/json`.
_PUBLIC = frozenset({"accept", "accept-language", "cache-control", "pragma", "prefer", "priority"})
# Headers of an answer that tell a time, whose digits would match a short number: seconds, or an HTTP date
# (RFC 9110, 5.6.7).
_CLOCKS = frozenset({"age", "date", "expires", "last-modified"})
_TIME = re.compile(
    r"-?[0-9]{1,10}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}(?::[0-9]{2}){2} GMT"
)
_SCHEMES = frozenset({"apikey", "basic", "bearer", "digest", "token"})
# Texts that answers contain anyway.
_COMMON = (b"https://www.", b"http://www.", b"application/json", b"true", b"false", b"null", b"none")

# Encoders add or replace these: `+` is a blank in forms, backslashes escape, long lines are wrapped, and
# UTF-16 puts a NUL after each character.
_NOT_COMPARED = bytes([*range(0x21), 0x7F, *b"+\\"])
# \x41, \u0041, \u{41}, \U00000041 and %u0041.
_ESCAPE = re.compile(r"(?:(?<!\\)\\++|%)(?:x|u00|u\{|U000000)([0-7][0-9A-Fa-f])\}?")
_CUT_ESCAPE = re.compile(r"(?:(?<!\\)\\++[uUx]?\{?[0-9A-Fa-f]*|%u?[0-9A-Fa-f]*|&#?\w*)\Z")
# A decimal character reference, without leading zeros.
_REFERENCE = re.compile(r"&#(?=[0-9])0*+([0-9]*+)")
# Eight digits are beyond Unicode already.
_REFERENCE_DIGITS = 8
# A word of a value, and whether it is a parameter's name.
_WORD = re.compile(r"""([^\s,;:="]+)(=(?=[^\s=,;]))?""")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{6,}")
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# A byte in a list of numbers, as programs print buffers.
_NUMBER = re.compile(r"\b(?:0x[0-9A-Fa-f]{1,2}|0|[1-9][0-9]{0,2})\b")
_HEX = re.compile(rb"[0-9a-f]{8,}")


def repeats(headers: Mapping[str, str], answer: str, *, cut: bool = False) -> bool:
    """Whether `answer` contains a piece of a value of `headers`, in the clear or in a common encoding. For an
    answer that was `cut` off: also whether it ends with the first characters of a value.
    """
    secrets = _Secrets.of(headers)
    if not secrets.pieces:
        return False
    plain = _decoded(answer)
    if any(secrets.are_in(view) for view in _views(answer, plain)):
        return True
    return cut and any(
        secrets.begin_at_the_end_of(_folded(text))
        for text in (answer, plain, _decoded(_CUT_ESCAPE.sub("", answer[-1024:])))
    )


def comparable(headers: Mapping[str, str], body: str) -> str:
    """The text of an answer for `repeats`: its headers, names in lower case, and its body, without times."""
    head = (
        f"{name}: {value}"
        for name, value in headers.items()
        if name not in _CLOCKS or not _TIME.fullmatch(value)
    )
    return "\n".join([*head, "", body])


@dataclass(slots=True)
class _Secrets:
    """What an answer must not contain, folded: pieces by length, and the first characters of each word."""

    pieces: dict[int, set[bytes]] = field(default_factory=dict)
    starts: set[bytes] = field(default_factory=set)

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> _Secrets:
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
                start = _folded(form)[: _PIECE - 1]
                self.starts.update(start[:length] for length in range(_SHORTEST, len(start) + 1))

    def _add_pieces(self, text: str) -> None:
        for at in range(max(len(text) - _PIECE, 0) + 1):
            piece = _folded(text[at : at + _PIECE])
            if len(piece) >= _SHORTEST and not any(piece in common for common in _COMMON):
                self.pieces.setdefault(len(piece), set()).add(piece)

    def are_in(self, view: bytes) -> bool:
        return any(
            view[at : at + length] in pieces
            for length, pieces in self.pieces.items()
            for at in range(len(view) - length + 1)
        )

    def begin_at_the_end_of(self, view: bytes) -> bool:
        return any(view[-length:] in self.starts for length in range(_SHORTEST, _PIECE))


def _texts(name: str, value: str) -> Iterator[str]:
    """A header's value without its scheme; for Basic, also the user name and password in it."""
    scheme, _, rest = value.strip().partition(" ")
    if not rest or (name.lower() != "authorization" and scheme.lower() not in _SCHEMES):
        yield value.strip()
        return
    yield rest.strip()
    if scheme.lower() == "basic":
        yield _from_base64(rest.encode("ascii", "ignore")).decode("utf-8", "replace")


def _forms(text: str) -> set[str]:
    """A value as sent, and as `_decoded` changes it if it happens to contain escapes."""
    return {text, _decoded(text)}


def _views(answer: str, plain: str) -> Iterator[bytes]:
    """The answer as received, and without each encoding; folded."""
    yield (folded := _folded(answer))
    if plain != answer:
        folded = _folded(plain)
        yield folded
    for text in _from_runs_of_base64(plain):
        yield _folded(_decoded(text))
        for inner in _from_runs_of_base64(text):
            yield _folded(_decoded(inner))
    yield _folded(_decoded("".join(chr(int(number, 0)) for number in _NUMBER.findall(plain))))
    digits = _HEX.findall(folded.replace(b":", b""))
    for start in range(2):
        pairs = (run[start : len(run) - (len(run) - start) % 2] for run in digits)
        yield _folded(b" ".join(map(binascii.unhexlify, pairs)).decode("latin-1"))


def _from_runs_of_base64(text: str) -> Iterator[str]:
    """What the runs of base64 in `text` hold, once for each place where their groups of four may begin: the
    text before a value shifts its encoding.
    """
    packed = "".join(text.replace("\\", "").split()).encode("ascii", "ignore").translate(_FROM_URL_SAFE)
    runs = _BASE64.findall(packed)
    for start in range(4):
        yield b" ".join(_from_base64(run[start:]) for run in runs).decode("latin-1")


def _decoded(text: str) -> str:
    """`text` without the escapes of JSON and programming languages, URLs and HTML, also nested ones."""
    for _ in range(_ROUNDS):
        before = text
        text = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
        text = html.unescape(_REFERENCE.sub(_shortened, unquote(text)))
        if text == before:
            break
    return text


def _shortened(reference: re.Match[str]) -> str:
    """The same reference with few digits: `html.unescape` raises for thousands of them."""
    return "&#" + (reference[1][:_REFERENCE_DIGITS] or "0")


def _folded(text: str) -> bytes:
    """The form in which texts are compared: visible ASCII, in lower case."""
    return text.encode("ascii", "ignore").translate(None, _NOT_COMPARED).lower()


def _from_base64(text: bytes) -> bytes:
    """The bytes of base64 with or without padding; none if it is not base64."""
    text = text.rstrip(b"=")
    text = text[: len(text) - (len(text) % 4 == 1)]
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        return b""
