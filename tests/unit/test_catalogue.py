"""The catalogue of event types and actions: its files, their schemas and samples.

The tests of Patchbay's own events check them against the catalogue (`assert_catalogued`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from local.settings import ROOT
from patchbay import catalogue
from patchbay.catalogue import flow_templates
from patchbay.catalogue.entries import (
    Action,
    Entry,
    EventTypeInfo,
    all_actions,
    all_entries,
    check_data,
    check_input,
    check_output,
    choice_resources,
    load_action,
    load_entry,
    resources,
)
from patchbay.catalogue.flow_templates import FlowPlan
from patchbay.catalogue.schemas import CHOICES
from patchbay.catalogue.templates import AutomationTemplate, EventTrigger, all_templates
from patchbay.errors import ValidationFailed
from tests.catalogued import schema_errors

ENTRIES = {entry.type: entry for entry in all_entries()}
ACTIONS = {action.key: action for action in all_actions()}


def test_event_types_are_complete() -> None:
    assert {
        *("POST_PUBLISHED", "POST_SCHEDULED", "POST_FAILED", "MENTION_RECEIVED", "MESSAGE_RECEIVED"),
        *("CONVERSATION_ASSIGNED", "ALERT_TRIGGERED", "CAMPAIGN_STARTED", "CAMPAIGN_COMPLETED"),
        *("APPROVAL_REQUESTED", "APPROVAL_COMPLETED"),
    } == catalogue.PUBLISHABLE
    assert {
        *("DELIVERY_FAILED", "WEBHOOK_FAILING", "WEBHOOK_RECOVERED", "WEBHOOK_DISABLED"),
        *("CONNECTION_CREATED", "CONNECTION_EXPIRED", "CONNECTION_RECOVERED", "CONNECTION_REVOKED"),
        *("API_KEY_CREATED", "API_KEY_ROTATED", "API_KEY_REVOKED", "API_KEY_EXPIRING", "RATE_LIMIT_NEAR"),
        *("API_KEY_ROTATION_DUE", "API_KEY_ROTATION_FAILED"),
    } == catalogue.OPERATIONAL
    assert {"ACTION_REQUESTED"} == catalogue.PLATFORM_ONLY
    assert set(ENTRIES) == catalogue.ALL


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_sample_matches_schema_and_has_every_field(entry: Entry) -> None:
    Draft202012Validator.check_schema(entry.json_schema)
    assert schema_errors(entry, entry.sample) == []
    properties = entry.json_schema["properties"]
    assert isinstance(properties, dict)
    assert list(entry.sample) == list(properties)
    # Further fields are allowed, and required fields must be present.
    assert schema_errors(entry, {**entry.sample, "more": 1}) == []
    required = entry.json_schema["required"]
    assert isinstance(required, list)
    assert required
    for name in required:
        assert schema_errors(entry, {key: value for key, value in entry.sample.items() if key != name})


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_label_and_api_form(entry: Entry) -> None:
    assert entry.label.startswith(entry.noun)
    assert entry.label.upper().replace(" ", "_") == entry.type
    assert entry.to_api() == EventTypeInfo(
        type=entry.type,
        kind=entry.kind,
        description=entry.description,
        json_schema=entry.json_schema,
        sample=entry.sample,
    )


def test_load_by_key() -> None:
    assert load_entry("POST_FAILED") == ENTRIES["POST_FAILED"]
    assert load_action("create_post") == ACTIONS["create_post"]
    for key in ("NOPE", "", "*", "../publishable/POST_FAILED", "post_failed", "CREATE_POST"):
        with pytest.raises(KeyError):
            load_entry(key)
        with pytest.raises(KeyError):
            load_action(key)


# ── actions ──────────────────────────────────────────────────────────────────────────────────────────


def test_actions_are_complete() -> None:
    assert {
        *("create_post", "schedule_post", "reply_to_message"),
        *("assign_conversation", "decide_approval", "create_campaign"),
    } == catalogue.ACTIONS
    assert set(ACTIONS) == catalogue.ACTIONS


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_action_samples_match_schemas_and_have_every_field(action: Action) -> None:
    for schema, sample, check in (
        (action.input, action.sample.input, check_input),
        (action.output, action.sample.output, check_output),
    ):
        Draft202012Validator.check_schema(schema)
        check(action.key, sample)
        check(action.key, {**sample, "more": 1})
        properties, required = schema["properties"], schema["required"]
        assert isinstance(properties, dict)
        assert isinstance(required, list)
        assert list(sample) == list(properties)
        assert required
        for name in required:
            with pytest.raises(ValidationFailed) as raised:
                check(action.key, {key: value for key, value in sample.items() if key != name})
            assert [error.path.split(".")[1:] for error in raised.value.errors] == [[name]]
    assert action.label.lower().replace(" ", "_") == action.key


def test_id_fields_name_a_choice_resource() -> None:
    assert choice_resources() == {"accounts", "approvals", "assignees", "campaigns", "conversations"}
    assert resources() == choice_resources() | {"posts"}
    for action in ACTIONS.values():
        properties = action.input["properties"]
        assert isinstance(properties, dict)
        for name, part in properties.items():
            assert isinstance(part, dict)
            assert (CHOICES in part) is name.endswith("Id"), f"{action.key}.{name}"


# ── templates of automations ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("template", all_templates(), ids=lambda template: template.key)
def test_template_uses_existing_fields(template: AutomationTemplate) -> None:
    """Each reference to the event, such as `{{data.url}}`, names a field of it."""
    fields = set()
    if isinstance(template.when, EventTrigger):
        properties = load_entry(template.when.event).json_schema["properties"]
        assert isinstance(properties, dict)
        fields = {f"data.{name}" for name in properties}
        for filter in template.when.filters:
            assert f"data.{filter.path}" in fields
    text = template.model_dump_json()
    used = set(re.findall(r"{{(data\.[^}]*)}}", text))
    assert used <= fields
    assert bool(used) == bool(fields)


TEMPLATE: dict[str, Any] = all_templates()[0].model_dump(mode="json", by_alias=True)


@pytest.mark.parametrize(
    "change",
    [
        {"platform": "pipedream"},
        {"name": "no capital"},
        {"description": "No full stop"},
        {"when": {"event": "NOPE"}},
        {"when": {"event": "ACTION_REQUESTED"}},
        {"when": {"event": "POST_FAILED", "filters": [{"path": "a", "op": "like", "value": "b"}]}},
        {"then": []},
        {"then": [{"action": "nope", "input": {}}]},
        {"then": [{"action": "create_post", "input": {"accountId": "a"}}]},
        {"then": [{"action": "create_campaign", "input": {"name": "a", "other": "b"}}]},
        {"when": {"app": "A", "trigger": "B"}, "then": [{"app": "A", "action": "B", "fields": {}}]},
        {"flow": "nope"},
        {"flow": "failed_posts"},
        {"when": {**TEMPLATE["when"], "filters": []}},
        {"when": {"app": "A", "trigger": "B"}},
        {"extra": 1},
    ],
    ids=json.dumps,
)
def test_invalid_template_is_rejected(change: dict[str, Any]) -> None:
    assert AutomationTemplate.model_validate(TEMPLATE) == all_templates()[0]
    with pytest.raises(ValidationError):
        AutomationTemplate.model_validate({**TEMPLATE, **change})


FLOWS = {key: flow_templates.load(key) for key in flow_templates.all_keys()}


@pytest.mark.parametrize("plan", FLOWS.values(), ids=FLOWS)
def test_template_of_a_flow_uses_all_its_choices(plan: FlowPlan) -> None:
    used = re.findall(r'"{{choices\.(\w+)}}"', json.dumps(plan.steps))
    assert set(used) == {choice.key for choice in plan.choices}
    assert len(used) == json.dumps(plan.steps).count("choices."), "a choice is a whole string"


CHOICE = {
    "key": "account",
    "type": "object",
    "resource": "accounts",
    "label": "Account",
    "description": "One.",
}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "No. stops"},
        {"trigger": {"type": "event", "eventTypes": ["ACTION_REQUESTED"]}},
        {"trigger": {"type": "event", "eventTypes": []}},
        {"steps": []},
        {"choices": [{**CHOICE, "resource": "planets"}]},
        {"choices": [{**CHOICE, "resource": None}]},
        {"choices": [{**CHOICE, "type": "webhook"}]},
        {"choices": [{**CHOICE, "key": "the account"}]},
        {"platform": "zapier"},
    ],
    ids=json.dumps,
)
def test_invalid_template_of_a_flow_is_rejected(change: dict[str, Any]) -> None:
    good = FLOWS["campaign_thanks"].model_dump(mode="json", by_alias=True)
    assert FlowPlan.model_validate({**good, "choices": [CHOICE]}).choices[0].resource == "accounts"
    with pytest.raises(ValidationError):
        FlowPlan.model_validate({**good, **change})


# ── validation of data ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"postId": 8412}, "data.postId", "must be a string"),
        ({"postId": None}, "data.postId", "must be a string"),
        ({"willRetry": "yes"}, "data.willRetry", "must be true or false"),
        ({"failedAt": "2026-03-02"}, "data.failedAt", "must be an ISO 8601 time with an offset"),
        ({"failedAt": "2026-02-30T00:00:00Z"}, "data.failedAt", "must be an ISO 8601 time"),
    ],
)
def test_invalid_data_is_rejected_with_path(change: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        check_data("POST_FAILED", {**GOOD["sample"], **change})
    (error,) = raised.value.errors
    assert error.path == path
    assert error.message.startswith(message)


def test_error_contains_paths_but_no_data() -> None:
    private = "very private"
    data = {"postId": {private: private}, "network": [private], "mediaUrls": [1, private], "text": [private]}
    with pytest.raises(ValidationFailed) as raised:
        check_data("POST_PUBLISHED", data)
    assert sorted(error.path for error in raised.value.errors) == [
        *("data.mediaUrls.0", "data.mediaUrls.1", "data.network", "data.postId", "data.text"),
    ]
    assert private not in str(raised.value)
    assert private not in repr(raised.value.errors)


def test_number_of_errors_is_limited() -> None:
    data = {**ENTRIES["POST_PUBLISHED"].sample, "mediaUrls": [1] * 10_000}
    with pytest.raises(ValidationFailed, match=r"\(and 19 more\)$") as raised:
        check_data("POST_PUBLISHED", data)
    assert len(raised.value.errors) == 20


@pytest.mark.parametrize("number", [2**70, -(10**400), 1e300, 1.0])
def test_number_of_any_size_is_validated(number: float) -> None:
    check_data("CAMPAIGN_COMPLETED", {"campaignId": "c", "name": "n", "impressions": number})


# ── files ────────────────────────────────────────────────────────────────────────────────────────────


GOOD: dict[str, Any] = ENTRIES["POST_FAILED"].model_dump(by_alias=True)
TITLED = {"title": "X", "description": "x"}


def with_part(**part: Any) -> dict[str, Any]:
    """The schema with one extra property."""
    schema = GOOD["schema"]
    return {"schema": {**schema, "properties": {**schema["properties"], "x": {**TITLED, **part}}}}


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"label": "post failed"},
        {"noun": ""},
        {"description": "When a post fails."},
        {"description": "Triggers when a post fails"},
        {"kind": "secret"},
        {"sample": []},
        {"schema": {"type": "object"}},
        {"schema": {**GOOD["schema"], "type": "array"}},
        {"schema": {**GOOD["schema"], "$schema": "http://json-schema.org/draft-07/schema#"}},
        {"schema": {**GOOD["schema"], "required": ["nothing"]}},
        {"schema": {**GOOD["schema"], "$defs": {}}},
        with_part(**{"$ref": "https://elsewhere.example/schema"}),
        with_part(type="string", pattern="(a+)+$"),
        with_part(type="object", patternProperties={".*": {}}),
        with_part(type="text"),
        with_part(type=["string", "text"]),
        with_part(),
        with_part(type="string", format="regex"),
        with_part(type="array", items={"$ref": "#"}),
        with_part(type="array", items=[{"type": "string"}]),
        with_part(type="object", properties={"y": {"type": "string"}}),
    ],
    ids=lambda change: json.dumps(change)[-60:],
)
def test_invalid_entry_is_rejected(change: dict[str, Any]) -> None:
    assert Entry.model_validate(GOOD) == ENTRIES["POST_FAILED"]
    with pytest.raises(ValidationError):
        Entry.model_validate({**GOOD, **change})


def test_files_have_canonical_format() -> None:
    """The files use two spaces and no escapes, so that a diff shows only what changes."""
    files = sorted((ROOT / "layers/patchbay/patchbay/catalogue").rglob("*.json"))
    templates = len(all_templates()) + len(flow_templates.all_keys())
    assert len(files) == len(catalogue.ALL) + len(catalogue.ACTIONS) + templates
    for file in files:
        text = file.read_text("utf-8")
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n", file.name


def test_importing_catalogue_reads_no_file() -> None:
    """Every function imports it, and a cold start should not read schemas and samples."""
    code = (
        "import sys, builtins; opened = []; real = builtins.open\n"
        "builtins.open = lambda *a, **k: (opened.append(a), real(*a, **k))[1]\n"
        "import patchbay.catalogue; print(opened, 'pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "layers/patchbay")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[0] == "[] False"
