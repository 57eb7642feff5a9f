"""The ApiKeys table: a row for each key, which also counts its use, and `count#<workspace>` with the number
of a workspace's keys that are not retired. (The count row lacks the attribute of the index, so no list
contains it.) `rotation_store` has the rows of rotations.

A request is one write to its key's row, and the cost of a write depends on the row's size. So names are
short, and nothing grows with time: 60 days of use take less than 700 bytes with a typical name and scopes.

    id, workspaceId
    nm  name                 v   version             hw hn hp  the hour's window
    sc  scopes               r   retired at          dw dn dp  the day's; its number is the UTC day
    hl  limit per hour       x   expires at          u0 … u30  requests of a day, at day modulo 31
    dl  limit per day        up  updated at          t         total requests
    sh  secret's hash        by  created by          lu        last used at
    sm  its fingerprint      rf  rotated from        k d       always 0; when the key is due next
                             rt  rotated into        ttl
    rb  revoked by           rs  1: rotated itself

Times are Unix milliseconds (`ttl`: seconds). A slot of u is day × 10⁸ + count, so a count from 31 days ago is
not mistaken for today's. Windows: rate_limits.sliding_window.

When a key ends, it gets r and ttl (it is retired), and is then removed from the workspace's count, which also
logs its end and announces a revocation. k and d, which no request changes, keep it in the index `due` while
work remains: announce its expiry, retire it, remove it from the count.

Changes are one transaction with their entry of the activity log, except a revocation, which must not wait
for a busy key: a transaction conflicts with the requests that count their use. Crash between any two lines:
    not revoked yet             the key works; the caller repeats the request
    revoked, still counted      refused from now on. The schedule removes it from the count and logs its end
    removed, logged, announced  done: that is one transaction, which happens once
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from patchbay import idempotency
from patchbay.activity.log import SYSTEM, log_action
from patchbay.api_keys import announcements, expiry
from patchbay.api_keys.stored_key import KeyState, StoredKey, Terms
from patchbay.clock import now_ms
from patchbay.errors import Conflict
from patchbay.ids import ApiKeyId, LogId
from patchbay.rate_limits.sliding_window import DAY, NO_COUNT, Count, Update, read
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page

_DAY_SLOTS = 31
# Above MAX_PER_DAY, so no day's count reaches it.
_DAY_FACTOR = 10**8
_RETENTION_MS = 30 * DAY.length_ms
# Required to use or change a key. `now` and `version` are values.
IS_ACTIVE = "v = :version AND attribute_not_exists(r) AND (attribute_not_exists(x) OR x > :now)"


class NotCounted(Exception):
    """A request was not counted. `state` is the current row, or None if it does not exist."""

    def __init__(self, state: KeyState | None) -> None:
        super().__init__("the key's row does not admit the request")
        self.state = state


class KeyChanged(Exception):
    """The key was changed or has ended since it was read."""


# ── one request ──────────────────────────────────────────────────────────────────────────────────────


def get_state(key_id: ApiKeyId) -> KeyState | None:
    """A key and its counts, strongly consistent."""
    row = dynamo.get(settings().api_keys_table, {"id": key_id})
    return _state_from_row(row) if row else None


def count(key: StoredKey, update: Update, now: int) -> tuple[Count, ...]:
    """Count a request, if the row has the key's version, is not retired, is not expired and, by `update`, has
    room in its windows. Returns the new counts. Raises NotCounted.
    """
    # A day's first request moves the day's window, so from then on the slot is known to be today's.
    if update.starts_interval[1]:
        slot, values = _day_slot(update.numbers[1], update.values["cost"])
        usage = f"{slot} = :u"
    else:
        (slot, _), values = _day_slot(update.numbers[1]), {}
        usage = f"{slot} = {slot} + :cost"
    return _count(key, update, f"{usage}, t = t + :cost, lu = :now", IS_ACTIVE, now=now, **values)


def count_shared(key: StoredKey, update: Update) -> tuple[Count, ...]:
    """Count a request of the predecessor of `key` in the windows of `key`, if the row has the key's version
    and, by `update`, room in its windows. Returns the new counts. Raises NotCounted.
    """
    if not update.starts_interval[1]:
        return _count(key, update, "", "v = :version")
    slot, values = _day_slot(update.numbers[1], 0)  # a new day's window needs its slot
    return _count(key, update, f"{slot} = :u", "v = :version", **values)


def _count(key: StoredKey, update: Update, usage: str, condition: str, **values: int) -> tuple[Count, ...]:
    try:
        updated = dynamo.update(
            settings().api_keys_table,
            {"id": key.id},
            f"SET {update.assignments}" + (f", {usage}" if usage else ""),
            returning="UPDATED_NEW",
            condition=f"{condition} AND {update.condition}",
            names=None,
            version=key.version,
            **values,
            **update.values,
        )
    except dynamo.ConditionFailed as error:
        raise NotCounted(_state_from_row(error.row) if error.row else None) from None
    return update.counts_after(updated, key.quotas)


# ── management ───────────────────────────────────────────────────────────────────────────────────────


def create(key: StoredKey, extra_actions: Sequence[dynamo.TransactItem]) -> None:
    """Store a new key, and announce it, in one transaction with `extra_actions`, which record the response.
    Raises Conflict at the workspace's ceiling.
    """
    actions = [count_action(key.workspace_id), put_action(key), announcements.created(key)]
    try:
        dynamo.transact([*actions, *extra_actions])
    except dynamo.TransactionCanceled as error:
        if 0 in error.failed:
            raise at_ceiling("Revoke one first.") from None
        raise idempotency.request_in_progress() from None


def get(workspace_id: str, key_id: ApiKeyId) -> StoredKey | None:
    """The workspace's key with this ID, or None."""
    row = dynamo.get(settings().api_keys_table, {"id": key_id})
    key = None if row is None else from_row(row)
    if key is None or key.workspace_id != workspace_id or key.is_deleted(now_ms()):
        return None
    return key


