"""The errors of the API. Each class has its HTTP status, code, title and remedy.

Only `patchbay.http.response` converts them to problem+json (RFC 9457). `all_problems` is the table of all
codes; the error page is generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple


class FieldError(NamedTuple):
    """An error in one field. `path` is dotted, such as `retryConfig.maxRetries`."""

    path: str
    message: str


class Problem(Exception):
    """The base class. Callers see `detail`: it says what is wrong and what to do. It contains no secrets.

    `remedy` says what to do about every error of this code. It is in the documentation, not in responses.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class MalformedJson(Problem):
    status, code, title = 400, "malformed_json", "Malformed JSON in the request body"
    remedy = (
        "Send one JSON object in UTF-8, without duplicate keys, `NaN`, or more than 32 levels of nesting. "
        "Do not retry the same body."
    )


class Unauthenticated(Problem):
    status, code, title = 401, "unauthenticated", "Authentication failed"
    remedy = (
        "Send `Authorization: Bearer <JWT or API key>` or `X-API-Key: <key>`. If you sent credentials, the "
        "detail says whether they are incomplete, expired or revoked."
    )

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"www-authenticate": "Bearer"})  # RFC 9110, 11.6.1


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "Not allowed"
    remedy = (
        "Use credentials that have the scope or permission named in the detail, or ask an owner of the "
        "workspace."
    )


class NotFound(Problem):
    status, code, title = 404, "not_found", "Not found"
    remedy = (
        "Check the path and the ID. You also get this error for deleted resources and for resources of "
        "other workspaces."
    )


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "Method not allowed"
    remedy = "Use one of the methods in the `Allow` header."


class Conflict(Problem):
    status, code, title = 409, "conflict", "Conflict with the current state"
    remedy = (
        "The resource's state does not allow the change. Get the resource again. If the detail says so, "
        "retry the request in a moment."
    )


class PreconditionFailed(Problem):
    status, code, title = 412, "precondition_failed", "The resource has changed"
    remedy = (
        "Someone changed the resource after you read it. GET it again, apply your change to the new "
        "version, and send that version in `If-Match`."
    )


def check_version(resource: str, current: int, if_match: int | None) -> None:
    """Raises PreconditionFailed when the caller's If-Match is not the resource's current version."""
    if if_match is not None and if_match != current:
        raise PreconditionFailed(
            f"The {resource} is at version {current}, not {if_match}. Get it again, apply your change, and "
            "send that version in If-Match."
        )


def write_conflict(resource: str) -> Conflict:
    """The error to raise when all attempts to write a resource have lost to concurrent changes."""
    return Conflict(f"Other requests are changing this {resource} at the same time. Try again in a moment.")


class IntegrationInactive(Problem):
    status, code, title = 409, "integration_inactive", "The integration is not active"
    remedy = (
        "Complete and activate the integration (`PUT /api/integrations/{id}/status`), then retry the request."
    )


class ConnectionExpired(Problem):
    status, code, title = 409, "connection_expired", "The connection has expired"
    remedy = (
        "The user must connect again: start an OAuth flow with `POST /api/integrations/{id}/oauth/initiate`."
    )


class EventErased(Problem):
    status, code, title = 409, "event_erased", "The data of the event was erased"
    remedy = (
        "Erased data cannot be restored, so the event cannot be resent. If necessary, publish a new event."
    )


class WorkspaceErasing(Problem):
    status, code, title = 409, "workspace_erasing", "The workspace is being erased"
    remedy = (
        "Wait until the erasure task has ended (`GET /api/tasks`). The workspace is then empty. You can use "
        "it again with new API keys."
    )

    def __init__(self) -> None:
        super().__init__(
            "This workspace is being erased and accepts no requests until the erasure is complete. To "
            "follow the task, use GET /api/tasks."
        )


class PayloadTooLarge(Problem):
    status, code, title = 413, "payload_too_large", "Payload too large"
    remedy = (
        "Send less data, or split the batch. The limits are 1 MiB for a request body and 256 KiB for the "
        "data of an event."
    )


class ValidationFailed(Problem):
    """The request is invalid. `errors` has an entry for each invalid field."""

    status, code, title = 422, "validation_failed", "Request validation failed"
    remedy = (
        "Fix the fields in `errors`. Each entry has a `path` and a `message`. Do not retry the same request."
    )

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    @classmethod
    def for_field(cls, path: str, message: str) -> ValidationFailed:
        """The error for one invalid field."""
        return cls(f"{path}: {message}", [FieldError(path, message)])


class IdempotencyMismatch(Problem):
    status, code, title = 422, "idempotency_mismatch", "Idempotency-Key used with a different request"
    remedy = "Use a new `Idempotency-Key` for each request. Reuse a key only to retry the same request."


class AuthorizationFailed(Problem):
    status, code, title = 422, "authorization_failed", "The provider did not grant access"
    remedy = "The provider denied access. The detail contains its reason. Start a new OAuth flow."


class RateLimited(Problem):
    status, code, title = 429, "rate_limited", "Too many requests"
    remedy = (
        "Wait for the number of seconds in `Retry-After`, then retry the request. The detail names the limit."
    )


class CostExceedsLimit(Problem):
    """The request's cost exceeds the whole limit, so waiting does not help."""

    status, code, title = 422, "cost_exceeds_limit", "The cost exceeds the limit"
    remedy = (
        "The cost of the request is greater than the whole limit, so waiting does not help. Split the "
        "request or raise the limit."
    )


class InternalError(Problem):
    """A bug, or an AWS failure that outlasted the retries."""

    status, code, title = 500, "internal", "Internal server error"
    remedy = (
        "Retry the request later. With an `Idempotency-Key`, a retry does not repeat the change. If the "
        "error persists, contact support with its `requestId`."
    )


class ResponseTooLarge(Problem):
    status, code, title = 500, "response_too_large", "The response is too large"
    remedy = "Request fewer items. If the request was a change, it succeeded: do not retry it."


class UpstreamFailed(Problem):
    status, code, title = 502, "upstream_failed", "An upstream service failed"
    remedy = (
        "A provider or a service that Patchbay depends on failed. Retry the request after the number of "
        "seconds in `Retry-After`, or in a minute."
    )


def all_problems() -> list[type[Problem]]:
    """One class for each code, sorted by status. Their subclasses share the code of the base class."""
    found = [
        problem for problem in globals().values() if isinstance(problem, type) and "code" in vars(problem)
    ]
    return sorted(found, key=lambda problem: (problem.status, problem.code))
