"""The JSON that Patchbay accepts: UTF-8, no NaN or infinity, no duplicate keys, at most 32 levels deep.

It rejects texts that two parsers could read differently (RFC 8259, section 4, leaves duplicate keys open),
and values that could not be serialized again (lone surrogates).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from patchbay import compact_json
from patchbay.errors import MalformedJson

MAX_DEPTH = 32
# Python's limit (sys.int_info.default_max_str_digits): converting more digits takes quadratic time.
_MAX_DIGITS = 4300
_TOO_MANY_DIGITS = f"An integer has more than {_MAX_DIGITS} digits"


def loads(raw: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Parse a JSON text. Raises MalformedJson with the position of the error."""
    try:
        text = raw.decode("utf-8")
        if text.startswith("\ufeff"):
            raise MalformedJson("The body starts with a byte order mark. Send UTF-8 without one.")
        value = (_decode_negative_zero if "-0" in text else _decode)(text)
        if "\\u" in text:
            _check_unicode(value)
    except json.JSONDecodeError as error:
        raise MalformedJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError:
        raise MalformedJson("The body is not UTF-8.") from None
    except ValueError as error:
        # CPython's own message for a long integer says how to reconfigure Python.
        reason = _TOO_MANY_DIGITS if str(error).startswith("Exceeds the limit") else str(error)
        raise MalformedJson(f"{reason}.") from None
    check_depth(value, max_depth)
    return value


def loads_each(raw: bytes, name: str) -> Any:
    """Like `loads`, but an invalid item of the list `name` becomes a MalformedJson, and the other items stay.
    Raises MalformedJson if the text is not JSON at all, or is invalid outside of that list.
    """
    try:
        return loads(raw)
    except MalformedJson as error:
        try:
            value = loads_leniently(raw.decode("utf-8"))
        except ValueError:
            raise error from None
        if not isinstance(value, dict) or not isinstance(value.get(name), list):
            raise
    _check({**value, name: []}, MAX_DEPTH)
    # An item is two levels down, and can be nested as deeply as a whole body.
    return {**value, name: [_item_or_error(item) for item in value[name]]}


def loads_leniently(text: str) -> Any:
    """Parse a text that is JSON but that `loads` rejects. A part that Patchbay does not accept becomes a
    `Fault`, and one that is nested too deeply to parse becomes null. Raises ValueError if the text is not
    JSON.
    """
    try:
        return _decode_lenient(text)
    except RecursionError:
        return _decode_lenient(_prune(text))


class Fault:
    """Replaces a part of a JSON text that Patchbay does not accept."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _item_or_error(item: object) -> object:
    try:
        _check(item, MAX_DEPTH)
    except MalformedJson as error:
        return error
    return item


def _check(value: object, max_depth: int) -> None:
    """Raises MalformedJson for a value that `loads` would have rejected."""
    pending = [value]
    for entry in pending:  # grows in the loop
        if isinstance(entry, Fault):
            raise MalformedJson(f"{entry.reason}.")
        if isinstance(entry, dict):
            pending.extend(entry.values())
        elif isinstance(entry, list):
            pending.extend(entry)
    check_depth(value, max_depth)
    try:
        _check_unicode(value)
    except ValueError as error:
        raise MalformedJson(f"{error}.") from None


def _check_unicode(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("A string contains a lone surrogate") from None


_Pairs = list[tuple[str, object]]


def _object(pairs: _Pairs) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError(_duplicate_key(pairs))
    return value


def _duplicate_key(pairs: _Pairs) -> str:
    name = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return f"The key {name[:100]!r} appears twice in one object"


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=compact_json.read_float
).decode
_decode_negative_zero = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_float=compact_json.read_float,
    parse_int=compact_json.read_int,
).decode


def _lenient_object(pairs: _Pairs) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        value[""] = Fault(_duplicate_key(pairs))
    return value


def _lenient_constant(name: str) -> Fault:
    return Fault(f"{name} is not JSON")


def _lenient_float(text: str) -> float | Fault:
    try:
        return compact_json.read_float(text)
    except ValueError as error:
        return Fault(str(error))


def _lenient_int(text: str) -> int | Fault:
    if len(text.lstrip("-")) > _MAX_DIGITS:
        return Fault(_TOO_MANY_DIGITS)
    return compact_json.read_int(text)


_decode_lenient = json.JSONDecoder(
    object_pairs_hook=_lenient_object,
    parse_constant=_lenient_constant,
    parse_float=_lenient_float,
    parse_int=_lenient_int,
).decode

# A string without its closing quote is a token too: searching for that quote from each quote would take
# quadratic time.
_TOKEN = re.compile(r'(?P<string>"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+)(?P<closed>")?|[\[\]{}]')


def _prune(text: str) -> str:
    """Replace the parts of a JSON text that are nested too deeply with null."""
    pieces: list[str] = []
    depth = done = 0
    too_deep = MAX_DEPTH + 4
    for token in _TOKEN.finditer(text):
        if token["string"]:
            if not token["closed"]:
                raise ValueError("not JSON: a string does not end")
        elif token[0] in "[{":
            depth += 1
            if depth == too_deep:
                pieces.append(text[done : token.start()])
        else:
            if depth == too_deep:
                pieces.append("null")
                done = token.end()
            depth -= 1
    if depth:
        raise ValueError("not JSON: its brackets do not match")
    return "".join([*pieces, text[done:]])


def check_depth(value: object, max_depth: int = MAX_DEPTH) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(max_depth):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> MalformedJson:
    return MalformedJson(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
