"""Promise 7: a workspace never sees or changes another's rows. Only the platform does, by three named routes.

The routes come from template.yaml, so a new route is covered automatically or the test asks for a sample.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from patchbay import vault
from patchbay.clock import from_ms, iso, now_ms
from patchbay.deliveries import states
from patchbay.deliveries import store as deliveries
from patchbay.deliveries.models import DeliveryMessage
from patchbay.flows.worker import run_batch
from patchbay.ids import EventId, FlowRunId
from patchbay.publishing.fan_out import fan_out_batch
from tests.catalogued import POST
from tests.conftest import REDIRECT_URI, Api, Backend, is_audit_row, jwt_for
from tests.problems import assert_problem
from tests.tour import AUTOMATIONS, CONNECT, EVENTS, INTEGRATIONS, KEYS, PORTAL, WEBHOOKS, Driver

WEBHOOK = {
    "name": "of a",
    # No server listens there, so a test event fails immediately.
    "url": "http://127.0.0.1:1024/a",
    "eventTypes": ["*"],
    "headers": {"X-Secret": "a's own"},
}
KEY: dict[str, Any] = {
    "name": "of a",
    "scopes": [
        *("webhooks:read", "webhooks:write", "events:read", "api-keys:read"),
        *("integrations:read", "integrations:write", "connections:read", "connections:write"),
        *("credentials:read", "automations:use", "flows:read", "flows:write"),
    ],
}
OAUTH = {
    "name": "of a",
    "type": "CUSTOM",
    "provider": "own",
    "config": {
        "authorizationUrl": "https://example.com/authorize",
        "tokenUrl": "https://example.com/token",
        "clientId": "of-a",
        "clientSecret": "a's own",
    },
}
FLOW = {
    "name": "of a",
    "trigger": {"type": "event", "eventTypes": ["POST_PUBLISHED"]},
    "steps": [{"id": "pause", "type": "wait", "seconds": 1_000}],
}
EVENT = {"type": "POST_PUBLISHED", "data": {**POST, "text": "of a"}}

# The bodies of the requests to routes with an ID.
BODIES: dict[str, Any] = {
    "PUT /api/integrations/webhooks/{id}": {"name": "taken over", "url": "https://evil.test/", "headers": {}},
    "PUT /api/integrations/webhooks/{id}/status": {"status": "INACTIVE"},
    "POST /api/integrations/webhooks/{id}/rotate-secret": {"overlapSeconds": 0},
    "POST /api/integrations/webhooks/{id}/test": {},
    "POST /api/integrations/webhooks/{id}/deliveries/{deliveryId}/retry": None,
    "POST /api/integrations/webhooks/{id}/feed/commit": {"consumer": "taken-over", "sequence": 0},
    "POST /api/integrations/webhooks/{id}/recover": {"since": iso(datetime.now(UTC) - timedelta(hours=1))},
    "POST /api/integrations/webhooks/{id}/replay": {"since": iso(datetime.now(UTC) - timedelta(hours=1))},
    "POST /api/tasks/{id}/cancel": None,
    "PUT /api/flows/{id}": {"name": "taken over"},
    "PUT /api/flows/{id}/status": {"status": "INACTIVE"},
    "PUT /api/integrations/api-keys/{id}": {"name": "taken over"},
    "POST /api/integrations/api-keys/{id}/rotate": {"overlapSeconds": 60},
    "PUT /api/integrations/{id}": {"name": "taken over", "config": {"clientSecret": "mine"}},
    "PUT /api/integrations/{id}/status": {"status": "INACTIVE"},
    "POST /api/integrations/{id}/oauth/initiate": {"redirectUri": REDIRECT_URI},
    "POST /api/integrations/{id}/oauth/refresh": {},
    "POST /api/integrations/{id}/connections": {"connectionId": "new", "credentials": {"apiKey": "mine"}},
}
# The routes that reach other workspaces: the marketplace (test_marketplace), the redirect target of
# providers, which has no caller (test_oauth_flow), and the platform's answers: to a run (test_runs), and to
# a publication (test_publications).
CROSSING_ROUTES = {
    "GET /api/integrations/marketplace/{id}",
    "POST /api/integrations/{id}/install",
    "GET /api/integrations/{id}/oauth/callback",
    "PUT /api/actions/runs/{id}",
    "GET /api/publications/{workspaceId}/{id}",
    "PUT /api/publications/{workspaceId}/{id}/decision",
}
# The status that an owner gets where it is not 200, 201 or 202.
STATUSES = {
    "POST /api/integrations/{id}/oauth/refresh": 409,  # a connection with an API key cannot be refreshed
}


@dataclass
class Workspace:
    """A workspace with one of everything. `ids` has the values of the variables in each route's path."""

    name: str
    token: str
    ids: dict[str, dict[str, str]]
    webhook: str
    key: str


