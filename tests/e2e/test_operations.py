"""The operators' commands on the stack of `make run`, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from local.settings import ROOT
from local.testing import RunningStack
from tests.catalogued import POST
from tests.e2e.conftest import Workspace, eventually
from tests.receivers import receiver


def run(running: RunningStack, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"tools.operations.{command}"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'layers/patchbay'}{os.pathsep}{Path(ROOT)}",
            "STATE_DIR": str(running.state),
            "STACK": "local",
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_redriven_event_reaches_its_receiver(running: RunningStack, workspace: Workspace) -> None:
    detail = {"workspaceId": workspace.name, "type": "POST_PUBLISHED", "data": POST}
    envelope = {
        "version": "0",
        "id": "redriven",
        "detail-type": "test",
        "source": "test",
        "account": "123456789012",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    }
    with receiver() as inbox:
        workspace.webhook(inbox.url)
        running.client("sqs").send_message(
            QueueUrl=running.queues["EventsDeadLetterQueue"], MessageBody=json.dumps(envelope)
        )
        done = run(running, "redrive", QUEUE="events")
        assert done.returncode == 0, done.stdout
        assert "redrive: moved 1 messages" in done.stdout
        eventually(lambda: inbox.requests)


def test_local_stack_has_the_backups_of_the_template(running: RunningStack) -> None:
    done = run(running, "backup_check")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "backup-check: the stack can be restored"


def test_tables_of_the_local_stack_can_be_restored(running: RunningStack, workspace: Workspace) -> None:
    workspace.webhook("https://receiver.example/")
    done = run(running, "restore_drill", SAMPLES="10")
    assert done.returncode == 0, done.stdout
    report = done.stdout.partition("rows compared")[2].splitlines()[1:13]
    results = {line.split()[1]: (int(line.split()[4]), line.split("  ")[-1].strip()) for line in report}
    assert len(results) == 12
    assert {result for _, result in results.values()} <= {"ok", "ok, no rows"}
    assert results["WebhooksTable"][0] > 0
    tables = running.client("dynamodb").list_tables()["TableNames"]
    assert [name for name in tables if "drill" in name] == []
