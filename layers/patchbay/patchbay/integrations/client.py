"""The OAuth client of an integration: its own, or the publisher's for a copy of a public integration.

A publisher's client secret is decrypted here, used by `oauth.token_endpoint`, and never shown. A copy works
only with the client that the platform reviewed: if its source gets another client ID, the copy stops working.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from patchbay import vault
from patchbay.activity import log as activity
from patchbay.clock import now_ms
from patchbay.errors import Conflict, IntegrationInactive
from patchbay.ids import IntegrationId
from patchbay.integrations import config, store
from patchbay.integrations.config_fields import CLIENT_SECRET
from patchbay.integrations.models import IntegrationStatus
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.providers import provider as providers
from patchbay.providers.provider import OAuth, Provider


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """An OAuth client at a provider. `variables` has the values of the variables in the provider's URLs."""

    provider_label: str
    oauth: OAuth
    client_id: str
    client_secret: str | None = field(repr=False)
    variables: Mapping[str, str] = field(default_factory=dict)

    def with_variables(self, variables: Mapping[str, str]) -> OAuthClient:
        """The same client, with the variables that a callback or a token response provided."""
        return replace(self, variables={**self.variables, **variables})


_MISSING_CONFIG = "missing_config"
PUBLISHER_REMOVED = "publisher_removed"
PUBLISHER_CHANGED = "publisher_client_changed"
WITHDRAWN = "withdrawn_by_platform"


class SourceUnavailable(IntegrationInactive):
    """The source of a copy no longer serves it; `reason` becomes the copy's statusReason."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{_DETAILS[reason]} ({reason}).")
        self.reason = reason


_DETAILS = {
    PUBLISHER_REMOVED: (
        "The publisher removed the integration that this one is a copy of, so its OAuth client is no "
        "longer available. Install another integration"
    ),
    PUBLISHER_CHANGED: (
        "The publisher changed the OAuth client of the integration that this one is a copy of. Install "
        "the integration again, then connect again"
    ),
    WITHDRAWN: (
        "The platform withdrew the integration that this one is a copy of, so its OAuth client is no "
        "longer available. Install another integration"
    ),
}


def provider_for(integration: StoredIntegration) -> Provider | None:
    """The built-in provider, or None for an integration with its own URLs. It keeps those even if a later
    release adds a provider of the same name: a release must not send stored secrets elsewhere.
    """
    if integration.provider is None or "tokenUrl" in integration.config:
        return None
    return providers.load(integration.provider)


def status_reason(integration: StoredIntegration) -> str | None:
    """Why the integration has its status. PENDING_SETUP follows from the config, and so does its reason."""
    if integration.status != IntegrationStatus.PENDING_SETUP:
        return integration.status_reason
    missing = config.missing_fields(provider_for(integration), integration.config, integration.secret_names)
    return f"{_MISSING_CONFIG}: {', '.join(missing)}" if missing else None


def is_active(integration: StoredIntegration) -> bool:
    return integration.status == IntegrationStatus.ACTIVE


def check_active(integration: StoredIntegration) -> None:
    """Raises IntegrationInactive."""
    if is_active(integration):
        return
    why = status_reason(integration)
    reason = "" if why is None else f" ({why})"
    advice = {
        IntegrationStatus.PENDING_SETUP.value: "Set the missing fields: PUT /api/integrations/{id}.",
        IntegrationStatus.INACTIVE.value: "Activate it: PUT /api/integrations/{id}/status.",
        IntegrationStatus.ERROR.value: "Fix the cause, then activate it: PUT /api/integrations/{id}/status.",
    }[integration.status]
    raise IntegrationInactive(f"This integration is {integration.status}{reason}. {advice}")


def oauth_of(integration: StoredIntegration) -> OAuth | None:
    """The OAuth of the integration's provider, without its client. None if it has none."""
    return config.oauth_for(provider_for(integration), {} if integration.is_copy else integration.config)


def client_for(integration: StoredIntegration) -> OAuthClient:
    """Raises SourceUnavailable, after deactivating the copy, and Conflict if a field that the provider needs
    is missing.
    """
    provider = provider_for(integration)
    holder = client_holder(integration)
    public = holder.config
    if holder is not integration:
        # A copy uses the publisher's client at the provider's own URLs, whatever URLs the publisher has set
        # since.
        public = {"clientId": integration.source_client_id or ""}
    oauth = config.oauth_for(provider, public)
    missing = config.missing_fields(provider, public, holder.secret_names)
    if missing:
        raise Conflict(f"The integration is missing config.{', config.'.join(missing)}.")
    if oauth is None:
        raise Conflict("The integration does not use OAuth.")
    secret = decrypt_secrets(holder).get(CLIENT_SECRET) if holder.secret_names else None
    label = provider.label if provider is not None else integration.provider or integration.name
    return OAuthClient(label, oauth, str(public["clientId"]), secret, config.variables(provider, public))


def decrypt_secrets(integration: StoredIntegration) -> dict[str, str]:
    """The secret part of the integration's config, in plaintext."""
    if integration.secrets is None:
        return {}
    secrets: dict[str, str] = json.loads(
        vault.decrypt(
            integration.workspace_id,
            integration.secrets,
            encryption_context=encryption_context(integration.id),
        )
    )
    return secrets


def encryption_context(id: str) -> str:
    return f"integrations/{id}/config"


def client_holder(integration: StoredIntegration) -> StoredIntegration:
    """The integration whose client is used: the integration itself, or the source of a copy. Raises
    SourceUnavailable, after deactivating the copy.
    """
    if integration.installed_from is None or integration.source_workspace_id is None:
        return integration
    source = store.get(integration.source_workspace_id, integration.installed_from)
    if source is None:
        raise _deactivated(integration, PUBLISHER_REMOVED)
    if source.withdrawn:
        raise _deactivated(integration, WITHDRAWN)
    if client_identity(source) != (integration.provider, integration.source_client_id):
        raise _deactivated(integration, PUBLISHER_CHANGED)
    return source


def client_identity(integration: StoredIntegration) -> tuple[str | None, str | None]:
    """The provider and the client ID, which is unique only at its provider."""
    return integration.provider, integration.client_id


def deactivate_copy(workspace_id: str, copy: IntegrationId, reason: str) -> None:
    """Set a copy to ERROR because its source no longer serves it, once for each reason."""
    log_action = activity.log_action(
        workspace_id, copy, "integration.status_changed", activity.SYSTEM, f"ERROR: {reason}"
    )
    store.set_error(workspace_id, copy, reason, now_ms(), [log_action])


def _deactivated(copy: StoredIntegration, reason: str) -> SourceUnavailable:
    deactivate_copy(copy.workspace_id, copy.id, reason)
    return SourceUnavailable(reason)
