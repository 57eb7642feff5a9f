"""The platform's reviews of public integrations: what waits for a decision, what is listed, the decisions.

The platform decides in its own workspace, through the API, or its operators invoke a function. Both call
`_decide`. A decision is one transaction: the integration, its listing, the end of its pending review, an
entry in the publisher's activity log, and one in the platform's, which is also the entry of its audit log.
The publisher learns that the platform has decided, and its reason, but not who decided.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import NotRequired, TypedDict

from patchbay import response_size
from patchbay.activity import log as activity
from patchbay.activity import service as activity_service
from patchbay.activity.models import LogEntry, LogQuery
from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, now_ms
from patchbay.errors import Conflict, NotFound, ValidationFailed, check_version
from patchbay.ids import IntegrationId, PublicationRef
from patchbay.integrations import marketplace, store
from patchbay.integrations.models import (
    DecidePublication,
    Publication,
    PublicationDetail,
    PublicationQuery,
    PublishedFields,
    ReviewPublication,
    ReviewStatus,
)
from patchbay.integrations.stored_integration import (
    MarketplaceListing,
    PendingReview,
    StoredIntegration,
    Task,
)
from patchbay.providers.provider import IntegrationType
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page

_MAX_COPIES = 1_000
_SHOWN_DECISIONS = 10
# A publisher cannot prevent a withdrawal by constantly changing the integration.
_MAX_TRIES = 3
# The actor in the logs if an operator decides, and always in the publisher's log.
_PLATFORM = "platform"
_LOGGED_AS = {
    "APPROVE": "publication.approved",
    "REJECT": "publication.rejected",
    "WITHDRAW": "publication.withdrawn",
}


# ── in the platform's workspace ──────────────────────────────────────────────────────────────────────


def list_publications(query: PublicationQuery) -> Listing[Publication]:
    """The publications that wait for a decision, then the other ones that the marketplace lists; in each
    part, the newest integration first.
    """

    def waiting_page(limit: int, cursor: str | None) -> Page[Publication]:
        page = store.page_pending_reviews(limit, cursor)
        keys = [(each.workspace_id, each.integration_id) for each in page.items]
        found = dict(zip(page.items, store.get_with_listings(keys), strict=True))

        def publication(pending: PendingReview) -> Publication | None:
            pair = found[pending]
            return None if pair is None else _publication(*pair, pending)

        return page.map(publication)

    def listed_page(limit: int, cursor: str | None) -> Page[Publication]:
        page = store.page_listings(limit, cursor)
        keys = [(each.publisher_workspace_id, each.id) for each in page.items]
        found = dict(zip((each.id for each in page.items), store.get_with_listings(keys), strict=True))

        def publication(listing: MarketplaceListing) -> Publication | None:
            pair = found[listing.id]
            if pair is None or pair[0].review_status == ReviewStatus.PENDING:
                return None
            matches = query.review_status in (None, pair[0].review_status)
            return _publication(*pair, None) if matches else None

        return page.map(publication)

    if query.review_status == ReviewStatus.PENDING:
        return marketplace.chain_sources([waiting_page], query)
    sources = [listed_page] if query.review_status is not None else [waiting_page, listed_page]
    return marketplace.chain_sources(sources, query)


def get(principal: Principal, workspace_id: str, id: IntegrationId) -> PublicationDetail:
    """A publication. Raises NotFound, also for an integration that is not public and has neither a listing
    nor copies: it is private.
    """
    return _detail(principal, *_find(workspace_id, id))


def decide(
    principal: Principal,
    workspace_id: str,
    id: IntegrationId,
    body: DecidePublication,
    if_match: int | None = None,
) -> PublicationDetail:
    """Approve or reject the version that was reviewed, or withdraw an integration.

    Raises NotFound, PreconditionFailed, and Conflict if the integration has changed in the meantime or has no
    pending review.
    """
    if body.version is None and body.decision != "WITHDRAW":
        raise ValidationFailed.for_field("version", "must be the version that you reviewed")
    new = _decide(workspace_id, id, body, principal, if_match)
    return _detail(principal, new, store.get_listing(id))


def _find(workspace_id: str, id: IntegrationId) -> tuple[StoredIntegration, MarketplaceListing | None]:
    """A publication with its listing. Raises NotFound."""
    (found,) = store.get_with_listings([(workspace_id, id)])
    if found is None:
        raise _not_found()
    integration, listing = found
    if not integration.is_public and listing is None and not store.count_copies(id, 1):
        raise _not_found()
    return found


def _detail(
    principal: Principal, integration: StoredIntegration, listing: MarketplaceListing | None
) -> PublicationDetail:
    id = integration.id
    publication = _publication(integration, listing, store.get_pending_review(id))
    return PublicationDetail(
        **dict(publication),
        copy_count=store.count_copies(id, _MAX_COPIES),
        decisions=_latest_decisions(principal.workspace_id, PublicationRef.of(integration.workspace_id, id)),
    )


def _latest_decisions(workspace_id: str, ref: PublicationRef) -> list[LogEntry]:
    """The latest entries of the platform's own activity log about a publication."""
    query = LogQuery(limit=_SHOWN_DECISIONS)
    return activity_service.list_entries(workspace_id, ref, query, lambda: None).items


