"""Portal sessions: create one with its link, exchange the code of the link for the token, list and end them.

A session has at most the rights of its creator, and none from a user's role. It cannot create sessions, and
it can end only itself.
"""

from __future__ import annotations

from patchbay import aws, return_urls
from patchbay.activity import audit
from patchbay.activity.trail import Trail
from patchbay.api_model import Empty, Listing, ListQuery
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import PATCHBAY_SCOPES
from patchbay.clock import from_ms, now_ms
from patchbay.errors import Forbidden, NotFound, Unauthenticated, ValidationFailed
from patchbay.ids import PortalSessionId
from patchbay.observability import logger
from patchbay.sessions import creator, store, tokens
from patchbay.sessions.caller import theme_of
from patchbay.sessions.models import (
    CreatePortalSession,
    ExchangeCode,
    PortalSession,
    PortalSessionLink,
    PortalSessionRef,
    PortalSessionStatus,
    PortalSessionToken,
)
from patchbay.sessions.stored_session import StoredPortalSession

CODE_MS = 5 * 60_000
_AGAIN = "Open the page from your platform again."
# Never for a browser: it reads the access tokens of connections and the secrets of integrations.
_NEVER = "credentials:read"
_ONLY_IF_ASKED_FOR = frozenset({"credentials", "workspace", "actions"})
# These scopes also read: their GETs list hooks and runs of automations, and all workspaces' publications.
_READS_WITHOUT_THE_NAME = frozenset({"automations:use", "publications:review"})


def create(principal: Principal, body: CreatePortalSession, origin: str) -> PortalSessionLink:
    """Create a session. Only this response contains its link, which works once, for five minutes.

    Raises Forbidden for a scope that the caller may not grant, and if the caller is itself a session;
    ValidationFailed for a `returnUrl` of another origin.
    """
    creator.check_not_session(principal)
    capabilities = _capabilities(principal, body)
    return_urls.check(body.return_url)
    now = now_ms()
    id = PortalSessionId.new(now)
    code = tokens.mint("pcode", principal.workspace_id, id)
    expires_at = creator.expiry_ms(principal, now, body.expires_in)
    stored = StoredPortalSession(
        workspace_id=principal.workspace_id,
        id=id,
        created_by=principal.id,
        created_at=now,
        expires_at=expires_at,
        code_expires_at=min(now + CODE_MS, expires_at),
        capabilities=capabilities,
        read_only=body.read_only,
        color_scheme=body.theme.color_scheme,
        primary_color=body.theme.primary_color,
        view=body.view,
        label=body.label,
        return_url=body.return_url,
        key_id=creator.key_of(principal),
        code_hash=code.hash,
    )
    store.put_portal(stored)
    return PortalSessionLink(
        id=id,
        link=f"{origin}/console#code={code.text}",
        expires_at=from_ms(expires_at),
        code_expires_at=from_ms(stored.code_expires_at),
        capabilities=list(capabilities),
        read_only=body.read_only,
    )


def exchange(body: ExchangeCode, request_id: str, ip: str | None) -> PortalSessionToken:
    """Exchange the code of a link for the token of its session: once, within five minutes. The audit log
    records it. Raises Unauthenticated.
    """
    code = tokens.parse("pcode", body.code)
    if code is None:
        raise Unauthenticated(f"The code of the console link is invalid or incomplete. {_AGAIN}")
    now = now_ms()
    token = tokens.mint("pses", code.workspace_id, code.id(PortalSessionId))
    try:
        session = store.exchange(code, token.hash, now)
    except store.CodeRefused as refused:
        raise Unauthenticated(_why_refused(code, refused.session, now)) from None
    _audit_exchange(session, request_id, ip)
    return PortalSessionToken(
        id=session.id,
        token=token.text,
        workspace_id=session.workspace_id,
        expires_at=from_ms(session.expires_at),
        capabilities=list(session.capabilities),
        read_only=session.read_only,
        label=session.label,
        theme=theme_of(session.color_scheme, session.primary_color),
        view=session.view,
        return_url=session.return_url,
    )


def list_sessions(principal: Principal, query: ListQuery) -> Listing[PortalSession]:
    """The sessions that the caller created, newest first; with `api-keys:read`, all in the workspace."""
    creator.check_not_session(principal)
    made_by = None if "api-keys:read" in principal.scopes else principal.id
    page = store.page_portal(
        principal.workspace_id, created_by=made_by, limit=query.limit, cursor=query.cursor
    )
    now = now_ms()
    return Listing.from_page(page.map(lambda session: _to_api(session, now)))


