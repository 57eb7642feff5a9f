"""The rows of rotations in the ApiKeys table. They are not part of the keys' rows, because each request
writes its key's row, and pays for its size.

    rotation#<key_…>                          default#<workspace>: the policy of its keys
        workspaceId, rv  version of the row       the same
        ev  every days; 0: opted out              ev ov to pn
        ov  overlap seconds                       k d  always 1; when its keys are checked next
        to  target: whk_… or an ARN
        pn  pin of the target
        su  pending successor    ct  its key, encrypted    st sp  the target it is for, and its pin
        n   last reminder        fc fd fa fn  failure: code, detail, at, announced at
        k d  always 1; when it is checked next

Every write of such a row requires the version that was read. What changes of the key itself must notice (a
new policy, the start and the end of a rotation) also increments the key's version in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from patchbay.activity.log import SYSTEM, log_action
from patchbay.api_keys import announcements, expiry, store
from patchbay.api_keys.rotation import DefaultPolicy, Failure, Pending, Policy, RotationState, Target
from patchbay.api_keys.stored_key import StoredKey
from patchbay.clock import from_ms, iso
from patchbay.ids import ApiKeyId
from patchbay.settings import settings
from patchbay.storage import dynamo

_KEY = "rotation#"
_DEFAULT = "default#"


class StateChanged(Exception):
    """The rotation, its key or the workspace's policy was changed since it was read."""


# ── reads ────────────────────────────────────────────────────────────────────────────────────────────


def get(key_id: ApiKeyId) -> RotationState | None:
    """The rotation of a key, strongly consistent. Read the key's row first."""
    row = dynamo.get(settings().api_keys_table, {"id": _row_id(key_id)})
    return None if row is None else _from_row(row)


def get_default(workspace_id: str) -> DefaultPolicy | None:
    """The policy of a workspace."""
    row = dynamo.get(settings().api_keys_table, {"id": f"{_DEFAULT}{workspace_id}"})
    return None if row is None else _default_from_row(row)


def get_many(
    workspace_id: str, key_ids: Sequence[ApiKeyId]
) -> tuple[dict[ApiKeyId, RotationState], DefaultPolicy | None]:
    """The rotations of several keys of a workspace, and its policy."""
    keys = [{"id": _row_id(id)} for id in key_ids]
    rows = dynamo.get_many(
        settings().api_keys_table, [*keys, {"id": f"{_DEFAULT}{workspace_id}"}], consistent=True
    )
    defaults = [row for row in rows if row["id"].startswith(_DEFAULT)]
    states = [_from_row(row) for row in rows if row["id"].startswith(_KEY)]
    return (
        {state.key_id: state for state in states},
        _default_from_row(defaults[0]) if defaults else None,
    )


def list_due(now: int, most: int) -> tuple[list[RotationState], list[DefaultPolicy]]:
    """The rotations and the workspaces' policies that are due at `now`, at most `most`, longest overdue
    first.
    """
    table = settings().api_keys_table
    found = dynamo.query(table, "k = :k AND d <= :now", index="due", k=1, now=now)
    ids = [{"id": row["id"]} for row in islice(found, most)]
    rows = [row for row in dynamo.get_many(table, ids, consistent=True) if row.get("d", now + 1) <= now]
    rows.sort(key=lambda row: int(row["d"]))
    return (
        [_from_row(row) for row in rows if row["id"].startswith(_KEY)],
        [_default_from_row(row) for row in rows if row["id"].startswith(_DEFAULT)],
    )


def iter_active(workspace_id: str, now: int) -> Iterator[tuple[StoredKey, RotationState | None]]:
    """The keys of a workspace that have not ended, each with its rotation."""
    table = settings().api_keys_table
    found = dynamo.query(
        table,
        "workspaceId = :workspace AND begins_with(id, :prefix)",
        index="byWorkspace",
        attributes=("id",),
        workspace=workspace_id,
        prefix=f"{ApiKeyId.prefix}_",
    )
    while ids := [ApiKeyId(row["id"]) for row in islice(found, 50)]:
        keys = [{"id": id} for id in ids] + [{"id": _row_id(id)} for id in ids]
        rows = {row["id"]: row for row in dynamo.get_many(table, keys, consistent=True)}
        for id in ids:
            key = store.from_row(rows[id]) if id in rows else None
            if key is not None and not key.has_ended(now):
                state = rows.get(_row_id(id))
                yield key, None if state is None else _from_row(state)


