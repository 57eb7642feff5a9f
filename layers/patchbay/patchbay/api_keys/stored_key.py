"""A key's row as a typed object, without the short attribute names of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, HOUR, Count, Quota


class Terms(NamedTuple):
    """A key's scopes, limits and expiry (Unix milliseconds; None if it never expires)."""

    name: str
    scopes: tuple[str, ...]
    rate_limit_per_hour: int
    rate_limit_per_day: int
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key's row. Times are Unix milliseconds; `daily` maps days since 1970 (UTC) to requests.

    `retired_ms` is when the key ended permanently: `revoked_by` revoked it, or the schedule retired it after
    its expiry. `rotated_itself` says that the key itself created `rotated_into`: until it ends, its requests
    also count in the windows of that key. `due_ms` is when the schedule processes the key next.
    """

    id: ApiKeyId
    workspace_id: str
    terms: Terms
    secret_hash: str = field(repr=False)
    secret_fingerprint: int = field(repr=False)
    created_by: str
    updated_ms: int
    rotated_from: ApiKeyId | None = None
    rotated_into: ApiKeyId | None = None
    rotated_itself: bool = False
    version: int = 1
    retired_ms: int | None = None
    revoked_by: str | None = None
    ttl: int | None = None
    due_ms: int | None = None
    uses: int = 0
    last_used_ms: int | None = None
    daily: Mapping[int, int] = field(default_factory=dict)

    @property
    def quotas(self) -> tuple[Quota, Quota]:
        return Quota(HOUR, self.terms.rate_limit_per_hour), Quota(DAY, self.terms.rate_limit_per_day)

    @property
    def shares_with(self) -> ApiKeyId | None:
        """The key whose windows also count the requests of this one."""
        return self.rotated_into if self.rotated_itself else None

    @property
    def is_revoked(self) -> bool:
        """Whether it was ended before its expiry."""
        return self.retired_ms is not None and not self._is_expired(self.retired_ms)

    def has_ended(self, at_ms: int) -> bool:
        """Whether it is retired, regardless of the clock, or expired at `at_ms`."""
        return self.retired_ms is not None or self._is_expired(at_ms)

    def is_deleted(self, at_ms: int) -> bool:
        """Whether its TTL has passed. TTL deletes rows late, so the key is treated as absent until then."""
        return self.ttl is not None and self.ttl * 1000 <= at_ms

    def _is_expired(self, at_ms: int) -> bool:
        return self.terms.expires_ms is not None and self.terms.expires_ms <= at_ms


class KeyState(NamedTuple):
    """The content of a key's row: the key and the counts of its windows."""

    key: StoredKey
    counts: tuple[Count, ...]
