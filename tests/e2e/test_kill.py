"""Processes that die in the middle of their work: nothing is lost, and nothing is sent twice without need."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.testing import RunningStack, stack
from patchbay.storage.dynamo import unpack_row
from tests.e2e.conftest import Workspace, eventually
from tests.receivers import Answer, receiver

# What is cut down comes back when its message does. As the template's rule has it:
# attempt < function timeout < lease < visibility.
SOON: dict[str, object] = {
    "AttemptTimeoutSeconds": 3,
    "DeliverFunctionTimeoutSeconds": 6,
    "DeliveryLeaseSeconds": 7,
    "DeliveryVisibilitySeconds": 8,
    "DeliveryConcurrency": 2,
}
BATCH = 10


@contextmanager
def started(state: Path) -> Iterator[RunningStack]:
    """A stack in which what is cut down comes back within seconds, events too."""
    with stack(state, parameters=SOON) as running:
        running.client("sqs").set_queue_attributes(
            QueueUrl=running.queues["EventsQueue"], Attributes={"VisibilityTimeout": "4"}
        )
        yield running


@pytest.fixture(scope="module")
def brittle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with started(tmp_path_factory.mktemp("brittle")) as running:
        yield running


def rows(running: RunningStack, table: str, workspace: Workspace) -> list[dict[str, Any]]:
    """A workspace's rows: of the events table, or the deliveries (not their attempts)."""
    pages = running.client("dynamodb").get_paginator("scan").paginate(TableName=running.tables[table])
    found = (unpack_row(item) for page in pages for item in page["Items"])
    if table == "EventsTable":
        return [row for row in found if row["workspaceId"] == workspace.name]
    return [
        row
        for row in found
        if row["webhookKey"].startswith(f"{workspace.name}#") and row["sk"].startswith("dlv_")
    ]


def all_ended(running: RunningStack, workspace: Workspace, count: int) -> list[dict[str, Any]]:
    """The workspace's deliveries, once there are that many and each is DELIVERED or FAILED."""

    def ended() -> list[dict[str, Any]] | None:
        found = rows(running, "DeliveriesTable", workspace)
        over = [row for row in found if row["status"] in ("DELIVERED", "FAILED")]
        return found if len(over) == count else None

    found = eventually(ended, 100) or []
    assert len(found) == count
    return found


def test_killing_the_delivery_worker_loses_nothing(brittle: RunningStack) -> None:
    workspace = Workspace(brittle)
    retries = {"maxRetries": 1, "backoffMultiplier": 1, "initialDelaySeconds": 1}
    with receiver([Answer(200, delay=0.3)]) as healthy, receiver([Answer(500, delay=0.1)]) as broken:
        for inbox in (healthy, healthy, broken):
            workspace.webhook(inbox.url, retryConfig=retries, disableAfter=1000)
        ids = [workspace.publish({"n": n})["id"] for n in range(30)]
        killed = 0
        for _ in range(4):
            # A worker has a batch as soon as another request comes, which is held for a moment.
            healthy.wait_for(len(healthy.requests) + 1, 60)
            for function in ("DeliverFunction", "DeliverSlowFunction"):
                killed += len(brittle.kill(function))
        deliveries = all_ended(brittle, workspace, 90)
        received = Counter([*healthy.ids, *broken.ids])

    assert killed >= 4
    assert {row["eventId"] for row in deliveries} == set(ids)
    assert Counter(row["status"] for row in deliveries) == {"DELIVERED": 60, "FAILED": 30}
    cut_down = 0
    for row in deliveries:
        expected = 1 if row["status"] == "DELIVERED" else 2
        assert row["attempts"] == expected
        assert expected <= received[row["sk"]]
        cut_down += received[row["sk"]] - row["attempts"]  # requests that left no record
    timeouts = brittle.output().count("(Timeout)")  # none, unless the machine is very busy
    assert 1 <= cut_down <= BATCH * (killed + timeouts)


def test_killing_the_fan_out_loses_nothing(brittle: RunningStack) -> None:
    workspace = Workspace(brittle)
    webhooks = 45  # several sends to the queue for each event
    events: list[str] = []
    in_the_middle = 0
    with receiver() as inbox:
        for _ in range(webhooks):
            workspace.webhook(inbox.url)
        while in_the_middle < 2 and len(events) < 12:
            events.append(workspace.publish({"n": len(events)})["id"])
            if _kill_when_started(brittle, workspace, events[-1]):
                in_the_middle += 1
        deliveries = all_ended(brittle, workspace, webhooks * len(events))
        received = Counter(inbox.ids)

    assert in_the_middle == 2, "no kill met a fan-out in its middle"
    assert {row["eventId"] for row in deliveries} == set(events)
    # What was queued twice is delivered once: the ids derive from event and webhook. Only copies that two
    # workers get at the same moment are both sent.
    assert received.keys() == {row["sk"] for row in deliveries}
    assert received.total() <= len(deliveries) + BATCH
    assert {row["status"] for row in deliveries} == {"DELIVERED"}
    eventually(lambda: {row["fanOut"] for row in rows(brittle, "EventsTable", workspace)} == {"DONE"})


def _kill_when_started(running: RunningStack, workspace: Workspace, event_id: str) -> bool:
    """Kill the fan-out once it has stored the event; whether that was before it was done."""
    key = {"workspaceId": {"S": workspace.name}, "id": {"S": event_id}}
    dynamodb, table = running.client("dynamodb"), running.tables["EventsTable"]

    def state() -> str | None:
        item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return item["fanOut"]["S"] if item else None

    deadline = time.monotonic() + 60
    while state() is None:
        assert time.monotonic() < deadline, "the event did not come to the fan-out"
    running.kill("FanOutFunction")
    return state() == "STARTED"


def test_what_is_queued_survives_a_restart(tmp_path: Path) -> None:
    with receiver([503, 503, 503, 200]) as inbox:
        with started(tmp_path) as first:
            workspace = Workspace(first)
            webhook = workspace.webhook(
                inbox.url, retryConfig={"maxRetries": 5, "backoffMultiplier": 1, "initialDelaySeconds": 2}
            )
            # One waits for its retry; of the others some are in a queue, some in a worker's hands.
            waiting = workspace.publish({"n": 0})["id"]
            inbox.wait_for(1, 60)
            ids = [waiting, *(workspace.publish({"n": n})["id"] for n in range(1, 20))]
            assert first.stop() == 0
        with started(tmp_path) as second:
            workspace = Workspace(second, workspace.name)
            for id in ids:
                assert workspace.settled(id) == {webhook["id"]: "DELIVERED"}
        assert {request.json()["id"] for request in inbox.requests} == set(ids)
