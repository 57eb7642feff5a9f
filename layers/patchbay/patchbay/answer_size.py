"""How large an answer may be.

If the response of a Lambda function has more than 6 MB (6,291,556 bytes) as JSON, the invocation fails and
the process ends: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html. The body of an HTTP
answer is a string in that JSON, so its quotes, backslashes and control characters are escaped once more.

A single row of a table (400 KB) always fits: at worst each of its bytes is a control character, which takes
seven bytes. So a list always has room for one item, and only answers that are made of many rows need a bound.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from patchbay.api_model import to_json

# The limit for a body, as `sent` counts it. The rest of the 6 MB is for headers.
MAX_BYTES = 5 * 1024 * 1024
# One character takes at most two escapes of six bytes, as half of a surrogate pair each.
_MOST_BYTES_A_CHARACTER = 12
# For the rest of a list's answer: the cursor and the field names.
_FRAME_BYTES = 8 * 1024

Answer = TypeVar("Answer", bound=BaseModel)


@runtime_checkable
class Divisible(Protocol):
    """An answer that is a list and may have fewer items than the caller asked for."""

    def parts(self) -> Sequence[Any]:
        """Its items, in order."""

    def first(self, count: int) -> Any:
        """The answer with only its first `count` items, and with the cursor of the rest if it has one."""


def sent(body: str) -> int:
    """How many bytes an HTTP body takes in the response of a function, at most: runtimes before Python 3.12
    escape everything that is not ASCII, later ones send UTF-8, which is shorter.
    """
    return len(json.dumps(body))


def fits(body: str) -> bool:
    """Whether an HTTP body is within the limit. Short bodies, which most are, need no measurement."""
    return len(body) * _MOST_BYTES_A_CHARACTER <= MAX_BYTES or sent(body) <= MAX_BYTES


def of(model: BaseModel) -> int:
    """How many bytes a model takes in the response of a function, at most."""
    return sent(to_json(model))


def fitting(answer: Answer) -> str:
    """An answer as JSON. A list that is too large has as many items as fit, and at least one."""
    body = to_json(answer)
    if fits(body) or not isinstance(answer, Divisible):
        return body
    room, count = MAX_BYTES - _FRAME_BYTES, 0
    for part in answer.parts():
        room -= of(part)
        if room < 0:
            break
        count += 1
    shorter: BaseModel = answer.first(max(count, 1))
    return to_json(shorter)
