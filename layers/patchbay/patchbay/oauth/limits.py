"""An integration's own hourly and daily limits, counted where it is used."""

from __future__ import annotations

from patchbay.errors import RateLimited
from patchbay.integrations.marketplace import bounded
from patchbay.integrations.store import StoredIntegration
from patchbay.rate_limits.headers import retry_after
from patchbay.rate_limits.limiter import Limiter, QuotaExceeded
from patchbay.rate_limits.sliding_window import DAY, HOUR, Quota, most_restrictive, wait_ms

# Of this process: functions share it, and it begins empty.
_process = Limiter()


def admit(integration: StoredIntegration) -> None:
    """Count one use. Raises RateLimited, naming the limit; without limits nothing is counted.

    All copies of a public integration in one workspace, deleted ones included, share the publisher's limits:
    installing it again gives no extra uses. A copy with lower limits has those too.
    """
    own = _quotas(integration.rate_limit_per_hour, integration.rate_limit_per_day)
    if integration.source_workspace_id is None:
        _admit(f"integration#{integration.id}", own, "The integration has")
        return
    copy = bounded(integration)
    approved = _quotas(copy.approved_per_hour, copy.approved_per_day)
    if own != approved:
        _admit(f"integration#{copy.id}", own, "The integration has")
    _admit(
        f"copies#{copy.installed_from}#{copy.workspace_id}",
        approved,
        "This workspace's copies of the integration have together",
    )


def _quotas(per_hour: int | None, per_day: int | None) -> list[Quota]:
    limits = ((HOUR, per_hour), (DAY, per_day))
    return [Quota(window, limit) for window, limit in limits if limit is not None]


def _admit(row_id: str, quotas: list[Quota], who: str) -> None:
    if not quotas:
        return
    try:
        _process.admit(row_id, quotas)
    except QuotaExceeded as refused:
        quota = most_restrictive(refused.statuses).quota
        raise RateLimited(
            f"{who} reached the limit of {quota.limit} uses per {quota.window.name}.",
            headers=retry_after(wait_ms(refused.statuses, 1)),
        ) from None


def clear_cache() -> None:
    """Give up what this process remembers, for tests that change the backend."""
    _process.clear()
