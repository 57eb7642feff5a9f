"""Speaking with a provider: the authorization URL, codes and refresh tokens for tokens, revocation.

Requests are Authlib's, on httpx, through the SSRF guard: no private address, no redirect, 10 s in all,
64 KB of answer. What comes back is read by `token_response`; nothing here knows where tokens are kept.
"""

from __future__ import annotations

import asyncio
import base64
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, quote_plus

from patchbay.clock import at_ms, now_ms
from patchbay.integrations.client import OAuthClient
from patchbay.integrations.config import REQUEST_OBJECTS, parameter_name
from patchbay.oauth import token_body
from patchbay.oauth.token_response import (
    NoToken,
    Refused,
    TokenSet,
    Unusable,
    check_revoked,
    clean,
    standard,
    token_set,
)
from patchbay.observability import logger
from patchbay.outbound.retry_after import parse_retry_after
from patchbay.providers.provider import Exchange, FollowUp, RefreshStrategy, fill
from patchbay.settings import settings
from patchbay.version import USER_AGENT

if TYPE_CHECKING:
    import httpx

    from patchbay.outbound.transport import GuardedTransport

TOTAL_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
_SHORTEST_SECRET = 8

_AUTH_METHODS = {"body": "client_secret_post", "basic": "client_secret_basic", "none": "none"}


def _basic(client: Any, method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
    """RFC 6749, 2.3.1: id and secret are form-encoded before they are joined, which Authlib leaves out."""
    headers["Authorization"] = f"Basic {_pair(client)}"
    return uri, headers, body


def _pair(client: Any) -> str:
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret or '')}"
    return base64.b64encode(pair.encode()).decode()


Answer = TypeVar("Answer")