def create_workspace(api: Api, backend: Backend, name: str) -> Workspace:
    token = jwt_for(name)
    webhook = api(f"POST {WEBHOOKS}", json=WEBHOOK, token=token).json()["id"]
    key = api(f"POST {KEYS}", json=KEY, token=token).json()
    created = api(f"POST {INTEGRATIONS}", json={"name": f"of {name}", "type": "CRM"}, token=token)
    assert created.status == 201, created
    plain = created.json()["id"]
    credentials = {"credentials": {"apiKey": f"of {name}"}}
    connected = api(f"POST {INTEGRATIONS}/{plain}/connections", json=credentials, token=token)
    assert connected.status == 201, connected
    oauth = api(f"POST {INTEGRATIONS}", json=OAUTH, token=token).json()["id"]
    pull = {"kind": "pull", "name": "of a", "eventTypes": ["*"]}
    pulled = api(f"POST {WEBHOOKS}", json=pull, token=token).json()["id"]
    flow = api("POST /api/flows", json=FLOW, token=token).json()["id"]
    event_id = api(f"POST {EVENTS}", json=EVENT, token=token).json()["id"]
    assert run_batch(backend.messages("FlowsQueue"), lambda: 60_000) == []
    flow_run = FlowRunId.derived(EventId(event_id), flow)
    commit = {"consumer": f"of-{name}", "sequence": 1}
    assert api(f"POST {WEBHOOKS}/{pulled}/feed/commit", json=commit, token=token).status == 200
    (queued,) = backend.messages("DeliveriesQueue")
    delivery = DeliveryMessage.read(queued["body"])
    assert (delivery.event_id, delivery.workspace_id) == (event_id, name)
    now = delivery.event_id.time_ms
    deliveries.write(None, states.claimed(None, delivery, now=now, until=now, max_attempts=4))
    wanted = {"url": f"http://127.0.0.1:1024/{name}", "eventType": "CAMPAIGN_STARTED"}
    hook = api(f"POST {AUTOMATIONS}/n8n/hooks", json=wanted, token=token).json()["id"]
    start = {"input": {"name": f"of {name}"}}
    run = api(f"POST {AUTOMATIONS}/n8n/actions/create_campaign", json=start, token=token).json()["id"]
    assert len(backend.messages("EventsQueue")) == 1
    replay = {"since": iso(datetime.now(UTC) - timedelta(hours=1))}
    task = api(f"POST {WEBHOOKS}/{webhook}/replay", json=replay, token=token).json()["id"]
    portal = api(f"POST {PORTAL}", json={}, token=token).json()["id"]
    link = api(f"POST {CONNECT}", json={"integrations": [oauth]}, token=token).json()["id"]
    ids = {
        f"{PORTAL}/{{id}}": {"id": portal},
        f"{CONNECT}/{{id}}": {"id": link},
        f"{AUTOMATIONS}/{{platform}}/hooks/{{id}}": {"platform": "n8n", "id": hook},
        f"{AUTOMATIONS}/{{platform}}/runs/{{id}}": {"platform": "n8n", "id": run},
        f"{WEBHOOKS}/{{id}}": {"id": webhook},
        **{
            f"{WEBHOOKS}/{{id}}{rest}": {"id": webhook}
            for rest in ("/status", "/rotate-secret", "/test", "/recover", "/replay", "/deliveries", "/logs")
        },
        **{
            f"{WEBHOOKS}/{{id}}/feed{rest}": {"id": pulled, "consumer": f"of-{name}"}
            for rest in ("", "/commit", "/consumers", "/consumers/{consumer}")
        },
        **{
            f"{WEBHOOKS}/{{id}}/deliveries/{{deliveryId}}{rest}": {"id": webhook, "deliveryId": delivery.id}
            for rest in ("", "/retry")
        },
        f"{KEYS}/{{id}}": {"id": key["id"]},
        f"{KEYS}/{{id}}/rotate": {"id": key["id"]},
        f"{KEYS}/{{id}}/logs": {"id": key["id"]},
        f"{EVENTS}/{{id}}": {"id": event_id},
        **{f"/api/flows/{{id}}{rest}": {"id": flow} for rest in ("", "/status", "/runs")},
        "/api/flows/{id}/runs/{runId}": {"id": flow, "runId": flow_run},
        f"{EVENTS}/{{id}}/data": {"id": event_id},
        **{f"/api/tasks/{{id}}{rest}": {"id": task} for rest in ("", "/cancel")},
        f"{INTEGRATIONS}/{{id}}/oauth/initiate": {"id": oauth},
        **{
            f"{INTEGRATIONS}/{{id}}{rest}": {"id": plain}
            for rest in ("", "/status", "/logs", "/oauth/refresh", "/connections")
        },
        **{
            f"{INTEGRATIONS}/{{id}}/connections/{{connectionId}}{rest}": {
                "id": plain,
                "connectionId": connected.json()["id"] if rest else "default",
            }
            for rest in ("", "/token")
        },
    }
    return Workspace(name, token, ids, webhook, key["key"])


