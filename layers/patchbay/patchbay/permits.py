"""Permits limit how many holders use something at the same time.

A row's set `permits` has one `<end>#<token>` for each holder. A permit expires with its lease, so a holder
that dies keeps it no longer than that. Times are Unix milliseconds.
"""

from __future__ import annotations

import secrets
from typing import Protocol

from patchbay.storage import dynamo


class Update(Protocol):
    """Updates the row, like `dynamo.update`. Raises ConditionFailed with the row."""

    def __call__(self, expression: str, /, *, condition: str | None = None, **values: object) -> object: ...


def expired(entries: frozenset[str], now: int) -> frozenset[str]:
    """The entries `<time>#…` whose time has passed."""
    return frozenset(entry for entry in entries if int(entry.partition("#")[0]) <= now)


def acquire(update: Update, limit: int, *, now: int, lease_ms: int) -> str | None:
    """Acquire one of `limit` permits, or return None if all are in use. Removes the permits of holders that
    died.
    """
    permit = f"{now + lease_ms}#{secrets.token_hex(4)}"
    for _ in range(2):
        try:
            update(
                "ADD permits :permit",
                condition="attribute_not_exists(permits) OR size(permits) < :limit",
                permit=frozenset((permit,)),
                limit=limit,
            )
        except dynamo.ConditionFailed as failure:
            held: frozenset[str] = (failure.row or {}).get("permits", frozenset())
            if permit in held:
                return permit  # our own write: the response was lost, and the client retried
            stale = expired(held, now)
            if not stale:
                return None
            _remove(update, stale)
        else:
            return permit
    return None


def release(update: Update, permit: str) -> None:
    """Release a permit before its lease ends. Safe to repeat."""
    _remove(update, frozenset((permit,)))


def _remove(update: Update, permits: frozenset[str]) -> None:
    update("DELETE permits :permits", permits=permits)
