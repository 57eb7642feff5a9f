"""The AWS calls of each operation, counted at the client. They match the figures of the design."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from patchbay import vault
from patchbay.settings import settings
from tests.catalogued import POST
from tests.conftest import REDIRECT_URI, Api, Backend, jwt_for
from tests.faults import Clock, cold_start, watched
from tests.integration.conftest import Pipeline
from tests.problems import assert_problem
from tests.receivers import Answer, receiver
from tests.wire import Params, around_calls

EVENT = {"type": "POST_PUBLISHED", "data": {**POST, "n": 1}}
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")


def writes(calls: Counter[str]) -> int:
    return sum(count for call, count in calls.items() if call.partition(".")[2] in WRITES)


@pytest.fixture(autouse=True)
def _clock_stands_still(clock: Clock) -> None:
    """Stop the clock, because the first request of each minute writes to reserve a part of the ceiling."""


@pytest.fixture
def key(api: Api) -> str:
    body = {
        "name": "test",
        "scopes": ["events:publish", "webhooks:read"],
        "rateLimitPerHour": 1000,
        "rateLimitPerDay": 10_000,
    }
    answer = api("POST /api/integrations/api-keys", json=body)
    assert answer.status == 201, answer.text
    return str(answer.json()["key"])


def test_calls_of_requests_with_api_key(backend: Backend, api: Api, key: str) -> None:
    def cost(path: str, **options: Any) -> Counter[str]:
        backend.calls.clear()
        answer = api(path, token=key, **options)
        assert answer.status in (200, 202), answer.text
        return backend.calls.count

    cost("GET /api/integrations/webhooks")  # the first request reads the key and the workspace's ceiling
    assert cost("GET /api/integrations/webhooks") == {"dynamodb.UpdateItem": 1, "dynamodb.Query": 1}
    for _ in range(3):
        body = {"name": "test", "url": "https://example.com/", "eventTypes": ["POST_PUBLISHED"]}
        assert api("POST /api/integrations/webhooks", json=body).status == 201
    # One call reads the stats of all three, unless one has failed or got an event within the hour.
    assert cost("GET /api/integrations/webhooks?include=stats,receiver") == {
        "dynamodb.UpdateItem": 1,
        "dynamodb.Query": 1,
        "dynamodb.BatchGetItem": 1,
    }

    cost("POST /api/events", json=EVENT)  # reads the subscriptions
    read_and_write = {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}
    sending = {"dynamodb.UpdateItem": 1, "sqs.SendMessageBatch": 1}
    assert cost("POST /api/events", json=EVENT) == sending | read_and_write
    once = {"headers": {"idempotency-key": "1"}}
    sending["dynamodb.PutItem"] = 1
    assert cost("POST /api/events", json=EVENT, **once) == sending | read_and_write
    # A repeat sends again, because the first send may have been lost.
    assert cost("POST /api/events", json=EVENT, **once) == sending | {"dynamodb.BatchGetItem": 1}


def test_list_of_webhooks_reads_stats_on_request_only(backend: Backend, api: Api) -> None:
    """The window of each webhook's stats has 25 rows."""
    for _ in range(20):
        body = {"name": "test", "url": "https://example.com/", "eventTypes": ["POST_PUBLISHED"]}
        id = api("POST /api/integrations/webhooks", json=body).json()["id"]
    calls = {}
    for line in ("", "?include=receiver", "?include=stats", f"/{id}"):
        backend.calls.clear()
        assert api(f"GET /api/integrations/webhooks{line}").status == 200
        calls[line] = dict(backend.calls.count)
    assert calls == {
        "": {"dynamodb.Query": 1},
        "?include=receiver": {"dynamodb.Query": 1, "dynamodb.BatchGetItem": 1},
        "?include=stats": {"dynamodb.Query": 1, "dynamodb.BatchGetItem": 6},
        f"/{id}": {"dynamodb.GetItem": 1, "dynamodb.BatchGetItem": 1, "dynamodb.Query": 1},
    }


def test_event_with_webhooks_takes_one_more_query_and_one_more_batch(backend: Backend, api: Api) -> None:
    """The query reads the webhooks that did not get the event, the batch the names of those that did."""
    body = {"name": "test", "url": "https://example.com/", "eventTypes": ["POST_PUBLISHED"]}
    api("POST /api/integrations/webhooks", json=body)
    line = f"GET /api/events/{api('POST /api/events', json=EVENT).json()['id']}"
    for scope, queries in (("events:read", 0), ("events:read webhooks:read", 1)):
        backend.calls.clear()
        assert api(line, token=jwt_for("acme", scope=scope)).status == 200
        assert backend.calls.count["dynamodb.Query"] == queries
        assert backend.calls.count["dynamodb.BatchGetItem"] == 1 + queries
    assert backend.calls.count.total() == 4


