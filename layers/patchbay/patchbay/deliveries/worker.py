"""The delivery worker: makes the attempts of a batch of messages and records them.

In the fast lane, a new delivery is sent without a claim, and its first row usually records the result. Every
other delivery is claimed first. The claim is a lease, so if two workers have the delivery, only one makes the
attempt. Successes are written together, every half second, and overwrite any row (`states.delivered` says why
that is safe).

A receiver's failure is never an error here: after errors, Lambda runs fewer batches at a time, for every
receiver. After an error in our code or in AWS, the message stays in the queue and is redelivered. If a
process dies:
    before the attempt      the message is redelivered, and the delivery is claimed
    during the attempt      the message is redelivered; a delivery under a lease waits for the lease to end
    after the response      as above, and the receiver gets the delivery twice; a success can wait for its
                            record for half a second
    after the record        the message is redelivered; the row makes it obsolete
    after a move            the message is in both lanes; the claim lets one of them make the attempt
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NotRequired, TypedDict

from patchbay import aws, erasure_mark, metrics, queues, vault
from patchbay.clock import from_ms, now_ms
from patchbay.deliveries import admission, attempt, outcome, states, store
from patchbay.deliveries.attempt import CompletedAttempt, Receiver
from patchbay.deliveries.batch import QueuedDelivery, WebhookBatch, group_by_workspace, load_batches
from patchbay.deliveries.models import EVENT_ERASED, HELD_PAUSED, DeliveryMessage, Status
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.events import store as events
from patchbay.events.models import payload
from patchbay.observability import logger, sampled
from patchbay.receivers import health_store
from patchbay.receivers.lanes import SLOW_AFTER_SECONDS, Lane
from patchbay.settings import settings
from patchbay.stats import counters
from patchbay.storage import dynamo
from patchbay.webhooks import retry
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.stored_webhook import StoredWebhook

# How long a success waits for others of its batch, so that they are recorded in one write.
_RECORD_EVERY_SECONDS = 0.5
# A second copy of a message in a batch is redelivered after this long: by then, the first is probably done.
_COPY_SECONDS = 5
# SQS allows 120,000 messages in flight. Above half of that, only retries with short delays wait in the queue.
_MANY_IN_FLIGHT = 60_000
_MAX_CROWDED_WAIT_SECONDS = 300
# The system's randomness: processes that SnapStart restores have one state of the module's own generator.
_random = random.SystemRandom()
# If other workers change the row before each try, the message is redelivered.
_MAX_TRIES = 3
# A delivery whose attempts all kill their worker must end.
_MAX_LOST_CLAIMS = 10
# The names of plans in logs.
_DECISIONS: dict[type[retry.Plan], str] = {
    retry.Delivered: "Delivered",
    retry.Retry: "Retry",
    retry.Fail: "GiveUp",
    retry.DisableWebhook: "DisableWebhook",
}


class SqsAttributes(TypedDict):
    ApproximateReceiveCount: str
    SentTimestamp: NotRequired[str]


class SqsRecord(TypedDict):
    """A message of an SQS event, with the fields that the worker reads."""

    messageId: str
    receiptHandle: str
    body: str
    attributes: SqsAttributes


@dataclass(frozen=True, slots=True)
class Redeliver:
    """SQS delivers the message again after `seconds`; None means after the queue's visibility timeout."""

    seconds: int | None


@dataclass(frozen=True, slots=True)
class RecordSuccess:
    """The receiver accepted the delivery. `delivery` is still to be written."""

    delivery: StoredDelivery


class Ack:
    """The message is done."""


class Move:
    """The message must be moved to the slow lane."""


Disposition = Redeliver | RecordSuccess | Ack | Move


@dataclass(slots=True)
class PreparedAttempt:
    """An attempt that is ready to start, or under way. `leased` is the delivery under this worker's lease;
    None for a new delivery, until the attempt is slow or fails.
    """

    batch: WebhookBatch
    queued: QueuedDelivery
    receiver: Receiver
    body: bytes
    leased: StoredDelivery | None = None

    @property
    def message(self) -> DeliveryMessage:
        return self.queued.message

    @property
    def number(self) -> int:
        """The number of the attempt among all attempts of the delivery, from 1."""
        return self.leased.attempts + 1 if self.leased else 1

    @property
    def not_registered_at(self) -> int | None:
        """When the current unbroken series of NOT_REGISTERED responses began, if there is one. None if it
        began before the hook was last enabled, because the hook may be registered by now.
        """
        at = self.leased.not_registered_at if self.leased else None
        return None if at is None or at <= self.batch.resumed_at else at


