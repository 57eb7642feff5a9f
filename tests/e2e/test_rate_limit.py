"""A webhook's rate limit with several workers in real time."""

from __future__ import annotations

import time
from collections import Counter

from tests.catalogued import POST
from tests.e2e.conftest import Workspace
from tests.receivers import receiver

PER_SECOND = 5
EVENTS = 30


def test_requests_do_not_exceed_the_rate_limit(workspace: Workspace) -> None:
    with receiver() as limited, receiver() as free:
        workspace.webhook(limited.url, rateLimitPerSecond=PER_SECOND)
        workspace.webhook(free.url)
        started = time.time()
        for start in range(0, EVENTS, 15):
            batch = [{"type": "POST_PUBLISHED", "data": {**POST, "n": n}} for n in range(start, start + 15)]
            workspace("POST /api/events/batch", json={"events": batch})
        free.wait_for(EVENTS, 60)
        requests = limited.wait_for(EVENTS, 60)
    # Slots are never early, so even on a busy machine, the number of requests up to any time is limited.
    for number, request in enumerate(sorted(requests, key=lambda request: request.at), start=1):
        assert number <= 1 + PER_SECOND * (request.at - started), number
    assert max(Counter(limited.ids).values()) == 1
