"""SQS: sends within its limits (10 messages and 1 MiB per batch), with a result for each message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from patchbay import aws, compact_json, metrics
from patchbay.observability import logger

# SQS quotas of SendMessageBatch: 10 messages, 1 MiB in total.
MAX_ENTRIES = 10
# SQS's limit of DelaySeconds.
MAX_DELAY_SECONDS = 900
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """A body as JSON text. `group` is the MessageGroupId, which a standard queue uses for fairness."""

    body: str
    group: str

    @classmethod
    def from_value(cls, value: object, group: str) -> Message:
        """A message with `value` as JSON."""
        text = compact_json.dumps(value)
        # SQS rejects these two characters, which JSON allows.
        return cls(text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff"), group)


class BatchItemFailure(TypedDict):
    itemIdentifier: str


class BatchResponse(TypedDict):
    """A worker's response to Lambda (ReportBatchItemFailures)."""

    batchItemFailures: list[BatchItemFailure]


class BatchSendFailed(Exception):
    """SQS rejected some messages of a batch: `messages`."""

    def __init__(self, messages: list[Message], reasons: set[str]) -> None:
        super().__init__(f"{len(messages)} messages were not sent: {', '.join(sorted(reasons))}")
        self.messages = messages


def send(queue_url: str, message: Message, *, delay_seconds: int = 0) -> None:
    """Send one message in one call. It can be received after `delay_seconds`, at most MAX_DELAY_SECONDS."""
    params: dict[str, Any] = {
        "QueueUrl": queue_url,
        "MessageBody": message.body,
        "MessageGroupId": message.group,
    }
    if delay_seconds:
        params["DelaySeconds"] = delay_seconds
    aws.call("sqs", "SendMessage", params)


def send_all(queue_url: str, messages: Iterable[Message]) -> None:
    """Send messages in as few calls as the limits allow. Sends those that SQS rejects once more. Raises
    BatchSendFailed; the other messages are sent.
    """
    rejected, _ = _send_chunks(queue_url, messages)
    rejected, reasons = _send_chunks(queue_url, rejected)
    if rejected:
        raise BatchSendFailed(rejected, reasons)


def in_flight(queue_url: str) -> int:
    """The approximate number of messages that were received and not deleted, including those that wait for
    their visibility timeout.
    """
    attribute = "ApproximateNumberOfMessagesNotVisible"
    response = aws.call("sqs", "GetQueueAttributes", {"QueueUrl": queue_url, "AttributeNames": [attribute]})
    return int(response["Attributes"][attribute])


def change_visibility(queue_url: str, receipts: Sequence[tuple[str, int]]) -> None:
    """Make received messages visible again: (receipt handle, seconds from now), 10 per call. Those that SQS
    rejects, or all if AWS fails, become visible after the queue's own visibility timeout instead.
    """
    try:
        _change_visibility(queue_url, receipts)
    except aws.CallFailed:
        logger.exception("failed to change message visibility", count=len(receipts))


def _change_visibility(queue_url: str, receipts: Sequence[tuple[str, int]]) -> None:
    for start in range(0, len(receipts), MAX_ENTRIES):
        entries = [
            {"Id": str(position), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for position, (handle, seconds) in enumerate(receipts[start : start + MAX_ENTRIES])
        ]
        params = {"QueueUrl": queue_url, "Entries": entries}
        response = aws.call("sqs", "ChangeMessageVisibilityBatch", params)
        if failures := response.get("Failed"):
            reasons = sorted({failure["Code"] for failure in failures})
            logger.warning("failed to change message visibility", reasons=reasons)


def batch_response(failed: Iterable[str]) -> BatchResponse:
    """A worker's response: the IDs of the messages that SQS must redeliver."""
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def move_to_dlq(dlq_url: str, record: Mapping[str, Any]) -> bool:
    """Move a message that cannot be parsed to the dead-letter queue, unchanged. Return whether that
    succeeded.

    Otherwise, SQS would redeliver it a thousand times before moving it itself.
    """
    try:
        aws.call("sqs", "SendMessage", {"QueueUrl": dlq_url, "MessageBody": record["body"]})
    except aws.CallFailed:
        logger.exception("failed to move unreadable message", message_id=record["messageId"])
        return False
    metrics.add(metrics.MESSAGES_SET_ASIDE)
    logger.error("unreadable message moved to the dead-letter queue", message_id=record["messageId"])
    return True


def _send_chunks(queue_url: str, messages: Iterable[Message]) -> tuple[list[Message], set[str]]:
    """Send messages in batches. Return the rejected ones, and the reasons."""
    rejected: list[Message] = []
    reasons: set[str] = set()
    for chunk in _chunks(messages):
        entries = [
            {"Id": str(position), "MessageBody": message.body, "MessageGroupId": message.group}
            for position, message in enumerate(chunk)
        ]
        response = aws.call("sqs", "SendMessageBatch", {"QueueUrl": queue_url, "Entries": entries})
        for failure in response.get("Failed", ()):
            rejected.append(chunk[int(failure["Id"])])
            reasons.add(failure["Code"])
    return rejected, reasons


def _chunks(messages: Iterable[Message]) -> Iterator[list[Message]]:
    chunk: list[Message] = []
    size = 0
    for message in messages:
        length = len(message.body.encode())
        if chunk and (len(chunk) == MAX_ENTRIES or size + length > _MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(message)
        size += length
    if chunk:
        yield chunk
