"""The delivery worker: the attempts of a batch of messages, and their records.

A new delivery is sent at once, and its first record is its result. A delivery that was tried before, or whose
message was received before, is claimed first. The claim is a lease, so if two workers have the delivery, only
one makes the attempt. The successes of a batch are one write, which overwrites any row (states.delivered says
why that is safe).

Nothing that a receiver does is an error here: after errors, Lambda runs fewer batches at a time, for every
receiver. After our own faults, the message stays in the queue and comes back. If a process dies:
    before the attempt      the message comes back, and the delivery is claimed
    during the attempt      the message comes back; a delivery under a lease waits for the lease to end
    after the answer        as above: the receiver gets the delivery twice
    after the record        the message comes back; the row says that the message is done
    after a move            the message is in both lanes; the claim lets one of them make the attempt
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from patchbay import aws, queues, vault
from patchbay.clock import at_ms, now_ms
from patchbay.deliveries import admission, attempt, batch, outcome, states, store
from patchbay.deliveries.attempt import CompletedAttempt, Receiver
from patchbay.deliveries.batch import QueuedDelivery, WebhookBatch
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.events import store as events
from patchbay.events.models import payload
from patchbay.observability import flush_metrics, logger, metrics, sampled
from patchbay.receivers import health_store
from patchbay.receivers.lanes import SLOW_AFTER_SECONDS, Lane
from patchbay.settings import settings
from patchbay.stats import counters
from patchbay.storage import dynamo
from patchbay.webhooks import retry
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.stored_webhook import StoredWebhook

# How long a success waits for others of its batch, so that they are recorded together.
_RECORDED_AFTER_SECONDS = 0.5
# A second copy of a message in a batch comes back when the first one is most probably done.
_COPY_SECONDS = 5
# SQS has 120,000 messages in flight at most. Above half of it only short waits are spent in the queue.
_CROWDED = 60_000
_CROWDED_WAIT_SECONDS = 300
# If other workers keep changing the row first, the step is taken later.
_TRIES = 3
# Claims that left no record: a delivery that kills its worker each time must end.
_MAX_LOST_CLAIMS = 10


@dataclass(frozen=True, slots=True)
class Redeliver:
    """The message comes back after so many seconds; None means after the queue's visibility timeout."""

    seconds: int | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver took the delivery; `row` is still to be written."""

    row: dynamo.Row


class Ack:
    """The message is not needed any more."""


class MoveToSlowLane:
    """The message belongs in the slow lane."""


Disposition = Redeliver | Delivered | Ack | MoveToSlowLane


@dataclass(slots=True)
class StartedAttempt:
    """An attempt that is being made. `lease` is the row under our lease; None for a new delivery, until an
    attempt that takes long or fails claims it.
    """

    share: WebhookBatch
    work: QueuedDelivery
    receiver: Receiver
    body: bytes
    lease: dynamo.Row | None = None

    @property
    def number(self) -> int:
        """The number of the attempt among all attempts of the delivery, from 1."""
        return int(self.lease["attempts"]) + 1 if self.lease else 1

    @property
    def not_registered_at(self) -> int | None:
        """Since when its receiver has only said that it does not know the hook. Also None if that was before
        the hook was last enabled, because it may be registered by now.
        """
        at: int | None = self.lease.get("notRegisteredAt") if self.lease else None
        return None if at is None or at <= self.share.resumed_at else at


@dataclass(slots=True)
class BatchResult:
    """What became of an invocation's messages so far."""

    lane: Lane
    queue_url: str
    again: list[str] = field(default_factory=list)
    dispositions: list[tuple[QueuedDelivery, Disposition]] = field(default_factory=list)


