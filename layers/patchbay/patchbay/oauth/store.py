"""The connections table: one row per connection, with its tokens and the lease of a refresh.

Key: integrationKey (`<workspace>#<int_…>`), name (the caller's). Local index `byId`: integrationKey, id.
Sparse index `due`: dueShard, dueAt (when maintenance processes the connection next). Expiries to announce and
removals to finish have their own shard, so they do not wait behind refreshes. A workspace whose providers are
slow has a row for each kind of call (integrationKey `<workspace>`, name `calls` or `requests`), with
`slowUntil` and `permits`: see `provider_calls`.

`sealed` is the ciphertext of all tokens together, so they change in one write; `tokensVersion` counts those
writes. A refresh locks the row with leaseOwner and leaseUntil. If a lease runs out, its holder died and may
have received a response, so the refresh token may be used up (`inDoubt`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from patchbay import idempotency, permits
from patchbay.errors import Conflict
from patchbay.ids import ConnectionId, ConnectionRef, IntegrationId
from patchbay.integrations import store as integrations_store
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.oauth import announcements
from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.stored_connection import CLEANUP_SHARD, StoredConnection
from patchbay.sessions import links
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import from_row, to_row

if TYPE_CHECKING:
    from patchbay.api_model import ApiModel
    from patchbay.idempotency import Once

# How many calls a workspace with slow providers can have in progress.
_MAX_SLOW_CALLS = 4
# How often a write of tokens is retried if the status has changed: the tokens exist nowhere else.
_MAX_STORE_TRIES = 5


# Calls for tokens, and requests to APIs with a token. A slow API does not delay the refresh of a token.
CallKind = Literal["calls", "requests"]


@dataclass(frozen=True, slots=True)
class ProviderCallState:
    """The state of a workspace's calls to its providers: until when they need a permit (Unix milliseconds),
    and the permits that are taken.
    """

    workspace_id: str
    kind: CallKind = "calls"
    slow_until: int = 0
    permits: frozenset[str] = frozenset()

    def is_slow(self, now: int) -> bool:
        return self.slow_until > now

    def has_free_permit(self, now: int) -> bool:
        return len(self.permits - permits.expired(self.permits, now)) < _MAX_SLOW_CALLS


class ConnectionLookup(NamedTuple):
    """The result of one read: an integration that is not deleted, a connection, and the state of the
    workspace's provider calls.
    """

    integration: StoredIntegration | None
    connection: StoredConnection | None
    call_state: ProviderCallState


class ListedConnection(NamedTuple):
    """A connection as it appears in the index `byId`."""

    id: ConnectionId
    integration_id: IntegrationId
    name: str


class ConnectionChanged(Exception):
    """The row has changed since it was read; `current` is the current row, or None if there is none."""

    def __init__(self, current: StoredConnection | None) -> None:
        super().__init__("the connection has changed")
        self.current = current


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────


def get(workspace_id: str, integration_id: IntegrationId, name: str) -> StoredConnection | None:
    """A connection by its name; strongly consistent."""
    row = dynamo.get(settings().connections_table, _key(workspace_id, integration_id, name))
    return None if row is None else _from_row(row)


def get_by_key(key: tuple[str, str]) -> StoredConnection | None:
    """Like `get`, by a key from `due_refresh_keys` or `due_cleanup_keys`."""
    row = dynamo.get(settings().connections_table, {"integrationKey": key[0], "name": key[1]})
    return None if row is None else _from_row(row)


def find(workspace_id: str, integration_id: IntegrationId, ref: ConnectionRef) -> ConnectionLookup:
    """The integration and its connection, by name or ID. A lookup by name takes one call."""
    name: str | None = ref
    if ref.id is not None:
        name = _name_of(workspace_id, integration_id, ref.id)
    return _look_up(workspace_id, integration_id, name)


def find_by_key(key: tuple[str, str]) -> ConnectionLookup:
    """Like `find`, by a key from `due_refresh_keys` or `due_cleanup_keys`."""
    workspace_id, _, integration_id = key[0].rpartition("#")
    return _look_up(workspace_id, IntegrationId(integration_id), key[1])


def _look_up(workspace_id: str, integration_id: IntegrationId, name: str | None) -> ConnectionLookup:
    connections = settings().connections_table
    keys = [
        (settings().integrations_table, integrations_store.key(workspace_id, integration_id)),
        (connections, _call_state_key(workspace_id)),
    ]
    if name is not None:
        keys.append((connections, _key(workspace_id, integration_id, name)))
    integration_row, call_state_row, *rows = dynamo.batch_get(keys)
    integration = None if integration_row is None else StoredIntegration.from_row(integration_row)
    if integration is not None and integration.deleted_at is not None:
        integration = None
    connection = None if not rows or rows[0] is None else _from_row(rows[0])
    return ConnectionLookup(integration, connection, _call_state(workspace_id, call_state_row))


def _name_of(workspace_id: str, integration_id: IntegrationId, id: ConnectionId) -> str | None:
    rows = dynamo.query(
        settings().connections_table,
        "integrationKey = :key AND id = :id",
        index="byId",
        consistent=True,
        key=_partition_key(workspace_id, integration_id),
        id=id,
    )
    return next((row["name"] for row in rows), None)


def list_connections(
    workspace_id: str, integration_id: IntegrationId, *, limit: int, cursor: str | None
) -> Page[StoredConnection]:
    """Connections, newest first."""
    page = _index_page(workspace_id, integration_id, None, limit, cursor)
    connections = get_listed(workspace_id, [_listed(integration_id, row) for row in page.items])
    return page.map(lambda row: connections.get(ConnectionId(row["id"])))


def newest_first(
    workspace_id: str,
    integration_ids: Sequence[IntegrationId],
    *,
    before: ConnectionId | None,
    per_read: int,
) -> Iterator[ListedConnection]:
    """The connections of several integrations, older than `before`: one query for each integration, and more
    as the iterator is consumed. `per_read` limits the rows of a query.
    """
    streams = [_newest_of(workspace_id, id, before, per_read) for id in integration_ids]
    return heapq.merge(*streams, key=lambda listed: listed.id, reverse=True)


def get_listed(workspace_id: str, listed: Sequence[ListedConnection]) -> dict[ConnectionId, StoredConnection]:
    """The connections by ID; strongly consistent. Those that were deleted in the meantime are left out."""
    keys = [_key(workspace_id, entry.integration_id, entry.name) for entry in listed]
    rows = map(_from_row, dynamo.get_many(settings().connections_table, keys, consistent=True))
    return {connection.id: connection for connection in rows}


def _newest_of(
    workspace_id: str, integration_id: IntegrationId, before: ConnectionId | None, per_read: int
) -> Iterator[ListedConnection]:
    cursor: str | None = None
    while True:
        page = _index_page(workspace_id, integration_id, before, per_read, cursor)
        for row in page.items:
            if row["id"] != before:
                yield _listed(integration_id, row)
        cursor = page.next_cursor
        if cursor is None:
            return


def _index_page(
    workspace_id: str,
    integration_id: IntegrationId,
    last: ConnectionId | None,
    limit: int,
    cursor: str | None,
) -> Page[dynamo.Row]:
    """The keys of an integration's connections up to the ID `last`, newest first."""
    oldest, newest = ConnectionId.range(None, None)
    return dynamo.page(
        dynamo.PageQuery(
            settings().connections_table,
            partition=("integrationKey", _partition_key(workspace_id, integration_id)),
            sort_range=("id", oldest, last or newest),
            index="byId",
            extra_key_names=("name",),
            limit=limit,
            cursor=cursor,
        )
    )


