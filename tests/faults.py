"""Faults that tests inject: failing AWS calls, dying processes, a clock, and redelivery by SQS.

    with failing("dynamodb.PutItem", error=THROTTLED):           # for all tries of the client
    with failing("dynamodb.UpdateItem", at=2, tries=1):          # the client's own retry succeeds
    with failing("sqs.SendMessage", lost=True):                  # takes effect, but the response is lost
    with killed("dynamodb.UpdateItem", at=2):                    # the process dies before the second call
    with killed("sqs.SendMessageBatch", after=True):             # … or right after the first took effect
    with dying(7) as process:                                    # … or right before its 7th call, if any
    with meanwhile("dynamodb.UpdateItem", other):                # another process is a moment faster

Faults happen on the wire, below the library's client, so the tests include its retries. Calls are counted
from the start of the block; `where` limits them to those whose request contains a text.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest
from moto.core.botocore_stubber import BotocoreStubber
from moto.sqs.models import sqs_backends

from local import settings as local_settings
from patchbay import aws
from patchbay.aws_http import Response
from tests.conftest import LAMBDA_CONTEXT, Backend
from tests.wire import Params, around_calls, around_tries

THROTTLED = "throttled"
TIMEOUT = "timeout"
REFUSED = "refused"  # an error that is not retried
INVALID = "invalid"  # likewise; moto accepts some keys that DynamoDB does not

_ERRORS = {
    ("dynamodb", THROTTLED): "ProvisionedThroughputExceededException",
    ("dynamodb", REFUSED): "AccessDeniedException",
    ("dynamodb", INVALID): "ValidationException",
    ("sqs", THROTTLED): "RequestThrottled",
    ("sqs", REFUSED): "AccessDenied",
    ("kms", THROTTLED): "ThrottlingException",
    ("kms", REFUSED): "AccessDeniedException",
}


class Killed(BaseException):
    """The process ends here. As with SIGKILL, no `except Exception` may catch it."""


class Fault:
    """The calls that failed in a block."""

    def __init__(self) -> None:
        self.met: set[str] = set()

    @property
    def calls(self) -> int:
        """The number of calls that failed."""
        return len(self.met)


@contextlib.contextmanager
def failing(
    operation: str,
    at: int = 1,
    *,
    times: int = 1,
    error: str = THROTTLED,
    lost: bool = False,
    tries: int | None = None,
    where: str = "",
) -> Iterator[Fault]:
    """Make `times` calls of an operation fail, from the `at`-th on. `lost` calls take effect first.

    `tries` limits how often each call fails: with 1, the client's own retry succeeds; with None, all tries
    fail. Asserts that a call failed.
    """
    service = operation.partition(".")[0]
    fault = Fault()
    calls: list[tuple[bytes, int]] = []  # the body object that a call's tries share, and their number

    def hook(name: str, body: bytes, send: Callable[[bytes], Response]) -> Response:
        if name != operation or where.encode() not in body:
            return send(body)
        call = next((index for index, (known, _) in enumerate(calls) if known is body), len(calls))
        count = calls[call][1] + 1 if call < len(calls) else 1
        calls[call : call + 1] = [(body, count)]
        if not at <= call + 1 < at + times or (tries is not None and count > tries):
            return send(body)
        fault.met.add(str(call))
        if lost:
            send(body)
        if error == TIMEOUT or lost:
            raise TimeoutError("injected by a test")
        return refusal(_ERRORS[service, error])

    with around_tries(hook), _no_backoff():
        yield fault
    assert fault.met, f"{operation} was called {len(calls)} times, and no call failed"


@contextlib.contextmanager
def killed(operation: str, at: int = 1, *, after: bool = False, where: str = "") -> Iterator[None]:
    """Kill the process before the `at`-th call of an operation, or `after` the call took effect: it makes no
    further AWS calls. A new process starts after the block.
    """
    seen = 0
    dead = False

    def hook(name: str, body: bytes, send: Callable[[bytes], Response]) -> Response:
        nonlocal seen, dead
        is_last = False
        if not dead and name == operation and where.encode() in body:
            seen += 1
            is_last = seen == at
        dead = dead or (is_last and not after)
        if dead:
            raise Killed
        answer = send(body)
        if is_last:
            dead = True
            raise Killed
        return answer

    with contextlib.suppress(Killed), around_tries(hook):
        yield
    assert dead, f"{operation} was called {seen} times, and the process did not die"
    cold_start()


@contextlib.contextmanager
def dying(call: int) -> Iterator[SimpleNamespace]:
    """Kill the process right before its `call`-th AWS call, if it makes that many."""
    seen = SimpleNamespace(calls=0, died=False)

    def hook(name: str, body: bytes, send: Callable[[bytes], Response]) -> Response:
        seen.calls += 1
        seen.died = seen.died or seen.calls == call
        if seen.died:
            raise Killed
        return send(body)

    with contextlib.suppress(Killed), around_tries(hook):
        yield seen
    cold_start()


def cold_start() -> None:
    """Clear everything that a process caches between invocations of the workers."""
    from patchbay import vault
    from patchbay.deliveries import attempt, roll_up, worker
    from patchbay.publishing import fan_out

    worker._had_many_in_flight.cache_clear()
    if attempt.runner.cache_info().currsize:
        attempt.runner().close()
    attempt.runner.cache_clear()
    attempt.sender.cache_clear()
    fan_out.clear_cache()
    roll_up.clear_cache()
    vault.clear_cache()


@contextlib.contextmanager
def partly_refused(refused: Callable[[str], bool], *, times: int = 1) -> Iterator[Fault]:
    """Make the first `times` calls of SendMessageBatch refuse the entries whose body `refused` selects."""
    fault = Fault()

    def hook(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        entries = params.get("Entries", []) if operation == "SendMessageBatch" else []
        failed_ids = [entry["Id"] for entry in entries if refused(entry["MessageBody"])]
        if not failed_ids or fault.calls == times:
            return call(params)
        fault.met.add(str(fault.calls))
        accepted = [entry for entry in entries if entry["Id"] not in failed_ids]
        answer = call({**params, "Entries": accepted}) if accepted else {"Successful": []}
        answer["Failed"] = [
            {"Id": id, "Code": "InternalError", "SenderFault": False, "Message": "try again"}
            for id in failed_ids
        ]
        return answer

    with around_calls(hook):
        yield fault
    assert fault.met, "no batch had such an entry"


@contextlib.contextmanager
def meanwhile(operation: str, act: Callable[[], object], at: int = 1) -> Iterator[None]:
    """Run `act` as another process, right before the `at`-th call of an operation is sent."""
    seen = 0

    def hook(service: str, name: str, params: Params, call: Callable[[Params], Params]) -> Params:
        nonlocal seen
        if f"{service}.{name}" == operation:
            seen += 1
            if seen == at:
                act()
        return call(params)

    with around_calls(hook):
        yield
    assert seen >= at, f"{operation} was called {seen} times"


@contextlib.contextmanager
def watched(operation: str) -> Iterator[list[Params]]:
    """Record the parameters of each call of an operation."""
    seen: list[Params] = []

    def hook(service: str, name: str, params: Params, call: Callable[[Params], Params]) -> Params:
        if f"{service}.{name}" == operation:
            seen.append(dict(params))
        return call(params)

    with around_calls(hook):
        yield seen


@contextlib.contextmanager
def _no_backoff() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "_pause", lambda most: None)
        yield


def refusal(code: str) -> Response:
    """An error response from AWS."""
    body = {"__type": f"com.amazonaws#{code}", "message": "injected by a test"}
    return 400, {}, json.dumps(body).encode()


class Aws:
    """The simulated AWS in this process; `seconds` is the CPU time that it has used."""

    seconds = 0.0


def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Serialize the calls of moto. DynamoDB checks a condition and writes atomically, but moto does not."""
    lock, process, aws = Lock(), BotocoreStubber.process_request, Aws()

    def process_request(self: BotocoreStubber, request: Any) -> Any:
        with lock:
            started = time.thread_time()
            try:
                return process(self, request)
            finally:
                aws.seconds += time.thread_time() - started

    monkeypatch.setattr(BotocoreStubber, "process_request", process_request)
    return aws


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────


