"""The use cases of a workspace's integrations: create, get, list, update, delete, install."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import JsonValue
from pydantic.alias_generators import to_camel

from patchbay import compact_json, vault
from patchbay.activity import log as activity
from patchbay.activity import service as activity_service
from patchbay.activity.models import LogEntry, LogQuery
from patchbay.api_model import MASK, Empty, Listing
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, now_ms
from patchbay.errors import Conflict, NotFound, ValidationFailed, check_version, write_conflict
from patchbay.ids import IntegrationId
from patchbay.integrations import client, config, marketplace, store
from patchbay.integrations.config_fields import CLIENT_SECRET
from patchbay.integrations.models import (
    MAX_METADATA_BYTES,
    CreateIntegration,
    Integration,
    IntegrationQuery,
    IntegrationStatus,
    Publisher,
    ReviewStatus,
    SetIntegrationStatus,
    UpdateIntegration,
)
from patchbay.integrations.stored_integration import (
    ConfigValue,
    MarketplaceListing,
    StoredIntegration,
    Task,
)
from patchbay.providers import provider as providers
from patchbay.providers.provider import IntegrationType, Provider
from patchbay.storage import dynamo
from patchbay.storage.paging import Page

if TYPE_CHECKING:
    from patchbay.idempotency import Once

# A change requires the version that was read. If another change came first, the integration is read again.
_MAX_TRIES = 3
# The fields of a body that are stored unchanged.
_COPIED_FIELDS = {
    "name", "description", "logo_url", "rate_limit_per_hour", "rate_limit_per_day", "scopes", "provider",
}  # fmt: skip
# The fields that a copy of a public integration can only narrow.
_APPROVED_FIELDS = {"scopes", "rate_limit_per_hour", "rate_limit_per_day"}


def create(principal: Principal, body: CreateIntegration, once: Once | None = None) -> Integration:
    """Create an integration. Raises ValidationFailed for a config that its provider does not allow, Forbidden
    for a public integration without the right to publish, and Conflict at the workspace's ceiling.
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
    new = _with_changes(principal, empty, body, set(CreateIntegration.model_fields))
    new, extra_actions = marketplace.on_change(principal, None, new)
    response = to_api(new)
    log_action = _log_action(principal, new, "integration.created")
    store.create(new, [*extra_actions, log_action], once, response)
    return response


def list_integrations(principal: Principal, query: IntegrationQuery) -> Listing[Integration]:
    """The workspace's own integrations, newest first. With `includePublic`, other workspaces' listings
    follow.
    """

    def own(limit: int, cursor: str | None) -> Page[Integration]:
        return page_own(principal.workspace_id, query, limit, cursor)

    def public(limit: int, cursor: str | None) -> Page[Integration]:
        page = store.list_listings(
            type=query.type, provider=query.provider, search=None, limit=limit, cursor=cursor
        )
        return page.map(of_others)

    def of_others(listing: MarketplaceListing) -> Integration | None:
        is_own = listing.publisher_workspace_id == principal.workspace_id
        matches = not is_own and query.status in (None, IntegrationStatus.ACTIVE)
        return marketplace.to_api(listing) if matches else None

    return marketplace.chain_sources([own, public] if query.include_public else [own], query)


def page_own(workspace_id: str, query: IntegrationQuery, limit: int, cursor: str | None) -> Page[Integration]:
    """One page of a workspace's own integrations, newest first."""
    page = store.list_integrations(
        workspace_id,
        type=query.type,
        status=query.status,
        provider=query.provider,
        limit=limit,
        cursor=cursor,
    )
    return page.map(to_api)


def get(principal: Principal, id: IntegrationId, *, reveal: bool = False) -> Integration:
    """Secrets are masked unless `reveal`, which is logged. Raises NotFound, also for another workspace's
    integration, and Forbidden without credentials:read.
    """
    integration = get_stored(principal.workspace_id, id)
    if not reveal:
        return to_api(integration)
    principal.require("credentials:read")
    secrets = client.decrypt_secrets(integration)
    activity.log(
        principal.workspace_id,
        id,
        "credentials.revealed",
        principal.id,
        ", ".join(f"config.{name}" for name in secrets) or None,
    )
    return to_api(integration, secrets)


