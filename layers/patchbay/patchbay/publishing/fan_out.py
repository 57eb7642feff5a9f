"""Fan-out: one queued delivery for each webhook that an event matches.

The events of an SQS batch are processed together:

    load      the events' rows, and the state of each workspace (one BatchGetItem): the version of its
              subscriptions, its retention, and its erasure mark, with which the event is dropped
    match     new events with the subscriptions; a stored event already has its list of webhooks
    write     the rows of new events, with their lists, and the rows that mark workspaces as active this
              hour (one BatchWriteItem)
    send      the deliveries of all events, ten in each SQS call
    append    events that match webhooks of kind pull: they are added to the feeds (feeds/append.py)
    start     events that start flows: a message for each flow, ten in each SQS call (flows/worker.py)
    finish    events to more than ten webhooks of a kind: their rows become `DONE`, and their extra sends
              count against the ceiling

The event's message is deleted only after the last step, so SQS redelivers it after every crash. Delivery IDs
derive from event and webhook, so a second message for the same delivery becomes obsolete. A crash leaves:

    before write              nothing
    during write              some rows: those events resume with their stored lists, the others start over
    between write and send    the lists: the redelivered message sends them
    during send               some deliveries: the redelivered message sends the whole list again
    during append             all deliveries, and some entries of feeds: the redelivered message sends the
                              whole list again, and adds the entries that are missing
    during start              the same, and some messages of flows: they are sent again. A flow's run has an
                              ID that derives from the event, so it runs once
    before finish             all deliveries: the redelivered message sends the whole list again, and the rows
                              of the deliveries make the second messages obsolete. The same happens to an
                              event to ten webhooks or fewer, which has no step `finish`
    during finish             a `DONE` row: the redelivered message is dropped
    the message is lost       of an event to more than ten webhooks, a row that stays `STARTED` for 15
                              minutes: the sweeper queues the event again

The extra sends of an event that was resumed after a crash or a failure are not counted against the ceiling.

Rows are written without a condition. A row that was found is never written again, so two copies of an event
both write only if they are processed at the same moment. That is harmless: each copy sends to its own list.
If a subscription changes in between, the event goes to the webhooks of both lists, and the row keeps the list
that was written last. If the later copy overwrites `DONE` with `STARTED`, its worker sets `DONE` again, or
the sweeper queues the event again.

`POST /api/events` runs the steps up to `start` within its request, for an event to ten webhooks or fewer
(publish.py). All other events come through the queue: events to more webhooks, events of batches and of
functions that use the library, Patchbay's own events, and envelopes of the EventBridge bus. `bus.accept` can
reject an envelope.

An invocation works for about a second. Events to many webhooks come last, and one at a time. Messages for
which no time is left return to the queue immediately, so that the events of other workspaces get their turn.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from patchbay import erasure_mark, queues
from patchbay.deliveries.models import DeliveryMessage
from patchbay.errors import WorkspaceErasing
from patchbay.events import store as events
from patchbay.events.models import EventMessage
from patchbay.ids import DeliveryId, FlowId, WebhookId, webhook_key
from patchbay.observability import logger
from patchbay.publishing.flow_message import FlowMessage
from patchbay.rate_limits import ceilings
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import matching
from patchbay.webhooks import store as webhooks

if TYPE_CHECKING:
    from patchbay.events.bus import Envelope

# A larger body is not in the messages: each attempt reads it from the event's row.
MAX_BODY_BYTES = 64 * 1024
# How long an invocation keeps starting events.
_TIME_SLICE_MS = 1_000
# The time that the fan-out of one event can take (500 webhooks are 50 calls). With less left, none starts.
_RESERVE_MS = 10_000

# A message of the events queue, as Lambda passes it.
Record = Mapping[str, Any]

# The (workspace, hour) pairs that this process has marked as active.
_active_hours: LruCache[tuple[str, int], bool] = LruCache(10_000)


@dataclass(slots=True, eq=False)
class _FanOut:
    """An event and the messages that brought it. `stored` is the event's row in the table, which is read only
    if the event `may_be_stored`. Without it, `new_row` is the row to write.
    """

    event: EventMessage
    records: list[Record] = field(default_factory=list)
    may_be_stored: bool = True
    workspace: webhooks.WorkspaceState = webhooks.NO_STATE
    stored: events.StoredEvent | None = None
    new_row: dynamo.Row | None = None
    webhook_ids: Sequence[WebhookId] = ()
    feed_ids: Sequence[WebhookId] = ()
    flow_ids: Sequence[FlowId] = ()

    @property
    def needs_several_sends(self) -> bool:
        """Whether the event takes more than one send, or goes to as many feeds or flows."""
        return max(len(self.webhook_ids), len(self.feed_ids), len(self.flow_ids)) > queues.MAX_ENTRIES

    @property
    def has_receivers(self) -> bool:
        return bool(self.webhook_ids or self.feed_ids or self.flow_ids)

    @property
    def is_erased(self) -> bool:
        """Whether the event is dropped: its workspace or its data was erased."""
        event_ms = self.event.id.time_ms
        times = [erasure_mark.sent_at(event_ms, record) for record in self.records] or [event_ms]
        is_data_erased = self.stored is not None and self.stored.erased_at is not None
        return is_data_erased or self.workspace.mark.covers(min(times))


class _TimeSlice:
    """The time that an invocation has for its batch."""

    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self._remaining_ms = remaining_ms
        self._stop_below_ms = remaining_ms() - _TIME_SLICE_MS

    def can_start_another(self, *, started: bool) -> bool:
        """Whether there is time for another event. If none has `started`, the first one may also start after
        the slice, as long as the invocation has time to finish it.
        """
        remaining = self._remaining_ms()
        return remaining >= _RESERVE_MS and (not started or remaining >= self._stop_below_ms)


def fan_out_batch(records: Iterable[Record], remaining_ms: Callable[[], int]) -> list[str]:
    """Fan out the events of an SQS batch. Returns the IDs of the messages to redeliver."""
    time = _TimeSlice(remaining_ms)
    fan_outs: dict[tuple[str, str], _FanOut] = {}
    failed_records: list[Record] = []
    postponed_records: list[Record] = []
    for record in records:
        # Until this message is read, log lines must not have the previous message's ID.
        logger.set_correlation_id(None)
        try:
            message = _read(record["body"])
        except ValueError:
            if not queues.move_to_dlq(settings().events_dlq_url, record):
                failed_records.append(record)
            continue
        if not time.can_start_another(started=bool(fan_outs)):
            postponed_records.append(record)
            continue
        try:
            event = message if isinstance(message, EventMessage) else _accept(message)
        except Exception:
            # A bug or an AWS fault: this event is redelivered, and the rest of the batch continues.
            logger.exception("fan-out failed", message_id=record["messageId"], event_id=message.id)
            failed_records.append(record)
            continue
        if event is not None:
            fan_outs.setdefault((event.workspace_id, event.id), _FanOut(event)).records.append(record)
    failed, postponed = _process(list(fan_outs.values()), time)
    failed_records += [record for fan_out in failed for record in fan_out.records]
    postponed_records += [record for fan_out in postponed for record in fan_out.records]
    queues.change_visibility(
        settings().events_queue_url, [(record["receiptHandle"], 0) for record in postponed_records]
    )
    return [record["messageId"] for record in (*failed_records, *postponed_records)]


def fan_out_now(event: EventMessage, *, is_new: bool) -> bool:
    """Queue the deliveries of an event that goes to ten webhooks or fewer. Returns False if it goes to more,
    or if a step failed; then the caller must queue the event, and the worker resumes it. Idempotent. If
    `is_new`, the ID was never used before, so there is no row to look for.
    """
    fan_out = _FanOut(event, may_be_stored=not is_new)
    try:
        _load([fan_out])
        if fan_out.workspace.mark.task is not None:
            raise WorkspaceErasing
        if fan_out.is_erased:  # a repeat of a request whose event's data was erased since
            return True
        if not _match(fan_out) or fan_out.needs_several_sends:
            return False
        steps = (_write, _send, _append, _start_flows)
        return not any(step([fan_out]) for step in steps)
    except WorkspaceErasing:
        raise
    except Exception:
        # The caller queues the event instead.
        logger.exception("fan-out failed", event_id=event.id)
        return False


def send_to(event: EventMessage, webhook_id: WebhookId) -> bool:
    """Queue the delivery of an event to one webhook, whatever it subscribes to. Idempotent: the caller
    repeats it if it returns False, or raises. Does nothing for a workspace that is being erased.
    """
    fan_out = _FanOut(event)
    _load([fan_out])
    if fan_out.is_erased:
        return True
    if fan_out.stored is not None:
        fan_out.webhook_ids = fan_out.stored.remaining_webhook_ids
    else:
        fan_out.webhook_ids = [webhook_id]
        retain_days = fan_out.workspace.retain_days
        fan_out.new_row = events.new_row(
            event, [webhook_id], (), (), in_one_send=True, retain_days=retain_days
        )
    return not _write([fan_out]) and not _send([fan_out])


def _read(body: str) -> EventMessage | Envelope:
    """Raises ValueError if the text is neither. An envelope's ID is not an event ID, so an envelope is never
    read as an event, whatever its detail contains.
    """
    try:
        return EventMessage.read(body)
    except ValueError:
        # Imported here, because the import would take 5 % of a cold start.
        from patchbay.events import bus

        return bus.read(body)


def _accept(envelope: Envelope) -> EventMessage | None:
    """The event in the envelope, or None if it is rejected."""
    from patchbay.events import bus

    return bus.accept(envelope, _retention)


def _retention(workspace_id: str, time_ms: int) -> tuple[bool, int | None]:
    (row,) = dynamo.batch_get([webhooks.workspace_state_key(workspace_id)])
    workspace = webhooks.workspace_state(row)
    return not workspace.mark.covers(time_ms), workspace.retain_days


# ── the steps ────────────────────────────────────────────────────────────────────────────────────────


def _process(fan_outs: Sequence[_FanOut], time: _TimeSlice) -> tuple[list[_FanOut], list[_FanOut]]:
    """Queue the deliveries of the events. Idempotent. Returns the events that failed, and those for which no
    time was left.
    """
    failed, postponed = _run_step(_load, fan_outs, time)
    small: list[_FanOut] = []
    large: list[_FanOut] = []
    for fan_out in fan_outs:
        if fan_out in failed or fan_out in postponed:
            continue
        if fan_out.is_erased:
            logger.info("event of an erased workspace or with erased data dropped", event_id=fan_out.event.id)
            continue
        if not time.can_start_another(started=bool(small or large)):
            postponed.append(fan_out)
        elif not _match(fan_out):
            failed.append(fan_out)
        else:
            (large if fan_out.needs_several_sends else small).append(fan_out)
    results = [_write_and_send(small, time)]
    for index, fan_out in enumerate(large):
        if not time.can_start_another(started=bool(small or index)):
            postponed.append(fan_out)
        else:
            results.append(_write_and_send([fan_out], time))
    for newly_failed, newly_postponed in results:
        failed += newly_failed
        postponed += newly_postponed
    return failed, postponed


def _run_step(
    step: Callable[[Sequence[_FanOut]], list[_FanOut]], fan_outs: Sequence[_FanOut], time: _TimeSlice
) -> tuple[list[_FanOut], list[_FanOut]]:
    """Run a step for all events together or, if that fails, for each one alone, so that an invalid event does
    not stop the others. Returns the events that failed, and those for which no time was left.
    """
    if not fan_outs:
        return [], []
    try:
        return step(fan_outs), []
    except Exception:
        logger.exception("fan-out failed", event_ids=[fan_out.event.id for fan_out in fan_outs])
        if len(fan_outs) == 1:
            return list(fan_outs), []
    failed: list[_FanOut] = []
    for index, fan_out in enumerate(fan_outs):
        if not time.can_start_another(started=bool(index)):
            return failed, list(fan_outs[index:])
        failed += _run_step(step, [fan_out], time)[0]
    return failed, []


def _load(fan_outs: Sequence[_FanOut]) -> list[_FanOut]:
    """Read the events' rows and the states of their workspaces."""
    states = [webhooks.workspace_state_key(fan_out.event.workspace_id) for fan_out in fan_outs]
    maybe_stored = [fan_out for fan_out in fan_outs if fan_out.may_be_stored]
    rows = dynamo.batch_get([*states, *(events.table_key(fan_out.event) for fan_out in maybe_stored)])
    for fan_out, row in zip(fan_outs, rows[: len(fan_outs)], strict=True):
        fan_out.workspace = webhooks.workspace_state(row)
    for fan_out, row in zip(maybe_stored, rows[len(fan_outs) :], strict=True):
        fan_out.stored = events.from_row(row) if row else None
    return []