def _publication(
    integration: StoredIntegration, listing: MarketplaceListing | None, pending: PendingReview | None
) -> Publication:
    status = integration.review_status
    return Publication(
        id=integration.id,
        workspace_id=integration.workspace_id,
        publisher_name=integration.publisher_name,
        verified=integration.publisher_verified,
        review_status=None if status is None else ReviewStatus(status),
        review_reason=integration.review_reason,
        waiting_since=None if pending is None else from_ms(pending.since),
        withdrawn=integration.withdrawn,
        # What a publisher does with an integration after unpublishing it is not public.
        submitted=_published_fields(marketplace.snapshot(integration, integration.version))
        if integration.is_public
        else None,
        listed=None if listing is None else _published_fields(listing),
        listed_at=None if listing is None else from_ms(listing.approved_at),
        created_at=from_ms(integration.created_at),
        updated_at=from_ms(integration.updated_at),
        version=integration.version,
    )


def _published_fields(listing: MarketplaceListing) -> PublishedFields:
    return PublishedFields(
        version=listing.approved_version,
        name=listing.name,
        type=IntegrationType(listing.type),
        provider=listing.provider or None,
        description=listing.description,
        logo_url=listing.logo_url,
        scopes=list(listing.scopes),
        client_id=listing.client_id or None,
        rate_limit_per_hour=listing.rate_limit_per_hour,
        rate_limit_per_day=listing.rate_limit_per_day,
    )


# ── for the platform's operators ─────────────────────────────────────────────────────────────────────


class WaitingIntegration(TypedDict):
    """An integration in the review queue. If it no longer exists, only the first three fields are present."""

    workspaceId: str
    integrationId: IntegrationId
    since: int
    version: NotRequired[int]
    name: NotRequired[str]
    description: NotRequired[str]
    provider: NotRequired[str | None]
    scopes: NotRequired[list[str]]
    logoUrl: NotRequired[str | None]
    clientId: NotRequired[str | None]


class ReviewQueue(TypedDict):
    """The pending reviews, oldest integration first. `more` is present if they do not all fit."""

    waiting: list[WaitingIntegration]
    more: NotRequired[bool]


class ReviewResult(TypedDict):
    """The integration after a decision."""

    integrationId: IntegrationId
    reviewStatus: str | None
    version: int


def review(body: ReviewPublication) -> ReviewQueue | ReviewResult:
    """List the pending reviews, approve or reject the version that was reviewed, or withdraw an integration.

    Raises NotFound, and Conflict if the integration has changed in the meantime or has no pending review.
    """
    if body == ReviewPublication():
        return _review_queue()
    if body.integration_id is None or body.workspace_id is None or body.decision is None:
        raise ValidationFailed.for_field(
            "decision", "must be sent with workspaceId, integrationId and version"
        )
    decision = DecidePublication(
        decision=body.decision,
        version=body.version,
        publisher_name=body.publisher_name,
        verified=body.verified,
        review_reason=body.review_reason,
    )
    new = _decide(body.workspace_id, body.integration_id, decision, None, None)
    return {"integrationId": new.id, "reviewStatus": new.review_status, "version": new.version}


