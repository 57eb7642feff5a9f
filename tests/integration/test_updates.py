"""GET, edit, PUT: every resource accepts the object that it returned. If a caller changes a read-only field,
the error names it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from local import gateway
from patchbay.api_model import MASK
from patchbay.ids import IntegrationId, WebhookId
from patchbay.integrations import reviews
from patchbay.integrations.models import ReviewPublication
from patchbay.updates import Update
from patchbay.webhooks import service as webhooks
from tests.conftest import Api, Backend, jwt_for
from tests.integration.integrations_api import snapshot
from tests.problems import assert_problem

KEYS, WEBHOOKS = "/api/integrations/api-keys", "/api/integrations/webhooks"
INTEGRATIONS = "/api/integrations"
URL = "https://receiver.example/hook"
SECRET = "receiver-token-5f2c"
WEBHOOK: dict[str, Any] = {
    "name": "w",
    "url": URL,
    "eventTypes": ["POST_PUBLISHED", "POST_FAILED"],
    "filters": [{"path": "network", "op": "in", "value": ["a", 1.5, None]}],
    "headers": {"X-Token": SECRET, "X-Empty": ""},
    "retryConfig": {"maxRetries": 2},
    "rateLimitPerSecond": 5,
}
HUBSPOT = {"clientId": "hub-1", "clientSecret": "the-clients-own-secret"}


def new_key(api: Api) -> str:
    body = {"name": "k", "scopes": ["webhooks:read"], "expiresAt": "2999-01-01T00:00:00Z"}
    return str(api(f"POST {KEYS}", json=body).json()["id"])


def new_webhook(api: Api, **changes: Any) -> str:
    return str(api(f"POST {WEBHOOKS}", json={**WEBHOOK, **changes}).json()["id"])


def new_feed(api: Api) -> str:
    body = {"kind": "pull", "name": "f", "eventTypes": ["POST_PUBLISHED"], "expiresInSeconds": 600}
    return str(api(f"POST {WEBHOOKS}", json=body).json()["id"])


def new_hook(api: Api) -> str:
    line = "POST /api/automations/n8n/hooks"
    return str(api(line, json={"url": URL, "eventType": "POST_PUBLISHED"}).json()["id"])


def new_integration(api: Api) -> str:
    body = {
        "name": "CRM",
        "type": "CRM",
        "provider": "hubspot",
        "config": {**HUBSPOT, "note": "secret too"},
        "metadata": {"a": [1]},
        "scopes": ["crm.objects.contacts.read"],
        "logoUrl": "https://cdn.example/logo.png",
    }
    return str(api(f"POST {INTEGRATIONS}", json=body).json()["id"])


def new_copy(api: Api) -> str:
    body = {
        "name": "Shared", "type": "CRM", "provider": "hubspot", "config": HUBSPOT, "isPublic": True,
        "description": "d",
    }  # fmt: skip
    published = api(f"POST {INTEGRATIONS}", json=body, token=jwt_for("rival")).json()
    reviews.review(
        ReviewPublication(
            workspace_id="rival", integration_id=IntegrationId(published["id"]), version=1, decision="APPROVE"
        )
    )
    return str(api(f"POST {INTEGRATIONS}/{published['id']}/install").json()["id"])


FLOW = {
    "name": "f",
    "trigger": {"type": "event", "eventTypes": ["POST_PUBLISHED"], "filters": WEBHOOK["filters"]},
    "steps": [{"id": "pause", "type": "wait", "seconds": 1}],
}


def new_flow(api: Api) -> str:
    return str(api("POST /api/flows", json=FLOW).json()["id"])


# Every resource that can be read and updated, in each of its variants.
RESOURCES: list[tuple[str, Callable[[Api], str]]] = [
    (f"{KEYS}/{{id}}", new_key),
    (f"{WEBHOOKS}/{{id}}", new_webhook),
    (f"{WEBHOOKS}/{{id}}", new_hook),
    (f"{WEBHOOKS}/{{id}}", new_feed),
    ("/api/flows/{id}", new_flow),
    (f"{INTEGRATIONS}/{{id}}", new_integration),
    (f"{INTEGRATIONS}/{{id}}", new_copy),
]
resources = pytest.mark.parametrize(
    ("pattern", "create"), RESOURCES, ids=[create.__name__ for _, create in RESOURCES]
)
# Changed values for read-only fields. The default is the string "changed".
OTHERS: dict[str, Any] = {"publisher": {"workspaceId": "x", "name": None, "verified": True}}


def update_models(backend: Backend) -> Iterator[tuple[str, type[Update]]]:
    """(path, body model) of every PUT route whose path also has a GET route."""
    functions, routes = backend.template.functions(), gateway.read(backend.template).routes
    reads = {route.path for route in routes if route.method == "GET"}
    for route in routes:
        if route.method == "PUT" and route.path in reads:
            module, _, name = functions[route.function].handler.rpartition(".")
            handler = getattr(importlib.import_module(module), name)
            yield route.path, inspect.signature(handler, eval_str=True).parameters["body"].annotation


def test_every_resource_that_can_be_read_and_updated_is_here(backend: Backend) -> None:
    models = dict(update_models(backend))
    # The settings of a workspace have no version: see test_workspace.
    assert models.keys() - {"/api/workspace"} == {path for path, _ in RESOURCES}
    assert all(issubclass(model, Update) for model in models.values())


@resources
def test_the_object_that_was_read_changes_nothing(
    api: Api, backend: Backend, pattern: str, create: Callable[[Api], str]
) -> None:
    path = pattern.replace("{id}", create(api))
    before, read = snapshot(backend), api(f"GET {path}").json()
    answer = api(f"PUT {path}", json=read)
    assert answer.status == 200, answer.text
    assert answer.json() == {name: value for name, value in read.items() if name != "recentDeliveries"}
    assert snapshot(backend) == before, "no new version, no entry in a log, no secret encrypted again"


@resources
def test_a_changed_read_only_field_is_named(
    api: Api, backend: Backend, subtests: pytest.Subtests, pattern: str, create: Callable[[Api], str]
) -> None:
    path = pattern.replace("{id}", create(api))
    before, read = snapshot(backend), api(f"GET {path}").json()
    model = dict(update_models(backend))[pattern]
    own = {field.alias for field in model.model_fields.values()}
    volatile = model.read_only.volatile_fields()
    read_only = read.keys() - own
    assert {"id", "createdAt", "version", "updatedAt"} <= read_only
    assert not {"id", "createdAt", "version", "status"} & volatile
    for name in read_only:
        changed = OTHERS.get(name, "changed")
        with subtests.test(name):
            answer = api(f"PUT {path}", json={**read, name: changed})
            if name in volatile:
                assert answer.status == 200, answer.text
            else:
                (error,) = assert_problem(answer, 422, paths=[name])["errors"]
                assert error["message"].startswith("is read-only; ")
    if "status" in read_only - volatile and pattern != f"{KEYS}/{{id}}":
        answer = api(f"PUT {path}", json={"status": "INACTIVE"})
        assert_problem(answer, 422, None, f"PUT {pattern}/status")
    assert snapshot(backend) == before


@resources
def test_a_version_in_the_body_has_the_effect_of_if_match(
    api: Api, pattern: str, create: Callable[[Api], str]
) -> None:
    path = pattern.replace("{id}", create(api))
    read = api(f"GET {path}").json()
    assert api(f"PUT {path}", json={**read, "name": "first"}).json()["version"] == read["version"] + 1
    stale = api(f"PUT {path}", json={**read, "name": "second"})
    by_header = api(f"PUT {path}", json={"name": "x"}, headers={"If-Match": str(read["version"])})
    assert stale.status == by_header.status
    assert stale.json()["code"] == by_header.json()["code"]
    assert stale.json()["detail"] == by_header.json()["detail"]
    assert api(f"GET {path}").json()["name"] == "first"
    for wrong in (True, "1", 1.5, None):
        assert_problem(api(f"PUT {path}", json={"version": wrong}), 422, paths=["version"])


def test_times_may_be_written_differently(api: Api) -> None:
    path = f"{KEYS}/{new_key(api)}"
    read = api(f"GET {path}").json()
    moment = datetime.fromisoformat(read["createdAt"])
    for text in (moment.isoformat(), moment.astimezone(UTC).isoformat(timespec="microseconds")):
        assert api(f"PUT {path}", json={**read, "createdAt": text}).status == 200
    assert_problem(api(f"PUT {path}", json={"createdAt": "2026-01-01T00:00:00Z"}), 422, paths=["createdAt"])


def test_unknown_fields_stay_unknown(api: Api) -> None:
    path = f"{WEBHOOKS}/{new_webhook(api)}"
    problem = assert_problem(
        api(f"PUT {path}", json={"resumedAt": None, "event_types": [], "events": []}),
        422,
        paths=["resumedAt", "event_types", "events"],
    )
    assert [error["message"] for error in problem["errors"][1:]] == [
        "unknown field; did you mean `eventTypes`?"
    ] * 2


# ── masks ────────────────────────────────────────────────────────────────────────────────────────────


def headers_of(id: str) -> dict[str, str]:
    return webhooks.decrypt_headers(webhooks.get_stored("acme", WebhookId(id)))


def test_masked_headers_keep_their_values(api: Api) -> None:
    id = new_webhook(api)
    path = f"{WEBHOOKS}/{id}"
    read = api(f"GET {path}").json()
    assert read["headers"] == {"X-Token": MASK, "X-Empty": MASK}
    headers = {"x-token": MASK, "X-New": "new"}
    assert api(f"PUT {path}", json={**read, "headers": headers}).status == 200
    assert headers_of(id) == {"x-token": SECRET, "X-New": "new"}
    assert api(f"PUT {path}", json={"headers": {"x-token": MASK}}).status == 200
    assert headers_of(id) == {"x-token": SECRET}

    answer = api(f"PUT {path}", json={"headers": {"x-token": MASK, "X-Other": MASK}})
    assert_problem(answer, 422, None, "X-Other is a masked value; send the actual value", paths=["headers"])
    assert_problem(api(f"POST {WEBHOOKS}", json={**WEBHOOK, "headers": {"X-Token": MASK}}), 422)
    assert headers_of(id) == {"x-token": SECRET}


def test_masked_headers_never_go_to_another_origin(api: Api) -> None:
    id = new_webhook(api)
    path = f"{WEBHOOKS}/{id}"
    read = api(f"GET {path}").json()
    elsewhere = {**read, "url": "https://other.example/"}
    for body in (elsewhere, {**elsewhere, "headers": {"X-Token": MASK}}, {"url": elsewhere["url"]}):
        assert_problem(api(f"PUT {path}", json=body), 422, paths=["headers"])
    assert api(f"GET {path}").json() == read
    assert api(f"PUT {path}", json={**elsewhere, "headers": {"X-Token": "new"}}).status == 200
    assert headers_of(id) == {"X-Token": "new"}


def test_masked_secrets_of_an_integration_stay(api: Api) -> None:
    path = f"{INTEGRATIONS}/{new_integration(api)}"
    read = api(f"GET {path}").json()
    secrets = api(f"GET {path}?reveal=true").json()["config"]
    assert api(f"PUT {path}", json={**read, "name": "renamed"}).json()["name"] == "renamed"
    assert api(f"GET {path}?reveal=true").json()["config"] == secrets
    assert_problem(api(f"PUT {path}", json={"config": {"other": MASK}}), 422, paths=["config.other"])
    moved = {**read, "version": 2, "config": {**read["config"], "clientId": "hub-2"}}
    assert_problem(api(f"PUT {path}", json=moved), 422, paths=["config.clientSecret"])
    (entry, *_) = api(f"GET {path}/logs?action=integration.updated").json()["items"]
    assert entry["detail"] == "name", "the log names what changed, not what was sent"


def test_hook_of_an_automation_refuses_only_changes(api: Api) -> None:
    path = f"{WEBHOOKS}/{new_hook(api)}"
    read = api(f"GET {path}").json()
    assert api(f"PUT {path}", json={**read, "name": "renamed"}).json()["name"] == "renamed"
    for name, value in (("url", URL + "2"), ("eventTypes", ["POST_FAILED"]), ("filters", WEBHOOK["filters"])):
        assert_problem(api(f"PUT {path}", json={name: value}), 409, None, "n8n")
