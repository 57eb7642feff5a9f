"""Fan-out with the tables and queues of template.yaml: matches, messages, and every crash."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from patchbay.clock import now_ms
from patchbay.events import store as events
from patchbay.events.models import EventMessage, payload
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.publishing import fan_out
from patchbay.publishing.fan_out import MAX_BODY_BYTES
from patchbay.rate_limits import ceilings
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import service
from tests.catalogued import POST, minimal_data
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
from tests.integration.conftest import take_deliveries
from tests.problems import assert_problem

HOOK = "https://receiver.example/hook"
Subscribe = Callable[..., str]


@pytest.fixture
def subscribe(api: Api) -> Subscribe:
    def create(*events: str, **more: Any) -> str:
        answer = api(
            "POST /api/integrations/webhooks",
            json={"name": "test", "url": HOOK, "eventTypes": list(events) or ["POST_PUBLISHED"], **more},
        )
        assert answer.status == 201, answer.text
        return str(answer.json()["id"])

    return create


def publish(
    api: Api, data: dict[str, Any] | None = None, *, type: str = "POST_PUBLISHED", **more: Any
) -> str:
    """Publish as a batch, which uses the events queue no matter how many webhooks match. Returns the ID."""
    event = {"type": type, "data": {**minimal_data(type), **(data or {})}}
    answer = api("POST /api/events/batch", json={"events": [event]}, **more)
    assert answer.status == 202, answer.text
    return str(answer.json()["items"][0]["id"])


def take_webhooks(backend: Backend) -> list[str]:
    """Remove the queued deliveries from the queue. Returns the IDs of their webhooks, sorted."""
    return sorted(message["webhook_id"] for message in take_deliveries(backend))


def fan_outs(backend: Backend) -> list[str]:
    """The state of each event's fan-out."""
    return [row["fanOut"] for row in backend.events()]


# ── matching ─────────────────────────────────────────────────────────────────────────────────────────


