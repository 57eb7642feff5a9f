"""Rate-limit headers: on every response to an API key, whatever the request, and for integration limits."""

from __future__ import annotations

import re
from typing import Any

import pytest

from patchbay.api_keys import key_format
from patchbay.ids import ApiKeyId, WebhookId
from tests.conftest import REDIRECT_URI, Answer, Api, Backend, clear_caches, jwt_for
from tests.problems import assert_problem

KEYS, WEBHOOKS, INTEGRATIONS = (
    "/api/integrations/api-keys",
    "/api/integrations/webhooks",
    "/api/integrations",
)
SCOPES = ["webhooks:read", "webhooks:write", "integrations:write", "connections:write", "credentials:read"]
FIELDS = {
    "ratelimit",
    "ratelimit-policy",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
}
# All tests share one set of parameters, because creating tables takes seconds.
CEILINGS = pytest.mark.parameters(MaxConnections=1, MaxRequestsPerMinute=3)
LARGE = b"x" * (1024 * 1024 + 1)
# Requests with errors that a key can send: request line, options, status, code.
WRONG: list[tuple[str, dict[str, Any], int, str]] = [
    (f"POST {WEBHOOKS}", {"body": b"{"}, 400, "malformed_json"),
    (f"POST {WEBHOOKS}", {"change": {"body": "é", "isBase64Encoded": True}}, 400, "malformed_json"),
    ("GET /api/events", {}, 403, "forbidden"),
    ("POST /api/events", {"body": LARGE}, 403, "forbidden"),
    (f"GET {WEBHOOKS}/{WebhookId.new()}", {}, 404, "not_found"),
    (f"GET {WEBHOOKS}/whk_x", {}, 404, "not_found"),
    ("GET /api/nothing", {}, 404, "not_found"),
    ("GET /api/events/", {}, 404, "not_found"),
    ("PATCH /api/events", {"body": b"{"}, 405, "method_not_allowed"),
    (f"DELETE {INTEGRATIONS}/marketplace", {}, 405, "method_not_allowed"),
    (f"POST {WEBHOOKS}", {"body": LARGE}, 413, "payload_too_large"),
    ("POST /api/nothing", {"body": LARGE}, 413, "payload_too_large"),
    (f"GET {WEBHOOKS}?limit=0", {}, 422, "validation_failed"),
]


def create_key(api: Api, **terms: Any) -> str:
    key = api(f"POST {KEYS}", json={"name": "ci", "scopes": SCOPES, **terms})
    return str(key.json()["key"])


def remaining(answer: Answer) -> int:
    assert answer.headers.keys() >= FIELDS, answer
    return int(answer.headers["x-ratelimit-remaining"])


def test_every_wrong_request_of_a_key_counts_and_has_rate_limit_headers(
    api: Api, subtests: pytest.Subtests
) -> None:
    key = create_key(api)
    for number, (line, options, status, code) in enumerate(WRONG, start=1):
        with subtests.test(f"{line} {status}"):
            answer = api(line, token=key, **options)
            assert_problem(answer, status, code)
            assert remaining(answer) == 1000 - number
    head = api("HEAD /api/nothing", token=None, headers={"X-API-Key": key})
    assert (head.status, head.text, remaining(head)) == (404, "", 1000 - len(WRONG) - 1)


@pytest.mark.parametrize("line", [f"GET {WEBHOOKS}", "GET /api/nothing", "PATCH /api/events"])
def test_key_without_requests_left_gets_429(api: Api, line: str) -> None:
    key = create_key(api, rateLimitPerHour=2)
    assert [remaining(api(line, token=key)) for _ in range(2)] == [1, 0]
    answer = api(line, token=key)
    assert_problem(answer, 429, "rate_limited", "This API key has reached its limit of 2 requests per hour")
    assert remaining(answer) == 0
    assert int(answer.headers["retry-after"]) >= 1


