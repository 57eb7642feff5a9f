"""`@endpoint`: authenticate → authorise → limit → parse → service → respond.

A handler says by its annotations what it takes: a parameter named `body` or `query` is a model, one of a type
with `parse` is the path variable of its name, `request` is the rest. What it returns is a model. There is no
API Gateway authorizer: its cache would delay revocation, and it cannot answer 429 or say why.
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Protocol, get_type_hints

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from patchbay import aws, idempotency, response_size
from patchbay.api_model import validate
from patchbay.errors import NotFound, Problem, ResponseTooLarge, ValidationFailed
from patchbay.http import credentials
from patchbay.http.request import Request
from patchbay.observability import logger, sampled
from patchbay.rate_limits import ceilings
from patchbay.rate_limits.throttling import is_throttling, throttled
from patchbay.settings import refuse_encryption_key

Response = dict[str, Any]
LambdaHandler = Callable[[Mapping[str, Any], Any], Response]

_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


class Redirect(BaseModel):
    """Sends a browser on, with the endpoint's status (303)."""

    location: str


def endpoint(
    *,
    scope: str | None = None,
    public: bool = False,
    status: int = 200,
    idempotent: bool = False,
    located: bool = False,
    optional_body: bool = False,
) -> Callable[[Callable[..., BaseModel]], LambdaHandler]:
    """Make a Lambda handler of `function`.

    `scope` is what a caller needs; a route without one must say `public=True`, else its module does not
    import. `idempotent=True` takes an Idempotency-Key: the function hands `request.once` to its service.
    `located=True` says in `Location` where what was created is. `optional_body=True` takes no body for `{}`.
    A model with a `http_status` of its own is answered with that, where it is another than the endpoint's.
    A body's model can name a list in `validated_per_item`: malformed JSON in one of its items is that item's
    error instead of the request's.
    """
    if (scope is None) is not public:
        raise TypeError("an endpoint needs a scope, or public=True; not both")
    refuse_encryption_key()
    if scope is not None:
        aws.preload()

    def decorate(function: Callable[..., BaseModel]) -> LambdaHandler:
        arguments = _arguments(function, optional_body=optional_body)

        @wraps(function)
        def handler(event: Mapping[str, Any], context: Any) -> Response:
            started = time.perf_counter()
            request_id = event["requestContext"]["requestId"]
            logger.set_correlation_id(request_id)
            request: Request | None = None
            limits: Mapping[str, str] = {}
            try:
                request = Request.of(event)
                if scope is not None:
                    request.caller, limits = credentials.authenticate(request.headers)
                    request.caller.require(scope)
                    # Workspaces are kept from each other's share; the platform is all of theirs.
                    if not request.caller.is_platform:
                        ceilings.admit(request.caller.workspace_id, "requests")
                response = _run(function, arguments, request, status, idempotent=idempotent)
                if located and response["statusCode"] == 201:
                    id = json.loads(response["body"])["id"]
                    response["headers"]["location"] = f"{request.raw_path}/{id}"
                _check_size(response)
            except Problem as problem:
                response = _problem(problem, event)
            except Exception as error:
                if is_throttling(error):
                    logger.warning("throttled", exc_info=True)
                    response = _problem(throttled(), event)
                else:
                    # The edge: the caller gets an id to quote, the log gets the rest.
                    logger.exception("unhandled error")
                    response = _internal(event, request_id)
            response["headers"] = {**_HEADERS, **limits, **response["headers"]}
            caller = request.caller if request else None
            # Publishing is most of the traffic, and the access log has every request.
            if response["statusCode"] >= 400 or scope != "events:publish" or sampled(request_id):
                logger.info(
                    event["routeKey"],
                    status=response["statusCode"],
                    workspace=caller.workspace_id if caller else None,
                    caller=caller.id if caller else None,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                )
            return response

        handler.endpoint = {"scope": scope, "status": status}  # type: ignore[attr-defined]  # for tests
        return handler

    return decorate


# ── in ───────────────────────────────────────────────────────────────────────────────────────────────

_Reader = Callable[[Request], Any]


