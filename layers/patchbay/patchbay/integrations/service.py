"""Integrations of a workspace: create, show, change, remove."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from patchbay import compact_json, vault
from patchbay.api_model import Empty, Listing
from patchbay.auth.principal import Principal
from patchbay.clock import at_ms, now_ms
from patchbay.errors import Conflict, NotFound, ValidationFailed, check_version, contended
from patchbay.ids import IntegrationId
from patchbay.integrations import activity, client, config, marketplace, store
from patchbay.integrations.models import (
    CreateIntegration,
    Integration,
    IntegrationQuery,
    IntegrationStatus,
    LogEntry,
    LogQuery,
    Publisher,
    ReviewStatus,
    SetIntegrationStatus,
    UpdateIntegration,
)
from patchbay.integrations.store import StoredIntegration
from patchbay.providers import provider as providers
from patchbay.providers.provider import IntegrationType, Provider
from patchbay.storage import dynamo
from patchbay.storage.paging import Page

if TYPE_CHECKING:
    from patchbay.idempotency import Once

# A change is written under the version that was read; one that comes between is met by reading again.
_TRIES = 3
_PLAIN = {
    "name", "description", "logo_url", "rate_limit_per_hour", "rate_limit_per_day", "scopes", "provider",
}  # fmt: skip

# The fields that a copy of a public integration can only narrow.
_BOUNDED = {"scopes", "rate_limit_per_hour", "rate_limit_per_day"}


def create(principal: Principal, body: CreateIntegration, once: Once | None = None) -> Integration:
    """Register an integration. Raises ValidationFailed for a config that does not fit its provider, Forbidden
    for one that is to be public, Conflict at the workspace's ceiling.
    """
    id = IntegrationId.new()
    empty = StoredIntegration(
        workspace_id=principal.workspace_id,
        id=id,
        name="",
        type=body.type,
        provider=None,
        description="",
        logo_url=None,
        status=IntegrationStatus.PENDING_SETUP,
        created_by=principal.id,
        created_at=id.time_ms,
        updated_at=id.time_ms,
    )
    new = _changed(principal, empty, body, set(CreateIntegration.model_fields))
    new, more = marketplace.after_change(principal, None, new)
    answer = shown(new)
    store.create(new, [*more, _entering(principal, new, "integration.created")], once, answer)
    return answer


def list_integrations(principal: Principal, query: IntegrationQuery) -> Listing[Integration]:
    """The workspace's own, newest first; with `includePublic`, the marketplace's of others after them."""

    def own(limit: int, cursor: str | None) -> Page[Integration]:
        found = store.page(
            principal.workspace_id,
            type=query.type,
            status=query.status,
            provider=query.provider,
            limit=limit,
            cursor=cursor,
        )
        return found.map(shown)

    def public(limit: int, cursor: str | None) -> Page[Integration]:
        return store.listings(type=query.type, search=None, limit=limit, cursor=cursor).map(of_others)

    def of_others(listing: store.MarketplaceListing) -> Integration | None:
        wanted = (
            listing.publisher_workspace_id != principal.workspace_id
            and query.provider in (None, listing.provider)
            and query.status in (None, IntegrationStatus.ACTIVE)
        )
        return marketplace.shown(listing) if wanted else None

    return marketplace.in_turn([own, public] if query.include_public else [own], query)


def get(principal: Principal, id: IntegrationId, *, reveal: bool = False) -> Integration:
    """Secrets are masked unless `reveal`, which is entered in the log. Raises NotFound, also for another
    workspace's, and Forbidden without credentials:read.
    """
    integration = read(principal.workspace_id, id)
    if not reveal:
        return shown(integration)
    principal.require("credentials:read")
    secrets = client.secrets(integration)
    activity.enter(
        principal.workspace_id,
        id,
        "credentials.revealed",
        principal.id,
        ", ".join(f"config.{name}" for name in secrets) or None,
    )
    return shown(integration, secrets)


def update(
    principal: Principal, id: IntegrationId, body: UpdateIntegration, if_match: int | None = None
) -> Integration:
    """Change what `body` sets.

    A change of the client or of an address needs credentials:write and a fresh client secret, and expires
    all connections. Raises Conflict when `if_match` is not the present version.
    """
    sent = body.model_fields_set

    def change(old: StoredIntegration) -> StoredIntegration:
        return _changed(principal, old, body, sent)

    names = sorted(sent - {"config"}) + [f"config.{name}" for name in sorted(body.config)]
    return _change(principal, id, change, if_match, "integration.updated", ", ".join(names))


def set_status(
    principal: Principal, id: IntegrationId, body: SetIntegrationStatus, if_match: int | None = None
) -> Integration:
    """Pause, resume, or mark as broken. Raises Conflict when it cannot be active."""

    def change(old: StoredIntegration) -> StoredIntegration:
        if body.status == "ACTIVE":
            missing = config.missing(client.provider_of(old), old.config, list(old.secret_names))
            if missing and old.source_workspace_id is None:
                raise Conflict(f"It cannot be active without config.{', config.'.join(missing)}.")
            if old.source_workspace_id is not None:
                client.holder_of(old)
        return replace(old, status=body.status, status_reason=body.reason)

    detail = body.status if body.reason is None else f"{body.status}: {body.reason}"
    return _change(principal, id, change, if_match, "integration.status_changed", detail)


def delete(principal: Principal, id: IntegrationId, if_match: int | None = None) -> Empty:
    """Remove an integration. At once nobody sees or uses it any more; its connections are revoked, its
    webhooks removed and its copies put out of service within minutes (`oauth.maintenance`).
    """
    for _ in range(_TRIES):
        old = read(principal.workspace_id, id)
        check_version("integration", old.version, if_match)
        try:
            store.delete(old, now_ms(), [_entering(principal, old, "integration.deleted")])
        except store.IntegrationChanged:
            continue
        return Empty()
    raise contended("integration")


def install(principal: Principal, id: IntegrationId, once: Once | None = None) -> Integration:
    """A copy of a public integration or of a template, in the caller's own workspace. Raises NotFound for
    what is not in the marketplace, Conflict at the ceiling.
    """
    copy = marketplace.copy(principal, id)
    answer = shown(copy)
    detail = f"a copy of {id}"
    store.create(copy, [_entering(principal, copy, "integration.installed", detail)], once, answer)
    return answer


def list_logs(principal: Principal, id: IntegrationId, query: LogQuery) -> Listing[LogEntry]:
    read(principal.workspace_id, id)
    return activity.page(principal.workspace_id, id, query)


def read(workspace_id: str, id: IntegrationId) -> StoredIntegration:
    """Raises NotFound, also for another workspace's."""
    found = store.get(workspace_id, id)
    if found is None:
        raise NotFound("There is no such integration.")
    return found


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────


