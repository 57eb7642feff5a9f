"""The delivery worker: claim → send → record, for a batch of messages at once.

Nothing a receiver does is an error here (errors would make Lambda slow all receivers down); our own
faults leave the message where it is, and it comes back. Where a process may die:
    before the claim        the message comes back, and is claimed
    after the claim         the message comes back, and waits for the lease to end
    after the answer        as above: the one case in which a receiver gets a delivery twice
    after the record        the message comes back; the row says what is left to do
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any

from patchbay import dynamo, queues, vault
from patchbay.deliveries import attempt, batch, gate, outcome, store
from patchbay.deliveries.attempt import Attempt, Receiver
from patchbay.deliveries.batch import Share, Work
from patchbay.deliveries.health import SLOW_AFTER_SECONDS
from patchbay.deliveries.models import TERMINAL, DeliveryMessage, Status, Trigger
from patchbay.events import store as events
from patchbay.events.models import payload
from patchbay.observability import flush_metrics, logger, metrics
from patchbay.schema import at_ms, now_ms
from patchbay.settings import settings
from patchbay.webhooks import retry
from patchbay.webhooks import service as webhooks

# SQS has 120,000 messages in flight at most. Above half of it only short waits are spent in the queue.
_CROWDED = 60_000
_CROWDED_WAIT_SECONDS = 300
# Claims that left no record: a delivery that kills its worker each time must end.
_MAX_LOST_CLAIMS = 10


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery under our lease, with what one attempt needs. `number` counts all of its attempts,
    `earlier` those before it was last retried by hand. Since `not_registered_at`, its receiver has only
    said that it does not know the hook.
    """

    work: Work
    owner: str
    number: int
    earlier: int
    trigger: Trigger
    receiver: Receiver
    body: bytes
    retry_config: retry.RetryConfig
    not_registered_at: int | None


@dataclass(frozen=True, slots=True)
class ComeBack:
    """The message is to be seen again after so many seconds; None leaves SQS's own time."""

    seconds: int | None


class Done:
    """The message has served."""


Verdict = ComeBack | Done


