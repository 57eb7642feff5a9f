"""The n8n package: built and linted by n8n's own tool, loaded and run in the contexts of n8n-core, against
the local stack.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import ANY

import httpx
import pytest

from local.settings import ROOT
from patchbay import catalogue
from patchbay.catalogue.entries import load_action, resources
from patchbay.webhooks import signing
from tests.apps.n8n_package import PACKAGES, copy_package, n8n_tool
from tests.apps.the_platform import ThePlatform
from tests.catalogued import POST
from tests.e2e.conftest import WEBHOOKS, Workspace, eventually
from tests.receivers import Answer, Request, receiver
from tools.apps.fields import fields_of
from tools.apps.n8n import noun_of

HOOKS = "/api/automations/n8n/hooks"
EVENT = {"event": "POST_PUBLISHED"}


class Runner:
    """A process that runs the package in n8n's core, one step at a time."""

    def __init__(self, package: Path, log: Path) -> None:
        self._log = log.open("w+")
        self._process = subprocess.Popen(
            ["node", str(ROOT / "tests/apps/n8n/run.cjs"), str(PACKAGES), str(package)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def run(self, step: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(step) + "\n")
        self._process.stdin.flush()
        # Lines that n8n itself prints contain no NUL.
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


class HasCredentials(Protocol):
    credentials: dict[str, str]


class N8n:
    """An n8n instance with one workflow. The nodes' static data persists between steps."""

    def __init__(self, runner: Runner, workspace: Workspace) -> None:
        self.workspace = workspace
        self.static_data: dict[str, Any] = {}
        self.credentials = {
            "baseUrl": workspace.stack.url,
            "apiKey": workspace.key("automations:use")["key"],
        }
        self._runner = runner

    def step(self, **step: Any) -> dict[str, Any]:
        completed = self._runner.run(
            {"credentials": self.credentials, "staticData": self.static_data, "step": step}
        )
        self.static_data = completed["staticData"]
        return completed

    def __call__(self, kind: str, **step: Any) -> Any:
        """Run a step that must succeed, and return its results."""
        completed = self.step(kind=kind, **step)
        assert "error" not in completed, completed["error"]["stack"]
        return completed["results"]

    def error(self, kind: str, **step: Any) -> str:
        """Run a step that must fail, and return its error message."""
        completed = self.step(kind=kind, **{"items": [{}], "executionId": uuid.uuid4().hex, **step})
        assert "error" in completed, completed
        return str(completed["error"]["message"])

    def hook(self, method: str, url: str, **parameters: Any) -> Any:
        return self("hook", method=method, webhookUrl=url, parameters={**EVENT, **parameters})

    def run(self, *, items: Any = ({},), **step: Any) -> list[dict[str, Any]]:
        """Run the action node, in a new execution unless `executionId` names one, and return its output."""
        output: list[dict[str, Any]] = self(
            "execute", **{"items": items, "executionId": uuid.uuid4().hex, **step}
        )
        return output

    def act(self, key: str, **settings: Any) -> dict[str, Any]:
        """Run an action with its sample input for one item, and return the item's output."""
        (item,) = self.run(parameters=parameters(key, **settings))
        output: dict[str, Any] = item["json"]
        return output

    def receive(self, request: Request, *, headers: Any = None, body: bytes | None = None) -> Any:
        """Pass a request to the trigger, and return the result."""
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


def test_linter_has_no_findings(built: Path) -> None:
    n8n_tool("lint", built)


def test_linter_finds_a_fault(tmp_path: Path) -> None:
    folder = copy_package(tmp_path / "n8n-nodes-patchbay")
    file = folder / "nodes/PatchbayTrigger/PatchbayTrigger.node.ts"
    file.write_text(file.read_text().replace("inputs: [],", "inputs: [], usableAsTool: true,"))
    with pytest.raises(AssertionError, match="usableAsTool"):
        n8n_tool("lint", folder)


def test_package_is_complete(built: Path) -> None:
    package = json.loads((built / "package.json").read_text())
    assert package["keywords"] == ["n8n-community-node-package"]
    assert "dependencies" not in package
    for file in (*package["n8n"]["nodes"], *package["n8n"]["credentials"]):
        assert (built / file).is_file()
    assert list((built / "dist/icons").glob("*.svg"))


def test_n8n_loads_the_package(n8n: N8n) -> None:
    loaded = n8n("load")
    assert sorted(loaded["nodes"]) == ["patchbay", "patchbayTrigger"]
    assert loaded["credentials"] == ["patchbayApi"]
    assert len(loaded["options"]) == len(resources())


# ── the trigger ──────────────────────────────────────────────────────────────────────────────────────


def test_workflow_receives_an_event_once_between_activation_and_deactivation(n8n: N8n) -> None:
    workspace = n8n.workspace
    with receiver() as r:
        assert n8n.hook("checkExists", r.url) is False
        assert n8n.hook("create", r.url) is True
        hook = n8n.static_data["hookId"]
        address = f"{r.url}/webhook-1/webhook"
        assert workspace(f"GET {HOOKS}/{hook}")["url"] == address
        assert n8n.hook("checkExists", r.url) is True

        event = workspace.publish({**POST, "text": "Spring is here 🌷"})
        assert workspace.settled(event["id"]) == {hook: "DELIVERED"}
        time.sleep(1)  # gives a duplicate time to arrive
        (request,) = r.requests
        returned = n8n.receive(request)
        assert returned["answer"] == {}
        ((item,),) = returned["workflowData"]
        assert item["json"] == request.json()
        assert item["json"]["data"]["text"] == "Spring is here 🌷"

        assert n8n.hook("delete", r.url) is True
        assert workspace.ask(f"GET {HOOKS}/{hook}").status_code == 404
        assert n8n.static_data == {}
        assert n8n.hook("delete", r.url) is True


def test_request_without_a_valid_signature_is_rejected(n8n: N8n, subtests: pytest.Subtests) -> None:
    with receiver() as r:
        n8n.hook("create", r.url)
        n8n.workspace.publish(POST)
        (request,) = r.wait_for(1)
    signature = request.headers["webhook-signature"]
    old = str(int(time.time()) - 301)
    stale = signing.sign([n8n.static_data["secret"]], request.headers["webhook-id"], int(old), request.body)
    ahead = str(int(time.time()) + 400)
    early = signing.sign([n8n.static_data["secret"]], request.headers["webhook-id"], int(ahead), request.body)
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
        "an invalid time": {"headers": {"webhook-timestamp": "now"}},
        "an old copy": {"headers": {"webhook-timestamp": old, "webhook-signature": stale}},
        "a future time": {"headers": {"webhook-timestamp": ahead, "webhook-signature": early}},
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
    with subtests.test("two signatures, as during a rotation"):
        two = {"webhook-signature": f"v1,{'A' * 43}= {signature}"}
        assert "workflowData" in n8n.receive(request, headers=two)
    with subtests.test("without a stored secret"):
        n8n.static_data = {}
        assert n8n.receive(request)["answer"]["status"] == 401


def test_deleted_hook_is_subscribed_again(n8n: N8n) -> None:
    url = "http://127.0.0.1:1024"
    n8n.hook("create", url)
    n8n.workspace(f"DELETE {HOOKS}/{n8n.static_data['hookId']}")
    assert n8n.hook("checkExists", url) is False
    n8n.hook("create", url)
    assert n8n.hook("checkExists", url) is True


def test_changed_parameters_replace_the_hook(n8n: N8n, subtests: pytest.Subtests) -> None:
    url = "http://127.0.0.1:1024"
    for change in (
        {"event": "POST_FAILED"},
        {"filters": {"network": "instagram"}},
        {"advancedFilters": {"filter": [{"path": "network", "op": "in", "value": "instagram, linkedin"}]}},
    ):
        with subtests.test(str(change)):
            n8n.hook("create", url)
            before = n8n.static_data["hookId"]
            assert n8n.hook("checkExists", url, **change) is False
            assert n8n.workspace.ask(f"GET {HOOKS}/{before}").status_code == 404
            n8n.hook("create", url, **change)
            assert n8n.hook("checkExists", url, **change) is True
            n8n.hook("delete", url, **change)


FILTERS: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {
    "fields that are filled in": (
        "POST_PUBLISHED",
        {"filters": {"accountId": "acc_1", "campaignId": ""}},
        [{"path": "accountId", "op": "equals", "value": "acc_1"}],
    ),
    "true or false": (
        "POST_FAILED",
        {"filters": {"willRetry": False}},
        [{"path": "willRetry", "op": "equals", "value": False}],
    ),
    "a field of a previously chosen event": ("ALERT_TRIGGERED", {"filters": {"campaignId": "c"}}, []),
    "a number": (
        "ALERT_TRIGGERED",
        {
            "filters": {"value": 0},
            "advancedFilters": [{"path": "threshold", "op": "equals", "value": " 2.5"}],
        },
        [
            {"path": "value", "op": "equals", "value": 0},
            {"path": "threshold", "op": "equals", "value": 2.5},
        ],
    ),
    "one of some numbers": (
        "API_KEY_EXPIRING",
        {"advancedFilters": [{"path": "daysLeft", "op": "in", "value": "1, 7,"}]},
        [{"path": "daysLeft", "op": "in", "value": [1, 7]}],
    ),
    "true as text": (
        "POST_FAILED",
        {"advancedFilters": [{"path": "willRetry", "op": "equals", "value": "True"}]},
        [{"path": "willRetry", "op": "equals", "value": True}],
    ),
    "texts stay texts": (
        "POST_PUBLISHED",
        {"advancedFilters": [{"path": "text", "op": "in", "value": "1, true"}]},
        [{"path": "text", "op": "in", "value": ["1", "true"]}],
    ),
    "with data. before it": (
        "POST_PUBLISHED",
        {"advancedFilters": [{"path": "data.network", "op": "equals", "value": "instagram"}]},
        [{"path": "network", "op": "equals", "value": "instagram"}],
    ),
    "a place in a list": (
        "POST_PUBLISHED",
        {"advancedFilters": [{"path": "mediaUrls.0", "op": "exists", "value": ""}]},
        [{"path": "mediaUrls.0", "op": "exists", "value": True}],
    ),
    "a missing value": (
        "POST_PUBLISHED",
        {"advancedFilters": [{"path": "campaignId", "op": "missing", "value": ""}]},
        [{"path": "campaignId", "op": "exists", "value": False}],
    ),
}


def rows(given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters, with the advanced filters in n8n's format."""
    return {**given, "advancedFilters": {"filter": given.get("advancedFilters", [])}}


@pytest.mark.parametrize("case", FILTERS)
def test_filter_values_have_the_types_of_the_event(n8n: N8n, case: str) -> None:
    event, given, filters = FILTERS[case]
    url = "http://127.0.0.1:1024"
    n8n.hook("create", url, event=event, **rows(given))
    found = n8n.workspace(f"GET {HOOKS}/{n8n.static_data['hookId']}")["filters"]
    assert json.dumps(found) == json.dumps(filters)
    assert n8n.hook("checkExists", url, event=event, **rows(given)) is True


@pytest.mark.parametrize(
    ("event", "row", "problem"),
    [
        ("POST_PUBLISHED", {"path": "netwrok"}, 'no field "netwrok". Its fields: postId, network'),
        ("POST_PUBLISHED", {"path": "id"}, 'no field "id"'),
        ("ALERT_TRIGGERED", {"path": "value", "value": "high"}, '"value" must be a number, not "high"'),
        ("POST_FAILED", {"path": "willRetry", "value": "1"}, '"willRetry" must be true or false'),
        ("POST_PUBLISHED", {"path": "mediaUrls", "value": "x"}, "is a list; name a value in it"),
        ("POST_PUBLISHED", {"path": "network", "op": "in", "value": " , "}, "at least one value"),
    ],
)
def test_filter_that_cannot_match_is_rejected(
    n8n: N8n, event: str, row: dict[str, Any], problem: str
) -> None:
    given = {"event": event, **rows({"advancedFilters": [{"op": "equals", "value": "x", **row}]})}
    message = n8n.error("hook", method="create", webhookUrl="http://127.0.0.1:1024", parameters=given)
    assert problem in message
    assert n8n.workspace(f"GET {HOOKS}")["items"] == []


def test_copied_workflow_does_not_change_the_original_hook(n8n: N8n) -> None:
    original, copy = "http://127.0.0.1:1024", "http://127.0.0.1:1025"
    n8n.hook("create", original)
    first = dict(n8n.static_data)
    assert n8n.hook("checkExists", copy) is False
    assert n8n.static_data == {}
    n8n.hook("create", copy)
    assert n8n.static_data["hookId"] != first["hookId"]
    assert n8n.static_data["secret"] != first["secret"]
    n8n.static_data = dict(first)
    n8n.hook("delete", copy)  # a copy that was never published
    n8n.static_data = dict(first)
    assert n8n.hook("checkExists", original) is True


@pytest.mark.parametrize("is_unpublished", [False, True], ids=["published again", "unpublished before"])
def test_disabled_hook_is_reactivated_and_recovers_its_events(n8n: N8n, is_unpublished: bool) -> None:
    workspace = n8n.workspace
    since = datetime.now(UTC).isoformat()
    with receiver([500, 200]) as r:
        n8n.hook("create", r.url)
        hook = n8n.static_data["hookId"]
        workspace(f"PUT {WEBHOOKS}/{hook}", json={"disableAfter": 1, "retryConfig": {"maxRetries": 0}})
        event = workspace.publish(POST)
        assert workspace.settled(event["id"]) == {hook: "FAILED"}
        eventually(lambda: workspace(f"GET {HOOKS}/{hook}")["status"] == "DISABLED")
        if is_unpublished:
            n8n.hook("delete", r.url)

        assert n8n.hook("checkExists", r.url) is False
        n8n.hook("create", r.url)
        assert n8n.static_data["hookId"] == hook
        assert n8n.hook("checkExists", r.url) is True
        again = workspace.ask(f"POST {WEBHOOKS}/{hook}/recover", json={"since": since})
        is_running = "A recovery of this webhook is still running" in again.text
        assert is_running or workspace.statuses(event["id"]) == {hook: "DELIVERED"}
        event = workspace.publish(POST)
        assert workspace.settled(event["id"]) == {hook: "DELIVERED"}
        request = next(one for one in r.requests if event["id"] in one.body.decode())
    assert "workflowData" in n8n.receive(request)


def test_lost_secret_is_replaced(n8n: N8n) -> None:
    with receiver() as r:
        n8n.hook("create", r.url)
        first, n8n.static_data = n8n.static_data, {}
        n8n.hook("create", r.url)
        assert n8n.static_data["secret"] not in (None, first["secret"])
        n8n.workspace.publish(POST)
        (request,) = r.wait_for(1)
    assert "workflowData" in n8n.receive(request)


@pytest.mark.parametrize("event", sorted(catalogue.TRIGGERS))
def test_every_event_type_can_be_subscribed(n8n: N8n, event: str) -> None:
    n8n.hook("create", "http://127.0.0.1:1024", event=event)
    assert n8n.workspace(f"GET {HOOKS}/{n8n.static_data['hookId']}")["eventType"] == event


# ── actions ──────────────────────────────────────────────────────────────────────────────────────────


def parameters(key: str, **settings: Any) -> dict[str, Any]:
    """Return the node's parameters for an action with its sample input."""
    action = load_action(key)
    required: Any = action.input["required"]
    given = action.sample.input
    return {
        "resource": action.noun.lower(),
        "operation": key,
        **{name: given[name] for name in required},
        "additionalFields": {name: value for name, value in given.items() if name not in required},
        "waitSeconds": 0,
        **settings,
    }


@pytest.mark.parametrize("key", sorted(catalogue.ACTIONS))
def test_action_reaches_the_platform_and_its_result_the_workflow(
    n8n: N8n, platform: ThePlatform, key: str
) -> None:
    sample = load_action(key).sample
    run = n8n.act(key)
    assert run == {"runId": run["runId"], "runAction": key, "runStatus": "PENDING"}
    asked = platform.request_with(run["runId"])
    assert (asked["action"], asked["platform"], asked["input"]) == (key, "n8n", sample.input)
    platform.answer(run["runId"], output=sample.output)
    get = {"resource": "run", "operation": "get_run", "runId": run["runId"]}
    (ended,) = n8n.run(parameters=get)
    assert ended["json"] == {**sample.output, **run, "runStatus": "SUCCEEDED"}
    (whole,) = n8n.run(parameters={**get, "simplify": False})
    assert (whole["json"]["status"], whole["json"]["output"]) == ("SUCCEEDED", sample.output)


def test_action_waits_for_the_result(n8n: N8n, platform: ThePlatform) -> None:
    output = load_action("create_campaign").sample.output
    with answering(n8n, platform, output=output):
        run = n8n.act("create_campaign", waitSeconds=60)
    assert run == {**output, "runId": ANY, "runAction": "create_campaign", "runStatus": "SUCCEEDED"}


@contextmanager
def answering(n8n: N8n, platform: ThePlatform, **result: Any) -> Iterator[None]:
    """Make the platform answer the workspace's action request during the block."""

    def answer() -> None:
        platform.answer(platform.request_with(n8n.workspace.name)["runId"], **result)

    with in_background(answer):
        yield


@contextmanager
def in_background(do: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    yield
    thread.join(10)


def test_failed_action_stops_the_workflow_and_a_retry_requests_it_again(
    n8n: N8n, platform: ThePlatform
) -> None:
    execution, given = uuid.uuid4().hex, parameters("create_post", waitSeconds=60)
    with answering(n8n, platform, error="The account is not connected anymore."):
        message = n8n.error("execute", parameters=given, executionId=execution)
    assert "The account is not connected anymore." in message
    given["waitSeconds"] = 0
    (again,) = n8n.run(parameters=given, executionId=execution)
    assert again["json"]["runStatus"] == "PENDING"
    assert len(runs_of(n8n)) == 2


def runs_of(n8n: N8n) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = n8n.workspace("GET /api/automations/n8n/runs")["items"]
    return found


@pytest.mark.parametrize("choice", ["error", "continue"])
def test_action_does_not_wait_longer_than_configured(n8n: N8n, choice: str) -> None:
    started = time.monotonic()
    given = parameters("create_post", waitSeconds=2, ifPending=choice)
    if choice == "error":
        assert "hasn't finished within 2 seconds" in n8n.error("execute", parameters=given)
    else:
        (item,) = n8n.run(parameters=given)
        assert item["json"]["runStatus"] == "PENDING"
    assert 2 <= time.monotonic() - started < 20


def test_error_of_the_platform_is_reported(n8n: N8n) -> None:
    given = parameters("create_post", accountId="")
    assert "input.accountId: is missing" in n8n.error("execute", parameters=given)
    unknown = {"resource": "run", "operation": "get_run", "runId": "run_032asvoIJtqWn0GGw1sIDt"}
    assert "No run of n8n" in n8n.error("execute", parameters=unknown)


# ── times ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("zone", "given", "expected"),
    [
        ("Europe/Berlin", "2026-10-28T00:00:00", "2026-10-27T23:00:00.000Z"),  # as the date picker stores it
        ("Europe/Berlin", "2026-07-01 09:30", "2026-07-01T07:30:00.000Z"),
        ("America/New_York", "2026-12-24", "2026-12-24T05:00:00.000Z"),
        ("Asia/Kathmandu", "2026-10-28T05:45:00.5", "2026-10-28T00:00:00.500Z"),
        ("UTC", "2026-10-28T00:00:00", "2026-10-28T00:00:00.000Z"),
        # Local times that occur twice or never.
        ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00.000Z"),
        ("Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:30:00.000Z"),
        ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00.000Z"),
        ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00.000Z"),
        # Times with an offset.
        ("Europe/Berlin", "2026-10-28T00:00:00Z", "2026-10-28T00:00:00Z"),
        ("Europe/Berlin", "2026-10-28T00:00:00.000+05:30", "2026-10-28T00:00:00.000+05:30"),
    ],
)
def test_time_without_an_offset_is_in_the_workflows_timezone(
    n8n: N8n, zone: str, given: str, expected: str
) -> None:
    n8n.run(parameters=parameters("schedule_post", scheduledFor=given), timezone=zone)
    (run,) = runs_of(n8n)
    assert run["input"]["scheduledFor"] == expected


@pytest.mark.parametrize("action", sorted(catalogue.ACTIONS))
def test_every_time_of_every_action_is_converted(n8n: N8n, action: str) -> None:
    given = parameters(action)
    times = [field.name for field in fields_of(load_action(action).input) if field.format == "date-time"]
    for name in times:
        place = given if name in given else given["additionalFields"]
        place[name] = "2026-10-28T00:00:00"
    n8n.run(parameters=given, timezone="Asia/Tokyo")
    (run,) = runs_of(n8n)
    assert {run["input"][name] for name in times} <= {"2026-10-27T15:00:00.000Z"}


def test_empty_rows_of_a_list_are_ignored(n8n: N8n) -> None:
    given = parameters("create_post")
    given["additionalFields"]["mediaUrls"] = ["", "https://media.example.com/1.jpg", ""]
    n8n.run(parameters=given)
    given["additionalFields"]["mediaUrls"] = [""]
    n8n.run(parameters=given)
    assert [run["input"].get("mediaUrls") for run in runs_of(n8n)] == [
        None,
        ["https://media.example.com/1.jpg"],
    ]


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def faulty_proxy(n8n: HasCredentials, *faults: tuple[str, Answer | None]) -> Iterator[list[Request]]:
    """A proxy to the API. Each fault applies to the first request that it matches; None drops the reply."""
    waiting = list(faults)

    def forward(request: Request) -> Answer:
        line = f"{request.method} {request.path}"
        fault = next((fault for fault in waiting if fault[0] in line), None)
        if fault:
            waiting.remove(fault)
            if fault[1]:
                return fault[1]
        headers = {"authorization", "content-type", "idempotency-key"} & request.headers.keys()
        answer = httpx.request(
            request.method,
            direct + request.path,
            content=request.body,
            headers={name: request.headers[name] for name in headers},
            trust_env=False,
        )
        if fault:
            return Answer(hang_up=True)
        return Answer(answer.status_code, {"content-type": answer.headers["content-type"]}, answer.content)

    direct = n8n.credentials["baseUrl"]
    with receiver([forward]) as r:
        n8n.credentials["baseUrl"] = r.url.removesuffix("/hook")
        yield r.requests
        n8n.credentials["baseUrl"] = direct
    assert not waiting


POLL, START = "GET /api/automations/n8n/runs/", "POST /api/automations/n8n/actions/"
HTML = Answer(502, {"content-type": "text/html"}, b"<html>Bad Gateway</html>")


FAULTS: dict[str, tuple[str, Answer | None]] = {
    "a proxy's 502 to a poll": (POLL, HTML),
    "429 to a poll": (POLL, Answer(429, {"retry-after": "1"})),
    "500 to a poll": (POLL, Answer(500)),
    "a poll is cut off": (POLL, Answer(hang_up=True)),
    "the answer to a poll is lost": (POLL, None),
    "a proxy's 502 to the request": (START, HTML),
    "429 to the request": (START, Answer(429, {"retry-after": "1"})),
    "the request is cut off": (START, Answer(hang_up=True)),
    "the answer to the request is lost": (START, None),
    "the first request is still running": (START, Answer(409, {"retry-after": "1"})),
}


@pytest.mark.parametrize("case", FAULTS)
def test_temporary_fault_neither_fails_nor_repeats_an_action(
    n8n: N8n, platform: ThePlatform, case: str
) -> None:
    output = load_action("create_post").sample.output
    with answering(n8n, platform, output=output), faulty_proxy(n8n, FAULTS[case]):
        run = n8n.act("create_post", waitSeconds=60)
    assert run["runStatus"] == "SUCCEEDED"
    assert len(runs_of(n8n)) == 1


def test_retry_on_fail_requests_an_action_once(n8n: N8n, platform: ThePlatform) -> None:
    """n8n retries the node in the same execution. Other executions and items send their own requests."""
    execution = uuid.uuid4().hex
    given = parameters("create_post", waitSeconds=1)
    for _ in range(2):
        assert "hasn't finished" in n8n.error("execute", parameters=given, executionId=execution)
    (run,) = runs_of(n8n)
    platform.answer(run["id"], output=load_action("create_post").sample.output)
    (item,) = n8n.run(parameters=given, executionId=execution)
    assert (item["json"]["runId"], item["json"]["runStatus"]) == (run["id"], "SUCCEEDED")
    n8n.run(parameters=parameters("create_post"), items=[{}, {}])
    assert len(runs_of(n8n)) == 3


def test_changed_request_with_the_same_key_is_rejected(n8n: N8n) -> None:
    """The text changes between tries, and the responses to the first try are lost."""
    execution = uuid.uuid4().hex
    with faulty_proxy(n8n, *[(START, None)] * 5):
        given = parameters("create_post", text="at 9:30")
        assert "can't be reached" in n8n.error("execute", parameters=given, executionId=execution)
    message = n8n.error(
        "execute", parameters=parameters("create_post", text="at 9:31"), executionId=execution
    )
    assert "An earlier try requested this with other values" in message
    assert len(runs_of(n8n)) == 1


# ── several items ────────────────────────────────────────────────────────────────────────────────────


def test_items_run_concurrently_and_stay_in_order(n8n: N8n, platform: ThePlatform) -> None:
    texts = [f"Post {n}" for n in range(7)]
    given = parameters("create_post", text="={{ $json.text }}", waitSeconds=2, ifPending="continue")
    items = n8n.run(parameters=given, items=[{"text": text} for text in texts])
    assert [item["pairedItem"] for item in items] == [{"item": n} for n in range(7)]
    runs = {run["id"]: run for run in runs_of(n8n)}
    in_order = [runs[item["json"]["runId"]] for item in items]
    assert [run["input"]["text"] for run in in_order] == texts
    # Five items run at a time. If they ran one by one, the fifth would start after 8 seconds.
    first, *_, fifth, sixth, _ = sorted(datetime.fromisoformat(run["createdAt"]) for run in in_order)
    assert (fifth - first).total_seconds() < 7
    assert (sixth - first).total_seconds() >= 2


def test_failed_item_does_not_stop_the_others(n8n: N8n) -> None:
    given = parameters("create_post", text="={{ $json.text }}")
    items = [{"text": text} for text in ("one", "", "three")]
    output = n8n.run(parameters=given, items=items, onError="continueRegularOutput")
    assert [item["pairedItem"] for item in output] == [{"item": n} for n in range(3)]
    assert output[1]["json"] == {"error": "input.text: is missing"}
    assert [output[n]["json"]["runStatus"] for n in (0, 2)] == ["PENDING", "PENDING"]
    error = n8n.step(kind="execute", parameters=given, items=items, executionId=uuid.uuid4().hex)["error"]
    assert "input.text: is missing" in error["message"]


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────


def test_dropdowns_list_the_platforms_choices(n8n: N8n, platform: ThePlatform) -> None:
    items = [{"id": f"acc_{n}", "label": f"Account {n}"} for n in range(130)]
    platform.offers(n8n.workspace, "accounts", items)
    found = n8n("options", node="patchbay", method="getAccounts")
    assert found == [{"name": item["label"], "value": item["id"]} for item in items]
    assert n8n("options", node="patchbayTrigger", method="getCampaigns") == []

    many = {"resource": "account", "operation": "getMany"}
    for settings, expected in (
        ({}, items[:50]),
        ({"limit": 101}, items[:101]),
        ({"returnAll": True}, items),
        ({"filters": {"search": "account 12"}}, [items[12], *items[120:130]]),
    ):
        assert [item["json"] for item in n8n.run(parameters={**many, **settings})] == expected


@pytest.mark.parametrize("resource", sorted(resources()))
def test_every_list_can_be_read(n8n: N8n, platform: ThePlatform, resource: str) -> None:
    platform.offers(n8n.workspace, resource, [{"id": "1", "label": "One"}])
    noun = noun_of(resource).lower()
    (item,) = n8n.run(parameters={"resource": noun, "operation": "getMany"})
    assert item["json"] == {"id": "1", "label": "One"}


def test_runs_can_be_listed(n8n: N8n, platform: ThePlatform) -> None:
    runs = [n8n.act("create_campaign")["runId"] for _ in range(3)]
    platform.answer(runs[0], output=load_action("create_campaign").sample.output)
    many = {"resource": "run", "operation": "getMany"}
    assert [item["json"]["runId"] for item in n8n.run(parameters=many)] == runs[::-1]
    (item,) = n8n.run(parameters={**many, "filters": {"status": "SUCCEEDED"}})
    assert (item["json"]["runId"], item["json"]["name"]) == (runs[0], "Spring menu")
    assert len(n8n.run(parameters={**many, "limit": 2})) == 2
