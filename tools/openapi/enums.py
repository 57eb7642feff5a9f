"""Names for the enums of fields and parameters, so that each concept is one type for code generators."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tools.openapi.schemas import PREFIX

Json = dict[str, Any]

# What distinguishes the variants of a resource's model: `WebhookDetail.status` is `WebhookStatus`.
_VARIANTS = re.compile(r"^(Create|Update|Set)(?=[A-Z])|(WithSecret|Detail|Summary|Input)$")


def name_enums(schemas: dict[str, Json], parameters: Iterable[Json]) -> None:
    """Move each enum of a field to a schema named after its model and field, and refer to it from every field
    and parameter of that name with the same values.
    """
    variants = [(_VARIANTS.sub("", name), name) for name in schemas]
    for base, name in sorted(variants, key=lambda pair: (pair[0] != pair[1], pair)):
        for field, content in schemas[name].get("properties", {}).items():
            if _is_enum(content):
                _name(schemas, content, base, field)
    for parameter in parameters:
        content = parameter.get("schema", {})
        same = [
            name
            for name, schema in schemas.items()
            if _is_enum(schema) and set(content.get("enum", ())) == set(schema["enum"])
        ]
        if same and "default" not in content:
            _refer(content, min(same, key=len))


def _is_enum(schema: Json) -> bool:
    return schema.get("type") == "string" and len(schema.get("enum", ())) > 1


def _name(schemas: dict[str, Json], content: Json, base: str, field: str) -> None:
    """Name a field's enum after the model and the field. One whose values differ from the name's stays."""
    suffix = field[0].upper() + field[1:]
    name = base if base.endswith(suffix) else base + suffix
    known = schemas.setdefault(name, {"type": "string", "enum": content["enum"]})
    if known.get("enum") == content["enum"]:
        _refer(content, name)


def _refer(content: Json, name: str) -> None:
    kept = {key: value for key, value in content.items() if key in ("description", "default")}
    content.clear()
    content.update({"$ref": PREFIX + name}, **kept)