def update(
    principal: Principal, id: IntegrationId, body: UpdateIntegration, if_match: int | None = None
) -> Integration:
    """Change the fields that `body` sets.

    A change of the client or of a URL needs credentials:write and the client secret in the body, and expires
    all connections. Raises PreconditionFailed if `if_match` is not the current version.
    """
    fields = body.model_fields_set

    def change(old: StoredIntegration) -> StoredIntegration:
        body.check_read_only(to_api(old), old.version)
        return _with_changes(principal, old, body, fields)

    def changed_fields(old: StoredIntegration, new: StoredIntegration) -> str:
        names = [
            to_camel(name) for name in sorted(fields - {"config"}) if getattr(old, name) != getattr(new, name)
        ]
        names += [
            f"config.{name}" for name in sorted(body.config) if _has_changed(name, body.config, old, new)
        ]
        return ", ".join(names)

    return _update_with_retries(principal, id, change, if_match, "integration.updated", changed_fields)


def set_status(
    principal: Principal, id: IntegrationId, body: SetIntegrationStatus, if_match: int | None = None
) -> Integration:
    """Set the status. Raises Conflict if the integration cannot be active."""

    def change(old: StoredIntegration) -> StoredIntegration:
        if body.status == "ACTIVE":
            _check_can_be_active(old)
        return replace(old, status=body.status, status_reason=body.status_reason)

    detail = body.status if body.status_reason is None else f"{body.status}: {body.status_reason}"
    return _update_with_retries(
        principal, id, change, if_match, "integration.status_changed", lambda old, new: detail
    )


def _check_can_be_active(integration: StoredIntegration) -> None:
    if integration.is_copy:
        client.client_holder(integration)
        return
    missing = config.missing_fields(
        client.provider_for(integration), integration.config, integration.secret_names
    )
    if missing:
        raise Conflict(f"To activate the integration, set config.{', config.'.join(missing)}.")


def delete(principal: Principal, id: IntegrationId, if_match: int | None = None) -> Empty:
    """Delete an integration. It cannot be seen or used from now on. Within minutes, `oauth.maintenance`
    revokes its connections, removes its webhooks and deactivates its copies.
    """
    for _ in range(_MAX_TRIES):
        old = get_stored(principal.workspace_id, id)
        check_version("integration", old.version, if_match)
        try:
            store.delete(old, now_ms(), [_log_action(principal, old, "integration.deleted")])
        except store.IntegrationChanged:
            continue
        return Empty()
    raise write_conflict("integration")


def install(principal: Principal, id: IntegrationId, once: Once | None = None) -> Integration:
    """Copy a public integration or a template into the caller's workspace. Raises NotFound if the marketplace
    does not have it, and Conflict at the workspace's ceiling.
    """
    new = marketplace.new_installation(principal, id)
    response = to_api(new)
    log_action = _log_action(principal, new, "integration.installed", f"a copy of {id}")
    store.create(new, [log_action], once, response)
    return response


def list_logs(principal: Principal, id: IntegrationId, query: LogQuery) -> Listing[LogEntry]:
    """The activity log, even of a deleted integration. Raises NotFound."""
    return activity_service.list_entries(
        principal.workspace_id, id, query, lambda: get_stored(principal.workspace_id, id)
    )


# ── for other features ───────────────────────────────────────────────────────────────────────────────


def get_stored(workspace_id: str, id: IntegrationId) -> StoredIntegration:
    """Raises NotFound, also for another workspace's integration."""
    integration = store.get(workspace_id, id)
    if integration is None:
        raise NotFound("No integration with this ID.")
    return integration


def find_stored(
    workspace_id: str, id: IntegrationId, *, with_deleted: bool = False
) -> StoredIntegration | None:
    """The integration, or None. `with_deleted` also finds it while the cleanup after its deletion runs."""
    return store.get_with_deleted(workspace_id, id) if with_deleted else store.get(workspace_id, id)


