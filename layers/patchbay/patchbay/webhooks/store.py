"""The webhooks table.

Key: workspaceId, sk. Six kinds of rows:
    whk_…                   a webhook
    sub#<TYPE>#<whk_…>      the subscription of an active or paused webhook to a type (or `*`), with the
                            webhook's filters, so that matching an event reads only subscriptions to its type.
                            One of kind pull has its kind and expiry too. `sub#<TYPE>#<flw_…>` is that of an
                            active flow
    hook#<hash>             the webhook ID of a hook, by a hash of the hook's URL, event and filters, so that
                            an identical subscription finds it. Outlives the webhook for as long as deliveries
                            are kept (TTL), so that a new subscription gets the same ID; `disabledAt` means
                            that the webhook was disabled when it was deleted
    run_…                   the receiver of a run's callback: a webhook for one delivery, with the body.
                            Expires by TTL
    gone#<whk_…>            a webhook that was deleted, for as long as data of it may be stored (TTL)
    count                   the number of the workspace's webhooks and flows, the bytes of their filters, and
                            the version of its subscriptions, which every change to one of them increments.
                            Also the workspace's settings, and its erasure mark: every fan-out reads this row
A webhook and its dependent rows change in one transaction, conditional on the webhook's version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace as with_changes
from typing import TYPE_CHECKING, Literal, NamedTuple

from patchbay import catalogue, compact_json, erasure_mark, idempotency
from patchbay.clock import now_ms
from patchbay.errors import Conflict
from patchbay.ids import FlowId, RunId, WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import retention_ttl
from patchbay.webhooks.stored_webhook import StoredWebhook

if TYPE_CHECKING:
    from pydantic import JsonValue

    from patchbay.webhooks.models import FlowSubscription

_COUNT = "count"
# Limits the cost of matching one event: the filters of all webhooks of a workspace, as JSON.
MAX_FILTERS_BYTES = 256 * 1024


class Subscription(NamedTuple):
    """A webhook or a flow that subscribes to an event's type. The event must pass its filters (as in the
    API). A webhook of kind pull may expire (Unix milliseconds).
    """

    id: WebhookId | FlowId
    filters: Sequence[Mapping[str, JsonValue]]
    is_pull: bool = False
    expires_at: int | None = None


class WorkspaceState(NamedTuple):
    """What the row `count` says about a workspace. `subscriptions` is the version of its subscriptions; 0
    before the first change. `retain_days` is None for RetentionDays. `version` counts the changes of the
    settings, the last of which was at `updated_at`.
    """

    subscriptions: int = 0
    retain_days: int | None = None
    mark: erasure_mark.ErasureMark = erasure_mark.NONE
    version: int = 0
    updated_at: int | None = None


NO_STATE = WorkspaceState()


class StoredHook(NamedTuple):
    """A webhook that an automation subscribed. If it is deleted, `webhook` is None, and `was_disabled` says
    whether it was disabled at that time.
    """

    id: WebhookId
    webhook: StoredWebhook | None
    was_disabled: bool


class WebhookChanged(Exception):
    """The row is no longer at the version that was read."""


class AlreadySubscribed(Exception):
    """A hook with the same URL, event and filters exists."""


def create(webhook: StoredWebhook, extra_actions: Sequence[dynamo.TransactItem] = ()) -> None:
    """Store a new webhook; `extra_actions` join the transaction. Raises Conflict at the workspace's ceiling,
    AlreadySubscribed when the webhook's `hook_key` is taken.
    """
    table = settings().webhooks_table
    webhook = with_changes(webhook, filter_bytes=_filters_size(webhook))
    actions = [
        _count_action(None, webhook),
        dynamo.put_action(table, webhook.to_row(), condition="attribute_not_exists(sk)"),
        *_subscribe_actions(webhook),
    ]
    if webhook.hook_key is not None:
        hook = {**_hook_key(webhook.workspace_id, webhook.hook_key), "webhookId": webhook.id}
        claim = dynamo.put_action(
            table,
            hook,
            condition="attribute_not_exists(sk) OR (webhookId = :id AND attribute_exists(#ttl))",
            names={"#ttl": "ttl"},
            id=webhook.id,
        )
        actions.insert(1, claim)
    try:
        dynamo.transact([*actions, *extra_actions])
    except dynamo.TransactionCanceled as refused:
        if webhook.hook_key is not None and 1 in refused.failed:
            raise AlreadySubscribed from None
        if 0 in refused.failed:
            raise _ceiling_reached(refused.rows[0]) from None
        raise idempotency.request_in_progress() from None


def get(workspace_id: str, id: WebhookId) -> StoredWebhook | None:
    return from_row(dynamo.get(settings().webhooks_table, {"workspaceId": workspace_id, "sk": id}))


def from_row(row: dynamo.Row | None) -> StoredWebhook | None:
    return None if row is None else StoredWebhook.from_row(row)


def find_hook(workspace_id: str, hook_key: str) -> StoredHook | None:
    """The webhook that an automation subscribed under `hook_key`, even if it is deleted."""
    row = dynamo.get(settings().webhooks_table, _hook_key(workspace_id, hook_key))
    if row is None:
        return None
    id = WebhookId(row["webhookId"])
    return StoredHook(id, get(workspace_id, id), "disabledAt" in row)


def record_resubscription(webhook: StoredWebhook, now: int) -> None:
    """Record that an automation still wants this active webhook, so that an earlier 410 does not end it.
    Raises WebhookChanged when the webhook is no longer active.
    """
    try:
        dynamo.update(
            settings().webhooks_table,
            {"workspaceId": webhook.workspace_id, "sk": webhook.id},
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


def callback_action(callback: StoredWebhook) -> dynamo.TransactItem:
    """Store the receiver of a run's callback, in the transaction that ends the run, which happens once."""
    return dynamo.put_action(settings().webhooks_table, callback.to_row())


