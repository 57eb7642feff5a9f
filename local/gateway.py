"""The HTTP API: routes from the transformed template, Lambda proxy integration, payload format 2.0.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.asgi import read_body, respond
from local.runtime import MAX_PAYLOAD, Answer, Runtime, trace_id
from local.settings import ACCOUNT, Problem
from local.template import Template

MAX_BODY = 10 * 1024 * 1024
MAX_SECONDS = 30.0
_API_ID = "local"
_INTEGRATION = "x-amazon-apigateway-integration"
_ANY = "x-amazon-apigateway-any-method"
# Only these content types, with any parameters, reach a function as text. All others are base64, including
# forms and requests without a content type.
_TEXT = re.compile(r"(text/[\w.+-]+|application/(json|xml|javascript))\s*(;|$)", re.IGNORECASE)

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Route:
    """A route of the API; `path` is empty for `$default`, `method` is `ANY` for every method."""

    method: str
    path: str
    function: str
    timeout: float

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}" if self.path else "$default"

    @property
    def segments(self) -> list[str]:
        return self.path.split("/")


@dataclass(frozen=True)
class Cors:
    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    expose: tuple[str, ...]
    credentials: bool
    max_age: int | None

    def answer(self, origin: str) -> Headers:
        """The headers of a response to this origin; none if the origin is not allowed."""
        if "*" not in self.origins and not any(_glob(allowed, origin) for allowed in self.origins):
            return []
        found = [("access-control-allow-origin", "*" if "*" in self.origins else origin)]
        if "*" not in self.origins:
            found.append(("vary", "Origin"))
        if self.credentials:
            found.append(("access-control-allow-credentials", "true"))
        if self.expose:
            found.append(("access-control-expose-headers", ",".join(self.expose)))
        return found

    def preflight(self, origin: str) -> Headers:
        found = self.answer(origin)
        if found:
            found.append(("access-control-allow-methods", ",".join(self.methods)))
            found.append(("access-control-allow-headers", ",".join(self.headers)))
            if self.max_age is not None:
                found.append(("access-control-max-age", str(self.max_age)))
        return [(name, value) for name, value in found if value]


@dataclass(frozen=True)
class Api:
    routes: tuple[Route, ...]
    cors: Cors | None

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a request and its decoded path parameters. A full match has priority over one with a
        greedy variable, and that over `$default`. Otherwise, a literal segment has priority over a variable,
        and then the method over `ANY`.
        https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html"""
        best: tuple[Any, Route, dict[str, str]] | None = None
        for route in self.routes:
            if route.method not in (method, "ANY"):
                continue
            parameters = _match(route.segments, path.split("/")) if route.path else {}
            if parameters is None:
                continue
            kinds = [1 if segment.startswith("{") else 0 for segment in route.segments]
            rank = (not route.path, route.path.endswith("+}"), kinds, route.method == "ANY")
            if best is None or rank < best[0]:
                best = rank, route, parameters
        return best and best[1:]


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    parameters = {}
    if pattern[-1].endswith("+}"):
        *pattern, greedy = pattern
        rest = "/".join(segments[len(pattern) :])
        if not rest:
            return None
        parameters[greedy[1:-2]] = unquote(rest)
        segments = segments[: len(pattern)]
    if len(pattern) != len(segments):
        return None
    for part, segment in zip(pattern, segments, strict=True):
        if part.startswith("{") and segment:
            parameters[part[1:-1]] = unquote(segment)
        elif part != unquote(segment):
            return None
    return parameters


def _glob(pattern: str, origin: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), origin) is not None


def read(template: Template) -> Api:
    """The routes and CORS settings of the template's HTTP API."""
    apis = list(template.of_type("AWS::ApiGatewayV2::Api"))
    if not apis:
        return Api((), None)
    if len(apis) > 1:
        raise Problem("more than one HTTP API is not emulated")
    for stage in template.of_type("AWS::ApiGatewayV2::Stage"):
        if stage.properties.get("StageName") != "$default":
            raise Problem(f"{stage.logical_id}: only the stage $default is emulated")
    body = apis[0].properties.get("Body")
    if body is None:
        raise Problem(f"{apis[0].logical_id}: only routes in its OpenAPI body are emulated")
    return Api(tuple(_routes(template, body)), _cors(body.get("x-amazon-apigateway-cors")))