def _match(fan_out: _FanOut) -> bool:
    """Find the webhooks that the event still has to be sent to. Returns False if that fails."""
    event = fan_out.event
    logger.set_correlation_id(event.correlation_id)
    if fan_out.stored is not None:
        fan_out.webhook_ids = fan_out.stored.remaining_webhook_ids
        fan_out.feed_ids = fan_out.stored.remaining_feed_ids
        fan_out.flow_ids = fan_out.stored.remaining_flow_ids
        return True
    try:
        fan_out.webhook_ids, fan_out.feed_ids, fan_out.flow_ids = matching.match(
            event.workspace_id, event.type, event.data, fan_out.workspace.subscriptions
        )
    except Exception:
        logger.exception("fan-out failed", event_id=event.id)
        return False
    fan_out.new_row = events.new_row(
        event,
        fan_out.webhook_ids,
        fan_out.feed_ids,
        fan_out.flow_ids,
        in_one_send=not fan_out.needs_several_sends,
        retain_days=fan_out.workspace.retain_days,
    )
    return True


def _write_and_send(fan_outs: Sequence[_FanOut], time: _TimeSlice) -> tuple[list[_FanOut], list[_FanOut]]:
    """Write the events, then send their deliveries. Returns the events that failed, and those for which
    no time was left.
    """
    failed, postponed = _run_step(_write, fan_outs, time)
    unwritten = {*failed, *postponed}
    written = [fan_out for fan_out in fan_outs if fan_out not in unwritten and fan_out.has_receivers]
    for step in (_send, _append, _start_flows):
        failed += step([fan_out for fan_out in written if fan_out not in failed])
    failed += [
        fan_out
        for fan_out in written
        if fan_out not in failed and fan_out.needs_several_sends and not _finish(fan_out)
    ]
    return failed, postponed


