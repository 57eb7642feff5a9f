"""What a webhook's attempts mean for the webhook: its counters, its breaker, and whether it is disabled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from patchbay import catalogue
from patchbay.clock import at_ms, iso, now_ms
from patchbay.deliveries import store
from patchbay.deliveries.batch import WebhookBatch
from patchbay.ids import EventId, WebhookId, of_webhook_key
from patchbay.observability import logger, metrics
from patchbay.receivers import health, health_store
from patchbay.settings import settings
from patchbay.stats import store as stats
from patchbay.webhooks import retry
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.stored_webhook import StoredWebhook

if TYPE_CHECKING:
    from patchbay.deliveries.models import DeliveryMessage
    from patchbay.receivers.health import Health
    from patchbay.storage import dynamo

FAILING = "consecutive_failures"
_NOTED_AGAIN_MS = 30_000


def failed(share: WebhookBatch, delivery: DeliveryMessage, at: int, asked_at: int) -> None:
    """Count a delivery that failed, before it is recorded as such: counted twice it counts once, and not at
    all it must not. The one that makes the webhook's `disableAfter` full disables it. A callback is one
    delivery: it counts against nobody. `asked_at` is when its last attempt began.
    """
    if share.is_callback:
        return
    stale = share.health.stale_failures(share.resumed_at)
    if stale:
        health_store.remove_failures(share.key, stale)
    # Of our own: the share's is also set by the attempts beside this one, not always to the latest.
    known = share.health = health_store.record_failure(share.key, at, delivery.id)
    limit = share.webhook.disable_after if share.webhook else 0
    if not share.is_active or known.consecutive_failures(share.resumed_at) < limit:
        return
    # A success can be too recent for the health row to have it.
    since = max(share.resumed_at, share.last_success_at, store.last_success(share.key))
    if known.consecutive_failures(since) >= limit:
        disable(share, delivery, FAILING, known, asked_at)


def gone(share: WebhookBatch, delivery: DeliveryMessage, reason: str, asked_at: int) -> None:
    """End a webhook because its receiver wants no more events, by its answer to a request of `asked_at`.

    The webhook is disabled. But a 410 of an automation platform removes the hook, because the automation
    subscribes again when it is turned on. If n8n keeps saying that it does not know the hook, its workflow
    may only seem to be published, so the hook is disabled and the owner gets an event. A webhook that was
    subscribed or enabled since `asked_at` stays as it is.
    """
    source = share.webhook.source if share.webhook else None
    if source == "api" or reason == retry.NOT_FOUND:
        disable(share, delivery, reason, share.health, asked_at)
    elif isinstance(delivery.webhook_id, WebhookId):
        ended = webhooks.end_subscription(
            delivery.workspace_id,
            delivery.webhook_id,
            [health_store.disable_action(share.key, now_ms(), None)],
            requested_at=asked_at,
        )
        if ended:
            logger.info("subscription ended", reason=reason, webhook_id=delivery.webhook_id, source=source)


def disable(
    share: WebhookBatch, delivery: DeliveryMessage, reason: str, known: Health, asked_at: int
) -> None:
    """Stop the webhook's deliveries. The sweeper ends what waits for it, and tells its owner once: but not
    when what failed was itself Patchbay's telling.
    """
    tells = delivery.event_type not in catalogue.OPERATIONAL
    count = known.consecutive_failures(share.resumed_at)

    def also(webhook: StoredWebhook) -> list[dynamo.TransactItem]:
        announce = _announcement(webhook, count) if tells else None
        return [health_store.disable_action(share.key, now_ms(), announce)]

    workspace_id, webhook_id = of_webhook_key(share.key)
    if webhooks.disable(workspace_id, webhook_id, reason, also, requested_at=asked_at):
        logger.warning("webhook disabled", reason=reason, webhook_id=webhook_id, failures=count)
        metrics().add_metric("WebhooksDisabled", "Count", 1)


def _announcement(webhook: StoredWebhook, failures: int) -> dict[str, Any]:
    """The data of a WEBHOOK_DISABLED, with the event's `id`."""
    return {
        "id": EventId.new(webhook.disabled_at or 0),
        "webhookId": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "reason": webhook.disabled_reason,
        "consecutiveFailures": failures,
        "disabledAt": iso(at_ms(webhook.disabled_at or 0)),
    }


def changes_nothing(share: WebhookBatch) -> bool:
    """Whether `settle` has nothing to do: without an attempt, after a healthy receiver's successful first
    attempts, and for a callback, which is a single delivery and so says nothing about others.
    """
    return (
        not share.timed_out
        or share.is_callback
        or (not share.counts.attempts and share.health.is_clean() and share.health.is_fast)
    )


def settle(share: WebhookBatch) -> None:
    """Run after the share's attempts. One write adds to the counters what the roll-up does not count. If the
    receiver is not well, or has recovered, this also updates its breaker and its lane.
    """
    if share.counts.attempts:
        stats.add_counts(share.key, share.counts)
    if not share.is_active:
        return
    _settle_breaker(share)
    known, now = share.health, now_ms()
    if known.proves_fast(now) and not share.was_slow:
        health_store.mark_fast(share.key, known, now)
    if share.last_success_at and not known.is_clean():
        health_store.record_success(share.key, share.last_success_at, known)
    if not share.queued_retries or known.has_backlog(share.resumed_at):
        return
    if store.waiting(share.key) >= settings().max_waiting_per_webhook:
        health_store.set_backlog(share.key, now)
        logger.warning("too many retries wait: further deliveries are held", webhook=share.key)


def _settle_breaker(share: WebhookBatch) -> None:
    known, now = share.health, now_ms()
    is_open = known.is_open(share.resumed_at)
    in_a_row = health.trailing_timeouts(share.timed_out)
    if in_a_row < len(share.timed_out):
        if known.timeouts != in_a_row or is_open:
            health_store.set_timeouts(share.key, in_a_row)
            if is_open:
                logger.info("breaker closed: the receiver answers", webhook=share.key)
    elif is_open:
        if share.probing:
            delay = health.probe_delay_seconds(known.probes + 1, settings().probe_seconds)
            health_store.record_probe_failure(share.key, now + delay * 1000)
        return
    elif known.opened_at:  # and the webhook was enabled by hand since: what opened it counts no more
        health_store.set_timeouts(share.key, in_a_row)
    else:
        in_a_row = health_store.add_timeouts(share.key, in_a_row).timeouts
    if in_a_row >= health.TIMEOUTS_TO_OPEN:
        health_store.open_breaker(share.key, now, now + settings().probe_seconds * 1000)
        logger.warning("breaker opened: further deliveries are held", webhook=share.key)


def slow(share: WebhookBatch) -> None:
    """An attempt takes over two seconds, so the webhook takes the slow lane. Noted at most once a batch, and
    at most twice a minute for a webhook that is known to be slow.
    """
    now = now_ms()
    known = share.health
    first, share.was_slow = not share.was_slow, True
    if first and not share.is_callback and (known.is_fast or now - known.slow_at > _NOTED_AGAIN_MS):
        health_store.mark_slow(share.key, known, share.traffic, now)
