"""The schedule that announces the expiry of API keys and retires them, once each, despite crashes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from patchbay.api_keys import guard, service, store
from patchbay.api_keys.models import ApiKeyWithSecret, CreateApiKey, KeyStatus, RotateApiKey, UpdateApiKey
from patchbay.api_keys.stored_key import StoredKey, Terms
from patchbay.api_model import ListQuery
from patchbay.clock import from_ms, iso
from patchbay.errors import RateLimited
from patchbay.ids import ApiKeyId, EventId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.due_index import IncompleteRun
from tests.api_keys import ADA, DAY, HOUR, MINUTE, key_count, use_test_clock, use_weak_hashes
from tests.catalogued import assert_catalogued
from tests.conftest import LAMBDA_CONTEXT, Api, Backend
from tests.faults import REFUSED, Clock, Source, failing, killed, meanwhile, watched
from workers.expire_keys import handler


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    use_weak_hashes(monkeypatch)
    return use_test_clock(monkeypatch)


class Schedule:
    """Runs the worker and receives its events from the queue."""

    def __init__(self, backend: Backend, clock: Clock) -> None:
        self._backend, self.clock = backend, clock

    def run(self, context: Any = LAMBDA_CONTEXT) -> dict[str, int]:
        result = handler({}, context)
        return {name: result[name] for name in ("announced", "retired")}

    def receive(self) -> list[dict[str, Any]]:
        """The events since the last call, in any order."""
        sqs, url = self._backend.client("sqs"), self._backend.queue_url("EventsQueue")
        records = self._backend.messages("EventsQueue")
        for record in records:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
        return [json.loads(record["body"]) for record in records]

    def announced(self) -> list[tuple[str, int]]:
        """The keys announced since the last call, with the days left, sorted."""
        return sorted((event["data"]["keyId"], event["data"]["daysLeft"]) for event in self.receive())

    def run_for(self, days: float, interval_hours: int = 1) -> list[tuple[int, dict[str, Any]]]:
        """Run at an interval for some days. Returns the events and their times."""
        events, end = [], self.clock.now + round(days * DAY)
        while self.clock.now + interval_hours * HOUR <= end:
            self.clock.move(interval_hours * 3600)
            if self.run()["announced"]:
                events += [(self.clock.now, event) for event in self.receive()]
        self.clock.now = end
        return events


@pytest.fixture
def schedule(backend: Backend, clock: Clock) -> Schedule:
    return Schedule(backend, clock)


def ahead(clock: Clock, days: float = 0, hours: float = 0) -> str:
    """The time this far after the true time, in the API's format."""
    return iso(from_ms(clock.now + round(days * DAY + hours * HOUR)))


def mint(expires: str | None, **changes: Any) -> ApiKeyWithSecret:
    body = {"name": "CI", "scopes": ["events:publish"], "expiresAt": expires} | changes
    return service.create(ADA, CreateApiKey.model_validate_json(json.dumps(body)))


def update(key: ApiKeyWithSecret, **changes: Any) -> Any:
    return service.update(ADA, key.id, UpdateApiKey.model_validate_json(json.dumps(changes)))


def processes(clock: Clock) -> list[guard.Guard]:
    """Processes whose clocks are correct, 5 minutes slow, and 3 days slow."""
    return [
        guard.Guard(lambda: clock.now),
        guard.Guard(lambda: clock.now - 5 * MINUTE),
        guard.Guard(lambda: clock.now - 3 * DAY),
    ]


def row(key: Any) -> dict[str, Any]:
    row = dynamo.get(settings().api_keys_table, {"id": key.id})
    assert row is not None
    return row


def notices(events: list[tuple[int, dict[str, Any]]]) -> list[tuple[str, int]]:
    """The announced keys, with the days left, in the order of the events."""
    return [(event["data"]["keyId"], event["data"]["daysLeft"]) for _, event in events]


# ── notices ──────────────────────────────────────────────────────────────────────────────────────────


