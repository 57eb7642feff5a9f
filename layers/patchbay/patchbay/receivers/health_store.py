"""The health table: how each webhook's receiver is doing, and its counters by the hour.

Key: webhookKey (`<workspace>#<webhook>`), sk. Three kinds of rows:
    health              see `health.Health`; with dueShard and dueAt while the sweeper has something to do
    traffic             of a workspace (`<workspace>#`): see `lanes.Traffic`
    hour#<nnnnnn>       attempts, delivered, failed, l<bucket> (latency), lastError …; hours since the epoch.
                        The roll-up has added the deliveries up to `rolledTo`
And one row of the deployment: `roll-up`, `progress`, with the last hour that is rolled up.
Index, sparse: `due` (dueShard, dueAt). Rows end by TTL. Times in Unix milliseconds.

Nothing here is worth a transaction: all but the failures are written as they are seen, the last one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from patchbay import permits
from patchbay.clock import now_ms
from patchbay.ids import DeliveryId, RunId, WebhookId, of_webhook_key, webhook_key
from patchbay.permits import ended
from patchbay.receivers import slots
from patchbay.receivers.health import Health, failure
from patchbay.receivers.lanes import LATELY_MS, Traffic, most_permits
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.records import from_row, kept_until

_HEALTH = "health"
_TRAFFIC = "traffic"
_RECOVERY = "recover = :low, recoverUntil = :high, heldAt = :now, dueShard = :shard, dueAt = :now"
# Two workers that want slots at once: one of them finds its belief out of date.
_TRIES = 5


class TooContended(Exception):
    """The row changed again and again under our hands."""


def table_key(workspace_id: str, webhook_id: WebhookId | RunId) -> tuple[str, dynamo.Row]:
    """The table and the key of a webhook's health, to be read along with other rows."""
    return settings().health_table, _key(webhook_key(workspace_id, webhook_id), _HEALTH)


def read(row: dynamo.Row | None) -> Health:
    return from_row(Health, row) if row else Health()


def traffic_table_key(workspace_id: str) -> tuple[str, dynamo.Row]:
    """The table and the key of a workspace's traffic, to be read along with other rows."""
    return settings().health_table, _key(webhook_key(workspace_id, ""), _TRAFFIC)


def read_traffic(row: dynamo.Row | None) -> Traffic:
    return from_row(Traffic, row) if row else Traffic()


# ── what attempts came to ────────────────────────────────────────────────────────────────────────────


def note_failure(key: str, at: int, id: DeliveryId) -> Health:
    """Count a failed delivery. Safe to repeat."""
    return _update(key, "ADD failures :entry", entry=frozenset((failure(at, id),)))


def forget_failures(key: str, stale: frozenset[str]) -> None:
    """Take out what counts no more since the webhook was enabled by hand: the row must not grow for ever."""
    _update(key, "DELETE failures :stale", stale=stale)


def note_success(key: str, at: int, health: Health) -> None:
    """Forget the failures before `at`; those after it stay, whichever is written first."""
    stale = health.stale_failures(at)
    try:
        if stale:
            _update(
                key,
                "SET succeededAt = :at DELETE failures :stale",
                condition="attribute_not_exists(succeededAt) OR succeededAt < :at",
                at=at,
                stale=stale,
            )
    except dynamo.ConditionFailed:
        return  # a later success was faster


def add_timeouts(key: str, count: int) -> Health:
    return _update(key, "ADD timeouts :count", count=count)


def set_timeouts(key: str, count: int) -> None:
    """Begin the count anew, after an answer or with the webhook enabled by hand; it closes the breaker."""
    _update(key, "SET timeouts = :count, openedAt = :none, probes = :none", count=count, none=0)


def open_breaker(key: str, now: int, probe_at: int) -> None:
    _update(key, "SET openedAt = :now, probeAt = :probe, probes = :none", now=now, probe=probe_at, none=0)


def take_probe(key: str, seen: int, until: int) -> bool:
    """Whether the probe that is due is ours; `until` is when the next one would be, were ours lost."""
    return _unless_refused(
        key,
        "SET probeAt = :until",
        condition="probeAt = :seen",
        seen=seen,
        until=until,
    )


def probe_failed(key: str, next_probe_at: int) -> None:
    _update(key, "SET probeAt = :next ADD probes :one", next=next_probe_at, one=1)


