"""The webhooks table.

Key: workspaceId, sk. Five kinds of rows:
    whk_…                   a webhook
    sub#<TYPE>#<whk_…>      an *active* webhook's subscription to a type (or `*`), with its
                            filters; so matching an event reads what matches and nothing else
    hook#<hash>             of a webhook that an automation subscribed, which one it is: by what it
                            asked for, so that the same again finds it. It outlives the webhook for as
                            long as deliveries are kept (TTL), so that the webhook can come back under
                            its id; `disabledAt` says that it was disabled when it was deleted
    run_…                   where the outcome of an automation's run is to be called back to: a
                            webhook of one delivery, with the body; it ends by TTL
    count                   how many webhooks the workspace has, how many bytes of filters, and the
                            version of its subscriptions, which every change of one raises
A webhook and the rows that depend on it change in one transaction, under the webhook's version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from patchbay import compact_json, idempotency
from patchbay.clock import now_ms
from patchbay.errors import Conflict
from patchbay.ids import RunId, WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import kept_until

_COUNT = "count"
# Limits the cost of matching one event: the filters of all webhooks of a workspace, as JSON.
MAX_FILTERS_BYTES = 256 * 1024
# An automation is no server that its owner watches: it may be down for a weekend, and a workflow that fails
# on some events must not miss all others.
HOOK_RETRIES: Mapping[str, Any] = {"retryConfig": {"schedule": "standard"}, "disableAfter": 50}
_OLD_HOOK_RETRIES: Mapping[str, Any] = {
    "retryConfig": {"maxRetries": 3, "backoffMultiplier": 2, "initialDelaySeconds": 30},
    "disableAfter": 10,
}


class Subscription(NamedTuple):
    """A match of the type; the filters (as in the API) are still to be asked."""

    webhook_id: WebhookId
    filters: Sequence[Mapping[str, Any]]


class Hook(NamedTuple):
    """A webhook that an automation subscribed. `webhook` is None once it is deleted; `was_disabled` says
    whether it was disabled at that time.
    """

    id: WebhookId
    webhook: dynamo.Row | None
    was_disabled: bool


class WebhookChanged(Exception):
    """The row is no longer at the version that was read."""


class Subscribed(Exception):
    """An automation has subscribed the same already."""


def create(row: dynamo.Row, completing: Sequence[dynamo.TransactItem] = ()) -> None:
    """Store a new webhook, together with what records the answer. Raises Conflict at the workspace's ceiling,
    Subscribed when its `hookKey` is taken.
    """
    table = settings().webhooks_table
    row = row | _filter_bytes(row)
    actions = [
        _counting(None, row),
        dynamo.put_action(table, row, condition="attribute_not_exists(sk)"),
        *_subscribing(row),
    ]
    if "hookKey" in row:
        hook = {**_hook_key(row), "webhookId": row["sk"]}
        free = dynamo.put_action(
            table,
            hook,
            condition="attribute_not_exists(sk) OR (webhookId = :id AND attribute_exists(#ttl))",
            names={"#ttl": "ttl"},
            id=row["sk"],
        )
        actions.insert(1, free)
    try:
        dynamo.transact([*actions, *completing])
    except dynamo.TransactionRefused as refused:
        if "hookKey" in row and 1 in refused.failed:
            raise Subscribed from None
        if 0 in refused.failed:
            raise _no_room(refused.rows[0]) from None
        raise idempotency.still_running() from None


def get(workspace_id: str, id: WebhookId) -> dynamo.Row | None:
    return read(dynamo.get(settings().webhooks_table, {"workspaceId": workspace_id, "sk": id}))


def read(row: dynamo.Row | None) -> dynamo.Row | None:
    """A stored webhook as it is used. Hooks once had the retries of any webhook and no `subscribedAt`: if
    nobody changed those retries, they are a hook's now. The next write of the webhook stores that.
    """
    if row is None or "hookKey" not in row or "subscribedAt" in row:
        return row
    unchanged = all(row[name] == old for name, old in _OLD_HOOK_RETRIES.items())
    return {**row, "subscribedAt": 0, **(HOOK_RETRIES if unchanged else {})}


def hook(workspace_id: str, hook_key: str) -> Hook | None:
    """The webhook that an automation subscribed with that key, even if it has been deleted."""
    found = dynamo.get(
        settings().webhooks_table, _hook_key({"workspaceId": workspace_id, "hookKey": hook_key})
    )
    if found is None:
        return None
    id = WebhookId(found["webhookId"])
    return Hook(id, get(workspace_id, id), "disabledAt" in found)


def subscribed_again(row: dynamo.Row, now: int) -> None:
    """Record that an automation still wants this active webhook, so that an earlier 410 does not end it.
    Raises WebhookChanged when it is no longer active.
    """
    try:
        dynamo.update(
            settings().webhooks_table,
            {"workspaceId": row["workspaceId"], "sk": row["sk"]},
            "SET subscribedAt = :now ADD version :one",
            condition="#status = :active",
            names={"#status": "status"},
            returning="NONE",
            now=now,
            one=1,
            active="ACTIVE",
        )
    except dynamo.ConditionFailed:
        raise WebhookChanged from None


def adding_callback(row: dynamo.Row) -> dynamo.TransactItem:
    """For the transaction in which a run ends, which happens once: the webhook of its one delivery."""
    return dynamo.put_action(settings().webhooks_table, row)


def table_key(workspace_id: str, id: WebhookId | RunId) -> tuple[str, dynamo.Row]:
    """The table and the key of a webhook, to be read along with other rows."""
    return settings().webhooks_table, {"workspaceId": workspace_id, "sk": id}


def page(
    workspace_id: str,
    *,
    status: str | None,
    event_type: str | None,
    source: str | None,
    limit: int,
    cursor: str | None,
) -> Page[dynamo.Row]:
    """Webhooks, newest first."""
    wanted = {"status": status, "eventType": event_type, "source": source}
    tests = {
        "status": "#status = :status",
        "eventType": "contains(events, :eventType)",
        "source": "#source = :source",
    }
    asked = {name: value for name, value in wanted.items() if value is not None}
    found = dynamo.page(
        settings().webhooks_table,
        ("workspaceId", workspace_id),
        ("sk", *WebhookId.range(None, None)),
        limit=limit,
        cursor=cursor,
        where=" AND ".join(tests[name] for name in asked) or None,
        names={f"#{name}": name for name in asked if name != "eventType"} or None,
        **asked,
    )
    return found.map(read)


def all_of(workspace_id: str) -> Iterator[dynamo.Row]:
    """Every webhook of a workspace; the ceiling bounds them."""
    return dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        workspace=workspace_id,
        prefix=f"{WebhookId.prefix}_",
    )


def ids(workspace_id: str) -> Iterator[WebhookId]:
    """The ids of a workspace's webhooks; eventually consistent."""
    for row in dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        eventually=True,
        attributes=("sk",),
        workspace=workspace_id,
        prefix=f"{WebhookId.prefix}_",
    ):
        yield WebhookId(row["sk"])


