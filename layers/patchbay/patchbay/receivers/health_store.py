"""The health table: the health of each webhook's receiver, and the webhook's counters by the hour.

Key: webhookKey (`<workspace>#<webhook>`), sk. Three kinds of rows:
    health              see `health.Health`; has dueShard and dueAt while the sweeper has work for the webhook
    traffic             of a workspace (`<workspace>#`), see `lanes.Traffic`
    hour#<nnnnnn>       attempts, delivered, failed, l<bucket> (latency), lastError …; hours since the epoch.
                        The roll-up has added the deliveries up to `rolledTo`
And one row for the deployment: `roll-up`, `progress`, with the last hour that was rolled up.
Index, sparse: `due` (dueShard, dueAt). Rows expire by TTL. Times are Unix milliseconds.

Nothing here needs a transaction: everything except the failures is written as observed, and the last write
wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from patchbay import erasure_mark, permits
from patchbay.clock import now_ms
from patchbay.ids import DeliveryId, RunId, WebhookId, parse_webhook_key, webhook_key
from patchbay.permits import expired
from patchbay.receivers import slots
from patchbay.receivers.health import FailureWarning, Health, failure_entry
from patchbay.receivers.lanes import RECENT_MS, Traffic, max_permits
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.records import from_row, retention_ttl

_HEALTH = "health"
TRAFFIC = "traffic"
_RECOVERY = "recover = :low, recoverUntil = :high, heldAt = :now, dueShard = :shard, dueAt = :now"
# If two workers reserve slots at the same time, one of them finds its view of the row outdated and retries.
_RESERVE_ATTEMPTS = 5


class TooMuchContention(Exception):
    """The row changed during every attempt to update it."""


def table_key(workspace_id: str, webhook_id: WebhookId | RunId) -> tuple[str, dynamo.Row]:
    """The table key of a webhook's health."""
    return settings().health_table, _key(webhook_key(workspace_id, webhook_id), _HEALTH)


def get(key: str) -> Health:
    """The health of a webhook; eventually consistent."""
    return health_from_row(dynamo.get(settings().health_table, _key(key, _HEALTH), consistent=False))


def health_from_row(row: dynamo.Row | None) -> Health:
    return from_row(Health, row) if row else Health()


def traffic_table_key(workspace_id: str) -> tuple[str, dynamo.Row]:
    """The table key of a workspace's traffic."""
    return settings().health_table, _key(webhook_key(workspace_id, ""), TRAFFIC)


def traffic_from_row(row: dynamo.Row | None) -> Traffic:
    return from_row(Traffic, row) if row else Traffic()


# ── results of attempts ──────────────────────────────────────────────────────────────────────────────


def record_failure(key: str, time_ms: int, id: DeliveryId) -> Health:
    """Count a failed delivery. Idempotent."""
    return _update(key, "ADD failures :entry", entry=frozenset((failure_entry(time_ms, id),)))


def remove_failures(key: str, stale: frozenset[str]) -> None:
    """Remove the failures from before a user re-enabled the webhook, to keep the row small."""
    _update(key, "DELETE failures :stale", stale=stale)


def record_success(key: str, time_ms: int, health: Health) -> None:
    """Remove the failures before a success. Later failures stay, in whichever order the two are written."""
    stale = health.stale_failures(time_ms)
    if stale:
        _try_update(
            key,
            "SET succeededAt = :time DELETE failures :stale",
            condition="attribute_not_exists(succeededAt) OR succeededAt < :time",
            time=time_ms,
            stale=stale,
        )


def announced_action(
    key: str, at: int, *, failed_hour: int | None, warning: FailureWarning | None, resumed_at: int
) -> dynamo.TransactItem:
    """Mark what a failure at this time announces, for the transaction that announces it. Its condition fails
    if any of that was announced before; a warning from before `resumed_at` does not count.
    """
    assignments, conditions = ["#ttl = :ttl"], []
    values: dict[str, int] = {"ttl": retention_ttl(now_ms())}
    if failed_hour is not None:
        assignments.append("failedHour = :hour")
        conditions.append("(attribute_not_exists(failedHour) OR failedHour < :hour)")
        values["hour"] = failed_hour
    if warning is not None:
        assignments.append("warned = :warned, warnedAt = :at")
        conditions.append("(attribute_not_exists(warned) OR warned < :warned OR warnedAt <= :resumed)")
        values |= {"warned": warning.failures, "at": at, "resumed": resumed_at}
    return dynamo.update_action(
        settings().health_table,
        _key(key, _HEALTH),
        f"SET {', '.join(assignments)}",
        condition=" AND ".join(conditions),
        names={"#ttl": "ttl"},
        **values,
    )


