"""The product in this process: handlers and workers on the tables of a local stack, with a simulated clock.

    product = Product(api, functions, "demo", start_ms, seed=18)
    product.at(start_ms + 60_000, lambda: product.owner("POST /api/events", {…}))
    product.run(now_ms)

DynamoDB and KMS are those of the stack. Queues are in memory, because their delays use the simulated clock.
`receivers.reply` answers requests to receivers, with the latency that they would have. IDs and jitter come
from a seeded generator, so a run with the same seed and times writes the same data, except for secrets, keys
and tokens, which stay random.

Create it before patchbay is imported: modules keep generators that they make at import.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import logging
import random
import secrets  # imported before the generators are replaced, so that secrets use the system's generator
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from local import direct, gateway
from local.demo import receivers
from local.template import Function

MAX_BATCH = 10
VISIBILITY_MS = 180_000  # of a message that a worker returned without a delay
_CONTEXT = SimpleNamespace(
    get_remaining_time_in_millis=lambda: 600_000, aws_request_id="demo", function_name="demo"
)

# The duration of the current attempt: its task continues at a later time than concurrent tasks.
_elapsed_ms: ContextVar[int] = ContextVar("elapsed_ms", default=0)


class Refused(Exception):
    """The API refused a request of the demo."""


class Clock:
    """Replaces the modules `time` and `secrets` in the product's clock and IDs."""

    def __init__(self, now: int, seed: int) -> None:
        self.now = now
        self._random = random.Random(seed)

    def time_ns(self) -> int:
        return (self.now + _elapsed_ms.get()) * 1_000_000

    def randbits(self, count: int) -> int:
        return self._random.getrandbits(count)

    def datetime(self, zone: Any) -> datetime:
        return datetime.fromtimestamp(self.time_ns() / 1e9, zone or UTC)


@dataclass
class Queue:
    """A queue in memory, with the function that it invokes."""

    function: str
    waiting: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)  # by the time it is visible

    def put(self, order: int, visible_at: int, record: dict[str, Any]) -> None:
        heapq.heappush(self.waiting, (visible_at, order, record))


class Sender:
    """Replaces the product's webhook sender. It answers immediately, and reports a simulated latency."""

    def __init__(self, seed: int) -> None:
        self.outages: list[tuple[str, int, int]] = []  # (part of the URL, start, end)
        self.attempts = 0
        self._seed = seed

    async def send(self, url: str, headers: Any, body: bytes, *, total_timeout: float = 15, **_: Any) -> Any:
        from patchbay.webhooks.retry import ErrorKind
        from patchbay.webhooks.sender import SendResult

        sent = dict(headers)
        id, timestamp = sent["webhook-id"], int(sent["webhook-timestamp"])
        self.attempts += 1
        reply = receivers.reply(url, f"{self._seed} {id} {timestamp}", body)
        if any(part in url and since <= timestamp * 1000 < until for part, since, until in self.outages):
            reply = receivers.OUTAGE
        if reply is None:
            return SendResult(
                duration_ms=2, error_kind=ErrorKind.CONNECTION, error=_failure(ErrorKind.CONNECTION)
            )
        if reply.ms >= total_timeout * 1000:
            _elapsed_ms.set(round(total_timeout * 1000))
            return SendResult(
                duration_ms=round(total_timeout * 1000),
                error_kind=ErrorKind.TIMEOUT,
                error=_failure(ErrorKind.TIMEOUT),
            )
        _elapsed_ms.set(reply.ms)
        return SendResult(
            duration_ms=reply.ms,
            status_code=reply.status,
            response_headers=tuple(reply.headers),
            response_body=reply.body.decode(),
            retry_after=dict(reply.headers).get("retry-after"),
        )


def _failure(kind: Any) -> str:
    from patchbay.webhooks import failures

    return str(failures.DETAILS[kind])


