"""The errors of the API. Each class has its HTTP status, code and title. Only `patchbay.http.response`
converts them to problem+json (RFC 9457).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple


class FieldError(NamedTuple):
    """An error in one field. `path` is dotted, such as `retryConfig.maxRetries`."""

    path: str
    message: str


class Problem(Exception):
    """The base class. Callers see `detail`: it says what is wrong and what to do, and contains no secret."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class MalformedJson(Problem):
    status, code, title = 400, "malformed_json", "Malformed JSON in the request body"


class Unauthenticated(Problem):
    status, code, title = 401, "unauthenticated", "Authentication failed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})  # RFC 9110, 11.6.1


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "Not allowed"


class NotFound(Problem):
    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "Method not allowed"


class Conflict(Problem):
    status, code, title = 409, "conflict", "Conflict with the current state"


def check_version(resource: str, current: int, if_match: int | None) -> None:
    """Raises Conflict when the caller's If-Match is not the resource's current version."""
    if if_match is not None and if_match != current:
        raise Conflict(
            f"The {resource} is at version {current}, not {if_match}. Read it again, then repeat the change."
        )


def write_conflict(resource: str) -> Conflict:
    """The error after every attempt to write a resource lost to a concurrent change."""
    return Conflict(f"Other requests are changing this {resource} at the same time. Try again in a moment.")


class IntegrationInactive(Problem):
    status, code, title = 409, "integration_inactive", "The integration is not active"


class ConnectionExpired(Problem):
    status, code, title = 409, "connection_expired", "The connection has expired"


class PayloadTooLarge(Problem):
    status, code, title = 413, "payload_too_large", "Payload too large"


class ValidationFailed(Problem):
    """The request is invalid. `errors` has an entry for each invalid field."""

    status, code, title = 422, "validation_failed", "Request validation failed"

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    @classmethod
    def for_field(cls, path: str, message: str) -> ValidationFailed:
        """The error for one invalid field."""
        return cls(f"{path}: {message}", [FieldError(path, message)])


class IdempotencyMismatch(Problem):
    status, code, title = 422, "idempotency_mismatch", "Idempotency-Key used with a different request"


class AuthorizationFailed(Problem):
    status, code, title = 422, "authorization_failed", "The provider did not grant access"


class RateLimited(Problem):
    status, code, title = 429, "rate_limited", "Too many requests"


class CostExceedsLimit(Problem):
    """The request's cost exceeds the whole limit, so waiting does not help."""

    status, code, title = 422, "cost_exceeds_limit", "The cost exceeds the limit"


class InternalError(Problem):
    """A bug, or an AWS failure that outlasted the retries."""

    status, code, title = 500, "internal", "Internal server error"


class ResponseTooLarge(Problem):
    status, code, title = 500, "response_too_large", "The response is too large"


class UpstreamFailed(Problem):
    status, code, title = 502, "upstream_failed", "An upstream service failed"
