"""Limits the concurrent calls of a slow workspace to its providers.

A call that takes longer than two seconds, whatever its result, marks its workspace as slow for five minutes.
While a workspace is slow, each of its calls holds one of four permits, with a lease that outlives the caller.
So token endpoints that hang occupy only a few executions, however many requests arrive. The calls of other
workspaces need no permit and write nothing. Calls for tokens and requests to APIs have their own permits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from patchbay import aws
from patchbay.clock import now_ms
from patchbay.errors import UpstreamFailed
from patchbay.oauth import store
from patchbay.oauth.store import CallKind, ProviderCallState
from patchbay.observability import logger
from patchbay.rate_limits.headers import retry_after

SLOW_SECONDS = 2.0
SLOW_FOR_MS = 5 * 60_000
# Longer than the timeout of any function that serves a request.
_LEASE_MS = 30_000
_RETRY_AFTER_MS = 10_000


class ProvidersBusy(UpstreamFailed):
    """All permits of a slow workspace are taken."""

    def __init__(self) -> None:
        super().__init__(
            (
                "This workspace's providers respond slowly, and too many requests to them are in "
                "progress. Patchbay sent no request. Try again in a moment."
            ),
            headers=retry_after(_RETRY_AFTER_MS),
        )


@contextmanager
def permit(state: ProviderCallState) -> Iterator[None]:
    """Hold a permit for calls to the workspace's providers, if it needs one. Raises ProvidersBusy."""
    now = now_ms()
    if not state.is_slow(now):
        yield
        return
    permit = (
        store.acquire_permit(state.workspace_id, state.kind, now, _LEASE_MS)
        if state.has_free_permit(now)
        else None
    )
    if permit is None:
        raise ProvidersBusy
    try:
        yield
    finally:
        try:
            store.release_permit(state.workspace_id, state.kind, permit)
        except aws.CallFailed:  # the permit expires with its lease
            logger.exception("failed to release permit")


@contextmanager
def track(workspace_id: str, kind: CallKind = "calls") -> Iterator[None]:
    """Time one call. Marks the workspace as slow while the call is still running, not when it ends."""
    timer = threading.Timer(SLOW_SECONDS, _mark_slow, (workspace_id, kind))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def check_capacity(state: ProviderCallState) -> None:
    """Raises ProvidersBusy if a call needs a permit and none is free. Call it before other work."""
    now = now_ms()
    if state.is_slow(now) and not state.has_free_permit(now):
        raise ProvidersBusy


def _mark_slow(workspace_id: str, kind: CallKind) -> None:
    try:
        store.mark_slow(workspace_id, kind, now_ms() + SLOW_FOR_MS)
    except aws.CallFailed:
        logger.exception("failed to mark workspace as slow")
