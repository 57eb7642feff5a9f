"""API keys of a workspace: create, show, change, rotate, revoke; and verify, for the platform's own APIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from patchbay.api_keys import guard, hashing, key_format, store
from patchbay.api_keys.models import (
    ApiKey,
    ApiKeyWithSecret,
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
from patchbay.api_keys.stored_key import StoredKey, Terms
from patchbay.api_model import Empty, Listing, ListQuery
from patchbay.auth.principal import KeyGrant, Principal
from patchbay.auth.scopes import PLATFORM_ONLY, check_spelling
from patchbay.clock import at_ms, iso, now_ms, to_ms
from patchbay.errors import Conflict, Forbidden, NotFound, ValidationFailed, check_version, contended
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, NEVER, Count, QuotaStatus, most_restrictive
from patchbay.settings import settings

if TYPE_CHECKING:
    from patchbay.idempotency import Once

_DAYS_SHOWN = 30
# A change is written under the version that was read; one that comes between is met by reading again.
_TRIES = 3


def create(principal: Principal, body: CreateApiKey, once: Once | None = None) -> ApiKeyWithSecret:
    """Make a key. It is in this answer only.

    Raises Forbidden for scopes that the caller may not give, and for a caller that is itself a key: the new
    key's own windows would void the caller's limits. Raises Conflict at the workspace's ceiling.
    """
    if principal.key is not None:
        raise Forbidden(
            "An API key cannot create API keys: each would add its own limits to the caller's. "
            "Create keys with a user's token that has api-keys:write."
        )
    terms = Terms(
        name=body.name,
        scopes=tuple(body.scopes),
        rate_limit_per_hour=body.rate_limit_per_hour,
        rate_limit_per_day=body.rate_limit_per_day,
        expires_ms=None if body.expires_at is None else to_ms(body.expires_at),
    )
    _check_grants(principal, terms)
    key, answer = _mint(principal, terms)
    store.create(key, once.completing(answer) if once else [])
    return answer


def list_keys(principal: Principal, query: ListQuery) -> Listing[ApiKey]:
    """The workspace's keys, revoked ones for 30 days."""
    page = store.page(principal.workspace_id, limit=query.limit, cursor=query.cursor)
    now = now_ms()
    return Listing.of(page.map(lambda key: _shown(key, now)))


def get(principal: Principal, id: ApiKeyId) -> ApiKey:
    """Raises NotFound, also for another workspace's."""
    return _shown(_read(principal, id), now_ms())


def revoke(principal: Principal, id: ApiKeyId, if_match: int | None = None) -> Empty:
    """Refuse a key from its next request on; one that has ended stays as it is.

    Raises NotFound, also for another workspace's; Forbidden for a key that has more than the caller; Conflict
    when `if_match` is not the present version.
    """
    for _ in range(_TRIES):
        key = _read(principal, id)
        if key.retired_ms is None:
            check_version("API key", key.version, if_match)
        _check_reach(principal, key)
        try:
            store.revoke(key, if_match)
        except store.KeyChanged:
            continue
        return Empty()
    raise contended("API key")


def update(principal: Principal, id: ApiKeyId, body: UpdateApiKey, if_match: int | None = None) -> ApiKey:
    """Change what `body` sets; it holds from the key's next request on.

    Raises Forbidden when the key has, or would have, more than the caller, or when a caller that is itself a
    key would add to it; ValidationFailed when it adds a misspelled scope; Conflict when the key has ended, or
    `if_match` is not its present version.
    """
    for _ in range(_TRIES):
        key = _changeable(principal, id, if_match)
        _check_added(key.terms, body)
        terms = _changed(key.terms, body)
        if terms == key.terms:
            return _shown(key, now_ms())
        if principal.key is not None:
            _check_narrows(key.terms, terms)
        _check_grants(principal, terms)
        new = replace(key, terms=terms, version=key.version + 1, updated_ms=now_ms())
        try:
            return _shown(store.change(key, new), new.updated_ms)
        except store.KeyChanged:
            continue
    raise contended("API key")


def rotate(
    principal: Principal,
    id: ApiKeyId,
    body: RotateApiKey,
    if_match: int | None = None,
    once: Once | None = None,
) -> ApiKeyWithSecret:
    """Make a new key with the terms of the old one, which goes on for `overlapSeconds` and then ends.

    A calling key can rotate only itself. Its successor starts with the requests that it has used, and until
    the old key ends, its requests count in the successor's windows too (`guard`): a rotation gives no extra
    requests.

    Raises Forbidden when the key has more than the caller, or a calling key is not the key itself; Conflict
    when it has ended or was rotated before, while the key that it replaces still works, at the workspace's
    ceiling, or when `if_match` is not its present version.
    """
    used: tuple[Count, ...] = ()
    for _ in range(_TRIES):
        old = _changeable(principal, id, if_match)
        if old.rotated_into is not None:
            raise Conflict(f"This API key was rotated before, into {old.rotated_into}. Rotate that one.")
        _check_grants(principal, old.terms)
        carried: tuple[Count, ...] | None = None
        if principal.key is not None:
            _check_rotates_itself(principal, old)
            carried, used = _carried(old, used)
        new, answer = _mint(principal, old.terms, rotated_from=old.id)
        ends_ms = new.updated_ms + body.overlap_seconds * 1000
        if old.terms.expires_ms is not None:
            ends_ms = min(ends_ms, old.terms.expires_ms)
        try:
            store.rotate(old, new, ends_ms, once.completing(answer) if once else [], carried)
        except store.KeyChanged:
            continue
        return answer
    raise contended("API key")


