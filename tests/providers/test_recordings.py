"""Each provider file against its recording: what is asked of the provider, to the letter, and what is made of
its answers. Adding a provider is adding both files.
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
from patchbay.oauth.token_response import Refused, TokenSet, Unusable
from patchbay.providers import provider as providers
from patchbay.providers.provider import OAuth, Provider, RefreshStrategy
from patchbay.version import USER_AGENT
from tests.providers import recording
from tests.providers.fake_provider import Asked, FakeProvider, Told
from tests.providers.recording import (
    CLIENT_ID,
    CLIENT_SECRET,
    CODE,
    REDIRECT_URI,
    STATE,
    VERIFIER,
    Exchange,
    Recording,
    Request,
    Tokens,
)

NOW_MS = 1_800_000_000_000
RECORDED = [name for name in providers.names() if name in recording.names()]
OAUTH = [name for name in RECORDED if recording.load(name).authorization is not None]
EXCHANGES = [
    pytest.param(name, exchange, id=f"{name}: {exchange.name}")
    for name in OAUTH
    for exchange in recording.load(name).exchanges
]


def provider_named(name: str) -> Provider:
    found = providers.load(name)
    assert found is not None
    return found


def oauth_of(name: str) -> OAuth:
    oauth = provider_named(name).oauth
    assert oauth is not None
    return oauth


def client_of(name: str) -> OAuthClient:
    """As `integrations.client` makes it of an integration with the recording's config."""
    provider = provider_named(name)
    variables = config.variables(provider, recording.load(name).config)
    return OAuthClient(provider.label, oauth_of(name), CLIENT_ID, CLIENT_SECRET, variables)


def test_every_provider_has_a_recording() -> None:
    assert list(providers.names()) == recording.names()


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_has_what_its_provider_does(name: str) -> None:
    provider, recorded = provider_named(name), recording.load(name)
    assert (provider.oauth is None) is (recorded.authorization is None) is (recorded.credentials is not None)
    if provider.oauth is None:
        return
    assert recorded.config.keys() <= provider.variables.keys()
    lacking = _expected_exchanges(provider.oauth) - _recorded_exchanges(recorded)
    assert not lacking, f"recordings/{name}.toml lacks {', '.join(sorted(lacking))}"


def _expected_exchanges(oauth: OAuth) -> set[str]:
    wanted = {"a code for tokens", "a code refused"}
    if oauth.refresh not in (RefreshStrategy.NEVER_EXPIRES, RefreshStrategy.REAUTHORIZE_ONLY):
        wanted |= {"a refresh", "a refresh that says the grant is over"}
    if oauth.revocation is not None:
        wanted |= {"a revocation", "a revocation refused"}
    if oauth.callback or oauth.issuer:
        wanted |= {"a callback of a stranger"}
    if any(kept.hosts for kept in oauth.metadata.values()):
        wanted |= {"a token response that names a stranger's address"}
    return wanted


def _recorded_exchanges(recorded: Recording) -> set[str]:
    kinds = set()
    for exchange in recorded.exchanges:
        match exchange:
            case Exchange(do="code", tokens=Tokens()):
                kinds.add("a code for tokens")
            case Exchange(do="code", refused=r) if r is not None:
                kinds.add("a code refused")
            case Exchange(do="code", unusable=fault) if fault and "own addresses" in fault.reason:
                kinds.add("a token response that names a stranger's address")
            case Exchange(do="code", stranger=str()):
                kinds.add("a callback of a stranger")
            case Exchange(do="refresh", tokens=Tokens()):
                kinds.add("a refresh")
            case Exchange(do="refresh", refused=r) if r is not None and r.ended:
                kinds.add("a refresh that says the grant is over")
            case Exchange(do="revoke", revoked=True):
                kinds.add("a revocation")
            case Exchange(do="revoke", unusable=fault) if fault is not None:
                kinds.add("a revocation refused")
    return kinds


@pytest.mark.parametrize("name", OAUTH)
def test_the_authorization_url(name: str) -> None:
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
    found = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    parameters = dict(found)
    assert len(parameters) == len(found)
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
def test_an_exchange(name: str, exchange: Exchange, fake: FakeProvider) -> None:
    fake.play(
        Told(request.status, request.answer.encode(), request.content_type) for request in exchange.requests
    )
    client = client_of(name)
    if exchange.stranger is not None:
        with pytest.raises(AuthorizationFailed, match=re.escape(exchange.stranger)):
            _called_back(client, exchange)
        assert fake.asked == []
        return
    client = _called_back(client, exchange)
    if exchange.refused is not None:
        with pytest.raises(Refused) as refusal:
            _converse(client, exchange)
        no, expected = refusal.value, exchange.refused
        assert (no.code, no.description, no.ended) == (expected.code, expected.description, expected.ended)
    elif exchange.unusable is not None:
        with pytest.raises(Unusable) as unusable:
            _converse(client, exchange)
        assert (unusable.value.reason, unusable.value.lost) == (
            exchange.unusable.reason,
            exchange.unusable.lost,
        )
    else:
        outcome = _converse(client, exchange)
        if exchange.tokens is None:
            assert outcome is exchange.revoked
        else:
            _check_tokens(client.oauth, outcome, exchange.tokens)
    assert [_plain(asked) for asked in fake.asked] == [_wanted(request) for request in exchange.requests]
    assert fake.left == 0


