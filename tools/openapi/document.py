"""The OpenAPI 3.1 document."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from itertools import groupby
from typing import Any

from pydantic.alias_generators import to_camel

from patchbay.catalogue.entries import all_entries
from patchbay.errors import Problem
from patchbay.http.file import File
from patchbay.ids import Id
from patchbay.version import VERSION
from tools.openapi import enums, events
from tools.openapi.examples import Examples
from tools.openapi.links import links_of
from tools.openapi.operations import Model, Operation, operations
from tools.openapi.schemas import PREFIX, Schemas, parameters_of, unwrapped
from tools.openapi.texts import TEXTS, introduction
from tools.sdk import samples

Json = dict[str, Any]

DIALECT = "https://spec.openapis.org/oas/3.1/dialect/base"
PROBLEM_TYPE = "application/problem+json"
# Statuses that any operation can return. All operations share the response of each.
_SHARED_STATUSES = {400, 401, 403, 413, 429, 500}
_LINK_SCHEME = "connectLink"
_LOCATIONS = ("schemas", "responses", "parameters", "headers", "securitySchemes")


def build(examples: Examples | None = None) -> Json:
    """The document. Raises KeyError for a tag or a type of parameter without a text in texts.toml."""
    examples = examples or Examples.load()
    found = operations()
    schemas = Schemas(
        requests=[operation.body for operation in found if operation.body],
        responses=[model for operation in found for model in _models(operation)],
    )
    used = {TEXTS["webhooks"]["tag"], *map(_tag, found)}
    tags = [tag for tag in TEXTS["tags"] if tag["name"] in used]
    paths: dict[str, Json] = defaultdict(dict)
    for operation in sorted(found, key=lambda each: [tag["name"] for tag in tags].index(_tag(each))):
        paths[operation.path][operation.method.lower()] = _operation(operation, schemas, examples)
    components = {**schemas.components(), **TEXTS["schemas"], **events.schemas(), **_path_enums(found)}
    components = _described(components)
    enums.name_enums(components, _own_parameters(paths))
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Patchbay API",
            "version": VERSION,
            "summary": TEXTS["summary"],
            "description": introduction(),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "jsonSchemaDialect": DIALECT,
        "servers": TEXTS["servers"],
        "tags": [{"name": tag["name"], "description": tag["description"]} for tag in tags],
        "paths": dict(paths),
        "webhooks": {entry.type: events.webhook(entry) for entry in all_entries()},
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": _shared_responses(found, examples),
            "parameters": TEXTS["parameters"],
            "headers": TEXTS["headers"],
            "securitySchemes": TEXTS["security"],
        },
    }
    samples.add(document)
    return document


def _own_parameters(paths: Mapping[str, Json]) -> Iterator[Json]:
    for methods in paths.values():
        for operation in methods.values():
            yield from operation.get("parameters", ())


def _models(operation: Operation) -> Iterator[Model]:
    for models in operation.answers.values():
        yield from (model for model in models if not _is_bare(model))


def _is_bare(model: Model) -> bool:
    """Whether the response is not the model as JSON: a file, or a redirect."""
    return issubclass(model, File) or model.__name__ == "Redirect"


def _tag_of(folder: str) -> Mapping[str, Any]:
    for tag in TEXTS["tags"]:
        if folder in tag["folders"]:
            found: Mapping[str, Any] = tag
            return found
    raise KeyError(f"tools/openapi/texts.toml has no tag for functions/{folder}")


def _tag(operation: Operation) -> str:
    name: str = _tag_of(operation.folder)["name"]
    return name


# ── operations ───────────────────────────────────────────────────────────────────────────────────────


def _operation(operation: Operation, schemas: Schemas, examples: Examples) -> Json:
    shown: Json = {
        "operationId": operation.id,
        "tags": [_tag(operation)],
        "summary": operation.summary,
        "x-sdk-group": TEXTS["groups"].get(operation.folder) or to_camel(operation.folder),
        "x-sdk-method": to_camel(operation.verb),
    }
    shown["description"] = f"{operation.description}\n\n{_needs(operation)}".strip()
    scopes = [operation.scope] if operation.scope else []
    if scopes:
        shown["x-required-scope"] = operation.scope
    shown["security"] = [{scheme: scopes} for scheme in _schemes(operation)]
    if parameters := [*_parameters(operation, examples)]:
        shown["parameters"] = parameters
    if operation.body:
        content: Json = {"schema": schemas.request(operation.body)}
        if named := examples.requests(operation.id):
            content["examples"] = named
        shown["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": content},
        }
    shown["responses"] = {
        str(status): response
        for status, response in sorted(
            [*_answers(operation, schemas, examples), *_problem_responses(operation, examples)]
        )
    }
    if not any(status.startswith("2") for status in shown["responses"]):
        shown["responses"]["default"] = _any_problem()
    return shown


def _schemes(operation: Operation) -> list[str]:
    """The security schemes of which a caller needs one."""
    if operation.public:
        return []
    if operation.links == "only":
        return [_LINK_SCHEME]
    return [scheme for scheme in TEXTS["security"] if scheme != _LINK_SCHEME or operation.links]


def _needs(operation: Operation) -> str:
    if operation.links == "only":
        return "Needs the token of a connect link."
    if operation.scope:
        also = " The token of a connect link needs no scope." if operation.links else ""
        return f"Required scope: `{operation.scope}`.{also}"
    return "Needs no credentials." if operation.public else "Needs credentials, and no particular scope."


def _parameters(operation: Operation, examples: Examples) -> Iterator[Json]:
    for name, kind in operation.path_types.items():
        parameter: Json = {
            "name": name,
            "in": "path",
            "required": True,
            "description": TEXTS["path"].get(kind.__name__) or unwrapped(vars(kind)["__doc__"]),
            "schema": _path_schema(kind),
        }
        if (example := examples.path_value(operation.id, name)) is not None:
            parameter["example"] = example
        yield parameter
    if operation.query:
        for name, schema, required in parameters_of(operation.query):
            # A list is one value, separated by commas; OpenAPI's default is to send the parameter repeatedly.
            form = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
            description = schema.pop("description", None) or _query_text(operation.query.__name__, name)
            yield {
                "name": name,
                "in": "query",
                "required": required,
                "description": description,
                **form,
                "schema": schema,
            }
    if operation.takes_idempotency_key:
        yield {"$ref": "#/components/parameters/IdempotencyKey"}
    if operation.takes_if_match:
        yield {"$ref": "#/components/parameters/IfMatch"}


def _path_enums(found: Sequence[Operation]) -> dict[str, Json]:
    kinds = {kind for operation in found for kind in operation.path_types.values() if issubclass(kind, Enum)}
    return {
        kind.__name__: {"description": inspect.getdoc(kind), **_path_schema(kind)}
        for kind in sorted(kinds, key=lambda kind: kind.__name__)
    }


def _path_schema(kind: type) -> Json:
    if issubclass(kind, Id):
        return {**kind.__get_pydantic_json_schema__(None, None)}
    if issubclass(kind, Enum):
        return {"type": "string", "enum": [member.value for member in kind]}
    pattern: str | None = getattr(kind, "PATTERN", None)
    return {"type": "string", "pattern": pattern} if pattern else {"type": "string"}


# ── responses ────────────────────────────────────────────────────────────────────────────────────────


def _answers(operation: Operation, schemas: Schemas, examples: Examples) -> Iterator[tuple[int, Json]]:
    for status, models in operation.answers.items():
        response: Json = {"description": _answer_text(status, models)}
        headers = [*_headers(operation, status, models)]
        if issubclass(models[0], File):
            kind = "object" if models[0].media_type == "application/json" else "string"
            response["content"] = {
                model.media_type: {"schema": {"type": kind}} for model in models if issubclass(model, File)
            }
        elif not _is_bare(models[0]):
            content: Json = {"schema": schemas.response(models)}
            if named := _response_examples(operation.id, status, models, examples):
                content["examples"] = named
            response["content"] = {"application/json": content}
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
        if links := links_of(operation, models[0], operations()):
            response["links"] = links
        yield status, response
        if issubclass(models[0], File):
            yield 304, {"description": TEXTS["not_modified"]}


def _response_examples(id: str, status: int, models: Sequence[Model], examples: Examples) -> Json:
    """The operation's own recorded response, or that of another operation with the same model."""
    recorded = examples.responses(id, status)
    for other in operations():
        for its_status, its_models in other.answers.items():
            if not recorded and its_models == models:
                recorded = examples.responses(other.id, its_status)
    return recorded


