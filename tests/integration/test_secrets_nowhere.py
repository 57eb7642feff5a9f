"""Promise 8: no secret in logs, in the clear at rest, or in a response after the one that creates it.

Every endpoint and worker is driven with the library's logs at DEBUG; then all that was logged, stored, queued
and answered is searched for every secret that was in play.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import json
import logging
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from local import gateway
from patchbay import queues, vault
from patchbay.api_keys import guard, key_format, service, store
from patchbay.api_keys.models import CreateApiKey, Verification, VerifyApiKey
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.clock import at_ms, iso
from patchbay.http import Request
from patchbay.ids import ApiKeyId
from patchbay.observability import flush_metrics, logger, metrics
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.catalogued import POST, least
from tests.conftest import (
    JWT_SECRET,
    LAMBDA_CONTEXT,
    REDIRECT_URI,
    RETURN_ORIGIN,
    Answer,
    Api,
    Backend,
    jwt_for,
)
from tests.faults import REFUSED, THROTTLED, TIMEOUT, Clock, failing
from tests.receivers import Answer as Reply
from tests.receivers import Request as Received
from tests.receivers import receiver as http_receiver

WEBHOOKS = "/api/integrations/webhooks"
KEYS = "/api/integrations/api-keys"
EVENTS = "/api/events"
FAILED_POST = {"type": "POST_FAILED", "data": least("POST_FAILED")}
INTEGRATIONS = "/api/integrations"
JSON = {"content-type": "application/json"}
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
    """The library's own log and the root logger at DEBUG; what other loggers say is in `caplog`."""
    level = logger.log_level
    logger.setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    yield logs
    logger.setLevel(level)


@pytest.fixture
def receiver() -> Iterator[str]:
    """Answers 500 first, then 200, and repeats what it got: in a header, and in the body as JSON."""
    count = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal count
            count += 1
            self.rfile.read(int(self.headers["content-length"]))
            body = json.dumps(dict(self.headers)).encode()
            self.send_response(500 if count == 1 else 200)
            self.send_header("content-length", str(len(body)))
            self.send_header("x-echo", str(self.headers["authorization"]))
            self.end_headers()
            self.wfile.write(body)

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


