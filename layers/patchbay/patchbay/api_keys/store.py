"""The ApiKeys table: a row per key, which also counts its use, and `count#<workspace>` with how
many live keys a workspace has (without the index's attribute, so no list shows it).

A request is one write to its key's row, and a write costs by the row's size: names are short, and
nothing grows with time. 60 days of use take under 700 bytes with a usual name and scopes.

    id, workspaceId
    nm  name                 v   version             hw hn hp  the hour's window
    sc  scopes               r   revoked at          dw dn dp  the day's; its number is the UTC day
    hl  limit an hour        x   expires at          u0 … u30  requests of a day, at day modulo 31
    dl  limit a day          up  updated at          t         requests in all
    sh  hash of the secret   by  created by          lu        last used at
    sm  mark of the secret   rf  rotated from        ttl

Times are Unix milliseconds (`ttl`: seconds). A slot of u is day × 10⁸ + count, so that what it held
31 days before is not taken for today's. Windows: rate_limits.sliding_window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from patchbay import dynamo, idempotency
from patchbay.api_keys.stored_key import KeyState, StoredKey
from patchbay.errors import Conflict
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, Count, Update, read
from patchbay.schema import now_ms
from patchbay.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_RING = 31
# Above MAX_PER_DAY, which no day's count passes.
_DAY_FACTOR = 10**8
_LISTED_AFTER_REVOCATION_MS = 30 * DAY.length_ms


class Refused(Exception):
    """A request was not counted. `state` is what stands in the row, None where none does."""

    def __init__(self, state: KeyState | None) -> None:
        super().__init__("the key's row does not admit the request")
        self.state = state


# ── one request ──────────────────────────────────────────────────────────────────────────────────────


def state(key_id: ApiKeyId) -> KeyState | None:
    """A key and its counts, strongly consistent."""
    row = dynamo.get(settings().api_keys_table, {"id": key_id})
    return _state(row) if row else None


def count(key: StoredKey, update: Update, now: int) -> tuple[Count, ...]:
    """Count a request: only if the row is at the key's version, not revoked, not expired, and
    `update` says that its windows have room. Returns their counts. Raises Refused.
    """
    day = update.numbers[1]
    slot = f"u{day % _RING}"
    # The day's first request moves its window, so the slot is known to be today's from then on.
    if update.fresh[1]:
        values = {"u": day * _DAY_FACTOR + update.values["cost"]}
        use = f"{slot} = :u"
    else:
        values = {}
        use = f"{slot} = {slot} + :cost"
    try:
        updated = dynamo.update(
            settings().api_keys_table,
            {"id": key.id},
            f"SET {update.assignments}, {use}, t = t + :cost, lu = :now",
            returning="UPDATED_NEW",
            condition="v = :v AND attribute_not_exists(r) AND (attribute_not_exists(x) OR x > :now)"
            f" AND {update.condition}",
            v=key.version,
            now=now,
            **values,
            **update.values,
        )
    except dynamo.ConditionFailed as refused:
        raise Refused(_state(refused.row) if refused.row else None) from None
    return update.after(updated, key.quotas)


# ── management ───────────────────────────────────────────────────────────────────────────────────────


def create(key: StoredKey, completing: Sequence[TransactWriteItemTypeDef]) -> None:
    """Store a new key, together with what records the answer. Raises Conflict at the workspace's
    ceiling.
    """
    table, most = settings().api_keys_table, settings().max_api_keys
    actions = [
        dynamo.updating(
            table,
            {"id": _count_id(key.workspace_id)},
            "ADD n :one",
            condition="attribute_not_exists(n) OR n < :most",
            one=1,
            most=most,
        ),
        dynamo.putting(table, _row(key), condition="attribute_not_exists(id)"),
    ]
    try:
        dynamo.transact([*actions, *completing])
    except dynamo.TransactionRefused as refused:
        if 0 in refused.failed:
            raise Conflict(f"This workspace has {most} API keys, its ceiling. Revoke one first.") from None
        raise idempotency.still_running() from None


def get(workspace_id: str, key_id: ApiKeyId) -> StoredKey | None:
    """The workspace's key of that id."""
    row = dynamo.get(settings().api_keys_table, {"id": key_id})
    if row is None or row["workspaceId"] != workspace_id or _forgotten(row):
        return None
    return _key(row)


