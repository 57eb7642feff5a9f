"""Creates, lists, updates, rotates and revokes the API keys of a workspace, and verifies keys for the
platform's own APIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pydantic.alias_generators import to_camel

from patchbay.activity.log import log_action
from patchbay.api_keys import guard, key_format, minting, policies, rotation, rotation_store, store
from patchbay.api_keys.models import (
    ApiKey,
    ApiKeyWithSecret,
    CallerKey,
    CreateApiKey,
    DailyUse,
    KeyStatus,
    RateLimit,
    RotateApiKey,
    UpdateApiKey,
    Usage,
    Verification,
    VerificationCode,
    VerifyApiKey,
)
from patchbay.api_keys.rotation import DefaultPolicy, Policy, RotationState, effective
from patchbay.api_keys.stored_key import StoredKey, Terms
from patchbay.api_model import Empty, LastError, Listing, ListQuery
from patchbay.auth.principal import KeyLimits, Principal
from patchbay.auth.scopes import PLATFORM_ONLY, check_spelling
from patchbay.clock import from_ms, iso, now_ms, to_ms
from patchbay.errors import Conflict, Forbidden, NotFound, ValidationFailed, check_version, write_conflict
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, NO_COUNT, Count, QuotaStatus, most_restrictive
from patchbay.settings import settings
from patchbay.storage import dynamo

if TYPE_CHECKING:
    from patchbay.activity.models import LogEntry, LogQuery
    from patchbay.idempotency import Once

_DAYS_SHOWN = 30
# A change requires the version that was read. If another change came first, the key is read again.
_TRIES = 3


def create(principal: Principal, body: CreateApiKey, once: Once | None = None) -> ApiKeyWithSecret:
    """Create a key. Only this response contains it.

    Raises Forbidden for scopes that the caller may not grant, and if the caller is itself a key, because the
    new key's own windows would lift the caller's limits. Raises ValidationFailed for a rotation whose target
    does not exist, and Conflict at the workspace's ceiling.
    """
    if principal.key is not None:
        raise Forbidden(
            "An API key cannot create API keys, because each new key would add its own rate limit. Use a "
            "user's token with the scope api-keys:write."
        )
    terms = Terms(
        name=body.name,
        scopes=tuple(body.scopes),
        rate_limit_per_hour=body.rate_limit_per_hour,
        rate_limit_per_day=body.rate_limit_per_day,
        expires_ms=None if body.expires_at is None else to_ms(body.expires_at),
    )
    _check_grants(principal, terms)
    policy = policies.resolve(principal, body.rotation, None)
    key, text = minting.mint(principal.workspace_id, principal.id, terms, None)
    state = _with_policy(key, None, policy) if policy is not None else None
    response = _with_secret(key, text, _Rotation.of(key, state))
    actions = [_log_action(principal, key, "api_key.created")]
    if state is not None:
        actions.append(rotation_store.put_action(state))
    store.create(key, [*actions, *([once.complete_action(response)] if once else [])])
    return response


def list_keys(principal: Principal, query: ListQuery) -> Listing[ApiKey]:
    """The workspace's keys, newest first, without their daily use. Ended keys stay listed for 30 days."""
    page = store.list_page(principal.workspace_id, limit=query.limit, cursor=query.cursor)
    states, default = rotation_store.get_many(principal.workspace_id, [key.id for key in page.items])
    now = now_ms()
    return Listing.from_page(
        page.map(lambda key: _to_response(key, _Rotation(states.get(key.id), default), now, daily=False))
    )


def get(principal: Principal, id: ApiKeyId) -> ApiKey:
    """One key. Raises NotFound, also for a key of another workspace."""
    key = _get_stored(principal, id)
    return _to_response(key, _Rotation.read(key), now_ms())


def describe_key(principal: Principal) -> CallerKey:
    """The calling API key. Reads its row."""
    stored = _get_stored(principal, ApiKeyId(principal.id))
    return CallerKey(
        id=stored.id,
        name=stored.terms.name,
        masked_key=key_format.mask(settings().api_key_prefix, stored.id),
        rate_limit_per_hour=stored.terms.rate_limit_per_hour,
        rate_limit_per_day=stored.terms.rate_limit_per_day,
        expires_at=None if stored.terms.expires_ms is None else from_ms(stored.terms.expires_ms),
    )