def test_event_reaches_webhooks_of_its_type_and_of_all_types(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    one, every = subscribe("POST_PUBLISHED"), subscribe("*")
    subscribe("POST_FAILED")
    id = publish(api)
    source.run()
    assert take_webhooks(backend) == sorted([one, every])
    deliveries = api(f"GET /api/events/{id}").json()["deliveries"]
    assert [(each["id"], each["webhookId"], each["status"]) for each in deliveries] == [
        (DeliveryId.derived(EventId(id), webhook), webhook, "PENDING") for webhook in [one, every]
    ]


def test_webhook_that_matches_twice_gets_one_delivery(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe("POST_PUBLISHED", "*", "POST_FAILED")
    publish(api)
    source.run()
    assert take_webhooks(backend) == [webhook]


def test_types_with_a_common_prefix_are_distinct(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe("CAMPAIGN_STARTED")
    completed = subscribe("CAMPAIGN_COMPLETED")
    publish(api, type="CAMPAIGN_COMPLETED")
    source.run()
    assert take_webhooks(backend) == [completed]


@pytest.mark.usefixtures("any_filter_path")
def test_event_reaches_only_webhooks_whose_filters_match(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    data = {"post": {"channel": "x"}, "one": 1, "yes": True, "none": None, "tags": ["a"]}
    matching = [
        [{"path": "post.channel", "op": "equals", "value": "x"}],
        [{"path": "one", "op": "equals", "value": 1.0}],
        [{"path": "none", "op": "in", "value": [0.1, None, "a"]}],
        [{"path": "tags.1", "op": "exists", "value": False}],
        [{"path": "tags.0", "op": "exists"}, {"path": "yes", "op": "equals", "value": True}],
    ]
    not_matching = [
        [{"path": "post.channel", "op": "equals", "value": "y"}],
        [{"path": "yes", "op": "equals", "value": 1}],
        [{"path": "nowhere", "op": "in", "value": [0.1, None, "a"]}],
        [{"path": "one", "op": "exists"}, {"path": "one", "op": "equals", "value": 2}],
    ]
    webhooks = [subscribe("POST_PUBLISHED", filters=filters) for filters in matching]
    for filters in not_matching:
        subscribe("POST_PUBLISHED", filters=filters)
    publish(api, data)
    source.run()
    assert take_webhooks(backend) == sorted(webhooks)


def test_inactive_webhooks_get_no_deliveries(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    inactive, deleted, disabled, resumed = (subscribe("POST_PUBLISHED", "*") for _ in range(4))
    for webhook in (inactive, resumed):
        api(f"PUT /api/integrations/webhooks/{webhook}/status", json={"status": "INACTIVE"})
    api(f"PUT /api/integrations/webhooks/{resumed}/status", json={"status": "ACTIVE"})
    api(f"DELETE /api/integrations/webhooks/{deleted}")
    service.disable("acme", WebhookId(disabled), "endpoint_gone", lambda webhook: (), requested_at=now_ms())
    publish(api)
    source.run()
    assert take_webhooks(backend) == [resumed]


def test_event_does_not_reach_other_workspaces(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe("*")
    publish(api, token=jwt_for("other"))
    source.run()
    assert take_deliveries(backend) == []


def test_changed_subscriptions_apply_to_later_events(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe("POST_FAILED")
    api(f"PUT /api/integrations/webhooks/{webhook}", json={"eventTypes": ["POST_PUBLISHED"]})
    publish(api, type="POST_FAILED")
    publish(api, type="POST_PUBLISHED")
    source.run()
    assert [message["event_type"] for message in take_deliveries(backend)] == ["POST_PUBLISHED"]


WEBHOOK = {"name": "test", "url": HOOK, "eventTypes": ["POST_PUBLISHED"]}
CHANGES: dict[str, Callable[[Api, str], object]] = {
    "created": lambda api, id: api("POST /api/integrations/webhooks", json=WEBHOOK),
    "events": lambda api, id: api(
        f"PUT /api/integrations/webhooks/{id}", json={"eventTypes": ["POST_FAILED"]}
    ),
    "filters": lambda api, id: api(
        f"PUT /api/integrations/webhooks/{id}", json={"filters": [{"path": "no", "op": "exists"}]}
    ),
    # Python considers these filters equal to the previous ones.
    "true for 1": lambda api, id: api(
        f"PUT /api/integrations/webhooks/{id}",
        json={"filters": [{"path": "n", "op": "equals", "value": True}]},
    ),
    "inactive": lambda api, id: api(
        f"PUT /api/integrations/webhooks/{id}/status", json={"status": "INACTIVE"}
    ),
    "deleted": lambda api, id: api(f"DELETE /api/integrations/webhooks/{id}"),
    "disabled": lambda api, id: service.disable(
        "acme", WebhookId(id), "endpoint_gone", lambda webhook: (), requested_at=now_ms()
    ),
}


@pytest.mark.usefixtures("any_filter_path")
@pytest.mark.parametrize("change", CHANGES)
def test_cached_subscriptions_are_replaced_after_a_change(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, change: str
) -> None:
    webhook = subscribe(filters=[{"path": "n", "op": "equals", "value": 1}])
    publish(api, {"n": 1})
    source.run()
    assert take_webhooks(backend) == [webhook]
    CHANGES[change](api, webhook)
    publish(api, {"n": 1})
    source.run()
    assert len(take_webhooks(backend)) == (2 if change == "created" else 0)


@pytest.mark.usefixtures("any_filter_path")
def test_cached_subscriptions_survive_changes_that_do_not_affect_matching(
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
    assert take_webhooks(backend) == [webhook] * 2


def test_subscriptions_written_by_an_earlier_release_are_noticed_within_a_minute(
    backend: Backend, api: Api, source: Source, clock: Clock
) -> None:
    publish(api)
    source.run()
    row = {"workspaceId": "acme", "sk": "sub#*#whk_0000000000000000000000", "filters": []}
    dynamo.put(settings().webhooks_table, row)  # but writes no version
    clock.move(60)
    publish(api)
    source.run()
    assert take_webhooks(backend) == ["whk_0000000000000000000000"]


# ── delivery messages ────────────────────────────────────────────────────────────────────────────────


def test_delivery_message_has_an_id_a_body_and_a_message_group(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe()
    data = {**POST, "title": "Grüße 🎈"}
    with watched("sqs.SendMessageBatch") as calls:
        published = api("POST /api/events", json={"type": "POST_PUBLISHED", "data": data}).json()
    (message,) = take_deliveries(backend)
    assert message["id"] == DeliveryId.derived(EventId(published["id"]), webhook)
    assert json.loads(message["body"]) == published | {"data": data}
    assert [entry["MessageGroupId"] for call in calls for entry in call["Entries"]] == ["acme"]


def padding(id: str, size: int) -> dict[str, str]:
    """Event data that makes the body exactly `size` bytes long."""
    empty = len(payload(EventId(id), "POST_PUBLISHED", 0, {**POST, "x": ""}).encode())
    return {**POST, "x": "x" * (size - empty)}


@pytest.mark.parametrize(("extra", "is_inline"), [(0, True), (1, False)])
def test_body_larger_than_64_kb_is_not_in_the_message(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, extra: int, is_inline: bool
) -> None:
    subscribe()
    data = padding(EventId.new(), MAX_BODY_BYTES + extra)
    id = publish(api, data)
    source.run()
    (message,) = take_deliveries(backend)
    assert (message["body"] is not None) is is_inline
    if message["body"] is not None:
        assert len(message["body"].encode()) == MAX_BODY_BYTES
    assert api(f"GET /api/events/{id}").json()["data"] == data


def test_deliveries_are_sent_ten_in_a_call(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(23)]
    publish(api)
    with watched("sqs.SendMessageBatch") as calls:
        source.run()
    assert [len(call["Entries"]) for call in calls] == [10, 10, 3]
    assert take_webhooks(backend) == sorted(webhooks)


def test_call_to_sqs_has_at_most_1_mib(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(12)]
    # JSON within JSON escapes quotes, so a body of 64 KB becomes a message of about 128 KB.
    publish(api, {"x": '"' * 32_000})
    with watched("sqs.SendMessageBatch") as calls:
        source.run()
    sizes = [sum(len(entry["MessageBody"].encode()) for entry in call["Entries"]) for call in calls]
    assert max(sizes) <= 1024 * 1024 < sum(sizes)
    assert take_webhooks(backend) == sorted(webhooks)


# The characters that SQS accepts in a message (SendMessage reference). It rejects or replaces all others.
SQS_TEXT = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


def test_every_json_string_passes_through_sqs(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe()
    data = {**POST, "x": "\x00\x1f\x7f\x9f\u2028\ufffd\ufffe\uffff\U0001fffe"}
    with watched("sqs.SendMessageBatch") as calls:
        publish(api, data)
        source.run()
    bodies = [entry["MessageBody"] for call in calls for entry in call["Entries"]]
    assert len(bodies) == 2  # one for the event and one for the delivery
    assert all(SQS_TEXT.fullmatch(body) for body in bodies)
    (message,) = take_deliveries(backend)
    assert json.loads(message["body"])["data"] == data


# The calls of a batch in a process that has cached the workspace's subscriptions.
WARM = {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}


def test_batch_costs_three_aws_calls(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Ten events to one webhook take three calls. A cold cache and more deliveries take more calls."""

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
    assert len(take_deliveries(backend)) == 20

    for _ in range(2):
        subscribe()
    assert cost(5) == WARM | {"dynamodb.Query": 2, "sqs.SendMessageBatch": 2}  # 15 deliveries

    for _ in range(8):
        subscribe()
    # An event to more than ten webhooks is recorded as done, and its extra sends are counted.
    assert cost(1) == WARM | {"dynamodb.Query": 2, "sqs.SendMessageBatch": 2, "dynamodb.UpdateItem": 2}
    assert cost(1) == WARM | {"sqs.SendMessageBatch": 2, "dynamodb.UpdateItem": 2}


# ── repeats and crashes ──────────────────────────────────────────────────────────────────────────────


def test_repeat_of_a_finished_event_is_dropped(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    first = [subscribe() for _ in range(11)]
    id = publish(api, headers={"idempotency-key": "1"})
    source.run()
    subscribe()
    assert publish(api, headers={"idempotency-key": "1"}) == id
    source.run()
    assert take_webhooks(backend) == first
    assert fan_outs(backend) == ["DONE"]


def test_repeat_of_an_event_in_one_send_goes_to_the_same_webhooks(
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
    assert take_webhooks(backend) == sorted(first * 2)  # the delivery worker drops the copies
    assert fan_outs(backend) == ["IN_ONE_SEND"]


def test_sweeper_requeues_a_stalled_fan_out(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, clock: Clock
) -> None:
    """The event's message is lost: SQS dropped it, or someone purged the queue."""
    sweep = importlib.import_module("workers.sweep_deliveries").handler
    webhooks = [subscribe() for _ in range(23)]
    id = publish(api, {**POST, "n": 1})
    with killed("sqs.SendMessageBatch", at=2):
        source.invoke(source.receive())
    backend.client("sqs").purge_queue(QueueUrl=source.url)
    sweep({}, LAMBDA_CONTEXT)
    assert source.waits == []  # SQS might still redeliver the event's own message
    clock.move(15 * 60 + 1)
    with meanwhile("dynamodb.UpdateItem", lambda: sweep({}, LAMBDA_CONTEXT)):  # two sweepers
        sweep({}, LAMBDA_CONTEXT)
    assert source.waits == [0]
    source.run()
    assert set(take_webhooks(backend)) == set(webhooks)
    assert fan_outs(backend) == ["DONE"]
    assert api(f"GET /api/events/{id}").json()["data"] == {**POST, "n": 1}
    clock.move(15 * 60 + 1)
    sweep({}, LAMBDA_CONTEXT)
    assert source.waits == []


def test_event_without_matches_is_done_immediately(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    id = publish(api, headers={"idempotency-key": "1"})
    source.run()
    subscribe()
    publish(api, headers={"idempotency-key": "1"})
    source.run()
    assert take_deliveries(backend) == []
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
        "before_the_read",
        "before_matching",
        "before_the_row",
        "after_the_row",
        "before_the_sends",
        "between_the_sends",
        "after_the_sends",
        "before_done",
        "after_done",
        "after_the_count",
    ],
)
def test_worker_crash_loses_no_delivery(
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
    messages = take_deliveries(backend)
    assert {message["webhook_id"] for message in messages} == set(webhooks)
    # Deliveries sent before the crash can be sent again with the same IDs, so they are delivered once.
    assert len({message["id"] for message in messages}) == len(webhooks)
    assert fan_outs(backend) == ["DONE"]


def test_interrupted_fan_out_resumes_its_stored_list(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """The webhooks that matched at first get the event. A later webhook does not."""
    first, second = subscribe(), subscribe()
    publish(api)
    with killed("sqs.SendMessageBatch"):
        source.poll()
    api(f"PUT /api/integrations/webhooks/{first}/status", json={"status": "INACTIVE"})
    subscribe("*")
    source.run()
    assert take_webhooks(backend) == sorted([first, second])


def test_interrupted_fan_out_resumes_if_nothing_matches_now(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe()
    publish(api)
    with killed("dynamodb.BatchWriteItem", after=True):
        source.poll()
    api(f"DELETE /api/integrations/webhooks/{webhook}")
    source.run()
    assert take_webhooks(backend) == [webhook]


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "lost_response"])
def test_aws_errors_lose_no_delivery(
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
        assert set(take_webhooks(backend)) == webhooks, operation
        assert set(fan_outs(backend)) == {"DONE"}, operation


def test_retry_after_a_lost_response_is_not_a_failure(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """The client's retry finds the result of its first attempt."""
    webhooks = {subscribe() for _ in range(11)}
    for operation in ("dynamodb.BatchWriteItem", "sqs.SendMessageBatch", "dynamodb.UpdateItem"):
        publish(api)
        with failing(operation, lost=True, tries=1):
            source.poll()
        assert source.waits == [], operation
        assert set(take_webhooks(backend)) == webhooks, operation
        assert set(fan_outs(backend)) == {"DONE"}, operation


def test_copies_of_a_message_in_one_batch_are_sent_once(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """After a crash, the redelivered message and a copy of it send the stored list once."""
    webhooks = [subscribe() for _ in range(11)]
    publish(api)
    (record,) = source.receive()
    with killed("sqs.SendMessageBatch"):
        source.invoke([record])
    assert source.invoke([record, {**record, "messageId": "again"}]) == []
    assert take_webhooks(backend) == sorted(webhooks)


def test_concurrent_workers_with_one_event_send_the_same_delivery_ids(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Neither worker sees the other's row, so both write it and send. A webhook subscribed in between is in
    one of the lists. If the row goes back to STARTED, the worker that wrote it finishes it.
    """
    webhooks = [subscribe() for _ in range(11)]
    id = publish(api)
    (record,) = source.receive()

    def other_worker() -> None:
        webhooks.append(subscribe())
        assert source.invoke([record]) == []
        assert fan_outs(backend) == ["DONE"]

    with meanwhile("dynamodb.BatchWriteItem", other_worker):
        assert source.invoke([record]) == []
    messages = take_deliveries(backend)
    assert {message["webhook_id"] for message in messages} == set(webhooks)
    assert {message["id"] for message in messages} == {
        DeliveryId.derived(EventId(id), WebhookId(webhook)) for webhook in webhooks
    }
    assert fan_outs(backend) == ["DONE"]


def test_event_is_not_sent_if_its_row_or_its_marker_is_throttled(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event depends on its own row and on the marker that all events of its workspace share."""
    subscribe()
    ids = [publish(api, {"n": n}) for n in range(3)]
    records = source.receive()
    write = dynamo.batch_put
    with monkeypatch.context() as patch:
        patch.setattr(dynamo, "batch_put", lambda rows: [*write(rows[1:]), 0])
        assert source.invoke(records) == [records[0]["messageId"]]
    assert len(take_deliveries(backend)) == 2
    cold_start()
    hour = EventId(publish(api)).time_ms // 3_600_000
    dynamo.delete(settings().events_table, {"workspaceId": f"active#{hour}", "id": "acme"})
    with monkeypatch.context() as patch:
        patch.setattr(dynamo, "batch_put", lambda rows: [*write(rows[:-1]), len(rows) - 1])
        source.poll()
    assert take_deliveries(backend) == []
    source.run()
    assert {message["event_id"] for message in take_deliveries(backend)} > {ids[0]}
    assert list(events.active_workspaces(hour)) == ["acme"]


def test_entries_that_sqs_rejects_are_retried_once(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(12)]
    rejected = webhooks[3]
    publish(api)
    with partly_refused(lambda body: rejected in body):
        source.poll()
    assert take_webhooks(backend) == sorted(webhooks)
    assert source.waits == []


def test_event_is_redelivered_if_sqs_rejects_an_entry_twice(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(12)]
    rejected = webhooks[3]
    publish(api)
    with partly_refused(lambda body: rejected in body, times=2):
        source.poll()
    assert take_webhooks(backend) == sorted(set(webhooks) - {rejected})
    assert fan_outs(backend) == ["STARTED"]
    source.run()
    assert rejected in take_webhooks(backend)
    assert fan_outs(backend) == ["DONE"]


def test_batch_that_sqs_rejects_completely_is_retried(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe()
    publish(api)
    with partly_refused(lambda body: True):
        source.poll()
    assert take_webhooks(backend) == [webhook]


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────


def test_rest_of_a_batch_returns_to_the_queue_when_time_runs_out(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe()
    ids = [publish(api, {"n": n}) for n in range(5)]
    remaining = iter([12_000, 11_500, 11_400, 9_000, 8_000, 7_000, *[11_300] * 10])
    records = source.receive()
    redelivered = source.invoke(
        records, SimpleNamespace(get_remaining_time_in_millis=lambda: next(remaining))
    )
    assert redelivered == [record["messageId"] for record in records[2:]]
    assert len(take_deliveries(backend)) == 2
    assert source.waits == [0, 0, 0]
    source.run()
    assert sorted(row["id"] for row in backend.events()) == sorted(ids)


def test_events_to_many_webhooks_occupy_an_invocation_for_a_second(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Events to many webhooks come last, one at a time. The rest return to the queue immediately."""
    for _ in range(11):
        subscribe()
    big = [publish(api, {"n": n}) for n in range(4)]
    small = publish(api, token=jwt_for("other"))
    records = source.receive()
    # Each send takes 0.6 s of the invocation's time.
    with watched("sqs.SendMessageBatch") as sends:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000 - 600 * len(sends))
        redelivered = source.invoke(records, context)
    assert redelivered == [record["messageId"] for record in records[1:4]]
    assert source.waits == [0, 0, 0]
    assert {row["id"] for row in backend.events()} == {big[0], small}
    source.run()
    assert {row["fanOut"] for row in backend.events()} == {"DONE"}


def test_events_delayed_by_a_throttled_workspace_return_to_the_queue(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each throttled read takes 0.6 s of the invocation's time."""
    throttled, reads = [publish(api), publish(api)], []
    publish(api, token=jwt_for("other"))
    load = fan_out._load

    def slow(fan_outs: Any) -> Any:
        if any(each.event.id in throttled for each in fan_outs):
            reads.append(fan_outs)
            raise dynamo.Throttled
        return load(fan_outs)

    monkeypatch.setattr(fan_out, "_load", slow)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000 - 600 * len(reads))
    source.invoke(source.receive(), context)
    assert source.waits == [0, 0, 180]


def test_late_message_is_redelivered_if_its_visibility_cannot_be_changed(
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
def test_event_counts_once_for_every_ten_webhooks(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    for _ in range(21):
        subscribe()
    for _ in range(2):
        publish(api)
    cold_start()
    ceilings.clear_cache()  # the fan-out runs in another process
    source.run()
    assert len(take_deliveries(backend)) == 42
    answer = api("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST})
    assert_problem(answer, 429, "rate_limited", "An event counts once for every 10 webhooks")
    (row,) = (row for row in backend.rows("RateLimitsTable") if row["id"] == "events#acme")
    assert row["mn"] == 2 * 3


@pytest.mark.parameters(MaxEventsPerMinute=4)
def test_copy_of_an_event_does_not_count_against_the_ceiling(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Another worker gets a copy of the message after the event's row is written."""
    for _ in range(11):
        subscribe()
    publish(api)
    ceilings.clear_cache()
    (record,) = source.receive()
    with meanwhile("sqs.SendMessageBatch", lambda: source.invoke([record])):
        assert source.invoke([record]) == []
    (row,) = (row for row in backend.rows("RateLimitsTable") if row["id"] == "events#acme")
    assert row["mn"] == 2


def test_events_without_a_ceiling_are_not_counted(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    for _ in range(11):
        subscribe("*")
    for origin in ("bus", "patchbay"):
        id = EventId.new()
        event = EventMessage(id, "acme", "POST_PUBLISHED", id.time_ms, POST, origin, "c")
        source.send(event.fields())
    source.run()
    assert len(take_deliveries(backend)) == 22
    assert not [row for row in backend.rows("RateLimitsTable") if row["id"] == "events#acme"]


# ── active workspaces ────────────────────────────────────────────────────────────────────────────────


def test_workspace_with_deliveries_is_marked_active_once_an_hour(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, clock: Clock
) -> None:
    hour = clock.now // 3_600_000
    clock.now = hour * 3_600_000
    subscribe()
    with watched("dynamodb.BatchWriteItem") as writes:
        for _ in range(2):
            publish(api)
            publish(api, token=jwt_for("other"))  # matches no webhook
            source.run(60)
    assert [len(call["RequestItems"][settings().events_table]) for call in writes] == [3, 2]
    assert list(events.active_workspaces(hour)) == ["acme"]
    clock.move(3600)
    assert list(events.active_workspaces(hour + 1)) == []
    publish(api)
    source.run(60)
    assert list(events.active_workspaces(hour + 1)) == ["acme"]
    assert len(api("GET /api/events").json()["items"]) == 3


def test_worker_crash_loses_no_active_hour(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, clock: Clock
) -> None:
    """The event's row was written, but not its workspace's marker."""
    subscribe()
    publish(api)
    with killed("dynamodb.BatchWriteItem", after=True):
        source.poll()
    hour = clock.now // 3_600_000
    marker = {"workspaceId": f"active#{hour}", "id": "acme"}
    dynamo.delete(settings().events_table, marker)
    source.run()
    assert len(take_deliveries(backend)) == 1
    assert list(events.active_workspaces(hour)) == ["acme"]


# ── invalid and throttled events ─────────────────────────────────────────────────────────────────────


def test_invalid_event_does_not_stop_the_others(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe()
    good = publish(api)
    # The API does not accept this filter.
    row = {"workspaceId": "broken", "sk": "sub#*#whk_0000000000000000000000", "filters": [{"op": "no such"}]}
    dynamo.put(settings().webhooks_table, row)
    publish(api, token=jwt_for("broken"))
    other = publish(api)
    assert source.poll() == 3
    assert source.waits == [180]
    assert sorted(message["event_id"] for message in take_deliveries(backend)) == sorted([good, other])


def test_throttled_event_does_not_stop_the_others(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    subscribe()
    ids = [publish(api) for _ in range(4)]
    # The call for the batch fails, then the call for this event alone.
    with failing("dynamodb.BatchWriteItem", where=ids[1], times=2, error=THROTTLED):
        source.poll()
    assert sorted(message["event_id"] for message in take_deliveries(backend)) == sorted({*ids} - {ids[1]})
    source.run()
    assert [message["event_id"] for message in take_deliveries(backend)] == [ids[1]]


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


def test_unreadable_messages_go_to_the_dead_letter_queue(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe()
    for text in UNREADABLE:
        source.send(text)
    publish(api)
    assert source.poll() == len(UNREADABLE) + 1
    assert take_webhooks(backend) == [webhook]
    assert sorted(record["body"] for record in backend.messages("EventsDeadLetterQueue")) == sorted(
        UNREADABLE
    )
    assert source.waits == []


@pytest.mark.parametrize("error", [REFUSED, TIMEOUT])
def test_unreadable_message_is_redelivered_if_it_cannot_be_moved(
    backend: Backend, source: Source, error: str
) -> None:
    source.send("not JSON")
    with failing("sqs.SendMessage", error=error):
        source.poll()
    assert source.waits == [180]
    source.run()
    assert [record["body"] for record in backend.messages("EventsDeadLetterQueue")] == ["not JSON"]


# ── within the publish request ───────────────────────────────────────────────────────────────────────

KEYED: dict[str, Any] = {"headers": {"idempotency-key": "1"}}


def publish_one(api: Api, data: dict[str, Any] | None = None, **more: Any) -> str:
    """Publish with the route for one event, which itself fans out to up to ten webhooks. Returns the ID."""
    answer = api(
        "POST /api/events", json={"type": "POST_PUBLISHED", "data": {**POST, **(data or {})}}, **more
    )
    assert answer.status == 202, answer.text
    return str(answer.json()["id"])


def deliveries(id: str, webhooks: list[str]) -> set[str]:
    """The IDs of an event's deliveries."""
    return {DeliveryId.derived(EventId(id), WebhookId(webhook)) for webhook in webhooks}


@pytest.mark.parametrize("count", [0, 1, 10])
def test_event_to_ten_webhooks_or_fewer_needs_no_worker(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, count: int
) -> None:
    webhooks = [subscribe() for _ in range(count)]
    publish_one(api)
    backend.calls.clear()
    id = publish_one(api, {"n": 1})
    assert backend.calls.count == WARM | ({"sqs.SendMessageBatch": 1} if count else {})
    assert source.waits == []
    messages = [message for message in take_deliveries(backend) if message["event_id"] == id]
    assert len(messages) == count
    assert {message["id"] for message in messages} == deliveries(id, webhooks)
    assert set(fan_outs(backend)) == {"IN_ONE_SEND" if count else "DONE"}
    event = api(f"GET /api/events/{id}").json()
    assert (event["data"], len(event["deliveries"])) == ({**POST, "n": 1}, count)


def test_event_to_more_than_ten_webhooks_is_left_to_the_worker(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(11)]
    publish_one(api)
    assert (backend.events(), take_deliveries(backend), source.waits) == ([], [], [0])
    source.run()
    assert take_webhooks(backend) == sorted(webhooks)
    assert fan_outs(backend) == ["DONE"]


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "lost_response"])
@pytest.mark.parametrize(
    "operation",
    ["dynamodb.BatchGetItem", "dynamodb.Query", "dynamodb.BatchWriteItem", "sqs.SendMessageBatch"],
)
def test_publish_is_left_to_the_worker_if_its_fan_out_fails(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, operation: str, lost: bool
) -> None:
    webhooks = [subscribe(), subscribe()]
    with failing(operation, lost=lost):
        id = publish_one(api)
    assert source.waits == [0]
    source.run()
    messages = take_deliveries(backend)
    assert {message["id"] for message in messages} == deliveries(id, webhooks)
    if operation != "sqs.SendMessageBatch":
        assert len(messages) == 2
    assert fan_outs(backend) == ["IN_ONE_SEND"]


def test_publish_is_left_to_the_worker_if_sqs_rejects_an_entry(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    first, second = subscribe(), subscribe()
    with partly_refused(lambda body: second in body, times=2):
        publish_one(api)
    assert source.waits == [0]
    source.run()
    assert take_webhooks(backend) == sorted([first, first, second])


def test_publish_fails_if_the_events_queue_fails_too(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """The event's row remains, and a repeat with the same key sends the deliveries that it lists."""
    webhook = subscribe()
    body = {"type": "POST_PUBLISHED", "data": POST}
    with failing("sqs.SendMessageBatch"), failing("sqs.SendMessage", error=REFUSED):
        assert api("POST /api/events", json=body, **KEYED).status == 500
    assert (take_deliveries(backend), source.waits, fan_outs(backend)) == ([], [], ["IN_ONE_SEND"])
    subscribe()
    id = publish_one(api, **KEYED)
    assert {message["id"] for message in take_deliveries(backend)} == deliveries(id, [webhook])
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
def test_repeat_resumes_a_publish_that_crashed(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, operation: str, after: bool
) -> None:
    webhook = subscribe()
    with killed(operation, after=after):
        publish_one(api, **KEYED)
    id = publish_one(api, **KEYED)
    messages = take_deliveries(backend)
    assert {message["id"] for message in messages} == deliveries(id, [webhook])
    assert len(messages) == (2 if operation == "sqs.SendMessageBatch" and after else 1)
    assert source.waits == []
    assert [row["id"] for row in backend.events()] == [id]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_repeat_resumes_a_publish_that_crashed_at_the_events_queue(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, after: bool
) -> None:
    webhooks = [subscribe() for _ in range(11)]
    with killed("sqs.SendMessage", after=after):
        publish_one(api, **KEYED)
    id = publish_one(api, **KEYED)
    source.run()
    messages = take_deliveries(backend)
    assert {message["id"] for message in messages} == deliveries(id, webhooks)
    assert len(messages) == 11
    assert fan_outs(backend) == ["DONE"]


@pytest.mark.parametrize("count", [0, 11])
def test_repeat_of_a_finished_publish_sends_nothing(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe, count: int
) -> None:
    webhooks = [subscribe() for _ in range(count)]
    id = publish_one(api, **KEYED)
    source.run()
    subscribe()
    assert publish_one(api, **KEYED) == id
    assert source.waits == []
    assert take_webhooks(backend) == sorted(webhooks)


def test_repeat_of_a_publish_with_a_running_fan_out_is_left_to_the_worker(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhooks = [subscribe() for _ in range(11)]
    publish_one(api, **KEYED)
    with killed("sqs.SendMessageBatch"):
        source.poll()
    publish_one(api, **KEYED)
    assert fan_outs(backend) == ["STARTED"]
    assert source.poll() == 1
    assert take_webhooks(backend) == sorted(webhooks)
    assert fan_outs(backend) == ["DONE"]


def test_concurrent_repeats_send_the_same_event(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    """Neither request sees the other's row. A webhook subscribed in between is in one of the lists."""
    webhooks, ids = [subscribe()], []

    def other_request() -> None:
        webhooks.append(subscribe())
        ids.append(publish_one(api, **KEYED))

    with meanwhile("dynamodb.BatchWriteItem", other_request):
        ids.append(publish_one(api, **KEYED))
    assert ids[0] == ids[1]
    assert {message["id"] for message in take_deliveries(backend)} == deliveries(ids[0], webhooks)
    assert source.waits == []
    assert [row["id"] for row in backend.events()] == [ids[0]]


@pytest.mark.parameters(MaxEventsPerMinute=1)
def test_publish_above_the_ceiling_writes_nothing(
    backend: Backend, api: Api, source: Source, subscribe: Subscribe
) -> None:
    webhook = subscribe()
    publish_one(api)
    backend.calls.clear()
    assert api("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST}, **KEYED).status == 429
    assert set(backend.calls.count) <= {"dynamodb.UpdateItem"}  # the ceiling's counter
    assert (take_webhooks(backend), len(backend.events()), source.waits) == ([webhook], 1, [])
