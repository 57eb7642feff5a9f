"""The delivery worker and the sweeper, against real receivers: what is sent, what is kept, every crash."""

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
from patchbay.clock import at_ms
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
    """As another worker that has a copy of the message."""
    message, now = DeliveryMessage.read(record["body"]), pipeline.clock.now
    row = dynamo.get(*store.table_key(message))
    store.write(row, states.leased(row, message, now=now, until=now + LEASE * 1000, max_attempts=4))


# ── the request ──────────────────────────────────────────────────────────────────────────────────────


def test_the_receiver_gets_the_event_signed(pipeline: Pipeline) -> None:
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
    assert (shown["status"], shown["reason"], shown["attemptCount"]) == ("DELIVERED", None, 1)
    assert shown["payload"] == request.json()
    (attempt,) = shown["attempts"]
    assert attempt["requestHeaders"]["X-Own"] == attempt["requestHeaders"]["Authorization"] == "********"
    assert attempt["requestHeaders"]["webhook-id"] == request.headers["webhook-id"]
    assert "hush" not in json.dumps(pipeline.backend.rows("DeliveriesTable"), default=str)


def test_bytes_behind_an_answer_deliver_nothing_to_another_workspace(pipeline: Pipeline, api: Api) -> None:
    """The receiver answers one workspace's delivery twice, and the next workspace's with 500."""
    second_answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    with receiver([Answer(204, body=second_answer), 500]) as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        pipeline.deliveries.poll()
        other = jwt_for("globex", claims={"exp": pipeline.clock.now // 1000 + 600})
        body = {"name": "test", "url": r.url, "events": ["POST_PUBLISHED"]}
        api("POST /api/integrations/webhooks", token=other, json=body)
        api("POST /api/events", token=other, json={"type": "POST_PUBLISHED", "data": POST})
        pipeline.events.run()
        pipeline.poll()
    states = {row["webhookKey"].partition("#")[0]: row["status"] for row in pipeline.rows}
    assert states == {"acme": "DELIVERED", "globex": "RETRYING"}
    assert len(r.requests) == 2


def test_two_failures_then_success(pipeline: Pipeline) -> None:
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
    assert (shown["reason"], shown["nextAttemptAt"]) == (None, None)
    assert shown["deliveredAt"] is not None
    assert [(a["number"], a["statusCode"]) for a in shown["attempts"]] == [(1, 500), (2, 500), (3, 200)]
    started = [a["startedAt"] for a in shown["attempts"]]
    assert started == sorted(started)


def test_always_failing_ends_after_all_retries(pipeline: Pipeline) -> None:
    with receiver([500]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"maxRetries": 2})
        event = pipeline.publish()
        pipeline.run()
        assert len(r.requests) == 3
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["reason"]) == ("FAILED", "retries_exhausted:http_500")
    assert (shown["attemptCount"], shown["maxAttempts"], shown["nextAttemptAt"]) == (3, 3, None)
    assert [a["number"] for a in shown["attempts"]] == [1, 2, 3]
    failed = pipeline.api(f"GET /api/integrations/webhooks/{webhook['id']}/deliveries?status=FAILED").json()
    assert [item["id"] for item in failed["items"]] == [shown["id"]]


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_what_each_answer_leads_to(pipeline: Pipeline) -> None:
    """All in one batch: no receiver decides about another one's delivery."""
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
            each = [stack.enter_context(receiver([answer])) for answer, _, _ in script]
            for r, (_, status, reason) in zip(each, script, strict=True):
                ends[pipeline.webhook(r.url)["id"]] = (status, reason)
            refused = pipeline.webhook(f"http://127.0.0.1:{closed.getsockname()[1]}/")
            ends[refused["id"]] = ("RETRYING", "connection_failed")
            pipeline.publish()
            assert pipeline.deliveries.poll() == 10
            assert [len(r.requests) for r in each] == [1] * len(each)
        assert elsewhere.requests == []
    found = {row["webhookKey"].partition("#")[2]: (row["status"], row.get("reason")) for row in pipeline.rows}
    assert found == ends


