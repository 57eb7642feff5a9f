"""What a key's row holds, without the names that it has there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, HOUR, Count, Quota


class Terms(NamedTuple):
    """What a key may do and until when (Unix milliseconds; None is without end)."""

    name: str
    scopes: tuple[str, ...]
    rate_limit_per_hour: int
    rate_limit_per_day: int
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key's row. Times in Unix milliseconds; `daily` maps days since 1970 (UTC) to requests.

    `retired_ms` is when it was ended for good: revoked, or counted out after its expiry.
    `rotated_itself` says that the key made `rotated_into`: until it ends, its requests also count in the
    windows of that key.
    """

    id: ApiKeyId
    workspace_id: str
    terms: Terms
    secret_hash: str = field(repr=False)
    secret_mark: int = field(repr=False)
    created_by: str
    updated_ms: int
    rotated_from: ApiKeyId | None = None
    rotated_into: ApiKeyId | None = None
    rotated_itself: bool = False
    version: int = 1
    retired_ms: int | None = None
    uses: int = 0
    last_used_ms: int | None = None
    daily: Mapping[int, int] = field(default_factory=dict)

    @property
    def quotas(self) -> tuple[Quota, Quota]:
        return Quota(HOUR, self.terms.rate_limit_per_hour), Quota(DAY, self.terms.rate_limit_per_day)

    @property
    def shares_with(self) -> ApiKeyId | None:
        """The key in whose windows the requests of this one count too."""
        return self.rotated_into if self.rotated_itself else None

    @property
    def revoked(self) -> bool:
        """Whether it was ended before its time."""
        return self.retired_ms is not None and not self._expired(self.retired_ms)

    def ended(self, at_ms: int) -> bool:
        """Whether its time is over by that clock, or it was ended for good, whatever the clock says."""
        return self.retired_ms is not None or self._expired(at_ms)

    def _expired(self, at_ms: int) -> bool:
        return self.terms.expires_ms is not None and self.terms.expires_ms <= at_ms


class KeyState(NamedTuple):
    """What a write to a key's row brings back: the key, and the counts of its windows."""

    key: StoredKey
    counts: tuple[Count, ...]
