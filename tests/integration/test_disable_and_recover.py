"""Webhooks that are disabled, and deliveries that are sent anew: by hand, and since a moment."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from patchbay.clock import at_ms, iso, now_ms
from patchbay.deliveries import batch
from patchbay.ids import DeliveryId, webhook_key
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.catalogued import assert_catalogued
from tests.faults import dying, failing, killed, meanwhile, watched
from tests.integration.conftest import DAY, WEBHOOKS, Line, health
from tests.receivers import Answer, Receiver, receiver

NO_RETRIES = {"maxRetries": 0}


def shown(line: Line, webhook: Any) -> Any:
    return line.api(f"GET {WEBHOOKS}/{webhook['id']}").json()


def deliver(line: Line, count: int = 1) -> list[str]:
    """Publish so many events and make their attempts, one batch each."""
    events = []
    for _ in range(count):
        events.append(line.publish())
        line.deliveries.poll()
    return events


def told(r: Receiver) -> list[Any]:
    """The data of each WEBHOOK_DISABLED that a receiver got."""
    bodies = [json.loads(request.body) for request in r.requests]
    return [body["data"] for body in bodies if body["type"] == "WEBHOOK_DISABLED"]


def by_event(line: Line, webhook: Any) -> dict[str, tuple[str, str | None]]:
    rows = [row for row in line.rows if row["webhookKey"].endswith(webhook["id"])]
    return {row["eventId"]: (row["status"], row.get("reason")) for row in rows}


def recover(line: Line, webhook: Any, since: str, **more: Any) -> Any:
    return line.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json={"since": since, **more})


# ── auto-disable ─────────────────────────────────────────────────────────────────────────────────────


def test_ten_failed_deliveries_in_a_row_disable_a_webhook(line: Line) -> None:
    with receiver([404]) as r, receiver() as owner:
        webhook = line.webhook(r.url)
        line.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        deliver(line, 9)
        assert (shown(line, webhook)["status"], shown(line, webhook)["consecutiveFailures"]) == ("ACTIVE", 9)
        deliver(line)
        after = shown(line, webhook)
        assert (after["status"], after["disabledReason"]) == ("DISABLED", "consecutive_failures")
        assert after["disabledAt"] == iso(at_ms(line.clock.now))
        deliver(line, 2)  # it is subscribed to nothing any more
        assert len(r.requests) == 10
        line.run()
        line.events.run()
        line.run()
        (data,) = told(owner)
        assert_catalogued("WEBHOOK_DISABLED", data)
        assert data == (
            {
                "webhookId": webhook["id"],
                "name": "test",
                "url": webhook["url"],
                "reason": "consecutive_failures",
                "consecutiveFailures": 10,
                "disabledAt": after["disabledAt"],
            }
        )


def test_a_success_in_between_starts_the_count_anew(line: Line) -> None:
    with receiver([*[404] * 9, 200, *[404] * 9, 200]) as r:
        webhook = line.webhook(r.url)
        deliver(line, 19)
        assert shown(line, webhook)["consecutiveFailures"] == 9
        deliver(line)
        assert shown(line, webhook)["consecutiveFailures"] == 0
        assert shown(line, webhook)["status"] == "ACTIVE"


def test_deliveries_are_counted_not_their_attempts(line: Line) -> None:
    with receiver([500]) as r:
        webhook = line.webhook(r.url, disableAfter=2, retryConfig={"maxRetries": 3})
        deliver(line)
        line.run()
        assert len(r.requests) == 4
        assert shown(line, webhook)["consecutiveFailures"] == 1


@pytest.mark.parametrize("call", range(1, 9))
def test_a_failure_counts_once_wherever_its_worker_dies(line: Line, call: int) -> None:
    with receiver([404]) as r:
        webhook = line.webhook(r.url, disableAfter=2)
        line.publish()
        with dying(call):
            line.deliveries.poll()
        line.run()
        assert len(r.requests) <= 2
        assert shown(line, webhook)["consecutiveFailures"] == 1
        assert shown(line, webhook)["status"] == "ACTIVE"
        deliver(line)
        assert shown(line, webhook)["status"] == "DISABLED"


@pytest.mark.parametrize("call", range(1, 14, 2))
def test_its_owner_is_told_once_wherever_a_process_dies(line: Line, call: int) -> None:
    with receiver([404]) as r, receiver() as owner:
        webhook = line.webhook(r.url, disableAfter=1)
        line.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        line.publish()
        records = line.deliveries.receive()
        with dying(call):
            line.deliveries.invoke(records)
            line.sweep()
        line.run()
        line.events.run()
        line.run()
        assert shown(line, webhook)["status"] == "DISABLED"
        assert [data["webhookId"] for data in told(owner)] == [webhook["id"]]


def test_its_owner_is_told_each_time_however_soon(line: Line) -> None:
    with receiver([404]) as r, receiver() as owner:
        webhook = line.webhook(r.url, disableAfter=1)
        line.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        deliver(line)
        line.clock.move(1)
        line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        line.clock.move(1)
        deliver(line)
        line.run()
        line.events.run()
        line.run()
        assert len({data["disabledAt"] for data in told(owner)}) == len(told(owner)) == 2


def test_of_many_who_would_disable_one_does(line: Line) -> None:
    with receiver([404]) as r, receiver() as owner:
        line.webhook(r.url, disableAfter=3)
        line.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        for _ in range(10):
            line.publish()
        line.deliveries.poll()  # ten at once
        line.run()
        line.events.run()
        line.run()
        assert len(told(owner)) == 1


def test_a_success_that_another_worker_has_just_had_counts(line: Line) -> None:
    """The success is in its row before it is in the webhook's health."""
    with receiver([404, 404, 404]) as r:
        webhook = line.webhook(r.url, disableAfter=3)
        deliver(line, 2)

        def succeed() -> None:
            at, id = line.clock.now + 1, DeliveryId.new(line.clock.now)
            succeeded = {"status": "DELIVERED", "deliveredAt": at, "success": {"durationMs": 1}}
            dynamo.put(settings().deliveries_table, {**line.rows[0], "sk": id, **succeeded})
            line.clock.move(0.002)

        line.publish()
        with meanwhile("dynamodb.Query", succeed):
            line.deliveries.poll()
        assert shown(line, webhook)["status"] == "ACTIVE"