def replace(old: dynamo.Row, new: dynamo.Row, also: Sequence[dynamo.TransactItem] = ()) -> None:
    """Store `new` over `old` with its subscriptions, and with them what is `also` to be written.

    Raises WebhookChanged when `old` has changed, Conflict when the workspace has no room for the filters or a
    condition of `also` does not hold.
    """
    changes_matching = _matching(old) != _matching(new)
    if changes_matching:
        new = new | _filter_bytes(new)
    actions = [
        dynamo.put_action(
            settings().webhooks_table,
            new,
            condition="version = :version",
            version=old["version"],
        )
    ]
    if changes_matching:
        gone = _subscription_keys(old) - _subscription_keys(new)
        actions += [
            _counting(old, new),
            *_subscribing(new),
            *_unsubscribing(new["workspaceId"], gone),
        ]
    try:
        dynamo.transact([*actions, *also])
    except dynamo.TransactionRefused as refused:
        if 0 in refused.failed:
            raise WebhookChanged from None
        if changes_matching and 1 in refused.failed:
            raise _no_room(None) from None  # to change a webhook needs room for its filters only
        raise idempotency.still_running() from None


def delete(row: dynamo.Row, also: Sequence[dynamo.TransactItem] = ()) -> None:
    """Remove a webhook with its subscriptions, and write what is `also` to be written. Raises WebhookChanged when
    the row is no longer as read.
    """
    table = settings().webhooks_table
    key = {"workspaceId": row["workspaceId"], "sk": row["sk"]}
    actions = [
        dynamo.delete_action(table, key, condition="version = :version", version=row["version"]),
        _counting(row, None),
        *_unsubscribing(row["workspaceId"], _subscription_keys(row)),
        *([_outliving(row)] if "hookKey" in row else []),
        *also,
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionRefused:
        raise WebhookChanged from None


def subscriptions_version_key(workspace_id: str) -> tuple[str, dynamo.Row]:
    """The table and the key of the row that has the `subscriptions` version, to be read along with others."""
    return settings().webhooks_table, {"workspaceId": workspace_id, "sk": _COUNT}


def version(row: dynamo.Row | None) -> int:
    """The version of a workspace's subscriptions: 0 before the first change."""
    return 0 if row is None else int(row.get("subscriptions", 0))


def subscriptions(workspace_id: str, kind: str) -> Iterator[Subscription]:
    """Active subscriptions to a type, or to `*`."""
    prefix = _subscription_key(kind, "")
    for row in dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        workspace=workspace_id,
        prefix=prefix,
    ):
        yield Subscription(WebhookId(row["sk"].removeprefix(prefix)), row["filters"])