def test_the_attempt_log(pipeline: Pipeline) -> None:
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
    # As much of it as fits into one write unit.
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
def test_an_answer_that_repeats_a_header_value_is_not_stored(
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
        assert "repeats part of a header value" in attempt["withheld"]
        assert attempt["requestHeaders"]["Authorization"] == "********"
    kept = json.dumps(pipeline.backend.rows("DeliveriesTable"), default=str)
    assert not any(piece in kept for piece in ("5f2c", "91d0", "77aa", echo(CREDENTIAL)[-40:]))


def test_no_answer_keeps_its_own_success_from_being_recorded(pipeline: Pipeline) -> None:
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
def test_the_times_of_an_answer_repeat_no_value(name: str, value: str, withheld: bool) -> None:
    result = SendResult(duration_ms=1, status_code=200, response_headers=((name, value),))
    row = CompletedAttempt(1, "AUTO", 0, {}, result).row({"X-Version": "2026"})
    assert row["responseHeaders"] == ({} if withheld else {name: value})


@pytest.mark.parametrize(("role", "sees"), [("viewer", False), ("member", True)])
def test_a_viewer_does_not_see_what_receivers_answer(pipeline: Pipeline, role: str, sees: bool) -> None:
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


def test_an_attempt_without_an_answer_says_why(pipeline: Pipeline) -> None:
    with receiver([Answer(hang_up=True), 200]) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        pipeline.run()
    attempt = pipeline.shown(webhook, event)["attempts"][0]
    assert attempt["statusCode"] is None
    assert attempt["error"]
    assert (attempt["responseBody"], attempt["truncated"]) == ("", False)


def test_a_large_body_is_read_from_the_event_and_is_the_same_each_time(pipeline: Pipeline) -> None:
    data = {**POST, "x": "x" * 100_000, "n": [1.0, 1e22, -0.0, 2**60, 0.1]}
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url)
        event = pipeline.publish(data)
        pipeline.run()
    first, second = r.requests
    assert first.body == second.body
    assert (first.json()["id"], first.json()["data"]) == (event, data)


def test_a_large_body_whose_event_is_gone(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish({"x": "x" * 100_000})
        dynamo.delete(settings().events_table, {"workspaceId": "acme", "id": event})
        pipeline.run()
        assert r.requests == []
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["reason"], shown["payload"]) == ("FAILED", "event_expired", None)


def test_ten_slow_answers_take_the_time_of_one(pipeline: Pipeline) -> None:
    """A batch of ten to a receiver that takes 500 ms is done in under a second of worker time.

    Shown in a way that a busy machine does not upset: all ten are with the receiver at once, so they wait
    for it once; and what the worker computes for them, less what plays AWS here, takes under 0.5 s.
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

        assert pipeline.deliveries.invoke(batch()) == []  # makes the clients and connections
        records = batch()
        started, computed = time.monotonic(), time.process_time() - pipeline.aws.seconds
        assert pipeline.deliveries.invoke(records) == []
        assert time.process_time() - pipeline.aws.seconds - computed < 0.5
        assert time.monotonic() - started >= 0.5
        assert len(r.requests) == 20
    assert {row["status"] for row in pipeline.rows} == {"DELIVERED"}


# ── retries ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_retry_waits_as_an_invisible_message(pipeline: Pipeline) -> None:
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
    assert (shown["status"], shown["reason"]) == ("RETRYING", "http_503")
    assert shown["nextAttemptAt"] is not None


def test_retry_after_is_honoured(pipeline: Pipeline) -> None:
    date = format_datetime(at_ms(pipeline.clock.now + 600_000), usegmt=True)
    for header, seconds in (("200", 200), (date, 600)):
        with receiver([Answer(429, {"retry-after": header})]) as r:
            webhook = pipeline.webhook(r.url)
            pipeline.publish()
            assert pipeline.deliveries.poll() == 1
            assert seconds - 1 <= max(pipeline.deliveries.waits) <= seconds * 1.2 + 1
            pipeline.api(f"DELETE /api/integrations/webhooks/{webhook['id']}")


def test_a_message_that_is_early_waits_for_the_rest(pipeline: Pipeline) -> None:
    """Another host's clock, or a redelivery: the row says when, not the message."""
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


