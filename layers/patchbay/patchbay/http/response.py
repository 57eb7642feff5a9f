"""HTTP responses for API Gateway. Problems become problem+json (RFC 9457) here and nowhere else.

`api_model.validate` has turned Pydantic's errors into problems before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypedDict

from pydantic import BaseModel

from patchbay import response_size
from patchbay.errors import InternalError, Problem, ResponseTooLarge, ValidationFailed
from patchbay.observability import logger
from patchbay.rate_limits.throttling import is_throttling, throttled


class Response(TypedDict):
    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: bool


def model_response(model: BaseModel, status: int) -> Response:
    """A model as JSON; its own `http_status` takes precedence over `status`."""
    return json_response(getattr(model, "http_status", status), response_size.to_fitting_json(model))


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
            f"The response has {size} bytes; the maximum is {response_size.MAX_BYTES}. If the request was a"
            " change, it succeeded: do not repeat it."
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
    return InternalError(f"Quote this ID when you contact support: {request_id}")


def problem_response(problem: Problem, raw_path: str) -> Response:
    """A problem as problem+json (RFC 9457)."""
    body: dict[str, object] = {
        "type": f"urn:patchbay:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "instance": raw_path.encode(errors="replace").decode(),  # no response can hold a lone surrogate
    }
    if isinstance(problem, ValidationFailed):
        body["errors"] = [error._asdict() for error in problem.errors]
    return json_response(
        problem.status,
        json.dumps(body, ensure_ascii=False),
        {**problem.headers, "content-type": "application/problem+json"},
    )
