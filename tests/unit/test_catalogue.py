"""The catalogue of event types: its files, their schemas and samples.

That what Patchbay announces is as catalogued is part of the tests that have it announced
(`assert_catalogued`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from local.settings import ROOT
from patchbay.events import catalogue
from patchbay.events.catalogue.entries import Entry, EventTypeInfo, all_entries, load
from tests.catalogued import errors

ENTRIES = {entry.key: entry for entry in all_entries()}


def test_the_types_are_the_contracts() -> None:
    assert {
        *("POST_PUBLISHED", "POST_SCHEDULED", "POST_FAILED", "MENTION_RECEIVED", "MESSAGE_RECEIVED"),
        *("CONVERSATION_ASSIGNED", "ALERT_TRIGGERED", "CAMPAIGN_STARTED", "CAMPAIGN_COMPLETED"),
        *("APPROVAL_REQUESTED", "APPROVAL_COMPLETED"),
    } == catalogue.PUBLISHABLE
    assert {"WEBHOOK_DISABLED", "CONNECTION_EXPIRED", "API_KEY_EXPIRING"} == catalogue.OPERATIONAL
    assert {"ACTION_REQUESTED"} == catalogue.PLATFORM_ONLY
    assert set(ENTRIES) == catalogue.ALL


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_a_sample_fits_its_schema_and_shows_all_of_it(entry: Entry) -> None:
    Draft202012Validator.check_schema(entry.json_schema)
    assert errors(entry, entry.sample) == []
    properties = entry.json_schema["properties"]
    assert isinstance(properties, dict)
    assert list(entry.sample) == list(properties)
    # Further fields may come along; what is required may not be missing.
    assert errors(entry, {**entry.sample, "more": 1}) == []
    required = entry.json_schema["required"]
    assert isinstance(required, list)
    assert required
    for name in required:
        assert errors(entry, {key: value for key, value in entry.sample.items() if key != name})


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_words_for_people(entry: Entry) -> None:
    assert entry.label.startswith(entry.noun)
    assert entry.label.upper().replace(" ", "_") == entry.key
    assert entry.info() == EventTypeInfo(
        key=entry.key,
        kind=entry.kind,
        description=entry.description,
        json_schema=entry.json_schema,
        sample=entry.sample,
    )


def test_one_is_loaded_by_its_key() -> None:
    assert load("POST_FAILED") == ENTRIES["POST_FAILED"]
    for key in ("NOPE", "", "*", "../publishable/POST_FAILED", "post_failed"):
        with pytest.raises(KeyError):
            load(key)


GOOD: dict[str, Any] = ENTRIES["POST_FAILED"].model_dump(by_alias=True)
TITLED = {"title": "X", "description": "x"}


def with_part(**part: Any) -> dict[str, Any]:
    """The schema with one property more."""
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
def test_a_file_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    assert Entry.model_validate(GOOD) == ENTRIES["POST_FAILED"]
    with pytest.raises(ValidationError):
        Entry.model_validate({**GOOD, **change})


def test_files_are_written_one_way() -> None:
    """Two spaces, text as it is: so that a change shows as what it changes."""
    files = sorted((ROOT / "layers/patchbay/patchbay/events/catalogue").rglob("*.json"))
    assert len(files) == len(catalogue.ALL)
    for file in files:
        text = file.read_text("utf-8")
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n", file.name


def test_importing_the_names_reads_no_file() -> None:
    """Every function does, and no cold start is to pay for schemas and samples."""
    code = (
        "import sys, builtins; opened = []; real = builtins.open\n"
        "builtins.open = lambda *a, **k: (opened.append(a), real(*a, **k))[1]\n"
        "import patchbay.events.catalogue; print(opened, 'pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "layers/patchbay")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[0] == "[] False"
