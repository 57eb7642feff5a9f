"""The effects of attempts on their webhook: its counters, its breaker, its lane, and whether it is
disabled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchbay import catalogue, metrics
from patchbay.clock import now_ms
from patchbay.deliveries import ladder, store
from patchbay.deliveries.batch import WebhookBatch
from patchbay.ids import WebhookId, parse_webhook_key
from patchbay.observability import logger
from patchbay.receivers import health_store
from patchbay.receivers.health import TIMEOUTS_TO_OPEN, probe_delay_seconds, trailing_timeouts
from patchbay.settings import settings
from patchbay.stats import store as stats
from patchbay.webhooks import retry
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.stored_webhook import StoredWebhook

if TYPE_CHECKING:
    from patchbay.deliveries.models import DeliveryMessage
    from patchbay.receivers.health import Health
    from patchbay.storage import dynamo

CONSECUTIVE_FAILURES = "consecutive_failures"
# A webhook that is known to be slow is marked again at most this often.
_MARK_SLOW_AGAIN_MS = 30_000


def on_failed(
    batch: WebhookBatch,
    message: DeliveryMessage,
    reason: str,
    at: int,
    requested_at: int,
    *,
    is_announced: bool,
) -> None:
    """Count a failed delivery against its webhook, and disable the webhook at `disableAfter` failures in a
    row. Announces the failure where `ladder` says so, if `is_announced`.

    Call this before the delivery is recorded as FAILED: a repeat has no effect, but a failure that is missed
    is never counted. A callback is a single delivery, so it is not counted. `requested_at` is when the last
    attempt started.
    """
    if batch.is_callback:
        return
    stale = batch.health.stale_failures(batch.resumed_at)
    if stale:
        health_store.remove_failures(batch.key, stale)
    # A local variable, because concurrent attempts also set `batch.health`, and not always to the latest.
    health = batch.health = health_store.record_failure(batch.key, at, message.id)
    if batch.webhook is None or not batch.is_active:
        return
    limit, failures = batch.webhook.disable_after, health.consecutive_failures(batch.resumed_at)
    if failures >= limit or health.next_warning(failures, limit, batch.resumed_at):
        # The health row may not have the latest success yet.
        since = max(batch.resumed_at, batch.last_success_at, store.last_success_at(batch.key))
        failures = health.consecutive_failures(since)
    if is_announced:
        health = batch.health = ladder.announce_failure(
            batch.webhook, health, _failed(message, reason, at), failures
        )
    if failures >= limit:
        disable(batch, message, CONSECUTIVE_FAILURES, health, requested_at)


def on_failed_without_attempt(batch: WebhookBatch, message: DeliveryMessage, reason: str, at: int) -> None:
    """Announce a delivery that fails for a reason that is not its receiver's. Call this before it is recorded
    as FAILED.
    """
    if batch.webhook is not None and not batch.is_callback:
        batch.health = ladder.announce_failure(batch.webhook, batch.health, _failed(message, reason, at))


def _failed(message: DeliveryMessage, reason: str, at: int) -> ladder.FailedDelivery:
    return ladder.FailedDelivery(message.id, message.event_id, message.event_type, reason, at)


def on_gone(batch: WebhookBatch, message: DeliveryMessage, reason: str, requested_at: int) -> None:
    """End a webhook whose receiver asked for it in its response to a request made at `requested_at`.

    An API webhook is disabled. A 410 from an automation platform removes the hook, because the automation
    subscribes again when it is turned on. If n8n keeps responding that the hook is not registered, its
    workflow may only seem to be published, so the hook is disabled and the owner gets an event. A webhook
    that was subscribed or enabled after `requested_at` is unchanged.
    """
    source = batch.webhook.source if batch.webhook else None
    if source == "api" or reason == retry.NOT_FOUND:
        disable(batch, message, reason, batch.health, requested_at)
    elif isinstance(message.webhook_id, WebhookId):
        is_removed = webhooks.end_subscription(
            message.workspace_id,
            message.webhook_id,
            [health_store.sweep_now_action(batch.key, now_ms())],
            requested_at=requested_at,
        )
        if is_removed:
            logger.info("subscription ended", reason=reason, webhook_id=message.webhook_id, source=source)


def disable(
    batch: WebhookBatch, message: DeliveryMessage, reason: str, health: Health, requested_at: int
) -> None:
    """Stop the webhook's deliveries, and announce it, unless the failed delivery was itself an operational
    event. The sweeper cancels those that wait.
    """
    notifies = message.event_type not in catalogue.OPERATIONAL
    failures = health.consecutive_failures(batch.resumed_at)

    def extra_actions(webhook: StoredWebhook) -> list[dynamo.TransactItem]:
        sweep = health_store.sweep_now_action(batch.key, now_ms())
        return [sweep, ladder.disabled_action(webhook, failures)] if notifies else [sweep]

    workspace_id, webhook_id = parse_webhook_key(batch.key)
    if webhooks.disable(workspace_id, webhook_id, reason, extra_actions, requested_at=requested_at):
        logger.warning("webhook disabled", reason=reason, webhook_id=webhook_id, failures=failures)
        metrics.add(metrics.WEBHOOKS_DISABLED)


def needs_finish(batch: WebhookBatch) -> bool:
    """Whether `finish_batch` has anything to do. It has nothing to do if no attempt was made, if the receiver
    is healthy and all its first attempts succeeded, or for a callback, which is a single delivery.
    """
    return (
        bool(batch.timed_out)
        and not batch.is_callback
        and bool(batch.counts.attempts or not batch.health.is_clean() or not batch.health.is_fast)
    )


def finish_batch(batch: WebhookBatch) -> None:
    """Call this after the batch's attempts. One write adds the attempts that the roll-up does not count to
    the counters. If the receiver is unhealthy or has recovered, this also updates its breaker and its lane.
    """
    if batch.counts.attempts:
        stats.add_counts(batch.key, batch.counts)
    if not batch.is_active:
        return
    _update_breaker(batch)
    health, now = batch.health, now_ms()
    if health.proves_fast(now) and not batch.was_slow:
        health_store.mark_fast(batch.key, health, now)
    if batch.last_success_at and not health.is_clean():
        _record_success(batch, health)
    if not batch.has_queued_retries or health.has_backlog(batch.resumed_at):
        return
    if store.count_queued_retries(batch.key) >= settings().max_waiting_per_webhook:
        health_store.set_backlog(batch.key, now)
        logger.warning("backlog started; new deliveries are held", webhook=batch.key)


def _record_success(batch: WebhookBatch, health: Health) -> None:
    is_announced = batch.webhook is not None and ladder.announce_recovery(
        batch.webhook, health, batch.last_success_at
    )
    if not is_announced:
        health_store.record_success(batch.key, batch.last_success_at, health)


def _update_breaker(batch: WebhookBatch) -> None:
    health, now = batch.health, now_ms()
    is_open = health.is_open(batch.resumed_at)
    timeouts = trailing_timeouts(batch.timed_out)
    if timeouts < len(batch.timed_out):
        if health.timeouts != timeouts or is_open:
            health_store.set_timeouts(batch.key, timeouts)
            if is_open:
                logger.info("breaker closed", webhook=batch.key)
    elif is_open:
        if batch.is_probing:
            delay = probe_delay_seconds(health.probes + 1, settings().probe_seconds)
            health_store.record_probe_failure(batch.key, now + delay * 1000)
        return
    elif health.opened_at:  # the webhook was enabled since then, so earlier timeouts do not count
        health_store.set_timeouts(batch.key, timeouts)
    else:
        timeouts = health_store.add_timeouts(batch.key, timeouts).timeouts
    if timeouts >= TIMEOUTS_TO_OPEN:
        health_store.open_breaker(batch.key, now, now + settings().probe_seconds * 1000)
        logger.warning("breaker opened; new deliveries are held", webhook=batch.key)


def mark_slow(batch: WebhookBatch) -> None:
    """Move the webhook to the slow lane, because an attempt takes over two seconds. This writes at most once
    per batch, and at most twice a minute for a webhook that is known to be slow.
    """
    now = now_ms()
    health = batch.health
    is_first, batch.was_slow = not batch.was_slow, True
    is_known = not health.is_fast and now - health.slow_at <= _MARK_SLOW_AGAIN_MS
    if is_first and not is_known and not batch.is_callback:
        health_store.mark_slow(batch.key, health, batch.traffic, now)
