"""`patchbay listen`: nothing is lost while the stack, the command or the receiver restarts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.settings import ROOT
from local.testing import RunningStack, stack
from tests.e2e.conftest import WEBHOOKS, Workspace, eventually, verify
from tests.receivers import Receiver, receiver


class Listener:
    """A process of `patchbay listen`, with its own configuration."""

    def __init__(self, workspace: Workspace, url: str, folder: Path, options: tuple[str, ...]) -> None:
        self.log = folder / "listen.log"
        self.secret_file = folder / "credentials.json"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "sdks" / "python" / "src"),
            "PATCHBAY_URL": workspace.stack.url,
            "PATCHBAY_API_KEY": workspace.token,
            "PATCHBAY_CONFIG": str(self.secret_file),
        }
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "patchbay_sdk", "listen", url, *options],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def secret(self) -> str:
        return str(json.loads(self.secret_file.read_text())["listen_secret"])

    def printed(self, text: str, seconds: float = 60) -> None:
        """Wait until the command has printed the text."""

        def has_text() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return text in self.log.read_text()

        eventually(has_text, seconds)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def listening(workspace: Workspace, url: str, folder: Path, *options: str) -> Iterator[Listener]:
    """Run the command until it forwards events."""
    before = (
        (folder / "listen.log").read_text().count("Forwarding") if (folder / "listen.log").exists() else 0
    )
    listener = Listener(workspace, url, folder, options)
    try:
        eventually(lambda: listener.log.read_text().count("Forwarding") > before or listener.process.poll())
        yield listener
    finally:
        listener.process.kill()
        listener.process.wait()


def publish(workspace: Workspace, numbers: range) -> None:
    for n in numbers:
        workspace.publish({"n": n})
        time.sleep(0.02)


def numbers(inbox: Receiver) -> list[int]:
    """Return the numbers of the received events, in the order in which they first arrived."""
    return list(dict.fromkeys(request.json()["data"]["n"] for request in inbox.requests))


def has_all(inbox: Receiver, count: int) -> None:
    """Wait until the events with the numbers below `count` have arrived."""
    eventually(lambda: set(numbers(inbox)) == set(range(count)), 90)


def feed(workspace: Workspace) -> str:
    """Return the path of the listener's feed."""
    [webhook] = workspace(f"GET {WEBHOOKS}")["items"]
    return f"{WEBHOOKS}/{webhook['id']}/feed"


def test_listen_loses_nothing_while_the_stack_restarts(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with receiver() as inbox, stack(state) as first:
        port = int(first.url.rpartition(":")[2])
        workspace = Workspace(first)
        with listening(workspace, inbox.url, tmp_path) as listener:
            publish(workspace, range(5))
            inbox.wait_for(3)
            publish(workspace, range(5, 15))  # queued when the stack stops
            assert first.stop() == 0
            listener.printed("Patchbay cannot be reached; retrying.")
            with stack(state, port=port) as second:
                workspace = Workspace(second, workspace.name)
                publish(workspace, range(15, 20))
                has_all(inbox, 20)
                stored = workspace(f"GET {feed(workspace)}?limit=100")["items"]
                assert list(dict.fromkeys(inbox.ids)) == list(dict.fromkeys(item["id"] for item in stored))
                assert listener.stop() == 0
                assert workspace(f"GET {WEBHOOKS}")["items"] == [], "its webhook is deleted"
            for request in inbox.requests:
                verify(request, listener.secret)


def test_listen_goes_on_after_a_kill_and_waits_for_the_receiver(
    running: RunningStack, tmp_path: Path
) -> None:
    workspace = Workspace(running)
    with receiver() as inbox:
        url, port = inbox.url, int(inbox.url.rpartition(":")[2].partition("/")[0])
        with listening(workspace, url, tmp_path) as listener:
            publish(workspace, range(3))
            has_all(inbox, 3)
            consumers = f"GET {feed(workspace)}/consumers"
            eventually(lambda: [one["lag"] for one in workspace(consumers)["items"]] == [0])
            listener.stop(signal.SIGKILL)
        publish(workspace, range(3, 6))  # no one listens
        with listening(workspace, url, tmp_path) as listener:
            listener.printed("Continuing where the last run stopped.")
            has_all(inbox, 6)
            secret = listener.secret
            received = [request.json()["data"]["n"] for request in inbox.requests]
            assert sorted(received[:3]) == [0, 1, 2], "what was committed before the kill does not come again"
            assert not set(received[3:]) & {0, 1, 2}
            assert listener.stop() == 0

    with listening(workspace, url, tmp_path) as listener:
        publish(workspace, range(3))
        listener.printed(f"Nothing listens at {url}.")
        with receiver([500, 200], port=port) as inbox:
            has_all(inbox, 3)
            for request in inbox.requests:
                verify(request, secret)
        assert listener.stop() == 0