def _arguments(function: Callable[..., BaseModel], *, optional_body: bool) -> dict[str, _Reader]:
    """How each parameter of the handler is read from a request."""
    hints = get_type_hints(function)
    readers: dict[str, _Reader] = {}
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
            raise TypeError(f"{function.__module__}: cannot read the parameter {name} of {kind}")
    return readers


class PathValue(Protocol):
    """What stands for a variable of a path: an id, a connection's name, a key of the catalogue."""

    @classmethod
    def parse(cls, text: str) -> Any:
        """Raises ValueError when there can be no such thing."""


def _path_reader(variable: str, kind: type[PathValue]) -> _Reader:
    def read(request: Request) -> Any:
        try:
            return kind.parse(request.path[variable])
        except ValueError as error:
            raise NotFound(f"There is no such thing: {variable} is {error}.") from None

    return read


def _query_reader(model: type[BaseModel]) -> _Reader:
    def read(request: Request) -> BaseModel:
        return validate(model, dict(request.query))

    return read


def _body_reader(model: type[BaseModel], *, optional: bool) -> _Reader:
    def read(request: Request) -> BaseModel:
        each: str | None = getattr(model, "validated_per_item", None)
        return validate(model, request.json(optional=optional, each=each))

    return read


def _run(
    function: Callable[..., BaseModel],
    arguments: Mapping[str, _Reader],
    request: Request,
    status: int,
    *,
    idempotent: bool,
) -> Response:
    key = request.headers.get("idempotency-key") if idempotent else None
    values = {name: read(request) for name, read in arguments.items()}
    if key is None:
        answer = function(**values)
        if isinstance(answer, Redirect):
            return _json(status, "", {"location": answer.location})
        return _answer(answer, status)
    # The same key for another thing of the route is another request, as with another body.
    asked = [dict(request.path), request.json(optional=True)]
    scope = idempotency.scope(request.principal, request.route, key, asked)
    once = idempotency.Once(scope)
    first = once.begin()
    if first is not None:
        return _json(status, first, {"idempotent-replayed": "true"})
    request.once = once
    try:
        answer = function(**values)
    except Problem:
        once.release()
        raise
    if not (once.completed or once.released):
        raise RuntimeError("an idempotent endpoint must hand request.once to its service")
    return _answer(answer, status)


# ── out ──────────────────────────────────────────────────────────────────────────────────────────────


def _answer(answer: BaseModel, status: int) -> Response:
    return _json(getattr(answer, "http_status", status), response_size.to_fitting_json(answer))


def _check_size(response: Response) -> None:
    """Raises ResponseTooLarge. Every answer has its own bound; this check catches one without."""
    if not response_size.fits(response["body"]):
        size = response_size.encoded_size(response["body"])
        logger.error("response too large", bytes=size)
        raise ResponseTooLarge(
            f"The answer has {size} bytes; at most {response_size.MAX_BYTES} can be sent. If you asked for a"
            " change, it was made: do not repeat the request."
        )


def _json(status: int, body: str, headers: Mapping[str, str] | None = None) -> Response:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", **(headers or {})},
        "body": body,
        "isBase64Encoded": False,
    }


def _problem(problem: Problem, event: Mapping[str, Any]) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:patchbay:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "instance": _instance(event),
    }
    if isinstance(problem, ValidationFailed):
        body["errors"] = [error._asdict() for error in problem.errors]
    return _problem_json(body, problem.headers)


def _internal(event: Mapping[str, Any], request_id: str) -> Response:
    return _problem_json(
        {
            "type": "urn:patchbay:problem:internal",
            "title": "Something broke on our side",
            "status": 500,
            "detail": f"Quote this id when you ask for help: {request_id}",
            "code": "internal",
            "instance": _instance(event),
        }
    )


def _instance(event: Mapping[str, Any]) -> str:
    path: str = event["rawPath"]
    return path.encode(errors="replace").decode()  # no answer can hold half of a surrogate pair


def _problem_json(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    response = _json(body["status"], json.dumps(body, ensure_ascii=False), headers)
    response["headers"]["content-type"] = "application/problem+json"
    return response