def verify(principal: Principal, body: VerifyApiKey) -> Verification:
    """Whether a key is good for a request to one of the platform's own APIs; counts its cost if so.

    The platform's workspace verifies any key, others only their own: what is not theirs is NOT_FOUND.
    """
    try:
        admission = guard.admit(
            body.key,
            cost=body.cost,
            scopes=body.scopes,
            workspace_id=None if principal.is_platform else principal.workspace_id,
        )
    except guard.InvalidKey as refused:
        key = refused.key
        return Verification(
            valid=False,
            code=VerificationCode(refused.reason),
            workspace_id=key.workspace_id if key else None,
            key_id=key.id if key else None,
        )
    except guard.InsufficientScopes as refused:
        return _verified(VerificationCode.INSUFFICIENT_SCOPES, refused.principal)
    except guard.NeverAdmitted as refused:
        limit = _rate_limit(refused.quota_status, None, allowed=False)
        return _verified(VerificationCode.COST_EXCEEDS_LIMIT, refused.principal, limit)
    except guard.Exhausted as refused:
        limit = _rate_limit(most_restrictive(refused.statuses), refused.admits_ms, allowed=False)
        return _verified(VerificationCode.RATE_LIMITED, refused.principal, limit)
    status = most_restrictive(admission.statuses)
    limit = _rate_limit(status, status.resets_ms, allowed=True)
    return _verified(VerificationCode.VALID, admission.principal, limit)


# ── what a caller may do with a key ──────────────────────────────────────────────────────────────────


def _changeable(principal: Principal, id: ApiKeyId, if_match: int | None) -> StoredKey:
    """The key, if it is live and the caller may change it."""
    key = _read(principal, id)
    check_version("API key", key.version, if_match)
    if principal.key is not None and principal.id == key.id and principal.key.version != key.version:
        # It was admitted as it was before a change of it: that change must not be undone by it.
        raise contended("API key")
    status = _status(key, now_ms())
    if status is not KeyStatus.ACTIVE:
        raise Conflict(f"This API key is {status}, and stays it. Create a new one.")
    _check_reach(principal, key)
    return key


def _check_reach(principal: Principal, key: StoredKey) -> None:
    """Raises Forbidden for a key that has more than the caller. (Scopes that only the platform's workspace
    may hold are void elsewhere, so they block nothing there.)
    """
    void = frozenset() if principal.is_platform else PLATFORM_ONLY
    scopes = tuple(scope for scope in key.terms.scopes if scope not in void)
    _check_grants(principal, key.terms._replace(scopes=scopes))


def _check_grants(principal: Principal, terms: Terms) -> None:
    """Nobody gives a key more than they have themselves."""
    for scope in terms.scopes:
        if not principal.may_grant(scope):
            raise Forbidden(
                f"Your credentials do not have the scope {scope}: "
                "they cannot create, change, rotate or revoke a key that has it."
            )
        if scope in PLATFORM_ONLY and not principal.is_platform:
            raise Forbidden(f"Only the platform's own workspace may hold the scope {scope}.")
    if principal.key is not None:
        _check_within(principal.key, terms)


def _check_within(own: KeyGrant, terms: Terms) -> None:
    if terms.rate_limit_per_hour > own.rate_limit_per_hour:
        raise _beyond("rateLimitPerHour", str(own.rate_limit_per_hour))
    if terms.rate_limit_per_day > own.rate_limit_per_day:
        raise _beyond("rateLimitPerDay", str(own.rate_limit_per_day))
    if own.expires_at and (terms.expires_ms is None or terms.expires_ms > to_ms(own.expires_at)):
        raise _beyond("expiresAt", iso(own.expires_at))


def _beyond(name: str, own: str) -> Forbidden:
    return Forbidden(
        f"You call with an API key that has {name} {own}: "
        "it cannot change, rotate or revoke a key with more. Use a user's token that has api-keys:write."
    )


def _check_narrows(old: Terms, new: Terms) -> None:
    """A calling key can only narrow keys, itself included: it could use anything that it added."""
    if added := set(new.scopes) - set(old.scopes):
        raise _adds(f"add the scope {min(added)}")
    if new.rate_limit_per_hour > old.rate_limit_per_hour:
        raise _adds(f"go beyond rateLimitPerHour {old.rate_limit_per_hour}")
    if new.rate_limit_per_day > old.rate_limit_per_day:
        raise _adds(f"go beyond rateLimitPerDay {old.rate_limit_per_day}")
    if old.expires_ms is not None and (new.expires_ms is None or new.expires_ms > old.expires_ms):
        raise _adds(f"go beyond expiresAt {iso(at_ms(old.expires_ms))}")


