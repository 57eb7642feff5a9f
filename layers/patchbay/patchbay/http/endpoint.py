"""`@endpoint`: authenticate → authorize → limit → parse → call the service → audit → respond.

A handler's annotations declare its arguments: `body` and `query` are models, a parameter whose type has
`parse` is the path variable of that name, and one of type `Request` is the whole request. It returns a model.
There is no API Gateway authorizer: its cache would delay revocation, and it cannot return 429 or the reason
for an error.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import wraps

from pydantic import BaseModel

from patchbay import aws, idempotency, metrics
from patchbay.activity.trail import Trail
from patchbay.auth.principal import Principal
from patchbay.errors import Forbidden, Problem, WorkspaceErasing
from patchbay.http import auditing, credentials
from patchbay.http.arguments import Reader, check_unread, readers_of
from patchbay.http.file import File, file_response
from patchbay.http.request import Event, Request
from patchbay.http.response import (
    Response,
    check_size,
    etag,
    json_response,
    model_response,
    problem_of,
    problem_response,
)
from patchbay.observability import correlation_id, logger, sampled
from patchbay.rate_limits import ceilings
from patchbay.rate_limits.headers import with_quota_items
from patchbay.settings import reject_encryption_key

EndpointFunction = Callable[..., BaseModel]
LambdaHandler = Callable[[Event, object], Response]
# The caller of a request with these headers, if it has one, and the rate-limit headers of the response.
Identify = Callable[[Mapping[str, str]], tuple[Principal | None, Mapping[str, str]]]

_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


class Redirect(BaseModel):
    """Redirects a browser with the endpoint's status (303)."""

    location: str


class NoContent(BaseModel):
    """The response to a preflight request: 204, without a body."""


def endpoint(
    *,
    scope: str | None = None,
    public: bool = False,
    recognizes_keys: bool = False,
    any_caller: bool = False,
    links: bool = False,
    only_links: bool = False,
    read_only: bool | None = None,
    status: int = 200,
    idempotent: bool = False,
    located: str | None = None,
    optional_body: bool = False,
    reads_secret: bool = False,
    revealed_by: str | None = None,
    unaudited: str | None = None,
    during_erasure: bool = False,
) -> Callable[[EndpointFunction], LambdaHandler]:
    """Turn a function into a Lambda handler.

    - `scope`: what the caller needs. An endpoint without one must say `public=True`, or `any_caller=True` if
      valid credentials are enough, or its import fails.
    - `links`: also accept a caller with a connect link, who needs no scope; the service checks what it
      allows. `only_links`: accept only such callers.
    - `read_only`: whether a portal session that may only read can call it; by default, if it is a GET.
    - `recognizes_keys`: a public endpoint that counts the requests of valid API keys, for their rate-limit
      headers.
    - `status`: the status of a success. A model's own `http_status` takes precedence.
    - `idempotent`: accept an Idempotency-Key; the function must pass `request.once` to its service.
    - `located`: the path of the resource that a response with `status` has created, for `Location`. Its
      variables are fields of the response, or else path variables: "/api/integrations/webhooks/{id}".
    - `optional_body`: accept an empty body as `{}`.
    - `reads_secret`: a GET that responds with a secret, so the audit log records it. With `revealed_by`, it
      does so only if this query parameter asks for it.
    - `unaudited`: why the audit log does not record the requests (see `auditing`).
    - `during_erasure`: accept a workspace that is being erased. All other endpoints respond with 409.

    A body's model may name a list in `validated_per_item`: malformed JSON in one item is then an error of
    that item, not of the request.
    """
    if [scope is not None, public, any_caller, only_links].count(True) != 1:
        raise TypeError("an endpoint needs a scope, public=True, any_caller=True or only_links=True")
    reject_encryption_key()
    if not public:
        aws.preload()

    def decorate(function: EndpointFunction) -> LambdaHandler:
        readers = readers_of(function, optional_body=optional_body)
        identify: Identify = _anonymous if public else credentials.authenticate
        if recognizes_keys:
            identify = credentials.recognize_key
        elif links or only_links:
            identify = credentials.authenticate_link if only_links else credentials.authenticate_or_link
        rule = auditing.Rule(
            auditing.action_of(function.__module__),
            unaudited,
            reads_secret=reads_secret,
            revealed_by=revealed_by,
        )

        @wraps(function)
        def handler(event: Event, context: object) -> Response:
            started = time.perf_counter()
            # API Gateway sends names in lowercase, `sam local start-api` as the client wrote them.
            headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
            event = {**event, "headers": headers}
            request_id = event["requestContext"]["requestId"]
            correlation = correlation_id(headers, request_id)
            logger.set_correlation_id(correlation)
            caller: Principal | None = None
            rate_limit_headers: Mapping[str, str] = {}
            request: Request | None = None
            trail: Trail | None = None
            try:
                # Before anything else is read, so that every response to an API key has its limits.
                caller, rate_limit_headers = identify(headers)
                _check_read_only(caller, event, read_only)
                is_erasing = _authorize_and_limit(caller, scope, during_erasure=during_erasure)
                # During an erasure, the entries of the workspace are being deleted.
                trail = None if public or is_erasing else auditing.begin(rule, event, caller)
                request = Request.from_event(event)
                request.caller = caller
                with auditing.following(rule, trail, event):
                    response = _call_function(function, readers, request, status, idempotent=idempotent)
                if located is not None and response["statusCode"] == status:
                    response["headers"]["location"] = _location(located, response, request)
                check_size(response)
            except Exception as error:
                response = problem_response(problem_of(error, request_id), event)
                trail = trail or auditing.begin(rule, event, auditing.actor_of(error, caller))
            if trail is not None:
                response = auditing.finish(rule, trail, event, response)
            headers = {**_HEADERS, "x-request-id": request_id, **rate_limit_headers, **response["headers"]}
            response["headers"] = with_quota_items(headers, request.used_quotas if request else {})
            if event["requestContext"]["http"]["method"] == "HEAD":
                response["body"] = ""
            # Publishing is most of the traffic, and the access log has every request.
            if response["statusCode"] >= 400 or scope != "events:publish" or sampled(correlation):
                logger.info(
                    event["routeKey"],
                    status=response["statusCode"],
                    workspace=caller.workspace_id if caller else None,
                    caller=caller.id if caller else None,
                    **({} if correlation == request_id else {"request_id": request_id}),
                    ms=round((time.perf_counter() - started) * 1000, 1),
                )
            metrics.flush()
            return response

        # For the tests, and for the OpenAPI description.
        handler.endpoint = {  # type: ignore[attr-defined]  # an attribute of a function
            "scope": scope,
            "public": public,
            "links": "only" if only_links else "also" if links else None,
            "status": status,
            "idempotent": idempotent,
            "located": located,
            "optional_body": optional_body,
            "audit": None if public else rule,
        }
        return handler

    return decorate


