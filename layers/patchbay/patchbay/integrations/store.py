"""The integrations table.

Key: workspaceId, sk. In a workspace's partition:
    int_…                 an integration; `connectionCount` is the number of its connections
    count                 the numbers of the workspace's integrations and connections
In partitions that no workspace can have (their names contain a `#`):
    #marketplace  int_…           the listings: snapshots that the platform approved
    #reviews      int_…           integrations that wait for a review
    #installs#<int_…>  <ws>#<int_…>   the copies of a public integration
    #tasks        <kind>#<ws>#<int_…>  background work after a change (`oauth.maintenance`)
A deleted row first becomes a tombstone (`deletedAt`), which no read of the API returns; the cleanup that it
needs is a task in #tasks, written in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from patchbay import idempotency
from patchbay.errors import Conflict
from patchbay.ids import IntegrationId
from patchbay.integrations.stored_integration import (
    MarketplaceListing,
    PendingReview,
    StoredIntegration,
    Task,
    TaskKind,
)
from patchbay.settings import settings
from patchbay.storage import dynamo, records
from patchbay.storage.paging import Page

if TYPE_CHECKING:
    from patchbay.api_model import ApiModel
    from patchbay.idempotency import Once

_MARKETPLACE = "#marketplace"
_REVIEWS = "#reviews"
_TASKS = "#tasks"
_COUNT = "count"


class IntegrationChanged(Exception):
    """The row is no longer at the version that was read."""


# ── a workspace's integrations ───────────────────────────────────────────────────────────────────────


def create(
    new: StoredIntegration,
    extra_actions: Sequence[dynamo.TransactItem],
    once: Once | None,
    response: ApiModel,
) -> None:
    """Store a new integration, with `extra_actions` in the same transaction. Raises Conflict at the
    workspace's ceiling.
    """
    table = settings().integrations_table
    actions = [
        dynamo.update_action(
            table,
            {"workspaceId": new.workspace_id, "sk": _COUNT},
            "ADD integrations :one",
            condition="attribute_not_exists(integrations) OR integrations < :most",
            one=1,
            most=settings().max_integrations,
        ),
        dynamo.put_action(table, new.to_row(), condition="attribute_not_exists(sk)"),
        *extra_actions,
    ]
    if new.is_copy:
        actions.append(dynamo.put_action(table, _install_key(new)))
    idempotency_actions = [once.complete_action(response)] if once else []
    try:
        dynamo.transact([*actions, *idempotency_actions])
    except dynamo.TransactionCanceled as refused:
        if 0 in refused.failed:
            raise Conflict(
                f"This workspace has {settings().max_integrations} integrations, which is its limit. Delete "
                "one first."
            ) from None
        raise idempotency.request_in_progress() from None


def get(workspace_id: str, id: IntegrationId) -> StoredIntegration | None:
    """Strongly consistent. None for a tombstone too."""
    integration = get_with_deleted(workspace_id, id)
    return None if integration is None or integration.deleted_at is not None else integration


def get_many(workspace_id: str, ids: Sequence[IntegrationId]) -> list[StoredIntegration]:
    """Like `get`, for several IDs in one call; those that do not exist are left out."""
    rows = dynamo.batch_get([(settings().integrations_table, key(workspace_id, id)) for id in ids])
    found = (StoredIntegration.from_row(row) for row in rows if row is not None)
    return [integration for integration in found if integration.deleted_at is None]


def exists(workspace_id: str, id: IntegrationId) -> bool:
    return get(workspace_id, id) is not None


def get_with_deleted(workspace_id: str, id: IntegrationId) -> StoredIntegration | None:
    """Like `get`, but returns tombstones too."""
    row = dynamo.get(settings().integrations_table, key(workspace_id, id))
    return None if row is None else StoredIntegration.from_row(row)


def key(workspace_id: str, id: IntegrationId) -> dynamo.Row:
    return {"workspaceId": workspace_id, "sk": id}


def list_integrations(
    workspace_id: str,
    *,
    type: str | None,
    status: str | None,
    provider: str | None,
    limit: int,
    cursor: str | None,
) -> Page[StoredIntegration]:
    """Integrations, newest first."""
    filters = {"type": type, "status": status, "provider": provider}
    values = {name: value for name, value in filters.items() if value is not None}
    page = dynamo.page(
        dynamo.PageQuery(
            settings().integrations_table,
            partition=("workspaceId", workspace_id),
            sort_range=("sk", *IntegrationId.range(None, None)),
            limit=limit,
            cursor=cursor,
            filter=" AND ".join(
                ["attribute_not_exists(deletedAt)", *(f"#{name} = :{name}" for name in values)]
            ),
            names={f"#{name}": name for name in values},
            values=values,
        )
    )
    return page.map(StoredIntegration.from_row)


def iter_integrations(workspace_id: str) -> Iterator[StoredIntegration]:
    """Every integration of a workspace; strongly consistent."""
    rows = dynamo.query(
        settings().integrations_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        workspace=workspace_id,
        prefix=f"{IntegrationId.prefix}_",
    )
    for row in rows:
        if "deletedAt" not in row:
            yield StoredIntegration.from_row(row)


def update(
    old: StoredIntegration, new: StoredIntegration, extra_actions: Sequence[dynamo.TransactItem]
) -> StoredIntegration:
    """Write the attributes that differ, with `extra_actions` in the same transaction. Raises
    IntegrationChanged if the row is no longer at the version of `old`.

    Connections change `connectionCount` without a new version. A change of the client requires the count that
    was read, because the caller's right to make it depends on that count.
    """
    new = replace(new, version=old.version + 1)
    before, after = old.to_row(), new.to_row()
    changed = {
        name: value for name, value in after.items() if value is not None and value != before.get(name)
    }
    removed = [name for name in before if before[name] is not None and after[name] is None]
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in changed)
    if removed:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in removed)
    condition = "version = :known AND attribute_not_exists(deletedAt)"
    required: dict[str, int] = {"known": old.version}
    if new.generation != old.generation:
        condition += " AND connectionCount = :connections"
        required["connections"] = old.connection_count
    action = dynamo.update_action(
        settings().integrations_table,
        key(old.workspace_id, old.id),
        expression,
        condition=condition,
        names={f"#{name}": name for name in [*changed, *removed]},
        **required,
        **changed,
    )
    try:
        dynamo.transact([action, *extra_actions])
    except dynamo.TransactionCanceled:
        raise IntegrationChanged from None
    return new


def delete(old: StoredIntegration, now: int, extra_actions: Sequence[dynamo.TransactItem]) -> None:
    """Replace an integration with a tombstone, subtract it from the workspace's count, and add its cleanup
    task, with `extra_actions` in the same transaction. Raises IntegrationChanged.
    """
    table = settings().integrations_table
    actions = [
        dynamo.update_action(
            table,
            key(old.workspace_id, old.id),
            "SET deletedAt = :now ADD version :one",
            condition="version = :known AND attribute_not_exists(deletedAt)",
            known=old.version,
            now=now,
            one=1,
        ),
        dynamo.update_action(
            table, {"workspaceId": old.workspace_id, "sk": _COUNT}, "ADD integrations :less", less=-1
        ),
        add_task_action(Task("remove", old.workspace_id, old.id)),
        delete_listing_action(old.id),
        finish_review_action(old.id),
        *extra_actions,
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionCanceled:
        raise IntegrationChanged from None


def set_error(
    workspace_id: str,
    id: IntegrationId,
    reason: str,
    now: int,
    extra_actions: Sequence[dynamo.TransactItem] = (),
) -> None:
    """Set a copy's status to ERROR for a reason at its source, with `extra_actions` in the same transaction.
    Nothing is written if it already has that status and reason.
    """
    action = dynamo.update_action(
        settings().integrations_table,
        key(workspace_id, id),
        "SET #status = :error, statusReason = :reason, updatedAt = :now ADD version :one",
        names={"#status": "status"},
        condition="attribute_exists(sk) AND attribute_not_exists(deletedAt) AND "
        "(#status <> :error OR attribute_not_exists(statusReason) OR statusReason <> :reason)",
        error="ERROR",
        reason=reason,
        now=now,
        one=1,
    )
    with suppress(dynamo.TransactionCanceled):
        dynamo.transact([action, *extra_actions])


def remove_tombstone(deleted: StoredIntegration) -> None:
    """Remove a tombstone. Its row in #installs is removed first: without the tombstone, nothing would lead to
    that row.
    """
    if deleted.is_copy:
        dynamo.delete(settings().integrations_table, _install_key(deleted))
    dynamo.delete(settings().integrations_table, key(deleted.workspace_id, deleted.id))


# ── counts of connections ────────────────────────────────────────────────────────────────────────────


def count_connection_action(
    workspace_id: str, id: IntegrationId, by: Literal[1, 0], generation: int
) -> dynamo.TransactItem:
    """Add a connection to its integration's count, if the integration exists and still has the connection's
    client. With `by` 0, the action only checks that.
    """
    return dynamo.update_action(
        settings().integrations_table,
        key(workspace_id, id),
        "ADD connectionCount :by",
        condition="generation = :generation AND attribute_not_exists(deletedAt)",
        by=by,
        generation=generation,
    )


def uncount_connection_action(workspace_id: str, id: IntegrationId) -> dynamo.TransactItem:
    """Subtract a connection from its integration's count."""
    return dynamo.update_action(
        settings().integrations_table,
        key(workspace_id, id),
        "ADD connectionCount :less",
        condition="attribute_exists(sk)",
        less=-1,
    )


