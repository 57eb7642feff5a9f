"""The feeds of pull webhooks: order, gaps, crashes, consumers, waits, and temporary webhooks."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Condition, Event, local
from types import SimpleNamespace
from typing import Any

import pytest
from standardwebhooks import Webhook as StandardWebhook

from patchbay.feeds import append, service, store
from patchbay.feeds.store import NewEntry
from patchbay.ids import DeliveryId, EventId, webhook_key
from tests.catalogued import POST
from tests.conftest import LAMBDA_CONTEXT, Answer, Api, Backend, jwt_for
from tests.faults import Clock, Source, cold_start, dying, failing, killed, meanwhile, one_at_a_time, watched
from tests.problems import assert_problem

WEBHOOKS, EVENTS = "/api/integrations/webhooks", "/api/events"
PULL = {"kind": "pull", "name": "test", "eventTypes": ["POST_PUBLISHED"]}
DAY_MS = 86_400_000
# The writer's calls, and the rows that they write.
TAKE, WRITE = "dynamodb.UpdateItem", "dynamodb.PutItem"
HEAD, ENTRY = "entry#~", "entry#0"


class Feed:
    """A pull webhook and its receivers' requests, with a clock that the test moves."""

    def __init__(self, api: Api, clock: Clock, **body: Any) -> None:
        self._api, self._clock = api, clock
        answer = self.call(f"POST {WEBHOOKS}", json={**PULL, **body})
        assert answer.status == 201, answer.text
        self.webhook = answer.json()
        self.path = f"{WEBHOOKS}/{self.webhook['id']}"
        self.key = webhook_key("acme", self.webhook["id"])

    def call(self, line: str, **options: Any) -> Answer:
        token = jwt_for("acme", claims={"exp": self._clock.now // 1000 + 600})
        return self._api(line, **{"token": token, **options})

    def publish(self, **options: Any) -> str:
        """Publish, which fans out within the request. Returns the event's ID."""
        answer = self.call(f"POST {EVENTS}", json={"type": "POST_PUBLISHED", "data": POST}, **options)
        assert answer.status == 202, answer.text
        return str(answer.json()["id"])

    def queue(self, number: int = 1) -> list[str]:
        """Queue events for the worker. Returns their IDs."""
        events = [{"type": "POST_PUBLISHED", "data": POST}] * number
        answer = self.call(f"POST {EVENTS}/batch", json={"events": events})
        assert answer.status == 202, answer.text
        return [item["id"] for item in answer.json()["items"]]

    def read(self, query: str = "") -> Any:
        answer = self.call(f"GET {self.path}/feed?{query}")
        assert answer.status == 200, answer.text
        return answer.json()

    def events(self, query: str = "") -> list[str]:
        """The IDs of the events that one request returns."""
        return [item["eventId"] for item in self.read(query)["items"]]

    def commit(self, consumer: str, sequence: int, **more: Any) -> Answer:
        body = {"consumer": consumer, "sequence": sequence, **more}
        return self.call(f"POST {self.path}/feed/commit", json=body)


@pytest.fixture
def feed(api: Api, clock: Clock) -> Iterator[Feed]:
    cold_start()
    yield Feed(api, clock)
    cold_start()


# ── the webhook ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({**PULL, "url": "https://receiver.example/"}, ["url"]),
        (
            {
                **PULL,
                "headers": {"X-Tenant": "acme"},
                "retryConfig": {"maxRetries": 1},
                "rateLimitPerSecond": 1,
                "disableAfter": 10,
            },
            ["headers", "retryConfig", "rateLimitPerSecond", "disableAfter"],
        ),
        ({**PULL, "kind": "push"}, ["url"]),
        ({**PULL, "kind": "push", "url": None, "expiresInSeconds": 60}, ["url", "expiresInSeconds"]),
        ({**PULL, "kind": "poll"}, ["kind"]),
        ({**PULL, "expiresInSeconds": 59}, ["expiresInSeconds"]),
        ({**PULL, "expiresInSeconds": 86_401}, ["expiresInSeconds"]),
    ],
)
def test_fields_must_fit_the_kind(api: Api, backend: Backend, body: Any, paths: list[str]) -> None:
    assert_problem(api(f"POST {WEBHOOKS}", json=body), 422, paths=paths)
    assert backend.rows("WebhooksTable") == []


