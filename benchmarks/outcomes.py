"""What a delivery costs by how it ends, counted in runs of the real engine: `python -m benchmarks outcomes`.

Retries wait a second or two of real time, so a run takes about half a minute.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections import Counter
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
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """`answers` is the receiver's script; `webhook` and `environment` are settings; `after_fan_out` happens
    between the fan-out and the first attempt; `ends` is the status to be reached. Unless it has `proved` fast
    before, the webhook takes the slow lane.
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
    """Units and calls of one `delivery`, and those of its `event`; `requests` went to the receiver, `logged`
    bytes to CloudWatch.
    """

    outcome: Outcome
    event: Units
    delivery: Units
    requests: int
    logged: int


def _pause(made: Engine, webhook_id: str) -> None:
    made.request(f"PUT /api/integrations/webhooks/{webhook_id}/status", {"status": "INACTIVE"})


def _held(made: Engine, webhook_id: str) -> None:
    """Too many retries of the webhook wait, as far as its health knows; the sweeper looks soon."""
    from patchbay.clock import now_ms
    from patchbay.ids import webhook_key
    from patchbay.receivers import health_store

    key, now = webhook_key(WORKSPACE, webhook_id), now_ms()
    health_store.set_backlog(key, now)
    health_store.schedule_sweep(key, now, now)


def _occupied(made: Engine, webhook_id: str) -> None:
    """Others have the webhook's slots of the next two seconds."""
    from patchbay.clock import now_ms
    from patchbay.ids import webhook_key
    from patchbay.receivers import health_store
    from patchbay.receivers.health import Health

    health_store.reserve_slots(webhook_key(WORKSPACE, webhook_id), 2, 1, now=now_ms(), health=Health())


def _retries(most: int, delay: int = 1) -> dict[str, Any]:
    terms = {"maxRetries": most, "initialDelaySeconds": delay, "backoffMultiplier": 1}
    return {"retryConfig": terms}


_PARK = {"MAX_VISIBILITY_WAIT_SECONDS": "1"}
_SWEPT = {"MAX_WAITING_PER_WEBHOOK": "500"}  # a setting, whichever, has the sweeper run

OUTCOMES = (
    Outcome("delivered at the first attempt", "DELIVERED"),
    Outcome("delivered by the slow lane", "DELIVERED", proved=False),
    Outcome("delivered, body over 64 KB", "DELIVERED", data={**POST, "text": "x" * 70_000}),
    Outcome("delivered after 1 retry", "DELIVERED", (500, 200), _retries(1)),
    Outcome("delivered after 1 retry that was parked", "DELIVERED", (500, 200), _retries(1, 3), _PARK),
    Outcome(
        "delivered, after it waited for its rate limit",
        "DELIVERED",
        webhook={"rateLimitPerSecond": 1},
        after_fan_out=_occupied,
    ),
    Outcome("delivered, after it was held", "DELIVERED", environment=_SWEPT, after_fan_out=_held),
    Outcome("failed at once (404)", "FAILED", (404,)),
    Outcome("failed after 3 retries", "FAILED", (500,), _retries(3)),
    Outcome("failed, and the webhook is disabled (410)", "FAILED", (410,)),
    Outcome("cancelled: the webhook was paused", "CANCELLED", after_fan_out=_pause),
)


def run() -> None:
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as made:
        costs = [measure(made, outcome) for outcome in OUTCOMES]
    for line in table(rows(costs)):
        print(line)


def measure(made: Engine, outcome: Outcome) -> Cost:
    """One event to one webhook, to its end."""
    with receiver(outcome.answers) as r, environment(outcome.environment):
        body = {"name": outcome.name, "url": r.url, "events": [EVENT_TYPE], **outcome.webhook}
        webhook = made.request("POST /api/integrations/webhooks", body)["id"]
        if outcome.proved:
            _deliver_one(made, r)
        with counting() as units:
            event_id = made.request("POST /api/events", {"type": EVENT_TYPE, "data": dict(outcome.data)})[
                "id"
            ]
            made.fan_out()
            of_event = Units(Counter(units.writes), Counter(units.reads), Counter(units.calls))
            units.clear()
            if outcome.after_fan_out:
                outcome.after_fan_out(made, webhook)
                units.clear()
            logged = len("".join(made.log_lines()))
            _work_until_ended(made, event_id, outcome, units)
            logged = len("".join(made.log_lines())) - logged
        made.request(f"DELETE /api/integrations/webhooks/{webhook}")
        return Cost(outcome, of_event, units, len(r.requests), logged)


def _deliver_one(made: Engine, r: Receiver) -> None:
    """Another event, answered 200, before the counted one: the webhook proves fast, and the clients, the data
    key and the workspace's ceiling are warm.
    """
    script, r._script = r._script, [200]
    made.request("POST /api/events", {"type": EVENT_TYPE, "data": DATA})
    made.settle()
    assert r.requests, "the first delivery has not arrived"
    r.requests.clear()
    r._script = script


def _work_until_ended(made: Engine, event_id: str, outcome: Outcome, units: Units) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        if _work(made):
            with units.uncounted():
                (delivery,) = made.request(f"GET /api/events/{event_id}")["deliveries"]
            if delivery["status"] in TERMINAL:
                assert delivery["status"] == outcome.ends, f"{outcome.name}: {delivery}"
                return
        elif outcome.environment:
            kept = units.copy()
            made.invoke("SweepDeliveriesFunction", {})
            if units.calls["sqs.SendMessageBatch"] == kept.calls["sqs.SendMessageBatch"]:
                units.set(kept)  # a sweep that found nothing is the schedule's cost
        assert time.monotonic() < deadline, f"{outcome.name}: not ended"
        time.sleep(0.1)


def _work(made: Engine) -> bool:
    """What is in the queue of either lane; whether there was anything."""
    worked = False
    for function, queue in (
        ("DeliverFunction", "DeliveriesQueue"),
        ("DeliverSlowFunction", "SlowDeliveriesQueue"),
    ):
        if records := made.receive(queue):
            made.work(function, queue, records)
            worked = True
    return worked


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
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
    """What is kept of each in measured.json."""
    kept = []
    for cost in costs:
        units = cost.delivery
        own = units.written(DELIVERIES, indexes=False)
        kept.append(
            {
                "name": cost.outcome.name,
                "requests": cost.requests,
                "event": cost.event.written(EVENTS),
                "rows": own,
                "indexes": units.written(DELIVERIES) - own,
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
    return kept


def table(kept: list[dict[str, Any]]) -> list[str]:
    """The table of docs/costs.md."""
    lines = [
        "| Outcome | Requests to the receiver | Write units: its event | deliveries | their indexes"
        " | other tables | Read units | Calls to AWS |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in kept:
        others = ", ".join(f"{name} {value:g}" for name, value in row["others"].items()) or "0"
        lines.append(
            f"| {row['name']} | {row['requests']} | {row['event']:g} | {row['rows']:g} | {row['indexes']:g}"
            f" | {others} | {row['reads']:g} | {row['calls']:g} |"
        )
    return lines
