"""The integrations table.

Key: workspaceId, sk. In a workspace's partition:
    int_…                 an integration; `connectionCount` is counted by its connections
    count                 how many integrations the workspace has, and how many connections
In partitions that no workspace can have (their names hold a `#`):
    #marketplace  int_…           what is listed: the snapshot that the platform approved
    #reviews      int_…           what waits for its review
    #installs#<int_…>  <ws>#<int_…>   the copies that were made of it
    #tasks        <kind>#<ws>#<int_…>  what is left to do after a change (`oauth.maintenance`)
A row that is deleted first becomes a tombstone (`deletedAt`), which no one sees; what is left to do for it
stands in #tasks, written in the same transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from patchbay import idempotency
from patchbay.errors import Conflict
from patchbay.ids import IntegrationId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import from_row, to_row

if TYPE_CHECKING:
    from patchbay.api_model import ApiModel
    from patchbay.idempotency import Once

_MARKETPLACE = "#marketplace"
_REVIEWS = "#reviews"
_TASKS = "#tasks"
_COUNT = "count"

# remove: the integration is deleted. expire: its client or its addresses changed. withdraw: the platform has
# taken it back.
TaskKind = Literal["remove", "expire", "withdraw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIntegration:
    """An integration's row. Times in Unix milliseconds; `config` is what may be seen of it, `secrets` the
    ciphertext of the rest; `metadata` is JSON, which DynamoDB's numbers could not hold.

    `generation` counts changes of the client and of the addresses: what belongs to an earlier one is over.
    A copy of a public integration has `source_workspace_id` and `installed_from`, `source_client_id`, the
    client that was reviewed, and in `approved_…` the most that it may ask of that client. (Copies from before
    there were bounds have none: `marketplace.bounded`.) One that the platform has `withdrawn` serves no
    copies.
    """

    workspace_id: str
    id: IntegrationId
    name: str
    type: str
    provider: str | None = None
    description: str
    logo_url: str | None = None
    status: str
    created_by: str
    created_at: int
    updated_at: int
    config: dict[str, Any] = field(default_factory=dict)
    secrets: str | None = field(default=None, repr=False)
    secret_names: Sequence[str] = ()
    scopes: Sequence[str] = ()
    rate_limit_per_hour: int | None = None
    rate_limit_per_day: int | None = None
    is_public: bool = False
    review_status: str | None = None
    publisher_name: str | None = None
    publisher_verified: bool = False
    withdrawn: bool = False
    installed_from: IntegrationId | None = None
    source_workspace_id: str | None = None
    source_client_id: str | None = None
    approved_scopes: Sequence[str] | None = None
    approved_per_hour: int | None = None
    approved_per_day: int | None = None
    metadata: str = "{}"
    status_reason: str | None = None
    generation: int = 1
    version: int = 1
    connection_count: int = 0
    deleted_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketplaceListing:
    """What the marketplace has of a public integration: as it was when the platform approved it. `metadata`
    (JSON) is that of what is built in: a publisher's own is not public.
    """

    id: IntegrationId
    publisher_workspace_id: str
    publisher_name: str | None = None
    publisher_verified: bool
    name: str
    type: str
    provider: str
    description: str
    logo_url: str | None = None
    scopes: Sequence[str]
    client_id: str
    approved_at: int
    approved_version: int
    rate_limit_per_hour: int | None = None
    rate_limit_per_day: int | None = None
    metadata: str = "{}"


@dataclass(frozen=True, slots=True)
class Task:
    """`mark` tells a task from one like it that was added later, which is not done with the first."""

    kind: TaskKind
    workspace_id: str
    integration_id: IntegrationId
    mark: str = field(default_factory=lambda: secrets.token_hex(8))


class IntegrationChanged(Exception):
    """The row is no longer at the version that was read."""


# ── a workspace's integrations ───────────────────────────────────────────────────────────────────────


def create(
    new: StoredIntegration,
    more: Sequence[dynamo.TransactItem],
    once: Once | None,
    answer: ApiModel,
) -> None:
    """Store a new integration, with `more` in the same transaction. Raises Conflict at the ceiling."""
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
        dynamo.put_action(table, _row(new), condition="attribute_not_exists(sk)"),
        *more,
    ]
    if new.source_workspace_id is not None:
        actions.append(_noting_install(new))
    completing = once.completing(answer) if once else []
    try:
        dynamo.transact([*actions, *completing])
    except dynamo.TransactionRefused as refused:
        if 0 in refused.failed:
            raise Conflict(
                f"This workspace has {settings().max_integrations} integrations, its ceiling. "
                "Delete one first."
            ) from None
        raise idempotency.still_running() from None


def get(workspace_id: str, id: IntegrationId) -> StoredIntegration | None:
    """Strongly consistent; None also for one that is deleted and not cleaned up after yet."""
    found = get_with_deleted(workspace_id, id)
    return None if found is None or found.deleted_at is not None else found


def exists(workspace_id: str, id: IntegrationId) -> bool:
    return get(workspace_id, id) is not None


def get_with_deleted(workspace_id: str, id: IntegrationId) -> StoredIntegration | None:
    row = dynamo.get(settings().integrations_table, key(workspace_id, id))
    return None if row is None else of_stored(row)


def key(workspace_id: str, id: IntegrationId) -> dynamo.Row:
    return {"workspaceId": workspace_id, "sk": id}


def page(
    workspace_id: str,
    *,
    type: str | None,
    status: str | None,
    provider: str | None,
    limit: int,
    cursor: str | None,
) -> Page[StoredIntegration]:
    """Integrations, newest first."""
    wanted = {"type": type, "status": status, "provider": provider}
    asked = {name: value for name, value in wanted.items() if value is not None}
    found = dynamo.page(
        settings().integrations_table,
        ("workspaceId", workspace_id),
        ("sk", *IntegrationId.range(None, None)),
        limit=limit,
        cursor=cursor,
        where=" AND ".join(["attribute_not_exists(deletedAt)", *(f"#{name} = :{name}" for name in asked)]),
        names={f"#{name}": name for name in asked},
        **asked,
    )
    return found.map(of_stored)


def replace_with(
    old: StoredIntegration, new: StoredIntegration, more: Sequence[dynamo.TransactItem]
) -> StoredIntegration:
    """Write what differs, with `more` in the same transaction. Raises IntegrationChanged when `old` has changed.

    Only what differs: `connectionCount` counts on beside it. But whether the client may change depends on it.
    """
    new = replace(new, version=old.version + 1)
    before, after = _row(old), _row(new)
    changed = {
        name: value for name, value in after.items() if value is not None and value != before.get(name)
    }
    gone = [name for name in before if before[name] is not None and after[name] is None]
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in changed)
    if gone:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in gone)
    condition = "version = :known AND attribute_not_exists(deletedAt)"
    terms: dict[str, Any] = {"known": old.version}
    if new.generation != old.generation:
        condition += " AND connectionCount = :connections"
        terms["connections"] = old.connection_count
    update = dynamo.update_action(
        settings().integrations_table,
        key(old.workspace_id, old.id),
        expression,
        condition=condition,
        names={f"#{name}": name for name in [*changed, *gone]},
        **terms,
        **changed,
    )
    try:
        dynamo.transact([update, *more])
    except dynamo.TransactionRefused:
        raise IntegrationChanged from None
    return new


def delete(old: StoredIntegration, now: int, more: Sequence[dynamo.TransactItem]) -> None:
    """Make a tombstone of it, counted out, with what is left to do. Raises IntegrationChanged."""
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
        adding_task(Task("remove", old.workspace_id, old.id)),
        dynamo.delete_action(table, key(_MARKETPLACE, old.id)),
        dynamo.delete_action(table, key(_REVIEWS, old.id)),
        *more,
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionRefused:
        raise IntegrationChanged from None


def set_error(
    workspace_id: str,
    id: IntegrationId,
    reason: str,
    now: int,
    more: Sequence[dynamo.TransactItem] = (),
) -> None:
    """Put a copy out of service because of what became of its source, once, with `more` in the same
    transaction.
    """
    update = dynamo.update_action(
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
    with suppress(dynamo.TransactionRefused):
        dynamo.transact([update, *more])


def forget(deleted: StoredIntegration) -> None:
    """Take a tombstone away, and before it the note that it was a copy: without the tombstone nobody would
    know of the note.
    """
    if deleted.source_workspace_id is not None:
        dynamo.delete(settings().integrations_table, _install_key(deleted))
    dynamo.delete(settings().integrations_table, key(deleted.workspace_id, deleted.id))


def counting_connection(
    workspace_id: str, id: IntegrationId, by: Literal[1, 0], generation: int
) -> dynamo.TransactItem:
    """The action that counts a connection in, or only holds it (`by` 0) to the integration's being there with
    the client that the connection was made with.
    """
    return dynamo.update_action(
        settings().integrations_table,
        key(workspace_id, id),
        "ADD connectionCount :by",
        condition="generation = :generation AND attribute_not_exists(deletedAt)",
        by=by,
        generation=generation,
    )


def counting_out(workspace_id: str, id: IntegrationId) -> dynamo.TransactItem:
    """The action that counts a connection out."""
    return dynamo.update_action(
        settings().integrations_table,
        key(workspace_id, id),
        "ADD connectionCount :less",
        condition="attribute_exists(sk)",
        less=-1,
    )


def counting_in_workspace(
    workspace_id: str, by: Literal[1, -1], *, most: int | None = None
) -> dynamo.TransactItem:
    """The action that counts a connection of a workspace in, as far as there are less than `most`, or out."""
    ceiling: dict[str, Any] = {}
    if most is not None:
        condition = "attribute_not_exists(connections) OR connections < :most"
        ceiling = {"condition": condition, "most": most}
    return dynamo.update_action(
        settings().integrations_table,
        {"workspaceId": workspace_id, "sk": _COUNT},
        "ADD connections :by",
        by=by,
        **ceiling,
    )


# ── the marketplace ──────────────────────────────────────────────────────────────────────────────────


def listing(id: IntegrationId) -> MarketplaceListing | None:
    row = dynamo.get(settings().integrations_table, key(_MARKETPLACE, id))
    return None if row is None else _listing(row)


def listings(
    *, type: str | None, search: str | None, limit: int, cursor: str | None
) -> Page[MarketplaceListing]:
    """What is listed, newest first. `search` is looked for in names, descriptions and providers, whatever
    their case.
    """
    tests, values = [], {}
    if type is not None:
        tests.append("#type = :type")
        values["type"] = type
    if search:
        tests.append("contains(searchText, :search)")
        values["search"] = search.casefold()
    found = dynamo.page(
        settings().integrations_table,
        ("workspaceId", _MARKETPLACE),
        ("sk", *IntegrationId.range(None, None)),
        limit=limit,
        cursor=cursor,
        where=" AND ".join(tests) or None,
        names={"#type": "type"} if type is not None else None,
        **values,
    )
    return found.map(_listing)


def listing_action(listing: MarketplaceListing) -> dynamo.TransactItem:
    row = {
        **to_row(listing),
        "workspaceId": _MARKETPLACE,
        "sk": listing.id,
        "searchText": search_text(listing.name, listing.description, listing.provider),
    }
    return dynamo.put_action(settings().integrations_table, row)


def search_text(*texts: str) -> str:
    return "\n".join(texts).casefold()


def unlisting(id: IntegrationId) -> list[dynamo.TransactItem]:
    """The actions that take a public integration out of the marketplace and out of the review."""
    table = settings().integrations_table
    return [
        dynamo.delete_action(table, key(_MARKETPLACE, id)),
        dynamo.delete_action(table, key(_REVIEWS, id)),
    ]


def asking_review(workspace_id: str, id: IntegrationId, now: int) -> dynamo.TransactItem:
    row = {"workspaceId": _REVIEWS, "sk": id, "publisherWorkspaceId": workspace_id, "since": now}
    return dynamo.put_action(settings().integrations_table, row)


def reviewed(id: IntegrationId) -> dynamo.TransactItem:
    return dynamo.delete_action(settings().integrations_table, key(_REVIEWS, id))


def waiting_reviews() -> Iterator[tuple[str, IntegrationId, int]]:
    """(workspace, integration, since) of what waits for the platform's word."""
    for row in dynamo.query(settings().integrations_table, "workspaceId = :reviews", reviews=_REVIEWS):
        yield row["publisherWorkspaceId"], IntegrationId(row["sk"]), row["since"]