def _write(fan_outs: Sequence[_FanOut]) -> list[_FanOut]:
    """Write the rows of new events, and the rows of active hours. Stored events need this too, because
    the row of their hour may be missing. Returns the events that failed.
    """
    rows: list[dynamo.Row] = []
    needed_by: list[list[_FanOut]] = []
    unmarked: dict[tuple[str, int], list[_FanOut]] = {}
    for fan_out in fan_outs:
        if fan_out.new_row is not None:
            rows.append(fan_out.new_row)
            needed_by.append([fan_out])
        active_hour = fan_out.event.workspace_id, events.hour_of(fan_out.event)
        if fan_out.webhook_ids and not _active_hours.get(active_hour):
            unmarked.setdefault(active_hour, []).append(fan_out)
    rows += [events.active_hour_row(*active_hour) for active_hour in unmarked]
    needed_by += unmarked.values()
    throttled = events.write(rows)
    failed = {fan_out for position in throttled for fan_out in needed_by[position]}
    for active_hour, marked_by in unmarked.items():
        if failed.isdisjoint(marked_by):
            _active_hours.put(active_hour, True)
    return list(failed)


def _send(fan_outs: Sequence[_FanOut]) -> list[_FanOut]:
    """Send the deliveries of the events. Returns the events that failed."""
    messages = (message for fan_out in fan_outs for message in _messages(fan_out))
    try:
        queues.send_all(settings().deliveries_queue_url, messages)
    except queues.BatchSendFailed as failure:
        logger.exception("fan-out failed", count=len(failure.messages))
        unsent = {DeliveryMessage.read(message.body).event_id for message in failure.messages}
        return [fan_out for fan_out in fan_outs if fan_out.event.id in unsent]
    except Exception:
        logger.exception("fan-out failed", event_ids=[fan_out.event.id for fan_out in fan_outs])
        return list(fan_outs)
    for fan_out in fan_outs:
        event, count = fan_out.event, len(fan_out.webhook_ids)
        logger.debug("deliveries queued", event_id=event.id, type=event.type, webhooks=count)
    return []


