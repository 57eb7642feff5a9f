"""An integration's own hourly and daily limits, counted on each use."""

from __future__ import annotations

from collections.abc import Sequence

from patchbay.errors import RateLimited
from patchbay.integrations.marketplace import with_approved_limits
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.rate_limits.headers import retry_after
from patchbay.rate_limits.limiter import Limiter, QuotaExceeded
from patchbay.rate_limits.sliding_window import DAY, HOUR, Quota, QuotaStatus, most_restrictive, wait_ms

# The functions of a process share one instance.
_process = Limiter()


UsedQuotas = dict[str, QuotaStatus]
"""The statuses of quotas after a use, by their names in rate-limit headers: `integration-hour` and -day."""


def admit(integration: StoredIntegration, used: UsedQuotas | None) -> None:
    """Count one use, and add the integration's quotas to `used`. Raises RateLimited, which names the limit.
    Without limits, counts and adds nothing.

    All copies of a public integration in one workspace, including deleted ones, share the publisher's limits:
    another installation gives no extra uses. A copy with lower limits is bound by those too.
    """
    own_quotas = _quotas(integration.rate_limit_per_hour, integration.rate_limit_per_day)
    if not integration.is_copy:
        _admit(f"integration#{integration.id}", own_quotas, "The integration has", used)
        return
    copy = with_approved_limits(integration)
    approved_quotas = _quotas(copy.approved_per_hour, copy.approved_per_day)
    if own_quotas != approved_quotas:
        _admit(f"integration#{copy.id}", own_quotas, "The integration has", used)
    _admit(
        f"copies#{copy.installed_from}#{copy.workspace_id}",
        approved_quotas,
        "Together, this workspace's copies of the integration have",
        used,
    )


def _quotas(per_hour: int | None, per_day: int | None) -> list[Quota]:
    limits = ((HOUR, per_hour), (DAY, per_day))
    return [Quota(window, limit) for window, limit in limits if limit is not None]


def _admit(row_id: str, quotas: list[Quota], subject: str, used: UsedQuotas | None) -> None:
    """Count one use. `subject` starts the error's detail."""
    if not quotas:
        return
    try:
        _note(_process.admit(row_id, quotas), used)
    except QuotaExceeded as exceeded:
        _note(exceeded.statuses, used)
        quota = most_restrictive(exceeded.statuses).quota
        raise RateLimited(
            f"{subject} reached the limit of {quota.limit} uses per {quota.window.name}.",
            headers=retry_after(wait_ms(exceeded.statuses, 1)),
        ) from None


def _note(statuses: Sequence[QuotaStatus], used: UsedQuotas | None) -> None:
    """Add the statuses to `used`. If a window has two quotas, the one with less remaining counts."""
    if used is None:
        return
    for status in statuses:
        name = f"integration-{status.quota.window.name}"
        used[name] = most_restrictive([status, used.get(name, status)])


def clear_cache() -> None:
    """Empty this process's cache, for tests that change the backend."""
    _process.clear()
