"""The settings of a workspace, its export, and the erasure of one event's data."""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import requests

from patchbay.ids import WebhookId
from patchbay.storage import dynamo, objects
from patchbay.workspaces import export
from tests.catalogued import POST
from tests.conftest import LAMBDA_CONTEXT, jwt_for
from tests.faults import Killed
from tests.integration.conftest import DAY, WEBHOOKS, Pipeline
from tests.integration.test_workspace_erasure import dies_at
from tests.problems import assert_problem
from tests.receivers import Answer as Reply
from tests.receivers import receiver
from tests.wire import around_calls

WORKSPACE = "/api/workspace"


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────


def days_of(row: dict[str, Any], pipeline: Pipeline) -> float:
    return round((row["ttl"] - pipeline.clock.now / 1000) / DAY, 1)


def test_retention_of_the_workspace_applies_to_what_is_written_from_now_on(pipeline: Pipeline) -> None:
    with receiver([Reply(500), Reply(200)]) as target:
        pipeline.webhook(target.url, retryConfig={"maxRetries": 1, "initialDelaySeconds": 1})
        pull = {"kind": "pull", "name": "feed", "eventTypes": ["POST_PUBLISHED"]}
        pipeline.api(f"POST {WEBHOOKS}", json=pull)
        pipeline.publish()
        updated = pipeline.api(f"PUT {WORKSPACE}", json={"retainDays": 3}).json()
        assert (updated["retainDays"], updated["maxRetainDays"], updated["version"]) == (3, 30, 1)
        assert pipeline.api(f"GET {WORKSPACE}").json() == updated
        pipeline.publish()
        pipeline.run()
    first, second = pipeline.backend.events()
    assert (days_of(first, pipeline), days_of(second, pipeline)) == (30, 3)
    deliveries = {days_of(row, pipeline) for row in pipeline.backend.rows("DeliveriesTable")}
    assert deliveries == {30, 3}
    assert (
        len(pipeline.backend.rows("DeliveriesTable")) == 3
    )  # one is a failed attempt, which expires like its delivery
    entries = [row for row in pipeline.backend.rows("FeedsTable") if "eventId" in row]
    assert [days_of(row, pipeline) for row in entries] == [30, 3]
    cleared = pipeline.api(f"PUT {WORKSPACE}", json={"retainDays": None}).json()
    assert (cleared["retainDays"], cleared["version"]) == (30, 2)


def test_retention_costs_no_call(pipeline: Pipeline) -> None:
    def calls() -> list[str]:
        pipeline.backend.calls.clear()
        body = {"type": "POST_PUBLISHED", "data": POST}
        assert pipeline.api("POST /api/events", json=body).status == 202
        return list(pipeline.backend.calls.made)

    with receiver([Reply(200)]) as target:
        pipeline.webhook(target.url)
        calls()
        before = calls()
        pipeline.api(f"PUT {WORKSPACE}", json={"retainDays": 3})
        assert calls() == before


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"retainDays": 0}, "retainDays"),
        ({"retainDays": 31}, "retainDays"),
        ({"retainDays": "3"}, "retainDays"),
        ({"retainHours": 3}, "retainHours"),
        ({"status": "ERASING"}, "status"),
    ],
)
def test_settings_are_validated(pipeline: Pipeline, body: Any, path: str) -> None:
    problem = assert_problem(pipeline.api(f"PUT {WORKSPACE}", json=body), 422, "validation_failed")
    assert problem["errors"][0]["path"] == path


def test_settings_can_be_sent_back_as_they_were_read(pipeline: Pipeline) -> None:
    shown = pipeline.api(f"GET {WORKSPACE}").json()
    changed = pipeline.api(f"PUT {WORKSPACE}", json={**shown, "retainDays": 5}).json()
    assert changed["retainDays"] == 5
    assert pipeline.api(f"PUT {WORKSPACE}", json={}).json() == changed
    stale = pipeline.api(f"PUT {WORKSPACE}", json={"retainDays": 6}, headers={"if-match": "0"})
    assert_problem(stale, 412, "precondition_failed")
    assert pipeline.api(f"PUT {WORKSPACE}", json={"retainDays": 30}).json()["version"] == 2