def list_page(workspace_id: str, *, limit: int, cursor: str | None) -> Page[StoredKey]:
    """The workspace's keys, newest first. The index has only IDs, so that requests do not write to it."""
    table = settings().api_keys_table
    found = dynamo.page(
        dynamo.PageQuery(
            table,
            partition=("workspaceId", workspace_id),
            sort_range=("id", *ApiKeyId.range(None, None)),
            index="byWorkspace",
            limit=limit,
            cursor=cursor,
        )
    )
    rows = dynamo.full_rows(table, found, ("id",), consistent=True)
    return rows.map(from_row).map(lambda key: None if key.is_deleted(now_ms()) else key)


def revoke(key: StoredKey, actor: str, version: int | None = None, *, only_unused: bool = False) -> None:
    """Revoke a key permanently. Its row stays listed for 30 days. Revoking it again changes nothing.

    Raises KeyChanged if the key no longer has the scopes that it was read with or, if `version` is given,
    another version, or if it must be unused and is not. Other edits do not matter: a key that keeps renaming
    itself cannot delay its revocation.
    """
    at_version = {} if version is None else {"version": version}
    unused = {"unused": 0} if only_unused else {}
    now = now_ms()
    try:
        _retire(
            key.id,
            "up = :now, v = v + :one, rb = :actor, ",
            "attribute_not_exists(r) AND sc = :sc"
            + (" AND v = :version" if at_version else "")
            + (" AND t = :unused" if unused else ""),
            now,
            sc=_join_scopes(key.terms),
            one=1,
            actor=actor,
            **at_version,
            **unused,
        )
    except dynamo.ConditionFailed as error:
        if error.row is None or "r" not in error.row:
            raise KeyChanged from None
    else:
        with suppress(dynamo.Throttled):  # contention for the workspace's count: the schedule removes the key
            _remove_from_count(replace(key, retired_ms=now, revoked_by=actor))


def change(old: StoredKey, new: StoredKey, extra_actions: Sequence[dynamo.TransactItem]) -> None:
    """Store `new`, an edit of the name, scopes, limits or expiry of `old`, in one transaction with
    `extra_actions`. Raises KeyChanged.
    """
    try:
        dynamo.transact([edit_action(old, new), *extra_actions])
    except dynamo.TransactionCanceled:
        raise KeyChanged from None