def _listed(integration_id: IntegrationId, row: dynamo.Row) -> ListedConnection:
    return ListedConnection(ConnectionId(row["id"]), integration_id, row["name"])


def iter_connections(workspace_id: str, integration_id: IntegrationId) -> Iterator[StoredConnection]:
    """Every connection of an integration."""
    for row in dynamo.query(
        settings().connections_table,
        "integrationKey = :key",
        key=_partition_key(workspace_id, integration_id),
    ):
        yield _from_row(row)


def due_refresh_keys(shard: int, now: int) -> Iterator[tuple[str, str]]:
    """The keys of a shard's connections that are due for a refresh, the longest overdue first."""
    return _due_keys(shard, now)


def due_cleanup_keys(now: int) -> Iterator[tuple[str, str]]:
    """The keys of connections with an expiry to announce or a removal to finish."""
    return _due_keys(CLEANUP_SHARD, now)


def _due_keys(shard: int, now: int) -> Iterator[tuple[str, str]]:
    for row in due_index.due_keys(settings().connections_table, shard, now):
        yield row["integrationKey"], row["name"]


# ── connecting ───────────────────────────────────────────────────────────────────────────────────────


def connect(
    new: StoredConnection,
    old: StoredConnection | None,
    extra_actions: Sequence[dynamo.TransactItem],
    link_actions: Sequence[dynamo.TransactItem] = (),
    once: Once | None = None,
    response: ApiModel | None = None,
) -> None:
    """Store a new connection, in place of `old` if one has that name, and end any lease on `old`.
    `link_actions` use up the connect link of the caller, if they have one.

    The same transaction announces a connection that is new or that recovers.

    Raises ConnectionChanged if another process was faster; Conflict if the integration's client has changed
    since the connection was made, if the connect link can no longer be used, or at the workspace's ceiling.
    Replacing a connection is always possible.
    """
    ceiling = settings().max_connections
    condition, names = "attribute_not_exists(id)", {}
    values: dict[str, object] = {}
    if old is not None:
        # With a different status, a different event would be due.
        condition = "id = :id AND tokensVersion = :known AND #status = :status AND #status <> :revoked"
        names = {"#status": "status"}
        values = {
            "id": old.id,
            "known": old.tokens_version,
            "status": old.status,
            "revoked": ConnectionStatus.REVOKED,
        }
    idempotency_actions = (
        [once.complete_action(response)] if once is not None and response is not None else []
    )
    actions = [
        dynamo.put_action(
            settings().connections_table,
            _to_row(replace(new, counted=True)),
            condition=condition,
            names=names,
            **values,
        ),
        integrations_store.count_connection_action(
            new.workspace_id, new.integration_id, 1 if old is None else 0, new.generation
        ),
        *extra_actions,
        *announcements.connected(new, old),
        *idempotency_actions,
    ]
    if old is None or not old.counted:
        most = ceiling if old is None else None
        actions.insert(
            2, integrations_store.count_workspace_connection_action(new.workspace_id, 1, ceiling=most)
        )
    link_positions = range(len(actions), len(actions) + len(link_actions))
    try:
        dynamo.transact([*actions, *link_actions])
    except dynamo.TransactionCanceled as refused:
        if set(link_positions).intersection(refused.failed):
            raise links.not_completed() from None
        if 1 in refused.failed:
            raise Conflict(
                "The integration's OAuth client or URLs changed while the user was connecting. Start a new "
                "flow."
            ) from None
        if 0 in refused.failed:
            raise _changed(refused.rows[0]) from None
        if 2 in refused.failed and old is None:
            raise Conflict(
                f"This workspace has reached its limit of {ceiling} connections. Delete one first."
            ) from None
        raise idempotency.request_in_progress() from None