def test_an_operational_event_causes_no_other(line: Line) -> None:
    with receiver([404]) as r, receiver([410]) as deaf, receiver() as owner:
        line.webhook(r.url, disableAfter=1)
        line.webhook(deaf.url, events=["WEBHOOK_DISABLED"])
        line.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        deliver(line)
        for _ in range(4):
            line.run()
            line.events.run()
        assert len(deaf.requests) == 1
        assert [data["url"] for data in told(owner)] == [r.url]


def test_410_disables_at_once_and_tells(line: Line) -> None:
    with receiver([410]) as r, receiver() as owner:
        webhook = line.webhook(r.url)
        line.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        event = deliver(line)[0]
        line.run()
        line.events.run()
        line.run()
        assert by_event(line, webhook) == {event: ("FAILED", "endpoint_gone")}
        assert [data["reason"] for data in told(owner)] == ["endpoint_gone"]


def test_what_was_waiting_is_cancelled_and_can_be_recovered(line: Line) -> None:
    script = [503, *[404] * 2, 200]
    with receiver(script) as r:
        webhook = line.webhook(r.url, disableAfter=2, retryConfig={"initialDelaySeconds": 3000})
        since = iso(at_ms(line.clock.now))
        waiting = deliver(line)[0]
        failed = deliver(line, 2)
        assert shown(line, webhook)["status"] == "DISABLED"
        line.clock.move(1)
        line.sweep()
        assert by_event(line, webhook)[waiting] == ("CANCELLED", "webhook_disabled")
        line.run()
        assert len(r.requests) == 3

        assert recover(line, webhook, since).status == 409  # it is not active
        line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        assert shown(line, webhook)["consecutiveFailures"] == 0
        answer = recover(line, webhook, since)
        assert (answer.status, answer.json()) == (202, {"queued": 3})
        line.run()
        assert len(r.requests) == 6
    assert by_event(line, webhook) == dict.fromkeys([waiting, *failed], ("DELIVERED", None))


def test_failures_of_before_a_webhook_was_enabled_again_are_forgotten(line: Line) -> None:
    """Kept, they would fill the row: enabled and disabled nine times at 1,000 failures each, it is full."""
    with receiver([404]) as r:
        webhook = line.webhook(r.url, disableAfter=2)
        for _ in range(3):
            deliver(line, 2)
            assert shown(line, webhook)["status"] == "DISABLED"
            assert shown(line, webhook)["consecutiveFailures"] == 2
            line.clock.move(1)
            line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
            line.clock.move(1)
        assert len(r.requests) == 6
    assert len(health(webhook_key("acme", webhook["id"])).failures) == 2


