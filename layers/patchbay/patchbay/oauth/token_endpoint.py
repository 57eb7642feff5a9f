"""Requests to a provider: the authorization URL, the exchange of codes and refresh tokens, and revocation.

httpx sends them, with Authlib's client authentication, through the SSRF guard: no private address, no
redirect, 10 s in total, a response of at most 64 KB. `token_response` interprets the responses. Nothing here
knows where tokens are stored.
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

from patchbay.clock import from_ms, now_ms
from patchbay.integrations.client import OAuthClient
from patchbay.integrations.config_fields import REQUEST_OBJECTS, parameter_name
from patchbay.oauth import token_body
from patchbay.oauth.token_response import (
    TokenRequestDenied,
    TokenRequestFailed,
    TokenSet,
    UnusableTokenResponse,
    check_revocation,
    parse_token_response,
    sanitize,
)
from patchbay.observability import logger
from patchbay.outbound.retry_after import parse_retry_after
from patchbay.providers.provider import FollowUpRequest, RefreshStrategy, TokenExchange, expand
from patchbay.settings import settings
from patchbay.version import USER_AGENT

if TYPE_CHECKING:
    import httpx

    from patchbay.outbound.transport import GuardedTransport

TOTAL_SECONDS = 10.0
MAX_RESPONSE_BYTES = 64 * 1024
# Shorter secrets would match ordinary words.
MIN_SECRET_LENGTH = 8

_FORM_HEADERS = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
_AUTH_METHODS = {"body": "client_secret_post", "basic": "client_secret_basic", "none": "none"}

Result = TypeVar("Result")


def authorization_url(
    client: OAuthClient, *, redirect_uri: str, scopes: tuple[str, ...], state: str, code_verifier: str | None
) -> str:
    """The URL to send the user to (RFC 6749, 4.1.1; RFC 7636, 4.3: S256)."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    oauth = client.oauth
    parameters: dict[str, str] = dict(oauth.authorize_parameters)
    if scopes:
        parameters["scope"] = oauth.scope_separator.join(scopes)
    if code_verifier is not None:
        challenge: str = create_s256_code_challenge(code_verifier)  # type: ignore[no-untyped-call]  # authlib has no types
        parameters["code_challenge"] = challenge
        parameters["code_challenge_method"] = "S256"
    sent = {"client_id", "response_type", "redirect_uri", "state", *map(parameter_name, parameters)}
    url: str = prepare_grant_uri(
        _without_parameters(expand(oauth.authorization_url, client.variables), sent | REQUEST_OBJECTS),
        client_id=client.client_id,
        response_type="code",
        redirect_uri=redirect_uri,
        state=state,
        **parameters,
    )
    return url


def _without_parameters(url: str, names: set[str]) -> str:
    """`url` without those query parameters. Registration rejects parameters that Patchbay may send, but older
    integrations may have some, such as a `scope`, which stays if Patchbay sends none.
    """
    address, separator, query = url.partition("?")
    remaining = [pair for pair in query.split("&") if parameter_name(pair) not in names]
    return f"{address}{separator}{'&'.join(remaining)}"


def exchange_code(
    client: OAuthClient, *, code: str, redirect_uri: str, code_verifier: str | None
) -> TokenSet:
    """Exchange a code for tokens (RFC 6749, 4.1.3), and add the facts of the provider's follow-ups.

    Raises TokenRequestDenied, UnusableTokenResponse.
    """

    async def exchange(session: Session) -> TokenSet:
        parameters = {"grant_type": "authorization_code", "redirect_uri": redirect_uri, "code": code}
        if code_verifier is not None:
            parameters["code_verifier"] = code_verifier
        tokens = await session.request_token(parameters)
        if client.oauth.long_lived is not None:
            tokens = await session.exchange_token(client.oauth.long_lived, tokens)
        return await session.follow_up(tokens, client.oauth.follow_ups)

    return _run(client, exchange, secrets=(code, code_verifier))


def refresh(client: OAuthClient, tokens: TokenSet) -> TokenSet:
    """Request fresh tokens. Without a new refresh token in the response, the old one stays (RFC 6749, 6).

    Raises TokenRequestDenied, UnusableTokenResponse.
    """

    async def refresh_tokens(session: Session) -> TokenSet:
        if client.oauth.refresh is RefreshStrategy.EXCHANGE:
            if client.oauth.renewal is None:
                raise ValueError("a provider with the strategy exchange needs `renewal`")
            fresh = await session.exchange_token(client.oauth.renewal, tokens)
        else:
            fresh = await session.request_token(
                {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token or ""}
            )
        fresh = replace(
            fresh,
            refresh_token=fresh.refresh_token or tokens.refresh_token,
            metadata={**tokens.metadata, **fresh.metadata},
        )
        follow_ups = [follow_up for follow_up in client.oauth.follow_ups if follow_up.on_refresh]
        return await session.follow_up(fresh, follow_ups)

    return _run(client, refresh_tokens, secrets=(tokens.refresh_token, tokens.access_token))


