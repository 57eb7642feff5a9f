"""Turns a request into the arguments of an endpoint's function, according to its annotations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Protocol, get_type_hints
from urllib.parse import parse_qsl

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from patchbay.api_model import validate
from patchbay.errors import ValidationFailed
from patchbay.field_errors import join_path
from patchbay.http.request import Request

Reader = Callable[[Request], object]


class PathValue(Protocol):
    """The type of a path variable: an ID, a connection's name, a key of the catalogue."""

    @classmethod
    def parse(cls, text: str) -> object:
        """Raises ValueError, with a message such as "must be a name", if nothing can have this name."""


def readers_of(function: Callable[..., object], *, optional_body: bool) -> dict[str, Reader]:
    """For each parameter of an endpoint's function, the reader that takes it from a request."""
    hints = get_type_hints(function)
    readers: dict[str, Reader] = {}
    for name in inspect.signature(function).parameters:
        kind = hints[name]
        if kind is Request:
            readers[name] = lambda request: request
        elif hasattr(kind, "parse"):
            readers[name] = _path_reader(to_camel(name), kind)
        elif issubclass(kind, BaseModel) and name == "query":
            readers[name] = _query_reader(kind)
        elif issubclass(kind, BaseModel) and name == "body":
            readers[name] = _body_reader(kind, optional=optional_body)
        else:
            raise TypeError(f"{function.__module__}: cannot read the parameter {name} of type {kind}")
    return readers


def check_unread(request: Request, readers: Mapping[str, Reader]) -> None:
    """Raises ValidationFailed for a query or a body that no reader reads: its sender expects an effect.

    Clients of automation platforms send an empty value as the body of any request.
    """
    if request.query and "query" not in readers:
        path = join_path([next(iter(request.query))])
        raise ValidationFailed.for_field(path, "unknown parameter; this route takes no query parameters")
    if "body" not in readers and not request.has_empty_body:
        raise ValidationFailed.for_field("body", "this route takes no body; send the request without one")


def _path_reader(variable: str, kind: type[PathValue]) -> Reader:
    def read(request: Request) -> object:
        try:
            return kind.parse(request.path[variable])
        except ValueError as error:
            from patchbay.http.not_found import impossible_value  # only errors need the table of routes

            raise impossible_value(request.method, request.raw_path, variable, str(error)) from None

    return read


def _query_reader(model: type[BaseModel]) -> Reader:
    def read(request: Request) -> BaseModel:
        _check_repeated(request.raw_query)
        return validate(model, dict(request.query))

    return read


def _check_repeated(raw_query: str) -> None:
    """Raises ValidationFailed for a parameter that is sent twice: API Gateway joins its values."""
    seen: set[str] = set()
    for name, _ in parse_qsl(raw_query, keep_blank_values=True):
        if name in seen:
            raise ValidationFailed.for_field(join_path([name]), "was sent twice; send one value")
        seen.add(name)


def _body_reader(model: type[BaseModel], *, optional: bool) -> Reader:
    item_list: str | None = getattr(model, "validated_per_item", None)

    def read(request: Request) -> BaseModel:
        return validate(model, request.json(optional=optional, per_item=item_list))

    return read