def test_hourly_schedule_announces_expiry_once_7_days_and_1_day_before(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    key, other = mint(ahead(clock, days=9, hours=0.5)), mint(None)
    end = clock.now + 9 * DAY + HOUR // 2
    events = schedule.run_for(days=10)
    assert notices(events) == [(key.id, 7), (key.id, 1)]
    for at, event in events:
        due = end - event["data"]["daysLeft"] * DAY
        assert event["timestamp"] == due
        assert due <= at < due + HOUR
    assert service.get(ADA, key.id).status is KeyStatus.EXPIRED
    assert service.get(ADA, other.id).status is KeyStatus.ACTIVE
    assert key_count(backend) == 1


def test_announcement_identifies_the_key_without_its_secret(schedule: Schedule, clock: Clock) -> None:
    key = mint(ahead(clock, days=7, hours=1), name="Newsroom")
    clock.move(3600)
    before = row(key)
    assert schedule.run() == {"announced": 1, "retired": 0}
    (event,) = schedule.receive()
    assert event == {
        "id": event["id"],
        "workspace_id": "acme",
        "type": "API_KEY_EXPIRING",
        "timestamp": clock.now,
        "data": {
            "keyId": key.id,
            "name": "Newsroom",
            "maskedKey": key.masked_key,
            "expiresAt": ahead(clock, days=7),
            "daysLeft": 7,
        },
        "source": "patchbay",
        "correlation_id": event["correlation_id"],
    }
    assert_catalogued(event["type"], event["data"])
    assert EventId.parse(event["id"]).time_ms == clock.now
    text = json.dumps(event)
    for secret in (key.key, key.key.split("_")[3], before["sh"]):
        assert secret not in text
    assert key.key.startswith(key.masked_key.rstrip("…"))
    assert row(key) == before | {"d": clock.now + 6 * DAY}, "the next due time is recorded, and nothing else"


def test_key_created_within_a_notice_period_skips_that_notice(schedule: Schedule, clock: Clock) -> None:
    week, three, hours = (mint(ahead(clock, days=days)) for days in (7, 3, 0.5))
    events = schedule.run_for(days=8)
    assert notices(events) == [
        (three.id, 1),
        (week.id, 1),
    ]
    assert service.get(ADA, hours.id).status is KeyStatus.EXPIRED


def test_schedule_after_an_outage_skips_outdated_notices(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    ended, day, week, far = (mint(ahead(clock, days=days)) for days in (12, 14.5, 16, 30))
    clock.move(4 * 86_400)
    assert schedule.run() == {"announced": 0, "retired": 0}
    clock.move(10 * 86_400)  # one key has expired, and one is past its 7-day notice
    assert schedule.run() == {"announced": 2, "retired": 1}
    assert schedule.announced() == sorted([(day.id, 1), (week.id, 7)])
    assert schedule.run() == {"announced": 0, "retired": 0}
    assert service.get(ADA, ended.id).status is KeyStatus.EXPIRED
    assert key_count(backend) == 3
    events = schedule.run_for(days=17, interval_hours=4)
    assert notices(events) == [
        (week.id, 1),
        (far.id, 7),
        (far.id, 1),
    ]
    assert key_count(backend) == 0


def test_schedule_hosts_with_clock_skew_announce_once(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    key = mint(ahead(clock, days=8))
    announced: list[tuple[str, int]] = []
    for around in (DAY, 7 * DAY, 8 * DAY):
        clock.now = max(clock.now, key.id.time_ms + around - 10 * MINUTE)
        for skew in (-5, 5, -5, 5, 0, 5, -5):
            clock.skew = skew * MINUTE
            schedule.run()
            clock.skew = 0
            clock.move(180)
        announced += schedule.announced()
    assert announced == [(key.id, 7), (key.id, 1)]
    assert key_count(backend) == 0


# ── updates, revocations and rotations ───────────────────────────────────────────────────────────────


def test_changed_expiry_is_announced_again(schedule: Schedule, clock: Clock) -> None:
    key = mint(ahead(clock, days=8))
    first = schedule.run_for(days=2)
    assert notices(first) == [(key.id, 7)]
    end = clock.now + 20 * DAY
    update(key, expiresAt=iso(from_ms(end)))
    later = schedule.run_for(days=21, interval_hours=4)
    assert notices(later) == [(key.id, 7), (key.id, 1)]
    assert {event["data"]["expiresAt"] for _, event in later} == {iso(from_ms(end))}
    assert len({event["id"] for _, event in first + later}) == 3


def test_expiry_changed_and_restored_is_not_announced_twice(schedule: Schedule, clock: Clock) -> None:
    end = ahead(clock, days=8)
    key = mint(end)
    assert notices(schedule.run_for(days=2)) == [(key.id, 7)]
    update(key, expiresAt=ahead(clock, days=90))
    update(key, expiresAt=end)
    assert notices(schedule.run_for(days=7)) == [(key.id, 1)]


def test_announcement_follows_the_current_expiry(schedule: Schedule, clock: Clock) -> None:
    nearer, without, late = (mint(ahead(clock, days=30)) for _ in range(3))
    update(nearer, expiresAt=ahead(clock, days=3))
    clock.move(23 * 86_400)  # the other two keys are due, and the schedule has not run yet
    update(without, expiresAt=None)
    update(late, expiresAt=ahead(clock, days=20))
    assert schedule.run() == {"announced": 0, "retired": 1}
    events = schedule.run_for(days=21, interval_hours=4)
    assert notices(events) == [
        (late.id, 7),
        (late.id, 1),
    ]
    assert service.get(ADA, without.id).status is KeyStatus.ACTIVE


def test_unrelated_update_does_not_affect_notices(schedule: Schedule, clock: Clock) -> None:
    key = mint(ahead(clock, days=9))
    events = []
    for number in range(10):
        clock.move(1800)
        update(key, name=f"name {number}", rateLimitPerHour=100 + number)
        clock.now -= 1800 * 1000
        events += schedule.run_for(days=0.9)
    assert notices(events) == [(key.id, 7), (key.id, 1)]


@pytest.mark.parametrize("days", [7, 1])
@pytest.mark.parametrize("change", [{"name": "renamed"}, {"rateLimitPerHour": 5, "scopes": ["events:read"]}])
def test_update_before_the_run_does_not_suppress_a_due_notice(
    schedule: Schedule, clock: Clock, days: int, change: dict[str, Any]
) -> None:
    """An update changes the key, but not its expiry, while a notice is due."""
    key = mint(ahead(clock, days=days, hours=1))
    clock.move(5400)
    update(key, **change)
    clock.move(1800)
    schedule.run()
    assert schedule.announced() == [(key.id, days)]


def test_unchanged_expiry_does_not_suppress_a_due_notice(schedule: Schedule, clock: Clock) -> None:
    end = ahead(clock, days=1, hours=1)
    key = mint(end)
    clock.move(5400)
    update(key, expiresAt=end, name="renamed")
    schedule.run()
    assert schedule.announced() == [(key.id, 1)]


def test_ended_key_is_not_announced(schedule: Schedule, clock: Clock) -> None:
    revoked, replaced = mint(ahead(clock, days=8)), mint(ahead(clock, days=8))
    service.revoke(ADA, revoked.id)
    successor = service.rotate(ADA, replaced.id, RotateApiKey(overlap_seconds=0))
    events = schedule.run_for(days=9)
    assert notices(events) == [
        (successor.id, 7),
        (successor.id, 1),
    ], "the new key has the same expiry"


def test_rotated_key_is_announced_by_its_new_expiry(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    long, day = mint(None), mint(ahead(clock, days=60))
    new_long = service.rotate(ADA, long.id, RotateApiKey(overlap_seconds=30 * 86_400))
    service.rotate(ADA, day.id, RotateApiKey())
    events = schedule.run_for(days=30.5, interval_hours=6)
    assert notices(events) == [
        (long.id, 7),
        (long.id, 1),
    ], "an overlap of a day ends before its first notice"
    assert [service.get(ADA, key.id).status for key in (long, day, new_long)] == [
        "EXPIRED",
        "EXPIRED",
        "ACTIVE",
    ]
    assert key_count(backend) == 2


# ── after the expiry ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxApiKeys=1)
def test_expired_key_is_uncounted_and_stays_listed_for_30_days(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    key = mint(ahead(clock, hours=2))
    known = processes(clock)
    for process in reversed(known):  # the slowest clock first, because windows do not go back
        process.admit(key.key)
    used = row(key)
    clock.move(7200)
    with pytest.raises(Exception, match="1 API keys"):
        mint(None)
    assert schedule.run() == {"announced": 0, "retired": 1}
    ended = row(key)
    unchanged = {name: value for name, value in used.items() if name not in ("k", "d")}
    changes = {"r": clock.now, "ttl": (clock.now + 30 * DAY) // 1000, "up": ended["up"]}
    assert ended == unchanged | changes
    assert key_count(backend) == 0
    assert schedule.run() == {"announced": 0, "retired": 0}
    mint(None)
    shown = service.get(ADA, key.id)
    assert (shown.status, shown.version, shown.usage.total) == (KeyStatus.EXPIRED, 1, 3)
    for process in [*known, *processes(clock)]:
        with pytest.raises(guard.InvalidKey) as invalid:
            process.admit(key.key)
        assert invalid.value.reason == "EXPIRED", "even if its clock is late"

    def listed() -> list[str]:
        return [key.id for key in service.list_keys(ADA, ListQuery()).items]

    clock.move(30 * 86_400 - 1)
    assert key.id in listed()
    clock.move(1)
    assert key.id not in listed()


def test_use_does_not_write_to_the_due_index(backend: Backend, schedule: Schedule, clock: Clock) -> None:
    """A write that changes k or d costs twice: once in the table and once in the index."""
    key = mint(ahead(clock, days=20), rateLimitPerHour=3)
    stored = row(key)
    with watched("dynamodb.UpdateItem") as writes:
        for step in (0, 1, 60, 3_600, 86_400, 3 * 86_400, 9 * 86_400):
            clock.move(step)
            for process in (guard.Guard(), guard.Guard(lambda: clock.now + MINUTE)):
                for _ in range(3):
                    try:
                        process.admit(key.key)
                    except RateLimited:
                        continue
    written = {name for write in writes for name in re.findall(r"(\w+) =", write["UpdateExpression"])}
    assert {"t", "lu", "hn", "dn"} <= written, "the requests were counted"
    assert not written & {"k", "d", "workspaceId", "id"}
    assert {name: row(key)[name] for name in ("k", "d", "x")} == {
        name: stored[name] for name in ("k", "d", "x")
    }
    assert schedule.run() == {"announced": 1, "retired": 0}


# ── many keys ────────────────────────────────────────────────────────────────────────────────────────


def store_keys(number: int, expires_ms: int, workspace: str = "acme") -> list[StoredKey]:
    """Store keys that expire at this time, without the cost of hashing."""
    keys = []
    for _ in range(number):
        id = ApiKeyId.new()
        terms = Terms("CI", ("events:publish",), 10, 100, expires_ms)
        key = StoredKey(id, workspace, terms, "$2b$04$unused", 7, "user:ada", id.time_ms)
        store.create(key, [])
        keys.append(key)
    return keys


@pytest.mark.parameters(MaxApiKeys=200)
def test_schedule_processes_more_keys_than_one_read_returns(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    soon = store_keys(40, clock.now + 8 * DAY) + store_keys(35, clock.now + 8 * DAY, "globex")
    expired = store_keys(40, clock.now + 2 * DAY) + store_keys(10, clock.now + 2 * DAY, "globex")
    clock.move(3 * 86_400)
    with watched("dynamodb.BatchGetItem") as reads:
        assert schedule.run() == {"announced": len(soon), "retired": len(expired)}
    sizes = [len(read["RequestItems"][settings().api_keys_table]["Keys"]) for read in reads]
    assert sum(sizes) == 125
    assert max(sizes) <= 100
    events = schedule.receive()
    assert sorted(event["data"]["keyId"] for event in events) == sorted(key.id for key in soon)
    assert Counter(event["workspace_id"] for event in events) == {"acme": 40, "globex": 35}
    assert (key_count(backend), key_count(backend, "globex")) == (40, 35)
    assert schedule.run() == {"announced": 0, "retired": 0}


def test_run_out_of_time_leaves_the_rest_to_the_next_run(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    expired, soon = store_keys(4, clock.now + 2 * DAY), store_keys(4, clock.now + 8 * DAY)
    clock.move(3 * 86_400)
    runs: list[dict[str, int]] = []
    for _ in range(4):
        remaining = iter([300_000, 20_000, 10_000, *[9_999] * 10])
        runs.append(schedule.run(SimpleNamespace(get_remaining_time_in_millis=partial(next, remaining))))
    assert [sum(run.values()) for run in runs] == [3, 3, 2, 0]
    assert sum(run["announced"] for run in runs) == 4
    assert schedule.announced() == sorted((key.id, 7) for key in soon)
    assert key_count(backend) == 4
    assert all(service.get(ADA, key.id).status is KeyStatus.EXPIRED for key in expired)
    assert schedule.run() == {"announced": 0, "retired": 0}


def test_run_without_due_keys_costs_two_queries(backend: Backend, schedule: Schedule, clock: Clock) -> None:
    store_keys(5, clock.now + 30 * DAY)
    backend.calls.clear()
    schedule.run()
    assert backend.calls.count == {"dynamodb.Query": 2}  # one for notices and one for rotations


# ── crashes and lost responses ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def deliveries(backend: Backend, api: Api, source: Source) -> Callable[[], list[str]]:
    """A function that fans out events and returns those for an API_KEY_EXPIRING webhook."""
    hook = {"name": "ends", "url": "https://receiver.example/hook", "eventTypes": ["API_KEY_EXPIRING"]}
    assert api("POST /api/integrations/webhooks", json=hook).status == 201

    def fanned_out() -> list[str]:
        source.run()
        queued = [json.loads(record["body"]) for record in backend.messages("DeliveriesQueue")]
        # A delivery may be queued twice.
        return list({delivery["id"]: delivery["event_id"] for delivery in queued}.values())

    return fanned_out


def test_announcement_reaches_webhooks_and_the_event_list(
    api: Api, schedule: Schedule, clock: Clock, deliveries: Callable[[], list[str]]
) -> None:
    key = mint(ahead(clock, days=7, hours=1))
    clock.move(3600)
    schedule.run()
    (id,) = deliveries()
    event = api(f"GET /api/events/{id}").json()
    assert (event["type"], event["source"], event["data"]["keyId"]) == (
        "API_KEY_EXPIRING",
        "patchbay",
        key.id,
    )
    assert len(event["deliveries"]) == 1
    listed = api("GET /api/events?type=API_KEY_EXPIRING").json()["items"]
    assert [item["id"] for item in listed] == [id]


CRASHES = [("sqs.SendMessage", False), ("sqs.SendMessage", True), ("dynamodb.UpdateItem", False)]


@pytest.mark.parametrize(("operation", "after"), [*CRASHES, ("dynamodb.UpdateItem", True)])
def test_crashed_announcement_is_repeated_as_the_same_event(
    schedule: Schedule, clock: Clock, deliveries: Callable[[], list[str]], operation: str, after: bool
) -> None:
    key = mint(ahead(clock, days=7, hours=1))
    clock.move(3600)
    with killed(operation, after=after):
        schedule.run()
    clock.move(3600)
    schedule.run()
    schedule.run()
    (once,) = deliveries()
    assert row(key)["d"] == row(key)["x"] - DAY
    assert EventId.parse(once).time_ms == row(key)["x"] - 7 * DAY


def test_late_repeat_of_a_notice_is_the_same_event(
    schedule: Schedule, clock: Clock, deliveries: Callable[[], list[str]]
) -> None:
    """The first run crashes after it publishes the event. The second run is days later."""
    mint(ahead(clock, days=7, hours=1))
    clock.move(3600)
    with killed("dynamodb.UpdateItem"):
        schedule.run()
    (first,) = deliveries()
    clock.move(5 * 86_400)
    assert schedule.run() == {"announced": 1, "retired": 0}
    (again,) = schedule.receive()
    assert again["id"] == first


@pytest.mark.parametrize(
    ("operation", "whose"),
    [
        ("sqs.SendMessage", "soon"),
        ("dynamodb.UpdateItem", "soon"),
        ("dynamodb.UpdateItem", "expired"),
        ("dynamodb.TransactWriteItems", "expired"),
    ],
)
def test_lost_aws_response_changes_nothing(
    backend: Backend,
    schedule: Schedule,
    clock: Clock,
    deliveries: Callable[[], list[str]],
    operation: str,
    whose: str,
) -> None:
    keys = {"soon": mint(ahead(clock, days=9)), "expired": mint(ahead(clock, hours=47))}
    clock.move(2 * 86_400)
    with failing(operation, lost=True, tries=1, where=keys[whose].id):
        schedule.run()
    assert service.get(ADA, keys["expired"].id).status is KeyStatus.EXPIRED
    clock.move(3600)
    schedule.run()
    assert len(deliveries()) == 1
    assert row(keys["soon"])["d"] == row(keys["soon"])["x"] - DAY
    assert not {"k", "d"} & row(keys["expired"]).keys()
    assert key_count(backend) == 1


@pytest.mark.parametrize("operation", ["dynamodb.UpdateItem", "dynamodb.TransactWriteItems"])
@pytest.mark.parametrize("after", [False, True])
def test_crashed_retirement_uncounts_once(
    backend: Backend, schedule: Schedule, clock: Clock, operation: str, after: bool
) -> None:
    keys = store_keys(3, clock.now + HOUR)
    clock.move(3600)
    with killed(operation, at=2, after=after):
        schedule.run()
    assert key_count(backend) == (1 if after and operation == "dynamodb.TransactWriteItems" else 2)
    schedule.run()
    assert key_count(backend) == 0
    for key in keys:
        assert "r" in row(key)
        assert not {"k", "d"} & row(key).keys()
    assert schedule.run() == {"announced": 0, "retired": 0}


def test_failing_key_does_not_block_others_and_is_retried(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    soon, expired = store_keys(3, clock.now + 9 * DAY), store_keys(3, clock.now + 2 * DAY)
    clock.move(2 * 86_400)
    with (
        failing("sqs.SendMessage", error=REFUSED, where=soon[1].id),
        failing("dynamodb.UpdateItem", error=REFUSED, where=expired[1].id),
        pytest.raises(IncompleteRun, match="2 keys"),
    ):
        schedule.run()
    assert schedule.announced() == sorted((key.id, 7) for key in (soon[0], soon[2]))
    assert ["r" in row(key) for key in expired] == [True, False, True]
    assert schedule.run() == {"announced": 1, "retired": 1}
    assert schedule.announced() == [(soon[1].id, 7)]
    assert key_count(backend) == 3
    clock.move(7 * 86_400)
    with failing("dynamodb.TransactWriteItems", lost=True, where=soon[0].id), pytest.raises(IncompleteRun):
        schedule.run()
    schedule.run()
    assert schedule.receive() == []
    assert key_count(backend) == 0


# ── concurrency ──────────────────────────────────────────────────────────────────────────────────────


CALLS = ["dynamodb.BatchGetItem", "sqs.SendMessage", "dynamodb.UpdateItem", "dynamodb.TransactWriteItems"]


@pytest.mark.parametrize("operation", CALLS)
def test_concurrent_runs_announce_and_uncount_once(
    backend: Backend,
    schedule: Schedule,
    clock: Clock,
    deliveries: Callable[[], list[str]],
    operation: str,
) -> None:
    """Another run starts and finishes immediately before a call of this run."""
    soon, expired = store_keys(2, clock.now + 8 * DAY), store_keys(2, clock.now + 2 * DAY)
    clock.move(3 * 86_400)
    with meanwhile(operation, schedule.run):
        schedule.run()
    assert len(deliveries()) == len(soon)
    assert {row(key)["d"] for key in soon} == {soon[0].terms.expires_ms - DAY}  # type: ignore[operator]
    assert all("r" in row(key) for key in expired)
    assert key_count(backend) == 2


def test_stale_index_entries_are_ignored(backend: Backend, schedule: Schedule, clock: Clock) -> None:
    """The index lags behind the rows, which are authoritative."""
    acts: list[Callable[[ApiKeyWithSecret], object]] = [
        lambda key: service.revoke(ADA, key.id),
        lambda key: service.rotate(ADA, key.id, RotateApiKey(overlap_seconds=0)),
        lambda key: update(key, expiresAt=None),
        lambda key: update(key, expiresAt=ahead(clock, days=90)),
        lambda key: dynamo.delete(settings().api_keys_table, {"id": key.id}),
    ]
    for act in acts:
        key = mint(ahead(clock, days=8))
        clock.move(86_400)
        with meanwhile("dynamodb.BatchGetItem", partial(act, key)):
            assert schedule.run() == {"announced": 0, "retired": 0}
    assert schedule.receive() == []
    assert key_count(backend) == 4  # it includes the deleted row; the product never deletes one this way


@pytest.mark.parametrize("operation", ["sqs.SendMessage", "dynamodb.UpdateItem"])
def test_notice_is_recorded_only_if_the_key_is_unchanged(
    backend: Backend, schedule: Schedule, clock: Clock, operation: str
) -> None:
    """The keys change between the read and the write."""
    revoked, replaced, without, moved = (mint(ahead(clock, days=8)) for _ in range(4))
    far = ahead(clock, days=90)
    clock.move(86_400)

    def all_change() -> None:
        service.revoke(ADA, revoked.id)
        service.rotate(ADA, replaced.id, RotateApiKey(overlap_seconds=0))
        update(without, expiresAt=None)
        update(moved, expiresAt=far)

    with meanwhile(operation, all_change):
        schedule.run()
    for key in (revoked, replaced, without):
        assert not {"k", "d"} & row(key).keys(), "it does not return to the index"
    assert row(moved)["d"] == row(moved)["x"] - 7 * DAY
    schedule.receive()
    events = notices(schedule.run_for(days=90, interval_hours=12))
    assert [days for id, days in events if id == moved.id] == [7, 1]
    assert not {id for id, _ in events} & {revoked.id, replaced.id, without.id}


def test_expiry_change_with_an_equal_due_time_keeps_its_notice(schedule: Schedule, clock: Clock) -> None:
    """A host with a slow clock changes the expiry, which makes notices for the old and new one due."""
    key = mint(ahead(clock, days=8))
    clock.move(86_400)

    def move() -> None:
        clock.skew = -MINUTE
        update(key, expiresAt=ahead(clock, days=1))
        clock.skew = 0

    with meanwhile("dynamodb.UpdateItem", move):
        schedule.run()
    schedule.receive()
    assert row(key)["d"] == clock.now == row(key)["x"] - DAY
    assert schedule.run() == {"announced": 1, "retired": 0}
    assert schedule.announced() == [(key.id, 1)]


def test_key_revoked_during_retirement_is_uncounted_once(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    mint(None)
    for revoked_first, operation in product((True, False), ("UpdateItem", "TransactWriteItems")):
        key = mint(ahead(clock, hours=1))
        clock.move(3600)
        revoke = partial(service.revoke, ADA, key.id)
        first, second = (revoke, schedule.run) if revoked_first else (schedule.run, revoke)
        with meanwhile(f"dynamodb.{operation}", first):
            second()
        assert key_count(backend) == 1
        assert service.get(ADA, key.id).status is KeyStatus.EXPIRED, "it had expired"
        assert not {"k", "d"} & row(key).keys()