def test_attempts_side_by_side_that_learn_of_each_others_failures_late_disable_once(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WebhookBatch(batch.WebhookBatch):
        """Another attempt's older answer always comes in right after the newer one."""

        def __setattr__(self, name: str, value: Any) -> None:
            late = name == "health" and hasattr(self, "tally")
            super().__setattr__(name, Health() if late else value)

    monkeypatch.setattr(batch, "WebhookBatch", WebhookBatch)
    with receiver([404]) as r, receiver() as owner:
        webhook = line.webhook(r.url, disableAfter=2)
        line.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        deliver(line, 2)
        assert shown(line, webhook)["status"] == "DISABLED"
        line.run()
        line.events.run()
        line.run()
        assert [data["consecutiveFailures"] for data in told(owner)] == [2]


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────


def retry(line: Line, webhook: Any, event: str) -> Any:
    id = line.shown(webhook, event)["id"]
    return line.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry")


def test_a_failed_delivery_is_sent_again_with_all_its_retries(line: Line) -> None:
    with receiver([500, 500, 500, 500, 200]) as r:
        webhook = line.webhook(r.url, retryConfig={"maxRetries": 1})
        event = line.publish()
        line.run()
        assert len(r.requests) == 2
        answer = retry(line, webhook, event)
        assert (answer.status, answer.json()["status"]) == (202, "RETRYING")
        line.run()
        assert len(r.requests) == 4
        delivery = line.shown(webhook, event)
        assert (delivery["status"], delivery["attemptCount"], delivery["maxAttempts"]) == ("FAILED", 4, 4)
        assert [attempt["trigger"] for attempt in delivery["attempts"]] == [
            "AUTO",
            "AUTO",
            "MANUAL",
            "MANUAL",
        ]
        assert shown(line, webhook)["consecutiveFailures"] == 1  # the second time does not count
        retry(line, webhook, event)
        line.run()
        assert line.shown(webhook, event)["status"] == "DELIVERED"
        assert len(set(r.ids)) == 1


def test_a_retry_by_hand_that_fails_does_not_count_against_the_webhook(line: Line) -> None:
    with receiver([404, 200, 404]) as r:
        webhook = line.webhook(r.url)
        failed = deliver(line)[0]
        deliver(line)
        assert shown(line, webhook)["consecutiveFailures"] == 0
        retry(line, webhook, failed)
        line.run()
        assert len(r.requests) == 3
    assert shown(line, webhook)["consecutiveFailures"] == 0


def test_what_waits_for_a_retry_can_be_sent_now(line: Line) -> None:
    with receiver([500, 200]) as r:
        webhook = line.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        event = deliver(line)[0]
        assert retry(line, webhook, event).status == 202
        line.slow.poll()
        assert len(r.requests) == 2
        line.run()  # the message of the old retry comes, and is dropped
        assert len(r.requests) == 2
    assert by_event(line, webhook) == {event: ("DELIVERED", None)}


def test_what_was_delivered_is_not_sent_again(line: Line) -> None:
    with receiver() as r:
        webhook = line.webhook(r.url)
        event = deliver(line)[0]
        answer = retry(line, webhook, event)
        assert (answer.status, answer.json()["code"]) == (409, "conflict")
        assert "delivered" in answer.json()["detail"]
        line.run()
        assert len(r.requests) == 1
        assert recover(line, webhook, iso(at_ms(line.clock.now - 1000))).json() == {"queued": 0}


def test_a_retry_of_what_another_has_just_retried_is_a_conflict(line: Line) -> None:
    with receiver([404, 200]) as r:
        webhook = line.webhook(r.url)
        event = deliver(line)[0]
        with meanwhile("dynamodb.PutItem", lambda: retry(line, webhook, event), at=1):
            assert retry(line, webhook, event).status == 409
        line.run()
        assert len(r.requests) == 2


def test_a_retry_whose_send_is_lost_is_sent_by_the_sweeper(line: Line) -> None:
    with receiver([404, 200]) as r:
        webhook = line.webhook(r.url)
        event = deliver(line)[0]
        with failing("sqs.SendMessage"):
            assert retry(line, webhook, event).status == 429
        line.run()
        assert len(r.requests) == 2
    assert by_event(line, webhook) == {event: ("DELIVERED", None)}


def test_what_its_worker_left_behind_can_be_sent_again_without_its_message(line: Line) -> None:
    with receiver() as r:
        webhook = line.webhook(r.url, is_fast=False)
        event = line.publish()
        with killed("dynamodb.BatchWriteItem"):
            line.poll()
        line.backend.client("sqs").purge_queue(QueueUrl=line.slow.url)
        assert by_event(line, webhook)[event][0] == "SENDING"
        assert retry(line, webhook, event).status == 409  # its worker may be at it
        line.clock.move(46)
        assert retry(line, webhook, event).status == 202
        line.run()
        assert len(r.requests) == 2
    assert by_event(line, webhook) == {event: ("DELIVERED", None)}


@pytest.mark.parametrize("how", ["paused", "foreign", "unknown"])
def test_who_cannot_retry(line: Line, how: str) -> None:
    with receiver([404]) as r:
        webhook = line.webhook(r.url)
        other = line.webhook(r.url, events=["POST_FAILED"])
        event = deliver(line)[0]
        if how == "paused":
            line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "INACTIVE"})
            assert retry(line, webhook, event).status == 409
        elif how == "foreign":
            id = line.shown(webhook, event)["id"]
            assert line.api(f"POST {WEBHOOKS}/{other['id']}/deliveries/{id}/retry").status == 404
        else:
            missing = "dlv_032asvoIMRhSNWxurQ9lsq"
            assert line.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{missing}/retry").status == 404
        line.run()
        assert len(r.requests) == 1


