"""The n8n package: built and linted by n8n's own tool, loaded and run in n8n-core's own contexts, against the
local stack.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.settings import ROOT
from patchbay import catalogue
from patchbay.catalogue.entries import load_action, resources
from patchbay.webhooks import signing
from tests.apps.the_platform import ThePlatform
from tests.catalogued import POST
from tests.e2e.conftest import Workspace
from tests.receivers import Request, receiver

PACKAGES = ROOT / ".tools/node/n8n/node_modules"
SOURCE = ROOT / "apps/n8n"
HOOKS = "/api/automations/n8n/hooks"
EVENT = {"event": "POST_PUBLISHED"}


def n8n_node(command: str, folder: Path) -> str:
    """What n8n's own tool says of the package."""
    done = subprocess.run(
        ["node", str(PACKAGES / "@n8n/node-cli/bin/n8n-node.mjs"), command],
        cwd=folder,
        env={**os.environ, "CI": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def copied(folder: Path) -> Path:
    """The package in a folder of its own, with the packages that it is built with."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("dist", "node_modules"))
    (folder / "node_modules").symlink_to(PACKAGES)
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied(tmp_path_factory.mktemp("n8n") / "n8n-nodes-patchbay")
    n8n_node("build", folder)
    return folder


class Runner:
    """n8n's core, with the package in it; it is started once and takes a step at a time."""

    def __init__(self, package: Path, log: Path) -> None:
        self._log = log.open("w+")
        self._process = subprocess.Popen(
            ["node", str(ROOT / "tests/apps/n8n/run.cjs"), str(PACKAGES), str(package)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        # What n8n says by itself has no NUL before it.
        for line in self._process.stdout:
            if "\0" in line:
                answer: dict[str, Any] = json.loads(line.partition("\0")[2])
                return answer
        self._log.seek(0)
        raise AssertionError(self._log.read())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()


class N8n:
    """One n8n with one workflow; what its nodes keep stays from one step to the next."""

    def __init__(self, runner: Runner, workspace: Workspace) -> None:
        self.workspace = workspace
        self.kept: dict[str, Any] = {}
        self.credentials = {
            "baseUrl": workspace.stack.url,
            "apiKey": workspace.key("automations:use")["key"],
        }
        self._runner = runner

    def step(self, **step: Any) -> dict[str, Any]:
        wanted = {"credentials": self.credentials, "staticData": self.kept, "step": step}
        done = self._runner.ask(wanted)
        self.kept = done["staticData"]
        return done

    def __call__(self, kind: str, **step: Any) -> Any:
        """The results of one step, which must succeed."""
        done = self.step(kind=kind, **step)
        assert "error" not in done, done["error"]["stack"]
        return done["results"]

    def refused(self, kind: str, **step: Any) -> str:
        done = self.step(kind=kind, **step)
        assert "error" in done, done
        return str(done["error"]["message"])

    def hook(self, method: str, url: str, **parameters: Any) -> Any:
        return self("hook", method=method, webhookUrl=url, parameters={**EVENT, **parameters})

    def receive(self, request: Request, *, headers: Any = None, body: bytes | None = None) -> Any:
        """What the trigger makes of a request that came to the workflow's address."""
        return self(
            "webhook",
            parameters=EVENT,
            headers={**request.headers, **(headers or {})},
            body=base64.b64encode(request.body if body is None else body).decode(),
        )


@pytest.fixture(scope="session")
def runner(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    runner = Runner(built, tmp_path_factory.mktemp("n8n-log") / "stderr")
    yield runner
    runner.close()


@pytest.fixture
def n8n(runner: Runner, workspace: Workspace) -> N8n:
    return N8n(runner, workspace)


# ── the package ──────────────────────────────────────────────────────────────────────────────────────


def test_n8ns_linter_finds_nothing(built: Path) -> None:
    n8n_node("lint", built)


def test_n8ns_linter_is_asked_in_earnest(tmp_path: Path) -> None:
    folder = copied(tmp_path / "n8n-nodes-patchbay")
    file = folder / "nodes/PatchbayTrigger/PatchbayTrigger.node.ts"
    file.write_text(file.read_text().replace("inputs: [],", "inputs: [], usableAsTool: true,"))
    with pytest.raises(AssertionError, match="usableAsTool"):
        n8n_node("lint", folder)


def test_the_package_is_whole(built: Path) -> None:
    package = json.loads((built / "package.json").read_text())
    assert package["keywords"] == ["n8n-community-node-package"]
    assert "dependencies" not in package
    for file in (*package["n8n"]["nodes"], *package["n8n"]["credentials"]):
        assert (built / file).is_file()
    assert list((built / "dist/icons").glob("*.svg"))


def test_n8n_loads_it(n8n: N8n) -> None:
    loaded = n8n("load")
    assert sorted(loaded["nodes"]) == ["patchbay", "patchbayTrigger"]
    assert loaded["credentials"] == ["patchbayApi"]
    assert len(loaded["options"]) == len(resources())


# ── the credentials ──────────────────────────────────────────────────────────────────────────────────


def test_the_credentials_are_tested(n8n: N8n) -> None:
    tested = n8n("credentialTest")
    assert tested == {"status": 200, "body": {"workspaceId": n8n.workspace.name, "label": n8n.workspace.name}}
    n8n.credentials["apiKey"] = n8n.credentials["apiKey"][:-1] + "!"
    assert n8n("credentialTest")["status"] == 401


# ── the trigger ──────────────────────────────────────────────────────────────────────────────────────


def test_a_workflow_is_activated_gets_an_event_once_and_is_deactivated(n8n: N8n) -> None:
    workspace = n8n.workspace
    with receiver() as r:
        assert n8n.hook("checkExists", r.url) is False
        assert n8n.hook("create", r.url) is True
        hook = n8n.kept["hookId"]
        address = f"{r.url}/webhook-1/webhook"
        assert workspace(f"GET {HOOKS}/{hook}")["targetUrl"] == address
        assert n8n.hook("checkExists", r.url) is True

        event = workspace.publish({**POST, "text": "Spring is here 🌷"})
        assert workspace.settled(event["id"]) == {hook: "DELIVERED"}
        time.sleep(1)  # whatever else might come
        (request,) = r.requests
        returned = n8n.receive(request)
        assert returned["answer"] == {}
        ((item,),) = returned["workflowData"]
        assert item["json"] == request.json()
        assert item["json"]["data"]["text"] == "Spring is here 🌷"

        assert n8n.hook("delete", r.url) is True
        assert workspace.ask(f"GET {HOOKS}/{hook}").status_code == 404
        assert n8n.kept == {}
        assert n8n.hook("delete", r.url) is True


def test_what_is_not_signed_by_the_platform_starts_nothing(n8n: N8n, subtests: pytest.Subtests) -> None:
    with receiver() as r:
        n8n.hook("create", r.url)
        n8n.workspace.publish(POST)
        (request,) = r.wait_for(1)
    signature = request.headers["webhook-signature"]
    old = str(int(time.time()) - 301)
    stale = signing.sign([n8n.kept["secret"]], request.headers["webhook-id"], int(old), request.body)
    ahead = str(int(time.time()) + 400)
    early = signing.sign([n8n.kept["secret"]], request.headers["webhook-id"], int(ahead), request.body)
    now = str(int(time.time()))
    other = signing.sign([signing.new_secret()], request.headers["webhook-id"], int(now), request.body)
    later = str(int(request.headers["webhook-timestamp"]) + 1)
    tampered: dict[str, Any] = {
        "another body": {"body": request.body.replace(b"post_1", b"post_2")},
        "no body": {"body": b""},
        "one character of the signature": {"headers": {"webhook-signature": signature[:-5] + "AAAA="}},
        "another version": {"headers": {"webhook-signature": signature.replace("v1,", "v2,")}},
        "no version": {"headers": {"webhook-signature": signature.removeprefix("v1,")}},
        "an empty signature": {"headers": {"webhook-signature": ""}},
        "another id": {"headers": {"webhook-id": "dlv_other"}},
        "another time": {"headers": {"webhook-timestamp": later}},
        "a time that is none": {"headers": {"webhook-timestamp": "now"}},
        "a copy of long ago": {"headers": {"webhook-timestamp": old, "webhook-signature": stale}},
        "a time to come": {"headers": {"webhook-timestamp": ahead, "webhook-signature": early}},
        "another secret": {"headers": {"webhook-timestamp": now, "webhook-signature": other}},
        "no signature": {"headers": {"webhook-signature": None}},
        "no id": {"headers": {"webhook-id": None}},
    }
    for name, change in tampered.items():
        with subtests.test(name):
            returned = n8n.receive(request, **change)
            assert returned["answer"]["status"] == 401
            assert returned["noWebhookResponse"] is True
            assert "workflowData" not in returned
    with subtests.test("one of two, as while a secret is rotated"):
        two = {"webhook-signature": f"v1,{'A' * 43}= {signature}"}
        assert "workflowData" in n8n.receive(request, headers=two)
    with subtests.test("with nothing to check it by"):
        n8n.kept = {}
        assert n8n.receive(request)["answer"]["status"] == 401


def test_a_hook_that_somebody_deleted_is_made_anew(n8n: N8n) -> None:
    url = "http://127.0.0.1:1024"
    n8n.hook("create", url)
    first = n8n.kept["hookId"]
    n8n.workspace(f"DELETE {HOOKS}/{first}")
    assert n8n.hook("checkExists", url) is False
    n8n.hook("create", url)
    assert n8n.kept["hookId"] != first
    assert n8n.hook("checkExists", url) is True


def test_a_workflow_that_listens_to_something_else_now_gets_another_hook(
    n8n: N8n, subtests: pytest.Subtests
) -> None:
    url = "http://127.0.0.1:1024"
    for change in (
        {"event": "POST_FAILED"},
        {"accountId": "acc_1"},
        {"filters": {"filter": [{"path": "network", "op": "in", "value": "instagram, linkedin"}]}},
    ):
        with subtests.test(str(change)):
            n8n.hook("create", url)
            before = n8n.kept["hookId"]
            assert n8n.hook("checkExists", url, **change) is False
            assert n8n.workspace.ask(f"GET {HOOKS}/{before}").status_code == 404
            n8n.hook("create", url, **change)
            assert n8n.hook("checkExists", url, **change) is True
            n8n.hook("delete", url, **change)


def test_filters_are_what_is_filled_in(n8n: N8n) -> None:
    filters = [
        {"path": "network", "op": "equals", "value": "instagram"},
        {"path": "text", "op": "in", "value": "a, b"},
        {"path": "url", "op": "exists", "value": ""},
    ]
    n8n.hook("create", "http://127.0.0.1:1024", accountId="acc_1", campaignId="", filters={"filter": filters})
    assert n8n.workspace(f"GET {HOOKS}/{n8n.kept['hookId']}")["filters"] == [
        {"path": "accountId", "op": "equals", "value": "acc_1"},
        {"path": "network", "op": "equals", "value": "instagram"},
        {"path": "text", "op": "in", "value": ["a", "b"]},
        {"path": "url", "op": "exists", "value": True},
    ]


def test_a_hook_whose_secret_was_lost_is_replaced(n8n: N8n) -> None:
    url = "http://127.0.0.1:1024"
    n8n.hook("create", url)
    first, n8n.kept = n8n.kept, {}
    n8n.hook("create", url)
    assert n8n.kept["hookId"] != first["hookId"]
    assert n8n.kept["secret"] not in (None, first["secret"])
    assert n8n.workspace.ask(f"GET {HOOKS}/{first['hookId']}").status_code == 404


@pytest.mark.parametrize("event", sorted(catalogue.TRIGGERS))
def test_every_event_can_be_listened_to(n8n: N8n, event: str) -> None:
    n8n.hook("create", "http://127.0.0.1:1024", event=event)
    assert n8n.workspace(f"GET {HOOKS}/{n8n.kept['hookId']}")["event"] == event


# ── actions ──────────────────────────────────────────────────────────────────────────────────────────


def parameters(key: str, **more: Any) -> dict[str, Any]:
    """An action as the node's panel gives it."""
    action = load_action(key)
    required: Any = action.input["required"]
    given = action.sample.input
    return {
        "resource": action.noun.lower(),
        "operation": key,
        **{name: given[name] for name in required},
        "additionalFields": {name: value for name, value in given.items() if name not in required},
        "waitSeconds": 0,
        **more,
    }


@pytest.mark.parametrize("key", sorted(catalogue.ACTIONS))
def test_an_action_reaches_the_platform_and_its_answer_the_workflow(
    n8n: N8n, platform: ThePlatform, key: str
) -> None:
    sample = load_action(key).sample
    (run,) = n8n("execute", parameters=parameters(key))
    assert run["status"] == "PENDING"
    asked = platform.asked(run["id"])
    assert (asked["action"], asked["platform"], asked["input"]) == (key, "n8n", sample.input)
    platform.answer(run["id"], output=sample.output)
    (ended,) = n8n("execute", parameters={"resource": "run", "operation": "get_run", "runId": run["id"]})
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", sample.output)


def test_it_waits_for_the_answer(n8n: N8n, platform: ThePlatform) -> None:
    output = load_action("create_campaign").sample.output

    def answer() -> None:
        platform.answer(platform.asked(n8n.workspace.name)["runId"], output=output)

    answering = threading.Thread(target=answer, daemon=True)
    answering.start()
    (run,) = n8n("execute", parameters=parameters("create_campaign", waitSeconds=60))
    answering.join(10)
    assert (run["status"], run["output"]) == ("SUCCEEDED", output)


def test_what_the_platform_could_not_do_stops_the_workflow(n8n: N8n, platform: ThePlatform) -> None:
    def answer() -> None:
        run_id = platform.asked(n8n.workspace.name)["runId"]
        platform.answer(run_id, error="The account is not connected any more.")

    answering = threading.Thread(target=answer, daemon=True)
    answering.start()
    given = parameters("create_post", waitSeconds=60)
    said = n8n.refused("execute", parameters=given)
    answering.join(10)
    assert "The account is not connected any more." in said


def test_it_does_not_wait_for_ever(n8n: N8n) -> None:
    began = time.monotonic()
    (run,) = n8n("execute", parameters=parameters("create_post", waitSeconds=2))
    assert run["status"] == "PENDING"
    assert 2 <= time.monotonic() - began < 20


def test_what_the_platform_refuses_is_said(n8n: N8n) -> None:
    given = parameters("create_post", accountId="")
    assert "input.accountId: is missing" in n8n.refused("execute", parameters=given)
    unknown = {"resource": "run", "operation": "get_run", "runId": "run_032asvoIJtqWn0GGw1sIDt"}
    assert "no such run" in n8n.refused("execute", parameters=unknown)


def test_dropdowns_list_what_the_platform_offers(n8n: N8n, platform: ThePlatform) -> None:
    items = [{"id": f"acc_{n}", "label": f"Account {n}"} for n in range(130)]
    platform.offers(n8n.workspace, "accounts", items)
    found = n8n("options", node="patchbay", method="getAccounts")
    assert found == [{"name": item["label"], "value": item["id"]} for item in items]
    assert n8n("options", node="patchbayTrigger", method="getCampaigns") == []