def table_key(workspace_id: str, id: WebhookId | RunId) -> tuple[str, dynamo.Row]:
    """The table key of a webhook."""
    return settings().webhooks_table, {"workspaceId": workspace_id, "sk": id}


def page(
    workspace_id: str,
    *,
    status: str | None,
    event_type: str | None,
    source: str | None,
    limit: int,
    cursor: str | None,
) -> Page[StoredWebhook]:
    """Webhooks, newest first."""
    filters = {"status": status, "eventType": event_type, "source": source}
    conditions = {
        "status": "#status = :status",
        "eventType": "contains(eventTypes, :eventType)",
        "source": "#source = :source",
    }
    values = {name: value for name, value in filters.items() if value is not None}
    rows = dynamo.page(
        dynamo.PageQuery(
            settings().webhooks_table,
            partition=("workspaceId", workspace_id),
            sort_range=("sk", *WebhookId.range(None, None)),
            limit=limit,
            cursor=cursor,
            filter=" AND ".join(conditions[name] for name in values) or None,
            names={f"#{name}": name for name in values if name != "eventType"},
            values=values,
        )
    )
    return rows.map(StoredWebhook.from_row)


def get_many(workspace_id: str, ids: Iterable[WebhookId]) -> list[StoredWebhook]:
    """The webhooks that exist, in no particular order; eventually consistent."""
    keys = [table_key(workspace_id, id)[1] for id in ids]
    return [
        StoredWebhook.from_row(row)
        for row in dynamo.get_many(settings().webhooks_table, keys, consistent=False)
    ]


def iter_webhooks(workspace_id: str) -> Iterator[StoredWebhook]:
    """Every webhook of a workspace; the workspace's ceiling bounds their number."""
    rows = dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        workspace=workspace_id,
        prefix=f"{WebhookId.prefix}_",
    )
    return map(StoredWebhook.from_row, rows)


def ids(workspace_id: str) -> Iterator[WebhookId]:
    """The IDs of a workspace's webhooks; eventually consistent."""
    for row in dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        consistent=False,
        attributes=("sk",),
        workspace=workspace_id,
        prefix=f"{WebhookId.prefix}_",
    ):
        yield WebhookId(row["sk"])


def subscribers(workspace_id: str, event_type: str) -> Iterator[StoredWebhook]:
    """The webhooks that name a type, or `*`, in any status, newest first; eventually consistent."""
    rows = dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        consistent=False,
        descending=True,
        workspace=workspace_id,
        prefix=f"{WebhookId.prefix}_",
    )
    for row in rows:
        if {event_type, catalogue.ANY}.intersection(row["eventTypes"]):
            yield StoredWebhook.from_row(row)


