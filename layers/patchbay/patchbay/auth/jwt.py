"""Authenticates the platform's JWTs (RFC 7519) by the rules of RFC 8725: one algorithm family per deployment,
keys only from the source that the deployment configures, and never from the token itself.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, cast

from patchbay import aws
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import granted_scopes
from patchbay.errors import Unauthenticated, UpstreamFailed
from patchbay.observability import logger
from patchbay.settings import ConfigurationError, Settings, settings

if TYPE_CHECKING:
    from joserfc.jwk import Key, KeySet, OctKey
    from joserfc.jwt import JWTClaimsRegistry

_LEEWAY_SECONDS = 60
_MAX_TOKEN_LENGTH = 8192
_MIN_SECRET_BYTES = 32  # RFC 7518, 3.2: at least the size of the hash
_JWKS_ALGORITHMS = ("RS256", "ES256")
_JWKS_MAX_BYTES = 64 * 1024
_JWKS_TIMEOUT_SECONDS = 5
# A key that the platform withdrew is accepted for at most 1 hour. An unknown key ID causes at most one fetch
# in 5 minutes.
_JWKS_MAX_AGE_SECONDS = 3600
_JWKS_REFETCH_SECONDS = 300
_JWKS_RETRY_SECONDS = 5
_SECRET_MAX_AGE_SECONDS = 300
# These refer to a key, contain one, or require semantics that are not supported (RFC 8725, 3.10; RFC 7515,
# 4.1.11).
_FORBIDDEN_HEADERS = ("crit", "jku", "jwk", "x5u", "x5c")
_WORKSPACE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass
class _KeyCache:
    """The keys, when they were fetched, and when a fetch was last attempted (monotonic seconds)."""

    keys: KeySet | OctKey
    fetched_at: float
    attempted_at: float


class _Header(NamedTuple):
    """The parameters of a token's header that Patchbay uses. `kid` is not validated."""

    algorithm: str
    kid: object


_cache: _KeyCache | None = None
_retry_at = 0.0  # while there are no keys: when to fetch again (monotonic seconds)
_lock = Lock()


def authenticate(token: str) -> Principal:
    """The caller that the token identifies. Raises Unauthenticated with the reason, or UpstreamFailed if the
    platform's keys cannot be fetched.
    """
    from joserfc import jwt
    from joserfc.errors import JoseError

    config = settings()
    header = _parse_header(token)
    key = _verification_key(header, config)
    try:
        claims = jwt.decode(token, key, algorithms=[header.algorithm]).claims
        _claims_registry(config).validate(claims)
    except (JoseError, ValueError, RecursionError) as error:
        raise Unauthenticated(f"The token is invalid: {_fault(error)}.") from None
    return _principal(claims, config)


def _fault(error: Exception) -> str:
    """What is wrong with a token, never its content. The library's own texts are codes."""
    from joserfc import errors

    match error:
        case errors.ExpiredTokenError():
            return "it has expired; get a new one"
        case errors.MissingClaimError():
            return f"it has no claim {error.claim}"
        case errors.ClaimError():
            return f"this API does not accept the value of its claim {error.claim}"
        case errors.BadSignatureError():
            return "its signature does not match its content"
    return "it cannot be decoded"


def _principal(claims: Mapping[str, object], config: Settings) -> Principal:
    workspace_id = claims.get(config.jwt_workspace_claim)
    if not isinstance(workspace_id, str) or not _WORKSPACE_ID.match(workspace_id):
        raise Unauthenticated(
            f"The token's claim {config.jwt_workspace_claim} must have 1 to 64 letters, digits, _ or -."
        )
    role = claims.get(config.jwt_role_claim)
    scope = claims.get(config.jwt_scope_claim)
    if not isinstance(role, str | None) or not isinstance(scope, str | None):
        raise Unauthenticated(
            f"The token's claims {config.jwt_role_claim} and {config.jwt_scope_claim} must be strings."
        )
    subject = cast("str", claims["sub"])
    try:
        subject.encode()
    except UnicodeEncodeError:
        # JSON can escape half of a surrogate pair ("\\ud800"), which cannot be stored or logged.
        raise Unauthenticated(
            "The token's claim sub is not valid Unicode text. Get a token with a valid sub."
        ) from None
    return Principal(
        workspace_id=workspace_id,
        id=f"user:{subject}",
        scopes=granted_scopes(role, scope, platform=workspace_id == config.platform_workspace_id),
        role=role if scope is None else None,
    )


