"""What a receiver that is not well leads to: breaker, holds, probes, limits; what the sweeper releases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from patchbay.clock import at_ms, iso
from patchbay.deliveries import states, store
from patchbay.deliveries.models import Status
from patchbay.ids import DeliveryId, EventId, WebhookId, webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.settings import settings
from tests.faults import dying, killed, meanwhile
from tests.integration.conftest import WEBHOOKS, Line, health
from tests.receivers import Answer, receiver

HANGS = Answer(delay=30)
NO_RETRIES = {"maxRetries": 0}
LONG_AGO = "2020-01-01T00:00:00Z"


def health_of(line: Line, webhook: Any) -> Health:
    return health(webhook_key("acme", webhook["id"]))


def listed(line: Line, webhook: Any, status: str) -> list[str]:
    """The events of a webhook's deliveries with that status, as the API lists them, newest first."""
    answer = line.api(f"GET {WEBHOOKS}/{webhook['id']}/deliveries?status={status}&limit=100").json()
    return [item["eventId"] for item in answer["items"]]


def statuses(line: Line) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in line.rows:
        counts[row["status"]] = counts.get(row["status"], 0) + 1
    return counts


def opened(line: Line, url: str, **more: Any) -> Any:
    """A webhook whose breaker has just been opened."""
    webhook = line.webhook(url, retryConfig=NO_RETRIES, **more)
    probe_at = line.clock.now + settings().probe_seconds * 1000
    health_store.open_breaker(webhook_key("acme", webhook["id"]), line.clock.now, probe_at)
    return webhook


def hung(line: Line, url: str, **more: Any) -> Any:
    """A webhook whose breaker three timeouts have opened; their deliveries have failed."""
    webhook = line.webhook(url, retryConfig=NO_RETRIES, **more)
    for _ in range(3):
        line.publish()
    line.deliveries.poll()
    assert health_of(line, webhook).is_open(0)
    return webhook


# ── several workers and sweepers at once ─────────────────────────────────────────────────────────────


def test_an_earlier_success_that_is_written_later_changes_nothing(line: Line) -> None:
    webhook = line.webhook("https://hooks.example.com/")
    key = webhook_key("acme", webhook["id"])
    ids = [DeliveryId.new() for _ in range(3)]
    health_store.note_failure(key, 1, ids[0])
    seen = health_store.note_failure(key, 6, ids[1])
    health_store.note_success(key, 9, seen)
    health_store.note_success(key, 3, seen)
    health_store.note_failure(key, 7, ids[2])  # of before the success, and also written late
    assert health_of(line, webhook).succeeded_at == 9
    assert health_of(line, webhook).consecutive_failures(0) == 0


def test_of_two_sweepers_one_visits_a_webhook(line: Line) -> None:
    key = webhook_key("acme", line.webhook("https://hooks.example.com/")["id"])
    now = line.clock.now
    health_store.held(key, now, now)
    assert health_store.take_due(key, now, now + 30_000) is not None
    assert health_store.take_due(key, now, now + 30_000) is None


def test_a_webhook_for_which_something_is_held_meanwhile_is_not_settled(line: Line) -> None:
    webhook = line.webhook("https://hooks.example.com/")
    key, now = webhook_key("acme", webhook["id"]), line.clock.now
    health_store.held(key, now, now)
    seen = health_of(line, webhook)
    health_store.held(key, now + 1, now + 1)
    health_store.settled(key, seen)
    assert health_of(line, webhook).due_at == now
    health_store.settled(key, health_of(line, webhook))
    assert health_of(line, webhook).due_at == 0


