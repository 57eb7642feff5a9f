"""`rateLimitPerSecond`: time slots, one for each attempt, reserved a batch at a time. Pure.

This is GCRA (the "virtual scheduling" of ITU-T I.371) without a burst: the row keeps the time of the next
free slot, and a worker with n deliveries advances it by n intervals in one write. So a limit holds across all
workers, and costs one write per batch.

`health_store.reserve_slots` reserves the slots, and `deliveries.admission` uses them.
"""

from __future__ import annotations

# No delivery waits in the queue for a slot beyond this. It is held in the table instead.
HORIZON_SECONDS = 900
# At most this many deliveries of one webhook wait in the queue. SQS allows 120,000 messages in flight for all
# webhooks.
MAX_WAITING = 2_000
# The clocks of hosts differ: a next slot slightly beyond the horizon still belongs to the current limit.
SKEW_US = 5_000_000
# The worker itself waits for a slot this close, because SQS delays have a resolution of one second.
NEAR_MS = 1_000


def span_us(count: int, per_second: int) -> int:
    """The length of `count` slots in microseconds."""
    return count * 1_000_000 // per_second


def horizon_us(per_second: int) -> int:
    """How far ahead slots are reserved."""
    return min(HORIZON_SECONDS * 1_000_000, span_us(MAX_WAITING, per_second))


def slot_times_ms(first_us: int, count: int, per_second: int) -> list[int]:
    """The times of `count` slots, beginning with the first one, in Unix milliseconds, rounded up."""
    return [-(-(first_us + span_us(index, per_second)) // 1000) for index in range(count)]