def _anonymous(headers: Mapping[str, str]) -> tuple[None, Mapping[str, str]]:
    return None, {}


def _check_read_only(caller: Principal | None, event: Event, allowed: bool | None) -> None:
    """Raises Forbidden for a change by a session that may only read."""
    if caller is None or caller.session is None or not caller.session.read_only:
        return
    reads = event["requestContext"]["http"]["method"] in auditing.READS if allowed is None else allowed
    if not reads:
        raise Forbidden("This session is read-only. Ask your platform for a session that can make changes.")


def _authorize_and_limit(caller: Principal | None, scope: str | None, *, during_erasure: bool) -> bool:
    """Return whether the caller's workspace is being erased. Raises Forbidden, RateLimited at the workspace's
    ceiling, and WorkspaceErasing.
    """
    if caller is None:
        return False
    if scope is not None and caller.link is None:
        caller.require(scope)
    # The ceiling protects workspaces from each other. The platform acts for all of them.
    if caller.is_platform:
        return False
    try:
        ceilings.admit(caller.workspace_id, "requests")
    except WorkspaceErasing:
        if not during_erasure:
            raise
        return True
    return False


def _call_function(
    function: EndpointFunction,
    readers: Mapping[str, Reader],
    request: Request,
    status: int,
    *,
    idempotent: bool,
) -> Response:
    idempotency_key = request.headers.get("idempotency-key") if idempotent else None
    arguments = {name: read(request) for name, read in readers.items()}
    auditing.note_fields(arguments)
    # Links to public routes may carry other parameters, and a path without a route is a 404 in any case.
    if request.caller is not None and request.route != "$default":
        check_unread(request, readers)
    if idempotency_key is not None:
        return _call_once(function, arguments, request, idempotency_key, status)
    result = function(**arguments)
    if isinstance(result, Redirect):
        return json_response(status, "", {"location": result.location})
    if isinstance(result, NoContent):
        return {"statusCode": 204, "headers": {}, "body": "", "isBase64Encoded": False}
    if isinstance(result, File):
        return file_response(result, request)
    return model_response(result, status)


def _call_once(
    function: EndpointFunction,
    arguments: Mapping[str, object],
    request: Request,
    idempotency_key: str,
    status: int,
) -> Response:
    """The response to a request with an Idempotency-Key: that of the first such request, if there was one."""
    # The same key with other path variables is a different request, like one with another body.
    content = [dict(request.path), request.json(optional=True)]
    once = idempotency.Once(idempotency.scope(request.principal, request.route, idempotency_key, content))
    first = once.start()
    if first is not None:
        version = json.loads(first).get("version")
        return json_response(status, first, {"idempotent-replayed": "true", **etag(version)})
    request.once = once
    try:
        result = function(**arguments)
    except Problem:
        once.release()
        raise
    if not (once.completed or once.released):
        raise RuntimeError("an idempotent endpoint must pass request.once to its service")
    return model_response(result, status)


def _location(path: str, response: Response, request: Request) -> str:
    return path.format_map({**request.path, **json.loads(response["body"])})