def _answer_text(status: int, models: Sequence[Model]) -> str:
    """The status in words, and the model's own description."""
    said = inspect.cleandoc(models[0].__doc__ or "").split("\n\n")[0].replace("\n", " ")
    return said if models[0].__module__.startswith("patchbay.") and said else TEXTS["statuses"][str(status)]


def _headers(operation: Operation, status: int, models: Sequence[Model]) -> Iterator[str]:
    yield "X-Request-Id"
    if status in (303, operation.located_status):
        yield "Location"
    if "version" in models[0].model_fields or issubclass(models[0], File):
        yield "ETag"
    if operation.replays:
        yield "Idempotent-Replayed"
    if not operation.public:
        yield from TEXTS["rate_limit_headers"]


def _problem_responses(operation: Operation, examples: Examples) -> Iterator[tuple[int, Json]]:
    for status, problems in _by_status(operation.problems):
        recorded = examples.problems(operation.id, status)
        if recorded and status not in _SHARED_STATUSES:
            yield status, _problem_response(status, problems, recorded)
        else:
            yield status, {"$ref": f"#/components/responses/{_response_name(problems)}"}


def _any_problem() -> Json:
    """The response besides a redirect. Tools require a 2xx or a default."""
    return {
        "description": TEXTS["any_problem"],
        "content": {PROBLEM_TYPE: {"schema": {"$ref": f"{PREFIX}Problem"}}},
    }


