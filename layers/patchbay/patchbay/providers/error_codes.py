"""The meaning of authorization servers' error codes, in their many spellings. Pure."""

from __future__ import annotations

import re

_INTEGER = re.compile(r"[+-]?\d+")


def normalize(text: str) -> str:
    """Letters and digits only, in lowercase: `INVALID_GRANT`, `invalidGrant`, and `Invalid grant` become the
    same. A number keeps its sign.
    """
    if _INTEGER.fullmatch(text.strip()):
        return text.strip()
    return "".join(char for char in text.casefold() if char.isalnum())


def is_temporary_or_client_fault(code: str) -> bool:
    """Whether a code says nothing about the grant, so that it must not end a connection."""
    return normalize(code) in TEMPORARY | CLIENT_FAULTS


def _codes(text: str) -> frozenset[str]:
    return frozenset(map(normalize, text.split()))


# The fault is temporary (RFC 6749, 4.1.2.1, and synonyms).
TEMPORARY = _codes(
    """
    temporarily_unavailable server_error slow_down service_unavailable unavailable internal_error
    internal_server_error timeout gateway_timeout over_capacity rate_limited rate_limit rate_limit_exceeded
    too_many_requests throttled 408 429 500 502 503 504
    """
)
# The grant has ended: `invalid_grant` (RFC 6749, 5.2), regardless of the description.
GRANT_ENDED = _codes("invalid_grant expired_grant grant_expired grant_revoked grant_not_found")
# Synonyms, unless the description names another cause (OTHER_CAUSE_WORDS).
ENDED = GRANT_ENDED | _codes(
    """
    bad_refresh_token invalid_refresh_token expired_refresh_token revoked_refresh_token
    refresh_token_invalid refresh_token_expired refresh_token_revoked refresh_token_not_found
    refresh_token_already_used refresh_token_reused
    invalid_token expired_token revoked_token token_invalid token_expired token_revoked token_not_found
    access_revoked authorization_revoked consent_revoked interaction_required login_required reauth_required
    """
)
# For a revocation, an unknown token is the same as a revoked one (RFC 7009, 2.2). An expired token is not:
# its grant may still exist.
ALREADY_REVOKED = _codes(
    """
    invalid_grant invalid_token invalid_refresh_token token_not_found refresh_token_not_found token_revoked
    revoked_token refresh_token_revoked grant_revoked grant_not_found
    """
)
# Phrases with the same meaning as ENDED.
ENDED_WORDS = re.compile(
    r"\b(invalid|expired|revoked|unknown|inactive)\s+refresh[\s_-]?token\b"
    r"|\brefresh[\s_-]?token(\s+(is|was|has))?(\s+(already|been))*"
    r"\s+(invalid|expired|revoked|unknown|inactive|(already|been)\s+used|not\s+found|(not|no\s+longer)\s+valid)\b",
    re.IGNORECASE,
)
# The fault is temporary, or it lies with our request or with a token other than the grant's.
OTHER_CAUSE_WORDS = re.compile(
    r"concurren|\bretry|\btry again|\bmissing\b|\bmtls\b|\bcertificate|\bdpop\b", re.IGNORECASE
)
# Our client is wrong (RFC 6749, 5.2). This says nothing about the grant.
CLIENT_FAULTS = _codes(
    """
    invalid_client unauthorized_client incorrect_client_credentials bad_client invalid_client_id
    invalid_client_secret client_not_found unknown_client invalid_client_credentials bad_client_credentials
    client_authentication_failed
    """
)
# Our request is wrong. Some servers report an invalid refresh token this way, but only in the description.
REQUEST_FAULTS = _codes("invalid_request unsupported_grant_type invalid_scope redirect_uri_mismatch")
# Values of a code that mean "no error".
NO_ERROR = frozenset({"0", "200", "ok", "success", "true", "false", "none", "null"})
