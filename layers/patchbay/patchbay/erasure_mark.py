"""The mark that stops the work of a workspace that is being erased.

The mark is on three rows that are read or written anyway, so it costs a request no additional call:

    rate limits, `requests#<workspace>`     every request counts there: it gets a 409
    webhooks, `count`                       every fan-out reads it: the event is dropped
    health, `traffic`                       every batch of deliveries reads it: the deliveries are dropped

`erasing` is the ID of the task. When the erasure ends, the first row is deleted, and the other two keep
`erasedAt` (Unix milliseconds) until no earlier message can arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

# SQS keeps a message for 14 days.
KEPT_SECONDS = 15 * 86_400


class ErasureMark(NamedTuple):
    """`task` is the ID of the running erasure, if any; `erased_at` is the time when the last one ended."""

    task: str | None = None
    erased_at: int = 0

    def covers(self, time_ms: int) -> bool:
        """Whether something from this time must be dropped."""
        return self.task is not None or (self.erased_at > 0 and time_ms <= self.erased_at)


NONE = ErasureMark()


def read(row: Mapping[str, Any] | None) -> ErasureMark:
    """The mark of a row."""
    return NONE if row is None else ErasureMark(row.get("erasing"), row.get("erasedAt", 0))


def sent_at(event_ms: int, record: Mapping[str, Any]) -> int:
    """The time of a message in a queue: that of its event or that of the message, whichever is earlier. An
    event from the bus can have any time, and a message gets a new time when it leaves a dead-letter queue.
    """
    sent = record.get("attributes", {}).get("SentTimestamp")
    return event_ms if sent is None else min(event_ms, int(sent))
