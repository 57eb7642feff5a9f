"""Connect links: create, list and revoke them, and what their page shows."""

from __future__ import annotations

from collections.abc import Sequence

from patchbay import return_urls
from patchbay.api_model import Empty, Listing, ListQuery
from patchbay.auth.principal import LinkGrant, Principal
from patchbay.clock import from_ms, now_ms
from patchbay.connect.models import (
    ConnectableIntegration,
    ConnectPage,
    ConnectSession,
    ConnectSessionLink,
    ConnectSessionStatus,
    CreateConnectSession,
    RequestedScope,
)
from patchbay.errors import ValidationFailed
from patchbay.ids import ConnectSessionId, IntegrationId
from patchbay.integrations import client, provider_catalogue
from patchbay.integrations import service as integrations
from patchbay.integrations.config import origin_of
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.oauth import flow
from patchbay.providers.provider import AuthType, OAuth
from patchbay.sessions import links
from patchbay.sessions.stored_session import StoredConnectSession


def create(principal: Principal, body: CreateConnectSession, origin: str) -> ConnectSessionLink:
    """Create a link. Only this response contains it.

    Raises ValidationFailed for an integration that the workspace does not have, scopes beyond the
    integration's, or a `returnUrl` of another origin; IntegrationInactive.
    """
    return_urls.check(body.return_url)
    _check_integrations(principal, body)
    stored, token = links.create(
        principal,
        seconds=body.expires_in,
        integration_ids=body.integrations,
        connection_name=body.connection_id,
        scopes=body.scopes,
        workspace_name=body.workspace_name,
        requested_by=body.requested_by,
        return_url=body.return_url,
    )
    return ConnectSessionLink(**dict(_to_api(stored, stored.created_at)), link=f"{origin}/connect#{token}")


def list_sessions(principal: Principal, query: ListQuery) -> Listing[ConnectSession]:
    """The workspace's connect sessions, newest first."""
    page = links.page(principal.workspace_id, limit=query.limit, cursor=query.cursor)
    now = now_ms()
    return Listing.from_page(page.map(lambda session: _to_api(session, now)))


def revoke(principal: Principal, id: ConnectSessionId) -> Empty:
    """Revoke a link: its next request is refused. Raises NotFound, and Conflict if it was completed."""
    links.revoke(principal.workspace_id, id)
    return Empty()


def page(principal: Principal, origin: str) -> ConnectPage:
    """What the page of the caller's link shows. Integrations that were deleted are left out."""
    link = _link_of(principal)
    stored = integrations.find_many(principal.workspace_id, link.integration_ids)
    return ConnectPage(
        id=link.id,
        status=ConnectSessionStatus(link.status),
        workspace_id=principal.workspace_id,
        workspace_name=link.workspace_name,
        requested_by=link.requested_by,
        connection_id=link.connection_name,
        return_url=link.return_url,
        expires_at=link.expires_at,
        integrations=[_connectable(integration, link, origin) for integration in stored],
    )


def _link_of(principal: Principal) -> LinkGrant:
    if principal.link is None:
        raise LookupError("only the holder of a connect link has its page")
    return principal.link


def _check_integrations(principal: Principal, body: CreateConnectSession) -> None:
    found = {each.id: each for each in integrations.find_many(principal.workspace_id, body.integrations)}
    for index, id in enumerate(body.integrations):
        if id not in found:
            raise ValidationFailed.for_field(
                f"integrations.{index}", "no integration with this ID in this workspace"
            )
        client.check_active(found[id])
    if body.scopes is None:
        return
    if len(body.integrations) > 1:
        raise ValidationFailed.for_field(
            "scopes", "can be set only with a single integration, because each provider has its own scopes"
        )
    oauth = client.oauth_of(found[body.integrations[0]])
    if oauth is None:
        raise ValidationFailed.for_field("scopes", "this integration does not use OAuth; omit scopes")
    flow.requested_scopes(found[body.integrations[0]], oauth, body.scopes)


def _connectable(integration: StoredIntegration, link: LinkGrant, origin: str) -> ConnectableIntegration:
    provider, oauth = client.provider_for(integration), client.oauth_of(integration)
    words = {} if oauth is None else oauth.scope_descriptions
    form = None if oauth is not None else provider_catalogue.credentials_of(integration)
    return ConnectableIntegration(
        id=integration.id,
        name=integration.name,
        description=integration.description,
        provider=integration.provider,
        provider_name=integration.provider or integration.name if provider is None else provider.label,
        is_known=provider is not None,
        authorization_origin=origin_of(oauth.authorization_url) if oauth and provider is None else None,
        documentation_url=None if provider is None else provider.docs,
        auth_type=AuthType.OAUTH2 if form is None else form.auth_type,
        scopes=[
            RequestedScope(name=scope, description=words.get(scope))
            for scope in _scopes(integration, oauth, link)
        ],
        redirect_uri=None if oauth is None else flow.own_redirect_uri(integration, origin),
        credentials_schema=None if form is None else form.schema,
        is_active=client.is_active(integration),
    )


def _scopes(integration: StoredIntegration, oauth: OAuth | None, link: LinkGrant) -> Sequence[str]:
    """The scopes that a flow of this link requests. Scopes that the integration no longer has are shown
    anyway, and the flow says what is wrong.
    """
    if oauth is None:
        return ()
    wanted = None if link.scopes is None else list(link.scopes)
    try:
        return flow.requested_scopes(integration, oauth, wanted)
    except ValidationFailed:
        return wanted or ()


def _to_api(session: StoredConnectSession, now: int) -> ConnectSession:
    status = ConnectSessionStatus(session.status)
    if status is ConnectSessionStatus.OPEN and session.expires_at <= now:
        status = ConnectSessionStatus.EXPIRED
    return ConnectSession(
        id=session.id,
        status=status,
        integrations=list(map(IntegrationId, session.integration_ids)),
        connection_id=session.connection_name,
        scopes=None if session.scopes is None else list(session.scopes),
        workspace_name=session.workspace_name,
        requested_by=session.requested_by,
        return_url=session.return_url,
        created_by=session.created_by,
        created_at=from_ms(session.created_at),
        expires_at=from_ms(session.expires_at),
        completed_at=None if session.completed_at is None else from_ms(session.completed_at),
        integration_id=session.integration_id,
        connection=session.connection_id,
    )
