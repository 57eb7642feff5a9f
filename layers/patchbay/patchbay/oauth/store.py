"""The connections table: a row per connection, which holds its tokens and who may refresh them.

Key: integrationKey (`<workspace>#<int_…>`), name (the caller's). Local index `byId`: integrationKey, id.
Sparse index `due`: dueShard, dueAt: when the schedule looks at it next. Expiries to announce and removals to
finish have a shard of their own, so that they do not wait behind refreshes.
A workspace whose providers are slow has one more row (integrationKey `<workspace>`, name `calls`), with
`slowUntil` and `permits`; see `calls`.

`sealed` is the ciphertext of the tokens, all in one, so that they change in one write; `tokensVersion` counts
those writes. A refresh holds the row by leaseOwner and leaseUntil; a lease that ran out means that its holder
died with the answer, so that the refresh token may be used up (`inDoubt`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from patchbay import idempotency, permits
from patchbay.errors import Conflict
from patchbay.ids import ConnectionId, ConnectionRef, IntegrationId
from patchbay.integrations import store as integrations_store
from patchbay.oauth.models import ConnectionStatus
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import from_row, to_row

if TYPE_CHECKING:
    from patchbay.api_model import ApiModel
    from patchbay.idempotency import Once

# Shard of the index `due` for what ends: announcements and removals. The others are for refreshes.
_ENDING = len(due_index.SHARDS)
_ENDED = (ConnectionStatus.EXPIRED, ConnectionStatus.REVOKED)
# How many calls a workspace with slow providers may have open.
_MOST_SLOW_CALLS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConnection:
    """A connection's row. Times in Unix milliseconds; `metadata` is JSON; `variables` are what a callback
    said of the provider's addresses. `refresh_at` is when its token should be refreshed, None for never.
    The provider asked to wait until `told_until`. `refusals` counts those without a known reason in a row,
    the first of them at `refused_since`. `counted` says that the workspace's count includes it, which is
    true for all connections made since there is a ceiling.
    """

    workspace_id: str
    integration_id: IntegrationId
    name: str
    id: ConnectionId
    provider: str | None = None
    status: str
    auth_type: str
    generation: int
    created_by: str
    created_at: int
    updated_at: int
    sealed: str = field(repr=False)
    tokens_version: int = 1
    version: int = 1
    scopes: Sequence[str] = ()
    account_id: str | None = None
    account_label: str | None = None
    metadata: str = "{}"
    variables: Mapping[str, str] = field(default_factory=dict)
    refreshable: bool = False
    obtained_at: int = 0
    expires_at: int | None = None
    refresh_at: int | None = None
    last_refreshed_at: int | None = None
    last_error: Mapping[str, Any] | None = None
    lease_owner: str | None = None
    lease_until: int | None = None
    in_doubt: bool = False
    failures: int = 0
    retry_at: int | None = None
    told_until: int | None = None
    refusals: int = 0
    refused_since: int | None = None
    counted: bool = False
    due_shard: int | None = None
    due_at: int | None = None

    @property
    def error_code(self) -> str | None:
        return None if self.last_error is None else str(self.last_error["code"])

    def due(self, at_ms: int | None) -> StoredConnection:
        """To be looked at by the schedule from then on; None for never."""
        shard = _ENDING if self.status in _ENDED else due_index.shard_of(self.id)
        return replace(self, due_shard=None if at_ms is None else shard, due_at=at_ms)


@dataclass(frozen=True, slots=True)
class Calls:
    """The state of a workspace's calls to its providers: until when they need a permit (Unix milliseconds),
    and the permits that are taken.
    """

    workspace_id: str
    slow_until: int = 0
    permits: frozenset[str] = frozenset()

    def slow(self, now: int) -> bool:
        return self.slow_until > now

    def has_room(self, now: int) -> bool:
        """Whether there is a permit to take."""
        return len(self.permits - permits.expired(self.permits, now)) < _MOST_SLOW_CALLS


class Found(NamedTuple):
    """What one call reads: an integration that is not deleted, a connection, and the state of the workspace's
    calls.
    """

    integration: integrations_store.StoredIntegration | None
    connection: StoredConnection | None
    calls: Calls


class ConnectionChanged(Exception):
    """The row is no longer as it was read; `now` is what stands there, None where nothing does."""

    def __init__(self, now: StoredConnection | None) -> None:
        super().__init__("the connection has changed")
        self.now = now


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────


def get(workspace_id: str, integration_id: IntegrationId, name: str) -> StoredConnection | None:
    """By its name; strongly consistent."""
    row = dynamo.get(settings().connections_table, _key(workspace_id, integration_id, name))
    return None if row is None else _stored(row)


def find(workspace_id: str, integration_id: IntegrationId, ref: ConnectionRef) -> Found:
    """The integration and its connection, by name or id, in one call for a name."""
    name: str | None = ref
    if ref.id is not None:
        name = _name_of(workspace_id, integration_id, ref.id)
    return _find(workspace_id, integration_id, name)


def find_by_key(key: tuple[str, str]) -> Found:
    """As `find`, by a key that `due` gave."""
    workspace_id, _, integration_id = key[0].rpartition("#")
    return _find(workspace_id, IntegrationId(integration_id), key[1])


def _find(workspace_id: str, integration_id: IntegrationId, name: str | None) -> Found:
    connections = settings().connections_table
    keys = [
        (settings().integrations_table, integrations_store.key(workspace_id, integration_id)),
        (connections, _calls_key(workspace_id)),
    ]
    if name is not None:
        keys.append((connections, _key(workspace_id, integration_id, name)))
    integration_row, calls_row, *rows = dynamo.get_each(keys)
    integration = None if integration_row is None else integrations_store.of_stored(integration_row)
    if integration is not None and integration.deleted_at is not None:
        integration = None
    connection = None if not rows or rows[0] is None else _stored(rows[0])
    return Found(integration, connection, _calls(workspace_id, calls_row))


def _name_of(workspace_id: str, integration_id: IntegrationId, id: ConnectionId) -> str | None:
    rows = dynamo.query(
        settings().connections_table,
        "integrationKey = :key AND id = :id",
        index="byId",
        local=True,
        key=_partition(workspace_id, integration_id),
        id=id,
    )
    return next((row["name"] for row in rows), None)


def page(
    workspace_id: str, integration_id: IntegrationId, *, status: str | None, limit: int, cursor: str | None
) -> Page[StoredConnection]:
    """Connections, newest first."""
    partition = _partition(workspace_id, integration_id)
    found = dynamo.page(
        settings().connections_table,
        ("integrationKey", partition),
        ("id", *ConnectionId.range(None, None)),
        index="byId",
        keys=("name",),
        limit=limit,
        cursor=cursor,
    )
    keys = [_key(workspace_id, integration_id, row["name"]) for row in found.items]
    rows = {
        row["id"]: row for row in dynamo.get_many(settings().connections_table, keys, ConsistentRead=True)
    }

    def present(indexed: dynamo.Row) -> StoredConnection | None:
        row = rows.get(indexed["id"])
        return _stored(row) if row is not None and status in (None, row["status"]) else None

    return found.map(present)


def all_of(workspace_id: str, integration_id: IntegrationId) -> Iterator[StoredConnection]:
    """Every connection of an integration."""
    for row in dynamo.query(
        settings().connections_table,
        "integrationKey = :key",
        key=_partition(workspace_id, integration_id),
    ):
        yield _stored(row)


def refreshes_due(shard: int, now: int) -> Iterator[tuple[str, str]]:
    """Keys of connections to refresh, longest due first."""
    for row in due_index.rows(settings().connections_table, shard, now):
        yield row["integrationKey"], row["name"]


def endings_due(now: int) -> Iterator[tuple[str, str]]:
    """Keys of connections whose expiry is to be announced or whose removal is to be finished."""
    return refreshes_due(_ENDING, now)


def get_by_key(key: tuple[str, str]) -> StoredConnection | None:
    row = dynamo.get(settings().connections_table, {"integrationKey": key[0], "name": key[1]})
    return None if row is None else _stored(row)


# ── connecting ───────────────────────────────────────────────────────────────────────────────────────


def connect(
    new: StoredConnection,
    old: StoredConnection | None,
    more: Sequence[dynamo.TransactItem],
    once: Once | None = None,
    answer: ApiModel | None = None,
) -> None:
    """Store a connection that was just made, over `old` of the same name if there is one. Whatever lease was
    held of the old one is gone with it.

    Raises ConnectionChanged when another one was faster, Conflict when the integration's client is no longer the one
    that the connection was made with, or at the workspace's ceiling. Replacing a connection needs no room.
    """
    most = settings().max_connections
    terms: dict[str, Any] = {"condition": "attribute_not_exists(id)"}
    if old is not None:
        terms = {
            "condition": "id = :id AND tokensVersion = :known AND #status <> :revoked",
            "names": {"#status": "status"},
            "id": old.id,
            "known": old.tokens_version,
            "revoked": ConnectionStatus.REVOKED,
        }
    completing = once.completing(answer) if once is not None and answer is not None else []
    actions = [
        dynamo.put_action(settings().connections_table, _row(replace(new, counted=True)), **terms),
        integrations_store.counting_connection(
            new.workspace_id, new.integration_id, 1 if old is None else 0, new.generation
        ),
        *more,
        *completing,
    ]
    if old is None or not old.counted:
        ceiling = most if old is None else None
        actions.insert(2, integrations_store.counting_in_workspace(new.workspace_id, 1, most=ceiling))
    try:
        dynamo.transact(actions)
    except dynamo.TransactionRefused as refused:
        if 1 in refused.failed:
            raise Conflict(
                "The integration's client or addresses changed while the user was connecting. Begin anew."
            ) from None
        if 0 in refused.failed:
            raise ConnectionChanged(None if refused.rows[0] is None else _stored(refused.rows[0])) from None
        if 2 in refused.failed and old is None:
            raise Conflict(f"This workspace has {most} connections, its ceiling. Delete one first.") from None
        raise idempotency.still_running() from None


# ── refreshing ───────────────────────────────────────────────────────────────────────────────────────


def lease(connection: StoredConnection, owner: str, now: int, until: int) -> StoredConnection:
    """Take the right to refresh a connection as it was read. Raises ConnectionChanged when another has it, or the
    tokens are others by now.

    One whose lease ran out died with the provider's answer, or before it asked: nobody knows.
    """
    condition = "tokensVersion = :known AND #status IN (:active, :error) AND "
    values: dict[str, Any] = {}
    if connection.lease_owner is None:
        condition += "attribute_not_exists(leaseOwner)"
    else:
        condition += "leaseOwner = :dead AND leaseUntil < :now"
        values = {"dead": connection.lease_owner, "now": now}
    return _update(
        connection,
        "SET leaseOwner = :owner, leaseUntil = :until, inDoubt = :doubt",
        condition,
        owner=owner,
        until=until,
        doubt=connection.in_doubt or connection.lease_owner is not None,
        known=connection.tokens_version,
        active=ConnectionStatus.ACTIVE,
        error=ConnectionStatus.ERROR,
        **values,
    )


def refreshed(old: StoredConnection, new: StoredConnection) -> StoredConnection:
    """Store fresh tokens over those they were got with, whoever has the lease by now: to lose them would be
    worse. Raises ConnectionChanged when the tokens are others, or the connection is being removed.
    """
    row = _row(new)
    try:
        dynamo.put(
            settings().connections_table,
            row,
            condition="id = :id AND tokensVersion = :known AND #status <> :revoked",
            names={"#status": "status"},
            id=old.id,
            known=old.tokens_version,
            revoked=ConnectionStatus.REVOKED,
        )
    except dynamo.ConditionFailed as refused:
        if refused.row is not None and refused.row["sealed"] == row["sealed"]:
            return new  # our own write: its answer was lost, and the client sent it again
        raise _changed(refused.row) from None
    return new


def release(held: StoredConnection, new: StoredConnection) -> StoredConnection:
    """Note why a refresh brought no tokens, and give the lease back. Raises ConnectionChanged when it is not ours."""
    return _write_over(held, new, "tokensVersion = :known AND leaseOwner = :owner", owner=held.lease_owner)


def expire(old: StoredConnection, new: StoredConnection) -> StoredConnection:
    """As `release`, of one that nobody holds: its token ended, or its client was changed. Raises ConnectionChanged."""
    return _write_over(old, new, "tokensVersion = :known AND version = :version", version=old.version)


def settle(connection: StoredConnection, due_at: int | None) -> None:
    """What was due is done, as long as nothing else has become due since."""
    after = connection.due(due_at)
    expression = "REMOVE dueShard, dueAt" if due_at is None else "SET dueShard = :shard, dueAt = :at"
    values: dict[str, Any] = {} if due_at is None else {"shard": after.due_shard, "at": due_at}
    try:
        dynamo.update(
            settings().connections_table,
            _key_of(connection),
            expression,
            condition="id = :id AND dueAt = :known AND version = :version",
            id=connection.id,
            known=connection.due_at,
            version=connection.version,
            **values,
        )
    except dynamo.ConditionFailed:
        return


# ── removing ─────────────────────────────────────────────────────────────────────────────────────────


def begin_removal(
    connection: StoredConnection, now: int, more: Sequence[dynamo.TransactItem]
) -> StoredConnection:
    """From now on it gives no tokens; due at once, so that it goes whatever happens to this process. Raises
    ConnectionChanged.
    """
    new = replace(
        connection, status=ConnectionStatus.REVOKED, updated_at=now, version=connection.version + 1
    ).due(now)
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
    try:
        dynamo.transact([action, *more])
    except dynamo.TransactionRefused as refused:
        raise _changed(refused.rows[0]) from None
    return new


def remove(connection: StoredConnection) -> None:
    """Take the row away and count it out; nothing when that was done before."""
    gone = dynamo.delete_action(
        settings().connections_table, _key_of(connection), condition="id = :id", id=connection.id
    )
    actions = [gone]
    if connection.counted:
        actions.append(integrations_store.counting_in_workspace(connection.workspace_id, -1))
    counted = integrations_store.counting_out(connection.workspace_id, connection.integration_id)
    try:
        dynamo.transact([*actions, counted])
    except dynamo.TransactionRefused as refused:
        if 0 in refused.failed:
            return
        with suppress(dynamo.TransactionRefused):  # the integration's own row is gone, and its count with it
            dynamo.transact(actions)


# ── calls to providers ───────────────────────────────────────────────────────────────────────────────


def mark_slow(workspace_id: str, until: int) -> None:
    """Make the workspace's calls need a permit until then."""
    _update_calls(workspace_id, "SET slowUntil = :until", until=until)


