"""How many test events a workspace may send: each is a request that somebody waits for."""

from __future__ import annotations

from patchbay.errors import RateLimited
from patchbay.rate_limits.headers import retry_after
from patchbay.rate_limits.limiter import Limiter, QuotaExceeded
from patchbay.rate_limits.sliding_window import MINUTE, Quota

_TESTS = Quota(MINUTE, 10)

# Of this process; it begins empty.
_process = Limiter()


def admit_test(workspace_id: str) -> None:
    """Count one test event. Raises RateLimited, which says when to come back."""
    try:
        _process.admit(f"webhook-tests#{workspace_id}", [_TESTS])
    except QuotaExceeded as refused:
        (full,) = refused.statuses
        later = retry_after(full.resets_ms - full.now_ms)
        raise RateLimited(
            f"This workspace has reached its ceiling of {_TESTS.limit} test events a minute. "
            f"Try again in {later['retry-after']} s.",
            headers=later,
        ) from None


def clear_cache() -> None:
    """Give up what this process remembers, for tests that change the backend."""
    _process.clear()
