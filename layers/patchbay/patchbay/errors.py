"""The errors of the API. Each class has its HTTP status, code, title and remedy.

Only `patchbay.http.response` converts them to problem+json (RFC 9457). `all_problems` is the table of all
codes, from which the page of errors is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple


class FieldError(NamedTuple):
    """An error in one field. `path` is dotted, such as `retryConfig.maxRetries`."""

    path: str
    message: str


class Problem(Exception):
    """The base class. Callers see `detail`: it says what is wrong and what to do, and contains no secret.

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
        "Send one JSON object in UTF-8, without duplicate keys, `NaN` or more than 32 levels. A repeat of "
        "the same body fails again."
    )


class Unauthenticated(Problem):
    status, code, title = 401, "unauthenticated", "Authentication failed"
    remedy = (
        "Send `Authorization: Bearer <JWT or API key>` or `X-API-Key: <key>`. If you sent it, the detail "
        "says whether the credentials are incomplete, expired or revoked."
    )

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"www-authenticate": "Bearer"})  # RFC 9110, 11.6.1


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "Not allowed"
    remedy = (
        "Use credentials that have the scope or the right that the detail names, or ask an owner of the "
        "workspace."
    )


class NotFound(Problem):
    status, code, title = 404, "not_found", "Not found"
    remedy = (
        "Check the path and the ID. A resource of another workspace does not exist for you, and neither "
        "does a deleted one."
    )


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "Method not allowed"
    remedy = "Use one of the methods in the `Allow` header."


class Conflict(Problem):
    status, code, title = 409, "conflict", "Conflict with the current state"
    remedy = (
        "Read the resource again: its state does not permit the change. If the detail says so, repeat the "
        "request a moment later."
    )


class PreconditionFailed(Problem):
    status, code, title = 412, "precondition_failed", "The resource has changed"
    remedy = (
        "Somebody changed the resource after you read it. GET it again, apply your change to the new "
        "version, and send that version in `If-Match`."
    )


def check_version(resource: str, current: int, if_match: int | None) -> None:
    """Raises PreconditionFailed when the caller's If-Match is not the resource's current version."""
    if if_match is not None and if_match != current:
        raise PreconditionFailed(
            f"The {resource} is at version {current}, not {if_match}. Read it again, apply your change, and "
            "send that version in If-Match."
        )


def write_conflict(resource: str) -> Conflict:
    """The error after every attempt to write a resource lost to a concurrent change."""
    return Conflict(f"Other requests are changing this {resource} at the same time. Try again in a moment.")


class IntegrationInactive(Problem):
    status, code, title = 409, "integration_inactive", "The integration is not active"
    remedy = (
        "Complete and activate the integration (`PUT /api/integrations/{id}/status`), then repeat the "
        "request."
    )


class ConnectionExpired(Problem):
    status, code, title = 409, "connection_expired", "The connection has expired"
    remedy = "The user must connect again: start a flow with `POST /api/integrations/{id}/oauth/initiate`."


class EventErased(Problem):
    status, code, title = 409, "event_erased", "The data of the event was erased"
    remedy = (
        "The data cannot be restored, so the event cannot be sent again. Publish a new event if you must."
    )


class WorkspaceErasing(Problem):
    status, code, title = 409, "workspace_erasing", "The workspace is being erased"
    remedy = (
        "Wait until the task of the erasure has ended (`GET /api/tasks`). Then the workspace is empty, and "
        "can be used again with new API keys."
    )

    def __init__(self) -> None:
        super().__init__(
            "This workspace is being erased, so it accepts no requests until that has ended. Follow the "
            "task: GET /api/tasks."
        )


class PayloadTooLarge(Problem):
    status, code, title = 413, "payload_too_large", "Payload too large"
    remedy = "Send less. A body has at most 1 MiB and the data of an event 256 KiB; split a batch."


class ValidationFailed(Problem):
    """The request is invalid. `errors` has an entry for each invalid field."""

    status, code, title = 422, "validation_failed", "Request validation failed"
    remedy = (
        "Correct the fields in `errors`: each entry has a `path` and a `message`. A repeat of the same "
        "request fails again."
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
    remedy = (
        "An `Idempotency-Key` belongs to one request. Use a new key for a request with another body or path."
    )


class AuthorizationFailed(Problem):
    status, code, title = 422, "authorization_failed", "The provider did not grant access"
    remedy = "The provider refused access, and the detail has its reason. Start a new flow."


class RateLimited(Problem):
    status, code, title = 429, "rate_limited", "Too many requests"
    remedy = "Wait for the seconds in `Retry-After`, then repeat the request. The detail names the limit."


class CostExceedsLimit(Problem):
    """The request's cost exceeds the whole limit, so waiting does not help."""

    status, code, title = 422, "cost_exceeds_limit", "The cost exceeds the limit"
    remedy = (
        "Waiting does not help, because the cost is above the whole limit. Split the request, or raise "
        "the limit."
    )


class InternalError(Problem):
    """A bug, or an AWS failure that outlasted the retries."""

    status, code, title = 500, "internal", "Internal server error"
    remedy = (
        "Repeat the request later. With an `Idempotency-Key`, a repeat changes nothing twice. If the "
        "error persists, report its `requestId`."
    )


class ResponseTooLarge(Problem):
    status, code, title = 500, "response_too_large", "The response is too large"
    remedy = "Ask for fewer items. If the request was a change, it succeeded: do not repeat it."


class UpstreamFailed(Problem):
    status, code, title = 502, "upstream_failed", "An upstream service failed"
    remedy = (
        "A provider or a service that Patchbay depends on failed. Repeat the request after `Retry-After`, "
        "or in a minute."
    )


def all_problems() -> list[type[Problem]]:
    """One class for each code, by status. Subclasses of these have the code of their base class."""
    found = [
        problem for problem in globals().values() if isinstance(problem, type) and "code" in vars(problem)
    ]
    return sorted(found, key=lambda problem: (problem.status, problem.code))
