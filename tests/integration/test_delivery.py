"""The delivery worker and the sweeper with real receivers: requests, records, retries, and crashes."""

from __future__ import annotations

import html
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from email.utils import format_datetime
from itertools import chain, repeat
from typing import Any
from urllib.parse import quote

import pytest
from standardwebhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from benchmarks.units import item_bytes
from patchbay.clock import from_ms
from patchbay.deliveries import states, store, sweeper
from patchbay.deliveries.attempt import CompletedAttempt
from patchbay.deliveries.models import DeliveryMessage
from patchbay.ids import DeliveryId, EventId, WebhookId, webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.version import USER_AGENT
from patchbay.webhooks.sender import SendResult
from tests.catalogued import POST
from tests.conftest import Api, jwt_for
from tests.faults import REFUSED, cold_start, failing, killed, meanwhile, partly_refused, watched
from tests.integration.conftest import DAY, Pipeline, health
from tests.receivers import Answer, Request, receiver
from tests.wire import Params, around_calls

LEASE, VISIBILITY = 45, 180


def lease(pipeline: Pipeline, record: dict[str, Any]) -> None:
    """Claim the delivery as another worker would with a copy of the message."""
    message, now = DeliveryMessage.read(record["body"]), pipeline.clock.now
    before = store.from_row(dynamo.get(*store.table_key(message)))
    after = states.claimed(before, message, now=now, until=now + LEASE * 1000, max_attempts=4)
    store.write(before, after)


# ── the request ──────────────────────────────────────────────────────────────────────────────────────


def test_receiver_gets_signed_event(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, headers={"X-Own": "hush", "Authorization": "Bearer theirs"})
        event = pipeline.publish({**POST, "title": "Grüße 🎈"})
        pipeline.run()
    (request,) = r.requests
    published = pipeline.api(f"GET /api/events/{event}").json()
    assert request.json() == {name: published[name] for name in ("id", "type", "timestamp", "data")}
    assert request.json()["data"] == {**POST, "title": "Grüße 🎈"}
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == USER_AGENT
    assert request.headers["webhook-id"] == DeliveryId.derived(EventId(event), webhook["id"])
    assert (request.headers["x-own"], request.headers["authorization"]) == ("hush", "Bearer theirs")
    for verifier in (StandardWebhook, SvixWebhook):
        verifier(webhook["secret"]).verify(request.body, dict(request.headers))

    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["statusReason"], shown["attemptCount"]) == ("DELIVERED", None, 1)
    assert shown["payload"] == request.json()
    (attempt,) = shown["attempts"]
    assert attempt["requestHeaders"]["X-Own"] == attempt["requestHeaders"]["Authorization"] == "********"
    assert attempt["requestHeaders"]["webhook-id"] == request.headers["webhook-id"]
    assert "hush" not in json.dumps(pipeline.backend.rows("DeliveriesTable"), default=str)


