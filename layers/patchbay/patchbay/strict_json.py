"""JSON as Patchbay accepts it: UTF-8, no NaN or infinity, no duplicate keys, at most 32 levels deep.

It refuses texts that two parsers could read differently (RFC 8259, section 4, leaves duplicate keys open),
and values that could not be written out again (lone surrogates).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from patchbay import compact_json
from patchbay.errors import MalformedJson

MAX_DEPTH = 32
# Python's bound (sys.int_info.default_max_str_digits): to convert more takes quadratic time.
_MAX_DIGITS = 4300
_TOO_LONG = f"A whole number has more than {_MAX_DIGITS} digits"


def loads(raw: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text. Raises MalformedJson, saying where."""
    try:
        text = raw.decode("utf-8")
        if text.startswith("\ufeff"):
            raise MalformedJson("The body begins with a BOM; send UTF-8 without one.")
        value = (_decode_minus_zero if "-0" in text else _decode)(text)
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
        reason = _TOO_LONG if str(error).startswith("Exceeds the limit") else str(error)
        raise MalformedJson(f"{reason}.") from None
    _check_depth(value, max_depth)
    return value


def loads_each(raw: bytes, name: str) -> Any:
    """Like `loads`, but a MalformedJson takes the place of a faulty item of the list `name`, and the other
    items stay. Raises MalformedJson if the text is not JSON at all, or has a fault outside of that list.
    """
    try:
        return loads(raw)
    except MalformedJson as refused:
        try:
            value = lenient(raw.decode("utf-8"))
        except ValueError:
            raise refused from None
        if not isinstance(value, dict) or not isinstance(value.get(name), list):
            raise
    _check({**value, name: []}, MAX_DEPTH)
    # An item is two levels down, and may be as deep as a separate body.
    return {**value, name: [_checked(item) for item in value[name]]}


def lenient(text: str) -> Any:
    """The value of a text that is JSON but that `loads` refuses. A part without a value is a `Fault`; a part
    that is nested too deep to read is null. Raises ValueError if the text is not JSON.
    """
    try:
        return _decode_lenient(text)
    except RecursionError:
        return _decode_lenient(_pruned(text))


class Fault:
    """Takes the place of a part of a JSON text that Patchbay does not accept."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _checked(item: Any) -> Any:
    try:
        _check(item, MAX_DEPTH)
    except MalformedJson as problem:
        return problem
    return item


def _check(value: Any, max_depth: int) -> None:
    """Raises MalformedJson for a value that `loads` would have refused."""
    left = [value]
    for entry in left:  # which grows
        if isinstance(entry, Fault):
            raise MalformedJson(f"{entry.reason}.")
        if isinstance(entry, dict):
            left.extend(entry.values())
        elif isinstance(entry, list):
            left.extend(entry)
    _check_depth(value, max_depth)
    try:
        _check_unicode(value)
    except ValueError as error:
        raise MalformedJson(f"{error}.") from None


def _check_unicode(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("A string contains half of a surrogate pair") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError(_twice(pairs))
    return value


def _twice(pairs: list[tuple[str, Any]]) -> str:
    twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return f"The key {twice[:100]!r} appears twice in one object"


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=compact_json.read_float
).decode
_decode_minus_zero = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_float=compact_json.read_float,
    parse_int=compact_json.read_int,
).decode


def _lenient_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        value[""] = Fault(_twice(pairs))
    return value


def _lenient_constant(name: str) -> Fault:
    return Fault(f"{name} is not JSON")


def _lenient_float(text: str) -> Any:
    try:
        return compact_json.read_float(text)
    except ValueError as error:
        return Fault(str(error))


def _lenient_int(text: str) -> Any:
    if len(text.lstrip("-")) > _MAX_DIGITS:
        return Fault(_TOO_LONG)
    return compact_json.read_int(text)


_decode_lenient = json.JSONDecoder(
    object_pairs_hook=_lenient_object,
    parse_constant=_lenient_constant,
    parse_float=_lenient_float,
    parse_int=_lenient_int,
).decode

# A string without its closing quote is a token too: looking for that quote from each quote would take
# quadratic time.
_TOKEN = re.compile(r'(?P<string>"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+)(?P<closed>")?|[\[\]{}]')


def _pruned(text: str) -> str:
    """A JSON text with null in place of parts that are nested too deep to accept."""
    kept: list[str] = []
    depth = done = 0
    too_deep = MAX_DEPTH + 4
    for token in _TOKEN.finditer(text):
        if token["string"]:
            if not token["closed"]:
                raise ValueError("not JSON: a string does not end")
        elif token[0] in "[{":
            depth += 1
            if depth == too_deep:
                kept.append(text[done : token.start()])
        else:
            if depth == too_deep:
                kept.append("null")
                done = token.end()
            depth -= 1
    if depth:
        raise ValueError("not JSON: its brackets do not match")
    return "".join([*kept, text[done:]])


def _check_depth(value: Any, most: int) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
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
    return MalformedJson(f"It is nested deeper than {MAX_DEPTH} levels.")