# ── since a moment ───────────────────────────────────────────────────────────────────────────────────


def test_a_recovery_takes_its_span_of_time_and_the_failed_only(line: Line) -> None:
    well = {"now": False}
    with receiver([lambda _: 200 if well["now"] else 404]) as r:
        webhook = line.webhook(r.url, disableAfter=1000)
        moments, events = [], []
        for _ in range(6):
            line.clock.move(60)
            moments.append(iso(at_ms(line.clock.now)))
            # Event ids are of the real time, which stands still here too.
            events += deliver(line)
        well["now"] = True
        delivered = deliver(line)
        answer = recover(line, webhook, moments[1], until=moments[3])
        assert (answer.status, answer.json()) == (202, {"queued": 3})
        assert recover(line, webhook, moments[0]).status == 409  # one at a time
        line.run()
        states = by_event(line, webhook)
        assert [states[event][0] for event in events] == ["FAILED", *["DELIVERED"] * 3, *["FAILED"] * 2]
        assert states[delivered[0]][0] == "DELIVERED"
        assert recover(line, webhook, moments[0]).json() == {"queued": 3}
        line.run()
        assert {status for status, _ in by_event(line, webhook).values()} == {"DELIVERED"}
        assert len(r.requests) == 6 + 1 + 6
        triggers = [attempt["trigger"] for attempt in line.shown(webhook, events[0])["attempts"]]
        assert triggers == ["AUTO", "RECOVER"]


@pytest.mark.parameters(MaxWaitingPerWebhook=3)
def test_a_recovery_is_paced_and_does_not_take_up_what_fails_anew(line: Line) -> None:
    with receiver([404]) as r:
        webhook = line.webhook(r.url, disableAfter=1000, retryConfig=NO_RETRIES)
        since = iso(at_ms(line.clock.now))
        deliver(line, 8)
        assert recover(line, webhook, since).json() == {"queued": 8}
        line.clock.move(1)
        sweeps = []
        for _ in range(5):
            sweeps.append(line.sweep())
            while line.deliveries.poll():
                pass
            line.clock.move(61)
        assert sweeps == [3, 3, 2, 0, 0]
        line.run()
        assert len(r.requests) == 16
        assert recover(line, webhook, since).json() == {"queued": 8}  # when it has ended, another may begin


@pytest.mark.parameters(MaxWaitingPerWebhook=2)
def test_a_recovery_goes_by_age_whatever_the_end_was(line: Line) -> None:
    with receiver([404, 503, 404, 503, 200]) as r:
        webhook = line.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        since = iso(at_ms(line.clock.now))
        events = deliver(line, 4)
        line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "INACTIVE"})
        line.run()
        ends = [by_event(line, webhook)[event][0] for event in events]
        assert ends == ["FAILED", "CANCELLED", "FAILED", "CANCELLED"]
        line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        assert recover(line, webhook, since).json() == {"queued": 4}
        line.clock.move(1)
        assert line.sweep() == 2
        states = by_event(line, webhook)
        assert [states[event][0] for event in events] == ["RETRYING", "RETRYING", "FAILED", "CANCELLED"]
        line.run()
        assert len(r.requests) == 8
    assert set(by_event(line, webhook).values()) == {("DELIVERED", None)}


