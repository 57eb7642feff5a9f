"""Each provider file against its recording: the exact requests, and the interpretation of the responses. To
add a provider, add both files.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlsplit

import pytest

from patchbay.errors import AuthorizationFailed
from patchbay.integrations import config
from patchbay.integrations.client import OAuthClient
from patchbay.oauth import flow, refresh_policy, token_endpoint
from patchbay.oauth.models import Callback
from patchbay.oauth.token_response import TokenRequestDenied, TokenSet, UnusableTokenResponse
from patchbay.providers import provider as providers
from patchbay.providers.provider import OAuth, Provider, RefreshStrategy
from patchbay.version import USER_AGENT
from tests.providers import recording
from tests.providers.fake_provider import FakeProvider, ReceivedRequest, Response
from tests.providers.recording import (
    CLIENT_ID,
    CLIENT_SECRET,
    CODE,
    REDIRECT_URI,
    STATE,
    VERIFIER,
    ExpectedRequest,
    ExpectedTokens,
    RecordedExchange,
    Recording,
)

NOW_MS = 1_800_000_000_000
RECORDED = [name for name in providers.names() if name in recording.names()]
OAUTH = [name for name in RECORDED if recording.load(name).authorization is not None]
EXCHANGES = [
    pytest.param(name, exchange, id=f"{name}: {exchange.name}")
    for name in OAUTH
    for exchange in recording.load(name).exchanges
]


def load_provider(name: str) -> Provider:
    provider = providers.load(name)
    assert provider is not None
    return provider


def oauth_of(name: str) -> OAuth:
    oauth = load_provider(name).oauth
    assert oauth is not None
    return oauth


def client_of(name: str) -> OAuthClient:
    """Return the client of an integration with the recording's config, as `integrations.client` builds it."""
    provider = load_provider(name)
    variables = config.variables(provider, recording.load(name).config)
    return OAuthClient(provider.label, oauth_of(name), CLIENT_ID, CLIENT_SECRET, variables)


def test_every_provider_has_a_recording() -> None:
    assert list(providers.names()) == recording.names()


@pytest.mark.parametrize("name", RECORDED)
def test_recording_covers_every_feature_of_its_provider(name: str) -> None:
    provider, recorded = load_provider(name), recording.load(name)
    assert (provider.oauth is None) is (recorded.authorization is None) is (recorded.credentials is not None)
    if provider.oauth is None:
        return
    assert recorded.config.keys() <= provider.variables.keys()
    missing = _expected_exchanges(provider.oauth) - _recorded_exchanges(recorded)
    assert not missing, f"recordings/{name}.toml has no {', '.join(sorted(missing))}"


def _expected_exchanges(oauth: OAuth) -> set[str]:
    expected = {"code for tokens", "denied code"}
    if oauth.refresh not in (RefreshStrategy.NEVER_EXPIRES, RefreshStrategy.REAUTHORIZE_ONLY):
        expected |= {"refresh", "refresh after the grant has ended"}
    if oauth.revocation is not None:
        expected |= {"revocation", "rejected revocation"}
    if oauth.callback or oauth.issuer:
        expected |= {"callback from another server"}
    if any(field.hosts for field in oauth.metadata.values()):
        expected |= {"token response with a foreign address"}
    return expected


def _recorded_exchanges(recorded: Recording) -> set[str]:
    kinds = set()
    for exchange in recorded.exchanges:
        match exchange:
            case RecordedExchange(operation="code", tokens=ExpectedTokens()):
                kinds.add("code for tokens")
            case RecordedExchange(operation="code", denied=denial) if denial is not None:
                kinds.add("denied code")
            case RecordedExchange(operation="code", unusable=fault) if fault and "own URLs" in fault.reason:
                kinds.add("token response with a foreign address")
            case RecordedExchange(operation="code", callback_error=str()):
                kinds.add("callback from another server")
            case RecordedExchange(operation="refresh", tokens=ExpectedTokens()):
                kinds.add("refresh")
            case RecordedExchange(operation="refresh", denied=denial) if (
                denial is not None and denial.grant_ended
            ):
                kinds.add("refresh after the grant has ended")
            case RecordedExchange(operation="revoke", revoked=True):
                kinds.add("revocation")
            case RecordedExchange(operation="revoke", unusable=fault) if fault is not None:
                kinds.add("rejected revocation")
    return kinds


@pytest.mark.parametrize("name", OAUTH)
def test_authorization_url(name: str) -> None:
    expected = recording.load(name).authorization
    assert expected is not None
    client = client_of(name)
    oauth = client.oauth
    assert oauth.pkce is expected.pkce
    url = token_endpoint.authorization_url(
        client,
        redirect_uri=REDIRECT_URI,
        scopes=(*oauth.default_scopes, *oauth.offline_scopes),
        state=STATE,
        code_verifier=VERIFIER if oauth.pkce else None,
    )
    address, _, query = url.partition("?")
    parameters = _parse_unique(query)
    assert address == expected.url
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    assert parameters == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "state": STATE,
        **expected.parameters,
        **({"code_challenge": challenge, "code_challenge_method": "S256"} if expected.pkce else {}),
    }


