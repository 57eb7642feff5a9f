"""The rows of sessions as typed objects. Times are Unix milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from patchbay.auth.principal import LinkGrant, PortalGrant
from patchbay.clock import from_ms
from patchbay.ids import ApiKeyId, ConnectionId, ConnectSessionId, IntegrationId, PortalSessionId

# The stored status; an OPEN link may have expired.
LinkStatus = Literal["OPEN", "COMPLETED", "REVOKED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPortalSession:
    """A portal session. `key_id` is the API key that created it, and whose end also ends it. The row has the
    hash of the one-time code until the code is exchanged, and that of the token from then on.
    """

    workspace_id: str
    id: PortalSessionId
    created_by: str
    created_at: int
    expires_at: int
    code_expires_at: int
    capabilities: Sequence[str]
    read_only: bool
    color_scheme: str
    primary_color: str | None = None
    view: str | None = None
    label: str | None = None
    return_url: str | None = None
    key_id: ApiKeyId | None = None
    code_hash: str | None = field(default=None, repr=False)
    token_hash: str | None = field(default=None, repr=False)
    opened_at: int | None = None
    ended_at: int | None = None

    @property
    def grant(self) -> PortalGrant:
        return PortalGrant(
            id=self.id,
            expires_at=from_ms(self.expires_at),
            read_only=self.read_only,
            color_scheme=self.color_scheme,
            primary_color=self.primary_color,
            view=self.view,
            label=self.label,
            return_url=self.return_url,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConnectSession:
    """A connect session: its link, and what that may connect. `scopes` is None for the integration's own.
    `requests` and `starts` count its uses, and each has a maximum. `integration_id` and `connection_id` are
    those of the connection that it created.
    """

    workspace_id: str
    id: ConnectSessionId
    created_by: str
    created_at: int
    expires_at: int
    integration_ids: Sequence[str]
    connection_name: str
    scopes: Sequence[str] | None = None
    workspace_name: str | None = None
    requested_by: str | None = None
    return_url: str | None = None
    key_id: ApiKeyId | None = None
    token_hash: str = field(repr=False)
    status: LinkStatus = "OPEN"
    requests: int = 0
    starts: int = 0
    completed_at: int | None = None
    integration_id: IntegrationId | None = None
    connection_id: ConnectionId | None = None

    @property
    def grant(self) -> LinkGrant:
        return LinkGrant(
            id=self.id,
            status=self.status,
            expires_at=from_ms(self.expires_at),
            integration_ids=tuple(map(IntegrationId, self.integration_ids)),
            connection_name=self.connection_name,
            scopes=None if self.scopes is None else tuple(self.scopes),
            workspace_name=self.workspace_name,
            requested_by=self.requested_by,
            return_url=self.return_url,
        )