def edit_action(old: StoredKey, new: StoredKey) -> dynamo.TransactItem:
    """Store `new`, an edit of `old`, if `old` is active and has not been changed."""
    edited: dynamo.Row = {"up": new.updated_ms, "v": new.version, **_terms_to_row(new.terms)}
    if new.terms.expires_ms != old.terms.expires_ms:  # otherwise, pending notices stay due
        edited |= _due_attributes(new.terms.expires_ms, new.updated_ms)
    values = {name: value for name, value in edited.items() if value is not None}
    removed = ", ".join(edited.keys() - values.keys())
    return dynamo.update_action(
        settings().api_keys_table,
        {"id": old.id},
        f"SET {', '.join(f'{name} = :{name}' for name in values)}"
        + (f" REMOVE {removed}" if removed else ""),
        condition=IS_ACTIVE,
        version=old.version,
        now=new.updated_ms,
        **values,
    )


def rotate(
    old: StoredKey,
    new: StoredKey,
    ends_ms: int,
    extra_actions: Sequence[dynamo.TransactItem],
    initial_counts: Sequence[Count] | None = None,
    policy_actions: Sequence[dynamo.TransactItem] = (),
) -> None:
    """Store `new` and let `old` end at `ends_ms`, and announce it. Until then, the workspace's count includes
    both. `policy_actions` pass on the policy of `old`. Raises KeyChanged, also if one of those fails, or
    Conflict at the workspace's ceiling.

    If the key rotates itself, `initial_counts` are the counts that `new` starts with. Raises KeyChanged if
    `old` has counted more by the time of the write.
    """
    now, ends_now = new.updated_ms, ends_ms <= new.updated_ms
    edited: dict[str, int | str | None] = {"x": ends_ms, "rt": new.id, "up": now, "v": old.version + 1}
    condition = ""
    counts: dict[str, int] = {}
    if initial_counts is not None:
        edited["rs"] = 1
        condition, counts = _counted_at_most(old, initial_counts)
    if ends_now:
        edited |= {"r": now, "ttl": _ttl(now)}
    elif ends_ms != old.terms.expires_ms:  # otherwise, pending notices stay due
        edited |= _due_attributes(ends_ms, now)
    actions = [
        dynamo.update_action(
            settings().api_keys_table,
            {"id": old.id},
            "SET "
            + ", ".join(f"#{name} = :{name}" for name in edited)
            + (" REMOVE k, d" if ends_now else ""),
            condition=IS_ACTIVE + condition,
            names={f"#{name}": name for name in edited},
            version=old.version,
            now=now,
            **edited,
            **counts,
        ),
        put_action(new, initial_counts or ()),
        *([] if ends_now else [count_action(new.workspace_id)]),
        announcements.rotated(old, new, ends_ms),
    ]
    handed_on = range(len(actions), len(actions) + len(policy_actions))
    try:
        dynamo.transact([*actions, *policy_actions, *extra_actions])
    except dynamo.TransactionCanceled as error:
        if {0, *handed_on}.intersection(error.failed):
            raise KeyChanged from None
        if 2 in error.failed and not ends_now:
            raise at_ceiling("Revoke one first, or rotate with overlapSeconds 0.") from None
        raise idempotency.request_in_progress() from None


# ── the schedule ─────────────────────────────────────────────────────────────────────────────────────


def workspace_keys(workspace_id: str) -> Iterator[dynamo.Row]:
    """The keys of all rows of a workspace: its API keys, including ended ones, and their count. Eventually
    consistent.
    """
    yield from dynamo.query(
        settings().api_keys_table,
        "workspaceId = :workspace",
        index="byWorkspace",
        attributes=("id",),
        workspace=workspace_id,
    )
    yield {"id": _count_id(workspace_id)}


def list_due(now: int) -> Iterator[StoredKey]:
    """Keys that are due at `now`, read with strong consistency."""
    table = settings().api_keys_table
    found = dynamo.query(table, "k = :k AND d <= :now", index="due", k=0, now=now)
    while ids := [{"id": row["id"]} for row in islice(found, 100)]:
        for key in map(from_row, dynamo.get_many(table, ids, consistent=True)):
            # The index lags: a key that it returns may have been processed or changed.
            if key.due_ms is not None and key.due_ms <= now:
                yield key


