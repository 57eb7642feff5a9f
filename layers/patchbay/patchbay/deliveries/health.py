"""How a webhook's receiver is doing, and what follows from it. Pure; kept in the row `health`.

Five things are known of each: which deliveries failed since one last succeeded (as many as `disableAfter`
disable the webhook), how many attempts in a row timed out (three open the breaker), whether an attempt is
hanging at this moment, whether too many retries wait in the queue, and when its rate limit has room again.
A healthy receiver's row is read with the batch and never written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from patchbay.ids import DeliveryId

TIMEOUTS_TO_OPEN = 3
# An attempt without an answer for so long is hanging: other batches put the webhook's deliveries off, or a
# receiver that begins to hang would take a worker for the whole attempt with each of them.
SLOW_AFTER_SECONDS = 3
PUT_OFF_SECONDS = 5
# What was received more often is held in the table instead: in the queue it would be in flight all the while
# (SQS has 120,000 such messages at most, for all webhooks), and SQS gives it up after 1,000 times.
PUT_OFF_RECEIVES = 5
_LONGEST_PROBE_DELAY_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Health:
    """Times in Unix milliseconds, 0 where it has not happened.

    `failures` holds `<time>#<delivery>`; a delivery that is recorded twice counts once. `next_slot` is in
    microseconds. `announce` are the WEBHOOK_DISABLED that are still to be told, with their `id`s. `recover`
    is the id up to which a recovery has come, `recover_until` the one to which it goes.
    """

    failures: frozenset[str] = frozenset()
    succeeded_at: int = 0
    timeouts: int = 0
    opened_at: int = 0
    probe_at: int = 0
    probes: int = 0
    slow_until: int = 0
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

    def is_slow(self, now: int) -> bool:
        return self.slow_until > now

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
        last = max(self.succeeded_at, since)
        return frozenset(entry for entry in self.failures if int(entry.partition("#")[0]) <= last)


def failure(at: int, id: DeliveryId) -> str:
    """A failed delivery as an entry of `failures`."""
    return f"{at}#{id}"


def timeouts_in_a_row(timed_out: Sequence[bool]) -> int:
    """Those at the end of attempts in the order in which they ended."""
    return next((at for at, timeout in enumerate(reversed(timed_out)) if not timeout), len(timed_out))


def probe_delay_seconds(probes: int, first: int) -> int:
    """How long an open breaker waits for its next probe, after `probes` that failed: doubling, to 15 min."""
    return min(first << min(probes, 10), _LONGEST_PROBE_DELAY_SECONDS)
