"""POST /api/events/batch: each event judged by itself, ids that a repeat gives again, what SQS refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from patchbay import clock
from patchbay.auth.principal import in_process
from patchbay.events import service
from patchbay.events.models import PublishedEvent, PublishEvent, PublishEvents
from patchbay.rate_limits import ceilings
from tests.catalogued import POST
from tests.conftest import Answer, Api, Backend, jwt_for
from tests.faults import REFUSED, TIMEOUT, Clock, Source, failing, partly_refused, watched

BATCH, EVENTS = "POST /api/events/batch", "POST /api/events"
EVENT: dict[str, Any] = {"type": "POST_PUBLISHED", "data": {**POST, "n": 1}}
KB = 1024


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def numbered(count: int) -> list[dict[str, Any]]:
    return [{**EVENT, "data": {**POST, "n": n}} for n in range(count)]


def items(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 202, answer
    found: list[dict[str, Any]] = answer.json()["items"]
    assert all(set(item) in ({"id", "type", "timestamp"}, {"error"}) for item in found)
    return found


def ids(answer: Answer) -> list[str]:
    return [item["id"] for item in items(answer)]


def codes(answer: Answer) -> list[str | None]:
    """By item: None for one that was taken, the code of its error otherwise."""
    return [item["error"]["code"] if "error" in item else None for item in items(answer)]


def queued(backend: Backend) -> list[dict[str, Any]]:
    return [json.loads(message["body"]) for message in backend.messages("EventsQueue")]


@pytest.fixture
def steady(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ceilings in a minute that does not end."""
    now = clock.now_ms()
    monkeypatch.setattr(ceilings, "_process", ceilings.Ceilings(lambda: now))


# ── one by one ───────────────────────────────────────────────────────────────────────────────────────


def test_events_are_queued_in_one_call_for_ten_and_answered_in_order(api: Api, backend: Backend) -> None:
    with watched("sqs.SendMessageBatch") as calls:
        answer = api(BATCH, json={"events": numbered(23)})
    assert [len(call["Entries"]) for call in calls] == [10, 10, 3]
    assert {entry["MessageGroupId"] for call in calls for entry in call["Entries"]} == {"acme"}
    by_id = {event["id"]: event for event in queued(backend)}
    assert [by_id[id]["data"]["n"] for id in ids(answer)] == list(range(23))
    assert {event["source"] for event in by_id.values()} == {"api"}
    assert [clock.iso(clock.at_ms(by_id[id]["timestamp"])) for id in ids(answer)] == [
        item["timestamp"] for item in items(answer)
    ]


def test_a_call_to_sqs_holds_at_most_1_mib(api: Api, backend: Backend) -> None:
    """1 MB of quotes is 1 MB in the request and more in the messages."""
    events = [{**EVENT, "data": {**POST, "x": '"' * 120 * KB}} for _ in range(4)]
    with watched("sqs.SendMessageBatch") as calls:
        assert len(ids(api(BATCH, json={"events": events}))) == 4
    sizes = [sum(len(entry["MessageBody"].encode()) for entry in call["Entries"]) for call in calls]
    assert max(sizes) <= KB * KB
    assert len(queued(backend)) == 4


# What POST /api/events refuses, and with which code.
BAD: list[Any] = [
    {**EVENT, "type": "NOPE"},
    {**EVENT, "type": "WEBHOOK_DISABLED"},
    {**EVENT, "type": "ACTION_REQUESTED"},
    {**EVENT, "type": None},
    {"type": "POST_PUBLISHED"},
    {"data": POST},
    {**EVENT, "data": [1]},
    {**EVENT, "data": {**POST, "x": "x" * 256 * KB}},
    {**EVENT, "extra": 1},
    {**EVENT, "workspace_id": "acme"},
    {**EVENT, "workspaceId": "rival"},
    {**EVENT, "workspaceId": "a b"},
    {**EVENT, "idempotencyKey": ""},
    {**EVENT, "idempotencyKey": "é"},
    {},
    [],
    "text",
    5,
    None,
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: json.dumps(bad)[:50])
def test_a_bad_event_is_refused_as_it_is_alone_and_refuses_no_other(
    api: Api, backend: Backend, bad: Any
) -> None:
    alone = api(EVENTS, body=json.dumps(bad).encode())
    assert 400 <= alone.status < 500
    found = items(api(BATCH, json={"events": [EVENT, bad, EVENT]}))
    expected = alone.json()
    wanted = {name: expected[name] for name in ("code", "detail", "errors") if name in expected}
    assert found[1] == {"error": wanted}
    assert [event["id"] for event in queued(backend)] == [found[0]["id"], found[2]["id"]]


