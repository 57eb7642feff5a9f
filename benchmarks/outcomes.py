"""The cost of a delivery by outcome, counted in the real engine: `.venv/bin/python -m benchmarks outcomes`.

Retries wait a second or two in real time, so a run takes about half a minute.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.engine import EVENT_TYPE, POST, WORKSPACE, Engine, engine
from benchmarks.units import Units, counting
from tests.receivers import Receiver, Step, receiver

DELIVERIES, EVENTS = "patchbay-DeliveriesTable", "patchbay-EventsTable"
TERMINAL = {"DELIVERED", "FAILED", "CANCELLED"}
DATA = {**POST, "text": "x" * 500}
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """`answers` are the receiver's responses in turn, `webhook` and `environment` are settings,
    `after_fan_out` is called between the fan-out and the first attempt, and `ends` is the expected status.
    Unless the webhook has `proved` fast before, it uses the slow lane.
    """

    name: str
    ends: str
    answers: tuple[Step, ...] = (200,)
    webhook: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=lambda: DATA)
    after_fan_out: Callable[[Engine, str], object] | None = None
    proved: bool = True


@dataclass(frozen=True)
class Cost:
    """The units and calls of one `delivery` and of its `event`, the number of `requests` to the receiver, and
    the `logged` bytes.
    """

    outcome: Outcome
    event: Units
    delivery: Units
    requests: int
    logged: int


def _deactivate(running: Engine, webhook_id: str) -> None:
    running.request(f"PUT /api/integrations/webhooks/{webhook_id}/status", {"status": "INACTIVE"})


def _hold(running: Engine, webhook_id: str) -> None:
    """Mark the webhook's backlog as too large in its health; the sweeper checks it soon."""
    from patchbay.clock import now_ms
    from patchbay.ids import webhook_key
    from patchbay.receivers import health_store

    key, now = webhook_key(WORKSPACE, webhook_id), now_ms()
    health_store.set_backlog(key, now)
    health_store.schedule_sweep(key, now, now)


def _occupy_slots(running: Engine, webhook_id: str) -> None:
    """Reserve the webhook's slots of the next two seconds."""
    from patchbay.clock import now_ms
    from patchbay.ids import webhook_key
    from patchbay.receivers import health_store
    from patchbay.receivers.health import Health

    health_store.reserve_slots(webhook_key(WORKSPACE, webhook_id), 2, 1, now=now_ms(), health=Health())


def _retries(limit: int, delay: int = 1) -> dict[str, Any]:
    config = {"maxRetries": limit, "initialDelaySeconds": delay, "backoffMultiplier": 1}
    return {"retryConfig": config}


_PARK = {"MAX_VISIBILITY_WAIT_SECONDS": "1"}
_SWEPT = {"MAX_WAITING_PER_WEBHOOK": "500"}  # the sweeper runs for an outcome with any setting

OUTCOMES = (
    Outcome("delivered at the first attempt", "DELIVERED"),
    Outcome("delivered by the slow lane", "DELIVERED", proved=False),
    Outcome("delivered, body over 64 KB", "DELIVERED", data={**POST, "text": "x" * 70_000}),
    Outcome("delivered after 1 retry", "DELIVERED", (500, 200), _retries(1)),
    Outcome("delivered after 1 postponed retry", "DELIVERED", (500, 200), _retries(1, 3), _PARK),
    Outcome(
        "delivered, after it waited for its rate limit",
        "DELIVERED",
        webhook={"rateLimitPerSecond": 1},
        after_fan_out=_occupy_slots,
    ),
    Outcome("delivered, after it was held", "DELIVERED", environment=_SWEPT, after_fan_out=_hold),
    Outcome("failed immediately (404)", "FAILED", (404,)),
    Outcome("failed after 3 retries", "FAILED", (500,), _retries(3)),
    Outcome("failed, and the webhook is disabled (410)", "FAILED", (410,)),
    Outcome("cancelled: the webhook was inactive", "CANCELLED", after_fan_out=_deactivate),
)


def run() -> None:
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as running:
        costs = [measure(running, outcome) for outcome in OUTCOMES]
    for line in table(rows(costs)):
        print(line)


