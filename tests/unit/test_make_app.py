"""The Make app passes its check, each rule of the check finds its fault, and IML is evaluated."""

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


def test_app_has_no_faults() -> None:
    assert problems(APP) == []


def _module(id: str, **changes: Any) -> Callable[[Any], None]:
    return lambda app: app["components"]["module"][id].update(changes)


def _at(*steps: Any, to: Any) -> Callable[[Any], None]:
    """A change of one value; None deletes it."""

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
    (MANIFEST, _at("components", "module", "createPost", "codeFiles", "samples", to=None), "unused"),
    (
        MANIFEST,
        _at("components", "module", "createPost", "codeFiles", "interface", to=None),
        "createPost: has no interface",
    ),
    (MANIFEST, _renamed("rpc", "listEvents", "list-events"), "rpc list-events: invalid ID"),
    (MANIFEST, _renamed("module", "getRun", "CREATEPOST"), "module createpost: IDs differ only in case"),
    (MANIFEST, _module("createPost", connection="other"), "createPost: unknown connection other"),
    (MANIFEST, _module("watchEvents", webhook="other"), "watchEvents: unknown webhook other"),
    (MANIFEST, _module("watchEvents", webhook="postFailed"), "webhook anyEvent: unused"),
    (MANIFEST, _module("createPost", webhook="anyEvent"), "instant triggers, and only they"),
    (MANIFEST, _at("components", "rpc", "listEvents", "connection", to=None), "has no connection"),
    (f"{HOOK}.params.iml.json", _at(0, "options", to="rpc://listNone"), "unknown rpc listNone"),
    (
        f"{CREATE}.communication.iml.json",
        _at(0, "qs", to={"a": "{{parameters.none}}"}),
        "variable parameters.none",
    ),
    (f"{CREATE}.communication.iml.json", _at(0, "response", "temp", to={}), "unknown variable temp.runId"),
    (f"{CREATE}.communication.iml.json", _at(0, "body", "input", "text", to=None), "unused parameter text"),
    (f"{CREATE}.communication.iml.json", _at(0, "qs", to={"a": "{{now()}}"}), "invalid mapping"),
    (f"{CREATE}.communication.iml.json", _at(0, "qs", to={"a": "{{md5(body)}}"}), "unknown function md5"),
    (
        BASE,
        _at("headers", "authorization", to="{{connection.token}}"),
        "base: unknown variable connection.token",
    ),
    (BASE, _at("baseUrl", to="{{common.host}}"), "base: unknown variable common.host"),
    (f"{HOOK}.attach.iml.json", _at("response", "data", to={}), "unknown variable webhook.externalHookId"),
    (f"{HOOK}.attach.iml.json", _at("body", "filters", to=[]), "unused parameter accountId"),
    (MANIFEST, _module("watchPublishedPosts", label="Published posts"), "start with Watch"),
    (MANIFEST, _module("createPost", label="Watch a post"), "start with Watch"),
    (MANIFEST, _module("createPost", label="Create a Post"), "only the first word"),
    (MANIFEST, _module("createPost", label="Schedule a post"), "two modules have the label"),
    (
        MANIFEST,
        _module("createPost", description="Triggers when a post is created."),
        "form of a description",
    ),
    (MANIFEST, _module("makeApiCall", label="Call the API"), "one universal module"),
    ("modules/groups.json", _at(0, "modules", to=["none"]), "module none: in no group"),
    ("modules/groups.json", _at(0, "modules", to=["watchTriggeredAlerts", "getRun"]), "getRun: in two"),
    (BASE, _at("log", to={}), "base: logs the key"),
    (BASE, _at("response", "error", to={}), "base: has no error message"),
    (CONNECTION, _at("log", to={}), "connection patchbay: logs the key"),
    (
        CONNECTION,
        _at("response", "metadata", "value", to="{{parameters.apiKey}}"),
        "its label may show the user's input",
    ),
    ("connections/patchbay/patchbay.params.iml.json", _at(0, "type", to="text"), "must be a password"),
    (f"{HOOK}.attach.iml.json", _at("log", to={}), "webhook postPublished: logs the key"),
    (
        "general/common.json",
        _at("baseUrl", to="https://other.example.com"),
        "common: the app and the connection",
    ),
    (f"{CALL}.communication.iml.json", _at("url", to="{{parameters.url}}"), "does not start with"),
    (
        f"{CREATE}.communication.iml.json",
        _at(0, "url", to="https://example.com/actions/create_post"),
        "does not start with",
    ),
    (LIST, _at("response", "limit", to=None), "rpc listAccounts: has no limit"),
    (SEARCH, _at("response", "limit", to=None), "module searchPosts: has no limit"),
    (LIST, _at("response", "output", to={"label": "{{item.label}}"}), "a choice must have"),
    (f"{HOOK}.attach.iml.json", _at("body", "eventType", to="POST_NONE"), "unknown event type POST_NONE"),
    (f"{HOOK}.attach.iml.json", _at("body", "eventType", to="POST_FAILED"), "POST_FAILED: 2 triggers"),
    (
        f"{WATCH}.interface.iml.json",
        _at(3, "spec", 0, "name", to="id"),
        "differs from the data of POST_PUBLISHED",
    ),
    (
        f"{WATCH}.samples.iml.json",
        _at("data", "postId", to="post_1"),
        "its sample differs from the catalogue's",
    ),
    (f"{WATCH}.samples.iml.json", _at("none", to=1), "its sample has none"),
    (f"{WATCH}.samples.iml.json", _at("data", "mediaUrls", to="one"), "mediaUrls is not of type array"),
    (f"{CREATE}.mappable-params.iml.json", _at(0, "required", to=False), "its required fields differ"),
    (f"{CREATE}.mappable-params.iml.json", _at(0, to=None), "its fields differ from those of create_post"),
    (
        "modules/decide-approval/decide-approval.mappable-params.iml.json",
        _at(1, "options", 0, "value", to="yes"),
        "the options of decision",
    ),
    (f"{CREATE}.communication.iml.json", _at(0, "body", to={}), "does not send the input"),
    (
        f"{CREATE}.communication.iml.json",
        _at(0, "url", to="/api/automations/make/actions/none"),
        "unknown action",
    ),
    (f"{CREATE}.interface.iml.json", _at(3, "spec", to=[]), "differs from the output of create_post"),
    (
        f"{CREATE}.samples.iml.json",
        _at("output", "postId", to="post_1"),
        "its sample differs from the catalogue's",
    ),
]


