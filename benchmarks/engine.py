"""The way of an event in one process: the handlers of publish, fan-out and delivery, each called as Lambda
calls it, on data services of their own with no runner beside them. So each step is measured alone.

As a program it is one side of a comparison (see deliveries.py): it serves commands on stdin and answers on
stdout, with the library of the working directory, which may be another commit's. It therefore asks nothing of
this folder, and of the library nothing but its handlers.
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
# What the schemas of the types that are published here ask for.
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
    """`logs` is the file that takes what the handlers print; `endpoints` and `template` are the stack's."""

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

    def request(self, line: str, body: Any = None, *, token: str | None = None) -> Any:
        """`request("POST /api/events", {…})`, by that route's handler. Raises RuntimeError for an error."""
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

    def invoke(self, function: str, event: Any) -> Any:
        """A function by its logical id."""
        module, _, name = self._handlers[function].rpartition(".")
        return getattr(importlib.import_module(module), name)(event, _CONTEXT)

    def receive(self, queue: str, most: int = 10) -> list[dict[str, Any]]:
        """Up to `most` (10 at most) messages of a queue, as the records of Lambda's event."""
        answer = self._sqs.receive_message(
            QueueUrl=self.template.queue_url(queue),
            MaxNumberOfMessages=most,
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
        """A batch of a queue's messages by its worker, and, as the event source mapping does, the deletion of
        what it is done with. Returns the ids that come again.
        """
        answer = self.invoke(function, {"Records": records})
        again = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        self.delete(queue, [record for record in records if record["messageId"] not in again])
        return again

    def delete(self, queue: str, records: list[dict[str, Any]]) -> None:
        """Messages (10 at most) that have served."""
        entries = [
            {"Id": str(at), "ReceiptHandle": record["receiptHandle"]} for at, record in enumerate(records)
        ]
        if entries:
            self._sqs.delete_message_batch(QueueUrl=self.template.queue_url(queue), Entries=entries)

    def queue_events(self, events: list[dict[str, Any]], token: str | None = None) -> None:
        """Publish events for the fan-out's worker: those of a batch are queued, whatever they match."""
        answer = self.request("POST /api/events/batch", {"events": events}, token=token)
        assert all("id" in item for item in answer["items"]), answer

    def fan_out(self) -> None:
        """Every event that waits in the queue."""
        while records := self.receive("EventsQueue"):
            again = self.work("FanOutFunction", "EventsQueue", records)
            assert not again, "the fan-out left events in the queue"

    def settle(self) -> None:
        """Work all events and deliveries, of both lanes, until the queues are empty."""
        worked = True
        while worked:
            worked = False
            for function, queue in _WORKERS.items():
                while function in self._handlers and (records := self.receive(queue)):
                    self.work(function, queue, records)
                    worked = True

    def log_lines(self) -> list[str]:
        """What the handlers have printed so far."""
        sys.stdout.flush()
        return self.logs.read_text().splitlines()


@contextlib.contextmanager
def engine(state: Path, **parameters: object) -> Iterator[Engine]:
    """The engine on a ministack of its own, with the template's `parameters`; this process has its functions'
    environment until the block ends, and what it prints goes to `Engine.logs`.
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
            given = local_parameters.read([f"{name}={value}" for name, value in parameters.items()])
            given["JwtSecretArn"] = services.jwt_secret_arn(endpoints, jwt_secret(state))
            template = Template(ROOT / "template.yaml", given)
            template.endpoints = endpoints
            template.identities = services.identify(template, endpoints)
            services.create(template, endpoints)
            environment = environment_of(template.functions()["DeliverFunction"], endpoints)
            path = environment.pop("PYTHONPATH").split(os.pathsep)
            before = dict(os.environ)
            os.environ.update(environment)
            sys.path[:0] = path
            try:
                with _printing_to(state / "logs"):
                    yield Engine(template, endpoints, state)
            finally:
                os.environ.clear()
                os.environ.update(before)
                del sys.path[: len(path)]
        finally:
            runner.run(ministack.stop())


@contextlib.contextmanager
def _printing_to(file: Path) -> Iterator[None]:
    """Standard output by its number, as the library's logger took hold of `sys.stdout` long ago."""
    sys.stdout.flush()
    kept = os.dup(1)
    with file.open("wb") as log:
        os.dup2(log.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


# ── one side of a comparison ─────────────────────────────────────────────────────────────────────────


def serve(urls: list[str]) -> None:
    """Answers each line of stdin with {"cpu": s, "loop": s, "wall": s, "units": n}: CPU of the process, of
    its main thread, time, and for how many. The steps: `publish` is one event (with its fan-out, if that is
    part of the request), `fan-out` a batch of 10 queued events and `fan-out alone` of one, `10` and `1` a
    batch of so many deliveries to the first URL, `slow` one of 10 to the second, `spread` one event to all
    the others.
    """
    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as made:
        for at, url in enumerate(urls):
            event_type = (EVENT_TYPE, _SLOW_TYPE, _SPREAD_TYPE)[min(at, 2)]
            body = {"name": f"bench {at}", "url": url, "events": [event_type]}
            made.request("POST /api/integrations/webhooks", body)
        for event_type in (EVENT_TYPE, _SLOW_TYPE, _SPREAD_TYPE)[: len(urls)]:
            made.request("POST /api/events", {"type": event_type, "data": _DATA})
        made.settle()  # a new webhook takes the slow lane until it has answered
        terms = {"rateLimitPerHour": 1_000_000, "rateLimitPerDay": 1_000_000}
        key = made.request(
            "POST /api/integrations/api-keys", {"name": "bench", "scopes": ["events:publish"], **terms}
        )["key"]
        side = _Side(made, key)
        for line in sys.stdin:
            print(json.dumps(side.measure(line.strip())), file=answers, flush=True)


class _Side:
    def __init__(self, made: Engine, key: str) -> None:
        self._made = made
        self._key = key

    def measure(self, step: str) -> dict[str, float]:
        match step:
            case "publish":
                cost = _cost(self._publish, 1)
                self._made.fan_out()
                list(self._batches())
            case "fan-out" | "fan-out alone":
                count = 10 if step == "fan-out" else 1
                self._made.queue_events([{"type": EVENT_TYPE, "data": _DATA}] * count, self._key)
                cost = _sum(self._batches("FanOutFunction", "EventsQueue"))
                list(self._batches())
            case "slow":
                for _ in range(10):
                    self._publish(_SLOW_TYPE)
                self._made.fan_out()
                cost = _sum(self._batches())
            case "spread":
                self._publish(_SPREAD_TYPE)
                self._made.fan_out()
                cost = _sum(self._batches())
            case _:
                for _ in range(int(step)):
                    self._publish()
                self._made.fan_out()
                cost = _sum(self._batches())
        return cost

    def _publish(self, event_type: str = EVENT_TYPE) -> None:
        event = {"type": event_type, "data": _DATA}
        self._made.request("POST /api/events", event, token=self._key)

    def _batches(
        self, function: str = "DeliverFunction", queue: str = "DeliveriesQueue"
    ) -> Iterator[dict[str, float]]:
        """Works all that waits, ten to a batch, and yields what each cost."""
        while records := self._made.receive(queue):
            yield _cost(lambda: self._worked(function, records), len(records))
            self._made.delete(queue, records)

    def _worked(self, function: str, records: list[dict[str, Any]]) -> None:
        if self._made.invoke(function, {"Records": records})["batchItemFailures"]:
            raise RuntimeError(f"{function} left messages of its batch")


def _sum(costs: Iterator[dict[str, float]]) -> dict[str, float]:
    each = list(costs)
    return {name: sum(cost[name] for cost in each) for name in each[0]}


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
