"""`make load` as a user runs it, on the local stack. Run by `make test-load`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from local.settings import ROOT
from local.testing import RunningStack, stack


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with stack(tmp_path_factory.mktemp("load")) as found:
        yield found


class _Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """Yields the URL of a receiver that is not part of the load test."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()


def load(running: RunningStack, report: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the load test to its end."""
    with starting(running, report, **settings) as process:
        output, errors = process.communicate(timeout=90)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def starting(running: RunningStack, report: Path, **settings: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "STATE_DIR": str(running.state), "REPORT": str(report)}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        env={**environment, "MINUTES": "0.1", "RATE": "5", "USERS": "4", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def api(running: RunningStack, workspace: str) -> httpx.Client:
    return httpx.Client(
        base_url=running.url, headers={"authorization": f"Bearer {running.token(workspace)}"}, timeout=30
    )


def test_times_every_delivery_and_removes_what_it_made(running: RunningStack, tmp_path: Path) -> None:
    done = load(running, tmp_path, WORKSPACE="measured")

    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["published"] >= 10
    assert result["arrived"] == result["expected"] == 2 * result["published"]
    assert 0 < result["delivery"]["p50"] <= result["delivery"]["p99"]
    names = {route["name"] for route in result["routes"]}
    assert "POST /api/events" in names
    assert any(name.startswith("GET ") for name in names)
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert "Locust" in (tmp_path / "requests.html").read_text()
    with api(running, "measured") as client:
        assert client.get("/api/integrations/webhooks").json()["items"] == []
        keys = client.get("/api/integrations/api-keys").json()["items"]
        assert {key["status"] for key in keys} == {"REVOKED"}


def test_reads_times_from_the_api_for_a_receiver_elsewhere(
    running: RunningStack, tmp_path: Path, receiver: str
) -> None:
    done = load(running, tmp_path, WORKSPACE="elsewhere", RECEIVER=receiver, MINUTES="0.15")

    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["expected"] is None
    assert result["arrived"] > 0
    assert 0 < result["delivery"]["p50"] < 5000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_test_removes_what_it_made(
    running: RunningStack, tmp_path: Path, number: signal.Signals
) -> None:
    workspace = f"interrupted-{number.name.lower()}"
    with starting(running, tmp_path, WORKSPACE=workspace, MINUTES="5") as process:
        assert process.stdout is not None
        while "published" not in (line := process.stdout.readline()):
            assert line, "it ended too early"
        if number is signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        output, errors = process.communicate(timeout=60)

    assert "Traceback" not in errors
    assert process.returncode == (0 if number is signal.SIGINT else 143), output + errors
    assert ("report: " in output) == (number is signal.SIGINT)
    with api(running, workspace) as client:
        assert client.get("/api/integrations/webhooks").json()["items"] == []


def test_does_not_send_events_to_webhooks_of_others(running: RunningStack, tmp_path: Path) -> None:
    with api(running, "shared") as client:
        body = {"name": "Production", "url": "http://127.0.0.1:8788/hook", "eventTypes": ["POST_PUBLISHED"]}
        client.post("/api/integrations/webhooks", json=body).raise_for_status()

    done = load(running, tmp_path, WORKSPACE="shared")

    assert done.returncode == 2
    assert "would also go to other webhooks of the workspace shared: Production" in done.stderr
    with api(running, "shared") as client:
        assert client.get("/api/events").json()["items"] == []
