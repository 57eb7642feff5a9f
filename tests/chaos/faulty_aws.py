"""DynamoDB and SQS that fail at random: what stands between functions and the local stack's services.

aws = FaultyAws(seed)
with receiver([aws]) as proxy:          # proxy.url is the functions' endpoint of both services
    aws.upstream = stack.endpoints      # once the stack is up
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from threading import Lock
from typing import Any

import httpx

from tests.receivers import Answer, Request

# Of all calls. Few of the faults are timeouts: one takes a third of what the worker has for a batch.
FAULT_RATE = 0.04
# Of those that fail: the client's own retries fail too (patchbay/aws.py has 4 tries), and the caller hears.
LASTING_RATE = 0.1
RETRIES = 3
DUPLICATE_RATE = 0.1
# Longer than the clients wait for an answer (patchbay/aws.py).
HELD_SECONDS = 2.5
# A copy comes soon after the message or when the message has long been worked.
LATEST_COPY_SECONDS = 6

WRITES = {
    "ChangeMessageVisibility",
    "DeleteItem",
    "PutItem",
    "SendMessage",
    "SendMessageBatch",
    "TransactWriteItems",
    "UpdateItem",
}
_PASSED_ON = ("authorization", "content-type", "x-amz-target")
_PASSED_BACK = ("content-type", "x-amzn-query-error", "x-amz-crc32")


class Fault(StrEnum):
    """What a call meets instead of its answer. The last three are the lost answers of writes that took
    effect."""

    THROTTLED = "throttled"
    ERROR = "error"
    CLOSED = "connection closed"
    TIMEOUT = "timeout"
    LATE_ERROR = "error after the write"
    LATE_CLOSED = "connection closed after the write"
    LATE_TIMEOUT = "timeout after the write"


_LATE = {Fault.LATE_ERROR, Fault.LATE_CLOSED, Fault.LATE_TIMEOUT}
_WEIGHTS = {fault: 1 if fault in (Fault.TIMEOUT, Fault.LATE_TIMEOUT) else 3 for fault in Fault}


class FaultyAws:
    """A receiver's answers (tests/receivers.py): those of the services, or a fault.

    `upstream` has the services' addresses by name; `faults` counts what calls met, `duplicated` the messages
    of which a copy was sent.
    """

    def __init__(self, seed: int) -> None:
        self.upstream: Mapping[str, str] = {}
        self.faults: Counter[Fault] = Counter()
        self.duplicated = 0
        self._random = random.Random(seed)
        self._lasting: Counter[bytes] = Counter()  # the body of a call → how often it is still to fail
        self._lock = Lock()
        # Shorter than the services keep an idle connection: none is closed while we write to it.
        limits = httpx.Limits(max_connections=None, keepalive_expiry=1)
        self._http = httpx.Client(timeout=30, limits=limits, trust_env=False)

    def __call__(self, request: Request) -> Answer:
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        with self._lock:
            fault = self._draw(operation, request.body)
            copied = operation.startswith("SendMessage") and self._random.random() < DUPLICATE_RATE
            delay = self._random.randint(0, LATEST_COPY_SECONDS)
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
        possible = [fault for fault in Fault if operation in WRITES or fault not in _LATE]
        # Each kind once before any of them again: the short form has few faults.
        possible = [fault for fault in possible if not self.faults[fault]] or possible
        (fault,) = self._random.choices(possible, [_WEIGHTS[fault] for fault in possible])
        self.faults[fault] += 1
        return fault

    def _forward(self, request: Request, body: bytes) -> Answer:
        answer = self._http.post(
            self.upstream[_service(request)],
            content=body,
            headers={"accept-encoding": "identity"} | _chosen(request.headers, _PASSED_ON),
        )
        return Answer(answer.status_code, _chosen(answer.headers, _PASSED_BACK), answer.content)

    def _send_copy(self, request: Request, delay_seconds: int) -> None:
        """The same messages again, visible after a while. A standard queue may do that at any time."""
        call = request.json()
        messages = call.get("Entries", [call])
        for message in messages:
            message["DelaySeconds"] = delay_seconds
        self._forward(request, json.dumps(call).encode())
        with self._lock:
            self.duplicated += len(messages)


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


def _throttled(request: Request) -> Answer:
    """As each service says it; of a transaction, DynamoDB says it per action."""
    if _service(request) == "sqs":
        return _error(400, "RequestThrottled")
    if not request.headers["x-amz-target"].endswith(".TransactWriteItems"):
        return _error(400, "ProvisionedThroughputExceededException")
    reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in request.json()["TransactItems"]]
    reasons[0] = {"Code": "ThrottlingError", "Message": "Throughput exceeds the current capacity."}
    return _error(400, "TransactionCanceledException", CancellationReasons=reasons)


def _error(status: int, kind: str, **more: Any) -> Answer:
    return Answer(
        status,
        {"content-type": "application/x-amz-json-1.0"},
        json.dumps({"__type": f"com.amazonaws#{kind}", "message": "at random", **more}).encode(),
    )


def _service(request: Request) -> str:
    return "sqs" if request.headers["x-amz-target"].startswith("AmazonSQS.") else "dynamodb"


def _chosen(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}