def test_the_standard_schedule_within_the_limits_of_sqs(pipeline: Pipeline) -> None:
    """Eight attempts over more than a day: the long waits pass in the table."""
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


def test_a_change_of_the_webhook_holds_from_the_next_attempt_on(pipeline: Pipeline) -> None:
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
    assert pipeline.shown(webhook, event)["reason"] == "retries_exhausted:http_500"


# ── webhooks that want no more ───────────────────────────────────────────────────────────────────────


def test_410_disables_and_the_rest_is_cancelled(pipeline: Pipeline) -> None:
    with receiver([410]) as r:
        webhook = pipeline.webhook(r.url)
        first = pipeline.publish()
        pipeline.deliveries.poll()
        shown = pipeline.api(f"GET /api/integrations/webhooks/{webhook['id']}").json()
        assert (shown["status"], shown["disabledReason"]) == ("DISABLED", "endpoint_gone")
        assert pipeline.shown(webhook, first)["status"] == "FAILED"
        assert pipeline.shown(webhook, first)["reason"] == "endpoint_gone"
        pipeline.publish()
        assert pipeline.deliveries.waits == []
        pipeline.api(f"PUT /api/integrations/webhooks/{webhook['id']}/status", json={"status": "ACTIVE"})
        for _ in range(6):
            pipeline.publish()
        pipeline.run()
        # All six were on their way when the first of them said it.
        assert len(r.requests) == 7
    assert pipeline.api(f"GET /api/integrations/webhooks/{webhook['id']}").json()["status"] == "DISABLED"
    assert pipeline.ends() == [("FAILED", "endpoint_gone")] * 7


def test_410_disables_though_the_worker_dies_after_recording_it(pipeline: Pipeline) -> None:
    with receiver([410]) as r:
        webhook = pipeline.webhook(r.url)
        pipeline.publish()
        with killed("dynamodb.GetItem"):  # the first call of disabling, whichever comes first
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
def test_what_waits_for_a_webhook_that_is_no_longer_active_is_cancelled(
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


def test_nothing_is_sent_into_the_own_network(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in the row, and whatever a name resolves to (promise 9)."""
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
        assert len(r.requests) == 3  # allowed here, so that the receiver is one that would answer
        monkeypatch.delenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS")
        settings.cache_clear()
        cold_start()
        pipeline.publish()
        pipeline.run()
        assert len(r.requests) == 3
    assert pipeline.ends() == [("DELIVERED", None)] * 3 + [("FAILED", "forbidden_target")] * 3


# ── duplicates and leases ────────────────────────────────────────────────────────────────────────────


def test_a_message_that_comes_twice_in_a_batch_makes_one_request(pipeline: Pipeline) -> None:
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
def test_a_copy_of_an_ended_delivery_does_not_take_a_later_message_along(pipeline: Pipeline) -> None:
    """A late message and the one that works its delivery now come in one batch."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 100})
        pipeline.publish()
        (late,) = pipeline.deliveries.receive()
        pipeline.deliveries.invoke([late])
        due(pipeline)
        assert pipeline.sweep() == 1
        (later,) = pipeline.deliveries.receive()
        assert pipeline.deliveries.invoke([{**late, "messageId": "late"}, later]) == [later["messageId"]]
        assert pipeline.deliveries.waits == [5]
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


def moved(pipeline: Pipeline, url: str) -> dict[str, Any]:
    """The record of a delivery in the slow lane, where each attempt is claimed."""
    pipeline.webhook(url, is_fast=False)
    pipeline.publish()
    pipeline.deliveries.poll()
    (record,) = pipeline.slow.receive()
    return record


def test_a_live_lease_is_waited_for(pipeline: Pipeline) -> None:
    with receiver() as r:
        record = moved(pipeline, r.url)
        with killed(CLAIM, after=True):
            pipeline.slow.invoke([record])
        pipeline.clock.move(10)
        assert pipeline.slow.invoke([record]) == [record["messageId"]]
        assert pipeline.slow.waits == [LEASE - 10]
        assert r.requests == []
        pipeline.run()
        assert len(r.requests) == 1


def test_of_two_workers_one_gets_the_lease(pipeline: Pipeline) -> None:
    with receiver() as r:
        record = moved(pipeline, r.url)

        with meanwhile(CLAIM, lambda: lease(pipeline, record)):
            assert pipeline.slow.invoke([record]) == [record["messageId"]]
        assert r.requests == []
        assert pipeline.slow.waits == [LEASE]
        pipeline.run()
        assert len(r.requests) == 1


def test_a_worker_that_lost_its_lease_records_no_failure(pipeline: Pipeline) -> None:
    """It stood still longer than its lease, and another one took over."""
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


def test_what_was_delivered_is_never_sent_again(pipeline: Pipeline) -> None:
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
HIDE, FAILURE = "sqs.ChangeMessageVisibilityBatch", "dynamodb.TransactWriteItems"


def dies_once(pipeline: Pipeline, operation: str, *, after: bool, where: str = "") -> None:
    """Work both lanes until the process dies at a call; it must."""
    with killed(operation, after=after, where=where):
        pipeline.poll()


@pytest.mark.parametrize(
    ("operation", "after", "requests"),
    [
        ("dynamodb.BatchGetItem", False, 1),
        ("dynamodb.BatchGetItem", True, 1),
        (RECORD, False, 2),  # the one crash after which a receiver gets it twice
        (RECORD, True, 1),
    ],
    ids=["before_all", "before_the_attempt", "after_the_answer", "after_the_record"],
)
def test_a_worker_that_dies_loses_nothing(
    pipeline: Pipeline, operation: str, after: bool, requests: int
) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        dies_once(pipeline, operation, after=after)
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
def test_a_worker_that_dies_on_the_way_through_the_slow_lane_loses_nothing(
    pipeline: Pipeline, operation: str, after: bool, where: str, requests: int
) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, is_fast=False)
        event = pipeline.publish()
        dies_once(pipeline, operation, after=after, where=where)
        pipeline.run()
        assert len(r.requests) == requests
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["attemptCount"], len(shown["attempts"])) == ("DELIVERED", 1, 1)
    assert pipeline.deliveries.waits == pipeline.slow.waits == []