def reschedule(key: StoredKey, now: int) -> bool:
    """Record that a key was processed at `now`, and set when it is due next. Returns False if the key was
    edited or ended in the meantime, or another run was faster.
    """
    expires_ms = key.terms.expires_ms
    try:
        dynamo.update(
            settings().api_keys_table,
            {"id": key.id},
            "SET d = :d",
            returning="UPDATED_NEW",
            condition="d = :was AND x = :x AND attribute_not_exists(r)",
            d=expiry.next_due_ms(expires_ms, now),
            was=key.due_ms,
            x=expires_ms,
        )
    except dynamo.ConditionFailed:
        return False
    return True


def retire(key: StoredKey, now: int) -> bool:
    """End an expired key permanently, and remove it from the workspace's count. A revoked key is only removed
    from the count. Returns False if another run was faster.
    """
    if key.retired_ms is None:
        try:
            _retire(key.id, "", "attribute_not_exists(r) AND x <= :now", now)
        except dynamo.ConditionFailed:
            return False
        key = replace(key, retired_ms=now)
    return _remove_from_count(key)


def _retire(key_id: ApiKeyId, assignments: str, condition: str, now: int, **values: int | str) -> None:
    """Mark a key as retired: hosts whose clocks lag refuse it too, and TTL deletes its row later. It is due
    until it is removed from the count. Raises ConditionFailed.
    """
    dynamo.update(
        settings().api_keys_table,
        {"id": key_id},
        f"SET {assignments}r = :now, #ttl = :ttl, k = :k, d = :now",
        returning="UPDATED_NEW",
        condition=condition,
        names={"#ttl": "ttl"},
        now=now,
        ttl=_ttl(now),
        k=0,
        **values,
    )


