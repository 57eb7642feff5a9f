"""The local stack, and a workspace as its owner sees it."""

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
from tests.engines import queues
from tests.receivers import Request

WEBHOOKS = "/api/integrations/webhooks"
API_KEYS = "/api/integrations/api-keys"
# A deadline for busy machines. No test needs all of it.
TIMEOUT_SECONDS = 60
TERMINAL = {"DELIVERED", "FAILED", "CANCELLED"}

Result = TypeVar("Result")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack with the template's default parameters, shared by all tests that do not change it."""
    state = tmp_path_factory.mktemp("stack")
    with queues.of_a_stack() as environment, stack(state, environment=environment) as running:
        yield running


@pytest.fixture
def workspace(running: RunningStack) -> Workspace:
    """A new workspace."""
    return Workspace(running)


def eventually(probe: Callable[[], Result], seconds: float = TIMEOUT_SECONDS) -> Result:
    """Call the probe until its result is truthy, and return it. Raises AssertionError after the time."""
    deadline = time.monotonic() + seconds
    while not (result := probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return result


# ── the stack ────────────────────────────────────────────────────────────────────────────────────────


def template_of(running: RunningStack) -> Template:
    """Return the template with the stack's parameters."""
    described = running.describe()
    template = Template(ROOT / "template.yaml", described["parameters"])
    template.identities, template.endpoints = described["ids"], described["endpoints"]
    return template


def environment(running: RunningStack, function: str) -> dict[str, str]:
    """Return a function's environment variables, with which any process can use the stack's data."""
    template = template_of(running)
    return environment_of(template.functions()[function], template.endpoints)


# ── a workspace ──────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Workspace:
    """Sends requests as the owner of one workspace. A `token` can also be an API key."""

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
        """Send a request, such as `ask("GET /api/events")`, and return the response, whatever its status."""
        method, _, target = line.partition(" ")
        return httpx.request(
            method,
            self.stack.url + target,
            json=json,
            headers={"authorization": f"Bearer {token or self.token}", **(headers or {})},
            timeout=40,
            trust_env=False,
            verify=False,  # noqa: S501  # the stack uses only HTTP, and loading certificates takes 25 ms
        )

    def __call__(self, line: str, **options: Any) -> Any:
        """Send a request that must succeed, and return its JSON."""
        answer = self.ask(line, **options)
        assert answer.is_success, f"{line}: {answer.status_code} {answer.text}"
        return answer.json()

    def webhook(self, url: str, **settings: Any) -> dict[str, Any]:
        """Create a webhook for POST_PUBLISHED that retries after a second."""
        body = {
            "name": "receiver",
            "url": url,
            "eventTypes": ["POST_PUBLISHED"],
            "retryConfig": {"maxRetries": 3, "backoffMultiplier": 1, "initialDelaySeconds": 1},
        }
        created: dict[str, Any] = self(f"POST {WEBHOOKS}", json={**body, **settings})
        return created

    def key(self, *scopes: str, **settings: Any) -> dict[str, Any]:
        """Create an API key."""
        body = {"name": "test", "scopes": list(scopes), **settings}
        created: dict[str, Any] = self(f"POST {API_KEYS}", json=body)
        return created

    def publish(self, data: Any = None, **options: Any) -> dict[str, Any]:
        """Publish POST_PUBLISHED with the required data and `data`, and return the body of the 202."""
        body = {"type": "POST_PUBLISHED", "data": {**POST, **(data or {})}}
        published: dict[str, Any] = self("POST /api/events", json=body, **options)
        return published

    def event(self, id: str) -> dict[str, Any] | None:
        """Return an event with its deliveries, or None until it exists."""
        answer = self.ask(f"GET /api/events/{id}")
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        event: dict[str, Any] = answer.json()
        return event

    def statuses(self, id: str) -> dict[str, str]:
        """Return the statuses of an event's deliveries by webhook: empty until the event exists."""
        event = self.event(id)
        return {d["webhookId"]: d["status"] for d in event["deliveries"]} if event else {}

    def settled(self, id: str) -> dict[str, str]:
        """Wait until all deliveries of an event have ended, and return their statuses by webhook."""

        def ended() -> dict[str, str] | None:
            statuses = self.statuses(id)
            return statuses if statuses and set(statuses.values()) <= TERMINAL else None

        return eventually(ended) or {}

    def delivery(self, webhook: dict[str, Any], event_id: str) -> dict[str, Any]:
        """Return the delivery of an event to a webhook, with its payload and attempts."""
        event = eventually(lambda: self.event(event_id)) or {}
        ids = {delivery["webhookId"]: delivery["id"] for delivery in event["deliveries"]}
        result: dict[str, Any] = self(f"GET {WEBHOOKS}/{webhook['id']}/deliveries/{ids[webhook['id']]}")
        return result


def verify(received: Request, secret: str) -> None:
    """Verify the signature with both packages that receivers use. Each raises for an invalid one."""
    headers = dict(received.headers)
    StandardWebhook(secret).verify(received.body, headers)
    SvixWebhook(secret).verify(received.body, headers)
