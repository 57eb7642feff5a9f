"""The checks of error responses that all tests of the API share."""

from __future__ import annotations

from typing import Any

from tests.conftest import HOST, Answer

FIELDS = {"type", "title", "status", "detail", "code", "instance", "requestId"}
CODES = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    412: "precondition_failed",
    422: "validation_failed",
}


def assert_problem(
    answer: Answer, status: int, code: str | None = None, *words: str, paths: list[str] | None = None
) -> Any:
    """Check that a response is a problem+json (RFC 9457) of this status and code. Returns its body.

    Without a `code`, the usual code of the status is expected. The detail must contain all `words`, and
    `paths` are the exact paths of its `errors`.
    """
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer
    answer.text.encode()  # raises for a lone surrogate, which cannot be sent
    body = answer.json()
    assert set(body) - {"errors"} == FIELDS, body
    assert (body["status"], body["code"]) == (status, code or CODES[status]), body
    assert all(isinstance(body[name], str) and body[name] for name in FIELDS - {"status"}), body
    assert body["type"] == f"https://{HOST}/api/docs/errors#{body['code']}"
    assert answer.headers["x-request-id"] == body["requestId"]
    assert ("errors" in body) == (body["code"] == "validation_failed"), body
    for error in body.get("errors", ()):
        assert set(error) == {"path", "message"}, body
        assert error["path"], body
        assert error["message"], body
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    for word in words:
        assert word in body["detail"], body["detail"]
    if paths is not None:
        assert [error["path"] for error in body["errors"]] == paths, body
    return body
