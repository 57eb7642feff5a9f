"""Which credentials a request carries, and who that makes the caller."""

from __future__ import annotations

from collections.abc import Mapping

from patchbay.api_keys import guard
from patchbay.auth.principal import Principal
from patchbay.errors import Unauthenticated
from patchbay.settings import settings

_HOW = "Send Authorization: Bearer <JWT or API key>, or X-API-Key: <key>."


def authenticate(headers: Mapping[str, str]) -> tuple[Principal, Mapping[str, str]]:
    """The caller, and the rate-limit headers of an API key (none for a JWT).

    Raises Unauthenticated, and RateLimited for a key whose windows are full.
    """
    token = _token(headers)
    if token.startswith(settings().api_key_prefix + "_"):
        admission = guard.admit(token)
        return admission.principal, admission.headers()
    # Only callers with a JWT pay for the import.
    from patchbay.auth import jwt

    return jwt.authenticate(token), {}


def _token(headers: Mapping[str, str]) -> str:
    """The one token of a request. Two different ones are refused: which of them counts would depend on
    who looks.
    """
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    bearer = bearer.strip()
    if scheme and (scheme.lower() != "bearer" or not bearer):
        raise Unauthenticated(f"The Authorization header is not a bearer token. {_HOW}")
    key = headers.get("x-api-key", "").strip()
    if bearer and key and bearer != key:
        raise Unauthenticated("Authorization and X-API-Key differ; send one of them.")
    if not bearer and not key:
        raise Unauthenticated(f"There are no credentials. {_HOW}")
    if key and not key.startswith(settings().api_key_prefix + "_"):
        raise Unauthenticated("X-API-Key does not hold an API key of this deployment.")
    return bearer or key