# ── the breaker ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_a_receiver_that_hangs_is_left_alone_until_it_answers(line: Line) -> None:
    with receiver([HANGS, HANGS, HANGS, 200]) as r, receiver() as well:
        webhook = hung(line, r.url)
        healthy = line.webhook(well.url)
        events = [line.publish() for _ in range(8)]
        while line.deliveries.poll():
            pass
        assert len(r.requests) == 3  # nobody asked it again
        assert sorted(well.ids) == sorted(
            row["sk"] for row in line.rows if row["webhookKey"].endswith(healthy["id"])
        )
        assert listed(line, webhook, "HELD") == events[::-1]
        assert line.deliveries.waits == []  # they wait in the table, not in the queue
        shown = line.api(f"GET {WEBHOOKS}/{webhook['id']}").json()
        assert (shown["stats"]["pending"], shown["stats"]["failed"]) == (8, 3)
        assert shown["recentDeliveries"][0]["reason"] == "held:timeouts"

        line.clock.move(61)
        assert line.sweep() == 1  # the oldest is the probe
        line.poll()
        assert listed(line, webhook, "DELIVERED") == events[:1]
        line.clock.move(61)
        assert line.sweep() == 7  # the breaker is closed
        line.run()
    assert listed(line, webhook, "DELIVERED") == events[::-1]
    assert len(set(r.ids)) == len(r.ids) == 11
    assert [row for row in line.backend.rows("HealthTable") if "dueAt" in row] == []


def test_a_fresh_event_may_be_the_probe(line: Line) -> None:
    with receiver([200]) as r:
        webhook = opened(line, r.url)
        line.clock.move(61)
        event = line.publish()
        other = line.publish()
        line.deliveries.poll()
        assert r.requests == []  # the probe is made in the slow lane
        line.slow.poll()
        assert len(r.requests) == 1  # one of the two
        assert len(listed(line, webhook, "DELIVERED")) == len(listed(line, webhook, "HELD")) == 1
        line.run()
    assert set(listed(line, webhook, "DELIVERED")) == {event, other}


def test_of_two_workers_one_makes_the_probe(line: Line) -> None:
    with receiver() as r:
        webhook = opened(line, r.url)
        line.clock.move(61)
        line.publish()
        line.deliveries.poll()
        key, known = webhook_key("acme", webhook["id"]), health_of(line, webhook)
        until = line.clock.now + 45_000
        # After this worker's permit, before it asks for the probe.
        with meanwhile(
            "dynamodb.UpdateItem", lambda: health_store.take_probe(key, known.probe_at, until), at=2
        ):
            line.slow.poll()
        assert r.requests == []
        assert len(listed(line, webhook, "HELD")) == 1
        assert health_of(line, webhook).probe_at == until


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_each_probe_that_hangs_makes_the_next_one_later(line: Line) -> None:
    with receiver([HANGS]) as r:
        webhook = opened(line, r.url)
        waits = []
        for requests in (1, 2, 3):
            known = health_of(line, webhook)
            waits.append(round((known.probe_at - line.clock.now) / 1000))
            line.clock.move(waits[-1] - 1)
            line.publish()
            line.poll()
            assert len(r.requests) == requests - 1
            line.clock.move(2)
            line.publish()
            line.poll()
            assert len(r.requests) == requests
    assert waits == [60, 120, 240]


@pytest.mark.parameters(MaxHoldSeconds=600, ProbeSeconds=900)
def test_what_is_held_too_long_fails_with_the_reason(line: Line) -> None:
    with receiver() as r:
        opened(line, r.url, disableAfter=1000)
        line.publish()
        line.publish()
        line.run()
        assert r.requests == []
    held = [row for row in line.rows if row["reason"] == "held_too_long"]
    assert {row["status"] for row in line.rows} == {"FAILED"}
    assert held
    assert {row["attempts"] for row in held} == {0}


@pytest.mark.parameters(MaxHoldSeconds=600)
def test_what_is_released_and_held_again_is_not_held_for_ever(line: Line) -> None:
    """Without an attempt, time counts from the first hold."""
    with receiver() as r:
        line.webhook(r.url, is_fast=False)
        line.publish()
        first_held, ends_at = 0, line.clock.now + 1_200_000
        while line.row["status"] != "FAILED" if line.rows else True:
            assert line.clock.now < ends_at
            while health_store.take_permit("acme", line.clock.now):
                pass
            line.poll()
            first_held = first_held or (line.clock.now if line.rows else 0)
            waits = line.deliveries.waits + line.slow.waits
            line.clock.move(min(waits, default=30) + 0.001)
            if not waits:  # held: a sweep, which finds it so each time
                line.sweep()
        assert r.requests == []
        assert 500_000 <= line.clock.now - first_held <= 800_000
    assert line.ends() == [("FAILED", "held_too_long")]


