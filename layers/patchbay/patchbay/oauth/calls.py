"""How many slow calls to its providers a workspace may have open at once.

A call that takes longer than two seconds, whatever it ends with, marks its workspace slow for five minutes.
While a workspace is slow, each of its calls takes one of four places, with a lease that outlives the caller.
So token endpoints that hang hold a few executions, however many requests arrive. A workspace that is not slow
needs no place, and its calls write nothing.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from patchbay import aws, dynamo
from patchbay.errors import UpstreamFailed
from patchbay.oauth import store
from patchbay.oauth.store import Calls
from patchbay.observability import logger
from patchbay.rate_limits.headers import retry_after
from patchbay.schema import now_ms

SLOW_SECONDS = 2.0
SLOW_FOR_MS = 5 * 60_000
# Longer than any function that answers a request may run.
_LEASE_MS = 30_000
_COME_BACK_MS = 10_000


class Busy(UpstreamFailed):
    """All places of a slow workspace are taken."""

    def __init__(self) -> None:
        super().__init__(
            "The providers of this workspace answer slowly, and as many requests to them as may run at once "
            "are still waiting. Nothing was asked of the provider. Try again in a moment.",
            headers=retry_after(_COME_BACK_MS),
        )


@contextmanager
def admitted(calls: Calls) -> Iterator[None]:
    """Hold a place for calls to the workspace's providers, if it needs one. Raises Busy."""
    now = now_ms()
    if not calls.slow(now):
        yield
        return
    place = _take(calls, now)
    try:
        yield
    finally:
        try:
            store.leave_place(calls.workspace_id, place, now + _LEASE_MS)
        except (aws.CallFailed, dynamo.Throttled):
            logger.exception("place not given back; its lease ends")


@contextmanager
def watched(workspace_id: str) -> Iterator[None]:
    """One call: its workspace is marked slow as soon as the call has taken too long, not only at its end."""
    watch = threading.Timer(SLOW_SECONDS, _mark, (workspace_id,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        watch.join()


def check(calls: Calls) -> None:
    """Raises Busy if there is no place now, for a caller that has no use for the present token."""
    now = now_ms()
    if calls.slow(now) and not calls.free(now):
        raise Busy


def _take(calls: Calls, now: int) -> int:
    """The number of the place that is now taken."""
    while free := calls.free(now):
        place = secrets.choice(free)
        try:
            store.take_place(calls.workspace_id, place, now, now + _LEASE_MS)
        except store.Taken as taken:
            calls = taken.now
            continue
        return place
    raise Busy


def _mark(workspace_id: str) -> None:
    try:
        store.mark_slow(workspace_id, now_ms() + SLOW_FOR_MS)
    except (aws.CallFailed, dynamo.Throttled):
        logger.exception("workspace not marked slow")
