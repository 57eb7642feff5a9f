"""`rateLimitPerSecond`: slots in time, one for each attempt, given out a batch at a time. Pure.

This is GCRA (the "virtual scheduling" of ITU-T I.371) without a burst: the row keeps the time of the next
free slot, and whoever has n deliveries moves it on by n intervals in one write. So a limit holds over all
workers, and costs one write a batch.
"""

from __future__ import annotations

# Further ahead nobody waits in the queue: the delivery is held in the table instead.
HORIZON_SECONDS = 900
# … nor do more than so many of one webhook: SQS has 120,000 messages in flight at most, for all of them.
MAX_SLEEPING = 2_000
# Clocks of hosts differ: a little behind the horizon is still of this limit.
SKEW_US = 5_000_000
# A slot that near is waited for by the worker; SQS knows whole seconds only.
NEAR_MS = 1_000


def span_us(count: int, per_second: int) -> int:
    """How much time `count` slots take."""
    return count * 1_000_000 // per_second


def horizon_us(per_second: int) -> int:
    """How far ahead slots are given out."""
    return min(HORIZON_SECONDS * 1_000_000, span_us(MAX_SLEEPING, per_second))


def slots_ms(first_us: int, count: int, per_second: int) -> list[int]:
    """The times of `count` slots from the first on, in Unix milliseconds, never early."""
    return [-(-(first_us + span_us(at, per_second)) // 1000) for at in range(count)]
