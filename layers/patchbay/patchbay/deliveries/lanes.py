"""Which lane a delivery takes, and how much of the slow lane a workspace may use. Pure.

The fast lane is for webhooks that have proved fast, so that no attempt there takes a worker for long. All
others take the slow lane: new webhooks until their first answer, webhooks that took over two seconds,
whatever they answered, and every webhook of a workspace in which many became slow. There, a workspace holds a
quarter of the workers at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SLOW_AFTER_SECONDS = 2
# A webhook that was slow must be fast for this long, doubled with each time that it became slow again.
_PROVING_MS = 60_000
_LONGEST_PROVING_MS = 3_600_000
# So many webhooks that became slow lately move their workspace to the slow lane as a whole.
MANY_SLOW = 5
LATELY_MS = 600_000
# Above its share, a workspace's messages are seen again after 5, 20 and 80 seconds, and are then held in the
# table: while they wait in the queue they are in flight (120,000 at most, for all webhooks).
_PUT_OFF_SECONDS = 5
PUT_OFF_RECEIVES = 3


class Lane(StrEnum):
    """A queue of deliveries with a worker of its own."""

    FAST = "fast"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Traffic:
    """A workspace's use of the lanes. `slow` has `<time>#<webhook>` for each webhook that became slow;
    `permits` has `<end>#<token>` for each worker of the slow lane that works for the workspace. Times in Unix
    milliseconds.
    """

    slow: frozenset[str] = frozenset()
    permits: frozenset[str] = frozenset()

    def is_slow(self, now: int) -> bool:
        """Whether all of its webhooks take the slow lane."""
        lately = self.slow - ended(self.slow, now - LATELY_MS)
        return len({entry.partition("#")[2] for entry in lately}) >= MANY_SLOW


def ended(entries: frozenset[str], now: int) -> frozenset[str]:
    """The entries `<time>#…` whose time is over."""
    return frozenset(entry for entry in entries if int(entry.partition("#")[0]) <= now)


def most_permits(concurrency: int) -> int:
    """How many workers of the slow lane work for one workspace at a time."""
    return max(concurrency // 4, 1)


def proving_ms(slowdowns: int) -> int:
    """How long after its last slow attempt a webhook may prove fast, the `slowdowns`th time."""
    return min(_PROVING_MS << min(slowdowns - 1, 10), _LONGEST_PROVING_MS) if slowdowns else 0


def put_off_seconds(receives: int) -> int:
    """When a message that was received so often is seen again."""
    return _PUT_OFF_SECONDS << 2 * min(max(receives - 1, 0), PUT_OFF_RECEIVES - 1)
