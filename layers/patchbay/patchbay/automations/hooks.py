"""Triggers: what automations may begin with, and their hooks. A hook is a webhook whose source is the
automation platform; the delivery engine knows no difference.
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
from patchbay.catalogue.entries import load
from patchbay.clock import at_ms
from patchbay.errors import NotFound
from patchbay.events import store as events
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
    """What automations may begin with, by label."""
    entries = sorted((load(key) for key in catalogue.TRIGGERS), key=lambda entry: entry.label)
    return Triggers(
        [
            Trigger(
                id=entry.key,
                label=entry.label,
                noun=entry.noun,
                description=entry.description,
                json_schema=entry.json_schema,
                sample=entry.sample,
            )
            for entry in entries
        ]
    )


def samples(principal: Principal, event: TriggerKey, query: SampleQuery) -> Samples:
    """The workspace's newest events of that type, then the catalogue's sample. Whoever sets up an automation
    sees their own data; and one who has none yet still sees every field.
    """
    found = [
        Sample(id=stored.id, type=stored.type, timestamp=at_ms(stored.timestamp), data=stored.data)
        for stored in events.newest(principal.workspace_id, event, query.limit)
    ]
    if len(found) < query.limit:
        found.append(sample(event))
    return Samples(found)


def sample(event: str) -> Sample:
    """The catalogue's sample as a hook would get it; its id is always the same."""
    return Sample(
        id=EventId.of_name("sample", event),
        type=event,
        timestamp=at_ms(SAMPLED_AT_MS),
        data=load(event).sample,
    )


def subscribe(
    principal: Principal, platform: AutomationPlatform, body: Subscribe, once: Once | None = None
) -> SubscribedHook:
    """Send events to an automation. Returns the existing hook if there is one. A deleted or disabled hook
    comes back with its deliveries and a new secret; a disabled one is also sent the events that it missed.

    Raises ValidationFailed for a URL that is not called, Conflict at the workspace's ceiling.
    """
    check_registered_url("targetUrl", body.target_url)
    wanted = CreateWebhook(
        name=f"{platform.label}: {load(body.event).label}",
        url=body.target_url,
        events=[body.event],
        filters=body.filters,
        **webhooks.HOOK_RETRIES,
    )

    def recording(id: WebhookId, secret: str) -> list[dynamo.TransactItem]:
        return once.completing(SubscribedHook(id=id, secret=secret)) if once else []

    def recovering(id: WebhookId) -> list[dynamo.TransactItem]:
        # Imported here: few subscriptions bring a hook back, and all would pay for the import.
        from patchbay.deliveries import service as deliveries

        return deliveries.recovering(principal.workspace_id, id)

    id, secret = webhooks.subscribe(principal, wanted, platform, recording, recovering)
    if secret is not None:
        return SubscribedHook(id=id, secret=secret)
    if once:
        once.release()
    return KnownHook(id=id)


def list_hooks(principal: Principal, platform: AutomationPlatform, query: ListQuery) -> Listing[Hook]:
    asked = WebhookQuery(limit=query.limit, cursor=query.cursor)
    return Listing.of(webhooks.page(principal, asked, source=platform).map(_shown))


def get(principal: Principal, platform: AutomationPlatform, id: WebhookId) -> Hook:
    """Raises NotFound, also for another workspace's, or another platform's."""
    webhook = webhooks.get(principal, id)
    if webhook.source != platform:
        raise NotFound(f"There is no such hook of {platform.label}.")
    return _shown(webhook)


def unsubscribe(
    principal: Principal, platform: AutomationPlatform, id: WebhookId, if_match: int | None = None
) -> Empty:
    """Send it nothing more. Raises NotFound as `get` does."""
    get(principal, platform, id)
    return webhooks.delete(principal, id, if_match)


def _shown(webhook: Webhook) -> Hook:
    return Hook(
        id=webhook.id,
        platform=webhook.source,
        target_url=webhook.url,
        event=webhook.events[0],
        filters=webhook.filters,
        status=webhook.status,
        created_at=webhook.created_at,
        updated_at=webhook.updated_at,
        version=webhook.version,
    )
