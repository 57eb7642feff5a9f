"""Records what a release leaves behind: all rows after the tour, waiting work, messages, and a KMS key.

`tools/operations/record_rows.py` copies this file into the tree of that release and runs it there, so it uses
only what every release has.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from moto.kms.models import kms_backends

from local import settings as local_settings
from patchbay.ids import webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from tests.conftest import Api, Backend
from tests.faults import Clock, cold_start, one_at_a_time
from tests.integration.conftest import Pipeline
from tests.receivers import receiver
from tests.tour import KEYS, WEBHOOKS, Driver, tour

# A retry after 30 s waits in the queue, and one after an hour in the table.
WAITS = {"queued": 30, "parked": 3600}
SCOPES = ["events:publish", "events:read", "webhooks:read", "webhooks:write", "api-keys:read"]


@pytest.mark.parameters(MaxVisibilityWaitSeconds=1000)
def test_record(backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = one_at_a_time(monkeypatch)
    driver = Driver(backend, api)
    tour(driver)
    for queue in backend.template.of_type("AWS::SQS::Queue"):
        backend.client("sqs").purge_queue(QueueUrl=backend.queue_url(queue.logical_id))
    key = driver.api(f"POST {KEYS}", 201, json={"name": "Kept", "scopes": SCOPES})
    cold_start()
    pipeline = Pipeline(backend, api, Clock(monkeypatch), aws)
    webhooks: dict[str, Any] = {}
    with receiver([500]) as failing:
        for name, seconds in WAITS.items():
            waiting: dict[str, Any] = {
                "retryConfig": {"initialDelaySeconds": seconds, "backoffMultiplier": 1}
            }
            webhooks[name] = pipeline.webhook(f"{failing.url}/{name}", **waiting)
        pipeline.publish()
        pipeline.poll()
        url = failing.url
    webhooks["paused"] = pipeline.webhook(f"{url}/paused")
    pipeline.set_status(webhooks["paused"], "PAUSED")
    webhooks["pull"] = pipeline.api(
        f"POST {WEBHOOKS}", json={"kind": "pull", "name": "Kept feed", "eventTypes": ["POST_PUBLISHED"]}
    ).json()
    for name in ("queued", "parked"):  # so that the second event waits too, and is not held
        health_store.mark_fast(webhook_key("acme", webhooks[name]["id"]), Health(), pipeline.clock.now)
    pipeline.publish()
    pipeline.api(
        "POST /api/events", json={"type": "CAMPAIGN_STARTED", "data": {"campaignId": "c", "name": "n"}}
    )
    document = {
        "recordedAt": pipeline.clock.now,
        "receiver": url,
        "key": key,
        "webhooks": webhooks,
        "kms": kms(),
        "queues": {
            queue.logical_id: messages(backend, queue.logical_id)
            for queue in backend.template.of_type("AWS::SQS::Queue")
        },
        "tables": {
            table.logical_id: items(backend, table.logical_id)
            for table in backend.template.of_type("AWS::DynamoDB::Table")
        },
    }
    cold_start()
    Path(os.environ["RECORD_ROWS"]).write_text(json.dumps(document, sort_keys=True))


def kms() -> dict[str, str]:
    """Return moto's key that wraps all data keys."""
    keys = kms_backends[local_settings.ACCOUNT][local_settings.REGION].keys
    id = os.environ["KMS_KEY_ID"]
    found = keys[id.rpartition("/")[2]]
    return {"id": found.id, "material": base64.b64encode(found.key_material).decode()}


def items(backend: Backend, table: str) -> list[Any]:
    """Return the rows in DynamoDB's wire format."""
    pages = backend.client("dynamodb").get_paginator("scan").paginate(TableName=backend.template.name(table))
    return [encoded(item) for page in pages for item in page["Items"]]


def encoded(value: Any) -> Any:
    """Return the value with bytes in base64, so that it can be JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: encoded(each) for name, each in value.items()}
    return [encoded(each) for each in value] if isinstance(value, list) else value


def messages(backend: Backend, queue: str) -> list[str]:
    """Return the bodies of all messages, including those that wait."""
    from moto.sqs.models import sqs_backends

    name = backend.queue_url(queue).rpartition("/")[2]
    found = sqs_backends[local_settings.ACCOUNT][local_settings.REGION].queues[name]
    return [message.body for message in found._messages]