def _by_status(problems: Sequence[type[Problem]]) -> Iterator[tuple[int, list[type[Problem]]]]:
    """The problems of each status; they are sorted."""
    for status, same in groupby(problems, key=lambda problem: problem.status):
        yield status, [*same]


def _response_name(problems: Sequence[type[Problem]]) -> str:
    return "Or".join("".join(word.title() for word in problem.code.split("_")) for problem in problems)


def _shared_responses(found: Sequence[Operation], examples: Examples) -> Json:
    """The responses that `_problem_responses` refers to."""
    shared: Json = {}
    for operation in found:
        for status, problems in _by_status(operation.problems):
            if not examples.problems(operation.id, status) or status in _SHARED_STATUSES:
                named = examples.any_problems([problem.code for problem in problems])
                shared[_response_name(problems)] = _problem_response(status, problems, named)
    return dict(sorted(shared.items()))


def _problem_response(status: int, problems: Sequence[type[Problem]], named: Json) -> Json:
    content: Json = {"schema": {"$ref": f"{PREFIX}Problem"}}
    if named:
        content["examples"] = named
    lines = [f"- `{problem.code}`: {_meaning(problem)}" for problem in problems]
    text = _meaning(problems[0]) if len(problems) == 1 else "One of:\n\n" + "\n".join(lines)
    if len(problems) == 1:
        text = f"`{problems[0].code}`: {text}"
    headers = ["X-Request-Id", *TEXTS["problem_headers"].get(str(status), ())]
    return {
        "description": text,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {PROBLEM_TYPE: content},
    }


def _meaning(problem: type[Problem]) -> str:
    return f"{problem.title}. {problem.remedy}"


def _query_text(model: str, name: str) -> str:
    own: str = (
        TEXTS["models"].get(model, {}).get(name) or TEXTS["query"].get(name) or TEXTS["fields"].get(name, "")
    )
    return own


# ── texts of fields ──────────────────────────────────────────────────────────────────────────────────


def _field_text(model: str, name: str) -> str:
    """The description of a field: that of its model, of the model without a prefix or suffix that names a
    variant (`UpdateWebhook`, `WebhookDetail`), or of every model. "" if there is none.
    """
    names = [model, model.removesuffix("Input"), model.removesuffix("WithSecret").removesuffix("Detail")]
    names += [model.replace("Update", "Create", 1)]
    texts = [TEXTS["models"].get(each, {}).get(name) for each in names] + [TEXTS["fields"].get(name)]
    return next((text for text in texts if text), "")


def _described(schemas: dict[str, Json]) -> dict[str, Json]:
    """The schemas with a description of every field: the model's own, or that of texts.toml."""
    for name, schema in schemas.items():
        if name == "JsonValue":
            schema["description"] = "Any JSON value."
        for field, content in schema.get("properties", {}).items():
            if "description" not in content and (text := _field_text(name, field)):
                content["description"] = text
    return schemas
