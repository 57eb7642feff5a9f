"""The maximum size of a response.

If the response of a Lambda function has more than 6 MB (6,291,556 bytes) as JSON, the invocation fails and
the process ends: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html. An HTTP body is a
string in that JSON, so its quotes, backslashes and control characters are escaped once more.

A single row of a table (400 KB) always fits: at worst, each of its bytes is a control character, which takes
seven bytes. So a list always has room for one item, and only responses made of many rows need a limit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from patchbay.api_model import to_json

# The limit for a body, as `encoded_size` counts it. The rest of the 6 MB is for headers.
MAX_BYTES = 5 * 1024 * 1024
# One character takes at most two escapes of six bytes, one for each surrogate of a pair.
_MAX_BYTES_PER_CHARACTER = 12
# The size of the rest of a list: the cursor and the field names.
_ENVELOPE_BYTES = 8 * 1024


@runtime_checkable
class Truncatable(Protocol):
    """A response that is a list and may have fewer items than the caller asked for."""

    def parts(self) -> Sequence[BaseModel]:
        """Its items, in order."""

    def first(self, count: int) -> BaseModel:
        """The response with only its first `count` items, and with the cursor of the rest if it has one."""


def encoded_size(body: str) -> int:
    """The maximum bytes that an HTTP body takes in the response of a function: runtimes before Python 3.12
    escape everything that is not ASCII, later ones send UTF-8, which is shorter.
    """
    return len(json.dumps(body))


def fits(body: str) -> bool:
    """Whether an HTTP body is within the limit. Most bodies are so short that they are not measured."""
    return len(body) * _MAX_BYTES_PER_CHARACTER <= MAX_BYTES or encoded_size(body) <= MAX_BYTES


def model_size(model: BaseModel) -> int:
    """The maximum bytes that a model takes in the response of a function."""
    return encoded_size(to_json(model))


def to_fitting_json(response: BaseModel) -> str:
    """A response as JSON. A list that is too large is truncated to the items that fit, at least one."""
    body = to_json(response)
    if fits(body) or not isinstance(response, Truncatable):
        return body
    room, count = MAX_BYTES - _ENVELOPE_BYTES, 0
    for part in response.parts():
        room -= model_size(part)
        if room < 0:
            break
        count += 1
    return to_json(response.first(max(count, 1)))
