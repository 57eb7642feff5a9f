"""The Sessions table: a row for each portal session (`pse_…`) and each connect session (`cse_…`).

Key: workspaceId, id. Secrets are hashes (`tokens`). TTL deletes a portal session a day after its expiry, and
a connect session 30 days after it, so that a list can show its outcome for a while. TTL deletes late, so
every condition compares the time.

A code is exchanged by one conditional write, and so is every other change. A connect session is completed in
the transaction that stores its connection. Crash between any two lines:
    before the exchange             the code still works
    after it, response lost         the code is used up; the user opens a new link
    before the connection's         the session is OPEN, and its user tries again
    transaction
"""

from __future__ import annotations

from collections.abc import Iterator

from patchbay.ids import ConnectionId, ConnectSessionId, IntegrationId, PortalSessionId
from patchbay.sessions.stored_session import StoredConnectSession, StoredPortalSession
from patchbay.sessions.tokens import ParsedToken
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import from_row, to_row

_PORTAL_KEPT_SECONDS = 86_400
_LINK_KEPT_SECONDS = 30 * 86_400
# The maximum number of requests with a connect link, which anyone may hold. A flow takes three requests.
MAX_REQUESTS = 500
MAX_STARTS = 20


class CodeRefused(Exception):
    """A code was not exchanged. `session` is its portal session, or None if there is none."""

    def __init__(self, session: StoredPortalSession | None) -> None:
        super().__init__("the portal session does not allow this")
        self.session = session


class LinkRefused(Exception):
    """A connect session did not allow a write. `session` is None if there is none."""

    def __init__(self, session: StoredConnectSession | None) -> None:
        super().__init__("the connect session does not allow this")
        self.session = session


# ── portal sessions ──────────────────────────────────────────────────────────────────────────────────