@dataclass(slots=True)
class BatchResult:
    """The results of an invocation's messages so far. `redeliver_ids` are the IDs of the messages that SQS
    must deliver again; `dispositions` are not carried out yet.
    """

    lane: Lane
    queue_url: str
    redeliver_ids: list[str] = field(default_factory=list)
    dispositions: list[tuple[QueuedDelivery, Disposition]] = field(default_factory=list)

    def redeliver(self, deliveries: Iterable[QueuedDelivery]) -> None:
        self.redeliver_ids += [queued.message_id for queued in deliveries]


def deliver_batch(records: Iterable[SqsRecord], lane: Lane) -> list[str]:
    """Deliver an SQS batch. Returns the IDs of the messages to redeliver (partial batch response)."""
    config = settings()
    queue_url = config.deliveries_queue_url if lane is Lane.FAST else config.slow_deliveries_queue_url
    result, deliveries = BatchResult(lane, queue_url), []
    for record in records:
        try:
            message = DeliveryMessage.read(record["body"])
        except ValueError:
            if not queues.move_to_dlq(config.deliveries_dlq_url, record):
                result.redeliver_ids.append(record["messageId"])
            continue
        receive_count = int(record["attributes"]["ApproximateReceiveCount"])
        deliveries.append(
            QueuedDelivery(
                record["messageId"],
                record["receiptHandle"],
                receive_count,
                record["body"],
                message,
                erasure_mark.sent_at(message.event_id.time_ms, record),
            )
        )
    try:
        if deliveries:
            attempt.runner().run(_deliver_all(result, deliveries))
    except Exception:
        # An AWS failure. Raising it would make Lambda run fewer batches at a time, for every receiver.
        logger.exception("batch failed")
        result.redeliver(deliveries)
    return result.redeliver_ids


async def _deliver_all(result: BatchResult, deliveries: Sequence[QueuedDelivery]) -> None:
    """Deliver the batch concurrently. Every half second, record the deliveries that have ended."""
    firsts: dict[str, QueuedDelivery] = {}
    for queued in deliveries:
        first = firsts.setdefault(queued.message.id, queued)
        if first is not queued:  # a second copy of the message
            result.dispositions.append((queued, Redeliver(_COPY_SECONDS)))
    # Nothing else runs on the event loop at the start and the end, so these calls need no thread.
    batches = _load_batches(result, list(firsts.values()))
    for batch in batches:
        dropped = [queued for queued in batch.deliveries if batch.drops(queued)]
        result.dispositions += [(queued, Ack()) for queued in dropped]
        batch.deliveries = [queued for queued in batch.deliveries if queued not in dropped]
    workspaces = group_by_workspace(batch for batch in batches if batch.deliveries)
    pending = {asyncio.ensure_future(_deliver_workspace(result, workspace)) for workspace in workspaces}
    while pending:
        done, pending = await asyncio.wait(pending, timeout=_RECORD_EVERY_SECONDS)
        for task in done:
            task.result()
        if pending and result.dispositions:
            dispositions, result.dispositions = result.dispositions, []
            await asyncio.to_thread(_apply_dispositions, result, dispositions)
    _apply_dispositions(result, result.dispositions)


def _load_batches(result: BatchResult, deliveries: Sequence[QueuedDelivery]) -> list[WebhookBatch]:
    """Group and read the batch. If DynamoDB throttles part of the read, each workspace is read separately:
    one that uses up its partition's throughput must not delay the others.
    """
    try:
        return load_batches(deliveries)
    except dynamo.Throttled:
        logger.exception("batch read throttled, reading each workspace")
    batches: list[WebhookBatch] = []
    for workspace_id in dict.fromkeys(queued.message.workspace_id for queued in deliveries):
        own_deliveries = [queued for queued in deliveries if queued.message.workspace_id == workspace_id]
        try:
            batches += load_batches(own_deliveries)
        except aws.CallFailed:
            logger.exception("failed to read deliveries", workspace=workspace_id)
            result.redeliver(own_deliveries)
    return batches


