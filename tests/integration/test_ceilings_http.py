"""The ceilings of a workspace, which are template parameters."""

from __future__ import annotations

from typing import Any

import pytest

from patchbay.clock import now_ms
from patchbay.ids import WebhookId
from patchbay.rate_limits import ceilings
from patchbay.storage import dynamo
from patchbay.webhooks import service as webhooks
from tests.catalogued import POST
from tests.conftest import Api, Backend, jwt_for
from tests.problems import assert_problem

WEBHOOKS = "/api/integrations/webhooks"
KEYS = "/api/integrations/api-keys"
WEBHOOK = {"name": "Orders", "url": "https://example.com/hook", "eventTypes": ["*"]}
KEY = {"name": "ci", "scopes": ["webhooks:read", "events:publish"]}
EVENT = {"type": "POST_PUBLISHED", "data": POST}
MINUTE_MS = 60_000


@pytest.mark.parameters(MaxWebhooks=2, MaxApiKeys=3)
@pytest.mark.parametrize(
    ("path", "body", "ceiling", "noun"), [(WEBHOOKS, WEBHOOK, 2, "webhooks"), (KEYS, KEY, 3, "API keys")]
)
def test_webhook_and_key_ceilings(
    api: Api, backend: Backend, path: str, body: dict[str, Any], ceiling: int, noun: str
) -> None:
    ids = [api(f"POST {path}", json=body).json()["id"] for _ in range(ceiling)]
    rows = {table: backend.rows(table) for table in ("WebhooksTable", "ApiKeysTable")}
    for headers in ({}, {"Idempotency-Key": "k"}):
        assert_problem(
            api(f"POST {path}", json=body, headers=headers), 409, None, str(ceiling), noun, "limit"
        )
    assert {table: backend.rows(table) for table in rows} == rows
    assert api(f"POST {path}", json=body, token=jwt_for("rival")).status == 201

    # Only a real deletion makes room, and only once.
    assert api(f"DELETE {path}/{ids[0]}").status == 200
    api(f"DELETE {path}/{ids[0]}")
    api(f"DELETE {path}/{ids[0]}", token=jwt_for("rival"))
    assert api(f"POST {path}", json=body).status == 201
    assert_problem(api(f"POST {path}", json=body), 409)


@pytest.mark.parameters(MaxWebhooks=1)
def test_updates_are_possible_at_the_ceiling(api: Api) -> None:
    id = api(f"POST {WEBHOOKS}", json=WEBHOOK).json()["id"]
    assert api(f"PUT {WEBHOOKS}/{id}", json={"eventTypes": ["POST_FAILED"]}).status == 200
    assert api(f"PUT {WEBHOOKS}/{id}/status", json={"status": "INACTIVE"}).status == 200
    assert_problem(api(f"POST {WEBHOOKS}", json=WEBHOOK), 409)  # a paused webhook counts


def large_filters(values: int) -> list[dict[str, Any]]:
    """Filters that take about 260 bytes per value."""
    return [{"path": "text", "op": "in", "value": [f"{n:256}" for n in range(values)]}]


def test_filter_size_ceiling(api: Api, backend: Backend) -> None:
    def assert_refused(line: str, body: dict[str, Any]) -> None:
        rows = backend.rows("WebhooksTable")
        assert_problem(api(line, json=body), 409, None, "filters", str(256 * 1024))
        assert backend.rows("WebhooksTable") == rows

    # Each has 7.9 KB of filters, so 33 of them exceed 256 KB.
    ids = [
        api(f"POST {WEBHOOKS}", json={**WEBHOOK, "filters": large_filters(31)}).json()["id"]
        for _ in range(32)
    ]
    assert_refused(f"POST {WEBHOOKS}", {**WEBHOOK, "filters": large_filters(31)})
    small = api(f"POST {WEBHOOKS}", json={**WEBHOOK, "filters": large_filters(1)}).json()["id"]
    assert_refused(f"PUT {WEBHOOKS}/{small}", {"filters": large_filters(31)})
    assert (
        api(f"POST {WEBHOOKS}", json={**WEBHOOK, "filters": large_filters(31)}, token=jwt_for("rival")).status
        == 201
    )

    # A change that does not enlarge the filters needs no room. Reducing or deleting filters makes room.
    assert (
        api(f"PUT {WEBHOOKS}/{small}", json={"name": "another", "eventTypes": ["POST_FAILED"]}).status == 200
    )
    assert api(f"PUT {WEBHOOKS}/{ids[0]}", json={"filters": large_filters(1)}).status == 200
    assert api(f"PUT {WEBHOOKS}/{small}", json={"filters": large_filters(31)}).status == 200
    assert_refused(f"PUT {WEBHOOKS}/{ids[0]}", {"filters": large_filters(31)})
    assert api(f"PUT {WEBHOOKS}/{ids[1]}/status", json={"status": "INACTIVE"}).status == 200
    assert_refused(f"PUT {WEBHOOKS}/{ids[0]}", {"filters": large_filters(31)})  # a paused webhook counts
    assert api(f"DELETE {WEBHOOKS}/{ids[1]}").status == 200
    assert api(f"PUT {WEBHOOKS}/{ids[0]}", json={"filters": large_filters(31)}).status == 200
    for id in {*ids, small} - {ids[1]}:
        assert api(f"DELETE {WEBHOOKS}/{id}").status == 200
    counts = {row["workspaceId"]: row for row in backend.rows("WebhooksTable") if row["sk"] == "count"}
    assert (counts["acme"]["webhooks"], counts["acme"]["filterBytes"]) == (0, 0)


