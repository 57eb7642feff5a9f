"""The schedule that announces the end of API keys and counts them out: once each, whatever happens."""

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

from patchbay import ids
from patchbay.api_keys import guard, hashing, models, service, store
from patchbay.api_keys.expire_keys import Incomplete
from patchbay.api_keys.models import ApiKeyWithSecret, CreateApiKey, KeyStatus, RotateApiKey, UpdateApiKey
from patchbay.api_keys.stored_key import StoredKey, Terms
from patchbay.api_model import ListQuery
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.clock import at_ms, iso, now_ms
from patchbay.errors import RateLimited
from patchbay.ids import ApiKeyId, EventId
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.catalogued import assert_catalogued
from tests.conftest import LAMBDA_CONTEXT, Api, Backend
from tests.faults import REFUSED, Clock, Source, failing, killed, meanwhile, watched
from workers.expire_keys import handler

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ADA = Principal("acme", "user:ada", ROLES["owner"], role="owner")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """One time for keys, their ids, what is not in the past, and the schedule."""
    clock = Clock(monkeypatch)
    now = SimpleNamespace(time_ns=lambda: (clock.now + clock.skew) * 1_000_000)
    monkeypatch.setattr(ids, "time", now)
    monkeypatch.setattr(models, "datetime", SimpleNamespace(now=lambda _: at_ms(now_ms())))
    # What a hash costs is tested elsewhere; here many keys are made.
    monkeypatch.setattr(hashing, "_ROUNDS", 4)
    return clock


class Schedule:
    """Runs the worker, and takes what it said off the events' queue."""

    def __init__(self, backend: Backend, clock: Clock) -> None:
        self._backend, self.clock = backend, clock

    def run(self, context: Any = LAMBDA_CONTEXT) -> dict[str, int]:
        return handler({}, context)

    def said(self) -> list[dict[str, Any]]:
        """The events since the last time, in any order."""
        sqs, url = self._backend.client("sqs"), self._backend.queue_url("EventsQueue")
        records = self._backend.messages("EventsQueue")
        for record in records:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
        return [json.loads(record["body"]) for record in records]

    def days(self) -> list[tuple[str, int]]:
        """Whose end was announced, and how many days before, sorted."""
        return sorted((event["data"]["keyId"], event["data"]["daysLeft"]) for event in self.said())

    def runs(self, days: float, every: int = 1) -> list[tuple[int, dict[str, Any]]]:
        """Every so many hours for so long; the events with the time at which they came."""
        came, end = [], self.clock.now + round(days * DAY)
        while self.clock.now + every * HOUR <= end:
            self.clock.move(every * 3600)
            if self.run()["announced"]:
                came += [(self.clock.now, event) for event in self.said()]
        self.clock.now = end
        return came


@pytest.fixture
def schedule(backend: Backend, clock: Clock) -> Schedule:
    return Schedule(backend, clock)


def ahead(clock: Clock, days: float = 0, hours: float = 0) -> str:
    """A moment as the API takes it, by the true time."""
    return iso(at_ms(clock.now + round(days * DAY + hours * HOUR)))


def mint(expires: str | None, **changes: Any) -> ApiKeyWithSecret:
    body = {"name": "CI", "scopes": ["events:publish"], "expiresAt": expires} | changes
    return service.create(ADA, CreateApiKey.model_validate_json(json.dumps(body)))


def edit(key: ApiKeyWithSecret, **changes: Any) -> Any:
    return service.update(ADA, key.id, UpdateApiKey.model_validate_json(json.dumps(changes)))


def processes(clock: Clock) -> list[guard.Guard]:
    """Their clocks are right, 5 minutes late and 3 days late."""
    return [
        guard.Guard(lambda: clock.now),
        guard.Guard(lambda: clock.now - 5 * MINUTE),
        guard.Guard(lambda: clock.now - 3 * DAY),
    ]


def row(key: Any) -> dict[str, Any]:
    found = dynamo.get(settings().api_keys_table, {"id": key.id})
    assert found is not None
    return found


def count(backend: Backend, workspace: str = "acme") -> int:
    """What the ceiling goes by."""
    (counted,) = (each for each in backend.rows("ApiKeysTable") if each["id"] == f"count#{workspace}")
    number: int = counted["n"]
    return number