# ── dispositions ─────────────────────────────────────────────────────────────────────────────────────


def _apply_dispositions(
    result: BatchResult, dispositions: Sequence[tuple[QueuedDelivery, Disposition]]
) -> None:
    """Write successes, move messages, and change visibility timeouts, with one call for each."""
    delivered = [
        (queued, disposition.delivery)
        for queued, disposition in dispositions
        if isinstance(disposition, RecordSuccess)
    ]
    to_move = [queued for queued, disposition in dispositions if isinstance(disposition, Move)]
    to_redeliver = [
        (queued, disposition.seconds)
        for queued, disposition in dispositions
        if isinstance(disposition, Redeliver)
    ]
    result.redeliver(queued for queued, _ in to_redeliver)
    if delivered:
        result.redeliver(_record_successes(delivered))
    if to_move:
        result.redeliver(_move_to_slow_lane(to_move))
    visibility = [(queued.receipt_handle, seconds) for queued, seconds in to_redeliver if seconds is not None]
    queues.change_visibility(result.queue_url, visibility)


def _record_successes(delivered: Sequence[tuple[QueuedDelivery, StoredDelivery]]) -> list[QueuedDelivery]:
    """Record the successes. Returns those that were not recorded; they are sent again."""
    try:
        unrecorded = store.record_delivered([delivery for _, delivery in delivered])
    except Exception:
        ids = [delivery.id for _, delivery in delivered]
        logger.exception("failed to record successes", deliveries=ids)
        return [queued for queued, _ in delivered]
    return [delivered[position][0] for position in unrecorded]


def _move_to_slow_lane(deliveries: Sequence[QueuedDelivery]) -> list[QueuedDelivery]:
    """Send messages to the slow lane. Returns those that were not sent."""
    messages = [queues.Message(queued.body, queued.message.workspace_id) for queued in deliveries]
    try:
        queues.send_all(settings().slow_deliveries_queue_url, messages)
    except queues.BatchSendFailed as failure:
        logger.exception("failed to move messages to the slow lane")
        return [
            queued
            for queued, message in zip(deliveries, messages, strict=True)
            if message in failure.messages
        ]
    except Exception:
        logger.exception("failed to move messages to the slow lane")
        return list(deliveries)
    return []


# ── admission ────────────────────────────────────────────────────────────────────────────────────────


async def _deliver_workspace(result: BatchResult, batches: Sequence[WebhookBatch]) -> None:
    """Deliver a workspace's part of the batch. In the slow lane, that takes a permit."""
    if result.lane is Lane.FAST:
        await asyncio.gather(*(_deliver_webhook(result, batch) for batch in batches))
        return
    workspace_id = batches[0].workspace_id
    try:
        permit = await asyncio.to_thread(health_store.acquire_permit, workspace_id, now_ms())
    except Exception:
        logger.exception("failed to acquire slow-lane permit", workspace=workspace_id)
        result.redeliver(queued for batch in batches for queued in batch.deliveries)
        return
    await asyncio.gather(*(_deliver_webhook(result, batch, is_deferred=permit is None) for batch in batches))
    if permit is not None:
        try:
            await asyncio.to_thread(health_store.release_permit, workspace_id, permit)
        except Exception:
            # The permit ends with its lease.
            logger.exception("failed to release slow-lane permit", workspace=workspace_id)


async def _deliver_webhook(result: BatchResult, batch: WebhookBatch, *, is_deferred: bool = False) -> None:
    """Deliver one webhook's part of the batch."""
    try:
        admissions = await _admit(result, batch, is_deferred)
    except Exception:
        logger.exception("failed to admit deliveries", webhook=batch.key)
        result.redeliver(batch.deliveries)
        return
    pairs = zip(batch.deliveries, admissions, strict=True)
    await asyncio.gather(*(_deliver(result, batch, queued, decision) for queued, decision in pairs))
    if not outcome.needs_finish(batch):
        return
    try:
        await asyncio.to_thread(outcome.finish_batch, batch)
    except Exception:
        # The failures are recorded, and the successes will be. The next batch updates the health again.
        logger.exception("failed to update receiver health", webhook=batch.key)


