"""Scopes and the roles that stand for them (API.md, "Authentication and authorisation")."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

_VIEWER = frozenset(
    {
        "integrations:read",
        "connections:read",
        "webhooks:read",
        "events:read",
        "analytics:read",
    }
)
_MEMBER = _VIEWER | {"connections:write", "webhooks:write", "automations:use"}
_ADMIN = _MEMBER | {
    "integrations:write",
    "integrations:publish",
    "events:publish",
    "api-keys:read",
    "api-keys:write",
    "api-keys:verify",
}
_OWNER = _ADMIN | {
    "credentials:read",
    "credentials:write",
    "workspace:delete",
    "workspace:export",
}
ROLES = {"viewer": _VIEWER, "member": _MEMBER, "admin": _ADMIN, "owner": _OWNER}

# Held in the platform's own workspace and nowhere else, whatever a token says.
PLATFORM_ONLY = frozenset({"actions:handle"})

# Every scope that Patchbay itself asks for. Others are the platform's own, and carried as they are.
KNOWN = _OWNER | PLATFORM_ONLY

SCOPE_PATTERN = r"^[a-z][a-z0-9-]{0,31}:[a-z][a-z0-9-]{0,31}$"
Scope = Annotated[str, StringConstraints(pattern=SCOPE_PATTERN)]
_SCOPE = re.compile(SCOPE_PATTERN)


def granted(role: str | None, scope: str | None, *, platform: bool) -> frozenset[str]:
    """What a token grants: its `scope` (space-separated) when it has one, else its role.

    Words that are no scopes are dropped (identity providers add `openid` and the like), and so is what
    only the platform's workspace may hold. An unknown role grants nothing.
    """
    if scope is not None:
        scopes = frozenset(word for word in scope.split() if _SCOPE.match(word))
    else:
        scopes = ROLES.get(role or "", frozenset())
        if platform and role in ("admin", "owner"):
            scopes |= PLATFORM_ONLY
    return scopes if platform else scopes - PLATFORM_ONLY
