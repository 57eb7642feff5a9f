"""Promise 8: no secret in logs, in the clear at rest, or in a response after the one that creates it.

Every endpoint and worker is driven with the library's logs at DEBUG; then all that was logged, stored, queued
and answered is searched for every secret that was in play.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local import gateway
from patchbay.observability import logger
from tests.conftest import JWT_SECRET, LAMBDA_CONTEXT, Answer, Api, Backend, jwt_for

WEBHOOKS = "/api/integrations/webhooks"
KEYS = "/api/integrations/api-keys"
EVENTS = "/api/events"
HEADER_VALUES = {"Authorization": "Bearer receiver-token-5f2c", "X-Api-Key": "receiver-key-91d0"}
CHANGED_VALUE = "receiver-key-changed-77aa"


@dataclass
class Seen:
    """What came out of the library, and the secrets that must not be in it."""

    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[str, str]] = field(default_factory=list)
    queued: list[str] = field(default_factory=list)

    def note(self, line: str, answer: Answer) -> Answer:
        """An answer in which no secret may be."""
        self.answers.append((line, f"{answer.headers} {answer.text}"))
        return answer

    def found_in(self, text: str) -> list[str]:
        return [name for name, secret in self.secrets.items() if any(form in text for form in forms(secret))]


def forms(secret: str) -> set[str]:
    """A secret as it might turn up: itself, its telling part, and in base64 or as JSON within JSON."""
    # Of a key only the secret part tells: its id is public. Of a JWT only the signature admits.
    core = secret
    if secret.startswith("sk_"):
        core = secret.split("_")[3]
    elif secret.count(".") == 2:
        core = secret.rpartition(".")[2]
    elif secret.startswith("whsec_"):
        core = secret.removeprefix("whsec_")
    encoded = base64.b64encode(core.encode()).decode().rstrip("=")
    return {core, encoded, json.dumps(core)[1:-1]}


@pytest.fixture
def logs(logs: io.StringIO, caplog: pytest.LogCaptureFixture) -> Iterator[io.StringIO]:
    """The library's own log, here at DEBUG; what other loggers say is in `caplog`."""
    level = logger.log_level
    logger.setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    # The SDK's own DEBUG is the wire itself, on no one's request but a developer's.
    for name in ("botocore", "boto3", "urllib3"):
        caplog.set_level(logging.INFO, logger=name)
    yield logs
    logger.setLevel(level)


