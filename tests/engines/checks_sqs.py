"""Rules that AWS documents for SQS and Patchbay relies on: one function per rule, given a client."""

from __future__ import annotations

import json
import time
import uuid
from types import FunctionType
from typing import Any

import pytest
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def queue(sqs: Any, **attributes: str) -> str:
    return str(sqs.create_queue(QueueName=uuid.uuid4().hex, Attributes=attributes)["QueueUrl"])


def arn(sqs: Any, url: str) -> str:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return str(attributes["QueueArn"])


def receive(sqs: Any, url: str, **options: Any) -> list[dict[str, Any]]:
    return list(sqs.receive_message(QueueUrl=url, **options).get("Messages", []))


def refused(code: str, call: Any, **options: Any) -> None:
    with pytest.raises(ClientError) as refusal:
        call(**options)
    found = refusal.value.response["Error"]["Code"].removeprefix("AWS.SimpleQueueService.")
    assert found == code, refusal.value


def entries(count: int, size: int = 1) -> list[dict[str, str]]:
    return [{"Id": str(n), "MessageBody": "x" * size} for n in range(count)]


def received_message_is_invisible_for_its_timeout(sqs: Any) -> None:
    """A received message comes back after its visibility timeout, and not before"""
    url = queue(sqs, VisibilityTimeout="2")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (first,) = receive(sqs, url)
    assert not receive(sqs, url)
    time.sleep(2.2)
    (again,) = receive(sqs, url, MessageSystemAttributeNames=["ApproximateReceiveCount"])
    assert again["MessageId"] == first["MessageId"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


def visibility_of_zero_redelivers_at_once(sqs: Any) -> None:
    """`ChangeMessageVisibility` with 0 makes a message visible at once"""
    url = queue(sqs, VisibilityTimeout="30")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = receive(sqs, url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert receive(sqs, url)


def long_poll_ends_when_a_message_becomes_visible(sqs: Any) -> None:
    """A long poll returns a delayed message as soon as its delay ends"""
    url = queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=1)
    assert not receive(sqs, url)
    started = time.monotonic()
    assert receive(sqs, url, WaitTimeSeconds=10)
    assert 0.5 < time.monotonic() - started < 5


def delay_has_15_minutes(sqs: Any) -> None:
    """A delay of more than 900 s is refused"""
    url = queue(sqs)
    refused("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x", DelaySeconds=901)


def invalid_entry_fails_alone(sqs: Any) -> None:
    """An invalid entry of a batch fails alone, and is in `Failed`"""
    url = queue(sqs)
    batch = [*entries(1), {"Id": "late", "MessageBody": "x", "DelaySeconds": 901}]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=batch)
    assert [each["Id"] for each in answer["Successful"]] == ["0"]
    assert [each["Id"] for each in answer["Failed"]] == ["late"]


def visibility_has_12_hours(sqs: Any) -> None:
    """A visibility timeout of more than 43,200 s is refused"""
    url = queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = receive(sqs, url)
    change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    refused("InvalidParameterValue", sqs.change_message_visibility, VisibilityTimeout=43_201, **change)


def visibility_has_12_hours_since_the_receipt(sqs: Any) -> None:
    """A visibility timeout that ends more than 12 hours after the receipt is refused"""
    url = queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = receive(sqs, url)
    time.sleep(1.5)
    change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    refused("InvalidParameterValue", sqs.change_message_visibility, VisibilityTimeout=43_200, **change)