def find_many(workspace_id: str, ids: Sequence[IntegrationId]) -> list[StoredIntegration]:
    """The integrations with these IDs that exist, in the order of the IDs. One call."""
    return store.get_many(workspace_id, ids)


def iter_stored(workspace_id: str) -> Iterator[StoredIntegration]:
    """Every integration of a workspace, in the order of their IDs."""
    return store.iter_integrations(workspace_id)


def delete_by_system(old: StoredIntegration) -> None:
    """Delete an integration as its owner would. Does nothing if it has changed since it was read."""
    with suppress(store.IntegrationChanged):
        store.delete(old, now_ms(), [])


def tasks() -> Iterator[Task]:
    """The background work that remains after changes of integrations (`oauth.maintenance`)."""
    return store.tasks()


def finish_task(task: Task) -> None:
    store.finish_task(task)


def copies(id: IntegrationId, after: str = "") -> Iterator[tuple[str, IntegrationId]]:
    """(workspace, integration) of each copy of a public integration, after `<workspace>#<integration>`."""
    return store.copies(id, after)


def finish_deletion(deleted: StoredIntegration) -> None:
    """Remove the tombstone of an integration whose connections, webhooks and copies are cleaned up."""
    store.remove_tombstone(deleted)


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────


def _with_changes(
    principal: Principal, old: StoredIntegration, body: CreateIntegration, names: set[str]
) -> StoredIntegration:
    """`old` with the named fields of `body`, and with the resulting status."""
    old = marketplace.with_approved_limits(old)
    new = replace(old, **{name: getattr(body, name) for name in names & _COPIED_FIELDS})
    if new.is_copy and names & _APPROVED_FIELDS:
        marketplace.check_approved_limits(new)
    if "type" in names:
        new = replace(new, type=body.type)
    if "is_public" in names:
        new = replace(new, is_public=body.is_public)
    if "metadata" in names:
        new = replace(new, metadata=_merge_metadata(old.metadata, body.metadata))
    if "config" in names or "provider" in names:
        new = _with_config(principal, old, new, body.config if "config" in names else {})
    return replace(new, status=_status(new))


def _with_config(
    principal: Principal,
    old: StoredIntegration,
    new: StoredIntegration,
    changes: Mapping[str, ConfigValue | None],
) -> StoredIntegration:
    # A mask is what the API shows in place of a stored secret.
    changes = {
        name: value for name, value in changes.items() if value != MASK or name not in old.secret_names
    }
    if old.is_copy:
        rejected = [f"config.{name}" for name in changes] + ["provider"] * (new.provider != old.provider)
        if rejected:
            raise ValidationFailed.for_field(
                rejected[0], "cannot be set, because a copy uses the publisher's OAuth client; omit it"
            )
        return new
    provider = _load_provider(new.provider)
    parts = config.Parts(old.config, _decrypt_secrets(old, changes))
    merged = config.merge(parts, changes, provider)
    if new.provider is not None and provider is None and new.provider != old.provider:
        config.check_provider(new.provider, merged.public)
    before = config.secret_destinations(_load_provider(old.provider), parts.public)
    after = config.secret_destinations(provider, merged.public)
    if before != after and (old.secret_names or old.connection_count):
        _check_may_move_secrets(principal, old, changes)
    ciphertext = None
    if merged.secret:
        ciphertext = old.secrets
        if merged.secret != parts.secret:
            ciphertext = vault.encrypt(
                new.workspace_id,
                json.dumps(merged.secret),
                encryption_context=client.encryption_context(new.id),
            )
    return replace(
        new,
        config=merged.public,
        secrets=ciphertext,
        secret_names=sorted(merged.secret),
        generation=old.generation + (before != after),
    )


def _has_changed(
    name: str,
    sent: Mapping[str, ConfigValue | None],
    old: StoredIntegration,
    new: StoredIntegration,
) -> bool:
    """Whether an update has changed a config field that it sent. A secret always counts as changed."""
    if name in old.secret_names or name in new.secret_names:
        return sent[name] != MASK
    return old.config.get(name) != new.config.get(name)