def test_enabling_a_webhook_again_releases_what_is_held(line: Line) -> None:
    with receiver([200]) as r:
        webhook = opened(line, r.url)
        line.publish()
        line.deliveries.poll()
        line.clock.move(1)
        line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        line.publish()
        line.deliveries.poll()
        assert len(r.requests) == 1  # the fresh one goes at once
        line.clock.move(60)
        assert line.sweep() == 1
        line.deliveries.poll()
    assert statuses(line) == {"DELIVERED": 2}


@pytest.mark.parametrize(("status", "reason"), [("INACTIVE", "webhook_inactive"), (None, "webhook_deleted")])
def test_what_is_held_for_a_webhook_that_is_switched_off_ends(
    line: Line, status: str | None, reason: str
) -> None:
    with receiver() as r:
        webhook = opened(line, r.url)
        line.publish()
        line.deliveries.poll()
        if status:
            line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": status})
        else:
            line.api(f"DELETE {WEBHOOKS}/{webhook['id']}")
        line.run()
    assert line.ends()[0] == ("CANCELLED", reason)
    assert [row for row in line.backend.rows("HealthTable") if "dueAt" in row] == []


@pytest.mark.parametrize("call", range(1, 12, 2))
def test_a_worker_or_sweeper_that_dies_while_holding_loses_nothing(line: Line, call: int) -> None:
    with receiver([200]) as r:
        webhook = opened(line, r.url)
        line.publish()
        line.publish()
        records = line.deliveries.receive()
        with dying(call) as process:
            line.deliveries.invoke(records)
            line.clock.move(61)
            line.sweep()
        assert process.died is (call <= process.calls)
        line.run()
    assert statuses(line) == {"DELIVERED": 2}
    assert len(listed(line, webhook, "DELIVERED")) == 2
    assert len(r.requests) == 2


def test_what_is_retried_by_hand_does_not_wait_for_the_breaker(line: Line) -> None:
    with receiver() as r:
        webhook = opened(line, r.url)
        event = line.publish()
        line.deliveries.poll()
        id = line.shown(webhook, event)["id"]
        retried = line.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry")
        assert (retried.status, retried.json()["status"], retried.json()["reason"]) == (202, "RETRYING", None)
        assert line.deliveries.waits == []
        line.slow.poll()
        assert len(r.requests) == 1
        assert not health_of(line, webhook).is_open(0)  # it was answered
    assert statuses(line) == {"DELIVERED": 1}


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_a_recovery_finds_out_whether_the_breaker_may_close(line: Line) -> None:
    with receiver([HANGS, HANGS, HANGS, 200]) as r:
        since = iso(at_ms(line.clock.now))
        webhook = hung(line, r.url)
        line.clock.move(61)
        # Nothing is held and no event comes: only the recovery has deliveries to probe with.
        answer = line.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json={"since": since})
        assert answer.json() == {"queued": 3}
        line.run(days=1)
        assert len(r.requests) == 6
    assert statuses(line) == {"DELIVERED": 3}


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_timeouts_of_before_a_webhook_was_enabled_again_open_no_breaker(line: Line) -> None:
    with receiver([HANGS]) as r:
        webhook = hung(line, r.url)
        line.clock.move(1)
        line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        resumed_at = line.clock.now
        open_after = []
        for _ in range(3):
            line.clock.move(1)
            line.publish()
            line.deliveries.poll()
            open_after.append(health_of(line, webhook).is_open(resumed_at))
        assert len(r.requests) == 6
    assert open_after == [False, False, True]


