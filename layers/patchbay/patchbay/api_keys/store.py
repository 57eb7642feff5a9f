"""The ApiKeys table: a row per key, which also counts its use, and `count#<workspace>` with how
many live keys a workspace has (without the index's attribute, so no list shows it).

A request is one write to its key's row, and a write costs by the row's size: names are short, and
nothing grows with time. 60 days of use take under 700 bytes with a usual name and scopes.

    id, workspaceId
    nm  name                 v   version             hw hn hp  the hour's window
    sc  scopes               r   retired at          dw dn dp  the day's; its number is the UTC day
    hl  limit an hour        x   expires at          u0 … u30  requests of a day, at day modulo 31
    dl  limit a day          up  updated at          t         requests in all
    sh  hash of the secret   by  created by          lu        last used at
    sm  mark of the secret   rf  rotated from        k d       always 0; when the schedule looks next
                             rt  rotated into        ttl
                             rs  1: rotated itself

Times are Unix milliseconds (`ttl`: seconds). A slot of u is day × 10⁸ + count, so that what it held
31 days before is not taken for today's. Windows: rate_limits.sliding_window.

A key ends with r and ttl: first it is dead, then the workspace's count is put right. k and d, which use never
changes, hold it in the index `due` while something is to be done: announce its end, end it, count it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from patchbay import idempotency
from patchbay.api_keys import expiry
from patchbay.api_keys.stored_key import KeyState, StoredKey, Terms
from patchbay.clock import now_ms
from patchbay.errors import Conflict
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, NEVER, Count, Update, read
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page

_RING = 31
# Above MAX_PER_DAY, which no day's count passes.
_DAY_FACTOR = 10**8
_LISTED_AFTER_ITS_END_MS = 30 * DAY.length_ms
# What a key must be to be used or changed; `now` and `version` are values.
_LIVE = "v = :version AND attribute_not_exists(r) AND (attribute_not_exists(x) OR x > :now)"


class Refused(Exception):
    """A request was not counted. `state` is what stands in the row, None where none does."""

    def __init__(self, state: KeyState | None) -> None:
        super().__init__("the key's row does not admit the request")
        self.state = state


class KeyChanged(Exception):
    """The key is no longer as it was read, or has ended since."""


# ── one request ──────────────────────────────────────────────────────────────────────────────────────


def state(key_id: ApiKeyId) -> KeyState | None:
    """A key and its counts, strongly consistent."""
    row = dynamo.get(settings().api_keys_table, {"id": key_id})
    return _state(row) if row else None


def count(key: StoredKey, update: Update, now: int) -> tuple[Count, ...]:
    """Count a request: only if the row is at the key's version, not retired, not expired, and
    `update` says that its windows have room. Returns their counts. Raises Refused.
    """
    # The day's first request moves its window, so the slot is known to be today's from then on.
    if update.fresh[1]:
        slot, values = _slot(update.numbers[1], update.values["cost"])
        use = f"{slot} = :u"
    else:
        (slot, _), values = _slot(update.numbers[1]), {}
        use = f"{slot} = {slot} + :cost"
    return _count(key, update, f"{use}, t = t + :cost, lu = :now", _LIVE, now=now, **values)


def count_for_predecessor(key: StoredKey, update: Update) -> tuple[Count, ...]:
    """Count a request of the key that `key` replaces in the windows of `key`, if the row has the key's
    version and, by `update`, room in its windows. Raises Refused.
    """
    if not update.fresh[1]:
        return _count(key, update, "", "v = :version")
    slot, values = _slot(update.numbers[1], 0)  # a new day's window comes with its slot
    return _count(key, update, f"{slot} = :u", "v = :version", **values)


def _count(key: StoredKey, update: Update, use: str, condition: str, **values: int) -> tuple[Count, ...]:
    try:
        updated = dynamo.update(
            settings().api_keys_table,
            {"id": key.id},
            f"SET {update.assignments}" + (f", {use}" if use else ""),
            returning="UPDATED_NEW",
            condition=f"{condition} AND {update.condition}",
            version=key.version,
            **values,
            **update.values,
        )
    except dynamo.ConditionFailed as refused:
        raise Refused(_state(refused.row) if refused.row else None) from None
    return update.after(updated, key.quotas)


# ── management ───────────────────────────────────────────────────────────────────────────────────────


def create(key: StoredKey, completing: Sequence[dynamo.TransactItem]) -> None:
    """Store a new key, together with what records the answer. Raises Conflict at the workspace's
    ceiling.
    """
    actions = [_counting(key.workspace_id), dynamo.put_action(*_new(key))]
    try:
        dynamo.transact([*actions, *completing])
    except dynamo.TransactionRefused as refused:
        if 0 in refused.failed:
            raise _ceiling("Revoke one first.") from None
        raise idempotency.still_running() from None


def get(workspace_id: str, key_id: ApiKeyId) -> StoredKey | None:
    """The workspace's key of that id."""
    row = dynamo.get(settings().api_keys_table, {"id": key_id})
    if row is None or row["workspaceId"] != workspace_id or _forgotten(row):
        return None
    return _key(row)