@pytest.mark.parametrize(("name", "exchange"), EXCHANGES)
def test_exchange_sends_the_recorded_requests_and_reads_the_responses(
    name: str, exchange: RecordedExchange, fake: FakeProvider
) -> None:
    fake.play(
        Response(request.status, request.response.encode(), request.content_type)
        for request in exchange.requests
    )
    client = client_of(name)
    if exchange.callback_error is not None:
        with pytest.raises(AuthorizationFailed, match=re.escape(exchange.callback_error)):
            _after_callback(client, exchange)
        assert fake.requests == []
        return
    client = _after_callback(client, exchange)
    if exchange.denied is not None:
        with pytest.raises(TokenRequestDenied) as denial:
            _run(client, exchange)
        expected = exchange.denied
        assert (denial.value.code, denial.value.description, denial.value.grant_ended) == (
            expected.code,
            expected.description,
            expected.grant_ended,
        )
    elif exchange.unusable is not None:
        with pytest.raises(UnusableTokenResponse) as unusable:
            _run(client, exchange)
        assert (unusable.value.reason, unusable.value.may_have_succeeded) == (
            exchange.unusable.reason,
            exchange.unusable.may_have_succeeded,
        )
    else:
        outcome = _run(client, exchange)
        if isinstance(outcome, bool):
            assert outcome is exchange.revoked
        else:
            assert exchange.tokens is not None
            _check_tokens(client.oauth, outcome, exchange.tokens)
    assert [_as_recorded(request) for request in fake.requests] == [
        _expected(request) for request in exchange.requests
    ]
    assert fake.remaining == 0


def _after_callback(client: OAuthClient, exchange: RecordedExchange) -> OAuthClient:
    """Return the client with the addresses from the callback, as the flow builds it."""
    body = Callback.model_validate({"state": STATE, "code": CODE, **exchange.callback})
    flow._check_issuer(client, body)
    return client.with_variables(flow._callback_variables(client, body))


def _run(client: OAuthClient, exchange: RecordedExchange) -> TokenSet | bool:
    if exchange.operation == "code":
        verifier = VERIFIER if client.oauth.pkce else None
        return token_endpoint.exchange_code(
            client, code=CODE, redirect_uri=REDIRECT_URI, code_verifier=verifier
        )
    tokens = TokenSet(**exchange.tokens_before)
    if exchange.operation == "refresh":
        return token_endpoint.refresh(client, tokens)
    return token_endpoint.revoke(client, tokens)


def _check_tokens(oauth: OAuth, tokens: TokenSet, expected: ExpectedTokens) -> None:
    actual = {name: getattr(tokens, name) for name in ExpectedTokens.model_fields if hasattr(tokens, name)}
    actual["scopes"] = None if tokens.scopes is None else list(tokens.scopes)
    derived = {"expires_after", "due_after", "can_refresh"}
    assert actual == expected.model_dump(exclude=derived)
    expires = refresh_policy.expires_ms(oauth, tokens, NOW_MS)
    due = refresh_policy.due_ms(oauth, tokens, NOW_MS, expires)
    assert (
        _seconds_from_now(expires),
        _seconds_from_now(due),
        refresh_policy.can_refresh(oauth, tokens),
    ) == (
        expected.expires_after,
        expected.due_after,
        expected.can_refresh,
    )


def _seconds_from_now(timestamp_ms: int | None) -> float | str:
    return "never" if timestamp_ms is None else (timestamp_ms - NOW_MS) / 1000


def _as_recorded(request: ReceivedRequest) -> dict[str, Any]:
    """Return a request in the recording format, with the headers that every request must have."""
    target = urlsplit(request.target)
    content_type = request.headers.get("content-type", "").split(";")[0]
    form = json_body = None
    if content_type == "application/x-www-form-urlencoded":
        form = _parse_unique(request.body.decode())
    elif content_type == "application/json":
        json_body = json.loads(request.body)
    else:
        assert request.body == b""
    return {
        "method": request.method,
        "url": f"https://{request.host}{target.path}",
        "query": _parse_unique(target.query),
        "authorization": request.headers.get("authorization"),
        "form": form,
        "json": json_body,
        "accept": request.headers.get("accept"),
        "user-agent": request.headers.get("user-agent"),
        "cookie": request.headers.get("cookie"),
    }


def _expected(request: ExpectedRequest) -> dict[str, Any]:
    form, authorization = request.form, request.authorization
    if request.client == "body":
        assert form is not None
        form = {**form, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    elif request.client != "nowhere":
        encode = quote_plus if request.client == "basic" else str
        authorization = f"{encode(CLIENT_ID)}:{encode(CLIENT_SECRET)}"
        authorization = f"Basic {base64.b64encode(authorization.encode()).decode()}"
    return {
        "method": request.method,
        "url": request.url,
        "query": request.query,
        "authorization": authorization,
        "form": form,
        "json": request.json_body,
        "accept": "application/json",
        "user-agent": USER_AGENT,
        "cookie": None,
    }


def _parse_unique(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    assert len(pairs) == len(dict(pairs)), f"duplicate parameter: {pairs}"
    return dict(pairs)


def test_certificate_for_another_host_is_rejected(fake: FakeProvider) -> None:
    fake.play([])
    client = client_of("hubspot")
    moved = client.oauth.model_copy(update={"token_url": "https://not-recorded.example/token"})
    client = OAuthClient("HubSpot", moved, CLIENT_ID, CLIENT_SECRET)
    with pytest.raises(UnusableTokenResponse) as unusable:
        token_endpoint.exchange_code(client, code=CODE, redirect_uri=REDIRECT_URI, code_verifier=None)
    assert not unusable.value.may_have_succeeded
    assert fake.requests == []


CREDENTIALS = [name for name in RECORDED if recording.load(name).credentials is not None]


@pytest.mark.parametrize("name", CREDENTIALS)
def test_credential_patterns_accept_only_valid_credentials(name: str) -> None:
    credentials, example = load_provider(name).credentials, recording.load(name).credentials
    assert credentials is not None
    assert example is not None

    def is_valid(values: dict[str, str]) -> bool:
        return all(
            re.fullmatch(field.pattern or "", values.get(name, ""))
            for name, field in credentials.fields.items()
        )

    assert credentials.fields.keys() == example.good.keys()
    assert is_valid(example.good)
    for change in example.bad:
        assert not is_valid({**example.good, **change}), change