# ── too many that wait ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxWaitingPerWebhook=4)
def test_with_too_many_retries_waiting_further_deliveries_are_held(line: Line) -> None:
    well = {"now": False}
    with receiver([lambda _: 200 if well["now"] else 503]) as r:
        webhook = line.webhook(r.url, retryConfig={"initialDelaySeconds": 60, "maxRetries": 9})
        for _ in range(5):
            line.publish()
        line.deliveries.poll()
        assert statuses(line) == {"RETRYING": 5}
        held = [line.publish() for _ in range(6)]
        line.deliveries.poll()
        assert len(r.requests) == 5
        assert listed(line, webhook, "HELD") == held[::-1]
        assert set(listed(line, webhook, "HELD")).isdisjoint(listed(line, webhook, "RETRYING"))
        assert len(line.deliveries.waits) == 5
        well["now"] = True
        line.run()
        assert len(r.requests) == 5 + 5 + 6
    assert statuses(line) == {"DELIVERED": 11}
    assert health_of(line, webhook).backlog_at == 0


@pytest.mark.parameters(MaxWaitingPerWebhook=8)
def test_what_is_held_stays_so_until_the_backlog_has_ended(line: Line) -> None:
    with receiver([503]) as r:
        webhook = line.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        events = [line.publish() for _ in range(8)]
        line.deliveries.poll()
        held = [line.publish() for _ in range(6)]
        line.deliveries.poll()
        assert statuses(line) == {"RETRYING": 8, "HELD": 6}
        # Two end; released now, what is held would be held again, minute after minute.
        for row in [row for row in line.rows if row["eventId"] in events[:2]]:
            ended = states.given_up(row, Status.CANCELLED, "webhook_inactive", line.clock.now)
            assert ended is not None
            store.write(row, ended)
        line.clock.move(61)
        assert line.sweep() == 0
        assert listed(line, webhook, "HELD") == held[::-1]
        assert len(r.requests) == 8


# ── the rate limit ───────────────────────────────────────────────────────────────────────────────────


def test_a_rate_limit_gives_each_delivery_its_slot(line: Line) -> None:
    with receiver() as r:
        webhook = line.webhook(r.url, rateLimitPerSecond=1)
        for _ in range(10):
            line.publish()
        start = line.clock.now
        line.deliveries.poll()
        assert len(r.requests) == 2  # now, and a second later: that the worker waits for itself
        slots = sorted(row["slotAt"] - start for row in line.rows if "slotAt" in row)
        assert slots == [second * 1000 for second in range(2, 10)]
        assert line.deliveries.waits == list(range(2, 10))
        assert statuses(line) == {"DELIVERED": 2, "PENDING": 8}
        assert len(listed(line, webhook, "PENDING")) == 8
        line.run()
        assert len(r.requests) == len(set(r.ids)) == 10
        # Each has slept once: nobody has asked for a second slot.
        assert health_of(line, webhook).next_slot == (start + 10_000) * 1000
    assert statuses(line) == {"DELIVERED": 10}


def test_a_retry_takes_a_slot_of_its_own(line: Line) -> None:
    with receiver([500, 200]) as r:
        webhook = line.webhook(r.url, rateLimitPerSecond=1)
        line.publish()
        start = line.clock.now
        line.run()
        assert len(r.requests) == 2
        assert health_of(line, webhook).next_slot > (start + 20_000) * 1000
    assert statuses(line) == {"DELIVERED": 1}


def test_a_slot_survives_the_worker_that_reserved_it(line: Line) -> None:
    with receiver() as r:
        line.webhook(r.url, rateLimitPerSecond=1)
        for _ in range(4):
            line.publish()
        with killed("sqs.ChangeMessageVisibilityBatch"):
            line.deliveries.poll()
        line.run()
        assert sorted(r.ids) == sorted({row["sk"] for row in line.rows})
    assert statuses(line) == {"DELIVERED": 4}


def test_beyond_the_horizon_deliveries_are_held_and_released_in_their_order(line: Line) -> None:
    with receiver() as r:
        webhook = line.webhook(r.url, rateLimitPerSecond=1)
        key = webhook_key("acme", webhook["id"])
        # As if 15 minutes' worth of others waited before them.
        now = line.clock.now
        health_store.reserve_slots(key, 899, 1, now=now, health=Health())
        held = [line.publish() for _ in range(5)]
        line.deliveries.poll()
        assert listed(line, webhook, "HELD") == held[::-1]
        assert {row["reason"] for row in line.rows} == {"held:rate_limit"}
        line.clock.move(300)
        assert line.sweep() == 0  # there are still 10 minutes of slots given out
        line.clock.move(500)
        assert line.sweep() == 5
        line.run()
        order = [json.loads(request.body)["id"] for request in r.requests]
    assert order == held
    assert statuses(line) == {"DELIVERED": 5}