def test_surplus_response_bytes_do_not_deliver_for_another_workspace(pipeline: Pipeline, api: Api) -> None:
    """The receiver answers one workspace's delivery with two responses, and the next workspace's with 500."""
    second_answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    with receiver([Answer(204, body=second_answer), 500]) as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        pipeline.deliveries.poll()
        other = jwt_for("globex", claims={"exp": pipeline.clock.now // 1000 + 600})
        body = {"name": "test", "url": r.url, "eventTypes": ["POST_PUBLISHED"]}
        api("POST /api/integrations/webhooks", token=other, json=body)
        api("POST /api/events", token=other, json={"type": "POST_PUBLISHED", "data": POST})
        pipeline.events.run()
        pipeline.poll()
    states = {row["webhookKey"].partition("#")[0]: row["status"] for row in pipeline.rows}
    assert states == {"acme": "DELIVERED", "globex": "RETRYING"}
    assert len(r.requests) == 2


def test_delivery_succeeds_after_two_failures(pipeline: Pipeline) -> None:
    with receiver([500, 500, 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        pipeline.run()
    assert len(r.requests) == 3
    assert len(set(r.ids)) == 1
    for header in ("webhook-timestamp", "webhook-signature"):
        assert len({request.headers[header] for request in r.requests}) == 3
    for request in r.requests:
        StandardWebhook(webhook["secret"]).verify(request.body, dict(request.headers))
    assert len({request.body for request in r.requests}) == 1

    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["attemptCount"], shown["maxAttempts"]) == ("DELIVERED", 3, 4)
    assert (shown["statusReason"], shown["nextAttemptAt"]) == (None, None)
    assert shown["deliveredAt"] is not None
    assert [(a["number"], a["statusCode"]) for a in shown["attempts"]] == [(1, 500), (2, 500), (3, 200)]
    started = [a["startedAt"] for a in shown["attempts"]]
    assert started == sorted(started)


def test_delivery_fails_after_all_retries(pipeline: Pipeline) -> None:
    with receiver([500]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"maxRetries": 2})
        event = pipeline.publish()
        pipeline.run()
        assert len(r.requests) == 3
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["statusReason"]) == ("FAILED", "retries_exhausted:http_500")
    assert (shown["attemptCount"], shown["maxAttempts"], shown["nextAttemptAt"]) == (3, 3, None)
    assert [a["number"] for a in shown["attempts"]] == [1, 2, 3]
    failed = pipeline.api(f"GET /api/integrations/webhooks/{webhook['id']}/deliveries?status=FAILED").json()
    assert [item["id"] for item in failed["items"]] == [shown["id"]]


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_one_receivers_response_does_not_affect_other_deliveries(pipeline: Pipeline) -> None:
    """All deliveries are in one batch."""
    with receiver() as elsewhere, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        moved = Answer(301, {"location": elsewhere.url})
        script: list[tuple[int | Answer, str, str | None]] = [
            (204, "DELIVERED", None),
            (404, "FAILED", "http_404"),
            (401, "FAILED", "http_401"),
            (moved, "FAILED", "redirect_301"),
            (408, "RETRYING", "http_408"),
            (429, "RETRYING", "http_429"),
            (503, "RETRYING", "http_503"),
            (Answer(hang_up=True), "RETRYING", "connection_failed"),
            (Answer(delay=30), "RETRYING", "timeout"),
        ]
        ends = {}
        with ExitStack() as stack:
            receivers = [stack.enter_context(receiver([answer])) for answer, _, _ in script]
            for r, (_, status, reason) in zip(receivers, script, strict=True):
                ends[pipeline.webhook(r.url)["id"]] = (status, reason)
            refused = pipeline.webhook(f"http://127.0.0.1:{closed.getsockname()[1]}/")
            ends[refused["id"]] = ("RETRYING", "connection_failed")
            pipeline.publish()
            assert pipeline.deliveries.poll() == 10
            assert [len(r.requests) for r in receivers] == [1] * len(receivers)
        assert elsewhere.requests == []
    found = {row["webhookKey"].partition("#")[2]: (row["status"], row.get("reason")) for row in pipeline.rows}
    assert found == ends


def test_recorded_responses_are_truncated(pipeline: Pipeline) -> None:
    failure = Answer(500, {"x-a": "1", "set-cookie": "s"}, b"f" * 20_000)
    success = Answer(200, {"x-b": "2"}, b"s" * 5000)
    with receiver([failure, Answer(502, body=b"short"), success]) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        pipeline.run()
    first, second, last = pipeline.shown(webhook, event)["attempts"]
    assert (first["statusCode"], first["error"], first["trigger"]) == (500, None, "AUTO")
    assert (first["responseBody"], first["truncated"]) == ("f" * 16 * 1024, True)
    assert first["responseHeaders"].items() >= {"x-a": "1", "set-cookie": "s"}.items()
    assert 0 <= first["durationMs"] < 15_000
    assert first["startedAt"].endswith("Z")
    assert (second["responseBody"], second["truncated"]) == ("short", False)
    assert (last["responseBody"], last["truncated"]) == ("s" * len(last["responseBody"]), True)
    assert last["responseHeaders"]["x-b"] == "2"
    # The row keeps as much of the response as fits in one write unit.
    assert 1015 <= item_bytes(dynamo.pack_row(pipeline.row)) <= 1024


CREDENTIAL = 'Bearer 5f2c"/<91d0>&77aa'
ECHOES: dict[str, Callable[[str], str]] = {
    "whole": str,
    "without its scheme": lambda sent: sent.removeprefix("Bearer "),
    "as JSON": lambda sent: json.dumps({"authorization": sent}).replace("/", "\\/"),
    "in a URL": lambda sent: quote(sent, safe=""),
    "as HTML": html.escape,
    "cut off by the cap": lambda sent: "x" * (16 * 1024 - 12) + sent,
    "behind what is kept of a success": lambda sent: "x" * 2000 + sent,
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_response_that_repeats_header_value_is_not_stored(
    pipeline: Pipeline, echo: Callable[[str], str]
) -> None:
    def answer(status: int) -> Callable[[Request], Answer]:
        return lambda request: Answer(status, {"x-a": "1"}, echo(request.headers["authorization"]).encode())

    with receiver([answer(500), answer(200)]) as r:
        webhook = pipeline.webhook(r.url, headers={"Authorization": CREDENTIAL})
        event = pipeline.publish()
        pipeline.run()
    assert r.requests[0].headers["authorization"] == CREDENTIAL
    attempts = pipeline.shown(webhook, event)["attempts"]
    assert [attempt["statusCode"] for attempt in attempts] == [500, 200]
    for attempt in attempts:
        assert (attempt["responseHeaders"], attempt["responseBody"]) == ({}, None)
        assert "contains part of a custom header value" in attempt["withheld"]
        assert attempt["requestHeaders"]["Authorization"] == "********"
    kept = json.dumps(pipeline.backend.rows("DeliveriesTable"), default=str)
    assert not any(piece in kept for piece in ("5f2c", "91d0", "77aa", echo(CREDENTIAL)[-40:]))


def test_success_with_unparseable_body_is_recorded(pipeline: Pipeline) -> None:
    body = f"&#{'1' * 4_301};"
    with receiver([Answer(body=body.encode())]) as r:
        webhook = pipeline.webhook(r.url, headers={"Authorization": CREDENTIAL})
        event = pipeline.publish()
        pipeline.run()
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["attemptCount"], len(r.requests)) == ("DELIVERED", 1, 1)
    assert shown["attempts"][0]["responseBody"] == body[: len(shown["attempts"][0]["responseBody"])]


@pytest.mark.parametrize(
    ("name", "value", "withheld"),
    [
        ("age", "2026", False),
        ("date", "Tue, 06 Jan 2026 10:00:00 GMT", False),
        ("last-modified", "Tue, 06 Jan 2026 10:00:00 GMT", False),
        ("expires", "-1", False),
        ("expires", "build 2026", True),
        ("x-date", "Tue, 06 Jan 2026 10:00:00 GMT", True),
    ],
)
def test_dates_in_response_headers_are_not_withheld(name: str, value: str, withheld: bool) -> None:
    result = SendResult(duration_ms=1, status_code=200, response_headers=((name, value),))
    stored = CompletedAttempt(1, "AUTO", 0, {}, result).to_stored({"X-Version": "2026"})
    assert stored.response_headers == ({} if withheld else {name: value})


@pytest.mark.parametrize(("role", "sees"), [("viewer", False), ("member", True)])
def test_viewer_does_not_see_responses(pipeline: Pipeline, role: str, sees: bool) -> None:
    answer = [Answer(status, {"x-a": "private"}, b"private") for status in (500, 200)]
    with receiver(answer) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        pipeline.run()
    shown = pipeline.shown(webhook, event, role=role)
    for attempt in shown["attempts"]:
        assert (attempt["responseBody"] == "private") is sees
        assert ("x-a" in attempt["responseHeaders"]) is sees
        assert (attempt["withheld"] is None) is sees
        assert sees or "webhooks:write" in attempt["withheld"]
    assert [attempt["statusCode"] for attempt in shown["attempts"]] == [500, 200]


def test_attempt_without_response_has_error(pipeline: Pipeline) -> None:
    with receiver([Answer(hang_up=True), 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        pipeline.run()
    attempt = pipeline.shown(webhook, event)["attempts"][0]
    assert attempt["statusCode"] is None
    assert attempt["error"]
    assert (attempt["responseBody"], attempt["truncated"]) == ("", False)


def test_large_body_is_read_from_event_and_does_not_change(pipeline: Pipeline) -> None:
    data = {**POST, "x": "x" * 100_000, "n": [1.0, 1e22, -0.0, 2**60, 0.1]}
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url)
        event = pipeline.publish(data)
        pipeline.run()
    first, second = r.requests
    assert first.body == second.body
    assert (first.json()["id"], first.json()["data"]) == (event, data)


def test_large_delivery_fails_when_its_event_has_expired(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish({"x": "x" * 100_000})
        dynamo.delete(settings().events_table, {"workspaceId": "acme", "id": event})
        pipeline.run()
        assert r.requests == []
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["statusReason"], shown["payload"]) == ("FAILED", "event_expired", None)


def test_batch_of_slow_receivers_runs_concurrently(pipeline: Pipeline) -> None:
    """Ten deliveries to a receiver that takes 500 ms take less than a second of worker time.

    To be independent of the machine's load, the test checks that all ten requests are at the receiver at the
    same time, and that the worker's CPU time, without that of the simulated AWS, is below 0.5 s.
    """
    all_there = threading.Barrier(10)

    def slow(request: Request) -> Answer:
        all_there.wait(30)
        return Answer(delay=0.5)

    with receiver([200] * 10 + [slow]) as r:
        webhook = pipeline.webhook(r.url)

        def batch() -> list[dict[str, Any]]:
            for _ in range(10):
                event = EventId.new()
                id = DeliveryId.derived(event, webhook["id"])
                fields = ("acme", webhook["id"], event, "POST_PUBLISHED", '{"n":1}', 0, "c")
                pipeline.deliveries.send(DeliveryMessage(id, *fields).fields())
            return pipeline.deliveries.receive()

        assert pipeline.deliveries.invoke(batch()) == []  # creates the clients and connections
        records = batch()
        started, computed = time.monotonic(), time.process_time() - pipeline.aws.seconds
        assert pipeline.deliveries.invoke(records) == []
        assert time.process_time() - pipeline.aws.seconds - computed < 0.5
        assert time.monotonic() - started >= 0.5
        assert len(r.requests) == 20
    assert {row["status"] for row in pipeline.rows} == {"DELIVERED"}


# ── retries ──────────────────────────────────────────────────────────────────────────────────────────


def test_retry_waits_as_invisible_message(pipeline: Pipeline) -> None:
    with receiver([503]) as r, watched("sqs.ChangeMessageVisibilityBatch") as changes:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 100})
        event = pipeline.publish()
        (record,) = pipeline.deliveries.receive()
        assert pipeline.deliveries.invoke([record]) == [record["messageId"]]
    ((change,),) = (each["Entries"] for each in changes)
    wait = change["VisibilityTimeout"]
    assert 80 <= wait <= 120
    assert change["ReceiptHandle"] == record["receiptHandle"]
    assert pipeline.deliveries.waits == [wait]
    assert pipeline.row["nextAttemptAt"] == pipeline.clock.now + wait * 1000
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["statusReason"]) == ("RETRYING", "http_503")
    assert shown["nextAttemptAt"] is not None