def told(came: list[tuple[int, dict[str, Any]]]) -> list[tuple[str, int]]:
    """Whose end was announced, and how many days before, as it came."""
    return [(event["data"]["keyId"], event["data"]["daysLeft"]) for _, event in came]


# ── notices ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_end_is_announced_7_days_and_1_day_before_once_each_by_an_hourly_schedule(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    key, other = mint(ahead(clock, days=9, hours=0.5)), mint(None)
    end = clock.now + 9 * DAY + HOUR // 2
    came = schedule.runs(days=10)
    assert told(came) == [(key.id, 7), (key.id, 1)]
    for at, event in came:
        due = end - event["data"]["daysLeft"] * DAY
        assert event["timestamp"] == due
        assert due <= at < due + HOUR
    assert service.get(ADA, key.id).status is KeyStatus.EXPIRED
    assert service.get(ADA, other.id).status is KeyStatus.ACTIVE
    assert count(backend) == 1


def test_an_announcement_says_which_key_ends_when_and_holds_no_secret(
    schedule: Schedule, clock: Clock
) -> None:
    key = mint(ahead(clock, days=7, hours=1), name="Newsroom")
    clock.move(3600)
    before = row(key)
    assert schedule.run() == {"announced": 1, "retired": 0}
    (event,) = schedule.said()
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
    assert row(key) == before | {"d": clock.now + 6 * DAY}, "noted, and nothing else"


def test_a_key_made_within_a_notice_s_time_does_not_get_it(schedule: Schedule, clock: Clock) -> None:
    week, three, hours = (mint(ahead(clock, days=days)) for days in (7, 3, 0.5))
    came = schedule.runs(days=8)
    assert told(came) == [
        (three.id, 1),
        (week.id, 1),
    ]
    assert service.get(ADA, hours.id).status is KeyStatus.EXPIRED


