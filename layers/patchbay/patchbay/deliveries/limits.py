"""The limit on a workspace's test events: each one keeps its caller waiting for the receiver."""

from __future__ import annotations

from patchbay.errors import RateLimited
from patchbay.rate_limits.headers import retry_after
from patchbay.rate_limits.limiter import Limiter, QuotaExceeded
from patchbay.rate_limits.sliding_window import MINUTE, Quota

_TEST_QUOTA = Quota(MINUTE, 10)

_process = Limiter()


def admit_test(workspace_id: str) -> None:
    """Count one test event. Raises RateLimited with Retry-After."""
    try:
        _process.admit(f"webhook-tests#{workspace_id}", [_TEST_QUOTA])
    except QuotaExceeded as exceeded:
        (full,) = exceeded.statuses
        headers = retry_after(full.resets_ms - full.now_ms)
        raise RateLimited(
            f"This workspace has reached its limit of {_TEST_QUOTA.limit} test events per minute. Try again "
            f"in {headers['retry-after']} s.",
            headers=headers,
        ) from None


def clear_cache() -> None:
    """Empty this process's cache, for tests that change the backend."""
    _process.clear()
