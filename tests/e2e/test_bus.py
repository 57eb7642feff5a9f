"""Events on the EventBridge bus of the local stack: a valid one reaches its receiver, an invalid one is
stored.
"""

from __future__ import annotations

import json
from typing import Any

from local.testing import RunningStack
from tests.catalogued import POST
from tests.e2e.conftest import Workspace, eventually, template_of, verify
from tests.receivers import receiver


def put(running: RunningStack, *details: dict[str, Any]) -> None:
    (bus,) = template_of(running).of_type("AWS::Events::EventBus")
    entries = [
        {
            "EventBusName": bus.properties["Name"],
            "Source": "social.platform",
            "DetailType": "Post published",
            "Detail": json.dumps(detail),
        }
        for detail in details
    ]
    answer = running.client("events").put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 0, answer


def test_bus_event_reaches_its_receiver(running: RunningStack, workspace: Workspace) -> None:
    good = {"workspaceId": workspace.name, "type": "POST_PUBLISHED", "data": {**POST, "title": "Grüße 🎈"}}
    with receiver() as r:
        webhook = workspace.webhook(r.url)
        keyed = {**good, "idempotencyKey": "mine"}
        put(running, keyed, keyed, {**good, "type": "NOPE"})

        def both() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = workspace("GET /api/events")["items"]
            return items if len(items) == 2 else []

        events = {item["status"]: item for item in eventually(both)}
        event = events["ACCEPTED"]
        assert workspace.settled(event["id"]) == {webhook["id"]: "DELIVERED"}
    (request,) = r.requests
    verify(request, webhook["secret"])
    assert json.loads(request.body) == {
        "id": event["id"],
        "type": "POST_PUBLISHED",
        "timestamp": event["timestamp"],
        "data": good["data"],
    }
    assert event["source"] == "bus"
    rejected = workspace(f"GET /api/events/{events['REJECTED']['id']}")
    assert (rejected["type"], rejected["source"]) == ("NOPE", "bus")
    assert rejected["statusReason"].startswith("type: is not an event type")
    assert rejected["deliveries"] == []
