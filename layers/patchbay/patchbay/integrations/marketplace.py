"""The marketplace: what is public, how it becomes so, and copies of it.

What is listed and installed is the snapshot that the platform approved, never the publisher's row as it is
now: a change of anything that was reviewed waits for a new word. A copy has the snapshot's fields and none of
the publisher's config; the publisher's client serves it (`integrations.client`), its tokens are the
installer's. So a copy never asks more of that client than the snapshot says: its scopes and limits can only
be narrowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from patchbay import answer_size, compact_json
from patchbay.api_model import Listing, ListQuery
from patchbay.auth.principal import Principal
from patchbay.catalogue.templates import AutomationTemplate, all_templates
from patchbay.clock import at_ms, now_ms
from patchbay.errors import Conflict, NotFound, ValidationFailed
from patchbay.ids import IntegrationId
from patchbay.integrations import activity, store
from patchbay.integrations.client import client_id_of
from patchbay.integrations.config import missing
from patchbay.integrations.models import (
    MAX_METADATA_BYTES,
    Integration,
    IntegrationStatus,
    MarketplaceQuery,
    Publisher,
    ReviewPublication,
    ReviewStatus,
)
from patchbay.integrations.store import MarketplaceListing, StoredIntegration
from patchbay.providers import provider as providers
from patchbay.providers.provider import IntegrationType, Provider
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page

__all__ = [
    "MAX_METADATA_BYTES",
    "after_change",
    "bounded",
    "browse",
    "check_bounds",
    "copy",
    "in_turn",
    "review",
    "shown",
]

# 2026-11-24: the built-in templates are as old as the product.
_TEMPLATES_SINCE_MS = 1_795_478_400_000


# ── publishing ───────────────────────────────────────────────────────────────────────────────────────


def after_change(
    principal: Principal, old: StoredIntegration | None, new: StoredIntegration
) -> tuple[StoredIntegration, list[dynamo.TransactItem]]:
    """What a change means for what is public: the integration with its review, and the actions to go along.

    Raises Forbidden without integrations:publish, ValidationFailed for what cannot be public.
    """
    was_public = old is not None and old.is_public
    if not new.is_public:
        if old is None or not was_public:
            return new, []
        return _unpublished(new), store.unlisting(new.id)
    if old is not None and was_public and _reviewed_part(old) == _reviewed_part(new):
        if old.secret_names != new.secret_names:
            _check_publishable(new)
        return new, []
    principal.require("integrations:publish")
    _check_publishable(new)
    if principal.is_platform:
        new = replace(
            new,
            review_status=ReviewStatus.APPROVED,
            publisher_name=principal.workspace_id,
            publisher_verified=True,
            withdrawn=False,
        )
        return new, [store.listing_action(_snapshot(new, new.version if old is None else new.version + 1))]
    new = replace(new, review_status=ReviewStatus.PENDING)
    actions = [store.asking_review(new.workspace_id, new.id, now_ms())]
    if old is not None and client_id_of(old) != client_id_of(new):
        # What is listed is of another client, which no longer serves.
        actions = [*store.unlisting(new.id)[:1], *actions]
    return new, actions


def review(body: ReviewPublication) -> dict[str, Any]:
    """The platform's word: list what waits; approve or reject one as it was looked at; or withdraw one.

    Raises NotFound, and Conflict when it has changed since, or there is nothing to decide.
    """
    if body == ReviewPublication():
        return _all_waiting()
    if body.integration_id is None or body.workspace_id is None or body.decision is None:
        raise ValidationFailed.of("decision", "goes with workspaceId, integrationId and version")
    old = store.get(body.workspace_id, body.integration_id)
    if old is None:
        raise NotFound("There is no such integration.")
    new, more = _decided(old, body)
    entry = activity.entering(old.workspace_id, old.id, _ACTIONS[body.decision], "platform", body.reason)
    try:
        new = store.replace_with(old, new, [store.reviewed(old.id), entry, *more])
    except store.IntegrationChanged:
        raise Conflict("It has just changed. Look at it again.") from None
    return {"integrationId": new.id, "reviewStatus": new.review_status, "version": new.version}


_ACTIONS = {
    "APPROVE": "publication.approved",
    "REJECT": "publication.rejected",
    "WITHDRAW": "publication.withdrawn",
}


def _decided(
    old: StoredIntegration, body: ReviewPublication
) -> tuple[StoredIntegration, list[dynamo.TransactItem]]:
    """The integration after the platform's word, and the actions to go along."""
    rejected = replace(
        old, review_status=ReviewStatus.REJECTED, status_reason=body.reason, updated_at=now_ms()
    )
    if body.decision == "WITHDRAW":
        # Also one that was unpublished, or rejected since: its copies go on until this.
        stopping = store.adding_task(store.Task("withdraw", old.workspace_id, old.id))
        return replace(rejected, withdrawn=True), [store.unlisting(old.id)[0], stopping]
    if not old.is_public or old.review_status != ReviewStatus.PENDING or body.version != old.version:
        raise Conflict(
            f"It is at version {old.version} with the review {old.review_status}. Look at it again: invoke "
            "this function without integrationId to see what waits."
        )
    if body.decision == "REJECT":
        return rejected, []
    _check_publishable(old)
    approved = replace(
        rejected,
        review_status=ReviewStatus.APPROVED,
        publisher_name=body.publisher_name or old.publisher_name,
        publisher_verified=body.verified,
        withdrawn=False,
    )
    return approved, [store.listing_action(_snapshot(approved, old.version + 1))]


