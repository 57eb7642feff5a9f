"""Authentication and authorization through the API: JWTs, API keys, roles, and scopes."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from local.direct import handler_of
from patchbay.api_model import Empty
from patchbay.auth import jwt as auth_jwt
from patchbay.http import endpoint
from patchbay.settings import ConfigurationError
from tests.conftest import (
    AUDIENCE,
    ISSUER,
    JWT_SECRET,
    ROOT,
    Answer,
    Api,
    Backend,
    clear_caches,
    jwt_for,
    routes_of,
)
from tests.problems import assert_problem

WEBHOOKS = "/api/integrations/webhooks"
KEYS = "/api/integrations/api-keys"
LIST = f"GET {WEBHOOKS}"


def assert_unauthenticated(answer: Answer) -> str:
    """Check a 401 response. Returns its detail."""
    detail: str = assert_problem(answer, 401)["detail"]
    assert answer.headers["www-authenticate"] == "Bearer"
    return detail


def claims(**changes: Any) -> dict[str, Any]:
    """Valid claims with changes. A change to None removes the claim."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "someone",
        "workspace_id": "acme",
        "exp": int(time.time()) + 600,
        "role": "owner",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(header: dict[str, Any], payload: dict[str, Any], key: Any, algorithm: str | None = None) -> str:
    """A token with any header, signed with `algorithm` even if the header's `alg` differs."""
    real = {"alg": algorithm or header["alg"]}
    token = jwt.encode(real, payload, key, algorithms=[real["alg"]])
    if header == real:
        return token
    import joserfc.jws as jws

    algorithm_model = jws.JWSRegistry.algorithms[real["alg"]]
    signing = f"{b64(header)}.{token.split('.')[1]}".encode()
    return f"{signing.decode()}.{b64(algorithm_model.sign(signing, key))}"


SECRET = OctKey.import_key(JWT_SECRET)


# ── JWTs with a shared secret ────────────────────────────────────────────────────────────────────────


