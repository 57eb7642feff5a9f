"""HTTP responses for API Gateway. Problems become problem+json (RFC 9457) here and nowhere else.

`api_model.validate` has already turned Pydantic's errors into problems.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypedDict

from pydantic import BaseModel

from patchbay import response_size
from patchbay.errors import InternalError, Problem, ResponseTooLarge, ValidationFailed
from patchbay.http.request import Event, origin_of, path_of
from patchbay.observability import logger
from patchbay.rate_limits.throttling import is_throttling, throttled

# The headers that a page of another origin may read, besides those that CORS always exposes. The template has
# the same list.
EXPOSED_HEADERS = (
    "allow",
    "etag",
    "idempotent-replayed",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
)


class Response(TypedDict):
    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: bool


def model_response(model: BaseModel, status: int) -> Response:
    """A model as JSON, with its version as `ETag`. Its own `http_status` takes precedence over `status`."""
    return json_response(
        getattr(model, "http_status", status),
        response_size.to_fitting_json(model),
        etag(getattr(model, "version", None)),
    )


def etag(version: object) -> dict[str, str]:
    """The `ETag` of a resource with this version; none for a model without one. Changes to the resource
    change it. Changes to the counters that some resources have, such as a key's usage, do not.
    """
    return {"etag": f'"{version}"'} if isinstance(version, int) else {}


def json_response(status: int, body: str, headers: Mapping[str, str] | None = None) -> Response:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", **(headers or {})},
        "body": body,
        "isBase64Encoded": False,
    }


def check_size(response: Response) -> None:
    """Raises ResponseTooLarge. Every kind of response is bounded already; this check catches a missed one."""
    if not response_size.fits(response["body"]):
        size = response_size.encoded_size(response["body"])
        logger.error("response too large", bytes=size)
        raise ResponseTooLarge(
            f"The response has {size} bytes; the maximum is {response_size.MAX_BYTES}. If the request was a "
            "change, it succeeded: do not retry it."
        )


def problem_of(error: Exception, request_id: str) -> Problem:
    """The problem that the caller sees for an error. Unexpected errors are logged, and become an
    InternalError.
    """
    if isinstance(error, Problem):
        return error
    if is_throttling(error):
        logger.warning("throttled", exc_info=True)
        return throttled()
    logger.exception("unhandled error")
    return InternalError(
        "An internal error occurred. Try again in a moment. If the error persists, contact support with "
        f"the requestId {request_id}."
    )


def problem_response(problem: Problem, event: Event) -> Response:
    """A problem as problem+json (RFC 9457). `type` links to the description of its code."""
    body: dict[str, object] = {
        "type": f"{origin_of(event)}/api/docs/errors#{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "instance": path_of(event),
        "requestId": event["requestContext"]["requestId"],
    }
    if isinstance(problem, ValidationFailed):
        body["errors"] = [error._asdict() for error in problem.errors]
    return json_response(
        problem.status,
        json.dumps(body, ensure_ascii=False),
        {**problem.headers, "content-type": "application/problem+json"},
    )