def authorization_url(
    client: OAuthClient, *, redirect_uri: str, scopes: tuple[str, ...], state: str, code_verifier: str | None
) -> str:
    """Where to send the user (RFC 6749, 4.1.1; RFC 7636, 4.3: S256)."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    oauth = client.oauth
    parameters: dict[str, str] = dict(oauth.authorize_parameters)
    if scopes:
        parameters["scope"] = oauth.scope_separator.join(scopes)
    if code_verifier is not None:
        challenge: str = create_s256_code_challenge(code_verifier)  # type: ignore[no-untyped-call]
        parameters["code_challenge"] = challenge
        parameters["code_challenge_method"] = "S256"
    sent = {"client_id", "response_type", "redirect_uri", "state", *map(parameter_name, parameters)}
    url: str = prepare_grant_uri(
        _without(fill(oauth.authorization_url, client.variables), sent | REQUEST_OBJECTS),
        client_id=client.client_id,
        response_type="code",
        redirect_uri=redirect_uri,
        state=state,
        **parameters,
    )
    return url


def _without(url: str, names: set[str]) -> str:
    """An address without those parameters. Registration refuses the ones that Patchbay may send, but older
    integrations may have some, such as a `scope` that is the only one.
    """
    address, mark, query = url.partition("?")
    kept = [pair for pair in query.split("&") if parameter_name(pair) not in names]
    return f"{address}{mark}{'&'.join(kept)}"


def exchange_code(
    client: OAuthClient, *, code: str, redirect_uri: str, code_verifier: str | None
) -> TokenSet:
    """Tokens for a code (RFC 6749, 4.1.3), and what the provider's own calls after it tell.

    Raises Refused, Unusable.
    """

    async def ask(session: Session) -> TokenSet:
        more = {} if code_verifier is None else {"code_verifier": code_verifier}
        tokens = await session.token(
            grant_type="authorization_code", code=code, redirect_uri=redirect_uri, **more
        )
        if client.oauth.long_lived is not None:
            tokens = await session.exchange(client.oauth.long_lived, tokens)
        return await session.follow_up(tokens, client.oauth.follow_ups)

    return _run(client, ask, secrets=(code, code_verifier))


def refresh(client: OAuthClient, tokens: TokenSet) -> TokenSet:
    """Fresh tokens; without a refresh token in the answer, the one that was used stays (RFC 6749, 6).

    Raises Refused, Unusable.
    """

    async def ask(session: Session) -> TokenSet:
        if client.oauth.refresh is RefreshStrategy.EXCHANGE:
            if client.oauth.renewal is None:
                raise ValueError("a provider with the strategy exchange says how")
            fresh = await session.exchange(client.oauth.renewal, tokens)
        else:
            fresh = await session.token(grant_type="refresh_token", refresh_token=tokens.refresh_token or "")
        fresh = replace(
            fresh,
            refresh_token=fresh.refresh_token or tokens.refresh_token,
            metadata={**tokens.metadata, **fresh.metadata},
        )
        return await session.follow_up(fresh, [call for call in client.oauth.follow_ups if call.on_refresh])

    return _run(client, ask, secrets=(tokens.refresh_token, tokens.access_token))


def revoke(client: OAuthClient, tokens: TokenSet) -> bool:
    """Take the grant back at the provider; False where it has no way to. Raises Refused, Unusable."""
    revocation = client.oauth.revocation
    if revocation is None:
        return False
    preferred, other = tokens.refresh_token, tokens.access_token
    if revocation.token == "access_token":  # noqa: S105  # a field's name
        preferred, other = other, preferred or other
    token = preferred or other

    async def ask(session: Session) -> bool:
        url = session.address(revocation.url, tokens)
        match revocation.style:
            case "rfc7009":
                hint = None if preferred is None else revocation.token
                response = await session.within(
                    session.http.revoke_token(url, token=token, token_type_hint=hint)
                )
            case "bearer":
                response = await session.call(
                    revocation.method, url, headers={"authorization": f"Bearer {tokens.access_token}"}
                )
            case "token_only":
                response = await session.call("POST", url, data={"token": token})
            case "github":
                basic = (client.client_id, client.client_secret or "")
                url = f"{url}/{quote(client.client_id, safe='')}/grant"
                response = await session.call(
                    "DELETE", url, auth=basic, json={"access_token": tokens.access_token}
                )
        check_revoked(client.oauth, response.status_code, _body(response))
        return True

    return _run(client, ask, secrets=(tokens.refresh_token, tokens.access_token))


# ── one conversation ─────────────────────────────────────────────────────────────────────────────────


class Session:
    """The requests of one conversation with a provider, under one deadline. A request that comes too late
    raises TimeoutError for itself, so that what came before it is not lost with it.
    """

    def __init__(self, client: OAuthClient, http: Any) -> None:
        self.http = http
        self.variables = dict(client.variables)
        self._client = client
        self._deadline = asyncio.get_running_loop().time() + TOTAL_SECONDS

    async def within(self, request: Awaitable[Answer]) -> Answer:
        async with asyncio.timeout_at(self._deadline):
            return await request

    def address(self, url: str, tokens: TokenSet) -> str:
        """An address of the provider's, at the host that a token response named, if it is one of those."""
        named = {name: value for name, value in tokens.metadata.items() if isinstance(value, str)}
        try:
            return fill(url, {**self.variables, **named})
        except KeyError as missing:
            raise Unusable(f"the token response lacks {missing}") from None

    async def token(self, **parameters: str) -> TokenSet:
        """A request to the token endpoint. Authlib gets the answer as `standard` rewrites it."""
        import httpx

        payload: dict[str, Any] = {}

        def standardise(response: httpx.Response) -> httpx.Response:
            token, said = self.read(response)
            payload.update(said)
            return httpx.Response(200, json=token, request=response.request)

        hook = "refresh_token_response" if "refresh_token" in parameters else "access_token_response"
        self.http.register_compliance_hook(hook, standardise)
        url = fill(self._client.oauth.token_url, self.variables)
        if "refresh_token" in parameters:
            request = self.http.refresh_token(url, refresh_token=parameters["refresh_token"])
        else:
            request = self.http.fetch_token(url, **parameters)
        token = await self.within(request)
        return token_set(self._client.oauth, token, payload)

    async def exchange(self, exchange: Exchange, tokens: TokenSet) -> TokenSet:
        """One access token for another; what the answer does not tell stays as it was."""
        parameters = {"grant_type": exchange.grant_type, exchange.token_parameter: tokens.access_token}
        if exchange.send_client_id:
            parameters["client_id"] = self._client.client_id
        if exchange.send_client_secret:
            parameters["client_secret"] = self._client.client_secret or ""
        response = await self.call("GET", self.address(exchange.url, tokens), params=parameters)
        token, payload = self.read(response)
        fresh = token_set(self._client.oauth, token, payload)
        return replace(
            fresh,
            scopes=fresh.scopes or tokens.scopes,
            account_id=fresh.account_id or tokens.account_id,
            account_label=fresh.account_label or tokens.account_label,
            metadata={**tokens.metadata, **fresh.metadata},
        )

    def read(self, response: httpx.Response) -> tuple[dict[str, Any], dict[str, Any]]:
        """An answer's token in the shape of RFC 6749, 5.1, and the whole answer. Raises NoToken."""
        payload = _body(response)
        try:
            token = standard(self._client.oauth, response.status_code, payload)
        except NoToken as no:
            no.retry_after = parse_retry_after(response.headers.get("retry-after"), at_ms(now_ms()))
            raise
        return token, payload

    async def follow_up(self, tokens: TokenSet, calls: list[FollowUp]) -> TokenSet:
        """With what the provider tells on being asked. Only a required call may fail the whole."""
        for call in calls:
            try:
                tokens = await self._follow_up(tokens, call)
            except Unusable as fault:
                if call.required:
                    raise
                logger.warning("follow-up call failed", provider=self._client.provider, reason=fault.reason)
            except _faults() as fault:
                if call.required:
                    raise
                logger.warning(
                    "follow-up call failed", provider=self._client.provider, reason=type(fault).__name__
                )
        return tokens

    async def _follow_up(self, tokens: TokenSet, call: FollowUp) -> TokenSet:
        url = self.address(call.url, tokens)
        if call.auth == "introspection":
            response = await self.within(self.http.introspect_token(url, token=tokens.access_token))
        else:
            scheme = {"bearer": "Bearer", "oauth": "OAuth"}[call.auth]
            response = await self.call(
                "GET", url, headers={"authorization": f"{scheme} {tokens.access_token}"}
            )
        if response.status_code != 200:
            raise Unusable(f"HTTP {response.status_code}")
        payload = _body(response)
        if not isinstance(payload, dict):
            raise Unusable("HTTP 200 without a readable body")
        return tokens.with_follow_up(call, payload)

    async def call(self, method: str, url: str, *, auth: Any = None, **more: Any) -> httpx.Response:
        """A request that carries no token of its own accord."""
        response: httpx.Response = await self.within(self.http.request(method, url, auth=auth, **more))
        return response


