"""Decides whether a request is sent again, and when. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

_STATUSES = frozenset({408, 500, 502, 503, 504})
_BASE_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 8.0
_MAX_WAIT_SECONDS = 60.0


def is_retryable(status: int, headers: Mapping[str, str], *, repeatable: bool) -> bool:
    """Whether a response means "try again". `repeatable` says that repeating the request has no further effect."""
    if status == 429:
        return True  # it was refused before it had an effect
    # 409 with Retry-After: the first request with the same Idempotency-Key is still running.
    return repeatable and (status in _STATUSES or (status == 409 and "retry-after" in headers))


def delay(
    attempt: int, headers: Mapping[str, str], now: float, jitter: Callable[[], float] = random.random
) -> float | None:
    """Seconds before attempt number `attempt` + 1 (the first is 1), or None if Retry-After asks for longer than a
    minute. Without Retry-After: 0.5 s, doubled each time, at most 8 s, and reduced at random by up to half.
    """
    if (requested := _retry_after(headers.get("retry-after"), now)) is not None:
        return requested * (1 + 0.1 * jitter()) if requested <= _MAX_WAIT_SECONDS else None
    backoff: float = min(_BASE_SECONDS * 2 ** (attempt - 1), _MAX_BACKOFF_SECONDS)
    return backoff * (1 - 0.5 * jitter())


def _retry_after(text: str | None, now: float) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except ValueError:
        return None
