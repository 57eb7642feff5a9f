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
    """OPEN until the link has made its connection. COMPLETED, REVOKED and EXPIRED links make none. A link
    also ends with the API key that made it, which its status does not show.
    """

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class CreateConnectSession(ApiModel):
    """A new connect link. Its holder chooses one of the `integrations`, which must be active, and connects an
    account, once.

    `connectionId` is the name of the connection: a connection of that name is replaced. By default, it is the
    ID of the session, so that nothing can be replaced. `scopes` may ask for less than the integration lists;
    only with one integration. The page shows `workspaceName` and `requestedBy`, so that people know whom they
    give access to. At the end it leads to `returnUrl`.
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
    """A connect session without its link. `integrationId` and `connection` are what it connected."""

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
    """The response to the creation of a session, the only one that contains its link."""

    link: Annotated[str, Field(repr=False)]


class RequestedScope(ApiModel):
    """An OAuth scope that the provider will ask for, in the words that Patchbay knows for it."""

    name: str
    description: str | None


class ConnectableIntegration(ApiModel):
    """One of the integrations of a link. `provider` is its key, `providerName` its name.

    `isKnown` is true if Patchbay knows the provider. If it is false, somebody in the workspace entered all
    names, and the page where people sign in: show `authorizationOrigin`, the origin of that page.

    With OAuth, start a flow with `redirectUri`. Otherwise `credentialsSchema` describes the `credentials` of
    the connection, as JSON Schema 2020-12. `isActive` is false while it cannot be connected.
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
    """What the page of a connect link shows."""

    id: ConnectSessionId
    status: ConnectSessionStatus
    workspace_id: str
    workspace_name: str | None
    requested_by: str | None
    connection_id: str
    return_url: str | None
    expires_at: Timestamp
    integrations: list[ConnectableIntegration]
