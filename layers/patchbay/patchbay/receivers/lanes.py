"""Which lane a delivery takes, and how much of the slow lane a workspace can use. Pure.

The fast lane is for webhooks that have proved fast, so that no attempt there occupies a worker for long. All
others take the slow lane: new webhooks until their first fast response, webhooks that recently took over two
seconds, whatever the response, and all webhooks of a workspace in which many became slow. In the slow lane, a
workspace uses at most a quarter of the workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from patchbay import erasure_mark
from patchbay.permits import expired

SLOW_AFTER_SECONDS = 2
# A webhook can prove fast this long after a slow attempt. Doubles each time that it becomes slow again.
_PROVING_MS = 60_000
_LONGEST_PROVING_MS = 3_600_000
# If this many webhooks became slow recently, all webhooks of the workspace take the slow lane.
SLOW_WORKSPACE_THRESHOLD = 5
RECENT_MS = 600_000
# If a workspace exceeds its share, its message is redelivered after 5, 20 and 80 seconds. Then the delivery
# is held in the table. Messages that wait in the queue are in flight (at most 120,000 for all webhooks).
_DEFER_SECONDS = 5
MAX_DEFERRALS = 3


class Lane(StrEnum):
    """A queue of deliveries with a dedicated worker function."""

    FAST = "fast"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Traffic:
    """A workspace's use of the lanes. `slow` has `<time>#<webhook>` for each webhook that became slow;
    `permits` has `<end>#<token>` for each worker of the slow lane that works for the workspace. `erasing` and
    `erased_at` are the workspace's erasure mark. Times are Unix milliseconds.
    """

    slow: frozenset[str] = frozenset()
    permits: frozenset[str] = frozenset()
    erasing: str | None = None
    erased_at: int = 0

    @property
    def mark(self) -> erasure_mark.ErasureMark:
        return erasure_mark.ErasureMark(self.erasing, self.erased_at)

    def is_slow(self, now: int) -> bool:
        """Whether all webhooks of the workspace take the slow lane."""
        recent = self.slow - expired(self.slow, now - RECENT_MS)
        return len({entry.partition("#")[2] for entry in recent}) >= SLOW_WORKSPACE_THRESHOLD


def max_permits(concurrency: int) -> int:
    """How many of the slow lane's `concurrency` workers can work for one workspace at the same time."""
    return max(concurrency // 4, 1)


def proving_ms(slowdowns: int) -> int:
    """How long after its last slow attempt a webhook can prove fast, if it became slow `slowdowns` times."""
    return min(_PROVING_MS << min(slowdowns - 1, 10), _LONGEST_PROVING_MS) if slowdowns else 0


def defer_seconds(receives: int) -> int:
    """The delay before a message that was received `receives` times is redelivered."""
    return _DEFER_SECONDS << 2 * min(max(receives - 1, 0), MAX_DEFERRALS - 1)
