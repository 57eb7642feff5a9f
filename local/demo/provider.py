"""A fake OAuth provider, with a page to approve or deny. Its address contains the name of a sample service.

    /<service>/authorize     the page
    /<service>/token         codes and refresh tokens, each of which works once
    /<service>/revoke        RFC 7009
    /<service>/userinfo      the account of an access token
    /<service>/api/…         an API that echoes requests that have an access token

The user chooses one of the ACCOUNTS. The account determines how its access behaves:

    lasts      the access token ends after an hour, and can be refreshed
    brief      the access token ends after two minutes, and can be refreshed
    ends       the first refresh is refused, so the user has to connect again
    stumbles   refreshes get a server error
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from local import pages
from local.pages import Page, Refusal, Request

ASSETS = Path(__file__).with_name("assets")
SECONDS = {"lasts": 3_600, "brief": 120, "ends": 900, "stumbles": 900}
_CODE_SECONDS = 60
# The code of an account without a visit to the page, for the history.
_DIRECT = "direct"
# Not parsed with urlsplit, which is lenient: a browser may see a different host.
_ON_THIS_MACHINE = re.compile(r"http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?([/?][!-~]*)?")


@dataclass(frozen=True)
class Account:
    """An account at a service, and how access to it behaves."""

    id: str
    label: str
    fate: str


ACCOUNTS = (
    Account("acct_juniper", "Juniper & Rye", "lasts"),
    Account("acct_ryelab", "Rye Lab Kitchen", "lasts"),
    Account("acct_harbour", "Harbour Lane (access ends every two minutes)", "brief"),
    Account("acct_former", "Former owner (access cannot be renewed)", "ends"),
    Account("acct_shaky", "Shaky account (renewals fail at times)", "stumbles"),
)
_BY_ID = {account.id: account for account in ACCOUNTS}


@dataclass
class _Code:
    account: Account
    client_id: str
    redirect_uri: str
    challenge: str
    scope: str
    expires_at: float


@dataclass
class _Grant:
    """An approval of an account's user, with the tokens that are valid now."""

    service: str
    account: Account
    scope: str
    access: str = ""
    refresh: str = ""
    access_ends_at: float = 0


