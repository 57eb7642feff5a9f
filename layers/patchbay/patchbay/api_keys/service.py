"""API keys of a workspace: create, look at, revoke; and verify, for the platform's functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchbay.api_keys import guard, hashing, key_format, store
from patchbay.api_keys.models import (
    ApiKey,
    ApiKeyWithSecret,
    CreateApiKey,
    DailyUse,
    KeyStatus,
    Usage,
)
from patchbay.api_keys.stored_key import StoredKey
from patchbay.auth.principal import KeyGrant, Principal
from patchbay.auth.scopes import PLATFORM_ONLY
from patchbay.errors import Forbidden, NotFound
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY
from patchbay.schema import Empty, Listing, ListQuery, at_ms, iso, now_ms, to_ms
from patchbay.settings import settings

if TYPE_CHECKING:
    from patchbay.idempotency import Once

_DAYS_SHOWN = 30


def create(principal: Principal, body: CreateApiKey, once: Once | None = None) -> ApiKeyWithSecret:
    """Make a key. It is in this answer only.

    Raises Forbidden for what the caller does not have to give, Conflict at the workspace's ceiling.
    """
    _check_grants(principal, body)
    key_id = ApiKeyId.new()
    secret = key_format.mint_secret()
    secret_hash = hashing.hash_secret(secret)
    key = StoredKey(
        id=key_id,
        workspace_id=principal.workspace_id,
        name=body.name,
        scopes=tuple(body.scopes),
        rate_limit_per_hour=body.rate_limit_per_hour,
        rate_limit_per_day=body.rate_limit_per_day,
        secret_hash=secret_hash,
        secret_mark=hashing.mark(secret, secret_hash),
        created_by=principal.id,
        updated_ms=key_id.time_ms,
        expires_ms=None if body.expires_at is None else to_ms(body.expires_at),
    )
    answer = ApiKeyWithSecret(
        **dict(_shown(key, now_ms())),
        key=key_format.assemble(settings().api_key_prefix, key_id, secret),
    )
    store.create(key, once.completing(answer) if once else [])
    return answer


def list_keys(principal: Principal, query: ListQuery) -> Listing[ApiKey]:
    """The workspace's keys, revoked ones for 30 days."""
    page = store.page(principal.workspace_id, limit=query.limit, cursor=query.cursor)
    now = now_ms()
    return Listing(items=[_shown(key, now) for key in page.keys], next_cursor=page.next_cursor)


def get(principal: Principal, id: ApiKeyId) -> ApiKey:
    """Raises NotFound, also for another workspace's."""
    key = store.get(principal.workspace_id, id)
    if key is None:
        raise _not_found()
    return _shown(key, now_ms())


def revoke(principal: Principal, id: ApiKeyId, if_match: int | None = None) -> Empty:
    """Refuse a key from its next request on. Raises NotFound, also for another workspace's, and Conflict
    when `if_match` is not the present version.
    """
    if not store.revoke(principal.workspace_id, id, if_match):
        raise _not_found()
    return Empty()


def verify(token: str, *, cost: int = 1) -> guard.Admission:
    """Whose key `token` is; counts `cost` requests. For functions of the platform that take the
    layer.

    Raises InvalidKey, which says why, and RateLimited.
    """
    return guard.admit(token, cost=cost)


def _check_grants(principal: Principal, body: CreateApiKey) -> None:
    """Nobody gives a key more than they have themselves."""
    for scope in body.scopes:
        if not principal.may_grant(scope):
            raise Forbidden(f"You cannot give the scope {scope}: your credentials do not have it.")
        if scope in PLATFORM_ONLY and not principal.is_platform:
            raise Forbidden(f"Only the platform's own workspace may hold the scope {scope}.")
    if principal.key is not None:
        _check_within(principal.key, body)


def _check_within(own: KeyGrant, body: CreateApiKey) -> None:
    if body.rate_limit_per_hour > own.rate_limit_per_hour:
        raise _beyond("rateLimitPerHour", str(own.rate_limit_per_hour))
    if body.rate_limit_per_day > own.rate_limit_per_day:
        raise _beyond("rateLimitPerDay", str(own.rate_limit_per_day))
    if own.expires_at and (body.expires_at is None or body.expires_at > own.expires_at):
        raise _beyond("expiresAt", iso(own.expires_at))


def _beyond(name: str, most: str) -> Forbidden:
    return Forbidden(f"{name} can be {most} at most, as it is for the key that you call with.")


def _not_found() -> NotFound:
    return NotFound("There is no such API key.")


def _shown(key: StoredKey, now: int) -> ApiKey:
    today = now // DAY.length_ms
    return ApiKey(
        id=key.id,
        name=key.name,
        masked_key=key_format.mask(settings().api_key_prefix, key.id),
        scopes=list(key.scopes),
        status=_status(key, now),
        rate_limit_per_hour=key.rate_limit_per_hour,
        rate_limit_per_day=key.rate_limit_per_day,
        expires_at=None if key.expires_ms is None else at_ms(key.expires_ms),
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
    if key.revoked_ms is not None:
        return KeyStatus.REVOKED
    return KeyStatus.EXPIRED if key.expired(now) else KeyStatus.ACTIVE
