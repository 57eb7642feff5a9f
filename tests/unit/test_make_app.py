"""The Make app is whole: nothing refers to what is not there, and each rule finds its fault."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.settings import ROOT
from tools.apps.make import camel, kebab, sentence
from tools.apps.make_check import problems
from tools.apps.make_iml import UNDEFINED, ImlError, evaluate

APP = ROOT / "apps/make"
BASE = "general/base.iml.json"
MANIFEST = "makecomapp.json"
CONNECTION = "connections/patchbay/patchbay.communication.iml.json"
CREATE = "modules/create-post/create-post"
WATCH = "modules/watch-published-posts/watch-published-posts"
HOOK = "webhooks/post-published/post-published"
LIST = "rpcs/list-accounts/list-accounts.communication.iml.json"
SEARCH = "modules/search-posts/search-posts.communication.iml.json"
CALL = "modules/make-api-call/make-api-call"


def test_there_is_no_problem() -> None:
    assert problems(APP) == []


def _module(id: str, **changes: Any) -> Callable[[Any], None]:
    return lambda app: app["components"]["module"][id].update(changes)


def _at(*steps: Any, to: Any) -> Callable[[Any], None]:
    """A change of one value; None takes it away."""

    def change(content: Any) -> None:
        *above, last = steps
        for step in above:
            content = content[step]
        if to is None:
            del content[last]
        else:
            content[last] = to

    return change


def _renamed(kind: str, old: str, new: str) -> Callable[[Any], None]:
    def change(app: Any) -> None:
        app["components"][kind][new] = app["components"][kind].pop(old)

    return change


FAULTS: list[tuple[str, Callable[[Any], None], str]] = [
    (MANIFEST, _at("generalCodeFiles", "base", to="general/none.json"), "no such file: general/none.json"),
    (
        MANIFEST,
        _at("components", "rpc", "listEvents", "codeFiles", "communication", to=LIST),
        "used twice",
    ),
    (MANIFEST, _at("components", "module", "createPost", "codeFiles", "samples", to=None), "nobody uses it"),
    (
        MANIFEST,
        _at("components", "module", "createPost", "codeFiles", "interface", to=None),
        "createPost: has no interface",
    ),
    (MANIFEST, _renamed("rpc", "listEvents", "list-events"), "rpc list-events: not an id"),
    (MANIFEST, _renamed("module", "getRun", "CREATEPOST"), "module createpost: the same but"),
    (MANIFEST, _module("createPost", connection="other"), "createPost: there is no connection other"),
    (MANIFEST, _module("watchEvents", webhook="other"), "watchEvents: there is no webhook other"),
    (MANIFEST, _module("watchEvents", webhook="postFailed"), "webhook anyEvent: nobody uses it"),
    (MANIFEST, _module("createPost", webhook="anyEvent"), "a webhook is for instant triggers"),
    (MANIFEST, _at("components", "rpc", "listEvents", "connection", to=None), "has no connection"),
    (f"{HOOK}.params.iml.json", _at(0, "options", to="rpc://listNone"), "there is no rpc://listNone"),
    (f"{CREATE}.communication.iml.json", _at(0, "qs", to={"a": "{{parameters.none}}"}), "parameters.none"),
    (f"{CREATE}.communication.iml.json", _at(0, "response", "temp", to={}), "there is no temp.runId"),
    (f"{CREATE}.communication.iml.json", _at(0, "body", "input", "text", to=None), "parameter text goes"),
    (f"{CREATE}.communication.iml.json", _at(0, "qs", to={"a": "{{now()}}"}), "not understood"),
    (f"{CREATE}.communication.iml.json", _at(0, "qs", to={"a": "{{md5(body)}}"}), "no function md5"),
    (BASE, _at("headers", "authorization", to="{{connection.token}}"), "base: there is no connection.token"),
    (BASE, _at("baseUrl", to="{{common.host}}"), "base: there is no common.host"),
    (f"{HOOK}.attach.iml.json", _at("response", "data", to={}), "there is no webhook.externalHookId"),
    (f"{HOOK}.attach.iml.json", _at("body", "filters", to=[]), "parameter accountId goes nowhere"),
    (MANIFEST, _module("watchPublishedPosts", label="Published posts"), "called Watch …"),
    (MANIFEST, _module("createPost", label="Watch a post"), "called Watch …"),
    (MANIFEST, _module("createPost", label="Create a Post"), "only the first word"),
    (MANIFEST, _module("createPost", label="Schedule a post"), "two modules are called"),
    (MANIFEST, _module("createPost", description="Triggers when a post is created."), "of a description"),
    (MANIFEST, _module("makeApiCall", label="Call the API"), "one universal module"),
    ("modules/groups.json", _at(0, "modules", to=["none"]), "module none: in a group"),
    ("modules/groups.json", _at(0, "modules", to=["watchTriggeredAlerts", "getRun"]), "getRun: in two"),
    (BASE, _at("log", to={}), "base: logs the key"),
    (BASE, _at("response", "error", to={}), "base: says nothing of errors"),
    (CONNECTION, _at("log", to={}), "connection patchbay: logs the key"),
    (CONNECTION, _at("response", "metadata", "value", to="{{parameters.apiKey}}"), "its label may show"),
    ("connections/patchbay/patchbay.params.iml.json", _at(0, "type", to="text"), "a key is a password"),
    (f"{HOOK}.attach.iml.json", _at("log", to={}), "webhook postPublished: logs the key"),
    ("general/common.json", _at("baseUrl", to="https://other.example.com"), "common: one https"),
    (f"{CALL}.communication.iml.json", _at("url", to="{{parameters.url}}"), "does not begin with"),
    (
        f"{CREATE}.communication.iml.json",
        _at(0, "url", to="https://example.com/actions/create_post"),
        "begin",
    ),
    (LIST, _at("response", "limit", to=None), "rpc listAccounts: has no limit"),
    (SEARCH, _at("response", "limit", to=None), "module searchPosts: has no limit"),
    (LIST, _at("response", "output", to={"label": "{{item.label}}"}), "a choice is"),
    (f"{HOOK}.attach.iml.json", _at("body", "event", to="POST_NONE"), "there is no trigger POST_NONE"),
    (f"{HOOK}.attach.iml.json", _at("body", "event", to="POST_FAILED"), "POST_FAILED: 2 triggers"),
    (f"{WATCH}.interface.iml.json", _at(3, "spec", 0, "name", to="id"), "is not the data of POST_PUBLISHED"),
    (f"{WATCH}.samples.iml.json", _at("data", "postId", to="post_1"), "its sample is not the catalogue's"),
    (f"{WATCH}.samples.iml.json", _at("none", to=1), "its sample has none"),
    (f"{WATCH}.samples.iml.json", _at("data", "mediaUrls", to="one"), "mediaUrls is no array"),
    (f"{CREATE}.mappable-params.iml.json", _at(0, "required", to=False), "what is required"),
    (f"{CREATE}.mappable-params.iml.json", _at(0, to=None), "its fields are not those of create_post"),
    (
        "modules/decide-approval/decide-approval.mappable-params.iml.json",
        _at(1, "options", 0, "value", to="yes"),
        "the options of decision",
    ),
    (f"{CREATE}.communication.iml.json", _at(0, "body", to={}), "does not send the input"),
    (f"{CREATE}.communication.iml.json", _at(0, "url", to="/api/automations/make/actions/none"), "no action"),
    (f"{CREATE}.interface.iml.json", _at(3, "spec", to=[]), "is not the output of create_post"),
    (f"{CREATE}.samples.iml.json", _at("output", "postId", to="post_1"), "its sample is not the catalogue's"),
]


@pytest.mark.parametrize(("file", "change", "found"), FAULTS, ids=[found for _, _, found in FAULTS])
def test_a_fault_is_found(tmp_path: Path, file: str, change: Callable[[Any], None], found: str) -> None:
    shutil.copytree(APP, tmp_path / "app")
    path = tmp_path / "app" / file
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    said = problems(tmp_path / "app")
    assert any(found in each for each in said), said


def test_a_file_too_many_is_found(tmp_path: Path) -> None:
    shutil.copytree(APP, tmp_path / "app")
    (tmp_path / "app/rpcs/old.iml.json").write_text("{}")
    assert problems(tmp_path / "app") == ["rpcs/old.iml.json: nobody uses it"]


def test_a_name_that_stands_twice_is_found(tmp_path: Path) -> None:
    shutil.copytree(APP, tmp_path / "app")
    (tmp_path / "app" / LIST).write_text('{"url": "/a", "url": "/b"}')
    [said] = problems(tmp_path / "app")
    assert said.endswith("url stands twice")


# ── mappings ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{a.list}}", [{"n": "x"}, {"n": "y"}]),
        ("{{a.number}}", 3),
        ("no. {{a.number}}!", "no. 3!"),
        ("{{a.none}}", UNDEFINED),
        ("<{{a.none}}>", "<>"),
        ("{{a.none.deeper}}", UNDEFINED),
        ("{{ifempty(a.none, '')}}", ""),
        ("{{if(a.list, 'n: ' + join(map(a.list, 'n'), ', '), '')}}", "n: x, y"),
        ("{{length(a.list) = 2}}", True),
        ("{{a.number != 3}}", False),
        ("{{encodeURL(a.path)}}", "..%2Fme"),
        ({"x": "{{a.none}}", "y": "{{a.number}}"}, {"y": 3}),
        ({"{{...}}": "{{toCollection(a.list, 'n', 'n')}}", "z": 1}, {"x": "x", "y": "y", "z": 1}),
    ],
)
def test_a_mapping(text: Any, value: Any) -> None:
    variables = {"a": {"list": [{"n": "x"}, {"n": "y"}], "number": 3, "path": "../me"}}
    assert evaluate(text, variables) == value


@pytest.mark.parametrize(
    "text",
    ["{{b}}", "{{a", "a}}", "{{a b}}", "{{}}", "{{a(}}", "{{md5(a)}}", "{{a; b}}", "{{a + }}", "{{a.0}}"],
)
def test_what_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(ImlError):
        evaluate(text, {"a": {}})


def test_names() -> None:
    assert sentence("Require Approval") == "Require approval"
    assert sentence("Media URLs") == "Media URLs"
    assert camel("Watch expiring API keys") == "watchExpiringApiKeys"
    assert kebab("watchExpiringApiKeys") == "watch-expiring-api-keys"