@dataclass
class Provider:
    """Issues tokens. Its state is in memory, and ends with the process."""

    port: int
    codes: dict[str, _Code] = field(default_factory=dict)
    grants: list[_Grant] = field(default_factory=list)

    def app(self) -> Any:
        """The ASGI application."""
        return pages.app(self._serve)

    async def _serve(self, request: Request) -> Page:
        pages.check_host(request, self.port)
        service, _, rest = request.path.removeprefix("/").partition("/")
        match request.method, rest.partition("/")[0]:
            case "GET", "provider.css":
                return pages.file(ASSETS / "provider.css")
            case "GET", "authorize":
                pages.check_site(request, linked=True)
                return self._page(service, request)
            case "POST", "authorize":
                pages.check_site(request)
                return self._decide(service, request)
            case "POST", "token":
                return self._token(service, request)
            case "POST", "revoke":
                return self._revoke(request)
            case "GET", "userinfo":
                account = self._grant_of(request).account
                return pages.as_json({"id": account.id, "name": account.label})
            case _, "api":
                return self._echo(rest, request)
        raise Refusal(404, "This service has no such page.")

    # ── the page ─────────────────────────────────────────────────────────────────────────────────────

    def _page(self, service: str, request: Request) -> Page:
        query = request.query
        redirect_uri = _check_redirect(query.get("redirect_uri", ""))
        values = {
            "service": _title(service),
            "client": query.get("client_id", ""),
            "scopes": ", ".join(query.get("scope", "").split()) or "your profile",
            "host": urlsplit(redirect_uri).netloc,
            "action": f"/{service}/authorize?{urlencode(query)}",
            **{f"account{number}": account.label for number, account in enumerate(ACCOUNTS)},
            **{f"id{number}": account.id for number, account in enumerate(ACCOUNTS)},
        }
        return pages.file(
            ASSETS / "authorize.html",
            values,
            # The response to the form redirects to the client, which may have opened this window.
            policy={"form-action": "'self' http://127.0.0.1:* http://localhost:*"},
            headers={"cross-origin-opener-policy": "unsafe-none"},
        )

    def _decide(self, service: str, request: Request) -> Page:
        query, form = request.query, request.form
        redirect_uri = _check_redirect(query.get("redirect_uri", ""))
        answer = {"state": query.get("state", "")}
        account = _BY_ID.get(form.get("account", ""))
        if form.get("decision") == "approve" and account is not None:
            code = secrets.token_urlsafe(16)
            self.codes[code] = _Code(
                account,
                query.get("client_id", ""),
                redirect_uri,
                query.get("code_challenge", ""),
                query.get("scope", ""),
                time.time() + _CODE_SECONDS,
            )
            answer["code"] = code
        else:
            answer |= {"error": "access_denied", "error_description": "The user chose Deny."}
        mark = "&" if "?" in redirect_uri else "?"
        return pages.redirect(f"{redirect_uri}{mark}{urlencode(answer, quote_via=quote)}")

    # ── tokens ───────────────────────────────────────────────────────────────────────────────────────

    def _token(self, service: str, request: Request) -> Page:
        form = request.form
        if form.get("grant_type") == "authorization_code":
            return self._exchange(service, form)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form)
        return _error("unsupported_grant_type", "Use authorization_code or refresh_token.")

    def _exchange(self, service: str, form: dict[str, str]) -> Page:
        text = form.get("code", "")
        if text.startswith(f"{_DIRECT}:") and (direct := _BY_ID.get(text.partition(":")[2])):
            return self._issue(_Grant(service, direct, "posts:read posts:write"))
        code = self.codes.pop(text, None)
        if code is None or code.expires_at < time.time() or code.redirect_uri != form.get("redirect_uri"):
            return _error("invalid_grant", "The code is unknown, was used, or has expired.")
        if code.challenge and not hmac.compare_digest(code.challenge, _challenge(form)):
            return _error("invalid_grant", "The code verifier does not match.")
        return self._issue(_Grant(service, code.account, code.scope))

    def _refresh(self, form: dict[str, str]) -> Page:
        token = form.get("refresh_token", "")
        grant = next((each for each in self.grants if each.refresh and each.refresh == token), None)
        if grant is None or grant.account.fate == "ends":
            return _error("invalid_grant", "The user has ended this access.")
        if grant.account.fate == "stumbles":
            return pages.as_json({"error": "server_error"}, 503)
        return self._issue(grant)

    def _issue(self, grant: _Grant) -> Page:
        if grant not in self.grants:
            self.grants.append(grant)
        grant.access, grant.refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        seconds = SECONDS[grant.account.fate]
        grant.access_ends_at = time.time() + seconds
        return pages.as_json(
            {
                "access_token": grant.access,
                "token_type": "Bearer",
                "expires_in": seconds,
                "refresh_token": grant.refresh,
                "scope": grant.scope,
            }
        )

    def _revoke(self, request: Request) -> Page:
        token = request.form.get("token", "")
        self.grants = [each for each in self.grants if token not in (each.access, each.refresh)]
        return Page()

    # ── the API ──────────────────────────────────────────────────────────────────────────────────────

    def _grant_of(self, request: Request) -> _Grant:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        for grant in self.grants:
            if grant.access and hmac.compare_digest(grant.access.encode(), token.encode()):
                if grant.access_ends_at > time.time():
                    return grant
                break
        raise Refusal(401, "The access token is unknown or has expired.")

    def _echo(self, path: str, request: Request) -> Page:
        account = self._grant_of(request).account
        try:
            body = json.loads(request.body) if request.body else None
        except ValueError:
            raise Refusal(400, "The body is not JSON.") from None
        call = {"method": request.method, "path": f"/{path}", "query": dict(request.query), "body": body}
        return pages.as_json({"ok": True, "account": account.id, "received": call})


def direct_code(account_id: str) -> str:
    """The authorization code for an account, without a visit to the page."""
    return f"{_DIRECT}:{account_id}"


def _check_redirect(uri: str) -> str:
    """The URI. Refuses one that leads away from this machine, because that would be an open redirect."""
    if not _ON_THIS_MACHINE.fullmatch(uri):
        raise Refusal(400, "redirect_uri must be on this machine.")
    return uri


def _title(service: str) -> str:
    return service.replace("-", " ").title() or "Service"


def _challenge(form: dict[str, str]) -> str:
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _error(code: str, description: str) -> Page:
    return pages.as_json({"error": code, "error_description": description}, 400)
