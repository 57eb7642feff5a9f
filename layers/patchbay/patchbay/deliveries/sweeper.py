"""The sweeper: queues what waits in the table, once its time has come. Two of them at once do no harm.

    parked deliveries   a retry whose wait was too long for the queue
    webhooks            what is held for one whose receiver is well again, or has caught up; a probe for one
                        that is not; what waits for one that is no longer active ends; recoveries
    held deliveries     that nobody released in time end
    fan-outs            that stopped half-way

The delivery worker does not: one that sent to its own queue would be stopped by Lambda's loop detection. What
is taken in hand here is first put off, then worked: if the sweeper dies, a later run has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from patchbay import queues
from patchbay.clock import now_ms
from patchbay.deliveries import states, store
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.events import service as events
from patchbay.events import store as events_store
from patchbay.ids import DeliveryId, EventId, of_webhook_key
from patchbay.observability import logger
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.webhooks import service as webhooks
from patchbay.webhooks import store as webhooks_store
from patchbay.webhooks.stored_webhook import StoredWebhook

_BATCH = 100
# What one batch may take; the next run, a minute later, goes on.
_RESERVE_MS = 15_000
# Less than a minute, or every other run would come too early: one looks at a webhook seconds after it began.
_AGAIN_MS = 30_000
_SETTLED_MS = 600_000
# What one visit ends of each status, of those that wait for a webhook that is no longer active.
_ENDED_AT_ONCE = 500
# How many deliveries one visit queues for a webhook that has not proved fast. The slow lane takes few at a
# time, and what it cannot take is held again.
_SLOW_AT_ONCE = 20
# So far ahead the slots of a rate limit are filled from the table.
_SLOTS_SECONDS = 120

# A part of what is due; it returns how many deliveries it queued.
Step = Callable[[], int]


def sweep(remaining_ms: Callable[[], int]) -> int:
    """Do what is due, as far as the time goes; returns how many deliveries were queued.

    The kinds and their shards take turns, a step each: much to do in one of them, or a fault, holds up none
    of the others.
    """
    settings()  # wrongly set up, it stops here: that is no fault of one step
    queued = 0
    sources = [
        *map(_due_webhooks, due_index.SHARDS),
        *map(_due_deliveries, due_index.SHARDS),
        *map(_stopped_fan_outs, due_index.SHARDS),
    ]
    for step in due_index.in_turns(sources, remaining_ms, _RESERVE_MS):
        try:
            queued += step()
        except Exception:
            # Our own fault or AWS's; what was taken in hand is due again by itself.
            logger.exception("step of the sweep failed", step=repr(step)[:200])
    if queued:
        logger.info("waiting deliveries queued", count=queued)
    return queued


def _due_webhooks(shard: int) -> Iterator[Step]:
    return (partial(_visit, key) for key in health_store.due_webhooks(shard, now_ms()))


def _due_deliveries(shard: int) -> Iterator[Step]:
    due = store.due(shard, now_ms())
    while keys := list(islice(due, _BATCH)):
        yield partial(_requeue, keys)


def _stopped_fan_outs(shard: int) -> Iterator[Step]:
    return (partial(_go_on, *each) for each in events_store.stalled(shard, now_ms()))


def _go_on(workspace_id: str, id: EventId) -> int:
    """Queue an event again whose fan-out stopped half-way; that is no delivery yet."""
    event = events_store.claim_stalled(workspace_id, id, now_ms())
    if event is not None:
        queues.send(settings().events_queue_url, queues.Message.of(event.fields(), workspace_id))
        logger.warning("stopped fan-out queued again", event_id=id, workspace=workspace_id)
    return 0


def _requeue(ids: Iterable[tuple[str, DeliveryId]]) -> int:
    now = now_ms()

    def step(row: dynamo.Row) -> dynamo.Row | None:
        if row["status"] == Status.HELD and row["dueAt"] <= now:
            logger.warning("delivery was held too long", webhook=row["webhookKey"], delivery_id=row["sk"])
            return states.given_up(row, Status.FAILED, "held_too_long", now)
        return states.requeued(row, now)

    return _send(_stepped(ids, step))


# ── webhooks ─────────────────────────────────────────────────────────────────────────────────────────


def _visit(key: str) -> int:
    """Whatever a webhook needs; how many of its deliveries were queued."""
    now = now_ms()
    health = health_store.claim_due(key, now, now + _AGAIN_MS)
    if health is None:
        return 0
    workspace_id, webhook_id = of_webhook_key(key)
    for announcement in health.announce:
        data = dict(announcement)
        events.announce(workspace_id, "WEBHOOK_DISABLED", data, id=EventId(data.pop("id")))
    if health.announce:
        health_store.clear_announcements(key, health.announce)
    webhook = webhooks_store.get(workspace_id, webhook_id)
    reason = webhooks.inactive_reason(webhook)
    if webhook is None or reason:
        return _end_waiting(key, health, str(reason))
    resumed_at = webhook.resumed_at
    if health.is_open(resumed_at):
        return _probe(key, health, now)
    return _release(key, health, webhook, now)


def _end_waiting(key: str, health: Health, reason: str) -> int:
    """End what waits for a webhook that is no longer active. Its owner may have it recovered.

    This takes a while, and the webhook may be active again before the end. Then a recovery of it may be past
    what was cancelled last, so that is queued here.
    """
    ended = 0
    for status in (Status.HELD, Status.RETRYING):
        waiting = iter(store.oldest(key, status, _ENDED_AT_ONCE))
        while ids := list(islice(waiting, _BATCH)):
            cancelled = [DeliveryId(row["sk"]) for row in _cancelled(key, ids, reason)]
            if cancelled and webhooks.inactive_reason(webhooks_store.get(*of_webhook_key(key))) is None:
                return _send(_restarted(key, cancelled))
            ended += len(cancelled)
    if health.recover is not None:
        health_store.advance_recovery(key, health, None)
    if ended:
        logger.info("waiting deliveries cancelled", webhook=key, reason=reason, count=ended)
    else:
        _settle(key, health)
    return 0


def _probe(key: str, health: Health, now: int) -> int:
    """For an open breaker whose webhook has no events of its own now, the probe is the oldest delivery that
    is held, or that is to be recovered.
    """
    if health.probe_at > now:
        return 0
    oldest = store.oldest(key, Status.HELD, 1)
    if not oldest and health.recover is not None:
        return _recover(key, health, 1)
    if not oldest:
        _settle(key, health)
    return _send(_released(key, oldest))


def _release(key: str, health: Health, webhook: StoredWebhook, now: int) -> int:
    """Queue what is held, then what is to be recovered, the oldest first, as far as there is room."""
    most = settings().max_waiting_per_webhook
    waiting = store.waiting(key)
    if health.has_backlog(webhook.resumed_at):
        if waiting > most // 2:
            return 0  # what was released now would be held again
        health_store.set_backlog(key, 0)
    room = most - waiting
    per_second = webhook.rate_limit_per_second
    if per_second is not None:
        ahead = max(health.next_slot // 1000 - now, 0) * per_second // 1000
        room = min(room, per_second * _SLOTS_SECONDS - ahead)
    if not health.is_fast:
        room = min(room, _SLOW_AT_ONCE)
    if room <= 0:
        return 0
    held = store.oldest(key, Status.HELD, room)
    queued = _send(_released(key, held))
    if room > len(held) and health.recover is not None:
        queued += _recover(key, health, room - len(held))
    elif not held:
        _settle(key, health)
    return queued


def _settle(key: str, health: Health) -> None:
    """Nothing of the webhook was found waiting. An index is behind its table for a moment, so it is believed
    once nothing has been held for a while.
    """
    if now_ms() - health.held_at > _SETTLED_MS:
        health_store.mark_idle(key, health)


def _cancelled(key: str, ids: Iterable[DeliveryId], reason: str) -> Iterator[dynamo.Row]:
    now = now_ms()
    return _stepped(
        ((key, id) for id in ids), lambda row: states.given_up(row, Status.CANCELLED, reason, now)
    )


def _released(key: str, ids: Iterable[DeliveryId]) -> Iterator[dynamo.Row]:
    now = now_ms()
    return _stepped(((key, id) for id in ids), lambda row: states.released(row, now))


def _recover(key: str, health: Health, room: int) -> int:
    """The next part of a recovery, after what is done of it: what fails anew is not taken up again."""
    after, until = str(health.recover), str(health.recover_until)
    ids = list(islice(store.ended_badly(key, after, until), room))
    queued = _send(_restarted(key, ids))
    health_store.advance_recovery(key, health, ids[-1] if len(ids) == room else None)
    return queued


def _restarted(key: str, ids: Iterable[DeliveryId]) -> Iterator[dynamo.Row]:
    now = now_ms()
    return _stepped(
        ((key, id) for id in ids), lambda row: states.restarted(row, store.RECOVERABLE, "RECOVER", now)
    )


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _stepped(
    ids: Iterable[tuple[str, DeliveryId]], step: Callable[[dynamo.Row], dynamo.Row | None]
) -> Iterator[dynamo.Row]:
    """Take deliveries through a step. Yields the rows of those that fit it and that no other process took."""
    waiting = iter(ids)
    while some := list(islice(waiting, _BATCH)):
        for row in store.of_ids(some):
            after = step(row)
            if after is not None:
                with suppress(store.DeliveryChanged):
                    store.write(row, after)
                    yield after


def _send(rows: Iterable[dynamo.Row]) -> int:
    """Queue the deliveries that wait for their message. If `rows` raises, queue those that came before:
    otherwise they would wait for a later run.
    """
    messages: list[queues.Message] = []
    try:
        for row in rows:
            if row["status"] == Status.RETRYING:
                delivery = DeliveryMessage.of(row)
                messages.append(queues.Message.of(delivery.fields(), delivery.workspace_id))
    finally:
        queues.send_all(settings().deliveries_queue_url, messages)
    return len(messages)
