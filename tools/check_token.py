"""Says whether a deployment with these parameters would accept a token, without a stack and without AWS:
`make check-token TOKEN_FILE=token JWKS=jwks.json PARAMETERS="JwtIssuer=… JwtAudience=…"`.

The product's own code verifies the token. JWKS is a file or an https address, by default the parameter
JwksUrl; SECRET_FILE is the shared secret of HS256. Exits with 1 if the token is refused or gives no scope,
and with 2 if the settings are wrong.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast
from unittest.mock import patch

from samtranslator.yaml_helper import yaml_parse

from local.settings import ROOT
from local.settings import Problem as WrongSetting
from patchbay import aws
from patchbay.auth import jwt
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.errors import Unauthenticated, UpstreamFailed
from patchbay.settings import ConfigurationError, Settings
from tools.deploy import check_given, read_pairs

# The settings that affect whether a token is accepted, by parameter.
_SETTINGS = {
    "PlatformWorkspaceId": "platform_workspace_id",
    "JwtIssuer": "jwt_issuer",
    "JwtAudience": "jwt_audience",
    "JwtWorkspaceClaim": "jwt_workspace_claim",
    "JwtRoleClaim": "jwt_role_claim",
    "JwtScopeClaim": "jwt_scope_claim",
}


def main() -> int:
    try:
        token = read_file("TOKEN_FILE").strip()
        config = read_settings(read_pairs(os.environ.get("PARAMETERS", "")))
        with keys(os.environ.get("JWKS", ""), os.environ.get("SECRET_FILE", ""), config) as usable:
            return check(token, usable)
    except (WrongSetting, ConfigurationError) as problem:
        print(f"check-token: {problem}", file=sys.stderr)
        return 2


def read_file(variable: str) -> str:
    path = os.environ.get(variable)
    if not path:
        raise WrongSetting(
            f"set {variable}: make check-token TOKEN_FILE=token JWKS=jwks.json "
            'PARAMETERS="JwtIssuer=https://login.example.com"'
        )
    return read_text(variable, path)


def read_text(variable: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting(f"cannot read {variable}: {error}") from None


def read_settings(given: Mapping[str, str]) -> Settings:
    """The settings of a deployment with these parameters. Only those that affect a token are correct."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    check_given(template, given)
    if "JwtIssuer" not in given:
        raise WrongSetting('set the issuer of your tokens: PARAMETERS="JwtIssuer=https://login.example.com"')
    values = {each.name: "" for each in fields(Settings) if each.default is MISSING}
    for parameter, name in _SETTINGS.items():
        values[name] = given.get(parameter, template["Parameters"][parameter].get("Default", ""))
    values["jwks_url"] = given.get("JwksUrl", "")
    return Settings(**cast("dict[str, Any]", values))


@contextmanager
def keys(jwks: str, secret: str, config: Settings) -> Iterator[Settings]:
    """The settings with the location of the keys, which can be read during the block."""
    if jwks and secret:
        raise WrongSetting("set JWKS or SECRET_FILE, not both, as a deployment uses one algorithm family")
    if secret:
        text = read_text("SECRET_FILE", secret)
        with patch.object(aws, "call", return_value={"SecretString": text}):
            yield changed(config, jwks_url="", jwt_secret_arn="SECRET_FILE")
    elif jwks.startswith("https://"):
        yield changed(config, jwks_url=jwks)
    elif jwks.startswith("http://"):
        raise WrongSetting("the address of a JWKS must begin with https://; JWKS can also be a file")
    elif jwks:
        with served(read_text("JWKS", jwks).encode()) as url:
            yield changed(config, jwks_url=url)
    elif config.jwks_url:
        yield config
    else:
        raise WrongSetting("set JWKS=jwks.json, JWKS=https://…, or SECRET_FILE for a token with HS256")


def changed(config: Settings, **values: str) -> Settings:
    return Settings(**{**vars(config), **values})


@contextmanager
def served(body: bytes) -> Iterator[str]:
    """Serve this JWKS, so that the product fetches it as from an identity provider. Yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def check(token: str, config: Settings) -> int:
    """Print what the API would find in the token, or why it would refuse it. Returns the exit code."""
    jwt.clear_cache()
    with patch.object(jwt, "settings", return_value=config), patch.object(jwt, "logger"):
        try:
            caller, refusal = jwt.authenticate(token), None
        except (Unauthenticated, UpstreamFailed) as error:
            caller, refusal = None, error
    if caller is not None:
        claims = decoded(token)[1]
        accepted = "accepted:" if caller.scopes else "accepted, but without any scope:"
        print("\n  ".join([accepted, *description(caller, claims)]))
        lines = [] if caller.scopes else [why_no_scopes(claims, config)]
    else:
        assert refusal is not None
        print(f"refused with {refusal.status}: {refusal.detail}")
        lines = (
            [f"the JWKS cannot be used: {reason(refusal.__cause__)}"]
            if isinstance(refusal, UpstreamFailed)
            else differences(token, config)
        )
    for line in [*lines, *published_secrets()]:
        print(f"  → {line}")
    return 0 if caller and caller.scopes else 1


def reason(error: BaseException | None) -> str:
    return 'it has no list "keys"' if isinstance(error, KeyError) else str(error)


def description(caller: Principal, claims: Mapping[str, Any]) -> list[str]:
    minutes = round((claims["exp"] - time.time()) / 60)
    return [
        f"workspace  {caller.workspace_id}",
        f"user       {caller.id}",
        f"role       {caller.role or 'none'}",
        f"scopes     {' '.join(sorted(caller.scopes)) or 'none'}",
        f"expires    in {minutes} minutes"
        if minutes >= 0
        else "expires    just now: clocks may differ a little",
    ]


def why_no_scopes(claims: Mapping[str, Any], config: Settings) -> str:
    role, scope = claims.get(config.jwt_role_claim), claims.get(config.jwt_scope_claim)
    if scope is not None:
        return (
            f"{config.jwt_scope_claim} is {json.dumps(scope)}, which has none of Patchbay's scopes, and "
            f"{config.jwt_role_claim} is then ignored: set JwtScopeClaim to a claim that you control"
        )
    if role is not None:
        return f"{config.jwt_role_claim} is {json.dumps(role)}, and must be {either(list(ROLES))}"
    return (
        f"the token has neither {config.jwt_role_claim} nor {config.jwt_scope_claim}; {names_of(claims)}: "
        "add one, or set JwtRoleClaim or JwtScopeClaim"
    )


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The unverified header and claims of a token; both are empty if it cannot be decoded."""
    from joserfc.util import urlsafe_b64decode

    try:
        header, claims = (json.loads(urlsafe_b64decode(part.encode())) for part in token.split(".")[:2])
    except (ValueError, RecursionError):
        return {}, {}
    return (header, claims) if isinstance(header, dict) and isinstance(claims, dict) else ({}, {})


