"""Deliveries a second from publish to receiver, through the whole local stack."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from benchmarks.engine import POST
from benchmarks.stack import received, receiver
from local.testing import stack

EVENTS = 300
WEBHOOKS = 2
_LIMIT_SECONDS = 180


def run() -> None:
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as s, receiver() as url:
        api = httpx.Client(
            base_url=s.url, headers={"authorization": f"Bearer {s.token('bench')}"}, timeout=30
        )
        for at in range(WEBHOOKS):
            body = {"name": f"bench {at}", "url": url, "events": ["POST_PUBLISHED"]}
            api.post("/api/integrations/webhooks", json=body).raise_for_status()
        event = {"type": "POST_PUBLISHED", "data": {**POST, "text": "x" * 500}}
        api.post("/api/events", json=event).raise_for_status()
        _wait(url, WEBHOOKS)  # every function is warm now
        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            for answer in pool.map(lambda _: api.post("/api/events", json=event), range(EVENTS)):
                answer.raise_for_status()
        published = time.monotonic() - started
        _wait(url, WEBHOOKS * (EVENTS + 1))
        delivered = time.monotonic() - started
        print(f"{EVENTS} events to {WEBHOOKS} webhooks on the local stack, wall time")
        print(f"  published   {EVENTS / published:6.0f} events a second (4 callers)")
        print(f"  delivered   {EVENTS * WEBHOOKS / delivered:6.0f} deliveries a second, from first publish")


def _wait(url: str, count: int) -> None:
    deadline = time.monotonic() + _LIMIT_SECONDS
    while received(url) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {received(url)} of {count} deliveries arrived")
        time.sleep(0.05)