def _run(
    client: OAuthClient, ask: Callable[[Session], Awaitable[Answer]], *, secrets: tuple[str | None, ...]
) -> Answer:
    """Have a conversation within the total deadline. Whatever goes wrong becomes Refused or Unusable."""
    hiding = hidden(client, *secrets)
    oauth_client = _authlib()
    transport = _transport()

    async def converse() -> Answer:
        oauth = client.oauth
        method = _AUTH_METHODS[oauth.client_auth]
        async with oauth_client(
            client_id=client.client_id,
            client_secret=client.client_secret,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            timeout=None,
            headers={"user-agent": USER_AGENT, "accept": "application/json"},
        ) as http:
            http.register_client_auth_method(("client_secret_basic", _basic))
            return await ask(Session(client, http))

    try:
        return asyncio.run(converse())
    except Refused as no:
        raise Refused(
            clean(no.code, hiding),
            clean(no.description, hiding),
            ended=no.ended,
            unclear=no.unclear,
            retry_after=no.retry_after,
        ) from None
    except Unusable as fault:
        raise Unusable(
            clean(fault.reason, hiding),
            lost=fault.lost and transport.sent,
            unclear=fault.unclear,
            retry_after=fault.retry_after,
        ) from None
    except TimeoutError:
        raise Unusable(f"no answer within {TOTAL_SECONDS:.0f} s", lost=transport.sent) from None
    except _faults() as fault:
        raise Unusable(_explain(fault), lost=transport.sent) from None


def hidden(client: OAuthClient, *secrets: str | None) -> list[str]:
    """What must not stand in a provider's words as they are shown. Shorter ones would be found in innocent
    words.
    """
    ours = (client.client_secret, _pair(client) if client.client_secret else None)
    return [text for text in (*secrets, *ours) if text and len(text) >= _SHORTEST_SECRET]


def _body(response: httpx.Response) -> Any:
    return token_body.parse(response.content, response.headers.get("content-type"))


def _explain(fault: BaseException) -> str:
    from patchbay.outbound.ssrf_guard import TargetError
    from patchbay.outbound.transport import AnswerTooLarge

    if isinstance(fault, TargetError | AnswerTooLarge):
        return str(fault)
    return f"the connection failed ({type(fault).__name__})"


# ── parts that cost an import, made when first used ──────────────────────────────────────────────────


@cache
def _authlib() -> Any:
    """Authlib's client on httpx."""
    with warnings.catch_warnings():
        import authlib.deprecate  # noqa: F401  # it turns its warnings on: before they are turned off

        warnings.simplefilter("ignore")  # it prefers httpx2, and says so at every import
        from authlib.integrations.httpx_client import AsyncOAuth2Client
    return AsyncOAuth2Client


def _faults() -> tuple[type[Exception], ...]:
    import httpx

    from patchbay.outbound.transport import FAULTS

    # UnicodeError: httpx decodes xn-- names, and not every host that is well written is one.
    return (*FAULTS, httpx.HTTPError, httpx.InvalidURL, UnicodeError)


def _transport() -> GuardedTransport:
    from patchbay.outbound.transport import GuardedTransport

    config = settings()
    return GuardedTransport(
        most=MAX_ANSWER_BYTES,
        https_only=config.https_only,
        allow_loopback=config.patchbay_allow_loopback_targets,
    )


def preload() -> None:
    """Import what a conversation needs now, in Lambda's init phase, which has the full CPU."""
    _authlib()
    _faults()
