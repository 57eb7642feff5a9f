"""Counts and measures anew what benchmarks/costs.py computes with: `python -m benchmarks measure` writes
measured.json. Counts are the same on every machine; CPU is this one's.
"""

from __future__ import annotations

import contextlib
import json
import platform
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import deliveries, outcomes
from benchmarks.costs import MEASURED
from benchmarks.engine import EVENT_TYPE, WORKSPACE, Engine, engine
from benchmarks.units import Units, counting, item_bytes
from local.settings import ROOT
from tests.receivers import receiver

WEBHOOKS = 2  # of the event that is counted
SIZES = (1, 2, 5, 10)  # of batches
_ROUNDS = 20
_CEILINGS = "patchbay-RateLimitsTable"


def run() -> None:
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as made:
        costs = [outcomes.measure(made, outcome) for outcome in outcomes.OUTCOMES]
        counted = counts(made)
    with contextlib.ExitStack() as stack:
        side = stack.enter_context(deliveries.side(ROOT, stack.enter_context(deliveries.targets())))
        (measured,) = deliveries.measure({"here": side}, _ROUNDS).values()
    cpu = {step: round(deliveries.median(measured[step], "cpu"), 3) for step in deliveries.STEPS}
    written = {
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%d"),
        "on": f"Python {platform.python_version()}, {platform.machine()}",
        "cpu_ms": cpu,
        "webhooks": WEBHOOKS,
        **counted,
        "outcomes": outcomes.rows(costs),
    }
    MEASURED.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n")
    print(f"{MEASURED.relative_to(ROOT)} is written; `python -m benchmarks costs` computes with it")


def counts(made: Engine) -> dict[str, Any]:
    """Units and log bytes of an event and of batches, of deliveries that succeed; the size of their rows."""
    key = made.request(
        "POST /api/integrations/api-keys",
        {"name": "count", "scopes": ["events:publish"], "rateLimitPerHour": 1000, "rateLimitPerDay": 1000},
    )["key"]
    batches = {}
    with receiver() as r:
        for size in SIZES:
            hooks = [
                made.request(
                    "POST /api/integrations/webhooks",
                    {"name": f"count {at}", "url": r.url, "events": [EVENT_TYPE]},
                )["id"]
                for at in range(size)
            ]
            for _ in range(2):  # the first time warms
                with counting() as units:
                    event, event_id = _published(made, key, units)
                    batches[size] = _batch(made, size, units)
            if size == WEBHOOKS:
                of_event = event
                rows = _row_bytes(made, event_id, hooks[0])
            for id in hooks:
                made.request(f"DELETE /api/integrations/webhooks/{id}")
    return {
        "event": of_event,
        "batches": {str(size): cost for size, cost in batches.items()},
        "row_bytes": rows,
        "metrics": len(_metrics(made.log_lines())),
    }


def _published(made: Engine, key: str, units: Units) -> tuple[dict[str, float], str]:
    before = _printed(made)
    body = {"type": EVENT_TYPE, "data": outcomes.DATA}
    event_id: str = made.request("POST /api/events", body, token=key)["id"]
    made.fan_out()
    cost = _summed(units, _printed(made) - before)
    units.clear()
    return cost, event_id


def _batch(made: Engine, size: int, units: Units) -> dict[str, float]:
    records: list[dict[str, Any]] = []
    while len(records) < size:
        records += made.receive("DeliveriesQueue", size - len(records))
    before = _printed(made)
    again = made.work("DeliverFunction", "DeliveriesQueue", records)
    assert not again, "a delivery was not taken"
    return _summed(units, _printed(made) - before)


def _summed(units: Units, logged: int) -> dict[str, float]:
    return {
        # Without the reservations of a minute's ceilings: which event makes one is chance; costs.py has them.
        "writes": units.writes.total() - units.written(_CEILINGS),
        "reads": units.reads.total(),
        "calls": units.calls.total(),
        "logged": logged,
    }


def _printed(made: Engine) -> int:
    return sum(len(line.encode()) + 1 for line in made.log_lines())


def _row_bytes(made: Engine, event_id: str, webhook_id: str) -> dict[str, int]:
    """Of the event's row with its index entry's, and of a delivered delivery's."""
    from patchbay.aws import client
    from patchbay.ids import DeliveryId, EventId
    from patchbay.settings import settings

    dynamodb = client("dynamodb")
    event = dynamodb.get_item(
        TableName=settings().events_table, Key={"workspaceId": {"S": WORKSPACE}, "id": {"S": event_id}}
    )["Item"]
    delivery = dynamodb.get_item(
        TableName=settings().deliveries_table,
        Key={
            "webhookKey": {"S": f"{WORKSPACE}#{webhook_id}"},
            "sk": {"S": DeliveryId.derived(EventId(event_id), webhook_id)},
        },
    )["Item"]
    indexed = ("typeKey", "workspaceId", "id", "type", "timestamp", "source")
    entry = {name: event[name] for name in indexed}
    return {"event": item_bytes(event) + item_bytes(entry), "delivery": item_bytes(delivery)}


def _metrics(lines: Iterable[str]) -> set[str]:
    """The names of the custom metrics that were written (CloudWatch's embedded format)."""
    names = set()
    for line in lines:
        if '"_aws"' in line:
            for group in json.loads(line)["_aws"]["CloudWatchMetrics"]:
                names |= {metric["Name"] for metric in group["Metrics"]}
    return names
