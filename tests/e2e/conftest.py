"""The local stack, and a workspace of it as its owner sees it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pytest
from standardwebhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from local.runtime import environment_of
from local.settings import ROOT
from local.template import Template
from local.testing import RunningStack, stack
from tests.catalogued import POST
from tests.receivers import Request

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
        """Publishes POST_PUBLISHED, what it requires before what is given; the 202's answer."""
        body = {"type": "POST_PUBLISHED", "data": {**POST, **(data or {})}}
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

    def statuses(self, id: str) -> dict[str, str]:
        """The state of an event's deliveries by webhook; empty until the event is there."""
        event = self.event(id)
        return {d["webhookId"]: d["status"] for d in event["deliveries"]} if event else {}

    def settled(self, id: str) -> dict[str, str]:
        """How an event's deliveries ended, by webhook, once all have."""

        def ended() -> dict[str, str] | None:
            statuses = self.statuses(id)
            return statuses if statuses and set(statuses.values()) <= TERMINAL else None

        return eventually(ended) or {}

    def delivery(self, webhook: dict[str, Any], event_id: str) -> dict[str, Any]:
        """The delivery of an event to a webhook, with its payload and attempts."""
        event = eventually(lambda: self.event(event_id)) or {}
        ids = {delivery["webhookId"]: delivery["id"] for delivery in event["deliveries"]}
        found: dict[str, Any] = self(f"GET {WEBHOOKS}/{webhook['id']}/deliveries/{ids[webhook['id']]}")
        return found


def verify(received: Request, secret: str) -> None:
    """Both packages that receivers use take the signature. Each raises when it does not hold."""
    headers = dict(received.headers)
    StandardWebhook(secret).verify(received.body, headers)
    SvixWebhook(secret).verify(received.body, headers)
