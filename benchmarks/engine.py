"""The way of an event in one process: the handlers of publish, fan-out and delivery, each called as Lambda calls
it, on data services of their own with no runner beside them. So each step is measured alone.

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
_CONTEXT = SimpleNamespace(
    get_remaining_time_in_millis=lambda: 30_000, aws_request_id="bench", function_name="bench"
)


class Engine:
    """`logs` is the file that takes what the handlers print; `endpoints` and `template` are the stack's."""

    def __init__(self, template: Any, endpoints: dict[str, str], state: Path) -> None:
        from local import gateway, settings, token

        self.template = template
        self.logs = state / "logs"
        self._routes = gateway.read(template)
        self._handlers = {name: function.handler for name, function in template.functions().items()}
        self._token = token.mint(state, WORKSPACE)
        self._sqs = settings.client("sqs", endpoints)

    def request(self, line: str, body: Any = None, *, token: str | None = None) -> Any:
        """`request("POST /api/events", {…})`, by the handler of that route. Raises RuntimeError on an error."""
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
        again = [failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures", [])]
        done = [record for record in records if record["messageId"] not in again]
        if done:
            self._sqs.delete_message_batch(
                QueueUrl=self.template.queue_url(queue),
                Entries=[
                    {"Id": str(at), "ReceiptHandle": record["receiptHandle"]}
                    for at, record in enumerate(done)
                ],
            )
        return again

    def fan_out(self) -> None:
        """Every published event."""
        while records := self.receive("EventsQueue"):
            again = self.work("FanOutFunction", "EventsQueue", records)
            assert not again, "the fan-out left events in the queue"

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


def serve(url: str) -> None:
    """Answers `publish`, `fan-out`, `10` and `1` (a batch of deliveries of that size to `url`), one a line, with
    {"cpu": s, "loop": s, "wall": s, "units": n}: CPU of the process, of its main thread, time, and of how many.
    """
    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as made:
        made.request("POST /api/integrations/webhooks", {"name": "bench", "url": url, "events": [EVENT_TYPE]})
        key = made.request(
            "POST /api/integrations/api-keys",
            {
                "name": "bench",
                "scopes": ["events:publish"],
                "rateLimitPerHour": 1_000_000,
                "rateLimitPerDay": 1_000_000,
            },
        )["key"]
        event = {"type": EVENT_TYPE, "data": {"text": "x" * 500}}

        def publish() -> None:
            made.request("POST /api/events", event, token=key)

        for line in sys.stdin:
            command = line.strip()
            if command == "publish":
                cost = _cost(publish, 1)
                made.fan_out()
                _drain(made)
            elif command == "fan-out":
                for _ in range(10):
                    publish()
                records = made.receive("EventsQueue")
                cost = _cost(lambda: made.invoke("FanOutFunction", {"Records": records}), len(records))  # noqa: B023
                _drain(made)
                _forget(made, "EventsQueue")
            else:
                for _ in range(int(command)):
                    publish()
                made.fan_out()
                records = made.receive("DeliveriesQueue", int(command))
                assert len(records) == int(command), "the queue gave fewer than were sent"
                cost = _cost(lambda: _delivered(made, records), len(records))  # noqa: B023
                _forget(made, "DeliveriesQueue")
            print(json.dumps(cost), file=answers, flush=True)


def _cost(work: Callable[[], object], units: int) -> dict[str, float]:
    wall, loop, cpu = time.perf_counter(), time.thread_time(), time.process_time()
    work()
    return {
        "cpu": time.process_time() - cpu,
        "loop": time.thread_time() - loop,
        "wall": time.perf_counter() - wall,
        "units": units,
    }


def _delivered(made: Engine, records: list[dict[str, Any]]) -> None:
    answer = made.invoke("DeliverFunction", {"Records": records})
    if answer["batchItemFailures"]:
        raise RuntimeError("the receiver did not take the deliveries")


def _drain(made: Engine) -> None:
    while records := made.receive("DeliveriesQueue"):
        made.work("DeliverFunction", "DeliveriesQueue", records)


def _forget(made: Engine, queue: str) -> None:
    made._sqs.purge_queue(QueueUrl=made.template.queue_url(queue))


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # instead of this folder
    serve(sys.argv[1])