def _counting(old: dynamo.Row | None, new: dynamo.Row | None) -> dynamo.TransactItem:
    """Count a webhook in (no `old`), out (no `new`) or changed, and raise the version of the workspace's
    subscriptions. Has no condition if nothing grows, so that two webhooks can change at once.
    """
    row = new or old or {}
    # If a webhook was stored before filters were counted, nothing is subtracted for it. It can be added above
    # the ceiling: pausing or disabling it needs no room.
    more = (new or {}).get("filterBytes", 0) - (old or {}).get("filterBytes", 0)
    values: dict[str, Any] = {"one": 1, "more": more, "webhooks": (new is not None) - (old is not None)}
    conditions = []
    if old is None:
        conditions.append("(attribute_not_exists(webhooks) OR webhooks < :most)")
        values["most"] = settings().max_webhooks
    if _filters_size(new) > _filters_size(old):
        conditions.append("(attribute_not_exists(filterBytes) OR filterBytes <= :room)")
        values["room"] = MAX_FILTERS_BYTES - more
    return dynamo.update_action(
        settings().webhooks_table,
        {"workspaceId": row["workspaceId"], "sk": _COUNT},
        "ADD subscriptions :one, webhooks :webhooks, filterBytes :more",
        condition=" AND ".join(conditions) or None,
        **values,
    )


def _no_room(count: dynamo.Row | None) -> Conflict:
    if count is not None and count.get("webhooks", 0) >= settings().max_webhooks:
        return Conflict(
            f"This workspace has {settings().max_webhooks} webhooks, its ceiling. Delete one first."
        )
    return Conflict(
        f"The filters of a workspace's webhooks may have {MAX_FILTERS_BYTES} bytes in total, as "
        "JSON, and these would exceed that. Shorten filters, or delete a webhook that has some."
    )


def _filter_bytes(row: dynamo.Row) -> dynamo.Row:
    return {"filterBytes": _filters_size(row)}


def _filters_size(row: dynamo.Row | None) -> int:
    return compact_json.size(row["filters"]) if row and row["filters"] else 0


def _outliving(row: dynamo.Row) -> dynamo.TransactItem:
    """Keep a deleted hook's id for as long as its deliveries are kept."""
    now = now_ms()
    disabled_at = row.get("disabledAt") if row["status"] == "DISABLED" else None
    return dynamo.update_action(
        settings().webhooks_table,
        _hook_key(row),
        "SET webhookId = :id, #ttl = :ttl" + (", disabledAt = :disabled" if disabled_at else ""),
        names={"#ttl": "ttl"},
        id=row["sk"],
        ttl=kept_until(now),
        **({"disabled": disabled_at} if disabled_at else {}),
    )


def _hook_key(row: dynamo.Row) -> dynamo.Row:
    return {"workspaceId": row["workspaceId"], "sk": f"hook#{row['hookKey']}"}


def _subscription_key(event_type: str, id: str) -> str:
    return f"sub#{event_type}#{id}"


def _subscription_keys(row: dynamo.Row) -> set[str]:
    """The sort keys of a webhook's subscriptions: none unless it is active."""
    if row["status"] != "ACTIVE":
        return set()
    return {_subscription_key(event, row["sk"]) for event in row["events"]}


def _matching(row: dynamo.Row) -> tuple[Any, ...]:
    """What decides which events a webhook gets. Filters compare as text, because in Python 1 equals True."""
    return row["status"] == "ACTIVE", row["events"], compact_json.dumps(row["filters"])


def _subscribing(row: dynamo.Row) -> list[dynamo.TransactItem]:
    return [
        dynamo.put_action(
            settings().webhooks_table,
            {"workspaceId": row["workspaceId"], "sk": key, "filters": row["filters"]},
        )
        for key in sorted(_subscription_keys(row))
    ]


def _unsubscribing(workspace_id: str, keys: set[str]) -> list[dynamo.TransactItem]:
    return [
        dynamo.delete_action(settings().webhooks_table, {"workspaceId": workspace_id, "sk": key})
        for key in sorted(keys)
    ]
