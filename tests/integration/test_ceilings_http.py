"""Ceilings of a workspace, set by template parameters: each refuses, says which it is, and gives way."""

from __future__ import annotations

from typing import Any

import pytest

from patchbay.ids import WebhookId
from patchbay.rate_limits import ceilings
from patchbay.storage import dynamo
from patchbay.webhooks import service as webhooks
from tests.catalogued import POST
from tests.conftest import Answer, Api, Backend, jwt_for

WEBHOOKS = "/api/integrations/webhooks"
KEYS = "/api/integrations/api-keys"
WEBHOOK = {"name": "Orders", "url": "https://example.com/hook", "events": ["*"]}
KEY = {"name": "ci", "scopes": ["webhooks:read", "events:publish"]}
EVENT = {"type": "POST_PUBLISHED", "data": POST}
MINUTE_MS = 60_000


def refused(answer: Answer, status: int, code: str, *words: str) -> dict[str, str]:
    """The headers of a refusal that names its ceiling."""
    assert (answer.status, answer.json()["code"]) == (status, code), answer
    assert all(word in answer.json()["detail"] for word in words), answer
    return {name.lower(): value for name, value in answer.headers.items()}


@pytest.mark.parameters(MaxWebhooks=2, MaxApiKeys=3)
@pytest.mark.parametrize(
    ("path", "body", "most", "word"), [(WEBHOOKS, WEBHOOK, 2, "webhooks"), (KEYS, KEY, 3, "API keys")]
)
def test_how_many_there_may_be(
    api: Api, backend: Backend, path: str, body: dict[str, Any], most: int, word: str
) -> None:
    ids = [api(f"POST {path}", json=body).json()["id"] for _ in range(most)]
    rows = {table: backend.rows(table) for table in ("WebhooksTable", "ApiKeysTable")}
    for headers in ({}, {"Idempotency-Key": "k"}):
        refused(api(f"POST {path}", json=body, headers=headers), 409, "conflict", str(most), word, "ceiling")
    assert {table: backend.rows(table) for table in rows} == rows
    assert api(f"POST {path}", json=body, token=jwt_for("rival")).status == 201

    # Only what was really removed makes room, and only once.
    assert api(f"DELETE {path}/{ids[0]}").status == 200
    api(f"DELETE {path}/{ids[0]}")
    api(f"DELETE {path}/{ids[0]}", token=jwt_for("rival"))
    assert api(f"POST {path}", json=body).status == 201
    refused(api(f"POST {path}", json=body), 409, "conflict")


@pytest.mark.parameters(MaxWebhooks=1)
def test_changing_needs_no_room(api: Api) -> None:
    id = api(f"POST {WEBHOOKS}", json=WEBHOOK).json()["id"]
    assert api(f"PUT {WEBHOOKS}/{id}", json={"events": ["POST_FAILED"]}).status == 200
    assert api(f"PUT {WEBHOOKS}/{id}/status", json={"status": "INACTIVE"}).status == 200
    refused(api(f"POST {WEBHOOKS}", json=WEBHOOK), 409, "conflict")  # a paused one counts


def heavy(values: int) -> list[dict[str, Any]]:
    """Filters of about 260 bytes for each value."""
    return [{"path": "a", "op": "in", "value": [f"{n:256}" for n in range(values)]}]


