"""Processes that are killed during their work: nothing is lost, and nothing is sent twice unnecessarily."""

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
from tests.e2e.conftest import WEBHOOKS, Workspace, eventually
from tests.engines import queues
from tests.receivers import Answer, receiver

# Interrupted work restarts when its message is redelivered. The template's rule requires
# attempt < function timeout < lease < visibility.
SHORT_TIMEOUTS: dict[str, object] = {
    "AttemptTimeoutSeconds": 6,
    "DeliverFunctionTimeoutSeconds": 9,
    "DeliveryLeaseSeconds": 10,
    "DeliveryVisibilitySeconds": 11,
    "DeliveryConcurrency": 2,
    # A killed worker keeps its permit for the slow lane until its lease ends. With few permits, the workspace
    # would use up its share, and messages would be deferred for up to 80 s.
    "SlowDeliveryConcurrency": 80,
    # On a stalled machine, attempts time out and open a breaker. The next minute's sweep sends its probe.
    "ProbeSeconds": 1,
}
BATCH = 10


@contextmanager
def started(state: Path, environment: dict[str, str]) -> Iterator[RunningStack]:
    """A stack that redelivers interrupted deliveries and events within seconds."""
    with stack(state, parameters=SHORT_TIMEOUTS, environment=environment) as running:
        running.client("sqs").set_queue_attributes(
            QueueUrl=running.queues["EventsQueue"], Attributes={"VisibilityTimeout": "4"}
        )
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    state = tmp_path_factory.mktemp("running")
    with queues.of_a_stack() as environment, started(state, environment) as running:
        yield running


def rows(running: RunningStack, table: str, workspace: Workspace) -> list[dict[str, Any]]:
    """Return a workspace's rows of the events table, or its deliveries without their attempts."""
    pages = running.client("dynamodb").get_paginator("scan").paginate(TableName=running.tables[table])
    unpacked = (unpack_row(item) for page in pages for item in page["Items"])
    if table == "EventsTable":
        return [row for row in unpacked if row["workspaceId"] == workspace.name]
    return [
        row
        for row in unpacked
        if row["webhookKey"].startswith(f"{workspace.name}#") and row["sk"].startswith("dlv_")
    ]


def all_ended(running: RunningStack, workspace: Workspace, count: int) -> list[dict[str, Any]]:
    """Wait until the workspace has `count` deliveries that are DELIVERED or FAILED, and return them."""

    def ended() -> list[dict[str, Any]] | None:
        deliveries = rows(running, "DeliveriesTable", workspace)
        terminal = [row for row in deliveries if row["status"] in ("DELIVERED", "FAILED")]
        return deliveries if len(terminal) == count else None

    try:
        deliveries = eventually(ended, 200) or []
    except AssertionError:
        left = rows(running, "DeliveriesTable", workspace)
        open_rows = [row for row in left if row["status"] not in ("DELIVERED", "FAILED")]
        raise AssertionError(f"{len(left)} of {count} deliveries; not ended: {open_rows}") from None
    assert len(deliveries) == count
    return deliveries


@pytest.mark.timeout(280)
def test_killing_the_delivery_worker_loses_nothing(running: RunningStack) -> None:
    workspace = Workspace(running)
    retries = {"maxRetries": 1, "backoffMultiplier": 1, "initialDelaySeconds": 1}
    with receiver([Answer(200, delay=0.3)]) as healthy, receiver([Answer(500, delay=0.1)]) as broken:
        for inbox in (healthy, healthy, broken):
            workspace.webhook(inbox.url, retryConfig=retries, disableAfter=1000)
        ids = [workspace.publish({"n": n})["id"] for n in range(30)]
        killed = 0
        for kill in range(4):
            # Once another request arrives, a worker has a batch, and the receiver answers after a delay.
            healthy.wait_for(8 * kill + 1, 60)
            for function in ("DeliverFunction", "DeliverSlowFunction"):
                killed += len(running.kill(function))
        deliveries = all_ended(running, workspace, 90)
        received = Counter([*healthy.ids, *broken.ids])

    assert killed >= 4
    assert {row["eventId"] for row in deliveries} == set(ids)
    assert Counter(row["status"] for row in deliveries) == {"DELIVERED": 60, "FAILED": 30}
    interrupted = 0
    for row in deliveries:
        expected = 1 if row["status"] == "DELIVERED" else 2
        assert row["attempts"] == expected
        assert expected <= received[row["sk"]]
        interrupted += received[row["sk"]] - row["attempts"]  # requests without a recorded attempt
    timeouts = running.output().count("(Timeout)")  # zero, unless the machine is very busy
    assert 1 <= interrupted <= BATCH * (killed + timeouts)


