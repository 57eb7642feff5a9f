"""Misspelled scopes of Patchbay's own are refused; the platform's own are carried as they are."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from patchbay.auth.scopes import KNOWN, Scope

SCOPE = TypeAdapter(Scope)


@pytest.mark.parametrize("scope", sorted(KNOWN))
def test_every_scope_of_patchbay_is_taken(scope: str) -> None:
    assert SCOPE.validate_python(scope) == scope


@pytest.mark.parametrize(
    ("scope", "meant"),
    [
        # A verb that the resource does not have: its scopes, the nearest first.
        ("events:wirte", ["events:read", "events:publish"]),
        ("events:write", ["events:read", "events:publish"]),
        ("events:publsh", ["events:publish", "events:read"]),
        ("webhooks:reed", ["webhooks:read", "webhooks:write"]),
        ("webhooks:delete", ["webhooks:write", "webhooks:read"]),
        ("analytics:write", ["analytics:read"]),
        ("api-keys:rotate", ["api-keys:write", "api-keys:read", "api-keys:verify"]),
        ("analytics:export", ["analytics:read"]),
        ("workspace:exprot", ["workspace:export", "workspace:delete"]),
        # One letter missing, added, changed, or swapped; a hyphen more or less.
        ("webhook:read", ["webhooks:read"]),
        ("webhookss:read", ["webhooks:read"]),
        ("webhoaks:read", ["webhooks:read"]),
        ("wehbooks:read", ["webhooks:read"]),
        ("webhooka:read", ["webhooks:read"]),
        ("web-hooks:write", ["webhooks:write"]),
        ("event:publish", ["events:publish"]),
        ("events-:read", ["events:read"]),
        ("vents:read", ["events:read"]),
        ("evenst:read", ["events:read"]),
        ("apikeys:write", ["api-keys:write"]),
        ("apikey:write", ["api-keys:write"]),
        ("api-key:verify", ["api-keys:verify"]),
        ("integration:read", ["integrations:read"]),
        ("conections:read", ["connections:read"]),
        ("automation:use", ["automations:use"]),
        ("credential:read", ["credentials:read"]),
        ("workspaces:export", ["workspace:export"]),
        # Both.
        ("webhook:wirte", ["webhooks:write", "webhooks:read"]),
    ],
)
def test_a_misspelled_scope_is_refused_with_those_it_may_mean(scope: str, meant: list[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        SCOPE.validate_python(scope)
    (error,) = refused.value.errors()
    assert error["msg"].endswith(f"{scope} is not a scope; did you mean {' or '.join(meant)}?")


@pytest.mark.parametrize(
    "scope",
    [
        # Resembles a resource of Patchbay's, but not its verbs; the platform has workspaces too.
        "workspace:read", "workspaces:read", "auctions:read", "automation:run", "event:archive",
        *(f"{name}:{verb}" for name in ("posts", "media") for verb in ("read", "wirte", "publish")),
        # Two letters or more away: other words.
        "collections:read", "agents:read", "reactions:write", "options:read", "sections:read", "assets:read",
        "interactions:read", "transactions:read", "keys:read", "hooks:read", "campaigns:read",
        "integrators:read", "event-types:read", "webhooks-v2:read", "notebooks:read", "inspections:read",
    ],
)  # fmt: skip
def test_a_scope_of_the_platform_s_own_is_carried_as_it_is(scope: str) -> None:
    assert SCOPE.validate_python(scope) == scope
