"""The caller of a request, and their rights."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from patchbay.api_model import WORKSPACE_ID_PATTERN
from patchbay.auth.scopes import PATCHBAY_SCOPES
from patchbay.errors import Forbidden, ValidationFailed
from patchbay.ids import ApiKeyId, ConnectSessionId, IntegrationId, PortalSessionId
from patchbay.settings import settings


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The limits, expiry and version of a calling API key, which cannot grant more to other keys."""

    id: ApiKeyId
    version: int
    rate_limit_per_hour: int
    rate_limit_per_day: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class PortalGrant:
    """The portal session of a caller: what its page shows, and whether it is read-only."""

    id: PortalSessionId
    expires_at: datetime
    read_only: bool
    color_scheme: str
    primary_color: str | None
    view: str | None
    label: str | None
    return_url: str | None


@dataclass(frozen=True, slots=True)
class LinkGrant:
    """The connect session of a caller who opened a connect link, and the only things that it may connect.
    `scopes` is None for the integration's own.
    """

    id: ConnectSessionId
    status: str
    expires_at: datetime
    integration_ids: tuple[IntegrationId, ...]
    connection_name: str
    scopes: tuple[str, ...] | None
    workspace_name: str | None
    requested_by: str | None
    return_url: str | None


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: a user (JWT), a program (API key), a portal session, someone with a connect link, or a
    function of the platform that calls in process.

    `id` identifies the caller within the workspace (`user:<sub>`, the key's ID, `session:<ID>`,
    `connect:<ID>`). `key` has the limits of the calling API key, or of the one that created the session.
    """

    workspace_id: str
    id: str
    scopes: frozenset[str] = field(default=frozenset())
    role: str | None = None
    key: KeyLimits | None = None
    session: PortalGrant | None = None
    link: LinkGrant | None = None

    @property
    def label(self) -> str | None:
        """The name that the creator of the caller's session gave its user."""
        return None if self.session is None else self.session.label

    @property
    def is_platform(self) -> bool:
        return self.workspace_id == settings().platform_workspace_id

    def require(self, scope: str) -> None:
        """Raises Forbidden, which names the scope, if the caller does not have it."""
        if scope not in self.scopes:
            raise Forbidden(f"This request needs the scope {scope}, which your credentials do not have.")

    def can_grant(self, scope: str) -> bool:
        """Whether the caller may grant the scope to a key: they have it, or they are an admin or owner and it
        is one of the platform's scopes (`posts:read` …), which Patchbay only stores.
        """
        return scope in self.scopes or (scope not in PATCHBAY_SCOPES and self.role in ("admin", "owner"))


def in_process(workspace_id: str, *scopes: str, name: str = "platform") -> Principal:
    """The principal of a platform function that calls a service through the layer. Its IAM role is its
    authority, so it chooses the workspace and the scopes itself. Raises ValidationFailed if the text
    cannot be the ID of a workspace.
    """
    if not re.fullmatch(WORKSPACE_ID_PATTERN, workspace_id):
        raise ValidationFailed.for_field("workspaceId", "must be 1 to 64 letters, digits, _ or -")
    return Principal(workspace_id, f"function:{name}", frozenset(scopes))