def _remove_from_count(key: StoredKey) -> bool:
    """Remove a retired key from the workspace's count, log its end, and announce it if it was revoked.
    Returns False if it was removed before.
    """
    actions = [
        dynamo.update_action(
            settings().api_keys_table,
            {"id": key.id},
            "REMOVE k, d",
            condition="attribute_exists(r) AND attribute_exists(d)",
        ),
        dynamo.update_action(
            settings().api_keys_table, {"id": _count_id(key.workspace_id)}, "ADD n :less", less=-1
        ),
        _log_end_action(key),
        *([announcements.revoked(key)] if key.is_revoked else []),
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionCanceled:
        return False
    return True


def _log_end_action(key: StoredKey) -> dynamo.TransactItem:
    """The entry of the activity log for the end of a key, with the time of the end."""
    revoked = key.is_revoked
    ended_ms = key.retired_ms if revoked else key.terms.expires_ms
    return log_action(
        key.workspace_id,
        key.id,
        "api_key.revoked" if revoked else "api_key.expired",
        (key.revoked_by if revoked else None) or SYSTEM,
        None if revoked or key.rotated_into is None else f"replaced by {key.rotated_into}",
        id=LogId.new(ended_ms),
    )


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────


def put_action(key: StoredKey, initial_counts: Sequence[Count] = ()) -> dynamo.TransactItem:
    return dynamo.put_action(
        settings().api_keys_table, _to_row(key) | _window_attributes(key, initial_counts)
    )


def count_action(workspace_id: str) -> dynamo.TransactItem:
    """Add a key to the workspace's count, if it is below the ceiling."""
    return dynamo.update_action(
        settings().api_keys_table,
        {"id": _count_id(workspace_id)},
        "ADD n :one",
        condition="attribute_not_exists(n) OR n < :most",
        one=1,
        most=settings().max_api_keys,
    )


def at_ceiling(advice: str) -> Conflict:
    return Conflict(f"This workspace has {settings().max_api_keys} API keys, which is its limit. {advice}")


def _counted_at_most(key: StoredKey, counts: Sequence[Count]) -> tuple[str, dict[str, int]]:
    """A condition to append to others, and its values: the row's windows have at most `counts`."""
    values = _count_attributes(key, counts)
    within = [f"{name} {'=' if name[1] == 'w' else '<='} :{name}" for name in values]
    letters = [quota.window.letter for quota in key.quotas]
    unused = [f"attribute_not_exists({letter}w)" for letter in letters if f"{letter}w" not in values]
    return "".join(f" AND {term}" for term in [*within, *unused]), values


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────


def _to_row(key: StoredKey) -> dynamo.Row:
    """The row of a new key, without windows, day slots and last use."""
    return {
        "id": key.id,
        "workspaceId": key.workspace_id,
        "sh": key.secret_hash,
        "sm": key.secret_fingerprint,
        "by": key.created_by,
        "up": key.updated_ms,
        "rf": key.rotated_from,
        "v": key.version,
        "t": 0,
        **_terms_to_row(key.terms),
        **_due_attributes(key.terms.expires_ms, key.updated_ms),
    }


def _terms_to_row(terms: Terms) -> dict[str, int | str | None]:
    return {
        "nm": terms.name,
        "sc": _join_scopes(terms),
        "hl": terms.rate_limit_per_hour,
        "dl": terms.rate_limit_per_day,
        "x": terms.expires_ms,
    }


def _join_scopes(terms: Terms) -> str:
    return " ".join(terms.scopes)


def _due_attributes(expires_ms: int | None, now: int) -> dict[str, int | None]:
    """The attributes that keep a key in the index `due`."""
    due_ms = expiry.next_due_ms(expires_ms, now)
    return {"k": None if due_ms is None else 0, "d": due_ms}


def _window_attributes(key: StoredKey, counts: Sequence[Count]) -> dict[str, int]:
    """The windows of a new row that starts with `counts`, and the slot of their day."""
    attributes = _count_attributes(key, counts)
    day = attributes.get("dw")
    if day is not None:
        slot, values = _day_slot(day, 0)
        attributes[slot] = values["u"]
    return attributes


def _count_attributes(key: StoredKey, counts: Sequence[Count]) -> dict[str, int]:
    return {
        quota.window.letter + name: value
        for quota, count in zip(key.quotas, counts, strict=False)
        if count != NO_COUNT
        for name, value in zip("wnp", count, strict=True)
    }


def _day_slot(day: int, requests: int = 0) -> tuple[str, dict[str, int]]:
    """The attribute that counts a day's requests, and its value `u` for this number of requests."""
    return f"u{day % _DAY_SLOTS}", {"u": day * _DAY_FACTOR + requests}


def _ttl(retired_ms: int) -> int:
    """The TTL (Unix seconds) of a retired key."""
    return (retired_ms + _RETENTION_MS) // 1000


def _count_id(workspace_id: str) -> str:
    return f"count#{workspace_id}"


def _state_from_row(row: dynamo.Row) -> KeyState:
    key = from_row(row)
    return KeyState(key, read(row, key.quotas))


def from_row(row: dynamo.Row) -> StoredKey:
    slots = (divmod(row.get(f"u{index}", 0), _DAY_FACTOR) for index in range(_DAY_SLOTS))
    return StoredKey(
        id=ApiKeyId(row["id"]),
        workspace_id=row["workspaceId"],
        terms=Terms(
            name=row["nm"],
            scopes=tuple(row["sc"].split()),
            rate_limit_per_hour=row["hl"],
            rate_limit_per_day=row["dl"],
            expires_ms=row.get("x"),
        ),
        secret_hash=row["sh"],
        secret_fingerprint=row["sm"],
        created_by=row["by"],
        updated_ms=row["up"],
        rotated_from=ApiKeyId(row["rf"]) if "rf" in row else None,
        rotated_into=ApiKeyId(row["rt"]) if "rt" in row else None,
        rotated_itself="rs" in row,
        version=row["v"],
        retired_ms=row.get("r"),
        revoked_by=row.get("rb"),
        ttl=row.get("ttl"),
        due_ms=row.get("d"),
        uses=row["t"],
        last_used_ms=row.get("lu"),
        daily={day: requests for day, requests in slots if day},
    )