def test_filters_not_counted_by_an_earlier_release_are_not_subtracted(api: Api, backend: Backend) -> None:
    body = {**WEBHOOK, "filters": large_filters(2)}
    ids = [api(f"POST {WEBHOOKS}", json=body).json()["id"] for _ in range(2)]
    table = backend.template.name("WebhooksTable")
    for id in ids:
        key = {"workspaceId": "acme", "sk": id}
        dynamo.update(table, key, "REMOVE filterBytes")
    dynamo.update(table, {"workspaceId": "acme", "sk": "count"}, "REMOVE filterBytes, subscriptions")

    def counted() -> int:
        (count,) = (row for row in backend.rows("WebhooksTable") if row["sk"] == "count")
        return int(count["filterBytes"])

    # The first change of a webhook's events or filters counts its filters.
    assert api(f"POST {WEBHOOKS}/{ids[0]}/rotate-secret", json={}).status == 200
    assert api(f"PUT {WEBHOOKS}/{ids[0]}", json={"eventTypes": ["POST_FAILED"]}).status == 200
    assert counted() > 500
    for id in ids:
        assert api(f"DELETE {WEBHOOKS}/{id}").status == 200
    assert counted() == 0


def test_webhook_of_an_earlier_release_can_be_paused_above_the_ceiling(api: Api, backend: Backend) -> None:
    body = {**WEBHOOK, "filters": large_filters(2)}
    ids = [api(f"POST {WEBHOOKS}", json=body).json()["id"] for _ in range(2)]
    table = backend.template.name("WebhooksTable")
    for id in ids:
        dynamo.update(table, {"workspaceId": "acme", "sk": id}, "REMOVE filterBytes")
    full = 256 * 1024
    dynamo.update(table, {"workspaceId": "acme", "sk": "count"}, "SET filterBytes = :full", full=full)
    for status in ("INACTIVE", "ACTIVE"):
        assert api(f"PUT {WEBHOOKS}/{ids[0]}/status", json={"status": status}).status == 200
    assert webhooks.disable("acme", WebhookId(ids[1]), "gone", lambda webhook: (), requested_at=now_ms())
    (count,) = (row for row in backend.rows("WebhooksTable") if row["sk"] == "count")
    assert count["filterBytes"] > full + 2 * 500
    assert_problem(api(f"PUT {WEBHOOKS}/{ids[0]}", json={"filters": large_filters(3)}), 409, None, "filters")


