"""Connect sessions as the API receives and returns them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from patchbay.api_model import ApiModel, JsonObject, Name, Timestamp, distinct
from patchbay.ids import ConnectionId, ConnectSessionId, IntegrationId
from patchbay.integrations.models import ConnectionName, OAuthScopes
from patchbay.providers.provider import AuthType
from patchbay.return_urls import Url

DEFAULT_SECONDS = 86_400
MAX_SECONDS = 7 * 86_400
_MAX_INTEGRATIONS = 20


class ConnectSessionStatus(StrEnum):
    """OPEN until the link has created its connection. COMPLETED, REVOKED and EXPIRED links no longer work. A
    link also stops working with the API key that created it, which its status does not show.
    """

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class CreateConnectSession(ApiModel):
    """A new connect link. The user chooses one of the `integrations`, which must be active, and connects an
    account, once.

    `connectionId` is the name of the connection; an existing connection with this name is replaced. By
    default, it is the ID of the session, so nothing is replaced. `scopes` can be a subset of the
    integration's scopes, if there is only one integration. The page shows `workspaceName` and `requestedBy`,
    so that people know who gets access. Afterwards, it links to `returnUrl`.
    """

    integrations: Annotated[
        list[IntegrationId],
        Field(min_length=1, max_length=_MAX_INTEGRATIONS),
        AfterValidator(distinct),
    ]
    connection_id: ConnectionName | None = None
    scopes: OAuthScopes | None = None
    workspace_name: Name | None = None
    requested_by: Name | None = None
    return_url: Url | None = None
    expires_in: Annotated[int, Field(ge=60, le=MAX_SECONDS)] = DEFAULT_SECONDS


class ConnectSession(ApiModel):
    """A connect session without its link. `integrationId` and `connection` are set once it has connected an
    account."""

    id: ConnectSessionId
    status: ConnectSessionStatus
    integrations: list[IntegrationId]
    connection_id: str
    scopes: list[str] | None
    workspace_name: str | None
    requested_by: str | None
    return_url: str | None
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp
    completed_at: Timestamp | None
    integration_id: IntegrationId | None
    connection: ConnectionId | None


class ConnectSessionLink(ConnectSession):
    """A new session. Only this response contains its link."""

    link: Annotated[str, Field(repr=False)]


class RequestedScope(ApiModel):
    """An OAuth scope that the provider will ask the user to grant, with Patchbay's description of it."""

    name: str
    description: str | None


class ConnectableIntegration(ApiModel):
    """One of the integrations of a link. `provider` is its key, `providerName` its name.

    `isKnown` is true for a built-in provider. If it is false, someone in the workspace entered the names and
    the sign-in page: show `authorizationOrigin`, the origin of that page.

    With OAuth, start a flow with `redirectUri`. Otherwise `credentialsSchema` describes the `credentials` of
    the connection, as JSON Schema 2020-12. `isActive` is false while accounts cannot be connected.
    """

    id: IntegrationId
    name: str
    description: str
    provider: str | None
    provider_name: str
    is_known: bool
    authorization_origin: str | None
    documentation_url: str | None
    auth_type: AuthType
    scopes: list[RequestedScope]
    redirect_uri: str | None
    credentials_schema: JsonObject | None
    is_active: bool


class ConnectPage(ApiModel):
    """The contents of a connect link's page."""

    id: ConnectSessionId
    status: ConnectSessionStatus
    workspace_id: str
    workspace_name: str | None
    requested_by: str | None
    connection_id: str
    return_url: str | None
    expires_at: Timestamp
    integrations: list[ConnectableIntegration]