def _messages(fan_out: _FanOut) -> Iterator[queues.Message]:
    event = fan_out.event
    payload = event.payload()
    body = payload if len(payload.encode()) <= MAX_BODY_BYTES else None
    for webhook_id in fan_out.webhook_ids:
        message = DeliveryMessage(
            id=DeliveryId.derived(event.id, webhook_id),
            workspace_id=event.workspace_id,
            webhook_id=webhook_id,
            event_id=event.id,
            event_type=event.type,
            body=body,
            generation=0,
            correlation_id=event.correlation_id,
            retain_days=fan_out.workspace.retain_days,
        )
        yield queues.Message.from_value(message.fields(), event.workspace_id)


def _append(fan_outs: Sequence[_FanOut]) -> list[_FanOut]:
    """Add the events to the feeds of pull webhooks. Returns the events that failed."""
    with_feeds = [fan_out for fan_out in fan_outs if fan_out.feed_ids]
    if not with_feeds:
        return []
    # Imported here, because most workspaces have no feeds.
    from patchbay.feeds import append

    feeds: dict[str, list[append.NewEntry]] = defaultdict(list)
    for fan_out in with_feeds:
        event = fan_out.event
        size = len(event.payload().encode())
        entry = append.NewEntry(event.id, event.type, size, fan_out.workspace.retain_days)
        for webhook_id in fan_out.feed_ids:
            feeds[webhook_key(event.workspace_id, webhook_id)].append(entry)
    resumed = frozenset(fan_out.event.id for fan_out in with_feeds if fan_out.stored is not None)
    unwritten = append.append(feeds, resumed=resumed)
    return [fan_out for fan_out in with_feeds if fan_out.event.id in unwritten]


