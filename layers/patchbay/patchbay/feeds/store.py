"""The feeds table.

Key: webhookKey (`<workspace>#<webhook>`), sk. Three kinds of rows:
    entry#<number>      an event in the feed: eventId, eventType, size (bytes of the payload); `first`, `at`
                        and `before`, see `Entry`. A void row (`void`) closes a gap: its number has no event
    entry#~             the head: `seq`, the last number that was taken, and `at`, when. It sorts after all
                        entries, so the query for the entries after a position finds it at their end
    consumers           `members`, a set, and for each name an attribute `c:<name>` {seq, at}
And one row for each workspace, `<workspace>#`, `waits`: the permits of its requests that wait for events.

A number is taken by one ADD on the head, and its entry is written after that. A number without a row is a
gap: its writer is still at work, or died. A gap is closed by a void row, under the same condition as the
entry, that there is no row yet. So only one of the two is written, and a writer that was closed out takes
another number.

Rows expire by TTL. The head stays much longer than any entry, so that numbers do not start again while a
receiver may still know them. Times are Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from patchbay import permits
from patchbay.clock import now_ms
from patchbay.feeds.models import LAST_NUMBER
from patchbay.ids import EventId, webhook_key
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.records import retention_ttl

MAX_CONSUMERS = 20
_ENTRY = "entry#"
_HEAD = f"{_ENTRY}~"
_CONSUMERS = "consumers"
_RECENT = 1000
_HEAD_SECONDS = 400 * 86_400


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a feed. The numbers of one ADD start at `first`; they were taken at `at`, and all lower ones
    by `before`. A void entry has no event.
    """

    sequence: int
    first: int
    at: int
    before: int
    event_id: EventId | None
    event_type: str
    size: int
    ttl: int


@dataclass(frozen=True, slots=True)
class Head:
    """The last number of a feed, and when it was taken; 0 and 0 for a feed without events."""

    sequence: int
    at: int


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An event that a feed gets. `size` is that of its payload in bytes, `retain_days` its workspace's own
    retention.
    """

    event_id: EventId
    event_type: str
    size: int
    retain_days: int | None = None


@dataclass(frozen=True, slots=True)
class StoredConsumer:
    """A consumer's position: it has processed all entries up to `sequence`."""

    name: str
    sequence: int
    committed_at: int


class Closed(Exception):
    """The number was closed by a void row before the entry was written."""


class ConsumerChanged(Exception):
    """The stored `consumer` is further ahead, or there are too many consumers."""

    def __init__(self, consumer: StoredConsumer | None) -> None:
        super().__init__("the consumer was not changed")
        self.consumer = consumer


# ── entries ──────────────────────────────────────────────────────────────────────────────────────────


def take_numbers(key: str, count: int, now: int) -> tuple[int, int]:
    """Take `count` numbers. Returns the first one, and when the numbers before it had been taken."""
    previous = dynamo.update(
        settings().feeds_table,
        _key(key, _HEAD),
        "SET #at = :now, #ttl = :ttl ADD seq :count",
        names={"#at": "at", "#ttl": "ttl"},
        returning="ALL_OLD",
        now=now,
        ttl=now // 1000 + _HEAD_SECONDS,
        count=count,
    )
    last = _to_head(previous)
    return last.sequence + 1, last.at


def write_entry(key: str, entry: NewEntry, number: int, *, first: int, at: int, before: int) -> None:
    """Write an entry at a number that was taken for it. Raises Closed."""
    row = {
        **_key(key, _entry_key(number)),
        "eventId": entry.event_id,
        "eventType": entry.event_type,
        "size": entry.size,
        "first": first,
        "at": at,
        "before": before,
        "ttl": retention_ttl(at, entry.retain_days),
    }
    try:
        dynamo.put(settings().feeds_table, row, condition="attribute_not_exists(sk)")
    except dynamo.ConditionFailed as failure:
        # If it is our own row, the response to the first attempt was lost.
        if failure.row is None or failure.row.get("eventId") != entry.event_id:
            raise Closed from None


def close_gap(key: str, number: int, taken_at: int, now: int) -> Entry | None:
    """Make sure that no further entry is written at a number that was taken by `taken_at`. Returns the entry
    if it is there.
    """
    row = {
        **_key(key, _entry_key(number)),
        "void": True,
        "first": number,
        "at": taken_at,
        "before": taken_at,
        "ttl": retention_ttl(now),
    }
    try:
        dynamo.put(settings().feeds_table, row, condition="attribute_not_exists(sk)")
    except dynamo.ConditionFailed as failure:
        return None if failure.row is None else _to_entry(failure.row)
    return None


def entries_after(key: str, number: int, limit: int) -> tuple[list[Entry], Head | None]:
    """Up to `limit` rows after a number, in order, and the head if they are the last ones. Eventually
    consistent, so a row that was just written may be missing like one that is not written yet.
    """
    rows = dynamo.query(
        settings().feeds_table,
        "webhookKey = :key AND sk BETWEEN :low AND :high",
        consistent=False,
        limit=limit,
        key=key,
        low=_entry_key(number + 1),
        high=_HEAD,
    )
    entries, head = [], None
    for row in rows:
        if row["sk"] == _HEAD:
            head = _to_head(row)
        else:
            entries.append(_to_entry(row))
    return entries, head


def head(key: str) -> Head:
    return _to_head(dynamo.get(settings().feeds_table, _key(key, _HEAD)))


def recent_events(key: str) -> set[EventId]:
    """The events of the last 1,000 entries of a feed."""
    rows = dynamo.query(
        settings().feeds_table,
        "webhookKey = :key AND sk BETWEEN :low AND :high",
        descending=True,
        limit=_RECENT,
        key=key,
        low=_entry_key(0),
        high=_entry_key(LAST_NUMBER),
    )
    return {EventId(row["eventId"]) for row in rows if "eventId" in row}


