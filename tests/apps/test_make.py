"""The Make app: its files match the schemas of Make's editor, its requests work on the local stack."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.settings import ROOT
from local.testing import RunningStack
from patchbay.catalogue.entries import all_actions, choice_resources, load_action, resources
from tests.apps.make_runtime import MakeApp, MakeError
from tests.apps.the_platform import ThePlatform
from tests.e2e.conftest import Workspace, eventually
from tests.receivers import receiver
from tools.apps.fields import triggers

APP = ROOT / "apps/make"
PACKAGES = ROOT / ".tools/node/make"
VALIDATE = Path(__file__).parent / "make/validate.mjs"
TRIGGERS = triggers()
MODULES = {
    module["webhook"]: id
    for id, module in json.loads((APP / "makecomapp.json").read_text())["components"]["module"].items()
    if "webhook" in module
}


def schema_problems(folder: Path) -> list[dict[str, Any]]:
    files = sorted(map(str, folder.rglob("*.json")))
    assert files
    command = ["node", str(VALIDATE), str(PACKAGES), *files]
    completed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    problems: list[dict[str, Any]] = json.loads(completed.stdout)
    return problems


def test_editors_schemas_accept_the_app() -> None:
    assert schema_problems(APP) == []


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("webhooks/any-event/any-event.detach.iml.json", '"DELETE"', '"WIPE"'),
        ("webhooks/any-event/any-event.params.iml.json", '"select"', '"choice"'),
        ("modules/create-post/create-post.interface.iml.json", '"text"', '"string"'),
        ("modules/create-post/create-post.mappable-params.iml.json", '"label"', '"title_"'),
        ("modules/create-post/create-post.samples.iml.json", "{", "[{"),
        ("rpcs/list-accounts/list-accounts.communication.iml.json", '"iterate"', '"each"'),
        ("general/base.iml.json", '"sanitize"', '"hide"'),
        ("modules/groups.json", '"modules"', '"module"'),
        ("makecomapp.json", '"instant_trigger"', '"instant"'),
    ],
)
def test_editors_schemas_find_a_fault(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    shutil.copytree(APP, tmp_path / "app")
    path = tmp_path / "app" / file
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    assert {Path(problem["file"]) for problem in schema_problems(tmp_path / "app")} == {path}


# ── on the local stack ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def app(running: RunningStack) -> MakeApp:
    return MakeApp(APP, running.url)


@pytest.fixture
def connection(app: MakeApp, workspace: Workspace) -> dict[str, Any]:
    return app.connect({"apiKey": workspace.key("automations:use")["key"]})


def test_connection_is_named_after_its_workspace(
    connection: dict[str, Any], workspace: Workspace, app: MakeApp
) -> None:
    assert connection["metadata"] == {"type": "text", "value": workspace.name}
    assert connection["apiKey"] not in json.dumps(app.log)


def test_wrong_key_is_an_error(app: MakeApp) -> None:
    with pytest.raises(MakeError) as error:
        app.connect({"apiKey": "sk_live_wrong"})
    assert error.value.kind == "InvalidAccessTokenError"
    assert error.value.message.startswith("[401] ")
    assert "sk_live_wrong" not in error.value.message


def test_key_without_the_scope_is_an_error(app: MakeApp, workspace: Workspace) -> None:
    with pytest.raises(MakeError, match=r"\[403\] .*automations:use"):
        app.connect({"apiKey": workspace.key("events:read")["key"]})


@pytest.mark.parametrize("entry", TRIGGERS, ids=lambda entry: entry.type)
def test_webhook_is_attached_and_detached(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, entry: Any
) -> None:
    webhook = next(id for id in MODULES if id != "anyEvent" and _event(app, id) == entry.type)
    parameters = {parameter["name"]: "one" for parameter in app.code("webhook", webhook, "params")}
    with receiver() as make:
        stored = app.attach(webhook, connection, make.url, parameters)
    hook = workspace(f"GET /api/automations/make/hooks/{stored['externalHookId']}")
    assert (hook["eventType"], hook["url"]) == (entry.type, make.url)
    assert hook["filters"] == [{"path": name, "op": "equals", "value": "one"} for name in parameters]
    assert "whsec_" not in json.dumps([app.log, stored])

    app.detach(webhook, connection, stored)
    assert workspace.ask(f"GET /api/automations/make/hooks/{stored['externalHookId']}").status_code == 404


@pytest.mark.parametrize("entry", TRIGGERS, ids=lambda entry: entry.type)
def test_sample_equals_the_apis(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, entry: Any
) -> None:
    webhook = next(id for id in MODULES if id != "anyEvent" and _event(app, id) == entry.type)
    shown = app.code("module", MODULES[webhook], "samples")
    [given] = workspace(f"GET /api/automations/make/triggers/{entry.type}/samples")
    assert given == shown


def _event(app: MakeApp, webhook: str) -> str:
    event: str = app.code("webhook", webhook, "attach")["body"]["eventType"]
    return event


@pytest.mark.parametrize("webhook", ["postPublished", "anyEvent"])
def test_event_is_one_bundle(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, webhook: str
) -> None:
    parameters = {"event": "POST_PUBLISHED"} if webhook == "anyEvent" else {"accountId": ""}
    data = next(entry for entry in TRIGGERS if entry.type == "POST_PUBLISHED").sample
    with receiver() as make:
        stored = app.attach(webhook, connection, make.url, parameters)
        published = workspace.publish(data)
        make.wait_for(1)
        assert workspace.settled(published["id"]) == {stored["externalHookId"]: "DELIVERED"}
        assert len(make.requests) == 1
        bundle = app.receive(MODULES[webhook], make.requests[0].json())
    assert bundle == {
        "id": published["id"],
        "type": "POST_PUBLISHED",
        "timestamp": published["timestamp"],
        "data": data,
    }
    interface = app.code("module", MODULES[webhook], "interface")
    assert list(bundle) == [field["name"] for field in interface]
    app.detach(webhook, connection, stored)


def test_webhook_parameter_filters_events(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace
) -> None:
    data = next(entry for entry in TRIGGERS if entry.type == "POST_PUBLISHED").sample
    with receiver() as make:
        app.attach("postPublished", connection, make.url, {"accountId": "acc_wanted"})
        workspace.publish({**data, "accountId": "acc_other"})
        wanted = workspace.publish({**data, "accountId": "acc_wanted"})
        make.wait_for(1)
        workspace.settled(wanted["id"])
        assert [request.json()["id"] for request in make.requests] == [wanted["id"]]


def test_dropdown_of_event_types(app: MakeApp, connection: dict[str, Any]) -> None:
    choices = app.choices("listEvents", connection)
    assert {choice["value"]: choice["label"] for choice in choices} == {
        entry.type: entry.label for entry in TRIGGERS
    }


@pytest.mark.parametrize("resource", sorted(choice_resources()))
def test_dropdown_of_the_platforms_choices(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, platform: ThePlatform, resource: str
) -> None:
    """The dropdown shows all pages, up to Make's maximum."""
    items = [{"id": f"id_{number}", "label": f"Number {number}"} for number in range(620)]
    platform.offers(workspace, resource, items)
    shown = app.choices(f"list{resource.capitalize()}", connection)
    assert shown == [{"label": item["label"], "value": item["id"]} for item in items[:500]]


