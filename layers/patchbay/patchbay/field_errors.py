"""The field errors of a 422 response, from the errors of Pydantic and of a JSON Schema validator.

Pure. However wrong the request is, the response stays small. It never repeats a value, which may be a secret,
and never uses Pydantic's words: they are a Python programmer's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from patchbay import suggestions
from patchbay.clock import NOT_A_TIME
from patchbay.errors import FieldError, ValidationFailed

if TYPE_CHECKING:
    import jsonschema_rs
    import pydantic
    from pydantic_core import ErrorDetails

_MAX_ERRORS = 20
_MAX_PATH_BYTES = 200

# Pydantic's error types in terms of a JSON API, which has no dictionaries or extra inputs. The braces are
# Pydantic's context: bounds and names of our models, never the input. A test checks that no request has an
# error of another type.
# https://docs.pydantic.dev/latest/errors/validation_errors/
_PYDANTIC_MESSAGES = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "enum": "must be {expected}",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
    "int_parsing_size": "must be an integer of fewer digits",
    "int_type": "must be an integer",
    "invalid_key": "must be a string",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "none_required": "must be null",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have {min_length} or more characters",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode, without lone surrogates",
    "too_long": "must have at most {max_length} {units}",
    "too_short": "must have {min_length} or more {units}",
    "union_tag_not_found": "is missing",
}
# The message for an error type that is not in the table.
_INVALID = "is not valid"
_MUST_BE = "must be "
# The errors of a value whose type differs from the model's. All other errors are in its content.
_OF_TYPE = frozenset(kind for kind in _PYDANTIC_MESSAGES if kind.endswith("_type")) | {"literal_error"}
# What a length counts, by Pydantic's name for the type. A constraint after a validator has the name Value.
_UNITS = {"List": "items", "Dictionary": "fields"}
# The last step of the location of an error in an object's key.
_KEY = "[key]"
_patterns: dict[str, str] = {}


def pattern(expression: str, description: str) -> str:
    """`expression`, the pattern of a string type. A string that does not match it "must be" `description`."""
    _patterns[expression] = description
    return expression


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


def from_pydantic(
    error: pydantic.ValidationError, value: object, model: type[pydantic.BaseModel], noun: str
) -> ValidationFailed:
    """One error for each path of `value`, the input that Pydantic rejected as a `model`. `noun` is the
    caller's word for a field: field or parameter.
    """
    messages: dict[str, list[tuple[str, str]]] = {}
    root = "body" if noun == "field" else "query"
    for entry in error.errors(include_url=False, include_input=False):
        path, is_key = _pydantic_path(entry, value) or root, entry["loc"][-1:] == (_KEY,)
        if entry["type"] == "extra_forbidden":
            suggest = len(messages) < _MAX_ERRORS
            message = f"unknown {noun}" + (_suggestion(entry["loc"], model, noun) if suggest else "")
        else:
            message = ("the name " if is_key else "") + _pydantic_message(entry)
        messages.setdefault(path, []).append((entry["type"], message))
    # A value that fits no type of a union has an error for each of them. If one type fits the value but not
    # its contents, only the error in the contents is useful.
    errors = [
        FieldError(path, _alternatives(found))
        for path, found in messages.items()
        if len(found) == 1 or not any(other.startswith(f"{path}.") for other in messages)
    ]
    return validation_failed(errors)


def _suggestion(location: Sequence[str | int], model: type[pydantic.BaseModel], noun: str) -> str:
    known = suggestions.fields_at(model, location[:-1])
    near = suggestions.did_you_mean(str(location[-1]), known)
    if near or noun == "field":
        return near
    return f"; this route takes {', '.join(sorted(known))}"


def _alternatives(errors: Sequence[tuple[str, str]]) -> str:
    """The errors of one value, (type, message), as one message."""
    for kind, message in errors:
        if kind not in _OF_TYPE:
            return message  # the value has one of the types
    kinds = list(dict.fromkeys(message.removeprefix(_MUST_BE) for _, message in errors))
    if len(kinds) == 1:
        return _MUST_BE + kinds[0]
    if "a number" in kinds and "an integer" in kinds:
        kinds.remove("an integer")
    kinds = [kind.replace("true or false", "true, false") for kind in kinds]
    return f"{_MUST_BE}{', '.join(kinds[:-1])} or {kinds[-1]}"


def from_json_schema(errors: Iterable[jsonschema_rs.ValidationError], root: str) -> ValidationFailed:
    """The first errors of a validator, with paths below `root`."""
    return validation_failed(
        [
            FieldError(_json_schema_path(error, root), _json_schema_message(error))
            for error in islice(errors, _MAX_ERRORS)
        ]
    )


def validation_failed(errors: Sequence[FieldError]) -> ValidationFailed:
    """The problem for one or more fields."""
    path, message = errors[0]
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ValidationFailed(f"{path}: {message}{others}", errors[:_MAX_ERRORS])


def _pydantic_path(error: ErrorDetails, value: Any) -> str:
    """The steps of the error's location that exist in the input. Pydantic adds steps for its own types."""
    location = error["loc"]
    steps: list[str] = []
    for index, step in enumerate(location):
        is_key = isinstance(value, Mapping) and step in value
        if is_key or (isinstance(value, list) and isinstance(step, int)):
            value = value[step]
            steps.append(str(step))
        elif error["type"] == "missing" and index == len(location) - 1:
            steps.append(str(step))
    if error["type"].startswith("union_tag"):
        steps.append(error["ctx"]["discriminator"].strip("'"))
    return join_path(steps)


def _pydantic_message(error: ErrorDetails) -> str:
    kind, context = error["type"], dict(error.get("ctx", {}))
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        expected = _patterns.get(context["pattern"])
        return _INVALID if expected is None else f"{_MUST_BE}{expected}"
    if kind == "union_tag_invalid":
        return f"must be one of {context['expected_tags']}"
    message = _PYDANTIC_MESSAGES.get(kind, _INVALID)
    # A person would not write "must have 1 or more characters".
    if kind in ("string_too_short", "too_short") and context["min_length"] == 1:
        return "must not be empty"
    if kind in ("too_long", "too_short"):
        context["units"] = _UNITS.get(context["field_type"], "characters")
    return message.format_map({name: _plain(value) for name, value in context.items()})


def _plain(bound: object) -> object:
    """A bound as JSON writes it: 1, not 1.0."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _json_schema_path(error: jsonschema_rs.ValidationError, root: str) -> str:
    steps = [root, *map(str, error.instance_path)]
    if error.kind.name == "required":
        steps.append(str(error.kind.value))
    return join_path(steps)


def _json_schema_message(error: jsonschema_rs.ValidationError) -> str:
    value = error.kind.value  # the value of the keyword
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


def join_path(steps: Iterable[str]) -> str:
    """The steps as a path, truncated because its names come from the caller."""
    return ".".join(steps).encode(errors="replace")[:_MAX_PATH_BYTES].decode(errors="ignore")