def page(workspace_id: str, *, limit: int, cursor: str | None) -> Page[StoredKey]:
    """The workspace's keys, newest first. The index holds ids only: use would rewrite anything
    more.
    """
    table = settings().api_keys_table
    found = dynamo.page(
        table,
        ("workspaceId", workspace_id),
        ("id", *ApiKeyId.range(None, None)),
        index="byWorkspace",
        limit=limit,
        cursor=cursor,
    )
    rows = dynamo.whole(table, found, "id", ConsistentRead=True)
    return rows.map(lambda row: None if _forgotten(row) else _key(row))


def revoke(key: StoredKey, version: int | None = None) -> None:
    """Revoke a key for good; its row stays listed for 30 days. A second time changes nothing.

    Raises KeyChanged when the key no longer has the scopes that it was read with, or is not at `version`, if one
    is given. Other edits don't matter: a key that keeps renaming itself can't hold up its revocation.
    """
    at_version = {} if version is None else {"version": version}
    try:
        _retire(
            key.id,
            "up = :now, v = v + :one, ",
            "attribute_not_exists(r) AND sc = :sc" + (" AND v = :version" if at_version else ""),
            now_ms(),
            sc=_terms(key.terms)["sc"],
            one=1,
            **at_version,
        )
    except dynamo.ConditionFailed as refused:
        if refused.row is None or "r" not in refused.row:
            raise KeyChanged from None
    else:
        with suppress(dynamo.Throttled):  # a crowd at the workspace's count: the schedule does it
            _count_out(key.workspace_id, key.id)


def change(old: StoredKey, new: StoredKey) -> StoredKey:
    """Store `new`, an edit of `old`: its name, scopes, limits and expiry. Raises KeyChanged."""
    edited = {"up": new.updated_ms, "v": new.version, **_terms(new.terms)}
    if new.terms.expires_ms != old.terms.expires_ms:  # else what is due stays due
        edited |= _due(new.terms.expires_ms, new.updated_ms)
    kept = {name: value for name, value in edited.items() if value is not None}
    gone = ", ".join(edited.keys() - kept.keys())
    try:
        row = dynamo.update(
            settings().api_keys_table,
            {"id": old.id},
            f"SET {', '.join(f'{name} = :{name}' for name in kept)}" + (f" REMOVE {gone}" if gone else ""),
            condition=_LIVE,
            version=old.version,
            now=new.updated_ms,
            **kept,
        )
    except dynamo.ConditionFailed as refused:
        # Our own write, whose answer was lost and which the client sent again?
        if refused.row is None or any(refused.row.get(name) != value for name, value in edited.items()):
            raise KeyChanged from None
        row = refused.row
    return _key(row)


