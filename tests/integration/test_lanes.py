"""The fast and the slow lane: which webhook uses which, the permits of a workspace, and the records of two
workers that have copies of a message.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks.units import item_bytes
from patchbay import queues
from patchbay.deliveries import requeue, states, store, worker
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.ids import DeliveryId, EventId, WebhookId, webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import RECENT_MS, SLOW_WORKSPACE_THRESHOLD, Traffic, max_permits
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.catalogued import POST
from tests.conftest import Api, jwt_for
from tests.faults import failing, watched
from tests.integration.conftest import WEBHOOKS, Pipeline, health
from tests.receivers import Answer, Receiver, Request, Step, receiver
from tests.stored_attempts import stored_attempt

SLOW = 0.05
LEASE = 45
ONE_READ_ONE_WRITE = {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}


@pytest.fixture
def slow_after_50_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat an attempt as slow after 50 ms."""
    monkeypatch.setattr(worker, "SLOW_AFTER_SECONDS", SLOW)


def health_of(webhook: Any) -> Health:
    return health(webhook_key("acme", webhook["id"]))


def take_permits(pipeline: Pipeline, workspace: str = "acme") -> list[str]:
    """Take all remaining permits of the workspace, as other workers do."""
    permits = []
    while permit := health_store.acquire_permit(workspace, pipeline.clock.now):
        permits.append(permit)
    return permits


