"""The sweeper: queues or ends deliveries that wait in the table, once they are due. Several can run at once.

    parked deliveries   retries whose delay is too long for the queue: queued
    webhooks            held deliveries: queued if the receiver is well again or has caught up, and the oldest
                        as a probe if it is not; cancelled if the webhook is not active. Recoveries: continued
    held deliveries     those that nobody released in time: failed
    fan-outs            those that stopped halfway: queued

The delivery worker does not do this, because Lambda's loop detection would stop a worker that sends to its
own queue. Whatever the sweeper takes is first made due again later and then processed: if the sweeper dies, a
later run has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from patchbay import queues
from patchbay.clock import now_ms
from patchbay.deliveries import states, store
from patchbay.deliveries.models import Status
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.events import service as events
from patchbay.events import store as events_store
from patchbay.ids import DeliveryId, EventId, parse_webhook_key
from patchbay.observability import logger
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.storage import due_index
from patchbay.webhooks import service as webhooks
from patchbay.webhooks import store as webhooks_store
from patchbay.webhooks.stored_webhook import StoredWebhook

_BATCH = 100
# The time that one batch may take. The next run, a minute later, continues.
_RESERVE_MS = 15_000
# When a webhook is due again. A run reaches a webhook seconds after it started, so with a minute the next run
# could be too early for it.
_DUE_AGAIN_MS = 30_000
# How long nothing must have been held before a webhook is not due any more.
_QUIET_MS = 600_000
# How many deliveries of each status one visit cancels for a webhook that is not active.
_MAX_CANCELLED = 500
# How many deliveries one visit queues for a webhook that has not proved fast. The slow lane takes few at a
# time, and the others would be held again.
_MAX_QUEUED_SLOW = 20
# How far ahead the slots of a rate limit are filled from the table.
_SLOTS_SECONDS = 120

# A part of the work that is due; it returns how many deliveries it queued.
Task = Callable[[], int]
# A step of `states`; None if the delivery is not in a state for it.
Step = Callable[[StoredDelivery], StoredDelivery | None]


def sweep(remaining_ms: Callable[[], int]) -> int:
    """Do the work that is due, as far as the time allows. Returns how many deliveries were queued.

    The kinds and their shards take turns, a task each, so that many tasks of one, or a failure in one, delay
    none of the others.
    """
    settings()  # a wrong configuration fails here, not in each task
    queued = 0
    sources = [
        *map(_webhook_tasks, due_index.SHARDS),
        *map(_delivery_tasks, due_index.SHARDS),
        *map(_fan_out_tasks, due_index.SHARDS),
    ]
    for task in due_index.round_robin(sources, remaining_ms, _RESERVE_MS):
        try:
            queued += task()
        except Exception:
            # A failure of our own or of AWS. What the task took becomes due again.
            logger.exception("sweep task failed", step=repr(task)[:200])
    if queued:
        logger.info("waiting deliveries queued", count=queued)
    return queued


def _webhook_tasks(shard: int) -> Iterator[Task]:
    return (partial(_visit_webhook, key) for key in health_store.due_webhooks(shard, now_ms()))


def _delivery_tasks(shard: int) -> Iterator[Task]:
    due = store.find_due(shard, now_ms())
    while keys := list(islice(due, _BATCH)):
        yield partial(_requeue, keys)


def _fan_out_tasks(shard: int) -> Iterator[Task]:
    return (partial(_resume_fan_out, *stopped) for stopped in events_store.stalled(shard, now_ms()))


def _resume_fan_out(workspace_id: str, id: EventId) -> int:
    """Queue an event again whose fan-out stopped halfway. This queues no delivery yet."""
    event = events_store.claim_stalled(workspace_id, id, now_ms())
    if event is not None:
        queues.send(settings().events_queue_url, queues.Message.from_value(event.fields(), workspace_id))
        logger.warning("stopped fan-out queued again", event_id=id, workspace=workspace_id)
    return 0


def _requeue(keys: Iterable[tuple[str, DeliveryId]]) -> int:
    """Queue parked deliveries. Fail deliveries that were held too long."""
    now = now_ms()

    def step(delivery: StoredDelivery) -> StoredDelivery | None:
        if delivery.status is Status.HELD and (delivery.due_at or 0) <= now:
            logger.warning("delivery held too long", webhook=delivery.webhook_key, delivery_id=delivery.id)
            return states.abandoned(delivery, Status.FAILED, "held_too_long", now)
        return states.requeued(delivery, now)

    return _send(_apply_step(keys, step))


# ── webhooks ─────────────────────────────────────────────────────────────────────────────────────────


def _visit_webhook(key: str) -> int:
    """Do everything that is due for a webhook. Returns how many of its deliveries were queued."""
    now = now_ms()
    health = health_store.claim_due(key, now, now + _DUE_AGAIN_MS)
    if health is None:
        return 0
    workspace_id, webhook_id = parse_webhook_key(key)
    for announcement in health.announce:
        data = dict(announcement)
        events.announce(workspace_id, "WEBHOOK_DISABLED", data, id=EventId(data.pop("id")))
    if health.announce:
        health_store.clear_announcements(key, health.announce)
    webhook = webhooks_store.get(workspace_id, webhook_id)
    reason = webhooks.inactive_reason(webhook)
    if webhook is None or reason:
        return _cancel_waiting(key, health, str(reason))
    if health.is_open(webhook.resumed_at):
        return _send_probe(key, health, now)
    return _release_held(key, health, webhook, now)


def _cancel_waiting(key: str, health: Health, reason: str) -> int:
    """Cancel the deliveries that wait for a webhook that is not active. Its owner can recover them.

    This takes a while, and the webhook may be active again before the end. Then a recovery of it may already
    be past the deliveries that were cancelled last, so these are queued here.
    """
    count = 0
    for status in (Status.HELD, Status.RETRYING):
        ids = iter(store.find_oldest(key, status, _MAX_CANCELLED))
        while batch := list(islice(ids, _BATCH)):
            cancelled = [delivery.id for delivery in _cancelled(key, batch, reason)]
            if cancelled and webhooks.inactive_reason(webhooks_store.get(*parse_webhook_key(key))) is None:
                return _send(_restarted(key, cancelled))
            count += len(cancelled)
    if health.recover is not None:
        health_store.advance_recovery(key, health, None)
    if count:
        logger.info("waiting deliveries cancelled", webhook=key, reason=reason, count=count)
    else:
        _settle(key, health)
    return 0


def _send_probe(key: str, health: Health, now: int) -> int:
    """The breaker is open. If the webhook has no new deliveries now, the probe is its oldest held delivery,
    or the next one of its recovery.
    """
    if health.probe_at > now:
        return 0
    oldest = store.find_oldest(key, Status.HELD, 1)
    if not oldest and health.recover is not None:
        return _continue_recovery(key, health, 1)
    if not oldest:
        _settle(key, health)
    return _send(_released(key, oldest))


def _release_held(key: str, health: Health, webhook: StoredWebhook, now: int) -> int:
    """Queue held deliveries, then those of a recovery, the oldest first, as many as the webhook can take."""
    limit = settings().max_waiting_per_webhook
    waiting = store.count_queued_retries(key)
    if health.has_backlog(webhook.resumed_at):
        if waiting > limit // 2:
            return 0  # a delivery that was released now would be held again
        health_store.set_backlog(key, 0)
    count = _max_released(health, webhook, limit - waiting, now)
    if count <= 0:
        return 0
    held = store.find_oldest(key, Status.HELD, count)
    queued = _send(_released(key, held))
    if count > len(held) and health.recover is not None:
        queued += _continue_recovery(key, health, count - len(held))
    elif not held:
        _settle(key, health)
    return queued


def _max_released(health: Health, webhook: StoredWebhook, count: int, now: int) -> int:
    """`count`, or fewer if the rate limit or the slow lane takes fewer."""
    per_second = webhook.rate_limit_per_second
    if per_second is not None:
        taken = max(health.next_slot // 1000 - now, 0) * per_second // 1000
        count = min(count, per_second * _SLOTS_SECONDS - taken)
    return count if health.is_fast else min(count, _MAX_QUEUED_SLOW)


def _settle(key: str, health: Health) -> None:
    """No delivery of the webhook was found waiting. An index is behind its table for a moment, so the webhook
    stays due until nothing has been held for a while.
    """
    if now_ms() - health.held_at > _QUIET_MS:
        health_store.mark_idle(key, health)


def _continue_recovery(key: str, health: Health, limit: int) -> int:
    """Queue the next part of a recovery, after the part that is done: a delivery that fails again is not
    repeated.
    """
    after, until = str(health.recover), str(health.recover_until)
    ids = list(islice(store.find_recoverable(key, after, until), limit))
    queued = _send(_restarted(key, ids))
    health_store.advance_recovery(key, health, ids[-1] if len(ids) == limit else None)
    return queued


# ── steps ────────────────────────────────────────────────────────────────────────────────────────────


def _cancelled(key: str, ids: Iterable[DeliveryId], reason: str) -> Iterator[StoredDelivery]:
    now = now_ms()
    return _apply_step(
        ((key, id) for id in ids),
        lambda delivery: states.abandoned(delivery, Status.CANCELLED, reason, now),
    )


def _released(key: str, ids: Iterable[DeliveryId]) -> Iterator[StoredDelivery]:
    now = now_ms()
    return _apply_step(((key, id) for id in ids), lambda delivery: states.released(delivery, now))


def _restarted(key: str, ids: Iterable[DeliveryId]) -> Iterator[StoredDelivery]:
    now = now_ms()
    return _apply_step(
        ((key, id) for id in ids),
        lambda delivery: states.restarted(delivery, store.RECOVERABLE, "RECOVER", now),
    )


def _apply_step(keys: Iterable[tuple[str, DeliveryId]], step: Step) -> Iterator[StoredDelivery]:
    """Take deliveries through a step. Yields those that were in a state for it and that no other process
    changed.
    """
    remaining = iter(keys)
    while batch := list(islice(remaining, _BATCH)):
        for before in store.get_by_keys(batch):
            after = step(before)
            if after is not None:
                with suppress(store.DeliveryChanged):
                    store.write(before, after)
                    yield after


def _send(deliveries: Iterable[StoredDelivery]) -> int:
    """Queue the deliveries that wait for their message. If `deliveries` raises, queue those before: otherwise
    they would wait for a later run.
    """
    messages: list[queues.Message] = []
    try:
        for delivery in deliveries:
            if delivery.status is Status.RETRYING:
                message = delivery.to_message()
                messages.append(queues.Message.from_value(message.fields(), message.workspace_id))
    finally:
        queues.send_all(settings().deliveries_queue_url, messages)
    return len(messages)