def test_retry_after_is_honored(pipeline: Pipeline) -> None:
    date = format_datetime(from_ms(pipeline.clock.now + 600_000), usegmt=True)
    for header, seconds in (("200", 200), (date, 600)):
        with receiver([Answer(429, {"retry-after": header})]) as r:
            webhook = pipeline.webhook(r.url)
            pipeline.publish()
            assert pipeline.deliveries.poll() == 1
            assert seconds - 1 <= max(pipeline.deliveries.waits) <= seconds * 1.2 + 1
            pipeline.api(f"DELETE /api/integrations/webhooks/{webhook['id']}")


def test_early_message_waits_for_remaining_time(pipeline: Pipeline) -> None:
    """Another host's clock or a redelivery can make it early. The row decides the time, not the message."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 100})
        pipeline.publish()
        pipeline.deliveries.poll()
        (wait,) = pipeline.deliveries.waits
        pipeline.clock.skew = -7000
        pipeline.clock.move(wait + 0.001)
        pipeline.deliveries.poll()
        assert len(r.requests) == 1
        assert pipeline.deliveries.waits == [7]
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


def test_standard_schedule_stays_within_sqs_limits(pipeline: Pipeline) -> None:
    """Eight attempts take more than a day, and the long waits are kept in the table."""
    with receiver([500]) as r, watched("sqs.ChangeMessageVisibilityBatch") as changes:
        webhook = pipeline.webhook(r.url, retryConfig={"schedule": "standard"})
        event = pipeline.publish()
        started = pipeline.clock.now
        pipeline.run()
        assert len(r.requests) == 8
    waits = [entry["VisibilityTimeout"] for change in changes for entry in change["Entries"]]
    assert 0 < len(waits) < 7
    assert max(waits) <= 3600
    hours = (pipeline.clock.now - started) / 3_600_000
    assert 27.5 * 0.8 < hours < 27.6 * 1.2 + 0.5
    assert len(set(r.ids)) == 1
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["attemptCount"]) == ("FAILED", 8)


def test_webhook_update_applies_to_next_attempt(pipeline: Pipeline) -> None:
    with receiver([500]) as old, receiver([500]) as new:
        webhook = pipeline.webhook(old.url)
        event = pipeline.publish()
        pipeline.deliveries.poll()
        pipeline.api(
            f"PUT /api/integrations/webhooks/{webhook['id']}",
            json={"url": new.url, "retryConfig": {"maxRetries": 1}},
        )
        pipeline.run()
        assert (len(old.requests), len(new.requests)) == (1, 1)
    assert pipeline.shown(webhook, event)["statusReason"] == "retries_exhausted:http_500"


# ── webhooks that end ────────────────────────────────────────────────────────────────────────────────


def test_410_disables_webhook(pipeline: Pipeline) -> None:
    with receiver([410]) as r:
        webhook = pipeline.webhook(r.url)
        first = pipeline.publish()
        pipeline.deliveries.poll()
        shown = pipeline.api(f"GET /api/integrations/webhooks/{webhook['id']}").json()
        assert (shown["status"], shown["statusReason"]) == ("DISABLED", "endpoint_gone")
        assert pipeline.shown(webhook, first)["status"] == "FAILED"
        assert pipeline.shown(webhook, first)["statusReason"] == "endpoint_gone"
        pipeline.publish()
        assert pipeline.deliveries.waits == []
        pipeline.api(f"PUT /api/integrations/webhooks/{webhook['id']}/status", json={"status": "ACTIVE"})
        for _ in range(6):
            pipeline.publish()
        pipeline.run()
        # All six were in flight when the first response arrived.
        assert len(r.requests) == 7
    assert pipeline.api(f"GET /api/integrations/webhooks/{webhook['id']}").json()["status"] == "DISABLED"
    assert pipeline.ends() == [("FAILED", "endpoint_gone")] * 7


def test_410_disables_webhook_despite_crash(pipeline: Pipeline) -> None:
    with receiver([410]) as r:
        webhook = pipeline.webhook(r.url)
        pipeline.publish()
        with killed("dynamodb.GetItem"):  # the first call to disable the webhook
            pipeline.deliveries.poll()
        pipeline.run()
        assert len(r.requests) <= 2
    assert pipeline.api(f"GET /api/integrations/webhooks/{webhook['id']}").json()["status"] == "DISABLED"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "INACTIVE"}, "webhook_inactive"),
        (None, "webhook_deleted"),
    ],
)
def test_waiting_deliveries_of_inactive_webhook_are_cancelled(
    pipeline: Pipeline, change: Any, reason: str
) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url)
        pipeline.publish()
        pipeline.deliveries.poll()
        pipeline.publish()
        path = f"/api/integrations/webhooks/{webhook['id']}"
        if change:
            pipeline.api(f"PUT {path}/status", json=change)
        else:
            pipeline.api(f"DELETE {path}")
        pipeline.run()
        assert len(r.requests) == 1
    assert pipeline.ends() == [("CANCELLED", reason)] * 2


# ── targets ──────────────────────────────────────────────────────────────────────────────────────────


def test_private_targets_get_no_request(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds whatever the row says and whatever a host name resolves to (promise 9)."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host == "rebound.example" else host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with receiver() as r:
        port = r.url.rpartition(":")[2]
        pipeline.webhook(r.url)
        pipeline.webhook(f"http://localhost:{port}")
        pipeline.webhook(f"http://rebound.example:{port}")
        pipeline.publish()
        pipeline.run()
        assert len(r.requests) == 3  # loopback is still allowed, so the receiver answers
        monkeypatch.delenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS")
        settings.cache_clear()
        cold_start()
        pipeline.publish()
        pipeline.run()
        assert len(r.requests) == 3
    assert pipeline.ends() == [("DELIVERED", None)] * 3 + [("FAILED", "forbidden_target")] * 3


# ── duplicates and leases ────────────────────────────────────────────────────────────────────────────


def test_duplicate_message_in_batch_makes_one_request(pipeline: Pipeline) -> None:
    with receiver([Answer(delay=0.1)]) as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        (record,) = pipeline.deliveries.receive()
        pipeline.deliveries.send(record["body"])
        (copy,) = pipeline.deliveries.receive()
        assert pipeline.deliveries.invoke([record, copy]) == [copy["messageId"]]
        assert pipeline.deliveries.waits == [5]
        pipeline.run()
        assert len(r.requests) == 1
    assert pipeline.ends() == [("DELIVERED", None)]


@pytest.mark.parameters(MaxVisibilityWaitSeconds=60)
def test_obsolete_copy_does_not_drop_later_message(pipeline: Pipeline) -> None:
    """A late message and the current message of the same delivery arrive in one batch."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 100})
        pipeline.publish()
        (late,) = pipeline.deliveries.receive()
        pipeline.deliveries.invoke([late])
        move_to_due(pipeline)
        assert pipeline.sweep() == 1
        (later,) = pipeline.deliveries.receive()
        assert pipeline.deliveries.invoke([{**late, "messageId": "late"}, later]) == [later["messageId"]]
        assert pipeline.deliveries.waits == [5]
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


