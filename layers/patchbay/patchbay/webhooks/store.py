"""The webhooks table.

Key: workspaceId, sk. Three kinds of rows:
    whk_…                   a webhook
    sub#<TYPE>#<whk_…>      an *active* webhook's subscription to a type (or `*`), with its
                            filters; so matching an event reads what matches and nothing else
    count                   how many webhooks the workspace has
A webhook and its subscriptions change in one transaction, under the webhook's version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from patchbay import catalogue, dynamo, idempotency
from patchbay.errors import Conflict
from patchbay.ids import WebhookId
from patchbay.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patchbay.idempotency import Once
    from patchbay.schema import ApiModel

_COUNT = "count"


class Subscription(NamedTuple):
    """A match of the type; the filters (as in the API) are still to be asked."""

    webhook_id: WebhookId
    filters: Sequence[Mapping[str, Any]]


class Changed(Exception):
    """The row is no longer at the version that was read."""


def create(row: dynamo.Row, once: Once | None, answer: ApiModel) -> None:
    """Store a new webhook. Raises Conflict at the workspace's ceiling."""
    table = settings().webhooks_table
    actions = [
        dynamo.updating(
            table,
            {"workspaceId": row["workspaceId"], "sk": _COUNT},
            "ADD webhooks :one",
            condition="attribute_not_exists(webhooks) OR webhooks < :most",
            one=1,
            most=settings().max_webhooks,
        ),
        dynamo.putting(table, row, condition="attribute_not_exists(sk)"),
        *_subscribing(row),
    ]
    completing = once.completing(answer) if once else []
    try:
        dynamo.transact([*actions, *completing])
    except dynamo.TransactionRefused as refused:
        if 0 in refused.failed:
            raise Conflict(
                f"This workspace has {settings().max_webhooks} webhooks, its ceiling. Delete one first."
            ) from None
        raise idempotency.still_running() from None


def get(workspace_id: str, id: WebhookId) -> dynamo.Row | None:
    return dynamo.get(settings().webhooks_table, {"workspaceId": workspace_id, "sk": id})


def place(workspace_id: str, id: WebhookId) -> tuple[str, dynamo.Row]:
    """The table and the key of a webhook, to be read along with other rows."""
    return settings().webhooks_table, {"workspaceId": workspace_id, "sk": id}


def page(
    workspace_id: str,
    *,
    status: str | None,
    event_type: str | None,
    limit: int,
    cursor: str | None,
) -> dynamo.Page:
    """Webhooks, newest first."""
    wanted = {"status": status, "eventType": event_type}
    tests = {"status": "#status = :status", "eventType": "contains(events, :eventType)"}
    asked = {name: value for name, value in wanted.items() if value is not None}
    return dynamo.page(
        settings().webhooks_table,
        ("workspaceId", workspace_id),
        ("sk", *WebhookId.range(None, None)),
        limit=limit,
        cursor=cursor,
        where=" AND ".join(tests[name] for name in asked) or None,
        names={"#status": "status"} if status is not None else None,
        **asked,
    )


def all_of(workspace_id: str) -> Iterator[dynamo.Row]:
    """Every webhook of a workspace; the ceiling bounds them."""
    return dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        workspace=workspace_id,
        prefix=f"{WebhookId.prefix}_",
    )


def replace(old: dynamo.Row, new: dynamo.Row, also: Sequence[TransactWriteItemTypeDef] = ()) -> None:
    """Store `new` over `old` with its subscriptions, and with them what is `also` to be written.

    Raises Changed when `old` has changed, Conflict when a condition of `also` does not hold.
    """
    gone = _subscription_keys(old) - _subscription_keys(new)
    actions = [
        dynamo.putting(
            settings().webhooks_table,
            new,
            condition="version = :version",
            version=old["version"],
        ),
        *_subscribing(new),
        *_unsubscribing(new["workspaceId"], gone),
        *also,
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionRefused as refused:
        if 0 in refused.failed:
            raise Changed from None
        raise idempotency.still_running() from None


def delete(row: dynamo.Row) -> None:
    """Remove a webhook with its subscriptions. Raises Changed when the row is no longer as read."""
    table = settings().webhooks_table
    key = {"workspaceId": row["workspaceId"], "sk": row["sk"]}
    actions = [
        dynamo.deleting(table, key, condition="version = :version", version=row["version"]),
        dynamo.updating(
            table,
            {"workspaceId": row["workspaceId"], "sk": _COUNT},
            "ADD webhooks :less",
            less=-1,
        ),
        *_unsubscribing(row["workspaceId"], _subscription_keys(row)),
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionRefused:
        raise Changed from None


def subscriptions(workspace_id: str, event_type: str) -> Iterator[Subscription]:
    """Active subscriptions to a type, those to `*` included. A webhook may come twice."""
    for kind in (event_type, catalogue.ANY):
        prefix = _subscription_key(kind, "")
        for row in dynamo.query(
            settings().webhooks_table,
            "workspaceId = :workspace AND begins_with(sk, :prefix)",
            workspace=workspace_id,
            prefix=prefix,
        ):
            yield Subscription(WebhookId(row["sk"].removeprefix(prefix)), row["filters"])


def _subscription_key(event_type: str, id: str) -> str:
    return f"sub#{event_type}#{id}"


def _subscription_keys(row: dynamo.Row) -> set[str]:
    """The sort keys of a webhook's subscriptions: none unless it is active."""
    if row["status"] != "ACTIVE":
        return set()
    return {_subscription_key(event, row["sk"]) for event in row["events"]}


def _subscribing(row: dynamo.Row) -> list[TransactWriteItemTypeDef]:
    return [
        dynamo.putting(
            settings().webhooks_table,
            {"workspaceId": row["workspaceId"], "sk": key, "filters": row["filters"]},
        )
        for key in sorted(_subscription_keys(row))
    ]


def _unsubscribing(workspace_id: str, keys: set[str]) -> list[TransactWriteItemTypeDef]:
    return [
        dynamo.deleting(settings().webhooks_table, {"workspaceId": workspace_id, "sk": key})
        for key in sorted(keys)
    ]
