"""The n8n package in a complete n8n server, installed as the README describes, against the local stack."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from patchbay.catalogue.entries import load_action
from tests.apps.n8n_server import N8nServer, node
from tests.apps.test_n8n import HOOKS, faulty_proxy, in_background
from tests.apps.the_platform import ThePlatform
from tests.catalogued import POST
from tests.e2e.conftest import WEBHOOKS, Workspace, eventually
from tests.receivers import Answer, receiver
from tools.node_packages import N8N_SERVER, unmet_n8n_requirement

pytestmark = pytest.mark.skipif(
    not (N8N_SERVER / ".complete").exists(),
    reason=f"n8n is not installed: {unmet_n8n_requirement() or 'run make test-apps'}",
)
TRIGGER, ACTION = "n8n-nodes-patchbay.patchbayTrigger", "n8n-nodes-patchbay.patchbay"


@pytest.fixture(scope="module")
def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[N8nServer]:
    pack = ["npm", "pack", "--ignore-scripts"]
    subprocess.run(pack, cwd=built, check=True, capture_output=True, timeout=60)
    (package,) = built.glob("*.tgz")
    server = N8nServer(tmp_path_factory.mktemp("n8n-server"))
    try:
        server.install(package)
        server.start()
        server.set_up()
        yield server
    finally:
        server.close()


class N8nWorkspace:
    """An n8n server with a credential for a workspace."""

    def __init__(self, server: N8nServer, workspace: Workspace) -> None:
        self.server, self.workspace = server, workspace
        self.credentials = {"baseUrl": workspace.stack.url, "apiKey": workspace.key("automations:use")["key"]}

    def node(self, name: str, type: str, parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
        created = self.server.credential(self.credentials)
        credential = {"patchbayApi": {"id": created["id"], "name": created["name"]}}
        return node(name, type, parameters, credentials=credential, **fields)

    def create_trigger_workflow(self, **parameters: Any) -> str:
        """Create a workflow that starts with the trigger, and return its ID."""
        given = {"event": "POST_PUBLISHED", **parameters}
        trigger = self.node("Patchbay Trigger", TRIGGER, given, webhookId=str(uuid.uuid4()))
        return str(self.server.workflow(trigger)["id"])

    def hooks(self) -> dict[str, dict[str, Any]]:
        return {hook["id"]: hook for hook in self.workspace(f"GET {HOOKS}")["items"]}


@pytest.fixture
def n8n(server: N8nServer, workspace: Workspace) -> N8nWorkspace:
    return N8nWorkspace(server, workspace)


def test_node_types_have_the_names_of_the_registry(server: N8nServer) -> None:
    types = server.ask("GET /types/nodes.json").json()
    found = {one["name"] for one in types if "patchbay" in one["name"].lower()}
    assert found >= {TRIGGER, ACTION}


def test_credential_test_accepts_only_a_platform(n8n: N8nWorkspace, subtests: pytest.Subtests) -> None:
    right = n8n.credentials
    website = Answer(200, {"content-type": "text/html"}, b"<html>Welcome</html>")
    another = Answer(200, {"content-type": "application/json"}, b'{"ok": true}')
    with receiver([website]) as a, receiver([another]) as b:
        for case, given, status in (
            ("right", right, "OK"),
            ("with a slash", {**right, "baseUrl": right["baseUrl"] + "/"}, "OK"),
            ("another key", {**right, "apiKey": right["apiKey"][:-1] + "!"}, "Error"),
            ("a website", {**right, "baseUrl": a.url}, "Error"),
            ("another API", {**right, "baseUrl": b.url}, "Error"),
        ):
            with subtests.test(case):
                result = n8n.server.test_credential(given)
                assert result["status"] == status, result


def test_event_starts_a_workflow_even_after_a_restart(n8n: N8nWorkspace) -> None:
    server, workspace = n8n.server, n8n.workspace
    id = n8n.create_trigger_workflow()
    server.publish(id)
    ((hook, shown),) = n8n.hooks().items()
    assert shown["status"] == "ACTIVE"
    event = workspace.publish({**POST, "text": "Spring is here 🌷"})
    assert workspace.settled(event["id"]) == {hook: "DELIVERED"}
    (execution,) = eventually(lambda: server.executions(id))
    shown = server(f"GET /rest/executions/{execution['id']}")
    assert "Spring is here 🌷" in shown["data"]

    answer = httpx.post(n8n.hooks()[hook]["url"], json={"forged": True}, trust_env=False)
    assert answer.status_code == 401

    server.stop()
    server.start()
    event = workspace.publish(POST)
    assert workspace.settled(event["id"]) == {hook: "DELIVERED"}
    eventually(lambda: len(server.executions(id)) == 2)
    server.unpublish(id)
    assert n8n.hooks() == {}


def test_disabled_hook_is_reactivated_when_its_workflow_is_published_again(n8n: N8nWorkspace) -> None:
    server, workspace = n8n.server, n8n.workspace
    id = n8n.create_trigger_workflow()
    server.publish(id)
    (hook,) = n8n.hooks()
    server.stop()
    workspace(f"PUT {WEBHOOKS}/{hook}", json={"disableAfter": 1, "retryConfig": {"maxRetries": 0}})
    event = workspace.publish(POST)
    assert workspace.settled(event["id"]) == {hook: "FAILED"}
    eventually(lambda: n8n.hooks()[hook]["status"] == "DISABLED")

    server.start()
    server.unpublish(id)
    server.publish(id)
    assert {key: shown["status"] for key, shown in n8n.hooks().items()} == {hook: "ACTIVE"}
    # The platform's next recovery run sends the missed events.
    eventually(lambda: server.executions(id), 180)
    eventually(lambda: workspace.statuses(event["id"]) == {hook: "DELIVERED"})
    server.unpublish(id)


def test_copied_workflow_gets_its_own_hook(n8n: N8nWorkspace) -> None:
    server, workspace = n8n.server, n8n.workspace
    original = n8n.create_trigger_workflow()
    server.publish(original)
    (first,) = n8n.hooks()
    copy = server.copy(original)
    # The copy has the original's static data: the hook and its secret.
    assert first in json.dumps(server(f"GET /rest/workflows/{copy}")["staticData"])
    server.publish(copy)
    hooks = n8n.hooks()
    assert len(hooks) == 2
    assert first in hooks
    event = workspace.publish(POST)
    assert workspace.settled(event["id"]) == dict.fromkeys(hooks, "DELIVERED")
    for id in (original, copy):
        eventually(partial(server.executions, id))
    server.unpublish(copy)
    assert list(n8n.hooks()) == [first]
    server.unpublish(original)


def test_retry_on_fail_creates_one_post(n8n: N8nWorkspace, platform: ThePlatform) -> None:
    """The first try times out, the response to its request is lost, and polls fail."""
    server, workspace = n8n.server, n8n.workspace
    path, sample = uuid.uuid4().hex, load_action("schedule_post").sample
    parameters = {
        "resource": "post",
        "operation": "schedule_post",
        "accountId": "acc_1",
        "text": "={{ $json.body.text }}",
        "scheduledFor": "2026-10-28T00:00:00",
        "waitSeconds": 1,
    }
    start = node(
        "Webhook",
        "n8n-nodes-base.webhook",
        {"httpMethod": "POST", "path": path, "responseMode": "lastNode"},
        webhookId=str(uuid.uuid4()),
        typeVersion=2,
    )
    faults = [
        ("POST /api/automations/n8n/actions/", None),
        ("GET /api/automations/n8n/runs/", Answer(502, {"content-type": "text/html"}, b"<html>")),
        ("GET /api/automations/n8n/runs/", Answer(429, {"retry-after": "1"})),
    ]
    with faulty_proxy(n8n, *faults):
        act = n8n.node("Post", ACTION, parameters, retryOnFail=True, maxTries=3, waitBetweenTries=2000)
        settings = {"executionOrder": "v1", "timezone": "Asia/Tokyo"}
        id = server.workflow(start, act, settings=settings)["id"]
        server.publish(id)
        started = time.monotonic()

        def answer() -> None:
            request = platform.request_with(workspace.name)
            time.sleep(max(0, started + 2.5 - time.monotonic()))  # the first try has ended by then
            platform.answer(request["runId"], output=sample.output)

        with in_background(answer):
            response = httpx.post(
                f"{server.url}/webhook/{path}", json={"text": "Hi"}, trust_env=False, timeout=60
            )
    (run,) = workspace("GET /api/automations/n8n/runs")["items"]
    assert response.json() == {
        **sample.output,
        "runId": run["id"],
        "runAction": "schedule_post",
        "runStatus": "SUCCEEDED",
    }
    assert run["input"]["scheduledFor"] == "2026-10-27T15:00:00.000Z"
    server.unpublish(id)