def _unpublished(new: StoredIntegration) -> StoredIntegration:
    copies = sum(1 for _ in store.installs(new.id))
    reason = f"Unpublished. {copies} installed {'copy goes' if copies == 1 else 'copies go'} on working."
    return replace(new, review_status=None, status_reason=reason)


def _reviewed_part(integration: StoredIntegration) -> tuple[Any, ...]:
    """What the platform looks at before it approves."""
    return (
        integration.name,
        integration.type,
        integration.provider,
        integration.description,
        integration.logo_url,
        tuple(integration.scopes),
        json.dumps(integration.config, sort_keys=True),
    )


def _check_publishable(integration: StoredIntegration) -> None:
    provider = None if integration.provider is None else providers.load(integration.provider)
    if integration.source_workspace_id is not None:
        raise _cannot("is a copy of another one's")
    if provider is None or provider.oauth is None:
        raise _cannot(
            f"needs one of the built-in OAuth providers, {', '.join(_oauth_providers())}: whoever installs "
            "it sends tokens to nobody else"
        )
    if missing(provider, integration.config, list(integration.secret_names)):
        raise _cannot("needs its own client first: config.clientId and config.clientSecret")
    if any(name in integration.config for name in provider.variables):
        raise _cannot(
            f"must be at {provider.label}'s own address: remove {', '.join(provider.variables)} from config"
        )


def _cannot(why: str) -> ValidationFailed:
    return ValidationFailed.of("isPublic", f"a public integration {why}")


def _oauth_providers() -> list[str]:
    loaded = (providers.load(name) for name in providers.names())
    return [provider.name for provider in loaded if provider is not None and provider.oauth is not None]


def _snapshot(integration: StoredIntegration, version: int) -> MarketplaceListing:
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
        client_id=str(integration.config["clientId"]),
        approved_at=now_ms(),
        approved_version=version,
        rate_limit_per_hour=integration.rate_limit_per_hour,
        rate_limit_per_day=integration.rate_limit_per_day,
    )


def _all_waiting() -> dict[str, Any]:
    """The waiting reviews, oldest integration first. `more` is there if not all fit into one answer."""
    waiting: list[dict[str, Any]] = []
    room = answer_size.MAX_BYTES
    for row in store.waiting_reviews():
        entry = _waiting(*row)
        room -= len(json.dumps(entry))
        if room < 0:
            return {"waiting": waiting, "more": True}
        waiting.append(entry)
    return {"waiting": waiting}


def _waiting(workspace_id: str, id: IntegrationId, since: int) -> dict[str, Any]:
    found = store.get(workspace_id, id)
    if found is None:
        return {"workspaceId": workspace_id, "integrationId": id, "since": since}
    return {
        "workspaceId": workspace_id,
        "integrationId": id,
        "since": since,
        "version": found.version,
        "name": found.name,
        "description": found.description,
        "provider": found.provider,
        "scopes": list(found.scopes),
        "logoUrl": found.logo_url,
        "clientId": found.config.get("clientId"),
    }


# ── looking and installing ───────────────────────────────────────────────────────────────────────────


def browse(query: MarketplaceQuery) -> Listing[Integration]:
    """What is listed, newest first; then what is built in, by name: a template of each provider, and those of
    automations.
    """

    def listed(limit: int, cursor: str | None) -> Page[Integration]:
        return store.listings(type=query.type, search=query.search, limit=limit, cursor=cursor).map(shown)

    def built_in(limit: int, cursor: str | None) -> Page[Integration]:
        fitting = [listing for listing in _built_in() if _fits(listing, query)]
        start = _offset(cursor)
        places = range(start, min(start + limit, len(fitting)))
        after = str(start + limit) if start + limit < len(fitting) else None
        return Page([(shown(fitting[at]), str(at + 1)) for at in places], after)

    return in_turn([listed, built_in], query)


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
        raise _bad_cursor()
    return int(cursor)


def _bad_cursor() -> ValidationFailed:
    return ValidationFailed.of("cursor", "is not one that this list gave; start without it")


Source = Callable[[int, str | None], Page[Integration]]


