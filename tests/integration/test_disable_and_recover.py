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
from tests.integration.conftest import DAY, WEBHOOKS, Pipeline, health
from tests.receivers import Answer, Receiver, receiver

NO_RETRIES = {"maxRetries": 0}


def shown(pipeline: Pipeline, webhook: Any) -> Any:
    return pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}").json()


def deliver(pipeline: Pipeline, count: int = 1) -> list[str]:
    """Publish so many events and make their attempts, one batch each."""
    events = []
    for _ in range(count):
        events.append(pipeline.publish())
        pipeline.deliveries.poll()
    return events


def told(r: Receiver) -> list[Any]:
    """The data of each WEBHOOK_DISABLED that a receiver got."""
    bodies = [json.loads(request.body) for request in r.requests]
    return [body["data"] for body in bodies if body["type"] == "WEBHOOK_DISABLED"]


def by_event(pipeline: Pipeline, webhook: Any) -> dict[str, tuple[str, str | None]]:
    rows = [row for row in pipeline.rows if row["webhookKey"].endswith(webhook["id"])]
    return {row["eventId"]: (row["status"], row.get("reason")) for row in rows}


def recover(pipeline: Pipeline, webhook: Any, since: str, **more: Any) -> Any:
    return pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json={"since": since, **more})


# ── auto-disable ─────────────────────────────────────────────────────────────────────────────────────


def test_ten_failed_deliveries_in_a_row_disable_a_webhook(pipeline: Pipeline) -> None:
    with receiver([404]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url)
        pipeline.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        deliver(pipeline, 9)
        assert (shown(pipeline, webhook)["status"], shown(pipeline, webhook)["consecutiveFailures"]) == (
            "ACTIVE",
            9,
        )
        deliver(pipeline)
        after = shown(pipeline, webhook)
        assert (after["status"], after["disabledReason"]) == ("DISABLED", "consecutive_failures")
        assert after["disabledAt"] == iso(at_ms(pipeline.clock.now))
        deliver(pipeline, 2)  # it is subscribed to nothing any more
        assert len(r.requests) == 10
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
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


def test_a_success_in_between_starts_the_count_anew(pipeline: Pipeline) -> None:
    with receiver([*[404] * 9, 200, *[404] * 9, 200]) as r:
        webhook = pipeline.webhook(r.url)
        deliver(pipeline, 19)
        assert shown(pipeline, webhook)["consecutiveFailures"] == 9
        deliver(pipeline)
        assert shown(pipeline, webhook)["consecutiveFailures"] == 0
        assert shown(pipeline, webhook)["status"] == "ACTIVE"


def test_deliveries_are_counted_not_their_attempts(pipeline: Pipeline) -> None:
    with receiver([500]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=2, retryConfig={"maxRetries": 3})
        deliver(pipeline)
        pipeline.run()
        assert len(r.requests) == 4
        assert shown(pipeline, webhook)["consecutiveFailures"] == 1


@pytest.mark.parametrize("call", range(1, 9))
def test_a_failure_counts_once_wherever_its_worker_dies(pipeline: Pipeline, call: int) -> None:
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
def test_its_owner_is_told_once_wherever_a_process_dies(pipeline: Pipeline, call: int) -> None:
    with receiver([404]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url, disableAfter=1)
        pipeline.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        pipeline.publish()
        records = pipeline.deliveries.receive()
        with dying(call):
            pipeline.deliveries.invoke(records)
            pipeline.sweep()
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert shown(pipeline, webhook)["status"] == "DISABLED"
        assert [data["webhookId"] for data in told(owner)] == [webhook["id"]]


def test_its_owner_is_told_each_time_however_soon(pipeline: Pipeline) -> None:
    with receiver([404]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url, disableAfter=1)
        pipeline.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        deliver(pipeline)
        pipeline.clock.move(1)
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        pipeline.clock.move(1)
        deliver(pipeline)
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert len({data["disabledAt"] for data in told(owner)}) == len(told(owner)) == 2


def test_of_many_who_would_disable_one_does(pipeline: Pipeline) -> None:
    with receiver([404]) as r, receiver() as owner:
        pipeline.webhook(r.url, disableAfter=3)
        pipeline.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        for _ in range(10):
            pipeline.publish()
        pipeline.deliveries.poll()  # ten at once
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert len(told(owner)) == 1