class KeyPage(NamedTuple):
    """Some keys, and where the next page begins (None at the end)."""

    keys: list[StoredKey]
    next_cursor: str | None


def page(workspace_id: str, *, limit: int, cursor: str | None) -> KeyPage:
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
    ids = [{"id": row["id"]} for row in found.rows]
    rows = sorted(dynamo.get_many(table, ids, ConsistentRead=True), key=lambda row: row["id"], reverse=True)
    return KeyPage([_key(row) for row in rows if not _forgotten(row)], found.next_cursor)


def revoke(workspace_id: str, key_id: ApiKeyId, version: int | None = None) -> bool:
    """Revoke a key for good; its row stays listed for 30 days. Again changes nothing. False when
    the workspace has no such key. Raises Conflict when the key is not at `version`, if one is given.
    """
    table, now = settings().api_keys_table, now_ms()
    at_version = {} if version is None else {"version": version}
    actions = [
        dynamo.updating(
            table,
            {"id": key_id},
            "SET r = :now, up = :now, v = v + :one, #ttl = :ttl",
            condition="workspaceId = :workspace AND attribute_not_exists(r)"
            + (" AND v = :version" if at_version else ""),
            names={"#ttl": "ttl"},
            workspace=workspace_id,
            now=now,
            one=1,
            ttl=(now + _LISTED_AFTER_REVOCATION_MS) // 1000,
            **at_version,
        ),
        dynamo.updating(table, {"id": _count_id(workspace_id)}, "ADD n :less", less=-1),
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionRefused as refused:
        row = refused.rows[0]
        if row is None or row["workspaceId"] != workspace_id or _forgotten(row):
            return False
        if "r" not in row:
            raise Conflict(
                f"The API key is at version {row['v']}, not {version}. Read it again, then repeat."
            ) from None
    return True


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────


def _row(key: StoredKey) -> dynamo.Row:
    """The row of a key that was never used: without windows, ring and last use."""
    return {
        "id": key.id,
        "workspaceId": key.workspace_id,
        "nm": key.name,
        "sc": " ".join(key.scopes),
        "hl": key.rate_limit_per_hour,
        "dl": key.rate_limit_per_day,
        "sh": key.secret_hash,
        "sm": key.secret_mark,
        "by": key.created_by,
        "up": key.updated_ms,
        "x": key.expires_ms,
        "rf": key.rotated_from,
        "v": key.version,
        "t": 0,
    }


def _state(row: dynamo.Row) -> KeyState:
    key = _key(row)
    return KeyState(key, read(row, key.quotas))


def _key(row: dynamo.Row) -> StoredKey:
    slots = (divmod(row.get(f"u{at}", 0), _DAY_FACTOR) for at in range(_RING))
    return StoredKey(
        id=ApiKeyId(row["id"]),
        workspace_id=row["workspaceId"],
        name=row["nm"],
        scopes=tuple(row["sc"].split()),
        rate_limit_per_hour=row["hl"],
        rate_limit_per_day=row["dl"],
        secret_hash=row["sh"],
        secret_mark=row["sm"],
        created_by=row["by"],
        updated_ms=row["up"],
        expires_ms=row.get("x"),
        rotated_from=ApiKeyId(row["rf"]) if "rf" in row else None,
        version=row["v"],
        revoked_ms=row.get("r"),
        uses=row["t"],
        last_used_ms=row.get("lu"),
        daily={day: requests for day, requests in slots if day},
    )


def _forgotten(row: dynamo.Row) -> bool:
    """TTL deletes late, so a row past its time is taken for absent."""
    return "ttl" in row and row["ttl"] * 1000 <= now_ms()


def _count_id(workspace_id: str) -> str:
    return f"count#{workspace_id}"
