"""Routes refuse what they do not read: unknown parameters, and a body on a route that takes none."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from local import gateway
from patchbay.auth.scopes import PLATFORM_ONLY
from patchbay.ids import (
    ApiKeyId,
    ConnectSessionId,
    DeliveryId,
    EventId,
    FlowId,
    FlowRunId,
    IntegrationId,
    PortalSessionId,
    RunId,
    TaskId,
    WebhookId,
)
from tests.catalogued import POST
from tests.conftest import OWNER, Api, Backend, jwt_for
from tests.problems import assert_problem

EVENTS, INTEGRATIONS = "/api/events", "/api/integrations"
KEYS, WEBHOOKS = f"{INTEGRATIONS}/api-keys", f"{INTEGRATIONS}/webhooks"
NAMES = {
    "platform": "n8n",
    "workspaceId": "acme",
    "eventType": "POST_PUBLISHED",
    "key": "create_campaign",
    "resource": "accounts",
}
IDS = {"deliveryId": DeliveryId, "connectionId": IntegrationId, "runId": FlowRunId}
KINDS = {
    "api-keys": ApiKeyId,
    "webhooks": WebhookId,
    "hooks": WebhookId,
    "events": EventId,
    "flows": FlowId,
    "runs": RunId,
    "tasks": TaskId,
    "portal": PortalSessionId,
    "connect": ConnectSessionId,
}
WEBHOOK = {"name": "w", "url": "https://receiver.example/", "eventTypes": ["POST_PUBLISHED"]}


class Target(NamedTuple):
    """A request line with valid IDs, a token for it, and the parameters of its handler."""

    line: str
    token: str
    reads: set[str]


def targets(backend: Backend) -> Iterator[Target]:
    """Yield the routes that authenticate a caller, except for special cases."""
    functions = backend.template.functions()
    for route in gateway.read(backend.template).routes:
        module, _, name = functions[route.function].handler.rpartition(".")
        handler = getattr(importlib.import_module(module), name)
        if handler.endpoint["public"] or route.method == "HEAD":  # HEAD is GET without the body
            continue
        if handler.endpoint["links"] == "only":  # see test_connect_links
            continue
        if route.key == "DELETE /api/workspace":  # it needs a parameter: see test_workspace_erasure
            continue
        names = {**NAMES, "key": "failed_posts"} if "/templates/" in route.path else NAMES
        parent = route.path.split("/{id}")[0].removesuffix("/sessions").rpartition("/")[2]
        kind = KINDS.get(parent, IntegrationId)

        def value(variable: re.Match[str], kind: Any = kind, names: dict[str, str] = names) -> str:
            return names.get(variable[1]) or str(IDS.get(variable[1], kind).new())

        token = jwt_for("platform") if handler.endpoint["scope"] in PLATFORM_ONLY else OWNER
        path = re.sub(r"{(\w+)}", value, route.path)
        yield Target(f"{route.method} {path}", token, {*inspect.signature(handler).parameters})


def test_every_route_refuses_an_unknown_parameter(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    for line, token, reads in targets(backend):
        if "body" in reads:
            continue  # body errors can come first: see test_a_post_with_an_unknown_parameter_has_no_effect
        with subtests.test(line):
            answer = api(f"{line}?zzz=1", token=token)
            (error,) = assert_problem(answer, 422, paths=["zzz"])["errors"]
            assert error["message"].startswith("unknown parameter; this route takes ")


# Its first 100 bytes are an empty value.
LATE_BODY = b"{}" + b" " * 98 + b"x"


def test_every_route_without_a_body_refuses_one(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    for line, token, reads in targets(backend):
        if "body" in reads:
            continue
        without = api(line, token=token)
        for body in (b'{"status": "ACTIVE"}', b"[1]", b"not JSON", b"\xff", b"0", b" x ", LATE_BODY):
            with subtests.test(f"{line} {body!r}"):
                (error,) = assert_problem(api(line, token=token, body=body), 422, paths=["body"])["errors"]
                assert error["message"] == "this route takes no body; send the request without one"
        if line == "POST /api/workspace/export":
            continue  # only the first of these would start an export
        for body in (b"", b"{}", b" {\n} ", b"null", b"[]", b'""'):
            with subtests.test(f"{line} {body!r}"):
                assert api(line, token=token, body=body).status == without.status


def test_a_post_with_an_unknown_parameter_has_no_effect(api: Api, backend: Backend) -> None:
    key = {"name": "k", "scopes": ["events:publish"]}
    event = {"type": "POST_PUBLISHED", "data": POST}
    for line, body in ((f"POST {WEBHOOKS}", WEBHOOK), (f"POST {KEYS}", key), (f"POST {EVENTS}", event)):
        answer = api(f"{line}?dryRun=true", json=body, headers={"Idempotency-Key": "k"})
        assert_problem(answer, 422, paths=["dryRun"])
    for table in ("WebhooksTable", "IdempotencyTable", "ApiKeysTable", "EventsTable"):
        assert backend.rows(table) == []
    assert backend.rows("WebhooksTable") == backend.rows("IdempotencyTable") == []


@pytest.mark.parametrize(
    ("line", "path", "suggestion"),
    [
        (f"GET {EVENTS}?eventType=POST_FAILED", "eventType", "`type`"),
        (f"GET {EVENTS}?event_type=POST_FAILED", "event_type", "`type`"),
        (f"GET {EVENTS}?before=2026-01-01T00:00:00Z", "before", "`until`"),
        (f"GET {WEBHOOKS}?type=POST_FAILED", "type", "`eventType`"),
        (f"GET {WEBHOOKS}?Status=ACTIVE", "Status", "`status`"),
        (f"GET {KEYS}?page=2", "page", "`cursor`"),
        (f"GET {KEYS}?per_page=2", "per_page", "`limit`"),
        (f"GET {INTEGRATIONS}?include_public=true", "include_public", "`includePublic`"),
        (f"GET {EVENTS}?type=POST_PUBLISH", "type", "`POST_PUBLISHED`"),
        (f"GET {EVENTS}?type=post.published", "type", "`POST_PUBLISHED`"),
        (f"GET {WEBHOOKS}?eventType=post_failed", "eventType", "`POST_FAILED`"),
    ],
)
def test_a_query_with_a_near_name_says_which(api: Api, line: str, path: str, suggestion: str) -> None:
    (error,) = assert_problem(api(line), 422, paths=[path])["errors"]
    assert f"did you mean {suggestion}?" in error["message"]


@pytest.mark.parametrize(
    ("field", "suggestion"),
    [
        ("events", "eventTypes"),
        ("event_types", "eventTypes"),
        ("enabled_events", "eventTypes"),
        ("filterTypes", "eventTypes"),
        ("targetUrl", "url"),
        ("endpoint", "url"),
        ("URL", "url"),
        ("header", "headers"),
        ("retry_config", "retryConfig"),
        ("rateLimit", "rateLimitPerSecond"),
    ],
)
def test_a_body_with_a_near_name_says_which(api: Api, field: str, suggestion: str) -> None:
    answer = api(f"POST {WEBHOOKS}", json={**WEBHOOK, field: "x"})
    (error,) = assert_problem(answer, 422, paths=[field])["errors"]
    assert error["message"] == f"unknown field; did you mean `{suggestion}`?"


def test_near_names_are_found_inside_objects_and_lists(api: Api) -> None:
    body = {
        **WEBHOOK,
        "retryConfig": {"max_retries": 3},
        "filters": [{"path": "a", "op": "equals", "value": 1, "vlaue": 2}],
    }
    problem = assert_problem(api(f"POST {WEBHOOKS}", json=body), 422)
    assert {error["path"]: error["message"] for error in problem["errors"]} == {
        "filters.0.vlaue": "unknown field; did you mean `value`?",
        "retryConfig.max_retries": "unknown field; did you mean `maxRetries`?",
    }
    runs = f"PUT /api/actions/runs/{RunId.new()}"
    failed = {"status": "FAILED", "error": {"message": "x", "details": "y"}}
    answer = api(runs, json=failed, token=jwt_for("platform"))
    (missing, message, details) = assert_problem(answer, 422)["errors"]
    assert missing == {"path": "error.detail", "message": "is missing"}
    assert message["path"] == "error.message"
    assert details == {"path": "error.details", "message": "unknown field; did you mean `detail`?"}


def test_nothing_near_is_suggested_for_other_names_and_many_of_them(api: Api) -> None:
    unknown = {f"{'z' * 5000}{number}": 1 for number in range(150)}
    problem = assert_problem(api(f"POST {WEBHOOKS}", json={**WEBHOOK, **unknown}), 422)
    assert {error["message"] for error in problem["errors"]} == {"unknown field"}


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("status=ACTIVE&status=DISABLED", "status"),
        ("status=ACTIVE&st%61tus=ACTIVE", "status"),
        ("limit=5&limit=5", "limit"),
        ("cursor=&cursor=", "cursor"),
    ],
)
def test_a_repeated_parameter_is_refused(api: Api, query: str, path: str) -> None:
    (error,) = assert_problem(api(f"GET {WEBHOOKS}?{query}"), 422, paths=[path])["errors"]
    assert error["message"] == "was sent twice; send one value"


def test_an_empty_value_is_refused_where_it_would_mean_everything(api: Api) -> None:
    """An unset variable in a script must not select everything. Automation platforms send `search=` and
    `cursor=` for empty fields, and those mean none.
    """
    for name in ("status", "eventType", "limit"):
        assert_problem(api(f"GET {WEBHOOKS}?{name}="), 422, paths=[name])
    for name in ("type", "since", "until"):
        assert_problem(api(f"GET {EVENTS}?{name}="), 422, paths=[name])
    assert_problem(api(f"GET {INTEGRATIONS}/{IntegrationId.new()}?reveal="), 422, paths=["reveal"])
    assert api(f"GET {WEBHOOKS}?cursor=").status == 200
    assert api("GET /api/automations/make/choices/accounts?search=&cursor=").status == 200
    assert api(f"GET {INTEGRATIONS}/marketplace?search=").status == 200


def test_since_after_until_is_refused(api: Api) -> None:
    period = "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00%2B00:00"
    webhook = api(f"POST {WEBHOOKS}", json=WEBHOOK).json()["id"]
    for path in (EVENTS, f"{WEBHOOKS}/{webhook}/deliveries", f"{INTEGRATIONS}/{IntegrationId.new()}/logs"):
        (error,) = assert_problem(api(f"GET {path}?{period}"), 422, paths=["until"])["errors"]
        assert error["message"] == "must not be before since"
        assert api(f"GET {path}?{period.replace('since', 'x')}").status == 422
    assert api(f"GET {EVENTS}?since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z").status == 200
    body = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert_problem(api(f"POST {WEBHOOKS}/{webhook}/recover", json=body), 422, paths=["until"])


def test_public_routes_ignore_what_they_do_not_read(api: Api) -> None:
    """Monitors add a number to a URL to bypass caches. Providers add their own parameters to a redirect."""
    assert api("GET /api/health?_=123", token=None).status == 200
    redirect = f"GET {INTEGRATIONS}/{IntegrationId.new()}/oauth/callback?state=x&session_state=y&x=1&x=2"
    assert_problem(api(redirect, token=None), 422, paths=["state"])
    assert_problem(api("GET /api/nothing?x=1", token=None, body=json.dumps({"a": 1}).encode()), 404)