def recovery_action(key: str, time_ms: int, health: Health) -> dynamo.TransactItem:
    """`record_success` for a webhook with a warning, for the transaction that announces its recovery. The
    condition fails if there is no warning from before the success, or a later success was recorded.
    """
    stale = health.stale_failures(time_ms)
    return dynamo.update_action(
        settings().health_table,
        _key(key, _HEALTH),
        "SET #ttl = :ttl, succeededAt = :time REMOVE warned, warnedAt"
        + (" DELETE failures :stale" if stale else ""),
        condition="warnedAt < :time AND (attribute_not_exists(succeededAt) OR succeededAt < :time)",
        names={"#ttl": "ttl"},
        ttl=retention_ttl(now_ms()),
        time=time_ms,
        **({"stale": stale} if stale else {}),
    )


def add_timeouts(key: str, count: int) -> Health:
    return _update(key, "ADD timeouts :count", count=count)


def set_timeouts(key: str, count: int) -> None:
    """Restart the count after a response, or after a user re-enabled the webhook. Closes the breaker."""
    _update(key, "SET timeouts = :count, openedAt = :none, probes = :none", count=count, none=0)


def open_breaker(key: str, now: int, probe_at: int) -> None:
    _update(key, "SET openedAt = :now, probeAt = :probe, probes = :none", now=now, probe=probe_at, none=0)


def claim_probe(key: str, seen: int, until: int) -> bool:
    """Claim the probe that is due. Returns False if another worker has it. `seen` is the `probe_at` that was
    read. `until` is the time of the next probe, in case this one is lost.
    """
    return _try_update(
        key,
        "SET probeAt = :until",
        condition="probeAt = :seen",
        seen=seen,
        until=until,
    )


def record_probe_failure(key: str, next_probe_at: int) -> None:
    _update(key, "SET probeAt = :next ADD probes :one", next=next_probe_at, one=1)


def set_backlog(key: str, since: int) -> None:
    """Record when the backlog began (Unix milliseconds); 0 for no backlog."""
    _update(key, "SET backlogAt = :since", since=since)


def reserve_slots(key: str, count: int, per_second: int, *, now: int, health: Health) -> Sequence[int] | None:
    """The times of the next `count` slots of the webhook's rate limit, or None if they are beyond the
    horizon. Raises TooMuchContention.
    """
    now_us, span, horizon = now * 1000, slots.span_us(count, per_second), slots.horizon_us(per_second)
    expected = health.next_slot
    for _ in range(_RESERVE_ATTEMPTS):
        ahead = expected - now_us
        # A slot far beyond the horizon was reserved under a lower limit, so it does not count.
        restarts = ahead <= 0 or ahead > horizon + slots.SKEW_US
        if not restarts and span > horizon - ahead:
            return None
        try:
            if restarts:
                health = _update(
                    key,
                    "SET nextSlot = :next",
                    condition="attribute_not_exists(nextSlot) OR nextSlot <= :now OR nextSlot = :expected",
                    next=now_us + span,
                    now=now_us,
                    expected=expected,
                )
            else:
                health = _update(
                    key,
                    "SET nextSlot = nextSlot + :span",
                    condition="nextSlot > :now AND nextSlot <= :latest",
                    span=span,
                    now=now_us,
                    latest=now_us + horizon - span,
                )
        except dynamo.ConditionFailed as failure:
            expected = health_from_row(failure.row).next_slot
            continue
        return slots.slot_times_ms(health.next_slot - span, count, per_second)
    raise TooMuchContention


# ── lanes ────────────────────────────────────────────────────────────────────────────────────────────


def mark_fast(key: str, health: Health, now: int) -> None:
    """Put the webhook into the fast lane, unless it became slow after `health` was read."""
    _try_update(
        key,
        "SET fastAt = :now",
        condition="attribute_not_exists(slowAt) OR slowAt <= :seen",
        seen=health.slow_at,
        now=now,
    )


def mark_slow(key: str, health: Health, traffic: Traffic, now: int) -> None:
    """Put the webhook into the slow lane. If it was in the fast lane, its workspace's traffic records it."""
    _update(
        key,
        "SET slowAt = :now, slowdowns = :count",
        now=now,
        count=health.slowdowns_with(now),
    )
    if health.is_fast:
        workspace_id, webhook_id = parse_webhook_key(key)
        if stale := expired(traffic.slow, now - RECENT_MS):
            _update_traffic(workspace_id, "DELETE slow :stale", stale=stale)
        _update_traffic(workspace_id, "ADD slow :entry", entry=frozenset((f"{now}#{webhook_id}",)))