def revoke(client: OAuthClient, tokens: TokenSet) -> bool:
    """Revoke the grant at the provider. False if the provider has no revocation.

    Raises TokenRequestDenied, UnusableTokenResponse.
    """
    revocation = client.oauth.revocation
    if revocation is None:
        return False
    preferred, other = tokens.refresh_token, tokens.access_token
    if revocation.token == "access_token":  # noqa: S105  # a field's name
        preferred, other = other, preferred or other
    token = preferred or other

    async def revoke_token(session: Session) -> bool:
        url = session.expand_url(revocation.url, tokens)
        match revocation.style:
            case "rfc7009":
                hint = None if preferred is None else revocation.token
                response = await session.before_deadline(
                    session.http.revoke_token(url, token=token, token_type_hint=hint)
                )
            case "bearer":
                response = await session.request(
                    revocation.method, url, headers={"authorization": f"Bearer {tokens.access_token}"}
                )
            case "token_only":
                response = await session.request("POST", url, data={"token": token})
            case "github":
                response = await session.request(
                    "DELETE",
                    f"{url}/{quote(client.client_id, safe='')}/grant",
                    auth=(client.client_id, client.client_secret or ""),
                    json={"access_token": tokens.access_token},
                )
        check_revocation(client.oauth, response.status_code, _parse_body(response))
        return True

    return _run(client, revoke_token, secrets=(tokens.refresh_token, tokens.access_token))


# ── one session ──────────────────────────────────────────────────────────────────────────────────────


class Session:
    """A sequence of requests to one provider, under one deadline. After the deadline, only the request in
    progress raises TimeoutError, so that earlier results are not lost.
    """

    def __init__(self, client: OAuthClient, http: Any) -> None:
        self.http = http  # authlib's AsyncOAuth2Client, which has no types
        self._client = client
        self._deadline = asyncio.get_running_loop().time() + TOTAL_SECONDS

    async def before_deadline(self, request: Awaitable[Result]) -> Result:
        async with asyncio.timeout_at(self._deadline):
            return await request

    async def request(self, method: str, url: str, *, auth: Any = None, **options: Any) -> httpx.Response:
        """A request with no credentials other than those in `auth` and `options`."""
        request: Awaitable[httpx.Response] = self.http.request(method, url, auth=auth, **options)
        return await self.before_deadline(request)

    def expand_url(self, url: str, tokens: TokenSet) -> str:
        """A URL of the provider, possibly at a host that a token response named."""
        named = {name: value for name, value in tokens.metadata.items() if isinstance(value, str)}
        try:
            return expand(url, {**self._client.variables, **named})
        except KeyError as missing:
            raise UnusableTokenResponse(f"the token response has no {missing}") from None

    async def request_token(self, parameters: dict[str, str]) -> TokenSet:
        """A request to the token endpoint (RFC 6749, 3.2), with the client authenticated."""
        response = await self.request(
            "POST",
            expand(self._client.oauth.token_url, self._client.variables),
            auth=self.http.client_auth(_AUTH_METHODS[self._client.oauth.client_auth]),
            headers=_FORM_HEADERS,
            data=parameters,
        )
        return self._parse(response)

    async def exchange_token(self, exchange: TokenExchange, tokens: TokenSet) -> TokenSet:
        """Exchange an access token for another. Values that the response omits stay the same."""
        parameters = {"grant_type": exchange.grant_type, exchange.token_parameter: tokens.access_token}
        if exchange.send_client_id:
            parameters["client_id"] = self._client.client_id
        if exchange.send_client_secret:
            parameters["client_secret"] = self._client.client_secret or ""
        response = await self.request("GET", self.expand_url(exchange.url, tokens), params=parameters)
        fresh = self._parse(response)
        return replace(
            fresh,
            scopes=fresh.scopes or tokens.scopes,
            account_id=fresh.account_id or tokens.account_id,
            account_label=fresh.account_label or tokens.account_label,
            metadata={**tokens.metadata, **fresh.metadata},
        )

    async def follow_up(self, tokens: TokenSet, follow_ups: list[FollowUpRequest]) -> TokenSet:
        """Add the facts that the follow-ups return. Only a required one can fail the whole session."""
        failures: tuple[type[Exception], ...] = (UnusableTokenResponse, *_faults())
        for follow_up in follow_ups:
            try:
                tokens = await self._follow_up(tokens, follow_up)
            except failures as failure:
                if follow_up.required:
                    raise
                has_reason = isinstance(failure, UnusableTokenResponse)
                logger.warning(
                    "follow-up request failed",
                    provider=self._client.provider_label,
                    reason=str(failure) if has_reason else type(failure).__name__,
                )
        return tokens

    async def _follow_up(self, tokens: TokenSet, follow_up: FollowUpRequest) -> TokenSet:
        url = self.expand_url(follow_up.url, tokens)
        if follow_up.auth == "introspection":
            response = await self.before_deadline(self.http.introspect_token(url, token=tokens.access_token))
        else:
            scheme = {"bearer": "Bearer", "oauth": "OAuth"}[follow_up.auth]
            response = await self.request(
                "GET", url, headers={"authorization": f"{scheme} {tokens.access_token}"}
            )
        if response.status_code != 200:
            raise UnusableTokenResponse(f"HTTP {response.status_code}")
        payload = _parse_body(response)
        if not isinstance(payload, dict):
            raise UnusableTokenResponse("HTTP 200 without a readable body")
        return tokens.with_follow_up(follow_up, payload)

    def _parse(self, response: httpx.Response) -> TokenSet:
        try:
            return parse_token_response(self._client.oauth, response.status_code, _parse_body(response))
        except TokenRequestFailed as failure:
            failure.retry_after = parse_retry_after(response.headers.get("retry-after"), from_ms(now_ms()))
            raise


