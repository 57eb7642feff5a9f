"""The OAuth client that an integration works with: its own, or for a copy of a public one the publisher's.

A publisher's client secret is opened here, used by `oauth.token_endpoint`, and shown by nothing. A copy only
works with the client that the platform reviewed: another client id at the source, and it stops.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from patchbay import vault
from patchbay.clock import now_ms
from patchbay.errors import Conflict, IntegrationInactive
from patchbay.ids import IntegrationId
from patchbay.integrations import activity, config, store
from patchbay.integrations.store import StoredIntegration
from patchbay.providers import provider as providers
from patchbay.providers.provider import OAuth, Provider


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """An OAuth client as a provider knows it. `variables` stand for the names in the provider's addresses."""

    provider: str  # as people call it
    oauth: OAuth
    client_id: str
    client_secret: str | None = field(repr=False)
    variables: Mapping[str, str] = field(default_factory=dict)

    def at(self, variables: Mapping[str, str]) -> OAuthClient:
        """The same client at the addresses that a callback or a token response named."""
        return replace(self, variables={**self.variables, **variables})


PUBLISHER_REMOVED = "publisher_removed"
PUBLISHER_CHANGED = "publisher_client_changed"
WITHDRAWN = "withdrawn_by_platform"


class SourceGone(IntegrationInactive):
    """What a copy was made of is no longer what it was; `reason` is what the copy's statusReason becomes."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{_SOURCE_GONE[reason]} ({reason}).")
        self.reason = reason


_SOURCE_GONE = {
    PUBLISHER_REMOVED: "The publisher has removed the integration that this one is a copy of; its client "
    "no longer serves. Install another one",
    PUBLISHER_CHANGED: "The publisher has changed the client of the integration that this one is a copy of. "
    "Install it anew and connect again",
    WITHDRAWN: "The platform has withdrawn the integration that this one is a copy of; its client no longer "
    "serves. Install another one",
}


def provider_of(integration: StoredIntegration) -> Provider | None:
    """The built-in provider; None for one that has addresses of its own. It keeps them when a later release
    knows a provider by its name: what is stored does not go elsewhere for that.
    """
    if integration.provider is None or "tokenUrl" in integration.config:
        return None
    return providers.load(integration.provider)


def client_of(integration: StoredIntegration) -> OAuthClient:
    """Raises SourceGone, which puts the copy out of service; Conflict while the integration lacks what its
    provider needs.
    """
    provider = provider_of(integration)
    holder = holder_of(integration)
    public = holder.config
    if holder is not integration:
        # Its client serves a copy, at the provider's own address: wherever the publisher has moved since.
        public = {"clientId": integration.source_client_id}
    oauth = config.oauth_of(provider, public)
    missing = config.missing(provider, public, list(holder.secret_names))
    if oauth is None or missing:
        what = f"lacks config.{', config.'.join(missing)}" if missing else "is not one for OAuth"
        raise Conflict(f"The integration {what}.")
    secret = secrets(holder).get(config.CLIENT_SECRET) if holder.secret_names else None
    label = provider.label if provider is not None else integration.provider or integration.name
    return OAuthClient(label, oauth, str(public["clientId"]), secret, config.variables(provider, public))


def secrets(integration: StoredIntegration) -> dict[str, str]:
    """The secret part of its config, in the clear."""
    if integration.secrets is None:
        return {}
    opened: dict[str, str] = json.loads(
        vault.decrypt(
            integration.workspace_id,
            integration.secrets,
            encryption_context=encryption_context(integration.id),
        )
    )
    return opened


def encryption_context(id: str) -> str:
    return f"integrations/{id}/config"


def holder_of(integration: StoredIntegration) -> StoredIntegration:
    """The integration whose client serves: itself, or its source as it was reviewed. Raises SourceGone, which
    puts the copy out of service.
    """
    if integration.installed_from is None or integration.source_workspace_id is None:
        return integration
    source = store.get(integration.source_workspace_id, integration.installed_from)
    if source is None:
        raise _out_of_service(integration, PUBLISHER_REMOVED)
    if source.withdrawn:
        raise _out_of_service(integration, WITHDRAWN)
    if client_id_of(source) != (integration.provider, integration.source_client_id):
        raise _out_of_service(integration, PUBLISHER_CHANGED)
    return source


def client_id_of(integration: StoredIntegration) -> tuple[str | None, str | None]:
    """A client's name means something at its provider only."""
    return integration.provider, integration.config.get("clientId")


def put_out_of_service(workspace_id: str, copy: IntegrationId, reason: str) -> None:
    """Say of a copy that its source no longer serves it; nothing when it says so already."""
    entry = activity.entering(
        workspace_id, copy, "integration.status_changed", activity.SYSTEM, f"ERROR: {reason}"
    )
    store.set_error(workspace_id, copy, reason, now_ms(), [entry])


def _out_of_service(copy: StoredIntegration, reason: str) -> SourceGone:
    put_out_of_service(copy.workspace_id, copy.id, reason)
    return SourceGone(reason)