# ── refreshing ───────────────────────────────────────────────────────────────────────────────────────


def acquire_lease(connection: StoredConnection, owner: str, now: int, until: int) -> StoredConnection:
    """Acquire the right to refresh a connection. Raises ConnectionChanged if another process holds it, or if
    the tokens have changed since they were read.

    If a previous lease ran out, its holder died, either before its request or with the response: the
    connection is in doubt.
    """
    condition = "tokensVersion = :known AND #status IN (:active, :error) AND "
    values: dict[str, str | int] = {}
    if connection.lease_owner is None:
        condition += "attribute_not_exists(leaseOwner)"
    else:
        condition += "leaseOwner = :dead AND leaseUntil < :now"
        values = {"dead": connection.lease_owner, "now": now}
    try:
        row = dynamo.update(
            settings().connections_table,
            _key_of(connection),
            "SET leaseOwner = :owner, leaseUntil = :until, inDoubt = :doubt",
            returning="ALL_NEW",
            condition=f"id = :id AND {condition}",
            names={"#status": "status"},
            id=connection.id,
            owner=owner,
            until=until,
            doubt=connection.in_doubt or connection.lease_owner is not None,
            known=connection.tokens_version,
            active=ConnectionStatus.ACTIVE,
            error=ConnectionStatus.ERROR,
            **values,
        )
    except dynamo.ConditionFailed as refused:
        if refused.row is not None and refused.row.get("leaseOwner") == owner:
            return _from_row(refused.row)  # our own write: its response was lost, and the client retried
        raise _changed(refused.row) from None
    return _from_row(row)


