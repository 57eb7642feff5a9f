"""Rate limits as response headers.

Most clients know `X-RateLimit-*`. `RateLimit` and `RateLimit-Policy` are the structured fields of
draft-ietf-httpapi-ratelimit-headers-10. Both have the same content: `Reset` is a Unix time, `t` the seconds
until then.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchbay.rate_limits.sliding_window import QuotaStatus, most_restrictive


def rate_limit_headers(statuses: Sequence[QuotaStatus]) -> dict[str, str]:
    """The headers for these quotas. `X-RateLimit-*` describe the quota with the least remaining."""
    tightest = most_restrictive(statuses)
    return {
        "x-ratelimit-limit": str(tightest.quota.limit),
        "x-ratelimit-remaining": str(tightest.remaining),
        "x-ratelimit-reset": str(_ceil_seconds(tightest.resets_ms)),
        "ratelimit-policy": ", ".join(
            f'"{window.name}";q={limit};w={window.length_ms // 1000}'
            for window, limit in (status.quota for status in statuses)
        ),
        "ratelimit": ", ".join(
            f'"{status.quota.window.name}";r={status.remaining}'
            f";t={_ceil_seconds(status.resets_ms - status.now_ms)}"
            for status in statuses
        ),
    }


def retry_after(wait_ms: int | None) -> dict[str, str]:
    """`Retry-After` (RFC 9110 section 10.2.3) in whole seconds, at least 1. Empty if `wait_ms` is None,
    because waiting does not help.
    """
    if wait_ms is None:
        return {}
    return {"retry-after": str(max(_ceil_seconds(wait_ms), 1))}


def _ceil_seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