class Clock:
    """A clock that starts in the middle of a minute, so no test crosses its end."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_030_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ceilings, "_process", ceilings.Ceilings(clock))
    return clock


@pytest.mark.parameters(MaxRequestsPerMinute=3)
def test_request_ceiling_per_minute(api: Api, clock: Clock) -> None:
    line = f"GET {WEBHOOKS}"
    rival = jwt_for("rival")
    assert [api(line).status for _ in range(3)] == [200] * 3
    for other in (line, f"POST {WEBHOOKS}", f"GET {KEYS}/nope", f"GET {WEBHOOKS}"):
        answer = api(other)
        assert_problem(answer, 429, "rate_limited", "3 requests per minute", "limit")
        assert 1 <= int(answer.headers["retry-after"]) <= 120
    assert api("GET /api/health").status == 200  # a public route has no workspace
    assert api(line, token=None).status == 401
    assert api(line, token=rival).status == 200

    clock.now_ms += int(answer.headers["retry-after"]) * 1000
    assert api(line).status == 200
    clock.now_ms += 2 * MINUTE_MS
    assert [api(line).status for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parameters(MaxRequestsPerMinute=4)
def test_failed_requests_count_but_unauthenticated_ones_do_not(api: Api, clock: Clock) -> None:
    line = f"GET {WEBHOOKS}"
    for _ in range(5):
        assert api(line, token="garbage").status == 401
        assert api(line, token=jwt_for("acme", exp=1)).status == 401
        assert api(line, token=jwt_for("acme", scope="events:read")).status == 403
    assert api(f"GET {WEBHOOKS}/nope").status == 404
    assert api(f"POST {WEBHOOKS}", json={}).status == 422
    assert [api(line).status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parameters(MaxRequestsPerMinute=3)
def test_response_at_the_ceiling_carries_the_keys_limits(api: Api, clock: Clock) -> None:
    key = api(f"POST {KEYS}", json={**KEY, "rateLimitPerHour": 50}).json()["key"]
    line = f"GET {WEBHOOKS}"
    assert [api(line, token=key).status for _ in range(2)] == [200, 200]
    answer = api(line, token=key)
    assert_problem(answer, 429, "rate_limited", "3 requests per minute")
    assert answer.headers["x-ratelimit-limit"] == "50"
    assert answer.headers["retry-after"]


@pytest.mark.parameters(MaxEventsPerMinute=2)
def test_event_ceiling_per_minute(api: Api, backend: Backend, clock: Clock) -> None:
    line = "POST /api/events"
    assert [api(line, json=EVENT).status for _ in range(2)] == [202, 202]
    backend.messages("EventsQueue")
    for headers in ({}, {"Idempotency-Key": "k"}):
        answer = api(line, json=EVENT, headers=headers)
        assert_problem(answer, 429, "rate_limited", "2 events per minute", "limit")
        assert 1 <= int(answer.headers["retry-after"]) <= 120
    assert backend.messages("EventsQueue") == []
    assert backend.rows("IdempotencyTable") == []

    # An event that the platform publishes for a workspace counts against that workspace.
    platform = jwt_for("platform")
    assert_problem(api(line, json={**EVENT, "workspaceId": "acme"}, token=platform), 429, "rate_limited")
    assert api(line, json={**EVENT, "workspaceId": "other"}, token=platform).status == 202
    assert api(line, json=EVENT, token=platform).status == 202
    assert api("GET /api/events").status == 200

    clock.now_ms += 2 * MINUTE_MS
    assert api(line, json=EVENT, headers={"Idempotency-Key": "k"}).status == 202


@pytest.mark.parameters(MaxEventsPerMinute=2)
def test_rejected_events_are_not_counted(api: Api, clock: Clock) -> None:
    line = "POST /api/events"
    for _ in range(3):
        assert api(line, json={**EVENT, "type": "NOPE"}).status == 422
        assert api(line, json={**EVENT, "workspaceId": "rival"}).status == 403
        assert api(line, json={**EVENT, "data": {**POST, "a": "x" * 262_144}}).status == 413
        assert (
            api(line, json={**EVENT, "idempotencyKey": "a"}, headers={"Idempotency-Key": "b"}).status == 422
        )
    assert [api(line, json=EVENT).status for _ in range(3)] == [202, 202, 429]


def test_key_limits_are_in_every_response(api: Api) -> None:
    """Every response to a key describes both windows. A refusal also has Retry-After (RFC 9110)."""
    key = api(f"POST {KEYS}", json={**KEY, "rateLimitPerHour": 2, "rateLimitPerDay": 5}).json()
    line = f"GET {WEBHOOKS}"
    limit_headers = {
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "ratelimit-policy",
        "ratelimit",
    }
    first = api(line, token=key["key"])
    assert limit_headers <= set(first.headers)
    assert first.headers["x-ratelimit-remaining"] == "1"
    forbidden = api(f"POST {WEBHOOKS}", json={}, token=key["key"])
    assert forbidden.status == 403
    assert forbidden.headers["x-ratelimit-remaining"] == "0"
    answer = api(line, token=key["key"])
    assert_problem(answer, 429, "rate_limited", "2 requests per hour")
    assert limit_headers <= set(answer.headers)
    assert 1 <= int(answer.headers["retry-after"]) <= 7200
    assert not limit_headers & set(api(line).headers)
    assert not limit_headers & set(api(line, token="sk_test_nope").headers)
