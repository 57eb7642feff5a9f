"""The caller of a request, and their rights."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from patchbay.auth.scopes import PATCHBAY_SCOPES
from patchbay.errors import Forbidden
from patchbay.settings import settings


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The limits, expiry and version of a calling API key. It cannot grant more to other keys."""

    version: int
    rate_limit_per_hour: int
    rate_limit_per_day: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: a user (JWT), a program (API key), or a function of the platform that calls in process.

    `id` identifies the caller within the workspace (`user:<sub>`, or the key's ID).
    """

    workspace_id: str
    id: str
    scopes: frozenset[str] = field(default=frozenset())
    role: str | None = None
    key: KeyLimits | None = None

    @property
    def is_platform(self) -> bool:
        return self.workspace_id == settings().platform_workspace_id

    def require(self, scope: str) -> None:
        """Raises Forbidden, which names the scope, if the caller does not have it."""
        if scope not in self.scopes:
            raise Forbidden(f"This needs the scope {scope}, which your credentials do not have.")

    def can_grant(self, scope: str) -> bool:
        """Whether the caller may grant the scope to a key: they have it, or they are an admin or owner and it
        is one of the platform's scopes (`posts:read` …), which Patchbay only stores.
        """
        return scope in self.scopes or (scope not in PATCHBAY_SCOPES and self.role in ("admin", "owner"))


def in_process(workspace_id: str, *scopes: str, name: str = "platform") -> Principal:
    """The principal of a platform function that calls a service through the layer. Its IAM role is its
    authority, so it chooses the workspace and the scopes itself.
    """
    return Principal(workspace_id, f"function:{name}", frozenset(scopes))
