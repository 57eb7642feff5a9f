"""How large an answer may be.

A Lambda function whose response has more than 6 MB (6,291,556 bytes) as JSON fails, and its process ends:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html. The body of an HTTP answer is a text
in that JSON, so its quotes, backslashes and control characters are escaped once more.

One row of a table (400 KB) always fits, whatever it holds: at worst each of its bytes is a control character,
which takes seven. So a list always has room for one item, and only what is made of many rows needs a bound.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

# Of a body, as `sent` counts. The rest of the 6 MB is for headers.
MAX_BYTES = 5 * 1024 * 1024
# For what a list has around its items: a cursor, and its field's name.
_FRAME_BYTES = 8 * 1024

Answer = TypeVar("Answer", bound=BaseModel)


@runtime_checkable
class Divisible(Protocol):
    """An answer that is a list, and may have fewer items than were asked for."""

    def parts(self) -> Sequence[Any]:
        """Its items, in order."""

    def first(self, count: int) -> Any:
        """The answer with its first `count` items only, and with the cursor of the others, if it has one."""


def sent(body: str) -> int:
    """The bytes of an HTTP body in the response of a function. Runtimes before Python 3.12 escape all that is
    not ASCII; later ones send fewer bytes.
    """
    return len(json.dumps(body))


def of(model: BaseModel) -> int:
    """The bytes of a model in the response of a function."""
    return sent(model.model_dump_json(by_alias=True))


def fitting(answer: Answer) -> str:
    """An answer as JSON; of a list that is too large, as many items as fit, but at least one."""
    body = answer.model_dump_json(by_alias=True)
    if not isinstance(answer, Divisible) or sent(body) <= MAX_BYTES:
        return body
    room, count = MAX_BYTES - _FRAME_BYTES, 0
    for part in answer.parts():
        room -= of(part)
        if room < 0:
            break
        count += 1
    shorter: BaseModel = answer.first(max(count, 1))
    return shorter.model_dump_json(by_alias=True)
