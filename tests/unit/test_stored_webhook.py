"""A webhook's row as a StoredWebhook, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from patchbay.ids import IntegrationId, RunId, WebhookId
from patchbay.storage import dynamo
from patchbay.webhooks.stored_webhook import StoredWebhook

WEBHOOK: dynamo.Row = {
    "workspaceId": "acme",
    "sk": WebhookId.new(1),
    "source": "api",
    "secrets": [{"sealed": "v1.b"}, {"sealed": "v1.a", "endsAt": 5}],
    "status": "ACTIVE",
    "createdBy": "user:ada",
    "createdAt": 1,
    "updatedAt": 2,
    "version": 3,
    "name": "w",
    "url": "https://example.com/",
    "eventTypes": ["POST_PUBLISHED"],
    "filters": [{"path": "a", "op": "exists", "value": True}],
    "retryConfig": {"maxRetries": 3, "backoffMultiplier": 2, "initialDelaySeconds": 30},
    "disableAfter": 10,
    "headerNames": [],
    "filterBytes": 44,
}
FULL = WEBHOOK | {
    "integrationId": IntegrationId.new(1),
    "headers": "v1.h",
    "headerNames": ["X-Key"],
    "rateLimitPerSecond": 5,
    "statusReason": "endpoint_gone",
    "disabledAt": 6,
    "resumedAt": 7,
}
HOOK = WEBHOOK | {"source": "n8n", "hookKey": "5f", "subscribedAt": 4}
CALLBACK: dynamo.Row = {
    "workspaceId": "acme",
    "sk": RunId.new(1),
    "source": "callback",
    "url": "https://example.com/",
    "body": "{}",
    "secrets": [],
    "retryConfig": {"maxRetries": 3},
    "status": "ACTIVE",
    "ttl": 9,
}


def stored(webhook: StoredWebhook) -> Any:
    """The row as DynamoDB returns it."""
    return dynamo.unpack_row(dynamo.pack_row(webhook.to_row()))


@pytest.mark.parametrize(
    "row",
    [WEBHOOK, FULL, HOOK, CALLBACK, WEBHOOK | {"later": "x"}],
    ids=["webhook", "full", "hook", "callback", "newer release"],
)
def test_row_is_unchanged_by_from_row_and_to_row(row: dynamo.Row) -> None:
    assert stored(StoredWebhook.from_row(row)) == row


def test_changed_webhook_keeps_attributes_of_a_newer_release() -> None:
    row = FULL | {"later": "x"}
    changed = replace(StoredWebhook.from_row(row), disabled_at=None, status_reason=None, name="new")
    expected = {name: value for name, value in row.items() if name not in ("disabledAt", "statusReason")}
    assert stored(changed) == expected | {"name": "new"}


def test_ids_have_their_types() -> None:
    assert isinstance(StoredWebhook.from_row(FULL).id, WebhookId)
    assert isinstance(StoredWebhook.from_row(FULL).integration_id, IntegrationId)
    assert isinstance(StoredWebhook.from_row(CALLBACK).id, RunId)


def test_live_secrets_exclude_those_that_have_ended() -> None:
    webhook = StoredWebhook.from_row(WEBHOOK)
    assert [secret["sealed"] for secret in webhook.live_secrets(4)] == ["v1.b", "v1.a"]
    assert [secret["sealed"] for secret in webhook.live_secrets(5)] == ["v1.b"]


def test_repr_has_no_ciphertexts() -> None:
    assert "v1." not in repr(StoredWebhook.from_row(FULL))