def move_to_slow_lane(pipeline: Pipeline, url: str) -> dict[str, Any]:
    """Move a delivery to the slow lane, where each attempt is claimed. Returns its SQS record."""
    pipeline.webhook(url, is_fast=False)
    pipeline.publish()
    pipeline.deliveries.poll()
    (record,) = pipeline.slow.receive()
    return record


def test_message_waits_for_lease_to_end(pipeline: Pipeline) -> None:
    with receiver() as r:
        record = move_to_slow_lane(pipeline, r.url)
        with killed(CLAIM, after=True):
            pipeline.slow.invoke([record])
        pipeline.clock.move(10)
        assert pipeline.slow.invoke([record]) == [record["messageId"]]
        assert pipeline.slow.waits == [LEASE - 10]
        assert r.requests == []
        pipeline.run()
        assert len(r.requests) == 1


def test_one_of_two_workers_gets_lease(pipeline: Pipeline) -> None:
    with receiver() as r:
        record = move_to_slow_lane(pipeline, r.url)

        with meanwhile(CLAIM, lambda: lease(pipeline, record)):
            assert pipeline.slow.invoke([record]) == [record["messageId"]]
        assert r.requests == []
        assert pipeline.slow.waits == [LEASE]
        pipeline.run()
        assert len(r.requests) == 1