def fill(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda variable: ids[variable[1]], path)


def tables(backend: Backend) -> dict[str, Any]:
    """Every row and every queued message, except the request counters and the audit logs of the workspaces
    that try to reach acme.
    """
    kept: dict[str, Any] = {}
    for table in backend.template.of_type("AWS::DynamoDB::Table"):
        if table.logical_id != "RateLimitsTable":
            kept[table.logical_id] = sorted(
                repr(row)
                for row in backend.rows(table.logical_id)
                if not is_audit_row(row) or row["workspaceId"] == "acme"
            )
    for queue in backend.template.of_type("AWS::SQS::Queue"):
        kept[queue.logical_id] = backend.messages(queue.logical_id)
    return kept


def test_route_with_foreign_id_returns_404_and_changes_nothing(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    a = create_workspace(api, backend, "acme")
    b = create_workspace(api, backend, "rival")
    platform = jwt_for("platform")
    routes = [
        route
        for route in Driver(backend, api).routes
        if "{id}" in route.path and route.key not in CROSSING_ROUTES
    ]
    assert len(routes) >= 20

    for route in routes:
        assert route.path in a.ids, f"{route.key}: add its ids to create_workspace"
        needs_body = route.method in ("PUT", "POST", "PATCH")
        assert not needs_body or route.key in BODIES, f"{route.key}: add its body to BODIES"

    before = tables(backend)
    for route in routes:
        line = f"{route.method} {fill(route.path, a.ids[route.path])}"
        for who, token in {
            "rival": b.token,
            "the platform": platform,
            "a prefix of the name": jwt_for("acm"),
            "a longer name": jwt_for("acme-2"),
            "another case": jwt_for("ACME"),
            "every scope": jwt_for(
                "rival", scope=" ".join(KEY["scopes"] + ["api-keys:write", "events:publish"])
            ),
        }.items():
            with subtests.test(f"{route.key} by {who}"):
                assert_problem(api(line, json=BODIES.get(route.key), token=token), 404)
    assert tables(backend) == before

    # One ID of the caller's workspace, and one of another workspace.
    pair = f"{WEBHOOKS}/{{id}}/deliveries/{{deliveryId}}"
    for ids, token in (
        ({"id": b.webhook, "deliveryId": a.ids[pair]["deliveryId"]}, b.token),
        ({"id": a.webhook, "deliveryId": b.ids[pair]["deliveryId"]}, b.token),
        ({"id": a.webhook, "deliveryId": b.ids[pair]["deliveryId"]}, a.token),
    ):
        with subtests.test(f"mixed {ids}"):
            assert api(f"GET {fill(pair, ids)}", token=token).status == 404

    # The same requests succeed for the owner, so the workspace was the reason for the 404s. Deletions go
    # last, the deepest paths first.
    for route in sorted(routes, key=lambda route: (route.method == "DELETE", -len(route.path))):
        line = f"{route.method} {fill(route.path, a.ids[route.path])}"
        if route.path == f"{INTEGRATIONS}/{{id}}/status":
            continue  # pauses the integration that other requests need, so it follows below
        with subtests.test(f"{route.key} by its owner"):
            status = api(line, json=BODIES.get(route.key), token=a.token).status
            assert status == STATUSES.get(route.key, status)
            assert status in (200, 201, 202, *STATUSES.values())
    pause = f"PUT {INTEGRATIONS}/{a.ids[f'{INTEGRATIONS}/{{id}}/oauth/initiate']['id']}/status"
    assert api(pause, json={"status": "INACTIVE"}, token=a.token).status == 200


def test_lists_contain_own_items_only(api: Api, backend: Backend, subtests: pytest.Subtests) -> None:
    a = create_workspace(api, backend, "acme")
    b = create_workspace(api, backend, "rival")
    paths: tuple[str, ...] = (WEBHOOKS, KEYS, EVENTS, INTEGRATIONS, f"{WEBHOOKS}/{{id}}/deliveries")
    paths += (f"{AUTOMATIONS}/n8n/hooks", f"{AUTOMATIONS}/n8n/runs", f"{AUTOMATIONS}/runs")
    paths += ("/api/connections", "/api/deliveries", "/api/tasks", "/api/flows", "/api/flows/{id}/runs")
    paths += (PORTAL, CONNECT)
    paths += tuple(f"{INTEGRATIONS}/{{id}}/{kind}" for kind in ("connections", "logs"))
    paths += tuple(f"{path}/{{id}}/logs" for path in (WEBHOOKS, KEYS))
    for path in paths:
        for who in (a, b):
            other = b if who is a else a
            theirs = {id for ids in other.ids.values() for id in ids.values()} - {"default", "n8n"}
            mine = {id for ids in who.ids.values() for id in ids.values()}
            for query, credentials in (
                ("", who.token),
                ("?limit=100", who.key),
                ("?status=ACTIVE", who.token),
                ("?type=POST_PUBLISHED", who.key),
                (f"?workspaceId={other.name}", who.token),
                (f"?workspaceId={other.name}", who.key),
            ):
                line = f"GET {fill(path, who.ids.get(path, {'id': who.webhook}))}{query}"
                with subtests.test(f"{who.name}: {line}"):
                    answer = api(line, token=credentials)
                    if "workspaceId" in query:
                        assert_problem(answer, 422, paths=["workspaceId"])
                        continue
                    if ("status" in query or "type" in query) and answer.status == 422:
                        continue  # not every list has the parameter or the value
                    assert answer.status == 200, answer
                    shown = {item["id"] for item in answer.json()["items"]}
                    assert shown
                    # IDs of log entries appear in no other response.
                    assert shown <= mine or path.endswith("/logs")
                    assert not any(id in answer.text for id in theirs)
    with subtests.test("an empty workspace"):
        for path in (WEBHOOKS, KEYS, EVENTS):
            assert api(f"GET {path}", token=jwt_for("new")).json()["items"] == []


def test_event_reaches_webhooks_of_its_workspace_only(api: Api, backend: Backend) -> None:
    create_workspace(api, backend, "acme")
    b = create_workspace(api, backend, "rival")
    api(f"POST {EVENTS}", json=EVENT)
    (queued,) = backend.messages("DeliveriesQueue")
    assert json.loads(queued["body"])["workspace_id"] == "acme"
    assert json.loads(queued["body"])["webhook_id"] != b.webhook


def test_only_platform_publishes_to_other_workspaces(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    create_workspace(api, backend, "acme")
    for_acme = {**EVENT, "workspaceId": "acme"}
    key = api(f"POST {KEYS}", json={"name": "b", "scopes": ["events:publish"]}, token=jwt_for("rival")).json()
    before = tables(backend)
    for who, token in {
        "an owner elsewhere": jwt_for("rival"),
        "a key elsewhere": key["key"],
        "a similar name": jwt_for("Platform"),
        "a role claim": jwt_for("rival", role="platform", scope="events:publish actions:handle"),
    }.items():
        for headers in ({}, {"Idempotency-Key": "k"}, {"X-Workspace-Id": "platform"}):
            with subtests.test(f"{who}, {headers}"):
                assert_problem(api(f"POST {EVENTS}", json=for_acme, token=token, headers=headers), 403)
    after = tables(backend)
    changed_by_key = ("ApiKeysTable", "DataKeysTable")
    assert after | dict.fromkeys(changed_by_key) == before | dict.fromkeys(changed_by_key)

    with subtests.test("its own workspace by name"):
        assert api(f"POST {EVENTS}", json=for_acme).status == 202
        (message,) = backend.messages("DeliveriesQueue")
        assert json.loads(message["body"])["workspace_id"] == "acme"
    platform_key = api(
        f"POST {KEYS}", json={"name": "p", "scopes": ["events:publish"]}, token=jwt_for("platform")
    ).json()["key"]
    for who, token in (("its owner", jwt_for("platform")), ("its key", platform_key)):
        with subtests.test(f"the platform, by {who}"):
            answer = api(f"POST {EVENTS}", json=for_acme, token=token)
            assert answer.status == 202, answer
            (message,) = backend.messages("DeliveriesQueue")
            assert json.loads(message["body"])["workspace_id"] == "acme"
            path = f"{EVENTS}/{answer.json()['id']}"
            assert api(f"GET {path}").status == 200
            assert api(f"GET {path}", token=token if "." in token else jwt_for("platform")).status == 404
    with subtests.test("in a batch"):
        batch = {"events": [EVENT, for_acme]}
        answer = api(f"POST {EVENTS}/batch", json=batch, token=jwt_for("rival"))
        assert [item.get("error", {}).get("code") for item in answer.json()["items"]] == [None, "forbidden"]
        (message,) = backend.messages("EventsQueue")
        assert json.loads(message["body"])["workspace_id"] == "rival"
    with subtests.test("the platform needs the scope too"):
        weak = jwt_for("platform", scope="events:read actions:handle")
        assert api(f"POST {EVENTS}", json=for_acme, token=weak).status == 403


def test_keys_of_workspaces_are_counted_and_revoked_independently(api: Api, backend: Backend) -> None:
    a, b = create_workspace(api, backend, "acme"), create_workspace(api, backend, "rival")
    for _ in range(3):
        assert api(f"GET {WEBHOOKS}", token=a.key).status == 200
    key_id = b.ids[f"{KEYS}/{{id}}"]["id"]
    assert api(f"GET {KEYS}/{key_id}", token=b.token).json()["usage"]["total"] == 0
    assert api(f"DELETE {KEYS}/{a.ids[f'{KEYS}/{{id}}']['id']}", token=a.token).status == 200
    assert api(f"GET {WEBHOOKS}", token=a.key).status == 401
    assert api(f"GET {WEBHOOKS}", token=b.key).status == 200


def test_idempotency_keys_of_workspaces_are_independent(api: Api, backend: Backend) -> None:
    headers = {"Idempotency-Key": "the same"}
    for line, body in ((f"POST {WEBHOOKS}", WEBHOOK), (f"POST {KEYS}", KEY), (f"POST {EVENTS}", EVENT)):
        first = api(line, json=body, headers=headers)
        other = api(line, json=body, headers=headers, token=jwt_for("rival"))
        assert first.status == other.status
        assert first.json()["id"] != other.json()["id"]
        assert "idempotent-replayed" not in other.headers


def test_rejected_bus_event_is_listed_in_its_workspace_only(api: Api, backend: Backend) -> None:
    for workspace in ("acme", "no workspace"):
        detail: dict[str, Any] = {"workspaceId": workspace, "type": "NOPE", "data": {}}
        envelope = {"id": workspace, "time": iso(from_ms(now_ms())), "source": "s", "detail-type": "d"}
        body = json.dumps({**envelope, "detail": detail})
        assert fan_out_batch([{"messageId": "m", "body": body}], lambda: 30_000) == []
    for workspace, count in (("acme", 1), ("rival", 0), ("acm", 0), ("platform", 1)):
        items = api(f"GET {EVENTS}", token=jwt_for(workspace)).json()["items"]
        assert [item["status"] for item in items] == ["REJECTED"] * count
        for item in items:
            for other in {"acme", "rival", "platform"} - {workspace}:
                assert api(f"GET {EVENTS}/{item['id']}", token=jwt_for(other)).status == 404


def test_ciphertext_is_bound_to_its_workspace_and_context(api: Api, backend: Backend) -> None:
    """A row that is copied to another workspace cannot be decrypted there: each has its own data key."""
    a, b = create_workspace(api, backend, "acme"), create_workspace(api, backend, "rival")
    rows = {
        row["workspaceId"]: row
        for row in backend.rows("WebhooksTable")
        if row["sk"] in (a.webhook, b.webhook)
    }
    sealed = rows["acme"]["headers"]
    context = f"webhooks/{a.webhook}/headers"
    assert json.loads(vault.decrypt("acme", sealed, encryption_context=context)) == WEBHOOK["headers"]
    for workspace, other_context in (
        ("rival", context),
        ("rival", f"webhooks/{b.webhook}/headers"),
        ("acme", f"webhooks/{a.webhook}/secret"),
        ("acme", f"webhooks/{b.webhook}/headers"),
    ):
        with pytest.raises(vault.DecryptionFailed):
            vault.decrypt(workspace, sealed, encryption_context=other_context)
