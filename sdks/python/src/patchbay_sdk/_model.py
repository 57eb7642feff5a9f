"""The base class of the API's objects."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """An object of the API.

    Attributes are in snake case; `model_dump(by_alias=True)` has the API's own names. A later release of the API
    may add attributes and values: an object that has them is still built, with such a value as plain JSON.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        extra="allow",
        defer_build=True,
        protected_namespaces=(),
    )


def parse(type: Any, value: Any) -> Any:
    """The JSON value as an object of the type, or as plain JSON where it does not match the type."""
    try:
        return _adapter(type).validate_python(value)
    except ValidationError:
        if not (inspect.isclass(type) and issubclass(type, Model) and isinstance(value, dict)):
            return value
    attributes = {}
    fields = {field.alias: (name, field.annotation) for name, field in type.model_fields.items()}
    for key, item in value.items():
        name, annotation = fields.get(key, (key, Any))
        attributes[name] = parse(annotation, item)
    return type.model_construct(**attributes)


@cache
def _adapter(type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type)
