"""Each route of template.yaml, with everything that its handler declares."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from local import gateway
from local.settings import REQUIRED_PARAMETERS, ROOT
from local.template import Template
from patchbay import idempotency
from patchbay.errors import (
    Forbidden,
    InternalError,
    MalformedJson,
    NotFound,
    PayloadTooLarge,
    Problem,
    RateLimited,
    Unauthenticated,
    ValidationFailed,
    all_problems,
)
from tools.openapi.problems import raised_by

Model = type[BaseModel]


@dataclass(frozen=True)
class Operation:
    """A route. `id` is its function's name in the template, such as `createWebhook`; `folder` and `verb` are
    those of its file, such as `webhooks` and `create`.
    """

    id: str
    method: str
    path: str
    folder: str
    verb: str
    summary: str
    description: str
    scope: str | None
    public: bool
    links: str | None
    path_types: Mapping[str, type]
    query: Model | None
    body: Model | None
    body_required: bool
    answers: Mapping[int, tuple[Model, ...]]
    located_status: int | None
    takes_idempotency_key: bool
    replays: bool
    takes_if_match: bool
    problems: tuple[type[Problem], ...]

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation, in the order of the template. The console's pages, outside /api, are not included."""
    template = Template(
        ROOT / "template.yaml",
        REQUIRED_PARAMETERS,
    )
    functions = template.functions()
    order = list(functions)
    routes = [
        route
        for route in gateway.read(template).routes
        if route.path.startswith("/api/") and route.method != "HEAD"
    ]
    return tuple(
        _operation(route, functions[route.function].handler)
        for route in sorted(routes, key=lambda route: order.index(route.function))
    )


def _operation(route: gateway.Route, path: str) -> Operation:
    module = path.removesuffix(".handler")
    handler = importlib.import_module(module).handler
    function, info = handler.__wrapped__, handler.endpoint
    folder, _, verb = module.partition(".")
    hints = get_type_hints(function)
    source = inspect.getsource(function)
    summary, description = _summary_of(function)
    body, query = hints.get("body"), hints.get("query")
    answers = _answers(hints["return"], info["status"])
    operation = Operation(
        id=_id(route.function),
        method=route.method,
        path=route.path,
        folder=folder,
        verb=verb,
        summary=summary,
        description=description,
        scope=info["scope"],
        public=info["public"],
        links=info["links"],
        path_types={
            name: next(kind for argument, kind in hints.items() if to_camel(argument) == name)
            for name in re.findall(r"\{(\w+)\+?\}", route.path)
        },
        query=query,
        body=body,
        body_required=not info["optional_body"],
        answers=answers,
        located_status=info["status"] if info["located"] else None,
        takes_idempotency_key=info["idempotent"] or '"idempotency-key"' in source,
        replays=info["idempotent"],
        takes_if_match="request.if_match" in source,
        problems=(),
    )
    return replace(operation, problems=tuple(_problems(operation, function)))


def _id(function: str) -> str:
    """`InitiateOAuthFunction` → `initiateOauth`, which generators turn into `initiate_oauth`."""
    name = function.removesuffix("Function").replace("OAuth", "Oauth")
    return name[0].lower() + name[1:]


def _summary_of(function: Callable[..., Any]) -> tuple[str, str]:
    """The first clause of the docstring as a heading, and the remaining text: the whole text if the heading
    cuts the first sentence.
    """
    text = " ".join((inspect.getdoc(function) or "").split())
    sentence, _, rest = text.partition(". ")
    heading = re.split(r", |: |; | with (?=its|their|the )", sentence)[0].removesuffix(".")
    return heading, rest if heading == sentence.removesuffix(".") else text


def members_of(kind: Any) -> tuple[Any, ...]:
    """The members of a union; of another type, the type itself."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _answers(kind: object, status: int) -> dict[int, tuple[Model, ...]]:
    """The models of each status. A model with its own `http_status` is another answer: one of a union, or a
    subclass of the declared model.
    """
    declared = members_of(kind)
    variants = [
        variant for model in declared for variant in model.__subclasses__() if "http_status" in vars(variant)
    ]
    found: dict[int, tuple[Model, ...]] = {}
    for model in [*declared, *variants]:
        own = getattr(model, "http_status", status)
        found[own] = (*found.get(own, ()), model)
    return found


def _problems(operation: Operation, function: Callable[..., Any]) -> list[type[Problem]]:
    """The problems that the pipeline of `@endpoint` and the operation's function can raise: one class per
    code.
    """
    found: set[type[Problem]] = raised_by([function]) | {InternalError, ValidationFailed}
    if not operation.public:
        found |= {Unauthenticated, RateLimited}
    if operation.scope is not None:
        found |= {Forbidden}
    if operation.body is not None:
        found |= {MalformedJson, PayloadTooLarge}
    if operation.path_types:
        found |= {NotFound}
    if operation.takes_idempotency_key:
        found |= raised_by([idempotency.scope, idempotency.Once.start])
    by_code = {problem.code: problem for problem in all_problems()}
    canonical = {by_code[problem.code] for problem in found}
    return sorted(canonical, key=lambda problem: (problem.status, problem.code))
