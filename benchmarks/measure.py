"""Counts and measures anew what benchmarks/costs.py computes with: `python -m benchmarks measure` writes
measured.json. Counts are the same on every machine; CPU is this one's.
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
    """What a publish costs, and queued batches of events and of deliveries that succeed; the size of their
    rows.

    The events of a batch are of different workspaces, as in a deployment that many share. What is logged is
    counted twice: without successes, and what they add when each is logged.
    """
    tokens = [made.token_of(f"count-{at}") for at in range(max(SIZES))]
    terms = {"name": "count", **_KEY_TERMS}
    key = made.request("POST /api/integrations/api-keys", terms, token=tokens[-1])["key"]
    with receiver() as r:
        for token in tokens:
            for at in range(WEBHOOKS):
                body = {"name": f"count {at}", "url": r.url, "events": [EVENT_TYPE]}
                hook = made.request("POST /api/integrations/webhooks", body, token=token)["id"]
        for _ in range(2):  # each webhook proves fast, and everything that is kept is warm
            for token in tokens:
                _publish(made, token)
            event_id = _publish(made, key)
            made.settle()
        before = len(made.log_lines())
        publish = _cost(made, lambda: _publish(made, key))
        made.settle()
        fan_outs, batches = {}, {}
        for size in SIZES:
            some = tokens[:size]
            fan_outs[str(size)] = _of_batch(made, size, some, "FanOutFunction", "EventsQueue")
            batches[str(size)] = _of_batch(made, size, some, "DeliverFunction", "DeliveriesQueue")
        return {
            "publish": publish,
            "fan_outs": fan_outs,
            "batches": batches,
            "row_bytes": _row_bytes(f"count-{max(SIZES) - 1}", event_id, hook),
            "metrics": len(_metrics(made.log_lines()[before:])),
        }


def _publish(made: Engine, token: str) -> str:
    id: str = made.request("POST /api/events", {"type": EVENT_TYPE, "data": outcomes.DATA}, token=token)["id"]
    return id


def _of_batch(made: Engine, size: int, tokens: list[str], function: str, queue: str) -> dict[str, Any]:
    """Of one batch of a worker, of that many messages."""

    def prepared() -> list[dict[str, Any]]:
        for token in tokens:
            if function == "FanOutFunction":
                made.queue_events([{"type": EVENT_TYPE, "data": outcomes.DATA}], token)
            else:
                _publish(made, token)
        records: list[dict[str, Any]] = []
        while len(records) < size:
            records += made.receive(queue, size - len(records))
        return records

    def work(records: list[dict[str, Any]]) -> None:
        again = made.work(function, queue, records)
        assert not again, "a message was not taken"

    cost = _cost(made, work, prepared)
    made.settle()
    return cost


def _cost(
    made: Engine, work: Callable[..., object], prepared: Callable[[], object] | None = None
) -> dict[str, Any]:
    """What `work` costs, of what `prepared` returns."""
    logged = []
    for percent in ("0", "100"):
        with outcomes.environment({"SUCCESS_LOG_PERCENT": percent}):
            given = [prepared()] if prepared else []
            with counting() as units:
                before = _printed(made)
                work(*given)
                logged.append(_printed(made) - before)
        made.settle()
    return {
        # Without the reservations of a minute's ceilings: which event makes one is chance; costs.py has them.
        "writes": {name: count for name, count in _by_table(units.writes).items() if name != _CEILINGS},
        "reads": _by_table(units.reads),
        "calls": units.calls.total(),
        "logged": logged[0],
        "logged_successes": logged[1] - logged[0],
    }


def _by_table(units: Counter[str]) -> dict[str, float]:
    """Of tables with their indexes."""
    tables: Counter[str] = Counter()
    for name, count in units.items():
        tables[name.removeprefix("patchbay-").partition("/")[0]] += count
    return dict(sorted(tables.items()))


def _printed(made: Engine) -> int:
    return sum(len(line.encode()) + 1 for line in made.log_lines())


def _row_bytes(workspace: str, event_id: str, webhook_id: str) -> dict[str, int]:
    """Of an event's row and of a delivered delivery's."""
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


def _metrics(lines: Iterable[str]) -> set[str]:
    """The names of the custom metrics that were written (CloudWatch's embedded format)."""
    names = set()
    for line in lines:
        if '"_aws"' in line:
            for group in json.loads(line)["_aws"]["CloudWatchMetrics"]:
                names |= {metric["Name"] for metric in group["Metrics"]}
    return names