# ── the data of one event ────────────────────────────────────────────────────────────────────────────

SECRET = "the-data-to-erase-4a1c"


def erase(pipeline: Pipeline, event: str, **more: Any) -> Any:
    return pipeline.api(f"DELETE /api/events/{event}/data", **more)


def test_data_of_an_event_is_gone_everywhere_and_cannot_be_sent_again(pipeline: Pipeline) -> None:
    echo = [Reply(500, {"x-echo": SECRET}, SECRET.encode()), Reply(200, {"x-echo": SECRET}, SECRET.encode())]
    with receiver(echo) as target:
        webhook = pipeline.webhook(target.url, retryConfig={"maxRetries": 1, "initialDelaySeconds": 1})
        feed = pipeline.api(f"POST {WEBHOOKS}", json={**FEED, "name": "feed"}).json()
        event = pipeline.publish({"text": SECRET})
        pipeline.run()
        assert SECRET in stored(pipeline)
        assert erase(pipeline, event).json() == {}
        assert SECRET not in stored(pipeline)
        shown = pipeline.api(f"GET /api/events/{event}").json()
        assert (shown["data"], bool(shown["erasedAt"])) == ({}, True)
        delivery = pipeline.shown(webhook, event)
        assert (delivery["status"], delivery["payload"]) == ("DELIVERED", None)
        assert [attempt["responseBody"] for attempt in delivery["attempts"]] == ["", ""]
        retry = f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{delivery['id']}/retry"
        assert_problem(pipeline.api(retry, json={"force": True}), 409, "event_erased")
        page = pipeline.api(f"GET {WEBHOOKS}/{feed['id']}/feed").json()
        assert (page["items"], page["truncated"]) == ([], True)
        late = pipeline.webhook(target.url)
        since = {"since": shown["timestamp"]}
        for id, body in ((late["id"], {"missing": True}), (webhook["id"], {"statuses": ["DELIVERED"]})):
            path = f"POST {WEBHOOKS}/{id}/replay"
            assert pipeline.api(path, json={**since, **body}).status == 202
        pipeline.run()
        assert len(target.requests) == 2
        assert erase(pipeline, event).status == 200  # again


FEED = {"kind": "pull", "eventTypes": ["POST_PUBLISHED"]}


def stored(pipeline: Pipeline) -> str:
    tables = ("EventsTable", "DeliveriesTable", "FeedsTable", "WebhooksTable", "HealthTable")
    return repr([pipeline.backend.rows(table) for table in tables])


@pytest.mark.parametrize("waits", ["in the queue", "for its retry", "held"])
def test_delivery_that_waits_is_cancelled(pipeline: Pipeline, waits: str) -> None:
    with receiver([Reply(500)]) as target:
        retries = {"maxRetries": 3, "initialDelaySeconds": 100, "backoffMultiplier": 1}
        webhook = pipeline.webhook(target.url, retryConfig=retries)
        if waits == "held":
            pipeline.set_status(webhook, "PAUSED")
        event = pipeline.publish({"text": SECRET})
        if waits != "in the queue":
            pipeline.poll()
        sent = len(target.requests)
        erase(pipeline, event)
        if waits == "held":
            pipeline.set_status(webhook, "ACTIVE")
        pipeline.run()
        assert pipeline.ends() == [("CANCELLED", "event_erased")]
        assert len(target.requests) == sent
    assert SECRET not in stored(pipeline)