def _changed(
    principal: Principal, old: StoredIntegration, body: CreateIntegration, names: set[str]
) -> StoredIntegration:
    """`old` with what the named fields of `body` say, set up as far as it now is."""
    old = marketplace.bounded(old)
    new = replace(old, **{name: getattr(body, name) for name in names & _PLAIN})
    if new.source_workspace_id is not None and names & _BOUNDED:
        marketplace.check_bounds(new)
    if "type" in names:
        new = replace(new, type=body.type)
    if "is_public" in names:
        new = replace(new, is_public=body.is_public)
    if "metadata" in names:
        new = replace(new, metadata=_merged_metadata(old.metadata, body.metadata))
    if "config" in names or "provider" in names:
        new = _configured(principal, old, new, body.config if "config" in names else {})
    return replace(new, status=_status(new))


def _configured(
    principal: Principal, old: StoredIntegration, new: StoredIntegration, changes: dict[str, Any]
) -> StoredIntegration:
    if old.source_workspace_id is not None:
        refused = [f"config.{name}" for name in changes] + ["provider"] * (new.provider != old.provider)
        if refused:
            raise ValidationFailed.of(refused[0], "the publisher's client serves; there is nothing to set")
        return new
    provider = _provider(new.provider)
    parts = config.Parts(old.config, _opened(old, changes))
    after = config.merged(parts, changes, provider)
    before, now = (
        config.where_secrets_go(*place)
        for place in ((_provider(old.provider), parts.public), (provider, after.public))
    )
    if before != now and (old.secret_names or old.connection_count):
        _check_move(principal, old, changes)
    sealed = None
    if after.secret:
        sealed = old.secrets
        if after.secret != parts.secret:
            sealed = vault.encrypt(
                new.workspace_id,
                json.dumps(after.secret),
                encryption_context=client.encryption_context(new.id),
            )
    return replace(
        new,
        config=after.public,
        secrets=sealed,
        secret_names=sorted(after.secret),
        generation=old.generation + (before != now),
    )


