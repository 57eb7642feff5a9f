"""Scopes, and the roles that imply them."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from patchbay.field_errors import pattern

_VIEWER = frozenset(
    {
        "integrations:read",
        "connections:read",
        "webhooks:read",
        "events:read",
        "analytics:read",
        "flows:read",
    }
)
_MEMBER = _VIEWER | {"connections:write", "webhooks:write", "automations:use", "flows:write"}
_ADMIN = _MEMBER | {
    "integrations:write",
    "integrations:publish",
    "events:publish",
    "api-keys:read",
    "api-keys:write",
    "api-keys:verify",
    "audit:read",
}
_OWNER = _ADMIN | {
    "credentials:read",
    "credentials:use",
    "credentials:write",
    "workspace:delete",
    "workspace:export",
}
ROLES = {"viewer": _VIEWER, "member": _MEMBER, "admin": _ADMIN, "owner": _OWNER}

# Valid only in the platform's own workspace, whatever a token says.
PLATFORM_ONLY = frozenset({"actions:handle", "publications:review"})

# Every scope that Patchbay itself requires. Other scopes belong to the platform, and Patchbay only stores
# them.
PATCHBAY_SCOPES = _OWNER | PLATFORM_ONLY

SCOPE_PATTERN = r"^[a-z][a-z0-9-]{0,31}:[a-z][a-z0-9-]{0,31}$"
_SCOPE = re.compile(SCOPE_PATTERN)
_VERBS = {
    resource: {scope.partition(":")[2] for scope in PATCHBAY_SCOPES if scope.startswith(f"{resource}:")}
    for resource in sorted({scope.partition(":")[0] for scope in PATCHBAY_SCOPES})
}
# The platform also has workspaces and publications, and scopes for them such as `workspace:read`.
_SHARED_RESOURCES = frozenset({"publications", "workspace"})


def check_spelling(scope: str) -> str:
    """Return the scope, unless it is a misspelling of one of Patchbay's own: a key with it would be useless,
    and its owner would not know why.

    Patchbay's resources have no verbs other than its own. A resource within one typo of a Patchbay resource
    counts as misspelled if the verb also resembles one of that resource's verbs (`webhook:read`,
    `webhook:wirte`). Otherwise it belongs to the platform (`auctions:read` is not `actions:handle`).

    Raises ValueError with suggestions.
    """
    if scope in PATCHBAY_SCOPES:
        return scope
    resource, _, verb = scope.partition(":")
    for candidate, verbs in _VERBS.items():
        if not _within_one_typo(resource, candidate):
            continue
        is_ours = resource == candidate and candidate not in _SHARED_RESOURCES
        if is_ours or any(_within_one_typo(verb, valid) for valid in verbs):
            suggestions = " or ".join(_suggestions(candidate, verb))
            raise ValueError(f"{scope} is not a scope; did you mean {suggestions}?")
    return scope


def _suggestions(resource: str, verb: str) -> list[str]:
    """The scopes of a resource that a misspelled verb may mean, the most similar first."""
    verbs = _VERBS[resource]
    by_similarity = sorted(verbs, key=lambda valid: (-SequenceMatcher(None, verb, valid).ratio(), valid))
    return [f"{resource}:{valid}" for valid in ([verb] if verb in verbs else by_similarity)]


def _within_one_typo(one: str, other: str) -> bool:
    """Whether two words differ only in hyphens and at most one letter that is missing, added, changed or
    swapped with its neighbor.
    """
    short, long = sorted((one.replace("-", ""), other.replace("-", "")), key=len)
    pairs = enumerate(zip(short, long, strict=False))
    start = next((index for index, (a, b) in pairs if a != b), len(short))
    short, long = short[start:], long[start:]
    if len(short) < len(long):
        return short == long[1:]
    return short[1:] == long[1:] or (short[1::-1] == long[:2] and short[2:] == long[2:])


# Any well-formed scope: Patchbay's, the platform's, and misspelled ones that older keys have.
ScopeName = Annotated[
    str, StringConstraints(pattern=pattern(SCOPE_PATTERN, "a scope: resource:verb in lowercase"))
]
# A scope that a caller grants to a key.
Scope = Annotated[ScopeName, AfterValidator(check_spelling)]


def granted_scopes(role: str | None, scope: str | None, *, platform: bool) -> frozenset[str]:
    """The scopes that a token grants: those of its `scope` claim (space-separated) if it has one, or else of
    its role.

    Drops words that are not scopes (identity providers add `openid` and the like) and, outside the platform's
    workspace, PLATFORM_ONLY. An unknown role grants nothing.
    """
    if scope is not None:
        scopes = frozenset(word for word in scope.split() if _SCOPE.match(word))
    else:
        scopes = ROLES.get(role or "", frozenset())
        if platform and role in ("admin", "owner"):
            scopes |= PLATFORM_ONLY
    return usable(scopes, platform=platform)


def usable(scopes: frozenset[str], *, platform: bool) -> frozenset[str]:
    """The scopes that count: PLATFORM_ONLY only in the platform's workspace."""
    return scopes if platform else scopes - PLATFORM_ONLY
