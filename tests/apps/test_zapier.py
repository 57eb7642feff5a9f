"""The Zapier app in Zapier's own platform core, against the local stack, and in Zapier's schema."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from local.settings import ROOT
from patchbay import catalogue
from patchbay.catalogue.entries import load_action, resources
from tests.apps.the_platform import ThePlatform
from tests.catalogued import POST
from tests.e2e.conftest import Workspace, eventually
from tests.receivers import receiver
from tools.apps.zapier import FOLDER

PACKAGES = ROOT / ".tools/node/zapier/node_modules"
DEFINITIONS = ("zapier-app-definition.json", "zapier-app-definition.oauth.json")
SETTINGS = json.loads((ROOT / FOLDER / "settings.json").read_text())


class Zapier:
    """Zapier, with one user's connection."""

    def __init__(self, workspace: Workspace, definition: str = DEFINITIONS[0]) -> None:
        self.workspace = workspace
        self.auth = {"apiKey": workspace.key("automations:use")["key"]}
        self.definition = json.loads((ROOT / FOLDER / definition).read_text())

    def steps(self, *steps: dict[str, Any]) -> list[Any]:
        """Run steps in one process of the platform's core, and return their results."""
        request = {
            "packages": str(PACKAGES),
            "definition": self.definition,
            "base": [SETTINGS["baseUrl"], self.workspace.stack.url],
            "steps": [
                {**step, "bundle": {"authData": self.auth, **step.get("bundle", {})}} for step in steps
            ],
        }
        completed = subprocess.run(
            ["node", str(ROOT / "tests/apps/zapier/run.cjs")],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert completed.returncode == 0, completed.stderr
        results: list[Any] = json.loads(completed.stdout.strip().splitlines()[-1])
        return results

    def __call__(self, method: str, *, callback_url: str | None = None, **bundle: Any) -> Any:
        """Run a step that must succeed, and return its results."""
        (done,) = self.steps({"method": method, "bundle": bundle, "callbackUrl": callback_url})
        assert "error" not in done, done
        return done["results"]

    def error(self, method: str, **bundle: Any) -> dict[str, str]:
        """Run a step that must fail, and return its error."""
        (done,) = self.steps({"method": method, "bundle": bundle})
        assert "error" in done, done
        error: dict[str, str] = done["error"]
        return error


@pytest.fixture
def zapier(workspace: Workspace) -> Zapier:
    return Zapier(workspace)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_zapiers_schema_accepts_the_app(workspace: Workspace, definition: str) -> None:
    assert Zapier(workspace, definition)("validate") == []


def test_zapiers_schema_finds_faults(zapier: Zapier) -> None:
    del zapier.definition["triggers"]["post_published"]["noun"]
    zapier.definition["creates"]["create_post"]["operation"]["inputFields"][0]["type"] = "nonsense"
    assert len(zapier("validate")) >= 2


def test_index_exports_the_definition() -> None:
    program = "process.stdout.write(JSON.stringify(require(process.argv[1])))"
    shown = subprocess.run(
        ["node", "-e", program, str(ROOT / FOLDER)], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(shown) == json.loads((ROOT / FOLDER / DEFINITIONS[0]).read_text())


def test_connection_is_tested(zapier: Zapier) -> None:
    me = zapier("authentication.test")
    assert me == {"workspaceId": zapier.workspace.name, "label": zapier.workspace.name}
    zapier.auth = {"apiKey": zapier.auth["apiKey"][:-1] + "!"}
    error = zapier.error("authentication.test")
    assert error["name"] == "ExpiredAuthError"
    zapier.auth = {"apiKey": zapier.workspace.key("webhooks:read")["key"]}
    assert "automations:use" in zapier.error("authentication.test")["message"]


def test_rate_limited_step_is_retried_later(zapier: Zapier) -> None:
    zapier.auth = {"apiKey": zapier.workspace.key("automations:use", rateLimitPerHour=1)["key"]}
    zapier("authentication.test")
    error = zapier.error("authentication.test")
    assert error["name"] == "ThrottledError"
    assert 0 < json.loads(error["message"])["delay"] <= 2 * 3600  # at most two windows of the limit


def test_zap_fires_once_between_turning_on_and_off(zapier: Zapier) -> None:
    workspace = zapier.workspace
    with receiver() as r:
        hook = zapier("triggers.post_published.operation.performSubscribe", targetUrl=r.url)
        place = f"/api/automations/zapier/hooks/{hook['id']}"
        assert workspace(f"GET {place}")["url"] == r.url
        event = workspace.publish({**POST, "text": "Spring is here 🌷"})
        workspace("POST /api/events", json={"type": "POST_FAILED", "data": {**POST, "errorCode": "e"}})
        assert workspace.settled(event["id"]) == {hook["id"]: "DELIVERED"}
        time.sleep(1)  # gives a duplicate time to arrive
        (request,) = r.requests

        items = zapier("triggers.post_published.operation.perform", cleanedRequest=request.json())
        assert items == [request.json()]
        assert items[0]["data"]["text"] == "Spring is here 🌷"
        samples = zapier("triggers.post_published.operation.performList")
        assert samples[0] == items[0]
        # The static sample, for use before the first event, has only fields that real events have.
        static = zapier.definition["triggers"]["post_published"]["operation"]["sample"]
        assert samples[-1] == static

        off = zapier("triggers.post_published.operation.performUnsubscribe", subscribeData=hook)
        assert off == {}
        assert workspace.ask(f"GET {place}").status_code == 404
        # Turning off twice is no error. Turning on again restores the same hook, with its deliveries.
        assert zapier("triggers.post_published.operation.performUnsubscribe", subscribeData=hook) == {}
        again = zapier("triggers.post_published.operation.performSubscribe", targetUrl=r.url)
        assert again["id"] == hook["id"]
        workspace(f"DELETE /api/automations/zapier/hooks/{again['id']}")


def test_zap_can_be_limited_to_one_account(zapier: Zapier) -> None:
    subscribe = "triggers.post_published.operation.performSubscribe"
    url = "http://127.0.0.1:1024/"
    for chosen, filters in (
        ({"accountId": "acc_1", "campaignId": ""}, [{"path": "accountId", "op": "equals", "value": "acc_1"}]),
        ({}, []),
    ):
        hook = zapier(subscribe, targetUrl=url, inputData=chosen)
        assert zapier.workspace(f"GET /api/automations/zapier/hooks/{hook['id']}")["filters"] == filters
    assert "url" in zapier.error(subscribe, targetUrl="ftp://example.com")["message"]


def test_filtered_zap_fires_once_after_an_outage_of_zapier(zapier: Zapier) -> None:
    subscribe = "triggers.post_published.operation.performSubscribe"
    with receiver([503, 200]) as r:
        hook = zapier(subscribe, targetUrl=r.url, inputData={"accountId": "acc_1"})
        zapier.workspace.publish({**POST, "accountId": "acc_2"})
        event = zapier.workspace.publish({**POST, "accountId": "acc_1"})
        assert zapier.workspace.settled(event["id"]) == {hook["id"]: "DELIVERED"}
        # Both attempts have the same body, and the other account's event was not sent.
        first, second = r.requests
        assert first.body == second.body
        (item,) = zapier("triggers.post_published.operation.perform", cleanedRequest=second.json())
        assert (item["id"], item["data"]["accountId"]) == (event["id"], "acc_1")


def test_every_trigger_subscribes_and_has_samples(zapier: Zapier) -> None:
    keys = sorted(catalogue.TRIGGERS)
    steps = []
    for key in keys:
        operation = f"triggers.{key.lower()}.operation"
        steps.append(
            {"method": f"{operation}.performSubscribe", "bundle": {"targetUrl": "http://127.0.0.1:1024/"}}
        )
        steps.append({"method": f"{operation}.performList"})
    done = zapier.steps(*steps)
    assert [answer for answer in done if "error" in answer] == []
    listed = zapier.workspace("GET /api/automations/zapier/hooks?limit=100")["items"]
    assert {hook["eventType"] for hook in listed} == set(keys)
    for key, (sample,) in zip(keys, (answer["results"] for answer in done[1::2]), strict=True):
        assert sample == zapier.definition["triggers"][key.lower()]["operation"]["sample"]


@pytest.mark.parametrize("key", sorted(catalogue.ACTIONS))
def test_create_waits_for_the_platforms_answer(zapier: Zapier, platform: ThePlatform, key: str) -> None:
    action = load_action(key)
    sample, schema = action.sample, cast(Any, action.input)
    operation = f"creates.{key}.operation"
    # Half of the optional fields have values. The others are empty, as Zapier sends them.
    optional = sorted(set(schema["properties"]) - set(schema["required"]))
    empty = dict.fromkeys(optional[::2], "")
    given = {name: value for name, value in sample.input.items() if name not in empty}
    with receiver() as waiting:
        run = zapier(f"{operation}.perform", inputData={**given, **empty}, callback_url=waiting.url)
        assert run["status"] == "PENDING"
        request = platform.request_with(run["id"])
        assert (request["action"], request["workspaceId"]) == (key, zapier.workspace.name)
        assert request["input"] == given
        platform.answer(run["id"], output=sample.output)
        (callback,) = waiting.wait_for(1)
        assert platform.request_count(run["id"]) == 1
        answer = zapier(f"{operation}.performResume", outputData=run, cleanedRequest=callback.json())
    assert answer == {"id": run["id"], **sample.output}
    static = zapier.definition["creates"][key]["operation"]["sample"]
    assert answer.keys() == static.keys()


def test_failed_action_stops_the_zap(zapier: Zapier, platform: ThePlatform) -> None:
    operation = "creates.create_post.operation"
    with receiver() as waiting:
        inputs = load_action("create_post").sample.input
        run = zapier(f"{operation}.perform", inputData=inputs, callback_url=waiting.url)
        platform.answer(run["id"], error="The account is not connected anymore.")
        (callback,) = waiting.wait_for(1)
    error = zapier.error(f"{operation}.performResume", outputData=run, cleanedRequest=callback.json())
    assert "The account is not connected anymore." in error["message"]


class EditorTest:
    """A step that is tested in the editor, and the run that it started."""

    def __init__(self, zapier: Zapier, pool: ThreadPoolExecutor, key: str) -> None:
        self.step = pool.submit(
            zapier.steps,
            {
                "method": f"creates.{key}.operation.perform",
                "bundle": {"inputData": load_action(key).sample.input, "meta": {"isLoadingSample": True}},
            },
        )
        self.run = eventually(lambda: zapier.workspace("GET /api/automations/zapier/runs")["items"])[0]["id"]

    def __call__(self) -> Any:
        (done,) = self.step.result()
        return done


def test_editor_shows_the_result_of_an_action(zapier: Zapier, platform: ThePlatform) -> None:
    output = load_action("create_post").sample.output
    with ThreadPoolExecutor() as pool:
        tried = EditorTest(zapier, pool, "create_post")
        platform.answer(tried.run, output=output)
        assert tried() == {"results": {"id": tried.run, **output}}


def test_editor_shows_the_error_of_an_action(zapier: Zapier, platform: ThePlatform) -> None:
    with ThreadPoolExecutor() as pool:
        tried = EditorTest(zapier, pool, "create_post")
        platform.answer(tried.run, error="No such account.")
        assert "No such account." in tried()["error"]["message"]


def test_editor_shows_the_sample_for_a_slow_action(zapier: Zapier) -> None:
    perform = zapier.definition["creates"]["create_post"]["operation"]["perform"]
    assert "15000" in perform["source"]
    perform["source"] = perform["source"].replace("15000", "1500")
    with ThreadPoolExecutor() as pool:
        tried = EditorTest(zapier, pool, "create_post")
        assert tried() == {"results": {"id": tried.run, **load_action("create_post").sample.output}}


def test_invalid_input_is_reported_in_the_zap(zapier: Zapier) -> None:
    error = zapier.error("creates.create_post.operation.perform", inputData={"text": "x", "accountId": ""})
    assert "input.accountId: is missing" in error["message"]


def test_dropdowns_list_the_platforms_choices(zapier: Zapier, platform: ThePlatform) -> None:
    items = [{"id": f"acc_{n}", "label": f"Account {n}"} for n in range(250)]
    platform.offers(zapier.workspace, "accounts", items)
    perform = "triggers.accounts.operation.perform"
    pages = zapier.steps(*({"method": perform, "bundle": {"meta": {"page": page}}} for page in range(4)))
    assert [len(page["results"]) for page in pages] == [100, 100, 50, 0]
    assert [item for page in pages for item in page["results"]] == items
    assert zapier("triggers.campaigns.operation.perform") == []


LISTED = [
    {"id": "acc_10", "label": "Instagram: Tart & Tine"},
    {"id": "acc_1", "label": "Tart"},
    {"id": "acc_2", "label": "LinkedIn: Spring & Co"},
]


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_search_finds_items_by_name_or_id(
    workspace: Workspace, platform: ThePlatform, definition: str
) -> None:
    zapier = Zapier(workspace, definition)
    zapier.auth = {"apiKey": zapier.auth["apiKey"], "access_token": workspace.token}
    platform.offers(workspace, "accounts", LISTED)
    platform.offers(workspace, "posts", [{"id": "post_1", "label": "Spring is here 🌷"}])

    def found(kind: str, search: str) -> list[str]:
        results = zapier(f"searches.find_{kind}.operation.perform", inputData={"search": search})
        return [item["id"] for item in results]

    assert found("account", "tart") == ["acc_1", "acc_10"]  # an exact match comes first
    assert found("account", " acc_1 ") == ["acc_1", "acc_10"]
    assert found("account", "acc_10") == ["acc_10"]
    assert found("account", "spring & co") == ["acc_2"]
    assert found("account", "nobody") == []
    assert found("post", "🌷") == ["post_1"]


def test_every_search_finds_an_item_like_its_sample(zapier: Zapier, platform: ThePlatform) -> None:
    searches = zapier.definition["searches"]
    steps = []
    for name in sorted(resources()):
        sample = searches[f"find_{name.removesuffix('s')}"]["operation"]["sample"]
        platform.offers(zapier.workspace, name, [sample])
        method = f"searches.find_{name.removesuffix('s')}.operation.perform"
        steps.append({"method": method, "bundle": {"inputData": {"search": sample["label"]}}})
    for (found,), search in zip(
        (answer["results"] for answer in zapier.steps(*steps)), sorted(searches), strict=True
    ):
        assert found == searches[search]["operation"]["sample"]


def test_gone_response_unsubscribes_the_zap(zapier: Zapier) -> None:
    with receiver([410]) as r:
        hook = zapier("triggers.post_published.operation.performSubscribe", targetUrl=r.url)
        zapier.workspace.publish(POST)
        r.wait_for(1)
        place = f"GET /api/automations/zapier/hooks/{hook['id']}"
        eventually(lambda: zapier.workspace.ask(place).status_code == 404)