def deliver_batch(records: Iterable[Mapping[str, Any]], lane: Lane) -> list[str]:
    """Deliver an SQS batch; returns the ids of the messages that must come again (partial batch response)."""
    config = settings()
    queue_url = config.deliveries_queue_url if lane is Lane.FAST else config.slow_deliveries_queue_url
    results, queued = BatchResult(lane, queue_url), []
    for record in records:
        try:
            delivery = DeliveryMessage.read(record["body"])
        except ValueError:
            if not queues.move_to_dlq(config.deliveries_dlq_url, record):
                results.again.append(record["messageId"])
            continue
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        queued.append(
            QueuedDelivery(record["messageId"], record["receiptHandle"], receives, record["body"], delivery)
        )
    try:
        if queued:
            attempt.runner().run(_deliver_all(results, queued))
    except Exception:
        # AWS's fault. Raising would make Lambda work fewer batches at a time, for every receiver.
        logger.exception("batch not worked")
        results.again += [work.message_id for work in queued]
    flush_metrics()
    return results.again


async def _deliver_all(results: BatchResult, queued: Sequence[QueuedDelivery]) -> None:
    """Deliver the batches side by side, and record every half second what has ended."""
    firsts: dict[str, QueuedDelivery] = {}
    for work in queued:
        if firsts.setdefault(work.delivery.id, work) is not work:
            results.dispositions.append((work, Redeliver(_COPY_SECONDS)))
    # Nothing else runs on the loop now or at the end, so these calls need no thread of their own.
    found = _read(results, list(firsts.values()))
    for share in found:
        results.dispositions += [(work, Ack()) for work in share.queued if work.is_over]
        share.queued = [work for work in share.queued if not work.is_over]
    groups = batch.by_workspace(share for share in found if share.queued)
    pending = {asyncio.ensure_future(_work_workspace(results, of_one)) for of_one in groups}
    while pending:
        ended, pending = await asyncio.wait(pending, timeout=_RECORDED_AFTER_SECONDS)
        for task in ended:
            task.result()
        if pending and results.dispositions:
            dispositions, results.dispositions = results.dispositions, []
            await asyncio.to_thread(_record_all, results, dispositions)
    _record_all(results, results.dispositions)


def _read(results: BatchResult, queued: Sequence[QueuedDelivery]) -> list[WebhookBatch]:
    """The queued by webhook. If DynamoDB throttles a part of the batch's read, each workspace is read alone:
    one that uses up what its partition takes must not delay the others.
    """
    try:
        return batch.batches(queued)
    except dynamo.Throttled:
        logger.exception("batch not read as one")
    found: list[WebhookBatch] = []
    for workspace_id in dict.fromkeys(work.delivery.workspace_id for work in queued):
        own = [work for work in queued if work.delivery.workspace_id == workspace_id]
        try:
            found += batch.batches(own)
        except aws.CallFailed:
            logger.exception("workspace's deliveries not read", workspace=workspace_id)
            results.again += [work.message_id for work in own]
    return found


def _record_all(results: BatchResult, dispositions: Sequence[tuple[QueuedDelivery, Disposition]]) -> None:
    """Write, move or hide messages according to their dispositions, with one call for each of the three."""
    delivered = [
        (work, disposition.row) for work, disposition in dispositions if isinstance(disposition, Delivered)
    ]
    moved = [work for work, disposition in dispositions if isinstance(disposition, MoveToSlowLane)]
    later = [
        (work, disposition.seconds)
        for work, disposition in dispositions
        if isinstance(disposition, Redeliver)
    ]
    results.again += [work.message_id for work, _ in later]
    if delivered:
        results.again += [delivered[at][0].message_id for at in _written(delivered)]
    if moved:
        results.again += _moved(moved)
    hidden = [(work.receipt_handle, seconds) for work, seconds in later if seconds is not None]
    if hidden:
        try:
            queues.change_visibility(results.queue_url, hidden)
        except Exception:
            # AWS's fault. The messages come back after the queue's visibility timeout instead.
            logger.exception("messages not hidden")


