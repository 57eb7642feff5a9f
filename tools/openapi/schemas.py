"""The models as JSON Schema 2020-12, as components of OpenAPI 3.1.

Requests have the schemas of validation, responses those of serialization. A model that is part of both has
one name if its two schemas are the same; otherwise that of requests ends in `Input`. Responses are open: a
client must ignore fields that it does not know, because new ones are not a breaking change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

Schema = dict[str, Any]
Model = type[BaseModel]

PREFIX = "#/components/schemas/"


class Schemas:
    """The component schemas of a set of models, and references to them."""

    def __init__(self, requests: Iterable[Model], responses: Iterable[Model]) -> None:
        self._requests = _definitions(requests, "validation")
        self._responses = _definitions(responses, "serialization")
        self._split = _differing(self._requests, self._responses)

    def components(self) -> dict[str, Schema]:
        """All schemas by name."""
        found: dict[str, Schema] = {}
        for name, schema in self._requests.items():
            found[self._request_name(name)] = _rename(schema, self._request_name)
        found |= self._responses
        return dict(sorted(found.items()))

    def request(self, model: Model) -> Schema:
        """A reference to a model in a request."""
        return {"$ref": PREFIX + self._request_name(name_of(model))}

    def response(self, models: Iterable[Model]) -> Schema:
        """A reference to a model in a response, or to the union of several."""
        references = [{"$ref": PREFIX + name_of(model)} for model in models]
        return references[0] if len(references) == 1 else {"oneOf": references}

    def _request_name(self, name: str) -> str:
        return f"{name}Input" if name in self._split else name


def name_of(model: Model) -> str:
    """The name of a model's schema: `WebhookList` for `Listing[Webhook]`."""
    return _stable(re.sub(r"\W", "_", model.__name__))


def parameters_of(model: Model) -> Iterator[tuple[str, Schema, bool]]:
    """Name, schema and whether it is required, for each parameter of a query model. None can be null."""
    _, schemas = models_json_schema(
        [(model, "validation")], schema_generator=_Generator, ref_template=PREFIX + "{model}"
    )
    definitions = schemas["$defs"]
    own = definitions[model.__name__]
    for name, field in own["properties"].items():
        schema = _tidy(_not_null(_inlined(field, definitions)), closed=True)
        yield name, schema, name in own.get("required", ())