def store_tokens(old: StoredConnection, new: StoredConnection) -> StoredConnection:
    """Store fresh tokens in place of those that they were requested with, no matter who holds the lease by
    now: losing them would be worse. If the connection had expired or failed, the same transaction announces
    its recovery. Raises ConnectionChanged if the tokens have changed or the connection is being removed.
    """
    row, status = _to_row(new), old.status
    for _ in range(_MAX_STORE_TRIES):
        try:
            _put_tokens(row, old, announcements.recovered(new, status), status)
        except dynamo.ConditionFailed as refused:
            current = refused.row
            if current is not None and current["sealed"] == row["sealed"]:
                return new  # our own write: its response was lost, and the client retried
            if current is None or current["tokensVersion"] != old.tokens_version or current["id"] != old.id:
                raise _changed(current) from None
            if current["status"] in (status, ConnectionStatus.REVOKED):
                raise _changed(current) from None
            status = current["status"]  # another process only recorded a failure
        else:
            return new
    raise dynamo.Throttled("the connection's status kept changing")


def _put_tokens(
    row: dynamo.Row,
    old: StoredConnection,
    announced: Sequence[dynamo.TransactItem],
    status: str,
) -> None:
    """Store the row of fresh tokens if it has that status. Uses a transaction only to announce something.
    Raises ConditionFailed with the row.
    """
    condition = "id = :id AND tokensVersion = :known AND #status = :status"
    names, values = {"#status": "status"}, {"id": old.id, "known": old.tokens_version, "status": status}
    table = settings().connections_table
    if not announced:
        dynamo.put(table, row, condition=condition, names=names, **values)
        return
    try:
        dynamo.transact(
            [dynamo.put_action(table, row, condition=condition, names=names, **values), *announced]
        )
    except dynamo.TransactionCanceled as refused:
        raise dynamo.ConditionFailed(refused.rows[0]) from None


def release_lease(leased: StoredConnection, new: StoredConnection) -> StoredConnection:
    """Store `new`, without the lease, after a refresh that yielded no tokens. Raises ConnectionChanged if the
    lease is no longer ours.
    """
    return _overwrite(leased, new, "tokensVersion = :known AND leaseOwner = :owner", owner=leased.lease_owner)


def mark_expired(old: StoredConnection, new: StoredConnection) -> StoredConnection:
    """Store `new`, which is expired because its token ended or its client changed, not because of a refresh.
    Raises ConnectionChanged.
    """
    return _overwrite(old, new, "tokensVersion = :known AND version = :version", version=old.version)


def reschedule(connection: StoredConnection, due_at: int | None) -> None:
    """Set when maintenance processes the connection next; None for never. Does nothing if the connection or
    its due time has changed.
    """
    expression = "REMOVE dueShard, dueAt"
    values: dict[str, int | None] = {}
    if due_at is not None:
        expression = "SET dueShard = :shard, dueAt = :at"
        values = {"shard": connection.with_due_at(due_at).due_shard, "at": due_at}
    with suppress(dynamo.ConditionFailed):
        dynamo.update(
            settings().connections_table,
            _key_of(connection),
            expression,
            returning="NONE",
            condition="id = :id AND dueAt = :known AND version = :version",
            names=None,
            id=connection.id,
            known=connection.due_at,
            version=connection.version,
            **values,
        )


# ── removing ─────────────────────────────────────────────────────────────────────────────────────────


def start_removal(
    connection: StoredConnection,
    now: int,
    reason: announcements.RemovalReason,
    extra_actions: Sequence[dynamo.TransactItem] = (),
) -> StoredConnection:
    """Mark a connection as revoked, and announce it: it serves no tokens from now on, and is due immediately,
    so that maintenance finishes the removal if this process does not. Raises ConnectionChanged.
    """
    new = replace(
        connection, status=ConnectionStatus.REVOKED, updated_at=now, version=connection.version + 1
    ).with_due_at(now)
    action = dynamo.update_action(
        settings().connections_table,
        _key_of(connection),
        "SET #status = :status, updatedAt = :now, version = :new, dueShard = :shard, dueAt = :now",
        names={"#status": "status"},
        condition="id = :id AND version = :known",
        status=new.status,
        now=now,
        new=new.version,
        shard=new.due_shard,
        id=connection.id,
        known=connection.version,
    )
    is_first = connection.status != ConnectionStatus.REVOKED
    announced = [announcements.revoked(connection, reason)] if is_first else []
    try:
        dynamo.transact([action, *announced, *extra_actions])
    except dynamo.TransactionCanceled as refused:
        raise _changed(refused.rows[0]) from None
    return new