def set_backlog(key: str, since: int) -> None:
    """Too many retries wait since then; 0: no more."""
    _update(key, "SET backlogAt = :since", since=since)


def reserve_slots(key: str, count: int, per_second: int, *, now: int, health: Health) -> Sequence[int] | None:
    """The times of the next `count` slots of the webhook's rate limit; None when they would lie behind the
    horizon. Raises TooContended.
    """
    now_us, span, horizon = now * 1000, slots.span_us(count, per_second), slots.horizon_us(per_second)
    believed = health.next_slot
    for _ in range(_TRIES):
        ahead = believed - now_us
        # Those of a lower limit, before it was raised, are not waited for.
        begins_anew = ahead <= 0 or ahead > horizon + slots.SKEW_US
        if not begins_anew and span > horizon - ahead:
            return None
        try:
            if begins_anew:
                row = _update(
                    key,
                    "SET nextSlot = :next",
                    condition="attribute_not_exists(nextSlot) OR nextSlot <= :now OR nextSlot = :believed",
                    next=now_us + span,
                    now=now_us,
                    believed=believed,
                )
            else:
                row = _update(
                    key,
                    "SET nextSlot = nextSlot + :span",
                    condition="nextSlot > :now AND nextSlot <= :latest",
                    span=span,
                    now=now_us,
                    latest=now_us + horizon - span,
                )
        except dynamo.ConditionFailed as refused:
            believed = read(refused.row).next_slot
            continue
        return slots.slots_ms(row.next_slot - span, count, per_second)
    raise TooContended


# ── lanes ────────────────────────────────────────────────────────────────────────────────────────────


def mark_fast(key: str, known: Health, now: int) -> None:
    """Put the webhook into the fast lane, unless it was slow after `known` was read."""
    _unless_refused(
        key,
        "SET fastAt = :now",
        condition="attribute_not_exists(slowAt) OR slowAt <= :known",
        known=known.slow_at,
        now=now,
    )


def mark_slow(key: str, health: Health, traffic: Traffic, now: int) -> None:
    """Put the webhook into the slow lane. If it leaves the fast lane, that counts for its workspace."""
    _update(
        key,
        "SET slowAt = :now, slowdowns = :count",
        now=now,
        count=health.slowdowns_with(now),
    )
    if health.is_fast:
        workspace_id, webhook_id = of_webhook_key(key)
        if stale := ended(traffic.slow, now - LATELY_MS):
            _traffic(workspace_id, "DELETE slow :stale", stale=stale)
        _traffic(workspace_id, "ADD slow :entry", entry=frozenset((f"{now}#{webhook_id}",)))


def take_permit(workspace_id: str, now: int) -> str | None:
    """Take one of the workspace's permits for the slow lane, for as long as a lease. Returns None while all
    are taken. Also removes the permits of workers that died.
    """
    return permits.take(
        partial(_traffic, workspace_id),
        most_permits(settings().slow_delivery_concurrency),
        now=now,
        lease_ms=settings().delivery_lease_seconds * 1000,
    )


def give_back_permit(workspace_id: str, permit: str) -> None:
    permits.give_back(partial(_traffic, workspace_id), permit)


def _traffic(workspace_id: str, expression: str, **terms: Any) -> None:
    table, key = traffic_table_key(workspace_id)
    dynamo.update(
        table,
        key,
        f"SET #ttl = :ttl {expression}",
        names={"#ttl": "ttl"},
        returning="NONE",
        ttl=kept_until(now_ms()),
        **terms,
    )


# ── what waits for the sweeper ───────────────────────────────────────────────────────────────────────


def held(key: str, now: int, due_at: int) -> None:
    """Deliveries are about to be held: the sweeper looks at the webhook from `due_at` on, until it has found
    nothing held for a while.
    """
    _update(
        key,
        "SET heldAt = :now, dueShard = :shard, dueAt = if_not_exists(dueAt, :due)",
        now=now,
        shard=due_index.shard_of(key),
        due=due_at,
    )