def test_pull_webhook_is_like_others_without_a_url(feed: Feed) -> None:
    shown = feed.call(f"GET {feed.path}").json()
    assert (shown["kind"], shown["url"], shown["status"], shown["expiresAt"]) == (
        "pull",
        None,
        "ACTIVE",
        None,
    )
    assert feed.webhook["secret"].startswith("whsec_")
    (listed,) = feed.call(f"GET {WEBHOOKS}").json()["items"]
    assert listed["id"] == feed.webhook["id"]


def test_unchanged_fields_can_be_sent_back(feed: Feed) -> None:
    editable = ("kind", "name", "url", "eventTypes", "filters", "integrationId", "headers", "retryConfig")
    shown = {name: feed.webhook[name] for name in (*editable, "rateLimitPerSecond", "disableAfter")}
    changed = feed.call(f"PUT {feed.path}", json={**shown, "name": "changed"})
    assert changed.status == 200, changed.text
    assert changed.json()["name"] == "changed"


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"kind": "push", "url": "https://receiver.example/"}, ["kind"]),
        ({"url": "https://receiver.example/"}, ["url"]),
        ({"disableAfter": 9, "retryConfig": {"maxRetries": 9}}, ["retryConfig", "disableAfter"]),
    ],
)
def test_kind_is_read_only(feed: Feed, body: Any, paths: list[str]) -> None:
    assert_problem(feed.call(f"PUT {feed.path}", json=body), 422, paths=paths)


def test_push_webhook_keeps_its_url_and_has_no_feed(api: Api) -> None:
    body = {**PULL, "kind": "push", "url": "https://receiver.example/"}
    path = f"{WEBHOOKS}/{api(f'POST {WEBHOOKS}', json=body).json()['id']}"
    assert_problem(api(f"PUT {path}", json={"url": None}), 422, paths=["url"])
    assert_problem(api(f"PUT {path}", json={"expiresInSeconds": 60}), 422, paths=["expiresInSeconds"])
    assert_problem(api(f"PUT {path}", json={"kind": "pull"}), 422, paths=["kind"])
    assert_problem(api(f"GET {path}/feed"), 409, None, "pull webhooks")
    assert_problem(api(f"POST {path}/feed/commit", json={"consumer": "c", "sequence": 0}), 409)
    assert_problem(api(f"GET {path}/feed/consumers"), 409)
    assert_problem(api(f"DELETE {path}/feed/consumers/c"), 409)


def test_nothing_is_sent_for_a_pull_webhook(feed: Feed, backend: Backend) -> None:
    feed.publish()
    assert backend.messages("DeliveriesQueue") == []
    assert feed.call(f"GET {feed.path}/deliveries").json()["items"] == []
    since = {"since": datetime.now(UTC).isoformat()}
    for route, body in (
        ("test", {}),
        ("recover", since),
        (f"deliveries/{DeliveryId.new()}/retry", None),
    ):
        assert_problem(feed.call(f"POST {feed.path}/{route}", json=body), 409, None, "feed")


# ── items ────────────────────────────────────────────────────────────────────────────────────────────


def test_item_can_be_verified_like_a_request(feed: Feed) -> None:
    event = feed.publish()
    first = feed.read()
    (item,) = first["items"]
    assert (first["cursor"], first["hasMore"], first["truncated"]) == ("1", False, False)
    assert (item["sequence"], item["eventId"], item["eventType"]) == (1, event, "POST_PUBLISHED")
    assert (
        item["id"] == item["headers"]["webhook-id"] == DeliveryId.derived(EventId(event), feed.webhook["id"])
    )
    verified = StandardWebhook(feed.webhook["secret"]).verify(item["payload"], item["headers"])
    assert (verified["id"], verified["data"]) == (event, POST)
    shown = feed.call(f"GET {EVENTS}/{event}").json()
    assert (shown["deliveries"], shown["feeds"]) == (
        [],
        [{"id": item["id"], "webhookId": feed.webhook["id"], "webhookName": feed.webhook["name"]}],
    )


def test_items_are_signed_with_the_secrets_of_the_moment(feed: Feed) -> None:
    feed.publish()
    rotated = feed.call(f"POST {feed.path}/rotate-secret", json={"overlapSeconds": 60}).json()
    (item,) = feed.read()["items"]
    for secret in (feed.webhook["secret"], rotated["secret"]):
        StandardWebhook(secret).verify(item["payload"], item["headers"])


