"""The Zapier app passes our check of it, and the check finds what it is for. On Zapier's own tools it is
tried in tests/apps.
"""

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
def test_nothing_is_wrong_with_it(path: str) -> None:
    assert problems(APPS[path]) == []


def test_all_of_the_catalogue_is_in_it() -> None:
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


def test_no_secret_is_in_it() -> None:
    for app in APPS.values():
        assert not re.search(key_format.SECRET_SCANNING_PATTERN, json.dumps(app))
        assert app["authentication"]["connectionLabel"] == "{{label}}"


def test_versions_agree_wherever_they_stand() -> None:
    pushed, tried = (
        json.loads((ROOT / folder / "package.json").read_text())
        for folder in (zapier.FOLDER, "tests/apps/zapier")
    )
    core = zapier.PLATFORM_VERSION
    assert pushed["dependencies"] == {"zapier-platform-core": core}
    assert tried["dependencies"] == {"zapier-platform-core": core, "zapier-platform-schema": core}
    for app in APPS.values():
        assert (app["platformVersion"], app["version"]) == (core, pushed["version"])


def test_without_an_authorization_server_there_is_no_variant_for_it() -> None:
    urls = {"baseUrl": "https://api.example", "apiKeysUrl": "https://app.example/keys"}
    assert list(zapier.definitions(urls)) == ["zapier-app-definition.json"]


def test_tokens_may_be_refreshed_elsewhere() -> None:
    oauth = {"authorizeUrl": "https://a.example", "tokenUrl": "https://t.example", "scope": "automations:use"}
    urls = {"baseUrl": "https://api.example", "apiKeysUrl": "https://app.example/keys"}
    cases: tuple[tuple[dict[str, str], str], ...] = (
        ({}, "https://t.example"),
        ({"refreshUrl": "https://r.example"}, "https://r.example"),
    )
    for more, expected in cases:
        app = zapier.definitions({**urls, "oauth2": {**oauth, **more}})["zapier-app-definition.oauth.json"]
        assert app["authentication"]["oauth2Config"]["refreshAccessToken"]["url"] == expected
        assert problems(app) == []


def test_the_page_tells_of_all_that_is_in_it() -> None:
    page = zapier.files()["docs/ZAPIER_INTEGRATION.md"]
    for key in (*catalogue.TRIGGERS, *catalogue.ACTIONS):
        assert page.count(f"| `{key}` |") == 1


def test_a_page_without_a_place_for_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for nothing"):
        with_tables("docs/ZAPIER_INTEGRATION.md", "nothing", [])


def _in(*path: str) -> Callable[[Any], Any]:
    def find(app: Any) -> Any:
        for step in path:
            app = app[step]
        return app

    return find


trigger = _in("triggers", TRIGGER)
operation = _in("triggers", TRIGGER, "operation")
create = _in("creates", "create_post", "operation")


# A fault each, planted in a copy, and what is to be said of it.
FAULTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a dangling dynamic": (
        lambda a: operation(a)["inputFields"][0].update(dynamic="nope.id.label"),
        "lists nope",
    ),
    "a dynamic of a field that is not there": (
        lambda a: operation(a)["inputFields"][0].update(dynamic="accounts.id.name"),
        "shows accounts.name",
    ),
    "a dropdown's trigger is gone": (lambda a: a["triggers"].pop("accounts"), "lists accounts"),
    "no sample": (lambda a: operation(a).pop("sample"), "has no sample"),
    "no sample of a create": (lambda a: create(a).pop("sample"), "creates.create_post: has no sample"),
    "no id in the sample": (lambda a: operation(a)["sample"].pop("id"), "no id"),
    "no performList": (lambda a: operation(a).pop("performList"), "has no performList"),
    "no performSubscribe": (lambda a: operation(a).pop("performSubscribe"), "has no performSubscribe"),
    "no performUnsubscribe": (lambda a: operation(a).pop("performUnsubscribe"), "has no performUnsubscribe"),
    "no performResume": (lambda a: create(a).pop("performResume"), "has no performResume"),
    "a callback in the editor": (
        lambda a: create(a)["perform"].update(source="return z.request(z.generateCallbackUrl())"),
        "in the editor too",
    ),
    "no perform of a create": (lambda a: create(a).pop("perform"), "has no perform"),
    "no outputFields": (lambda a: operation(a).pop("outputFields"), "has no outputFields"),
    "an output that the sample lacks": (
        lambda a: operation(a)["sample"]["data"].pop("url"),
        "data__url is in outputFields",
    ),
    "a sample with more": (
        lambda a: operation(a)["sample"]["data"].update(x="1"),
        "data__x is in the sample",
    ),
    "an output without a label": (lambda a: operation(a)["outputFields"][3].pop("label"), "has no label"),
    "a date that is none": (lambda a: operation(a)["sample"].update(timestamp="2026-03-02"), "no time"),
    "a time that is called a string": (
        lambda a: operation(a)["outputFields"][2].update(type="string"),
        "is a time",
    ),
    "a number that is a text": (
        lambda a: operation(a)["outputFields"][3].update(type="integer"),
        "is no integer",
    ),
    "an input without a label": (lambda a: create(a)["inputFields"][0].pop("label"), "has no label"),
    "an id without a dropdown": (lambda a: create(a)["inputFields"][0].pop("dynamic"), "has no dropdown"),
    "a label in lower case": (lambda a: trigger(a)["display"].update(label="post published"), "Title Case"),
    "a noun in lower case": (lambda a: trigger(a).update(noun="post"), "Title Case"),
    "a description without a full stop": (
        lambda a: trigger(a)["display"].update(description="Triggers when a post is published"),
        "description",
    ),
    "a description that begins otherwise": (
        lambda a: trigger(a)["display"].update(description="When a post is published."),
        "description",
    ),
    "a key that is another": (lambda a: trigger(a).update(key="other"), "its key is"),
    "plain http": (lambda a: operation(a)["performList"].update(url="http://api.example/x"), "is not https"),
    "plain http in a function": (
        lambda a: create(a)["perform"].update(source="return z.request('http://api.example/x')"),
        "is not https",
    ),
    "a slash too many": (
        lambda a: operation(a)["performList"].update(url="https://api.example//api/x"),
        "two slashes",
    ),
    "no test": (lambda a: a["authentication"].pop("test"), "has no test"),
    "a key in the label": (
        lambda a: a["authentication"].update(connectionLabel="{{bundle.authData.apiKey}}"),
        "shows apiKey",
    ),
    "no label": (lambda a: a["authentication"].pop("connectionLabel"), "has no connectionLabel"),
    "nothing about where a key is found": (
        lambda a: a["authentication"]["fields"][0].update(helpText="Your API key."),
        "no link",
    ),
    "a key that can be read": (
        lambda a: a["authentication"]["fields"][0].update(type="string"),
        "can be read",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    plant, words = FAULTS[name]
    app = copy.deepcopy(APP)
    plant(app)
    found = problems(app)
    assert any(words in problem for problem in found), found
