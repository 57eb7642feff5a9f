"""The tasks: a replay's progress and result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.console.accessibility import assert_accessible
from tests.console.console import Console
from tests.e2e.conftest import WEBHOOKS
from tests.receivers import Answer, receiver


def test_replay_is_seen_to_its_end(console: Console) -> None:
    with receiver([Answer(422, {}, b"no"), Answer(200, {}, b"")]) as hook:
        webhook = console.workspace.webhook(hook.url, name="Orders", retryConfig={"maxRetries": 0})
        console.workspace.settled(console.workspace.publish()["id"])
        since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        task = console.workspace(f"POST {WEBHOOKS}/{webhook['id']}/replay", json={"since": since})
        console.workspace.stack.invoke("SweepDeliveriesFunction", {"source": "aws.scheduler"})
        page = console.open("/tasks")
        row = page.get_by_role("row").filter(has_text="for Orders")
        expect(row).to_contain_text("Done", timeout=60_000)
        expect(row).to_contain_text("1 of 1")
    row.get_by_role("link").click()
    drawer = page.get_by_role("dialog", name="Replay of deliveries")
    expect(drawer).to_contain_text(task["id"])
    assert page.url.endswith(f"task={task['id']}")
    assert_accessible(page)
    drawer.get_by_role("link", name="Orders").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Orders")