def installs(id: IntegrationId) -> Iterator[tuple[str, IntegrationId]]:
    """(workspace, integration) of each copy of a public integration."""
    partition = _installs(id)
    for row in dynamo.query(settings().integrations_table, "workspaceId = :partition", partition=partition):
        workspace_id, _, copy = row["sk"].rpartition("#")
        yield workspace_id, IntegrationId(copy)


def _noting_install(copy: StoredIntegration) -> dynamo.TransactItem:
    return dynamo.put_action(settings().integrations_table, _install_key(copy))


def _install_key(copy: StoredIntegration) -> dynamo.Row:
    return {
        "workspaceId": _installs(IntegrationId(copy.installed_from or "")),
        "sk": f"{copy.workspace_id}#{copy.id}",
    }


def _installs(id: IntegrationId) -> str:
    return f"#installs#{id}"


# ── what is left to do ───────────────────────────────────────────────────────────────────────────────


def adding_task(task: Task) -> dynamo.TransactItem:
    return dynamo.put_action(settings().integrations_table, {**_task_key(task), "mark": task.mark})


def tasks() -> Iterator[Task]:
    for row in dynamo.query(settings().integrations_table, "workspaceId = :tasks", tasks=_TASKS):
        kind, workspace_id, id = row["sk"].split("#")
        yield Task(kind, workspace_id, IntegrationId(id), row["mark"])


def task_done(task: Task) -> None:
    """Take a task away, unless it was added anew since."""
    with suppress(dynamo.ConditionFailed):
        dynamo.delete(
            settings().integrations_table, _task_key(task), condition="mark = :mark", mark=task.mark
        )


def _task_key(task: Task) -> dynamo.Row:
    return {"workspaceId": _TASKS, "sk": f"{task.kind}#{task.workspace_id}#{task.integration_id}"}


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────


def of_stored(row: dynamo.Row) -> StoredIntegration:
    return from_row(StoredIntegration, {**row, "id": row["sk"]})


def _row(integration: StoredIntegration) -> dynamo.Row:
    row = to_row(integration)
    row["sk"] = row.pop("id")
    return row


def _listing(row: dynamo.Row) -> MarketplaceListing:
    return from_row(MarketplaceListing, {**row, "id": row["sk"]})
