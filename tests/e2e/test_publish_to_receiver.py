"""The main job on the local stack: a published event reaches its receivers, signed, recorded and retried."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook as StandardWebhook

from local.testing import RunningStack
from tests.catalogued import POST
from tests.e2e.conftest import API_KEYS, WEBHOOKS, Workspace, eventually, verify
from tests.receivers import receiver

ONE_RETRY = {"maxRetries": 1, "backoffMultiplier": 1, "initialDelaySeconds": 1}


def test_event_reaches_its_receiver(workspace: Workspace) -> None:
    with receiver() as inbox:
        webhook = workspace.webhook(inbox.url, headers={"x-team": "social"})
        key = workspace.key("events:publish", "events:read", "webhooks:read")
        data = {**POST, "url": "https://social.example/p/1"}
        published = workspace.publish(data, token=key["key"])
        assert workspace.settled(published["id"]) == {webhook["id"]: "DELIVERED"}
        (received,) = inbox.requests

    verify(received, webhook["secret"])
    assert json.loads(received.body) == {**published, "data": data}
    assert received.headers["content-type"] == "application/json"
    assert received.headers["x-team"] == "social"
    assert re.fullmatch(r"Patchbay/\S+", received.headers["user-agent"])

    # The API shows the event to the key too.
    event = workspace(f"GET /api/events/{published['id']}", token=key["key"])
    assert event["data"] == data
    (sent,) = event["deliveries"]
    assert (sent["id"], sent["webhookId"], sent["status"]) == (
        *(received.headers["webhook-id"], webhook["id"], "DELIVERED"),
    )
    deliveries = f"{WEBHOOKS}/{webhook['id']}/deliveries"
    (listed,) = workspace(f"GET {deliveries}", token=key["key"])["items"]
    assert listed["id"] == received.headers["webhook-id"]
    assert (listed["status"], listed["attemptCount"], listed["maxAttempts"]) == ("DELIVERED", 1, 4)
    delivery = workspace(f"GET {deliveries}/{listed['id']}", token=key["key"])
    assert delivery["payload"] == json.loads(received.body)
    (attempt,) = delivery["attempts"]
    assert (attempt["number"], attempt["trigger"], attempt["statusCode"]) == (1, "AUTO", 200)
    assert attempt["requestHeaders"]["webhook-signature"] == received.headers["webhook-signature"]
    assert attempt["requestHeaders"]["x-team"] == "********"
    assert workspace(f"GET {WEBHOOKS}/{webhook['id']}")["recentDeliveries"] == [listed]


def test_waiting_receiver_gets_an_event_from_its_feed(workspace: Workspace) -> None:
    body = {"kind": "pull", "name": "feed", "eventTypes": ["POST_PUBLISHED"], "expiresInSeconds": 3600}
    webhook = workspace(f"POST {WEBHOOKS}", json=body)
    feed = f"{WEBHOOKS}/{webhook['id']}/feed"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(workspace, f"GET {feed}?wait=20")
        with pytest.raises(TimeoutError):
            waiting.result(1)
        event = workspace.publish()
        (item,) = waiting.result(15)["items"]
    verified = StandardWebhook(webhook["secret"]).verify(item["payload"], item["headers"])
    assert (item["eventId"], verified["id"]) == (event["id"], event["id"])
    assert workspace(f"GET {feed}?cursor={item['sequence']}")["items"] == []


def test_delivery_succeeds_after_two_failures(workspace: Workspace) -> None:
    with receiver([500, 500, 200]) as inbox:
        webhook = workspace.webhook(inbox.url)
        published = workspace.publish()
        assert workspace.settled(published["id"]) == {webhook["id"]: "DELIVERED"}
        requests = list(inbox.requests)

    assert len(requests) == 3
    assert len(set(inbox.ids)) == 1
    assert len({request.body for request in requests}) == 1
    stamps = [int(request.headers["webhook-timestamp"]) for request in requests]
    assert stamps[0] < stamps[1] < stamps[2]
    assert len({request.headers["webhook-signature"] for request in requests}) == 3
    for request in requests:
        verify(request, webhook["secret"])
    delivery = workspace.delivery(webhook, published["id"])
    assert [(a["number"], a["statusCode"]) for a in delivery["attempts"]] == [(1, 500), (2, 500), (3, 200)]
    assert (delivery["attemptCount"], delivery["statusReason"]) == (3, None)


def test_delivery_fails_after_its_retries(workspace: Workspace) -> None:
    with receiver([503]) as inbox:
        webhook = workspace.webhook(inbox.url, retryConfig={**ONE_RETRY, "maxRetries": 2})
        published = workspace.publish()
        assert workspace.settled(published["id"]) == {webhook["id"]: "FAILED"}
        assert len(inbox.requests) == 3

    delivery = workspace.delivery(webhook, published["id"])
    assert [attempt["statusCode"] for attempt in delivery["attempts"]] == [503, 503, 503]
    assert (delivery["attemptCount"], delivery["maxAttempts"]) == (3, 3)
    assert delivery["statusReason"] == "retries_exhausted:http_503"
    failed = workspace(f"GET {WEBHOOKS}/{webhook['id']}/deliveries?status=FAILED")["items"]
    assert [item["id"] for item in failed] == [delivery["id"]]


def test_idempotency_key_prevents_a_second_event(workspace: Workspace) -> None:
    with receiver() as inbox:
        webhook = workspace.webhook(inbox.url)
        idempotency = {"idempotency-key": "post_1-published"}
        first = workspace.publish({"post": 1}, headers=idempotency)
        assert workspace.settled(first["id"]) == {webhook["id"]: "DELIVERED"}
        assert workspace.publish({"post": 1}, headers=idempotency) == first
        second = {"type": "POST_PUBLISHED", "data": {**POST, "post": 2}}
        other = workspace.ask("POST /api/events", json=second, headers=idempotency)
        # A later event has arrived, so the repeated one would have arrived too.
        last = workspace.publish({"post": 3})
        assert workspace.settled(last["id"]) == {webhook["id"]: "DELIVERED"}
        assert [json.loads(request.body)["data"]["post"] for request in inbox.requests] == [1, 3]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


DATA = {
    "200 KB": {**POST, "text": "Grüße 🌷 " * 13_000, "last": "word"},
    "unicode": {
        **POST,
        "scripts": "naïve — 日本語 — العربية — हिन्दी — ไทย",
        "marks": "e\u0301 \u200d \ufeff \u2028 \u2029",
        "astral": "👩🏽‍🚀🏳️‍🌈 𝔘",
        "escapes": '"\\/\b\f\n\r\t\x01\x7f',
        "clé": [1.5, -0.0, 1e300, 2**53 + 1, True, None, {"": ""}],
    },
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA.keys())
def test_data_arrives_unchanged(data: dict[str, Any], workspace: Workspace) -> None:
    with receiver() as inbox:
        webhook = workspace.webhook(inbox.url)
        published = workspace.publish(data)
        assert workspace.settled(published["id"]) == {webhook["id"]: "DELIVERED"}
        (received,) = inbox.requests
    expected = json.dumps({**published, "data": data}, ensure_ascii=False, separators=(",", ":"))
    assert received.body == expected.encode()
    verify(received, webhook["secret"])
    assert workspace.delivery(webhook, published["id"])["payload"] == json.loads(expected)


def test_revoked_key_is_rejected_by_the_next_request(workspace: Workspace) -> None:
    key = workspace.key("webhooks:read", "events:read")
    lines = [f"GET {WEBHOOKS}", "GET /api/events"]  # two functions, so two processes that know the key
    for line in lines:
        workspace(line, token=key["key"])
    assert workspace(f"DELETE {API_KEYS}/{key['id']}") == {}
    for line in lines:
        rejected = workspace.ask(line, token=key["key"])
        assert (rejected.status_code, rejected.json()["code"]) == (401, "unauthenticated")
        assert "revoked" in rejected.json()["detail"]
    assert workspace(f"GET {API_KEYS}/{key['id']}")["status"] == "REVOKED"


def test_responses_to_a_key_have_its_limits(workspace: Workspace) -> None:
    key = workspace.key("events:read", rateLimitPerHour=2, rateLimitPerDay=100)
    answers = [workspace.ask("GET /api/events", token=key["key"]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-limit"] for answer in answers] == ["2"] * 3
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    for answer in answers:
        assert int(answer.headers["x-ratelimit-reset"]) > 0
        assert {"ratelimit", "ratelimit-policy"} <= answer.headers.keys()
    assert int(answers[2].headers["retry-after"]) > 0
    assert answers[2].json()["code"] == "rate_limited"
    assert "x-ratelimit-limit" not in workspace.ask("GET /api/events").headers


def test_inactive_webhook_receives_nothing(workspace: Workspace) -> None:
    with receiver() as inbox:
        webhook = workspace.webhook(inbox.url)
        status = f"PUT {WEBHOOKS}/{webhook['id']}/status"
        assert workspace(status, json={"status": "INACTIVE"})["status"] == "INACTIVE"
        missed = workspace.publish({"post": 1})
        assert (eventually(lambda: workspace.event(missed["id"])) or {})["deliveries"] == []
        workspace(status, json={"status": "ACTIVE"})
        published = workspace.publish({"post": 2})
        assert workspace.settled(published["id"]) == {webhook["id"]: "DELIVERED"}
        assert [json.loads(request.body)["data"]["post"] for request in inbox.requests] == [2]


def test_pause_and_replay_send_what_was_missed(workspace: Workspace) -> None:
    before = workspace.publish({"post": 1})
    since = eventually(lambda: workspace.event(before["id"]) or {})["timestamp"]
    with receiver() as inbox:
        webhook = workspace.webhook(inbox.url)
        path = f"{WEBHOOKS}/{webhook['id']}"
        workspace(f"PUT {path}/status", json={"status": "PAUSED"})
        held = workspace.publish({"post": 2})
        eventually(lambda: workspace.statuses(held["id"]) == {webhook["id"]: "HELD"})
        task = workspace(f"POST {path}/replay", json={"since": since, "missing": True})
        assert (task["status"], task["total"]) == ("RUNNING", 1)
        workspace(f"PUT {path}/status", json={"status": "ACTIVE"})
        workspace.stack.invoke("SweepDeliveriesFunction", {"source": "aws.scheduler"})
        assert workspace.settled(held["id"]) == {webhook["id"]: "DELIVERED"}
        assert workspace.settled(before["id"]) == {webhook["id"]: "DELIVERED"}
        assert sorted(json.loads(request.body)["data"]["post"] for request in inbox.requests) == [1, 2]
    ended = workspace(f"GET /api/tasks/{task['id']}")
    assert (ended["status"], ended["done"]) == ("SUCCEEDED", 1)
    assert workspace("GET /api/tasks")["items"] == [ended]


@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "inactive"])
def test_waiting_delivery_is_cancelled_with_its_webhook(deleted: bool, workspace: Workspace) -> None:
    with receiver([500]) as inbox:
        webhook = workspace.webhook(inbox.url, retryConfig={**ONE_RETRY, "initialDelaySeconds": 6})
        published = workspace.publish()
        eventually(lambda: workspace.statuses(published["id"]) == {webhook["id"]: "RETRYING"})
        if deleted:
            assert workspace(f"DELETE {WEBHOOKS}/{webhook['id']}") == {}
        else:
            workspace(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "INACTIVE"})
        assert workspace.settled(published["id"]) == {webhook["id"]: "CANCELLED"}
        assert len(inbox.requests) == 1
    gone = workspace.ask(f"GET {WEBHOOKS}/{webhook['id']}")
    assert gone.status_code == (404 if deleted else 200)


def test_logs_of_all_functions_have_the_request_id(workspace: Workspace) -> None:
    with receiver() as inbox:
        webhook = workspace.webhook(inbox.url)
        body = {"type": "POST_PUBLISHED", "data": POST}
        answer = workspace.ask("POST /api/events", json=body)
        published = answer.json()
        assert workspace.settled(published["id"]) == {webhook["id"]: "DELIVERED"}
    request_id = answer.headers["x-request-id"]  # a client can quote it
    assert request_id == answer.headers["apigw-requestid"]

    def functions() -> set[str]:
        lines = [line.split() for line in workspace.stack.output().splitlines()]
        return {words[2] for words in lines if f"correlation_id={request_id}" in words}

    # A new webhook uses the slow lane.
    eventually(lambda: {"PublishEventFunction", "DeliverSlowFunction"} <= functions(), 20)
    secrets = [webhook["secret"], workspace.token]
    assert not [secret for secret in secrets if secret in workspace.stack.output()]


def test_problem_links_to_this_stack_and_head_has_no_body(workspace: Workspace) -> None:
    problem = workspace.ask("GET /api/events/")
    assert problem.json()["type"] == f"{workspace.stack.url}/api/docs/errors#not_found"
    assert problem.json()["requestId"] == problem.headers["x-request-id"]
    head = workspace.ask(f"HEAD {WEBHOOKS}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == "application/json"
    refused = workspace.ask(f"HEAD {WEBHOOKS}/recover")
    assert (refused.status_code, refused.content) == (404, b"")


def test_other_workspace_has_no_access(workspace: Workspace) -> None:
    with receiver() as inbox:
        webhook = workspace.webhook(inbox.url)
        key = workspace.key("events:read")
        published = workspace.publish()
        assert workspace.settled(published["id"]) == {webhook["id"]: "DELIVERED"}
        delivery = f"{WEBHOOKS}/{webhook['id']}/deliveries/{inbox.ids[0]}"
    stranger = Workspace(workspace.stack)
    lines: dict[str, Any] = {
        f"GET {WEBHOOKS}/{webhook['id']}": None,
        f"PUT {WEBHOOKS}/{webhook['id']}": {"name": "mine"},
        f"PUT {WEBHOOKS}/{webhook['id']}/status": {"status": "INACTIVE"},
        f"DELETE {WEBHOOKS}/{webhook['id']}": None,
        f"GET {WEBHOOKS}/{webhook['id']}/deliveries": None,
        f"GET {delivery}": None,
        f"GET /api/events/{published['id']}": None,
        f"GET {API_KEYS}/{key['id']}": None,
        f"DELETE {API_KEYS}/{key['id']}": None,
    }
    for line, body in lines.items():
        answer = stranger.ask(line, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), line
    for path in (WEBHOOKS, API_KEYS, "/api/events"):
        assert stranger(f"GET {path}") == {"items": [], "nextCursor": None}
    assert workspace(f"GET {WEBHOOKS}/{webhook['id']}")["name"] == "receiver"
    assert workspace(f"GET {API_KEYS}/{key['id']}")["status"] == "ACTIVE"


def test_unknown_route_is_a_problem(running: RunningStack) -> None:
    for method in ("GET", "POST", "PATCH"):
        answer = httpx.request(method, f"{running.url}/api/nothing", timeout=40, trust_env=False)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "not_found"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_cors_is_off_by_default(running: RunningStack) -> None:
    for method, extra in (("OPTIONS", {"access-control-request-method": "GET"}), ("GET", {})):
        headers = {"origin": "https://elsewhere.example", **extra}
        answer = httpx.request(
            method, f"{running.url}/api/health", headers=headers, timeout=40, trust_env=False
        )
        assert not [name for name in answer.headers if name.startswith("access-control-")]