def _written(delivered: Sequence[tuple[QueuedDelivery, dynamo.Row]]) -> list[int]:
    """Record the successes. Returns the positions of those that were not recorded; they are sent again."""
    try:
        return store.record_delivered([row for _, row in delivered])
    except Exception:
        logger.exception("successes not recorded", deliveries=[work.delivery.id for work, _ in delivered])
        return list(range(len(delivered)))


def _moved(queued: Sequence[QueuedDelivery]) -> list[str]:
    """Send messages to the slow lane. Returns the ids of those that must come again."""
    messages = [queues.Message(work.text, work.delivery.workspace_id) for work in queued]
    try:
        queues.send_all(settings().slow_deliveries_queue_url, messages)
    except queues.BatchSendFailed as failure:
        logger.exception("messages not moved to the slow lane")
        return [
            work.message_id
            for work, message in zip(queued, messages, strict=True)
            if message in failure.messages
        ]
    except Exception:
        logger.exception("messages not moved to the slow lane")
        return [work.message_id for work in queued]
    return []


async def _work_workspace(results: BatchResult, batches: Sequence[WebhookBatch]) -> None:
    """Deliver a workspace's part of the batch. In the slow lane, that takes a permit."""
    if results.lane is Lane.FAST:
        await asyncio.gather(*(_work(results, share) for share in batches))
        return
    workspace_id = batches[0].workspace_id
    try:
        permit = await asyncio.to_thread(health_store.acquire_permit, workspace_id, now_ms())
    except Exception:
        logger.exception("no permit for the slow lane", workspace=workspace_id)
        results.again += [work.message_id for share in batches for work in share.queued]
        return
    await asyncio.gather(*(_work(results, share, is_deferred=permit is None) for share in batches))
    if permit is not None:
        try:
            await asyncio.to_thread(health_store.release_permit, workspace_id, permit)
        except Exception:
            # The permit ends with its lease.
            logger.exception("permit not given back", workspace=workspace_id)


async def _work(results: BatchResult, share: WebhookBatch, *, is_deferred: bool = False) -> None:
    """Deliver one webhook's part of the batch."""
    try:
        admissions = await _admissions(results, share, is_deferred)
    except Exception:
        logger.exception("webhook's deliveries not admitted", webhook=share.key)
        results.again += [work.message_id for work in share.queued]
        return
    pairs = zip(share.queued, admissions, strict=True)
    await asyncio.gather(*(_deliver(results, share, work, admitted) for work, admitted in pairs))
    if outcome.changes_nothing(share):
        return
    try:
        await asyncio.to_thread(outcome.settle, share)
    except Exception:
        # The failures are recorded, and the successes will be. The next batch notes the health again.
        logger.exception("webhook's health not noted", webhook=share.key)


async def _admissions(
    results: BatchResult, share: WebhookBatch, is_deferred: bool
) -> list[admission.Admission]:
    """A pass for each work. Also opens the receiver if any of them may go."""
    if is_deferred:
        return await asyncio.to_thread(_defer, results, share)
    if admission.is_free(share):
        admissions = admission.admit(share, results.lane)
    else:
        admissions = await asyncio.to_thread(admission.admit, share, results.lane)
    if share.webhook is not None and any(isinstance(each, admission.SendNow) for each in admissions):
        if vault.are_keys_cached(share.workspace_id, webhooks.ciphertexts(share.webhook)):
            share.receiver = _receiver(share.webhook)
        else:
            share.receiver = await asyncio.to_thread(_receiver, share.webhook)
    return admissions