def _inlined(field: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A field of a query, with the enums that it refers to: enums of filters are not named."""
    if "$ref" in field:
        target = definitions[field["$ref"].removeprefix(PREFIX)]
        return {
            **{key: value for key, value in target.items() if key != "description"},
            **_without(field, "$ref"),
        }
    if "anyOf" in field:
        return {**field, "anyOf": [_inlined(each, definitions) for each in field["anyOf"]]}
    return field


def _not_null(field: Schema) -> Schema:
    variants = [each for each in field.get("anyOf", ()) if each != {"type": "null"}]
    if len(variants) == 1:
        return {**variants[0], **_without(field, "anyOf")}
    return field


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}


class _Generator(GenerateJsonSchema):
    """Schemas as the API sends them: all fields of a response are present."""

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        if self.mode == "serialization":
            return not field.get("serialization_exclude")
        return super().field_is_required(field, total)

    def ser_schema(self, schema: Any) -> Schema | None:
        """A model whose serializer wraps the usual one has the usual schema."""
        return None if schema["type"] == "function-wrap" else super().ser_schema(schema)


def _definitions(models: Iterable[Model], mode: JsonSchemaMode) -> dict[str, Schema]:
    pairs: list[tuple[Model, Literal["validation", "serialization"]]] = [
        (model, mode) for model in sorted(set(models), key=lambda model: model.__name__)
    ]
    definitions = models_json_schema(pairs, schema_generator=_Generator, ref_template=PREFIX + "{model}")[1][
        "$defs"
    ]
    omitting = {
        model.__name__ for model in _all_models(BaseModel) if model.__pydantic_decorators__.model_serializers
    }
    found: dict[str, Schema] = {}
    for name, schema in definitions.items():
        if "__" in name.strip("_"):
            raise ValueError(f"two models have one name; rename one: {name}")
        if mode == "serialization":
            schema = _with_optional_defaults(schema) if name in omitting else _without_defaults(schema)
        if name.startswith("Update"):
            schema = _without_defaults(schema)
        tidied = _tidy(_referring(schema, definitions, own=name), closed=mode == "validation")
        found[_stable(name)] = _rename(tidied, _stable)
    return found


def _all_models(base: Model) -> Iterator[Model]:
    for model in base.__subclasses__():
        yield model
        yield from _all_models(model)


def _with_optional_defaults(schema: Schema) -> Schema:
    """The schema of a model whose own serializer omits some of the fields that have defaults."""
    optional = {name for name, field in schema["properties"].items() if "default" in field}
    required = [name for name in schema["required"] if name not in optional]
    return {**_without(schema, "required"), **({"required": required} if required else {})}


def _without_defaults(schema: Schema) -> Schema:
    """The schema of a change, in which a field that is not sent does not change, or of a response, which has
    all fields. Enums have no fields.
    """
    if "properties" not in schema:
        return schema
    fields = {name: _without(field, "default") for name, field in schema["properties"].items()}
    return {**schema, "properties": fields}


def _stable(name: str) -> str:
    """`Listing_Webhook_` → `WebhookList`."""
    return re.sub(r"^Listing_(\w+)_$", r"\1List", name)


def _differing(requests: Mapping[str, Schema], responses: Mapping[str, Schema]) -> set[str]:
    """The names whose schemas differ between requests and responses, themselves or in what they refer to. An
    open response does not count as a difference.
    """
    both = requests.keys() & responses.keys()
    differing = {name for name in both if _opened(requests[name]) != _opened(responses[name])}
    while True:
        more = {name for name in both - differing if set(_names_in(requests[name])) & differing}
        if not more:
            return differing
        differing |= more


def _opened(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if (key, value) != ("additionalProperties", False)}


def _names_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner.removeprefix(PREFIX)
            yield from _names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names_in(inner)


def _rename(value: Any, rename: Callable[[str], str]) -> Any:
    """The same schema with other names in its references."""
    if isinstance(value, dict):
        return {
            key: PREFIX + rename(inner.removeprefix(PREFIX))
            if isinstance(inner, str) and inner.startswith(PREFIX)
            else _rename(inner, rename)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_rename(inner, rename) for inner in value]
    return value


def _referring(schema: Any, definitions: Mapping[str, Schema], own: str = "") -> Any:
    """The schema with references to the models that Pydantic inlines (those below SkipValidation)."""
    if isinstance(schema, list):
        return [_referring(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    title = schema.get("title")
    if isinstance(title, str) and title != own and definitions.get(title) == schema:
        return {"$ref": PREFIX + title}
    return {key: _referring(value, definitions) for key, value in schema.items()}


def _tidy(schema: Any, *, closed: bool) -> Any:
    """The schema without Pydantic's titles, which repeat the names, with null as a type, and one line per
    paragraph of a description. It omits `default: null`, because an absent field is null.
    """
    if isinstance(schema, list):
        return [_tidy(each, closed=closed) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = dict(schema)
    if isinstance(tidied.get("title"), str):
        del tidied["title"]
    if tidied.get("default", 0) is None:
        del tidied["default"]
    if not closed and tidied.get("additionalProperties") is False:
        del tidied["additionalProperties"]
    if isinstance(tidied.get("description"), str):
        tidied["description"] = unwrapped(tidied["description"])
    if closed and "patternProperties" in tidied:
        tidied.setdefault("additionalProperties", False)  # Pydantic rejects other names without saying so
    tidied = _nullable(tidied)
    for key, value in tidied.items():
        if key == "properties":
            tidied[key] = {name: _tidy(field, closed=closed) for name, field in value.items()}
        elif key not in ("default", "examples", "example", "const", "enum", "required", "mapping"):
            tidied[key] = _tidy(value, closed=closed)
    return tidied


def _nullable(schema: Schema) -> Schema:
    """`{"type": ["string", "null"]}` for `anyOf` of a string and null."""
    variants = schema.get("anyOf")
    if not isinstance(variants, list) or len(variants) != 2 or {"type": "null"} not in variants:
        return schema
    (variant,) = [each for each in variants if each != {"type": "null"}]
    if not isinstance(variant.get("type"), str) or variant.keys() & {"enum", "const", "$ref"}:
        return schema
    return {**_without(schema, "anyOf"), **variant, "type": [variant["type"], "null"]}


def unwrapped(text: str) -> str:
    """A docstring's text with one line for each paragraph and each list item."""
    return "\n\n".join(
        "\n".join(" ".join(item.split()) for item in re.split(r"\n(?=\s*- )", paragraph))
        for paragraph in re.split(r"\n\s*\n", text.strip())
    )