@pytest.fixture
def receiver() -> Iterator[str]:
    """Answers 500 first, then 200."""
    count = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal count
            count += 1
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(500 if count == 1 else 200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


def work(backend: Backend, handler: str, queue: str, seen: Seen) -> None:
    """Run a worker on what waits in its queue."""
    records = backend.messages(queue)
    seen.queued += [record["body"] for record in records]
    module, _, name = handler.rpartition(".")
    getattr(importlib.import_module(module), name)({"Records": records}, LAMBDA_CONTEXT)


def test_no_secret_anywhere(
    api: Api,
    backend: Backend,
    logs: io.StringIO,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    receiver: str,
    subtests: pytest.Subtests,
) -> None:
    seen = Seen({"the JWT secret": JWT_SECRET, **{f"header {k}": v for k, v in HEADER_VALUES.items()}})
    seen.secrets["a changed header"] = CHANGED_VALUE
    owner, viewer = jwt_for("acme"), jwt_for("acme", role="viewer", claims={"sub": "v"})
    bad = owner[:-6] + "AAAAAA"
    seen.secrets |= {"the owner's JWT": owner, "the viewer's JWT": viewer}
    driven: set[str] = set()

    def call(line: str, **options: Any) -> Answer:
        options.setdefault("token", owner)
        answer = api(line, **options)
        driven.add(line)
        return answer

    # Creating: the one answer that shows a secret, and its replay under the same Idempotency-Key.
    webhook_body = {
        "name": "w",
        "url": receiver,
        "events": ["*"],
        "headers": HEADER_VALUES,
        "retryConfig": {"maxRetries": 3, "initialDelaySeconds": 1},
    }
    key_body = {"name": "k", "scopes": ["events:publish", "events:read", "webhooks:read", "api-keys:read"]}
    once = {"Idempotency-Key": "an-idempotency-key"}
    made = call(f"POST {WEBHOOKS}", json=webhook_body, headers=once)
    webhook = made.json()
    seen.secrets["the webhook's secret"] = webhook["secret"]
    assert seen.found_in(made.text) == ["the webhook's secret"]
    created = call(f"POST {KEYS}", json=key_body, headers=once)
    key = created.json()
    seen.secrets["the API key"] = key["key"]
    assert seen.found_in(created.text) == ["the API key"]
    doomed = call(f"POST {KEYS}", json=key_body).json()
    seen.secrets["a revoked key"] = doomed["key"]
    assert call(f"POST {WEBHOOKS}", json=webhook_body, headers=once).json()["secret"] == webhook["secret"]
    assert call(f"POST {KEYS}", json=key_body, headers=once).json()["key"] == key["key"]

    # Each route, with a JWT and with the key.
    event = call(
        f"POST {EVENTS}", json={"type": "POST_PUBLISHED", "data": {"n": 1}}, token=key["key"], headers=once
    )
    event_id = seen.note("publish", event).json()["id"]
    work(backend, "workers.fan_out.handler", "EventsQueue", seen)
    work(backend, "workers.deliver.handler", "DeliveriesQueue", seen)
    delivery = seen.note("deliveries", call(f"GET {WEBHOOKS}/{webhook['id']}/deliveries")).json()["items"][0]
    assert (delivery["status"], delivery["reason"]) == ("RETRYING", "http_500")
    event_2 = call(f"POST {EVENTS}", json={"type": "POST_FAILED", "data": {}}, token=key["key"])
    seen.note("publish", event_2)
    work(backend, "workers.fan_out.handler", "EventsQueue", seen)
    work(backend, "workers.deliver.handler", "DeliveriesQueue", seen)
    importlib.import_module("workers.sweep_deliveries").handler({}, LAMBDA_CONTEXT)

    one = f"{WEBHOOKS}/{webhook['id']}"
    reads = [
        *("GET /api/health", f"GET {WEBHOOKS}", f"GET {one}", f"GET {one}/deliveries"),
        *(f"GET {one}/deliveries/{delivery['id']}", f"GET {EVENTS}", f"GET {EVENTS}/{event_id}"),
        *(f"GET {KEYS}", f"GET {KEYS}/{key['id']}", "GET /api/nothing"),
    ]
    for line in reads:
        for token in (owner, key["key"]):
            answer = seen.note(line, call(line, token=token))
            assert answer.status == (404 if "nothing" in line else 200), answer
    assert "********" in call(f"GET {one}").text
    changed = call(f"PUT {one}", json={"headers": {"X-Api-Key": CHANGED_VALUE}})
    assert seen.note("update", changed).status == 200
    assert seen.note("status", call(f"PUT {one}/status", json={"status": "INACTIVE"})).status == 200

    # What goes wrong: each with a secret where it does not belong.
    for line, options in (
        (f"POST {WEBHOOKS}", {"json": {**webhook_body, "headers": {"Host": HEADER_VALUES["X-Api-Key"]}}}),
        (f"POST {WEBHOOKS}", {"json": {**webhook_body, "headers": {"X-A": CHANGED_VALUE + "\n"}}}),
        (f"POST {WEBHOOKS}", {"json": {**webhook_body, "secret": webhook["secret"]}}),
        (f"POST {WEBHOOKS}", {"json": {**webhook_body, "url": f"https://u:{CHANGED_VALUE}@example.com/"}}),
        (f"POST {WEBHOOKS}", {"json": {**webhook_body, "name": 5}, "headers": once}),
        (f"POST {WEBHOOKS}", {"json": {**webhook_body, "name": "other"}, "headers": once}),
        (f"POST {WEBHOOKS}", {"body": json.dumps(webhook_body).encode()[:-1]}),
        (f"POST {KEYS}", {"json": {**key_body, "scopes": [key["key"]]}}),
        (f"POST {KEYS}", {"json": {**key_body, "key": key["key"]}}),
        (f"POST {EVENTS}", {"json": {"type": key["key"], "data": {}}}),
        (f"PUT {one}", {"json": {"headers": {"X-Api-Key": "********"}}}),
        (f"GET {WEBHOOKS}", {"token": bad}),
        (f"GET {WEBHOOKS}", {"token": key["key"][:-1] + "!"}),
        (f"GET {WEBHOOKS}", {"token": None, "headers": {"X-API-Key": owner}}),
        (f"GET {WEBHOOKS}", {"headers": {"X-API-Key": key["key"]}}),
        (f"GET {WEBHOOKS}", {"token": None, "headers": {"Authorization": f"Basic {key['key']}"}}),
        (f"POST {WEBHOOKS}", {"json": webhook_body, "token": viewer}),
        (f"GET {WEBHOOKS}?limit={key['key']}&cursor={webhook['secret']}", {}),
        (f"GET {KEYS}/{key['key']}", {}),
    ):
        answer = seen.note(f"{line}, refused", call(line, **options))
        if line.endswith(key["key"]):
            seen.answers.pop()  # `instance` is the caller's own path, and goes back to that caller only
        assert 400 <= answer.status < 500, (line, answer)

    assert seen.note("revoke", call(f"DELETE {KEYS}/{doomed['id']}")).status == 200
    assert seen.note("revoked", call(f"GET {WEBHOOKS}", token=doomed["key"])).status == 401
    for line in (f"GET {KEYS}", f"GET {KEYS}/{doomed['id']}"):
        seen.note(line, call(line))
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("patchbay.webhooks.store.create", lambda *_: 1 / 0)
        broken.setattr("patchbay.api_keys.store.create", lambda *_: int("nothing"))
        broken.setattr("patchbay.queues.send", lambda *_: 1 / 0)
        for line, body in (
            (WEBHOOKS, webhook_body),
            (KEYS, key_body),
            (EVENTS, {"type": "POST_FAILED", "data": {}}),
        ):
            for headers in ({}, {"Idempotency-Key": "another"}):
                answer = seen.note("broken", call(f"POST {line}", json=body, token=owner, headers=headers))
                assert answer.status == 500
    assert seen.note("delete", call(f"DELETE {one}")).status == 200

    with subtests.test("every route was driven"):
        known = gateway.read(backend.template)
        reached = {
            known.match(line.partition(" ")[0], line.partition(" ")[2].partition("?")[0])[0].key  # type: ignore[index]
            for line in driven
        }
        assert reached == {route.key for route in known.routes}
    with subtests.test("answers"):
        for line, text in seen.answers:
            assert not seen.found_in(text), line
    with subtests.test("the library's log"):
        text = logs.getvalue()
        assert text.count("\n") > 50
        assert not seen.found_in(text), [line for line in text.splitlines() if seen.found_in(line)][:3]
    with subtests.test("other logs, and what is printed"):
        printed = capfd.readouterr()
        assert not seen.found_in(caplog.text + printed.out + printed.err)
    with subtests.test("queues"):
        for queue in backend.template.of_type("AWS::SQS::Queue"):
            seen.queued += [message["body"] for message in backend.messages(queue.logical_id)]
        assert len(seen.queued) >= 4
        assert not [name for body in seen.queued for name in seen.found_in(body)]
    with subtests.test("tables"):
        for table in backend.template.of_type("AWS::DynamoDB::Table"):
            rows = backend.rows(table.logical_id)
            assert rows, f"{table.logical_id} is empty: nothing was looked at"
            for row in rows:
                text = repr(row)
                assert not seen.found_in(text), (table.logical_id, sorted(row))
                # Nor a plain hash of a secret, which a word list would open.
                assert not re.search(r"whsec_|Bearer ", text)