def rotate(
    old: StoredKey,
    new: StoredKey,
    ends_ms: int,
    completing: Sequence[dynamo.TransactItem],
    carried: Sequence[Count] | None = None,
) -> None:
    """Store `new` and let `old` end at `ends_ms`; both count until then. Raises KeyChanged, and Conflict at the
    workspace's ceiling.

    `carried` is given when the key rotates itself: the counts that `new` begins with. If `old` has counted
    more when this is written, it raises KeyChanged.
    """
    now, at_once = new.updated_ms, ends_ms <= new.updated_ms
    ending: dict[str, Any] = {"x": ends_ms, "rt": new.id, "up": now, "v": old.version + 1}
    condition = ""
    counts: dict[str, int] = {}
    if carried is not None:
        ending["rs"] = 1
        condition, counts = _counted_at_most(old, carried)
    if at_once:
        ending |= {"r": now, "ttl": _listed_until(now)}
    elif ends_ms != old.terms.expires_ms:  # else what is due stays due
        ending |= _due(ends_ms, now)
    actions = [
        dynamo.update_action(
            settings().api_keys_table,
            {"id": old.id},
            "SET " + ", ".join(f"#{name} = :{name}" for name in ending) + (" REMOVE k, d" if at_once else ""),
            condition=_LIVE + condition,
            names={f"#{name}": name for name in ending},
            version=old.version,
            now=now,
            **ending,
            **counts,
        ),
        dynamo.put_action(*_new(new, carried or ())),
        *([] if at_once else [_counting(new.workspace_id)]),
    ]
    try:
        dynamo.transact([*actions, *completing])
    except dynamo.TransactionRefused as refused:
        if 0 in refused.failed:
            raise KeyChanged from None
        if 2 in refused.failed and not at_once:
            raise _ceiling("Revoke one first, or rotate with overlapSeconds 0.") from None
        raise idempotency.still_running() from None


# ── the schedule ─────────────────────────────────────────────────────────────────────────────────────


class DueKey(NamedTuple):
    """A key that the schedule has to look at, since `due_ms`."""

    key: StoredKey
    due_ms: int


def due(now: int) -> Iterator[DueKey]:
    """Keys that the schedule has to look at, as they stand now."""
    table = settings().api_keys_table
    found = dynamo.query(table, "k = :k AND d <= :now", index="due", k=0, now=now)
    while ids := [{"id": row["id"]} for row in islice(found, 100)]:
        for row in dynamo.get_many(table, ids, ConsistentRead=True):
            # The index lags: what it shows may have been done, or changed.
            if "d" in row and row["d"] <= now:
                yield DueKey(_key(row), row["d"])


def put_off(due: DueKey, now: int) -> bool:
    """What was due at `now` is done; the schedule looks at the key again when the next is. False when the key
    was edited or ended meanwhile, or another run was faster.
    """
    expires_ms = due.key.terms.expires_ms
    try:
        dynamo.update(
            settings().api_keys_table,
            {"id": due.key.id},
            "SET d = :d",
            returning="UPDATED_NEW",
            condition="d = :was AND x = :x AND attribute_not_exists(r)",
            d=expiry.next_due_ms(expires_ms, now),
            was=due.due_ms,
            x=expires_ms,
        )
    except dynamo.ConditionFailed:
        return False
    return True


def retire(key: StoredKey, now: int) -> bool:
    """End a key for good whose time is over, and count it out; only the latter for one that was revoked.
    False when another run was faster.
    """
    if key.retired_ms is None:
        try:
            _retire(key.id, "", "attribute_not_exists(r) AND x <= :now", now)
        except dynamo.ConditionFailed:
            return False
    return _count_out(key.workspace_id, key.id)


def _retire(key_id: ApiKeyId, setting: str, condition: str, now: int, **values: Any) -> None:
    """No clock that is late believes in the key any more, and TTL takes its row in the end. Until it is
    counted out, it is due. Raises ConditionFailed.
    """
    dynamo.update(
        settings().api_keys_table,
        {"id": key_id},
        f"SET {setting}r = :now, #ttl = :ttl, k = :k, d = :now",
        returning="UPDATED_NEW",
        condition=condition,
        names={"#ttl": "ttl"},
        now=now,
        ttl=_listed_until(now),
        k=0,
        **values,
    )


