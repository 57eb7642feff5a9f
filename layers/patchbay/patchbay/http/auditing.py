"""Which requests the audit log records, and when the entry is written.

Recorded: every request that is not GET or HEAD, and every request for a secret, unless the endpoint says why
not (`unaudited`). Other requests are recorded if they are refused. A request has an actor if its credentials
are valid, or are those of an API key that has ended. Not recorded: a request above the limit of its API key
or its workspace, because a limit must not cost more than it saves.

The entry is written before the response is sent, unless a transaction of the request has written it. If that
fails, a request for a secret fails too. Any other response is sent, and the log says what is missing. If a
process dies:
    before the change       nothing has happened
    with the change         the change and its entry are one transaction, where the activity log has an entry
    after another change    the change has no entry; the caller got no response
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from pydantic import BaseModel

from patchbay.activity import trail as trails
from patchbay.activity.trail import Trail
from patchbay.api_keys.guard import InvalidKey
from patchbay.auth.principal import Principal
from patchbay.clock import now_ms
from patchbay.errors import WorkspaceErasing
from patchbay.http.request import Event
from patchbay.http.response import Response, problem_of, problem_response
from patchbay.observability import logger
from patchbay.rate_limits.lru_cache import LruCache

READS = frozenset({"GET", "HEAD"})
_VARIABLE = re.compile(r"{(\w+)")
# A caller can send a path of any length.
_MAX_TARGET = 256
_NO = frozenset({"", "0", "f", "false", "n", "no", "off"})
# A caller can repeat a refused request without limit: only the first one of a minute is recorded.
_refusals: LruCache[tuple[str, ...], int] = LruCache(4_096)


@dataclass(frozen=True, slots=True)
class Rule:
    """What an endpoint's requests are called in the audit log, and which of them it records.

    `reads_secret` says that a GET responds with a secret, `revealed_by` which query parameter asks for one.
    """

    action: str
    unaudited: str | None
    reads_secret: bool
    revealed_by: str | None

    def records(self, event: Event) -> bool:
        """Whether a request is recorded whatever its outcome."""
        return event["requestContext"]["http"]["method"] not in READS or self.asks_for_secret(event)

    def asks_for_secret(self, event: Event) -> bool:
        if self.revealed_by is None:
            return self.reads_secret
        value: str = event.get("queryStringParameters", {}).get(self.revealed_by, "")
        return value.lower() not in _NO


def action_of(module: str) -> str:
    """The action of the endpoint in `functions/<resource>/<verb>.py`: `<resource>.<verb>`."""
    return module.removeprefix("functions.")


def begin(rule: Rule | None, event: Event, caller: Principal | None) -> Trail | None:
    """The trail of a request; None if it is not recorded, or has no actor."""
    if rule is None or rule.unaudited is not None or caller is None:
        return None
    context = event["requestContext"]
    return Trail(
        workspace_id=caller.workspace_id,
        actor=caller.id,
        actor_label=caller.label,
        action=rule.action,
        request_id=context["requestId"],
        ip=context["http"].get("sourceIp"),
        target=_target(event),
    )


def _target(event: Event) -> str | None:
    """The target that the path names: the values of its variables, in order."""
    values: Mapping[str, str] = event.get("pathParameters", {})
    names = _VARIABLE.findall(event["routeKey"])
    return "/".join(values[name] for name in names if name in values)[:_MAX_TARGET] or None


def following(rule: Rule | None, trail: Trail | None, event: Event) -> AbstractContextManager[None]:
    """The context in which the endpoint's function runs."""
    if rule is None or trail is None or not rule.records(event):
        return nullcontext()
    return trails.follow(trail)


def note_fields(arguments: Mapping[str, object]) -> None:
    """Add the names of the fields that the body sets to the request's trail."""
    trail, body = trails.current(), arguments.get("body")
    if trail is not None and isinstance(body, BaseModel):
        fields = type(body).model_fields
        known = body.model_fields_set & fields.keys()  # a callback may have any others
        trail.fields = sorted(fields[name].alias or name for name in known)


def actor_of(error: Exception, caller: Principal | None) -> Principal | None:
    """Who sent a request that was refused before its trail began: the caller, or the owner of an API key that
    has ended. None during an erasure, because the workspace's entries are being deleted.
    """
    if isinstance(error, WorkspaceErasing):
        return None
    if isinstance(error, InvalidKey) and error.key is not None:
        return Principal(error.key.workspace_id, error.key.id)
    return caller


def finish(rule: Rule, trail: Trail, event: Event, response: Response) -> Response:
    """Write the entry of a request, if it is recorded and has none yet. Returns the response to send."""
    status = response["statusCode"]
    is_refused = status in (401, 403)
    is_limited = status == 429 and not trail.is_followed
    if trail.is_written or is_limited or not (is_refused or rule.records(event)):
        return response
    reason = None if status < 400 else json.loads(response["body"])["code"]
    if is_refused and _was_recorded(trail, str(reason)):
        return response
    if trail.target is None and status < 300:
        trail.target = _created_id(response)
    # Imported here, because requests that are not recorded here do not need it.
    from patchbay.activity import audit

    try:
        audit.write(trail, "SUCCEEDED" if reason is None else "REFUSED" if is_refused else "FAILED", reason)
    except Exception as error:
        # An AWS failure or our own bug: the change is made, and its caller must learn that.
        logger.exception("failed to write audit entry", action=trail.action, actor=trail.actor)
        if status < 400 and rule.asks_for_secret(event):
            return problem_response(problem_of(error, trail.request_id), event)
    return response


def _created_id(response: Response) -> str | None:
    body = json.loads(response["body"] or "null")
    return body.get("id") if isinstance(body, dict) else None


def _was_recorded(trail: Trail, reason: str) -> bool:
    """Whether this process has already recorded this refusal in this minute. If not, marks it as recorded."""
    refusal, minute = (trail.workspace_id, trail.actor, trail.action, reason), now_ms() // 60_000
    if _refusals.get(refusal) == minute:
        return True
    _refusals.put(refusal, minute)
    return False


def clear_cache() -> None:
    """Empty this process's cache."""
    _refusals.clear()
