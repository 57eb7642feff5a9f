"""The Make app: its files against the schemas of Make's editor, its requests against the local stack."""

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
    described["webhook"]: id
    for id, described in json.loads((APP / "makecomapp.json").read_text())["components"]["module"].items()
    if "webhook" in described
}


def problems_of(folder: Path) -> list[dict[str, Any]]:
    files = sorted(map(str, folder.rglob("*.json")))
    assert files
    command = ["node", str(VALIDATE), str(PACKAGES), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_make_s_editor_has_no_complaint() -> None:
    assert problems_of(APP) == []


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
def test_make_s_editor_finds_what_is_wrong(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    shutil.copytree(APP, tmp_path / "app")
    path = tmp_path / "app" / file
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    assert {Path(found["file"]) for found in problems_of(tmp_path / "app")} == {path}


# ── on the local stack ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def app(running: RunningStack) -> MakeApp:
    return MakeApp(APP, running.url)


@pytest.fixture
def connection(app: MakeApp, workspace: Workspace) -> dict[str, Any]:
    return app.connect({"apiKey": workspace.key("automations:use")["key"]})


def test_a_connection_is_named_after_its_workspace(
    connection: dict[str, Any], workspace: Workspace, app: MakeApp
) -> None:
    assert connection["metadata"] == {"type": "text", "value": workspace.name}
    assert connection["apiKey"] not in json.dumps(app.log)


def test_a_wrong_key_is_an_error(app: MakeApp) -> None:
    with pytest.raises(MakeError) as refused:
        app.connect({"apiKey": "sk_live_wrong"})
    assert refused.value.kind == "InvalidAccessTokenError"
    assert refused.value.message.startswith("[401] ")
    assert "sk_live_wrong" not in refused.value.message


def test_a_key_without_the_scope_is_an_error(app: MakeApp, workspace: Workspace) -> None:
    with pytest.raises(MakeError, match=r"\[403\] .*automations:use"):
        app.connect({"apiKey": workspace.key("events:read")["key"]})


@pytest.mark.parametrize("entry", TRIGGERS, ids=lambda entry: entry.key)
def test_a_webhook_is_attached_and_detached(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, entry: Any
) -> None:
    webhook = next(id for id in MODULES if id != "anyEvent" and _event(app, id) == entry.key)
    parameters = {each["name"]: "one" for each in app.code("webhook", webhook, "params")}
    with receiver() as at_make:
        kept = app.attach(webhook, connection, at_make.url, parameters)
    hook = workspace(f"GET /api/automations/make/hooks/{kept['externalHookId']}")
    assert (hook["event"], hook["targetUrl"]) == (entry.key, at_make.url)
    assert hook["filters"] == [{"path": name, "op": "equals", "value": "one"} for name in parameters]
    assert "whsec_" not in json.dumps([app.log, kept])

    app.detach(webhook, connection, kept)
    assert workspace.ask(f"GET /api/automations/make/hooks/{kept['externalHookId']}").status_code == 404


@pytest.mark.parametrize("entry", TRIGGERS, ids=lambda entry: entry.key)
def test_the_sample_is_what_the_api_gives(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, entry: Any
) -> None:
    webhook = next(id for id in MODULES if id != "anyEvent" and _event(app, id) == entry.key)
    shown = app.code("module", MODULES[webhook], "samples")
    [given] = workspace(f"GET /api/automations/make/triggers/{entry.key}/samples")
    assert given == shown


def _event(app: MakeApp, webhook: str) -> str:
    event: str = app.code("webhook", webhook, "attach")["body"]["event"]
    return event


@pytest.mark.parametrize("webhook", ["postPublished", "anyEvent"])
def test_an_event_is_one_bundle(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, webhook: str
) -> None:
    parameters = {"event": "POST_PUBLISHED"} if webhook == "anyEvent" else {"accountId": ""}
    data = next(entry for entry in TRIGGERS if entry.key == "POST_PUBLISHED").sample
    with receiver() as at_make:
        kept = app.attach(webhook, connection, at_make.url, parameters)
        published = workspace.publish(data)
        at_make.wait_for(1)
        assert workspace.settled(published["id"]) == {kept["externalHookId"]: "DELIVERED"}
        assert len(at_make.requests) == 1
        bundle = app.receive(MODULES[webhook], at_make.requests[0].json())
    assert bundle == {
        "id": published["id"],
        "type": "POST_PUBLISHED",
        "timestamp": published["timestamp"],
        "data": data,
    }
    named = app.code("module", MODULES[webhook], "interface")
    assert list(bundle) == [each["name"] for each in named]
    app.detach(webhook, connection, kept)


def test_what_narrows_a_webhook(app: MakeApp, connection: dict[str, Any], workspace: Workspace) -> None:
    data = next(entry for entry in TRIGGERS if entry.key == "POST_PUBLISHED").sample
    with receiver() as at_make:
        app.attach("postPublished", connection, at_make.url, {"accountId": "acc_wanted"})
        workspace.publish({**data, "accountId": "acc_other"})
        wanted = workspace.publish({**data, "accountId": "acc_wanted"})
        at_make.wait_for(1)
        workspace.settled(wanted["id"])
        assert [request.json()["id"] for request in at_make.requests] == [wanted["id"]]


def test_the_dropdown_of_events(app: MakeApp, connection: dict[str, Any]) -> None:
    shown = app.choices("listEvents", connection)
    assert {each["value"]: each["label"] for each in shown} == {each.key: each.label for each in TRIGGERS}


@pytest.mark.parametrize("resource", sorted(choice_resources()))
def test_a_dropdown_of_the_platform_s(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, platform: ThePlatform, resource: str
) -> None:
    """Page by page, up to as many as Make shows."""
    items = [{"id": f"id_{number}", "label": f"Number {number}"} for number in range(620)]
    platform.offers(workspace, resource, items)
    shown = app.choices(f"list{resource.capitalize()}", connection)
    assert shown == [{"label": item["label"], "value": item["id"]} for item in items[:500]]


@pytest.mark.parametrize("resource", sorted(resources()))
def test_a_search(
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
def test_an_action(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, platform: ThePlatform, action: Any
) -> None:
    module = next(id for id in app.components["module"] if _asks(app, id) == action.key)
    with ThreadPoolExecutor() as at_make:
        running = at_make.submit(app.run, module, connection, action.sample.input)
        id = _started(workspace)
        assert platform.asked(id)["input"] == action.sample.input
        platform.answer(id, output=action.sample.output)
        run = running.result()
    assert (run["id"], run["status"], run["output"]) == (id, "SUCCEEDED", action.sample.output)
    assert platform.times_asked(id) == 1
    assert {each["name"] for each in app.code("module", module, "interface")} <= run.keys()

    assert app.run("getRun", connection, {"runId": id}) == run


def _started(workspace: Workspace) -> str:
    """The run that Make has asked for."""
    [run] = eventually(lambda: workspace("GET /api/automations/make/runs")["items"])
    id: str = run["id"]
    return id


def _asks(app: MakeApp, module: str) -> str | None:
    communication = app.code("module", module, "communication")
    if not isinstance(communication, list):
        return None
    key: str = communication[0]["url"].rpartition("/")[2]
    return key


def test_an_action_that_fails(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, platform: ThePlatform
) -> None:
    with ThreadPoolExecutor() as at_make:
        running = at_make.submit(app.run, "createPost", connection, load_action("create_post").sample.input)
        platform.answer(_started(workspace), error="The account was disconnected.")
        with pytest.raises(MakeError, match=r"The account was disconnected\."):
            running.result()


def test_an_action_that_takes_long(
    app: MakeApp, connection: dict[str, Any], workspace: Workspace, platform: ThePlatform, tmp_path: Path
) -> None:
    """It is given as it stands; Get a run tells the rest."""
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


def test_an_action_without_what_it_needs(app: MakeApp, connection: dict[str, Any]) -> None:
    with pytest.raises(MakeError) as refused:
        app.run("createPost", connection, {"text": ""})
    assert refused.value.kind == "DataError"
    assert refused.value.message.startswith("[422] ")
    assert "input.accountId" in refused.value.message


def test_a_run_that_is_none(app: MakeApp, connection: dict[str, Any]) -> None:
    with pytest.raises(MakeError, match=r"\[4\d\d\] "):
        app.run("getRun", connection, {"runId": "../me"})


def test_any_call(app: MakeApp, connection: dict[str, Any], workspace: Workspace) -> None:
    given = app.run("makeApiCall", connection, {"url": "/api/automations/make/me", "method": "GET"})
    assert (given["statusCode"], given["body"]["workspaceId"]) == (200, workspace.name)
    posted = {
        "url": "/api/automations/make/hooks",
        "method": "POST",
        "headers": [{"key": "content-type", "value": "application/json"}],
        "body": json.dumps({"targetUrl": "http://127.0.0.1:8123/hook", "event": "POST_FAILED"}),
    }
    assert app.run("makeApiCall", connection, posted)["statusCode"] == 201
    listed = {
        "url": "/api/automations/make/hooks",
        "method": "GET",
        "qs": [{"key": "limit", "value": "1"}],
    }
    assert len(app.run("makeApiCall", connection, listed)["body"]["items"]) == 1
    assert connection["apiKey"] not in json.dumps(app.log)


def test_any_call_stays_with_us(app: MakeApp, connection: dict[str, Any]) -> None:
    """An address of elsewhere is a path that we do not have: the key goes nowhere else. A path does with a
    slash at its beginning as without.
    """
    with receiver() as elsewhere:
        authority = elsewhere.url.removeprefix("http:")
        for url in (elsewhere.url, authority, f"@{authority[2:]}", f".{authority[2:]}"):
            with pytest.raises(MakeError, match=r"\[404\]"):
                app.run("makeApiCall", connection, {"url": url, "method": "GET"})
        assert elsewhere.requests == []
    for url in ("/api/automations/make/me", "api/automations/make/me"):
        assert app.run("makeApiCall", connection, {"url": url, "method": "GET"})["statusCode"] == 200