def _start_flows(fan_outs: Sequence[_FanOut]) -> list[_FanOut]:
    """Queue the first step of the flows that the events start. Returns the events that failed."""
    messages = {
        FlowMessage(event.workspace_id, flow_id, event.id, event.correlation_id).to_queue(): fan_out
        for fan_out in fan_outs
        for event in [fan_out.event]
        for flow_id in fan_out.flow_ids
    }
    if not messages:
        return []
    try:
        queues.send_all(settings().flows_queue_url, messages)
    except queues.BatchSendFailed as failure:
        logger.exception("flows not started", count=len(failure.messages))
        return list({messages[message] for message in failure.messages})
    except Exception:
        logger.exception("flows not started", event_ids=[fan_out.event.id for fan_out in fan_outs])
        return list(set(messages.values()))
    return []


def _finish(fan_out: _FanOut) -> bool:
    """Record that every delivery of an event that takes several sends is queued, and count the extra sends
    against the ceiling. Returns False if that fails. Events from the bus and Patchbay's own events have no
    ceiling.
    """
    event = fan_out.event
    logger.set_correlation_id(event.correlation_id)
    try:
        events.finish_fan_out(event)
        if fan_out.new_row is not None and event.source == "api":
            sends = len(fan_out.webhook_ids) + len(fan_out.feed_ids) + len(fan_out.flow_ids)
            calls = math.ceil(sends / queues.MAX_ENTRIES)
            ceilings.record_usage(event.workspace_id, "events", calls - 1)
    except Exception:
        logger.exception("fan-out failed", event_id=event.id)
        return False
    return True


def clear_cache() -> None:
    """Empty this process's cache."""
    _active_hours.clear()
    matching.clear_cache()