async def _admit(result: BatchResult, batch: WebhookBatch, is_deferred: bool) -> list[admission.Admission]:
    """An admission for each delivery. Also decrypts the receiver's secrets if any of them may be sent."""
    if is_deferred:
        return await asyncio.to_thread(_defer, result, batch)
    if admission.calls_aws(batch):
        admissions = await asyncio.to_thread(admission.admit, batch, result.lane)
    else:
        admissions = admission.admit(batch, result.lane)
    if batch.webhook is not None and any(isinstance(each, admission.SendNow) for each in admissions):
        if vault.are_keys_cached(batch.workspace_id, webhooks.ciphertexts(batch.webhook)):
            batch.receiver = _decrypt_receiver(batch.webhook)
        else:
            batch.receiver = await asyncio.to_thread(_decrypt_receiver, batch.webhook)
    return admissions


def _defer(result: BatchResult, batch: WebhookBatch) -> list[admission.Admission]:
    return admission.defer(batch, has_many_in_flight=_has_many_in_flight(result.queue_url))


def _decrypt_receiver(webhook: StoredWebhook) -> Receiver | None:
    """None if a stored secret cannot be decrypted."""
    try:
        return Receiver.from_webhook(webhook)
    except vault.DecryptionFailed:
        logger.exception(
            "webhook secret decryption failed", webhook_id=webhook.id, workspace=webhook.workspace_id
        )
        return None


async def _deliver(
    result: BatchResult, batch: WebhookBatch, queued: QueuedDelivery, decision: admission.Admission
) -> None:
    try:
        disposition = await _act_on_admission(result, batch, queued, decision)
    except Exception:
        # An error in our code or in AWS, never of the receiver. Only this message is redelivered.
        logger.exception("failed to process delivery", extra=_log_fields(queued.message))
        disposition = Redeliver(None)
    result.dispositions.append((queued, disposition))


async def _act_on_admission(
    result: BatchResult, batch: WebhookBatch, queued: QueuedDelivery, decision: admission.Admission
) -> Disposition:
    match decision:
        case admission.MoveToSlowLane():
            return Move()
        case admission.Defer(seconds):
            return Redeliver(seconds + _random.randint(0, 2))
        case admission.Hold() | admission.WaitForSlot():
            return await asyncio.to_thread(_postpone, batch, queued, decision)
        case admission.SendNow(at):
            if at:
                await asyncio.sleep(max(at - now_ms(), 0) / 1000)
            return await _make_attempt(result, batch, queued)


def _postpone(
    batch: WebhookBatch, queued: QueuedDelivery, decision: admission.Hold | admission.WaitForSlot
) -> Disposition:
    """Make the delivery wait, in the table or in the queue."""
    now, max_attempts = now_ms(), batch.retry_policy.max_attempts

    def transition(delivery: StoredDelivery | None) -> StoredDelivery:
        if isinstance(decision, admission.WaitForSlot):
            return states.waiting_for_slot(
                delivery, queued.message, until=decision.until, now=now, max_attempts=max_attempts
            )
        return states.held(
            delivery,
            queued.message,
            reason=decision.reason,
            now=now,
            max_attempts=max_attempts,
            max_hold_ms=admission.max_hold_ms(decision.reason),
        )

    applied = _apply_transition(queued, transition)
    if isinstance(applied, Redeliver | Ack):
        return applied
    if isinstance(decision, admission.WaitForSlot):
        return Redeliver(_visibility_seconds(decision.until - now))
    if decision.reason != HELD_PAUSED:  # a pause is no sign of trouble
        metrics.add(metrics.HELD)
    return Ack()


# ── attempt ──────────────────────────────────────────────────────────────────────────────────────────