def test_a_success_that_another_worker_has_just_had_counts(pipeline: Pipeline) -> None:
    """The success is in its row before it is in the webhook's health."""
    with receiver([404, 404, 404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=3)
        deliver(pipeline, 2)

        def succeed() -> None:
            at, id = pipeline.clock.now + 1, DeliveryId.new(pipeline.clock.now)
            succeeded = {"status": "DELIVERED", "deliveredAt": at, "success": {"durationMs": 1}}
            dynamo.put(settings().deliveries_table, {**pipeline.rows[0], "sk": id, **succeeded})
            pipeline.clock.move(0.002)

        pipeline.publish()
        with meanwhile("dynamodb.Query", succeed):
            pipeline.deliveries.poll()
        assert shown(pipeline, webhook)["status"] == "ACTIVE"


def test_an_operational_event_causes_no_other(pipeline: Pipeline) -> None:
    with receiver([404]) as r, receiver([410]) as deaf, receiver() as owner:
        pipeline.webhook(r.url, disableAfter=1)
        pipeline.webhook(deaf.url, events=["WEBHOOK_DISABLED"])
        pipeline.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        deliver(pipeline)
        for _ in range(4):
            pipeline.run()
            pipeline.events.run()
        assert len(deaf.requests) == 1
        assert [data["url"] for data in told(owner)] == [r.url]


def test_410_disables_at_once_and_tells(pipeline: Pipeline) -> None:
    with receiver([410]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url)
        pipeline.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        event = deliver(pipeline)[0]
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert by_event(pipeline, webhook) == {event: ("FAILED", "endpoint_gone")}
        assert [data["reason"] for data in told(owner)] == ["endpoint_gone"]


def test_what_was_waiting_is_cancelled_and_can_be_recovered(pipeline: Pipeline) -> None:
    script = [503, *[404] * 2, 200]
    with receiver(script) as r:
        webhook = pipeline.webhook(r.url, disableAfter=2, retryConfig={"initialDelaySeconds": 3000})
        since = iso(at_ms(pipeline.clock.now))
        waiting = deliver(pipeline)[0]
        failed = deliver(pipeline, 2)
        assert shown(pipeline, webhook)["status"] == "DISABLED"
        pipeline.clock.move(1)
        pipeline.sweep()
        assert by_event(pipeline, webhook)[waiting] == ("CANCELLED", "webhook_disabled")
        pipeline.run()
        assert len(r.requests) == 3

        assert recover(pipeline, webhook, since).status == 409  # it is not active
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        assert shown(pipeline, webhook)["consecutiveFailures"] == 0
        answer = recover(pipeline, webhook, since)
        assert (answer.status, answer.json()) == (202, {"queued": 3})
        pipeline.run()
        assert len(r.requests) == 6
    assert by_event(pipeline, webhook) == dict.fromkeys([waiting, *failed], ("DELIVERED", None))


def test_failures_of_before_a_webhook_was_enabled_again_are_forgotten(pipeline: Pipeline) -> None:
    """Kept, they would fill the row: enabled and disabled nine times at 1,000 failures each, it is full."""
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


def test_attempts_side_by_side_that_learn_of_each_others_failures_late_disable_once(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WebhookBatch(batch.WebhookBatch):
        """Another attempt's older answer always comes in right after the newer one."""

        def __setattr__(self, name: str, value: Any) -> None:
            late = name == "health" and hasattr(self, "tally")
            super().__setattr__(name, Health() if late else value)

    monkeypatch.setattr(batch, "WebhookBatch", WebhookBatch)
    with receiver([404]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url, disableAfter=2)
        pipeline.webhook(owner.url, events=["WEBHOOK_DISABLED"])
        deliver(pipeline, 2)
        assert shown(pipeline, webhook)["status"] == "DISABLED"
        pipeline.run()
        pipeline.events.run()
        pipeline.run()
        assert [data["consecutiveFailures"] for data in told(owner)] == [2]


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────


def retry(pipeline: Pipeline, webhook: Any, event: str) -> Any:
    id = pipeline.shown(webhook, event)["id"]
    return pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry")


def test_a_failed_delivery_is_sent_again_with_all_its_retries(pipeline: Pipeline) -> None:
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
        assert shown(pipeline, webhook)["consecutiveFailures"] == 1  # the second time does not count
        retry(pipeline, webhook, event)
        pipeline.run()
        assert pipeline.shown(webhook, event)["status"] == "DELIVERED"
        assert len(set(r.ids)) == 1


def test_a_retry_by_hand_that_fails_does_not_count_against_the_webhook(pipeline: Pipeline) -> None:
    with receiver([404, 200, 404]) as r:
        webhook = pipeline.webhook(r.url)
        failed = deliver(pipeline)[0]
        deliver(pipeline)
        assert shown(pipeline, webhook)["consecutiveFailures"] == 0
        retry(pipeline, webhook, failed)
        pipeline.run()
        assert len(r.requests) == 3
    assert shown(pipeline, webhook)["consecutiveFailures"] == 0


def test_what_waits_for_a_retry_can_be_sent_now(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        event = deliver(pipeline)[0]
        assert retry(pipeline, webhook, event).status == 202
        pipeline.slow.poll()
        assert len(r.requests) == 2
        pipeline.run()  # the message of the old retry comes, and is dropped
        assert len(r.requests) == 2
    assert by_event(pipeline, webhook) == {event: ("DELIVERED", None)}


def test_what_was_delivered_is_not_sent_again(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = deliver(pipeline)[0]
        answer = retry(pipeline, webhook, event)
        assert (answer.status, answer.json()["code"]) == (409, "conflict")
        assert "delivered" in answer.json()["detail"]
        pipeline.run()
        assert len(r.requests) == 1
        assert recover(pipeline, webhook, iso(at_ms(pipeline.clock.now - 1000))).json() == {"queued": 0}


def test_a_retry_of_what_another_has_just_retried_is_a_conflict(pipeline: Pipeline) -> None:
    with receiver([404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = deliver(pipeline)[0]
        with meanwhile("dynamodb.PutItem", lambda: retry(pipeline, webhook, event), at=1):
            assert retry(pipeline, webhook, event).status == 409
        pipeline.run()
        assert len(r.requests) == 2


def test_a_retry_whose_send_is_lost_is_sent_by_the_sweeper(pipeline: Pipeline) -> None:
    with receiver([404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = deliver(pipeline)[0]
        with failing("sqs.SendMessage"):
            assert retry(pipeline, webhook, event).status == 429
        pipeline.run()
        assert len(r.requests) == 2
    assert by_event(pipeline, webhook) == {event: ("DELIVERED", None)}


def test_what_its_worker_left_behind_can_be_sent_again_without_its_message(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, is_fast=False)
        event = pipeline.publish()
        with killed("dynamodb.BatchWriteItem"):
            pipeline.poll()
        pipeline.backend.client("sqs").purge_queue(QueueUrl=pipeline.slow.url)
        assert by_event(pipeline, webhook)[event][0] == "SENDING"
        assert retry(pipeline, webhook, event).status == 409  # its worker may be at it
        pipeline.clock.move(46)
        assert retry(pipeline, webhook, event).status == 202
        pipeline.run()
        assert len(r.requests) == 2
    assert by_event(pipeline, webhook) == {event: ("DELIVERED", None)}


@pytest.mark.parametrize("how", ["paused", "foreign", "unknown"])
def test_who_cannot_retry(pipeline: Pipeline, how: str) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url)
        other = pipeline.webhook(r.url, events=["POST_FAILED"])
        event = deliver(pipeline)[0]
        if how == "paused":
            pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "INACTIVE"})
            assert retry(pipeline, webhook, event).status == 409
        elif how == "foreign":
            id = pipeline.shown(webhook, event)["id"]
            assert pipeline.api(f"POST {WEBHOOKS}/{other['id']}/deliveries/{id}/retry").status == 404
        else:
            missing = "dlv_032asvoIMRhSNWxurQ9lsq"
            assert pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{missing}/retry").status == 404
        pipeline.run()
        assert len(r.requests) == 1


# ── since a moment ───────────────────────────────────────────────────────────────────────────────────


def test_a_recovery_takes_its_span_of_time_and_the_failed_only(pipeline: Pipeline) -> None:
    well = {"now": False}
    with receiver([lambda _: 200 if well["now"] else 404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=1000)
        moments, events = [], []
        for _ in range(6):
            pipeline.clock.move(60)
            moments.append(iso(at_ms(pipeline.clock.now)))
            # Event ids are of the real time, which stands still here too.
            events += deliver(pipeline)
        well["now"] = True
        delivered = deliver(pipeline)
        answer = recover(pipeline, webhook, moments[1], until=moments[3])
        assert (answer.status, answer.json()) == (202, {"queued": 3})
        assert recover(pipeline, webhook, moments[0]).status == 409  # one at a time
        pipeline.run()
        states = by_event(pipeline, webhook)
        assert [states[event][0] for event in events] == ["FAILED", *["DELIVERED"] * 3, *["FAILED"] * 2]
        assert states[delivered[0]][0] == "DELIVERED"
        assert recover(pipeline, webhook, moments[0]).json() == {"queued": 3}
        pipeline.run()
        assert {status for status, _ in by_event(pipeline, webhook).values()} == {"DELIVERED"}
        assert len(r.requests) == 6 + 1 + 6
        triggers = [attempt["trigger"] for attempt in pipeline.shown(webhook, events[0])["attempts"]]
        assert triggers == ["AUTO", "RECOVER"]


@pytest.mark.parameters(MaxWaitingPerWebhook=3)
def test_a_recovery_is_paced_and_does_not_take_up_what_fails_anew(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=1000, retryConfig=NO_RETRIES)
        since = iso(at_ms(pipeline.clock.now))
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
        assert recover(pipeline, webhook, since).json() == {
            "queued": 8
        }  # when it has ended, another may begin


@pytest.mark.parameters(MaxWaitingPerWebhook=2)
def test_a_recovery_goes_by_age_whatever_the_end_was(pipeline: Pipeline) -> None:
    with receiver([404, 503, 404, 503, 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        since = iso(at_ms(pipeline.clock.now))
        events = deliver(pipeline, 4)
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "INACTIVE"})
        pipeline.run()
        ends = [by_event(pipeline, webhook)[event][0] for event in events]
        assert ends == ["FAILED", "CANCELLED", "FAILED", "CANCELLED"]
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        assert recover(pipeline, webhook, since).json() == {"queued": 4}
        pipeline.clock.move(1)
        assert pipeline.sweep() == 2
        states = by_event(pipeline, webhook)
        assert [states[event][0] for event in events] == ["RETRYING", "RETRYING", "FAILED", "CANCELLED"]
        pipeline.run()
        assert len(r.requests) == 8
    assert set(by_event(pipeline, webhook).values()) == {("DELIVERED", None)}


@pytest.mark.parameters(MaxWaitingPerWebhook=3)
@pytest.mark.parametrize("call", range(4, 26, 3))
def test_a_recovery_goes_on_where_its_sweeper_died(pipeline: Pipeline, call: int) -> None:
    with receiver([*[404] * 5, 200]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=1000, retryConfig=NO_RETRIES)
        since = iso(at_ms(pipeline.clock.now))
        deliver(pipeline, 5)
        recover(pipeline, webhook, since)
        pipeline.clock.move(1)
        with dying(call):
            pipeline.sweep()
        pipeline.run()
        assert len(r.requests) == 10
        assert {status for status, _ in by_event(pipeline, webhook).values()} == {"DELIVERED"}


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
def test_a_recovery_is_bounded(pipeline: Pipeline, body: dict[str, Any], status: int) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:9999/")
    if body.get("since") == "now":
        body = {**body, "since": iso(at_ms(now_ms()) - timedelta(hours=1))}
    assert pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/recover", json=body).status == status


def test_a_recovery_of_a_webhook_that_is_disabled_again_ends(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=3, retryConfig=NO_RETRIES)
        since = iso(at_ms(pipeline.clock.now))
        deliver(pipeline, 3)
        pipeline.clock.move(1)
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
        recover(pipeline, webhook, since)
        pipeline.run()
        assert shown(pipeline, webhook)["status"] == "DISABLED"
        assert len(r.requests) == 6
        assert all("recover" not in row for row in pipeline.backend.rows("HealthTable"))


# ── stats ────────────────────────────────────────────────────────────────────────────────────────────


def test_stats_tell_what_became_of_the_last_day(pipeline: Pipeline) -> None:
    with receiver([200, 404, 500, Answer(200, delay=0.12)]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        assert shown(pipeline, webhook)["stats"]["deliveries"] == 0
        deliver(pipeline, 4)
        assert len(r.requests) == 4
        (item,) = pipeline.api(f"GET {WEBHOOKS}").json()["items"]
        stats = item["stats"]
        assert stats == shown(pipeline, webhook)["stats"]
        assert (stats["deliveries"], stats["delivered"], stats["failed"], stats["pending"]) == (4, 2, 1, 1)
        assert stats["successRate"] == 0.6667
        assert stats["latencyMs"]["p99"] >= 100
        assert stats["lastError"]["reason"] == "http_500"
        assert stats["lastDeliveryAt"] == iso(at_ms(pipeline.clock.now))
        pipeline.clock.move(DAY + 3600)
        assert shown(pipeline, webhook)["stats"]["delivered"] == 0


def test_a_batch_counts_what_fails_in_one_write_for_each_webhook(pipeline: Pipeline) -> None:
    with receiver([500] * 9 + [200]) as r, watched("dynamodb.UpdateItem") as updates:
        pipeline.webhook(r.url)
        for _ in range(10):
            pipeline.publish()
        pipeline.deliveries.poll()
        assert len(r.requests) == 10
    counted = [update for update in updates if "lastAttemptAt" in update["UpdateExpression"]]
    assert [update["ExpressionAttributeValues"][":attempts"] for update in counted] == [{"N": "9"}]


def test_counters_that_are_lost_change_no_delivery(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        with failing("dynamodb.UpdateItem", where="lastAttemptAt"):
            pipeline.deliveries.poll()
        pipeline.run()
        assert len(r.requests) == 2
    assert by_event(pipeline, webhook) == {event: ("DELIVERED", None)}


def test_a_worker_that_dies_before_the_counters_sends_nothing_twice(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        with killed("dynamodb.UpdateItem", where="lastAttemptAt"):
            pipeline.deliveries.poll()
        pipeline.run()
        assert len(r.requests) == 2
    assert by_event(pipeline, webhook) == {event: ("DELIVERED", None)}