def put_portal(session: StoredPortalSession) -> None:
    _put(to_row(session), session.expires_at // 1000 + _PORTAL_KEPT_SECONDS)


def get_portal(workspace_id: str, id: PortalSessionId) -> StoredPortalSession | None:
    """Strongly consistent."""
    row = dynamo.get(settings().sessions_table, _key(workspace_id, id))
    return None if row is None else from_row(StoredPortalSession, row)


def page_portal(
    workspace_id: str, *, created_by: str | None, limit: int, cursor: str | None
) -> Page[StoredPortalSession]:
    """Portal sessions, newest first."""
    page = dynamo.page(
        dynamo.PageQuery(
            settings().sessions_table,
            partition=("workspaceId", workspace_id),
            sort_range=("id", *PortalSessionId.range(None, None)),
            limit=limit,
            cursor=cursor,
            filter=None if created_by is None else "createdBy = :creator",
            values={} if created_by is None else {"creator": created_by},
        )
    )
    return page.map(lambda row: from_row(StoredPortalSession, row))


def exchange(code: ParsedToken, token_hash: str, now: int) -> StoredPortalSession:
    """Replace the code with the token, if the code is valid at `now`. Raises CodeRefused.

    The hash of the used code stays, so that a repeat gets a clear error.
    """
    try:
        row = dynamo.update(
            settings().sessions_table,
            _key(code.workspace_id, code.id(PortalSessionId)),
            "SET tokenHash = :token, openedAt = :now",
            condition="codeHash = :code AND attribute_not_exists(tokenHash) "
            "AND attribute_not_exists(endedAt) AND codeExpiresAt > :now AND expiresAt > :now",
            code=code.hash,
            token=token_hash,
            now=now,
        )
    except dynamo.ConditionFailed as refused:
        session = None if refused.row is None else from_row(StoredPortalSession, refused.row)
        if session is not None and session.token_hash == token_hash:
            return session  # our own write: its response was lost, and the client retried
        raise CodeRefused(session) from None
    return from_row(StoredPortalSession, row)


def end_portal(workspace_id: str, id: PortalSessionId, now: int) -> bool:
    """End a session. Idempotent. Returns False if there is none."""
    try:
        dynamo.update(
            settings().sessions_table,
            _key(workspace_id, id),
            "SET endedAt = if_not_exists(endedAt, :now)",
            condition="attribute_exists(id)",
            returning="NONE",
            now=now,
        )
    except dynamo.ConditionFailed:
        return False
    return True


# ── connect sessions ─────────────────────────────────────────────────────────────────────────────────


def put_link(session: StoredConnectSession) -> None:
    _put(to_row(session), session.expires_at // 1000 + _LINK_KEPT_SECONDS)


def page_links(workspace_id: str, *, limit: int, cursor: str | None) -> Page[StoredConnectSession]:
    """Connect sessions, newest first."""
    page = dynamo.page(
        dynamo.PageQuery(
            settings().sessions_table,
            partition=("workspaceId", workspace_id),
            sort_range=("id", *ConnectSessionId.range(None, None)),
            limit=limit,
            cursor=cursor,
        )
    )
    return page.map(lambda row: from_row(StoredConnectSession, row))


def count_request(token: ParsedToken, now: int) -> StoredConnectSession:
    """Count a request with a connect link, if the secret is right and the link is not revoked, expired or
    used too often. Raises LinkRefused.
    """
    try:
        row = dynamo.update(
            settings().sessions_table,
            _key(token.workspace_id, token.id(ConnectSessionId)),
            "SET requests = requests + :one",
            condition="tokenHash = :hash AND #status <> :revoked AND expiresAt > :now AND requests < :most",
            names={"#status": "status"},
            hash=token.hash,
            revoked="REVOKED",
            now=now,
            most=MAX_REQUESTS,
            one=1,
        )
    except dynamo.ConditionFailed as refused:
        raise _link_refused(refused.row) from None
    return from_row(StoredConnectSession, row)


def start_action(workspace_id: str, id: ConnectSessionId, now: int) -> dynamo.TransactItem:
    """Count a flow that a link starts, if it is open and has started fewer than MAX_STARTS."""
    return dynamo.update_action(
        settings().sessions_table,
        _key(workspace_id, id),
        "SET starts = starts + :one",
        condition="#status = :open AND expiresAt > :now AND starts < :most",
        names={"#status": "status"},
        open="OPEN",
        now=now,
        most=MAX_STARTS,
        one=1,
    )


def complete_action(
    workspace_id: str,
    id: ConnectSessionId,
    now: int,
    integration_id: IntegrationId,
    connection_id: ConnectionId,
) -> dynamo.TransactItem:
    """Use up an open link, in the transaction that stores its connection."""
    return dynamo.update_action(
        settings().sessions_table,
        _key(workspace_id, id),
        "SET #status = :completed, completedAt = :now, integrationId = :integration, "
        "connectionId = :connection",
        condition="#status = :open AND expiresAt > :now",
        names={"#status": "status"},
        open="OPEN",
        completed="COMPLETED",
        now=now,
        integration=integration_id,
        connection=connection_id,
    )


def revoke_link(workspace_id: str, id: ConnectSessionId) -> None:
    """Revoke a link. Idempotent. Raises LinkRefused if there is none, or if it was completed."""
    try:
        dynamo.update(
            settings().sessions_table,
            _key(workspace_id, id),
            "SET #status = :revoked",
            condition="attribute_exists(id) AND #status <> :completed",
            names={"#status": "status"},
            returning="NONE",
            revoked="REVOKED",
            completed="COMPLETED",
        )
    except dynamo.ConditionFailed as refused:
        raise _link_refused(refused.row) from None


def _link_refused(row: dynamo.Row | None) -> LinkRefused:
    return LinkRefused(None if row is None else from_row(StoredConnectSession, row))


# ── both ─────────────────────────────────────────────────────────────────────────────────────────────


def workspace_keys(workspace_id: str) -> Iterator[dynamo.Row]:
    """The keys of all rows of a workspace."""
    yield from dynamo.query(
        settings().sessions_table,
        "workspaceId = :workspace",
        attributes=("workspaceId", "id"),
        workspace=workspace_id,
    )


def _put(row: dynamo.Row, ttl: int) -> None:
    dynamo.put(settings().sessions_table, row | {"ttl": ttl})


def _key(workspace_id: str, id: str) -> dynamo.Row:
    return {"workspaceId": workspace_id, "id": id}
