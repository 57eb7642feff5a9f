"""Permits: at most so many holders at a time. They are the set `permits` of a row, `<end>#<token>` for each
holder. A permit ends with its lease, so a holder that dies keeps it for that long at most. Times in Unix
milliseconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from patchbay.storage import dynamo

# Updates the row: an expression, and what `dynamo.update` takes besides.
Update = Callable[..., object]


def ended(entries: frozenset[str], now: int) -> frozenset[str]:
    """The entries `<time>#…` whose time has passed."""
    return frozenset(entry for entry in entries if int(entry.partition("#")[0]) <= now)


def take(update: Update, most: int, *, now: int, lease_ms: int) -> str | None:
    """Take one of `most` permits. Returns None while all are taken. Removes those of holders that died."""
    permit = f"{now + lease_ms}#{secrets.token_hex(4)}"
    for _ in range(2):
        try:
            update(
                "ADD permits :permit",
                condition="attribute_not_exists(permits) OR size(permits) < :most",
                permit=frozenset((permit,)),
                most=most,
            )
        except dynamo.ConditionFailed as refused:
            held: frozenset[str] = (refused.row or {}).get("permits", frozenset())
            if permit in held:
                return permit  # our own write: its answer was lost, and the client sent it again
            stale = ended(held, now)
            if not stale:
                return None
            _remove(update, stale)
        else:
            return permit
    return None


def give_back(update: Update, permit: str) -> None:
    _remove(update, frozenset((permit,)))


def _remove(update: Update, permits: frozenset[str]) -> None:
    update("DELETE permits :permits", permits=permits)
