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
from typing import Any

from patchbay import dynamo, queues, vault
from patchbay.aws import client
from patchbay.deliveries import attempt, store
from patchbay.deliveries.attempt import Attempt, Receiver
from patchbay.deliveries.models import TERMINAL, DeliveryMessage, Status
from patchbay.events import store as events
from patchbay.events.models import payload
from patchbay.observability import flush_metrics, logger, metrics
from patchbay.schema import at_ms, now_ms
from patchbay.settings import settings
from patchbay.webhooks import retry
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.store import get_many as webhook_rows

# Claims that left no record: a delivery that kills its worker each time must end.
_MAX_LOST_CLAIMS = 10


@dataclass(frozen=True, slots=True)
class Work:
    """A message of the queue and its receipt."""

    message_id: str
    receipt_handle: str
    delivery: DeliveryMessage


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery under our lease, with what one attempt needs."""

    work: Work
    owner: str
    number: int
    receiver: Receiver
    body: bytes
    retry_config: retry.RetryConfig


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
        works.append(Work(record["messageId"], record["receiptHandle"], delivery))
    try:
        again += attempt.runner().run(_deliver_all(works)) if works else []
    except Exception:
        # AWS's fault. Raising would make Lambda work fewer batches at a time, for every receiver.
        logger.exception("batch not worked")
        again += [work.message_id for work in works]
    flush_metrics()
    return again


async def _deliver_all(works: Sequence[Work]) -> list[str]:
    rows = await asyncio.to_thread(
        webhook_rows,
        [(work.delivery.workspace_id, work.delivery.webhook_id) for work in works],
    )
    verdicts = await asyncio.gather(
        *(_deliver(work, rows.get((work.delivery.workspace_id, work.delivery.webhook_id))) for work in works)
    )
    return [
        work.message_id
        for work, verdict in zip(works, verdicts, strict=True)
        if isinstance(verdict, ComeBack)
    ]


async def _deliver(work: Work, webhook: dynamo.Row | None) -> Verdict:
    try:
        claimed = await asyncio.to_thread(_claim, work, webhook)
        if isinstance(claimed, Claimed):
            made = await attempt.make(claimed.receiver, work.delivery.id, claimed.body, number=claimed.number)
            verdict = await asyncio.to_thread(_record, claimed, made)
        else:
            verdict = claimed
        if isinstance(verdict, ComeBack) and verdict.seconds is not None:
            await asyncio.to_thread(_hide, work, verdict.seconds)
    except Exception:
        # Our own fault or AWS's, never the receiver's: this message comes back, the others go on.
        logger.exception("delivery not worked", extra=_names(work.delivery))
        return ComeBack(None)
    return verdict


# ── claim ────────────────────────────────────────────────────────────────────────────────────────────


def _claim(work: Work, webhook: dynamo.Row | None) -> Claimed | Verdict:
    delivery, owner, now = work.delivery, secrets.token_hex(8), now_ms()
    config = webhooks.retry_config(webhook).plan() if webhook else retry.RetryConfig()
    # Before the claim: while KMS or the events table cannot be reached, no claims are used up.
    body = delivery.body or _stored_body(delivery)
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

    if webhook is None or webhook["status"] != "ACTIVE":
        reason = f"webhook_{webhook['status'].lower()}" if webhook else "webhook_deleted"
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
        receiver=receiver,
        body=body.encode(),
        retry_config=config,
    )


def _not_ours(delivery: DeliveryMessage, row: dynamo.Row | None, now: int) -> Verdict:
    """What becomes of a message whose delivery cannot be claimed."""
    if row is None:
        return ComeBack(None)  # gone between the refused write and its answer
    if row["status"] in TERMINAL or row["generation"] > delivery.generation:
        return Done()
    free_at = row["leaseUntil"] if row["status"] == Status.SENDING else row["nextAttemptAt"]
    return ComeBack(max(-(-(free_at - now) // 1000), 1))


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


def _record(claimed: Claimed, made: Attempt) -> Verdict:
    delivery, result, now = claimed.work.delivery, made.result, now_ms()
    plan = retry.plan(result.outcome(at_ms(now)), claimed.number, claimed.retry_config)
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
    row = made.row(claimed.receiver.headers)
    match plan:
        case retry.Delivered():
            store.delivered(delivery, claimed.owner, attempt.shortened(row), now)
            return Done()
        case retry.Retry(delay_seconds, reason):
            parked = delay_seconds > settings().max_visibility_wait_seconds
            store.retrying(
                delivery,
                claimed.owner,
                row,
                reason=reason,
                next_attempt_at=now + delay_seconds * 1000,
                parked=parked,
                now=now,
            )
            return Done() if parked else ComeBack(delay_seconds)
        case retry.GiveUp(reason) | retry.DisableWebhook(reason):
            if isinstance(plan, retry.DisableWebhook):
                # First, for it is what may not be lost; a delivery cut down here ends CANCELLED.
                webhooks.disable(delivery.workspace_id, delivery.webhook_id, reason)
            store.ended(delivery, claimed.owner, row, status=Status.FAILED, reason=reason, now=now)
            return Done()


def _hide(work: Work, seconds: int) -> None:
    """The message's visibility timeout: how a retry waits."""
    client("sqs").change_message_visibility(
        QueueUrl=settings().deliveries_queue_url,
        ReceiptHandle=work.receipt_handle,
        VisibilityTimeout=seconds,
    )


def _names(delivery: DeliveryMessage) -> dict[str, str]:
    return {
        "correlation_id": delivery.correlation_id,
        "delivery_id": delivery.id,
        "event_id": delivery.event_id,
        "webhook_id": delivery.webhook_id,
        "workspace": delivery.workspace_id,
    }
