"""What the audit log records about the current request, until its entry is written.

A change logs itself in its own transaction (`log.log_action`). The first such entry of a request also becomes
the request's audit entry: the trail adds its attributes to the row. So most changes cost no additional call,
and there is no change without an audit entry. If no such entry was written by the end of the request,
`audit.write` writes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from patchbay.storage import dynamo

KEEP_SECONDS = 400 * 86_400
# Side effects of a request, in addition to its own action.
_SIDE_EFFECTS = frozenset({"token.refreshed", "connection.expired", "connection.revoked"})


def partition(workspace_id: str) -> str:
    """The partition of the audit entries that are not part of the activity log."""
    return f"audit#{workspace_id}"


@dataclass(slots=True)
class Trail:
    """A request that is audited. `target` is what its path names, or None. `actor_label` says who uses the
    calling session. `fields` are the names of the fields that its body sets. `is_followed` says that it
    reached the endpoint's function.
    """

    workspace_id: str
    actor: str
    action: str
    request_id: str
    ip: str | None
    target: str | None
    actor_label: str | None = None
    fields: Sequence[str] = ()
    is_followed: bool = False
    _carries: tuple[str, str] | None = None
    _carrier: dynamo.TransactItem | None = None
    _is_logged: bool = False
    _executed: list[dynamo.TransactItem] = field(default_factory=list)

    @property
    def is_written(self) -> bool:
        """Whether an entry of the activity log is the request's audit entry."""
        carrier = self._carrier
        return self._is_logged or (carrier is not None and any(each is carrier for each in self._executed))

    def takes(self, workspace_id: str, subject: str, action: str, actor: str, outcome: str) -> bool:
        """Whether this entry of the activity log becomes the audit entry: the first one of the request for
        its own action, and its repeats, in case the transaction is tried again.
        """
        if self.is_written or (workspace_id, actor, outcome) != (self.workspace_id, self.actor, "SUCCEEDED"):
            return False
        if action in _SIDE_EFFECTS or self._carries not in (None, (subject, action)):
            return False
        self._carries = subject, action
        self.target = self.target or subject
        return True

    def attributes(self) -> dynamo.Row:
        """The attributes that make a row an audit entry. The index `byWorkspace` has only these rows."""
        return {
            "workspaceId": self.workspace_id,
            "auditAction": self.action,
            "actorLabel": self.actor_label,
            "target": self.target,
            "requestId": self.request_id,
            "ip": self.ip,
            "fields": list(self.fields) or None,
        }

    def is_in(self, action: dynamo.TransactItem) -> None:
        """Note that an action of a transaction writes the audit entry."""
        self._carrier = action

    def is_logged(self) -> None:
        """Note that the audit entry was written."""
        self._is_logged = True


_current: ContextVar[Trail | None] = ContextVar("trail", default=None)


def current() -> Trail | None:
    """The trail of the request that is being processed; None outside of audited requests."""
    return _current.get()


@contextmanager
def follow(trail: Trail) -> Iterator[None]:
    """Make entries of the activity log that are written in this block the request's audit entry."""
    trail.is_followed = True
    tokens = _current.set(trail), dynamo.executed.set(trail._executed)
    try:
        yield
    finally:
        _current.reset(tokens[0])
        dynamo.executed.reset(tokens[1])
