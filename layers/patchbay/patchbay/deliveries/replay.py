"""Replays: a task that sends deliveries of a time range again, and events that a webhook did not get.

Without `missing`, a replay reads the webhook's deliveries that have one of its statuses. With it, it reads
all events of the workspace and looks for the delivery of each, whose ID derives from the event and the
webhook. Both go from old to new; `reached` of the task is the ID of the last delivery, or of the last event,
that was considered.

The sweeper advances a replay by a slice a minute (`advance`). A slice works for about a second, and queues as
many deliveries as the webhook can take. They go through its rate limit, lanes and breaker like all others.
While the webhook is paused, the task waits.

A slice queues up to 100 deliveries at a time. If its process dies, the next slice starts where the last one
ended, a minute later. A crash leaves:

    before the row of a delivery    nothing, or the mark that its hour has deliveries, which is harmless
    before the row of its event     a RETRYING delivery of this task; the next slice adds the webhook to the
                                    event's list
    before its message              the same; the sweeper sends the message a minute after the row was written
    before the row of the task      queued deliveries of this task; the next slice does not send them again,
                                    and counts them in `done` only with `missing`
    during the end of the task      nothing: that is one transaction

Each row says which replay sent it last (`StoredDelivery.task`). So a delivery that was delivered a moment ago
is not sent twice by the replay that sent it, and of two replays of the same delivery, each sends it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from patchbay.api_model import JsonObject
from patchbay.auth.principal import Principal
from patchbay.catalogue import ANY
from patchbay.clock import iso, now_ms, read_time
from patchbay.deliveries import requeue, states, store
from patchbay.deliveries.models import DeliveryMessage, Replay, ReplayPreview, Status
from patchbay.deliveries.service import not_active, range_end
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.errors import NotFound
from patchbay.events import service as events
from patchbay.events.models import FLOW
from patchbay.ids import DeliveryId, EventId, TaskId, WebhookId, webhook_key
from patchbay.receivers import health_store
from patchbay.stats import counters
from patchbay.tasks import service as tasks
from patchbay.tasks.models import Task
from patchbay.webhooks import matching
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.stored_webhook import StoredWebhook

if TYPE_CHECKING:
    from patchbay.events.store import StoredEvent
    from patchbay.idempotency import Once
    from patchbay.tasks.store import StoredTask

# How long a slice considers deliveries.
_SLICE_SECONDS = 1.0
# How far a request counts deliveries.
_COUNT_SECONDS = 3.0
_MAX_COUNTED = 10_000
# How soon a task of a paused webhook is due again.
_PAUSED_MS = 5 * 60_000
_ENDED = {
    "webhook_deleted": "The webhook was deleted.",
    "webhook_disabled": "The webhook was disabled. Activate it, then start another replay.",
    "webhook_inactive": "The webhook was deactivated. Activate it, then start another replay.",
}


class Scan(NamedTuple):
    """What a replay looks for, and where: `key` is the webhook's. No `event_types` stands for all. `task` is
    None while a request only counts.
    """

    webhook: StoredWebhook
    key: str
    since: str
    until: str
    event_types: Collection[str]
    statuses: Collection[Status]
    missing: bool
    task: TaskId | None = None

    def includes(self, event_type: str) -> bool:
        return not self.event_types or event_type in self.event_types


class Considered(NamedTuple):
    """A delivery that a replay came across. `reached` is its place. `action` is None for a delivery that
    stays as it is, and `count` for one that a slice that died has queued. `event` is known with `missing`.
    """

    reached: str
    id: DeliveryId
    action: Literal["restart", "create", "count"] | None
    event: StoredEvent | None = None


def start(
    principal: Principal, webhook_id: WebhookId, body: Replay, once: Once | None = None
) -> Task | ReplayPreview:
    """Start a replay, or only count what it would send. Raises NotFound, ValidationFailed, and Conflict if
    the webhook is neither active nor paused, or if too many tasks of the workspace run.
    """
    webhook = webhooks.get_stored(principal.workspace_id, webhook_id)
    webhooks.check_push(webhook.kind)
    if webhooks.inactive_reason(webhook) is not None:
        raise not_active()
    now = now_ms()
    until = range_end(body.since, body.until, now)
    default = [] if body.missing else list(store.RECOVERABLE)
    types = [] if body.event_types is None or ANY in body.event_types else list(map(str, body.event_types))
    parameters: JsonObject = {
        "since": iso(body.since),
        "until": iso(until),
        "eventTypes": [*types] or None,
        "statuses": [*dict.fromkeys(map(str, body.statuses or default))],
        "missing": body.missing,
    }
    preview = _count(_scan(webhook, parameters, None))
    if body.dry_run:
        if once:
            once.release()
        return preview
    total = preview.total if preview.is_complete else None
    return tasks.start(principal, "webhook.replay", webhook_id, parameters, total, once)


def advance(workspace_id: str, id: TaskId) -> int:
    """Do a slice of a replay that is due. Returns the number of deliveries that were queued."""
    task = tasks.claim(workspace_id, id)
    if task is None:
        return 0
    try:
        webhook = webhooks.get_stored(workspace_id, WebhookId(str(task.webhook_id)))
    except NotFound:
        tasks.fail(task, "webhook_deleted", _ENDED["webhook_deleted"])
        return 0
    if reason := webhooks.inactive_reason(webhook):
        tasks.fail(task, reason, _ENDED[reason])
        return 0
    if webhook.is_paused:
        tasks.wait(task, _PAUSED_MS)
        return 0
    scan = _scan(webhook, task.parameters, task.id)
    capacity = _capacity(scan)
    if not capacity:
        tasks.wait(task)
        return 0
    return _do_slice(task, scan, capacity)


def _do_slice(task: StoredTask, scan: Scan, capacity: int) -> int:
    found, reached, is_last = _take(_considered(scan, task.reached or scan.since), capacity, _SLICE_SECONDS)
    done = 0
    remaining = iter(found)
    while batch := list(islice(remaining, requeue.BATCH)):
        done += _queue(scan, task.id, batch)
    if is_last:
        tasks.succeed(task, done)
    else:
        tasks.advance(task, reached, done)
    return done


def _capacity(scan: Scan) -> int:
    """How many deliveries the webhook can take now; one if its breaker waits for a probe."""
    now, health = now_ms(), health_store.get(scan.key)
    if health.is_open(scan.webhook.resumed_at):
        return int(health.probe_at <= now)
    return requeue.free_capacity(scan.key, health, scan.webhook, now)


# ── read ─────────────────────────────────────────────────────────────────────────────────────────────


def _scan(webhook: StoredWebhook, parameters: Mapping[str, object], task: TaskId | None) -> Scan:
    """The scan for a task's parameters."""
    since, until = (read_time(str(parameters[name])) for name in ("since", "until"))
    types, statuses = parameters["eventTypes"], parameters["statuses"]
    low, high = (EventId if parameters["missing"] else DeliveryId).range(since, until)
    return Scan(
        webhook=webhook,
        key=webhook_key(webhook.workspace_id, webhook.id),
        since=low,
        until=high,
        event_types=frozenset(types) if isinstance(types, Sequence) else (),
        statuses=frozenset(map(Status, statuses)) if isinstance(statuses, Sequence) else (),
        missing=bool(parameters["missing"]),
        task=task,
    )


