"""The template's functions in this process: their environment, and requests to their handlers.

For programs that cannot wait for function processes, such as tests, benchmarks, and the demo, which sets the
clock. A request reaches the handler that the template names for its route, in API Gateway's payload 2.0.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from local import gateway
from local.runtime import environment_of
from local.settings import ROOT
from local.template import Function, Template
from local.testing import RunningStack

SOURCES = tuple(
    str(ROOT / folder) for folder in ("layers/patchbay", "layers/reference", "layers/console", "functions")
)


def template_of(s: RunningStack) -> Template:
    """The template of the repository, with the parameters and resources of a running stack."""
    described = s.describe()
    template = Template(ROOT / "template.yaml", described["parameters"])
    template.identities, template.endpoints = described["ids"], described["endpoints"]
    return template


@contextlib.contextmanager
def library_on(s: RunningStack) -> Iterator[None]:
    """Give this process the environment of the stack's functions during the block."""
    template = template_of(s)
    with environment(environment_of(template.functions()["DeliverFunction"], s.endpoints)):
        yield


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Give this process a function's environment variables, and the functions' code, during the block."""
    before, path = dict(os.environ), list(sys.path)
    os.environ.update(variables)
    sys.path[:0] = SOURCES
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.path[:] = path


def handler_of(function: Function) -> Any:
    """The handler of a function of the template."""
    module, _, attribute = function.handler.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def request(
    api: gateway.Api,
    functions: Mapping[str, Function],
    line: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    context: Any,
    request_id: str,
    source: str = "127.0.0.1",
    change: Mapping[str, Any] | None = None,
) -> tuple[int, dict[str, str], str]:
    """Send a request, such as `GET /api/me?…`, and return the status, headers and text of the response.
    `change` is merged into the event, for content that HTTP cannot carry.
    """
    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    match = api.match(method, unquote(path))
    assert match is not None, f"no route and no $default for {line}"
    route, path_parameters = match
    scope = {
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": (source, 1234),
        "http_version": "1.1",
    }
    event = gateway.payload(scope, dict(headers), body, route, path_parameters, request_id)
    for name, value in (change or {}).items():
        event[name] = {**event.get(name, {}), **value} if isinstance(value, dict) else value
    answer = handler_of(functions[route.function])(event, context)
    text = answer["body"]
    if answer["isBase64Encoded"]:
        text = base64.b64decode(text).decode(errors="replace")
    return answer["statusCode"], answer["headers"], text
