"""The activity log of webhooks and API keys: it says who changed what, and contains no secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from patchbay.api_keys.expire_keys import expire_keys
from patchbay.clock import now_ms
from patchbay.ids import WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import service
from tests.conftest import Api, Backend, jwt_for
from tests.faults import cold_start, failing, killed
from tests.problems import assert_problem

WEBHOOKS, KEYS = "/api/integrations/webhooks", "/api/integrations/api-keys"
HOOKS = "/api/automations/zapier/hooks"
WEBHOOK = {"name": "test", "url": "https://example.com/hook", "eventTypes": ["POST_PUBLISHED"]}
KEY = {"name": "test", "scopes": ["events:publish", "api-keys:read"]}


def send(api: Api, line: str, status: int = 200, **options: Any) -> Any:
    answer = api(line, **options)
    assert answer.status == status, answer.text
    return answer.json()


def entries(api: Api, path: str) -> list[tuple[str, str, str | None]]:
    """(action, actor, detail) of each entry, oldest first."""
    items = send(api, f"GET {path}/logs?limit=100")["items"]
    assert all(item["outcome"] == "SUCCEEDED" for item in items)
    return [(item["action"], item["actor"], item["detail"]) for item in reversed(items)]


def test_changes_of_a_webhook_are_logged_with_field_names_only(api: Api, backend: Backend) -> None:
    created = send(api, f"POST {WEBHOOKS}", 201, json={**WEBHOOK, "headers": {"X-Key": "header-value"}})
    path = f"{WEBHOOKS}/{created['id']}"
    assert created["createdBy"] == send(api, f"GET {path}")["createdBy"] == "user:someone"
    changes = {"name": "private name", "url": "https://example.com/private-url", "disableAfter": 10}
    changes |= {"headers": {"X-Key": "other-value"}, "filters": [{"path": "text", "op": "exists"}]}
    other = jwt_for("acme", claims={"sub": "other"})
    send(api, f"PUT {path}", json=changes, token=other)
    send(api, f"PUT {path}", json={"name": "private name"})
    send(api, f"PUT {path}", json={})
    assert_problem(api(f"PUT {path}", json={"name": "x"}, headers={"If-Match": "1"}), 412)
    send(api, f"PUT {path}/status", json={"status": "INACTIVE"})
    send(api, f"POST {path}/rotate-secret", json={})
    send(api, f"POST {path}/rotate-secret", json={"overlapSeconds": 0})
    send(api, f"DELETE {path}")
    expected = [
        ("webhook.created", "user:someone", None),
        ("webhook.updated", "user:other", "filters, headers, name, url"),
        ("webhook.status_changed", "user:someone", "ACTIVE to INACTIVE"),
        ("webhook.secret_rotated", "user:someone", "older secrets end after 86400 s"),
        ("webhook.secret_rotated", "user:someone", "older secrets end immediately"),
        ("webhook.deleted", "user:someone", None),
    ]
    assert entries(api, path) == expected, "also after the webhook is deleted"
    stored = repr(backend.rows("ActivityTable"))
    for value in ("private", "header-value", "other-value", "whsec_"):
        assert value not in stored
    newest = send(api, f"GET {path}/logs?action=webhook.deleted")["items"]
    assert [item["action"] for item in newest] == ["webhook.deleted"]
    since = newest[0]["createdAt"]
    assert send(api, f"GET {path}/logs?since={since}")["items"] == newest
    first = send(api, f"GET {path}/logs?limit=1")
    assert len(send(api, f"GET {path}/logs?limit=1&cursor={first['nextCursor']}")["items"]) == 1
    assert_problem(api(f"GET {path}/logs", token=jwt_for("rival")), 404)
    assert_problem(api(f"GET {path}/logs", token=jwt_for("acme", scope="events:read")), 403)
    assert_problem(api(f"GET {WEBHOOKS}/{WebhookId.new()}/logs"), 404)


def test_log_of_a_webhook_from_an_earlier_release_is_empty(api: Api, backend: Backend) -> None:
    path = f"{WEBHOOKS}/{send(api, f'POST {WEBHOOKS}', 201, json=WEBHOOK)['id']}"
    for row in backend.rows("ActivityTable"):
        dynamo.delete(settings().activity_table, {name: row[name] for name in ("integrationKey", "id")})
    assert entries(api, path) == []


def test_changes_by_patchbay_and_by_automations_are_logged(api: Api) -> None:
    hook = {"url": "https://hooks.zapier.com/1", "eventType": "POST_PUBLISHED"}
    id = send(api, f"POST {HOOKS}", 201, json=hook)["id"]
    path = f"{WEBHOOKS}/{id}"
    assert service.disable("acme", WebhookId(id), "endpoint_gone", lambda _: (), requested_at=now_ms())
    assert not service.disable("acme", WebhookId(id), "endpoint_gone", lambda _: (), requested_at=now_ms())
    send(api, f"POST {HOOKS}", 201, json=hook)
    send(api, f"POST {HOOKS}", json=hook)  # it exists, so nothing changes
    assert service.end_subscription("acme", WebhookId(id), (), requested_at=now_ms() + 1)
    send(api, f"POST {HOOKS}", 201, json=hook)
    send(api, f"DELETE {HOOKS}/{id}")
    assert entries(api, path) == [
        ("webhook.created", "user:someone", "subscribed by zapier"),
        ("webhook.disabled", "patchbay", "endpoint_gone"),
        ("webhook.status_changed", "user:someone", "DISABLED to ACTIVE: subscribed again"),
        ("webhook.deleted", "patchbay", "endpoint_gone"),
        ("webhook.created", "user:someone", "subscribed by zapier"),
        ("webhook.deleted", "user:someone", None),
    ]
    integration = send(api, "POST /api/integrations", 201, json={"name": "i", "type": "CUSTOM"})["id"]
    owned = send(api, f"POST {WEBHOOKS}", 201, json={**WEBHOOK, "integrationId": integration})["id"]
    assert service.delete_for_integration("acme", integration)
    last = entries(api, f"{WEBHOOKS}/{owned}")[-1]
    assert last == ("webhook.deleted", "patchbay", f"with its integration {integration}")


def test_changes_of_an_api_key_are_logged(api: Api, backend: Backend) -> None:
    key = send(api, f"POST {KEYS}", 201, json=KEY)
    path = f"{KEYS}/{key['id']}"
    changes = {"name": "private", "rateLimitPerHour": 7, "expiresAt": "2999-01-01T00:00:00Z"}
    edited = send(api, f"PUT {path}", json=changes)
    send(api, f"PUT {path}", json={"name": "private"})
    assert_problem(api(f"PUT {path}", json={"name": "x"}, headers={"If-Match": "1"}), 412)
    successor = send(api, f"POST {path}/rotate", 201, json={"overlapSeconds": 60})
    for _ in range(2):
        send(api, f"DELETE {path}")
    log = entries(api, path)
    assert log[:2] == [
        ("api_key.created", "user:someone", None),
        ("api_key.updated", "user:someone", "name, rateLimitPerHour, expiresAt"),
    ]
    assert edited["version"] == 2
    assert log[2][:2] == ("api_key.rotated", "user:someone")
    assert (log[2][2] or "").startswith(f"into {successor['id']}; ends at 20")
    assert log[3:] == [("api_key.revoked", "user:someone", None)]
    assert entries(api, f"{KEYS}/{successor['id']}") == [
        ("api_key.created", "user:someone", f"replaces {key['id']}")
    ]
    assert send(api, f"GET {path}/logs", token=successor["key"])["items"]
    assert_problem(api(f"GET {path}/logs", token=jwt_for("rival")), 404)
    stored = repr(backend.rows("ActivityTable"))
    assert "private" not in stored
    assert key["key"] not in stored


def expire(backend: Backend, id: str) -> None:
    dynamo.update(settings().api_keys_table, {"id": id}, "SET x = :one, d = :one, k = :zero", one=1, zero=0)


def test_end_of_an_expired_key_is_logged_at_its_expiry(api: Api, backend: Backend) -> None:
    key = send(api, f"POST {KEYS}", 201, json={**KEY, "expiresAt": "2999-01-01T00:00:00Z"})
    expire(backend, key["id"])
    assert expire_keys(lambda: 30_000).retired == 1
    # The entry has the time of the expiry. This test set it to 1970, before the key was created.
    assert entries(api, f"{KEYS}/{key['id']}")[0] == ("api_key.expired", "patchbay", None)


CHANGES: dict[str, tuple[int, Callable[[str], tuple[str, Any]]]] = {
    "update a webhook": (200, lambda id: (f"PUT {WEBHOOKS}/{id}", {"name": "new"})),
    "delete a webhook": (200, lambda id: (f"DELETE {WEBHOOKS}/{id}", None)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_that_fails_is_not_logged(api: Api, change: str) -> None:
    """A change and its log entry are written in one transaction."""
    id = send(api, f"POST {WEBHOOKS}", 201, json=WEBHOOK)["id"]
    status, request = CHANGES[change]
    line, body = request(id)
    with failing("dynamodb.TransactWriteItems", error="refused"):
        assert api(line, json=body).status == 500
    assert [action for action, _, _ in entries(api, f"{WEBHOOKS}/{id}")] == ["webhook.created"]
    send(api, line, status, json=body)
    assert len(entries(api, f"{WEBHOOKS}/{id}")) == 2


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("operation", ["UpdateItem", "TransactWriteItems"])
def test_revocation_is_logged_once_wherever_its_process_dies(
    api: Api, backend: Backend, operation: str, after: bool
) -> None:
    """Revocation is not one transaction. The schedule completes it, and logs the caller as the actor."""
    key = send(api, f"POST {KEYS}", 201, json=KEY)
    with killed(f"dynamodb.{operation}", after=after, where=key["id"]):
        api(f"DELETE {KEYS}/{key['id']}")
    cold_start()
    if operation == "UpdateItem" and not after:
        assert len(entries(api, f"{KEYS}/{key['id']}")) == 1
        send(api, f"DELETE {KEYS}/{key['id']}")
    for _ in range(2):
        expire_keys(lambda: 30_000)
    log = entries(api, f"{KEYS}/{key['id']}")
    assert log[1:] == [("api_key.revoked", "user:someone", None)]