def _count(scan: Scan) -> ReplayPreview:
    found, _, is_complete = _take(_considered(scan, scan.since), _MAX_COUNTED, _COUNT_SECONDS)
    return ReplayPreview(total=len(found), is_complete=is_complete)


def _take(
    considered: Iterator[Considered], limit: int, seconds: float
) -> tuple[list[Considered], str | None, bool]:
    """Up to `limit` deliveries on which the replay acts, found within about this time; the place that was
    reached; and whether that is the end. The time begins with the first one. Reading it can take longer, with
    the 99 events after it, and a task must get past all of them.
    """
    found: list[Considered] = []
    reached: str | None = None
    ends_at: float | None = None
    for delivery in considered:
        now = time.monotonic()
        if len(found) == limit or (ends_at is not None and now > ends_at):
            return found, reached, False
        ends_at = now + seconds if ends_at is None else ends_at
        reached = delivery.reached
        if delivery.action is not None:
            found.append(delivery)
    return found, reached, True


def _considered(scan: Scan, after: str) -> Iterator[Considered]:
    """The deliveries after this place, oldest first."""
    if scan.missing:
        yield from _considered_events(scan, after)
        return
    for listed in store.find_ended(scan.key, scan.statuses, after, scan.until):
        yield Considered(listed.id, listed.id, "restart" if scan.includes(listed.event_type) else None)


