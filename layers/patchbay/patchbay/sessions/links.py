"""Connect sessions: their rows, and what someone with a connect link may connect. A caller without a link
is not affected.

The link decides the integrations, the connection's name, the scopes and the page to return to, so that its
holder cannot replace another connection or ask for more. It starts a bounded number of flows, and creates one
connection: `complete_actions` joins the transaction that stores it.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchbay.auth.principal import LinkGrant, Principal
from patchbay.clock import now_ms
from patchbay.errors import Conflict, Forbidden, NotFound
from patchbay.ids import ConnectionId, ConnectSessionId, IntegrationId
from patchbay.sessions import creator, store, tokens
from patchbay.sessions.stored_session import StoredConnectSession
from patchbay.storage import dynamo
from patchbay.storage.paging import Page


def create(
    principal: Principal,
    *,
    seconds: int,
    integration_ids: Sequence[IntegrationId],
    connection_name: str | None,
    scopes: Sequence[str] | None,
    workspace_name: str | None,
    requested_by: str | None,
    return_url: str | None,
) -> tuple[StoredConnectSession, str]:
    """A new session of this many seconds, and the token of its link. The default of `connection_name` is the
    session's ID. A portal session may create one that outlives it, because it may also create the connection
    itself; both end with the API key that created the portal session.
    """
    now = now_ms()
    id = ConnectSessionId.new(now)
    token = tokens.mint("cses", principal.workspace_id, id)
    session = StoredConnectSession(
        workspace_id=principal.workspace_id,
        id=id,
        created_by=principal.id,
        created_at=now,
        expires_at=creator.expiry_ms(principal, now, seconds),
        integration_ids=list(integration_ids),
        connection_name=connection_name or id,
        scopes=None if scopes is None else list(scopes),
        workspace_name=workspace_name,
        requested_by=requested_by,
        return_url=return_url,
        key_id=creator.key_of(principal),
        token_hash=token.hash,
    )
    store.put_link(session)
    return session, token.text


def page(workspace_id: str, *, limit: int, cursor: str | None) -> Page[StoredConnectSession]:
    """The workspace's sessions, newest first."""
    return store.page_links(workspace_id, limit=limit, cursor=cursor)


def revoke(workspace_id: str, id: ConnectSessionId) -> None:
    """Revoke a link. Raises NotFound, and Conflict if it has created its connection."""
    try:
        store.revoke_link(workspace_id, id)
    except store.LinkRefused as refused:
        if refused.session is None:
            raise NotFound("No connect session with this ID.") from None
        raise Conflict(
            "This connect link was already used to create a connection. To undo that, delete the connection."
        ) from None


# ── what a link allows ───────────────────────────────────────────────────────────────────────────────


def check_integration(principal: Principal, id: IntegrationId) -> None:
    """Raises NotFound for an integration that the caller's link does not cover, and Forbidden for a used
    link.
    """
    link = principal.link
    if link is None:
        return
    check_open(link)
    if id not in link.integration_ids:
        raise NotFound("No integration with this ID.")


def check_open(link: LinkGrant) -> None:
    """Raises Forbidden for a link that has created its connection."""
    if link.status != "OPEN":
        raise Forbidden("This connect link was already used. Ask the sender for a new one.")


def connection_name(principal: Principal, sent: str | None, default: str) -> str:
    """The name of the connection: the link's, or else what was `sent`. Raises Forbidden for any other."""
    link = principal.link
    if link is None:
        return default if sent is None else sent
    if sent not in (None, link.connection_name):
        raise Forbidden("This connect link has its own connectionId. Omit connectionId.")
    return link.connection_name


def scopes(principal: Principal, sent: Sequence[str] | None) -> list[str] | None:
    """The scopes to request: the link's, or else what was `sent`. Raises Forbidden for any others."""
    link = principal.link
    if link is None:
        return None if sent is None else list(sent)
    if sent is not None and set(sent) != set(link.scopes or ()):
        raise Forbidden("This connect link has its own scopes. Omit scopes.")
    return None if link.scopes is None else list(link.scopes)


def start_actions(principal: Principal) -> list[dynamo.TransactItem]:
    """Actions for the transaction that starts a flow."""
    link = principal.link
    return [] if link is None else [store.start_action(principal.workspace_id, link.id, now_ms())]


def complete_actions(
    principal: Principal, integration_id: IntegrationId, connection_id: ConnectionId
) -> list[dynamo.TransactItem]:
    """Actions for the transaction that stores a connection."""
    link = principal.link
    if link is None:
        return []
    return [store.complete_action(principal.workspace_id, link.id, now_ms(), integration_id, connection_id)]


def not_started() -> Forbidden:
    """The error if `start_actions` failed."""
    return Forbidden(
        "This connect link was revoked, was used, has expired, or has started "
        f"{store.MAX_STARTS} flows. Ask the sender for a new one."
    )


def not_completed() -> Conflict:
    """The error if `complete_actions` failed."""
    return Conflict(
        "This connect link was revoked or used, or has expired in the meantime, so nothing was connected. "
        "Ask the sender for a new one."
    )