def deliver(backend: Backend, seen: Seen) -> None:
    """A new webhook's deliveries go through the slow lane."""
    work(backend, "workers.deliver.handler", "DeliveriesQueue", seen)
    work(backend, "workers.deliver_slow.handler", "SlowDeliveriesQueue", seen)


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
    post = {"type": "POST_PUBLISHED", "data": {**POST, "n": 1}}
    event = call(f"POST {EVENTS}", json=post, token=key["key"], headers=once)
    event_id = seen.note("publish", event).json()["id"]
    work(backend, "workers.fan_out.handler", "EventsQueue", seen)
    deliver(backend, seen)
    delivery = seen.note("deliveries", call(f"GET {WEBHOOKS}/{webhook['id']}/deliveries")).json()["items"][0]
    assert (delivery["status"], delivery["reason"]) == ("RETRYING", "http_500")
    event_2 = call(f"POST {EVENTS}", json=FAILED_POST, token=key["key"])
    seen.note("publish", event_2)
    batch = {"events": [FAILED_POST, {"type": key["key"], "data": {}}]}
    batched = seen.note("publish a batch", call(f"POST {EVENTS}/batch", json=batch, token=key["key"]))
    assert ["error" in item for item in batched.json()["items"]] == [False, True]
    work(backend, "workers.fan_out.handler", "EventsQueue", seen)
    deliver(backend, seen)
    importlib.import_module("workers.sweep_deliveries").handler({}, LAMBDA_CONTEXT)

    one = f"{WEBHOOKS}/{webhook['id']}"
    changed = call(f"PUT {KEYS}/{key['id']}", json={"name": "renamed"})
    assert seen.note("update a key", changed).status == 200
    rotated = call(f"POST {KEYS}/{doomed['id']}/rotate", json={})
    seen.secrets["a rotated key"] = rotated.json()["key"]
    assert seen.found_in(rotated.text) == ["a rotated key"]
    rotated = call(f"POST {one}/rotate-secret", headers=once)
    seen.secrets["a rotated secret"] = rotated.json()["secret"]
    assert seen.found_in(rotated.text) == ["a rotated secret"]
    replayed = call(f"POST {one}/rotate-secret", headers=once)
    assert replayed.json()["secret"] == rotated.json()["secret"]
    tested = seen.note("test", call(f"POST {one}/test", json={"eventType": "POST_FAILED"}))
    assert tested.json()["statusCode"] == 200
    again = call(f"POST {one}/deliveries/{delivery['id']}/retry")
    assert seen.note("retry", again).status in (202, 409)
    since = {"since": iso(datetime.now(UTC) - timedelta(hours=1))}
    assert seen.note("recover", call(f"POST {one}/recover", json=since)).status == 202
    for text in (key["key"], doomed["key"], key["key"][:-1] + "!"):
        assert seen.note("verify", call(f"POST {KEYS}/verify", json={"key": text})).status == 200
    reads = [
        *(
            "GET /api/health",
            f"GET {WEBHOOKS}",
            f"GET {WEBHOOKS}/event-types",
            f"GET {one}",
            f"GET {one}/deliveries",
        ),
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

    drive_automations(seen, call)
    drive_connections(seen, call)

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
        (f"POST {one}/rotate-secret", {"json": {"secret": webhook["secret"]}}),
        (f"POST {one}/test", {"json": {"eventType": webhook["secret"]}}),
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
        broken.setattr("patchbay.publishing.fan_out.queues.send_all", lambda *_: 1 / 0)
        for line, body in (
            (WEBHOOKS, webhook_body),
            (KEYS, key_body),
            (EVENTS, FAILED_POST),
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


# ── automations ──────────────────────────────────────────────────────────────────────────────────────


def drive_automations(seen: Seen, call: Any) -> None:
    """Every route of the automations; a hook's signing secret is shown once."""
    base, once = "/api/automations/zapier", {"Idempotency-Key": "of a zap"}
    wanted = {"targetUrl": "https://hooks.zapier.example/1", "event": "POST_PUBLISHED"}
    made = call(f"POST {base}/hooks", json=wanted, headers=once)
    seen.secrets["a hook's secret"] = made.json()["secret"]
    assert seen.found_in(made.text) == ["a hook's secret"]
    assert call(f"POST {base}/hooks", json=wanted, headers=once).json() == made.json()
    assert seen.note("the hook again", call(f"POST {base}/hooks", json=wanted)).status == 200
    platform = jwt_for("platform")
    seen.secrets["the platform's JWT"] = platform
    choices = {"workspaceId": "acme", "items": [{"id": "a", "label": "A"}]}
    filled = call("PUT /api/actions/choices/accounts", json=choices, token=platform)
    assert seen.note("choices", filled).status == 200
    asked = {"input": {"name": "Spring"}, "callbackUrl": "https://hooks.zapier.example/2"}
    started = call(f"POST {base}/actions/create_campaign", json=asked, headers=once)
    run = seen.note("an action", started).json()["id"]
    said = {"status": "FAILED", "error": "no"}
    assert seen.note("answer", call(f"PUT /api/actions/runs/{run}", json=said, token=platform)).status == 200
    hook = f"{base}/hooks/{made.json()['id']}"
    for rest in ("me", "triggers", "triggers/POST_PUBLISHED/samples", "hooks", "actions", "runs"):
        assert seen.note(rest, call(f"GET {base}/{rest}")).status == 200
    for line in (f"GET {base}/choices/accounts", f"GET {base}/runs/{run}", f"GET {hook}", f"DELETE {hook}"):
        assert seen.note(line, call(line)).status == 200


# ── integrations and connections ─────────────────────────────────────────────────────────────────────


class TalkativeProvider:
    """An authorization server that says every secret that it was sent in its errors."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self.refuses = False
        self.number = 0

    def answer(self, request: Received) -> Reply:
        form = dict(parse_qsl(request.body.decode()))
        self._seen.secrets |= {f"form {name}": form[name] for name in ("code_verifier",) if name in form}
        if self.refuses:
            said = f"no: {request.body.decode()} {form} {dict(request.headers)}"
            return Reply(
                400, JSON, json.dumps({"error": "invalid_grant", "error_description": said}).encode()
            )
        self.number += 1
        tokens = {name: f"{name}-{self.number}-5d1c0e77" for name in ("access_token", "refresh_token")}
        self._seen.secrets |= {f"{name} {self.number}": token for name, token in tokens.items()}
        return Reply(200, JSON, json.dumps({**tokens, "expires_in": 3600}).encode())


def drive_connections(seen: Seen, call: Callable[..., Answer]) -> None:
    """Every endpoint of integrations, OAuth and connections."""
    config = {
        "clientId": "the-client",
        "clientSecret": "client-secret-0b6e44",
        "apiToken": "own-token-9a0f3d",
    }
    changed = {"clientSecret": "client-secret-changed-7c1a"}
    credentials = {"username": "jo", "password": "basic-password-31f0aa"}
    code = "authorization-code-8e21b7"
    seen.secrets |= {
        "the client secret": config["clientSecret"],
        "a secret of the config": config["apiToken"],
        "a changed client secret": changed["clientSecret"],
        "a password": credentials["password"],
        "the code": code,
    }
    provider = TalkativeProvider(seen)
    with http_receiver([provider.answer]) as r:
        addresses = {f"{name}Url": f"{r.url}/{name}" for name in ("authorization", "token", "revocation")}
        body = {
            "name": "own",
            "type": "CUSTOM",
            "provider": "own",
            "config": {**addresses, **config, "clientAuth": "basic"},
            "scopes": ["a"],
        }
        made = seen.note("create", call(f"POST {INTEGRATIONS}", json=body, headers={"Idempotency-Key": "i"}))
        path = f"{INTEGRATIONS}/{made.json()['id']}"
        for line in (f"GET {path}", f"GET {INTEGRATIONS}", f"GET {INTEGRATIONS}/marketplace"):
            assert seen.note(line, call(line)).status == 200
        revealed = call(f"GET {path}?reveal=true")
        assert set(seen.found_in(revealed.text)) == {"the client secret", "a secret of the config"}
        assert seen.note("update", call(f"PUT {path}", json={"config": changed})).status == 200

        def begin(name: str) -> str:
            back = {"redirectUri": REDIRECT_URI, "returnUrl": f"{RETURN_ORIGIN}/x", "connectionId": name}
            begun = call(f"POST {path}/oauth/initiate", json=back)
            assert begun.status == 200, begun
            state = str(begun.json()["state"])
            seen.secrets[f"a state of {name}"] = state  # known to the caller only, and good for one use
            assert set(seen.found_in(begun.text)) == {f"a state of {name}"}
            sent_on = call(f"GET {path}/oauth/callback?code={code}&state={state}", token=None)
            assert sent_on.status == 303
            return state

        for name in ("default", "doomed"):
            finish = {"state": begin(name), "code": code}
            assert (
                seen.note("callback", call(f"POST {INTEGRATIONS}/oauth/callback", json=finish)).status == 200
            )
        token = call(f"GET {path}/connections/default/token")
        assert seen.found_in(token.text) == ["access_token 1"]
        assert seen.note("refresh", call(f"POST {path}/oauth/refresh")).status == 200
        provider.refuses = True
        refusals: list[tuple[str, dict[str, Any]]] = [
            (f"POST {path}/oauth/refresh", {"connectionId": "doomed"}),
            (f"POST {INTEGRATIONS}/oauth/callback", {"state": begin("third"), "code": code}),
            (
                f"POST {INTEGRATIONS}/oauth/callback",
                {"state": begin("fourth"), "error": "access_denied", "error_description": "no"},
            ),
            (f"PUT {path}", {"config": {"tokenUrl": f"http://x:{changed['clientSecret']}@example.com"}}),
            (f"PUT {path}", {"config": {"clientId": [config["clientSecret"]]}}),
            (f"POST {path}/connections", {"credentials": {"token": credentials["password"]}}),
            (f"POST {path}/connections", {"credentials": credentials}),
        ]
        for line, refused in refusals:
            assert 400 <= seen.note(line, call(line, json=refused)).status < 500, line
        plain = call(f"POST {INTEGRATIONS}", json={"name": "plain", "type": "CRM"}).json()["id"]
        own = f"{INTEGRATIONS}/{plain}"
        made = call(
            f"POST {own}/connections", json={"credentials": credentials}, headers={"Idempotency-Key": "c"}
        )
        assert seen.note("credentials", made).status == 201
        issued = call(f"GET {own}/connections/default/token")
        assert seen.found_in(issued.text) == ["a password"]
        template = call(f"GET {INTEGRATIONS}/marketplace").json()["items"][-1]["id"]
        assert seen.note("install", call(f"POST {INTEGRATIONS}/{template}/install")).status == 201
        pause = call(f"PUT {own}/status", json={"status": "INACTIVE"})
        assert seen.note("status", pause).status == 200
        for line in (
            f"GET {path}/logs?limit=100",
            f"GET {path}/connections",
            f"GET {path}/connections/doomed",
        ):
            assert seen.note(line, call(line)).status == 200
        # A provider that refuses to revoke, with all it knows.
        assert seen.note("disconnect", call(f"DELETE {path}/connections/doomed")).status == 200
        begin("open")
        assert seen.note("delete", call(f"DELETE {own}")).status == 200
        importlib.import_module("workers.refresh_connections").handler({}, LAMBDA_CONTEXT)
        importlib.import_module("workers.review_publication").handler({}, LAMBDA_CONTEXT)


# ── API keys, through every endpoint of theirs ───────────────────────────────────────────────────────


@dataclass
class KeyHunt:
    """Everything that an API key went through, and every text that came out of it."""

    api: Api
    backend: Backend
    logs: io.StringIO
    caplog: pytest.LogCaptureFixture
    capfd: pytest.CaptureFixture[str]
    keys: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    queued: list[str] = field(default_factory=list)
    driven: set[tuple[str, int]] = field(default_factory=set)

    def call(self, line: str, *, shows: bool = False, **options: Any) -> Answer:
        """A request. Its answer may hold a key only if it `shows` one."""
        answer = self.api(line, **options)
        self.driven.add((re.sub(r"key_\w+", "{id}", line.partition("?")[0]), answer.status))
        if not shows:
            self.answers.append(f"{answer.headers} {answer.text}")
        return answer

    def make(self, name: str, token: str | None = None, **changes: Any) -> dict[str, Any]:
        body = {"name": name, "scopes": ["posts:read", "api-keys:read"]} | changes
        line, token = f"POST {KEYS}", token or jwt_for("acme")
        made: dict[str, Any] = self.call(line, json=body, token=token, shows=True).json()
        self.keys[name] = made["key"]
        return made

    def verify(self, key: str, code: str | None, **options: Any) -> None:
        """`code` is None where there is no verdict but an error."""
        body = {"key": key} | options.pop("body", {})
        answer = self.call(f"POST {KEYS}/verify", json=body, **options)
        assert answer.json()["code"] == code if code else answer.status >= 400, answer

    def raises(self, act: Callable[[], object]) -> None:
        """What an exception, and all that it came from, says of itself in process."""
        with pytest.raises(Exception) as caught:  # noqa: PT011  # any: each is searched
            act()
        error = caught.value
        self.raised += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]

    def found(self) -> dict[str, set[str]]:
        """Place by place, the names of the keys that turned up."""
        queues = [queue.logical_id for queue in self.backend.template.of_type("AWS::SQS::Queue")]
        sent = [message["body"] for queue in queues for message in self.backend.messages(queue)]
        printed = self.capfd.readouterr()
        places = {
            "answers": self.answers,
            "log": [self.logs.getvalue()],
            "other logs": [self.caplog.text, *(repr(vars(record)) for record in self.caplog.records)],
            "printed": [printed.out, printed.err],
            "exceptions": self.raised,
            "queues": self.queued + sent,
            "tables": [str(row) for row in self.rows()],
        }
        assert all("".join(texts) for texts in places.values()), "a place is empty: nothing was looked at"
        forms = {name: key_forms(key) for name, key in self.keys.items()}
        return {
            place: {name for name, of in forms.items() for text in texts if any(form in text for form in of)}
            for place, texts in places.items()
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """Raw, as DynamoDB holds them; bytes as text too, so that nothing hides in them."""
        dynamodb = self.backend.client("dynamodb")
        for table in self.backend.template.of_type("AWS::DynamoDB::Table"):
            name = self.backend.template.name(table.logical_id)
            for page in dynamodb.get_paginator("scan").paginate(TableName=name):
                yield from page["Items"]


PLACES = ("answers", "log", "other logs", "printed", "exceptions", "queues", "tables")


def key_forms(key: str) -> set[str]:
    """A key as it might turn up: its secret part (its id is public) in the clear, encoded, or as a hash that
    one could look for; and the same of the whole key.
    """
    forms = set()
    for text in (key.split("_")[3].encode(), key.encode()):
        forms |= {text.decode(), text.hex(), hashlib.sha256(text).hexdigest(), hashlib.md5(text).hexdigest()}  # noqa: S324
        # In base64 it looks in three ways, by what stands before it.
        forms |= {base64.b64encode(b"x" * ahead + text).decode()[4:-4] for ahead in range(3)}
        forms.add(base64.b64encode(hashlib.sha256(text).digest()).decode())
    return forms


NEVER = {"name": "never", "scopes": ["posts:read"]}


def drive_every_key_endpoint(hunt: KeyHunt, clock: Clock, receiver: str) -> None:
    owner, stranger, platform = jwt_for("acme"), jwt_for("globex"), jwt_for("platform")
    call, verify, once = hunt.call, hunt.verify, {"Idempotency-Key": "an-idempotency-key"}
    hook = {"name": "w", "url": receiver, "events": ["*"]}
    assert call(f"POST {WEBHOOKS}", json=hook, shows=True).status == 201

    # The answers that show a key: create, rotate, and their replays.
    key = hunt.make("a good key", scopes=["posts:read", "api-keys:read", "api-keys:write", "api-keys:verify"])
    foreign = hunt.make("a foreign key", stranger)
    spent = hunt.make("a spent key", rateLimitPerHour=1)
    gone = hunt.make("a revoked key")
    ends = hunt.make("an expired key", expiresAt=iso(at_ms(clock.now + 3 * 86_400_000)))
    body = {"name": "once", "scopes": ["posts:read"]}
    for _ in range(2):
        created = call(f"POST {KEYS}", json=body, headers=once, shows=True)
        hunt.keys["a key made once"] = created.json()["key"]
        rotated = call(f"POST {KEYS}/{gone['id']}/rotate", json={}, headers=once, shows=True)
        hunt.keys["a rotated key"] = rotated.json()["key"]
    assert call(f"POST {KEYS}", json=body | {"name": "other"}, headers=once).status == 422
    good, one = key["key"], f"{KEYS}/{key['id']}"

    # Those that do not, with a key in each header, and with a JWT.
    credentials: list[dict[str, Any]] = [
        {"token": owner},
        {"token": good},
        {"token": None, "headers": {"X-API-Key": good}},
        {"token": good, "headers": {"X-API-Key": good}},
    ]
    for options in credentials:
        for line, sent in (
            (f"GET {KEYS}", None),
            (f"GET {one}", None),
            (f"PUT {KEYS}/{spent['id']}", {"name": "spent"}),
            (f"POST {KEYS}/verify", {"key": good}),
            (f"DELETE {KEYS}/{gone['id']}", None),
        ):
            assert call(line, json=sent, **options).status == 200, line

    # Verify, whatever comes. Each with a key in the body; most with one in a header.
    verify(spent["key"], "VALID")
    clock.move(4 * 86_400)
    never = key_format.assemble("sk_test", ApiKeyId.new(), key_format.mint_secret())
    wrong = key_format.assemble("sk_test", ApiKeyId(key["id"]), key_format.mint_secret())
    hunt.keys |= {"a key that never was": never, "a key with a wrong secret": wrong}
    verify(spent["key"], "VALID")
    for token in (owner, good, platform):
        for text, code in (
            (good, "VALID"),
            (spent["key"], "RATE_LIMITED"),
            (ends["key"], "EXPIRED"),
            (gone["key"], "REVOKED"),
            (foreign["key"], "VALID" if token == platform else "NOT_FOUND"),
            *((text, "NOT_FOUND") for text in (never, wrong)),
            *(
                (text, "MALFORMED")
                for text in (good + "x", good[:-1], " " + good, f"Bearer {good}", good * 3)
            ),
        ):
            verify(text, code, token=token)
        verify(good, "INSUFFICIENT_SCOPES", token=token, body={"scopes": ["posts:write"]})

    # What is refused, with a key where it does not belong.
    verify_line = f"POST {KEYS}/verify"
    for body in (
        *({"key": good, "cost": cost} for cost in (0, good, True, [good])),
        *({"key": good, "scopes": scopes} for scopes in ([good], good, [{"a": good}])),
        *({"key": value} for value in ([good], {"key": good}, good * 4, None)),
        *({"key": good, "workspaceId": good}, {"cost": good}, [good], good),
    ):
        assert call(verify_line, json=body).status == 422, body
    for raw in (f'{{"key": "{good}"', f'{{"key": "{good}", "key": 1}}', good, f'{{"key": "{good}\\ud800"}}'):
        assert call(verify_line, body=raw.encode()).status in (400, 422), raw
    assert call(verify_line, body=json.dumps({"key": good}).encode() + b" " * 2**20).status == 413
    refusals: list[tuple[str, dict[str, Any]]] = [
        (f"POST {KEYS}", {"json": {"name": good * 2, "scopes": ["posts:read"]}}),
        (f"POST {KEYS}", {"json": {"name": "x", "scopes": [good]}}),
        (f"POST {KEYS}", {"json": {"name": "x", "scopes": ["posts:read"], "expiresAt": good}}),
        (f"PUT {one}", {"json": {"key": good}}),
        (f"PUT {one}", {"json": {"rateLimitPerHour": good}}),
        (f"PUT {one}", {"json": {"scopes": ["events:read"]}, "token": good}),
        (f"PUT {one}", {"json": {}, "headers": {"If-Match": good}}),
        (f"PUT {KEYS}/{gone['id']}", {"json": {"name": "x"}}),
        (f"POST {KEYS}/{gone['id']}/rotate", {"json": {}}),
        (f"POST {one}/rotate", {"json": {"overlapSeconds": good}}),
        (f"POST {KEYS}/{foreign['id']}/rotate", {"json": {}}),
        (f"GET {KEYS}/{foreign['id']}", {}),
        (f"DELETE {one}", {"headers": {"If-Match": "77"}}),
        (f"DELETE {KEYS}/{foreign['id']}", {}),
        (f"GET {KEYS}?limit={good}&cursor={good}&api_key={good}", {}),
        (f"GET {KEYS}?api_key={good}", {"token": None}),
        *((f"GET {KEYS}", {"token": text}) for text in (gone["key"], ends["key"], never, wrong, good + "x")),
        (f"GET {KEYS}", {"token": None, "headers": {"X-API-Key": wrong}}),
        (f"GET {KEYS}", {"token": wrong, "headers": {"X-API-Key": good}}),
        (f"GET {KEYS}", {"token": None, "headers": {"Authorization": f"Basic {good}"}}),
        (f"GET {KEYS}", {"token": spent["key"]}),
        (verify_line, {"json": {"key": good}, "token": jwt_for("acme", role="viewer")}),
    ]
    for line, options in refusals:
        assert 400 <= call(line, **options).status < 500, (line, options)

    # What breaks: AWS that refuses, or never answers; and code that fails with a key in its hands.
    for operation, error in (
        *(("dynamodb.UpdateItem", error) for error in (REFUSED, TIMEOUT, THROTTLED)),
        *(("dynamodb.GetItem", error) for error in (REFUSED, TIMEOUT, THROTTLED)),
    ):
        guard.clear_cache()
        with failing(operation, error=error, where=key["id"]):
            verify(good, None if (operation, error) != ("dynamodb.UpdateItem", THROTTLED) else "RATE_LIMITED")
        guard.clear_cache()
        with failing(operation, error=error, where=key["id"]):
            assert call(f"GET {KEYS}", token=good).status in (429, 500)
    for operation, line, sent in (
        ("dynamodb.Query", f"GET {KEYS}", None),
        ("dynamodb.BatchGetItem", f"GET {KEYS}", None),
        ("dynamodb.GetItem", f"GET {one}", None),
        ("dynamodb.UpdateItem", f"PUT {one}", {"name": "never"}),
        ("dynamodb.TransactWriteItems", f"POST {KEYS}", NEVER),
        ("dynamodb.TransactWriteItems", f"POST {one}/rotate", {}),
        ("dynamodb.UpdateItem", f"DELETE {one}", None),
        ("dynamodb.PutItem", f"POST {KEYS}", NEVER),
        ("kms.Decrypt", f"POST {KEYS}", NEVER),
    ):
        vault.clear_cache()
        headers = {"Idempotency-Key": operation} if operation.endswith((".PutItem", ".Decrypt")) else {}
        with failing(operation, error=REFUSED):
            status = call(line, json=sent, headers=headers).status
        assert status == (502 if operation.startswith("kms") else 500), operation
    for place in (
        *("api_keys.hashing.matches", "api_keys.hashing.mark", "api_keys.key_format.parse"),
        *("api_keys.store.count", "api_keys.store.state", "rate_limits.sliding_window.plan"),
    ):
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(f"patchbay.{place}", lambda *_, **__: int("nothing"))
            for _ in range(2):
                verify(good, None)
                assert call(f"GET {KEYS}", token=good).status == 500
                guard.clear_cache()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("patchbay.api_keys.store.create", lambda *_: int("nothing"))
        broken.setattr("patchbay.api_keys.store.rotate", lambda *_: int("nothing"))
        for line, sent in ((f"POST {KEYS}", NEVER), (f"POST {one}/rotate", {})):
            for headers in ({}, {"Idempotency-Key": line}):
                assert call(line, json=sent, headers=headers).status == 500

    # In process: what an exception or a developer's print says.
    ada = Principal("acme", "user:ada", ROLES["owner"], role="owner")
    for text in (gone["key"], ends["key"], never, wrong, good + "x", spent["key"], good):
        hunt.raises(lambda text=text: guard.admit(text, scopes=["no:such"], cost=5))  # type: ignore[misc]
        guard.clear_cache()
    hunt.raises(lambda: guard.admit(good, workspace_id="globex"))
    for options in (
        {"key": [good]},
        {"key": good * 4},
        {"key": good, "cost": good},
        {"key": good, "x": good},
    ):
        hunt.raises(lambda options=options: VerifyApiKey.model_validate(options))  # type: ignore[misc]
    made = service.create(ada, CreateApiKey(name="in process", scopes=["posts:read"]))
    hunt.keys["a key made in process"] = made.key
    printable = (made, VerifyApiKey(key=good), service.verify(ada, VerifyApiKey(key=good)), guard.admit(good))
    stored = store.get("acme", made.id)
    parsed = key_format.parse("sk_test", good)
    hunt.raised += [form(each) for form in (str, repr) for each in (*printable, stored, parsed)]

    # The workers: what ends soon is announced, fanned out and delivered; what has ended is counted out.
    hunt.make("a key that ends soon", expiresAt=iso(at_ms(clock.now + 5 * 86_400_000)))
    importlib.import_module("workers.expire_keys").handler({}, LAMBDA_CONTEXT)
    seen = Seen()
    work(hunt.backend, "workers.fan_out.handler", "EventsQueue", seen)
    deliver(hunt.backend, seen)
    assert any("API_KEY_EXPIRING" in body for body in seen.queued)
    hunt.queued += seen.queued


@pytest.fixture
def hunt(
    api: Api,
    backend: Backend,
    logs: io.StringIO,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> KeyHunt:
    return KeyHunt(api, backend, logs, caplog, capfd)


@pytest.fixture
def clock(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_no_api_key_anywhere(hunt: KeyHunt, clock: Clock, receiver: str, subtests: pytest.Subtests) -> None:
    drive_every_key_endpoint(hunt, clock, receiver)
    with subtests.test("every endpoint of keys was driven, in each way that it can end"):
        known = {route.key for route in gateway.read(hunt.backend.template).routes if "api-keys" in route.key}
        assert {line for line, _ in hunt.driven if "api-keys" in line} == known
        for line in known:
            ends = {status for driven, status in hunt.driven if driven == line}
            assert ends & {200, 201}, line
            assert ends & {400, 401, 403, 404, 409, 422}, line
            assert 500 in ends, line
    for place, names in hunt.found().items():
        with subtests.test(place):
            assert not names


def test_the_hunt_finds_what_is_planted(hunt: KeyHunt, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each place, in one of the shapes that it looks for."""
    made = hunt.make("a leaked key")
    key, secret = made["key"], made["key"].split("_")[3]
    hunt.make("a kept key")
    verify = service.verify

    def leaks(principal: Principal, body: VerifyApiKey) -> Verification:
        logger.debug("verify", body=body.model_dump())
        logging.getLogger("another").debug("%s", {"authorization": f"Bearer {body.key}"})
        metrics().add_metric("Verified", "Count", 1)
        metrics().add_metadata("key", body.key)
        flush_metrics()
        told = verify(principal, body)
        return told.model_copy(update={"scopes": [hashlib.sha256(body.key.encode()).hexdigest()]})

    monkeypatch.setattr(service, "verify", leaks)
    hunt.verify(key, "VALID")
    hunt.raises(lambda: int(secret))
    body = base64.b64encode(f'{{"body":"{key}"}}'.encode()).decode()
    queues.send(settings().events_queue_url, queues.Message(body=body, group="g"))
    dynamo.put(settings().idempotency_table, {"id": "x", "answer": secret.encode()})
    assert hunt.found() == {place: {"a leaked key"} for place in PLACES}


def test_a_request_may_be_printed() -> None:
    """It holds the credentials, and of an OAuth callback the code."""
    secret = "sk_test_in-a-header"
    request = Request.of(
        {
            "routeKey": "GET /",
            "rawPath": "/",
            "requestContext": {"requestId": "1", "http": {"method": "GET"}},
            "headers": {"authorization": f"Bearer {secret}", "x-api-key": secret},
            "queryStringParameters": {"code": secret},
            "body": secret,
        }
    )
    assert secret not in repr(request)
