"""The RateLimits table: one row for each limited ID, which TTL deletes after its windows have expired."""

from __future__ import annotations

from collections.abc import Iterator

from patchbay.rate_limits.sliding_window import Update
from patchbay.settings import settings
from patchbay.storage import dynamo


def count(row_id: str, update: Update, *, keep_until_ms: int) -> dynamo.Row:
    """Apply `update` and return the attributes that it changed. Raises dynamo.ConditionFailed with the row.

    TTL deletes the row some time after `keep_until_ms`, when its counts must have expired.
    """
    return dynamo.update(
        settings().rate_limits_table,
        {"id": row_id},
        f"SET {update.assignments}, #ttl = :ttl",
        returning="UPDATED_NEW",
        # A workspace that is being erased (see erasure_mark).
        condition=f"{update.condition} AND attribute_not_exists(erasing)",
        names={"#ttl": "ttl"},
        ttl=keep_until_ms // 1000,
        **update.values,
    )


def mark_erasing_action(workspace_id: str, task: str) -> dynamo.TransactItem:
    """Refuse the requests of a workspace. The row must not expire during the erasure."""
    key, names = _requests_key(workspace_id), {"#ttl": "ttl"}
    table = settings().rate_limits_table
    return dynamo.update_action(table, key, "SET erasing = :task REMOVE #ttl", names=names, task=task)


def end_erasure_action(workspace_id: str) -> dynamo.TransactItem:
    return dynamo.delete_action(settings().rate_limits_table, _requests_key(workspace_id))


def scan_workspace(workspace_id: str, after: dynamo.Row | None) -> tuple[list[dynamo.Row], dynamo.Row | None]:
    """A page of the scan for the keys of a workspace's rows, except the one with its mark: see
    `dynamo.scan_page`. Rows of integrations have only the integration's ID, and counts.
    """
    suffix = f"#{workspace_id}"
    rows, last = dynamo.scan_page(
        settings().rate_limits_table, "contains(id, :suffix)", after, attributes=("id",), suffix=suffix
    )
    own = [row for row in rows if row["id"].endswith(suffix) and row != _requests_key(workspace_id)]
    return own, last


def _requests_key(workspace_id: str) -> dynamo.Row:
    return {"id": f"requests#{workspace_id}"}


def list_expired(before_ms: int, part: int, parts: int) -> Iterator[list[str]]:
    """IDs of rows that TTL should have deleted before `before_ms`, from one part of the table, in batches."""
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


def delete_expired(row_id: str, before_ms: int) -> bool:
    """Delete an expired row. Returns False if it was used again or is already deleted."""
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
