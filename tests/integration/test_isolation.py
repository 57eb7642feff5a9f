"""Promise 7: one workspace never sees or touches another's rows; only the platform crosses, by its doors.

The routes are walked from template.yaml: a new one is covered by itself, or the test asks for a sample.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local import gateway
from patchbay import vault
from patchbay.clock import at_ms, iso, now_ms
from patchbay.deliveries import states
from patchbay.deliveries import store as deliveries
from patchbay.deliveries.models import DeliveryMessage
from patchbay.publishing.fan_out import fan_out_batch
from tests.catalogued import POST
from tests.conftest import REDIRECT_URI, Api, Backend, jwt_for

WEBHOOKS = "/api/integrations/webhooks"
KEYS = "/api/integrations/api-keys"
EVENTS = "/api/events"
INTEGRATIONS = "/api/integrations"
WEBHOOK = {
    "name": "of a",
    # Nobody listens there: the test event, which is sent at once, finds that out at once.
    "url": "http://127.0.0.1:1024/a",
    "events": ["*"],
    "headers": {"X-Secret": "a's own"},
}
KEY: dict[str, Any] = {
    "name": "of a",
    "scopes": [
        *("webhooks:read", "webhooks:write", "events:read", "api-keys:read"),
        *("integrations:read", "integrations:write", "connections:read", "connections:write"),
        *("credentials:read", "automations:use"),
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
EVENT = {"type": "POST_PUBLISHED", "data": {**POST, "text": "of a"}}

# What a route with an id is sent; the rest of it is read from the template.
BODIES: dict[str, Any] = {
    "PUT /api/integrations/webhooks/{id}": {"name": "taken over", "url": "https://evil.test/", "headers": {}},
    "PUT /api/integrations/webhooks/{id}/status": {"status": "INACTIVE"},
    "POST /api/integrations/webhooks/{id}/rotate-secret": {"overlapSeconds": 0},
    "POST /api/integrations/webhooks/{id}/test": {},
    "POST /api/integrations/webhooks/{id}/deliveries/{deliveryId}/retry": None,
    "POST /api/integrations/webhooks/{id}/recover": {"since": iso(datetime.now(UTC) - timedelta(hours=1))},
    "PUT /api/integrations/api-keys/{id}": {"name": "taken over"},
    "POST /api/integrations/api-keys/{id}/rotate": {"overlapSeconds": 60},
    "PUT /api/integrations/{id}": {"name": "taken over", "config": {"clientSecret": "mine"}},
    "PUT /api/integrations/{id}/status": {"status": "INACTIVE"},
    "POST /api/integrations/{id}/oauth/initiate": {"redirectUri": REDIRECT_URI},
    "POST /api/integrations/{id}/oauth/refresh": {},
    "POST /api/integrations/{id}/connections": {"connectionId": "new", "credentials": {"apiKey": "mine"}},
}
AUTOMATIONS = "/api/automations"
# Doors that lead into other workspaces: the marketplace (test_marketplace), and the route that providers send
# browsers to, which knows no caller (test_oauth_flow). What the platform says of a run is the third door
# (test_runs).
DOORS = {
    "POST /api/integrations/{id}/install",
    "GET /api/integrations/{id}/oauth/callback",
    "PUT /api/actions/runs/{id}",
}
# What an owner is answered who is let in; others 200, 201 or 202.
ANSWERS = {
    "POST /api/integrations/{id}/oauth/refresh": 409,  # an API key is not refreshed
}


@dataclass
class Workspace:
    """What one workspace has: by path pattern, the ids that stand for its variables."""

    name: str
    token: str
    ids: dict[str, dict[str, str]]
    webhook: str
    key: str


def fill(api: Api, backend: Backend, name: str) -> Workspace:
    """A workspace with one of everything."""
    token = jwt_for(name)
    webhook = api(f"POST {WEBHOOKS}", json=WEBHOOK, token=token).json()["id"]
    key = api(f"POST {KEYS}", json=KEY, token=token).json()
    made = api(f"POST {INTEGRATIONS}", json={"name": f"of {name}", "type": "CRM"}, token=token)
    assert made.status == 201, made
    plain = made.json()["id"]
    credentials = {"credentials": {"apiKey": f"of {name}"}}
    connected = api(f"POST {INTEGRATIONS}/{plain}/connections", json=credentials, token=token)
    assert connected.status == 201, connected
    oauth = api(f"POST {INTEGRATIONS}", json=OAUTH, token=token).json()["id"]
    event_id = api(f"POST {EVENTS}", json=EVENT, token=token).json()["id"]
    (queued,) = backend.messages("DeliveriesQueue")
    delivery = DeliveryMessage.read(queued["body"])
    assert (delivery.event_id, delivery.workspace_id) == (event_id, name)
    now = delivery.event_id.time_ms
    deliveries.write(None, states.leased(None, delivery, now=now, until=now, max_attempts=4))
    wanted = {"targetUrl": f"http://127.0.0.1:1024/{name}", "event": "CAMPAIGN_STARTED"}
    hook = api(f"POST {AUTOMATIONS}/n8n/hooks", json=wanted, token=token).json()["id"]
    asked = {"input": {"name": f"of {name}"}}
    run = api(f"POST {AUTOMATIONS}/n8n/actions/create_campaign", json=asked, token=token).json()["id"]
    assert len(backend.messages("EventsQueue")) == 1
    ids = {
        f"{AUTOMATIONS}/{{platform}}/hooks/{{id}}": {"platform": "n8n", "id": hook},
        f"{AUTOMATIONS}/{{platform}}/runs/{{id}}": {"platform": "n8n", "id": run},
        f"{WEBHOOKS}/{{id}}": {"id": webhook},
        **{
            f"{WEBHOOKS}/{{id}}{rest}": {"id": webhook}
            for rest in ("/status", "/rotate-secret", "/test", "/recover", "/deliveries")
        },
        **{
            f"{WEBHOOKS}/{{id}}/deliveries/{{deliveryId}}{rest}": {"id": webhook, "deliveryId": delivery.id}
            for rest in ("", "/retry")
        },
        f"{KEYS}/{{id}}": {"id": key["id"]},
        f"{KEYS}/{{id}}/rotate": {"id": key["id"]},
        f"{EVENTS}/{{id}}": {"id": event_id},
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


def target(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda variable: ids[variable[1]], path)


def tables(backend: Backend) -> dict[str, Any]:
    """Every row but those that count requests, and the messages that wait."""
    kept: dict[str, Any] = {}
    for table in backend.template.of_type("AWS::DynamoDB::Table"):
        if table.logical_id != "RateLimitsTable":
            kept[table.logical_id] = sorted(map(repr, backend.rows(table.logical_id)))
    for queue in backend.template.of_type("AWS::SQS::Queue"):
        kept[queue.logical_id] = backend.messages(queue.logical_id)
    return kept


def test_every_route_with_an_id_is_404_for_others_and_changes_nothing(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    a = fill(api, backend, "acme")
    b = fill(api, backend, "rival")
    platform = jwt_for("platform")
    routes = [
        route
        for route in gateway.read(backend.template).routes
        if "{id}" in route.path and route.key not in DOORS
    ]
    assert len(routes) >= 20

    for route in routes:
        assert route.path in a.ids, f"{route.key}: say in `fill` which ids stand for its variables"
        needs_body = route.method in ("PUT", "POST", "PATCH")
        assert not needs_body or route.key in BODIES, f"{route.key}: give it a body in BODIES"

    before = tables(backend)
    for route in routes:
        line = f"{route.method} {target(route.path, a.ids[route.path])}"
        for who, token in {
            "rival": b.token,
            "the platform": platform,
            "nearly the same name": jwt_for("acm"),
            "a name that begins alike": jwt_for("acme-2"),
            "another case": jwt_for("ACME"),
            "nobody's scope is enough": jwt_for("rival", scope=" ".join(KEY["scopes"] + ["api-keys:write"])),
        }.items():
            with subtests.test(f"{route.key} by {who}"):
                answer = api(line, json=BODIES.get(route.key), token=token)
                assert (answer.status, answer.json()["code"]) == (404, "not_found"), answer
    assert tables(backend) == before

    # With one id of one's own and one of theirs.
    pair = f"{WEBHOOKS}/{{id}}/deliveries/{{deliveryId}}"
    for ids, token in (
        ({"id": b.webhook, "deliveryId": a.ids[pair]["deliveryId"]}, b.token),
        ({"id": a.webhook, "deliveryId": b.ids[pair]["deliveryId"]}, b.token),
        ({"id": a.webhook, "deliveryId": b.ids[pair]["deliveryId"]}, a.token),
    ):
        with subtests.test(f"mixed {ids}"):
            assert api(f"GET {target(pair, ids)}", token=token).status == 404

    # The same ids answer their owner: it was the workspace that was refused, not the request.
    # What is deleted goes last, and what it holds before it.
    for route in sorted(routes, key=lambda route: (route.method == "DELETE", -len(route.path))):
        line = f"{route.method} {target(route.path, a.ids[route.path])}"
        if route.path == f"{INTEGRATIONS}/{{id}}/status":
            continue  # it would pause what the others need; below
        with subtests.test(f"{route.key} by its owner"):
            status = api(line, json=BODIES.get(route.key), token=a.token).status
            assert status == ANSWERS.get(route.key, status)
            assert status in (200, 201, 202, *ANSWERS.values())
    pause = f"PUT {INTEGRATIONS}/{a.ids[f'{INTEGRATIONS}/{{id}}/oauth/initiate']['id']}/status"
    assert api(pause, json={"status": "INACTIVE"}, token=a.token).status == 200


def test_lists_show_only_ones_own(api: Api, backend: Backend, subtests: pytest.Subtests) -> None:
    a = fill(api, backend, "acme")
    b = fill(api, backend, "rival")
    paths: tuple[str, ...] = (WEBHOOKS, KEYS, EVENTS, INTEGRATIONS, f"{WEBHOOKS}/{{id}}/deliveries")
    paths += (f"{AUTOMATIONS}/n8n/hooks", f"{AUTOMATIONS}/n8n/runs")
    more = tuple(f"{INTEGRATIONS}/{{id}}/{kind}" for kind in ("connections", "logs"))
    for path in paths + more:
        for who in (a, b):
            other = b if who is a else a
            theirs = {id for ids in other.ids.values() for id in ids.values()} - {"default", "n8n"}
            mine = {id for ids in who.ids.values() for id in ids.values()}
            for query in (
                "",
                "?limit=100",
                "?status=ACTIVE",
                "?type=POST_PUBLISHED",
                f"?workspaceId={other.name}",
            ):
                line = f"GET {target(path, who.ids.get(path, {'id': who.webhook}))}{query}"
                for credentials in (who.token, who.key):
                    with subtests.test(f"{who.name}: {line}"):
                        answer = api(line, token=credentials)
                        if ("status" in query or "type" in query) and answer.status == 422:
                            continue  # deliveries have other statuses, integrations other types
                        assert answer.status == 200, answer
                        shown = {item["id"] for item in answer.json()["items"]}
                        assert shown
                        # An entry of the log has an id that nobody was told.
                        assert shown <= mine or path.endswith("/logs")
                        assert not any(id in answer.text for id in theirs)
    with subtests.test("a workspace with nothing"):
        for path in (WEBHOOKS, KEYS, EVENTS):
            assert api(f"GET {path}", token=jwt_for("new")).json()["items"] == []


def test_an_event_goes_to_its_own_workspace(api: Api, backend: Backend) -> None:
    fill(api, backend, "acme")
    b = fill(api, backend, "rival")
    api(f"POST {EVENTS}", json=EVENT)
    (queued,) = backend.messages("DeliveriesQueue")
    assert json.loads(queued["body"])["workspace_id"] == "acme"
    assert json.loads(queued["body"])["webhook_id"] != b.webhook


def test_only_the_platform_publishes_for_another(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    fill(api, backend, "acme")
    before = tables(backend)
    for_acme = {**EVENT, "workspaceId": "acme"}
    key = api(f"POST {KEYS}", json={"name": "b", "scopes": ["events:publish"]}, token=jwt_for("rival")).json()
    before["ApiKeysTable"] = before["DataKeysTable"] = None
    for who, token in {
        "an owner elsewhere": jwt_for("rival"),
        "a key elsewhere": key["key"],
        "one called like it": jwt_for("Platform"),
        "one that says so": jwt_for("rival", role="platform", scope="events:publish actions:handle"),
    }.items():
        for headers in ({}, {"Idempotency-Key": "k"}, {"X-Workspace-Id": "platform"}):
            with subtests.test(f"{who}, {headers}"):
                answer = api(f"POST {EVENTS}", json=for_acme, token=token, headers=headers)
                assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    after = tables(backend)
    after["ApiKeysTable"] = after["DataKeysTable"] = None
    assert after == before

    with subtests.test("naming one's own workspace"):
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


def test_keys_of_one_workspace_count_and_end_alone(api: Api, backend: Backend) -> None:
    a, b = fill(api, backend, "acme"), fill(api, backend, "rival")
    for _ in range(3):
        assert api(f"GET {WEBHOOKS}", token=a.key).status == 200
    key_id = b.ids[f"{KEYS}/{{id}}"]["id"]
    assert api(f"GET {KEYS}/{key_id}", token=b.token).json()["usage"]["total"] == 0
    assert api(f"DELETE {KEYS}/{a.ids[f'{KEYS}/{{id}}']['id']}", token=a.token).status == 200
    assert api(f"GET {WEBHOOKS}", token=a.key).status == 401
    assert api(f"GET {WEBHOOKS}", token=b.key).status == 200


def test_idempotency_keys_answer_their_own_workspace_only(api: Api, backend: Backend) -> None:
    headers = {"Idempotency-Key": "the same"}
    for line, body in ((f"POST {WEBHOOKS}", WEBHOOK), (f"POST {KEYS}", KEY), (f"POST {EVENTS}", EVENT)):
        first = api(line, json=body, headers=headers)
        other = api(line, json=body, headers=headers, token=jwt_for("rival"))
        assert first.status == other.status
        assert first.json()["id"] != other.json()["id"]
        assert "idempotent-replayed" not in other.headers


def test_what_the_bus_rejects_is_seen_by_its_own_workspace_only(api: Api, backend: Backend) -> None:
    for workspace in ("acme", "no workspace"):
        detail: dict[str, Any] = {"workspaceId": workspace, "type": "NOPE", "data": {}}
        envelope = {"id": workspace, "time": iso(at_ms(now_ms())), "source": "s", "detail-type": "d"}
        body = json.dumps({**envelope, "detail": detail})
        assert fan_out_batch([{"messageId": "m", "body": body}], lambda: 30_000) == []
    for workspace, count in (("acme", 1), ("rival", 0), ("acm", 0), ("platform", 1)):
        items = api(f"GET {EVENTS}", token=jwt_for(workspace)).json()["items"]
        assert [item["status"] for item in items] == ["REJECTED"] * count
        for item in items:
            for other in {"acme", "rival", "platform"} - {workspace}:
                assert api(f"GET {EVENTS}/{item['id']}", token=jwt_for(other)).status == 404


def test_ciphertext_does_not_open_in_another_workspace_or_place(api: Api, backend: Backend) -> None:
    """Rows copied from one workspace into another give nothing away: each has its own data key."""
    a, b = fill(api, backend, "acme"), fill(api, backend, "rival")
    rows = {
        row["workspaceId"]: row
        for row in backend.rows("WebhooksTable")
        if row["sk"] in (a.webhook, b.webhook)
    }
    sealed = rows["acme"]["headers"]
    place = f"webhooks/{a.webhook}/headers"
    assert json.loads(vault.decrypt("acme", sealed, encryption_context=place)) == WEBHOOK["headers"]
    for workspace, elsewhere in (
        ("rival", place),
        ("rival", f"webhooks/{b.webhook}/headers"),
        ("acme", f"webhooks/{a.webhook}/secret"),
        ("acme", f"webhooks/{b.webhook}/headers"),
    ):
        with pytest.raises(vault.DecryptionFailed):
            vault.decrypt(workspace, sealed, encryption_context=elsewhere)