def _defer(results: BatchResult, share: WebhookBatch) -> list[admission.Admission]:
    return admission.defer(share, is_crowded=_is_crowded(results.queue_url, now_ms() // 60_000))


async def _deliver(
    results: BatchResult, share: WebhookBatch, work: QueuedDelivery, admitted: admission.Admission
) -> None:
    try:
        disposition = await _follow(results, share, work, admitted)
    except Exception:
        # Our own fault or AWS's, never the receiver's: this message comes back, the others go on.
        logger.exception("delivery not worked", extra=_names(work.delivery))
        disposition = Redeliver(None)
    results.dispositions.append((work, disposition))


async def _follow(
    results: BatchResult, share: WebhookBatch, work: QueuedDelivery, admitted: admission.Admission
) -> Disposition:
    match admitted:
        case admission.MoveToSlowLane():
            return MoveToSlowLane()
        case admission.Defer(seconds):
            return Redeliver(seconds + random.randint(0, 2))  # noqa: S311  # a jitter is no secret
        case admission.Hold() | admission.WaitForSlot():
            return await asyncio.to_thread(_wait, share, work, admitted)
        case admission.SendNow(at):
            if at:
                await asyncio.sleep(max(at - now_ms(), 0) / 1000)
            begun: StartedAttempt | Disposition | None = _begin_new(results, share, work)
            if begun is None:
                begun = await asyncio.to_thread(_claim, share, work)
            if not isinstance(begun, StartedAttempt):
                return begun
            made = await _attempt(begun)
            if retry.is_success(_understood(begun, made, now_ms())):
                return _delivered(begun, made)
            return await asyncio.to_thread(_record_failure, results, begun, made)


def _wait(
    share: WebhookBatch, work: QueuedDelivery, admitted: admission.Hold | admission.WaitForSlot
) -> Disposition:
    """Have the delivery wait, in the table or in the queue."""
    now, most = now_ms(), share.retry_config.max_attempts

    def step(row: dynamo.Row | None) -> dynamo.Row:
        if isinstance(admitted, admission.WaitForSlot):
            return states.asleep(row, work.delivery, until=admitted.until, now=now, max_attempts=most)
        return states.held(
            row,
            work.delivery,
            reason=admitted.reason,
            now=now,
            max_attempts=most,
            most_held_ms=settings().max_hold_seconds * 1000,
        )

    taken = _taken(work, step)
    if isinstance(taken, Redeliver | Ack):
        return taken
    if isinstance(admitted, admission.WaitForSlot):
        return Redeliver(_seconds(admitted.until - now))
    metrics().add_metric("DeliveriesHeld", "Count", 1)
    return Ack()


# ── begin ────────────────────────────────────────────────────────────────────────────────────────────


def _begin_new(results: BatchResult, share: WebhookBatch, work: QueuedDelivery) -> StartedAttempt | None:
    """The attempt of a new delivery, without a claim; None if it needs one. In the slow lane every delivery
    is claimed: attempts take long there, so a second copy of a message is more likely to arrive meanwhile.
    """
    body = work.delivery.body or (share.webhook.body if share.webhook else None)
    if (
        results.lane is Lane.SLOW
        or not work.is_new
        or not share.is_active
        or body is None
        or not share.receiver
    ):
        return None
    return StartedAttempt(share, work, share.receiver, body.encode())


def _claim(share: WebhookBatch, work: QueuedDelivery) -> StartedAttempt | Disposition:
    """An attempt under our lease, or why there is none."""
    delivery, webhook = work.delivery, share.webhook
    # Before the claim: while the events table cannot be reached, no claims are used up.
    body = delivery.body or (webhook.body if webhook else None) or _stored_body(delivery)
    lease = _lease(share, work)
    if isinstance(lease, Redeliver | Ack):
        return lease
    if reason := webhooks.inactive_reason(webhook):
        return _end(delivery, lease, Status.CANCELLED, reason)
    if lease["claims"] - lease["attempts"] > _MAX_LOST_CLAIMS:
        logger.error("delivery given up: its workers die", extra=_names(delivery))
        return _end(delivery, lease, Status.FAILED, "internal")
    if body is None:
        return _end(delivery, lease, Status.FAILED, "event_expired")
    if share.receiver is None:
        return _end(delivery, lease, Status.FAILED, "secret_unreadable")
    return StartedAttempt(share, work, share.receiver, body.encode(), lease)


def _lease(share: WebhookBatch, work: QueuedDelivery) -> dynamo.Row | Redeliver | Ack:
    """The row under our lease, or what becomes of the message when another worker has the delivery."""
    now = now_ms()
    until = now + settings().delivery_lease_seconds * 1000
    most = share.retry_config.max_attempts
    return _taken(
        work,
        lambda row: states.leased(row, work.delivery, now=now, until=until, max_attempts=most),
    )


def _taken(
    work: QueuedDelivery, step: Callable[[dynamo.Row | None], dynamo.Row]
) -> dynamo.Row | Redeliver | Ack:
    """Take the delivery through a step, and return its row, or what becomes of the message instead."""
    row = work.row
    for _ in range(_TRIES):
        now = now_ms()
        match states.obstacle(row, work.delivery, now):
            case states.Obsolete():
                return Ack()
            case states.Blocked(until):
                return Redeliver(_seconds(until - now))
        after = step(row)
        try:
            store.write(row, after)
        except store.DeliveryChanged as changed:
            row = changed.row
        else:
            return after
    return Redeliver(None)


def _seconds(ms: int) -> int:
    """As a visibility timeout: whole seconds, never early."""
    return max(-(-ms // 1000), 1)


def _receiver(webhook: StoredWebhook) -> Receiver | None:
    """None when the stored secrets do not open."""
    try:
        return Receiver.of(webhook)
    except vault.DecryptionFailed:
        logger.exception("secret does not open", webhook_id=webhook.id, workspace=webhook.workspace_id)
        return None


def _stored_body(delivery: DeliveryMessage) -> str | None:
    event = events.get(delivery.workspace_id, delivery.event_id)
    return payload(event.id, event.type, event.timestamp, event.data) if event else None


def _end(delivery: DeliveryMessage, lease: dynamo.Row, status: Status, reason: str) -> Ack:
    store.write(lease, states.ended(lease, status=status, reason=reason, attempted=False, now=now_ms()))
    logger.info("delivery ended", status=status, reason=reason, extra=_names(delivery))
    return Ack()


# ── attempt ──────────────────────────────────────────────────────────────────────────────────────────


async def _attempt(begun: StartedAttempt) -> CompletedAttempt:
    """Make one request. If it takes long, let other workers know."""
    loop = asyncio.get_running_loop()
    noted: list[asyncio.Future[None]] = []
    timer = loop.call_later(
        SLOW_AFTER_SECONDS, lambda: noted.append(loop.run_in_executor(None, _takes_long, begun))
    )
    try:
        return await attempt.make(
            begun.receiver,
            begun.work.delivery.id,
            begun.body,
            number=begun.number,
            trigger=begun.lease.get("trigger", "AUTO") if begun.lease else "AUTO",
        )
    finally:
        timer.cancel()
        for each in noted:
            await each


def _takes_long(begun: StartedAttempt) -> None:
    """Claim a new delivery, so that a copy of its message waits, and note that the receiver is slow."""
    try:
        if begun.lease is None:
            lease = _lease(begun.share, begun.work)
            begun.lease = None if isinstance(lease, Redeliver | Ack) else lease
        outcome.slow(begun.share)
    except Exception:
        # The attempt goes on: its result is recorded as it would be without this.
        logger.exception("slow attempt not noted", extra=_names(begun.work.delivery))


# ── record ───────────────────────────────────────────────────────────────────────────────────────────


def _understood(begun: StartedAttempt, made: CompletedAttempt, now: int) -> retry.Outcome:
    return webhooks.classify_response(
        begun.share.webhook, made.result.outcome(at_ms(now)), made.result.response_body
    )


def _delivered(begun: StartedAttempt, made: CompletedAttempt) -> Delivered:
    share, delivery, now = begun.share, begun.work.delivery, now_ms()
    share.timed_out.append(False)
    share.last_success_at = max(share.last_success_at, now)
    if sampled(delivery.correlation_id):
        _log(begun, made, "Delivered")
    by_roll_up = begun.number == 1 and counters.is_counted_by_roll_up(delivery.id.time_ms, now)
    if not by_roll_up:
        share.counts.add(now, made.result.duration_ms, reason=None, ended=True)
    return Delivered(
        states.delivered(
            begun.lease,
            delivery,
            made.row(begun.receiver.headers),
            counted=not by_roll_up,
            now=now,
            max_attempts=share.retry_config.max_attempts,
        )
    )


def _record_failure(results: BatchResult, begun: StartedAttempt, made: CompletedAttempt) -> Disposition:
    share, delivery, result, now = begun.share, begun.work.delivery, made.result, now_ms()
    lease = begun.lease or _lease(share, begun.work)
    if isinstance(lease, Redeliver | Ack):
        return lease  # another worker had a copy of the message, and its record counts
    begun.lease = lease
    met = _understood(begun, made, now)
    since = (begun.not_registered_at or now) if met.message is retry.ReceiverMessage.NOT_REGISTERED else None
    plan = retry.plan(
        met,
        begun.number - lease.get("earlier", 0),
        share.retry_config,
        not_registered_seconds=0 if since is None else (now - since) // 1000,
    )
    _log(begun, made, type(plan).__name__)
    metrics().add_metric(f"Attempt{type(plan).__name__}", "Count", 1)
    share.timed_out.append(result.error_kind is retry.ErrorKind.TIMEOUT)
    share.counts.add(now, result.duration_ms, reason=met.reason, ended=not isinstance(plan, retry.Retry))
    row = made.row(begun.receiver.headers) | {"number": begun.number}
    match plan:
        case retry.Retry(delay_seconds, reason):
            parked = _is_parked(results.queue_url, delay_seconds)
            after = states.retrying(
                lease,
                reason=reason,
                at=now + delay_seconds * 1000,
                parked=parked,
                not_registered_since=since,
                now=now,
            )
            store.write(lease, after, row)
            share.queued_retries |= not parked
            return Ack() if parked else Redeliver(delay_seconds)
        case retry.Fail(reason) | retry.DisableWebhook(reason):
            # First, for it is what may not be lost; a delivery cut down here is sent again, or CANCELLED.
            if made.trigger != "MANUAL":
                outcome.failed(share, delivery, now, made.started_at)
            if isinstance(plan, retry.DisableWebhook):
                outcome.gone(share, delivery, reason, made.started_at)
            after = states.ended(lease, status=Status.FAILED, reason=reason, attempted=True, now=now)
            store.write(lease, after, row)
    return Ack()


def _log(begun: StartedAttempt, made: CompletedAttempt, end: str) -> None:
    logger.info(
        "attempt",
        outcome=end,
        number=begun.number,
        status_code=made.result.status_code,
        error=made.result.error_kind,
        ms=made.result.duration_ms,
        extra=_names(begun.work.delivery),
    )


def _is_parked(queue_url: str, delay_seconds: int) -> bool:
    """Whether a retry waits in the table. In the queue it would be in flight all the while."""
    if delay_seconds > settings().max_visibility_wait_seconds:
        return True
    return delay_seconds > _CROWDED_WAIT_SECONDS and _is_crowded(queue_url, now_ms() // 60_000)


@lru_cache(maxsize=2)
def _is_crowded(queue_url: str, minute: int) -> bool:
    """Whether half of what SQS takes is in flight; asked once a minute. If SQS does not say, yes: the record
    of an attempt must not fail for it.
    """
    try:
        return queues.in_flight(queue_url) > _CROWDED
    except aws.CallFailed:
        logger.exception("messages in flight not counted")
        return True


def _names(delivery: DeliveryMessage) -> dict[str, str]:
    return {
        "correlation_id": delivery.correlation_id,
        "delivery_id": delivery.id,
        "event_id": delivery.event_id,
        "webhook_id": delivery.webhook_id,
        "workspace": delivery.workspace_id,
    }