def _run(
    client: OAuthClient, requests: Callable[[Session], Awaitable[Result]], *, secrets: tuple[str | None, ...]
) -> Result:
    """The result of `requests` in a new session. Every failure becomes TokenRequestDenied or
    UnusableTokenResponse, without `secrets` in its text.
    """
    masked = secrets_to_mask(client, *secrets)
    transport = _transport()
    try:
        return asyncio.run(_in_session(client, transport, requests))
    except TokenRequestDenied as denial:
        raise replace(
            denial, code=sanitize(denial.code, masked), description=sanitize(denial.description, masked)
        ) from None
    except UnusableTokenResponse as fault:
        raise replace(
            fault,
            reason=sanitize(fault.reason, masked),
            may_have_succeeded=fault.may_have_succeeded and transport.sent,
        ) from None
    except TimeoutError:
        raise UnusableTokenResponse(f"no response within {TOTAL_SECONDS:.0f} s", transport.sent) from None
    except _faults() as fault:
        raise UnusableTokenResponse(_describe(fault), transport.sent) from None


async def _in_session(
    client: OAuthClient, transport: GuardedTransport, requests: Callable[[Session], Awaitable[Result]]
) -> Result:
    auth_method = _AUTH_METHODS[client.oauth.client_auth]
    async with _authlib()(
        client_id=client.client_id,
        client_secret=client.client_secret,
        token_endpoint_auth_method=auth_method,
        revocation_endpoint_auth_method=auth_method,
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        timeout=None,
        headers={"user-agent": USER_AGENT, "accept": "application/json"},
    ) as http:
        http.register_client_auth_method(("client_secret_basic", _authenticate_basic))
        return await requests(Session(client, http))


def _authenticate_basic(client: Any, _method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
    """RFC 6749, 2.3.1: ID and secret are form-encoded before they are joined. Authlib does not do that."""
    headers["Authorization"] = f"Basic {_basic_credentials(client)}"
    return uri, headers, body


def _basic_credentials(client: OAuthClient) -> str:
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret or '')}"
    return base64.b64encode(pair.encode()).decode()


def secrets_to_mask(client: OAuthClient, *secrets: str | None) -> list[str]:
    """The texts that must not appear in a provider's message. Shorter secrets would match ordinary words."""
    client_secrets = (client.client_secret, _basic_credentials(client) if client.client_secret else None)
    return [text for text in (*secrets, *client_secrets) if text and len(text) >= MIN_SECRET_LENGTH]


def _parse_body(response: httpx.Response) -> object:
    return token_body.parse(response.content, response.headers.get("content-type"))


def _describe(fault: BaseException) -> str:
    from patchbay.outbound.ssrf_guard import TargetError
    from patchbay.outbound.transport import ResponseTooLarge

    if isinstance(fault, TargetError | ResponseTooLarge):
        return str(fault)
    return f"the connection failed ({type(fault).__name__})"


# ── slow imports, deferred until first use ───────────────────────────────────────────────────────────


@cache
def _authlib() -> Any:
    """Authlib's client on httpx."""
    with warnings.catch_warnings():
        import authlib.deprecate  # noqa: F401  # it enables its warnings: import it before they are disabled

        warnings.simplefilter("ignore")  # it prefers httpx2, and warns at every import
        from authlib.integrations.httpx_client import AsyncOAuth2Client
    return AsyncOAuth2Client


def _faults() -> tuple[type[Exception], ...]:
    import httpx

    from patchbay.outbound.transport import FAULTS

    # UnicodeError: httpx decodes xn-- names, and not every well-formed host is a valid one.
    return (*FAULTS, httpx.HTTPError, httpx.InvalidURL, UnicodeError)


def _transport() -> GuardedTransport:
    from patchbay.outbound.transport import GuardedTransport

    config = settings()
    return GuardedTransport(
        max_bytes=MAX_RESPONSE_BYTES,
        https_only=config.https_only,
        allow_loopback=config.patchbay_allow_loopback_targets,
    )


def preload() -> None:
    """Import what a session needs in Lambda's init phase, which has the full CPU."""
    _authlib()
    _faults()
