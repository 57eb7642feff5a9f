"""The platform's JWTs (RFC 7519), by the rules of RFC 8725: one algorithm family per deployment, keys only
from where the deployment says, nothing that the token itself brings.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from patchbay import aws
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import granted
from patchbay.errors import Unauthenticated, UpstreamFailed
from patchbay.observability import logger
from patchbay.settings import ConfigurationError, Settings, settings

if TYPE_CHECKING:
    from joserfc.jwk import Key, KeySet, OctKey

_LEEWAY_SECONDS = 60
_MAX_TOKEN_LENGTH = 8192
_MIN_SECRET_BYTES = 32  # RFC 7518, 3.2: at least the hash's size
_JWKS_ALGORITHMS = ("RS256", "ES256")
_JWKS_MAX_BYTES = 64 * 1024
_JWKS_TIMEOUT_SECONDS = 5
# A key that the platform withdrew is believed for an hour at most; an unknown one asked for once in 5 min.
_JWKS_MAX_AGE_SECONDS = 3600
_JWKS_REFETCH_SECONDS = 300
_JWKS_RETRY_SECONDS = 5
_SECRET_MAX_AGE_SECONDS = 300
# They name or carry a key, or ask for semantics that we do not have (RFC 8725, 3.10; RFC 7515, 4.1.11).
_REFUSED_HEADERS = ("crit", "jku", "jwk", "x5u", "x5c")
_WORKSPACE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass
class _Fetched:
    """Keys in memory, and when they were last asked for (monotonic seconds)."""

    keys: KeySet | OctKey
    at: float
    tried_at: float


_fetched: _Fetched | None = None
_not_before = 0.0  # while nothing could be fetched: when to ask again (monotonic seconds)
_lock = Lock()


def authenticate(token: str) -> Principal:
    """Who the token says is calling. Raises Unauthenticated with the reason; UpstreamFailed when the
    platform's keys cannot be had.
    """
    from joserfc import jwt
    from joserfc.errors import JoseError

    config = settings()
    header = _header(token)
    key = _key(header, config)
    try:
        claims = jwt.decode(token, key, algorithms=[header["alg"]]).claims
        _registry(config).validate(claims)
    except (JoseError, ValueError, RecursionError) as error:
        # The library's words name the claim or the fault, never the token.
        raise Unauthenticated(f"The token was refused: {error}.") from None
    return _principal(claims, config)


def _principal(claims: dict[str, Any], config: Settings) -> Principal:
    workspace_id = claims.get(config.jwt_workspace_claim)
    if not isinstance(workspace_id, str) or not _WORKSPACE_ID.match(workspace_id):
        raise Unauthenticated(
            f"The token's claim {config.jwt_workspace_claim} must match ^[A-Za-z0-9_-]{{1,64}}$."
        )
    role = claims.get(config.jwt_role_claim)
    scope = claims.get(config.jwt_scope_claim)
    if not isinstance(role, str | None) or not isinstance(scope, str | None):
        raise Unauthenticated(
            f"The token's claims {config.jwt_role_claim} and {config.jwt_scope_claim} must be text."
        )
    subject: str = claims["sub"]
    try:
        subject.encode()
    except UnicodeEncodeError:
        # JSON can escape half of a surrogate pair ("\\ud800"), which no row and no log can hold.
        raise Unauthenticated(
            "The token's claim sub is not valid Unicode text. Get a token with a valid sub."
        ) from None
    return Principal(
        workspace_id=workspace_id,
        id=f"user:{subject}",
        scopes=granted(role, scope, platform=workspace_id == config.platform_workspace_id),
        role=role if scope is None else None,
    )


def _header(token: str) -> dict[str, Any]:
    """The token's header, if it is one that may be looked at further."""
    from joserfc.util import urlsafe_b64decode

    try:
        if len(token) > _MAX_TOKEN_LENGTH or token.count(".") != 2:
            raise ValueError("not a compact JWS")
        header = json.loads(urlsafe_b64decode(token.partition(".")[0].encode("ascii")))
        if not isinstance(header, dict) or not isinstance(header.get("alg"), str):
            raise ValueError("no algorithm")
    except (ValueError, RecursionError):
        raise Unauthenticated("The Authorization header holds neither a JWT nor an API key.") from None
    for name in _REFUSED_HEADERS:
        if name in header:
            raise Unauthenticated(f"The token was refused: its header has {name}.")
    return header


