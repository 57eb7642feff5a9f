"""Rate limits as response headers.

Most clients know `X-RateLimit-*`. `RateLimit` and `RateLimit-Policy` are the structured fields of
draft-ietf-httpapi-ratelimit-headers-10. Both have the same content: `Reset` is a Unix time, `t` the seconds
until then.

`X-RateLimit-*` are about the caller's API key only. The structured fields are lists, so other quotas that a
request uses, such as an integration's, are further items there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from patchbay.rate_limits.sliding_window import QuotaStatus, most_restrictive


def rate_limit_headers(statuses: Sequence[QuotaStatus]) -> dict[str, str]:
    """The headers for these quotas. `X-RateLimit-*` describe the quota with the least remaining."""
    tightest = most_restrictive(statuses)
    return {
        "x-ratelimit-limit": str(tightest.quota.limit),
        "x-ratelimit-remaining": str(tightest.remaining),
        "x-ratelimit-reset": str(_ceil_seconds(tightest.resets_ms)),
        **_quota_items({status.quota.window.name: status for status in statuses}),
    }


def with_quota_items(headers: dict[str, str], statuses: Mapping[str, QuotaStatus]) -> dict[str, str]:
    """`headers` with an item for each named quota, after the items that the fields already have."""
    if not statuses:
        return headers
    items = _quota_items(statuses)
    return headers | {
        name: f"{headers[name]}, {value}" if name in headers else value for name, value in items.items()
    }


def _quota_items(statuses: Mapping[str, QuotaStatus]) -> dict[str, str]:
    return {
        "ratelimit-policy": ", ".join(
            f'"{name}";q={limit};w={window.length_ms // 1000}'
            for name, (window, limit) in ((name, status.quota) for name, status in statuses.items())
        ),
        "ratelimit": ", ".join(
            f'"{name}";r={status.remaining};t={_ceil_seconds(status.resets_ms - status.now_ms)}'
            for name, status in statuses.items()
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
