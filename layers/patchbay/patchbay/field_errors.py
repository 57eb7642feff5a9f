"""The field errors of a 422 response, from the errors of Pydantic and of a JSON Schema validator.

Pure. However wrong the request is, the response stays small. It never repeats a value, which may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from patchbay.clock import NOT_A_TIME
from patchbay.errors import FieldError, ValidationFailed

if TYPE_CHECKING:
    import jsonschema_rs
    import pydantic
    from pydantic_core import ErrorDetails

_MAX_ERRORS = 20
_MAX_PATH_BYTES = 200

# Pydantic's error types in terms of a JSON API, which has no dictionaries or extra inputs. The braces are
# Pydantic's context: bounds and names of our models, never the input. Other types keep Pydantic's message.
# https://docs.pydantic.dev/latest/errors/validation_errors/
_PYDANTIC_MESSAGES = {
    "dict_type": "must be an object",
    "extra_forbidden": "unknown field",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have {min_length} or more characters",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode, without lone surrogates",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have {min_length} or more items",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing",
}
# The types and formats of JSON Schema that the catalogue uses.
JSON_TYPES = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
JSON_FORMATS = {
    "date-time": NOT_A_TIME,
    "uri": "must be a URL with its scheme, with non-ASCII characters percent-encoded",
}


def from_pydantic(error: pydantic.ValidationError, value: object) -> ValidationFailed:
    """One error for each path of `value`, the input that Pydantic rejected."""
    messages: dict[str, str] = {}
    for entry in error.errors(include_url=False, include_input=False):
        path = _pydantic_path(entry["loc"], value, is_missing=entry["type"] == "missing")
        messages.setdefault(path, _pydantic_message(entry))
    return _validation_failed([FieldError(path, message) for path, message in messages.items()])


def from_json_schema(errors: Iterable[jsonschema_rs.ValidationError], root: str) -> ValidationFailed:
    """The first errors of a validator, with paths below `root`."""
    return _validation_failed(
        [
            FieldError(_json_schema_path(error, root), _json_schema_message(error))
            for error in islice(errors, _MAX_ERRORS)
        ]
    )


def _validation_failed(errors: Sequence[FieldError]) -> ValidationFailed:
    path, message = errors[0]
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ValidationFailed(f"{path}: {message}{others}", errors[:_MAX_ERRORS])


def _pydantic_path(location: Sequence[str | int], value: Any, *, is_missing: bool) -> str:
    """The steps of a location that exist in the input. Pydantic adds steps for its own types."""
    steps: list[str] = []
    for index, step in enumerate(location):
        is_key = isinstance(value, Mapping) and step in value
        if is_key or (isinstance(value, list) and isinstance(step, int)):
            value = value[step]
            steps.append(str(step))
        elif is_missing and index == len(location) - 1:
            steps.append(str(step))
    return _join_path(steps) or "body"


def _pydantic_message(error: ErrorDetails) -> str:
    if message := _PYDANTIC_MESSAGES.get(error["type"]):
        return message.format_map(error.get("ctx", {}))
    return error["msg"].removeprefix("Value error, ")


def _json_schema_path(error: jsonschema_rs.ValidationError, root: str) -> str:
    steps = [root, *map(str, error.instance_path)]
    if error.kind.name == "required":
        steps.append(str(error.kind.value))
    return _join_path(steps)


def _json_schema_message(error: jsonschema_rs.ValidationError) -> str:
    value = error.kind.value  # the keyword's
    match error.kind.name:
        case "required":
            return _PYDANTIC_MESSAGES["missing"]
        case "type":
            types = value if isinstance(value, list) else [value]
            return f"must be {' or '.join(sorted(JSON_TYPES[kind] for kind in types))}"
        case "enum":
            return f"must be one of {', '.join(map(json.dumps, value))}"
        case "format":
            return JSON_FORMATS[value]
    return error.message


def _join_path(steps: Iterable[str]) -> str:
    """The steps as a path, truncated because its names come from the caller."""
    return ".".join(steps).encode(errors="replace")[:_MAX_PATH_BYTES].decode(errors="ignore")