# ── parts of a transaction ───────────────────────────────────────────────────────────────────────────


def put_action(state: RotationState) -> dynamo.TransactItem:
    """Replace the stored state, which must still have the version of `state`."""
    row = _to_row(replace(state, version=state.version + 1))
    return _put_action(row, state.version)


def delete_action(state: RotationState) -> dynamo.TransactItem:
    return _delete_action(_row_id(state.key_id), state.version)


def default_action(
    workspace_id: str, old: DefaultPolicy | None, policy: Policy | None, now: int
) -> dynamo.TransactItem | None:
    """Replace the policy `old` of a workspace, or delete it. The next run checks its keys."""
    if policy is None:
        return None if old is None else _delete_action(f"{_DEFAULT}{workspace_id}", old.version)
    seen = 0 if old is None else old.version
    return _put_action(_default_to_row(DefaultPolicy(workspace_id, policy, now, seen + 1)), seen)


# ── the schedule ─────────────────────────────────────────────────────────────────────────────────────


def write(state: RotationState, extra_actions: Sequence[dynamo.TransactItem] = ()) -> RotationState:
    """Store a state, in one transaction with `extra_actions`. Returns it with its new version. Raises
    StateChanged.
    """
    _transact([put_action(state), *extra_actions])
    return replace(state, version=state.version + 1)


def forget(state: RotationState) -> None:
    """Delete a state, if it is stored. Raises StateChanged."""
    if state.version:
        _transact([delete_action(state)])


def write_default(default: DefaultPolicy, due_ms: int) -> None:
    """Record when a workspace's keys are checked next. Raises StateChanged."""
    row = _default_to_row(default._replace(due_ms=due_ms, version=default.version + 1))
    _transact([_put_action(row, default.version)])