def webhook_rows(key: str) -> Iterator[dynamo.Row]:
    """The keys of all rows of a webhook, or of a workspace's own rows (`<workspace>#`)."""
    return dynamo.query(settings().feeds_table, "webhookKey = :key", attributes=("webhookKey", "sk"), key=key)


# ── consumers ────────────────────────────────────────────────────────────────────────────────────────


def consumers(key: str) -> tuple[list[StoredConsumer], Head]:
    """The consumers of a feed by name, and its head."""
    table = settings().feeds_table
    row, head_row = dynamo.batch_get([(table, _key(key, _CONSUMERS)), (table, _key(key, _HEAD))])
    return _to_consumers(row, now_ms()), _to_head(head_row)


def committed(key: str, name: str) -> int:
    """The position of a consumer; 0 if it has none."""
    row = dynamo.get(settings().feeds_table, _key(key, _CONSUMERS))
    return next((each.sequence for each in _to_consumers(row, now_ms()) if each.name == name), 0)


def commit(key: str, name: str, number: int, *, rewind: bool) -> StoredConsumer:
    """Store a consumer's position. Raises ConsumerChanged if the stored one is further ahead and this is no
    `rewind`, or if the consumer is new and the feed has the maximum number. Expired consumers make room.
    """
    now = now_ms()
    condition = "(attribute_exists(#consumer) OR attribute_not_exists(members) OR size(members) < :most)"
    if not rewind:
        condition += " AND (attribute_not_exists(#consumer) OR #consumer.seq <= :number)"
    for _ in range(2):
        try:
            dynamo.update(
                settings().feeds_table,
                _key(key, _CONSUMERS),
                "SET #consumer = :position, #ttl = :ttl ADD members :name",
                condition=condition,
                names={"#consumer": f"c:{name}", "#ttl": "ttl"},
                returning="NONE",
                position={"seq": number, "at": now},
                name=frozenset((name,)),
                most=MAX_CONSUMERS,
                ttl=retention_ttl(now),
                **({} if rewind else {"number": number}),
            )
        except dynamo.ConditionFailed as failure:
            row = failure.row or {}
            unused = row.get("members", frozenset()) - {each.name for each in _to_consumers(row, now)}
            if not unused:
                raise ConsumerChanged(_find_consumer(row, name)) from None
            for each in unused:
                _remove_consumer(key, each, row[f"c:{each}"]["at"])
        else:
            break
    else:
        raise ConsumerChanged(None)
    return StoredConsumer(name, number, now)


def remove_consumer(key: str, name: str) -> bool:
    """Returns False if there is none."""
    return _remove_consumer(key, name, None)


def _remove_consumer(key: str, name: str, seen_at: int | None) -> bool:
    """Remove a consumer; with `seen_at`, only if it has not committed since. Returns whether it was there."""
    try:
        dynamo.update(
            settings().feeds_table,
            _key(key, _CONSUMERS),
            "REMOVE #consumer DELETE members :name",
            condition="attribute_exists(#consumer)" if seen_at is None else "#consumer.#at = :seen",
            names={"#consumer": f"c:{name}"} | ({} if seen_at is None else {"#at": "at"}),
            returning="NONE",
            name=frozenset((name,)),
            **({} if seen_at is None else {"seen": seen_at}),
        )
    except dynamo.ConditionFailed:
        return False
    return True


# ── waits ────────────────────────────────────────────────────────────────────────────────────────────


def acquire_wait(workspace_id: str, now: int, lease_ms: int) -> str | None:
    """Acquire one of the workspace's permits to wait for events; None if all are in use."""
    return permits.acquire(
        partial(_update_waits, workspace_id), settings().max_feed_waits, now=now, lease_ms=lease_ms
    )


def release_wait(workspace_id: str, permit: str) -> None:
    permits.release(partial(_update_waits, workspace_id), permit)


def _update_waits(
    workspace_id: str, expression: str, *, condition: str | None = None, **values: object
) -> None:
    dynamo.update(
        settings().feeds_table,
        _key(webhook_key(workspace_id, ""), "waits"),
        f"SET #ttl = :ttl {expression}",
        condition=condition,
        names={"#ttl": "ttl"},
        returning="NONE",
        ttl=now_ms() // 1000 + 86_400,
        **values,
    )


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _key(key: str, sk: str) -> dynamo.Row:
    return {"webhookKey": key, "sk": sk}


def _entry_key(number: int) -> str:
    return f"{_ENTRY}{number:016}"


def _to_entry(row: dynamo.Row) -> Entry:
    number = int(row["sk"].removeprefix(_ENTRY))
    event_id = row.get("eventId")
    return Entry(
        sequence=number,
        first=row["first"],
        at=row["at"],
        before=row["before"],
        event_id=None if event_id is None else EventId(event_id),
        event_type=row.get("eventType", ""),
        size=row.get("size", 0),
        ttl=row["ttl"],
    )


def _to_head(row: dynamo.Row | None) -> Head:
    return Head(row["seq"], row["at"]) if row else Head(0, 0)


def _find_consumer(row: dynamo.Row, name: str) -> StoredConsumer | None:
    position = row.get(f"c:{name}")
    return None if position is None else StoredConsumer(name, position["seq"], position["at"])


def _to_consumers(row: dynamo.Row | None, now: int) -> list[StoredConsumer]:
    """The consumers of a row that have committed within the retention period, by name."""
    oldest = now - settings().retention_ms
    row = row or {}
    found = (_find_consumer(row, name) for name in sorted(row.get("members", ())))
    return [consumer for consumer in found if consumer and consumer.committed_at > oldest]
