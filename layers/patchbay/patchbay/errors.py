"""Errors that callers are meant to see. Each class carries its status and code; `patchbay.http` turns
them into problem+json (RFC 9457) in one place, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple


class FieldError(NamedTuple):
    """What is wrong with one field; `path` is dotted (`retryConfig.maxRetries`)."""

    path: str
    message: str


class Problem(Exception):
    """Base of all. `detail` is shown to the caller: it says what to do and holds no secret."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class MalformedJson(Problem):
    status, code, title = 400, "malformed_json", "The body is not JSON that can be read"


class Unauthenticated(Problem):
    status, code, title = 401, "unauthenticated", "Sign in with a token or an API key"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})  # RFC 9110, 11.6.1


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "Not allowed"


class NotFound(Problem):
    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "This path does not take that method"


class Conflict(Problem):
    status, code, title = 409, "conflict", "In conflict with the present state"


def check_version(thing: str, present: int, if_match: int | None) -> None:
    """Raises Conflict when the caller's If-Match is not the present version of that thing."""
    if if_match is not None and if_match != present:
        raise Conflict(f"The {thing} is at version {present}, not {if_match}. Read it again, then repeat.")


def contended(thing: str) -> Conflict:
    """The answer when a change met others again and again."""
    return Conflict(f"Others are changing this {thing} at the same time. Try again in a moment.")


class IntegrationInactive(Problem):
    status, code, title = 409, "integration_inactive", "The integration is not active"


class ConnectionExpired(Problem):
    status, code, title = 409, "connection_expired", "The connection has to be made again"


class PayloadTooLarge(Problem):
    status, code, title = 413, "payload_too_large", "Too large"


class ValidationFailed(Problem):
    """Carries what is wrong field by field."""

    status, code, title = 422, "validation_failed", "The request does not fit"

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    @classmethod
    def of(cls, path: str, message: str) -> ValidationFailed:
        """A refusal that concerns one field."""
        return cls(f"{path}: {message}", [FieldError(path, message)])


class IdempotencyMismatch(Problem):
    status, code, title = 422, "idempotency_mismatch", "This Idempotency-Key was used otherwise"


class AuthorizationFailed(Problem):
    status, code, title = 422, "authorization_failed", "The provider did not grant access"


class RateLimited(Problem):
    status, code, title = 429, "rate_limited", "Too many requests"


class CostExceedsLimit(Problem):
    """A request that costs more than a limit ever admits, so no wait helps."""

    status, code, title = 422, "cost_exceeds_limit", "The cost is above the limit"


class ResponseTooLarge(Problem):
    status, code, title = 500, "response_too_large", "The answer is too large to be sent"


class UpstreamFailed(Problem):
    status, code, title = 502, "upstream_failed", "Another service did not answer as it should"