@pytest.mark.parametrize(
    ("operation", "after", "delay", "requests", "logged"),
    [
        (CLAIM, False, 600, 3, 2),  # the first attempt left no trace
        (CLAIM, True, 600, 3, 2),
        (FAILURE, False, 600, 3, 2),
        (FAILURE, True, 600, 2, 2),
        (HIDE, False, 600, 2, 2),
        (HIDE, False, 30, 2, 2),  # due before SQS shows the message again
        (HIDE, True, 600, 2, 2),
    ],
    ids=[
        "after_the_answer",
        "after_the_claim",
        "before_the_record",
        "after_the_record",
        "before_the_wait",
        "before_a_short_wait",
        "after_the_wait",
    ],
)
def test_a_worker_that_dies_on_a_failed_attempt_loses_nothing(
    pipeline: Pipeline, operation: str, after: bool, delay: int, requests: int, logged: int
) -> None:
    with receiver([500, *[500] * (requests - 2), 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": delay})
        event = pipeline.publish()
        started = pipeline.clock.now
        dies_once(pipeline, operation, after=after)
        pipeline.run()
        assert len(r.requests) == requests
    assert (pipeline.clock.now - started) / 1000 >= delay * 0.8
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["attemptCount"], len(shown["attempts"])) == ("DELIVERED", logged, logged)


@pytest.mark.parametrize(("operation", "where"), [(RECORD, ""), (CLAIM, ""), (HEALTH, "permits")])
def test_a_lost_answer_that_is_asked_for_again_costs_no_second_request(
    pipeline: Pipeline, operation: str, where: str
) -> None:
    """The client's own retry meets what its first try has written."""
    with receiver() as r:
        pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        with failing(operation, lost=True, tries=1, where=where):
            pipeline.poll()
        assert pipeline.slow.waits == []  # the message is done
        assert len(r.requests) == 1
    assert pipeline.ends() == [("DELIVERED", None)]


def test_a_delivery_that_kills_its_worker_each_time_ends(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        dies_once(pipeline, "dynamodb.BatchGetItem", after=True)
        for _ in range(10):
            pipeline.clock.move(VISIBILITY + 0.001)
            dies_once(pipeline, CLAIM, after=True)
            assert pipeline.row["status"] == "SENDING"
        pipeline.run()
        assert r.requests == []
    shown = pipeline.shown(webhook, event)
    assert (shown["status"], shown["reason"], shown["attemptCount"]) == ("FAILED", "internal", 0)
    assert pipeline.row["claims"] == 11


# ── our own faults ───────────────────────────────────────────────────────────────────────────────────


def test_a_secret_that_does_not_open_ends_its_delivery_and_no_other(pipeline: Pipeline) -> None:
    with receiver() as r:
        broken, fine = pipeline.webhook(r.url), pipeline.webhook(r.url)
        key = {"workspaceId": "acme", "sk": broken["id"]}
        (entry,) = dynamo.get(settings().webhooks_table, key)["secrets"]  # type: ignore[index]  # is there
        sealed = entry["sealed"]
        mangled = sealed[:-8] + ("A" * 8 if sealed[-8:] != "A" * 8 else "B" * 8)
        dynamo.update(settings().webhooks_table, key, "SET secrets = :mangled", mangled=[{"sealed": mangled}])
        event = pipeline.publish()
        pipeline.run(days=1)
        assert r.ids == [DeliveryId.derived(EventId(event), fine["id"])]
    assert pipeline.ends() == [("DELIVERED", None), ("FAILED", "secret_unreadable")]


def test_a_workspace_whose_rows_are_throttled_delays_no_other(
    pipeline: Pipeline, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB leaves acme's keys unprocessed in each BatchGetItem."""

    def throttled(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        if operation != "BatchGetItem":
            return call(params)
        kept: Params = {}
        left: Params = {}
        for table, request in params["RequestItems"].items():
            for part, is_acme in ((kept, False), (left, True)):
                if keys := [key for key in request["Keys"] if ("acme" in json.dumps(key)) is is_acme]:
                    part[table] = {**request, "Keys": keys}
        answer = call({"RequestItems": kept}) if kept else {"Responses": {}}
        return {**answer, "UnprocessedKeys": left}

    monkeypatch.setattr(dynamo, "_pause", lambda attempt: None)
    with receiver() as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        other = jwt_for("globex", claims={"exp": pipeline.clock.now // 1000 + 600})
        body = {"name": "test", "url": r.url, "events": ["POST_PUBLISHED"]}
        webhook = api("POST /api/integrations/webhooks", token=other, json=body).json()
        health_store.mark_fast(webhook_key("globex", webhook["id"]), Health(), pipeline.clock.now)
        api("POST /api/events", token=other, json={"type": "POST_PUBLISHED", "data": POST})
        with around_calls(throttled):
            assert pipeline.deliveries.poll() == 2
        assert pipeline.row["webhookKey"] == webhook_key("globex", webhook["id"])
        assert pipeline.deliveries.waits == [VISIBILITY]
        pipeline.run()
    assert pipeline.ends() == [("DELIVERED", None)] * 2


def test_a_throttled_claim_delays_one_delivery_and_no_other(pipeline: Pipeline) -> None:
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


def test_a_success_that_is_not_written_is_sent_again_and_no_other(pipeline: Pipeline) -> None:
    put_each = dynamo.put_each
    with receiver() as r:
        for _ in range(4):
            pipeline.webhook(r.url)
        pipeline.publish()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dynamo, "put_each", lambda rows: put_each([rows[0], *rows[2:]]) or [1])
            pipeline.deliveries.poll()
        assert pipeline.ends() == [("DELIVERED", None)] * 3
        (unwritten,) = set(r.ids) - {row["sk"] for row in pipeline.rows}
        assert pipeline.deliveries.waits == [VISIBILITY]
        pipeline.run()
        assert sorted(r.ids) == sorted([unwritten, *{row["sk"] for row in pipeline.rows}])
    assert pipeline.ends() == [("DELIVERED", None)] * 4


@pytest.mark.parametrize("lost", [False, True])
def test_a_batch_whose_successes_cannot_be_written_comes_again(pipeline: Pipeline, lost: bool) -> None:
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
    assert [len(pipeline.shown(each, event)["attempts"]) for each in webhooks] == [1] * 4


def test_a_wait_that_sqs_does_not_take_is_made_good(pipeline: Pipeline) -> None:
    with receiver([503, 503, 200]) as r:
        for _ in range(2):
            pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 600})
        pipeline.publish()
        with failing(HIDE):
            pipeline.deliveries.poll()
        assert pipeline.deliveries.waits == [VISIBILITY] * 2
        pipeline.clock.move(VISIBILITY + 0.001)
        pipeline.deliveries.poll()
        assert min(pipeline.deliveries.waits) >= 600 * 0.8 - VISIBILITY - 1  # the rows say when
        assert len(r.requests) == 2
        pipeline.run()
        assert len(r.requests) == 4
    assert pipeline.ends() == [("DELIVERED", None)] * 2


@pytest.mark.parametrize("lost", [False, True])
def test_a_move_that_sqs_fails_loses_nothing(pipeline: Pipeline, lost: bool) -> None:
    with receiver() as r:
        for _ in range(3):
            pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        with failing(MOVE, lost=lost):
            pipeline.deliveries.poll()
        assert pipeline.deliveries.waits == [VISIBILITY] * 3
        assert bool(pipeline.slow.waits) is lost  # in both lanes, as often as the client has tried
        pipeline.run()
        assert len(r.requests) == len(set(r.ids)) == 3
    assert pipeline.ends() == [("DELIVERED", None)] * 3


@pytest.mark.parametrize("times", [1, 2])
def test_a_move_that_sqs_takes_in_part_loses_nothing(pipeline: Pipeline, times: int) -> None:
    """Refused once, a message is sent once more; refused twice, it comes again in the fast lane."""
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
def test_a_service_that_is_down_for_a_while_loses_nothing(pipeline: Pipeline, operation: str) -> None:
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


def test_unreadable_messages_go_to_the_dead_letter_queue_and_stop_nobody(pipeline: Pipeline) -> None:
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


def due(pipeline: Pipeline) -> None:
    """Move to when the parked delivery is due."""
    pipeline.clock.now = max(row["dueAt"] for row in pipeline.rows)


@parking
def test_a_long_wait_passes_in_the_table(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        webhook = pipeline.webhook(r.url, **PARKING)
        event = pipeline.publish({"x": 1})
        (record,) = pipeline.deliveries.receive()
        assert pipeline.deliveries.invoke([record]) == []
        assert pipeline.deliveries.waits == []
        shown = pipeline.shown(webhook, event)
        assert (shown["status"], shown["reason"]) == ("RETRYING", "http_500")
        assert 80_000 <= pipeline.row["nextAttemptAt"] - pipeline.clock.now <= 120_000
        assert pipeline.row["dueAt"] == pipeline.row["nextAttemptAt"]
        # It takes no room in the queue.
        key = webhook_key("acme", webhook["id"])
        assert (store.waiting(key), store.pending(key)) == (0, 1)

        assert pipeline.sweep() == 0
        due(pipeline)
        pipeline.clock.now -= 1
        assert pipeline.sweep() == 0
        pipeline.clock.now += 1
        assert pipeline.sweep() == 1
        assert pipeline.sweep() == 0
        # The parking message, were it to come back now, is of an older generation.
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
def test_of_two_sweepers_at_once_one_queues_it(pipeline: Pipeline) -> None:
    with receiver([500] * 3 + [200]) as r:
        pipeline.webhook(r.url, **PARKING)
        for _ in range(3):
            pipeline.publish()
        pipeline.deliveries.poll()
        due(pipeline)
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
def test_a_sweeper_that_dies_loses_nothing(pipeline: Pipeline, operation: str, after: bool) -> None:
    with receiver([500] * 3 + [200]) as r:
        pipeline.webhook(r.url, **PARKING)
        for _ in range(3):
            pipeline.publish()
        pipeline.deliveries.poll()
        due(pipeline)
        with killed(operation, after=after):
            pipeline.sweep()
        pipeline.run()
        assert len(r.requests) == 6
    assert pipeline.ends() == [("DELIVERED", None)] * 3


@parking
@pytest.mark.parametrize("lost", [False, True])
def test_a_sweep_that_sqs_fails_is_made_good(pipeline: Pipeline, lost: bool) -> None:
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        due(pipeline)
        with failing("sqs.SendMessageBatch", lost=lost):
            assert pipeline.sweep() == 0
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


@parking
def test_a_sweep_with_too_much_to_do_leaves_nobody_out(pipeline: Pipeline) -> None:
    """Its time is up after a step for each kind and shard, with 80 webhooks to look after."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        due(pipeline)
        for _ in range(80):
            key = webhook_key("acme", WebhookId.new())
            health_store.schedule_sweep(key, pipeline.clock.now, pipeline.clock.now)
        left = chain([60_000] * 3 * len(due_index.SHARDS), repeat(0))
        assert sweeper.sweep(lambda: next(left)) == 1
        pipeline.deliveries.poll()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


@parking
def test_a_fault_in_one_step_of_a_sweep_holds_up_no_other(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        due(pipeline)
        with failing("dynamodb.Query", error=REFUSED):
            assert pipeline.sweep() == 1
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


def test_a_webhook_is_looked_at_in_every_sweep(pipeline: Pipeline) -> None:
    """Also when the one before came to it seconds after it began, and this one does not."""
    key = webhook_key("acme", WebhookId.new())
    health_store.schedule_sweep(key, pipeline.clock.now, pipeline.clock.now)
    pipeline.clock.move(5)
    pipeline.sweep()
    first = health(key).due_at
    pipeline.clock.move(55)
    pipeline.sweep()
    assert health(key).due_at > first > 0


def test_a_retry_is_noted_also_when_sqs_does_not_say_how_full_it_is(pipeline: Pipeline) -> None:
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
def test_a_worker_that_dies_while_parking(pipeline: Pipeline, after: bool) -> None:
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
def test_a_queue_that_is_minutes_behind_still_delivers_what_was_parked(pipeline: Pipeline) -> None:
    """Each message of a sweep is taken up three minutes late; sweeps go on meanwhile."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        due(pipeline)
        started, waiting = pipeline.clock.now, []
        while len(r.requests) < 2 and pipeline.clock.now < started + 3_600_000:
            pipeline.sweep()
            waiting += [(pipeline.clock.now + 180_000, record) for record in pipeline.deliveries.receive()]
            while waiting and waiting[0][0] <= pipeline.clock.now:
                pipeline.deliveries.invoke([waiting.pop(0)[1]])
            pipeline.clock.move(60)
        assert len(r.requests) == 2
        assert pipeline.clock.now - started <= 5 * 60_000
        # … and does not fill the queue with copies meanwhile.
        assert len(waiting) <= 2


@parking
def test_a_parked_delivery_is_not_sent_early_by_a_slow_clock(pipeline: Pipeline) -> None:
    """The sweeper's clock is ahead of the worker's: the delivery is late, and not lost."""
    with receiver([500, 200]) as r:
        pipeline.webhook(r.url, **PARKING)
        pipeline.publish()
        pipeline.deliveries.poll()
        due(pipeline)
        assert pipeline.sweep() == 1
        pipeline.clock.skew = -5000
        pipeline.deliveries.poll()
        assert len(r.requests) == 1
        pipeline.clock.skew = 0
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


# ── answers that are lost ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxVisibilityWaitSeconds=10)
def test_a_parked_retry_whose_taking_was_lost_is_sent_at_once(pipeline: Pipeline) -> None:
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
def test_a_sweep_that_fails_half_way_sends_what_it_has_taken(pipeline: Pipeline) -> None:
    with receiver([500]) as r:
        pipeline.webhook(r.url)
        for _ in range(5):
            pipeline.publish()
        pipeline.deliveries.poll()
        pipeline.clock.move(60)
        with failing("dynamodb.PutItem", at=4):
            pipeline.sweep()
        sent = len(pipeline.deliveries.waits)
        assert 3 <= sent < 5  # all that it took before, if not more
        assert pipeline.sweep() == 5 - sent
        while pipeline.deliveries.poll():
            pass
        assert len(r.requests) == 10