def replace(
    old: StoredWebhook, new: StoredWebhook, extra_actions: Sequence[dynamo.TransactItem] = ()
) -> None:
    """Store `new` over `old` with its subscriptions; `extra_actions` join the transaction.

    Raises WebhookChanged when `old` is no longer the stored version, Conflict when the filters exceed the
    workspace's limit or when the condition of an extra action fails.
    """
    changes_matching = _match_criteria(old) != _match_criteria(new)
    if changes_matching:
        new = with_changes(new, filter_bytes=_filters_size(new))
    actions = [
        dynamo.put_action(
            settings().webhooks_table,
            new.to_row(),
            condition="version = :version",
            version=old.version,
        )
    ]
    if changes_matching:
        removed = _subscription_keys(old) - _subscription_keys(new)
        actions += [
            _count_action(old, new),
            *_subscribe_actions(new),
            *_unsubscribe_actions(new.workspace_id, removed),
        ]
    try:
        dynamo.transact([*actions, *extra_actions])
    except dynamo.TransactionCanceled as refused:
        if 0 in refused.failed:
            raise WebhookChanged from None
        if changes_matching and 1 in refused.failed:
            raise _ceiling_reached(None) from None  # a change can exceed only the filters' limit
        raise idempotency.request_in_progress() from None


def delete(webhook: StoredWebhook, extra_actions: Sequence[dynamo.TransactItem] = ()) -> None:
    """Remove a webhook with its subscriptions; `extra_actions` join the transaction. Raises WebhookChanged
    when the row is no longer as read.
    """
    table = settings().webhooks_table
    key = {"workspaceId": webhook.workspace_id, "sk": webhook.id}
    actions = [
        dynamo.delete_action(table, key, condition="version = :version", version=webhook.version),
        _count_action(webhook, None),
        *_unsubscribe_actions(webhook.workspace_id, _subscription_keys(webhook)),
        *([_tombstone_action(webhook, webhook.hook_key)] if webhook.hook_key is not None else []),
        _gone_action(webhook),
        *extra_actions,
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionCanceled:
        raise WebhookChanged from None


def workspace_state_key(workspace_id: str) -> tuple[str, dynamo.Row]:
    """The table key of the row with a workspace's state."""
    return settings().webhooks_table, {"workspaceId": workspace_id, "sk": _COUNT}


def workspace_state(row: dynamo.Row | None) -> WorkspaceState:
    row = row or {}
    return WorkspaceState(
        subscriptions=int(row.get("subscriptions", 0)),
        retain_days=row.get("retainDays"),
        mark=erasure_mark.read(row),
        version=row.get("settingsVersion", 0),
        updated_at=row.get("settingsAt"),
    )


def get_workspace_state(workspace_id: str) -> WorkspaceState:
    return workspace_state(dynamo.get(*workspace_state_key(workspace_id)))


def set_settings(
    workspace_id: str,
    seen: WorkspaceState,
    retain_days: int | None,
    now: int,
    extra_actions: Sequence[dynamo.TransactItem],
) -> bool:
    """Store the workspace's retention; None for RetentionDays. `extra_actions` store the settings of other
    features, in the same transaction. Returns False if the settings have changed since `seen` was read, or if
    the workspace is being erased.
    """
    table, key = workspace_state_key(workspace_id)
    version = "attribute_not_exists(settingsVersion)" if not seen.version else "settingsVersion = :seen"
    change = "SET settingsVersion = :next, settingsAt = :now"
    action = dynamo.update_action(
        table,
        key,
        f"{change} REMOVE retainDays, #ttl"
        if retain_days is None
        else f"{change}, retainDays = :days REMOVE #ttl",
        condition=f"attribute_not_exists(erasing) AND {version}",
        names={"#ttl": "ttl"},
        now=now,
        next=seen.version + 1,
        **({"seen": seen.version} if seen.version else {}),
        **({} if retain_days is None else {"days": retain_days}),
    )
    try:
        dynamo.transact([action, *extra_actions])
    except dynamo.TransactionCanceled:
        return False
    return True


def mark_erasing_action(workspace_id: str, task: str) -> dynamo.TransactItem:
    """Mark the workspace; fails if it is marked already."""
    table, key = workspace_state_key(workspace_id)
    return dynamo.update_action(
        table,
        key,
        "SET erasing = :task REMOVE #ttl",
        condition="attribute_not_exists(erasing)",
        names={"#ttl": "ttl"},
        task=task,
    )


def end_erasure_action(workspace_id: str, task: str, now: int) -> dynamo.TransactItem:
    """Forget everything about the workspace, except the time of its erasure and the version of its
    subscriptions, which processes have cached.
    """
    table, key = workspace_state_key(workspace_id)
    return dynamo.update_action(
        table,
        key,
        "SET erasedAt = :now, #ttl = :ttl ADD subscriptions :one "
        "REMOVE erasing, webhooks, flows, filterBytes, retainDays, settingsVersion, settingsAt",
        condition="erasing = :task",
        names={"#ttl": "ttl"},
        task=task,
        now=now,
        ttl=now // 1000 + erasure_mark.KEPT_SECONDS,
        one=1,
    )


def webhook_ids_with_gone(workspace_id: str) -> Iterator[str]:
    """The IDs of everything that deliveries, feeds and statistics can belong to: webhooks, webhooks that were
    deleted, and the runs whose callbacks are stored.
    """
    for row in dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace",
        attributes=("sk",),
        workspace=workspace_id,
    ):
        id = str(row["sk"]).removeprefix("gone#")
        if id.startswith((f"{WebhookId.prefix}_", f"{RunId.prefix}_")):
            yield id


