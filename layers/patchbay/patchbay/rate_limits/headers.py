"""Rate limits as response headers.

`X-RateLimit-*` are what most clients know; `RateLimit` and `RateLimit-Policy` are the structured
fields of draft-ietf-httpapi-ratelimit-headers-10. They tell the same: `Reset` is a Unix time, `t`
the seconds until then.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchbay.rate_limits.sliding_window import Standing, admits_ms


def headers(standings: Sequence[Standing]) -> dict[str, str]:
    """How the quotas stand; `X-RateLimit-*` tell of the tighter one, with less remaining."""
    tightest = min(standings, key=lambda standing: (standing.remaining, -standing.resets_ms))
    return {
        "x-ratelimit-limit": str(tightest.quota.limit),
        "x-ratelimit-remaining": str(tightest.remaining),
        "x-ratelimit-reset": str(_ceil_seconds(tightest.resets_ms)),
        "ratelimit-policy": ", ".join(
            f'"{window.name}";q={limit};w={window.length_ms // 1000}'
            for window, limit in (standing.quota for standing in standings)
        ),
        "ratelimit": ", ".join(
            f'"{standing.quota.window.name}";r={standing.remaining}'
            f";t={_ceil_seconds(standing.resets_ms - standing.now_ms)}"
            for standing in standings
        ),
    }


def retry_after(standings: Sequence[Standing], cost: int) -> dict[str, str]:
    """`Retry-After` (RFC 9110 section 10.2.3) in seconds: from then on `cost` units are admitted,
    if nothing else comes. At least 1.
    """
    wait_ms = admits_ms(standings, cost) - standings[0].now_ms
    return {"retry-after": str(max(_ceil_seconds(wait_ms), 1))}


def _ceil_seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
