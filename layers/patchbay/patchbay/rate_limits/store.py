"""The RateLimits table: one row per thing that is limited, gone when its windows are over."""

from __future__ import annotations

from patchbay import dynamo
from patchbay.rate_limits.sliding_window import Update
from patchbay.settings import settings


def count(row_id: str, update: Update, *, keep_until_ms: int) -> dynamo.Row:
    """Count by `update` and return what it changed. Raises dynamo.ConditionFailed with what stands there.

    TTL deletes the row some time after `keep_until_ms`; by then its counts must mean nothing any
    more.
    """
    return dynamo.update(
        settings().rate_limits_table,
        {"id": row_id},
        f"SET {update.assignments}, #ttl = :ttl",
        returning="UPDATED_NEW",
        condition=update.condition,
        names={"#ttl": "ttl"},
        ttl=keep_until_ms // 1000,
        **update.values,
    )
