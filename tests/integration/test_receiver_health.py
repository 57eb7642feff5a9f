"""Unhealthy receivers: the breaker, holds, probes and limits, and what the sweeper releases."""

from __future__ import annotations

from typing import Any

import pytest

from patchbay.clock import from_ms, iso
from patchbay.deliveries import states, store
from patchbay.deliveries.models import Status
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.ids import DeliveryId, EventId, webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.storage import due_index
from tests.faults import dying, killed, meanwhile
from tests.integration.conftest import WEBHOOKS, Pipeline, health
from tests.receivers import Answer, receiver

HANGS = Answer(delay=30)
NO_RETRIES = {"maxRetries": 0}
LONG_AGO = "2020-01-01T00:00:00Z"


def health_of(pipeline: Pipeline, webhook: Any) -> Health:
    return health(webhook_key("acme", webhook["id"]))


def listed(pipeline: Pipeline, webhook: Any, status: str) -> list[str]:
    """Return the events of a webhook's deliveries with this status, as the API lists them, newest first."""
    answer = pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}/deliveries?status={status}&limit=100").json()
    return [item["eventId"] for item in answer["items"]]


def statuses(pipeline: Pipeline) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in pipeline.rows:
        counts[row["status"]] = counts.get(row["status"], 0) + 1
    return counts


def with_open_breaker(pipeline: Pipeline, url: str, **more: Any) -> Any:
    """Create a webhook and open its breaker."""
    webhook = pipeline.webhook(url, retryConfig=NO_RETRIES, **more)
    probe_at = pipeline.clock.now + settings().probe_seconds * 1000
    health_store.open_breaker(webhook_key("acme", webhook["id"]), pipeline.clock.now, probe_at)
    return webhook


def after_timeouts(pipeline: Pipeline, url: str, **more: Any) -> Any:
    """Create a webhook and open its breaker with three timeouts. The three deliveries have failed."""
    webhook = pipeline.webhook(url, retryConfig=NO_RETRIES, **more)
    for _ in range(3):
        pipeline.publish()
    pipeline.deliveries.poll()
    assert health_of(pipeline, webhook).is_open(0)
    return webhook


# ── several workers and sweepers at once ─────────────────────────────────────────────────────────────