def _decrypt_secrets(old: StoredIntegration, changes: Mapping[str, ConfigValue | None]) -> dict[str, str]:
    """The stored secrets; none if they cannot be decrypted and `changes` replaces all of them."""
    try:
        return client.decrypt_secrets(old)
    except vault.DecryptionFailed:
        if set(old.secret_names) <= changes.keys():
            return {}
        raise


def _check_may_move_secrets(
    principal: Principal, old: StoredIntegration, changes: Mapping[str, ConfigValue | None]
) -> None:
    """Stored secrets and tokens never go to a new destination: the change must include the client secret."""
    principal.require("credentials:write")
    if CLIENT_SECRET in old.secret_names and not changes.get(CLIENT_SECRET):
        raise ValidationFailed.for_field(
            f"config.{CLIENT_SECRET}",
            "must be sent again, because the client or a URL changes and the stored secret is not reused "
            "for it",
        )


def _load_provider(name: str | None) -> Provider | None:
    return None if name is None else providers.load(name)


def _status(integration: StoredIntegration) -> str:
    """PENDING_SETUP and ACTIVE follow from the config. The other statuses are set explicitly, and stay."""
    if integration.status not in (IntegrationStatus.PENDING_SETUP, IntegrationStatus.ACTIVE):
        return integration.status
    if integration.is_copy:
        return IntegrationStatus.ACTIVE
    missing = config.missing_fields(
        _load_provider(integration.provider), integration.config, integration.secret_names
    )
    return IntegrationStatus.PENDING_SETUP if missing else IntegrationStatus.ACTIVE


def _merge_metadata(old: str, changes: Mapping[str, JsonValue]) -> str:
    merged = {**compact_json.loads(old), **changes}
    text = compact_json.dumps({name: value for name, value in merged.items() if value is not None})
    if len(text.encode()) > MAX_METADATA_BYTES:
        raise ValidationFailed.for_field("metadata", f"has more than {MAX_METADATA_BYTES} bytes in total")
    return text


def _update_with_retries(
    principal: Principal,
    id: IntegrationId,
    change: Callable[[StoredIntegration], StoredIntegration],
    if_match: int | None,
    action: str,
    detail: Callable[[StoredIntegration, StoredIntegration], str],
) -> Integration:
    """Apply `change` to the current row, and write the result if it is different."""
    for _ in range(_MAX_TRIES):
        old = get_stored(principal.workspace_id, id)
        check_version("integration", old.version, if_match)
        new = change(old)
        if new == old:
            return to_api(old)
        new, extra_actions = marketplace.on_change(principal, old, replace(new, updated_at=now_ms()))
        if new.generation != old.generation:
            expire = Task("expire", new.workspace_id, new.id)
            extra_actions = [*extra_actions, store.add_task_action(expire)]
        log_action = _log_action(principal, new, action, detail(old, new))
        try:
            return to_api(store.update(old, new, [*extra_actions, log_action]))
        except store.IntegrationChanged:
            continue
    raise write_conflict("integration")


def _log_action(
    principal: Principal, integration: StoredIntegration, action: str, detail: str | None = None
) -> dynamo.TransactItem:
    return activity.log_action(integration.workspace_id, integration.id, action, principal.id, detail)


def to_api(integration: StoredIntegration, secrets: Mapping[str, str] | None = None) -> Integration:
    """The integration with masked secrets, or with `secrets` where they are revealed."""
    masked = config.to_api(integration.config, integration.secret_names)
    publisher = None
    if integration.is_public or integration.is_copy:
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
        status_reason=client.status_reason(integration),
        config=masked if secrets is None else {**masked, **secrets},
        scopes=list(integration.scopes),
        rate_limit_per_hour=integration.rate_limit_per_hour,
        rate_limit_per_day=integration.rate_limit_per_day,
        is_public=integration.is_public,
        review_status=None if review is None else ReviewStatus(review),
        review_reason=integration.review_reason,
        withdrawn=integration.withdrawn,
        publisher=publisher,
        installed_from=integration.installed_from,
        metadata=compact_json.loads(integration.metadata),
        connection_count=integration.connection_count,
        created_by=integration.created_by,
        created_at=from_ms(integration.created_at),
        updated_at=from_ms(integration.updated_at),
        version=integration.version,
    )