def batch_has_ten_entries(sqs: Any) -> None:
    """A batch of 11 entries is refused"""
    url = queue(sqs)
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries(10))["Successful"]) == 10
    refused("TooManyEntriesInBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=entries(11))


def empty_batch_is_refused(sqs: Any) -> None:
    """A batch without entries is refused"""
    refused("EmptyBatchRequest", sqs.send_message_batch, QueueUrl=queue(sqs), Entries=[])


def ids_of_a_batch_are_distinct(sqs: Any) -> None:
    """A batch with an ID twice is refused"""
    refused("BatchEntryIdsNotDistinct", sqs.send_message_batch, QueueUrl=queue(sqs), Entries=2 * entries(1))


def batch_has_a_mebibyte(sqs: Any) -> None:
    """A batch of more than 1 MiB is refused with `BatchRequestTooLong`"""
    url = queue(sqs, MaximumMessageSize=str(MIB))
    refused("BatchRequestTooLong", sqs.send_message_batch, QueueUrl=url, Entries=entries(4, 300_000))


def message_has_a_mebibyte(sqs: Any) -> None:
    """A message may have 1 MiB, and no more"""
    url = queue(sqs, MaximumMessageSize=str(MIB))
    assert sqs.send_message(QueueUrl=url, MessageBody="x" * MIB)["MessageId"]
    refused("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x" * (MIB + 1))


def control_characters_are_refused(sqs: Any) -> None:
    """A character that XML 1.0 does not have is refused with `InvalidMessageContents`"""
    refused("InvalidMessageContents", sqs.send_message, QueueUrl=queue(sqs), MessageBody="a\x01b")


def message_keeps_its_attributes_and_group(sqs: Any) -> None:
    """A message of a standard queue keeps its attributes and its group"""
    url = queue(sqs)
    attributes = {"lane": {"DataType": "String", "StringValue": "slow"}}
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes, MessageGroupId="acme")
    wanted = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
    (message,) = receive(sqs, url, **wanted)
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["MessageGroupId"] == "acme"


def message_moves_to_the_dead_letter_queue(sqs: Any) -> None:
    """After `maxReceiveCount` receipts, a message moves to the dead-letter queue, which knows the source"""
    dead = queue(sqs)
    redrive = {"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 2}
    url = queue(sqs, VisibilityTimeout="0", RedrivePolicy=json.dumps(redrive))
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert [len(receive(sqs, url)) for _ in range(3)] == [1, 1, 0]
    (message,) = receive(sqs, dead, MessageSystemAttributeNames=["All"], WaitTimeSeconds=1)
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, url)


def move_task_returns_dead_letters(sqs: Any) -> None:
    """`StartMessageMoveTask` moves dead letters to a queue that is named"""
    dead, url = queue(sqs), queue(sqs)
    redrive = {"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 2}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(redrive)})
    sqs.send_message(QueueUrl=dead, MessageBody="x")
    sqs.start_message_move_task(SourceArn=arn(sqs, dead), DestinationArn=arn(sqs, url))
    assert receive(sqs, url, WaitTimeSeconds=2)


def redrive_allow_policy_is_an_attribute(sqs: Any) -> None:
    """A queue takes the attribute `RedriveAllowPolicy`"""
    policy = json.dumps({"redrivePermission": "denyAll"})
    sqs.set_queue_attributes(QueueUrl=queue(sqs), Attributes={"RedriveAllowPolicy": policy})


def encryption_is_an_attribute(sqs: Any) -> None:
    """A queue takes the attribute `SqsManagedSseEnabled`"""
    sqs.set_queue_attributes(QueueUrl=queue(sqs), Attributes={"SqsManagedSseEnabled": "true"})


def old_receipt_handle_deletes_without_an_error(sqs: Any) -> None:
    """`DeleteMessage` with the handle of an earlier receipt is no error"""
    url = queue(sqs, VisibilityTimeout="0")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (first,) = receive(sqs, url)
    assert receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])


def receive_takes_ten_messages(sqs: Any) -> None:
    """`ReceiveMessage` for more than 10 messages is refused"""
    refused("InvalidParameterValue", sqs.receive_message, QueueUrl=queue(sqs), MaxNumberOfMessages=11)


def receive_waits_20_seconds(sqs: Any) -> None:
    """`ReceiveMessage` with a wait of more than 20 s is refused"""
    url = queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="x")  # so an engine that accepts the wait returns immediately
    refused("InvalidParameterValue", sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)


def purges_are_a_minute_apart(sqs: Any) -> None:
    """A second `PurgeQueue` within 60 s is refused"""
    url = queue(sqs)
    sqs.purge_queue(QueueUrl=url)
    refused("PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)


def empty_queue_returns_no_messages_member(sqs: Any) -> None:
    """The response of an empty queue has no `Messages`"""
    assert "Messages" not in sqs.receive_message(QueueUrl=queue(sqs))


def unknown_queue_has_its_code(sqs: Any) -> None:
    """A queue that does not exist is `QueueDoesNotExist`"""
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=queue(sqs) + "-not", MessageBody="x")


HELPERS = {"queue", "arn", "receive", "refused", "entries"}
CHECKS = [each for each in list(globals().values()) if isinstance(each, FunctionType)]
CHECKS = [each for each in CHECKS if each.__module__ == __name__ and each.__name__ not in HELPERS]