async def _make_attempt(result: BatchResult, batch: WebhookBatch, queued: QueuedDelivery) -> Disposition:
    prepared: PreparedAttempt | Disposition | None = _start_new(result, batch, queued)
    if prepared is None:
        prepared = await asyncio.to_thread(_start_claimed, result, batch, queued)
    if not isinstance(prepared, PreparedAttempt):
        return prepared
    completed = await _send(prepared)
    metrics.add(metrics.ATTEMPT_MILLISECONDS, completed.result.duration_ms, by=result.lane.name)
    if queued.is_new and prepared.message.generation == 0:
        delay = max(completed.started_at - prepared.message.id.time_ms, 0)
        metrics.add(metrics.FIRST_ATTEMPT_DELAY, delay, by=result.lane.name)
    if retry.is_success(_classify(prepared, completed, now_ms())):
        metrics.add(metrics.DELIVERED, by=result.lane.name)
        return _on_success(prepared, completed)
    return await asyncio.to_thread(_on_failure, result, prepared, completed)


def _start_new(result: BatchResult, batch: WebhookBatch, queued: QueuedDelivery) -> PreparedAttempt | None:
    """The attempt of a new delivery, without a claim; None if it needs one. In the slow lane every delivery
    is claimed: attempts take long there, so a second copy of a message is more likely to arrive during one.
    """
    body = queued.message.body or _callback_body(batch)
    if (
        result.lane is Lane.SLOW
        or not queued.is_new
        or not batch.is_active
        or body is None
        or not batch.receiver
    ):
        return None
    return PreparedAttempt(batch, queued, batch.receiver, body.encode())


def _start_claimed(
    result: BatchResult, batch: WebhookBatch, queued: QueuedDelivery
) -> PreparedAttempt | Disposition:
    """An attempt under this worker's lease, or the message's disposition if there is none."""
    message = queued.message
    # Read before the claim, so that an outage of the events table does not use up claims.
    body = message.body or _callback_body(batch) or _event_body(message)
    leased = _claim(batch, queued)
    if isinstance(leased, Redeliver | Ack):
        return leased
    if reason := webhooks.inactive_reason(batch.webhook):
        return _end_without_attempt(batch, message, leased, Status.CANCELLED, reason)
    if leased.unrecorded_claims > _MAX_LOST_CLAIMS:
        logger.error("too many lost claims", extra=_log_fields(message))
        return _fail_without_attempt(result, batch, message, leased, "internal")
    if body is None:
        event = events.get(message.workspace_id, message.event_id)
        is_erased = event is not None and event.erased_at is not None
        reason = EVENT_ERASED if is_erased else "event_expired"
        return _fail_without_attempt(result, batch, message, leased, reason)
    if batch.receiver is None:
        return _fail_without_attempt(result, batch, message, leased, "secret_unreadable")
    return PreparedAttempt(batch, queued, batch.receiver, body.encode(), leased)


def _callback_body(batch: WebhookBatch) -> str | None:
    return batch.webhook.body if batch.webhook else None


def _event_body(message: DeliveryMessage) -> str | None:
    event = events.get(message.workspace_id, message.event_id)
    if event is None or event.erased_at is not None:
        return None
    return payload(event.id, event.type, event.timestamp, event.data)


def _claim(batch: WebhookBatch, queued: QueuedDelivery) -> StoredDelivery | Redeliver | Ack:
    """The delivery under this worker's lease, or the message's disposition if the delivery is not free."""
    now = now_ms()
    until = now + settings().delivery_lease_seconds * 1000
    max_attempts = batch.retry_policy.max_attempts
    return _apply_transition(
        queued,
        lambda delivery: states.claimed(
            delivery, queued.message, now=now, until=until, max_attempts=max_attempts
        ),
    )


def _apply_transition(
    queued: QueuedDelivery, transition: Callable[[StoredDelivery | None], StoredDelivery]
) -> StoredDelivery | Redeliver | Ack:
    """Store the result of a transition. Returns it, or the message's disposition if the transition is not
    possible.
    """
    delivery = queued.delivery
    for _ in range(_MAX_TRIES):
        now = now_ms()
        match states.check_message(delivery, queued.message, now):
            case states.Obsolete():
                return Ack()
            case states.Blocked(until):
                return Redeliver(_visibility_seconds(until - now))
        after = transition(delivery)
        try:
            store.write(delivery, after)
        except store.DeliveryChanged as changed:
            delivery = changed.delivery
        else:
            return after
    return Redeliver(None)