def revoke(principal: Principal, id: ApiKeyId, if_match: int | None = None) -> Empty:
    """Revoke a key: its next request is refused. A key that has ended does not change. A pending successor
    that was never used is revoked too; if that fails, the schedule does it.

    Raises NotFound, also for a key of another workspace; Forbidden if the key has more rights than the
    caller; PreconditionFailed if `if_match` is not the current version.
    """
    for _ in range(_TRIES):
        key = _get_stored(principal, id)
        if key.retired_ms is None:
            check_version("API key", key.version, if_match)
        _check_covers(principal, key)
        try:
            store.revoke(key, principal.id, if_match)
        except store.KeyChanged:
            continue
        _revoke_pending(principal, key)
        return Empty()
    raise write_conflict("API key")


def update(principal: Principal, id: ApiKeyId, body: UpdateApiKey, if_match: int | None = None) -> ApiKey:
    """Change the fields that `body` sets. The changes apply from the key's next request on, and also to a
    pending successor.

    Raises Forbidden if the key has, or would have, more rights than the caller, or if the caller is itself a
    key and would widen it or change its rotation; ValidationFailed for a new scope that is misspelled, for a
    rotation whose target does not exist, and for a new scope that the target would get without confirmation;
    Conflict if the key has ended; PreconditionFailed if `if_match` is not its current version.
    """
    for _ in range(_TRIES):
        key = _get_editable(principal, id, if_match)
        current = _Rotation.read(key)
        body.check_read_only(_to_response(key, current, now_ms()), key.version)
        _check_new_scopes(key.terms, body)
        terms = _edited(key.terms, body)
        policy = stored = current.own_policy
        if "rotation" in body.model_fields_set:
            policy = policies.resolve(principal, body.rotation, stored)
        if terms == key.terms and policy == stored:
            return _to_response(key, current, now_ms())
        if principal.key is not None:
            _check_only_narrows(key.terms, terms)
        _check_grants(principal, terms)
        _check_target_confirmed(key.terms, terms, policy, body)
        _check_pending_narrows(key, terms)
        new = replace(key, terms=terms, version=key.version + 1, updated_ms=now_ms())
        actions = [_log_action(principal, key, "api_key.updated", _changed_fields(key, new, policy, stored))]
        actions += _edit_pending_actions(current, key, new, policy)
        if policy != stored:
            current = current._replace(state=_with_policy(key, current.state, policy))
            actions += [rotation_store.put_action(state) for state in [current.state] if state is not None]
        try:
            store.change(key, new, actions)
        except store.KeyChanged:
            continue
        return _to_response(new, _Rotation.of(new, current.state), new.updated_ms)
    raise write_conflict("API key")


def rotate(
    principal: Principal,
    id: ApiKeyId,
    body: RotateApiKey,
    if_match: int | None = None,
    once: Once | None = None,
) -> ApiKeyWithSecret:
    """Create a new key with the terms of the old one, which keeps working for `overlapSeconds`.

    If the caller is a key, it can rotate only itself. Its successor starts with the requests that it has
    used, and until the old key ends, its requests also count in the successor's windows (`guard`). So a
    rotation gives no extra requests. The new key gets the policy of the old one. A pending successor ends
    with the old key.

    Raises Forbidden if the key has more rights than the caller, or if a calling key is not the key itself.
    Raises Conflict if the key has ended or was already rotated, if the key that it replaces still works, or
    if the workspace is at its ceiling; PreconditionFailed if `if_match` is not the key's current version.
    """
    used: tuple[Count, ...] = ()
    for _ in range(_TRIES):
        old = _get_editable(principal, id, if_match)
        if old.rotated_into is not None:
            raise Conflict(f"This API key was already rotated. Rotate the new key, {old.rotated_into}.")
        _check_grants(principal, old.terms)
        initial_counts: tuple[Count, ...] | None = None
        if principal.key is not None:
            _check_rotates_itself(principal, old)
            initial_counts, used = _initial_counts(old, used)
        new, text = minting.mint(principal.workspace_id, principal.id, old.terms, old.id)
        state = rotation_store.get(old.id)
        inherited = _inherited(new, state)
        response = _with_secret(new, text, _Rotation.of(new, inherited))
        ends_ms = new.updated_ms + body.overlap_seconds * 1000
        if old.terms.expires_ms is not None:
            ends_ms = min(ends_ms, old.terms.expires_ms)
        actions = [
            _log_action(principal, old, "api_key.rotated", f"into {new.id}; ends at {iso(from_ms(ends_ms))}"),
            _log_action(principal, new, "api_key.created", f"replaces {old.id}"),
            *([once.complete_action(response)] if once else []),
        ]
        try:
            policy_actions = _hand_on_actions(state, inherited, ends_ms, new.updated_ms)
            store.rotate(old, new, ends_ms, actions, initial_counts, policy_actions)
        except store.KeyChanged:
            continue
        return response
    raise write_conflict("API key")


