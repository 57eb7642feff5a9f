"""API keys of a workspace: create, show, change, rotate, revoke; and verify, for the platform's own APIs."""

from __future__ import annotations

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
from patchbay.auth.principal import KeyGrant, Principal
from patchbay.auth.scopes import PLATFORM_ONLY
from patchbay.errors import Conflict, Forbidden, NotFound, check_version, contended
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, Standing, tightest
from patchbay.schema import Empty, Listing, ListQuery, at_ms, iso, now_ms, to_ms
from patchbay.settings import settings

if TYPE_CHECKING:
    from patchbay.idempotency import Once

_DAYS_SHOWN = 30
# A change is written under the version that was read; one that comes between is met by reading again.
_TRIES = 3


def create(principal: Principal, body: CreateApiKey, once: Once | None = None) -> ApiKeyWithSecret:
    """Make a key. It is in this answer only.

    Raises Forbidden for what the caller does not have to give, Conflict at the workspace's ceiling.
    """
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
    """Refuse a key from its next request on. Raises NotFound, also for another workspace's, and Conflict
    when `if_match` is not the present version.
    """
    if not store.revoke(principal.workspace_id, id, if_match):
        raise _not_found()
    return Empty()


def update(principal: Principal, id: ApiKeyId, body: UpdateApiKey, if_match: int | None = None) -> ApiKey:
    """Change what `body` sets; it holds from the key's next request on.

    Raises Forbidden when the key is, or would be, more than the caller has to give; Conflict when it has
    ended, or `if_match` is not its present version.
    """
    for _ in range(_TRIES):
        key = _changeable(principal, id, if_match)
        terms = _changed(key.terms, body)
        if terms == key.terms:
            return _shown(key, now_ms())
        _check_grants(principal, terms)
        new = replace(key, terms=terms, version=key.version + 1, updated_ms=now_ms())
        try:
            return _shown(store.change(key, new), new.updated_ms)
        except store.Changed:
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

    Raises Forbidden when the key is more than the caller has to give; Conflict when it has ended or was
    rotated before, at the workspace's ceiling, or when `if_match` is not its present version.
    """
    for _ in range(_TRIES):
        old = _changeable(principal, id, if_match)
        if old.rotated_into is not None:
            raise Conflict(f"This API key was rotated before, into {old.rotated_into}. Rotate that one.")
        new, answer = _mint(principal, old.terms, rotated_from=old.id)
        ends_ms = new.updated_ms + body.overlap_seconds * 1000
        if old.terms.expires_ms is not None:
            ends_ms = min(ends_ms, old.terms.expires_ms)
        try:
            store.rotate(old, new, ends_ms, once.completing(answer) if once else [])
        except store.Changed:
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
    except guard.Exhausted as refused:
        limit = _rate_limit(tightest(refused.standings), refused.admits_ms, allowed=False)
        return _verified(VerificationCode.RATE_LIMITED, refused.principal, limit)
    standing = tightest(admission.standings)
    limit = _rate_limit(standing, standing.resets_ms, allowed=True)
    return _verified(VerificationCode.VALID, admission.principal, limit)


# ── what a caller may do with a key ──────────────────────────────────────────────────────────────────


def _changeable(principal: Principal, id: ApiKeyId, if_match: int | None) -> StoredKey:
    """The key, if the caller may change it: nobody changes one that is more than they have to give."""
    key = _read(principal, id)
    check_version("API key", key.version, if_match)
    if principal.key is not None and principal.id == key.id and principal.key.version != key.version:
        # It was admitted as it was before a change of it: that change must not be undone by it.
        raise contended("API key")
    status = _status(key, now_ms())
    if status is not KeyStatus.ACTIVE:
        raise Conflict(f"This API key is {status}, and stays it. Create a new one.")
    _check_grants(principal, key.terms)
    return key


def _check_grants(principal: Principal, terms: Terms) -> None:
    """Nobody gives a key more than they have themselves."""
    for scope in terms.scopes:
        if not principal.may_grant(scope):
            raise Forbidden(
                f"Your credentials do not have the scope {scope}: "
                "they cannot make, change or rotate a key that has it."
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
        f"The key that you call with has the {name} {own}: it cannot make, change or rotate one with more."
    )


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


def _changed(terms: Terms, body: UpdateApiKey) -> Terms:
    """The terms with what the body sets."""
    sent = body.model_fields_set
    changes = {name: getattr(body, name) for name in sent - {"scopes", "expires_at"}}
    if "scopes" in sent:
        changes["scopes"] = tuple(body.scopes)
    if "expires_at" in sent:
        changes["expires_ms"] = None if body.expires_at is None else to_ms(body.expires_at)
    return terms._replace(**changes)


def _rate_limit(standing: Standing, reset_ms: int, *, allowed: bool) -> RateLimit:
    return RateLimit(
        allowed=allowed,
        limit=standing.quota.limit,
        remaining=standing.remaining,
        reset_at=at_ms(reset_ms),
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
        raise _not_found()
    return key


def _not_found() -> NotFound:
    return NotFound("There is no such API key.")


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