def count_workspace_connection_action(
    workspace_id: str, by: Literal[1, -1], *, ceiling: int | None = None
) -> dynamo.TransactItem:
    """Add a connection to its workspace's count, or subtract it. The action fails at the ceiling."""
    below_ceiling = "attribute_not_exists(connections) OR connections < :most"
    return dynamo.update_action(
        settings().integrations_table,
        {"workspaceId": workspace_id, "sk": _COUNT},
        "ADD connections :by",
        condition=None if ceiling is None else below_ceiling,
        names=None,
        by=by,
        **({} if ceiling is None else {"most": ceiling}),
    )


# ── the marketplace ──────────────────────────────────────────────────────────────────────────────────


def get_listing(id: IntegrationId) -> MarketplaceListing | None:
    row = dynamo.get(settings().integrations_table, key(_MARKETPLACE, id))
    return None if row is None else MarketplaceListing.from_row(row)


def list_listings(
    *, type: str | None, provider: str | None, search: str | None, limit: int, cursor: str | None
) -> Page[MarketplaceListing]:
    """The listings, newest first. `search` is part of the name, the description or the provider, ignoring
    case.
    """
    filters = {"type": type, "provider": provider}
    values = {name: value for name, value in filters.items() if value is not None}
    names = {f"#{name}": name for name in values}
    conditions = [f"#{name} = :{name}" for name in values]
    if search:
        conditions.append("contains(searchText, :search)")
        values["search"] = search.casefold()
    page = dynamo.page(
        dynamo.PageQuery(
            settings().integrations_table,
            partition=("workspaceId", _MARKETPLACE),
            sort_range=("sk", *IntegrationId.range(None, None)),
            limit=limit,
            cursor=cursor,
            filter=" AND ".join(conditions) or None,
            names=names,
            values=values,
        )
    )
    return page.map(MarketplaceListing.from_row)


