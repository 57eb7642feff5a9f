"""The audit log: each request for a change or a secret has an entry without values, whatever its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from local.direct import handler_of
from patchbay.http.auditing import Rule
from patchbay.ids import LogId, WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.conftest import Answer, Api, Backend, jwt_for, routes_of
from tests.faults import REFUSED, failing, killed, meanwhile
from tests.integration.test_api_key_changes import lost_once
from tests.problems import assert_problem

INTEGRATIONS, AUDIT = "/api/integrations", "/api/audit"
WEBHOOKS, KEYS = f"{INTEGRATIONS}/webhooks", f"{INTEGRATIONS}/api-keys"
WEBHOOK = {"name": "test", "url": "https://example.com/hook", "eventTypes": ["POST_PUBLISHED"]}
KEY = {"name": "test", "scopes": ["events:publish", "webhooks:write"]}
CREDENTIALS = {"credentials": {"apiKey": "connection-key-31f0aa"}}


def audit(api: Api, query: str = "", **options: Any) -> list[dict[str, Any]]:
    """The audit log entries, oldest first."""
    answer = api(f"GET {AUDIT}?limit=100{query}", **options)
    assert answer.status == 200, answer.text
    return list(reversed(answer.json()["items"]))


def outline(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(entry["action"], entry["outcome"]) for entry in entries]


def webhook(api: Api) -> str:
    return f"{WEBHOOKS}/{api(f'POST {WEBHOOKS}', json=WEBHOOK).json()['id']}"


# ── what is recorded ─────────────────────────────────────────────────────────────────────────────────


UNAUDITED = {
    "POST /api/events": "events.publish",
    "POST /api/events/batch": "events.publish_batch",
    "POST /api/flows/dry-run": "flows.dry_run",
    "POST /api/integrations/api-keys/verify": "api_keys.verify",
    "POST /api/integrations/webhooks/{id}/feed/commit": "webhooks.commit_feed",
}
SECRETS = {
    "GET /api/integrations/{id}/connections/{connectionId}/token": "connections.token",
    "GET /api/integrations/{id}": "integrations.get",
}


def test_every_route_is_recorded_or_says_why_not(backend: Backend) -> None:
    """Public routes are exempt, because they have no actor."""
    functions = backend.template.functions()
    rules: Mapping[str, Rule] = {
        route.key: endpoint["audit"]
        for route in routes_of(backend.template)
        if not (endpoint := handler_of(functions[route.function]).endpoint)["public"]
    }
    unaudited = {key: rule.action for key, rule in rules.items() if rule.unaudited is not None}
    assert unaudited == UNAUDITED
    assert all(rule.unaudited for rule in rules.values() if rule.unaudited is not None)
    assert {
        key: rule.action for key, rule in rules.items() if rule.reads_secret or rule.revealed_by
    } == SECRETS
    actions = [rule.action for rule in rules.values()]
    assert len(set(actions)) == len(actions)


def test_changes_are_recorded_once_with_the_names_of_fields(api: Api, backend: Backend) -> None:
    path = webhook(api)
    api(f"PUT {path}", json={"name": "private name", "disableAfter": 5}, token=jwt_for("acme", role="admin"))
    api(f"PUT {path}", json={"name": "private name"})  # changes nothing
    api(f"POST {path}/rotate-secret", json={})
    assert_problem(api(f"PUT {path}", json={"url": "private-url"}), 422)
    assert_problem(api(f"DELETE {path}", headers={"if-match": "1"}), 412)
    api(f"DELETE {path}")
    entries = audit(api)
    assert outline(entries) == [
        ("webhooks.create", "SUCCEEDED"),
        ("webhooks.update", "SUCCEEDED"),
        ("webhooks.update", "SUCCEEDED"),
        ("webhooks.rotate_secret", "SUCCEEDED"),
        ("webhooks.update", "FAILED"),
        ("webhooks.delete", "FAILED"),
        ("webhooks.delete", "SUCCEEDED"),
    ]
    assert {entry["target"] for entry in entries} == {path.rpartition("/")[2]}
    assert entries[1] == entries[1] | {
        "actor": "user:someone",
        "fields": ["disableAfter", "name"],
        "reason": None,
        "requestId": "test-request",
        "ip": "203.0.113.9",
    }
    assert [entry["reason"] for entry in entries if entry["outcome"] == "FAILED"] == [
        "validation_failed",
        "precondition_failed",
    ]
    stored = repr(backend.rows("ActivityTable"))
    assert "private" not in stored
    for row in backend.rows("ActivityTable"):
        assert row["ttl"] == LogId(row["id"]).time_ms // 1000 + 400 * 86_400
    # The webhook's activity log is unaffected.
    logs = api(f"GET {path}/logs").json()["items"]
    assert [entry["action"] for entry in reversed(logs)] == [
        *("webhook.created", "webhook.updated", "webhook.secret_rotated", "webhook.deleted")
    ]


def test_reads_are_not_recorded_unless_they_return_a_secret(api: Api) -> None:
    id = api(f"POST {INTEGRATIONS}", json={"name": "Contacts", "type": "CRM"}).json()["id"]
    path = f"{INTEGRATIONS}/{id}"
    api(f"POST {path}/connections", json=CREDENTIALS)
    for line in (path, f"{path}?reveal=false", f"{path}/logs", f"{path}/connections", AUDIT):
        assert api(f"GET {line}").status == 200
    for line in (f"{path}?reveal=true", f"{path}/connections/default/token"):
        assert api(f"GET {line}").status == 200
    entries = audit(api)
    assert outline(entries) == [
        ("integrations.create", "SUCCEEDED"),
        ("connections.create", "SUCCEEDED"),
        ("integrations.get", "SUCCEEDED"),
        ("connections.token", "SUCCEEDED"),
    ]
    assert [entry["target"] for entry in entries] == [id, id, id, f"{id}/default"]
    assert audit(api, f"&target={id}") == entries
    assert audit(api, f"&target={id}/default") == entries[3:]
    assert audit(api, f"&target={id[:-1]}") == []


def test_exempt_routes_are_not_recorded_at_all(api: Api) -> None:
    event = {"type": "POST_PUBLISHED", "data": {"postId": "p", "network": "n"}}
    api("POST /api/events", json=event)
    api("POST /api/events/batch", json={"events": [event]})
    api(f"POST {KEYS}/verify", json={"key": "sk_live_x"})
    assert_problem(api("POST /api/events", json=event, token=jwt_for("acme", role="viewer")), 403)
    assert audit(api) == []


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────


def test_refused_requests_are_recorded_once_a_minute(api: Api) -> None:
    viewer = jwt_for("acme", role="viewer", claims={"sub": "viewer"})
    for _ in range(3):
        assert_problem(api(f"POST {WEBHOOKS}", json=WEBHOOK, token=viewer), 403)
        assert_problem(api(f"GET {KEYS}", token=viewer), 403)
    entries = audit(api, "&outcome=REFUSED")
    assert outline(entries) == [("webhooks.create", "REFUSED"), ("api_keys.list", "REFUSED")]
    assert {(entry["actor"], entry["reason"]) for entry in entries} == {("user:viewer", "forbidden")}


def test_refusal_of_a_secret_is_recorded(api: Api) -> None:
    id = api(f"POST {INTEGRATIONS}", json={"name": "Contacts", "type": "CRM"}).json()["id"]
    assert_problem(api(f"GET {INTEGRATIONS}/{id}?reveal=true", token=jwt_for("acme", role="admin")), 403)
    assert outline(audit(api))[1:] == [("integrations.get", "REFUSED")]


def test_requests_with_a_revoked_key_are_recorded_and_unknown_ones_are_not(
    api: Api, backend: Backend
) -> None:
    key = api(f"POST {KEYS}", json=KEY).json()
    api(f"DELETE {KEYS}/{key['id']}")
    assert_problem(api(f"POST {WEBHOOKS}", json=WEBHOOK, token=key["key"]), 401)
    assert_problem(api(f"POST {WEBHOOKS}", json=WEBHOOK, token=key["key"][:-1] + "!"), 401)
    assert_problem(api(f"POST {WEBHOOKS}", json=WEBHOOK, token=None), 401)
    refused = audit(api, "&outcome=REFUSED")
    assert [(entry["actor"], entry["reason"]) for entry in refused] == [(key["id"], "unauthenticated")]
    assert key["key"] not in repr(backend.rows("ActivityTable"))


@pytest.mark.parameters(MaxRequestsPerMinute=2)
def test_requests_above_a_limit_are_not_recorded(api: Api, backend: Backend) -> None:
    answers = [api(f"DELETE {WEBHOOKS}/{WebhookId.new()}") for _ in range(4)]
    assert [answer.status for answer in answers] == [404, 404, 429, 429]
    assert [row["reason"] for row in backend.rows("ActivityTable")] == ["not_found"] * 2


# ── filters, pages, rights ───────────────────────────────────────────────────────────────────────────


def test_entries_are_filtered_and_paged(api: Api) -> None:
    ada = jwt_for("acme", claims={"sub": "ada"})
    paths = [webhook(api) for _ in range(3)]
    api(f"DELETE {paths[0]}", token=ada)
    assert outline(audit(api, "&actor=user:ada")) == [("webhooks.delete", "SUCCEEDED")]
    assert len(audit(api, "&action=webhooks.create")) == 3
    assert audit(api, "&actor=user:nobody") == []
    newest = audit(api)[-1]
    assert audit(api, f"&since={newest['createdAt']}")[-1] == newest
    assert audit(api, "&until=1990-01-01T00:00:00Z") == []
    first = api(f"GET {AUDIT}?limit=3").json()
    second = api(f"GET {AUDIT}?limit=3&cursor={first['nextCursor']}").json()
    assert [*first["items"], *second["items"]] == list(reversed(audit(api)))
    assert second["nextCursor"] is None
    assert_problem(api(f"GET {AUDIT}?action=Webhook"), 422, paths=["action"])
    assert_problem(api(f"GET {AUDIT}?outcome=ok"), 422, paths=["outcome"])


def test_audit_log_is_for_admins_and_owners_of_the_workspace(api: Api) -> None:
    webhook(api)
    for role, status in (("viewer", 403), ("member", 403), ("admin", 200), ("owner", 200)):
        assert api(f"GET {AUDIT}", token=jwt_for("acme", role=role)).status == status
    assert audit(api, token=jwt_for("rival")) == []
    api(f"GET {AUDIT}", token=jwt_for("rival", role="viewer"))
    assert outline(audit(api, token=jwt_for("rival"))) == [("audit.list", "REFUSED")]


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────


def test_change_and_its_entry_are_one_transaction(api: Api, backend: Backend) -> None:
    webhook(api)  # creates the workspace's data key
    backend.calls.clear()
    path = webhook(api)
    assert backend.calls.count["dynamodb.PutItem"] == 0
    assert backend.calls.count["dynamodb.TransactWriteItems"] == 1
    with killed("dynamodb.TransactWriteItems", after=True):
        api(f"DELETE {path}")
    assert outline(audit(api))[1:] == [("webhooks.create", "SUCCEEDED"), ("webhooks.delete", "SUCCEEDED")]


def test_change_whose_response_is_lost_has_one_entry(api: Api) -> None:
    with lost_once():
        path = webhook(api)
    api(f"PUT {path}", json={"name": "new"})
    assert outline(audit(api)) == [("webhooks.create", "SUCCEEDED"), ("webhooks.update", "SUCCEEDED")]


def test_change_that_is_tried_again_has_one_entry(api: Api) -> None:
    path = webhook(api)

    def other() -> None:
        api(f"PUT {path}", json={"name": "other"}, token=jwt_for("acme", claims={"sub": "other"}))

    with meanwhile("dynamodb.TransactWriteItems", other):
        assert api(f"PUT {path}", json={"disableAfter": 5}).status == 200
    entries = audit(api, "&action=webhooks.update")
    assert sorted((entry["actor"], *entry["fields"]) for entry in entries) == [
        ("user:other", "name"),
        ("user:someone", "disableAfter"),
    ]


def test_repeat_with_an_idempotency_key_has_an_entry_of_its_own(api: Api) -> None:
    once = {"idempotency-key": "one"}
    for _ in range(2):
        assert api(f"POST {WEBHOOKS}", json=WEBHOOK, headers=once).status == 201
    entries = audit(api)
    assert outline(entries) == [("webhooks.create", "SUCCEEDED")] * 2
    assert entries[0]["target"] == entries[1]["target"]


def test_request_that_dynamodb_throttles_has_an_entry(api: Api) -> None:
    """The request may have had an effect: here the key is revoked, but its end is not logged yet."""
    key = api(f"POST {KEYS}", json=KEY).json()
    with failing("dynamodb.TransactWriteItems"):
        assert api(f"DELETE {KEYS}/{key['id']}").status == 429
    assert outline(audit(api)) == [("api_keys.create", "SUCCEEDED"), ("api_keys.revoke", "FAILED")]


def test_secret_is_withheld_if_its_entry_cannot_be_written(api: Api) -> None:
    id = api(f"POST {INTEGRATIONS}", json={"name": "Contacts", "type": "CRM"}).json()["id"]
    path = f"{INTEGRATIONS}/{id}/connections"
    api(f"POST {path}", json=CREDENTIALS)
    for line in (f"{path}/default/token", f"{INTEGRATIONS}/{id}?reveal=true"):
        with failing("dynamodb.PutItem", error=REFUSED, times=2):
            answer: Answer = api(f"GET {line}")
        assert_problem(answer, 500, "internal")
        assert "connection-key" not in answer.text


def test_other_responses_are_sent_if_their_entry_cannot_be_written(api: Api) -> None:
    path = webhook(api)
    with failing("dynamodb.PutItem", error=REFUSED):
        assert api(f"PUT {path}", json={"name": "test"}).status == 200  # changes nothing
    with failing("dynamodb.PutItem", error=REFUSED):
        assert_problem(api(f"DELETE {WEBHOOKS}/{WebhookId.new()}"), 404)
    assert outline(audit(api)) == [("webhooks.create", "SUCCEEDED")]


def test_entry_of_an_earlier_release_is_not_in_the_audit_log(api: Api) -> None:
    path = webhook(api)
    row = {
        "integrationKey": f"acme#{path.rpartition('/')[2]}",
        "id": LogId.new(),
        "action": "webhook.updated",
    }
    dynamo.put(settings().activity_table, {**row, "actor": "user:ada", "outcome": "SUCCEEDED"})
    assert len(audit(api)) == 1
    assert len(api(f"GET {path}/logs").json()["items"]) == 2