def measure(running: Engine, outcome: Outcome) -> Cost:
    """Deliver one event to one webhook, until its delivery ends."""
    with receiver(outcome.answers) as r, environment(outcome.environment):
        body = {"name": outcome.name, "url": r.url, "eventTypes": [EVENT_TYPE], **outcome.webhook}
        webhook = running.request("POST /api/integrations/webhooks", body)["id"]
        if outcome.proved:
            _deliver_one(running, r)
        with counting() as units:
            event_id = running.request("POST /api/events", {"type": EVENT_TYPE, "data": dict(outcome.data)})[
                "id"
            ]
            running.fan_out()
            event_units = units.copy()
            units.clear()
            if outcome.after_fan_out:
                outcome.after_fan_out(running, webhook)
                units.clear()
            logged = len("".join(running.log_lines()))
            _work_until_ended(running, event_id, outcome, units)
            logged = len("".join(running.log_lines())) - logged
        running.request(f"DELETE /api/integrations/webhooks/{webhook}")
        return Cost(outcome, event_units, units, len(r.requests), logged)


def _deliver_one(running: Engine, r: Receiver) -> None:
    """Deliver another event before the counted one, answered 200: the webhook proves fast, and the clients,
    the data key and the workspace's ceiling are warm.
    """
    script, r._script = r._script, [200]
    running.request("POST /api/events", {"type": EVENT_TYPE, "data": DATA})
    running.settle()
    assert r.requests, "the first delivery has not arrived"
    r.requests.clear()
    r._script = script


def _work_until_ended(running: Engine, event_id: str, outcome: Outcome, units: Units) -> None:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        if _work(running):
            with units.uncounted():
                (delivery,) = running.request(f"GET /api/events/{event_id}")["deliveries"]
            if delivery["status"] in TERMINAL:
                assert delivery["status"] == outcome.ends, f"{outcome.name}: {delivery}"
                return
        elif outcome.environment:
            before = units.copy()
            running.invoke("SweepDeliveriesFunction", {})
            if units.calls["sqs.SendMessageBatch"] == before.calls["sqs.SendMessageBatch"]:
                units.set(before)  # a sweep that found nothing is a cost of the schedule
        assert time.monotonic() < deadline, f"{outcome.name}: the delivery has not ended"
        time.sleep(0.1)


def _work(running: Engine) -> bool:
    """Process the messages in the queues of both lanes. Returns whether there were any."""
    found_messages = False
    for function, queue in (
        ("DeliverFunction", "DeliveriesQueue"),
        ("DeliverSlowFunction", "SlowDeliveriesQueue"),
    ):
        if records := running.receive(queue):
            running.work(function, queue, records)
            found_messages = True
    return found_messages


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and the settings that the library reads from them, during the block."""
    from patchbay.settings import settings

    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    settings.cache_clear()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        settings.cache_clear()


def rows(costs: list[Cost]) -> list[dict[str, Any]]:
    """The entries of measured.json."""
    entries = []
    for cost in costs:
        units = cost.delivery
        table_units = units.written(DELIVERIES, indexes=False)
        entries.append(
            {
                "name": cost.outcome.name,
                "requests": cost.requests,
                "event": cost.event.written(EVENTS),
                "rows": table_units,
                "indexes": units.written(DELIVERIES) - table_units,
                "others": {
                    name.removeprefix("patchbay-"): value
                    for name, value in sorted(units.writes.items())
                    if name != DELIVERIES and not name.startswith(f"{DELIVERIES}/")
                },
                "reads": units.reads.total(),
                "calls": units.calls.total(),
                "logged": cost.logged,
            }
        )
    return entries


def table(entries: list[dict[str, Any]]) -> list[str]:
    """The table of docs/architecture/cost-model.md."""
    lines = [
        "| Outcome | Requests to the receiver | Write units: event | Deliveries | Their indexes"
        " | Other tables | Read units | AWS calls |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in entries:
        others = ", ".join(f"{name} {value:g}" for name, value in row["others"].items()) or "0"
        lines.append(
            f"| {row['name']} | {row['requests']} | {row['event']:g} | {row['rows']:g} | {row['indexes']:g}"
            f" | {others} | {row['reads']:g} | {row['calls']:g} |"
        )
    return lines
