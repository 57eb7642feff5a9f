"""Fan-out against the tables and queues of template.yaml: what matches, what is sent, and every crash."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from patchbay.events import store as events
from patchbay.events.models import EventMessage, payload
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.publishing import fan_out
from patchbay.publishing.fan_out import MAX_BODY_BYTES
from patchbay.rate_limits import ceilings
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import service
from tests.catalogued import POST, least
from tests.conftest import LAMBDA_CONTEXT, Api, Backend, jwt_for
from tests.faults import (
    REFUSED,
    THROTTLED,
    TIMEOUT,
    Clock,
    Source,
    cold_start,
    failing,
    killed,
    meanwhile,
    partly_refused,
    watched,
)

HOOK = "https://receiver.example/hook"
Subscribe = Callable[..., str]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def source(backend: Backend, clock: Clock) -> Source:
    return Source(backend, "EventsQueue", "workers.fan_out.handler", clock)


@pytest.fixture
def subscribe(api: Api) -> Subscribe:
    def create(*events: str, **more: Any) -> str:
        answer = api(
            "POST /api/integrations/webhooks",
            json={"name": "test", "url": HOOK, "events": list(events) or ["POST_PUBLISHED"], **more},
        )
        assert answer.status == 201, answer.text
        return str(answer.json()["id"])

    return create


def publish(
    api: Api, data: dict[str, Any] | None = None, *, type: str = "POST_PUBLISHED", **more: Any
) -> str:
    """Through the events queue, which batches go through, whatever their events match."""
    event = {"type": type, "data": {**least(type), **(data or {})}}
    answer = api("POST /api/events/batch", json={"events": [event]}, **more)
    assert answer.status == 202, answer.text
    return str(answer.json()["items"][0]["id"])


def sent(backend: Backend) -> list[dict[str, Any]]:
    """The deliveries that wait in their queue; taken off it."""
    sqs, url = backend.client("sqs"), backend.queue_url("DeliveriesQueue")
    records = backend.messages("DeliveriesQueue")
    for record in records:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
    return [json.loads(record["body"]) for record in records]


def receivers(backend: Backend) -> list[str]:
    """The webhooks that deliveries wait for, sorted."""
    return sorted(message["webhook_id"] for message in sent(backend))


def fan_outs(backend: Backend) -> list[str]:
    """How far the fan-out of each event is."""
    return [row["fanOut"] for row in backend.events()]


# ── matching ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_reaches_the_webhooks_of_its_type_and_those_of_all_types(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    one, every = subscribe("POST_PUBLISHED"), subscribe("*")
    subscribe("POST_FAILED")
    id = publish(api)
    source.run()
    assert receivers(backend) == sorted([one, every])
    assert api(f"GET /api/events/{id}").json()["deliveries"] == [
        {"id": DeliveryId.derived(EventId(id), webhook), "webhookId": webhook, "status": "PENDING"}
        for webhook in [one, every]
    ]


def test_a_webhook_that_matches_twice_gets_one_delivery(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe("POST_PUBLISHED", "*", "POST_FAILED")
    publish(api)
    source.run()
    assert receivers(backend) == [webhook]


def test_a_type_whose_name_begins_like_another_is_another(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe("CAMPAIGN_STARTED")
    completed = subscribe("CAMPAIGN_COMPLETED")
    publish(api, type="CAMPAIGN_COMPLETED")
    source.run()
    assert receivers(backend) == [completed]


def test_filters_decide(backend: Backend, api: Api, source: Source, subscribe: Subscribe) -> None:
    data = {"post": {"channel": "x"}, "one": 1, "yes": True, "none": None, "tags": ["a"]}
    passing = [
        [{"path": "post.channel", "op": "equals", "value": "x"}],
        [{"path": "one", "op": "equals", "value": 1.0}],
        [{"path": "none", "op": "in", "value": [0.1, None, "a"]}],
        [{"path": "tags.1", "op": "exists", "value": False}],
        [{"path": "tags.0", "op": "exists"}, {"path": "yes", "op": "equals", "value": True}],
    ]
    refusing = [
        [{"path": "post.channel", "op": "equals", "value": "y"}],
        [{"path": "yes", "op": "equals", "value": 1}],
        [{"path": "nowhere", "op": "in", "value": [0.1, None, "a"]}],
        [{"path": "one", "op": "exists"}, {"path": "one", "op": "equals", "value": 2}],
    ]
    wanted = [subscribe("POST_PUBLISHED", filters=filters) for filters in passing]
    for filters in refusing:
        subscribe("POST_PUBLISHED", filters=filters)
    publish(api, data)
    source.run()
    assert receivers(backend) == sorted(wanted)


def test_what_is_not_active_gets_nothing(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    paused, gone, disabled, resumed = (subscribe("POST_PUBLISHED", "*") for _ in range(4))
    for webhook in (paused, resumed):
        api(f"PUT /api/integrations/webhooks/{webhook}/status", json={"status": "INACTIVE"})
    api(f"PUT /api/integrations/webhooks/{resumed}/status", json={"status": "ACTIVE"})
    api(f"DELETE /api/integrations/webhooks/{gone}")
    service.disable("acme", WebhookId(disabled), "endpoint_gone")
    publish(api)
    source.run()
    assert receivers(backend) == [resumed]


def test_another_workspace_gets_nothing(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe("*")
    publish(api, token=jwt_for("other"))
    source.run()
    assert sent(backend) == []


def test_subscriptions_follow_a_change(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe("POST_FAILED")
    api(f"PUT /api/integrations/webhooks/{webhook}", json={"events": ["POST_PUBLISHED"]})
    publish(api, type="POST_FAILED")
    publish(api, type="POST_PUBLISHED")
    source.run()
    assert [message["event_type"] for message in sent(backend)] == ["POST_PUBLISHED"]


KNOWN = {"name": "test", "url": HOOK, "events": ["POST_PUBLISHED"]}
CHANGES: dict[str, Callable[[Api, str], object]] = {
    "created": lambda api, id: api("POST /api/integrations/webhooks", json=KNOWN),
    "events": lambda api, id: api(f"PUT /api/integrations/webhooks/{id}", json={"events": ["POST_FAILED"]}),
    "filters": lambda api, id: api(
        f"PUT /api/integrations/webhooks/{id}", json={"filters": [{"path": "no", "op": "exists"}]}
    ),
    # In Python these filters are equal to those before.
    "true for 1": lambda api, id: api(
        f"PUT /api/integrations/webhooks/{id}",
        json={"filters": [{"path": "n", "op": "equals", "value": True}]},
    ),
    "paused": lambda api, id: api(f"PUT /api/integrations/webhooks/{id}/status", json={"status": "INACTIVE"}),
    "deleted": lambda api, id: api(f"DELETE /api/integrations/webhooks/{id}"),
    "disabled": lambda api, id: service.disable("acme", WebhookId(id), "endpoint_gone"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_process_that_knows_the_subscriptions_notices_a_change(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, change: str
) -> None:
    webhook = subscribe(filters=[{"path": "n", "op": "equals", "value": 1}])
    publish(api, {"n": 1})
    source.run()
    assert receivers(backend) == [webhook]
    CHANGES[change](api, webhook)
    publish(api, {"n": 1})
    source.run()
    assert len(receivers(backend)) == (2 if change == "created" else 0)


def test_what_does_not_change_matching_keeps_the_known_subscriptions(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe(filters=[{"path": "n", "op": "exists", "value": False}])
    publish(api)
    source.run()
    api(f"POST /api/integrations/webhooks/{webhook}/rotate-secret", json={})
    api(f"PUT /api/integrations/webhooks/{webhook}", json={"name": "another"})
    publish(api)
    backend.calls.clear()
    source.run()
    assert "dynamodb.Query" not in backend.calls.count
    assert receivers(backend) == [webhook] * 2


def test_subscriptions_written_by_an_earlier_release_are_noticed_within_a_minute(
    backend: Backend, api: Api, source: Source, clock: Clock
) -> None:
    publish(api)
    source.run()
    row = {"workspaceId": "acme", "sk": "sub#*#whk_0000000000000000000000", "filters": []}
    dynamo.put(settings().webhooks_table, row)  # and no version
    clock.move(60)
    publish(api)
    source.run()
    assert receivers(backend) == ["whk_0000000000000000000000"]


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────


def test_a_delivery_message(backend: Backend, api: Api, source: Source, subscribe: Subscribe) -> None:
    webhook = subscribe()
    data = {**POST, "title": "Grüße 🎈"}
    with watched("sqs.SendMessageBatch") as calls:
        published = api("POST /api/events", json={"type": "POST_PUBLISHED", "data": data}).json()
    (message,) = sent(backend)
    assert message["id"] == DeliveryId.derived(EventId(published["id"]), webhook)
    assert json.loads(message["body"]) == published | {"data": data}
    assert [entry["MessageGroupId"] for call in calls for entry in call["Entries"]] == ["acme"]


def padding(id: str, size: int) -> dict[str, str]:
    """Data that makes the body exactly so many bytes long."""
    empty = len(payload(EventId(id), "POST_PUBLISHED", 0, {**POST, "x": ""}).encode())
    return {**POST, "x": "x" * (size - empty)}


@pytest.mark.parametrize(("over", "inside"), [(0, True), (1, False)])
def test_a_body_of_64_kb_travels_along_and_a_larger_one_by_reference(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, over: int, inside: bool
) -> None:
    subscribe()
    data = padding(EventId.new(), MAX_BODY_BYTES + over)
    id = publish(api, data)
    source.run()
    (message,) = sent(backend)
    assert (message["body"] is not None) is inside
    if message["body"] is not None:
        assert len(message["body"].encode()) == MAX_BODY_BYTES
    assert api(f"GET /api/events/{id}").json()["data"] == data


def test_many_webhooks_go_out_ten_a_call(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(23)]
    publish(api)
    with watched("sqs.SendMessageBatch") as calls:
        source.run()
    assert [len(call["Entries"]) for call in calls] == [10, 10, 3]
    assert receivers(backend) == sorted(webhooks)


def test_a_call_holds_at_most_1_mib(backend: Backend, api: Api, source: Source, subscribe: Subscribe) -> None:
    webhooks = [subscribe() for _ in range(12)]
    # Quotes double in a text within a text: 64 KB of body make a message of about 128 KB.
    publish(api, {"x": '"' * 32_000})
    with watched("sqs.SendMessageBatch") as calls:
        source.run()
    sizes = [sum(len(entry["MessageBody"].encode()) for entry in call["Entries"]) for call in calls]
    assert max(sizes) <= 1024 * 1024 < sum(sizes)
    assert receivers(backend) == sorted(webhooks)


# What SQS takes in a message (SendMessage's reference); it refuses, or replaces, all else.
SQS_TEXT = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


def test_every_text_of_json_passes_through_sqs(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe()
    data = {**POST, "x": "\x00\x1f\x7f\x9f\u2028\ufffd\ufffe\uffff\U0001fffe"}
    with watched("sqs.SendMessageBatch") as calls:
        publish(api, data)
        source.run()
    bodies = [entry["MessageBody"] for call in calls for entry in call["Entries"]]
    assert len(bodies) == 2  # the event's and the delivery's
    assert all(SQS_TEXT.fullmatch(body) for body in bodies)
    (message,) = sent(backend)
    assert json.loads(message["body"])["data"] == data


# A batch of events in a process that knows the workspace's subscriptions.
WARM = {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}


def test_calls(backend: Backend, api: Api, source: Source, subscribe: Subscribe) -> None:
    """What a batch costs: ten events to one webhook each are three calls."""

    def cost(events: int) -> dict[str, int]:
        for n in range(events):
            publish(api, {"n": n})
        backend.calls.clear()
        assert source.poll() == events
        return dict(backend.calls.count)

    subscribe("POST_FAILED")
    assert cost(1) == WARM | {"dynamodb.Query": 2}
    assert cost(1) == WARM

    subscribe()
    assert cost(10) == WARM | {"dynamodb.Query": 2, "sqs.SendMessageBatch": 1}
    assert cost(10) == WARM | {"sqs.SendMessageBatch": 1}
    assert len(sent(backend)) == 20

    for _ in range(2):
        subscribe()
    assert cost(5) == WARM | {"dynamodb.Query": 2, "sqs.SendMessageBatch": 2}  # 15 deliveries

    for _ in range(8):
        subscribe()
    # An event to more than ten webhooks: done, and charged.
    assert cost(1) == WARM | {"dynamodb.Query": 2, "sqs.SendMessageBatch": 2, "dynamodb.UpdateItem": 2}
    assert cost(1) == WARM | {"sqs.SendMessageBatch": 2, "dynamodb.UpdateItem": 2}


# ── repeats and crashes ──────────────────────────────────────────────────────────────────────────────


def test_a_repeat_of_what_is_done_is_dropped(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    first = [subscribe() for _ in range(11)]
    id = publish(api, headers={"idempotency-key": "1"})
    source.run()
    subscribe()
    assert publish(api, headers={"idempotency-key": "1"}) == id
    source.run()
    assert receivers(backend) == first
    assert fan_outs(backend) == ["DONE"]


def test_a_repeat_of_what_went_out_in_one_send_goes_to_the_same_webhooks(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    first = [subscribe() for _ in range(10)]
    publish(api, headers={"idempotency-key": "1"})
    backend.calls.clear()
    source.run()
    assert backend.calls.count == WARM | {"dynamodb.Query": 2, "sqs.SendMessageBatch": 1}
    subscribe()
    publish(api, headers={"idempotency-key": "1"})
    source.run()
    assert receivers(backend) == sorted(first * 2)  # each is dropped by its delivery's claim
    assert fan_outs(backend) == ["IN_ONE_SEND"]


def test_a_fan_out_that_stopped_for_good_is_queued_again_by_the_sweeper(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, clock: Clock
) -> None:
    """Its message is lost: SQS gave it up, or somebody emptied the queue."""
    sweep = importlib.import_module("workers.sweep_deliveries").handler
    webhooks = [subscribe() for _ in range(23)]
    id = publish(api, {**POST, "n": 1})
    with killed("sqs.SendMessageBatch", at=2):
        source.invoke(source.receive())
    backend.client("sqs").purge_queue(QueueUrl=source.url)
    sweep({}, LAMBDA_CONTEXT)
    assert source.waits == []  # its own message may still come back
    clock.move(15 * 60 + 1)
    with meanwhile("dynamodb.UpdateItem", lambda: sweep({}, LAMBDA_CONTEXT)):  # two sweepers
        sweep({}, LAMBDA_CONTEXT)
    assert source.waits == [0]
    source.run()
    assert set(receivers(backend)) == set(webhooks)
    assert fan_outs(backend) == ["DONE"]
    assert api(f"GET /api/events/{id}").json()["data"] == {**POST, "n": 1}
    clock.move(15 * 60 + 1)
    sweep({}, LAMBDA_CONTEXT)
    assert source.waits == []


def test_an_event_for_nobody_is_done_at_once(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    id = publish(api, headers={"idempotency-key": "1"})
    source.run()
    subscribe()
    publish(api, headers={"idempotency-key": "1"})
    source.run()
    assert sent(backend) == []
    assert api(f"GET /api/events/{id}").json()["deliveries"] == []


@pytest.mark.parametrize(
    ("operation", "at", "after"),
    [
        ("dynamodb.BatchGetItem", 1, False),
        ("dynamodb.Query", 1, False),
        ("dynamodb.BatchWriteItem", 1, False),
        ("dynamodb.BatchWriteItem", 1, True),
        ("sqs.SendMessageBatch", 1, False),
        ("sqs.SendMessageBatch", 1, True),
        ("sqs.SendMessageBatch", 2, True),
        ("dynamodb.UpdateItem", 1, False),
        ("dynamodb.UpdateItem", 1, True),
        ("dynamodb.UpdateItem", 2, True),
    ],
    ids=[
        "before_the_look",
        "before_matching",
        "before_the_row",
        "after_the_row",
        "before_the_sends",
        "between_the_sends",
        "after_the_sends",
        "before_done",
        "after_done",
        "after_the_charge",
    ],
)
def test_a_worker_that_dies_loses_no_webhook(
    backend: Backend,
    api: Api,
    source: Source,
    subscribe: Subscribe,
    operation: str,
    at: int,
    after: bool,
) -> None:
    webhooks = [subscribe() for _ in range(12)]
    publish(api)
    with killed(operation, at, after=after):
        source.poll()
    assert source.waits == [180]
    source.run()
    messages = sent(backend)
    assert {message["webhook_id"] for message in messages} == set(webhooks)
    # What went out before the crash may go out again: under the same ids, so it is delivered once.
    assert len({message["id"] for message in messages}) == len(webhooks)
    assert fan_outs(backend) == ["DONE"]


def test_what_was_cut_down_resumes_its_stored_list(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Those that matched when the event came get it; one that came later does not."""
    first, second = subscribe(), subscribe()
    publish(api)
    with killed("sqs.SendMessageBatch"):
        source.poll()
    api(f"PUT /api/integrations/webhooks/{first}/status", json={"status": "INACTIVE"})
    subscribe("*")
    source.run()
    assert receivers(backend) == sorted([first, second])


