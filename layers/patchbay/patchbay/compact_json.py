"""JSON as it is stored and sent: no whitespace, non-ASCII text unescaped, numbers as they were written.

A Python float loses its notation: `1.10` becomes `1.1`, and digits beyond the 17th are lost. Where that
matters, a number is read as a `LiteralFloat` (or as `NegativeZero`), which compares and calculates like any
other number, and `dumps` writes it back character by character.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable
from typing import Any

from patchbay.errors import PayloadTooLarge, ValidationFailed


class LiteralFloat(float):
    """A float that keeps its JSON text."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> LiteralFloat:
        number = super().__new__(cls, text)
        number.text = str(text)
        return number


class NegativeZero(int):
    """`-0`, which is an integer in JSON and 0 in Python."""

    text = "-0"


def read_float(text: str) -> float:
    """For `parse_float`. Raises ValueError for a number outside the range of a float."""
    number = float(text)
    if repr(number) == text:
        return number
    if not math.isfinite(number):
        raise ValueError("A number is too large")
    return LiteralFloat(text)


def read_int(text: str) -> int:
    """For `parse_int`, only in texts with a `-0`: the hook makes reading integers several times slower."""
    return NegativeZero() if text == "-0" else int(text)


_read = json.JSONDecoder(parse_float=read_float).decode
_read_negative_zero = json.JSONDecoder(parse_float=read_float, parse_int=read_int).decode


def loads(text: str) -> Any:
    """Parse JSON that Patchbay wrote; `strict_json` parses callers' JSON. Raises ValueError."""
    try:
        return _read_negative_zero(text) if "-0" in text else _read(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_dump_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def dumps(value: object) -> str:
    """`value` as compact JSON. Raises TypeError or ValueError for values that JSON cannot represent."""
    return _dump_with(_dump, value)


def canonical(value: object) -> str:
    """JSON that is the same for equal values, regardless of the order of their fields. For digests."""
    return _dump_with(_dump_sorted, value)


def size(value: object) -> int:
    """The size of `value` in bytes, as compact JSON in UTF-8."""
    return len(dumps(value).encode())


def check_size(name: str, value: object, max_bytes: int) -> None:
    """Raises PayloadTooLarge if `value` (the field `name`) has more than `max_bytes` bytes as JSON, and
    ValidationFailed if JSON cannot represent it.
    """
    try:
        actual = size(value)
    except (TypeError, ValueError, RecursionError):  # only from callers in our own process
        raise ValidationFailed.for_field(name, "must contain only JSON values") from None
    if actual > max_bytes:
        raise PayloadTooLarge(f"{name} has {actual} bytes as JSON; the maximum is {max_bytes}.")


def to_builtin_numbers(value: Any) -> Any:
    """`value` with plain ints and floats, for code that checks exact types. May return `value` itself."""
    if not _has_literals(value):
        return value
    return _replace_literals(value, lambda number: float(number) if isinstance(number, float) else 0)


class RawFragments:
    """Inserts JSON fragments into a JSON text unchanged: `placeholder` returns a string to serialize in a
    fragment's place, and `insert` replaces it with the fragment. Placeholders cannot be guessed, so nothing
    in the data can pass for one.
    """

    def __init__(self) -> None:
        self._token = secrets.token_hex(8)
        self._fragments: list[str] = []

    def placeholder(self, fragment: str) -> str:
        self._fragments.append(fragment)
        return f"{self._token}.{len(self._fragments) - 1}"

    def insert(self, text: str) -> str:
        if not self._fragments:
            return text
        first, *rest = text.split(f'"{self._token}.')
        pieces = [first]
        for part in rest:
            index, _, after = part.partition('"')
            pieces += [self._fragments[int(index)], after]
        return "".join(pieces)


def _dump_with(dump: Callable[[object], str], value: object) -> str:
    if not _has_literals(value):
        return dump(value)
    # The C encoder writes every kind of float with float.__repr__.
    fragments = RawFragments()
    return fragments.insert(dump(_replace_literals(value, lambda number: fragments.placeholder(number.text))))


def _has_literals(value: object) -> bool:
    """Whether `value` contains a number that keeps its text. The walk costs a fraction of serialization."""
    pending: list[Any] = [value]
    for entry in pending:  # grows in the loop
        kind = type(entry)
        if kind is dict:
            pending.extend(entry.values())
        elif kind is list:
            pending.extend(entry)
        elif kind is LiteralFloat or kind is NegativeZero:
            return True
    return False


def _replace_literals(value: Any, replacement: Callable[[LiteralFloat | NegativeZero], object]) -> Any:
    if isinstance(value, dict):
        return {name: _replace_literals(entry, replacement) for name, entry in value.items()}
    if isinstance(value, list):
        return [_replace_literals(entry, replacement) for entry in value]
    return replacement(value) if isinstance(value, LiteralFloat | NegativeZero) else value
