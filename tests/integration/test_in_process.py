"""The services, called in process through the layer, as the platform's own functions call them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from patchbay.api_keys import service as api_keys
from patchbay.api_keys.models import CreateApiKey, VerifyApiKey
from patchbay.auth.principal import in_process
from patchbay.errors import Forbidden, ValidationFailed
from patchbay.events import service as events
from patchbay.events.models import PublishEvent
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.models import CreateWebhook, RetryConfig, UpdateWebhook
from tests.catalogued import POST
from tests.conftest import Backend

ACME = in_process("acme", "posts:read")


def test_publish_queues_the_event(backend: Backend) -> None:
    published = events.publish(ACME, PublishEvent(type="POST_PUBLISHED", data={**POST, "id": 1}))
    (message,) = backend.messages("EventsQueue")
    sent = json.loads(message["body"])
    assert (sent["id"], sent["workspace_id"], sent["data"]) == (published.id, "acme", {**POST, "id": 1})


def test_only_the_platform_publishes_for_another_workspace(backend: Backend) -> None:
    event = PublishEvent(type="POST_PUBLISHED", data=POST, workspace_id="other")
    with pytest.raises(Forbidden):
        events.publish(ACME, event)
    events.publish(in_process("platform"), event)
    (message,) = backend.messages("EventsQueue")
    assert json.loads(message["body"])["workspace_id"] == "other"


def test_webhook_is_created_and_updated(backend: Backend) -> None:
    created = webhooks.create(
        ACME,
        CreateWebhook(
            name="Hook",
            url="https://receiver.example/",
            event_types=["*"],
            retry_config=RetryConfig(schedule="standard"),
        ),
    )
    assert created.secret.startswith("whsec_")
    updated = webhooks.update(ACME, created.id, UpdateWebhook(name="Renamed"))
    assert (updated.name, updated.url, updated.version) == ("Renamed", created.url, 2)
    assert updated.retry_config == RetryConfig(schedule="standard")
    with pytest.raises(ValidationFailed):
        webhooks.create(ACME, CreateWebhook(name="x", url="https://10.0.0.1/", event_types=["*"]))


def test_api_key_is_verified_and_revoked(backend: Backend) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    created = api_keys.create(ACME, CreateApiKey(name="Key", scopes=["posts:read"], expires_at=soon))
    platform, request = in_process("platform"), VerifyApiKey(key=created.key, scopes=["posts:read"], cost=3)
    verified = api_keys.verify(platform, request)
    assert (verified.code, verified.workspace_id, verified.scopes) == ("VALID", "acme", ["posts:read"])
    assert api_keys.get(ACME, created.id).usage.total == 3
    api_keys.revoke(ACME, created.id)
    assert api_keys.verify(platform, request).code == "REVOKED"
