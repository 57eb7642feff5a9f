"""Authentication: the caller of a request, from its credentials."""

from __future__ import annotations

from collections.abc import Mapping

from patchbay.api_keys import guard
from patchbay.auth.principal import Principal
from patchbay.errors import Unauthenticated
from patchbay.sessions import tokens
from patchbay.settings import settings

_USAGE = "Send Authorization: Bearer <JWT or API key>, or X-API-Key: <key>."
Admitted = tuple[Principal, Mapping[str, str]]


def authenticate_or_link(headers: Mapping[str, str]) -> Admitted:
    """Like `authenticate`, but also accepts the token of a connect link."""
    token = _token(headers)
    return _admit_link(token) if tokens.has_kind(token, "cses") else _authenticate(token)


def authenticate_link(headers: Mapping[str, str]) -> Admitted:
    """The caller with the token of a connect link. Raises Unauthenticated."""
    token = _token(headers)
    if not tokens.has_kind(token, "cses"):
        raise Unauthenticated("Send Authorization: Bearer <the token in the fragment of the connect link>.")
    return _admit_link(token)


def authenticate(headers: Mapping[str, str]) -> Admitted:
    """The caller, and the rate-limit headers of an API key (none for a JWT).

    Raises Unauthenticated, and RateLimited for a key whose quotas are used up.
    """
    return _authenticate(_token(headers))


def _authenticate(token: str) -> Admitted:
    if token.startswith(settings().api_key_prefix + "_"):
        admitted = guard.admit(token)
        return admitted.principal, admitted.headers()
    if tokens.has_kind(token, "pses"):
        from patchbay.sessions import guard as sessions

        return sessions.admit_portal(token)
    if tokens.has_kind(token, "cses"):
        raise Unauthenticated("A connect link's token can only connect an account.")
    # Imported here so that requests with an API key do not load it.
    from patchbay.auth import jwt

    return jwt.authenticate(token), {}


def _admit_link(token: str) -> Admitted:
    from patchbay.sessions import guard as sessions

    return sessions.admit_link(token), {}


def recognize_key(headers: Mapping[str, str]) -> tuple[Principal | None, Mapping[str, str]]:
    """The caller and the rate-limit headers of a request that matches no route, if it has a valid API key. It
    counts like any other request. Other credentials are ignored: the response does not depend on them.

    Raises RateLimited like `authenticate`.
    """
    try:
        token = _token(headers)
        if token.startswith(settings().api_key_prefix + "_"):
            admitted = guard.admit(token)
            return admitted.principal, admitted.headers()
    except Unauthenticated:
        pass
    return None, {}


def _token(headers: Mapping[str, str]) -> str:
    """The request's token. Two different tokens are rejected, because readers could disagree about which one
    counts.
    """
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    bearer = bearer.strip()
    if scheme and (scheme.lower() != "bearer" or not bearer):
        raise Unauthenticated(f"The Authorization header is not a bearer token. {_USAGE}")
    key = headers.get("x-api-key", "").strip()
    if bearer and key and bearer != key:
        raise Unauthenticated("Authorization and X-API-Key have different values. Send only one of them.")
    if not bearer and not key:
        raise Unauthenticated(f"Credentials are missing. {_USAGE}")
    if key and not key.startswith(settings().api_key_prefix + "_"):
        raise Unauthenticated("X-API-Key is not an API key of this deployment.")
    return bearer or key