def disabled(key: str, now: int, announce: Mapping[str, Any] | None) -> dynamo.TransactItem:
    """For the transaction that disables a webhook: the sweeper ends what waits for it, and tells its owner
    what is in `announce`.
    """
    telling = ", announce = list_append(if_not_exists(announce, :nothing), :announce)" if announce else ""
    values: dict[str, Any] = {"announce": [announce], "nothing": []} if announce else {}
    return dynamo.update_action(
        settings().health_table,
        _key(key, _HEALTH),
        f"SET heldAt = :now, dueShard = :shard, dueAt = :now, #ttl = :ttl{telling}",
        names={"#ttl": "ttl"},
        now=now,
        shard=due_index.shard_of(key),
        ttl=kept_until(now),
        **values,
    )


def announced(key: str, seen: Sequence[Mapping[str, Any]]) -> None:
    """All of these are told. With another come since, they are told again: under their ids, that is once."""
    _unless_refused(key, "REMOVE announce", condition="announce = :seen", seen=seen)


def begin_recovery(key: str, between: tuple[DeliveryId, DeliveryId], now: int) -> bool:
    """Have the sweeper recover what ended badly, of the deliveries in this range; False while another
    recovery runs.
    """
    return _unless_refused(
        key,
        f"SET {_RECOVERY}",
        condition="attribute_not_exists(recover)",
        low=between[0],
        high=between[1],
        shard=due_index.shard_of(key),
        now=now,
    )


def recovering(key: str, between: tuple[DeliveryId, DeliveryId], now: int) -> dynamo.TransactItem:
    """Like `begin_recovery`, for the transaction that brings a webhook back. A recovery that was less far
    when the webhook was disabled goes on from there; one that begins at this moment refuses the transaction.
    """
    running = read(dynamo.get(settings().health_table, _key(key, _HEALTH))).recover
    return dynamo.update_action(
        settings().health_table,
        _key(key, _HEALTH),
        f"SET #ttl = :ttl, {_RECOVERY}",
        condition="attribute_not_exists(recover) OR recover >= :low",
        names={"#ttl": "ttl"},
        low=between[0] if running is None else min(running, between[0]),
        high=between[1],
        shard=due_index.shard_of(key),
        now=now,
        ttl=kept_until(now),
    )


def recovered(key: str, seen: Health, done: DeliveryId | None) -> None:
    """How far the recovery is that `seen` has; None: to its end. Another one may have begun at the same id,
    but it goes further.
    """
    condition = "recover = :after AND recoverUntil = :until"
    terms: dict[str, Any] = {"after": seen.recover, "until": seen.recover_until}
    if done is None:
        _unless_refused(key, "REMOVE recover, recoverUntil", condition=condition, **terms)
    else:
        _unless_refused(key, "SET recover = :done", condition=condition, done=done, **terms)


def due(shard: int, now: int) -> Iterator[str]:
    """The webhooks that the sweeper has to look at, the longest waiting first."""
    for row in due_index.rows(settings().health_table, shard, now):
        yield row["webhookKey"]


def take_due(key: str, now: int, again_at: int) -> Health | None:
    """The health of a webhook that is due, now due again later; None if another sweeper was faster."""
    try:
        return _update(key, "SET dueAt = :again", condition="dueAt <= :now", again=again_at, now=now)
    except dynamo.ConditionFailed:
        return None


def settled(key: str, health: Health) -> None:
    """Nothing is left to do, unless something was held or begun since `health` was read."""
    _unless_refused(
        key,
        "REMOVE dueShard, dueAt",
        condition="heldAt = :held AND attribute_not_exists(recover) AND attribute_not_exists(announce)",
        held=health.held_at,
    )


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _update(key: str, expression: str, **terms: Any) -> Health:
    """Change a webhook's health; a webhook that nobody writes of for a month is forgotten."""
    verb, _, rest = expression.partition(" ")
    with_ttl = f"SET #ttl = :ttl, {rest}" if verb == "SET" else f"SET #ttl = :ttl {expression}"
    row = dynamo.update(
        settings().health_table,
        _key(key, _HEALTH),
        with_ttl,
        names={"#ttl": "ttl"},
        ttl=kept_until(now_ms()),
        **terms,
    )
    return read(row)


def _unless_refused(key: str, expression: str, **terms: Any) -> bool:
    try:
        _update(key, expression, **terms)
    except dynamo.ConditionFailed:
        return False
    return True


def _key(key: str, sk: str) -> dynamo.Row:
    return {"webhookKey": key, "sk": sk}