def list_logs(principal: Principal, id: ApiKeyId, query: LogQuery) -> Listing[LogEntry]:
    """The activity log of a key, newest first, even if it is no longer listed. Raises NotFound."""
    # Imported here, so that functions that only authenticate keys do not load it.
    from patchbay.activity.service import list_entries

    return list_entries(principal.workspace_id, id, query, lambda: _get_stored(principal, id))


def verify(principal: Principal, body: VerifyApiKey) -> Verification:
    """Check a key that came with a request to one of the platform's own APIs, and count the cost if it is
    valid.

    The platform's workspace can verify every key. Other workspaces get NOT_FOUND for keys that are not
    theirs.
    """
    try:
        admitted = guard.admit(
            body.key,
            cost=body.cost,
            scopes=body.scopes,
            workspace_id=None if principal.is_platform else principal.workspace_id,
        )
    except guard.InvalidKey as error:
        key = error.key
        return Verification(
            valid=False,
            code=VerificationCode(error.reason),
            workspace_id=key.workspace_id if key else None,
            key_id=key.id if key else None,
        )
    except guard.InsufficientScopes as error:
        return _verification(VerificationCode.INSUFFICIENT_SCOPES, error.principal)
    except guard.KeyCostExceedsLimit as error:
        limit = _rate_limit(error.quota_status, None, allowed=False)
        return _verification(VerificationCode.COST_EXCEEDS_LIMIT, error.principal, limit)
    except guard.KeyRateLimited as error:
        limit = _rate_limit(most_restrictive(error.statuses), error.available_at_ms, allowed=False)
        return _verification(VerificationCode.RATE_LIMITED, error.principal, limit)
    status = most_restrictive(admitted.statuses)
    limit = _rate_limit(status, status.resets_ms, allowed=True)
    return _verification(VerificationCode.VALID, admitted.principal, limit)


# ── rotation by a policy ──────────────────────────────────────────────────────────────────────────────


class _Rotation(NamedTuple):
    """What a key's response shows about its rotation. The workspace's policy matters, and is read, only for a
    key without its own.
    """

    state: RotationState | None
    default: DefaultPolicy | None

    @classmethod
    def of(cls, key: StoredKey, state: RotationState | None) -> _Rotation:
        has_own = state is not None and state.policy is not None
        return cls(state, None if has_own else rotation_store.get_default(key.workspace_id))

    @classmethod
    def read(cls, key: StoredKey) -> _Rotation:
        return cls.of(key, rotation_store.get(key.id))

    @property
    def own_policy(self) -> Policy | None:
        return None if self.state is None else self.state.policy


def _with_policy(key: StoredKey, state: RotationState | None, policy: Policy | None) -> RotationState:
    """The state with another policy. The next run processes it, and abandons a successor that is pending for
    another target.
    """
    state = state or RotationState(key_id=key.id, workspace_id=key.workspace_id)
    return replace(state, policy=policy, failure=None, due_ms=now_ms())


def _inherited(new: StoredKey, state: RotationState | None) -> RotationState | None:
    """The rotation of a successor, if the old key had its own policy."""
    if state is None or state.policy is None:
        return None
    return _with_policy(new, None, state.policy)


def _pending_successor(state: RotationState | None) -> StoredKey | None:
    """The pending successor, if it still works."""
    if state is None or state.pending is None:
        return None
    successor = store.get(state.workspace_id, state.pending.successor)
    return None if successor is None or successor.has_ended(now_ms()) else successor


def _edit_pending_actions(
    current: _Rotation, old: StoredKey, new: StoredKey, policy: Policy | None
) -> list[dynamo.TransactItem]:
    """Make the same edit to a pending successor. A successor that was edited separately, or that a former
    target may have, gets only what narrows it. `policy` is the key's own after the edit.
    """
    successor = _pending_successor(current.state)
    if current.state is None or current.state.pending is None or successor is None:
        return []
    applies = effective(replace(current.state, policy=policy), rotation_store.get_default(old.workspace_id))
    has_target = applies is not None and applies.target == current.state.pending.target
    terms = new.terms
    if not has_target or successor.terms != old.terms:
        terms = _narrowed(successor.terms, new.terms)
    if terms == successor.terms:
        return []
    edited = replace(successor, terms=terms, version=successor.version + 1, updated_ms=new.updated_ms)
    return [store.edit_action(successor, edited)]


