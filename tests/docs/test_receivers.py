"""The receivers of the documentation accept what Patchbay sends, and refuse everything else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks

from local.settings import ROOT
from local.testing import RunningStack, eventually
from tests.docs.blocks import Block, of
from tests.docs.receivers import CREATE_TABLE, INBOXES, RECEIVE, RECEIVERS, storing
from tests.docs.session import Session, free_port, listens
from tests.docs.test_examples import SETUP

COMMANDS = {"go": "go", "java": "java", "ruby": "ruby", "php": "php", "js": "node", "python": "python"}
OTHER_SECRET = "whsec_b3RoZXIgc2VjcmV0IG9mIHNvbWVib2R5IGVsc2Uh"
BODY = json.dumps(
    {
        "id": "evt_1",
        "type": "POST_PUBLISHED",
        "timestamp": "2026-03-02T09:30:00.125Z",
        "data": {"text": "Grüße 🎈"},
    },
    ensure_ascii=False,
)


def test_page_has_a_receiver_in_each_language() -> None:
    assert {file.language for file, _ in RECEIVERS} == COMMANDS.keys()
    assert INBOXES.keys() == COMMANDS.keys()


@dataclass
class Receiver:
    url: str
    secret: str

    def signed(self, age: timedelta = timedelta(), secret: str = "", body: str = BODY) -> dict[str, str]:
        """Return the headers of a request that was sent `age` ago."""
        at = datetime.now(UTC) - age
        return {
            "webhook-id": "dlv_1",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": standardwebhooks.Webhook(secret or self.secret).sign("dlv_1", at, body),
        }

    def status(self, headers: dict[str, str], body: str = BODY) -> int:
        content_type = {"content-type": "application/json"}
        return httpx.post(
            self.url, headers=content_type | headers, content=body.encode(), timeout=30
        ).status_code


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("file", "command"), RECEIVERS, ids=[file.language for file, _ in RECEIVERS])
def test_receiver_accepts_only_authentic_requests(
    file: Block,
    command: Block,
    running: RunningStack,
    packages: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    assert file.language == "python" or shutil.which(COMMANDS[file.language]), (
        f"{COMMANDS[file.language]} is missing on this machine: install it to test {file.title}"
    )
    workspace = f"receiver-{file.language}"
    session = Session(tmp_path, running, workspace, packages)
    request.addfinalizer(session.close)
    for block in [*of(SETUP), *takewhile(lambda block: not block.title, RECEIVE), file, command]:
        if not block.skipped:
            session.run(block)
    webhook = json.loads((tmp_path / "webhook.json").read_text())
    receiver = Receiver(webhook["url"], webhook["secret"])

    _check_forgeries(receiver)

    client = httpx.Client(
        base_url=running.url, headers={"authorization": f"Bearer {running.token(workspace)}"}, timeout=30
    )
    rotated = client.post(f"/api/integrations/webhooks/{webhook['id']}/rotate-secret", json={})
    assert rotated.status_code == 200, rotated.text
    published = client.post(
        "/api/events",
        json={
            "type": "POST_PUBLISHED",
            "data": {"postId": "post_8412", "network": "instagram", "text": "Grüße 🎈"},
        },
    )
    assert published.status_code == 202, published.text

    def delivery() -> Any:
        items = client.get(f"/api/integrations/webhooks/{webhook['id']}/deliveries").json()["items"]
        return next((item for item in items if item["status"] != "SENDING"), None)

    delivered = eventually(delivery)
    assert (delivered["status"], delivered["attemptCount"]) == ("DELIVERED", 1), delivered
    log = next(tmp_path.glob(f".background-{command.line}"))
    assert delivered["id"] in log.read_text()  # handled before the answer


# Commands that fail where the database driver is missing, and otherwise make it available.
DRIVERS = {
    "js": "node -e 'require(\"node:sqlite\")'",
    "go": "go mod init receiver && go get modernc.org/sqlite",
    "java": "cp ~/.m2/repository/org/xerial/sqlite-jdbc/*/sqlite-jdbc-*.jar sqlite-jdbc.jar",
    "ruby": "ruby -e 'require \"sqlite3\"'",
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "file", [file for file, _ in RECEIVERS], ids=[file.language for file, _ in RECEIVERS]
)
def test_receiver_stores_each_event_once(
    file: Block, packages: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    inbox, start = INBOXES[file.language]
    if driver := DRIVERS.get(file.language):
        found = subprocess.run(["bash", "-c", driver], cwd=tmp_path, capture_output=True, text=True)
        if found.returncode:
            pytest.skip(f"SQLite is missing on this machine: {driver}")
    port, secret = free_port(), OTHER_SECRET
    (tmp_path / file.title).write_text(storing(file).replace("8788", port))
    (tmp_path / inbox.title).write_text(inbox.code)
    (tmp_path / "node_modules").symlink_to(packages)
    commands = [
        line
        for line in start.code.replace("8788", port).splitlines()
        if not line.startswith(("go mod", "go get"))
    ]
    process = subprocess.Popen(
        ["bash", "-ec", "\n".join(commands)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATCHBAY_SECRET": secret,
            "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "sdks/python/src"),
        },
        start_new_session=True,
    )
    request.addfinalizer(lambda: os.killpg(process.pid, signal.SIGKILL))
    eventually(lambda: process.poll() is not None or listens(int(port)), seconds=120)
    receiver = Receiver(f"http://127.0.0.1:{port}/hook", secret)
    signed = receiver.signed()

    try:
        assert receiver.status(signed) == 500
    except httpx.RemoteProtocolError:  # no answer: Patchbay retries this too
        assert file.language == "python"

    subprocess.run([sys.executable, "-c", CREATE_TABLE.code], cwd=tmp_path, check=True)
    assert [receiver.status(signed) for _ in range(3)] == [204, 204, 204]
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as database:
        [(webhook_id, event, processed_at)] = database.execute("SELECT * FROM inbox").fetchall()
    assert (webhook_id, processed_at) == ("dlv_1", None)
    stored = json.loads(event)
    assert (stored["id"], stored["data"]["text"]) == ("evt_1", "Grüße 🎈")


def _check_forgeries(receiver: Receiver) -> None:
    valid = receiver.signed()
    assert receiver.status(valid) == 204
    signature = valid["webhook-signature"]
    for accepted in (
        f"v1,{'A' * 43}= {signature}",  # as during a rotation
        f"{signature} v1,{'A' * 43}=",
        f"v1a,AAAA {signature} v2,AAAA",
    ):
        assert receiver.status({**valid, "webhook-signature": accepted}) == 204, accepted
    assert receiver.status(receiver.signed(timedelta(minutes=4))) == 204

    refused = {
        "other secret": receiver.signed(secret=OTHER_SECRET),
        "too old": receiver.signed(timedelta(minutes=6)),
        "from the future": receiver.signed(-timedelta(minutes=6)),
        "other id": {**valid, "webhook-id": "dlv_2"},
        "other timestamp": {**valid, "webhook-timestamp": str(int(time.time()) - 7)},
        "no signature": {**valid, "webhook-signature": ""},
        "not base64": {**valid, "webhook-signature": "v1,%%%"},
        "without its version": {**valid, "webhook-signature": signature.removeprefix("v1,")},
        "other version": {**valid, "webhook-signature": signature.replace("v1,", "v2,")},
        "cut off": {**valid, "webhook-signature": signature[:20]},
        "timestamp of letters": {**valid, "webhook-timestamp": "now"},
        "long timestamp": {**valid, "webhook-timestamp": "9" * 40},
        "negative timestamp": {**valid, "webhook-timestamp": f"-{valid['webhook-timestamp']}"},
        **{f"without {name}": {key: value for key, value in valid.items() if key != name} for name in valid},
    }
    for how, headers in refused.items():
        assert receiver.status(headers) == 400, how
    assert receiver.status(valid, BODY.replace("evt_1", "evt_2")) == 400
    assert receiver.status(valid, "") == 400
    assert receiver.status(receiver.signed()) == 204