def test_only_matching_events_are_in_the_feed(feed: Feed) -> None:
    filters = [{"path": "network", "op": "equals", "value": "x"}]
    assert feed.call(f"PUT {feed.path}", json={"filters": filters}).status == 200
    feed.publish()
    assert feed.call(f"PUT {feed.path}", json={"filters": []}).status == 200
    feed.call(f"PUT {feed.path}/status", json={"status": "INACTIVE"})
    feed.publish()
    feed.call(f"PUT {feed.path}/status", json={"status": "ACTIVE"})
    event = feed.publish()
    assert feed.events() == [event]


def test_pages_follow_the_cursor(feed: Feed) -> None:
    events = [feed.publish() for _ in range(5)]
    first = feed.read("limit=2")
    second = feed.read(f"limit=2&cursor={first['cursor']}")
    last = feed.read(f"limit=2&cursor={second['cursor']}")
    assert [page["hasMore"] for page in (first, second, last)] == [True, True, False]
    assert [item["eventId"] for page in (first, second, last) for item in page["items"]] == events
    assert first["nextPollMs"] == 0
    assert feed.read(f"cursor={last['cursor']}") == {
        "items": [],
        "cursor": "5",
        "hasMore": False,
        "nextPollMs": 5000,
        "truncated": False,
    }


@pytest.mark.parametrize("cursor", ["1", "x", "-1", "1" * 17])
def test_cursor_must_be_of_the_feed(feed: Feed, cursor: str) -> None:
    assert_problem(feed.call(f"GET {feed.path}/feed?cursor={cursor}"), 422, paths=["cursor"])


@pytest.mark.parametrize("query", ["consumer=a.b", "consumer=", "limit=0", "limit=101", "wait=21"])
def test_query_is_checked(feed: Feed, query: str) -> None:
    assert_problem(feed.call(f"GET {feed.path}/feed?{query}"), 422, paths=[query.partition("=")[0]])