def _narrowed(terms: Terms, bounds: Terms) -> Terms:
    """The terms, reduced to what the `bounds` allow."""
    ends = [at_ms for at_ms in (terms.expires_ms, bounds.expires_ms) if at_ms is not None]
    return terms._replace(
        scopes=tuple(scope for scope in terms.scopes if scope in bounds.scopes),
        rate_limit_per_hour=min(terms.rate_limit_per_hour, bounds.rate_limit_per_hour),
        rate_limit_per_day=min(terms.rate_limit_per_day, bounds.rate_limit_per_day),
        expires_ms=min(ends, default=None),
    )


def _check_pending_narrows(key: StoredKey, terms: Terms) -> None:
    """Raises Conflict if a successor whose delivery is pending would get more rights. Its target may not be
    entitled to them (`_check_target_confirmed`).
    """
    if key.rotated_from is None or _narrowed(terms, key.terms) == terms:
        return
    state = rotation_store.get(key.rotated_from)
    if state is not None and state.pending is not None and state.pending.successor == key.id:
        raise Conflict(
            "This API key is not delivered yet, so you can only remove scopes and lower limits. To change "
            f"both keys, change the key that it replaces, {key.rotated_from}."
        )


def _hand_on_actions(
    state: RotationState | None, inherited: RotationState | None, ends_ms: int, now: int
) -> list[dynamo.TransactItem]:
    """Move the policy of a key to its new successor. A pending successor ends with the key at `ends_ms`."""
    actions = [] if state is None else [rotation_store.delete_action(state)]
    if inherited is not None:
        actions.append(rotation_store.put_action(inherited))
    successor = _pending_successor(state)
    if successor is not None and (successor.terms.expires_ms or ends_ms) >= ends_ms:
        terms = successor.terms._replace(expires_ms=ends_ms)
        ended = replace(successor, terms=terms, version=successor.version + 1, updated_ms=now)
        actions.append(store.edit_action(successor, ended))
    return actions


def _revoke_pending(principal: Principal, key: StoredKey) -> None:
    """Revoke the pending successor of a revoked key, unless it was used and so has replaced the key."""
    successor = _pending_successor(rotation_store.get(key.id))
    if successor is not None:
        with suppress(store.KeyChanged):
            store.revoke(successor, principal.id, only_unused=True)


def _check_target_confirmed(old: Terms, new: Terms, policy: Policy | None, body: UpdateApiKey) -> None:
    """Raises ValidationFailed if a key gets a scope that the target of its successors would get without the
    consent of the user who adds it. The target may belong to someone who does not have this scope.
    """
    added = set(new.scopes) - set(old.scopes)
    if not added or policy is None or policy.target is None:
        return
    if "rotation" not in body.model_fields_set or not policies.is_confirmed(body.rotation):
        raise ValidationFailed.for_field(
            "rotation",
            f"the rotated keys are delivered to {policy.target.id}, which would get {min(added)}: to "
            "confirm, also send rotation without pin, or set deliverTo to null",
        )


# ── permissions of the caller ────────────────────────────────────────────────────────────────────────


def _get_editable(principal: Principal, id: ApiKeyId, if_match: int | None) -> StoredKey:
    """The key, if it is active and the caller may change it."""
    key = _get_stored(principal, id)
    check_version("API key", key.version, if_match)
    if principal.key is not None and principal.id == key.id and principal.key.version != key.version:
        # The calling key was changed after it was admitted, and must not undo that change.
        raise write_conflict("API key")
    status = _status(key, now_ms())
    if status is not KeyStatus.ACTIVE:
        raise Conflict(f"This API key is {status} and cannot be changed. Create a new one.")
    _check_covers(principal, key)
    return key


def _check_covers(principal: Principal, key: StoredKey) -> None:
    """Raises Forbidden if the key has more rights than the caller. (Scopes reserved for the platform's
    workspace are void elsewhere, so they do not matter there.)
    """
    void = frozenset() if principal.is_platform else PLATFORM_ONLY
    scopes = tuple(scope for scope in key.terms.scopes if scope not in void)
    _check_grants(principal, key.terms._replace(scopes=scopes))


