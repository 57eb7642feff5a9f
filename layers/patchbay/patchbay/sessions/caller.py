"""Describes the caller, for `GET /api/me`."""

from __future__ import annotations

from patchbay.api_keys import service as api_keys
from patchbay.auth.principal import PortalGrant, Principal
from patchbay.sessions.models import Caller, CallerSession, Theme


def describe(principal: Principal) -> Caller:
    """Who the caller is, and what they may do. Reads the row of a calling API key."""
    session = principal.session
    is_key = session is None and principal.key is not None
    return Caller(
        workspace_id=principal.workspace_id,
        id=principal.id,
        type="key" if is_key else "user" if session is None else "session",
        role=principal.role,
        scopes=sorted(principal.scopes),
        key=api_keys.describe_key(principal) if is_key else None,
        session=None if session is None else _session(session),
    )


def theme_of(color_scheme: str, primary_color: str | None) -> Theme:
    """The theme that a session was created with."""
    return Theme.model_validate({"color_scheme": color_scheme, "primary_color": primary_color})


def _session(session: PortalGrant) -> CallerSession:
    return CallerSession(
        id=session.id,
        label=session.label,
        read_only=session.read_only,
        theme=theme_of(session.color_scheme, session.primary_color),
        view=session.view,
        return_url=session.return_url,
        expires_at=session.expires_at,
    )
