"""Request errors: no message about a body or a query uses Pydantic's wording."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, RootModel
from pydantic_core import _pydantic_core

from local import gateway
from local.direct import handler_of
from patchbay.api_model import validate
from patchbay.errors import ValidationFailed
from patchbay.field_errors import _INVALID
from tests.conftest import Backend

VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, 1e300, "", "x", "X", "1", " ", "é", "a\u0000b", "x" * 5000),
    *([], [None], [""], ["x"] * 200, [{}], [[1]], {}, {"": None}, {"x": "y"}, {"x": None}, {"x": [1]}),
    {f"a{number}": "x" for number in range(200)},
]
# Pydantic's own messages, without those that only wrap ours.
TEMPLATES = [
    re.compile(re.sub(r"\\{\w+\\}", ".*", re.escape(kind["message_template_python"])))
    for kind in _pydantic_core.list_all_errors()
    if kind["type"] not in ("value_error", "assertion_error")
]


def models(backend: Backend) -> set[type[BaseModel]]:
    """Return the models of all bodies and queries."""
    functions, found = backend.template.functions(), set()
    for route in gateway.read(backend.template).routes:
        handler = handler_of(functions[route.function])
        for parameter in inspect.signature(handler, eval_str=True).parameters.values():
            if parameter.name in ("body", "query"):
                found.add(parameter.annotation)
    return found


def values_of(kind: Any, within: tuple[type, ...] = ()) -> Iterator[Any]:
    """Yield wrong and valid values of a type. `within` lists the enclosing models, which do not recur."""
    yield from VALUES
    yield from structures(kind, within)


def structures(kind: Any, within: tuple[type, ...]) -> Iterator[Any]:
    """Yield objects and lists whose contents are wrong."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield from structures(arguments[0], within)
    elif origin is list:
        yield from ([value] for value in values_of(arguments[0], within))
    elif origin is dict:
        yield from ({"x": value} for value in values_of(arguments[1], within))
    elif isinstance(kind, type) and issubclass(kind, RootModel):
        yield from structures(kind.model_fields["root"].annotation, within)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in within:
            yield from bodies(kind, (*within, kind))
    elif origin is not Literal:
        for argument in arguments:  # a union
            yield from structures(argument, within)


def bodies(model: type[BaseModel], within: tuple[type, ...]) -> Iterator[dict[str, Any]]:
    """Yield bodies with the tags of unions and one field: an unknown one, or a known one with each value."""
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    tags = {name: get_args(kind)[0] for name, kind in fields.items() if get_origin(kind) is Literal}
    yield {**tags, "unknown": 1}
    for name, kind in fields.items():
        yield from ({**tags, name: value} for value in values_of(kind, within))


def test_no_message_has_the_words_of_pydantic(backend: Backend, subtests: pytest.Subtests) -> None:
    total = 0
    for model in sorted(models(backend), key=lambda model: model.__name__):
        messages: dict[str, Any] = {}
        for body in [*VALUES, *values_of(model)]:
            try:
                validate(model, body)
            except ValidationFailed as problem:
                messages |= {error.message: body for error in problem.errors}
                total += 1
        with subtests.test(model.__name__):
            for message, body in messages.items():
                assert not any(template.fullmatch(message) for template in TEMPLATES), (message, body)
                assert message != _INVALID, body
                assert not re.search(r"Input should|pattern|[Vv]alue error|\binput\b", message), message
                assert "; ;" not in message
                assert not message.endswith((":", ";", " ")), message
    assert total > 5_000
