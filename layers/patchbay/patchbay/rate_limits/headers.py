"""Rate limits as response headers.

`X-RateLimit-*` are what most clients know; `RateLimit` and `RateLimit-Policy` are the structured
fields of draft-ietf-httpapi-ratelimit-headers-10. They tell the same: `Reset` is a Unix time, `t`
the seconds until then.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchbay.rate_limits.sliding_window import QuotaStatus, most_restrictive


def headers(statuses: Sequence[QuotaStatus]) -> dict[str, str]:
    """How the quotas stand; `X-RateLimit-*` tell of the tighter one, with less remaining."""
    tight = most_restrictive(statuses)
    return {
        "x-ratelimit-limit": str(tight.quota.limit),
        "x-ratelimit-remaining": str(tight.remaining),
        "x-ratelimit-reset": str(_ceil_seconds(tight.resets_ms)),
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
    """`Retry-After` (RFC 9110 section 10.2.3) in whole seconds, at least 1; nothing when no wait helps."""
    if wait_ms is None:
        return {}
    return {"retry-after": str(max(_ceil_seconds(wait_ms), 1))}


def _ceil_seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
