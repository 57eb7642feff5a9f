"""The path of an event in one process: the handlers of publish, fan-out and delivery, called as Lambda calls
them, on their own data services and without the local runner. This way, each step can be measured alone.

Run as a program, this file is one side of a comparison (see deliveries.py): it reads commands from stdin and
answers on stdout, with the library of the working directory, which may be another commit's. It therefore
imports nothing from this folder, and uses only the handlers of the library.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

WORKSPACE = "bench"
EVENT_TYPE = "POST_PUBLISHED"
# The data that the schemas of the published types require.
POST = {"postId": "post_1", "network": "instagram"}
_DATA = {**POST, "campaignId": "cmp_1", "name": "Spring", "text": "x" * 500}
_SLOW_TYPE, _SPREAD_TYPE = "CAMPAIGN_STARTED", "CAMPAIGN_COMPLETED"
_CONTEXT = SimpleNamespace(
    get_remaining_time_in_millis=lambda: 30_000, aws_request_id="bench", function_name="bench"
)

# Each worker's queue. An older tree has no slow lane.
_WORKERS = {
    "FanOutFunction": "EventsQueue",
    "DeliverFunction": "DeliveriesQueue",
    "DeliverSlowFunction": "SlowDeliveriesQueue",
}


class Engine:
    """The handlers on a stack's `template` and `endpoints`. `logs` is the file of the handlers' output."""

    def __init__(self, template: Any, endpoints: dict[str, str], state: Path) -> None:
        from local import gateway, settings, token

        self.template = template
        self.logs = state / "logs"
        self._routes = gateway.read(template)
        self._handlers = {name: function.handler for name, function in template.functions().items()}
        self._state = state
        self._token = token.mint(state, WORKSPACE)
        self._sqs = settings.client("sqs", endpoints)

    def token_of(self, workspace: str) -> str:
        """A JWT of another workspace's owner."""
        from local import token

        return token.mint(self._state, workspace)

    def request(self, line: str, body: object = None, *, token: str | None = None) -> Any:
        """Call a route's handler: `request("POST /api/events", {…})`. Raises RuntimeError for an error
        response.
        """
        from local import gateway

        method, _, path = line.partition(" ")
        matched = self._routes.match(method, path)
        assert matched is not None, line
        route, parameters = matched
        headers = {"authorization": f"Bearer {token or self._token}", "content-type": "application/json"}
        scope = {
            "method": method,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "http_version": "1.1",
        }
        text = b"" if body is None else json.dumps(body).encode()
        event = gateway.payload(scope, headers, text, route, parameters, "bench-request")
        answer = self.invoke(route.function, event)
        if answer["statusCode"] >= 300:
            raise RuntimeError(f"{line}: {answer['statusCode']} {answer['body']}")
        return json.loads(answer["body"])

    def invoke(self, function: str, event: object) -> Any:
        """Call a function by its logical ID."""
        module, _, name = self._handlers[function].rpartition(".")
        return getattr(importlib.import_module(module), name)(event, _CONTEXT)

    def receive(self, queue: str, limit: int = 10) -> list[dict[str, Any]]:
        """Receive up to `limit` (at most 10) messages of a queue, as the records of Lambda's event."""
        answer = self._sqs.receive_message(
            QueueUrl=self.template.queue_url(queue),
            MaxNumberOfMessages=limit,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            for message in answer.get("Messages", [])
        ]

    def work(self, function: str, queue: str, records: list[dict[str, Any]]) -> list[str]:
        """Process a batch of a queue with its worker, and delete the successful messages, as the event source
        mapping does. Returns the IDs of the other messages.
        """
        answer = self.invoke(function, {"Records": records})
        failures = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        self.delete(queue, [record for record in records if record["messageId"] not in failures])
        return failures

    def delete(self, queue: str, records: list[dict[str, Any]]) -> None:
        """Delete at most 10 messages."""
        entries = [
            {"Id": str(index), "ReceiptHandle": record["receiptHandle"]}
            for index, record in enumerate(records)
        ]
        if entries:
            self._sqs.delete_message_batch(QueueUrl=self.template.queue_url(queue), Entries=entries)

    def queue_events(self, events: list[dict[str, Any]], token: str | None = None) -> None:
        """Publish events for the fan-out worker: events of a batch request are always queued."""
        answer = self.request("POST /api/events/batch", {"events": events}, token=token)
        assert all("id" in item for item in answer["items"]), answer

    def fan_out(self) -> None:
        """Fan out all events in the queue."""
        while records := self.receive("EventsQueue"):
            failures = self.work("FanOutFunction", "EventsQueue", records)
            assert not failures, "the fan-out left events in the queue"

    def settle(self) -> None:
        """Process all events, and the deliveries of both lanes, until the queues are empty."""
        found_messages = True
        while found_messages:
            found_messages = False
            for function, queue in _WORKERS.items():
                while function in self._handlers and (records := self.receive(queue)):
                    self.work(function, queue, records)
                    found_messages = True

    def log_lines(self) -> list[str]:
        """The handlers' output so far."""
        sys.stdout.flush()
        return self.logs.read_text().splitlines()


