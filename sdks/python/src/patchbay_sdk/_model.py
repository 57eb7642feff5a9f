"""The base class of the API's objects."""

from __future__ import annotations

import builtins
import inspect
from functools import cache
from typing import Any, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo


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
        if isinstance(value, list) and (items := _items_of(type)):
            return [parse(items[0], item) for item in value]
        model = _nearest(type, value) if isinstance(value, dict) else None
    if model is None:
        return value
    attributes = {}
    fields = {field.alias: (name, field.annotation) for name, field in _fields(model).items()}
    for key, item in value.items():
        name, annotation = fields.get(key, (key, Any))
        attributes[name] = parse(annotation, item)
    return model.model_construct(**attributes)


def _items_of(type: Any) -> tuple[Any, ...]:
    """The type of a list's items, in a tuple; empty for other types. `type` may be a union with a list."""
    return next((get_args(variant) for variant in (type, *get_args(type)) if get_origin(variant) is list), ())


def _nearest(type: Any, value: dict[str, Any]) -> builtins.type[Model] | None:
    """The model for a non-matching object. For a union: the only one whose required fields the object has."""
    if _is_model(type):
        return cast("builtins.type[Model]", type)
    fitting = [
        variant
        for variant in get_args(type)
        if _is_model(variant)
        and all(field.alias in value for field in _fields(variant).values() if field.is_required())
    ]
    return fitting[0] if len(fitting) == 1 else None


def _fields(model: builtins.type[Model]) -> dict[str, FieldInfo]:
    """The fields, with the types of models that are defined after this one."""
    model.model_rebuild()
    return model.model_fields


def _is_model(type: Any) -> bool:
    return inspect.isclass(type) and issubclass(type, Model)


@cache
def _adapter(type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type)
