"""tools/check_token.py reports the product's answer to a token, and what to compare."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from samtranslator.yaml_helper import yaml_parse

from local.settings import ROOT
from patchbay.auth import jwt as product
from tools import check_token

TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
KEY = ECKey.generate_key("P-256", {"kid": "2026-11", "use": "sig"})
OTHER = ECKey.generate_key("P-256", {"kid": "2026-11", "use": "sig"})
SECRET = "a secret of 32 bytes or more, as it must be"
ISSUER = "JwtIssuer=https://login.example"


class Login:
    """Writes the files of a login, and runs the command with them."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys

    def check(
        self,
        parameters: str = ISSUER,
        *,
        jwks: Any = None,
        secret: str = "",
        header: dict[str, Any] | None = None,
        key: Any = KEY,
        **claims: Any,
    ) -> tuple[int, str]:
        payload = {
            "iss": "https://login.example",
            "aud": "patchbay",
            "sub": "usr_1",
            "workspace_id": "acme",
            "role": "admin",
            "exp": int(time.time()) + 600,
        } | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        token = jwt.encode(header or {"alg": "ES256", "kid": "2026-11"}, payload, key)
        jwks = {"keys": [KEY.as_dict(private=False)]} if jwks is None else jwks
        return self.run(
            TOKEN_FILE=self.file("token", f"{token}\n"),
            JWKS="" if secret else jwks if isinstance(jwks, str) else self.file("jwks", json.dumps(jwks)),
            SECRET_FILE=self.file("secret", secret) if secret else "",
            PARAMETERS=parameters,
        )

    def file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def run(self, **settings: str) -> tuple[int, str]:
        for name in ("TOKEN_FILE", "JWKS", "SECRET_FILE", "PARAMETERS"):
            self.monkeypatch.setenv(name, settings.get(name, ""))
        try:
            status = check_token.main()
        finally:
            product.clear_cache()
        output = self.capsys.readouterr()
        return status, output.out + output.err


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Login:
    monkeypatch.setattr(check_token, "yaml_parse", lambda text: TEMPLATE)  # parsing takes a second
    return Login(tmp_path, monkeypatch, capsys)


def test_accepted_token_is_described(login: Login) -> None:
    status, text = login.check()
    assert status == 0
    for part in (
        "accepted:",
        "workspace  acme",
        "user       user:usr_1",
        "role       admin",
        "webhooks:read",
    ):
        assert part in text
    assert "expires    in 10 minutes" in text
    assert "→" not in text


def test_parameters_are_those_of_a_deployment(login: Login) -> None:
    parameters = (
        "JwtIssuer=https://x/ JwtAudience=api JwtWorkspaceClaim=https://x/ws JwtScopeClaim=patchbay_scope "
        "PlatformWorkspaceId=us MaxWebhooks=7"
    )
    claims: dict[str, Any] = {
        "https://x/ws": "us",
        "scope": "openid profile",
        "patchbay_scope": "actions:handle",
    }
    status, text = login.check(parameters, iss="https://x/", aud=["other", "api"], **claims)
    assert status == 0
    assert "scopes     actions:handle\n" in text, "a scope of the platform's workspace only"


@pytest.mark.parametrize(
    ("changed", "refusal", "line"),
    [
        (
            {"iss": "https://login.example/"},
            "the value of its claim iss.",
            'iss is "https://login.example/", and JwtIssuer is "https://login.example"',
        ),
        ({"aud": None}, "it has no claim aud.", 'aud is null, and JwtAudience is "patchbay"'),
        ({"sub": None}, "it has no claim sub.", "sub is missing"),
        ({"exp": 1}, "it has expired", "seconds ago"),
        ({"iat": int(time.time()) + 900}, "claim iat.", "seconds ahead: compare the clock"),
        (
            {"workspace_id": None, "org": "acme"},
            "claim workspace_id must have",
            "the token's claims are iss, aud, sub, role, exp, org: add it, or set JwtWorkspaceClaim",
        ),
        ({"workspace_id": "a b"}, "claim workspace_id must have", 'workspace_id is "a b", and must'),
        ({"role": ["admin"]}, "must be strings", 'role is ["admin"], and must be a string'),
        (
            {"header": {"alg": "ES256", "kid": "old"}},
            "it is not signed with a key of the platform.",
            'kid is "old", and the JWKS has "2026-11"',
        ),
        (
            {"header": {"alg": "ES256", "jku": "https://login.example/keys"}},
            "its header must not contain jku",
            "the header has jku, which Patchbay refuses",
        ),
        (
            {"picture": "x" * 9_000},
            "longer than 8,192 characters.",
            "leave out claims",
        ),
        ({"key": OTHER}, "its signature does not match", "the token was signed with another key, or changed"),
        (
            {"header": {"alg": "HS256"}, "key": OctKey.import_key(SECRET)},
            "must be signed with RS256 or ES256.",
            'alg is "HS256", and must be RS256 or ES256',
        ),
    ],
)
def test_refusal_names_what_to_compare(login: Login, changed: Any, refusal: str, line: str) -> None:
    status, text = login.check(**changed)
    assert status == 1
    assert text.startswith("refused with 401: ")
    assert refusal in text
    assert line in text


