"""Lists with several sources, on the engine of the local stack, which has its own checks of a cursor."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import Workspace
from tests.receivers import receiver

FINAL = {"maxRetries": 0}


def pages(workspace: Workspace, path: str) -> list[list[dict[str, Any]]]:
    """Return the items of each page. A page has up to four."""
    found, cursor = [], ""
    while True:
        page = workspace(f"GET {path}limit=4{cursor}")
        found.append(page["items"])
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


def test_lists_of_a_workspace_continue_at_their_cursors(workspace: Workspace) -> None:
    with receiver() as healthy, receiver([400] * 6) as broken:
        for inbox in (healthy, broken, broken):
            workspace.webhook(inbox.url, retryConfig=FINAL)
        events = [workspace.publish()["id"] for _ in range(3)]
        for id in events:
            workspace.settled(id)
    for query, expected in (
        ("", 9),
        ("status=DELIVERED&", 3),
        ("status=FAILED&", 6),
        (f"eventId={events[1]}&", 3),
    ):
        listed = [item for page in pages(workspace, f"/api/deliveries?{query}") for item in page]
        assert len({item["id"] for item in listed}) == len(listed) == expected
        assert [item["eventId"] for item in listed] == sorted(
            (item["eventId"] for item in listed), reverse=True
        )

    runs: list[str] = []
    for platform in ("zapier", "make", "n8n", "make", "zapier"):
        line = f"POST /api/automations/{platform}/actions/create_campaign"
        runs.insert(0, workspace(line, json={"input": {"name": "x"}})["id"])
    for query in ("", "status=PENDING&"):
        listed = [item for page in pages(workspace, f"/api/automations/runs?{query}") for item in page]
        assert sorted((item["id"] for item in listed), reverse=True) == [item["id"] for item in listed]
        assert {item["id"] for item in listed} == set(runs)