# JSON that cannot be taken, where `n` is 1.
MALFORMED = [
    '"\\ud800"',
    '{"\\udfff": 1}',
    "1e400",
    "NaN",
    "9" * 5000,
    '{"a": 1, "a": 2}',
    "[" * 31 + "]" * 31,
    "[" * 50_000 + "]" * 50_000,
]


@pytest.mark.parametrize("value", MALFORMED, ids=lambda value: value[:12])
def test_json_that_cannot_be_taken_refuses_its_own_item(api: Api, backend: Backend, value: str) -> None:
    good = json.dumps(EVENT)
    bad = good.replace('"n": 1', f'"n": {value}')
    alone = api(EVENTS, body=bad.encode())
    assert (alone.status, alone.json()["code"]) == (400, "malformed_json")
    body = f'{{"events": [{good}, {bad}, {good}]}}'.encode()
    once, again = (api(BATCH, body=body, headers=key("1")) for _ in range(2))
    found = items(once)
    assert found[1] == {"error": {name: alone.json()[name] for name in ("code", "detail")}}
    assert items(again) == found
    assert {event["id"] for event in queued(backend)} == {found[0]["id"], found[2]["id"]}


def test_an_item_may_be_as_deep_as_an_event_alone(api: Api) -> None:
    deep = json.dumps(EVENT).replace('"n": 1', '"n": ' + "[" * 30 + "]" * 30)
    assert api(EVENTS, body=deep.encode()).status == 202
    assert codes(api(BATCH, body=f'{{"events": [{deep}]}}'.encode())) == [None]


@pytest.mark.parametrize(
    "body",
    [
        '{"events": [1], "events": [1]}',
        '{"events": [1], "x": "\\ud800"}',
        '{"events": {"a": 1e400}}',
        '{"events": [1e400]',
        "[" * 100_000,
        '{"events":' + "[" * 2_000 + '"' + '\\"' * 200_000,  # minutes, if read in quadratic time
    ],
    ids=lambda body: body[:20],
)
def test_what_cannot_be_taken_outside_of_the_items_refuses_all(api: Api, body: str) -> None:
    answer = api(BATCH, body=body.encode())
    assert (answer.status, answer.json()["code"]) == (400, "malformed_json")


def test_a_batch_of_bad_events_costs_nothing(api: Api, backend: Backend) -> None:
    api(EVENTS, json=EVENT)
    backend.calls.clear()
    assert codes(api(BATCH, json={"events": [BAD[0], BAD[1]]}, headers=key("1"))) == ["validation_failed"] * 2
    assert backend.calls.made == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"events": []},
        {"events": None},
        {"events": {"0": EVENT}},
        {"events": "text"},
        {"events": [EVENT] * 101},
        {"events": [EVENT], "extra": 1},
        {"events": [EVENT], "workspaceId": "acme"},
    ],
    ids=lambda body: json.dumps(body)[:40],
)
def test_a_body_that_is_no_batch_is_422(api: Api, backend: Backend, body: Any) -> None:
    answer = api(BATCH, json=body)
    assert (answer.status, answer.json()["code"]) == (422, "validation_failed")
    assert queued(backend) == []


def test_a_hundred_events_and_1_mb_are_taken(api: Api, backend: Backend) -> None:
    assert len(ids(api(BATCH, json={"events": numbered(100)}))) == 100
    assert len(queued(backend)) == 100
    text = json.dumps({"events": [{**EVENT, "data": {**POST, "x": "x" * 250 * KB}} for _ in range(4)]})
    assert len(ids(api(BATCH, body=text.ljust(KB * KB).encode()))) == 4
    answer = api(BATCH, body=text.ljust(KB * KB + 1).encode())
    assert (answer.status, answer.json()["code"]) == (413, "payload_too_large")