@pytest.mark.parametrize("resource", sorted(resources()))
def test_search(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, platform: ThePlatform, resource: str
) -> None:
    items = [{"id": f"id_{number}", "label": "Odd" if number % 2 else "Even"} for number in range(250)]
    platform.offers(workspace, resource, items)
    module = f"search{resource.capitalize()}"
    named = app.code("module", module, "interface")

    def found(**parameters: Any) -> list[Any]:
        return app.search(module, connection, {"limit": 500, **parameters})

    assert found(search="odd") == items[1::2]
    assert found(search="") == found() == items
    assert found(search="id_24", limit=3) == [items[24], *items[240:242]]
    assert found(search="nobody") == []
    assert all(item.keys() == {each["name"] for each in named} for item in found(limit=1))


@pytest.mark.parametrize("action", all_actions(), ids=lambda action: action.key)
def test_action_returns_its_result(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, platform: ThePlatform, action: Any
) -> None:
    module = next(id for id in app.components["module"] if _action_key(app, id) == action.key)
    with ThreadPoolExecutor() as make:
        running = make.submit(app.run, module, connection, action.sample.input)
        id = _started(workspace)
        assert platform.request_with(id)["input"] == action.sample.input
        platform.answer(id, output=action.sample.output)
        run = running.result()
    assert (run["id"], run["status"], run["output"]) == (id, "SUCCEEDED", action.sample.output)
    assert platform.request_count(id) == 1
    assert {each["name"] for each in app.code("module", module, "interface")} <= run.keys()

    assert app.run("getRun", connection, {"runId": id}) == run


