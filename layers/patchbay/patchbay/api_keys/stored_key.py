"""What a key's row holds, without the names that it has there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, HOUR, Count, Quota


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key's row. Times in Unix milliseconds; `daily` maps days since 1970 (UTC) to requests."""

    id: ApiKeyId
    workspace_id: str
    name: str
    scopes: tuple[str, ...]
    rate_limit_per_hour: int
    rate_limit_per_day: int
    secret_hash: str = field(repr=False)
    secret_mark: int = field(repr=False)
    created_by: str
    updated_ms: int
    expires_ms: int | None = None
    rotated_from: ApiKeyId | None = None
    version: int = 1
    revoked_ms: int | None = None
    uses: int = 0
    last_used_ms: int | None = None
    daily: Mapping[int, int] = field(default_factory=dict)

    @property
    def quotas(self) -> tuple[Quota, Quota]:
        return Quota(HOUR, self.rate_limit_per_hour), Quota(DAY, self.rate_limit_per_day)

    def expired(self, at_ms: int) -> bool:
        return self.expires_ms is not None and self.expires_ms <= at_ms


class KeyState(NamedTuple):
    """What a write to a key's row brings back: the key, and the counts of its windows."""

    key: StoredKey
    counts: tuple[Count, ...]