def test_how_many_bytes_of_filters_there_may_be(api: Api, backend: Backend) -> None:
    def refuses(line: str, body: dict[str, Any]) -> None:
        rows = backend.rows("WebhooksTable")
        refused(api(line, json=body), 409, "conflict", "filters", str(256 * 1024))
        assert backend.rows("WebhooksTable") == rows

    # 33 of them have 7.9 KB each, of 256 KB.
    ids = [api(f"POST {WEBHOOKS}", json={**WEBHOOK, "filters": heavy(31)}).json()["id"] for _ in range(32)]
    refuses(f"POST {WEBHOOKS}", {**WEBHOOK, "filters": heavy(31)})
    small = api(f"POST {WEBHOOKS}", json={**WEBHOOK, "filters": heavy(1)}).json()["id"]
    refuses(f"PUT {WEBHOOKS}/{small}", {"filters": heavy(31)})
    assert (
        api(f"POST {WEBHOOKS}", json={**WEBHOOK, "filters": heavy(31)}, token=jwt_for("rival")).status == 201
    )

    # A change that does not grow the filters needs no room; shortening or deleting them makes room.
    assert api(f"PUT {WEBHOOKS}/{small}", json={"name": "another", "events": ["POST_FAILED"]}).status == 200
    assert api(f"PUT {WEBHOOKS}/{ids[0]}", json={"filters": heavy(1)}).status == 200
    assert api(f"PUT {WEBHOOKS}/{small}", json={"filters": heavy(31)}).status == 200
    refuses(f"PUT {WEBHOOKS}/{ids[0]}", {"filters": heavy(31)})
    assert api(f"PUT {WEBHOOKS}/{ids[1]}/status", json={"status": "INACTIVE"}).status == 200
    refuses(f"PUT {WEBHOOKS}/{ids[0]}", {"filters": heavy(31)})  # a paused one counts
    assert api(f"DELETE {WEBHOOKS}/{ids[1]}").status == 200
    assert api(f"PUT {WEBHOOKS}/{ids[0]}", json={"filters": heavy(31)}).status == 200
    for id in {*ids, small} - {ids[1]}:
        assert api(f"DELETE {WEBHOOKS}/{id}").status == 200
    counts = {row["workspaceId"]: row for row in backend.rows("WebhooksTable") if row["sk"] == "count"}
    assert (counts["acme"]["webhooks"], counts["acme"]["filterBytes"]) == (0, 0)


def test_filters_that_an_earlier_release_did_not_count_are_not_counted_out(
    api: Api, backend: Backend
) -> None:
    body = {**WEBHOOK, "filters": heavy(2)}
    ids = [api(f"POST {WEBHOOKS}", json=body).json()["id"] for _ in range(2)]
    table = backend.template.name("WebhooksTable")
    for id in ids:
        key = {"workspaceId": "acme", "sk": id}
        dynamo.update(table, key, "REMOVE filterBytes")
    dynamo.update(table, {"workspaceId": "acme", "sk": "count"}, "REMOVE filterBytes, subscriptions")

    def counted() -> int:
        (count,) = (row for row in backend.rows("WebhooksTable") if row["sk"] == "count")
        return int(count["filterBytes"])

    # The first change of what it matches counts a webhook in.
    assert api(f"POST {WEBHOOKS}/{ids[0]}/rotate-secret", json={}).status == 200
    assert api(f"PUT {WEBHOOKS}/{ids[0]}", json={"events": ["POST_FAILED"]}).status == 200
    assert counted() > 500
    for id in ids:
        assert api(f"DELETE {WEBHOOKS}/{id}").status == 200
    assert counted() == 0


def test_above_the_ceiling_a_webhook_of_an_earlier_release_can_be_paused_and_disabled(
    api: Api, backend: Backend
) -> None:
    body = {**WEBHOOK, "filters": heavy(2)}
    ids = [api(f"POST {WEBHOOKS}", json=body).json()["id"] for _ in range(2)]
    table = backend.template.name("WebhooksTable")
    for id in ids:
        dynamo.update(table, {"workspaceId": "acme", "sk": id}, "REMOVE filterBytes")
    full = 256 * 1024
    dynamo.update(table, {"workspaceId": "acme", "sk": "count"}, "SET filterBytes = :full", full=full)
    for status in ("INACTIVE", "ACTIVE"):
        assert api(f"PUT {WEBHOOKS}/{ids[0]}/status", json={"status": status}).status == 200
    assert webhooks.disable("acme", WebhookId(ids[1]), "gone")
    (count,) = (row for row in backend.rows("WebhooksTable") if row["sk"] == "count")
    assert count["filterBytes"] > full + 2 * 500
    refused(api(f"PUT {WEBHOOKS}/{ids[0]}", json={"filters": heavy(3)}), 409, "conflict", "filters")


