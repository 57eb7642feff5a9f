"""The schemas of the catalogue: JSON Schema 2020-12, a few keywords of it.

All that is made from the catalogue (the automation apps, the docs, OpenAPI) understands these; and a check of
data ends soon, whatever the data: there is no `$ref`, which could lead elsewhere, and no `pattern`, which can
take for ever on the wrong text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, JsonValue

from patchbay import compact_json
from patchbay.clock import NO_TIME, is_time
from patchbay.errors import FieldError, ValidationFailed
from patchbay.validation import shortened

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Of a text field: whose ids it takes (`GET …/choices/{resource}` lists them), and whether it has many lines.
CHOICES = "x-choices"
MULTILINE = "x-multiline"
_KEYWORDS = {
    *("title", "description", "type", "properties", "required", "items", "enum", "format"),
    *(CHOICES, MULTILINE),
}
# By name, what they are called in a message.
_WORDS = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
# By name, what they ask for.
_FORMATS = {
    "date-time": NO_TIME,
    "uri": "must be an address with its scheme, what is not ASCII percent-encoded",
}
_RESOURCE_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"
# An answer stays small, however wrong the data are.
_MAX_ERRORS = 20


def _check_schema(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    inner = dict(schema)
    if inner.pop("$schema", None) != DIALECT or inner.get("type") != "object":
        raise ValueError(f"must be of an object, in the dialect {DIALECT}")
    _check_part(inner, "schema")
    return schema


def _check_part(part: Any, where: str) -> None:
    """Whether a schema within a schema keeps to what the module's docstring says."""
    if not isinstance(part, dict) or not part.keys() <= _KEYWORDS:
        raise ValueError(f"{where} must be an object of {sorted(_KEYWORDS)}")
    types = types_of(part)
    if not set(types) <= _WORDS.keys():
        raise ValueError(f"{where}.type must be of {sorted(_WORDS)}")
    if part.get("format", "uri") not in _FORMATS:
        raise ValueError(f"{where}.format must be one of {sorted(_FORMATS)}")
    if {CHOICES, MULTILINE} & part.keys() and "string" not in types:
        raise ValueError(f"{where} is no text: {CHOICES} and {MULTILINE} are of texts")
    if CHOICES in part and not re.match(_RESOURCE_PATTERN, str(part[CHOICES])):
        raise ValueError(f"{where}.{CHOICES} must be a name like accounts")
    properties = part.get("properties", {})
    if missing := set(part.get("required", ())) - properties.keys():
        raise ValueError(f"{where} requires {sorted(missing)}, which it does not describe")
    for name, inner in properties.items():
        if not isinstance(inner, dict) or not {"title", "description"} <= inner.keys():
            raise ValueError(f"{where}.{name} needs a title and a description")
        _check_part(inner, f"{where}.{name}")
    if "items" in part:
        _check_part(part["items"], f"{where}.items")


Schema = Annotated[dict[str, JsonValue], AfterValidator(_check_schema)]


def types_of(part: Mapping[str, Any]) -> list[Any]:
    """The types that a schema allows."""
    kind = part.get("type")
    return kind if isinstance(kind, list) else [kind]


def validator(schema: Mapping[str, Any]) -> Validator:
    """Checks data against a schema; formats count."""
    # Imported where it is used: 15 MB that only those who check data are to load.
    from jsonschema_rs import validator_for

    # The data may be private: "it" stands for them in messages.
    return validator_for(dict(schema), validate_formats=True, formats={"date-time": is_time}, mask="it")


def check(fits: Validator, data: Any, at: str) -> None:
    """Raises ValidationFailed, with the path of each violation below `at`, when data do not fit. Fields that
    the schema does not name are let through.
    """
    data = compact_json.plain(data)  # the checker knows exact types only
    if fits.is_valid(data):
        return
    found = [
        FieldError(_path(at, error), _message(error)) for error in islice(fits.iter_errors(data), _MAX_ERRORS)
    ]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise ValidationFailed(f"{found[0].path}: {found[0].message}{more}", found)


def _path(at: str, error: ValidationError) -> str:
    steps = [at, *map(str, error.instance_path)]
    if error.kind.name == "required":
        steps.append(str(error.kind.value))
    return shortened(".".join(steps))


def _message(error: ValidationError) -> str:
    value: Any = error.kind.value  # of the keyword
    match error.kind.name:
        case "required":
            return "is missing"  # as in patchbay.validation
        case "type":
            return f"must be {' or '.join(sorted(_WORDS[kind] for kind in types_of({'type': value})))}"
        case "enum":
            return f"must be one of {', '.join(map(json.dumps, value))}"
        case "format":
            return _FORMATS[value]
    return error.message


def choices_in(part: Mapping[str, Any]) -> Iterator[str]:
    """The resources whose ids the texts of a schema take."""
    if CHOICES in part:
        yield part[CHOICES]
    for inner in part.get("properties", {}).values():
        yield from choices_in(inner)
    if "items" in part:
        yield from choices_in(part["items"])