@pytest.mark.parametrize("attempts", [0, 1])
def test_rows_of_an_erased_event_outlive_every_message_with_its_data(
    pipeline: Pipeline, attempts: int
) -> None:
    """A message can wait up to 14 days, even in a workspace that keeps its events for one day."""
    pipeline.api(f"PUT {WORKSPACE}", json={"retainDays": 1})
    with receiver([Reply(500)]) as target:
        pipeline.webhook(target.url, retryConfig={"maxRetries": 3, "initialDelaySeconds": 100})
        event = pipeline.publish({"text": SECRET})
        for _ in range(attempts):
            pipeline.poll()
        erase(pipeline, event)
        pipeline.clock.move(13 * DAY)
        for table, key in (("EventsTable", ("workspaceId", "id")), ("DeliveriesTable", ("webhookKey", "sk"))):
            for row in pipeline.backend.rows(table):
                if row["ttl"] <= pipeline.clock.now / 1000:  # as DynamoDB does
                    dynamo.delete(pipeline.backend.template.name(table), {name: row[name] for name in key})
        pipeline.poll()
        assert len(target.requests) == attempts
    assert pipeline.ends() == [("CANCELLED", "event_erased")]
    assert pipeline.api(f"GET /api/events/{event}").json()["erasedAt"]


def test_fan_out_of_an_erased_event_is_dropped(pipeline: Pipeline) -> None:
    body = {"type": "POST_PUBLISHED", "data": POST}
    once: Any = {"headers": {"idempotency-key": "one"}}
    event = pipeline.api("POST /api/events", json=body, **once).json()["id"]
    erase(pipeline, event)
    with receiver([Reply(200)]) as target:
        pipeline.webhook(target.url)
        assert pipeline.api("POST /api/events", json=body, **once).json()["id"] == event
        pipeline.events.run()
        pipeline.run()
        assert target.requests == []


