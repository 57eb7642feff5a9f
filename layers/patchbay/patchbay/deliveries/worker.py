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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from patchbay import dynamo, queues, vault
from patchbay.aws import client
from patchbay.deliveries import store
from patchbay.deliveries.models import TERMINAL, DeliveryMessage, Status
from patchbay.events import store as events
from patchbay.events.models import payload
from patchbay.observability import flush_metrics, logger, metrics
from patchbay.schema import MASK, now_ms
from patchbay.settings import settings
from patchbay.version import USER_AGENT
from patchbay.webhooks import retry, signing
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.sender import Sender, SendResult
from patchbay.webhooks.store import get_many as webhook_rows

# Claims that left no record: a delivery that kills its worker each time must end.
_MAX_LOST_CLAIMS = 10
_SUCCESS_BODY_CHARACTERS = 1024
_SHORTEST_SECRET = 8
# A batch of 10: its AWS calls and its name look-ups.
_THREADS = 20


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
    url: str
    body: bytes
    secrets: Sequence[str]
    headers: Mapping[str, str]
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
        again += _runner().run(_deliver_all(works)) if works else []
    except Exception:
        # AWS's fault. Raising would make Lambda work fewer batches at a time, for every receiver.
        logger.exception("batch not worked")
        again += [work.message_id for work in works]
    flush_metrics()
    return again


@cache
def _runner() -> asyncio.Runner:
    """One event loop per process: connections to receivers are kept between invocations."""
    return asyncio.Runner()


@cache
def _sender() -> Sender:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    config = settings()
    return Sender(https_only=config.https_only, allow_loopback=config.patchbay_allow_loopback_targets)


async def _deliver_all(works: Sequence[Work]) -> list[str]:
    sender = _sender()
    rows = await asyncio.to_thread(
        webhook_rows,
        [(work.delivery.workspace_id, work.delivery.webhook_id) for work in works],
    )
    verdicts = await asyncio.gather(
        *(
            _deliver(sender, work, rows.get((work.delivery.workspace_id, work.delivery.webhook_id)))
            for work in works
        )
    )
    return [
        work.message_id
        for work, verdict in zip(works, verdicts, strict=True)
        if isinstance(verdict, ComeBack)
    ]


async def _deliver(sender: Sender, work: Work, webhook: dynamo.Row | None) -> Verdict:
    try:
        claimed = await asyncio.to_thread(_claim, work, webhook)
        if isinstance(claimed, Claimed):
            headers, started, result = await _attempt(sender, claimed)
            verdict = await asyncio.to_thread(_record, claimed, headers, started, result)
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
    opened = _opened(webhook) if webhook else None
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
    if opened is None:
        return _end(delivery, owner, Status.FAILED, "secret_unreadable")
    return Claimed(
        work=work,
        owner=owner,
        number=row["attempts"] + 1,
        url=webhook["url"],
        body=body.encode(),
        secrets=opened[0],
        headers=opened[1],
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


def _opened(webhook: dynamo.Row) -> tuple[Sequence[str], Mapping[str, str]] | None:
    """The webhook's secrets and headers in the clear; None when what is stored does not open."""
    try:
        return webhooks.secrets(webhook), webhooks.headers(webhook)
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


# ── send ─────────────────────────────────────────────────────────────────────────────────────────────


async def _attempt(sender: Sender, claimed: Claimed) -> tuple[dict[str, str], datetime, SendResult]:
    """One signed request. The id stays the same over all attempts, time and signature are fresh."""
    delivery = claimed.work.delivery
    started = datetime.now(UTC)
    timestamp = int(started.timestamp())
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": delivery.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.sign(claimed.secrets, delivery.id, timestamp, claimed.body),
    }
    result = await sender.send(
        claimed.url,
        [*headers.items(), *claimed.headers.items()],
        claimed.body,
        total_timeout=settings().attempt_timeout_seconds,
    )
    return headers, started, result


# ── record ───────────────────────────────────────────────────────────────────────────────────────────


def _record(claimed: Claimed, headers: dict[str, str], started: datetime, result: SendResult) -> Verdict:
    delivery, now = claimed.work.delivery, now_ms()
    plan = retry.plan(result.outcome(datetime.now(UTC)), claimed.number, claimed.retry_config)
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
    attempt = _attempt_row(claimed, headers, started, result)
    match plan:
        case retry.Delivered():
            store.delivered(delivery, claimed.owner, _shortened(attempt), now)
            return Done()
        case retry.Retry(delay_seconds, reason):
            parked = delay_seconds > settings().max_visibility_wait_seconds
            store.retrying(
                delivery,
                claimed.owner,
                attempt,
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
            store.ended(delivery, claimed.owner, attempt, status=Status.FAILED, reason=reason, now=now)
            return Done()


def _attempt_row(
    claimed: Claimed, headers: dict[str, str], started: datetime, result: SendResult
) -> dynamo.Row:
    received: dict[str, str] = {}
    for name, value in result.response_headers:
        received[name] = f"{received[name]}, {value}" if name in received else value
    return {
        "number": claimed.number,
        "trigger": "AUTO",
        "startedAt": int(started.timestamp() * 1000),
        "durationMs": result.duration_ms,
        "statusCode": result.status_code,
        "error": result.error,
        "requestHeaders": {**headers, **dict.fromkeys(claimed.headers, MASK)},
        "responseHeaders": {name: _masked(value, claimed.headers) for name, value in received.items()},
        "responseBody": _masked(result.response_body, claimed.headers),
        "truncated": result.truncated,
    }


def _masked(text: str, headers: Mapping[str, str]) -> str:
    """`text` of a receiver without our headers' values, which some echo. Short ones are no secrets, and
    would tear the text to pieces.
    """
    for value in headers.values():
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, MASK)
    return text


def _shortened(attempt: dynamo.Row) -> dynamo.Row:
    """Of a success the start of the body is enough: each further KB would be a write unit more."""
    body: str = attempt["responseBody"]
    short = body[:_SUCCESS_BODY_CHARACTERS]
    return {**attempt, "responseBody": short, "truncated": attempt["truncated"] or short != body}


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
