"""Who is calling, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from patchbay.auth.scopes import KNOWN
from patchbay.errors import Forbidden
from patchbay.settings import settings


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """What an API key that is calling was itself granted, at which version of it: nobody gives more than
    they have.
    """

    version: int
    rate_limit_per_hour: int
    rate_limit_per_day: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: a person by JWT, a program by API key, or the platform's own function in process.

    `id` tells callers of one workspace apart (`user:<sub>`, or the key's id).
    """

    workspace_id: str
    id: str
    scopes: frozenset[str] = field(default=frozenset())
    role: str | None = None
    key: KeyGrant | None = None

    @property
    def is_platform(self) -> bool:
        return self.workspace_id == settings().platform_workspace_id

    def require(self, scope: str) -> None:
        """Raises Forbidden, naming the scope, when it is missing."""
        if scope not in self.scopes:
            raise Forbidden(f"This needs the scope {scope}, which your credentials do not have.")

    def may_grant(self, scope: str) -> bool:
        """Whether they may hand on that scope: one of their own, or, as admin or owner, one of the
        platform's (`posts:read` …), which Patchbay only carries.
        """
        return scope in self.scopes or (scope not in KNOWN and self.role in ("admin", "owner"))


def in_process(workspace_id: str, *scopes: str, name: str = "platform") -> Principal:
    """The principal of a platform function that calls a service through the layer. Its IAM role is
    the authority, so it says itself for whom and with which scopes it acts.
    """
    return Principal(workspace_id, f"function:{name}", frozenset(scopes))