def _count_out(workspace_id: str, key_id: ApiKeyId) -> bool:
    """The ceiling counts an ended key no more. False when that was done before."""
    actions = [
        dynamo.update_action(
            settings().api_keys_table,
            {"id": key_id},
            "REMOVE k, d",
            condition="attribute_exists(r) AND attribute_exists(d)",
        ),
        dynamo.update_action(
            settings().api_keys_table, {"id": _count_id(workspace_id)}, "ADD n :less", less=-1
        ),
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionRefused:
        return False
    return True


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────


def _new(key: StoredKey, carried: Sequence[Count] = ()) -> tuple[str, dynamo.Row]:
    return settings().api_keys_table, _row(key) | _windows(key, carried)


def _counted_at_most(key: StoredKey, counts: Sequence[Count]) -> tuple[str, dict[str, int]]:
    """A condition to append to others, that the row's windows hold no more than `counts`, and its values."""
    values = _attributes(key, counts)
    known = [f"{name} {'=' if name[1] == 'w' else '<='} :{name}" for name in values]
    letters = [quota.window.letter for quota in key.quotas]
    never = [f"attribute_not_exists({letter}w)" for letter in letters if f"{letter}w" not in values]
    return "".join(f" AND {term}" for term in [*known, *never]), values


def _windows(key: StoredKey, counts: Sequence[Count]) -> dynamo.Row:
    """The windows of a new row that begins with `counts`, and the slot of the day that they count."""
    row: dynamo.Row = _attributes(key, counts)
    if "dw" in row:
        slot, values = _slot(row["dw"], 0)
        row[slot] = values["u"]
    return row


def _attributes(key: StoredKey, counts: Sequence[Count]) -> dict[str, int]:
    return {
        quota.window.letter + name: value
        for quota, count in zip(key.quotas, counts, strict=False)
        if count != NEVER
        for name, value in zip("wnp", count, strict=True)
    }


def _slot(day: int, requests: int = 0) -> tuple[str, dict[str, int]]:
    """The attribute that counts a day's requests, and its value `u` for that many requests."""
    return f"u{day % _RING}", {"u": day * _DAY_FACTOR + requests}


def _counting(workspace_id: str) -> dynamo.TransactItem:
    return dynamo.update_action(
        settings().api_keys_table,
        {"id": _count_id(workspace_id)},
        "ADD n :one",
        condition="attribute_not_exists(n) OR n < :most",
        one=1,
        most=settings().max_api_keys,
    )


def _ceiling(advice: str) -> Conflict:
    return Conflict(f"This workspace has {settings().max_api_keys} API keys, its ceiling. {advice}")


def _listed_until(ended_ms: int) -> int:
    return (ended_ms + _LISTED_AFTER_ITS_END_MS) // 1000


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────


def _row(key: StoredKey) -> dynamo.Row:
    """The row of a new key: without windows, ring and last use."""
    return {
        "id": key.id,
        "workspaceId": key.workspace_id,
        "sh": key.secret_hash,
        "sm": key.secret_mark,
        "by": key.created_by,
        "up": key.updated_ms,
        "rf": key.rotated_from,
        "v": key.version,
        "t": 0,
        **_terms(key.terms),
        **_due(key.terms.expires_ms, key.updated_ms),
    }


def _terms(terms: Terms) -> dynamo.Row:
    return {
        "nm": terms.name,
        "sc": " ".join(terms.scopes),
        "hl": terms.rate_limit_per_hour,
        "dl": terms.rate_limit_per_day,
        "x": terms.expires_ms,
    }


def _due(expires_ms: int | None, now: int) -> dynamo.Row:
    """What holds a key in the index `due`."""
    due_ms = expiry.next_due_ms(expires_ms, now)
    return {"k": None if due_ms is None else 0, "d": due_ms}


def _state(row: dynamo.Row) -> KeyState:
    key = _key(row)
    return KeyState(key, read(row, key.quotas))


def _key(row: dynamo.Row) -> StoredKey:
    slots = (divmod(row.get(f"u{at}", 0), _DAY_FACTOR) for at in range(_RING))
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
        secret_mark=row["sm"],
        created_by=row["by"],
        updated_ms=row["up"],
        rotated_from=ApiKeyId(row["rf"]) if "rf" in row else None,
        rotated_into=ApiKeyId(row["rt"]) if "rt" in row else None,
        rotated_itself="rs" in row,
        version=row["v"],
        retired_ms=row.get("r"),
        uses=row["t"],
        last_used_ms=row.get("lu"),
        daily={day: requests for day, requests in slots if day},
    )


def _forgotten(row: dynamo.Row) -> bool:
    """TTL deletes late, so a row past its time is taken for absent."""
    return "ttl" in row and row["ttl"] * 1000 <= now_ms()


def _count_id(workspace_id: str) -> str:
    return f"count#{workspace_id}"
