"""A flow on the local stack: from the event to the platform's answer, a wait, and the receiver."""

from __future__ import annotations

import uuid
from typing import Any

from local.testing import RunningStack
from tests.e2e.conftest import WEBHOOKS, Workspace, eventually
from tests.receivers import Request, receiver

TRIGGER = {
    "type": "event",
    "eventTypes": ["POST_PUBLISHED"],
    "filters": [{"path": "network", "op": "equals", "value": "x"}],
}


def test_flow_runs_from_the_event_to_the_receiver(running: RunningStack, workspace: Workspace) -> None:
    platform = Workspace(running, "platform")
    name = f"campaign of {uuid.uuid4().hex}"

    def carry_out(request: Request) -> int:
        """Answer this test's action request as the platform. Other tests may send their own."""
        data = request.json()["data"]
        if data["input"].get("name") == name:
            output = {"campaignId": "cmp_1", "name": name}
            platform(f"PUT /api/actions/runs/{data['runId']}", json={"status": "SUCCEEDED", "output": output})
        return 200

    with receiver() as team, receiver([carry_out]) as actions:
        handler = platform.webhook(actions.url, eventTypes=["ACTION_REQUESTED"])
        webhook = workspace.webhook(team.url, eventTypes=["POST_FAILED"])
        ask = {"id": "ask", "type": "action", "action": "create_campaign", "input": {"name": name}}
        tell = {
            "id": "tell",
            "type": "webhook",
            "webhookId": webhook["id"],
            "data": {"campaign": "{{steps.ask.output.campaignId}}", "post": "{{event.data.postId}}"},
        }
        branch = {
            "id": "which",
            "type": "branch",
            "condition": [{"path": "steps.ask.output.name", "op": "equals", "value": name}],
            "then": [{"id": "pause", "type": "wait", "seconds": 1}, tell],
        }
        body = {"name": "campaigns", "trigger": TRIGGER, "steps": [ask, branch]}
        flow = workspace("POST /api/flows", json=body)
        workspace.publish({"network": "y"})
        event = workspace.publish({"network": "x", "postId": "p1"})

        def ended() -> Any:
            runs = workspace(f"GET /api/flows/{flow['id']}/runs")["items"]
            return runs if [run["status"] for run in runs] == ["SUCCEEDED"] else None

        (run,) = eventually(ended)
        assert run["eventId"] == event["id"]
        (sent,) = eventually(lambda: team.requests)
        assert sent.json()["type"] == "FLOW_SENT"
        assert sent.json()["data"] == {"campaign": "cmp_1", "post": "p1"}
        shown = workspace(f"GET /api/flows/{flow['id']}/runs/{run['id']}")
        assert [step["id"] for step in shown["steps"]] == ["ask", "which", "pause", "tell"]
        assert {step["status"] for step in shown["steps"]} == {"SUCCEEDED"}
        platform(f"DELETE {WEBHOOKS}/{handler['id']}")
