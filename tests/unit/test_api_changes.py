"""`make api-changes` tells changes that break clients from those that do not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tools.openapi.changes import changes

Json = dict[str, Any]

THING: Json = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 100},
        "status": {"type": "string", "enum": ["ACTIVE", "INACTIVE"]},
        "parent": {"oneOf": [{"$ref": "#/components/schemas/Thing"}, {"type": "null"}]},
    },
    "required": ["name"],
}
CREATE: Json = copy.deepcopy(
    {**THING, "properties": {name: THING["properties"][name] for name in ("name", "status")}}
)
DOCUMENT: Json = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "createThing",
                "x-required-scope": "things:write",
                "parameters": [{"name": "dryRun", "required": False, "schema": {"type": "boolean"}}],
                "requestBody": {
                    "required": False,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CreateThing"}}},
                },
                "responses": {
                    "201": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                    }
                },
            }
        }
    },
    "webhooks": {
        "THING_MADE": {
            "post": {
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                }
            }
        }
    },
    "components": {"schemas": {"Thing": THING, "CreateThing": CREATE}},
}


def operation(document: Json) -> Json:
    found: Json = document["paths"]["/things"]["post"]
    return found


def fields(document: Json, name: str) -> Json:
    found: Json = document["components"]["schemas"][name]["properties"]
    return found


CASES: dict[str, tuple[Callable[[Json], object], bool]] = {
    "createThing: x-required-scope is things:admin": (
        lambda new: operation(new).update({"x-required-scope": "things:admin"}),
        True,
    ),
    "createThing: x-required-scope is None": (
        lambda new: operation(new).pop("x-required-scope"),
        False,
    ),
    "createThing: credentials are required": (
        lambda new: operation(new).update(security=[{"apiKey": ["things:write"]}]),
        True,
    ),
    "operation POST /things is gone": (lambda new: new["paths"].clear(), True),
    "event type THING_MADE is gone": (lambda new: new["webhooks"].clear(), True),
    "createThing: parameter dryRun is gone": (lambda new: operation(new)["parameters"].clear(), True),
    "createThing: parameter dryRun is required": (
        lambda new: operation(new)["parameters"][0].update(required=True),
        True,
    ),
    "createThing: a body is required": (
        lambda new: operation(new)["requestBody"].update(required=True),
        True,
    ),
    "createThing: status 201 is gone": (lambda new: operation(new)["responses"].clear(), True),
    "CreateThing: field status is required": (
        lambda new: new["components"]["schemas"]["CreateThing"]["required"].append("status"),
        True,
    ),
    "CreateThing: field status is gone": (lambda new: fields(new, "CreateThing").pop("status"), True),
    "CreateThing.name: maxLength is 50": (
        lambda new: fields(new, "CreateThing")["name"].update(maxLength=50),
        True,
    ),
    'CreateThing.status: values without "INACTIVE"': (
        lambda new: fields(new, "CreateThing")["status"]["enum"].remove("INACTIVE"),
        True,
    ),
    "Thing: field name is optional": (
        lambda new: new["components"]["schemas"]["Thing"]["required"].clear(),
        True,
    ),
    "Thing: field status is gone": (lambda new: fields(new, "Thing").pop("status"), True),
    "Thing.name: types with null": (
        lambda new: fields(new, "Thing")["name"].update(type=["string", "null"]),
        True,
    ),
    'Thing.parent: variants with "string"': (
        lambda new: fields(new, "Thing")["parent"]["oneOf"].append({"type": "string"}),
        True,
    ),
    "CreateThing.name: types with null": (
        lambda new: fields(new, "CreateThing")["name"].update(type=["string", "null"]),
        False,
    ),
    'Thing.status: values with "PAUSED"': (
        lambda new: fields(new, "Thing")["status"]["enum"].append("PAUSED"),
        False,
    ),
    "Thing: field owner is new": (lambda new: fields(new, "Thing").update(owner={"type": "string"}), False),
    "CreateThing: field owner is new": (
        lambda new: fields(new, "CreateThing").update(owner={"type": "string"}),
        False,
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_change_is_found_and_judged(what: str) -> None:
    change, is_breaking = CASES[what]
    new = copy.deepcopy(DOCUMENT)
    change(new)
    found = changes(DOCUMENT, new)
    lines = {": ".join(filter(None, each[1:])): each.is_breaking for each in found}
    matching = [breaks for line, breaks in lines.items() if line.startswith(what)]
    assert matching == [is_breaking], lines
    assert any(lines.values()) is is_breaking


def test_same_document_has_no_changes() -> None:
    assert changes(DOCUMENT, copy.deepcopy(DOCUMENT)) == []