def _adds(what: str) -> Forbidden:
    return Forbidden(
        f"An API key cannot {what}: it can only narrow keys. Use a user's token that has api-keys:write."
    )


def _check_rotates_itself(principal: Principal, old: StoredKey) -> None:
    if principal.id != old.id:
        raise Forbidden(
            "An API key can rotate only itself. "
            "To rotate another, use a user's token that has api-keys:write."
        )
    before = None if old.rotated_from is None else store.get(old.workspace_id, old.rotated_from)
    if before is not None and before.rotated_itself and not before.ended(now_ms()):
        raise Conflict(
            f"{before.id}, which this API key replaces, still works. Revoke it, or wait until it ends"
            + (f" at {iso(at_ms(before.terms.expires_ms))}." if before.terms.expires_ms is not None else ".")
        )


def _carried(key: StoredKey, before: Sequence[Count]) -> tuple[tuple[Count, ...], tuple[Count, ...]]:
    """The counts that the successor of a key that rotates itself begins with, and the key's own counts now.

    `before` has the key's counts at the previous try, which failed because of requests in between. So this
    try allows for twice as many requests, and counts them in advance.
    """
    state = store.state(key.id)
    used = state.counts if state is not None else tuple(NEVER for _ in key.quotas)
    gaps = [
        2 * (now.current - then.current) if now.number == then.number else 0
        for now, then in zip(used, before or used, strict=True)
    ]
    spare = max(gaps, default=0)
    return tuple(
        count
        if count == NEVER
        else count._replace(current=min(count.current + spare, max(quota.limit, count.current)))
        for quota, count in zip(key.quotas, used, strict=True)
    ), used


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _mint(
    principal: Principal, terms: Terms, rotated_from: ApiKeyId | None = None
) -> tuple[StoredKey, ApiKeyWithSecret]:
    """A new key, not stored yet, and the answer that shows it."""
    id, secret = ApiKeyId.new(), key_format.mint_secret()
    secret_hash = hashing.hash_secret(secret)
    key = StoredKey(
        id=id,
        workspace_id=principal.workspace_id,
        terms=terms,
        secret_hash=secret_hash,
        secret_mark=hashing.mark(secret, secret_hash),
        created_by=principal.id,
        updated_ms=id.time_ms,
        rotated_from=rotated_from,
    )
    text = key_format.assemble(settings().api_key_prefix, id, secret)
    return key, ApiKeyWithSecret(**dict(_shown(key, now_ms())), key=text)


def _check_added(terms: Terms, body: UpdateApiKey) -> None:
    """A key keeps the scopes that it has, also those that are refused for new keys."""
    for at, scope in enumerate(body.scopes):
        if scope not in terms.scopes:
            try:
                check_spelling(scope)
            except ValueError as error:
                raise ValidationFailed.of(f"scopes.{at}", str(error)) from None


def _changed(terms: Terms, body: UpdateApiKey) -> Terms:
    """The terms with what the body sets."""
    sent = body.model_fields_set
    changes = {name: getattr(body, name) for name in sent - {"scopes", "expires_at"}}
    if "scopes" in sent:
        changes["scopes"] = tuple(dict.fromkeys(body.scopes))
    if "expires_at" in sent:
        changes["expires_ms"] = None if body.expires_at is None else to_ms(body.expires_at)
    return terms._replace(**changes)


def _rate_limit(status: QuotaStatus, reset_ms: int | None, *, allowed: bool) -> RateLimit:
    return RateLimit(
        allowed=allowed,
        limit=status.quota.limit,
        remaining=status.remaining,
        reset_at=None if reset_ms is None else at_ms(reset_ms),
    )


def _verified(
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


def _read(principal: Principal, id: ApiKeyId) -> StoredKey:
    key = store.get(principal.workspace_id, id)
    if key is None:
        raise NotFound("There is no such API key.")
    return key


def _shown(key: StoredKey, now: int) -> ApiKey:
    today = now // DAY.length_ms
    return ApiKey(
        id=key.id,
        name=key.terms.name,
        masked_key=key_format.mask(settings().api_key_prefix, key.id),
        scopes=list(key.terms.scopes),
        status=_status(key, now),
        rate_limit_per_hour=key.terms.rate_limit_per_hour,
        rate_limit_per_day=key.terms.rate_limit_per_day,
        expires_at=None if key.terms.expires_ms is None else at_ms(key.terms.expires_ms),
        last_used_at=None if key.last_used_ms is None else at_ms(key.last_used_ms),
        usage=Usage(
            total=key.uses,
            daily=[
                DailyUse(date=at_ms(day * DAY.length_ms).date(), count=key.daily.get(day, 0))
                for day in range(today - _DAYS_SHOWN + 1, today + 1)
            ],
        ),
        created_by=key.created_by,
        rotated_from=key.rotated_from,
        created_at=at_ms(key.id.time_ms),
        updated_at=at_ms(key.updated_ms),
        version=key.version,
    )


def _status(key: StoredKey, now: int) -> KeyStatus:
    if key.revoked:
        return KeyStatus.REVOKED
    return KeyStatus.EXPIRED if key.ended(now) else KeyStatus.ACTIVE
