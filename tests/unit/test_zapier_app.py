"""The Zapier app passes its check, and the check finds faults. tests/apps tests it with Zapier's tools."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from local.settings import ROOT
from patchbay import catalogue
from patchbay.api_keys import key_format
from patchbay.catalogue.entries import choice_resources, load_action, load_entry, resources
from tools.apps import zapier
from tools.apps.zapier_check import problems
from tools.page import with_tables

APPS: dict[str, Any] = {
    path: json.loads(text) for path, text in zapier.files().items() if path.endswith(".json")
}
APP = APPS["apps/zapier/zapier-app-definition.json"]
TRIGGER = "post_published"


@pytest.mark.parametrize("path", APPS)
def test_app_has_no_faults(path: str) -> None:
    assert problems(APPS[path]) == []


def test_app_has_the_whole_catalogue() -> None:
    hidden = {key for key, trigger in APP["triggers"].items() if trigger["display"].get("hidden")}
    assert hidden == choice_resources()
    assert APP["searches"].keys() == {f"find_{name.removesuffix('s')}" for name in resources()}
    assert {key.upper() for key in APP["triggers"].keys() - hidden} == catalogue.TRIGGERS
    assert APP["creates"].keys() == catalogue.ACTIONS
    for key in APP["triggers"].keys() - hidden:
        assert APP["triggers"][key]["operation"]["sample"]["data"] == load_entry(key.upper()).sample
    for key, create in APP["creates"].items():
        fields = {field["key"]: field["required"] for field in create["operation"]["inputFields"]}
        schema: Any = load_action(key).input
        assert fields == {name: name in schema["required"] for name in schema["properties"]}


def test_app_has_no_secret() -> None:
    for app in APPS.values():
        assert not re.search(key_format.SECRET_SCANNING_PATTERN, json.dumps(app))
        assert app["authentication"]["connectionLabel"] == "{{label}}"


def test_versions_agree_in_all_files() -> None:
    pushed, tried = (
        json.loads((ROOT / folder / "package.json").read_text())
        for folder in (zapier.FOLDER, "tests/apps/zapier")
    )
    core = zapier.PLATFORM_VERSION
    assert pushed["dependencies"] == {"zapier-platform-core": core}
    assert tried["dependencies"] == {"zapier-platform-core": core, "zapier-platform-schema": core}
    for app in APPS.values():
        assert (app["platformVersion"], app["version"]) == (core, pushed["version"])


def test_oauth_app_needs_an_authorization_server() -> None:
    urls = {"baseUrl": "https://api.example", "apiKeysUrl": "https://app.example/keys"}
    assert list(zapier.definitions(urls)) == ["zapier-app-definition.json"]


def test_refresh_url_replaces_the_token_url() -> None:
    oauth = {"authorizeUrl": "https://a.example", "tokenUrl": "https://t.example", "scope": "automations:use"}
    urls = {"baseUrl": "https://api.example", "apiKeysUrl": "https://app.example/keys"}
    cases: tuple[tuple[dict[str, str], str], ...] = (
        ({}, "https://t.example"),
        ({"refreshUrl": "https://r.example"}, "https://r.example"),
    )
    for extra, expected in cases:
        app = zapier.definitions({**urls, "oauth2": {**oauth, **extra}})["zapier-app-definition.oauth.json"]
        assert app["authentication"]["oauth2Config"]["refreshAccessToken"]["url"] == expected
        assert problems(app) == []


def test_docs_page_lists_every_trigger_and_action() -> None:
    page = zapier.files()["docs/guides/automations/index.md"]
    for key in catalogue.TRIGGERS:
        assert page.count(f"| [`{key}`](../../reference/event-types.md#{key.lower()}) |") == 1
    for key in catalogue.ACTIONS:
        assert page.count(f"| `{key}` |") == 1


def test_docs_page_says_what_limits_a_trigger() -> None:
    page = zapier.files()["docs/guides/automations/index.md"]
    for key in catalogue.TRIGGERS:
        labels = [field["label"] for field in APP["triggers"][key.lower()]["operation"]["inputFields"]]
        (row,) = [line for line in page.splitlines() if line.startswith("|") and f"`{key}`" in line]
        assert row.endswith(f"| {', '.join(labels)} |")


def test_page_without_markers_is_rejected() -> None:
    with pytest.raises(ValueError, match="no markers for nothing"):
        with_tables("docs/guides/automations/index.md", "nothing", [])


def _in(*path: str) -> Callable[[Any], Any]:
    def find(app: Any) -> Any:
        for step in path:
            app = app[step]
        return app

    return find


trigger = _in("triggers", TRIGGER)
operation = _in("triggers", TRIGGER, "operation")
create = _in("creates", "create_post", "operation")


# By name: a function that plants a fault in a copy, and the problem that the check must report.
FAULTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "dropdown of an unknown trigger": (
        lambda a: operation(a)["inputFields"][0].update(dynamic="nope.id.label"),
        "lists nope",
    ),
    "dropdown of an unknown field": (
        lambda a: operation(a)["inputFields"][0].update(dynamic="accounts.id.name"),
        "shows accounts.name",
    ),
    "missing trigger of a dropdown": (lambda a: a["triggers"].pop("accounts"), "lists accounts"),
    "no sample": (lambda a: operation(a).pop("sample"), "has no sample"),
    "no sample in a create": (lambda a: create(a).pop("sample"), "creates.create_post: has no sample"),
    "no ID in the sample": (lambda a: operation(a)["sample"].pop("id"), "has no ID"),
    "no performList": (lambda a: operation(a).pop("performList"), "has no performList"),
    "no performSubscribe": (lambda a: operation(a).pop("performSubscribe"), "has no performSubscribe"),
    "no performUnsubscribe": (lambda a: operation(a).pop("performUnsubscribe"), "has no performUnsubscribe"),
    "no performResume": (lambda a: create(a).pop("performResume"), "has no performResume"),
    "callback in the editor": (
        lambda a: create(a)["perform"].update(source="return z.request(z.generateCallbackUrl())"),
        "in the editor too",
    ),
    "no perform in a create": (lambda a: create(a).pop("perform"), "has no perform"),
    "no outputFields": (lambda a: operation(a).pop("outputFields"), "has no outputFields"),
    "output that is not in the sample": (
        lambda a: operation(a)["sample"]["data"].pop("url"),
        "data__url is in outputFields",
    ),
    "sample with an extra value": (
        lambda a: operation(a)["sample"]["data"].update(x="1"),
        "data__x is in the sample",
    ),
    "output without a label": (lambda a: operation(a)["outputFields"][3].pop("label"), "has no label"),
    "date instead of a time": (
        lambda a: operation(a)["sample"].update(timestamp="2026-03-02"),
        "is not a time",
    ),
    "time of the type string": (
        lambda a: operation(a)["outputFields"][2].update(type="string"),
        "is a time",
    ),
    "text of the type integer": (
        lambda a: operation(a)["outputFields"][3].update(type="integer"),
        "is not of type integer",
    ),
    "input without a label": (lambda a: create(a)["inputFields"][0].pop("label"), "has no label"),
    "ID without a dropdown": (lambda a: create(a)["inputFields"][0].pop("dynamic"), "has no dropdown"),
    "label in lowercase": (lambda a: trigger(a)["display"].update(label="post published"), "Title Case"),
    "noun in lowercase": (lambda a: trigger(a).update(noun="post"), "Title Case"),
    "description without a period": (
        lambda a: trigger(a)["display"].update(description="Triggers when a post is published"),
        "description",
    ),
    "description with another start": (
        lambda a: trigger(a)["display"].update(description="When a post is published."),
        "description",
    ),
    "key that differs from the operation's": (lambda a: trigger(a).update(key="other"), "its key is"),
    "plain http": (lambda a: operation(a)["performList"].update(url="http://api.example/x"), "is not https"),
    "plain http in a function": (
        lambda a: create(a)["perform"].update(source="return z.request('http://api.example/x')"),
        "is not https",
    ),
    "double slash": (
        lambda a: operation(a)["performList"].update(url="https://api.example//api/x"),
        "two slashes",
    ),
    "no test": (lambda a: a["authentication"].pop("test"), "has no test"),
    "key in the label": (
        lambda a: a["authentication"].update(connectionLabel="{{bundle.authData.apiKey}}"),
        "shows apiKey",
    ),
    "no label": (lambda a: a["authentication"].pop("connectionLabel"), "has no connectionLabel"),
    "no link to the page with the keys": (
        lambda a: a["authentication"]["fields"][0].update(helpText="Your API key."),
        "no link",
    ),
    "readable key field": (
        lambda a: a["authentication"]["fields"][0].update(type="string"),
        "is not a password field",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_check_finds_a_fault(name: str) -> None:
    plant, problem_text = FAULTS[name]
    app = copy.deepcopy(APP)
    plant(app)
    found = problems(app)
    assert any(problem_text in problem for problem in found), found
