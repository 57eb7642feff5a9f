"""Attempts as the deliveries table stores them, for tests that write rows of their own."""

from __future__ import annotations

from typing import Any

from patchbay.deliveries.stored_delivery import StoredAttempt


def stored_attempt(started_at: int, **fields: Any) -> StoredAttempt:
    """A first attempt that was answered 500, except for `fields`."""
    attempt = StoredAttempt(
        number=1,
        trigger="AUTO",
        started_at=started_at,
        duration_ms=5,
        status_code=500,
        request_headers={},
        response_headers={},
        response_body="",
        truncated=False,
    )
    return attempt._replace(**fields)
