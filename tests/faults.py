"""AWS that fails, processes that die, a clock that is moved, and SQS that delivers again: all by hand.

    with failing("dynamodb.PutItem", error=THROTTLED):           # until botocore gives up
    with failing("dynamodb.UpdateItem", at=2, tries=1):          # botocore's own retry gets through
    with failing("sqs.SendMessage", lost=True):                  # done, but the answer never came
    with killed("dynamodb.UpdateItem", at=2):                    # the process dies before the second call
    with killed("sqs.SendMessageBatch", after=True):             # … or right after the first took effect
    with dying(7) as process:                                    # … or right before its 7th call, if any
    with meanwhile("dynamodb.UpdateItem", other):                # another process is a moment faster

Faults sit on the wire of the library's own clients, so botocore's retries are part of what is tested.
Calls are counted from the start of the block; `where` counts only those whose request holds a text.
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
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ReadTimeoutError
from botocore.retries import standard
from moto.core.botocore_stubber import BotocoreStubber
from moto.sqs.models import sqs_backends

from local import settings as local_settings
from tests.conftest import LAMBDA_CONTEXT, Backend

THROTTLED = "throttled"
TIMEOUT = "timeout"
REFUSED = "refused"  # an error that nobody tries again

_ERRORS = {
    ("dynamodb", THROTTLED): "ProvisionedThroughputExceededException",
    ("dynamodb", REFUSED): "AccessDeniedException",
    ("sqs", THROTTLED): "RequestThrottled",
    ("sqs", REFUSED): "AccessDenied",
    ("kms", THROTTLED): "ThrottlingException",
    ("kms", REFUSED): "AccessDeniedException",
}


class Killed(BaseException):
    """The process ends here. No `except Exception` may see it, as none would see a SIGKILL."""


class Fault:
    """What a block made fail."""

    def __init__(self) -> None:
        self.met: set[str] = set()

    @property
    def calls(self) -> int:
        """How many calls met the fault."""
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
    """`times` calls of an operation fail, from the `at`-th on. `lost` calls take effect first.

    `tries` bounds how often each fails: 1 lets botocore's own retry through; None fails them all. Asserts
    that the fault was met.
    """
    service, name = operation.split(".")
    fault = Fault()
    calls: dict[str, int] = {}

    def before_send(request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        if event_name.rpartition(".")[2] != name or where.encode() not in bytes(request.body or b""):
            return None
        # The same for all tries of one call.
        call = str(request.headers["amz-sdk-invocation-id"])
        calls[call] = calls.get(call, 0) + 1
        if not at <= list(calls).index(call) + 1 < at + times or (tries is not None and calls[call] > tries):
            return None
        fault.met.add(call)
        if error == TIMEOUT or lost:
            raise ReadTimeoutError(endpoint_url=request.url)
        return _refusal(request, _ERRORS[service, error])

    with _hooked(service, "before-send", before_send, last=lost), _no_backoff():
        yield fault
    assert fault.met, f"{operation} was called {len(calls)} times, so the fault was not met"


@contextlib.contextmanager
def killed(operation: str, at: int = 1, *, after: bool = False, where: str = "") -> Iterator[None]:
    """The process dies before the `at`-th call of an operation, or `after` it took effect; whatever it would
    still ask of AWS does not happen. A new process begins after the block.
    """
    name = operation.partition(".")[2]
    seen = 0
    dead = False

    def note(event_name: str, request: Any) -> bool:
        nonlocal seen
        if event_name.rpartition(".")[2] == name and where.encode() in bytes(request.body or b""):
            seen += 1
            return seen == at
        return False

    def before(request: Any, event_name: str, **_: Any) -> None:
        nonlocal dead
        dead = dead or (not after and note(event_name, request))
        if dead:
            raise Killed

    def behind(request: Any, event_name: str, **_: Any) -> None:
        nonlocal dead
        if after and note(event_name, request):
            dead = True
            raise Killed

    with contextlib.ExitStack() as stack:
        for each in ("dynamodb", "sqs", "kms"):
            stack.enter_context(_hooked(each, "before-send", before, last=False))
            stack.enter_context(_hooked(each, "before-send", behind, last=True))
        with contextlib.suppress(Killed):
            yield
        assert dead, f"{operation} was called {seen} times: nothing died"
        cold_start()


@contextlib.contextmanager
def dying(call: int) -> Iterator[SimpleNamespace]:
    """The process dies right before its `call`-th call of AWS, if it makes so many."""
    seen = SimpleNamespace(calls=0, died=False)

    def before(**_: Any) -> None:
        seen.calls += 1
        seen.died = seen.died or seen.calls == call
        if seen.died:
            raise Killed

    with contextlib.ExitStack() as stack:
        for service in ("dynamodb", "sqs", "kms"):
            stack.enter_context(_hooked(service, "before-send", before, last=False))
        with contextlib.suppress(Killed):
            yield seen
    cold_start()


def cold_start() -> None:
    """What a process keeps between invocations of the workers is gone."""
    from patchbay import vault
    from patchbay.deliveries import attempt, worker

    worker._is_crowded.cache_clear()
    if attempt.runner.cache_info().currsize:
        attempt.runner().close()
    attempt.runner.cache_clear()
    attempt.sender.cache_clear()
    vault.forget_keys()


@contextlib.contextmanager
def partly_refused(refused: Callable[[str], bool], *, times: int = 1) -> Iterator[Fault]:
    """The first `times` calls of SendMessageBatch do not take the entries whose body `refused` picks."""
    fault = Fault()

    def before_call(model: Any, params: dict[str, Any], context: dict[str, Any], **_: Any) -> Any:
        body = json.loads(params["body"])
        out = [entry["Id"] for entry in body["Entries"] if refused(entry["MessageBody"])]
        if not out or fault.calls == times:
            return None
        fault.met.add(str(fault.calls))
        context["refused"] = [
            {"Id": id, "Code": "InternalError", "SenderFault": False, "Message": "try again"} for id in out
        ]
        body["Entries"] = [entry for entry in body["Entries"] if entry["Id"] not in out]
        params["body"] = json.dumps(body).encode()
        if body["Entries"]:
            return None
        return SimpleNamespace(status_code=200), {"Successful": [], "Failed": context["refused"]}

    def after_call(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        if "refused" in context:
            parsed["Failed"] = context["refused"]

    with (
        _hooked("sqs", "before-call.sqs.SendMessageBatch", before_call, last=False),
        _hooked("sqs", "after-call.sqs.SendMessageBatch", after_call, last=True),
    ):
        yield fault
    assert fault.met, "no batch held such an entry"


@contextlib.contextmanager
def meanwhile(operation: str, act: Callable[[], object], at: int = 1) -> Iterator[None]:
    """Right before the `at`-th call of an operation goes out, another process does `act`."""
    service, name = operation.split(".")
    seen = 0

    def before_call(**_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            act()

    with _hooked(service, f"before-call.{service}.{name}", before_call, last=False):
        yield
    assert seen >= at, f"{operation} was called {seen} times"


@contextlib.contextmanager
def watched(operation: str) -> Iterator[list[dict[str, Any]]]:
    """The parameters of each call of an operation."""
    service, name = operation.split(".")
    seen: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        seen.append(dict(params))

    with _hooked(service, f"provide-client-params.{service}.{name}", note, last=True):
        yield seen


@contextlib.contextmanager
def _hooked(service: Any, event: str, handler: Callable[..., Any], *, last: bool) -> Iterator[None]:
    from patchbay import aws

    events = aws.client(service).meta.events
    (events.register_last if last else events.register_first)(event, handler)
    try:
        yield
    finally:
        events.unregister(event, handler)


@contextlib.contextmanager
def _no_backoff() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0)
        yield


def _refusal(request: Any, code: str) -> AWSResponse:
    body = json.dumps({"__type": f"com.amazonaws#{code}", "message": "made to fail by a test"}).encode()
    headers: Any = HeadersDict({"content-type": "application/x-amz-json-1.0"})
    request.url = "https://nowhere.test/"  # botocore asks every handler, and moto would do what is asked

    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield body

    return AWSResponse(request.url, 400, headers, Raw())


class Aws:
    """What plays AWS in this process; `seconds` is the CPU time that it took so far."""

    seconds = 0.0


def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Aws:
    """DynamoDB checks a condition and writes in one step; moto, asked by two threads at once, does not."""
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
    """The time of the library and of moto's queues, in Unix milliseconds: it stands still until moved.

    `skew` sets the library's clock apart from SQS's: another host's.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from patchbay import schema

        self.now = schema.now_ms()
        self.skew = 0
        monkeypatch.setattr(
            schema, "time", SimpleNamespace(time_ns=lambda: (self.now + self.skew) * 1_000_000)
        )
        monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: self.now)

    def move(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


# ── redelivery ───────────────────────────────────────────────────────────────────────────────────────


class Source:
    """A queue's event source mapping: invokes its worker, deletes what the worker is done with."""

    def __init__(self, backend: Backend, queue: str, handler: str, clock: Clock) -> None:
        module, _, attribute = handler.rpartition(".")
        self._handler = getattr(importlib.import_module(module), attribute)
        self._sqs = backend.client("sqs")
        self._clock = clock
        self.url = backend.queue_url(queue)

    def send(self, body: str | Mapping[str, Any]) -> None:
        self._sqs.send_message(
            QueueUrl=self.url, MessageBody=body if isinstance(body, str) else json.dumps(body)
        )

    def receive(self) -> list[dict[str, Any]]:
        """What is visible now, up to ten, as records."""
        found = self._sqs.receive_message(
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
            for message in found
        ]

    def invoke(self, records: list[dict[str, Any]], context: Any = LAMBDA_CONTEXT) -> list[str]:
        """One invocation; returns the ids that come again. One that raises deletes nothing."""
        answer = self._handler({"Records": records}, context)
        again = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        for record in records:
            if record["messageId"] not in again:
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=record["receiptHandle"])
        return again

    def poll(self, context: Any = LAMBDA_CONTEXT) -> int:
        """One invocation with what is visible; returns how many messages it got."""
        records = self.receive()
        if records:
            self.invoke(records, context)
        return len(records)

    @property
    def waits(self) -> list[int]:
        """In how many seconds each message is seen (again), the next one first; 0 is now."""
        name = self.url.rpartition("/")[2]
        queue = sqs_backends[local_settings.ACCOUNT][local_settings.REGION].queues[name]
        left = (message.visible_at - self._clock.now for message in queue._messages)
        return sorted(max(-(-round(ms) // 1000), 0) for ms in left)

    def run(self, seconds: float = 14 * 86_400) -> None:
        """Work the queue until it is empty or that much time has passed, moving the clock to what is next."""
        end = self._clock.now + seconds * 1000
        while (waits := self.waits) and self._clock.now + waits[0] * 1000 < end:
            self._clock.move(waits[0] + 0.001)  # never in the very millisecond in which it ends
            self.poll()