def test_the_platform_publishes_for_others(api: Api, backend: Backend) -> None:
    workspaces = ["acme", "rival", None, "platform"]
    events = [{**EVENT, "workspaceId": workspace} for workspace in workspaces]
    answer = api(BATCH, json={"events": events}, token=jwt_for("platform"))
    by_id = {event["id"]: event["workspace_id"] for event in queued(backend)}
    assert [by_id[id] for id in ids(answer)] == ["acme", "rival", "platform", "platform"]


def test_in_process(backend: Backend) -> None:
    event = PublishEvent(type="POST_PUBLISHED", data={**POST, "n": 1})
    batch = PublishEvents(events=[event, event])
    first = service.publish_batch(in_process("acme"), batch, idempotency_key="1")
    assert all(isinstance(item, PublishedEvent) for item in first.items)
    assert service.publish_batch(in_process("acme"), batch, idempotency_key="1") == first


# ── the same again ───────────────────────────────────────────────────────────────────────────────────


def test_a_repeat_gives_the_same_ids_and_sends_again(api: Api, backend: Backend) -> None:
    """The first sends may have been lost."""
    body = {"events": [*numbered(3), {**EVENT, "type": "NOPE"}]}
    first = api(BATCH, json=body, headers=key("1"))
    sent = {event["id"]: event for event in queued(backend)}
    assert len(sent) == 3
    assert api(BATCH, json=body, headers=key("1")).json() == first.json()
    assert {event["id"]: event for event in queued(backend)} == sent
    for other in (key("2"), {}):
        assert not set(ids(api(BATCH, json={"events": numbered(3)}, headers=other))) & set(sent)
    rival = api(BATCH, json=body, headers=key("1"), token=jwt_for("rival"))
    assert not {item.get("id") for item in items(rival)[:3]} & set(sent)


def test_a_key_costs_one_write(api: Api, backend: Backend, steady: None) -> None:
    api(BATCH, json={"events": numbered(100)})
    backend.calls.clear()
    api(BATCH, json={"events": numbered(10)}, headers=key("1"))
    assert backend.calls.count["dynamodb.PutItem"] == 1
    assert backend.calls.count["sqs.SendMessageBatch"] == 1