def _routes(template: Template, body: dict[str, Any]) -> Iterator[Route]:
    for path, methods in body.get("paths", {}).items():
        for method, operation in methods.items():
            if method == "parameters":  # those of the path
                continue
            integration = operation.get(_INTEGRATION, {})
            where = f"{method} {path}"
            if operation.get("security"):
                raise Problem(f"route {where}: authorizers are not emulated")
            if integration.get("type") != "aws_proxy" or integration.get("payloadFormatVersion") != "2.0":
                raise Problem(f"route {where}: only Lambda proxies with payload format 2.0 are emulated")
            function = template.function_named(integration["uri"])
            if function is None:
                raise Problem(f"route {where}: its function is not in the template")
            yield Route(
                method="ANY" if method == _ANY else method.upper(),
                path="" if path in ("$default", "/$default") else path,
                function=function,
                timeout=float(integration.get("timeoutInMillis", MAX_SECONDS * 1000)) / 1000,
            )


def _cors(settings: dict[str, Any] | None) -> Cors | None:
    if not settings:
        return None

    def items(name: str) -> tuple[str, ...]:
        value = settings.get(name, [])
        value = value.split(",") if isinstance(value, str) else value
        return tuple(str(item).strip() for item in value if str(item).strip())

    max_age = settings.get("maxAge")
    return Cors(
        origins=items("allowOrigins"),
        methods=items("allowMethods"),
        headers=items("allowHeaders"),
        expose=items("exposeHeaders"),
        credentials=str(settings.get("allowCredentials", "")).lower() == "true",
        max_age=None if max_age is None else int(max_age),
    )