def workspace_keys(workspace_id: str) -> Iterator[dynamo.Row]:
    """The keys of all rows of a workspace, except the one with its state."""
    for row in dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace",
        attributes=("workspaceId", "sk"),
        workspace=workspace_id,
    ):
        if row["sk"] != _COUNT:
            yield row


def subscriptions(workspace_id: str, event_type: str) -> Iterator[Subscription]:
    """The subscriptions of active and paused webhooks to a type, or to `*`."""
    prefix = _subscription_key(event_type, "")
    for row in dynamo.query(
        settings().webhooks_table,
        "workspaceId = :workspace AND begins_with(sk, :prefix)",
        workspace=workspace_id,
        prefix=prefix,
    ):
        id = row["sk"].removeprefix(prefix)
        yield Subscription(
            FlowId(id) if id.startswith(f"{FlowId.prefix}_") else WebhookId(id),
            row["filters"],
            is_pull=row.get("kind") == "pull",
            expires_at=row.get("expiresAt"),
        )


def flow_actions(
    workspace_id: str,
    id: FlowId,
    old: FlowSubscription | None,
    new: FlowSubscription | None,
    *,
    added: int,
    most: int,
) -> list[dynamo.TransactItem]:
    """Change a flow's subscriptions from `old` to `new`, either of which is None while the flow is not
    active, and the number of the workspace's flows by `added`, up to `most`. The first action has the
    conditions. Empty if nothing changes.
    """
    if not added and _as_text(old) == _as_text(new):
        return []
    more_bytes = _filters_size(new) - _filters_size(old)
    kept = {_subscription_key(type, id): new.filters for type in new.event_types} if new else {}
    removed = {_subscription_key(type, id) for type in old.event_types} if old else set()
    return [
        _add_action(workspace_id, "flows", added, most, more_bytes, grows=more_bytes > 0),
        *(
            dynamo.put_action(
                settings().webhooks_table, {"workspaceId": workspace_id, "sk": key, "filters": filters}
            )
            for key, filters in sorted(kept.items())
        ),
        *_unsubscribe_actions(workspace_id, removed - kept.keys()),
    ]


def _as_text(subscription: FlowSubscription | None) -> str:
    return compact_json.dumps(subscription and [sorted(subscription.event_types), subscription.filters])


def _count_action(old: StoredWebhook | None, new: StoredWebhook | None) -> dynamo.TransactItem:
    """Count a webhook that is created (no `old`), deleted (no `new`) or changed."""
    webhook = new or old
    assert webhook is not None  # noqa: S101
    # A webhook that was stored before filters were counted has no `filter_bytes`: nothing is subtracted for
    # it. Its filters may be added above the ceiling, because deactivating or disabling must always succeed.
    more_bytes = _counted_bytes(new) - _counted_bytes(old)
    added = (new is not None) - (old is not None)
    grows = _filters_size(new) > _filters_size(old)
    return _add_action(
        webhook.workspace_id, "webhooks", added, settings().max_webhooks, more_bytes, grows=grows
    )


