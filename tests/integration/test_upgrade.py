"""A stack with the last release's data: today's code reads its rows and messages, and goes on with its work.

`tests/upgrade/rows.json.gz` has what `make record-rows` recorded at that release. A reader that needs an
attribute that its rows lack fails here.
"""

from __future__ import annotations

import base64
import copy
import gzip
import importlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.kms.models import kms_backends
from standardwebhooks import Webhook as StandardWebhook

from local import gateway
from local import settings as local_settings
from local.settings import ROOT
from patchbay.settings import settings
from tests.conftest import LAMBDA_CONTEXT
from tests.integration.conftest import WEBHOOKS, Pipeline
from tests.receivers import receiver

ROWS = ROOT / "tests/upgrade/rows.json.gz"
KEYS = "/api/integrations/api-keys"
INTEGRATIONS = "/api/integrations"
RECEIVER = "http://receiver.invalid"
SCHEDULED = (
    *("sweep_deliveries", "roll_up_stats", "refresh_connections", "sweep_runs", "expire_keys"),
    *("sweep_windows", "run_workspace_tasks"),
)


def load(pipeline: Pipeline, url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put the recorded rows, messages and key into today's tables, and set the clock to their time. The
    receiver's address becomes `url`.
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
            dynamodb.put_item(TableName=pipeline.backend.template.name(table), Item=decoded(row))
    for queue, bodies in document["queues"].items():
        for body in bodies:
            sqs.send_message(QueueUrl=pipeline.backend.queue_url(queue), MessageBody=body)
    return document


def decoded(attributes: dict[str, Any]) -> dict[str, Any]:
    """A row with bytes where the recording has base64."""
    return {
        name: {"B": base64.b64decode(value["B"])} if "B" in value else value
        for name, value in attributes.items()
    }


def read_everything(pipeline: Pipeline) -> list[str]:
    """Send every GET request that lists lead to. Returns the requests, of which none may fail."""
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
    """The event that waits for its fan-out, the retry in the queue and the one in the table, and what is held
    while its webhook is paused; signed with the secrets from then.
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


def test_scheduled_runs_accept_old_rows(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them raises: a row that it cannot read would end its run with IncompleteRun."""
    load(pipeline, RECEIVER, monkeypatch)
    pipeline.clock.move(86_400)
    for name in SCHEDULED:
        importlib.import_module(f"workers.{name}").handler({}, LAMBDA_CONTEXT)


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