def put_listing_action(listing: MarketplaceListing) -> dynamo.TransactItem:
    row = {
        **records.to_row(listing),
        "workspaceId": _MARKETPLACE,
        "sk": listing.id,
        "searchText": search_text(listing.name, listing.description, listing.provider),
    }
    return dynamo.put_action(settings().integrations_table, row)


def search_text(*texts: str) -> str:
    return "\n".join(texts).casefold()


def delete_listing_action(id: IntegrationId) -> dynamo.TransactItem:
    return dynamo.delete_action(settings().integrations_table, key(_MARKETPLACE, id))


def request_review_action(workspace_id: str, id: IntegrationId, now: int) -> dynamo.TransactItem:
    row = {"workspaceId": _REVIEWS, "sk": id, "publisherWorkspaceId": workspace_id, "since": now}
    return dynamo.put_action(settings().integrations_table, row)


def finish_review_action(id: IntegrationId) -> dynamo.TransactItem:
    return dynamo.delete_action(settings().integrations_table, key(_REVIEWS, id))


def pending_reviews() -> Iterator[PendingReview]:
    """The integrations that wait for a review, in the order of their IDs."""
    for row in dynamo.query(settings().integrations_table, "workspaceId = :reviews", reviews=_REVIEWS):
        yield _pending_review(row)


def get_pending_review(id: IntegrationId) -> PendingReview | None:
    row = dynamo.get(settings().integrations_table, key(_REVIEWS, id))
    return None if row is None else _pending_review(row)


def page_pending_reviews(limit: int, cursor: str | None) -> Page[PendingReview]:
    """The integrations that wait for a review, newest integration first."""
    return _page_shared(_REVIEWS, limit, cursor).map(_pending_review)


def page_listings(limit: int, cursor: str | None) -> Page[MarketplaceListing]:
    """All listings, newest first."""
    return _page_shared(_MARKETPLACE, limit, cursor).map(MarketplaceListing.from_row)


def _page_shared(partition: str, limit: int, cursor: str | None) -> Page[dynamo.Row]:
    """A page of one of the partitions that no workspace can have."""
    return dynamo.page(
        dynamo.PageQuery(
            settings().integrations_table,
            partition=("workspaceId", partition),
            sort_range=("sk", *IntegrationId.range(None, None)),
            limit=limit,
            cursor=cursor,
        )
    )


def _pending_review(row: dynamo.Row) -> PendingReview:
    return PendingReview(row["publisherWorkspaceId"], IntegrationId(row["sk"]), row["since"])


