"""Paused webhooks: events match them, their deliveries are held, and a resume releases the oldest first."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from patchbay.clock import from_ms, iso
from patchbay.ids import webhook_key
from patchbay.receivers import health_store
from tests.faults import dying, watched
from tests.integration.conftest import DAY, WEBHOOKS, Pipeline, health
from tests.problems import assert_problem
from tests.receivers import receiver
from tests.wire import around_calls


def publish_held(pipeline: Pipeline, count: int) -> list[str]:
    events = [pipeline.publish() for _ in range(count)]
    while pipeline.deliveries.poll():
        pass
    return events


def resume(pipeline: Pipeline, webhook: Any) -> None:
    """Resume the webhook, let the sweeper release deliveries, and let the workers send them."""
    pipeline.set_status(webhook, "ACTIVE")
    pipeline.clock.move(1)
    pipeline.sweep()
    while pipeline.poll():
        pass


def test_paused_webhook_keeps_its_events_and_gets_the_oldest_first_on_resume(pipeline: Pipeline) -> None:
    with receiver() as r, receiver() as other:
        webhook = pipeline.webhook(r.url)
        pipeline.webhook(other.url)
        paused = pipeline.set_status(webhook, "PAUSED", statusReason="maintenance until 5")
        assert (paused["status"], paused["statusReason"]) == ("PAUSED", "maintenance until 5")
        events = publish_held(pipeline, 4)
        shown = pipeline.shown(webhook, events[0])
        assert (shown["status"], shown["statusReason"], shown["attempts"]) == ("HELD", "held:paused", [])
        assert pipeline.deliveries.waits == []  # no message waits
        assert sorted(other.event_ids) == sorted(events)
        pipeline.clock.move(3 * DAY)
        pipeline.sweep()
        assert r.event_ids == []
        assert [item["id"] for item in pipeline.api(f"GET {WEBHOOKS}?status=PAUSED").json()["items"]] == [
            webhook["id"]
        ]
        resume(pipeline, webhook)
        assert sorted(r.event_ids) == sorted(events)
        sent = [request.headers["webhook-id"] for request in r.requests]
        assert len(set(sent)) == 4
        pipeline.set_status(webhook, "PAUSED")
        assert pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}").json()["statusReason"] is None
    assert [row["status"] for row in pipeline.rows] == ["DELIVERED"] * 8


@pytest.mark.parameters(MaxWaitingPerWebhook=2)
def test_release_is_paced_from_old_to_new(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        pipeline.set_status(webhook, "PAUSED")
        events = publish_held(pipeline, 5)
        pipeline.set_status(webhook, "ACTIVE")
        batches = []
        for _ in range(3):
            pipeline.clock.move(60)
            pipeline.sweep()
            before = len(r.requests)
            while pipeline.poll():
                pass
            batches.append(sorted(r.event_ids[before:]))
    assert batches == [sorted(events[:2]), sorted(events[2:4]), events[4:]]


@pytest.mark.parametrize("delay", [60, 3600], ids=["in the queue", "parked"])
def test_pending_retries_are_held_instead_of_attempted(pipeline: Pipeline, delay: int) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": delay})
        event = pipeline.publish()
        pipeline.deliveries.poll()
        pipeline.set_status(webhook, "PAUSED")
        for _ in range(3):
            pipeline.clock.move(delay)
            pipeline.sweep()
            while pipeline.poll():
                pass
        assert len(r.requests) == 1
        assert pipeline.shown(webhook, event)["statusReason"] == "held:paused"
        resume(pipeline, webhook)
        assert pipeline.shown(webhook, event)["status"] == "DELIVERED"
        assert len(r.requests) == 2


def test_delivery_held_for_its_receiver_outlives_a_pause(pipeline: Pipeline) -> None:
    """A delivery that is held for an unhealthy receiver ends after a day. Paused time does not count."""
    with receiver() as r:
        webhook = pipeline.webhook(r.url, rateLimitPerSecond=1)
        key = webhook_key("acme", webhook["id"])
        health_store.open_breaker(key, pipeline.clock.now, pipeline.clock.now + 3600_000)
        event = publish_held(pipeline, 1)[0]
        assert pipeline.shown(webhook, event)["statusReason"] == "held:timeouts"
        pipeline.set_status(webhook, "PAUSED")
        pipeline.clock.move(DAY + 60)
        assert pipeline.sweep() == 0
        shown = pipeline.shown(webhook, event)
        assert (shown["status"], shown["statusReason"]) == ("HELD", "held:paused")
        pipeline.clock.move(5 * DAY)
        pipeline.sweep()
        # After the release, it is held again because the rate limit has no slot. It gets another day.
        health_store.reserve_slots(key, 900, 1, now=pipeline.clock.now, health=health(key))
        pipeline.set_status(webhook, "ACTIVE")
        pipeline.clock.move(1)
        for row in pipeline.rows:
            assert row["status"] == "HELD"
        pipeline.sweep()
        pipeline.run(days=1)
        assert r.event_ids == [event]


@pytest.mark.parametrize("hours", [23, 25], ids=["before", "after"])
def test_pause_does_not_count_if_it_ends_around_the_end_of_a_hold(pipeline: Pipeline, hours: int) -> None:
    """The resume comes an hour before the end of the hold, or an hour after it but before the next sweep."""
    with receiver() as r:
        webhook = pipeline.webhook(r.url, rateLimitPerSecond=1)
        key = webhook_key("acme", webhook["id"])
        health_store.open_breaker(key, pipeline.clock.now, pipeline.clock.now + 3600_000)
        event = publish_held(pipeline, 1)[0]
        pipeline.set_status(webhook, "PAUSED")
        pipeline.clock.move(hours * 3600)
        pipeline.set_status(webhook, "ACTIVE")
        for _ in range(9):  # the rate limit has no slot for the next hour
            health_store.reserve_slots(key, 600, 1, now=pipeline.clock.now, health=health(key))
            pipeline.sweep()
            pipeline.clock.move(450)
            assert pipeline.row["status"] == "HELD"
        pipeline.run(days=1)
        assert r.event_ids == [event]


def test_hold_of_a_paused_webhook_ends_with_the_retention(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:1024/")
    pipeline.set_status(webhook, "PAUSED")
    event = publish_held(pipeline, 1)[0]
    assert pipeline.row["dueAt"] == pipeline.row["heldAt"] + 30 * DAY * 1000
    pipeline.clock.move(30 * DAY)
    assert pipeline.sweep() == 0
    assert pipeline.shown(webhook, event)["statusReason"] == "held_too_long"


@pytest.mark.parametrize(("status", "reason"), [("INACTIVE", "webhook_inactive"), (None, "webhook_deleted")])
def test_ending_a_paused_webhook_cancels_what_it_holds(
    pipeline: Pipeline, status: str | None, reason: str
) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:1024/")
    pipeline.set_status(webhook, "PAUSED")
    publish_held(pipeline, 2)
    pipeline.clock.move(61)
    pipeline.sweep()
    if status:
        pipeline.set_status(webhook, status, statusReason="over")
        pipeline.clock.move(1)
    else:
        pipeline.api(f"DELETE {WEBHOOKS}/{webhook['id']}")
        pipeline.clock.move(15 * 60)
    pipeline.sweep()
    assert pipeline.ends() == [("CANCELLED", reason)] * 2
    pipeline.run(days=1)
    assert [row for row in pipeline.backend.rows("HealthTable") if "dueAt" in row] == []


def test_manual_retry_of_a_paused_webhook_makes_one_attempt(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 1, "backoffMultiplier": 1})
        pipeline.set_status(webhook, "PAUSED")
        event = publish_held(pipeline, 1)[0]
        path = f"{WEBHOOKS}/{webhook['id']}/deliveries/{pipeline.shown(webhook, event)['id']}/retry"
        assert pipeline.api(f"POST {path}").status == 202
        for _ in range(3):
            while pipeline.poll():
                pass
            pipeline.clock.move(2)
        assert len(r.requests) == 1
        shown = pipeline.shown(webhook, event)
        assert (shown["status"], shown["statusReason"]) == ("HELD", "held:paused")
        assert [attempt["trigger"] for attempt in shown["attempts"]] == ["MANUAL"]
        assert pipeline.api(f"POST {path}").status == 202
        pipeline.poll()
        assert pipeline.shown(webhook, event)["status"] == "DELIVERED"


def test_failures_do_not_disable_a_paused_webhook(pipeline: Pipeline) -> None:
    with receiver([410]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=1)
        pipeline.set_status(webhook, "PAUSED")
        event = publish_held(pipeline, 1)[0]
        id = pipeline.shown(webhook, event)["id"]
        pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry")
        pipeline.poll()
        assert pipeline.shown(webhook, event)["statusReason"] == "endpoint_gone"
        assert pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}").json()["status"] == "PAUSED"


def test_recovery_waits_during_a_pause(pipeline: Pipeline) -> None:
    with receiver([404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        body = {"since": iso(from_ms(pipeline.clock.now))}
        event = publish_held(pipeline, 1)[0]
        assert pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json=body).json() == {"queued": 1}
        pipeline.set_status(webhook, "PAUSED")
        for _ in range(3):
            pipeline.clock.move(20 * 60)
            pipeline.sweep()
        assert pipeline.shown(webhook, event)["status"] == "FAILED"
        assert_problem(pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json=body), 409)
        resume(pipeline, webhook)
        assert pipeline.shown(webhook, event)["status"] == "DELIVERED"


def test_paused_hook_is_resumed_by_a_subscription(pipeline: Pipeline) -> None:
    with receiver() as r:
        wanted = {"url": r.url, "eventType": "POST_PUBLISHED"}
        hook = pipeline.api("POST /api/automations/n8n/hooks", json=wanted).json()
        pipeline.set_status(hook, "PAUSED")
        assert pipeline.api(f"GET /api/automations/n8n/hooks/{hook['id']}").json()["status"] == "PAUSED"
        events = publish_held(pipeline, 2)
        assert r.event_ids == []
        answer = pipeline.api("POST /api/automations/n8n/hooks", json=wanted)
        assert (answer.status, answer.json()) == (200, {"id": hook["id"], "secret": None})
        pipeline.clock.move(1)
        pipeline.sweep()
        while pipeline.poll():
            pass
        assert sorted(r.event_ids) == sorted(events)


# ── what a pause costs ───────────────────────────────────────────────────────────────────────────────


def test_deliveries_to_a_paused_webhook_are_received_once_and_cost_one_write(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:1024/", is_fast=False)
    pipeline.set_status(webhook, "PAUSED")
    calls: list[Counter[str]] = []
    for _ in range(2):
        for _ in range(10):
            pipeline.publish()
        seen: Counter[str] = Counter()

        def count(service: str, operation: str, params: Any, call: Any, seen: Counter[str] = seen) -> Any:
            seen[operation] += 1
            return call(params)

        with around_calls(count):
            assert pipeline.deliveries.poll() == 10
        calls.append(seen)
    assert calls == [
        {"BatchGetItem": 1, "UpdateItem": 1, "PutItem": 10},
        {"BatchGetItem": 1, "PutItem": 10},
    ]
    assert pipeline.deliveries.waits == pipeline.slow.waits == []


def test_pause_and_resume_leave_subscriptions_as_they_are(pipeline: Pipeline) -> None:
    """Otherwise, each publish of the workspace would read and compile its subscriptions again."""
    webhook = pipeline.webhook("http://127.0.0.1:1024/")
    with watched("dynamodb.TransactWriteItems") as transactions:
        for status in ("PAUSED", "ACTIVE"):
            pipeline.set_status(webhook, status)
    assert len(transactions) == 2
    keys = {
        row["sk"]["S"]
        for transaction in transactions
        for action in transaction["TransactItems"]
        for params in action.values()
        if "sk" in (row := params.get("Key") or params["Item"])
    }
    assert keys == {webhook["id"], "health"}  # not the row with the version of the subscriptions


def test_sweeper_seldom_visits_a_paused_webhook(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:1024/")
    pipeline.set_status(webhook, "PAUSED")
    publish_held(pipeline, 1)
    visits = 0
    for _ in range(15):
        pipeline.clock.move(4 * 60)
        with watched("dynamodb.UpdateItem") as updates:
            pipeline.sweep()
        visits += bool(updates)
    assert visits <= 5


# ── crashes, errors ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("call", [2, 5, 9])
def test_crash_during_hold_and_release_loses_none(pipeline: Pipeline, call: int) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        pipeline.set_status(webhook, "PAUSED")
        events = [pipeline.publish(), pipeline.publish()]
        records = pipeline.deliveries.receive()
        with dying(call) as process:
            pipeline.deliveries.invoke(records)
            pipeline.set_status(webhook, "ACTIVE")
            pipeline.clock.move(1)
            pipeline.sweep()
        pipeline.set_status(webhook, "ACTIVE")
        pipeline.run(days=1)
        assert process.died is (call <= process.calls)
    assert sorted(r.event_ids) == sorted(events)
    assert pipeline.ends() == [("DELIVERED", None)] * 2


def test_active_webhook_has_no_reason(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:1024/")
    body = {"status": "ACTIVE", "statusReason": "all is well"}
    answer = pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json=body)
    assert_problem(answer, 422, paths=["statusReason"])
