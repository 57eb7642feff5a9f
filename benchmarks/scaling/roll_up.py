"""The CPU of the hourly roll-up per delivery: pages of a query as DynamoDB sends them, through the code that
reads and counts them. `python -m benchmarks.scaling.roll_up` prints it; in limits.py, it is `ROLL_UP_CPU_MS`.
"""

from __future__ import annotations

import json
import statistics
import time
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from patchbay import aws
from patchbay.deliveries import roll_up, store
from patchbay.ids import DeliveryId

_ROWS = 5_000
_ROUNDS = 7


def measure(rows: int = _ROWS, rounds: int = _ROUNDS) -> float:
    """Milliseconds of CPU for one delivery, without the network: the median of some rounds."""
    now = int(time.time() * 1000)
    page = json.dumps({"Items": [_row(now) for _ in range(rows)], "Count": rows}).encode()

    def call(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(page)
        return answer

    spent = []
    start, end = DeliveryId.range(datetime.fromtimestamp(now / 1000 - 3600, UTC), None)
    with patch.object(aws, "call", call), patch.object(store, "settings"):
        for _ in range(rounds):
            before = time.process_time()
            counts = roll_up.count_successes(store.outcomes("workspace#webhook", start, end))
            spent.append((time.process_time() - before) * 1000 / rows)
            assert counts.delivered == rows
    return statistics.median(spent)


def _row(now: int) -> dict[str, Any]:
    return {
        "sk": {"S": str(DeliveryId.range(datetime.fromtimestamp(now / 1000, UTC), None)[0])},
        "eventType": {"S": "POST_PUBLISHED"},
        "status": {"S": "DELIVERED"},
        "deliveredAt": {"N": str(now)},
        "success": {"M": {"durationMs": {"N": "150"}}},
    }


if __name__ == "__main__":
    print(f"{measure():.4f} ms of CPU for one delivery")