def mark_erasing_action(workspace_id: str, task: str) -> dynamo.TransactItem:
    """Mark the workspace, so that its deliveries are dropped."""
    table, key = traffic_table_key(workspace_id)
    names = {"#ttl": "ttl"}
    return dynamo.update_action(table, key, "SET erasing = :task REMOVE #ttl", names=names, task=task)


def end_erasure_action(workspace_id: str, now: int) -> dynamo.TransactItem:
    """Forget everything about the workspace's traffic, except the time of the erasure."""
    table, key = traffic_table_key(workspace_id)
    ttl = now // 1000 + erasure_mark.KEPT_SECONDS
    return dynamo.put_action(table, {**key, "erasedAt": now, "ttl": ttl})


def scan_workspace(workspace_id: str, after: dynamo.Row | None) -> tuple[list[dynamo.Row], dynamo.Row | None]:
    """A page of the scan for the keys of a workspace's rows: see `dynamo.scan_page`. Leaves out its traffic,
    which has the mark of an erasure. The counters of a deleted connection or integration stay until they
    expire, so no list of them is complete.
    """
    return dynamo.scan_page(
        settings().health_table,
        "begins_with(webhookKey, :workspace) AND NOT (webhookKey = :workspace AND sk = :traffic)",
        after,
        attributes=("webhookKey", "sk"),
        workspace=webhook_key(workspace_id, ""),
        traffic=TRAFFIC,
    )


def acquire_permit(workspace_id: str, now: int) -> str | None:
    """Acquire one of the workspace's permits for the slow lane, for the length of a delivery's lease. Returns
    None if all are in use. Removes the permits of workers that died.
    """
    return permits.acquire(
        partial(_update_traffic, workspace_id),
        max_permits(settings().slow_delivery_concurrency),
        now=now,
        lease_ms=settings().delivery_lease_seconds * 1000,
    )


def release_permit(workspace_id: str, permit: str) -> None:
    permits.release(partial(_update_traffic, workspace_id), permit)


def _update_traffic(
    workspace_id: str, expression: str, *, condition: str | None = None, **values: object
) -> None:
    table, key = traffic_table_key(workspace_id)
    dynamo.update(
        table,
        key,
        f"SET #ttl = :ttl {expression}",
        condition=condition,
        names={"#ttl": "ttl"},
        returning="NONE",
        ttl=retention_ttl(now_ms()),
        **values,
    )


# ── work for the sweeper ─────────────────────────────────────────────────────────────────────────────


def schedule_sweep(key: str, now: int, due_at: int) -> None:
    """Call this before deliveries are held. From `due_at` on, the sweeper visits the webhook until none of
    its deliveries has been held for a while.
    """
    _update(
        key,
        "SET heldAt = :now, dueShard = :shard, dueAt = if_not_exists(dueAt, :due)",
        now=now,
        shard=due_index.shard_of(key),
        due=due_at,
    )


def sweep_now_action(key: str, now: int) -> dynamo.TransactItem:
    """The write for a transaction that ends, disables or resumes a webhook. It makes the sweeper cancel or
    release the waiting deliveries.
    """
    return dynamo.update_action(
        settings().health_table,
        _key(key, _HEALTH),
        "SET heldAt = :now, dueShard = :shard, dueAt = :now, #ttl = :ttl",
        condition=None,
        names={"#ttl": "ttl"},
        now=now,
        shard=due_index.shard_of(key),
        ttl=retention_ttl(now),
    )


def expiry_action(key: str, expires_at: int) -> dynamo.TransactItem:
    """The write for the transaction that makes a webhook temporary: the sweeper visits it when it expires."""
    return dynamo.update_action(
        settings().health_table,
        _key(key, _HEALTH),
        "SET heldAt = if_not_exists(heldAt, :never), dueShard = :shard, dueAt = :due, #ttl = :ttl",
        names={"#ttl": "ttl"},
        never=0,
        shard=due_index.shard_of(key),
        due=expires_at,
        ttl=retention_ttl(expires_at),
    )


def schedule_next_visit(key: str, health: Health, due_at: int | None) -> None:
    """Set the time of the sweeper's next visit; None for no more visits. `health` is what `claim_due`
    returned. Does nothing if another process has set the time since then.
    """
    claimed = health.due_at
    if due_at is None:
        _try_update(key, "REMOVE dueShard, dueAt", condition="dueAt = :claimed", claimed=claimed)
    else:
        _try_update(key, "SET dueAt = :due", condition="dueAt = :claimed", claimed=claimed, due=due_at)


