"""Sending to SQS within its limits: 10 entries and 1 MiB a batch, each entry with an answer of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from patchbay import aws, compact_json
from patchbay.observability import logger

# SQS quotas: SendMessageBatch takes 10 messages, and 1 MiB in all.
MAX_ENTRIES = 10
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """A body as JSON text; `group` is the MessageGroupId, by which a standard queue is kept fair."""

    body: str
    group: str

    @classmethod
    def of(cls, value: Any, group: str) -> Message:
        text = compact_json.dumps(value)
        # The two characters of JSON text that SQS does not take.
        return cls(text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff"), group)


class BatchSendFailed(Exception):
    """SQS took some messages and not others; `messages` are those it did not take."""

    def __init__(self, messages: list[Message], reasons: set[str]) -> None:
        super().__init__(f"{len(messages)} messages were not sent: {', '.join(sorted(reasons))}")
        self.messages = messages


def send(queue_url: str, message: Message) -> None:
    """One message, one call."""
    call = {"QueueUrl": queue_url, "MessageBody": message.body, "MessageGroupId": message.group}
    aws.call("sqs", "SendMessage", call)


def send_all(queue_url: str, messages: Iterable[Message]) -> None:
    """All messages in as few calls as the limits allow. Entries that SQS refuses for a passing reason are
    sent once more. Raises BatchSendFailed; what was taken stays sent.
    """
    refused, _ = _send_chunks(queue_url, messages)
    refused, reasons = _send_chunks(queue_url, refused)
    if refused:
        raise BatchSendFailed(refused, reasons)


def in_flight(queue_url: str) -> int:
    """About how many messages are received and not deleted, those that wait invisibly included."""
    wanted = {"QueueUrl": queue_url, "AttributeNames": ["ApproximateNumberOfMessagesNotVisible"]}
    answer = aws.call("sqs", "GetQueueAttributes", wanted)
    return int(answer["Attributes"]["ApproximateNumberOfMessagesNotVisible"])


def change_visibility(queue_url: str, receipts: Sequence[tuple[str, int]]) -> None:
    """Make received messages (receipt handle, seconds) visible again after so many seconds, 10 a call. If SQS
    refuses one, it becomes visible after the queue's own visibility timeout.
    """
    for start in range(0, len(receipts), MAX_ENTRIES):
        entries = [
            {"Id": str(at), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for at, (handle, seconds) in enumerate(receipts[start : start + MAX_ENTRIES])
        ]
        call = {"QueueUrl": queue_url, "Entries": entries}
        answer = aws.call("sqs", "ChangeMessageVisibilityBatch", call)
        if failed := answer.get("Failed"):
            logger.warning("visibility not changed", reasons=sorted({each["Code"] for each in failed}))


def batch_response(again: Iterable[str]) -> dict[str, Any]:
    """A worker's answer: the messages that must come again (ReportBatchItemFailures)."""
    return {"batchItemFailures": [{"itemIdentifier": id} for id in again]}


def move_to_dlq(dlq_url: str, record: Mapping[str, Any]) -> bool:
    """Move a message that nobody can read to the dead-letter queue, as it came; whether that worked.

    It would come back unread a thousand times before SQS moves it by itself.
    """
    try:
        aws.call("sqs", "SendMessage", {"QueueUrl": dlq_url, "MessageBody": record["body"]})
    except aws.CallFailed:
        logger.exception("unreadable message not moved", message_id=record["messageId"])
        return False
    logger.error("unreadable message moved to the dead-letter queue", message_id=record["messageId"])
    return True


def _send_chunks(queue_url: str, messages: Iterable[Message]) -> tuple[list[Message], set[str]]:
    refused: list[Message] = []
    reasons: set[str] = set()
    for chunk in _chunks(messages):
        entries = [
            {"Id": str(at), "MessageBody": message.body, "MessageGroupId": message.group}
            for at, message in enumerate(chunk)
        ]
        answer = aws.call("sqs", "SendMessageBatch", {"QueueUrl": queue_url, "Entries": entries})
        for failure in answer.get("Failed", ()):
            refused.append(chunk[int(failure["Id"])])
            reasons.add(failure["Code"])
    return refused, reasons


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
