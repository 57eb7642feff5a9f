"""The `webhooks` of the document: the requests to receivers for each event type of the catalogue."""

from __future__ import annotations

from typing import Any

from pydantic.alias_generators import to_pascal

from patchbay.catalogue.entries import Entry, all_entries
from tools.openapi.schemas import PREFIX
from tools.openapi.texts import TEXTS

Json = dict[str, Any]


def webhook(entry: Entry) -> Json:
    """The request that a receiver gets for an event of this type."""
    name = to_pascal(entry.type.lower())
    return {
        "post": {
            "operationId": f"receive{name}",
            "tags": [TEXTS["webhooks"]["tag"]],
            "summary": entry.label,
            "description": entry.description + " " + TEXTS["kinds"][entry.kind],
            "security": [],
            "parameters": [
                {"name": header, "in": "header", "required": True, **content}
                for header, content in TEXTS["webhooks"]["headers"].items()
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": f"{PREFIX}{name}Event"},
                        "examples": {"sample": {"summary": entry.label, "value": sample(entry)}},
                    }
                },
            },
            "responses": TEXTS["webhooks"]["responses"],
        }
    }


def sample(entry: Entry) -> Json:
    """The body of the request."""
    return {
        "id": TEXTS["webhooks"]["event_id"],
        "type": entry.type,
        "timestamp": TEXTS["webhooks"]["timestamp"],
        "data": entry.sample,
    }


def schemas() -> dict[str, Json]:
    """The schemas of the requests and of their data."""
    found: dict[str, Json] = {}
    for entry in all_entries():
        name = to_pascal(entry.type.lower())
        data = _untitled({key: value for key, value in entry.json_schema.items() if key != "$schema"})
        found[f"{name}Data"] = {"description": f"The `data` of the event `{entry.type}`.", **data}
        found[f"{name}Event"] = {
            "description": entry.description,
            "type": "object",
            "properties": {
                "id": {"type": "string", "pattern": "^evt_[0-9A-Za-z]{22}$"},
                "type": {"type": "string", "const": entry.type},
                "timestamp": {"type": "string", "format": "date-time"},
                "data": {"$ref": f"{PREFIX}{name}Data"},
            },
            "required": ["id", "type", "timestamp", "data"],
        }
    return found


def _untitled(schema: Any) -> Any:
    """The schema without titles, which generators would use as type names, and with null outside of enums."""
    if isinstance(schema, list):
        return [_untitled(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if None in schema.get("enum", ()):
        values = {"type": "string", "enum": [value for value in schema["enum"] if value is not None]}
        schema = {
            **{key: value for key, value in schema.items() if key not in ("type", "enum")},
            "anyOf": [values, {"type": "null"}],
        }
    return {
        key: {name: _untitled(field) for name, field in value.items()}
        if key == "properties"
        else _untitled(value)
        for key, value in schema.items()
        if key != "title"
    }