def start_recovery(
    key: str,
    between: tuple[DeliveryId, DeliveryId],
    now: int,
    extra_actions: Sequence[dynamo.TransactItem] = (),
) -> bool:
    """Make the sweeper recover the failed and cancelled deliveries in this range of IDs; `extra_actions` join
    the transaction. Returns False if a recovery is already running. Raises TransactionCanceled if only the
    condition of an extra action fails.
    """
    start = _recovery_action(key, between, now, condition="attribute_not_exists(recover)", low=between[0])
    try:
        dynamo.transact([start, *extra_actions])
    except dynamo.TransactionCanceled as refused:
        if 0 not in refused.failed:
            raise
        return False
    return True


def start_recovery_action(key: str, between: tuple[DeliveryId, DeliveryId], now: int) -> dynamo.TransactItem:
    """Like `start_recovery`, for the transaction that reactivates a webhook. If the disabling interrupted a
    recovery before this range, it continues from there. If another one starts at the same time, the
    transaction fails.
    """
    interrupted_at = health_from_row(dynamo.get(settings().health_table, _key(key, _HEALTH))).recover
    return _recovery_action(
        key,
        between,
        now,
        condition="attribute_not_exists(recover) OR recover >= :low",
        low=between[0] if interrupted_at is None else min(interrupted_at, between[0]),
    )


def _recovery_action(
    key: str, between: tuple[DeliveryId, DeliveryId], now: int, *, condition: str, low: DeliveryId
) -> dynamo.TransactItem:
    return dynamo.update_action(
        settings().health_table,
        _key(key, _HEALTH),
        f"SET #ttl = :ttl, {_RECOVERY}",
        condition=condition,
        names={"#ttl": "ttl"},
        low=low,
        high=between[1],
        shard=due_index.shard_of(key),
        now=now,
        ttl=retention_ttl(now),
    )


def advance_recovery(key: str, seen: Health, reached: DeliveryId | None) -> None:
    """Record the delivery that the recovery in `seen` has reached; None if it is complete. The condition
    compares both ends: a later recovery can start at the same ID, but it ends at a later one.
    """
    condition = "recover = :after AND recoverUntil = :until"
    after, until = seen.recover, seen.recover_until
    if reached is None:
        _try_update(key, "REMOVE recover, recoverUntil", condition=condition, after=after, until=until)
    else:
        _try_update(
            key, "SET recover = :reached", condition=condition, reached=reached, after=after, until=until
        )


def due_webhooks(shard: int, now: int) -> Iterator[str]:
    """The keys of the webhooks that the sweeper has to visit, longest due first."""
    for row in due_index.due_keys(settings().health_table, shard, now):
        yield row["webhookKey"]


def claim_due(key: str, now: int, next_due_at: int) -> Health | None:
    """Claim a due webhook and return its health, or None if another sweeper has it. It is due again at
    `next_due_at`.
    """
    try:
        return _update(key, "SET dueAt = :next", condition="dueAt <= :now", next=next_due_at, now=now)
    except dynamo.ConditionFailed:
        return None


def mark_idle(key: str, health: Health) -> None:
    """Stop the sweeper's visits, unless a hold or a recovery was added since `health` was read."""
    _try_update(
        key,
        "REMOVE dueShard, dueAt",
        condition="heldAt = :held AND attribute_not_exists(recover)",
        held=health.held_at,
    )


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _update(key: str, expression: str, *, condition: str | None = None, **values: object) -> Health:
    """Update a webhook's health and renew its TTL. Raises ConditionFailed with the row."""
    verb, _, rest = expression.partition(" ")
    with_ttl = f"SET #ttl = :ttl, {rest}" if verb == "SET" else f"SET #ttl = :ttl {expression}"
    row = dynamo.update(
        settings().health_table,
        _key(key, _HEALTH),
        with_ttl,
        condition=condition,
        names={"#ttl": "ttl"},
        returning="ALL_NEW",
        ttl=retention_ttl(now_ms()),
        **values,
    )
    return health_from_row(row)


def _try_update(key: str, expression: str, *, condition: str, **values: object) -> bool:
    """Whether the condition held and the row was updated."""
    try:
        _update(key, expression, condition=condition, **values)
    except dynamo.ConditionFailed:
        return False
    return True


def _key(key: str, sk: str) -> dynamo.Row:
    return {"webhookKey": key, "sk": sk}