def test_what_was_cut_down_resumes_though_nothing_matches_any_more(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe()
    publish(api)
    with killed("dynamodb.BatchWriteItem", after=True):
        source.poll()
    api(f"DELETE /api/integrations/webhooks/{webhook}")
    source.run()
    assert receivers(backend) == [webhook]


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "lost_answer"])
def test_aws_failing_for_a_while_loses_nothing(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, lost: bool
) -> None:
    webhooks = {subscribe() for _ in range(11)}
    for operation in (
        "dynamodb.BatchGetItem",
        "dynamodb.Query",
        "dynamodb.BatchWriteItem",
        "sqs.SendMessageBatch",
        "dynamodb.UpdateItem",
    ):
        cold_start()
        publish(api)
        with failing(operation, lost=lost):
            source.poll()
        assert source.waits == [180], operation
        source.run()
        assert set(receivers(backend)) == webhooks, operation
        assert set(fan_outs(backend)) == {"DONE"}, operation


def test_a_call_repeated_after_a_lost_answer_is_no_failure(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Botocore's own retry meets what its first try has written."""
    webhooks = {subscribe() for _ in range(11)}
    for operation in ("dynamodb.BatchWriteItem", "sqs.SendMessageBatch", "dynamodb.UpdateItem"):
        publish(api)
        with failing(operation, lost=True, tries=1):
            source.poll()
        assert source.waits == [], operation
        assert set(receivers(backend)) == webhooks, operation
        assert set(fan_outs(backend)) == {"DONE"}, operation


def test_two_workers_with_the_same_event(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """A repeat that comes while the first is at it sends the same list under the same ids."""
    webhooks = [subscribe() for _ in range(11)]
    publish(api)
    (record,) = source.receive()
    with killed("sqs.SendMessageBatch"):
        source.invoke([record])
    assert source.invoke([record, {**record, "messageId": "again"}]) == []
    assert receivers(backend) == sorted(webhooks)


def test_two_workers_with_the_same_event_at_the_same_moment(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Neither sees the other's row: both write it and send. A webhook that was subscribed between is in the
    one's list; a row that falls back to STARTED is finished by its writer.
    """
    webhooks = [subscribe() for _ in range(11)]
    id = publish(api)
    (record,) = source.receive()

    def another() -> None:
        webhooks.append(subscribe())
        assert source.invoke([record]) == []
        assert fan_outs(backend) == ["DONE"]

    with meanwhile("dynamodb.BatchWriteItem", another):
        assert source.invoke([record]) == []
    messages = sent(backend)
    assert {message["webhook_id"] for message in messages} == set(webhooks)
    assert {message["id"] for message in messages} == {
        DeliveryId.derived(EventId(id), WebhookId(webhook)) for webhook in webhooks
    }
    assert fan_outs(backend) == ["DONE"]


def test_a_row_that_dynamodb_keeps_throttling_is_not_sent(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an event's own row, nor the marker, which all events of the workspace depend on."""
    subscribe()
    ids = [publish(api, {"n": n}) for n in range(3)]
    records = source.receive()
    write = dynamo.put_each
    with monkeypatch.context() as patch:
        patch.setattr(dynamo, "put_each", lambda rows: [*write(rows[1:]), 0])
        assert source.invoke(records) == [records[0]["messageId"]]
    assert len(sent(backend)) == 2
    cold_start()
    hour = EventId(publish(api)).time_ms // 3_600_000
    dynamo.delete(settings().events_table, {"workspaceId": f"active#{hour}", "id": "acme"})
    with monkeypatch.context() as patch:
        patch.setattr(dynamo, "put_each", lambda rows: [*write(rows[:-1]), len(rows) - 1])
        source.poll()
    assert sent(backend) == []
    source.run()
    assert {message["event_id"] for message in sent(backend)} > {ids[0]}
    assert list(events.active(hour)) == ["acme"]


def test_entries_that_sqs_does_not_take_are_sent_once_more(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(12)]
    unlucky = webhooks[3]
    publish(api)
    with partly_refused(lambda body: unlucky in body):
        source.poll()
    assert receivers(backend) == sorted(webhooks)
    assert source.waits == []


def test_entries_that_sqs_never_takes_come_again_with_the_event(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(12)]
    unlucky = webhooks[3]
    publish(api)
    with partly_refused(lambda body: unlucky in body, times=2):
        source.poll()
    assert receivers(backend) == sorted(set(webhooks) - {unlucky})
    assert fan_outs(backend) == ["STARTED"]
    source.run()
    assert unlucky in receivers(backend)
    assert fan_outs(backend) == ["DONE"]


def test_a_whole_batch_that_sqs_does_not_take(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe()
    publish(api)
    with partly_refused(lambda body: True):
        source.poll()
    assert receivers(backend) == [webhook]


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────


def test_out_of_time_the_rest_of_the_batch_goes_back(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe()
    ids = [publish(api, {"n": n}) for n in range(5)]
    left = iter([12_000, 11_500, 11_400, 9_000, 8_000, 7_000, *[11_300] * 10])
    records = source.receive()
    again = source.invoke(records, SimpleNamespace(get_remaining_time_in_millis=lambda: next(left)))
    assert again == [record["messageId"] for record in records[2:]]
    assert len(sent(backend)) == 2
    assert source.waits == [0, 0, 0]
    source.run()
    assert sorted(row["id"] for row in backend.events()) == sorted(ids)


def test_a_heavy_tenant_holds_an_invocation_for_a_second(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Events to many webhooks come last, one by one; the rest goes back and is received again at once."""
    for _ in range(11):
        subscribe()
    big = [publish(api, {"n": n}) for n in range(4)]
    small = publish(api, token=jwt_for("other"))
    records = source.receive()
    # A send takes 0.6 s, by the clock of the invocation.
    with watched("sqs.SendMessageBatch") as sends:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000 - 600 * len(sends))
        again = source.invoke(records, context)
    assert again == [record["messageId"] for record in records[1:4]]
    assert source.waits == [0, 0, 0]
    assert {row["id"] for row in backend.events()} == {big[0], small}
    source.run()
    assert {row["fanOut"] for row in backend.events()} == {"DONE"}


def test_what_a_throttled_workspace_leaves_no_time_for_goes_back_at_once(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that DynamoDB throttles takes 0.6 s here."""
    throttled, reads = [publish(api), publish(api)], []
    publish(api, token=jwt_for("other"))
    look_up = fan_out._look_up

    def slow(works: Any) -> Any:
        if any(work.event.id in throttled for work in works):
            reads.append(works)
            raise dynamo.Throttled
        return look_up(works)

    monkeypatch.setattr(fan_out, "_look_up", slow)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000 - 600 * len(reads))
    source.invoke(source.receive(), context)
    assert source.waits == [0, 0, 180]


def test_what_is_late_comes_again_though_sqs_does_not_put_it_back(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe()
    publish(api)
    (record,) = source.receive()
    with failing("sqs.ChangeMessageVisibilityBatch", error=REFUSED):
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 9_000)
        assert source.invoke([record], context) == [record["messageId"]]
    assert source.waits == [180]


# ── the ceiling ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxEventsPerMinute=4)
def test_an_event_counts_once_for_every_ten_webhooks(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    for _ in range(21):
        subscribe()
    for _ in range(2):
        publish(api)
    cold_start()
    ceilings.clear_cache()  # the fan-out is another process
    source.run()
    assert len(sent(backend)) == 42
    answer = api("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST})
    assert (answer.status, answer.json()["code"]) == (429, "rate_limited")
    assert "An event counts once for every 10 webhooks" in answer.json()["detail"]
    (row,) = (row for row in backend.rows("RateLimitsTable") if row["id"] == "events#acme")
    assert row["mn"] == 2 * 3


@pytest.mark.parameters(MaxEventsPerMinute=4)
def test_a_copy_of_an_event_is_not_charged(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Another worker gets a copy of the message after the event's row was written."""
    for _ in range(11):
        subscribe()
    publish(api)
    ceilings.clear_cache()
    (record,) = source.receive()
    with meanwhile("sqs.SendMessageBatch", lambda: source.invoke([record])):
        assert source.invoke([record]) == []
    (row,) = (row for row in backend.rows("RateLimitsTable") if row["id"] == "events#acme")
    assert row["mn"] == 2


def test_what_has_no_ceiling_is_not_charged(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    for _ in range(11):
        subscribe("*")
    for origin in ("bus", "patchbay"):
        id = EventId.new()
        event = EventMessage(id, "acme", "POST_PUBLISHED", id.time_ms, POST, origin, "c")
        source.send(event.fields())
    source.run()
    assert len(sent(backend)) == 22
    assert not [row for row in backend.rows("RateLimitsTable") if row["id"] == "events#acme"]


# ── who is active ────────────────────────────────────────────────────────────────────────────────────


def test_a_workspace_with_deliveries_is_marked_once_an_hour(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, clock: Clock
) -> None:
    hour = clock.now // 3_600_000
    clock.now = hour * 3_600_000
    subscribe()
    with watched("dynamodb.BatchWriteItem") as writes:
        for _ in range(2):
            publish(api)
            publish(api, token=jwt_for("other"))  # to nobody
            source.run(60)
    assert [len(call["RequestItems"][settings().events_table]) for call in writes] == [3, 2]
    assert list(events.active(hour)) == ["acme"]
    clock.move(3600)
    assert list(events.active(hour + 1)) == []
    publish(api)
    source.run(60)
    assert list(events.active(hour + 1)) == ["acme"]
    assert len(api("GET /api/events").json()["items"]) == 3


def test_a_crash_loses_no_marker(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, clock: Clock
) -> None:
    """The row of the event was written, the marker of its workspace was not."""
    subscribe()
    publish(api)
    with killed("dynamodb.BatchWriteItem", after=True):
        source.poll()
    hour = clock.now // 3_600_000
    marker = {"workspaceId": f"active#{hour}", "id": "acme"}
    dynamo.delete(settings().events_table, marker)
    source.run()
    assert len(sent(backend)) == 1
    assert list(events.active(hour)) == ["acme"]


# ── one event among others ───────────────────────────────────────────────────────────────────────────


def test_one_poisonous_event_does_not_stop_the_others(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe()
    good = publish(api)
    # A row that nobody wrote through the API.
    row = {"workspaceId": "broken", "sk": "sub#*#whk_0000000000000000000000", "filters": [{"op": "no such"}]}
    dynamo.put(settings().webhooks_table, row)
    publish(api, token=jwt_for("broken"))
    other = publish(api)
    assert source.poll() == 3
    assert source.waits == [180]
    assert sorted(message["event_id"] for message in sent(backend)) == sorted([good, other])


def test_a_throttled_event_does_not_stop_the_others(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe()
    ids = [publish(api) for _ in range(4)]
    # The batch's call, then the one for that event alone.
    with failing("dynamodb.BatchWriteItem", where=ids[1], times=2, error=THROTTLED):
        source.poll()
    assert sorted(message["event_id"] for message in sent(backend)) == sorted({*ids} - {ids[1]})
    source.run()
    assert [message["event_id"] for message in sent(backend)] == [ids[1]]


UNREADABLE = [
    "not JSON",
    '["evt"]',
    "5",
    "null",
    "{}",
    '{"id": "whk_0000000000000000000000"}',
    '{"id": 5}',
    '{"id": "evt_0000000000000000000000"}',
    "[" * 100_000,
]


def test_unreadable_messages_go_to_the_dead_letter_queue_and_stop_nobody(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe()
    for text in UNREADABLE:
        source.send(text)
    publish(api)
    assert source.poll() == len(UNREADABLE) + 1
    assert receivers(backend) == [webhook]
    assert sorted(record["body"] for record in backend.messages("EventsDeadLetterQueue")) == sorted(
        UNREADABLE
    )
    assert source.waits == []


@pytest.mark.parametrize("error", [REFUSED, TIMEOUT])
def test_an_unreadable_message_that_cannot_be_moved_comes_again(
    backend: Backend, source: Source, error: str
) -> None:
    source.send("not JSON")
    with failing("sqs.SendMessage", error=error):
        source.poll()
    assert source.waits == [180]
    source.run()
    assert [record["body"] for record in backend.messages("EventsDeadLetterQueue")] == ["not JSON"]


# ── within the publish request ───────────────────────────────────────────────────────────────────────

ONCE: dict[str, Any] = {"headers": {"idempotency-key": "1"}}


def publish_one(api: Api, data: dict[str, Any] | None = None, **more: Any) -> str:
    """Through the route for one event, which fans out what goes to ten webhooks or fewer."""
    answer = api(
        "POST /api/events", json={"type": "POST_PUBLISHED", "data": {**POST, **(data or {})}}, **more
    )
    assert answer.status == 202, answer.text
    return str(answer.json()["id"])


def deliveries(id: str, webhooks: list[str]) -> set[str]:
    """The ids of an event's deliveries."""
    return {DeliveryId.derived(EventId(id), WebhookId(webhook)) for webhook in webhooks}


@pytest.mark.parametrize("count", [0, 1, 10])
def test_an_event_to_ten_webhooks_or_fewer_needs_no_worker(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, count: int
) -> None:
    webhooks = [subscribe() for _ in range(count)]
    publish_one(api)
    backend.calls.clear()
    id = publish_one(api, {"n": 1})
    assert backend.calls.count == WARM | ({"sqs.SendMessageBatch": 1} if count else {})
    assert source.waits == []
    messages = [message for message in sent(backend) if message["event_id"] == id]
    assert len(messages) == count
    assert {message["id"] for message in messages} == deliveries(id, webhooks)
    assert set(fan_outs(backend)) == {"IN_ONE_SEND" if count else "DONE"}
    shown = api(f"GET /api/events/{id}").json()
    assert (shown["data"], len(shown["deliveries"])) == ({**POST, "n": 1}, count)


def test_an_event_to_more_webhooks_is_left_to_the_worker(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(11)]
    publish_one(api)
    assert (backend.events(), sent(backend), source.waits) == ([], [], [0])
    source.run()
    assert receivers(backend) == sorted(webhooks)
    assert fan_outs(backend) == ["DONE"]


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "lost_answer"])
@pytest.mark.parametrize(
    "operation",
    ["dynamodb.BatchGetItem", "dynamodb.Query", "dynamodb.BatchWriteItem", "sqs.SendMessageBatch"],
)
def test_a_publish_whose_fan_out_fails_is_left_to_the_worker(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, operation: str, lost: bool
) -> None:
    webhooks = [subscribe(), subscribe()]
    with failing(operation, lost=lost):
        id = publish_one(api)
    assert source.waits == [0]
    source.run()
    messages = sent(backend)
    assert {message["id"] for message in messages} == deliveries(id, webhooks)
    if operation != "sqs.SendMessageBatch":
        assert len(messages) == 2
    assert fan_outs(backend) == ["IN_ONE_SEND"]


def test_a_publish_of_which_sqs_takes_a_part_is_left_to_the_worker(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    first, second = subscribe(), subscribe()
    with partly_refused(lambda body: second in body, times=2):
        publish_one(api)
    assert source.waits == [0]
    source.run()
    assert receivers(backend) == sorted([first, first, second])


def test_a_publish_fails_when_the_events_queue_fails_too(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Its row stays, and a repeat under its key sends the row's list."""
    webhook = subscribe()
    body = {"type": "POST_PUBLISHED", "data": POST}
    with failing("sqs.SendMessageBatch"), failing("sqs.SendMessage", error=REFUSED):
        assert api("POST /api/events", json=body, **ONCE).status == 500
    assert (sent(backend), source.waits, fan_outs(backend)) == ([], [], ["IN_ONE_SEND"])
    subscribe()
    id = publish_one(api, **ONCE)
    assert {message["id"] for message in sent(backend)} == deliveries(id, [webhook])
    assert [row["id"] for row in backend.events()] == [id]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "operation",
    [
        "dynamodb.PutItem",
        "dynamodb.BatchGetItem",
        "dynamodb.Query",
        "dynamodb.BatchWriteItem",
        "sqs.SendMessageBatch",
    ],
)
def test_a_repeat_resumes_a_publish_that_died(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, operation: str, after: bool
) -> None:
    webhook = subscribe()
    with killed(operation, after=after):
        publish_one(api, **ONCE)
    id = publish_one(api, **ONCE)
    messages = sent(backend)
    assert {message["id"] for message in messages} == deliveries(id, [webhook])
    assert len(messages) == (2 if operation == "sqs.SendMessageBatch" and after else 1)
    assert source.waits == []
    assert [row["id"] for row in backend.events()] == [id]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_repeat_resumes_a_publish_that_died_at_the_events_queue(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, after: bool
) -> None:
    webhooks = [subscribe() for _ in range(11)]
    with killed("sqs.SendMessage", after=after):
        publish_one(api, **ONCE)
    id = publish_one(api, **ONCE)
    source.run()
    messages = sent(backend)
    assert {message["id"] for message in messages} == deliveries(id, webhooks)
    assert len(messages) == 11
    assert fan_outs(backend) == ["DONE"]


@pytest.mark.parametrize("count", [0, 11])
def test_a_repeat_of_a_publish_that_is_done_sends_nothing(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, count: int
) -> None:
    webhooks = [subscribe() for _ in range(count)]
    id = publish_one(api, **ONCE)
    source.run()
    subscribe()
    assert publish_one(api, **ONCE) == id
    assert source.waits == []
    assert receivers(backend) == sorted(webhooks)


def test_a_repeat_of_a_publish_whose_fan_out_is_going_on_is_left_to_the_worker(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(11)]
    publish_one(api, **ONCE)
    with killed("sqs.SendMessageBatch"):
        source.poll()
    publish_one(api, **ONCE)
    assert fan_outs(backend) == ["STARTED"]
    assert source.poll() == 1
    assert receivers(backend) == sorted(webhooks)
    assert fan_outs(backend) == ["DONE"]


def test_two_repeats_at_the_same_moment_send_the_same_event(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Neither sees the other's row, and a webhook that was subscribed between is in the one's list."""
    webhooks, ids = [subscribe()], []

    def another() -> None:
        webhooks.append(subscribe())
        ids.append(publish_one(api, **ONCE))

    with meanwhile("dynamodb.BatchWriteItem", another):
        ids.append(publish_one(api, **ONCE))
    assert ids[0] == ids[1]
    assert {message["id"] for message in sent(backend)} == deliveries(ids[0], webhooks)
    assert source.waits == []
    assert [row["id"] for row in backend.events()] == [ids[0]]


@pytest.mark.parameters(MaxEventsPerMinute=1)
def test_a_publish_above_the_ceiling_writes_nothing(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe()
    publish_one(api)
    backend.calls.clear()
    assert api("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST}, **ONCE).status == 429
    assert set(backend.calls.count) <= {"dynamodb.UpdateItem"}  # of the ceiling
    assert (receivers(backend), len(backend.events()), source.waits) == ([webhook], 1, [])