def test_only_admins_of_the_workspace_erase_data(pipeline: Pipeline) -> None:
    event = pipeline.publish()
    for role in ("viewer", "member"):
        assert_problem(erase(pipeline, event, role=role), 403, "forbidden")
    stranger = jwt_for("globex", claims={"exp": pipeline.clock.now // 1000 + 600})
    assert_problem(pipeline._api(f"DELETE /api/events/{event}/data", token=stranger), 404, "not_found")
    assert pipeline.api(f"GET /api/events/{event}").json()["erasedAt"] is None


# ── export ───────────────────────────────────────────────────────────────────────────────────────────


def work(pipeline: Pipeline) -> None:
    pipeline.clock.move(60)
    context = SimpleNamespace(**vars(LAMBDA_CONTEXT) | {"get_remaining_time_in_millis": lambda: 60_000})
    importlib.import_module("workers.run_workspace_tasks").handler({}, context)


def finished(pipeline: Pipeline, task: Any) -> Any:
    for _ in range(200):
        work(pipeline)
        shown = pipeline.api(f"GET /api/tasks/{task['id']}").json()
        if shown["status"] != "RUNNING":
            return shown
    raise AssertionError(shown)


def records(task: Any) -> list[Any]:
    text = requests.get(task["file"]["url"], timeout=5).text
    assert len(text.encode()) == task["file"]["bytes"]
    return [json.loads(line) for line in text.splitlines()]


def fill(pipeline: Pipeline, url: str) -> None:
    retries = {"maxRetries": 1, "initialDelaySeconds": 1}
    secret = "whsec_YzY4YjQxMTcwOWQ1NGU2MmFmNWVlMGJh"
    pipeline.webhook(url, retryConfig=retries, headers={"x-token": "header-secret"}, secret=secret)
    body = {"name": "CRM", "type": "CUSTOM"}
    integration = pipeline.api("POST /api/integrations", json=body).json()["id"]
    credentials = {"connectionId": "one", "credentials": {"apiKey": "connection-secret"}}
    pipeline.api(f"POST /api/integrations/{integration}/connections", json=credentials)
    for number in range(3):
        pipeline.publish({"text": f"event {number}"})
    pipeline.run()


def test_export_has_everything_except_secrets(pipeline: Pipeline) -> None:
    with receiver([Reply(500, {}, b"no"), Reply(200, {}, b"yes")]) as target:
        fill(pipeline, target.url)
    key = pipeline.api(
        "POST /api/integrations/api-keys", json={"name": "k", "scopes": ["events:read"]}
    ).json()
    removed = pipeline.webhook("https://r.example")
    pipeline.api(f"DELETE {WEBHOOKS}/{removed['id']}")
    once: Any = {"headers": {"idempotency-key": "one"}}
    task = pipeline.api(f"POST {WORKSPACE}/export", **once).json()
    assert pipeline.api(f"POST {WORKSPACE}/export", **once).json() == task
    assert_problem(pipeline.api(f"POST {WORKSPACE}/export"), 409, "conflict")
    assert (task["type"], task["webhookId"], task["step"]) == ("workspace.export", None, "starting")
    task = finished(pipeline, task)
    found = records(task)
    assert task["done"] == len(found)
    counts = {kind: sum(1 for each in found if each["type"] == kind) for kind in {r["type"] for r in found}}
    assert counts.pop("logEntry") >= 5
    assert counts.pop("auditEntry") >= 5
    assert counts == {
        **dict.fromkeys(("workspace", "integration", "connection", "apiKey", "webhook", "task"), 1),
        **dict.fromkeys(("event", "delivery"), 3),
        "attempt": 4,
    }
    text = json.dumps(found)
    assert "event 2" in text
    for secret in ("header-secret", "connection-secret", "YzY4YjQx", key["key"]):
        assert secret not in text
    assert f'"subject": "{removed["id"]}"' in text
    # The audit log is as the API lists it, with people's IP addresses.
    entries = [record["data"] for record in found if record["type"] == "auditEntry"]
    assert entries == pipeline.api("GET /api/audit?limit=100").json()["items"]
    assert entries[0]["ip"]


def test_export_that_dies_at_any_call_resumes(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_PAGE", 2)
    monkeypatch.setattr(export, "_PART_BYTES", 1)  # a part for each page
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    with receiver([Reply(500, {}, b"no"), Reply(200, {}, b"yes")]) as target:
        fill(pipeline, target.url)
    task = pipeline.api(f"POST {WORKSPACE}/export").json()
    limit, deaths = 1, 0
    while pipeline.api(f"GET /api/tasks/{task['id']}").json()["status"] == "RUNNING":
        try:
            with around_calls(dies_at(limit, after=limit % 2 == 0)):
                work(pipeline)
        except Killed:
            deaths, limit = deaths + 1, limit % 16 + 1
    assert deaths > 12
    found = records(pipeline.api(f"GET /api/tasks/{task['id']}").json())
    ids = [json.dumps(record, sort_keys=True) for record in found if record["type"] != "task"]
    assert len(ids) == len(set(ids))
    assert sum(1 for record in found if record["type"] == "event") == 3


def test_export_reads_each_webhook_once(pipeline: Pipeline) -> None:
    """This includes deleted webhooks, of which there can be many."""
    count = 30
    table = pipeline.backend.template.name("WebhooksTable")
    for number in range(count):
        dynamo.put(table, {"workspaceId": "acme", "sk": f"gone#{WebhookId.new(number + 1)}"})
    task = pipeline.api(f"POST {WORKSPACE}/export").json()
    pipeline.backend.calls.clear()
    work(pipeline)
    assert pipeline.backend.calls.count["dynamodb.Query"] < 2 * count + 20  # for deliveries and the log
    assert pipeline.api(f"GET /api/tasks/{task['id']}").json()["status"] == "SUCCEEDED"


def test_link_is_for_owners_and_a_cancelled_export_ends(pipeline: Pipeline) -> None:
    task = finished(pipeline, pipeline.api(f"POST {WORKSPACE}/export").json())
    assert pipeline.api(f"GET /api/tasks/{task['id']}", role="admin").json()["file"] is None
    assert httpx.URL(task["file"]["url"]).params["X-Amz-Expires"] == "900"
    second = pipeline.api(f"POST {WORKSPACE}/export").json()
    line = f"POST /api/tasks/{second['id']}/cancel"
    assert_problem(pipeline.api(line, role="admin"), 403, "forbidden")
    assert pipeline.api(line).json()["status"] == "CANCELLED"
    work(pipeline)
    assert pipeline.api(f"GET /api/tasks/{second['id']}").json()["done"] == 0
    pipeline.clock.move(objects.KEPT_DAYS * DAY)
    assert pipeline.api(f"GET /api/tasks/{task['id']}").json()["file"] is None