def test_worker_without_lease_records_no_failure(pipeline: Pipeline) -> None:
    """The worker was suspended for longer than its lease, and another worker took over."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        (record,) = pipeline.deliveries.receive()

        def other() -> None:
            pipeline.clock.move(LEASE + 1)
            lease(pipeline, record)

        with meanwhile("dynamodb.TransactWriteItems", other):
            assert pipeline.deliveries.invoke([record]) == [record["messageId"]]
        assert (pipeline.row["status"], pipeline.row["attempts"], pipeline.row["claims"]) == ("SENDING", 0, 2)
        pipeline.run()
    assert pipeline.ends() == [("DELIVERED", None)]
    assert len(set(r.ids)) == 1


def test_delivered_delivery_is_not_sent_again(pipeline: Pipeline) -> None:
    with receiver() as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        (record,) = pipeline.deliveries.receive()
        for seconds in (0, 1, LEASE + 1, VISIBILITY, DAY):
            pipeline.clock.move(seconds)
            assert pipeline.deliveries.invoke([record]) == []
        assert len(r.requests) == 1
    assert pipeline.row["attempts"] == 1


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────

CLAIM, RECORD, MOVE = "dynamodb.PutItem", "dynamodb.BatchWriteItem", "sqs.SendMessageBatch"
HEALTH = "dynamodb.UpdateItem"
VISIBILITY_CHANGE, FAILURE = "sqs.ChangeMessageVisibilityBatch", "dynamodb.TransactWriteItems"


def crash(pipeline: Pipeline, operation: str, *, after: bool, where: str = "") -> None:
    """Poll both lanes, and kill the process at a call. Fails if that call does not happen."""
    with killed(operation, after=after, where=where):
        pipeline.poll()


@pytest.mark.parametrize(
    ("operation", "after", "requests"),
    [
        ("dynamodb.BatchGetItem", False, 1),
        ("dynamodb.BatchGetItem", True, 1),
        (RECORD, False, 2),  # the only crash after which the receiver gets the request twice
        (RECORD, True, 1),
    ],
    ids=["before_all", "before_the_attempt", "after_the_response", "after_the_record"],
)
def test_crash_of_worker_loses_nothing(
    pipeline: Pipeline, operation: str, after: bool, requests: int
) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        crash(pipeline, operation, after=after)
        assert pipeline.deliveries.waits == [VISIBILITY]
        pipeline.run()
        assert len(r.requests) == requests
    assert len(set(r.ids)) == 1
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["attemptCount"], len(shown["attempts"])) == ("DELIVERED", 1, 1)


@pytest.mark.parametrize(
    ("operation", "after", "where", "requests"),
    [
        (MOVE, False, "", 1),
        (MOVE, True, "", 1),  # the message is in both lanes
        (HEALTH, False, "permits", 1),
        (HEALTH, True, "permits", 1),
        (CLAIM, False, "", 1),
        (CLAIM, True, "", 1),
        (HEALTH, True, "fastAt", 2),
        (RECORD, False, "", 2),
        (RECORD, True, "", 1),
    ],
    ids=[
        "before_the_move",
        "after_the_move",
        "before_the_permit",
        "after_the_permit",
        "before_the_claim",
        "after_the_claim",
        "after_the_health",
        "before_the_record",
        "after_the_record",
    ],
)
def test_crash_in_slow_lane_loses_nothing(
    pipeline: Pipeline, operation: str, after: bool, where: str, requests: int
) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, is_fast=False)
        event = pipeline.publish()
        crash(pipeline, operation, after=after, where=where)
        pipeline.run()
        assert len(r.requests) == requests
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["attemptCount"], len(shown["attempts"])) == ("DELIVERED", 1, 1)
    assert pipeline.deliveries.waits == pipeline.slow.waits == []


@pytest.mark.parametrize(
    ("operation", "after", "delay", "requests", "logged"),
    [
        (CLAIM, False, 600, 3, 2),  # the first attempt left no record
        (CLAIM, True, 600, 3, 2),
        (FAILURE, False, 600, 3, 2),
        (FAILURE, True, 600, 2, 2),
        (VISIBILITY_CHANGE, False, 600, 2, 2),
        (VISIBILITY_CHANGE, False, 30, 2, 2),  # due before SQS delivers the message again
        (VISIBILITY_CHANGE, True, 600, 2, 2),
    ],
    ids=[
        "after_the_response",
        "after_the_claim",
        "before_the_record",
        "after_the_record",
        "before_the_wait",
        "before_a_short_wait",
        "after_the_wait",
    ],
)
def test_crash_on_failed_attempt_loses_nothing(
    pipeline: Pipeline, operation: str, after: bool, delay: int, requests: int, logged: int
) -> None:
    with receiver([500, *[500] * (requests - 2), 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": delay})
        event = pipeline.publish()
        started = pipeline.clock.now
        crash(pipeline, operation, after=after)
        pipeline.run()
        assert len(r.requests) == requests
    assert (pipeline.clock.now - started) / 1000 >= delay * 0.8
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["attemptCount"], len(shown["attempts"])) == ("DELIVERED", logged, logged)


@pytest.mark.parametrize(("operation", "where"), [(RECORD, ""), (CLAIM, ""), (HEALTH, "permits")])
def test_client_retry_after_lost_response_makes_no_second_request(
    pipeline: Pipeline, operation: str, where: str
) -> None:
    """The client's own retry finds what its first try wrote."""
    with receiver() as r:
        pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        with failing(operation, lost=True, tries=1, where=where):
            pipeline.poll()
        assert pipeline.slow.waits == []  # the message is done
        assert len(r.requests) == 1
    assert pipeline.ends() == [("DELIVERED", None)]


