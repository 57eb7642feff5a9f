"""JSON as we take it: UTF-8, no NaN or infinity, no duplicate keys, at most 32 levels deep.

What two parsers could read differently is refused (RFC 8259, section 4, leaves duplicate keys open), and
so is what could not be written out again (lone surrogates).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from patchbay.errors import MalformedJson

MAX_DEPTH = 32


def loads(raw: bytes) -> Any:
    """The value of a JSON text. Raises MalformedJson, saying where."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
        )
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise MalformedJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise _too_deep() from None
    except UnicodeEncodeError:
        raise MalformedJson("A text holds half of a surrogate pair.") from None
    except UnicodeDecodeError:
        raise MalformedJson("The body is not UTF-8.") from None
    except ValueError as error:
        raise MalformedJson(f"{error}.") from None
    _check_depth(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"The key {twice[:100]!r} stands twice in one object")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("A number is too large")
    return number


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
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
    return MalformedJson(f"The body is nested deeper than {MAX_DEPTH} levels.")