def deliver_batch(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Work an SQS batch; returns the ids of the messages that must come again (partial batch response)."""
    again, works = [], []
    for record in records:
        try:
            delivery = DeliveryMessage.read(record["body"])
        except ValueError:
            if not queues.set_aside(settings().deliveries_dlq_url, record):
                again.append(record["messageId"])
            continue
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        works.append(Work(record["messageId"], record["receiptHandle"], receives, delivery))
    try:
        again += attempt.runner().run(_deliver_all(works)) if works else []
    except Exception:
        # AWS's fault. Raising would make Lambda work fewer batches at a time, for every receiver.
        logger.exception("batch not worked")
        again += [work.message_id for work in works]
    flush_metrics()
    return again


async def _deliver_all(works: Sequence[Work]) -> list[str]:
    shares = await asyncio.to_thread(batch.shares, works)
    again = await asyncio.gather(*(_work(share) for share in shares))
    return [message_id for each in again for message_id in each]


async def _work(share: Share) -> list[str]:
    """One webhook's part of the batch; the ids of the messages that must come again."""
    try:
        passes = await asyncio.to_thread(gate.admit, share)
    except Exception:
        logger.exception("webhook's deliveries not admitted", webhook=share.key)
        return [work.message_id for work in share.works]
    verdicts = await asyncio.gather(*map(_deliver, repeat(share), share.works, passes))
    try:
        await asyncio.to_thread(outcome.settle, share)
    except Exception:
        # Each delivery is recorded by now; what the receiver's health lacks, the next batch will tell.
        logger.exception("webhook's health not noted", webhook=share.key)
    return [
        work.message_id
        for work, verdict in zip(share.works, verdicts, strict=True)
        if isinstance(verdict, ComeBack)
    ]


async def _deliver(share: Share, work: Work, pass_: gate.Pass) -> Verdict:
    try:
        verdict = await _follow(share, work, pass_)
        if isinstance(verdict, ComeBack) and verdict.seconds is not None:
            await asyncio.to_thread(
                queues.hide, settings().deliveries_queue_url, work.receipt_handle, verdict.seconds
            )
    except Exception:
        # Our own fault or AWS's, never the receiver's: this message comes back, the others go on.
        logger.exception("delivery not worked", extra=_names(work.delivery))
        return ComeBack(None)
    return verdict


async def _follow(share: Share, work: Work, pass_: gate.Pass) -> Verdict:
    match pass_:
        case gate.PutOff(seconds):
            return ComeBack(seconds)
        case gate.Hold() | gate.Sleep():
            return await asyncio.to_thread(_wait, share, work, pass_)
        case gate.Go(at):
            await asyncio.sleep(max(at - now_ms(), 0) / 1000)
            claimed = await asyncio.to_thread(_claim, share, work)
            if not isinstance(claimed, Claimed):
                return claimed
            made = await _attempt(share, claimed)
            return await asyncio.to_thread(_record, share, claimed, made)


def _wait(share: Share, work: Work, pass_: gate.Hold | gate.Sleep) -> Verdict:
    """Have the delivery wait, in the table or in the queue."""
    now, config = now_ms(), _retry_config(share)
    try:
        if isinstance(pass_, gate.Hold):
            store.hold(work.delivery, reason=pass_.reason, now=now, max_attempts=config.max_attempts)
            metrics().add_metric("DeliveriesHeld", "Count", 1)
            return Done()
        store.sleep(work.delivery, until=pass_.until, now=now, max_attempts=config.max_attempts)
    except dynamo.ConditionFailed as refused:
        return _not_ours(work.delivery, refused.row, now)
    return ComeBack(_seconds(pass_.until - now))


async def _attempt(share: Share, claimed: Claimed) -> Attempt:
    """One request. While it hangs, other workers are told not to begin another."""
    sending = asyncio.ensure_future(
        attempt.make(
            claimed.receiver,
            claimed.work.delivery.id,
            claimed.body,
            number=claimed.number,
            trigger=claimed.trigger,
        )
    )
    started_at = now_ms()
    if not (await asyncio.wait({sending}, timeout=SLOW_AFTER_SECONDS))[0]:
        try:
            await asyncio.to_thread(outcome.hangs, share, started_at)
        except Exception:
            logger.exception("hanging receiver not noted", webhook=share.key)
    return await sending


# ── claim ────────────────────────────────────────────────────────────────────────────────────────────


def _claim(share: Share, work: Work) -> Claimed | Verdict:
    delivery, owner, webhook, now = work.delivery, secrets.token_hex(8), share.webhook, now_ms()
    config = _retry_config(share)
    # Before the claim: while KMS or the events table cannot be reached, no claims are used up.
    body = delivery.body or (webhook or {}).get("body") or _stored_body(delivery)
    receiver = _receiver(webhook) if webhook else None
    try:
        row = store.claim(
            delivery,
            owner=owner,
            now=now,
            lease_until=now + settings().delivery_lease_seconds * 1000,
            max_attempts=config.max_attempts,
        )
    except dynamo.ConditionFailed as refused:
        return _not_ours(delivery, refused.row, now)

    if reason := webhooks.inactive_reason(webhook):
        return _end(delivery, owner, Status.CANCELLED, reason)
    if row["claims"] - row["attempts"] > _MAX_LOST_CLAIMS:
        logger.error("delivery given up: its workers die", extra=_names(delivery))
        return _end(delivery, owner, Status.FAILED, "internal")
    if body is None:
        return _end(delivery, owner, Status.FAILED, "event_expired")
    if receiver is None:
        return _end(delivery, owner, Status.FAILED, "secret_unreadable")
    return Claimed(
        work=work,
        owner=owner,
        number=row["attempts"] + 1,
        earlier=row.get("earlier", 0),
        trigger=row.get("trigger", "AUTO"),
        receiver=receiver,
        body=body.encode(),
        retry_config=config,
        not_registered_at=_not_registered_at(share, row),
    )


def _not_registered_at(share: Share, row: dynamo.Row) -> int | None:
    """None, too, if that was before the hook was last enabled, because it may be registered by now."""
    at: int | None = row.get("notRegisteredAt")
    return None if at is None or at <= share.resumed_at else at


def _not_ours(delivery: DeliveryMessage, row: dynamo.Row | None, now: int) -> Verdict:
    """What becomes of a message whose delivery cannot be claimed."""
    if row is None:
        return ComeBack(None)  # gone between the refused write and its answer
    if row["status"] in TERMINAL or row["generation"] > delivery.generation:
        return Done()
    free_at = row["leaseUntil"] if row["status"] == Status.SENDING else row["nextAttemptAt"]
    return ComeBack(_seconds(free_at - now))


def _seconds(ms: int) -> int:
    """As a visibility timeout: whole seconds, never early."""
    return max(-(-ms // 1000), 1)


def _retry_config(share: Share) -> retry.RetryConfig:
    return webhooks.retry_plan(share.webhook) if share.webhook else retry.RetryConfig()


def _receiver(webhook: dynamo.Row) -> Receiver | None:
    """None when the stored secrets do not open."""
    try:
        return Receiver.of(webhook)
    except vault.CannotOpen:
        logger.exception("secret does not open", webhook_id=webhook["sk"], workspace=webhook["workspaceId"])
        return None


def _stored_body(delivery: DeliveryMessage) -> str | None:
    event = events.get(delivery.workspace_id, delivery.event_id)
    return payload(event.id, event.type, event.timestamp, event.data) if event else None


def _end(delivery: DeliveryMessage, owner: str, status: Status, reason: str) -> Done:
    store.ended(delivery, owner, None, status=status, reason=reason, now=now_ms())
    logger.info("delivery ended", status=status, reason=reason, extra=_names(delivery))
    return Done()


# ── record ───────────────────────────────────────────────────────────────────────────────────────────


def _record(share: Share, claimed: Claimed, made: Attempt) -> Verdict:
    delivery, result, now = claimed.work.delivery, made.result, now_ms()
    met = webhooks.understood(share.webhook, result.outcome(at_ms(now)), result.response_body)
    since = (claimed.not_registered_at or now) if met.said is retry.Said.NOT_REGISTERED else None
    plan = retry.plan(
        met,
        claimed.number - claimed.earlier,
        claimed.retry_config,
        not_registered_seconds=0 if since is None else (now - since) // 1000,
    )
    logger.info(
        "attempt",
        outcome=type(plan).__name__,
        number=claimed.number,
        status_code=result.status_code,
        error=result.error_kind,
        ms=result.duration_ms,
        extra=_names(delivery),
    )
    metrics().add_metric(f"Attempt{type(plan).__name__}", "Count", 1)
    share.timed_out.append(result.error_kind is retry.ErrorKind.TIMEOUT)
    share.tally.add(
        now,
        result.duration_ms,
        reason=None if isinstance(plan, retry.Delivered) else met.reason,
        ended=not isinstance(plan, retry.Retry),
    )
    row = made.row(claimed.receiver.headers)
    match plan:
        case retry.Delivered():
            store.delivered(delivery, claimed.owner, attempt.shortened(row), now)
            return Done()
        case retry.Retry(delay_seconds, reason):
            parked = _is_parked(delay_seconds)
            store.retrying(
                delivery,
                claimed.owner,
                row,
                reason=reason,
                next_attempt_at=now + delay_seconds * 1000,
                parked=parked,
                not_registered_since=since,
                now=now,
            )
            share.queued_retries |= not parked
            return Done() if parked else ComeBack(delay_seconds)
        case retry.GiveUp(reason) | retry.DisableWebhook(reason):
            # First, for it is what may not be lost; a delivery cut down here is sent again, or CANCELLED.
            if claimed.trigger != "MANUAL":
                outcome.failed(share, delivery, now, made.started_at)
            if isinstance(plan, retry.DisableWebhook):
                outcome.gone(share, delivery, reason, made.started_at)
            store.ended(delivery, claimed.owner, row, status=Status.FAILED, reason=reason, now=now)
            return Done()


def _is_parked(delay_seconds: int) -> bool:
    """Whether a retry waits in the table. In the queue it would be in flight all the while."""
    if delay_seconds > settings().max_visibility_wait_seconds:
        return True
    return delay_seconds > _CROWDED_WAIT_SECONDS and _is_crowded(now_ms() // 60_000)


@lru_cache(maxsize=1)
def _is_crowded(minute: int) -> bool:
    """Whether half of what SQS takes is in flight; asked once a minute. If SQS does not say, yes: the record
    of an attempt must not fail for it.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return queues.in_flight(settings().deliveries_queue_url) > _CROWDED
    except (BotoCoreError, ClientError):
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