def test_delivery_that_always_kills_worker_fails(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        crash(pipeline, "dynamodb.BatchGetItem", after=True)
        for _ in range(10):
            pipeline.clock.move(VISIBILITY + 0.001)
            crash(pipeline, CLAIM, after=True)
            assert pipeline.row["status"] == "SENDING"
        pipeline.run()
        assert r.requests == []
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["statusReason"], shown["attemptCount"]) == ("FAILED", "internal", 0)
    assert pipeline.row["claims"] == 11


# ── failures of our own and of AWS ───────────────────────────────────────────────────────────────────


def test_secret_decryption_failure_fails_only_its_delivery(pipeline: Pipeline) -> None:
    with receiver() as r:
        broken, fine = pipeline.webhook(r.url), pipeline.webhook(r.url)
        key = {"workspaceId": "acme", "sk": broken["id"]}
        (entry,) = dynamo.get(settings().webhooks_table, key)["secrets"]  # type: ignore[index]  # it exists
        sealed = entry["sealed"]
        mangled = sealed[:-8] + ("A" * 8 if sealed[-8:] != "A" * 8 else "B" * 8)
        dynamo.update(settings().webhooks_table, key, "SET secrets = :mangled", mangled=[{"sealed": mangled}])
        event = pipeline.publish()
        pipeline.run(days=1)
        assert r.ids == [DeliveryId.derived(EventId(event), fine["id"])]
    assert pipeline.ends() == [("DELIVERED", None), ("FAILED", "secret_unreadable")]


