"""Triggers, which start automations, and their hooks. A hook is a webhook whose source is the automation
platform; the delivery engine treats it like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchbay import catalogue
from patchbay.api_model import Empty, Listing, ListQuery
from patchbay.auth.principal import Principal
from patchbay.automations.models import (
    AutomationPlatform,
    Hook,
    KnownHook,
    Me,
    Sample,
    SampleQuery,
    Samples,
    Subscribe,
    SubscribedHook,
    Trigger,
    TriggerKey,
    Triggers,
)
from patchbay.catalogue.entries import load_entry
from patchbay.clock import from_ms
from patchbay.errors import NotFound
from patchbay.events import service as events
from patchbay.ids import EventId, WebhookId
from patchbay.outbound.registration import check_registered_url
from patchbay.storage import dynamo
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.models import CreateWebhook, Webhook, WebhookQuery

if TYPE_CHECKING:
    from patchbay.idempotency import Once

# The time of the catalogue's samples, 2026-03-02T09:30:00Z: before any event of a real workspace.
SAMPLED_AT_MS = 1_772_443_800_000


def me(principal: Principal) -> Me:
    return Me(workspace_id=principal.workspace_id, label=principal.workspace_id)


def triggers() -> Triggers:
    """Every trigger, sorted by label."""
    entries = sorted((load_entry(key) for key in catalogue.TRIGGERS), key=lambda entry: entry.label)
    return Triggers(
        [
            Trigger(
                id=entry.type,
                label=entry.label,
                noun=entry.noun,
                description=entry.description,
                json_schema=entry.json_schema,
                sample=entry.sample,
            )
            for entry in entries
        ]
    )


def samples(principal: Principal, event_type: TriggerKey, query: SampleQuery) -> Samples:
    """The workspace's newest events of that type, then the catalogue's sample: users who set up an automation
    see their own data, and all fields even if there is none yet.
    """
    samples = [
        Sample(id=stored.id, type=stored.type, timestamp=from_ms(stored.timestamp), data=stored.data)
        for stored in events.list_newest(principal, event_type, query.limit)
    ]
    if len(samples) < query.limit:
        samples.append(sample(event_type))
    return Samples(samples)


def sample(event_type: str) -> Sample:
    """The catalogue's sample in the shape that a hook gets; its ID never changes."""
    return Sample(
        id=EventId.built_in("sample", event_type),
        type=event_type,
        timestamp=from_ms(SAMPLED_AT_MS),
        data=load_entry(event_type).sample,
    )


def subscribe(
    principal: Principal, platform: AutomationPlatform, body: Subscribe, once: Once | None = None
) -> SubscribedHook:
    """Send events to an automation. Returns the existing hook if there is one. A deleted or disabled hook
    is reactivated with its deliveries and a new secret, and a disabled one gets the events that it missed.

    Raises ValidationFailed for a URL that Patchbay does not call, Conflict at the workspace's ceiling.
    """
    check_registered_url("url", body.url)
    webhook = CreateWebhook(
        name=f"{platform.label}: {load_entry(body.event_type).label}",
        url=body.url,
        event_types=[body.event_type],
        filters=body.filters,
    )

    def response_actions(id: WebhookId, secret: str) -> list[dynamo.TransactItem]:
        return [once.complete_action(SubscribedHook(id=id, secret=secret))] if once else []

    def recovery_actions(id: WebhookId) -> list[dynamo.TransactItem]:
        # Imported here: few subscriptions reactivate a hook, and the import would slow all of them.
        from patchbay.deliveries import service as deliveries

        return deliveries.recovery_actions(principal.workspace_id, id)

    def release_actions(id: WebhookId) -> list[dynamo.TransactItem]:
        from patchbay.deliveries import service as deliveries

        return deliveries.release_actions(principal.workspace_id, id)

    id, secret = webhooks.subscribe(
        principal, webhook, platform, response_actions, recovery_actions, release_actions
    )
    if secret is not None:
        return SubscribedHook(id=id, secret=secret)
    if once:
        once.release()
    return KnownHook(id=id)


def list_hooks(principal: Principal, platform: AutomationPlatform, query: ListQuery) -> Listing[Hook]:
    page = webhooks.list_webhooks(
        principal, WebhookQuery(limit=query.limit, cursor=query.cursor), source=platform
    )
    return Listing.from_page(page.map(_to_api))


def get(principal: Principal, platform: AutomationPlatform, id: WebhookId) -> Hook:
    """Raises NotFound, including for a hook of another workspace or platform."""
    webhook = webhooks.get(principal, id)
    if webhook.source != platform:
        raise NotFound(f"No hook of {platform.label} with this ID.")
    return _to_api(webhook)


def unsubscribe(
    principal: Principal, platform: AutomationPlatform, id: WebhookId, if_match: int | None = None
) -> Empty:
    """Delete a hook. Raises NotFound as `get` does."""
    get(principal, platform, id)
    return webhooks.delete(principal, id, if_match)


def _to_api(webhook: Webhook) -> Hook:
    return Hook(
        id=webhook.id,
        platform=webhook.source,
        url=webhook.url or "",
        event_type=webhook.event_types[0],
        filters=webhook.filters,
        status=webhook.status,
        created_at=webhook.created_at,
        updated_at=webhook.updated_at,
        version=webhook.version,
    )
