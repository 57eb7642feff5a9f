"""Measures the inputs of benchmarks/costs.py: `.venv/bin/python -m benchmarks measure` writes measured.json.
Counts are the same on every machine; CPU depends on the machine.
"""

from __future__ import annotations

import contextlib
import json
import platform
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import deliveries, outcomes
from benchmarks.costs import MEASURED
from benchmarks.engine import EVENT_TYPE, Engine, engine
from benchmarks.units import counting, item_bytes
from local.settings import ROOT
from tests.receivers import receiver

WEBHOOKS = 2  # of an event
SIZES = (1, 2, 5, 10)  # of batches
_ROUNDS = 20
_CEILINGS = "RateLimitsTable"
_KEY_TERMS = {"scopes": ["events:publish"], "rateLimitPerHour": 1000, "rateLimitPerDay": 1000}


def run() -> None:
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as running:
        costs = [outcomes.measure(running, outcome) for outcome in outcomes.OUTCOMES]
        counted = counts(running)
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
    print(f"wrote {MEASURED.relative_to(ROOT)}; update the tables: .venv/bin/python -m benchmarks costs")


def counts(running: Engine) -> dict[str, Any]:
    """Return the cost of a publish, of queued batches of events, and of batches of successful deliveries, and
    the sizes of their rows.

    The events of a batch belong to different workspaces, as in a shared deployment. Log bytes are counted
    twice: without successes, and the bytes that logging each success adds.
    """
    tokens = [running.token_of(f"count-{number}") for number in range(max(SIZES))]
    terms = {"name": "count", **_KEY_TERMS}
    key = running.request("POST /api/integrations/api-keys", terms, token=tokens[-1])["key"]
    with receiver() as r:
        for token in tokens:
            for number in range(WEBHOOKS):
                body = {"name": f"count {number}", "url": r.url, "eventTypes": [EVENT_TYPE]}
                hook = running.request("POST /api/integrations/webhooks", body, token=token)["id"]
        for _ in range(2):  # each webhook proves fast, and all caches are warm
            for token in tokens:
                _publish(running, token)
            event_id = _publish(running, key)
            running.settle()
        before = len(running.log_lines())
        publish = _cost(running, lambda: _publish(running, key))
        running.settle()
        fan_outs, batches = {}, {}
        for size in SIZES:
            senders = tokens[:size]
            fan_outs[str(size)] = _batch_cost(running, size, senders, "FanOutFunction", "EventsQueue")
            batches[str(size)] = _batch_cost(running, size, senders, "DeliverFunction", "DeliveriesQueue")
        return {
            "publish": publish,
            "fan_outs": fan_outs,
            "batches": batches,
            "row_bytes": _row_bytes(f"count-{max(SIZES) - 1}", event_id, hook),
            "metrics": len(_metrics(running.log_lines()[before:])),
        }


def _publish(running: Engine, token: str) -> str:
    id: str = running.request("POST /api/events", {"type": EVENT_TYPE, "data": outcomes.DATA}, token=token)[
        "id"
    ]
    return id


def _batch_cost(running: Engine, size: int, tokens: list[str], function: str, queue: str) -> dict[str, Any]:
    """The cost of one batch of `size` messages of a worker."""

    def prepare() -> list[dict[str, Any]]:
        for token in tokens:
            if function == "FanOutFunction":
                running.queue_events([{"type": EVENT_TYPE, "data": outcomes.DATA}], token)
            else:
                _publish(running, token)
        records: list[dict[str, Any]] = []
        while len(records) < size:
            records += running.receive(queue, size - len(records))
        return records

    def work(records: list[dict[str, Any]]) -> None:
        failures = running.work(function, queue, records)
        assert not failures, "a message was not processed"

    cost = _cost(running, work, prepare)
    running.settle()
    return cost


def _cost(
    running: Engine, work: Callable[..., object], prepare: Callable[[], object] | None = None
) -> dict[str, Any]:
    """The cost of `work`, called with the result of `prepare`."""
    logged = []
    for percent in ("0", "100"):
        with outcomes.environment({"SUCCESS_LOG_PERCENT": percent}):
            arguments = [prepare()] if prepare else []
            with counting() as units:
                before = _log_bytes(running)
                work(*arguments)
                logged.append(_log_bytes(running) - before)
        running.settle()
    return {
        # Excludes the reservations of per-minute ceilings, which only some events make; costs.py adds them.
        "writes": {name: count for name, count in _by_table(units.writes).items() if name != _CEILINGS},
        "reads": _by_table(units.reads),
        "calls": units.calls.total(),
        "logged": logged[0],
        "logged_successes": logged[1] - logged[0],
    }


def _by_table(units: Counter[str]) -> dict[str, float]:
    """The units of tables, each including its indexes."""
    tables: Counter[str] = Counter()
    for name, count in units.items():
        tables[name.removeprefix("patchbay-").partition("/")[0]] += count
    return dict(sorted(tables.items()))


def _log_bytes(running: Engine) -> int:
    return sum(len(line.encode()) + 1 for line in running.log_lines())


def _row_bytes(workspace: str, event_id: str, webhook_id: str) -> dict[str, int]:
    """The sizes of an event's row and of a successful delivery's row."""
    from patchbay.ids import DeliveryId, EventId
    from patchbay.settings import settings
    from patchbay.storage import dynamo

    delivery_id = DeliveryId.derived(EventId(event_id), webhook_id)
    event = dynamo.get(settings().events_table, {"workspaceId": workspace, "id": event_id})
    delivery = dynamo.get(
        settings().deliveries_table, {"webhookKey": f"{workspace}#{webhook_id}", "sk": delivery_id}
    )
    assert event
    assert delivery
    return {"event": item_bytes(dynamo.pack_row(event)), "delivery": item_bytes(dynamo.pack_row(delivery))}


def _metrics(lines: Iterable[str]) -> set[tuple[str, ...]]:
    """The custom metrics in the log lines (CloudWatch embedded metric format): their names and dimensions."""
    names = set()
    for line in lines:
        if '"_aws"' in line:
            record = json.loads(line)
            for group in record["_aws"]["CloudWatchMetrics"]:
                for dimensions in group["Dimensions"]:
                    values = [record[dimension] for dimension in dimensions]
                    names |= {(metric["Name"], *values) for metric in group["Metrics"]}
    return names