def test_throttled_workspace_does_not_delay_others(
    pipeline: Pipeline, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB leaves the keys of `acme` unprocessed in each BatchGetItem."""

    def throttle(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        if operation != "BatchGetItem":
            return call(params)
        processed: Params = {}
        unprocessed: Params = {}
        for table, request in params["RequestItems"].items():
            for part, is_acme in ((processed, False), (unprocessed, True)):
                if keys := [key for key in request["Keys"] if ("acme" in json.dumps(key)) is is_acme]:
                    part[table] = {**request, "Keys": keys}
        answer = call({"RequestItems": processed}) if processed else {"Responses": {}}
        return {**answer, "UnprocessedKeys": unprocessed}

    monkeypatch.setattr(dynamo, "_pause", lambda attempt: None)
    with receiver() as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        other = jwt_for("globex", claims={"exp": pipeline.clock.now // 1000 + 600})
        body = {"name": "test", "url": r.url, "eventTypes": ["POST_PUBLISHED"]}
        webhook = api("POST /api/integrations/webhooks", token=other, json=body).json()
        health_store.mark_fast(webhook_key("globex", webhook["id"]), Health(), pipeline.clock.now)
        api("POST /api/events", token=other, json={"type": "POST_PUBLISHED", "data": POST})
        with around_calls(throttle):
            assert pipeline.deliveries.poll() == 2
        assert pipeline.row["webhookKey"] == webhook_key("globex", webhook["id"])
        assert pipeline.deliveries.waits == [VISIBILITY]
        pipeline.run()
    assert pipeline.ends() == [("DELIVERED", None)] * 2


def test_throttled_claim_delays_only_its_delivery(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhooks = [pipeline.webhook(r.url, is_fast=False)["id"] for _ in range(4)]
        event = pipeline.publish()
        unlucky = DeliveryId.derived(EventId(event), webhooks[1])
        with failing(CLAIM, where=unlucky):
            pipeline.poll()
        assert sorted(r.ids) == sorted(row["sk"] for row in pipeline.rows)
        assert unlucky not in r.ids
        assert len(r.ids) == 3
        assert pipeline.slow.waits == [VISIBILITY]
        pipeline.run()
        assert len(r.ids) == 4
    assert pipeline.ends() == [("DELIVERED", None)] * 4


def test_only_unrecorded_success_is_sent_again(pipeline: Pipeline) -> None:
    put_each = dynamo.batch_put
    with receiver() as r:
        for _ in range(4):
            pipeline.webhook(r.url)
        pipeline.publish()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dynamo, "batch_put", lambda rows: put_each([rows[0], *rows[2:]]) or [1])
            pipeline.deliveries.poll()
        assert pipeline.ends() == [("DELIVERED", None)] * 3
        (unwritten,) = set(r.ids) - {row["sk"] for row in pipeline.rows}
        assert pipeline.deliveries.waits == [VISIBILITY]
        pipeline.run()
        assert sorted(r.ids) == sorted([unwritten, *{row["sk"] for row in pipeline.rows}])
    assert pipeline.ends() == [("DELIVERED", None)] * 4


@pytest.mark.parametrize("lost", [False, True])
def test_batch_is_redelivered_when_recording_fails(pipeline: Pipeline, lost: bool) -> None:
    with receiver() as r:
        webhooks = [pipeline.webhook(r.url) for _ in range(4)]
        event = pipeline.publish()
        with failing(RECORD, times=9, lost=lost):
            pipeline.deliveries.poll()
        assert pipeline.deliveries.waits == [VISIBILITY] * 4
        pipeline.run()
        assert len(r.requests) == (4 if lost else 8)
        assert len(set(r.ids)) == 4
    assert pipeline.ends() == [("DELIVERED", None)] * 4
    assert [len(pipeline.shown(webhook, event)["attempts"]) for webhook in webhooks] == [1] * 4


def test_failed_visibility_change_does_not_shorten_wait(pipeline: Pipeline) -> None:
    with receiver([503, 503, 200]) as r:
        for _ in range(2):
            pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 600})
        pipeline.publish()
        with failing(VISIBILITY_CHANGE):
            pipeline.deliveries.poll()
        assert pipeline.deliveries.waits == [VISIBILITY] * 2
        pipeline.clock.move(VISIBILITY + 0.001)
        pipeline.deliveries.poll()
        assert min(pipeline.deliveries.waits) >= 600 * 0.8 - VISIBILITY - 1  # the rows decide the time
        assert len(r.requests) == 2
        pipeline.run()
        assert len(r.requests) == 4
    assert pipeline.ends() == [("DELIVERED", None)] * 2


@pytest.mark.parametrize("lost", [False, True])
def test_failed_move_to_slow_lane_loses_nothing(pipeline: Pipeline, lost: bool) -> None:
    with receiver() as r:
        for _ in range(3):
            pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        with failing(MOVE, lost=lost):
            pipeline.deliveries.poll()
        assert pipeline.deliveries.waits == [VISIBILITY] * 3
        assert bool(pipeline.slow.waits) is lost  # if lost, it is in both lanes, once per client try
        pipeline.run()
        assert len(r.requests) == len(set(r.ids)) == 3
    assert pipeline.ends() == [("DELIVERED", None)] * 3


@pytest.mark.parametrize("times", [1, 2])
def test_partly_failed_move_to_slow_lane_loses_nothing(pipeline: Pipeline, times: int) -> None:
    """After one refusal, a message is sent again. After two, the fast lane redelivers it."""
    with receiver() as r:
        webhooks = [pipeline.webhook(r.url, is_fast=False)["id"] for _ in range(3)]
        event = pipeline.publish()
        unlucky = DeliveryId.derived(EventId(event), webhooks[1])
        with partly_refused(lambda body: unlucky in body, times=times):
            pipeline.deliveries.poll()
        assert pipeline.deliveries.waits == [VISIBILITY] * (times - 1)
        assert len(pipeline.slow.waits) == 4 - times
        pipeline.run()
        assert len(r.requests) == len(set(r.ids)) == 3
    assert pipeline.ends() == [("DELIVERED", None)] * 3


@pytest.mark.parametrize("operation", ["dynamodb.BatchGetItem", "kms.Decrypt"])
def test_service_outage_loses_nothing(pipeline: Pipeline, operation: str) -> None:
    with receiver() as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        pipeline.publish()
        cold_start()
        with failing(operation, times=99):
            pipeline.deliveries.poll()
        assert r.requests == []
        assert pipeline.deliveries.waits == [VISIBILITY] * 2
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)] * 2


def test_unreadable_messages_move_to_dlq_and_block_nothing(pipeline: Pipeline) -> None:
    texts = ["not JSON", "[]", "null", '{"id": 5}', '{"id": "evt_0000000000000000000000"}', "[" * 100_000]
    with receiver() as r:
        pipeline.webhook(r.url)
        for text in texts:
            pipeline.deliveries.send(text)
        pipeline.publish()
        pipeline.deliveries.poll()
        assert len(r.requests) == 1
    dead = [record["body"] for record in pipeline.backend.messages("DeliveriesDeadLetterQueue")]
    assert sorted(dead) == sorted(texts)
    assert pipeline.deliveries.waits == []


# ── parking ──────────────────────────────────────────────────────────────────────────────────────────

PARKING: dict[str, Any] = {"retryConfig": {"initialDelaySeconds": 100, "backoffMultiplier": 1}}
parking = pytest.mark.parameters(MaxVisibilityWaitSeconds=60)


def move_to_due(pipeline: Pipeline) -> None:
    """Move the clock to the time when the parked delivery is due."""
    pipeline.clock.now = max(row["dueAt"] for row in pipeline.rows)


@parking
def test_long_wait_is_parked_in_table(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url, **PARKING)
        event = pipeline.publish({"x": 1})
        (record,) = pipeline.deliveries.receive()
        assert pipeline.deliveries.invoke([record]) == []
        assert pipeline.deliveries.waits == []
        shown = pipeline.shown(webhook, event)
        assert (shown["status"], shown["statusReason"]) == ("RETRYING", "http_500")
        assert 80_000 <= pipeline.row["nextAttemptAt"] - pipeline.clock.now <= 120_000
        assert pipeline.row["dueAt"] == pipeline.row["nextAttemptAt"]
        # A parked delivery does not count as queued.
        key = webhook_key("acme", webhook["id"])
        assert (store.count_queued_retries(key), store.count_retrying(key) + store.count_held(key)) == (0, 1)

        assert pipeline.sweep() == 0
        move_to_due(pipeline)
        pipeline.clock.now -= 1
        assert pipeline.sweep() == 0
        pipeline.clock.now += 1
        assert pipeline.sweep() == 1
        assert pipeline.sweep() == 0
        # A copy of the message that parked it belongs to an older generation.
        assert pipeline.deliveries.invoke([{**record, "messageId": "late"}]) == []
        assert len(r.requests) == 1
        (queued,) = pipeline.deliveries.receive()
        assert DeliveryMessage.read(queued["body"]).generation == pipeline.row["generation"] == 1
        assert pipeline.deliveries.invoke([queued]) == []
        assert pipeline.deliveries.invoke([record]) == []
        pipeline.clock.move(600)
        assert pipeline.sweep() == 0
    first, second = r.requests
    assert first.body == second.body
    assert pipeline.ends() == [("DELIVERED", None)]
    assert not {"dueAt", "dueShard", "nextAttemptAt"} & pipeline.row.keys()


@parking
def test_concurrent_sweepers_queue_each_delivery_once(pipeline: Pipeline) -> None:
    with receiver([500] * 3 + [200]) as r:
        pipeline.webhook(r.url, **PARKING)
        for _ in range(3):
            pipeline.publish()
        pipeline.deliveries.poll()
        move_to_due(pipeline)
        counts = []
        with meanwhile("dynamodb.PutItem", lambda: counts.append(pipeline.sweep())):
            counts.append(pipeline.sweep())
        assert sum(counts) == len(pipeline.deliveries.waits) == 3
        pipeline.run()
        assert len(r.requests) == 3 + 3
    assert {row["generation"] for row in pipeline.rows} == {1}


@parking
@pytest.mark.parametrize(
    ("operation", "after"),
    [("dynamodb.PutItem", True), ("sqs.SendMessageBatch", False), ("sqs.SendMessageBatch", True)],
    ids=["after_one_is_marked", "before_the_send", "after_the_send"],
)
def test_crash_of_sweeper_loses_nothing(pipeline: Pipeline, operation: str, after: bool) -> None:
    with receiver([500] * 3 + [200]) as r:
        pipeline.webhook(r.url, **PARKING)
        for _ in range(3):
            pipeline.publish()
        pipeline.deliveries.poll()
        move_to_due(pipeline)
        with killed(operation, after=after):
            pipeline.sweep()
        pipeline.run()
        assert len(r.requests) == 6
    assert pipeline.ends() == [("DELIVERED", None)] * 3


@parking
@pytest.mark.parametrize("lost", [False, True])
def test_sweep_recovers_from_failed_send(pipeline: Pipeline, lost: bool) -> None:
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        move_to_due(pipeline)
        with failing("sqs.SendMessageBatch", lost=lost):
            assert pipeline.sweep() == 0
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


@parking
def test_many_due_webhooks_do_not_delay_parked_deliveries(pipeline: Pipeline) -> None:
    """The sweep runs out of time after one task of each kind and shard, while 80 webhooks are due."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        move_to_due(pipeline)
        for _ in range(80):
            key = webhook_key("acme", WebhookId.new())
            health_store.schedule_sweep(key, pipeline.clock.now, pipeline.clock.now)
        left = chain([60_000] * 3 * len(due_index.SHARDS), repeat(0))
        assert sweeper.sweep(lambda: next(left)) == 1
        pipeline.deliveries.poll()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


@parking
def test_failed_task_does_not_stop_sweep(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        move_to_due(pipeline)
        with failing("dynamodb.Query", error=REFUSED):
            assert pipeline.sweep() == 1
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


def test_webhook_is_due_again_at_next_sweep(pipeline: Pipeline) -> None:
    """This holds even if the previous run reached the webhook later in the run than this one does."""
    key = webhook_key("acme", WebhookId.new())
    health_store.schedule_sweep(key, pipeline.clock.now, pipeline.clock.now)
    pipeline.clock.move(5)
    pipeline.sweep()
    first = health(key).due_at
    pipeline.clock.move(55)
    pipeline.sweep()
    assert health(key).due_at > first > 0


def test_retry_is_recorded_without_queue_metrics(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 1000})
        pipeline.publish()
        with failing("sqs.GetQueueAttributes"):
            pipeline.deliveries.poll()
        assert pipeline.ends() == [("RETRYING", "http_500")]
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


@parking
@pytest.mark.parametrize("after", [False, True])
def test_crash_while_parking_loses_nothing(pipeline: Pipeline, after: bool) -> None:
    with receiver([500, 200] if after else [500, 500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        with killed("dynamodb.TransactWriteItems", after=after):
            pipeline.deliveries.poll()
        pipeline.run()
        assert len(r.requests) == (2 if after else 3)
    assert pipeline.ends() == [("DELIVERED", None)]
    assert pipeline.row["attempts"] == 2


@parking
def test_parked_delivery_is_sent_when_queue_is_behind(pipeline: Pipeline) -> None:
    """Each message of a sweep is received three minutes late, while more sweeps run."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        move_to_due(pipeline)
        started, waiting = pipeline.clock.now, []
        while len(r.requests) < 2 and pipeline.clock.now < started + 3_600_000:
            pipeline.sweep()
            waiting += [(pipeline.clock.now + 180_000, record) for record in pipeline.deliveries.receive()]
            while waiting and waiting[0][0] <= pipeline.clock.now:
                pipeline.deliveries.invoke([waiting.pop(0)[1]])
            pipeline.clock.move(60)
        assert len(r.requests) == 2
        assert pipeline.clock.now - started <= 5 * 60_000
        # In that time, the queue did not fill with copies.
        assert len(waiting) <= 2


@parking
def test_parked_delivery_is_not_sent_early_by_slow_clock(pipeline: Pipeline) -> None:
    """The sweeper's clock is ahead of the worker's. The delivery is late, but not lost."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        move_to_due(pipeline)
        assert pipeline.sweep() == 1
        pipeline.clock.skew = -5000
        pipeline.deliveries.poll()
        assert len(r.requests) == 1
        pipeline.clock.skew = 0
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


# ── lost responses ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxVisibilityWaitSeconds=10)
def test_requeue_with_lost_response_is_sent_at_once(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        pipeline.deliveries.poll()
        pipeline.clock.move(60)
        with failing("dynamodb.PutItem", lost=True, tries=1):
            assert pipeline.sweep() == 1
        pipeline.deliveries.poll()
        assert len(r.requests) == 2


@pytest.mark.parameters(MaxVisibilityWaitSeconds=10)
def test_sweep_that_fails_halfway_sends_requeued_deliveries(pipeline: Pipeline) -> None:
    with receiver([500]) as r:
        pipeline.webhook(r.url)
        for _ in range(5):
            pipeline.publish()
        pipeline.deliveries.poll()
        pipeline.clock.move(60)
        with failing("dynamodb.PutItem", at=4):
            pipeline.sweep()
        sent = len(pipeline.deliveries.waits)
        assert 3 <= sent < 5  # at least the ones before the failed one
        assert pipeline.sweep() == 5 - sent
        while pipeline.deliveries.poll():
            pass
        assert len(r.requests) == 10