def _add_action(
    workspace_id: str,
    counter: Literal["webhooks", "flows"],
    added: int,
    most: int,
    more_bytes: int,
    *,
    grows: bool,
) -> dynamo.TransactItem:
    """Add to the workspace's number of webhooks or flows, up to `most`, and to the bytes of their filters,
    and increment the version of its subscriptions. The ceiling of the bytes applies if a filter `grows`. Has
    no condition if nothing grows, so that two webhooks can change concurrently.
    """
    values = {"one": 1, "added": added, "bytes": more_bytes}
    conditions = []
    if added > 0:
        conditions.append(f"(attribute_not_exists({counter}) OR {counter} < :most)")
        values["most"] = most
    if grows:
        conditions.append("(attribute_not_exists(filterBytes) OR filterBytes <= :room)")
        values["room"] = MAX_FILTERS_BYTES - more_bytes
    return dynamo.update_action(
        settings().webhooks_table,
        {"workspaceId": workspace_id, "sk": _COUNT},
        f"ADD subscriptions :one, {counter} :added, filterBytes :bytes REMOVE #ttl",
        condition=" AND ".join(conditions) or None,
        names={"#ttl": "ttl"},
        **values,
    )


def _ceiling_reached(count: dynamo.Row | None) -> Conflict:
    if count is not None and count.get("webhooks", 0) >= settings().max_webhooks:
        return Conflict(
            f"This workspace has reached its limit of {settings().max_webhooks} webhooks. Delete one first."
        )
    return Conflict(
        f"The filters of all webhooks of a workspace can have at most {MAX_FILTERS_BYTES} bytes as JSON, "
        "and this request exceeds that. Shorten filters, or delete a webhook with filters."
    )


def _counted_bytes(webhook: StoredWebhook | None) -> int:
    return 0 if webhook is None else webhook.filter_bytes or 0


def _filters_size(subscriber: StoredWebhook | FlowSubscription | None) -> int:
    return compact_json.size(subscriber.filters) if subscriber is not None and subscriber.filters else 0


def _tombstone_action(webhook: StoredWebhook, hook_key: str) -> dynamo.TransactItem:
    """Keep the ID of a deleted hook for as long as its deliveries are kept."""
    disabled_at = webhook.disabled_at if webhook.status == "DISABLED" else None
    return dynamo.update_action(
        settings().webhooks_table,
        _hook_key(webhook.workspace_id, hook_key),
        "SET webhookId = :id, #ttl = :ttl" + (", disabledAt = :disabled" if disabled_at else ""),
        condition=None,
        names={"#ttl": "ttl"},
        id=webhook.id,
        ttl=retention_ttl(now_ms()),
        **({"disabled": disabled_at} if disabled_at else {}),
    )


def _gone_action(webhook: StoredWebhook) -> dynamo.TransactItem:
    """Keep the ID of a deleted webhook until its deliveries, entries and counters have expired. A delivery
    can be written some time after the deletion, from a message that waited in the queue.
    """
    return dynamo.update_action(
        settings().webhooks_table,
        {"workspaceId": webhook.workspace_id, "sk": f"gone#{webhook.id}"},
        "SET #ttl = :ttl",
        names={"#ttl": "ttl"},
        ttl=retention_ttl(now_ms()) + erasure_mark.KEPT_SECONDS,
    )


def _hook_key(workspace_id: str, hook_key: str) -> dynamo.Row:
    return {"workspaceId": workspace_id, "sk": f"hook#{hook_key}"}


def _subscription_key(event_type: str, id: str) -> str:
    return f"sub#{event_type}#{id}"


def _subscription_keys(webhook: StoredWebhook) -> set[str]:
    """The sort keys of a webhook's subscriptions: none unless it is active or paused."""
    if not webhook.is_subscribed:
        return set()
    return {_subscription_key(event, webhook.id) for event in webhook.event_types}


def _match_criteria(webhook: StoredWebhook) -> tuple[bool, Sequence[str], str, int | None]:
    """The attributes that decide which events a webhook gets. Filters are compared as text, because in
    Python 1 equals True.
    """
    filters = compact_json.dumps(webhook.filters)
    return webhook.is_subscribed, list(webhook.event_types), filters, webhook.expires_at


def _subscribe_actions(webhook: StoredWebhook) -> list[dynamo.TransactItem]:
    return [
        dynamo.put_action(
            settings().webhooks_table,
            {
                "workspaceId": webhook.workspace_id,
                "sk": key,
                "filters": webhook.filters,
                "kind": "pull" if webhook.is_pull else None,
                "expiresAt": webhook.expires_at,
            },
        )
        for key in sorted(_subscription_keys(webhook))
    ]


def _unsubscribe_actions(workspace_id: str, keys: set[str]) -> list[dynamo.TransactItem]:
    return [
        dynamo.delete_action(settings().webhooks_table, {"workspaceId": workspace_id, "sk": key})
        for key in sorted(keys)
    ]
