"""An integration's own hourly and daily limits, counted where it is used."""

from __future__ import annotations

from patchbay.errors import RateLimited
from patchbay.rate_limits.headers import retry_after
from patchbay.rate_limits.limiter import Limiter, NoRoom
from patchbay.rate_limits.sliding_window import DAY, HOUR, Quota, admits_ms, tightest
from patchbay.registry.store import StoredIntegration

# Of this process: functions share it, and it begins empty.
_process = Limiter()


def admit(integration: StoredIntegration) -> None:
    """Count one use. Raises RateLimited, naming the limit; without limits nothing is counted."""
    limits = ((HOUR, integration.rate_limit_per_hour), (DAY, integration.rate_limit_per_day))
    quotas = [Quota(window, limit) for window, limit in limits if limit is not None]
    if not quotas:
        return
    try:
        _process.admit(f"integration#{integration.id}", quotas)
    except NoRoom as full:
        quota = tightest(full.standings).quota
        wait_ms = admits_ms(full.standings, 1) - full.standings[0].now_ms
        raise RateLimited(
            f"The integration has reached its limit of {quota.limit} uses a {quota.window.name}.",
            headers=retry_after(wait_ms),
        ) from None


def forget() -> None:
    """Give up what this process remembers, for tests that change the backend."""
    _process.clear()
