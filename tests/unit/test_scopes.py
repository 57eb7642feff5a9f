"""Misspelled scopes of Patchbay are rejected. The platform's scopes are accepted unchanged."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from patchbay.auth.scopes import PATCHBAY_SCOPES, Scope

SCOPE = TypeAdapter(Scope)


@pytest.mark.parametrize("scope", sorted(PATCHBAY_SCOPES))
def test_every_patchbay_scope_is_accepted(scope: str) -> None:
    assert SCOPE.validate_python(scope) == scope


@pytest.mark.parametrize(
    ("scope", "suggestions"),
    [
        # A verb that the resource does not have: its scopes, the most similar first.
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
        # Both mistakes.
        ("webhook:wirte", ["webhooks:write", "webhooks:read"]),
    ],
)
def test_misspelled_scope_is_rejected_with_suggestions(scope: str, suggestions: list[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        SCOPE.validate_python(scope)
    (error,) = refused.value.errors()
    assert error["msg"].endswith(f"{scope} is not a scope; did you mean {' or '.join(suggestions)}?")


@pytest.mark.parametrize(
    "scope",
    [
        # The resource resembles one of Patchbay's, but the verb does not. The platform also has workspaces.
        "workspace:read", "workspaces:read", "auctions:read", "automation:run", "event:archive",
        *(f"{name}:{verb}" for name in ("posts", "media") for verb in ("read", "wirte", "publish")),
        # Two or more letters differ: other words.
        "collections:read", "agents:read", "reactions:write", "options:read", "sections:read", "assets:read",
        "interactions:read", "transactions:read", "keys:read", "hooks:read", "campaigns:read",
        "integrators:read", "event-types:read", "webhooks-v2:read", "notebooks:read", "inspections:read",
    ],
)  # fmt: skip
def test_platform_scope_is_accepted(scope: str) -> None:
    assert SCOPE.validate_python(scope) == scope
