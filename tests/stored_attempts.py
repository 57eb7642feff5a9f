"""Attempts as the deliveries table stores them, for tests that write their own rows."""

from __future__ import annotations

from typing import Any

from patchbay.deliveries.stored_delivery import StoredAttempt


def stored_attempt(started_at: int, **fields: Any) -> StoredAttempt:
    """A first attempt that got a 500 response, with `fields` replaced."""
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