def start(key: StoredKey, successor: StoredKey, state: RotationState) -> RotationState:
    """Store a pending successor, whose encrypted key is in `state`. The key keeps working, and its expiry
    stays. Raises StateChanged, or Conflict at the workspace's ceiling.
    """
    actions = [
        _edit_key_action(key, successor.updated_ms),
        put_action(state),
        store.count_action(key.workspace_id),
        store.put_action(successor),
        log_action(key.workspace_id, successor.id, "api_key.created", SYSTEM, f"replaces {key.id}"),
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionCanceled as error:
        if {0, 1}.intersection(error.failed):
            raise StateChanged from None
        raise store.at_ceiling("Revoke one first.") from None
    return replace(state, version=state.version + 1)


def complete(
    key: StoredKey | None,
    successor: StoredKey,
    state: RotationState,
    inherited: RotationState | None,
    overlap_seconds: int,
    now: int,
) -> None:
    """Let a key end after the overlap, because its successor was accepted, announce it, and forget the
    encrypted key. `inherited` is the successor's own rotation, if it gets one. Raises StateChanged.
    """
    actions = [delete_action(state), *([] if inherited is None else [put_action(inherited)])]
    if key is not None and not key.has_ended(now):
        ends_ms = now + overlap_seconds * 1000
        if key.terms.expires_ms is not None:
            ends_ms = min(ends_ms, key.terms.expires_ms)
        detail = f"into {successor.id}; ends at {iso(from_ms(ends_ms))}"
        actions += [
            _edit_key_action(key, now, x=ends_ms, rt=successor.id),
            announcements.rotated(key, successor, ends_ms),
            log_action(key.workspace_id, key.id, "api_key.rotated", SYSTEM, detail),
        ]
    _transact(actions)


def _edit_key_action(key: StoredKey, now: int, **ends: int | str) -> dynamo.TransactItem:
    """Increment the version of an active key that was not rotated, and let it end if `ends` says so. An end
    at the current time counts as an expiry, so the next run of the schedule retires the key.
    """
    edited: dict[str, int | str | None] = {"up": now, "v": key.version + 1, **ends}
    if "x" in ends and ends["x"] != key.terms.expires_ms:  # otherwise, pending notices stay due
        edited |= {"k": 0, "d": expiry.next_due_ms(int(ends["x"]), now)}
    return dynamo.update_action(
        settings().api_keys_table,
        {"id": key.id},
        "SET " + ", ".join(f"{name} = :{name}" for name in edited),
        condition=f"{store.IS_ACTIVE} AND attribute_not_exists(rt)",
        version=key.version,
        names=None,
        now=now,
        **edited,
    )


def _transact(actions: Sequence[dynamo.TransactItem]) -> None:
    try:
        dynamo.transact(actions)
    except dynamo.TransactionCanceled:
        raise StateChanged from None


def _put_action(row: dynamo.Row, seen: int) -> dynamo.TransactItem:
    table = settings().api_keys_table
    if not seen:
        return dynamo.put_action(table, row, condition="attribute_not_exists(id)")
    return dynamo.put_action(table, row, condition="rv = :seen", seen=seen)


def _delete_action(id: str, seen: int) -> dynamo.TransactItem:
    return dynamo.delete_action(settings().api_keys_table, {"id": id}, condition="rv = :seen", seen=seen)


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────


def _row_id(key_id: ApiKeyId) -> str:
    return f"{_KEY}{key_id}"


def _to_row(state: RotationState) -> dynamo.Row:
    row: dynamo.Row = {
        "id": _row_id(state.key_id),
        "workspaceId": state.workspace_id,
        "rv": state.version,
        "n": state.reminded,
        **_due_to_row(state.due_ms),
    }
    if state.policy is not None:
        row |= _policy_to_row(state.policy)
    if state.pending is not None:
        successor, sealed, target = state.pending
        row |= {"su": successor, "ct": sealed, "st": target.id, "sp": target.pin}
    if state.failure is not None:
        code, detail, at, announced = state.failure
        row |= {"fc": code, "fd": detail, "fa": at, "fn": announced}
    return row


def _from_row(row: dynamo.Row) -> RotationState:
    return RotationState(
        key_id=ApiKeyId(row["id"].removeprefix(_KEY)),
        workspace_id=row["workspaceId"],
        policy=_policy_from_row(row) if "ev" in row else None,
        pending=Pending(ApiKeyId(row["su"]), row["ct"], Target(row["st"], row.get("sp")))
        if "su" in row
        else None,
        failure=Failure(row["fc"], row["fd"], row["fa"], row["fn"]) if "fc" in row else None,
        reminded=row.get("n"),
        due_ms=row.get("d"),
        version=row["rv"],
    )


def _default_to_row(default: DefaultPolicy) -> dynamo.Row:
    return {
        "id": f"{_DEFAULT}{default.workspace_id}",
        "workspaceId": default.workspace_id,
        "rv": default.version,
        **_policy_to_row(default.policy),
        **_due_to_row(default.due_ms),
    }


def _default_from_row(row: dynamo.Row) -> DefaultPolicy:
    return DefaultPolicy(row["workspaceId"], _policy_from_row(row), row["d"], row["rv"])


def _due_to_row(due_ms: int | None) -> dynamo.Row:
    return {"k": None if due_ms is None else 1, "d": due_ms}


def _policy_to_row(policy: Policy) -> dynamo.Row:
    target = policy.target
    return {
        "ev": policy.every_days or 0,
        "ov": policy.overlap_seconds,
        "to": None if target is None else target.id,
        "pn": None if target is None else target.pin,
    }


def _policy_from_row(row: dynamo.Row) -> Policy:
    target = Target(row["to"], row.get("pn")) if "to" in row else None
    return Policy(row["ev"] or None, row["ov"], target)
