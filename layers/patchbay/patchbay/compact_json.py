"""JSON as it is stored and sent: without blanks, and text as it is."""

from __future__ import annotations

import json
from typing import Any

from patchbay.errors import PayloadTooLarge


def dumps(value: Any) -> str:
    """`value` as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size(value: Any) -> int:
    """How many bytes `value` has as compact JSON in UTF-8."""
    return len(dumps(value).encode())


def check_size(name: str, value: Any, most: int) -> None:
    """Raises PayloadTooLarge when `value`, a field of that name, has more bytes than `most`."""
    found = size(value)
    if found > most:
        raise PayloadTooLarge(f"{name} has {found} bytes as JSON; {most} are the most.")