def _called_back(client: OAuthClient, exchange: Exchange) -> OAuthClient:
    """The client at the addresses that the callback names, as the flow has it."""
    body = Callback.model_validate({"state": STATE, "code": CODE, **exchange.callback})
    flow._check_issuer(client, body)
    return client.at(flow._named(client, body))


def _converse(client: OAuthClient, exchange: Exchange) -> Any:
    if exchange.do == "code":
        verifier = VERIFIER if client.oauth.pkce else None
        return token_endpoint.exchange_code(
            client, code=CODE, redirect_uri=REDIRECT_URI, code_verifier=verifier
        )
    given = TokenSet(**exchange.given)
    return (token_endpoint.refresh if exchange.do == "refresh" else token_endpoint.revoke)(client, given)


def _check_tokens(oauth: OAuth, tokens: TokenSet, expected: Tokens) -> None:
    found = {name: getattr(tokens, name) for name in Tokens.model_fields if hasattr(tokens, name)}
    found["scopes"] = None if tokens.scopes is None else list(tokens.scopes)
    derived = {"expires_after", "due_after", "can_refresh"}
    assert found == expected.model_dump(exclude=derived)
    expires = refresh_policy.expires_ms(oauth, tokens, NOW_MS)
    due = refresh_policy.due_ms(oauth, tokens, NOW_MS, expires)
    assert (_after(expires), _after(due), refresh_policy.can_refresh(oauth, tokens)) == (
        expected.expires_after,
        expected.due_after,
        expected.can_refresh,
    )


def _after(moment: int | None) -> float | str:
    return "never" if moment is None else (moment - NOW_MS) / 1000


def _plain(asked: Asked) -> dict[str, Any]:
    """A request as recordings give it, with what every request has to have."""
    target = urlsplit(asked.target)
    content_type = asked.headers.get("content-type", "").split(";")[0]
    form = json_body = None
    if content_type == "application/x-www-form-urlencoded":
        form = _unique(asked.body.decode())
    elif content_type == "application/json":
        json_body = json.loads(asked.body)
    else:
        assert asked.body == b""
    return {
        "method": asked.method,
        "url": f"https://{asked.host}{target.path}",
        "query": _unique(target.query),
        "authorization": asked.headers.get("authorization"),
        "form": form,
        "json": json_body,
        "accept": asked.headers.get("accept"),
        "user-agent": asked.headers.get("user-agent"),
        "cookie": asked.headers.get("cookie"),
    }


def _wanted(request: Request) -> dict[str, Any]:
    form, authorization = request.form, request.authorization
    if request.client == "body":
        assert form is not None
        form = {**form, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    elif request.client != "nowhere":
        spell = quote_plus if request.client == "basic" else str
        authorization = f"{spell(CLIENT_ID)}:{spell(CLIENT_SECRET)}"
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


def _unique(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    assert len(pairs) == len(dict(pairs)), f"a parameter twice: {pairs}"
    return dict(pairs)


def test_a_certificate_for_another_name_is_refused(fake: FakeProvider) -> None:
    fake.play([])
    client = client_of("hubspot")
    moved = client.oauth.model_copy(update={"token_url": "https://not-recorded.example/token"})
    client = OAuthClient("HubSpot", moved, CLIENT_ID, CLIENT_SECRET)
    with pytest.raises(Unusable) as unusable:
        token_endpoint.exchange_code(client, code=CODE, redirect_uri=REDIRECT_URI, code_verifier=None)
    assert not unusable.value.lost
    assert fake.asked == []


CREDENTIALS = [name for name in RECORDED if recording.load(name).credentials is not None]


@pytest.mark.parametrize("name", CREDENTIALS)
def test_credentials(name: str) -> None:
    credentials, example = provider_named(name).credentials, recording.load(name).credentials
    assert credentials is not None
    assert example is not None

    def fit(values: dict[str, str]) -> bool:
        return all(
            re.fullmatch(field.pattern, values.get(name, "")) for name, field in credentials.fields.items()
        )

    assert credentials.fields.keys() == example.good.keys()
    assert fit(example.good)
    for change in example.bad:
        assert not fit({**example.good, **change}), change
