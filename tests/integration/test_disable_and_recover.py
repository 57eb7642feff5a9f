"""Disabling of webhooks, and resending of deliveries by manual retries and recoveries."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from patchbay.clock import from_ms, iso, now_ms
from patchbay.deliveries import batch
from patchbay.ids import DeliveryId, webhook_key
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.catalogued import assert_catalogued
from tests.faults import dying, failing, killed, meanwhile, watched
from tests.integration.conftest import DAY, WEBHOOKS, Pipeline, health
from tests.problems import assert_problem
from tests.receivers import Answer, Receiver, receiver
from tests.stored_attempts import stored_attempt

NO_RETRIES = {"maxRetries": 0}


def shown(pipeline: Pipeline, webhook: Any) -> Any:
    return pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}").json()


def deliver(pipeline: Pipeline, count: int = 1) -> list[str]:
    """Publish `count` events and attempt their deliveries, one batch per event. Returns the event IDs."""
    events = []
    for _ in range(count):
        events.append(pipeline.publish())
        pipeline.deliveries.poll()
    return events


def notifications(r: Receiver) -> list[Any]:
    """The data of each WEBHOOK_DISABLED that a receiver got."""
    bodies = [json.loads(request.body) for request in r.requests]
    return [body["data"] for body in bodies if body["type"] == "WEBHOOK_DISABLED"]


def ends_by_event(pipeline: Pipeline, webhook: Any) -> dict[str, tuple[str, str | None]]:
    rows = [row for row in pipeline.rows if row["webhookKey"].endswith(webhook["id"])]
    return {row["eventId"]: (row["status"], row.get("reason")) for row in rows}


def recover(pipeline: Pipeline, webhook: Any, since: str, **more: Any) -> Any:
    return pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json={"since": since, **more})


# ── auto-disable ─────────────────────────────────────────────────────────────────────────────────────


def test_ten_consecutive_failures_disable_webhook(pipeline: Pipeline) -> None:
    with receiver([404]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url)
        pipeline.webhook(owner.url, eventTypes=["WEBHOOK_DISABLED"])
        deliver(pipeline, 9)
        before = shown(pipeline, webhook)
        assert (before["status"], before["consecutiveFailures"]) == ("ACTIVE", 9)
        deliver(pipeline)
        after = shown(pipeline, webhook)
        assert (after["status"], after["statusReason"]) == ("DISABLED", "consecutive_failures")
        assert after["disabledAt"] == iso(from_ms(pipeline.clock.now))
        deliver(pipeline, 2)  # the webhook no longer has subscriptions
        assert len(r.requests) == 10
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        (data,) = notifications(owner)
        assert_catalogued("WEBHOOK_DISABLED", data)
        assert data == (
            {
                "webhookId": webhook["id"],
                "name": "test",
                "url": webhook["url"],
                "statusReason": "consecutive_failures",
                "consecutiveFailures": 10,
                "disabledAt": after["disabledAt"],
            }
        )


def test_success_resets_consecutive_failures(pipeline: Pipeline) -> None:
    with receiver([*[404] * 9, 200, *[404] * 9, 200]) as r:
        webhook = pipeline.webhook(r.url)
        deliver(pipeline, 19)
        assert shown(pipeline, webhook)["consecutiveFailures"] == 9
        deliver(pipeline)
        assert shown(pipeline, webhook)["consecutiveFailures"] == 0
        assert shown(pipeline, webhook)["status"] == "ACTIVE"


def test_failed_deliveries_are_counted_not_attempts(pipeline: Pipeline) -> None:
    with receiver([500]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=2, retryConfig={"maxRetries": 3})
        deliver(pipeline)
        pipeline.run()
        assert len(r.requests) == 4
        assert shown(pipeline, webhook)["consecutiveFailures"] == 1


@pytest.mark.parametrize("call", range(1, 9))
def test_failure_counts_once_despite_crash(pipeline: Pipeline, call: int) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=2)
        pipeline.publish()
        with dying(call):
            pipeline.deliveries.poll()
        pipeline.run()
        assert len(r.requests) <= 2
        assert shown(pipeline, webhook)["consecutiveFailures"] == 1
        assert shown(pipeline, webhook)["status"] == "ACTIVE"
        deliver(pipeline)
        assert shown(pipeline, webhook)["status"] == "DISABLED"


@pytest.mark.parametrize("call", range(1, 14, 2))
def test_owner_is_notified_once_despite_crash(pipeline: Pipeline, call: int) -> None:
    with receiver([404]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url, disableAfter=1)
        pipeline.webhook(owner.url, eventTypes=["WEBHOOK_DISABLED"])
        pipeline.publish()
        records = pipeline.deliveries.receive()
        with dying(call):
            pipeline.deliveries.invoke(records)
            pipeline.sweep()
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert shown(pipeline, webhook)["status"] == "DISABLED"
        assert [data["webhookId"] for data in notifications(owner)] == [webhook["id"]]


def test_owner_is_notified_each_time(pipeline: Pipeline) -> None:
    with receiver([404]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url, disableAfter=1)
        pipeline.webhook(owner.url, eventTypes=["WEBHOOK_DISABLED"])
        deliver(pipeline)
        pipeline.clock.move(1)
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        pipeline.clock.move(1)
        deliver(pipeline)
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert len({data["disabledAt"] for data in notifications(owner)}) == len(notifications(owner)) == 2


def test_concurrent_failures_disable_webhook_once(pipeline: Pipeline) -> None:
    with receiver([404]) as r, receiver() as owner:
        pipeline.webhook(r.url, disableAfter=3)
        pipeline.webhook(owner.url, eventTypes=["WEBHOOK_DISABLED"])
        for _ in range(10):
            pipeline.publish()
        pipeline.deliveries.poll()  # all ten in one batch
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert len(notifications(owner)) == 1


def test_recent_success_of_another_worker_counts(pipeline: Pipeline) -> None:
    """The delivery's row has the success before the webhook's health does."""
    with receiver([404, 404, 404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=3)
        deliver(pipeline, 2)

        def succeed() -> None:
            at, id = pipeline.clock.now + 1, DeliveryId.new(pipeline.clock.now)
            success = stored_attempt(at, status_code=200).to_row()
            succeeded = {"status": "DELIVERED", "deliveredAt": at, "success": success}
            dynamo.put(settings().deliveries_table, {**pipeline.rows[0], "sk": id, **succeeded})
            pipeline.clock.move(0.002)

        pipeline.publish()
        with meanwhile("dynamodb.Query", succeed):
            pipeline.deliveries.poll()
        assert shown(pipeline, webhook)["status"] == "ACTIVE"


def test_failed_notification_is_not_notified(pipeline: Pipeline) -> None:
    with receiver([404]) as r, receiver([410]) as gone, receiver() as owner:
        pipeline.webhook(r.url, disableAfter=1)
        pipeline.webhook(gone.url, eventTypes=["WEBHOOK_DISABLED"])
        pipeline.webhook(owner.url, eventTypes=["WEBHOOK_DISABLED"])
        deliver(pipeline)
        for _ in range(4):
            pipeline.run()
            pipeline.events.run()
        assert len(gone.requests) == 1
        assert [data["url"] for data in notifications(owner)] == [r.url]


def test_410_disables_webhook_and_notifies_owner(pipeline: Pipeline) -> None:
    with receiver([410]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url)
        pipeline.webhook(owner.url, eventTypes=["WEBHOOK_DISABLED"])
        event = deliver(pipeline)[0]
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert ends_by_event(pipeline, webhook) == {event: ("FAILED", "endpoint_gone")}
        assert [data["statusReason"] for data in notifications(owner)] == ["endpoint_gone"]


def test_cancelled_deliveries_can_be_recovered(pipeline: Pipeline) -> None:
    script = [503, *[404] * 2, 200]
    with receiver(script) as r:
        webhook = pipeline.webhook(r.url, disableAfter=2, retryConfig={"initialDelaySeconds": 3000})
        since = iso(from_ms(pipeline.clock.now))
        waiting = deliver(pipeline)[0]
        failed = deliver(pipeline, 2)
        assert shown(pipeline, webhook)["status"] == "DISABLED"
        pipeline.clock.move(1)
        pipeline.sweep()
        assert ends_by_event(pipeline, webhook)[waiting] == ("CANCELLED", "webhook_disabled")
        pipeline.run()
        assert len(r.requests) == 3

        assert_problem(recover(pipeline, webhook, since), 409)  # the webhook is not active
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        assert shown(pipeline, webhook)["consecutiveFailures"] == 0
        answer = recover(pipeline, webhook, since)
        assert (answer.status, answer.json()) == (202, {"queued": 3})
        pipeline.run()
        assert len(r.requests) == 6
    assert ends_by_event(pipeline, webhook) == dict.fromkeys([waiting, *failed], ("DELIVERED", None))


def test_failures_before_reenabling_are_removed(pipeline: Pipeline) -> None:
    """Otherwise they would fill the row: with 1,000 failures each time, it is full after nine times."""
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=2)
        for _ in range(3):
            deliver(pipeline, 2)
            assert shown(pipeline, webhook)["status"] == "DISABLED"
            assert shown(pipeline, webhook)["consecutiveFailures"] == 2
            pipeline.clock.move(1)
            pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
            pipeline.clock.move(1)
        assert len(r.requests) == 6
    assert len(health(webhook_key("acme", webhook["id"])).failures) == 2


def test_concurrent_attempts_with_stale_health_disable_webhook_once(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WebhookBatch(batch.WebhookBatch):
        """The older health of a concurrent attempt always arrives right after the newer one."""

        def __setattr__(self, name: str, value: Any) -> None:
            is_update = name == "health" and hasattr(self, "counts")
            super().__setattr__(name, Health() if is_update else value)

    monkeypatch.setattr(batch, "WebhookBatch", WebhookBatch)
    with receiver([404]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url, disableAfter=2)
        pipeline.webhook(owner.url, eventTypes=["WEBHOOK_DISABLED"])
        deliver(pipeline, 2)
        assert shown(pipeline, webhook)["status"] == "DISABLED"
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert [data["consecutiveFailures"] for data in notifications(owner)] == [2]


# ── manual retries ───────────────────────────────────────────────────────────────────────────────────


def retry(pipeline: Pipeline, webhook: Any, event: str) -> Any:
    id = pipeline.shown(webhook, event)["id"]
    return pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry")


def test_retry_sends_failed_delivery_with_all_retries(pipeline: Pipeline) -> None:
    with receiver([500, 500, 500, 500, 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"maxRetries": 1})
        event = pipeline.publish()
        pipeline.run()
        assert len(r.requests) == 2
        answer = retry(pipeline, webhook, event)
        assert (answer.status, answer.json()["status"]) == (202, "RETRYING")
        pipeline.run()
        assert len(r.requests) == 4
        delivery = pipeline.shown(webhook, event)
        assert (delivery["status"], delivery["attemptCount"], delivery["maxAttempts"]) == ("FAILED", 4, 4)
        assert [attempt["trigger"] for attempt in delivery["attempts"]] == [
            "AUTO",
            "AUTO",
            "MANUAL",
            "MANUAL",
        ]
        assert shown(pipeline, webhook)["consecutiveFailures"] == 1  # the manual retry is not counted
        retry(pipeline, webhook, event)
        pipeline.run()
        assert pipeline.shown(webhook, event)["status"] == "DELIVERED"
        assert len(set(r.ids)) == 1


def test_failed_retry_by_hand_is_not_counted(pipeline: Pipeline) -> None:
    with receiver([404, 200, 404]) as r:
        webhook = pipeline.webhook(r.url)
        failed = deliver(pipeline)[0]
        deliver(pipeline)
        assert shown(pipeline, webhook)["consecutiveFailures"] == 0
        retry(pipeline, webhook, failed)
        pipeline.run()
        assert len(r.requests) == 3
    assert shown(pipeline, webhook)["consecutiveFailures"] == 0


def test_retry_sends_waiting_delivery_now(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        event = deliver(pipeline)[0]
        assert retry(pipeline, webhook, event).status == 202
        pipeline.slow.poll()
        assert len(r.requests) == 2
        pipeline.run()  # the message of the old retry arrives and is dropped
        assert len(r.requests) == 2
    assert ends_by_event(pipeline, webhook) == {event: ("DELIVERED", None)}


def test_retry_rejects_delivered_delivery(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = deliver(pipeline)[0]
        assert_problem(retry(pipeline, webhook, event), 409, "conflict", "already succeeded")
        pipeline.run()
        assert len(r.requests) == 1
        assert recover(pipeline, webhook, iso(from_ms(pipeline.clock.now - 1000))).json() == {"queued": 0}


def test_concurrent_retry_is_conflict(pipeline: Pipeline) -> None:
    with receiver([404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = deliver(pipeline)[0]
        with meanwhile("dynamodb.PutItem", lambda: retry(pipeline, webhook, event), at=1):
            assert_problem(retry(pipeline, webhook, event), 409)
        pipeline.run()
        assert len(r.requests) == 2


def test_sweeper_sends_retry_with_lost_message(pipeline: Pipeline) -> None:
    with receiver([404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = deliver(pipeline)[0]
        with failing("sqs.SendMessage"):
            assert retry(pipeline, webhook, event).status == 429
        pipeline.run()
        assert len(r.requests) == 2
    assert ends_by_event(pipeline, webhook) == {event: ("DELIVERED", None)}


def test_retry_sends_delivery_of_dead_worker(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, is_fast=False)
        event = pipeline.publish()
        with killed("dynamodb.BatchWriteItem"):
            pipeline.poll()
        pipeline.backend.client("sqs").purge_queue(QueueUrl=pipeline.slow.url)
        assert ends_by_event(pipeline, webhook)[event][0] == "SENDING"
        assert_problem(retry(pipeline, webhook, event), 409)  # its worker may still be alive
        pipeline.clock.move(46)
        assert retry(pipeline, webhook, event).status == 202
        pipeline.run()
        assert len(r.requests) == 2
    assert ends_by_event(pipeline, webhook) == {event: ("DELIVERED", None)}


@pytest.mark.parametrize("how", ["inactive", "foreign", "unknown"])
def test_retry_rejects_inactive_and_unknown_webhooks(pipeline: Pipeline, how: str) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url)
        other = pipeline.webhook(r.url, eventTypes=["POST_FAILED"])
        event = deliver(pipeline)[0]
        if how == "inactive":
            pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "INACTIVE"})
            assert_problem(retry(pipeline, webhook, event), 409)
        elif how == "foreign":
            id = pipeline.shown(webhook, event)["id"]
            assert_problem(pipeline.api(f"POST {WEBHOOKS}/{other['id']}/deliveries/{id}/retry"), 404)
        else:
            missing = "dlv_032asvoIMRhSNWxurQ9lsq"
            assert_problem(pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{missing}/retry"), 404)
        pipeline.run()
        assert len(r.requests) == 1


# ── recoveries ───────────────────────────────────────────────────────────────────────────────────────


def test_recovery_sends_failed_deliveries_of_time_range(pipeline: Pipeline) -> None:
    is_well = False
    with receiver([lambda _: 200 if is_well else 404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=1000)
        moments, events = [], []
        for _ in range(6):
            pipeline.clock.move(60)
            moments.append(iso(from_ms(pipeline.clock.now)))
            # Event IDs contain the real time, which also stands still here.
            events += deliver(pipeline)
        is_well = True
        delivered = deliver(pipeline)
        answer = recover(pipeline, webhook, moments[1], until=moments[3])
        assert (answer.status, answer.json()) == (202, {"queued": 3})
        assert_problem(recover(pipeline, webhook, moments[0]), 409)  # only one recovery at a time
        pipeline.run()
        states = ends_by_event(pipeline, webhook)
        assert [states[event][0] for event in events] == ["FAILED", *["DELIVERED"] * 3, *["FAILED"] * 2]
        assert states[delivered[0]][0] == "DELIVERED"
        assert recover(pipeline, webhook, moments[0]).json() == {"queued": 3}
        pipeline.run()
        assert {status for status, _ in ends_by_event(pipeline, webhook).values()} == {"DELIVERED"}
        assert len(r.requests) == 6 + 1 + 6
        triggers = [attempt["trigger"] for attempt in pipeline.shown(webhook, events[0])["attempts"]]
        assert triggers == ["AUTO", "RECOVER"]


@pytest.mark.parameters(MaxWaitingPerWebhook=3)
def test_recovery_is_paced_and_does_not_repeat_failures(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=1000, retryConfig=NO_RETRIES)
        since = iso(from_ms(pipeline.clock.now))
        deliver(pipeline, 8)
        assert recover(pipeline, webhook, since).json() == {"queued": 8}
        pipeline.clock.move(1)
        sweeps = []
        for _ in range(5):
            sweeps.append(pipeline.sweep())
            while pipeline.deliveries.poll():
                pass
            pipeline.clock.move(61)
        assert sweeps == [3, 3, 2, 0, 0]
        pipeline.run()
        assert len(r.requests) == 16
        # The first recovery has ended, so another one can start.
        assert recover(pipeline, webhook, since).json() == {"queued": 8}


@pytest.mark.parameters(MaxWaitingPerWebhook=2)
def test_recovery_is_ordered_by_age(pipeline: Pipeline) -> None:
    with receiver([404, 503, 404, 503, 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        since = iso(from_ms(pipeline.clock.now))
        events = deliver(pipeline, 4)
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "INACTIVE"})
        pipeline.run()
        ends = [ends_by_event(pipeline, webhook)[event][0] for event in events]
        assert ends == ["FAILED", "CANCELLED", "FAILED", "CANCELLED"]
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        assert recover(pipeline, webhook, since).json() == {"queued": 4}
        pipeline.clock.move(1)
        assert pipeline.sweep() == 2
        states = ends_by_event(pipeline, webhook)
        assert [states[event][0] for event in events] == ["RETRYING", "RETRYING", "FAILED", "CANCELLED"]
        pipeline.run()
        assert len(r.requests) == 8
    assert set(ends_by_event(pipeline, webhook).values()) == {("DELIVERED", None)}


@pytest.mark.parameters(MaxWaitingPerWebhook=3)
@pytest.mark.parametrize("call", range(4, 26, 3))
def test_recovery_continues_after_crash(pipeline: Pipeline, call: int) -> None:
    with receiver([*[404] * 5, 200]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=1000, retryConfig=NO_RETRIES)
        since = iso(from_ms(pipeline.clock.now))
        deliver(pipeline, 5)
        recover(pipeline, webhook, since)
        pipeline.clock.move(1)
        with dying(call):
            pipeline.sweep()
        pipeline.run()
        assert len(r.requests) == 10
        assert {status for status, _ in ends_by_event(pipeline, webhook).values()} == {"DELIVERED"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2020-01-01T00:00:00Z"}, "since"),
        ({"since": "2999-01-01T00:00:00Z"}, "since"),
        ({"since": "now", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"since": "now", "all": True}, "all"),
    ],
)
def test_recovery_rejects_invalid_time_range(pipeline: Pipeline, body: dict[str, Any], path: str) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:9999/")
    if body.get("since") == "now":
        body = {**body, "since": iso(from_ms(now_ms()) - timedelta(hours=1))}
    answer = pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json=body)
    assert_problem(answer, 422, paths=[path])


def test_recovery_ends_when_webhook_is_disabled(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=3, retryConfig=NO_RETRIES)
        since = iso(from_ms(pipeline.clock.now))
        deliver(pipeline, 3)
        pipeline.clock.move(1)
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        recover(pipeline, webhook, since)
        pipeline.run()
        assert shown(pipeline, webhook)["status"] == "DISABLED"
        assert len(r.requests) == 6
        assert all("recover" not in row for row in pipeline.backend.rows("HealthTable"))


# ── stats ────────────────────────────────────────────────────────────────────────────────────────────


def test_stats_cover_last_day(pipeline: Pipeline) -> None:
    with receiver([200, 404, 500, Answer(200, delay=0.12)]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        assert shown(pipeline, webhook)["stats"]["deliveries"] == 0
        deliver(pipeline, 4)
        assert len(r.requests) == 4
        (item,) = pipeline.api(f"GET {WEBHOOKS}?include=stats").json()["items"]
        stats = item["stats"]
        assert stats == shown(pipeline, webhook)["stats"]
        assert (stats["deliveries"], stats["delivered"], stats["failed"], stats["pending"]) == (4, 2, 1, 1)
        assert stats["successRate"] == 0.6667
        assert stats["latencyMs"]["p99"] >= 100
        assert stats["lastError"]["code"] == "http_500"
        assert stats["lastDeliveryAt"] == iso(from_ms(pipeline.clock.now))
        pipeline.clock.move(DAY + 3600)
        assert shown(pipeline, webhook)["stats"]["delivered"] == 0


def test_failures_of_batch_are_counted_in_one_write(pipeline: Pipeline) -> None:
    with receiver([500] * 9 + [200]) as r, watched("dynamodb.UpdateItem") as updates:
        pipeline.webhook(r.url)
        for _ in range(10):
            pipeline.publish()
        pipeline.deliveries.poll()
        assert len(r.requests) == 10
    counted = [update for update in updates if "lastAttemptAt" in update["UpdateExpression"]]
    assert [update["ExpressionAttributeValues"][":attempts"] for update in counted] == [{"N": "9"}]


def test_failed_counter_write_changes_no_delivery(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        with failing("dynamodb.UpdateItem", where="lastAttemptAt"):
            pipeline.deliveries.poll()
        pipeline.run()
        assert len(r.requests) == 2
    assert ends_by_event(pipeline, webhook) == {event: ("DELIVERED", None)}


def test_crash_before_counters_sends_nothing_twice(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        with killed("dynamodb.UpdateItem", where="lastAttemptAt"):
            pipeline.deliveries.poll()
        pipeline.run()
        assert len(r.requests) == 2
    assert ends_by_event(pipeline, webhook) == {event: ("DELIVERED", None)}