@cache
def _registry(config: Settings) -> Any:
    from joserfc.jwt import JWTClaimsRegistry

    return JWTClaimsRegistry(
        leeway=_LEEWAY_SECONDS,
        exp={"essential": True},
        iss={"essential": True, "value": config.jwt_issuer},
        aud={"essential": True, "value": config.jwt_audience},
        sub={"essential": True},
    )


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────


def _key(header: dict[str, Any], config: Settings) -> Key:
    allowed = _JWKS_ALGORITHMS if config.jwks_url else ("HS256",)
    if header["alg"] not in allowed:
        raise Unauthenticated(f"The token was refused: it must be signed with {' or '.join(allowed)}.")
    return _from_jwks(header, config) if config.jwks_url else _shared_secret(config)


def _shared_secret(config: Settings) -> OctKey:
    from joserfc.jwk import OctKey

    global _fetched
    with _lock:
        now = time.monotonic()
        if _fetched is None or now - _fetched.at > _SECRET_MAX_AGE_SECONDS:
            if not config.jwt_secret_arn:
                raise ConfigurationError("set JWKS_URL or JWT_SECRET_ARN: nobody can sign in")
            answer = aws.call("secretsmanager", "GetSecretValue", {"SecretId": config.jwt_secret_arn})
            secret = answer["SecretString"].encode()
            if len(secret) < _MIN_SECRET_BYTES:
                raise ConfigurationError(
                    f"the secret that signs JWTs must have {_MIN_SECRET_BYTES} bytes or more"
                )
            _fetched = _Fetched(OctKey.import_key(secret), now, now)
        return cast("OctKey", _fetched.keys)


def _from_jwks(header: dict[str, Any], config: Settings) -> Key:
    global _fetched, _not_before
    kid = header.get("kid")
    with _lock:
        now = time.monotonic()
        if _fetched is None:
            if now < _not_before:
                raise _unreachable()
            _not_before = now + _JWKS_RETRY_SECONDS
            _fetched = _Fetched(_fetch(config.jwks_url), now, now)
        elif now - _fetched.tried_at > _JWKS_REFETCH_SECONDS and (
            now - _fetched.at > _JWKS_MAX_AGE_SECONDS or _find(_fetched.keys, kid) is None
        ):
            _fetched.tried_at = now
            try:
                _fetched = _Fetched(_fetch(config.jwks_url), now, now)
            except UpstreamFailed as error:
                logger.warning("JWKS not refreshed, keeping the old ones", reason=error.detail)
        key = _find(_fetched.keys, kid)
    if key is None:
        raise Unauthenticated("The token was refused: its key is not one of the platform's.")
    return key


def _find(keys: Any, kid: str | None) -> Key | None:
    """The signing key of that id; without an id, the only key there is."""
    signing: list[Key] = [key for key in keys.keys if key.get("use", "sig") == "sig"]
    if kid is None:
        return signing[0] if len(signing) == 1 else None
    return next((key for key in signing if key.kid == kid), None)


def _fetch(url: str) -> KeySet:
    """The JWKS at `url`: no redirects, 64 KB, 5 s in all."""
    import httpx
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    deadline = time.monotonic() + _JWKS_TIMEOUT_SECONDS
    body = b""
    try:
        with (
            httpx.Client(timeout=_JWKS_TIMEOUT_SECONDS, trust_env=False) as http,
            http.stream("GET", url, headers={"accept": "application/json"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"status {response.status_code}")
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _JWKS_MAX_BYTES:
                    raise ValueError("over 64 KB")
                if time.monotonic() > deadline:
                    raise ValueError("too slow")
        return KeySet.import_key_set(json.loads(body))
    except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.error("the platform's JWKS could not be read", url=url, reason=str(error))
        raise _unreachable() from error


def _unreachable() -> UpstreamFailed:
    return UpstreamFailed(
        "The keys that sign the platform's tokens cannot be read now. Try again in a moment.",
        headers={"Retry-After": str(_JWKS_RETRY_SECONDS)},
    )


def clear_cache() -> None:
    """Drop the keys from memory, so that the next token reads them anew."""
    global _fetched, _not_before
    with _lock:
        _fetched, _not_before = None, 0.0
