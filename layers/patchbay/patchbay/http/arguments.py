"""Turns a request into the arguments of an endpoint's function, according to its annotations."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Protocol, get_type_hints

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from patchbay.api_model import validate
from patchbay.http.request import Request

Reader = Callable[[Request], object]


class PathValue(Protocol):
    """The type of a path variable: an ID, a connection's name, a key of the catalogue."""

    @classmethod
    def parse(cls, text: str) -> object:
        """Raises ValueError, with a message such as "not a valid whk_ ID", if nothing can have this name."""


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
        return validate(model, dict(request.query))

    return read


def _body_reader(model: type[BaseModel], *, optional: bool) -> Reader:
    item_list: str | None = getattr(model, "validated_per_item", None)

    def read(request: Request) -> BaseModel:
        return validate(model, request.json(optional=optional, per_item=item_list))

    return read
