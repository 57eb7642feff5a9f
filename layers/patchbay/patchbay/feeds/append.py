"""The fan-out's side of feeds: adds events to the feeds of pull webhooks.

    take      one number for each event, with one write to the feed's head
    write     one entry for each event, under the condition that its number has no row yet

An entry has the event's ID, not its payload: the event's row is stored first (see publishing/fan_out.py). A
reader that reaches a number without a row waits for 30 seconds, then closes the gap, and continues. If a
writer finds its number closed, it takes another one. So no entry is ever written behind a reader. A crash
leaves:

    before take               nothing
    between take and write    a gap: the redelivered message takes a new number, and readers close the gap
    during write              some entries, and gaps: as above; the redelivered message finds the entries
    after write               all entries: the redelivered message finds them and adds nothing
    a response is lost        the head's: a gap, or nothing. An entry's: the entry, or nothing; the client's
                              retry finds its own row, or the redelivered message finds it or adds one

To find entries of an earlier attempt, a resumed event is searched for in the last 1,000 entries. If its entry
is older, or if two copies of an event are processed concurrently, it is in the feed twice. Both items have
the same `webhook-id`, which derives from event and webhook, so consumers can drop the second one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from patchbay.clock import now_ms
from patchbay.feeds import store
from patchbay.feeds.store import NewEntry
from patchbay.ids import EventId
from patchbay.observability import logger

__all__ = ["NewEntry", "append"]

# Each feed takes at least two calls. An event rarely goes to more than one feed.
_THREADS = 10
_MAX_TRIES = 3


def append(feeds: Mapping[str, Sequence[NewEntry]], *, resumed: frozenset[EventId]) -> set[EventId]:
    """Add events to feeds, by the key of each feed's webhook. `resumed` are the events that an earlier
    attempt may have added. Returns the events that could not be added to all of their feeds.
    """
    if len(feeds) == 1:
        ((key, entries),) = feeds.items()
        return _try_append(key, entries, resumed)
    with ThreadPoolExecutor(_THREADS) as pool:
        results = pool.map(lambda feed: _try_append(feed[0], feed[1], resumed), feeds.items())
        return set[EventId]().union(*results)


def _try_append(key: str, entries: Sequence[NewEntry], resumed: frozenset[EventId]) -> set[EventId]:
    try:
        if any(entry.event_id in resumed for entry in entries):
            known = store.recent_events(key) & resumed
            _append(key, [entry for entry in entries if entry.event_id not in known])
        else:
            _append(key, entries)
    except Exception:
        # A bug or an AWS fault: the events' messages are redelivered.
        logger.exception("failed to add events to a feed", webhook=key)
        return {entry.event_id for entry in entries}
    return set()


def _append(key: str, entries: Sequence[NewEntry]) -> None:
    for _ in range(_MAX_TRIES):
        if not entries:
            return
        now = now_ms()
        first, before = store.take_numbers(key, len(entries), now)
        entries = list(_write(key, entries, first, now, before))
    raise store.Closed(f"readers closed the numbers of {len(entries)} entries {_MAX_TRIES} times")


def _write(key: str, entries: Sequence[NewEntry], first: int, now: int, before: int) -> Iterable[NewEntry]:
    """Yields the entries whose number was closed."""
    for number, entry in enumerate(entries, first):
        try:
            store.write_entry(key, entry, number, first=first, at=now, before=before)
        except store.Closed:
            logger.warning("number of a feed was closed", webhook=key, sequence=number)
            yield entry