def end(principal: Principal, ref: PortalSessionRef) -> Empty:
    """End a session: its next request is refused. A session can end itself, and its creator can end it.
    Anyone else needs `api-keys:write`. Raises NotFound, Forbidden.
    """
    own = principal.session
    id = ref.id or (None if own is None else own.id)
    if id is None:
        raise NotFound("Your credentials are not a session's. To end a session, use its ID.")
    if own is not None:
        if id != own.id:
            raise Forbidden("A session can end only itself: DELETE /api/portal/sessions/current.")
    else:
        session = store.get_portal(principal.workspace_id, id)
        if session is None:
            raise _not_found()
        if session.created_by != principal.id:
            principal.require("api-keys:write")
    if not store.end_portal(principal.workspace_id, id, now_ms()):
        raise _not_found()
    return Empty()


# ── rights ───────────────────────────────────────────────────────────────────────────────────────────


def _capabilities(principal: Principal, body: CreatePortalSession) -> list[str]:
    """The scopes of a new session. Raises Forbidden and ValidationFailed."""
    if body.capabilities is None:
        chosen = [scope for scope in principal.scopes & PATCHBAY_SCOPES if _is_default(scope)]
    else:
        chosen = list(body.capabilities)
        if _NEVER in chosen:
            raise ValidationFailed.for_field(
                f"capabilities.{chosen.index(_NEVER)}",
                f"{_NEVER} cannot be used in sessions, because access tokens and client secrets must not "
                "reach a browser",
            )
        for scope in chosen:
            if not principal.can_grant(scope):
                raise Forbidden(
                    f"Your credentials do not have the scope {scope}, so a session cannot get it."
                )
    if body.read_only:
        chosen = [scope for scope in chosen if _only_reads(scope)]
    if not chosen:
        raise ValidationFailed.for_field(
            "capabilities", "would be empty, because your credentials have no scope that a session can have"
        )
    return sorted(chosen)


def _is_default(scope: str) -> bool:
    return scope.partition(":")[0] not in _ONLY_IF_ASKED_FOR


def _only_reads(scope: str) -> bool:
    return scope.endswith(":read") or scope in _READS_WITHOUT_THE_NAME


# ── conversions ──────────────────────────────────────────────────────────────────────────────────────


def _why_refused(code: tokens.ParsedToken, session: StoredPortalSession | None, now: int) -> str:
    if session is None or not tokens.matches(code, session.code_hash):
        return f"This console link does not exist. {_AGAIN}"
    if session.opened_at is not None:
        return f"This console link was already used. It works only once. {_AGAIN}"
    if session.ended_at is not None:
        return f"This session was ended. {_AGAIN}"
    return f"This console link has expired. It works for five minutes. {_AGAIN}"


def _audit_exchange(session: StoredPortalSession, request_id: str, ip: str | None) -> None:
    """Record who opened the link. The code is used up, so a failure must not lose the session."""
    trail = Trail(
        workspace_id=session.workspace_id,
        actor=f"session:{session.id}",
        actor_label=session.label,
        action="portal_sessions.exchange",
        request_id=request_id,
        ip=ip,
        target=session.id,
    )
    try:
        audit.write(trail, "SUCCEEDED", None)
    except aws.CallFailed:
        logger.exception("failed to write audit entry", action=trail.action, actor=trail.actor)


def _not_found() -> NotFound:
    return NotFound("No portal session with this ID.")


def _to_api(session: StoredPortalSession, now: int) -> PortalSession:
    return PortalSession(
        id=session.id,
        status=_status(session, now),
        label=session.label,
        capabilities=list(session.capabilities),
        read_only=session.read_only,
        theme=theme_of(session.color_scheme, session.primary_color),
        view=session.view,
        return_url=session.return_url,
        created_by=session.created_by,
        created_at=from_ms(session.created_at),
        opened_at=None if session.opened_at is None else from_ms(session.opened_at),
        ended_at=None if session.ended_at is None else from_ms(session.ended_at),
        expires_at=from_ms(session.expires_at),
    )


def _status(session: StoredPortalSession, now: int) -> PortalSessionStatus:
    if session.ended_at is not None:
        return PortalSessionStatus.ENDED
    if session.expires_at <= now or (session.opened_at is None and session.code_expires_at <= now):
        return PortalSessionStatus.EXPIRED
    return PortalSessionStatus.OPEN if session.opened_at is None else PortalSessionStatus.ACTIVE
