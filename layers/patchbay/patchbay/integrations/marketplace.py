"""The marketplace: publishing integrations, listing them, and copying them. `reviews` decides what it lists.

A listing is the snapshot that the platform approved, never the publisher's current row: a change to a
reviewed field waits for a new decision. A copy has the snapshot's fields and none of the publisher's config.
It uses the publisher's client (`integrations.client`), but its tokens are the installer's. A copy's scopes
and limits can only be narrowed, so it never asks more of the publisher's client than the snapshot allows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from patchbay import compact_json, suggestions
from patchbay.api_model import Listing, ListQuery
from patchbay.auth.principal import Principal
from patchbay.catalogue.templates import AutomationTemplate, all_templates
from patchbay.clock import from_ms, now_ms
from patchbay.errors import NotFound, ValidationFailed
from patchbay.ids import IntegrationId
from patchbay.integrations import store
from patchbay.integrations.client import client_identity
from patchbay.integrations.config import missing_fields
from patchbay.integrations.models import (
    Integration,
    IntegrationStatus,
    MarketplaceQuery,
    Publisher,
    ReviewStatus,
)
from patchbay.integrations.stored_integration import (
    MarketplaceListing,
    StoredIntegration,
)
from patchbay.providers import provider as providers
from patchbay.providers.provider import IntegrationType, Provider
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page

# 2026-11-24: the built-in templates are as old as the product.
_TEMPLATES_SINCE_MS = 1_795_478_400_000


# ── publishing ───────────────────────────────────────────────────────────────────────────────────────


def on_change(
    principal: Principal, old: StoredIntegration | None, new: StoredIntegration
) -> tuple[StoredIntegration, list[dynamo.TransactItem]]:
    """The effect of a change on publication: the integration with its review status, and the extra actions of
    the transaction.

    Raises Forbidden without integrations:publish, and ValidationFailed for an integration that cannot be
    public.
    """
    was_public = old is not None and old.is_public
    if not new.is_public:
        if not was_public:
            return new, []
        return _with_unpublished_status(new), [
            store.delete_listing_action(new.id),
            store.finish_review_action(new.id),
        ]
    if old is not None and was_public and _reviewed_fields(old) == _reviewed_fields(new):
        if old.secret_names != new.secret_names:
            check_publishable(new)
        return new, []
    principal.require("integrations:publish")
    check_publishable(new)
    if principal.is_platform:
        new = replace(
            new,
            review_status=ReviewStatus.APPROVED,
            review_reason=None,
            publisher_name=principal.workspace_id,
            publisher_verified=True,
            withdrawn=False,
        )
        return new, [store.put_listing_action(snapshot(new, new.version if old is None else new.version + 1))]
    new = replace(new, review_status=ReviewStatus.PENDING, review_reason=None)
    actions = [store.request_review_action(new.workspace_id, new.id, now_ms())]
    if old is not None and client_identity(old) != client_identity(new):
        # The listing has the old client, which no longer serves copies.
        actions = [store.delete_listing_action(new.id), *actions]
    return new, actions


def _with_unpublished_status(new: StoredIntegration) -> StoredIntegration:
    count = sum(1 for _ in store.copies(new.id))
    copies = "1 installed copy continues" if count == 1 else f"{count} installed copies continue"
    return replace(new, review_status=None, review_reason=f"unpublished: {copies} to work")


class _ReviewedFields(NamedTuple):
    """The fields that the platform reviews before it approves."""

    name: str
    type: str
    provider: str | None
    description: str
    logo_url: str | None
    scopes: tuple[str, ...]
    config: str


def _reviewed_fields(integration: StoredIntegration) -> _ReviewedFields:
    return _ReviewedFields(
        integration.name,
        integration.type,
        integration.provider,
        integration.description,
        integration.logo_url,
        tuple(integration.scopes),
        json.dumps(integration.config, sort_keys=True),
    )


def check_publishable(integration: StoredIntegration) -> None:
    """Raises ValidationFailed for an integration that cannot be public."""
    provider = None if integration.provider is None else providers.load(integration.provider)
    if integration.is_copy:
        raise _not_publishable("must not be a copy of another one")
    if provider is None or provider.oauth is None:
        raise _not_publishable(
            f"needs one of the built-in OAuth providers, {', '.join(_oauth_providers())}, so that its users' "
            "tokens are sent only there"
        )
    if missing_fields(provider, integration.config, integration.secret_names):
        raise _not_publishable("needs its own OAuth client first: config.clientId and config.clientSecret")
    if any(name in integration.config for name in provider.variables):
        raise _not_publishable(
            f"must use {provider.label}'s own URLs: remove {', '.join(provider.variables)} from config"
        )


def _not_publishable(reason: str) -> ValidationFailed:
    return ValidationFailed.for_field("isPublic", f"a public integration {reason}")


def _oauth_providers() -> list[str]:
    return [provider.name for provider in providers.load_all() if provider.oauth is not None]


def snapshot(integration: StoredIntegration, version: int) -> MarketplaceListing:
    """The listing of an integration whose `version` is approved now."""
    return MarketplaceListing(
        id=integration.id,
        publisher_workspace_id=integration.workspace_id,
        publisher_name=integration.publisher_name,
        publisher_verified=integration.publisher_verified,
        name=integration.name,
        type=integration.type,
        provider=integration.provider or "",
        description=integration.description,
        logo_url=integration.logo_url,
        scopes=list(integration.scopes),
        client_id=integration.client_id or "",
        approved_at=now_ms(),
        approved_version=version,
        rate_limit_per_hour=integration.rate_limit_per_hour,
        rate_limit_per_day=integration.rate_limit_per_day,
    )


# ── browsing ─────────────────────────────────────────────────────────────────────────────────────────


def browse(query: MarketplaceQuery) -> Listing[Integration]:
    """The public integrations, newest first, then the built-in templates by name: those of providers, then
    those of automations. Raises ValidationFailed for a provider that nothing in the marketplace can have.
    """
    if query.provider is not None and query.provider not in providers.names():
        message = suggestions.one_of(query.provider, providers.names(), "a built-in provider")
        raise ValidationFailed.for_field("provider", message)

    def published_page(limit: int, cursor: str | None) -> Page[Integration]:
        page = store.list_listings(
            type=query.type, provider=query.provider, search=query.search, limit=limit, cursor=cursor
        )
        return page.map(to_api)

    def built_in_page(limit: int, cursor: str | None) -> Page[Integration]:
        matches = [listing for listing in _built_in_listings() if _matches(listing, query)]
        start = _offset(cursor)
        end = min(start + limit, len(matches))
        next_cursor = str(start + limit) if start + limit < len(matches) else None
        entries = [(to_api(matches[index]), str(index + 1)) for index in range(start, end)]
        return Page(entries, next_cursor)

    return chain_sources([published_page, built_in_page], query)


def get(id: IntegrationId) -> Integration:
    """A public integration or a built-in template. Raises NotFound, also for an integration that is not
    listed.
    """
    return to_api(_find(id)[0])


def _find(id: IntegrationId) -> tuple[MarketplaceListing, bool]:
    """The listing with an ID, and whether a workspace published it. Raises NotFound."""
    published = store.get_listing(id)
    if published is not None:
        return published, True
    for listing in _built_in_listings():
        if listing.id == id:
            return listing, False
    raise NotFound("The marketplace has no integration with this ID.")


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
        raise dynamo.invalid_cursor()
    return int(cursor)


Item = TypeVar("Item")
# (limit, cursor) → a page of at most `limit` items from the cursor on.
Source = Callable[[int, str | None], Page[Item]]


def chain_sources(sources: Sequence[Source[Item]], query: ListQuery) -> Listing[Item]:
    """One page of several lists, one after the other. The cursor is `<index of the list>.<cursor within
    it>`.
    """
    index, _, rest = (query.cursor or "0.").partition(".")
    if not (index.isascii() and index.isdigit() and int(index) < len(sources)):
        raise dynamo.invalid_cursor()
    entries: list[tuple[Item, str]] = []
    cursor: str | None = rest or None
    for number in range(int(index), len(sources)):
        page = sources[number](query.limit - len(entries), cursor)
        entries += [(item, f"{number}.{after}") for item, after in page.entries]
        cursor = page.next_cursor
        if cursor is not None:
            return Listing.from_page(Page(entries, f"{number}.{cursor}"))
        if len(entries) == query.limit and number + 1 < len(sources):
            return Listing.from_page(Page(entries, f"{number + 1}."))
    return Listing.from_page(Page(entries, None))


def to_api(listing: MarketplaceListing) -> Integration:
    """A public integration as every workspace sees it, without config."""
    return Integration(
        id=listing.id,
        name=listing.name,
        type=IntegrationType(listing.type),
        provider=listing.provider or None,
        description=listing.description,
        logo_url=listing.logo_url,
        status=IntegrationStatus.ACTIVE,
        status_reason=None,
        config={},
        scopes=list(listing.scopes),
        rate_limit_per_hour=listing.rate_limit_per_hour,
        rate_limit_per_day=listing.rate_limit_per_day,
        is_public=True,
        review_status=ReviewStatus.APPROVED,
        review_reason=None,
        withdrawn=False,
        publisher=Publisher(
            workspace_id=listing.publisher_workspace_id,
            name=listing.publisher_name,
            verified=listing.publisher_verified,
        ),
        installed_from=None,
        metadata=compact_json.loads(listing.metadata),
        connection_count=0,
        created_by=None,
        created_at=from_ms(listing.id.time_ms or listing.approved_at),
        updated_at=from_ms(listing.approved_at),
        version=listing.approved_version,
    )


def _matches(listing: MarketplaceListing, query: MarketplaceQuery) -> bool:
    text = store.search_text(listing.name, listing.description, listing.provider)
    return (
        query.type in (None, listing.type)
        and query.provider in (None, listing.provider)
        and (query.search or "").casefold() in text
    )


def _built_in_listings() -> list[MarketplaceListing]:
    """The templates, as if the platform had published them."""
    return [
        *map(_provider_listing, providers.load_all()),
        *map(_automation_listing, all_templates()),
    ]


def _provider_listing(provider: Provider) -> MarketplaceListing:
    return _built_in_listing(
        IntegrationId.for_template(provider.name),
        name=provider.label,
        type=provider.type,
        provider=provider.name,
        description=provider.description,
        scopes=provider.oauth.default_scopes if provider.oauth is not None else [],
    )


def _automation_listing(template: AutomationTemplate) -> MarketplaceListing:
    parts = {"key", "when", "then"} if template.flow is None else {"key", "when", "then", "flow"}
    plan = template.model_dump(mode="json", by_alias=True, include=parts)
    return _built_in_listing(
        IntegrationId.built_in("template", "automation", template.key),
        name=template.name,
        type=IntegrationType(template.platform.upper()),
        description=template.description,
        metadata=compact_json.dumps({"template": plan}),
    )


def _built_in_listing(
    id: IntegrationId,
    *,
    name: str,
    type: IntegrationType,
    description: str,
    provider: str = "",
    scopes: Sequence[str] = (),
    metadata: str = "{}",
) -> MarketplaceListing:
    return MarketplaceListing(
        id=id,
        publisher_workspace_id=settings().platform_workspace_id,
        publisher_name="Patchbay",
        publisher_verified=True,
        name=name,
        type=type,
        provider=provider,
        description=description,
        scopes=scopes,
        client_id="",
        approved_at=_TEMPLATES_SINCE_MS,
        approved_version=1,
        metadata=metadata,
    )


# ── copies ───────────────────────────────────────────────────────────────────────────────────────────


def new_installation(principal: Principal, id: IntegrationId) -> StoredIntegration:
    """A new integration, installed from a listing (then it is a copy) or from a template. Raises NotFound."""
    listing, is_published = _find(id)
    new_id = IntegrationId.new()
    new = StoredIntegration(
        workspace_id=principal.workspace_id,
        id=new_id,
        name=listing.name,
        type=listing.type,
        provider=listing.provider or None,
        description=listing.description,
        logo_url=listing.logo_url,
        status=IntegrationStatus.ACTIVE,
        metadata=listing.metadata,
        created_by=principal.id,
        created_at=new_id.time_ms,
        updated_at=new_id.time_ms,
        scopes=list(listing.scopes),
        rate_limit_per_hour=listing.rate_limit_per_hour,
        rate_limit_per_day=listing.rate_limit_per_day,
        installed_from=id,
    )
    if not is_published:
        provider = providers.load(listing.provider) if listing.provider else None
        needs_client = provider is not None and provider.oauth is not None
        return replace(new, status=IntegrationStatus.PENDING_SETUP) if needs_client else new
    copy = replace(
        new,
        publisher_name=listing.publisher_name,
        publisher_verified=listing.publisher_verified,
        source_workspace_id=listing.publisher_workspace_id,
        source_client_id=listing.client_id,
    )
    return with_approved_limits(copy)


def with_approved_limits(copy: StoredIntegration) -> StoredIntegration:
    """The copy with its approved scopes and limits. A new copy has those of the snapshot. A copy made before
    these were stored gets its current scopes and limits.
    """
    if not copy.is_copy or copy.approved_scopes is not None:
        return copy
    return replace(
        copy,
        approved_scopes=list(copy.scopes) or _default_scopes(copy.provider),
        approved_per_hour=copy.rate_limit_per_hour,
        approved_per_day=copy.rate_limit_per_day,
    )


def check_approved_limits(copy: StoredIntegration) -> None:
    """Raises ValidationFailed for a copy with scopes or limits beyond the approved ones."""
    approved = copy.approved_scopes or ()
    beyond = next((scope for scope in copy.scopes if scope not in approved), None)
    if beyond is not None:
        raise ValidationFailed.for_field(
            "scopes",
            f"{beyond} is not among the scopes approved for this integration: {', '.join(approved)}",
        )
    for name, limit, maximum in (
        ("rateLimitPerHour", copy.rate_limit_per_hour, copy.approved_per_hour),
        ("rateLimitPerDay", copy.rate_limit_per_day, copy.approved_per_day),
    ):
        if maximum is not None and (limit is None or limit > maximum):
            raise ValidationFailed.for_field(
                name, f"must be at most {maximum}, the limit of the publisher's OAuth client"
            )


def _default_scopes(provider_name: str | None) -> list[str]:
    provider = None if provider_name is None else providers.load(provider_name)
    return [] if provider is None or provider.oauth is None else list(provider.oauth.default_scopes)
