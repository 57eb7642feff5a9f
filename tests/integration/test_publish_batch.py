"""POST /api/events/batch: separate validation of each event, repeats, and messages that SQS rejects."""

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
from tests.problems import assert_problem

BATCH, EVENTS = "POST /api/events/batch", "POST /api/events"
EVENT: dict[str, Any] = {"type": "POST_PUBLISHED", "data": {**POST, "n": 1}}
KB = 1024


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def numbered(count: int) -> list[dict[str, Any]]:
    return [{**EVENT, "data": {**POST, "n": n}} for n in range(count)]


def items(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 202, answer
    result: list[dict[str, Any]] = answer.json()["items"]
    assert all(set(item) in ({"id", "type", "timestamp"}, {"error"}) for item in result)
    return result


def ids(answer: Answer) -> list[str]:
    return [item["id"] for item in items(answer)]


def codes(answer: Answer) -> list[str | None]:
    """Return the error code of each item, or None for a published event."""
    return [item["error"]["code"] if "error" in item else None for item in items(answer)]


def queued(backend: Backend) -> list[dict[str, Any]]:
    return [json.loads(message["body"]) for message in backend.messages("EventsQueue")]


@pytest.fixture
def steady(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of the ceilings, so their minute never ends."""
    now = clock.now_ms()
    monkeypatch.setattr(ceilings, "_process", ceilings.Ceilings(lambda: now))


# ── validation ───────────────────────────────────────────────────────────────────────────────────────


def test_batch_is_queued_ten_in_a_call_and_answered_in_order(api: Api, backend: Backend) -> None:
    with watched("sqs.SendMessageBatch") as calls:
        answer = api(BATCH, json={"events": numbered(23)})
    assert [len(call["Entries"]) for call in calls] == [10, 10, 3]
    assert {entry["MessageGroupId"] for call in calls for entry in call["Entries"]} == {"acme"}
    by_id = {event["id"]: event for event in queued(backend)}
    assert [by_id[id]["data"]["n"] for id in ids(answer)] == list(range(23))
    assert {event["source"] for event in by_id.values()} == {"api"}
    assert [clock.iso(clock.from_ms(by_id[id]["timestamp"])) for id in ids(answer)] == [
        item["timestamp"] for item in items(answer)
    ]


def test_call_to_sqs_has_at_most_1_mib(api: Api, backend: Backend) -> None:
    """JSON within JSON escapes quotes, so 1 MB of quotes in a request becomes more in the messages."""
    events = [{**EVENT, "data": {**POST, "x": '"' * 120 * KB}} for _ in range(4)]
    with watched("sqs.SendMessageBatch") as calls:
        assert len(ids(api(BATCH, json={"events": events}))) == 4
    sizes = [sum(len(entry["MessageBody"].encode()) for entry in call["Entries"]) for call in calls]
    assert max(sizes) <= KB * KB
    assert len(queued(backend)) == 4


# Events that POST /api/events rejects.
INVALID: list[Any] = [
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


@pytest.mark.parametrize("invalid", INVALID, ids=lambda invalid: json.dumps(invalid)[:50])
def test_invalid_event_gets_the_error_that_it_gets_alone(api: Api, backend: Backend, invalid: Any) -> None:
    alone = api(EVENTS, body=json.dumps(invalid).encode())
    assert 400 <= alone.status < 500
    first, middle, last = items(api(BATCH, json={"events": [EVENT, invalid, EVENT]}))
    problem = alone.json()
    expected = {name: problem[name] for name in ("code", "detail", "errors") if name in problem}
    assert middle == {"error": expected}
    assert {event["id"] for event in queued(backend)} == {first["id"], last["id"]}


# Malformed JSON that replaces the value of `n`.
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
def test_malformed_json_rejects_only_its_own_item(api: Api, backend: Backend, value: str) -> None:
    valid = json.dumps(EVENT)
    malformed = valid.replace('"n": 1', f'"n": {value}')
    alone = api(EVENTS, body=malformed.encode())
    problem = assert_problem(alone, 400, "malformed_json")
    body = f'{{"events": [{valid}, {malformed}, {valid}]}}'.encode()
    response, repeat = (api(BATCH, body=body, headers=key("1")) for _ in range(2))
    first, middle, last = items(response)
    assert middle == {"error": {name: problem[name] for name in ("code", "detail")}}
    assert items(repeat) == items(response)
    assert {event["id"] for event in queued(backend)} == {first["id"], last["id"]}


def test_item_can_be_as_deep_as_an_event_alone(api: Api) -> None:
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
        '{"events":' + "[" * 2_000 + '"' + '\\"' * 200_000,  # takes minutes with a quadratic parser
    ],
    ids=lambda body: body[:20],
)
def test_malformed_json_outside_the_items_rejects_the_batch(api: Api, body: str) -> None:
    assert_problem(api(BATCH, body=body.encode()), 400, "malformed_json")


def test_batch_of_invalid_events_makes_no_aws_calls(api: Api, backend: Backend) -> None:
    api(EVENTS, json=EVENT)
    backend.calls.clear()
    assert (
        codes(api(BATCH, json={"events": [INVALID[0], INVALID[1]]}, headers=key("1")))
        == ["validation_failed"] * 2
    )
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
def test_publish_batch_rejects_invalid_body(api: Api, backend: Backend, body: Any) -> None:
    assert_problem(api(BATCH, json=body), 422)
    assert queued(backend) == []


def test_publish_batch_accepts_100_events_and_1_mb(api: Api, backend: Backend) -> None:
    assert len(ids(api(BATCH, json={"events": numbered(100)}))) == 100
    assert len(queued(backend)) == 100
    text = json.dumps({"events": [{**EVENT, "data": {**POST, "x": "x" * 250 * KB}} for _ in range(4)]})
    assert len(ids(api(BATCH, body=text.ljust(KB * KB).encode()))) == 4
    answer = api(BATCH, body=text.ljust(KB * KB + 1).encode())
    assert_problem(answer, 413, "payload_too_large")


def test_platform_can_publish_for_other_workspaces(api: Api, backend: Backend) -> None:
    workspaces = ["acme", "rival", None, "platform"]
    events = [{**EVENT, "workspaceId": workspace} for workspace in workspaces]
    answer = api(BATCH, json={"events": events}, token=jwt_for("platform"))
    by_id = {event["id"]: event["workspace_id"] for event in queued(backend)}
    assert [by_id[id] for id in ids(answer)] == ["acme", "rival", "platform", "platform"]


def test_publish_batch_in_process(backend: Backend) -> None:
    event = PublishEvent(type="POST_PUBLISHED", data={**POST, "n": 1})
    batch = PublishEvents(events=[event, event])
    first = service.publish_batch(in_process("acme"), batch, idempotency_key="1")
    assert all(isinstance(item, PublishedEvent) for item in first.items)
    assert service.publish_batch(in_process("acme"), batch, idempotency_key="1") == first


# ── repeats ──────────────────────────────────────────────────────────────────────────────────────────


def test_repeat_returns_the_same_ids_and_queues_again(api: Api, backend: Backend) -> None:
    """The messages of the first request may have been lost."""
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


def test_idempotency_key_costs_one_write(api: Api, backend: Backend, steady: None) -> None:
    api(BATCH, json={"events": numbered(100)})
    backend.calls.clear()
    api(BATCH, json={"events": numbered(10)}, headers=key("1"))
    assert backend.calls.count["dynamodb.PutItem"] == 1
    assert backend.calls.count["sqs.SendMessageBatch"] == 1


@pytest.mark.parametrize(
    "events", [numbered(2), numbered(4), [*numbered(2), EVENT], list(reversed(numbered(3)))], ids=str
)
def test_idempotency_key_with_other_events_rejects_the_batch(
    api: Api, backend: Backend, events: list[dict[str, Any]]
) -> None:
    assert api(BATCH, json={"events": numbered(3)}, headers=key("1")).status == 202
    queued(backend)
    answer = api(BATCH, json={"events": events}, headers=key("1"))
    assert_problem(answer, 422, "idempotency_mismatch")
    assert queued(backend) == []


@pytest.mark.parametrize("text", ["", "a" * 256, "é"])
def test_invalid_idempotency_key_rejects_the_batch(api: Api, backend: Backend, text: str) -> None:
    assert_problem(api(BATCH, json={"events": numbered(1)}, headers=key(text)), 422)
    assert queued(backend) == []


def test_idempotency_key_of_an_event_is_shared_with_the_route_for_one_event(
    api: Api, backend: Backend
) -> None:
    keyed = {**EVENT, "idempotencyKey": "mine"}
    single = api(EVENTS, json=keyed).json()
    for headers in ({}, key("1"), key("mine")):
        first, *rest = items(api(BATCH, json={"events": [EVENT, keyed, keyed]}, headers=headers))
        assert rest == [single, single]
        assert first != single
    assert len([event for event in queued(backend) if event["id"] == single["id"]]) == 3

    other = {**keyed, "data": {**POST, "n": 2}}
    assert codes(api(BATCH, json={"events": [other, EVENT]})) == ["idempotency_mismatch", None]


@pytest.mark.moto_queues
def test_lost_response_and_a_repeat_deliver_once(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    source = Source(backend, "EventsQueue", "workers.fan_out.handler", clock)
    hook = {"name": "test", "url": "https://receiver.example/", "eventTypes": ["*"]}
    assert api("POST /api/integrations/webhooks", json=hook).status == 201
    body = {"events": numbered(12)}
    with failing("sqs.SendMessageBatch", at=2, lost=True, error=TIMEOUT):
        assert api(BATCH, json=body, headers=key("1")).status == 500
    source.run()
    repeat = api(BATCH, json=body, headers=key("1"))
    source.run()
    deliveries = [json.loads(message["body"]) for message in backend.messages("DeliveriesQueue")]
    # An event that is queued twice is delivered once.
    assert len({delivery["id"] for delivery in deliveries}) == len(body["events"])
    assert {delivery["event_id"] for delivery in deliveries} == set(ids(repeat))


# ── queue errors and ceilings ────────────────────────────────────────────────────────────────────────


def test_event_that_sqs_rejects_is_upstream_failed(api: Api, backend: Backend) -> None:
    body = {"events": numbered(12)}
    with partly_refused(lambda text: '"n":7}' in text, times=2):
        first = api(BATCH, json=body, headers=key("1"))
    assert codes(first) == [None] * 7 + ["upstream_failed"] + [None] * 4
    assert "again" in items(first)[7]["error"]["detail"]
    accepted = {event["data"]["n"]: event["id"] for event in queued(backend)}
    assert set(accepted) == set(range(12)) - {7}
    repeat = ids(api(BATCH, json=body, headers=key("1")))
    assert {n: id for n, id in enumerate(repeat) if n != 7} == accepted
    assert len({*repeat}) == 12


def test_event_that_sqs_accepts_at_the_second_attempt_is_published(api: Api, backend: Backend) -> None:
    with partly_refused(lambda text: True):
        assert codes(api(BATCH, json={"events": numbered(2)})) == [None, None]
    assert len(queued(backend)) == 2


def test_failing_queue_fails_the_batch(api: Api) -> None:
    with failing("sqs.SendMessageBatch", error=REFUSED):
        assert api(BATCH, json={"events": numbered(2)}).status == 500


@pytest.mark.parameters(MaxEventsPerMinute=10)
@pytest.mark.parametrize("used", range(10))
def test_first_events_of_a_batch_pass_at_the_ceiling(
    api: Api, backend: Backend, steady: None, used: int
) -> None:
    assert used == 0 or codes(api(BATCH, json={"events": numbered(used)})) == [None] * used
    queued(backend)
    body = {"events": [INVALID[0], *numbered(12)]}
    answer = api(BATCH, json=body, headers=key("1"))
    remaining = 10 - used
    assert codes(answer) == ["validation_failed", *[None] * remaining, *["rate_limited"] * (12 - remaining)]
    assert "10 events per minute" in items(answer)[-1]["error"]["detail"]
    assert sorted(event["data"]["n"] for event in queued(backend)) == list(range(remaining))
    assert api(EVENTS, json=EVENT).status == 429


@pytest.mark.parameters(MaxEventsPerMinute=3)
def test_batch_above_a_full_ceiling_writes_nothing(api: Api, backend: Backend, steady: None) -> None:
    assert codes(api(BATCH, json={"events": numbered(3)})) == [None] * 3
    queued(backend)
    assert codes(api(BATCH, json={"events": numbered(2)}, headers=key("1"))) == ["rate_limited"] * 2
    assert backend.rows("IdempotencyTable") == []
    assert queued(backend) == []


@pytest.mark.parameters(MaxEventsPerMinute=2)
def test_each_workspace_has_its_own_ceiling(api: Api, steady: None) -> None:
    events = [{**EVENT, "workspaceId": workspace} for workspace in ("a", "b", "a", "a", "b", "a")]
    answer = api(BATCH, json={"events": events}, token=jwt_for("platform"))
    assert codes(answer) == [None, None, None, "rate_limited", None, "rate_limited"]


@pytest.mark.parameters(MaxEventsPerMinute=100_000)
def test_batch_below_the_ceiling_takes_one_write(backend: Backend, api: Api, steady: None) -> None:
    api(BATCH, json={"events": numbered(1)})
    backend.calls.clear()
    api(BATCH, json={"events": numbered(100)})
    assert backend.calls.count["sqs.SendMessageBatch"] == 10
    assert backend.calls.count["dynamodb.UpdateItem"] <= 1
