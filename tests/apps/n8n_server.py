"""A complete n8n server on loopback, driven through its REST API as its editor does."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import uuid
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import eventually
from tools.node_packages import N8N_SERVER, newer_node

_OWNER = {"email": "owner@example.com", "firstName": "O", "lastName": "N", "password": "Passw0rd1"}
# Keeps n8n from reaching other machines: requests to all other hosts go to a proxy that does not exist.
_NO_PROXY = "http://127.0.0.1:9"
_PROGRAM = (str(newer_node()), str(N8N_SERVER / "node_modules/n8n/bin/n8n"))
_SETTINGS = {
    "N8N_LISTEN_ADDRESS": "127.0.0.1",
    "N8N_HOST": "127.0.0.1",
    "N8N_SECURE_COOKIE": "false",
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_DYNAMIC_BANNERS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_HIRING_BANNER_ENABLED": "false",
    "N8N_VERIFIED_PACKAGES_ENABLED": "false",
    "N8N_LICENSE_AUTO_RENEW_ENABLED": "false",
    "HTTP_PROXY": _NO_PROXY,
    "HTTPS_PROXY": _NO_PROXY,
    "NO_PROXY": "127.0.0.1,localhost",
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class N8nServer:
    """An n8n server that keeps its address and its data across restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._client = httpx.Client(base_url=self.url, trust_env=False, timeout=60)
        self._process: subprocess.Popen[bytes] | None = None

    def install(self, package: Path) -> None:
        """Install the package as the README describes for an n8n without the registry."""
        nodes = self.folder / ".n8n/nodes"
        nodes.mkdir(parents=True)
        command = ["npm", "install", "--offline", "--ignore-scripts", "--legacy-peer-deps", str(package)]
        subprocess.run(command, cwd=nodes, check=True, capture_output=True, timeout=60)

    def start(self) -> None:
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [*_PROGRAM, "start"],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(self._is_ready, 120)

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **_SETTINGS,
            "N8N_USER_FOLDER": str(self.folder),
            "N8N_PORT": str(self.port),
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
        }

    def _is_ready(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "log").read_text()[-5000:]
        try:
            answer = self._client.get("/healthz/readiness")
            return answer.status_code == 200 and self._client.get("/rest/settings").is_success
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def close(self) -> None:
        self.stop()
        self._client.close()

    def set_up(self) -> None:
        """Sign up the owner, who stays signed in."""
        self("POST /rest/owner/setup", _OWNER)

    def __call__(self, line: str, body: Any = None) -> Any:
        """Send a request that must succeed, and return its data."""
        answer = self.ask(line, body)
        assert answer.is_success, f"{line}: {answer.status_code} {answer.text}"
        return answer.json().get("data")

    def ask(self, line: str, body: Any = None) -> httpx.Response:
        method, _, path = line.partition(" ")
        return self._client.request(method, path, json=body)

    # ── operations ───────────────────────────────────────────────────────────────────────────────────

    def credential(self, data: dict[str, str]) -> dict[str, Any]:
        body = {"name": f"Patchbay {uuid.uuid4().hex[:6]}", "type": "patchbayApi", "data": data}
        created: dict[str, Any] = self("POST /rest/credentials", body)
        return created

    def test_credential(self, data: dict[str, str]) -> dict[str, Any]:
        """Run n8n's test of a credential, and return its result."""
        body = {"credentials": {"id": "", "name": "x", "type": "patchbayApi", "data": data}}
        result: dict[str, Any] = self("POST /rest/credentials/test", body)
        return result

    def workflow(self, *nodes: dict[str, Any], **settings: Any) -> dict[str, Any]:
        """Create a workflow in which each node leads to the next one."""
        names = [node["name"] for node in nodes]
        body = {
            "name": f"Workflow {uuid.uuid4().hex[:6]}",
            "nodes": nodes,
            "connections": {
                name: {"main": [[{"node": following, "type": "main", "index": 0}]]}
                for name, following in itertools.pairwise(names)
            },
            "settings": {"executionOrder": "v1"},
            **settings,
        }
        created: dict[str, Any] = self("POST /rest/workflows", body)
        return created

    def publish(self, id: str) -> None:
        """Publish a workflow, and wait until its triggers are active."""
        version = self(f"GET /rest/workflows/{id}")["versionId"]
        self(f"POST /rest/workflows/{id}/activate", {"versionId": version})
        self._wait_for_status(id, "published")

    def unpublish(self, id: str) -> None:
        self(f"POST /rest/workflows/{id}/deactivate", {})
        self._wait_for_status(id, "not_published")

    def _wait_for_status(self, id: str, expected: str) -> None:
        def final_status() -> str | None:
            status: str = self(f"GET /rest/workflows/{id}/publication-status")["status"]
            return None if status == "in_progress" else status

        assert eventually(final_status) == expected

    def copy(self, id: str) -> str:
        """Copy a workflow by n8n's own export and import commands, and return the copy's ID."""
        file = self.folder / "export.json"
        self._command("export:workflow", f"--id={id}", f"--output={file}")
        (exported,) = json.loads(file.read_text())
        copy = {**exported, "id": uuid.uuid4().hex[:16], "name": "A copy", "active": False}
        for copied_node in copy["nodes"]:
            copied_node.update(id=str(uuid.uuid4()), webhookId=str(uuid.uuid4()))
        for name in ("versionId", "activeVersionId", "activeVersion", "shared"):
            copy.pop(name, None)
        file.write_text(json.dumps([copy]))
        self._command("import:workflow", f"--input={file}")
        return str(copy["id"])

    def _command(self, *words: str) -> None:
        completed = subprocess.run(
            [*_PROGRAM, *words], env=self._environment(), capture_output=True, text=True, timeout=120
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr

    def executions(self, id: str) -> list[dict[str, Any]]:
        filter = json.dumps({"workflowId": id})
        found: list[dict[str, Any]] = self(f"GET /rest/executions?filter={filter}")["results"]
        return found


def node(name: str, type: str, parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "name": name,
        "type": type,
        "typeVersion": 1,
        "position": [0, 0],
        "parameters": parameters,
        **fields,
    }
