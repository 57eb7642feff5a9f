"""An upgrade: the current code reads the rows and messages of the last release, and continues its work.

`tests/upgrade/rows.json.gz` has what `make record-rows` recorded at that release. A reader that needs an
attribute that its rows lack fails here.

The same rows also stand for a later release, to test a rollback to the current code: each row has an
attribute that the current code does not know, and some tables have rows of unknown kinds. The code must read
all of them, and a change to a row must keep its unknown attributes.
"""

from __future__ import annotations

import base64
import copy
import gzip
import importlib
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from moto.kms.models import kms_backends
from standardwebhooks import Webhook as StandardWebhook

from local import gateway
from local import settings as local_settings
from local.settings import ROOT
from patchbay.settings import settings
from patchbay.storage import due_index
from patchbay.tasks.store import WORKSPACE_SHARD
from tests.conftest import LAMBDA_CONTEXT
from tests.integration.conftest import WEBHOOKS, Pipeline
from tests.receivers import receiver

ROWS = ROOT / "tests/upgrade/rows.json.gz"
KEYS = "/api/integrations/api-keys"
INTEGRATIONS = "/api/integrations"
serializer = TypeSerializer()
RECEIVER = "http://receiver.invalid"
# What a later release might add: an attribute in every row, and rows that are due.
UNKNOWN = {"ofLaterRelease": {"S": "kept"}}
LATER_ROWS = {
    "TasksTable": [
        {"workspaceId": "acme", "id": f"tsk_0355GDhJulEGDFoi3vCI{shard:02}", "type": "later.task"}
        | {"status": "RUNNING", "createdBy": "user:someone", "createdAt": 1, "updatedAt": 1, "version": 1}
        | {"dueShard": shard, "dueAt": 1}
        for shard in (*due_index.SHARDS, WORKSPACE_SHARD)
    ],
    "EventsTable": [
        {"workspaceId": "later#acme", "id": f"row_{shard}", "dueShard": shard, "dueAt": 1}
        for shard in due_index.SHARDS
    ],
}
# The code replaces these rows as a whole, so a rollback loses what a later release has added to them:
# deliveries at each transition, connections at each token refresh, and the marks of active hours.
WRITTEN_AS_A_WHOLE = ("DeliveriesTable", "ConnectionsTable", "EventsTable active#")
SCHEDULED = (
    *("sweep_deliveries", "roll_up_stats", "refresh_connections", "sweep_runs", "expire_keys"),
    *("sweep_windows", "run_workspace_tasks"),
)


@pytest.fixture(autouse=True)
def _years_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Move the machine's clock three years ahead, because the recording gets older: no test here may depend
    on its age. The library's clock stays at the time of the recording.
    """
    later = 3 * 365 * 86_400
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + later)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + later * 1_000_000_000)


def load(pipeline: Pipeline, url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Load the recorded rows, messages and KMS key into the current stack, and set the clock to the time of
    the recording. `url` replaces the receiver's address. Returns the recording.
    """
    text = gzip.decompress(ROWS.read_bytes()).decode()
    document: dict[str, Any] = json.loads(text)
    document = json.loads(text.replace(document["receiver"], url))
    pipeline.clock.now = document["recordedAt"] + 1000
    keys = kms_backends[local_settings.ACCOUNT][local_settings.REGION].keys
    key = copy.copy(next(iter(keys.values())))
    key.id = document["kms"]["id"]
    key.arn = key.arn.rpartition("/")[0] + f"/{key.id}"
    key.key_material = base64.b64decode(document["kms"]["material"])
    keys[key.id] = key
    monkeypatch.setenv("KMS_KEY_ID", key.arn)
    settings.cache_clear()
    dynamodb, sqs = pipeline.backend.client("dynamodb"), pipeline.backend.client("sqs")
    for table, rows in document["tables"].items():
        for row in rows:
            dynamodb.put_item(TableName=pipeline.backend.template.name(table), Item=decoded(row) | UNKNOWN)
    for table, later in LATER_ROWS.items():
        for item in later:
            serialized = {name: serializer.serialize(value) for name, value in item.items()}
            dynamodb.put_item(TableName=pipeline.backend.template.name(table), Item=serialized)
    for queue, bodies in document["queues"].items():
        for body in bodies:
            sqs.send_message(QueueUrl=pipeline.backend.queue_url(queue), MessageBody=body)
    return document


def check_kept(pipeline: Pipeline, document: dict[str, Any]) -> None:
    """Fail if a changed row lost the attribute that the current code does not know, or if a row of an unknown
    kind changed.
    """
    lost = set()
    schemas = {
        table.logical_id: [key["AttributeName"] for key in table.properties["KeySchema"]]
        for table in pipeline.backend.template.of_type("AWS::DynamoDB::Table")
    }
    for table, recorded in document["tables"].items():
        keys = schemas[table]
        now = {tuple(str(row[key]) for key in keys): row for row in pipeline.backend.rows(table)}
        for row in recorded:
            key = tuple(str(next(iter(row[name].values()))) for name in keys)
            if key in now and "ofLaterRelease" not in now[key]:
                lost.add(f"{table} {' '.join(key)}")
    assert [row for row in sorted(lost) if not row.startswith(WRITTEN_AS_A_WHOLE)] == []
    for table, later in LATER_ROWS.items():
        rows = pipeline.backend.rows(table)
        assert [item for item in later if item not in rows] == [], table


