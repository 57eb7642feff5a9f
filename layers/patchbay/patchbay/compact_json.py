"""JSON as it is stored and sent: without blanks, text as it is, and numbers as they were written.

A float forgets how it was written: `1.10` comes out as `1.1`, and digits beyond the 17th are lost. A number
for which that matters is read as a `WrittenFloat` (or a `MinusZero`), which compares and counts like any
other number; `dumps` writes it back character by character.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable
from typing import Any

from patchbay.errors import PayloadTooLarge, ValidationFailed


class WrittenFloat(float):
    """A float that remembers its JSON text."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> WrittenFloat:
        number = super().__new__(cls, text)
        number.text = str(text)
        return number


class MinusZero(int):
    """`-0`: an integer to JSON, and 0 to Python."""

    text = "-0"


def read_float(text: str) -> float:
    """For `parse_float`. Raises ValueError for a number that no float can hold."""
    number = float(text)
    if repr(number) == text:
        return number
    if not math.isfinite(number):
        raise ValueError("A number is too large")
    return WrittenFloat(text)


def read_int(text: str) -> int:
    """For `parse_int`, only for texts with a `-0`: Python reads integers several times faster without it."""
    return MinusZero() if text == "-0" else int(text)


_read = json.JSONDecoder(parse_float=read_float).decode
_read_minus_zero = json.JSONDecoder(parse_float=read_float, parse_int=read_int).decode


def loads(text: str) -> Any:
    """The value of JSON that Patchbay wrote; `strict_json` reads the JSON of others. Raises ValueError."""
    try:
        return _read_minus_zero(text) if "-0" in text else _read(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_dump_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def dumps(value: Any) -> str:
    """`value` as compact JSON. Raises TypeError or ValueError for values that JSON does not have."""
    return _dumped(_dump, value)


def canonical(value: Any) -> str:
    """The same text for the same value, whatever the order of its fields: for digests."""
    return _dumped(_dump_sorted, value)


def size(value: Any) -> int:
    """How many bytes `value` has as compact JSON in UTF-8."""
    return len(dumps(value).encode())


def check_size(name: str, value: Any, most: int) -> None:
    """Raises PayloadTooLarge when `value`, a field of that name, has more bytes than `most`, and
    ValidationFailed when it cannot be written as JSON.
    """
    try:
        found = size(value)
    except (TypeError, ValueError, RecursionError):  # only from callers in our own process
        raise ValidationFailed.of(name, "must contain only JSON values") from None
    if found > most:
        raise PayloadTooLarge(f"{name} has {found} bytes as JSON; {most} are the most.")


def plain(value: Any) -> Any:
    """`value` with ordinary numbers, for code that checks exact types; the same object if all are."""
    if not _has_written(value):
        return value
    return _mapped(value, lambda number: float(number) if isinstance(number, float) else 0)


class Splice:
    """Puts texts into a JSON text as they are: `hold` returns a string to write in a text's place, and `fill`
    replaces it with the text. The strings cannot be guessed, so nothing in the data can pass for one.
    """

    def __init__(self) -> None:
        self._token = secrets.token_hex(8)
        self._texts: list[str] = []

    def hold(self, text: str) -> str:
        self._texts.append(text)
        return f"{self._token}.{len(self._texts) - 1}"

    def fill(self, text: str) -> str:
        if not self._texts:
            return text
        first, *rest = text.split(f'"{self._token}.')
        filled = [first]
        for part in rest:
            place, _, after = part.partition('"')
            filled += [self._texts[int(place)], after]
        return "".join(filled)


def _dumped(dump: Callable[[Any], str], value: Any) -> str:
    if not _has_written(value):
        return dump(value)
    # The C encoder writes every kind of float with float.__repr__.
    splice = Splice()
    return splice.fill(dump(_mapped(value, lambda number: splice.hold(number.text))))


def _has_written(value: Any) -> bool:
    """Whether a number in it remembers its text. A walk costs a fraction of writing the value."""
    left = [value]
    for entry in left:  # grows in the loop
        kind = type(entry)
        if kind is dict:
            left.extend(entry.values())
        elif kind is list:
            left.extend(entry)
        elif kind is WrittenFloat or kind is MinusZero:
            return True
    return False


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _mapped(entry, change) for name, entry in value.items()}
    if isinstance(value, list):
        return [_mapped(entry, change) for entry in value]
    return change(value) if isinstance(value, WrittenFloat | MinusZero) else value
