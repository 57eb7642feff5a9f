"""Fan-out: one queued delivery for each webhook that an event matches.

The events of an SQS batch are processed together:

    read      the events' rows, and the version of each workspace's subscriptions (one BatchGetItem)
    match     new events with the subscriptions; a stored event already has its list of webhooks
    write     the rows of new events, with their lists, and which workspaces are active this hour (one
              BatchWriteItem)
    send      the deliveries of all events, ten an SQS call
    finish    events to more than ten webhooks: their rows say `DONE`, and their further sends are charged

What a crash leaves behind, and what happens then. The event's message is deleted only after the last step, so
it comes back in each case. Delivery ids derive from event and webhook: what is sent twice is delivered once.

    before write          nothing
    in write              some rows: those events resume with their stored lists, the others begin
    between write, send   the lists: the repeat of the message sends them
    in send               some deliveries: the repeat sends the whole list again
    between send, finish  all deliveries: the repeat sends the whole list again, and each delivery is dropped
                          by its own row; so does the repeat of an event to ten webhooks or fewer
    in finish             a row that is `DONE`, perhaps without its charge: the repeat is dropped
    the message is lost   a row that is `STARTED` for 15 minutes: the sweeper queues its event again

Rows are written without a condition. A row that was read is never written again, so only two copies of an
event that are processed at the same moment both write. That is harmless: both send what they matched. If a
subscription changed between, a webhook of either list gets the event, as it would from a single copy a moment
earlier or later; the row has the list of the later one. If a row falls back from `DONE` to `STARTED`, the
worker that wrote it finishes it, or the sweeper.

`POST /api/events` takes the same steps within its request, with one event to ten webhooks or fewer
(publish.py). All other events come through the queue: those to more webhooks, those of batches and of
functions that use the library, those that Patchbay itself announces, and envelopes of the EventBridge bus, of
which some are rejected.

An invocation works for about a second. Events to many webhooks come last and one by one. What there is no
time for goes back to the queue at once, so that the events of other workspaces get their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from patchbay import queues
from patchbay.deliveries.models import DeliveryMessage
from patchbay.events import store as events
from patchbay.events.models import EventMessage
from patchbay.ids import DeliveryId, WebhookId
from patchbay.observability import flush_metrics, logger
from patchbay.rate_limits import ceilings
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import matching
from patchbay.webhooks import store as webhooks

if TYPE_CHECKING:
    from patchbay.events.bus import Envelope

# A larger body is left out of the messages and read from the event's row at each attempt.
MAX_BODY_BYTES = 64 * 1024
# For how long an invocation begins further events.
_SLICE_MS = 1_000
# The time that one event's fan-out may take (500 webhooks are 50 calls). With less left, no event is begun.
_RESERVE_MS = 10_000

# The (workspace, hour) that this process has marked as active.
_marked: LruCache[tuple[str, int], bool] = LruCache(10_000)


@dataclass(slots=True, eq=False)
class _Work:
    """An event, with the messages that brought it. `row` is the event's row in the table, which is read
    only if the event `may_be_stored`, or the row to be written.
    """

    event: EventMessage
    records: list[Mapping[str, Any]] = field(default_factory=list)
    may_be_stored: bool = True
    version: int = 0
    row: dynamo.Row | None = None
    is_new: bool = False
    webhook_ids: Sequence[WebhookId] = ()


class _Slice:
    """The time that an invocation has for its batch."""

    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self._remaining_ms = remaining_ms
        self._ends_at_ms = remaining_ms() - _SLICE_MS

    def is_over(self, *, begun: bool) -> bool:
        """Whether no further event is begun. The first one may be, however late it is."""
        left = self._remaining_ms()
        return left < _RESERVE_MS or (begun and left < self._ends_at_ms)


def fan_out_batch(records: Iterable[Mapping[str, Any]], remaining_ms: Callable[[], int]) -> list[str]:
    """Fan out the events of an SQS batch; returns the ids of the messages that must come again."""
    time = _Slice(remaining_ms)
    works: dict[tuple[str, str], _Work] = {}
    again: list[Mapping[str, Any]] = []
    late: list[Mapping[str, Any]] = []
    for record in records:
        logger.set_correlation_id(None)  # log lines before this message is read must not have the last one's
        try:
            message = _read(record["body"])
        except ValueError:
            if not queues.move_to_dlq(settings().events_dlq_url, record):
                again.append(record)
            continue
        if time.is_over(begun=bool(works)):
            late.append(record)
            continue
        try:
            event = message if isinstance(message, EventMessage) else _admit(message)
        except Exception:
            # Our own fault or AWS's: this event comes again, and the others of the batch continue.
            logger.exception("fan-out failed", message_id=record["messageId"], id=message.id)
            again.append(record)
            continue
        if event is not None:
            works.setdefault((event.workspace_id, event.id), _Work(event)).records.append(record)
    failed, left = _fan_out(list(works.values()), time)
    again += [record for work in failed for record in work.records]
    late += [record for work in left for record in work.records]
    _put_back(late)
    flush_metrics()
    return [record["messageId"] for record in (*again, *late)]


def fan_out_now(event: EventMessage, *, is_new: bool) -> bool:
    """Queue the deliveries of an event that goes to ten webhooks or fewer. Returns False if it goes to more,
    or if a step failed: queue the event then, and the worker resumes it. Safe to repeat. If `is_new`,
    nobody else has the event's id, so its row is not looked for.
    """
    work = _Work(event, may_be_stored=not is_new)
    try:
        _look_up([work])
        if not _matched(work) or _is_large(work):
            return False
        return not _write([work]) and not _send([work])
    except Exception:
        # The caller queues the event instead.
        logger.exception("fan-out failed", id=event.id)
        return False


def _read(body: str) -> EventMessage | Envelope:
    """Raises ValueError when the text is neither. An envelope's id is no event's, so it is not taken for
    one, whatever its detail holds.
    """
    try:
        return EventMessage.read(body)
    except ValueError:
        # Imported here, because it would take a twentieth of every cold start.
        from patchbay.events import bus

        return bus.read(body)


def _admit(envelope: Envelope) -> EventMessage | None:
    """The event in it, or None when it is rejected."""
    from patchbay.events import bus

    return bus.admit(envelope)


def _put_back(records: Sequence[Mapping[str, Any]]) -> None:
    """Make messages visible again at once."""
    try:
        queues.change_visibility(
            settings().events_queue_url, [(record["receiptHandle"], 0) for record in records]
        )
    except Exception:
        # They come back later by themselves.
        logger.exception("events not put back", count=len(records))


# ── the steps ────────────────────────────────────────────────────────────────────────────────────────


def _fan_out(works: Sequence[_Work], time: _Slice) -> tuple[list[_Work], list[_Work]]:
    """Queue the deliveries of the events. Safe to repeat. Returns the events that failed, and those for
    which there was no time.
    """
    failed, late = _together(_look_up, works, time)
    small: list[_Work] = []
    large: list[_Work] = []
    for work in works:
        if work in failed or work in late:
            continue
        if time.is_over(begun=bool(small or large)):
            late.append(work)
        elif not _matched(work):
            failed.append(work)
        else:
            (large if _is_large(work) else small).append(work)
    queued = [_queue(small, time)]
    for at, work in enumerate(large):
        if time.is_over(begun=bool(small or at)):
            late.append(work)
        else:
            queued.append(_queue([work], time))
    for its_failed, its_late in queued:
        failed += its_failed
        late += its_late
    return failed, late


def _together(
    step: Callable[[Sequence[_Work]], list[_Work]], works: Sequence[_Work], time: _Slice
) -> tuple[list[_Work], list[_Work]]:
    """Take a step with all events at once or, if that fails, with each alone, so that a bad event does not
    stop the others. Returns those that failed, and those for which there was no time.
    """
    try:
        return step(works) if works else [], []
    except Exception:
        logger.exception("fan-out failed", events=[work.event.id for work in works])
        if len(works) == 1:
            return list(works), []
    failed: list[_Work] = []
    for at, work in enumerate(works):
        if time.is_over(begun=bool(at)):
            return failed, list(works[at:])
        failed += _together(step, [work], time)[0]
    return failed, []


def _look_up(works: Sequence[_Work]) -> list[_Work]:
    versions = [webhooks.subscriptions_version_key(work.event.workspace_id) for work in works]
    known = [work for work in works if work.may_be_stored]
    found = dynamo.get_each([*versions, *(events.table_key(work.event) for work in known)])
    for work, version in zip(works, found, strict=False):
        work.version = webhooks.version(version)
    for work, row in zip(known, found[len(works) :], strict=True):
        work.row = row
    return []


def _matched(work: _Work) -> bool:
    """Find the webhooks that the event still has to be sent to. Returns False if that fails."""
    event = work.event
    logger.set_correlation_id(event.correlation_id)
    if work.row is not None:
        work.webhook_ids = events.left_to_send(work.row)
        return True
    try:
        work.webhook_ids = matching.match(event.workspace_id, event.type, event.data, work.version)
    except Exception:
        logger.exception("fan-out failed", id=event.id)
        return False
    work.row, work.is_new = events.begun(event, work.webhook_ids, in_one_send=not _is_large(work)), True
    return True


def _is_large(work: _Work) -> bool:
    return len(work.webhook_ids) > queues.MAX_ENTRIES


def _queue(works: Sequence[_Work], time: _Slice) -> tuple[list[_Work], list[_Work]]:
    """Write the events, then send their deliveries; returns those that failed, and those that there was no
    time for.
    """
    failed, late = _together(_write, works, time)
    unwritten = {*failed, *late}
    written = [work for work in works if work not in unwritten and work.webhook_ids]
    failed += _send(written)
    failed += [work for work in written if work not in failed and _is_large(work) and not _finished(work)]
    return failed, late


def _write(works: Sequence[_Work]) -> list[_Work]:
    """Write the rows of new events, and markers of active workspaces. Stored events need this too, because
    their marker may be missing. Returns the events that failed.
    """
    rows: list[dynamo.Row] = []
    needed_by: list[list[_Work]] = []
    marking: dict[tuple[str, int], list[_Work]] = {}
    for work in works:
        if work.is_new and work.row is not None:
            rows.append(work.row)
            needed_by.append([work])
        place = work.event.workspace_id, events.hour_of(work.event)
        if work.webhook_ids and not _marked.get(place):
            marking.setdefault(place, []).append(work)
    rows += [events.activity(*place) for place in marking]
    needed_by += marking.values()
    refused = events.write(rows)
    failed = {work for at in refused for work in needed_by[at]}
    for place, its in marking.items():
        if failed.isdisjoint(its):
            _marked.put(place, True)
    return list(failed)


def _send(works: Sequence[_Work]) -> list[_Work]:
    try:
        queues.send_all(settings().deliveries_queue_url, (each for work in works for each in _messages(work)))
    except queues.BatchSendFailed as failure:
        logger.exception("fan-out failed", count=len(failure.messages))
        unsent = {DeliveryMessage.read(message.body).event_id for message in failure.messages}
        return [work for work in works if work.event.id in unsent]
    except Exception:
        logger.exception("fan-out failed", events=[work.event.id for work in works])
        return list(works)
    for work in works:
        logger.debug(
            "fanned out", event_id=work.event.id, type=work.event.type, webhooks=len(work.webhook_ids)
        )
    return []


def _messages(work: _Work) -> Iterator[queues.Message]:
    event = work.event
    payload = event.payload()
    body = payload if len(payload.encode()) <= MAX_BODY_BYTES else None
    for webhook_id in work.webhook_ids:
        message = DeliveryMessage(
            id=DeliveryId.derived(event.id, webhook_id),
            workspace_id=event.workspace_id,
            webhook_id=webhook_id,
            event_id=event.id,
            event_type=event.type,
            body=body,
            generation=0,
            correlation_id=event.correlation_id,
        )
        yield queues.Message.of(message.fields(), event.workspace_id)


def _finished(work: _Work) -> bool:
    """Record that every delivery of a large event is queued, and charge for it. Returns False if that fails.
    Events from the bus and Patchbay's own events have no ceiling.
    """
    event = work.event
    logger.set_correlation_id(event.correlation_id)
    try:
        events.finish_fan_out(event)
        if work.is_new and event.source == "api":
            calls = -(-len(work.webhook_ids) // queues.MAX_ENTRIES)
            ceilings.record_usage(event.workspace_id, "events", calls - 1)
    except Exception:
        logger.exception("fan-out failed", id=event.id)
        return False
    return True


def clear_cache() -> None:
    """Forget what this process remembers."""
    _marked.clear()
    matching.clear_cache()