class Clock:
    """The time of the library and of moto's queues, in Unix milliseconds. It changes only when a test moves
    it.

    `skew` is how far the library's clock is ahead of the clock of SQS, as on another host.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from patchbay import clock

        self.now = clock.now_ms()
        self.skew = 0
        monkeypatch.setattr(
            clock, "time", SimpleNamespace(time_ns=lambda: (self.now + self.skew) * 1_000_000)
        )
        monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: self.now)

    def move(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


# ── redelivery ───────────────────────────────────────────────────────────────────────────────────────


class Source:
    """A queue's event source mapping: invokes the worker, and deletes the messages that it processed."""

    def __init__(self, backend: Backend, queue: str, handler: str, clock: Clock) -> None:
        module, _, attribute = handler.rpartition(".")
        self._handler = getattr(importlib.import_module(module), attribute)
        self._sqs = backend.client("sqs")
        self._clock = clock
        self._moves = not backend.queues
        self.url = backend.queue_url(queue)

    def send(self, body: str | Mapping[str, Any]) -> None:
        self._sqs.send_message(
            QueueUrl=self.url, MessageBody=body if isinstance(body, str) else json.dumps(body)
        )

    def receive(self) -> list[dict[str, Any]]:
        """The messages that are visible now, up to ten, as records of a Lambda event."""
        messages = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        ).get("Messages", ())
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for message in messages
        ]

    def invoke(self, records: list[dict[str, Any]], context: Any = LAMBDA_CONTEXT) -> list[str]:
        """Invoke the worker once. Returns the IDs to redeliver. If the worker raises, nothing is deleted."""
        answer = self._handler({"Records": records}, context)
        failed_ids = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        for record in records:
            if record["messageId"] not in failed_ids:
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=record["receiptHandle"])
        return failed_ids

    def poll(self, context: Any = LAMBDA_CONTEXT) -> int:
        """Invoke the worker once with the visible messages. Returns the number of messages."""
        records = self.receive()
        if records:
            self.invoke(records, context)
        return len(records)

    @property
    def waits(self) -> list[int]:
        """The seconds until each message is visible, the next one first; 0 is now."""
        assert self._moves, "only moto's queues have a clock that moves: @pytest.mark.moto_queues"
        name = self.url.rpartition("/")[2]
        queue = sqs_backends[local_settings.ACCOUNT][local_settings.REGION].queues[name]
        waits_ms = (message.visible_at - self._clock.now for message in queue._messages)
        return sorted(max(-(-round(ms) // 1000), 0) for ms in waits_ms)

    def run(self, seconds: float = 14 * 86_400) -> None:
        """Poll until the queue is empty or the time has passed. Moves the clock from message to message."""
        end = self._clock.now + seconds * 1000
        while (waits := self.waits) and self._clock.now + waits[0] * 1000 < end:
            self._clock.move(waits[0] + 0.001)  # never in the exact millisecond in which the wait ends
            self.poll()