def get_with_listings(
    keys: Sequence[tuple[str, IntegrationId]],
) -> list[tuple[StoredIntegration, MarketplaceListing | None] | None]:
    """For each (workspace, integration), the integration and its listing, at the same position; None if it
    does not exist.
    """
    table = settings().integrations_table
    own = dynamo.batch_get([(table, key(workspace_id, id)) for workspace_id, id in keys])
    listed = dynamo.batch_get([(table, key(_MARKETPLACE, id)) for _, id in keys])
    return [
        None
        if row is None or "deletedAt" in row
        else (
            StoredIntegration.from_row(row),
            None if listing is None else MarketplaceListing.from_row(listing),
        )
        for row, listing in zip(own, listed, strict=True)
    ]


def copies(id: IntegrationId, after: str = "") -> Iterator[tuple[str, IntegrationId]]:
    """(workspace, integration) of each copy of a public integration, in the order of their keys
    `<workspace>#<integration>`, after the key `after`.
    """
    for row in dynamo.query(
        settings().integrations_table,
        "workspaceId = :partition AND sk > :after",
        partition=_install_partition(id),
        after=after or " ",  # a key is not empty, and no workspace ID begins with a space
    ):
        workspace_id, _, copy = row["sk"].rpartition("#")
        yield workspace_id, IntegrationId(copy)


def count_copies(id: IntegrationId, at_most: int) -> int:
    """The number of copies of a public integration, counted up to `at_most`. One call."""
    rows = dynamo.query(
        settings().integrations_table,
        "workspaceId = :partition",
        attributes=("sk",),
        limit=at_most,
        partition=_install_partition(id),
    )
    return sum(1 for _ in rows)


def _install_key(copy: StoredIntegration) -> dynamo.Row:
    return {
        "workspaceId": _install_partition(IntegrationId(copy.installed_from or "")),
        "sk": f"{copy.workspace_id}#{copy.id}",
    }


def _install_partition(id: IntegrationId) -> str:
    return f"#installs#{id}"


def erase(workspace_id: str) -> None:
    """Remove what a workspace has in the partitions of all workspaces: its listings, its requests for
    reviews, its tasks, and the rows of its copies.
    """
    for row in dynamo.query(
        settings().integrations_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        workspace=workspace_id,
        prefix=f"{IntegrationId.prefix}_",
    ):
        integration = StoredIntegration.from_row(row)
        id = integration.id
        kinds: tuple[TaskKind, ...] = ("remove", "expire", "withdraw")
        keys = [key(_MARKETPLACE, id), key(_REVIEWS, id)]
        keys += [_task_key(Task(kind, workspace_id, id)) for kind in kinds]
        if integration.is_copy:
            keys.append(_install_key(integration))
        dynamo.batch_delete(settings().integrations_table, keys)


def workspace_rows(workspace_id: str) -> Iterator[dynamo.Row]:
    """The keys of all rows in a workspace's partition. Those of integrations include tombstones."""
    return dynamo.query(
        settings().integrations_table,
        "workspaceId = :workspace",
        attributes=("workspaceId", "sk"),
        workspace=workspace_id,
    )


def deletions(workspace_id: str) -> Iterator[tuple[IntegrationId, int | None]]:
    """A workspace's integrations, including those whose cleanup is not finished, and when each one was
    deleted (Unix milliseconds), if it was.
    """
    for row in dynamo.query(
        settings().integrations_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        attributes=("sk", "deletedAt"),
        workspace=workspace_id,
        prefix=f"{IntegrationId.prefix}_",
    ):
        yield IntegrationId(row["sk"]), row.get("deletedAt")


# ── background work ──────────────────────────────────────────────────────────────────────────────────


def add_task_action(task: Task) -> dynamo.TransactItem:
    return dynamo.put_action(settings().integrations_table, {**_task_key(task), "mark": task.mark})


def tasks() -> Iterator[Task]:
    for row in dynamo.query(settings().integrations_table, "workspaceId = :tasks", tasks=_TASKS):
        kind, workspace_id, id = row["sk"].split("#")
        yield Task(kind, workspace_id, IntegrationId(id), row["mark"])


def finish_task(task: Task) -> None:
    """Remove a task, unless an equal one was added in the meantime."""
    with suppress(dynamo.ConditionFailed):
        dynamo.delete(
            settings().integrations_table, _task_key(task), condition="mark = :mark", mark=task.mark
        )


def _task_key(task: Task) -> dynamo.Row:
    return {"workspaceId": _TASKS, "sk": f"{task.kind}#{task.workspace_id}#{task.integration_id}"}