def _parse_header(token: str) -> _Header:
    """The token's header. Raises Unauthenticated if it is malformed or has a forbidden parameter."""
    from joserfc.util import urlsafe_b64decode

    if len(token) > _MAX_TOKEN_LENGTH:
        raise Unauthenticated(f"The token is longer than {_MAX_TOKEN_LENGTH:,} characters.")
    try:
        if token.count(".") != 2:
            raise ValueError("not a compact JWS")
        header = json.loads(urlsafe_b64decode(token.partition(".")[0].encode("ascii")))
        if not isinstance(header, dict) or not isinstance(header.get("alg"), str):
            raise ValueError("no algorithm")
    except (ValueError, RecursionError):
        raise Unauthenticated("The Authorization header contains neither a JWT nor an API key.") from None
    for name in _FORBIDDEN_HEADERS:
        if name in header:
            raise Unauthenticated(f"The token is invalid: its header must not contain {name}.")
    return _Header(header["alg"], header.get("kid"))


@cache
def _claims_registry(config: Settings) -> JWTClaimsRegistry:
    from joserfc.jwt import JWTClaimsRegistry

    return JWTClaimsRegistry(
        leeway=_LEEWAY_SECONDS,
        exp={"essential": True},
        iss={"essential": True, "value": config.jwt_issuer},
        aud={"essential": True, "value": config.jwt_audience},
        sub={"essential": True},
    )


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────


def _verification_key(header: _Header, config: Settings) -> Key:
    allowed = _JWKS_ALGORITHMS if config.jwks_url else ("HS256",)
    if header.algorithm not in allowed:
        raise Unauthenticated(f"The token is invalid: it must be signed with {' or '.join(allowed)}.")
    return _jwks_key(header.kid, config) if config.jwks_url else _shared_secret(config)


def _shared_secret(config: Settings) -> OctKey:
    from joserfc.jwk import OctKey

    global _cache
    with _lock:
        now = time.monotonic()
        if _cache is None or now - _cache.fetched_at > _SECRET_MAX_AGE_SECONDS:
            if not config.jwt_secret_arn:
                raise ConfigurationError("set JWKS_URL or JWT_SECRET_ARN, otherwise no token can be verified")
            response = aws.call("secretsmanager", "GetSecretValue", {"SecretId": config.jwt_secret_arn})
            secret = response["SecretString"].encode()
            if len(secret) < _MIN_SECRET_BYTES:
                raise ConfigurationError(
                    f"the secret that signs JWTs must have {_MIN_SECRET_BYTES} bytes or more"
                )
            _cache = _KeyCache(OctKey.import_key(secret), now, now)
        return cast("OctKey", _cache.keys)


def _jwks_key(kid: object, config: Settings) -> Key:
    global _cache, _retry_at
    with _lock:
        now = time.monotonic()
        if _cache is None:
            if now < _retry_at:
                raise _jwks_unavailable()
            _retry_at = now + _JWKS_RETRY_SECONDS
            _cache = _KeyCache(_fetch_jwks(config.jwks_url), now, now)
        elif now - _cache.attempted_at > _JWKS_REFETCH_SECONDS and (
            now - _cache.fetched_at > _JWKS_MAX_AGE_SECONDS
            or _find_key(cast("KeySet", _cache.keys), kid) is None
        ):
            _cache.attempted_at = now
            try:
                _cache = _KeyCache(_fetch_jwks(config.jwks_url), now, now)
            except UpstreamFailed as error:
                logger.warning("JWKS refresh failed; cached keys stay in use", reason=error.detail)
        key = _find_key(cast("KeySet", _cache.keys), kid)
    if key is None:
        raise Unauthenticated("The token is invalid: it is not signed with a key of the platform.")
    return key


def _find_key(keys: KeySet, kid: object) -> Key | None:
    """The signing key with this ID or, without an ID, the only key of the set."""
    signing: list[Key] = [key for key in keys.keys if key.get("use", "sig") == "sig"]
    if kid is None:
        return signing[0] if len(signing) == 1 else None
    return next((key for key in signing if key.kid == kid), None)


def _fetch_jwks(url: str) -> KeySet:
    """Fetch the JWKS at `url`: no redirects, at most 64 KB, at most 5 s in total."""
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
        logger.error("JWKS fetch failed", url=url, reason=str(error))
        raise _jwks_unavailable() from error


def _jwks_unavailable() -> UpstreamFailed:
    return UpstreamFailed(
        "The platform's signing keys are temporarily unavailable. Try again in a moment.",
        headers={"retry-after": str(_JWKS_RETRY_SECONDS)},
    )


def clear_cache() -> None:
    """Empty this process's cache: the next token fetches the keys again."""
    global _cache, _retry_at
    with _lock:
        _cache, _retry_at = None, 0.0
