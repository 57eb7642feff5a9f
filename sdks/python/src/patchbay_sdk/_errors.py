"""What the SDK raises. Every error is a `PatchbayError`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class PatchbayError(Exception):
    """The base class of the SDK's errors."""


class ConnectionFailed(PatchbayError):
    """The API did not respond: the connection failed or timed out after all retries."""


class VerificationError(PatchbayError):
    """The request is not an event signed by Patchbay with this secret."""


@dataclass(frozen=True)
class FieldError:
    """An invalid field. `path` is the path from the root of the body, separated by dots."""

    path: str
    message: str


class ApiError(PatchbayError):
    """An error response (RFC 9457). Match on `code`; `str(error)` is for people.

    Attributes:
        status: The HTTP status code.
        code: The stable error code, such as `not_found`; `unknown` if the response is not from Patchbay.
        detail: What went wrong and what to do.
        type: The URL of the error's documentation.
        request_id: Quote it when you ask for help.
        errors: The invalid fields, with `validation_failed`.
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
    """403: the API key or token does not have the scope named in `detail`."""


class NotFound(ApiError):
    """404: there is no resource with this ID in your workspace."""


class Conflict(ApiError):
    """409: the state of the resource does not allow the change."""


class PreconditionFailed(ApiError):
    """412: the resource has changed since you read the version in `if_match`."""


class PayloadTooLarge(ApiError):
    """413: the request is too large."""


class ValidationFailed(ApiError):
    """422: `errors` has the invalid fields."""


class RateLimited(ApiError):
    """429: a limit was exceeded, even after all retries. Wait for `retry_after` seconds."""

    @property
    def retry_after(self) -> float | None:
        """The number of seconds to wait, if the response has one."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isdecimal() else None


class ServerError(ApiError):
    """5xx: Patchbay or a service that it calls failed."""


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