def test_an_unlimited_webhook_asks_nothing_for_its_pass(line: Line) -> None:
    with receiver() as r:
        line.webhook(r.url)
        line.publish()
        line.backend.calls.clear()
        line.deliveries.poll()
        assert len(r.requests) == 1
    assert line.backend.calls.count == {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}


def test_one_batch_reserves_its_slots_with_one_write(line: Line) -> None:
    with receiver() as r:
        webhook = line.webhook(r.url, rateLimitPerSecond=1000)
        for _ in range(10):
            line.publish()
        line.deliveries.poll()
        line.backend.calls.clear()
        for _ in range(10):
            line.publish()
        line.clock.move(5)
        line.backend.calls.clear()
        line.deliveries.poll()
        assert len(r.requests) == 20
        assert line.backend.calls.count == {
            "dynamodb.BatchGetItem": 1,
            "dynamodb.UpdateItem": 1,
            "dynamodb.BatchWriteItem": 1,
        }
        assert health_of(line, webhook).next_slot == line.clock.now * 1000 + 10_000


def test_two_workers_that_reserve_at_once_get_different_slots(line: Line) -> None:
    webhook = line.webhook("http://127.0.0.1:9999/")
    key, now = webhook_key("acme", webhook["id"]), line.clock.now
    stale = Health()
    first = health_store.reserve_slots(key, 3, 2, now=now, health=stale)
    second = health_store.reserve_slots(key, 3, 2, now=now, health=stale)
    late = health_store.reserve_slots(key, 1, 2, now=now + 60_000, health=health(key))
    assert (first, second) == ([now, now + 500, now + 1000], [now + 1500, now + 2000, now + 2500])
    assert late == [now + 60_000]
    assert health_store.reserve_slots(key, 1, 2, now=now + 60_500 - 900_000, health=stale) is None


def test_a_limit_that_is_raised_does_not_wait_for_the_slots_of_before(line: Line) -> None:
    webhook = line.webhook("http://127.0.0.1:9999/")
    key, now = webhook_key("acme", webhook["id"]), line.clock.now
    health_store.reserve_slots(key, 600, 1, now=now, health=Health())
    assert health_store.reserve_slots(key, 2, 1000, now=now, health=health(key)) == [now, now + 1]
    assert health_store.reserve_slots(key, 1, 1000, now=now, health=health(key)) == [now + 2]


# ── rights to look ───────────────────────────────────────────────────────────────────────────────────


def test_pages_by_status_go_on_where_they_ended(line: Line) -> None:
    with receiver([404]) as r:
        webhook = line.webhook(r.url, disableAfter=1000)
        events = [line.publish() for _ in range(7)]
        while line.deliveries.poll():
            pass
    seen: list[str] = []
    cursor = ""
    while True:
        page = line.api(f"GET {WEBHOOKS}/{webhook['id']}/deliveries?status=FAILED&limit=3{cursor}").json()
        seen += [item["eventId"] for item in page["items"]]
        if not page["nextCursor"]:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == events[::-1]
    since = line.api(f"GET /api/events/{events[3]}").json()["timestamp"]
    path = f"{WEBHOOKS}/{webhook['id']}/deliveries?status=FAILED&since={since}"
    assert {item["eventId"] for item in line.api(f"GET {path}").json()["items"]} >= set(events[3:])
    path = f"{WEBHOOKS}/{webhook['id']}/deliveries?status=FAILED&eventType=POST_FAILED"
    assert line.api(f"GET {path}").json()["items"] == []


def test_a_first_success_writes_no_index(line: Line) -> None:
    with receiver() as r:
        webhook = line.webhook(r.url)
        event = line.publish()
        line.deliveries.poll()
        assert len(r.requests) == 1
    row = store.get("acme", WebhookId(webhook["id"]), DeliveryId.derived(EventId(event), webhook["id"]))
    assert row is not None
    assert row.keys().isdisjoint({"statusKey", "dueShard", "dueAt"})