def test_killing_the_fan_out_loses_nothing(running: RunningStack) -> None:
    workspace = Workspace(running)
    webhooks = 45  # enough for several sends to the queue per event
    events: list[str] = []
    interrupted = 0
    with receiver() as inbox:
        for _ in range(webhooks):
            workspace.webhook(inbox.url)
        while interrupted < 2 and len(events) < 12:
            events.append(workspace.publish({"n": len(events)})["id"])
            if _kill_when_started(running, workspace, events[-1]):
                interrupted += 1
        deliveries = all_ended(running, workspace, webhooks * len(events))
        received = Counter(inbox.ids)

    assert interrupted == 2, "no kill interrupted a fan-out"
    assert {row["eventId"] for row in deliveries} == set(events)
    # A delivery that was queued twice is sent once, because its ID derives from the event and the webhook.
    # Both copies are sent only if two workers receive them at the same moment.
    assert received.keys() == {row["sk"] for row in deliveries}
    assert received.total() <= len(deliveries) + BATCH
    assert {row["status"] for row in deliveries} == {"DELIVERED"}
    eventually(lambda: {row["fanOut"] for row in rows(running, "EventsTable", workspace)} == {"DONE"})


def _kill_when_started(running: RunningStack, workspace: Workspace, event_id: str) -> bool:
    """Kill the fan-out once it has stored the event. Returns whether this interrupted it."""
    key = {"workspaceId": {"S": workspace.name}, "id": {"S": event_id}}
    dynamodb, table = running.client("dynamodb"), running.tables["EventsTable"]

    def state() -> str | None:
        item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return item["fanOut"]["S"] if item else None

    deadline = time.monotonic() + 60
    while state() is None:
        assert time.monotonic() < deadline, "the fan-out did not store the event"
    running.kill("FanOutFunction")
    return state() == "STARTED"


def test_queued_deliveries_and_feeds_survive_a_restart(tmp_path: Path) -> None:
    with receiver([503, 503, 503, 200]) as inbox, queues.of_a_stack() as environment:
        with started(tmp_path, environment) as first:
            workspace = Workspace(first)
            webhook = workspace.webhook(
                inbox.url, retryConfig={"maxRetries": 5, "backoffMultiplier": 1, "initialDelaySeconds": 2}
            )
            pull = workspace(
                f"POST {WEBHOOKS}", json={"kind": "pull", "name": "feed", "eventTypes": ["POST_PUBLISHED"]}
            )
            feed = f"{WEBHOOKS}/{pull['id']}/feed"
            # One delivery waits for its retry. The others are in a queue or with a worker.
            waiting = workspace.publish({"n": 0})["id"]
            inbox.wait_for(1, 60)
            ids = [waiting, *(workspace.publish({"n": n})["id"] for n in range(1, 20))]
            pulled = workspace(f"GET {feed}?consumer=one&limit=5")["items"]
            workspace(f"POST {feed}/commit", json={"consumer": "one", "sequence": pulled[-1]["sequence"]})
            assert first.stop() == 0
        with started(tmp_path, environment) as second:
            workspace = Workspace(second, workspace.name)
            for id in ids:
                assert workspace.settled(id) == {webhook["id"]: "DELIVERED"}
            pulled += workspace(f"GET {feed}?consumer=one&limit=100")["items"]
        assert [item["eventId"] for item in pulled] == ids
        assert set(inbox.event_ids) == set(ids)
