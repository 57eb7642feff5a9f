"""GET /api/deliveries: the list of all deliveries in a workspace, which comes from three sources."""

from __future__ import annotations

from typing import Any

import pytest

from patchbay.deliveries import workspace_list
from patchbay.events import store as events_store
from patchbay.ids import DeliveryId, EventId
from tests.conftest import jwt_for
from tests.integration.conftest import WEBHOOKS, Pipeline
from tests.problems import assert_problem
from tests.receivers import receiver

PATH = "/api/deliveries"
INDEXED = ("RETRYING", "HELD", "FAILED", "CANCELLED")


def listed(pipeline: Pipeline, query: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """All items, read page by page."""
    items: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(50):
        answer = pipeline.api(f"GET {PATH}?limit={limit}{query}{cursor}")
        assert answer.status == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["nextCursor"] is None:
            return items
        assert f"&cursor={page['nextCursor']}" != cursor, "no progress"
        cursor = f"&cursor={page['nextCursor']}"
    pytest.fail("the list has more than 50 pages")


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


def of_event(pipeline: Pipeline, event: str) -> dict[str, Any]:
    """The only delivery of an event, as in the response for the event."""
    (delivery,) = pipeline.api(f"GET /api/events/{event}").json()["deliveries"]
    return dict(delivery)


def test_queued_delivery_is_pending_until_its_first_attempt(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, retryConfig={"maxRetries": 2})
        event = pipeline.publish()
        (queued,) = listed(pipeline)
        id = DeliveryId.derived(EventId(event), webhook["id"])
        assert queued == {
            "id": id,
            "webhookId": webhook["id"],
            "eventId": event,
            "eventType": "POST_PUBLISHED",
            "status": "PENDING",
            "statusReason": None,
            "attemptCount": 0,
            "maxAttempts": 3,
            "nextAttemptAt": None,
            "deliveredAt": None,
            "createdAt": queued["createdAt"],
            "updatedAt": queued["createdAt"],
            "version": 0,
        }
        assert listed(pipeline, "&status=PENDING") == [queued]
        assert of_event(pipeline, event) == {
            "id": id,
            "webhookId": webhook["id"],
            "webhookName": webhook["name"],
            "status": "PENDING",
            "statusReason": None,
            "attemptCount": 0,
            "maxAttempts": None,
            "nextAttemptAt": None,
            "deliveredAt": None,
        }
        pipeline.poll()
    (delivered,) = listed(pipeline)
    assert (delivered["id"], delivered["status"]) == (id, "DELIVERED")
    shown = of_event(pipeline, event)
    assert {name: delivered[name] for name in shown if name != "webhookName"} == {
        name: value for name, value in shown.items() if name != "webhookName"
    }
    assert (shown["attemptCount"], shown["maxAttempts"]) == (1, 3)
    assert listed(pipeline, "&status=PENDING") == []
    assert pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}/deliveries").json()["items"] == [delivered]


@pytest.fixture
def mixed(pipeline: Pipeline) -> Pipeline:
    """Four events, each to three webhooks: one receiver accepts, one fails permanently, and one temporarily.
    A fifth event is still queued.
    """
    with receiver() as healthy, receiver([400] * 9) as broken, receiver([500] * 9) as busy:
        for each in (healthy, broken, busy):
            pipeline.webhook(each.url)
        for _ in range(4):
            pipeline.publish()
            pipeline.deliveries.poll()
        pipeline.publish()
    return pipeline


