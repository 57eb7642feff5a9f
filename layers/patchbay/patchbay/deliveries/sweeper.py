"""The sweeper: queues or ends deliveries that wait in the table, once they are due. Several can run
concurrently.

    parked deliveries   retries whose delay is too long for the queue: queued
    webhooks            held deliveries: queued if the receiver is healthy again or has caught up; otherwise,
                        the oldest is queued as a probe; kept if the webhook is paused, and cancelled if it
                        is not active. Recoveries: continued. Temporary webhooks that have expired: removed
    held deliveries     those that were not released in time: failed
    announcements       Patchbay's own events that a transition has announced: queued
    fan-outs            those that stalled: their events are queued
    tasks               replays that are running: advanced by a slice (`replay.advance`)

The delivery worker does not do this, because Lambda's loop detection would stop a worker that sends to its
own queue. The sweeper makes each item due again later before it processes it, so if the sweeper dies, a later
run processes the item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import islice

from patchbay import queues
from patchbay.clock import now_ms
from patchbay.deliveries import admission, ladder, replay, requeue, states, store
from patchbay.deliveries.models import HELD_PAUSED, Status
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.events import announcements
from patchbay.events import store as events_store
from patchbay.ids import DeliveryId, EventId, RunId, parse_webhook_key
from patchbay.observability import logger
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.storage import due_index
from patchbay.tasks import service as tasks
from patchbay.webhooks import service as webhooks
from patchbay.webhooks import store as webhooks_store
from patchbay.webhooks.stored_webhook import StoredWebhook

# The time that one job may take. The next run, a minute later, continues.
_RESERVE_MS = 15_000
# Tasks advance only in this first part of a run, so that many of them leave time for everything else.
_TASKS_MS = 15_000
# How many due webhooks or tasks of a shard one run considers.
_MAX_KEYS = 1_000
# How soon a webhook is due again. Runs start every minute and reach a webhook after some seconds, so with a
# full minute here the next run could come too early.
_DUE_AGAIN_MS = 30_000
# How soon a paused webhook is due again: to cancel what it holds if it was deleted. A resume makes it due at
# once.
_PAUSED_DUE_AGAIN_MS = 15 * 60_000
# A webhook stops being due when none of its deliveries has been held for this long.
_QUIET_MS = 600_000
# How many deliveries of each status one visit cancels for a webhook that is not active.
_MAX_CANCELLED = 500

_HELD_TOO_LONG = "held_too_long"

# One piece of due work. It returns the number of deliveries that it queued.
Job = Callable[[], int]


def sweep(remaining_ms: Callable[[], int]) -> int:
    """Do the work that is due, as far as time allows. Returns the number of deliveries that were queued.

    The kinds of work and their shards take turns, one job at a time, so that many jobs of one kind, or a
    failure in it, do not delay the others.
    """
    settings()  # an invalid configuration fails here, not in each job
    queued = 0
    tasks_end_at = remaining_ms() - _TASKS_MS
    sources = [
        *map(_webhook_jobs, due_index.SHARDS),
        *map(_delivery_jobs, due_index.SHARDS),
        *map(_event_jobs, due_index.SHARDS),
        *(_task_jobs(shard, lambda: remaining_ms() > tasks_end_at) for shard in due_index.SHARDS),
    ]
    for job in due_index.round_robin(sources, remaining_ms, _RESERVE_MS):
        try:
            queued += job()
        except Exception:
            # An error in our code or in AWS. What the job claimed becomes due again.
            logger.exception("sweep job failed", job=repr(job)[:200])
    if queued:
        logger.info("waiting deliveries queued", count=queued)
    return queued


def _webhook_jobs(shard: int) -> Iterator[Job]:
    keys = islice(health_store.due_webhooks(shard, now_ms()), _MAX_KEYS)
    for key in due_index.in_turns(keys, lambda key: parse_webhook_key(key)[0]):
        yield partial(_visit_webhook, key)


def _task_jobs(shard: int, has_time: Callable[[], bool]) -> Iterator[Job]:
    keys = islice(tasks.due(shard, now_ms()), _MAX_KEYS)
    for workspace_id, id in due_index.in_turns(keys, lambda key: key[0]):
        if not has_time():
            return
        yield partial(replay.advance, workspace_id, id)


def _delivery_jobs(shard: int) -> Iterator[Job]:
    due = store.find_due(shard, now_ms())
    while keys := list(islice(due, requeue.BATCH)):
        yield partial(_requeue, keys)


def _event_jobs(shard: int) -> Iterator[Job]:
    for partition, id in events_store.due(shard, now_ms()):
        announced_by = announcements.workspace_of(partition)
        if announced_by is not None:
            yield partial(_publish_announcement, announced_by, id)
        elif "#" not in partition:  # other kinds of rows are of a newer release, before a rollback
            yield partial(_resume_fan_out, partition, EventId(id))


def _publish_announcement(workspace_id: str, id: str) -> int:
    """Queue an announced event. Returns 0, because no delivery is queued yet."""
    now = now_ms()
    event = events_store.claim_announcement(workspace_id, id, now)
    if event is not None:
        queues.send(settings().events_queue_url, queues.Message.from_value(event.fields(), workspace_id))
        events_store.finish_announcement(workspace_id, id, now)
    return 0


def _resume_fan_out(workspace_id: str, id: EventId) -> int:
    """Queue the event of a stalled fan-out again. Returns 0, because no delivery is queued yet."""
    event = events_store.claim_stalled(workspace_id, id, now_ms())
    if event is not None:
        queues.send(settings().events_queue_url, queues.Message.from_value(event.fields(), workspace_id))
        logger.warning("stalled fan-out queued again", event_id=id, workspace=workspace_id)
    return 0


def _requeue(keys: Iterable[tuple[str, DeliveryId]]) -> int:
    """Queue parked deliveries, and fail deliveries that were held too long."""
    now = now_ms()

    @cache
    def webhook_of(key: str) -> StoredWebhook | None:
        return webhooks_store.get(*parse_webhook_key(key))

    healths: dict[str, Health] = {}

    def transition(delivery: StoredDelivery) -> StoredDelivery | None:
        if delivery.status is Status.HELD and (delivery.due_at or 0) <= now:
            longer = _kept(delivery, webhook_of(delivery.webhook_key), now)
            if longer is not None:
                return longer
            logger.warning(
                "delivery held too long",
                webhook=delivery.webhook_key,
                delivery_id=delivery.id,
                event_id=delivery.event_id,
            )
            _announce_held_too_long(delivery, webhook_of(delivery.webhook_key), healths, now)
            return states.abandoned(delivery, Status.FAILED, _HELD_TOO_LONG, now)
        return states.requeued(delivery, now)

    return requeue.send(requeue.apply_transition(keys, transition))


def _announce_held_too_long(
    delivery: StoredDelivery, webhook: StoredWebhook | None, healths: dict[str, Health], now: int
) -> None:
    """Announce a delivery that ends in the table. `healths` has the health of webhooks that this run has
    read.
    """
    if webhook is None or isinstance(webhook.id, RunId):
        return
    key = delivery.webhook_key
    health = healths.get(key) or health_store.get(key)
    failed = ladder.FailedDelivery(delivery.id, delivery.event_id, delivery.event_type, _HELD_TOO_LONG, now)
    healths[key] = ladder.announce_failure(webhook, health, failed)


def _kept(delivery: StoredDelivery, webhook: StoredWebhook | None, now: int) -> StoredDelivery | None:
    """The delivery, held for longer. While a webhook is paused, its deliveries can be held for as long as
    their events are kept. When it is resumed, the time that they wait for their receiver begins again.
    """
    held_at, reason = delivery.held_at or now, delivery.reason
    if webhook is None:
        return None
    if webhook.is_paused:
        since, reason = held_at, HELD_PAUSED
    elif reason != HELD_PAUSED and webhook.resumed_at > held_at:
        since = webhook.resumed_at
    else:
        return None
    return states.kept(delivery, now, since=since, max_hold_ms=admission.max_hold_ms(reason), reason=reason)


# ── webhooks ─────────────────────────────────────────────────────────────────────────────────────────

# The data of WEBHOOK_DISABLED, in this order: DynamoDB keeps no order of the keys of a map.
_ANNOUNCED_FIELDS = ("webhookId", "name", "url", "statusReason", "consecutiveFailures", "disabledAt")


def _visit_webhook(key: str) -> int:
    """Do everything that is due for a webhook. Returns the number of its deliveries that were queued."""
    now = now_ms()
    health = health_store.claim_due(key, now, now + _DUE_AGAIN_MS)
    if health is None:
        return 0
    workspace_id, webhook_id = parse_webhook_key(key)
    webhook = webhooks_store.get(workspace_id, webhook_id)
    if webhook is not None and webhook.is_pull:
        return _visit_pull(key, health, webhook, now)
    reason = webhooks.inactive_reason(webhook)
    if webhook is None or reason:
        return _cancel_waiting(key, health, str(reason))
    if webhook.is_paused:
        return _visit_paused(key, health, now)
    if health.is_open(webhook.resumed_at):
        return _send_probe(key, health, now)
    return _release_held(key, health, webhook, now)


def _visit_pull(key: str, health: Health, webhook: StoredWebhook, now: int) -> int:
    """Remove a temporary webhook that has expired, or visit it again when it expires. Returns 0, because it
    has no deliveries.
    """
    next_visit = webhook.expires_at
    if webhook.has_expired(now):
        if not webhooks.delete_expired(webhook):
            return 0  # it has changed since it was read; the next run visits it again
        next_visit = None
    health_store.schedule_next_visit(key, health, next_visit)
    return 0


def _cancel_waiting(key: str, health: Health, reason: str) -> int:
    """Cancel the waiting deliveries of a webhook that is not active. Its owner can recover them.

    The webhook may become active again while this runs. Its recovery may then already be past the deliveries
    that were cancelled last, so these are queued here.
    """
    count = 0
    for status in (Status.HELD, Status.RETRYING):
        ids = iter(store.find_oldest(key, status, _MAX_CANCELLED))
        while batch := list(islice(ids, requeue.BATCH)):
            cancelled = [delivery.id for delivery in _cancelled(key, batch, reason)]
            if cancelled and webhooks.inactive_reason(webhooks_store.get(*parse_webhook_key(key))) is None:
                return requeue.send(_restarted(key, cancelled))
            count += len(cancelled)
    if health.recover is not None:
        health_store.advance_recovery(key, health, None)
    if count:
        logger.info("waiting deliveries cancelled", webhook=key, reason=reason, count=count)
    else:
        _mark_idle_if_quiet(key, health)
    return 0


def _visit_paused(key: str, health: Health, now: int) -> int:
    """Leave everything as it is, and come back later: recoveries wait, too."""
    if store.find_oldest(key, Status.HELD, 1) or health.recover is not None:
        health_store.schedule_next_visit(key, health, now + _PAUSED_DUE_AGAIN_MS)
    else:
        _mark_idle_if_quiet(key, health)
    return 0


def _send_probe(key: str, health: Health, now: int) -> int:
    """The breaker is open. If a probe is due and no new delivery has become the probe, queue the oldest held
    delivery as the probe, or the next one of a recovery.
    """
    if health.probe_at > now:
        return 0
    oldest = store.find_oldest(key, Status.HELD, 1)
    if not oldest and health.recover is not None:
        return _continue_recovery(key, health, 1)
    if not oldest:
        _mark_idle_if_quiet(key, health)
    return requeue.send(_released(key, oldest))


def _release_held(key: str, health: Health, webhook: StoredWebhook, now: int) -> int:
    """Queue as many deliveries as the webhook can take: held ones, then those of a recovery, oldest first."""
    count = requeue.free_capacity(key, health, webhook, now)
    if not count:
        return 0
    held = store.find_oldest(key, Status.HELD, count)
    queued = requeue.send(_released(key, held))
    if count > len(held) and health.recover is not None:
        queued += _continue_recovery(key, health, count - len(held))
    elif not held:
        _mark_idle_if_quiet(key, health)
    return queued


def _mark_idle_if_quiet(key: str, health: Health) -> None:
    """Call this if no waiting delivery of the webhook was found. Indexes lag behind their table, so the
    webhook stays due until none of its deliveries has been held for a while.
    """
    if now_ms() - health.held_at > _QUIET_MS:
        health_store.mark_idle(key, health)


def _continue_recovery(key: str, health: Health, limit: int) -> int:
    """Queue the next part of a recovery. It only moves forward, so a delivery that fails again is not
    recovered again.
    """
    after, until = str(health.recover), str(health.recover_until)
    ids = list(islice(store.find_recoverable(key, after, until), limit))
    queued = requeue.send(_restarted(key, ids))
    health_store.advance_recovery(key, health, ids[-1] if len(ids) == limit else None)
    return queued


# ── transitions ───────────────────────────────────────────────────────────────────────────────────────


def _cancelled(key: str, ids: Iterable[DeliveryId], reason: str) -> Iterator[StoredDelivery]:
    now = now_ms()
    return requeue.apply_transition(
        ((key, id) for id in ids),
        lambda delivery: states.abandoned(delivery, Status.CANCELLED, reason, now),
    )


def _released(key: str, ids: Iterable[DeliveryId]) -> Iterator[StoredDelivery]:
    now = now_ms()
    return requeue.apply_transition(
        ((key, id) for id in ids), lambda delivery: states.released(delivery, now)
    )


def _restarted(key: str, ids: Iterable[DeliveryId]) -> Iterator[StoredDelivery]:
    now = now_ms()
    return requeue.apply_transition(
        ((key, id) for id in ids),
        lambda delivery: states.restarted(delivery, store.RECOVERABLE, "RECOVER", now),
    )