def _review_queue() -> ReviewQueue:
    waiting: list[WaitingIntegration] = []
    room = response_size.MAX_BYTES
    for pending in store.pending_reviews():
        entry = _waiting_integration(pending)
        room -= len(json.dumps(entry))
        if room < 0:
            return {"waiting": waiting, "more": True}
        waiting.append(entry)
    return {"waiting": waiting}


def _waiting_integration(pending: PendingReview) -> WaitingIntegration:
    entry: WaitingIntegration = {
        "workspaceId": pending.workspace_id,
        "integrationId": pending.integration_id,
        "since": pending.since,
    }
    integration = store.get(pending.workspace_id, pending.integration_id)
    if integration is None:
        return entry
    return {
        **entry,
        "version": integration.version,
        "name": integration.name,
        "description": integration.description,
        "provider": integration.provider,
        "scopes": list(integration.scopes),
        "logoUrl": integration.logo_url,
        "clientId": integration.client_id,
    }


# ── decisions ────────────────────────────────────────────────────────────────────────────────────────


def _decide(
    workspace_id: str,
    id: IntegrationId,
    body: DecidePublication,
    principal: Principal | None,
    if_match: int | None,
) -> StoredIntegration:
    """Apply a decision of a caller in the platform's workspace, or of an operator (None)."""
    for _ in range(_MAX_TRIES if body.decision == "WITHDRAW" else 1):
        old, _listing = _find(workspace_id, id)
        check_version("integration", old.version, if_match)
        new, extra_actions = _after_decision(old, body)
        log_actions = _log_actions(old, body, principal)
        try:
            return store.update(old, new, [store.finish_review_action(id), *log_actions, *extra_actions])
        except store.IntegrationChanged:
            continue
    raise Conflict("The integration has just changed. Review it again.")


def _log_actions(
    integration: StoredIntegration, body: DecidePublication, principal: Principal | None
) -> Sequence[dynamo.TransactItem]:
    """The entries in the logs of the publisher and of the platform."""
    action, publisher = _LOGGED_AS[body.decision], integration.workspace_id
    actions = [activity.log_action(publisher, integration.id, action, _PLATFORM, body.review_reason)]
    if platform := settings().platform_workspace_id:
        ref = PublicationRef.of(publisher, integration.id)
        decided_by = _PLATFORM if principal is None else principal.id
        actions.append(activity.log_action(platform, ref, action, decided_by, body.review_reason))
    return actions


def _after_decision(
    old: StoredIntegration, body: DecidePublication
) -> tuple[StoredIntegration, list[dynamo.TransactItem]]:
    """The integration after the platform's decision, and the extra actions of the transaction."""
    decided = replace(
        old, review_status=ReviewStatus.REJECTED, review_reason=body.review_reason, updated_at=now_ms()
    )
    if body.decision == "WITHDRAW":
        # This applies even to an integration that has since been unpublished or rejected: its copies work
        # until it is withdrawn.
        withdraw_action = store.add_task_action(Task("withdraw", old.workspace_id, old.id))
        return replace(decided, withdrawn=True), [store.delete_listing_action(old.id), withdraw_action]
    if not old.is_public or old.review_status != ReviewStatus.PENDING or body.version != old.version:
        status = (
            "it has no pending review"
            if old.review_status is None
            else f"its review status is {old.review_status}"
        )
        raise Conflict(
            f"The integration is at version {old.version}, and {status}. List the pending reviews, and "
            "review the pending version."
        )
    if body.decision == "REJECT":
        return decided, []
    marketplace.check_publishable(old)
    approved = replace(
        decided,
        review_status=ReviewStatus.APPROVED,
        publisher_name=body.publisher_name or old.publisher_name,
        publisher_verified=body.verified,
        withdrawn=False,
    )
    return approved, [store.put_listing_action(marketplace.snapshot(approved, old.version + 1))]


def _not_found() -> NotFound:
    return NotFound("No publication with this ID.")
