"""The local stack, a workspace of it as its owner sees it, and receivers."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import httpx
import pytest
from standardwebhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from local.runtime import environment_of
from local.settings import ROOT
from local.template import Template
from local.testing import RunningStack, stack

WEBHOOKS = "/api/integrations/webhooks"
API_KEYS = "/api/integrations/api-keys"
# Deadlines are for a machine that is busy with other things; none is ever waited for in full.
PATIENCE_SECONDS = 60
TERMINAL = {"DELIVERED", "FAILED", "CANCELLED"}

Found = TypeVar("Found")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One stack with the template's own parameters, for all tests that leave it as it is."""
    with stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def workspace(running: RunningStack) -> Workspace:
    """A workspace that nobody has used."""
    return Workspace(running)


def eventually(probe: Callable[[], Found], seconds: float = PATIENCE_SECONDS) -> Found:
    """What the probe answers as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
    return found


# ── the stack ────────────────────────────────────────────────────────────────────────────────────────


def template_of(running: RunningStack) -> Template:
    """The template as the stack serves it."""
    described = running.describe()
    template = Template(ROOT / "template.yaml", described["parameters"])
    template.identities, template.endpoints = described["ids"], described["endpoints"]
    return template


def environment(running: RunningStack, function: str) -> dict[str, str]:
    """The environment of a function's processes: with it, any process works on the stack's data."""
    template = template_of(running)
    return environment_of(template.functions()[function], template.endpoints)


# ── a workspace ──────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Workspace:
    """Requests of one workspace's owner; `token` may be an API key instead."""

    stack: RunningStack
    name: str = field(default_factory=lambda: f"w-{uuid.uuid4().hex[:10]}")

    def __post_init__(self) -> None:
        self.token = self.stack.token(self.name)

    def ask(
        self,
        line: str,
        *,
        json: Any = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """`ask("GET /api/events")`: any answer."""
        method, _, target = line.partition(" ")
        return httpx.request(
            method,
            self.stack.url + target,
            json=json,
            headers={"authorization": f"Bearer {token or self.token}", **(headers or {})},
            timeout=40,
            trust_env=False,
        )

    def __call__(self, line: str, **more: Any) -> Any:
        """The JSON of an answer that must be a success."""
        answer = self.ask(line, **more)
        assert answer.is_success, f"{line}: {answer.status_code} {answer.text}"
        return answer.json()

    def webhook(self, url: str, **more: Any) -> dict[str, Any]:
        """A new webhook for POST_PUBLISHED that retries after a second."""
        body = {
            "name": "receiver",
            "url": url,
            "events": ["POST_PUBLISHED"],
            "retryConfig": {"maxRetries": 3, "backoffMultiplier": 1, "initialDelaySeconds": 1},
        }
        created: dict[str, Any] = self(f"POST {WEBHOOKS}", json={**body, **more})
        return created

    def key(self, *scopes: str, **more: Any) -> dict[str, Any]:
        """A new API key."""
        body = {"name": "test", "scopes": list(scopes), **more}
        created: dict[str, Any] = self(f"POST {API_KEYS}", json=body)
        return created

    def publish(self, data: Any = None, **more: Any) -> dict[str, Any]:
        """Publishes POST_PUBLISHED; the 202's answer."""
        body = {"type": "POST_PUBLISHED", "data": {} if data is None else data}
        published: dict[str, Any] = self("POST /api/events", json=body, **more)
        return published

    def event(self, id: str) -> dict[str, Any] | None:
        """An event with its deliveries; None until it is there."""
        answer = self.ask(f"GET /api/events/{id}")
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        event: dict[str, Any] = answer.json()
        return event

    def settled(self, id: str) -> dict[str, str]:
        """How an event's deliveries ended, by webhook, once all have."""

        def ended() -> dict[str, str] | None:
            event = self.event(id)
            statuses = {d["webhookId"]: d["status"] for d in event["deliveries"]} if event else {}
            return statuses if statuses and set(statuses.values()) <= TERMINAL else None

        return eventually(ended) or {}

    def delivery(self, webhook: dict[str, Any], event_id: str) -> dict[str, Any]:
        """The delivery of an event to a webhook, with its payload and attempts."""
        event = eventually(lambda: self.event(event_id)) or {}
        ids = {delivery["webhookId"]: delivery["id"] for delivery in event["deliveries"]}
        found: dict[str, Any] = self(f"GET {WEBHOOKS}/{webhook['id']}/deliveries/{ids[webhook['id']]}")
        return found


# ── receivers ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Received:
    """A request that came; header names in lower case."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """Answers with the statuses in turn, the last one for ever, each after `seconds`."""

    statuses: Sequence[int]
    seconds: float
    url: str = ""
    requests: list[Received] = field(default_factory=list)
    held: int = 0  # requests that wait for their answer now
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, received: Received) -> int:
        with self._lock:
            self.requests.append(received)
            self.held += 1
            status = self.statuses[min(len(self.requests), len(self.statuses)) - 1]
        time.sleep(self.seconds)
        with self._lock:
            self.held -= 1
        return status


@contextmanager
def receiver(statuses: Sequence[int] = (200,), *, seconds: float = 0) -> Iterator[Receiver]:
    """A real HTTP receiver on loopback."""
    state = Receiver(statuses, seconds)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(state.take(Received(headers, body)))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Tests look at `requests`."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A worker that is killed leaves its connection."""

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def verify(received: Received, secret: str) -> None:
    """Both packages that receivers use take the signature. Each raises when it does not hold."""
    StandardWebhook(secret).verify(received.body, received.headers)
    SvixWebhook(secret).verify(received.body, received.headers)