def _considered_events(scan: Scan, after: str) -> Iterator[Considered]:
    webhook_id = WebhookId(scan.webhook.id)
    matches = matching.matcher(scan.webhook)

    def is_meant(event: StoredEvent) -> bool:
        """Whether the event has a delivery to the webhook, or should have one."""
        if event.status != "ACCEPTED" or event.erased_at is not None or not scan.includes(event.type):
            return False
        # The webhook is on the event's list if its delivery is in the queue, too, or was lost there. What a
        # flow sent to one webhook was never meant for others.
        is_addressed = event.source == FLOW
        return webhook_id in event.webhook_ids or (not is_addressed and matches(event.type, event.data))

    remaining = events.oldest_first(scan.webhook.workspace_id, after, scan.until)
    while batch := list(islice(remaining, requeue.BATCH)):
        ids = {event.id: DeliveryId.derived(event.id, webhook_id) for event in batch}
        meant = [event.id for event in batch if is_meant(event)]
        found = store.get_by_keys((scan.key, ids[id]) for id in meant) if meant else []
        stored = {delivery.id: delivery for delivery in found}
        for event in batch:
            id = ids[event.id]
            action = _action(scan, stored.get(id)) if event.id in meant else None
            yield Considered(event.id, id, action, event)


def _action(scan: Scan, delivery: StoredDelivery | None) -> Literal["restart", "create", "count"] | None:
    if delivery is None:
        return "create"
    if scan.task is not None and delivery.task == scan.task:
        return "count"
    return "restart" if delivery.status in scan.statuses else None


# ── write ────────────────────────────────────────────────────────────────────────────────────────────


def _queue(scan: Scan, task: TaskId, batch: Sequence[Considered]) -> int:
    """Queue up to 100 deliveries, oldest first. Returns how many were queued, now or by a slice that died."""
    restarts = [delivery.id for delivery in batch if delivery.action == "restart"]
    restarted = {delivery.id: delivery for delivery in _restart(scan, restarts, task)}
    _mark_active_hours(scan, batch)
    creates = any(considered.action == "create" for considered in batch)
    retain_days = webhooks.retain_days(scan.webhook.workspace_id) if creates else None
    queued: list[StoredDelivery] = []
    counted = 0
    for considered in batch:
        delivery = restarted.get(considered.id)
        event = considered.event
        if considered.action == "create" and event is not None:
            delivery = _create(scan, considered.id, event, task, retain_days)
        if delivery is not None:
            queued.append(delivery)
        counted += considered.action == "count"
        if event is not None and scan.webhook.id not in event.webhook_ids:
            events.add_webhook(scan.webhook.workspace_id, event.id, WebhookId(scan.webhook.id))
    return requeue.send(queued) + counted


def _mark_active_hours(scan: Scan, batch: Sequence[Considered]) -> None:
    """Make the roll-up count the deliveries that are created next. An unneeded mark is harmless."""
    now = now_ms()
    times = [item.event.id.time_ms for item in batch if item.action == "create" and item.event is not None]
    hours = {counters.hour_of(time) for time in times if counters.is_counted_by_roll_up(time, now)}
    if hours:
        events.mark_active_hours(scan.webhook.workspace_id, hours)


def _restart(scan: Scan, ids: Sequence[DeliveryId], task: TaskId) -> Iterator[StoredDelivery]:
    now = now_ms()

    def transition(delivery: StoredDelivery) -> StoredDelivery | None:
        if delivery.task == task:
            return None
        return states.restarted(delivery, scan.statuses, "REPLAY", now, task)

    return requeue.apply_transition(((scan.key, id) for id in ids), transition)


def _create(
    scan: Scan, id: DeliveryId, event: StoredEvent, task: TaskId, retain_days: int | None
) -> StoredDelivery | None:
    """Store the delivery of an event that has none. Returns None if another process did."""
    message = DeliveryMessage(
        id=id,
        workspace_id=scan.webhook.workspace_id,
        webhook_id=scan.webhook.id,
        event_id=event.id,
        event_type=event.type,
        body=None,
        generation=0,
        correlation_id=event.id,
        retain_days=retain_days,
    )
    max_attempts = webhooks.retry_policy(scan.webhook).max_attempts
    delivery = states.created(message, task, now=now_ms(), max_attempts=max_attempts)
    try:
        store.write(None, delivery)
    except store.DeliveryChanged:
        return None
    return delivery