@pytest.mark.parameters(MaxWaitingPerWebhook=3)
@pytest.mark.parametrize("call", range(4, 26, 3))
def test_a_recovery_goes_on_where_its_sweeper_died(line: Line, call: int) -> None:
    with receiver([*[404] * 5, 200]) as r:
        webhook = line.webhook(r.url, disableAfter=1000, retryConfig=NO_RETRIES)
        since = iso(at_ms(line.clock.now))
        deliver(line, 5)
        recover(line, webhook, since)
        line.clock.move(1)
        with dying(call):
            line.sweep()
        line.run()
        assert len(r.requests) == 10
        assert {status for status, _ in by_event(line, webhook).values()} == {"DELIVERED"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"since": "yesterday"}, 422),
        ({"since": "2020-01-01T00:00:00Z"}, 422),
        ({"since": "2999-01-01T00:00:00Z"}, 422),
        ({"since": "now", "until": "2020-01-01T00:00:00Z"}, 422),
        ({"since": "now", "all": True}, 422),
    ],
)
def test_a_recovery_is_bounded(line: Line, body: dict[str, Any], status: int) -> None:
    webhook = line.webhook("http://127.0.0.1:9999/")
    if body.get("since") == "now":
        body = {**body, "since": iso(at_ms(now_ms()) - timedelta(hours=1))}
    assert line.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json=body).status == status


def test_a_recovery_of_a_webhook_that_is_disabled_again_ends(line: Line) -> None:
    with receiver([404]) as r:
        webhook = line.webhook(r.url, disableAfter=3, retryConfig=NO_RETRIES)
        since = iso(at_ms(line.clock.now))
        deliver(line, 3)
        line.clock.move(1)
        line.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        recover(line, webhook, since)
        line.run()
        assert shown(line, webhook)["status"] == "DISABLED"
        assert len(r.requests) == 6
        assert all("recover" not in row for row in line.backend.rows("HealthTable"))


# ── stats ────────────────────────────────────────────────────────────────────────────────────────────


def test_stats_tell_what_became_of_the_last_day(line: Line) -> None:
    with receiver([200, 404, 500, Answer(200, delay=0.12)]) as r:
        webhook = line.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        assert shown(line, webhook)["stats"]["deliveries"] == 0
        deliver(line, 4)
        assert len(r.requests) == 4
        (item,) = line.api(f"GET {WEBHOOKS}").json()["items"]
        stats = item["stats"]
        assert stats == shown(line, webhook)["stats"]
        assert (stats["deliveries"], stats["delivered"], stats["failed"], stats["pending"]) == (4, 2, 1, 1)
        assert stats["successRate"] == 0.6667
        assert stats["latencyMs"]["p99"] >= 100
        assert stats["lastError"]["reason"] == "http_500"
        assert stats["lastDeliveryAt"] == iso(at_ms(line.clock.now))
        line.clock.move(DAY + 3600)
        assert shown(line, webhook)["stats"]["delivered"] == 0


def test_a_batch_counts_what_fails_in_one_write_for_each_webhook(line: Line) -> None:
    with receiver([500] * 9 + [200]) as r, watched("dynamodb.UpdateItem") as updates:
        line.webhook(r.url)
        for _ in range(10):
            line.publish()
        line.deliveries.poll()
        assert len(r.requests) == 10
    counted = [update for update in updates if "lastAttemptAt" in update["UpdateExpression"]]
    assert [update["ExpressionAttributeValues"][":attempts"] for update in counted] == [{"N": "9"}]


def test_counters_that_are_lost_change_no_delivery(line: Line) -> None:
    with receiver([500, 200]) as r:
        webhook = line.webhook(r.url)
        event = line.publish()
        with failing("dynamodb.UpdateItem", where="lastAttemptAt"):
            line.deliveries.poll()
        line.run()
        assert len(r.requests) == 2
    assert by_event(line, webhook) == {event: ("DELIVERED", None)}


def test_a_worker_that_dies_before_the_counters_sends_nothing_twice(line: Line) -> None:
    with receiver([500, 200]) as r:
        webhook = line.webhook(r.url)
        event = line.publish()
        with killed("dynamodb.UpdateItem", where="lastAttemptAt"):
            line.deliveries.poll()
        line.run()
        assert len(r.requests) == 2
    assert by_event(line, webhook) == {event: ("DELIVERED", None)}
