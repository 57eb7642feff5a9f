"""The fast and the slow lane: who takes which, what a workspace may use of the slow one, and what is written
when two workers have copies of a message.
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
from patchbay.deliveries import states, store, sweeper, worker
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.ids import DeliveryId, EventId, WebhookId, webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import LATELY_MS, MANY_SLOW, Traffic, most_permits
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.catalogued import POST
from tests.conftest import Api, jwt_for
from tests.faults import failing, watched
from tests.integration.conftest import WEBHOOKS, Line, health
from tests.receivers import Answer, Receiver, Request, Step, receiver

SLOW = 0.05
LEASE = 45
ONE_READ_ONE_WRITE = {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt is slow after a twentieth of a second."""
    monkeypatch.setattr(worker, "SLOW_AFTER_SECONDS", SLOW)


def health_of(webhook: Any) -> Health:
    return health(webhook_key("acme", webhook["id"]))


def take_permits(line: Line, workspace: str = "acme") -> list[str]:
    """Take all permits that the workspace has left, as other workers would."""
    taken = []
    while permit := health_store.take_permit(workspace, line.clock.now):
        taken.append(permit)
    return taken


def elsewhere(line: Line, api: Api, url: str, workspace: str = "globex") -> None:
    """Another workspace publishes to an unproved webhook of its own."""
    token = jwt_for(workspace, claims={"exp": line.clock.now // 1000 + 600})
    body = {"name": "test", "url": url, "events": ["POST_PUBLISHED"]}
    assert api("POST /api/integrations/webhooks", token=token, json=body).status == 201
    assert api("POST /api/events", token=token, json={"type": "POST_PUBLISHED", "data": POST}).status == 202
    line.events.run()


@contextmanager
def dripping() -> Iterator[str]:
    """A receiver whose answer begins at once and then comes byte by byte."""
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


# ── who is fair to whom ──────────────────────────────────────────────────────────────────────────────


def test_every_message_is_grouped_by_its_workspace(line: Line) -> None:
    """By publish, the move to the slow lane, the sweeper's release, and a retry by hand."""
    with (
        receiver([Answer(503, {"retry-after": "7200"}), 404]) as r,
        watched("sqs.SendMessageBatch") as batches,
        watched("sqs.SendMessage") as sent,
    ):
        webhook = line.webhook(r.url, is_fast=False)
        event = line.publish()
        line.run()
        id = DeliveryId.derived(EventId(event), webhook["id"])
        assert line.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry").status == 202
    entries = [(call["QueueUrl"], entry) for call in batches for entry in call["Entries"]]
    entries += [(call["QueueUrl"], call) for call in sent]
    assert {entry["MessageGroupId"] for _, entry in entries} == {"acme"}
    urls = [url for url, _ in entries]
    assert {url: urls.count(url) for url in urls} == {
        line.deliveries.url: 2,  # publish, sweeper
        line.slow.url: 2,  # the move, by hand
    }


# ── who takes which lane ─────────────────────────────────────────────────────────────────────────────


def test_a_new_webhook_proves_itself_in_the_slow_lane_once(line: Line) -> None:
    with receiver() as r:
        webhook = line.webhook(r.url, is_fast=False)
        line.publish()
        line.deliveries.poll()
        assert r.requests == []
        line.slow.poll()
        assert len(r.requests) == 1
        assert health_of(webhook).is_fast
        assert line.deliveries.waits == line.slow.waits == []
        line.publish()
        line.backend.calls.clear()
        line.deliveries.poll()
        assert line.backend.calls.count == ONE_READ_ONE_WRITE
        assert len(r.requests) == 2
    assert line.ends() == [("DELIVERED", None)] * 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "answer",
    [Answer(delay=4 * SLOW), Answer(500, delay=4 * SLOW), Answer(404, delay=4 * SLOW)],
    ids=["success", "retry", "failure"],
)
def test_a_webhook_that_takes_long_leaves_the_fast_lane_whatever_it_answers(
    line: Line, answer: Answer
) -> None:
    with receiver([answer, 404]) as r:
        webhook = line.webhook(r.url, retryConfig={"initialDelaySeconds": 3000})
        line.publish()
        line.clock.move(1)
        line.deliveries.poll()
        assert not health_of(webhook).is_fast
        assert (health_of(webhook).slow_at, health_of(webhook).slowdowns) == (line.clock.now, 1)
        # A fast failure does not bring it back.
        line.publish()
        line.deliveries.poll()
        assert len(r.requests) == 1
        line.slow.poll()
        assert len(r.requests) == 2
        assert not health_of(webhook).is_fast


@pytest.mark.usefixtures("impatient")
@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_a_webhook_that_never_answers_leaves_the_fast_lane(line: Line) -> None:
    with receiver([Answer(delay=30)]) as r:
        webhook = line.webhook(r.url)
        line.publish()
        line.clock.move(1)
        line.deliveries.poll()
    assert not health_of(webhook).is_fast


@pytest.mark.usefixtures("impatient")
def test_a_webhook_whose_answer_drips_leaves_the_fast_lane(line: Line) -> None:
    with dripping() as url:
        webhook = line.webhook(url)
        line.publish()
        line.clock.move(1)
        line.deliveries.poll()
    assert line.ends() == [("DELIVERED", None)]
    assert not health_of(webhook).is_fast


def test_a_webhook_is_back_in_the_fast_lane_with_a_fast_answer_after_its_proving_time(line: Line) -> None:
    with receiver() as r:
        webhook = line.webhook(r.url)
        key = webhook_key("acme", webhook["id"])
        for minutes in (1, 2, 4):
            line.clock.move(1)
            health_store.mark_slow(key, health_of(webhook), Traffic(), line.clock.now)
            for seconds, is_fast in ((60 * minutes - 1, False), (2, True)):
                line.clock.move(seconds)
                line.publish()
                line.poll()
                assert health_of(webhook).is_fast is is_fast
        assert len(r.requests) == 6
    assert line.ends() == [("DELIVERED", None)] * 6


def test_a_fast_answer_does_not_undo_a_slow_one_of_another_worker(line: Line) -> None:
    webhook = line.webhook("http://127.0.0.1:9999/", is_fast=False)
    key = webhook_key("acme", webhook["id"])
    health_store.mark_slow(key, Health(), Traffic(), line.clock.now)
    health_store.mark_fast(key, Health(), line.clock.now + 1)  # it has not seen the slow answer
    assert not health_of(webhook).is_fast


@pytest.mark.usefixtures("impatient")
def test_many_slow_webhooks_take_their_workspace_to_the_slow_lane_for_a_while(line: Line) -> None:
    with receiver([Answer(delay=4 * SLOW)]) as slow, receiver() as fast:
        for _ in range(MANY_SLOW):
            line.webhook(slow.url)
        healthy = line.webhook(fast.url)
        line.clock.move(1)
        line.publish()
        line.deliveries.poll()
        assert len(fast.requests) == 1
        for webhook in line.api(f"GET {WEBHOOKS}").json()["items"]:
            if webhook["id"] != healthy["id"]:
                line.api(f"DELETE {WEBHOOKS}/{webhook['id']}")
        line.clock.move(590)
        line.publish()
        line.deliveries.poll()
        assert len(fast.requests) == 1
        line.slow.poll()
        assert len(fast.requests) == 2
        line.clock.move(20)
        line.publish()
        line.backend.calls.clear()
        line.deliveries.poll()
        assert line.backend.calls.count == ONE_READ_ONE_WRITE
        assert len(fast.requests) == 3


def test_a_few_slow_webhooks_leave_the_others_of_their_workspace_in_the_fast_lane(line: Line) -> None:
    with receiver() as r:
        slow = [line.webhook(r.url) for _ in range(MANY_SLOW - 1)]
        line.webhook(r.url)
        for _ in range(2):  # twice slow counts once
            line.clock.move(1)
            for each in slow:
                health_store.mark_slow(
                    webhook_key("acme", each["id"]), Health(fast_at=1), Traffic(), line.clock.now
                )
        line.publish()
        line.deliveries.poll()
        assert len(r.requests) == 1


# ── permits ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_workspace_without_a_permit_is_put_off_then_held_and_delays_no_other(line: Line, api: Api) -> None:
    with receiver() as r, receiver() as other:
        line.webhook(r.url, is_fast=False)
        line.publish()
        line.deliveries.poll()
        taken = take_permits(line)
        assert len(taken) == most_permits(settings().slow_delivery_concurrency) == 5
        elsewhere(line, api, other.url)
        line.deliveries.poll()
        waits = []
        while line.slow.waits:
            line.clock.move(line.slow.waits[0] + 0.001)
            for permit in taken:
                health_store.give_back_permit("acme", permit)
            taken = take_permits(line)
            line.slow.poll()
            waits += line.slow.waits
        assert len(other.requests) == 1
        assert r.requests == []
        for wait, least in zip(waits, (5, 20, 80), strict=True):
            assert least <= wait <= least + 2
        (held,) = (row for row in line.rows if row["webhookKey"].startswith("acme#"))
        assert (held["status"], held["reason"]) == ("HELD", "held:slow")
        for permit in taken:
            health_store.give_back_permit("acme", permit)
        line.run()
        assert len(r.requests) == 1
    assert line.ends() == [("DELIVERED", None)] * 2


def test_without_a_permit_a_crowded_queue_is_not_waited_in(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "in_flight", lambda queue_url: 60_001)
    line.webhook("https://example.com/", is_fast=False)
    line.publish()
    line.deliveries.poll()
    take_permits(line)
    line.slow.poll()
    assert line.slow.waits == []
    assert line.ends() == [("HELD", "held:slow")]


def test_a_permit_is_given_back(line: Line) -> None:
    with receiver() as r:
        line.webhook(r.url, is_fast=False)
        line.publish()
        line.poll()
        assert len(r.requests) == 1
    (row,) = (row for row in line.backend.rows("HealthTable") if row["sk"] == "traffic")
    assert "permits" not in row


def test_the_last_permit_is_ours_though_the_answer_was_lost(line: Line) -> None:
    first, *_ = take_permits(line)
    health_store.give_back_permit("acme", first)
    with failing("dynamodb.UpdateItem", lost=True, tries=1):
        assert health_store.take_permit("acme", line.clock.now) is not None
    assert health_store.take_permit("acme", line.clock.now) is None


def test_webhooks_that_were_slow_long_ago_are_forgotten(line: Line) -> None:
    key, fast = webhook_key("acme", WebhookId.new()), Health(fast_at=1)
    health_store.mark_slow(key, fast, Traffic(), line.clock.now)
    known = health_store.read_traffic(dynamo.get(*health_store.traffic_table_key("acme")))
    line.clock.move(LATELY_MS / 1000)
    health_store.mark_slow(key, fast, known, line.clock.now)
    (entry,) = health_store.read_traffic(dynamo.get(*health_store.traffic_table_key("acme"))).slow
    assert entry.startswith(f"{line.clock.now}#")


def test_the_permits_of_workers_that_died_end_with_their_lease(line: Line) -> None:
    with receiver() as r:
        line.webhook(r.url, is_fast=False)
        line.publish()
        line.deliveries.poll()
        take_permits(line)
        line.clock.move(LEASE - 1)
        line.slow.poll()
        assert r.requests == []
        line.clock.move(8)
        line.slow.poll()
        assert len(r.requests) == 1
        line.publish()
        line.poll()
        assert len(take_permits(line)) == 5


@pytest.mark.parametrize("what", ["ADD permits", "DELETE permits"])
def test_a_permit_that_cannot_be_written_loses_nothing(line: Line, what: str) -> None:
    with receiver() as r:
        for _ in range(2):
            line.webhook(r.url, is_fast=False)
        line.publish()
        line.deliveries.poll()
        with failing("dynamodb.UpdateItem", where=what):
            line.slow.poll()
        assert len(r.requests) == (0 if what == "ADD permits" else 2)
        assert len(line.slow.waits) == 2 - len(r.requests)
        line.run()
        assert len(r.requests) == 2
    assert line.ends() == [("DELIVERED", None)] * 2


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────


def failed_once(line: Line, r: Receiver) -> tuple[Any, str]:
    webhook = line.webhook(r.url)
    event = line.publish()
    line.deliveries.poll()
    assert line.ends() == [("FAILED", "http_404")]
    return webhook, line.shown(webhook, event)["id"]


def test_a_retry_by_hand_takes_the_slow_lane_also_when_others_are_held(line: Line) -> None:
    with receiver([404, 200]) as r:
        webhook, id = failed_once(line, r)
        health_store.set_backlog(webhook_key("acme", webhook["id"]), line.clock.now)
        assert line.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry").status == 202
        assert line.deliveries.waits == []
        line.slow.poll()
        assert len(r.requests) == 2
    assert line.ends() == [("DELIVERED", None)]


def test_retries_by_hand_need_a_permit(line: Line) -> None:
    with receiver([404, 200]) as r:
        webhook, id = failed_once(line, r)
        taken = take_permits(line)
        assert line.api(f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{id}/retry").status == 202
        line.slow.poll()
        assert len(r.requests) == 1
        assert 5 <= line.slow.waits[0] <= 7
        for permit in taken:
            health_store.give_back_permit("acme", permit)
        line.run()
        assert len(r.requests) == 2
    assert line.ends() == [("DELIVERED", None)]


# ── two workers at once ──────────────────────────────────────────────────────────────────────────────


def message(record: dict[str, Any]) -> DeliveryMessage:
    return DeliveryMessage.read(record["body"])


class Other:
    """A worker that has a copy of the same message, and writes the result of its own attempt."""

    def __init__(self, line: Line, copy: DeliveryMessage) -> None:
        self.line, self.copy, self.now = line, copy, line.clock.now
        self.attempt = {
            "number": 1,
            "trigger": "AUTO",
            "startedAt": self.now,
            "durationMs": 1,
            "statusCode": 500,
            "error": None,
            "requestHeaders": {},
            "responseHeaders": {},
            "responseBody": "",
            "truncated": False,
        }

    def sends(self) -> dict[str, Any]:
        row = states.leased(None, self.copy, now=self.now, until=self.now + LEASE * 1000, max_attempts=4)
        store.write(None, row)
        return row

    def delivers(self) -> None:
        row = states.delivered(None, self.copy, self.attempt, counted=False, now=self.now, max_attempts=4)
        assert store.record_delivered([row]) == []

    def fails(self) -> None:
        row = self.sends()
        end = states.ended(row, status=Status.FAILED, reason="http_404", attempted=True, now=self.now)
        store.write(row, end, self.attempt)

    def retries(self, *, parked: bool = False) -> None:
        row, at = self.sends(), self.now + 60_000
        after = states.retrying(
            row, reason="x", at=at, parked=parked, not_registered_since=None, now=self.now
        )
        store.write(row, after, self.attempt)

    def parks(self) -> None:
        self.retries(parked=True)

    def cancels(self) -> None:
        row = self.sends()
        reason = "webhook_deleted"
        end = states.ended(row, status=Status.CANCELLED, reason=reason, attempted=False, now=self.now)
        store.write(row, end)

    def holds(self) -> None:
        health_store.held(webhook_key("acme", self.copy.webhook_id), self.now, self.now)
        most_held = settings().max_hold_seconds * 1000
        terms: dict[str, Any] = {
            "reason": "held:timeouts",
            "now": self.now,
            "max_attempts": 4,
            "most_held_ms": most_held,
        }
        store.write(None, states.held(None, self.copy, **terms))

    def sleeps(self) -> None:
        store.write(
            None, states.asleep(None, self.copy, until=self.now + 60_000, now=self.now, max_attempts=4)
        )


def met(
    line: Line, r: Receiver, does: Callable[[Other], object], script: list[Step]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A new delivery's attempt, in the midst of which another worker does something; the message's record,
    and the row that the other one wrote.
    """
    (record,) = line.deliveries.receive()
    first, written = script[0], dict[str, Any]()

    def answer(_: Request) -> int | Answer:
        does(Other(line, message(record)))
        assert isinstance(first, int)
        written.update(line.row)
        return first

    r._script[:] = [answer, *script[1:]]
    line.deliveries.invoke([record])
    return record, written


@pytest.mark.parametrize(
    "does",
    [
        Other.sends,
        Other.delivers,
        Other.fails,
        Other.retries,
        Other.parks,
        Other.cancels,
        Other.holds,
        Other.sleeps,
    ],
    ids=lambda does: does.__name__,
)
def test_a_success_is_written_over_whatever_another_worker_wrote(
    line: Line, does: Callable[[Other], object]
) -> None:
    with receiver() as r:
        webhook = line.webhook(r.url)
        event = line.publish()
        record, written = met(line, r, does, [200])
        row = line.row
        assert (row["status"], row["attempts"]) == ("DELIVERED", 1)
        # It is in no index, and no attributes of its wait are left.
        assert row.keys().isdisjoint(
            {"statusKey", "dueShard", "dueAt", "nextAttemptAt", "leaseUntil", "heldAt"}
        )
        # The other worker's message comes, and a sweep: nothing is sent again.
        assert line.deliveries.invoke([{**record, "messageId": "other"}]) == []
        if does != Other.delivers:  # and what it would record now is refused
            with pytest.raises(store.DeliveryChanged):
                store.write(written, {**written, "status": "FAILED"})
        line.run()
        assert len(r.requests) == 1
    assert line.shown(webhook, event)["status"] == "DELIVERED"


@pytest.mark.parametrize(("is_fast", "released"), [(True, 3), (False, 2)])
def test_a_sweep_releases_few_deliveries_at_a_time_to_the_slow_lane(
    line: Line, monkeypatch: pytest.MonkeyPatch, is_fast: bool, released: int
) -> None:
    monkeypatch.setattr(sweeper, "_SLOW_AT_ONCE", 2)
    with receiver() as r:
        line.webhook(r.url, is_fast=is_fast)
        for _ in range(3):
            line.publish()
        records = line.deliveries.receive()
        for record in records:
            Other(line, message(record)).holds()
        assert line.deliveries.invoke(records) == []
        line.clock.move(1)
        assert line.sweep() == released
        line.run()
        assert len(r.requests) == 3
    assert line.ends() == [("DELIVERED", None)] * 3


@pytest.mark.parametrize(
    ("does", "status", "requests"),
    [
        (Other.sends, "SENDING", 2),  # the other worker dies during its attempt
        (Other.delivers, "DELIVERED", 1),
        (Other.fails, "FAILED", 1),
        (Other.retries, "RETRYING", 2),
        (Other.parks, "RETRYING", 2),
        (Other.cancels, "CANCELLED", 1),
        (Other.holds, "HELD", 2),
        (Other.sleeps, "PENDING", 2),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_a_failure_is_not_written_over_what_another_worker_wrote(
    line: Line, does: Callable[[Other], object], status: str, requests: int
) -> None:
    with receiver() as r:
        line.webhook(r.url)
        line.publish()
        met(line, r, does, [500, 200])
        # The message comes again only if another worker's end is still open.
        assert bool(line.deliveries.waits) is (does in (Other.sends, Other.retries, Other.sleeps))
        assert line.row["status"] == status
        assert line.row.get("reason") != "http_500"
        line.run()
        assert len(r.requests) == requests
    assert line.row["status"] == ("DELIVERED" if requests == 2 else status)


def test_of_a_success_and_a_failure_at_once_the_success_stays(line: Line) -> None:
    """Both orders: the failure is recorded first, or finds the success."""
    with receiver() as r:
        line.webhook(r.url, disableAfter=5)
        line.publish()
        met(line, r, Other.fails, [200])
        line.publish()
        met(line, r, Other.delivers, [404])
    assert line.ends() == [("DELIVERED", None)] * 2


@pytest.mark.usefixtures("impatient")
def test_an_attempt_that_takes_long_is_claimed_meanwhile(line: Line) -> None:
    """So that a copy of its message waits."""
    seen: list[Any] = []

    def answer(_: Request) -> int:
        ends = time.monotonic() + 20
        while not line.rows and time.monotonic() < ends:
            time.sleep(0.01)
        seen.append(line.row)
        with pytest.raises(store.DeliveryChanged):
            Other(line, message(record)).sends()
        return 200

    with receiver([answer]) as r:
        line.webhook(r.url)
        line.publish()
        (record,) = line.deliveries.receive()
        assert line.deliveries.invoke([record]) == []
        assert len(r.requests) == 1
    ((status, lease),) = ((row["status"], row["leaseUntil"]) for row in seen)
    assert (status, lease) == ("SENDING", line.clock.now + LEASE * 1000)
    assert line.ends() == [("DELIVERED", None)]
    assert line.row["attempts"] == 1


# ── records ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_success_is_recorded_soon_although_another_attempt_hangs(line: Line) -> None:
    recorded: list[float] = []

    def hangs(_: Request) -> int:
        started = time.monotonic()
        while not line.rows and time.monotonic() - started < 20:
            time.sleep(0.01)
        recorded.append(time.monotonic() - started)
        return 200

    with receiver() as fast, receiver([hangs]) as slow:
        quick = line.webhook(fast.url)
        line.webhook(slow.url)
        line.publish()
        line.deliveries.poll()
        assert len(fast.requests) == len(slow.requests) == 1
    assert recorded[0] < 15  # of a second or less; the machine may be busy
    assert line.ends() == [("DELIVERED", None)] * 2
    first = min(line.rows, key=lambda row: row["webhookKey"] != webhook_key("acme", quick["id"]))
    assert first["status"] == "DELIVERED"


def test_the_row_of_a_first_success(line: Line) -> None:
    """It has what the roll-up reads, and no attribute that is never read."""
    with receiver([Answer(200, {"x-a": "1"}, b"thanks")]) as r:
        webhook = line.webhook(r.url)
        event = line.publish()
        line.deliveries.poll()
        (request,) = r.requests
    row, now = line.row, line.clock.now
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
def test_what_the_roll_up_does_not_find_is_counted_and_says_so(line: Line, answers: list[Step]) -> None:
    with receiver(answers) as r:
        webhook = line.webhook(r.url)
        line.publish()
        if len(answers) == 1:
            line.clock.move(2 * 3600)
        line.run()
        assert len(r.requests) == len(answers)
    assert line.row["counted"] is True
    hours = [row for row in line.backend.rows("HealthTable") if row["sk"].startswith("hour#")]
    assert {row["webhookKey"] for row in hours} == {webhook_key("acme", webhook["id"])}
    assert sum(row.get("delivered", 0) for row in hours) == 1


def test_a_delivery_of_which_another_worker_knows_more_is_numbered_by_its_claim(line: Line) -> None:
    """A copy failed, and its retry is due when this earlier attempt fails too."""

    def failed(other: Other) -> None:
        other.retries()
        line.clock.move(61)

    with receiver() as r:
        webhook = line.webhook(r.url)
        event = line.publish()
        met(line, r, failed, [503, 200])
        line.run()
    assert [each["number"] for each in line.shown(webhook, event)["attempts"]] == [1, 2, 3]
    assert store.get("acme", WebhookId(webhook["id"]), DeliveryId(line.row["sk"])) is not None