def in_turn(sources: Sequence[Source], query: ListQuery) -> Listing[Integration]:
    """One page of several lists, one after the other. The cursor says which of them, and where."""
    at, _, rest = (query.cursor or "0.").partition(".")
    if not (at.isascii() and at.isdigit() and int(at) < len(sources)):
        raise _bad_cursor()
    entries: list[tuple[Integration, str]] = []
    cursor: str | None = rest or None
    for number in range(int(at), len(sources)):
        found = sources[number](query.limit - len(entries), cursor)
        entries += [(item, f"{number}.{after}") for item, after in found.entries]
        cursor = found.next_cursor
        if cursor is not None:
            return Listing.of(Page(entries, f"{number}.{cursor}"))
        if len(entries) == query.limit and number + 1 < len(sources):
            return Listing.of(Page(entries, f"{number + 1}."))
    return Listing.of(Page(entries, None))


def copy(principal: Principal, id: IntegrationId) -> StoredIntegration:
    """A new integration of the caller's, from what was approved or from a template. Raises NotFound."""
    approved = store.listing(id)
    listing = approved or next((built_in for built_in in _built_in() if built_in.id == id), None)
    if listing is None:
        raise NotFound("The marketplace has no such integration.")
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
    if approved is None:
        provider = providers.load(listing.provider) if listing.provider else None
        needs_client = provider is not None and provider.oauth is not None
        return replace(new, status=IntegrationStatus.PENDING_SETUP) if needs_client else new
    copied = replace(
        new,
        publisher_name=approved.publisher_name,
        publisher_verified=approved.publisher_verified,
        source_workspace_id=approved.publisher_workspace_id,
        source_client_id=approved.client_id,
    )
    return bounded(copied)


def bounded(copy: StoredIntegration) -> StoredIntegration:
    """The copy with bounds. They are its scopes and limits when it is made, which are those of the approved
    snapshot. A copy from before bounds were stored is bounded by its present scopes and limits.
    """
    if copy.source_workspace_id is None or copy.approved_scopes is not None:
        return copy
    return replace(
        copy,
        approved_scopes=list(copy.scopes) or _default_scopes(copy.provider),
        approved_per_hour=copy.rate_limit_per_hour,
        approved_per_day=copy.rate_limit_per_day,
    )


def check_bounds(copy: StoredIntegration) -> None:
    """Raises ValidationFailed for a copy with scopes or limits beyond those that were approved."""
    approved = copy.approved_scopes or ()
    beyond = next((scope for scope in copy.scopes if scope not in approved), None)
    if beyond is not None:
        raise ValidationFailed.of(
            "scopes",
            f"{beyond} is not among the scopes approved for this integration: {', '.join(approved)}",
        )
    for name, limit, most in (
        ("rateLimitPerHour", copy.rate_limit_per_hour, copy.approved_per_hour),
        ("rateLimitPerDay", copy.rate_limit_per_day, copy.approved_per_day),
    ):
        if most is not None and (limit is None or limit > most):
            raise ValidationFailed.of(name, f"must be at most {most}, the limit of the publisher's client")


def _default_scopes(provider_name: str | None) -> list[str]:
    provider = None if provider_name is None else providers.load(provider_name)
    return [] if provider is None or provider.oauth is None else list(provider.oauth.default_scopes)


def shown(listing: MarketplaceListing) -> Integration:
    """A public integration as everybody may see it: no config, and metadata of what is built in only."""
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
        publisher=Publisher(
            workspace_id=listing.publisher_workspace_id,
            name=listing.publisher_name,
            verified=listing.publisher_verified,
        ),
        installed_from=None,
        metadata=compact_json.loads(listing.metadata),
        connection_count=0,
        created_at=at_ms(listing.id.time_ms or listing.approved_at),
        updated_at=at_ms(listing.approved_at),
        version=listing.approved_version,
    )


def _fits(listing: MarketplaceListing, query: MarketplaceQuery) -> bool:
    text = store.search_text(listing.name, listing.description, listing.provider)
    return query.type in (None, listing.type) and (query.search or "").casefold() in text


def _built_in() -> list[MarketplaceListing]:
    """The templates, as if the platform had published them."""
    known = (providers.load(name) for name in providers.names())
    return [
        *(_of_provider(provider) for provider in known if provider is not None),
        *map(_of_automation, all_templates()),
    ]


def _of_provider(provider: Provider) -> MarketplaceListing:
    return _template(
        IntegrationId.of_template(provider.name),
        name=provider.label,
        type=provider.type,
        provider=provider.name,
        description=provider.description,
        scopes=provider.oauth.default_scopes if provider.oauth is not None else [],
    )


def _of_automation(template: AutomationTemplate) -> MarketplaceListing:
    plan = template.model_dump(mode="json", by_alias=True, include={"key", "when", "then"})
    return _template(
        IntegrationId.of_name("template", "automation", template.key),
        name=template.name,
        type=IntegrationType(template.platform.upper()),
        provider="",
        description=template.description,
        scopes=[],
        metadata=compact_json.dumps({"template": plan}),
    )


def _template(id: IntegrationId, **content: Any) -> MarketplaceListing:
    return MarketplaceListing(
        id=id,
        publisher_workspace_id=settings().platform_workspace_id,
        publisher_name="Patchbay",
        publisher_verified=True,
        client_id="",
        approved_at=_TEMPLATES_SINCE_MS,
        approved_version=1,
        **content,
    )