def publish_elsewhere(pipeline: Pipeline, api: Api, url: str, workspace: str = "globex") -> None:
    """Publish in another workspace, to a webhook that has not proved fast."""
    token = jwt_for(workspace, claims={"exp": pipeline.clock.now // 1000 + 600})
    body = {"name": "test", "url": url, "eventTypes": ["POST_PUBLISHED"]}
    assert api("POST /api/integrations/webhooks", token=token, json=body).status == 201
    assert api("POST /api/events", token=token, json={"type": "POST_PUBLISHED", "data": POST}).status == 202
    pipeline.events.run()


@contextmanager
def dripping_receiver() -> Iterator[str]:
    """A receiver whose response starts immediately and then arrives byte by byte."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n")
                    for _ in range(8):
                        time.sleep(SLOW / 2)
                        connection.sendall(b"x")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


# ── fair queues ──────────────────────────────────────────────────────────────────────────────────────


def test_messages_are_grouped_by_workspace(pipeline: Pipeline) -> None:
    """The messages come from a publish, a move to the slow lane, the sweeper, and a retry by hand."""
    with (
        receiver([Answer(503, {"retry-after": "7200"}), 404]) as r,
        watched("sqs.SendMessageBatch") as batches,
        watched("sqs.SendMessage") as sent,
    ):
        webhook = pipeline.webhook(r.url, is_fast=False)
        event = pipeline.publish()
        pipeline.run()
        id = DeliveryId.derived(EventId(event), webhook["id"])
        assert pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry").status == 202
    entries = [(call["QueueUrl"], entry) for call in batches for entry in call["Entries"]]
    entries += [(call["QueueUrl"], call) for call in sent]
    assert {entry["MessageGroupId"] for _, entry in entries} == {"acme"}
    urls = [url for url, _ in entries]
    assert {url: urls.count(url) for url in urls} == {
        pipeline.deliveries.url: 2,  # publish, sweeper
        pipeline.slow.url: 2,  # the move, the retry by hand
        settings().events_queue_url: 1,  # the announced failure
    }


# ── lanes ────────────────────────────────────────────────────────────────────────────────────────────


def test_new_webhook_proves_fast_in_slow_lane_once(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        pipeline.deliveries.poll()
        assert r.requests == []
        pipeline.slow.poll()
        assert len(r.requests) == 1
        assert health_of(webhook).is_fast
        assert pipeline.deliveries.waits == pipeline.slow.waits == []
        pipeline.publish()
        pipeline.backend.calls.clear()
        pipeline.deliveries.poll()
        assert pipeline.backend.calls.count == ONE_READ_ONE_WRITE
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)] * 2


@pytest.mark.usefixtures("slow_after_50_ms")
@pytest.mark.parametrize(
    "answer",
    [Answer(delay=4 * SLOW), Answer(500, delay=4 * SLOW), Answer(404, delay=4 * SLOW)],
    ids=["success", "retry", "failure"],
)
def test_slow_response_moves_webhook_to_slow_lane(pipeline: Pipeline, answer: Answer) -> None:
    with receiver([answer, 404]) as r:
        webhook = pipeline.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        pipeline.publish()
        pipeline.clock.move(1)
        pipeline.deliveries.poll()
        assert not health_of(webhook).is_fast
        assert (health_of(webhook).slow_at, health_of(webhook).slowdowns) == (pipeline.clock.now, 1)
        # A fast failure does not move it back.
        pipeline.publish()
        pipeline.deliveries.poll()
        assert len(r.requests) == 1
        pipeline.slow.poll()
        assert len(r.requests) == 2
        assert not health_of(webhook).is_fast


@pytest.mark.usefixtures("slow_after_50_ms")
@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_timeout_moves_webhook_to_slow_lane(pipeline: Pipeline) -> None:
    with receiver([Answer(delay=30)]) as r:
        webhook = pipeline.webhook(r.url)
        pipeline.publish()
        pipeline.clock.move(1)
        pipeline.deliveries.poll()
    assert not health_of(webhook).is_fast


@pytest.mark.usefixtures("slow_after_50_ms")
def test_dripping_response_moves_webhook_to_slow_lane(pipeline: Pipeline) -> None:
    with dripping_receiver() as url:
        webhook = pipeline.webhook(url)
        pipeline.publish()
        pipeline.clock.move(1)
        pipeline.deliveries.poll()
    assert pipeline.ends() == [("DELIVERED", None)]
    assert not health_of(webhook).is_fast


def test_fast_response_after_proving_time_moves_webhook_to_fast_lane(
    pipeline: Pipeline,
) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        key = webhook_key("acme", webhook["id"])
        for minutes in (1, 2, 4):
            pipeline.clock.move(1)
            health_store.mark_slow(key, health_of(webhook), Traffic(), pipeline.clock.now)
            for seconds, is_fast in ((60 * minutes - 1, False), (2, True)):
                pipeline.clock.move(seconds)
                pipeline.publish()
                pipeline.poll()
                assert health_of(webhook).is_fast is is_fast
        assert len(r.requests) == 6
    assert pipeline.ends() == [("DELIVERED", None)] * 6


def test_fast_response_does_not_override_later_slow_one(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:9999/", is_fast=False)
    key = webhook_key("acme", webhook["id"])
    health_store.mark_slow(key, Health(), Traffic(), pipeline.clock.now)
    health_store.mark_fast(key, Health(), pipeline.clock.now + 1)  # read before the slow response
    assert not health_of(webhook).is_fast


@pytest.mark.usefixtures("slow_after_50_ms")
def test_many_slow_webhooks_move_workspace_to_slow_lane(pipeline: Pipeline) -> None:
    with receiver([Answer(delay=4 * SLOW)]) as slow, receiver() as fast:
        for _ in range(SLOW_WORKSPACE_THRESHOLD):
            pipeline.webhook(slow.url)
        healthy = pipeline.webhook(fast.url)
        pipeline.clock.move(1)
        pipeline.publish()
        pipeline.deliveries.poll()
        assert len(fast.requests) == 1
        for webhook in pipeline.api(f"GET {WEBHOOKS}").json()["items"]:
            if webhook["id"] != healthy["id"]:
                pipeline.api(f"DELETE {WEBHOOKS}/{webhook['id']}")
        pipeline.clock.move(590)
        pipeline.publish()
        pipeline.deliveries.poll()
        assert len(fast.requests) == 1
        pipeline.slow.poll()
        assert len(fast.requests) == 2
        pipeline.clock.move(20)
        pipeline.publish()
        pipeline.backend.calls.clear()
        pipeline.deliveries.poll()
        assert pipeline.backend.calls.count == ONE_READ_ONE_WRITE
        assert len(fast.requests) == 3


def test_few_slow_webhooks_do_not_move_workspace(pipeline: Pipeline) -> None:
    with receiver() as r:
        slow = [pipeline.webhook(r.url) for _ in range(SLOW_WORKSPACE_THRESHOLD - 1)]
        pipeline.webhook(r.url)
        for _ in range(2):  # two slow responses count once
            pipeline.clock.move(1)
            for webhook in slow:
                health_store.mark_slow(
                    webhook_key("acme", webhook["id"]), Health(fast_at=1), Traffic(), pipeline.clock.now
                )
        pipeline.publish()
        pipeline.deliveries.poll()
        assert len(r.requests) == 1


# ── permits ──────────────────────────────────────────────────────────────────────────────────────────


def test_workspace_without_permit_is_deferred_then_held(pipeline: Pipeline, api: Api) -> None:
    with receiver() as r, receiver() as other:
        pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        pipeline.deliveries.poll()
        taken = take_permits(pipeline)
        assert len(taken) == max_permits(settings().slow_delivery_concurrency) == 5
        publish_elsewhere(pipeline, api, other.url)
        pipeline.deliveries.poll()
        waits = []
        while pipeline.slow.waits:
            pipeline.clock.move(pipeline.slow.waits[0] + 0.001)
            for permit in taken:
                health_store.release_permit("acme", permit)
            taken = take_permits(pipeline)
            pipeline.slow.poll()
            waits += pipeline.slow.waits
        assert len(other.requests) == 1
        assert r.requests == []
        for wait, least in zip(waits, (5, 20, 80), strict=True):
            assert least <= wait <= least + 2
        (held,) = (row for row in pipeline.rows if row["webhookKey"].startswith("acme#"))
        assert (held["status"], held["reason"]) == ("HELD", "held:slow")
        for permit in taken:
            health_store.release_permit("acme", permit)
        pipeline.run()
        assert len(r.requests) == 1
    assert pipeline.ends() == [("DELIVERED", None)] * 2


def test_deferred_delivery_is_held_when_queue_has_many_in_flight(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "in_flight", lambda queue_url: 60_001)
    pipeline.webhook("https://example.com/", is_fast=False)
    pipeline.publish()
    pipeline.deliveries.poll()
    take_permits(pipeline)
    pipeline.slow.poll()
    assert pipeline.slow.waits == []
    assert pipeline.ends() == [("HELD", "held:slow")]


def test_permit_is_returned(pipeline: Pipeline) -> None:
    with receiver() as r:
        pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        pipeline.poll()
        assert len(r.requests) == 1
    (row,) = (row for row in pipeline.backend.rows("HealthTable") if row["sk"] == "traffic")
    assert "permits" not in row


def test_last_permit_is_taken_despite_lost_response(pipeline: Pipeline) -> None:
    first, *_ = take_permits(pipeline)
    health_store.release_permit("acme", first)
    with failing("dynamodb.UpdateItem", lost=True, tries=1):
        assert health_store.acquire_permit("acme", pipeline.clock.now) is not None
    assert health_store.acquire_permit("acme", pipeline.clock.now) is None


def test_old_slow_webhooks_are_removed(pipeline: Pipeline) -> None:
    key, fast = webhook_key("acme", WebhookId.new()), Health(fast_at=1)
    health_store.mark_slow(key, fast, Traffic(), pipeline.clock.now)
    traffic = health_store.traffic_from_row(dynamo.get(*health_store.traffic_table_key("acme")))
    pipeline.clock.move(RECENT_MS / 1000)
    health_store.mark_slow(key, fast, traffic, pipeline.clock.now)
    (entry,) = health_store.traffic_from_row(dynamo.get(*health_store.traffic_table_key("acme"))).slow
    assert entry.startswith(f"{pipeline.clock.now}#")


def test_permits_of_dead_workers_expire(pipeline: Pipeline) -> None:
    with receiver() as r:
        pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        pipeline.deliveries.poll()
        take_permits(pipeline)
        pipeline.clock.move(LEASE - 1)
        pipeline.slow.poll()
        assert r.requests == []
        pipeline.clock.move(8)
        pipeline.slow.poll()
        assert len(r.requests) == 1
        pipeline.publish()
        pipeline.poll()
        assert len(take_permits(pipeline)) == 5


@pytest.mark.parametrize("expression", ["ADD permits", "DELETE permits"])
def test_failed_permit_write_loses_nothing(pipeline: Pipeline, expression: str) -> None:
    with receiver() as r:
        for _ in range(2):
            pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        pipeline.deliveries.poll()
        with failing("dynamodb.UpdateItem", where=expression):
            pipeline.slow.poll()
        assert len(r.requests) == (0 if expression == "ADD permits" else 2)
        assert len(pipeline.slow.waits) == 2 - len(r.requests)
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)] * 2


# ── retries by hand ──────────────────────────────────────────────────────────────────────────────────


def failed_once(pipeline: Pipeline, r: Receiver) -> tuple[Any, str]:
    """A webhook, and the ID of its delivery that has failed."""
    webhook = pipeline.webhook(r.url)
    event = pipeline.publish()
    pipeline.deliveries.poll()
    assert pipeline.ends() == [("FAILED", "http_404")]
    return webhook, pipeline.shown(webhook, event)["id"]


def test_retry_by_hand_skips_hold_in_slow_lane(pipeline: Pipeline) -> None:
    with receiver([404, 200]) as r:
        webhook, id = failed_once(pipeline, r)
        health_store.set_backlog(webhook_key("acme", webhook["id"]), pipeline.clock.now)
        assert pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry").status == 202
        assert pipeline.deliveries.waits == []
        pipeline.slow.poll()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


def test_retry_by_hand_needs_permit(pipeline: Pipeline) -> None:
    with receiver([404, 200]) as r:
        webhook, id = failed_once(pipeline, r)
        taken = take_permits(pipeline)
        assert pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry").status == 202
        pipeline.slow.poll()
        assert len(r.requests) == 1
        assert 5 <= pipeline.slow.waits[0] <= 7
        for permit in taken:
            health_store.release_permit("acme", permit)
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)]


# ── concurrent workers ───────────────────────────────────────────────────────────────────────────────


def message(record: dict[str, Any]) -> DeliveryMessage:
    return DeliveryMessage.read(record["body"])


class OtherWorker:
    """A worker that has a copy of the same message, and records the result of its own attempt."""

    def __init__(self, pipeline: Pipeline, copy: DeliveryMessage) -> None:
        self.pipeline, self.copy, self.now = pipeline, copy, pipeline.clock.now
        self.attempt = stored_attempt(self.now)

    def claim(self) -> StoredDelivery:
        until = self.now + LEASE * 1000
        lease = states.claimed(None, self.copy, now=self.now, until=until, max_attempts=4)
        store.write(None, lease)
        return lease

    def deliver(self) -> None:
        delivered = states.delivered(
            None, self.copy, self.attempt, counted=False, now=self.now, max_attempts=4
        )
        assert store.record_delivered([delivered]) == []

    def fail(self) -> None:
        lease = self.claim()
        end = states.ended(lease, status=Status.FAILED, reason="http_404", attempted=True, now=self.now)
        store.write(lease, end, self.attempt)

    def retry(self, *, is_parked: bool = False) -> None:
        lease, at = self.claim(), self.now + 60_000
        after = states.retrying(
            lease, reason="x", at=at, is_parked=is_parked, not_registered_since=None, now=self.now
        )
        store.write(lease, after, self.attempt)

    def park(self) -> None:
        self.retry(is_parked=True)

    def cancel(self) -> None:
        lease = self.claim()
        reason = "webhook_deleted"
        end = states.ended(lease, status=Status.CANCELLED, reason=reason, attempted=False, now=self.now)
        store.write(lease, end)

    def hold(self) -> None:
        health_store.schedule_sweep(webhook_key("acme", self.copy.webhook_id), self.now, self.now)
        held = states.held(
            None,
            self.copy,
            reason="held:timeouts",
            now=self.now,
            max_attempts=4,
            max_hold_ms=settings().max_hold_seconds * 1000,
        )
        store.write(None, held)

    def wait_for_slot(self) -> None:
        until = self.now + 60_000
        store.write(None, states.waiting_for_slot(None, self.copy, until=until, now=self.now, max_attempts=4))


def deliver_while(
    pipeline: Pipeline, r: Receiver, act: Callable[[OtherWorker], object], script: list[Step]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attempt a new delivery, and let another worker act before the receiver answers. Returns the SQS record
    and the row that the other worker wrote.
    """
    (record,) = pipeline.deliveries.receive()
    first, written = script[0], dict[str, Any]()

    def answer(_: Request) -> int | Answer:
        act(OtherWorker(pipeline, message(record)))
        assert isinstance(first, int)
        written.update(pipeline.row)
        return first

    r._script[:] = [answer, *script[1:]]
    pipeline.deliveries.invoke([record])
    return record, written


@pytest.mark.parametrize(
    "act",
    [
        OtherWorker.claim,
        OtherWorker.deliver,
        OtherWorker.fail,
        OtherWorker.retry,
        OtherWorker.park,
        OtherWorker.cancel,
        OtherWorker.hold,
        OtherWorker.wait_for_slot,
    ],
    ids=lambda act: act.__name__,
)
def test_success_overwrites_record_of_another_worker(
    pipeline: Pipeline, act: Callable[[OtherWorker], object]
) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        record, written = deliver_while(pipeline, r, act, [200])
        row = pipeline.row
        assert (row["status"], row["attempts"]) == ("DELIVERED", 1)
        # The row is in no index, and has no attributes of a waiting delivery.
        assert row.keys().isdisjoint(
            {"statusKey", "dueShard", "dueAt", "nextAttemptAt", "leaseUntil", "heldAt"}
        )
        # The other worker's message arrives, and a sweep runs: nothing is sent again.
        assert pipeline.deliveries.invoke([{**record, "messageId": "other"}]) == []
        if act != OtherWorker.deliver:  # and the other worker's next record is refused
            before = StoredDelivery.from_row(written)
            with pytest.raises(store.DeliveryChanged):
                store.write(before, before._replace(status=Status.FAILED))
        pipeline.run()
        assert len(r.requests) == 1
    assert pipeline.shown(webhook, event)["status"] == "DELIVERED"


@pytest.mark.parametrize(("is_fast", "released"), [(True, 3), (False, 2)])
def test_sweep_releases_few_deliveries_to_slow_lane(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, is_fast: bool, released: int
) -> None:
    monkeypatch.setattr(requeue, "_MAX_QUEUED_SLOW", 2)
    with receiver() as r:
        pipeline.webhook(r.url, is_fast=is_fast)
        for _ in range(3):
            pipeline.publish()
        records = pipeline.deliveries.receive()
        for record in records:
            OtherWorker(pipeline, message(record)).hold()
        assert pipeline.deliveries.invoke(records) == []
        pipeline.clock.move(1)
        assert pipeline.sweep() == released
        pipeline.run()
        assert len(r.requests) == 3
    assert pipeline.ends() == [("DELIVERED", None)] * 3


@pytest.mark.parametrize(
    ("act", "status", "requests"),
    [
        (OtherWorker.claim, "SENDING", 2),  # the other worker dies during its attempt
        (OtherWorker.deliver, "DELIVERED", 1),
        (OtherWorker.fail, "FAILED", 1),
        (OtherWorker.retry, "RETRYING", 2),
        (OtherWorker.park, "RETRYING", 2),
        (OtherWorker.cancel, "CANCELLED", 1),
        (OtherWorker.hold, "HELD", 2),
        (OtherWorker.wait_for_slot, "PENDING", 2),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_failure_does_not_overwrite_record_of_another_worker(
    pipeline: Pipeline, act: Callable[[OtherWorker], object], status: str, requests: int
) -> None:
    with receiver() as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        deliver_while(pipeline, r, act, [500, 200])
        # The message is redelivered only if the other worker's attempt has no final result yet.
        assert bool(pipeline.deliveries.waits) is (
            act in (OtherWorker.claim, OtherWorker.retry, OtherWorker.wait_for_slot)
        )
        assert pipeline.row["status"] == status
        assert pipeline.row.get("reason") != "http_500"
        pipeline.run()
        assert len(r.requests) == requests
    assert pipeline.row["status"] == ("DELIVERED" if requests == 2 else status)


def test_success_wins_over_concurrent_failure(pipeline: Pipeline) -> None:
    """Either the failure is recorded first, or the success already exists."""
    with receiver() as r:
        pipeline.webhook(r.url, disableAfter=5)
        pipeline.publish()
        deliver_while(pipeline, r, OtherWorker.fail, [200])
        pipeline.publish()
        deliver_while(pipeline, r, OtherWorker.deliver, [404])
    assert pipeline.ends() == [("DELIVERED", None)] * 2


@pytest.mark.usefixtures("slow_after_50_ms")
def test_slow_attempt_is_claimed(pipeline: Pipeline) -> None:
    """The claim makes any copy of the message wait."""
    rows: list[Any] = []

    def answer(_: Request) -> int:
        ends = time.monotonic() + 20
        while not pipeline.rows and time.monotonic() < ends:
            time.sleep(0.01)
        rows.append(pipeline.row)
        with pytest.raises(store.DeliveryChanged):
            OtherWorker(pipeline, message(record)).claim()
        return 200

    with receiver([answer]) as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        (record,) = pipeline.deliveries.receive()
        assert pipeline.deliveries.invoke([record]) == []
        assert len(r.requests) == 1
    ((status, lease),) = ((row["status"], row["leaseUntil"]) for row in rows)
    assert (status, lease) == ("SENDING", pipeline.clock.now + LEASE * 1000)
    assert pipeline.ends() == [("DELIVERED", None)]
    assert pipeline.row["attempts"] == 1


# ── records ──────────────────────────────────────────────────────────────────────────────────────────


def test_success_is_recorded_while_another_attempt_hangs(pipeline: Pipeline) -> None:
    recorded: list[float] = []

    def hangs(_: Request) -> int:
        started = time.monotonic()
        while not pipeline.rows and time.monotonic() - started < 20:
            time.sleep(0.01)
        recorded.append(time.monotonic() - started)
        return 200

    with receiver() as fast, receiver([hangs]) as slow:
        quick = pipeline.webhook(fast.url)
        pipeline.webhook(slow.url)
        pipeline.publish()
        pipeline.deliveries.poll()
        assert len(fast.requests) == len(slow.requests) == 1
    assert recorded[0] < 15  # usually below one second, but the machine may be busy
    assert pipeline.ends() == [("DELIVERED", None)] * 2
    first = min(pipeline.rows, key=lambda row: row["webhookKey"] != webhook_key("acme", quick["id"]))
    assert first["status"] == "DELIVERED"


def test_row_of_first_success(pipeline: Pipeline) -> None:
    """The row has the attributes that the roll-up reads, and none that is never read."""
    with receiver([Answer(200, {"x-a": "1"}, b"thanks")]) as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        pipeline.deliveries.poll()
        (request,) = r.requests
    row, now = pipeline.row, pipeline.clock.now
    success = row.pop("success")
    assert row == {
        "webhookKey": webhook_key("acme", webhook["id"]),
        "sk": request.headers["webhook-id"],
        "status": "DELIVERED",
        "eventId": event,
        "eventType": "POST_PUBLISHED",
        "generation": 0,
        "attempts": 1,
        "maxAttempts": 4,
        "createdAt": now,
        "updatedAt": now,
        "deliveredAt": now,
        "version": 1,
        "ttl": now // 1000 + settings().retention_days * 86_400,
    }
    assert success.keys() == {
        "number",
        "trigger",
        "startedAt",
        "durationMs",
        "statusCode",
        "error",
        "requestHeaders",
        "responseHeaders",
        "responseBody",
        "truncated",
    }
    assert (success["responseBody"], success["truncated"]) == ("thanks", False)
    assert item_bytes(dynamo.pack_row({**row, "success": success})) <= 1024


@pytest.mark.parametrize("answers", [[200], [500, 200]], ids=["late", "retried"])
def test_success_outside_roll_up_is_counted_and_marked(pipeline: Pipeline, answers: list[Step]) -> None:
    with receiver(answers) as r:
        webhook = pipeline.webhook(r.url)
        pipeline.publish()
        if len(answers) == 1:
            pipeline.clock.move(2 * 3600)
        pipeline.run()
        assert len(r.requests) == len(answers)
    assert pipeline.row["counted"] is True
    hours = [row for row in pipeline.backend.rows("HealthTable") if row["sk"].startswith("hour#")]
    assert {row["webhookKey"] for row in hours} == {webhook_key("acme", webhook["id"])}
    assert sum(row.get("delivered", 0) for row in hours) == 1


def test_attempt_is_numbered_by_its_claim(pipeline: Pipeline) -> None:
    """A copy has failed, and its retry is already due when this earlier attempt also fails."""

    def failed(other: OtherWorker) -> None:
        other.retry()
        pipeline.clock.move(61)

    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = pipeline.publish()
        deliver_while(pipeline, r, failed, [503, 200])
        pipeline.run()
    assert [attempt["number"] for attempt in pipeline.shown(webhook, event)["attempts"]] == [1, 2, 3]
    assert store.get("acme", WebhookId(webhook["id"]), DeliveryId(pipeline.row["sk"])) is not None