def test_hs256_tokens(api: Api, subtests: pytest.Subtests, logs: io.StringIO) -> None:
    """Valid and invalid tokens, in one test because they share a deployment."""
    now = int(time.time())
    good = signed({"alg": "HS256"}, claims(), SECRET)
    assert api(LIST, token=good).status == 200
    rsa = RSAKey.generate_key(2048)
    header, payload, signature = good.split(".")

    tokens = {
        "another secret": signed(
            {"alg": "HS256"}, claims(), OctKey.import_key("another secret of 32 bytes or more!!")
        ),
        "an empty signature": f"{header}.{payload}.",
        "no signature": f"{header}.{payload}",
        "a cut signature": good[:-4],
        "the payload of another": f"{header}.{b64(claims(sub='root'))}.{signature}",
        "alg none": f"{b64({'alg': 'none'})}.{payload}.",
        "alg None": f"{b64({'alg': 'None'})}.{payload}.",
        "alg none, signed": f"{b64({'alg': 'none'})}.{payload}.{signature}",
        "no alg": f"{b64({'typ': 'JWT'})}.{payload}.{signature}",
        "alg a list": f"{b64({'alg': ['HS256']})}.{payload}.{signature}",
        "alg null": f"{b64({'alg': None})}.{payload}.{signature}",
        "HS384": signed({"alg": "HS384"}, claims(), SECRET),
        "HS512": signed({"alg": "HS512"}, claims(), SECRET),
        "hs256": signed({"alg": "hs256"}, claims(), SECRET, "HS256"),
        "RS256": signed({"alg": "RS256"}, claims(), rsa),
        "a public key of its own": signed({"alg": "HS256", "jwk": SECRET.as_dict()}, claims(), SECRET),
        "crit": signed({"alg": "HS256", "crit": ["exp"]}, claims(), SECRET),
        "crit, unknown": signed({"alg": "HS256", "crit": ["x"], "x": 1}, claims(), SECRET),
        "crit, empty": signed({"alg": "HS256", "crit": []}, claims(), SECRET),
        "b64": signed({"alg": "HS256", "b64": False, "crit": ["b64"]}, claims(), SECRET),
        "jku": signed({"alg": "HS256", "jku": "https://evil.test/keys"}, claims(), SECRET),
        "x5u": signed({"alg": "HS256", "x5u": "https://evil.test/cert"}, claims(), SECRET),
        "x5c": signed({"alg": "HS256", "x5c": ["MII"]}, claims(), SECRET),
        "a header that is a list": f"{b64([])}.{payload}.{signature}",
        "a header that is no JSON": f"{b64(b'{')}.{payload}.{signature}",
        "a header that is no UTF-8": f"{b64(bytes([255, 254, 253]))}.{payload}.{signature}",
        "a deep header": f"{b64(b'[' * 3000)}.{payload}.{signature}",
        "a header with a surrogate": f"{b64({'alg': 'HS256', chr(0xD800): 1})}.{payload}.{signature}",
        "a huge header": signed({"alg": "HS256", "x": "a" * 600}, claims(), SECRET),
        "a huge token": signed({"alg": "HS256"}, claims(more="a" * 8192), SECRET),
        "a JWE": f"{header}.{payload}.{signature}.{payload}.{signature}",
        "a payload that is a list": signed_text(b"[]"),
        "a payload that is no JSON": signed_text(b"{"),
        "a payload that is no UTF-8": signed_text(b'{"sub": "\xff"}'),
        "a sub with half of a surrogate pair": signed_text(json.dumps(claims(sub="some\ud800one")).encode()),
        "a deep payload": signed_text(b"[" * 3000),
        "padding": f"{header}==.{payload}.{signature}",
        "garbage": "garbage",
        "dots": "..",
        "a dot": ".",
        "a null byte": "\u0000",
        "not ASCII": "é.é.é",
        "two tokens": f"{good}, {good}",
        "a key of production": "sk_live_" + "a" * 57,
        "a key's prefix": "sk_test_",
        "a key cut off": "sk_test_" + "a" * 20,
        "a key that is not ASCII": "sk_test_" + "é" * 57,
    }
    for name, token in tokens.items():
        with subtests.test(name):
            assert_unauthenticated(api(LIST, token=token))

    bad_claims: dict[str, dict[str, Any]] = {
        "no exp": {"exp": None},
        "exp 61 s ago": {"exp": now - 61},
        "exp as text": {"exp": str(now + 600)},
        "exp true": {"exp": True},
        "exp a list": {"exp": [now + 600]},
        "exp 0": {"exp": 0},
        "exp infinite": {"exp": float("inf")},
        "exp NaN": {"exp": float("nan")},
        "nbf in an hour": {"nbf": now + 3600},
        "iat in an hour": {"iat": now + 3600},
        "no iss": {"iss": None},
        "another iss": {"iss": "https://evil.test"},
        "iss with a slash": {"iss": ISSUER + "/"},
        "iss a list": {"iss": [ISSUER]},
        "no aud": {"aud": None},
        "another aud": {"aud": "other"},
        "aud a list without us": {"aud": ["other", "another"]},
        "aud an empty list": {"aud": []},
        "aud an object": {"aud": {AUDIENCE: 1}},
        "no sub": {"sub": None},
        "an empty sub": {"sub": ""},
        "sub a number": {"sub": 5},
        "sub a list": {"sub": ["someone"]},
        "no workspace": {"workspace_id": None},
        "an empty workspace": {"workspace_id": ""},
        "workspace a number": {"workspace_id": 5},
        "workspace a list": {"workspace_id": ["acme"]},
        "workspace with a hash": {"workspace_id": "acme#rival"},
        "workspace with a slash": {"workspace_id": "acme/../rival"},
        "workspace with a newline": {"workspace_id": "acme\n"},
        "workspace not ASCII": {"workspace_id": "ácme"},
        "workspace of 65": {"workspace_id": "a" * 65},
        "role a list": {"role": ["owner"]},
        "scope a list": {"scope": ["webhooks:read"]},
        "scope an object": {"scope": {"webhooks:read": True}},
    }
    for name, changes in bad_claims.items():
        with subtests.test(name):
            assert_unauthenticated(api(LIST, token=signed({"alg": "HS256"}, claims(**changes), SECRET)))

    good_claims: dict[str, dict[str, Any]] = {
        "exp 50 s ago": {"exp": now - 50},
        "exp with a fraction": {"exp": now + 60.5},
        "nbf in 50 s": {"nbf": now + 50},
        "aud a list with us": {"aud": ["other", AUDIENCE]},
        "workspace of 64": {"workspace_id": "a_-" + "Z" * 61},
        "an unusual sub": {"sub": "auth0|<b>#é\u0000"},
        "unknown claims": {"email": "a@b.test", "jti": "1"},
    }
    for name, changes in good_claims.items():
        with subtests.test(name):
            assert api(LIST, token=signed({"alg": "HS256"}, claims(**changes), SECRET)).status == 200
    with subtests.test("an unnecessary kid"):
        assert api(LIST, token=signed({"alg": "HS256", "kid": "1"}, claims(), SECRET)).status == 200
    with subtests.test("no token in the logs"):
        assert signature not in logs.getvalue()


def signed_text(payload: bytes) -> str:
    """A correctly signed token with any payload."""
    import joserfc.jws as jws

    return jws.serialize_compact({"alg": "HS256"}, payload, SECRET, algorithms=["HS256"])