@contextlib.contextmanager
def engine(state: Path, **parameters: object) -> Iterator[Engine]:
    """Run the engine on its own ministack, with `parameters` of the template. Until the block ends, this
    process has the functions' environment, and its standard output goes to `Engine.logs`.
    """
    from local import parameters as local_parameters
    from local import services
    from local.runtime import environment_of
    from local.settings import ENDPOINT_VARIABLES, ROOT, jwt_secret
    from local.template import Template

    state.mkdir(parents=True, exist_ok=True)
    with asyncio.Runner() as runner:
        ministack = runner.run(services.Ministack.start(state))
        try:
            endpoints = dict.fromkeys(ENDPOINT_VARIABLES, ministack.url)
            endpoints["http"] = "http://127.0.0.1"
            values = local_parameters.read([f"{name}={value}" for name, value in parameters.items()])
            values["JwtSecretArn"] = services.jwt_secret_arn(endpoints, jwt_secret(state))
            template = Template(ROOT / "template.yaml", values)
            template.endpoints = endpoints
            template.identities = services.identify(template, endpoints)
            services.create(template, endpoints)
            environment = environment_of(template.functions()["DeliverFunction"], endpoints)
            path = environment.pop("PYTHONPATH").split(os.pathsep)
            before = dict(os.environ)
            os.environ.update(environment)
            sys.path[:0] = path
            try:
                with _redirected_output(state / "logs"):
                    yield Engine(template, endpoints, state)
            finally:
                os.environ.clear()
                os.environ.update(before)
                del sys.path[: len(path)]
        finally:
            runner.run(ministack.stop())


@contextlib.contextmanager
def _redirected_output(file: Path) -> Iterator[None]:
    """Redirect standard output by its file descriptor, because the library's logger already holds
    `sys.stdout`.
    """
    sys.stdout.flush()
    original = os.dup(1)
    with file.open("wb") as log:
        os.dup2(log.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(original, 1)
        os.close(original)


# ── one side of a comparison ─────────────────────────────────────────────────────────────────────────


def serve(urls: list[str]) -> None:
    """Answer each line of stdin, a step, with {"cpu": s, "loop": s, "wall": s, "units": n}: the CPU of the
    process, the CPU of its main thread, the elapsed time, and the number of events or deliveries. The steps:

        publish          one event, with its fan-out if that is part of the request
        fan-out          a batch of 10 queued events
        fan-out alone    a batch of one queued event
        10, 1            a batch of 10 deliveries, or one, to the first URL
        slow             a batch of 10 deliveries to the second URL
        spread           one event to all other URLs
    """
    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as running:
        for index, url in enumerate(urls):
            event_type = (EVENT_TYPE, _SLOW_TYPE, _SPREAD_TYPE)[min(index, 2)]
            body = {"name": f"bench {index}", "url": url, "eventTypes": [event_type]}
            running.request("POST /api/integrations/webhooks", body)
        for event_type in (EVENT_TYPE, _SLOW_TYPE, _SPREAD_TYPE)[: len(urls)]:
            running.request("POST /api/events", {"type": event_type, "data": _DATA})
        running.settle()  # a new webhook uses the slow lane until it has answered
        terms = {"rateLimitPerHour": 1_000_000, "rateLimitPerDay": 1_000_000}
        key = running.request(
            "POST /api/integrations/api-keys", {"name": "bench", "scopes": ["events:publish"], **terms}
        )["key"]
        side = _Side(running, key)
        for line in sys.stdin:
            print(json.dumps(side.measure(line.strip())), file=answers, flush=True)


class _Side:
    def __init__(self, engine: Engine, key: str) -> None:
        self._engine = engine
        self._key = key

    def measure(self, step: str) -> dict[str, float]:
        match step:
            case "publish":
                cost = _cost(self._publish, 1)
                self._engine.fan_out()
                list(self._batches())
            case "fan-out" | "fan-out alone":
                count = 10 if step == "fan-out" else 1
                self._engine.queue_events([{"type": EVENT_TYPE, "data": _DATA}] * count, self._key)
                cost = _sum(self._batches("FanOutFunction", "EventsQueue"))
                list(self._batches())
            case "slow":
                for _ in range(10):
                    self._publish(_SLOW_TYPE)
                self._engine.fan_out()
                cost = _sum(self._batches())
            case "spread":
                self._publish(_SPREAD_TYPE)
                self._engine.fan_out()
                cost = _sum(self._batches())
            case _:
                for _ in range(int(step)):
                    self._publish()
                self._engine.fan_out()
                cost = _sum(self._batches())
        return cost

    def _publish(self, event_type: str = EVENT_TYPE) -> None:
        event = {"type": event_type, "data": _DATA}
        self._engine.request("POST /api/events", event, token=self._key)

    def _batches(
        self, function: str = "DeliverFunction", queue: str = "DeliveriesQueue"
    ) -> Iterator[dict[str, float]]:
        """Process all waiting messages in batches of ten, and yield the cost of each batch."""
        while records := self._engine.receive(queue):
            yield _cost(lambda: self._process(function, records), len(records))
            self._engine.delete(queue, records)

    def _process(self, function: str, records: list[dict[str, Any]]) -> None:
        if self._engine.invoke(function, {"Records": records})["batchItemFailures"]:
            raise RuntimeError(f"{function} left messages of its batch")


def _sum(costs: Iterator[dict[str, float]]) -> dict[str, float]:
    all_costs = list(costs)
    return {name: sum(cost[name] for cost in all_costs) for name in all_costs[0]}


def _cost(work: Callable[[], object], units: int) -> dict[str, float]:
    wall, loop, cpu = time.perf_counter(), time.thread_time(), time.process_time()
    work()
    return {
        "cpu": time.process_time() - cpu,
        "loop": time.thread_time() - loop,
        "wall": time.perf_counter() - wall,
        "units": units,
    }


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # instead of this folder
    serve(sys.argv[1:])