def differences(token: str, config: Settings) -> list[str]:
    """Everything in a refused token that the deployment does not expect."""
    if len(token) > jwt._MAX_TOKEN_LENGTH:
        return [f"it has {len(token):,} characters: leave out claims that Patchbay does not read"]
    header, claims = decoded(token)
    if not header:
        return ["TOKEN_FILE must have only the token: three parts in base64url, separated by dots"]
    lines = [*_key_differences(header, config), *_claim_differences(claims, config)]
    if lines:
        return lines
    if not config.jwks_url:
        return ["SECRET_FILE is not the secret of the signature; also a line break at its end counts"]
    return ["the header and the claims are as expected: the token was signed with another key, or changed"]


def _key_differences(header: Mapping[str, Any], config: Settings) -> Iterator[str]:
    for name in jwt._FORBIDDEN_HEADERS:
        if name in header:
            yield f"the header has {name}, which Patchbay refuses: keys come only from the JWKS"
    allowed = jwt._JWKS_ALGORITHMS if config.jwks_url else ("HS256",)
    if header.get("alg") not in allowed:
        yield f"alg is {json.dumps(header.get('alg'))}, and must be {either(allowed)}"
    kids = [key.kid for key in _fetched() if key.get("use", "sig") == "sig"]
    if kids and header.get("kid") not in kids and not ("kid" not in header and len(kids) == 1):
        listed = ", ".join(map(json.dumps, kids))
        yield f"kid is {json.dumps(header.get('kid'))}, and the JWKS has {listed}"


def _claim_differences(claims: Mapping[str, Any], config: Settings) -> Iterator[str]:
    issuer, audience, workspace = (
        claims.get("iss"),
        claims.get("aud"),
        claims.get(config.jwt_workspace_claim),
    )
    if issuer != config.jwt_issuer:
        yield f"iss is {json.dumps(issuer)}, and JwtIssuer is {json.dumps(config.jwt_issuer)}"
    if config.jwt_audience not in (audience if isinstance(audience, list) else [audience]):
        yield f"aud is {json.dumps(audience)}, and JwtAudience is {json.dumps(config.jwt_audience)}"
    if not claims.get("sub"):
        yield "sub is missing: the ID of the user"
    yield from _time_differences(claims)
    if workspace is None:
        yield f"{config.jwt_workspace_claim} is missing; {names_of(claims)}: add it, or set JwtWorkspaceClaim"
    elif not isinstance(workspace, str) or not jwt._WORKSPACE_ID.match(workspace):
        yield (
            f"{config.jwt_workspace_claim} is {json.dumps(workspace)}, "
            "and must have 1 to 64 letters, digits, _ or -"
        )
    for name, parameter in (
        (config.jwt_role_claim, "JwtRoleClaim"),
        (config.jwt_scope_claim, "JwtScopeClaim"),
    ):
        if not isinstance(claims.get(name), str | None):
            yield f"{name} is {json.dumps(claims[name])}, and must be a string: change it, or set {parameter}"


def _time_differences(claims: Mapping[str, Any]) -> Iterator[str]:
    now = time.time()
    if not isinstance(claims.get("exp"), int | float):
        yield f"exp is {json.dumps(claims.get('exp'))}, and must be when the token expires, in Unix seconds"
    elif claims["exp"] < now - jwt._LEEWAY_SECONDS:
        yield f"exp is {round(now - claims['exp'])} seconds ago"
    for name in ("iat", "nbf"):
        if isinstance(claims.get(name), int | float) and claims[name] > now + jwt._LEEWAY_SECONDS:
            yield f"{name} is {round(claims[name] - now)} seconds ahead: compare the clock of your login"


def _fetched() -> list[Any]:
    """The keys of the JWKS that the product fetched."""
    from joserfc.jwk import KeySet

    cached = jwt._cache and jwt._cache.keys
    return list(cached.keys) if isinstance(cached, KeySet) else []


def published_secrets() -> Iterator[str]:
    for key in _fetched():
        if key.is_private:
            yield f"the key {json.dumps(key.kid)} of the JWKS is a private key: publish only public keys"


def names_of(claims: Mapping[str, Any]) -> str:
    return f"the token's claims are {', '.join(claims)}"


def either(values: list[str] | tuple[str, ...]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}" if len(values) > 1 else values[0]


if __name__ == "__main__":
    sys.exit(main())