class Clock:
    """Stands at the middle of a minute, so that no test runs over its end."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_030_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Clock:
    ours = Clock()
    monkeypatch.setattr(ceilings, "_process", ceilings.Ceilings(ours))
    return ours


@pytest.mark.parameters(MaxRequestsPerMinute=3)
def test_requests_a_minute(api: Api, clock: Clock) -> None:
    line = f"GET {WEBHOOKS}"
    rival = jwt_for("rival")
    assert [api(line).status for _ in range(3)] == [200] * 3
    for other in (line, f"POST {WEBHOOKS}", f"GET {KEYS}/nope", f"GET {WEBHOOKS}"):
        headers = refused(api(other), 429, "rate_limited", "3 requests a minute", "ceiling")
        assert 1 <= int(headers["retry-after"]) <= 120
    assert api("GET /api/health").status == 200  # a public route belongs to nobody
    assert api(line, token=None).status == 401
    assert api(line, token=rival).status == 200

    clock.now_ms += int(headers["retry-after"]) * 1000
    assert api(line).status == 200
    clock.now_ms += 2 * MINUTE_MS
    assert [api(line).status for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parameters(MaxRequestsPerMinute=4)
def test_refused_requests_count_too_but_not_those_of_strangers(api: Api, clock: Clock) -> None:
    line = f"GET {WEBHOOKS}"
    for _ in range(5):
        assert api(line, token="garbage").status == 401
        assert api(line, token=jwt_for("acme", exp=1)).status == 401
        assert api(line, token=jwt_for("acme", scope="events:read")).status == 403
    assert api(f"GET {WEBHOOKS}/nope").status == 404
    assert api(f"POST {WEBHOOKS}", json={}).status == 422
    assert [api(line).status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parameters(MaxRequestsPerMinute=3)
def test_a_key_at_the_workspaces_ceiling_still_sees_its_own_limits(api: Api, clock: Clock) -> None:
    key = api(f"POST {KEYS}", json={**KEY, "rateLimitPerHour": 50}).json()["key"]
    line = f"GET {WEBHOOKS}"
    assert [api(line, token=key).status for _ in range(2)] == [200, 200]
    headers = refused(api(line, token=key), 429, "rate_limited", "3 requests a minute")
    assert headers["x-ratelimit-limit"] == "50"
    assert headers["retry-after"]


@pytest.mark.parameters(MaxEventsPerMinute=2)
def test_events_a_minute(api: Api, backend: Backend, clock: Clock) -> None:
    line = "POST /api/events"
    assert [api(line, json=EVENT).status for _ in range(2)] == [202, 202]
    backend.messages("EventsQueue")
    for headers in ({}, {"Idempotency-Key": "k"}):
        found = refused(
            api(line, json=EVENT, headers=headers), 429, "rate_limited", "2 events a minute", "ceiling"
        )
        assert 1 <= int(found["retry-after"]) <= 120
    assert backend.messages("EventsQueue") == []
    assert backend.rows("IdempotencyTable") == []

    # What the platform publishes for a workspace counts for that workspace.
    platform = jwt_for("platform")
    refused(api(line, json={**EVENT, "workspaceId": "acme"}, token=platform), 429, "rate_limited")
    assert api(line, json={**EVENT, "workspaceId": "other"}, token=platform).status == 202
    assert api(line, json=EVENT, token=platform).status == 202
    assert api("GET /api/events").status == 200

    clock.now_ms += 2 * MINUTE_MS
    assert api(line, json=EVENT, headers={"Idempotency-Key": "k"}).status == 202


@pytest.mark.parameters(MaxEventsPerMinute=2)
def test_events_that_are_refused_cost_nothing(api: Api, clock: Clock) -> None:
    line = "POST /api/events"
    for _ in range(3):
        assert api(line, json={**EVENT, "type": "NOPE"}).status == 422
        assert api(line, json={**EVENT, "workspaceId": "rival"}).status == 403
        assert api(line, json={**EVENT, "data": {**POST, "a": "x" * 262_144}}).status == 413
        assert (
            api(line, json={**EVENT, "idempotencyKey": "a"}, headers={"Idempotency-Key": "b"}).status == 422
        )
    assert [api(line, json=EVENT).status for _ in range(3)] == [202, 202, 429]


def test_the_limits_of_a_key(api: Api) -> None:
    """Both windows, on every answer to a key: RFC 9110's Retry-After on the refusal."""
    made = api(f"POST {KEYS}", json={**KEY, "rateLimitPerHour": 2, "rateLimitPerDay": 5}).json()
    line = f"GET {WEBHOOKS}"
    wanted = {
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "ratelimit-policy",
        "ratelimit",
    }
    first = api(line, token=made["key"])
    assert wanted <= set(first.headers)
    assert first.headers["x-ratelimit-remaining"] == "1"
    forbidden = api(f"POST {WEBHOOKS}", json={}, token=made["key"])
    assert forbidden.status == 403
    assert forbidden.headers["x-ratelimit-remaining"] == "0"
    headers = refused(api(line, token=made["key"]), 429, "rate_limited", "2 requests per hour")
    assert wanted <= set(headers)
    assert 1 <= int(headers["retry-after"]) <= 7200
    assert not wanted & set(api(line).headers)
    assert not wanted & set(api(line, token="sk_test_nope").headers)
