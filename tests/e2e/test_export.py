"""The export of a workspace on the local stack, with its link."""

from __future__ import annotations

import json
import time

import httpx

from local.testing import RunningStack


def test_link_of_an_export_reads_its_file(running: RunningStack) -> None:
    headers = {"authorization": f"Bearer {running.token('exported')}"}
    with httpx.Client(base_url=running.url, headers=headers, timeout=30) as client:
        task = client.post("/api/workspace/export").json()
        deadline = time.monotonic() + 90  # the schedule runs every minute
        while task["status"] == "RUNNING" and time.monotonic() < deadline:
            running.invoke("RunWorkspaceTasksFunction", {})
            task = client.get(f"/api/tasks/{task['id']}").json()
    answer = httpx.get(task["file"]["url"])
    assert (answer.status_code, len(answer.content)) == (200, task["file"]["bytes"])
    assert json.loads(answer.text.splitlines()[0])["data"]["id"] == "exported"