def test_sources_give_the_same_deliveries(mixed: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources are the walk, with and without a filter, and the merged lists of the webhooks."""
    every = listed(mixed)
    assert len(every) == 15
    by_status = {status: [item for item in every if item["status"] == status] for status in INDEXED}
    assert [len(items) for items in by_status.values()] == [4, 0, 4, 0]
    for limit in (1, 2, 3, 100):
        assert listed(mixed, limit=limit) == every
        for status, items in by_status.items():
            assert listed(mixed, f"&status={status}", limit) == items
    monkeypatch.setattr(workspace_list, "_MAX_MERGED", 2)
    for limit in (1, 3, 100):
        for status, items in by_status.items():
            assert listed(mixed, f"&status={status}", limit) == items


@pytest.mark.parametrize(
    ("event_rows", "event_reads", "per_read", "delivery_reads"),
    [(2, 1, 100, 20), (100, 10, 1, 1), (2, 2, 2, 1)],
)
def test_bounded_walk_continues_at_its_cursor(
    mixed: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    event_rows: int,
    event_reads: int,
    per_read: int,
    delivery_reads: int,
) -> None:
    """Few deliveries match, so pages are short or empty. Each page stays within the bounds."""
    expected = [item for item in listed(mixed) if item["status"] == "DELIVERED"]
    assert len(expected) == 4
    monkeypatch.setattr(events_store, "_MATCHED_READ", event_rows)
    monkeypatch.setattr("patchbay.storage.dynamo._FILTERED_READ_LIMIT", event_rows)
    monkeypatch.setattr(workspace_list, "_MAX_EVENT_READS", event_reads)
    monkeypatch.setattr(workspace_list, "_DELIVERIES_PER_READ", per_read)
    monkeypatch.setattr(workspace_list, "_MAX_DELIVERY_READS", delivery_reads)
    mixed.backend.calls.clear()
    first = mixed.api(f"GET {PATH}?status=DELIVERED").json()
    calls = mixed.backend.calls.count
    assert first["nextCursor"] is not None
    assert calls["dynamodb.Query"] <= event_reads
    assert calls["dynamodb.BatchGetItem"] <= delivery_reads
    assert listed(mixed, "&status=DELIVERED") == expected


def test_new_events_do_not_move_later_pages(mixed: Pipeline) -> None:
    for query in ("", "&status=FAILED"):
        before = ids(listed(mixed, query))
        page = mixed.api(f"GET {PATH}?limit=2{query}").json()
        mixed.publish()
        mixed.deliveries.poll()
        rest = listed(mixed, f"{query}&cursor={page['nextCursor']}")
        assert ids(page["items"]) + ids(rest) == before


def test_deliveries_of_deleted_webhook_remain(mixed: Pipeline) -> None:
    """A list by an indexed status omits deleted webhooks, unless it is a list of one webhook."""
    every = listed(mixed)
    webhook = next(item["webhookId"] for item in every if item["status"] == "FAILED")
    assert mixed.api(f"DELETE {WEBHOOKS}/{webhook}").status == 200
    assert ids(listed(mixed)) == ids(every)
    assert len(listed(mixed, f"&webhookId={webhook}&status=FAILED")) == 4
    assert listed(mixed, "&status=FAILED") == []
    (queued,) = [item for item in listed(mixed, "&status=PENDING") if item["webhookId"] == webhook]
    assert queued["maxAttempts"] == 0


def test_callback_of_run_is_not_listed(pipeline: Pipeline) -> None:
    with receiver() as r:
        body = {"input": {"name": "Spring"}, "callbackUrl": r.url}
        answer = pipeline.api("POST /api/automations/make/actions/create_campaign", json=body)
        run = answer.json()
        assert run["createdBy"] == "user:someone"
        failed = {"status": "FAILED", "error": {"detail": "no"}}
        platform = jwt_for("platform", claims={"exp": pipeline.clock.now // 1000 + 600})
        assert pipeline._api(f"PUT /api/actions/runs/{run['id']}", json=failed, token=platform).status == 200
        pipeline.poll()
        assert len(r.requests) == 1
    assert len(pipeline.rows) == 1
    assert listed(pipeline) == []
    assert listed(pipeline, "&status=DELIVERED") == []
    assert_problem(pipeline.api(f"GET {PATH}?webhookId={run['id']}"), 422)


def test_cursor_of_another_source_is_rejected(mixed: Pipeline) -> None:
    """A cursor is valid only for its own source, and only within the range of the list."""
    cursors = {
        query: mixed.api(f"GET {PATH}?limit=1{query}").json()["nextCursor"]
        for query in ("", "&status=FAILED")
    }
    oldest = listed(mixed)[-1]["eventId"]
    for query, cursor in (
        ("&status=FAILED", cursors[""]),
        ("", cursors["&status=FAILED"]),
        (f"&eventId={oldest}", cursors[""]),
        ("&until=2020-01-01T00:00:00Z", cursors[""]),
    ):
        answer = mixed.api(f"GET {PATH}?limit=1{query}&cursor={cursor}")
        body = assert_problem(answer, 422)
        assert body["errors"] == [
            {"path": "cursor", "message": "is not a cursor of this list; omit it to start from the beginning"}
        ]
