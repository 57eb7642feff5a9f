"""The health of a webhook's receiver, and the decisions that depend on it. Pure. Stored in the row `health`.

It covers five things: the deliveries that failed since the last success (`disableAfter` of them disable the
webhook), the number of consecutive timeouts (three open the breaker), whether the receiver has proved fast,
whether too many retries wait in the queue, and when the rate limit has a free slot. The row of a healthy
receiver is written once, when it proves fast, and after that only read.

`deliveries.outcome` applies these rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from patchbay.ids import DeliveryId
from patchbay.permits import expired
from patchbay.receivers.lanes import Traffic, proving_ms

TIMEOUTS_TO_OPEN = 3
_WARNING_PERCENTS = (80, 50)
_LONGEST_PROBE_DELAY_SECONDS = 900
# If a webhook was fast for this long, its next slowdown counts as the first.
_FORGIVEN_AFTER_MS = 86_400_000


class FailureWarning(NamedTuple):
    """The percentage of `disableAfter` that consecutive failures have reached, and their number."""

    percent: int
    failures: int


@dataclass(frozen=True, slots=True)
class Health:
    """Times are Unix milliseconds, 0 for something that has not happened.

    `failures` holds `<time>#<delivery>`; a delivery that is recorded twice counts once. `fast_at` is when the
    webhook proved fast, `slow_at` when an attempt was last slow, `slowdowns` how often it became slow.
    `next_slot` is in microseconds. `warned` is how many consecutive failures WEBHOOK_FAILING was last
    announced for, `warned_at` when, and `failed_hour` the last hour (since the epoch) with a DELIVERY_FAILED.
    `recover` is the delivery ID that a running recovery has reached, `recover_until` the one that it ends at.
    """

    failures: frozenset[str] = frozenset()
    succeeded_at: int = 0
    timeouts: int = 0
    opened_at: int = 0
    probe_at: int = 0
    probes: int = 0
    fast_at: int = 0
    slow_at: int = 0
    slowdowns: int = 0
    backlog_at: int = 0
    next_slot: int = 0
    held_at: int = 0
    due_at: int = 0
    warned: int = 0
    warned_at: int = 0
    failed_hour: int = 0
    recover: DeliveryId | None = None
    recover_until: DeliveryId | None = None

    def is_open(self, resumed_at: int) -> bool:
        """Whether the breaker is open. Re-enabling the webhook closes it."""
        return self.opened_at > resumed_at

    def has_backlog(self, resumed_at: int) -> bool:
        """Whether too many retries wait in the queue. Re-enabling the webhook resets this."""
        return self.backlog_at > resumed_at

    @property
    def is_fast(self) -> bool:
        """Whether the webhook has proved fast since its last slow attempt."""
        return self.fast_at > self.slow_at

    def takes_fast_lane(self, traffic: Traffic, now: int) -> bool:
        """Whether its deliveries take the fast lane: it is fast, and its workspace has few slow receivers."""
        return self.is_fast and not traffic.is_slow(now)

    def proves_fast(self, now: int) -> bool:
        """Whether a fast attempt at this moment qualifies the webhook for the fast lane."""
        return not self.is_fast and now - self.slow_at >= proving_ms(self.slowdowns)

    def slowdowns_with(self, now: int) -> int:
        """The number of slowdowns, including a slow attempt at this moment."""
        if not self.is_fast:
            return max(self.slowdowns, 1)
        return self.slowdowns + 1 if now - self.fast_at < _FORGIVEN_AFTER_MS else 1

    def consecutive_failures(self, since: int) -> int:
        """The number of deliveries that failed after the last success and after `since` (when the
        webhook was resumed, or the time of a success that this row does not have yet).
        """
        current = self.failures - self.stale_failures(since)
        return len({entry.partition("#")[2] for entry in current})

    def is_clean(self) -> bool:
        """Whether a success has nothing to reset in this row."""
        return not (self.timeouts or self.opened_at or self.warned or self.consecutive_failures(0))

    def next_warning(self, failures: int, limit: int, resumed_at: int) -> FailureWarning | None:
        """The warning to announce now that `failures` deliveries in a row have failed, of the `limit` that
        disables the webhook: the highest one reached, unless it, or one for more failures, was announced
        since the webhook last recovered or was resumed.
        """
        if failures >= limit:
            return None
        warned = self.warned if self.warned_at > resumed_at else 0
        reached = (FailureWarning(percent, -(-limit * percent // 100)) for percent in _WARNING_PERCENTS)
        return next((each for each in reached if warned < each.failures <= failures), None)

    def stale_failures(self, since: int) -> frozenset[str]:
        """The failures that do not count, because they are not after the last success and `since`."""
        return expired(self.failures, max(self.succeeded_at, since))


def failure_entry(time_ms: int, id: DeliveryId) -> str:
    """A failed delivery as an entry of `failures`."""
    return f"{time_ms}#{id}"


def trailing_timeouts(timed_out: Sequence[bool]) -> int:
    """The number of timeouts at the end of a list of attempts, in the order in which they ended."""
    for count, is_timeout in enumerate(reversed(timed_out)):
        if not is_timeout:
            return count
    return len(timed_out)


def probe_delay_seconds(failed_probes: int, first: int) -> int:
    """The delay of an open breaker's next probe: `first`, doubled for each failed probe, at most 15 min."""
    return min(first << min(failed_probes, 10), _LONGEST_PROBE_DELAY_SECONDS)