def test_credential_headers(api: Api, subtests: pytest.Subtests) -> None:
    token = jwt_for("acme")
    created = api(f"POST {KEYS}", json={"name": "a", "scopes": ["webhooks:read"]}).json()
    key = created["key"]
    other = api(f"POST {KEYS}", json={"name": "b", "scopes": ["webhooks:read"]}).json()["key"]

    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"bearer {token}"},
        {"Authorization": f"BEARER   {token} "},
        {"Authorization": f"Bearer {key}"},
        {"X-API-Key": key},
        {"X-API-Key": f" {key} "},
        {"Authorization": f"Bearer {key}", "X-API-Key": key},
    ):
        with subtests.test(f"accepted: {redacted(headers, key, token)}"):
            assert api(LIST, token=None, headers=headers).status == 200
    for headers in (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": token},
        {"Authorization": key},
        {"Authorization": f"Basic {b64(key.encode())}"},
        {"Authorization": f"Token {token}"},
        {"Authorization": f"Bearer {token} {token}"},
        {"X-API-Key": ""},
        {"X-API-Key": token},
        {"X-API-Key": f"Bearer {key}"},
        {"Authorization": f"Bearer {token}", "X-API-Key": key},
        {"Authorization": f"Bearer {token}", "X-API-Key": token},
        {"Authorization": f"Bearer {key}", "X-API-Key": other},
        {"Authorization": "Basic YTpi", "X-API-Key": key},
        {"Cookie": f"token={token}"},
        {"X-Amz-Security-Token": token, "Proxy-Authorization": f"Bearer {token}"},
    ):
        with subtests.test(f"refused: {redacted(headers, key, token)}"):
            assert_unauthenticated(api(LIST, token=None, headers=headers))
    for query in (
        f"access_token={token}",
        f"token={token}",
        f"api_key={key}",
        f"apikey={key}&key={key}",
        f"authorization=Bearer%20{token}",
        f"x-api-key={key}",
    ):
        with subtests.test(f"in the query: {query[:20]}"):
            assert_unauthenticated(api(f"{LIST}?{query}", token=None))
    for name, wrong in {
        "another secret": key[:-20] + ("a" if key[-20] != "a" else "b") + key[-19:],
        "another id": created["maskedKey"][:8] + key[8:][::-1],
        "upper case": key.upper(),
        "cut": key[:-1],
        "longer": key + "a",
    }.items():
        with subtests.test(f"a key with {name}"):
            detail = assert_unauthenticated(api(LIST, token=wrong))
            assert wrong not in detail
    with subtests.test("revoked"):
        assert api(f"DELETE {KEYS}/{created['id']}").status == 200
        assert_unauthenticated(api(LIST, token=key))


def redacted(headers: dict[str, str], key: str, token: str) -> str:
    return str(headers).replace(key, "<key>").replace(token, "<jwt>")


@pytest.mark.parameters(JwtWorkspaceClaim="https://x.test/ws", JwtRoleClaim="r", JwtScopeClaim="scp")
def test_claim_names_are_configurable(api: Api) -> None:
    custom = {"workspace_id": None, "role": None, "https://x.test/ws": "acme", "r": "viewer"}
    token = signed({"alg": "HS256"}, claims(**custom), SECRET)
    assert api(LIST, token=token).status == 200
    assert_problem(api(f"POST {WEBHOOKS}", json={}, token=token), 403)
    scoped = signed({"alg": "HS256"}, claims(**custom, scp="webhooks:write"), SECRET)
    assert api(f"POST {WEBHOOKS}", json={}, token=scoped).status == 422
    assert_unauthenticated(api(LIST, token=signed({"alg": "HS256"}, claims(), SECRET)))


def test_short_secret_is_refused(api: Api, backend: Backend, logs: io.StringIO) -> None:
    arn = backend.environment["JWT_SECRET_ARN"]
    backend.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="short" * 6)
    short = signed({"alg": "HS256"}, claims(), OctKey.import_key("short" * 6))
    answer = api(LIST, token=short)
    assert_problem(answer, 500, "internal")
    assert "32 bytes" in logs.getvalue()
    assert "short" * 6 not in logs.getvalue()


# ── JWTs under a JWKS ────────────────────────────────────────────────────────────────────────────────


@dataclass
class Platform:
    """Serves the platform's JWKS on loopback. Tests can replace `answer`. `seconds` is the clock."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    fetched: int = 0
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None
    seconds: float = 1000.0

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        self.fetched += 1
        if self.answer:
            self.answer(request)
        else:
            reply(request, 200, json.dumps({"keys": self.keys}).encode())


def reply(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    served = Platform(keys=[RSA.as_dict(private=False), EC.as_dict(private=False)])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.serve(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
    monkeypatch.setattr(auth_jwt, "time", SimpleNamespace(monotonic=lambda: served.seconds))
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture
def jwks_api(backend: Backend, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A deployment with a JWKS. The template accepts only https, so the URL is set afterwards."""
    monkeypatch.setenv("JWKS_URL", platform.url)
    clear_caches()
    return Api(backend.template)


jwks = pytest.mark.parameters(JwksUrl="https://platform.test/jwks.json")