def acquire_permit(workspace_id: str, now: int, lease_ms: int) -> str | None:
    """A permit for calls to the workspace's providers; None while all are taken."""
    return permits.acquire(partial(_update_calls, workspace_id), _MOST_SLOW_CALLS, now=now, lease_ms=lease_ms)


def release_permit(workspace_id: str, permit: str) -> None:
    permits.release(partial(_update_calls, workspace_id), permit)


def _update_calls(workspace_id: str, expression: str, **terms: Any) -> None:
    dynamo.update(
        settings().connections_table, _calls_key(workspace_id), expression, returning="NONE", **terms
    )


def _calls(workspace_id: str, row: dynamo.Row | None) -> Calls:
    if row is None:
        return Calls(workspace_id)
    return Calls(workspace_id, row.get("slowUntil", 0), row.get("permits", frozenset()))


def _calls_key(workspace_id: str) -> dynamo.Row:
    return {"integrationKey": workspace_id, "name": "calls"}


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────


def _write_over(
    old: StoredConnection, new: StoredConnection, condition: str, **values: Any
) -> StoredConnection:
    row = _row(replace(new, lease_owner=None, lease_until=None))
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
    return _stored(row)


def _update(connection: StoredConnection, expression: str, condition: str, **values: Any) -> StoredConnection:
    try:
        row = dynamo.update(
            settings().connections_table,
            _key_of(connection),
            expression,
            condition=f"id = :id AND {condition}",
            names={"#status": "status"},
            id=connection.id,
            **values,
        )
    except dynamo.ConditionFailed as refused:
        owner = values.get("owner")
        if owner is not None and refused.row is not None and refused.row.get("leaseOwner") == owner:
            return _stored(refused.row)  # our own write: its answer was lost, and the client sent it again
        raise _changed(refused.row) from None
    return _stored(row)


def _changed(row: dynamo.Row | None) -> ConnectionChanged:
    return ConnectionChanged(None if row is None else _stored(row))


def _stored(row: dynamo.Row) -> StoredConnection:
    return from_row(StoredConnection, row)


def _row(connection: StoredConnection) -> dynamo.Row:
    return {
        **to_row(connection),
        "integrationKey": _partition(connection.workspace_id, connection.integration_id),
    }


def _key_of(connection: StoredConnection) -> dynamo.Row:
    return _key(connection.workspace_id, connection.integration_id, connection.name)


def _key(workspace_id: str, integration_id: IntegrationId, name: str) -> dynamo.Row:
    return {"integrationKey": _partition(workspace_id, integration_id), "name": name}


def _partition(workspace_id: str, integration_id: IntegrationId) -> str:
    return f"{workspace_id}#{integration_id}"