def test_list_of_events_does_not_read_their_data(backend: Backend, api: Api) -> None:
    """An event's data can be 256 KB, and the list does not show it."""
    data = {**POST, "text": "x" * 10_000}
    for _ in range(3):
        api("POST /api/events", json={**EVENT, "data": data})
    received: list[int] = []

    def measure(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        response = call(params)
        if operation == "Query":
            received.append(len(json.dumps(response)))
        return response

    with around_calls(measure):
        page = api("GET /api/events").json()
    assert len(page["items"]) == 3
    assert sum(received) < 5_000


def test_warm_publish_with_jwt_writes_only_event(backend: Backend, api: Api) -> None:
    api("POST /api/events", json=EVENT)
    backend.calls.clear()
    api("POST /api/events", json=EVENT)
    assert backend.calls.count == {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}


def test_rejected_request_makes_no_call(backend: Backend, api: Api, key: str) -> None:
    api("GET /api/integrations/webhooks", token=key)
    backend.calls.clear()
    for token in (f"{key[:-1]}!", None):
        assert_problem(api("GET /api/integrations/webhooks", token=token), 401)
    assert backend.calls.made == []


def test_batch_of_successes_is_one_read_and_one_write(backend: Backend, pipeline: Pipeline) -> None:
    """Ten webhooks take 0.2 calls per delivery. The batch reads and unwraps the data key once."""
    with receiver() as r:
        for _ in range(10):
            pipeline.webhook(r.url, headers={"x-own": "v"})
        pipeline.publish()
        cold_start()
        backend.calls.clear()
        assert pipeline.deliveries.poll() == 10
        assert len(r.requests) == 10
        calls = {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}
        assert backend.calls.count == {**calls, "dynamodb.Query": 1, "kms.Decrypt": 1}
        pipeline.publish()
        backend.calls.clear()
        with watched("dynamodb.BatchGetItem") as reads:
            assert pipeline.deliveries.poll() == 10
        assert backend.calls.count == calls
    # Deliveries need consistent reads. Eventually consistent reads cost half as much.
    consistent = {table: keys["ConsistentRead"] for table, keys in reads[0]["RequestItems"].items()}
    tables = settings()
    assert consistent == {
        tables.deliveries_table: True,
        tables.webhooks_table: True,
        tables.health_table: False,
    }


def test_calls_of_first_delivery_of_webhook(backend: Backend, pipeline: Pipeline) -> None:
    """The calls: the move, then in the slow lane the permit, its return, the claim, and the fast mark."""
    with receiver() as r:
        pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        backend.calls.clear()
        pipeline.poll()
        assert backend.calls.count == {
            "dynamodb.BatchGetItem": 2,
            "sqs.SendMessageBatch": 1,
            "dynamodb.UpdateItem": 2 + 1,
            "dynamodb.PutItem": 1,
            "dynamodb.BatchWriteItem": 1,
        }


def test_calls_of_failed_attempt(backend: Backend, pipeline: Pipeline) -> None:
    """The calls: the claim, a transaction with the attempt's row, the wait, the counters, the retry count."""
    with receiver([500]) as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        backend.calls.clear()
        pipeline.deliveries.poll()
    assert backend.calls.count == {
        "dynamodb.BatchGetItem": 1,
        "dynamodb.PutItem": 1,
        "dynamodb.TransactWriteItems": 1,
        "dynamodb.UpdateItem": 1,
        "sqs.ChangeMessageVisibilityBatch": 1,
        "dynamodb.Query": 1,
    }


def test_large_body_adds_one_read_and_one_claim(backend: Backend, pipeline: Pipeline) -> None:
    """The body is not in the message, so the worker claims the delivery and reads the event's row."""
    with receiver() as r:
        pipeline.webhook(r.url)
        pipeline.publish({"x": "x" * 100_000})
        backend.calls.clear()
        pipeline.deliveries.poll()
    assert backend.calls.count["dynamodb.GetItem"] == 1
    assert writes(backend.calls.count) == 2


def test_duplicate_message_is_one_read(backend: Backend, pipeline: Pipeline) -> None:
    """This holds in both lanes. In the slow lane, the duplicate takes no permit."""
    with receiver() as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        (record,) = pipeline.deliveries.receive()
        pipeline.deliveries.invoke([record])
        for lane in (pipeline.deliveries, pipeline.slow):
            lane.send(record["body"])
            backend.calls.clear()
            assert lane.poll() == 1
            assert lane.waits == []
            assert backend.calls.count == {"dynamodb.BatchGetItem": 1}
        assert len(r.requests) == 1


def test_calls_of_automations(backend: Backend, pipeline: Pipeline) -> None:
    """Subscribing an existing hook takes two reads and a write that records it. An action takes a write and a
    send. Its result takes two writes in one transaction, a send, and a write that marks it as done. Each also
    writes to the audit log.
    """
    platform = jwt_for("platform", claims={"exp": pipeline.clock.now // 1000 + 600})

    def cost(path: str, **options: Any) -> Any:
        backend.calls.clear()
        answer = pipeline._api(path, token=platform, **options)
        assert answer.status in (200, 201, 202), answer.text
        return answer.json()

    base = "/api/automations/make"
    hook = {"url": "https://example.com/", "eventType": "POST_PUBLISHED"}
    for _ in range(2):
        cost(f"POST {base}/hooks", json=hook)
    assert backend.calls.count == {"dynamodb.GetItem": 2, "dynamodb.UpdateItem": 1, "dynamodb.PutItem": 1}
    action = {"input": {"name": "Spring"}, "callbackUrl": "https://example.com/"}
    run = cost(f"POST {base}/actions/create_campaign", json=action)
    assert backend.calls.count == {"dynamodb.PutItem": 2, "sqs.SendMessage": 1}
    result = {"status": "FAILED", "error": {"detail": "no"}}
    cost(f"PUT /api/actions/runs/{run['id']}", json=result)
    assert backend.calls.count == {
        "dynamodb.GetItem": 1,
        "dynamodb.TransactWriteItems": 1,
        "sqs.SendMessage": 1,
        "dynamodb.UpdateItem": 1,
        "dynamodb.PutItem": 1,
    }
    cost("GET /api/automations/runs")
    assert backend.calls.count == {"dynamodb.Query": 4, "dynamodb.BatchGetItem": 1}
    for path in (f"{base}/me", f"{base}/triggers", f"{base}/actions", "/api/me"):
        cost(f"GET {path}")
        assert backend.calls.made == []


@pytest.mark.parameters(MaxRequestsPerMinute=500_000)  # one block of the ceiling is enough for all requests
def test_calls_of_deliveries_of_workspace(backend: Backend, pipeline: Pipeline) -> None:
    """The list reads events, their deliveries, and the webhooks if deliveries are queued. With a status
    that has an index, it reads the webhooks' IDs and queries each. With a webhook, it takes one query.
    """

    def cost(query: str) -> tuple[int, int]:
        backend.calls.clear()
        answer = pipeline.api(f"GET /api/deliveries?limit=100{query}")
        assert answer.status == 200, answer.text
        calls = backend.calls.count
        assert calls.keys() <= {"dynamodb.Query", "dynamodb.BatchGetItem"}
        return calls["dynamodb.Query"], calls["dynamodb.BatchGetItem"]

    with receiver() as r:
        webhooks = [pipeline.webhook(r.url)["id"] for _ in range(3)]
        for _ in range(5):
            pipeline.publish()
        assert cost("") == (1, 2)
        while pipeline.poll():
            pass
    assert cost("") == (1, 1)
    assert cost("&status=DELIVERED") == (1, 1)
    assert cost("&status=FAILED") == (1 + 3, 0)
    assert cost(f"&webhookId={webhooks[0]}") == (1, 0)
    assert cost(f"&webhookId={webhooks[0]}&status=FAILED") == (1, 0)


@pytest.mark.parameters(MaxRequestsPerMinute=500_000)  # one block of the ceiling is enough for all requests
def test_token_is_one_read_and_one_log_entry(backend: Backend, api: Api) -> None:
    """One BatchGetItem reads the integration and connection. Limits of the integration add a write."""
    cold_start()
    body = {"name": "test", "scopes": ["credentials:read"]}
    key = api("POST /api/integrations/api-keys", json=body).json()["key"]
    tokens = {"access_token": "a", "refresh_token": "r", "expires_in": 3600}
    with receiver([Answer(200, {"content-type": "application/json"}, json.dumps(tokens).encode())]) as r:
        config = {"authorizationUrl": r.url, "tokenUrl": r.url, "clientId": "c", "clientSecret": "s"}
        own = {"name": "own", "type": "CUSTOM", "provider": "own", "config": config}
        path = "/api/integrations/" + api("POST /api/integrations", json=own).json()["id"]
        started = api(f"POST {path}/oauth/initiate", json={"redirectUri": REDIRECT_URI}).json()
        finish = {"state": started["state"], "code": "c"}
        assert api("POST /api/integrations/oauth/callback", json=finish).status == 200
        vault.clear_cache()
        token_path, costs = f"GET {path}/connections/default/token", []
        for _ in range(100):
            backend.calls.clear()
            assert api(token_path, token=key).status == 200
            costs.append(backend.calls.count)
        assert len(r.requests) == 1
    # The first request reads the API key and decrypts the workspace's data key: the only KMS call of the
    # hundred.
    assert sum(cost["kms.Decrypt"] for cost in costs) == costs[0]["kms.Decrypt"] == 1
    warm = {"dynamodb.UpdateItem": 1, "dynamodb.BatchGetItem": 1, "dynamodb.PutItem": 1}
    assert all(cost == warm for cost in costs[1:])
    assert api(f"PUT {path}", json={"rateLimitPerHour": 1000, "rateLimitPerDay": 10_000}).status == 200
    for updates in (2, 2):
        backend.calls.clear()
        assert api(token_path, token=key).status == 200
        assert backend.calls.count == {**warm, "dynamodb.UpdateItem": updates}
