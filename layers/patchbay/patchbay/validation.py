"""A value that a caller sent, as a model; pydantic's findings become ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from patchbay.errors import FieldError, ValidationFailed

# An answer stays small, however wrong the request is.
_MAX_ERRORS = 20
_MAX_PATH_BYTES = 200

# Pydantic's findings in the words of a JSON API, which has no dictionaries or extra inputs. The braces are
# its context: bounds and names of our models, never what was sent. Other types keep pydantic's own words.
# https://docs.pydantic.dev/latest/errors/validation_errors/
_WORDS = {
    "dict_type": "must be an object",
    "extra_forbidden": "there is no such field",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "string_too_long": "may have {max_length} characters at most",
    "string_too_short": "must have {min_length} or more characters",
    "string_type": "must be a string",
    "string_unicode": "must be Unicode text, without halves of surrogate pairs",
    "too_long": "may have {max_length} items at most",
    "too_short": "must have {min_length} or more items",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing",
}

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], value: Any) -> Model:
    """`value`, what JSON or a query string gave, as `model`. Raises ValidationFailed."""
    # Not model_validate_json: it takes and drops fields by their Python names (pydantic-core 2.13).
    try:
        return model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _refusal(error, value) from None


def _refusal(error: ValidationError, value: Any) -> ValidationFailed:
    """Pydantic's findings as ours, one for each path, and never the value itself, which may be a secret."""
    found: dict[str, str] = {}
    for entry in error.errors(include_url=False, include_input=False):
        path = _path(entry["loc"], value, missing=entry["type"] == "missing")
        found.setdefault(path, _message(entry))
    errors = [FieldError(path, message) for path, message in islice(found.items(), _MAX_ERRORS)]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return ValidationFailed(f"{errors[0].path}: {errors[0].message}{more}", errors)


def _message(entry: ErrorDetails) -> str:
    if words := _WORDS.get(entry["type"]):
        return words.format_map(entry.get("ctx", {}))
    return entry["msg"].removeprefix("Value error, ")


def _path(location: Sequence[str | int], value: Any, *, missing: bool) -> str:
    """The steps of a location that the request has; pydantic puts names of its own types between them."""
    steps: list[str] = []
    for at, step in enumerate(location):
        inside = isinstance(value, Mapping) and step in value
        if inside or (isinstance(value, list) and isinstance(step, int)):
            value = value[step]
            steps.append(str(step))
        elif missing and at == len(location) - 1:
            steps.append(str(step))
    return shortened(".".join(steps)) or "body"


def shortened(path: str) -> str:
    """The beginning of a path; its steps come from the caller and may be long."""
    return path.encode(errors="replace")[:_MAX_PATH_BYTES].decode(errors="ignore")
