"""The local stack's queues: event source mappings, redrive, the event bus, and the limits of SQS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.runtime import Answer
from local.sources import failures
from local.testing import RunningStack, eventually, stack

TEMPLATE = Path(__file__).parent / "fixtures/local_app/template.yaml"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with stack(tmp_path_factory.mktemp("state"), template=TEMPLATE) as running:
        yield running


@pytest.fixture(scope="module")
def sqs(running: RunningStack) -> Any:
    return running.client("sqs")


def send(sqs: Any, url: str, *bodies: str, **settings: Any) -> list[str]:
    entries = [{"Id": str(n), "MessageBody": body, **settings} for n, body in enumerate(bodies)]
    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    return [item["MessageId"] for item in sorted(sent, key=lambda item: int(item["Id"]))]


def seen(running: RunningStack, message_id: str, times: int = 1) -> dict[str, Any]:
    """Wait until the function has received the message `times` times, and return its row."""

    def row() -> Any:
        table = running.tables["SeenTable"]
        item = running.client("dynamodb").get_item(TableName=table, Key={"id": {"S": message_id}})
        return int(item.get("Item", {}).get("times", {}).get("N", 0)) >= times and item["Item"]

    item = eventually(row)
    return {
        "record": json.loads(item["record"]["S"]),
        "times": int(item["times"]["N"]),
        **json.loads(item["more"]["S"]),
    }


def test_record_has_the_format_of_aws(running: RunningStack, sqs: Any) -> None:
    attributes = {"trace": {"DataType": "String", "StringValue": "abc"}}
    (message_id,) = send(sqs, running.queues["PartialQueue"], "fine", MessageAttributes=attributes)
    record = seen(running, message_id)["record"]
    assert record["messageId"] == message_id
    assert record["body"] == "fine"
    assert record["eventSource"] == "aws:sqs"
    assert record["awsRegion"] == "us-east-1"
    assert record["eventSourceARN"].endswith(":patchbay-PartialQueue")
    assert {"receiptHandle", "md5OfBody", "md5OfMessageAttributes"} <= record.keys()
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert int(record["attributes"]["SentTimestamp"]) <= time.time() * 1000
    assert record["messageAttributes"] == {
        "trace": {
            "stringValue": "abc",
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "String",
        }
    }


def test_only_failed_messages_of_a_batch_are_redelivered(running: RunningStack, sqs: Any) -> None:
    good, bad, other = send(sqs, running.queues["PartialQueue"], "fine", "fail", "fine")
    assert seen(running, good)["size"] > 1, "the window collects a batch"
    assert seen(running, bad, times=2)["record"]["attributes"]["ApproximateReceiveCount"] == "2"
    assert seen(running, good)["times"] == seen(running, other)["times"] == 1

    def dead() -> Any:  # after maxReceiveCount
        received = sqs.receive_message(QueueUrl=running.queues["DeadQueue"], WaitTimeSeconds=1)
        return [message["MessageId"] for message in received.get("Messages", [])]

    assert eventually(dead) == [bad]


def test_error_redelivers_the_whole_batch(running: RunningStack, sqs: Any) -> None:
    fine, crash = send(sqs, running.queues["PartialQueue"], "fine", "crash")
    assert seen(running, crash, times=2)
    assert seen(running, fine, times=2)


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        (None, ""),
        ({}, ""),
        ({"batchItemFailures": None}, ""),
        ({"batchItemFailures": []}, ""),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, "b"),
        ({"batchItemFailures": [{"itemIdentifier": "x"}]}, "abc"),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, "abc"),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, "abc"),
        ({"batchItemFailures": [{"id": "b"}]}, "abc"),
        ({"batchItemFailures": "b"}, "abc"),
        ("text", "abc"),
    ],
)
def test_partial_batch_responses(response: Any, failed: str) -> None:
    answer = Answer(json.dumps(response).encode())
    assert failures(answer, ["a", "b", "c"], partial=True) == set(failed)
    assert failures(answer, ["a", "b", "c"], partial=False) == set()
    assert failures(Answer(b"{}", "Timeout"), ["a", "b"], partial=True) == {"a", "b"}


def test_maximum_concurrency_limits_invocations(running: RunningStack, sqs: Any) -> None:
    ids = send(sqs, running.queues["NarrowQueue"], *map(str, range(6)))
    rows = [seen(running, message_id) for message_id in ids]
    for row in rows:
        overlapping = [other for other in rows if other["started"] <= row["started"] < other["ended"]]
        assert len(overlapping) <= 2
    assert len(running.pids("NarrowFunction")) <= 2


def test_quiet_group_is_served_before_a_backlog(running: RunningStack, sqs: Any) -> None:
    url = running.queues["NarrowQueue"]
    noisy = send(sqs, url, *map(str, range(10)), MessageGroupId="noisy")
    (quiet,) = send(sqs, url, "quiet", MessageGroupId="quiet")
    last = max(seen(running, message_id)["started"] for message_id in noisy)
    assert seen(running, quiet)["started"] < last - 0.4, "before the second half of the backlog"


def test_backlog_of_one_function_does_not_delay_another(running: RunningStack, sqs: Any) -> None:
    busy = send(sqs, running.queues["NarrowQueue"], *map(str, range(10)))
    (message_id,) = send(sqs, running.queues["PartialQueue"], "fine")
    record = seen(running, message_id)["record"]
    worked = int(record["attributes"]["ApproximateFirstReceiveTimestamp"]) / 1000
    assert worked < max(seen(running, message_id)["ended"] for message_id in busy)


def test_bus_sends_matching_events_to_the_queue(running: RunningStack) -> None:
    events = running.client("events")
    entries = [
        {
            "EventBusName": "local-test",
            "Source": "tests",
            "DetailType": "Test",
            "Detail": json.dumps({"kind": kind}),
        }
        for kind in ("good one", "bad one")
    ]
    put = events.put_events(Entries=entries)["Entries"]

    def kinds() -> Any:
        rows = running.client("dynamodb").scan(TableName=running.tables["SeenTable"])["Items"]
        bodies = [json.loads(row["record"]["S"])["body"] for row in rows]
        events = [json.loads(body) for body in bodies if body.startswith("{")]
        return {event["id"]: event["detail"]["kind"] for event in events}

    assert eventually(kinds) == {put[0]["EventId"]: "good one"}


def error_code(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def test_visibility_over_12_hours_since_receive_is_rejected(running: RunningStack, sqs: Any) -> None:
    url = running.queues["PlainQueue"]
    send(sqs, url, "one")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"]
    change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    for seconds in (43_201, 43_200, -1):  # 12 h from now is more than 12 h after the receive
        code = error_code(sqs.change_message_visibility, VisibilityTimeout=seconds, **change)
        assert code == "InvalidParameterValue"
    entries = [
        {"Id": "long", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 43_200},
        {"Id": "fine", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 43_100},
    ]
    result = sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    assert [item["Id"] for item in result["Successful"]] == ["fine"]
    assert [(item["Id"], item["SenderFault"]) for item in result["Failed"]] == [("long", True)]
    sqs.delete_message(**change)


def test_message_over_1_mib_is_rejected(running: RunningStack, sqs: Any) -> None:
    url = running.queues["PlainQueue"]
    attributes = {"note": {"DataType": "String", "StringValue": "counts too"}}
    assert error_code(sqs.send_message, QueueUrl=url, MessageBody="x" * (MIB + 1))
    code = error_code(sqs.send_message, QueueUrl=url, MessageBody="x" * MIB, MessageAttributes=attributes)
    assert code == "InvalidParameterValue"
    assert sqs.send_message(QueueUrl=url, MessageBody="x" * MIB)["MessageId"]


def test_batch_over_the_limits_is_rejected(running: RunningStack, sqs: Any) -> None:
    url = running.queues["PlainQueue"]

    def entries(count: int, size: int) -> list[dict[str, str]]:
        return [{"Id": str(number), "MessageBody": "é" * (size // 2)} for number in range(count)]

    with pytest.raises(sqs.exceptions.BatchRequestTooLong):
        sqs.send_message_batch(QueueUrl=url, Entries=entries(4, 300_000))
    with pytest.raises(sqs.exceptions.TooManyEntriesInBatchRequest):
        sqs.send_message_batch(QueueUrl=url, Entries=entries(11, 2))
    with pytest.raises(sqs.exceptions.EmptyBatchRequest):
        sqs.send_message_batch(QueueUrl=url, Entries=[])
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries(10, 100_000))["Successful"]) == 10


def test_delays_and_waits_over_the_limits_are_rejected(running: RunningStack, sqs: Any) -> None:
    url = running.queues["PlainQueue"]
    assert error_code(sqs.send_message, QueueUrl=url, MessageBody="x", DelaySeconds=901)
    assert error_code(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)
    entries = [
        {"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
        {"Id": "fine", "MessageBody": "x", "DelaySeconds": 900},
    ]
    result = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [item["Id"] for item in result["Successful"]] == ["fine"]
    assert [(item["Id"], item["Code"]) for item in result["Failed"]] == [("late", "InvalidParameterValue")]


def test_errors_of_sqs_are_passed_on(sqs: Any, running: RunningStack) -> None:
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=running.queues["PlainQueue"] + "-not", MessageBody="x")


def test_functions_can_be_invoked_through_the_lambda_api(running: RunningStack) -> None:
    assert running.invoke("EchoFunction", {"a": 1})["event"] == {"a": 1}
    assert running.invoke("patchbay-EchoFunction", [1])["event"] == [1]
    with pytest.raises(RuntimeError, match="the whole batch"):
        running.invoke("PartialFunction", {"Records": [_record("crash")]})
    functions = running.client("lambda")
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName="NoFunction")


def _record(body: str) -> dict[str, str]:
    return {"messageId": "sample", "body": body, "eventSourceARN": "none"}