@jwks
def test_jwks_tokens(jwks_api: Api, platform: Platform, subtests: pytest.Subtests) -> None:
    other_rsa = RSAKey.generate_key(2048)
    p384 = ECKey.generate_key("P-384", {"kid": "p384"})
    encryption = RSAKey.generate_key(2048)
    shared = OctKey.generate_key(256, {"kid": "oct"})
    platform.keys += [
        p384.as_dict(private=False),
        {**encryption.as_dict(private=False), "kid": "enc", "use": "enc"},
        shared.as_dict(private=True),
        {"kty": "FUTURE", "kid": "future", "x": "AA"},  # RFC 7517, 5: ignored
    ]
    for name, token in {
        "RS256": signed({"alg": "RS256", "kid": "rsa"}, claims(), RSA),
        "ES256": signed({"alg": "ES256", "kid": "ec"}, claims(), EC),
        "typ at+jwt": signed({"alg": "ES256", "kid": "ec", "typ": "at+jwt"}, claims(), EC),
    }.items():
        with subtests.test(name):
            assert jwks_api(LIST, token=token).status == 200
    public = [
        RSA.as_pem(private=False),
        RSA.as_der(private=False),
        json.dumps(RSA.as_dict(private=False)).encode(),
    ]
    tokens = {
        f"HS256 with the public key {number}": signed(
            {"alg": "HS256", "kid": "rsa"}, claims(), OctKey.import_key(b64(key).encode())
        )
        for number, key in enumerate(public)
    }
    tokens |= {
        f"HS256 with the raw public key {number}": sign_hs256({"alg": "HS256", "kid": "rsa"}, claims(), key)
        for number, key in enumerate(public)
    }
    tokens |= {
        "HS256 with the shared secret of other deployments": signed({"alg": "HS256"}, claims(), SECRET),
        "HS256 with a key of the JWKS": signed({"alg": "HS256", "kid": "oct"}, claims(), shared),
        "none": f"{b64({'alg': 'none', 'kid': 'rsa'})}.{b64(claims())}.",
        "another RSA key": signed({"alg": "RS256", "kid": "rsa"}, claims(), other_rsa),
        "an EC key called RSA": signed({"alg": "RS256", "kid": "ec"}, claims(), RSA),
        "an RSA key called EC": signed({"alg": "ES256", "kid": "rsa"}, claims(), EC),
        "a P-384 key": signed({"alg": "ES256", "kid": "p384"}, claims(), EC),
        "ES384": signed({"alg": "ES384", "kid": "p384"}, claims(), p384),
        "PS256": signed({"alg": "PS256", "kid": "rsa"}, claims(), RSA),
        "RS512": signed({"alg": "RS512", "kid": "rsa"}, claims(), RSA),
        "a key for encryption": signed({"alg": "RS256", "kid": "enc"}, claims(), encryption),
        "an unknown kid": signed({"alg": "RS256", "kid": "unknown"}, claims(), RSA),
        "no kid, though there are several": signed({"alg": "RS256"}, claims(), RSA),
        "a kid that is no text": signed({"alg": "RS256", "kid": ["rsa"]}, claims(), RSA),
        "a kid that is a number": signed({"alg": "RS256", "kid": 0}, claims(), RSA),
        "its own key": signed({"alg": "RS256", "jwk": other_rsa.as_dict(private=False)}, claims(), other_rsa),
        "its own JWKS": signed({"alg": "RS256", "kid": "rsa", "jku": platform.url}, claims(), RSA),
        "expired": signed({"alg": "RS256", "kid": "rsa"}, claims(exp=int(time.time()) - 61), RSA),
        "another audience": signed({"alg": "ES256", "kid": "ec"}, claims(aud="other"), EC),
        "a signature cut off": signed({"alg": "ES256", "kid": "ec"}, claims(), EC)[:-10],
        "garbage": "a.b.c",
    }
    for name, token in tokens.items():
        with subtests.test(name):
            assert_unauthenticated(jwks_api(LIST, token=token))
    assert platform.fetched == 1


def sign_hs256(header: dict[str, Any], payload: dict[str, Any], secret: bytes) -> str:
    """Sign with any secret. Libraries refuse to use a public key's text as an HMAC key (CVE-2016-5431)."""
    import hashlib
    import hmac

    text = f"{b64(header)}.{b64(payload)}"
    return f"{text}.{b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"


@jwks
def test_garbage_causes_no_jwks_fetch_and_a_single_key_needs_no_kid(
    jwks_api: Api, platform: Platform
) -> None:
    for token in ("garbage", "a.b.c", signed({"alg": "HS256"}, claims(), SECRET), "sk_test_x"):
        assert_unauthenticated(jwks_api(LIST, token=token))
    assert platform.fetched == 0
    platform.keys = [EC.as_dict(private=False)]
    assert jwks_api(LIST, token=signed({"alg": "ES256"}, claims(), EC)).status == 200