@pytest.mark.parametrize(
    "events", [numbered(2), numbered(4), [*numbered(2), EVENT], list(reversed(numbered(3)))], ids=str
)
def test_a_key_with_other_events_is_refused_as_a_whole(
    api: Api, backend: Backend, events: list[dict[str, Any]]
) -> None:
    assert api(BATCH, json={"events": numbered(3)}, headers=key("1")).status == 202
    queued(backend)
    answer = api(BATCH, json={"events": events}, headers=key("1"))
    assert (answer.status, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert queued(backend) == []


@pytest.mark.parametrize("text", ["", "a" * 256, "é"])
def test_a_key_that_is_none_is_refused_as_a_whole(api: Api, backend: Backend, text: str) -> None:
    answer = api(BATCH, json={"events": numbered(1)}, headers=key(text))
    assert (answer.status, answer.json()["code"]) == (422, "validation_failed")
    assert queued(backend) == []


def test_an_events_own_key_is_that_of_the_route_for_one(api: Api, backend: Backend) -> None:
    own = {**EVENT, "idempotencyKey": "mine"}
    single = api(EVENTS, json=own).json()
    for headers in ({}, key("1"), key("mine")):
        found = items(api(BATCH, json={"events": [EVENT, own, own]}, headers=headers))
        assert found[1:] == [single, single]
        assert found[0] != single
    assert len([event for event in queued(backend) if event["id"] == single["id"]]) == 3

    other = {**own, "data": {**POST, "n": 2}}
    assert codes(api(BATCH, json={"events": [other, EVENT]})) == ["idempotency_mismatch", None]


def test_a_lost_answer_and_a_repeat_deliver_once(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    source = Source(backend, "EventsQueue", "workers.fan_out.handler", clock)
    hook = {"name": "test", "url": "https://receiver.example/", "events": ["*"]}
    assert api("POST /api/integrations/webhooks", json=hook).status == 201
    body = {"events": numbered(12)}
    with failing("sqs.SendMessageBatch", at=2, lost=True, error=TIMEOUT):
        assert api(BATCH, json=body, headers=key("1")).status == 500
    source.run()
    repeat = api(BATCH, json=body, headers=key("1"))
    source.run()
    deliveries = [json.loads(message["body"]) for message in backend.messages("DeliveriesQueue")]
    # What is queued twice is one delivery.
    assert len({delivery["id"] for delivery in deliveries}) == len(body["events"])
    assert {delivery["event_id"] for delivery in deliveries} == set(ids(repeat))


# ── what is not taken ────────────────────────────────────────────────────────────────────────────────


def test_what_sqs_does_not_take_is_to_be_sent_again(api: Api, backend: Backend) -> None:
    body = {"events": numbered(12)}
    with partly_refused(lambda text: '"n":7}' in text, times=2):
        first = api(BATCH, json=body, headers=key("1"))
    assert codes(first) == [None] * 7 + ["upstream_failed"] + [None] * 4
    assert "again" in items(first)[7]["error"]["detail"]
    taken = {event["data"]["n"]: event["id"] for event in queued(backend)}
    assert set(taken) == set(range(12)) - {7}
    repeat = ids(api(BATCH, json=body, headers=key("1")))
    assert [id for n, id in enumerate(repeat) if n != 7] == list(taken.values())
    assert len({*repeat}) == 12


def test_what_sqs_takes_at_the_second_try_is_taken(api: Api, backend: Backend) -> None:
    with partly_refused(lambda text: True):
        assert codes(api(BATCH, json={"events": numbered(2)})) == [None, None]
    assert len(queued(backend)) == 2


def test_a_queue_that_fails_is_an_error_of_the_whole(api: Api) -> None:
    with failing("sqs.SendMessageBatch", error=REFUSED):
        assert api(BATCH, json={"events": numbered(2)}).status == 500


@pytest.mark.parameters(MaxEventsPerMinute=10)
@pytest.mark.parametrize("used", range(10))
def test_at_the_ceiling_the_first_ones_pass(api: Api, backend: Backend, steady: None, used: int) -> None:
    assert used == 0 or codes(api(BATCH, json={"events": numbered(used)})) == [None] * used
    queued(backend)
    body = {"events": [BAD[0], *numbered(12)]}
    answer = api(BATCH, json=body, headers=key("1"))
    left = 10 - used
    assert codes(answer) == ["validation_failed", *[None] * left, *["rate_limited"] * (12 - left)]
    assert "10 events a minute" in items(answer)[-1]["error"]["detail"]
    assert [event["data"]["n"] for event in queued(backend)] == list(range(left))
    assert api(EVENTS, json=EVENT).status == 429


@pytest.mark.parameters(MaxEventsPerMinute=3)
def test_a_full_ceiling_leaves_nothing(api: Api, backend: Backend, steady: None) -> None:
    assert codes(api(BATCH, json={"events": numbered(3)})) == [None] * 3
    queued(backend)
    assert codes(api(BATCH, json={"events": numbered(2)}, headers=key("1"))) == ["rate_limited"] * 2
    assert backend.rows("IdempotencyTable") == []
    assert queued(backend) == []


@pytest.mark.parameters(MaxEventsPerMinute=2)
def test_each_workspace_has_its_own_ceiling(api: Api, steady: None) -> None:
    events = [{**EVENT, "workspaceId": workspace} for workspace in ("a", "b", "a", "a", "b", "a")]
    found = codes(api(BATCH, json={"events": events}, token=jwt_for("platform")))
    assert found == [None, None, None, "rate_limited", None, "rate_limited"]


@pytest.mark.parameters(MaxEventsPerMinute=100_000)
def test_a_batch_that_fits_is_one_write(backend: Backend, api: Api, steady: None) -> None:
    api(BATCH, json={"events": numbered(1)})
    backend.calls.clear()
    api(BATCH, json={"events": numbered(100)})
    assert backend.calls.count["sqs.SendMessageBatch"] == 10
    assert backend.calls.count["dynamodb.UpdateItem"] <= 1