@pytest.mark.parametrize(("file", "change", "problem"), FAULTS, ids=[problem for _, _, problem in FAULTS])
def test_check_finds_a_fault(tmp_path: Path, file: str, change: Callable[[Any], None], problem: str) -> None:
    shutil.copytree(APP, tmp_path / "app")
    path = tmp_path / "app" / file
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    faults = problems(tmp_path / "app")
    assert any(problem in fault for fault in faults), faults


def test_check_finds_an_unused_file(tmp_path: Path) -> None:
    shutil.copytree(APP, tmp_path / "app")
    (tmp_path / "app/rpcs/old.iml.json").write_text("{}")
    assert problems(tmp_path / "app") == ["rpcs/old.iml.json: unused"]


def test_check_finds_a_duplicate_name(tmp_path: Path) -> None:
    shutil.copytree(APP, tmp_path / "app")
    (tmp_path / "app" / LIST).write_text('{"url": "/a", "url": "/b"}')
    [fault] = problems(tmp_path / "app")
    assert fault.endswith("duplicate name: url")


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
def test_mapping_is_evaluated(text: Any, value: Any) -> None:
    variables = {"a": {"list": [{"n": "x"}, {"n": "y"}], "number": 3, "path": "../me"}}
    assert evaluate(text, variables) == value


@pytest.mark.parametrize(
    "text",
    ["{{b}}", "{{a", "a}}", "{{a b}}", "{{}}", "{{a(}}", "{{md5(a)}}", "{{a; b}}", "{{a + }}", "{{a.0}}"],
)
def test_invalid_iml_is_rejected(text: str) -> None:
    with pytest.raises(ImlError):
        evaluate(text, {"a": {}})


def test_labels_and_names_are_converted() -> None:
    assert sentence("Require Approval") == "Require approval"
    assert sentence("Media URLs") == "Media URLs"
    assert camel("Watch expiring API keys") == "watchExpiringApiKeys"
    assert kebab("watchExpiringApiKeys") == "watch-expiring-api-keys"
