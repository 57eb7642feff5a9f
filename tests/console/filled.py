"""A workspace with some of everything, made through the API."""

from __future__ import annotations

from tests.e2e.conftest import Workspace
from tests.receivers import Answer, receiver


def fill(workspace: Workspace) -> None:
    """Create webhooks that succeed and fail, events with deliveries, API keys and integrations."""
    refused = Answer(422, {"content-type": "application/json"}, b'{"error": "unknown post"}')
    no_retries = {"retryConfig": {"maxRetries": 0}}
    with receiver([200]) as good, receiver([refused]) as bad:
        workspace.webhook(good.url, name="Orders")
        workspace.webhook(bad.url, name="Audit trail", **no_retries)
        for number in range(5):
            workspace.settled(workspace.publish({"postId": f"post_{number}"})["id"])
    workspace("POST /api/integrations", json={"name": "Mail", "type": "CUSTOM", "provider": "acme-mail"})
    workspace.key("events:read", name="Reader")
    workspace.key("events:publish", "events:read", name="Publisher")