def _check_grants(principal: Principal, terms: Terms) -> None:
    """Raises Forbidden if the terms exceed the caller's own rights."""
    for scope in terms.scopes:
        if not principal.can_grant(scope):
            raise Forbidden(
                f"Your credentials do not have the scope {scope}, so they cannot create, change, rotate or "
                "revoke a key that has it."
            )
        if scope in PLATFORM_ONLY and not principal.is_platform:
            raise Forbidden(f"Only the platform's own workspace can have the scope {scope}.")
    if principal.key is not None:
        _check_within_limits(principal.key, terms)


def _check_within_limits(limits: KeyLimits, terms: Terms) -> None:
    if terms.rate_limit_per_hour > limits.rate_limit_per_hour:
        raise _exceeds_limit("rateLimitPerHour", str(limits.rate_limit_per_hour))
    if terms.rate_limit_per_day > limits.rate_limit_per_day:
        raise _exceeds_limit("rateLimitPerDay", str(limits.rate_limit_per_day))
    if limits.expires_at and (terms.expires_ms is None or terms.expires_ms > to_ms(limits.expires_at)):
        raise _exceeds_limit("expiresAt", iso(limits.expires_at))


def _exceeds_limit(name: str, value: str) -> Forbidden:
    return Forbidden(
        f"Your API key has {name} {value}, so it cannot change, rotate or revoke a key with a higher limit. "
        "Use a user's token with the scope api-keys:write."
    )


def _check_only_narrows(old: Terms, new: Terms) -> None:
    """Raises Forbidden if the new terms are wider: a calling key could use whatever it added to a key."""
    if added := set(new.scopes) - set(old.scopes):
        raise _cannot_widen(f"add the scope {min(added)}")
    if new.rate_limit_per_hour > old.rate_limit_per_hour:
        raise _cannot_widen(f"exceed rateLimitPerHour {old.rate_limit_per_hour}")
    if new.rate_limit_per_day > old.rate_limit_per_day:
        raise _cannot_widen(f"exceed rateLimitPerDay {old.rate_limit_per_day}")
    if old.expires_ms is not None and (new.expires_ms is None or new.expires_ms > old.expires_ms):
        raise _cannot_widen(f"exceed expiresAt {iso(from_ms(old.expires_ms))}")


def _cannot_widen(attempt: str) -> Forbidden:
    return Forbidden(
        f"An API key cannot {attempt}, because an API key can only remove scopes and lower limits. Use a "
        "user's token with the scope api-keys:write."
    )


def _check_rotates_itself(principal: Principal, old: StoredKey) -> None:
    if principal.id != old.id:
        raise Forbidden(
            "An API key can rotate only itself. To rotate another key, use a user's token with the scope "
            "api-keys:write."
        )
    predecessor = None if old.rotated_from is None else store.get(old.workspace_id, old.rotated_from)
    if predecessor is None or not predecessor.rotated_itself or predecessor.has_ended(now_ms()):
        return
    expires_ms = predecessor.terms.expires_ms
    raise Conflict(
        f"{predecessor.id}, which this API key replaces, still works. Revoke it, or wait until it ends"
        + (f" at {iso(from_ms(expires_ms))}." if expires_ms is not None else ".")
    )


def _initial_counts(
    key: StoredKey, last_used: Sequence[Count]
) -> tuple[tuple[Count, ...], tuple[Count, ...]]:
    """The initial counts of the successor of a key that rotates itself, and the key's own current counts.

    `last_used` are the key's counts at the previous try, which failed because of requests since it read them.
    So this try allows for twice as many requests, and counts them in advance.
    """
    state = store.get_state(key.id)
    used = state.counts if state is not None else tuple(NO_COUNT for _ in key.quotas)
    increases = [
        2 * (count.current - last.current) if count.number == last.number else 0
        for count, last in zip(used, last_used or used, strict=True)
    ]
    allowance = max(increases, default=0)
    return tuple(
        count
        if count == NO_COUNT
        else count._replace(current=min(count.current + allowance, max(quota.limit, count.current)))
        for quota, count in zip(key.quotas, used, strict=True)
    ), used


# ── conversions ──────────────────────────────────────────────────────────────────────────────────────


def _with_secret(key: StoredKey, text: str, current: _Rotation) -> ApiKeyWithSecret:
    """The response that contains a new key."""
    return ApiKeyWithSecret(**dict(_to_response(key, current, now_ms())), key=text)