def test_all_differences_are_named_at_once(login: Login) -> None:
    _, text = login.check(iss="x", aud="y", workspace_id=7)
    assert text.count("→") == 3


@pytest.mark.parametrize(
    ("claims", "line"),
    [
        ({"role": "Admin"}, 'role is "Admin", and must be viewer, member, admin or owner'),
        ({"role": None}, "the token has neither role nor scope"),
        ({"scope": "openid"}, 'scope is "openid", which has none of Patchbay\'s scopes, and role is then'),
    ],
)
def test_token_without_scopes_has_its_reason(login: Login, claims: Any, line: str) -> None:
    status, text = login.check(**claims)
    assert status == 1
    assert "accepted, but without any scope:" in text
    assert line in text


@pytest.mark.parametrize(
    ("jwks", "line"),
    [
        ({}, 'the JWKS cannot be used: it has no list "keys"'),
        ({"keys": ["x" * 70_000]}, "the JWKS cannot be used: over 64 KB"),
        ("https://127.0.0.1:1/jwks.json", "the JWKS cannot be used: [Errno"),
    ],
)
def test_unusable_jwks_has_its_reason(login: Login, jwks: Any, line: str) -> None:
    status, text = login.check(jwks=jwks)
    assert status == 1
    assert text.startswith("refused with 502: The platform's signing keys are temporarily unavailable.")
    assert line in text


def test_published_private_key_is_a_warning(login: Login) -> None:
    status, text = login.check(jwks={"keys": [KEY.as_dict(private=True)]})
    assert status == 0
    assert 'the key "2026-11" of the JWKS is a private key: publish only public keys' in text


def test_shared_secret(login: Login) -> None:
    header, key = {"alg": "HS256"}, OctKey.import_key(SECRET)
    assert login.check(secret=SECRET, header=header, key=key)[0] == 0
    status, text = login.check(secret=f"{SECRET}\n", header=header, key=key)
    assert status == 1
    assert "also a line break at its end counts" in text
    status, text = login.check(
        secret="a short secret", header=header, key=OctKey.import_key("a short secret")
    )
    assert (status, "32 bytes or more" in text) == (2, True)


def test_file_without_a_token(login: Login) -> None:
    file, jwks = login.file("auth", "Authorization: Bearer x"), login.file("jwks", '{"keys": []}')
    status, text = login.run(TOKEN_FILE=file, JWKS=jwks, PARAMETERS=ISSUER)
    assert status == 1
    assert "TOKEN_FILE must have only the token" in text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "set TOKEN_FILE: make check-token TOKEN_FILE=token JWKS=jwks.json"),
        ({"TOKEN_FILE": "/none"}, "cannot read TOKEN_FILE"),
        ({"TOKEN_FILE": "token"}, "set the issuer of your tokens"),
        ({"TOKEN_FILE": "token", "PARAMETERS": ISSUER}, "set JWKS=jwks.json"),
        ({"TOKEN_FILE": "token", "PARAMETERS": ISSUER, "JWKS": "http://x"}, "must begin with https://"),
        ({"TOKEN_FILE": "token", "PARAMETERS": ISSUER, "JWKS": "x", "SECRET_FILE": "y"}, "not both"),
        ({"TOKEN_FILE": "token", "PARAMETERS": f"{ISSUER} X=1"}, "the template has no parameter X"),
        ({"TOKEN_FILE": "token", "PARAMETERS": "JwtIssuer='a b'"}, "parameter JwtIssuer does not match"),
    ],
)
def test_wrong_settings(
    login: Login, settings: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(login.folder)
    login.file("token", "x.y.z")
    status, printed = login.run(**settings)
    assert status == 2
    assert text in printed