def decoded(attributes: dict[str, Any]) -> dict[str, Any]:
    """A row, with the base64 of the recording decoded to bytes."""
    return {
        name: {"B": base64.b64decode(value["B"])} if "B" in value else value
        for name, value in attributes.items()
    }


def read_everything(pipeline: Pipeline) -> list[str]:
    """Send the GET requests without path variables and for listed items. Returns them; none may fail."""
    api = pipeline.backend.template
    paths = sorted({route.path for route in gateway.read(api).routes if route.method == "GET" and route.path})
    plain = [path for path in paths if "{" not in path and path.startswith("/api/")]
    sent: list[str] = []

    def read(line: str) -> Any:
        answer = pipeline.api(line)
        sent.append(line)
        assert answer.status < 500, f"{line}: {answer.text}"
        return answer.json() if answer.status == 200 and answer.text.startswith(("{", "[")) else {}

    for path in plain:
        document = read(f"GET {path}")
        items = document.get("items", []) if isinstance(document, dict) else []
        for item in items:
            below = [each for each in paths if each.startswith(f"{path}/{{") and "id" in item]
            for each in below:
                filled = each.replace(each[len(path) + 1 :].partition("/")[0], str(item["id"]), 1)
                if "{" not in filled:
                    read(f"GET {filled}")
    return sent


def test_old_rows_can_be_read(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    load(pipeline, RECEIVER, monkeypatch)
    sent = read_everything(pipeline)
    for list_of in (WEBHOOKS, KEYS, INTEGRATIONS, "/api/events", "/api/tasks", "/api/automations/runs"):
        assert any(line.startswith(f"GET {list_of}") for line in sent), list_of
    assert len(sent) > 60
    listed = pipeline.api(f"GET {WEBHOOKS}").json()["items"]
    for webhook in listed:
        for delivery in pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}/deliveries").json()["items"]:
            answer = pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}/deliveries/{delivery['id']}")
            assert answer.status == 200, answer.text


def test_old_work_goes_on(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current code fans out a waiting event, and sends a retry from the queue, one from the table, and
    what was held for a paused webhook. It signs them with the recorded secrets.
    """
    with receiver() as r:
        document = load(pipeline, r.url, monkeypatch)
        webhooks = document["webhooks"]
        pipeline.events.run(60)
        assert "CAMPAIGN_STARTED" in {event["type"] for event in pipeline.backend.events()}
        pipeline.set_status(webhooks["paused"], "ACTIVE")
        for seconds in (1, 31, 31, 3600, 3600, 3600):
            pipeline.clock.move(seconds)
            pipeline.sweep()
            while pipeline.poll():
                pass
        assert r.requests, "nothing arrived"
        for name in ("queued", "parked", "paused"):
            webhook = webhooks[name]
            deliveries = pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}/deliveries").json()["items"]
            assert deliveries, name
            assert {delivery["status"] for delivery in deliveries} == {"DELIVERED"}, (name, deliveries)
            for request in [each for each in r.requests if each.path.endswith(f"/{name}")]:
                sent_at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
                signed = StandardWebhook(webhook["secret"]).sign(
                    request.headers["webhook-id"], sent_at, request.body.decode()
                )
                assert request.headers["webhook-signature"] == signed
    check_kept(pipeline, document)


def test_scheduled_runs_accept_old_rows(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """No run raises an error: a row that a run cannot read would end it with IncompleteRun."""
    document = load(pipeline, RECEIVER, monkeypatch)
    pipeline.clock.move(86_400)
    for name in SCHEDULED:
        importlib.import_module(f"workers.{name}").handler({}, LAMBDA_CONTEXT)
    check_kept(pipeline, document)


def test_old_api_key_and_webhook_can_be_used_and_changed(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = load(pipeline, RECEIVER, monkeypatch)
    key, webhook = document["key"], document["webhooks"]["queued"]
    used = pipeline._api("GET /api/me", token=key["key"])
    assert (used.status, used.json()["workspaceId"]) == (200, "acme")
    published = pipeline._api("POST /api/events", token=key["key"], json={"type": "NOPE", "data": {}})
    assert published.status < 500
    path = f"{WEBHOOKS}/{webhook['id']}"
    assert pipeline.api(f"GET {path}").json()["name"] == webhook["name"]
    assert pipeline.api(f"GET {path}/secret").status in (200, 404)
    for line, body in (
        (f"PUT {path}", {"name": "changed"}),
        (f"POST {path}/rotate-secret", None),
        (f"PUT {KEYS}/{key['id']}", {"name": "changed"}),
        (f"POST {KEYS}/{key['id']}/rotate", None),
        (f"DELETE {path}", None),
        (f"DELETE {KEYS}/{key['id']}", None),
    ):
        answer = pipeline.api(line, json=body)
        assert answer.status in (200, 201), f"{line}: {answer.text}"
    check_kept(pipeline, document)