class Product:
    """Handlers and workers of a workspace, at the time of `clock`."""

    def __init__(
        self,
        api: gateway.Api,
        functions: Mapping[str, Function],
        queues: Mapping[str, str],
        mint: Callable[[str, str, str], str],
        workspace: str,
        start_ms: int,
        seed: int,
    ) -> None:
        """`queues` has the function that each queue invokes, by the queue's URL. `mint(workspace, subject,
        role)` returns a JWT."""
        self.workspace = workspace
        self.clock = Clock(start_ms, seed)
        self.counts: dict[str, int] = {"requests": 0, "events": 0}
        self.sender = Sender(seed)
        self._api, self._functions, self._mint = api, functions, mint
        self._tokens: dict[tuple[str, str, str], str] = {}
        self._queues = {url: Queue(function) for url, function in queues.items()}
        self._in_flight: dict[str, tuple[str, dict[str, Any]]] = {}
        self._order = itertools.count()
        self._actions: list[tuple[int, int, Callable[[], object]]] = []
        self._install(seed)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> int:
        return self.clock.now

    def at(self, ms: int, action: Callable[[], object]) -> None:
        """Schedule an action. Actions at the same time keep their order."""
        heapq.heappush(self._actions, (ms, next(self._order), action))

    def run(self, until: int) -> None:
        """Advance the clock: run due actions, and invoke workers with the visible messages."""
        while True:
            action_at = self._actions[0][0] if self._actions else until + 1
            url, visible_at = self._next_message()
            if min(action_at, visible_at) > until:
                break
            if visible_at <= action_at:
                self.clock.now = max(self.clock.now, visible_at)
                self._deliver(url)
            else:
                self.clock.now = max(self.clock.now, action_at)
                heapq.heappop(self._actions)[2]()
                self.clock.now += 1  # IDs from the same millisecond have no order
        self.clock.now = max(self.clock.now, until)

    def _next_message(self) -> tuple[str, int]:
        waiting = [(queue.waiting[0][0], url) for url, queue in self._queues.items() if queue.waiting]
        visible_at, url = min(waiting, default=(2**62, ""))
        return url, visible_at

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────

    def user(self, line: str, body: Any = None, *, subject: str, role: str, workspace: str = "") -> Any:
        """Send a request as a user of the platform, and return the parsed response. Raises Refused."""
        return self.call(line, body, token=self.token(subject, role, workspace))

    def token(self, subject: str, role: str, workspace: str = "") -> str:
        """The JWT of a user."""
        who = workspace or self.workspace, subject, role
        if who not in self._tokens:
            self._tokens[who] = self._mint(*who)
        return self._tokens[who]

    def call(self, line: str, body: Any = None, *, token: str) -> Any:
        """Send a request with this bearer token, or none, and return the parsed response. Raises Refused."""
        status, text = self.answer(line, body, token=token)
        if status >= 400:
            raise Refused(f"{line}: {status} {text}")
        return json.loads(text) if text else None

    def answer(self, line: str, body: Any = None, *, token: str) -> tuple[int, str]:
        """Send a request, and return the status and the text of its response."""
        self.counts["requests"] += 1
        headers = {"content-type": "application/json", "host": "127.0.0.1", "user-agent": "demo"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        content = b"" if body is None else json.dumps(body).encode()
        status, _, text = direct.request(
            self._api,
            self._functions,
            line,
            headers,
            content,
            context=_CONTEXT,
            request_id=f"demo{next(self._order):012}",
        )
        return status, text

    def invoke(self, function: str, event: Mapping[str, Any] | None = None) -> Any:
        """Invoke a worker, as its schedule would."""
        return direct.handler_of(self._functions[function])(dict(event or {}), _CONTEXT)

    # ── queues ───────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, url: str) -> None:
        """Invoke a queue's worker with the visible messages."""
        queue, records = self._queues[url], list[dict[str, Any]]()
        while queue.waiting and queue.waiting[0][0] <= self.clock.now and len(records) < MAX_BATCH:
            record = heapq.heappop(queue.waiting)[2]
            attributes = record["attributes"]
            attributes["ApproximateReceiveCount"] = str(int(attributes["ApproximateReceiveCount"]) + 1)
            self._in_flight[record["receiptHandle"]] = url, record
            records.append(record)
        answer = self.invoke(queue.function, {"Records": records})
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for record in records:
            if self._in_flight.pop(record["receiptHandle"], None) and record["messageId"] in failed:
                queue.put(next(self._order), self.clock.now + VISIBILITY_MS, record)

    def _sqs(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        url = params["QueueUrl"]
        match operation:
            case "SendMessage":
                self._put(url, params["MessageBody"], params.get("DelaySeconds", 0))
            case "SendMessageBatch":
                for entry in params["Entries"]:
                    self._put(url, entry["MessageBody"])
            case "ChangeMessageVisibilityBatch":
                for entry in params["Entries"]:
                    _, record = self._in_flight.pop(entry["ReceiptHandle"])
                    visible_at = self.clock.now + int(entry["VisibilityTimeout"]) * 1000
                    self._queues[url].put(next(self._order), visible_at, record)
            case "GetQueueAttributes":
                return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": "0"}}
            case _:
                raise NotImplementedError(operation)
        return {}

    def _put(self, url: str, body: str, delay_seconds: int = 0) -> None:
        number = next(self._order)
        record = {
            "messageId": f"message-{number}",
            "receiptHandle": f"receipt-{number}",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "0", "SentTimestamp": str(self.clock.now)},
        }
        # A dead-letter queue has no worker.
        if url in self._queues:
            self._queues[url].put(number, self.clock.now + delay_seconds * 1000 + 20, record)

    def send_left(self) -> int:
        """Send the remaining messages to the queues of the stack, and return their number."""
        from patchbay.queues import MAX_DELAY_SECONDS

        sent = 0
        for url, queue in self._queues.items():
            while queue.waiting:
                visible_at, _, record = heapq.heappop(queue.waiting)
                delay = min(max((visible_at - self.now) // 1000, 0), MAX_DELAY_SECONDS)
                message = {"QueueUrl": url, "MessageBody": record["body"], "DelaySeconds": delay}
                self._call("sqs", "SendMessage", {**message, "MessageGroupId": self.workspace})
                sent += 1
        return sent

    # ── replacements ─────────────────────────────────────────────────────────────────────────────────

    def _install(self, seed: int) -> None:
        """Replace time, randomness, queues and receivers in the modules of the product."""
        assert secrets.SystemRandom is not random.Random
        generator = random.Random(seed)
        random.SystemRandom = lambda: generator  # type: ignore[assignment,misc]
        # These functions import all modules that keep a generator.
        for name in ("Deliver", "FanOut", "RefreshConnections", "RunFlows"):
            direct.handler_of(self._functions[f"{name}Function"])
        from patchbay import aws, aws_http, clock, ids
        from patchbay.api_keys import models as key_models
        from patchbay.deliveries import attempt
        from patchbay.webhooks import matching

        self._call, threads = aws.call, ThreadPoolExecutor(1)

        def call(service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
            if service == "sqs":
                return self._sqs(operation, params)
            return self._call(service, operation, params)

        def simulated_sender() -> Sender:
            # One thread, so that it does everything in the same order in every run.
            asyncio.get_running_loop().set_default_executor(threads)
            return self.sender

        for module, name, value in (
            (clock, "time", self.clock),
            (ids, "time", self.clock),
            (ids, "secrets", self.clock),
            (key_models, "datetime", SimpleNamespace(now=self.clock.datetime)),
            (aws, "call", call),
            (attempt, "sender", simulated_sender),
            # A busy machine must not make the history fail.
            (aws_http, "_CONNECT_SECONDS", 10),
            (aws_http, "_RESPONSE_SECONDS", 60),
            # Events are minutes apart. A change to the webhooks still replaces the cached ones.
            (matching, "_CACHE_MS", 86_400_000),
        ):
            setattr(module, name, value)
        logging.disable(logging.CRITICAL)