def test_unknown_route_ignores_all_other_credentials(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    """The response is the same as without credentials, and only a well-formed key costs a read."""
    key = create_key(api)
    revoked = api(f"POST {KEYS}", json={"name": "gone", "scopes": SCOPES}).json()
    assert api(f"DELETE {KEYS}/{revoked['id']}").status == 200
    unknown = key_format.assemble("sk_test", ApiKeyId.new(), key_format.mint_secret())
    wrong_secret = key_format.assemble(
        "sk_test",
        key_format.parse("sk_test", key).id,  # type: ignore[union-attr]
        key_format.mint_secret(),
    )
    other = "Bearer " + create_key(api)
    cases: list[tuple[str, dict[str, str], int]] = [
        ("none", {}, 0),
        ("garbage", {"authorization": "Bearer garbage"}, 0),
        ("another scheme", {"authorization": "Basic YTpi"}, 0),
        ("a JWT", {"authorization": f"Bearer {jwt_for('acme')}"}, 0),
        ("a key with a wrong checksum", {"x-api-key": key[:-1] + ("0" if key[-1] != "0" else "1")}, 0),
        ("two credentials", {"authorization": other, "x-api-key": key}, 0),
        ("a key of another deployment", {"x-api-key": key.replace("sk_test", "sk_live")}, 0),
        ("an unknown key", {"x-api-key": unknown}, 1),
        ("a wrong secret", {"x-api-key": wrong_secret}, 1),
        ("a revoked key", {"x-api-key": revoked["key"]}, 1),
    ]
    for line, status in (("GET /api/nothing", 404), ("PATCH /api/events", 405)):
        plain = api(line, token=None)
        for name, headers, reads in cases:
            clear_caches()
            backend.calls.clear()
            with subtests.test(f"{line}, {name}"):
                assert api(line, token=None, headers=headers) == plain
                assert plain.status == status
                assert backend.calls.made == ["dynamodb.GetItem"] * reads


# ── integrations ─────────────────────────────────────────────────────────────────────────────────────


def items(answer: Answer, field: str) -> dict[str, dict[str, int]]:
    """Return the items of a structured field, such as {"hour": {"r": 949, "t": 1800}}."""
    found = re.findall(r'"([\w-]+)"((?:;\w=\d+)+)', answer.headers.get(field, ""))
    return {
        name: {pair[0]: int(pair[2:]) for pair in parameters[1:].split(";")} for name, parameters in found
    }


def create_integration(api: Api, token: str, **limits: int) -> str:
    body = {"name": "Mail", "type": "CUSTOM", **limits}
    return str(api(f"POST {INTEGRATIONS}", json=body, token=token).json()["id"])


def test_uses_of_an_integration_show_its_limits_beside_those_of_the_key(api: Api) -> None:
    key = create_key(api)
    id = create_integration(api, key, rateLimitPerHour=3, rateLimitPerDay=5)
    path = f"{INTEGRATIONS}/{id}/connections"
    body = {"credentials": {"apiKey": "k"}}
    assert api(f"POST {path}", json=body, token=key).headers["location"].startswith(path)
    answer = api(f"GET {path}/default/token", token=key)
    assert answer.status == 200
    policies, left = items(answer, "ratelimit-policy"), items(answer, "ratelimit")
    assert list(policies) == list(left) == ["hour", "day", "integration-hour", "integration-day"]
    assert policies["integration-hour"] == {"q": 3, "w": 3600}
    assert policies["integration-day"] == {"q": 5, "w": 86_400}
    assert (left["integration-hour"]["r"], left["integration-day"]["r"]) == (1, 3)
    assert answer.headers["x-ratelimit-limit"] == "1000", "X-RateLimit-* are about the key"

    assert api(f"GET {path}/default/token", token=key).status == 200
    refused = api(f"GET {path}/default/token", token=key)
    assert_problem(refused, 429, "rate_limited", "3 uses per hour")
    left = items(refused, "ratelimit")
    assert (left["integration-hour"]["r"], left["integration-day"]["r"]) == (0, 2)
    assert left["integration-hour"]["t"] == int(refused.headers["retry-after"])
    assert "integration-hour" not in items(api(f"GET {path}", token=key), "ratelimit"), "reading is no use"


def test_integration_limits_are_shown_to_users_too(api: Api) -> None:
    id = create_integration(api, "owner", rateLimitPerDay=2)
    line = f"POST {INTEGRATIONS}/{id}/connections"
    answer = api(line, json={"credentials": {"apiKey": "k"}})
    assert list(items(answer, "ratelimit")) == ["integration-day"]
    assert "x-ratelimit-limit" not in answer.headers
    assert not FIELDS & api(line, json={"credentials": {"apiKey": 1}}).headers.keys(), "not counted"


def test_initiate_shows_the_limits_of_the_integration(api: Api) -> None:
    config = {
        "authorizationUrl": "https://crm.example/a",
        "tokenUrl": "https://crm.example/t",
        "clientId": "c",
        "clientSecret": "s",
        "redirectUris": [REDIRECT_URI],
    }
    body = {"name": "CRM", "type": "CUSTOM", "config": config, "rateLimitPerHour": 9}
    id = api(f"POST {INTEGRATIONS}", json=body).json()["id"]
    started = api(f"POST {INTEGRATIONS}/{id}/oauth/initiate", json={"redirectUri": REDIRECT_URI})
    assert started.status == 200
    assert items(started, "ratelimit")["integration-hour"]["r"] == 8


@CEILINGS
def test_use_that_fails_after_it_was_counted_shows_the_limits(api: Api) -> None:
    id = create_integration(api, "owner", rateLimitPerHour=5)
    line = f"POST {INTEGRATIONS}/{id}/connections"
    assert api(line, json={"connectionId": "a", "credentials": {"apiKey": "k"}}).status == 201
    answer = api(line, json={"connectionId": "b", "credentials": {"apiKey": "k"}})
    assert_problem(answer, 409)
    assert items(answer, "ratelimit")["integration-hour"]["r"] == 3


@CEILINGS
def test_unknown_routes_count_against_the_ceiling_of_the_workspace(api: Api) -> None:
    key = create_key(api)
    assert [api("GET /api/nothing", token=key).status for _ in range(2)] == [404, 404]
    answer = api("GET /api/nothing", token=key)
    assert_problem(answer, 429, "rate_limited", "limit of 3 requests per minute")
    assert remaining(answer) == 997
    assert api("GET /api/nothing", token=None).status == 404