def delete(connection: StoredConnection) -> None:
    """Delete the row and decrement the counts. Does nothing if the row is already gone."""
    actions = [
        dynamo.delete_action(
            settings().connections_table, _key_of(connection), condition="id = :id", id=connection.id
        )
    ]
    if connection.counted:
        actions.append(integrations_store.count_workspace_connection_action(connection.workspace_id, -1))
    count = integrations_store.uncount_connection_action(connection.workspace_id, connection.integration_id)
    try:
        dynamo.transact([*actions, count])
    except dynamo.TransactionCanceled as refused:
        if 0 in refused.failed:
            return
        with suppress(dynamo.TransactionCanceled):  # the integration's row is gone, and its count with it
            dynamo.transact(actions)


def workspace_keys(workspace_id: str, integration_ids: Iterable[IntegrationId]) -> Iterator[dynamo.Row]:
    """The keys of all rows of a workspace that has these integrations."""
    for partition in (*(_partition_key(workspace_id, id) for id in integration_ids), workspace_id):
        yield from dynamo.query(
            settings().connections_table,
            "integrationKey = :key",
            attributes=("integrationKey", "name"),
            key=partition,
        )


# ── calls to providers ───────────────────────────────────────────────────────────────────────────────


def get_call_state(workspace_id: str, kind: CallKind) -> ProviderCallState:
    row = dynamo.get(settings().connections_table, _call_state_key(workspace_id, kind))
    return _call_state(workspace_id, row, kind)


def mark_slow(workspace_id: str, kind: CallKind, until: int) -> None:
    """Require a permit for the workspace's calls of this kind until that time."""
    _update_call_state(workspace_id, kind, "SET slowUntil = :until", until=until)


def acquire_permit(workspace_id: str, kind: CallKind, now: int, lease_ms: int) -> str | None:
    """Acquire a permit for a call to the workspace's providers; None if all are taken."""
    update = partial(_update_call_state, workspace_id, kind)
    return permits.acquire(update, _MAX_SLOW_CALLS, now=now, lease_ms=lease_ms)


def release_permit(workspace_id: str, kind: CallKind, permit: str) -> None:
    permits.release(partial(_update_call_state, workspace_id, kind), permit)


def _update_call_state(workspace_id: str, kind: CallKind, expression: str, **terms: Any) -> None:
    key = _call_state_key(workspace_id, kind)
    dynamo.update(settings().connections_table, key, expression, returning="NONE", **terms)


def _call_state(workspace_id: str, row: dynamo.Row | None, kind: CallKind = "calls") -> ProviderCallState:
    if row is None:
        return ProviderCallState(workspace_id, kind)
    return ProviderCallState(workspace_id, kind, row.get("slowUntil", 0), row.get("permits", frozenset()))


def _call_state_key(workspace_id: str, kind: CallKind = "calls") -> dynamo.Row:
    return {"integrationKey": workspace_id, "name": kind}


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────


def _overwrite(
    old: StoredConnection, new: StoredConnection, condition: str, **values: str | int | None
) -> StoredConnection:
    """Store `new` without a lease. Raises ConnectionChanged."""
    row = _to_row(replace(new, lease_owner=None, lease_until=None))
    try:
        dynamo.put(
            settings().connections_table,
            row,
            condition=f"id = :id AND #status <> :revoked AND {condition}",
            names={"#status": "status"},
            id=old.id,
            known=old.tokens_version,
            revoked=ConnectionStatus.REVOKED,
            **values,
        )
    except dynamo.ConditionFailed as refused:
        raise _changed(refused.row) from None
    return _from_row(row)


def _changed(row: dynamo.Row | None) -> ConnectionChanged:
    return ConnectionChanged(None if row is None else _from_row(row))


def _from_row(row: dynamo.Row) -> StoredConnection:
    return from_row(StoredConnection, row)


def _to_row(connection: StoredConnection) -> dynamo.Row:
    return {
        **to_row(connection),
        "integrationKey": _partition_key(connection.workspace_id, connection.integration_id),
    }


def _key_of(connection: StoredConnection) -> dynamo.Row:
    return _key(connection.workspace_id, connection.integration_id, connection.name)


def _key(workspace_id: str, integration_id: IntegrationId, name: str) -> dynamo.Row:
    return {"integrationKey": _partition_key(workspace_id, integration_id), "name": name}


def _partition_key(workspace_id: str, integration_id: IntegrationId) -> str:
    return f"{workspace_id}#{integration_id}"
