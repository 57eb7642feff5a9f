"""Scopes and the roles that stand for them (API.md, "Authentication and authorisation")."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

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
_SCOPE = re.compile(SCOPE_PATTERN)
_VERBS = {
    resource: {scope.partition(":")[2] for scope in KNOWN if scope.startswith(f"{resource}:")}
    for resource in sorted({scope.partition(":")[0] for scope in KNOWN})
}
# The platform has workspaces too, and scopes for them such as `workspace:read`.
_SHARED = frozenset({"workspace"})


def check_spelling(scope: str) -> str:
    """The scope, unless it is a misspelling of one of Patchbay's own: a key with it would be useless, and its
    owner would not know why.

    Patchbay's resources have no other verbs than its own. A resource that is one letter away from one of them
    counts as a slip if the verb resembles one too (`webhook:read`, `webhook:wirte`); otherwise it belongs to
    the platform (`auctions:read` is not `actions:handle`).

    Raises ValueError with the scopes that the caller may have meant.
    """
    if scope in KNOWN:
        return scope
    resource, _, verb = scope.partition(":")
    for ours, verbs in _VERBS.items():
        if not _one_slip_apart(resource, ours):
            continue
        strict = resource == ours and ours not in _SHARED
        if strict or any(_one_slip_apart(verb, own) for own in verbs):
            raise ValueError(f"{scope} is not a scope; did you mean {' or '.join(_meant(ours, verb))}?")
    return scope


def _meant(resource: str, verb: str) -> list[str]:
    """The scopes of a resource that a verb may stand for, the nearest first."""
    verbs = _VERBS[resource]
    nearest = sorted(verbs, key=lambda own: (-SequenceMatcher(None, verb, own).ratio(), own))
    return [f"{resource}:{own}" for own in ([verb] if verb in verbs else nearest)]


def _one_slip_apart(one: str, other: str) -> bool:
    """Whether two words differ only in hyphens and in at most one letter that is missing, added, changed or
    swapped with its neighbor.
    """
    short, long = sorted((one.replace("-", ""), other.replace("-", "")), key=len)
    at = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    short, long = short[at:], long[at:]
    if len(short) < len(long):
        return short == long[1:]
    return short[1:] == long[1:] or (short[1::-1] == long[:2] and short[2:] == long[2:])


# Any scope that a key may hold: Patchbay's, the platform's, and what older keys hold.
HeldScope = Annotated[str, StringConstraints(pattern=SCOPE_PATTERN)]
# One that a key is given.
Scope = Annotated[HeldScope, AfterValidator(check_spelling)]


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
