"""How a webhook's receiver is doing, and what follows from it. Pure; kept in the row `health`.

Five things are known of each: which deliveries failed since one last succeeded (as many as `disableAfter`
disable the webhook), how many attempts in a row timed out (three open the breaker), whether it has proved
fast, whether too many retries wait in the queue, and when its rate limit has room again. The row of a healthy
receiver is written once, when it proves fast, and then only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from patchbay.ids import DeliveryId
from patchbay.permits import ended
from patchbay.receivers.lanes import proving_ms

TIMEOUTS_TO_OPEN = 3
_LONGEST_PROBE_DELAY_SECONDS = 900
# A webhook that was fast for so long becomes slow for the first time again.
_FORGIVEN_AFTER_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Health:
    """Times in Unix milliseconds, 0 where it has not happened.

    `failures` holds `<time>#<delivery>`; a delivery that is recorded twice counts once. `fast_at` is when it
    proved fast, `slow_at` when an attempt was last slow, `slowdowns` how often it has become slow.
    `next_slot` is in microseconds. `announce` are the WEBHOOK_DISABLED that are still to be told, with their
    `id`s. `recover` is the id up to which a recovery has come, `recover_until` the one to which it goes.
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
    announce: Sequence[Mapping[str, Any]] = ()
    recover: DeliveryId | None = None
    recover_until: DeliveryId | None = None

    def is_open(self, resumed_at: int) -> bool:
        """Whether the breaker is open; re-enabling the webhook closes it."""
        return self.opened_at > resumed_at

    def has_backlog(self, resumed_at: int) -> bool:
        return self.backlog_at > resumed_at

    @property
    def is_fast(self) -> bool:
        """Whether it has proved fast since it was last slow."""
        return self.fast_at > self.slow_at

    def proves_fast(self, now: int) -> bool:
        """Whether a fast attempt now is enough for the fast lane."""
        return not self.is_fast and now - self.slow_at >= proving_ms(self.slowdowns)

    def slowdowns_with(self, now: int) -> int:
        """How often it has become slow, with a slow attempt now."""
        if not self.is_fast:
            return max(self.slowdowns, 1)
        return self.slowdowns + 1 if now - self.fast_at < _FORGIVEN_AFTER_MS else 1

    def consecutive_failures(self, since: int) -> int:
        """Deliveries that failed after the last success and after `since` (when the webhook was resumed, or
        a success that this row does not know of).
        """
        counting = self.failures - self.stale_failures(since)
        return len({entry.partition("#")[2] for entry in counting})

    def is_clean(self) -> bool:
        """Whether a success has nothing to put right here."""
        return not (self.timeouts or self.opened_at or self.consecutive_failures(0))

    def stale_failures(self, since: int) -> frozenset[str]:
        """Those that no longer count."""
        return ended(self.failures, max(self.succeeded_at, since))


def failure(at: int, id: DeliveryId) -> str:
    """A failed delivery as an entry of `failures`."""
    return f"{at}#{id}"


def timeouts_in_a_row(timed_out: Sequence[bool]) -> int:
    """Those at the end of attempts in the order in which they ended."""
    return next((at for at, timeout in enumerate(reversed(timed_out)) if not timeout), len(timed_out))


def probe_delay_seconds(probes: int, first: int) -> int:
    """How long an open breaker waits for its next probe, after `probes` that failed: doubling, to 15 min."""
    return min(first << min(probes, 10), _LONGEST_PROBE_DELAY_SECONDS)
