"""How many slow calls to its providers a workspace may have open at once.

A call that takes over two seconds, whatever its result, marks its workspace slow for five minutes. While a
workspace is slow, each of its calls takes one of four permits, with a lease that outlives the caller. So
token endpoints that hang occupy only a few executions, however many requests arrive. A workspace that is not
slow needs no permit, and its calls write nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from patchbay import aws
from patchbay.clock import now_ms
from patchbay.errors import UpstreamFailed
from patchbay.oauth import store
from patchbay.oauth.store import Calls
from patchbay.observability import logger
from patchbay.rate_limits.headers import retry_after

SLOW_SECONDS = 2.0
SLOW_FOR_MS = 5 * 60_000
# Longer than the timeout of any function that answers a request.
_LEASE_MS = 30_000
_COME_BACK_MS = 10_000


class ProvidersBusy(UpstreamFailed):
    """All permits of a slow workspace are taken."""

    def __init__(self) -> None:
        super().__init__(
            "The providers of this workspace answer slowly, and the maximum number of requests to them is "
            "already waiting. Patchbay sent nothing to the provider. Try again in a moment.",
            headers=retry_after(_COME_BACK_MS),
        )


@contextmanager
def admitted(calls: Calls) -> Iterator[None]:
    """Hold a permit for calls to the workspace's providers, if it needs one. Raises ProvidersBusy."""
    now = now_ms()
    if not calls.slow(now):
        yield
        return
    permit = store.acquire_permit(calls.workspace_id, now, _LEASE_MS) if calls.has_room(now) else None
    if permit is None:
        raise ProvidersBusy
    try:
        yield
    finally:
        try:
            store.release_permit(calls.workspace_id, permit)
        except aws.CallFailed:
            logger.exception("permit not given back; its lease ends")


@contextmanager
def watched(workspace_id: str) -> Iterator[None]:
    """Watch one call. Its workspace is marked slow as soon as the call takes too long, not at its end."""
    watch = threading.Timer(SLOW_SECONDS, _mark, (workspace_id,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        watch.join()


def check(calls: Calls) -> None:
    """Raises ProvidersBusy if there is no permit now. For callers that cannot use the current token."""
    now = now_ms()
    if calls.slow(now) and not calls.has_room(now):
        raise ProvidersBusy


def _mark(workspace_id: str) -> None:
    try:
        store.mark_slow(workspace_id, now_ms() + SLOW_FOR_MS)
    except aws.CallFailed:
        logger.exception("workspace not marked slow")