def _started(workspace: Workspace) -> str:
    """Wait for the run that Make has started, and return its ID."""
    [run] = eventually(lambda: workspace("GET /api/automations/make/runs")["items"])
    id: str = run["id"]
    return id


def _action_key(app: MakeApp, module: str) -> str | None:
    communication = app.code("module", module, "communication")
    if not isinstance(communication, list):
        return None
    key: str = communication[0]["url"].rpartition("/")[2]
    return key


def test_failed_action_is_an_error(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, platform: ThePlatform
) -> None:
    with ThreadPoolExecutor() as make:
        running = make.submit(app.run, "createPost", connection, load_action("create_post").sample.input)
        platform.answer(_started(workspace), error="The account was disconnected.")
        with pytest.raises(MakeError, match=r"The account was disconnected\."):
            running.result()


def test_slow_action_is_pending_until_get_a_run(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, platform: ThePlatform, tmp_path: Path
) -> None:
    """The module returns the pending run; "Get a run" returns its result."""
    app.folder = shutil.copytree(APP, tmp_path / "app")
    path = app.folder / app.components["module"]["createPost"]["codeFiles"]["communication"]
    communication = json.loads(path.read_text())
    communication[1]["repeat"]["limit"] = 2
    path.write_text(json.dumps(communication))
    action = load_action("create_post")
    run = app.run("createPost", connection, action.sample.input)
    assert (run["status"], run["output"]) == ("PENDING", None)

    platform.answer(run["id"], output=action.sample.output)
    assert app.run("getRun", connection, {"runId": run["id"]})["output"] == action.sample.output


def test_action_without_required_input_is_an_error(app: MakeApp, connection: dict[str, Any]) -> None:
    with pytest.raises(MakeError) as error:
        app.run("createPost", connection, {"text": ""})
    assert error.value.kind == "DataError"
    assert error.value.message.startswith("[422] ")
    assert "input.accountId" in error.value.message


def test_invalid_run_id_is_an_error(app: MakeApp, connection: dict[str, Any]) -> None:
    with pytest.raises(MakeError, match=r"\[4\d\d\] "):
        app.run("getRun", connection, {"runId": "../me"})


def test_api_call(app: MakeApp, connection: dict[str, Any], workspace: Workspace) -> None:
    given = app.run("makeApiCall", connection, {"url": "/api/automations/make/me", "method": "GET"})
    assert (given["statusCode"], given["body"]["workspaceId"]) == (200, workspace.name)
    posted = {
        "url": "/api/automations/make/hooks",
        "method": "POST",
        "headers": [{"key": "content-type", "value": "application/json"}],
        "body": json.dumps({"url": "http://127.0.0.1:8123/hook", "eventType": "POST_FAILED"}),
    }
    assert app.run("makeApiCall", connection, posted)["statusCode"] == 201
    listed = {
        "url": "/api/automations/make/hooks",
        "method": "GET",
        "qs": [{"key": "limit", "value": "1"}],
    }
    assert len(app.run("makeApiCall", connection, listed)["body"]["items"]) == 1
    assert connection["apiKey"] not in json.dumps(app.log)


def test_api_call_cannot_reach_another_host(app: MakeApp, connection: dict[str, Any]) -> None:
    """The app treats a URL of another host as an unknown path of the API, so it sends the key nowhere else.
    A path works with and without a leading slash.
    """
    with receiver() as elsewhere:
        authority = elsewhere.url.removeprefix("http:")
        for url in (elsewhere.url, authority, f"@{authority[2:]}", f".{authority[2:]}"):
            with pytest.raises(MakeError, match=r"\[404\]"):
                app.run("makeApiCall", connection, {"url": url, "method": "GET"})
        assert elsewhere.requests == []
    for url in ("/api/automations/make/me", "api/automations/make/me"):
        assert app.run("makeApiCall", connection, {"url": url, "method": "GET"})["statusCode"] == 200
