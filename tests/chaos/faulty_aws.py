"""DynamoDB and SQS that fail at random: a proxy between the functions and the services of the local stack.

aws = FaultyAws(seed)
with receiver([aws]) as proxy:          # proxy.url is the functions' endpoint of both services
    aws.upstream = stack.endpoints      # once the stack is up
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from threading import Lock
from typing import Any

import httpx

from tests.receivers import Answer, Request

# The share of all calls that fail. Few of the faults are timeouts, because one takes a third of the worker's
# time for a batch.
FAULT_RATE = 0.04
# The share of these faults that also fail the client's retries, so that the caller gets the error
# (patchbay/aws.py tries 4 times).
LASTING_RATE = 0.1
RETRIES = 3
DUPLICATE_RATE = 0.1
# Longer than the clients wait for a response (patchbay/aws.py).
HELD_SECONDS = 2.5
# A copy arrives at the same moment as its message, soon after it, or long after the message was processed.
SAME_MOMENT_RATE = 0.5
LATEST_COPY_SECONDS = 6

WRITES = {
    "BatchWriteItem",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "DeleteItem",
    "PutItem",
    "SendMessage",
    "SendMessageBatch",
    "TransactWriteItems",
    "UpdateItem",
}
_REQUEST_HEADERS = ("authorization", "content-type", "x-amz-target")
_RESPONSE_HEADERS = ("content-type", "x-amzn-query-error", "x-amz-crc32")


# Calls that AWS may process in part.
BATCHES = {
    "BatchGetItem",
    "BatchWriteItem",
    "ChangeMessageVisibilityBatch",
    "SendMessageBatch",
}


class Fault(StrEnum):
    """A fault of a call. The last three lose the response of a write that took effect."""

    THROTTLED = "throttled"
    ERROR = "error"
    CLOSED = "connection closed"
    TIMEOUT = "timeout"
    IN_PART = "done in part"
    LATE_ERROR = "error after the write"
    LATE_CLOSED = "connection closed after the write"
    LATE_TIMEOUT = "timeout after the write"


_LATE = {Fault.LATE_ERROR, Fault.LATE_CLOSED, Fault.LATE_TIMEOUT}
_WEIGHTS = {fault: 1 if fault in (Fault.TIMEOUT, Fault.LATE_TIMEOUT) else 3 for fault in Fault}


class FaultyAws:
    """Answers requests as a receiver (tests/receivers.py): with a service's response or with a fault.

    `upstream` has the services' addresses by name. `faults` counts the faults. `copies` counts the copies
    that were sent, by time of arrival. `new_messages` counts each delivery's messages that may be attempted
    without a claim: those of its fan-out, including copies. `recorded_at` is the time, in Unix seconds, at
    which a delivery's success first entered the table.
    """

    def __init__(self, seed: int) -> None:
        self.upstream: Mapping[str, str] = {}
        self.fast_queue = ""
        self.faults: Counter[Fault] = Counter()
        self.copies: Counter[str] = Counter()
        self.new_messages: Counter[str] = Counter()
        self.recorded_at: dict[str, float] = {}
        self._random = random.Random(seed)
        self._lasting: Counter[bytes] = Counter()  # the body of a call → how often it must still fail
        self._lock = Lock()
        # Shorter than the services' own limit, so that they never close a connection that is being written
        # to.
        limits = httpx.Limits(max_connections=None, keepalive_expiry=1)
        self._http = httpx.Client(timeout=30, limits=limits, trust_env=False)

    def __call__(self, request: Request) -> Answer:
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        with self._lock:
            fault = self._draw(operation, request.body)
            copied = operation.startswith("SendMessage") and self._random.random() < DUPLICATE_RATE
            same_moment = self._random.random() < SAME_MOMENT_RATE
            delay = 0 if same_moment else self._random.randint(1, LATEST_COPY_SECONDS)
        if fault is Fault.IN_PART:
            return self._process_in_part(request)
        if fault is not None and fault not in _LATE:
            return _failed(fault, request)
        answer = self._forward(request, request.body)
        if copied and answer.status == 200:
            self._send_copy(request, delay)
        return answer if fault is None else _failed(fault, request)

    def _draw(self, operation: str, body: bytes) -> Fault | None:
        if self._lasting[body]:
            self._lasting[body] -= 1
        elif self._random.random() >= FAULT_RATE:
            return None
        elif self._random.random() < LASTING_RATE:
            self._lasting[body] = RETRIES
        possible = [
            fault
            for fault in Fault
            if (operation in WRITES or fault not in _LATE)
            and (operation in BATCHES or fault is not Fault.IN_PART)
        ]
        # Use each kind once before repeating any, because the short form has few faults.
        possible = [fault for fault in possible if not self.faults[fault]] or possible
        (fault,) = self._random.choices(possible, [_WEIGHTS[fault] for fault in possible])
        self.faults[fault] += 1
        return fault

    def _forward(self, request: Request, body: bytes) -> Answer:
        answer = self._http.post(
            self.upstream[_service(request)],
            content=body,
            headers={"accept-encoding": "identity"} | _select(request.headers, _REQUEST_HEADERS),
        )
        if answer.status_code == 200:
            self._record(request.headers["x-amz-target"].rpartition(".")[2], json.loads(body))
        return Answer(answer.status_code, _select(answer.headers, _RESPONSE_HEADERS), answer.content)

    def _record(self, operation: str, call: Any) -> None:
        """Record the facts about a call that the accounts need."""
        now = time.time()
        if operation == "BatchWriteItem":
            for requests in call["RequestItems"].values():
                for put in requests:
                    item = put["PutRequest"]["Item"]
                    if item.get("status") == {"S": "DELIVERED"}:
                        with self._lock:
                            self.recorded_at.setdefault(item["sk"]["S"], now)
        elif operation.startswith("SendMessage") and call["QueueUrl"] == self.fast_queue:
            for message in _messages(call):
                delivery = json.loads(message["MessageBody"])
                if delivery["generation"] == 0:
                    with self._lock:
                        self.new_messages[delivery["id"]] += 1

    def _send_copy(self, request: Request, delay_seconds: int) -> None:
        """Send the same messages again. A standard queue may deliver a message twice at any time."""
        call = request.json()
        messages = _messages(call)
        for message in messages:
            message["DelaySeconds"] = delay_seconds
        self._forward(request, json.dumps(call).encode())
        with self._lock:
            self.copies["later" if delay_seconds else "in the same moment"] += len(messages)

    def _process_in_part(self, request: Request) -> Answer:
        """Process part of a batch, and report the rest as failed."""
        call = request.json()
        with self._lock:
            share = self._random.random()
        if "Entries" in call:
            entries, rest = _split(call["Entries"], share)
            answer = self._do(request, {**call, "Entries": entries}) if entries else {}
            refused = [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in rest]
            return _answer(answer | {"Failed": answer.get("Failed", []) + refused})
        processed, unprocessed = {}, {}
        for table, request_items in call["RequestItems"].items():
            is_read = isinstance(request_items, dict)
            items, rest = _split(request_items["Keys"] if is_read else request_items, share)
            unprocessed[table] = request_items | {"Keys": rest} if is_read else rest
            if items:
                processed[table] = request_items | {"Keys": items} if is_read else items
        answer = self._do(request, {**call, "RequestItems": processed}) if processed else {"Responses": {}}
        return _answer(answer | {"UnprocessedKeys" if is_read else "UnprocessedItems": unprocessed})

    def _do(self, request: Request, call: Any) -> Any:
        answer = self._forward(request, json.dumps(call).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)


def _split(items: list[Any], share: float) -> tuple[list[Any], list[Any]]:
    """Return the items to process, and the rest: at least one item."""
    count = int(share * len(items))
    return items[:count], items[count:]


def _messages(call: Any) -> list[Any]:
    """Return the messages of a SendMessage or a SendMessageBatch."""
    return list(call.get("Entries", [call]))


def _answer(content: Any) -> Answer:
    return Answer(200, {"content-type": "application/x-amz-json-1.0"}, json.dumps(content).encode())


def _failed(fault: Fault, request: Request) -> Answer:
    match fault:
        case Fault.THROTTLED:
            return _throttled(request)
        case Fault.ERROR | Fault.LATE_ERROR:
            return _error(500, "InternalServerError")
        case Fault.CLOSED | Fault.LATE_CLOSED:
            return Answer(hang_up=True)
        case Fault.TIMEOUT | Fault.LATE_TIMEOUT:
            return Answer(delay=HELD_SECONDS, hang_up=True)
        case Fault.IN_PART:
            raise AssertionError("a partly processed call has a response")


def _throttled(request: Request) -> Answer:
    """Return the service's throttling error. For a transaction, DynamoDB returns one per action."""
    if _service(request) == "sqs":
        return _error(400, "RequestThrottled")
    if not request.headers["x-amz-target"].endswith(".TransactWriteItems"):
        return _error(400, "ProvisionedThroughputExceededException")
    reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in request.json()["TransactItems"]]
    reasons[0] = {"Code": "ThrottlingError", "Message": "Throughput exceeds the current capacity."}
    return _error(400, "TransactionCanceledException", CancellationReasons=reasons)


def _error(status: int, kind: str, **fields: Any) -> Answer:
    return Answer(
        status,
        {"content-type": "application/x-amz-json-1.0"},
        json.dumps({"__type": f"com.amazonaws#{kind}", "message": "at random", **fields}).encode(),
    )


def _service(request: Request) -> str:
    return "sqs" if request.headers["x-amz-target"].startswith("AmazonSQS.") else "dynamodb"


def _select(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}
