"""The RateLimits table: one row per thing that is limited, gone when its windows are over."""

from __future__ import annotations

from collections.abc import Iterator

from patchbay.rate_limits.sliding_window import Update
from patchbay.settings import settings
from patchbay.storage import dynamo


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


def ended(before_ms: int, part: int, parts: int) -> Iterator[list[str]]:
    """Ids of rows that TTL should have deleted before that time; of one part of the table, some at a time."""
    pages = dynamo.scan(
        settings().rate_limits_table,
        "#ttl < :before",
        part,
        parts,
        limit=500,
        names={"#ttl": "ttl"},
        before=before_ms // 1000,
    )
    for rows in pages:
        yield [row["id"] for row in rows]


def delete_ended(row_id: str, before_ms: int) -> bool:
    """Delete such a row. False when it counts again, or is gone."""
    try:
        dynamo.delete(
            settings().rate_limits_table,
            {"id": row_id},
            condition="#ttl < :before",
            names={"#ttl": "ttl"},
            before=before_ms // 1000,
        )
    except dynamo.ConditionFailed:
        return False
    return True