@pytest.mark.parameters(
    JwksUrl="https://platform.test/jwks.json",
    JwtIssuer="https://login.yourplatform.com",
    JwtAudience="patchbay",
)
def test_documented_login_issues_accepted_tokens(
    jwks_api: Api, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs in docs/operate/tokens.md work, and issue the kind of token that the page shows."""
    page = (ROOT / "docs/operate/tokens.md").read_text()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "documented"}
    for program in ("create_keys.py", "issue_token.py"):
        (code,) = re.findall(rf'```python title="{program}"\n(.*?)```', page, re.DOTALL)
        exec(code, names)  # noqa: S102  # the test proves that it runs unchanged
    platform.keys = json.loads((tmp_path / "jwks.json").read_text())["keys"]
    token = names["issue"]("usr_8123", "acme", "admin")
    caller = jwks_api("GET /api/me", token=token).json()
    found = (caller["workspaceId"], caller["id"], caller["role"])
    assert found == ("acme", "user:usr_8123", "admin")
    header, shown = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)[:2])
    decoded = jwt.decode(token, names["key"], algorithms=["ES256"])
    assert (decoded.header.keys(), decoded.claims.keys()) == (header.keys(), shown.keys())


@jwks
def test_unknown_kid_refetches_the_jwks_at_most_every_five_minutes(jwks_api: Api, platform: Platform) -> None:
    """Callers cannot cause many fetches with invented key IDs, and a new key is found soon."""
    new = ECKey.generate_key("P-256", {"kid": "new"})
    token = signed({"alg": "ES256", "kid": "new"}, claims(), new)
    known = signed({"alg": "ES256", "kid": "ec"}, claims(), EC)
    assert jwks_api(LIST, token=known).status == 200
    platform.keys.append(new.as_dict(private=False))
    for _ in range(3):
        assert_unauthenticated(jwks_api(LIST, token=token))
    platform.seconds += 299
    assert_unauthenticated(jwks_api(LIST, token=token))
    assert platform.fetched == 1
    platform.seconds += 2
    assert jwks_api(LIST, token=token).status == 200
    assert platform.fetched == 2
    for number in range(5):
        assert_unauthenticated(
            jwks_api(LIST, token=signed({"alg": "ES256", "kid": f"x{number}"}, claims(), new))
        )
    assert platform.fetched == 2


@jwks
def test_withdrawn_key_is_refused_within_an_hour(jwks_api: Api, platform: Platform) -> None:
    token = signed({"alg": "ES256", "kid": "ec"}, claims(), EC)
    assert jwks_api(LIST, token=token).status == 200
    platform.keys = [RSA.as_dict(private=False)]
    platform.seconds += 3601
    assert_unauthenticated(jwks_api(LIST, token=token))
    assert jwks_api(LIST, token=signed({"alg": "RS256", "kid": "rsa"}, claims(), RSA)).status == 200


@jwks
def test_withdrawn_key_is_refused_after_a_refetch(jwks_api: Api, platform: Platform) -> None:
    token = signed({"alg": "ES256", "kid": "ec"}, claims(), EC)
    assert jwks_api(LIST, token=token).status == 200
    platform.keys = [RSA.as_dict(private=False)]
    platform.seconds += 301
    assert_unauthenticated(jwks_api(LIST, token=signed({"alg": "ES256", "kid": "unknown"}, claims(), EC)))
    assert_unauthenticated(jwks_api(LIST, token=token))


@jwks
def test_unavailable_jwks_returns_502(
    jwks_api: Api, platform: Platform, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed({"alg": "ES256", "kid": "ec"}, claims(), EC)
    good = json.dumps({"keys": platform.keys})
    elsewhere: list[str] = []

    def redirect(request: BaseHTTPRequestHandler) -> None:
        if request.path == "/jwks.json":
            reply(request, 302, b"", Location="/elsewhere")
        else:
            elsewhere.append(request.path)
            reply(request, 200, good.encode())

    dripped: list[bytes] = []

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(2000):
            platform.seconds += 1  # one byte per second
            try:
                request.wfile.write(b" ")
            except OSError:
                return  # the caller closed the connection
            dripped.append(b" ")
            time.sleep(0.002)

    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
        "404": lambda request: reply(request, 404, good.encode()),
        "500": lambda request: reply(request, 500, b""),
        "204": lambda request: reply(request, 204, b""),
        "a redirect": redirect,
        "over 64 KB": lambda request: reply(request, 200, good.encode().ljust(64 * 1024 + 1)),
        "a slow response": drip,
        "no JSON": lambda request: reply(request, 200, b"<html>"),
        "no UTF-8": lambda request: reply(request, 200, b"\xff\xfe\xfd"),
        "a list": lambda request: reply(request, 200, b"[]"),
        "text": lambda request: reply(request, 200, b'"keys"'),
        "null": lambda request: reply(request, 200, b"null"),
        "no keys": lambda request: reply(request, 200, b"{}"),
        "keys of null": lambda request: reply(request, 200, b'{"keys": null}'),
        "an empty set": lambda request: reply(request, 200, b'{"keys": []}'),
        "keys that are none": lambda request: reply(request, 200, b'{"keys": [1, null, "x"]}'),
        "a broken key": lambda request: reply(
            request, 200, b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "!", "y": "!"}]}'
        ),
        "a key of a curve that is none": lambda request: reply(
            request, 200, b'{"keys": [{"kty": "EC", "crv": "P-1", "x": "AA", "y": "AA"}]}'
        ),
        "depth": lambda request: reply(request, 200, b"[" * 60_000),
        "broken gzip": lambda request: reply(request, 200, b"nope", **{"Content-Encoding": "gzip"}),
        "a cut answer": lambda request: reply(request, 200, b"{", **{"Content-Length": "500"}),
    }
    for name, answer in answers.items():
        with subtests.test(name):
            clear_caches()
            platform.answer = answer
            detail = assert_problem(response := jwks_api(LIST, token=token), 502, "upstream_failed")["detail"]
            assert int(header(response, "retry-after")) > 0
            assert platform.url not in detail
    assert elsewhere == []
    with subtests.test("a slow response is aborted"):
        assert len(dripped) < 1000

    with subtests.test("64 KB to the byte"):
        clear_caches()
        platform.answer = lambda request: reply(request, 200, good.encode().ljust(64 * 1024))
        assert jwks_api(LIST, token=token).status == 200
    with subtests.test("connection refused"):
        clear_caches()
        monkeypatch.setenv("JWKS_URL", "http://127.0.0.1:1/jwks.json")
        assert_problem(jwks_api(LIST, token=token), 502, "upstream_failed")


@jwks
def test_failed_jwks_refresh_keeps_the_cached_keys(jwks_api: Api, platform: Platform) -> None:
    token = signed({"alg": "ES256", "kid": "ec"}, claims(), EC)
    assert jwks_api(LIST, token=token).status == 200
    platform.answer = lambda request: reply(request, 503, b"")
    platform.seconds += 301
    for _ in range(3):
        assert_unauthenticated(jwks_api(LIST, token=signed({"alg": "ES256", "kid": "unknown"}, claims(), EC)))
    assert platform.fetched == 2
    assert jwks_api(LIST, token=token).status == 200


def header(answer: Answer, name: str) -> str:
    return {key.lower(): value for key, value in answer.headers.items()}[name]


# ── roles and scopes ─────────────────────────────────────────────────────────────────────────────────

VIEWER = {
    "integrations:read",
    "connections:read",
    "webhooks:read",
    "events:read",
    "analytics:read",
    "flows:read",
}
MEMBER = VIEWER | {"connections:write", "webhooks:write", "automations:use", "flows:write"}
ADMIN = MEMBER | {
    *("integrations:write", "integrations:publish", "events:publish"),
    *("api-keys:read", "api-keys:write", "api-keys:verify"),
    "audit:read",
}
OWNER = ADMIN | {
    "credentials:read",
    "credentials:use",
    "credentials:write",
    "workspace:delete",
    "workspace:export",
}
ROLES = {"viewer": VIEWER, "member": MEMBER, "admin": ADMIN, "owner": OWNER}
PLATFORM_ONLY = {"actions:handle", "publications:review"}
# By path prefix, the scopes that do not follow the rule `:read` for GET and `:write` for other methods.
SCOPE_BY_PREFIX = {
    "/api/automations/": "automations:use",
    "/api/actions/": "actions:handle",
    "/api/publications": "publications:review",
}
SCOPE_BY_ROUTE = {
    "POST /api/events": "events:publish",
    "POST /api/events/batch": "events:publish",
    "POST /api/integrations/api-keys/verify": "api-keys:verify",
    "GET /api/deliveries": "webhooks:read",
    "DELETE /api/events/x/data": "events:publish",
    "POST /api/flows/dry-run": "flows:read",
    "PUT /api/workspace": "workspace:delete",
    "DELETE /api/workspace": "workspace:delete",
    "POST /api/connect/sessions": "connections:write",
    "GET /api/connect/sessions": "connections:read",
    "DELETE /api/connect/sessions/x": "connections:write",
    "POST /api/workspace/export": "workspace:export",
}


# This route requires only valid credentials.
WHO_AM_I = "GET /api/me"


@dataclass(frozen=True)
class Route:
    """A route of the template and the scope that its handler requires."""

    line: str
    scope: str | None


def routes(backend: Backend) -> list[Route]:
    functions = backend.template.functions()
    result = []
    for route in routes_of(backend.template):
        handler = handler_of(functions[route.function])
        line = re.sub(r"{\w+\+?}", "x", route.key) if route.path else "GET /no-such-route"
        if line != WHO_AM_I:
            result.append(Route(line, handler.endpoint["scope"]))
    return result


def test_every_route_that_is_not_public_requires_its_scope(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    all_routes = routes(backend)
    public = {route.line for route in all_routes if route.scope is None}
    callback = "GET /api/integrations/x/oauth/callback"  # providers redirect browsers to it
    docs = {"GET /api/openapi.json", "GET /api/docs", "GET /api/docs/x"}
    pages = {"GET /console", "GET /console/x", "GET /connect", "GET /connect/x"}
    any_scope = {
        "GET /api/workspace",
        "POST /api/portal/sessions",
        "GET /api/portal/sessions",
        "DELETE /api/portal/sessions/x",
    }
    with_secret = {"POST /api/portal/sessions/exchange", "GET /api/connect/session"}  # a code and a link
    assert public == {
        "GET /api/health",
        "GET /no-such-route",
        callback,
        *docs,
        *pages,
        *any_scope,
        *with_secret,
    }
    for route in all_routes:
        with subtests.test(route.line):
            if route.line in with_secret:
                body = {"code": "garbage"} if route.line.startswith("POST") else None
                assert_unauthenticated(api(route.line, json=body, token="garbage"))
                continue
            if route.line in any_scope:
                assert_unauthenticated(api(route.line, token=None))
                assert_unauthenticated(api(route.line, token="garbage"))
                continue
            if route.scope is None:
                assert api(route.line, token=None).status in (200, 404)
                continue
            method, _, path = route.line.partition(" ")
            rule = ":read" if method == "GET" else ":write"
            special = [scope for prefix, scope in SCOPE_BY_PREFIX.items() if path.startswith(prefix)]
            usual = special[0] if special else route.scope.partition(":")[0] + rule
            assert route.scope == SCOPE_BY_ROUTE.get(route.line, usual)
            assert route.scope in OWNER | PLATFORM_ONLY
            assert_unauthenticated(api(route.line, token=None))
            assert_unauthenticated(api(route.line, token="garbage"))
            unrelated = jwt_for("acme", scope="posts:read")
            assert route.scope in assert_problem(api(route.line, token=unrelated), 403)["detail"]
            others = " ".join(OWNER - {route.scope})
            assert (
                route.scope
                in assert_problem(api(route.line, token=jwt_for("acme", scope=others)), 403)["detail"]
            )
            workspace = "platform" if route.scope in PLATFORM_ONLY else "acme"
            allowed = api(route.line, token=jwt_for(workspace, scope=route.scope), json={})
            assert allowed.status in (200, 202, 400, 404, 422), allowed


def test_any_valid_credentials_get_who_they_belong_to(api: Api) -> None:
    answer = api(WHO_AM_I, token=jwt_for("acme", role="viewer"))
    assert answer.json() == {
        "workspaceId": "acme",
        "id": "user:someone",
        "type": "user",
        "role": "viewer",
        "scopes": sorted(ROLES["viewer"]),
        "key": None,
        "session": None,
    }
    scoped = api(WHO_AM_I, token=jwt_for("acme", role="owner", scope="openid posts:read")).json()
    assert (scoped["role"], scoped["scopes"]) == (None, ["posts:read"])
    nothing = api(WHO_AM_I, token=jwt_for("acme", role=None))
    assert (nothing.status, nothing.json()["scopes"]) == (200, [])

    body = {
        "name": "ci",
        "scopes": ["posts:read"],
        "rateLimitPerHour": 7,
        "expiresAt": "2999-01-01T00:00:00.000Z",
    }
    key = api(f"POST {KEYS}", json=body).json()
    answer = api(WHO_AM_I, token=key["key"])
    assert answer.json() == {
        "workspaceId": "acme",
        "id": key["id"],
        "type": "key",
        "role": None,
        "scopes": ["posts:read"],
        "key": {
            name: key[name] for name in ("id", "maskedKey", "rateLimitPerDay", *body) if name != "scopes"
        },
        "session": None,
    }
    assert answer.headers["x-ratelimit-remaining"] == "6"
    assert_unauthenticated(api(WHO_AM_I, token=None))
    assert_unauthenticated(api(WHO_AM_I, token=f"{key['key'][:-1]}!"))
    assert api(f"DELETE {KEYS}/{key['id']}").status == 200
    assert_unauthenticated(api(WHO_AM_I, token=key["key"]))


def test_roles_imply_their_scopes(api: Api, backend: Backend, subtests: pytest.Subtests) -> None:
    """A role grants exactly its scopes, and can call exactly the routes that require them."""
    from patchbay.auth.scopes import granted_scopes

    for role, scopes in ROLES.items():
        with subtests.test(role):
            assert granted_scopes(role, None, platform=False) == scopes
    for role in ("", "Owner", "root", "owner ", "admin,owner", "superuser"):
        with subtests.test(f"role {role!r}"):
            assert granted_scopes(role, None, platform=True) == set()
            assert_problem(api(LIST, token=jwt_for("acme", role=role)), 403)
    with subtests.test("no role and no scope"):
        assert_problem(api(LIST, token=jwt_for("acme", role=None)), 403)

    for route in routes(backend):
        for role, scopes in ROLES.items():
            if route.scope is None:
                continue
            with subtests.test(f"{route.line} as {role}"):
                answer = api(route.line, token=jwt_for("acme", role=role), json={})
                assert (answer.status == 403) == (route.scope not in scopes), answer


def test_scope_overrides_role(api: Api, subtests: pytest.Subtests) -> None:
    read, write = LIST, f"POST {WEBHOOKS}"
    for name, token, statuses in (
        ("a scope claim reduces an owner's scopes", {"role": "owner", "scope": "webhooks:read"}, (200, 403)),
        (
            "a scope claim extends a viewer's scopes",
            {"role": "viewer", "scope": "webhooks:write"},
            (403, 422),
        ),
        ("an empty scope claim grants nothing", {"role": "owner", "scope": ""}, (403, 403)),
        ("other scopes are ignored", {"scope": "openid profile  webhooks:read posts:read"}, (200, 403)),
        ("separated by spaces only", {"scope": "webhooks:read,webhooks:write"}, (403, 403)),
        ("no wildcards", {"scope": "* *:* webhooks:* webhooks"}, (403, 403)),
        ("case matters", {"scope": "Webhooks:Read WEBHOOKS:READ"}, (403, 403)),
    ):
        with subtests.test(name):
            bearer = jwt_for("acme", claims=None, **token)
            assert (api(read, token=bearer).status, api(write, token=bearer, json={}).status) == statuses


def test_actions_handle_is_reserved_for_the_platform(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    """A caller can grant a key only scopes that it has, so a grant shows whether it has one."""
    line, body = f"POST {KEYS}", {"name": "a", "scopes": ["actions:handle"]}
    for workspace, role, scope, status in (
        ("platform", "owner", None, 201),
        ("platform", "admin", None, 201),
        ("platform", None, "api-keys:write actions:handle", 201),
        ("platform", None, "api-keys:write", 403),
        ("acme", "owner", None, 403),
        ("acme", "admin", None, 403),
        ("acme", None, "api-keys:write actions:handle", 403),
        ("Platform", "owner", None, 403),
    ):
        with subtests.test(f"{workspace}, {role}, {scope}"):
            answer = api(line, json=body, token=jwt_for(workspace, role=role, scope=scope))
            assert answer.status == status, answer
            if status == 403:
                assert "actions:handle" in assert_problem(answer, 403)["detail"]


def test_callers_cannot_grant_more_than_they_have(api: Api, subtests: pytest.Subtests) -> None:
    line = f"POST {KEYS}"
    for name, token, scopes, status in (
        ("an admin, an owner's scope", {"role": "admin"}, ["credentials:read"], 403),
        ("an admin, the platform's scopes", {"role": "admin"}, ["posts:read", "webhooks:read"], 201),
        ("a scope token, another scope", {"scope": "api-keys:write"}, ["webhooks:read"], 403),
        ("a scope token, the platform's", {"scope": "api-keys:write", "role": "owner"}, ["posts:read"], 403),
        ("a holder of the platform's", {"scope": "api-keys:write posts:read"}, ["posts:read"], 201),
        ("one own scope, one other", {"role": "admin"}, ["webhooks:read", "workspace:delete"], 403),
    ):
        with subtests.test(name):
            answer = api(
                line, json={"name": "a", "scopes": scopes}, token=jwt_for("acme", claims=None, **token)
            )
            assert answer.status == status, answer

    parent = {
        "name": "parent",
        "scopes": ["api-keys:write", "webhooks:read", "posts:read"],
        "rateLimitPerHour": 100,
        "rateLimitPerDay": 200,
        "expiresAt": "2999-01-01T00:00:00Z",
    }
    key = api(line, json=parent).json()["key"]
    within = {
        "name": "a",
        "scopes": ["webhooks:read", "posts:read"],
        "rateLimitPerHour": 100,
        "rateLimitPerDay": 200,
        "expiresAt": "2999-01-01T00:00:00Z",
    }
    with subtests.test("a key cannot create keys"):
        assert api(line, json=within, token=key).status == 403
    # But it can update keys with equal rights, not keys with more.
    for name, changes, status in (
        ("the same", {}, 200),
        ("another scope", {"scopes": ["webhooks:write"]}, 403),
        ("another of the platform's", {"scopes": ["posts:write"]}, 403),
        ("more an hour", {"rateLimitPerHour": 101}, 403),
        ("more a day", {"rateLimitPerDay": 201}, 403),
        ("for longer", {"expiresAt": "2999-01-01T00:00:01Z"}, 403),
        ("without expiry", {"expiresAt": None}, 403),
    ):
        with subtests.test(f"a key renames one with {name}"):
            target = api(line, json={**within, **changes}).json()["id"]
            answer = api(f"PUT {KEYS}/{target}", json={"name": "b"}, token=key)
            assert answer.status == status, answer


# ── start-up errors ──────────────────────────────────────────────────────────────────────────────────


def test_endpoint_requires_a_scope_or_public() -> None:
    with pytest.raises(TypeError, match=r"scope.*public"):
        endpoint()
    with pytest.raises(TypeError, match=r"scope.*public"):
        endpoint(scope="webhooks:read", public=True)
    with pytest.raises(TypeError, match=r"scope.*any_caller"):
        endpoint(scope="webhooks:read", any_caller=True)

    @endpoint(public=True)
    def handler() -> Empty:
        return Empty()

    with pytest.raises(TypeError, match="cannot read the parameter other"):

        @endpoint(public=True)
        def odd(other: int) -> Empty:
            return Empty()


def test_encryption_key_variable_stops_every_function(backend: Backend) -> None:
    """The variable is from an earlier design. Setting it suggests that it still has an effect."""
    handlers = sorted({function.handler for function in backend.template.functions().values()})
    code = f"""
import importlib, sys, types
context = types.SimpleNamespace(get_remaining_time_in_millis=lambda: 30000)
record = {{"messageId": "1", "receiptHandle": "1", "body": "x"}}
for name in {handlers!r}:
    module, _, attribute = name.rpartition(".")
    try:
        getattr(importlib.import_module(module), attribute)({{"Records": [record]}}, context)
    except Exception as error:
        print(name, type(error).__name__, str(error).replace(chr(10), " "))
    else:
        print(name, "STARTED")
"""
    environment = {
        **os.environ,
        **backend.environment,
        "ENCRYPTION_KEY": "c2VjcmV0LW9mLXRoZS1vbGQtZGVzaWdu",
        "PYTHONPATH": os.pathsep.join(str(ROOT / path) for path in ("layers/patchbay", "functions")),
    }
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = run.stdout.splitlines()
    assert len(lines) == len(handlers)
    for line in lines:
        assert "ConfigurationError ENCRYPTION_KEY is set, but Patchbay encrypts with the KMS key" in line
    assert "c2VjcmV0" not in run.stdout + run.stderr


def test_encryption_key_variable_stops_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "")
    with pytest.raises(ConfigurationError, match="KMS"):
        endpoint(public=True)