def _visibility_seconds(ms: int) -> int:
    """A wait as a visibility timeout: whole seconds, never early."""
    return max(-(-ms // 1000), 1)


def _fail_without_attempt(
    result: BatchResult, batch: WebhookBatch, message: DeliveryMessage, leased: StoredDelivery, reason: str
) -> Ack:
    metrics.add(metrics.FAILED, by=result.lane.name)
    return _end_without_attempt(batch, message, leased, Status.FAILED, reason)


def _end_without_attempt(
    batch: WebhookBatch, message: DeliveryMessage, leased: StoredDelivery, status: Status, reason: str
) -> Ack:
    if status is Status.FAILED:
        outcome.on_failed_without_attempt(batch, message, reason, now_ms())
    store.write(leased, states.ended(leased, status=status, reason=reason, attempted=False, now=now_ms()))
    logger.info("delivery ended", status=status, reason=reason, extra=_log_fields(message))
    return Ack()


async def _send(prepared: PreparedAttempt) -> CompletedAttempt:
    """Make one request. If it is slow, tell other workers."""
    loop = asyncio.get_running_loop()
    slow_marks: list[asyncio.Future[None]] = []
    timer = loop.call_later(
        SLOW_AFTER_SECONDS, lambda: slow_marks.append(loop.run_in_executor(None, _on_slow, prepared))
    )
    try:
        return await attempt.send(
            prepared.receiver,
            prepared.message.id,
            prepared.body,
            number=prepared.number,
            trigger=(prepared.leased.trigger if prepared.leased else None) or "AUTO",
        )
    finally:
        timer.cancel()
        for mark in slow_marks:
            await mark


def _on_slow(prepared: PreparedAttempt) -> None:
    """Claim a new delivery, so that a copy of its message waits, and mark the receiver as slow."""
    try:
        if prepared.leased is None:
            leased = _claim(prepared.batch, prepared.queued)
            prepared.leased = leased if isinstance(leased, StoredDelivery) else None
        outcome.mark_slow(prepared.batch)
    except Exception:
        # The attempt continues, and its result is recorded anyway.
        logger.exception("failed to mark receiver as slow", extra=_log_fields(prepared.message))


# ── record ───────────────────────────────────────────────────────────────────────────────────────────


def _classify(prepared: PreparedAttempt, completed: CompletedAttempt, now: int) -> retry.Outcome:
    result = completed.result
    return webhooks.with_receiver_message(
        prepared.batch.webhook, result.outcome(from_ms(now)), result.response_body
    )


def _on_success(prepared: PreparedAttempt, completed: CompletedAttempt) -> RecordSuccess:
    batch, message, now = prepared.batch, prepared.message, now_ms()
    batch.timed_out.append(False)
    batch.last_success_at = max(batch.last_success_at, now)
    if sampled(message.correlation_id):
        _log_attempt(prepared, completed, _DECISIONS[retry.Delivered])
    is_counted_by_roll_up = prepared.number == 1 and counters.is_counted_by_roll_up(message.id.time_ms, now)
    if not is_counted_by_roll_up:
        batch.counts.add(
            now, completed.result.duration_ms, event_type=message.event_type, reason=None, ended=True
        )
    return RecordSuccess(
        states.delivered(
            prepared.leased,
            message,
            completed.to_stored(prepared.receiver.headers),
            counted=not is_counted_by_roll_up,
            now=now,
            max_attempts=batch.retry_policy.max_attempts,
        )
    )


def _on_failure(result: BatchResult, prepared: PreparedAttempt, completed: CompletedAttempt) -> Disposition:
    batch, message, now = prepared.batch, prepared.message, now_ms()
    leased = prepared.leased or _claim(batch, prepared.queued)
    if isinstance(leased, Redeliver | Ack):
        return leased  # another worker had a copy of the message, and its record counts
    prepared.leased = leased
    attempt_outcome = _classify(prepared, completed, now)
    not_registered_since = None
    if attempt_outcome.message is retry.ReceiverMessage.NOT_REGISTERED:
        not_registered_since = prepared.not_registered_at or now
    plan = retry.plan(
        attempt_outcome,
        prepared.number - (leased.earlier_attempts or 0),
        batch.retry_policy,
        not_registered_seconds=0 if not_registered_since is None else (now - not_registered_since) // 1000,
    )
    _count_failure(result, prepared, completed, attempt_outcome, plan, now)
    failed_attempt = completed.to_stored(prepared.receiver.headers)._replace(number=prepared.number)
    match plan:
        case retry.Retry(delay_seconds, reason):
            is_parked = _should_park(result.queue_url, delay_seconds)
            after = states.retrying(
                leased,
                reason=reason,
                at=now + delay_seconds * 1000,
                is_parked=is_parked,
                not_registered_since=not_registered_since,
                now=now,
            )
            store.write(leased, after, failed_attempt)
            batch.has_queued_retries |= not is_parked
            return Ack() if is_parked else Redeliver(delay_seconds)
        case retry.Fail(reason) | retry.DisableWebhook(reason):
            # Before the record, because these effects must not be lost. If the worker dies in between, the
            # delivery is sent again, or CANCELLED.
            if completed.trigger != "MANUAL":
                outcome.on_failed(
                    batch,
                    message,
                    reason,
                    now,
                    completed.started_at,
                    # The end of the webhook is announced instead, if it is not a subscription.
                    is_announced=isinstance(plan, retry.Fail),
                )
            if isinstance(plan, retry.DisableWebhook):
                outcome.on_gone(batch, message, reason, completed.started_at)
            after = states.ended(leased, status=Status.FAILED, reason=reason, attempted=True, now=now)
            store.write(leased, after, failed_attempt)
    return Ack()


def _count_failure(
    worked: BatchResult,
    prepared: PreparedAttempt,
    completed: CompletedAttempt,
    attempt_outcome: retry.Outcome,
    plan: retry.Plan,
    now: int,
) -> None:
    batch, result, decision = prepared.batch, completed.result, _DECISIONS[type(plan)]
    _log_attempt(prepared, completed, decision)
    batch.timed_out.append(result.error_kind is retry.ErrorKind.TIMEOUT)
    has_ended = not isinstance(plan, retry.Retry)
    metrics.add(metrics.FAILED if has_ended else metrics.RETRIED, by=worked.lane.name)
    batch.counts.add(
        now,
        result.duration_ms,
        event_type=prepared.message.event_type,
        reason=attempt_outcome.reason,
        ended=has_ended,
    )


def _log_attempt(prepared: PreparedAttempt, completed: CompletedAttempt, decision: str) -> None:
    logger.info(
        "attempt",
        outcome=decision,
        number=prepared.number,
        status_code=completed.result.status_code,
        error=completed.result.error_kind,
        ms=completed.result.duration_ms,
        extra=_log_fields(prepared.message),
    )


def _should_park(queue_url: str, delay_seconds: int) -> bool:
    """Whether a retry waits in the table. In the queue, it would be in flight for the whole delay."""
    if delay_seconds > settings().max_visibility_wait_seconds:
        return True
    return delay_seconds > _MAX_CROWDED_WAIT_SECONDS and _has_many_in_flight(queue_url)


def _has_many_in_flight(queue_url: str) -> bool:
    """Whether more than half of the messages that SQS allows are in flight. Asks SQS once a minute. True if
    the call fails, so that an attempt is recorded anyway.
    """
    return _had_many_in_flight(queue_url, now_ms() // 60_000)


@lru_cache(maxsize=2)
def _had_many_in_flight(queue_url: str, minute: int) -> bool:
    # `minute` is only a part of the cache key: a count is valid until the minute ends.
    try:
        return queues.in_flight(queue_url) > _MANY_IN_FLIGHT
    except aws.CallFailed:
        logger.exception("failed to count messages in flight")
        return True


def _log_fields(message: DeliveryMessage) -> dict[str, str]:
    return {
        "correlation_id": message.correlation_id,
        "delivery_id": message.id,
        "event_id": message.event_id,
        "webhook_id": message.webhook_id,
        "workspace": message.workspace_id,
    }