def _opened(old: StoredIntegration, changes: dict[str, Any]) -> dict[str, str]:
    """The stored secrets. Those that are damaged need not open where all of them are sent anew."""
    try:
        return client.secrets(old)
    except vault.DecryptionFailed:
        if set(old.secret_names) <= changes.keys():
            return {}
        raise


def _check_move(principal: Principal, old: StoredIntegration, changes: dict[str, Any]) -> None:
    """Stored secrets and tokens never go to a changed origin: whoever changes it brings the secret along."""
    principal.require("credentials:write")
    if config.CLIENT_SECRET in old.secret_names and not changes.get(config.CLIENT_SECRET):
        raise ValidationFailed.of(
            f"config.{config.CLIENT_SECRET}",
            "send it anew: the client or an address changes, and the stored secret does not go there",
        )


def _provider(name: str | None) -> Provider | None:
    return None if name is None else providers.load(name)


def _status(integration: StoredIntegration) -> str:
    """PENDING_SETUP and ACTIVE follow from what is there; the others are somebody's word, and stay."""
    if integration.status not in (IntegrationStatus.PENDING_SETUP, IntegrationStatus.ACTIVE):
        return integration.status
    if integration.source_workspace_id is not None:
        return IntegrationStatus.ACTIVE
    missing = config.missing(
        _provider(integration.provider), integration.config, list(integration.secret_names)
    )
    return IntegrationStatus.PENDING_SETUP if missing else IntegrationStatus.ACTIVE


def _merged_metadata(old: str, changes: dict[str, Any]) -> str:
    merged = {**compact_json.loads(old), **changes}
    kept = {name: value for name, value in merged.items() if value is not None}
    text = compact_json.dumps(kept)
    if len(text.encode()) > marketplace.MAX_METADATA_BYTES:
        raise ValidationFailed.of("metadata", f"has more than {marketplace.MAX_METADATA_BYTES} bytes in all")
    return text


def _change(
    principal: Principal,
    id: IntegrationId,
    change: Callable[[StoredIntegration], StoredIntegration],
    if_match: int | None,
    action: str,
    detail: str,
) -> Integration:
    """Write what `change` makes of the row as it stands; nothing when that is the same."""
    for _ in range(_TRIES):
        old = read(principal.workspace_id, id)
        check_version("integration", old.version, if_match)
        new = change(old)
        if new == old:
            return shown(old)
        new, more = marketplace.after_change(principal, old, replace(new, updated_at=now_ms()))
        if new.generation != old.generation:
            more = [*more, store.adding_task(store.Task("expire", new.workspace_id, new.id))]
        try:
            return shown(store.replace_with(old, new, [*more, _entering(principal, new, action, detail)]))
        except store.IntegrationChanged:
            continue
    raise contended("integration")


def _entering(
    principal: Principal, integration: StoredIntegration, action: str, detail: str | None = None
) -> dynamo.TransactItem:
    return activity.entering(integration.workspace_id, integration.id, action, principal.id, detail)


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────


def shown(integration: StoredIntegration, secrets: dict[str, str] | None = None) -> Integration:
    """An integration as it may be shown: with `secrets`, where they are revealed."""
    visible = config.shown(integration.config, list(integration.secret_names))
    publisher = None
    if integration.is_public or integration.source_workspace_id is not None:
        publisher = Publisher(
            workspace_id=integration.source_workspace_id or integration.workspace_id,
            name=integration.publisher_name,
            verified=integration.publisher_verified,
        )
    review = integration.review_status
    return Integration(
        id=integration.id,
        name=integration.name,
        type=IntegrationType(integration.type),
        provider=integration.provider,
        description=integration.description,
        logo_url=integration.logo_url,
        status=IntegrationStatus(integration.status),
        status_reason=integration.status_reason,
        config=visible if secrets is None else {**visible, **secrets},
        scopes=list(integration.scopes),
        rate_limit_per_hour=integration.rate_limit_per_hour,
        rate_limit_per_day=integration.rate_limit_per_day,
        is_public=integration.is_public,
        review_status=None if review is None else ReviewStatus(review),
        publisher=publisher,
        installed_from=integration.installed_from,
        metadata=compact_json.loads(integration.metadata),
        connection_count=integration.connection_count,
        created_at=at_ms(integration.created_at),
        updated_at=at_ms(integration.updated_at),
        version=integration.version,
    )
