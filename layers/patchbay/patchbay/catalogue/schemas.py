"""The schemas of the catalogue: a subset of JSON Schema 2020-12.

Everything that is generated from the catalogue (the automation apps, the docs, OpenAPI) understands this
subset. Validation takes linear time for any data: there is no `$ref`, which could refer to another document,
and no `pattern`, which can take exponential time on some texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, JsonValue

from patchbay import compact_json
from patchbay.clock import is_time
from patchbay.field_errors import JSON_FORMATS, JSON_TYPES, from_json_schema

if TYPE_CHECKING:
    from jsonschema_rs import Validator

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Annotations of a string: the resource whose IDs it takes (`GET …/choices/{resource}` lists them), and
# whether it has several lines.
CHOICES = "x-choices"
MULTILINE = "x-multiline"
_KEYWORDS = {
    *("title", "description", "type", "properties", "required", "items", "enum", "format"),
    *(CHOICES, MULTILINE),
}
_RESOURCE_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"


def _check_schema(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    root = dict(schema)
    if root.pop("$schema", None) != DIALECT or root.get("type") != "object":
        raise ValueError(f"must describe an object, in the dialect {DIALECT}")
    _check_subschema(root, "schema")
    return schema


def _check_subschema(schema: object, path: str) -> None:
    """Raises ValueError for a schema outside of the subset."""
    if not isinstance(schema, dict) or not schema.keys() <= _KEYWORDS:
        raise ValueError(f"{path} must be an object with the keywords {sorted(_KEYWORDS)}")
    types = allowed_types(schema)
    if not set(types) <= JSON_TYPES.keys():
        raise ValueError(f"{path}.type must be among {sorted(JSON_TYPES)}")
    if schema.get("format", "uri") not in JSON_FORMATS:
        raise ValueError(f"{path}.format must be one of {sorted(JSON_FORMATS)}")
    if {CHOICES, MULTILINE} & schema.keys() and "string" not in types:
        raise ValueError(f"{path} must be a string to have {CHOICES} or {MULTILINE}")
    if CHOICES in schema and not re.match(_RESOURCE_PATTERN, str(schema[CHOICES])):
        raise ValueError(f"{path}.{CHOICES} must be a name, such as accounts")
    properties = schema.get("properties", {})
    if missing := set(schema.get("required", ())) - properties.keys():
        raise ValueError(f"{path} requires {sorted(missing)}, which it does not describe")
    for name, inner in properties.items():
        if not isinstance(inner, dict) or not {"title", "description"} <= inner.keys():
            raise ValueError(f"{path}.{name} needs a title and a description")
        _check_subschema(inner, f"{path}.{name}")
    if "items" in schema:
        _check_subschema(schema["items"], f"{path}.items")


Schema = Annotated[dict[str, JsonValue], AfterValidator(_check_schema)]


def allowed_types(schema: Mapping[str, Any]) -> list[Any]:
    """The types that a schema allows."""
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]


def validator(schema: Mapping[str, JsonValue]) -> Validator:
    """A validator of data against a schema. It also checks formats."""
    # Imported here, because it takes 15 MB, and only functions that validate data should load it.
    from jsonschema_rs import validator_for

    # The data may be private, so messages say "it" instead.
    return validator_for(dict(schema), validate_formats=True, formats={"date-time": is_time}, mask="it")


def check(validator: Validator, data: object, root: str) -> None:
    """Raises ValidationFailed, with the path of each violation below `root`, if the data does not match.
    Fields that the schema does not name are allowed.
    """
    data = compact_json.to_builtin_numbers(data)  # the validator accepts exact types only
    if not validator.is_valid(data):
        raise from_json_schema(validator.iter_errors(data), root)


def choices_in(schema: Mapping[str, Any]) -> Iterator[str]:
    """The resources whose IDs the strings of a schema take."""
    if CHOICES in schema:
        yield schema[CHOICES]
    for inner in schema.get("properties", {}).values():
        yield from choices_in(inner)
    if "items" in schema:
        yield from choices_in(schema["items"])