def test_a_schedule_that_was_down_says_only_what_still_makes_sense(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    ended, day, week, far = (mint(ahead(clock, days=days)) for days in (12, 14.5, 16, 30))
    clock.move(4 * 86_400)
    assert schedule.run() == {"announced": 0, "retired": 0}
    clock.move(10 * 86_400)  # the notices of 7 days are over for two of them, and both for one
    assert schedule.run() == {"announced": 2, "retired": 1}
    assert schedule.days() == sorted([(day.id, 1), (week.id, 7)])
    assert schedule.run() == {"announced": 0, "retired": 0}
    assert service.get(ADA, ended.id).status is KeyStatus.EXPIRED
    assert count(backend) == 3
    came = schedule.runs(days=17, every=4)
    assert told(came) == [
        (week.id, 1),
        (far.id, 7),
        (far.id, 1),
    ]
    assert count(backend) == 0


def test_hosts_of_the_schedule_whose_clocks_differ_say_it_once(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    key = mint(ahead(clock, days=8))
    told_days: list[tuple[str, int]] = []
    for around in (DAY, 7 * DAY, 8 * DAY):
        clock.now = max(clock.now, key.id.time_ms + around - 10 * MINUTE)
        for skew in (-5, 5, -5, 5, 0, 5, -5):
            clock.skew = skew * MINUTE
            schedule.run()
            clock.skew = 0
            clock.move(180)
        told_days += schedule.days()
    assert told_days == [(key.id, 7), (key.id, 1)]
    assert count(backend) == 0


# ── what is edited, revoked, rotated ─────────────────────────────────────────────────────────────────


def test_a_moved_end_is_announced_anew(schedule: Schedule, clock: Clock) -> None:
    key = mint(ahead(clock, days=8))
    first = schedule.runs(days=2)
    assert told(first) == [(key.id, 7)]
    end = clock.now + 20 * DAY
    edit(key, expiresAt=iso(at_ms(end)))
    later = schedule.runs(days=21, every=4)
    assert told(later) == [(key.id, 7), (key.id, 1)]
    assert {event["data"]["expiresAt"] for _, event in later} == {iso(at_ms(end))}
    assert len({event["id"] for _, event in first + later}) == 3


def test_an_end_that_is_moved_there_and_back_is_not_announced_twice(schedule: Schedule, clock: Clock) -> None:
    end = ahead(clock, days=8)
    key = mint(end)
    assert told(schedule.runs(days=2)) == [(key.id, 7)]
    edit(key, expiresAt=ahead(clock, days=90))
    edit(key, expiresAt=end)
    assert told(schedule.runs(days=7)) == [(key.id, 1)]


def test_an_end_that_is_brought_near_or_taken_away_is_announced_as_it_is(
    schedule: Schedule, clock: Clock
) -> None:
    nearer, without, late = (mint(ahead(clock, days=30)) for _ in range(3))
    edit(nearer, expiresAt=ahead(clock, days=3))
    clock.move(23 * 86_400)  # both others are due, and the schedule has not looked yet
    edit(without, expiresAt=None)
    edit(late, expiresAt=ahead(clock, days=20))
    assert schedule.run() == {"announced": 0, "retired": 1}
    came = schedule.runs(days=21, every=4)
    assert told(came) == [
        (late.id, 7),
        (late.id, 1),
    ]
    assert service.get(ADA, without.id).status is KeyStatus.ACTIVE


def test_an_edit_of_something_else_leaves_the_notices_as_they_are(schedule: Schedule, clock: Clock) -> None:
    key = mint(ahead(clock, days=9))
    came = []
    for number in range(10):
        clock.move(1800)
        edit(key, name=f"name {number}", rateLimitPerHour=100 + number)
        clock.now -= 1800 * 1000
        came += schedule.runs(days=0.9)
    assert told(came) == [(key.id, 7), (key.id, 1)]


@pytest.mark.parametrize("days", [7, 1])
@pytest.mark.parametrize("change", [{"name": "renamed"}, {"rateLimitPerHour": 5, "scopes": ["events:read"]}])
def test_an_edit_just_before_the_schedule_looks_does_not_swallow_a_notice(
    schedule: Schedule, clock: Clock, days: int, change: dict[str, Any]
) -> None:
    """It is due, the hour is not over, and somebody edits the key, but not its end."""
    key = mint(ahead(clock, days=days, hours=1))
    clock.move(5400)
    edit(key, **change)
    clock.move(1800)
    schedule.run()
    assert schedule.days() == [(key.id, days)]


def test_an_end_that_is_set_to_what_it_is_swallows_no_notice(schedule: Schedule, clock: Clock) -> None:
    end = ahead(clock, days=1, hours=1)
    key = mint(end)
    clock.move(5400)
    edit(key, expiresAt=end, name="renamed")
    schedule.run()
    assert schedule.days() == [(key.id, 1)]


def test_a_key_that_has_ended_before_is_not_announced(schedule: Schedule, clock: Clock) -> None:
    revoked, replaced = mint(ahead(clock, days=8)), mint(ahead(clock, days=8))
    service.revoke(ADA, revoked.id)
    successor = service.rotate(ADA, replaced.id, RotateApiKey(overlap_seconds=0))
    came = schedule.runs(days=9)
    assert told(came) == [
        (successor.id, 7),
        (successor.id, 1),
    ], "the new one has the old one's end"


def test_a_key_that_was_rotated_away_is_announced_by_its_new_end(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    long, day = mint(None), mint(ahead(clock, days=60))
    new_long = service.rotate(ADA, long.id, RotateApiKey(overlap_seconds=30 * 86_400))
    service.rotate(ADA, day.id, RotateApiKey())
    came = schedule.runs(days=30.5, every=6)
    assert told(came) == [
        (long.id, 7),
        (long.id, 1),
    ], "an overlap of a day is over before there is anything to say"
    assert [service.get(ADA, key.id).status for key in (long, day, new_long)] == [
        "EXPIRED",
        "EXPIRED",
        "ACTIVE",
    ]
    assert count(backend) == 2


# ── after the end ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxApiKeys=1)
def test_a_key_whose_time_is_over_frees_its_place_and_stays_listed_for_30_days(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    key = mint(ahead(clock, hours=2))
    known = processes(clock)
    for process in reversed(known):  # the latest first: windows do not go back
        process.admit(key.key)
    used = row(key)
    clock.move(7200)
    with pytest.raises(Exception, match="1 API keys"):
        mint(None)
    assert schedule.run() == {"announced": 0, "retired": 1}
    ended = row(key)
    kept = {name: value for name, value in used.items() if name not in ("k", "d")}
    ends = {"r": clock.now, "ttl": (clock.now + 30 * DAY) // 1000, "up": ended["up"]}
    assert ended == kept | ends
    assert count(backend) == 0
    assert schedule.run() == {"announced": 0, "retired": 0}
    mint(None)
    shown = service.get(ADA, key.id)
    assert (shown.status, shown.version, shown.usage.total) == (KeyStatus.EXPIRED, 1, 3)
    for process in [*known, *processes(clock)]:
        with pytest.raises(guard.InvalidKey) as invalid:
            process.admit(key.key)
        assert invalid.value.reason == "EXPIRED", "however late its clock is"

    def listed() -> list[str]:
        return [each.id for each in service.list_keys(ADA, ListQuery()).items]

    clock.move(30 * 86_400 - 1)
    assert key.id in listed()
    clock.move(1)
    assert key.id not in listed()


def test_use_never_touches_the_schedule_s_index(backend: Backend, schedule: Schedule, clock: Clock) -> None:
    """A write that changed k or d would be paid twice: in the table and in the index."""
    key = mint(ahead(clock, days=20), rateLimitPerHour=3)
    made = row(key)
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
    assert {"t", "lu", "hn", "dn"} <= written, "they were counted"
    assert not written & {"k", "d", "workspaceId", "id"}
    assert {name: row(key)[name] for name in ("k", "d", "x")} == {
        name: made[name] for name in ("k", "d", "x")
    }
    assert schedule.run() == {"announced": 1, "retired": 0}


# ── many ─────────────────────────────────────────────────────────────────────────────────────────────


def plant(number: int, expires_ms: int, workspace: str = "acme") -> list[StoredKey]:
    """So many keys with that end, without the cost of secrets."""
    keys = []
    for _ in range(number):
        id = ApiKeyId.new()
        terms = Terms("CI", ("events:publish",), 10, 100, expires_ms)
        key = StoredKey(id, workspace, terms, "$2b$04$unused", 7, "user:ada", id.time_ms)
        store.create(key, [])
        keys.append(key)
    return keys


@pytest.mark.parameters(MaxApiKeys=200)
def test_more_keys_than_one_read_takes_are_all_seen_to(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    soon = plant(40, clock.now + 8 * DAY) + plant(35, clock.now + 8 * DAY, "globex")
    over = plant(40, clock.now + 2 * DAY) + plant(10, clock.now + 2 * DAY, "globex")
    clock.move(3 * 86_400)
    with watched("dynamodb.BatchGetItem") as reads:
        assert schedule.run() == {"announced": len(soon), "retired": len(over)}
    asked = [len(read["RequestItems"][settings().api_keys_table]["Keys"]) for read in reads]
    assert sum(asked) == 125
    assert max(asked) <= 100
    said = schedule.said()
    assert sorted(event["data"]["keyId"] for event in said) == sorted(key.id for key in soon)
    assert Counter(event["workspace_id"] for event in said) == {"acme": 40, "globex": 35}
    assert (count(backend), count(backend, "globex")) == (40, 35)
    assert schedule.run() == {"announced": 0, "retired": 0}


def test_a_run_that_is_out_of_time_leaves_the_rest_to_the_next(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    over, soon = plant(4, clock.now + 2 * DAY), plant(4, clock.now + 8 * DAY)
    clock.move(3 * 86_400)
    runs: list[dict[str, int]] = []
    for _ in range(4):
        left = iter([300_000, 20_000, 10_000, *[9_999] * 10])
        runs.append(schedule.run(SimpleNamespace(get_remaining_time_in_millis=partial(next, left))))
    assert [sum(done.values()) for done in runs] == [3, 3, 2, 0]
    assert sum(done["announced"] for done in runs) == 4
    assert schedule.days() == sorted((key.id, 7) for key in soon)
    assert count(backend) == 4
    assert all(service.get(ADA, key.id).status is KeyStatus.EXPIRED for key in over)
    assert schedule.run() == {"announced": 0, "retired": 0}


def test_what_is_not_due_costs_one_query(backend: Backend, schedule: Schedule, clock: Clock) -> None:
    plant(5, clock.now + 30 * DAY)
    backend.calls.clear()
    schedule.run()
    assert backend.calls.count == {"dynamodb.Query": 1}


# ── crashes and lost answers ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def deliveries(backend: Backend, api: Api, clock: Clock) -> Callable[[], list[str]]:
    """The events that go out to a webhook for API_KEY_EXPIRING, once they are fanned out."""
    source = Source(backend, "EventsQueue", "workers.fan_out.handler", clock)
    hook = {"name": "ends", "url": "https://receiver.example/hook", "events": ["API_KEY_EXPIRING"]}
    assert api("POST /api/integrations/webhooks", json=hook).status == 201

    def fanned_out() -> list[str]:
        source.run()
        queued = [json.loads(record["body"]) for record in backend.messages("DeliveriesQueue")]
        # What is queued twice is one delivery.
        return list({delivery["id"]: delivery["event_id"] for delivery in queued}.values())

    return fanned_out


def test_an_announcement_reaches_a_webhook_and_the_list_of_events(
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
def test_a_run_that_dies_while_it_announces_is_repeated_as_the_same_event(
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


def test_a_notice_that_is_given_again_later_is_still_the_same_event(
    schedule: Schedule, clock: Clock, deliveries: Callable[[], list[str]]
) -> None:
    """The first run died before it noted it, and its event was delivered long before the second."""
    mint(ahead(clock, days=7, hours=1))
    clock.move(3600)
    with killed("dynamodb.UpdateItem"):
        schedule.run()
    (first,) = deliveries()
    clock.move(5 * 86_400)
    assert schedule.run() == {"announced": 1, "retired": 0}
    (again,) = schedule.said()
    assert again["id"] == first


@pytest.mark.parametrize(
    ("operation", "whose"),
    [
        ("sqs.SendMessage", "soon"),
        ("dynamodb.UpdateItem", "soon"),
        ("dynamodb.UpdateItem", "over"),
        ("dynamodb.TransactWriteItems", "over"),
    ],
)
def test_a_lost_answer_changes_nothing(
    backend: Backend,
    schedule: Schedule,
    clock: Clock,
    deliveries: Callable[[], list[str]],
    operation: str,
    whose: str,
) -> None:
    keys = {"soon": mint(ahead(clock, days=9)), "over": mint(ahead(clock, hours=47))}
    clock.move(2 * 86_400)
    with failing(operation, lost=True, tries=1, where=keys[whose].id):
        schedule.run()
    assert service.get(ADA, keys["over"].id).status is KeyStatus.EXPIRED
    clock.move(3600)
    schedule.run()
    assert len(deliveries()) == 1
    assert row(keys["soon"])["d"] == row(keys["soon"])["x"] - DAY
    assert not {"k", "d"} & row(keys["over"]).keys()
    assert count(backend) == 1


@pytest.mark.parametrize("operation", ["dynamodb.UpdateItem", "dynamodb.TransactWriteItems"])
@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_dies_while_it_retires_counts_out_once(
    backend: Backend, schedule: Schedule, clock: Clock, operation: str, after: bool
) -> None:
    keys = plant(3, clock.now + HOUR)
    clock.move(3600)
    with killed(operation, at=2, after=after):
        schedule.run()
    assert count(backend) == (1 if after and operation == "dynamodb.TransactWriteItems" else 2)
    schedule.run()
    assert count(backend) == 0
    for key in keys:
        assert "r" in row(key)
        assert not {"k", "d"} & row(key).keys()
    assert schedule.run() == {"announced": 0, "retired": 0}


def test_a_key_that_fails_keeps_no_other_from_its_turn_and_gets_its_own(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    soon, over = plant(3, clock.now + 9 * DAY), plant(3, clock.now + 2 * DAY)
    clock.move(2 * 86_400)
    with (
        failing("sqs.SendMessage", error=REFUSED, where=soon[1].id),
        failing("dynamodb.UpdateItem", error=REFUSED, where=over[1].id),
        pytest.raises(Incomplete, match="2 keys"),
    ):
        schedule.run()
    assert schedule.days() == sorted((key.id, 7) for key in (soon[0], soon[2]))
    assert ["r" in row(key) for key in over] == [True, False, True]
    assert schedule.run() == {"announced": 1, "retired": 1}
    assert schedule.days() == [(soon[1].id, 7)]
    assert count(backend) == 3
    clock.move(7 * 86_400)
    with failing("dynamodb.TransactWriteItems", lost=True, where=soon[0].id), pytest.raises(Incomplete):
        schedule.run()
    schedule.run()
    assert schedule.said() == []
    assert count(backend) == 0


# ── at once ──────────────────────────────────────────────────────────────────────────────────────────


CALLS = ["dynamodb.BatchGetItem", "sqs.SendMessage", "dynamodb.UpdateItem", "dynamodb.TransactWriteItems"]


@pytest.mark.parametrize("operation", CALLS)
def test_two_runs_at_once_say_it_once_and_count_out_once(
    backend: Backend,
    schedule: Schedule,
    clock: Clock,
    deliveries: Callable[[], list[str]],
    operation: str,
) -> None:
    """The other runs as a whole right before this one's call."""
    soon, over = plant(2, clock.now + 8 * DAY), plant(2, clock.now + 2 * DAY)
    clock.move(3 * 86_400)
    with meanwhile(operation, schedule.run):
        schedule.run()
    assert len(deliveries()) == len(soon)
    assert {row(key)["d"] for key in soon} == {soon[0].terms.expires_ms - DAY}  # type: ignore[operator]
    assert all("r" in row(key) for key in over)
    assert count(backend) == 2


def test_what_the_index_showed_and_is_no_longer_so_is_left_alone(
    backend: Backend, schedule: Schedule, clock: Clock
) -> None:
    """The index lags behind the rows: they count."""
    acts: list[Callable[[ApiKeyWithSecret], object]] = [
        lambda key: service.revoke(ADA, key.id),
        lambda key: service.rotate(ADA, key.id, RotateApiKey(overlap_seconds=0)),
        lambda key: edit(key, expiresAt=None),
        lambda key: edit(key, expiresAt=ahead(clock, days=90)),
        lambda key: dynamo.delete(settings().api_keys_table, {"id": key.id}),
    ]
    for act in acts:
        key = mint(ahead(clock, days=8))
        clock.move(86_400)
        with meanwhile("dynamodb.BatchGetItem", partial(act, key)):
            assert schedule.run() == {"announced": 0, "retired": 0}
    assert schedule.said() == []
    assert count(backend) == 4  # the deleted row took its place with it: by hand, and no way of the product


@pytest.mark.parametrize("operation", ["sqs.SendMessage", "dynamodb.UpdateItem"])
def test_a_notice_is_noted_only_of_a_key_that_is_as_it_was(
    backend: Backend, schedule: Schedule, clock: Clock, operation: str
) -> None:
    """The key changes between the read and the note."""
    revoked, replaced, without, moved = (mint(ahead(clock, days=8)) for _ in range(4))
    far = ahead(clock, days=90)
    clock.move(86_400)

    def all_change() -> None:
        service.revoke(ADA, revoked.id)
        service.rotate(ADA, replaced.id, RotateApiKey(overlap_seconds=0))
        edit(without, expiresAt=None)
        edit(moved, expiresAt=far)

    with meanwhile(operation, all_change):
        schedule.run()
    for key in (revoked, replaced, without):
        assert not {"k", "d"} & row(key).keys(), "it does not come back into the index"
    assert row(moved)["d"] == row(moved)["x"] - 7 * DAY
    schedule.said()
    came = told(schedule.runs(days=90, every=12))
    assert [days for id, days in came if id == moved.id] == [7, 1]
    assert not {id for id, _ in came} & {revoked.id, replaced.id, without.id}


def test_an_end_moved_to_where_another_notice_is_due_at_the_same_moment_keeps_it(
    schedule: Schedule, clock: Clock
) -> None:
    """By a host whose clock is late: 7 days before the old end, and 1 day before the new one, are now."""
    key = mint(ahead(clock, days=8))
    clock.move(86_400)

    def move() -> None:
        clock.skew = -MINUTE
        edit(key, expiresAt=ahead(clock, days=1))
        clock.skew = 0

    with meanwhile("dynamodb.UpdateItem", move):
        schedule.run()
    schedule.said()
    assert row(key)["d"] == clock.now == row(key)["x"] - DAY
    assert schedule.run() == {"announced": 1, "retired": 0}
    assert schedule.days() == [(key.id, 1)]


def test_a_key_that_is_revoked_while_it_is_retired_is_counted_out_once(
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
        assert count(backend) == 1
        assert service.get(ADA, key.id).status is KeyStatus.EXPIRED, "it had ended by itself"
        assert not {"k", "d"} & row(key).keys()