class Gateway:
    """The ASGI application. It calls `begin(request_id)` before it invokes a function, and
    `access(request_id, method, path, status, milliseconds, function)` after each request.
    """

    def __init__(
        self,
        runtime: Runtime,
        access: Callable[[str, str, str, int, float, str], None],
        begin: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.api = Api((), None)
        self._runtime = runtime
        self._access = access
        self._begin = begin
        self._running: set[asyncio.Task[Answer]] = set()

    @property
    def busy(self) -> bool:
        return bool(self._running)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        started = time.perf_counter()
        cors, headers = self.api.cors, _headers(scope)
        origin = headers.get("origin", "")
        found = self.api.match(scope["method"], scope["raw_path"].decode("latin-1"))
        preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        body = await read_body(receive, MAX_BODY)
        request_id = uuid.uuid4().hex[:16]
        # An OPTIONS route and $default get preflight requests even if the API has CORS settings.
        if cors and preflight and not (found and (found[0].method == "OPTIONS" or not found[0].path)):
            status, answered, content = 204, list[tuple[str, str]](), b""
        elif body is None:
            status, answered, content = _message(413, "Request Entity Too Large")
        elif found is None:
            status, answered, content = _message(404, "Not Found")
        else:
            event = payload(scope, headers, body, *found, request_id)
            self._begin(request_id)
            status, answered, content = await self._invoke(found[0], json.dumps(event).encode())
        if cors and origin:  # the API's own settings replace the function's headers
            answered = [item for item in answered if not item[0].startswith("access-control-")]
            answered += cors.preflight(origin) if preflight else cors.answer(origin)
        answered.append(("apigw-requestid", request_id))
        await respond(send, status, answered, content)
        duration = (time.perf_counter() - started) * 1000
        function = found[0].function if found else ""
        self._access(request_id, scope["method"], scope["path"], status, duration, function)

    async def _invoke(self, route: Route, event: bytes) -> tuple[int, Headers, bytes]:
        if len(event) > MAX_PAYLOAD:
            return _message(413, "Request Entity Too Large")
        invocation = asyncio.create_task(self._runtime.invoke(route.function, event))
        self._running.add(invocation)  # it continues after the API's timeout, as in Lambda
        invocation.add_done_callback(self._running.discard)
        await asyncio.wait({invocation}, timeout=min(route.timeout, MAX_SECONDS))
        if not invocation.done() or invocation.result().fault == "Timeout":
            return _message(503, "Service Unavailable")
        if invocation.result().fault:
            return _message(500, "Internal Server Error")
        try:
            return response(invocation.result().payload)
        except ValueError:
            return _message(500, "Internal Server Error")


def _message(status: int, text: str) -> tuple[int, Headers, bytes]:
    content = json.dumps({"message": text}, separators=(",", ":")).encode()
    return status, [("content-type", "application/json")], content


def _headers(scope: Any) -> dict[str, str]:
    """The headers with lowercase names; repeated headers are joined by a comma. Cookies are separate in
    format 2.0.
    """
    joined: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def payload(
    scope: Any,
    headers: dict[str, str],
    body: bytes,
    route: Route,
    parameters: dict[str, str],
    request_id: str,
) -> dict[str, Any]:
    """The event of a request in payload format 2.0. Fields without a value are absent."""
    now = datetime.now(UTC)
    source = scope["client"][0] if scope.get("client") else "127.0.0.1"
    host = headers.get("host", "")
    cookies = [
        cookie.strip()
        for name, value in scope["headers"]
        if name.lower() == b"cookie"
        for cookie in value.decode("latin-1").split(";")
    ]
    sent = {name: value for name, value in headers.items() if name != "cookie"}
    sent.setdefault("x-forwarded-for", source)
    sent.setdefault("x-forwarded-port", host.partition(":")[2] or "80")
    sent.setdefault("x-forwarded-proto", "http")
    sent.setdefault("x-amzn-trace-id", trace_id())
    raw_query = scope["query_string"].decode("latin-1")
    query: dict[str, str] = {}
    for name, value in parse_qsl(raw_query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    path = unquote(scope["raw_path"].decode("latin-1"))  # API Gateway decodes the path, even in `rawPath`
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": path,
        "rawQueryString": raw_query,
        "headers": sent,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": _API_ID,
            "domainName": host,  # with the port, unlike API Gateway, so that links to it work
            "domainPrefix": host.partition(":")[0].partition(".")[0],
            "http": {
                "method": scope["method"],
                "path": path,
                "protocol": f"HTTP/{scope['http_version']}",
                "sourceIp": source,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route.key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = query
    if parameters:
        event["pathParameters"] = parameters
    if body:
        event["body"], event["isBase64Encoded"] = _body(body, headers.get("content-type", ""))
    return event


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if _TEXT.match(content_type):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def response(answer: bytes) -> tuple[int, Headers, bytes]:
    """The HTTP response for a function's result. Raises ValueError if API Gateway would answer 500.

    A result without `statusCode` is the body itself, as JSON with status 200.
    """
    value = json.loads(answer)
    if not isinstance(value, dict) or "statusCode" not in value:
        return 200, [("content-type", "application/json")], answer
    status = int(str(value["statusCode"]))
    body = value.get("body")
    headers, cookies = value.get("headers") or {}, value.get("cookies") or []
    if not 100 <= status <= 599 or not isinstance(body, str | None):
        raise ValueError("not a response")
    if not isinstance(headers, dict) or not isinstance(cookies, list):
        raise ValueError("not a response")
    if any(isinstance(item, dict | list) for item in headers.values()):
        raise ValueError("not a response")
    found = [
        (name.lower(), json.dumps(item) if isinstance(item, bool) else str(item))
        for name, item in headers.items()
        if name.lower() not in ("content-length", "connection", "transfer-encoding")
    ]
    if any(re.search(r"[\x00\r\n]", text) for item in found for text in item):
        raise ValueError("not a header")
    if not any(name == "content-type" for name, _ in found):
        found.append(("content-type", "text/plain;charset=UTF-8"))
    found += [("set-cookie", str(cookie)) for cookie in cookies]
    content = (body or "").encode()
    return (
        status,
        found,
        base64.b64decode(content, validate=True) if value.get("isBase64Encoded") else content,
    )