def _check_new_scopes(terms: Terms, body: UpdateApiKey) -> None:
    """Raises ValidationFailed for misspelled scopes, except those that the key already has."""
    for index, scope in enumerate(body.scopes):
        if scope not in terms.scopes:
            try:
                check_spelling(scope)
            except ValueError as error:
                raise ValidationFailed.for_field(f"scopes.{index}", str(error)) from None


def _edited(terms: Terms, body: UpdateApiKey) -> Terms:
    """The terms after an edit."""
    sent = body.model_fields_set
    changes = {name: getattr(body, name) for name in sent - {"scopes", "expires_at", "rotation"}}
    if "scopes" in sent:
        changes["scopes"] = tuple(dict.fromkeys(body.scopes))
    if "expires_at" in sent:
        changes["expires_ms"] = None if body.expires_at is None else to_ms(body.expires_at)
    return terms._replace(**changes)


def _changed_fields(old: StoredKey, new: StoredKey, policy: Policy | None, stored: Policy | None) -> str:
    """The fields that differ, by their names in the API."""
    pairs = zip(Terms._fields, old.terms, new.terms, strict=True)
    names = [name for name, before, after in pairs if before != after]
    names += ["rotation"] if policy != stored else []
    return ", ".join("expiresAt" if name == "expires_ms" else to_camel(name) for name in names)


def _log_action(
    principal: Principal, key: StoredKey, action: str, detail: str | None = None
) -> dynamo.TransactItem:
    """An entry of the key's activity log, for the transaction that changes the key."""
    return log_action(key.workspace_id, key.id, action, principal.id, detail)


def _rate_limit(status: QuotaStatus, reset_ms: int | None, *, allowed: bool) -> RateLimit:
    return RateLimit(
        allowed=allowed,
        limit=status.quota.limit,
        remaining=status.remaining,
        reset_at=None if reset_ms is None else from_ms(reset_ms),
    )


def _verification(
    code: VerificationCode, principal: Principal, rate_limit: RateLimit | None = None
) -> Verification:
    return Verification(
        valid=code is VerificationCode.VALID,
        code=code,
        workspace_id=principal.workspace_id,
        key_id=ApiKeyId(principal.id),
        scopes=sorted(principal.scopes),
        rate_limit=rate_limit,
    )


def _get_stored(principal: Principal, id: ApiKeyId) -> StoredKey:
    key = store.get(principal.workspace_id, id)
    if key is None:
        raise NotFound("No API key with this ID.")
    return key


def _to_response(key: StoredKey, current: _Rotation, now: int, *, daily: bool = True) -> ApiKey:
    today = now // DAY.length_ms
    next_ms = rotation.next_rotation_ms(key, effective(*current), now)
    failure = current.state.failure if current.state is not None else None
    return ApiKey(
        id=key.id,
        name=key.terms.name,
        masked_key=key_format.mask(settings().api_key_prefix, key.id),
        scopes=list(key.terms.scopes),
        status=_status(key, now),
        rate_limit_per_hour=key.terms.rate_limit_per_hour,
        rate_limit_per_day=key.terms.rate_limit_per_day,
        expires_at=None if key.terms.expires_ms is None else from_ms(key.terms.expires_ms),
        last_used_at=None if key.last_used_ms is None else from_ms(key.last_used_ms),
        usage=Usage(
            total=key.uses,
            today=key.daily.get(today, 0),
            daily=[
                DailyUse(date=from_ms(day * DAY.length_ms).date(), count=key.daily.get(day, 0))
                for day in range(today - _DAYS_SHOWN + 1, today + 1)
            ]
            if daily
            else None,
        ),
        created_by=key.created_by,
        rotation=policies.shown(current.own_policy),
        next_rotation_at=None if next_ms is None else from_ms(next_ms),
        last_error=None
        if failure is None
        else LastError(code=failure.code, detail=failure.detail, at=from_ms(failure.at_ms)),
        rotated_from=key.rotated_from,
        created_at=from_ms(key.id.time_ms),
        updated_at=from_ms(key.updated_ms),
        version=key.version,
    )


def _status(key: StoredKey, now: int) -> KeyStatus:
    if key.is_revoked:
        return KeyStatus.REVOKED
    return KeyStatus.EXPIRED if key.has_ended(now) else KeyStatus.ACTIVE
