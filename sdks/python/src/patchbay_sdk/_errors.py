"""What the SDK raises. Every error is a `PatchbayError`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class PatchbayError(Exception):
    """The base class of the SDK's errors."""


class ConnectionFailed(PatchbayError):
    """The API did not answer: the connection failed or timed out, after all retries."""


class VerificationError(PatchbayError):
    """The request is not an event that Patchbay signed with this secret."""


@dataclass(frozen=True)
class FieldError:
    """A field that the API rejected. `path` has the names from the body's root, separated by dots."""

    path: str
    message: str


class ApiError(PatchbayError):
    """A response that reports a problem (RFC 9457). Match on `code`; `str(error)` is for people.

    Attributes:
        status: The HTTP status code.
        code: The stable code of the problem, such as `not_found`; `unknown` if the response is not Patchbay's.
        detail: What is wrong, and what to do.
        type: The address of the problem's documentation.
        request_id: Quote it when you ask for help.
        errors: The fields that are wrong; only with `validation_failed`.
        headers: The headers of the response.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: object) -> None:
        problem: Mapping[str, Any] = body if isinstance(body, dict) else {}
        self.status = status
        self.headers = headers
        self.code = str(problem.get("code", "unknown"))
        self.title = str(problem.get("title", f"HTTP {status}"))
        self.detail = str(problem.get("detail", "The response is not a problem document of Patchbay."))
        self.type = str(problem.get("type", "about:blank"))
        self.request_id: str | None = problem.get("requestId") or headers.get("x-request-id")
        self.errors = [
            FieldError(str(error.get("path", "")), str(error.get("message", "")))
            for error in problem.get("errors") or ()
        ]
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [f"{self.title}: {self.detail} ({self.status} {self.code})"]
        lines += [f"  {error.path}: {error.message}" for error in self.errors]
        if self.request_id:
            lines.append(f"  request ID: {self.request_id}")
        return "\n".join(lines)


class BadRequest(ApiError):
    """400: the body is not valid JSON."""


class AuthenticationFailed(ApiError):
    """401: the API key or token is missing, wrong, expired or revoked."""


class Forbidden(ApiError):
    """403: the API key or token does not have the scope that `detail` names."""


class NotFound(ApiError):
    """404: nothing in your workspace has this ID."""


class Conflict(ApiError):
    """409: the resource is not in a state that allows this."""


class PreconditionFailed(ApiError):
    """412: the resource has changed since you read the version in `if_match`."""


class PayloadTooLarge(ApiError):
    """413: the request is too large."""


class ValidationFailed(ApiError):
    """422: `errors` names the fields that are wrong."""


class RateLimited(ApiError):
    """429: a limit is used up, and stayed so for all retries. Wait for `retry_after` seconds."""

    @property
    def retry_after(self) -> float | None:
        """Seconds, if the response says so."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isdecimal() else None


class ServerError(ApiError):
    """5xx: Patchbay failed, or a service that it called did."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: AuthenticationFailed,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: PayloadTooLarge,
    422: ValidationFailed,
    429: RateLimited,
}


def error_for(status: int, headers: Mapping[str, str], body: object) -> ApiError:
    """The error for a response; its class depends on the status."""
    type = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    return type(status, headers, body)
