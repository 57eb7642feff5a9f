"""A workspace with resources of every kind, created through the API."""

from __future__ import annotations

from tests.console.views import PLATFORM
from tests.e2e.conftest import Workspace, eventually
from tests.receivers import Answer, receiver

MENTION = {
    "mentionId": "men_90311",
    "network": "x",
    "accountId": "acc_118",
    "accountName": "hilldalebakery",
    "authorName": "Ines Duarte",
    "authorHandle": "@inesbakes",
    "authorFollowers": 2140,
    "text": "Best rhubarb tart in town",
    "url": "https://x.com/inesbakes/status/1896148231",
    "sentiment": "positive",
    "mentionedAt": "2026-03-02T10:12:41.000Z",
}


def fill(workspace: Workspace) -> None:
    """Create webhooks that succeed and fail, events with deliveries, a flow that has run, API keys,
    integrations with accounts, a publication that waits for a review, and connect links.
    """
    refused = Answer(422, {"content-type": "application/json"}, b'{"error": "unknown post"}')
    no_retries = {"retryConfig": {"maxRetries": 0}}
    with receiver([200]) as good, receiver([refused]) as bad:
        orders = workspace.webhook(good.url, name="Orders")
        workspace.webhook(bad.url, name="Audit trail", **no_retries)
        for number in range(5):
            workspace.settled(workspace.publish({"postId": f"post_{number}"})["id"])
        run_flow(workspace, orders["id"])
    mail = {"name": "Mail", "type": "CUSTOM", "provider": "acme-mail"}
    id = workspace("POST /api/integrations", json=mail)["id"]
    for name in ("juniper", "rye-lab"):
        account = {"connectionId": name, "credentials": {"apiKey": f"key-of-{name}"}}
        workspace(f"POST /api/integrations/{id}/connections", json=account)
    for number in range(3):
        link = {"integrations": [id], "workspaceName": "Juniper & Rye", "requestedBy": f"Maren {number}"}
        workspace("POST /api/connect/sessions", json=link)
    change_publication(workspace)
    workspace.key("events:read", name="Reader")
    workspace.key("events:publish", "events:read", name="Publisher")


def publish_integration(workspace: Workspace, **settings: object) -> str:
    """Publish an integration, which then waits for a review. Returns its ID."""
    config = {"clientId": "publishers-client", "clientSecret": "publishers-secret"}
    body = {"name": "Doorbell", "type": "CRM", "provider": "hubspot", "isPublic": True, "config": config}
    return str(workspace("POST /api/integrations", json={**body, **settings})["id"])


def decide(workspace: Workspace, id: str, decision: str, **settings: object) -> None:
    """Decide on the workspace's publication, as the platform."""
    platform = Workspace(workspace.stack, PLATFORM)
    path = f"/api/publications/{workspace.name}/{id}"
    body = {"decision": decision, "version": platform(f"GET {path}")["version"], **settings}
    platform(f"PUT {path}/decision", json=body)


def change_publication(workspace: Workspace) -> str:
    """Publish an integration, approve it, and change it. The change waits for a review. Returns the ID."""
    id = publish_integration(
        workspace, description="Every message becomes a card.", scopes=["oauth", "crm.lists.read"]
    )
    decide(workspace, id, "APPROVE", publisherName="Harvest Labs", verified=True)
    change = {"description": "Every message becomes a card on a board.", "scopes": ["oauth", "tickets"]}
    workspace(f"PUT /api/integrations/{id}", json=change)
    return id


def run_flow(workspace: Workspace, webhook_id: str) -> str:
    """Create a flow with steps of several types, and run it. Returns its ID."""
    steps = [
        {
            "id": "is_x",
            "name": "From X?",
            "type": "branch",
            "condition": [{"path": "event.data.network", "op": "equals", "value": "x"}],
            "then": [{"id": "pause", "type": "wait", "seconds": 1}],
            "else": [{"id": "later", "type": "wait", "seconds": 600}],
        },
        {"id": "tell", "type": "webhook", "webhookId": webhook_id, "data": {"text": "{{event.data.text}}"}},
        {
            "id": "is_negative",
            "type": "filter",
            "filters": [{"path": "event.data.sentiment", "op": "equals", "value": "negative"}],
        },
        {
            "id": "answer",
            "type": "action",
            "action": "create_post",
            "input": {"accountId": "acc_1", "text": "{{event.data.authorName}}"},
        },
    ]
    trigger = {"type": "event", "eventTypes": ["MENTION_RECEIVED"]}
    flow = workspace("POST /api/flows", json={"name": "Mentions", "trigger": trigger, "steps": steps})
    workspace("POST /api/events", json={"type": "MENTION_RECEIVED", "data": MENTION})
    eventually(lambda: workspace(f"GET /api/flows/{flow['id']}/runs?status=STOPPED")["items"])
    return str(flow["id"])