def test_success_written_after_a_later_one_changes_nothing(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("https://hooks.example.com/")
    key = webhook_key("acme", webhook["id"])
    ids = [DeliveryId.new() for _ in range(3)]
    health_store.record_failure(key, 1, ids[0])
    seen = health_store.record_failure(key, 6, ids[1])
    health_store.record_success(key, 9, seen)
    health_store.record_success(key, 3, seen)
    health_store.record_failure(key, 7, ids[2])  # before the success, but written later
    assert health_of(pipeline, webhook).succeeded_at == 9
    assert health_of(pipeline, webhook).consecutive_failures(0) == 0


def test_one_of_two_sweepers_claims_a_webhook(pipeline: Pipeline) -> None:
    key = webhook_key("acme", pipeline.webhook("https://hooks.example.com/")["id"])
    now = pipeline.clock.now
    health_store.schedule_sweep(key, now, now)
    assert health_store.claim_due(key, now, now + 30_000) is not None
    assert health_store.claim_due(key, now, now + 30_000) is None


def test_webhook_is_not_marked_idle_after_a_new_hold(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("https://hooks.example.com/")
    key, now = webhook_key("acme", webhook["id"]), pipeline.clock.now
    health_store.schedule_sweep(key, now, now)
    seen = health_of(pipeline, webhook)
    health_store.schedule_sweep(key, now + 1, now + 1)
    health_store.mark_idle(key, seen)
    assert health_of(pipeline, webhook).due_at == now
    health_store.mark_idle(key, health_of(pipeline, webhook))
    assert health_of(pipeline, webhook).due_at == 0


# ── the breaker ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_breaker_stops_requests_to_a_hanging_receiver_until_it_responds(pipeline: Pipeline) -> None:
    with receiver([HANGS, HANGS, HANGS, 200]) as r, receiver() as other:
        webhook = after_timeouts(pipeline, r.url)
        healthy = pipeline.webhook(other.url)
        events = [pipeline.publish() for _ in range(8)]
        while pipeline.deliveries.poll():
            pass
        assert len(r.requests) == 3  # no further request
        assert sorted(other.ids) == sorted(
            row["sk"] for row in pipeline.rows if row["webhookKey"].endswith(healthy["id"])
        )
        assert listed(pipeline, webhook, "HELD") == events[::-1]
        assert pipeline.deliveries.waits == []  # the deliveries wait in the table
        shown = pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}").json()
        assert (shown["stats"]["pending"], shown["stats"]["failed"]) == (8, 3)
        assert shown["recentDeliveries"][0]["statusReason"] == "held:timeouts"

        pipeline.clock.move(61)
        assert pipeline.sweep() == 1  # the oldest delivery is the probe
        pipeline.poll()
        assert listed(pipeline, webhook, "DELIVERED") == events[:1]
        pipeline.clock.move(61)
        assert pipeline.sweep() == 7  # the breaker is closed
        pipeline.run()
    assert listed(pipeline, webhook, "DELIVERED") == events[::-1]
    assert len(set(r.ids)) == len(r.ids) == 11
    assert [
        row for row in pipeline.backend.rows("HealthTable") if row.get("dueShard") in due_index.SHARDS
    ] == []


def test_new_event_can_be_the_probe(pipeline: Pipeline) -> None:
    with receiver([200]) as r:
        webhook = with_open_breaker(pipeline, r.url)
        pipeline.clock.move(61)
        event = pipeline.publish()
        other = pipeline.publish()
        pipeline.deliveries.poll()
        assert r.requests == []  # the probe is sent in the slow lane
        pipeline.slow.poll()
        assert len(r.requests) == 1  # one of the two is the probe
        assert len(listed(pipeline, webhook, "DELIVERED")) == len(listed(pipeline, webhook, "HELD")) == 1
        pipeline.run()
    assert set(listed(pipeline, webhook, "DELIVERED")) == {event, other}


def test_one_of_two_workers_claims_the_probe(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = with_open_breaker(pipeline, r.url)
        pipeline.clock.move(61)
        pipeline.publish()
        pipeline.deliveries.poll()
        key, known = webhook_key("acme", webhook["id"]), health_of(pipeline, webhook)
        until = pipeline.clock.now + 45_000
        # Another worker claims the probe after this one gets a permit and before it claims the probe.
        with meanwhile(
            "dynamodb.UpdateItem", lambda: health_store.claim_probe(key, known.probe_at, until), at=2
        ):
            pipeline.slow.poll()
        assert r.requests == []
        assert len(listed(pipeline, webhook, "HELD")) == 1
        assert health_of(pipeline, webhook).probe_at == until


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_each_probe_that_times_out_doubles_the_delay(pipeline: Pipeline) -> None:
    with receiver([HANGS]) as r:
        webhook = with_open_breaker(pipeline, r.url)
        waits = []
        for requests in (1, 2, 3):
            known = health_of(pipeline, webhook)
            waits.append(round((known.probe_at - pipeline.clock.now) / 1000))
            pipeline.clock.move(waits[-1] - 1)
            pipeline.publish()
            pipeline.poll()
            assert len(r.requests) == requests - 1
            pipeline.clock.move(2)
            pipeline.publish()
            pipeline.poll()
            assert len(r.requests) == requests
    assert waits == [60, 120, 240]


@pytest.mark.parameters(MaxHoldSeconds=600, ProbeSeconds=900)
def test_delivery_held_too_long_fails_with_the_reason(pipeline: Pipeline) -> None:
    with receiver() as r:
        with_open_breaker(pipeline, r.url, disableAfter=1000)
        pipeline.publish()
        pipeline.publish()
        pipeline.run()
        assert r.requests == []
    held = [row for row in pipeline.rows if row["reason"] == "held_too_long"]
    assert {row["status"] for row in pipeline.rows} == {"FAILED"}
    assert held
    assert {row["attempts"] for row in held} == {0}


@pytest.mark.parameters(MaxHoldSeconds=600)
def test_hold_time_counts_from_the_first_hold(pipeline: Pipeline) -> None:
    """A delivery is released and held again, but never attempted."""
    with receiver() as r:
        pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        first_held, ends_at = 0, pipeline.clock.now + 1_200_000
        while pipeline.row["status"] != "FAILED" if pipeline.rows else True:
            assert pipeline.clock.now < ends_at
            while health_store.acquire_permit("acme", pipeline.clock.now):
                pass
            pipeline.poll()
            first_held = first_held or (pipeline.clock.now if pipeline.rows else 0)
            waits = pipeline.deliveries.waits + pipeline.slow.waits
            pipeline.clock.move(min(waits, default=30) + 0.001)
            if not waits:  # held: only the sweeper can release it
                pipeline.sweep()
        assert r.requests == []
        assert 500_000 <= pipeline.clock.now - first_held <= 800_000
    assert pipeline.ends() == [("FAILED", "held_too_long")]


def test_resuming_a_webhook_releases_held_deliveries(pipeline: Pipeline) -> None:
    with receiver([200]) as r:
        webhook = with_open_breaker(pipeline, r.url)
        pipeline.publish()
        pipeline.deliveries.poll()
        pipeline.clock.move(1)
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        pipeline.publish()
        pipeline.deliveries.poll()
        assert len(r.requests) == 1  # the new event is sent immediately
        pipeline.clock.move(60)
        assert pipeline.sweep() == 1
        pipeline.deliveries.poll()
    assert statuses(pipeline) == {"DELIVERED": 2}


@pytest.mark.parametrize(("status", "reason"), [("INACTIVE", "webhook_inactive"), (None, "webhook_deleted")])
def test_held_deliveries_of_an_inactive_webhook_are_cancelled(
    pipeline: Pipeline, status: str | None, reason: str
) -> None:
    with receiver() as r:
        webhook = with_open_breaker(pipeline, r.url)
        pipeline.publish()
        pipeline.deliveries.poll()
        if status:
            pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": status})
        else:
            pipeline.api(f"DELETE {WEBHOOKS}/{webhook['id']}")
        pipeline.run()
    assert pipeline.ends()[0] == ("CANCELLED", reason)
    assert [
        row for row in pipeline.backend.rows("HealthTable") if row.get("dueShard") in due_index.SHARDS
    ] == []


@pytest.mark.parametrize("call", range(1, 12, 2))
def test_crash_while_deliveries_are_held_loses_none(pipeline: Pipeline, call: int) -> None:
    with receiver([200]) as r:
        webhook = with_open_breaker(pipeline, r.url)
        pipeline.publish()
        pipeline.publish()
        records = pipeline.deliveries.receive()
        with dying(call) as process:
            pipeline.deliveries.invoke(records)
            pipeline.clock.move(61)
            pipeline.sweep()
        assert process.died is (call <= process.calls)
        pipeline.run()
    assert statuses(pipeline) == {"DELIVERED": 2}
    assert len(listed(pipeline, webhook, "DELIVERED")) == 2
    assert len(r.requests) == 2


def test_manual_retry_does_not_wait_for_the_breaker(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = with_open_breaker(pipeline, r.url)
        event = pipeline.publish()
        pipeline.deliveries.poll()
        id = pipeline.shown(webhook, event)["id"]
        retried = pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry")
        assert (retried.status, retried.json()["status"], retried.json()["statusReason"]) == (
            202,
            "RETRYING",
            None,
        )
        assert pipeline.deliveries.waits == []
        pipeline.slow.poll()
        assert len(r.requests) == 1
        assert not health_of(pipeline, webhook).is_open(0)  # the receiver responded
    assert statuses(pipeline) == {"DELIVERED": 1}


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_recovery_provides_the_probe_of_an_open_breaker(pipeline: Pipeline) -> None:
    with receiver([HANGS, HANGS, HANGS, 200]) as r:
        since = iso(from_ms(pipeline.clock.now))
        webhook = after_timeouts(pipeline, r.url)
        pipeline.clock.move(61)
        # No delivery is held and no event is published, so only the recovery can provide a probe.
        answer = pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json={"since": since})
        assert answer.json() == {"queued": 3}
        pipeline.run(days=1)
        assert len(r.requests) == 6
    assert statuses(pipeline) == {"DELIVERED": 3}


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_timeouts_before_a_webhook_was_resumed_do_not_open_the_breaker(pipeline: Pipeline) -> None:
    with receiver([HANGS]) as r:
        webhook = after_timeouts(pipeline, r.url)
        pipeline.clock.move(1)
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        resumed_at = pipeline.clock.now
        open_after = []
        for _ in range(3):
            pipeline.clock.move(1)
            pipeline.publish()
            pipeline.deliveries.poll()
            open_after.append(health_of(pipeline, webhook).is_open(resumed_at))
        assert len(r.requests) == 6
    assert open_after == [False, False, True]


# ── backlog ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxWaitingPerWebhook=4)
def test_deliveries_are_held_while_too_many_retries_wait(pipeline: Pipeline) -> None:
    healthy = False
    with receiver([lambda _: 200 if healthy else 503]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 60, "maxRetries": 9})
        for _ in range(5):
            pipeline.publish()
        pipeline.deliveries.poll()
        assert statuses(pipeline) == {"RETRYING": 5}
        held = [pipeline.publish() for _ in range(6)]
        pipeline.deliveries.poll()
        assert len(r.requests) == 5
        assert listed(pipeline, webhook, "HELD") == held[::-1]
        assert set(listed(pipeline, webhook, "HELD")).isdisjoint(listed(pipeline, webhook, "RETRYING"))
        assert len(pipeline.deliveries.waits) == 5
        healthy = True
        pipeline.run()
        assert len(r.requests) == 5 + 5 + 6
    assert statuses(pipeline) == {"DELIVERED": 11}
    assert health_of(pipeline, webhook).backlog_at == 0


@pytest.mark.parameters(MaxWaitingPerWebhook=8)
def test_held_deliveries_stay_held_until_the_backlog_has_ended(pipeline: Pipeline) -> None:
    with receiver([503]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        events = [pipeline.publish() for _ in range(8)]
        pipeline.deliveries.poll()
        held = [pipeline.publish() for _ in range(6)]
        pipeline.deliveries.poll()
        assert statuses(pipeline) == {"RETRYING": 8, "HELD": 6}
        # Two deliveries end. If the held ones were released now, they would be held again every minute.
        for row in [row for row in pipeline.rows if row["eventId"] in events[:2]]:
            waiting = StoredDelivery.from_row(row)
            ended = states.abandoned(waiting, Status.CANCELLED, "webhook_inactive", pipeline.clock.now)
            assert ended is not None
            store.write(waiting, ended)
        pipeline.clock.move(61)
        assert pipeline.sweep() == 0
        assert listed(pipeline, webhook, "HELD") == held[::-1]
        assert len(r.requests) == 8


# ── the rate limit ───────────────────────────────────────────────────────────────────────────────────


def test_rate_limit_gives_each_delivery_a_slot(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, rateLimitPerSecond=1)
        for _ in range(10):
            pipeline.publish()
        start = pipeline.clock.now
        pipeline.deliveries.poll()
        assert len(r.requests) == 2  # one now, and one after the worker itself waits a second
        slots = sorted(row["slotAt"] - start for row in pipeline.rows if "slotAt" in row)
        assert slots == [second * 1000 for second in range(2, 10)]
        assert pipeline.deliveries.waits == list(range(2, 10))
        assert statuses(pipeline) == {"DELIVERED": 2, "PENDING": 8}
        assert len(listed(pipeline, webhook, "PENDING")) == 8
        pipeline.run()
        assert len(r.requests) == len(set(r.ids)) == 10
        # Each delivery reserved one slot.
        assert health_of(pipeline, webhook).next_slot == (start + 10_000) * 1000
    assert statuses(pipeline) == {"DELIVERED": 10}


def test_retry_takes_its_own_slot(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url, rateLimitPerSecond=1)
        pipeline.publish()
        start = pipeline.clock.now
        pipeline.run()
        assert len(r.requests) == 2
        assert health_of(pipeline, webhook).next_slot > (start + 20_000) * 1000
    assert statuses(pipeline) == {"DELIVERED": 1}


def test_slot_survives_a_crash_of_the_worker_that_reserved_it(pipeline: Pipeline) -> None:
    with receiver() as r:
        pipeline.webhook(r.url, rateLimitPerSecond=1)
        for _ in range(4):
            pipeline.publish()
        with killed("sqs.ChangeMessageVisibilityBatch"):
            pipeline.deliveries.poll()
        pipeline.run()
        assert sorted(r.ids) == sorted({row["sk"] for row in pipeline.rows})
    assert statuses(pipeline) == {"DELIVERED": 4}


def test_deliveries_beyond_the_horizon_are_held_and_released_in_order(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, rateLimitPerSecond=1)
        key = webhook_key("acme", webhook["id"])
        # Other deliveries have reserved the slots of the next 15 minutes.
        now = pipeline.clock.now
        health_store.reserve_slots(key, 899, 1, now=now, health=Health())
        held = [pipeline.publish() for _ in range(5)]
        pipeline.deliveries.poll()
        assert listed(pipeline, webhook, "HELD") == held[::-1]
        assert {row["reason"] for row in pipeline.rows} == {"held:rate_limit"}
        pipeline.clock.move(300)
        assert pipeline.sweep() == 0  # the slots of the next 10 minutes are still reserved
        pipeline.clock.move(500)
        assert pipeline.sweep() == 5
        pipeline.run()
        order = r.event_ids
    assert order == held
    assert statuses(pipeline) == {"DELIVERED": 5}


def test_webhook_without_a_limit_needs_no_call_for_admission(pipeline: Pipeline) -> None:
    with receiver() as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        pipeline.backend.calls.clear()
        pipeline.deliveries.poll()
        assert len(r.requests) == 1
    assert pipeline.backend.calls.count == {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}


def test_batch_reserves_its_slots_with_one_write(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, rateLimitPerSecond=1000)
        for _ in range(10):
            pipeline.publish()
        pipeline.deliveries.poll()
        pipeline.backend.calls.clear()
        for _ in range(10):
            pipeline.publish()
        pipeline.clock.move(5)
        pipeline.backend.calls.clear()
        pipeline.deliveries.poll()
        assert len(r.requests) == 20
        assert pipeline.backend.calls.count == {
            "dynamodb.BatchGetItem": 1,
            "dynamodb.UpdateItem": 1,
            "dynamodb.BatchWriteItem": 1,
        }
        assert health_of(pipeline, webhook).next_slot == pipeline.clock.now * 1000 + 10_000


def test_concurrent_workers_reserve_different_slots(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:9999/")
    key, now = webhook_key("acme", webhook["id"]), pipeline.clock.now
    stale = Health()
    first = health_store.reserve_slots(key, 3, 2, now=now, health=stale)
    second = health_store.reserve_slots(key, 3, 2, now=now, health=stale)
    late = health_store.reserve_slots(key, 1, 2, now=now + 60_000, health=health(key))
    assert (first, second) == ([now, now + 500, now + 1000], [now + 1500, now + 2000, now + 2500])
    assert late == [now + 60_000]
    assert health_store.reserve_slots(key, 1, 2, now=now + 60_500 - 900_000, health=stale) is None


def test_raised_limit_does_not_wait_for_earlier_slots(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:9999/")
    key, now = webhook_key("acme", webhook["id"]), pipeline.clock.now
    health_store.reserve_slots(key, 600, 1, now=now, health=Health())
    assert health_store.reserve_slots(key, 2, 1000, now=now, health=health(key)) == [now, now + 1]
    assert health_store.reserve_slots(key, 1, 1000, now=now, health=health(key)) == [now + 2]


# ── lists and indexes ────────────────────────────────────────────────────────────────────────────────


def test_pages_by_status_continue_at_the_cursor(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=1000)
        events = [pipeline.publish() for _ in range(7)]
        while pipeline.deliveries.poll():
            pass
    seen: list[str] = []
    cursor = ""
    while True:
        page = pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}/deliveries?status=FAILED&limit=3{cursor}").json()
        seen += [item["eventId"] for item in page["items"]]
        if not page["nextCursor"]:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == events[::-1]
    since = pipeline.api(f"GET /api/events/{events[3]}").json()["timestamp"]
    path = f"{WEBHOOKS}/{webhook['id']}/deliveries?status=FAILED&since={since}"
    assert {item["eventId"] for item in pipeline.api(f"GET {path}").json()["items"]} >= set(events[3:])
    path = f"{WEBHOOKS}/{webhook['id']}/deliveries?status=FAILED&eventType=POST_FAILED"
    assert pipeline.api(f"GET {path}").json()["items"] == []


def test_first_attempt_success_writes_no_index(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        pipeline.deliveries.poll()
        assert len(r.requests) == 1
    assert pipeline.row["sk"] == DeliveryId.derived(EventId(event), webhook["id"])
    assert pipeline.row.keys().isdisjoint({"statusKey", "dueShard", "dueAt"})