def test_large_events_come_in_several_responses(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_MAX_PAYLOAD_BYTES", 500_000)
    large = {"type": "POST_PUBLISHED", "data": {**POST, "text": "x" * 200_000}}
    events = [feed.call(f"POST {EVENTS}", json=large).json()["id"] for _ in range(3)]
    first = feed.read()
    assert ([item["eventId"] for item in first["items"]], first["hasMore"]) == (events[:2], True)
    assert feed.events(f"cursor={first['cursor']}") == events[2:]


def test_response_is_shortened_to_what_lambda_returns(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [feed.publish() for _ in range(20)]
    monkeypatch.setattr("patchbay.response_size.MAX_BYTES", 9_500)
    found: list[str] = []
    page: Any = {"hasMore": True, "cursor": "0"}
    while page["hasMore"]:
        page = feed.read(f"cursor={page['cursor']}")
        found += [item["eventId"] for item in page["items"]]
    assert found == events


def test_publish_without_pull_webhooks_does_not_touch_feeds(api: Api, backend: Backend) -> None:
    webhook = {**PULL, "kind": "push", "url": "https://receiver.example/"}
    api(f"POST {WEBHOOKS}", json=webhook)
    with watched("dynamodb.UpdateItem") as updates, watched("dynamodb.PutItem") as puts:
        api(f"POST {EVENTS}", json={"type": "POST_PUBLISHED", "data": POST})
    feeds = backend.template.name("FeedsTable")
    assert [call for call in (*updates, *puts) if call["TableName"] == feeds] == []


def test_event_in_a_feed_costs_two_calls(feed: Feed, backend: Backend) -> None:
    feed.publish()  # fills the caches
    feed.call(f"PUT {feed.path}/status", json={"status": "INACTIVE"})
    feed.publish()
    backend.calls.clear()
    feed.publish()
    without = backend.calls.count
    feed.call(f"PUT {feed.path}/status", json={"status": "ACTIVE"})
    feed.publish()
    backend.calls.clear()
    feed.publish()
    assert backend.calls.count - without == {TAKE: 1, WRITE: 1}


def test_response_costs_four_calls(feed: Feed, backend: Backend) -> None:
    for _ in range(3):
        feed.publish()
    feed.commit("a", 1)
    feed.read("consumer=a")  # fills the cache of data keys
    backend.calls.clear()
    assert len(feed.read("consumer=a")["items"]) == 2
    # Reads of the webhook, position, entries, and events, and a write if a share of the ceiling is reserved.
    expected = {"dynamodb.GetItem": 2, "dynamodb.Query": 1, "dynamodb.BatchGetItem": 1}
    assert {name: backend.calls.count[name] for name in expected} == expected
    assert not backend.calls.count.keys() - {*expected, "dynamodb.UpdateItem"}


def test_events_of_a_batch_take_their_numbers_at_once(feed: Feed, source: Source) -> None:
    events = feed.queue(3)
    with watched(TAKE) as calls:
        assert source.poll() == 3
    assert len([call for call in calls if HEAD in json.dumps(call)]) == 1
    assert sorted(feed.events()) == sorted(events)


def test_event_in_many_feeds_is_left_to_the_worker(
    feed: Feed, api: Api, clock: Clock, source: Source
) -> None:
    feeds = [feed, *(Feed(api, clock) for _ in range(10))]
    event = feed.publish()
    assert feed.events() == []
    assert source.poll() == 1
    assert [each.events() for each in feeds] == [[event]] * 11


# ── gaps ─────────────────────────────────────────────────────────────────────────────────────────────


def test_late_entry_is_waited_for_and_comes_in_order(feed: Feed) -> None:
    seen: dict[str, Any] = {}

    def overtake() -> None:
        seen["fast"] = feed.publish()
        seen["page"] = feed.read()

    with meanwhile(WRITE, overtake):
        slow = feed.publish()
    assert (seen["page"]["items"], seen["page"]["cursor"], seen["page"]["hasMore"]) == ([], "0", False)
    assert seen["page"]["nextPollMs"] == 1000
    assert feed.events() == [slow, seen["fast"]]


def test_old_gap_is_skipped(feed: Feed, clock: Clock, source: Source) -> None:
    (lost,) = feed.queue()
    with killed(WRITE, where=ENTRY):
        source.poll()
    clock.move(10)
    event = feed.publish()
    assert feed.events() == []
    clock.move(20)
    page = feed.read()
    assert [(item["eventId"], item["sequence"]) for item in page["items"]] == [(event, 2)]
    source.run()
    assert feed.events(f"cursor={page['cursor']}") == [lost]


def test_fresh_event_behind_an_old_gap_is_not_delayed(feed: Feed, clock: Clock, source: Source) -> None:
    feed.queue()
    with killed(WRITE, where=ENTRY):
        source.poll()
    clock.move(31)
    event = feed.publish()
    assert feed.events() == [event]


def test_writer_that_is_slower_than_the_gap_loses_nothing(feed: Feed, clock: Clock) -> None:
    seen: dict[str, Any] = {}

    def overtake() -> None:
        seen["fast"] = feed.publish()
        clock.move(31)
        seen["page"] = feed.read()

    with meanwhile(WRITE, overtake):
        slow = feed.publish()
    assert [item["eventId"] for item in seen["page"]["items"]] == [seen["fast"]]
    assert feed.events(f"cursor={seen['page']['cursor']}") == [slow]


def test_gap_is_as_old_as_the_numbers_that_were_taken_with_it(feed: Feed, clock: Clock) -> None:
    event = feed.publish()
    clock.move(60)
    first, before = store.take_numbers(feed.key, 2, clock.now)
    late = [NewEntry(EventId.new(), "POST_PUBLISHED", 1) for _ in range(2)]
    store.write_entry(feed.key, late[1], first + 1, first=first, at=clock.now, before=before)
    assert (feed.events(), feed.read()["cursor"]) == ([event], "1")
    store.write_entry(feed.key, late[0], first, first=first, at=clock.now, before=before)  # the gap is open


def test_closed_gap_does_not_delay_a_reader_that_is_behind(feed: Feed, clock: Clock) -> None:
    store.take_numbers(feed.key, 3, clock.now)
    clock.move(31)
    assert feed.read("cursor=2")["cursor"] == "3"
    assert feed.read()["cursor"] == "3"


def test_number_with_the_entry_of_another_event_is_not_used(feed: Feed) -> None:
    other = NewEntry(EventId.new(), "POST_PUBLISHED", 1)
    store.write_entry(feed.key, other, 1, first=1, at=1, before=0)
    event = feed.publish()
    assert [item["sequence"] for item in feed.read("cursor=1")["items"]] == [2]
    assert feed.events("cursor=1") == [event]


def test_numbers_do_not_start_again_after_the_entries_expire(feed: Feed, backend: Backend) -> None:
    feed.publish()
    ttl = {row["sk"]: row["ttl"] for row in backend.rows("FeedsTable")}
    assert ttl.pop(HEAD) > max(ttl.values()) + 300 * 86_400


def test_gap_at_the_end_is_closed_so_that_the_lag_ends(feed: Feed, clock: Clock, source: Source) -> None:
    feed.queue()
    with killed(WRITE, where=ENTRY):
        source.poll()
    assert feed.read()["cursor"] == "0"
    clock.move(31)
    assert feed.read()["cursor"] == "1"
    assert feed.commit("c", 1).json()["lag"] == 0


def test_entry_that_an_outdated_read_missed_is_returned(
    feed: Feed, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queries are eventually consistent, so a read can miss an entry."""
    events = [feed.publish(), feed.publish()]
    read = store.entries_after

    def outdated(*arguments: Any) -> Any:
        entries, head = read(*arguments)
        return entries[1:], head

    clock.move(31)
    with monkeypatch.context() as patch:
        patch.setattr(store, "entries_after", outdated)
        page = feed.read()
    assert [item["eventId"] for item in page["items"]] == events


def test_each_response_closes_a_bounded_number_of_gaps(feed: Feed, clock: Clock, monkeypatch: Any) -> None:
    monkeypatch.setattr(service, "_MAX_CLOSED", 2)
    store.take_numbers(feed.key, 5, clock.now)
    event = feed.publish()
    clock.move(31)
    assert feed.events() == [event]  # one request closes the gaps in three rounds


# ── crashes and repeats ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("step", range(1, 9))
def test_crash_loses_no_event_and_repeats_none(feed: Feed, clock: Clock, source: Source, step: int) -> None:
    events = feed.queue(2)
    with dying(step) as process:
        source.poll()
    clock.move(181)  # longer than the visibility timeout
    source.run()
    clock.move(31)
    assert sorted(feed.events()) == sorted(events)
    assert process.died == (step <= 7), "cover every call"


@pytest.mark.parametrize(("operation", "row"), [(TAKE, HEAD), (WRITE, ENTRY)])
@pytest.mark.parametrize("tries", [1, None])
def test_lost_response_loses_no_event_and_repeats_none(
    feed: Feed, clock: Clock, source: Source, operation: str, row: str, tries: int | None
) -> None:
    with failing(operation, where=row, lost=True, tries=tries):
        event = feed.publish()
    source.run()
    clock.move(31)
    source.run()
    assert feed.events() == [event]


def test_repeat_with_the_same_key_is_in_the_feed_once(feed: Feed) -> None:
    headers = {"idempotency-key": "one"}
    assert feed.publish(headers=headers) == feed.publish(headers=headers)
    assert len(feed.events()) == 1


def test_concurrent_copies_have_the_same_id(feed: Feed, source: Source) -> None:
    feed.queue()
    (record,) = source.receive()
    with meanwhile("dynamodb.BatchWriteItem", lambda: source.invoke([record])):
        source.invoke([record])
    first, second = feed.read()["items"]
    assert first["id"] == second["id"]


def test_reader_misses_nothing_while_it_closes_gaps_of_writers(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader closes gaps immediately. Each writer waits for the reader once before each write, and so
    finds its numbers closed.
    """
    one_at_a_time(monkeypatch)
    monkeypatch.setattr(service, "_GAP_MS", 0)
    monkeypatch.setattr(append, "_MAX_TRIES", 1000)
    take, was_read, writer = store.take_numbers, Condition(), local()

    def take_and_wait(key: str, count: int, now: int) -> tuple[int, int]:
        taken = take(key, count, now)
        if writer.waits:
            writer.waits = False
            with was_read:
                for _ in range(2):  # the first read may have started before the numbers were taken
                    assert was_read.wait(30)
        return taken

    monkeypatch.setattr(store, "take_numbers", take_and_wait)
    ids = [EventId.new() for _ in range(24)]
    found: list[EventId] = []
    is_done = Event()

    def write(own: list[EventId]) -> None:
        for at in range(0, len(own), 2):
            pair = [NewEntry(id, "POST_PUBLISHED", 100) for id in own[at : at + 2]]
            writer.waits = True
            assert append.append({feed.key: pair}, resumed=frozenset()) == set()

    def read() -> int:
        position, closed = 0, 0
        while True:
            was_done = is_done.is_set()
            reading = service._read_once(feed.key, position, 100)
            found.extend(entry.event_id for entry in reading.entries if entry.event_id)
            closed += reading.closed
            position = reading.position
            with was_read:
                was_read.notify_all()
            if was_done and not reading.has_more:
                return closed

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(read)
        try:
            for written in [pool.submit(write, ids[start::3]) for start in range(3)]:
                written.result()
        finally:
            is_done.set()
        assert reader.result() >= len(ids)
    assert sorted(found) == sorted(ids)


# ── retention ────────────────────────────────────────────────────────────────────────────────────────


def test_expired_entries_are_skipped_and_reported(feed: Feed, clock: Clock) -> None:
    feed.publish()
    clock.move(30 * DAY_MS // 1000 + 1)
    event = feed.publish()
    page = feed.read()
    assert ([item["eventId"] for item in page["items"]], page["truncated"]) == ([event], True)
    assert not feed.read(f"cursor={page['cursor']}")["truncated"]


def test_deleted_rows_are_skipped_and_reported(feed: Feed, backend: Backend, clock: Clock) -> None:
    for _ in range(3):
        feed.publish()
    delete_rows(backend, "FeedsTable", lambda row: row["sk"].startswith(ENTRY))
    clock.move(30 * DAY_MS // 1000)
    assert (feed.read()["cursor"], feed.read()["truncated"]) == ("3", True)
    event = feed.publish()
    with watched(WRITE) as calls:
        page = feed.read()
    assert ([item["eventId"] for item in page["items"]], page["truncated"]) == ([event], True)
    assert calls == []


def test_entries_without_an_event_do_not_stop_a_consumer(feed: Feed, backend: Backend) -> None:
    for _ in range(3):
        feed.publish()
    delete_rows(backend, "EventsTable", lambda row: "fanOut" in row)
    event = feed.publish()
    page = feed.read("limit=1")
    assert ([item["eventId"] for item in page["items"]], page["truncated"]) == ([event], True)


def delete_rows(backend: Backend, table: str, where: Callable[[Any], bool]) -> None:
    """Delete rows, as TTL does."""
    keys = ("webhookKey", "sk") if table == "FeedsTable" else ("workspaceId", "id")
    for row in filter(where, backend.rows(table)):
        key = {name: {"S": row[name]} for name in keys}
        backend.client("dynamodb").delete_item(TableName=backend.template.name(table), Key=key)


# ── consumers ────────────────────────────────────────────────────────────────────────────────────────


def test_consumers_go_on_after_what_they_committed(feed: Feed) -> None:
    events = [feed.publish() for _ in range(3)]
    assert feed.events("consumer=a") == events
    answer = feed.commit("a", 2)
    assert (answer.status, answer.json()["sequence"], answer.json()["lag"]) == (200, 2, 1)
    assert feed.events("consumer=a") == events[2:]
    assert feed.events("consumer=b") == events
    assert feed.events("consumer=a&cursor=1") == events[1:]
    assert feed.commit("b", 3).status == 200
    consumers = feed.call(f"GET {feed.path}/feed/consumers").json()
    assert consumers["sequence"] == 3
    shown = [(each["consumer"], each["sequence"], each["lag"]) for each in consumers["items"]]
    assert shown == [("a", 2, 1), ("b", 3, 0)]


def test_commit_does_not_go_back_unless_it_is_a_rewind(feed: Feed) -> None:
    events = [feed.publish() for _ in range(3)]
    assert feed.commit("a", 3).status == feed.commit("a", 3).status == 200
    assert_problem(feed.commit("a", 1), 409, None, "already committed 3", "rewind")
    assert feed.commit("a", 1, rewind=True).json()["lag"] == 2
    assert feed.events("consumer=a") == events[1:]


def test_slower_of_two_commits_does_not_undo_the_other(feed: Feed) -> None:
    for _ in range(3):
        feed.publish()
    with meanwhile(TAKE, lambda: feed.commit("a", 3)):
        assert feed.commit("a", 2).status == 409
    assert feed.events("consumer=a") == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"consumer": "a", "sequence": 2}, "sequence"),
        ({"consumer": "a", "sequence": -1}, "sequence"),
        ({"consumer": "a", "sequence": "1"}, "sequence"),
        ({"consumer": "a b", "sequence": 1}, "consumer"),
        ({"sequence": 1}, "consumer"),
    ],
)
def test_commit_is_checked(feed: Feed, body: Any, path: str) -> None:
    feed.publish()
    assert_problem(feed.call(f"POST {feed.path}/feed/commit", json=body), 422, paths=[path])


def test_feed_has_a_limited_number_of_consumers(feed: Feed, clock: Clock) -> None:
    feed.publish()
    for number in range(20):
        assert feed.commit(f"c{number}", 0).status == 200
    assert_problem(feed.commit("other", 0), 409, None, "20 consumers")
    assert feed.commit("c7", 1).status == 200
    assert feed.call(f"DELETE {feed.path}/feed/consumers/c3").json() == {}
    assert_problem(feed.call(f"DELETE {feed.path}/feed/consumers/c3"), 404)
    assert feed.commit("other", 0).status == 200
    # Consumers that did not commit during the retention period make room.
    clock.move(15 * DAY_MS // 1000)
    assert feed.commit("c7", 1).status == 200
    clock.move(15 * DAY_MS // 1000)
    assert feed.commit("another", 0).status == 200
    names = [each["consumer"] for each in feed.call(f"GET {feed.path}/feed/consumers").json()["items"]]
    assert names == ["another", "c7"]


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """The actions to run in the pauses of a waiting request, in order. Time passes only in pauses."""
    actions: list[Callable[[], object]] = []
    passed = 0.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        slept.append(seconds)
        if actions:
            actions.pop(0)()

    monkeypatch.setattr(service, "time", SimpleNamespace(monotonic=lambda: passed, sleep=sleep, slept=slept))
    return actions


def slept() -> list[float]:
    return service.time.slept  # type: ignore[attr-defined]  # set by the fixture


def test_wait_returns_with_the_first_event(feed: Feed, pauses: list[Callable[[], object]]) -> None:
    pauses += [lambda: None, feed.publish]
    page = feed.read("wait=20")
    assert (len(page["items"]), page["nextPollMs"]) == (1, 0)
    assert slept() == [0.25, 0.5]


def test_wait_ends_without_an_event(feed: Feed, backend: Backend, pauses: list[Callable[[], object]]) -> None:
    with watched("dynamodb.Query") as calls:
        page = feed.read("wait=20")
    assert (page["items"], page["nextPollMs"], sum(slept())) == ([], 0, 20)
    # About one read per second, each of half a unit.
    assert len([call for call in calls if "entry#" in json.dumps(call)]) == 23
    (row,) = [row for row in backend.rows("FeedsTable") if row["sk"] == "waits"]
    assert "permits" not in row


def test_event_that_is_there_is_returned_without_a_wait(
    feed: Feed, pauses: list[Callable[[], object]]
) -> None:
    feed.publish()
    page = feed.read("wait=20")
    assert (len(page["items"]), page["nextPollMs"], slept()) == (1, 0, [])


def test_waits_of_a_workspace_are_limited(
    feed: Feed, backend: Backend, clock: Clock, pauses: list[Callable[[], object]]
) -> None:
    for _ in range(10):
        assert store.acquire_wait("acme", clock.now, 30_000)
    page = feed.read("wait=20")
    assert (page["items"], page["nextPollMs"], slept()) == ([], 5000, [])
    (row,) = backend.rows("FeedsTable")
    assert row["ttl"] * 1000 < clock.now + 2 * DAY_MS
    clock.move(31)  # the requests that held the permits have died
    feed.read("wait=20")
    assert sum(slept()) == 20


def test_permit_lasts_as_long_as_the_wait(
    feed: Feed, backend: Backend, clock: Clock, pauses: list[Callable[[], object]]
) -> None:
    permits: list[str] = []
    pauses += [
        lambda: permits.extend(*(row["permits"] for row in backend.rows("FeedsTable") if "permits" in row))
    ]
    feed.read("wait=20")
    (permit,) = permits
    assert int(permit.partition("#")[0]) >= clock.now + 20_000


def test_deletion_ends_a_wait_with_404(feed: Feed, pauses: list[Callable[[], object]]) -> None:
    pauses += [lambda: (feed.publish(), feed.call(f"DELETE {feed.path}"))]
    assert_problem(feed.call(f"GET {feed.path}/feed?wait=20"), 404)


# ── temporary webhooks, and deleted ones ─────────────────────────────────────────────────────────────


def sweep() -> None:
    importlib.import_module("workers.sweep_deliveries").handler({}, LAMBDA_CONTEXT)


def webhook_rows(backend: Backend) -> list[str]:
    rows = [row["sk"] for row in backend.rows("WebhooksTable")]
    return sorted(sk for sk in rows if sk != "count" and not sk.startswith("gone#"))


def test_expired_webhook_is_gone_at_once_and_removed_by_the_sweeper(
    api: Api, backend: Backend, clock: Clock
) -> None:
    feed = Feed(api, clock, expiresInSeconds=60)
    first = feed.publish()
    clock.move(59)
    assert feed.events() == [first]
    clock.move(1)
    for line in (f"GET {feed.path}", f"GET {feed.path}/feed", f"DELETE {feed.path}"):
        assert_problem(feed.call(line), 404)
    assert_problem(feed.call(f"PUT {feed.path}", json={"expiresInSeconds": 60}), 404)
    assert feed.call(f"GET {WEBHOOKS}").json()["items"] == []
    event = feed.publish()
    assert feed.call(f"GET {EVENTS}/{event}").json()["feeds"] == []
    sweep()
    assert webhook_rows(backend) == []
    assert [row for row in backend.rows("HealthTable") if "dueAt" in row] == []
    (number,) = [row for row in backend.rows("WebhooksTable") if row["sk"] == "count"]
    assert number["webhooks"] == 0


def test_expired_webhook_is_not_among_the_unmatched(api: Api, clock: Clock) -> None:
    cold_start()
    filters = [{"path": "network", "op": "equals", "value": "linkedin"}]
    feed = Feed(api, clock, expiresInSeconds=60, filters=filters)
    line = f"GET {EVENTS}/{feed.publish()}"
    assert [each["webhookId"] for each in feed.call(line).json()["unmatched"]] == [feed.webhook["id"]]
    clock.move(61)
    assert feed.call(line).json()["unmatched"] == []


def test_update_extends_the_time(api: Api, backend: Backend, clock: Clock) -> None:
    feed = Feed(api, clock, expiresInSeconds=60)
    clock.move(50)
    assert feed.call(f"PUT {feed.path}", json={"expiresInSeconds": 60}).status == 200
    clock.move(50)
    sweep()
    event = feed.publish()
    assert feed.events() == [event]
    clock.move(10)
    sweep()
    assert webhook_rows(backend) == []


def test_temporary_webhook_can_become_permanent(api: Api, backend: Backend, clock: Clock) -> None:
    feed = Feed(api, clock, expiresInSeconds=60)
    answer = feed.call(f"PUT {feed.path}", json={"expiresInSeconds": None})
    assert (answer.status, answer.json()["expiresAt"]) == (200, None)
    clock.move(61)
    sweep()
    event = feed.publish()
    assert feed.events() == [event]
    assert [row for row in backend.rows("HealthTable") if "dueAt" in row] == []


def test_sweeper_stops_visits_of_a_deleted_temporary_webhook(
    api: Api, backend: Backend, clock: Clock
) -> None:
    feed = Feed(api, clock, expiresInSeconds=60)
    feed.call(f"DELETE {feed.path}")
    clock.move(60)
    sweep()
    assert [row for row in backend.rows("HealthTable") if "dueAt" in row] == []


def test_extension_during_the_removal_wins(api: Api, backend: Backend, clock: Clock) -> None:
    feed = Feed(api, clock, expiresInSeconds=60)
    clock.move(60)

    def extend() -> None:
        clock.move(-1)
        assert feed.call(f"PUT {feed.path}", json={"expiresInSeconds": 600}).status == 200
        clock.move(1)

    with meanwhile("dynamodb.TransactWriteItems", extend):
        sweep()
    assert feed.events() == []
    clock.move(600)
    sweep()
    assert webhook_rows(backend) == []


def test_deleted_webhook_has_no_feed(feed: Feed) -> None:
    feed.publish()
    assert feed.call(f"DELETE {feed.path}").status == 200
    assert_problem(feed.call(f"GET {feed.path}/feed"), 404)
    assert_problem(feed.commit("a", 1), 404)
