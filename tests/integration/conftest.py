"""The delivery pipeline in this process, with a clock that tests control."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from patchbay import compact_json
from patchbay.events.models import EventMessage
from patchbay.ids import DeliveryId, EventId, parse_webhook_key, webhook_key
from patchbay.publishing.fan_out import fan_out_batch
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.storage import due_index, dynamo
from patchbay.webhooks import filter_paths
from tests.catalogued import POST
from tests.conftest import LAMBDA_CONTEXT, Api, Backend, jwt_for
from tests.conftest import Answer as Response
from tests.faults import Aws, Clock, Source, cold_start, one_at_a_time

DAY = 86_400
WEBHOOKS = "/api/integrations/webhooks"


@pytest.fixture
def any_filter_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept filters on any path, as if the catalogue described every field of every event type."""
    monkeypatch.setattr(filter_paths, "_schemas", lambda event_types: [{}])


def health(key: str) -> Health:
    """The stored health of a webhook."""
    return health_store.health_from_row(dynamo.get(*health_store.table_key(*parse_webhook_key(key))))


def fan_out(event: EventMessage) -> None:
    """Queue the deliveries of an event."""
    assert (
        fan_out_batch([{"messageId": "m", "body": compact_json.dumps(event.fields())}], lambda: 30_000) == []
    )


def take_deliveries(backend: Backend) -> list[dict[str, Any]]:
    """Remove the queued deliveries from their queue. Returns their messages."""
    sqs, url = backend.client("sqs"), backend.queue_url("DeliveriesQueue")
    records = backend.messages("DeliveriesQueue")
    for record in records:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
    return [json.loads(record["body"]) for record in records]


class Pipeline:
    """The path from publisher to receiver, in this process, with a clock that the test controls."""

    def __init__(self, backend: Backend, api: Api, clock: Clock, aws: Aws) -> None:
        self.backend, self.clock, self.aws = backend, clock, aws
        self._api = api
        self.events = Source(backend, "EventsQueue", "workers.fan_out.handler", clock)
        self.deliveries = Source(backend, "DeliveriesQueue", "workers.deliver.handler", clock)
        self.slow = Source(backend, "SlowDeliveriesQueue", "workers.deliver_slow.handler", clock)
        self._sweep = importlib.import_module("workers.sweep_deliveries").handler

    def api(self, line: str, role: str = "owner", **more: Any) -> Response:
        """Send a request as an owner, with a token that both the test's and the machine's clock accept."""
        now = max(self.clock.now // 1000, int(time.time()))
        token = jwt_for("acme", role=role, claims={"exp": now + 600})
        return self._api(line, token=token, **more)

    def webhook(self, url: str, *, is_fast: bool = True, **more: Any) -> Any:
        """Create a webhook for POST_PUBLISHED, known to be fast by default. Returns the API's response."""
        body = {"name": "test", "url": url, "eventTypes": ["POST_PUBLISHED"], **more}
        answer = self.api("POST /api/integrations/webhooks", json=body)
        assert answer.status == 201, answer.text
        if is_fast:
            health_store.mark_fast(webhook_key("acme", answer.json()["id"]), Health(), self.clock.now)
        return answer.json()

    def set_status(self, webhook: Any, status: str, **more: Any) -> Any:
        """Set the status of a webhook. Returns the webhook."""
        answer = self.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": status, **more})
        assert answer.status == 200, answer.text
        return answer.json()

    def publish(self, data: Any = None) -> str:
        """Publish and fan out, which queues the deliveries. Returns the event's ID.

        `data` is merged into a payload that the event type's schema accepts.
        """
        body = {"type": "POST_PUBLISHED", "data": {**POST, **(data or {})}}
        answer = self.api("POST /api/events", json=body)
        assert answer.status == 202, answer.text
        self.events.run()
        self.clock.move(0.001)  # IDs from the same millisecond are unordered
        return str(answer.json()["id"])

    def sweep(self) -> int:
        return int(self._sweep({}, LAMBDA_CONTEXT)["queued"])

    def run(self, days: float = 14) -> None:
        """Advance the clock, with a sweep at each step, until nothing is waiting."""
        end = self.clock.now + days * DAY * 1000
        while True:
            parked = [
                row["dueAt"] - self.clock.now
                for table in ("DeliveriesTable", "EventsTable", "HealthTable", "TasksTable")
                for row in self.backend.rows(table)
                if row.get("dueShard") in due_index.SHARDS
            ]
            minutes = [-(-max(wait, 0) // 60_000) * 60 for wait in parked]
            waits = sorted([*self.deliveries.waits, *self.slow.waits, *minutes])
            if not waits:
                return
            self.clock.move(waits[0] + 0.001)
            assert self.clock.now < end, f"something still waits after {days} days"
            self.sweep()
            self.poll()

    def poll(self) -> int:
        """Invoke each lane's worker with its visible messages. Returns the number of messages."""
        return self.deliveries.poll() + self.slow.poll()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The delivery rows, without the attempt rows."""
        return [row for row in self.backend.rows("DeliveriesTable") if row["sk"].startswith("dlv_")]

    @property
    def row(self) -> dict[str, Any]:
        (row,) = self.rows
        return row

    def shown(self, webhook: Any, event: str, **more: Any) -> Any:
        """A delivery with its attempts, as the API shows it."""
        id = DeliveryId.derived(EventId(event), webhook["id"])
        return self.api(f"GET /api/integrations/webhooks/{webhook['id']}/deliveries/{id}", **more).json()

    def ends(self) -> list[tuple[str, str | None]]:
        return sorted((row["status"], row.get("reason")) for row in self.rows)


@pytest.fixture
def pipeline(backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    aws = one_at_a_time(monkeypatch)
    cold_start()
    yield Pipeline(backend, api, Clock(monkeypatch), aws)
    cold_start()


@pytest.fixture
def clock(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until a test moves it."""
    return Clock(monkeypatch)


@pytest.fixture
def source(backend: Backend, clock: Clock) -> Source:
    """The events queue and its fan-out worker."""
    return Source(backend, "EventsQueue", "workers.fan_out.handler", clock)
